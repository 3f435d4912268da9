//! Schedules that people hold, as they can be seen.

use crate::Board;
use cuelight_base::{Actor, Timestamp};
use cuelight_engine::{CauseOfLaunch, ScheduleEvent};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// That somebody holds the schedules of a workflow, or held them last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The person who holds the schedules.
    pub by: Actor,
    /// The reason; foreign text.
    pub reason: String,
    /// The start of the hold.
    pub at: Timestamp,
    /// When they were let go, if they were: what was missed before is not made up for.
    pub released_at: Option<Timestamp>,
}

impl Board {
    pub(super) fn apply_schedule(&mut self, workflow: &str, at: Timestamp, event: &ScheduleEvent) {
        let holds: &mut BTreeMap<String, Hold> = Arc::make_mut(&mut self.holds);
        match event {
            ScheduleEvent::Held { by, reason } => {
                let hold = Hold { by: by.clone(), reason: reason.clone(), at, released_at: None };
                holds.insert(workflow.to_owned(), hold);
            }
            ScheduleEvent::Released { .. } => {
                if let Some(hold) = holds.get_mut(workflow) {
                    hold.released_at = Some(at);
                }
            }
        }
    }

    /// The current or last hold on the schedules of a workflow.
    pub fn hold_of(&self, workflow: &str) -> Option<&Hold> {
        self.holds.get(workflow)
    }

    /// Workflows that time has started, or that somebody holds, by name; and whether they are held now.
    pub fn scheduled(&self) -> BTreeMap<&str, bool> {
        let by_time = |summary: &&super::RunSummary| matches!(summary.cause, CauseOfLaunch::Schedule(_));
        let started: BTreeSet<&str> =
            self.summaries().filter(by_time).map(|summary| &*summary.workflow).collect();
        let held = self.holds.iter().map(|(name, hold)| (name.as_str(), hold.released_at.is_none()));
        started.into_iter().map(|name| (name, false)).chain(held).collect()
    }
}

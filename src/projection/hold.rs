//! Schedules that people hold, as they can be seen.

use cuelight_base::{Actor, Timestamp};
use cuelight_engine::ScheduleEvent;
use std::collections::BTreeMap;

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

/// Notes that somebody holds the schedules of a workflow, or lets them go.
pub(super) fn note(holds: &mut BTreeMap<String, Hold>, workflow: &str, at: Timestamp, event: &ScheduleEvent) {
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

//! Schedules on hold: a workflow on hold is not started by time until somebody releases it. The due times are
//! computed elsewhere; here is only the hold.

use crate::{
    CauseOfLaunch, Fact, Refusal, ScheduleEvent,
    handle::{Turn, required_reason},
    world::World,
};
use cuelight_base::{Actor, SCHEDULE_NAME_BYTES_MAX, SCHEDULES_HELD_MAX};

impl World {
    pub(super) fn apply_schedule(&mut self, workflow: &str, event: &ScheduleEvent) {
        match event {
            ScheduleEvent::Held { by, .. } => drop(self.held.insert(workflow.to_owned(), by.name.clone())),
            ScheduleEvent::Released { .. } => drop(self.held.remove(workflow)),
        }
    }
}

impl Turn<'_> {
    pub(super) fn hold_schedule(
        &mut self,
        workflow: String,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let refused =
            |why: String| Err(Refusal::Schedule { workflow: workflow.clone(), verb: "hold".to_owned(), why });
        if let Some(who) = self.world.held.get(&workflow) {
            return refused(format!("{who} holds it already; see `cuelight schedule`"));
        }
        if workflow.is_empty() || workflow.len() > SCHEDULE_NAME_BYTES_MAX {
            return refused("no workflow is called that; see `cuelight schedule`".to_owned());
        }
        if self.world.held.len() >= SCHEDULES_HELD_MAX {
            return refused(format!("{SCHEDULES_HELD_MAX} are on hold, which is the most; release some"));
        }
        let reason = required_reason(reason, &format!("hold the schedule of {workflow}"))?;
        self.emit(Fact::Schedule(workflow, ScheduleEvent::Held { by, reason }));
        Ok(())
    }

    pub(super) fn release_schedule(&mut self, workflow: String, by: Actor) -> Result<(), Refusal> {
        if !self.world.held.contains_key(&workflow) {
            let why = "it is not on hold; see `cuelight schedule`".to_owned();
            return Err(Refusal::Schedule { workflow, verb: "release".to_owned(), why });
        }
        self.emit(Fact::Schedule(workflow, ScheduleEvent::Released { by }));
        Ok(())
    }

    /// A schedule starts nothing that somebody holds, no matter who asked first.
    pub(super) fn may_be_due(&self, workflow: &str, cause: &CauseOfLaunch) -> Result<(), Refusal> {
        match (cause, self.world.held.get(workflow)) {
            (CauseOfLaunch::Schedule(_), Some(who)) => Err(Refusal::Schedule {
                workflow: workflow.to_owned(),
                verb: "start".to_owned(),
                why: format!("{who} holds it"),
            }),
            (CauseOfLaunch::Schedule(_), None)
            | (CauseOfLaunch::Asked | CauseOfLaunch::Retry { .. } | CauseOfLaunch::Fork { .. }, _) => Ok(()),
        }
    }
}

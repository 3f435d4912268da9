//! Notes of people on failures: acknowledged, resolved, or reopened. They change nothing in a run.
//!
//! The reason of a failure is recorded in `consequence`; `projection` counts the remedies that helped before.

use crate::{
    Fact, FailureEvent, FailureNote, Refusal,
    handle::{Turn, checked_reason},
    run::Run,
};
use cuelight_base::{Actor, RunId, StepIx};
use cuelight_plan::Work;

/// The last note on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    Acknowledged,
    Resolved,
}

/// The owner of a failure: a step or the run, and true if it is the undo that failed.
pub(super) type Whose = (Option<StepIx>, bool);

impl Run {
    pub(super) fn apply_failure(&mut self, event: &FailureEvent) {
        let noted = match event {
            FailureEvent::Acknowledged { .. } => Some(Noted::Acknowledged),
            FailureEvent::Resolved { .. } => Some(Noted::Resolved),
            FailureEvent::Reopened { .. } => None,
        };
        match noted {
            Some(noted) => self.noted.insert(event.whose(), noted),
            None => self.noted.remove(&event.whose()),
        };
    }

    fn has_failed(&self, (step, of_undo): Whose) -> bool {
        match step {
            None => self.ending.timed_out,
            Some(step) if of_undo => self.step(step).undo.stuck,
            Some(step) => {
                let is_frame = matches!(self.plan_step(step).work, Work::Frame(_));
                self.step(step).error.is_some() && !self.step(step).undo.stuck && !is_frame
            }
        }
    }
}

impl Turn<'_> {
    pub(super) fn note_failure(
        &mut self,
        run: RunId,
        whose: Whose,
        note: FailureNote,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_step = match whose.0 {
            Some(step) => self.find_step(run, step)?,
            None => self.find(run)?,
        };
        let name = match whose {
            (None, _) => run.to_string(),
            (Some(step), false) => format!("{} of {run}", this_step.plan_step(step).id),
            (Some(step), true) => format!("the undo of {} of {run}", this_step.plan_step(step).id),
        };
        let refused = |why: &str| {
            Err(Refusal::Failure { what: name.clone(), verb: note.word().to_owned(), why: why.to_owned() })
        };
        if !this_step.has_failed(whose) {
            return refused("it has none that stands; see `cuelight error`");
        }
        let reason = checked_reason(reason)?;
        let ((step, of_undo), before) = (whose, this_step.noted.get(&whose).copied());
        let event = match (note, before) {
            // Said already: the same again changes nothing.
            (FailureNote::Acknowledge, Some(Noted::Acknowledged))
            | (FailureNote::Resolve, Some(Noted::Resolved))
            | (FailureNote::Reopen, None) => return Ok(()),
            (FailureNote::Acknowledge, Some(Noted::Resolved)) => {
                return refused("it is resolved; reopen it first");
            }
            (FailureNote::Acknowledge, None) => FailureEvent::Acknowledged { step, of_undo, by, reason },
            (FailureNote::Resolve, _) => FailureEvent::Resolved { step, of_undo, by, reason },
            (FailureNote::Reopen, Some(_)) => FailureEvent::Reopened { step, of_undo, by, reason },
        };
        self.emit(Fact::Failure(run, event));
        Ok(())
    }
}

//! The calls that undo a step, with their retries.

use super::bound::bound_after;
use crate::{
    AttemptEvent, Fact, Failure, Outcome, Purpose, UndoEvent,
    call::{self, Unresolved},
    condition::View,
    facts,
    handle::Turn,
    outcome, retry,
};
use cuelight_base::{FailureMode, Launch, RunId, Score, Severity, Span, StepIx, UNDO_ATTEMPTS_MAX};
use cuelight_plan::{Amounts, Backoff, EffectClass, Retry};

/// The retry of a failing undo: O5's defaults.
const UNDO_RETRY: Retry = Retry {
    max_attempts: UNDO_ATTEMPTS_MAX,
    kind: Backoff::Exponential,
    delay: Span::seconds(1),
    factor_thousandths: 2000,
    max_delay: Span::seconds(60),
    jitter: Score(1000),
    on: Vec::new(),
};

impl Turn<'_> {
    /// Makes the next call of an undo.
    pub(crate) fn undo_call(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let plan = run.plan_step(step);
        // A step that began again and was not done again is undone with what it brought the first time.
        let did = run.step(step).undo.did.as_deref().map(|did| (step, &did.outputs));
        let view = View { supposed: did, ..View::of(self.world, run, step, self.now) };
        let resolved = match call::undo_work(plan) {
            Some(work) => call::launch(view, work),
            None => Err(Unresolved::Failed("there is no undo".to_owned())),
        };
        let resolved = match resolved {
            Ok(launch) if launch.is_claimed() => Err(Unresolved::Failed(
                "no agent that comes by itself undoes anything; give its undo a command".to_owned(),
            )),
            other => other,
        };
        match resolved {
            Ok(launch) => {
                let bound = bound_after(run, step, Purpose::Undo);
                let started = AttemptEvent::Started {
                    purpose: Purpose::Undo,
                    launch_hash: launch.hash(),
                    // An undo makes nothing that later steps read, and it outlives the console.
                    launch: Box::new(Launch { artifacts: Vec::new(), ends_with_console: false, ..launch }),
                    effect_key: call::effect_key(run, step, "undo"),
                    // A step without this promise asks people after a crash. An undo that is cut off is called again: to
                    // leave half of it undone would be worse, and the pages say that an undo is repeated.
                    class: EffectClass::Idempotent,
                    charge: Amounts::default(),
                    bound,
                    cache_key: None,
                };
                let number = run.step(step).tries.attempts + 1;
                self.emit(Fact::Attempt(id, step, number, started));
            }
            Err(why) => {
                let message = match why {
                    Unresolved::Failed(message) => message,
                    Unresolved::Needs(_) | Unresolved::Programs(_) => {
                        "its undo asks for hashes of files, which is not possible".to_owned()
                    }
                };
                self.stick(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    pub(super) fn undo_ended(&mut self, id: RunId, step: StepIx, number: u32, ended: Outcome) {
        let run = self.run(id);
        let (calls, seed) = (run.step(step).undo.calls, run.seed);
        // What was approved is not there any more: nothing that comes by itself brings it back.
        let changed = (!ended.changed.is_empty()).then(|| {
            let message = format!(
                "{}; restore it and run `cuelight run settle-undo --again`, or undo it by hand",
                facts::sentence(&ended.changed)
            );
            outcome::failure(FailureMode::PolicySecurity, message)
        });
        let may_go_well = changed.is_none() && calls < UNDO_RETRY.max_attempts;
        let failure = changed.or_else(|| ended.failure.clone());
        let again = failure.is_some() && may_go_well;
        let retry_at = again.then(|| self.now + retry::delay(&UNDO_RETRY, calls, seed, step));
        self.emit_ended(id, step, number, ended, retry_at);
        match failure {
            None => self.emit(Fact::Undo(id, step, UndoEvent::Done { by: None })),
            Some(_) if again => {}
            Some(failure) => self.stick(id, step, &failure),
        }
    }

    fn stick(&mut self, id: RunId, step: StepIx, failure: &Failure) {
        let mut record = outcome::record(self.run(id).plan_step(step), failure, Severity::Critical);
        record.message = format!("could not be undone: {}", record.message);
        self.emit(Fact::Undo(id, step, UndoEvent::Stuck { record }));
    }
}

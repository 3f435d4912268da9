//! A step: its state in the engine, and the states it may go through.
//!
//! ```text
//! pending ─▶ ready ─▶ running ─▶ completed | partial | failed | cancelled
//!    │         │         │  └──▶ waiting (back-off) ─▶ running
//!    │         │         └─────▶ in-doubt ─▶ running | completed | failed
//!    ├▶ waiting (person, time, facts) ─▶ completed | rejected | running
//!    └▶ skipped                        completed | partial ─▶ undoing ─▶ undone
//! ```
//!
//! The consequences of a change are not decided here; see `settle`.

use crate::{CachedFrom, Facts, Origin, Purpose, StepEvent, StepState, WaitReason, Why, talk::Talking};
use cuelight_base::{Digest, ErrorRecord, GateId, Program, Score, StepIx, Timestamp, Value, ValueMap};
use std::sync::Arc;

/// The state of one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) state: Option<StepState>,
    pub(super) needs: Needs,
    pub(super) inside: Inside,
    pub(super) tries: Tries,
    pub(super) target: CallTarget,
    pub(super) asking: Asking,
    pub(super) undo: UndoState,
    /// True if its `if` asks for failures or cancelling by name: it may run when others no longer may.
    pub(super) explicit: bool,
    pub(super) outputs: ValueMap,
    pub(super) confidence: Option<Score>,
    pub(super) error: Option<Box<ErrorRecord>>,
    pub(super) facts: Option<Arc<Facts>>,
    pub(super) gate: Option<GateId>,
    /// When it goes on by itself.
    pub(super) due: Option<Timestamp>,
    /// True if it was skipped in a way that lets its dependents run.
    pub(super) harmless: bool,
    /// The files, patterns and programs that were asked for.
    pub(super) asked: Option<Box<Asked>>,
    /// The files that its evidence names have been asked for.
    pub(super) looked: bool,
    /// Calls whose files have been asked for.
    pub(super) looked_at: Vec<Program>,
    /// The messages that it waits for, or waited for.
    pub(super) listens: Option<Box<WaitReason>>,
    /// Why it is being ended.
    pub(super) ending: Option<Why>,
    /// The origin of its result, when it did not make it itself.
    pub(super) origin: Option<Box<Origin>>,
    /// The earlier result that stands for it.
    pub(super) cached: Option<Box<CachedFrom>>,
    /// True if a person told its end: skipped, done by hand, or the outcome of a step in doubt.
    pub(super) by_hand: bool,
    /// The questions so far, for a model that may ask for tools.
    pub(super) talk: Option<Box<Talking>>,
}

/// The steps before a step, as far as it waits for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// Needs that have not ended, and one more while the frame around it is closed.
    pub(super) open: u32,
    /// The first need that did not succeed, so that `success()` is false.
    pub(super) blocked: Option<StepIx>,
    /// True if a need, or one further up, failed.
    pub(super) failed_above: bool,
    /// Gates beside its needs that it waits for once more.
    pub(super) held_by: Vec<StepIx>,
}

/// The steps inside a frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Inside {
    /// Children that have not ended.
    pub(super) open: u32,
    /// Children that hold a place under `max-parallel`.
    pub(super) running: u32,
    /// The first child that failed.
    pub(super) failed: Option<StepIx>,
    /// Why a child was ended from outside.
    pub(super) cut: Option<Why>,
    /// The moment at which the frame has taken too long, however often the steps in it are tried.
    pub(super) deadline: Option<Timestamp>,
    /// `inputs.*` of the steps in a workflow frame.
    pub(super) inputs: ValueMap,
}

/// The calls of a step, and of the fallbacks that stand for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// Calls made so far, for any purpose.
    pub(super) attempts: u32,
    /// The call that is being made.
    pub(super) in_flight: Option<Purpose>,
    /// Calls of the work at hand (the step itself, or the fallback) that count.
    pub(super) calls: u32,
    /// The number of the current work: 0 is the step itself, then its fallbacks.
    pub(super) work: u32,
    /// The work at hand has failed for good; its fallback is next.
    pub(super) exhausted: bool,
    /// Agents that were lost with the work at hand.
    pub(super) losses: u32,
    /// Raised when a person says "run it again as new".
    pub(super) generation: u32,
    /// Calls that certainly did not start.
    pub(super) not_started: u32,
    /// A call ended and nobody knows how: it may have happened.
    pub(super) unknown: bool,
}

/// The target that the work at hand is called at.
#[derive(Clone, Debug, Default)]
pub(super) struct CallTarget {
    /// The tool that was chosen, of several.
    pub(super) chosen: Option<String>,
    /// The key under which the result of its call is kept, as it was when that began.
    pub(super) cache_key: Option<String>,
    /// The files that this call was approved with, as one hash; none when it was bound to no file.
    pub(super) cache_files: Option<Digest>,
    /// When it fails, if none of several can be called until then.
    pub(super) fails_at: Option<Timestamp>,
    /// The agent it was offered to until then, where it was to one that comes by itself.
    pub(super) offered: Option<String>,
}

/// The questions to people: of a gate, or about a result.
#[derive(Clone, Debug, Default)]
pub(super) struct Asking {
    /// For a gate: true after it has asked people in this run. From then on neither its `if` nor its `auto` leaves it out.
    pub(super) has_asked: bool,
    /// The change because of which a gate has to ask again.
    pub(super) reopened: Option<String>,
    pub(super) expired: bool,
    /// The approvals of people for it, by gate.
    pub(super) approvals: Vec<Approval>,
    /// A result that was not good enough by itself; people are asked.
    pub(super) held: Option<Box<ValueMap>>,
}

/// The undo of a step, and the call that it would undo.
#[derive(Clone, Debug, Default)]
pub(super) struct UndoState {
    /// Calls of its undo that count.
    pub(super) calls: u32,
    pub(super) stuck: bool,
    /// The captured workspace in which its last call ran: its undo and its check run there, whatever a gate
    /// asks by then.
    pub(super) ran_in: Option<Box<Facts>>,
    /// The files that its undo and its check were approved with, in the run that made its result; for a kept one. No
    /// gate of this run changes them.
    pub(super) bound: Option<Box<Facts>>,
    /// The call of a tool whose file has an undo.
    pub(super) called: Option<Box<Called>>,
    /// The effects from before it began again, until it is done again.
    pub(super) did: Option<Box<Did>>,
}

/// The effects of a step before it began again: its undo uses them when the step is not done again.
#[derive(Clone, Debug)]
pub(super) struct Did {
    pub(super) outputs: ValueMap,
    pub(super) called: Option<Box<Called>>,
}

/// The call of a tool that may have to be undone.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// The input of its last call.
    pub(super) input: ValueMap,
    /// The output of its last call, if it succeeded.
    pub(super) gave: Option<ValueMap>,
    /// The inputs of calls that may or may not have happened, each once.
    pub(super) in_doubt: Vec<ValueMap>,
}

/// The approval of a step at one gate.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub(super) gate: StepIx,
    /// The call, or one for each tool that may be chosen; empty when the call was not known yet and only its
    /// files were shown.
    pub(super) calls: Vec<Digest>,
    /// Its fallbacks, by number.
    pub(super) fallbacks: Vec<(u32, Digest)>,
    /// The files that were shown with it, as they were then.
    pub(super) facts: Option<Arc<Facts>>,
}

impl Approval {
    /// True if the call itself was shown.
    pub(super) fn knows(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Step => !self.calls.is_empty(),
            Purpose::Fallback(which) => self.fallbacks.iter().any(|fallback| fallback.0 == which),
            Purpose::Undo | Purpose::Check => false,
        }
    }

    /// True if another call was shown than this one.
    pub(super) fn differs(&self, purpose: Purpose, hash: Digest) -> bool {
        match purpose {
            Purpose::Step => !self.calls.is_empty() && !self.calls.contains(&hash),
            Purpose::Fallback(which) => {
                self.fallbacks.iter().any(|fallback| fallback.0 == which && fallback.1 != hash)
            }
            Purpose::Undo | Purpose::Check => false,
        }
    }
}

/// Files whose content is evidence, arguments of `hashFiles`, and calls whose files are hashed.
pub(super) type Asked = (Vec<String>, Vec<Vec<String>>, Vec<Program>);

impl Step {
    /// Clears the doubt, once it is known that the step did not happen.
    pub(super) fn forget_doubt(&mut self) {
        self.tries.unknown = false;
        if let Some(called) = &mut self.undo.called {
            called.in_doubt.clear();
        }
    }

    pub(super) fn state(&self) -> StepState {
        self.state.unwrap_or(StepState::Pending)
    }

    pub(super) fn rests(&self) -> bool {
        self.state().rests()
    }

    /// True if it was skipped before all its needs had ended: its dependents wait for that.
    pub(super) fn waits_for_its_needs(&self) -> bool {
        self.state() == StepState::Skipped && self.needs.open > 0
    }

    /// True if dependents with `success()` may start.
    pub(super) fn succeeded(&self) -> bool {
        match self.state() {
            StepState::Completed | StepState::Partial => true,
            // Who skips a step opens no way around what was in its way, a gate above all.
            StepState::Skipped => self.harmless && (self.explicit || self.needs.blocked.is_none()),
            StepState::Pending
            | StepState::Ready
            | StepState::Waiting
            | StepState::Running
            | StepState::Failed
            | StepState::Rejected
            | StepState::Cancelled
            | StepState::Undoing
            | StepState::Undone
            | StepState::InDoubt => false,
        }
    }

    /// GitHub's word for how it ended.
    pub(super) fn result(&self) -> Option<&'static str> {
        match self.state() {
            StepState::Completed | StepState::Partial | StepState::Undone | StepState::Undoing => {
                Some("success")
            }
            StepState::Failed | StepState::Rejected => Some("failure"),
            StepState::Skipped => Some("skipped"),
            StepState::Cancelled => Some("cancelled"),
            StepState::Pending
            | StepState::Ready
            | StepState::Waiting
            | StepState::Running
            | StepState::InDoubt => None,
        }
    }

    /// The fields of the step that expressions see: `outputs result status form decision confidence
    /// attempts`.
    pub(super) fn as_value(&self) -> Value {
        let mut map = ValueMap::new();
        map.insert("outputs".to_owned(), Value::Object(self.outputs.clone()));
        map.insert("result".to_owned(), self.result().map_or(Value::Null, Value::from));
        map.insert("status".to_owned(), self.state().word().into());
        for key in ["form", "decision"] {
            map.insert(key.to_owned(), self.outputs.get(key).cloned().unwrap_or(Value::Null));
        }
        map.insert("confidence".to_owned(), self.confidence_value());
        map.insert("attempts".to_owned(), self.tries.attempts.into());
        Value::Object(map)
    }

    /// The same, of one field only.
    pub(super) fn field(&self, name: &str) -> Option<Value> {
        Some(match name.to_ascii_lowercase().as_str() {
            "result" | "conclusion" | "outcome" => self.result().map_or(Value::Null, Value::from),
            "status" => self.state().word().into(),
            "confidence" => self.confidence_value(),
            "attempts" => self.tries.attempts.into(),
            _ => return None,
        })
    }

    fn confidence_value(&self) -> Value {
        self.confidence.map_or(Value::Null, |confidence| {
            serde_json::from_str(&format!("{}.{:04}", confidence.0 / 10_000, confidence.0 % 10_000))
                .unwrap_or(Value::Null)
        })
    }
}

/// The state that an event leads to, or none when it may not happen in this one.
pub(super) fn next(state: StepState, event: &StepEvent) -> Option<StepState> {
    use StepState as S;
    Some(match (state, event) {
        (
            S::Pending | S::Ready | S::Waiting | S::Running | S::InDoubt | S::Completed,
            StepEvent::Reopened { .. },
        ) => S::Pending,
        (S::Pending | S::Waiting | S::InDoubt, StepEvent::Ready) => S::Ready,
        (S::Pending | S::Ready | S::Running | S::Waiting | S::InDoubt, StepEvent::Waiting { .. }) => {
            S::Waiting
        }
        (S::Pending | S::Ready | S::Waiting | S::InDoubt, StepEvent::FactsAsked { .. }) => S::Waiting,
        (S::Waiting, StepEvent::FactsKnown { .. }) => S::Pending,
        (S::Pending | S::Ready, StepEvent::Opened { .. }) => S::Running,
        (
            S::Pending | S::Ready | S::Waiting | S::Running | S::InDoubt,
            StepEvent::Completed { partial: false, .. } | StepEvent::DoneByHand { .. },
        )
        | (S::Failed, StepEvent::DoneByHand { .. }) => S::Completed,
        (S::Pending | S::Running | S::Waiting, StepEvent::Completed { partial: true, .. }) => S::Partial,
        (S::Pending | S::Ready | S::Waiting | S::Running | S::InDoubt, StepEvent::Failed { .. }) => S::Failed,
        // A gate that has to ask again may be refused while it waits for the end of a pause.
        (S::Ready | S::Waiting | S::Running, StepEvent::Rejected { .. }) => S::Rejected,
        (S::Pending | S::Ready | S::Waiting | S::Running | S::InDoubt, StepEvent::Skipped { .. }) => {
            S::Skipped
        }
        (S::Ready | S::Waiting | S::Running | S::InDoubt, StepEvent::Cancelled { .. }) => S::Cancelled,
        (S::Running, StepEvent::Ending { .. } | StepEvent::Grown { .. }) => S::Running,
        (S::Running | S::Waiting, StepEvent::InDoubt { .. }) => S::InDoubt,
        (S::InDoubt, StepEvent::DoubtAnswered { .. }) => S::InDoubt,
        (S::Pending | S::Ready | S::Waiting | S::Running | S::InDoubt, StepEvent::Routed { .. }) => state,
        (
            S::Ready
            | S::Waiting
            | S::Completed
            | S::Partial
            | S::Failed
            | S::Rejected
            | S::Skipped
            | S::Cancelled,
            StepEvent::SentBack,
        ) => S::Pending,
        _ => return None,
    })
}

/// True if a step skipped for this reason lets its dependents run: its own `if`, a person, or a failure that
/// the author allows (`semantics.md` 2, 3).
/// False when a step before it failed. A step in a frame goes as the frame does.
pub(super) fn is_harmless(why: &Why) -> bool {
    match why {
        Why::Condition | Why::Person { .. } | Why::Failed(_) | Why::Kept | Why::Frame(_) => true,
        Why::Need(_) | Why::Stopped(_) | Why::Cancelled | Why::RunTimedOut | Why::FailFast(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Choice, DoubtAnswer, WaitReason};
    use cuelight_base::Actor;

    fn events() -> Vec<(&'static str, StepEvent)> {
        let record = || {
            let builder = ErrorRecord::builder()
                .error_type(cuelight_base::ErrorKind::Unknown)
                .severity(cuelight_base::Severity::High)
                .mode(cuelight_base::FailureMode::AgentLogic)
                .source("a")
                .message("b");
            Box::new(builder.build().expect("all is given"))
        };
        let done = |partial| StepEvent::Completed {
            outputs: ValueMap::new(),
            confidence: None,
            partial,
            fallback: 0,
            kept: false,
            released: Vec::new(),
            released_fallbacks: Vec::new(),
            released_later: None,
            origin: None,
            bound: None,
            cached: None,
            given: None,
        };
        let choice = || Choice {
            policy: "fallback".to_owned(),
            chosen: "b@1.0.0".to_owned(),
            reason: "c".to_owned(),
            alternatives: Vec::new(),
            confidence: Score::ONE,
        };
        let by = Actor::engine;
        let outputs = ValueMap::new;
        let reason = String::new;
        vec![
            ("ready", StepEvent::Ready),
            ("waits", StepEvent::Waiting { reason: WaitReason::Facts }),
            ("asks", StepEvent::FactsAsked { files: Vec::new(), patterns: Vec::new(), programs: Vec::new() }),
            ("knows", StepEvent::FactsKnown { facts: Facts::default() }),
            ("opened", StepEvent::Opened { inputs: outputs(), copies: Vec::new() }),
            ("grown", StepEvent::Grown { calls: Vec::new(), copies: Vec::new() }),
            ("completed", done(false)),
            ("partial", done(true)),
            ("routed", StepEvent::Routed { choice: Box::new(choice()) }),
            ("sent-back", StepEvent::SentBack),
            ("reopened", StepEvent::Reopened { why: reason(), gates: Vec::new() }),
            ("by-hand", StepEvent::DoneByHand { by: by(), outputs: outputs(), reason: reason() }),
            ("failed", StepEvent::Failed { record: record() }),
            ("rejected", StepEvent::Rejected { expired: false }),
            ("skipped", StepEvent::Skipped { why: Why::Condition }),
            ("cancelled", StepEvent::Cancelled { why: Why::Cancelled }),
            ("ending", StepEvent::Ending { why: Why::Cancelled }),
            ("in-doubt", StepEvent::InDoubt { evidence: reason() }),
            ("answered", StepEvent::DoubtAnswered { by: by(), answer: DoubtAnswer::Abort, reason: reason() }),
        ]
    }

    #[test]
    fn every_pair_of_state_and_event_is_known() {
        let cell = |state: &StepState, event: &StepEvent| next(*state, event).map(StepState::word);
        let cells = events()
            .iter()
            .flat_map(|(name, event)| {
                StepState::ALL.iter().map(move |state| (state.word(), *name, cell(state, event)))
            })
            .collect::<Vec<_>>();
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots"}, {
            insta::assert_snapshot!("step_grid", crate::state::grid(&cells));
        });
    }
}

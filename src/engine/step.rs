//! A step: what the engine knows of one, and the states it may go through.
//!
//! ```text
//! pending ─▶ ready ─▶ running ─▶ completed | partial | failed | cancelled
//!    │         │         │  └──▶ waiting (back-off) ─▶ running
//!    │         │         └─────▶ in-doubt ─▶ running | completed | failed
//!    ├▶ waiting (person, time, facts) ─▶ completed | rejected | running
//!    └▶ skipped                        completed | partial ─▶ undoing ─▶ undone
//! ```
//!
//! What a change *causes* is not decided here; see `settle`.

use crate::{
    base::{Digest, ErrorRecord, GateId, Program, Score, StepIx, Timestamp, Value, ValueMap},
    engine::{CachedFrom, Facts, Origin, Purpose, StepEvent, StepState, WaitReason, Why, talk::Talking},
};
use std::sync::Arc;

/// What is known of one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) state: Option<StepState>,
    /// Needs that have not come to rest, and one more while the frame around it is closed.
    pub(super) open_needs: u32,
    /// The first need that did not succeed, so that `success()` is false.
    pub(super) blocked: Option<StepIx>,
    /// Whether a need, or one further up, failed.
    pub(super) failed_above: bool,
    /// Whether its `if` asks for failures or cancelling by name: it may run when others no longer may.
    pub(super) explicit: bool,
    /// Children that have not come to rest, of a frame.
    pub(super) children_open: u32,
    /// Children that hold a place under `max-parallel`, of a frame.
    pub(super) children_running: u32,
    /// The first child that failed, of a frame.
    pub(super) failed_child: Option<StepIx>,
    /// Calls made so far, for any purpose.
    pub(super) attempts: u32,
    /// The call that is being made.
    pub(super) in_flight: Option<Purpose>,
    /// Calls of the work at hand (the step itself, or the fallback) that count.
    pub(super) calls: u32,
    /// Which work is at hand: 0 is the step itself, then its fallbacks.
    pub(super) work: u32,
    /// The tool that was chosen, of several.
    pub(super) chosen: Option<String>,
    /// The key under which the result of its call is kept, as it was when that began.
    pub(super) cache_key: Option<String>,
    /// When it fails, if none of several can be called until then.
    pub(super) fails_at: Option<Timestamp>,
    /// The agent it was offered to until then, where it was to one that comes by itself.
    pub(super) offered: Option<String>,
    /// Agents that were lost with the work at hand.
    pub(super) losses: u32,
    /// Raised when a person says "run it again as new".
    pub(super) generation: u32,
    /// Calls that certainly did not start.
    pub(super) not_started: u32,
    pub(super) outputs: ValueMap,
    pub(super) confidence: Option<Score>,
    pub(super) error: Option<Box<ErrorRecord>>,
    pub(super) facts: Option<Arc<Facts>>,
    /// The captured workspace in which its last call ran: its undo and its check run there, whatever a gate asks by then.
    pub(super) ran_in: Option<Box<Facts>>,
    pub(super) gate: Option<GateId>,
    /// Of a gate: true after it has asked people in this run. From then on neither its `if` nor its `auto` leaves it out.
    pub(super) has_asked: bool,
    /// Of a frame: when it has taken too long, however often what is in it is tried.
    pub(super) deadline: Option<Timestamp>,
    /// When it goes on by itself.
    pub(super) due: Option<Timestamp>,
    /// What people approved of it, by gate.
    pub(super) approvals: Vec<Approval>,
    /// Of a gate that has to ask again: what has changed.
    pub(super) reopened: Option<String>,
    /// Gates beside its needs that it waits for once more.
    pub(super) held_by: Vec<StepIx>,
    /// `inputs.*` of the steps in a workflow frame.
    pub(super) inputs: ValueMap,
    /// Calls of its undo that count.
    pub(super) undo_calls: u32,
    pub(super) undo_stuck: bool,
    /// Whether it was skipped in a way that does not keep its dependents from running.
    pub(super) harmless: bool,
    /// What the world has been asked for.
    pub(super) asked: Option<Box<Asked>>,
    /// A result that was not good enough by itself; people are asked.
    pub(super) held: Option<Box<ValueMap>>,
    pub(super) expired: bool,
    /// The files that its evidence names have been asked for.
    pub(super) looked: bool,
    /// Calls whose files have been asked for.
    pub(super) looked_at: Vec<Program>,
    /// A call ended and nobody knows how: it may have happened.
    pub(super) unknown: bool,
    /// What it did before it began anew, until it is done again.
    pub(super) did: Option<Box<Did>>,
    /// The work at hand has failed for good; its fallback is next.
    pub(super) exhausted: bool,
    /// The messages that it waits for, or waited for.
    pub(super) listens: Option<Box<WaitReason>>,
    /// Why it is being ended.
    pub(super) ending: Option<Why>,
    /// Why a child was ended from outside, of a frame.
    pub(super) cut: Option<Why>,
    /// Where its result comes from, when it did not bring it about itself.
    pub(super) origin: Option<Box<Origin>>,
    /// The earlier result that stands for it.
    pub(super) cached: Option<Box<CachedFrom>>,
    /// A person said how it ended: skipped, done by hand, or what became of it.
    pub(super) by_hand: bool,
    /// Where a tool's file says how its call is taken back: what that call was given.
    pub(super) called: Option<Box<Called>>,
    /// Of a model that may ask for tools: what was asked so far.
    pub(super) talk: Option<Box<Talking>>,
}

/// What a step did before it began anew: its undo goes by that when it is not done again.
#[derive(Clone, Debug)]
pub(super) struct Did {
    pub(super) outputs: ValueMap,
    pub(super) called: Option<Box<Called>>,
}

/// The call of a tool that may have to be taken back.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// What it was given last.
    pub(super) input: ValueMap,
    /// What it gave, where it ended well.
    pub(super) gave: Option<ValueMap>,
    /// What was given to calls of which nobody knows whether they happened, each once.
    pub(super) in_doubt: Vec<ValueMap>,
}

/// What people approved of a step at one gate.
#[derive(Clone, Debug)]
pub(super) struct Approval {
    pub(super) gate: StepIx,
    /// The call, or one for each tool that may be chosen; none when it was not known yet, and only what it executes was shown.
    pub(super) calls: Vec<Digest>,
    /// Its fallbacks, by number.
    pub(super) fallbacks: Vec<(u32, Digest)>,
    /// The files that were shown with it, as they were then.
    pub(super) facts: Option<Arc<Facts>>,
}

impl Approval {
    /// Whether the call itself was shown.
    pub(super) fn knows(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Step => !self.calls.is_empty(),
            Purpose::Fallback(which) => self.fallbacks.iter().any(|it| it.0 == which),
            Purpose::Undo | Purpose::Check => false,
        }
    }

    /// Whether another call was shown than this one.
    pub(super) fn differs(&self, purpose: Purpose, hash: Digest) -> bool {
        match purpose {
            Purpose::Step => !self.calls.is_empty() && !self.calls.contains(&hash),
            Purpose::Fallback(which) => self.fallbacks.iter().any(|it| it.0 == which && it.1 != hash),
            Purpose::Undo | Purpose::Check => false,
        }
    }
}

/// Files whose content is evidence, arguments of `hashFiles`, and calls whose files are hashed.
pub(super) type Asked = (Vec<String>, Vec<Vec<String>>, Vec<Program>);

impl Step {
    /// It is known by now that what was in doubt did not happen.
    pub(super) fn forget_doubt(&mut self) {
        self.unknown = false;
        if let Some(called) = &mut self.called {
            called.in_doubt.clear();
        }
    }

    pub(super) fn state(&self) -> StepState {
        self.state.unwrap_or(StepState::Pending)
    }

    pub(super) fn rests(&self) -> bool {
        self.state().rests()
    }

    /// Whether it was skipped before all it needs had come to rest: what needs it waits for that.
    pub(super) fn waits_for_its_needs(&self) -> bool {
        self.state() == StepState::Skipped && self.open_needs > 0
    }

    /// Whether dependents with `success()` may start.
    pub(super) fn succeeded(&self) -> bool {
        match self.state() {
            StepState::Completed | StepState::Partial => true,
            // Who skips a step opens no way around what was in its way, a gate above all.
            StepState::Skipped => self.harmless && (self.explicit || self.blocked.is_none()),
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

    /// What expressions see of it: `outputs result status form decision confidence attempts`.
    pub(super) fn as_value(&self) -> Value {
        let mut map = ValueMap::new();
        map.insert("outputs".to_owned(), Value::Object(self.outputs.clone()));
        map.insert("result".to_owned(), self.result().map_or(Value::Null, Value::from));
        map.insert("status".to_owned(), self.state().word().into());
        for key in ["form", "decision"] {
            map.insert(key.to_owned(), self.outputs.get(key).cloned().unwrap_or(Value::Null));
        }
        map.insert("confidence".to_owned(), self.confidence_value());
        map.insert("attempts".to_owned(), self.attempts.into());
        Value::Object(map)
    }

    /// The same, of one field only.
    pub(super) fn field(&self, name: &str) -> Option<Value> {
        Some(match name.to_ascii_lowercase().as_str() {
            "result" | "conclusion" | "outcome" => self.result().map_or(Value::Null, Value::from),
            "status" => self.state().word().into(),
            "confidence" => self.confidence_value(),
            "attempts" => self.attempts.into(),
            _ => return None,
        })
    }

    fn confidence_value(&self) -> Value {
        self.confidence.map_or(Value::Null, |it| {
            serde_json::from_str(&format!("{}.{:04}", it.0 / 10_000, it.0 % 10_000)).unwrap_or(Value::Null)
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

/// Whether a step skipped for this reason lets its dependents run: its own `if`, a person, or a failure that the author
/// allows (`semantics.md` 2, 3); not when something before it went wrong. What stands in a frame goes as that does.
pub(super) fn is_harmless(why: &Why) -> bool {
    match why {
        Why::Condition | Why::Person { .. } | Why::Failed(_) | Why::Kept | Why::Frame(_) => true,
        Why::Need(_) | Why::Stopped(_) | Why::Cancelled | Why::RunTimedOut | Why::FailFast(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Actor, Choice, DoubtAnswer, WaitReason};

    fn events() -> Vec<(&'static str, StepEvent)> {
        let record = || {
            let builder = ErrorRecord::builder()
                .error_type(crate::base::ErrorKind::Unknown)
                .severity(crate::base::Severity::High)
                .mode(crate::base::FailureMode::AgentLogic)
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
                StepState::ALL.iter().map(move |it| (it.word(), *name, cell(it, event)))
            })
            .collect::<Vec<_>>();
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots"}, {
            insta::assert_snapshot!("step_grid", crate::engine::state::grid(&cells));
        });
    }
}

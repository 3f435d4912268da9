//! The events of a step: its result with the origin of it, or the reason why it has none.

use crate::{DoubtAnswer, Facts, WaitReason};
use cuelight_base::{Actor, Digest, ErrorRecord, Program, RunId, Score, StepIx, Timestamp, ValueMap};
use cuelight_plan::PlanStep;
use serde::{Deserialize, Serialize};

/// The reason why a step never ran, or ended early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its own `if` was false.
    Condition,
    /// A need did not succeed.
    Need(StepIx),
    /// The run stopped after this step failed or was rejected.
    Stopped(StepIx),
    /// The run was cancelled.
    Cancelled,
    /// The run's time was up.
    RunTimedOut,
    /// Another copy of its matrix failed.
    FailFast(StepIx),
    /// The frame it stands in never opened.
    Frame(StepIx),
    /// Kept its result from the run this one retries.
    Kept,
    /// A person asked for it.
    Person {
        /// The person who asked for it.
        by: Actor,
        /// The reason that was given.
        reason: String,
    },
    /// A failure that `on-error: skip` turned into this.
    Failed(Box<ErrorRecord>),
}

/// A call that a model asked for, and the step that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkCall {
    /// The model's name for the tool, at most its first characters.
    pub name: String,
    /// The step that makes the call; none when it is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepIx>,
    /// The gate before the call; none when it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<StepIx>,
    /// The reason why the call is not made, as the model is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The events of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepEvent {
    /// The step could start, but no slot is free.
    Ready,
    /// The step waits for an event.
    Waiting {
        /// The event that it waits for.
        reason: WaitReason,
    },
    /// Files have to be looked at before it can go on.
    FactsAsked {
        /// Files whose content is evidence.
        files: Vec<String>,
        /// Argument lists of `hashFiles` that have to be evaluated.
        patterns: Vec<Vec<String>>,
        /// Calls whose files are to be hashed before people are asked.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        programs: Vec<Program>,
    },
    /// The files were looked at.
    FactsKnown {
        /// The facts that were found.
        facts: Facts,
    },
    /// A frame is open: its children may start.
    Opened {
        /// `inputs.*` of the steps in a workflow frame.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        inputs: ValueMap,
        /// Copies made from a computed matrix, appended to the run's steps.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        copies: Vec<PlanStep>,
    },
    /// A model has asked for tools, or its calls are done: the frame of its talk has more steps.
    Grown {
        /// The calls that its last answer asked for, in its order; empty when it is asked again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<TalkCall>,
        /// The steps of these calls, appended to the run's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        copies: Vec<PlanStep>,
    },
    /// The step has completed.
    Completed {
        /// The outputs of the step.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        outputs: ValueMap,
        /// The confidence in the result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confidence: Option<Score>,
        /// True if the result is only a part.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partial: bool,
        /// The number of the fallback that did it, counted from 1; 0 is the step itself.
        #[serde(default, skip_serializing_if = "is_zero")]
        fallback: u32,
        /// True if it was kept from the run this one retries.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
        /// The calls that were approved, the values to be set and the messages to be sent, with the hash of each; for a
        /// gate.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released: Vec<(StepIx, Digest)>,
        /// The fallbacks of those calls that were approved, by number, and the hash of each; for a gate.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released_fallbacks: Vec<(StepIx, u32, Digest)>,
        /// The later steps that are bound to the shown files of calls; for a gate that showed such files.
        /// Absent in logs of earlier versions, which read it from the words of the calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        released_later: Option<Vec<StepIx>>,
        /// The origin of a result that was taken over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Box<Origin>>,
        /// The files that an approval was given for; for a gate whose approval is kept from another run. For another step
        /// that is kept, the files that its undo and its check are bound to, and the captured workspace of both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Box<Facts>>,
        /// The earlier result that stands for it, if nothing was called: its step, its instant and its key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached: Option<Box<CachedFrom>>,
        /// The input of the call, for its undo; for a call of a tool that was kept from another run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<Box<ValueMap>>,
    },
    /// The approved calls or files have changed before the step ran: the gate asks again, and the steps that
    /// it had released wait for it.
    Reopened {
        /// The changes since the approval.
        why: String,
        /// The gates that this step waits for once more; empty for the gate itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gates: Vec<StepIx>,
    },
    /// One of several ways to do the step was chosen.
    Routed {
        /// The choice, and its reason.
        choice: Box<Choice>,
    },
    /// The step starts again, as if it had never run: a gate was sent back to it, or to a step before it.
    SentBack,
    /// The step was completed by a person.
    DoneByHand {
        /// The person who completed it.
        by: Actor,
        /// The outputs that the person gave.
        outputs: ValueMap,
        /// The person's evidence for it.
        reason: String,
    },
    /// The step has failed, and is not retried.
    Failed {
        /// The error record of the failure.
        record: Box<ErrorRecord>,
    },
    /// The step was rejected at its gate, or nobody answered in time.
    Rejected {
        /// True if nobody answered in time.
        expired: bool,
    },
    /// The step never ran.
    Skipped {
        /// The reason why it never ran.
        why: Why,
    },
    /// The step ended early.
    Cancelled {
        /// The reason why it ended early.
        why: Why,
    },
    /// The step is being ended: its call has to end first, or, for a frame, all calls in it.
    Ending {
        /// The reason why it is being ended.
        why: Why,
    },
    /// The effect of the step may have happened; a person is asked.
    InDoubt {
        /// The evidence that is known.
        evidence: String,
    },
    /// A person told the outcome of the step.
    DoubtAnswered {
        /// The person who answered.
        by: Actor,
        /// The outcome of the step.
        answer: DoubtAnswer,
        /// The person's evidence for it.
        reason: String,
    },
}

/// A decision of the engine between several ways to do a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The rule of the choice: `fallback`, or a policy: `learned`.
    pub policy: String,
    /// The name of the chosen way.
    pub chosen: String,
    /// The reason of the choice; never empty.
    pub reason: String,
    /// The other ways, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// The confidence in the choice.
    pub confidence: Score,
}

/// A way that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// The name of the way.
    pub name: String,
    /// The score that it reached.
    pub score: Score,
    /// The reason why it was passed over.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The earlier result that stands for a step. Its run stands in the origin beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedFrom {
    /// The key of the result.
    pub key: String,
    /// The id of the step that made the result.
    pub step: String,
    /// The instant at which the result was made.
    pub at: Timestamp,
}

/// The origin of a result: the run that made it, and the person who gave it by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The run that made it.
    pub run: RunId,
    /// The person who completed the step by hand there; none when a call did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The person's evidence for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

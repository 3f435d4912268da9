//! All events of the log. A stored contract: variants and fields are only added, each field with a default.
//!
//! An event carries all that its effect needs, so that the next work follows from the event alone.

use crate::{
    Actor, AgentKey, AgentResult, DeadLetter, DoubtAnswer, GateState, Knowledge, Lease, Membership,
    PeoplePolicy, Registration, RetryFrom, RunState, TopicRule, Verdict,
};
use cuelight_base::{
    AttemptId, Bucket, Circuit, DecisionId, Digest, Epoch, ErrorRecord, FailureMode, GateId, Launch, Message,
    NOT_BOUND, Program, RateRule, RunId, Score, Seq, Span, StepIx, Timestamp, Value, ValueMap,
};
use cuelight_plan::{
    Amounts, Currency, EffectClass, OnTimeout, OutputType, Plan, PlanStep, Quorum, Risk, Scope,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The instant at which the engine decided it. Order is the sequence number, never this.
    pub at: Timestamp,
    /// The fact that is recorded.
    pub fact: Fact,
}

/// The facts that can be recorded, by noun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// A fact about a run.
    Run(RunId, RunEvent),
    /// A fact about a step.
    Step(RunId, StepIx, StepEvent),
    /// A fact about a call of a step; counted from 1 in its step.
    Attempt(RunId, StepIx, u32, AttemptEvent),
    /// A fact about a gate.
    Gate(RunId, StepIx, GateId, GateEvent),
    /// A fact about the undo of a step.
    Undo(RunId, StepIx, UndoEvent),
    /// A fact about a scope; the run whose step wrote it, or none when a person did.
    Scope(Option<RunId>, ScopeEvent),
    /// A person's note about a failure.
    Failure(RunId, FailureEvent),
    /// A fact about the schedules of a workflow, by its name.
    Schedule(String, ScheduleEvent),
    /// A fact about a target of calls, by its name: a tool with its version.
    Target(String, TargetEvent),
    /// A fact about the results that may stand for steps.
    Cache(CacheEvent),
    /// A fact about the messages between steps, programs and people.
    Bus(BusEvent),
    /// A fact about a token that somebody holds.
    Token(TokenEvent),
    /// A fact about results and knowledge that agents leave for later ones.
    Library(LibraryEvent),
    /// A fact about the people of the workspace.
    People(PeopleEvent),
    /// A fact about an agent that came by itself.
    Agent(AgentEvent),
    /// An engine took up this log.
    Recovered {
        /// The time for which no engine looked at the log.
        away: Span,
        /// The takeover, if the log was taken from an engine that did not answer any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken: Option<Box<TakeOver>>,
    },
}

/// The takeover of a workspace from an engine that did not answer any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakeOver {
    /// The actor who took it.
    pub by: Actor,
    /// The reason that was given.
    pub reason: String,
    /// The number of the process that had it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
}

impl Fact {
    /// The run it belongs to.
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run, _)
            | Self::Step(run, _, _)
            | Self::Attempt(run, _, _, _)
            | Self::Gate(run, _, _, _)
            | Self::Undo(run, _, _)
            | Self::Failure(run, _) => Some(*run),
            Self::Scope(run, _) => *run,
            Self::Agent(event) => event.run(),
            Self::Schedule(..)
            | Self::Target(..)
            | Self::Cache(..)
            | Self::Bus(..)
            | Self::Token(..)
            | Self::Library(..)
            | Self::People(..)
            | Self::Recovered { .. } => None,
        }
    }

    /// The step it belongs to.
    pub const fn step(&self) -> Option<StepIx> {
        match self {
            Self::Step(_, step, _)
            | Self::Attempt(_, step, _, _)
            | Self::Gate(_, step, _, _)
            | Self::Undo(_, step, _) => Some(*step),
            Self::Failure(_, event) => event.step(),
            Self::Agent(event) => match event.attempt() {
                Some(attempt) => Some(attempt.step),
                None => None,
            },
            Self::Run(..)
            | Self::Scope(..)
            | Self::Schedule(..)
            | Self::Target(..)
            | Self::Cache(..)
            | Self::Bus(..)
            | Self::Token(..)
            | Self::Library(..)
            | Self::People(..)
            | Self::Recovered { .. } => None,
        }
    }
}

/// The cause of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseOfLaunch {
    /// An actor asked for it.
    Asked,
    /// A schedule started it at this instant.
    Schedule(Timestamp),
    /// A retry of the steps that did not succeed in another run; completed steps keep their results.
    Retry {
        /// The run that is retried.
        of: RunId,
        /// The steps that are done again.
        from: RetryFrom,
        /// The changes against the other run; none when nothing was corrected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Corrected>>,
    },
    /// A fork of another run from an instant on, beside that run; steps that were done by then keep their
    /// results.
    Fork {
        /// The run that is forked.
        of: RunId,
        /// The last event of it that counts.
        at: Seq,
        /// The changes against the other run; none when nothing was corrected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Corrected>>,
    },
}

impl CauseOfLaunch {
    /// The run whose results it took over.
    pub const fn parent(&self) -> Option<RunId> {
        match self {
            Self::Retry { of, .. } | Self::Fork { of, .. } => Some(*of),
            Self::Asked | Self::Schedule(_) => None,
        }
    }

    /// The changes against the other run.
    pub fn corrected(&self) -> Option<&Corrected> {
        match self {
            Self::Retry { corrected, .. } | Self::Fork { corrected, .. } => corrected.as_deref(),
            Self::Asked | Self::Schedule(_) => None,
        }
    }
}

/// The changes of a run against the run that it does again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Corrected {
    /// The inputs that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputChange>,
    /// The steps that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepChange>,
    /// The rules of the run as a whole that differ, by the words of the file: `env`, `timeout` …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Hash of the text of the workflow before the change.
    pub definition: Digest,
}

/// An input that differs from the other run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputChange {
    /// The name of the input.
    pub name: String,
    /// The value before; none when it had none.
    #[serde(default)]
    pub before: Option<Value>,
    /// The value after; none when it has none.
    #[serde(default)]
    pub after: Option<Value>,
}

/// A step that differs from the other run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    /// The id of the step.
    pub id: String,
    /// The kind of the change.
    pub how: Change,
}

/// The kind of a change between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Change {
    Added,
    Removed,
    Rewritten,
}

impl Change {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Rewritten => "rewritten",
        }
    }
}

/// The events of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunEvent {
    /// The run was asked for, and its plan is fixed.
    Created {
        /// The plan of the run, exactly as it will be carried out.
        plan: Arc<Plan>,
        /// The hash of the plan.
        plan_hash: Digest,
        /// The actor who asked for the run.
        by: Actor,
        /// The seed of all chance in this run, in decimal digits (it does not fit a JSON number everywhere).
        seed: String,
        /// The cause of the run.
        cause: CauseOfLaunch,
        /// The id that ties runs of one piece of work together.
        trace: String,
        /// The hash of the request that it was made for, if the request may be sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Digest>,
        /// The gates that have asked in the run that this one does again, by id, each with the people whom
        /// its `forbid` excluded there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        asked: BTreeMap<String, Vec<String>>,
        /// The gates among them that escalate, by id, each with the person or group that its ask named first.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        escalates: BTreeMap<String, String>,
    },
    /// Its place in the concurrency group is free; steps may start.
    Started,
    /// The run was paused: it starts no new step.
    Paused {
        /// The actor who asked for the pause.
        by: Actor,
    },
    /// The run was resumed.
    Resumed {
        /// The actor who asked for it.
        by: Actor,
    },
    /// The run is being cancelled: running calls are being ended.
    Cancelling {
        /// The actor who asked for it.
        by: Actor,
        /// The reason that was given.
        reason: String,
        /// True if completed steps are undone.
        undo: bool,
    },
    /// The run starts nothing new because a step failed or was rejected; `compensate` tells if undoing
    /// follows.
    Stopping {
        /// The step that failed or was rejected.
        because: StepIx,
        /// True if it was a rejection.
        rejected: bool,
        /// True if completed steps are undone.
        compensate: bool,
    },
    /// The timeout of the run was reached; running calls are being ended.
    TimedOut {
        /// The error record of the timeout.
        record: Box<ErrorRecord>,
    },
    /// Undoing of completed steps begins.
    Compensating,
    /// 80 % of a budget is used.
    BudgetWarned {
        /// The usage so far: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// The limit of the budget, in the same unit.
        limit: u64,
        /// The unit that is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; none when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// The ceiling of a budget was raised for this run.
    BudgetRaised {
        /// The ceiling now: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// The actor who allowed it.
        by: Actor,
        /// The unit that is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; none when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// The run has ended.
    Ended {
        /// The final state of the run.
        state: RunState,
        /// The outputs of the run.
        outputs: ValueMap,
        /// The partial result; none when the run completed.
        partial: Option<Box<PartialResult>>,
    },
}

/// The result of a run that ended without completing (O4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialResult {
    /// The number of steps that completed.
    pub completed: u32,
    /// The number of steps that failed.
    pub failed: u32,
    /// The number of steps that never ran.
    pub remaining: u32,
    /// The share of steps that completed.
    pub completion_ratio: Score,
    /// The failure mode of the first failure.
    pub failure_mode: Option<FailureMode>,
    /// The step that failed first.
    pub failure_point: Option<String>,
    /// `manual`, `retry-failed`, `retry-from-checkpoint` or `retry-all`.
    pub suggestion: String,
    /// The step that completed last: its outputs are the last ones of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_done: Option<String>,
}

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

/// The event that a waiting step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// A person, at this gate.
    Person(GateId),
    /// An instant in time.
    Time(Timestamp),
    /// The next attempt, after a delay.
    BackOff {
        /// The instant of the next attempt.
        until: Timestamp,
        /// The number of the next attempt.
        next: u32,
    },
    /// Facts that were asked for: files and their hashes.
    Facts,
    /// A target that takes no call now.
    Target {
        /// The name of the target.
        name: String,
        /// The reason why it takes none.
        hold: TargetHold,
        /// The instant at which it may take one, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// None of the candidates of a choice takes a call now.
    Candidates {
        /// The targets, each with the reason why it takes none.
        names: Vec<(String, String)>,
        /// The instant at which one of them may take one, if it is known and no event tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The instant at which the step fails because of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// An agent that comes for it by itself.
    Agent {
        /// The agent's name: `agent:coder@1.0.0`.
        name: String,
        /// The capabilities of that agent: any agent that has all of them may claim the work as well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        capabilities: Vec<String>,
        /// The instant at which the step fails because no agent came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// Messages on a topic.
    Message {
        /// The topic of the messages.
        topic: String,
        /// The fields that the messages must have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        filter: Vec<(String, Value)>,
        /// The number of messages.
        count: u32,
        /// The instant at which the step stops waiting.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
}

/// The reason why a target takes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetHold {
    /// Its circuit is open: too many calls in a row have failed.
    Circuit,
    /// Another call tries it, after its circuit was open.
    Trial,
    /// Others have waited for it longer.
    Line,
    /// Calls come faster than its rate limit.
    Rate,
    /// The quota of the day is used up.
    Quota,
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
        /// The calls that were approved, and the hash of each; for a gate.
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
        /// The files that an approval was given for; for a gate whose approval is kept from another run.
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

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The work of the step itself.
    Step,
    /// Its fallback, counted from 1.
    Fallback(u32),
    /// The undo of the step.
    Undo,
    /// The check that tells if the step happened.
    Check,
}

/// The events of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AttemptEvent {
    /// The call is to be made; this is the intent, durable before anything happens.
    Started {
        /// The purpose of the call.
        purpose: Purpose,
        /// The call, wholly resolved.
        launch: Box<Launch>,
        /// The hash of the call.
        launch_hash: Digest,
        /// The key of the effect, the same for all its attempts.
        effect_key: Digest,
        /// The meaning of a crash in the middle of it.
        class: EffectClass,
        /// The usage that it is charged with until it reports its usage.
        #[serde(default, skip_serializing_if = "Amounts::is_nothing")]
        charge: Amounts,
        /// The files as they were when this was approved; they are compared once more before it begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Box<Facts>>,
        /// The key under which its result is kept for other steps, taken now, because the files that it names
        /// may have changed by the end of the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_key: Option<String>,
    },
    /// The call has ended.
    Ended {
        /// The outcome of the call.
        outcome: Box<Outcome>,
        /// The instant of the next attempt; none when it is not retried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The end of the call is unknown: the process that made it died.
    Lost {
        /// The evidence that is known.
        evidence: String,
    },
    /// The call went on without the engine that had started it (`on-console-death: keep`), and the next
    /// engine has found it.
    Adopted {
        /// The purpose of the call.
        purpose: Purpose,
        /// The state in which it was found.
        how: Adoption,
        /// True if it is to be ended: that was asked for, and the call may not have been told.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ends: bool,
    },
}

/// The state of a call that went on without its engine, when it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    /// It still runs under its guard; its end will be reported.
    Attached,
    /// It had ended, and its guard had kept a record of its outcome.
    Recorded,
}

/// The outcome of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// The failure; none when the call succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Key and text, as written to `$CUELIGHT_OUTPUT`.
    #[serde(skip_serializing_if = "ValueMap::is_empty")]
    pub outputs: ValueMap,
    /// Exit code, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Bytes it wrote, also those not kept.
    pub output_bytes: u64,
    /// Hash of all it wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Digest>,
    /// The time that it ran.
    pub ran_for: Span,
    /// The files that were kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<FileFact>,
    /// The usage that it reported; none when it reported nothing, and then the charge stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Amounts>,
    /// True if it failed and nobody can tell if it had its effect: it was sent, and no answer came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_happened: bool,
    /// The wait before the next attempt that the other side asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// The files that differ from the approved ones; then nothing was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// A file or hash that differs from the approved one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The file, or `hashFiles(…)`.
    pub what: String,
    /// Its hash when it was approved, or why there was none.
    pub before: String,
    /// Its hash now, or why there is none.
    pub now: String,
}

/// The reason why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of the failure.
    pub mode: FailureMode,
    /// The error message, in a sentence.
    pub message: String,
    /// The end of the call's output; untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// True if it certainly did not start: then the attempt does not count.
    #[serde(default)]
    pub not_started: bool,
}

/// The files and hashes that a step asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Files, in the order they were asked for; a missing file has no digest.
    pub files: Vec<FileFact>,
    /// Arguments of `hashFiles`, and the result.
    pub hashes: Vec<(Vec<String>, String)>,
    /// Arguments of `hashFiles` that have no result, and the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unhashed: Vec<(Vec<String>, String)>,
    /// The programs that calls execute, each with its files: the program, and the script it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<(Program, Vec<FileFact>)>,
}

/// A file that was looked at or kept; its content is a blob under its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFact {
    /// As it was named.
    pub path: String,
    /// Hash of its bytes; none when it could not be read.
    pub digest: Option<Digest>,
    /// Its length in bytes.
    pub bytes: u64,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl FileFact {
    /// True for a file that an approval is bound to; false for data that a call only names.
    pub fn is_bound(&self) -> bool {
        self.problem.as_ref().is_none_or(|problem| !problem.starts_with(NOT_BOUND))
    }
}

/// The question to people: made by the engine, never by an agent, and hashed as canonical JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The run that the gate belongs to.
    pub run: RunId,
    /// The number of the gate.
    pub gate: GateId,
    /// The number of asks of this gate, this one included.
    pub epoch: Epoch,
    /// The id of the gate's step.
    pub step: String,
    /// The name of the workflow.
    pub workflow: String,
    /// The hash of the plan.
    pub plan: Digest,
    /// Hash of the workflow's text.
    pub definition: Digest,
    /// The question that people read.
    pub prompt: String,
    /// The requester's own words; nothing checks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The risk of the steps that it releases.
    pub risk: Risk,
    /// The first calls after an approval, resolved.
    pub will_run: Vec<WillRun>,
    /// The totals of all calls, if only the first of them are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<AllCalls>,
    /// Steps after that whose parameters are not known yet.
    pub later: Vec<Later>,
    /// The captured workspace from which the steps behind the gate run: first its hash, then the files that
    /// it leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshot: Vec<FileFact>,
    /// Steps that an approval lets start, sooner or later.
    pub starts: Vec<String>,
    /// Steps that a rejection skips.
    pub skips: Vec<String>,
    /// Steps that a rejection undoes, in order.
    pub undoes: Vec<String>,
    /// Steps done so far that cannot be undone.
    pub cannot_undo: Vec<String>,
    /// Values the approval is bound to.
    pub binds: Vec<String>,
    /// The evidence that is shown.
    pub evidence: Vec<Evidence>,
    /// Parameters, as they are now.
    pub form: Vec<FormField>,
    /// The people who have to approve.
    pub require: Vec<Quorum>,
    /// Principals that do not count, and the reason for each.
    pub excluded: Vec<(String, String)>,
    /// The `people.toml` by which answers are judged, if they depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PeoplePolicy>,
    /// The person who asked for the run.
    pub requester: String,
    /// The instant at which it first opened.
    pub opened_at: Timestamp,
    /// The instant at which it expires.
    pub expires_at: Option<Timestamp>,
    /// The reaction when it expires.
    pub on_timeout: OnTimeout,
    /// True if an approval needs a reason.
    pub reason_required: bool,
    /// True if an approval is signed with a security key that was touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub touch: bool,
    /// The time in which an approval can be undone.
    pub undo_window: Span,
    /// The step from which all is done again when the gate is sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_back: Option<String>,
    /// True if the choice in the form is the answer: then the person who chooses counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_choice: bool,
    /// The person (`NAME`) or group (`group:NAME`) that may answer as well once the gate is escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<String>,
    /// Steps behind the gate that run although it is rejected, by their own `if`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs_anyway: Vec<String>,
}

/// All calls that an approval releases, when only the first of them are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllCalls {
    /// The number of first calls.
    pub will_run: u64,
    /// The number of calls that are decided later.
    pub later: u64,
    /// Hash over every one: its step, and the hash of its call or of its template.
    pub digest: Digest,
}

/// One call that an approval releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillRun {
    /// The id of the step.
    pub step: String,
    /// The call that will be made.
    pub launch: Launch,
    /// The hash of the call; compared with the call that is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// The meaning of a crash in the middle of it.
    pub effect: EffectClass,
    /// The undo of the step: `yes`, `no` (declared impossible) or `unset`.
    pub undo: String,
    /// The calls that are made in its place when it has failed, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<WillFallBack>,
    /// The rule and the number of candidates, if one of several is chosen when the step begins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
}

/// A call that takes the place of one that has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillFallBack {
    /// The number of the fallback, counted from 1.
    pub number: u32,
    /// The call that will be made.
    pub launch: Launch,
    /// The hash of the call; compared with the call that is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
}

/// A step whose parameters are not known yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// The id of the step.
    pub step: String,
    /// The kind of its work.
    pub kind: String,
    /// Hash of its template.
    pub template: Digest,
    /// The script or program it names, as it is now; a file that does not exist yet is not bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// The tools of which one is chosen, if it is such a choice; the first entry is the rule of the choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// One piece of evidence that is shown to those who decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The path, or the template it came from.
    pub title: String,
    /// The text itself, when it is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Hash of the content; none when the file could not be read.
    pub digest: Option<Digest>,
    /// Its length in bytes.
    pub bytes: u64,
    /// The reason why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A parameter as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormField {
    /// The name of the parameter.
    pub name: String,
    /// The JSON type of its value.
    pub kind: OutputType,
    /// True if an approval must have it.
    pub required: bool,
    /// A regular expression a text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The only values it may have; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The description that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value that it has now.
    pub value: Value,
}

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The id of the answer.
    pub decision: DecisionId,
    /// The person who answered.
    pub by: Actor,
    /// The answer: approve, reject or send back.
    pub verdict: Verdict,
    /// The reason that was given.
    pub reason: String,
    /// The hash of the ask that the person saw.
    pub ask: Digest,
    /// The time for which the ask was shown, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_for: Option<Span>,
    /// People who had delegated their answer to this person at that time: none of them answers as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acting_for: Vec<Actor>,
    /// True if the groups that count are self-declared: somebody other than root could write `people.toml`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_declared: bool,
    /// Values of the form that the person filled in with the answer; null is a field left empty on purpose.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

impl Vote {
    /// The person who answered, with the groups they could answer for.
    pub fn voter(&self) -> Actor {
        let groups = self.by.groups.iter().chain(self.acting_for.iter().flat_map(|actor| &actor.groups));
        Actor { groups: groups.cloned().collect(), ..self.by.clone() }
    }

    /// The name of who answered, with the groups where those are self-declared, and the touch of a security
    /// key: `ann (sre, self-declared)`, `bob (touched)`.
    pub fn who(&self) -> String {
        let groups = self.self_declared.then(|| format!("{}, self-declared", self.voter().groups.join(" ")));
        let touch = self.by.touch().map(|touch| touch.words().to_owned());
        let notes: Vec<String> = groups.into_iter().chain(touch).collect();
        if notes.is_empty() {
            self.by.name.clone()
        } else {
            format!("{} ({})", self.by.name, notes.join("; "))
        }
    }
}

/// The events of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GateEvent {
    /// People are asked. Also when the ask has changed: another epoch, and all votes are void.
    Asked {
        /// The ask that people see.
        ask: Arc<Ask>,
        /// The hash of the ask.
        hash: Digest,
        /// The reason why it is asked again; none the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody answered, and it counts.
    Voted(Box<Vote>),
    /// Somebody answered, and it does not count.
    Refused {
        /// The person who answered.
        by: Actor,
        /// The reason why it does not count.
        why: String,
    },
    /// Somebody withdrew their vote.
    Withdrawn {
        /// The person who withdrew it.
        by: Actor,
    },
    /// Somebody changed the parameters; an `Asked` follows.
    Edited {
        /// The person who changed them.
        by: Actor,
        /// The parameters after the change.
        values: ValueMap,
        /// The reason that was given.
        reason: String,
    },
    /// Somebody commented on the gate.
    Commented {
        /// The person who commented.
        by: Actor,
        /// The text of the comment.
        text: String,
    },
    /// Enough people have agreed; before the approval counts, the files that they were shown are looked at
    /// once more.
    Agreed {
        /// The decider, as in `Resolved`.
        by: String,
        /// The files that are evidence.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
        /// Argument lists of `hashFiles` that are evaluated again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patterns: Vec<Vec<String>>,
    },
    /// The gate is approved, and the approval can still be undone.
    Armed {
        /// The instant until which it can be undone.
        until: Timestamp,
    },
    /// Nobody has answered yet, and people were reminded.
    Reminded {
        /// The number of the reminder, from 1.
        count: u32,
    },
    /// People of this group may decide as well from now on.
    Escalated {
        /// The group that may decide as well.
        group: String,
    },
    /// Somebody delegated their own answer to somebody else.
    Delegated {
        /// The person who delegated it.
        by: Actor,
        /// The name of the person who may answer instead.
        to: String,
        /// The instant at which the delegation ends.
        until: Timestamp,
        /// The reason that was given.
        reason: String,
    },
    /// An emergency approval: one person approved in place of the quorum. Another person reviews it
    /// afterwards.
    GlassBroken(Box<Vote>),
    /// An override: somebody closed the gate by hand, with the approvals that its rule asks for. Somebody
    /// else reviews it afterwards.
    Overridden(Box<Vote>),
    /// Another person has reviewed an emergency approval or an override.
    GlassReviewed {
        /// The person who reviewed it.
        by: Actor,
        /// The finding of the review.
        reason: String,
        /// The epoch of the gate in which it was approved so. Absent in old logs: then it is the last one
        /// before the review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The gate is closed for good.
    Resolved {
        /// The final state of the gate.
        state: GateState,
        /// The decider: `people`, `policy:auto`, `timeout`, `break-glass`, `override`, `send-back`, `run`;
        /// `by-hand` in old logs.
        by: String,
        /// The parameters at that time.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        form: ValueMap,
    },
}

/// The events of the undo of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UndoEvent {
    /// The step is to be undone.
    Asked,
    /// The step was undone.
    Done {
        /// The person who undid it by hand, without running anything; none when a call did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// The undo has failed; a person is asked.
    Stuck {
        /// The error record of the failure.
        record: Box<ErrorRecord>,
    },
    /// The undo is to be tried again.
    Again {
        /// The person who asked for it.
        by: Actor,
    },
}

/// The events of the message bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BusEvent {
    /// A message was sent.
    Said {
        /// The message that was sent.
        message: Arc<Message>,
        /// The actor who sent it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A step received messages and went on.
    Taken {
        /// The step with its run: `r-1/go`.
        by: String,
        /// The ids of the messages.
        ids: Vec<String>,
        /// The project that the messages belong to; none for the workspace's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<String>,
    },
    /// The rules of these topics were declared; any message may be sent on other topics.
    Declared {
        /// The rules of all declared topics, by topic name.
        topics: BTreeMap<String, TopicRule>,
    },
    /// A message was rejected and sent to nobody.
    Rejected {
        /// The message, and the reason why it was rejected.
        letter: Box<DeadLetter>,
        /// The actor who sent it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
}

/// The events of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TokenEvent {
    /// A token was revoked.
    Revoked {
        /// The id of the token (`jti`).
        id: String,
        /// The subject that held the token.
        subject: String,
        /// The instant at which the token would have expired anyway, and is forgotten here.
        until: Timestamp,
        /// The reason that was given.
        reason: String,
        /// The actor who revoked it.
        by: Actor,
    },
}

/// The events of the people of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PeopleEvent {
    /// `people.toml` was read and has changed. Open gates that depend on it ask again.
    Changed {
        /// The people now, by principal, with name and groups; `policy` has the hash of the file, if it is
        /// self-declared, its signer, and if it asks for touched keys.
        people: Box<Membership>,
        /// The hash of the file before; none the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// Groups that somebody has gained or lost.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
}

/// The events of results and knowledge that agents leave for later ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LibraryEvent {
    /// An agent stored the result of its work.
    HandedIn {
        /// The result: `id`, `issue`, `agent`, `agent_type`, `status`, `digest`, `bytes`, and the content as
        /// `body` if it is small, else the `blob` under which it is kept.
        result: Box<AgentResult>,
        /// The instant until which it can be found.
        until: Timestamp,
        /// The actor who stored it.
        by: Actor,
    },
    /// An actor stored a piece of knowledge.
    Learned {
        /// The knowledge: `id`, `kind`, `text`, `agent`, and `agent_type`, `issue`, `metadata` if they were
        /// given.
        knowledge: Box<Knowledge>,
        /// The actor who stored it.
        by: Actor,
    },
}

/// The events of an agent that came by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AgentEvent {
    /// The agent has registered.
    Registered {
        /// The agent's description of itself: `name`, `agent_type`, `capabilities`, `max_concurrent`,
        /// `heartbeat`, `metadata`.
        agent: Box<Registration>,
        /// The actor who registered it.
        by: Actor,
    },
    /// The agent sent a heartbeat; more than a few in one interval are not written down.
    Seen {
        /// The agent: `project`, absent for the workspace's own, and `name`.
        agent: AgentKey,
    },
    /// The agent sent no heartbeat for three intervals.
    Lost {
        /// The agent that is lost.
        agent: AgentKey,
    },
    /// The agent left, or was sent away.
    Left {
        /// The agent that left.
        agent: AgentKey,
        /// The reason that was given.
        reason: String,
        /// The actor who asked for it.
        by: Actor,
    },
    /// The agent has claimed a piece of work: the call of a step.
    Leased {
        /// The lease: `attempt`, `agent`, `claim`, `lasts`, `since`, `until`, `deadline`.
        lease: Box<Lease>,
    },
    /// The agent works on, and its lease is longer.
    Renewed {
        /// The call it works on.
        attempt: AttemptId,
        /// The instant until which the call is the agent's now.
        until: Timestamp,
        /// The agent's note on its progress.
        note: Option<String>,
    },
}

impl AgentEvent {
    /// The call that it is about.
    pub const fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::Leased { lease } => Some(lease.attempt),
            Self::Renewed { attempt, .. } => Some(*attempt),
            Self::Registered { .. } | Self::Seen { .. } | Self::Lost { .. } | Self::Left { .. } => None,
        }
    }

    /// The run that it is about.
    pub const fn run(&self) -> Option<RunId> {
        match self.attempt() {
            Some(attempt) => Some(attempt.run),
            None => None,
        }
    }
}

/// The events of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScopeEvent {
    /// A value was set.
    Set {
        /// The scope that was written.
        scope: Scope,
        /// The owner of the value: a run, an actor's principal, or empty for the workspace.
        owner: String,
        /// The key of the value.
        key: String,
        /// The value that was set.
        value: Value,
        /// The instant at which the value expires.
        expires_at: Option<Timestamp>,
        /// The actor who set it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A value was removed by a person.
    Removed {
        /// The scope that was written.
        scope: Scope,
        /// The owner of the value: an actor's principal, or empty for the workspace.
        owner: String,
        /// The key of the value.
        key: String,
        /// The person who removed it.
        by: Actor,
    },
}

/// The events of the schedules of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScheduleEvent {
    /// The schedules were put on hold: they start no run until they are released.
    Held {
        /// The actor who asked for it.
        by: Actor,
        /// The reason that was given.
        reason: String,
    },
    /// The schedules were released: the next time starts a run.
    Released {
        /// The actor who asked for it.
        by: Actor,
    },
}

/// The events of results that may stand for steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CacheEvent {
    /// The result of a step was cached.
    Stored {
        /// The id of the result, made from its key and the step as it is written.
        id: Digest,
        /// The key of the result.
        key: String,
        /// The outputs of the step.
        outputs: ValueMap,
        /// The confidence in the result.
        confidence: Score,
        /// The run of the step.
        run: RunId,
        /// The id of the step.
        step: String,
        /// The instant at which the result expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A cached result stands for a step.
    Used {
        /// The id of the result.
        id: Digest,
        /// The key of the result.
        key: String,
        /// The run of the step that uses it.
        run: RunId,
        /// The step that uses it.
        step: StepIx,
    },
    /// An actor deleted cached results.
    Cleared {
        /// The key whose results were deleted; none means all keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The number of deleted results.
        count: u32,
        /// The actor who asked for it.
        by: Actor,
    },
    /// An actor cleared the workspace: no result is cached any more, and lists show no run that ended before.
    /// The log keeps all of it.
    Reset {
        /// The number of deleted results.
        count: u32,
        /// The reason that was given.
        reason: String,
        /// The actor who asked for it.
        by: Actor,
    },
}

/// The events of a target of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TargetEvent {
    /// The count of calls in a row that failed has changed; 0 after a success.
    Counted {
        /// The number of calls in a row that failed.
        failures: u32,
    },
    /// The circuit is open: calls are held back.
    Opened {
        /// The instant until which calls are held back.
        until: Timestamp,
        /// The reason why it opened.
        reason: String,
        /// The run whose call failed last.
        run: RunId,
        /// The step whose call failed last.
        step: StepIx,
    },
    /// The circuit is half open: one call at a time is made.
    HalfOpened,
    /// A trial call has succeeded, and more of them are needed.
    Succeeded {
        /// The number of trial calls in a row that succeeded.
        successes: u32,
    },
    /// A call took one of the tokens that its rate allows.
    Taken {
        /// The usage of the bucket so far.
        bucket: Bucket,
        /// The rate limit of the target.
        rate: RateRule,
    },
    /// The circuit is closed: calls are made as usual.
    Closed {
        /// The reason why it closed.
        reason: String,
    },
}

impl TargetEvent {
    /// The state of the breaker after this event; none when the event does not touch it.
    pub const fn circuit(&self) -> Option<Circuit> {
        Some(match self {
            Self::Counted { failures } => Circuit::Closed { failures: *failures },
            Self::Opened { until, .. } => Circuit::Open { until: *until },
            Self::HalfOpened => Circuit::HalfOpen { successes: 0 },
            Self::Succeeded { successes } => Circuit::HalfOpen { successes: *successes },
            Self::Closed { .. } => Circuit::Closed { failures: 0 },
            Self::Taken { .. } => return None,
        })
    }
}

/// The notes of people on a failure. It is the failure of a step, of the undo of a step, or, without a step,
/// of the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FailureEvent {
    /// A person has seen the failure and looks after it.
    Acknowledged {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The text of the note.
        #[serde(default)]
        reason: String,
    },
    /// A person has marked the failure as resolved.
    Resolved {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The change that resolved it.
        #[serde(default)]
        reason: String,
    },
    /// The note on the failure was withdrawn: the failure is open again.
    Reopened {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The reason that was given.
        #[serde(default)]
        reason: String,
    },
}

impl FailureEvent {
    /// The step whose failure it is.
    pub const fn step(&self) -> Option<StepIx> {
        match self {
            Self::Acknowledged { step, .. } | Self::Resolved { step, .. } | Self::Reopened { step, .. } => {
                *step
            }
        }
    }

    /// The step that failed, and true if it is the undo of the step that failed.
    pub const fn whose(&self) -> (Option<StepIx>, bool) {
        match self {
            Self::Acknowledged { step, of_undo, .. }
            | Self::Resolved { step, of_undo, .. }
            | Self::Reopened { step, of_undo, .. } => (*step, *of_undo),
        }
    }
}

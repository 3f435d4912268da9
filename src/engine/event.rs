//! All that can have happened. A stored contract: variants and fields are only added, each field with a default.
//!
//! An event carries all that its effect needs, so that what is to be done follows from the event alone.

use crate::{
    base::{
        AttemptId, Bucket, Circuit, DecisionId, Digest, Epoch, ErrorRecord, FailureMode, GateId, Launch,
        Message, NOT_BOUND, Program, RateRule, RunId, Score, Seq, Span, StepIx, Timestamp, Value, ValueMap,
    },
    engine::{
        Actor, AgentKey, AgentResult, DeadLetter, DoubtAnswer, GateState, Knowledge, Lease, Membership,
        PeoplePolicy, Registration, RetryFrom, RunState, TopicRule, Verdict,
    },
    plan::{Amounts, Currency, EffectClass, OnTimeout, OutputType, Plan, PlanStep, Quorum, Risk, Scope},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the engine decided it. Order is the sequence number, never this.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What happened, by noun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// To a run.
    Run(RunId, RunEvent),
    /// To a step.
    Step(RunId, StepIx, StepEvent),
    /// To a call of a step; counted from 1 in its step.
    Attempt(RunId, StepIx, u32, AttemptEvent),
    /// To a gate.
    Gate(RunId, StepIx, GateId, GateEvent),
    /// To the undo of a step.
    Undo(RunId, StepIx, UndoEvent),
    /// To a scope; the run whose step wrote it, or nothing when a person did.
    Scope(Option<RunId>, ScopeEvent),
    /// To a failure, by what people say of it.
    Failure(RunId, FailureEvent),
    /// To the schedules of a workflow, by its name.
    Schedule(String, ScheduleEvent),
    /// To a target of calls, by its name: a tool with its version.
    Target(String, TargetEvent),
    /// To the results that may stand for steps.
    Cache(CacheEvent),
    /// To what is said between steps, programs and people.
    Bus(BusEvent),
    /// To a token that somebody holds.
    Token(TokenEvent),
    /// To what agents leave for those who come after.
    Library(LibraryEvent),
    /// To the people of the workspace.
    People(PeopleEvent),
    /// To an agent that came by itself.
    Agent(AgentEvent),
    /// An engine took up this log.
    Recovered {
        /// How long nobody looked.
        away: Span,
        /// When it was taken from an engine that did not answer any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken: Option<Box<TakeOver>>,
    },
}

/// A workspace was taken from an engine that did not answer any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakeOver {
    /// Who took it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// The process that had it, where that is known.
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
            Self::Agent(it) => it.run(),
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
            Self::Failure(_, it) => it.step(),
            Self::Agent(it) => match it.attempt() {
                Some(it) => Some(it.step),
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

/// Where a run comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseOfLaunch {
    /// Somebody asked.
    Asked,
    /// A schedule named this instant.
    Schedule(Timestamp),
    /// Does again what did not succeed in another run; completed steps keep their results.
    Retry {
        /// The other run.
        of: RunId,
        /// Which steps are done again.
        from: RetryFrom,
        /// What is not as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Corrected>>,
    },
    /// Goes on from an instant of another run, beside it; what that had done by then keeps its results.
    Fork {
        /// The other run.
        of: RunId,
        /// The last event of it that counts.
        at: Seq,
        /// What is not as it was.
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

    /// What was corrected in it.
    pub fn corrected(&self) -> Option<&Corrected> {
        match self {
            Self::Retry { corrected, .. } | Self::Fork { corrected, .. } => corrected.as_deref(),
            Self::Asked | Self::Schedule(_) => None,
        }
    }
}

/// What a run has otherwise than the one it does again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Corrected {
    /// Its inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputChange>,
    /// Its steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepChange>,
    /// What its workflow says of a run as a whole, by the words of the file: `env`, `timeout` …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Hash of the text of the workflow, as it was.
    pub definition: Digest,
}

/// An input that is not as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputChange {
    /// Its name.
    pub name: String,
    /// What it was; nothing when there was none.
    #[serde(default)]
    pub before: Option<Value>,
    /// What it is; nothing when there is none.
    #[serde(default)]
    pub after: Option<Value>,
}

/// A step that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    /// Its id.
    pub id: String,
    /// How.
    pub how: Change,
}

/// How something is not as it was.
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

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunEvent {
    /// It was asked for, and its plan is fixed.
    Created {
        /// The plan, exactly.
        plan: Arc<Plan>,
        /// Its hash.
        plan_hash: Digest,
        /// Who asked.
        by: Actor,
        /// Of all chance in this run, in decimal digits (it does not fit a JSON number everywhere).
        seed: String,
        /// Where it comes from.
        cause: CauseOfLaunch,
        /// What it belongs to.
        trace: String,
        /// The hash of the request that it was made for, where that may be sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Digest>,
        /// The gates that have asked in the run that this one does again, by id, each with the people whom its `forbid`
        /// excluded there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        asked: BTreeMap<String, Vec<String>>,
        /// The gates among them that escalate, by id, each with the person or group that its ask named first.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        escalates: BTreeMap<String, String>,
    },
    /// Its place in the concurrency group is free; steps may start.
    Started,
    /// Starts nothing new.
    Paused {
        /// Who asked.
        by: Actor,
    },
    /// Goes on.
    Resumed {
        /// Who asked.
        by: Actor,
    },
    /// Is to end; what runs is being ended.
    Cancelling {
        /// Who asked.
        by: Actor,
        /// Why.
        reason: String,
        /// Whether what was done is undone.
        undo: bool,
    },
    /// Starts nothing new because a step failed or was rejected; `compensate` says whether undoing follows.
    Stopping {
        /// The step.
        because: StepIx,
        /// Whether it was a rejection.
        rejected: bool,
        /// Whether what was done is undone.
        compensate: bool,
    },
    /// Its time is up; what runs is being ended.
    TimedOut {
        /// The record of it.
        record: Box<ErrorRecord>,
    },
    /// Undoing begins.
    Compensating,
    /// 80 % of a budget is used.
    BudgetWarned {
        /// Used so far: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// Of so many.
        limit: u64,
        /// What is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; nothing when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// The ceiling was raised for this run.
    BudgetRaised {
        /// What may be used now: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// Who allowed it.
        by: Actor,
        /// What is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; nothing when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// Has come to rest.
    Ended {
        /// How.
        state: RunState,
        /// Its outputs.
        outputs: ValueMap,
        /// What is known when it did not complete.
        partial: Option<Box<PartialResult>>,
    },
}

/// What is known of a run that came to rest short of completed (O4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialResult {
    /// Steps that completed.
    pub completed: u32,
    /// Steps that failed.
    pub failed: u32,
    /// Steps that never ran.
    pub remaining: u32,
    /// Completed of all.
    pub completion_ratio: Score,
    /// Why, of the first failure.
    pub failure_mode: Option<FailureMode>,
    /// The step that failed first.
    pub failure_point: Option<String>,
    /// `manual`, `retry-failed`, `retry-from-checkpoint` or `retry-all`.
    pub suggestion: String,
    /// The step that completed last: its outputs are the last there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_done: Option<String>,
}

/// Why a step never ran, or ended early.
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
    /// A person said so.
    Person {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A failure that `on-error: skip` turned into this.
    Failed(Box<ErrorRecord>),
}

/// A call that a model asked for, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkCall {
    /// What the model calls the tool, at most its first characters.
    pub name: String,
    /// The step that makes the call; none when it is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepIx>,
    /// The gate before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<StepIx>,
    /// Why it is not made: what the model is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// A person, at this gate.
    Person(GateId),
    /// An instant.
    Time(Timestamp),
    /// The next attempt.
    BackOff {
        /// When.
        until: Timestamp,
        /// Which.
        next: u32,
    },
    /// What the world is asked for: files and their hashes.
    Facts,
    /// A target that takes no call now.
    Target {
        /// Its name.
        name: String,
        /// Why it takes none.
        hold: TargetHold,
        /// When it may take one, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// None of the candidates of a choice takes a call now.
    Candidates {
        /// The targets, each with why it takes none.
        names: Vec<(String, String)>,
        /// When one of them may take one, where that is known and nothing else tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// When the step fails because of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// An agent that comes for it by itself.
    Agent {
        /// Which: `agent:coder@1.0.0`.
        name: String,
        /// What that one can do: whoever can do all of it may come as well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        capabilities: Vec<String>,
        /// When the step fails because nobody has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// Messages.
    Message {
        /// What about.
        topic: String,
        /// What they must have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        filter: Vec<(String, Value)>,
        /// How many.
        count: u32,
        /// Until when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
}

/// Why a target takes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetHold {
    /// Its circuit is open: too many calls in a row have failed.
    Circuit,
    /// It is being tried by another call, after its circuit was open.
    Trial,
    /// Others have waited for it longer.
    Line,
    /// Calls come faster than it takes them.
    Rate,
    /// It takes no more calls on this day.
    Quota,
}

/// What happened to a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StepEvent {
    /// Could start, but no slot is free.
    Ready,
    /// Waits.
    Waiting {
        /// For what.
        reason: WaitReason,
    },
    /// Files have to be looked at before it can go on.
    FactsAsked {
        /// Files whose content is evidence.
        files: Vec<String>,
        /// Arguments of `hashFiles`.
        patterns: Vec<Vec<String>>,
        /// Calls whose files are to be hashed before people are asked.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        programs: Vec<Program>,
    },
    /// What was found.
    FactsKnown {
        /// All of it.
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
    /// A model has asked for tools, or what it asked for is done: the frame of its talk has more steps.
    Grown {
        /// What its last answer asked for, in its order; none when it is asked again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<TalkCall>,
        /// The steps of that, appended to the run's.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        copies: Vec<PlanStep>,
    },
    /// Done.
    Completed {
        /// Its outputs.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        outputs: ValueMap,
        /// How far the result can be trusted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confidence: Option<Score>,
        /// Only a part of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partial: bool,
        /// Which fallback did it, counted from 1; 0 is the step itself.
        #[serde(default, skip_serializing_if = "is_zero")]
        fallback: u32,
        /// Kept from the run this one retries.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
        /// Of a gate: the calls that were approved, and the hash of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released: Vec<(StepIx, Digest)>,
        /// Of a gate: the fallbacks of those calls that were approved, by number, and the hash of each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        released_fallbacks: Vec<(StepIx, u32, Digest)>,
        /// Of a gate that showed files of calls: the later steps that are bound to them. Absent in logs of earlier versions,
        /// which read it from the words of the calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        released_later: Option<Vec<StepIx>>,
        /// Where a result comes from that was taken over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<Box<Origin>>,
        /// Of a gate whose approval is kept from another run: the files it was given for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Box<Facts>>,
        /// An earlier result stands for it, and nothing was called: that of which step, when, and by which key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached: Option<Box<CachedFrom>>,
        /// Of a call of a tool that was kept from another run: what it was given there, for whoever takes it back here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        given: Option<Box<ValueMap>>,
    },
    /// What was approved has changed before it ran: the gate asks again, and what it had released waits for it.
    Reopened {
        /// What has changed.
        why: String,
        /// The gates that this step waits for once more; empty for the gate itself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gates: Vec<StepIx>,
    },
    /// One of several ways to do it was chosen.
    Routed {
        /// Which, and why.
        choice: Box<Choice>,
    },
    /// Starts again, as if it had never run: a gate was sent back to it, or to a step before it.
    SentBack,
    /// Completed by a person.
    DoneByHand {
        /// Who.
        by: Actor,
        /// What it yields.
        outputs: ValueMap,
        /// How this is known.
        reason: String,
    },
    /// Not done, and not tried again.
    Failed {
        /// Why.
        record: Box<ErrorRecord>,
    },
    /// Refused at its gate, or nobody came.
    Rejected {
        /// Whether nobody came.
        expired: bool,
    },
    /// Never ran.
    Skipped {
        /// Why.
        why: Why,
    },
    /// Ended early.
    Cancelled {
        /// Why.
        why: Why,
    },
    /// Is being ended, for what it will then rest as: its call has to come to its end first, or, of a frame, all in it.
    Ending {
        /// Why.
        why: Why,
    },
    /// May have happened; a person is asked.
    InDoubt {
        /// What is known.
        evidence: String,
    },
    /// A person said what became of it.
    DoubtAnswered {
        /// Who.
        by: Actor,
        /// What became of it.
        answer: DoubtAnswer,
        /// How this is known.
        reason: String,
    },
}

/// A decision of the engine between several ways to do a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// By which rule: `fallback`, or a policy: `learned`.
    pub policy: String,
    /// What was chosen.
    pub chosen: String,
    /// Why; never empty.
    pub reason: String,
    /// What else there was, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
    /// How sure it is.
    pub confidence: Score,
}

/// What was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// What.
    pub name: String,
    /// How good it would have been.
    pub score: Score,
    /// Why it was passed over.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The earlier result that stands for a step. Its run stands in the origin beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedFrom {
    /// The key.
    pub key: String,
    /// The id of the step that brought it about.
    pub step: String,
    /// When.
    pub at: Timestamp,
}

/// Where a result comes from: the run that brought it about, and the person who gave it by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// Who completed the step by hand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// How they knew.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The step itself.
    Step,
    /// Its fallback, counted from 1.
    Fallback(u32),
    /// Taking it back.
    Undo,
    /// Asking whether it happened.
    Check,
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AttemptEvent {
    /// It is to be made; this is the intent, durable before anything happens.
    Started {
        /// What it is for.
        purpose: Purpose,
        /// What is called, resolved.
        launch: Box<Launch>,
        /// Hash of that.
        launch_hash: Digest,
        /// The same for all attempts of one effect.
        effect_key: Digest,
        /// What a crash means.
        class: EffectClass,
        /// What it is charged with until it says what it used.
        #[serde(default, skip_serializing_if = "Amounts::is_nothing")]
        charge: Amounts,
        /// Files as they were when this was approved: looked at once more before it begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Box<Facts>>,
        /// The key under which its result is kept for other steps, as it is now: what the key names may have changed by its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_key: Option<String>,
    },
    /// It has ended.
    Ended {
        /// How.
        outcome: Box<Outcome>,
        /// When it is tried again, if it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// Nobody knows how it ended: the process that made it died.
    Lost {
        /// What is known.
        evidence: String,
    },
    /// It went on without the engine that had started it (`on-console-death: keep`), and the next one has found it.
    Adopted {
        /// What it is for.
        purpose: Purpose,
        /// How it was found.
        how: Adoption,
        /// Whether it is to be ended: that was asked for, and may not have been heard.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ends: bool,
    },
}

/// How a call was found that went on without its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    /// It still runs under its guard; its end will be told.
    Attached,
    /// It had ended, and its guard had kept a record of how.
    Recorded,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Nothing when it succeeded.
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
    /// How long it ran.
    pub ran_for: Span,
    /// Files kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<FileFact>,
    /// What it says it used; nothing when it is silent, and then it stays as charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Amounts>,
    /// It failed, and nobody can tell whether it had its effect: it was sent, and no answer came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_happened: bool,
    /// How long the other side asks us to wait before the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// What is no longer as it was approved; then nothing was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// Something that is not as it was when people approved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The file, or `hashFiles(…)`.
    pub what: String,
    /// Its hash when it was approved, or why there was none.
    pub before: String,
    /// Its hash now, or why there is none.
    pub now: String,
}

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of it.
    pub mode: FailureMode,
    /// What happened, in a sentence.
    pub message: String,
    /// The end of what it wrote; foreign text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// It certainly did not start: the attempt does not count.
    #[serde(default)]
    pub not_started: bool,
}

/// What the world was asked for.
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
    /// What calls execute, and the files that is: the program, and the script it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<(Program, Vec<FileFact>)>,
}

/// A file that was looked at or kept; its content is a blob under its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFact {
    /// As it was named.
    pub path: String,
    /// Hash of its bytes; nothing when it could not be read.
    pub digest: Option<Digest>,
    /// Its length.
    pub bytes: u64,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl FileFact {
    /// True for a file that an approval is bound to; false for data that a call only names.
    pub fn is_bound(&self) -> bool {
        self.problem.as_ref().is_none_or(|it| !it.starts_with(NOT_BOUND))
    }
}

/// What people are asked: made by the engine, never by an agent, and hashed as canonical JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The run.
    pub run: RunId,
    /// The gate.
    pub gate: GateId,
    /// How often it was asked again.
    pub epoch: Epoch,
    /// The step's id.
    pub step: String,
    /// The workflow's name.
    pub workflow: String,
    /// Hash of the plan.
    pub plan: Digest,
    /// Hash of the workflow's text.
    pub definition: Digest,
    /// The question.
    pub prompt: String,
    /// The requester's own words; nothing checks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// How bad it is.
    pub risk: Risk,
    /// What is called first when it is approved, resolved.
    pub will_run: Vec<WillRun>,
    /// Where that is more than can be shown: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<AllCalls>,
    /// Steps after that whose parameters are not known yet.
    pub later: Vec<Later>,
    /// The captured workspace from which the steps behind the gate run: first its hash, then what is left out of it.
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
    /// What is shown.
    pub evidence: Vec<Evidence>,
    /// Parameters, as they are now.
    pub form: Vec<FormField>,
    /// Who has to agree.
    pub require: Vec<Quorum>,
    /// Principals that do not count, and why.
    pub excluded: Vec<(String, String)>,
    /// The people.toml by which answers are judged, where they depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PeoplePolicy>,
    /// Who asked for the run.
    pub requester: String,
    /// When it was opened first.
    pub opened_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// What happens then.
    pub on_timeout: OnTimeout,
    /// Whether an approval needs a reason.
    pub reason_required: bool,
    /// Whether an approval is signed with a security key that was touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub touch: bool,
    /// How long an approval can be taken back.
    pub undo_window: Span,
    /// The step from which all is done again when the ask is sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_back: Option<String>,
    /// Whether what is chosen in the form is the answer: then who chooses counts.
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
    /// How many are called first.
    pub will_run: u64,
    /// How many are decided later.
    pub later: u64,
    /// Hash over every one: its step, and the hash of its call or of its template.
    pub digest: Digest,
}

/// One call that an approval releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillRun {
    /// The step's id.
    pub step: String,
    /// What is called.
    pub launch: Launch,
    /// Hash of that; compared with what is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// What a crash would mean.
    pub effect: EffectClass,
    /// `yes`, `no` (said to be impossible) or `unset`.
    pub undo: String,
    /// What is called in its place when it has failed, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<WillFallBack>,
    /// Where one of several is chosen when the step begins: how, and of how many.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
}

/// A call that takes the place of one that has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillFallBack {
    /// Which, counted from 1.
    pub number: u32,
    /// What is called.
    pub launch: Launch,
    /// Hash of that; compared with what is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
}

/// A step whose parameters are not known yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// The step's id.
    pub step: String,
    /// What kind of work.
    pub kind: String,
    /// Hash of its template.
    pub template: Digest,
    /// The script or program it names, as it is now; one that is not there yet is not bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// The tools of which one is chosen, when it is such a choice; how is the first word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

/// One thing that is shown to those who decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The path, or the template it came from.
    pub title: String,
    /// The text itself, when it is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Hash of the content; nothing when the file could not be read.
    pub digest: Option<Digest>,
    /// Its length.
    pub bytes: u64,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A parameter as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// Its JSON type.
    pub kind: OutputType,
    /// Whether it must be there to approve.
    pub required: bool,
    /// A regular expression a text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The only values it may have; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is now.
    pub value: Value,
}

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Its id.
    pub decision: DecisionId,
    /// Who.
    pub by: Actor,
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The ask that was seen.
    pub ask: Digest,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_for: Option<Span>,
    /// Those who had handed their answer to this person at that time: none of them answers as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acting_for: Vec<Actor>,
    /// The groups that count are self-declared: somebody other than root could write `people.toml`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_declared: bool,
    /// Values of the form that the person filled in with the answer; null is a field left empty on purpose.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

impl Vote {
    /// The person who answered, with the groups they could answer for.
    pub fn voter(&self) -> Actor {
        let groups = self.by.groups.iter().chain(self.acting_for.iter().flat_map(|it| &it.groups));
        Actor { groups: groups.cloned().collect(), ..self.by.clone() }
    }

    /// The name of who answered, with the groups where those are self-declared, and the touch of a security key:
    /// `ann (sre, self-declared)`, `bob (touched)`.
    pub fn who(&self) -> String {
        let groups = self.self_declared.then(|| format!("{}, self-declared", self.voter().groups.join(" ")));
        let touch = self.by.touch().map(|it| it.words().to_owned());
        let notes: Vec<String> = groups.into_iter().chain(touch).collect();
        if notes.is_empty() {
            self.by.name.clone()
        } else {
            format!("{} ({})", self.by.name, notes.join("; "))
        }
    }
}

/// What happened to a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GateEvent {
    /// People are asked. Also when the ask has changed: another epoch, and all votes are void.
    Asked {
        /// What.
        ask: Arc<Ask>,
        /// Hash of it.
        hash: Digest,
        /// Why it is asked again; nothing the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody answered, and it counts.
    Voted(Box<Vote>),
    /// Somebody answered, and it does not count.
    Refused {
        /// Who.
        by: Actor,
        /// Why not.
        why: String,
    },
    /// Somebody took their vote back.
    Withdrawn {
        /// Who.
        by: Actor,
    },
    /// Somebody changed the parameters; an `Asked` follows.
    Edited {
        /// Who.
        by: Actor,
        /// The parameters now.
        values: ValueMap,
        /// Why.
        reason: String,
    },
    /// Somebody said something.
    Commented {
        /// Who.
        by: Actor,
        /// What.
        text: String,
    },
    /// Enough have agreed; before that counts, the files that they were shown are looked at once more.
    Agreed {
        /// Who decided, as in `Resolved`.
        by: String,
        /// The files that are evidence.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
        /// Arguments of `hashFiles`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patterns: Vec<Vec<String>>,
    },
    /// Approved, but can be taken back until then.
    Armed {
        /// Until when.
        until: Timestamp,
    },
    /// Nobody has answered for so long.
    Reminded {
        /// Which reminder, from 1.
        count: u32,
    },
    /// People of this group may decide as well from now on.
    Escalated {
        /// The group.
        group: String,
    },
    /// Somebody handed their own answer to somebody else.
    Delegated {
        /// Who.
        by: Actor,
        /// The name of who may answer instead.
        to: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// An emergency approval: one person approved in place of the quorum. Another person reviews it afterwards.
    GlassBroken(Box<Vote>),
    /// An override: somebody closed the gate by hand, with the approvals that its rule asks for. Somebody else reviews
    /// it afterwards.
    Overridden(Box<Vote>),
    /// Another person has reviewed an emergency approval or an override.
    GlassReviewed {
        /// Who.
        by: Actor,
        /// What they found.
        reason: String,
        /// In which epoch of the gate that was; nothing in logs of old, where it was the last one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// Closed for good.
    Resolved {
        /// How.
        state: GateState,
        /// `people`, `policy:auto`, `timeout`, `break-glass`, `override`, `send-back`, `run`; `by-hand` in old logs.
        by: String,
        /// The parameters at that time.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        form: ValueMap,
    },
}

/// What happened to the undo of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UndoEvent {
    /// It is to be taken back.
    Asked,
    /// It was taken back.
    Done {
        /// By a person, without running anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// It could not be taken back; a person is asked.
    Stuck {
        /// Why.
        record: Box<ErrorRecord>,
    },
    /// It is to be tried again.
    Again {
        /// Who said so.
        by: Actor,
    },
}

/// What happened on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BusEvent {
    /// Something was said.
    Said {
        /// The message.
        message: Arc<Message>,
        /// Who, when it was a person and not a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A step went on with it.
    Taken {
        /// The step with its run: `r-1/go`.
        by: String,
        /// The messages.
        ids: Vec<String>,
        /// The project whose they are, where that is not the workspace's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<String>,
    },
    /// What is said about these topics has to be so; about all others anything may be said.
    Declared {
        /// By name, all of them.
        topics: BTreeMap<String, TopicRule>,
    },
    /// Something was no good and was said to nobody.
    Rejected {
        /// What, and why.
        letter: Box<DeadLetter>,
        /// Who, when it was not a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
}

/// What happened to a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TokenEvent {
    /// It is good no longer.
    Revoked {
        /// Its id (`jti`).
        id: String,
        /// Whose it was.
        subject: String,
        /// After this it would not be good any more anyway, and is forgotten here.
        until: Timestamp,
        /// Why.
        reason: String,
        /// Who.
        by: Actor,
    },
}

/// What happened to the people of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PeopleEvent {
    /// `people.toml` was read, and is not as it was. Open gates that depend on it ask again.
    Changed {
        /// The people now, by principal, with name and groups; `policy` has the hash of the file, whether it is self-declared,
        /// who has signed it, and whether it asks for touched keys.
        people: Box<Membership>,
        /// The hash of the file before; nothing the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// Groups that somebody has gained or lost.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
}

/// What was left for those who come after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LibraryEvent {
    /// An agent handed in what came of its work.
    HandedIn {
        /// What: `id`, `issue`, `agent`, `agent_type`, `status`, `digest`, `bytes`, and what it says as `body` where it is small, else `blob`, by which it is kept.
        result: Box<AgentResult>,
        /// How long it can be found.
        until: Timestamp,
        /// Who.
        by: Actor,
    },
    /// Somebody left what they know.
    Learned {
        /// What: `id`, `kind`, `text`, `agent`, and `agent_type`, `issue`, `metadata` where they were said.
        knowledge: Box<Knowledge>,
        /// Who.
        by: Actor,
    },
}

/// What happened to an agent that came by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AgentEvent {
    /// It is there.
    Registered {
        /// What it says of itself: `name`, `agent_type`, `capabilities`, `max_concurrent`, `heartbeat`, `metadata`.
        agent: Box<Registration>,
        /// Who.
        by: Actor,
    },
    /// It gave a sign of life; more than a few in one interval are not written down.
    Seen {
        /// Which: `project` where that is not the workspace's own, `name`.
        agent: AgentKey,
    },
    /// It gave none for three intervals.
    Lost {
        /// Which.
        agent: AgentKey,
    },
    /// It went, or was sent away.
    Left {
        /// Which.
        agent: AgentKey,
        /// Why.
        reason: String,
        /// Who said so.
        by: Actor,
    },
    /// It has taken a piece of work: the call of a step.
    Leased {
        /// What: `attempt`, `agent`, `claim`, `lasts`, `since`, `until`, `deadline`.
        lease: Box<Lease>,
    },
    /// It works on, and has it longer.
    Renewed {
        /// On which call.
        attempt: AttemptId,
        /// Until when it is its now.
        until: Timestamp,
        /// What it says of how far it is.
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
            Some(it) => Some(it.run),
            None => None,
        }
    }
}

/// What happened to a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScopeEvent {
    /// A value was set.
    Set {
        /// Which scope.
        scope: Scope,
        /// Whose: a run, an actor's principal, or empty for the workspace.
        owner: String,
        /// The key.
        key: String,
        /// The value.
        value: Value,
        /// Until when it stands.
        expires_at: Option<Timestamp>,
        /// Who, when it was a person and not a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A value was taken away by a person.
    Removed {
        /// Which scope.
        scope: Scope,
        /// Whose: an actor's principal, or empty for the workspace.
        owner: String,
        /// The key.
        key: String,
        /// Who.
        by: Actor,
    },
}

/// What people say of the schedules of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScheduleEvent {
    /// Time starts it no more, until it is released.
    Held {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// It starts at its next time.
    Released {
        /// Who.
        by: Actor,
    },
}

/// What happened to results that may stand for steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CacheEvent {
    /// The result of a step is kept.
    Stored {
        /// What tells it from every other: its key, and the step as it is written.
        id: Digest,
        /// The key.
        key: String,
        /// What the step yielded.
        outputs: ValueMap,
        /// How far it can be trusted.
        confidence: Score,
        /// The run.
        run: RunId,
        /// The step's id.
        step: String,
        /// Until when it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// It stands for a step.
    Used {
        /// Which result.
        id: Digest,
        /// Its key.
        key: String,
        /// The run.
        run: RunId,
        /// The step.
        step: StepIx,
    },
    /// Somebody threw results away.
    Cleared {
        /// Those of this key; nothing means all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// How many.
        count: u32,
        /// Who.
        by: Actor,
    },
    /// Somebody has cleared the workspace: no result is kept any more, and lists show no run that rested until now. The log
    /// keeps all of it.
    Reset {
        /// How many results.
        count: u32,
        /// Why.
        reason: String,
        /// Who.
        by: Actor,
    },
}

/// What happened to a target of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TargetEvent {
    /// So many calls in a row have failed; none after a success.
    Counted {
        /// How many.
        failures: u32,
    },
    /// Its circuit is open: calls are held back.
    Opened {
        /// Until then.
        until: Timestamp,
        /// Why.
        reason: String,
        /// The run whose call failed last.
        run: RunId,
        /// The step.
        step: StepIx,
    },
    /// Enough time has passed: one call at a time is made.
    HalfOpened,
    /// Such a call has succeeded, and more of them are wanted.
    Succeeded {
        /// How many have, in a row.
        successes: u32,
    },
    /// A call took one of the tokens that its rate allows.
    Taken {
        /// What was taken by now.
        bucket: Bucket,
        /// How many calls it takes.
        rate: RateRule,
    },
    /// Its circuit is closed: calls are made as usual.
    Closed {
        /// Why.
        reason: String,
    },
}

impl TargetEvent {
    /// Where its breaker is after this; nothing when it says nothing of it.
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

/// What people say of a failure. It is that of a step, of the undo of a step, or, without a step, of the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FailureEvent {
    /// Somebody has seen it and looks after it.
    Acknowledged {
        /// The step; nothing when it is the run that failed.
        #[serde(default)]
        step: Option<StepIx>,
        /// Whether it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// Who.
        by: Actor,
        /// What they said.
        #[serde(default)]
        reason: String,
    },
    /// Somebody says that it is mended.
    Resolved {
        /// The step; nothing when it is the run that failed.
        #[serde(default)]
        step: Option<StepIx>,
        /// Whether it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// Who.
        by: Actor,
        /// What mended it.
        #[serde(default)]
        reason: String,
    },
    /// What was said of it was taken back: it stands again.
    Reopened {
        /// The step; nothing when it is the run that failed.
        #[serde(default)]
        step: Option<StepIx>,
        /// Whether it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// Who.
        by: Actor,
        /// Why.
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

    /// Whose failure: the step, and whether it is of its undo.
    pub const fn whose(&self) -> (Option<StepIx>, bool) {
        match self {
            Self::Acknowledged { step, of_undo, .. }
            | Self::Resolved { step, of_undo, .. }
            | Self::Reopened { step, of_undo, .. } => (*step, *of_undo),
        }
    }
}

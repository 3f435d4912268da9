//! All that can be asked of the engine. A command asks; whether it happens is decided in `handle`.

use crate::{
    base::{AttemptId, DecisionId, Digest, Epoch, GateId, RunId, Seq, Span, StepIx, ValueMap},
    engine::{
        Actor, AgentAsk, AgentResult, CauseOfLaunch, Channel, DeadLetter, Event, Knowledge, Membership,
        MessageProof, NewMessage, NewValue, Outcome, TakeOver, TokenName, TopicRule, event::Facts,
    },
    plan::Plan,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a run of a plan.
    Launch(Box<Launching>),
    /// Starts nothing new in this run.
    Pause {
        /// The run.
        run: RunId,
        /// Who asks.
        by: Actor,
    },
    /// Goes on.
    Resume {
        /// The run.
        run: RunId,
        /// Who asks.
        by: Actor,
    },
    /// Ends the run; what runs is ended too.
    Cancel {
        /// The run.
        run: RunId,
        /// Who asks.
        by: Actor,
        /// Why.
        reason: String,
        /// Whether what was done is undone.
        undo: bool,
    },
    /// A person's answer at a gate.
    Decide(Box<Decision>),
    /// Takes one's own vote back while the gate is open or armed.
    Withdraw {
        /// The gate.
        gate: GateId,
        /// Who asks.
        by: Actor,
    },
    /// Changes the parameters of a gate's form; makes a new ask.
    EditForm {
        /// The gate.
        gate: GateId,
        /// The epoch that was seen.
        epoch: Epoch,
        /// The whole form as it should be.
        values: ValueMap,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// A remark at a gate, for all who look at it.
    Comment {
        /// The gate.
        gate: GateId,
        /// What is said.
        text: String,
        /// Who says it.
        by: Actor,
    },
    /// Hands one's own answer at a gate to somebody else, for a while.
    Delegate {
        /// The gate.
        gate: GateId,
        /// The name of who may answer instead.
        to: String,
        /// For how long; some hours when nothing is said.
        lasts: Option<Span>,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Says what a look at an approval that was given alone, in an emergency, has found.
    ReviewGlass {
        /// The run, which may have come to rest.
        run: RunId,
        /// The gate.
        gate: GateId,
        /// In which epoch it was approved so; it may have asked anew since.
        epoch: Epoch,
        /// What was found.
        reason: String,
        /// Who looked: somebody else than who approved.
        by: Actor,
    },
    /// Says what became of a step that may have happened.
    AnswerDoubt {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIx,
        /// What became of it.
        answer: DoubtAnswer,
        /// How this is known.
        reason: String,
        /// Who says it.
        by: Actor,
    },
    /// Makes a linked run that does again what did not succeed.
    Retry {
        /// A run at rest.
        run: RunId,
        /// Which steps are done again.
        from: RetryFrom,
        /// Who asks.
        by: Actor,
        /// What is corrected first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Correction>>,
    },
    /// Makes a new run from an instant of another one: what was done by then is taken over, all else is done anew.
    Fork {
        /// The other run; it goes on, or rests, as if nothing were.
        run: RunId,
        /// From where.
        at: ForkAt,
        /// Who asks.
        by: Actor,
        /// What is corrected first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Correction>>,
        /// What had happened by then; read by the owner of the workspace, never taken from a seat.
        #[serde(skip)]
        past: Option<Past>,
    },
    /// Gives up a step that has not come to rest; its dependents see it as skipped.
    Skip {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIx,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Completes a failed or waiting step by hand.
    Done {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIx,
        /// Its outputs.
        outputs: ValueMap,
        /// How this is known.
        reason: String,
        /// Who says it.
        by: Actor,
    },
    /// Undoes what a run at rest has done.
    Undo {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Tries a stuck undo again, or gives it up.
    SettleUndo {
        /// The run.
        run: RunId,
        /// The step whose undo is stuck.
        step: StepIx,
        /// Whether it is tried again; else it counts as done by hand.
        again: bool,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Has time start nothing of a workflow any more.
    HoldSchedule {
        /// The name of the workflow.
        workflow: String,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Lets a workflow start at its times again, from the next one on.
    ReleaseSchedule {
        /// The name of the workflow.
        workflow: String,
        /// Who asks.
        by: Actor,
    },
    /// Says something of a failure that stands: seen, mended, or not after all.
    NoteFailure {
        /// The run.
        run: RunId,
        /// The step; nothing when it is the run that failed.
        step: Option<StepIx>,
        /// Whether it is the undo of the step that failed.
        of_undo: bool,
        /// What is said.
        note: FailureNote,
        /// More about it; may be empty.
        reason: String,
        /// Who says it.
        by: Actor,
    },
    /// Sets a value of the session or the workspace, or takes it away.
    SetValue {
        /// What it is to be.
        value: Box<NewValue>,
        /// Who asks.
        by: Actor,
    },
    /// Says something to the steps that wait for it.
    Publish {
        /// What.
        message: Box<NewMessage>,
        /// Who says it.
        by: Actor,
    },
    /// Says which topics there are and what has to be so about them. From the loud half.
    DeclareTopics {
        /// By name, all of them.
        topics: BTreeMap<String, TopicRule>,
    },
    /// Says who is who, as `people.toml` has it now. From the loud half.
    DeclarePeople {
        /// All of them.
        people: Box<Membership>,
    },
    /// Puts on record what was no good. From the loop, when it has refused it.
    NoteRejected {
        /// What, and why.
        letter: Box<DeadLetter>,
        /// Who wanted to say it.
        by: Actor,
    },
    /// Takes a token back before its time.
    RevokeToken {
        /// Which.
        token: TokenName,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// Hands in what came of the work of an agent.
    HandIn {
        /// What.
        result: Box<AgentResult>,
        /// How long it can be found; 30 days when nothing is said.
        #[serde(default)]
        kept_for: Option<Span>,
        /// Who hands it in.
        by: Actor,
    },
    /// What an agent that came by itself asks: to be there, to be given work, to hand it back.
    Agent {
        /// What.
        ask: Box<AgentAsk>,
        /// Who asks.
        by: Actor,
    },
    /// Leaves what somebody knows for those who come after.
    Learn {
        /// What.
        knowledge: Box<Knowledge>,
        /// Who leaves it.
        by: Actor,
    },
    /// Throws results away that may stand for steps.
    ClearCache {
        /// Those of this key; nothing means all.
        key: Option<String>,
        /// Who asks.
        by: Actor,
    },
    /// Throws all results away that may stand for steps, and clears the lists of what has come to rest.
    Reset {
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
    },
    /// A call has ended. From the loud half.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// How.
        outcome: Box<Outcome>,
    },
    /// Nobody will ever know how a call ended. From the loud half.
    AttemptLost {
        /// Which.
        attempt: AttemptId,
        /// What is known.
        evidence: String,
    },
    /// What a step asked of the world. From the loud half.
    FactsFetched {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIx,
        /// What was found.
        facts: Facts,
    },
    /// A deadline has passed. From the loud half.
    Wake,
    /// The engine did not run for a while, or the clock was set forward: nobody could answer then. From the loud half.
    Stalled,
    /// The engine has just been started on this log: what was in flight is judged. From the loud half.
    Recover {
        /// How long nobody looked.
        away: Span,
        /// What was found out about calls in flight; of all others nothing is known.
        found: Vec<(AttemptId, Found)>,
        /// When the log was taken from an engine that did not answer any more.
        taken: Option<Box<TakeOver>>,
    },
    /// A request was refused at the door and must be on record.
    NoteRefusal {
        /// The gate it was about.
        gate: GateId,
        /// Who asked.
        by: Actor,
        /// Why not.
        why: String,
    },
}

/// A run to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launching {
    /// What will be done.
    pub plan: Plan,
    /// Who asks.
    pub by: Actor,
    /// Of all chance in this run.
    pub seed: u64,
    /// Where it comes from.
    pub cause: CauseOfLaunch,
    /// Ties everything together that belongs to one piece of work, across runs.
    pub trace: String,
    /// The hash of the request that asks for it, where that may be sent again: for a day it makes no second run.
    #[serde(default)]
    pub request: Option<Digest>,
}

/// A person's answer at a gate, with all that makes it valid for this ask and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Chosen by the seat; the same id again gets the same answer.
    pub id: DecisionId,
    /// The gate.
    pub gate: GateId,
    /// The epoch that was seen.
    pub epoch: Epoch,
    /// The hash of the ask that was seen.
    pub ask: Digest,
    /// The answer.
    pub verdict: Verdict,
    /// Why; a rejection always has one.
    pub reason: String,
    /// Who says it.
    pub by: Actor,
    /// For how long the ask was on the screen, where that is known.
    pub shown_for: Option<Span>,
    /// Whether this one approval is to stand for all that are wanted, in an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// An override: closes the gate by hand, like an approval by the same people, and is reviewed by somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// Values of the ask's form, filled in by the person who approves; null leaves an optional field empty.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

/// What a person can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Verdict {
    Approve,
    Reject,
    SendBack,
}

impl Verdict {
    /// The word for it, which is also that of the command.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::SendBack => "send-back",
        }
    }
}

/// What became of a step that may have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtAnswer {
    /// It did, with these outputs.
    Happened(ValueMap),
    /// It did not; the attempt is given back.
    NotHappened,
    /// Whatever it did, it counts as failed.
    Abort,
}

/// What a person can say of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureNote {
    /// I have seen it and look after it.
    Acknowledge,
    /// It is mended.
    Resolve,
    /// Neither, after all.
    Reopen,
}

impl FailureNote {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
        }
    }
}

/// Which steps a retry does again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryFrom {
    /// Those that failed, and what did not run because of them.
    Failed,
    /// Those that failed and everything that completed after the last step all others depend on.
    Checkpoint,
    /// All.
    All,
}

impl RetryFrom {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Failed, Self::Checkpoint, Self::All];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Checkpoint => "checkpoint",
            Self::All => "all",
        }
    }
}

/// What is corrected before a run is done again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The file its steps are read from as they are now; nothing means that they stay as they were.
    #[serde(default)]
    pub file: Option<String>,
    /// Inputs as they were typed; those that are not named stay as they were.
    #[serde(default)]
    pub words: Vec<(String, String)>,
    /// What will be done; made of the above by the owner of the workspace, never taken from a seat.
    #[serde(skip)]
    pub plan: Option<Box<Plan>>,
}

/// What whoever takes up a log has found out about a call in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It still runs, and its end will be told.
    Running,
    /// It ended while nobody listened.
    Ended(Box<Outcome>),
    /// It certainly never ran.
    NotStarted,
    /// Nobody will ever know how it ended; what is known.
    Unknown(String),
}

/// From where a run is forked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForkAt {
    /// After this event of the log.
    Seq(Seq),
    /// Before the step with this id began.
    Step(String),
}

/// The past of a run, up to an event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The last of its events that counts.
    pub seq: Seq,
    /// Its events, from the first on.
    pub events: Arc<Vec<Event>>,
}

impl Command {
    /// Who asks, where a person does.
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Launch(it) => Some(&it.by),
            Self::Decide(it) => Some(&it.by),
            Self::Pause { by, .. }
            | Self::Resume { by, .. }
            | Self::Cancel { by, .. }
            | Self::Withdraw { by, .. }
            | Self::EditForm { by, .. }
            | Self::Comment { by, .. }
            | Self::Delegate { by, .. }
            | Self::ReviewGlass { by, .. }
            | Self::AnswerDoubt { by, .. }
            | Self::Retry { by, .. }
            | Self::Fork { by, .. }
            | Self::Skip { by, .. }
            | Self::Done { by, .. }
            | Self::Undo { by, .. }
            | Self::SettleUndo { by, .. }
            | Self::NoteFailure { by, .. }
            | Self::HoldSchedule { by, .. }
            | Self::ReleaseSchedule { by, .. }
            | Self::SetValue { by, .. }
            | Self::ClearCache { by, .. }
            | Self::Reset { by, .. }
            | Self::Publish { by, .. }
            | Self::RevokeToken { by, .. }
            | Self::HandIn { by, .. }
            | Self::Learn { by, .. }
            | Self::Agent { by, .. }
            | Self::NoteRejected { by, .. }
            | Self::NoteRefusal { by, .. } => Some(by),
            Self::DeclareTopics { .. }
            | Self::DeclarePeople { .. }
            | Self::AttemptEnded { .. }
            | Self::AttemptLost { .. }
            | Self::FactsFetched { .. }
            | Self::Wake
            | Self::Stalled
            | Self::Recover { .. } => None,
        }
    }

    /// The same request by somebody else: a door stamps who is really there.
    pub fn stamp(&mut self, actor: &Actor) {
        let by = match self {
            Self::Launch(it) => &mut it.by,
            Self::Decide(it) => &mut it.by,
            Self::Pause { by, .. }
            | Self::Resume { by, .. }
            | Self::Cancel { by, .. }
            | Self::Withdraw { by, .. }
            | Self::EditForm { by, .. }
            | Self::Comment { by, .. }
            | Self::Delegate { by, .. }
            | Self::ReviewGlass { by, .. }
            | Self::AnswerDoubt { by, .. }
            | Self::Retry { by, .. }
            | Self::Fork { by, .. }
            | Self::Skip { by, .. }
            | Self::Done { by, .. }
            | Self::Undo { by, .. }
            | Self::SettleUndo { by, .. }
            | Self::NoteFailure { by, .. }
            | Self::HoldSchedule { by, .. }
            | Self::ReleaseSchedule { by, .. }
            | Self::SetValue { by, .. }
            | Self::ClearCache { by, .. }
            | Self::Reset { by, .. }
            | Self::Publish { by, .. }
            | Self::RevokeToken { by, .. }
            | Self::HandIn { by, .. }
            | Self::Learn { by, .. }
            | Self::Agent { by, .. }
            | Self::NoteRejected { by, .. }
            | Self::NoteRefusal { by, .. } => by,
            Self::DeclareTopics { .. }
            | Self::DeclarePeople { .. }
            | Self::AttemptEnded { .. }
            | Self::AttemptLost { .. }
            | Self::FactsFetched { .. }
            | Self::Wake
            | Self::Stalled
            | Self::Recover { .. } => return,
        };
        *by = actor.clone();
        // Signatures are checked at one door alone; what is said of them at another is worth nothing.
        if let Self::Publish { message, .. } = self
            && actor.channel != Channel::Http
        {
            message.proof = MessageProof::default();
        }
    }

    /// Whether a seat may send it; the others come from the loud half of the owner alone.
    pub fn is_from_people(&self) -> bool {
        self.actor().is_some() && !matches!(self, Self::NoteRefusal { .. } | Self::NoteRejected { .. })
    }
}

impl Command {
    /// Whether it stands for a person's judgement: an answer at a gate, or a word about what became of something.
    pub fn is_judgement(&self) -> bool {
        matches!(
            self,
            Self::Decide(_)
                | Self::Withdraw { .. }
                | Self::EditForm { .. }
                | Self::Delegate { .. }
                | Self::ReviewGlass { .. }
                | Self::AnswerDoubt { .. }
                | Self::Skip { .. }
                | Self::Done { .. }
                | Self::SettleUndo { .. }
                | Self::Undo { .. }
        )
    }

    /// The run it is about, where it names one.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Pause { run, .. }
            | Self::Resume { run, .. }
            | Self::Cancel { run, .. }
            | Self::ReviewGlass { run, .. }
            | Self::AnswerDoubt { run, .. }
            | Self::Retry { run, .. }
            | Self::Fork { run, .. }
            | Self::Skip { run, .. }
            | Self::Done { run, .. }
            | Self::Undo { run, .. }
            | Self::SettleUndo { run, .. }
            | Self::NoteFailure { run, .. }
            | Self::FactsFetched { run, .. } => Some(*run),
            Self::AttemptEnded { attempt, .. } | Self::AttemptLost { attempt, .. } => Some(attempt.run),
            Self::Launch(_)
            | Self::Decide(_)
            | Self::Withdraw { .. }
            | Self::EditForm { .. }
            | Self::Comment { .. }
            | Self::Delegate { .. }
            | Self::HoldSchedule { .. }
            | Self::ReleaseSchedule { .. }
            | Self::SetValue { .. }
            | Self::ClearCache { .. }
            | Self::Reset { .. }
            | Self::Publish { .. }
            | Self::RevokeToken { .. }
            | Self::HandIn { .. }
            | Self::Learn { .. }
            | Self::Agent { .. }
            | Self::DeclareTopics { .. }
            | Self::DeclarePeople { .. }
            | Self::NoteRejected { .. }
            | Self::NoteRefusal { .. }
            | Self::Wake
            | Self::Stalled
            | Self::Recover { .. } => None,
        }
    }

    /// The gate it is about, where it names one.
    pub fn gate(&self) -> Option<GateId> {
        match self {
            Self::Decide(it) => Some(it.gate),
            Self::Withdraw { gate, .. }
            | Self::EditForm { gate, .. }
            | Self::Comment { gate, .. }
            | Self::Delegate { gate, .. }
            | Self::ReviewGlass { gate, .. }
            | Self::NoteRefusal { gate, .. } => Some(*gate),
            Self::Launch(_)
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Cancel { .. }
            | Self::AnswerDoubt { .. }
            | Self::Retry { .. }
            | Self::Fork { .. }
            | Self::Skip { .. }
            | Self::Done { .. }
            | Self::Undo { .. }
            | Self::SettleUndo { .. }
            | Self::NoteFailure { .. }
            | Self::HoldSchedule { .. }
            | Self::ReleaseSchedule { .. }
            | Self::SetValue { .. }
            | Self::ClearCache { .. }
            | Self::Reset { .. }
            | Self::Publish { .. }
            | Self::RevokeToken { .. }
            | Self::HandIn { .. }
            | Self::Learn { .. }
            | Self::Agent { .. }
            | Self::DeclareTopics { .. }
            | Self::DeclarePeople { .. }
            | Self::NoteRejected { .. }
            | Self::AttemptEnded { .. }
            | Self::AttemptLost { .. }
            | Self::FactsFetched { .. }
            | Self::Wake
            | Self::Stalled
            | Self::Recover { .. } => None,
        }
    }
}

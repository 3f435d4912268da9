//! All commands of the engine. A command asks; `handle` decides if it happens.

use crate::{
    Actor, AgentAsk, AgentResult, CauseOfLaunch, Channel, DeadLetter, Event, Knowledge, Membership,
    MessageProof, NewMessage, NewValue, Outcome, TakeOver, TokenName, TopicRule, event::Facts,
};
use cuelight_base::{AttemptId, DecisionId, Digest, Epoch, GateId, RunId, Seq, Span, StepIx, ValueMap};
use cuelight_plan::Plan;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The commands that the engine takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a run of a plan.
    Launch(Box<Launching>),
    /// Pauses a run: it starts nothing new.
    Pause {
        /// The run that is paused.
        run: RunId,
        /// The actor who asks.
        by: Actor,
    },
    /// Resumes a paused run.
    Resume {
        /// The run that is resumed.
        run: RunId,
        /// The actor who asks.
        by: Actor,
    },
    /// Cancels a run; its running calls are ended too.
    Cancel {
        /// The run that is cancelled.
        run: RunId,
        /// The actor who asks.
        by: Actor,
        /// The reason for it.
        reason: String,
        /// True if completed steps are undone.
        undo: bool,
    },
    /// A person's answer at a gate.
    Decide(Box<Decision>),
    /// Withdraws one's own vote while the gate is open or armed.
    Withdraw {
        /// The gate with the vote.
        gate: GateId,
        /// The actor who asks.
        by: Actor,
    },
    /// Changes the parameters of a gate's form; makes a new ask.
    EditForm {
        /// The gate with the form.
        gate: GateId,
        /// The epoch that was seen.
        epoch: Epoch,
        /// The whole form as it should be.
        values: ValueMap,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// A comment at a gate, for all who look at it.
    Comment {
        /// The gate that is commented.
        gate: GateId,
        /// The text of the comment.
        text: String,
        /// The actor who comments.
        by: Actor,
    },
    /// Delegates one's own answer at a gate to somebody else, for a while.
    Delegate {
        /// The gate of the answer.
        gate: GateId,
        /// The name of the person who may answer instead.
        to: String,
        /// The length of the delegation; some hours when nothing is given.
        lasts: Option<Span>,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Records the review of an emergency approval.
    ReviewGlass {
        /// The run, which may have ended.
        run: RunId,
        /// The gate that was approved.
        gate: GateId,
        /// The epoch of the emergency approval; the gate may have asked again since.
        epoch: Epoch,
        /// The finding of the review.
        reason: String,
        /// The reviewer: a person other than the one who approved.
        by: Actor,
    },
    /// Tells the outcome of a step that may have happened.
    AnswerDoubt {
        /// The run of the step.
        run: RunId,
        /// The step in doubt.
        step: StepIx,
        /// The outcome of the step.
        answer: DoubtAnswer,
        /// The person's evidence for it.
        reason: String,
        /// The actor who answers.
        by: Actor,
    },
    /// Makes a linked run that retries the steps that did not succeed.
    Retry {
        /// A run that has ended.
        run: RunId,
        /// The steps that are done again.
        from: RetryFrom,
        /// The actor who asks.
        by: Actor,
        /// The corrections before the retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Correction>>,
    },
    /// Makes a new run from an instant of another one: steps done by then keep their results, all others are
    /// done again.
    Fork {
        /// The other run, which is not touched by the fork.
        run: RunId,
        /// The point of the fork.
        at: ForkAt,
        /// The actor who asks.
        by: Actor,
        /// The corrections before the fork.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Correction>>,
        /// The events of the other run by then; read by the owner of the workspace, never taken from a seat.
        #[serde(skip)]
        past: Option<Past>,
    },
    /// Gives up a step that has not ended; its dependents see it as skipped.
    Skip {
        /// The run of the step.
        run: RunId,
        /// The step that is skipped.
        step: StepIx,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Completes a failed or waiting step by hand.
    Done {
        /// The run of the step.
        run: RunId,
        /// The step that is completed.
        step: StepIx,
        /// The outputs of the step.
        outputs: ValueMap,
        /// The person's evidence for it.
        reason: String,
        /// The actor who completes it.
        by: Actor,
    },
    /// Undoes the completed steps of a run that has ended.
    Undo {
        /// The run that is undone.
        run: RunId,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Tries a stuck undo again, or gives it up.
    SettleUndo {
        /// The run of the step.
        run: RunId,
        /// The step whose undo is stuck.
        step: StepIx,
        /// True if the undo is tried again; else it counts as done by hand.
        again: bool,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Puts the schedules of a workflow on hold: they start no run.
    HoldSchedule {
        /// The name of the workflow.
        workflow: String,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Releases the schedules of a workflow, from the next time on.
    ReleaseSchedule {
        /// The name of the workflow.
        workflow: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Writes a note on an open failure: acknowledged, resolved, or reopened.
    NoteFailure {
        /// The run of the failure.
        run: RunId,
        /// The step that failed; none when it is the run.
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        of_undo: bool,
        /// The kind of the note.
        note: FailureNote,
        /// The text of the note; may be empty.
        reason: String,
        /// The actor who writes it.
        by: Actor,
    },
    /// Sets or removes a value of the session or the workspace.
    SetValue {
        /// The scope, the key and the new value.
        value: Box<NewValue>,
        /// The actor who asks.
        by: Actor,
    },
    /// Sends a message to the steps that wait for it.
    Publish {
        /// The message to send.
        message: Box<NewMessage>,
        /// The actor who sends it.
        by: Actor,
    },
    /// Declares the topics and their rules. From the loud half.
    DeclareTopics {
        /// The rules of all topics, by topic name.
        topics: BTreeMap<String, TopicRule>,
    },
    /// Declares the people of the workspace, as `people.toml` has them now. From the loud half.
    DeclarePeople {
        /// All people with their groups and keys.
        people: Box<Membership>,
    },
    /// Records a message that was rejected. From the loop, when it has refused it.
    NoteRejected {
        /// The message, and the reason why it was rejected.
        letter: Box<DeadLetter>,
        /// The actor who sent it.
        by: Actor,
    },
    /// Revokes a token before it expires.
    RevokeToken {
        /// The token that is revoked.
        token: TokenName,
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// Stores the result of an agent's work.
    HandIn {
        /// The result of the work.
        result: Box<AgentResult>,
        /// The time for which it can be found; 30 days when nothing is given.
        #[serde(default)]
        kept_for: Option<Span>,
        /// The actor who stores it.
        by: Actor,
    },
    /// A request of an agent that came by itself: to register, to claim work, to hand it back.
    Agent {
        /// The request of the agent.
        ask: Box<AgentAsk>,
        /// The actor who asks.
        by: Actor,
    },
    /// Stores a piece of knowledge for later agents.
    Learn {
        /// The piece of knowledge.
        knowledge: Box<Knowledge>,
        /// The actor who stores it.
        by: Actor,
    },
    /// Deletes cached results of one key, or all.
    ClearCache {
        /// The key whose results are deleted; none means all keys.
        key: Option<String>,
        /// The actor who asks.
        by: Actor,
    },
    /// Deletes all cached results, and clears the lists of ended runs.
    Reset {
        /// The reason for it.
        reason: String,
        /// The actor who asks.
        by: Actor,
    },
    /// A call has ended. From the loud half.
    AttemptEnded {
        /// The call that ended.
        attempt: AttemptId,
        /// The outcome of the call.
        outcome: Box<Outcome>,
    },
    /// The end of a call will never be known. From the loud half.
    AttemptLost {
        /// The call that was lost.
        attempt: AttemptId,
        /// The evidence that is known.
        evidence: String,
    },
    /// Facts that a step asked for. From the loud half.
    FactsFetched {
        /// The run of the step.
        run: RunId,
        /// The step that asked.
        step: StepIx,
        /// The facts that were found.
        facts: Facts,
    },
    /// A deadline has passed. From the loud half.
    Wake,
    /// The engine did not run for a while, or the clock was set forward: nobody could answer then. From the loud half.
    Stalled,
    /// The engine has just been started on this log: what was in flight is judged. From the loud half.
    Recover {
        /// The time for which no engine looked at the log.
        away: Span,
        /// The findings about calls in flight; of all other calls nothing is known.
        found: Vec<(AttemptId, Found)>,
        /// The takeover, if the log was taken from an engine that did not answer any more.
        taken: Option<Box<TakeOver>>,
    },
    /// A request was refused at the door and must be on record.
    NoteRefusal {
        /// The gate it was about.
        gate: GateId,
        /// The actor who asked.
        by: Actor,
        /// The reason of the refusal.
        why: String,
    },
}

/// A run to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launching {
    /// The plan of the run.
    pub plan: Plan,
    /// The actor who asks.
    pub by: Actor,
    /// The seed of all chance in this run.
    pub seed: u64,
    /// The cause of the run.
    pub cause: CauseOfLaunch,
    /// The id that ties runs of one piece of work together.
    pub trace: String,
    /// The hash of the request that asks for it, if the request may be sent again: for a day it makes no
    /// second run.
    #[serde(default)]
    pub request: Option<Digest>,
}

/// A person's answer at a gate, with all that makes it valid for this ask and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Chosen by the seat; the same id again gets the same answer.
    pub id: DecisionId,
    /// The gate that is answered.
    pub gate: GateId,
    /// The epoch that was seen.
    pub epoch: Epoch,
    /// The hash of the ask that was seen.
    pub ask: Digest,
    /// The answer: approve, reject or send back.
    pub verdict: Verdict,
    /// The reason; a rejection always has one.
    pub reason: String,
    /// The actor who answers.
    pub by: Actor,
    /// The time for which the ask was on the screen, if it is known.
    pub shown_for: Option<Span>,
    /// True for an emergency approval: it stands for the whole quorum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// An override: closes the gate by hand, like an approval by the same people, and is reviewed by somebody
    /// else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// Values of the ask's form, filled in by the person who approves; null leaves an optional field empty.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

/// The answers that a person can give.
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

/// The outcome of a step that may have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtAnswer {
    /// It happened, with these outputs.
    Happened(ValueMap),
    /// It did not happen; the attempt is given back.
    NotHappened,
    /// The step counts as failed, with or without an effect.
    Abort,
}

/// The kinds of notes on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureNote {
    /// Somebody has seen it and looks after it.
    Acknowledge,
    /// The failure is resolved.
    Resolve,
    /// The failure is open again.
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

/// The steps that a retry does again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryFrom {
    /// The steps that failed, and the steps that did not run because of them.
    Failed,
    /// The steps that failed, and every step that completed after the last step all others depend on.
    Checkpoint,
    /// All steps of the run.
    All,
}

impl RetryFrom {
    /// All values, in the order of the declaration.
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

/// The corrections before a run is done again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The file its steps are read from as they are now; none means that they stay as they were.
    #[serde(default)]
    pub file: Option<String>,
    /// Inputs as they were typed; those that are not named stay as they were.
    #[serde(default)]
    pub words: Vec<(String, String)>,
    /// The new plan; made of the above by the owner of the workspace, never taken from a seat.
    #[serde(skip)]
    pub plan: Option<Box<Plan>>,
}

/// The state of a call in flight, as found by the engine that takes up a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It still runs, and its end will be reported.
    Running,
    /// It ended while nobody listened.
    Ended(Box<Outcome>),
    /// It certainly never ran.
    NotStarted,
    /// The end of the call will never be known; the text is the evidence.
    Unknown(String),
}

/// The point from which a run is forked.
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
    /// The actor who asks; none for commands of the loud half.
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Launch(launching) => Some(&launching.by),
            Self::Decide(decision) => Some(&decision.by),
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

    /// Sets the actor of the command to the one that the door has identified.
    pub fn stamp(&mut self, actor: &Actor) {
        let by = match self {
            Self::Launch(launching) => &mut launching.by,
            Self::Decide(decision) => &mut decision.by,
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

    /// True if a seat may send it; the others come from the loud half of the owner alone.
    pub fn is_from_people(&self) -> bool {
        self.actor().is_some() && !matches!(self, Self::NoteRefusal { .. } | Self::NoteRejected { .. })
    }
}

impl Command {
    /// True if it stands for a person's judgement: an answer at a gate, or the outcome of a step or an undo.
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
            Self::Decide(decision) => Some(decision.gate),
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

//! All commands of the engine. A command asks; `handle` decides if it happens.

mod decision;
mod launching;
mod subject;

pub use decision::{Decision, DoubtAnswer, FailureNote, Verdict};
pub use launching::{Correction, ForkAt, Launching, Past, RetryFrom};

use crate::{Membership, NewValue, Outcome, TakeOver, TokenName, event::Facts};
use cuelight_base::{Actor, AttemptId, Epoch, GateId, RunId, Span, StepIx, ValueMap};
use cuelight_exchange::{AgentAsk, AgentResult, DeadLetter, Knowledge, NewMessage, TopicRule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

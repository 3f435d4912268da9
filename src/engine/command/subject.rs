//! The actor, the run and the gate of a command.

use crate::Command;
use cuelight_base::{Actor, Channel, GateId, RunId};
use cuelight_exchange::MessageProof;

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

    /// True if it stands for a person's judgement: an answer at a gate, the outcome of a step or an undo, or
    /// what shall be undone and what may start again.
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
                | Self::Cancel { undo: true, .. }
                | Self::ReleaseSchedule { .. }
        )
    }

    /// True if it makes a run: the actor who asks for that is a requester, and does not answer where somebody else has to.
    pub const fn makes_a_run(&self) -> bool {
        matches!(self, Self::Launch(_) | Self::Retry { .. } | Self::Fork { .. })
    }

    /// True if it makes a run, and a step asks.
    pub(crate) fn makes_a_run_for_a_step(&self) -> bool {
        self.makes_a_run() && self.actor().is_some_and(|by| by.channel == Channel::Step)
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

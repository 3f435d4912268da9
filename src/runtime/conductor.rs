//! The conductor decides: commands in, one batch of events out; what they lead to is held back until they are on disk.
//!
//! turn(commands) ─▶ [`Turn`] ─▶ the journal appends its events ─▶ committed(turn) ─▶ [`Released`]
//!
//! Between the two, memory is one batch ahead of the disk, and nobody can see it: effects, replies and the new board are
//! inside the `Turn`, and come out of it in no other way. An ordinary function of its arguments: no clock, no disk, no
//! waiting, so that a simulation runs this very code. Who gathers, appends and waits is `podium`.

use super::{Receipt, Reply, marks::Marks};
use cuelight_base::{GateId, RunId, Seq, Span, Timestamp};
use cuelight_engine::{Command, Effect, Event, Fact, Refusal, RunEvent, ScopeEvent, Verdict, World, react};
use cuelight_plan::Scope;
use cuelight_projection::Board;
use cuelight_store::{Appended, Batch};
use std::{ops::Range, sync::Arc};

/// The one caller of `World::handle`.
#[derive(Debug, Default)]
pub struct Conductor {
    world: World,
    board: Arc<Board>,
    marks: Marks,
    seq: Seq,
}

/// A batch that has been decided and is not on disk. `T` is whatever tells who asked.
#[derive(Debug)]
#[must_use = "what was decided has to be appended, then `committed`"]
pub struct Turn<T> {
    batch: Arc<Batch>,
    answers: Vec<(T, Answer)>,
}

/// Effects, replies and the board that may be published now that the batch is on disk.
#[derive(Debug)]
#[must_use = "effects are to be carried out, replies to be sent, the board to be shown"]
pub struct Released<T> {
    /// To be carried out, in this order.
    pub effects: Vec<Effect>,
    /// Replies to send now.
    pub replies: Vec<(T, Reply)>,
    /// The new public board.
    pub board: Arc<Board>,
}

#[derive(Debug)]
enum Answer {
    Decided { events: Range<usize>, run: Option<RunId>, gate: Option<GateId> },
    Refused(Refusal),
}

impl<T> Turn<T> {
    /// The batch that has to be on disk first.
    pub const fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    /// True if nothing has happened, so that there is nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.batch.events.is_empty()
    }

    /// It could not be recorded and never will be: everybody who asked is told so.
    pub fn give_up(self, why: &str) -> Vec<(T, Reply)> {
        self.answers.into_iter().map(|(who, _)| (who, Reply::NotRecorded(why.to_owned()))).collect()
    }
}

impl Conductor {
    /// Takes up a log at its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds an event that is on disk already.
    pub fn replay(&mut self, seq: Seq, event: &Event) {
        self.world.apply(event);
        // What is on disk is marked there already.
        drop(self.marks.of(event));
        Arc::make_mut(&mut self.board).apply(seq, event);
        self.seq = seq;
    }

    /// The run that is to be changed, or asked about, when only its summary was kept here: `recall` it first.
    pub fn lacks(&self, run: Option<RunId>) -> Option<RunId> {
        let kept = |run: &RunId| self.world.knows(*run) && self.board.run(*run).is_some();
        run.filter(|run| self.board.summary(*run).is_some() && !kept(run))
    }

    /// Restores a run that ended long ago, from all its events. Values that outlive runs stay as they are now.
    pub fn recall(&mut self, run: RunId, events: &[(Seq, Event)]) {
        let outlives = |event: &ScopeEvent| match event {
            ScopeEvent::Set { scope, .. } | ScopeEvent::Removed { scope, .. } => *scope != Scope::Run,
        };
        let shared = |event: &Event| matches!(&event.fact, Fact::Scope(_, event) if outlives(event));
        let mut past = Board::default();
        let known = self.world.knows(run);
        for (seq, event) in events.iter().filter(|(seq, _)| *seq <= self.seq) {
            past.apply(*seq, event);
            if !known && !shared(event) {
                self.world.apply(event);
            }
        }
        // Those who were asked then are known here, where the whole log was folded.
        self.board
            .gates()
            .filter(|gate| !known && gate.run == run)
            .for_each(|gate| self.world.recall_people(gate.law()));
        if let Some(whole) = past.run(run) {
            Arc::make_mut(&mut self.board).remember(Arc::clone(whole));
        }
    }

    /// The last event that is on disk, as far as is known here.
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The public board: everything that is on disk, and nothing more.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// All that is open.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// When somebody has to say `Wake`.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.world.deadline()
    }

    /// Events that a command would record now. Call it between two batches only.
    ///
    /// # Errors
    /// When the command would be refused.
    pub fn preview(&self, command: Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        self.world.preview(command, now)
    }

    /// Decides a batch. Of all that arrived together, rejections are heard first.
    pub fn turn<T>(&mut self, mut commands: Vec<(Command, T)>, now: Timestamp, uptime: Span) -> Turn<T> {
        commands.sort_by_key(|(command, _)| !is_rejection(command));
        let mut events = Vec::new();
        let answers = commands
            .into_iter()
            .map(|(command, who)| {
                let answer = self.decide(command, now, &mut events);
                (who, answer)
            })
            .collect();
        let marks = events.iter().filter_map(|event| self.marks.of(event)).collect();
        Turn { batch: Arc::new(Batch { events, marks, uptime }), answers }
    }

    /// The batch is on disk: what follows from it may leave.
    ///
    /// # Panics
    /// When the journal counted differently: then memory and disk tell two stories.
    pub fn committed<T>(&mut self, turn: Turn<T>, appended: Appended) -> Released<T> {
        let Appended { first, last } = appended;
        let events = &turn.batch.events;
        assert_eq!(first.0, self.seq.0 + 1, "the journal and the conductor count alike");
        assert_eq!(last.0, self.seq.0 + events.len() as u64, "the journal took every event once");
        if !events.is_empty() {
            let board = Arc::make_mut(&mut self.board);
            for (place, event) in (first.0..).zip(events) {
                board.apply(Seq(place), event);
            }
        }
        self.seq = last;
        let replies = turn.answers.into_iter().map(|(who, answer)| (who, answer.reply(appended))).collect();
        Released { effects: events.iter().filter_map(react).collect(), replies, board: self.board() }
    }

    /// Nothing has happened, so nothing has to be on disk first.
    pub fn nothing_to_record<T>(&mut self, turn: Turn<T>) -> Released<T> {
        let (first, last) = (Seq(self.seq.0 + 1), self.seq);
        self.committed(turn, Appended { first, last })
    }

    fn decide(&mut self, command: Command, now: Timestamp, events: &mut Vec<Event>) -> Answer {
        let start = events.len();
        let run = match &command {
            Command::Launch(launching) => self.world.made_for(launching, now),
            other => run_of(other),
        };
        let gate = gate_of(&command);
        // A message is no answer to a gate, and comes too often to copy who says it for nothing.
        let by = command.actor().filter(|_| !matches!(command, Command::Publish { .. })).cloned();
        match self.world.handle(command, now, events) {
            Ok(()) => {
                let created = events[start..].iter().find_map(|event| match &event.fact {
                    Fact::Run(run, RunEvent::Created { .. }) => Some(*run),
                    _ => None,
                });
                let gate_run = events[start..].iter().find_map(|event| event.fact.run());
                Answer::Decided { events: start..events.len(), run: created.or(run).or(gate_run), gate }
            }
            Err(mut refusal) => {
                debug_assert_eq!(start, events.len(), "a refusal comes before the first event");
                if let (Refusal::NotAllowed { gate, why }, Some(by)) = (&refusal, by) {
                    // Who may not vote and tried must be on record. When even that may not be, the refusal says why.
                    let note = Command::NoteRefusal { gate: *gate, by, why: why.clone() };
                    if let Err(refusal) = self.world.handle(note, now, events) {
                        return Answer::Refused(refusal);
                    }
                }
                if let Refusal::Message { note, .. } = &mut refusal
                    && let Some(note) = note.take()
                    && let Err(refusal) = self.world.handle(*note, now, events)
                {
                    return Answer::Refused(refusal);
                }
                Answer::Refused(refusal)
            }
        }
    }
}

impl Answer {
    fn reply(self, Appended { first, last }: Appended) -> Reply {
        match self {
            Self::Refused(refusal) => Reply::Refused(refusal),
            // A command that changed nothing is answered with all that is on disk.
            Self::Decided { events, run, gate } if events.is_empty() => {
                Reply::Recorded(Receipt { seq: last, run, gate })
            }
            Self::Decided { events, run, gate } => {
                Reply::Recorded(Receipt { seq: Seq(first.0 + events.end as u64 - 1), run, gate })
            }
        }
    }
}

fn is_rejection(command: &Command) -> bool {
    matches!(command, Command::Decide(decision) if decision.verdict == Verdict::Reject)
}

fn run_of(command: &Command) -> Option<RunId> {
    match command {
        Command::Pause { run, .. }
        | Command::Resume { run, .. }
        | Command::Cancel { run, .. }
        | Command::AnswerDoubt { run, .. }
        | Command::Retry { run, .. }
        | Command::Fork { run, .. }
        | Command::Skip { run, .. }
        | Command::Done { run, .. }
        | Command::Undo { run, .. }
        | Command::SettleUndo { run, .. }
        | Command::NoteFailure { run, .. }
        | Command::ReviewGlass { run, .. }
        | Command::FactsFetched { run, .. } => Some(*run),
        Command::AttemptEnded { attempt, .. } | Command::AttemptLost { attempt, .. } => Some(attempt.run),
        Command::Launch(_)
        | Command::Decide(_)
        | Command::Withdraw { .. }
        | Command::EditForm { .. }
        | Command::Comment { .. }
        | Command::Delegate { .. }
        | Command::HoldSchedule { .. }
        | Command::ReleaseSchedule { .. }
        | Command::SetValue { .. }
        | Command::ClearCache { .. }
        | Command::Reset { .. }
        | Command::Publish { .. }
        | Command::RevokeToken { .. }
        | Command::HandIn { .. }
        | Command::Learn { .. }
        | Command::Agent { .. }
        | Command::DeclareTopics { .. }
        | Command::DeclarePeople { .. }
        | Command::NoteRejected { .. }
        | Command::NoteRefusal { .. }
        | Command::Wake
        | Command::Stalled
        | Command::Recover { .. } => None,
    }
}

fn gate_of(command: &Command) -> Option<GateId> {
    match command {
        Command::Decide(decision) => Some(decision.gate),
        Command::Withdraw { gate, .. }
        | Command::EditForm { gate, .. }
        | Command::Comment { gate, .. }
        | Command::Delegate { gate, .. }
        | Command::ReviewGlass { gate, .. }
        | Command::NoteRefusal { gate, .. } => Some(*gate),
        _ => None,
    }
}

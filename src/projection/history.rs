//! The past of a log, event by event: what stands where, and folds kept on the way, so that no instant is far from one.
//! Folded page by page. The owner of the log reads it and keeps its events: those between two kept folds are read
//! again.

use crate::Board;
use cuelight_base::{RunId, Seq, StepIx, Timestamp};
use cuelight_engine::{AttemptEvent, Event, Fact, GateEvent, RunEvent, RunState, StepEvent, UndoEvent};
use std::sync::Arc;

/// Events from one kept fold to the next, at first.
const EVERY: usize = 200;
/// Folds that are kept; when there are more, every second one goes and they stand twice as far apart.
const FOLDS_MAX: usize = 512;

/// All that happened, as far as it was read.
#[derive(Clone, Debug)]
pub struct History {
    run: Option<RunId>,
    moments: Vec<Moment>,
    /// Kept boards with the number of events that each has folded. The first has none.
    kept: Vec<(usize, Arc<Board>)>,
    every: usize,
    tip: Board,
}

/// One event, as far as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its place in the log.
    pub seq: Seq,
    /// When, as the clock said then.
    pub at: Timestamp,
    /// The latest that the clock had said until then: never runs backwards.
    pub latest: Timestamp,
    /// The kind of the event: `step.completed`.
    pub kind: &'static str,
    /// The run it is about.
    pub run: Option<RunId>,
    /// The step it is about.
    pub step: Option<StepIx>,
    /// The mark on a scrubber; none for an ordinary event.
    pub notch: Option<Notch>,
}

/// A mark for an event that stands out, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notch {
    /// Something failed, is in doubt, or could not be undone.
    Error,
    /// A gate asks people.
    Gate,
    /// A person decided something.
    Vote,
    /// An ask or a known fact was changed.
    Edit,
    /// Something is tried again.
    Retry,
    /// Something is taken back.
    Undo,
    /// A new run began.
    Start,
    /// A run came to rest.
    End,
}

impl Notch {
    /// Every mark, the most important first.
    pub const ALL: [Self; 8] =
        [Self::Error, Self::Gate, Self::Vote, Self::Edit, Self::Retry, Self::Undo, Self::Start, Self::End];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Gate => "gate",
            Self::Vote => "vote",
            Self::Edit => "edit",
            Self::Retry => "retry",
            Self::Undo => "undo",
            Self::Start => "start",
            Self::End => "end",
        }
    }

    /// True if jumps through the history stop at this mark.
    pub const fn stops(self) -> bool {
        matches!(self, Self::Error | Self::Gate | Self::Vote | Self::Edit)
    }

    /// The mark of an event; none for an ordinary event.
    pub fn of(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Run(_, event) => Self::of_run(event),
            Fact::Step(_, _, event) => Self::of_step(event),
            Fact::Attempt(_, _, _, AttemptEvent::Ended { retry_at: Some(_), .. }) => Some(Self::Retry),
            Fact::Attempt(_, _, _, AttemptEvent::Lost { .. }) | Fact::Undo(_, _, UndoEvent::Stuck { .. }) => {
                Some(Self::Error)
            }
            Fact::Attempt(
                _,
                _,
                _,
                AttemptEvent::Started { .. } | AttemptEvent::Ended { .. } | AttemptEvent::Adopted { .. },
            ) => None,
            Fact::Gate(_, _, _, event) => Self::of_gate(event),
            Fact::Undo(_, _, UndoEvent::Asked | UndoEvent::Done { .. } | UndoEvent::Again { .. }) => {
                Some(Self::Undo)
            }
            Fact::Failure(..) | Fact::Schedule(..) => Some(Self::Vote),
            Fact::Scope(..)
            | Fact::Target(..)
            | Fact::Cache(..)
            | Fact::Bus(..)
            | Fact::Token(..)
            | Fact::Library(..)
            | Fact::People(..)
            | Fact::Agent(..)
            | Fact::Recovered { .. } => None,
        }
    }

    const fn of_run(event: &RunEvent) -> Option<Self> {
        match event {
            RunEvent::Created { .. } => Some(Self::Start),
            RunEvent::Paused { .. }
            | RunEvent::Resumed { .. }
            | RunEvent::Cancelling { .. }
            | RunEvent::BudgetRaised { .. } => Some(Self::Vote),
            RunEvent::TimedOut { .. } | RunEvent::Ended { state: RunState::Failed, .. } => Some(Self::Error),
            RunEvent::Compensating => Some(Self::Undo),
            RunEvent::Ended { .. } => Some(Self::End),
            RunEvent::Started | RunEvent::Stopping { .. } | RunEvent::BudgetWarned { .. } => None,
        }
    }

    const fn of_step(event: &StepEvent) -> Option<Self> {
        match event {
            StepEvent::Failed { .. }
            | StepEvent::InDoubt { .. }
            | StepEvent::Skipped { why: cuelight_engine::Why::Failed(_) } => Some(Self::Error),
            StepEvent::Rejected { .. } => Some(Self::Gate),
            StepEvent::SentBack | StepEvent::Reopened { .. } => Some(Self::Retry),
            StepEvent::DoneByHand { .. }
            | StepEvent::DoubtAnswered { .. }
            | StepEvent::Ending { why: cuelight_engine::Why::Person { .. } } => Some(Self::Edit),
            StepEvent::Ready
            | StepEvent::Routed { .. }
            | StepEvent::Waiting { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Opened { .. }
            | StepEvent::Grown { .. }
            | StepEvent::Completed { .. }
            | StepEvent::Skipped { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::Ending { .. } => None,
        }
    }

    const fn of_gate(event: &GateEvent) -> Option<Self> {
        match event {
            GateEvent::Asked { why: None, .. } | GateEvent::Resolved { .. } | GateEvent::Escalated { .. } => {
                Some(Self::Gate)
            }
            GateEvent::Asked { .. } | GateEvent::Edited { .. } => Some(Self::Edit),
            GateEvent::Voted(_)
            | GateEvent::GlassBroken(_)
            | GateEvent::Overridden(_)
            | GateEvent::GlassReviewed { .. }
            | GateEvent::Delegated { .. }
            | GateEvent::Refused { .. }
            | GateEvent::Withdrawn { .. } => Some(Self::Vote),
            GateEvent::Commented { .. }
            | GateEvent::Agreed { .. }
            | GateEvent::Armed { .. }
            | GateEvent::Reminded { .. } => None,
        }
    }
}

impl History {
    /// An empty history of one run, or of the whole log.
    pub fn of(run: Option<RunId>) -> Self {
        let kept = vec![(0, Arc::default())];
        Self { run, moments: Vec::new(), kept, every: EVERY, tip: Board::default() }
    }

    /// The run; nothing means the whole log.
    pub const fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Every event that was read, in order.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// The number of events read.
    pub const fn len(&self) -> usize {
        self.moments.len()
    }

    /// True if no event was read.
    pub const fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// Events from one kept fold to the next.
    pub const fn spacing(&self) -> usize {
        self.every
    }

    /// The board after the last event read.
    pub const fn tip(&self) -> &Board {
        &self.tip
    }

    /// The next event of the log. One that does not follow is not taken.
    pub fn take(&mut self, seq: Seq, event: &Event) {
        if self.moments.last().is_some_and(|moment| moment.seq >= seq) {
            return;
        }
        let mut tip = std::mem::take(&mut self.tip);
        self.apply(&mut tip, seq, event);
        self.tip = tip;
        let latest = self.moments.last().map_or(event.at, |moment| moment.latest.max(event.at));
        self.moments.push(Moment {
            seq,
            at: event.at,
            latest,
            kind: self.tip.lines().next_back().map_or("", |line| line.kind),
            run: event.fact.run(),
            step: event.fact.step(),
            notch: Notch::of(&event.fact),
        });
        if self.moments.len().is_multiple_of(self.every) {
            self.keep();
        }
    }

    fn keep(&mut self) {
        self.kept.push((self.moments.len(), Arc::new(self.tip.clone())));
        if self.kept.len() > FOLDS_MAX {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|(count, _)| count.is_multiple_of(every));
        }
    }

    /// The kept fold before a place, and how many events it has: what lies between has to be folded.
    pub fn near(&self, count: usize) -> (usize, &Arc<Board>) {
        let after = self.kept.partition_point(|(number, _)| *number <= count);
        let (count, board) = &self.kept[after.saturating_sub(1)];
        (*count, board)
    }

    /// The place after which an event of this number stands: how many events there are up to it, itself among them.
    pub fn place_of(&self, seq: Seq) -> usize {
        self.moments.partition_point(|moment| moment.seq <= seq)
    }

    /// The number of events up to an instant. After the clock was set back, its latest time still counts.
    pub fn place_at(&self, at: Timestamp) -> usize {
        self.moments.partition_point(|moment| moment.latest <= at)
    }

    /// The event that led to a place; nothing before the first.
    pub fn moment(&self, count: usize) -> Option<&Moment> {
        count.checked_sub(1).and_then(|count| self.moments.get(count))
    }

    /// A board that has folded some events folds those that follow.
    #[must_use]
    pub fn fold(&self, board: &Board, events: &[(Seq, Event)]) -> Board {
        let mut board = board.clone();
        for (seq, event) in events {
            self.apply(&mut board, *seq, event);
        }
        board
    }

    /// Also brings back a run of which only the summary was left, from a fold in which it was whole.
    fn apply(&self, board: &mut Board, seq: Seq, event: &Event) {
        if let Some(run) = board.forgotten(event) {
            let rested = board.summary(run).cloned();
            let whole = self.kept.iter().rev().filter_map(|(_, board)| board.run(run));
            let whole = whole.into_iter().find(|run| Some(&run.summary) == rested.as_ref()).cloned();
            whole.into_iter().for_each(|run| board.remember(run));
        }
        board.apply(seq, event);
    }

    /// The next place after this one, or the one before, that fits.
    pub fn next(&self, from: usize, forward: bool, fits: impl Fn(&Moment) -> bool) -> Option<usize> {
        if forward {
            let rest = self.moments.get(from..).unwrap_or(&[]);
            rest.iter().position(fits).map(|index| from + index + 1)
        } else {
            let before = &self.moments[..from.saturating_sub(1).min(self.moments.len())];
            before.iter().rposition(fits).map(|index| index + 1)
        }
    }
}

//! When each step waited and ran: the rows of a Gantt chart, and where the time went.

use crate::{
    base::{Span, StepIx, Timestamp},
    engine::StepState,
    projection::{Phase, RunView, WaitKind, graph},
};
use std::collections::BTreeSet;

/// One run in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// When it was created.
    pub from: Timestamp,
    /// Its end, or now.
    pub until: Timestamp,
    /// Its steps in file order, frames too.
    pub rows: Vec<TimelineRow>,
    /// Where the time of its steps went; frames do not count.
    pub spent: Vec<(Spell, Span)>,
}

/// One step in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineRow {
    /// The step.
    pub step: StepIx,
    /// Stretches, the oldest first; pending has none.
    pub bars: Vec<Bar>,
    /// Whether it lies on the longest way through the run.
    pub critical: bool,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, or now.
    pub until: Timestamp,
    /// What was going on.
    pub what: Spell,
}

/// What a step does with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spell {
    /// Waits for a person.
    Gate,
    /// Is being done.
    Work,
    /// Could start; waits for a slot.
    Queue,
    /// Waits to be tried again.
    Retry,
    /// Waits for time or files.
    Wait,
    /// May have happened; waits for a person to say so.
    Doubt,
    /// Is being taken back.
    Undo,
}

impl Spell {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Gate, Self::Work, Self::Queue, Self::Retry, Self::Wait, Self::Doubt, Self::Undo];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Work => "work",
            Self::Queue => "queue",
            Self::Retry => "retry",
            Self::Wait => "wait",
            Self::Doubt => "doubt",
            Self::Undo => "undo",
        }
    }

    const fn of(phase: Phase) -> Option<Self> {
        match phase.state {
            StepState::Ready => Some(Self::Queue),
            StepState::Running => Some(Self::Work),
            StepState::Waiting => Some(match phase.wait {
                Some(WaitKind::Person) => Self::Gate,
                Some(WaitKind::BackOff) => Self::Retry,
                Some(WaitKind::Time | WaitKind::Facts) | None => Self::Wait,
            }),
            StepState::InDoubt => Some(Self::Doubt),
            StepState::Undoing => Some(Self::Undo),
            StepState::Pending
            | StepState::Completed
            | StepState::Partial
            | StepState::Failed
            | StepState::Rejected
            | StepState::Skipped
            | StepState::Cancelled
            | StepState::Undone => None,
        }
    }
}

impl Timeline {
    /// The timeline of a run as it is now.
    pub fn of(run: &RunView, now: Timestamp) -> Self {
        let until = run.summary.ended_at.unwrap_or(now);
        let critical: BTreeSet<StepIx> = graph::critical_path(run, now).into_iter().collect();
        let mut spent = Spell::ALL.map(|it| (it, Span(0)));
        let rows = run.steps().map(|(step, _, view)| {
            let bars = bars(view.phases(), until);
            if view.inside.is_none() {
                for bar in &bars {
                    spent[bar.what as usize].1.0 += bar.until.since(bar.from).0;
                }
            }
            TimelineRow { step, bars, critical: critical.contains(&step) }
        });
        let rows = rows.collect();
        let spent = spent.into_iter().filter(|(_, span)| span.0 > 0).collect();
        Self { from: run.summary.created_at, until, rows, spent }
    }
}

fn bars(phases: &[Phase], until: Timestamp) -> Vec<Bar> {
    let ends = phases.iter().skip(1).map(|it| it.at).chain([until]);
    let bars = phases.iter().zip(ends).filter_map(|(phase, end)| {
        Spell::of(*phase).map(|what| Bar { from: phase.at, until: end.max(phase.at), what })
    });
    bars.collect()
}

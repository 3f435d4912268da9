//! When each step waited and ran: the rows of a Gantt chart, where the time went, and the stretches in which nothing was
//! done but waiting, which a chart may squeeze.

use crate::{Phase, RunView, WaitKind, graph};
use cuelight_base::{Span, StepIx, Timestamp};
use cuelight_engine::StepState;
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
    /// The time of its steps by activity; frames do not count.
    pub spent: Vec<(Spell, Span)>,
}

/// One step in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineRow {
    /// The step of the row.
    pub step: StepIx,
    /// Stretches, the oldest first; pending has none.
    pub bars: Vec<Bar>,
    /// True if it is on the longest path through the run.
    pub critical: bool,
    /// True if the step is a frame with steps inside.
    pub is_frame: bool,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The beginning of the bar.
    pub from: Timestamp,
    /// Its end, or now.
    pub until: Timestamp,
    /// The activity of the step.
    pub what: Spell,
}

/// A stretch of a run's time: something is being done in it, or everything waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The beginning of the stretch.
    pub from: Timestamp,
    /// The end of the stretch.
    pub until: Timestamp,
    /// None while work is done. Otherwise the reason for the wait, or an inner none if it is unknown.
    pub waits: Option<Option<Spell>>,
}

/// The activity of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spell {
    /// Waits for a person.
    Gate,
    /// The step is running.
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
    /// Every activity, in order.
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
                Some(
                    WaitKind::Time | WaitKind::Facts | WaitKind::Target | WaitKind::Agent | WaitKind::Message,
                )
                | None => Self::Wait,
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
        let mut spent = Spell::ALL.map(|spell| (spell, Span(0)));
        let rows = run.steps().map(|(step, _, view)| {
            let bars = bars(view.phases(), until);
            if view.inside.is_none() {
                for bar in &bars {
                    spent[bar.what as usize].1.0 += bar.until.since(bar.from).0;
                }
            }
            TimelineRow { step, bars, critical: critical.contains(&step), is_frame: view.inside.is_some() }
        });
        let rows = rows.collect();
        let spent = spent.into_iter().filter(|(_, span)| span.0 > 0).collect();
        let mut timeline = Self { from: run.summary.created_at, until, rows, spent };
        // A clock that was set back leaves bars before the beginning.
        let bars = || timeline.rows.iter().flat_map(|row| &row.bars);
        let (first, last) = (bars().map(|bar| bar.from).min(), bars().map(|bar| bar.until).max());
        timeline.from = first.map_or(timeline.from, |moment| moment.min(timeline.from));
        timeline.until = last.map_or(timeline.until, |until| until.max(timeline.until)).max(timeline.from);
        timeline
    }

    /// The whole time of the run in stretches, one after the other. Where nothing is done for longer than this, it is
    /// one of waiting.
    pub fn stretches(&self, longest: Span) -> Vec<Stretch> {
        let acts = |bar: &&Bar| matches!(bar.what, Spell::Work | Spell::Undo);
        // A frame is open all the while what stands in it waits.
        let leaves = || self.rows.iter().filter(|row| !row.is_frame).flat_map(|row| &row.bars);
        let mut busy: Vec<(Timestamp, Timestamp)> =
            leaves().filter(acts).map(|bar| (bar.from, bar.until)).collect();
        busy.sort_unstable();
        busy.push((self.until, self.until));
        let mut out: Vec<Stretch> = Vec::new();
        let (mut begun, mut done) = (self.from, self.from);
        for (from, until) in busy {
            if from.since(done) > longest {
                if done > begun {
                    out.push(Stretch { from: begun, until: done, waits: None });
                }
                out.push(Stretch { from: done, until: from, waits: Some(waited(leaves(), done, from)) });
                begun = from;
            }
            done = done.max(until);
        }
        if done > begun || out.is_empty() {
            out.push(Stretch { from: begun, until: done.max(begun), waits: None });
        }
        out
    }
}

/// The activity with the most time in a stretch, over all steps.
fn waited<'b>(bars: impl Iterator<Item = &'b Bar>, from: Timestamp, until: Timestamp) -> Option<Spell> {
    let mut spent = Spell::ALL.map(|spell| (Span(0), spell));
    for bar in bars {
        spent[bar.what as usize].0.0 += bar.until.min(until).since(bar.from.max(from)).0;
    }
    let most = spent.into_iter().max_by_key(|(span, what)| (*span, std::cmp::Reverse(*what)));
    most.filter(|(span, _)| span.0 > 0).map(|(_, what)| what)
}

fn bars(phases: &[Phase], until: Timestamp) -> Vec<Bar> {
    let ends = phases.iter().skip(1).map(|phase| phase.at).chain([until]);
    let bars = phases.iter().zip(ends).filter_map(|(phase, end)| {
        Spell::of(*phase).map(|what| Bar { from: phase.at, until: end.max(phase.at), what })
    });
    bars.collect()
}

//! A run as a chart of time: which rows, in what order, and where an instant stands in so many cells when waiting is
//! squeezed. Made by `update`, drawn by `draw`; the times themselves are the projection's.

use super::moments::Moments;
use crate::{
    Mark,
    marks::{age, mark_of_step},
};
use cuelight_base::{RunId, Score, Seq, Span, StepIx, Timestamp};
use cuelight_engine::StepState;
use cuelight_projection::{Bar, Board, Medians, RunView, Spell, Stretch, Timeline};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

/// Stretches of waiting shorter than this, or than a tenth of the whole, are drawn as long as they were.
const SQUEEZE_LEAST: Span = Span(10_000);
/// Lanes that are told apart.
const LANES_MAX: usize = 16;
/// Steps that are named as slower than usual.
const SLOWER_MAX: usize = 5;

/// State of the view of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeState {
    pub run: Option<RunId>,
    pub selected: Option<StepIx>,
    pub top: usize,
    /// The number of times that the chart was doubled in width.
    pub zoom: u32,
    /// Cells scrolled out at the left.
    pub left: usize,
    pub look: TimeLook,
    /// The visible chart, made by `update` so that `draw` only paints.
    pub chart: Option<Arc<Chart>>,
    pub chart_of: Option<ChartOf>,
    pub medians: Arc<Medians>,
    pub medians_of: Option<(RunId, usize, usize)>,
    /// Events over time, for the rows under the chart.
    pub moments: Moments,
}

/// The choice of rows and their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TimeLook {
    pub order: TimeOrder,
    pub critical_only: bool,
    pub hide_idle: bool,
    /// Frames that were opened; the others hide what stands in them.
    pub open: BTreeSet<StepIx>,
}

/// The inputs that a chart was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChartOf {
    pub run: RunId,
    pub seq: Seq,
    pub second: i64,
    pub look: TimeLook,
    pub medians: usize,
}

/// By what rows are sorted; equal ones stay as the file has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimeOrder {
    /// As in the file.
    #[default]
    File,
    /// The earliest start first.
    Start,
    /// The longest duration first.
    Longest,
    /// Largest excess over the usual duration first.
    Slower,
}

impl TimeOrder {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Start => "start",
            Self::Longest => "longest",
            Self::Slower => "slower than usual",
        }
    }

    pub(crate) const fn next(self) -> Self {
        match self {
            Self::File => Self::Start,
            Self::Start => Self::Longest,
            Self::Longest => Self::Slower,
            Self::Slower => Self::File,
        }
    }
}

/// A run in time.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub run: RunId,
    pub from: Timestamp,
    /// Its end, or now.
    pub until: Timestamp,
    pub open: bool,
    pub rows: Vec<GanttRow>,
    pub stretches: Vec<Stretch>,
    /// When it will have ended, if all takes as long as usual and the people asked answer now.
    pub forecast: Option<Timestamp>,
    pub spent: Vec<(Spell, Span)>,
    pub critical: Vec<String>,
    pub critical_time: Span,
    /// Time lost to waiting on the critical path, by its cause.
    pub would_help: Vec<(Spell, Span)>,
    /// Steps that took longer than usual, the worst first: name, time, median.
    pub slower: Vec<(String, Span, Span)>,
    /// Runs that the medians are of.
    pub medians_of: usize,
    /// The bars of each slot; the last lane shows people.
    pub lanes: Vec<Lane>,
}

/// One slot, or people.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub name: String,
    pub bars: Vec<Bar>,
}

/// One step in the chart.
#[derive(Clone, Debug)]
pub(crate) struct GanttRow {
    pub step: StepIx,
    pub depth: usize,
    /// Its id, which may be foreign text.
    pub name: String,
    /// For a frame: the number of steps in it, and true if they have rows of their own.
    pub holds: Option<(u32, bool)>,
    pub mark: Mark,
    pub bars: Vec<Bar>,
    pub critical: bool,
    pub took: Option<Span>,
    pub median: Option<Span>,
    pub quality: Option<Score>,
    /// When it will be done, as far as can be told.
    pub planned: Option<(Timestamp, Timestamp)>,
}

impl GanttRow {
    /// By how many hundredths it is slower than usual.
    pub(crate) fn slower(&self) -> Option<u64> {
        let (took, median) = (self.took?, self.median?);
        (took > median).then(|| (took.0 - median.0) * 100 / median.0.max(1)).filter(|number| *number >= 10)
    }
}

impl Chart {
    /// The chart of a run as it is seen.
    pub(crate) fn of(
        board: &Board,
        run: &RunView,
        now: Timestamp,
        look: &TimeLook,
        medians: &Medians,
    ) -> Self {
        let timeline = Timeline::of(run, now);
        let planned = if medians.runs > 0 { planned(run, now, medians) } else { BTreeMap::new() };
        let open = !run.summary.state.rests();
        let whole = timeline.until.since(timeline.from);
        let stretches = timeline.stretches(Span((whole.0 / 10).max(SQUEEZE_LEAST.0)));
        let all: Vec<GanttRow> = run
            .steps()
            .zip(&timeline.rows)
            .map(|((step, plan, view), line)| GanttRow {
                step,
                depth: 0,
                name: if plan.local.is_empty() { plan.id.clone() } else { plan.local.clone() },
                holds: view.inside.as_ref().map(|counts| (counts.total(), look.open.contains(&step))),
                mark: mark_of_step(view, board, now),
                bars: line.bars.clone(),
                critical: line.critical,
                took: view.elapsed(now).filter(|_| !line.bars.is_empty()),
                median: medians.step(step),
                quality: view.confidence(),
                planned: planned.get(&step).copied(),
            })
            .collect();
        let critical: Vec<&GanttRow> = {
            let mut rows: Vec<&GanttRow> =
                all.iter().filter(|row| row.critical && !row.bars.is_empty()).collect();
            rows.sort_by_key(|row| (row.bars.first().map(|bar| bar.from), row.step));
            rows
        };
        let would_help = would_help(&critical);
        let critical_time = Span(critical.iter().filter_map(|row| row.took).map(|span| span.0).sum());
        let critical = critical.into_iter().map(|row| row.name.clone()).collect();
        let lanes = lanes(&timeline);
        let slower = slower(&all, run);
        let forecast = planned.values().map(|pair| pair.1).max().filter(|moment| open && *moment > now);
        Self {
            run: run.id(),
            from: timeline.from,
            until: timeline.until,
            open,
            rows: arranged(run, all, look),
            stretches,
            forecast,
            spent: timeline.spent,
            critical,
            critical_time,
            would_help,
            slower,
            medians_of: medians.runs,
            lanes,
        }
    }
}

/// The rows that are to be seen, each frame before what stands in it.
fn arranged(run: &RunView, all: Vec<GanttRow>, look: &TimeLook) -> Vec<GanttRow> {
    let mut inside: BTreeMap<Option<StepIx>, Vec<usize>> = BTreeMap::new();
    let mut wanted = vec![false; all.len()];
    for (step, plan, _) in run.steps() {
        inside.entry(plan.frame).or_default().push(step.index());
        let row = &all[step.index()];
        let fits = !(look.critical_only && !row.critical || look.hide_idle && row.bars.is_empty());
        if fits {
            wanted[step.index()] = true;
            run.frames_of(step).filter(|_| look.critical_only).for_each(|frame| wanted[frame.index()] = true);
        }
    }
    for siblings in inside.values_mut() {
        let start = |sibling: &usize| all[*sibling].bars.first().map_or(Timestamp(i64::MAX), |bar| bar.from);
        match look.order {
            TimeOrder::File => {}
            TimeOrder::Start => siblings.sort_by_key(start),
            TimeOrder::Longest => siblings.sort_by_key(|sibling| Reverse(all[*sibling].took)),
            TimeOrder::Slower => siblings.sort_by_key(|sibling| Reverse(all[*sibling].slower())),
        }
    }
    let mut rows: Vec<Option<GanttRow>> = all.into_iter().map(Some).collect();
    let mut out = Vec::new();
    let mut left: Vec<(usize, usize)> = Vec::new();
    let push = |frame: Option<StepIx>, depth: usize, left: &mut Vec<(usize, usize)>| {
        left.extend(inside.get(&frame).into_iter().flatten().rev().map(|number| (*number, depth)));
    };
    push(None, 0, &mut left);
    while let Some((index, depth)) = left.pop() {
        let Some(mut row) = rows[index].take().filter(|_| wanted[index]) else { continue };
        row.depth = depth;
        if row.holds.is_some_and(|pair| pair.1) {
            push(Some(row.step), depth + 1, &mut left);
        }
        out.push(row);
    }
    out
}

/// When each step that has not ended will begin and end, if it takes as long as usual.
fn planned(run: &RunView, now: Timestamp, medians: &Medians) -> BTreeMap<StepIx, (Timestamp, Timestamp)> {
    let mut out: BTreeMap<StepIx, (Timestamp, Timestamp)> = BTreeMap::new();
    if run.summary.state.rests() {
        return out;
    }
    let mut frames: BTreeMap<StepIx, Timestamp> = BTreeMap::new();
    // A frame ends with the last step in it, which stands behind it; so all is gone through until frames have ends.
    for _ in 0..2 {
        for (step, plan, view) in run.steps().filter(|(_, _, view)| !view.state.rests()) {
            let end_of = |step: &StepIx| frames.get(step).or(out.get(step).map(|pair| &pair.1)).copied();
            let before = plan.needs.iter().filter_map(end_of).max();
            let outer = plan.frame.and_then(|frame| out.get(&frame)).map(|pair| pair.0);
            let begin = match view.state {
                StepState::Pending | StepState::Ready => before.max(outer).unwrap_or(now).max(now),
                _ => view.started_at.unwrap_or(now),
            };
            let usual = medians.step(step).filter(|_| view.inside.is_none()).unwrap_or_default();
            let waits = view.state == StepState::Waiting;
            let end = if waits { now } else { (begin + usual).max(now) };
            out.insert(step, (begin, end));
            for frame in run.frames_of(step) {
                let last = frames.entry(frame).or_insert(end);
                *last = end.max(*last);
            }
        }
    }
    for (frame, end) in frames {
        if let Some(pair) = out.get_mut(&frame) {
            pair.1 = end;
        }
    }
    out.retain(|_, (_, end)| *end > now);
    out
}

/// Time that the run would have saved so far if nothing on its critical path had waited for people or slots.
fn would_help(critical: &[&GanttRow]) -> Vec<(Spell, Span)> {
    let all = |what: Spell| {
        let bars = critical.iter().flat_map(|row| &row.bars).filter(|bar| bar.what == what);
        Span(bars.map(|bar| bar.until.since(bar.from).0).sum())
    };
    let helps = [Spell::Gate, Spell::Queue].map(|spell| (spell, all(spell)));
    helps.into_iter().filter(|(_, span)| *span >= HELP_LEAST).collect()
}

fn slower(rows: &[GanttRow], run: &RunView) -> Vec<(String, Span, Span)> {
    let outer = |row: &&GanttRow| run.plan_step(row.step).is_some_and(|plan_step| plan_step.frame.is_none());
    let mut slower: Vec<&GanttRow> = rows.iter().filter(outer).filter(|row| row.slower().is_some()).collect();
    let more = |row: &&GanttRow| Reverse(row.took.unwrap_or_default().0 - row.median.unwrap_or_default().0);
    slower.sort_by_key(more);
    slower.truncate(SLOWER_MAX);
    slower.into_iter().filter_map(|row| Some((row.name.clone(), row.took?, row.median?))).collect()
}

/// Work in as few lanes as it can have been done in, and how long people were waited for.
fn lanes(timeline: &Timeline) -> Vec<Lane> {
    let leaves = || timeline.rows.iter().filter(|row| !row.is_frame).flat_map(|row| &row.bars);
    let mut work: Vec<Bar> =
        leaves().filter(|bar| matches!(bar.what, Spell::Work | Spell::Undo)).copied().collect();
    work.sort_by_key(|bar| (bar.from, bar.until));
    let mut lanes: Vec<Vec<Bar>> = Vec::new();
    let mut free: BTreeSet<usize> = BTreeSet::new();
    let mut busy: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    for bar in work {
        while let Some(Reverse((until, lane))) =
            busy.peek().copied().filter(|reverse| reverse.0.0 <= bar.from)
        {
            debug_assert!(until <= bar.from, "it was looked at");
            busy.pop();
            free.insert(lane);
        }
        let lane = free.pop_first().unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        busy.push(Reverse((bar.until, lane)));
        lanes[lane].push(bar);
    }
    let more = lanes.len().saturating_sub(LANES_MAX);
    lanes.truncate(LANES_MAX);
    let mut out: Vec<Lane> = lanes
        .into_iter()
        .enumerate()
        .map(|(index, bars)| Lane { name: format!("slot {}", index + 1), bars })
        .collect();
    if more > 0 {
        out.push(Lane { name: format!("{more} more"), bars: Vec::new() });
    }
    let people: Vec<Bar> =
        leaves().filter(|bar| matches!(bar.what, Spell::Gate | Spell::Doubt)).copied().collect();
    if !people.is_empty() {
        out.push(Lane { name: "people".to_owned(), bars: people });
    }
    out
}

/// Waiting of less is not worth a word.
const HELP_LEAST: Span = Span::seconds(1);

/// Cells that the word for now takes behind its line.
const NOW_WIDTH: usize = 3;

/// The mapping from instants to a number of cells.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// Each with its first cell and how many it has.
    parts: Vec<(Stretch, usize, usize)>,
    width: usize,
    /// The cell of now, while the run goes on.
    pub now: Option<usize>,
    from: Timestamp,
}

impl Scale {
    /// The whole chart in so many cells: stretches of waiting have as many as their label, the others share the rest.
    pub(crate) fn of(chart: &Chart, width: usize) -> Self {
        let mut stretches = chart.stretches.clone();
        let ahead = chart.forecast.filter(|forecast| *forecast > chart.until);
        let ahead_width = if ahead.is_some() { (width / 6).clamp(4, 16) } else { NOW_WIDTH };
        let room = width.saturating_sub(if chart.open { ahead_width } else { 0 }).max(1);
        let squeezed =
            |stretch: &Stretch| if stretch.waits.is_some() { label(stretch).chars().count() + 2 } else { 0 };
        let mut fixed: usize = stretches.iter().map(squeezed).sum();
        // Where labels would leave nothing for the work, waiting is drawn as long as it was.
        if fixed * 2 > room {
            stretches.iter_mut().for_each(|stretch| stretch.waits = None);
            fixed = 0;
        }
        let spans =
            |stretch: &Stretch| if stretch.waits.is_some() { 0 } else { stretch.until.since(stretch.from).0 };
        let total: u64 = stretches.iter().map(spans).sum::<u64>().max(1);
        let rest = (room - fixed) as u64;
        let (mut parts, mut cell, mut gone) = (Vec::new(), 0_usize, 0_u64);
        for stretch in stretches {
            let wide = if stretch.waits.is_some() {
                squeezed(&stretch)
            } else {
                let before = share(gone, rest, total);
                gone += spans(&stretch);
                share(gone, rest, total) - before
            };
            parts.push((stretch, cell, wide));
            cell += wide;
        }
        let now = chart.open.then_some(cell);
        if let Some(end) = ahead {
            let stretch = Stretch { from: chart.until, until: end, waits: None };
            parts.push((stretch, cell, width.saturating_sub(cell)));
        }
        Self { parts, width, now, from: chart.from }
    }

    /// The cell of an instant.
    pub(crate) fn cell(&self, at: Timestamp) -> usize {
        let index = self.parts.partition_point(|(stretch, _, _)| stretch.from <= at).saturating_sub(1);
        let Some((stretch, first, wide)) = self.parts.get(index) else { return 0 };
        let whole = stretch.until.since(stretch.from).0.max(1);
        let gone = at.min(stretch.until).since(stretch.from).0;
        (first + share(gone, *wide as u64, whole)).min(self.width)
    }

    /// The squeezed stretches: first cell, number of cells, and label.
    pub(super) fn squeezed(&self) -> impl Iterator<Item = (usize, usize, String)> {
        self.parts
            .iter()
            .filter(|(stretch, _, _)| stretch.waits.is_some())
            .map(|(stretch, cell, wide)| (*cell, *wide, label(stretch)))
    }

    /// Marks of the axis: cell and text, parted by at least so many cells.
    pub(super) fn ticks(&self, least: usize) -> Vec<(usize, String)> {
        const STEPS: [u64; 22] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000,
            300_000, 600_000, 1_800_000, 3_600_000, 14_400_000, 86_400_000,
        ];
        let long: Option<&(Stretch, usize, usize)> =
            self.parts.iter().filter(|part| part.0.waits.is_none()).max_by_key(|part| part.2);
        let Some((stretch, _, wide)) = long.filter(|row| row.2 > 0) else { return Vec::new() };
        let each = stretch.until.since(stretch.from).0.max(1) * least as u64 / *wide as u64;
        let step =
            STEPS.into_iter().find(|step| *step >= each).unwrap_or_else(|| each.next_multiple_of(86_400_000));
        let mut out: Vec<(usize, String)> = Vec::new();
        // What is written there already: where waiting is squeezed, and now.
        let mut taken: Vec<(usize, usize)> =
            self.squeezed().map(|(cell, wide, _)| (cell, cell + wide)).collect();
        taken.extend(self.now.map(|cell| (cell, cell + NOW_WIDTH + 1)));
        for (stretch, first, wide) in self.parts.iter().filter(|part| part.0.waits.is_none()) {
            let begin = stretch.from.since(self.from).0.next_multiple_of(step);
            let end = stretch.until.since(self.from).0;
            let mut at = begin;
            while at <= end && out.len() <= self.width {
                let (cell, text) = (self.cell(self.from + Span(at)), tick(at, step));
                let end = cell + text.chars().count();
                let free = out.last().is_none_or(|(before, text)| cell > before + text.chars().count() + 1)
                    && taken.iter().all(|(from, until)| end < *from || cell > *until);
                if free && cell < first + (*wide).max(1) {
                    out.push((cell, text));
                }
                at += step;
            }
        }
        out
    }
}

fn tick(at: u64, step: u64) -> String {
    if step < 1_000 { format!("{at}ms") } else { Span(at).to_string() }
}

fn label(stretch: &Stretch) -> String {
    let span = stretch.until.since(stretch.from);
    let what = stretch.waits.flatten().map_or("", Spell::word);
    format!("{} {what}", age(span)).trim_end().to_owned()
}

fn share(part: u64, cells: u64, whole: u64) -> usize {
    let share = u128::from(part) * u128::from(cells) / u128::from(whole.max(1));
    usize::try_from(share).unwrap_or(usize::MAX)
}

//! One run's graph as it can be drawn: every step from the start, what needs what, and the critical path.

use crate::{Board, RunView, StepView, WaitKind};
use cuelight_base::{Span, StepIx, Timestamp};
use cuelight_engine::StepState;
use cuelight_plan::{FrameKind, PlanStep, Work};
use std::collections::BTreeMap;

/// One run's steps and what needs what. The place of a node is its step's index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// All steps, frames too, in file order.
    pub nodes: Vec<Node>,
    /// From what is needed to what needs it.
    pub edges: Vec<(StepIx, StepIx)>,
    /// The longest way through the run, in the order of time.
    pub critical: Vec<StepIx>,
    /// The duration of the critical path so far.
    pub critical_time: Span,
}

/// One step in the graph of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own to one step")]
pub struct Node {
    /// The step in the plan.
    pub step: StepIx,
    /// Its id in the run.
    pub id: String,
    /// Its id in the frame it stands in.
    pub local: String,
    /// The frame it stands in.
    pub frame: Option<StepIx>,
    /// True if the step is a frame with steps inside.
    pub is_frame: bool,
    /// Steps with the same number here are copies of one.
    pub copy_of: Option<StepIx>,
    /// The state of the step.
    pub state: StepState,
    /// The kind of its wait; none when it does not wait.
    pub wait: Option<WaitKind>,
    /// True if over half of the time of its gate has passed.
    pub late: bool,
    /// True if it ended by a timeout.
    pub timed_out: bool,
    /// True if an operator wants to see it: it runs, waits, failed, is undone or in doubt.
    pub hot: bool,
    /// Progress or why, in a few cells: `4m 1/2`.
    pub note: String,
    /// True if it is on the longest path through the run, or contains a step that is.
    pub critical: bool,
}

impl Graph {
    /// The graph of a run as it is now.
    pub fn of(board: &Board, run: &RunView, now: Timestamp) -> Self {
        let copies = copies(run);
        let (critical, critical_time) = Self::critical_path(run, now);
        let mut nodes: Vec<Node> = run
            .steps()
            .zip(copies)
            .map(|((step, plan, view), copy_of)| Node { copy_of, ..node(board, step, plan, view, now) })
            .collect();
        for step in &critical {
            nodes[step.index()].critical = true;
            run.frames_of(*step).for_each(|frame| nodes[frame.index()].critical = true);
        }
        let edges = run.steps().flat_map(|(step, plan, _)| plan.needs.iter().map(move |need| (*need, step)));
        let edges = edges.filter(|(need, _)| need.index() < run.len()).collect();
        Self { nodes, edges, critical, critical_time }
    }

    /// One step as it is now; whether it is a copy, or on the longest way, is a question to the whole graph.
    pub fn node(board: &Board, run: &RunView, step: StepIx, now: Timestamp) -> Option<Node> {
        Some(node(board, step, run.plan_step(step)?, run.step(step)?, now))
    }

    /// The longest way through a run, in the order of time, and how long it has taken.
    pub fn critical_path(run: &RunView, now: Timestamp) -> (Vec<StepIx>, Span) {
        let critical = critical_path(run, now);
        let elapsed =
            |step: &StepIx| run.step(*step).and_then(|view| view.elapsed(now)).map_or(0, |elapsed| elapsed.0);
        let time = Span(critical.iter().map(elapsed).sum());
        (critical, time)
    }
}

fn node(board: &Board, step: StepIx, plan: &PlanStep, view: &StepView, now: Timestamp) -> Node {
    Node {
        step,
        id: plan.id.clone(),
        local: plan.local.clone(),
        frame: plan.frame,
        is_frame: matches!(plan.work, Work::Frame(_)),
        copy_of: None,
        state: view.state,
        wait: view.wait_kind(),
        late: is_late(board, view, now),
        timed_out: view.is_timed_out(),
        hot: view.inside.is_none() && is_hot(view.state),
        note: note(board, plan, view, now),
        critical: false,
    }
}

const fn is_hot(state: StepState) -> bool {
    match state {
        StepState::Waiting
        | StepState::Running
        | StepState::Failed
        | StepState::Rejected
        | StepState::Undoing
        | StepState::InDoubt => true,
        StepState::Pending
        | StepState::Ready
        | StepState::Completed
        | StepState::Partial
        | StepState::Skipped
        | StepState::Cancelled
        | StepState::Undone => false,
    }
}

fn is_late(board: &Board, view: &StepView, now: Timestamp) -> bool {
    let gate = view.gate().and_then(|gate| board.gate(gate)).filter(|gate| gate.is_open());
    gate.and_then(|gate| Some((gate.ask.opened_at, gate.ask.expires_at?)))
        .is_some_and(|(from, until)| now.since(from).0 * 2 > until.since(from).0)
}

fn note(board: &Board, plan: &PlanStep, view: &StepView, now: Timestamp) -> String {
    if let Some(inside) = &view.inside {
        return inside.progress().to_string();
    }
    let elapsed = view.elapsed(now).map(|elapsed| elapsed.to_string()).unwrap_or_default();
    match view.state {
        StepState::Waiting => match view.wait() {
            Some(cuelight_engine::WaitReason::Person(gate)) => {
                let votes =
                    board.gate(*gate).map(|gate| format!(" {}/{}", gate.approvals().count(), gate.needed()));
                format!("{}{}", now.since(view.since), votes.unwrap_or_default())
            }
            Some(cuelight_engine::WaitReason::BackOff { until, next }) => {
                let max = plan.retry.as_ref().map_or(1, |retry| retry.max_attempts);
                format!("{}/{max} {}", next.saturating_sub(1), until.since(now))
            }
            Some(cuelight_engine::WaitReason::Time(until)) => until.since(now).to_string(),
            Some(
                cuelight_engine::WaitReason::Target { until: Some(until), .. }
                | cuelight_engine::WaitReason::Candidates { fails_at: Some(until), .. }
                | cuelight_engine::WaitReason::Agent { fails_at: Some(until), .. }
                | cuelight_engine::WaitReason::Message { until: Some(until), .. },
            ) => until.since(now).to_string(),
            Some(
                cuelight_engine::WaitReason::Facts
                | cuelight_engine::WaitReason::Candidates { fails_at: None, .. }
                | cuelight_engine::WaitReason::Target { until: None, .. }
                | cuelight_engine::WaitReason::Agent { fails_at: None, .. }
                | cuelight_engine::WaitReason::Message { until: None, .. },
            )
            | None => String::new(),
        },
        StepState::Running if view.calls > 1 => format!("{elapsed} try {}", view.calls),
        StepState::Failed => view.error().map_or_else(String::new, |error| error.mode.label()),
        StepState::Running | StepState::Completed | StepState::Partial => elapsed,
        StepState::Pending
        | StepState::Ready
        | StepState::Rejected
        | StepState::Skipped
        | StepState::Cancelled
        | StepState::Undoing
        | StepState::Undone
        | StepState::InDoubt => String::new(),
    }
}

/// For each step, the first of those it is a copy of the same thing as: copies of a matrix, and what stands in them.
fn copies(run: &RunView) -> Vec<Option<StepIx>> {
    let mut first: BTreeMap<(StepIx, &str), StepIx> = BTreeMap::new();
    let mut out: Vec<Option<StepIx>> = vec![None; run.len()];
    for (step, plan, _) in run.steps() {
        let Some(frame) = plan.frame else { continue };
        let of = run.plan_step(frame).and_then(|plan_step| plan_step.work.frame());
        let is_matrix =
            of.is_some_and(|frame| matches!(frame.kind, FrameKind::Matrix | FrameKind::Computed { .. }));
        let template = out.get(frame.index()).copied().flatten();
        if is_matrix || template.is_some() {
            let name = if is_matrix { "" } else { plan.local.as_str() };
            out[step.index()] = Some(*first.entry((template.unwrap_or(frame), name)).or_insert(step));
        }
    }
    out
}

/// The longest way through the run by what needs what, with the time each step has taken so far. A frame begins when
/// it may open and ends with the last step in it.
pub(super) fn critical_path(run: &RunView, now: Timestamp) -> Vec<StepIx> {
    let count = run.len();
    // Two points for each step: its beginning (2n) and its end (2n + 1).
    let mut links: Vec<(usize, usize)> = Vec::with_capacity(3 * count);
    let mut open = vec![0_u32; 2 * count];
    let mut link = |from: usize, to: usize| {
        links.push((from, to));
        open[to] += 1;
    };
    for (step, plan, _) in run.steps() {
        let index = step.index();
        link(2 * index, 2 * index + 1);
        plan.needs
            .iter()
            .filter(|step| step.index() < count)
            .for_each(|step| link(2 * step.index() + 1, 2 * index));
        if let Some(frame) = plan.frame.filter(|frame| frame.index() < count) {
            link(2 * frame.index(), 2 * index);
            link(2 * index + 1, 2 * frame.index() + 1);
        }
    }
    // The links of each point, one after the other in one list.
    let mut first = vec![0_usize; 2 * count + 1];
    links.iter().for_each(|(from, _)| first[from + 1] += 1);
    (0..2 * count).for_each(|point| first[point + 1] += first[point]);
    let mut after = vec![0; links.len()];
    let mut next_of = first.clone();
    for (from, to) in links {
        after[next_of[from]] = to;
        next_of[from] += 1;
    }
    let time = |point: usize| {
        let step =
            run.step(StepIx::from_index(point / 2)).filter(|step| point % 2 == 1 && step.inside.is_none());
        step.map_or(0, |step| step.elapsed(now).map_or(1, |elapsed| elapsed.0.max(1)))
    };
    let mut reached = vec![0_u64; 2 * count];
    let mut through: Vec<Option<usize>> = vec![None; 2 * count];
    let mut free: Vec<usize> = (0..2 * count).rev().filter(|index| open[*index] == 0).collect();
    while let Some(point) = free.pop() {
        reached[point] += time(point);
        for &next in &after[first[point]..first[point + 1]] {
            if through[next].is_none() || reached[point] > reached[next] {
                (reached[next], through[next]) = (reached[point], Some(point));
            }
            open[next] -= 1;
            if open[next] == 0 {
                free.push(next);
            }
        }
    }
    let last = (0..2 * count).rev().max_by_key(|index| reached[*index]);
    let back = std::iter::successors(last, |value| through[*value]);
    let mut path: Vec<StepIx> = back
        .filter(|number| number % 2 == 1)
        .map(|number| StepIx::from_index(number / 2))
        .filter(|step| run.step(*step).is_some_and(|view| view.inside.is_none()))
        .collect();
    path.reverse();
    path
}

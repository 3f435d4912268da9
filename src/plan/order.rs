//! The order of steps: an order that keeps every need, the stages, and the longest way through.
//!
//! A frame begins before its children and ends after the last of them. So every step is two points, its
//! beginning and its end. Everything here is one walk over these points.

use crate::{Plan, PlanStep, Work};
use cuelight_base::{Span, StepIx};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

/// The steps in an order in which each stands after its needs and its frame; among equals, as in the file.
///
/// # Errors
/// When steps wait for each other in a circle; the text shows it. The checker refuses such a file before.
pub fn order(plan: &Plan) -> Result<Vec<StepIx>, String> {
    let points = walk(&plan.steps)?;
    Ok(points.into_iter().filter(|point| point % 2 == 0).map(|point| StepIx::from_index(point / 2)).collect())
}

/// The longest way through a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// The time that it takes.
    pub length: Span,
    /// The steps on it in order, without frames.
    pub steps: Vec<StepIx>,
}

/// The chain of steps that takes longest, given the duration of each. The duration of a step in a circle
/// counts nothing.
pub fn critical_path(plan: &Plan, duration: impl Fn(StepIx, &PlanStep) -> Span) -> CriticalPath {
    let reached = reach(plan, |ix, step| duration(ix, step).0);
    let Some(last) = (0..reached.at.len()).max_by_key(|index| (reached.at[*index], Reverse(*index))) else {
        return CriticalPath::default();
    };
    let mut steps = Vec::new();
    let mut point = Some(last);
    while let Some(number) = point {
        if number % 2 == 1 && !is_frame(&plan.steps[number / 2]) {
            steps.push(StepIx::from_index(number / 2));
        }
        point = reached.from[number];
    }
    steps.reverse();
    CriticalPath { length: Span(reached.at[last]), steps }
}

/// The least number of steps that must have ended before each step can begin, by the longest chain of needs.
pub(super) fn levels(plan: &Plan) -> Vec<usize> {
    let reached = reach(plan, |_, _| 1);
    let level = |ix: usize| usize::try_from(reached.at[2 * ix]).unwrap_or(usize::MAX);
    (0..plan.steps.len()).map(level).collect()
}

fn is_frame(step: &PlanStep) -> bool {
    matches!(step.work, Work::Frame(_))
}

/// For every point, when it is reached at the earliest, and from which point.
struct Reached {
    at: Vec<u64>,
    from: Vec<Option<usize>>,
}

fn reach(plan: &Plan, weight: impl Fn(StepIx, &PlanStep) -> u64) -> Reached {
    let count = 2 * plan.steps.len();
    let mut reached = Reached { at: vec![0; count], from: vec![None; count] };
    let next = followers(&plan.steps);
    for point in walk(&plan.steps).unwrap_or_default() {
        let step = &plan.steps[point / 2];
        let takes =
            if point % 2 == 0 && !is_frame(step) { weight(StepIx::from_index(point / 2), step) } else { 0 };
        for &to in &next[point] {
            let inside = if to == point + 1 { takes } else { 0 };
            let at = reached.at[point].saturating_add(inside);
            if reached.from[to].is_none() || at > reached.at[to] {
                reached.at[to] = at;
                reached.from[to] = Some(point);
            }
        }
    }
    reached
}

/// The points that come after each point: the end after the beginning, a step after its needs, a child inside
/// its frame.
fn followers(steps: &[PlanStep]) -> Vec<Vec<usize>> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); 2 * steps.len()];
    for (index, step) in steps.iter().enumerate() {
        let (begin, end) = (2 * index, 2 * index + 1);
        next[begin].push(end);
        for need in &step.needs {
            next[2 * need.index() + 1].push(begin);
        }
        if let Some(frame) = step.frame {
            next[2 * frame.index()].push(begin);
            next[end].push(2 * frame.index() + 1);
        }
    }
    next
}

/// All points, each after what comes before it, the first of the file first.
fn walk(steps: &[PlanStep]) -> Result<Vec<usize>, String> {
    let next = followers(steps);
    let mut missing = vec![0_usize; next.len()];
    next.iter().flatten().for_each(|to| missing[*to] += 1);
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..next.len()).filter(|index| missing[*index] == 0).map(Reverse).collect();
    let mut out = Vec::with_capacity(next.len());
    while let Some(Reverse(point)) = ready.pop() {
        out.push(point);
        for &to in &next[point] {
            missing[to] -= 1;
            if missing[to] == 0 {
                ready.push(Reverse(to));
            }
        }
    }
    if out.len() == next.len() { Ok(out) } else { Err(circle(steps, &missing)) }
}

/// Names the steps of one circle: from any step that never became ready, always on to a need that did not
/// either.
fn circle(steps: &[PlanStep], missing: &[usize]) -> String {
    let stuck = |ix: usize| missing[2 * ix] > 0;
    let mut seen = BTreeSet::new();
    let mut way = Vec::new();
    let mut at = (0..steps.len()).find(|index| stuck(*index));
    while let Some(index) = at {
        way.push(index);
        if !seen.insert(index) {
            break;
        }
        let before = steps[index].needs.iter().chain(&steps[index].frame).map(|step| step.index());
        at = before.into_iter().find(|index| stuck(*index));
    }
    let start = way.last().and_then(|last| way.iter().position(|value| value == last)).unwrap_or(0);
    let names: Vec<&str> = way[start..].iter().rev().map(|value| steps[*value].id.as_str()).collect();
    format!("could not plan: steps wait for each other: {}; take one of these needs out", names.join(" → "))
}

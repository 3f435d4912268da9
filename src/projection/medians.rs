//! The past durations of the steps of a run: the median over earlier runs of the same workflow that are still
//! whole.

use crate::{Board, RunView};
use cuelight_base::{RunId, Span, StepIx};
use std::{collections::BTreeMap, sync::Arc};

/// Earlier runs that are looked at, the newest first.
const RUNS_MAX: usize = 40;

/// The usual durations of a workflow's steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Medians {
    /// The number of earlier runs.
    pub runs: usize,
    /// By step, how long it takes; only of those that were done before.
    pub steps: BTreeMap<StepIx, Span>,
}

impl Medians {
    /// The medians over the earlier runs of the same workflow.
    pub fn of(board: &Board, run: &RunView) -> Self {
        let earlier = earlier(board, run);
        let names: BTreeMap<&str, StepIx> =
            run.steps().map(|(step, plan, _)| (plan.id.as_str(), step)).collect();
        let mut took: BTreeMap<StepIx, Vec<Span>> = BTreeMap::new();
        for before in &earlier {
            let same = before.summary.plan_hash == run.summary.plan_hash;
            for (step, plan, view) in before.steps() {
                if !view.state.is_done() || view.is_kept() {
                    continue;
                }
                // The same plan has the same steps in the same places.
                let step = if same { Some(step) } else { names.get(plan.id.as_str()).copied() };
                if let (Some(step), Some(span)) = (step, view.elapsed(before.summary.changed_at)) {
                    took.entry(step).or_default().push(span);
                }
            }
        }
        let steps = took.into_iter().map(|(step, spans)| (step, median(spans))).collect();
        Self { runs: earlier.len(), steps }
    }

    /// The usual duration of this step; none when it has not run before.
    pub fn step(&self, step: StepIx) -> Option<Span> {
        self.steps.get(&step).copied()
    }
}

/// Earlier runs of the same workflow that are whole and came to rest, the newest first.
fn earlier<'b>(board: &'b Board, run: &RunView) -> Vec<&'b Arc<RunView>> {
    let ids: Vec<RunId> = board
        .summaries()
        .filter(|summary| {
            summary.id < run.id() && summary.workflow == run.summary.workflow && summary.state.rests()
        })
        .map(|summary| summary.id)
        .collect();
    ids.into_iter().rev().filter_map(|id| board.run(id)).take(RUNS_MAX).collect()
}

/// The middle one; the lower of two.
fn median(mut spans: Vec<Span>) -> Span {
    spans.sort_unstable();
    spans.get(spans.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

//! What is known of a run that did not complete, and how it can be done again.

use crate::{
    base::{RunId, Score, StepIx},
    engine::{
        Actor, CauseOfLaunch, PartialResult, Refusal, RetryFrom, RunEvent, StepEvent, StepState,
        handle::Turn, run::Run, settle,
    },
    plan::Work,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The partial result of a run at rest (O4). Frames are not counted, their steps are.
pub(super) fn partial_result(run: &Run) -> PartialResult {
    let leaves = || {
        let all = (0..run.steps.len()).map(StepIx::from_index);
        all.filter(|it| !matches!(run.plan_step(*it).work, Work::Frame(_)))
    };
    let count = |wanted: &dyn Fn(StepState) -> bool| {
        u32::try_from(leaves().filter(|it| wanted(run.step(*it).state())).count()).unwrap_or(u32::MAX)
    };
    let completed = count(&|it| matches!(it, StepState::Completed | StepState::Partial));
    let failed = count(&|it| matches!(it, StepState::Failed | StepState::Rejected));
    let total = u32::try_from(leaves().count()).unwrap_or(u32::MAX);
    let first = run.aborted.or_else(|| leaves().find(|it| run.step(*it).error.is_some()));
    let mode = first.and_then(|it| run.step(it).error.as_ref()).map(|it| it.mode);
    let ratio = Score::ratio(u64::from(completed), u64::from(total));
    let manual = mode.is_none_or(|it| it.is_terminal() || !it.is_retryable() && !is_plain(it));
    let suggestion = match ratio.0 {
        _ if manual => "manual",
        7500.. => "retry-failed",
        2500.. => "retry-from-checkpoint",
        _ => "retry-all",
    };
    PartialResult {
        completed,
        failed,
        remaining: total - completed - failed,
        completion_ratio: ratio,
        failure_mode: mode,
        failure_point: first.map(|it| run.plan_step(it).id.clone()),
        suggestion: suggestion.to_owned(),
    }
}

/// A plain non-zero exit: trying again is a person's choice, and may well help.
fn is_plain(mode: crate::base::FailureMode) -> bool {
    matches!(mode, crate::base::FailureMode::AgentLogic | crate::base::FailureMode::PartialStepFailures)
}

impl Turn<'_> {
    /// A linked run of the same plan; steps that are not done again keep their results, by identity.
    pub(super) fn retry(&mut self, of: RunId, from: RetryFrom, by: Actor) -> Result<(), Refusal> {
        let run = self.world.runs.get(&of).ok_or(Refusal::NoRun(of))?;
        if !run.state.rests() {
            let valid = Some("cancel it first, or wait for its end".to_owned());
            return Err(Refusal::RunState { run: of, state: run.state, verb: "retry".to_owned(), valid });
        }
        if self.world.open_runs >= crate::base::OPEN_RUNS_MAX {
            return Err(Refusal::TooManyRuns(self.world.open_runs));
        }
        // In the order in which they were done, so that they are undone in reverse of that.
        let mut steps: Vec<StepIx> = kept(run, from).into_iter().collect();
        let places: BTreeMap<StepIx, usize> =
            run.completed.iter().enumerate().map(|(at, step)| (*step, at)).collect();
        steps.sort_by_key(|it| (places.get(it).copied().unwrap_or(usize::MAX), *it));
        let kept: Vec<(StepIx, StepEvent)> = steps.into_iter().map(|it| (it, result_of(run, it))).collect();
        let created = RunEvent::Created {
            plan: Arc::clone(&run.plan),
            plan_hash: run.plan_hash,
            by,
            seed: run.seed.to_string(),
            cause: CauseOfLaunch::Retry { of, from },
            trace: run.trace.clone(),
        };
        let id = self.world.next_run_id();
        self.emit_run(id, created);
        for (step, event) in kept {
            self.emit_step(id, step, event);
        }
        Ok(())
    }
}

fn is_done(run: &Run, step: StepIx) -> bool {
    matches!(run.step(step).state(), StepState::Completed | StepState::Partial)
}

/// The steps of the plan that keep their results. A frame is kept only with all that stands in it.
fn kept(run: &Run, from: RetryFrom) -> BTreeSet<StepIx> {
    let all = || (0..run.plan.steps.len()).map(StepIx::from_index);
    let done: BTreeSet<StepIx> = all().filter(|it| is_done(run, *it)).collect();
    let mut kept = match from {
        RetryFrom::All => BTreeSet::new(),
        RetryFrom::Failed => done,
        RetryFrom::Checkpoint => {
            let open = all().filter(|it| !is_done(run, *it) && run.plan_step(*it).frame.is_none());
            let mut common: Option<BTreeSet<StepIx>> = None;
            for step in open {
                let above = ancestors(run, step);
                common = Some(match common {
                    None => above,
                    Some(so_far) => so_far.intersection(&above).copied().collect(),
                });
            }
            let common = common.unwrap_or_default();
            done.intersection(&common).copied().collect()
        }
    };
    // A step in a computed matrix or an undone, reopened frame has no place in the new plan until that opens.
    let closed: Vec<StepIx> =
        kept.iter().copied().filter(|it| matches!(run.plan_step(*it).work, Work::Frame(_))).collect();
    for frame in closed {
        kept.extend(
            settle::descendants(run, frame).into_iter().filter(|it| it.index() < run.plan.steps.len()),
        );
    }
    kept
}

fn ancestors(run: &Run, step: StepIx) -> BTreeSet<StepIx> {
    let (mut found, mut open) = (BTreeSet::new(), vec![step]);
    while let Some(at) = open.pop() {
        for need in &run.plan_step(at).needs {
            if found.insert(*need) {
                open.push(*need);
            }
        }
    }
    found
}

fn result_of(run: &Run, step: StepIx) -> StepEvent {
    let it = run.step(step);
    if !is_done(run, step) {
        return StepEvent::Skipped { why: crate::engine::Why::Kept };
    }
    let approved = |it: StepIx| Some((it, run.step(it).approved?));
    let is_gate = matches!(run.plan_step(step).work, Work::Gate(_));
    let planned = run.plan.steps.len();
    let released = run.after(step).into_iter().filter(|it| it.index() < planned).filter_map(approved);
    StepEvent::Completed {
        outputs: it.outputs.clone(),
        confidence: it.confidence,
        partial: it.state() == StepState::Partial,
        fallback: it.work,
        kept: true,
        released: if is_gate { released.collect() } else { Vec::new() },
    }
}

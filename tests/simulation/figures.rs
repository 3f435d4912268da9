//! The figures that people read (`docs/GLOSSARY.md`), counted from the journal alone: progress, health, age, took.
//! The board counts them event by event; here each is computed once, at the end, from its definition.

use crate::checks::{Broken, ensure};
use cuelight_base::{RunId, StepIx, Timestamp};
use cuelight_engine::{Event, Fact, RunEvent, RunState, StepEvent, StepState, Why};
use cuelight_projection::{Board, RunView};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Step results and ended runs that the health covers.
const RESULTS: usize = 100;
const RUNS: usize = 10;

/// I36: each figure on the board is the one that its definition gives.
pub(crate) fn agree(journal: &[Arc<Event>], board: &Board, now: Timestamp) -> Result<(), Broken> {
    let mut whole = Vec::new();
    let mut ended: Vec<(RunId, RunState)> = Vec::new();
    let mut left_out: BTreeSet<(RunId, StepIx)> = BTreeSet::new();
    let mut times: BTreeMap<RunId, [Option<Timestamp>; 3]> = BTreeMap::new();
    for event in journal {
        match &event.fact {
            Fact::Run(id, run_event) => {
                let [created, started, end] = times.entry(*id).or_default();
                match run_event {
                    RunEvent::Created { .. } => *created = Some(event.at),
                    RunEvent::Started => *started = Some(event.at),
                    RunEvent::Compensating => *end = None,
                    RunEvent::Ended { state, .. } => {
                        *end = Some(event.at);
                        ended.retain(|(run, _)| run != id);
                        ended.push((*id, *state));
                    }
                    _ => {}
                }
            }
            Fact::Step(id, step, step_event) => {
                if is_counted(board, *id, *step) {
                    whole.extend(halves_of(step_event));
                }
                let is_out = match step_event {
                    StepEvent::Skipped { why: Why::Condition | Why::Person { .. } | Why::Kept } => true,
                    StepEvent::Skipped { why: Why::Need(other) | Why::Frame(other) } => {
                        left_out.contains(&(*id, *other))
                    }
                    _ => false,
                };
                left_out.remove(&(*id, *step));
                left_out.extend(is_out.then_some((*id, *step)));
            }
            _ => {}
        }
    }
    let halves_of_runs: Vec<u64> = ended.iter().filter_map(|(_, state)| worth(*state)).collect();
    let (steps, runs) = (share(&whole, RESULTS), share(&halves_of_runs, RUNS));
    let shown = u64::from(board.health().0);
    ensure(shown == steps.min(runs), || format!("I36 health {shown}, of steps {steps} and of runs {runs}"))?;
    for (id, [created, started, end]) in times {
        let Some(view) = board.run(id) else { continue };
        let summary = &view.summary;
        let (done, all) = progress_of(view, &left_out);
        let shown = summary.progress();
        ensure((shown.done, shown.all) == (done, all), || {
            format!("I36 {id} is at {done}/{all}, not {shown}")
        })?;
        ensure((shown.percent() == 100) == (done == all), || {
            format!("I36 {id} {shown} is {} %", shown.percent())
        })?;
        let age = created.map(|created| now.since(created));
        ensure(age == Some(summary.age(now)), || {
            format!("I36 {id} is {age:?} old, not {}", summary.age(now))
        })?;
        let took = started.map(|started| end.unwrap_or(now).since(started));
        ensure(took == summary.took(now), || format!("I36 {id} took {took:?}, not {:?}", summary.took(now)))?;
    }
    Ok(())
}

/// True if the step holds no others at the end.
fn is_counted(board: &Board, run: RunId, step: StepIx) -> bool {
    board.run(run).and_then(|run| run.step(step)).is_some_and(|step| step.inside.is_none())
}

/// Done steps, and all that nobody left out.
fn progress_of(view: &RunView, left_out: &BTreeSet<(RunId, StepIx)>) -> (u32, u32) {
    let (mut done, mut all) = (0, 0);
    for (index, _, step) in view.steps().filter(|(.., step)| step.inside.is_none()) {
        done += u32::from(matches!(step.state, StepState::Completed | StepState::Partial));
        all += u32::from(!left_out.contains(&(view.id(), index)));
    }
    (done, all)
}

/// Halves of a point that an event of a step is worth; none where it is no result.
fn halves_of(event: &StepEvent) -> Option<u64> {
    match event {
        StepEvent::Completed { kept: false, partial, .. } => Some(if *partial { 1 } else { 2 }),
        StepEvent::Failed { .. } | StepEvent::Skipped { why: Why::Failed(_) } => Some(0),
        _ => None,
    }
}

const fn worth(state: RunState) -> Option<u64> {
    match state {
        RunState::Completed => Some(2),
        RunState::PartiallyCompleted => Some(1),
        RunState::Failed | RunState::Undone => Some(0),
        _ => None,
    }
}

/// The share of the last ones in percent, rounded; 100 where there are none.
fn share(halves: &[u64], most: usize) -> u64 {
    let last = &halves[halves.len().saturating_sub(most)..];
    let whole = 2 * last.len() as u64;
    if whole == 0 {
        return 100;
    }
    let points = (last.iter().sum::<u64>() * 10_000 + whole / 2) / whole;
    (points + 50) / 100
}

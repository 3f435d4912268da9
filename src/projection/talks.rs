//! Models that are asked again when a run is retried or forked. Their talks begin with the first question,
//! whatever calls they have already made. Dialogs and commands warn of it.

use crate::RunView;
use cuelight_engine::{Event, Fact, RunEvent, StepEvent, StepState};
use cuelight_plan::{EffectClass, FrameKind, PlanStep, Work};
use std::collections::BTreeSet;

/// Calls that are named of one step.
const NAMED: usize = 8;

/// One line for each model that a retry or fork asks from the first question again. The events are those with
/// which the new run would begin. A line also lists the finished calls that changed something; the names in
/// it are foreign text.
pub fn asked_anew(run: &RunView, events: &[Event]) -> Vec<String> {
    let begins = events.iter().find_map(|event| match &event.fact {
        Fact::Run(id, RunEvent::Created { plan, cause, .. }) if cause.parent() == Some(run.id()) => {
            Some((*id, plan))
        }
        _ => None,
    });
    let Some((id, plan)) = begins else { return Vec::new() };
    let kept: BTreeSet<usize> = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Step(of, step, StepEvent::Completed { kept: true, .. }) if *of == id => Some(step.index()),
            _ => None,
        })
        .collect();
    let anew = plan.steps.iter().enumerate().filter(|(at, step)| is_talk(step) && !kept.contains(at));
    anew.filter_map(|(_, step)| told(run, step)).collect()
}

fn is_talk(step: &PlanStep) -> bool {
    step.work.frame().is_some_and(|frame| matches!(frame.kind, FrameKind::Talk(_)))
}

/// The line for one step; none if its model was not asked yet.
fn told(run: &RunView, step: &PlanStep) -> Option<String> {
    let (frame, _, _) = run.steps().find(|(_, plan, _)| plan.id == step.id)?;
    let inside = || run.steps().filter(|(_, plan, _)| plan.frame == Some(frame));
    if !inside().any(|(_, plan, view)| plan.work.model().is_some() && view.state.rests()) {
        return None;
    }
    let done = inside().filter(|(_, plan, view)| {
        let acts = matches!(plan.work, Work::Tool(_)) && plan.effect != EffectClass::Pure;
        acts && (view.state.is_done() || view.state == StepState::InDoubt)
    });
    let mut names: Vec<String> =
        done.map(|(_, plan, _)| format!("{} ({})", plan.id, plan.work.tool().unwrap_or_default())).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let called = if names.is_empty() {
        "nothing that it asked for has changed anything".to_owned()
    } else {
        format!("called before, and not undone: {}", names.join(", "))
    };
    Some(format!("asks the model of {} from its first question again; {called}", step.id))
}

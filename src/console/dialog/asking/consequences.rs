//! The consequences of a command in words, from the events that it would cause.

use cuelight_base::StepIx;
use cuelight_engine::{
    AttemptEvent, Decision, Event, Fact, GateEvent, Purpose, RunEvent, StepEvent, UndoEvent, Verdict,
};
use cuelight_projection::{GateView, RunView, asked_anew};

/// The kinds of line that an ask tells for an answer.
const TOLD_BY_ASK: &[&str] = &["undoes", "skips", "starts", "closes"];
/// The same for a rejection: the end of the run as well.
const TOLD_OF_NO: &[&str] = &["undoes", "skips", "starts", "closes", RUN_ENDS];
const RUN_ENDS: &str = "the run ends";

/// Names of steps in one line of a preview.
pub(super) const NAMES_MAX: usize = 4;

/// The consequences of an answer at a gate: those that the ask tells for this answer, whole and in the same words, and
/// before them what only a preview knows.
pub(super) fn of_answer(
    gate: &GateView,
    decision: &Decision,
    events: &[Event],
    run: Option<&RunView>,
) -> Vec<String> {
    let told = if decision.verdict == Verdict::Reject { TOLD_OF_NO } else { TOLD_BY_ASK };
    let mut lines = lines_beside(told, events, run);
    match decision.verdict {
        Verdict::Reject => lines.extend(gate.no_words(run)),
        Verdict::Approve => lines.extend(when_approved(gate, events)),
        Verdict::SendBack => lines.push(format!("closes {}", gate.id)),
    }
    lines
}

/// The events before the steps that an approval starts; the facts of the dialog name the steps.
fn when_approved(gate: &GateView, events: &[Event]) -> Option<String> {
    let has = |is: fn(&GateEvent) -> bool| {
        events.iter().any(|event| matches!(&event.fact, Fact::Gate(_, _, _, event) if is(event)))
    };
    match () {
        () if has(|event| matches!(event, GateEvent::Armed { .. })) => None,
        () if has(|event| matches!(event, GateEvent::Resolved { .. })) => Some(format!("closes {}", gate.id)),
        () if has(|event| matches!(event, GateEvent::Agreed { .. })) => {
            Some("first the approved files are checked".to_owned())
        }
        () => Some("nothing yet: others have to approve as well".to_owned()),
    }
}

/// The consequences of events for people: a few lines, the gravest first.
pub(crate) fn consequences(events: &[Event], run: Option<&RunView>) -> Vec<String> {
    let lines = lines_beside(&[], events, run);
    if lines.is_empty() { vec!["no step starts or ends".to_owned()] } else { lines }
}

/// The lines of the kinds that are not told elsewhere.
fn lines_beside(told: &[&str], events: &[Event], run: Option<&RunView>) -> Vec<String> {
    let mut lists: [(&str, Vec<String>); 7] = [
        ("stops", vec![]),
        ("undoes", vec![]),
        ("skips", vec![]),
        ("keeps", vec![]),
        ("asks at", vec![]),
        ("starts", vec![]),
        ("closes", vec![]),
    ];
    let mut ends = Vec::new();
    // A run that begins has its own steps.
    let begins = events.iter().find_map(|event| match &event.fact {
        Fact::Run(id, RunEvent::Created { plan, .. }) => Some((*id, plan)),
        _ => None,
    });
    let is_called_again = |step: StepIx| {
        let again =
            |event: &Event| matches!(&event.fact, Fact::Undo(_, of, UndoEvent::Again { .. }) if *of == step);
        events.iter().any(again)
    };
    for event in events {
        let new = begins.filter(|(id, _)| event.fact.run() == Some(*id));
        let step = |step: StepIx| {
            let planned = new.and_then(|(_, plan)| Some(plan.steps.get(step.index())?.id.clone()));
            let known = || run.map_or_else(|| format!("step {}", step.0), |run| run.step_id(step));
            planned.unwrap_or_else(known)
        };
        match &event.fact {
            Fact::Step(_, index, StepEvent::Cancelled { .. } | StepEvent::Ending { .. }) => {
                lists[0].1.push(step(*index));
            }
            Fact::Attempt(_, index, _, AttemptEvent::Started { purpose: Purpose::Undo, .. }) => {
                lists[1].1.extend((!is_called_again(*index)).then(|| step(*index)));
            }
            Fact::Undo(_, index, UndoEvent::Again { .. }) => {
                ends.push(format!("runs the undo of {} again", step(*index)))
            }
            Fact::Undo(_, index, UndoEvent::Done { by: Some(_) }) => {
                ends.push(format!("marks {} as undone, and calls nothing for it", step(*index)));
            }
            Fact::Undo(_, index, _) => lists[1].1.push(step(*index)),
            Fact::Step(_, index, StepEvent::Skipped { .. }) => lists[2].1.push(step(*index)),
            Fact::Step(_, index, StepEvent::Completed { kept: true, .. }) => lists[3].1.push(step(*index)),
            Fact::Gate(_, index, _, GateEvent::Asked { .. }) if new.is_some() => {
                lists[4].1.push(step(*index))
            }
            Fact::Attempt(_, index, _, AttemptEvent::Started { .. }) => lists[5].1.push(step(*index)),
            Fact::Gate(_, _, gate, GateEvent::Armed { until }) => {
                ends.push(format!("nothing yet; {gate} is approved in {}", until.since(event.at)));
            }
            Fact::Gate(_, _, gate, GateEvent::Resolved { .. }) => lists[6].1.push(gate.to_string()),
            Fact::Run(id, RunEvent::Created { .. }) => ends.push(format!("a new run {id} begins")),
            Fact::Run(_, RunEvent::Ended { state, .. }) if !told.contains(&RUN_ENDS) => {
                ends.push(format!("{RUN_ENDS}: {state}"));
            }
            Fact::Run(_, RunEvent::Cancelling { .. }) => ends.push("what runs is asked to end".to_owned()),
            _ => {}
        }
    }
    let mut lines = run.map(|run| asked_anew(run, events)).unwrap_or_default();
    for (verb, names) in &mut lists {
        names.dedup();
        if !names.is_empty() && !told.contains(verb) {
            let rest = names.len().saturating_sub(NAMES_MAX);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            names.truncate(NAMES_MAX);
            lines.push(format!("{verb} {}{more}", names.join(", ")));
        }
    }
    lines.extend(ends);
    lines
}

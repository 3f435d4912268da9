//! The effect of an answer on the steps, shown on the graph before it is given. For a gate, the ask itself
//! lists the effects of approve and reject. For anything else the engine previews the command.

use super::state::WhatIf;
use crate::{
    Fate, Fates, Intent, Model, View, Wish, actions::command_for, dialog, model::Asker, update::requests,
};
use cuelight_base::{RunId, StepIx};
use cuelight_engine::{
    AttemptEvent, Event, Fact, Purpose, Refusal, RunEvent, StepEvent, StepState, WaitReason,
};
use cuelight_projection::{GateView, RunView};
use std::{collections::BTreeMap, sync::Arc};

/// Names of steps in one line.
const NAMES_MAX: usize = 3;

/// The next answer that is looked at, and after the last none.
pub(super) fn next(model: &mut Model) {
    let Some((run, step)) = model.dag.run.zip(model.dag.view.selected.map(StepIx)) else { return };
    let answers = answers(model, run, step);
    let at = answers.iter().position(|answer| *answer == model.dag.what_if.verb);
    let verb = answers.get(at.map_or(0, |index| index + 1)).copied().flatten();
    model.dag.what_if = WhatIf { of: Some((run, step)), verb, ..WhatIf::default() };
    if answers.len() == 1 {
        crate::update::toast(model, "nothing can be asked of this step now", crate::Role::Info);
    }
}

/// Forgets the answer that is looked at; false when there is none.
pub(super) fn leave(model: &mut Model) -> bool {
    model.dag.what_if.verb.take().is_some()
}

/// The answers that can be shown, first none: those of a gate, then the commands that the engine can preview.
fn answers(model: &Model, run: RunId, step: StepIx) -> Vec<Option<Intent>> {
    let mut answers = vec![None];
    if gate_of(model, run, step).is_some() {
        answers.extend([Some(Intent::Approve), Some(Intent::Reject)]);
    }
    let Some(run) = model.board.run(run) else { return answers };
    let rests = run.summary.state.rests();
    if run.summary.failures() > 0 || rests {
        answers.push(Some(Intent::Retry));
    }
    if !rests && run.step(step).is_some_and(|step| !step.state.rests()) {
        answers.push(Some(Intent::Skip));
    }
    answers.push(Some(if rests { Intent::Compensate } else { Intent::Cancel }));
    answers
}

fn gate_of(model: &Model, run: RunId, step: StepIx) -> Option<Arc<GateView>> {
    let gate = model.board.run(run)?.step(step)?.gate()?;
    model.board.gate(gate).filter(|gate| gate.is_open()).cloned()
}

/// Brings up to date what is known of the step under the cursor; asks the engine at most one question at a time.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let selected = model.dag.run.zip(model.dag.view.selected.map(StepIx));
    let Some((id, step)) = selected.filter(|_| model.view == View::Dag) else {
        model.dag.what_if = WhatIf::default();
        return;
    };
    if model.dag.what_if.of != Some((id, step)) {
        model.dag.what_if = WhatIf { of: Some((id, step)), ..WhatIf::default() };
    }
    let Some(run) = model.board.run(id).cloned() else { return };
    let verb = model.dag.what_if.verb;
    match (gate_of(model, id, step), verb) {
        (Some(gate), None | Some(Intent::Approve | Intent::Reject)) => {
            let basis = Some((verb, Some(gate.hash), cuelight_base::Seq(run.len() as u64)));
            if model.dag.what_if.basis != basis {
                of_gate(&mut model.dag.what_if, &run, &gate);
                model.dag.what_if.basis = basis;
            }
        }
        (_, None) => model.dag.what_if = WhatIf { of: Some((id, step)), ..WhatIf::default() },
        (_, Some(verb)) => {
            let basis = Some((Some(verb), None, model.board.seq));
            if model.dag.what_if.asked.is_none() && model.dag.what_if.basis != basis {
                model.dag.what_if.basis = basis;
                ask(model, verb, wishes);
            }
        }
    }
}

fn ask(model: &mut Model, verb: Intent, wishes: &mut Vec<Wish>) {
    let command = match model.locked() {
        Some(why) => Err(why),
        None => command_for(model, verb),
    };
    match command {
        Ok(command) => {
            let request = requests::ask_preview(model, &command, wishes);
            model.requests.asking.insert(request, Asker::WhatIf);
            model.dag.what_if.asked = Some(request);
        }
        Err(why) => refused(&mut model.dag.what_if, verb, &why),
    }
}

fn refused(what_if: &mut WhatIf, verb: Intent, why: &str) {
    what_if.fates = None;
    what_if.lines = vec![(verb.short(), format!("not now: {why}"))];
}

/// Takes the engine's answer, if it is still waited for.
pub(crate) fn answered(model: &mut Model, request: u64, outcome: &Result<Vec<Event>, Refusal>) {
    if model.dag.what_if.asked.take_if(|asked| *asked == request).is_none() {
        return;
    }
    let (Some((run, _)), Some(verb)) = (model.dag.what_if.of, model.dag.what_if.verb) else { return };
    let run = model.board.run(run).cloned();
    let what_if = &mut model.dag.what_if;
    match outcome {
        Ok(events) => {
            let fates = run.as_ref().map(|run| fates_of(events, run)).unwrap_or_default();
            let words = dialog::asking::consequences(events, run.as_deref());
            let label = |index: usize| if index == 0 { verb.short() } else { "" };
            what_if.lines = words.into_iter().enumerate().map(|(at, word)| (label(at), word)).collect();
            what_if.fates = Some(Arc::new(fates));
        }
        Err(refusal) => refused(what_if, verb, &refusal.to_string()),
    }
}

/// The fates of a run's steps after these events; the gravest if a step has several.
fn fates_of(events: &[Event], run: &RunView) -> Fates {
    let mut fates = Fates::new();
    let ends =
        |event: &Event| matches!(event.fact, Fact::Run(id, RunEvent::Cancelling { .. }) if id == run.id());
    if events.iter().any(ends) {
        let runs =
            run.steps().filter(|(_, _, view)| view.state == StepState::Running && view.inside.is_none());
        fates.extend(runs.map(|(step, _, _)| (step.0, Fate::Stops)));
    }
    for event in events.iter().filter(|event| event.fact.run() == Some(run.id())) {
        let (step, fate) = match &event.fact {
            Fact::Step(_, step, StepEvent::Cancelled { .. } | StepEvent::Ending { .. }) => {
                (step, Fate::Stops)
            }
            Fact::Step(_, step, StepEvent::Skipped { .. }) => (step, Fate::Skips),
            Fact::Step(_, step, StepEvent::Waiting { reason: WaitReason::Person(_) }) => (step, Fate::Asks),
            Fact::Step(_, step, StepEvent::Ready) => (step, Fate::Later),
            Fact::Attempt(_, step, _, AttemptEvent::Started { purpose: Purpose::Undo, .. }) => {
                (step, Fate::Undoes)
            }
            Fact::Undo(_, step, _) => (step, Fate::Undoes),
            Fact::Attempt(_, step, _, AttemptEvent::Started { .. }) => (step, Fate::Starts),
            _ => continue,
        };
        let entry = fates.entry(step.0).or_insert(fate);
        *entry = fate.max(*entry);
    }
    fates
}

/// Fills in the effects of approve and reject as the ask lists them.
fn of_gate(what_if: &mut WhatIf, run: &RunView, gate: &GateView) {
    let ask = &gate.ask;
    let number: BTreeMap<&str, u32> = run.steps().map(|(step, plan, _)| (plan.id.as_str(), step.0)).collect();
    let of = |names: &mut dyn Iterator<Item = &String>, fate: Fate| -> Vec<(u32, Fate)> {
        names.filter_map(|name| Some((*number.get(name.as_str())?, fate))).collect()
    };
    let at_once: Vec<&String> = ask.will_run.iter().map(|will_run| &will_run.step).collect();
    let mut yes: Fates = of(&mut ask.starts.iter(), Fate::Later).into_iter().collect();
    yes.extend(of(&mut at_once.iter().copied(), Fate::Starts));
    let mut no: Fates = of(&mut ask.skips.iter(), Fate::Skips).into_iter().collect();
    no.extend(of(&mut ask.undoes.iter(), Fate::Undoes));
    let later: Vec<&String> = ask.starts.iter().filter(|text| !at_once.contains(text)).collect();
    let skips: Vec<&String> = ask.skips.iter().collect();
    let undoes: Vec<&String> = ask.undoes.iter().collect();
    let votes = gate.needed().saturating_sub(u32::try_from(gate.approvals().count()).unwrap_or(u32::MAX));
    let more = if votes > 1 { format!("with {votes} more votes: ") } else { String::new() };
    let yes_words = told(&[("starts", &at_once), ("then", &later)], "nothing starts");
    let no_words = told(&[("undoes", &undoes), ("skips", &skips)], "nothing is skipped");
    let approve = (Intent::Approve, yes, format!("{more}{yes_words}"));
    let reject = (Intent::Reject, no, no_words);
    let chosen: Vec<_> = [approve, reject]
        .into_iter()
        .filter(|approve| what_if.verb.is_none_or(|verb| verb == approve.0))
        .collect();
    what_if.lines = chosen.iter().map(|(verb, _, words)| (verb.short(), words.clone())).collect();
    // Words stand beside the gate at once; signs lie over the steps only when an answer was chosen.
    let asked = chosen.into_iter().find(|(verb, _, _)| what_if.verb == Some(*verb));
    what_if.fates = asked.map(|(_, fates, _)| Arc::new(fates));
}

/// `starts pay; then notify[1], notify[2] and 4 more`
fn told(parts: &[(&str, &[&String])], none: &str) -> String {
    let words: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(verb, names)| {
            let few: Vec<&str> = names.iter().take(NAMES_MAX).map(|name| name.as_str()).collect();
            let more = names.len() - few.len();
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{verb} {}{rest}", few.join(", "))
        })
        .collect();
    if words.is_empty() { none.to_owned() } else { words.join("; ") }
}

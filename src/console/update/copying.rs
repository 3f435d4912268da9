//! Text that leaves the console: to the clipboard, by OSC 52 and without frames, or to files.

use super::toast;
use crate::{Intent, Model, Role, View, Wish, picture_of, text_of};
use cuelight_base::Value;
use cuelight_projection::{Attention, gate_json, run_json, show_json};

/// The most that terminals take into the clipboard by OSC 52.
const BYTES_MAX: usize = 74_994;

pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let text = match intent {
        Intent::CopyScreen => Some(text_of(model)),
        Intent::CopyRow => row(model),
        Intent::CopyJson => json(model).map(|json| pretty(&json)),
        Intent::CopyLink => link(model),
        _ => id(model),
    };
    match text {
        Some(text) => copy(model, text, wishes),
        None => toast(model, "could not copy: nothing is selected", Role::Warn),
    }
}

fn copy(model: &mut Model, text: String, wishes: &mut Vec<Wish>) {
    let bytes = text.len().min(BYTES_MAX);
    let cut = if text.len() > BYTES_MAX { ", the begin of it; E saves all" } else { "" };
    toast(model, &format!("copied {bytes} B by OSC 52{cut}"), Role::Info);
    wishes.push(Wish::Copy(text));
}

/// The selection's id: of a gate, of a step with its run, of a run.
fn id(model: &Model) -> Option<String> {
    if let Some(gate) = gate(model) {
        return Some(gate);
    }
    let run = model.run()?;
    let step = model.step().and_then(|step| Some(model.board.run(run)?.step_id(step)));
    Some(step.map_or_else(|| run.to_string(), |step| format!("{run} {step}")))
}

fn gate(model: &Model) -> Option<String> {
    match model.gates.selected {
        Some((Attention::Gate(gate), ..)) if model.view == View::Gates => Some(gate.to_string()),
        _ => None,
    }
}

/// The selection in one line.
fn row(model: &Model) -> Option<String> {
    let run = model.board.summary(model.run()?)?;
    let step = model.step().and_then(|step| {
        let view = model.board.run(run.id)?;
        Some(format!("{} {}", view.step_id(step), view.step(step)?.state))
    });
    let gate = gate(model).map_or_else(String::new, |gate| format!("{gate} "));
    Some(match step {
        Some(step) => format!("{gate}{} {} {step}", run.id, run.workflow),
        None => format!("{} {} {}", run.id, run.workflow, run.state),
    })
}

/// The selection as the commands print it with `--json`.
fn json(model: &Model) -> Option<Value> {
    if let (Some((Attention::Gate(gate), ..)), View::Gates) = (model.gates.selected, model.view) {
        // Of the past, or where nothing can be answered, it tells no action.
        let caller = model.locked().is_none().then_some((&model.seat.actor, model.now));
        return model.board.gate(gate).map(|gate| gate_json(gate, caller));
    }
    let id = model.run()?;
    let Some(run) = model.board.run(id) else { return model.board.summary(id).map(run_json) };
    let whole = show_json(&model.board, run);
    let Some(step) = model.step().map(|step| run.step_id(step)) else { return Some(whole) };
    whole["steps"].as_array()?.iter().find(|value| value["id"] == step.as_str()).cloned()
}

/// The command that shows the selection in any terminal.
fn link(model: &Model) -> Option<String> {
    if let Some(gate) = gate(model) {
        return Some(format!("cuelight gates --show {gate}"));
    }
    model.run().map(|run| format!("cuelight show {run}"))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON can be written")
}

/// The screen as a picture and as text, and the selection as JSON.
pub(super) fn export(model: &Model, wishes: &mut Vec<Wish>) {
    let name = format!("cuelight-{}", model.now.clock().replace(':', ""));
    let mut save =
        |kind: &str, content: String| wishes.push(Wish::Export { name: format!("{name}.{kind}"), content });
    save("svg", picture_of(model));
    save("txt", text_of(model));
    if let Some(selection) = json(model) {
        save("json", pretty(&selection));
    }
}

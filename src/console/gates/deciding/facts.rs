//! The facts that the dialog of an answer shows.

use crate::{
    DialogFact, Model, Role,
    dialog::state::fact,
    gates::ask_text::{name_of, people, role_of_risk},
};
use cuelight_base::counted;
use cuelight_engine::Ask;
use cuelight_projection::{GateView, ask_risk_word, command_line, script_of, undo_line};

/// A fact that no form and no small screen folds away.
fn kept(name: &str, text: impl Into<String>, role: Role) -> DialogFact {
    DialogFact { stays: true, ..fact(name, text, role) }
}

pub(super) fn approving(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    const CALLS_MAX: usize = 2;
    let ask = &gate.ask;
    let risk = ask_risk_word(ask.risk);
    let undo = undo_line(ask);
    let undo = if undo.is_empty() { risk.to_owned() } else { format!("{risk}: {undo}") };
    let mut facts = vec![
        kept("question", ask.prompt.lines().next().unwrap_or_default(), Role::Title),
        kept("risk", undo, role_of_risk(ask.risk)),
    ];
    let run = model.board.run(gate.run).map(|run| &**run);
    for (index, line) in gate.yes_lines(run).into_iter().enumerate() {
        facts.push(kept(if index == 0 { "if yes" } else { "" }, line, Role::Text));
    }
    for call in ask.will_run.iter().take(CALLS_MAX) {
        let text = script_of(&call.launch).map_or_else(|| command_line(&call.launch), ToOwned::to_owned);
        let mut lines = text.trim().lines();
        let first = lines.next().unwrap_or_default();
        let more = match lines.count() {
            0 => String::new(),
            more => format!("   and {}", counted(more, "line", "lines")),
        };
        facts.push(fact("will run", format!("{first}{more}"), Role::Info));
    }
    for write in ask.writes.iter().take(CALLS_MAX) {
        let names: Vec<&str> = write.values.keys().map(String::as_str).collect();
        let (head, text) = if write.kind == "emit" {
            ("will send", write.to.clone())
        } else {
            ("will set", format!("{} ({})", names.join(", "), write.to))
        };
        facts.push(kept(head, text, Role::Info));
    }
    let more = ask.will_run.len().saturating_sub(CALLS_MAX) + ask.writes.len().saturating_sub(CALLS_MAX);
    if more > 0 {
        facts.push(kept("", format!("and {more} more, as read"), Role::Info));
    }
    let seen = format!("what you saw: ask {} ({})", name_of(gate.hash), ask.opened_at.clock());
    facts.push(fact("approves", seen, Role::Text));
    facts.push(fact("on", place(model, ask), Role::Text));
    facts.push(fact("votes", vote_words(model, gate), Role::Text));
    facts
}

/// The facts about an emergency approval in place of all required approvers.
pub(super) fn alone_facts(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let wanted = people(&gate.ask.require);
    let mut facts = vec![
        kept(
            "EMERGENCY",
            format!("this gate needs {wanted}; you approve in place of all of them"),
            Role::Fail,
        ),
        fact(
            "on record",
            "as an emergency approval, with your name; another person must review it",
            Role::Warn,
        ),
    ];
    let known = approving(model, gate);
    facts.extend(known.into_iter().filter(|fact| fact.name != "votes"));
    facts
}

/// An override says all that an approval says, and that it is reviewed.
pub(super) fn overriding(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let mut facts =
        vec![kept("OVERRIDE", "on record with your name; another person must review it", Role::Fail)];
    facts.extend(approving(model, gate));
    facts
}

/// The facts about sending a gate back: its ask, its place, and the steps that run again.
pub(super) fn sending_back(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let ask = &gate.ask;
    let to = ask.send_back.clone().unwrap_or_default();
    vec![
        fact("sends back", format!("ask {} ({})", name_of(gate.hash), ask.opened_at.clock()), Role::Text),
        fact("on", place(model, ask), Role::Text),
        fact("runs again", format!("{to} and the steps after it"), Role::Warn),
        fact("", "then a new gate asks; the votes of this one end", Role::Muted),
    ]
}

pub(crate) fn place(model: &Model, ask: &Ask) -> String {
    format!("{} ({}), {} {}", model.seat.environment, model.seat.place, ask.run, ask.workflow)
}

/// `this is approval 2 of 2: the gate is approved in 5s; you can withdraw until then`
fn vote_words(model: &Model, gate: &GateView) -> String {
    let (voters, missing) = gate.law().missing_after(&model.seat.actor, model.now);
    let number = format!("this is approval {voters} of {}", gate.needed());
    if missing.is_empty() {
        let window = gate.law().window_of(model.seat.actor.channel);
        let starts = if window.0 == 0 {
            "the gate is approved at once".to_owned()
        } else {
            format!("the gate is approved in {window}; you can withdraw until then")
        };
        format!("{number}: {starts}")
    } else {
        format!("{number}: {} still missing", people(&missing))
    }
}

pub(super) fn rejecting(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let ask = &gate.ask;
    vec![
        fact("rejects", format!("ask {} ({})", name_of(gate.hash), ask.opened_at.clock()), Role::Text),
        fact("on", place(model, ask), Role::Text),
        fact("closes", "the gate: one rejection is enough", Role::Muted),
    ]
}

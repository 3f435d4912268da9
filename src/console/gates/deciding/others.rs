//! Dialogs about other people: the answers of a gate, its possible approvers, and its hand-over to others.

use super::facts::place;
use crate::{
    About, Dialog, DialogField, Focus, Intent, Model, Preview, Role,
    dialog::{self, state::fact},
    gates::{
        answers::refusal,
        ask_text::{care_words, if_nobody, people},
    },
    model::{Overlay, Sheetlet},
    update::toast,
};
use cuelight_base::DELEGATION_DEFAULT;
use cuelight_engine::{Command, Verdict};

/// Opens the dialog that hands the own answer to somebody else.
pub(super) fn delegate(model: &mut Model) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else { return };
    let (by, own) = (model.seat.actor.clone(), model.seat.actor.name.clone());
    let among: Vec<String> = model.seat.people.iter().filter(|person| **person != own).cloned().collect();
    let mut facts = vec![
        fact("delegates", format!("your answer at {}, also after its ask changes", gate.id), Role::Text),
        fact("on", place(model, &gate.ask), Role::Text),
    ];
    if !among.is_empty() {
        facts.push(fact("people", among.join(", "), Role::Text));
    }
    facts.push(fact("for", format!("{DELEGATION_DEFAULT} by default"), Role::Muted));
    let command =
        Command::Delegate { gate: gate.id, to: String::new(), lasts: None, reason: String::new(), by };
    let means = "until then they answer instead of you; u revokes the delegation".to_owned();
    dialog::asking::show(
        model,
        Dialog {
            title: format!("Delegate {} {}?", gate.id, gate.ask.step),
            verb: "Delegate".to_owned(),
            facts,
            fields: vec![
                DialogField { among, ..DialogField::new("to", true) },
                DialogField::new("for", false),
                DialogField::new("reason", false),
            ],
            focus: Focus::Field(0),
            about: About::Gate(gate.id),
            ..Dialog::of(command, Preview::Known(vec![means]))
        },
    );
}

/// `w`: who can answer, who has, and who cannot.
pub(super) fn who(model: &mut Model) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else {
        toast(
            model,
            "any person who is not excluded at a gate before this step can answer; a reason is needed",
            Role::Info,
        );
        return;
    };
    let mut lines: Vec<(String, Role)> = Vec::new();
    let safe = |text: String| cuelight_base::safe_text(&text);
    lines.push((safe(format!("needs     {}", people(&gate.ask.require))), Role::Text));
    for vote in &gate.votes {
        let verb = if vote.vote.verdict == Verdict::Approve { "approved" } else { "rejected" };
        lines.push((safe(format!("{verb:<9} {} at {}", vote.vote.by.name, vote.at.clock())), Role::Ok));
    }
    let missing = gate.missing();
    if gate.is_open() && !missing.is_empty() {
        lines.push((safe(format!("missing   {}", people(&missing))), Role::Gate));
    }
    for delegation in gate.delegations().iter().filter(|delegation| delegation.until > model.now) {
        let text = format!(
            "delegated {} to {} until {}",
            delegation.by.name,
            delegation.to,
            delegation.until.clock()
        );
        lines.push((safe(text), Role::Text));
    }
    for (who, why) in &gate.ask.excluded {
        lines.push((safe(format!("not       {who}: {why}")), Role::Muted));
    }
    if let Some(edited) = &gate.edited {
        lines.push((safe(format!("not       {}: edited the parameters", edited.by.name)), Role::Muted));
    }
    if let Some(to) = &gate.escalated {
        lines.push((safe(format!("also      {to}, since nobody came")), Role::Warn));
    }
    lines.push((format!("else      {}", if_nobody(&gate)), Role::Text));
    let you = refusal(model, Intent::Approve);
    let (text, role) = you.map_or_else(|| ("can approve now".to_owned(), Role::Ok), |why| (why, Role::Warn));
    lines.push((safe(format!("you       {text}")), role));
    let care = model.board.care(&model.seat.actor);
    if care.answers > 0 {
        lines.push((format!("          {}", care_words(&care)), Role::Muted));
    }
    let title = format!("who · {} {}", gate.id, cuelight_base::safe_text(&gate.ask.step));
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

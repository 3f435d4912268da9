//! Answers: yes and no at a gate, taking an answer back, a remark, and what became of a step that is in doubt. Every
//! decision carries the ask of the last frame that was drawn; why one is not possible now is said in words.

mod facts;
mod others;

pub(crate) use facts::place;

use super::{
    answers::{ANSWERS, refusal},
    ask_text::name_of,
    batch,
};
use crate::{
    About, Dialog, DialogField, Field, Focus, Intent, Level, Model, Preview, Proof, Role, Wish,
    dialog::{
        self,
        state::{fact, set_form},
    },
    model::{Overlay, PromptKind, Sheetlet},
    update::{editing, requests, toast},
};
use cuelight_base::{BREAK_GLASS_REASON_CHARS_MIN, DecisionId, GateId, ValueMap, counted};
use cuelight_engine::{Command, Decision, DoubtAnswer, GateState, Verdict};
use cuelight_plan::Risk;
use cuelight_projection::{command_line, stuck_words};
use facts::{alone_facts, approving, overriding, rejecting, sending_back};
use others::{delegate, who};

/// Does what a key of this view asks for; false when others have to know.
pub(crate) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) -> bool {
    match intent {
        Intent::Who => who(model),
        Intent::Evidence => evidence(model),
        Intent::Withdraw if !has_own_vote(model) => requests::take_back(model, wishes),
        Intent::Approve if batch::is_meant(model) => batch::open(model),
        _ if !ANSWERS.contains(&intent) => return false,
        _ => match refusal(model, intent) {
            Some(why) => toast(model, &format!("could not {}: {why}", verb(intent)), Role::Warn),
            None => open(model, intent, wishes),
        },
    }
    true
}

fn verb(intent: Intent) -> &'static str {
    match intent {
        Intent::EditForm => "edit",
        Intent::Delegate => "delegate",
        Intent::BreakGlass => "emergency-approve",
        Intent::Happened | Intent::NotHappened | Intent::GiveUp | Intent::UndoAgain | Intent::UndoByHand => {
            "answer"
        }
        other => other.short(),
    }
}

fn has_own_vote(model: &Model) -> bool {
    let gate = model.gates.gate().and_then(|gate| model.board.gate(gate));
    gate.is_some_and(|gate| gate.law().holds(&model.seat.actor) && gate.is_open())
}

fn open(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    match intent {
        Intent::Approve | Intent::Reject | Intent::SendBack | Intent::BreakGlass | Intent::Override => {
            decide(model, intent, wishes);
        }
        Intent::Delegate => delegate(model),
        Intent::EditForm => edit(model),
        Intent::Comment => {
            model.gates.remark = model.gates.gate();
            editing::open_prompt(model, PromptKind::Remark);
        }
        Intent::Withdraw => withdraw(model, wishes),
        Intent::Review => review(model, wishes),
        _ => settle(model, intent, wishes),
    }
}

/// Opens the dialog for an answer to the ask that was drawn.
fn decide(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let verdict = match intent {
        Intent::Reject => Verdict::Reject,
        Intent::SendBack => Verdict::SendBack,
        _ => Verdict::Approve,
    };
    let (alone, overrides) = (intent == Intent::BreakGlass, intent == Intent::Override);
    let Some(drawn) = model.gates.drawn else { return };
    let Some(gate) = model.board.gate(drawn.gate).cloned() else { return };
    let by = model.seat.actor.clone();
    let mut command = Command::Decide(Box::new(Decision {
        // Drawn by the loop when it is submitted: there is no chance in here.
        id: DecisionId(String::new()),
        gate: drawn.gate,
        epoch: drawn.epoch,
        ask: drawn.hash,
        verdict,
        reason: String::new(),
        by,
        shown_for: None,
        break_glass: alone,
        overrides,
        form: ValueMap::new(),
    }));
    let ask = &gate.ask;
    let (verb, facts, field) = match verdict {
        Verdict::Approve if alone => {
            let reason =
                DialogField { least: BREAK_GLASS_REASON_CHARS_MIN, ..DialogField::new("reason", true) };
            ("Approve alone", alone_facts(model, &gate), reason)
        }
        Verdict::Approve if overrides => {
            ("OVERRIDE", overriding(model, &gate), DialogField::new("reason", true))
        }
        Verdict::Approve => {
            ("Approve", approving(model, &gate), DialogField::new("comment", ask.reason_required))
        }
        Verdict::Reject => ("Reject", rejecting(model, &gate), DialogField::new("reason", true)),
        Verdict::SendBack => ("Send back", sending_back(model, &gate), DialogField::new("reason", true)),
    };
    let mut fields = vec![field];
    if verdict == Verdict::Approve {
        // Filled in by whoever decides, before they say why.
        fields.splice(0..0, ask.form.iter().map(DialogField::of_form));
    }
    set_form(&mut command, &fields);
    let request = requests::ask_preview(model, &command, wishes);
    let high = verdict == Verdict::Approve && ask.risk == Risk::Irreversible;
    let proof = if high {
        let wanted = model.code_of(&gate);
        let ask = "HIGH risk: type the code behind \"to approve, type\"".to_owned();
        Proof::Typed { ask, wanted, field: Field::default() }
    } else if alone || overrides {
        let wanted = gate.id.to_string();
        Proof::Typed { ask: format!("type the id {wanted}"), wanted, field: Field::default() }
    } else {
        Proof::Key
    };
    dialog::asking::show(
        model,
        Dialog {
            title: format!("{verb} {} {}?", gate.id, ask.step),
            verb: verb.to_owned(),
            facts,
            level: if high || alone || overrides { Level::L3 } else { Level::L2 },
            proof,
            fields,
            focus: if verdict == Verdict::Approve { Focus::Back } else { Focus::Field(0) },
            about: About::Gate(gate.id),
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// Opens the dialog that changes the parameters of a gate. It makes a new ask: people who have answered are asked again,
/// and the editor does not vote.
fn edit(model: &mut Model) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else { return };
    let by = model.seat.actor.clone();
    let mut command = Command::EditForm {
        gate: gate.id,
        epoch: gate.epoch(),
        values: ValueMap::new(),
        reason: String::new(),
        by,
    };
    let mut fields: Vec<DialogField> = gate.ask.form.iter().map(DialogField::of_form).collect();
    fields.push(DialogField::new("reason", true));
    set_form(&mut command, &fields);
    let votes = match gate.votes.len() {
        0 => "you will not be able to approve the new ask".to_owned(),
        votes => format!(
            "{} no longer {}; you will not be able to approve the new ask",
            counted(votes, "answer", "answers"),
            if votes == 1 { "counts" } else { "count" }
        ),
    };
    dialog::asking::show(
        model,
        Dialog {
            title: format!("Change the parameters of {}?", gate.id),
            verb: "Ask again".to_owned(),
            facts: vec![
                fact("question", gate.ask.prompt.lines().next().unwrap_or_default(), Role::Title),
                fact("on", place(model, &gate.ask), Role::Text),
            ],
            fields,
            focus: Focus::Field(0),
            about: About::Gate(gate.id),
            ..Dialog::of(command, Preview::Known(vec!["asks again with these values".to_owned(), votes]))
        },
    );
}

/// Withdraws the own answer: at once while the approval is only armed, else after a `y`.
fn withdraw(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else { return };
    let command = Command::Withdraw { gate: gate.id, by: model.seat.actor.clone() };
    if gate.state == GateState::Armed {
        hand_over(model, vec![command], wishes);
        return;
    }
    let request = requests::ask_preview(model, &command, wishes);
    let facts = vec![
        fact("answer", format!("to ask {}", name_of(gate.hash)), Role::Text),
        fact("on", place(model, &gate.ask), Role::Text),
    ];
    dialog::asking::show(
        model,
        Dialog {
            title: format!("Withdraw your answer to {}?", gate.id),
            verb: "Withdraw".to_owned(),
            facts,
            about: About::Gate(gate.id),
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// Asks what a look at an approval that was given alone, in an emergency, has found.
fn review(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(gate) = model.gates.shown_gate(&model.board).cloned() else { return };
    let by = model.seat.actor.clone();
    let (run, epoch) = (gate.run, gate.epoch());
    let command = Command::ReviewGlass { run, gate: gate.id, epoch, reason: String::new(), by };
    let request = requests::ask_preview(model, &command, wishes);
    let mut facts = vec![fact("on", place(model, &gate.ask), Role::Text)];
    if let Some(emergency_vote) = gate.emergency_vote() {
        let (name, how) = match gate.emergency_word() {
            "emergency" => ("emergency", " approved"),
            _ => ("overridden", ""),
        };
        let text = format!(
            "{}{how} at {}: {}",
            emergency_vote.vote.by.name,
            emergency_vote.at.clock(),
            emergency_vote.vote.reason
        );
        facts.push(fact(name, text, Role::Fail));
    }
    facts.push(fact("means", "you have looked at what was done; it changes nothing", Role::Muted));
    dialog::asking::show(
        model,
        Dialog {
            title: format!("Review {} {}?", gate.id, gate.ask.step),
            verb: "Review".to_owned(),
            facts,
            fields: vec![DialogField::new("reason", true)],
            focus: Focus::Field(0),
            about: About::Run(gate.run),
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// A remark for all who look at a gate, as it was typed.
pub(crate) fn remark(model: &mut Model, text: &str, wishes: &mut Vec<Wish>) {
    let Some(gate) = model.gates.remark.take() else { return };
    if text.is_empty() {
        return;
    }
    let command = Command::Comment { gate, text: text.to_owned(), by: model.seat.actor.clone() };
    hand_over(model, vec![command], wishes);
}

/// Opens the dialog that says what became of a step in doubt, or of a stuck undo.
fn settle(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let Some((_, run, step)) = model.gates.selected else { return };
    let Some(view) = model.board.run(run).cloned() else { return };
    let (by, reason) = (model.seat.actor.clone(), String::new());
    let doubt = |answer: DoubtAnswer| Command::AnswerDoubt {
        run,
        step,
        answer,
        reason: String::new(),
        by: by.clone(),
    };
    let id = view.step_id(step);
    let (command, title, means) = match intent {
        Intent::Happened => (
            doubt(DoubtAnswer::Happened(ValueMap::new())),
            format!("{id} did happen?"),
            "it counts as completed, with these outputs".to_owned(),
        ),
        Intent::NotHappened => (
            doubt(DoubtAnswer::NotHappened),
            format!("{id} did not happen?"),
            "the call may be made again".to_owned(),
        ),
        Intent::GiveUp => {
            (doubt(DoubtAnswer::Abort), format!("Give {id} up?"), "it counts as failed".to_owned())
        }
        _ => {
            let again = intent == Intent::UndoAgain;
            let title = if again { format!("Undo {id} again?") } else { format!("{id} was undone by hand?") };
            (Command::SettleUndo { run, step, again, reason, by }, title, stuck_words(again))
        }
    };
    let request = requests::ask_preview(model, &command, wishes);
    let place = format!("{} ({})", model.seat.environment, model.seat.place);
    let called = view
        .step(step)
        .and_then(|step| step.attempts().last())
        .map(|attempt| command_line(&cuelight_base::Launch::of(attempt.argv.iter().cloned())));
    let mut facts = vec![
        fact("run", format!("{run} {}", view.summary.workflow), Role::Text),
        fact("step", id, Role::Text),
        fact("on", place, Role::Text),
    ];
    facts.extend(called.map(|called| fact("was called", called, Role::Info)));
    facts.push(fact("means", means, Role::Warn));
    let mut fields = vec![DialogField::new("reason", true)];
    if intent == Intent::Happened {
        fields.push(DialogField::new("outputs", false));
    }
    let wanted = run.to_string();
    dialog::asking::show(
        model,
        Dialog {
            title,
            verb: intent.short().to_owned(),
            facts,
            level: Level::L3,
            proof: Proof::Typed { ask: format!("type the id {wanted}"), wanted, field: Field::default() },
            fields,
            about: About::Step(run, step),
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// The last look before a command leaves: a decision has to be about the ask of the last frame, and of this board.
pub(crate) fn hand_over(model: &mut Model, mut commands: Vec<Command>, wishes: &mut Vec<Wish>) {
    if model.past.frozen.is_some() && commands.iter().any(|command| command.gate().is_some()) {
        return toast(model, "could not do that: the screen is frozen; F thaws it", Role::Warn);
    }
    if commands.len() > 1 {
        return batch::hand_over(model, commands, wishes);
    }
    let Some(mut command) = commands.pop() else { return };
    if let Command::Decide(decision) = &mut command {
        let seen = (decision.gate, decision.epoch, decision.ask);
        let drawn = model.gates.drawn.filter(|drawn| (drawn.gate, drawn.epoch, drawn.hash) == seen);
        let now = model.board.gate(decision.gate).map(|gate| (gate.id, gate.epoch(), gate.hash));
        let (Some(drawn), true) = (drawn, now == Some(seen)) else {
            model.gates.changed.insert(decision.gate);
            let text =
                format!("nothing was decided: {} asks something else now; read it again", decision.gate);
            return toast(model, &text, Role::Warn);
        };
        decision.shown_for = Some(model.now.since(drawn.since));
    }
    requests::submit(model, command, wishes);
}

/// The change of a gate that a dialog is about, in words for people; None if it is about no gate.
pub(crate) fn news(model: &mut Model, about: About) -> Option<String> {
    let id = match about {
        About::Gate(id) => id,
        About::MarkedGates => return Some("one of the marked gates has changed".to_owned()),
        About::Run(_) | About::Step(..) | About::Marked | About::Nothing => return None,
    };
    let Some(gate) = model.board.gate(id) else { return Some(format!("{id} is gone")) };
    let at = gate.closed_at.map_or_else(String::new, |at| format!(", {}", at.clock()));
    Some(match gate.state {
        GateState::Open
            if model.gates.drawn.is_some_and(|drawn| drawn.gate == id && drawn.hash == gate.hash) =>
        {
            format!("{id} has other votes now")
        }
        GateState::Open => {
            let why = gate.asked_anew.clone().unwrap_or_default();
            model.gates.changed.insert(id);
            format!("{id} asks something else now: {why}")
        }
        GateState::Armed => format!("enough have agreed to {id}"),
        state => {
            let by = gate.closers().join(", ");
            format!("{id} was {state} by {by}{at}")
        }
    })
}

/// `v`: everything that is shown for this gate, whole, over the screen.
fn evidence(model: &mut Model) {
    let gate: Option<GateId> = model.gates.gate();
    let Some(gate) = gate.and_then(|gate| model.board.gate(gate)).cloned() else {
        return toast(model, "there is no evidence here", Role::Info);
    };
    let width = usize::from(model.size.0.saturating_sub(8));
    let mut lines = super::evidence::whole(&gate.ask, &model.gates.blobs, width, model.look.glyphs);
    lines.extend(super::ask_text::details(&gate, &model.gates.blobs, width));
    if lines.is_empty() {
        return toast(model, "this ask shows no evidence and calls nothing", Role::Info);
    }
    let title = format!("evidence and hashes · {} {}", gate.id, cuelight_base::safe_text(&gate.ask.step));
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

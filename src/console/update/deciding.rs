//! Answers: yes and no at a gate, taking an answer back, a remark, and what became of a step that is in doubt. Every
//! decision carries the ask of the last frame that was drawn; why one is not possible now is said in words.

use super::{asking, toast};
use crate::dialog::set_form;
use crate::{
    About, Dialog, DialogFact, DialogField, Field, Focus, Intent, Level, Model, Preview, Proof, Role, Wish,
    ask_text::{if_nobody, is_being_read, name_of, people, role_of_risk},
    gates::RowKey,
    model::{Overlay, PromptKind, Sheetlet},
};
use cuelight_base::{
    BREAK_GLASS_REASON_CHARS_MIN, DELEGATION_DEFAULT, DecisionId, GateId, ValueMap, counted,
};
use cuelight_engine::{Ask, Command, Decision, DoubtAnswer, GateAct, GateState, Refusal, Verdict};
use cuelight_plan::{Risk, Work};
use cuelight_projection::{Attention, CANNOT_UNDO, Care, GateView, command_line, risk_words, stuck_words};

/// Everything that can be answered in the inbox.
pub(crate) const ANSWERS: [Intent; 15] = [
    Intent::Approve,
    Intent::Reject,
    Intent::SendBack,
    Intent::EditForm,
    Intent::Comment,
    Intent::Delegate,
    Intent::BreakGlass,
    Intent::Override,
    Intent::Withdraw,
    Intent::Happened,
    Intent::NotHappened,
    Intent::GiveUp,
    Intent::UndoAgain,
    Intent::UndoByHand,
    Intent::Review,
];

/// The answers to the row under the cursor, possible now or not.
pub(crate) fn offered(model: &Model) -> Vec<Intent> {
    let row = (model.view == crate::View::Gates).then_some(model.gates.selected).flatten();
    let can_be = |answer: &Intent| {
        let gate = model.gates.gate().and_then(|gate| model.board.gate(gate));
        match answer {
            Intent::SendBack => gate.is_some_and(|gate| gate.ask.send_back.is_some()),
            Intent::Override => gate.is_some_and(|gate| is_gate(model, gate)),
            Intent::BreakGlass => {
                gate.is_some_and(|gate| gate.needed() > 1 && gate.law().is_for_emergencies(&model.seat.actor))
            }
            _ => true,
        }
    };
    let fits = |answer: &Intent| row.is_some_and(|row| fits(*answer, row.0));
    ANSWERS.into_iter().filter(|answer| fits(answer) && can_be(answer)).collect()
}

/// True for a step that is a gate; false for a gate that a step opens on its way.
pub(super) fn is_gate(model: &Model, gate: &GateView) -> bool {
    let run = model.board.run(gate.run);
    let step = run.and_then(|run| run.plan_step(gate.step));
    step.is_some_and(|step| matches!(step.work, Work::Gate(_)))
}

fn fits(intent: Intent, what: Attention) -> bool {
    match intent {
        Intent::Approve
        | Intent::Reject
        | Intent::SendBack
        | Intent::EditForm
        | Intent::Comment
        | Intent::Delegate
        | Intent::BreakGlass
        | Intent::Override
        | Intent::Withdraw => matches!(what, Attention::Gate(_)),
        Intent::Happened | Intent::NotHappened | Intent::GiveUp => what == Attention::Doubt,
        Intent::UndoAgain | Intent::UndoByHand => what == Attention::StuckUndo,
        Intent::Review => matches!(what, Attention::Review(..)),
        _ => false,
    }
}

/// Does what a key of this view asks for; false when others have to know.
pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) -> bool {
    match intent {
        Intent::Who => who(model),
        Intent::Evidence => evidence(model),
        Intent::Withdraw if !has_own_vote(model) => return act_take_back(model, wishes),
        Intent::Approve if super::batch::is_meant(model) => super::batch::open(model),
        _ if !ANSWERS.contains(&intent) => return false,
        _ => match refusal(model, intent) {
            Some(why) => toast(model, &format!("could not {}: {why}", verb(intent)), Role::Warn),
            None => open(model, intent, wishes),
        },
    }
    true
}

fn act_take_back(model: &mut Model, wishes: &mut Vec<Wish>) -> bool {
    asking::take_back(model, wishes);
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

/// Why an answer to the row under the cursor is not possible now.
pub(crate) fn refusal(model: &Model, intent: Intent) -> Option<String> {
    refusal_with(model, intent, false)
}

/// The same, as it will be when the frame that is being drawn has been seen.
pub(crate) fn refusal_seen(model: &Model, intent: Intent) -> Option<String> {
    refusal_with(model, intent, true)
}

fn refusal_with(model: &Model, intent: Intent, seen: bool) -> Option<String> {
    if let Some(why) = model.locked() {
        return Some(why);
    }
    if model.frozen.is_some() {
        return Some("the screen is frozen; F thaws it".to_owned());
    }
    let Some(key) = model.gates.selected else { return Some("nothing waits here".to_owned()) };
    if !fits(intent, key.0) {
        return Some(other_keys(model, key));
    }
    if model.gates.is_recording(key) && intent != Intent::Withdraw {
        return Some("an answer is being recorded".to_owned());
    }
    if let Attention::Review(gate, epoch) = key.0 {
        return model
            .board
            .emergency(gate, epoch)
            .and_then(|emergency| emergency.may_not_review(&model.seat.actor, model.now));
    }
    let Attention::Gate(gate) = key.0 else { return None };
    let Some(gate) = model.board.gate(gate) else { return Some("it is gone".to_owned()) };
    let act = act_of(intent)?;
    if let Some(why) = may_not(model, gate, act) {
        return Some(why);
    }
    match intent {
        Intent::EditForm if !seen && !was_drawn(model, gate) => Some(not_drawn(gate)),
        Intent::EditForm | Intent::Delegate | Intent::Withdraw => None,
        _ => not_read(model, gate, intent, seen),
    }
}

/// The action at a gate that a key asks for.
const fn act_of(intent: Intent) -> Option<GateAct> {
    Some(match intent {
        Intent::Approve => GateAct::Approve,
        Intent::Reject => GateAct::Reject,
        Intent::SendBack => GateAct::SendBack,
        Intent::BreakGlass => GateAct::EmergencyApprove,
        Intent::Override => GateAct::Override,
        Intent::Delegate => GateAct::Delegate,
        Intent::EditForm => GateAct::Edit,
        Intent::Withdraw => GateAct::Withdraw,
        _ => return None,
    })
}

/// Why the one who sits here may not do this at a gate, if they may not: the law's word, in the words of the keys where there is one
/// that helps.
pub(super) fn may_not(model: &Model, gate: &GateView, act: GateAct) -> Option<String> {
    let seat = &model.seat.actor;
    let why = gate.law().may(seat, act, model.now).err()?;
    Some(match (&why, gate.handed_on(seat, model.now)) {
        (Refusal::Voted(_), _) => "you have answered already; u withdraws your vote".to_owned(),
        (Refusal::NothingToWithdraw(_), _) => "you have not answered here".to_owned(),
        (Refusal::SendBack { .. }, _) => "its workflow names no step for that (`send-back: STEP`)".to_owned(),
        (Refusal::Delegation { .. }, _) if gate.has_voted(seat) => {
            "you have answered already; u withdraws your vote".to_owned()
        }
        (Refusal::NotAllowed { .. }, Some(handed)) if gate.excludes(seat).is_none() => {
            let to = cuelight_base::safe_text(&handed.to);
            format!("you delegated to {to} until {}; u revokes that", handed.until.clock())
        }
        _ => why.why(),
    })
}

fn other_keys(model: &Model, key: RowKey) -> String {
    let offered = ANSWERS.into_iter().filter(|answer| fits(*answer, key.0));
    let keys: Vec<String> = offered
        .filter_map(|answer| {
            Some(format!("{} {}", model.keys.keys_of(crate::Scope::Gates, answer)?, answer.short()))
        })
        .collect();
    format!("this asks something else: {}", keys.join(", "))
}

/// Why an answer to this has to wait until more of it was on the screen.
fn not_read(model: &Model, gate: &GateView, intent: Intent, seen: bool) -> Option<String> {
    if !seen && !was_drawn(model, gate) {
        return Some(not_drawn(gate));
    }
    if matches!(intent, Intent::Reject | Intent::SendBack) {
        return None;
    }
    if gate.ask.evidence.iter().any(|item| is_being_read(&model.gates.blobs, item)) {
        return Some("its evidence is being read, not approvable until seen".to_owned());
    }
    let unseen = if seen { unseen_after(model) } else { model.gates.unseen() };
    match unseen {
        0 => None,
        1 => Some("1 more line, not approvable until seen".to_owned()),
        unseen => Some(format!("{}, not approvable until seen", counted(unseen, "more line", "more lines"))),
    }
}

/// The number of lines still unseen after the lines now on the screen.
pub(crate) fn unseen_after(model: &Model) -> usize {
    model.gates.unseen_but(super::gates::on_screen(model).unwrap_or_default())
}

/// True if the last frame showed this very ask.
fn was_drawn(model: &Model, gate: &GateView) -> bool {
    let shown = (gate.id, gate.epoch(), gate.hash);
    model.gates.drawn.is_some_and(|drawn| (drawn.gate, drawn.epoch, drawn.hash) == shown)
}

fn not_drawn(gate: &GateView) -> String {
    format!("ask {} of {} was not on the screen yet; look at it first", name_of(gate.hash), gate.id)
}

fn open(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    match intent {
        Intent::Approve | Intent::Reject | Intent::SendBack | Intent::BreakGlass | Intent::Override => {
            decide(model, intent, wishes);
        }
        Intent::Delegate => delegate(model),
        Intent::EditForm => super::forming::open(model),
        Intent::Comment => {
            model.gates.remark = model.gates.gate();
            super::general::open_prompt(model, PromptKind::Remark);
        }
        Intent::Withdraw => withdraw(model, wishes),
        Intent::Review => review(model, wishes),
        _ => settle(model, intent, wishes),
    }
}

pub(super) fn fact(name: &str, text: impl Into<String>, role: Role) -> DialogFact {
    DialogFact { name: name.to_owned(), text: text.into(), role, stays: false }
}

/// A fact that no form and no small screen folds away.
fn kept(name: &str, text: impl Into<String>, role: Role) -> DialogFact {
    DialogFact { stays: true, ..fact(name, text, role) }
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
    let request = asking::ask_preview(model, &command, wishes);
    let high = verdict == Verdict::Approve && ask.risk == Risk::Irreversible;
    let proof = if high {
        let wanted = model.code_of(&gate);
        let ask = "HIGH risk: type the code at the end of the ask".to_owned();
        Proof::Typed { ask, wanted, field: Field::default() }
    } else if alone || overrides {
        let wanted = gate.id.to_string();
        Proof::Typed { ask: format!("type the id {wanted}"), wanted, field: Field::default() }
    } else {
        Proof::Key
    };
    asking::show(
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

fn approving(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    const CALLS_MAX: usize = 2;
    let ask = &gate.ask;
    let mut facts = vec![
        kept("question", ask.prompt.lines().next().unwrap_or_default(), Role::Title),
        kept("risk", risk_words(ask.risk), role_of_risk(ask.risk)),
    ];
    for call in ask.will_run.iter().take(CALLS_MAX) {
        facts.push(kept("will run", command_line(&call.launch), Role::Info));
    }
    match ask.will_run.len() {
        0 => facts.push(kept("will run", "nothing at once", Role::Muted)),
        more if more > CALLS_MAX => {
            facts.push(kept("", format!("and {} more, as read", more - CALLS_MAX), Role::Info))
        }
        _ => {}
    }
    let fixed: Vec<&str> = ask
        .will_run
        .iter()
        .filter(|will_run| will_run.undo != "yes")
        .map(|will_run| will_run.step.as_str())
        .collect();
    if !fixed.is_empty() {
        facts.push(kept("no undo of", fixed.join(", "), Role::Warn));
    }
    let seen = format!("what you saw: ask {} ({})", name_of(gate.hash), ask.opened_at.clock());
    facts.push(fact("approves", seen, Role::Text));
    facts.push(fact("on", place(model, ask), Role::Text));
    facts.push(fact("votes", vote_words(model, gate), Role::Text));
    facts
}

/// The facts about an emergency approval in place of all required approvers.
fn alone_facts(model: &Model, gate: &GateView) -> Vec<DialogFact> {
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
fn overriding(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let mut facts =
        vec![kept("OVERRIDE", "on record with your name; another person must review it", Role::Fail)];
    facts.extend(approving(model, gate));
    facts
}

/// The facts about sending a gate back: its ask, its place, and the steps that run again.
fn sending_back(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let ask = &gate.ask;
    let to = ask.send_back.clone().unwrap_or_default();
    vec![
        fact("sends back", format!("ask {} ({})", name_of(gate.hash), ask.opened_at.clock()), Role::Text),
        fact("on", place(model, ask), Role::Text),
        fact("runs again", format!("{to} and the steps after it"), Role::Warn),
        fact("", "then a new gate asks; the votes of this one end", Role::Muted),
    ]
}

/// Opens the dialog that hands the own answer to somebody else.
fn delegate(model: &mut Model) {
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
    asking::show(
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

pub(super) fn place(model: &Model, ask: &Ask) -> String {
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

fn rejecting(model: &Model, gate: &GateView) -> Vec<DialogFact> {
    let ask = &gate.ask;
    let mut facts = vec![
        fact("rejects", format!("ask {} ({})", name_of(gate.hash), ask.opened_at.clock()), Role::Text),
        fact("on", place(model, ask), Role::Text),
    ];
    let lines = gate.no_words(model.board.run(gate.run).map(|run| &**run));
    for (index, line) in lines.into_iter().enumerate() {
        let role = if line.starts_with(CANNOT_UNDO) { Role::Warn } else { Role::Text };
        facts.push(fact(if index == 0 { "if no" } else { "" }, line, role));
    }
    facts.push(fact("", "any rejection closes the gate", Role::Muted));
    facts
}

/// Withdraws the own answer: at once while the approval is only armed, else after a `y`.
fn withdraw(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)).cloned() else { return };
    let command = Command::Withdraw { gate: gate.id, by: model.seat.actor.clone() };
    if gate.state == GateState::Armed {
        hand_over(model, vec![command], wishes);
        return;
    }
    let request = asking::ask_preview(model, &command, wishes);
    let facts = vec![
        fact("answer", format!("to ask {}", name_of(gate.hash)), Role::Text),
        fact("on", place(model, &gate.ask), Role::Text),
    ];
    asking::show(
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
    let request = asking::ask_preview(model, &command, wishes);
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
    asking::show(
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
pub(super) fn remark(model: &mut Model, text: &str, wishes: &mut Vec<Wish>) {
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
    let request = asking::ask_preview(model, &command, wishes);
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
    asking::show(
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
pub(super) fn hand_over(model: &mut Model, mut commands: Vec<Command>, wishes: &mut Vec<Wish>) {
    if model.frozen.is_some() && commands.iter().any(|command| command.gate().is_some()) {
        return toast(model, "could not do that: the screen is frozen; F thaws it", Role::Warn);
    }
    if commands.len() > 1 {
        return super::batch::hand_over(model, commands, wishes);
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
    asking::submit(model, command, wishes);
}

/// The change of a gate that a dialog is about, in words for people; None if it is about no gate.
pub(super) fn news(model: &mut Model, about: About) -> Option<String> {
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

/// `w`: who can answer, who has, and who cannot.
fn who(model: &mut Model) {
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

/// `you approved 12 before, after 41s each on the screen; 1 under 2s`
pub(crate) fn care_words(care: &Care) -> String {
    let hasty = if care.hasty > 0 { format!("; {} under 2s", care.hasty) } else { String::new() };
    let each = if care.answers == 1 { "" } else { " each" };
    format!("you approved {} before, after {}{each} on the screen{hasty}", care.answers, care.median)
}

/// `v`: everything that is shown for this gate, whole, over the screen.
fn evidence(model: &mut Model) {
    let gate: Option<GateId> = model.gates.gate();
    let Some(gate) = gate.and_then(|gate| model.board.gate(gate)).cloned() else {
        return toast(model, "there is no evidence here", Role::Info);
    };
    if gate.ask.evidence.is_empty() {
        return toast(model, "this ask has no evidence", Role::Info);
    }
    let width = usize::from(model.size.0.saturating_sub(8));
    let lines = crate::evidence::whole(&gate.ask, &model.gates.blobs, width, model.look.glyphs);
    let title = format!("evidence · {} {}", gate.id, cuelight_base::safe_text(&gate.ask.step));
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

//! The answers to what waits for people: those that fit the row under the cursor, and the reasons why one is refused: the
//! law of the gate, and a part of the ask that was not read.

use super::{
    ask_text::{is_being_read, name_of},
    state::RowKey,
};
use crate::{Intent, Model, Scope, View, layout, model::Overlay};
use cuelight_base::counted;
use cuelight_engine::{GateAct, Refusal};
use cuelight_plan::Work;
use cuelight_projection::{Attention, GateView};
use ratatui::layout::Rect;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

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
    let row = (model.view == View::Gates).then_some(model.gates.selected).flatten();
    let can_be = |answer: &Intent| {
        let gate = model.gates.gate().and_then(|gate| model.board.gate(gate));
        match answer {
            Intent::SendBack => gate.is_some_and(|gate| gate.ask.send_back.is_some()),
            Intent::Override => gate.is_some_and(|gate| is_gate(model, gate)),
            Intent::BreakGlass => gate.is_some_and(|gate| gate.law().is_for_emergencies(&model.seat.actor)),
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
    if model.past.frozen.is_some() {
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
            Some(format!("{} {}", model.keys.keys_of(Scope::Gates, answer)?, answer.short()))
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
pub(super) fn unseen_after(model: &Model) -> usize {
    model.gates.unseen_but(on_screen(model).unwrap_or_default())
}

/// The lines of the text that a frame shows now and that nothing lies over; nothing when all of it is covered.
pub(super) fn on_screen(model: &Model) -> Option<Range<usize>> {
    let places = layout::gates(model);
    let is_covered = match &model.overlay {
        None => !model.keyboard.typed.is_empty(),
        Some(Overlay::Dialog(_)) => places.side.is_none(),
        Some(_) => true,
    };
    if is_covered {
        return None;
    }
    let area = places.text;
    let hidden_from = first_hidden_row(model, area.right(), layout::frame(model.size).body);
    let rows = usize::from(hidden_from.saturating_sub(area.y).min(area.height));
    Some(model.gates.scroll..model.gates.scroll + rows)
}

/// The first row of the body that a prompt or a message lies over.
fn first_hidden_row(model: &Model, right: u16, body: Rect) -> u16 {
    let prompt = u16::from(model.prompt.is_some());
    let reaches = |text: &str| {
        let width = u16::try_from(text.width() + 4).unwrap_or(u16::MAX);
        body.right().saturating_sub(width) < right
    };
    let highest = model
        .notices
        .toasts
        .iter()
        .rev()
        .enumerate()
        .filter(|(_, toast)| reaches(&toast.text))
        .map(|(row, _)| row + 1)
        .max();
    let toasts = highest.and_then(|highest| u16::try_from(highest).ok()).unwrap_or(0);
    body.bottom().saturating_sub(if toasts > 0 { toasts + prompt } else { prompt })
}

/// True if the last frame showed this very ask.
fn was_drawn(model: &Model, gate: &GateView) -> bool {
    let shown = (gate.id, gate.epoch(), gate.hash);
    model.gates.drawn.is_some_and(|drawn| (drawn.gate, drawn.epoch, drawn.hash) == shown)
}

fn not_drawn(gate: &GateView) -> String {
    format!("ask {} of {} was not on the screen yet; look at it first", name_of(gate.hash), gate.id)
}

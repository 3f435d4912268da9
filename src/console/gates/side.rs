//! Beside the ask: who has answered, what is missing, what can be answered and why not, and how long there is time.

use super::{
    answers::{offered, refusal_seen, unseen_after},
    ask_text,
    draw::seconds,
    prose::{Prose, ProseLine},
};
use crate::{
    Intent, Role, Scope, layout, pane,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{DELEGATION_DEFAULT, safe_text};
use cuelight_engine::GateState;
use cuelight_projection::{Attention, GateView};
use ratatui::{buffer::Buffer, layout::Rect};

/// Approvals within a minute above which a person is assumed not to read them.
const HURRY: usize = 10;

pub(crate) fn draw(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let inside = layout::inset(pane(buf, area, "decision", "", canvas.pane(false)), 1, 0, 0);
    let width = usize::from(inside.width);
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    let gate = model.gates.gate().and_then(|gate| model.board.gate(gate));
    if let Some(gate) = model.gates.shown_gate(&model.board) {
        let mut prose = Prose::new(width);
        let run = model.board.run(gate.run).map(|run| &**run);
        ask_text::votes(&mut prose, gate, run, canvas.glyphs);
        prose.foreign("needs", &ask_text::people(&gate.ask.require), Role::Text);
        prose.foreign("", &format!("{} asked for the run", gate.ask.requester), Role::Muted);
        lines.extend(prose.lines.into_iter().map(|line| styled(canvas, line)));
        lines.push(Vec::new());
    }
    lines.extend(answers(canvas, width));
    lines.push(Vec::new());
    if let Some(gate) = gate {
        let mut prose = Prose::new(width);
        let waits = model.now.since(gate.ask.opened_at);
        prose.said("time", &format!("{waits} waiting"), Role::Text);
        prose.said("", &format!("if nobody answers: {}", ask_text::if_nobody(gate)), Role::Muted);
        let care = model.board.care(&model.seat.actor);
        if care.answers > 0 {
            prose.said(
                "you",
                &ask_text::care_words(&care),
                if care.hasty > 0 { Role::Warn } else { Role::Muted },
            );
        }
        if care.in_a_minute > HURRY {
            let text = format!("{} approvals within a minute: slow down", care.in_a_minute);
            prose.said("", &text, Role::Warn);
        }
        lines.extend(prose.lines.into_iter().map(|line| styled(canvas, line)));
        lines.push(Vec::new());
    }
    if let Some((text, role)) = news(canvas) {
        lines.extend(wrapped(&text, width).into_iter().map(|text| vec![(text, canvas.style(role))]));
        lines.push(Vec::new());
    }
    for text in ["If the ask changes while you answer,", "nothing is decided."] {
        lines.push(vec![(text.to_owned(), canvas.style(Role::Muted))]);
    }
    for (index, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
}

fn styled(canvas: &Canvas<'_>, line: ProseLine) -> Pieces {
    line.pieces.into_iter().map(|(text, role)| (text, canvas.style(role))).collect()
}

/// The possible answers: key, word, level; grey with the reason if refused.
fn answers(canvas: &Canvas<'_>, width: usize) -> Vec<Pieces> {
    let model = canvas.model;
    let mut lines = Vec::new();
    for intent in offered(model) {
        let key = model.keys.keys_of(Scope::Gates, intent).unwrap_or_default();
        let refused = refusal_seen(model, intent);
        let (key_role, role) =
            if refused.is_some() { (Role::Muted, Role::Muted) } else { (Role::Title, Role::Text) };
        let level = level_word(
            model.gates.gate().and_then(|gate| model.board.gate(gate)).map(|gate| &**gate),
            intent,
        );
        lines.push(vec![
            (format!("{key:<4}"), canvas.style(key_role)),
            (format!("{:<12}", intent.short()), canvas.style(role)),
            (if refused.is_some() { String::new() } else { level }, canvas.style(Role::Muted)),
        ]);
        if let Some(why) = refused.filter(|_| matches!(intent, Intent::Approve | Intent::Reject)) {
            for part in wrapped(&safe_text(&why), width.saturating_sub(4)) {
                lines.push(vec![(format!("    {part}"), canvas.style(Role::Warn))]);
            }
        }
    }
    lines
}

fn level_word(gate: Option<&GateView>, intent: Intent) -> String {
    let high = gate.is_some_and(|gate| gate.ask.risk == cuelight_plan::Risk::Irreversible);
    match intent {
        Intent::Approve if high => "type the code at the end".to_owned(),
        Intent::Approve => "then y".to_owned(),
        Intent::Reject => "a reason, then y".to_owned(),
        Intent::EditForm => match gate.map_or(0, |gate| gate.votes.len()) {
            0 => "new ask; you cannot vote".to_owned(),
            1 => "drops 1 vote".to_owned(),
            votes => format!("drops {votes} votes"),
        },
        Intent::Comment => "shown to all".to_owned(),
        Intent::SendBack => "a reason, then y".to_owned(),
        Intent::Delegate => format!("{DELEGATION_DEFAULT} by default"),
        Intent::BreakGlass => "emergency approval".to_owned(),
        Intent::Override => "approves; another person must review".to_owned(),
        Intent::Review => "what was found, then y".to_owned(),
        Intent::Withdraw => "your own answer".to_owned(),
        other => format!("{}: id and reason", other.level()),
    }
}

/// The most important fact about the row. It is used if no pane beside shows why the row cannot be approved.
pub(super) fn notice(canvas: &Canvas<'_>) -> Option<(String, Role)> {
    let model = canvas.model;
    if let Some(news) = news(canvas) {
        return Some(news);
    }
    let Some((Attention::Gate(_), ..)) = model.gates.selected else { return None };
    let why = refusal_seen(model, Intent::Approve)?;
    Some((safe_text(&why), if unseen_after(model) > 0 { Role::Warn } else { Role::Muted }))
}

/// The latest change of the row, or the reason why all changes are locked.
fn news(canvas: &Canvas<'_>) -> Option<(String, Role)> {
    let model = canvas.model;
    let key = model.gates.selected?;
    if let Some(why) = model.locked() {
        return Some((safe_text(&why), Role::Warn));
    }
    if model.gates.is_recording(key) {
        return Some(("recording".to_owned(), Role::Info));
    }
    let Attention::Gate(gate) = key.0 else { return None };
    let gate = model.board.gate(gate)?;
    if let Some(until) = gate.armed_until.filter(|_| gate.state == GateState::Armed) {
        let left = seconds(until, model.now);
        let back = if gate.has_voted(&model.seat.actor) { ", u withdraws your vote" } else { "" };
        return Some((format!("armed: starts in {left}{back}"), Role::Ok));
    }
    if model.gates.changed.contains(&gate.id) {
        return Some(("the ask has changed: read it again".to_owned(), Role::Warn));
    }
    None
}

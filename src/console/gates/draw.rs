//! Gates: what waits for people, and beside or under it the whole ask of the one under the cursor.

use super::{
    answers::unseen_after,
    ask_text::{name_of, quorum_words, risk_word, role_of_risk},
    side,
    state::{gate_of, key_of},
};
use crate::{
    Mark, Role, Width, fill, layout,
    marks::{age, mark_of_gate},
    pane,
    popup::draw::select_row,
    put, put_right,
    view::{
        canvas::{Canvas, main_pane},
        pieces::{Column, Pieces, columns, put_cell, put_pieces, width_of, wrapped},
    },
};
use cuelight_base::{Timestamp, counted, safe_text};
use cuelight_engine::GateState;
use cuelight_projection::{Attention, GateView, InboxRow};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use std::sync::Arc;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let places = layout::gates(canvas.model);
    if let Some(area) = places.list {
        if layout::frame(canvas.model.size).width == Width::One {
            table(canvas, area, places.rows, buf);
        } else {
            cards(canvas, area, places.rows, buf);
        }
    }
    text(canvas, places.pane, places.text, buf);
    if let Some(area) = places.side {
        side::draw(canvas, area, buf);
    }
}

/// `3 wait  oldest 4m`
fn words(canvas: &Canvas<'_>) -> String {
    let rows = &canvas.model.gates.rows;
    let oldest = rows.iter().map(|row| row.since).min();
    let marked = match canvas.model.gates.marked.len() {
        0 => String::new(),
        marked => format!("  {marked} marked"),
    };
    match oldest {
        Some(since) => {
            let oldest = age(canvas.model.now.since(since));
            format!("{} waiting{marked}  oldest {oldest}", rows.len())
        }
        None => "nothing waits".to_owned(),
    }
}

/// One row each, on small screens.
fn table(canvas: &Canvas<'_>, area: Rect, rows: Rect, buf: &mut Buffer) {
    let x = put(buf, area, area.x + 1, area.y, "Gates", canvas.style(Role::Title));
    put(buf, area, x + 2, area.y, &words(canvas), canvas.style(Role::Muted));
    let gates = &canvas.model.gates;
    if gates.rows.len() > usize::from(rows.height) {
        let last = (gates.top + usize::from(rows.height)).min(gates.rows.len());
        let text = format!("{}-{last} of {}", gates.top + 1, gates.rows.len());
        put_right(buf, area, area.right().saturating_sub(1), area.y, &text, canvas.style(Role::Muted));
    }
    let table = columns(
        area.x + 3,
        area.width.saturating_sub(4),
        &[
            ("GATE", 6, false),
            ("RISK", 6, false),
            ("QUESTION", 0, false),
            ("VOTES", 6, false),
            ("AGE", 4, false),
            ("THEN", 14, false),
        ],
    );
    for column in &table {
        put_cell(buf, area, *column, area.y + 1, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    if gates.rows.is_empty() {
        put(buf, rows, rows.x + 3, rows.y, "nothing waits for a person", canvas.style(Role::Text));
    }
    for (index, row) in gates.rows.iter().skip(gates.top).take(usize::from(rows.height)).enumerate() {
        let place = Rect { y: rows.y + u16::try_from(index).unwrap_or(0), height: 1, ..rows };
        table_row(canvas, row, &table, place, buf);
    }
}

fn table_row(canvas: &Canvas<'_>, row: &InboxRow, table: &[Column], place: Rect, buf: &mut Buffer) {
    let selected = canvas.model.gates.selected == Some(key_of(row));
    let base = select_row(canvas, place, selected, buf);
    if selected {
        put(
            buf,
            place,
            place.x,
            place.y,
            canvas.glyphs.pick("▌", "|"),
            base.patch(canvas.style(Role::BorderFocus)),
        );
    }
    let mark = mark(canvas, row);
    put(buf, place, place.x + 1, place.y, mark.sign(canvas.glyphs), base.patch(mark.style(canvas.theme)));
    put(buf, place, place.x + 2, place.y, chosen(canvas, row), base.patch(canvas.style(Role::Title)));
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    for column in table {
        let (cell, style) = match column.title {
            "GATE" => (name(row), text),
            "QUESTION" => (format!("{}: {}", safe_text(&row.workflow), question(canvas, row)), text),
            "RISK" => (risk_word(row.risk).to_owned(), canvas.style(role_of_risk(row.risk))),
            "VOTES" => (quorum(canvas, row), muted),
            "AGE" => (age(canvas.model.now.since(row.since)), muted),
            _ => {
                let (words, role) = then(canvas, row);
                (words, canvas.style(role))
            }
        };
        put_cell(buf, place, *column, place.y, (&cell, base.patch(style)), canvas.glyphs);
    }
}

/// Four lines each, beside the ask.
fn cards(canvas: &Canvas<'_>, area: Rect, rows: Rect, buf: &mut Buffer) {
    let gates = &canvas.model.gates;
    let focus = !gates.reading;
    let footer = match gates.rows.len() {
        0 => String::new(),
        len => format!(
            "{} of {len}",
            gates.rows.iter().position(|row| Some(key_of(row)) == gates.selected).unwrap_or(0) + 1
        ),
    };
    pane(buf, area, &format!("inbox  {}", words(canvas)), &footer, canvas.pane(focus));
    if gates.rows.is_empty() {
        let lines = [
            "nothing waits for a person",
            "",
            "A gate that asks rings,",
            "counts in the header, and",
            "is listed here.",
        ];
        for (index, line) in lines.iter().enumerate() {
            let y = rows.y + 1 + u16::try_from(index).unwrap_or(0);
            put(
                buf,
                rows,
                rows.x + 2,
                y,
                line,
                canvas.style(if index == 0 { Role::Text } else { Role::Muted }),
            );
        }
    }
    let each = layout::gates(canvas.model).each;
    let mut end = rows.y;
    for (index, row) in gates.rows.iter().skip(gates.top).take(usize::from(rows.height / each)).enumerate() {
        let y = rows.y + u16::try_from(index).unwrap_or(0) * each;
        card(canvas, row, Rect { y, height: each - 1, ..rows }, buf);
        end = y + each;
    }
    decided(canvas, layout::inset(rows, 0, end - rows.y, 0), buf);
}

fn card(canvas: &Canvas<'_>, row: &InboxRow, place: Rect, buf: &mut Buffer) {
    let selected = canvas.model.gates.selected == Some(key_of(row));
    let base = select_row(canvas, place, selected, buf);
    if selected {
        for y in place.y..place.bottom() {
            put(
                buf,
                place,
                place.x,
                y,
                canvas.glyphs.pick("▌", "|"),
                base.patch(canvas.style(Role::BorderFocus)),
            );
        }
    }
    let mark = mark(canvas, row);
    let style = |role: Role| base.patch(canvas.style(role));
    let (then, then_role) = then(canvas, row);
    let quorum = quorum(canvas, row);
    let asked = wrapped(&question(canvas, row), usize::from(place.width.saturating_sub(4)));
    let lines: [Pieces; 4] = [
        vec![
            (mark.sign(canvas.glyphs).to_owned(), base.patch(mark.style(canvas.theme))),
            (chosen(canvas, row).to_owned(), style(Role::Title)),
            (format!("{}  ", name(row)), style(Role::Title)),
            (risk_word(row.risk).to_owned(), style(role_of_risk(row.risk))),
            (format!("  {}  {}", row.run, safe_text(&row.workflow)), style(Role::Muted)),
        ],
        vec![(format!("  {}", asked.first().map_or("", String::as_str)), style(Role::Text))],
        vec![(format!("  {}", asked.get(1).map_or("", String::as_str)), style(Role::Text))],
        vec![
            (format!("  {quorum}  {}  ", age(canvas.model.now.since(row.since))), style(Role::Muted)),
            (then, style(then_role)),
        ],
    ];
    for (index, line) in lines.iter().enumerate() {
        let y = place.y + u16::try_from(index).unwrap_or(0);
        put_pieces(buf, place, (place.x + 1, y), line, canvas.glyphs);
    }
}

/// Gates that were answered last, in what room is left.
fn decided(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    if area.height < 6 {
        return;
    }
    let closed: Vec<&Arc<GateView>> =
        canvas.model.board.gates().rev().filter(|gate| !gate.is_open()).take(6).collect();
    if closed.is_empty() {
        return;
    }
    let top = area.bottom().saturating_sub(u16::try_from(closed.len()).unwrap_or(0) + 2).max(area.y + 1);
    put(buf, area, area.x + 1, top, "decided lately", canvas.style(Role::Muted));
    for (index, gate) in closed.into_iter().enumerate() {
        let y = top + 1 + u16::try_from(index).unwrap_or(0);
        if y >= area.bottom() {
            break;
        }
        let mark = mark_of_gate(gate, canvas.model.now);
        let by = gate.closers().join(" ");
        let line: Pieces = vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (format!("{:<5} ", gate.id.to_string()), canvas.style(Role::Text)),
            (canvas.glyphs.fit(&safe_text(&gate.ask.step), 16) + " ", canvas.style(Role::Text)),
            (safe_text(&by), canvas.style(Role::Muted)),
        ];
        put_pieces(buf, area, (area.x + 1, y), &line, canvas.glyphs);
    }
}

/// The question of a row, on one line.
fn question(canvas: &Canvas<'_>, row: &InboxRow) -> String {
    let step = safe_text(&row.step_id);
    match row.what {
        Attention::Gate(_) | Attention::Review(..) => gate_of(row.what, &canvas.model.board)
            .map_or(step, |gate| safe_text(gate.ask.prompt.lines().next().unwrap_or_default())),
        Attention::Doubt => format!("what became of {step}?"),
        Attention::StuckUndo => format!("the undo of {step} is stuck"),
    }
}

fn name(row: &InboxRow) -> String {
    match row.what {
        Attention::Gate(gate) => gate.to_string(),
        Attention::Doubt => "doubt".to_owned(),
        Attention::StuckUndo => "undo".to_owned(),
        Attention::Review(gate, _) => format!("{gate}!"),
    }
}

fn mark(canvas: &Canvas<'_>, row: &InboxRow) -> Mark {
    match row.what {
        Attention::Gate(_) | Attention::Review(..) => gate_of(row.what, &canvas.model.board)
            .map_or(Mark::Gate, |gate| mark_of_gate(gate, canvas.model.now)),
        Attention::Doubt | Attention::StuckUndo => Mark::InDoubt,
    }
}

/// The sign of a row that is marked.
fn chosen(canvas: &Canvas<'_>, row: &InboxRow) -> &'static str {
    match row.what {
        Attention::Gate(gate) if canvas.model.gates.marked.contains_key(&gate) => {
            canvas.glyphs.pick("●", "*")
        }
        _ => " ",
    }
}

fn quorum(canvas: &Canvas<'_>, row: &InboxRow) -> String {
    gate_of(row.what, &canvas.model.board).map_or_else(|| "0 of 1".to_owned(), |gate| quorum_words(gate))
}

/// The current activity of a row, or the next event without a person's action.
fn then(canvas: &Canvas<'_>, row: &InboxRow) -> (String, Role) {
    let model = canvas.model;
    if model.gates.is_recording(key_of(row)) {
        return ("recording".to_owned(), Role::Info);
    }
    if matches!(row.what, Attention::Review(..)) {
        return ("review".to_owned(), Role::Fail);
    }
    let Attention::Gate(id) = row.what else { return ("needs an answer".to_owned(), Role::Warn) };
    let Some(gate) = model.board.gate(id) else { return (String::new(), Role::Muted) };
    if let Some(until) = gate.armed_until.filter(|_| gate.state == GateState::Armed) {
        return (format!("starts in {}", seconds(until, model.now)), Role::Ok);
    }
    if model.gates.changed.contains(&id) {
        return ("changed".to_owned(), Role::Warn);
    }
    if gate.is_changed {
        let left = gate.ask.expires_at.map(|at| format!(", {}", age(at.since(model.now))));
        return (format!("CHANGED{}", left.unwrap_or_default()), Role::Warn);
    }
    (gate.then_words(model.now, age), Role::Muted)
}

/// Seconds until then, the one that has begun counted as whole.
pub(super) fn seconds(until: Timestamp, now: Timestamp) -> String {
    format!("{}s", until.since(now).0.div_ceil(1000))
}

/// The whole text of what is under the cursor, as far as the screen goes.
fn text(canvas: &Canvas<'_>, area: Rect, inside: Rect, buf: &mut Buffer) {
    let gates = &canvas.model.gates;
    let (title, shown) = match (&gates.text, gates.row()) {
        (Some(text), Some(row)) => (title(canvas, row), text.lines.as_slice()),
        _ => ("nothing waits here".to_owned(), [].as_slice()),
    };
    let rows = usize::from(inside.height);
    let below = shown.len().saturating_sub(gates.scroll + rows);
    let unseen = unseen_after(canvas.model);
    let key = canvas.model.keys.keys_of(crate::Scope::Gates, crate::Intent::ReadOn).unwrap_or_default();
    let footer = match (below, unseen) {
        _ if shown.is_empty() => String::new(),
        (0, 0) => "seen to its end".to_owned(),
        (0, unseen) => format!("{} above not seen yet", counted(unseen, "line", "lines")),
        (below, 0) => counted(below, "more line", "more lines"),
        (below, unseen) => {
            format!("{key} reads on: {}, {unseen} to be seen", counted(below, "more line", "more lines"))
        }
    };
    let small = !layout::is_boxed(canvas.model);
    if canvas.model.panes().whole {
        main_pane(canvas, area, &title, "", buf);
        let last = area.bottom().saturating_sub(1);
        put(buf, area, area.x + 1, last, &footer, canvas.style(Role::Muted));
    } else {
        pane(buf, area, &title, &footer, canvas.pane(gates.reading || small));
    }
    for (index, line) in shown.iter().skip(gates.scroll).take(rows).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        let pieces: Pieces =
            line.pieces.iter().map(|(text, role)| (text.clone(), canvas.style(*role))).collect();
        put_pieces(buf, inside, (inside.x, y), &pieces, canvas.glyphs);
    }
    if below > 0 {
        let bar = canvas.glyphs.pick("▼", "v");
        put(
            buf,
            area,
            area.right().saturating_sub(1),
            area.bottom().saturating_sub(2),
            bar,
            canvas.style(Role::Warn),
        );
    }
    if small {
        notice(canvas, area, buf);
    }
}

/// Why an approval is not possible now, or that it has begun, at the upper edge where no pane beside says so.
fn notice(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let Some((text, role)) = side::notice(canvas) else { return };
    let line: Pieces = vec![(format!(" {text} "), canvas.style(role))];
    let room = area.width.saturating_sub(34);
    let width = u16::try_from(width_of(&line)).unwrap_or(u16::MAX).min(room);
    let x = area.right().saturating_sub(width + 2);
    let place = Rect { x, y: area.y, width, height: 1 };
    fill(buf, place, canvas.theme.ground().patch(Style::new()));
    put_pieces(buf, place, (x, area.y), &line, canvas.glyphs);
}

fn title(canvas: &Canvas<'_>, row: &InboxRow) -> String {
    let (step, run) = (safe_text(&row.step_id), row.run);
    let dot = canvas.glyphs.pick("·", "-");
    match row.what {
        Attention::Gate(id) => {
            let ask = canvas.model.board.gate(id).map_or_else(String::new, |gate| name_of(gate.hash));
            format!("{id} {dot} ask {ask} {dot} {run} {}", safe_text(&row.workflow))
        }
        Attention::Doubt => format!("{step} {dot} {run} {dot} in doubt"),
        Attention::StuckUndo => format!("{step} {dot} {run} {dot} its undo is stuck"),
        Attention::Review(id, epoch) => {
            let asks_since = canvas.model.board.asks_since(id, epoch);
            let which = if asks_since { format!(" in epoch {epoch}") } else { String::new() };
            format!("{id} {step} {dot} {run} {dot} emergency approval{which}, review it")
        }
    }
}

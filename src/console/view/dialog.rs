//! A dialog over the view: what it is about, what would happen, what has to be typed, Back first.

use super::{
    Canvas,
    pieces::{Pieces, put_pieces, width_of, wrapped},
};
use crate::{
    base::{counted, safe_text},
    console::{About, Dialog, Focus, Level, Preview, Proof, Role, View, centred, dialog, layout},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// The widest a dialog is.
const WIDTH_MAX: u16 = 84;
/// Cells of the names of facts.
const NAME: usize = 11;

pub(super) fn draw(canvas: &Canvas<'_>, it: &Dialog, body: Rect, buf: &mut Buffer) {
    // An answer stands beside the ask where there is room: both are read together.
    let beside = match it.about {
        About::Gate(_) if canvas.model.view == View::Gates => layout::gates(canvas.model).side,
        _ => None,
    };
    let body = beside.unwrap_or(body);
    let most = if beside.is_some() { body.width } else { body.width.saturating_sub(8) };
    let width = WIDTH_MAX.min(most).max(40.min(body.width));
    let room = usize::from(width).saturating_sub(6);
    let (known, takes) = (known(canvas, it, room), takes(canvas, it, room));
    let rows = known.len() + takes.len() + 2;
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(body.height);
    let mut area = centred(body, width, height);
    if beside.is_some() {
        area.y = body.bottom() - area.height;
    }
    let inside = dialog(buf, area, &safe_text(&it.title), canvas.pane(true));
    let known = fitted(canvas, known, usize::from(inside.height).saturating_sub(takes.len()));
    for (row, line) in known.iter().chain(&takes).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put_pieces(buf, inside, (inside.x + 2, y), line, canvas.glyphs);
    }
}

/// What is known, in so many rows: empty ones go first, then those in the middle, counted. What has to be typed and the way
/// out are never what is missing.
fn fitted(canvas: &Canvas<'_>, mut known: Vec<Pieces>, rows: usize) -> Vec<Pieces> {
    /// Of what would happen, which stands last, so much stays.
    const LAST: usize = 2;
    if known.len() > rows {
        known.retain(|it| !it.is_empty());
    }
    let more = known.len().saturating_sub(rows);
    if more > 0 {
        let last = LAST.min(rows.saturating_sub(1));
        let first = rows.saturating_sub(last + 1);
        let dots = canvas.glyphs.pick("…", "...");
        let text = format!("{dots} and {}", counted(more + 1, "more line", "more lines"));
        let end = known.len() - last;
        known.splice(first..end, [vec![(text, canvas.style(Role::Muted))]]);
        known.truncate(rows);
    }
    known
}

/// What it is about, and what would happen.
fn known(canvas: &Canvas<'_>, it: &Dialog, room: usize) -> Vec<Pieces> {
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    for fact in &it.facts {
        for (index, part) in
            wrapped(&safe_text(&fact.text), room.saturating_sub(NAME)).into_iter().enumerate()
        {
            lines.push(named(canvas, if index == 0 { &fact.name } else { "" }, part, fact.role));
        }
    }
    lines.push(Vec::new());
    match &it.preview {
        Preview::Asked(_) => lines.push(named(canvas, "then", "asking the engine…".to_owned(), Role::Muted)),
        Preview::Refused(why) => {
            for (index, part) in wrapped(&safe_text(why), room.saturating_sub(NAME)).into_iter().enumerate() {
                lines.push(named(canvas, if index == 0 { "refused" } else { "" }, part, Role::Fail));
            }
        }
        Preview::Known(known) => {
            let parts = known.iter().flat_map(|it| wrapped(&safe_text(it), room.saturating_sub(NAME)));
            for (index, part) in parts.enumerate() {
                lines.push(named(canvas, if index == 0 { "then" } else { "" }, part, Role::Text));
            }
        }
    }
    lines.push(Vec::new());
    lines
}

/// What takes keys: fields, what has to be typed, and the ways out.
fn takes(canvas: &Canvas<'_>, it: &Dialog, room: usize) -> Vec<Pieces> {
    let mut lines = Vec::new();
    for (index, field) in it.fields.iter().enumerate() {
        let focus = it.focus == Focus::Field(index);
        lines.push(field_line(canvas, &field.name, &field.field, focus, room));
    }
    if let Proof::Typed { ask, field, .. } = &it.proof {
        if !it.fields.is_empty() {
            lines.push(Vec::new());
        }
        let asks = wrapped(&safe_text(ask), room).into_iter();
        lines.extend(asks.map(|it| vec![(it, canvas.style(Role::Warn))]));
        lines.push(field_line(canvas, "", field, it.focus == Focus::Proof, room));
    }
    lines.push(Vec::new());
    lines.push(buttons(canvas, it, room));
    lines.push(Vec::new());
    lines
}

fn named(canvas: &Canvas<'_>, name: &str, text: String, role: Role) -> Pieces {
    vec![(format!("{name:<NAME$}"), canvas.style(Role::Muted)), (text, canvas.style(role))]
}

fn field_line(
    canvas: &Canvas<'_>,
    name: &str,
    field: &crate::console::Field,
    focus: bool,
    room: usize,
) -> Pieces {
    let cursor = if focus { canvas.glyphs.pick('▏', '_') } else { ' ' };
    let shown = safe_text(&field.shown(room.saturating_sub(NAME + 1), cursor));
    let blank = room.saturating_sub(NAME + unicode_width::UnicodeWidthStr::width(shown.as_str()));
    // The room to type in is seen also without colour.
    let (open, close) = if focus { canvas.glyphs.pick(("▐", "▌"), ("[", "]")) } else { ("[", "]") };
    let edge = canvas.style(if focus { Role::BorderFocus } else { Role::Border });
    let text = canvas.style(Role::Text);
    let style =
        if focus { text.patch(canvas.style(Role::Select)) } else { text.add_modifier(Modifier::UNDERLINED) };
    vec![
        (format!("{name:<width$}", width = NAME - 1), canvas.style(Role::Muted)),
        (open.to_owned(), edge),
        (format!("{shown}{}", " ".repeat(blank.saturating_sub(1))), style),
        (close.to_owned(), edge),
    ]
}

/// `[ Esc  Back ]            [ y  Cancel as mira ]`
fn buttons(canvas: &Canvas<'_>, it: &Dialog, room: usize) -> Pieces {
    let back = "[ Esc  Back ]".to_owned();
    let enter = canvas.glyphs.pick("⏎", "Enter");
    let key = if it.level >= Level::L3 || it.proof != Proof::Key { enter } else { "y" };
    let verb: String =
        it.verb.chars().take(1).flat_map(char::to_uppercase).chain(it.verb.chars().skip(1)).collect();
    let does = format!("[ {key}  {verb} as {} ]", safe_text(&canvas.model.seat.actor.name));
    let focused = |focus: Focus| {
        let style = canvas.style(Role::Text);
        if it.focus == focus { style.add_modifier(Modifier::REVERSED) } else { style }
    };
    let can = it.missing().is_none() && canvas.model.locked().is_none();
    let does_style = if can { focused(Focus::Do) } else { canvas.style(Role::Muted) };
    let mut line: Pieces = vec![(back, focused(Focus::Back))];
    let gap = room.saturating_sub(width_of(&line) + unicode_width::UnicodeWidthStr::width(does.as_str()));
    line.push((" ".repeat(gap.max(2)), canvas.style(Role::Text)));
    line.push((does, does_style));
    line
}

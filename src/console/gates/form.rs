//! The parameters of a gate while they are edited: the values, what each field takes, what is wrong, and the reason.

use super::{ask_text::name_of, state::FormState};
use crate::{
    Role, fill, layout, pane, put,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{safe_text, shorten};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr;

pub(crate) fn draw(canvas: &Canvas<'_>, form: &FormState, body: Rect, buf: &mut Buffer) {
    fill(buf, body, canvas.theme.ground());
    let places = layout::form(canvas.model.size);
    let dot = canvas.glyphs.pick("·", "-");
    let title = format!("Edit parameters {dot} {} {dot} ask {}", form.gate, name_of(form.hash));
    pane(buf, body, &title, "who edits does not vote", canvas.pane(false));
    values(canvas, form, places, buf);
    schema(canvas, form, places.schema, buf);
    check(canvas, form, places.check, buf);
    reason(canvas, form, places.reason, buf);
}

fn values(canvas: &Canvas<'_>, form: &FormState, places: layout::FormLayout, buf: &mut Buffer) {
    let (row, column) = (form.text.cursor().0, form.text.cursor().1);
    let footer = format!("Ln {} Col {}", row + 1, column + 1);
    pane(buf, places.editor, "params.json", &footer, canvas.pane(!form.in_reason));
    let area = places.text;
    let digits = form.text.lines().len().to_string().len().max(2);
    for (index, line) in form.text.lines().iter().enumerate().skip(form.top).take(usize::from(area.height)) {
        let y = area.y + u16::try_from(index - form.top).unwrap_or(0);
        let x = put(buf, area, area.x, y, &format!("{:>digits$} ", index + 1), canvas.style(Role::Muted));
        let room = usize::from(area.right().saturating_sub(x));
        let shown = safe_text(line);
        if index != row || form.in_reason {
            put(buf, area, x, y, &canvas.glyphs.fit(&shown, room), canvas.style(Role::Text));
            continue;
        }
        let before: String = line.chars().take(column).collect();
        let after: String = line.chars().skip(column).collect();
        let before = scrolled_to_end(&safe_text(&before), room.saturating_sub(2));
        let x = put(buf, area, x, y, &before, canvas.style(Role::Text));
        let cursor = canvas.glyphs.pick("▏", "_");
        let x = put(buf, area, x, y, cursor, canvas.style(Role::BorderFocus));
        let room = usize::from(area.right().saturating_sub(x));
        put(buf, area, x, y, &canvas.glyphs.fit(&safe_text(&after), room), canvas.style(Role::Text));
    }
}

/// The end of a text, as much of it as fits.
fn scrolled_to_end(text: &str, width: usize) -> String {
    let mut from = text;
    while from.width() > width {
        let mut chars = from.chars();
        chars.next();
        from = chars.as_str();
    }
    from.to_owned()
}

fn schema(canvas: &Canvas<'_>, form: &FormState, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, "what each field takes", "", canvas.pane(false)), 1, 0, 0);
    let width = usize::from(inside.width);
    let mut lines: Vec<Pieces> = Vec::new();
    for field in &form.fields {
        let now = safe_text(&format!("  now {}", shorten(&field.value.to_string(), 60)));
        lines.push(vec![
            (safe_text(&field.name), canvas.style(Role::Title)),
            (now, canvas.style(Role::Muted)),
        ]);
        for (text, role) in [(Some(field.rule()), Role::Text), (field.description.clone(), Role::Muted)] {
            let parts =
                text.map(|text| wrapped(&safe_text(&text), width.saturating_sub(2))).unwrap_or_default();
            lines.extend(parts.into_iter().map(|part| vec![(format!("  {part}"), canvas.style(role))]));
        }
    }
    for (index, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
}

fn check(canvas: &Canvas<'_>, form: &FormState, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, "check", "", canvas.pane(false)), 1, 0, 0);
    let room = usize::from(inside.width).saturating_sub(2);
    let mut lines: Vec<Pieces> = Vec::new();
    for (sign, text, role) in &form.check {
        let sign = if *sign == "ok" { canvas.glyphs.pick("✓", "+") } else { sign };
        for (index, part) in wrapped(text, room).into_iter().enumerate() {
            let sign = if index == 0 { sign } else { " " };
            let text_role = if *role == Role::Ok { Role::Text } else { *role };
            lines.push(vec![(format!("{sign} "), canvas.style(*role)), (part, canvas.style(text_role))]);
        }
    }
    for (index, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
}

fn reason(canvas: &Canvas<'_>, form: &FormState, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(
        pane(buf, area, "reason", "^S saves: a new ask, votes void", canvas.pane(form.in_reason)),
        1,
        0,
        0,
    );
    let cursor = if form.in_reason { canvas.glyphs.pick('▏', '_') } else { ' ' };
    let shown = safe_text(&form.reason.shown(usize::from(inside.width), cursor));
    put(buf, inside, inside.x, inside.y, &shown, canvas.style(Role::Text));
    if form.reason.text().is_empty() && !form.in_reason {
        put(buf, inside, inside.x, inside.y, "why; Tab goes here", canvas.style(Role::Muted));
    }
}

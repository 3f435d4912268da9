//! The palette: what was typed, what fits, with level, key and effect; under it what the chosen one means.

use crate::{
    Level, Role, fill, layout,
    model::{PaletteRow, PaletteState},
    pane,
    popup::draw::select_row,
    put,
    view::{
        canvas::Canvas,
        frame::ascii_keys,
        pieces::{Column, columns, put_cell},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};

pub(crate) fn draw(canvas: &Canvas<'_>, palette: &PaletteState, body: Rect, buf: &mut Buffer) {
    let width = if body.width >= 140 { 110 } else { 68.min(body.width.saturating_sub(4)) };
    let height = body.height.saturating_sub(4).min(30).max(8.min(body.height));
    let area = Rect::new(
        body.x + (body.width - width.min(body.width)) / 2,
        body.y + 1.min(body.height),
        width,
        height,
    );
    let area = area.intersection(body);
    fill(buf, area, canvas.theme.ground());
    let footer = format!("{} of {}", palette.rows.len(), palette.total);
    let inside = pane(buf, area, "command", &footer, canvas.pane(true));
    let cursor = canvas.glyphs.pick('▏', '_');
    let x = put(buf, inside, inside.x + 1, inside.y, ":", canvas.style(Role::Title));
    let room = usize::from(inside.width).saturating_sub(3);
    put(buf, inside, x, inside.y, &palette.field.shown(room, cursor), canvas.style(Role::Text));
    rule(canvas, inside, 1, buf);
    let wide = inside.width >= 100;
    let heads = u16::from(wide);
    let table = table(inside, wide);
    if wide {
        for column in &table {
            put_cell(
                buf,
                inside,
                *column,
                inside.y + 2,
                (column.title, canvas.style(Role::Muted)),
                canvas.glyphs,
            );
        }
    }
    let foot = if inside.height > 12 { 4 } else { 0 };
    let rows = layout::inset(inside, 0, 2 + heads, foot);
    list(canvas, palette, &table, rows, buf);
    if foot > 0 {
        rule(canvas, inside, inside.height - foot, buf);
        let below = layout::inset(inside, 1, inside.height - foot + 1, 0);
        if let Some(row) = palette.rows.get(palette.selected) {
            explain(canvas, row, below, buf);
        }
    }
}

fn rule(canvas: &Canvas<'_>, area: Rect, row: u16, buf: &mut Buffer) {
    let line = canvas.glyphs.pick("─", "-").repeat(usize::from(area.width));
    put(buf, area, area.x, area.y + row, &line, canvas.style(Role::Border));
}

fn table(inside: Rect, wide: bool) -> Vec<Column> {
    let (x, width) = (inside.x + 1, inside.width.saturating_sub(1));
    if wide {
        columns(
            x,
            width,
            &[
                ("COMMAND", 34, false),
                ("KEY", 5, false),
                ("WHAT", 0, false),
                ("LEVEL", 6, false),
                ("HERE", 34, false),
            ],
        )
    } else {
        columns(
            x,
            width,
            &[("COMMAND", 26, false), ("KEY", 4, false), ("WHAT", 0, false), ("LEVEL", 3, false)],
        )
    }
}

fn list(canvas: &Canvas<'_>, palette: &PaletteState, table: &[Column], area: Rect, buf: &mut Buffer) {
    let page = usize::from(area.height);
    let top = (palette.selected + 1).saturating_sub(page);
    if palette.rows.is_empty() {
        put(
            buf,
            area,
            area.x + 1,
            area.y,
            "no command fits; Backspace widens the search",
            canvas.style(Role::Muted),
        );
    }
    for (index, row) in palette.rows.iter().enumerate().skip(top).take(page) {
        let y = area.y + u16::try_from(index - top).unwrap_or(0);
        let selected = index == palette.selected;
        let base = select_row(canvas, Rect { y, height: 1, ..area }, selected, buf);
        if selected {
            put(
                buf,
                area,
                area.x,
                y,
                canvas.glyphs.pick("▌", "|"),
                base.patch(canvas.style(Role::BorderFocus)),
            );
        }
        for column in table {
            let (text, role) = cell(canvas, row, column.title);
            put_cell(buf, area, *column, y, (&text, base.patch(canvas.style(role))), canvas.glyphs);
        }
    }
}

fn cell(canvas: &Canvas<'_>, row: &PaletteRow, title: &str) -> (String, Role) {
    let off = row.refused.is_some();
    match title {
        "COMMAND" => (row.name.clone(), if off { Role::Muted } else { Role::Text }),
        "KEY" => (ascii_keys(canvas, &row.key), Role::Title),
        "WHAT" => (row.what.clone(), Role::Muted),
        "HERE" => match &row.refused {
            Some(why) => (cuelight_base::safe_text(reason(why)), Role::Warn),
            None if row.level == Level::L0 => (String::new(), Role::Muted),
            None => ("yes".to_owned(), Role::Ok),
        },
        // Where there is no room for the reason, a sign says that there is one.
        _ if off && !canvas_is_wide(canvas) => {
            (format!("{}{}", canvas.glyphs.pick("✗", "x"), row.level), Role::Muted)
        }
        _ => (row.level.to_string(), if row.level >= Level::L2 { Role::Warn } else { Role::Muted }),
    }
}

/// True if the screen has room for a column about the current view.
fn canvas_is_wide(canvas: &Canvas<'_>) -> bool {
    canvas.model.size.0 >= 140
}

/// Why not, without what: `could not pause r-2: it has ended` is `it has ended`.
fn reason(why: &str) -> &str {
    match why.strip_prefix("could not ").and_then(|rest| rest.split_once(": ")) {
        Some((_, reason)) => reason,
        None => why,
    }
}

/// Draws the effect of the chosen row, and the reason why it would be refused.
fn explain(canvas: &Canvas<'_>, row: &PaletteRow, area: Rect, buf: &mut Buffer) {
    put(buf, area, area.x, area.y, &format!("{}: {}", row.name, row.what), canvas.style(Role::Text));
    let (text, role) = match &row.refused {
        Some(why) => (cuelight_base::safe_text(why), Role::Warn),
        None => (level_words(row.level).to_owned(), Role::Muted),
    };
    let room = usize::from(area.width);
    put(buf, area, area.x, area.y + 1, &canvas.glyphs.fit(&text, room), canvas.style(role));
}

/// The words for the confirmation that a level asks for.
pub(super) fn level_words(level: Level) -> &'static str {
    match level {
        Level::L0 => "L0: looks only, at once",
        Level::L1 => "L1: at once; u undoes it for 10 s",
        Level::L2 => "L2: asks, y does it",
        Level::L3 => "L3: asks for the id or the code, then Enter",
        Level::L4 => "L4: asks for command and environment",
    }
}

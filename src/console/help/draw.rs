//! The help: every key of this view, from the key table, so it cannot lie; then signs and levels.

use super::rows::{self, HEAD, KEYS, side_by_side};
use crate::{
    Level, Mark, Role, Scope, fill, layout,
    model::HelpState,
    pane,
    popup::draw::select_row,
    put, put_right,
    view::{
        canvas::Canvas,
        frame::ascii_keys,
        pieces::{Pieces, columns, put_cell, put_pieces},
    },
};
use cuelight_base::counted;
use ratatui::{buffer::Buffer, layout::Rect};

pub(crate) fn draw(canvas: &Canvas<'_>, state: &HelpState, body: Rect, buf: &mut Buffer) {
    fill(buf, body, canvas.theme.ground());
    let area = layout::inset(body, rows::sides(body.width), 0, 0);
    let dot = canvas.glyphs.pick("·", "-");
    if state.is_list() {
        return list(canvas, state, area, dot, buf);
    }
    let top = state.top;
    let title = format!("help {dot} {}", canvas.model.view.name());
    let inside = pane(buf, area, &title, "/ search  Tab all views  Esc close", canvas.pane(true));
    let lines = lines(canvas, usize::from(inside.width));
    for (row, line) in lines.iter().skip(top).take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put_pieces(buf, inside, (inside.x + 1, y), line, canvas.glyphs);
    }
    if lines.len() > top + usize::from(inside.height) {
        let more = lines.len() - top - usize::from(inside.height);
        let more = format!(" {}, j ", counted(more, "more line", "more lines"));
        put(buf, area, area.x + 3, area.bottom().saturating_sub(1), &more, canvas.style(Role::Warn));
    }
}

/// One row for each command: keys, level, what it does, and where.
fn list(canvas: &Canvas<'_>, state: &HelpState, area: Rect, dot: &str, buf: &mut Buffer) {
    let rows = rows::rows(canvas.model, state);
    let title = if state.all {
        format!("help {dot} all views")
    } else {
        format!("help {dot} {}", canvas.model.view.name())
    };
    let other = if state.all { "this view" } else { "all views" };
    let enter = canvas.glyphs.pick("⏎", "Enter");
    let footer = format!("{enter} does it  / search  Tab {other}  Esc back");
    let inside = pane(buf, area, &title, &footer, canvas.pane(true));
    let (muted, text) = (canvas.style(Role::Muted), canvas.style(Role::Text));
    let found = counted(rows.len(), "command", "commands");
    let cursor = canvas.glyphs.pick('▏', '_');
    let find = if state.types {
        state.find.shown(usize::from(inside.width).saturating_sub(24), cursor)
    } else {
        state.find.text().to_owned()
    };
    let x = put(buf, inside, inside.x + 1, inside.y, "/", canvas.style(Role::Title));
    put(buf, inside, x, inside.y, &find, text);
    put_right(buf, inside, inside.right().saturating_sub(1), inside.y, &found, muted);
    let table = columns(
        inside.x + 1,
        inside.width.saturating_sub(2),
        &[
            ("KEYS", 18, false),
            ("LEVEL", 5, false),
            ("WHAT", 0, false),
            ("COMMAND", 18, false),
            ("WHERE", 10, false),
        ],
    );
    for column in &table {
        put_cell(buf, inside, *column, inside.y + 1, (column.title, muted), canvas.glyphs);
    }
    let list = layout::inset(inside, 0, HEAD, 0);
    let shown = rows.iter().enumerate().skip(state.top);
    for ((index, row), y) in shown.zip(list.y..list.bottom()) {
        let base = select_row(canvas, Rect { y, height: 1, ..list }, index == state.selected, buf);
        let place = if row.scope == Scope::Normal { "everywhere" } else { row.scope.name() };
        let cells = [
            (ascii_keys(canvas, &row.keys), canvas.style(Role::Title)),
            (row.intent.level().to_string(), muted),
            (row.intent.what().to_owned(), text),
            (row.intent.name().to_owned(), muted),
            (place.to_owned(), muted),
        ];
        for (column, (cell, style)) in table.iter().zip(cells) {
            put_cell(buf, list, *column, y, (&cell, base.patch(style)), canvas.glyphs);
        }
    }
    if rows.is_empty() {
        put(buf, list, list.x + 1, list.y, "no key does that; : finds every command by name", muted);
    }
}

fn lines(canvas: &Canvas<'_>, width: usize) -> Vec<Pieces> {
    let (columns, each) = side_by_side(canvas.model, width);
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    for row in 0..height {
        let mut line = Pieces::new();
        for column in &columns {
            let (key, what, is_head) = column.get(row).cloned().unwrap_or_default();
            let keys = if is_head { each } else { KEYS.min(each) };
            let role = if is_head { Role::BorderFocus } else { Role::Title };
            line.push((padded(canvas, &ascii_keys(canvas, &key), keys), canvas.style(role)));
            line.push((padded(canvas, &what, each - keys), canvas.style(Role::Text)));
        }
        lines.push(line);
    }
    lines.push(Vec::new());
    lines.extend(foot(canvas, width));
    lines
}

fn foot(canvas: &Canvas<'_>, width: usize) -> Vec<Pieces> {
    let muted = canvas.style(Role::Muted);
    let shown = [
        Mark::Gate,
        Mark::Runs,
        Mark::Done,
        Mark::Partial,
        Mark::Failed,
        Mark::TimedOut,
        Mark::Retry,
        Mark::Waits,
        Mark::Undone,
        Mark::Skipped,
        Mark::Cancelled,
        Mark::Rejected,
        Mark::Paused,
        Mark::InDoubt,
        Mark::Todo,
    ];
    let mut rows: Vec<Pieces> = vec![Vec::new(), Vec::new()];
    let (mut row, mut used) = (0, 0);
    for mark in shown {
        let text = format!(" {}  ", mark.word());
        if used + text.len() + 2 > width && row == 0 {
            (row, used) = (1, 0);
        }
        used += text.len() + 1;
        rows[row].push((mark.sign(canvas.glyphs).to_owned(), mark.style(canvas.theme)));
        rows[row].push((text, muted));
    }
    rows.push(Vec::new());
    rows.push(vec![(
        "No single key does what cannot be undone. Enter alone never approves.".to_owned(),
        muted,
    )]);
    rows.push(vec![(
        "Keys typed before a dialog was drawn, held keys and pastes answer nothing.".to_owned(),
        muted,
    )]);
    let levels: Vec<String> = [Level::L0, Level::L1, Level::L2, Level::L3, Level::L4]
        .map(|level| format!("{level} {}", short_level(level)))
        .to_vec();
    rows.push(vec![(levels.join("   "), muted)]);
    rows
}

fn short_level(level: Level) -> &'static str {
    match level {
        Level::L0 => "look",
        Level::L1 => "undo 10s",
        Level::L2 => "press y",
        Level::L3 => "type id or code",
        Level::L4 => "type words",
    }
}

/// A text in exactly so many cells, the last one empty.
fn padded(canvas: &Canvas<'_>, text: &str, width: usize) -> String {
    let text = canvas.glyphs.fit(text, width.saturating_sub(1));
    let blank = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    format!("{text}{}", " ".repeat(blank))
}

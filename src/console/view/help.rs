//! The help: every key of this view, from the key table, so it cannot lie; then signs and levels.

use super::{
    Canvas,
    frame::ascii_keys,
    pieces::{Pieces, columns, put_cell, put_pieces, wrapped},
    popup::select_row,
};
use crate::{
    Intent, Level, Mark, Model, Role, Scope, fill, help_rows, intent::Group, layout, model::HelpState, pane,
    put, put_right,
};
use cuelight_base::counted;
use ratatui::{buffer::Buffer, layout::Rect};

/// One block of the help: a head, and keys with what they do.
struct Block {
    head: &'static str,
    rows: Vec<(String, &'static str)>,
}

/// Room at both sides of the help.
fn sides(width: u16) -> u16 {
    if width >= 140 { 4 } else { 0 }
}

pub(super) fn draw(canvas: &Canvas<'_>, state: &HelpState, body: Rect, buf: &mut Buffer) {
    fill(buf, body, canvas.theme.ground());
    let area = layout::inset(body, sides(body.width), 0, 0);
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

/// Rows of the list that are seen at once.
pub(crate) fn help_rows_seen(model: &Model) -> usize {
    usize::from(layout::frame(model.size).body.height.saturating_sub(2 + HEAD)).max(1)
}

/// Lines over the rows of the list: what is looked for, and the heads of the columns.
const HEAD: u16 = 2;

/// One row for each command: keys, level, what it does, and where.
fn list(canvas: &Canvas<'_>, state: &HelpState, area: Rect, dot: &str, buf: &mut Buffer) {
    let rows = help_rows::rows(canvas.model, state);
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

/// The number of lines of the help in this view at this size.
pub(crate) fn help_height(model: &Model) -> usize {
    let inside = usize::from(model.size.0.saturating_sub(2 * sides(model.size.0) + 2));
    let (columns, _) = side_by_side(&blocks(model), model.size.0 >= 140, inside);
    let keys = columns.iter().map(Vec::len).max().unwrap_or(0);
    keys + 2 + FOOT
}

/// Lines under the keys: signs and levels.
const FOOT: usize = 6;

fn lines(canvas: &Canvas<'_>, width: usize) -> Vec<Pieces> {
    let (columns, each) = side_by_side(&blocks(canvas.model), canvas.model.size.0 >= 140, width);
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

/// Cells for the keys before what they do.
const KEYS: usize = 6;

/// A text in exactly so many cells, the last one empty.
fn padded(canvas: &Canvas<'_>, text: &str, width: usize) -> String {
    let text = canvas.glyphs.fit(text, width.saturating_sub(1));
    let blank = width.saturating_sub(unicode_width::UnicodeWidthStr::width(text.as_str()));
    format!("{text}{}", " ".repeat(blank))
}

/// The keys of this view and those of all, under their heads.
fn blocks(model: &Model) -> Vec<Block> {
    let scope = model.view.scope();
    let of = |group: Group| -> Vec<(String, &'static str)> {
        let intents = Intent::all().filter(|intent| intent.group() == group);
        intents.filter_map(|intent| Some((all_keys(model, scope, intent)?, intent.what()))).collect()
    };
    let mut view = of(Group::View);
    view.extend(of(Group::Act));
    let mut head = "THIS VIEW";
    if model.past.travel.is_some() {
        // In the past its own keys lie over those of the view, and nothing is asked of the engine.
        let rows = help_rows::rows(model, &HelpState::default());
        let past = rows.into_iter().filter(|row| row.scope == Scope::Travel);
        view = past.map(|row| (row.keys, row.intent.what())).collect();
        head = "THE PAST";
    }
    vec![
        Block { head, rows: view },
        Block { head: "MOVE", rows: of(Group::Move) },
        Block { head: "FIND AND SHOW", rows: of(Group::Find) },
        Block { head: "ANYWHERE", rows: of(Group::Anywhere) },
    ]
}

/// The keys of a command, those of the view first.
fn all_keys(model: &Model, scope: Scope, intent: Intent) -> Option<String> {
    model.keys.keys_of(scope, intent)
}

type Row = (String, String, bool);

/// Blocks side by side, each in so many cells: four on wide screens, else three. A text that is wider stands on several
/// rows, so that none is cut.
fn side_by_side(blocks: &[Block], wide: bool, width: usize) -> (Vec<Vec<Row>>, usize) {
    let each = width.saturating_sub(1) / if wide { 4 } else { 3 };
    let room = each.saturating_sub(KEYS + 1).max(8);
    let in_rows = |(key, what): &(String, &'static str)| -> Vec<Row> {
        let row = |(index, text): (usize, String)| {
            (if index == 0 { key.clone() } else { String::new() }, text, false)
        };
        wrapped(what, room).into_iter().enumerate().map(row).collect()
    };
    let column = |blocks: &[&Block]| -> Vec<Row> {
        let mut rows = Vec::new();
        for block in blocks.iter().filter(|block| !block.rows.is_empty()) {
            if !rows.is_empty() {
                rows.push((String::new(), String::new(), false));
            }
            rows.push((block.head.to_owned(), String::new(), true));
            rows.extend(block.rows.iter().flat_map(in_rows));
        }
        rows
    };
    let columns = match blocks {
        [view, moves, find, anywhere] if wide => {
            vec![column(&[view]), column(&[moves]), column(&[find]), column(&[anywhere])]
        }
        [view, moves, find, anywhere] => {
            vec![column(&[view, find]), column(&[moves]), column(&[anywhere])]
        }
        _ => Vec::new(),
    };
    (columns, each)
}

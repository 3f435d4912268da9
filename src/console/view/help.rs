//! The help: every key of this view, from the key table, so it cannot lie; then signs and levels.

use super::{
    Canvas,
    frame::ascii_keys,
    pieces::{Pieces, put_pieces},
};
use crate::console::{Intent, Level, Mark, Model, Role, Scope, fill, intent::Group, layout, pane, put};
use ratatui::{buffer::Buffer, layout::Rect};

/// One block of the help: a head, and keys with what they do.
struct Block {
    head: &'static str,
    rows: Vec<(String, &'static str)>,
}

pub(super) fn draw(canvas: &Canvas<'_>, top: usize, body: Rect, buf: &mut Buffer) {
    fill(buf, body, canvas.theme.ground());
    let wide = body.width >= 140;
    let area = layout::inset(body, if wide { 4 } else { 0 }, 0, 0);
    let title = format!("help · {}", canvas.model.view.name());
    let inside = pane(buf, area, &title, "Esc close", canvas.pane(true));
    let lines = lines(canvas, usize::from(inside.width));
    for (row, line) in lines.iter().skip(top).take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put_pieces(buf, inside, (inside.x + 1, y), line, canvas.glyphs);
    }
    if lines.len() > top + usize::from(inside.height) {
        let more = format!(" {} more lines, j ", lines.len() - top - usize::from(inside.height));
        put(buf, area, area.x + 3, area.bottom().saturating_sub(1), &more, canvas.style(Role::Warn));
    }
}

/// How many lines the help has in this view at this size.
pub(in crate::console) fn help_height(model: &Model) -> usize {
    let columns = columns(&blocks(model), model.size.0 >= 140);
    let keys = columns.iter().map(Vec::len).max().unwrap_or(0);
    keys + 2 + FOOT
}

/// Lines under the keys: signs and levels.
const FOOT: usize = 6;

fn lines(canvas: &Canvas<'_>, width: usize) -> Vec<Pieces> {
    let columns = columns(&blocks(canvas.model), canvas.model.size.0 >= 140);
    let each = width.saturating_sub(1) / columns.len().max(1);
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    for row in 0..height {
        let mut line = Pieces::new();
        for column in &columns {
            let (key, what, is_head) = column.get(row).cloned().unwrap_or_default();
            let keys = if is_head { each } else { KEYS.min(each) };
            let role = if is_head { Role::BorderFocus } else { Role::Title };
            line.push((padded(canvas, &ascii_keys(canvas, &key), keys), canvas.style(role)));
            line.push((padded(canvas, what, each - keys), canvas.style(Role::Text)));
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
    let levels: Vec<String> = [Level::L0, Level::L1, Level::L2, Level::L3]
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
        Level::L4 => "type command and environment",
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
        let intents = Intent::all().filter(|it| it.group() == group);
        intents.filter_map(|it| Some((all_keys(model, scope, it)?, it.what()))).collect()
    };
    let mut view = of(Group::View);
    view.extend(of(Group::Act));
    vec![
        Block { head: "THIS VIEW", rows: view },
        Block { head: "MOVE", rows: of(Group::Move) },
        Block { head: "FIND AND SHOW", rows: of(Group::Find) },
        Block { head: "ANYWHERE", rows: of(Group::Anywhere) },
    ]
}

/// The keys of a command, those of the view first.
fn all_keys(model: &Model, scope: Scope, intent: Intent) -> Option<String> {
    model.keys.keys_of(scope, intent)
}

type Row = (String, &'static str, bool);

/// Blocks side by side: four on wide screens, else three.
fn columns(blocks: &[Block], wide: bool) -> Vec<Vec<Row>> {
    let column = |blocks: &[&Block]| -> Vec<Row> {
        let mut rows = Vec::new();
        for block in blocks.iter().filter(|it| !it.rows.is_empty()) {
            if !rows.is_empty() {
                rows.push((String::new(), "", false));
            }
            rows.push((block.head.to_owned(), "", true));
            rows.extend(block.rows.iter().map(|(key, what)| (key.clone(), *what, false)));
        }
        rows
    };
    match blocks {
        [view, moves, find, anywhere] if wide => {
            vec![column(&[view]), column(&[moves]), column(&[find]), column(&[anywhere])]
        }
        [view, moves, find, anywhere] => {
            vec![column(&[view, find]), column(&[moves]), column(&[anywhere])]
        }
        _ => Vec::new(),
    }
}

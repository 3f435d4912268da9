//! The rows of the help as a list: every key of this view, or of all of them, and those that match a search; also the
//! blocks of its page, which stand side by side. All come from the key table alone, so that none can be missing or
//! wrong. `draw` draws them.

use crate::{
    Intent, Keymap, Model, Scope, View, intent::Group, keymap::shown, layout, model::HelpState, text::wrapped,
};

/// A command and all keys that lead to it from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HelpRow {
    pub scope: Scope,
    /// As they are shown, parted by blanks.
    pub keys: String,
    pub intent: Intent,
}

/// The rows that an open help lists: those that fit, and of these the key that was typed first.
pub(super) fn rows(model: &Model, state: &HelpState) -> Vec<HelpRow> {
    let find = state.find.text().trim();
    let mut rows: Vec<HelpRow> = if state.all {
        Scope::all().flat_map(|scope| of_scope(&model.keys, scope, scope)).collect()
    } else {
        of_view(model)
    };
    rows.retain(|row| fits(row, find));
    rows.sort_by_key(|row| !row.keys.split(' ').any(|key| key == find));
    rows
}

/// The rows of the view, of the past over it, and of those keys of all views that it does not hide.
fn of_view(model: &Model) -> Vec<HelpRow> {
    let (keys, view) = (&model.keys, model.view.scope());
    let over = model.past.travel.iter().flat_map(|_| of_scope(keys, Scope::Travel, Scope::Travel));
    let own = of_scope(keys, view, view);
    let everywhere = of_scope(keys, Scope::Normal, view);
    over.chain(own).chain(everywhere).collect()
}

/// The rows of one table, as far as they can be pressed in a place.
fn of_scope(keymap: &Keymap, table: Scope, from: Scope) -> Vec<HelpRow> {
    let mut rows: Vec<HelpRow> = Vec::new();
    for binding in keymap.bindings(table) {
        let [intent] = binding.intents[..] else { continue };
        if table != from && !keymap.can_be_typed(from, &binding.keys) {
            continue;
        }
        match rows.iter_mut().find(|row| row.intent == intent) {
            Some(row) => {
                row.keys.push(' ');
                row.keys.push_str(&shown(&binding.keys));
            }
            None => rows.push(HelpRow { scope: table, keys: shown(&binding.keys), intent }),
        }
    }
    rows
}

/// Returns true if a row contains every word of a search; a single character also matches a key.
fn fits(row: &HelpRow, find: &str) -> bool {
    let what = row.intent.what();
    let text = format!("{} {what} {} {}", row.keys, row.intent.name(), row.scope.name()).to_lowercase();
    find.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}

/// The view whose own keys stand in a table.
pub(super) fn view_of(scope: Scope) -> Option<View> {
    View::ALL.iter().copied().find(|view| view.scope() == scope)
}

/// Returns true if a row can be executed from the help: it acts as its key would, and belongs to no field or
/// dialog.
pub(super) fn can_be_done(row: &HelpRow) -> bool {
    row.intent.group() != Group::Inside
}

/// One block of the help: a head, and keys with what they do.
struct Block {
    head: &'static str,
    rows: Vec<(String, &'static str)>,
}

/// Room at both sides of the help.
pub(super) fn sides(width: u16) -> u16 {
    if width >= 140 { 4 } else { 0 }
}

/// Rows of the list that are seen at once.
pub(super) fn rows_seen(model: &Model) -> usize {
    usize::from(layout::frame(model.size).body.height.saturating_sub(2 + HEAD)).max(1)
}

/// Lines over the rows of the list: what is looked for, and the heads of the columns.
pub(super) const HEAD: u16 = 2;

/// The number of lines of the help in this view at this size.
pub(super) fn height(model: &Model) -> usize {
    let inside = usize::from(model.size.0.saturating_sub(2 * sides(model.size.0) + 2));
    let (columns, _) = side_by_side(model, inside);
    let keys = columns.iter().map(Vec::len).max().unwrap_or(0);
    keys + 2 + FOOT
}

/// Lines under the keys: signs and levels.
const FOOT: usize = 6;

/// Cells for the keys before what they do.
pub(super) const KEYS: usize = 6;

/// The keys of this view and those of all, under their heads.
fn blocks(model: &Model) -> Vec<Block> {
    let scope = model.view.scope();
    let of = |group: Group| -> Vec<(String, &'static str)> {
        let intents = Intent::all().filter(|intent| intent.group() == group);
        intents.filter_map(|intent| Some((model.keys.keys_of(scope, intent)?, intent.what()))).collect()
    };
    let mut view = of(Group::View);
    view.extend(of(Group::Act));
    let mut head = "THIS VIEW";
    if model.past.travel.is_some() {
        // In the past its own keys lie over those of the view, and nothing is asked of the engine.
        let listed = rows(model, &HelpState::default());
        let past = listed.into_iter().filter(|row| row.scope == Scope::Travel);
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

type Row = (String, String, bool);

/// The blocks of the help side by side, each in so many cells: four on wide screens, else three. A text that is wider
/// stands on several rows, so that none is cut.
pub(super) fn side_by_side(model: &Model, width: usize) -> (Vec<Vec<Row>>, usize) {
    let (blocks, wide) = (blocks(model), model.size.0 >= 140);
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
    let columns = match &blocks[..] {
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

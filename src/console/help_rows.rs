//! The rows of the help as a list: every key of this view, or of all of them, and those that match a search.
//! All come from the key table alone, so that none can be missing or wrong. `view/help` draws them.

use crate::{Intent, Keymap, Model, Scope, View, intent::Group, keymap::shown, model::HelpState};

/// A command and all keys that lead to it from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HelpRow {
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

//! The rows of the help as a list: every key of this view, or of all of them, and those that fit a search. From the key table
//! alone, so that none can be missing or wrong. How they look is said in `view/help`.

use crate::{Field, Intent, Keymap, Model, Scope, View, intent::Group, keymap::shown};

/// What an open help remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct HelpState {
    /// The first line that is seen, of the page or of the list.
    pub top: usize,
    /// Whether the keys of all views are listed.
    pub all: bool,
    /// What is looked for.
    pub find: Field,
    /// Whether it is being typed.
    pub types: bool,
    /// The row under the cursor of the list.
    pub selected: usize,
}

impl HelpState {
    /// Whether rows are listed, and not the page of this view shown.
    pub(super) fn is_list(&self) -> bool {
        self.all || self.types || !self.find.text().is_empty()
    }
}

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
    rows.retain(|it| fits(it, find));
    rows.sort_by_key(|it| !it.keys.split(' ').any(|key| key == find));
    rows
}

/// Those of the view, those that lie over it in the past, and those of all views that it does not hide.
fn of_view(model: &Model) -> Vec<HelpRow> {
    let (keys, view) = (&model.keys, model.view.scope());
    let over = model.travel.iter().flat_map(|_| of_scope(keys, Scope::Travel, Scope::Travel));
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
        match rows.iter_mut().find(|it| it.intent == intent) {
            Some(row) => {
                row.keys.push(' ');
                row.keys.push_str(&shown(&binding.keys));
            }
            None => rows.push(HelpRow { scope: table, keys: shown(&binding.keys), intent }),
        }
    }
    rows
}

/// Whether every word of a search stands in what is said of a row; a single character is looked for as a key as well.
fn fits(row: &HelpRow, find: &str) -> bool {
    let what = row.intent.what();
    let text = format!("{} {what} {} {}", row.keys, row.intent.name(), row.scope.name()).to_lowercase();
    find.split_whitespace().all(|word| text.contains(&word.to_lowercase()))
}

/// The view whose own keys stand in a table.
pub(super) fn view_of(scope: Scope) -> Option<View> {
    View::ALL.iter().copied().find(|it| it.scope() == scope)
}

/// Whether a row can be done from the help: it looks or asks as its key would, and belongs to no field or dialog.
pub(super) fn can_be_done(row: &HelpRow) -> bool {
    row.intent.group() != Group::Inside
}

//! Keys of the help: scrolling its page, searching it, the keys of all views, and doing what a row says.

use super::rows::{HelpRow, can_be_done, height, rows, rows_seen, view_of};
use crate::{
    Intent, Model, Role, Scope, Wish, layout,
    model::{HelpState, Overlay},
    update::{editing, moving, places, toast},
};

/// Does what a key says to the help; returns the command of a row that was chosen.
pub(crate) fn act(
    model: &mut Model,
    intent: Intent,
    count: Option<u32>,
    wishes: &mut Vec<Wish>,
) -> Option<Intent> {
    let Some(Overlay::Help(state)) = &model.overlay else { return None };
    let state = state.clone();
    let next = match intent {
        Intent::Escape if state.is_list() => Some(HelpState::default()),
        Intent::Escape => None,
        Intent::Find => Some(HelpState { types: true, selected: 0, top: 0, ..state }),
        Intent::NextPanel | Intent::Complete => {
            Some(HelpState { all: !state.all, selected: 0, top: 0, ..state })
        }
        Intent::CopyId => {
            wishes.push(Wish::Copy(as_text(&rows(model, &state))));
            toast(model, "copied the keys as text", Role::Info);
            Some(state)
        }
        Intent::Submit if !state.is_list() => None,
        Intent::Submit => {
            let row = rows(model, &state).into_iter().nth(state.selected);
            match row {
                Some(row) => return carry_out(model, &row),
                None => Some(HelpState { types: false, ..state }),
            }
        }
        _ => Some(moved(model, state, intent, count)),
    };
    model.overlay = next.map(Overlay::Help);
    None
}

/// The page or the cursor of the list goes on; what is no movement changes what is typed.
fn moved(model: &mut Model, state: HelpState, intent: Intent, count: Option<u32>) -> HelpState {
    if !state.is_list() {
        let page = usize::from(layout::popup_rows(model.size));
        let last = height(model).saturating_sub(page);
        let top = moving::moved(intent, state.top, last + 1, page, count).unwrap_or(state.top);
        return HelpState { top, ..state };
    }
    let page = rows_seen(model);
    let len = rows(model, &state).len();
    if let Some(selected) = moving::moved(intent, state.selected, len, page, count) {
        return HelpState { selected, top: moving::scrolled(state.top, selected, len, page), ..state };
    }
    if state.types
        && editing::edit(model, intent)
        && let Some(Overlay::Help(edited)) = &model.overlay
    {
        return HelpState { selected: 0, top: 0, ..edited.clone() };
    }
    state
}

/// Returns the command of a row, to be done as by its key. A key of another view only leads there.
fn carry_out(model: &mut Model, row: &HelpRow) -> Option<Intent> {
    if !can_be_done(row) {
        toast(model, "this key is for a field or a dialog that is open", Role::Info);
        return None;
    }
    model.overlay = None;
    match view_of(row.scope).filter(|view| *view != model.view) {
        Some(view) => {
            places::go(model, view);
            let text = format!("{} is a key of this view: {}", row.keys, row.intent.what());
            toast(model, &text, Role::Info);
        }
        None if matches!(row.scope, Scope::Travel | Scope::Play) && model.past.travel.is_none() => {
            toast(model, "this is a key of the past; T goes there", Role::Info);
        }
        None => return Some(row.intent),
    }
    None
}

fn as_text(rows: &[HelpRow]) -> String {
    let line = |row: &HelpRow| {
        format!("{:<8} {:<14} {}  {}", row.scope.name(), row.keys, row.intent.level(), row.intent.what())
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

//! Commands that mean the same in every view: views and the way back, popups, copying, leaving.

use super::{copying, editing, places, requests, toast, why};
use crate::{
    Intent, Model, Role, Scope, Themes, View, Wish,
    actions::gate_to_answer,
    layout,
    model::{HelpState, Letter, Overlay, PaletteState, PromptKind},
    popup,
};
use std::sync::Arc;

/// Does it; false when the view has to know.
pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) -> bool {
    if let Some(view) = View::ALL.iter().find(|view| view.intent() == intent) {
        places::go(model, *view);
        return true;
    }
    match intent {
        Intent::CloseView => places::go(model, View::Runs),
        Intent::Logs => crate::logs::update::open(model),
        Intent::LastView => places::go(model, model.places.last_view),
        Intent::Backward => places::backward(model),
        Intent::Forward => places::forward(model),
        Intent::SetMark => model.places.letter = Some(Letter::Set),
        Intent::GoToMark => model.places.letter = Some(Letter::Go),
        Intent::Palette => {
            model.overlay = Some(Overlay::Palette(PaletteState::default()));
        }
        Intent::Help => model.overlay = Some(Overlay::Help(HelpState::default())),
        Intent::Menu => model.overlay = Some(Overlay::Menu { selected: 0 }),
        Intent::Why => why::show(model),
        Intent::CommandLog => popup::update::show_log(model),
        Intent::CopyId | Intent::CopyRow | Intent::CopyJson | Intent::CopyLink | Intent::CopyScreen => {
            copying::act(model, intent, wishes);
        }
        Intent::Export => copying::export(model, wishes),
        Intent::Freeze => freeze(model),
        Intent::Mouse => {
            model.terminal.mouse = !model.terminal.mouse;
            wishes.push(Wish::Mouse(model.terminal.mouse));
            let text = if model.terminal.mouse { "mouse on; Shift+drag selects" } else { "mouse off" };
            toast(model, text, Role::Info);
        }
        Intent::Travel => crate::travel::update::begin(model),
        Intent::Redraw => wishes.push(Wish::Redraw),
        Intent::Theme => next_theme(model),
        Intent::TakeBack => requests::take_back(model, wishes),
        Intent::Quit => crate::leaving::update::ask(model, wishes),
        Intent::Approve | Intent::Reject => to_gate(model, intent),
        Intent::Filter => editing::open_prompt(model, PromptKind::Filter),
        Intent::Find => editing::open_prompt(model, PromptKind::Find),
        Intent::Pause | Intent::Cancel | Intent::Retry | Intent::Skip | Intent::Compensate => {
            crate::dialog::asking::ask(model, intent, wishes);
        }
        _ => return false,
    }
    true
}

/// An answer is given where the ask is read: goes to the gate, and says which key answers there.
fn to_gate(model: &mut Model, intent: Intent) {
    let Some(key) = gate_to_answer(model) else {
        return toast(model, &format!("could not {}: no gate waits", intent.short()), Role::Info);
    };
    places::go(model, View::Gates);
    model.gates.selected = Some(key);
    let answer = model.keys.keys_of(Scope::Gates, intent).unwrap_or_default();
    toast(model, &format!("read the ask; {answer} {}s it", intent.short()), Role::Info);
}

fn freeze(model: &mut Model) {
    if let Some(newest) = model.past.frozen.take() {
        model.board = newest;
        toast(model, "live again", Role::Info);
    } else {
        model.past.frozen = Some(model.board.clone());
        toast(model, "frozen; the engine goes on, F thaws", Role::Warn);
    }
}

fn next_theme(model: &mut Model) {
    let themes = model.look.themes.clone();
    let names = themes.names();
    let now = names.iter().position(|name| *name == model.look.theme).unwrap_or(0);
    set_theme(model, names[(now + 1) % names.len()]);
}

pub(crate) fn set_theme(model: &mut Model, name: &str) {
    name.clone_into(&mut model.look.theme);
    toast(model, &format!("theme {name}"), Role::Info);
}

/// Files of themes have changed; what is wrong in them is said, and the theme that is shown goes on.
pub(super) fn set_themes(model: &mut Model, themes: Arc<Themes>, problems: &[String]) {
    model.look.themes = themes;
    for problem in problems {
        toast(model, problem, Role::Warn);
    }
}

/// A click selects the row or node under it, or opens a view of the header. True if Enter would open what it selected.
pub(super) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    let frame = layout::frame(model.size);
    if row == frame.header.y {
        if let Some(view) = layout::tab_at(model, column) {
            places::go(model, view);
        }
        return false;
    }
    match model.view {
        View::Runs => crate::runs::update::click(model, column, row),
        View::Dag => crate::graph::update::click(model, column, row),
        View::Gates => crate::gates::update::click(model, column, row),
        View::Logs => crate::logs::update::click(model, column, row),
        View::Errors => crate::errors::update::click(model, row),
        View::Time => crate::time::update::click(model, row),
        View::Audit => crate::audit::update::click(model, row),
        View::Health | View::Agents | View::Tools => false,
    }
}

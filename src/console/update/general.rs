//! Commands that mean the same in every view: views and the way back, popups, copying, leaving.

use super::{popup, toast, why};
use crate::console::{
    Field, Intent, Model, Role, View, Wish, layout,
    model::{Overlay, PaletteState, Prompt, PromptKind},
};

/// Does it; false when the view has to know.
pub(super) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) -> bool {
    match intent {
        Intent::ViewRuns | Intent::CloseView => go(model, View::Runs),
        Intent::ViewDag => go(model, View::Dag),
        Intent::ViewGates => go(model, View::Gates),
        Intent::ViewLogs => go(model, View::Logs),
        Intent::Logs => super::logs::open(model),
        Intent::LastView => go(model, model.last_view),
        Intent::Backward => backward(model),
        Intent::Forward => {
            if let Some(view) = model.forward.pop() {
                model.back.push(model.view);
                show(model, view);
            }
        }
        Intent::Palette => {
            model.overlay = Some(Overlay::Palette(PaletteState::default()));
        }
        Intent::Help => model.overlay = Some(Overlay::Help { top: 0 }),
        Intent::Menu => model.overlay = Some(Overlay::Menu { selected: 0 }),
        Intent::Why => why::show(model),
        Intent::CommandLog => popup::show_log(model),
        Intent::CopyId => copy_id(model, wishes),
        Intent::CopyScreen => {
            wishes.push(Wish::Copy(crate::console::text_of(model)));
            toast(model, "the screen was copied as text", Role::Info);
        }
        Intent::Export => export(model, wishes),
        Intent::Freeze => freeze(model),
        Intent::Mouse => {
            model.mouse = !model.mouse;
            wishes.push(Wish::Mouse(model.mouse));
            let text = if model.mouse { "mouse on; Shift+drag selects" } else { "mouse off" };
            toast(model, text, Role::Info);
        }
        Intent::Redraw => wishes.push(Wish::Redraw),
        Intent::Theme => next_theme(model),
        Intent::TakeBack => super::asking::take_back(model, wishes),
        Intent::Quit => wishes.push(Wish::Quit),
        Intent::Filter => open_prompt(model, PromptKind::Filter),
        Intent::Find => open_prompt(model, PromptKind::Find),
        Intent::Pause | Intent::Cancel | Intent::Retry | Intent::Skip | Intent::Compensate => {
            super::asking::ask(model, intent, wishes);
        }
        _ => return false,
    }
    true
}

/// Shows another view, and remembers the way back.
pub(super) fn go(model: &mut Model, view: View) {
    if view == View::Dag && model.view == View::Runs {
        model.dag.run = model.runs.selected.or(model.dag.run);
    }
    if view == View::Dag && model.view == View::Gates {
        let (run, step) = (model.run(), model.step());
        model.dag.run = run.or(model.dag.run);
        model.dag.view.selected = step.map(|it| it.0).or(model.dag.view.selected);
    }
    if view == View::Gates && model.view != View::Gates {
        super::gates::enter(model);
    }
    if view != model.view {
        const BACK_MAX: usize = 64;
        if model.back.len() == BACK_MAX {
            model.back.remove(0);
        }
        model.back.push(model.view);
        model.forward.clear();
        show(model, view);
    }
}

fn show(model: &mut Model, view: View) {
    model.last_view = model.view;
    model.view = view;
}

/// One step back: what is typed, the filter, the view; never acts.
pub(super) fn backward(model: &mut Model) {
    if let Some(view) = model.back.pop() {
        model.forward.push(model.view);
        show(model, view);
    }
}

pub(super) fn open_prompt(model: &mut Model, kind: PromptKind) {
    let field = match (kind, model.view) {
        (PromptKind::Filter, View::Logs) => Field::of(&super::logs::filter(model)),
        (PromptKind::Filter, _) => Field::of(&model.runs.filter),
        _ => Field::default(),
    };
    model.prompt = Some(Prompt { kind, field });
}

fn freeze(model: &mut Model) {
    if let Some(newest) = model.frozen.take() {
        model.board = newest;
        toast(model, "live again", Role::Info);
    } else {
        model.frozen = Some(model.board.clone());
        toast(model, "frozen; the engine goes on, F thaws", Role::Warn);
    }
}

fn next_theme(model: &mut Model) {
    let names: Vec<&str> = crate::console::Theme::names().collect();
    let now = names.iter().position(|it| *it == model.look.theme).unwrap_or(0);
    set_theme(model, names[(now + 1) % names.len()]);
}

pub(super) fn set_theme(model: &mut Model, name: &str) {
    name.clone_into(&mut model.look.theme);
    toast(model, &format!("theme {name}"), Role::Info);
}

fn copy_id(model: &mut Model, wishes: &mut Vec<Wish>) {
    let step = model.step().and_then(|step| Some(model.board.run(model.run()?)?.step_id(step)));
    let Some(run) = model.run() else {
        toast(model, "could not copy: nothing is selected", Role::Warn);
        return;
    };
    let text = step.map_or_else(|| run.to_string(), |step| format!("{run} {step}"));
    toast(model, &format!("copied {text} by OSC 52"), Role::Info);
    wishes.push(Wish::Copy(text));
}

fn export(model: &mut Model, wishes: &mut Vec<Wish>) {
    let name = format!("cuelight-{}.svg", model.now.clock().replace(':', ""));
    wishes.push(Wish::Export { name, content: crate::console::picture_of(model) });
}

/// A click selects the row or node under it, or opens a view of the header.
pub(super) fn click(model: &mut Model, column: u16, row: u16) {
    let frame = layout::frame(model.size);
    if row == frame.header.y {
        if let Some(view) = layout::tab_at(model, column) {
            go(model, view);
        }
        return;
    }
    match model.view {
        View::Runs => super::runs::click(model, row),
        View::Dag => super::steps::click(model, column, row),
        View::Gates => super::gates::click(model, column, row),
        View::Logs => super::logs::click(model, column, row),
    }
}

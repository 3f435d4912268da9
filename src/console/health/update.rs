//! Health: over which period is looked, and the way from a reason to the failures behind it.

use crate::{
    Intent, Model, Role, View, Wish, layout,
    update::{moving, places, toast},
};

/// Keeps the cursor on a reason.
pub(crate) fn refresh(model: &mut Model) {
    if model.view == View::Health {
        let last = model.board.vitals().reasons().len().saturating_sub(1);
        model.workspace.health.reason = model.workspace.health.reason.min(last);
    }
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, _wishes: &mut Vec<Wish>) {
    let reasons = model.board.vitals().reasons();
    let page = usize::from(layout::frame(model.size).body.height / 3);
    if let Some(to) = moving::moved(intent, model.workspace.health.reason, reasons.len(), page, count) {
        model.workspace.health.reason = to;
        return;
    }
    match intent {
        Intent::Window => {
            model.workspace.health.period = model.workspace.health.period.next();
            toast(model, &format!("the last {}", model.workspace.health.period.word()), Role::Info);
        }
        Intent::Open | Intent::Right => {
            let Some(reason) = reasons.get(model.workspace.health.reason) else { return };
            // A name with blanks would be several words of a filter.
            let name = reason.workflow.split_whitespace().collect::<Vec<_>>().join("*");
            let mode = reason.mode.map_or_else(String::new, |mode| format!(" mode:{mode}"));
            model.workspace.errors.filter = format!("workflow:{name}{mode}");
            model.workspace.errors.selected = None;
            places::go(model, View::Errors);
        }
        Intent::Escape => places::backward(model),
        _ => {}
    }
}

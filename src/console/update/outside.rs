//! Long text in the operator's own editor: the screen lends its terminal, and what was saved comes back into the field.

use super::{editing, toast};
use crate::{
    Model, Role, Wish,
    model::{Edited, Overlay},
};
use tui_textarea::TextArea;

/// Asks for the editor, for what is typed now.
pub(super) fn ask(model: &mut Model, wishes: &mut Vec<Wish>) {
    let text = match &model.overlay {
        Some(Overlay::Form(form)) if !form.in_reason => Some(form.text.lines().join("\n")),
        _ => editing::field_mut(model).map(|field| field.text().to_owned()),
    };
    if let Some(text) = text {
        wishes.push(Wish::Edit(text));
    }
}

/// Puts text from the operator's editor into the field that it came from. It decides nothing: a dialog
/// restarts its wait with the next frame.
pub(super) fn arrived(model: &mut Model, edited: Edited) {
    let text = match edited {
        Ok(text) => text,
        Err(why) => return toast(model, &why, Role::Warn),
    };
    match &mut model.overlay {
        Some(Overlay::Form(form)) if !form.in_reason => {
            let kept = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>();
            form.text = TextArea::new(kept.lines().map(ToOwned::to_owned).collect());
            form.leaving = false;
            return;
        }
        Some(Overlay::Dialog(dialog)) => dialog.counts_from = None,
        Some(Overlay::Leaving(leaving)) => leaving.counts_from = None,
        _ => {}
    }
    if let Some(field) = editing::field_mut(model) {
        field.clear();
        field.paste(text.trim_end());
    }
}

//! Long text in the operator's own editor: the screen lends its terminal, and what was saved comes back into the field.

use super::{editing, toast};
use crate::{
    Model, Role, Wish,
    model::{Edited, Overlay},
};

/// Asks for the editor, for what is typed now.
pub(super) fn ask(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(field) = editing::field_mut(model) {
        wishes.push(Wish::Edit(field.text().to_owned()));
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
        Some(Overlay::Dialog(dialog)) => dialog.counts_from = None,
        Some(Overlay::Leaving(leaving)) => leaving.counts_from = None,
        _ => {}
    }
    if let Some(field) = editing::field_mut(model) {
        field.clear();
        field.paste(text.trim_end());
    }
}

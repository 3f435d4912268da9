//! Typing into a line of text, and pasting: the only file that reads letters as letters.

use crate::{
    Field, Intent, Key, Model, Press, Role, View,
    model::{Overlay, Prompt, PromptKind},
};
use cuelight_base::Timestamp;

/// True if this key is a letter for the field that takes the keys.
pub(crate) fn takes(model: &Model, press: Press) -> bool {
    let is_letter = matches!(press, Press { key: Key::Char(_), ctrl: false, .. });
    let has_field = match &model.overlay {
        Some(Overlay::Dialog(dialog)) => dialog.wants_text(),
        Some(Overlay::Palette(_)) => true,
        Some(Overlay::Leaving(leaving)) => leaving.stop.is_some(),
        Some(Overlay::Launch(form)) => form.focus <= form.inputs.len(),
        Some(Overlay::Help(help)) => help.types,
        Some(Overlay::Menu { .. } | Overlay::Text(_)) => false,
        None => model.prompt.is_some(),
    };
    is_letter && has_field
}

/// Inserts the key's character into the field that takes the keys.
pub(crate) fn insert(model: &mut Model, press: Press) {
    if let Key::Char(c) = press.key
        && let Some(field) = field_mut(model)
    {
        field.insert(c);
    }
    if let Some(Overlay::Help(help)) = &mut model.overlay {
        (help.selected, help.top) = (0, 0);
    }
}

/// Does what a command says to the field that has the keys; false when it is none of these commands.
pub(crate) fn edit(model: &mut Model, intent: Intent) -> bool {
    let Some(field) = field_mut(model) else { return false };
    match intent {
        Intent::EraseChar => {
            field.erase();
        }
        Intent::EraseNext => field.erase_next(),
        Intent::EraseWord => field.erase_word(),
        Intent::EraseLine => field.clear(),
        Intent::CursorLeft => field.left(),
        Intent::CursorRight => field.right(),
        Intent::CursorHome => field.home(),
        Intent::CursorEnd => field.end(),
        _ => return false,
    }
    true
}

/// Inserts pasted text into text fields only. Without a field the text is offered to the filter. It never
/// answers anything.
pub(super) fn paste(model: &mut Model, text: &str, at: Timestamp) {
    if let Some(Overlay::Dialog(dialog)) = &mut model.overlay {
        if dialog.hears(at)
            && let Some(field) = dialog.field_mut()
        {
            field.paste(text);
        }
        return;
    }
    if let Some(field) = field_mut(model) {
        field.paste(text);
    } else if model.overlay.is_none() {
        let mut field = Field::default();
        field.paste(text);
        model.prompt = Some(Prompt { kind: PromptKind::Filter, field });
        super::toast(model, "pasted into the filter; Enter applies it, Esc drops it", Role::Info);
    }
}

/// Opens the line in which a search, a filter or a remark is typed, with what stood there before.
pub(crate) fn open_prompt(model: &mut Model, kind: PromptKind) {
    let field = match (kind, model.view) {
        (PromptKind::Filter, View::Logs) => Field::of(&model.logs.lines.only().typed()),
        (PromptKind::Filter, View::Errors) => Field::of(&model.workspace.errors.filter),
        (PromptKind::Filter, View::Audit) => Field::of(&model.workspace.audit.filter),
        (PromptKind::Filter, _) => Field::of(&model.runs.filter),
        _ => Field::default(),
    };
    model.prompt = Some(Prompt { kind, field });
}

/// The letter of a key that names something.
pub(super) fn letter(press: Press) -> Option<char> {
    match press {
        Press { key: Key::Char(c), ctrl: false, alt: false } => Some(c),
        _ => None,
    }
}

pub(super) fn field_mut(model: &mut Model) -> Option<&mut Field> {
    match &mut model.overlay {
        Some(Overlay::Dialog(dialog)) => dialog.field_mut(),
        Some(Overlay::Palette(palette)) => Some(&mut palette.field),
        Some(Overlay::Leaving(leaving)) => leaving.stop.as_mut(),
        Some(Overlay::Launch(form)) => form.field_mut(),
        Some(Overlay::Help(help)) if help.types => Some(&mut help.find),
        Some(Overlay::Help(_) | Overlay::Menu { .. } | Overlay::Text(_)) => None,
        None => model.prompt.as_mut().map(|prompt| &mut prompt.field),
    }
}

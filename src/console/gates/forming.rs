//! Editing the parameters of a gate: JSON over the whole screen, checked while it is typed by the same rules as in the
//! engine. Keeping it makes a new ask: people who have answered are asked again, and the editor does not vote.

use super::state::FormState;
use crate::{
    Field, Found, Intent, Model, Press, Role, Scope, Wish, layout,
    model::Overlay,
    update::{editing, requests, toast},
};
use cuelight_base::{
    FORM_BYTES_MAX, REASON_BYTES_MAX, Value, ValueMap, json_if_any, json_in_sight, read_json, safe_text,
    shorten,
};
use cuelight_engine::{Command, FormField, check_form};
use tui_textarea::TextArea;

/// Opens the form of the gate under the cursor, with the values that were on the screen.
pub(super) fn open(model: &mut Model) {
    let Some(gate) = model.gates.gate().and_then(|gate| model.board.gate(gate)) else { return };
    let fields = gate.ask.form.clone();
    let values: ValueMap = fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    let text = serde_json::to_string_pretty(&Value::Object(values)).expect("a map of JSON is JSON");
    let mut area = TextArea::new(ascii(&text).lines().map(ToOwned::to_owned).collect());
    area.set_max_histories(200);
    let form = FormState {
        gate: gate.id,
        epoch: gate.epoch(),
        hash: gate.hash,
        fields,
        text: area,
        top: 0,
        reason: Field::default(),
        in_reason: false,
        leaving: false,
        check: Vec::new(),
        values: None,
    };
    model.overlay = Some(Overlay::Form(Box::new(form)));
}

/// JSON with everything escaped that is not shown as it is: what is edited is what is seen.
fn ascii(json: &str) -> String {
    json_in_sight(json, |letter| {
        let mut buffer = [0; 4];
        let alone = letter.encode_utf8(&mut buffer);
        safe_text(alone) != *alone
    })
}

/// Takes a key that the form's own table does not know; false when there is no form.
pub(crate) fn takes(model: &mut Model, press: Press) -> bool {
    let Some(Overlay::Form(form)) = &mut model.overlay else { return false };
    if model.keys.find(Scope::Form, &[press]) != Found::Nothing {
        return false;
    }
    form.leaving = false;
    if !form.in_reason {
        let is_room = form.text.lines().iter().map(|line| line.len() + 1).sum::<usize>() < FORM_BYTES_MAX;
        if is_room || !editing::types(press) {
            form.text.input(editing::input_of(press));
        }
        return true;
    }
    if editing::takes(model, press) {
        editing::insert(model, press);
    } else if let Found::Intents(intents) = model.keys.find(Scope::Text, &[press]) {
        for intent in intents {
            editing::edit(model, intent);
        }
    }
    true
}

/// Takes a paste in; false when there is no form, or its reason has the keys.
pub(crate) fn paste(model: &mut Model, text: &str) -> bool {
    let Some(Overlay::Form(form)) = &mut model.overlay else { return false };
    if form.in_reason {
        return false;
    }
    form.leaving = false;
    let used = form.text.lines().iter().map(|line| line.len() + 1).sum::<usize>();
    let kept: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    if used + kept.len() <= FORM_BYTES_MAX {
        form.text.insert_str(kept);
    } else {
        toast(model, "could not paste: that is too long for a form", Role::Warn);
    }
    true
}

pub(crate) fn act(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    match intent {
        Intent::Submit => keep(model, wishes),
        Intent::NextField => {
            if let Some(Overlay::Form(form)) = &mut model.overlay {
                form.in_reason = !form.in_reason;
            }
        }
        Intent::Escape => leave(model),
        _ => {}
    }
}

/// Esc: at once when nothing was changed, else at the second time.
fn leave(model: &mut Model) {
    let Some(Overlay::Form(form)) = &mut model.overlay else { return };
    let changed = form.values.as_ref().is_none_or(|values| !changes(&form.fields, values).is_empty());
    if changed && !form.leaving {
        form.leaving = true;
        toast(model, "Esc again drops what you have changed", Role::Warn);
    } else {
        model.overlay = None;
    }
}

/// ^S: asks the engine to ask again with these values.
fn keep(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not keep it: {why}"), Role::Warn);
    }
    let Some(Overlay::Form(form)) = &model.overlay else { return };
    let wrong = form.check.iter().find(|(_, _, role)| *role == Role::Fail).map(|(_, text, _)| text.clone());
    let reason = form.reason.text().trim().to_owned();
    let unchanged = form.values.as_ref().is_some_and(|values| changes(&form.fields, values).is_empty());
    let problem = match (&form.values, wrong) {
        (_, Some(wrong)) => Some(wrong),
        (None, None) => Some("it is not checked yet".to_owned()),
        (Some(_), None) if unchanged => Some("nothing is changed".to_owned()),
        (Some(_), None) if reason.is_empty() => Some("the reason is missing; Tab goes there".to_owned()),
        (Some(_), None) if reason.len() > REASON_BYTES_MAX => Some("the reason is too long".to_owned()),
        (Some(_), None) => None,
    };
    if let Some(problem) = problem {
        return toast(model, &format!("could not keep it: {problem}"), Role::Warn);
    }
    let Some(values) = form.values.clone() else { return };
    let command = Command::EditForm {
        gate: form.gate,
        epoch: form.epoch,
        values,
        reason,
        by: model.seat.actor.clone(),
    };
    model.overlay = None;
    requests::submit(model, command, wishes);
}

/// Checks what is typed, and keeps the cursor in sight.
pub(crate) fn refresh(model: &mut Model) {
    let Some(Overlay::Form(form)) = &model.overlay else { return };
    let stands =
        model.board.gate(form.gate).filter(|gate| gate.is_open()).map(|gate| (gate.epoch(), gate.hash));
    let votes = model.board.gate(form.gate).map_or(0, |gate| gate.votes.len());
    let text = form.text.lines().join("\n");
    let (mut check, values) = checked(&form.fields, &text, votes);
    if stands != Some((form.epoch, form.hash)) {
        check.insert(
            0,
            ("!", "the ask has changed meanwhile: Esc, read it, edit again".to_owned(), Role::Fail),
        );
    }
    let page = usize::from(layout::form(model.size).text.height).max(1);
    if let Some(Overlay::Form(form)) = &mut model.overlay {
        let row = form.text.cursor().0;
        form.top = crate::update::moving::scrolled(form.top, row, form.text.lines().len(), page);
        form.check = check;
        form.values = values;
    }
}

type Check = Vec<(&'static str, String, Role)>;

/// Checks a text against the fields. Returns the findings, and the values if all are valid.
fn checked(fields: &[FormField], text: &str, votes: usize) -> (Check, Option<ValueMap>) {
    let mut check: Check = Vec::new();
    let read = match read_json::<ValueMap>(text) {
        Ok(read) => read,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let why = match json_if_any(text) {
                Err(twice) => safe_text(&twice),
                Ok(_) => format!("no JSON object: line {line} column {column}"),
            };
            check.push(("!", why, Role::Fail));
            return (check, None);
        }
    };
    check.push(("ok", "valid JSON".to_owned(), Role::Ok));
    let values = match check_form(fields, &read) {
        Ok(values) => values,
        Err(problem) => {
            check.push(("!", safe_text(&problem), Role::Fail));
            return (check, None);
        }
    };
    check.push(("ok", "fits every field".to_owned(), Role::Ok));
    let changed = changes(fields, &values);
    check.extend(changed.iter().map(|change| ("~", safe_text(change), Role::Warn)));
    if !changed.is_empty() {
        let text = match votes {
            0 => "keeping this makes a new ask; you will not be able to approve it".to_owned(),
            1 => "1 vote drops, and that person is asked again; you will not be able to approve".to_owned(),
            votes => format!("{votes} votes drop, and all are asked again; you will not be able to approve"),
        };
        check.push(("!", text, Role::Gate));
    }
    (check, Some(values))
}

/// The changed values, each as in `amount: 5 → 6`.
fn changes(fields: &[FormField], values: &ValueMap) -> Vec<String> {
    const SHOWN: usize = 60;
    let differs = fields.iter().filter_map(|field| Some((field, values.get(&field.name)?)));
    differs
        .filter(|(field, value)| field.value != **value)
        .map(|(field, value)| {
            let (old, new) = (field.value.to_string(), value.to_string());
            format!("{}: {} → {}", field.name, shorten(&old, SHOWN), shorten(&new, SHOWN))
        })
        .collect()
}

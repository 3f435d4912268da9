//! The form of a gate: the values that people give, checked against its fields.

use crate::{Ask, FormField, outcome};
use cuelight_base::{FORM_BYTES_MAX, Value, ValueMap, json_bytes, shorten};
use cuelight_plan::{Risk, ValueKind};

impl FormField {
    /// Describes the values that fit, as `number, required`.
    pub fn rule(&self) -> String {
        let mut words = vec![kind_word(self.kind).to_owned()];
        if !self.choices.is_empty() {
            let choices: Vec<String> = self.choices.iter().map(Value::to_string).collect();
            words.push(format!("one of {}", choices.join(" ")));
        }
        if let Some(pattern) = &self.pattern {
            words.push(format!("fits {pattern}"));
        }
        if self.required {
            words.push("required".to_owned());
        }
        words.join(", ")
    }
}

const fn kind_word(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::String => "text",
        ValueKind::Number => "number",
        ValueKind::Integer => "whole number",
        ValueKind::Boolean => "true or false",
        ValueKind::Object => "object",
        ValueKind::Array => "list",
        ValueKind::Any => "anything",
    }
}

/// Returns the fields that still have no value: required ones, and at high risk every one that nobody left
/// empty on purpose.
pub fn unanswered<'a>(ask: &'a Ask, given: &ValueMap) -> Vec<&'a FormField> {
    let is_high = ask.risk >= Risk::Irreversible;
    let is_open = |field: &&FormField| match given.get(&field.name) {
        Some(value) => field.required && is_blank(value),
        None => is_blank(&field.value) && (field.required || is_high),
    };
    ask.form.iter().filter(is_open).collect()
}

/// The whole form with these values, or what is wrong with them.
pub fn check_form(fields: &[FormField], values: &ValueMap) -> Result<ValueMap, String> {
    if let Some(unknown) = values.keys().find(|key| fields.iter().all(|field| field.name != **key)) {
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let unknown = shorten(unknown, 40);
        if known.is_empty() {
            return Err(format!("the gate has no form, so no field `{unknown}`; answer without values"));
        }
        return Err(format!("the form has no field `{unknown}`; it has: {}", known.join(", ")));
    }
    let bytes = json_bytes(values);
    if bytes > FORM_BYTES_MAX {
        return Err(format!(
            "its values have {bytes} bytes, at most {FORM_BYTES_MAX} are kept; shorten them"
        ));
    }
    let mut out = ValueMap::new();
    for field in fields {
        let value = values.get(&field.name).cloned().unwrap_or_else(|| field.value.clone());
        out.insert(field.name.clone(), fitting(field, value)?);
    }
    Ok(out)
}

/// Returns true for null and for a text of nothing but blanks.
fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn fitting(field: &FormField, value: Value) -> Result<Value, String> {
    let name = &field.name;
    if field.required && is_blank(&value) {
        return Err(format!("`{name}` must be given"));
    }
    if value.is_null() || value == "" {
        return Ok(Value::Null);
    }
    let value = outcome::typed(value, field.kind).map_err(|what| format!("`{name}` is {what}"))?;
    if !field.choices.is_empty() && !field.choices.contains(&value) {
        let choices: Vec<String> = field.choices.iter().map(cuelight_expression::to_text).collect();
        return Err(format!("`{name}` must be one of: {}", choices.join(", ")));
    }
    if let (Some(pattern), Some(text)) = (&field.pattern, value.as_str()) {
        let matches =
            regex::Regex::new(pattern).map_err(|_| format!("`{name}` has a broken pattern"))?.is_match(text);
        if !matches {
            return Err(format!("`{name}` is {:?}, which does not match {pattern}", shorten(text, 40)));
        }
    }
    Ok(value)
}

/// `amount: 5 → 6, note: null → "x"`
pub(super) fn changes(before: &ValueMap, after: &ValueMap) -> String {
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let words: Vec<String> = changed
        .map(|(key, value)| {
            let old = before.get(key).map_or("null".to_owned(), ToString::to_string);
            format!("{key}: {} → {}", shorten(&old, 40), shorten(&value.to_string(), 40))
        })
        .collect();
    words.join(", ")
}

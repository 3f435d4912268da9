//! The parameters of a gate: do the values that people give fit their fields?

use crate::{
    base::{Value, ValueMap, shorten},
    engine::{FormField, outcome},
};

/// The whole form with these values, or what is wrong with them.
pub fn check_form(fields: &[FormField], values: &ValueMap) -> Result<ValueMap, String> {
    if let Some(unknown) = values.keys().find(|key| fields.iter().all(|it| it.name != **key)) {
        let known: Vec<&str> = fields.iter().map(|it| it.name.as_str()).collect();
        return Err(format!("`{unknown}` is no parameter; there are: {}", known.join(", ")));
    }
    let mut out = ValueMap::new();
    for field in fields {
        let value = values.get(&field.name).cloned().unwrap_or_else(|| field.value.clone());
        out.insert(field.name.clone(), fitting(field, value)?);
    }
    Ok(out)
}

fn fitting(field: &FormField, value: Value) -> Result<Value, String> {
    let name = &field.name;
    if value.is_null() || value.as_str().is_some_and(str::is_empty) && !field.required {
        return if field.required { Err(format!("`{name}` must be given")) } else { Ok(Value::Null) };
    }
    let value = outcome::typed(value, field.kind).map_err(|what| format!("`{name}` is {what}"))?;
    if !field.choices.is_empty() && !field.choices.contains(&value) {
        let choices: Vec<String> = field.choices.iter().map(crate::expression::to_text).collect();
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

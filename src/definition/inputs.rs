//! Checks the given inputs of a workflow against its declared ones: types, choices, patterns, missing and
//! extra inputs.

use crate::{Field, ValueKind, Workflow, spelling::suggest};
use cuelight_base::{Value, ValueMap, json_if_any, shorten, type_name};

/// The inputs of a run: what was given, checked, with defaults filled in. Every problem is one sentence.
///
/// # Errors
/// All problems at once.
pub fn check_inputs(workflow: &Workflow, given: &ValueMap) -> Result<ValueMap, Vec<String>> {
    check_fields(&workflow.inputs, given, "input")
}

/// The same for texts, as `-i key=value` gives them: each is read as the type its input wants.
///
/// # Errors
/// All problems at once.
pub fn check_input_texts(workflow: &Workflow, given: &[(String, String)]) -> Result<ValueMap, Vec<String>> {
    let mut problems = Vec::new();
    let mut values = ValueMap::new();
    for (name, text) in given {
        let field = workflow.inputs.iter().find(|input| input.name.value == *name);
        let value = match field.map(|field| typed(field, text)) {
            Some(Ok(value)) => value,
            Some(Err(problem)) => {
                problems.push(problem);
                continue;
            }
            None => Value::String(text.clone()),
        };
        if values.insert(name.clone(), value).is_some() {
            problems.push(format!("could not take input `{name}`: it is given twice; give it once"));
        }
    }
    match (check_inputs(workflow, &values), problems.is_empty()) {
        (Ok(inputs), true) => Ok(inputs),
        (Ok(_), false) => Err(problems),
        (Err(more), _) => {
            let wrong: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
            // An input that was given wrongly is not also missing.
            let missing = |text: &String| wrong.iter().any(|name| *text == missing_message("input", name));
            problems.extend(more.into_iter().filter(|text| !missing(text)));
            Err(problems)
        }
    }
}

/// The same for the fields of a form.
///
/// # Errors
/// All problems at once.
pub fn check_fields(fields: &[Field], given: &ValueMap, what: &str) -> Result<ValueMap, Vec<String>> {
    let mut problems = Vec::new();
    for name in given.keys().filter(|name| !fields.iter().any(|field| field.name.value == **name)) {
        let near = suggest(name, fields.iter().map(|field| field.name.value.as_str()));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if fields.is_empty() => format!("there are no {what}s; leave it out"),
            None => {
                let names: Vec<String> =
                    fields.iter().map(|field| format!("`{}`", field.name.value)).collect();
                format!("the {what}s are {}", names.join(", "))
            }
        };
        problems
            .push(format!("could not take {what} `{}`: there is no such {what}; {hint}", shorten(name, 60)));
    }
    let mut values = ValueMap::new();
    for field in fields {
        let name = &field.name.value;
        let value = given.get(name).filter(|value| !value.is_null()).or(field.default.as_ref());
        match value {
            None if field.required => problems.push(missing_message(what, name)),
            None => {
                values.insert(name.clone(), Value::Null);
            }
            Some(value) => match misfit(field, value) {
                Some(why) => problems.push(format!("could not take {what} `{name}`: it {why}")),
                None => {
                    values.insert(name.clone(), value.clone());
                }
            },
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn missing_message(what: &str, name: &str) -> String {
    let give = if what == "input" { format!("-i {name}=…") } else { format!("`{name}`") };
    format!("could not find {what} `{name}`, which is required; give it with {give}")
}

/// Why a value does not fit a field, as the end of a sentence that begins with `it`.
pub(super) fn misfit(field: &Field, value: &Value) -> Option<String> {
    let fits = match field.kind {
        ValueKind::String => value.is_string(),
        ValueKind::Number => value.is_number(),
        ValueKind::Integer => value.as_number().is_some_and(is_whole),
        ValueKind::Boolean => value.is_boolean(),
        ValueKind::Array => value.is_array(),
        ValueKind::Object => value.is_object(),
        ValueKind::Any => true,
    };
    if !fits {
        return Some(format!("must be of type {}, not {}", field.kind.word(), type_name(value)));
    }
    if !field.choices.is_empty() && !field.choices.contains(value) {
        let choices: Vec<String> = field.choices.iter().take(20).map(plain).collect();
        return Some(format!("must be one of {}, not {}", choices.join(", "), shorten(&plain(value), 60)));
    }
    let (Some(pattern), Value::String(text)) = (&field.pattern, value) else { return None };
    let matches = regex::Regex::new(pattern).is_ok_and(|value| value.is_match(text));
    (!matches).then(|| format!("must match {pattern}, and {} does not", shorten(&plain(value), 60)))
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.as_i64().is_some() || number.as_u64().is_some()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text from the command line as the type its input wants.
fn typed(field: &Field, text: &str) -> Result<Value, String> {
    let name = &field.name.value;
    let json = if field.kind == ValueKind::String {
        None
    } else {
        json_if_any(text).map_err(|why| format!("could not read input `{name}`: {why}"))?
    };
    let parsed = || json.clone();
    let wrong = |wanted: &str| {
        format!("could not read input `{name}`: {} is not {wanted}", shorten(&format!("{text:?}"), 60))
    };
    match field.kind {
        ValueKind::String => Ok(Value::String(text.to_owned())),
        ValueKind::Any => Ok(parsed().unwrap_or_else(|| Value::String(text.to_owned()))),
        ValueKind::Number => parsed().filter(Value::is_number).ok_or_else(|| wrong("a number")),
        ValueKind::Integer => parsed()
            .filter(|json| json.as_number().is_some_and(is_whole))
            .ok_or_else(|| wrong("a whole number")),
        ValueKind::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong("`true` or `false`")),
        },
        ValueKind::Array => match parsed() {
            Some(list @ Value::Array(_)) => Ok(list),
            None if !text.trim_start().starts_with('[') => {
                Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect())
            }
            _ => Err(wrong("a list; write a,b,c or JSON")),
        },
        ValueKind::Object => parsed().filter(Value::is_object).ok_or_else(|| wrong("a JSON object")),
    }
}

//! Answers in JSON: the schema as a provider takes it, what a model is told of it, and whether an answer fits.

use super::{Stop, Whole};
use crate::Failure;
use cuelight_base::{
    FailureMode, ModelCall, Provider, Schema, SchemaProblem, Value, ValueMap, safe_text, shorten,
};

/// Problems of one answer that are named.
const PROBLEMS_SHOWN: usize = 5;
/// Keywords of a schema that providers enforce while an answer is written.
const ENFORCED: &[&str] = &[
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "anyOf",
    "additionalProperties",
    "description",
];
/// Keywords that providers do not know. The request can omit them because they are checked here.
const CHECKED_HERE: &[&str] = &[
    "$schema",
    "$id",
    "title",
    "default",
    "examples",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// A schema, and how the provider at hand is held to it.
pub(super) struct Fit {
    schema: Value,
    check: Schema,
    /// As the provider enforces it, where it can.
    native: Option<Value>,
    /// True if the prompt has to describe the schema.
    is_told: bool,
}

/// An error in an answer.
pub(super) struct Wrong {
    pub(super) message: String,
    /// True if a second request may mend the error.
    pub(super) can_be_mended: bool,
}

impl Fit {
    pub(super) fn read(schema: &Value, model: &ModelCall) -> Result<Self, Failure> {
        let (provider, url) = (model.provider, model.url.as_str());
        let check = Schema::read(schema).map_err(|why| Failure {
            mode: FailureMode::UserInvalidInput,
            message: format!("its `json-schema` could not be read: {why}"),
        })?;
        let mut dropped = false;
        let native = match provider {
            Provider::Anthropic => closed(schema, false, &mut dropped),
            Provider::OpenAi => closed(schema, true, &mut dropped),
            // It takes any schema, and passes over what it does not know.
            Provider::Gemini => model.tools.is_empty().then(|| schema.clone()),
            Provider::StandIn => None,
        };
        let native = native.filter(|native| native["type"] == "object" || provider == Provider::Gemini);
        // A server that only speaks like OpenAI may not know the key at all.
        let is_enforced = native.is_some() && (provider != Provider::OpenAi || url == provider.url());
        Ok(Self { schema: schema.clone(), check, native, is_told: !is_enforced || dropped })
    }

    /// As it was written.
    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// As the provider enforces it.
    pub(super) fn native(&self) -> Option<&Value> {
        self.native.as_ref()
    }

    /// The value that an answer is, when it fits.
    pub(super) fn value(&self, whole: &Whole) -> Result<Value, Wrong> {
        let is_cut = whole.stop == Stop::Length;
        let wrong = |message: String| {
            let cut = if is_cut { "; it was cut at its limit of tokens: raise `max-tokens`" } else { "" };
            Wrong { message: format!("{message}{cut}"), can_be_mended: !is_cut && whole.text.is_some() }
        };
        let Some(text) = &whole.text else {
            return Err(wrong("its answer is too large to be looked into; see it in the log".to_owned()));
        };
        let value: Value = cuelight_base::read_json(unfenced(text))
            .map_err(|error| wrong(format!("its answer is no JSON: {error}")))?;
        let problems = self.check.problems(&value);
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(wrong(format!("its answer does not fit: {}", listed(&problems))))
        }
    }

    /// The prompt after a wrong answer.
    pub(super) fn repair(&self, wrong: &str) -> String {
        format!(
            "{wrong}.\nAnswer again, with the whole JSON value and nothing else. It has to fit this JSON Schema:\n{}",
            self.schema
        )
    }
}

/// The system prompt; it includes the schema if the provider does not enforce it.
pub(super) fn system(model: &ModelCall, fit: Option<&Fit>) -> Option<String> {
    let shape = fit.filter(|fit| fit.is_told).map(|fit| {
        format!(
            "Answer with one JSON value and nothing else. It has to fit this JSON Schema:\n{}",
            fit.schema
        )
    });
    let parts: Vec<&str> = model.system.as_deref().into_iter().chain(shape.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// A number as it was written.
pub(super) fn number(text: &str) -> Option<Value> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from)
}

/// A schema that names every property of its objects and only what providers enforce; nothing when it says more than that.
/// Closing an object narrows what may be answered, so whatever fits fits the schema as it was written, too.
fn closed(schema: &Value, all_required: bool, dropped: &mut bool) -> Option<Value> {
    let map = schema.as_object()?;
    let mut out = ValueMap::new();
    for (key, value) in map {
        let key = key.as_str();
        if CHECKED_HERE.contains(&key) {
            *dropped |= !matches!(key, "$schema" | "$id" | "title" | "default" | "examples");
            continue;
        }
        if !ENFORCED.contains(&key) {
            return None;
        }
        let value = match key {
            "properties" => {
                let each = value.as_object()?.iter();
                let each =
                    each.map(|(name, field)| Some((name.clone(), closed(field, all_required, dropped)?)));
                Value::Object(each.collect::<Option<_>>()?)
            }
            "items" => closed(value, all_required, dropped)?,
            "anyOf" => {
                let each = value.as_array()?.iter().map(|item| closed(item, all_required, dropped));
                Value::Array(each.collect::<Option<_>>()?)
            }
            "additionalProperties" if *value != Value::Bool(false) => return None,
            _ => value.clone(),
        };
        out.insert(key.to_owned(), value);
    }
    if map.get("type").is_some_and(|text| text == "object") {
        let names: Vec<&str> = map.get("properties")?.as_object()?.keys().map(String::as_str).collect();
        let required = map.get("required").and_then(Value::as_array);
        let is_required =
            |name: &&str| required.is_some_and(|required| required.iter().any(|value| value == *name));
        if all_required && !names.iter().all(is_required) {
            return None;
        }
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Some(Value::Object(out))
}

/// Without the fence that many models put around JSON.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.map_or(text, |rest| rest.strip_prefix("json").unwrap_or(rest).trim())
}

fn listed(problems: &[SchemaProblem]) -> String {
    let shown: Vec<String> = problems
        .iter()
        .take(PROBLEMS_SHOWN)
        .map(|problem| shorten(&safe_text(&problem.to_string()), 200))
        .collect();
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join("; "))
}

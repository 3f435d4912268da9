//! Nobody: an answer made up here, without network, always the same for the same question. It says so of itself.

use super::{Said, asked::Calls};
use cuelight_base::{ModelCall, OfferedTool, ToolAsked, Value, ValueMap, safe_text, sha256, shorten};

/// Depth limit of a made-up value.
const DEPTH_MAX: u8 = 16;
/// Items that are made up of one list, and characters of one text.
const ITEMS_MAX: u64 = 100;
const CHARS_MAX: u64 = 10_000;

/// Prefix of a line in the question that asks for a tool call, if tools are offered: then follow a name and
/// JSON.
const CALLS: &str = "stand-in calls ";

/// Tool calls that the stand-in asks for: the ones in lines of its question, else each offered tool once. The
/// arguments are then made up from the tool's input schema.
pub(super) fn calls(model: &ModelCall) -> Result<Vec<ToolAsked>, String> {
    if model.tools.is_empty() || !model.rounds.is_empty() {
        return Ok(Vec::new());
    }
    let said = model.prompt.lines().filter_map(|line| line.trim().strip_prefix(CALLS));
    let mut written = Calls::default();
    for (place, line) in (0..).zip(said) {
        let (name, given) = line.split_once(' ').unwrap_or((line, "{}"));
        written.begin(place, "", name);
        written.more(place, given);
    }
    if written.len() > 0 {
        return Ok(written.finish(0));
    }
    let call = |(number, tool): (usize, &OfferedTool)| {
        let given = made_up(&tool.input, &tool.input, DEPTH_MAX).and_then(|value| value.as_object().cloned());
        let arguments = given.ok_or_else(|| {
            format!(
                "the stand-in could make up nothing to give {}; give its inputs `default:` values",
                tool.name
            )
        })?;
        let id = format!("call_1_{number}");
        Ok(ToolAsked {
            id,
            name: tool.name.clone(),
            arguments: Some(arguments),
            unreadable: String::new(),
            own: None,
        })
    };
    (1..).zip(&model.tools).map(call).collect()
}

/// An answer: JSON where a schema asks for it.
pub(super) fn answer(said: &[Said], schema: Option<&Value>) -> Result<String, String> {
    let question = said.iter().find_map(|said| match said {
        Said::Asked(text) => Some(text.as_str()),
        Said::Answered(_) | Said::Called(_) => None,
    });
    let question = question.unwrap_or_default();
    match schema {
        Some(schema) => Ok(made_up(schema, schema, DEPTH_MAX)
            .ok_or(
                "the stand-in could make up nothing that fits this schema; give its parts `default:` values",
            )?
            .to_string()),
        None => {
            let digest = sha256("cuelight-stand-in-v1", &[question.as_bytes()]);
            let begin = safe_text(&shorten(question.lines().next().unwrap_or_default(), 60));
            Ok(format!(
                "This is the stand-in, no model was asked. Answer {} to a question of {} bytes that begins: {begin}",
                digest.short(),
                question.len()
            ))
        }
    }
}

/// A value that a schema describes: what it names itself, else the smallest there is.
fn made_up(schema: &Value, whole: &Value, depth: u8) -> Option<Value> {
    if *schema == Value::Bool(true) {
        return Some(Value::Null);
    }
    let map = schema.as_object().filter(|_| depth > 0)?;
    if let Some(path) = map.get("$ref").and_then(Value::as_str) {
        return made_up(whole.pointer(path.strip_prefix('#')?)?, whole, depth - 1);
    }
    let first = |key: &str| map.get(key).and_then(Value::as_array).and_then(|items| items.first());
    let named = map
        .get("const")
        .or_else(|| map.get("default"))
        .or_else(|| first("examples"))
        .or_else(|| first("enum"));
    if let Some(named) = named {
        return Some(named.clone());
    }
    if let Some(one) = first("anyOf").or_else(|| first("oneOf")) {
        return made_up(one, whole, depth - 1);
    }
    let whole_number = |key: &str| map.get(key).and_then(Value::as_u64);
    let kind = map.get("type").and_then(|value| value.as_str().or_else(|| value.get(0)?.as_str()));
    Some(match kind {
        Some("string") => {
            let least = usize::try_from(whole_number("minLength").unwrap_or(0).min(CHARS_MAX)).unwrap_or(0);
            let mut text = "stand-in".to_owned();
            while text.chars().count() < least {
                text.push_str(" stand-in");
            }
            let most = whole_number("maxLength")
                .and_then(|max_length| usize::try_from(max_length).ok())
                .unwrap_or(usize::MAX);
            text.chars().take(most.max(least)).collect::<String>().into()
        }
        Some("integer" | "number") => {
            let bound = |key: &str| map.get(key).filter(|value| value.is_number()).cloned();
            let above = map
                .get("exclusiveMinimum")
                .and_then(Value::as_i64)
                .map(|exclusive_minimum| Value::from(exclusive_minimum.saturating_add(1)));
            bound("minimum").or(above).or_else(|| bound("maximum")).unwrap_or_else(|| 0.into())
        }
        Some("boolean") => false.into(),
        Some("array") => {
            let count = whole_number("minItems").unwrap_or(0).min(ITEMS_MAX);
            let item = || made_up(map.get("items").unwrap_or(&Value::Bool(true)), whole, depth - 1);
            Value::Array((0..count).map(|_| item()).collect::<Option<_>>()?)
        }
        Some("object") | None if map.contains_key("properties") || kind.is_some() => {
            let properties = map.get("properties").and_then(Value::as_object).into_iter().flatten();
            let each =
                properties.map(|(name, property)| Some((name.clone(), made_up(property, whole, depth - 1)?)));
            Value::Object(each.collect::<Option<ValueMap>>()?)
        }
        _ => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::Schema;
    use serde_json::json;

    fn said(text: &str) -> Vec<Said> {
        vec![Said::Asked(text.to_owned())]
    }

    #[test]
    fn the_same_question_has_the_same_answer_and_says_whose_it_is() {
        let first = answer(&said("Why?"), None).expect("an answer");
        assert_eq!(answer(&said("Why?"), None), Ok(first.clone()));
        assert_ne!(answer(&said("How?"), None), Ok(first.clone()));
        assert!(first.contains("no model was asked"), "{first}");
    }

    #[test]
    fn what_it_makes_up_fits_the_schema() {
        let schema = json!({"type": "object", "required": ["score", "notes", "level"], "additionalProperties": false,
            "$defs": {"note": {"type": "object", "properties": {"line": {"type": "integer", "minimum": 1}}}},
            "properties": {
                "score": {"type": "number", "minimum": 0.25, "maximum": 1},
                "notes": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/note"}},
                "level": {"enum": ["low", "high"]},
                "title": {"type": "string", "minLength": 20, "maxLength": 30},
                "kind": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
                "said": {"type": "string", "default": "It is well"}}});
        let text = answer(&said("x"), Some(&schema)).expect("an answer");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(Schema::read(&schema).expect("a schema").problems(&value), []);
        assert_eq!(value["said"], "It is well");
    }

    #[test]
    fn a_schema_without_end_is_given_up() {
        let schema = json!({"type": "object", "properties": {"again": {"$ref": "#"}}});
        assert!(answer(&said("x"), Some(&schema)).is_err());
    }
}

//! Values that a server wants repeated in header fields of the request that calls its tool, for proxies. Its
//! input schema marks them by `x-mcp-header` (MCP of 2026-07-28, streamable HTTP). The marks are part of the
//! description that people accepted.
//!
//! A server's name appears only after `mcp-param-`, so it never equals a field of ours. A value that is no
//! plain text is encoded in Base64, so it never ends its field.

use super::said::shown;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_base::{MCP_FIELDS_BYTES_MAX, Value};
use std::collections::BTreeSet;

/// By what a schema marks a property.
const MARK: &str = "x-mcp-header";
/// Types of values that may be marked.
const KINDS: [&str; 3] = ["integer", "string", "boolean"];
/// The largest whole number that every reader of JSON takes as it is.
const WHOLE_MAX: i64 = (1 << 53) - 1;
/// Prefix and suffix of a value in Base64.
const ENCODED: [&str; 2] = ["=?base64?", "?="];

/// A property that is repeated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// The name of the field, in small letters.
    field: String,
    /// Path to the value in the input, from outside to inside.
    path: Vec<String>,
}

/// Returns the values that an input schema marks.
///
/// # Errors
/// The invalid mark, as the end of a sentence about the tool. A tool with such a mark cannot be used.
pub(super) fn marked(schema: &Value) -> Result<Vec<Marked>, String> {
    let mut found = Vec::new();
    look(schema, Some(&[]), &mut found)?;
    let names: BTreeSet<&String> = found.iter().map(|marked| &marked.field).collect();
    if names.len() < found.len() {
        return Err(format!("marks two parts of its input by one `{MARK}`"));
    }
    Ok(found)
}

/// The fields of a call with this input. What is not given, or null, has none.
///
/// # Errors
/// Why it cannot be repeated, as the end of a sentence about the input.
pub(super) fn fields(marked: &[Marked], input: &Value) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut out = Vec::new();
    let mut bytes = 0;
    for marked in marked {
        let value = marked.path.iter().try_fold(input, |value, name| value.get(name));
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        let place = shown(&marked.path.join("."));
        let text = text_of(value)
            .ok_or_else(|| format!("{place} is no text, no truth value and no whole number that is safe"))?;
        let text = encoded(&text);
        bytes += marked.field.len() + text.len();
        if bytes > MCP_FIELDS_BYTES_MAX {
            return Err(format!(
                "with {place}, header fields would hold more than {MCP_FIELDS_BYTES_MAX} bytes of it, where its server wants it; give it less"
            ));
        }
        out.push((marked.field.clone(), text.into_bytes()));
    }
    Ok(out)
}

/// A text as a header field holds it: as it is where it can, else in Base64.
pub(super) fn encoded(text: &str) -> String {
    let [before, after] = ENCODED;
    let is_plain = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
        && text.trim_matches([' ', '\t']) == text
        && !(text.starts_with(before) && text.ends_with(after));
    if is_plain { text.to_owned() } else { format!("{before}{}{after}", BASE64_STANDARD.encode(text)) }
}

/// Looks through a schema; `path` is none where no value has one path of its own.
fn look(schema: &Value, path: Option<&[String]>, found: &mut Vec<Marked>) -> Result<(), String> {
    if let Some(list) = schema.as_array() {
        return list.iter().try_for_each(|value| look(value, None, found));
    }
    for (key, inner) in schema.as_object().into_iter().flatten() {
        match (key.as_str(), path) {
            (MARK, path) => found.push(mark(schema, inner, path)?),
            ("properties", path) => {
                for (name, inner) in inner.as_object().into_iter().flatten() {
                    let below =
                        path.map(|path| path.iter().cloned().chain([name.clone()]).collect::<Vec<_>>());
                    look(inner, below.as_deref(), found)?;
                }
            }
            // Values, not schemas.
            ("const" | "default" | "enum" | "examples", _) => {}
            _ => look(inner, None, found)?,
        }
    }
    Ok(())
}

fn mark(schema: &Value, name: &Value, path: Option<&[String]>) -> Result<Marked, String> {
    let name = name.as_str().unwrap_or_default();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("marks its input by a `{MARK}` that names no header field"));
    }
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Err(format!("marks by `{MARK}: {}` what has no place of its own in its input", shown(name)));
    };
    let kinds = match &schema["type"] {
        Value::Array(list) => list.iter().filter(|text| *text != "null").collect(),
        kind => vec![kind],
    };
    if kinds.is_empty() || !kinds.iter().all(|kind| kind.as_str().is_some_and(|text| KINDS.contains(&text))) {
        return Err(format!("marks by `{MARK}: {}` what is none of {}", shown(name), KINDS.join(", ")));
    }
    Ok(Marked { field: format!("mcp-param-{}", name.to_ascii_lowercase()), path: path.to_vec() })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => {
            let whole = number.as_i64().or_else(|| {
                // `2.0` is a whole number, too.
                let text = number.to_string();
                text.split_once('.').filter(|(_, rest)| rest.bytes().all(|byte| byte == b'0'))?.0.parse().ok()
            });
            whole.filter(|number| (-WHOLE_MAX..=WHOLE_MAX).contains(number)).map(|text| text.to_string())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: &Value, input: &Value, expected: Result<&[(&str, &str)], &str>) {
        let told = marked(schema).and_then(|texts| fields(&texts, input));
        let told = told.map(|fields| {
            let text = |bytes| String::from_utf8(bytes).expect("ASCII");
            fields.into_iter().map(|(name, value)| (name, text(value))).collect::<Vec<_>>()
        });
        match (told, expected) {
            (Ok(told), Ok(expected)) => {
                let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                assert_eq!(told, expected);
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{part} is not in {why}"),
            (told, _) => panic!("{schema}: {told:?}"),
        }
    }

    #[test]
    fn what_is_marked_is_repeated_where_it_is_given() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "of": {"type": "object", "properties": {"page": {"type": ["integer", "null"], "x-mcp-header": "Page"}}},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
            "x-mcp-header": {"type": "string", "default": {"x-mcp-header": ""}},
            "query": {"type": "string"},
        }});
        let check = |input: Value, expected: &[(&str, &str)]| check(&schema, &input, Ok(expected));
        check(json!({"query": "all", "x-mcp-header": "no mark"}), &[]);
        check(
            json!({"region": "us-west1", "of": {"page": 7}, "dry": true}),
            &[("mcp-param-region", "us-west1"), ("mcp-param-page", "7"), ("mcp-param-dry", "true")],
        );
        check(json!({"region": "", "of": {"page": null}}), &[("mcp-param-region", "")]);
        check(serde_json::from_str(r#"{"of": {"page": -2.0}}"#).expect("JSON"), &[("mcp-param-page", "-2")]);
    }

    /// The examples of the revision, each with the reason that it gives.
    #[test]
    fn a_value_that_no_field_holds_is_spelled_in_base64() {
        for (value, expected) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("a\r\nAuthorization: b", "=?base64?YQ0KQXV0aG9yaXphdGlvbjogYg==?="),
            ("\u{7f}", "=?base64?fw==?="),
        ] {
            assert_eq!(encoded(value), expected);
        }
    }

    #[test]
    fn a_mark_that_may_not_be_makes_no_tool() {
        let refused = |schema: Value, part: &str| check(&schema, &json!({}), Err(part));
        let one = |value: Value| json!({"properties": {"a": value}});
        for name in [json!(""), json!("a b"), json!("a\r\nb"), json!("é"), json!(5)] {
            refused(one(json!({"type": "string", "x-mcp-header": name})), "names no header field");
        }
        for kind in
            [json!("number"), json!("object"), json!(["string", "array"]), json!(["null"]), json!(null)]
        {
            refused(
                one(json!({"type": kind, "x-mcp-header": "A"})),
                "what is none of integer, string, boolean",
            );
        }
        let inner = json!({"type": "string", "x-mcp-header": "A"});
        let inside = json!({"properties": {"b": inner}});
        for schema in [
            inner.clone(),
            one(json!({"items": inner})),
            one(json!({"items": inside})),
            json!({"oneOf": [inside]}),
            json!({"if": inside}),
            json!({"$defs": {"x": inner}, "properties": {"a": {"$ref": "#/$defs/x"}}}),
        ] {
            refused(schema, "no place of its own");
        }
        let twice = json!({"properties": {"a": inner, "b": {"type": "string", "x-mcp-header": "a"}}});
        refused(twice, "two parts of its input");
    }

    #[test]
    fn a_value_that_cannot_be_repeated_is_not_sent() {
        let one = |kind: &str| json!({"properties": {"a": {"type": kind, "x-mcp-header": "A"}}});
        check(
            &one("integer"),
            &json!({"a": 9_007_199_254_740_991_i64}),
            Ok(&[("mcp-param-a", "9007199254740991")]),
        );
        check(&one("integer"), &json!({"a": 9_007_199_254_740_992_i64}), Err("a is no text"));
        check(&one("integer"), &json!({"a": 1.5}), Err("a is no text"));
        check(&one("string"), &json!({"a": ["b"]}), Err("a is no text"));
        check(&one("string"), &json!({"a": "x".repeat(MCP_FIELDS_BYTES_MAX)}), Err("give it less"));
    }
}

//! A JSON object as people read it: a name and its value a row, each line of a text a row of its own, and what is nested
//! on one row when it is short, else indented under its name.
//!
//! Wrapping, colours and making values safe to show are left to the view.

use cuelight_base::{Value, ValueMap, safe_text};
use serde::de::IgnoredAny;

/// A value that holds others stands on one row when its JSON is at most so many characters.
const SHORT_CHARS: usize = 40;
/// A name of more characters stands on a row of its own, with its value on the next.
const NAME_CHARS_MAX: usize = 24;
/// Between the longest name and the values.
const GAP: usize = 2;

/// An object in rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Values stand so many characters from the left.
    pub column: usize,
    /// From top to bottom.
    pub rows: Vec<FieldRow>,
}

/// One row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// Safe to show, and as long as the column unless it stands alone; blanks where a value follows in the row.
    pub name: String,
    /// Foreign text of one line; empty when the name stands alone.
    pub value: String,
}

impl Fields {
    /// The rows of a text that is what JSON writes for one object, to the letter. Every other text people read as it is: of
    /// a name that comes twice, say, a row would show one value where a reader of JSON may take the other.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let object: ValueMap =
            serde_json::from_str(text).ok().filter(|fields: &ValueMap| !fields.is_empty())?;
        let mut rows = Vec::new();
        // Read and written again it is the same, so nothing of it is lost.
        let value = Value::Object(object);
        let written = value.to_string();
        if written != text {
            return None;
        }
        inner(&mut rows, 0, &value);
        let lengths = rows.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| length(name));
        let column = GAP + lengths.filter(|length| *length <= NAME_CHARS_MAX).max().unwrap_or(0);
        let mut out = Vec::new();
        for (mut name, value) in rows {
            if length(&name) > NAME_CHARS_MAX || value.is_empty() {
                out.push(FieldRow { name: std::mem::take(&mut name), value: String::new() });
            }
            if !value.is_empty() {
                out.push(FieldRow { name: format!("{name:<column$}"), value });
            }
        }
        Some(Self { column, rows: out })
    }
}

fn length(name: &str) -> usize {
    name.chars().count()
}

fn inner(rows: &mut Vec<(String, String)>, indent: usize, value: &Value) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| row(rows, indent, &plain(name), value))
        }
        Value::Array(list) => list.iter().for_each(|value| row(rows, indent, "-", value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn row(rows: &mut Vec<(String, String)>, indent: usize, name: &str, value: &Value) {
    let mut name = format!("{:indent$}{name}", "");
    let json = value.to_string();
    match value {
        // What reads like another value keeps the quotation marks that tell it apart.
        Value::String(text)
            if !text.trim().is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err() =>
        {
            for line in text.split('\n') {
                rows.push((std::mem::take(&mut name), line.to_owned()));
            }
        }
        Value::Object(_) | Value::Array(_) if json.chars().count() > SHORT_CHARS => {
            rows.push((name, String::new()));
            inner(rows, indent + 2, value);
        }
        _ => rows.push((name, json)),
    }
}

/// A name; in quotation marks when it could pass for a name and a value.
fn plain(name: &str) -> String {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return safe_text(&Value::from(name).to_string());
    }
    safe_text(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let rows = Fields::of(text).map(|fields| fields.rows).unwrap_or_default();
        let lines: Vec<String> = rows.iter().map(|row| format!("{}{}", row.name, row.value)).collect();
        assert_eq!(lines.join("\n"), shown, "{text}");
    }

    #[test]
    fn an_object_is_a_name_and_a_value_a_row() {
        check(r#"{"score":0.60,"summary":"good enough"}"#, "score    0.60\nsummary  good enough");
        check(r#"{"a":null,"b":[1,2],"c":{}}"#, "a  null\nb  [1,2]\nc  {}");
        check(r#"{"log":"one\n\ntwo","n":1}"#, "log  one\n\n     two\nn    1");
        check(
            r#"{"found":{"file":"src/shop/cart/total.rs","line":12,"why":["it is late","it is long"]},"n":1}"#,
            "found\n  file  src/shop/cart/total.rs\n  line  12\n  why   [\"it is late\",\"it is long\"]\nn       1",
        );
        check(
            r#"{"all":[{"file":"src/shop/cart/total.rs","line":12,"n":[]},"b"]}"#,
            "all\n  -\n    file  src/shop/cart/total.rs\n    line  12\n    n     []\n  -       b",
        );
        check(
            r#"{"a-name-that-is-longer-than-most":"x","n":1}"#,
            "a-name-that-is-longer-than-most\n   x\nn  1",
        );
    }

    #[test]
    fn no_value_passes_for_nothing_or_for_a_field() {
        check(r#"{"a":"","b":" ","c":null}"#, "a  \"\"\nb  \" \"\nc  null");
        check(r#"{"a":"x\nb  1"}"#, "a  x\n   b  1");
        check(r#"{"a":"false","b":false,"c":"7","d":7}"#, "a  \"false\"\nb  false\nc  \"7\"\nd  7");
        check(r#"{"a":"{\"b\":1}","c":{"b":1}}"#, "a  \"{\\\"b\\\":1}\"\nc  {\"b\":1}");
        check("{\"score  0.9\\nx\":1}", "\"score  0.9\\nx\"  1");
        check("{\"a\\u001b[2J\":1}", "a␛[2J  1");
        check("{\"a\u{202e}\":1}", "a⟨U+202E⟩  1");
    }

    #[test]
    fn a_text_that_is_not_one_object_to_the_letter_stays_as_it_is() {
        for text in ["", "{}", "[1]", "1", "{broken", r#"{"a":1} {"b":2}"#, r#"{"a":1,"a":2}"#, r#"{"a": 1}"#]
        {
            assert_eq!(Fields::of(text), None, "{text}");
        }
    }
}

//! Reading a file of another system: a tree of values, where only what cannot be read at all is an error.

use super::page::Page;
use cuelight_base::{Value, ValueMap};
use cuelight_definition::{Diagnostic, Source, parse_yaml};

/// The mapping that the first document of a file is.
///
/// # Errors
/// Why it could not be read, as a whole sentence with its line.
pub(super) fn document(text: &str, page: &mut Page) -> Result<ValueMap, String> {
    let first = first_document(text);
    if first.len() < text.trim_end().len() {
        page.leave_out("what stands below the first `---`: other documents of the file");
    }
    let source = Source::new(first);
    let (root, findings) = parse_yaml(&source);
    for found in findings.into_iter().filter(Diagnostic::is_error) {
        // A merge key can bring a guard that is nowhere else in the text.
        let merges = found.message.contains("`<<`");
        if root.is_none() || merges || found.code != "yaml-feature" {
            return Err(format!("could not read the file: line {}: {}", found.line, found.message));
        }
        page.leave_out(format!("line {}: {}", found.line, found.message));
    }
    match root.map(|root| root.to_value()) {
        Some(Value::Object(root)) => Ok(root),
        _ => Err("could not read the file: it is not a mapping".to_owned()),
    }
}

/// Up to a line that begins another document.
fn first_document(text: &str) -> &str {
    let mut at = 0;
    let mut has_begun = false;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "---" && has_begun {
            return &text[..at];
        }
        has_begun |= !line.trim().is_empty() && !line.starts_with('#');
        at += line.len();
    }
    text
}

/// A scalar as it was written.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A scalar behind a key, as it was written.
pub(super) fn text_at(map: &ValueMap, key: &str) -> Option<String> {
    map.get(key).and_then(text)
}

/// One scalar, or a list of them.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The mapping behind a key.
pub(super) fn map_at<'v>(map: &'v ValueMap, key: &str) -> Option<&'v ValueMap> {
    map.get(key).and_then(Value::as_object)
}

/// Mappings of a list behind a key.
pub(super) fn maps_at<'v>(map: &'v ValueMap, key: &str) -> impl Iterator<Item = &'v ValueMap> {
    map.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

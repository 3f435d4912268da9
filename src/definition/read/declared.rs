//! Names that a file declares, with their types: inputs, the fields of a form, outputs.

use super::fields::Reader;
use crate::{
    Field, Place, Placed, ValueKind,
    document::{FIELD, VALUE_KINDS},
    inputs::misfit,
    yaml::{Node, Shape},
};
use cuelight_base::{Value, shorten};

/// A key that expressions can name after a dot.
pub(super) fn check_name(reader: &mut Reader<'_, '_>, name: &str, place: Place, what: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = first
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !fits {
        let message = format!("`{}` cannot be the name of {what}", shorten(name, 60));
        reader
            .findings
            .error("id", place, message)
            .help("a letter or `_`, then letters, digits, `_` and `-`");
    }
    fits
}

/// Inputs of a workflow, or the fields of a form.
pub(super) fn fields(reader: &mut Reader<'_, '_>, node: &Node, what: &'static str) -> Vec<Field> {
    let wanted = format!("{what} stands as `name: {{type: string}}`");
    let mut out = Vec::new();
    for entry in reader.entries(node, &wanted) {
        check_name(reader, &entry.key, entry.place, what);
        let name = Placed::new(entry.key.clone(), entry.place);
        out.push(field(reader, name, &entry.value, what));
    }
    out
}

fn field(reader: &mut Reader<'_, '_>, name: Placed<String>, node: &Node, what: &str) -> Field {
    let mut field = Field {
        name,
        kind: ValueKind::String,
        required: false,
        default: None,
        pattern: None,
        choices: Vec::new(),
        description: None,
    };
    if node.is_null() {
        return field;
    }
    if let Shape::Scalar(_) = node.shape {
        field.kind = value_kind(reader, node).unwrap_or_default();
        return field;
    }
    let Some(found) = reader.object(node, &FIELD) else { return field };
    let kind = found.get("type").map(|node| value_kind(reader, node));
    field.kind = kind.flatten().unwrap_or_default();
    field.description = found
        .get("description")
        .and_then(|description| reader.word(description, "a description"))
        .map(|word| word.value);
    field.required =
        found.get("required").and_then(|required| reader.boolean(required, "`required`")).unwrap_or(false);
    if let Some(node) = found.get("pattern") {
        field.pattern = pattern(reader, node);
    }
    if let Some(node) = found.get("enum") {
        for item in reader.list(node, "`enum` is a list of the values allowed") {
            let Some(value) = reader.constant(item, "an allowed value") else { continue };
            if let Some(why) = misfit(&Field { choices: Vec::new(), pattern: None, ..field.clone() }, &value)
            {
                reader.findings.error("type", item.place, format!("an allowed value {why}"));
            }
            field.choices.push(value);
        }
        if field.choices.is_empty() {
            reader
                .findings
                .error("value", node.place, "`enum` allows nothing")
                .help("name at least one value");
        }
    }
    if let Some(node) = found.get("default") {
        field.default = reader.constant(node, "a default").filter(|constant| !constant.is_null());
        if let Some(why) = field.default.as_ref().and_then(|default| misfit(&field, default)) {
            let old = match &node.shape {
                Shape::Scalar(scalar) if field.kind != ValueKind::String => scalar.old_meaning(),
                _ => None,
            };
            let is_text = matches!(field.default, Some(Value::String(_)));
            let found = reader.findings.error("type", node.place, format!("the default of {what} {why}"));
            if let Some(meant) = old {
                found.help(format!("YAML 1.2 reads this as text; write `{meant}`")).fix(node.place, meant);
            } else if field.kind == ValueKind::String && !is_text {
                found.help("quote it to make it text");
            }
        }
    }
    if field.required && field.default.is_some() {
        let place = found.key_place("required").unwrap_or(node.place);
        reader
            .findings
            .warning("value", place, "`required` means nothing beside a `default`")
            .help("remove one of the two");
    }
    field
}

fn pattern(reader: &mut Reader<'_, '_>, node: &Node) -> Option<String> {
    let text = reader.word(node, "a pattern")?;
    match regex::Regex::new(&text.value) {
        Ok(_) => Some(text.value),
        Err(why) => {
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            reader
                .findings
                .error("pattern", node.place, format!("could not read the pattern: {why}"))
                .help("patterns are regular expressions without look-around and back-references");
            None
        }
    }
}

pub(super) fn value_kind(reader: &mut Reader<'_, '_>, node: &Node) -> Option<ValueKind> {
    let kinds: Vec<ValueKind> = ValueKind::ALL.iter().map(|(_, kind)| *kind).collect();
    reader.one_of(node, "a type", VALUE_KINDS, &kinds)
}

//! The inputs that texts of a tool may read, and texts that a program would read as a script.

use super::schema::is_fixed;
use crate::read::fields::{Reader, locate};
use crate::spelling::suggest;
use crate::tool::properties;
use crate::{Place, Text, shell};
use cuelight_base::Value;
use cuelight_expression::{Expr, Function, Template};

/// Every text in a value.
pub(super) fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(map) => map.values().flat_map(texts_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Every expression in it reads `input` alone, and only what the schema names.
pub(super) fn reads(reader: &mut Reader<'_, '_>, input: Option<&Value>, text: &Text) {
    reads_of(reader, input, text, &["input"]);
}

pub(super) fn reads_of(reader: &mut Reader<'_, '_>, input: Option<&Value>, text: &Text, roots: &[&str]) {
    let Ok(template) = Template::parse(&text.value) else { return };
    let known: Vec<String> = input
        .map(|input| properties(input).map(|property| property.0.to_owned()).collect())
        .unwrap_or_default();
    for hole in template.holes() {
        let mut wrong: Vec<(std::ops::Range<usize>, String, String)> = Vec::new();
        for reference in hole.expr.references() {
            let name = reference.path.first();
            if !roots.iter().any(|root| reference.root.eq_ignore_ascii_case(root)) {
                let message = format!("a tool does not see `{}`", reference.root);
                let help = if roots.contains(&"output") {
                    "it reads `input`, which the call was given, and `output`, which it gave"
                } else {
                    "it reads `input`, which the step gives it"
                };
                wrong.push((reference.span, message, help.to_owned()));
            } else if let Some(name) = name
                .filter(|_| reference.root.eq_ignore_ascii_case("input"))
                .filter(|name| !known.is_empty() && !known.contains(name))
            {
                let near = suggest(name, known.iter().map(String::as_str));
                let help = near.map_or_else(
                    || {
                        "name it under `input:` of its file, or under `with:` of the step that describes it"
                            .to_owned()
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                wrong.push((reference.span, format!("`input` has no property `{name}`"), help));
            }
        }
        for (function, span) in asks_the_world(&hole.expr) {
            let message = format!("`{}()` cannot be asked in a tool", function.name());
            wrong.push((span, message, "give the tool what it needs as input".to_owned()));
        }
        for (span, message, help) in wrong {
            let place = at(reader, text, hole.inner.start + span.start..hole.inner.start + span.end);
            reader.findings.error("expression", place, message).help(help);
        }
    }
}

fn asks_the_world(expr: &Expr) -> Vec<(Function, std::ops::Range<usize>)> {
    let asks = |function: Function| {
        cuelight_expression::StatusFunction::of(function).is_some() || function.name() == "hashFiles"
    };
    expr.functions().into_iter().filter(|(function, _)| asks(*function)).collect()
}

/// After `bash -c` a value would be a script. It may be one only where the schema says that it is written in the workflow.
pub(super) fn no_script(reader: &mut Reader<'_, '_>, input: Option<&Value>, before: &[Text], text: &Text) {
    let words: Vec<String> = before.iter().map(|text| text.value.clone()).collect();
    let Some(last) = words.last().filter(|_| text.value.contains("${{") && shell::is_known(&words)) else {
        return;
    };
    let tells = last.starts_with('-') && !last.starts_with("--") && last.ends_with('c');
    let Ok(template) = Template::parse(&text.value) else { return };
    let holes: Vec<_> = template.holes().collect();
    let fixed = |name: &str| {
        input.is_some_and(|input| properties(input).any(|(key, about)| key == name && is_fixed(about)))
    };
    let is_fixed = holes.iter().all(|hole| {
        let references = hole.expr.references();
        matches!(references.as_slice(), [one] if one.path.first().is_some_and(|text| fixed(text)))
    });
    if tells && !is_fixed {
        reader
            .findings
            .error("shell-quoting", text.place, "a value would be read as a script here")
            .help("write the script under `command:` as one text; an expression in it becomes a variable");
    }
}

fn at(reader: &Reader<'_, '_>, text: &Text, range: std::ops::Range<usize>) -> Place {
    locate(reader.findings, text.place, &text.value, range)
}

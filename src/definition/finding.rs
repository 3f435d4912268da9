//! A finding as JSON: the answer of `check --json`, and its schema.

use crate::Diagnostic;
use schemars::JsonSchema;
use serde::Serialize;

/// One finding of the checker. Lines and columns count from 1, bytes from 0.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub struct FindingAnswer {
    /// The rule that was broken.
    code: &'static str,
    /// `error`, `warning` or `note`.
    severity: &'static str,
    message: String,
    file: String,
    line: usize,
    column: usize,
    /// The first byte that it is about.
    start: u32,
    /// The byte after the last one.
    end: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// A change that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<EditAnswer>,
    /// Other places that have to do with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    related: Vec<RelatedAnswer>,
}

/// The bytes that are replaced, and the text that replaces them.
#[derive(Serialize, JsonSchema)]
struct EditAnswer {
    start: u32,
    end: u32,
    text: String,
}

/// Another place, and its message.
#[derive(Serialize, JsonSchema)]
struct RelatedAnswer {
    line: usize,
    column: usize,
    message: String,
}

impl FindingAnswer {
    /// The finding for programs.
    pub fn of(found: &Diagnostic) -> Self {
        Self {
            code: found.code,
            severity: found.severity.word(),
            message: found.message.clone(),
            file: found.file.clone(),
            line: found.line,
            column: found.column,
            start: found.place.start,
            end: found.place.end,
            label: found.label.clone(),
            help: found.help.clone(),
            fix: found.fix.as_ref().map(|fix| EditAnswer {
                start: fix.place.start,
                end: fix.place.end,
                text: fix.text.clone(),
            }),
            related: found
                .related
                .iter()
                .map(|place| RelatedAnswer {
                    line: place.line,
                    column: place.column,
                    message: place.message.clone(),
                })
                .collect(),
        }
    }
}

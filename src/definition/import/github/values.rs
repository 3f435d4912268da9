//! Values of GitHub's that stand by themselves: inputs, shells, versions, variables.

use crate::{
    base::{Value, ValueMap},
    definition::import::page::without_holes,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Of the commit that an action is pinned to a question shows so much.
const VERSION_CHARS: usize = 12;

/// Names of variables that GitHub sets, where a script reads or writes them.
pub(super) fn variables(script: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = script.split('$').skip(1).map(|it| it.strip_prefix('{').unwrap_or(it));
    let names = words.map(|it| &it[..it.find(|c| !is_name(c)).unwrap_or(it.len())]);
    names.filter(|it| it.starts_with("GITHUB_") || it.starts_with("RUNNER_")).collect()
}

/// An action that is pinned to a commit, by the first letters of it.
pub(super) fn short_version(action: &str) -> String {
    match action.split_once('@') {
        Some((name, version)) => {
            format!("{name}@{}", version.chars().take(VERSION_CHARS).collect::<String>())
        }
        None => action.to_owned(),
    }
}

/// How a script is run by a shell of GitHub's list.
pub(super) fn shell(said: &str) -> String {
    match said {
        "bash" => "bash -eo pipefail -c".to_owned(),
        "sh" => "sh -e -c".to_owned(),
        "pwsh" => "pwsh -command".to_owned(),
        other => other.replace(" {0}", " -c"),
    }
}

/// What is asked of whoever starts it.
pub(super) fn field(said: &ValueMap) -> Value {
    let kind = match said.get("type").and_then(Value::as_str) {
        Some("boolean") => "boolean",
        Some("number") => "number",
        _ => "string",
    };
    let mut out = json!({"type": kind});
    for (theirs, ours) in [("description", "description"), ("options", "enum"), ("default", "default")] {
        if let Some(it) = said.get(theirs) {
            out[ours] = match it {
                Value::String(it) => without_holes(it).into(),
                Value::Bool(_) | Value::Number(_) if kind == "string" && ours == "default" => {
                    it.to_string().into()
                }
                other => other.clone(),
            };
        }
    }
    if said.get("required") == Some(&Value::Bool(true)) && !said.contains_key("default") {
        out["required"] = true.into();
    }
    out
}

//! Values of GitHub's that stand by themselves: inputs, shells, versions, variables.

use crate::page::without_holes;
use cuelight_base::{Value, ValueMap, is_shell};
use serde_json::json;
use std::collections::BTreeSet;

/// The length of an action's pinned commit in a question, in characters.
const VERSION_CHARS: usize = 12;

/// Names of variables that GitHub sets, where a script reads or writes them.
pub(super) fn variables(script: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = script.split('$').skip(1).map(|part| part.strip_prefix('{').unwrap_or(part));
    let names = words.map(|word| &word[..word.find(|c| !is_name(c)).unwrap_or(word.len())]);
    names.filter(|name| name.starts_with("GITHUB_") || name.starts_with("RUNNER_")).collect()
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

/// The command line of a shell on GitHub's list, or of a command whose last word is the script file. None if
/// the text of the script cannot take the place of that file.
pub(super) fn shell(said: &str) -> Option<String> {
    let listed = match said {
        "bash" => "bash -eo pipefail -c",
        "sh" => "sh -e -c",
        "python" => "python",
        "pwsh" => "pwsh -command",
        "powershell" => "powershell -command",
        _ => "",
    };
    if !listed.is_empty() {
        return Some(listed.to_owned());
    }
    let words: Vec<&str> = said.split_whitespace().collect();
    let (file, words) = words.split_last()?;
    let is_plain = |word: &&str| !word.contains(['{', '\'', '"', '\\']);
    let at = words.iter().rposition(|word| is_shell(word) || code_option(word).is_some())?;
    let (program, options) = (words[at], &words[at + 1..]);
    let option = if is_shell(program) { "-c" } else { code_option(program)? };
    // An option may take the next word as its value, and one takes the script.
    let fits = |at: usize| {
        let word = options[at];
        let is_short = word.starts_with(['-', '+']) && !word.starts_with("--");
        if !is_shell(program) {
            return ["-u", "-w", "-B"].contains(&word);
        }
        let is_value =
            at > 0 && options[at - 1].starts_with(['-', '+']) && options[at - 1].ends_with(['o', 'O']);
        if is_short { !word.contains(['c', 's']) } else { is_value || LONG_OPTIONS.contains(&word) }
    };
    let ends = options.last().is_none_or(|word| !word.starts_with(['-', '+']) || !word.ends_with(['o', 'O']));
    let is_known = *file == "{0}" && words.iter().all(is_plain) && ends && (0..options.len()).all(fits);
    is_known.then(|| format!("{} {option}", words.join(" ")))
}

/// Options of bash that take no value.
const LONG_OPTIONS: [&str; 4] = ["--login", "--noprofile", "--norc", "--posix"];

/// The option behind which an interpreter takes the text of a script.
fn code_option(program: &str) -> Option<&'static str> {
    match program.rsplit('/').next()? {
        "python" | "python3" => Some("-c"),
        "node" | "perl" | "ruby" => Some("-e"),
        _ => None,
    }
}

/// The input that a caller of the workflow can give.
pub(super) fn field(said: &ValueMap) -> Value {
    let kind = match said.get("type").and_then(Value::as_str) {
        Some("boolean") => "boolean",
        Some("number") => "number",
        _ => "string",
    };
    let mut out = json!({"type": kind});
    for (theirs, ours) in [("description", "description"), ("options", "enum"), ("default", "default")] {
        if let Some(value) = said.get(theirs) {
            out[ours] = match value {
                Value::String(text) => without_holes(text).into(),
                Value::Bool(_) | Value::Number(_) if kind == "string" && ours == "default" => {
                    value.to_string().into()
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

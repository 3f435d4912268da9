//! The documents of a file of Dagu: the keys of its published schema, what becomes of each, and the line that each stands on.

use cuelight_base::{Value, ValueMap};
use cuelight_definition::{Diagnostic, Source, YamlNode, YamlShape, parse_yaml};
use std::collections::BTreeMap;

/// Documents of one file, and steps of one document.
pub(super) const DOCUMENTS_MAX: usize = 200;
/// Depth to which lines are remembered.
const LINES_DEPTH: usize = 9;

/// The treatment of a key.
pub(super) enum Fate {
    /// The code reads it.
    Carried,
    /// It is named at the top of the written file, with what that means.
    Lost(&'static str),
    /// The import stops with this reason.
    Refused(&'static str),
}

/// A mapping with fixed keys.
pub(super) type Keys = &'static [(&'static str, Fate)];

use Fate::{Carried, Lost, Refused};

pub(super) const ROOT: Keys = &[
    ("name", Carried),
    ("description", Carried),
    ("group", Lost("it only sorts workflows")),
    ("dotenv", Carried),
    ("working_dir", Carried),
    ("consts", Carried),
    ("schedule", Carried),
    ("skip_if_successful", Lost("a scheduled run starts although an earlier one has succeeded")),
    ("catchup_window", Carried),
    ("overlap_policy", Carried),
    ("labels", Lost("it only sorts workflows")),
    ("tags", Lost("it only sorts workflows")),
    ("type", Carried),
    ("tasks", Refused("an agent that chooses the steps has no order to carry over")),
    ("env", Carried),
    ("secrets", Carried),
    ("tools", Lost("install these programs on this machine")),
    ("defaults", Carried),
    ("retry_policy", Lost("a run that failed is not started again by itself")),
    ("log_dir", Lost("logs stay in the workspace")),
    ("artifacts", Lost("artifacts stay in the workspace")),
    ("log_output", Lost("both streams of a step are one log")),
    ("handler_on", Carried),
    ("step_types", Lost("a step of such a type asks whether it was done by hand")),
    ("actions", Lost("a step with such an action asks whether it was done by hand")),
    ("smtp", Lost("no mail is sent")),
    ("mail_on", Lost("no mail is sent")),
    ("error_mail", Lost("no mail is sent")),
    ("info_mail", Lost("no mail is sent")),
    ("timeout_sec", Carried),
    ("delay_sec", Carried),
    ("restart_wait_sec", Lost("nothing restarts a run")),
    ("hist_retention_days", Lost("`cuelight retention` decides what is kept")),
    ("hist_retention_runs", Lost("`cuelight retention` decides what is kept")),
    ("max_active_runs", Carried),
    ("queue", Carried),
    ("max_active_steps", Carried),
    ("max_clean_up_time_sec", Lost("handlers have as long as they take")),
    ("max_output_size", Lost("an output has at most 1 MiB")),
    ("preconditions", Carried),
    ("params", Carried),
    ("container", Carried),
    ("resources", Carried),
    ("registry_auths", Lost("log in to the registry on this machine")),
    ("ssh", Carried),
    ("s3", Lost("a step that uses it asks whether it was done by hand")),
    ("llm", Lost("a step that uses it asks whether it was done by hand")),
    ("harness", Lost("a step that uses it asks whether it was done by hand")),
    ("harnesses", Lost("a step that uses it asks whether it was done by hand")),
    ("steps", Carried),
    ("otel", Lost("`[traces]` of the configuration says where traces are sent")),
    ("run_config", Carried),
    ("webhook", Lost("no webhook starts it")),
    ("worker_selector", Carried),
    ("shell", Carried),
    ("shell_args", Carried),
    ("redis", Lost("a step that uses it asks whether it was done by hand")),
    ("kubernetes", Lost("a step that uses it asks whether it was done by hand")),
];

pub(super) const STEP: Keys = &[
    ("name", Carried),
    ("id", Carried),
    ("description", Carried),
    ("working_dir", Carried),
    ("run", Carried),
    ("action", Carried),
    ("command", Carried),
    ("args", Carried),
    ("exec", Carried),
    ("shell", Carried),
    ("shell_args", Carried),
    ("shell_packages", Lost("install these packages on this machine")),
    ("script", Carried),
    ("stdout", Carried),
    ("stderr", Carried),
    ("log_output", Lost("both streams of a step are one log")),
    ("output", Carried),
    ("output_schema", Lost("the output is not checked")),
    ("outputs", Carried),
    ("inputs", Lost("the step runs whether these files have changed or not")),
    ("dependencies", Lost("the step reads these files in this workspace, as they are when it runs")),
    ("depends", Carried),
    ("continue_on", Carried),
    ("retry_policy", Carried),
    ("repeat_policy", Carried),
    ("mail_on_error", Lost("no mail is sent")),
    ("preconditions", Carried),
    ("signal_on_stop", Lost("a step is ended with SIGTERM")),
    ("timeout_sec", Carried),
    ("call", Carried),
    ("params", Carried),
    ("parallel", Carried),
    ("foreach", Carried),
    ("worker_selector", Carried),
    ("env", Carried),
    ("container", Carried),
    ("type", Carried),
    ("with", Carried),
    ("llm", Carried),
    ("agent", Carried),
    ("approval", Carried),
    ("messages", Carried),
    ("tools", Carried),
    ("value", Carried),
    ("routes", Carried),
];

pub(super) const DEFAULTS: Keys = &[
    ("retry_policy", Carried),
    ("continue_on", Carried),
    ("repeat_policy", Carried),
    ("timeout_sec", Carried),
    ("mail_on_error", Carried),
    ("signal_on_stop", Carried),
    ("env", Carried),
    ("preconditions", Carried),
    ("agent", Lost("a step that uses it asks whether it was done by hand")),
];

/// Restrictions on the start of a run.
pub(super) const RUN_CONFIG: Keys = &[
    ("disable_param_edit", Carried),
    ("disable_run_id_edit", Lost("a run is numbered here, and nobody names it")),
];

pub(super) const RETRY: Keys = &[
    ("limit", Carried),
    ("interval_sec", Carried),
    ("backoff", Carried),
    ("max_interval_sec", Carried),
    ("exit_code", Lost("every failure is tried again")),
];

pub(super) const REPEAT: Keys = &[
    ("repeat", Carried),
    ("interval_sec", Carried),
    ("limit", Carried),
    ("backoff", Lost("the pause between two rounds stays the same")),
    ("max_interval_sec", Lost("the pause between two rounds stays the same")),
    ("condition", Carried),
    ("expected", Carried),
    ("exit_code", Carried),
];

pub(super) const CONTINUE: Keys = &[
    ("failure", Carried),
    ("failed", Carried),
    ("skipped", Carried),
    ("exit_code", Lost("such an exit code is a failure like others")),
    ("output", Lost("a failure with such an output is a failure like others")),
    ("mark_success", Lost("a failure that others go on after is told as a failure")),
];

pub(super) const APPROVAL: Keys =
    &[("prompt", Carried), ("input", Carried), ("required", Carried), ("rewind_to", Carried)];

pub(super) const HANDLERS: Keys = &[
    ("init", Carried),
    ("success", Carried),
    ("failure", Carried),
    ("abort", Carried),
    ("cancel", Carried),
    ("exit", Carried),
    ("wait", Lost("nothing is done when a step waits for a person")),
];

pub(super) const CONDITION: Keys = &[
    ("condition", Carried),
    ("eval", Carried),
    ("command", Carried),
    ("expected", Carried),
    ("negate", Carried),
];

pub(super) const SECRET: Keys =
    &[("name", Carried), ("ref", Carried), ("provider", Carried), ("key", Carried), ("options", Carried)];

pub(super) const OUTPUT: Keys = &[
    ("name", Carried),
    ("type", Carried),
    ("path", Lost("the file stays where it is, and no later step is told of it")),
];

pub(super) const SOURCE: Keys =
    &[("value", Carried), ("from", Carried), ("path", Carried), ("decode", Carried), ("select", Carried)];

/// The keys of a stream.
pub(super) const STREAM: Keys = &[("artifact", Carried), ("outputs", Carried)];

pub(super) const PARAM: Keys = &[
    ("name", Carried),
    ("default", Carried),
    ("eval", Carried),
    ("description", Carried),
    ("type", Carried),
    ("required", Carried),
    ("enum", Carried),
    ("pattern", Carried),
    ("minimum", Lost("the number is not checked")),
    ("maximum", Lost("the number is not checked")),
    ("min_length", Lost("the length is not checked")),
    ("max_length", Lost("the length is not checked")),
];

pub(super) const PROPERTY: Keys = &[
    ("type", Carried),
    ("title", Carried),
    ("description", Carried),
    ("default", Carried),
    ("enum", Carried),
    ("oneOf", Carried),
    ("pattern", Carried),
    ("minimum", Lost("the number is not checked")),
    ("maximum", Lost("the number is not checked")),
    ("minLength", Lost("the length is not checked")),
    ("maxLength", Lost("the length is not checked")),
];

pub(super) const FORM: Keys = &[
    ("type", Carried),
    ("title", Lost("a form has no title")),
    ("description", Lost("a form has no description")),
    ("properties", Carried),
    ("required", Carried),
    ("additionalProperties", Carried),
];

pub(super) const FOREACH: Keys = &[
    ("items", Carried),
    ("as", Carried),
    ("key", Carried),
    ("max_concurrent", Carried),
    ("steps", Carried),
    ("collect", Lost("what each round yields reaches no later step")),
];

pub(super) const PARALLEL: Keys = &[("items", Carried), ("variable", Carried), ("max_concurrent", Carried)];

pub(super) const RUN_WITH: Keys = &[
    ("shell", Carried),
    ("shell_args", Carried),
    ("shell_packages", Lost("install these packages on this machine")),
];

/// Keys that older versions spell otherwise, beside those in camel case.
const OLDER: [(&str, &str); 3] =
    [("dir", "working_dir"), ("precondition", "preconditions"), ("config", "with")];

/// Keys whose mapping is of this format and no free one, so that its camel case is read as well.
const POLICIES: [&str; 5] = ["retry_policy", "repeat_policy", "continue_on", "approval", "defaults"];

/// One YAML document of the file.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) root: ValueMap,
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// One that is part of another.
    pub(super) fn within(&self, root: ValueMap, from: &str) -> Self {
        let lines = self.lines.iter().filter_map(|(path, line)| {
            let rest = path.strip_prefix(from)?;
            Some((format!("steps{rest}"), *line))
        });
        Self { root, lines: lines.collect() }
    }

    /// The line on which something stands, or what it is in.
    pub(super) fn line(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.lines.get(path) {
                return *line;
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return self.lines.values().min().copied().unwrap_or(1),
            }
        }
    }
}

/// The documents of a file, the first of which is the workflow.
///
/// # Errors
/// Why it could not be read, as a whole sentence with its line.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, String> {
    let mut out = Vec::new();
    for (first, part) in parts(text) {
        if out.len() == DOCUMENTS_MAX {
            return Err(format!("could not read the file: it has more than {DOCUMENTS_MAX} documents"));
        }
        let source = Source::new(part);
        let (root, findings) = parse_yaml(&source);
        if let Some(found) = findings.iter().find(|found| Diagnostic::is_error(found)) {
            return Err(format!("could not read the file: line {}: {}", first + found.line, found.message));
        }
        let mut document = Document::default();
        if let Some(root) = &root {
            lines(root, "", &source, first, &mut document.lines, 0);
        }
        match root.map(|node| node.to_value()) {
            Some(Value::Object(root)) => document.root = spelled(root),
            _ => return Err("could not read the file: it is not a mapping".to_owned()),
        }
        out.push(document);
    }
    Ok(out)
}

/// The texts between `---`, each with how many lines stand above it.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let is_blank = |part: &str| part.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
    let (mut out, mut start, mut first, mut at) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" {
            if !is_blank(&text[start..at]) {
                out.push((first, &text[start..at]));
            }
            (start, first) = (at + line.len(), number + 1);
        }
        at += line.len();
    }
    if out.is_empty() || !is_blank(&text[start..]) {
        out.push((first, &text[start..]));
    }
    out
}

fn lines(
    node: &YamlNode,
    path: &str,
    source: &Source<'_>,
    first: usize,
    out: &mut BTreeMap<String, usize>,
    depth: usize,
) {
    if depth > LINES_DEPTH {
        return;
    }
    match &node.shape {
        YamlShape::Scalar(_) => {}
        YamlShape::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                out.insert(path.clone(), first + source.line_column(item.place.at()).0);
                lines(item, &path, source, first, out, depth + 1);
            }
        }
        YamlShape::Map(entries) => {
            for entry in entries {
                let key = canonical(&entry.key);
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                out.insert(path.clone(), first + source.line_column(entry.place.at()).0);
                lines(&entry.value, &path, source, first, out, depth + 1);
            }
        }
    }
}

/// The spelling of a key in this version.
fn canonical(key: &str) -> String {
    if let Some((_, now)) = OLDER.iter().find(|(old, _)| *old == key) {
        return (*now).to_owned();
    }
    let snake: String = key
        .chars()
        .flat_map(|c| {
            let gap = c.is_ascii_uppercase().then_some('_');
            gap.into_iter().chain(std::iter::once(c.to_ascii_lowercase()))
        })
        .collect();
    let is_known = [ROOT, STEP, RETRY, REPEAT, CONTINUE, APPROVAL]
        .iter()
        .any(|table| table.iter().any(|(name, _)| *name == snake));
    if is_known { snake } else { key.to_owned() }
}

/// A mapping of this format in today's spelling, with the policies in it.
pub(super) fn spelled(map: ValueMap) -> ValueMap {
    map.into_iter()
        .map(|(key, value)| {
            let key = canonical(&key);
            let value = match value {
                Value::Object(inner) if POLICIES.contains(&key.as_str()) => Value::Object(spelled(inner)),
                Value::Object(inner) if key == "handler_on" => {
                    let handler = |value| match value {
                        Value::Object(step) => Value::Object(spelled(step)),
                        other => other,
                    };
                    inner
                        .into_iter()
                        .map(|(when, value)| (when.trim_start_matches("on_").to_owned(), handler(value)))
                        .collect()
                }
                other => other,
            };
            (key, value)
        })
        .collect()
}

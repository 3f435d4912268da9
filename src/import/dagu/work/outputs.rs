//! The outputs of a step: what its script publishes, and how its output is kept.

use super::script::in_quotes;
use crate::dagu::Import;
use crate::dagu::scope::{Done, Structured};
use crate::dagu::steps::Step;
use crate::dagu::values::{Names, with_holes};
use crate::foreign;
use crate::page::variable;
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeSet;

impl Import<'_> {
    /// A script with what is kept of its streams, and the rules of its step.
    pub(super) fn finished(
        &mut self,
        step: &Step,
        script: &str,
        mut values: ValueMap,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let body = &step.body;
        let mut script = script.trim_end().to_owned();
        if let Some(policy) = body.get("repeat_policy").and_then(Value::as_object) {
            script = self.repeated(step, policy, &script, ancestors, &mut values);
        }
        let mut artifacts = Vec::new();
        for (key, arrow) in [("stderr", "2>"), ("stdout", ">")] {
            let Some(said) = body.get(key) else { continue };
            let artifact = said.get("artifact").and_then(Value::as_str);
            if let Some(path) = foreign::text(said).or_else(|| artifact.map(str::to_owned)) {
                let found = self.read_text(step, ancestors, &path, Names::Own);
                let file = in_quotes(&found, &mut values);
                let made = match (artifact, with_holes(&found)) {
                    (Some(_), Some(path)) => {
                        artifacts.push(path);
                        format!("mkdir -p -- \"$(dirname -- \"{file}\")\"\n")
                    }
                    _ => String::new(),
                };
                let show = if key == "stdout" { "" } else { " >&2" };
                let strict = if self.is_strict(step) { "set -e\n" } else { "" };
                // A subshell in a list of `&&` would not stop at its first failure.
                script = format!(
                    "{made}set +e\n(\n{strict}{script}\n) {arrow} \"{file}\"\nCUE_CODE=$?\ncat -- \"{file}\"{show}\n[ \"$CUE_CODE\" = 0 ] || exit \"$CUE_CODE\""
                );
            }
        }
        let (script, outputs) = self.kept(step, &script, ancestors, &mut values, done);
        let mut keys = self.prepared(step, &script, values, ancestors);
        if !outputs.is_empty() {
            keys.insert("outputs".to_owned(), outputs.into());
        }
        if !artifacts.is_empty() {
            keys.insert("artifacts".to_owned(), json!(artifacts));
        }
        self.declared_outputs(step, &mut keys, done);
        self.rules(step, &mut keys);
        keys
    }

    pub(super) fn declared_outputs(&mut self, step: &Step, keys: &mut ValueMap, done: &mut Done) {
        for item in step.body.get("outputs").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = item.get("name").and_then(Value::as_str) else { continue };
            if item.get("path").is_some() {
                continue;
            }
            keys.entry("outputs").or_insert_with(|| json!({}))[name] = "string".into();
            done.outputs.insert(name.to_owned(), format!("steps.{}.outputs.{name}", done.id));
        }
    }

    /// A script whose streams are outputs as well, where later steps read them.
    fn kept(
        &mut self,
        step: &Step,
        script: &str,
        ancestors: &BTreeSet<String>,
        values: &mut ValueMap,
        done: &mut Done,
    ) -> (String, ValueMap) {
        let body = &step.body;
        let said = body.get("output");
        let lone = |said: &Value| said.as_object().is_some_and(|map| map.len() == 1);
        let name = said.and_then(|said| {
            let named = || said.get("name")?.as_str().filter(|_| lone(said)).map(str::to_owned);
            foreign::text(said).or_else(named)
        });
        let name = name.map(|name| variable(name.trim_start_matches('$').trim_matches(['{', '}'])));
        let published = body.get("stdout").and_then(|stdout| stdout.get("outputs"));
        let fields = published.and_then(|published| published.get("fields")).and_then(Value::as_object);
        if published.is_some() && fields.is_none() {
            let path = format!("{}.stdout", step.path);
            self.lose(&path, "`stdout.outputs`: what it publishes reaches no other workflow");
        }
        let other_name = step.other_name.clone().unwrap_or_default();
        let streams = ["stdout", "stderr"].into_iter();
        let mut kept = Kept {
            streams: streams
                .filter(|stream| self.streams.contains(&format!("{other_name}.{stream}")))
                .collect(),
            ..Kept::default()
        };
        let structured = said.and_then(Value::as_object).filter(|_| name.is_none());
        for (key, entry) in structured.into_iter().chain(fields).flatten() {
            self.entry(step, (key, entry), &mut kept, ancestors, values, done);
        }
        let Kept { streams, files, mut outputs } = kept;
        if let Some(name) = &name {
            done.keeps.push((name.clone(), format!("steps.{}.outputs.{name}", done.id)));
            outputs.insert(name.clone(), "string".into());
        }
        for stream in &streams {
            outputs.insert((*stream).to_owned(), "string".into());
        }
        if name.is_none() && streams.is_empty() && files.is_empty() {
            return (script.to_owned(), outputs);
        }
        let stdout = streams.contains("stdout").then(|| "stdout".to_owned());
        let names: Vec<String> = name.into_iter().chain(stdout).collect();
        (captured(script, &names, streams.contains("stderr"), self.is_strict(step)) + &files, outputs)
    }

    /// An entry of an `output` with several: written in the file, or read from a stream or a file.
    fn entry(
        &mut self,
        step: &Step,
        (key, entry): (&String, &Value),
        kept: &mut Kept,
        ancestors: &BTreeSet<String>,
        values: &mut ValueMap,
        done: &mut Done,
    ) {
        let full = format!("{}.output.{key}", step.path);
        let is_source = |map: &&ValueMap| {
            ["value", "from", "path", "decode", "select"].iter().any(|key| map.contains_key(*key))
        };
        let Some(map) = entry.as_object().filter(is_source) else {
            done.structured.insert(key.clone(), Structured::Known(entry.clone()));
            return;
        };
        self.keys(map, &full, super::super::file::SOURCE);
        if let Some(value) = map.get("value") {
            done.structured.insert(key.clone(), Structured::Known(value.clone()));
            return;
        }
        let decode = foreign::text_at(map, "decode").unwrap_or_else(|| "text".to_owned());
        let select = foreign::text_at(map, "select").unwrap_or_default();
        let select = select.trim_start_matches('.');
        if decode == "yaml" || !select.is_empty() && !select.split('.').all(super::super::top::is_variable) {
            self.lose(&full, &format!("`{full}`: what is selected of it reaches no later step"));
            return;
        }
        let output = match map.get("from").and_then(Value::as_str) {
            Some("file") => {
                let path = foreign::text_at(map, "path").unwrap_or_default();
                let found = self.read_text(step, ancestors, &path, Names::Own);
                let path = in_quotes(&found, values);
                let output = format!("file_{}", kept.outputs.len());
                kept.files.push_str(&publish(&output, &format!("cat -- \"{path}\"; echo")));
                kept.outputs.insert(output.clone(), "string".into());
                output
            }
            source => {
                let stream = if source == Some("stderr") { "stderr" } else { "stdout" };
                kept.streams.insert(stream);
                stream.to_owned()
            }
        };
        let whole = format!("steps.{}.outputs.{output}", done.id);
        let expression = if select.is_empty() { whole } else { format!("fromJSON({whole}).{select}") };
        let is_json = decode == "json" && select.is_empty();
        done.structured.insert(key.clone(), Structured::Read(expression.clone(), is_json));
        done.outputs.insert(key.clone(), expression);
    }

    /// True if the shell of a step stops at the first failure.
    pub(super) fn is_strict(&self, step: &Step) -> bool {
        let with = step.body.get("with").and_then(Value::as_object);
        let own = step.body.get("shell").or_else(|| with?.get("shell"));
        let args = step.body.get("shell_args").or_else(|| with?.get("shell_args"));
        let said = |text: Option<&Value>| text.is_some_and(|text| text.to_string().contains("-e"));
        own.is_none() || said(own) || said(args)
    }
}

/// The outputs of a step that are kept.
#[derive(Default)]
struct Kept {
    streams: BTreeSet<&'static str>,
    /// Lines that publish files.
    files: String,
    outputs: ValueMap,
}

/// A script whose output is kept, and whether its errors are.
fn captured(script: &str, names: &[String], errors: bool, is_strict: bool) -> String {
    let (begin, redirect, end) = if errors {
        ("CUE_ERRORS=$(mktemp)\n", " 2> \"$CUE_ERRORS\"", "cat -- \"$CUE_ERRORS\" >&2\n")
    } else {
        ("", "", "")
    };
    let strict = if is_strict { "set -e\n" } else { "" };
    let mut out = format!(
        "set +e\n{begin}CUE_OUT=$(\n{strict}{{\n{script}\n}}{redirect}\n)\nCUE_CODE=$?\nprintf '%s\\n' \"$CUE_OUT\"\n{end}[ \"$CUE_CODE\" = 0 ] || exit \"$CUE_CODE\"\n"
    );
    out.push_str("CUE_OUT=${CUE_OUT#\"${CUE_OUT%%[![:space:]]*}\"}\nCUE_OUT=${CUE_OUT%\"${CUE_OUT##*[![:space:]]}\"}\n");
    for output in names {
        out.push_str(&publish(output, "printf '%s\\n' \"$CUE_OUT\""));
    }
    if errors {
        out.push_str(&publish("stderr", "cat -- \"$CUE_ERRORS\""));
    }
    out
}

fn publish(output: &str, command: &str) -> String {
    format!(
        "{{ echo \"{output}<<END-$CUELIGHT_KEY\"; {command}; echo \"END-$CUELIGHT_KEY\"; }} >> \"$CUELIGHT_OUTPUT\"\n"
    )
}

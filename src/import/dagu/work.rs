//! The work of a step: a script with its environment, a request to a person, or another workflow.

use super::{
    Import, one,
    scope::{Done, Scope, Structured},
    steps::Step,
    values::{Names, Part, Parts, in_double_quotes, parts, plain, with_holes},
    words::{interpreter, shell_words},
};
use crate::{
    argo::{Piece, in_shell},
    foreign,
    page::{one_line, variable, without_holes},
};
use cuelight_base::{Value, ValueMap, is_shell};
use serde_json::json;
use std::collections::BTreeSet;

/// Variables of earlier steps that a step gets without naming them.
const UNNAMED_MAX: usize = 20;

/// The variable of a step that holds the value of an expression.
fn bound(values: &mut ValueMap, expression: &str) -> String {
    let value = format!("${{{{ {expression} }}}}");
    let known =
        values.iter().find(|(name, other)| name.starts_with("CUE_ARG_") && other.as_str() == Some(&value));
    if let Some((name, _)) = known {
        return name.clone();
    }
    let name = format!("CUE_ARG_{}", values.len() + 1);
    values.insert(name.clone(), value.into());
    name
}

/// A script whose values are variables of its step, each one word; none when one stands where a shell fills in nothing.
pub(super) fn in_script(found: &Parts, values: &mut ValueMap) -> Option<String> {
    let mut head = String::new();
    let pieces: Vec<Piece> = found
        .iter()
        .map(|part| match part {
            Part::Text(text) => Piece::Text(text.clone()),
            Part::Value(expression) => Piece::Hole(bound(values, expression)),
            Part::Variable(inner) => Piece::Hole(inner.clone()),
            Part::File(expression) => {
                let name = bound(values, expression);
                let file = name.replace("ARG", "FILE");
                head.push_str(&format!("{file}=$(mktemp)\nprintf '%s\\n' \"${name}\" > \"${file}\"\n"));
                Piece::Hole(file)
            }
        })
        .collect();
    let (script, is_lost) = in_shell(&pieces, str::to_owned);
    (!is_lost).then_some(head + &script)
}

/// A text between double quotes of a shell.
pub(super) fn in_quotes(found: &Parts, values: &mut ValueMap) -> String {
    found
        .iter()
        .map(|part| match part {
            Part::Text(text) => in_double_quotes(text),
            Part::Value(expression) | Part::File(expression) => format!("${{{}}}", bound(values, expression)),
            Part::Variable(inner) => format!("${{{inner}}}"),
        })
        .collect()
}

impl Import<'_> {
    /// The variables that a step declares.
    pub(super) fn own_env(&self, step: &Step, ancestors: &BTreeSet<String>) -> Vec<(String, Parts)> {
        let own = (step.name.as_str(), step.other_name.as_deref());
        let mut out: Vec<(String, Parts)> = Vec::new();
        for (name, value) in step.body.get("env").and_then(super::words::pairs).unwrap_or_default() {
            let scope = Scope { import: self, ancestors, own, env: &out, has_item: false, is_nested: false };
            let found = parts(&value, Names::Own, &scope);
            if out.iter().map(|(_, found)| found.len()).sum::<usize>() < 10_000 {
                out.push((name, found));
            }
        }
        out
    }

    /// A text of a step.
    fn read_text(&mut self, step: &Step, ancestors: &BTreeSet<String>, text: &str, names: Names) -> Parts {
        let own = (step.name.as_str(), step.other_name.as_deref());
        let env = self.own_env(step, ancestors);
        if !self.has_room(text.len()) {
            return Vec::new();
        }
        let scope = Scope { import: self, ancestors, own, env: &env, has_item: false, is_nested: false };
        let found = parts(text, names, &scope);
        let unfolded = found.iter().map(super::values::size).sum();
        if self.has_room(unfolded) { found } else { Vec::new() }
    }

    /// The keys of a step that do its work.
    pub(super) fn work(
        &mut self,
        step: &Step,
        id: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let body = &step.body;
        self.declared(body.get("env"), &format!("{}.env", step.path));
        let kind = foreign::text_at(body, "action").or_else(|| foreign::text_at(body, "type"));
        if body.contains_key("foreach") {
            return self.foreach(step, ancestors);
        }
        let kind = match kind.as_deref() {
            Some("shell" | "command" | "") | None => None,
            Some("subworkflow" | "dag" | "parallel") => Some("dag.run".to_owned()),
            Some(other) => Some(other.to_owned()),
        };
        let is_call = match kind.as_deref() {
            None => body.contains_key("call"),
            Some(kind) => ["dag.run", "dag.enqueue"].contains(&kind),
        };
        if body.contains_key("parallel") && !is_call {
            self.refuse(&step.path, "`parallel` stands beside `dag.run` and `dag.enqueue` only");
        }
        let with = body.get("with").and_then(Value::as_object).cloned().unwrap_or_default();
        match kind.as_deref() {
            Some("human.task") => return self.human_task(step, &with, ancestors, done),
            Some("router" | "router.route") => {
                let mut keys = self.router(step, id, ancestors);
                self.rules(step, &mut keys);
                return keys;
            }
            Some("dag.run") => return self.call(step, &with, ancestors, done),
            None if body.contains_key("call") => return self.call(step, &with, ancestors, done),
            Some("noop") => return self.script(step, id, ":", ancestors, done),
            Some("log.write") => {
                let text = foreign::text_at(&with, "message").unwrap_or_default();
                let found = self.read_text(step, ancestors, &text, Names::Own);
                let mut values = ValueMap::new();
                let text = in_quotes(&found, &mut values);
                return self.finished(step, &format!("printf '%s\\n' \"{text}\""), values, ancestors, done);
            }
            Some("exec") => {
                let words =
                    foreign::texts(with.get("command")).into_iter().chain(foreign::texts(with.get("args")));
                return self.words(step, words.collect(), ancestors, done);
            }
            Some("wait.duration") => {
                let plain =
                    ["name", "id", "description", "depends", "action", "with", "preconditions", "approval"];
                let is_plain = body.keys().all(|key| plain.contains(&key.as_str())) && with.len() == 1;
                let span = foreign::text_at(&with, "duration").filter(|text| is_plain && !text.contains('$'));
                if let Some(span) = span {
                    return one("wait", span);
                }
            }
            _ => {}
        }
        if let Some(kind) = kind {
            return self.by_hand(step, id, &kind, ancestors, done);
        }
        if body.contains_key("with") {
            let path = format!("{}.with", step.path);
            self.keys(&with, &path, super::file::RUN_WITH);
        }
        if let Some(exec) = body.get("exec").and_then(Value::as_object) {
            let words =
                foreign::texts(exec.get("command")).into_iter().chain(foreign::texts(exec.get("args")));
            return self.words(step, words.collect(), ancestors, done);
        }
        for key in ["llm", "agent", "messages", "tools", "value", "routes"] {
            if body.contains_key(key) {
                return self.by_hand(step, id, key, ancestors, done);
            }
        }
        match body.get("run").or_else(|| body.get("script")).or_else(|| body.get("command")) {
            Some(said) => self.commands(step, id, &said.clone(), ancestors, done),
            None if body.contains_key("output") || body.contains_key("approval") => {
                self.script(step, id, ":", ancestors, done)
            }
            // It runs what its image says.
            None if body.contains_key("container") => self.by_hand(step, id, "container", ancestors, done),
            None => {
                self.refuse(&step.path, &format!("{} says nothing that can be run", one_line(&step.name)));
                ValueMap::new()
            }
        }
    }

    /// One script, or several commands with a shell each.
    fn commands(
        &mut self,
        step: &Step,
        id: &str,
        said: &Value,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let Value::Array(items) = said else {
            let mut text = foreign::text(said).unwrap_or_default();
            if text.trim().is_empty() {
                self.refuse(&step.path, "a step runs nothing");
            }
            for word in foreign::texts(step.body.get("args")) {
                text.push_str(&format!(" \"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")));
            }
            return self.script(step, id, &text, ancestors, done);
        };
        let mut all = String::new();
        for item in items {
            let text = match item {
                Value::Object(map) if map.len() == 1 => map
                    .iter()
                    .next()
                    .and_then(|(key, value)| Some(format!("{key}: {}", foreign::text(value)?))),
                other => foreign::text(other),
            };
            match text {
                Some(text) if text.contains('\n') => {
                    self.refuse(&step.path, "a command of a list has one line");
                }
                Some(text) if text.trim().is_empty() => {}
                Some(text) => all.push_str(&format!("(\n{text}\n)\n")),
                None => self.refuse(&step.path, "a command of a list is one text"),
            }
        }
        if all.is_empty() {
            self.refuse(&step.path, "a step runs nothing");
        }
        self.script(step, id, &format!("set -e\n{all}"), ancestors, done)
    }

    fn words(
        &mut self,
        step: &Step,
        words: Vec<String>,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let mut values = ValueMap::new();
        let mut all = Vec::new();
        for word in words {
            let found = self.read_text(step, ancestors, &word, Names::All);
            all.push(format!("\"{}\"", in_quotes(&found, &mut values)));
        }
        if all.is_empty() {
            self.refuse(&step.path, "a step runs nothing");
        }
        self.finished(step, &all.join(" "), values, ancestors, done)
    }

    fn script(
        &mut self,
        step: &Step,
        id: &str,
        script: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let found = self.read_text(step, ancestors, script, Names::Shell);
        if self.program(step, script).is_some_and(|words| !is_shell(&words[0])) {
            let Some(text) = plain(&found) else {
                return self.by_hand(
                    step,
                    id,
                    "a script with values in a language of its own",
                    ancestors,
                    done,
                );
            };
            return self.other_language(step, &text, ancestors, done);
        }
        let mut values = ValueMap::new();
        match in_script(&found, &mut values) {
            Some(script) => self.finished(step, &script, values, ancestors, done),
            None => {
                self.by_hand(step, id, "a script with values where a shell fills in nothing", ancestors, done)
            }
        }
    }

    /// The words of the program that runs a script; none for the shell of the workflow.
    fn program(&mut self, step: &Step, script: &str) -> Option<Vec<String>> {
        let with = step.body.get("with").and_then(Value::as_object).filter(|with| with.contains_key("shell"));
        let own = step.body.contains_key("shell").then_some(&step.body).or(with);
        let own = own.and_then(|map| self.shell(&map.clone()));
        match own {
            Some(own) => Some(super::words::words(&own)),
            None => interpreter(script).filter(|_| script.contains('\n')).or_else(|| self.program.clone()),
        }
    }

    fn other_language(
        &mut self,
        step: &Step,
        script: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let words = self.program(step, script).unwrap_or_default();
        for key in ["output", "stdout", "stderr", "repeat_policy"] {
            if step.body.contains_key(key) {
                let path = format!("{}.{key}", step.path);
                self.lose(
                    &path,
                    &format!("`{path}`: its script writes to $CUELIGHT_OUTPUT, or to a file, itself"),
                );
            }
        }
        if !self.prelude.is_empty() {
            self.lose(
                &step.path,
                &format!("variables that a shell works out do not reach {}", one_line(&step.name)),
            );
        }
        let mut keys = one("run", without_holes(script));
        keys.insert("shell".to_owned(), shell_words(&words).into());
        let mut env = ValueMap::new();
        for (name, found) in self.own_env(step, ancestors) {
            match with_holes(&found) {
                Some(text) => drop(env.insert(name, text.into())),
                None => self.lose(
                    &format!("{}.env", step.path),
                    &format!("the variable {name} of {}: only a shell can work it out", one_line(&step.name)),
                ),
            }
        }
        if !env.is_empty() {
            keys.insert("env".to_owned(), env.into());
        }
        self.declared_outputs(step, &mut keys, done);
        if self.directory_of(step, ancestors, &mut keys).is_some() {
            self.lose(
                &step.path,
                &format!("the directory of {}: only a shell can work it out", one_line(&step.name)),
            );
        }
        self.rules(step, &mut keys);
        keys
    }

    /// A script with what is kept of its streams, and the rules of its step.
    fn finished(
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

    fn declared_outputs(&mut self, step: &Step, keys: &mut ValueMap, done: &mut Done) {
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
        self.keys(map, &full, super::file::SOURCE);
        if let Some(value) = map.get("value") {
            done.structured.insert(key.clone(), Structured::Known(value.clone()));
            return;
        }
        let decode = foreign::text_at(map, "decode").unwrap_or_else(|| "text".to_owned());
        let select = foreign::text_at(map, "select").unwrap_or_default();
        let select = select.trim_start_matches('.');
        if decode == "yaml" || !select.is_empty() && !select.split('.').all(super::top::is_variable) {
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
    fn is_strict(&self, step: &Step) -> bool {
        let with = step.body.get("with").and_then(Value::as_object);
        let own = step.body.get("shell").or_else(|| with?.get("shell"));
        let args = step.body.get("shell_args").or_else(|| with?.get("shell_args"));
        let said = |text: Option<&Value>| text.is_some_and(|text| text.to_string().contains("-e"));
        own.is_none() || said(own) || said(args)
    }

    fn repeated(
        &mut self,
        step: &Step,
        policy: &ValueMap,
        script: &str,
        ancestors: &BTreeSet<String>,
        values: &mut ValueMap,
    ) -> String {
        let path = format!("{}.repeat_policy", step.path);
        let until = policy.get("repeat").and_then(Value::as_str) == Some("until");
        let is_on = until || policy.get("repeat").is_some_and(|said| said == true || said == "while");
        if !is_on && !policy.contains_key("condition") && !policy.contains_key("exit_code") {
            return script.to_owned();
        }
        let pause = self.number_of(policy, "interval_sec", &path).unwrap_or(0);
        let limit = self.number_of(policy, "limit", &path);
        let codes = match policy.get("exit_code") {
            Some(Value::Array(codes)) => codes.iter().map(Value::to_string).collect(),
            Some(code) => vec![foreign::text(code).unwrap_or_default()],
            None => vec!["0".to_owned()],
        };
        let codes: Vec<String> =
            codes.into_iter().filter(|code| code.bytes().all(|b| b.is_ascii_digit())).collect();
        let test = match policy.get("condition").and_then(Value::as_str) {
            Some(condition) => match foreign::text_at(policy, "expected") {
                Some(expected) => {
                    let found = self.read_text(step, ancestors, condition, Names::Own);
                    let actual = in_quotes(&found, values);
                    let matched = match expected.strip_prefix("re:") {
                        Some(pattern) => format!("grep -qP -e '{}'", pattern.replace('\'', "'\\''")),
                        None => format!("grep -qxF -e '{}'", expected.replace('\'', "'\\''")),
                    };
                    format!("printf '%s\\n' \"{actual}\" | {matched}")
                }
                None => {
                    let found = self.read_text(step, ancestors, condition, Names::Shell);
                    let text = in_script(&found, values).unwrap_or_else(|| "false".to_owned());
                    format!("(\n{text}\n)")
                }
            },
            None => format!("case $CUE_CODE in {}) true ;; *) false ;; esac", codes.join(" | ")),
        };
        let go_on = if until { "! " } else { "" };
        let end =
            limit.map_or_else(String::new, |limit| format!("[ \"$CUE_ROUND\" -lt {limit} ] || break\n"));
        let strict = if self.is_strict(step) { "set -e\n" } else { "" };
        format!(
            "set +e\nCUE_ROUND=0\nwhile :; do\nCUE_ROUND=$((CUE_ROUND + 1))\n(\n{strict}{script}\n)\nCUE_CODE=$?\n{end}if {go_on}{{ {test}\n}}; then sleep {pause}; else break; fi\ndone\nexit \"$CUE_CODE\""
        )
    }

    /// A script behind what has to be worked out before, in its directory, with its shell and variables.
    pub(super) fn prepared(
        &mut self,
        step: &Step,
        script: &str,
        mut values: ValueMap,
        ancestors: &BTreeSet<String>,
    ) -> ValueMap {
        let mut head = self.prelude.clone();
        values.extend(self.prelude_env.clone());
        for (name, found) in self.own_env(step, ancestors) {
            match with_holes(&found).filter(|_| head.is_empty()) {
                Some(text) => drop(values.insert(name, text.into())),
                None => {
                    let text = in_quotes(&found, &mut values);
                    head.push_str(&format!("export {name}=\"{text}\"\n"));
                }
            }
        }
        let kept: Vec<(String, String)> = self
            .done
            .iter()
            .filter(|done| ancestors.contains(&done.id))
            .flat_map(|done| done.keeps.iter().cloned())
            .collect();
        let few = kept.len() <= UNNAMED_MAX;
        for (name, expression) in kept {
            if (few || script.contains(&name) || head.contains(&name))
                && !step.body.get("env").is_some_and(|env| env.to_string().contains(&format!("\"{name}\"")))
            {
                values.insert(name, format!("${{{{ {expression} }}}}").into());
            }
        }
        let params = self.all_params();
        for (name, value) in [
            ("DAG_RUN_ID", Some("${{ run.id }}".to_owned())),
            ("DAG_NAME", Some(without_holes(&self.name()))),
            ("DAG_RUN_STEP_NAME", Some(without_holes(&step.name))),
            ("DAG_PARAMS_JSON", with_holes(&params)),
        ] {
            if let Some(value) = value.filter(|_| script.contains(name)) {
                values.entry(name).or_insert_with(|| value.into());
            }
        }
        for name in [
            "DAG_RUN_LOG_FILE",
            "DAG_RUN_WORK_DIR",
            "DAG_RUN_ARTIFACTS_DIR",
            "DAG_RUN_STEP_STDOUT_FILE",
            "DAG_RUN_STEP_STDERR_FILE",
            "DAG_RUN_STATUS",
        ] {
            if script.contains(name) {
                self.lose(
                    &step.path,
                    &format!("the variable {name} of {}: it is not set", one_line(&step.name)),
                );
            }
        }
        let mut keys = ValueMap::new();
        if let Some(cd) = self.directory_of(step, ancestors, &mut keys) {
            let text = in_quotes(&cd, &mut values);
            head.push_str(&format!("cd -- \"{text}\"\n"));
        }
        let whole = head + script.trim_end();
        if !self.has_room(whole.len()) {
            return ValueMap::new();
        }
        keys.insert("run".to_owned(), (without_holes(&whole) + "\n").into());
        if let Some(words) = self.program(step, script).filter(|words| is_shell(&words[0])) {
            keys.insert("shell".to_owned(), shell_words(&words).into());
        }
        if !values.is_empty() {
            keys.insert("env".to_owned(), values.into());
        }
        keys
    }

    /// Writes down the directory of a step; given back where a shell has to find it.
    fn directory_of(
        &mut self,
        step: &Step,
        ancestors: &BTreeSet<String>,
        keys: &mut ValueMap,
    ) -> Option<Parts> {
        let text = |map: &ValueMap| foreign::text_at(map, "working_dir").filter(|dir| !dir.is_empty());
        let root = text(&self.document.root);
        let dir = match (text(&step.body), root) {
            (Some(own), Some(root)) if !own.starts_with(['/', '~', '$']) && root != "." => {
                format!("{root}/{own}")
            }
            (own, root) => own.or(root)?,
        };
        let dir = match dir.strip_prefix('~') {
            Some(rest) => format!("${{HOME}}{rest}"),
            None => dir,
        };
        let found = self.read_text(step, ancestors, &dir, Names::All);
        match with_holes(&found) {
            Some(dir) => drop(keys.insert("working-directory".to_owned(), dir.into())),
            None => return Some(found),
        }
        None
    }

    /// Retries, time limits, and where the step may run.
    pub(super) fn rules(&mut self, step: &Step, keys: &mut ValueMap) {
        let body = &step.body;
        if let Some(retry) = body.get("retry_policy").and_then(Value::as_object) {
            let path = format!("{}.retry_policy", step.path);
            let mut ours = json!({});
            if let Some(limit) = self.number_of(retry, "limit", &path) {
                ours["max-attempts"] = (limit.min(999) + 1).into();
                if let Some(seconds) = self.number_of(retry, "interval_sec", &path) {
                    ours["delay"] = format!("{seconds}s").into();
                }
                match retry.get("backoff") {
                    Some(Value::Bool(true)) => {
                        ours["kind"] = "exponential".into();
                        ours["factor"] = 2.into();
                    }
                    Some(Value::Number(factor)) => {
                        ours["kind"] = "exponential".into();
                        ours["factor"] = Value::Number(factor.clone());
                    }
                    _ => ours["kind"] = "constant".into(),
                }
                if let Some(seconds) = self.number_of(retry, "max_interval_sec", &path) {
                    ours["max-delay"] = format!("{seconds}s").into();
                }
                keys.insert("retry".to_owned(), ours);
            }
        }
        if let Some(seconds) =
            self.number_of(body, "timeout_sec", &step.path).filter(|timeout_sec| *timeout_sec > 0)
        {
            keys.insert("timeout".to_owned(), format!("{seconds}s").into());
        }
        let goes_on = body.get("continue_on");
        let is_on = |key: &str| goes_on.and_then(|said| said.get(key)) == Some(&Value::Bool(true));
        if is_on("failure") || is_on("failed") || goes_on.is_some_and(|said| said == "failed") {
            keys.insert("on-error".to_owned(), "skip".into());
        }
        if let Some(memory) = self.memory() {
            keys.insert("limits".to_owned(), json!({ "memory": memory }));
        }
        if let Some(labels) = self.labels(step) {
            keys.insert("requires".to_owned(), json!({ "labels": labels }));
        }
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

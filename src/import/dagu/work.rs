//! The work of a step: a script with its environment, a request to a person, or another workflow.

mod outputs;
mod script;

use super::scope::{Done, Scope};
use super::steps::Step;
use super::values::{Names, Parts, parts, with_holes};
use super::words::shell_words;
use super::{Import, one};
use crate::foreign;
use crate::page::{one_line, without_holes};
use cuelight_base::{Value, ValueMap, is_shell};
use script::UNNAMED_MAX;
pub(super) use script::{in_quotes, in_script};
use serde_json::json;
use std::collections::BTreeSet;

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

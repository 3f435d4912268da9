//! The steps as they stand in a file of Dagu: older spellings, defaults, names and keys that are checked.

use crate::dagu::words::pairs;
use crate::dagu::{Import, file, one};
use crate::page::one_line;
use crate::{foreign, shapes};
use cuelight_base::{Value, ValueMap};
use std::collections::{BTreeMap, BTreeSet};

/// A step as it stands in the file, with the defaults of the workflow.
#[derive(Clone, Debug)]
pub(in crate::dagu) struct Step {
    pub(in crate::dagu) name: String,
    /// By which its outputs are read.
    pub(in crate::dagu) other_name: Option<String>,
    pub(in crate::dagu) body: ValueMap,
    pub(in crate::dagu) path: String,
    /// Steps of one round in a chain.
    pub(super) round: usize,
}

/// Ids that Dagu keeps for itself.
const RESERVED: [&str; 7] = ["env", "params", "args", "stdout", "stderr", "output", "outputs"];
/// Keys of which a step has one.
const KINDS: [&str; 7] = ["run", "action", "command", "exec", "script", "call", "foreach"];

impl Import<'_> {
    /// The steps of the file: a list in which a list is a round, or a mapping of names.
    pub(super) fn read(&mut self) -> Vec<Step> {
        let mut out: Vec<Step> = Vec::new();
        match self.document.root.get("steps") {
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("steps[{index}]");
                    match item {
                        Value::Array(several) => {
                            for (at, item) in several.iter().enumerate() {
                                let number = out.len() + 1;
                                let path = format!("{path}[{at}]");
                                out.extend(self.read_one(item, &path, number, index));
                            }
                        }
                        one => {
                            let number = out.len() + 1;
                            out.extend(self.read_one(one, &path, number, index));
                        }
                    }
                }
            }
            Some(Value::Object(named)) => {
                for (index, (name, item)) in named.iter().enumerate() {
                    let step = self.read_one(item, &format!("steps.{name}"), index + 1, index);
                    out.extend(step.map(|step| Step { name: name.clone(), ..step }));
                }
            }
            _ => {}
        }
        out
    }

    /// A step that stands by itself, such as a handler.
    pub(in crate::dagu) fn one_step(&mut self, body: &Value, path: &str, name: &str) -> Option<Step> {
        let step = self.read_one(body, path, 1, 0)?;
        let is_named = step.body.contains_key("name") || step.body.contains_key("id");
        Some(if is_named { step } else { Step { name: name.to_owned(), ..step } })
    }

    fn read_one(&mut self, item: &Value, path: &str, number: usize, round: usize) -> Option<Step> {
        let body = match item {
            Value::Object(body) => file::spelled(body.clone()),
            // A step may be its command alone.
            Value::String(command) => one("command", command.clone()),
            _ => {
                self.refuse(path, "a step is a mapping");
                return None;
            }
        };
        let mut body = self.older(body, path);
        self.keys(&body, path, file::STEP);
        if body
            .get("continue_on")
            .and_then(Value::as_str)
            .is_some_and(|continue_on| !["failed", "skipped"].contains(&continue_on))
        {
            self.refuse(&format!("{path}.continue_on"), "`continue_on` is `failed`, `skipped` or a mapping");
        }
        if let Some((at, why)) = shapes::first_misfit(&body, &shapes::DAGU_STEP) {
            self.refuse(&format!("{path}.{at}"), &format!("in {path} {why}"));
        }
        self.checked(&body, path);
        self.defaults(&mut body);
        let name = |key: &str| {
            let text = foreign::text_at(&body, key).map(|text| text.trim().to_owned());
            text.filter(|text| !text.is_empty())
        };
        let other_name = name("id");
        let name = name("name").or_else(|| other_name.clone()).unwrap_or_else(|| format!("step-{number}"));
        Some(Step { name, other_name, body, path: path.to_owned(), round })
    }

    /// A step of version 1 in the spelling of version 2.
    fn older(&mut self, mut body: ValueMap, path: &str) -> ValueMap {
        if let Some(executor) = body.remove("executor") {
            let kind = foreign::text(&executor).or_else(|| foreign::text_at(executor.as_object()?, "type"));
            body.insert("type".to_owned(), kind.unwrap_or_default().into());
            if let Some(with) = executor.get("config") {
                body.insert("with".to_owned(), with.clone());
            }
        }
        let is_call = body.contains_key("params") && !body.contains_key("call");
        if is_call && let Some(called) = body.get("run").and_then(Value::as_str).map(str::to_owned) {
            body.remove("run");
            body.insert("call".to_owned(), called.into());
        }
        let with = body.get("with").and_then(Value::as_object);
        let lone = |map: &ValueMap| map.contains_key("shell_args") && !map.contains_key("shell");
        if lone(&body) || with.is_some_and(|with| body.contains_key("run") && lone(with)) {
            self.refuse(path, "`shell_args` needs `shell`");
        }
        let kinds: Vec<&str> = KINDS.iter().filter(|key| body.contains_key(**key)).copied().collect();
        if kinds.len() > 1 && kinds != ["command", "script"] {
            self.refuse(
                path,
                &format!("a step does one thing: `{}` stand beside each other", kinds.join("`, `")),
            );
        }
        body
    }

    fn checked(&mut self, body: &ValueMap, path: &str) {
        let tables: [(&str, file::Keys); 6] = [
            ("retry_policy", file::RETRY),
            ("repeat_policy", file::REPEAT),
            ("continue_on", file::CONTINUE),
            ("approval", file::APPROVAL),
            ("stdout", file::STREAM),
            ("stderr", file::STREAM),
        ];
        for (key, table) in tables {
            let full = format!("{path}.{key}");
            match body.get(key) {
                Some(Value::Object(map)) => self.keys(map, &full, table),
                None | Some(Value::Null) => {}
                Some(Value::String(_)) if ["continue_on", "stdout", "stderr"].contains(&key) => {}
                Some(_) => self.refuse(&full, &format!("`{key}` is a mapping")),
            }
        }
        if let Some(outputs) = body.get("outputs") {
            let items = outputs.as_array().filter(|items| !items.is_empty());
            let mut names = BTreeSet::new();
            if items.is_none() || !body.contains_key("id") {
                self.refuse(&format!("{path}.outputs"), "`outputs` is a list of a step that has an `id`");
            }
            for item in items.into_iter().flatten() {
                let Some(map) = item.as_object() else { continue };
                self.keys(map, &format!("{path}.outputs"), file::OUTPUT);
                let name = foreign::text_at(map, "name").unwrap_or_default();
                let kind = foreign::text_at(map, "type").unwrap_or_else(|| "string".to_owned());
                let is_kind = ["string", "json"].contains(&kind.as_str()) || map.contains_key("path");
                if !super::super::top::is_name(&name) || !names.insert(name) || !is_kind {
                    self.refuse(
                        &format!("{path}.outputs"),
                        "each output has a name of its own, and is `string` or `json`",
                    );
                }
            }
        }
    }

    fn defaults(&mut self, body: &mut ValueMap) {
        let Some(defaults) = self.document.root.get("defaults").and_then(Value::as_object) else { return };
        let is_human = body.get("action").and_then(Value::as_str) == Some("human.task");
        for (key, value) in defaults {
            match key.as_str() {
                "env" => {
                    let own = body.get("env").and_then(pairs).unwrap_or_default();
                    let all = pairs(value).unwrap_or_default().into_iter().chain(own);
                    let all: Vec<Value> = all.map(|(name, value)| Value::Object(one(&name, value))).collect();
                    body.insert("env".to_owned(), all.into());
                }
                "preconditions" => {
                    let list = |value: &Value| match value {
                        Value::Array(items) => items.clone(),
                        Value::Null => Vec::new(),
                        other => vec![other.clone()],
                    };
                    let own = body.get("preconditions").map(list).unwrap_or_default();
                    body.insert("preconditions".to_owned(), list(value).into_iter().chain(own).collect());
                }
                "continue_on" => drop(body.entry(key.clone()).or_insert_with(|| value.clone())),
                _ if is_human => {}
                _ => drop(body.entry(key.clone()).or_insert_with(|| value.clone())),
            }
        }
    }

    pub(super) fn identities(&mut self, all: &[Step]) {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, step) in all.iter().enumerate() {
            if let Some(id) = step.other_name.as_deref() {
                let is_word = super::super::top::is_name(&id.replace('-', "_")) && id.len() <= 40;
                if !is_word || RESERVED.contains(&id.to_lowercase().as_str()) {
                    self.refuse(&step.path, &format!("`{}` cannot be the id of a step", one_line(id)));
                }
            }
            if step.name.len() > 255 {
                self.refuse(&step.path, "the name of a step has at most 255 bytes");
            }
            for name in std::iter::once(step.name.as_str()).chain(step.other_name.as_deref()) {
                if names.insert(name, index).is_some_and(|other| other != index) {
                    self.refuse(&step.path, &format!("two steps are called {}", one_line(name)));
                }
            }
        }
    }
}

//! The keys above the steps: schedule, parameters, environment and defaults.

mod environment;
mod params;
mod schedule;

use super::words::number;
use super::{Import, file, one};
use crate::foreign;
use crate::page::{one_line, without_holes};
use cuelight_base::{Value, ValueMap};
pub(super) use params::parameters;
use serde_json::json;

impl Import<'_> {
    pub(super) fn top(&mut self) {
        let document = self.document;
        let root = &document.root;
        self.page.top.insert("name".to_owned(), one_line(&without_holes(&self.name())).into());
        if let Some(about) = foreign::text_at(root, "description") {
            self.page.top.insert("description".to_owned(), one_line(&without_holes(&about)).into());
        }
        if root.get("type").is_some_and(|kind| kind != "graph" && kind != "chain") {
            self.refuse("type", "`type`: only `graph` and `chain` have an order that can be carried over");
        }
        self.schedule(root);
        for (key, ours) in [("timeout_sec", "timeout"), ("delay_sec", "wait")] {
            let Some(said) = root.get(key) else { continue };
            let Some(seconds) = number(said) else {
                self.refuse(key, &format!("`{key}` is no whole number"));
                continue;
            };
            match ours {
                _ if seconds == 0 => {}
                "timeout" => drop(self.page.top.insert("timeout".to_owned(), format!("{seconds}s").into())),
                _ => {
                    let id = self.page.id("delay");
                    self.page.step(&id, &[], one("wait", format!("{seconds}s")));
                    self.first.push(id);
                }
            }
        }
        if root.get("max_active_steps").is_some_and(|said| !said.is_null() && number(said).is_none()) {
            self.refuse("max_active_steps", "`max_active_steps` is a whole number");
        }
        if let Some(parallel) = root.get("max_active_steps").and_then(number).filter(|number| *number > 0) {
            self.page.top.insert("max-parallel".to_owned(), parallel.min(10_000).into());
        }
        self.one_run_at_a_time(root);
        self.consts(root);
        self.secrets(root);
        let mut inputs = self.params(root);
        self.run_config(root, &mut inputs);
        let mut env = self.environment(root);
        for name in &self.secrets {
            env.insert(name.clone(), format!("${{{{ secrets.{name} }}}}").into());
        }
        for (key, map) in [("inputs", inputs), ("env", env)] {
            if !map.is_empty() {
                self.page.top.insert(key.to_owned(), Value::Object(map));
            }
        }
        if !self.secrets.is_empty() {
            self.page.top.insert("secrets".to_owned(), json!(self.secrets));
        }
        // There a step that fails ends what depends on it, and no other one.
        self.page.top.insert("on-failure".to_owned(), "continue".into());
        // Its shells stop at the first failure, and know nothing of unset variables.
        let shell = self.own_shell(root);
        self.page.top.insert("defaults".to_owned(), json!({ "shell": shell }));
        if root.get("defaults").is_some_and(|said| !said.is_object()) {
            self.refuse("defaults", "`defaults` is a mapping");
        }
        if let Some(defaults) = root.get("defaults").and_then(Value::as_object) {
            self.keys(defaults, "defaults", file::DEFAULTS);
        }
        if self.item.is_none() {
            self.directory(root);
        }
    }

    /// Parameters that may not be edited where a run is started: each of them takes its default alone.
    fn run_config(&mut self, root: &ValueMap, inputs: &mut ValueMap) {
        let Some(said) = foreign::map_at(root, "run_config") else { return };
        self.keys(said, "run_config", file::RUN_CONFIG);
        let path = "run_config.disable_param_edit";
        match foreign::text_at(said, "disable_param_edit").as_deref() {
            Some("true") => {}
            None | Some("false") => return,
            Some(_) => return self.refuse(path, &format!("`{path}` is `true` or `false`")),
        }
        if self.is_called(root) {
            return self.lose(
                path,
                &format!(
                    "`{path}`: who calls this workflow sets its inputs, and so may who starts it by itself"
                ),
            );
        }
        if inputs.is_empty() {
            self.lose(path, &format!("`{path}`: there are no parameters"));
        }
        for (name, input) in inputs {
            let Some(input) = input.as_object_mut() else { continue };
            match input.get("default").cloned() {
                Some(default) => drop(input.insert("enum".to_owned(), json!([default]))),
                None => self.lose(
                    path,
                    &format!("`{path}` for {name}: it has no default, so who starts a run gives it"),
                ),
            }
        }
    }

    fn directory(&mut self, root: &ValueMap) {
        let speaks_two = |step: &Value| step.get("run").is_some() || step.get("action").is_some();
        let steps = root.get("steps").and_then(Value::as_array);
        if !root.contains_key("working_dir") && steps.is_some_and(|steps| steps.iter().any(speaks_two)) {
            self.lose(
                "steps",
                "the directory of each run: a step without `working_dir` works in this workspace, and files it leaves there stay",
            );
        }
    }
}

pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(super) fn is_variable(name: &str) -> bool {
    is_name(name.trim_start_matches('_')) && name.len() <= 100
}

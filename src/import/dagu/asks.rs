//! Gates for people: approvals, human tasks with their forms, and work that no program here can do. Also work
//! that another system confines or places elsewhere.

use super::{
    Import, file, gate,
    scope::{Done, Scope},
    steps::Step,
    top::is_variable,
};
use crate::{
    foreign,
    page::{one_line, without_holes},
};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeSet;

/// Keys that a human task does not have.
const NOT_HUMAN: [&str; 30] = [
    "run",
    "type",
    "exec",
    "command",
    "script",
    "call",
    "llm",
    "messages",
    "params",
    "routes",
    "value",
    "shell",
    "shell_args",
    "shell_packages",
    "container",
    "worker_selector",
    "retry_policy",
    "repeat_policy",
    "timeout_sec",
    "signal_on_stop",
    "foreach",
    "parallel",
    "approval",
    "stdout",
    "stderr",
    "log_output",
    "output",
    "output_schema",
    "outputs",
    "mail_on_error",
];

/// Keys of a step that say nothing about the work itself.
const AROUND: [&str; 8] =
    ["name", "id", "description", "depends", "preconditions", "approval", "continue_on", "mail_on_error"];

impl Import<'_> {
    /// A question for the person who does by hand what no program here can do.
    pub(super) fn by_hand(
        &mut self,
        step: &Step,
        id: &str,
        kind: &str,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let name = one_line(&step.name);
        let (kind, line) = (one_line(kind), self.line(&step.path));
        self.page.leave_out(format!(
            "line {line}: {kind} of {name}: {id} asks whether it was done by hand; put a script, a request or a tool in its place"
        ));
        let shown: ValueMap = step
            .body
            .iter()
            .filter(|(key, _)| !AROUND.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let own = (step.name.as_str(), step.other_name.as_deref());
        let scope = Scope { import: self, ancestors, own, env: &[], has_item: false, is_nested: false };
        let shown = self.for_people(&Value::Object(shown).to_string(), &scope);
        let mut keys = gate(&format!("Has {} ({kind}) been done by hand? {shown}", without_holes(&name)));
        let mut form = ValueMap::new();
        let output = step.body.get("output");
        if let Some(name) = output.and_then(foreign::text).filter(|name| is_variable(name)) {
            done.keeps.push((name.clone(), format!("steps.{id}.form.{name}")));
            form.insert(name, json!({"type": "string", "required": true}));
        }
        for item in step.body.get("outputs").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = item.get("name").and_then(Value::as_str) else { continue };
            done.outputs.insert(name.to_owned(), format!("steps.{id}.form.{name}"));
            form.insert(name.to_owned(), json!({"type": "string", "required": true}));
        }
        if !form.is_empty() {
            keys["gate"]["form"] = form.into();
        }
        keys
    }

    /// A task of a person, with its form.
    pub(super) fn human_task(
        &mut self,
        step: &Step,
        with: &ValueMap,
        ancestors: &BTreeSet<String>,
        done: &mut Done,
    ) -> ValueMap {
        let path = format!("{}.with", step.path);
        let wrong = NOT_HUMAN.iter().find(|key| step.body.contains_key(**key));
        let place = step.path.starts_with("handler_on") || self.item.is_some();
        let prompt = with.get("prompt").and_then(Value::as_str).filter(|prompt| !prompt.trim().is_empty());
        let unknown = with.keys().find(|key| !["prompt", "form"].contains(&key.as_str()));
        if let Some(key) = wrong {
            self.refuse(&step.path, &format!("a human task has no `{key}`"));
        } else if place || step.other_name.is_none() {
            self.refuse(&step.path, "a human task is a step of the workflow itself, with an `id`");
        } else if let Some(key) = unknown {
            self.refuse(&path, &format!("`with.{key}` is no key of a human task"));
        }
        let Some(prompt) = prompt else {
            self.refuse(&path, "a human task needs a `prompt`");
            return ValueMap::new();
        };
        let own = (step.name.as_str(), step.other_name.as_deref());
        let env = self.own_env(step, ancestors);
        let scope = Scope { import: self, ancestors, own, env: &env, has_item: false, is_nested: false };
        let mut keys = gate(&self.for_people(prompt, &scope));
        if let Some(form) = with.get("form") {
            let fields = self.form(form, &format!("{path}.form"));
            for name in fields.keys() {
                done.outputs.insert(name.clone(), format!("steps.{}.form.{name}", done.id));
            }
            if !fields.is_empty() {
                keys["gate"]["form"] = fields.into();
            }
        }
        keys
    }

    fn form(&mut self, form: &Value, path: &str) -> ValueMap {
        let mut fields = ValueMap::new();
        let Some(map) = form.as_object().filter(|map| map.get("type") == Some(&json!("object"))) else {
            self.refuse(path, "a form is an object: `type: object`");
            return fields;
        };
        self.keys(map, path, file::FORM);
        match map.get("additionalProperties") {
            Some(Value::Bool(true)) => {
                self.lose(
                    &format!("{path}.additionalProperties"),
                    "`additionalProperties`: a form has the fields that it names, and no others",
                );
            }
            Some(Value::Bool(false)) | None => {}
            Some(_) => self.refuse(path, "`additionalProperties` is true or false"),
        }
        let properties = map.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let required = foreign::texts(map.get("required"));
        let unique: BTreeSet<&String> = required.iter().collect();
        if unique.len() != required.len() || required.iter().any(|name| !properties.contains_key(name)) {
            self.refuse(path, "`required` names fields of the form, each once");
        }
        for (name, property) in &properties {
            let path = format!("{path}.properties.{name}");
            let Some(property) = property.as_object().filter(|_| super::top::is_name(name)) else {
                self.refuse(&path, &format!("`{}` is no field", one_line(name)));
                continue;
            };
            self.keys(property, &path, file::PROPERTY);
            let kind = foreign::text_at(property, "type").unwrap_or_else(|| "string".to_owned());
            if !["string", "integer", "number", "boolean"].contains(&kind.as_str()) {
                self.refuse(&path, &format!("`{}` is no type of a field", one_line(&kind)));
                continue;
            }
            let mut field = ValueMap::from_iter([("type".to_owned(), kind.into())]);
            if let Some(about) =
                foreign::text_at(property, "description").or_else(|| foreign::text_at(property, "title"))
            {
                field.insert("description".to_owned(), one_line(&without_holes(&about)).into());
            }
            for key in ["enum", "pattern", "default"] {
                if let Some(value) = property.get(key) {
                    field.insert(key.to_owned(), value.clone());
                }
            }
            if let Some(options) = property.get("oneOf").and_then(Value::as_array) {
                let all: Vec<Value> =
                    options.iter().filter_map(|option| option.get("const").cloned()).collect();
                field.insert("enum".to_owned(), all.into());
            }
            if required.contains(name) && !field.contains_key("default") {
                field.insert("required".to_owned(), true.into());
            }
            fields.insert(name.clone(), field.into());
        }
        fields
    }

    /// The gate behind a step that has to be approved; those that wait for the step wait for it.
    pub(super) fn approval(&mut self, step: &Step, done: &mut Done, condition: Option<&String>) {
        let Some(said) = step.body.get("approval") else { return };
        let empty = ValueMap::new();
        let said = said.as_object().unwrap_or(&empty);
        let own = (step.name.as_str(), step.other_name.as_deref());
        let prompt = foreign::text_at(said, "prompt").filter(|prompt| !prompt.trim().is_empty());
        let prompt = prompt.map(|prompt| {
            self.for_people(
                &prompt,
                &Scope {
                    import: self,
                    ancestors: &done.ancestors,
                    own,
                    env: &[],
                    has_item: false,
                    is_nested: false,
                },
            )
        });
        let prompt =
            prompt.unwrap_or_else(|| format!("Go on after {}?", without_holes(&one_line(&step.name))));
        let id = self.page.id(&format!("{}-approval", done.id));
        let mut keys = gate(&prompt);
        let required = foreign::texts(said.get("required"));
        let mut form = ValueMap::new();
        for name in foreign::texts(said.get("input")) {
            if !is_variable(&name) {
                self.refuse(&step.path, &format!("`{}` cannot be asked for at an approval", one_line(&name)));
                continue;
            }
            form.insert(name.clone(), json!({"type": "string", "required": required.contains(&name)}));
            done.keeps.push((name.clone(), format!("steps.{id}.form.{name}")));
        }
        if let Some(name) = required.iter().find(|name| !form.contains_key(*name)) {
            self.refuse(&step.path, &format!("`required` names {}, which is no `input`", one_line(name)));
        }
        if !form.is_empty() {
            keys["gate"]["form"] = form.into();
        }
        let back = foreign::text_at(said, "rewind_to");
        let to = match &back {
            Some(name) if *name == done.name || Some(name) == done.other_name.as_ref() => {
                Some(done.id.clone())
            }
            Some(name) => self
                .done
                .iter()
                .find(|other| other.name == *name || other.other_name.as_ref() == Some(name))
                .filter(|other| done.ancestors.contains(&other.id))
                .map(|other| other.id.clone()),
            None => Some(done.id.clone()),
        };
        match to {
            Some(to) => keys["gate"]["send-back"] = to.into(),
            None => self.refuse(&step.path, "`rewind_to` names the step itself or one before it"),
        }
        if let Some(condition) = condition {
            keys.insert("if".to_owned(), condition.clone().into());
        }
        self.page.step(&id, std::slice::from_ref(&done.id), keys);
        done.ancestors.insert(id.clone());
        done.rests = id;
    }

    /// Why a step may not simply run on this machine, as a question.
    pub(super) fn place_of(&mut self, step: &Step, ancestors: &BTreeSet<String>) -> Option<String> {
        let root = &self.document.root;
        let is_script = ["run", "script", "command", "exec"].iter().any(|key| step.body.contains_key(*key));
        let own = step.body.get("container").filter(|said| !said.is_null());
        let container = own.or_else(|| root.get("container").filter(|_| is_script));
        let mut places = Vec::new();
        if let Some(container) = container {
            let image =
                foreign::text(container).or_else(|| foreign::text_at(container.as_object()?, "image"));
            let image = image.map_or_else(String::new, |image| format!(" {image}"));
            places.push(format!("in the container{image} ({container})"));
        }
        if let Some(ssh) = root.get("ssh").filter(|_| is_script) {
            places.push(format!("over ssh ({ssh})"));
        }
        if self.labels(step).is_none()
            && let Some(selector) = self.selector(step).filter(|selector| *selector != "local")
        {
            places.push(format!("on a worker with {selector}"));
        }
        if places.is_empty() {
            return None;
        }
        let path = step.path.clone();
        let name = one_line(&step.name);
        let places = places.join(" and ");
        let own = (step.name.as_str(), step.other_name.as_deref());
        let scope = Scope { import: self, ancestors, own, env: &[], has_item: false, is_nested: false };
        let prompt = self.for_people(&places, &scope);
        self.lose(&path, &format!("that {name} runs elsewhere: a gate asks before it runs on this machine"));
        Some(format!("Run {} on this machine? In Dagu it runs {prompt}", without_holes(&name)))
    }

    fn selector(&self, step: &Step) -> Option<Value> {
        let own = step.body.get("worker_selector").or_else(|| self.document.root.get("worker_selector"));
        own.filter(|said| said.as_object().is_none_or(|map| !map.is_empty())).cloned()
    }

    /// Labels of the worker that a step wants; none where there are none, or where they are known only when it runs.
    pub(super) fn labels(&self, step: &Step) -> Option<Vec<String>> {
        let selector = self.selector(step)?;
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        };
        let is_script = ["run", "script", "command", "exec"].iter().any(|key| step.body.contains_key(*key));
        let mut labels = Vec::new();
        for (key, value) in selector.as_object().filter(|_| is_script)? {
            let value = foreign::text(value).filter(|value| is_word(value) && is_word(key))?;
            labels.push(format!("{key}={value}"));
        }
        Some(labels)
    }

    /// Memory that the workflow may use, of each process.
    pub(super) fn memory(&self) -> Option<String> {
        let said = self.document.root.get("resources")?.get("limits")?.get("memory")?;
        memory(&foreign::text(said)?)
    }

    /// Confinement of the whole workflow, as far as it cannot be carried over.
    pub(super) fn confined(&mut self) {
        let root = &self.document.root;
        let (selector, resources) = (root.get("worker_selector").cloned(), root.get("resources").cloned());
        if selector.is_some_and(|selector| selector == "local") {
            self.lose("worker_selector", "`worker_selector`: every step runs on this machine");
        }
        let Some(resources) = resources else { return };
        let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
        if resources.as_object().is_none_or(|map| map.keys().any(|key| key != "limits")) {
            self.refuse("resources", "`resources` has `limits` and nothing else");
        }
        for (key, value) in &limits {
            let path = format!("resources.limits.{key}");
            match key.as_str() {
                "memory" if self.memory().is_some() => {
                    self.lose(
                        &path,
                        &format!("`{path}` of the whole run: each process of a step may use {value}"),
                    );
                }
                "memory" | "cpu" => self.lose(&path, &format!("`{path}`: {value} is not held")),
                _ => self.refuse(&path, &format!("`{path}` is no key of Dagu")),
            }
        }
    }
}

/// A size of Kubernetes as one of ours.
fn memory(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let count: u64 = digits.parse().ok().filter(|count| *count > 0)?;
    let bytes = match &text[digits.len()..] {
        "" => count,
        "Ki" => count.checked_mul(1 << 10)?,
        "Mi" => count.checked_mul(1 << 20)?,
        "Gi" => count.checked_mul(1 << 30)?,
        "K" | "k" => count.checked_mul(1000)?,
        "M" => count.checked_mul(1_000_000)?,
        "G" => count.checked_mul(1_000_000_000)?,
        _ => return None,
    };
    let mebibytes = bytes.div_ceil(1 << 20);
    (4..1 << 24).contains(&mebibytes).then(|| format!("{mebibytes}MiB"))
}

//! The keys of a workflow of Argo above its templates: name, inputs, limits, and requirements on all pods.

use super::Import;
use super::held::{Held, PLACED, READ};
use super::work::seconds;
use crate::foreign;
use crate::page::{one_line, variable, without_holes};
use cuelight_base::{Span, Value, ValueMap};
use serde_json::json;

impl Import<'_> {
    pub(super) fn top(&mut self, root: &ValueMap, outer: &ValueMap, spec: &ValueMap) {
        let meta = foreign::map_at(root, "metadata");
        let name = meta.and_then(|meta| {
            foreign::text_at(meta, "name").or_else(|| foreign::text_at(meta, "generateName"))
        });
        let name = name.unwrap_or_else(|| "imported".to_owned());
        let name = one_line(&without_holes(name.trim_end_matches('-')));
        self.page.top.insert("name".to_owned(), name.into());
        let zone = foreign::text_at(outer, "timezone");
        let overlap = match foreign::text_at(outer, "concurrencyPolicy").as_deref() {
            Some("Forbid") => "skip",
            Some("Replace") => "cancel",
            _ => "allow",
        };
        let catch_up =
            outer.get("startingDeadlineSeconds").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        let cron = |text: String| {
            let mut out = json!({"cron": text, "overlap": overlap});
            if let Some(zone) = &zone {
                out["timezone"] = zone.clone().into();
            }
            if let Some(seconds) = catch_up {
                out["catch-up"] = format!("{seconds}s").into();
            }
            out
        };
        let crons: Vec<Value> = ["schedule", "schedules"]
            .iter()
            .flat_map(|key| foreign::texts(outer.get(*key)))
            .map(cron)
            .collect();
        let is_cron = !std::ptr::eq(outer, spec);
        let holds_back =
            |key: &&str| is_cron && outer.get(*key).is_some_and(|value| *value != Value::Bool(false));
        let held_back: Vec<&str> =
            ["suspend", "when", "stopStrategy"].into_iter().filter(holds_back).collect();
        if !crons.is_empty() && held_back.is_empty() {
            self.page.top.insert("on".to_owned(), json!({"schedule": crons}));
        }
        for key in held_back {
            self.page.leave_out(format!(
                "`{key}`: it starts by hand alone, since this decides there when it starts; write `on` when it shall start by itself"
            ));
        }
        let arguments = foreign::map_at(spec, "arguments");
        let inputs: ValueMap = arguments
            .into_iter()
            .flat_map(|arguments| foreign::maps_at(arguments, "parameters"))
            .filter_map(|map| Some((variable(&foreign::text_at(map, "name")?), input(map))))
            .collect();
        self.wanted.inputs = inputs.keys().cloned().collect();
        if !inputs.is_empty() {
            self.page.top.insert("inputs".to_owned(), Value::Object(inputs));
        }
        for parameter in arguments.into_iter().flat_map(|arguments| foreign::maps_at(arguments, "parameters"))
        {
            self.parameter(parameter, &["enum", "description"], "the workflow");
        }
        if let Some(arguments) = arguments {
            self.page.leave_out_all_but(&["parameters"], arguments, "the arguments of the workflow");
        }
        self.parallelism(spec, None);
        if let Some(span) = foreign::text_at(spec, "activeDeadlineSeconds") {
            let span = seconds(&span);
            match span.parse::<Span>() {
                Ok(_) => drop(self.page.top.insert("timeout".to_owned(), span.into())),
                Err(_) => self.page.leave_out("`activeDeadlineSeconds`: say it as `timeout`"),
            }
        }
        self.page.leave_out_all_but(&["apiVersion", "kind", "metadata", "spec"], root, "the file");
        if let Some(meta) = meta {
            let name = if meta.contains_key("name") { "name" } else { "generateName" };
            self.page.leave_out_all_but(&[name], meta, "its metadata");
        }
        let known = [
            "entrypoint",
            "arguments",
            "templates",
            "templateDefaults",
            "parallelism",
            "activeDeadlineSeconds",
            "onExit",
            "suspend",
            "serviceAccountName",
        ];
        let known = [&known[..], &PLACED, &READ].concat();
        let of_cron = [
            "workflowSpec",
            "schedule",
            "schedules",
            "timezone",
            "concurrencyPolicy",
            "startingDeadlineSeconds",
            "suspend",
            "when",
            "stopStrategy",
        ];
        self.page.leave_out_all_but(&known, spec, "the workflow");
        if is_cron {
            self.page.leave_out_all_but(&of_cron, outer, "the schedule");
        }
    }

    /// Adds the gate that asks before anything runs: about a suspended workflow, and about pod settings that
    /// only a cluster can enforce. Returns the steps that all others wait for.
    pub(super) fn start(&mut self, spec: &ValueMap) -> Vec<String> {
        let mut asks = Vec::new();
        if spec.get("suspend").is_some_and(|suspend| *suspend != Value::Bool(false)) {
            asks.push("it is suspended until somebody resumes it".to_owned());
        }
        let mut held = Held::default();
        held.of_pod(spec);
        held.secured(&[], spec, &mut self.page, "the workflow");
        self.asked.clone_from(&held.asks);
        let synchronization = foreign::map_at(spec, "synchronization");
        if let Some(name) = synchronization.and_then(one_lock) {
            held.asks.retain(|text| !text.starts_with("`synchronization`"));
            self.page.top.insert("concurrency".to_owned(), json!({"group": name, "on-conflict": "queue"}));
        }
        let held = held.settled();
        if !held.asks.is_empty() {
            asks.push(format!("its pods are held by {}", held.asks.join(", ")));
        }
        if asks.is_empty() {
            return Vec::new();
        }
        let id = self.page.id("start");
        self.page.leave_out(format!("{}: {id} asks before anything runs here", asks.join("; ")));
        let prompt =
            format!("Run it on this machine? In Argo {}", one_line(&without_holes(&asks.join("; "))));
        let gate = json!({"prompt": prompt, "risk": "externally-reversible"});
        self.page.step(&id, &[], ValueMap::from_iter([("gate".to_owned(), gate)]));
        vec![id]
    }

    /// Steps at once: the least of all that is said in the file holds for the whole run.
    pub(super) fn parallelism(&mut self, said: &ValueMap, of: Option<&str>) {
        let Some(value) = said.get("parallelism") else { return };
        let Some(most) = value.as_u64().filter(|value| *value > 0) else {
            return self.page.leave_out("`parallelism`: say it as `max-parallel`");
        };
        if let Some(of) = of {
            self.page.leave_out(format!("`parallelism` of {of} alone: it holds for the whole run"));
        }
        let known = self.page.top.get("max-parallel").and_then(Value::as_u64).unwrap_or(u64::MAX);
        self.page.top.insert("max-parallel".to_owned(), most.min(known).into());
    }

    /// Names what is said of a parameter and nothing stands for.
    pub(super) fn parameter(&mut self, parameter: &ValueMap, more: &[&str], of: &str) {
        let name = foreign::text_at(parameter, "name").unwrap_or_default();
        let of = format!("the parameter {name} of {of}");
        self.page.leave_out_all_but(&[&["name", "value", "default"], more].concat(), parameter, &of);
        if parameter.contains_key("value") && parameter.contains_key("default") {
            self.page.leave_out(format!("`default` of {of}: it has a value"));
        }
    }
}

/// The mutex that a workflow holds while it runs, when it is one whose name is known.
fn one_lock(said: &ValueMap) -> Option<String> {
    let all: Vec<&ValueMap> =
        foreign::maps_at(said, "mutexes").chain(foreign::map_at(said, "mutex")).collect();
    let is_other = |key: &String| key != "mutex" && key != "mutexes";
    let [one] = all.as_slice() else { return None };
    if said.keys().any(is_other) || one.keys().any(|key| key != "name") {
        return None;
    }
    foreign::text_at(one, "name").filter(|name| !name.contains("{{"))
}

fn input(parameter: &ValueMap) -> Value {
    let mut out = json!({"type": "string"});
    let value = ["value", "default"].iter().find_map(|key| foreign::text_at(parameter, key));
    match value {
        Some(value) => out["default"] = without_holes(&value).into(),
        None => out["required"] = true.into(),
    }
    if let Some(known) = parameter.get("enum") {
        out["enum"] = json!(foreign::texts(Some(known)));
    }
    if let Some(about) = foreign::text_at(parameter, "description") {
        out["description"] = one_line(&without_holes(&about)).into();
    }
    out
}

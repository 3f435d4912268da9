//! The keys of a workflow of GitHub above its jobs: triggers, inputs, concurrency, permissions.

use super::jobs::raised;
use super::values::{field, shell};
use super::work::SHELL;
use super::{Import, asks};
use crate::foreign;
use crate::page::{one_line, variable, without_holes};
use cuelight_base::{Value, ValueMap};
use serde_json::json;

impl Import<'_> {
    pub(super) fn top(&mut self) {
        let name = foreign::text_at(self.root, "name").unwrap_or_else(|| "imported".to_owned());
        self.page.top.insert("name".to_owned(), one_line(&without_holes(&name)).into());
        // `on` is a word in YAML 1.2, and `true` to whoever wrote the file with YAML 1.1 in mind.
        self.starts();
        if let Some(env) = self.env(None, self.root) {
            self.page.top.insert("env".to_owned(), env);
        }
        if let Some(said) = self.root.get("concurrency") {
            self.concurrency(said, &name);
        } else if let Some(job) = raised(self.root) {
            self.page.leave_out(format!("`concurrency` of {job} alone: its group holds for the whole run"));
            let said = self.root["jobs"][job]["concurrency"].clone();
            self.concurrency(&said, &name);
        }
        let known = ["name", "on", "true", "env", "defaults", "concurrency", "jobs", "permissions"];
        self.page.leave_out_all_but(&known, self.root, "the workflow");
        self.defaults(self.root, "the workflow");
        let run =
            foreign::map_at(self.root, "defaults").and_then(|defaults| foreign::map_at(defaults, "run"));
        let shell = run
            .and_then(|run| foreign::text_at(run, "shell"))
            .and_then(|text| shell(&text))
            .unwrap_or_else(|| SHELL.to_owned());
        let mut defaults = json!({"shell": shell});
        if let Some(dir) = run.and_then(|run| foreign::text_at(run, "working-directory")) {
            defaults["working-directory"] = self.words.text(None, &dir, &mut self.page).into();
        }
        self.page.top.insert("defaults".to_owned(), defaults);
    }

    /// Names the defaults that nothing stands for.
    pub(super) fn defaults(&mut self, of: &ValueMap, whose: &str) {
        let Some(defaults) = foreign::map_at(of, "defaults") else { return };
        let whose = format!("the defaults of {whose}");
        self.page.leave_out_all_but(&["run"], defaults, &whose);
        if let Some(run) = foreign::map_at(defaults, "run") {
            self.page.leave_out_all_but(&["shell", "working-directory"], run, &whose);
        }
    }

    fn starts(&mut self) {
        let on = self.root.get("on");
        let events: Vec<String> = match on {
            Some(Value::Object(keys)) => keys.keys().cloned().collect(),
            other => foreign::texts(other),
        };
        let others: Vec<&str> = events
            .iter()
            .map(String::as_str)
            .filter(|event| !["workflow_dispatch", "workflow_call", "schedule"].contains(event))
            .collect();
        if !others.is_empty() {
            self.page.leave_out(format!(
                "starts on {}: start it by hand, or from a hook with `cuelight run`",
                others.join(", ")
            ));
        }
        let Some(on) = on.and_then(Value::as_object) else { return };
        let crons: Vec<Value> = foreign::maps_at(on, "schedule")
            .filter_map(|map| {
                let mut out = json!({"cron": foreign::text_at(map, "cron")?});
                if let Some(zone) = foreign::text_at(map, "timezone") {
                    out["timezone"] = zone.into();
                }
                Some(out)
            })
            .collect();
        for map in foreign::maps_at(on, "schedule") {
            self.page.leave_out_all_but(&["cron", "timezone"], map, "the schedule");
        }
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({"schedule": crons}));
        }
        let mut inputs = ValueMap::new();
        for door in ["workflow_dispatch", "workflow_call"] {
            let Some(door) = foreign::map_at(on, door) else { continue };
            self.page.leave_out_all_but(&["inputs", "outputs", "secrets"], door, "the way it is called");
            for (name, said) in foreign::map_at(door, "inputs").into_iter().flatten() {
                let empty = ValueMap::new();
                let said = said.as_object().unwrap_or(&empty);
                let known = ["type", "description", "options", "default", "required"];
                self.page.leave_out_all_but(&known, said, &format!("the input {name}"));
                if said.get("type").and_then(Value::as_str) == Some("environment") {
                    self.page
                        .leave_out(format!("`type: environment` of the input {name}: it takes any text"));
                }
                inputs.insert(variable(name), field(said));
            }
            self.words.secrets.extend(
                foreign::map_at(door, "secrets").into_iter().flat_map(|secrets| secrets.keys().cloned()),
            );
            let outputs = foreign::map_at(door, "outputs").into_iter().flatten();
            let outputs: ValueMap = outputs
                .filter_map(|(name, output)| {
                    Some((variable(name), foreign::text_at(output.as_object()?, "value")?))
                })
                .map(|(name, value)| (name, self.words.text(None, &value, &mut self.page).into()))
                .collect();
            if !outputs.is_empty() {
                self.page.top.insert("outputs".to_owned(), Value::Object(outputs));
            }
        }
        if !inputs.is_empty() {
            self.page.top.insert("inputs".to_owned(), Value::Object(inputs));
        }
    }

    fn concurrency(&mut self, said: &Value, name: &str) {
        let group = foreign::text(said).or_else(|| foreign::text_at(said.as_object()?, "group"));
        let Some(group) = group else {
            return self.page.leave_out("`concurrency`, which names no `group`");
        };
        self.words.group_of = Some(name.to_owned());
        let group = self.words.text(None, &group, &mut self.page);
        self.words.group_of = None;
        let cancels = said.get("cancel-in-progress") == Some(&Value::Bool(true));
        if let Some(said) = said.as_object() {
            self.page.leave_out_all_but(&["group", "cancel-in-progress"], said, "the concurrency group");
            if said.get("cancel-in-progress").is_some_and(|progress| !progress.is_boolean()) {
                self.page.leave_out(
                    "`cancel-in-progress`, which is an expression: a run waits for the one before",
                );
            }
        }
        let on_conflict = if cancels { "cancel-running" } else { "queue" };
        self.page.top.insert("concurrency".to_owned(), json!({"group": group, "on-conflict": on_conflict}));
    }

    /// Adds a gate that asks about the permissions of GitHub's token before a step gets it. They cannot be
    /// enforced here.
    pub(super) fn permissions(&mut self) {
        let of_all = self.root.get("permissions");
        let mut said: Vec<String> = Vec::new();
        for job in self.words.jobs {
            let own = job.body.get("permissions").or(of_all);
            let Some(own) = own else { continue };
            let rights = match own {
                Value::Object(keys) if keys.is_empty() => "none".to_owned(),
                Value::Object(keys) => keys
                    .iter()
                    .map(|(key, value)| format!("{key}: {}", foreign::text(value).unwrap_or_default()))
                    .collect::<Vec<_>>()
                    .join(", "),
                other => foreign::text(other).unwrap_or_default(),
            };
            said.push(format!("{} ({rights})", job.name));
        }
        const TOKEN: &str = "secrets.GITHUB_TOKEN";
        let is_given = |env: &Value| env.to_string().contains(TOKEN);
        let all = self.page.top.get("env").is_some_and(is_given);
        let gets = |step: &ValueMap| all || is_given(&Value::Object(step.clone()));
        if said.is_empty() {
            return;
        }
        if !self.page.steps.iter().any(gets) {
            return self.page.leave_out("`permissions`: no step is given a token of GitHub");
        }
        let id = self.page.id("token-permissions");
        self.page.leave_out(format!(
            "`permissions`: {id} asks whether the token given as GITHUB_TOKEN is held to them"
        ));
        let prompt = one_line(&without_holes(&format!(
            "Does the token given as GITHUB_TOKEN allow no more than GitHub's would: {}?",
            said.join("; ")
        )));
        for step in self.page.steps.iter_mut().filter(|step| gets(step)) {
            let mut needs = foreign::texts(step.get("needs"));
            needs.insert(0, id.clone());
            step.insert("needs".to_owned(), json!(needs));
            if let Some(own) = foreign::text_at(step, "if") {
                step.insert("if".to_owned(), format!("({own}) && steps.{id}.result == 'success'").into());
            }
        }
        let mut gate = asks(&prompt);
        gate.insert("id".to_owned(), id.into());
        self.page.steps.insert(0, gate);
    }
}

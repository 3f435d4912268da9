//! Workflows of Dagu: its steps are ours, its parameters inputs that scripts read as variables, what a step keeps of its output
//! reaches those that name it, and its conditions, which are programs, become steps that find out.
//! Shapes: <https://github.com/dagu-org/dagu>, in the spelling of version 1 and that of version 2.

mod words;

use self::words::{any, any_text, command, kept_as, ordered, pairs, params, steps, test};
use super::{
    foreign,
    page::{Imported, Page, all_of, kept, one_line, without_holes},
};
use crate::base::{Value, ValueMap, is_shell};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A workflow of Dagu as a file of ours.
///
/// # Errors
/// Why it could not be read, as a whole sentence.
pub fn import_dagu(text: &str) -> Result<Imported, String> {
    let mut page = Page::new("a workflow of Dagu");
    let root = foreign::document(text, &mut page)?;
    let steps = steps(&root);
    if steps.is_empty() {
        return Err("could not import a workflow of Dagu: there are no `steps`".to_owned());
    }
    let mut import = Import {
        page,
        root: &root,
        params: BTreeMap::new(),
        exports: String::new(),
        due: None,
        done: Vec::new(),
    };
    import.top();
    let is_chain = match foreign::text_at(&root, "type") {
        Some(said) => said == "chain",
        // Versions differ in what nothing means; the order of the file is never wrong.
        None => !steps.iter().any(|(_, it)| any(it, &["depends", "dependencies"]).is_some()),
    };
    import.due(&root);
    let mut before: Option<String> = None;
    let steps = if is_chain { steps } else { ordered(steps) };
    for (name, body) in &steps {
        import.step(name, body, before.take());
        before = is_chain.then(|| name.clone());
    }
    import.handlers();
    import.page.finish()
}

/// A step that is on the page.
struct Done {
    /// What it is called there; `id` is another name for it.
    name: String,
    other_name: Option<String>,
    id: String,
    /// It, and all that come before it.
    ancestors: BTreeSet<String>,
    /// The variable that its output is kept in.
    keeps: Option<String>,
    /// What has to hold for it to run, all of it; whoever needs it does not run otherwise either.
    conditions: Vec<String>,
}

struct Import<'a> {
    page: Page,
    root: &'a ValueMap,
    /// Inputs by the number of their place, for scripts that say `$1`.
    params: BTreeMap<usize, String>,
    /// Variables that a shell has to work out, as the lines that do.
    exports: String,
    /// What finds out whether the whole is due, where something has to hold for it.
    due: Option<String>,
    done: Vec<Done>,
}

impl Import<'_> {
    fn top(&mut self) {
        let name = foreign::text_at(self.root, "name").unwrap_or_else(|| "imported".to_owned());
        self.page.top.insert("name".to_owned(), one_line(&without_holes(&name)).into());
        if let Some(about) = foreign::text_at(self.root, "description") {
            self.page.top.insert("description".to_owned(), one_line(&without_holes(&about)).into());
        }
        let crons: Vec<Value> =
            foreign::texts(self.root.get("schedule")).into_iter().map(|it| json!({"cron": it})).collect();
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({"schedule": crons}));
        }
        if let Some(seconds) = any_text(self.root, &["timeout_sec", "timeoutSec"]).filter(|it| it != "0") {
            self.page.top.insert("timeout".to_owned(), format!("{seconds}s").into());
        }
        let parallel = any(self.root, &["max_active_steps", "maxActiveSteps"]).and_then(Value::as_u64);
        if let Some(parallel) = parallel.filter(|it| *it > 0) {
            self.page.top.insert("max-parallel".to_owned(), parallel.into());
        }
        let mut env = ValueMap::new();
        let mut inputs = ValueMap::new();
        for (index, (name, value)) in params(self.root.get("params")).into_iter().enumerate() {
            let name = name.unwrap_or_else(|| format!("PARAM_{}", index + 1));
            self.params.insert(index + 1, name.clone());
            inputs.insert(name.clone(), json!({"type": "string", "default": without_holes(&value)}));
            env.insert(name.clone(), format!("${{{{ inputs.{name} }}}}").into());
        }
        for (name, value) in pairs(self.root.get("env")) {
            // What a shell has to work out is worked out where a script begins.
            if value.contains(['$', '`']) {
                self.exports.push_str(&format!("export {name}=\"{}\"\n", value.replace('"', "\\\"")));
            } else {
                env.insert(name, value.into());
            }
        }
        for (key, map) in [("inputs", inputs), ("env", env)] {
            if !map.is_empty() {
                self.page.top.insert(key.to_owned(), Value::Object(map));
            }
        }
        // There a step that fails ends what depends on it, and no other one.
        self.page.top.insert("on-failure".to_owned(), "continue".into());
        // Its shells stop at the first failure, and know nothing of unset variables.
        self.page.top.insert("defaults".to_owned(), json!({"shell": "bash -e -c"}));
        let known = [
            "name",
            "description",
            "schedule",
            "steps",
            "params",
            "env",
            "timeout_sec",
            "timeoutSec",
            "max_active_steps",
            "maxActiveSteps",
            "type",
            "handler_on",
            "handlerOn",
            "group",
            "tags",
            "labels",
            "precondition",
            "preconditions",
        ];
        for key in self.root.keys().filter(|it| !known.contains(&it.as_str())) {
            self.page.leave_out(format!("`{key}`"));
        }
    }

    /// What has to hold for the whole of it.
    fn due(&mut self, root: &ValueMap) {
        match self.finding_out("all", root, &[], &BTreeSet::new()) {
            Found::Nothing => {}
            Found::By(id) => self.due = Some(id),
            // Then nothing runs, and each step says why.
            Found::Unreadable => self.due = Some(String::new()),
        }
    }

    fn step(&mut self, name: &str, body: &ValueMap, before: Option<String>) {
        let mut needs: Vec<String> = Vec::new();
        let mut ancestors = BTreeSet::new();
        let mut conditions: Vec<String> = Vec::new();
        let asked = foreign::texts(any(body, &["depends", "dependencies"]));
        for need in asked.into_iter().chain(before).filter(|it| !it.is_empty()) {
            let found =
                self.done.iter().find(|it| it.name == need || it.other_name.as_deref() == Some(&need));
            match found {
                Some(found) => {
                    needs.push(found.id.clone());
                    ancestors.extend(found.ancestors.iter().cloned());
                    for condition in &found.conditions {
                        // Each once: two that wait for the same would hand it on twice, and so on.
                        if !conditions.contains(condition) {
                            conditions.push(condition.clone());
                        }
                    }
                }
                // What it waits for is not known: better that it does not run than too early.
                None => {
                    self.page.leave_out(format!("{name} depends on {need}, which is not there or waits for it: it does not run until that is written under `needs`"));
                    conditions.push("false".to_owned());
                }
            }
        }
        match &self.due {
            Some(id) if id.is_empty() => conditions.push("false".to_owned()),
            Some(id) if needs.is_empty() => {
                conditions.push(holds(id));
                needs.push(id.clone());
                ancestors.insert(id.clone());
            }
            _ => {}
        }
        let id = self.page.id(name);
        ancestors.insert(id.clone());
        match self.finding_out(&id, body, &needs, &ancestors) {
            Found::Nothing => {}
            Found::By(found) => {
                conditions.push(holds(&found));
                needs.push(found);
            }
            Found::Unreadable => conditions.push("false".to_owned()),
        }
        let condition = all_of(conditions.clone());
        let mut keys = self.work(name, &id, body, &ancestors);
        if let Some(condition) = &condition {
            keys.insert("if".to_owned(), condition.clone().into());
        }
        if id != name {
            keys.insert("name".to_owned(), one_line(&without_holes(name)).into());
        }
        self.page.step(&id, &needs, keys);
        let goes_on = any(body, &["continue_on", "continueOn"]);
        let on_skip = goes_on.is_some_and(|it| {
            it.get("skipped") == Some(&Value::Bool(true)) || it.as_str() == Some("skipped")
        });
        self.done.push(Done {
            name: name.to_owned(),
            other_name: foreign::text_at(body, "id"),
            id,
            ancestors,
            keeps: kept_as(body),
            conditions: if on_skip { Vec::new() } else { conditions },
        });
    }

    /// A step that finds out whether what has to hold before does, where something has to.
    fn finding_out(
        &mut self,
        of: &str,
        body: &ValueMap,
        needs: &[String],
        ancestors: &BTreeSet<String>,
    ) -> Found {
        let Some(said) = any(body, &["preconditions", "precondition"]) else { return Found::Nothing };
        let several = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
        let Some(tests) = several.iter().map(test).collect::<Option<Vec<String>>>() else {
            self.page
                .leave_out(format!("when {of} is due: it does not run until that is written under `if`"));
            return Found::Unreadable;
        };
        if tests.is_empty() {
            return Found::Nothing;
        }
        let id = self.page.id(&format!("{of}-when"));
        let script = format!(
            "if {}; then holds=true; else holds=false; fi\necho \"holds=$holds\" >> \"$CUELIGHT_OUTPUT\"\n",
            tests.join(" && ")
        );
        let mut keys = self.script(&script, ancestors);
        keys.insert("name".to_owned(), format!("Whether {of} is due").into());
        keys.insert("outputs".to_owned(), json!({"holds": "string"}));
        self.page.step(&id, needs, keys);
        Found::By(id)
    }

    /// What a step does.
    fn work(&mut self, name: &str, id: &str, body: &ValueMap, ancestors: &BTreeSet<String>) -> ValueMap {
        let mut keys = match self.kind(name, id, body) {
            Work::Script(script) => self.shell(name, body, &script, ancestors),
            Work::Other(keys) => keys,
        };
        if let Some(retry) = any(body, &["retry_policy", "retryPolicy"]).and_then(Value::as_object) {
            let mut ours = json!({});
            if let Some(limit) = retry.get("limit").and_then(Value::as_u64) {
                ours["max-attempts"] = (limit + 1).into();
            }
            if let Some(seconds) = any_text(retry, &["interval_sec", "intervalSec"]) {
                ours["delay"] = format!("{seconds}s").into();
                ours["kind"] = "constant".into();
            }
            keys.insert("retry".to_owned(), ours);
        }
        if let Some(seconds) = any_text(body, &["timeout_sec", "timeoutSec"]) {
            keys.insert("timeout".to_owned(), format!("{seconds}s").into());
        }
        let goes_on = any(body, &["continue_on", "continueOn"]);
        if goes_on
            .is_some_and(|it| it.get("failure") == Some(&Value::Bool(true)) || it.as_str() == Some("failed"))
        {
            keys.insert("on-error".to_owned(), "skip".into());
        }
        let left = [
            "repeat_policy",
            "repeatPolicy",
            "parallel",
            "mail_on_error",
            "mailOnError",
            "signal_on_stop",
            "signalOnStop",
            "stderr",
        ];
        for key in left.into_iter().filter(|it| body.contains_key(*it)) {
            self.page.leave_out(format!("`{key}` of {name}"));
        }
        keys
    }

    fn kind(&mut self, name: &str, id: &str, body: &ValueMap) -> Work {
        let run = foreign::text_at(body, "run");
        let is_called =
            run.as_ref().is_some_and(|it| body.contains_key("params") && !it.contains(char::is_whitespace));
        let called = foreign::text_at(body, "call").or_else(|| run.clone().filter(|_| is_called));
        if let Some(called) = called {
            let leaf = called.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml");
            self.page.leave_out(format!("{called} itself: import it too, as {leaf}.yaml beside this file"));
            let mut keys = ValueMap::from_iter([("workflow".to_owned(), format!("./{leaf}.yaml").into())]);
            let with: ValueMap = params(body.get("params"))
                .into_iter()
                .enumerate()
                .map(|(at, (name, it))| {
                    (name.unwrap_or_else(|| format!("PARAM_{}", at + 1)), without_holes(&it).into())
                })
                .collect();
            if !with.is_empty() {
                keys.insert("with".to_owned(), Value::Object(with));
            }
            return Work::Other(keys);
        }
        let executor = any(body, &["executor", "type", "action"]);
        let executor =
            executor.and_then(|it| foreign::text(it).or_else(|| foreign::text_at(it.as_object()?, "type")));
        if let Some(executor) = executor.filter(|it| !["shell", "command"].contains(&it.as_str())) {
            self.page.leave_out(format!("{executor} of {name}: {id} asks whether it was done by hand; put a script, a request or a tool in its place"));
            let what = without_holes(&command(body).unwrap_or_default());
            let prompt = format!(
                "Has {} ({executor}) been done by hand? {}",
                one_line(&without_holes(name)),
                one_line(&what)
            );
            let gate = json!({"prompt": prompt.trim_end(), "risk": "externally-reversible"});
            return Work::Other(ValueMap::from_iter([("gate".to_owned(), gate)]));
        }
        match command(body).or(run) {
            Some(script) => Work::Script(script),
            None => {
                self.page.leave_out(format!("{name} says nothing that can be run"));
                Work::Other(ValueMap::from_iter([("wait".to_owned(), "0s".into())]))
            }
        }
    }

    /// A script with all that it reads, and what is kept of what it writes.
    fn shell(&mut self, name: &str, body: &ValueMap, script: &str, ancestors: &BTreeSet<String>) -> ValueMap {
        let shell = any_text(body, &["shell"]);
        let program =
            shell.as_deref().and_then(|it| it.split_whitespace().next()).unwrap_or("bash").to_owned();
        let is_known = is_shell(&program);
        let mut keys = if is_known {
            self.known_shell(body, script.trim_end(), ancestors)
        } else {
            for key in ["output", "stdout"].into_iter().filter(|it| body.contains_key(*it)) {
                self.page.leave_out(format!(
                    "`{key}` of {name}: its script writes to $CUELIGHT_OUTPUT, or to a file, itself"
                ));
            }
            ValueMap::from_iter([("run".to_owned(), without_holes(script).into())])
        };
        if let Some(shell) = shell {
            let shell = if shell.contains(' ') {
                shell
            } else if is_known {
                format!("{shell} -e -c")
            } else {
                program
            };
            keys.insert("shell".to_owned(), shell.into());
        }
        if let Some(dir) = any_text(body, &["working_dir", "workingDir", "dir"]) {
            if dir.contains(['$', '`', '~']) {
                self.page
                    .leave_out(format!("the directory {dir} of {name}: write it under `working-directory`"));
            } else {
                keys.insert("working-directory".to_owned(), dir.into());
            }
        }
        for (key, value) in pairs(body.get("env")) {
            if value.contains(['$', '`']) {
                let line = format!("export {key}=\"{}\"\n", value.replace('"', "\\\""));
                let script = keys.get("run").and_then(Value::as_str).unwrap_or_default();
                let script = line + script;
                keys.insert("run".to_owned(), script.into());
            } else {
                keys.entry("env").or_insert_with(|| json!({}))[key] = without_holes(&value).into();
            }
        }
        keys
    }

    /// A script whose language is known: its output can be kept, and what a shell has to work out is worked out before it.
    fn known_shell(&mut self, body: &ValueMap, script: &str, ancestors: &BTreeSet<String>) -> ValueMap {
        let mut script = script.to_owned();
        if let Some(file) = foreign::text_at(body, "stdout") {
            script = format!("{{\n{script}\n}} > \"{file}\"");
        }
        let name = kept_as(body);
        let script = name.as_ref().map_or_else(|| script.clone() + "\n", |name| kept(name, &script));
        let mut keys = self.script(&script, ancestors);
        if let Some(name) = name {
            keys.insert("outputs".to_owned(), json!({name: "string"}));
        }
        keys
    }

    /// A script behind what has to be worked out before, with the variables of steps before it.
    fn script(&self, script: &str, ancestors: &BTreeSet<String>) -> ValueMap {
        let mut head = self.exports.clone();
        if (1..=9).any(|it| script.contains(&format!("${it}")) || script.contains(&format!("${{{it}}}"))) {
            let all: Vec<String> = self.params.values().map(|it| format!("\"${it}\"")).collect();
            head.push_str(&format!("set -- {}\n", all.join(" ")));
        }
        let mut env = ValueMap::new();
        for step in &self.done {
            let Some(kept) = &step.keeps else { continue };
            let is_read = [format!("${kept}"), format!("${{{kept}")]
                .iter()
                .any(|it| script.contains(it) || self.exports.contains(it));
            if is_read && ancestors.contains(&step.id) {
                env.insert(kept.clone(), format!("${{{{ steps.{}.outputs.{kept} }}}}", step.id).into());
            }
        }
        let mut keys = ValueMap::from_iter([("run".to_owned(), without_holes(&(head + script)).into())]);
        if !env.is_empty() {
            keys.insert("env".to_owned(), Value::Object(env));
        }
        keys
    }

    /// What is done when all else is over.
    fn handlers(&mut self) {
        let all: Vec<String> = self.done.iter().map(|it| it.id.clone()).collect();
        let ancestors: BTreeSet<String> = all.iter().cloned().collect();
        let handlers = any(self.root, &["handler_on", "handlerOn"]).and_then(Value::as_object);
        for (when, body) in handlers.into_iter().flatten() {
            let condition = match when.as_str() {
                "success" => "success()",
                "failure" => "failure()",
                "cancel" | "abort" => "cancelled()",
                "exit" => "always()",
                _ => {
                    self.page.leave_out(format!("what is done on {when}"));
                    continue;
                }
            };
            let Some(body) = body.as_object() else { continue };
            let id = self.page.id(&format!("on-{when}"));
            let mut keys = self.work(&format!("on {when}"), &id, body, &ancestors);
            keys.insert("if".to_owned(), condition.into());
            self.page.step(&id, &all, keys);
        }
    }
}

/// Whether something has to hold, and who finds out.
enum Found {
    Nothing,
    By(String),
    Unreadable,
}

fn holds(id: &str) -> String {
    format!("steps.{id}.outputs.holds == 'true'")
}

enum Work {
    Script(String),
    Other(ValueMap),
}

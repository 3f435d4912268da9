//! The steps of a workflow in their order: what each waits for, when it is due, and what stands before and behind it.

mod read;

use super::scope::{Done, Scope};
use super::values::{Names, parts};
use super::words::number;
use super::{Import, all_of, file, one};
use crate::foreign;
use crate::page::{in_order, one_line, without_holes};
use cuelight_base::{Value, ValueMap};
pub(super) use read::Step;
use serde_json::json;
use std::collections::BTreeSet;

impl Import<'_> {
    pub(super) fn steps(&mut self) {
        let mut all = self.read();
        if all.len() > super::STEPS_MAX {
            return self.refuse("steps", "there are more than 2000 steps; import parts of it");
        }
        if all.is_empty() {
            if self.faults.is_empty() {
                self.refuse("steps", "there are no `steps`");
            }
            return;
        }
        self.identities(&all);
        let kind = foreign::text_at(&self.document.root, "type");
        let waits = all.iter().any(|step| step.body.contains_key("depends"));
        let is_chain = match kind.as_deref() {
            Some(kind) => kind == "chain",
            // Versions differ in what nothing means; the order of the file is never wrong.
            None => !waits,
        };
        if is_chain && waits {
            return self.refuse("type", "a step of a chain has no `depends`");
        }
        self.due();
        self.routes(&all);
        self.confined();
        if !is_chain {
            all = self.ordered(all);
        }
        let (mut round, mut before, mut now) = (usize::MAX, Vec::new(), Vec::new());
        for step in &all {
            if step.round != round {
                (round, before) = (step.round, std::mem::take(&mut now));
            }
            let waits = if is_chain { before.clone() } else { self.depends(step) };
            self.step(step, &waits);
            now.push(step.name.clone());
        }
    }

    fn waits(step: &Step) -> Vec<String> {
        foreign::texts(step.body.get("depends"))
    }

    /// Steps after those they depend on.
    fn ordered(&mut self, all: Vec<Step>) -> Vec<Step> {
        let names: Vec<Vec<String>> = all
            .iter()
            .map(|step| std::iter::once(step.name.clone()).chain(step.other_name.clone()).collect())
            .collect();
        let router = |step: &Step| {
            let to = self.routed.get(&step.name).or_else(|| self.routed.get(step.other_name.as_ref()?));
            to.map(|(router, _)| router.clone())
        };
        let needs: Vec<Vec<String>> =
            all.iter().map(|step| Self::waits(step).into_iter().chain(router(step)).collect()).collect();
        let order = in_order(&names, &needs);
        let mut all: Vec<Option<Step>> = all.into_iter().map(Some).collect();
        order.into_iter().filter_map(|at| all[at].take()).collect()
    }

    fn depends(&mut self, step: &Step) -> Vec<String> {
        let said = step.body.get("depends");
        if said.is_some_and(|said| said.is_object() || said.is_boolean() || said.is_number()) {
            self.refuse(&step.path, "`depends` is a name or a list of names");
        }
        let all: Vec<String> = Self::waits(step);
        for need in &all {
            let is_there = self.done.iter().any(|done| is_called(done, need));
            if !is_there {
                self.refuse(
                    &format!("{}.depends", step.path),
                    &format!(
                        "{} depends on {}, which is not there or waits for it",
                        one_line(&step.name),
                        one_line(need)
                    ),
                );
            }
        }
        all
    }

    /// Adds the preconditions of the whole workflow, and the steps that run before all others.
    fn due(&mut self) {
        let body = self.document.root.clone();
        let none = BTreeSet::new();
        let shell = body.get("shell").cloned();
        let mut step = ValueMap::new();
        for (key, value) in [
            ("preconditions", body.get("preconditions").cloned()),
            ("working_dir", body.get("working_dir").cloned()),
            ("shell", shell),
        ] {
            if let Some(value) = value {
                step.insert(key.to_owned(), value);
            }
        }
        let step =
            Step { name: "all".to_owned(), other_name: None, body: step, path: String::new(), round: 0 };
        let before = self.first.clone();
        if let Some(id) = self.finding_out(&step, "all", &before, &none, &[]) {
            self.due.push(holds(&id));
            self.first.push(id);
        }
        let init = body.get("handler_on").and_then(|handlers| handlers.get("init")).cloned();
        if let Some(init) = init
            && let Some(step) = self.one_step(&init, "handler_on.init", "on init")
        {
            let (needs, due) = (self.first.clone(), self.due.clone());
            let done = self.place(&step, &needs, &none, &due);
            self.first.push(done.rests);
        }
    }

    fn step(&mut self, step: &Step, waits: &[String]) {
        let mut needs: Vec<String> = Vec::new();
        let mut ancestors = BTreeSet::new();
        let mut conditions: Vec<String> = self.due.clone();
        let router =
            self.routed.get(&step.name).or_else(|| self.routed.get(step.other_name.as_ref()?)).cloned();
        let all = waits.iter().cloned().chain(router.iter().map(|(router, _)| router.clone()));
        for need in all {
            let Some(found) = self.done.iter().find(|done| is_called(done, &need)) else { continue };
            if !needs.contains(&found.rests) {
                needs.push(found.rests.clone());
            }
            ancestors.extend(found.ancestors.iter().cloned());
            for condition in &found.conditions {
                // Each once: two that wait for the same would hand it on twice, and so on.
                if !conditions.contains(condition) {
                    conditions.push(condition.clone());
                }
            }
        }
        if let Some((_, condition)) = router {
            conditions.push(condition);
        }
        if needs.is_empty() {
            needs.clone_from(&self.first);
        }
        let done = self.place(step, &needs, &ancestors, &conditions);
        self.done.push(done);
    }

    /// Puts a step on the page, with what finds out whether it is due and the gates around it.
    pub(super) fn place(
        &mut self,
        step: &Step,
        needs: &[String],
        ancestors: &BTreeSet<String>,
        conditions: &[String],
    ) -> Done {
        let id = self.page.id(&step.name);
        let (mut needs, mut conditions) = (needs.to_vec(), conditions.to_vec());
        if let Some(found) = self.finding_out(step, &id, &needs, ancestors, &conditions) {
            // A gate that is asked has to know when it is not due, so the condition is shared.
            conditions.push(holds(&found));
            needs = vec![found];
        }
        let condition = all_of(conditions.clone());
        if let Some(prompt) = self.place_of(step, ancestors) {
            let machine = self.page.id(&format!("{id}-machine"));
            let mut keys = super::gate(&prompt);
            if let Some(condition) = &condition {
                keys.insert("if".to_owned(), condition.clone().into());
            }
            self.page.step(&machine, &needs, keys);
            needs = vec![machine];
        }
        let mut done = Done {
            name: step.name.clone(),
            other_name: step.other_name.clone(),
            id: id.clone(),
            rests: id.clone(),
            ancestors: ancestors.clone(),
            ..Done::default()
        };
        done.ancestors.insert(id.clone());
        let mut keys = self.work(step, &id, ancestors, &mut done);
        let own = keys.remove("if").and_then(|own| own.as_str().map(str::to_owned));
        if let Some(condition) = all_of(conditions.iter().cloned().chain(own)) {
            keys.insert("if".to_owned(), condition.into());
        }
        let about = foreign::text_at(&step.body, "description").map(|about| format!(": {about}"));
        if id != step.name || about.is_some() {
            let name = format!("{}{}", step.name, about.unwrap_or_default());
            keys.insert("name".to_owned(), one_line(&without_holes(&name)).into());
        }
        self.page.step(&id, &needs, keys);
        self.approval(step, &mut done, condition.as_ref());
        let goes_on = step.body.get("continue_on");
        let on_skip = goes_on.is_some_and(|said| {
            said.get("skipped") == Some(&Value::Bool(true)) || said.as_str() == Some("skipped")
        });
        done.conditions = if on_skip { self.due.clone() } else { conditions };
        done
    }

    /// A step that finds out whether what has to hold before does, where something has to.
    fn finding_out(
        &mut self,
        step: &Step,
        of: &str,
        needs: &[String],
        ancestors: &BTreeSet<String>,
        conditions: &[String],
    ) -> Option<String> {
        let path = if step.path.is_empty() {
            "preconditions".to_owned()
        } else {
            format!("{}.preconditions", step.path)
        };
        let tests: Vec<Value> = match step.body.get("preconditions")? {
            Value::Array(several) => several.clone(),
            Value::String(one) => vec![one.clone().into()],
            _ => {
                self.refuse(&path, "`preconditions` is a text or a list");
                return None;
            }
        };
        let mut script = String::new();
        let mut values = ValueMap::new();
        for test in &tests {
            script.push_str(&self.test(step, test, &path, ancestors, &mut values)?);
        }
        if tests.is_empty() {
            return None;
        }
        let id = self.page.id(&format!("{of}-when"));
        let script = format!("HOLDS=true\n{script}echo \"holds=$HOLDS\" >> \"$CUELIGHT_OUTPUT\"\n");
        let mut body = step.body.clone();
        for key in ["output", "outputs", "stdout", "stderr", "repeat_policy", "with", "shell"] {
            body.remove(key);
        }
        let asker = Step { body, ..step.clone() };
        let mut keys = self.prepared(&asker, &script, values, ancestors);
        keys.insert("name".to_owned(), format!("Whether {of} is due").into());
        keys.insert("outputs".to_owned(), json!({"holds": "string"}));
        // The commands of a condition do not run where the step would not run anyway.
        if let Some(condition) = all_of(conditions.iter().cloned()) {
            keys.insert("if".to_owned(), condition.into());
        }
        self.page.step(&id, needs, keys);
        Some(id)
    }

    /// One condition as lines of a shell that set `HOLDS`.
    fn test(
        &mut self,
        step: &Step,
        test: &Value,
        path: &str,
        ancestors: &BTreeSet<String>,
        values: &mut ValueMap,
    ) -> Option<String> {
        let map = match test {
            Value::String(command) => one("condition", command.clone()),
            Value::Object(map) => map.clone(),
            _ => {
                self.refuse(path, "a condition is a text or a mapping");
                return None;
            }
        };
        self.keys(&map, path, file::CONDITION);
        let text = |key: &str| map.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let said: Vec<&str> =
            ["condition", "eval", "command"].into_iter().filter(|key| map.contains_key(*key)).collect();
        let is_whole = map
            .keys()
            .all(|key| key == "negate" || text(key).is_some() || key == "expected" && map[key].is_number());
        let (&[key], true) = (said.as_slice(), is_whole) else {
            self.refuse(path, "a condition has one of `condition` and `eval`, as text");
            return None;
        };
        if map.get("negate").is_some_and(|said| !said.is_boolean())
            || key == "eval" && !map.contains_key("expected")
        {
            self.refuse(path, "`negate` is true or false, and `eval` needs `expected`");
            return None;
        }
        let source = text(key)?;
        let negate = map.get("negate") == Some(&Value::Bool(true));
        let not = if negate { "! " } else { "" };
        let own = (step.name.as_str(), step.other_name.as_deref());
        let env = self.own_env(step, ancestors);
        let names = match (key, map.contains_key("expected")) {
            ("eval", _) => Names::All,
            (_, true) => Names::Own,
            _ => Names::Shell,
        };
        let found = parts(
            source,
            names,
            &Scope { import: self, ancestors, own, env: &env, has_item: false, is_nested: false },
        );
        let Some(expected) = foreign::text_at(&map, "expected") else {
            let mut all = std::mem::take(values);
            let script = super::work::in_script(&found, &mut all);
            *values = all;
            let Some(script) = script else {
                self.refuse(path, "a value stands where a shell fills in nothing");
                return None;
            };
            return Some(format!(
                "( set +e\n{script}\n) > /dev/null 2>&1 && RESULT=0 || RESULT=$?\nif {not}[ \"$RESULT\" = 0 ]; then :; else HOLDS=false; fi\n"
            ));
        };
        let actual = if key == "eval" {
            let Some(text) = Self::evaluated(&found, values) else {
                self.refuse(path, "a value of `eval` stands where a shell fills in nothing");
                return None;
            };
            text
        } else {
            if source.contains("$(") || source.contains('`') {
                self.lose(path, &format!("`{path}`: the commands in {} are text there and are not run; version 1 ran them: `eval` in place of `condition` does", one_line(source)));
            }
            format!("\"{}\"", super::work::in_quotes(&found, values))
        };
        let matched = match expected.strip_prefix("re:") {
            Some(pattern) => {
                if is_broken(pattern) {
                    self.refuse(path, &format!("`{}` is no pattern", one_line(pattern)));
                    return None;
                }
                format!("grep -qP -e '{}'", pattern.replace('\'', "'\\''"))
            }
            None => format!("grep -qxF -e '{}'", expected.replace('\'', "'\\''")),
        };
        Some(format!(
            "ACTUAL={actual}\nif {not}printf '%s\\n' \"$ACTUAL\" | {matched}; then :; else HOLDS=false; fi\n"
        ))
    }

    /// Routers: who goes where is known before the steps that are led to are placed.
    fn routes(&mut self, all: &[Step]) {
        for step in all {
            let is_router = [("action", "router.route"), ("type", "router")]
                .iter()
                .any(|(key, value)| step.body.get(*key).and_then(Value::as_str) == Some(*value));
            let with = step.body.get("with").and_then(Value::as_object).unwrap_or(&step.body);
            let routes = with.get("routes").and_then(Value::as_object);
            for (index, (_, targets)) in routes.filter(|_| is_router).into_iter().flatten().enumerate() {
                for target in foreign::texts(Some(targets)) {
                    if !all
                        .iter()
                        .any(|step| step.name == target || step.other_name.as_deref() == Some(&target))
                    {
                        self.refuse(
                            &step.path,
                            &format!("a route leads to {}, which is not there", one_line(&target)),
                        );
                    }
                    self.routed.insert(target, (step.name.clone(), format!("ROUTE {index} {}", step.name)));
                }
            }
        }
    }

    /// A router as a step that says which routes are taken.
    pub(super) fn router(&mut self, step: &Step, id: &str, ancestors: &BTreeSet<String>) -> ValueMap {
        let body = step.body.clone();
        let with = body.get("with").and_then(Value::as_object).unwrap_or(&body).clone();
        let value = foreign::text_at(&with, "value").unwrap_or_default();
        let own = (step.name.as_str(), step.other_name.as_deref());
        let env = self.own_env(step, ancestors);
        let found = parts(
            &value,
            Names::Own,
            &Scope { import: self, ancestors, own, env: &env, has_item: false, is_nested: false },
        );
        let mut values = ValueMap::new();
        let actual = super::work::in_quotes(&found, &mut values);
        let mut script = format!("ACTUAL=\"{actual}\"\n");
        let mut outputs = ValueMap::new();
        for (index, (pattern, _)) in
            with.get("routes").and_then(Value::as_object).into_iter().flatten().enumerate()
        {
            let matched = match pattern.strip_prefix("re:") {
                Some(pattern) => format!("grep -qP -e '{}'", pattern.replace('\'', "'\\''")),
                None => format!("grep -qxF -e '{}'", pattern.replace('\'', "'\\''")),
            };
            script.push_str(&format!("if printf '%s\\n' \"$ACTUAL\" | {matched}; then echo r{index}=true; else echo r{index}=false; fi >> \"$CUELIGHT_OUTPUT\"\n"));
            outputs.insert(format!("r{index}"), "string".into());
            let said = format!("ROUTE {index} {}", step.name);
            for (_, condition) in self.routed.values_mut().filter(|(_, condition)| *condition == said) {
                *condition = format!("steps.{id}.outputs.r{index} == 'true'");
            }
        }
        let mut keys = self.prepared(step, &script, values, ancestors);
        if !outputs.is_empty() {
            keys.insert("outputs".to_owned(), outputs.into());
        }
        keys
    }

    pub(super) fn number_of(&mut self, map: &ValueMap, key: &str, path: &str) -> Option<u64> {
        let said = map.get(key)?;
        let found = number(said);
        if found.is_none() {
            self.lose(
                path,
                &format!(
                    "`{path}.{key}`: {} is no whole number, or is known only when it runs",
                    one_line(&said.to_string())
                ),
            );
        }
        found
    }
}

fn is_called(done: &Done, name: &str) -> bool {
    done.name == name || done.other_name.as_deref() == Some(name)
}

pub(super) fn holds(id: &str) -> String {
    format!("steps.{id}.outputs.holds == 'true'")
}

/// True if the brackets of a pattern do not match. This is a scan, not a full parse.
fn is_broken(pattern: &str) -> bool {
    let (mut open, mut is_class, mut is_escaped) = (0_i32, false, false);
    for c in pattern.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' => is_class = false,
            _ if is_class => {}
            '[' => is_class = true,
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open < 0 {
            return true;
        }
    }
    open != 0 || is_class || is_escaped || pattern.is_empty() || pattern.starts_with(['*', '+', '?'])
}

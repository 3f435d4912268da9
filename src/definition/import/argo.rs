//! Workflows of Argo: its templates are unfolded where they are used, so that every container, script, request and pause is a step.
//! Shapes: <https://argo-workflows.readthedocs.io/en/latest/fields/>.

mod words;
mod work;

use self::{
    words::{Scope, Wanted},
    work::{Maker, seconds},
};
use super::{
    foreign,
    page::{Imported, Page, all_of, one_line, variable, without_holes},
};
use crate::base::{Value, ValueMap};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Templates in templates, so deep.
const DEPTH_MAX: usize = 16;
/// Steps of one file, templates unfolded.
const STEPS_MAX: usize = 2_000;

/// A workflow of Argo as a file of ours.
///
/// # Errors
/// Why it could not be read, as a whole sentence.
pub fn import_argo(text: &str) -> Result<Imported, String> {
    let mut page = Page::new("a workflow of Argo");
    let root = foreign::document(text, &mut page)?;
    let outer =
        foreign::map_at(&root, "spec").ok_or("could not import a workflow of Argo: there is no `spec`")?;
    let spec = foreign::map_at(outer, "workflowSpec").unwrap_or(outer);
    let templates = foreign::maps_at(spec, "templates")
        .filter_map(|it| Some((foreign::text_at(it, "name")?, it)))
        .collect::<BTreeMap<String, &ValueMap>>();
    let entry = foreign::text_at(spec, "entrypoint").ok_or(
        "could not import a workflow of Argo: it says no `entrypoint`, so it is no workflow by itself",
    )?;
    let mut import = Import { page, templates, wanted: Wanted::default(), stack: Vec::new() };
    import.top(&root, outer, spec);
    let nothing = Scope::default();
    import.template(&Use { name: entry.clone(), id: entry, ..Use::default() }, None, &nothing);
    if let Some(last) = foreign::text_at(spec, "onExit") {
        let all = import.page.steps.iter().filter_map(|it| foreign::text_at(it, "id")).collect();
        let condition = Some("always()".to_owned());
        let exit =
            Use { name: last.clone(), id: format!("exit-{last}"), needs: all, condition, ..Use::default() };
        import.template(&exit, None, &nothing);
    }
    import.finish()
}

/// A template where it is used.
#[derive(Clone, Debug, Default)]
struct Use {
    /// The template.
    name: String,
    /// What its step is to be called.
    id: String,
    needs: Vec<String>,
    condition: Option<String>,
    matrix: Option<Value>,
    on_error: Option<&'static str>,
    parameters: BTreeMap<String, String>,
}

/// What a template has become.
#[derive(Clone, Debug, Default)]
struct Made {
    /// What whoever comes behind it has to wait for.
    ends: Vec<String>,
    /// What a template with steps of its own yields.
    yields: BTreeMap<String, String>,
}

struct Import<'a> {
    page: Page,
    templates: BTreeMap<String, &'a ValueMap>,
    wanted: Wanted,
    stack: Vec<String>,
}

impl Import<'_> {
    fn top(&mut self, root: &ValueMap, outer: &ValueMap, spec: &ValueMap) {
        let meta = foreign::map_at(root, "metadata");
        let name =
            meta.and_then(|it| foreign::text_at(it, "name").or_else(|| foreign::text_at(it, "generateName")));
        let name = name.unwrap_or_else(|| "imported".to_owned());
        let name = one_line(&without_holes(name.trim_end_matches('-')));
        self.page.top.insert("name".to_owned(), name.into());
        let zone = foreign::text_at(outer, "timezone");
        let overlap = match foreign::text_at(outer, "concurrencyPolicy").as_deref() {
            Some("Forbid") => "skip",
            Some("Replace") => "cancel",
            _ => "allow",
        };
        let cron = |it: String| {
            let mut out = json!({"cron": it, "overlap": overlap});
            if let Some(zone) = &zone {
                out["timezone"] = zone.clone().into();
            }
            out
        };
        let crons: Vec<Value> = ["schedule", "schedules"]
            .iter()
            .flat_map(|it| foreign::texts(outer.get(*it)))
            .map(cron)
            .collect();
        if !crons.is_empty() {
            self.page.top.insert("on".to_owned(), json!({"schedule": crons}));
        }
        let arguments = foreign::map_at(spec, "arguments");
        let inputs: ValueMap = arguments
            .into_iter()
            .flat_map(|it| foreign::maps_at(it, "parameters"))
            .filter_map(|it| Some((variable(&foreign::text_at(it, "name")?), input(it))))
            .collect();
        self.wanted.inputs = inputs.keys().cloned().collect();
        if !inputs.is_empty() {
            self.page.top.insert("inputs".to_owned(), Value::Object(inputs));
        }
        if let Some(parallel) = spec.get("parallelism").and_then(Value::as_u64) {
            self.page.top.insert("max-parallel".to_owned(), parallel.into());
        }
        if let Some(span) = foreign::text_at(spec, "activeDeadlineSeconds") {
            self.page.top.insert("timeout".to_owned(), seconds(&span).into());
        }
        let known = [
            "entrypoint",
            "arguments",
            "templates",
            "parallelism",
            "activeDeadlineSeconds",
            "onExit",
            "workflowSpec",
            "schedule",
            "schedules",
            "timezone",
            "concurrencyPolicy",
        ];
        for key in outer.keys().chain(spec.keys()).filter(|it| !known.contains(&it.as_str())) {
            self.page.leave_out(format!("`{key}`"));
        }
    }

    /// A template, unfolded where it is used; `inline` when it is written there.
    fn template(&mut self, used: &Use, inline: Option<&ValueMap>, around: &Scope) -> Made {
        let found = inline.or_else(|| self.templates.get(&used.name).copied()).cloned();
        let circles = self.stack.contains(&used.name)
            || self.stack.len() >= DEPTH_MAX
            || self.page.steps.len() >= STEPS_MAX;
        let Some(template) = found.filter(|_| !circles) else {
            return self.missing(used);
        };
        let mut scope = Scope { parameters: used.parameters.clone(), ..Scope::default() };
        let own = foreign::map_at(&template, "inputs")
            .into_iter()
            .flat_map(|it| foreign::maps_at(it, "parameters"));
        for parameter in own {
            let Some(name) = foreign::text_at(parameter, "name") else { continue };
            let said = ["value", "default"].iter().find_map(|it| foreign::text_at(parameter, it));
            if let (false, Some(said)) = (scope.parameters.contains_key(&name), said) {
                let text = self.wanted.text(around, &said, &mut self.page);
                scope.parameters.insert(name, text);
            }
        }
        self.stack.push(used.name.clone());
        let made = if template.contains_key("steps") {
            self.steps(used, &template, &mut scope)
        } else if let Some(dag) = foreign::map_at(&template, "dag") {
            self.dag(used, &template, dag, &mut scope)
        } else {
            self.leaf(used, &template, &scope)
        };
        self.stack.pop();
        made
    }

    /// A template that is elsewhere, or that uses itself.
    fn missing(&mut self, used: &Use) -> Made {
        let id = self.page.id(&used.id);
        let body = ValueMap::from_iter([("name".to_owned(), used.name.clone().into())]);
        let keys = Maker { page: &mut self.page, wanted: &mut self.wanted }.by_hand(&id, &body);
        self.put(used, &id, keys)
    }

    fn leaf(&mut self, used: &Use, template: &ValueMap, scope: &Scope) -> Made {
        let id = self.page.id(&used.id);
        let keys = Maker { page: &mut self.page, wanted: &mut self.wanted }.work(&id, template, scope);
        self.put(used, &id, keys)
    }

    fn put(&mut self, used: &Use, id: &str, mut keys: ValueMap) -> Made {
        let is_gate = keys.contains_key("gate");
        if is_gate {
            self.wanted.gates.insert(id.to_owned());
        }
        if let Some(condition) = &used.condition {
            keys.insert("if".to_owned(), condition.clone().into());
        }
        if let Some(matrix) = &used.matrix {
            keys.insert("matrix".to_owned(), matrix.clone());
            if is_gate {
                keys["gate"]["scope"] = "matrix".into();
            }
        }
        if let Some(on_error) = used.on_error {
            keys.insert("on-error".to_owned(), on_error.into());
        }
        self.page.step(id, &used.needs, keys);
        Made { ends: vec![id.to_owned()], yields: BTreeMap::new() }
    }

    /// Groups that follow each other; what is in a group goes on at once.
    fn steps(&mut self, used: &Use, template: &ValueMap, scope: &mut Scope) -> Made {
        let mut needs = used.needs.clone();
        for group in template.get("steps").and_then(Value::as_array).into_iter().flatten() {
            let members: Vec<&ValueMap> = match group {
                Value::Array(items) => items.iter().filter_map(Value::as_object).collect(),
                one => one.as_object().into_iter().collect(),
            };
            let mut ends = Vec::new();
            for member in members {
                ends.extend(self.member(used, member, needs.clone(), None, scope).ends);
            }
            needs = if ends.is_empty() { needs } else { ends };
        }
        Made { ends: needs, yields: self.yields(template, scope) }
    }

    fn dag(&mut self, used: &Use, template: &ValueMap, dag: &ValueMap, scope: &mut Scope) -> Made {
        let mut left: Vec<&ValueMap> = foreign::maps_at(dag, "tasks").collect();
        let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut inner: BTreeSet<String> = BTreeSet::new();
        while !left.is_empty() {
            let is_free = |it: &&ValueMap| {
                wants(it)
                    .iter()
                    .all(|need| ends.contains_key(need) || !left.iter().any(|other| named(other) == *need))
            };
            let next = left.iter().position(is_free).unwrap_or(0);
            let task = left.remove(next);
            let mut needs: Vec<String> = Vec::new();
            for need in wants(task) {
                needs.extend(ends.get(&need).into_iter().flatten().cloned());
                inner.insert(need);
            }
            if needs.is_empty() {
                needs.clone_from(&used.needs);
            }
            let condition = foreign::text_at(task, "depends").and_then(|it| depends(&it, scope));
            let made = self.member(used, task, needs, condition, scope);
            ends.insert(named(task), made.ends);
        }
        let last =
            ends.iter().filter(|(name, _)| !inner.contains(*name)).flat_map(|(_, it)| it.clone()).collect();
        Made { ends: last, yields: self.yields(template, scope) }
    }

    /// A step or a task: what it uses, with what, and when.
    fn member(
        &mut self,
        used: &Use,
        member: &ValueMap,
        needs: Vec<String>,
        depends: Option<String>,
        scope: &mut Scope,
    ) -> Made {
        let name = named(member);
        let is_top = self.stack.len() == 1;
        let id = if is_top { name.clone() } else { format!("{}-{name}", used.id) };
        let when = foreign::text_at(member, "when").map(|it| {
            self.wanted.condition(scope, &it, &mut self.page).unwrap_or_else(|| {
                self.page.leave_out(format!(
                    "when {name} runs, {it}: it does not until that is written under `if`"
                ));
                "false".to_owned()
            })
        });
        let mut matrix = self.matrix(member, scope);
        if matrix.is_none() {
            matrix.clone_from(&used.matrix);
        } else if used.matrix.is_some() {
            self.page.leave_out(format!("the copies around {name}: it has copies of its own"));
        }
        let arguments = foreign::map_at(member, "arguments");
        let mut parameters = BTreeMap::new();
        for it in arguments.into_iter().flat_map(|it| foreign::maps_at(it, "parameters")) {
            if let (Some(name), Some(value)) = (foreign::text_at(it, "name"), foreign::text_at(it, "value")) {
                parameters.insert(name, self.wanted.text(scope, &value, &mut self.page));
            }
        }
        let goes_on = foreign::map_at(member, "continueOn")
            .is_some_and(|it| it.values().any(|it| *it == Value::Bool(true)));
        let other = foreign::map_at(member, "templateRef");
        let inner = Use {
            name: foreign::text_at(member, "template")
                .or_else(|| {
                    other
                        .and_then(|it| foreign::text_at(it, "name"))
                        .map(|it| format!("{it}, which is elsewhere"))
                })
                .unwrap_or_else(|| name.clone()),
            id,
            needs,
            condition: all_of(used.condition.clone().into_iter().chain(depends).chain(when)),
            matrix,
            on_error: if goes_on { Some("skip") } else { used.on_error },
            parameters,
        };
        let around = scope.clone();
        let made = self.template(&inner, foreign::map_at(member, "inline"), &around);
        if let Some(last) = made.ends.last() {
            scope.steps.insert(name.clone(), last.clone());
        }
        for (output, text) in &made.yields {
            scope.yields.insert((name.clone(), output.clone()), text.clone());
        }
        made
    }

    /// What a template with steps of its own yields.
    fn yields(&mut self, template: &ValueMap, scope: &Scope) -> BTreeMap<String, String> {
        let outputs = foreign::map_at(template, "outputs")
            .into_iter()
            .flat_map(|it| foreign::maps_at(it, "parameters"));
        let mut out = BTreeMap::new();
        for it in outputs {
            let from = foreign::map_at(it, "valueFrom").and_then(|it| foreign::text_at(it, "parameter"));
            if let (Some(name), Some(from)) = (foreign::text_at(it, "name"), from) {
                out.insert(name, self.wanted.text(scope, &from, &mut self.page));
            }
        }
        out
    }

    fn matrix(&mut self, member: &ValueMap, scope: &Scope) -> Option<Value> {
        if let Some(items) = member.get("withItems").and_then(Value::as_array) {
            let mut ours = Vec::with_capacity(items.len());
            for item in items {
                ours.push(match foreign::text(item) {
                    Some(text) => self.wanted.text(scope, &text, &mut self.page).into(),
                    None => item.clone(),
                });
            }
            return Some(json!({"item": ours}));
        }
        if let Some(text) = foreign::text_at(member, "withParam") {
            let list = self.wanted.text(scope, &text, &mut self.page);
            let inner = list.strip_prefix("${{").and_then(|it| it.strip_suffix("}}")).map(str::trim);
            return Some(match (inner, serde_json::from_str::<Value>(&list)) {
                (Some(inner), _) if !inner.contains("${{") => computed(inner),
                (None, Ok(Value::Array(items))) => json!({"item": items}),
                _ => self.asked(member, &text),
            });
        }
        let sequence = foreign::map_at(member, "withSequence")?;
        let number = |key: &str| foreign::text_at(sequence, key).and_then(|it| it.parse::<i64>().ok());
        let start = number("start").unwrap_or(0);
        let end = number("end").or_else(|| Some(start + number("count")? - 1));
        let Some(end) = end.filter(|it| it.abs_diff(start) < 10_000 && !sequence.contains_key("format"))
        else {
            return Some(self.asked(member, "a sequence that is only known when it runs"));
        };
        let items: Vec<String> = if start <= end {
            (start..=end).map(|it| it.to_string()).collect()
        } else {
            (end..=start).rev().map(|it| it.to_string()).collect()
        };
        Some(json!({"item": items}))
    }

    /// Copies that cannot be worked out here: whoever starts the run says which.
    fn asked(&mut self, member: &ValueMap, said: &str) -> Value {
        let name = variable(&format!("items_of_{}", named(member)));
        self.page.leave_out(format!("the copies of {}, {said}: give them as {name}, a list", named(member)));
        let inputs = self.page.top.entry("inputs").or_insert_with(|| json!({}));
        inputs[&name] = json!({"type": "array", "default": []});
        computed(&format!("toJSON(inputs.{name})"))
    }

    fn finish(mut self) -> Result<Imported, String> {
        let mut lost = Vec::new();
        for step in &mut self.page.steps {
            let id = foreign::text_at(step, "id").unwrap_or_default();
            let Some(names) = self.wanted.outputs.get(&id) else { continue };
            if let Some(gate) = step.get_mut("gate") {
                for name in names {
                    if gate["form"].get(name).is_none() {
                        gate["form"][name] = json!({"type": "string"});
                    }
                }
                continue;
            }
            let Some(script) = foreign::text_at(step, "run") else { continue };
            let others: Vec<&str> = names.iter().map(String::as_str).filter(|it| *it != "result").collect();
            if !others.is_empty() {
                lost.push(format!(
                    "{} of {id}, which a file of its container holds: write it to $CUELIGHT_OUTPUT",
                    others.join(", ")
                ));
            }
            if names.contains("result") {
                step.insert("run".to_owned(), kept(&script).into());
            }
            step.insert(
                "outputs".to_owned(),
                names.iter().map(|it| (it.clone(), "string".into())).collect::<ValueMap>().into(),
            );
        }
        lost.into_iter().for_each(|it| self.page.leave_out(it));
        self.page.finish()
    }
}

/// A matrix whose items are what an expression says, as JSON.
fn computed(list: &str) -> Value {
    format!("${{{{ fromJSON(format('{{{{\"item\":{{0}}}}}}', {list})) }}}}").into()
}

/// A script whose output is its result as well.
fn kept(script: &str) -> String {
    format!(
        "result=$(\n{}\n)\necho \"$result\"\n{{\n  echo \"result<<CUELIGHT_RESULT\"\n  echo \"$result\"\n  echo CUELIGHT_RESULT\n}} >> \"$CUELIGHT_OUTPUT\"\n",
        script.trim_end()
    )
}

fn named(member: &ValueMap) -> String {
    foreign::text_at(member, "name").unwrap_or_else(|| "step".to_owned())
}

fn input(parameter: &ValueMap) -> Value {
    let mut out = json!({"type": "string"});
    let value = ["value", "default"].iter().find_map(|it| foreign::text_at(parameter, it));
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

/// The tasks that a task waits for.
fn wants(task: &ValueMap) -> Vec<String> {
    let mut out = foreign::texts(task.get("dependencies"));
    let said = foreign::text_at(task, "depends").unwrap_or_default();
    for word in said.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
        let name = word.split('.').next().unwrap_or_default();
        if !name.is_empty() && !out.iter().any(|it| it == name) {
            out.push(name.to_owned());
        }
    }
    out
}

/// What has to have become of them, where that is more than success of all.
fn depends(said: &str, scope: &Scope) -> Option<String> {
    let is_plain =
        !said.contains("||") && !said.contains('!') && !said.replace(".Succeeded", "").contains('.');
    if is_plain {
        return None;
    }
    let mut out = String::new();
    let mut word = String::new();
    for c in said.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            let (name, state) = word.split_once('.').unwrap_or((&word, "Succeeded"));
            let state = match state {
                "Failed" | "Errored" | "AnyFailed" => "failure",
                "Skipped" | "Omitted" => "skipped",
                _ => "success",
            };
            out.push_str(&format!("steps.{}.result == '{state}'", scope.steps.get(name)?));
            word.clear();
        }
        out.push(c);
    }
    Some(format!("always() && ({})", out.trim()))
}

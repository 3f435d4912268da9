//! Workflows of Argo: its templates are unfolded where they are used, so that every container, script, request and pause is a step.
//! Shapes: <https://argo-workflows.readthedocs.io/en/latest/fields/>.

mod copies;
mod shell;
mod waits;
mod words;
mod work;

use self::{
    waits::{Inside, Made, Wait, wants, with},
    words::{BYTES_MAX, Scope, Wanted},
    work::{Maker, seconds},
};
use super::{
    foreign,
    page::{Imported, Page, all_of, kept, one_line, variable, without_holes},
};
use crate::base::{Value, ValueMap};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Templates in templates, so deep.
const DEPTH_MAX: usize = 16;
/// Templates of one file, each counted where it is used.
const UNFOLDED_MAX: usize = 2_000;

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
    let mut import = Import { page, templates, wanted: Wanted::default(), stack: Vec::new(), unfolded: 0 };
    import.top(&root, outer, spec);
    let nothing = Scope::default();
    import.template(&Use { name: entry.clone(), id: entry, ..Use::default() }, None, &nothing);
    if let Some(last) = foreign::text_at(spec, "onExit") {
        let all: Vec<String> = import.page.steps.iter().filter_map(|it| foreign::text_at(it, "id")).collect();
        let exit = Use {
            name: last.clone(),
            id: format!("exit-{last}"),
            needs: all.clone(),
            always: all,
            condition: vec!["always()".to_owned()],
            inside: Inside { asks: true, is_strict: false },
            ..Use::default()
        };
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
    /// What each of its steps needs, wherever it stands in it: what is done at the end asks how those came out.
    always: Vec<String>,
    /// What has to hold, all of it.
    condition: Vec<String>,
    inside: Inside,
    matrix: Option<Value>,
    on_error: Option<&'static str>,
    parameters: BTreeMap<String, String>,
}

struct Import<'a> {
    page: Page,
    templates: BTreeMap<String, &'a ValueMap>,
    wanted: Wanted,
    stack: Vec<String>,
    unfolded: usize,
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
        self.unfolded += 1;
        if self.is_too_much() {
            return Made::default();
        }
        let found = inline.or_else(|| self.templates.get(&used.name).copied());
        let circles = self.stack.contains(&used.name) || self.stack.len() >= DEPTH_MAX;
        let Some(template) = found.filter(|_| !circles) else {
            return self.missing(used);
        };
        let mut scope = Scope { parameters: used.parameters.clone(), ..Scope::default() };
        let own =
            foreign::map_at(template, "inputs").into_iter().flat_map(|it| foreign::maps_at(it, "parameters"));
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
            self.steps(used, template, &mut scope)
        } else if let Some(dag) = foreign::map_at(template, "dag") {
            self.dag(used, template, dag, &mut scope)
        } else {
            self.leaf(used, template, &scope)
        };
        self.stack.pop();
        made
    }

    /// Whether more was made of the file than there is room for: nothing more is, and that is said at the end.
    fn is_too_much(&self) -> bool {
        self.unfolded > UNFOLDED_MAX || self.wanted.bytes > BYTES_MAX
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
        if let Some(condition) = all_of(used.condition.iter().cloned()) {
            keys.insert("if".to_owned(), condition.into());
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
        let needs = with(&used.needs, &used.always);
        let made = serde_json::to_string(&keys).map_or(0, |it| it.len());
        self.wanted.bytes += made + needs.iter().map(String::len).sum::<usize>();
        self.page.step(id, &needs, keys);
        Made { ends: vec![id.to_owned()], leaves: vec![id.to_owned()], ..Made::default() }
    }

    /// Groups that follow each other; what is in a group goes on at once.
    fn steps(&mut self, used: &Use, template: &ValueMap, scope: &mut Scope) -> Made {
        let mut out = Made { ends: used.needs.clone(), ..Made::default() };
        for group in template.get("steps").and_then(Value::as_array).into_iter().flatten() {
            let members: Vec<&ValueMap> = match group {
                Value::Array(items) => items.iter().filter_map(Value::as_object).collect(),
                one => one.as_object().into_iter().collect(),
            };
            if out.is_vague && out.asks {
                self.page.leave_out(format!(
                    "what follows in {}: it begins only when no step before it failed, also where others were there for that",
                    used.name
                ));
            }
            let wait = used.inside.group(&out.leaves, out.asks);
            let mut group = Made::default();
            for member in members {
                if self.is_too_much() {
                    return out;
                }
                let made = self.member(used, member, out.ends.clone(), &wait, scope);
                group.ends.extend(made.ends.iter().cloned());
                group.join(&made);
            }
            out.join(&group);
            out.ends = if group.ends.is_empty() { out.ends } else { group.ends };
        }
        out.yields = self.yields(template, scope);
        out
    }

    /// Whether the other branches go on when one fails is said by each graph there, and by the file as a whole here.
    fn goes_on(&mut self, used: &Use, dag: &ValueMap) {
        let goes_on = dag.get("failFast") == Some(&Value::Bool(false));
        if self.stack.len() == 1 && used.always.is_empty() {
            if goes_on {
                self.page.top.insert("on-failure".to_owned(), "continue".into());
            }
            return;
        }
        let file_goes_on = self.page.top.contains_key("on-failure");
        let name = &used.name;
        match (goes_on, file_goes_on) {
            (true, false) => self.page.leave_out(format!(
                "`failFast: false` of {name}: when a step of it fails, none begins any more"
            )),
            (false, true) => {
                self.page
                    .leave_out(format!("that {name} ends at its first failure: its other branches go on"));
            }
            (true, true) | (false, false) => {}
        }
    }

    fn dag(&mut self, used: &Use, template: &ValueMap, dag: &ValueMap, scope: &mut Scope) -> Made {
        self.goes_on(used, dag);
        let mut left: Vec<(String, BTreeSet<String>, &ValueMap)> = foreign::maps_at(dag, "tasks")
            .take(UNFOLDED_MAX + 1)
            .map(|it| (named(it), wants(it), it))
            .collect();
        let mut waiting: BTreeSet<String> = left.iter().map(|it| it.0.clone()).collect();
        let mut done: BTreeMap<String, Made> = BTreeMap::new();
        let mut inner: BTreeSet<String> = BTreeSet::new();
        let mut out = Made::default();
        while !left.is_empty() && !self.is_too_much() {
            let next = left.iter().position(|it| it.1.is_disjoint(&waiting)).unwrap_or(0);
            let (name, wants, task) = left.remove(next);
            waiting.remove(&name);
            let before: Vec<String> =
                wants.iter().filter_map(|it| done.get(it)).flat_map(|it| it.ends.clone()).collect();
            let needs = if before.is_empty() { used.needs.clone() } else { with(&before, &[]) };
            let wait = used.inside.task(task, &done);
            if let Some(why) = &wait.why {
                self.page.leave_out(format!(
                    "when {name} runs, {why}: it does not until that is written under `if`"
                ));
            }
            let mut made = self.member(used, task, needs, &wait, scope);
            // Who asks how others came out may be there for their failure.
            out.is_vague |= wait.is_special;
            let vague = wants.iter().filter_map(|it| done.get(it)).find(|it| it.is_vague && it.asks);
            if vague.is_some() && !wait.is_special {
                self.page.leave_out(format!(
                    "when {name} runs: only when no step before it failed, also where others were there for that"
                ));
            }
            made.is_vague |=
                wait.why.is_some() || wants.iter().filter_map(|it| done.get(it)).any(|it| it.is_vague);
            out.join(&made);
            done.insert(name, made);
            inner.extend(wants);
        }
        let last = done.iter().filter(|(name, _)| !inner.contains(*name)).flat_map(|(_, it)| it.ends.clone());
        out.ends = last.collect();
        if out.ends.is_empty() {
            out.ends.clone_from(if out.leaves.is_empty() { &used.needs } else { &out.leaves });
        }
        out.yields = self.yields(template, scope);
        out
    }

    /// A step or a task: what it uses, with what, and when.
    fn member(
        &mut self,
        used: &Use,
        member: &ValueMap,
        needs: Vec<String>,
        wait: &Wait,
        scope: &mut Scope,
    ) -> Made {
        let name = named(member);
        let is_top = self.stack.len() == 1;
        let id = if is_top { name.clone() } else { format!("{}-{name}", used.id) };
        let mut is_readable = true;
        let when = foreign::text_at(member, "when").map(|it| {
            self.wanted.condition(scope, &it, &mut self.page).unwrap_or_else(|| {
                self.page.leave_out(format!(
                    "when {name} runs, {it}: it does not until that is written under `if`"
                ));
                is_readable = false;
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
        let template = foreign::text_at(member, "template");
        let inline = foreign::map_at(member, "inline");
        let found = inline.or_else(|| self.templates.get(template.as_ref()?).copied());
        let is_leaf = found.is_none_or(is_leaf);
        let goes_on = foreign::map_at(member, "continueOn")
            .is_some_and(|it| it.values().any(|it| *it == Value::Bool(true)));
        let can_go_on = goes_on && (is_leaf || found.is_some_and(|it| self.is_straight(it)));
        if goes_on && !can_go_on {
            self.page.leave_out(format!("`continueOn` of {name}: what fails in it is a failure here"));
        }
        let is_strict = used.inside.is_strict || can_go_on && !is_leaf;
        let asks = used.inside.asks || wait.asks;
        let other = foreign::map_at(member, "templateRef");
        let inner = Use {
            name: template
                .or_else(|| {
                    other
                        .and_then(|it| foreign::text_at(it, "name"))
                        .map(|it| format!("{it}, which is elsewhere"))
                })
                .unwrap_or_else(|| name.clone()),
            id,
            needs,
            always: used.always.clone(),
            condition: used.condition.iter().chain(&wait.parts).chain(&when).cloned().collect(),
            inside: Inside { asks, is_strict },
            matrix,
            on_error: if can_go_on { Some("skip") } else { used.on_error },
            parameters,
        };
        let mut made = self.template(&inner, inline, scope);
        made.ran.clone_from(&wait.ran);
        made.behind.clone_from(&wait.behind);
        made.asks |= wait.asks;
        made.varies |= when.is_some();
        made.is_copied = inner.matrix.is_some();
        made.goes_on = can_go_on;
        made.is_readable = is_readable;
        made.when = when;
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

    /// Whether a template is a row of containers without conditions: what fails in it ends it, and nothing else leaves a step of it out.
    fn is_straight(&self, template: &ValueMap) -> bool {
        let tasks = foreign::map_at(template, "dag").into_iter().flat_map(|it| foreign::maps_at(it, "tasks"));
        let groups = template.get("steps").and_then(Value::as_array).into_iter().flatten();
        let members = groups.flat_map(|it| it.as_array().map_or(std::slice::from_ref(it), Vec::as_slice));
        members.filter_map(Value::as_object).chain(tasks).all(|it| {
            let named = foreign::text_at(it, "template");
            let used = foreign::map_at(it, "inline").or_else(|| self.templates.get(named.as_ref()?).copied());
            let is_plain = foreign::text_at(it, "depends").is_none_or(|it| !it.contains(['|', '!', '.']));
            used.is_none_or(is_leaf) && is_plain && !it.contains_key("when") && !it.contains_key("continueOn")
        })
    }

    fn finish(mut self) -> Result<Imported, String> {
        let limit = if self.wanted.bytes > BYTES_MAX {
            format!("{} MiB of text", BYTES_MAX >> 20)
        } else {
            format!("{UNFOLDED_MAX} templates")
        };
        if self.is_too_much() {
            return Err(format!("could not import a workflow of Argo: it unfolds into more than {limit}"));
        }
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
                step.insert("run".to_owned(), kept("result", &script).into());
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

fn is_leaf(template: &ValueMap) -> bool {
    !template.contains_key("steps") && !template.contains_key("dag")
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

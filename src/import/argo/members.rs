//! The members of a template that holds others: `steps` one after the other, and the tasks of a `dag`.

use super::waits::{Inside, Made, Wait, wants, with};
use super::words::Scope;
use super::{Import, UNFOLDED_MAX, Use, is_leaf};
use crate::foreign;
use cuelight_base::{Value, ValueMap};
use std::collections::{BTreeMap, BTreeSet};

impl Import<'_> {
    /// Groups that follow each other; what is in a group goes on at once.
    pub(super) fn steps(&mut self, used: &Use, template: &ValueMap, scope: &mut Scope) -> Made {
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

    /// Carries over `failFast`. Argo sets it for each graph, a file of ours once for all steps; differences
    /// are reported.
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

    pub(super) fn dag(&mut self, used: &Use, template: &ValueMap, dag: &ValueMap, scope: &mut Scope) -> Made {
        self.goes_on(used, dag);
        self.page.leave_out_all_but(
            &["tasks", "failFast", "target"],
            dag,
            &format!("the dag of {}", used.name),
        );
        let mut left: Vec<(String, BTreeSet<String>, &ValueMap)> = foreign::maps_at(dag, "tasks")
            .take(UNFOLDED_MAX + 1)
            .map(|map| (named(map), wants(map), map))
            .collect();
        if let Some(target) = foreign::text_at(dag, "target") {
            self.targeted(&mut left, &target, &used.name);
        }
        let mut waiting: BTreeSet<String> = left.iter().map(|row| row.0.clone()).collect();
        let mut done: BTreeMap<String, Made> = BTreeMap::new();
        let mut inner: BTreeSet<String> = BTreeSet::new();
        let mut out = Made::default();
        while !left.is_empty() && !self.is_too_much() {
            let next = left.iter().position(|row| row.1.is_disjoint(&waiting)).unwrap_or(0);
            let (name, wants, task) = left.remove(next);
            waiting.remove(&name);
            let before: Vec<String> =
                wants.iter().filter_map(|value| done.get(value)).flat_map(|made| made.ends.clone()).collect();
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
            let vague =
                wants.iter().filter_map(|value| done.get(value)).find(|made| made.is_vague && made.asks);
            if vague.is_some() && !wait.is_special {
                self.page.leave_out(format!(
                    "when {name} runs: only when no step before it failed, also where others were there for that"
                ));
            }
            made.is_vague |= wait.why.is_some()
                || wants.iter().filter_map(|value| done.get(value)).any(|made| made.is_vague);
            out.join(&made);
            done.insert(name, made);
            inner.extend(wants);
        }
        let last =
            done.iter().filter(|(name, _)| !inner.contains(*name)).flat_map(|(_, made)| made.ends.clone());
        out.ends = last.collect();
        if out.ends.is_empty() {
            out.ends.clone_from(if out.leaves.is_empty() { &used.needs } else { &out.leaves });
        }
        out.yields = self.yields(template, scope);
        out
    }

    /// The tasks that a graph is asked for, and those they need; none of them when that cannot be read.
    fn targeted(&mut self, tasks: &mut Vec<(String, BTreeSet<String>, &ValueMap)>, target: &str, of: &str) {
        let mut wanted: BTreeSet<String> = target.split_whitespace().map(str::to_owned).collect();
        if wanted.iter().any(|text| tasks.iter().all(|task| task.0 != *text)) {
            self.page.leave_out(format!(
                "`target` of {of}, {}: none of its tasks is here, since which of them run cannot be said",
                target.replace("{{", "{ {")
            ));
            return tasks.clear();
        }
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        while let Some(name) = open.pop() {
            for need in tasks.iter().filter(|task| task.0 == name).flat_map(|task| &task.1) {
                if wanted.insert(need.clone()) {
                    open.push(need.clone());
                }
            }
        }
        tasks.retain(|task| wanted.contains(&task.0));
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
        let known = [
            "name",
            "template",
            "templateRef",
            "inline",
            "arguments",
            "when",
            "depends",
            "dependencies",
            "continueOn",
            "withItems",
            "withParam",
            "withSequence",
        ];
        self.page.leave_out_all_but(&known, member, &format!("{name} of {}", used.name));
        let is_top = self.stack.len() == 1;
        let id = if is_top { name.clone() } else { format!("{}-{name}", used.id) };
        let mut is_readable = true;
        let when = foreign::text_at(member, "when").map(|text| {
            self.wanted.condition(scope, &text, &mut self.page).unwrap_or_else(|| {
                self.page.leave_out(format!(
                    "when {name} runs, {text}: it does not until that is written under `if`"
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
        for map in arguments.into_iter().flat_map(|arguments| foreign::maps_at(arguments, "parameters")) {
            if let (Some(name), Some(value)) = (foreign::text_at(map, "name"), foreign::text_at(map, "value"))
            {
                parameters.insert(name, self.wanted.text(scope, &value, &mut self.page));
            }
            self.parameter(map, &[], &name);
        }
        if let Some(arguments) = arguments {
            self.page.leave_out_all_but(&["parameters"], arguments, &format!("the arguments of {name}"));
        }
        let template = foreign::text_at(member, "template");
        let inline = foreign::map_at(member, "inline");
        let found = inline.or_else(|| self.templates.get(template.as_ref()?).copied());
        let is_leaf = found.is_none_or(is_leaf);
        let goes_on = foreign::map_at(member, "continueOn")
            .is_some_and(|continue_on| continue_on.values().any(|value| *value == Value::Bool(true)));
        let can_go_on = goes_on && (is_leaf || found.is_some_and(|inline| self.is_straight(inline)));
        if goes_on && !can_go_on {
            self.page.leave_out(format!("`continueOn` of {name}: what fails in it is a failure here"));
        }
        let is_strict = used.inside.is_strict || can_go_on && !is_leaf;
        let asks = used.inside.asks || wait.asks;
        let other = foreign::map_at(member, "templateRef");
        if member.contains_key("templateRef") && (template.is_some() || inline.is_some()) {
            self.page.leave_out(format!("`templateRef` of {name}: it names a template already"));
        }
        let inner = Use {
            name: template
                .or_else(|| {
                    other
                        .and_then(|template_ref| foreign::text_at(template_ref, "name"))
                        .map(|name| format!("{name}, which is elsewhere"))
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

    /// The outputs of a template that has steps of its own.
    fn yields(&mut self, template: &ValueMap, scope: &Scope) -> BTreeMap<String, String> {
        let outputs = foreign::map_at(template, "outputs")
            .into_iter()
            .flat_map(|outputs| foreign::maps_at(outputs, "parameters"));
        let mut out = BTreeMap::new();
        for output in outputs {
            let from = foreign::map_at(output, "valueFrom")
                .and_then(|value_from| foreign::text_at(value_from, "parameter"));
            if let (Some(name), Some(from)) = (foreign::text_at(output, "name"), from) {
                out.insert(name, self.wanted.text(scope, &from, &mut self.page));
            }
        }
        out
    }

    /// True if a template is a row of containers without conditions. A failure in it ends it, and nothing
    /// else leaves out a step.
    fn is_straight(&self, template: &ValueMap) -> bool {
        let tasks =
            foreign::map_at(template, "dag").into_iter().flat_map(|dag| foreign::maps_at(dag, "tasks"));
        let groups = template.get("steps").and_then(Value::as_array).into_iter().flatten();
        let members =
            groups.flat_map(|group| group.as_array().map_or(std::slice::from_ref(group), Vec::as_slice));
        members.filter_map(Value::as_object).chain(tasks).all(|fields| {
            let named = foreign::text_at(fields, "template");
            let used =
                foreign::map_at(fields, "inline").or_else(|| self.templates.get(named.as_ref()?).copied());
            let is_plain =
                foreign::text_at(fields, "depends").is_none_or(|depends| !depends.contains(['|', '!', '.']));
            used.is_none_or(is_leaf)
                && is_plain
                && !fields.contains_key("when")
                && !fields.contains_key("continueOn")
        })
    }
}

pub(super) fn named(member: &ValueMap) -> String {
    foreign::text_at(member, "name").unwrap_or_else(|| "step".to_owned())
}

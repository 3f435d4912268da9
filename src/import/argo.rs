//! Workflows of Argo: its templates are unfolded where they are used, so that every container, script, request and pause is a step.
//! Shapes: <https://argo-workflows.readthedocs.io/en/latest/fields/>.

mod copies;
mod held;
mod shell;
mod waits;
mod words;
mod work;

pub(crate) use self::{shell::in_shell, words::Piece};

use self::{
    held::{Held, PLACED, READ},
    waits::{Inside, Made, Wait, wants, with},
    words::{BYTES_MAX, Scope, Wanted},
    work::{Maker, quoted as shell_word, seconds},
};
use super::{
    foreign,
    page::{Imported, Page, all_of, kept, one_line, variable, without_holes},
    shapes,
};
use cuelight_base::{Span, Value, ValueMap};
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
    shapes::check(&root, &shapes::ARGO, "a workflow of Argo")?;
    refused(&root, spec)?;
    let made: Vec<ValueMap> =
        foreign::maps_at(spec, "templates").map(|map| with_defaults(spec, map)).collect();
    let templates = made
        .iter()
        .filter_map(|map| Some((foreign::text_at(map, "name")?, map)))
        .collect::<BTreeMap<String, &ValueMap>>();
    let entry = foreign::text_at(spec, "entrypoint").ok_or(
        "could not import a workflow of Argo: it says no `entrypoint`, so it is no workflow by itself",
    )?;
    let mut import = Import {
        page,
        spec,
        asked: Vec::new(),
        templates,
        wanted: Wanted::default(),
        stack: Vec::new(),
        unfolded: 0,
    };
    import.top(&root, outer, spec);
    let nothing = Scope::default();
    let start = import.start(spec);
    let main = Use {
        name: entry.clone(),
        id: entry,
        needs: start.clone(),
        condition: succeeded(&start),
        ..Use::default()
    };
    import.template(&main, None, &nothing);
    if let Some(last) = foreign::text_at(spec, "onExit") {
        let all: Vec<String> =
            import.page.steps.iter().filter_map(|step| foreign::text_at(step, "id")).collect();
        let exit = Use {
            name: last.clone(),
            id: format!("exit-{last}"),
            needs: all.clone(),
            always: all,
            condition: [succeeded(&start), vec!["always()".to_owned()]].concat(),
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
    /// The name of the template.
    name: String,
    /// The wanted id of its step.
    id: String,
    needs: Vec<String>,
    /// Steps that each of its steps needs, however deep. They let an exit handler read the results of the
    /// other steps.
    always: Vec<String>,
    /// Conditions that must all hold.
    condition: Vec<String>,
    inside: Inside,
    matrix: Option<Value>,
    on_error: Option<&'static str>,
    parameters: BTreeMap<String, String>,
}

struct Import<'a> {
    page: Page,
    spec: &'a ValueMap,
    /// Requirements on all pods, which a gate asks about before anything runs.
    asked: Vec<String>,
    templates: BTreeMap<String, &'a ValueMap>,
    wanted: Wanted,
    stack: Vec<String>,
    unfolded: usize,
}

impl Import<'_> {
    fn top(&mut self, root: &ValueMap, outer: &ValueMap, spec: &ValueMap) {
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
    fn start(&mut self, spec: &ValueMap) -> Vec<String> {
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
    fn parallelism(&mut self, said: &ValueMap, of: Option<&str>) {
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
    fn parameter(&mut self, parameter: &ValueMap, more: &[&str], of: &str) {
        let name = foreign::text_at(parameter, "name").unwrap_or_default();
        let of = format!("the parameter {name} of {of}");
        self.page.leave_out_all_but(&[&["name", "value", "default"], more].concat(), parameter, &of);
        if parameter.contains_key("value") && parameter.contains_key("default") {
            self.page.leave_out(format!("`default` of {of}: it has a value"));
        }
    }

    /// The requirements on a template that does work itself, including the questions to ask before it.
    fn held(&mut self, template: &ValueMap, of: &str) -> Held {
        let mut held = Held::default();
        let locks = foreign::map_at(template, "synchronization");
        if !is_leaf(template) {
            let locks = locks.map(|locks| {
                ValueMap::from_iter([("synchronization".to_owned(), Value::Object(locks.clone()))])
            });
            held.of_pod(&locks.unwrap_or_default());
            return held;
        }
        held.of_pod(template);
        held.accompanied(template);
        let (mut outer, spec) = (Held::default(), self.spec);
        outer.of_pod(spec);
        held.labels.extend(outer.labels);
        let container =
            foreign::map_at(template, "container").or_else(|| foreign::map_at(template, "script"));
        match container {
            Some(container) => {
                held.secured(&[spec, template], container, &mut self.page, of);
                held.bounded(container, &mut self.page, of);
                // Asked once, before all.
                held.asks.retain(|text| {
                    !self.asked.contains(text) || template.contains_key(text.trim_matches('`'))
                });
            }
            None if template.contains_key("securityContext") => {
                self.page.leave_out(format!("`securityContext` of {of}: no container is started for it"));
            }
            None => {}
        }
        if template.contains_key("suspend") && !held.labels.is_empty() {
            self.page.leave_out(format!("`nodeSelector` of {of}: nothing runs there"));
        }
        for (key, said) in
            [("serviceAccountName", template), ("executor", template), ("serviceAccountName", spec)]
        {
            let inner =
                foreign::map_at(said, key).and_then(|map| foreign::text_at(map, "serviceAccountName"));
            let Some(account) = foreign::text_at(said, key).or(inner) else { continue };
            if template.contains_key("resource") {
                held.asks.push(format!("`{key}` {}", account.replace("{{", "{ {")));
            } else {
                self.page.leave_out(format!("`{key}` of {of}: it has no account of the cluster here"));
            }
        }
        held.settled()
    }

    /// A gate before a template that is held to something nobody here can hold it to.
    fn asked_before(&mut self, used: &Use, asks: &[String]) -> Use {
        let id = self.page.id(&format!("{}-held", used.id));
        self.page.leave_out(format!("{} of {}: {id} asks before it runs here", asks.join(", "), used.name));
        let prompt = format!(
            "Run {} on this machine? In Argo it is held by {}",
            one_line(&without_holes(&used.id)),
            one_line(&without_holes(&asks.join(", ")))
        );
        let gate = json!({"prompt": prompt, "risk": "externally-reversible"});
        let before = Use { on_error: None, ..used.clone() };
        self.put(&before, &id, ValueMap::from_iter([("gate".to_owned(), gate)]));
        let mut behind = used.clone();
        behind.condition.extend(succeeded(std::slice::from_ref(&id)));
        behind.needs = vec![id];
        behind
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
        let of = format!("the template {}", used.name);
        let held = self.known(template, &of);
        let behind = (!held.asks.is_empty()).then(|| self.asked_before(used, &held.asks));
        let used = behind.as_ref().unwrap_or(used);
        let mut scope = Scope { parameters: used.parameters.clone(), ..Scope::default() };
        let own = foreign::map_at(template, "inputs")
            .into_iter()
            .flat_map(|inputs| foreign::maps_at(inputs, "parameters"));
        let own: Vec<&ValueMap> = own.collect();
        scope.parameters.retain(|name, _| {
            let is_there = own.iter().any(|map| foreign::text_at(map, "name").as_ref() == Some(name));
            if !is_there {
                self.page
                    .leave_out(format!("the argument {name} for {of}, which has no parameter of that name"));
            }
            is_there
        });
        for parameter in own {
            let asked: &[&str] = if template.contains_key("suspend") { &["enum"] } else { &[] };
            self.parameter(parameter, asked, &of);
            let Some(name) = foreign::text_at(parameter, "name") else { continue };
            let said = ["value", "default"].iter().find_map(|key| foreign::text_at(parameter, key));
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
            self.leaf(used, template, &scope, &held)
        };
        self.stack.pop();
        made
    }

    /// True if the import has grown too large. Nothing more is unfolded then, and the end of the import
    /// reports it.
    fn is_too_much(&self) -> bool {
        self.unfolded > UNFOLDED_MAX || self.wanted.bytes > BYTES_MAX
    }

    /// A template that is elsewhere, or that uses itself.
    fn missing(&mut self, used: &Use) -> Made {
        let id = self.page.id(&used.id);
        let body = ValueMap::from_iter([("name".to_owned(), used.name.clone().into())]);
        let held = Held::default();
        let keys = Maker { page: &mut self.page, wanted: &mut self.wanted, held: &held }.by_hand(&id, &body);
        self.put(used, &id, keys)
    }

    fn leaf(&mut self, used: &Use, template: &ValueMap, scope: &Scope, held: &Held) -> Made {
        let id = self.page.id(&used.id);
        let mut keys =
            Maker { page: &mut self.page, wanted: &mut self.wanted, held }.work(&id, template, scope);
        if !held.labels.is_empty() && !keys.contains_key("gate") {
            keys.insert("requires".to_owned(), json!({"labels": held.labels}));
        }
        self.put(used, &id, keys)
    }

    /// Names the keys of a template that nothing stands for here, and gives what it is held to.
    fn known(&mut self, template: &ValueMap, of: &str) -> Held {
        let both = ["name", "inputs", "outputs", "parallelism", "synchronization"];
        let pod = [
            "retryStrategy",
            "activeDeadlineSeconds",
            "timeout",
            "serviceAccountName",
            "executor",
            "initContainers",
            "sidecars",
        ];
        let kinds = ["container", "script", "http", "resource", "suspend", "containerSet", "data", "plugin"];
        let known = if is_leaf(template) {
            self.one_kind(template, &kinds, of);
            [&both[..], &pod, &PLACED, &READ, &kinds].concat()
        } else {
            self.one_kind(template, &["steps", "dag"], of);
            [&both[..], &["steps", "dag"]].concat()
        };
        self.page.leave_out_all_but(&known, template, of);
        if let Some(executor) = foreign::map_at(template, "executor") {
            self.page.leave_out_all_but(&["serviceAccountName"], executor, &format!("the executor of {of}"));
        }
        self.parallelism(template, Some(of));
        for (side, known) in [("inputs", "parameters"), ("outputs", "parameters")] {
            let Some(said) = foreign::map_at(template, side) else { continue };
            let artifacts = is_leaf(template).then_some("artifacts");
            let known: Vec<&str> = [known].into_iter().chain(artifacts).collect();
            self.page.leave_out_all_but(&known, said, &format!("the {side} of {of}"));
        }
        let outputs = foreign::map_at(template, "outputs");
        for output in outputs.into_iter().flat_map(|outputs| foreign::maps_at(outputs, "parameters")) {
            let name = foreign::text_at(output, "name").unwrap_or_default();
            let of = format!("the output {name} of {of}");
            self.page.leave_out_all_but(&["name", "valueFrom"], output, &of);
            let empty = ValueMap::new();
            let from = foreign::map_at(output, "valueFrom").unwrap_or(&empty);
            if !is_leaf(template) {
                self.page.leave_out_all_but(&["parameter"], from, &of);
            } else if !template.contains_key("suspend") {
                let from = from
                    .iter()
                    .map(|(key, value)| format!(" `{key}` {}", foreign::text(value).unwrap_or_default()));
                self.page.leave_out(format!(
                    "{of}, `valueFrom`{}: it is read from $CUELIGHT_OUTPUT alone",
                    without_holes(&from.collect::<Vec<_>>().join(","))
                ));
            }
        }
        self.held(template, of)
    }

    /// A template does one thing; what else it says is named.
    fn one_kind(&mut self, template: &ValueMap, kinds: &[&str], of: &str) {
        for kind in kinds.iter().filter(|kind| template.contains_key(**kind)).skip(1) {
            self.page.leave_out(format!("`{kind}` of {of}: it does something else already"));
        }
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
        let made = serde_json::to_string(&keys).map_or(0, |string| string.len());
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

    fn dag(&mut self, used: &Use, template: &ValueMap, dag: &ValueMap, scope: &mut Scope) -> Made {
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
            let others: Vec<&str> =
                names.iter().map(String::as_str).filter(|name| *name != "result").collect();
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
                names.iter().map(|name| (name.clone(), "string".into())).collect::<ValueMap>().into(),
            );
        }
        lost.into_iter().for_each(|value| self.page.leave_out(value));
        self.page.finish()
    }
}

/// Why a file is none that can be imported, if it is not.
fn refused(root: &ValueMap, spec: &ValueMap) -> Result<(), String> {
    let no = |why: String| Err(format!("could not import a workflow of Argo: {why}"));
    let known = ["Workflow", "CronWorkflow", "WorkflowTemplate", "ClusterWorkflowTemplate"];
    if let Some(kind) = foreign::text_at(root, "kind").filter(|kind| !known.contains(&kind.as_str())) {
        return no(format!("it is a {}, which is no workflow", one_line(&kind)));
    }
    let version = foreign::text_at(root, "apiVersion");
    if let Some(version) = version.filter(|version| !version.starts_with("argoproj.io/v1")) {
        return no(format!("`apiVersion` is {}, and argoproj.io/v1alpha1 is read", one_line(&version)));
    }
    if let Some(found) = foreign::map_at(spec, "workflowTemplateRef") {
        let name = foreign::text_at(found, "name").unwrap_or_default();
        return no(format!("`workflowTemplateRef` says that it stands in {}; import that", one_line(&name)));
    }
    if let Some(how) = foreign::text_at(spec, "shutdown") {
        return no(format!("`shutdown: {}` ends it as soon as it begins; take that out", one_line(&how)));
    }
    Ok(())
}

/// A template with what `templateDefaults` says for all of them; what it says itself comes first.
fn with_defaults(spec: &ValueMap, template: &ValueMap) -> ValueMap {
    const KINDS: [&str; 10] = [
        "container",
        "script",
        "http",
        "resource",
        "suspend",
        "containerSet",
        "data",
        "plugin",
        "steps",
        "dag",
    ];
    let mut out = template.clone();
    for (key, value) in foreign::map_at(spec, "templateDefaults").into_iter().flatten() {
        if template.contains_key(key) || !KINDS.contains(&key.as_str()) {
            fill_in(out.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
    out
}

/// Fills in what is not there, key by key.
fn fill_in(said: &mut Value, more: &Value) {
    match (said, more) {
        (Value::Object(said), Value::Object(more)) => {
            for (key, value) in more {
                fill_in(said.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (said, more) if said.is_null() => said.clone_from(more),
        _ => {}
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

/// That these gates were passed.
fn succeeded(gates: &[String]) -> Vec<String> {
    gates.iter().map(|gate| format!("steps.{gate}.result == 'success'")).collect()
}

fn is_leaf(template: &ValueMap) -> bool {
    !template.contains_key("steps") && !template.contains_key("dag")
}

fn named(member: &ValueMap) -> String {
    foreign::text_at(member, "name").unwrap_or_else(|| "step".to_owned())
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

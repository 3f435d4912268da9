//! Workflows of Argo: its templates are unfolded where they are used, so that every container, script, request and pause is a step.
//! Shapes: <https://argo-workflows.readthedocs.io/en/latest/fields/>.

mod copies;
mod held;
mod members;
mod shell;
mod top;
mod waits;
mod words;
mod work;

use self::held::{Held, PLACED, READ};
use self::waits::{Inside, Made, with};
use self::words::{BYTES_MAX, Scope, Wanted};
use self::work::Maker;
pub(crate) use self::{shell::in_shell, words::Piece};
use crate::page::{Imported, Page, all_of, kept, one_line, without_holes};
use crate::{foreign, shapes};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeMap;

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

/// That these gates were passed.
fn succeeded(gates: &[String]) -> Vec<String> {
    gates.iter().map(|gate| format!("steps.{gate}.result == 'success'")).collect()
}

fn is_leaf(template: &ValueMap) -> bool {
    !template.contains_key("steps") && !template.contains_key("dag")
}

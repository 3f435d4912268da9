//! Every key of the published schemas of Argo and GitHub is carried over, named as lost, or refused: none is passed over in silence.

use super::{Shelf, read_with};
use cuelight_import::{ImportAs, Imported, import_argo, import_dagu, import_github, import_wfformat};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Keys of the published schemas: object, key, shape.
pub(super) const ARGO_KEYS: &str = include_str!("../../fixtures/schema-keys/argo.txt");
pub(super) const GITHUB_KEYS: &str = include_str!("../../fixtures/schema-keys/github.txt");

pub(super) type Import = fn(&str) -> Result<Imported, String>;

/// A file in which an object stands, and the place of the object.
pub(super) type Place = (&'static str, fn() -> Value, &'static str);

fn sample(shape: &str) -> Value {
    match shape {
        "string" => json!("zz-sample"),
        "integer" => json!(7),
        "boolean" => json!(true),
        "list" => json!(["zz-sample"]),
        "list-of-maps" => json!([{"name": "zz-sample"}]),
        _ => json!({"zz": "zz-sample"}),
    }
}

/// The file without the lines at its top.
pub(super) fn body(made: &Imported) -> String {
    made.text.lines().filter(|line| !line.starts_with("# Could not")).collect::<Vec<_>>().join("\n")
}

pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_letter) && !line[at + word.len()..].starts_with(is_letter))
}

/// The fault of a key at this place, if any.
fn silent(import: Import, (object, file, pointer): Place, key: &str, value: &Value) -> Option<String> {
    let without = import(&file().to_string()).expect("a file without the key is imported");
    let mut whole = file();
    whole.pointer_mut(pointer).expect("the place is there")[key] = value.clone();
    let place = format!("{object}.{key} at {pointer}: {value}");
    let made = match import(&whole.to_string()) {
        Err(why) => return (!why.starts_with("could not ")).then(|| format!("{place}: {why}")),
        Ok(value) => value,
    };
    let any = Shelf([("x.yaml".to_owned(), "steps: [{id: a, run: echo}]\n".to_owned())].into());
    let (_, said) = read_with(&made.text, &any);
    if let Some(found) = said.iter().find(|diagnostic| diagnostic.is_error()) {
        return Some(format!("{place}: check: {}\n{}", found.text(false), made.text));
    }
    let is_named = made
        .left_out
        .iter()
        .any(|line| !without.left_out.contains(line) && (has_word(line, key) || line.contains("zz")));
    let is_carried = body(&made) != body(&without);
    (!is_named && !is_carried).then_some(place)
}

/// Walks a list of keys; `samples` has the values of keys that a made up value would say nothing of.
#[track_caller]
fn walk(import: Import, keys: &str, places: &[Place], samples: &[(&str, Value)]) {
    let mut silent_keys = Vec::new();
    let mut count = 0;
    for line in keys.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [object, key, shape] = words[..] else { panic!("{line}") };
        let here: Vec<&Place> = places.iter().filter(|place| place.0 == object).collect();
        assert!(!here.is_empty(), "{object} stands nowhere");
        let name = format!("{object}.{key}");
        let said = samples.iter().find(|sample| sample.0 == name).map(|sample| sample.1.clone());
        let value = said.unwrap_or_else(|| sample(shape));
        for place in here {
            count += 1;
            silent_keys.extend(silent(import, *place, key, &value));
        }
    }
    assert!(count > 100, "{count}");
    assert!(silent_keys.is_empty(), "{} of {count} keys:\n{}", silent_keys.len(), silent_keys.join("\n"));
}

pub(super) fn workflow() -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "p", "value": "v"}]},
        "templates": [
            {"name": "main", "steps": [[
                {"name": "a", "template": "work", "arguments": {"parameters": [{"name": "q", "value": "x"}]}},
                {"name": "b", "template": "code"}, {"name": "c", "template": "apply"}, {"name": "d", "template": "call"},
                {"name": "e", "template": "pause"}, {"name": "f", "template": "work"},
            ]]},
            {"name": "work", "inputs": {"parameters": [{"name": "q"}]},
                "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o"}}]},
                "retryStrategy": {"limit": 2, "backoff": {"duration": "1s"}},
                "container": {"image": "busybox", "command": ["true"], "args": ["{{inputs.parameters.q}}"], "env": [{"name": "E", "value": "1"}]}},
            {"name": "code", "script": {"image": "busybox", "command": ["sh"], "source": "true"}},
            {"name": "apply", "resource": {"action": "get", "manifest": "kind: Pod"}},
            {"name": "call", "http": {"url": "https://example.com", "headers": [{"name": "H", "value": "v"}]}},
            {"name": "pause", "suspend": {}},
        ],
    }})
}

pub(super) fn graph() -> Value {
    json!({"spec": {"entrypoint": "main", "templates": [
        {"name": "main", "dag": {"tasks": [{"name": "a", "template": "work"}, {"name": "b", "template": "work", "dependencies": ["a"]}]}},
        {"name": "work", "container": {"image": "busybox", "command": ["true"], "securityContext": {"capabilities": {}}, "resources": {}}},
    ], "synchronization": {}, "securityContext": {}}})
}

fn cron() -> Value {
    json!({"kind": "CronWorkflow", "metadata": {"name": "w"}, "spec": {"schedules": ["0 3 * * *"], "workflowSpec": graph()["spec"].clone()}})
}

/// Places of the objects in Argo's schema.
pub(super) const ARGO_PLACES: [Place; 40] = [
    ("Workflow", workflow, ""),
    ("CronWorkflow", cron, ""),
    ("CronWorkflowSpec", cron, "/spec"),
    ("WorkflowSpec", workflow, "/spec"),
    ("WorkflowSpec", cron, "/spec/workflowSpec"),
    ("ObjectMeta", workflow, "/metadata"),
    ("Template", workflow, "/spec/templates/0"),
    ("Template", workflow, "/spec/templates/1"),
    ("Template", workflow, "/spec/templates/2"),
    ("Template", workflow, "/spec/templates/3"),
    ("Template", workflow, "/spec/templates/4"),
    ("Template", workflow, "/spec/templates/5"),
    ("Template", graph, "/spec/templates/0"),
    ("WorkflowStep", workflow, "/spec/templates/0/steps/0/0"),
    ("DAGTemplate", graph, "/spec/templates/0/dag"),
    ("DAGTask", graph, "/spec/templates/0/dag/tasks/1"),
    ("Arguments", workflow, "/spec/arguments"),
    ("Arguments", workflow, "/spec/templates/0/steps/0/0/arguments"),
    ("Inputs", workflow, "/spec/templates/1/inputs"),
    ("Outputs", workflow, "/spec/templates/1/outputs"),
    ("Parameter", workflow, "/spec/arguments/parameters/0"),
    ("Parameter", workflow, "/spec/templates/0/steps/0/0/arguments/parameters/0"),
    ("Parameter", workflow, "/spec/templates/1/inputs/parameters/0"),
    ("Parameter", workflow, "/spec/templates/1/outputs/parameters/0"),
    ("ValueFrom", workflow, "/spec/templates/1/outputs/parameters/0/valueFrom"),
    ("RetryStrategy", workflow, "/spec/templates/1/retryStrategy"),
    ("Backoff", workflow, "/spec/templates/1/retryStrategy/backoff"),
    ("Container", workflow, "/spec/templates/1/container"),
    ("EnvVar", workflow, "/spec/templates/1/container/env/0"),
    ("ScriptTemplate", workflow, "/spec/templates/2/script"),
    ("ResourceTemplate", workflow, "/spec/templates/3/resource"),
    ("HTTP", workflow, "/spec/templates/4/http"),
    ("HTTPHeader", workflow, "/spec/templates/4/http/headers/0"),
    ("SuspendTemplate", workflow, "/spec/templates/5/suspend"),
    ("Synchronization", graph, "/spec/synchronization"),
    ("SecurityContext", graph, "/spec/templates/1/container/securityContext"),
    ("Capabilities", graph, "/spec/templates/1/container/securityContext/capabilities"),
    ("ResourceRequirements", graph, "/spec/templates/1/container/resources"),
    ("PodSecurityContext", graph, "/spec/securityContext"),
    ("EnvVarSource", env_source, "/spec/templates/1/container/env/0/valueFrom"),
];

#[test]
fn every_key_of_the_schema_of_argo_is_carried_named_or_refused() {
    let samples = [
        ("Backoff.cap", json!("1m")),
        ("SecurityContext.allowPrivilegeEscalation", json!(false)),
        ("ResourceRequirements.limits", json!({"memory": "64Mi"})),
        ("ResourceRequirements.requests", json!({"memory": "64Mi"})),
        ("Template.retryStrategy", json!({"limit": 4})),
        ("Template.synchronization", json!({"mutexes": [{"name": "m"}]})),
        ("WorkflowSpec.synchronization", json!({"mutexes": [{"name": "m"}]})),
        ("Template.securityContext", json!({"runAsUser": 7})),
        ("WorkflowSpec.securityContext", json!({"runAsUser": 7})),
        ("Container.securityContext", json!({"readOnlyRootFilesystem": true})),
        ("ScriptTemplate.securityContext", json!({"readOnlyRootFilesystem": true})),
        ("Container.resources", json!({"limits": {"cpu": "500m"}})),
        ("ScriptTemplate.resources", json!({"limits": {"cpu": "500m"}})),
        ("Template.executor", json!({"serviceAccountName": "zz"})),
        ("WorkflowSpec.templateDefaults", json!({"timeout": "30s"})),
        ("CronWorkflowSpec.schedules", json!(["1 1 * * *"])),
        ("CronWorkflowSpec.concurrencyPolicy", json!("Forbid")),
        ("CronWorkflowSpec.timezone", json!("Europe/Paris")),
        ("DAGTemplate.target", json!("a")),
        ("DAGTemplate.failFast", json!(false)),
        ("DAGTask.depends", json!("a.Failed")),
        ("WorkflowStep.continueOn", json!({"failed": true})),
        ("DAGTask.continueOn", json!({"failed": true})),
        ("WorkflowStep.withSequence", json!({"count": "2"})),
        ("DAGTask.withSequence", json!({"count": "2"})),
        ("WorkflowSpec.onExit", json!("work")),
        ("WorkflowSpec.arguments", json!({"parameters": [{"name": "zz"}]})),
        ("Arguments.parameters", json!([{"name": "q", "value": "other"}, {"name": "p", "value": "other"}])),
        ("Template.suspend", json!({"duration": "20"})),
    ];
    walk(import_argo, ARGO_KEYS, &ARGO_PLACES, &samples);
}

fn env_source() -> Value {
    let mut out = workflow();
    out["spec"]["templates"][1]["container"]["env"][0] = json!({"name": "E", "value": "1", "valueFrom": {}});
    out
}

pub(super) fn actions() -> Value {
    json!({"name": "w", "on": {"workflow_dispatch": {"inputs": {"i": {"type": "string"}}}, "schedule": [{"cron": "1 2 * * *"}],
    "workflow_call": {"inputs": {}}},
    "permissions": {"contents": "read"}, "concurrency": {"group": "g"}, "defaults": {"run": {"shell": "sh"}},
    "jobs": {
        "first": {"runs-on": "ubuntu-latest", "steps": [{"run": "echo"}, {"uses": "some/action@v1"},
            {"run": "echo $T", "env": {"T": "${{ github.token }}"}}]},
        "job": {"runs-on": {"labels": ["linux"]}, "environment": {"name": "prod"}, "container": {"image": "debian"},
            "services": {"db": {"image": "postgres"}}, "strategy": {"matrix": {"a": [1, 2]}}, "defaults": {"run": {}},
            "concurrency": {"group": "j"}, "permissions": {"contents": "read"},
            "steps": [{"run": "echo $T", "id": "s", "env": {"T": "${{ secrets.GITHUB_TOKEN }}"}}, {"run": "echo"}]},
        "called": {"uses": "./.github/workflows/x.yml"},
        "last": {"runs-on": "ubuntu-latest", "needs": ["job", "first"], "steps": [
                {"run": "echo ${{ needs.job.outputs.zz }} ${{ needs.first.outputs.zz }}"}]},
    }})
}

/// Places of the objects in GitHub's schema.
pub(super) const GITHUB_PLACES: [Place; 22] = [
    ("workflow", actions, ""),
    ("on", actions, "/on"),
    ("dispatch", actions, "/on/workflow_dispatch"),
    ("call", actions, "/on/workflow_call"),
    ("schedule", actions, "/on/schedule/0"),
    ("dispatch-input", actions, "/on/workflow_dispatch/inputs/i"),
    ("job", actions, "/jobs/first"),
    ("job", actions, "/jobs/job"),
    ("called-job", actions, "/jobs/called"),
    ("step", actions, "/jobs/first/steps/0"),
    ("step", actions, "/jobs/first/steps/1"),
    ("environment", actions, "/jobs/job/environment"),
    ("concurrency", actions, "/concurrency"),
    ("concurrency", actions, "/jobs/job/concurrency"),
    ("container", actions, "/jobs/job/container"),
    ("service", actions, "/jobs/job/services/db"),
    ("strategy", actions, "/jobs/job/strategy"),
    ("permissions", actions, "/permissions"),
    ("permissions", actions, "/jobs/job/permissions"),
    ("defaults", actions, "/defaults"),
    ("run-defaults", actions, "/jobs/job/defaults/run"),
    ("runs-on", actions, "/jobs/job/runs-on"),
];

#[test]
fn every_key_of_the_schema_of_github_is_carried_named_or_refused() {
    let samples = [
        ("job.steps", json!([{"run": "other"}])),
        ("job.needs", json!(["called"])),
        ("called-job.needs", json!(["first"])),
        ("job.services", json!({"zz": {"image": "zz"}})),
        ("job.strategy", json!({"matrix": {"b": [3]}})),
        ("called-job.strategy", json!({"matrix": {"b": [3]}})),
        ("job.outputs", json!({"zz": "a"})),
        ("job.if", json!(false)),
        ("called-job.if", json!(false)),
        ("step.if", json!(false)),
        ("on.schedule", json!([{"cron": "7 7 * * *"}])),
        ("on.workflow_dispatch", json!({"inputs": {"zz": {}}})),
        ("on.workflow_call", json!({"inputs": {"zz": {}}})),
        ("dispatch.inputs", json!({"zz": {}})),
        ("call.inputs", json!({"zz": {}})),
        ("call.outputs", json!({"zz": {"value": "a"}})),
        ("dispatch-input.default", json!("zz")),
        ("dispatch-input.type", json!("boolean")),
        ("schedule.timezone", json!("Europe/Paris")),
        ("step.uses", json!("zz/zz@v1")),
        ("step.shell", json!("bash")),
        ("step.parallel", json!([{"run": "other"}])),
        ("called-job.uses", json!("zz/zz/.github/workflows/zz.yml@v1")),
        ("strategy.fail-fast", json!(false)),
        ("strategy.matrix", json!({"b": [3]})),
        ("workflow.jobs", json!({"zz": {"steps": [{"run": "zz"}]}})),
        ("workflow.defaults", json!({"run": {"shell": "zz"}})),
        ("job.defaults", json!({"run": {"shell": "zz"}})),
        ("defaults.run", json!({"shell": "zz"})),
    ];
    walk(import_github, GITHUB_KEYS, &GITHUB_PLACES, &samples);
}

/// Values of the wrong shape, and hostile ones.
fn odd(seed: u64) -> Value {
    let long = "x".repeat(5_000);
    match seed % 14 {
        0 => json!(null),
        1 => json!(-1),
        2 => json!(1e300),
        3 => json!([[[]]]),
        4 => json!({"": {"": []}}),
        5 => json!("${{ secrets.X }} $(touch pasted) `x` 'y\" \u{1b}[31m"),
        6 => json!("{{inputs.parameters.p}} {{=1+1}} }} {{"),
        7 => json!("--privileged -v /:/host"),
        8 => json!(long),
        9 => json!({"name": [], "value": {}, "run": 1, "uses": {}}),
        10 => json!([null, true, 0, "a", {}, {"name": null}]),
        11 => json!("line\n# Could not\n---\nsteps: []"),
        12 => json!("${{ fromJSON("),
        _ => json!(18_446_744_073_709_551_615_u64),
    }
}

/// An import refuses with a sentence, one for each fault, or what it writes passes the checker.
#[track_caller]
pub(super) fn holds(import: Import, text: &str) -> bool {
    let made = match import(text) {
        Err(why) => {
            assert!(
                why.lines().all(|line| line.starts_with("could not ") && line.chars().count() < 1_000),
                "{why:?} for\n{text}"
            );
            assert!(!why.is_empty() && why.lines().count() < 200, "{why:?}");
            return false;
        }
        Ok(value) => value,
    };
    let (_, said) = read_with(&made.text, &Shelf(made.others.iter().cloned().collect()));
    let wrong = said.iter().find(|diagnostic| diagnostic.is_error() && diagnostic.code != "subworkflow");
    assert!(
        wrong.is_none(),
        "{}\nmade of\n{text}\nis\n{}",
        wrong.map(|wrong| wrong.text(false)).unwrap_or_default(),
        made.text
    );
    true
}

#[test]
fn files_with_odd_values_behind_keys_of_the_schemas_are_refused_or_pass_the_checker() {
    let argo = ARGO_KEYS;
    let github = GITHUB_KEYS;
    let places: [(Import, &str, fn() -> Value, &[(&str, &str)]); 2] = [
        (
            import_argo,
            argo,
            workflow,
            &[
                ("WorkflowSpec", "/spec"),
                ("Template", "/spec/templates/1"),
                ("Container", "/spec/templates/1/container"),
                ("WorkflowStep", "/spec/templates/0/steps/0/0"),
                ("ScriptTemplate", "/spec/templates/2/script"),
                ("ResourceTemplate", "/spec/templates/3/resource"),
                ("HTTP", "/spec/templates/4/http"),
            ],
        ),
        (
            import_github,
            github,
            actions,
            &[
                ("workflow", ""),
                ("job", "/jobs/job"),
                ("step", "/jobs/first/steps/0"),
                ("strategy", "/jobs/job/strategy"),
                ("step", "/jobs/first/steps/1"),
                ("container", "/jobs/job/container"),
                ("called-job", "/jobs/called"),
            ],
        ),
    ];
    let mut seed = 20;
    for (import, keys, file, objects) in places {
        let mut made = 0;
        for round in 0..100_usize {
            let mut whole = file();
            for _ in 0..3 {
                let (object, pointer) = objects[round % objects.len()];
                let all: Vec<&str> =
                    keys.lines().filter(|line| line.split(' ').next() == Some(object)).collect();
                let drawn = crate::crash::next(&mut seed);
                let key = all[usize::try_from(drawn % 1_000).expect("small") % all.len()].split(' ').nth(1);
                let at = whole.pointer_mut(pointer).filter(|pointer| pointer.is_object());
                if let (Some(at), Some(key)) = (at, key) {
                    at[key] = odd(drawn >> 12);
                }
            }
            made += usize::from(holds(import, &whole.to_string()));
        }
        assert!(made > 20, "{made} of 100 were written");
    }
}

#[test]
fn every_hostile_file_that_is_known_is_refused_by_an_import_or_passes_the_checker() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("fuzz/seeds"), root.join("tests/fixtures"), root.join("examples")];
    let mut count = 0;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                count += 1;
                for import in [import_argo, import_github, import_dagu, |text: &str| {
                    import_wfformat(text, ImportAs::Noop)
                }] {
                    holds(import, &text);
                }
            }
        }
    }
    assert!(count > 100, "{count}");
}

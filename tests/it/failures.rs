//! Failures as records: for each of the 25 modes, 15 types and 4 severities a cause that a step can have, and the record that
//! stands in `errors` and in the Errors view. And the table of them in the documents.

use crate::{
    docs::is_updating,
    program::{Place, text, until},
};
use cuelight_base::{ErrorKind, FailureMode};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// A mode, what else its step has, and the script that fails so. What a program cannot be made to suffer in a test, it says.
const CAUSES: &[(&str, &str, &str)] = &[
    ("agent_validation", "confidence: {min: 0.9, below: fail}", "echo confidence=0.1 >> $CUELIGHT_OUTPUT"),
    ("agent_timeout", "", "echo failure-mode=agent_timeout >> $CUELIGHT_OUTPUT; exit 1"),
    ("agent_logic", "", "exit 3"),
    ("agent_contract", "outputs: {wanted: string}", "true"),
    ("agent_state", "", "echo failure-mode=agent_state >> $CUELIGHT_OUTPUT; exit 1"),
    ("system_network", "", "echo 'curl: (6) Could not resolve host: db' >&2; exit 6"),
    ("system_timeout", "timeout: 50ms", "read forever < <(sleep 600)"),
    ("system_crash", "", "kill -SEGV $$"),
    ("system_oom", "", "echo failure-mode=system_oom >> $CUELIGHT_OUTPUT; exit 137"),
    ("system_disk", "", "echo full > /dev/full"),
    ("resource_tool", "", "echo failure-mode=resource_tool >> $CUELIGHT_OUTPUT; exit 1"),
    ("resource_api", "", "echo failure-mode=resource_api >> $CUELIGHT_OUTPUT; exit 22"),
    ("resource_memory", "", "echo 'fork: Cannot allocate memory' >&2; exit 1"),
    ("resource_quota", "", "ulimit -f 1; exec head -c 100000 /dev/zero > too-large"),
    ("resource_circuit", "", "echo failure-mode=resource_circuit >> $CUELIGHT_OUTPUT; exit 1"),
    ("policy_security", "", "echo failure-mode=policy_security >> $CUELIGHT_OUTPUT; exit 1"),
    ("policy_allowlist", "", "echo failure-mode=policy_allowlist >> $CUELIGHT_OUTPUT; exit 1"),
    ("policy_rate_limit", "", "echo failure-mode=policy_rate_limit >> $CUELIGHT_OUTPUT; exit 1"),
    ("user_invalid_input", "", "no-such-command-here"),
    ("user_cancelled", "", "kill -TERM $$"),
    ("user_permission", "", "echo x > plain; ./plain"),
    ("partial_tool_failures", "", "echo failure-mode=partial_tool_failures >> $CUELIGHT_OUTPUT; exit 1"),
    ("partial_step_failures", "matrix: {of: [1, 2]}", "exit 1"),
    ("partial_timeout", "", "echo failure-mode=partial_timeout >> $CUELIGHT_OUTPUT; exit 1"),
];

/// The step whose copies fail.
const MATRIX: &str = "partial_step_failures";

fn errors(place: &Place) -> Vec<Value> {
    let said = place.cue(&["errors", "--all", "--json"]).ok().json();
    said.as_array().expect("a list").clone()
}

#[test]
fn every_mode_has_a_cause_that_a_step_can_have() {
    let place = Place::new();
    let mut workflow = "name: causes\non-failure: continue\nsteps:\n".to_owned();
    for (mode, more, script) in CAUSES {
        workflow.push_str(&format!("  - id: {mode}\n    on-error: continue\n    run: |\n      {script}\n"));
        if !more.is_empty() {
            workflow.push_str(&format!("    {more}\n"));
        }
    }
    place.write("causes.yaml", &workflow);
    place.write(
        "spent.yaml",
        "name: spent\nbudget: {calls: 2, on-exceed: block}\nsteps:\n  \
         - {id: policy_budget, run: exit 1, retry: {max-attempts: 3, delay: 1ms}}\n",
    );
    assert_eq!(place.cue(&["run", "causes.yaml", "--headless"]).code, 5);
    let found: BTreeMap<String, String> = errors(&place)
        .iter()
        .map(|error| (text(&error["step"]), text(&error["mode"])))
        .filter(|(step, _)| !step.contains('['))
        // The copies of a matrix have records of their own; what they make of the step that holds them stands on it.
        .chain([(MATRIX.to_owned(), text(&place.step("r-1", MATRIX)["error"]["mode"]))])
        .collect();
    for (mode, _, script) in CAUSES {
        assert_eq!(found.get(*mode).map(String::as_str), Some(*mode), "{script}: {found:#?}");
    }
    let covered: Vec<&str> = CAUSES.iter().map(|cause| cause.0).chain(["policy_budget"]).collect();
    for mode in FailureMode::ALL {
        assert!(covered.contains(&mode.word()), "{mode} has no cause here");
    }
    assert_eq!(place.cue(&["run", "spent.yaml", "--headless"]).code, 1);
    let spent = errors(&place).into_iter().find(|error| error["workflow"] == "spent").expect("its record");
    assert_eq!(spent["mode"], "policy_budget", "{spent}");
}

#[test]
fn a_word_that_is_no_mode_changes_nothing_and_is_told() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: it, run: 'echo failure-mode=tired >> $CUELIGHT_OUTPUT; exit 4'}\n",
    );
    place.cue(&["run", "w.yaml", "--headless"]);
    let error = &errors(&place)[0];
    assert_eq!(error["mode"], "agent_logic");
    let message = text(&error["message"]);
    assert_eq!(message, "exit code 4; it wrote nothing; its `failure-mode` is none of the words there are");
}

#[test]
fn what_a_program_says_of_its_failure_counts_for_retries() {
    let place = Place::new();
    let step = |id: &str, mode: &str| {
        format!(
            "  - id: {id}\n    on-error: continue\n    retry: {{max-attempts: 2, delay: 1ms}}\n    \
             run: echo failure-mode={mode} >> $CUELIGHT_OUTPUT; exit 1\n"
        )
    };
    place.write(
        "w.yaml",
        &format!(
            "name: w\non-failure: continue\nsteps:\n{}{}",
            step("again", "policy_rate_limit"),
            step("never", "policy_security")
        ),
    );
    place.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(place.step("r-1", "again")["attempts"], 2);
    assert_eq!(place.step("r-1", "never")["attempts"], 1);
}

/// The category that gives a step's failures each type; the others come from where they arose.
const CATEGORIES: &[(&str, &str)] = &[
    ("data-load", "data_load_error"),
    ("validate", "data_validation_error"),
    ("transform", "data_transformation_error"),
    ("agent", "agent_lifecycle_error"),
    ("narrative", "narrative_generation_error"),
    ("worker", "worker_error"),
    ("configuration", "configuration_error"),
    ("database", "database_error"),
    ("visualize", "visualization_error"),
    ("predict", "prediction_error"),
    ("detect", "anomaly_detection_error"),
    ("report", "report_generation_error"),
];

#[test]
fn every_type_and_every_severity_has_a_cause() {
    let place = Place::new();
    let mut workflow = "name: types\non-failure: continue\nsteps:\n".to_owned();
    for (category, _) in CATEGORIES {
        let policy = if *category == "worker" { "skip" } else { "continue" };
        workflow.push_str(&format!(
            "  - {{id: {category}, category: {category}, on-error: {policy}, run: exit 1}}\n"
        ));
    }
    workflow.push_str("  - {id: plain, run: exit 1}\n");
    workflow.push_str(
        "  - {id: twice, retry: {max-attempts: 2, delay: 1ms}, run: 'test -e was || { touch was; exit 1; }'}\n",
    );
    place.write("types.yaml", &workflow);
    place.write("late.yaml", "name: late\ntimeout: 50ms\nsteps: [{id: slow, run: 'sleep 600'}]\n");
    place.cue(&["run", "types.yaml", "--headless"]);
    assert_eq!(place.cue(&["run", "late.yaml", "--headless"]).code, 1);
    let all = errors(&place);
    let of = |step: &str| {
        all.iter().find(|error| error["step"] == step).unwrap_or_else(|| panic!("{step}: {all:#?}"))
    };
    let mut types: Vec<String> = Vec::new();
    for (category, kind) in CATEGORIES {
        assert_eq!(of(category)["error_type"], *kind, "{category}");
        types.push((*kind).to_owned());
    }
    types.extend([
        text(&of("plain")["error_type"]),
        "workflow_execution_error".to_owned(),
        "unknown".to_owned(),
    ]);
    for kind in ErrorKind::ALL {
        assert!(types.iter().any(|text| text == kind.word()), "{} has no cause here", kind.word());
    }
    let whole_run =
        all.iter().find(|error| error["error_type"] == "workflow_execution_error").expect("the time was up");
    for (error, severity) in
        [(of("twice"), "low"), (of("worker"), "medium"), (of("plain"), "critical"), (whole_run, "critical")]
    {
        assert_eq!(error["severity"], severity, "{error}");
    }
    // A step that failed while its run goes on.
    let open =
        "name: open\non-failure: continue\nsteps:\n  - {id: broken, run: exit 1}\n  - {id: ask, gate: go?}\n";
    place.write("open.yaml", open);
    let _running = place.start(&["run", "open.yaml", "--headless"]);
    let broken = || errors(&place).into_iter().find(|error| error["step"] == "broken");
    until("it has failed", || broken().is_some());
    assert_eq!(broken().expect("its record")["severity"], "high");
}

#[test]
fn the_table_of_failures_in_the_documents_is_that_of_the_code() {
    const FROM: &str = "<!-- failures: compared with the code, written by UPDATE_DOCS=1 -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/semantics.md");
    let page = fs::read_to_string(&path).expect("a page");
    let (before, rest) = page.split_once(FROM).expect("the table has its place");
    let (_, after) = rest.split_once("\n## ").expect("a heading follows");
    let mut table = "\n| failure mode | tried again |\n|---|---|\n".to_owned();
    for mode in FailureMode::ALL {
        let again = match (mode.is_retryable(), mode.is_terminal()) {
            (true, _) => "yes",
            (_, true) => "never",
            _ => "where it is named under `retry.on`",
        };
        let again =
            if *mode == FailureMode::AgentLogic { "where `retry` is written on the step" } else { again };
        table.push_str(&format!("| `{mode}` | {again} |\n"));
    }
    table.push_str("\n| type | from `category` |\n|---|---|\n");
    for kind in ErrorKind::ALL {
        let from: Vec<String> = CATEGORIES
            .iter()
            .filter(|category| category.1 == kind.word())
            .map(|category| format!("`{}`", category.0))
            .collect();
        let from = match kind {
            ErrorKind::TaskExecutionError => "any other, or none".to_owned(),
            ErrorKind::WorkflowExecutionError => "none: the run as a whole".to_owned(),
            ErrorKind::Unknown => "none: in doubt, and given up".to_owned(),
            _ => from.join(", "),
        };
        table.push_str(&format!("| `{}` | {from} |\n", kind.word()));
    }
    let wanted = format!("{before}{FROM}{table}\n## {after}");
    if is_updating() {
        fs::write(&path, wanted).expect("the page can be written");
    } else {
        assert_eq!(page, wanted, "UPDATE_DOCS=1 writes it anew");
    }
}

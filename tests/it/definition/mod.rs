//! Text in; diagnostics, a workflow, or text out.

mod format;
mod hostile;
mod import;
mod import_hostile;
mod inputs;
mod limits;
mod schema_keys;
mod shell;

use cuelight_definition::{Diagnostic, Files, Workflow};
use std::collections::BTreeMap;

/// Files that other files may name.
#[derive(Default)]
struct Shelf(BTreeMap<String, String>);

impl Files for Shelf {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "there is no such file".to_owned())
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        let deploy = include_str!("../../fixtures/tools/deploy.yaml");
        let other = include_str!("../../fixtures/tools/deploy-blue-green.yaml");
        [("tools/deploy.yaml", deploy), ("tools/other.yaml", other)]
            .map(|pair| (pair.0.to_owned(), Ok(pair.1.to_owned())))
            .into()
    }
}

fn read(text: &str) -> (Option<Workflow>, Vec<Diagnostic>) {
    read_with(text, &Shelf::default())
}

fn read_with(text: &str, others: &Shelf) -> (Option<Workflow>, Vec<Diagnostic>) {
    cuelight_definition::read("flow.yaml", text, others)
}

/// The workflow of a text that must have no errors.
#[track_caller]
fn workflow(text: &str) -> Workflow {
    let (workflow, said) = read(text);
    let said: Vec<String> = said.iter().map(|diagnostic| diagnostic.text(false)).collect();
    workflow.unwrap_or_else(|| panic!("{}", said.join("\n")))
}

/// One line for each finding: `line:column severity[code] message`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (workflow, said) = read(text);
    let lines: Vec<String> = said.iter().map(line).collect();
    assert_eq!(lines, expected);
    assert_eq!(
        workflow.is_none(),
        said.iter().any(Diagnostic::is_error),
        "a workflow exactly when there is no error"
    );
}

fn line(diagnostic: &Diagnostic) -> String {
    format!(
        "{}:{} {}[{}] {}",
        diagnostic.line,
        diagnostic.column,
        diagnostic.severity.word(),
        diagnostic.code,
        diagnostic.message
    )
}

#[test]
fn the_example_of_the_manual_reads_without_errors() {
    let text = include_str!("../../fixtures/workflows/deploy.yaml");
    let workflow = workflow(text);
    let ids: Vec<&str> = workflow.steps.iter().map(|step| step.id.value.as_str()).collect();
    assert_eq!(ids, ["build", "test", "review", "approve", "deploy", "verify"]);
    let notes: Vec<String> = read(text).1.iter().map(line).collect();
    assert!(!notes.iter().any(|note| note.contains("later-release")), "{notes:?}");
}

#[test]
fn an_etag_is_asked_for_where_somebody_else_could_have_changed_the_value() {
    let file = |set: &str| format!("timeout: 1m\nsteps:\n  - id: a\n    set: {{{set}}}\n");
    check(&file("scope: global, values: {k: 1}, if-etag: {k: '${{ state.etag.global.k }}'}"), &[]);
    check(
        &file("values: {k: 1}, if-etag: {k: none}"),
        &["4:27 error[value] state of a run has no etag: nobody else changes it"],
    );
    check(
        &file("scope: session, values: {k: 1}, if-etag: {other: none}"),
        &["4:43 error[value] `other` is not among the values that are set"],
    );
}

#[test]
fn a_finding_shows_the_line_and_a_caret() {
    let (_, said) = read("timeout: 1m\nsteps:\n  - id: ä\n    neds: x\n    run: x\n");
    assert_eq!(
        said[1].text(false),
        "error[unknown-key]: `neds` is no key of a step\n --> flow.yaml:4:5\n  |\n4 |     neds: x\n  |     \
         ^^^^ did you mean `needs`?\n"
    );
    assert!(said[1].text(true).contains("\u{1b}[1;31m"));
    let fix = said[1].fix.as_ref().expect("a fix");
    assert_eq!((fix.place.start, fix.place.end, fix.text.as_str()), (34, 38, "needs"));
}

#[test]
fn findings_are_told_to_machines_as_json_and_sarif() {
    let (_, said) = read("steps:\n  - {id: a, run: x, neds: b}\n");
    let json = serde_json::to_value(cuelight_definition::FindingAnswer::of(&said[1])).expect("JSON");
    assert_eq!(
        (&json["line"], &json["column"], &json["code"]),
        (&2.into(), &21.into(), &"unknown-key".into())
    );
    let sarif = cuelight_definition::sarif(&said);
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][1];
    assert_eq!(result["ruleId"], "unknown-key");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    assert_eq!(
        result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"],
        "needs"
    );
    assert_eq!(cuelight_definition::summary(&said), "1 error, 1 note");
}

#[test]
fn other_systems_words_are_understood() {
    let ours = workflow(
        "inputs: {v: string}\nsteps:\n  - {id: a, run: x, timeout: 3m}\n  - {id: b, needs: a, if: success(), run: x, \
         timeout: 5s, undo: y, retry: {max-attempts: 4}}\n  - {id: c, needs: b, gate: {prompt: ok}}\n  - id: d\n    \
         run: x\n    timeout: 1m\n    matrix: {os: [a, b], fail-fast: false}\n",
    );
    let theirs = workflow(
        "params: {v: string}\nsteps:\n  - {id: a, run: x, timeout-minutes: 3}\n  - {id: b, depends: [a], when: success(), \
         run: x, timeout_sec: 5, compensate: y, retry_policy: {limit: 3}}\n  - {id: c, dependencies: b, approval: {prompt: \
         ok}}\n  - id: d\n    run: x\n    timeout: PT1M\n    strategy: {matrix: {os: [a, b]}, fail-fast: false}\n",
    );
    assert_eq!(ours, theirs);
}

#[test]
fn a_sequence_chains_steps_and_defaults_fill_in() {
    let flow = workflow(
        "sequence: true\ndefaults: {timeout: 20m, retry: {delay: 2s}}\nsteps:\n  - {id: a, run: x}\n  - {id: b, gate: go?}\n  \
         - {id: c, run: x, needs: [], timeout: 1m}\n",
    );
    let needs: Vec<usize> = flow.steps.iter().map(|step| step.needs.len()).collect();
    assert_eq!(needs, [0, 1, 0]);
    let timeouts: Vec<Option<u64>> =
        flow.steps.iter().map(|step| step.timeout.map(|timeout| timeout.0)).collect();
    assert_eq!(timeouts, [Some(1_200_000), None, Some(60_000)]);
    assert!(flow.steps[0].retry.is_some() && flow.steps[1].retry.is_none());
}

#[test]
fn a_matrix_is_expanded_as_github_does() {
    let flow = workflow(
        "steps:\n  - id: a\n    run: x\n    timeout: 1m\n    matrix:\n      fruit: [apple, pear]\n      animal: [cat, dog]\n      \
         include:\n        - {color: green}\n        - {color: pink, animal: cat}\n        - {fruit: apple, shape: \
         circle}\n        - {fruit: banana}\n        - {fruit: banana, animal: cat}\n",
    );
    let cuelight_definition::MatrixSource::Constant(axes) =
        &flow.steps[0].matrix.as_ref().expect("one").source
    else {
        panic!("constant")
    };
    let copies: Vec<String> = axes
        .copies()
        .expect("few")
        .iter()
        .map(|copy| copy.values().map(|value| value.as_str().unwrap_or("?")).collect::<Vec<_>>().join(" "))
        .collect();
    // The example of GitHub's own manual.
    assert_eq!(
        copies,
        [
            "apple cat pink circle",
            "apple dog green circle",
            "pear cat pink",
            "pear dog green",
            "banana",
            "banana cat"
        ]
    );
    assert_eq!(flow.step_count, 7);
}

#[test]
fn a_called_workflow_is_read_once_and_comes_with_its_caller() {
    let part = include_str!("../../fixtures/workflows/part.yaml");
    let shelf = Shelf(BTreeMap::from([("lib/part.yaml".to_owned(), part.to_owned())]));
    let text = "timeout: 1m\nsteps:\n  - {id: a, workflow: ./part.yaml, with: {name: x}}\n  - {id: b, needs: a, workflow: \
                ../lib/part.yaml, with: {name: \"${{ steps.a.outputs.result }}\"}}\n";
    let (flow, said) = cuelight_definition::read("lib/flow.yaml", text, &shelf);
    assert!(said.is_empty(), "{said:?}");
    let flow = flow.expect("no errors");
    let bodies: Vec<_> = flow
        .steps
        .iter()
        .map(|step| match &step.kind {
            cuelight_definition::StepKind::Workflow(call) => call.body.clone().expect("read"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(std::sync::Arc::ptr_eq(&bodies[0], &bodies[1]));
    assert_eq!(flow.step_count, 4);
}

fn known(groups: BTreeMap<String, Vec<String>>) -> cuelight_definition::KnownPeople {
    cuelight_definition::KnownPeople { groups, ..cuelight_definition::KnownPeople::default() }
}

#[test]
fn a_gate_for_a_group_that_nobody_can_be_in_or_that_does_not_count_is_told() {
    let text = "timeout: 1m\nsteps:\n  - id: a\n    gate: {require: sre, risk: irreversible}\n  - {id: b, gate: {prompt: go?, require: sre}}\n";
    let said = |people: &cuelight_definition::KnownPeople| -> Vec<String> {
        let found = cuelight_definition::check_people(&workflow(text), text, people, &Shelf::default());
        found.iter().map(line).collect()
    };
    let no_file =
        "warning[gate] nobody can answer this: it needs 1 person of sre, and there is no people.toml";
    assert_eq!(
        said(&cuelight_definition::KnownPeople::default()),
        [format!("4:21 {no_file}"), format!("5:42 {no_file}")]
    );
    let mut people = known(BTreeMap::from([("ann".to_owned(), vec!["sre".to_owned()])]));
    assert!(said(&people).is_empty());
    people.self_declared = true;
    let own = "4:21 warning[gate] nobody can answer this: at risk irreversible groups count only when people.toml is signed, or when only root can write it";
    assert_eq!(said(&people), [own]);
}

#[test]
fn a_gate_that_wants_a_touch_which_nobody_can_give_is_told() {
    let text = "timeout: 1m\nsteps:\n  - id: a\n    gate: {proof: touch}\n  - {id: b, gate: {prompt: go?, risk: irreversible}}\n";
    let said = |people: &cuelight_definition::KnownPeople| -> Vec<String> {
        let found = cuelight_definition::check_people(&workflow(text), text, people, &Shelf::default());
        found.iter().map(line).collect()
    };
    let nobody = "warning[gate] nobody can approve this: it needs a touched security key, and";
    let no_file = format!("4:5 {nobody} there is no people.toml; it names people with their keys");
    assert_eq!(said(&cuelight_definition::KnownPeople::default()), [no_file]);
    let mut people = known(BTreeMap::from([("ann".to_owned(), Vec::new())]));
    assert!(said(&people).is_empty());
    people.nobody_touches = Some("nobody has one".to_owned());
    assert_eq!(said(&people), [format!("4:5 {nobody} nobody has one")]);
    people.touch = true;
    let both = [format!("4:5 {nobody} nobody has one"), format!("5:13 {nobody} nobody has one")];
    assert_eq!(said(&people), both);
}

#[test]
fn a_step_that_runs_although_a_gate_before_it_is_rejected_is_told() {
    let said = |rules: &str, m: &str| {
        let text = format!(
            "timeout: 1m\nsteps:\n  - {{id: g, gate: {{prompt: go?{rules}}}}}\n  - {{id: m, needs: g, {m}run: x}}\n  - {{id: z, needs: m, run: x}}\n"
        );
        let (_, findings) =
            cuelight_definition::read("t.yaml", &format!("name: t\n{text}"), &Shelf::default());
        let found = findings.iter().filter(|finding| finding.code == "gate-rejected");
        found.map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    let m = "`m` runs although the gate `g` is rejected";
    let z = "`z` runs although the gate `g` is rejected";
    for condition in ["always()", "\"!cancelled()\"", "\"!failure()\""] {
        assert_eq!(said("", &format!("if: {condition}, ")), [m], "{condition}");
        assert_eq!(said(", on-reject: continue", &format!("if: {condition}, ")), [m, z], "{condition}");
    }
    for condition in ["success()", "failure()", "cancelled()", "success() || failure()"] {
        assert_eq!(said(", on-reject: continue", &format!("if: {condition}, ")), [""; 0], "{condition}");
    }
    assert_eq!(said("", ""), [""; 0]);
    assert_eq!(said("", "if: \"always() && steps.g.decision == 'approved'\", "), [""; 0]);
    assert_eq!(said("", "if: always(), effect: pure, "), [""; 0]);
}

#[test]
fn gates_are_checked_against_the_people_there_are() {
    let text = "timeout: 1m\nsteps:\n  - id: a\n    gate: {require: [{group: sre, count: 2}, {group: opps}], forbid: [bob, Ann, 'group:nobody']}\n";
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let people =
        BTreeMap::from([("ann".to_owned(), groups(&["sre", "ops"])), ("bob".to_owned(), groups(&["sre"]))]);
    let said: Vec<String> =
        cuelight_definition::check_people(&workflow(text), text, &known(people), &Shelf::default())
            .iter()
            .map(line)
            .collect();
    assert_eq!(
        said,
        [
            "4:22 error[gate] nobody can satisfy this: it needs 2 people of sre, and there is 1",
            "4:46 error[gate] nobody can satisfy this: it needs 1 person of opps, and there are none",
            "4:76 warning[gate] `forbid` excludes nobody: people.toml has no person and no group Ann",
            "4:81 warning[gate] `forbid` excludes nobody: people.toml has no person and no group nobody",
        ]
    );
}

#[test]
fn several_groups_with_the_same_people_in_them_can_be_too_few_and_whoever_it_escalates_to_has_to_be_there() {
    let of = |gate: &str| {
        let text = format!("timeout: 1m\nsteps:\n  - id: a\n    gate: {gate}\n");
        let people = BTreeMap::from([
            ("ann".to_owned(), vec!["sre".to_owned(), "product".to_owned()]),
            ("bob".to_owned(), vec!["legal".to_owned()]),
        ]);
        let found =
            cuelight_definition::check_people(&workflow(&text), &text, &known(people), &Shelf::default());
        found.iter().map(line).collect::<Vec<String>>()
    };
    assert_eq!(
        of("{require: [sre, product]}"),
        [
            "4:22 error[gate] nobody can satisfy this: 1 of sre and 1 of product are 2 different people, and there is 1"
        ]
    );
    assert_eq!(of("{require: [sre, legal]}"), [""; 0]);
    assert_eq!(
        of("{require: legal, escalate: {after: 1h, to: 'group:srre'}}"),
        ["4:54 error[gate] it escalates to group:srre, and nobody of people.toml is that"]
    );
    assert_eq!(of("{require: legal, escalate: {after: 1h, to: ann}}"), [""; 0]);
}

#[test]
fn gates_of_called_workflows_are_checked_against_the_people_too() {
    let inner = "timeout: 1m\nsteps:\n  - {id: deep, workflow: ./deep.yaml}\n  - {id: a, gate: {prompt: ok, require: opps}}\n";
    let deep = "timeout: 1m\nsteps:\n  - {id: a, gate: {prompt: ok, require: [{group: sre, count: 2}]}}\n";
    let shelf = Shelf(BTreeMap::from([
        ("lib/inner.yaml".to_owned(), inner.to_owned()),
        ("lib/deep.yaml".to_owned(), deep.to_owned()),
    ]));
    let text = "timeout: 1m\nsteps:\n  - {id: one, workflow: lib/inner.yaml}\n  - {id: two, needs: one, workflow: lib/inner.yaml}\n";
    let (flow, said) = cuelight_definition::read("flow.yaml", text, &shelf);
    let flow = flow.unwrap_or_else(|| panic!("{said:?}"));
    let people = BTreeMap::from([("ann".to_owned(), vec!["sre".to_owned(), "ops".to_owned()])]);
    let found = cuelight_definition::check_people(&flow, text, &known(people), &shelf);
    let lines: Vec<String> =
        found.iter().map(|diagnostic| format!("{} {}", diagnostic.file, line(diagnostic))).collect();
    assert_eq!(
        lines,
        [
            "lib/inner.yaml 4:41 error[gate] nobody can satisfy this: it needs 1 person of opps, and there are none",
            "lib/deep.yaml 3:42 error[gate] nobody can satisfy this: it needs 2 people of sre, and there is 1",
        ]
    );
    assert!(found[0].text(false).contains("did you mean `ops`?"), "{}", found[0].text(false));
}

#[test]
fn what_is_sent_back_goes_to_a_step_before_the_gate() {
    let of = |back: &str| {
        format!(
            "timeout: 1m\nsteps:\n  - {{id: a, run: x}}\n  - {{id: b, run: x}}\n  - {{id: g, needs: a, gate: {{prompt: ok, send-back: {back}}}}}\n"
        )
    };
    check(&of("a"), &[]);
    check(&of("c"), &["5:53 error[gate] there is no step `c`"]);
    check(&of("b"), &["5:53 error[gate] `b` does not come before this gate, so nothing leads back from it"]);
    // A gate before that step does not ask again.
    let behind = "timeout: 1m\nsteps:\n  - {id: p, gate: {prompt: ok}}\n  - {id: a, needs: p, run: x}\n  - {id: g, needs: a, gate: {prompt: ok, send-back: a}}\n";
    check(
        behind,
        &[
            "5:53 warning[gate] nothing is sent back to `a` once it has run: it stands behind the gate `p`, which would not ask again",
        ],
    );
    // So does one beside the way there; one before steps that call nothing is no matter.
    let beside = "timeout: 1m\nsteps:\n  - {id: a, run: x}\n  - {id: p, gate: {prompt: ok}}\n  - {id: pay, needs: [a, p], run: x}\n  - {id: g, needs: pay, gate: {prompt: ok, send-back: a}}\n";
    check(
        beside,
        &[
            "6:55 warning[gate] nothing is sent back to `a` once `pay` has run: it stands behind the gate `p`, which would not ask again",
        ],
    );
    check(&beside.replace("needs: [a, p], run: x", "needs: [a, p], set: {values: {v: 1}}"), &[]);
}

#[test]
fn a_snapshot_is_of_files_in_the_workspace_and_nothing_that_is_not_understood_is_taken_for_one() {
    let of = |consent: &str| {
        format!("timeout: 1m\nsteps:\n  - {{id: g, gate: {{prompt: ok, consent: {consent}}}}}\n")
    };
    for good in ["files", "snapshot", "{snapshot: \"!target\"}", "{snapshot: [src, Makefile]}"] {
        check(&of(good), &[]);
    }
    check(&of("snapshots"), &["3:41 error[value] `consent` is files or snapshot"]);
    check(&of("{}"), &["3:41 error[missing-key] `consent` needs `snapshot:`"]);
    let leaves = "leaves the workspace, and a snapshot is of the workspace alone";
    check(&of("{snapshot: [/etc, a]}"), &[&format!("3:53 error[gate] `/etc` {leaves}")]);
    check(&of("{snapshot: \"!../a\"}"), &[&format!("3:52 error[gate] `../a` {leaves}")]);
}

#[test]
fn the_schema_for_editors_knows_every_key_of_the_example() {
    let schema = cuelight_definition::json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let flow = serde_json::to_string(&schema).expect("JSON");
    for key in ["on-conflict", "undo-window", "json-schema", "max-attempts", "catch-up", "on-console-death"] {
        assert!(flow.contains(&format!("\"{key}\"")), "{key}");
    }
    assert_eq!(schema["$defs"]["step"]["properties"]["depends"]["deprecated"], true);
}

#[test]
fn a_gate_for_a_whole_matrix_is_escalated_once() {
    let gate = |scope: &str| {
        let escalate = "escalate: {after: 1h, to: \"group:${{ matrix.k }}\"}";
        format!("steps:\n  - {{id: g, matrix: {{k: [a, b]}}, gate: {{prompt: ok, {scope}{escalate}}}}}\n")
    };
    check(&gate(""), &[]);
    check(&gate("scope: matrix, "), &["2:105 error[unknown-axis] there is no matrix here"]);
    check(
        "steps:\n  - {id: g, gate: {prompt: ok, scope: matrix}}\n",
        &["2:13 warning[gate] `scope: matrix` means nothing without a matrix"],
    );
}

#[test]
fn a_budget_and_an_estimate_belong_to_what_calls_something() {
    check(
        "steps:\n  - {id: a, run: x, timeout: 1m, budget: {calls: 2}, estimate: {tokens: 5, cost-usd: 0.01}}\n",
        &[],
    );
    check(
        "steps:\n  - {id: a, wait: 3s, budget: {calls: 2}, estimate: {tokens: 5}}\n",
        &[
            "2:23 error[kind] `budget` means nothing in a `wait` step",
            "2:43 error[kind] `estimate` means nothing in a `wait` step",
        ],
    );
    check(
        "steps:\n  - {id: a, run: x, estimate: {tokens: -1}, timeout: 1m}\n",
        &["2:40 error[value] `tokens` is a whole number, at least 0"],
    );
}

#[test]
fn what_is_wrong_with_a_choice_of_tools_is_said_with_what_to_do() {
    let file = |uses: &str| {
        format!(
            "timeout: 1h\nsteps:\n  - id: a\n    uses: {uses}\n    with: {{image: x, ticket: CHG-1}}\n    undo: none\n"
        )
    };
    check(&file("{any: [deploy@1, deploy-blue-green@1], route: least-loaded}"), &[]);
    check(&file("{any: []}"), &["4:11 error[missing-key] `uses` names no tool and no capability"]);
    check(
        &file("{any: [deploy@1], route: learnt}"),
        &["4:36 error[value] `route` is round-robin, capability, least-loaded, priority, manual or learned"],
    );
    check(&file("{any: [deploy@1, deplyo@1]}"), &["4:28 error[tool] there is no tool `deplyo@1`"]);
    check(
        &file("{any: [deploy@1, deploy@1.0.0]}"),
        &["4:28 error[tool] deploy@1.0.0 stands twice among the candidates"],
    );
    check(&file("{capabilities: [fly, swim]}"), &["4:11 error[tool] no tool can do fly and swim"]);
    check(
        &file("{any: [deploy@1], capabilities: [fly], route: priority}"),
        &["4:18 error[tool] deploy@1 cannot do fly"],
    );
    check(
        &file("{any: [deploy@1, json.query@1]}"),
        &[
            "4:28 error[missing-key] json.query@1.0.0 needs `data`",
            "4:28 error[missing-key] json.query@1.0.0 needs `query`",
            "5:19 error[tool-input] json.query@1.0.0 has no input `image`",
            "5:30 error[tool-input] json.query@1.0.0 has no input `ticket`",
        ],
    );
    check(
        &file("{all: [deploy@1]}"),
        &[
            "4:11 error[missing-key] `uses` names no tool and no capability",
            "4:12 error[unknown-key] `all` is no key of `uses`",
        ],
    );
    let many: Vec<String> = (0..51).map(|index| format!("t{index}@1")).collect();
    check(
        &file(&format!("{{any: [{}]}}", many.join(", "))),
        &["4:11 error[value] `any` names more than 50 tools"],
    );
}

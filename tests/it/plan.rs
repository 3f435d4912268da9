//! Workflows in, plans out, as text. One line a step: its place, id, kind, and what it stands in and waits for.

use cuelight_base::{MATRIX_COPIES_MAX, STEPS_MAX, Span, StepIx, Value, ValueMap};
use cuelight_definition::{Files, Place, Placed, StepKind, Workflow, read};
use cuelight_plan::{
    Estimate, FrameKind, GraphFormat, Machine, Plan, PlanAnswer, PlanStep, Undo, Work, critical_path, expand,
    graph, lower, order, outline, show, stages,
};
use serde_json::json;
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

/// The other files of a case: name, text.
struct Others<'a>(&'a [(&'a str, &'a str)]);

impl Files for Others<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "there is no such file".to_owned())
    }
}

#[track_caller]
fn workflow(text: &str, others: &[(&str, &str)]) -> Workflow {
    let (workflow, findings) = read("main.yaml", text, &Others(others));
    workflow.unwrap_or_else(|| panic!("{findings:#?}"))
}

/// The plan of a file, with the files it calls.
fn planned(text: &str, others: &[(&str, &str)], inputs: &Value) -> Result<Plan, Vec<String>> {
    let plan = lower(&workflow(text, others), map(inputs))?;
    check_sound(&plan);
    Ok(plan)
}

/// Checks the rules of every plan: ids differ, a frame precedes its contents, needs stay among siblings.
fn check_sound(plan: &Plan) {
    let ids: BTreeSet<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids.len(), plan.steps.len(), "ids differ");
    for (index, step) in plan.steps.iter().enumerate() {
        let before = |ix: Option<StepIx>| ix.is_none_or(|ix| ix.index() < index);
        assert!(before(step.frame) && before(step.scope), "{}", step.id);
        for need in &step.needs {
            let need = &plan.steps[need.index()];
            assert_eq!((need.scope, need.frame), (step.scope, step.frame), "{} needs {}", step.id, need.id);
        }
    }
}

fn map(value: &Value) -> ValueMap {
    value.as_object().cloned().unwrap_or_default()
}

fn plan(text: &str) -> Plan {
    planned(text, &[], &json!({})).expect("a good workflow")
}

/// The plan as programs get it.
fn answer(plan: &Plan) -> Value {
    serde_json::to_value(PlanAnswer::of(plan)).expect("a plan is JSON")
}

fn rendered(steps: &[PlanStep]) -> String {
    let mut out = String::new();
    for (index, step) in steps.iter().enumerate() {
        write!(out, "{index} {} {}", step.id, step.work.word()).expect("a String");
        for (word, value) in [("scope", step.scope), ("in", step.frame)] {
            if let Some(ix) = value {
                write!(out, " {word} {}", ix.0).expect("a String");
            }
        }
        if !step.needs.is_empty() {
            let needs: Vec<String> = step.needs.iter().map(|step| step.0.to_string()).collect();
            write!(out, " needs {}", needs.join(",")).expect("a String");
        }
        if let Some(condition) = &step.condition {
            write!(out, " if {condition}").expect("a String");
        }
        if !step.matrix.is_empty() {
            write!(out, " {}", Value::Object(step.matrix.clone())).expect("a String");
        }
        out.push('\n');
    }
    out
}

#[track_caller]
fn same(found: &str, expected: &str) {
    let lines = |text: &str| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(found), lines(expected), "\n{found}");
}

#[track_caller]
fn check(text: &str, others: &[(&str, &str)], expected: &str) {
    let plan = planned(text, others, &json!({})).expect("a good workflow");
    same(&rendered(&plan.steps), expected);
}

#[track_caller]
fn check_refused(text: &str, others: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(planned(text, others, &json!({})).expect_err("a bad workflow"), expected);
}

/// The copies of one matrix, a line each.
#[track_caller]
fn check_matrix(matrix: &str, expected: &str) {
    let plan = plan(&format!("steps:\n  - id: t\n    run: x\n    matrix: {matrix}\n"));
    let copy = |step: &PlanStep| format!("{} {}\n", step.id, Value::Object(step.matrix.clone()));
    same(&plan.steps[1..].iter().map(copy).collect::<String>(), expected);
}

#[test]
fn steps_keep_the_order_of_the_file_and_needs_become_places() {
    check(
        "
        steps:
          - {id: ship, run: x, needs: [build, test]}
          - {id: build, run: x}
          - {id: test, run: x, needs: build, if: always()}
        ",
        &[],
        "
        0 ship run needs 1,2
        1 build run
        2 test run needs 1 if always()
        ",
    );
}

#[test]
fn a_matrix_is_a_frame_with_copies_and_the_frame_alone_waits() {
    check(
        "
        steps:
          - {id: build, run: x}
          - {id: test, needs: build, if: success(), matrix: {os: [linux, mac], v: [1, 2]}, run: x}
          - {id: ship, needs: test, run: x}
        ",
        &[],
        r#"
        0 build run
        1 test matrix needs 0 if success()
        2 test[linux,1] run in 1 {"os":"linux","v":1}
        3 test[linux,2] run in 1 {"os":"linux","v":2}
        4 test[mac,1] run in 1 {"os":"mac","v":1}
        5 test[mac,2] run in 1 {"os":"mac","v":2}
        6 ship run needs 1
        "#,
    );
}

#[test]
fn another_workflow_is_a_frame_with_its_steps_and_a_scope_of_its_own() {
    let push = "
        env: {A: b}
        inputs: {to: {default: here}}
        secrets: [KEY]
        outputs: {url: '${{ steps.push.outputs.url }}'}
        steps:
          - {id: login, run: x}
          - {id: push, needs: login, matrix: {r: [eu]}, outputs: {url: string}, run: x}
    ";
    let text = "
        secrets: [TOKEN, KEY]
        steps:
          - {id: login, run: x}
          - {id: ship, needs: login, workflow: push.yaml}
    ";
    check(
        text,
        &[("push.yaml", push)],
        r#"
        0 login run
        1 ship workflow needs 0
        2 ship/login run scope 1 in 1
        3 ship/push matrix scope 1 in 1 needs 2
        4 ship/push[eu] run scope 1 in 3 {"r":"eu"}
        "#,
    );
    let plan = planned(text, &[("push.yaml", push)], &json!({})).expect("good");
    assert_eq!(plan.secrets, ["TOKEN", "KEY"]);
    assert_eq!((plan.steps[3].local.as_str(), plan.steps[4].local.as_str()), ("push", "push[eu]"));
    let Work::Frame(frame) = &plan.steps[1].work else { panic!("a frame") };
    let FrameKind::Workflow { defaults, env, outputs, .. } = &frame.kind else { panic!("a workflow") };
    assert_eq!(Value::Object(defaults.clone()), json!({"to": "here"}));
    assert_eq!((env.len(), outputs.len()), (1, 1));
}

const INNER: (&str, &str) = (
    "in.yaml",
    "
    steps:
      - {id: b, needs: a, run: x}
      - {id: a, matrix: {k: [p, q]}, run: x}
    ",
);

#[test]
fn a_matrix_over_a_workflow_is_a_frame_of_frames() {
    check(
        "
        steps:
          - {id: go, matrix: {r: [eu, us]}, workflow: in.yaml}
          - {id: end, needs: go, run: x}
        ",
        &[INNER],
        r#"
        0 go matrix
        1 go[eu] workflow in 0 {"r":"eu"}
        2 go[eu]/b run scope 1 in 1 needs 3
        3 go[eu]/a matrix scope 1 in 1
        4 go[eu]/a[p] run scope 1 in 3 {"k":"p"}
        5 go[eu]/a[q] run scope 1 in 3 {"k":"q"}
        6 go[us] workflow in 0 {"r":"us"}
        7 go[us]/b run scope 6 in 6 needs 8
        8 go[us]/a matrix scope 6 in 6
        9 go[us]/a[p] run scope 6 in 8 {"k":"p"}
        10 go[us]/a[q] run scope 6 in 8 {"k":"q"}
        11 end run needs 0
        "#,
    );
}

/// The copies of a computed matrix, made as the engine makes them: behind all other steps.
#[track_caller]
fn opened(plan: &Plan, frame: usize, matrix: &Value) -> Result<Vec<PlanStep>, String> {
    let Work::Frame(this_frame) = &plan.steps[frame].work else { panic!("a frame") };
    let FrameKind::Computed { body, .. } = &this_frame.kind else { panic!("a computed matrix") };
    let first = StepIx::from_index(plan.steps.len());
    expand(&plan.steps[frame].id, body, first, StepIx::from_index(frame), matrix)
}

#[test]
fn a_computed_matrix_makes_the_same_copies_behind_all_other_steps() {
    let text = "
        steps:
          - {id: a, run: x, outputs: {m: string}}
          - {id: go, needs: a, matrix: '${{ fromJSON(steps.a.outputs.m) }}', workflow: in.yaml}
          - {id: end, needs: go, run: x}
    ";
    check(text, &[INNER], "0 a run\n1 go matrix needs 0\n2 end run needs 1");
    let mut plan = planned(text, &[INNER], &json!({})).expect("good");
    let copies = opened(&plan, 1, &json!([{"r": "eu"}, {"r": "us"}])).expect("a matrix");
    plan.steps.extend(copies);
    same(
        &rendered(&plan.steps),
        r#"
        0 a run
        1 go matrix needs 0
        2 end run needs 1
        3 go[eu] workflow in 1 {"r":"eu"}
        4 go[eu]/b run scope 3 in 3 needs 5
        5 go[eu]/a matrix scope 3 in 3
        6 go[eu]/a[p] run scope 3 in 5 {"k":"p"}
        7 go[eu]/a[q] run scope 3 in 5 {"k":"q"}
        8 go[us] workflow in 1 {"r":"us"}
        9 go[us]/b run scope 8 in 8 needs 10
        10 go[us]/a matrix scope 8 in 8
        11 go[us]/a[p] run scope 8 in 10 {"k":"p"}
        12 go[us]/a[q] run scope 8 in 10 {"k":"q"}
        "#,
    );
}

#[test]
fn a_computed_matrix_inside_the_copies_of_another_keeps_its_place() {
    let inner = (
        "in.yaml",
        "inputs: {x: array}\nsteps:\n  - {id: a, run: x}\n  - {id: m, needs: a, matrix: '${{ inputs.x }}', run: x}\n",
    );
    let text = "steps:\n  - {id: go, matrix: '${{ vars.m }}', workflow: in.yaml}\n  - {id: z, run: x}\n";
    let mut plan = planned(text, &[inner], &json!({})).expect("good");
    plan.steps.extend(opened(&plan, 0, &json!({"r": ["eu", "us"]})).expect("a matrix"));
    let inner = plan.steps.iter().position(|step| step.id == "go[us]/m").expect("it is there");
    plan.steps.extend(opened(&plan, inner, &json!({"k": [1, 2]})).expect("a matrix"));
    same(
        &rendered(&plan.steps),
        r#"
        0 go matrix
        1 z run
        2 go[eu] workflow in 0 {"r":"eu"}
        3 go[eu]/a run scope 2 in 2
        4 go[eu]/m matrix scope 2 in 2 needs 3
        5 go[us] workflow in 0 {"r":"us"}
        6 go[us]/a run scope 5 in 5
        7 go[us]/m matrix scope 5 in 5 needs 6
        8 go[us]/m[1] run scope 5 in 7 {"k":1}
        9 go[us]/m[2] run scope 5 in 7 {"k":2}
        "#,
    );
}

#[test]
fn a_value_that_is_no_matrix_is_refused_with_what_to_write() {
    let plan = plan("steps:\n  - {id: go, matrix: '${{ vars.m }}', run: x}\n");
    let refused = |value: Value| opened(&plan, 0, &value).expect_err("no matrix");
    let whole = |why: &str| format!("could not expand the matrix of `go`: {why}");
    assert_eq!(refused(json!("[1]")), whole("it is a text; read it with fromJSON(…)"));
    assert_eq!(refused(json!(null)), whole("it is of type null, not a mapping of axes"));
    assert_eq!(refused(json!({"os": "linux"})), whole("the axis `os` is of type string, not a list"));
    assert_eq!(refused(json!([{"a": 1}, 2])), whole("it is a list of mappings"));
    let hundred: Vec<u32> = (0..=100).collect();
    assert_eq!(
        refused(json!({"a": hundred, "b": hundred})),
        whole("it has too many copies, more than 10000")
    );
    assert_eq!(opened(&plan, 0, &json!([])), Ok(Vec::new()));
    assert_eq!(opened(&plan, 0, &json!({"a": []})), Ok(Vec::new()));
}

/// The examples of GitHub's page on matrices.
#[test]
fn include_adds_to_the_copies_it_fits_and_makes_new_ones() {
    check_matrix(
        "{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat},
          {fruit: apple, shape: circle}, {fruit: banana}, {fruit: banana, animal: cat}]}",
        r#"
        t[apple,cat] {"fruit":"apple","animal":"cat","color":"pink","shape":"circle"}
        t[apple,dog] {"fruit":"apple","animal":"dog","color":"green","shape":"circle"}
        t[pear,cat] {"fruit":"pear","animal":"cat","color":"pink"}
        t[pear,dog] {"fruit":"pear","animal":"dog","color":"green"}
        t[banana] {"fruit":"banana"}
        t[banana,cat] {"fruit":"banana","animal":"cat"}
        "#,
    );
    check_matrix(
        "{os: [windows-latest, ubuntu-latest], node: [14, 16], include: [{os: windows-latest, node: 16, npm: 6}]}",
        r#"
        t[windows-latest,14] {"os":"windows-latest","node":14}
        t[windows-latest,16] {"os":"windows-latest","node":16,"npm":6}
        t[ubuntu-latest,14] {"os":"ubuntu-latest","node":14}
        t[ubuntu-latest,16] {"os":"ubuntu-latest","node":16}
        "#,
    );
    check_matrix(
        "{os: [macos-latest, ubuntu-latest], version: [12, 14], include: [{os: windows-latest, version: 17}]}",
        r#"
        t[macos-latest,12] {"os":"macos-latest","version":12}
        t[macos-latest,14] {"os":"macos-latest","version":14}
        t[ubuntu-latest,12] {"os":"ubuntu-latest","version":12}
        t[ubuntu-latest,14] {"os":"ubuntu-latest","version":14}
        t[windows-latest,17] {"os":"windows-latest","version":17}
        "#,
    );
    check_matrix(
        "{include: [{site: production, datacenter: site-a}, {site: staging, datacenter: site-b}]}",
        r#"
        t[production,site-a] {"site":"production","datacenter":"site-a"}
        t[staging,site-b] {"site":"staging","datacenter":"site-b"}
        "#,
    );
}

#[test]
fn exclude_leaves_out_what_it_fits_even_in_part_and_before_include() {
    check_matrix(
        "{os: [macos-latest, windows-latest], version: [12, 14, 16], environment: [staging, production],
          exclude: [{os: macos-latest, version: 12, environment: production}, {os: windows-latest, version: 16}]}",
        r#"
        t[macos-latest,12,staging] {"os":"macos-latest","version":12,"environment":"staging"}
        t[macos-latest,14,staging] {"os":"macos-latest","version":14,"environment":"staging"}
        t[macos-latest,14,production] {"os":"macos-latest","version":14,"environment":"production"}
        t[macos-latest,16,staging] {"os":"macos-latest","version":16,"environment":"staging"}
        t[macos-latest,16,production] {"os":"macos-latest","version":16,"environment":"production"}
        t[windows-latest,12,staging] {"os":"windows-latest","version":12,"environment":"staging"}
        t[windows-latest,12,production] {"os":"windows-latest","version":12,"environment":"production"}
        t[windows-latest,14,staging] {"os":"windows-latest","version":14,"environment":"staging"}
        t[windows-latest,14,production] {"os":"windows-latest","version":14,"environment":"production"}
        "#,
    );
    check_matrix("{a: [1, 2], exclude: [{a: 2}], include: [{a: 2}]}", "t[1] {\"a\":1}\nt[2] {\"a\":2}");
}

#[test]
fn copies_have_ids_that_differ_and_can_be_typed() {
    check_matrix(
        r#"{v: ["1", 1, "a,b]", true, null, {os: linux, n: 2}, "x\u001b[2Jy"]}"#,
        r#"
        t[1] {"v":"1"}
        t[1~2] {"v":1}
        t[a_b_] {"v":"a,b]"}
        t[true] {"v":true}
        t[null] {"v":null}
        t[linux-2] {"v":{"os":"linux","n":2}}
        t[x__2Jy] {"v":"x\u001b[2Jy"}
        "#,
    );
}

#[test]
fn what_the_file_says_of_a_step_reaches_every_copy() {
    let plan = plan(
        "
        steps:
          - id: t
            run: x
            matrix: {a: [1]}
            env: {B: c}
            timeout: 5m
            retry: {max-attempts: 4}
            fallback: [{run: y}]
            undo: {run: z}
            on-error: continue
            outputs: {o: integer}
            priority: 3
          - {id: g, gate: {prompt: Go on?}}
          - {id: n, run: x, undo: none}
        ",
    );
    let [frame, copy, gate, last] = plan.steps.as_slice() else { panic!("four steps") };
    assert_eq!((frame.timeout, frame.retry.is_some(), frame.env.len()), (None, false, 0));
    assert_eq!(serde_json::to_value(&frame.outputs).expect("JSON"), json!([["o", "array"]]));
    assert_eq!(serde_json::to_value(frame.on_error).expect("JSON"), json!("continue"));
    assert_eq!((copy.timeout, copy.priority, copy.fallback.len()), (Some(Span(300_000)), 3, 1));
    assert_eq!(copy.retry.as_ref().map(|retry| retry.max_attempts), Some(4));
    assert_eq!(serde_json::to_value(&copy.outputs).expect("JSON"), json!([["o", "integer"]]));
    assert_eq!(serde_json::to_value(copy.on_error).expect("JSON"), json!("abort"));
    assert!(matches!(copy.undo, Undo::By(_)));
    assert_eq!((gate.timeout, gate.retry.is_some()), (None, false), "waiting is no attempt");
    assert_eq!(last.undo, Undo::Impossible);
    let effects: Vec<&str> = plan.steps.iter().map(|step| step.effect.word()).collect();
    assert_eq!(effects, ["pure", "once", "pure", "once"]);
}

#[test]
fn a_machine_that_lacks_what_a_step_requires_is_told_all_at_once() {
    let text = "
        steps:
          - {id: small, run: x, requires: {labels: [gpu, linux]}}
          - {id: shut, run: x, requires: {capabilities: [tpm, keys]}}
          - {id: called, needs: [], matrix: \"${{ fromJSON('[1]') }}\", run: x, requires: {labels: gpu}}
    ";
    let plan = plan(text);
    let machine = |labels: &[&str], capabilities: &[&str]| {
        let all = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        Machine { labels: all(labels), capabilities: all(capabilities) }
    };
    assert_eq!(
        plan.refused_by(&machine(&["linux", "blue"], &[])),
        [
            "could not start: step `small` requires the label gpu, and this machine has blue, linux; start it where that is, or say under `labels` of .cuelight/config.toml that it is here",
            "could not start: step `shut` requires the capabilities tpm, keys, and this machine has no capabilities; start it where that is, or say under `capabilities` of .cuelight/config.toml that it is here",
            "could not start: step `called` requires the label gpu, and this machine has blue, linux; start it where that is, or say under `labels` of .cuelight/config.toml that it is here",
        ]
    );
    assert_eq!(plan.refused_by(&machine(&["linux", "gpu"], &["keys", "tpm", "x"])), [""; 0]);
    assert!(show(&plan).contains("shut"), "{}", show(&plan));
}

/// The plan refuses all that the checker refuses, because a workflow need not come from a file.
#[test]
fn what_would_make_a_wrong_plan_is_refused() {
    let refused = |change: fn(&mut Workflow)| {
        let text =
            "steps:\n  - {id: a, run: x}\n  - {id: b, run: x, needs: a}\n  - {id: c, workflow: in.yaml}\n";
        let mut workflow = workflow(text, &[INNER]);
        change(&mut workflow);
        lower(&workflow, ValueMap::new()).expect_err("a wrong plan")
    };
    assert_eq!(
        refused(|workflow| workflow.steps[0].needs = vec![Placed::new("b".to_owned(), Place::default())]),
        ["could not plan: steps wait for each other: a → b → a; take one of these needs out"]
    );
    assert_eq!(
        refused(|workflow| workflow.steps[0].needs = vec![Placed::new("zed".to_owned(), Place::default())]),
        ["could not plan: step `a` needs `zed`, and there is no such step; add it"]
    );
    assert_eq!(
        refused(|workflow| workflow.steps[0].id = workflow.steps[1].id.clone()),
        ["could not plan: two steps are called `b`; rename one"]
    );
    assert_eq!(
        refused(|workflow| {
            if let StepKind::Workflow(call) = &mut workflow.steps[2].kind {
                call.body = None;
            }
        }),
        ["could not plan: step `c` calls in.yaml, which was not read; check that file"]
    );
}

#[test]
fn a_budget_that_cannot_be_kept_is_refused_before_the_start() {
    check_refused(
        "budget: {calls: 1}\nsteps:\n  - {id: a, run: x}\n  - {id: b, run: x}\n  - {id: c, run: x, if: failure()}\n",
        &[],
        &["could not start: needs calls=2, has calls=1; raise `budget.calls` or set `on-exceed: gate`"],
    );
    check_refused(
        "budget: {tokens: 50, cost-usd: 1.5}\nsteps:\n  - {id: a, run: x, estimate: {tokens: 40, cost-usd: 1}}\n  - {id: b, run: x, estimate: {tokens: 20, cost-usd: 0.75}}\n",
        &[],
        &[
            "could not start: needs tokens=60, cost-usd=1.75, has tokens=50, cost-usd=1.50; raise `budget.tokens` and `budget.cost-usd` or set `on-exceed: gate`",
        ],
    );
    check_refused(
        "steps:\n  - {id: a, run: x, estimate: {tokens: 40}, budget: {tokens: 30}}\n",
        &[],
        &[
            "could not start: step `a` needs tokens=40, has tokens=30; raise `budget.tokens` or set `on-exceed: gate`",
        ],
    );
}

/// So many workflows, each called by the one before.
fn chain(depth: usize) -> Workflow {
    let last = workflow("steps:\n  - {id: end, run: x}\n", &[]);
    (0..depth).fold(last, |inner, _| {
        let mut outer = workflow("steps:\n  - {id: c, workflow: in.yaml}\n", &[INNER]);
        if let StepKind::Workflow(call) = &mut outer.steps[0].kind {
            call.body = Some(Arc::new(inner));
        }
        outer
    })
}

#[test]
fn workflows_nest_sixteen_deep_and_no_deeper() {
    assert_eq!(lower(&chain(16), ValueMap::new()).expect("the limit").steps.len(), 17);
    let refused = lower(&chain(17), ValueMap::new()).expect_err("one too many");
    assert!(refused[0].contains("calls a workflow inside 16 others, which is the limit"), "{refused:?}");
}

#[test]
fn a_run_holds_a_hundred_thousand_steps_and_the_one_too_many_is_named() {
    // Nine matrices of 10,000 copies, one of 9,990 and 10 frames are exactly the limit.
    let axes = |last: usize| {
        let tens: Vec<String> = (0..100).map(|index| index.to_string()).collect();
        let axis = tens.join(",");
        let mut text = String::from("steps:\n");
        for index in 0..9 {
            writeln!(text, "  - {{id: m{index}, run: x, matrix: {{a: [{axis}], b: [{axis}]}}}}")
                .expect("a String");
        }
        let rest: Vec<String> = (0..last).map(|index| index.to_string()).collect();
        writeln!(text, "  - {{id: last, run: x, matrix: {{a: [{}]}}}}", rest.join(",")).expect("a String");
        text
    };
    assert_eq!(MATRIX_COPIES_MAX, 10_000);
    assert_eq!(plan(&axes(9_990)).steps.len(), STEPS_MAX);
    check_too_many(&axes(9_991), &[]);
}

#[test]
fn a_plan_that_no_event_can_carry_is_refused_before_it_is_made() {
    let text = |script: usize| {
        let copies: Vec<String> = (0..700).map(|index| index.to_string()).collect();
        let script = "x".repeat(script);
        format!("steps:\n  - {{id: m, run: {script}, matrix: {{n: [{}]}}}}", copies.join(", "))
    };
    plan(&text(50_000));
    let refused = planned(&text(100_000), &[], &json!({})).expect_err("it is too large");
    assert!(
        refused[0].starts_with("could not plan: with step `m` the plan is larger than 63 MiB"),
        "{refused:?}"
    );
}

/// The checker says so before a plan is made.
#[track_caller]
fn check_too_many(text: &str, others: &[(&str, &str)]) {
    let (workflow, findings) = read("main.yaml", text, &Others(others));
    assert!(workflow.is_none());
    let finding = findings.iter().find(|finding| finding.is_error()).expect("it is refused");
    assert!(finding.message.contains("steps after expansion, more than 100000"), "{finding:#?}");
}

#[test]
fn a_workflow_that_doubles_at_every_level_is_stopped_by_the_limit() {
    let double = |next: usize| {
        format!("steps:\n  - {{id: a, matrix: {{k: [1,2,3,4,5,6,7,8,9]}}, workflow: f{next}.yaml}}\n")
    };
    let mut files: Vec<(String, String)> =
        (1..15).map(|index| (format!("f{index}.yaml"), double(index + 1))).collect();
    files.push(("f15.yaml".to_owned(), "steps:\n  - {id: end, run: x}\n".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    check_too_many(&double(1), &files);
}

#[test]
fn the_same_file_makes_the_same_plan_and_another_makes_another() {
    let text =
        "steps:\n  - {id: t, run: x, matrix: {a: [1, 2]}}\n  - {id: g, needs: t, gate: {prompt: Go?}}\n";
    assert_eq!(plan(text).hash(), plan(text).hash());
    assert_ne!(plan(text).hash(), plan(&text.replace("Go?", "Stop?")).hash());
    let stored = serde_json::to_string(&plan(text)).expect("JSON");
    let read: Plan = serde_json::from_str(&stored).expect("our own JSON");
    assert_eq!((read.hash(), read), (plan(text).hash(), plan(text)));
}

#[test]
fn inputs_take_their_defaults_and_name_the_concurrency_group() {
    let text = "
        inputs: {env: {default: staging}, n: {type: number}}
        concurrency: {group: 'deploy-${{ inputs.env }}', on-conflict: skip}
        steps:
          - {id: a, run: x}
    ";
    let group =
        |inputs: Value| planned(text, &[], &inputs).expect("good").concurrency.expect("a group").group;
    assert_eq!(group(json!({})), "deploy-staging");
    assert_eq!(group(json!({"env": "prod"})), "deploy-prod");
    let plan = planned(text, &[], &json!({"n": 1})).expect("good");
    assert_eq!(Value::Object(plan.inputs), json!({"n": 1, "env": "staging"}));
}

const RELEASE: &str = "
    name: release
    steps:
      - {id: build, run: x, timeout: 10m, undo: {run: y}}
      - {id: test, needs: build, run: x, timeout: 5m, retry: {max-attempts: 3}, matrix: {suite: [unit, api]}}
      - {id: lint, needs: build, run: x, timeout: 1m}
      - id: approve
        needs: [test, lint]
        gate:
          prompt: Ship?
          risk: irreversible
          require: [{group: sre, count: 1}, {group: product, count: 2}]
          forbid: [run.actor]
          timeout: 4h
      - {id: ship, needs: approve, run: x, timeout: 20m, effect: keyed, if: success(), undo: none}
";

#[test]
fn a_plan_is_shown_stage_by_stage() {
    let plan = plan(RELEASE);
    let names: Vec<Vec<&str>> = stages(&plan)
        .iter()
        .map(|stage| stage.iter().map(|step| plan.steps[step.index()].id.as_str()).collect())
        .collect();
    assert_eq!(
        names,
        [vec!["build"], vec!["test", "test[unit]", "test[api]", "lint"], vec!["approve"], vec!["ship"]]
    );
    insta::assert_snapshot!("plan_table", show(&plan));
    let value = answer(&plan);
    assert_eq!(value["estimate"]["calls"], 5);
    assert_eq!(value["estimate"]["calls_most"], 9);
    assert_eq!(value["estimate"]["calls_least"], 4);
    assert_eq!(value["estimate"]["time_most_ms"], 35 * 60_000);
    assert_eq!(Estimate::of(&plan).words(), "6 steps in 4 levels, 1 gate, 5 calls, at most 9");
    assert_eq!(value["steps"][5]["stage"], 3);
}

#[test]
fn the_longest_way_leads_through_the_slowest_copies() {
    let plan = plan(RELEASE);
    let minutes = |step: &PlanStep| if step.id == "test[api]" { 9 } else { 1 };
    let path = critical_path(&plan, |_, step| Span::seconds(minutes(step)));
    let ids: Vec<&str> = path.steps.iter().map(|step| plan.steps[step.index()].id.as_str()).collect();
    assert_eq!(ids, ["build", "test[api]", "approve", "ship"]);
    assert_eq!(path.length, Span::seconds(12));
    let order = order(&plan).expect("no circle");
    let place =
        |id: &str| order.iter().position(|value| plan.steps[value.index()].id == id).expect("it is there");
    assert!(place("test") < place("test[unit]") && place("test[api]") < place("approve"));
}

#[test]
fn the_graph_has_four_spellings() {
    let plan = plan(RELEASE);
    for (name, format) in [("text", "text"), ("mermaid", "mermaid"), ("dot", "dot"), ("json", "json")] {
        let format: GraphFormat = format.parse().expect("a format");
        insta::assert_snapshot!(format!("plan_graph_{name}"), graph(&plan, format));
    }
    assert_eq!(
        "svg".parse::<GraphFormat>(),
        Err("could not write a graph as \"svg\"; write text, mermaid, dot or json".to_owned())
    );
}

#[test]
fn foreign_text_cannot_leave_its_label() {
    let text = r#"
        name: "a\"]; x\e[2J"
        steps:
          - {id: w, http: {url: "https://h/\"] --> y\\"}}
    "#;
    let plan = outline(&workflow(text, &[]), ValueMap::new()).expect("it can be shown");
    for format in [GraphFormat::Text, GraphFormat::Mermaid, GraphFormat::Dot] {
        assert!(!graph(&plan, format).contains('\u{1b}'));
    }
    assert!(graph(&plan, GraphFormat::Mermaid).contains("#34;] --#62; y\\"));
    assert!(graph(&plan, GraphFormat::Dot).contains(r#"\"] --> y\\"#));
    assert!(!show(&plan).contains('\u{1b}'));
}

#[test]
fn what_a_computed_matrix_will_do_is_shown_by_one_copy() {
    let inner =
        ("in.yaml", "steps:\n  - {id: ask, gate: {prompt: Sure?}}\n  - {id: act, needs: ask, run: x}\n");
    let text = "steps:\n  - {id: go, matrix: '${{ fromJSON(vars.m) }}', workflow: in.yaml}\n  - {id: end, needs: go, run: x}\n";
    let plan = planned(text, &[inner], &json!({})).expect("good");
    same(
        &graph(&plan, GraphFormat::Text),
        "
        main: 3 steps, 1 gate
          go             matrix, computed
            go[…]        workflow in.yaml
        ◆     go[…]/ask  gate              risk reversible; any one person
              go[…]/act  run               after go[…]/ask
          end            run               after go
        ",
    );
    assert_eq!(answer(&plan)["estimate"]["gates"], 1);
    assert_eq!(answer(&plan)["hash"], json!(plan.hash()));
}

//! Workflows of other systems become workflow files that the checker takes, and say what they lack.

use super::{Shelf, read_with, workflow};
use cuelight_definition::{Length, StepKind, Wait};
use cuelight_import::{ImportAs, Imported, import_argo, import_dagu, import_github, import_wfformat};
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn every_recorded_run_reads_and_keeps_tasks_and_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/wfinstances");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let recorded: Value = serde_json::from_str(&text).expect("JSON");
        let tasks = recorded["workflow"]["specification"]["tasks"].as_array().expect("tasks");
        for kind in [ImportAs::Noop, ImportAs::Sleep { scale_millionths: 1000 }] {
            let flow = workflow(&import_wfformat(&text, kind).expect("WfFormat").text);
            assert_eq!(flow.steps.len(), tasks.len(), "{}", path.display());
            let needs: usize = flow.steps.iter().map(|step| step.needs.len()).sum();
            let parents: usize =
                tasks.iter().map(|task| task["parents"].as_array().map_or(0, Vec::len)).sum();
            assert_eq!(needs, parents, "{}", path.display());
        }
        count += 1;
    }
    assert!(count >= 6, "{count}");
}

#[test]
fn a_runtime_is_scaled_in_whole_numbers_and_names_are_kept() {
    let text = r#"{"name": "x: ${{ y }}", "schemaVersion": "1.5", "author": {}, "workflow": {"specification": {"tasks": [
        {"id": "Split #1", "name": "Split", "children": ["split_1"]}, {"id": "split_1", "parents": ["Split #1", "gone"]},
        {"id": "9"}]},
        "execution": {"tasks": [{"id": "Split #1", "runtimeInSeconds": 53.6}, {"id": "split_1", "runtimeInSeconds": 1.5e3}]}}}"#;
    let yaml = import_wfformat(text, ImportAs::Sleep { scale_millionths: 1000 }).expect("WfFormat").text;
    let flow = workflow(&yaml);
    assert_eq!(flow.name, "x: $ {{ y }}");
    let steps: Vec<(String, Vec<String>, u64)> = flow
        .steps
        .iter()
        .map(|step| {
            let StepKind::Wait(Wait::For(Length::Fixed(span))) = step.kind else { panic!("a wait") };
            (step.id.value.clone(), step.needs.iter().map(|item| item.value.clone()).collect(), span.0)
        })
        .collect();
    let expected = [("split-1", vec![], 54), ("split_1", vec!["split-1"], 1500), ("t-9", vec![], 0)];
    assert_eq!(
        steps,
        expected.map(|(id, needs, ms)| (id.to_owned(), needs.into_iter().map(str::to_owned).collect(), ms))
    );
    for line in [
        "# Could not carry over: `author`.",
        "# Could not carry over: 1 parents that are no tasks of this file.",
    ] {
        assert!(yaml.contains(line), "{yaml}");
    }
}

#[test]
fn what_is_no_recorded_run_is_refused_with_a_sentence() {
    for (text, why) in [
        ("{", "could not read WfFormat: EOF while parsing an object at line 1 column 1"),
        ("{}", "could not read WfFormat: there is no `workflow`"),
        (
            r#"{"workflow": {"tasks": []}}"#,
            "could not import a workflow without tasks; there is nothing to run",
        ),
        (r#"{"workflow": {"tasks": [{}]}}"#, "could not read WfFormat: task 1 has neither id nor name"),
    ] {
        assert_eq!(import_wfformat(text, ImportAs::Noop), Err(why.to_owned()));
    }
}

/// Text of an imported fixture. The only thing that the checker may miss is a workflow that is imported by
/// itself.
#[track_caller]
fn imported(made: Result<Imported, String>, others: &[&str]) -> String {
    let made = made.expect("a workflow");
    let shelf = Shelf(others.iter().map(|text| ((*text).to_owned(), CALLED.to_owned())).collect());
    let (workflow, said) = read_with(&made.text, &shelf);
    let said: Vec<String> = said
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .map(|diagnostic| diagnostic.text(false))
        .collect();
    assert!(workflow.is_some(), "{}\n{}", said.join("\n"), made.text);
    for line in &made.left_out {
        assert!(made.text.contains(&format!("# Could not carry over: {line}.\n")), "{line}");
    }
    made.text
}

const CALLED: &str = "inputs:\n  version: {type: string, default: ''}\n  X: {type: string, default: ''}\nsteps: [{id: a, run: echo}]\n";

#[test]
fn a_workflow_of_github_keeps_order_conditions_and_values_and_asks_for_what_only_github_does() {
    let text = include_str!("../../fixtures/import/github.yaml");
    insta::assert_snapshot!("import_github", imported(import_github(text), &["audit.yaml"]));
}

#[test]
fn a_workflow_of_dagu_keeps_what_its_steps_hand_on_and_when_they_are_due() {
    let text = include_str!("../../fixtures/import/dagu.yaml");
    insta::assert_snapshot!("import_dagu", imported(import_dagu(text), &[]));
}

#[test]
fn a_workflow_of_argo_is_unfolded_and_its_values_reach_containers_as_variables() {
    let text = include_str!("../../fixtures/import/argo.yaml");
    insta::assert_snapshot!("import_argo", imported(import_argo(text), &[]));
}

#[test]
fn what_is_no_workflow_of_that_system_is_refused_with_a_sentence() {
    let github = "a workflow of GitHub Actions";
    for (made, why) in [
        (import_github("a: 1\n"), format!("could not import {github}: there are no `jobs`")),
        (
            import_github("jobs: {}\n"),
            format!("could not import {github}: there is nothing in it that can be run here"),
        ),
        (import_github("- a\n"), "could not read the file: it is not a mapping".to_owned()),
        (import_github(""), "could not read the file: line 1: the file is empty".to_owned()),
        (
            import_github("jobs: {a: 1, a: 2}\n"),
            "could not read the file: line 1: `a` stands twice in this mapping".to_owned(),
        ),
        (
            import_dagu("name: x\n"),
            "could not import a workflow of Dagu: line 1: there are no `steps`".to_owned(),
        ),
        (import_argo("kind: Pod\n"), "could not import a workflow of Argo: there is no `spec`".to_owned()),
        (
            import_argo("spec: {templates: []}\n"),
            "could not import a workflow of Argo: it says no `entrypoint`, so it is no workflow by itself"
                .to_owned(),
        ),
    ] {
        assert_eq!(made.map(|imported| imported.text), Err(why));
    }
}

#[test]
fn a_template_that_uses_itself_ends_in_a_question() {
    let text =
        "spec:\n  entrypoint: a\n  templates:\n    - name: a\n      steps: [[{name: again, template: a}]]\n";
    let made = imported(import_argo(text), &[]);
    assert!(
        made.contains("  - id: again\n    gate:\n      prompt: Has a (work) been done by hand?\n"),
        "{made}"
    );
}

#[test]
fn a_condition_that_cannot_be_carried_over_keeps_its_step_from_running() {
    let text = "spec:\n  entrypoint: a\n  templates:\n    - name: a\n      steps: [[{name: b, template: c, when: \"{{=asInt(x)}} > 1\"}]]\n    \
        - {name: c, container: {image: busybox}}\n";
    let made = import_argo(text).expect("a workflow");
    assert!(made.text.contains("    if: \"false\"\n"), "{}", made.text);
    assert!(made.left_out.iter().any(|text| text.starts_with("when b runs")), "{:?}", made.left_out);
}

#[test]
fn a_condition_of_github_that_cannot_be_read_or_is_not_known_lets_nothing_run_unasked() {
    let text =
        "jobs:\n  a:\n    if: github.ref != 'refs/heads/main'\n    steps: [{run: echo, if: dreams()}]\n";
    let made = import_github(text).expect("a workflow");
    assert!(
        made.text.contains("    if: (inputs.github_ref != 'refs/heads/main') && (false)\n"),
        "{}",
        made.text
    );
    assert!(made.text.contains("  github_ref:\n    type: string\n    description: What github.ref is at GitHub\n    required: true\n"), "{}", made.text);
    assert!(
        made.left_out.iter().any(|text| text.starts_with("when a step of a runs, dreams()")),
        "{:?}",
        made.left_out
    );
}

#[test]
fn a_job_of_github_that_runs_elsewhere_asks_before_it_runs_here_and_a_token_is_a_secret() {
    let text = "jobs:\n  a:\n    container: {image: debian}\n    services: {db: {image: postgres}}\n    runs-on: windows-latest\n    \
        steps: [{run: curl -H $GITHUB_TOKEN, env: {T: '${{ github.token }}'}}]\n";
    let made = imported(import_github(text), &[]);
    let asked = "Run a on this machine, with its files, rights and network? At GitHub it runs in the container debian beside db (postgres)";
    assert!(made.contains(&format!("  - id: a-machine\n    gate:\n      prompt: {asked}\n")), "{made}");
    assert!(made.contains("secrets:\n  - GITHUB_TOKEN\n"), "{made}");
    assert_eq!(made.matches("${{ secrets.GITHUB_TOKEN }}").count(), 2, "{made}");
}

#[test]
fn what_names_itself_again_and_again_is_imported_in_no_time_and_little_room() {
    let mut github = "jobs:\n".to_owned();
    let mut dagu = "steps:\n".to_owned();
    for level in 0..30_u32 {
        let before = level.saturating_sub(1);
        let output = "${{ needs.j0.outputs.x }}".replace("j0", &format!("j{before}"));
        let many = vec![format!("needs.j{before}.outputs.x"); 9].join(" || ");
        let output = if level == 0 {
            "${{ github.sha }}".to_owned()
        } else {
            format!("{} && ({many}) }}}}", output.trim_end_matches(" }}"))
        };
        for half in ["j", "k"] {
            let needs =
                if level == 0 { String::new() } else { format!("    needs: [j{before}, k{before}]\n") };
            github.push_str(&format!(
                "  {half}{level}:\n{needs}    if: inputs.a{half}{level} == 'x'\n    outputs: {{x: \"{output}\"}}\n    steps: [{{run: 'echo ${{{{ needs.j{before}.outputs.x }}}}'}}]\n"
            ));
            let needs = if level == 0 { String::new() } else { format!(", depends: [j{before}, k{before}]") };
            dagu.push_str(&format!("  - {{name: {half}{level}, command: echo{needs}, preconditions: [{{condition: test {half}{level}}}]}}\n"));
        }
    }
    for made in [import_github(&github), import_dagu(&dagu)] {
        let made = made.expect("a workflow");
        assert!(made.text.len() < 2_000_000, "{}", made.text.len());
    }
}

/// A workflow of Argo whose entry is `main`, with these templates.
fn argo(templates: &str) -> String {
    format!(
        "spec:\n  entrypoint: main\n  arguments: {{parameters: [{{name: p, value: v}}]}}\n  templates:\n{templates}"
    )
}

/// The condition of a step of an imported file.
#[track_caller]
fn condition(text: &str, id: &str) -> String {
    let at = text.find(&format!("  - id: {id}\n")).unwrap_or_else(|| panic!("{id} in\n{text}"));
    let step = text[at..].split("\n\n").next().unwrap_or_default();
    let said = step.lines().find_map(|line| line.trim().strip_prefix("if: "));
    said.unwrap_or_default().to_owned()
}

#[test]
fn a_graph_that_stops_at_a_failure_otherwise_than_the_file_is_told_at_its_top() {
    let file = |main: &str, inner: &str| {
        let templates = format!(
            "    - name: main\n      dag: {{{main} tasks: [{{name: a, template: inner}}]}}\n    - name: inner\n      dag: {{{inner} tasks: [{{name: b, template: b}}]}}\n    - name: b\n      container: {{image: i, command: [x]}}\n"
        );
        imported(import_argo(&argo(&templates)), &[])
    };
    let goes_on = "failFast: false,";
    let says = |made: &str, continues: bool, told: &str| {
        assert_eq!(made.contains("on-failure: continue"), continues, "{made}");
        assert_eq!(made.contains(" inner"), !told.is_empty(), "{made}");
        assert!(made.contains(told), "{made}");
    };
    says(&file("", ""), false, "");
    says(&file(goes_on, goes_on), true, "");
    says(&file(goes_on, ""), true, "that inner ends at its first failure: its other branches go on");
    says(
        &file("", goes_on),
        false,
        "`failFast: false` of inner: when a step of it fails, none begins any more",
    );
}

#[test]
fn what_a_container_is_told_never_gets_to_this_machine() {
    let text = argo(concat!(
        "    - name: main\n      steps: [[{name: a, template: a}], [{name: b, template: b}], [{name: c, template: c}], [{name: d, template: d}], [{name: e, template: e}]]\n",
        "    - name: a\n      script: {image: i, command: [sh], source: \"one\\nCUELIGHT_END\\ntouch here\\nCUELIGHT_END_2\\n\"}\n",
        "    - name: b\n      container: {image: i, command: [env], env: [{name: BASH_ENV, value: x}, {name: PATH, value: \"a{{workflow.parameters.p}}\"}, {name: \"A=$(x)\", value: y}, {name: CUE_ARG_1, value: z}]}\n",
        "    - name: c\n      resource: {action: apply, manifest: \"a: {{workflow.parameters.p}}$(touch here)\"}\n",
        "    - name: d\n      container: {image: --privileged, args: [x]}\n",
        "    - name: e\n      container: {image: \"{{workflow.parameters.p}}\", command: [--privileged]}\n",
    ));
    let made = imported(import_argo(&text), &[]);
    for line in [
        "      docker run --rm -i --entrypoint sh i -s <<'CUELIGHT_END_3'\n",
        "      docker run --rm -e CUE_ARG_1 -e CUE_ARG_2 -e BASH_ENV=\"$CUE_ARG_1\" -e PATH=\"$CUE_ARG_2\" --entrypoint env i\n    env:\n      CUE_ARG_1: x\n      CUE_ARG_2: a${{ inputs.p }}\n",
        "      printf '%s' 'a: ' \"$CUE_ARG_1\" '$(touch here)' | kubectl apply -f -\n    env:\n      CUE_ARG_1: ${{ inputs.p }}\n",
        "  - id: d\n    needs: c\n    gate:\n",
        "  - id: e\n    needs: d\n    gate:\n",
        "# Could not carry over: the variable A=$(x): ",
        "# Could not carry over: the variable CUE_ARG_1: ",
        "# Could not carry over: the container of d: its image, --privileged,",
        "# Could not carry over: the container of e: its image,",
    ] {
        assert!(made.contains(line), "{line}\n{made}");
    }
    assert!(!made.contains("      BASH_ENV:") && !made.contains("      PATH:"), "{made}");
}

#[test]
fn a_task_that_cannot_say_what_it_waits_for_does_not_begin() {
    let leaf = "    - {name: c, container: {image: i}}\n";
    let two = "    - {name: two, steps: [[{name: x, template: c}], [{name: y, template: c}]]}\n";
    for (depends, expected) in [
        ("a.AnySucceeded", "\"false\""),
        ("a.AllFailed || b", "\"false\""),
        ("a.Daemoned", "\"false\""),
        ("a.Errored", "\"false\""),
        ("a.Sucseeded", "\"false\""),
        ("gone", "\"false\""),
        ("a.Failed ?", "\"false\""),
        ("a.Skipped", "(!cancelled()) && ((false))"),
        ("a.Omitted", "(!cancelled()) && ((!(true)))"),
        (
            "a.Failed || a.Errored",
            "(!cancelled()) && ((steps.a.result == 'failure') || (steps.a.result == 'failure'))",
        ),
        (
            "b.Succeeded || a.Failed",
            "(!cancelled()) && (((steps.b-x.result == 'success') && (steps.b-y.result == 'success')) || (steps.a.result == 'failure'))",
        ),
        ("b.Failed", "(!cancelled()) && ((steps.b-x.result == 'failure' || steps.b-y.result == 'failure'))"),
        ("a && b.Succeeded", ""),
    ] {
        let text = argo(&format!(
            "    - name: main\n      dag:\n        tasks: [{{name: a, template: c}}, {{name: b, template: two}}, {{name: z, template: c, depends: \"{depends}\"}}]\n{leaf}{two}"
        ));
        let made = imported(import_argo(&text), &[]);
        assert_eq!(condition(&made, "z"), expected, "{depends}");
        assert_eq!(
            made.contains("# Could not carry over: when z runs, "),
            expected == "\"false\"",
            "{depends}"
        );
    }
}

#[test]
fn a_condition_that_is_compared_with_nothing_has_to_be_true() {
    for (when, expected) in [
        ("false", "('false') == 'true'"),
        ("{{workflow.parameters.p}}", "(inputs.p) == 'true'"),
        (
            "{{workflow.parameters.p}} && {{workflow.parameters.p}} != x",
            "(inputs.p) == 'true' && inputs.p != 'x'",
        ),
        ("({{workflow.parameters.p}}) == x", "\"false\""),
    ] {
        let text = argo(&format!(
            "    - name: main\n      steps: [[{{name: z, template: c, when: \"{when}\"}}]]\n    - {{name: c, container: {{image: i}}}}\n"
        ));
        assert_eq!(condition(&imported(import_argo(&text), &[]), "z"), expected, "{when}");
    }
}

#[test]
fn templates_that_unfold_without_end_are_refused_soon() {
    let mut wide = "    - {name: main, steps: [[{name: s, template: t0}]]}\n".to_owned();
    let mut long = "    - {name: main, steps: [[{name: s, template: t0, arguments: {parameters: [{name: x, value: abcdefgh}]}}]]}\n".to_owned();
    for level in 0..14 {
        let uses: Vec<String> =
            (0..10).map(|index| format!("{{name: s{index}, template: t{}}}", level + 1)).collect();
        wide.push_str(&format!("    - {{name: t{level}, steps: [[{}]]}}\n", uses.join(", ")));
        let text = "{{inputs.parameters.x}}".repeat(8);
        long.push_str(&format!(
            "    - {{name: t{level}, inputs: {{parameters: [{{name: x}}]}}, steps: [[{{name: s, template: t{}, arguments: {{parameters: [{{name: x, value: \"{text}\"}}]}}}}]]}}\n",
            level + 1
        ));
    }
    wide.push_str("    - {name: t14, steps: []}\n");
    long.push_str("    - {name: t14, container: {image: i, args: [\"{{inputs.parameters.x}}\"]}}\n");
    let why = "could not import a workflow of Argo: it unfolds into more than";
    assert_eq!(import_argo(&argo(&wide)).map(|imported| imported.text), Err(format!("{why} 2000 templates")));
    assert_eq!(import_argo(&argo(&long)).map(|imported| imported.text), Err(format!("{why} 8 MiB of text")));
}

/// Keys that the published schema of Dagu gives a workflow, each with a value that fits.
pub(super) const DAGU_ROOT: &[(&str, &str)] = &[
    ("name", "other"),
    ("description", "text"),
    ("group", "text"),
    ("dotenv", ".env"),
    ("working_dir", "sub"),
    ("consts", "[{a: b}]"),
    ("schedule", "'0 1 * * *'"),
    ("skip_if_successful", "true"),
    ("catchup_window", "6h"),
    ("overlap_policy", "latest"),
    ("labels", "[a]"),
    ("tags", "[a]"),
    ("type", "chain"),
    ("tasks", "[{name: a, description: b}]"),
    ("env", "[{A: b}]"),
    ("secrets", "[{name: A, provider: env, key: B}]"),
    ("tools", "[jqlang/jq@jq-1.7.1]"),
    ("defaults", "{timeout_sec: 5}"),
    ("retry_policy", "{limit: 2}"),
    ("log_dir", "logs"),
    ("artifacts", "{enabled: true}"),
    ("log_output", "merged"),
    ("handler_on", "{exit: {run: echo}}"),
    ("step_types", "{a: {type: command, input_schema: {}, template: {}}}"),
    ("actions", "{a.b: {input_schema: {}, template: {run: echo}}}"),
    ("smtp", "{host: a}"),
    ("mail_on", "{failure: true}"),
    ("error_mail", "{to: a}"),
    ("info_mail", "{to: a}"),
    ("timeout_sec", "60"),
    ("delay_sec", "5"),
    ("restart_wait_sec", "5"),
    ("hist_retention_days", "5"),
    ("hist_retention_runs", "5"),
    ("max_active_runs", "1"),
    ("queue", "a"),
    ("max_active_steps", "2"),
    ("max_clean_up_time_sec", "5"),
    ("max_output_size", "5"),
    ("preconditions", "test -f x"),
    ("params", "[{name: a, default: b}]"),
    ("container", "{image: a}"),
    ("resources", "{limits: {cpu: 1, memory: 1Gi}}"),
    ("registry_auths", "{a: b}"),
    ("ssh", "{user: a, host: b}"),
    ("s3", "{region: a}"),
    ("llm", "{provider: openai}"),
    ("harness", "{provider: a}"),
    ("harnesses", "{a: {binary: b}}"),
    ("otel", "{enabled: true}"),
    ("run_config", "{disable_param_edit: true}"),
    ("webhook", "{forward_headers: [a]}"),
    ("worker_selector", "{gpu: true}"),
    ("shell", "zsh"),
    ("shell_args", "[-x]"),
    ("redis", "{url: a}"),
    ("kubernetes", "{image: a}"),
];

/// Likewise of a step.
pub(super) const DAGU_STEP: &[(&str, &str)] = &[
    ("name", "other"),
    ("description", "text"),
    ("working_dir", "sub"),
    ("run", "echo other"),
    ("action", "mail.send"),
    ("command", "echo by command"),
    ("exec", "{command: echo, args: [a]}"),
    ("shell", "zsh"),
    ("shell_args", "[-x]"),
    ("shell_packages", "[jq]"),
    ("script", "echo by script"),
    ("stdout", "out.txt"),
    ("stderr", "err.txt"),
    ("log_output", "merged"),
    ("output", "X"),
    ("output_schema", "{type: object}"),
    ("outputs", "[{name: x}]"),
    ("inputs", "[{name: x, path: y}]"),
    ("dependencies", "[src]"),
    ("depends", "a"),
    ("continue_on", "{failure: true, exit_code: [1], output: x, mark_success: true}"),
    ("retry_policy", "{limit: 2, interval_sec: 5, backoff: 2, max_interval_sec: 60, exit_code: [1]}"),
    ("repeat_policy", "{repeat: while, condition: test -f x, interval_sec: 1, limit: 3}"),
    ("mail_on_error", "true"),
    ("preconditions", "[{condition: $A, expected: b, negate: true}]"),
    ("signal_on_stop", "SIGINT"),
    ("timeout_sec", "5"),
    ("call", "child"),
    ("params", "a=b"),
    ("parallel", "[a, b]"),
    ("foreach", "{items: [1, 2], steps: [{id: c, run: echo}]}"),
    ("worker_selector", "{gpu: true}"),
    ("env", "[{A: b}]"),
    ("container", "{image: a}"),
    ("type", "docker"),
    ("with", "{shell: zsh}"),
    ("config", "{shell: zsh}"),
    ("llm", "{provider: openai}"),
    ("agent", "{model: a}"),
    ("approval", "{prompt: a, input: [b], required: [b]}"),
    ("messages", "[{role: user, content: a}]"),
    ("tools", "[a]"),
    ("value", "a"),
    ("routes", "{a: [b]}"),
];

/// A file of Dagu with one more key, at its top and in its second step.
pub(super) fn dagu_with(key: Option<(&str, &str)>, is_root: bool, run: &str) -> String {
    let line = key.map_or_else(String::new, |(key, value)| format!("{key}: {value}"));
    let (top, step) = match key {
        Some(_) if !is_root => (String::new(), format!(", {line}")),
        _ => (line, String::new()),
    };
    let depends = if key.is_some_and(|(key, _)| key == "depends") { "" } else { ", depends: []" };
    format!("{top}\nsteps:\n  - {{id: a, run: echo}}\n  - {{id: b{run}{depends}{step}}}\n")
}

/// Checks that the imported workflow passes the checker, with the files beside it.
#[track_caller]
fn dagu_passes(text: &str) -> Option<Imported> {
    let made = import_dagu(text).ok()?;
    let shelf = Shelf(made.others.iter().cloned().collect());
    let (_, said) = read_with(&made.text, &shelf);
    let errors: Vec<String> =
        said.iter().filter(|found| found.is_error()).map(|found| found.text(false)).collect();
    assert!(errors.is_empty(), "{text}\n{}\n{}", errors.join("\n"), made.text);
    Some(made)
}

/// A script that reads a constant.
const DAGU_RUN: &str = ", run: 'echo ${consts.a}'";

#[test]
fn each_key_of_the_schema_of_dagu_is_carried_named_as_lost_or_refused() {
    for (keys, is_root) in [(DAGU_ROOT, true), (DAGU_STEP, false)] {
        for (key, value) in keys {
            let runs = ["run", "action", "command", "exec", "script", "call", "foreach", "type"];
            let run = if !is_root && runs.contains(key) { "" } else { DAGU_RUN };
            let without = import_dagu(&dagu_with(None, is_root, DAGU_RUN)).expect("a workflow");
            let with = dagu_with(Some((key, value)), is_root, run);
            let line = if is_root { "line 1: " } else { "line 4: " };
            match import_dagu(&with) {
                Err(why) => assert!(why.contains(key) || why.contains("has no `depends`"), "{key}: {why}"),
                Ok(made) => {
                    let is_named = made.left_out.iter().any(|lost| lost.contains(key) && lost.contains(line));
                    let is_carried = made.text.lines().any(|line| {
                        !line.starts_with('#') && !without.text.lines().any(|other| other == line)
                    });
                    assert!(is_named || is_carried, "{key} is gone in silence\n{}", made.text);
                    dagu_passes(&with);
                }
            }
        }
    }
}

#[test]
fn what_is_written_for_a_hostile_file_of_dagu_passes_the_checker() {
    let values = [
        r#"[{"a b": "${{ x }}"}, "$(x)`", null]"#,
        r#"{"${{ secrets.X }}": {"": [[]]}, "name": -1}"#,
        r#""\u0001 ${{ inputs.y }} ${a.b} ${params.z}\n---\n""#,
        "-1",
        "true",
        "[[], {}, [1, [2]]]",
        r#"{"type": "object", "properties": {"x y": {}}, "limit": 1e300, "condition": "'", "items": ["${{ 1 }}"], "steps": [{}]}"#,
        r#""${params} ${consts.a.b} ${steps.a.outputs.x} ${a.output.x} \\${env.A} ${A:-`b`} '$A""#,
    ];
    let mut written = 0;
    for (keys, is_root) in [(DAGU_ROOT, true), (DAGU_STEP, false)] {
        for (key, _) in keys {
            for value in values {
                let text = dagu_with(Some((key, value)), is_root, ", run: echo");
                written += u32::from(dagu_passes(&text).is_some());
                let text = dagu_with(Some((key, value)), is_root, "");
                written += u32::from(dagu_passes(&text).is_some());
            }
        }
    }
    assert!(written > 100, "{written}");
}

#[test]
fn a_file_of_dagu_that_unfolds_without_end_is_refused_soon() {
    let mut env = "env:\n  - A0: aaaaaaaaaaaaaaaa\n".to_owned();
    for level in 1..60 {
        env.push_str(&format!("  - A{level}: \"${{A{0}}}${{A{0}}}\"\n", level - 1));
    }
    let home = format!("env: [{{A: \"$HOME{}\"}}]\nsteps:\n", "x".repeat(20_000));
    let many = (0..2000).map(|at| format!("  - {{id: a{at}, run: echo}}\n")).collect::<String>();
    for (text, why) in [
        (format!("{env}steps: [{{id: a, run: echo}}]\n"), "1 MiB"),
        (format!("{home}{many}"), "16 MiB"),
        (format!("steps:\n{many}  - {{id: b, run: echo}}\n"), "2000 steps"),
    ] {
        let refused = import_dagu(&text).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}

/// A file of Dagu with these lines above one step.
#[track_caller]
fn dagu_top(top: &str) -> Imported {
    let text = format!("name: nightly\n{top}\nsteps: [{{id: a, run: echo}}]\n");
    dagu_passes(&text).unwrap_or_else(|| panic!("{top}: {:?}", import_dagu(&text)))
}

#[test]
fn a_queue_of_dagu_and_its_bound_on_runs_become_a_concurrency_group() {
    for (top, group, named) in [
        ("queue: heavy", Some("dagu heavy"), "line 2: `queue`"),
        ("max_active_runs: 1", Some("dagu nightly"), ""),
        ("max_active_runs: 4", Some("dagu nightly"), "line 2: `max_active_runs`: up to 4 runs at once"),
        ("queue: heavy\nmaxActiveRuns: 2", Some("dagu heavy"), "line 3: `max_active_runs`: up to 2 runs"),
        ("queue: \"${{ inputs.x }}\"", Some("dagu $ {{ inputs.x }}"), "line 2: `queue`"),
        ("max_active_runs: -1", None, "line 2: `max_active_runs`: below 1"),
        ("queue: \"\"", None, ""),
    ] {
        let made = dagu_top(top);
        let said = made.text.split("concurrency:\n  group: ").nth(1).and_then(|part| part.lines().next());
        assert_eq!(said.map(|line| line.trim_matches('"')), group, "{top}\n{}", made.text);
        assert!(made.left_out.iter().any(|text| text.starts_with(named)), "{top}: {:?}", made.left_out);
    }
    for bad in ["queue: [a]", "max_active_runs: many", "run_config: true"] {
        let why = import_dagu(&format!("{bad}\nsteps: [{{id: a, run: echo}}]\n")).expect_err(bad);
        assert!(why.contains("line 1: `"), "{bad}: {why}");
    }
}

/// The steps of a called workflow belong to the run of its caller.
#[test]
fn a_queue_of_a_called_workflow_of_dagu_is_named_as_lost_for_its_calls() {
    for (top, line) in
        [("queue: heavy", "line 4: `queue`"), ("max_active_runs: 1", "line 4: `max_active_runs`")]
    {
        let made = dagu_passes(&format!(
            "steps: [{{id: a, call: child}}]\n---\nname: child\n{top}\nsteps: [{{id: b, run: echo}}]\n"
        ));
        let made = made.expect("written");
        let why = format!("{line}: where another workflow calls this one");
        assert!(made.left_out.iter().any(|text| text.starts_with(&why)), "{top}: {:?}", made.left_out);
        assert!(made.others[0].1.contains("concurrency:"), "{:?}", made.others);
    }
}

#[test]
fn parameters_of_dagu_that_nobody_may_edit_take_their_default_alone() {
    let made = dagu_top(
        "run_config: {disable_param_edit: true}\nparams:\n  - {name: level, type: integer, default: 3}\n  - {name: to, required: true}",
    );
    assert!(
        made.text.contains("  level:\n    type: integer\n    default: 3\n    enum:\n      - 3\n"),
        "{}",
        made.text
    );
    let named = "line 2: `run_config.disable_param_edit` for to: it has no default";
    assert!(made.left_out.iter().any(|text| text.starts_with(named)), "{:?}", made.left_out);
    let free = dagu_top("run_config: {disable_param_edit: false}\nparams: {level: 3}");
    assert!(!free.text.contains("enum"), "{}", free.text);
    // A workflow that calls it sets its inputs.
    let called = dagu_passes(
        "steps: [{id: a, call: child, params: level=4}]\n---\nname: child\nrun_config: {disable_param_edit: true}\nparams: {level: 3}\nsteps: [{id: b, run: echo}]\n",
    );
    let called = called.expect("written");
    assert!(called.left_out.iter().any(|text| text.contains("disable_param_edit")), "{:?}", called.left_out);
}

#[test]
fn what_the_schema_of_dagu_allows_is_not_refused() {
    let made = dagu_passes(
        "steps: [{id: a, call: child, params: \"count=5 debug=true name=7\"}]\n---\nname: child\nparams:\n  - {name: count, type: integer, required: true}\n  - {name: debug, type: boolean, required: true}\n  - {name: name, required: true}\nsteps: [{id: b, run: echo}]\n",
    );
    let made = made.expect("typed parameters from a text");
    assert!(made.text.contains("count: 5\n      debug: true\n      name: \"7\"\n"), "{}", made.text);
    let made = dagu_top("params: [{name: size, enum: [3, true, big], default: 3}]");
    assert!(made.text.contains("- \"3\"\n      - \"true\"\n      - big\n"), "{}", made.text);
    let made = dagu_top("secrets: [{name: DAG_SECRET, provider: env, key: X}]");
    assert!(made.text.contains("DAG_SECRET: ${{ secrets.DAG_SECRET }}"), "{}", made.text);
    let made = dagu_passes("steps: [{id: a, container: {image: alpine}}]\n").expect("a container by itself");
    assert!(made.text.contains("by hand") && !made.text.contains("run:"), "{}", made.text);
    let made = dagu_top("defaults: {agent: {model: a}}");
    assert!(made.left_out.iter().any(|text| text.contains("`defaults.agent`")), "{:?}", made.left_out);
}

#[test]
fn containers_that_argo_starts_before_and_beside_a_template_are_asked_for() {
    for (key, how) in [("initContainers", "before it"), ("sidecars", "beside it")] {
        let made = import_argo(&argo(&format!(
            "    - {{name: main, container: {{image: i}}, {key}: [{{name: db, image: postgres, command: [sh]}}, {{name: x}}]}}\n"
        )));
        let made = made.expect("a workflow");
        let asks = format!("`{key}`, which run {how}: db (postgres), x");
        assert!(made.text.contains(&format!("In Argo it is held by {asks}")), "{}", made.text);
        assert!(made.left_out.iter().any(|text| text.contains(&asks)), "{:?}", made.left_out);
        assert!(
            made.text.contains("    needs: main-held\n    if: steps.main-held.result == 'success'\n"),
            "{}",
            made.text
        );
        let why = import_argo(&argo(&format!("    - {{name: main, container: {{image: i}}, {key}: db}}\n")));
        assert!(
            why.is_err_and(|error| error.contains(key) && error.contains("a list belongs there")),
            "{key}"
        );
    }
}

#[test]
fn a_file_that_cannot_pass_the_checker_is_refused_with_the_finding() {
    let why = import_github("on: push\njobs: {j: {strategy: {matrix: {}}, steps: [{run: echo}]}}\n");
    let why = why.expect_err("an empty matrix");
    assert!(why.contains("the file would not pass `cuelight check`: ") && why.contains("matrix"), "{why}");
}

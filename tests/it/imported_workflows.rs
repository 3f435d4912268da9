//! Workflows of other systems, imported by the command and run to their end.

use crate::program::{Place, until};
use std::{env, fs, os::unix::fs::PermissionsExt as _};

/// Imports a file, runs what comes out, and gives what its steps have written.
#[track_caller]
fn runs(place: &Place, system: &str, file: &str, code: i32) -> String {
    let made = place.cue(&["import", system, file]).ok();
    place.write("imported.yaml", &made.out);
    let inputs: &[&str] =
        if made.out.contains("github_ref:") { &["-i", "github_ref=refs/heads/dev"] } else { &[] };
    let said = place.cue(&[&["run", "imported.yaml", "--headless"], inputs].concat());
    assert_eq!(said.code, code, "{said:?}\n{}", made.out);
    place.cue(&["logs", "r-1"]).ok().out
}

/// All of this was written, and nothing by a step that should not have run: such a step says `not …`.
#[track_caller]
fn says(written: &str, lines: &[&str]) {
    for line in lines {
        assert!(written.contains(line), "{line}\n{written}");
    }
    assert!(!written.contains("not "), "{written}");
}

#[test]
fn a_workflow_of_github_runs_with_what_its_steps_and_jobs_hand_on() {
    let place = Place::new();
    place.write(
        "ci.yml",
        r#"name: ci
on: {push: {}}
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {tag: "${{ steps.made.outputs.tag }}"}
    steps:
      - uses: actions/checkout@v4
      - id: made
        run: |
          echo "tag=v7" >> "$GITHUB_OUTPUT"
          echo "a summary" >> $GITHUB_STEP_SUMMARY
      - run: echo "${{ steps.made.outputs.tag }}" > tag.txt; false
        continue-on-error: true
      - run: echo "still here, unset is ${NOTHING_AT_ALL}empty"
  test:
    needs: build
    strategy: {matrix: {os: [one, two]}}
    steps:
      - run: echo "${{ matrix.os }} tests ${{ needs.build.outputs.tag }}"
  never:
    needs: build
    if: github.ref == 'refs/heads/main'
    steps:
      - run: echo not this
  after-never:
    needs: never
    steps:
      - run: echo not that
  broken:
    needs: [build, test, forgiving]
    steps:
      - run: exit 3
      - run: echo not here
      - if: failure()
        run: echo "told of it"
  last:
    needs: [broken, test]
    if: always()
    steps:
      - run: echo "it was ${{ needs.test.result }} and ${{ needs.broken.result }}"
      - run: echo "the end"
  ship-unless-broken:
    needs: [broken, test]
    if: always() && needs.broken.result != 'failure'
    steps: [{run: echo not shipped}]
  ship-when-none-failed:
    needs: [broken, test]
    if: always() && !contains(needs.*.result, 'failure')
    steps: [{run: echo not shipped either}]
  branch:
    needs: build
    if: success() && github.ref == 'refs/heads/main'
    steps: [{run: echo not on this branch}]
  behind-branch:
    needs: branch
    steps: [{run: echo not behind it}]
  behind-that:
    needs: behind-branch
    steps: [{run: echo not behind that}]
  forgiving:
    needs: build
    steps:
      - id: try
        run: exit 1
        continue-on-error: true
      - id: idle
        if: env.NOTHING == 'x'
        run: echo not idle
        continue-on-error: true
      - if: steps.try.outcome == 'failure' && steps.try.conclusion == 'success'
        run: echo "noticed"
      - if: steps.idle.outcome == 'failure'
        run: echo "not noticed"
"#,
    );
    let written = runs(&place, "github", "ci.yml", 1);
    says(
        &written,
        &[
            "a summary",
            "still here, unset is empty",
            "one tests v7",
            "two tests v7",
            "told of it",
            "it was success and failure",
            "noticed",
            "the end",
        ],
    );
    assert_eq!(place.text("tag.txt"), "v7\n");
}

#[test]
fn a_workflow_of_dagu_runs_with_its_parameters_outputs_and_conditions() {
    let place = Place::new();
    place.write(
        "etl.yaml",
        r#"type: graph
params: DAY=monday REGION="eu west"
env:
  - DIR: out
  - FILE: ${DIR}/rows.txt
handlerOn:
  exit: {command: echo handled}
steps:
  - {name: fetch, command: "mkdir -p $DIR; echo two rows of $DAY", output: ROWS}
  - {name: store, script: "echo \"$ROWS in $REGION\" > \"$FILE\"; cat \"$FILE\"", depends: fetch}
  - name: due
    command: echo it is due
    depends: fetch
    preconditions: [{condition: "$DAY", expected: "re:^mon"}]
  - name: not due
    command: echo not so
    depends: fetch
    preconditions: [{eval: "`echo $ROWS`", expected: none}]
  - name: kept as text
    command: echo not run
    depends: fetch
    preconditions: [{condition: "`echo x`", expected: x}]
  - {name: behind, command: echo not behind, depends: [not due]}
  - {name: unless, command: echo not this day, depends: fetch, preconditions: [{condition: "$DAY", expected: monday, negate: true}]}
  - {name: early, command: echo "late $LATE", depends: late}
  - {name: late, command: echo it was late, output: LATE}
  - {name: place, command: echo the second is $2, depends: [store]}
"#,
    );
    let written = runs(&place, "dagu", "etl.yaml", 0);
    says(
        &written,
        &[
            "two rows of monday in eu west",
            "it is due",
            "late it was late",
            "the second is eu west",
            "handled",
        ],
    );
    assert_eq!(place.text("out/rows.txt"), "two rows of monday in eu west\n");
}

/// A branch fails while another one, which needs nothing of it, is still at its first step. Each waits for the other at a pipe.
const TWO_BRANCHES: [(&str, &str, &str); 3] = [
    (
        "github",
        "ci.yml",
        r#"jobs:
  make: {steps: [{run: mkfifo pipe}]}
  broken: {needs: make, steps: [{run: "echo x > pipe; exit 3"}, {run: echo not here}]}
  behind: {needs: broken, steps: [{run: echo not behind}]}
  other: {needs: make, steps: [{run: read -r it < pipe}, {run: echo went on}]}
"#,
    ),
    (
        "dagu",
        "etl.yaml",
        r#"type: graph
steps:
  - {name: make, command: mkfifo pipe}
  - {name: broken, command: "echo x > pipe; exit 3", depends: make}
  - {name: behind, command: echo not behind, depends: broken}
  - {name: other, command: read -r it < pipe, depends: make}
  - {name: more, command: echo went on, depends: other}
"#,
    ),
    (
        "argo",
        "flow.yaml",
        r#"spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        failFast: false
        tasks:
          - {name: make, template: sh, arguments: {parameters: [{name: what, value: mkfifo pipe}]}}
          - {name: broken, template: sh, dependencies: [make], arguments: {parameters: [{name: what, value: echo x > pipe; exit 3}]}}
          - {name: behind, template: sh, dependencies: [broken], arguments: {parameters: [{name: what, value: echo not behind}]}}
          - {name: other, template: sh, dependencies: [make], arguments: {parameters: [{name: what, value: read -r it < pipe}]}}
          - {name: more, template: sh, dependencies: [other], arguments: {parameters: [{name: what, value: echo went on}]}}
    - name: sh
      inputs: {parameters: [{name: what}]}
      container: {image: busybox, command: [sh, -c], args: ["{{inputs.parameters.what}}"]}
"#,
    ),
];

#[test]
fn a_branch_that_needs_nothing_of_what_failed_goes_on_as_it_does_in_the_other_system() {
    for (system, file, text) in TWO_BRANCHES {
        let place = with_docker();
        place.write(file, text);
        let written = runs(&place, system, file, 1);
        says(&written, &["went on"]);
    }
}

#[test]
fn references_of_dagu_two_are_values_and_lists_of_commands_stop_at_the_first_failure() {
    let place = Place::new();
    place.write(".env.prod", "FROM_FILE='two words'\n");
    place.write(
        "etl.yaml",
        r#"params:
  - {name: environment, type: string, default: prod}
  - {name: replicas, type: integer, default: 3}
  - {name: service, eval: "$(printf '%s-api' ${params.environment})"}
consts: [{greeting: hello}, {whole: "${consts.greeting} there"}]
dotenv: [".env.${params.environment}"]
env:
  - KEPT: $(echo not run)
  - HOMES: ${HOME}/x
steps:
  - id: build
    run: |
      printf 'image=v1 of %s\n' '${params.environment}' >> "$DAGU_OUTPUT_FILE"
      echo "${consts.whole}, ${params.replicas} of ${params.service}"
    outputs: [{name: image}]
  - id: ship
    depends: build
    env: [{IMAGE: "${steps.build.outputs.image}"}, {AND: "${IMAGE}!"}]
    run: echo "$AND" 'and ${steps.build.outputs.image}' "$FROM_FILE" "${KEPT#??echo }" ${params.environment}
    stderr: errors.txt
  - id: several
    depends: ship
    run: ["echo one >&2", "exit 3", "echo not two"]
    stderr: errors.txt
    continue_on: failed
  - id: known
    depends: build
    run: echo '{"a":{"b":"deep"}}'
    output: {whole: {from: stdout, decode: json, select: .a.b}, said: {value: {x: "for ${params.environment}"}}}
  - id: read
    depends: known
    run: echo "${known.output.whole} ${known.output.said.x}" > read.txt; cat read.txt
  - id: each
    depends: build
    foreach:
      items: [{slug: a}, {slug: b}]
      steps: [{id: inner, run: "echo item ${foreach.item.slug} at ${foreach.index} of ${steps.build.outputs.image}"}]
  - id: fan
    depends: build
    action: dag.run
    with: {dag: child, params: {WHO: "${ITEM}"}}
    parallel: [left, right]
---
name: child
params: [{WHO: nobody}]
steps: [{id: say, run: "echo child of ${params.WHO}"}]
"#,
    );
    place.cue(&["import", "dagu", "etl.yaml", "--to", "made"]).ok();
    let said = place.cue(&["run", "made/etl.yaml", "--headless"]);
    let written = place.cue(&["logs", "r-1"]).ok().out;
    // One step failed, and the others went on.
    assert_eq!(said.code, 5, "{said:?}\n{written}\n{}", place.text("made/etl.yaml"));
    says(
        &written.replace("not run)", ""),
        &[
            "hello there, 3 of prod-api",
            "v1 of prod! and v1 of prod two words",
            "deep for prod",
            "item a at 0 of v1 of prod",
            "item b at 1 of v1 of prod",
            "child of left",
            "child of right",
            "one",
        ],
    );
    assert_eq!(place.text("errors.txt"), "one\n");
}

#[test]
fn a_step_of_dagu_whose_output_is_kept_fails_at_its_first_failure() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "steps:\n  - name: build\n    output: VERSION\n    script: |\n      false\n      echo not this\n",
    );
    let written = runs(&place, "dagu", "w.yaml", 1);
    assert!(!written.contains("not "), "{written}");
}

#[test]
fn variables_and_paths_that_a_step_of_github_hands_on_reach_the_later_steps_of_its_copy() {
    let place = Place::new();
    place.write(
        "ci.yml",
        r#"jobs:
  build:
    runs-on: ubuntu-latest
    env: {KEPT: of the job, OVER: of the job}
    strategy: {matrix: {leg: [one, two]}}
    steps:
      - run: |
          echo "LEG=${{ matrix.leg }}=x" >> "$GITHUB_ENV"
          echo "OVER=handed on" >> $GITHUB_ENV
          echo "OWN=handed on" >> "$GITHUB_ENV"
          printf 'MANY<<E=OF\nfirst $(touch pasted)\n`touch pasted`\n\nGITHUB_ENV\nCUE_INPUT\nlast\nE=OF\n' >> "$GITHUB_ENV"
          mkdir -p bin-${{ matrix.leg }}
          printf '#!/bin/sh\necho "tool of %s"\n' ${{ matrix.leg }} > bin-${{ matrix.leg }}/tool
          chmod +x bin-${{ matrix.leg }}/tool
          echo "$PWD/bin-${{ matrix.leg }}" >> "$GITHUB_PATH"
          echo "here LEG is [${LEG:-unset}]"
      - shell: sh
        env: {OWN: of the step}
        run: |
          echo "leg $LEG over $OVER kept $KEPT own $OWN"
          echo "many $MANY."
          tool
          echo "SECOND=again" >> "$GITHUB_ENV"
      - run: echo "third $LEG $SECOND"
  other:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - run: echo "other job [${LEG:-unset}]"
      - id: bad
        continue-on-error: true
        run: echo "NODE_OPTIONS=--require=evil" >> "$GITHUB_ENV"
      - if: steps.bad.outcome == 'failure'
        run: echo "refused as at GitHub"
      - continue-on-error: true
        run: |
          printf 'X<<END\nnever closed\n' >> "$GITHUB_ENV"
      - run: echo "x is [${X:-unset}]"
"#,
    );
    let written = runs(&place, "github", "ci.yml", 5);
    for line in [
        "here LEG is [unset]",
        "leg one=x over handed on kept of the job own of the step",
        "leg two=x over handed on kept of the job own of the step",
        "many first $(touch pasted)",
        "CUE_INPUT",
        "tool of one",
        "tool of two",
        "third one=x again",
        "third two=x again",
        "other job [unset]",
        "NODE_OPTIONS cannot be set so",
        "refused as at GitHub",
        "the block of X never ends",
        "x is [unset]",
    ] {
        assert!(written.contains(line), "{line}\n{written}");
    }
    assert!(!place.file("pasted").exists(), "a value was read as code");
}

#[test]
fn copies_of_a_job_run_where_their_runner_is_and_a_person_says_how_the_others_went() {
    let place = Place::new();
    place.write(
        "ci.yml",
        r#"jobs:
  test:
    runs-on: ${{ matrix.os }}
    strategy: {matrix: {os: [ubuntu-latest, windows-2022, macos-14]}}
    steps: [{run: 'echo ran >> ran-${{ matrix.os }}'}, {run: 'echo again >> ran-${{ matrix.os }}'}]
  ship: {needs: test, runs-on: ubuntu-latest, steps: [{run: touch shipped}]}
  tell: {needs: test, if: always(), runs-on: ubuntu-latest, steps: [{run: touch told}]}
"#,
    );
    let made = place.cue(&["import", "github", "ci.yml"]).ok();
    let why = "the copies windows-2022, macos-14 of test, which need macos, windows: not run here, and test-elsewhere asks";
    assert!(made.err.contains(why), "{made:?}");
    place.write("imported.yaml", &made.out);
    let run = place.start(&["run", "imported.yaml", "--headless"]);

    until("the copy of this machine has run", || place.file("ran-ubuntu-latest").exists());
    until("its steps are told", || place.step("r-1", "test-2")["state"] == "completed");
    for file in ["ran-windows-2022", "ran-macos-14", "shipped", "told"] {
        assert!(!place.file(file).exists(), "{file}");
    }
    // What else the waiting jobs needed is over meanwhile, and the gate asks once more.
    until("the run is over", || {
        drop(place.cue(&["approve", "g-1"]));
        place.state("r-1") == "completed"
    });
    assert!(place.file("shipped").exists() && place.file("told").exists());
    drop(run.end());
}

#[test]
fn a_job_that_can_run_nowhere_here_is_not_begun() {
    let place = Place::new();
    place.write(
        "ci.yml",
        "jobs:\n  test:\n    runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [windows-2022, macos-14]}}\n    \
         steps: [{run: echo here}]\n",
    );
    let made = place.cue(&["import", "github", "ci.yml"]).ok();
    place.write("imported.yaml", &made.out);
    let said = place.cue(&["run", "imported.yaml", "--headless"]);
    assert_eq!(said.code, 2, "{said:?}");
    for (copy, label) in [("windows-2022", "windows"), ("macos-14", "macos")] {
        let why = format!("step `test[{copy}]` requires the label {label}, and this machine has ");
        assert!(said.err.contains(&why), "{said:?}");
    }
}

#[test]
fn an_output_of_a_copy_is_read_by_the_same_copy_and_the_first_one_by_other_jobs() {
    let place = Place::new();
    place.write(
        "ci.yml",
        r#"jobs:
  build:
    strategy: {matrix: {leg: [one, two]}}
    outputs: {image: "${{ steps.made.outputs.image }}"}
    steps:
      - id: made
        run: echo "image=of ${{ matrix.leg }}" >> "$GITHUB_OUTPUT"
      - run: echo "${{ matrix.leg }} reads ${{ steps.made.outputs.image }}, copy ${{ strategy.job-index }} of ${{ strategy.job-total }}"
  ship:
    needs: build
    steps: [{run: 'echo "ships ${{ needs.build.outputs.image }}"'}]
"#,
    );
    let written = runs(&place, "github", "ci.yml", 0);
    let lines = ["one reads of one, copy 0 of 2", "two reads of two, copy 1 of 2", "ships of one"];
    says(&written, &lines);
}

#[test]
fn no_step_of_a_job_runs_behind_a_gate_that_was_rejected() {
    let place = Place::new();
    place.write(
        "ci.yml",
        "jobs:\n  ship:\n    environment: production\n    container: debian\n    steps:\n      - run: echo not shipped\n      \
         - {if: always(), run: echo not always}\n      - {if: failure(), run: echo not failed}\n",
    );
    let made = place.cue(&["import", "github", "ci.yml"]).ok();
    for step in ["ship-2", "ship-3"] {
        let behind = made.out.split(&format!("- id: {step}\n")).nth(1).expect("the step");
        let condition =
            behind.lines().find(|line| line.trim_start().starts_with("if:")).expect("a condition");
        for gate in ["ship-environment", "ship-machine"] {
            assert!(condition.contains(&format!("steps.{gate}.result == 'success'")), "{condition}");
        }
    }
}

/// Stands in for docker: it runs the program on this machine, and says which image it was.
const DOCKER: &str = r#"#!/bin/bash
program=
[ "$1" = run ] || exit 9
shift
while [ $# -gt 0 ]; do
  case $1 in
    --rm|-i|--read-only) shift ;;
    -e|-w|--user|--memory|--cpus|--cap-drop|--security-opt|--pull) shift 2 ;;
    --entrypoint) program=$2; shift 2 ;;
    *) break ;;
  esac
done
echo "image $1" >&2
shift
exec $program "$@"
"#;

fn with_docker() -> Place {
    let place = Place::new();
    fs::create_dir(place.file("bin")).expect("made");
    place.write("bin/docker", DOCKER);
    fs::set_permissions(place.file("bin/docker"), fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{}:{}", place.file("bin").display(), env::var("PATH").expect("a path"));
    place.with("PATH", &path)
}

#[test]
fn a_workflow_of_argo_runs_its_containers_with_what_templates_hand_on() {
    let place = with_docker();
    place.write(
        "flow.yaml",
        r#"kind: Workflow
metadata: {generateName: flow-}
spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: who, value: "it's; $(touch pasted) \"me\""}]}
  templates:
    - name: main
      dag:
        tasks:
          - {name: tell, template: tell, depends: make, arguments: {parameters: [{name: what, value: "{{tasks.make.outputs.result}}"}]}}
          - {name: make, template: make}
          - {name: list, template: tell, dependencies: [make], withParam: "{{tasks.make.outputs.result}}", arguments: {parameters: [{name: what, value: "item {{item}}"}]}}
          - {name: other, template: tell, depends: make.Failed, arguments: {parameters: [{name: what, value: not this}]}}
    - name: make
      script: {image: "alpine:3", command: [sh], source: "echo \"[1, 22]\"\necho 'for {{workflow.parameters.who}}' >&2"}
    - name: tell
      inputs: {parameters: [{name: what}]}
      container: {image: "alpine:{{workflow.name}}", command: [sh, -c], args: ["echo 'told: {{inputs.parameters.what}}' {{workflow.parameters.who}}"]}
    - name: bye
      steps:
        - - {name: good, template: say, when: "{{workflow.status}} == Succeeded"}
          - {name: bad, template: worse, when: "{{workflow.status}} != Succeeded"}
    - {name: say, container: {image: busybox, command: [echo], args: ["all went well"]}}
    - {name: worse, container: {image: busybox, command: [echo], args: ["not well"]}}
"#,
    );
    let written = runs(&place, "argo", "flow.yaml", 0);
    let who = "it's; $(touch pasted) \"me\"";
    says(
        &written,
        &[
            &*format!("told: [1, 22] {who}"),
            "told: item 1 ",
            "told: item 22 ",
            "all went well",
            "image alpine:r-1",
            "image busybox",
        ],
    );
    assert!(!place.file("pasted").exists(), "a value was read as code");
}

#[test]
fn what_follows_a_failure_in_a_workflow_of_argo_does_not_run_and_values_stay_words_of_their_scripts() {
    let place = with_docker();
    place.write(
        "flow.yaml",
        r#"spec:
  entrypoint: main
  onExit: bye
  arguments: {parameters: [{name: who, value: "it's  \"me\" $(touch pasted)"}]}
  templates:
    - name: main
      dag:
        tasks:
          - {name: say, template: words}
          - {name: shaky, template: row, dependencies: [say], continueOn: {failed: true}}
          - {name: on, template: say, dependencies: [shaky], arguments: {parameters: [{name: what, value: went on}]}}
          - {name: bad, template: bad, dependencies: [on]}
          - {name: mend, template: row, depends: bad.Failed}
          - {name: never, template: say, depends: bad.Succeeded, arguments: {parameters: [{name: what, value: not never}]}}
          - {name: after, template: say, depends: mend, arguments: {parameters: [{name: what, value: not after}]}}
          - {name: omitted, template: say, depends: "say.Failed", arguments: {parameters: [{name: what, value: not omitted}]}}
          - {name: behind, template: say, depends: omitted, arguments: {parameters: [{name: what, value: not behind}]}}
    - name: words
      script:
        image: alpine
        command: [sh]
        source: |
          # it isn't a quote
          echo 'single {{workflow.parameters.who}}' "double's {{workflow.parameters.who}}" bare\ {{workflow.parameters.who}} "in $(echo '{{workflow.parameters.who}}')"
          cat <<END
          here {{workflow.parameters.who}}
          END
          cat <<'CUELIGHT_END'
          there
          CUELIGHT_END
          echo 'last {{workflow.parameters.who}}'
    - name: row
      steps:
        - - {name: one, template: say, arguments: {parameters: [{name: what, value: begun}]}}
        - - {name: two, template: bad}
        - - {name: three, template: say, arguments: {parameters: [{name: what, value: not three}]}}
        - - {name: four, template: say, arguments: {parameters: [{name: what, value: not four}]}}
    - name: say
      inputs: {parameters: [{name: what}]}
      container: {image: busybox, command: [echo], args: ["{{inputs.parameters.what}}"], env: [{name: PATH, value: /nowhere}, {name: BASH_ENV, value: /nowhere}]}
    - {name: bad, container: {image: busybox, command: ["false"]}}
    - name: bye
      steps:
        - - {name: told, template: say, when: "{{workflow.status}} != Succeeded", arguments: {parameters: [{name: what, value: told of it}]}}
        - - {name: fails, template: bad}
        - - {name: last, template: say, when: "{{workflow.status}} == Failed", arguments: {parameters: [{name: what, value: not last}]}}
"#,
    );
    let written = runs(&place, "argo", "flow.yaml", 1);
    let who = "it's  \"me\" $(touch pasted)";
    says(
        &written,
        &[
            &*format!("single {who} double's {who} bare {who} in {who}"),
            &*format!("here {who}"),
            "there",
            &*format!("last {who}"),
            "went on",
            "told of it",
        ],
    );
    assert_eq!(written.matches("begun").count(), 2, "{written}");
    assert!(!place.file("pasted").exists(), "a value was read as code");
}

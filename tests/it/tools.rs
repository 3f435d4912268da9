//! Tools, at three doors: what the checker says of them, what each that is built in does, and what a run makes of them.
//!
//! Files and programs are real, in a workspace of the test's own; nothing leaves the machine.

use crate::run_and_answer::{run, say};
use cuelight_base::{FailureMode, Span, Value, ValueMap};
use cuelight_definition::{Diagnostic, Files, Registry, ToolBody};
use cuelight_plan::{Given, PlanTool};
use cuelight_tool::{Call, Host, SecretStore, built_in_names, run_built_in, run_process};
use serde_json::json;
use std::{collections::BTreeMap, fs, path::Path, process::Command};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Files that describe tools, beside a workflow.
struct Shelf<'a>(&'a [(&'a str, &'a str)]);

impl Files for Shelf<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("there is no {path}"))
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        self.0.iter().map(|(name, text)| (format!("tools/{name}"), Ok((*text).to_owned()))).collect()
    }
}

/// One line for each finding, and what is advised.
#[track_caller]
fn check(tools: &[(&str, &str)], text: &str, expected: &[&str]) {
    let text = format!("timeout: 1m\nsteps:\n{text}");
    let (_, said) = cuelight_definition::read("flow.yaml", &text, &Shelf(tools));
    let line = |diagnostic: &Diagnostic| {
        let advice = diagnostic.help.clone().unwrap_or_else(|| diagnostic.label.clone());
        format!(
            "{}:{}:{} [{}] {} | {advice}",
            diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.code, diagnostic.message
        )
    };
    let lines: Vec<String> = said.iter().map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn an_unknown_tool_names_three_that_may_have_been_meant() {
    check(
        &[],
        "  - {id: a, uses: file.raed@1}\n  - {id: b, uses: json.wash@1}\n  - {id: c, uses: shell@7}\n  - {id: d, uses: zzz@1}\n",
        &[
            "flow.yaml:3:19 [tool] there is no tool `file.raed@1` | there are file.read@1, file.checksum@1, file.write@1; docs/TOOLS.md names those that are built in",
            "flow.yaml:4:19 [tool] there is no tool `json.wash@1` | there are json.query@1, json.validate@1; docs/TOOLS.md names those that are built in",
            "flow.yaml:5:19 [tool] `shell` is there in another version only | there is 1.0.0",
            "flow.yaml:6:19 [tool] there is no tool `zzz@1` | docs/TOOLS.md names those that are built in; describe one of your own in .cuelight/tools/NAME.yaml",
        ],
    );
}

#[test]
fn what_a_tool_is_given_is_checked_with_its_place_and_path() {
    check(
        &[("t.yaml", TAKES_LINES)],
        "  - {id: a, uses: lines@1, with: {lines: [{n: 1}, {n: x}], colour: red}}\n  - {id: b, uses: lines@1}\n  - {id: c, uses: lines@1, with: {lines: [{n: \"${{ run.id }}\"}]}}\n",
        &[
            "flow.yaml:3:42 [tool-input] `lines[1].n` of lines@1.0.0: \"x\" is not of type \"integer\" | What is counted",
            "flow.yaml:3:68 [tool-input] lines@1.0.0 has no input `colour` | its inputs are lines",
            "flow.yaml:4:19 [missing-key] lines@1.0.0 needs `lines` | add `with: {lines: …}`: What is counted",
        ],
    );
    let text = "  - {id: a, uses: shell@1, with: {script: \"echo ${{ run.id }}\"}}\n";
    check(
        &[],
        text,
        &[
            "flow.yaml:3:43 [tool-input] `script` is written as it is; no expression may stand in it | it is a program of its own; give it values through the other inputs of the tool",
        ],
    );
}

const TAKES_LINES: &str = "name: lines\nversion: 1\ndescription: Counts\neffect: pure\ncommand: [wc]\ninput:\n  type: object\n  required: [lines]\n  additionalProperties: false\n  properties:\n    lines:\n      type: array\n      description: What is counted\n      items: {type: object, properties: {n: {type: integer}}}\n";

#[test]
fn a_tool_file_with_mistakes_says_where() {
    let tool = "name: bad tool\nversion: one\ndescription: x\ncolour: red\ncommand: [bash, -c, \"${{ input.x }}\"]\ninput: {type: object, properties: {x: {type: txt}}}\n";
    check(
        &[("t.yaml", tool)],
        "  - {id: a, uses: shell@1, with: {script: \"true\"}}\n",
        &[
            "tools/t.yaml:1:7 [tool] `bad tool` cannot be the name of a tool | letters, digits, `.`, `-`, `_`, such as deploy.image",
            "tools/t.yaml:2:10 [tool] `one` is no version | write one to three numbers, such as 1.2.0",
            "tools/t.yaml:4:1 [unknown-key] `colour` is no key of a tool | the keys are name, version, description, category, reliability, duration, cost-usd, effect, risk, breaker, rate, capabilities, priority, preconditions, postconditions, input, output, command, undo, http, mcp, shell or built-in",
            "tools/t.yaml:5:21 [shell-quoting] a value would be read as a script here | write the script under `command:` as one text; an expression in it becomes a variable",
            "tools/t.yaml:6:8 [schema] could not read `input` as JSON Schema: properties.x.type: \"txt\" is not valid under any of the schemas listed in the 'anyOf' keyword | JSON Schema 2020-12; a `$ref` names a place in this schema",
        ],
    );
    let reads = "name: t\nversion: 1\ndescription: x\ncommand: [echo, \"${{ secrets.X }} ${{ input.nam }}\"]\ninput: {type: object, properties: {name: {type: string}}}\n";
    check(
        &[("t.yaml", reads)],
        "  - {id: a, uses: shell@1, with: {script: \"true\"}}\n",
        &[
            "tools/t.yaml:4:22 [expression] a tool does not see `secrets` | it reads `input`, which the step gives it",
            "tools/t.yaml:4:39 [expression] `input` has no property `nam` | did you mean `name`?",
        ],
    );
}

/// The registry of a workspace without tools of its own.
fn ours() -> Registry {
    Registry::new(&[])
}

#[test]
fn every_tool_that_is_built_in_can_be_done_and_says_what_it_is() {
    let registry = ours();
    assert!(registry.problems().is_empty(), "{:?}", registry.problems());
    let here: Vec<&str> =
        registry.all().filter(|tool| tool.body == ToolBody::BuiltIn).map(|tool| tool.name.as_str()).collect();
    assert_eq!(built_in_names().collect::<Vec<_>>(), here, "a function for every description, by name");
    for tool in registry.all() {
        assert!(!tool.description.is_empty() && tool.duration.is_some(), "{}", tool.id());
        for (schema, what) in [(&tool.input, "input"), (&tool.output, "output")] {
            for (name, about) in schema["properties"].as_object().into_iter().flatten() {
                assert!(about["description"].is_string(), "{} says nothing of its {what} {name}", tool.id());
            }
        }
    }
}

/// A workspace in which tools are called outside a run.
struct Shop {
    dir: TempDir,
    path: String,
}

impl Shop {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a directory"), path: "/usr/local/bin:/usr/bin:/bin".to_owned() }
    }

    fn root(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).expect("written");
    }

    /// Result of a tool, checked as a run checks it, or its failure.
    fn call(&self, tool: &str, input: Value) -> Result<Value, (FailureMode, String)> {
        let registry = ours();
        let tool = PlanTool::of(registry.find(tool).unwrap_or_else(|| panic!("no {tool}")));
        let Value::Object(input) = input else { panic!("an object") };
        let launch =
            tool.call(input, &Given::default()).map_err(|error| (FailureMode::UserInvalidInput, error))?;
        let launch = cuelight_base::Launch { timeout: Some(Span::seconds(20)), ..launch };
        let secrets = SecretStore::new(BTreeMap::new(), self.root());
        let env =
            vec![("PATH".to_owned(), self.path.clone()), ("HOME".to_owned(), "/nonexistent".to_owned())];
        let host = Host::new(self.root().to_owned(), env, secrets, Span(300));
        let cancel = CancellationToken::new();
        let answer = if launch.tool.as_ref().is_some_and(|tool| tool.built_in) {
            run_built_in(&host, &launch, None, &cancel)
        } else {
            let call = Call {
                tree: None,
                attempt_dir: self.root().join(".cuelight/spool/r-1.0.1"),
                run: "r-1".to_owned(),
                step: "s".to_owned(),
                attempt: "r-1.0.1".to_owned(),
                effect_key: "key".to_owned(),
                traceparent: None,
            };
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run_process(&host, &launch, None, &call, &cancel, |_| {}))
        };
        if let Some(failure) = answer.failure() {
            return Err((failure.mode, format!("{}\n{}", failure.message, answer.tail)));
        }
        let output: ValueMap =
            tool.output_of(&answer.outputs).map_err(|error| (FailureMode::AgentContract, error))?;
        Ok(Value::Object(output))
    }

    #[track_caller]
    fn gives(&self, tool: &str, input: Value, expected: &Value) {
        assert_eq!(self.call(tool, input).as_ref(), Ok(expected), "{tool}");
    }

    #[track_caller]
    fn fails(&self, tool: &str, input: Value, mode: FailureMode, part: &str) {
        let (is, said) = self.call(tool, input).expect_err("it cannot be done");
        assert_eq!(is, mode, "{said}");
        assert!(said.contains(part), "{said}");
    }
}

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[test]
fn files_are_read_written_and_counted_below_the_workspace_alone() {
    let shop = Shop::new();
    shop.write("a.txt", "hello");
    shop.gives(
        "file.read@1",
        json!({"path": "a.txt"}),
        &json!({"text": "hello", "bytes": 5, "sha256": HELLO}),
    );
    shop.gives(
        "file.checksum@1",
        json!({"path": "a.txt", "expect": HELLO}),
        &json!({"sha256": HELLO, "bytes": 5}),
    );
    let other = HELLO.replace('2', "3");
    let changed = json!({"path": "a.txt", "expect": other});
    shop.fails("file.checksum@1", changed, FailureMode::AgentValidation, "not what was expected");
    let bad = FailureMode::UserInvalidInput;
    shop.fails("file.read@1", json!({"path": "a.txt", "max-bytes": 4}), bad, "more than 4 bytes");
    shop.fails("file.read@1", json!({"path": "b.txt"}), bad, "see the path; it counts from the workspace");
    shop.fails("file.read@1", json!({"path": "/etc/passwd"}), bad, "outside the workspace");
    shop.fails("file.read@1", json!({"path": 7}), bad, "`path`: 7 is not of type \"string\"");
    fs::create_dir_all(shop.root().join(".cuelight/secrets")).expect("made");
    shop.write(".cuelight/secrets/TOKEN", "s3cret");
    let ours = FailureMode::PolicySecurity;
    shop.fails("file.read@1", json!({"path": ".cuelight/secrets/TOKEN"}), ours, "cuelight's own");
    fs::create_dir_all(shop.root().join("sub/.git/hooks")).expect("made");
    std::os::unix::fs::symlink("sub/.git/hooks", shop.root().join("hooks")).expect("linked");
    for (path, whose) in [
        (".cuelight/config.toml", "cuelight's own"),
        ("sub/.cuelight/config.toml", "cuelight's own"),
        (".git/hooks/pre-commit", "git's own"),
        ("sub/.git/config", "git's own"),
        ("hooks/pre-commit", "git's own"),
    ] {
        let wish = json!({"path": path, "text": "", "create-dirs": true});
        shop.fails("file.write@1", wish, ours, whose);
    }

    let write = |text: &str| json!({"path": "out/b.txt", "text": text, "create-dirs": true});
    shop.gives(
        "file.write@1",
        write("hello"),
        &json!({"path": "out/b.txt", "bytes": 5, "sha256": HELLO, "changed": true}),
    );
    assert_eq!(shop.call("file.write@1", write("hello")).expect("done")["changed"], false, "twice is once");
    assert_eq!(fs::read_to_string(shop.root().join("out/b.txt")).expect("there"), "hello");
    assert_eq!(fs::read_dir(shop.root().join("out")).expect("there").count(), 1, "nothing is left beside it");
    let keep = json!({"path": "out/b.txt", "text": "x", "overwrite": false});
    shop.fails("file.write@1", keep, bad, "it is there already");
    shop.fails("file.write@1", json!({"path": "../x", "text": ""}), bad, "outside the workspace");
    std::os::unix::fs::symlink("/tmp", shop.root().join("link")).expect("linked");
    shop.fails("file.write@1", json!({"path": "link/x", "text": ""}), bad, "outside the workspace");
    let through = json!({"path": "link/new/x", "text": "", "create-dirs": true});
    shop.fails("file.write@1", through, bad, "outside the workspace");
}

#[test]
fn a_value_is_held_against_a_schema() {
    let shop = Shop::new();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    shop.gives(
        "json.validate@1",
        json!({"data": {"n": 1}, "schema": schema}),
        &json!({"valid": true, "problems": []}),
    );
    let wrong = json!({"data": {"n": "x"}, "schema": schema});
    shop.fails(
        "json.validate@1",
        wrong,
        FailureMode::AgentValidation,
        "`n`: \"x\" is not of type \"integer\"",
    );
    let told = shop.call("json.validate@1", json!({"data": {"n": "x"}, "schema": schema, "fail": false}));
    assert_eq!(told.expect("told")["valid"], false);
    let none = json!({"data": 1, "schema": {"type": 5}});
    shop.fails("json.validate@1", none, FailureMode::UserInvalidInput, "could not read `schema`");
}

#[test]
fn a_script_gets_its_values_as_arguments_and_as_json() {
    let shop = Shop::new();
    let script = "read -r json; printf 'json<<E\\n%s\\nE\\nfirst=%s\\ncount=%s\\n' \"$json\" \"$1\" $# >> \"$CUELIGHT_OUTPUT\"";
    let input = json!({"script": script, "args": ["$(id); \"x\"", "b c"]});
    let told = shop.call("shell@1", input.clone()).expect("done");
    assert_eq!((&told["first"], &told["count"]), (&json!("$(id); \"x\""), &json!("2")));
    let json: Value = serde_json::from_str(told["json"].as_str().expect("text")).expect("JSON");
    assert_eq!(json, input, "all it was given stands on its standard input");
    shop.fails("shell@1", json!({"script": "exit 3"}), FailureMode::AgentLogic, "exit code 3");
}

#[expect(clippy::disallowed_methods, reason = "a checkout is made as people make one")]
fn git(shop: &Shop, words: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=main"]);
    let done = command.args(words).current_dir(shop.root()).output().expect("git is here");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_checkout_is_described_and_tagged_once() {
    let shop = Shop::new();
    git(&shop, &["init", "--quiet"]);
    git(&shop, &["config", "user.name", "t"]);
    git(&shop, &["config", "user.email", "t@example.test"]);
    shop.write("a b.txt", "x");
    let fresh = shop.call("git.status@1", json!({})).expect("described");
    assert_eq!(
        (&fresh["branch"], &fresh["commit"], &fresh["clean"]),
        (&json!("main"), &json!(""), &json!(false))
    );
    assert_eq!(fresh["changed"], json!(["\"a b.txt\""]));
    git(&shop, &["add", "."]);
    git(&shop, &["commit", "--quiet", "-m", "one"]);
    let clean = shop.call("git.status@1", json!({})).expect("described");
    assert_eq!((&clean["clean"], &clean["changed"]), (&json!(true), &json!([])));
    let tag = shop.call("git.tag@1", json!({"tag": "v1"})).expect("tagged");
    assert_eq!((&tag["commit"], &tag["created"]), (&clean["commit"], &json!(true)));
    assert_eq!(
        shop.call("git.tag@1", json!({"tag": "v1"})).expect("there")["created"],
        false,
        "twice is once"
    );
    git(&shop, &["commit", "--quiet", "--allow-empty", "-m", "two"]);
    shop.fails("git.tag@1", json!({"tag": "v1"}), FailureMode::AgentLogic, "is on");
    shop.fails("git.tag@1", json!({"tag": "--force"}), FailureMode::UserInvalidInput, "`tag`");
    shop.fails("git.status@1", json!({"directory": "-x"}), FailureMode::UserInvalidInput, "`directory`");
}

/// Files of a checkout can look like a repository whose settings name programs; a look at it starts none.
#[test]
fn what_only_looks_like_a_checkout_starts_nothing() {
    let shop = Shop::new();
    git(&shop, &["init", "--quiet", "--bare", "trap.git"]);
    let marker = shop.root().join("started");
    let program = format!("touch {}; false", marker.display());
    git(&shop, &["-C", "trap.git", "config", "core.bare", "false"]);
    git(&shop, &["-C", "trap.git", "config", "core.worktree", ".."]);
    git(&shop, &["-C", "trap.git", "config", "core.fsmonitor", &program]);
    shop.fails("git.status@1", json!({"directory": "trap.git"}), FailureMode::AgentLogic, "bare");
    assert!(!marker.exists(), "nothing of it was started");
    git(&shop, &["init", "--quiet"]);
    git(&shop, &["config", "core.fsmonitor", &program]);
    shop.call("git.status@1", json!({})).expect("described");
    assert!(!marker.exists(), "nor of one's own");
}

#[test]
fn a_notification_is_shown_by_the_program_of_the_desktop() {
    let mut shop = Shop::new();
    fs::create_dir(shop.root().join("bin")).expect("made");
    shop.write("bin/notify-send", "#!/bin/sh\nprintf '%s\\n' \"$@\" > told\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(shop.root().join("bin/notify-send"), mode).expect("made a program");
    shop.path = format!("{}:{}", shop.root().join("bin").display(), shop.path);
    shop.call("notify.desktop@1", json!({"title": "--help", "text": "done"})).expect("shown");
    let told = fs::read_to_string(shop.root().join("told")).expect("told");
    assert_eq!(told, "--app-name=cuelight\n--urgency=normal\n--\n--help\ndone\n");
    let loud = json!({"title": "x", "urgency": "loud"});
    shop.fails("notify.desktop@1", loud, FailureMode::UserInvalidInput, "`urgency`");
}

const SHIP: &str = "name: ship
version: 1.2.0
description: Ships
effect: idempotent
reliability: high
input: {type: object, required: [image], properties: {image: {type: string}, count: {type: integer, default: 2}}}
output: {type: object, required: [ticket], properties: {ticket: {type: integer}}}
command: |
  echo shipping ${{ input.image }}
  echo \"ticket=${{ input.count }}1\" >> \"$CUELIGHT_OUTPUT\"
";

const FLOW: &str = "name: flow
steps:
  - id: look
    uses: file.read@1
    with: {path: image.txt}
  - id: ok
    needs: look
    gate: {prompt: Ship it?, undo-window: 0s}
  - id: ship
    needs: ok
    uses: ship@1
    with: {image: \"${{ steps.look.outputs.text }}\"}
";

fn workspace() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    fs::create_dir_all(dir.path().join(".cuelight/tools")).expect("made");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(dir.path().join(".cuelight"), mode).expect("ours alone");
    for (name, text) in [(".cuelight/tools/ship.yaml", SHIP), ("flow.yaml", FLOW), ("image.txt", "app:7")] {
        fs::write(dir.path().join(name), text).expect("written");
    }
    dir
}

#[test]
fn a_gate_shows_the_tool_and_what_it_is_given_and_the_run_does_exactly_that() {
    let dir = workspace();
    let told = run(dir.path(), Path::new("flow.yaml"), &[], &[]);
    assert_eq!(told.state(), "completed", "{}", told.said);
    let asked = told.events.iter().find(|event| event["type"] == "gate.asked").expect("asked");
    let call = &asked["data"]["ask"]["will_run"][0];
    assert_eq!(call["launch"]["tool"]["name"], "ship", "{asked}");
    assert_eq!(call["launch"]["tool"]["version"], "1.2.0");
    assert_eq!(
        call["launch"]["tool"]["input"],
        json!({"image": "app:7", "count": 2}),
        "defaults shown are defaults used"
    );
    assert_eq!(call["effect"], "idempotent", "the tool says what a crash in it means");
    let started =
        told.events.iter().find(|event| event["type"] == "attempt.started" && event["step"] == "ship");
    let started = &started.expect("started")["data"];
    assert_eq!(started["launch_hash"], call["launch_hash"], "what was approved is what ran");
    assert_eq!(*told.output("ship", "ticket"), json!(21), "typed by its schema");
    assert_eq!(started["launch"]["tool"], call["launch"]["tool"]);
    let health = say(dir.path(), &["health", "--json"]);
    let health: Value = serde_json::from_slice(&health.stdout).expect("JSON");
    let kinds = health.to_string();
    assert!(kinds.contains("\"ship@1.2.0\"") && kinds.contains("\"file.read@1.0.0\""), "{kinds}");
}

#[test]
fn what_a_tool_does_not_promise_fails_the_step() {
    let dir = workspace();
    let broken = SHIP.replace("{ticket: {type: integer}}", "{ticket: {type: integer, maximum: 3}}");
    fs::write(dir.path().join(".cuelight/tools/ship.yaml"), broken).expect("written");
    let told = run(dir.path(), Path::new("flow.yaml"), &[], &[]);
    assert_eq!(told.state(), "failed", "{}", told.said);
    let failed = told.events.iter().find(|event| event["type"] == "step.failed").expect("failed");
    let record = failed["data"].to_string();
    assert!(record.contains("ship@1.2.0 gave what it does not promise: `ticket`: 21"), "{record}");
    assert!(record.contains("agent_contract"), "{record}");
}

#[test]
fn a_workflow_with_an_unknown_tool_does_not_start() {
    let dir = workspace();
    fs::write(dir.path().join("flow.yaml"), "steps:\n  - {id: a, uses: shpi@1}\n").expect("written");
    let done = say(dir.path(), &["run", "flow.yaml", "--headless"]);
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
    assert!(said.contains("there is no tool `shpi@1`") && said.contains("ship@1"), "{said}");
}

/// A tool called by its command, and what it printed as JSON.
#[track_caller]
/// A fallback without inputs of its own gets the inputs of the tool, if it accepts all of them.
#[test]
fn a_fallback_that_says_nothing_is_given_what_its_step_gives() {
    let tool = |name: &str, input: &str, command: &str| {
        format!(
            "name: {name}\nversion: 1\ndescription: {name}\ninput: {{type: object, properties: {{{input}}}}}\ncommand: {command}\n"
        )
    };
    let dir = workspace();
    let tools = dir.path().join(".cuelight/tools");
    fs::create_dir_all(&tools).expect("a folder");
    let image = "image: {type: string}";
    for (name, input, command) in [
        ("fast", image, "exit 1"),
        (
            "slow",
            "image: {type: string}, twice: {type: boolean}",
            "echo \"slow ${{ input.image }}\" >> ledger",
        ),
        ("last", "image: {type: string, default: none}", "echo \"last ${{ input.image }}\" >> ledger"),
        ("mail", "to: {type: string, default: all}", "echo \"mail ${{ input.to }}\" >> ledger"),
    ] {
        fs::write(tools.join(format!("{name}.yaml")), tool(name, input, command)).expect("a file");
    }
    let steps = [
        ("a", "slow@1"),
        ("b", "{uses: last@1, with: {}}"),
        ("c", "{uses: last@1, with: {image: other}}"),
        ("d", "mail@1"),
    ];
    let steps = steps.map(|(id, fallback)| {
        format!("  - {{id: {id}, uses: fast@1, with: {{image: one}}, fallback: [{fallback}]}}\n")
    });
    fs::write(dir.path().join("flow.yaml"), format!("sequence: true\nsteps:\n{}", steps.concat()))
        .expect("a file");
    let told = run(dir.path(), Path::new("flow.yaml"), &[], &[]);
    assert_eq!(told.state(), "completed", "{}", told.said);
    let ledger = fs::read_to_string(dir.path().join("ledger")).expect("they were called");
    assert_eq!(ledger, "slow one\nlast none\nlast other\nmail all\n");
    // What is handed on fits the schema of the other tool, too, or that is said before anything starts.
    let of_number = tool("of-number", "image: {type: integer}", "exit 0");
    check(
        &[("fast.yaml", &tool("fast", image, "exit 1")), ("n.yaml", &of_number)],
        "  - {id: a, uses: fast@1, with: {image: one}, fallback: of-number@1}\n",
        &["flow.yaml:3:41 [tool-input] `image` of of-number@1.0.0: \"one\" is not of type \"integer\" | "],
    );
}

/// A tool without a declared effect is taken for the worst: a script behind a tool is not examined.
#[test]
fn a_tool_that_runs_a_script_is_taken_to_happen_once_unless_it_says_otherwise() {
    let wrapper = "name: look\nversion: 1\ndescription: Looks\ncommand: ./look.sh\n";
    let registry = Registry::new(&[("tools/look.yaml".to_owned(), Ok(wrapper.to_owned()))]);
    let tool = registry.find("look@1").expect("it is there");
    assert_eq!((tool.effect.word(), tool.risk.word()), ("once", "externally-reversible"));
    assert!(tool.needs_gate(), "a model that asks for it waits");
    let believed = format!("{wrapper}effect: pure\nrisk: read-only\n");
    let registry = Registry::new(&[("tools/look.yaml".to_owned(), Ok(believed))]);
    assert!(!registry.find("look@1").expect("it is there").needs_gate(), "what its file says is believed");
    for half in ["effect: pure\n", "risk: read-only\n"] {
        let registry = Registry::new(&[("tools/look.yaml".to_owned(), Ok(format!("{wrapper}{half}")))]);
        assert!(registry.find("look@1").expect("it is there").needs_gate(), "half of that is not enough");
    }
}

fn tried(dir: &TempDir, tool: &str, with: &[&str]) -> Result<Value, String> {
    let words: Vec<&str> = ["tools", "test", tool, "--json"]
        .into_iter()
        .chain(with.iter().flat_map(|text| ["--with", text]))
        .collect();
    let done = say(dir.path(), &words);
    if done.status.success() {
        return Ok(serde_json::from_slice(&done.stdout).expect("JSON"));
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn a_value_is_asked_with_jq() {
    let dir = workspace();
    let data = r#"data=[{"n": 1, "big": 12345678901234567890}, {"n": 3}]"#;
    let told = tried(&dir, "json.query@1", &[data, "query=map(.n) | add, length"]).expect("answered");
    assert_eq!(told, json!({"value": 4, "values": [4, 2], "count": 2}));
    let big = tried(&dir, "json.query", &[data, "query=.[0].big"]).expect("answered");
    assert_eq!(big["value"].to_string(), "12345678901234567890", "a number stays as it was written");
    let none = tried(&dir, "json.query", &[data, "query=empty"]).expect("answered");
    assert_eq!(none, json!({"value": null, "values": [], "count": 0}));
    for (query, part) in [
        ("query=.[", "is no jq program"),
        ("query=nope", "calls a function"),
        ("query=.a", "could not answer"),
    ] {
        let said = tried(&dir, "json.query", &[data, query]).expect_err("refused");
        assert!(said.contains(part), "{query}: {said}");
    }
}

#[test]
fn a_query_that_never_ends_is_ended() {
    let dir = workspace();
    let done = say(
        dir.path(),
        &[
            "tools",
            "test",
            "json.query",
            "--timeout",
            "1s",
            "--with",
            "data=1",
            "--with",
            "query=def f: f; f",
        ],
    );
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("system_timeout") || said.contains("system_crash"), "{said}");
}

#[test]
fn a_template_of_the_workspace_is_filled_in() {
    let dir = workspace();
    fs::write(dir.path().join("a.tmpl"), "Dear ${{ values.name }},\n${{ toJSON(values.list) }}\n")
        .expect("written");
    let told = tried(&dir, "template.render", &["path=a.tmpl", r#"values={"name": "Ada", "list": []}"#]);
    assert_eq!(told.expect("rendered")["text"], "Dear Ada,\n[]\n");
    fs::write(dir.path().join("b.tmpl"), "${{ values. }}").expect("written");
    let said = tried(&dir, "template.render", &["path=b.tmpl"]).expect_err("no template");
    assert!(said.contains("could not render b.tmpl"), "{said}");
}

#[test]
fn a_database_is_asked_and_never_changed() {
    let dir = workspace();
    let path = dir.path().join("shop.db");
    let shop = rusqlite::Connection::open(&path).expect("a database");
    shop.execute_batch(
        "CREATE TABLE sold (name TEXT, n INTEGER); INSERT INTO sold VALUES ('a', 1), ('b', 2)",
    )
    .expect("made");
    drop(shop);
    let ask = |sql: &str, more: &[&str]| {
        let words: Vec<&str> = ["database=shop.db", sql].into_iter().chain(more.iter().copied()).collect();
        tried(&dir, "sqlite.query", &words)
    };
    let told = ask("sql=SELECT * FROM sold WHERE n > ?", &["parameters=[1]"]).expect("answered");
    assert_eq!(told, json!({"rows": [{"name": "b", "n": 2}], "count": 1}));
    let said = ask("sql=DELETE FROM sold", &[]).expect_err("refused");
    assert!(said.contains("would change it"), "{said}");
    let said = ask("sql=SELECT * FROM sold", &["max-rows=1"]).expect_err("refused");
    assert!(said.contains("more than 1 rows"), "{said}");
    let said =
        tried(&dir, "sqlite.query", &["database=.cuelight/cuelight.db", "sql=SELECT 1"]).expect_err("ours");
    assert!(said.contains("cuelight's own") || said.contains("No such file"), "{said}");
}

#[test]
fn tools_are_listed_shown_found_and_told_to_models() {
    let dir = workspace();
    let json = |words: &[&str]| -> Value {
        let done = say(dir.path(), words);
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("JSON")
    };
    let all = json(&["tools", "list", "--json"]);
    let names: Vec<&str> =
        all.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect();
    assert!(names.len() >= 13 && names.contains(&"ship") && names.is_sorted(), "{names:?}");
    let shown = json(&["tools", "show", "ship@1", "--json"]);
    assert_eq!(
        (&shown["version"], &shown["origin"].as_str().map(|origin| origin.ends_with("ship.yaml"))),
        (&json!("1.2.0"), &Some(true))
    );
    let models = json(&["tools", "list", "--for-models", "--category", "json"]);
    assert_eq!(models[0]["name"], "json_query");
    assert_eq!(models[0]["input_schema"]["required"], json!(["data", "query"]));
    let fits = json(&["tools", "suggest", "checksum", "of", "a", "file", "--json"]);
    assert_eq!(fits[0]["tool"], "file.checksum@1.0.0");
    let text = say(dir.path(), &["tools"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("ship@1.2.0"));
    let unknown = say(dir.path(), &["tools", "show", "shpi"]);
    assert!(
        String::from_utf8_lossy(&unknown.stderr)
            .contains("could not find the tool shpi; there are ship@1.2.0")
    );
    let risky = tried(&dir, "ship", &["image=x"]).expect_err("asks first");
    assert!(risky.contains("its risk is externally-reversible; add --really"), "{risky}");
}

#[test]
fn a_gate_of_another_run_can_be_waited_for() {
    let dir = workspace();
    let said = tried(&dir, "approve.wait", &["gate=g-999"]).expect_err("there is none");
    assert!(said.contains("approve.wait@1.0.0 failed"), "{said}");
}

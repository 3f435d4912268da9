//! `cuelight mcp`, as agents use it: messages in, messages out, and people who answer at another terminal.

use crate::{
    mcp::npm,
    program::until,
    run_and_answer::{STATE, cuelight, own, program, say},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
};
use tempfile::TempDir;

const FLOW: &str = "timeout: 1m
inputs: {to: {default: x}}
steps:
  - id: a
    run: echo \"said=${{ inputs.to }}\" >> \"$CUELIGHT_OUTPUT\"
";

/// An agent's end of the talk.
struct Agent {
    dir: TempDir,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl Agent {
    fn new(words: &[&str]) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::create_dir(dir.path().join(".cuelight")).expect("made");
        fs::write(dir.path().join("flow.yaml"), FLOW).expect("written");
        let mut child = cuelight(dir.path())
            .arg("--workspace")
            .arg(dir.path())
            .arg("mcp")
            .args(words)
            .env("CUELIGHT_IDLE_AFTER", "1s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be started");
        let output = BufReader::new(child.stdout.take().expect("ours")).lines();
        let input = child.stdin.take();
        let mut agent = Self { dir, child, input, output, asked: 0 };
        let hello = agent.ask("initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}));
        assert_eq!(hello["result"]["protocolVersion"], "2025-06-18");
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        agent
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("open"), "{line}").expect("it listens");
    }

    fn receive(&mut self) -> Value {
        let line = self.output.next().expect("it answers").expect("text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.receive();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, given: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": given}))["result"].clone()
    }

    /// The gate that waits, as soon as one does.
    fn gate(&self) -> Value {
        let mut found = Value::Null;
        until("a gate is open", || {
            let listed = say(self.path(), &["gates", "--json"]);
            let gates: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
            found = gates[0].clone();
            found.is_object()
        });
        found
    }

    /// True if a gate is closed.
    fn is_closed(dir: &Path, gate: &Value) -> bool {
        let listed = say(dir, &["gates", "--json"]);
        let gates: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
        gates.as_array().is_some_and(|gates| gates.iter().all(|value| value["id"] != gate["id"]))
    }

    /// A person at another terminal.
    fn decide(&self, gate: &Value, verdict: &str) {
        let (id, code) = (gate["id"].as_str().expect("an id"), gate["ask_hash"].as_str().expect("a code"));
        let done = say(self.path(), &[verdict, id, "--ask", code, "--reason", "the figures say so"]);
        assert!(done.status.success(), "{done:?}");
    }

    fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().is_ok_and(|status| status.success()));
        drop(say(self.path(), &["shutdown"]));
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

#[test]
fn an_agent_asks_people_and_waits_for_what_they_say() {
    let mut agent = Agent::new(&[]);
    for (verdict, approved) in [("approve", true), ("reject", false)] {
        let given = json!({"title": "Delete the index?", "evidence": {"plan": "one\ntwo"}, "binds": {"index": "users"}, "risk": "reversible"});
        let id = agent.begin("tools/call", json!({"name": "open_gate", "arguments": given}));
        let gate = agent.gate();
        assert_eq!(gate["prompt"], "an agent asks: Delete the index?");
        assert_eq!(gate["binds"], json!(["index: users"]));
        let shown = say(agent.path(), &["gates", "--show", gate["id"].as_str().unwrap_or_default()]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("inputs.agent_says_plan") && shown.contains("two"), "{shown}");
        // It is not blocked meanwhile.
        assert!(agent.call("list_runs", json!({}))["structuredContent"]["runs"].is_array());
        agent.decide(&gate, verdict);
        let answer = agent.receive();
        assert_eq!(answer["id"], id, "{answer}");
        let told = &answer["result"]["structuredContent"];
        assert_eq!((&told["approved"], &told["gate"]), (&json!(approved), &gate["id"]), "{told}");
        assert_eq!(told["reason"], "the figures say so");
    }
    agent.end();
}

#[test]
fn a_permission_prompt_is_answered_by_people_in_the_words_that_the_agent_reads() {
    let mut agent = Agent::new(&["--timeout", "10m"]);
    for verdict in ["approve", "reject"] {
        let given =
            json!({"tool_name": "Bash", "input": {"command": "rm -rf build"}, "tool_use_id": "toolu_1"});
        agent.begin("tools/call", json!({"name": "permission_prompt", "arguments": given}));
        let gate = agent.gate();
        let asks =
            "an agent wants to use Bash: rm -rf build\nthe risk is high: rm deletes more than it names";
        assert_eq!((&gate["prompt"], &gate["risk"]), (&json!(asks), &json!("irreversible")));
        agent.decide(&gate, verdict);
        let answer = agent.receive();
        let told: Value = serde_json::from_str(text(&answer["result"])).expect("JSON");
        if verdict == "approve" {
            assert_eq!(told, json!({"behavior": "allow", "updatedInput": {"command": "rm -rf build"}}));
        } else {
            assert_eq!(told["behavior"], "deny");
            assert!(
                told["message"].as_str().is_some_and(|message| message.contains("the figures say so")),
                "{told}"
            );
        }
    }
    agent.end();
}

#[test]
fn nothing_that_an_agent_can_send_answers_a_gate() {
    let mut agent = Agent::new(&["--workflow", "sly.yaml"]);
    let id = agent.begin("tools/call", json!({"name": "open_gate", "arguments": {"title": "May it?"}}));
    let gate = agent.gate();
    let (name, code) = (gate["id"].clone(), gate["ask_hash"].clone());
    for tool in ["approve", "approve_gate", "gates/approve", "open_gate", "permission_prompt", "start_run"] {
        for given in [
            json!({"gate": name, "code": code, "verdict": "approve"}),
            json!({"title": "x", "gate": name, "decision": "approve"}),
            json!({"tool_name": "approve", "verdict": "approve"}),
        ] {
            let answer = agent.ask("tools/call", json!({"name": tool, "arguments": given}));
            assert!(answer["error"].is_object() || answer["result"]["isError"] == true, "{tool}: {answer}");
        }
    }
    for method in ["gates/approve", "approve", "desk/submit", "sampling/createMessage", "elicitation/create"]
    {
        let answer = agent.ask(method, json!({"gate": name, "code": code}));
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
    // Answers to what was never asked, requests of the socket, and a forged progress.
    for line in [
        json!({"jsonrpc": "2.0", "id": id, "result": {"approved": true}}),
        json!({"submit": {"id": "x", "command": {"decide": {"gate": name}}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": id, "approved": true}}),
    ] {
        agent.send(&line.to_string());
    }
    // A workflow of its own that approves: its steps decide nothing.
    let script = format!(
        "{} approve {} --ask {} --reason sure",
        env!("CARGO_BIN_EXE_cuelight"),
        name.as_str().unwrap_or_default(),
        code.as_str().unwrap_or_default()
    );
    fs::write(
        agent.path().join("sly.yaml"),
        json!({"timeout": "1m", "steps": [{"id": "a", "run": script}]}).to_string(),
    )
    .expect("written");
    agent.begin("tools/call", json!({"name": "start_run", "arguments": {"file": "sly.yaml"}}));
    until("it has failed", || {
        String::from_utf8_lossy(&say(agent.path(), &["runs"]).stdout).contains("failed")
    });
    assert_eq!(agent.gate()["id"], name, "it still waits");
    agent.decide(&gate, "reject");
    loop {
        let answer = agent.receive();
        if answer["id"] == id {
            assert_eq!(answer["result"]["structuredContent"]["approved"], false);
            break;
        }
    }
    agent.end();
}

#[test]
fn a_run_of_a_file_that_the_operator_named_is_started_and_read_and_no_other() {
    let mut agent = Agent::new(&["--workflow", "./flow.yaml"]);
    fs::write(agent.path().join("own.yaml"), FLOW).expect("an agent can write files");
    let told = agent.call("start_run", json!({"file": "own.yaml"}));
    assert!(told["isError"] == true && text(&told).contains("names it with --workflow own.yaml"), "{told}");
    let told = agent.call("start_run", json!({"file": "flow.yaml", "inputs": {"to": "you"}}));
    let run = told["structuredContent"]["run"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    until("it rests", || {
        agent.call("read_run", json!({"run": run}))["structuredContent"]["state"] == "completed"
    });
    let read = agent.call("read_run", json!({"run": run}));
    assert_eq!(read["structuredContent"]["steps"][0]["outputs"]["said"], "you", "{read}");
    let listed = agent.call("list_runs", json!({}));
    assert_eq!(listed["structuredContent"]["runs"][0]["id"], run.as_str());
    for file in ["/etc/passwd", "../flow.yaml", "gone.yaml"] {
        let told = agent.call("start_run", json!({"file": file}));
        assert!(told["isError"] == true && text(&told).contains("no such file in the workspace"), "{told}");
    }
    let told = agent.call("read_run", json!({"run": "r-99"}));
    assert!(told["isError"] == true && text(&told).contains("r-99"), "{told}");
    agent.end();
}

#[test]
fn a_gate_whose_asker_is_gone_is_closed_and_a_line_without_end_is_refused() {
    let mut agent = Agent::new(&[]);
    let id = agent.begin("tools/call", json!({"name": "open_gate", "arguments": {"title": "May it?"}}));
    let gate = agent.gate();
    agent.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
            .to_string(),
    );
    until("it is closed", || Agent::is_closed(agent.path(), &gate));
    agent.send(&"x".repeat(5 * 1024 * 1024));
    assert!(agent.receive().to_string().contains("too long"));
    assert_eq!(
        agent.ask("ping", json!({}))["result"],
        json!({}),
        "it goes on, and the cancelled one is not answered"
    );
    agent.begin("tools/call", json!({"name": "open_gate", "arguments": {"title": "And this?"}}));
    let gate = agent.gate();
    agent.input = None;
    assert!(agent.child.wait().is_ok_and(|status| status.success()));
    until("it is closed as well", || Agent::is_closed(agent.path(), &gate));
    drop(say(agent.path(), &["shutdown"]));
}

#[test]
fn a_gate_whose_asker_does_not_read_any_more_is_closed() {
    let mut agent = Agent::new(&[]);
    agent.begin("tools/call", json!({"name": "open_gate", "arguments": {"title": "May it?"}}));
    let gate = agent.gate();
    agent.begin("ping", json!({}));
    agent.receive();
    // Nobody reads, and somebody still speaks.
    let Agent { dir, mut child, mut input, output, .. } = agent;
    drop(output);
    let ping = json!({"jsonrpc": "2.0", "id": 9, "method": "ping"});
    writeln!(input.as_mut().expect("open"), "{ping}").expect("it listens");
    assert!(child.wait().is_ok_and(|status| status.success()));
    until("it is closed", || Agent::is_closed(dir.path(), &gate));
    let audit = say(dir.path(), &["audit"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("whoever asked waits no more"), "{audit}");
    drop(say(dir.path(), &["shutdown"]));
}

/// Then nobody is left who could close it, but the time it was given, which is never without an end.
#[test]
fn a_gate_whose_asker_was_killed_expires_when_its_time_is_over() {
    let mut agent = Agent::new(&["--timeout", "2s"]);
    let given = json!({"title": "May it?", "timeout": "5h"});
    agent.begin("tools/call", json!({"name": "open_gate", "arguments": given}));
    agent.gate();
    agent.child.kill().expect("killed");
    agent.child.wait().expect("gone");
    until("it has expired", || {
        let audit = say(agent.path(), &["audit", "--all", "--json"]);
        let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
        audit.lines().any(|line| line.contains("gate.resolved") && line.contains("expired"))
    });
    drop(say(agent.path(), &["shutdown"]));
}

#[test]
fn an_agent_cannot_ask_for_a_weaker_gate_than_the_operator_wants() {
    let mut agent =
        Agent::new(&["--risk", "externally-reversible", "--require", "sre:2", "--require", "dba"]);
    for (risk, require, expected) in [
        ("read-only", json!([]), ("externally-reversible", json!([["sre", 2], ["dba", 1]]))),
        (
            "irreversible",
            json!(["sre", "dba:3", "ops"]),
            ("irreversible", json!([["sre", 2], ["dba", 3], ["ops", 1]])),
        ),
    ] {
        let given = json!({"title": "May it?", "risk": risk, "require": require});
        let id = agent.begin("tools/call", json!({"name": "open_gate", "arguments": given}));
        let gate = agent.gate();
        let groups: Vec<Value> = gate["require"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| json!([item["group"], item["count"]]))
            .collect();
        assert_eq!((gate["risk"].as_str(), json!(groups)), (Some(expected.0), expected.1), "{gate}");
        let gone =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        agent.send(&gone.to_string());
        until("it is closed", || Agent::is_closed(agent.path(), &gate));
    }
    let told = agent.call("open_gate", json!({"title": "May it?", "timeout": "soon"}));
    assert!(told["isError"] == true && text(&told).contains("could not read the timeout soon"), "{told}");
    agent.end();
}

#[test]
fn what_an_agent_does_stands_in_the_trail_as_come_over_mcp() {
    let mut agent = Agent::new(&["--workflow", "flow.yaml"]);
    let told = agent.call("start_run", json!({"file": "flow.yaml"}));
    let run = told["structuredContent"]["run"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    let audit = say(agent.path(), &["audit", &run, "--json"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    let begun = audit.lines().find(|line| line.contains("run.created")).unwrap_or(&audit);
    assert!(begun.contains("\"mcp\"") && !begun.contains("\"command\""), "{audit}");
    agent.end();
}

/// The inspector of the protocol's own makers, at its command line; where it may be had.
#[test]
fn the_inspector_lists_and_calls_what_is_offered() {
    let Some(inspector) =
        npm("@modelcontextprotocol/inspector/cli/build/cli.js").or_else(|| npm(".bin/mcp-inspector"))
    else {
        println!("skipped: no @modelcontextprotocol/inspector; tests/all installs it where npm is");
        return;
    };
    let dir = TempDir::new().expect("a directory");
    fs::create_dir(dir.path().join(".cuelight")).expect("made");
    own(dir.path());
    let inspect = |words: &[&str]| {
        let mut command = program("timeout");
        command
            .args(["120", &crate::mcp::node()])
            .arg(&inspector)
            .current_dir(dir.path())
            .env("XDG_STATE_HOME", STATE)
            .env("CUELIGHT_WORKSPACE", dir.path())
            .env("CUELIGHT_IDLE_AFTER", "1s");
        let output = command
            .args(["--cli", env!("CARGO_BIN_EXE_cuelight"), "mcp"])
            .args(words)
            .output()
            .expect("started");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let listed: Value = serde_json::from_str(&inspect(&["--method", "tools/list"])).expect("JSON");
    assert_eq!(listed["tools"].as_array().map(Vec::len), Some(5), "{listed}");
    let called: Value =
        serde_json::from_str(&inspect(&["--method", "tools/call", "--tool-name", "list_runs"]))
            .expect("JSON");
    assert_eq!(called["structuredContent"], json!({"runs": []}));
    drop(say(dir.path(), &["shutdown"]));
}

//! The command line at its door: arguments in, output and exit code out; seats in several processes on one workspace.

use crate::program::{Place, Said, text, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    process::Stdio,
};

const OK: &str = "name: fine\nsteps:\n  - id: one\n    run: echo hello; echo x=1 >> \"$CUELIGHT_OUTPUT\"\n    outputs: {x: string}\n";
const GATED: &str = "name: gated\nsteps:\n  - id: ok\n    gate: {prompt: \"Ship it?\"}\n  - id: ship\n    needs: ok\n    run: echo shipped\n";
const OWN: &str = "name: own\nsteps:\n  - id: ok\n    gate: {prompt: \"Ship it?\", forbid: [run.actor]}\n";

/// One command in a place with one workflow: its exit code, and parts of what it says.
#[track_caller]
fn check(place: &Place, args: &[&str], code: i32, parts: &[&str]) -> Said {
    let said = place.cue(args);
    assert_eq!(said.code, code, "{args:?}: {said:?}");
    for part in parts {
        assert!(said.out.contains(part) || said.err.contains(part), "{args:?} says {part:?}: {said:?}");
    }
    assert!(!said.err.contains("panicked"), "{said:?}");
    said
}

fn place(workflow: &str) -> Place {
    let place = Place::new();
    place.write("w.yaml", workflow);
    place
}

/// A run that waits at a gate, and the engine that runs it.
fn at_gate(workflow: &str) -> (Place, crate::program::Running) {
    let place = place(workflow);
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    (place, console)
}

#[test]
fn a_slip_in_the_name_of_a_file_leaves_no_workspace_behind() {
    let place = Place::new();
    check(&place, &["run", "nope.yaml", "--headless"], 2, &["could not read nope.yaml"]);
    assert!(!place.path().join(".cuelight").exists());
}

#[test]
fn a_switch_can_be_set_by_a_variable_as_people_write_them() {
    for value in ["1", "0", "yes", "true"] {
        let place = Place::new().with("CUELIGHT_ASCII", value);
        check(&place, &["eval", "1"], 0, &[]);
    }
}

#[test]
fn a_run_leaves_with_the_code_of_its_end() {
    let step = |run: &str, more: &str| format!("name: w\nsteps:\n  - id: a\n    run: {run}\n{more}");
    for (workflow, code) in [
        (OK.to_owned(), 0),
        (step("exit 3", ""), 1),
        (step("exit 3", "    on-error: continue\n"), 5),
        ("name: w\nsteps: []\nsteps: []\n".to_owned(), 2),
        ("name: w\nsteps:\n  - id: a\n    needs: b\n    run: 'true'\n".to_owned(), 2),
    ] {
        check(&place(&workflow), &["run", "w.yaml", "--headless"], code, &[]);
    }
    check(&Place::new(), &["run", "none.yaml", "--headless"], 2, &["could not read none.yaml"]);
    for (args, code) in [(["reject", "g-1", "--reason", "no"], 3), (["cancel", "r-1", "--reason", "no"], 4)] {
        let (place, console) = at_gate(GATED);
        check(&place, &args, 0, &[]);
        assert_eq!(console.end().code, code);
    }
    let refused = Place::new();
    refused.write(".cuelight", "not a directory");
    refused.write("w.yaml", OK);
    check(
        &refused,
        &["run", "w.yaml", "--headless"],
        6,
        &["could not create", "choose another place with --workspace"],
    );
}

#[test]
fn an_expression_is_a_value_or_an_error_with_its_position() {
    let place = Place::new();
    place.write("c.json", r#"{"a": {"b": [1, "two"]}}"#);
    for (expression, out) in [
        ("1 == 1.0", "true\n"),
        ("${{ a.b[1] }}", "\"two\"\n"),
        ("contains('abc', 'b') && 1", "1\n"),
        ("toJSON(a)", ""),
    ] {
        let said = check(&place, &["eval", expression, "--context", "c.json"], 0, &[]);
        assert!(out.is_empty() || said.out == out, "{said:?}");
    }
    for (expression, part) in [
        ("1 +", "position 3"),
        ("inputs.b[", "Unexpected end of expression"),
        ("nofunction(1)", "position 1"),
        ("'open", "position 1"),
    ] {
        let said = check(&place, &["eval", expression], 2, &["could not evaluate", part]);
        assert_eq!(said.out, "");
    }
    for (expression, out) in [("-1 < 2", "true\n"), ("-(1)", ""), ("", "\"\"\n"), ("inputs.x", "null\n")] {
        let code = if out.is_empty() { 2 } else { 0 };
        assert_eq!(check(&place, &["eval", expression], code, &[]).out, out);
    }
    let unknown = ["Unrecognized named-value: 'input'", "the contexts are inputs, ", "--context"];
    check(&place, &["eval", "input.x"], 2, &unknown);
    check(&place, &["eval", "1", "--context", "none.json"], 2, &["could not read none.json"]);
}

#[test]
fn json_has_the_shape_that_is_promised() {
    let place = place(OK);
    let said = place.cue(&["run", "w.yaml", "--json"]).ok();
    let lines: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!((&lines[0]["run"], &lines[0]["seq"]), (&json!("r-1"), &json!(0)), "the id comes first");
    for line in &lines {
        let has = |key: &str| line.get(key).is_some();
        assert!(has("seq") && has("time") && has("run") && has("type") && has("data"), "{line}");
        assert!(text(&line["time"]).ends_with('Z'), "{line}");
    }
    let last = lines.last().expect("a line");
    assert_eq!((&last["type"], &last["state"]), (&json!("run_finished"), &json!("completed")));
    assert_eq!(place.events("r-1")[..], lines[1..], "told live or later, it is the same");

    let run = &place.runs()[0];
    for (key, value) in [("id", "r-1"), ("workflow", "fine"), ("state", "completed")] {
        assert_eq!(run[key], value);
    }
    assert_eq!(
        (&run["steps"]["total"], &run["steps"]["completed"], &run["steps"]["failed"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!((&run["health"], &run["open_gates"]), (&json!(100), &json!(0)));
    assert!(
        text(&run["started_at"]).ends_with('Z')
            && text(&run["ended_at"]).ends_with('Z')
            && run["actor"].is_string()
    );

    let show = place.show("r-1");
    let step = &show["steps"][0];
    assert_eq!(
        (&step["id"], &step["state"], &step["attempts"]),
        (&json!("one"), &json!("completed"), &json!(1))
    );
    assert_eq!((&step["outputs"], &show["gates"]), (&json!({"x": "1"}), &json!([])));
    assert!(step["confidence"].is_number());

    place.write(
        "bad.yaml",
        "name: bad\nsteps:\n  - id: a\n    run: exit 4\n  - id: b\n    needs: a\n    run: 'true'\n",
    );
    assert_eq!(place.cue(&["run", "bad.yaml", "--headless"]).code, 1);
    let show = place.show("r-2");
    assert_eq!(show["partial"]["failure_mode"], "agent_logic");
    assert_eq!(show["partial"]["completion_ratio"].to_string(), "0.000");
    assert!(show["partial"]["suggestion"].is_string());
    assert_eq!(show["steps"][0]["error"]["message"], "exit code 4; it wrote nothing");
    assert!(show["steps"][1]["reason"].is_string(), "{show}");
    let runs = place.cue(&["runs"]).ok().out;
    for part in ["  1/1 done  ", "  0/2 done, 1 failed, 1 skipped  "] {
        assert!(runs.contains(part), "{part:?}: {runs}");
    }

    let (place, _console) = at_gate(GATED);
    let gate = &place.gates()[0];
    for (key, value) in
        [("id", "g-1"), ("run", "r-1"), ("step", "ok"), ("state", "open"), ("prompt", "Ship it?")]
    {
        assert_eq!(gate[key], value);
    }
    assert_eq!((&gate["evidence"], &gate["will_run"][0]["undo"]), (&json!([]), &json!("unset")));
    assert_eq!(gate["requester"], place.runs()[0]["actor"], "who asked is told by name");
    let may = &place.show("r-1")["gates"][0]["may"];
    assert!(
        may.as_array().is_some_and(|may| may.contains(&json!("approve"))) && *may == gate["may"],
        "{may}"
    );
    assert_eq!(place.runs()[0]["counts"], place.show("r-1")["counts"]);
    let plan = place.cue(&["plan", "w.yaml", "--json"]).ok().json();
    let rule = &plan["steps"][0]["gate_rule"];
    assert_eq!(
        (&rule["risk"], &rule["require"]),
        (&json!("reversible"), &json!([{"group": null, "count": 1}]))
    );
    assert!(gate["risk"].is_string() && gate["epoch"].is_number() && gate["ask_hash"].is_string(), "{gate}");
    assert!(
        gate["require"].is_array() && gate["votes"].is_array() && !gate["command_line"].is_null(),
        "{gate}"
    );
    assert!(text(&gate["opened_at"]).ends_with('Z'), "times are RFC 3339: {gate}");
}

#[test]
fn somebody_in_another_process_says_yes() {
    let (place, console) = at_gate(GATED);
    check(&place, &["gates"], 0, &["g-1", "ok gated"]);
    let shown = [
        "you may     approve, reject, override (cuelight run skip r-1 ok --reason WHY), delegate",
        "Ship it?",
        "END OF THE ASK",
        "will run    ship",
    ];
    check(&place, &["gates", "--show", "g-1"], 0, &shown);
    check(&place, &["approve", "g-1"], 0, &["your approval of g-1 is recorded"]);
    let said = console.end();
    assert_eq!(said.code, 0);
    assert!(said.out.contains("run.finished"), "{said:?}");
    check(&place, &["logs", "r-1", "ship"], 0, &["shipped"]);
    let line = r#"{"run":"r-1","step":"ship","attempt":1,"at":0,"text":"shipped","time":"20"#;
    check(&place, &["logs", "r-1", "--json"], 0, &[line]);
    check(&place, &["logs", "r-1", "--timestamps"], 0, &["Z ship │ shipped"]);
    let index = place.file(".cuelight/spool/r-1");
    let attempts = fs::read_dir(index).expect("there is output");
    attempts.for_each(|attempt| drop(fs::remove_file(attempt.expect("readable").path().join("times"))));
    check(&place, &["logs", "r-1", "-t"], 0, &["-                        ship │ shipped"]);
    check(&place, &["approve", "g-1"], 0, &[]);
    check(
        &place,
        &["reject", "g-1", "--reason", "late"],
        1,
        &["could not reject g-1: it was approved already"],
    );
}

#[test]
fn nobody_lets_their_own_run_pass_where_that_is_forbidden_whichever_way_they_come() {
    let (place, console) = at_gate(OWN);
    check(&place, &["approve", "g-1"], 1, &["could not approve g-1"]);
    check(&place, &["reject", "g-1", "--reason", "mine"], 1, &["could not reject g-1"]);
    let gate = place.gates()[0].clone();
    for verb in ["done", "skip"] {
        check(
            &place,
            &[verb, "r-1", "ok", "--reason", "mine"],
            2,
            &["needs the name of the ask that was read"],
        );
        let ask = text(&gate["ask_hash"]);
        let read = [verb, "r-1", "ok", "--reason", "mine", "--ask", &ask];
        check(&place, &read, 1, &["could not override g-1"]);
    }
    // A seat that says it is somebody else, over the socket itself.
    let mut seat = Socket::attach(&place);
    for (actor, channel) in [("uid 4000000", "console"), ("engine", "engine")] {
        let proof = if actor == "engine" { json!("engine") } else { json!({"os-user": 4_000_000}) };
        let by = json!({"name": actor, "proof": proof, "groups": ["sre"], "channel": channel});
        let digest = text(&gate["ask_hash"]);
        let decision = json!({"id": actor, "gate": 1, "epoch": gate["epoch"], "ask": digest, "verdict": "approve",
            "reason": "", "by": by, "shown_for": null});
        let answer = seat.ask(&json!({"submit": {"id": actor, "command": {"Decide": decision}}}));
        assert!(answer.to_string().contains("NotAllowed"), "{answer}");
    }
    // Only the engine itself says what has ended.
    let ended =
        json!({"AttemptEnded": {"attempt": {"run": 1, "step": 0, "number": 1}, "outcome": {"outputs": {}}}});
    let answer = seat.ask(&json!({"submit": {"id": "x", "command": ended}}));
    assert!(answer.to_string().contains("only the engine itself sends it"), "{answer}");
    assert_eq!(place.gates()[0]["state"], "open");
    let refused = place.events("r-1").into_iter().filter(|event| event["type"] == "gate.refused").count();
    assert_eq!(refused, 6, "who tried is on record");
    console.signal(Signal::TERM);
    drop(console.end());
}

#[test]
fn a_seat_says_which_kind_it_is_and_gains_nothing_else_by_it() {
    for (kind, recorded) in [
        ("console", "console"),
        ("command", "command"),
        ("engine", "socket"),
        ("http", "socket"),
        ("mcp", "mcp"),
    ] {
        let (place, _console) = at_gate(GATED);
        let mut seat = Socket::attach_as(&place, kind);
        let comment = json!({"Comment": {"gate": 1, "text": "seen", "by": {"name": "x", "proof": "engine", "channel": "engine"}}});
        seat.ask(&json!({"submit": {"id": "c", "command": comment}}));
        let events = place.events("r-1");
        let comment = events.iter().find(|event| event["type"] == "gate.commented").expect("a comment");
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(comment["data"]["by"]["channel"], recorded);
        assert_eq!(comment["data"]["by"]["proof"], json!({"os-user": uid}));
    }
}

/// The other end of the socket, by hand.
struct Socket {
    stream: UnixStream,
    number: u64,
}

impl Socket {
    fn attach(place: &Place) -> Self {
        Self::attach_as(place, "command")
    }

    fn attach_as(place: &Place, kind: &str) -> Self {
        let stream = UnixStream::connect(place.file(".cuelight/cuelight.sock")).expect("an engine listens");
        let mut seat = Self { stream, number: 0 };
        seat.send(&json!({"hello": {"version": 4, "program": "test", "seat": kind, "after": 0}}));
        seat
    }

    fn send(&mut self, message: &Value) {
        let bytes = message.to_string().into_bytes();
        let length = u32::try_from(bytes.len()).expect("short");
        self.stream.write_all(&[0]).expect("a line");
        self.stream.write_all(&length.to_be_bytes()).expect("a line");
        self.stream.write_all(&bytes).expect("a line");
    }

    fn receive(&mut self) -> Value {
        let mut all = Vec::new();
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head).expect("a frame");
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut bytes = vec![0; length];
            self.stream.read_exact(&mut bytes).expect("a frame");
            all.extend(bytes);
            if head[0] == 0 {
                return serde_json::from_slice(&all).expect("JSON");
            }
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        self.number += 1;
        let number = self.number;
        self.send(&json!({"question": {"number": number, "question": question}}));
        loop {
            let told = self.receive();
            if told["answer"]["number"] == number {
                return told["answer"]["answer"].clone();
            }
        }
    }
}

#[test]
fn groups_that_the_user_can_write_are_told_everywhere_and_give_nothing_to_a_gate_that_is_open() {
    let flow = "steps:\n  - id: ok\n    gate: {prompt: go?, require: sre, undo-window: 0s}\n  - {id: z, needs: ok, run: echo}\n";
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "10ms");
    place.write("ship.yaml", flow);
    fs::create_dir(place.file(".cuelight")).expect("it is new");
    place.write("high.yaml", &flow.replace("go?", "go?, risk: irreversible"));
    let uid = rustix::process::geteuid().as_raw();
    let people = |groups: &str, mode: u32| {
        let path = place.file(".cuelight/people.toml");
        place.write(
            ".cuelight/people.toml",
            &format!("[[person]]\nname = 'me'\nuid = {uid}\ngroups = [{groups}]\n"),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    people("'dev', 'sre'", 0o666);
    let mut first = place.start(&["run", "ship.yaml", "--headless"]);
    first.until("gate.asked");
    people("'dev'", 0o666);
    drop(place.cue(&["approve", "g-1"]));
    people("'dev', 'sre'", 0o666);
    until("it counts as at the opening", || place.cue(&["approve", "g-1"]).code == 0);
    assert_eq!(first.end().code, 0);
    let log = place.cue(&["audit", "--json"]).ok().out;
    assert!(log.contains("me -sre") && log.contains("self-declared"), "{log}");
    until("the engine has left", || place.owner().is_none());
    check(&place, &["receipt", "g-1", "-o", "receipt.json"], 0, &[]);
    check(&place, &["verify", "receipt.json"], 0, &["self-declared", "in dev sre (self-declared)"]);

    check(
        &place,
        &["check", "high.yaml"],
        0,
        &["at risk irreversible groups count only when people.toml is signed"],
    );
    check(&place, &["doctor"], 0, &["self-declared"]);
    let mut second = place.start(&["run", "high.yaml", "--headless"]);
    second.until("gate.asked");
    check(&place, &["gates", "--show", "g-2"], 0, &["nobody can answer yet", "sudo chown root"]);
    drop(second);
}

#[test]
fn people_are_those_of_the_file_and_it_is_said_when_they_are_too_few() {
    let two = "name: two\nsteps:\n  - id: ok\n    gate: {prompt: go?, require: [{group: sre, count: 2}]}\n";
    let (place, _console) = at_gate(GATED);
    place.write("two.yaml", two);
    let people = |groups: &str| {
        let uid = rustix::process::geteuid().as_raw();
        let me = format!("[[person]]\nname = 'me'\nuid = {uid}\ngroups = [{groups}]\n");
        place.write(
            ".cuelight/people.toml",
            &format!("{me}[[person]]\nname = 'bob'\nuid = 4000000\ngroups = ['sre']\n"),
        );
    };
    check(
        &place,
        &["check", "two.yaml"],
        0,
        &["nobody can answer this: it needs 2 people of sre, and there is no people.toml"],
    );
    people("'sree'");
    let few = "nobody can satisfy this: it needs 2 people of sre, and there is 1";
    check(&place, &["check", "two.yaml"], 2, &[few]);
    check(&place, &["run", "two.yaml", "--headless"], 2, &[few]);
    people("'sre'");
    check(&place, &["check", "two.yaml"], 0, &[]);
    check(
        &place,
        &["delegate", "g-1", "--to", "nobody"],
        2,
        &["people.toml has no person of that name; known: bob, me"],
    );
    check(&place, &["comment", "g-1", "seen"], 0, &["comment added to g-1"]);
    check(
        &place,
        &["delegate", "g-1", "--to", "bob", "--for", "4h"],
        0,
        &["bob answers at g-1 instead of you until"],
    );
    check(&place, &["approve", "g-1"], 1, &["delegated their answer to bob until"]);
    check(&place, &["withdraw", "g-1"], 0, &[]);
    let alone = ["approve", "g-1", "--break-glass", "--reason", "the shop is down and nobody answers"];
    check(&place, &alone, 1, &["is not in the group break-glass of people.toml"]);
    check(&place, &["send-back", "g-1", "--reason", "x"], 1, &["its workflow names no step for that"]);
    check(&place, &["approve", "g-1"], 0, &[]);
    let told: Vec<String> = place.events("r-1").iter().map(|event| text(&event["type"])).collect();
    for wanted in ["gate.commented", "gate.delegated", "gate.withdrawn", "gate.voted"] {
        assert!(told.iter().any(|text| text == wanted), "{wanted}: {told:?}");
    }
}

#[test]
fn an_emergency_stands_in_the_inbox_in_health_and_in_the_trail_until_somebody_else_has_looked_at_it() {
    let legal = GATED.replace("Ship it?\"", "Ship it?\", require: [{group: legal, count: 1}]");
    let place = place(&legal);
    fs::DirBuilder::new().mode(0o700).create(place.file(".cuelight")).expect("a workspace");
    let uid = rustix::process::geteuid().as_raw();
    let me = format!("[[person]]\nname = 'me'\nuid = {uid}\ngroups = ['break-glass']\n");
    let liz = "[[person]]\nname = 'liz'\nuid = 4000000\ngroups = ['legal']\n";
    place.write(".cuelight/people.toml", &format!("{me}{liz}"));
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    check(&place, &["approve", "g-1"], 1, &["me is not in the group legal"]);
    check(
        &place,
        &["review", "g-1", "--reason", "fine"],
        1,
        &["it has no emergency approval and no override"],
    );
    let alone = ["approve", "g-1", "--break-glass", "--reason", "the shop is down and nobody answers"];
    check(&place, &alone, 0, &["g-1 has an emergency approval by you; another person must review it"]);
    // An engine that ends between two commands would leave the second one without an answer.
    drop(console.end());
    check(&place, &["gates"], 0, &["review g-1", "EMERGENCY"]);
    check(&place, &["health"], 0, &["gates degraded: 1 emergency approval nobody has reviewed"]);
    check(&place, &["audit", "--type", "gate.glass_broken"], 0, &["EMERGENCY APPROVAL by me"]);
    check(
        &place,
        &["review", "g-1", "--reason", "fine"],
        1,
        &["me gave this approval; another person must review it"],
    );
    check(
        &place,
        &["gates", "--show", "g-1"],
        0,
        &["one approval in place of the quorum; nobody has reviewed it"],
    );
}

#[test]
fn what_was_approved_in_an_emergency_stays_to_be_reviewed_when_its_gate_asks_anew() {
    let place = place(
        "name: w
steps:
  - {id: g, gate: {prompt: go?, evidence: [plan.txt], require: [{group: legal, count: 1}]}}
  - {id: slow, run: 'while [ ! -f go ]; do sleep 0.05; done'}
  - {id: z, needs: [g, slow], run: 'true'}
",
    );
    fs::DirBuilder::new().mode(0o700).create(place.file(".cuelight")).expect("a workspace");
    let uid = rustix::process::geteuid().as_raw();
    let me = format!("[[person]]\nname = 'me'\nuid = {uid}\ngroups = ['break-glass']\n");
    let others = "[[person]]\nname = 'liz'\nuid = 4000000\ngroups = ['legal']\n\
                  [[person]]\nname = 'leo'\nuid = 4000001\ngroups = ['legal']\n";
    place.write(".cuelight/people.toml", &format!("{me}{others}"));
    place.write("plan.txt", "one");
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let alone = ["approve", "g-1", "--break-glass", "--reason", "the shop is down and nobody answers"];
    check(&place, &alone, 0, &["has an emergency approval by you"]);
    place.write("plan.txt", "two");
    place.write("go", "");
    console.until("gate.asked");
    check(&place, &["gates"], 0, &["review g-1 --epoch 1", "EMERGENCY", "g-1 "]);
    check(&place, &["health"], 0, &["1 emergency approval nobody has reviewed"]);
    check(
        &place,
        &["gates", "--show", "g-1"],
        0,
        &["emergency   in epoch 1, by me: the shop is down", "g-1 open"],
    );
    check(
        &place,
        &["gates", "--show", "g-1", "--epoch", "1"],
        0,
        &["g-1 approved", "nobody has reviewed it"],
    );
    check(
        &place,
        &["gates", "--show", "g-1", "--epoch", "2"],
        2,
        &["could not show what g-1 asked in epoch 2"],
    );
    check(
        &place,
        &["review", "g-1", "--reason", "fine"],
        1,
        &["me gave this approval; another person must review it"],
    );
    check(&place, &["review", "g-1", "--epoch", "2", "--reason", "fine"], 1, &["no emergency approval"]);
    check(&place, &alone, 0, &["has an emergency approval by you"]);
    // Its files are looked at once more before it counts.
    until("it is approved", || place.cue(&["gates", "--show", "g-1"]).out.contains("g-1 approved"));
    check(
        &place,
        &["review", "g-1", "--reason", "fine"],
        2,
        &["say which: --epoch 1 by me, --epoch 2 by me"],
    );
    check(&place, &["health"], 0, &["2 emergency approvals nobody has reviewed"]);
    let told = place.cue(&["gates", "--json"]).ok().json();
    let due: Vec<&Value> = told.as_array().expect("a list").iter().map(|item| &item["epoch"]).collect();
    assert_eq!(due, [1, 2], "{told}");
    let page = place.cue(&["audit", "export", "--format", "html"]).ok().out;
    assert_eq!(page.matches("yes, not reviewed").count(), 2, "{page}");
}

#[test]
fn an_answer_tells_the_state_of_its_gate_and_a_repeated_one_records_nothing() {
    let (place, mut console) = at_gate(&GATED.replace("Ship it?\"", "Ship it?\", undo-window: 10m"));
    let told = [
        "your approval of g-1 is recorded; g-1 is approved; it can be withdrawn until ",
        ", then it starts ship; to withdraw: cuelight gate withdraw g-1",
    ];
    check(&place, &["approve", "g-1"], 0, &told);
    let again = ["this answer to g-1 was given before by you; nothing was recorded; g-1 is approved"];
    check(&place, &["approve", "g-1"], 0, &again);
    check(&place, &["withdraw", "g-1"], 0, &["your vote at g-1 is withdrawn"]);
    check(&place, &["comment", "g-1", "mind the load"], 0, &["comment added to g-1"]);
    check(
        &place,
        &["delegate", "g-1", "--to", "bob"],
        0,
        &["bob answers at g-1 instead of you until ", "not checked"],
    );
    check(
        &place,
        &["gates", "--show", "g-1"],
        0,
        &["said        ", ": mind the load", "delegated   ", " to bob until "],
    );
    let told = place.cue(&["gates", "--json"]).ok().json();
    assert_eq!(
        (&told[0]["comments"][0]["text"], &told[0]["delegations"][0]["to"]),
        (&json!("mind the load"), &json!("bob"))
    );
    check(&place, &["withdraw", "g-1"], 0, &["your delegation at g-1 is revoked"]);
    check(&place, &["approve", "g-1", "--ask", "nope"], 2, &["--ask nope is not the name of its ask"]);
    check(&place, &["reject", "g-1", "--reason", "no"], 0, &["g-1 is rejected"]);
    console.until("run.finished");
    check(&place, &["reject", "g-1", "--reason", "no"], 0, &["nothing was recorded; g-1 is rejected"]);
    check(&place, &["gates", "--show", "g-1"], 0, &["closed      rejected by "]);
}

#[test]
fn a_gate_that_was_sent_back_says_so_and_names_the_gate_that_asks_next() {
    let (place, mut console) = at_gate(
        "name: w
steps:
  - {id: prep, run: 'true'}
  - {id: g, needs: prep, gate: {prompt: go?, send-back: prep}}
  - {id: z, needs: g, run: 'true'}
",
    );
    check(
        &place,
        &["send-back", "g-1", "--reason", "again"],
        0,
        &["g-1 is sent back: runs prep and the steps after it"],
    );
    console.until("gate.asked");
    check(&place, &["wait", "g-1"], 1, &["g-1 sent back; asks again as g-2"]);
    check(&place, &["gates", "--show", "g-1"], 0, &["g-1 sent back", "sent back "]);
}

#[test]
fn an_approval_says_what_starts_now_and_what_stands_behind_other_gates() {
    let (place, _console) = at_gate(
        "name: w
steps:
  - {id: low, gate: {prompt: go?}}
  - {id: stage, needs: low, run: 'true'}
  - {id: after, needs: stage, run: 'true'}
  - {id: high, needs: stage, gate: {prompt: on?}}
  - {id: ship, needs: high, run: 'true'}
",
    );
    check(
        &place,
        &["gates", "--show", "g-1"],
        0,
        &[
            "if yes      starts now: stage\n            then: after\n            the gate high asks before: ship\n",
            "if no       skips all of the steps above; the run ends as rejected\n",
            "if nobody   answers: no deadline",
        ],
    );
}

#[test]
fn a_vote_can_be_taken_back_while_its_time_runs() {
    let armed = GATED.replace("Ship it?\"", "Ship it?\", undo-window: 10m");
    let (place, console) = at_gate(&armed);
    check(&place, &["withdraw", "g-1"], 1, &["could not withdraw from g-1"]);
    check(&place, &["approve", "g-1"], 0, &[]);
    assert_eq!(place.gates()[0]["state"], "armed");
    check(&place, &["withdraw", "g-1"], 0, &["is withdrawn"]);
    assert_eq!((&place.gates()[0]["state"], &place.gates()[0]["votes"]), (&json!("open"), &json!([])));
    assert_eq!(place.step("r-1", "ship")["attempts"], 0, "nothing was started");
    check(&place, &["reject", "g-1"], 1, &["say why with --reason"]);
    check(&place, &["reject", "g-1", "--reason", "changed my mind"], 0, &["g-1 is rejected"]);
    assert_eq!(console.end().code, 3);
}

#[test]
fn what_waits_for_a_verdict_fails_closed() {
    let (place, console) = at_gate(GATED);
    check(&place, &["wait", "g-1", "--timeout", "20ms"], 3, &["g-1 expired"]);
    check(&place, &["wait", "g-1", "--timeout", "soon"], 2, &["could not read --timeout"]);
    check(&place, &["wait", "g-7"], 2, &["could not find gate g-7"]);
    let waiting = place.start(&["wait", "g-1"]);
    check(&place, &["approve", "g-1"], 0, &[]);
    assert_eq!(waiting.end().code, 0);
    drop(console.end());
    check(&place, &["wait", "g-1"], 0, &["g-1 approved"]);

    let (place, console) = at_gate(GATED);
    let waiting = place.start(&["wait", "g-1"]);
    check(&place, &["reject", "g-1", "--reason", "no"], 0, &[]);
    assert_eq!(waiting.end().code, 1);
    drop(console.end());

    let (place, console) = at_gate(GATED);
    console.signal(Signal::KILL);
    drop(console.end());
    check(&place, &["wait", "g-1"], 6, &["could not learn the verdict of g-1"]);

    let expiring = GATED.replace("Ship it?\"", "Ship it?\", timeout: 100ms, on-timeout: reject");
    let place = self::place(&expiring);
    check(&place, &["run", "w.yaml", "--headless"], 3, &[]);
    check(&place, &["wait", "g-1"], 3, &["g-1 expired"]);
}

const WORK: &str = "name: work\ninputs: {go: {type: string}}\nsteps:\n  - id: work\n    effect: idempotent\n    run: echo ${{ inputs.go }} >> begun; until [ -e ${{ inputs.go }} ]; do sleep 0.01; done\n";

#[test]
fn the_same_file_run_twice_at_once_is_two_runs_at_one_engine_which_stays_for_both() {
    let place = place(WORK);
    let first = place.start(&["run", "w.yaml", "--headless", "-i", "go=a"]);
    until("the first works", || place.text("begun").contains('a'));
    let mut second = place.start(&["run", "w.yaml", "--headless", "-i", "go=b"]);
    assert_eq!(second.line().as_deref(), Some("r-2"));
    until("the second works", || place.text("begun").contains('b'));
    assert_eq!(place.owner(), Some(first.pid()), "one engine");
    place.write("a", "");
    until("the first run is over", || place.state("r-1") == "completed");
    place.write("b", "");
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
    assert!(
        first.err.contains("r-1 is over; staying as long as steps of other runs are at work"),
        "{first:?}"
    );
    assert_eq!(place.events("r-2").iter().filter(|event| event["type"] == "attempt.started").count(), 1);
}

#[test]
fn what_only_waits_goes_on_in_the_background_when_its_engine_leaves() {
    let place = place(WORK);
    place.write("gated.yaml", GATED);
    let first = place.start(&["run", "w.yaml", "--headless", "-i", "go=a"]);
    until("the first works", || place.text("begun").contains('a'));
    let mut second = place.start(&["run", "gated.yaml", "--headless"]);
    second.until("gate.asked");
    place.write("a", "");
    let first = first.end();
    assert_eq!(first.code, 0);
    assert!(
        first.err.contains("goes on with r-2 ") && first.err.contains("cuelight engine shutdown"),
        "{first:?}"
    );
    check(&place, &["approve", "g-1"], 0, &[]);
    let second = second.end();
    assert_eq!(second.code, 0, "{second:?}");
    until("the engine in the background has left", || place.owner().is_none());
}

#[test]
fn a_console_whose_engine_was_killed_has_its_run_go_on() {
    let place = place(WORK);
    let first = place.start(&["run", "w.yaml", "--headless", "-i", "go=a"]);
    until("the first works", || place.text("begun").contains('a'));
    let second = place.start(&["run", "w.yaml", "--headless", "-i", "go=b"]);
    until("the second works", || place.text("begun").contains('b'));
    place.write("a", "");
    place.write("b", "");
    first.signal(Signal::KILL);
    drop(first.end());
    let second = second.end();
    assert_eq!(second.code, 0, "{second:?}");
    until("both are over", || place.runs().iter().all(|run| run["state"] == "completed"));
}

#[test]
fn a_second_owner_is_told_who_the_first_is() {
    let (place, console) = at_gate(GATED);
    let pid = format!("pid {}", console.pid().as_raw_nonzero());
    check(&place, &["serve"], 1, &["could not serve", &pid, "cuelight attach"]);
    check(&place, &["serve", "--detach"], 0, &["runs already"]);
    assert_eq!(place.gates().len(), 1, "nothing was disturbed");
}

#[test]
fn who_only_looks_starts_nothing_and_who_acts_starts_an_engine_that_leaves_by_itself() {
    let (place, console) = at_gate(GATED);
    console.signal(Signal::KILL);
    drop(console.end());
    let before = fs::read(place.file(".cuelight/cuelight.db")).expect("a database");
    for args in [
        &["runs"][..],
        &["show", "r-1"],
        &["gates"],
        &["logs", "r-1"],
        &["events", "r-1"],
        &["gates", "--show", "g-1"],
    ] {
        check(&place, args, 0, &[]);
    }
    assert!(place.owner().is_none(), "nobody was started");
    assert_eq!(fs::read(place.file(".cuelight/cuelight.db")).expect("a database"), before);
    check(&place, &["approve", "g-1"], 0, &["recorded"]);
    until("the run is over", || place.state("r-1") == "completed");
    until("the engine has left", || place.owner().is_none());
    assert!(!place.file(".cuelight/cuelight.sock").exists());
}

#[test]
fn an_engine_in_the_background_serves_until_it_is_told_to_end() {
    let place = place(OK);
    check(&place, &["serve", "--detach"], 0, &["created the workspace", "runs in the background (pid "]);
    check(&place, &["run", "w.yaml", "--headless"], 0, &["r-1"]);
    let owner = place.owner().expect("it stays");
    rustix::process::kill_process(owner, Signal::TERM).expect("it lives");
    until("it has left", || place.owner().is_none());
    check(&place, &["show", "r-1"], 0, &["completed"]);
}

#[test]
fn a_shutdown_ends_the_engine_in_order_and_tells_how_well_it_went() {
    let place = place(
        "name: w\ntimeout: 1h\nsteps:\n  - {id: a, run: echo a}\n  - {id: g, needs: a, gate: May it?}\n",
    );
    check(&place, &["serve", "--detach"], 0, &[]);
    let mut follows = place.start(&["run", "w.yaml", "--headless", "--json"]);
    follows.until("gate.asked");
    follows.signal(Signal::KILL);
    let said = check(&place, &["shutdown"], 0, &["the engine is stopped", "1 run stands still", "health"]);
    assert!(place.owner().is_none(), "{said:?}");
    check(&place, &["shutdown"], 0, &["no engine ran here", "health"]);
    let json = check(&place, &["shutdown", "--json"], 0, &[]).json();
    assert_eq!(json["checks"][0]["name"], "store", "{json}");
    check(&place, &["approve", "g-1"], 0, &["recorded"]);
    until("the run is over", || place.state("r-1") == "completed");
}

#[test]
fn a_reset_clears_results_and_lists_and_never_the_log() {
    let place = place(
        "name: w\ntimeout: 1h\nsteps:\n  - {id: a, run: echo a, effect: pure, cache: {key: k}}\n  - {id: b, run: exit 3}\n",
    );
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    let health = check(&place, &["health"], 0, &[]).out;
    check(&place, &["reset", "--environment", "PROD", "--reason", "new"], 2, &["this is LOCAL, not PROD"]);
    check(&place, &["reset", "--environment", "LOCAL", "--reason", " "], 1, &["--reason"]);
    check(&place, &["run", "history"], 0, &["r-1"]);
    check(&place, &["reset", "--environment", "LOCAL", "--reason", "new"], 0, &["cleared"]);
    check(&place, &["cache", "list"], 0, &["no result is kept"]);
    check(&place, &["run", "history"], 0, &["1 run from before the last reset"]);
    check(&place, &["runs"], 0, &["no runs since the last reset"]);
    assert_eq!(place.runs().len(), 0);
    check(&place, &["run", "history", "--all"], 0, &["r-1"]);
    check(&place, &["show", "r-1"], 0, &["failed"]);
    assert_eq!(check(&place, &["health"], 0, &[]).out, health, "its figures stay");
    check(
        &place,
        &["audit", "--type", "workspace"],
        0,
        &["workspace.reset", "1 result and the lists", "new"],
    );
    check(&place, &["audit", "verify"], 0, &["holds"]);
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    check(&place, &["runs"], 0, &["r-2"]);
}

#[test]
fn a_reader_that_has_gone_is_nothing_to_tell_about_and_no_reason_to_stop_working() {
    let place = place(OK);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    for (args, code) in [
        (&["runs"][..], 0),
        (&["show", "r-1", "--json"], 0),
        (&["run", "w.yaml", "--headless"], 0),
        (&["run", "w.yaml", "--json"], 0),
        (&["--help"], 0),
    ] {
        let mut child =
            place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
    assert_eq!(
        place.runs().iter().filter(|run| run["state"] == "completed").count(),
        3,
        "all runs went on to their end"
    );
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let place = place(OK);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    assert!(!check(&place, &["runs"], 0, &[]).out.contains('\u{1b}'));
    assert!(check(&place, &["--color", "always", "runs"], 0, &[]).out.contains('\u{1b}'));
    let place = place.with("NO_COLOR", "1");
    assert!(!check(&place, &["runs"], 0, &[]).out.contains('\u{1b}'));
}

#[test]
fn what_is_not_there_is_named_with_what_to_do_next() {
    let empty = Place::new();
    check(&empty, &["runs"], 2, &["could not find a workspace", "cuelight run FILE"]);
    check(&empty, &["approve", "g-1"], 2, &["could not find a workspace"]);
    let place = place(OK);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    for (args, part) in [
        (&["show", "r-9"][..], "could not find run r-9; `cuelight runs` lists"),
        (&["show", "nine"], "it looks like r-7"),
        (&["logs", "r-1", "two"], "could not find the step two in r-1; `cuelight show r-1`"),
        (&["events", "r-9"], "could not find run r-9"),
        (&["gates", "--show", "g-9"], "could not find gate g-9"),
        (&["approve", "g-9"], "could not find gate g-9; `cuelight gates`"),
        (&["approve", "r-1"], "could not find the gate r-1: r-1 is a run; `cuelight show r-1`"),
        (&["cancel", "r-9", "--reason", "x"], "could not find run r-9"),
        (&["skip", "r-1", "nostep", "--reason", "x"], "could not find the step nostep"),
        (&["run", "w.yaml", "--headless", "-i", "x=1"], "there is no such input"),
        (&["run", "w.yaml", "--headless", "-i", "x"], "is not KEY=VALUE"),
        (&["nosuch"], "unrecognized subcommand"),
        (&["deny", "g-1"], "tip: `cuelight reject GATE --reason TEXT` rejects a gate"),
        (&["accept", "g-1"], "tip: `cuelight approve GATE` approves a gate"),
        (&["stop", "r-1"], "tip: `cuelight cancel RUN` cancels a run, `cuelight engine shutdown` stops the"),
        (&["log", "r-1"], "tip: `cuelight logs RUN` prints"),
        (&["list"], "tip: `cuelight runs` lists the runs"),
        (&["status"], "`cuelight show RUN` shows one"),
        (&["validate", "w.yaml"], "tip: `cuelight check FILE`"),
        (&["init"], "tip: `cuelight run FILE` makes the workspace"),
        (&["version"], "tip: `cuelight --version`"),
        (&["rerun", "r-1"], "tip: `cuelight retry RUN`"),
        (&["describe", "r-1"], "tip: `cuelight show RUN`"),
        (&["inbox"], "tip: `cuelight gates`"),
        (
            &["runs", "--theme", "nope"],
            "could not find the theme nope: no file has this name; there are terminal,",
        ),
        (&["verify"], "`cuelight audit verify` alone verifies the log"),
        (&["reject", "g-1", "--break-glass"], "unexpected argument '--break-glass'"),
    ] {
        check(&place, args, 2, &[part]);
    }
    check(&place, &["cancel", "r-1", "--reason", "x"], 1, &["could not cancel r-1: it is completed"]);
    check(&place, &["undo", "r-1", "--reason", "x"], 1, &["no step of it can be undone"]);
}

#[test]
fn a_workspace_that_is_named_is_that_one_and_no_other() {
    let place = place(OK);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    fs::create_dir(place.file("below")).expect("a directory");
    let named = |dir: &'static str, rest: &[&'static str]| [&["--workspace", dir][..], rest].concat();
    for command in [&["runs"][..], &["run", "w.yaml", "--headless"], &["approve", "g-1"], &["serve"]] {
        check(
            &place,
            &named("nowhere", command),
            2,
            &["nowhere: there is no such directory; create it", "--workspace"],
        );
        check(&place, &named("w.yaml", command), 2, &["w.yaml: it is no directory", "--workspace"]);
    }
    check(&place, &named("below", &["runs"]), 2, &["could not find a workspace in", "below"]);
    check(&place, &named("below", &["run", "w.yaml", "--headless"]), 0, &["created the workspace"]);
    assert!(place.file("below/.cuelight/cuelight.db").exists() && !place.file("nowhere").exists());
    assert_eq!(place.runs().len(), 1, "found upwards only when none is named");
}

#[test]
fn what_comes_from_outside_is_shown_and_never_obeyed() {
    let place = place(OK);
    let odd = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}x";
    let long = "x".repeat(100_000);
    for args in [
        &["show", odd][..],
        &["approve", odd],
        &["run", odd, "--headless"],
        &["run", "w.yaml", "--headless", "-i", &format!("{odd}=1")],
        &["run", "w.yaml", "--headless", "-i", odd],
        &["check", odd],
        &["plan", odd],
        &["eval", odd],
        &["import", "wfformat", odd],
        &["wait", "g-1", "--timeout", odd],
        &[odd],
        &["show", &long],
        &["eval", &long],
    ] {
        let said = place.cue(args);
        assert!(said.code != 0 && said.code != 101, "{args:?}: {said:?}");
        let shown = format!("{}{}", said.out, said.err);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{args:?}: {shown:?}");
    }
    let name = "name: \"\\e[31mred\\u202e\"\nsteps:\n  - id: a\n    run: echo hi\n";
    place.write("odd.yaml", name);
    let said = place.cue(&["run", "odd.yaml", "--headless"]);
    let listed = place.cue(&["check", "odd.yaml"]);
    for said in [said, listed, place.cue(&["plan", "odd.yaml"]), place.cue(&["graph", "odd.yaml"])] {
        let shown = format!("{}{}", said.out, said.err);
        assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
    }
}

#[test]
fn a_failure_is_listed_shown_acknowledged_and_resolved() {
    let place = place("name: bad\nsteps:\n  - {id: load, run: 'echo no route; exit 3', category: load}\n");
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    let listed = check(&place, &["errors", "--json"], 0, &[]);
    let errors: Value = serde_json::from_str(&listed.out).expect("JSON");
    let error = &errors[0];
    assert_eq!((&error["severity"], &error["state"]), (&json!("critical"), &json!("open")));
    assert_eq!((&error["error_type"], &error["step"]), (&json!("data_load_error"), &json!("load")));
    let name = error["id"].as_str().expect("an id").to_owned();
    check(&place, &["errors"], 0, &[&name, "CRITICAL", "bad/load", "open"]);
    check(
        &place,
        &["errors", "show", &name],
        0,
        &["[CRITICAL] load:", "no route", "first failure of this kind"],
    );
    assert_eq!(place.show("r-1")["steps"][0]["error"]["severity"], "critical", "one fact");
    check(&place, &["errors", "show", "e-999"], 2, &["could not find the failure e-999", "error --all"]);
    check(&place, &["errors", "list", "--run", "r-7"], 0, &["no open failures"]);
    check(&place, &["errors", "ack", &name, "--reason", "mine"], 0, &[&format!("{name} is acknowledged")]);
    check(&place, &["errors", "show", &name], 0, &["acknowledged by", "mine"]);
    check(&place, &["errors", "resolve", &name, "--reason", "the cable"], 0, &["is resolved"]);
    check(&place, &["errors"], 0, &["--all lists resolved ones"]);
    check(&place, &["errors", "--all"], 0, &["resolved"]);
    check(
        &place,
        &["errors", "resolve", &name],
        2,
        &["could not resolve", "it is resolved", "word: the cable"],
    );
    check(&place, &["errors", "reopen", &name], 0, &["is open again"]);
    let told = check(&place, &["health", "--json"], 0, &[]);
    let health: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(health["health"], json!({"score": 0, "label": "critical"}));
    assert_eq!(health["reasons"][0]["step"], "load");
    assert_eq!(health["errors"]["urgent"], 1);
    check(
        &place,
        &["health"],
        0,
        &["health: runs 0 of 100, critical", "-100.0  bad  agent_logic x1, last load in r-1"],
    );
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    check(&place, &["errors", "show", &name], 0, &["first failure of this kind"]);
    let listed = check(&place, &["errors", "list", "--run", "r-2", "--json"], 0, &[]).out;
    let later: Value = serde_json::from_str(&listed).expect("JSON");
    let later = later[0]["id"].as_str().expect("an id");
    check(&place, &["errors", "show", later], 0, &["it failed like this 1 time before"]);
}

#[test]
fn a_run_that_rested_long_ago_can_be_tried_again_and_undone() {
    let workflow = "name: w\ninputs: {fail: {type: boolean, default: false}}\nsteps:\n  - id: a\n    run: echo did >> ledger\n    undo: echo undid >> ledger\n  - id: b\n    needs: a\n    if: inputs.fail\n    run: '[ -e healed ]'\n";
    let place = place(workflow);
    check(&place, &["serve", "--detach"], 0, &[]);
    check(&place, &["run", "w.yaml", "--headless", "-i", "fail=true"], 1, &[]);
    let gate = "gate: {prompt: \"Ship it?\", auto: \"${{ true }}\"}";
    place.write("gate.yaml", &format!("name: gate\nsteps:\n  - id: ok\n    {gate}\n"));
    check(&place, &["run", "gate.yaml", "--headless"], 0, &[]);
    let numbers: Vec<String> = (0..1001).map(|index| index.to_string()).collect();
    let gates =
        format!("name: gates\nsteps:\n  - id: ok\n    {gate}\n    matrix: {{n: [{}]}}\n", numbers.join(", "));
    place.write("gates.yaml", &gates);
    place.write("quick.yaml", "name: quick\nsteps:\n  - id: a\n    set: {values: {x: 1}}\n");
    for _ in 0..70 {
        check(&place, &["run", "quick.yaml", "--headless"], 0, &[]);
    }
    // Of its gates the engine knows nothing any more; the board, and beyond that the log, still do.
    for more in [&["run", "gates.yaml", "--headless"][..], &["runs"]] {
        let over = "it was approved by policy:auto";
        check(&place, &["approve", "g-1"], 1, &["could not approve g-1", over, "its run r-2 has ended"]);
        check(
            &place,
            &["reject", "g-1", "--reason", "no"],
            1,
            &[over, "`cuelight retry r-2 --from all` runs all steps again"],
        );
        check(&place, &["withdraw", "g-1"], 1, &[over, "`cuelight gates --show g-1` shows it"]);
        check(&place, &["wait", "g-1"], 0, &["g-1 approved"]);
        check(&place, &["gates", "--show", "g-1"], 0, &["Ship it?"]);
        check(&place, more, 0, &[]);
    }
    check(&place, &["wait", "g-9999"], 2, &["could not find gate g-9999"]);
    place.write("healed", "");
    let attached = place.start(&["logs", "r-1", "-f"]);
    let said = check(&place, &["retry", "r-1"], 0, &["r-74"]);
    assert_eq!(said.run(), "r-74");
    until("it has been tried again", || place.state("r-74") == "completed");
    assert_eq!(place.text("ledger"), "did\n", "what was done is not done again");
    check(&place, &["undo", "r-1", "--reason", "wrong"], 0, &["r-1 is being undone"]);
    until("it is undone", || place.state("r-1") == "undone");
    assert_eq!(place.text("ledger"), "did\nundid\n");
    drop(attached.end());
    // The same from the log alone, by who looks and by who takes it up.
    rustix::process::kill_process(place.owner().expect("an engine"), Signal::KILL).expect("it lives");
    until("it is gone", || place.owner().is_none());
    let step = place.step("r-1", "a");
    assert_eq!((place.state("r-1"), text(&step["state"])), ("undone".to_owned(), "undone".to_owned()));
    check(&place, &["serve", "--detach"], 0, &[]);
    assert_eq!(place.step("r-1", "a"), step);
    check(&place, &["undo", "r-1", "--reason", "again"], 1, &["no step of it can be undone"]);
}

#[test]
fn a_value_that_outlives_runs_is_set_read_changed_only_as_it_was_seen_and_taken_away() {
    let place = place(
        "name: reads\nsteps:\n  - {id: a, run: 'echo \"region=$R\"', env: {R: '${{ state.global.region }}'}}\n  - {id: b, needs: a, set: {scope: global, values: {done: true}, ttl: 2h}}\n",
    );
    check(&place, &["serve", "--detach"], 0, &[]);
    check(&place, &["state"], 0, &["nothing is kept"]);
    check(&place, &["state", "get", "region"], 1, &["could not find region in the global state"]);
    check(&place, &["state", "set", "region", "eu", "--if", "none"], 0, &["region is set"]);
    check(
        &place,
        &["state", "set", "region", "us", "--if", "none"],
        1,
        &["it has changed meanwhile, its etag is"],
    );
    check(&place, &["state", "get", "region"], 0, &["eu\n"]);
    let seen = check(&place, &["state", "get", "region", "--json"], 0, &[]).json();
    assert_eq!((&seen["value"], &seen["version"]), (&json!("eu"), &json!(1)));
    let etag = seen["etag"].as_str().expect("an etag").to_owned();
    check(&place, &["state", "set", "region", "7", "--text", "--if", &etag], 0, &[]);
    check(
        &place,
        &["state", "set", "region", "8", "--if", &etag],
        1,
        &["could not change region", "read it again"],
    );

    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    check(&place, &["logs", "r-1", "a"], 0, &["region=7"]);
    check(&place, &["state"], 0, &["VERSION", "region", "done", "r-1", "in 1h59m"]);
    let listed = check(&place, &["state", "list", "--scope", "global", "--json"], 0, &[]).json();
    let keys: Vec<&Value> = listed.as_array().expect("a list").iter().map(|item| &item["key"]).collect();
    assert_eq!(keys, ["done", "region"]);
    assert_eq!(listed[1]["value"], "7");

    check(&place, &["state", "set", "mine", "{\"a\": [1]}", "--scope", "session"], 0, &[]);
    check(&place, &["state", "get", "mine", "--scope", "session"], 0, &["{\"a\":[1]}"]);
    check(&place, &["state", "get", "mine"], 1, &[]);
    check(&place, &["state", "remove", "region", "--if", "0000"], 1, &["its etag is"]);
    check(&place, &["state", "remove", "region"], 0, &["region is taken away"]);
    check(&place, &["state", "get", "region"], 1, &[]);
    check(&place, &["audit"], 0, &["scope.set", "scope.removed"]);
    check(&place, &["audit", "verify"], 0, &[]);
}

#[test]
fn who_watches_the_state_is_told_of_each_change() {
    let place = Place::new();
    check(&place, &["serve", "--detach"], 0, &[]);
    let mut watching = place.start(&["state", "watch", "n"]);
    check(&place, &["state", "set", "other", "1"], 0, &[]);
    check(&place, &["state", "set", "n", "1"], 0, &[]);
    watching.until("global n = 1 (version 1)");
    check(&place, &["state", "set", "n", "2"], 0, &[]);
    watching.until("global n = 2 (version 2)");
    check(&place, &["state", "remove", "n"], 0, &[]);
    watching.until("global n is gone");
    let owner = place.owner().expect("it stays");
    rustix::process::kill_process(owner, Signal::TERM).expect("it lives");
    until("it has left", || place.owner().is_none());
    check(&place, &["state", "watch"], 1, &["could not watch any longer", "cuelight serve --detach"]);
}

#[test]
fn without_a_screen_every_open_run_is_told_line_by_line_until_none_is_open() {
    let empty = Place::new();
    check(&empty, &["--plain"], 0, &["no run is open"]);
    check(&empty, &[], 0, &["this is no terminal", "no run is open"]);
    let (place, owner) = at_gate(GATED);
    let mut plain = place.start(&["--plain"]);
    let mut json = place.start(&["--json"]);
    let first = plain.until("r-1 running gated");
    assert!(first.starts_with(|c: char| c.is_ascii_digit()), "{first}");
    let first: Value = serde_json::from_str(&json.until("run.followed")).expect("a line of JSON");
    assert_eq!((&first["run"], &first["state"]), (&json!("r-1"), &json!("running")));
    place.cue(&["approve", "g-1"]).ok();
    plain.until("r-1 step.completed ship");
    let said = plain.end();
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("run.finished") && !said.out.contains('\x1b'), "{said:?}");
    let said = json.end();
    assert_eq!(said.code, 0, "{said:?}");
    let events: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert!(events.len() > 3, "{events:?}");
    assert_eq!(owner.end().code, 0);
}

#[test]
fn without_a_screen_the_worst_end_is_the_code() {
    let (place, owner) = at_gate(GATED);
    let mut plain = place.start(&["--plain"]);
    plain.until("r-1 running gated");
    place.cue(&["reject", "g-1", "--reason", "not today"]).ok();
    assert_eq!(plain.end().code, 3);
    assert_eq!(owner.end().code, 3);
}

#[test]
fn doctor_names_the_words_of_the_settings_that_nobody_reads_and_the_schema_says_which_there_are() {
    let place = Place::new();
    fs::create_dir(place.file(".cuelight")).expect("made");
    place.write(
        ".cuelight/config.toml",
        "enviroment = \"PROD\"\nlabels = [\"gpu\"]\nnonsense = 1\n[traces]\nservice = \"x\"\n",
    );
    let said = place.cue(&["doctor"]);
    assert_eq!(said.code, 1, "{said:?}");
    for text in [
        "`enviroment` is no setting; did you mean `environment`?",
        "`nonsense` is no setting; `cuelight dev schema config` lists the settings",
    ] {
        assert!(said.out.contains(text), "{said:?}");
    }
    let schema = place.cue(&["schema", "config"]).ok().json();
    let words = schema["properties"].as_object().expect("properties");
    for word in ["environment", "labels", "timezone", "traces", "http-private", "log-format"] {
        let about = words.get(word).and_then(|word| word["description"].as_str());
        assert!(about.is_some_and(|about| !about.is_empty()), "{word}: {schema}");
    }
    let schema = cuelight_base::Schema::read(&schema).expect("a schema");
    let good = json!({"environment": "PROD", "traces": {"endpoint": "http://127.0.0.1:4318"}});
    assert_eq!(schema.problems(&good).len(), 0);
    assert_eq!(schema.problems(&json!({"enviroment": "PROD"})).len(), 1);
}

#[test]
fn doctor_says_of_the_settings_what_an_engine_would_refuse_and_what_comes_to_nothing() {
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight/agents")).expect("made");
    let ours_alone = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(place.file(".cuelight"), ours_alone).expect("our own directory");
    let agent = "name: coder\nversion: 1\ndescription: Codes\ncommand: [code]\n";
    place.write(".cuelight/agents/coder.yaml", agent);
    let bad = [
        ("rates = {qa = \"many\"}\n", "could not read the rate of \"qa\""),
        ("[spawn.coder]\ntoken-life = \"30d\"\n", "could not read [spawn.coder]"),
        ("agents-url = \"ftp://cue.example.org\"\n", "could not read agents-url"),
        ("agents-url = \"cue.example.org:3001\"\n", "could not read agents-url"),
        ("[connections]\nmost = 3\n", "could not read [connections]"),
        ("request-timeout = \"1h\"\n", "could not read request-timeout"),
        ("results-kept = \"long\"\n", "could not read results-kept"),
        ("context-cache = \"much\"\n", "could not read context-cache"),
    ];
    for (text, why) in bad {
        place.write(".cuelight/config.toml", text);
        let said = place.cue(&["doctor"]);
        assert!(said.code == 1 && said.out.contains(why), "{text}: {said:?}");
        // An engine says the same.
        let refused = place.cue(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(refused.code != 0 && refused.err.contains(why), "{text}: {refused:?}");
    }
    let all: String = bad[4..].iter().map(|pair| pair.0).rev().collect();
    place.write(".cuelight/config.toml", &all);
    let said = place.cue(&["doctor"]);
    assert!(bad[4..].iter().all(|pair| said.out.contains(pair.1)), "all of them at once: {said:?}");
    place.write(
        ".cuelight/config.toml",
        "agents-url = \"https://cue.example.org:3001/below\"\n[spawn.coder]\nenvironment = [\"LOG_LEVEL\", \"JWT_TOKEN\", \"CUELIGHT_TASK\", \"A-B\"]\n\
         [spawn.codr]\nenvironment = [\"PATH\"]\n",
    );
    let said = place.cue(&["doctor"]).ok().out;
    for text in ["JWT_TOKEN", "CUELIGHT_TASK", "A-B"] {
        assert!(said.contains(&format!("of [spawn.coder] allows {text}, and nobody")), "{said}");
    }
    assert!(said.contains("[spawn.codr] is of no agent") && !said.contains("[spawn.coder] is of"), "{said}");
    assert!(!said.contains("allows LOG_LEVEL") && !said.contains("allows PATH"), "{said}");
}

#[test]
fn every_line_of_a_run_fits_the_schema_of_events() {
    let place = place(
        "name: w\nsteps:\n  - {id: a, run: echo x=1 >> $CUELIGHT_OUTPUT, outputs: {x: string}}\n  - {id: b, needs: a, run: exit 3, retry: {max-attempts: 2, delay: 1ms}}\n  - {id: c, needs: b, run: echo never}\n",
    );
    let schema = place.cue(&["schema", "events"]).ok().json();
    let schema = cuelight_base::Schema::read(&schema).expect("a schema");
    let said = place.cue(&["run", "w.yaml", "--headless", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.len() > 10, "{said:?}");
    for line in &lines[1..] {
        assert_eq!(schema.problems(line).len(), 0, "{line}");
    }
    let mut wrong = lines[1].clone();
    wrong["type"] = "run.dreamed".into();
    assert!(!schema.problems(&wrong).is_empty());
}

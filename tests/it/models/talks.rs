//! Models that ask for tools: each call is a step under its own gate, and what a model says is never more than data.

use super::{
    provider::{Part, Provider, asks, says},
    runs::Room,
};
use crate::{
    program::{Place, until},
    run_and_answer::{STATE, Told, run},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, path::Path, sync::mpsc::sync_channel};

/// A model called `own` that says these things, and a step that offers it these tools.
struct Scene {
    provider: Provider,
    room: Room,
    told: Told,
}

fn play(parts: Vec<Part>, llm: &str, answers: &[&str]) -> Scene {
    play_file(
        parts,
        &format!("steps:\n  - id: fix\n    llm: {{model: own, prompt: \"Mend it\", {llm}}}\n"),
        answers,
    )
}

fn play_file(parts: Vec<Part>, file: &str, answers: &[&str]) -> Scene {
    let provider = Provider::play(parts);
    let room = Room::new(&[("own", &provider, "price: {input-usd: 3, output-usd: 15}\n")]);
    fs::write(room.path().join("plan.txt"), "the plan\n").expect("a file");
    fs::write(room.path().join("flow.yaml"), file).expect("a file");
    let told = run(room.path(), Path::new("flow.yaml"), &[], answers);
    Scene { provider, room, told }
}

impl Scene {
    fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.room.path().join(name)).ok()
    }

    /// Messages of the next request to the model that was not read yet.
    fn messages(&self) -> Value {
        self.provider.heard().body["messages"].clone()
    }
}

const READ: (&str, &str, &str) = ("call_a", "file_read", r#"{"path": "plan.txt"}"#);
const WRITE: (&str, &str, &str) =
    ("call_b", "file_write", r#"{"path": "out.txt", "text": "mended ${{ run.id }}"}"#);

/// A reading tool runs at once; a changing one waits for people. Each result returns to the model under its
/// own call.
#[test]
fn what_a_model_asks_for_is_done_step_by_step_and_told_to_it() {
    let parts = vec![asks(&[READ, WRITE]), says("It is mended.", 200, 20)];
    let play = play(parts, "tools: [file.read, file.write]", &["approve"]);
    assert_eq!(play.told.state(), "completed", "{}", play.told.said);
    assert_eq!(play.told.output("fix", "text"), "It is mended.");
    assert_eq!(
        (
            play.told.output("fix", "rounds"),
            play.told.output("fix", "tokens"),
            play.told.output("fix", "cost-usd")
        ),
        (&json!(1), &json!(330), &json!("0.00135")),
        "all questions are counted"
    );
    assert_eq!(play.file("out.txt").as_deref(), Some("mended ${{ run.id }}"), "arguments are no templates");
    let started = play.told.steps("attempt.started");
    assert_eq!(started, ["fix/ask-1", "fix/call-1.1", "fix/call-1.2", "fix/ask-2"]);
    let asked: Vec<&Value> = play.told.events.iter().filter(|event| event["type"] == "gate.asked").collect();
    assert_eq!(asked.len(), 1, "reading waits for nobody");
    let shown = &asked[0]["data"]["ask"]["will_run"][0];
    assert_eq!((&shown["step"], &shown["effect"]), (&json!("fix/call-1.2"), &json!("idempotent")));
    assert_eq!(shown["launch"]["tool"]["input"]["text"], "mended ${{ run.id }}", "whole, as it stands");
    let first = play.provider.heard().body;
    let names: Vec<&Value> =
        first["tools"].as_array().expect("tools").iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["file_read", "file_write"]);
    let messages = play.messages();
    assert_eq!(messages[0], json!({"role": "user", "content": "Mend it"}));
    assert_eq!(messages[1]["tool_calls"][1]["id"], "call_b");
    assert_eq!((&messages[2]["role"], &messages[2]["tool_call_id"]), (&json!("tool"), &json!("call_a")));
    let read: Value = serde_json::from_str(messages[2]["content"].as_str().expect("text")).expect("JSON");
    assert_eq!(read["text"], "the plan\n");
    assert_eq!(messages[3]["tool_call_id"], "call_b");
    assert_eq!(messages.as_array().map(Vec::len), Some(4));
}

/// A no is an answer to the model like any other, and the run goes on.
#[test]
fn a_call_that_is_refused_is_never_made_and_the_model_is_told_why() {
    let parts = vec![asks(&[WRITE]), says("Then not.", 200, 20)];
    let play = play(parts, "tools: file.write", &["reject"]);
    assert_eq!(play.told.state(), "completed", "{}", play.told.said);
    assert_eq!(play.file("out.txt"), None);
    assert_eq!(play.told.steps("attempt.started"), ["fix/ask-1", "fix/ask-2"]);
    play.messages();
    assert_eq!(play.messages()[2]["content"], "refused by a person: the figures say so");
}

#[test]
fn a_call_that_fails_is_told_to_the_model_and_fails_nothing_else() {
    let missing = ("c", "file_read", r#"{"path": "nowhere.txt"}"#);
    let play = play(vec![asks(&[missing]), says("It is not there.", 1, 1)], "tools: file.read", &[]);
    assert_eq!(play.told.state(), "completed", "{}", play.told.said);
    play.messages();
    let told = play.messages()[2]["content"].as_str().expect("text").to_owned();
    assert!(told.starts_with("failed with ") && told.contains("nowhere.txt"), "{told}");
}

/// Arguments that cannot be shown open no gate, so that nobody approves them, and nothing is called.
#[test]
fn a_call_whose_arguments_cannot_be_shown_asks_nobody_and_is_never_made() {
    let file = "steps:\n  - id: fix\n    env: {KEY: \"${{ hashFiles('plan.txt') }}\"}\n    llm: {model: own, prompt: \"Mend it\", tools: file.write}\n";
    let play_file = play_file(vec![asks(&[WRITE]), says("It is mended.", 1, 1)], file, &["approve"]);
    assert!(
        !play_file.told.events.iter().any(|event| event["type"] == "gate.asked"),
        "{}",
        play_file.told.said
    );
    assert_eq!(
        (play_file.file("out.txt"), play_file.told.steps("attempt.started")),
        (None, vec!["fix/ask-1"])
    );
    let told = Value::from(play_file.told.events).to_string();
    assert!(told.contains("the call of `fix/call-1.1` is not known yet"), "{told}");
}

/// No step is made of what cannot be a call; the model hears why and may do better.
#[test]
fn what_is_no_call_of_an_offered_tool_is_answered_and_never_done() {
    let long = format!(r#"{{"path": "out.txt", "text": "{}"}}"#, "\\u001b[2J".repeat(120_000));
    let calls = [
        ("a", "shell", r#"{"script": "touch hacked"}"#),
        ("b", "file_write", r#"{"path": "out.txt""#),
        ("c", "file_write", r#"{"path": "", "txt": 1}"#),
        ("d", "file_write", r#"["out.txt"]"#),
        ("e", "approve_wait", r#"{"gate": "g-1"}"#),
        ("f", "file_write", &long),
    ];
    let play = play(vec![asks(&calls), says("I give up.", 1, 1)], "tools: file.write", &[]);
    assert_eq!(play.told.state(), "completed", "{}", play.told.said);
    assert_eq!((play.file("out.txt"), play.file("hacked")), (None, None));
    assert_eq!(play.told.steps("attempt.started"), ["fix/ask-1", "fix/ask-2"], "nothing was called");
    let grown =
        play.told.events.iter().find(|event| event["type"] == "step.grown").expect("it is in the log");
    assert_eq!(grown["data"]["calls"].as_array().map(Vec::len), Some(6));
    play.messages();
    let messages = play.messages();
    let told: Vec<&str> = (2..8).map(|at| messages[at]["content"].as_str().expect("text")).collect();
    for (told, why) in told.iter().zip([
        "there is no such tool; there are file_write",
        "its arguments could not be read: they are no JSON: EOF",
        "`path`: \"\" is shorter than 1 character",
        "they are no JSON object",
        "there is no such tool",
        "they have more than 262144 bytes",
    ]) {
        assert!(told.starts_with("was not called: ") && told.contains(why), "{told}");
    }
}

#[test]
fn a_model_that_never_stops_asking_is_stopped() {
    let parts = vec![asks(&[READ]), asks(&[READ]), asks(&[READ])];
    let play = play(parts, "tools: file.read, rounds: 2", &[]);
    assert_eq!(play.told.state(), "failed");
    let failed = play.told.events.iter().find(|event| event["type"] == "step.failed").expect("it fails");
    assert_eq!(failed["data"]["record"]["mode"], "agent_logic");
    let message = failed["data"]["record"]["message"].as_str().expect("text");
    assert!(message.contains("still asks for tools after 2 rounds"), "{message}");
    assert_eq!(play.provider.asked(), 3);
}

/// A person may want to see all calls; then reading waits, too.
#[test]
fn with_gates_for_all_reading_waits_too() {
    let play = play(vec![asks(&[READ]), says("Read.", 1, 1)], "tools: file.read, gates: all", &["approve"]);
    assert_eq!(play.told.state(), "completed", "{}", play.told.said);
    assert_eq!(play.told.events.iter().filter(|event| event["type"] == "gate.asked").count(), 1);
}

/// The file's rules for these gates add to the tool's rules, and never remove any.
#[test]
fn the_gates_of_calls_want_who_and_how_many_the_file_says_and_no_less_than_the_tool() {
    let gates = "gates: {require: [{group: sre, count: 2}], forbid: [run.actor], risk: externally-reversible, reason: required, timeout: 50ms}";
    let provider = Provider::play(vec![asks(&[READ, WRITE]), says("Then not.", 1, 1)]);
    let place = place(&provider);
    place.write("plan.txt", "the plan\n");
    place.write(
        "flow.yaml",
        &format!(
            "steps:\n  - {{id: fix, llm: {{model: own, prompt: x, tools: [file.read, file.write], {gates}}}}}\n"
        ),
    );
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    assert_eq!(place.state("r-1"), "completed");
    let events = place.events("r-1");
    let asked: Vec<&Value> = events.iter().filter(|event| event["type"] == "gate.asked").collect();
    let ask = &asked[0]["data"]["ask"];
    assert_eq!(ask["require"], json!([{"group": "sre", "count": 2}]));
    assert_eq!((&ask["risk"], &ask["reason_required"]), (&json!("externally-reversible"), &json!(true)));
    assert!(ask["excluded"].to_string().contains("asked for this run"), "{ask}");
    assert_eq!((asked.len(), place.text("out.txt").as_str()), (1, ""), "reading waits for nobody, as before");
    provider.heard();
    let told = &provider.heard().body["messages"][3]["content"];
    assert_eq!(told, "was not called: nobody allowed it in time");
    // What the tool itself wants stays: shell is worse than what the file says.
    let worse = play(
        vec![asks(&[("a", "shell", r#"{"script": "touch hacked"}"#)]), says("Then not.", 1, 1)],
        "tools: shell, gates: {risk: read-only}",
        &["reject"],
    );
    let asked = worse.told.events.iter().find(|event| event["type"] == "gate.asked").expect("it waits");
    assert_ne!(asked["data"]["ask"]["risk"], "read-only");
    assert_eq!(worse.file("hacked"), None);
}

/// One yes is not two: whoever asked for the run, and whoever is in no such group, lets no call through.
#[test]
fn a_call_that_two_have_to_allow_is_not_made_at_the_word_of_one() {
    let provider = Provider::play(vec![asks(&[WRITE]), says("It is mended.", 1, 1)]);
    let place = place(&provider);
    place.write(
        "flow.yaml",
        "steps:\n  - {id: fix, llm: {model: own, prompt: x, tools: file.write, gates: {require: [{count: 2}]}}}\n",
    );
    let plan = place.cue(&["plan", "flow.yaml"]).ok();
    assert!(plan.out.contains("file.write@1.0.0, each call at a gate (any 2 people)"), "{}", plan.out);
    let mut engine = place.start(&["run", "flow.yaml", "--headless"]);
    engine.until("gate.asked");
    let refused = place.cue(&["approve", "g-1"]);
    assert!(refused.code != 0 && refused.err.contains("asked for this run"), "{refused:?}");
    assert_eq!((place.gates()[0]["state"].as_str(), place.text("out.txt").as_str()), (Some("open"), ""));
    place.cue(&["reject", "g-1", "--reason", "enough"]);
    place.cue(&["cancel", "r-1", "--reason", "enough"]);
    drop(engine.end());
    assert_eq!(place.text("out.txt"), "");
}

#[test]
fn the_budget_of_the_step_pays_for_every_question_and_call() {
    let parts = vec![asks(&[READ]), asks(&[READ]), says("Read.", 1, 1)];
    let file =
        "steps:\n  - id: fix\n    budget: {calls: 3}\n    llm: {model: own, prompt: x, tools: file.read}\n";
    let play_file = play_file(parts, file, &[]);
    assert_eq!(play_file.told.state(), "failed");
    assert_eq!(play_file.told.steps("attempt.started"), ["fix/ask-1", "fix/call-1.1", "fix/ask-2"]);
}

/// A workspace with one model, in which an engine is started and struck down.
fn place(provider: &Provider) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.file(".cuelight/models")).expect("a folder");
    place.write(".cuelight/config.toml", "http-private = [\"127.0.0.1\"]\n");
    place.write(
        ".cuelight/models/own.yaml",
        &format!("name: own\nprovider: openai\nmodel: m\nurl: {}\n", provider.url()),
    );
    place
}

/// Approving itself is no tool; and a program that it has a step start is known by who started it.
#[test]
fn a_model_that_has_a_program_approve_for_it_waits_at_a_gate_and_decides_nothing() {
    let program = env!("CARGO_BIN_EXE_cuelight");
    let script = format!(
        "code=$({program} gates --json | tr ',' '\\n' | grep -m1 '\"ask_hash\"' | cut -d'\"' -f4) || true; left=0; \
         {program} approve g-1 --ask \"$code\" --reason me > said.txt 2>&1 || left=$?; \
         echo \"left=$left\" >> $CUELIGHT_OUTPUT"
    );
    let given = json!({"script": script}).to_string();
    let provider = Provider::play(vec![asks(&[("a", "shell", &given)]), says("Done.", 1, 1)]);
    let place = place(&provider);
    place.write(
        "flow.yaml",
        "steps:\n  - {id: sure, gate: \"Ship it?\"}\n  - {id: fix, llm: {model: own, prompt: x, tools: shell}}\n",
    );
    let mut engine = place.start(&["run", "flow.yaml", "--headless"]);
    engine.until("gate.asked");
    until("both gates are open", || place.gates().len() == 2);
    let waits =
        place.gates().into_iter().find(|gate| gate["step"] == "fix/gate-1.1").expect("the call has a gate");
    assert_eq!(place.text("said.txt"), "", "nothing was started before anybody looked");
    let asked = place.events("r-1");
    let asked =
        asked.iter().find(|event| event["type"] == "gate.asked" && event["data"]["gate"] == waits["id"]);
    let shown =
        &asked.expect("it was asked")["data"]["ask"]["will_run"][0]["launch"]["tool"]["input"]["script"];
    assert_eq!(shown, &json!(script), "the script is shown whole");
    place.cue(&["approve", waits["id"].as_str().expect("a name")]).ok();
    until("the program has ended", || place.step("r-1", "fix/call-1.1")["state"] == "completed");
    assert_ne!(place.step("r-1", "fix/call-1.1")["outputs"]["left"], "0", "{}", place.text("said.txt"));
    assert!(place.text("said.txt").contains("a step"), "{}", place.text("said.txt"));
    let open = place.gates();
    assert_eq!((&open[0]["id"], &open[0]["state"], open.len()), (&json!("g-1"), &json!("open"), 1));
    place.cue(&["reject", "g-1", "--reason", "enough"]).ok();
    drop(engine.end());
    let votes = place.events("r-1").iter().filter(|event| event["type"] == "gate.voted").count();
    assert_eq!(votes, 2, "one for each answer of the person");
}

/// An answered question is not asked again, and a finished call is not made again, whenever the engine dies.
#[test]
fn a_talk_that_is_cut_off_goes_on_where_it_was() {
    let count = r#"{"script": "echo called >> ledger"}"#;
    let provider = Provider::play(vec![
        asks(&[("a", "shell", count)]),
        asks(&[("b", "shell", count)]),
        says("Done.", 1, 1),
    ]);
    let place = place(&provider);
    place.write("flow.yaml", "steps:\n  - {id: fix, llm: {model: own, prompt: x, tools: shell}}\n");
    let mut engine = place.start(&["run", "flow.yaml", "--headless"]);
    engine.until("gate.asked");
    engine.signal(Signal::KILL);
    drop(engine.end());
    let engine = place.start(&["serve"]);
    until("the next engine asks the same", || {
        place.owner().is_some() && place.cue(&["approve", "g-1"]).code == 0
    });
    until("the second call asks", || place.gates().iter().any(|gate| gate["step"] == "fix/gate-2.1"));
    assert_eq!(place.text("ledger"), "called\n");
    engine.signal(Signal::KILL);
    drop(engine.end());
    let engine = place.start(&["serve"]);
    until("the third engine asks the same", || {
        place.owner().is_some() && place.cue(&["approve", "g-2"]).code == 0
    });
    until("it is done", || place.state("r-1") == "completed");
    engine.signal(Signal::TERM);
    drop(engine.end());
    assert_eq!((place.text("ledger").as_str(), provider.asked()), ("called\ncalled\n", 3));
    assert_eq!(place.step("r-1", "fix")["outputs"]["text"], "Done.");
}

/// Two tools of a workspace that say how they are taken back, and one that cannot be.
const SHIP: &str = "name: ship\nversion: 1\ndescription: Ships an image\n\
    input: {type: object, required: [image], properties: {image: {type: string}}}\n\
    output: {type: object, properties: {ticket: {type: string}}}\n\
    command: |\n  echo \"ship ${{ input.image }}\" >> ledger\n  echo \"ticket=t-${{ input.image }}\" >> \"$CUELIGHT_OUTPUT\"\n\
    undo: |\n  echo \"unship ${{ input.image }} ${{ output.ticket }}\" >> ledger\n";
const MAIL: &str = "name: mail\nversion: 1\ndescription: Tells the customers\ninput: {type: object}\n\
    command: echo mail >> ledger\nundo: none\n";

/// A workspace whose model asks for these calls, one after the other, and then goes wrong.
fn saga(provider: &Provider, flow: &str) -> Place {
    let place = place(provider);
    fs::create_dir_all(place.file(".cuelight/tools")).expect("a folder");
    place.write(".cuelight/tools/ship.yaml", SHIP);
    place.write(".cuelight/tools/mail.yaml", MAIL);
    place.write("flow.yaml", flow);
    place
}

fn ship(id: &'static str, given: &'static str) -> Part {
    asks(&[(id, "ship", given)])
}

const FAILS: &str = "on-failure: compensate\nsteps:\n  - {id: fix, llm: {model: own, prompt: x, tools: [ship, mail], rounds: 3}}\n";

/// Calls are undone in reverse, with their inputs and outputs; a call that cannot be undone is reported.
#[test]
fn a_talk_that_fails_is_undone_call_by_call_in_reverse_and_says_what_stays() {
    let parts = vec![
        ship("a", r#"{"image": "one"}"#),
        asks(&[("b", "ship", r#"{"image": "two ${{ run.id }}"}"#), ("c", "mail", "{}")]),
        ship("d", r#"{"image": "three"}"#),
        ship("e", r#"{"image": "four"}"#),
    ];
    let provider = Provider::play(parts);
    let place = saga(&provider, FAILS);
    let told = run(place.path(), Path::new("flow.yaml"), &[], &[]);
    assert_eq!(told.state(), "undone", "{}", told.said);
    let ledger = place.text("ledger");
    let mut lines: Vec<&str> = ledger.lines().collect();
    assert_eq!(
        lines.split_off(4),
        ["unship three t-three", "unship two ${{ run.id }} t-two ${{ run.id }}", "unship one t-one"],
        "{ledger}"
    );
    let failed = told.events.iter().find(|event| event["type"] == "step.failed" && event["step"] == "fix");
    let message = failed.expect("it fails")["data"]["record"]["message"].as_str().expect("text").to_owned();
    for wanted in [
        "still asks for tools after 3 rounds",
        "fix/call-1.1 (ship@1.0.0) is undone when the run is",
        "fix/call-2.2 (mail@1.0.0) cannot be undone",
    ] {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    let asked: Vec<&Value> = told.events.iter().filter(|event| event["type"] == "gate.asked").collect();
    assert_eq!(asked[0]["data"]["ask"]["will_run"][0]["undo"], "yes", "a gate says that it can be undone");
    let last = asked.last().expect("the third round asks");
    assert_eq!(last["data"]["ask"]["cannot_undo"], json!(["fix/call-2.2"]), "and what cannot be any more");
}

/// A step may define one undo for all of its calls; then a failed talk is undone, too. One that called
/// nothing is not.
#[test]
fn the_undo_of_a_step_with_tools_takes_back_what_a_failed_talk_has_called() {
    let flow = |rounds: u32| {
        format!(
            "on-failure: compensate\nsteps:\n  - id: fix\n    llm: {{model: own, prompt: x, tools: mail, rounds: {rounds}}}\n    undo: echo all back >> ledger\n"
        )
    };
    let asked = || asks(&[("a", "mail", "{}")]);
    let provider = Provider::play(vec![asked(), asked()]);
    let place = saga(&provider, &flow(1));
    let told = run(place.path(), Path::new("flow.yaml"), &[], &["approve"]);
    assert_eq!(
        (told.state(), place.text("ledger").as_str()),
        ("undone", "mail\nall back\n"),
        "{}",
        told.said
    );
    let provider = Provider::play(vec![asked(), asked()]);
    let place = saga(&provider, &flow(1));
    let told = run(place.path(), Path::new("flow.yaml"), &[], &["reject"]);
    assert_eq!((told.state(), place.text("ledger").as_str()), ("failed", ""), "{}", told.said);
}

/// An engine that dies while calls are taken back goes on with that: each is taken back, in order, the one that was cut off
/// again, and nothing is called anew.
#[test]
fn a_crash_while_calls_are_undone_leaves_none_of_them_done() {
    let provider = Provider::play(vec![
        ship("a", r#"{"image": "one"}"#),
        ship("b", r#"{"image": "two"}"#),
        ship("c", r#"{"image": "three"}"#),
    ]);
    let place = saga(&provider, &FAILS.replace("rounds: 3", "rounds: 2"));
    let slow = SHIP
        .replace("undo: |\n", "undo: |\n  echo begun >> begun\n  until test -e go; do sleep 0.01; done\n");
    place.write(".cuelight/tools/ship.yaml", &slow);
    let engine = place.start(&["run", "flow.yaml", "--headless"]);
    for gate in ["g-1", "g-2"] {
        until("a call asks", || place.owner().is_some() && place.cue(&["approve", gate]).code == 0);
    }
    until("the newest is being undone", || place.text("begun") == "begun\n");
    engine.signal(Signal::KILL);
    drop(engine.end());
    assert_eq!(place.text("ledger"), "ship one\nship two\n");
    let engine = place.start(&["serve"]);
    until("the next engine is there", || place.owner().is_some());
    place.write("go", "");
    until("all is undone", || place.state("r-1") == "undone");
    engine.signal(Signal::TERM);
    drop(engine.end());
    assert_eq!(place.text("ledger"), "ship one\nship two\nunship two t-two\nunship one t-one\n");
}

/// The same holds for a step that uses the tool and says no `undo` of its own.
#[test]
fn a_step_is_undone_as_its_tool_says_where_it_says_nothing_itself() {
    let flow = "on-failure: compensate\nsteps:\n  - {id: a, uses: ship@1, with: {image: one}}\n  - {id: b, needs: a, uses: ship@1, with: {image: two}, undo: none}\n  - {id: c, needs: b, run: exit 1, undo: none}\n";
    let place = saga(&Provider::play(Vec::new()), flow);
    let told = run(place.path(), Path::new("flow.yaml"), &[], &[]);
    assert_eq!(told.state(), "undone", "{}", told.said);
    assert_eq!(place.text("ledger"), "ship one\nship two\nunship one t-one\n");
}

/// A retry of a failed talk warns that the model is asked from the start, and lists the calls already made.
/// The gate of the same call once more says that it is the same.
#[test]
fn who_does_a_talk_again_is_told_what_it_has_had_called_already() {
    let provider =
        Provider::play(vec![asks(&[READ, WRITE]), asks(&[READ]), asks(&[WRITE]), says("Mended.", 1, 1)]);
    let place = place(&provider).with("XDG_STATE_HOME", STATE);
    place.write("plan.txt", "the plan\n");
    place.write(
        "flow.yaml",
        "steps:\n  - {id: fix, llm: {model: own, prompt: x, tools: [file.read, file.write], rounds: 1}}\n",
    );
    let told = run(place.path(), Path::new("flow.yaml"), &[], &["approve"]);
    assert_eq!(told.state(), "failed", "{}", told.said);
    let engine = place.start(&["serve"]);
    until("the engine is there", || place.owner().is_some());
    let again = place.cue(&["retry", "r-1"]).ok();
    assert_eq!(again.run(), "r-2");
    let note = "note: asks the model of fix from its first question again; called before, and not undone: fix/call-1.2 (file.write@1.0.0)\n";
    assert!(again.err.contains(note), "{}", again.err);
    until("the same call asks once more", || place.gates().iter().any(|gate| gate["run"] == "r-2"));
    let events = place.events("r-2");
    let asked = events.iter().find(|event| event["type"] == "gate.asked").expect("it was asked");
    let prompt = asked["data"]["ask"]["prompt"].as_str().expect("text");
    assert!(
        prompt.ends_with("This run goes on from r-1, and its model was asked from the first question again. Called before, and not undone: fix/call-1.2 of r-1 (file.write@1.0.0, with exactly this)."),
        "{prompt}"
    );
    let fork = place.cue(&["fork", "r-1", "--at", "fix"]).ok();
    assert!(fork.err.contains(note), "a fork too: {}", fork.err);
    engine.signal(Signal::TERM);
    drop(engine.end());
}

/// An answer that was cut off by the death of its engine is asked for once more, and by that alone: what was called before it
/// stays called once.
#[test]
fn an_answer_that_is_cut_off_by_a_crash_is_asked_for_again_and_nothing_is_called_for_it() {
    let (first, wait_first) = sync_channel::<()>(1);
    let (second, wait_second) = sync_channel::<()>(1);
    let count = r#"{"script": "echo called >> ledger"}"#;
    let asked = || asks(&[("a", "shell", count)]);
    let provider = Provider::play(vec![
        asked().waits(40, wait_first),
        asked(),
        says("Cut off.", 1, 1).waits(40, wait_second),
        says("Done.", 1, 1),
    ]);
    let place = place(&provider);
    place.write("flow.yaml", "steps:\n  - {id: fix, llm: {model: own, prompt: x, tools: shell}}\n");
    let engine = place.start(&["run", "flow.yaml", "--headless"]);
    provider.heard();
    engine.signal(Signal::KILL);
    drop(engine.end());
    drop(first);
    let engine = place.start(&["serve"]);
    until("the call asks, once", || place.owner().is_some() && place.gates().len() == 1);
    assert_eq!(
        (place.text("ledger").as_str(), place.step("r-1", "fix/ask-1")["attempts"].clone()),
        ("", json!(2))
    );
    provider.heard();
    place.cue(&["approve", "g-1"]).ok();
    provider.heard();
    engine.signal(Signal::KILL);
    drop(engine.end());
    drop(second);
    let engine = place.start(&["serve"]);
    until("it is done", || place.owner().is_some() && place.state("r-1") == "completed");
    engine.signal(Signal::TERM);
    drop(engine.end());
    assert_eq!((place.text("ledger").as_str(), place.gates().len()), ("called\n", 0));
    assert_eq!(place.step("r-1", "fix")["outputs"]["text"], "Done.");
    let asked = place.events("r-1").iter().filter(|event| event["type"] == "gate.asked").count();
    assert_eq!(asked, 1, "nobody was asked twice about one call");
}

/// A call that runs when its engine dies goes on and is taken up; where its guard dies too nobody knows, a person is asked, and it
/// is not made again unasked.
#[test]
fn a_call_that_is_cut_off_by_a_crash_is_taken_up_or_in_doubt_and_never_made_twice_unasked() {
    let slow = r#"{"script": "echo called >> ledger; until test -e go; do sleep 0.01; done; rm go"}"#;
    let provider = Provider::play(vec![
        asks(&[("a", "shell", slow)]),
        asks(&[("b", "shell", slow)]),
        says("Done.", 1, 1),
    ]);
    let place = place(&provider);
    place.write("flow.yaml", "steps:\n  - {id: fix, llm: {model: own, prompt: x, tools: shell}}\n");
    let engine = place.start(&["run", "flow.yaml", "--headless"]);
    until("the first call asks", || place.owner().is_some() && place.cue(&["approve", "g-1"]).code == 0);
    until("it is being made", || place.text("ledger") == "called\n");
    engine.signal(Signal::KILL);
    drop(engine.end());
    let engine = place.start(&["serve"]);
    until("the next engine is there", || place.owner().is_some());
    place.write("go", "");
    until("the second call asks", || place.cue(&["approve", "g-2"]).code == 0);
    assert_eq!(place.step("r-1", "fix/call-1.1")["state"], "completed", "the one that went on was taken up");
    until("it is being made", || place.text("ledger") == "called\ncalled\n");
    engine.signal(Signal::KILL);
    drop(engine.end());
    place.kill_guards();
    let engine = place.start(&["serve"]);
    until("nobody knows", || {
        place.owner().is_some() && place.step("r-1", "fix/call-2.1")["state"] == "in-doubt"
    });
    assert_eq!(provider.asked(), 2, "the model is not told of what nobody knows");
    place.cue(&["doubt", "r-1", "fix/call-2.1", "happened", "--reason", "it stands in the ledger"]).ok();
    until("it is done", || place.state("r-1") == "completed");
    engine.signal(Signal::TERM);
    drop(engine.end());
    assert_eq!(place.text("ledger"), "called\ncalled\n");
}

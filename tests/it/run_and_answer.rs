//! The program as people use it: one process runs a workflow and tells its events, another answers at its gates.
//!
//! Nothing here waits for time: an answer is given when the event that asks for it has been told.

use cuelight_base::sha256;
use cuelight_runtime::called_by_schedules;
use cuelight_store::{Things, TrustBook, Trusted, Workspace};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

/// After this long a run is ended from outside, so that a fault ends a test and not the day.
const SECONDS_MAX: &str = "300";

/// The events and messages of a run.
#[derive(Debug)]
pub(crate) struct Told {
    /// Its events, in order.
    pub(crate) events: Vec<Value>,
    /// Exit code of the process; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Messages of the process on stderr.
    pub(crate) said: String,
}

/// Directory of the file that lists the trusted workspaces.
pub(crate) const STATE: &str = env!("CARGO_TARGET_TMPDIR");

/// A workspace that a test has written by hand is its own.
pub(crate) fn own(directory: &Path) {
    let written = Workspace::find(directory).filter(|workspace| workspace.root() == directory);
    let Some(workspace) = written.filter(|_| !directory.join(".cuelight/id").exists()) else { return };
    // What cannot be trusted is told to the command itself.
    let Ok(things) = Things::of(&workspace, called_by_schedules) else { return };
    let mut id = sha256("a workspace of a test", &[directory.as_os_str().as_encoded_bytes()]).to_string();
    id.truncate(32);
    let book = TrustBook::new(Path::new(STATE).join("cuelight/trust"), called_by_schedules);
    book.accept(&workspace, things.hash(), &id, true).expect("a workspace of the test");
}

/// A directory as a workspace that its user trusts: made when there is none, and accepted when a test has written it by hand.
pub(crate) fn trusted(directory: &Path) -> Trusted {
    trusted_by(&TrustBook::new(Path::new(STATE).join("cuelight/trust"), called_by_schedules), directory)
}

/// The same, by these records.
pub(crate) fn trusted_by(book: &TrustBook, directory: &Path) -> Trusted {
    let root = directory.canonicalize().expect("a directory");
    let mut id = sha256("a workspace of a test", &[root.as_os_str().as_encoded_bytes()]).to_string();
    id.truncate(32);
    let workspace = book.create(&root, &id).expect("a workspace of the test");
    if !root.join(".cuelight/id").exists() {
        let things = book.things(&workspace).expect("a workspace of the test");
        book.accept(&workspace, things.hash(), &id, true).expect("a workspace of the test");
    }
    book.trusts(&workspace, Some(&[]), |_| Some(false)).expect("a workspace of the test")
}

/// A command of the program, in a directory that is or becomes a workspace.
#[expect(clippy::disallowed_methods, reason = "the program under test is started as people start it")]
pub(crate) fn cuelight(directory: &Path) -> Command {
    own(directory);
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", SECONDS_MAX, env!("CARGO_BIN_EXE_cuelight")]).current_dir(directory);
    command.env("XDG_STATE_HOME", STATE);
    for name in ["CARGO_TARGET_DIR", "CUELIGHT_WORKSPACE", "CUELIGHT_THEME", "CUELIGHT_ASCII"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Any other program, for whoever does by hand what the program under test would.
#[expect(clippy::disallowed_methods, reason = "the steps of an example are really done")]
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.stdin(Stdio::null());
    command
}

/// One command, to its end.
pub(crate) fn say(directory: &Path, words: &[&str]) -> Output {
    cuelight(directory).args(words).output().expect("the program can be started")
}

/// Runs a workflow to its end. The answers are given in the order in which gates open; without one left it is a yes.
pub(crate) fn run(directory: &Path, file: &Path, words: &[&str], answers: &[&str]) -> Told {
    let mut command = cuelight(directory);
    command.arg("run").arg(file).args(words).arg("--json");
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
    let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    let (mut events, mut answers) = (Vec::new(), answers.iter());
    for line in lines {
        let line = line.expect("the output is text");
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if event["type"] == "gate.asked" {
            answer(directory, &event, answers.next().copied().unwrap_or("approve"));
        }
        events.push(event);
    }
    let output = child.wait_with_output().expect("it has ended");
    Told { events, code: output.status.code(), said: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Answers a gate as a person at another terminal does: looks at it, and names the ask.
fn answer(directory: &Path, asked: &Value, verdict: &str) {
    let gate = asked["data"]["gate"].as_str().expect("a gate has a name");
    let listed = say(directory, &["gates", "--json"]);
    let gates: Value = serde_json::from_slice(&listed.stdout).expect("the list of gates");
    let open = gates.as_array().and_then(|gates| gates.iter().find(|value| value["id"] == gate));
    // One that a policy approves is closed before anybody can look.
    let Some(open) = open else { return };
    let code = open["ask_hash"].as_str().expect("an ask has a code");
    let done = say(directory, &[verdict, gate, "--ask", code, "--reason", "the figures say so"]);
    assert!(done.status.success(), "{verdict} {gate}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Told {
    /// The state in which the run came to rest.
    pub(crate) fn state(&self) -> &str {
        let last = self.events.last().unwrap_or_else(|| panic!("it told nothing: {}", self.said));
        assert_eq!(last["type"], "run_finished", "{last} {}", self.said);
        last["state"].as_str().expect("a run that rests has a state")
    }

    /// The steps of which this was told, in order.
    pub(crate) fn steps(&self, kind: &str) -> Vec<&str> {
        self.events
            .iter()
            .filter(|event| event["type"] == kind)
            .filter_map(|event| event["step"].as_str())
            .collect()
    }

    /// An output of a step.
    pub(crate) fn output(&self, step: &str, name: &str) -> &Value {
        let done =
            self.events.iter().find(|event| event["type"] == "step.completed" && event["step"] == step);
        &done.unwrap_or_else(|| panic!("{step} did not complete: {self:?}"))["data"]["outputs"][name]
    }
}

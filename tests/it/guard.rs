//! The guard, as an operator meets it: the console is killed, the guard is killed, steps get away and are ended, records are
//! damaged, strangers knock. What a step did and how it ended is counted outside.

use crate::{
    program::{Place, Running, tell, text, until, until_else},
    runtime::{ann, comes_to_rest, run_of},
};
use cuelight_engine::RunState;
use cuelight_runtime::{Desk, Engine, Entropy, LaunchRequest, Seen, Setup, Source, called_by_schedules};
use cuelight_store::{OwnerError, TrustBook};
use cuelight_tool::{HttpPolicy, SecretStore};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::PathBuf,
    time::Duration,
};

/// Processes that live and have this in their environment or among their words.
pub(crate) fn with(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let holds = |pid: &i32| {
        let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let said = [read("environ"), read("cmdline")].concat();
        said.windows(mark.len()).any(|window| window == mark.as_bytes())
    };
    pids.filter(holds).collect()
}

/// A mark that nobody else uses.
fn mark(place: &Place) -> String {
    let name = place.path().file_name().expect("a name").to_string_lossy().into_owned();
    format!("guarded-{name}")
}

/// `kill -9` of the engine, and of it alone.
fn strike(console: Running) {
    console.signal(Signal::KILL);
    drop(console.end());
}

fn adopted(place: &Place) -> Vec<Value> {
    place.events("r-1").into_iter().filter(|event| event["type"] == "attempt.adopted").collect()
}

/// The evidence for each call whose end is unknown.
fn lost(place: &Place) -> Vec<String> {
    let events = place.events("r-1").into_iter().filter(|event| event["type"] == "attempt.lost");
    events.map(|event| text(&event["data"]["evidence"])).collect()
}

/// 24 steps that go on and 24 that end with their console; each of the first says much, writes one line, and ends as it wants.
fn many(place: &Place) -> String {
    let (mark, mut text) =
        (mark(place), "name: many\nmax-parallel: 48\nenv: {MARK: \"kept\"}\nsteps:\n".to_owned());
    for at in 0..24 {
        text += &format!(
            "  - id: keep{at}\n    on-error: continue\n    env: {{MARK: {mark}-keep}}\n    run: |\n      echo keep >> begun\n      \
             seq 1 2000\n      until [ -e go ]; do sleep 0.05; done\n      seq 2001 4000\n      echo keep{at} >> ledger\n      exit {}\n",
            at % 3
        );
        text += &format!(
            "  - id: kill{at}\n    on-error: continue\n    on-console-death: kill\n    env: {{MARK: {mark}-kill}}\n    run: |\n      \
             echo kill >> begun\n      (trap '' TERM; setsid sleep 600 &)\n      sleep 600\n"
        );
    }
    text
}

fn begun(place: &Place) -> usize {
    place.text("begun").lines().count()
}

#[test]
fn a_killed_console_loses_no_exit_status_and_leaves_nobody_behind() {
    // Ended before the next console, and still running when it comes.
    for is_early in [true, false] {
        let place = Place::new();
        place.write("many.yaml", &many(&place));
        let console = place.start(&["run", "many.yaml", "--headless"]);
        until("all have begun", || begun(&place) == 48);
        let (keep, kill) = (mark(&place) + "-keep", mark(&place) + "-kill");
        until("all of them run", || with(&kill).len() >= 48 && with(&keep).len() >= 24);
        strike(console);
        until("what was to end has ended", || with(&kill).is_empty());
        assert!(with(&keep).len() >= 24, "the others go on");
        if is_early {
            place.write("go", "");
            until("all have ended", || with(&keep).is_empty());
            until("the guard leaves after its last step", || place.guards().is_empty());
        }
        let engine = place.start(&["serve"]);
        until("it has judged all of them", || {
            place.runs().len() == 1
                && adopted(&place).len() == 24
                && place.step("r-1", "kill23")["state"] == "in-doubt"
        });
        place.write("go", "");
        until("all that went on have ended", || {
            let events = place.events("r-1");
            events.iter().filter(|event| event["type"] == "attempt.ended").count() == 24
        });
        let how = if is_early { "recorded" } else { "attached" };
        assert!(adopted(&place).iter().all(|value| value["data"]["how"] == how), "{:?}", adopted(&place));
        let whole: String = (1..=4000).map(|index| format!("{index}\n")).collect();
        for at in 0..24_usize {
            let step = place.step("r-1", &format!("keep{at}"));
            assert_eq!(step["state"], if at % 3 == 0 { "completed" } else { "failed" }, "{step}");
            let ended = place.events("r-1").into_iter().find(|event| {
                event["type"] == "attempt.ended" && event["step"] == format!("keep{at}").as_str()
            });
            let ended = ended.expect("it ended");
            assert_eq!(ended["data"]["outcome"]["exit_code"], json!(at % 3), "{ended}");
            let log = place.cue(&["logs", "r-1", &format!("keep{at}"), "--raw"]).ok().out;
            assert_eq!(log, whole, "its output is whole");
            let doubt = place.step("r-1", &format!("kill{at}"));
            assert_eq!(doubt["state"], "in-doubt", "{doubt}");
        }
        assert_eq!(place.text("ledger").lines().count(), 24, "each happened once");
        let lost = lost(&place);
        assert_eq!(lost.len(), 24);
        assert!(
            lost.iter().all(|text| text.ends_with("it was ended with it (on-console-death: kill)")),
            "{lost:?}"
        );
        let told = place.cue(&["events", "r-1"]).ok().out;
        assert!(told.contains("on-console-death: keep"), "{told}");
        engine.signal(Signal::TERM);
        assert_eq!(engine.end().code, 0);
    }
}

#[test]
fn a_killed_guard_is_noticed_at_once_and_another_one_takes_what_comes() {
    let place = Place::new();
    place.write("many.yaml", &many(&place));
    place.write("next.yaml", "name: next\nsteps:\n  - {id: a, run: echo well}\n");
    let engine = place.start(&["serve"]);
    until("it listens", || place.file(".cuelight/cuelight.sock").exists());
    let follower = place.start(&["run", "many.yaml", "--headless"]);
    until("all have begun", || begun(&place) == 48);
    let first = place.guards();
    assert_eq!(first.len(), 1, "one for all steps");
    place.kill_guards();
    until("nothing of it is left", || with(&mark(&place)).is_empty());
    until("all of them are in doubt", || {
        let show = place.show("r-1");
        let steps = show["steps"].as_array().expect("steps");
        steps.iter().all(|step| step["state"] == "in-doubt")
    });
    let lost = lost(&place);
    assert_eq!(lost.len(), 48);
    assert!(lost.iter().all(|text| text == "its guard died before its end was recorded"), "{lost:?}");
    assert_eq!(place.text("ledger"), "", "nothing is taken for done");
    place.cue(&["run", "next.yaml"]).ok();
    drop(follower);
    let second = place.guards();
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().code, 0);
    until("it leaves with its engine", || place.guards().is_empty());
}

/// Ways in which a step tries to get away. `MARK` stands for a number of seconds that only its own sleepers
/// sleep.
const SHAPES: [(&str, &str); 8] = [
    ("plain", "sleep MARK"),
    ("session", "setsid sleep MARK & sleep MARK"),
    ("double", "(setsid sh -c 'sleep MARK & wait' &) ; sleep MARK"),
    ("deaf", "trap '' TERM; sleep MARK & wait; wait"),
    ("stopped", "sleep MARK & kill -STOP $!; wait"),
    ("unmarked", "env -i setsid sh -c 'sleep 1; exec sleep MARK' & sleep MARK"),
    // Nothing that is left when it is ended says whose it is: it was seen before.
    ("orphan", "(env -i setsid sleep MARK & sleep 2) & sleep MARK"),
    // A group of its own within the session of its step, and no parent: its step is one that leads a session.
    ("jobs", "set -m; (env -i sleep MARK &); sleep MARK"),
];

#[test]
fn all_that_a_step_has_started_goes_when_it_is_ended_and_its_neighbour_stays() {
    let place = Place::new();
    let number = |at: usize| format!("{}", 700_000_000 + std::process::id() as usize * 10 + at);
    let mut text = "name: shapes\nmax-parallel: 20\nsteps:\n".to_owned();
    for (at, (name, script)) in SHAPES.iter().enumerate() {
        let script = script.replace("MARK", &number(at));
        let death = if *name == "jobs" { "kill" } else { "keep" };
        text += &format!(
            "  - id: {name}\n    on-error: continue\n    timeout: 4s\n    on-console-death: {death}\n    run: |\n      {script}\n"
        );
    }
    text += &format!(
        "  - {{id: neighbour, run: 'setsid sleep {} & until [ -e go ]; do sleep 0.05; done'}}\n",
        number(9)
    );
    place.write("shapes.yaml", &text);
    let console = place.start(&["run", "shapes.yaml", "--headless"]);
    let left = |at: usize| with(&number(at)).len();
    until("all of them run", || (0..SHAPES.len()).all(|at| left(at) > 0) && left(9) > 0);
    until("all of them were ended", || {
        SHAPES.iter().all(|shape| place.step("r-1", shape.0)["state"] == "failed")
    });
    for (at, (name, _)) in SHAPES.iter().enumerate() {
        assert_eq!(left(at), 0, "nothing of {name} is left");
        assert_eq!(place.step("r-1", name)["error"]["mode"], "system_timeout");
    }
    assert!(left(9) > 0, "its neighbour is untouched");
    place.write("go", "");
    assert_eq!(console.end().code, 5, "it is complete but for those");
    with(&number(9)).into_iter().filter_map(Pid::from_raw).for_each(|value| tell(value, Signal::KILL));
}

/// A step that has begun, and goes on until `go` is there.
const ONE: &str = "name: one\nsteps:\n  - id: work\n    run: |\n      echo begun >> begun\n      until [ -e go ]; do sleep 0.02; done\n      echo done >> ledger\n";

fn one(place: &Place) -> Running {
    place.write("one.yaml", ONE);
    let console = place.start(&["run", "one.yaml", "--headless"]);
    until("the step has begun", || begun(place) == 1);
    console
}

#[test]
fn a_step_that_ends_with_its_console_ends_even_when_nobody_is_left_to_end_it_and_is_not_begun_again() {
    let place = Place::new();
    let number = format!("{}", 800_000_000 + std::process::id());
    place.write(
        "w.yaml",
        &format!("name: w\nsteps:\n  - {{id: work, on-console-death: kill, run: [sleep, '{number}']}}\n"),
    );
    let console = place.start(&["run", "w.yaml", "--headless"]);
    // Not what it is between fork and exec: that has the same words.
    let runs =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|text| text == "sleep\n");
    until("it runs", || with(&number).iter().any(runs));
    // A guard that hears nothing does nothing when its engine dies.
    tell(place.guards()[0], Signal::STOP);
    strike(console);
    assert!(with(&number).iter().any(runs), "nobody has ended it");
    place.kill_guards();
    until("the kernel has ended it", || with(&number).is_empty());
    let engine = place.start(&["serve"]);
    until_else(
        "it is in doubt",
        || place.runs().len() == 1 && place.step("r-1", "work")["state"] == "in-doubt",
        || place.show("r-1").to_string(),
    );
    assert!(with(&number).is_empty(), "it was not begun again");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().code, 0);
}

/// The one file in the directory of guards that ends so.
pub(crate) fn file(place: &Place, ending: &str) -> PathBuf {
    let entries = fs::read_dir(place.file(".cuelight/guard")).expect("a directory").flatten();
    let found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn a_record_that_was_cut_or_changed_is_not_believed() {
    let flip = |bytes: &mut Vec<u8>| {
        // Within the last record, another number: all can be read as well as before.
        let at = bytes.iter().rposition(u8::is_ascii_digit).expect("how long it ran");
        bytes[at] ^= 1;
    };
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
    let empty = |bytes: &mut Vec<u8>| bytes.clear();
    let damages: [(&str, &dyn Fn(&mut Vec<u8>)); 3] =
        [("changed", &flip), ("cut", &cut), ("emptied", &empty)];
    for (what, damage) in damages {
        let place = Place::new();
        strike(one(&place));
        place.write("go", "");
        until("the guard has recorded its end and left", || place.guards().is_empty());
        let log = file(&place, "log");
        let mut bytes = fs::read(&log).expect("records");
        damage(&mut bytes);
        fs::write(&log, bytes).expect("written");
        let engine = place.start(&["serve"]);
        until_else(
            &format!("it is in doubt ({what})"),
            || place.runs().len() == 1 && place.step("r-1", "work")["state"] == "in-doubt",
            || place.show("r-1").to_string(),
        );
        assert_eq!(place.text("ledger"), "done\n", "and was not done again");
        engine.signal(Signal::TERM);
        assert_eq!(engine.end().code, 0);
    }
}

#[test]
fn what_certainly_never_began_is_begun_by_the_next_engine_and_nobody_is_asked() {
    let text = "name: two\nsteps:\n  - {id: a, run: echo a}\n  - {id: ok, needs: a, gate: {prompt: 'Go on?'}}\n  - {id: b, needs: ok, run: 'echo b >> ledger'}\n";
    // A list of guards that is not there makes it unknown, and asks.
    for is_known in [true, false] {
        let place = Place::new();
        place.write("two.yaml", text);
        let mut console = place.start(&["run", "two.yaml", "--headless"]);
        console.until("gate.asked");
        // A guard that does not hear what it is asked begins nothing.
        let guard = place.guards()[0];
        tell(guard, Signal::STOP);
        place.cue(&["approve", "g-1"]).ok();
        until("b is to be called", || {
            let events = place.events("r-1");
            events.iter().any(|event| event["type"] == "attempt.started" && event["step"] == "b")
        });
        strike(console);
        place.kill_guards();
        assert_eq!(place.text("ledger"), "");
        if !is_known {
            fs::remove_file(place.file(".cuelight/guard/owner")).expect("it was there");
        }
        let engine = place.start(&["serve"]);
        if is_known {
            until("b was done", || place.state("r-1") == "completed");
            assert_eq!(place.text("ledger"), "b\n", "once");
        } else {
            until("b is in doubt", || place.step("r-1", "b")["state"] == "in-doubt");
        }
        engine.signal(Signal::TERM);
        assert_eq!(engine.end().code, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_hands_over_leaves_its_programs_to_the_next_one() {
    let place = Place::new();
    let engine = engine_under_guard(&place).await;
    let source = Source::Text { name: "one.yaml".to_owned(), text: ONE.to_owned() };
    let launch = || LaunchRequest::of(Entropy.request_id(), source.clone());
    let run = run_of(&engine.desk(), launch()).await;
    until("the step has begun", || begun(&place) == 1);
    engine.hand_over().await;
    let engine = engine_under_guard(&place).await;
    place.write("go", "");
    let board = comes_to_rest(&engine.desk(), run).await;
    assert_eq!(board.summary(run).map(|summary| summary.state), Some(RunState::Completed));
    assert_eq!((place.text("ledger"), adopted(&place).len()), ("done\n".to_owned(), 1));
    // One that closes in order ends what it runs, and nobody takes that for an end of its own.
    fs::remove_file(place.file("go")).expect("it was there");
    let run = run_of(&engine.desk(), launch()).await;
    until("the step has begun", || begun(&place) == 2);
    engine.close().await;
    until("its guard leaves with it", || place.guards().is_empty());
    let engine = engine_under_guard(&place).await;
    let in_doubt = |seen: &Seen| seen.board.doubts().next().is_some();
    let mut boards = engine.desk().boards();
    let seen = boards.wait_for(in_doubt).await.expect("the engine lives").clone();
    let doubt = seen.board.doubts().next().expect("one");
    assert_eq!(
        (doubt.run, doubt.evidence.as_str()),
        (run, "its engine was closed while it ran, and it was ended")
    );
    engine.close().await;
}

async fn engine_under_guard(place: &Place) -> Engine {
    let setup = || Setup {
        trees: None,
        workspace: crate::run_and_answer::trusted_by(
            &TrustBook::new(place.file(".local/state/cuelight/trust"), called_by_schedules),
            place.path(),
        ),
        actor: ann(),
        environment: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
        secrets: SecretStore::new(BTreeMap::new(), place.path()),
        program: None,
        http: HttpPolicy::default(),
        traced: false,
        guard: Some(env!("CARGO_BIN_EXE_cuelight").into()),
    };
    loop {
        match Engine::start(setup()).await {
            Ok(engine) => return engine,
            // Between its fork and its exec, a child of another test holds the lock that was given up here.
            Err(OwnerError::Held { .. }) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

/// A start in two moves has the same result as a start in one.
#[test]
fn a_step_that_ends_with_its_console_is_started_as_all_others_are() {
    let place = Place::new();
    let script = |name: &str, text: &str| {
        place.write(name, text);
        fs::set_permissions(place.file(name), fs::Permissions::from_mode(0o755)).expect("executable");
    };
    script("good.sh", "#!/bin/sh\necho \"$0 $*\" >> told\nexit 7\n");
    script("bad.sh", "#!/no/such/reader\n");
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  \
         - {id: words, on-error: continue, on-console-death: kill, run: [./good.sh, 'a b', c]}\n  \
         - {id: bad, on-error: continue, on-console-death: kill, run: [./bad.sh]}\n  \
         - id: shell\n    on-console-death: kill\n    outputs: {own: string}\n    run: |\n      \
           cat\n      cut -d' ' -f6 /proc/$$/stat > session; echo $$ > pid\n      \
           echo own=$CUELIGHT_STEP >> \"$CUELIGHT_OUTPUT\"\n  \
         - {id: tool, on-console-death: kill, uses: json.query@1, with: {data: {n: 42}, query: .n}}\n  \
         - {id: ok, gate: {prompt: Go on?}}\n  \
         - {id: approved, needs: ok, on-error: continue, on-console-death: kill, run: [./good.sh, approved]}\n",
    );
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(console.end().code, 5);
    let told = place.text("told");
    assert!(told.contains("./good.sh a b c\n"), "{told}");
    assert!(told.contains(" approved\n") && told.contains("/proc/"), "the sealed copy is what ran: {told}");
    assert_eq!(place.text("session"), place.text("pid"), "it leads a session of its own");
    let exit = |step: &str| {
        let mut events = place.events("r-1").into_iter();
        let ended = events.find(|event| event["type"] == "attempt.ended" && event["step"] == step);
        ended.expect("it ended")["data"]["outcome"].clone()
    };
    assert_eq!(exit("words")["exit_code"], 7);
    assert_eq!(exit("approved")["exit_code"], 7);
    let why = text(&exit("bad")["failure"]["message"]);
    assert!(why.contains("the interpreter in its first line is missing"), "{why}");
    assert_eq!(place.step("r-1", "tool")["outputs"]["value"], 42);
    assert_eq!(place.step("r-1", "shell")["state"], "completed");
}

#[test]
fn a_guard_whose_workspace_was_removed_leaves_after_its_last_step() {
    let place = Place::new();
    strike(one(&place));
    let guard = place.guards()[0].as_raw_nonzero();
    let words = || fs::read(format!("/proc/{guard}/cmdline")).unwrap_or_default();
    assert!(!words().is_empty());
    fs::remove_dir_all(place.file(".cuelight")).expect("removed");
    place.write("go", "");
    until("the guard has left", || words().is_empty());
    assert_eq!(place.text("ledger"), "done\n", "its step has gone on to its end");
}

/// A message as a frame of the lifeline.
pub(crate) fn frame(value: &Value) -> Vec<u8> {
    let body = value.to_string();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [b"j", &length[..], body.as_bytes()].concat()
}

pub(crate) fn hello(protocol: u32, program: &str, epoch: u64) -> Value {
    json!({"hello": {"protocol": protocol, "program": program, "epoch": epoch, "environment": []}})
}

/// Connects, says this, and reads what comes until the line is closed or says something.
fn knock(place: &Place, said: &[u8]) -> Vec<u8> {
    let mut line = UnixStream::connect(file(place, "sock")).expect("it listens");
    line.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    // It may have closed the line before it has read all of it.
    drop(line.write_all(said));
    let mut heard = vec![0; 4096];
    let length = line.read(&mut heard).unwrap_or(0);
    heard.truncate(length);
    heard
}

#[test]
fn strangers_older_owners_and_other_versions_get_nothing() {
    let place = Place::new();
    let console = one(&place);
    let version = env!("CARGO_PKG_VERSION");
    let mode = |path: PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(place.file(".cuelight/guard")), 0o700);
    assert_eq!((mode(file(&place, "sock")), mode(file(&place, "log"))), (0o600, 0o600));
    assert_eq!(mode(place.file(".cuelight/guard/owner")), 0o600);
    let launch = json!({"launch": {"call": {}, "launch": {}, "secrets": {}, "executes": null}});
    let long = [b"j".as_slice(), &u32::MAX.to_be_bytes(), b"x"].concat();
    let deep = {
        let body = "[".repeat(100_000);
        [b"j".as_slice(), &100_000_u32.to_be_bytes(), body.as_bytes()].concat()
    };
    let refused: [(&str, Vec<u8>); 9] = [
        ("the same epoch", frame(&hello(3, version, 1))),
        ("another version", frame(&hello(3, "0.0.1", 99))),
        ("another protocol", frame(&hello(7, version, 99))),
        ("no hello", frame(&json!({"forget": {"attempt": "r-1.0.1"}}))),
        ("no message", frame(&launch)),
        ("no JSON", [b"j".as_slice(), &5_u32.to_be_bytes(), b"\xff\xfe{{{"].concat()),
        ("too long", long),
        ("too deep", deep),
        ("no frame", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in refused {
        let heard = String::from_utf8_lossy(&knock(&place, &bytes)).into_owned();
        assert!(!heard.contains("welcome"), "{what}: {heard}");
        let says_why = matches!(what, "the same epoch" | "another version" | "another protocol");
        assert_eq!(heard.contains("wrong"), says_why, "{what}: {heard}");
    }
    // A line that says nothing is not in anybody's way.
    let _silent = UnixStream::connect(file(&place, "sock")).expect("it listens");
    place.write("go", "");
    assert_eq!(console.end().code, 0);
    assert_eq!(place.text("ledger"), "done\n");
}

#[test]
fn a_later_owner_takes_the_line_and_the_earlier_one_can_start_nothing_more() {
    let place = Place::new();
    let console = one(&place);
    let mut line = UnixStream::connect(file(&place, "sock")).expect("it listens");
    line.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    line.write_all(&frame(&hello(3, env!("CARGO_PKG_VERSION"), 99))).expect("sent");
    let mut heard = vec![0; 4096];
    let length = line.read(&mut heard).expect("an answer");
    let heard = String::from_utf8_lossy(&heard[..length]).into_owned();
    assert!(heard.contains("welcome") && heard.contains("r-1.0.1"), "it gets what runs: {heard}");
    until("the earlier one knows nothing of it any more", || {
        place.step("r-1", "work")["state"] == "in-doubt"
    });
    place.write("go", "");
    let mut told = Vec::new();
    until("the later one hears its end", || {
        let mut bytes = vec![0; 4096];
        let length = line.read(&mut bytes).expect("it goes on");
        told.extend_from_slice(&bytes[..length]);
        String::from_utf8_lossy(&told).contains("\"ended\"")
    });
    console.signal(Signal::KILL);
    drop(console.end());
}

#[test]
fn a_secret_is_masked_by_the_guard_and_lies_in_no_file() {
    let value = "s3cr3t-of-the-guard-0815";
    let place = Place::new().with("TOKEN", value);
    place.write(
        "w.yaml",
        "name: w\nsecrets: [TOKEN]\nsteps:\n  - id: work\n    env: {T: \"${{ secrets.TOKEN }}\"}\n    run: |\n      echo begun >> begun\n      until [ -e go ]; do sleep 0.02; done\n      echo \"it is $T\"\n      echo \"said=$T\" >> \"$CUELIGHT_OUTPUT\"\n",
    );
    let console = place.start(&["run", "w.yaml", "--headless"]);
    until("the step has begun", || begun(&place) == 1);
    strike(console);
    place.write("go", "");
    until("its end is recorded", || place.guards().is_empty());
    let engine = place.start(&["serve"]);
    until("it is adopted", || place.state("r-1") == "completed");
    assert_eq!(place.cue(&["logs", "r-1", "--raw"]).ok().out, "it is ***\n");
    assert_eq!(place.step("r-1", "work")["outputs"]["said"], "***");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().code, 0);
    let mut open = vec![place.file(".cuelight")];
    while let Some(at) = open.pop() {
        if at.is_dir() {
            open.extend(fs::read_dir(&at).expect("readable").flatten().map(|entry| entry.path()));
        } else {
            let bytes = fs::read(&at).unwrap_or_default();
            assert!(!bytes.windows(value.len()).any(|window| window == value.as_bytes()), "{}", at.display());
        }
    }
}

#[test]
fn a_guard_that_is_stopped_is_told_of_with_what_to_do_and_nothing_is_lost_when_it_goes_on() {
    let place = Place::new();
    let console = one(&place);
    let guard = place.guards()[0];
    tell(guard, Signal::STOP);
    let said = || place.cue(&["health"]).out;
    let advice = format!("`kill -CONT {}` lets it go on", guard.as_raw_nonzero());
    until_else("it is told of", || said().contains(&advice), said);
    // Its step goes on, and ends, unheard.
    place.write("go", "");
    until("its step has ended", || place.text("ledger") == "done\n");
    assert_eq!(place.state("r-1"), "running", "nothing is made up of a guard that says nothing");
    tell(guard, Signal::CONT);
    until("all is heard", || place.state("r-1") == "completed");
    assert_eq!(console.end().code, 0);
}

#[test]
fn a_run_that_is_cancelled_after_its_console_died_ends_what_went_on() {
    let place = Place::new();
    strike(one(&place));
    let engine = place.start(&["serve"]);
    until("it is attached again", || place.runs().len() == 1 && adopted(&place).len() == 1);
    let said = place.cue(&["doctor"]);
    assert!(said.out.contains("with 1 program"), "{said:?}");
    place.cue(&["cancel", "r-1", "--reason", "enough"]).ok();
    until("it is cancelled", || place.state("r-1") == "cancelled");
    assert_eq!(place.text("ledger"), "");
    engine.signal(Signal::TERM);
    assert_eq!(engine.end().code, 0);
}

//! `kill -9` at any moment, and an outside ledger that counts what really happened: nothing that was told is lost, nothing
//! of class `once` happens twice unasked, every effect has its record. `CUELIGHT_KILLS=1000` for the long version.

use crate::{
    ledger::{Drill, ONCE},
    program::{Place, pause, until},
};
use rustix::process::Signal;
use std::{thread, time::Duration};

/// The next number of a chain that is the same every time.
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Default number of kills, and of workspaces at one time: most of the time is waiting.
const KILLS: usize = 200;
const HANDS: usize = 4;

#[test]
fn killed_at_any_moment_nothing_told_is_lost_and_nothing_happens_twice_unasked() {
    let kills = std::env::var("CUELIGHT_KILLS").ok().and_then(|value| value.parse().ok()).unwrap_or(KILLS);
    let hand = |number: usize| {
        let (mut drill, mut seed) = (Drill::new(), 7 + number as u64);
        for _ in (number..kills).step_by(HANDS) {
            strike(&mut drill, &mut seed);
        }
        drill.come_to_rest();
        let (runs, ledger) = (drill.check(), drill.ledger());
        let is_once = |line: &&str| line.split(' ').nth(1).is_some_and(|word| ONCE.contains(&word));
        [
            runs,
            drill.told.len(),
            ledger.lines().count(),
            ledger.lines().filter(is_once).count(),
            drill.answers,
        ]
    };
    let hands = thread::scope(|scope| {
        let all: Vec<_> = (0..HANDS).map(|number| scope.spawn(move || hand(number))).collect();
        all.into_iter().map(|value| value.join().expect("it held")).collect::<Vec<_>>()
    });
    let sum = |at: usize| hands.iter().map(|hand| hand[at]).sum::<usize>();
    println!(
        "{kills} kills, {} runs; {} events told, all there; {} effects, each with its record, {} of class once, each \
         once; {} doubts answered",
        sum(0),
        sum(1),
        sum(2),
        sum(3),
        sum(4)
    );
}

/// One engine, started in one of the ways there are, and killed at some moment.
fn strike(drill: &mut Drill, seed: &mut u64) {
    match next(seed) % 4 {
        // A console that has just told something.
        0 | 1 => {
            let mut console = drill.run_under(&[]);
            let lines = next(seed) % 30;
            for _ in 0..lines {
                if console.line().is_none() {
                    break;
                }
            }
            wait_a_little(seed);
            console.signal(Signal::KILL);
            let said = drill.listen_to_the_end(console);
            assert!([0, 137].contains(&said.code), "{said:?}");
        }
        // An engine that has taken up what was left.
        2 => {
            let engine = drill.place.start(&["serve", "--until-idle"]);
            wait_a_little(seed);
            engine.signal(Signal::KILL);
            drop(engine.end());
        }
        // An engine in the background, while doubts are answered.
        _ => {
            drill.answer_doubts();
            wait_a_little(seed);
            drill.place.kill_owner();
        }
    }
    // An engine in the background may have been faster than the console; it is struck as well.
    drill.place.kill_owner();
}

fn wait_a_little(seed: &mut u64) {
    pause(Duration::from_micros(next(seed) % 40_000));
}

const GATED: &str = r#"name: gated
inputs: {ledger: {type: string, required: true}}
env: {LEDGER: "${{ inputs.ledger }}"}
on-failure: compensate
steps:
  - {id: lock, run: 'echo "lock $CUELIGHT_KEY" >> "$LEDGER"', undo: 'echo "unlock $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.1'}
  - {id: copy, needs: lock, run: 'echo "copy $CUELIGHT_KEY" >> "$LEDGER"', undo: 'echo "remove $CUELIGHT_KEY" >> "$LEDGER"; sleep 0.1'}
  - {id: ok, needs: copy, gate: {prompt: "Go on?", undo-window: 1s}}
  - {id: ship, needs: ok, run: 'exit 7'}
"#;

#[test]
fn killed_while_a_gate_is_open_and_armed_and_during_undo_it_goes_on_where_it_was() {
    let place = Place::new();
    place.write("gated.yaml", GATED);
    let ledger = format!("ledger={}", place.file("ledger").display());
    let mut console = place.start(&["run", "gated.yaml", "--headless", "-i", &ledger]);
    console.until("gate.asked");
    let before = place.gates();
    console.signal(Signal::KILL);
    drop(console.end());

    // Open: another engine finds the same ask.
    let engine = place.start(&["serve"]);
    until("the next engine listens", || place.owner().is_some() && place.cue(&["pause", "r-1"]).code == 0);
    let after = place.gates();
    assert_eq!((&before[0]["ask_hash"], &before[0]["epoch"]), (&after[0]["ask_hash"], &after[0]["epoch"]));
    place.cue(&["resume", "r-1"]).ok();
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(place.gates()[0]["state"], "armed");
    engine.signal(Signal::KILL);
    drop(engine.end());

    // Armed: the vote stands, and the rest of its time runs off.
    let engine = place.start(&["serve"]);
    until("something is being undone", || place.text("ledger").contains("remove"));
    engine.signal(Signal::KILL);
    drop(engine.end());

    // In the middle of the undo.
    let engine = place.start(&["serve", "--until-idle"]);
    assert_eq!(engine.end().code, 0);
    assert_eq!(place.state("r-1"), "undone", "{}", place.show("r-1"));
    let ledger = place.text("ledger");
    let lines =
        |word: &str| ledger.lines().filter(|line| line.split(' ').next() == Some(word)).collect::<Vec<_>>();
    assert_eq!((lines("lock").len(), lines("copy").len()), (1, 1));
    for undone in ["remove", "unlock"] {
        let lines = lines(undone);
        assert!(
            !lines.is_empty() && lines.iter().all(|line| *line == lines[0]),
            "{undone} keeps its key: {lines:?}"
        );
    }
    let first_unlock = ledger.find("unlock").expect("it is there");
    assert!(!ledger[first_unlock..].contains("remove"), "last step first: {ledger}");
    let votes = place.events("r-1").iter().filter(|event| event["type"] == "gate.voted").count();
    assert_eq!(votes, 1);
}

/// A step that tells when it has begun, and takes long.
const LONG: &str = "name: long\nsteps:\n  - id: work\n    run: echo begun >> began; sleep 60\n";

#[test]
fn told_to_end_it_leaves_in_order_and_the_next_engine_asks_about_what_was_cut_off() {
    for signal in [Signal::TERM, Signal::QUIT] {
        let place = Place::new();
        place.write("long.yaml", LONG);
        let console = place.start(&["run", "long.yaml", "--headless"]);
        until("the step has begun", || !place.text("began").is_empty());
        console.signal(signal);
        let said = console.end();
        assert_eq!(said.code, 6, "{said:?}");
        assert!(said.err.contains("r-1 goes on when an engine next opens this workspace"), "{said:?}");
        assert!(!place.file(".cuelight/cuelight.sock").exists(), "its socket is gone");
        assert_eq!(place.state("r-1"), "running", "nothing was made up about it");
        let said = place.cue(&["doubt", "r-1", "work", "abort", "--reason", "cut off"]).ok();
        assert!(said.out.contains("no longer in doubt"), "{said:?}");
        until("it has failed", || place.state("r-1") == "failed");
    }
}

#[test]
fn what_nobody_knows_the_end_of_is_listed_with_what_each_answer_does() {
    let place = Place::new();
    place.write("long.yaml", LONG);
    let console = place.start(&["run", "long.yaml", "--headless"]);
    until("the step has begun", || !place.text("began").is_empty());
    console.signal(Signal::KILL);
    drop(console.end());
    place.kill_guards();
    let engine = place.start(&["serve", "--until-idle"]);
    until("it is in doubt", || place.cue(&["gates"]).ok().out.contains("is in doubt"));
    let said = place.cue(&["gates"]).ok();
    let told = "r-1 work is in doubt. once: it may have happened; another call could make it happen twice.";
    assert!(said.out.contains(told), "{said:?}");
    assert!(said.out.contains("  abort        it counts as failed"), "{said:?}");
    let said = place.cue(&["gates", "--json"]).ok();
    assert!(said.out.contains("\"effect\": \"once\""), "{said:?}");
    drop(place.cue(&["doubt", "r-1", "work", "abort", "--reason", "cut off"]).ok());
    assert_eq!(engine.end().code, 0);
    assert_eq!(place.state("r-1"), "failed");
}

#[test]
fn an_interrupt_cancels_the_run() {
    let place = Place::new();
    place.write("long.yaml", LONG);
    let console = place.start(&["run", "long.yaml", "--headless"]);
    until("the step has begun", || !place.text("began").is_empty());
    console.signal(Signal::INT);
    let said = console.end();
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.err.contains("cancelling r-1"), "{said:?}");
}

#[test]
fn when_the_terminal_goes_the_run_goes_on() {
    let place = Place::new();
    let text = LONG.replace("sleep 60", "until [ -e go ]; do sleep 0.01; done");
    place.write("long.yaml", &text);
    let console = place.start(&["run", "long.yaml", "--headless"]);
    until("the step has begun", || !place.text("began").is_empty());
    console.signal(Signal::HUP);
    place.write("go", "");
    let said = console.end();
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn what_a_dead_guard_left_running_is_ended_before_it_is_done_again() {
    let place = Place::new();
    let text = "name: again\nsteps:\n  - id: work\n    effect: idempotent\n    run: echo $$ >> pids; until [ -e go ]; do sleep 0.01; done\n";
    place.write("again.yaml", text);
    let console = place.start(&["run", "again.yaml", "--headless"]);
    until("the step has begun", || place.text("pids").lines().count() == 1);
    console.signal(Signal::KILL);
    drop(console.end());
    place.kill_guards();
    let orphan = place.text("pids").trim().to_owned();
    let environment = format!("/proc/{orphan}/environ");
    assert!(!std::fs::read(&environment).unwrap_or_default().is_empty(), "it lives on by itself");
    let engine = place.start(&["serve", "--until-idle"]);
    until("the step has begun again", || place.text("pids").lines().count() == 2);
    assert!(std::fs::read(&environment).unwrap_or_default().is_empty(), "the one before is gone");
    place.write("go", "");
    assert_eq!(engine.end().code, 0);
    assert_eq!(place.state("r-1"), "completed");
}

#[test]
fn an_operator_repeats_the_kills_on_a_disk_of_their_own() {
    let place = Place::new();
    let said = place.cue(&["drill", "--kills", "2", "--json"]).ok();
    let proof = said.json();
    assert_eq!(
        (&proof["holds"], &proof["broken"], &proof["runs"]),
        (&true.into(), &serde_json::json!([]), &2.into())
    );
    assert!(proof["effects"].as_u64() >= Some(14) && proof["effects_once"] == 8, "{proof}");
    assert!(said.err.contains("kill -9 of the console"), "{said:?}");
    let left = std::fs::read_dir(place.file(".cuelight")).expect("the workspace");
    let names = left.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with("drill")).count(), 0, "it tidies up");
}

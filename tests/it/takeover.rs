//! An engine hangs: another takes its place, and the one that hung writes nothing when it wakes up.

use crate::program::{Place, Running, Said, tell, text, until};
use rustix::process::{Pid, Signal};

const WORKFLOW: &str = "name: long\nsteps:\n  - {id: once, effect: once, run: 'echo happened >> ledger; until [ -e go ]; do sleep 0.01; done'}\n  - {id: ok, needs: once, gate: {prompt: Go on?, undo-window: 0s}}\n";

/// An engine that hangs, its number, and who follows a run there.
fn hung(place: &Place) -> (Running, Pid, Running) {
    place.write("long.yaml", WORKFLOW);
    let engine = place.start(&["serve"]);
    until("it serves", || place.owner().is_some());
    let follows = place.start(&["run", "long.yaml", "--headless"]);
    until("the step runs", || place.file("ledger").exists());
    let pid = engine.pid();
    tell(pid, Signal::STOP);
    (engine, pid, follows)
}

fn take_over(place: &Place) -> Said {
    place.cue(&["take-over", "--reason", "it was suspended"])
}

#[test]
fn an_engine_that_hung_and_wakes_up_writes_nothing_and_leaves() {
    let place = Place::new();
    let (engine, pid, follows) = hung(&place);
    let said = take_over(&place).ok();
    assert!(said.err.contains(&format!("from process {}", pid.as_raw_nonzero())), "{said:?}");
    // What it had begun goes on under its guard, and nothing is begun twice.
    place.write("go", "");
    until("its step is done", || place.step("r-1", "once")["state"] == "completed");
    assert_eq!(place.text("ledger").lines().count(), 1);
    let before = place.cue(&["events", "r-1", "--json"]).ok().out;
    let heads = place.text(".cuelight/checkpoints");

    tell(pid, Signal::CONT);
    let left = engine.end();
    assert_eq!(left.code, 6, "{left:?}");
    assert!(left.err.contains("another cuelight has taken over this workspace"), "{left:?}");
    assert_eq!(place.cue(&["events", "r-1", "--json"]).ok().out, before, "it has written nothing");
    let since = place.text(".cuelight/checkpoints");
    let sizes: Vec<u64> = since.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(since.starts_with(&heads) && sizes.is_sorted(), "nor signed: {since}");
    assert_ne!(place.owner(), Some(pid));
    // Its end takes nothing away from the other one.
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(follows.end().code, 0, "who followed the run has found the other engine");
    place.cue(&["audit", "verify"]).ok();
    let audit = place.cue(&["audit", "--json"]).ok().out;
    assert!(audit.contains("engine.taken_over") && audit.contains("it was suspended"), "{audit}");
}

#[test]
fn nothing_is_taken_from_an_engine_that_answers_unless_that_is_said() {
    let place = Place::new();
    let none = place.cue(&["take-over", "--reason", "why"]);
    assert!(none.code != 0 && none.err.contains("could not find a workspace"), "{none:?}");
    place.write("long.yaml", "steps: [{id: a, gate: {prompt: Go?}}]\n");
    let engine = place.start(&["serve"]);
    until("it serves", || place.owner().is_some());
    let mut follows = place.start(&["run", "long.yaml", "--headless"]);
    follows.until("gate.asked");
    // Whoever follows would start an engine in place of each that ends, also of the one that is shut down below.
    follows.signal(Signal::TERM);
    let left = follows.end();
    assert!(left.err.contains("leaving; r-1 goes on"), "{left:?}");
    for (args, part) in [
        (&["take-over", "--reason", "I want it"][..], "answers; `cuelight attach` takes a seat there"),
        (&["take-over", "--reason", " "], "say why"),
    ] {
        let said = place.cue(args);
        assert!(said.code != 0 && said.err.contains(part), "{said:?}");
    }
    assert_eq!(place.owner(), Some(engine.pid()));
    place.cue(&["take-over", "--force", "--reason", "its console is in another building"]).ok();
    let left = engine.end();
    assert!(left.code == 6 && left.err.contains("taken over this workspace"), "{left:?}");
    assert_eq!(text(&place.show("r-1")["state"]), "running");
    place.cue(&["shutdown"]).ok();
    until("it has gone", || place.owner().is_none());
    let nobody = place.cue(&["take-over", "--reason", "why"]);
    assert!(nobody.code != 0 && nobody.err.contains("nobody has it"), "{nobody:?}");
}

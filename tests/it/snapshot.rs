//! `consent: snapshot`: what was captured at the ask is what runs, also when the engine is killed between ask, launch and end.

use crate::program::{Place, until};
use rustix::process::Signal;

/// A script that tells its word, then waits until it may end.
const SCRIPT: &str = "echo good >> \"$CUELIGHT_WORKSPACE/ran\"\nwhile [ -e \"$CUELIGHT_WORKSPACE/wait\" ]; do sleep 0.05; done\n";

const SHIP: &str = "name: ship
steps:
  - {id: ok, gate: {prompt: Ship?, undo-window: 0s, consent: snapshot}}
  - {id: ship, needs: ok, run: '. ./$(echo ship).sh; cp word kept; echo out > made', artifacts: [made, kept]}
  - {id: after, needs: ship, run: 'test ! -e made; cat word >> \"$CUELIGHT_WORKSPACE/ran\"'}
";

fn workspace() -> Place {
    let place = Place::new();
    place.write("ship.yaml", SHIP);
    place.write("ship.sh", SCRIPT);
    place.write("word", "good\n");
    place
}

fn spoil(place: &Place) {
    place.write("ship.sh", "echo evil >> \"$CUELIGHT_WORKSPACE/ran\"\n");
    place.write("word", "evil\n");
}

/// Copies that lie there to be run in.
fn copies(place: &Place) -> usize {
    let mut open = vec![place.file(".cuelight/trees"), place.file(".local/state/cuelight/trees")];
    let mut found = 0;
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let is_copy = entry.path().join("ship.yaml").exists();
            found += usize::from(is_copy);
            if !is_copy && entry.path().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn a_snapshot_survives_a_kill_before_its_steps_start_and_while_they_run() {
    let place = workspace();
    place.write("wait", "");
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    console.signal(Signal::KILL);
    drop(console.end());
    spoil(&place);

    // Between ask and launch.
    let engine = place.start(&["serve"]);
    until("the next engine listens", || place.cue(&["approve", "g-1"]).code == 0);
    until("the step has begun", || place.file("ran").exists());
    assert_eq!(copies(&place), 1, "one copy for the one step that runs");

    // Between launch and end.
    engine.signal(Signal::KILL);
    drop(engine.end());
    let engine = place.start(&["serve", "--until-idle"]);
    until("the next engine listens", || place.owner().is_some());
    std::fs::remove_file(place.file("wait")).expect("it was there");
    assert_eq!(engine.end().code, 0);
    assert_eq!(place.state("r-1"), "completed", "{}", place.show("r-1"));
    assert_eq!(place.text("ran"), "good\ngood\n");
    let asked = place.events("r-1").iter().filter(|event| event["type"] == "gate.asked").count();
    assert_eq!(asked, 1, "what changed in the workspace asks nobody again");
    let is_end = |event: &&serde_json::Value| event["type"] == "attempt.ended" && event["step"] == "ship";
    let ended = place.events("r-1").iter().find(is_end).expect("it ended").to_string();
    assert!(ended.contains("made") && ended.contains("kept"), "artifacts come from the copy: {ended}");
    assert!(!place.file("made").exists(), "what a step writes stays in its copy");
    assert_eq!(copies(&place), 0);
    until("nothing is kept of a run that has ended", || !place.file(".cuelight/snapshots/r-1").exists());
}

#[test]
fn captured_files_that_were_changed_are_captured_and_asked_anew() {
    let place = workspace();
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    let dir = place.file(".cuelight/snapshots/r-1");
    let tree = std::fs::read_dir(dir).expect("captured").next().expect("one").expect("read").path();
    for entry in std::fs::read_dir(&tree).expect("captured").flatten() {
        if entry.file_name() != "manifest" {
            std::fs::write(entry.path(), "echo evil >> \"$CUELIGHT_WORKSPACE/ran\"\n").expect("written");
        }
    }
    place.cue(&["approve", "g-1"]).ok();
    until("it asks anew", || place.gates().first().is_some_and(|gate| gate["epoch"] == 2));
    assert!(!place.file("ran").exists());
    place.cue(&["approve", "g-1"]).ok();
    until("it has run", || place.state("r-1") == "completed");
    assert_eq!(place.text("ran"), "good\ngood\n");
    drop(console.end());
}

#[test]
fn a_step_that_removes_its_copy_leaves_no_file_of_the_workspace_as_its_own() {
    for then in ["", "; ln -s \"$CUELIGHT_WORKSPACE\" \"$OLD\""] {
        let place = workspace();
        let script = format!("OLD=\"$PWD\"; rm -rf \"$OLD\"{then}");
        place.write(
            "ship.yaml",
            &format!(
                "name: ship
steps:
  - {{id: ok, gate: {{prompt: Ship?, undo-window: 0s, consent: snapshot}}}}
  - {{id: ship, needs: ok, run: '{script}', artifacts: [word]}}
"
            ),
        );
        let mut console = place.start(&["run", "ship.yaml", "--headless"]);
        console.until("gate.asked");
        spoil(&place);
        place.cue(&["approve", "g-1"]).ok();
        let said = console.end();
        assert_eq!(place.state("r-1"), "failed", "{said:?}");
        let shown = place.show("r-1").to_string();
        assert!(shown.contains("is gone"), "{shown}");
    }
}

//! Doing a run again with something corrected, forking it from its past, and holding two runs against each other: the
//! program at its door.

use crate::program::{Place, Said, until};
use serde_json::{Value, json};

/// One command: its exit code, and parts of what it says.
#[track_caller]
fn check(place: &Place, args: &[&str], code: i32, parts: &[&str]) -> Said {
    let said = place.cue(args);
    assert_eq!(said.code, code, "{args:?}: {said:?}");
    for part in parts {
        assert!(said.out.contains(part) || said.err.contains(part), "{args:?} says {part:?}: {said:?}");
    }
    said
}

fn place(workflow: &str) -> Place {
    let place = Place::new();
    place.write("w.yaml", workflow);
    place
}

fn rests(place: &Place, run: &str) {
    until("it rests", || place.show(run)["ended_at"].is_string());
}

const GOES: &str = "name: goes
inputs:
  to: {type: string, enum: [near, far], default: near}
steps:
  - id: build
    run: echo x >> built; echo \"out=$(wc -l < built)\" >> \"$CUELIGHT_OUTPUT\"
  - id: ship
    needs: build
    run: test \"$TO\" = far && echo shipped >> shipped
    env: {TO: \"${{ inputs.to }}\"}
";

#[test]
fn a_run_is_done_again_with_a_corrected_input_and_both_are_told_apart() {
    let place = place(GOES);
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    let partial = &place.show("r-1")["partial"];
    assert_eq!(partial["last_outputs"], json!({"step": "build", "outputs": {"out": "1"}}));
    assert_eq!(partial["completion_ratio"].to_string(), "0.500");
    check(
        &place,
        &["show", "r-1"],
        0,
        &[
            "1 of 2 steps completed (50 %)",
            "next: cuelight logs r-1 ship\nnext: cuelight retry r-1 --from checkpoint",
        ],
    );

    check(&place, &["retry", "r-1", "-i", "to=away"], 2, &["to", "near", "far"]);
    check(&place, &["retry", "r-1", "-i", "from=near"], 2, &["from"]);
    check(&place, &["retry", "r-1", "-i", "to=far"], 0, &["r-2"]);
    rests(&place, "r-2");
    let again = place.show("r-2");
    assert_eq!((&again["state"], &again["retry_of"]), (&json!("completed"), &json!("r-1")));
    assert_eq!(again["corrected"]["inputs"], json!([{"name": "to", "before": "near", "after": "far"}]));
    assert_eq!(again["steps"][0]["kept_from"], "r-1");
    check(
        &place,
        &["show", "r-2"],
        0,
        &["does r-1 again, from failed", "input to: \"near\" to \"far\"", "kept from r-1"],
    );
    assert_eq!(place.text("built"), "x\n", "what was kept is not done twice");

    let said = check(
        &place,
        &["diff", "r-1", "r-2"],
        1,
        &["input to: \"near\" -> \"far\"", "ship", "failed -> completed"],
    );
    assert!(said.out.contains("1 step is the same"), "{said:?}");
    let diff: Value =
        serde_json::from_str(&place.cue(&["diff", "r-1", "r-2", "--json"]).out).expect("it is JSON");
    assert_eq!((&diff["same"], &diff["same_steps"]), (&json!(false), &json!(1)));
    assert_eq!(diff["steps"][0]["right"]["state"], "completed");
    check(&place, &["diff", "r-2", "r-2"], 0, &["2 steps are the same"]);
    check(&place, &["diff", "r-2", "r-9"], 2, &["could not find"]);
}

#[test]
fn a_run_is_done_again_with_corrected_steps_only_where_nothing_that_is_done_was_changed() {
    let place = place(GOES);
    check(&place, &["run", "w.yaml", "--headless"], 1, &[]);
    place.write("w.yaml", &GOES.replace("= far", "= near"));
    check(&place, &["retry", "r-1", "-i", "to=near"], 2, &["w.yaml has changed since it ran", "--file"]);
    place.write("other.yaml", &GOES.replace("echo x", "echo y"));
    check(
        &place,
        &["retry", "r-1", "--file", "other.yaml"],
        1,
        &["build has completed and is written otherwise now"],
    );
    check(&place, &["retry", "r-1", "--file", "none.yaml"], 2, &["could not read none.yaml"]);
    check(&place, &["retry", "r-1", "--file", "w.yaml"], 0, &["r-2"]);
    rests(&place, "r-2");
    let again = place.show("r-2");
    assert_eq!(again["state"], "completed", "{again}");
    assert_eq!(again["corrected"]["steps"], json!([{"id": "ship", "how": "rewritten"}]));
    std::fs::remove_file(place.file("w.yaml")).expect("it was there");
    check(&place, &["retry", "r-1", "-i", "to=far"], 2, &["could not read"]);
    check(&place, &["retry", "r-1"], 0, &["r-3"]);
}

#[test]
fn a_retry_of_a_completed_run_is_refused_unless_it_runs_a_step() {
    let place = place(&format!("{GOES}  - {{id: mail, needs: ship, if: failure(), run: echo failed}}\n"));
    check(&place, &["run", "w.yaml", "--headless", "-i", "to=far"], 0, &[]);
    let words = "could not retry r-1: every step in it has completed, so no step would run; \
        `cuelight retry r-1 --from all` runs all steps again, `cuelight run FILE` starts a new run";
    for args in [&["retry", "r-1"][..], &["retry", "r-1", "--from", "checkpoint"]] {
        check(&place, args, 1, &[words]);
    }
    check(&place, &["show", "r-2"], 2, &["could not find run r-2"]);
    check(&place, &["retry", "r-1", "--from", "all"], 0, &["r-2"]);
    rests(&place, "r-2");
}

#[test]
fn a_run_is_forked_from_its_past() {
    let place = place(GOES);
    check(&place, &["run", "w.yaml", "--headless", "-i", "to=far"], 0, &[]);
    check(&place, &["fork", "r-1", "--at", "ship"], 0, &["r-2"]);
    rests(&place, "r-2");
    let fork = place.show("r-2");
    assert_eq!((&fork["state"], &fork["fork_of"]), (&json!("completed"), &json!("r-1")));
    assert_eq!((&fork["steps"][0]["kept_from"], &fork["steps"][1]["attempts"]), (&json!("r-1"), &json!(1)));
    assert_eq!(
        (place.text("built"), place.text("shipped")),
        ("x\n".to_owned(), "shipped\nshipped\n".to_owned())
    );
    check(&place, &["fork", "r-1", "--at", "1", "-i", "to=near"], 0, &["r-3"]);
    rests(&place, "r-3");
    assert_eq!(place.show("r-3")["state"], "failed");
    check(&place, &["fork", "r-1", "--at", "nothing"], 2, &["could not find that step in r-1"]);
    check(
        &place,
        &["fork", "r-1", "--at", "99999"],
        1,
        &["could not fork r-1: event 99999 is after its last event, "],
    );
    check(
        &place,
        &["run", "replay", "r-1", "--at", "99999"],
        2,
        &["could not replay r-1 to event 99999: its last event is "],
    );
    check(&place, &["fork", "r-9", "--at", "1"], 2, &["could not find run r-9"]);
    check(&place, &["fork", "r-2", "--at", "1"], 1, &["could not fork r-2: it begins with event"]);
}

#[test]
fn a_schedule_is_listed_held_and_released() {
    let place = place(GOES);
    std::fs::create_dir_all(place.file(".cuelight/workflows")).expect("a directory");
    std::fs::set_permissions(place.file(".cuelight"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("ours alone");
    let nightly = "name: nightly\non:\n  schedule: [{cron: \"0 6 * * *\", timezone: Europe/Berlin, overlap: cancel}]\nsteps:\n  - {id: a, run: echo}\n";
    place.write(".cuelight/workflows/nightly.yaml", nightly);
    check(&place, &["run", "w.yaml", "--headless", "-i", "to=far"], 0, &[]);
    check(&place, &["schedules"], 0, &["nightly", "0 6 * * *", "Europe/Berlin", "cancel", "goes"]);
    check(
        &place,
        &["schedules", "hold", "nightli", "--reason", "x"],
        2,
        &["it has no schedule; there are nightly"],
    );
    check(&place, &["schedules", "hold", "nightly", "--reason", "moving"], 0, &["nightly is on hold"]);
    check(&place, &["schedules"], 0, &["on hold by", "moving"]);
    let listed: Value = serde_json::from_str(&place.cue(&["schedules", "--json"]).out).expect("it is JSON");
    assert_eq!((&listed[0]["held"]["reason"], &listed[0]["next"]), (&json!("moving"), &json!(null)));
    check(&place, &["audit"], 0, &["schedule.held"]);
    check(&place, &["schedules", "release", "nightly"], 0, &["starts at its next time again"]);
    check(&place, &["schedules", "release", "nightly"], 1, &["it is not on hold"]);
    assert!(place.cue(&["schedules", "--json"]).out.contains("\"held\": null"));
    // One that cannot be read would never start, and nobody would know why.
    place.write(
        ".cuelight/workflows/weekly.yaml",
        &nightly.replace("nightly", "weekly").replace("overlap", "overlaps"),
    );
    let said = check(&place, &["schedules"], 0, &["nightly"]);
    assert!(said.err.contains("weekly.yaml: it has 1 error, 1 note; `cuelight check "), "{said:?}");
}

//! Commands that look back or look around: `timeline`, `replay`, `screenshot`, `doctor`.

use crate::program::{Place, until};
use std::{fs, os::unix::fs::PermissionsExt as _};

const TWO: &str = "name: two\nsteps:\n  - {id: first, run: echo 1}\n  - {id: second, needs: first, run: exit 3}\n  - {id: third, needs: second, run: echo 3}\n";
const GATED: &str =
    "name: gated\nsteps:\n  - {id: ask, gate: May it?}\n  - {id: after, needs: ask, run: echo yes}\n";

fn ran() -> Place {
    let place = Place::new();
    place.write("two.yaml", TWO);
    place.cue(&["run", "two.yaml", "--headless"]);
    place
}

#[test]
fn where_the_time_of_a_run_went_is_shown_as_bars() {
    let place = ran();
    let said = place.cue(&["timeline", "r-1"]).ok();
    let line =
        |step: &str| said.out.lines().find(|line| line.starts_with(step)).unwrap_or_default().to_owned();
    assert!(line("first").contains('='), "{}", said.out);
    assert!(line("first").contains('*'), "it lies on the longest way: {}", said.out);
    assert!(!line("third").contains('='), "it never ran: {}", said.out);
    let json = place.cue(&["timeline", "r-1", "--json"]).ok().json();
    assert_eq!(json["steps"][0]["bars"][0]["what"], "work", "{json}");
    assert!(place.cue(&["timeline", "r-9"]).err.contains("r-9"));
}

#[test]
fn a_run_can_be_seen_as_it_was_after_any_event() {
    let place = ran();
    let all = place.cue(&["replay", "r-1"]).ok();
    let events: Vec<&str> = all.out.lines().collect();
    assert!(events.len() > 6 && events[0].contains("run.created"), "{}", all.out);
    let began = events.iter().find(|event| event.contains("attempt.started")).expect("the first call");
    let seq = began.split_whitespace().next().expect("its number");
    let then = place.cue(&["replay", "r-1", "--at", seq]).ok();
    let first = then.out.lines().find(|line| line.starts_with("first")).expect("a row");
    assert!(first.contains("running"), "{}", then.out);
    assert!(place.cue(&["show", "r-1"]).ok().out.contains("failed"), "and now it has failed");
    let json = place.cue(&["replay", "r-1", "--at", seq, "--json"]).ok().json();
    assert_eq!(json["steps"][0]["state"], "running", "{json}");
    let early = place.cue(&["replay", "r-1", "--at", "0"]);
    assert!(early.code == 2 && early.err.contains("had not begun"), "{early:?}");
}

#[test]
fn every_view_can_be_pictured_without_a_terminal() {
    let place = ran();
    for (view, part) in [
        ("runs", "two"),
        ("dag", "second"),
        ("gates", "gate"),
        ("errors", "second"),
        ("health", "golden signals"),
        ("logs", "first"),
        ("time", "second"),
        ("audit", "run"),
        ("agents", "no agent"),
        ("tools", "run"),
    ] {
        let said = place.cue(&["screenshot", "--view", view, "--size", "120x40"]).ok();
        assert!(said.out.contains(part), "{view}: {}", said.out);
        assert_eq!(said.out.lines().count(), 40, "{view}");
    }
    place.cue(&["screenshot", "--view", "dag", "-o", "dag.svg"]).ok();
    assert!(place.text("dag.svg").starts_with("<svg"), "{}", place.text("dag.svg"));
    let help = place.cue(&["screenshot", "--keys", "?"]).ok();
    assert!(help.out.contains("THIS VIEW"), "{}", help.out);
    for (arguments, part) in [
        (["screenshot", "--size", "0x9"], "160x48"),
        (["screenshot", "--keys", "ctrl-"], "--keys"),
        (["screenshot", "--run", "r-77"], "r-77"),
        (["screenshot", "--view", "nothing"], "nothing"),
    ] {
        let said = place.cue(&arguments);
        assert!(said.code == 2 && said.err.contains(part), "{said:?}");
    }
}

#[test]
fn nothing_is_decided_in_a_picture() {
    let place = Place::new();
    place.write("gated.yaml", GATED);
    let mut running = place.start(&["run", "gated.yaml", "--headless"]);
    running.until("gate.asked");
    for keys in ["a y", "r x tab y", "X y"] {
        place.cue(&["screenshot", "--view", "gates", "--keys", keys]).ok();
    }
    assert_eq!(place.gates()[0]["state"], "open");
    assert_eq!(place.state("r-1"), "running");
}

#[test]
fn the_doctor_says_what_is_wrong_and_which_settings_won() {
    let place = Place::new();
    let said = place.cue(&["doctor"]).ok();
    assert!(said.out.contains("none here or above"), "{}", said.out);
    place.write("two.yaml", TWO);
    place.cue(&["run", "two.yaml", "--headless"]);
    let said = place.cue(&["doctor", "--ascii"]).ok();
    assert!(said.out.contains("records; `cuelight audit verify`"), "{}", said.out);
    let ascii = said.out.lines().find(|line| line.starts_with("ascii")).expect("a row");
    assert!(ascii.contains("true") && ascii.contains("flag"), "{ascii}");

    let db = place.file(".cuelight/cuelight.db");
    fs::set_permissions(&db, fs::Permissions::from_mode(0o644)).expect("our own file");
    place.write(".cuelight/people.toml", "[[person]]\nname = 7\n");
    let wrong = place.cue(&["doctor", "--json"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let json = wrong.json();
    let found = json["findings"].as_array().expect("findings").iter();
    let bad: Vec<&str> = found
        .filter(|finding| finding["state"] == "WRONG")
        .filter_map(|finding| finding["what"].as_str())
        .collect();
    assert_eq!(bad, ["private", "people.toml"], "{json}");
}

#[test]
fn the_doctor_names_the_secrets_that_workflows_name_and_that_are_not_set() {
    let place = Place::new().with("IS_SET", "its-value");
    place.write("two.yaml", TWO);
    place.cue(&["run", "two.yaml", "--headless"]);
    for dir in ["workflows", "secrets"] {
        fs::create_dir(place.file(&format!(".cuelight/{dir}"))).expect("made");
    }
    let step = "steps: [{id: a, run: \"true\", env: {T: \"${{ secrets.INNER }}\"}}]\n";
    place.write(".cuelight/workflows/inner.yaml", &format!("secrets: [INNER]\n{step}"));
    place.write(
        ".cuelight/workflows/outer.yaml",
        "secrets: [OUTER, IS_SET]\nsteps: [{id: a, workflow: ./inner.yaml}]\n",
    );
    let said = place.cue(&["doctor", "--json"]).ok().json();
    let found = said["findings"].as_array().expect("findings").iter();
    let told: Vec<(&str, &str)> = found
        .filter(|finding| finding["what"] == "secrets")
        .map(|finding| {
            (finding["state"].as_str().expect("a state"), finding["text"].as_str().expect("a text"))
        })
        .collect();
    let missing =
        |name: &str| format!("secret {name} is not set; export it or write it to .cuelight/secrets/{name}");
    let of = |file: &str, names: &[&str]| {
        let why: Vec<String> = names.iter().map(|name| missing(name)).collect();
        format!("{file}: a run that needs one of these secrets does not start: {}", why.join("; "))
    };
    let (inner, outer) = (of("inner.yaml", &["INNER"]), of("outer.yaml", &["INNER", "OUTER"]));
    assert_eq!(told, [("note", inner.as_str()), ("note", outer.as_str())], "{said}");
    assert!(!said.to_string().contains("its-value"), "names alone");
    place.write(".cuelight/secrets/INNER", "inner-value");
    place.write(".cuelight/secrets/OUTER", "outer-value");
    for file in ["secrets", "secrets/INNER", "secrets/OUTER"] {
        let mode = if file == "secrets" { 0o700 } else { 0o600 };
        fs::set_permissions(place.file(&format!(".cuelight/{file}")), fs::Permissions::from_mode(mode))
            .expect("ours");
    }
    assert!(!place.cue(&["doctor"]).ok().out.contains("is not set"));
}

#[test]
fn who_only_looks_may_do_so_while_it_cannot_be_read_who_is_who() {
    const BROKEN: &str = "[[person]]\nname = 7\n";
    let place = ran();
    place.write("gated.yaml", GATED);
    let sees = |what: &str| {
        for words in [
            &["runs"][..],
            &["show", "r-1"],
            &["gates"],
            &["logs", "r-1", "first"],
            &["events", "r-1"],
            &["history"],
            &["errors"],
        ] {
            let said = place.cue(words);
            assert!(said.code == 0 && !said.out.is_empty(), "{what}, {words:?}: {said:?}");
            assert!(said.err.contains("could not read people.toml"), "{what}, {words:?}: {said:?}");
            assert!(said.err.contains("until that is mended"), "{what}, {words:?}: {said:?}");
        }
        let refused = place.cue(&["approve", "g-1", "--reason", "it looks right"]);
        assert!(refused.code != 0 && refused.err.contains("could not"), "{what}: {refused:?}");
        assert!(!refused.err.contains("until that is mended"), "{what}: {refused:?}");
    };
    let mut engine = place.start(&["run", "gated.yaml", "--headless"]);
    engine.until("gate.asked");
    place.write(".cuelight/people.toml", BROKEN);
    sees("beside an engine");
    engine.signal(rustix::process::Signal::TERM);
    drop(engine.end());
    until("it is closed", || place.owner().is_none());
    sees("without one");
    fs::remove_file(place.file(".cuelight/people.toml")).expect("removed");
    assert_eq!(place.gates()[0]["state"], "open", "nobody has decided anything");
    assert!(!place.cue(&["runs"]).ok().err.contains("people.toml"));
}

//! State that outlives a run, tested with the program itself: results that stand for steps, limits of a tool,
//! and the history.

use crate::program::{Place, Said};

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

const KEPT: &str = "name: kept
steps:
  - id: deps
    run: echo x >> made; echo \"count=$(wc -l < made)\" >> \"$CUELIGHT_OUTPUT\"
    effect: pure
    cache: {key: \"deps-${{ hashFiles('lock') }}\", ttl: 1h}
    outputs: {count: integer}
  - id: build
    needs: deps
    run: echo \"${{ steps.deps.outputs.count }}\" >> built
";

#[test]
fn a_result_stands_for_a_step_says_from_where_it_is_and_can_be_thrown_away() {
    let place = Place::new();
    place.write("w.yaml", KEPT);
    place.write("lock", "1");
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    assert_eq!((place.text("made"), place.text("built")), ("x\n".to_owned(), "1\n1\n".to_owned()));
    check(&place, &["show", "r-2"], 0, &["from the cache: deps of r-1", "stage complete"]);
    let step = place.show("r-2")["steps"][0].clone();
    assert_eq!((step["kept_from"].as_str(), step["cached"]["step"].as_str()), (Some("r-1"), Some("deps")));

    let key = step["cached"]["key"].as_str().expect("a key").to_owned();
    check(&place, &["cache"], 0, &["1 result", "of 67108864 bytes", "deps-", "r-1", "1 time, last"]);
    check(&place, &["cache", "inspect", &key], 0, &["deps of r-1", "count = 1"]);
    check(&place, &["cache", "inspect", "other"], 1, &["could not find a result under other"]);
    check(&place, &["audit"], 0, &["cache.used"]);
    check(&place, &["cache", "clear", "other"], 1, &["no result has that key"]);
    check(&place, &["cache", "clear", &key], 0, &["nothing is kept under"]);
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    assert_eq!(place.text("made"), "x\nx\n", "what was thrown away is done again");
    place.write("lock", "2");
    check(&place, &["run", "w.yaml", "--headless"], 0, &[]);
    assert_eq!(place.text("made"), "x\nx\nx\n", "and so is what has another key");
}

#[test]
fn only_what_changes_nothing_and_leaves_no_files_may_have_a_cache() {
    let place = Place::new();
    place.write("w.yaml", &KEPT.replace("    effect: pure\n", ""));
    check(&place, &["check", "w.yaml"], 2, &["`deps` may change something", "add `effect: pure`"]);
    place.write("w.yaml", &KEPT.replace("    effect: pure\n", "    effect: pure\n    artifacts: [made]\n"));
    check(&place, &["check", "w.yaml"], 2, &["`deps` leaves files"]);
}

const LIMITED: &str = "name: limited
steps:
  - {id: a, uses: mail@1}
  - {id: b, needs: a, uses: mail@1, fallback: [\"echo by hand\"]}
  - {id: c, needs: b, run: exit 3, on-error: continue}
";

#[test]
fn a_quota_is_that_of_the_day_of_the_workspace_and_history_tells_of_every_step() {
    let place = Place::new();
    place.write("w.yaml", LIMITED);
    std::fs::create_dir_all(place.file(".cuelight/tools")).expect("a directory of the test");
    place.write(".cuelight/config.toml", "timezone = \"Europe/Paris\"\n");
    place.write(
        ".cuelight/tools/mail.yaml",
        "name: mail\nversion: 1\ndescription: Writes\neffect: pure\ncommand: [\"true\"]\nrate: {per-day: 1}\n",
    );
    check(&place, &["run", "w.yaml", "--headless"], 5, &[]);
    let choice = &place.show("r-1")["steps"][1]["choice"];
    assert_eq!(choice["policy"], "fallback");
    assert!(choice["reason"].as_str().expect("text").contains("takes no more calls on this day"), "{choice}");
    check(&place, &["health", "--json"], 0, &["\"mail@1.0.0\"", "Europe/Paris"]);
    check(&place, &["run", "history"], 0, &["r-1", "limited", "complete", "failed"]);
    let failed = check(&place, &["run", "history", "--failed"], 0, &["c "]);
    assert!(!failed.out.contains("  a  "), "{failed:?}");
    check(&place, &["run", "history", "--workflow", "other"], 0, &["nothing of that kind"]);
    place.write(".cuelight/config.toml", "timezone = \"Mars/Olympus\"\n");
    check(&place, &["check", "w.yaml"], 2, &["could not find the time zone \"Mars/Olympus\""]);
}

//! Journals that earlier versions have written, kept for good in `tests/histories`: each is still read, still holds, and folds
//! to what it folded to then. `CUELIGHT_KEEP_HISTORY=1` writes the one of this version, once, when it is released.
//!
//! What is told of a run may become more from version to version, and never something else: every field that was told then
//! is told now, with the same value.

use crate::program::{Place, until};
use cuelight_base::Seq;
use cuelight_store::{Reader, Workspace, verify};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The kept journals: name, state of the run at the end, and workflow.
const RUNS: [(&str, &str, &str); 11] = [
    (
        "plain",
        "completed",
        "steps:\n  - {id: a, outputs: {n: integer}, run: 'echo n=7 >> $CUELIGHT_OUTPUT'}\n  - {id: b, needs: a, run: 'echo ${{ steps.a.outputs.n }}'}\noutputs: {n: '${{ steps.a.outputs.n }}'}\n",
    ),
    (
        "tried-again",
        "completed",
        "steps:\n  - {id: a, retry: {max-attempts: 3, delay: 10ms}, run: 'test -e tried || { touch tried; exit 3; }'}\n",
    ),
    ("instead", "completed", "steps:\n  - {id: a, run: 'exit 4', fallback: [{run: echo other}]}\n"),
    (
        "undone",
        "undone",
        "on-failure: compensate\nsteps:\n  - {id: a, run: echo a, undo: echo not a}\n  - {id: b, needs: a, run: echo b, undo: echo not b}\n  - {id: c, needs: b, run: 'exit 5'}\n",
    ),
    (
        "partial",
        "partially-completed",
        "steps:\n  - {id: a, on-error: continue, run: 'exit 6'}\n  - {id: b, if: 'failure()', needs: a, run: echo b}\n  - {id: c, if: 'false', run: echo c}\n",
    ),
    (
        "many",
        "completed",
        "steps:\n  - {id: a, matrix: {x: [1, 2, 3]}, run: 'echo ${{ matrix.x }}'}\n  - id: b\n    needs: a\n    matrix: \"${{ fromJSON('{\\\"y\\\": [8, 9]}') }}\"\n    run: echo ${{ matrix.y }}\n",
    ),
    (
        "values",
        "completed",
        "steps:\n  - {id: a, set: {scope: global, values: {k: 1}}}\n  - {id: b, needs: a, emit: {topic: t, data: {k: 2}}}\n  - {id: c, needs: b, wait: 10ms}\n",
    ),
    ("called", "completed", "steps:\n  - {id: inner, workflow: plain.yaml}\n"),
    (
        "approved",
        "completed",
        "steps:\n  - {id: ask, gate: {prompt: May it?}}\n  - {id: a, needs: ask, run: echo a}\n",
    ),
    (
        "refused",
        "rejected",
        "steps:\n  - {id: ask, gate: {prompt: May it?}}\n  - {id: a, needs: ask, run: echo a}\n",
    ),
    (
        "asking",
        "running",
        "steps:\n  - {id: ask, gate: {prompt: May it?}}\n  - {id: a, needs: ask, run: echo done > after}\n",
    ),
];

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// All that is told of the runs of a workspace.
fn told(place: &Place) -> Value {
    let runs = place.runs();
    let shown = runs.iter().map(|run| place.show(run["id"].as_str().expect("a name")));
    let shown: Vec<Value> = shown.collect();
    let events: Vec<Value> =
        runs.iter().map(|run| Value::from(place.events(run["id"].as_str().expect("a name")))).collect();
    json!({"runs": runs, "shown": shown, "events": events, "gates": place.gates()})
}

/// Writes the journal of this version, and what it folds to.
#[test]
fn the_history_of_a_release_is_written_when_it_is_asked_for() {
    if std::env::var("CUELIGHT_KEEP_HISTORY").is_err() {
        return;
    }
    let place = Place::new();
    for (name, state, text) in RUNS {
        let file = format!("{name}.yaml");
        place.write(&file, &format!("name: {name}\n{text}"));
        let mut console = place.start(&["run", &file, "--headless"]);
        match (name, state) {
            ("asking", _) => {
                console.until("gate.asked");
                console.signal(rustix::process::Signal::TERM);
            }
            ("approved" | "refused", _) => {
                console.until("gate.asked");
                let gate = place.gates().last().expect("one")["id"].as_str().expect("a name").to_owned();
                let verdict = if name == "approved" { "approve" } else { "reject" };
                place.cue(&[verdict, &gate, "--reason", "for the record"]).ok();
            }
            _ => {}
        }
        drop(console.end());
    }
    until("it is closed", || place.owner().is_none() && !place.file(".cuelight/cuelight.db-wal").exists());
    let states: Vec<Value> = place.runs().iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states.len(), RUNS.len(), "{states:?}");
    let dir = kept().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&dir).expect("made");
    fs::copy(place.file(".cuelight/cuelight.db"), dir.join("cuelight.db")).expect("kept");
    let text = serde_json::to_string_pretty(&told(&place)).expect("JSON");
    fs::write(dir.join("told.json"), text + "\n").expect("kept");
}

/// Finds places at which `now` lacks something of `then`.
fn lacks(then: &Value, now: &Value, at: &str, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => {
            // No list tells the code of a gate any more: it is drawn where it is typed (decision 36).
            for (key, value) in then.iter().filter(|key| key.0 != "code") {
                lacks(value, now.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}"), found);
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            for (index, (then, now)) in then.iter().zip(now).enumerate() {
                lacks(then, now, &format!("{at}[{index}]"), found);
            }
        }
        _ if then == now => {}
        // `show` tells the severity that `error` always told: a failure that ended its run is critical.
        _ if at.ends_with(".error.severity") && (then, now) == (&json!("high"), &json!("critical")) => {}
        _ => found.push(format!("{at}: it was {then}, it is {now}")),
    }
}

#[test]
fn every_journal_that_was_kept_holds_and_folds_to_what_it_did_then_and_goes_on() {
    let versions: Vec<PathBuf> = fs::read_dir(kept())
        .expect("histories")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!versions.is_empty());
    for version in versions {
        let place = Place::new();
        let workspace = Workspace::create(place.path()).expect("a workspace");
        fs::copy(version.join("cuelight.db"), workspace.db()).expect("a copy");
        fs::set_permissions(workspace.db(), Permissions::from_mode(0o600)).expect("ours");
        // An engine brings it up to date where that is needed, and changes nothing that has come to rest.
        let engine = place.start(&["serve"]);
        until("it listens", || place.file(".cuelight/cuelight.sock").exists());
        let then: Value =
            serde_json::from_str(&fs::read_to_string(version.join("told.json")).expect("there"))
                .expect("JSON");
        let now = told(&place);
        let mut found = Vec::new();
        for part in ["runs", "shown"] {
            // The last one is not at rest: it has waited longer by now.
            let (then, now) = (then[part].as_array().expect("a list"), now[part].as_array().expect("a list"));
            assert_eq!(then.len(), now.len());
            for (then, now) in then.iter().zip(now).filter(|pair| pair.0["name"] != "asking") {
                lacks(then, now, &format!("{part} {}", then["name"]), &mut found);
            }
        }
        let events = |value: &Value| value["events"].as_array().expect("a list").clone();
        for (then, now) in events(&then).iter().zip(&events(&now)) {
            let count = then.as_array().map_or(0, Vec::len);
            let now: Vec<Value> = now.as_array().expect("events").iter().take(count).cloned().collect();
            lacks(then, &Value::from(now), "events", &mut found);
        }
        assert!(found.is_empty(), "{}: {found:#?}", version.display());
        // What was open can still be decided.
        let open = now["gates"].as_array().expect("gates").iter().find(|gate| gate["state"] == "open");
        let gate = open.expect("one asks")["id"].as_str().expect("a name").to_owned();
        place.cue(&["approve", &gate]).ok();
        until("it goes on", || place.text("after") == "done\n");
        engine.signal(rustix::process::Signal::TERM);
        assert_eq!(engine.end().code, 0);
        let reader = Reader::open(&workspace).expect("a log");
        let verified = verify(&reader, Seq(1)).expect("the chain holds");
        assert!(verified.records > 100, "{}", verified.records);
    }
}

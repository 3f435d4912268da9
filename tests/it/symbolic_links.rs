//! A `.cuelight` that came from somebody else can have a symbolic link under any name. Whichever it is: nothing outside is changed, and
//! the refusal names it.

use crate::program::{Place, until};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// A step, an approved gate, an artifact: what a workspace holds after a day of work.
const FLOW: &str = "\
name: day
steps:
  - id: make
    run: echo made > out.txt
    artifacts: [out.txt]
  - id: ask
    needs: make
    gate: {prompt: Go on?}
";
/// Directories that stand there only now and then.
const DIRECTORIES: [&str; 7] = ["agents", "models", "tools", "secrets", "workflows", "snapshots", "trees"];
/// Files that stand there only now and then.
const FILES: [&str; 16] = [
    "serve.log",
    "probe",
    "guard/owner.new",
    "keys/console.new",
    "keys/public",
    "keys/tokens.json",
    "keys/topics.json",
    "checkpoints",
    "people.toml",
    "people.toml.sig",
    "config.toml",
    "cuelight.sock",
    "cuelight.db-wal",
    "cuelight.db-shm",
    "cuelight.db-journal",
    "library.db-wal",
];

/// Every name below a directory, deepest last.
fn names(dir: &Path, below: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let name = below.join(entry.file_name());
        out.push(name.clone());
        if entry.file_type().is_ok_and(|file_type| file_type.is_dir()) {
            names(&entry.path(), &name, out);
        }
    }
}

/// Each file below a directory with its text.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = Vec::new();
    names(dir, Path::new(""), &mut all);
    let all = all.into_iter().filter(|value| !dir.join(value).is_dir());
    all.map(|value| (value.clone(), fs::read(dir.join(&value)).unwrap_or_default())).collect()
}

#[test]
fn a_link_under_any_name_changes_nothing_outside_and_is_named() {
    let place = Place::new();
    place.write("flow.yaml", FLOW);
    place.write("short.yaml", "steps:\n  - {id: a, run: 'true'}\n");
    let run = place.start(&["run", "flow.yaml", "--headless"]);
    until("the gate opens", || place.cue(&["gates", "--json"]).out.contains("Go on?"));
    place.cue(&["approve", "g-1", "--reason", "well"]).ok();
    run.end().ok();
    place.cue(&["token", "--agent", "qa", "--type", "qa"]);
    place.cue(&["shutdown"]);
    let own = place.file(".cuelight");
    let mut all = Vec::new();
    names(&own, Path::new(""), &mut all);
    all.extend(DIRECTORIES.into_iter().chain(FILES).map(PathBuf::from));
    all.sort();
    all.dedup();
    assert!(all.len() > 20, "{all:?}");
    let outside = place.file("outside");
    for name in &all {
        let (mine, aside) = (own.join(name), place.file("aside"));
        let was_there = fs::rename(&mine, &aside).is_ok();
        let is_dir = if was_there {
            aside.is_dir()
        } else {
            DIRECTORIES.iter().any(|directory| name == Path::new(directory))
        };
        // Something that must not be touched, with what was there before, so that it looks right.
        fs::create_dir_all(&outside).expect("made");
        let target = outside.join("kept");
        if is_dir {
            fs::create_dir(&target).expect("made");
            fs::write(target.join("file"), "kept").expect("written");
        } else if fs::copy(&aside, &target).is_err() {
            fs::write(&target, "kept").expect("written");
        }
        let before = content(&outside);
        symlink(&target, &mine).expect("a link");
        let said = place.cue(&["run", "short.yaml", "--headless"]);
        place.cue(&["serve", "--until-idle", "--idle-after", "1ms"]);
        assert_eq!(content(&outside), before, "{}: {said:?}", name.display());
        // Deep in the spool of a run that is over, nothing is written any more.
        let is_old = name.starts_with("spool") && name.components().count() > 2;
        let shown = format!(".cuelight/{}", name.display());
        assert!(is_old || said.code != 0 && said.err.contains(&shown), "{}: {said:?}", name.display());
        place.cue(&["shutdown"]);
        fs::remove_file(&mine).expect("the link is there still");
        if was_there {
            fs::rename(&aside, &mine).expect("put back");
        }
        fs::remove_dir_all(&outside).expect("removed");
    }
}

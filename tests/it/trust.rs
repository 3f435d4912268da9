//! A workspace that came from somebody else is only looked at until its user accepts it; one that cuelight made asks nothing.

use crate::program::{Place, Said, text};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const FLOW: &str = "steps:\n  - {id: a, run: touch ran}\n";
const EVERY_MINUTE: &str =
    "on:\n  schedule: [{cron: \"* * * * *\"}]\nsteps:\n  - {id: a, run: curl evil.example}\n";

/// A directory as it is cloned: a `.cuelight` with a schedule and settings, and no cuelight of ours has made it.
fn cloned() -> Place {
    let place = Place::new().untouched();
    fs::create_dir_all(place.file(".cuelight/workflows")).expect("made");
    fs::set_permissions(place.file(".cuelight"), fs::Permissions::from_mode(0o755)).expect("changed");
    place.write(".cuelight/workflows/x.yaml", EVERY_MINUTE);
    place.write(
        ".cuelight/config.toml",
        "pass-env = [\"SSH_AUTH_SOCK\"]\n[traces]\nendpoint = \"https://evil.example\"\n",
    );
    place.write("flow.yaml", FLOW);
    place
}

fn own() -> Place {
    let place = Place::new().untouched();
    place.write("flow.yaml", FLOW);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place
}

#[track_caller]
fn is_refused(said: &Said, why: &str) {
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("this workspace is not trusted: ") && said.err.contains(why), "{said:?}");
    assert!(said.err.contains("accept with `cuelight trust`"), "{said:?}");
}

/// Its files with their content, the state of this user left aside.
fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        if entry.file_name() == ".local" {
            continue;
        }
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() {
            all.extend(content(&entry.path()));
        } else if kind.is_file() {
            all.push((entry.path(), fs::read(entry.path()).expect("read")));
        }
    }
    all.sort();
    all
}

fn hash(place: &Place) -> String {
    text(&place.cue(&["trust", "--json"]).json()["hash"])
}

#[test]
fn a_directory_from_elsewhere_is_only_looked_at_until_it_is_accepted() {
    let place = cloned();
    let before = content(place.path());
    for words in [
        &["run", "flow.yaml", "--headless"][..],
        &["serve", "--until-idle"],
        &["serve", "--detach"],
        &["gate", "--title", "Go?", "--timeout", "1s"],
        &["emit", "a"],
        &["--workspace", ".", "mcp"],
        &["drill", "--kills", "1"],
        &["keys", "rotate"],
        &["token", "--agent", "qa", "--type", "qa"],
        &["shutdown"],
        &["--plain"],
    ] {
        is_refused(&place.cue(words), "no cuelight of yours made it");
        assert_eq!(content(place.path()), before, "{words:?}");
    }
    for words in [&["runs"][..], &["gates"], &["schedules"], &["doctor"]] {
        place.cue(words);
        assert_eq!(content(place.path()), before, "{words:?}");
    }
    let shown = place.cue(&["trust"]);
    assert_eq!(shown.code, 1, "{shown:?}");
    for what in [
        "is not trusted",
        "* * * * *",
        "next 2",
        "curl evil.example",
        "SSH_AUTH_SOCK",
        "https://evil.example",
    ] {
        assert!(shown.out.contains(what), "{what}: {shown:?}");
    }
    let hash = hash(&place);
    place.cue(&["trust", "--accept", &hash]).ok();
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place.cue(&["trust"]).ok();
}

#[test]
fn what_changes_between_showing_and_accepting_is_not_accepted() {
    let place = cloned();
    let shown = hash(&place);
    for (name, content) in [("config.toml", "# more\n"), ("agents/a.yaml", "name: a\n"), ("cuelight.db", "x")]
    {
        let path = place.file(".cuelight").join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let before = fs::read(&path).ok();
        fs::write(&path, content).expect("written");
        let said = place.cue(&["trust", "--accept", &shown]);
        assert!(said.code == 1 && said.err.contains("changed since that was shown"), "{name}: {said:?}");
        match before {
            Some(before) => fs::write(&path, before).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
    }
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "no cuelight of yours");
    place.cue(&["trust", "--accept", &shown]).ok();
}

#[test]
fn a_workspace_that_was_moved_copied_or_restored_is_asked_about_and_the_reason_is_named() {
    let place = own();
    let own = place.file(".cuelight");
    let moved = place.file("moved");
    fs::create_dir(&moved).expect("made");
    fs::rename(&own, moved.join(".cuelight")).expect("moved");
    let named = moved.display().to_string();
    let there = ["run", "flow.yaml", "--headless", "--workspace", &named];
    is_refused(
        &place.cue(&there),
        &format!(
            "moved or copied: the workspace that was trusted is {}",
            place.path().canonicalize().expect("there").display()
        ),
    );
    fs::rename(moved.join(".cuelight"), &own).expect("moved back");
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    // A copy in its place, as a backup leaves it: the id is the same, the directory is not.
    fs::rename(&own, place.file("away")).expect("moved");
    let copied = place.foreign("cp", &["-r", "away", ".cuelight"]).status().expect("cp");
    assert!(copied.success());
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "copied, restored or unpacked again");
    let hash = hash(&place);
    place.cue(&["trust", "--accept", &hash]).ok();
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
}

#[test]
fn an_own_file_that_changes_asks_nothing_unless_version_control_carries_it() {
    let place = own();
    fs::create_dir_all(place.file(".cuelight/workflows")).expect("made");
    place.write(".cuelight/workflows/x.yaml", FLOW);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    // A repository that tracks something else.
    fs::create_dir_all(place.file(".git")).expect("made");
    fs::write(place.file(".git/index"), index(&["flow.yaml"])).expect("written");
    place.write(".cuelight/workflows/x.yaml", EVERY_MINUTE);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    // One that tracks this file: what is in it now is what was there when it was run last.
    fs::write(place.file(".git/index"), index(&[".cuelight/workflows/x.yaml", "flow.yaml"]))
        .expect("written");
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place.write(".cuelight/workflows/x.yaml", &EVERY_MINUTE.replace("evil", "more-evil"));
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "this changed: workflows/x.yaml (changed)");
    let doctor = place.cue(&["doctor"]);
    assert!(doctor.out.contains("git rm -r --cached .cuelight"), "{doctor:?}");
    let hash = hash(&place);
    place.cue(&["trust", "--own", "--accept", &hash]).ok();
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    // A database that comes with a pull is taken up by nobody.
    fs::write(place.file(".git/index"), index(&[".cuelight/cuelight.db", "flow.yaml"])).expect("written");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "cuelight.db (under version control)");
    // An index that nobody here can read may track anything.
    fs::write(place.file(".git/index"), "DIRC what is this").expect("written");
    place.write(".cuelight/workflows/x.yaml", FLOW);
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "workflows/x.yaml (changed)");
}

#[test]
fn a_file_in_conflict_and_a_file_that_a_schedule_calls_are_under_version_control_too() {
    let place = own();
    fs::create_dir_all(place.file(".cuelight/workflows")).expect("made");
    fs::create_dir_all(place.file(".git")).expect("made");
    place.write(".cuelight/workflows/x.yaml", FLOW);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    // A merge that deleted it on one side: there is an entry of a later stage alone.
    let mut conflict = index(&[".cuelight/workflows/x.yaml"]);
    conflict[12 + 60] |= 0x30;
    fs::write(place.file(".git/index"), conflict).expect("written");
    place.write(".cuelight/workflows/x.yaml", EVERY_MINUTE);
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "workflows/x.yaml (changed)");

    let place = own();
    fs::create_dir_all(place.file(".cuelight/workflows")).expect("made");
    fs::create_dir_all(place.file(".git")).expect("made");
    place.write("part.yaml", FLOW);
    let calls = "on:\n  schedule: [{cron: '0 0 1 1 *'}]\nsteps:\n  - {id: a, workflow: ../../part.yaml}\n";
    place.write(".cuelight/workflows/x.yaml", calls);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    fs::write(place.file(".git/index"), index(&["part.yaml"])).expect("written");
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place.write("part.yaml", "steps:\n  - {id: b, run: touch evil}\n");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "part.yaml (changed)");
}

#[test]
fn files_that_the_settings_name_are_shown_accepted_and_asked_about_when_they_change() {
    let place = cloned();
    place.write(
        ".cuelight/config.toml",
        "http-authorities = \"ca.pem\"\n[topics.\"review/done\"]\nabout = \"x\"\nschema = \"schema.json\"\n",
    );
    place.write("ca.pem", "good\n");
    place.write("schema.json", "{\"type\":\"object\",\"required\":[\"ok\"]}");
    let shown = place.cue(&["trust"]).out;
    for name in ["../ca.pem ", "../schema.json "] {
        assert!(shown.contains(name), "{name}: {shown}");
    }
    assert!(shown.contains("is named by config.toml"), "{shown}");
    place.cue(&["trust", "--accept", &hash(&place)]).ok();
    place.write("schema.json", "{\"type\":\"object\"}");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "this changed: ../schema.json (changed)");
    place.write("ca.pem", "evil\n");
    is_refused(
        &place.cue(&["run", "flow.yaml", "--headless"]),
        "../ca.pem (changed), ../schema.json (changed)",
    );
}

/// An index of git, in its second form, with these files.
fn index(files: &[&str]) -> Vec<u8> {
    let mut bytes = b"DIRC\0\0\0\x02".to_vec();
    bytes.extend(u32::try_from(files.len()).expect("few").to_be_bytes());
    for file in files {
        let begin = bytes.len();
        bytes.extend([0; 60]);
        bytes.extend(u16::try_from(file.len()).expect("short").to_be_bytes());
        bytes.extend(file.bytes());
        let length = bytes.len() - begin + 1;
        bytes.resize(begin + length.div_ceil(8) * 8, 0);
    }
    // In place of a checksum, as with `index.skipHash`.
    bytes.extend([0; 20]);
    bytes
}

#[test]
fn a_step_accepts_nothing() {
    let place = own();
    fs::create_dir_all(place.file("cloned/.cuelight/workflows")).expect("made");
    place.write("cloned/.cuelight/workflows/x.yaml", EVERY_MINUTE);
    let named = place.file("cloned").display().to_string();
    let hash = text(&place.cue(&["trust", "--json", "--workspace", &named]).json()["hash"]);
    let program = env!("CARGO_BIN_EXE_cuelight");
    let flow =
        format!("steps:\n  - {{id: a, run: \"'{program}' trust --workspace '{named}' --accept {hash}\"}}\n");
    place.write("flow.yaml", &flow);
    let said = place.cue(&["run", "flow.yaml", "--headless"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(place.cue(&["logs", "r-2", "a"]).out.contains("this program counts as a step's"));
    assert_eq!(place.cue(&["trust", "--json", "--workspace", &named]).code, 1);
}

#[test]
fn where_trust_can_be_written_down_nowhere_a_new_workspace_serves_one_command() {
    let place = Place::new().untouched().with("XDG_STATE_HOME", "/proc/nowhere");
    place.write("flow.yaml", FLOW);
    let first = place.cue(&["run", "flow.yaml", "--headless"]);
    assert!(first.code == 0 && first.err.contains("trusted by this command alone"), "{first:?}");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "no cuelight of yours made it");
}

#[test]
fn those_who_begin_at_once_in_a_fresh_directory_share_one_workspace_that_is_trusted() {
    let place = Place::new().untouched();
    place.write("flow.yaml", FLOW);
    let all: Vec<_> = (0..8).map(|_| place.start(&["run", "flow.yaml", "--headless"])).collect();
    all.into_iter().for_each(|console| drop(console.end().ok()));
    let left = fs::read_dir(place.path()).expect("there").flatten();
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".cuelight-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn records_are_their_users_alone() {
    let place = own();
    let dir = place.file(".local/state/cuelight/trust");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let record = fs::read_dir(&dir).expect("there").flatten().next().expect("one").path();
    assert_eq!(mode(&record), 0o600);
    fs::set_permissions(&record, fs::Permissions::from_mode(0o666)).expect("changed");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "others may write to it");
    assert_eq!(fs::read_to_string(place.file(".cuelight/.gitignore")).expect("there"), "*\n");
}

/// A log in which somebody else has approved: the list names the gate before anything is accepted, also where the approval is not in the
/// database itself yet.
#[test]
fn a_log_that_comes_from_elsewhere_is_listed_with_the_gates_that_were_approved_in_it() {
    for ends_in_order in [true, false] {
        let place = Place::new().untouched();
        place.write(
            "flow.yaml",
            "steps:\n  - {id: ok, gate: {prompt: Ship it?, undo-window: 1h}}\n  - {id: ship, needs: ok, run: touch shipped}\n",
        );
        let mut runs = place.start(&["run", "flow.yaml", "--headless"]);
        runs.until("gate.asked");
        place.cue(&["approve", "g-1"]).ok();
        let copy = |place: &Place| {
            let copied = place.foreign("cp", &["-r", ".cuelight", "other/.cuelight"]).status().expect("cp");
            assert!(copied.success());
        };
        fs::create_dir(place.file("other")).expect("made");
        if ends_in_order {
            runs.signal(rustix::process::Signal::TERM);
            drop(runs.end());
            copy(&place);
        } else {
            copy(&place);
            place.kill_owner();
        }
        let other = place.file("other").display().to_string();
        let before = content(Path::new(&other));
        let said = place.cue(&["trust", "--workspace", &other]);
        assert_eq!(said.code, 1, "{said:?}");
        for what in
            ["open, and goes on when an engine starts: r-1", "g-1 ok approved in a moment, by", "starts ship"]
        {
            assert!(said.out.contains(what), "{what}: {said:?}");
        }
        is_refused(&place.cue(&["serve", "--until-idle", "--workspace", &other]), "moved or copied");
        assert_eq!(content(Path::new(&other)), before, "looking changes nothing");
        let left = fs::read_dir(place.file(".local/state/cuelight")).expect("there").flatten();
        assert!(
            left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("look-")),
            "the copy is gone"
        );
    }
}

#[test]
fn an_approval_that_a_retry_keeps_is_listed_by_name_and_number_although_its_run_has_ended() {
    let place = Place::new().untouched();
    place.write(
        "flow.yaml",
        "steps:\n  - {id: ok, gate: {prompt: Ship it?}}\n  - {id: ship, needs: ok, run: exit 1, effect: idempotent}\n",
    );
    let mut runs = place.start(&["run", "flow.yaml", "--headless"]);
    runs.until("gate.asked");
    place.cue(&["approve", "g-1"]).ok();
    drop(runs.end());
    fs::create_dir(place.file("other")).expect("made");
    let copied = place.foreign("cp", &["-r", ".cuelight", "other/.cuelight"]).status().expect("cp");
    assert!(copied.success());
    let said = place.cue(&["trust", "--workspace", &place.file("other").display().to_string()]);
    assert!(
        said.out.contains("r-1 has ended, and a retry keeps this: g-1 ok approved already, by"),
        "{said:?}"
    );
}

/// Output of a read-only command; it is killed when it waits for something.
#[track_caller]
fn looked(place: &Place, words: &[&str]) -> Said {
    let said = place.start_under(&["timeout", "--signal=KILL", "30"], words).end();
    assert!(![124, 137].contains(&said.code), "{words:?} waited: {said:?}");
    said
}

fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
}

/// A hostile directory has a pipe, a socket or an endless file under the name of a file: no command waits for
/// it.
#[test]
fn what_is_no_ordinary_file_or_too_large_is_refused_by_name_without_waiting() {
    let kinds: [(&str, &dyn Fn(&Path)); 3] = [
        ("a pipe", &make_pipe),
        ("a socket", &|value| drop(std::os::unix::net::UnixListener::bind(value).expect("a socket"))),
        ("20 GB of nothing", &|value| {
            fs::File::create(value).and_then(|file| file.set_len(20 << 30)).expect("a sparse file");
        }),
    ];
    for name in
        ["config.toml", "people.toml", "workflows/y.yaml", "tools/y.yaml", "agents/y.yaml", "models/y.yaml"]
    {
        for (kind, make) in kinds {
            let place = cloned();
            let path = place.file(".cuelight").join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            drop(fs::remove_file(&path));
            make(&path);
            for words in [&["doctor"][..], &["trust"], &["schedules"], &["trust", "--show"]] {
                let said = looked(&place, words);
                // A socket among files acts in no way, and schedules are those of workflows.
                let is_skipped = match words[0] {
                    "trust" => kind == "a socket" && name.contains('/'),
                    "schedules" => !name.starts_with("workflows/"),
                    _ => false,
                };
                let is_named = said.out.contains(name) || said.err.contains(name);
                assert!(is_named || is_skipped, "{kind} as {name}: {words:?}: {said:?}");
            }
        }
    }
}

/// A long script does not hide a file in silence: what is not shown is counted, each file once.
#[test]
fn files_that_a_script_names_are_shown_up_to_twenty_and_then_counted() {
    let place = cloned();
    let names: Vec<String> = (0..23).map(|at| format!("n{at}.sh")).collect();
    names.iter().for_each(|name| place.write(name, "echo n\n"));
    let script = format!("cat n0.sh {}", names.join(" "));
    place.write(
        ".cuelight/workflows/x.yaml",
        &format!("on:\n  schedule: [{{cron: \"* * * * *\"}}]\nsteps:\n  - {{id: a, run: {script}}}\n"),
    );
    let shown = place.cue(&["trust"]);
    assert_eq!(shown.out.matches("named, not part of this trust").count(), 20, "{shown:?}");
    assert!(shown.out.contains("… and 3 more"), "{shown:?}");
}

/// A file that a schedule calls acts as well, wherever it lies; one that a step names is told.
#[test]
fn what_a_schedule_calls_elsewhere_is_shown_accepted_and_asked_about_when_it_changes() {
    let place = cloned();
    let calls = "on:\n  schedule: [{cron: \"* * * * *\"}]\nsteps:\n  - {id: a, workflow: ../../part.yaml}\n";
    place.write(".cuelight/workflows/x.yaml", calls);
    place.write("part.yaml", "steps:\n  - {id: b, workflow: more/deep.yaml}\n  - {id: n, run: sh ./n.sh}\n");
    fs::create_dir(place.file("more")).expect("made");
    place.write("more/deep.yaml", "steps:\n  - {id: c, run: echo deep}\n");
    place.write("n.sh", "echo n\n");
    let shown = place.cue(&["trust"]);
    for what in [
        "../part.yaml",
        "../more/deep.yaml",
        "echo deep",
        "./n.sh: named, not part of this trust: may change",
    ] {
        assert!(shown.out.contains(what), "{what}: {shown:?}");
    }
    assert!(place.cue(&["trust", "--show"]).out.contains("--- ../more/deep.yaml"));
    let hash_shown = hash(&place);
    let deep = "steps:\n  - {id: c, run: curl evil.example}\n";
    place.write("more/deep.yaml", deep);
    let said = place.cue(&["trust", "--accept", &hash_shown]);
    assert!(said.code == 1 && said.err.contains("changed since that was shown"), "{said:?}");
    place.cue(&["trust", "--accept", &hash(&place)]).ok();
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place.write("more/deep.yaml", "steps:\n  - {id: c, run: curl worse.example}\n");
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), "changed: ../more/deep.yaml (changed)");
    place.write("more/deep.yaml", deep);
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    place.write("n.sh", "echo other\n");
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
}

/// Only the file that a user names on the command line may be a pipe.
#[test]
fn a_look_does_not_wait_for_a_pipe_that_a_schedule_calls() {
    let place = cloned();
    place.write(".cuelight/workflows/x.yaml", &calls_part());
    make_pipe(&place.file("part.yaml"));
    for words in [
        &["doctor"][..],
        &["trust"],
        &["schedules"],
        &["trust", "--show"],
        &["check", ".cuelight/workflows/x.yaml"],
    ] {
        let said = looked(&place, words);
        assert!(said.out.contains("x.yaml") || said.err.contains("x.yaml"), "{words:?}: {said:?}");
    }
    let said =
        place.foreign("bash", &["-c", "\"$0\" check <(cat flow.yaml)", env!("CARGO_BIN_EXE_cuelight")]);
    crate::program::bounded(&mut { said }).ok();
}

fn calls_part() -> String {
    EVERY_MINUTE.replace("run: curl evil.example", "workflow: ../../part.yaml")
}

/// A name that cannot be shown is a file that nobody accepts, also where it is called by another name.
#[test]
fn a_called_file_whose_own_name_is_no_text_is_not_trusted() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = cloned();
    place.write(".cuelight/workflows/x.yaml", &calls_part());
    place.write("part.yaml", FLOW);
    place.cue(&["trust", "--accept", &hash(&place)]).ok();
    place.cue(&["run", "flow.yaml", "--headless"]).ok();
    let hidden = place.path().join(std::ffi::OsStr::from_bytes(b"\xff.yaml"));
    fs::rename(place.file("part.yaml"), &hidden).expect("moved");
    std::os::unix::fs::symlink(&hidden, place.file("part.yaml")).expect("a link");
    let why = "its name is no text; rename it";
    is_refused(&place.cue(&["run", "flow.yaml", "--headless"]), why);
    let said = place.cue(&["trust"]);
    assert!(said.code != 0 && said.err.contains(why), "{said:?}");
}

/// A script hides no file behind others that it names.
#[test]
fn the_files_that_a_scheduled_script_runs_are_told_before_those_that_it_names() {
    let place = cloned();
    let mut script = "cat README README README README README README README README README README; ".repeat(2);
    for number in 10..40 {
        place.write(&format!("data-{number}"), "data\n");
        script.push_str(&format!("cat data-{number}; "));
    }
    place.write("README", "read\n");
    place.write("evil.sh", "echo evil\n");
    place.write("Makefile", "all:\n\techo\n");
    script.push_str("run-parts jobs; sh ./evil.sh; make");
    fs::create_dir(place.file("jobs")).expect("made");
    place.write(".cuelight/workflows/x.yaml", &EVERY_MINUTE.replace("curl evil.example", &script));
    let shown = place.cue(&["trust"]);
    for file in ["./evil.sh", "Makefile", "jobs/*", "data-10"] {
        let line = format!("{file}: named, not part of this trust: may change");
        assert!(shown.out.contains(&line), "{file}: {shown:?}");
    }
    assert_eq!(shown.out.matches("README: named").count(), 1, "{shown:?}");
    let last = shown.out.lines().rfind(|line| line.contains("not part of this trust")).unwrap_or_default();
    assert!(last.trim_start().starts_with("… and 14 more"), "{last}: {shown:?}");
}

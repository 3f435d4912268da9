//! External failures: programs, output, inputs, the disk. Each gives a clear message, and nothing is lost.

use crate::program::{Place, Said, text, until};
use serde_json::{Value, json};
use std::fs;

/// A workflow of one step, or of what stands there.
fn place(step: &str) -> Place {
    let place = Place::new();
    place.write("w.yaml", &format!("name: w\nsteps:\n  - id: a\n{step}"));
    place
}

/// Runs it: the run fails, the step says why, and so does the console.
#[track_caller]
fn fails(step: &str, mode: &str, parts: &[&str]) -> Place {
    let place = place(step);
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(said.code, 1, "{said:?}");
    let step = place.step("r-1", "a");
    assert_eq!((&step["state"], &step["error"]["mode"]), (&json!("failed"), &json!(mode)), "{step}");
    let message = text(&step["error"]["message"]);
    for part in parts {
        assert!(message.contains(part), "{message:?} holds {part:?}");
    }
    let shown = place.cue(&["show", "r-1"]).ok().out;
    assert!(shown.contains(parts[0]), "{shown}");
    place
}

#[test]
fn a_program_that_cannot_start_is_named() {
    fails(
        "    run: nosuchprogram --x\n",
        "user_invalid_input",
        &["nosuchprogram", "command not found", "install it"],
    );
    fails("    run: ./w.yaml\n", "user_permission", &["exit code 126", "make it executable (chmod +x)"]);
    fails("    run: ./missing\n", "user_invalid_input", &["exit code 127"]);
    fails("    run: /\n", "user_permission", &["exit code 126"]);
    fails(
        "    run: 'true'\n    working-directory: nowhere\n",
        "user_invalid_input",
        &["the working directory", "nowhere", "create it"],
    );
    fails(
        "    run: 'true'\n    working-directory: w.yaml\n",
        "user_invalid_input",
        &["is a file", "name a directory"],
    );
}

#[test]
fn a_program_that_was_killed_is_told_from_one_that_failed() {
    fails("    run: kill -9 $$\n", "system_crash", &["killed by signal 9 (SIGKILL), not by cuelight"]);
    fails("    run: kill -SEGV $$\n", "system_crash", &["signal 11"]);
    fails("    run: exit 200\n", "agent_logic", &["exit code 200; it wrote nothing"]);
    fails("    run: sleep 60\n    timeout: 100ms\n", "system_timeout", &["ran longer than 100ms"]);
}

#[test]
fn outputs_that_cannot_be_read_fail_the_step_with_the_line() {
    let output = |script: &str| format!("    run: {script}\n");
    fails(
        &output("echo no-equals-sign >> \"$CUELIGHT_OUTPUT\""),
        "agent_contract",
        &["could not take $CUELIGHT_OUTPUT", "line 1"],
    );
    fails(
        &output("printf 'a=1\\nb<<EOF\\nnever ends\\n' >> \"$CUELIGHT_OUTPUT\""),
        "agent_contract",
        &["could not take $CUELIGHT_OUTPUT"],
    );
    fails(
        &output("printf 'a=\\377\\n' >> \"$CUELIGHT_OUTPUT\""),
        "agent_contract",
        &["could not take $CUELIGHT_OUTPUT"],
    );
    let much = |bytes: u32| {
        output(&format!("(printf x=; head -c {bytes} /dev/zero | tr '\\0' y) >> \"$CUELIGHT_OUTPUT\""))
    };
    fails(&much(1_048_575), "agent_contract", &["it holds more than 1048576 bytes", "artifacts"]);
    let fits = place(&much(1_048_574));
    fits.cue(&["run", "w.yaml", "--headless"]).ok();
    assert_eq!(text(&fits.step("r-1", "a")["outputs"]["x"]).len(), 1_048_574);
}

#[test]
fn output_is_kept_byte_by_byte_and_shown_safely() {
    let place = place("    run: printf 'a\\0b\\377\\033[2Jc\\r\\n\\342\\200\\256x\\n'\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    let exact = b"a\0b\xff\x1b[2Jc\r\n\xe2\x80\xaex\n";
    assert_eq!(fs::read(place.file(".cuelight/spool/r-1/0.1/log")).expect("a spool"), exact);
    let output = place.command(&["logs", "r-1", "--raw"]).output().expect("it starts");
    assert_eq!(output.stdout, exact);
    let shown = place.cue(&["logs", "r-1", "a"]).ok().out;
    assert_eq!(shown, "a␀b⟨FF⟩␛[2Jc\n⟨U+202E⟩x\n");
}

/// The most memory a process has had, in bytes.
fn peak(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

#[test]
fn endless_output_and_one_endless_line_take_no_memory() {
    // CUELIGHT_LINE_BYTES=10000000000 for the long version.
    let bytes = std::env::var("CUELIGHT_LINE_BYTES").unwrap_or_else(|_| "200000000".to_owned());
    for (script, timeout, code) in
        [("yes".to_owned(), "1s", 1), (format!("head -c {bytes} /dev/zero | tr '\\0' x"), "1h", 0)]
    {
        let place = place(&format!("    run: {script}\n    timeout: {timeout}\n"));
        let console = place.start(&["run", "w.yaml", "--headless"]);
        let mut most = 0;
        until("it has come to rest", || {
            most = most.max(peak(console.pid().as_raw_nonzero().get()));
            place.file(".cuelight/spool/r-1").exists()
                && place.runs().first().is_some_and(|run| !run["ended_at"].is_null())
        });
        assert_eq!(console.end().code, code);
        println!("peak {} MiB", most >> 20);
        assert!(most < 150 << 20, "{} MiB for {script}", most >> 20);
        let ended =
            place.events("r-1").into_iter().find(|event| event["type"] == "attempt.ended").expect("it ended");
        let written = ended["data"]["outcome"]["output_bytes"].as_u64().expect("a number");
        assert!(
            written > 10_000_000 && (code == 1 || written.to_string() == bytes),
            "{written} bytes were counted"
        );
    }
}

#[test]
fn inputs_are_checked_before_anything_runs() {
    let place = Place::new();
    place.write("w.yaml", "name: w\ninputs:\n  n: {type: integer, required: true}\n  v: {type: string, pattern: '^v[0-9]+$', default: v1}\nsteps:\n  - id: a\n    run: touch ran\n");
    let check = |args: &[&str], parts: &[&str]| {
        let said = place.cue(&[&["run", "w.yaml", "--headless"][..], args].concat());
        assert_eq!(said.code, 2, "{said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part}: {said:?}");
        }
    };
    check(&[], &["n", "required"]);
    check(&["-i", "n=many"], &["input `n`", "not a whole number"]);
    check(&["-i", "n=1", "-i", "v=x"], &["v", "^v[0-9]+$"]);
    check(&["-i", "n=1", "-i", "m=2"], &["there is no such input"]);
    check(&["-i", "n=many", "-i", "m=2"], &["not a whole number", "there is no such input"]);
    assert!(!place.file("ran").exists());
    assert_eq!(place.runs(), Vec::<Value>::new(), "nothing was recorded");
    place.cue(&["run", "w.yaml", "--headless", "-i", "n=1"]).ok();
}

#[test]
fn a_value_stays_data_wherever_it_goes() {
    for value in [
        "\"; rm -rf /tmp/nothing; touch pwned; \"",
        "$(touch pwned)`touch pwned`${HOME}",
        "'; touch pwned; '",
        "a\nb\n\ttouch pwned\nEOF\n",
        "${{ secrets.X }} %s %n \\ \\n * ? ~ !",
        "--help",
        "",
        " ",
        "\u{1b}[2J\u{202e}",
    ] {
        let place = Place::new();
        place.write("w.yaml", "name: w\ninputs: {x: {type: string, required: true}}\nenv: {TOP: \"${{ inputs.x }}\"}\nsteps:\n  - id: a\n    env: {V: \"${{ inputs.x }}\"}\n    run: |\n      printf '%s' ${{ inputs.x }} > bare\n      printf '%s' \"${{ inputs.x }}\" > quoted\n      printf '%s' \"$V\" > variable\n      printf '%s' \"$TOP\" > top\n      printf 'v<<E0F\\n%s\\nE0F\\n' \"$V\" >> \"$CUELIGHT_OUTPUT\"\n    outputs: {v: string}\n  - id: b\n    needs: a\n    matrix: \"${{ fromJSON(format('{{\\\"m\\\": [{0}]}}', toJSON(steps.a.outputs.v))) }}\"\n    run: |\n      printf '%s' ${{ matrix.m }} > matrix\n      printf '%s' ${{ steps.a.outputs.v }} > output\n");
        let said = place.cue(&["run", "w.yaml", "--headless", "-i", &format!("x={value}")]);
        assert_eq!(said.code, 0, "{value:?}: {said:?} {}", place.cue(&["logs", "r-1"]).out);
        for file in ["bare", "quoted", "variable", "top", "matrix", "output"] {
            assert_eq!(place.text(file), value, "{file}");
        }
        assert!(!place.file("pwned").exists(), "{value:?}");
        assert!(!said.out.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn a_secret_is_nowhere_but_where_it_was_given() {
    let secret = "s3cr3t-Zm9vYmFy/+quux";
    let place = Place::new().with("TOKEN", secret);
    place.write("w.yaml", "name: w\nsecrets: [TOKEN]\nsteps:\n  - id: a\n    env: {T: \"${{ secrets.TOKEN }}\"}\n    run: |\n      echo \"token $T\"; printf '%s' \"$T\" | base64; printf '%s' \"$T\" > given\n      printf '%s' \"${T%??????}\"; sleep 0.05; printf '%s\\n' \"${T#???????????????}\"\n      echo \"x=$T\" >> \"$CUELIGHT_OUTPUT\"\n    outputs: {x: string}\n  - id: b\n    needs: a\n    run: echo \"got ${{ steps.a.outputs.x }}\"; exit 3\n");
    let said = place.cue(&["run", "w.yaml", "--json"]);
    assert_eq!(said.code, 1);
    assert_eq!(place.text("given"), secret, "the step has it");
    assert!(place.cue(&["logs", "r-1"]).out.contains("token ***"));
    let base64 = "czNjcjN0LVptOXZZbUZ5LytxdXV4";
    let mut files = vec![place.file(".cuelight")];
    let mut looked_at = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()),
            );
        } else if path.is_file() {
            looked_at += 1;
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            assert!(!text.contains(secret) && !text.contains(base64), "{}", path.display());
        }
    }
    assert!(looked_at >= 3, "{looked_at} files");
    for args in [&["show", "r-1", "--json"][..], &["events", "r-1", "--json"], &["logs", "r-1", "--raw"]] {
        let Said { out, err, .. } = place.cue(args);
        assert!(!out.contains(secret) && !err.contains(secret) && !out.contains(base64), "{args:?}");
    }
    assert!(!said.out.contains(secret) && !said.err.contains(secret));
    let without = Place::new();
    without.write("w.yaml", &place.text("w.yaml"));
    let refused = without.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("TOKEN") && refused.err.contains("not set"), "{refused:?}");
    assert!(!without.file("given").exists(), "nothing has run");
}

#[test]
fn a_step_gets_what_its_file_grants_and_what_the_operator_lets_through() {
    let place = Place::new()
        .with("AWS_SECRET_ACCESS_KEY", "exported-elsewhere")
        .with("LD_PRELOAD_PATH", "/nowhere")
        .with("LET_THROUGH", "yes")
        .with("LC_TIME", "C");
    place.write("w.yaml", "name: w\nsecrets: [AWS_SECRET_ACCESS_KEY]\nenv: {APP: web}\nsteps:\n  - id: a\n    run: env | cut -d= -f1 | sort > seen\n  - id: b\n    env: {KEY: \"${{ secrets.AWS_SECRET_ACCESS_KEY }}\"}\n    run: printf '%s' \"$KEY\" > key\n");
    let seen = |place: &Place| -> Vec<String> {
        place.cue(&["run", "w.yaml", "--headless"]).ok();
        // What is told to every step, and what the shell makes for itself.
        let own = |line: &&str| {
            line.starts_with("CUELIGHT_") || line.ends_with("_OUTPUT") || line.ends_with("_OUTPUT_FILE")
        };
        let shell = ["PWD", "OLDPWD", "SHLVL", "_"];
        let text = place.text("seen");
        text.lines().filter(|line| !own(line) && !shell.contains(line)).map(str::to_owned).collect()
    };
    assert_eq!(seen(&place), ["APP", "HOME", "LC_ALL", "LC_TIME", "PATH"]);
    assert_eq!(place.text("key"), "exported-elsewhere", "a secret goes where it is named");
    place.write(".cuelight/config.toml", "pass-env = [\"LET_THROUGH\", \"NOT_SET\"]\n");
    assert_eq!(seen(&place), ["APP", "HOME", "LC_ALL", "LC_TIME", "LET_THROUGH", "PATH"]);
    let place = place.with("CUELIGHT_PASS_ENV", "LD_PRELOAD_PATH, CUELIGHT_PASS_ENV");
    assert_eq!(seen(&place), ["APP", "HOME", "LC_ALL", "LC_TIME", "LD_PRELOAD_PATH", "PATH"]);
    place.write(".cuelight/config.toml", "pass-env = 7\n");
    let place = place.with("CUELIGHT_PASS_ENV", "");
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert!(said.code == 2 && said.err.contains("config.toml"), "{said:?}");
}

/// A database with something changed in it, and all its bytes before a command and after it.
#[track_caller]
fn refused(change: impl Fn(&Place), parts: &[&str]) {
    let place = place("    run: 'true'\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    change(&place);
    let before = fs::read(place.file(".cuelight/cuelight.db")).expect("a database");
    for args in [&["run", "w.yaml", "--headless"][..], &["runs"], &["serve"]] {
        let said = place.cue(args);
        assert_eq!(said.code, 6, "{args:?}: {said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part}: {said:?}");
        }
        let after = fs::read(place.file(".cuelight/cuelight.db")).expect("a database");
        assert!(after == before, "nothing was written by {args:?}");
    }
}

#[test]
fn a_database_that_is_not_ours_to_write_is_left_as_it_is() {
    let pragma = |sql: &'static str| {
        move |place: &Place| {
            let database = rusqlite::Connection::open(place.file(".cuelight/cuelight.db")).expect("it opens");
            database
                .execute_batch(&format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE);"))
                .expect("it is changed");
        }
    };
    refused(
        pragma("PRAGMA user_version = 999"),
        &["written by a newer cuelight (schema 999", "use that version"],
    );
    refused(pragma("PRAGMA application_id = 7"), &["could not", "cuelight.db"]);
    refused(
        |place| {
            let path = place.file(".cuelight/cuelight.db");
            drop(fs::remove_file(place.file(".cuelight/cuelight.db-wal")));
            drop(fs::remove_file(place.file(".cuelight/cuelight.db-shm")));
            fs::write(
                path,
                "this is no database, but it is long enough to look like a file with something in it",
            )
            .expect("written");
        },
        &["could not", "cuelight.db", "damaged"],
    );
}

#[test]
fn a_database_that_was_edited_by_hand_is_not_taken_up_and_it_is_said_where() {
    for (edit, seq, what) in [
        (
            "UPDATE events SET payload = replace(payload, 'true', 'false') WHERE seq = 1",
            1,
            "its payload was changed",
        ),
        ("UPDATE events SET at = at - 86400000 WHERE seq = 3", 3, "what it says about itself was changed"),
        ("DELETE FROM events WHERE seq = 2", 2, "it is missing"),
        (
            "UPDATE events SET seq = -1 WHERE seq = 2; UPDATE events SET seq = 2 WHERE seq = 3; \
             UPDATE events SET seq = 3 WHERE seq = -1",
            2,
            "it does not follow the one before",
        ),
    ] {
        let place = place("    run: 'true'\n");
        place.cue(&["run", "w.yaml", "--headless"]).ok();
        let database = rusqlite::Connection::open(place.file(".cuelight/cuelight.db")).expect("it opens");
        let hand = format!("DROP TRIGGER events_stay; DROP TRIGGER events_last; {edit};");
        database.execute_batch(&hand).expect("it is edited");
        let count = || database.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0));
        let before = count().expect("a number");
        let said = place.cue(&["run", "w.yaml", "--headless"]);
        assert_eq!(said.code, 6, "{edit}: {said:?}");
        assert!(said.err.contains(&format!("event {seq}: {what}")), "{edit}: {said:?}");
        assert_eq!(count().expect("a number"), before, "nothing was added to it");
        let said = place.cue(&["audit", "verify"]);
        assert_eq!(said.code, 1, "{edit}: {said:?}");
        assert!(
            said.err.contains(&format!("could not verify the log at #{seq}: {what}")),
            "{edit}: {said:?}"
        );
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = place("    run: 'true'\n");
    let said = place.cue(&["--workspace", "/proc", "run", "w.yaml", "--headless"]);
    assert_eq!(said.code, 6, "{said:?}");
    let parts = ["could not create /proc/.cuelight", "--workspace"];
    assert!(parts.iter().all(|part| said.err.contains(part)), "{said:?}");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    use std::os::unix::fs::PermissionsExt as _;
    let open =
        |mode| fs::set_permissions(place.file(".cuelight"), fs::Permissions::from_mode(mode)).expect("ours");
    open(0o777);
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("others may write to it") && said.err.contains("chmod go-w"), "{said:?}");
    open(0o700);
    // What stands in the place of the spool stops the step, not the log.
    fs::remove_dir_all(place.file(".cuelight/spool")).expect("a spool");
    place.write(".cuelight/spool", "a file");
    let said = place.cue(&["run", "w.yaml", "--headless"]);
    assert!(said.code == 1 || said.code == 6, "{said:?}");
    assert!(said.out.contains("spool") || said.err.contains("spool"), "{said:?}");
}

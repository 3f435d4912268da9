//! Steps that are held to something: what their processes may use (`limits`). Real programs run into each of them, and what
//! an operator reads says which one it was.

use crate::program::{Place, text};
use serde_json::Value;

/// A file with this step alone, and what became of it.
fn ended(place: &Place, step: &str) -> Value {
    place.write("w.yaml", &format!("name: w\nsteps:\n  - {step}\n"));
    let run = place.cue(&["run", "w.yaml", "--headless"]).run();
    let events = place.events(&run);
    let ended = events.iter().find(|event| event["type"] == "attempt.ended");
    ended.unwrap_or_else(|| panic!("{step}: {events:#?}"))["data"]["outcome"].clone()
}

/// Why it failed: its class, and how the message begins.
fn failed(place: &Place, step: &str, mode: &str, begins: &str) {
    let outcome = ended(place, step);
    assert_eq!(outcome["failure"]["mode"], mode, "{step}: {outcome:#}");
    let said = text(&outcome["failure"]["message"]);
    assert!(said.starts_with(begins), "{step}: {said}");
}

#[test]
fn a_program_that_uses_more_than_its_step_may_is_stopped_and_the_message_says_by_which_limit() {
    let place = Place::new();
    for (step, mode, begins) in [
        (
            "{id: s, limits: {memory: 64MiB}, run: 'head -c 300000000 /dev/zero | tail -n 1 | wc -c'}",
            "resource_memory",
            "ran out of memory: limit 64 MiB (exit code 1); raise `memory` under `limits`",
        ),
        (
            "{id: s, limits: {files: 16}, run: 'for n in {1..30}; do exec {it}< /dev/null; done'}",
            "resource_quota",
            "opened too many files: limit 16 (exit code 1); raise `files` under `limits`",
        ),
        (
            "{id: s, limits: {file-size: 1MiB}, run: 'head -c 5000000 /dev/zero > big'}",
            "resource_quota",
            "wrote too much to one file: limit 1 MiB (exit code 153); raise `file-size` under `limits`",
        ),
        (
            "{id: s, limits: {cpu: 300ms}, run: 'while true; do true; done'}",
            "resource_quota",
            "ran out of processor time: limit 300ms (killed by signal 24 (SIGXCPU)); raise `cpu` under `limits`",
        ),
        (
            "{id: s, limits: {processes: 40}, run: 'for i in {1..60}; do setsid sleep 1 & done; wait'}",
            "resource_quota",
            "started too many processes: limit 40; ",
        ),
    ] {
        failed(&place, step, mode, begins);
        // The same without its limit: it is the limit that stopped it, not the machine.
        let from = step.find("limits: {").expect("limits");
        let to = from + step[from..].find("}, ").expect("their end") + 3;
        let free = format!("{}{}", &step[..from], &step[to..]);
        if !begins.contains("processor") {
            assert!(ended(&place, &free)["failure"].is_null(), "{free}");
        }
    }
    let left = std::fs::metadata(place.file("big")).expect("it was written").len();
    assert_eq!(left, 5_000_000, "by the one without a limit");
}

/// It is ended before it has taken the machine, and nothing of it is left; also when each of them is a session of its own, and when its
/// parents are gone. By itself it would end with a thousand: a fault here is not to take the machine of whoever tests.
#[test]
fn a_program_that_starts_itself_without_end_is_ended_with_all_of_it() {
    let place = Place::new();
    for (number, how, waits) in
        [(600_000_000, "", "wait"), (700_000_000, "setsid ", "wait"), (800_000_000, "setsid ", "")]
    {
        let number = format!("{}", number + std::process::id());
        let again = format!("{how}bash bomb.sh $(($1 + 1)) &\n");
        place.write("bomb.sh", &format!("(($1 < 9)) || exit\nsleep {number} &\n{again}{again}{waits}\n"));
        failed(
            &place,
            "{id: s, limits: {processes: 60}, run: bash bomb.sh 0; sleep 60}",
            "resource_quota",
            "started too many processes: limit 60; ",
        );
        assert!(crate::guard::with(&number).is_empty(), "nothing is left of {how:?} with {waits:?}");
    }
}

#[test]
fn limits_hold_for_all_that_a_step_starts_for_its_fallback_and_its_undo_and_for_no_other_step() {
    let place = Place::new();
    let told = "bash -c 'ulimit -d; ulimit -n; ulimit -t; ulimit -f'";
    let limits = "limits: {memory: 512MiB, files: 99, cpu: 1m30s, file-size: 2MiB}";
    for death in ["keep", "kill"] {
        place.write(
            "w.yaml",
            &format!(
                "name: w\non-failure: compensate\nsteps:\n  \
                 - {{id: first, on-console-death: {death}, {limits}, undo: \"{told} > undo\", run: \"{told} > first\"}}\n  \
                 - {{id: other, run: \"{told} > other\", undo: none}}\n  \
                 - {{id: second, needs: first, {limits}, fallback: \"{told} > fallback; false\", run: exit 3}}\n"
            ),
        );
        place.cue(&["run", "w.yaml", "--headless"]);
        for file in ["first", "fallback", "undo"] {
            let used = place.text(file);
            assert_eq!(used.lines().collect::<Vec<_>>(), ["524288", "99", "90", "2048"], "{file}, {death}");
            std::fs::remove_file(place.file(file)).expect("removed");
        }
        assert_ne!(place.text("other").lines().nth(1), Some("99"), "its neighbour is as free as ever");
    }
}

#[test]
fn a_limit_never_gives_more_than_there_was_without_it() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: s, limits: {files: 100000}, run: ulimit -n > soft; ulimit -Hn > hard}\n",
    );
    // Whoever starts it may have open 200 files, and could raise that to 400.
    let fewer = "ulimit -Sn 200; ulimit -Hn 400; exec \"$@\"";
    place.start_under(&["bash", "-c", fewer, "bash"], &["run", "w.yaml", "--headless"]).end().ok();
    assert_eq!((place.text("soft"), place.text("hard")), ("200\n".to_owned(), "400\n".to_owned()));
}

#[test]
fn of_what_a_step_says_as_much_is_kept_as_its_limit_allows() {
    let place = Place::new();
    let outcome = ended(&place, "{id: s, limits: {output: 8KiB}, run: 'seq 1 20000'}");
    assert!(outcome["failure"].is_null(), "it is no failure to say much: {outcome:#}");
    let said = place.cue(&["logs", "r-1", "s"]).ok().out;
    assert!(said.starts_with("1\n2\n") && said.trim_end().ends_with("20000"), "head and tail are there");
    assert!(said.len() < 10_000, "{} bytes of 108,894", said.len());
}

#[test]
fn limits_are_shown_in_the_plan_and_in_what_a_gate_asks_and_are_part_of_what_is_approved() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: ok, gate: {prompt: Go on?}}\n  \
         - {id: s, needs: ok, limits: {memory: 64MiB, files: 99, output: 8KiB}, run: ulimit -n > told}\n",
    );
    let said = "memory 64 MiB, 99 open files, 8 KiB of output";
    let plan = place.cue(&["plan", "w.yaml"]).ok().out;
    assert!(plan.contains(said), "{plan}");
    let mut console = place.start(&["run", "w.yaml", "--headless"]);
    console.until("gate.asked");
    let ask = place.cue(&["gates", "--show", "g-1"]).ok().out;
    assert!(ask.contains(&format!("  limits    {said}")), "{ask}");
    place.cue(&["approve", "g-1"]).ok();
    console.end();
    assert_eq!(place.text("told"), "99\n");
    let started =
        place.events("r-1").into_iter().find(|event| event["type"] == "attempt.started").expect("it began");
    assert_eq!(started["data"]["launch"]["limits"]["files"], 99, "what is hashed says so: {started:#}");
}

#[test]
fn where_no_process_is_started_a_limit_is_a_finding_and_not_a_promise() {
    let place = Place::new();
    place.write("w.yaml", "name: w\nsteps:\n  - {id: s, wait: 1s, limits: {memory: 64MiB}}\n");
    let said = place.cue(&["check", "w.yaml"]);
    assert!(said.code != 0 && said.out.contains("`limits` means nothing in a `wait` step"), "{said:?}");
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: s, uses: file.read@1, with: {path: x}, limits: {memory: 64MiB}}\n",
    );
    place.cue(&["run", "w.yaml", "--headless"]);
    let why = text(&place.step("r-1", "s")["error"]["message"]);
    assert!(why.contains("file.read@1.0.0 is done by cuelight itself"), "{why}");
    place.write("w.yaml", "name: w\nsteps:\n  - {id: s, run: x, limits: {memory: 1MiB, files: 2}}\n");
    let said = place.cue(&["check", "w.yaml"]);
    assert!(said.out.contains("`memory` is at least 4 MiB"), "{said:?}");
}

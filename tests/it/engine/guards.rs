//! Rules that hold for every request: the guards of behaviour (`docs/STYLE.md`).

use super::door::{Bench, fold, play};
use cuelight_engine::{Command, Fact};

/// A workflow with one of everything, and a script that goes through it.
const FILE: &str = "on-failure: compensate
    max-parallel: 2
    budget: {calls: 30, on-exceed: gate}
    concurrency: {group: one, on-conflict: queue}
    steps:
      - {id: a, run: x, undo: ua, retry: {max-attempts: 2, delay: 1s}, outputs: {n: integer}}
      - {id: b, run: x, effect: idempotent, undo: ub, fallback: [{run: y}]}
      - {id: q, run: x, effect: queryable, check: look, needs: b}
      - {id: w, wait: 10s}
      - {id: s, set: {scope: global, values: {n: \"${{ steps.a.outputs.n }}\"}}, needs: a}
      - {id: m, run: x, matrix: {k: [1, 2, 3], max-parallel: 2}, needs: [a, w]}
      - {id: g, gate: {prompt: go?, form: {n: {type: integer, default: 1}}, timeout: 1h}, needs: [m, q]}
      - {id: sub, workflow: inner.yaml, needs: g, with: {v: \"${{ steps.g.form.n }}\"}}
      - {id: z, run: x, needs: sub, undo: uz}
      - {id: bad, run: x, needs: z}
      - {id: tidy, run: x, needs: bad, if: always()}
--- inner.yaml
    inputs: {v: {type: integer, default: 0}}
    steps:
      - {id: i, run: x}
      - {id: h, gate: {prompt: ok?}, needs: i}";
const SCRIPT: &str = "launch; launch; run r-1; ended a fail; wake 2s; ended b fail; ended a ok n=3; ended b ok; pause; ended q ok;
    resume; wake 10s; ended m[2] ok; ended m[1] ok; ended m[3] ok; bob edits g n=2; ann approves g; ann withdraws g;
    ann approves g; wake 5s; ended sub/i ok; cat approves sub/h via-script; ended z ok; ended bad fail; ended tidy ok;
    ended z ok; ended b fail; wake 2s; ended b ok; ended a ok; run r-2; ended a ok n=4; cancel; ended b fail";

#[test]
fn the_reference_script_goes_through_everything() {
    let bench = play(FILE, SCRIPT);
    insta::with_settings!({snapshot_path => "../snapshots"}, {
        insta::assert_snapshot!("reference_journal", bench.text());
    });
}

#[test]
fn the_same_commands_make_the_same_journal() {
    let (one, two) = (play(FILE, SCRIPT), play(FILE, SCRIPT));
    assert_eq!(one.journal, two.journal);
    assert_eq!(one.world.fingerprint(), two.world.fingerprint());
}

#[test]
fn the_journal_alone_rebuilds_the_world() {
    let bench = play(FILE, SCRIPT);
    let text = serde_json::to_string(&bench.journal).expect("events are JSON");
    let read: Vec<cuelight_engine::Event> = serde_json::from_str(&text).expect("our own JSON");
    assert_eq!(fold(&read).fingerprint(), bench.world.fingerprint());
}

#[test]
fn a_crash_after_any_event_is_survived() {
    let lines: Vec<&str> = SCRIPT.split(';').map(str::trim).collect();
    for cut in 1..=lines.len() {
        for crashes in 1..=2 {
            let mut bench: Bench = play(FILE, &lines[..cut].join(";"));
            for _ in 0..crashes {
                bench.line("crash 1m");
            }
            for run in ["run r-1", "run r-2"] {
                if bench.journal.iter().any(|event| event.fact.run() == run[4..].parse().ok()) {
                    bench.line(run);
                    bench.drive();
                    let state = bench.world.state_of(run[4..].parse().expect("a run"));
                    assert!(
                        state.is_some_and(cuelight_engine::RunState::rests),
                        "cut at {cut}: {}\n{}",
                        bench.standing(),
                        bench.text()
                    );
                }
            }
        }
    }
}

#[test]
fn a_refusal_leaves_no_trace_in_the_world_and_a_preview_tells_what_handle_does() {
    // The door holds every command to both; here: one that is refused, and one that is not.
    let mut bench = play(FILE, "launch");
    let before = bench.world.fingerprint();
    let run = "r-9".parse().expect("an id");
    bench.submit(Command::Pause { run, by: super::door::person("ann") });
    assert_eq!(bench.world.fingerprint(), before);
    bench.line("pause");
    assert_ne!(bench.world.fingerprint(), before);
}

#[test]
fn a_completion_costs_its_out_degree() {
    let file = |wide: usize| {
        let mut text = "max-parallel: 2\nsteps:\n".to_owned();
        for at in 0..wide {
            text.push_str(&format!("  - {{id: s{at}, run: x}}\n"));
        }
        text.push_str(
            "  - {id: first, run: x, priority: 9}\n  - {id: after, run: x, needs: first, priority: 9}\n",
        );
        text
    };
    let events_of_one_completion = |wide: usize| {
        let mut bench = play(&file(wide), "launch");
        let before = bench.journal.len();
        bench.line("ended first ok");
        bench.journal.len() - before
    };
    let few = events_of_one_completion(3);
    assert_eq!(few, events_of_one_completion(300));
    let bench = play(&file(300), "launch; ended first ok");
    let started = bench.journal.iter().filter(|event| matches!(event.fact, Fact::Attempt(..))).count();
    assert_eq!(started, 4, "two slots, one end, one more call");
}

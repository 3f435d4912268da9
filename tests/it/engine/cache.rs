//! Results that stand for steps (`semantics.md` 11).

use super::door::{check, play};
use cuelight_base::{Digest, RunId, Score, Span, Timestamp, ValueMap, sha256};
use cuelight_engine::{Cache, CacheEvent};

/// Two steps, the first of which is kept for an hour under the key that the input gives it.
const KEPT: &str = "inputs: {v: {type: any}}
         steps:
           - {id: a, run: x, effect: pure, cache: {key: \"deps-${{ inputs.v }}\", ttl: 1h}, undo: y, outputs: {n: string}}
           - {id: b, run: z, needs: a, env: {GOT: \"${{ steps.a.outputs.n }}\"}}";

#[test]
fn a_result_of_the_same_key_stands_for_the_step_until_its_time_is_over() {
    check(
        KEPT,
        "launch v=1; ended a ok n=7; ended b ok; launch v=1; ended b ok; launch v=2; ended a ok n=8; ended b ok;
         wake 1h; launch v=1; ended a ok n=9; ended b ok",
        "keeps a as deps-1
         a completed 0.80 {\"n\":\"7\"}
         r-2 started
         uses deps-1
         r-2 a completed (cached) 0.80 {\"n\":\"7\"}
         r-2 b call 1
         r-3 a call 1
         keeps a as deps-2
         r-4 a call 1
         keeps a as deps-1
         no r-2 a call
         = completed: a completed, b completed",
    );
    let bench = play(KEPT, "launch v=1; ended a ok n=7; ended b ok; launch v=1");
    let given = format!("{:?}", bench.launch_of("b").env);
    assert!(given.contains("\"7\""), "what needs it sees what was kept: {given}");
}

#[test]
fn what_a_key_names_may_change_while_its_call_runs_and_its_result_is_kept_as_it_was_asked_for() {
    check(
        "steps:
           - {id: a, run: x, effect: pure, cache: {key: 'of-${{ state.global.v }}'}, env: {V: '${{ state.global.v }}'}, outputs: {n: string}}
           - {id: s, set: {scope: global, values: {v: 2}}}
           - {id: b, needs: [a, s], run: z}",
        "launch; ended a ok n=old; ended b ok; launch; ended a ok n=new; ended b ok; launch; ended b ok",
        "set Global[] v=2
         keeps a as of-
         a completed 0.80 {\"n\":\"old\"}
         r-2 a call 1
         keeps a as of-2
         uses of-2
         r-3 a completed (cached) 0.80 {\"n\":\"new\"}
         = completed: a completed, s completed, b completed",
    );
}

#[test]
fn a_gate_before_it_still_holds_and_what_was_not_done_is_not_undone() {
    check(
        "steps:
           - {id: ask, gate: {prompt: go}}
           - {id: a, run: x, needs: ask, effect: pure, cache: {key: k}, undo: y}
           - {id: b, run: z, needs: a, undo: w}",
        "launch; ann approves; wake 5s; ended a ok; ended b ok; launch; bob approves; wake 5s; ended b ok; undo; ended b ok",
        "keeps a as k
         r-2 ask waits for g-2
         > bob approves
         uses k
         r-2 a completed (cached)
         r-2 b undo asked
         no r-2 a undo
         = undone: ask completed, a completed, b undone",
    );
}

#[test]
fn another_step_failures_and_half_results_are_no_results() {
    let steps = |script: &str| {
        format!(
            "steps:\n           - {{id: a, run: {script}, effect: pure, cache: {{key: k}}, on-error: continue}}"
        )
    };
    check(
        &steps("x"),
        "launch; ended a fail; launch; ended a ok status=partial; launch; ended a ok; launch",
        "r-3 a call 1
         keeps a as k
         r-4 a completed (cached)",
    );
    let two = "steps:
           - {id: a, run: x, effect: pure, cache: {key: k}}
           - {id: b, run: y, needs: a, effect: pure, cache: {key: k}}";
    check(
        two,
        "launch; ended a ok; ended b ok",
        "keeps a as k\n b call 1\n keeps b as k\n = completed: a completed, b completed",
    );
}

#[test]
fn a_result_costs_no_call_needs_no_target_and_survives_a_restart() {
    check(
        "budget: {calls: 1, on-exceed: gate}
         steps:
           - {id: a, uses: t@1, cache: {key: k}}
           - {id: b, uses: t@1, needs: a, cache: {key: k}}
--- tools/t.yaml
name: t
version: 1
description: Looks
effect: pure
command: [t]
rate: {per-day: 1}
",
        "launch; ended a ok; crash 1m; launch",
        "keeps a as k
         uses k
         b completed (cached)
         r-2 a completed (cached)
         r-2 b completed (cached)
         no waits
         no g-1
         = completed: a completed, b completed",
    );
}

#[test]
fn a_key_that_names_files_waits_until_they_were_looked_at_and_one_that_is_empty_fails() {
    check(
        "steps:\n           - {id: a, run: x, effect: pure, cache: {key: \"${{ hashFiles('lock') }}\"}}",
        "launch; facts a abc; ended a ok; launch; facts a abc",
        "a asks for files [] hashes [[\"lock\"]]
         a call 1
         keeps a as abc
         r-2 a completed (cached)",
    );
    check(
        "inputs: {v: {type: any}}\n         steps:\n           - {id: a, run: x, effect: pure, cache: {key: \"${{ inputs.v }}\"}}",
        "launch v=\"\"",
        "a failed user_invalid_input: its cache key \"\" is none",
    );
}

#[test]
fn what_somebody_throws_away_is_done_again() {
    check(
        KEPT,
        "launch v=1; ended a ok n=1; ended b ok; clear deps-7; clear deps-1; launch v=1; ended a ok n=1; ended b ok; clear",
        "! could not clear the cache: no result has that key
         req clears 1
         r-2 a call 1
         req clears 1",
    );
}

#[test]
fn what_was_used_least_lately_goes_first_when_there_is_no_room() {
    let mut cache = Cache::default();
    let id = |number: u32| -> Digest { sha256("test", &[&number.to_be_bytes()]) };
    let at = |number: u32| Timestamp(i64::from(number));
    let stored = |number: u32| CacheEvent::Stored {
        id: id(number),
        key: "k".to_owned(),
        outputs: ValueMap::new(),
        confidence: Score::ONE,
        run: RunId(1),
        step: "a".to_owned(),
        expires_at: None,
    };
    for number in 0..2000 {
        cache.apply(at(number), &stored(number));
    }
    let used =
        CacheEvent::Used { id: id(0), key: "k".to_owned(), run: RunId(2), step: cuelight_base::StepIx(0) };
    cache.apply(at(2000), &used);
    cache.apply(at(2001), &stored(2001));
    let has = |number: u32| cache.get(id(number), at(3000)).is_some();
    assert_eq!((has(0), has(1), has(2), has(2001)), (true, false, true, true));
    assert_eq!(cache.all(at(3000)).count(), 2000);
    // By bytes as well: a megabyte a result, and 64 of them fit.
    let large = |number: u32| match stored(number) {
        CacheEvent::Stored { id, key, confidence, run, step, .. } => {
            let text = "x".repeat(1024 * 1024 - 64);
            let outputs = ValueMap::from_iter([("t".to_owned(), text.into())]);
            CacheEvent::Stored {
                id,
                key,
                outputs,
                confidence,
                run,
                step,
                expires_at: Some(at(9000) + Span(1)),
            }
        }
        other => other,
    };
    for number in 5000..5100 {
        cache.apply(at(number), &large(number));
    }
    assert_eq!(cache.all(at(6000)).count(), 64);
    assert!(cache.bytes() <= 64 * 1024 * 1024);
    assert_eq!(cache.all(at(9001)).count(), 0, "what has expired is absent");
}

#[test]
fn a_reset_throws_all_results_away_and_says_why() {
    check(
        KEPT,
        "launch v=1; ended a ok n=7; ended b ok; reset; reset quarter; launch v=1; ended a ok n=9; ended b ok",
        "keeps a as deps-1
         ! could not reset: say why with --reason
         req resets, 1 results
         r-2 a call 1
         no uses deps-1
         = completed: a completed, b completed",
    );
}

#[test]
fn a_result_that_was_made_with_other_files_than_were_approved_does_not_stand_for_the_step() {
    let evidence = "steps:
           - {id: g, gate: {prompt: go?, evidence: [plan.txt], undo-window: 0s}}
           - {id: a, run: x, needs: g, effect: pure, cache: {key: k}}";
    check(
        evidence,
        "launch; facts g one; ann approves; ended a ok; launch; facts g two; ann approves; ended a ok;
         launch; facts g one; ann approves",
        "keeps a as k
         r-2 a call 1
         keeps a as k
         uses k
         r-3 a completed (cached)",
    );
    let trees = "steps:
           - {id: g, gate: {prompt: go?, consent: {snapshot: a}, undo-window: 0s}}
           - {id: h, gate: {prompt: go?, consent: {snapshot: b}, undo-window: 0s}}
           - {id: a, run: x, needs: g, effect: pure, cache: {key: k}}
           - {id: b, run: x, needs: h, effect: pure, cache: {key: k}}";
    check(
        trees,
        "launch; ann approves g; ended a ok; ann approves h; ended b ok",
        "keeps a as k\n b call 1\n no uses k",
    );
}

#[test]
fn a_result_that_was_made_without_an_approval_does_not_stand_for_a_step_that_is_bound_to_files() {
    check(
        "steps:
           - {id: a, run: ./x.sh, effect: pure, cache: {key: k}}
           - {id: g, needs: a, gate: {prompt: go?, undo-window: 0s}}
           - {id: b, run: ./x.sh, needs: g, effect: pure, cache: {key: k}}
           - {id: c, run: ./x.sh, needs: a, effect: pure, cache: {key: k}}",
        "launch; ended a ok; ann approves; ended b ok",
        "keeps a as k
         c completed (cached)
         b call 1
         keeps b as k
         = completed: a completed, g completed, b completed, c completed",
    );
}

#[test]
fn the_ask_says_where_a_cached_result_may_be_used() {
    let bench = play(
        "steps:
           - {id: g, gate: go?}
           - {id: a, run: x, needs: g, effect: pure, cache: {key: k}}
           - {id: b, run: y, needs: g}
           - {id: c, run: z, needs: a, effect: pure, cache: {key: k}}",
        "launch",
    );
    let ask = bench.ask("g");
    assert_eq!(ask.will_run.iter().map(|call| call.may_be_cached).collect::<Vec<_>>(), [true, false]);
    assert_eq!(ask.later.iter().map(|later| later.may_be_cached).collect::<Vec<_>>(), [true]);
}

#[test]
fn behind_a_gate_a_result_of_the_same_call_alone_stands_for_the_approved_one() {
    check(
        "inputs: {v: {type: any}}
         steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: a, needs: g, run: x, effect: pure, env: {V: \"${{ inputs.v }}\"}, cache: {key: any, ttl: 1h}, outputs: {n: string}}",
        "launch v=1; ann approves; ended a ok n=7; launch v=2; ann approves g-2; ended a ok n=8; launch v=1; ann approves g-3",
        "keeps a as any
         r-2 a call 1
         r-3 a completed (cached) 0.80 {\"n\":\"7\"}",
    );
}

//! Scopes: what `set` writes, who sees it, how long it stands (`semantics.md` 11).

use super::door::{check, play};
use cuelight_base::{SCOPE_KEYS_MAX, TextPart};
use cuelight_engine::etag;

#[test]
fn what_is_set_for_the_run_is_read_by_later_steps() {
    let bench = play(
        "steps:
           - {id: s, set: {scope: run, values: {color: \"${{ 'blue' }}\"}}}
           - {id: a, needs: s, run: x, env: {C: \"${{ vars.color }}\", D: \"${{ state.run.color }}\"}}",
        "launch",
    );
    let env = bench.launch_of("a").env;
    assert!(env.iter().all(|(_, parts)| parts == &[TextPart::Text("blue".to_owned())]), "{env:?}");
}

#[test]
fn the_workspace_and_the_session_outlive_the_run_until_their_time_is_up() {
    let file = "steps:
        - {id: old, run: x, if: \"state.global.n == 5\"}
        - {id: gone, run: x, if: \"state.session.n == 6\"}
        - {id: g, needs: [old, gone], set: {scope: global, values: {n: 5}}}
        - {id: s, needs: g, set: {scope: session, values: {n: 6}, ttl: 1h}}";
    check(
        file,
        "launch; launch; ended old ok; ended gone ok; wake 2h; launch; ended old ok",
        "old skipped
         gone skipped
         set Global[] n=5
         set Session[uid:9] n=6 for 1h
         r-2 old call 1
         r-2 gone call 1
         r-3 old call 1
         r-3 gone skipped
         = completed: old completed, gone skipped, g completed, s completed",
    );
}

#[test]
fn a_value_that_is_too_large_fails_its_step() {
    let big = "x".repeat(1024 * 1024);
    let bench = play(
        "steps:
           - {id: a, run: x, outputs: {v: string}}
           - {id: s, needs: a, set: {scope: run, values: {v: \"${{ steps.a.outputs.v }}\"}}}",
        &format!("launch; ended a ok v={big}"),
    );
    assert_eq!(bench.standing(), "failed: a completed, s failed");
}

#[test]
fn people_set_what_steps_read_and_steps_set_what_people_see() {
    check(
        "steps:
           - {id: a, run: x, if: \"state.global.region == 'eu' && state.session.region == 'us'\"}",
        "ann sets region=eu; req sets region=us session; ann sets region=xx session; launch; ended a ok",
        "set Global[] region=\"eu\" by ann
         set Session[uid:9] region=\"us\" by req
         set Session[uid:1] region=\"xx\" by ann
         a call 1
         = completed: a completed",
    );
}

#[test]
fn a_change_may_ask_for_what_was_seen_and_is_told_what_is_there_now() {
    let (first, second) = (etag(&1.into(), 1), etag(&1.into(), 3));
    assert_ne!(first, second, "the same value set again is another one");
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; ann sets n=1 if=none; bob sets n=2 if=1@1; ann sets n=5 if=1@1; ann sets n=1 if=2@2; ann sets n=7 if=none; bob removes n if=1@1; bob removes n if=1@3; bob removes n; ann sets n=8 if=1@3; ann sets n=9",
        &format!(
            "set Global[] n=1 by ann
             set Global[] n=2 by bob
             ! could not change n: it has changed meanwhile, its etag is {} now; read it again and decide anew
             set Global[] n=1 by ann
             ! could not change n: it has changed meanwhile, its etag is {second} now
             ! could not change n: it has changed meanwhile, its etag is {second} now
             removed Global[] n by bob
             ! could not change n: it is not there; `cuelight state list` lists the keys
             ! could not change n: it is not there any more
             set Global[] n=9 by ann",
            etag(&2.into(), 2)
        ),
    );
}

#[test]
fn a_step_changes_only_the_value_that_was_read() {
    let file = "steps:
        - {id: a, run: x, outputs: {seen: string}, env: {E: \"${{ state.etag.global.n }}\"}}
        - id: s
          needs: a
          set: {scope: global, values: {m: 1, n: 2}, if-etag: {n: \"${{ steps.a.outputs.seen }}\"}}";
    let seen = etag(&1.into(), 1);
    let bench = play(file, &format!("ann sets n=1; launch; ended a ok seen={seen}"));
    assert_eq!(bench.launch_of("a").env[0].1, [TextPart::Text(seen.clone())]);
    assert_eq!(bench.standing(), "completed: a completed, s completed");
    check(
        file,
        &format!("ann sets n=1; launch; ann sets n=5; ended a ok seen={seen}"),
        &format!(
            "s failed agent_state: could not set `n`: it has changed meanwhile, its etag is {} now
             no Global[] m
             = failed: a completed, s failed",
            etag(&5.into(), 2)
        ),
    );
    check(file, "launch; ended a ok seen=none", "set Global[] n=2");
    check(
        file,
        "launch; ann sets n=5; ended a ok seen=none",
        "s failed agent_state: could not set `n`: it has changed",
    );
    check(
        file,
        &format!("launch; ended a ok seen={seen}"),
        "s failed agent_state: could not set `n`: it is not there",
    );
}

#[test]
fn what_has_expired_is_absent_and_its_version_is_counted_on() {
    check(
        "steps:\n  - {id: a, run: x, if: state.global.n == 1}",
        "ann sets n=1 ttl=1h; later 1h; ann removes n; launch; ann sets n=1 if=none; ann sets n=3 if=1@1; ann sets n=3 if=1@2",
        "set Global[] n=1 for 1h by ann
         ! could not change n: it is not there
         a skipped: condition
         set Global[] n=1 by ann
         ! could not change n: it has changed meanwhile
         set Global[] n=3 by ann",
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_the_reason() {
    let (long, most) = ("k".repeat(201), "k".repeat(200));
    check(
        "steps:\n  - {id: a, run: x}",
        &format!("ann sets n=1 run; ann sets {long}=1; ann sets {most}=1; ann sets n=1 ttl=0s"),
        "! could not change n: what a run keeps is set by its steps; choose session or global
         ! could not change kkk
         set Global[] kkk
         ! could not change n: it would be gone at once",
    );
}

#[test]
fn a_scope_holds_so_many_keys_and_the_next_one_is_refused_or_fails_its_step() {
    let keys = |from: usize, to: usize| {
        (from..to).map(|index| format!("k{index}: 1")).collect::<Vec<_>>().join(", ")
    };
    let bench = play(
        &format!(
            "steps:
               - {{id: a, set: {{scope: global, values: {{{}}}}}}}
               - {{id: b, needs: a, set: {{scope: global, values: {{k1: 2}}}}}}
               - {{id: c, needs: b, set: {{scope: global, values: {{more: 1}}}}}}",
            keys(0, SCOPE_KEYS_MAX)
        ),
        "launch; ann sets more=1; ann sets k2=2",
    );
    assert_eq!(bench.standing(), "failed: a completed, b completed, c failed");
    assert!(bench.text().contains("! could not change more: 10000 keys are kept there"));
    assert!(bench.text().ends_with("set Global[] k2=2 by ann"), "one that is there can be changed");
}

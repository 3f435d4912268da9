//! Scopes: what `set` writes, who sees it, how long it stands (`semantics.md` 11).

use super::door::{check, play};
use cuelight::base::TextPart;

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

//! Doing a run again: from what failed, from a checkpoint, from the start (`semantics.md` 6).

use super::door::check;

const FILE: &str = "on-failure: continue
    steps:
      - {id: a, run: x}
      - {id: b, run: x, needs: a}
      - {id: c, run: x, needs: a}
      - {id: d, run: x, needs: [b, c]}";
const FAILED: &str = "launch; ended a ok v=1; ended b ok; ended c fail;";

#[test]
fn from_failed_keeps_everything_that_completed() {
    check(
        FILE,
        &format!("{FAILED} retry failed; ended c ok; ended d ok"),
        "r-1 ended failed
         r-2 created
         r-2 a completed (kept) 0.80 {\"v\":\"1\"}
         r-2 b completed (kept)
         r-2 c call 1
         no r-2 a call
         = completed: a completed, b completed, c completed, d completed",
    );
}

#[test]
fn from_the_checkpoint_keeps_what_everything_open_depends_on() {
    check(
        FILE,
        &format!("{FAILED} retry checkpoint"),
        "r-2 a completed (kept)
         r-2 b call 1
         r-2 c call 1
         = running: a completed, b running, c running, d pending",
    );
}

#[test]
fn from_all_does_everything_again() {
    check(
        FILE,
        &format!("{FAILED} retry all"),
        "r-2 a call 1\n no (kept)\n = running: a running, b pending, c pending, d pending",
    );
}

#[test]
fn only_a_run_at_rest_is_done_again() {
    check(FILE, "launch; retry failed", "! could not retry r-1: it is running");
}

#[test]
fn an_expired_gate_asks_again_and_another_answer_leads_elsewhere() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: g, needs: a, gate: {prompt: go?, timeout: 1h}}
           - {id: z, needs: g, run: x}",
        "launch; ended a ok; wake 1h; retry failed; ann approves via-script; ended z ok",
        "r-1 ended rejected
         r-2 a completed (kept)
         g-2 asked 1
         no r-2 a call
         g-2 approved
         r-2 z call 1
         = completed: a completed, g completed, z completed",
    );
}

#[test]
fn an_approval_holds_in_the_retry_for_what_was_approved() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: z, needs: g, run: x}",
        "launch; ann approves via-script; ended z fail; retry failed; ended z ok",
        "r-2 g completed (kept)
         no g-2
         r-2 z call 1
         = completed: g completed, z completed",
    );
}

#[test]
fn copies_that_completed_are_kept_in_a_matrix_that_failed() {
    check(
        "steps:\n  - {id: t, run: x, matrix: {k: [a, b], fail-fast: false}}",
        "launch; ended t[a] ok v=1; ended t[b] fail; retry failed; ended t[b] ok v=2",
        "r-2 t[a] completed (kept)
         r-2 t opened
         r-2 t[b] call 1
         r-2 t completed {\"v\":[\"1\",\"2\"]}
         = completed: t completed, t[a] completed, t[b] completed",
    );
}

#[test]
fn what_stands_in_a_kept_frame_rests_with_it_however_deep() {
    check(
        "steps:
           - {id: s, workflow: inner.yaml}
           - {id: z, needs: s, run: x}
--- inner.yaml
    steps:
      - {id: deep, workflow: deeper.yaml, on-error: continue}
--- deeper.yaml
    steps:
      - {id: q, run: x}
      - {id: r, needs: q, run: x}",
        "launch; ended s/deep/q fail; ended z fail; retry failed; ended z ok",
        "s completed
         r-2 s completed (kept)
         r-2 z call 1
         r-2 ended completed",
    );
}

//! A new run from the past of another (`semantics.md` 6): what was done by then is taken over, gates ask again, and what
//! was taken over is not the new run's to undo.

use super::door::check;

const FILE: &str = "on-failure: compensate
    steps:
      - {id: a, run: x, undo: ua}
      - {id: g, needs: a, gate: {prompt: go?}}
      - {id: b, needs: g, run: x, undo: ub}
      - {id: c, needs: b, run: x}";
const DONE: &str = "launch; ended a ok v=1; ann approves via-script; ended b ok; ended c ok;";

#[test]
fn a_fork_before_a_step_takes_over_what_was_done_by_then() {
    check(
        FILE,
        &format!("{DONE} fork b; ann approves via-script; ended b ok; ended c ok"),
        "r-1 ended completed
         r-2 created
         r-2 a completed (kept) 0.80 {\"v\":\"1\"}
         g-2 asked 1
         r-2 b call 1
         r-2 c call 1
         no r-2 a call
         = completed: a completed, g completed, b completed, c completed",
    );
}

#[test]
fn a_gate_asks_again_in_a_fork_and_nothing_behind_it_goes_ahead() {
    check(
        FILE,
        &format!("{DONE} fork c"),
        "r-2 b completed (kept)
         g-2 asked 1
         no r-2 c call
         = running: a completed, g waiting, b completed, c pending",
    );
}

#[test]
fn a_fork_never_undoes_what_the_other_run_did() {
    check(
        FILE,
        &format!("{DONE} fork b; ann approves via-script; ended b ok; ended c fail; ended b ok"),
        "r-2 compensating
         r-2 b undo done
         r-2 ended undone
         no r-2 a undo
         = undone: a completed, g completed, b undone, c failed",
    );
}

#[test]
fn a_run_that_goes_on_can_be_forked_and_neither_hears_of_the_other() {
    check(
        "steps:\n- {id: a, run: x}\n- {id: b, needs: a, run: x}",
        "launch; ended a ok; fork b; run r-2; ended b ok; run r-1; ended b ok",
        "r-2 a completed (kept)
         r-2 b call 1
         r-2 ended completed
         r-1 ended completed",
    );
}

#[test]
fn what_was_in_flight_by_then_is_done_anew() {
    check(
        "steps:\n- {id: a, run: x}\n- {id: b, run: x}",
        "launch; ended a ok; ended b ok; fork #4",
        "r-2 a call 1\n r-2 b call 1\n no (kept)",
    );
}

#[test]
fn a_fork_may_have_other_inputs_and_steps() {
    check(
        "inputs: {to: {default: x}}
         steps:
           - {id: a, run: x}
           - {id: b, needs: a, run: x}
=== corrected
         inputs: {to: {default: x}}
         steps:
           - {id: a, run: x}
           - {id: b, needs: a, run: better}",
        "launch to=x; ended a ok; ended b ok; fork b corrected to=y",
        "r-2 created, corrected: input to: \"x\" to \"y\", b rewritten
         r-2 a completed (kept)
         r-2 b call 1",
    );
}

#[test]
fn a_run_that_had_not_begun_by_then_cannot_be_forked() {
    check(
        "steps:\n- {id: a, run: x}",
        "launch; fork #0",
        "! could not fork r-1: it had not begun by then; name a later event",
    );
}

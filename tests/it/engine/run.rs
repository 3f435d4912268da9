//! Runs: their states, pausing, cancelling, stopping, and what a rest says (`semantics.md` 1, 6).

use super::door::check;

const TWO: &str = "steps:
    - {id: a, run: x}
    - {id: b, run: x, needs: a}
    - {id: c, run: x}";

#[test]
fn on_failure_stop_starts_nothing_new_and_lets_running_steps_end() {
    check(
        "max-parallel: 2
         steps:
           - {id: a, run: x}
           - {id: b, run: x}
           - {id: c, run: x}
           - {id: d, run: x, needs: b}",
        "launch; ended a fail; ended b ok",
        "r-1 stopping because of a
         c skipped: stopped by a
         d skipped: stopped by a
         b completed
         r-1 ended failed; 1/1/2
         = failed: a failed, b completed, c skipped, d skipped",
    );
}

#[test]
fn on_failure_continue_goes_on_with_what_does_not_depend_on_it() {
    check(
        "on-failure: continue\nsteps:
         - {id: a, run: x}
         - {id: b, run: x, needs: a}
         - {id: c, run: x}
         - {id: d, run: x, needs: c}",
        "launch; ended a fail; ended c ok; ended d ok",
        "no stopping
         r-1 ended failed
         = failed: a failed, b skipped, c completed, d completed",
    );
}

#[test]
fn paused_runs_start_nothing_new_and_running_steps_go_on() {
    check(
        TWO,
        "launch; pause; ended a ok; ended c ok; resume; ended b ok",
        "r-1 paused
         a completed
         b ready
         r-1 resumed
         b call 1
         = completed: a completed, b completed, c completed",
    );
}

#[test]
fn a_back_off_that_ends_in_a_pause_starts_nothing() {
    check(
        "steps:\n  - {id: a, run: x, retry: {max-attempts: 2, delay: 1s, jitter: 0}}",
        "launch; ended a fail; pause; wake 1s; resume; ended a ok",
        "a call 1 ended agent_logic, again in 1s
         r-1 paused
         a ready
         r-1 resumed
         a call 2
         = completed: a completed",
    );
}

#[test]
fn pausing_twice_is_the_same_and_what_rests_cannot_be_paused() {
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; pause; pause; ended a ok; pause",
        "! could not pause r-1: it is completed",
    );
}

#[test]
fn cancel_ends_what_runs_closes_gates_and_keeps_what_is_done() {
    check(
        "steps:
           - {id: a, run: x, undo: y}
           - {id: b, run: x}
           - {id: g, gate: {prompt: ok?}}
           - {id: c, run: x, needs: g}",
        "launch; ended a ok; cancel; ended b fail user_cancelled",
        "r-1 cancelling: because
         g-1 cancelled by run
         g cancelled: run cancelled
         c skipped: run cancelled
         b cancelled: run cancelled
         no undo
         = cancelled: a completed, b cancelled, g cancelled, c skipped",
    );
}

#[test]
fn cancel_with_undo_takes_back_what_is_done() {
    check(
        "steps:
           - {id: a, run: x, undo: y}
           - {id: b, run: x, needs: a}",
        "launch; ended a ok; cancel undo; ended b fail user_cancelled; ended a ok",
        "r-1 compensating
         a undo asked
         a undo done
         = undone: a undone, b cancelled",
    );
}

#[test]
fn a_paused_run_can_be_cancelled() {
    check(
        TWO,
        "launch; pause; cancel; ended a fail; ended c fail",
        "= cancelled: a cancelled, b skipped, c cancelled",
    );
}

#[test]
fn a_call_that_ended_well_before_it_could_be_ended_counts() {
    check(
        TWO,
        "launch; cancel; ended a ok; ended c fail",
        "= cancelled: a completed, b skipped, c cancelled",
    );
}

#[test]
fn the_runs_deadline_fires_while_a_gate_waits() {
    check(
        "timeout: 1h
         steps:
           - {id: g, gate: {prompt: ok?}}
           - {id: a, run: x, needs: g}
           - {id: tidy, run: x, needs: a, if: always()}",
        "launch; wake 1h; ann approves",
        "r-1 timed out
         g-1 cancelled by run
         g cancelled: run timed out
         r-1 ended failed
         ! could not decide g-1: it was cancelled already, by the end of its run
         = failed: g cancelled, a skipped, tidy skipped",
    );
}

#[test]
fn an_endless_step_is_ended_by_the_deadline_of_its_run() {
    check(
        "timeout: 1h\nsteps:\n- {id: a, run: x}",
        "launch; wake 1h; ended a fail user_cancelled",
        "r-1 timed out
         a cancelled: run timed out
         = failed: a cancelled",
    );
}

#[test]
fn outputs_of_the_run_are_those_of_its_steps() {
    check(
        "outputs: {image: \"${{ steps.a.outputs.image }}\"}
         steps:
           - {id: a, run: x, outputs: {image: string}}",
        "launch; ended a ok image=web1",
        "r-1 ended completed {\"image\":\"web1\"}",
    );
}

#[test]
fn a_rest_suggests_what_to_do_next() {
    let file = "steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}
           - {id: c, run: x, needs: b}
           - {id: d, run: x, needs: c}";
    let three = "launch; ended a ok; ended b ok; ended c ok;";
    check(
        file,
        &format!("{three} ended d fail system_network"),
        "ended failed; 3/1/0 retry-failed, d system_network",
    );
    check(
        file,
        "launch; ended a ok; ended b fail system_network",
        "ended failed; 1/1/2 retry-from-checkpoint",
    );
    check(file, "launch; ended a fail system_network", "ended failed; 0/1/3 retry-all");
    check(file, "launch; ended a ok; ended b fail system_oom", "ended failed; 1/1/2 manual, b system_oom");
}

#[test]
fn what_nobody_knows_is_refused() {
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; run r-7; pause",
        "! could not find run r-7; `cuelight runs` lists the runs",
    );
}

#[test]
fn a_request_of_one_project_is_none_of_another() {
    check(
        "steps: [{id: a, run: x}]",
        "requests one as bo@bank; requests one as bo@shop; crash; requests one as bo@shop; requests one as bo@bank",
        "r-1 created
         > requests one as bo@shop
         r-2 created
         no r-3 created",
    );
}

#[test]
fn a_request_makes_one_run_for_a_day_also_after_a_crash() {
    check(
        "steps: [{id: a, run: x}]",
        "requests one; requests one; crash; requests one; requests two; wake 25h; requests one; requests one",
        "r-1 created
         > requests two
         r-2 created
         > wake 25h
         r-3 created
         no r-4 created",
    );
}

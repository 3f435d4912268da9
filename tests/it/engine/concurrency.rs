//! Concurrency groups: who waits for whom.

use super::door::check;

fn file(more: &str) -> String {
    format!(
        "concurrency: {{group: prod, {more}}}
         steps:
           - {{id: a, run: x}}
           - {{id: tidy, needs: a, run: x, if: always()}}"
    )
}

#[test]
fn a_second_run_waits_for_the_first() {
    check(
        &file("on-conflict: queue"),
        "launch; launch; run r-1; ended a ok; ended tidy ok; run r-2; ended a ok; ended tidy ok",
        "r-2 created
         r-1 ended completed
         r-2 started
         = completed: a completed, tidy completed",
    );
}

#[test]
fn a_run_that_waits_for_its_place_can_be_cancelled() {
    check(
        &file("on-conflict: queue"),
        "launch; launch; cancel",
        "r-2 cancelling
         r-2 ended cancelled
         = cancelled: a skipped, tidy skipped",
    );
}

#[test]
fn a_retry_that_waits_for_its_place_is_cancelled_with_an_undo_of_what_it_has_kept() {
    check(
        "concurrency: {group: prod, on-conflict: queue}
         steps:
           - {id: a, run: x, undo: y}
           - {id: b, needs: a, run: x}",
        "launch; launch; run r-1; ended a ok; ended b fail; retry failed; cancel undo; ended a ok",
        "r-3 created
         r-3 a completed (kept)
         r-3 cancelling and undoing
         r-3 a undo asked
         r-3 a undo done
         no r-3 started
         = undone: a undone, b skipped",
    );
}

#[test]
fn skip_does_not_start_and_says_why() {
    check(
        &file("on-conflict: skip"),
        "launch; launch",
        "r-2 cancelling: r-1 of the same concurrency group is open
         no r-2 started
         = cancelled: a skipped, tidy skipped",
    );
}

#[test]
fn cancel_running_takes_the_place_of_what_runs() {
    check(
        &file("on-conflict: cancel-running"),
        "launch; launch; run r-1; ended a fail; ended tidy ok; run r-2",
        "r-1 cancelling: r-2 of the same concurrency group takes its place
         r-1 ended cancelled
         r-2 started
         = running: a running, tidy pending",
    );
}

#[test]
fn cancel_running_spares_what_waits_at_a_gate_or_for_its_place() {
    let file = "concurrency: {group: prod, on-conflict: cancel-running}
         steps:
           - {id: g, gate: {prompt: ok?}}";
    check(file, "launch; launch; launch", "no cancelling\n no r-2 started\n no r-3 started");
    let told = "concurrency: {group: prod, on-conflict: cancel-running, cancel-waiting: true}
         steps:
           - {id: g, gate: {prompt: ok?}}";
    check(told, "launch; launch", "g-1 cancelled by run\n r-1 ended cancelled\n r-2 started");
}

#[test]
fn runs_without_a_group_do_not_wait_for_each_other() {
    check(
        "steps:\n  - {id: g, gate: {prompt: ok?}}",
        "launch; launch; ann approves via-script",
        "r-2 started\n r-2 ended completed\n = completed: g completed",
    );
}

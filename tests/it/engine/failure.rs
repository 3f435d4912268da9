//! Notes of people on failures: seen, mended, or not after all (`semantics.md` 9).

use super::door::check;

const PAY: &str = "on-failure: compensate
    steps:
      - {id: lock, run: x, undo: unlock}
      - {id: pay, run: x, needs: lock, retry: {max-attempts: 2, delay: 5s}}
      - {id: mail, run: x, needs: pay}";
const FAILED: &str = "launch; ended lock ok; ended pay fail; wake 6s; ended pay fail;";
const STUCK: &str = "ended lock fail; wake 2s; ended lock fail; wake 3s; ended lock fail;";

#[test]
fn a_failure_is_acknowledged_then_resolved_and_the_same_again_changes_nothing() {
    let script = format!("{FAILED} acknowledge pay; acknowledge pay; resolve pay; resolve pay");
    check(PAY, &script, "pay failure acknowledged\n pay failure resolved\n no reopened");
}

#[test]
fn what_was_said_of_a_failure_can_be_taken_back() {
    let script = format!("{FAILED} resolve pay; acknowledge pay; reopen pay; acknowledge pay");
    check(
        PAY,
        &script,
        "pay failure resolved
         ! could not acknowledge the failure of pay of r-1: it is resolved; reopen it first
         pay failure reopened
         pay failure acknowledged",
    );
}

#[test]
fn only_a_failure_that_stands_can_be_acknowledged() {
    check(
        PAY,
        "launch; ended lock ok; ended pay fail; acknowledge pay",
        "! could not acknowledge the failure of pay of r-1: it has none that stands",
    );
    check(PAY, &format!("{FAILED} resolve mail"), "! could not resolve the failure of mail of r-1");
    check(PAY, &format!("{FAILED} resolve"), "! could not resolve the failure of r-1");
    let undo = "! could not acknowledge the failure of the undo of lock of r-1";
    check(PAY, &format!("{FAILED} acknowledge lock undo"), undo);
    check(PAY, &format!("{FAILED} {STUCK} acknowledge lock undo"), "lock failure of its undo acknowledged");
    let lock = "! could not acknowledge the failure of lock of r-1";
    check(PAY, &format!("{FAILED} {STUCK} acknowledge lock"), lock);
}

#[test]
fn an_undo_that_is_stuck_again_stands_again() {
    let script = format!("{FAILED} {STUCK} resolve lock undo; again lock; {STUCK} acknowledge lock undo");
    check(
        PAY,
        &script,
        "lock failure of its undo resolved\n lock undo stuck\n lock failure of its undo acknowledged",
    );
}

#[test]
fn a_run_whose_time_was_up_has_a_failure_of_its_own() {
    let workflow = "timeout: 10s
        steps:
          - {id: a, run: x}";
    check(
        workflow,
        "launch; wake 11s; ended a fail; acknowledge; resolve",
        "r-1 failure acknowledged\n r-1 failure resolved",
    );
}

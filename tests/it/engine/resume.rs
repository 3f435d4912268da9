//! Effects of a crash: by the class of the effect (`reliability.md` 3), and on waiting steps.

use super::door::{check, play};
use cuelight_base::ErrorKind;
use cuelight_engine::{Event, Fact, StepEvent};

fn file(effect: &str) -> String {
    format!("steps:\n  - {{id: a, run: x, effect: {effect}}}\n  - {{id: b, run: x, needs: a}}")
}

#[test]
fn pure_idempotent_and_keyed_work_runs_again() {
    for class in ["pure", "idempotent", "keyed"] {
        check(
            &file(class),
            "launch; crash; ended a#1 ok; ended a ok; ended b ok",
            "a call 1 lost
             a call 2
             a call 2 ended ok
             = completed: a completed, b completed",
        );
    }
}

#[test]
fn what_went_on_without_its_engine_is_adopted_and_nobody_is_asked() {
    for class in ["once", "idempotent"] {
        check(
            &file(class),
            "launch; crash 5s a=running; ended a ok v=1; ended b ok",
            "a call 1 still runs
             no call 2
             a completed 0.80 {\"v\":\"1\"}
             = completed: a completed, b completed",
        );
        check(
            &file(class),
            "launch; crash 5s a=ok; ended a ok; ended b ok",
            "a call 1 had ended
             a call 1 ended ok
             no call 2
             = completed: a completed, b completed",
        );
        check(
            &file(class),
            "launch; crash 5s a=fail",
            "a call 1 had ended
             a call 1 ended agent_logic
             = failed: a failed, b skipped",
        );
    }
}

#[test]
fn what_certainly_never_ran_is_called_again_and_does_not_count() {
    check(
        &file("once"),
        "launch; crash 5s a=never; ended a ok; ended b ok",
        "a call 1 ended system_crash
         a call 2
         no in doubt
         = completed: a completed, b completed",
    );
}

#[test]
fn what_was_to_be_ended_when_its_engine_died_is_ended_by_the_next_one() {
    check(
        &file("once"),
        "launch; cancel; crash 5s a=running; ended a fail user_cancelled",
        "a call 1 still runs, to be ended
         no call 2
         = cancelled: a cancelled, b skipped",
    );
    check(
        &file("pure"),
        "launch; cancel; crash 5s a=never",
        "no call 2\n = cancelled: a cancelled, b skipped",
    );
}

#[test]
fn a_call_whose_guard_died_is_judged_by_its_class_at_once() {
    check(&file("once"), "launch; lost a", "a call 1 lost\n a in doubt\n = running: a in-doubt, b pending");
    check(
        &file("keyed"),
        "launch; lost a; ended a ok; lost a; ended b ok",
        "a call 1 lost\n a call 2\n = completed: a completed, b completed",
    );
}

#[test]
fn undos_and_checks_that_went_on_are_adopted_as_well() {
    let undo = "on-failure: compensate\nsteps:\n  - {id: a, run: x, undo: u}\n  - {id: b, run: x, needs: a}";
    check(
        undo,
        "launch; ended a ok; ended b fail; crash 5s a=running; ended a ok",
        "a call 2 still runs\n no call 3\n = undone: a undone, b failed",
    );
    check(
        undo,
        "launch; ended a ok; ended b fail; crash 5s a=never; ended a ok",
        "a call 2 lost\n a call 3 undo\n = undone: a undone, b failed",
    );
    let queryable = "steps:\n  - {id: a, run: x, effect: queryable, check: c}\n  - {id: b, run: x, needs: a}";
    check(
        queryable,
        "launch; crash; crash 5s a=ok; ended b ok",
        "a call 2 had ended\n no call 3\n = completed: a completed, b completed",
    );
}

#[test]
fn work_that_may_happen_once_is_in_doubt_and_a_person_says_what_became_of_it() {
    check(
        &file("once"),
        "launch; crash",
        "a call 1 lost\n a in doubt\n no call 2\n = running: a in-doubt, b pending",
    );
    check(
        &file("once"),
        "launch; crash; happened a v=1; ended b ok",
        "a answered Happened
         a completed {\"v\":1}
         = completed: a completed, b completed",
    );
    check(
        &file("once"),
        "launch; crash; not-happened a; ended a ok; ended b ok",
        "a call 2\n = completed: a completed, b completed",
    );
    check(&file("once"), "launch; crash; abort a", "a failed system_crash\n = failed: a failed, b skipped");
}

#[test]
fn what_nobody_could_say_anything_of_is_a_failure_of_unknown_type() {
    let bench = play(&file("once"), "launch; crash; abort a");
    let is_unknown = |event: &Event| matches!(&event.fact, Fact::Step(_, _, StepEvent::Failed { record }) if record.error_type == ErrorKind::Unknown);
    assert!(bench.journal.iter().any(is_unknown), "{}", bench.text());
}

#[test]
fn who_does_not_count_at_the_gate_before_it_cannot_say_what_became_of_a_step_either() {
    let gated = |rule: &str| {
        format!(
            "steps:
           - {{id: g, gate: {{prompt: go?, undo-window: 0s{rule}}}}}
           - {{id: a, run: x, needs: g}}
           - {{id: b, run: x, needs: a}}"
        )
    };
    let why = "! could not resolve b of r-1: it is behind gate g, and req asked for this run; somebody else has to answer";
    let doubtful = "launch; ann approves; ended a ok; crash";
    check(
        &gated(", forbid: [run.actor]"),
        &format!("{doubtful}; happened b; not-happened b; abort b; skip b; done b; happened b as bob"),
        &format!(
            "b in doubt\n {why}\n {why}\n {why}\n {why}\n {why}\n b completed\n = completed: g completed, a completed, b completed"
        ),
    );
    check(
        &gated(", forbid: [run.actor]"),
        "launch; ann approves; ended a ok; ended b fail; done b; done b as ann",
        &format!("{why}\n b done by ann"),
    );
    check(&gated(""), &format!("{doubtful}; happened b"), "b completed\n no !");
}

#[test]
fn an_answer_about_what_is_in_no_doubt_is_refused() {
    check(&file("once"), "launch; happened a", "! could not answer for a of r-1: it is running");
}

#[test]
fn a_check_tells_whether_it_happened() {
    let file = "steps:
           - {id: a, run: x, effect: queryable, check: look, retry: {max-attempts: 2, delay: 1s, jitter: 0}}
           - {id: b, run: x, needs: a}";
    check(
        file,
        "launch; crash; ended a ok v=2; ended b ok",
        "a call 1 lost
         a call 2 check
         a completed 0.80 {\"v\":\"2\"}
         = completed: a completed, b completed",
    );
    check(
        file,
        "launch; crash; ended a fail agent_logic exit=1; ended a fail; wake 1s; ended a ok; ended b ok",
        "a call 2 check
         a call 3
         a call 3 ended agent_logic, again in 1s
         a call 4
         = completed: a completed, b completed",
    );
    check(file, "launch; crash; ended a fail agent_logic exit=3", "a call 2 check\n a in doubt");
    check(
        file,
        "launch; crash; crash; ended a ok; ended b ok",
        "a call 2 check\n a call 2 lost\n a call 3 check\n a completed",
    );
}

#[test]
fn a_crash_while_cancelling_starts_nothing_again() {
    check(
        &file("idempotent"),
        "launch; cancel; crash",
        "a call 1 lost
         a cancelled: run cancelled
         no call 2
         = cancelled: a cancelled, b skipped",
    );
    check(
        &file("once"),
        "launch; crash; cancel; not-happened a",
        "a in doubt
         a cancelled: run cancelled
         = cancelled: a cancelled, b skipped",
    );
}

#[test]
fn a_decision_stands_after_a_crash_and_its_continuation_needs_nobody() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: a, needs: g, run: x}",
        "launch; ann approves; crash 1h; wake 1s; ended a ok",
        "g-1 armed
         recovered after 1h
         g-1 approved by people
         a call 1
         = completed: g completed, a completed",
    );
}

#[test]
fn no_gate_is_approved_because_nobody_looked() {
    check(
        "steps:\n  - {id: g, gate: {prompt: go?, timeout: 1h, on-timeout: approve}}",
        "launch; crash 2h; wake 59m; wake 1m",
        "g-1 asked 2: nobody was looking; its timer starts again
         > wake 59m
         > wake 1m
         g-1 approved by timeout",
    );
    check(
        "steps:\n  - {id: g, gate: {prompt: go?, timeout: 1h}}",
        "launch; crash 2h; wake 1s",
        "g-1 expired by timeout\n no asked 2",
    );
}

#[test]
fn files_are_asked_for_again_after_a_crash() {
    check(
        "steps:\n  - {id: a, run: x, if: \"hashFiles('x') == 'abc'\"}",
        "launch; crash; facts a abc; ended a ok",
        "a asks for files
         recovered
         a asks for files
         a call 1
         = completed: a completed",
    );
}

#[test]
fn back_off_and_waits_go_on_after_a_crash() {
    check(
        "steps:
           - {id: a, run: x, retry: {max-attempts: 2, delay: 10s, jitter: 0}}
           - {id: w, wait: 1m}",
        "launch; ended a fail; crash 5s; wake 5s; ended a ok; wake 50s",
        "a call 2
         a completed
         w completed
         = completed: a completed, w completed",
    );
}

//! Time-outs of runs, steps and attempts, to the letter of `semantics.md` 1 and 3: what counts, and what does not.

use super::door::{check, play};
use cuelight_base::Span;
use cuelight_engine::{AttemptEvent, Fact};

/// The time that each call of a history may take.
fn limits(workflow: &str, script: &str) -> Vec<Option<Span>> {
    let started = |fact: &Fact| match fact {
        Fact::Attempt(_, _, _, AttemptEvent::Started { launch, .. }) => Some(launch.timeout),
        _ => None,
    };
    play(workflow, script).journal.iter().filter_map(|event| started(&event.fact)).collect()
}

#[test]
fn each_call_has_the_whole_time_and_waiting_for_the_next_one_takes_none_of_it() {
    let file = "steps:
        - id: a
          run: x
          timeout: 1m
          retry: {max-attempts: 2, delay: 1h, jitter: 0}
          fallback: [{run: y}]";
    let whole = Some(Span::seconds(60));
    assert_eq!(limits(file, "launch; ended a fail; wake 2h; ended a fail; ended a fail"), [whole; 3]);
    check(file, "launch; ended a fail; wake 2h; ended a ok", "a call 2\n = completed: a completed");
}

#[test]
fn waiting_for_people_takes_none_of_the_time_of_a_step() {
    let file = "budget: {calls: 1, on-exceed: gate}
    steps:
      - {id: a, run: x, timeout: 1m}
      - {id: b, needs: a, run: x, timeout: 1m}";
    let script = "launch; ended a ok; later 10h; ann approves via-script";
    assert_eq!(limits(file, script), [Some(Span::seconds(60)); 2]);
    check(file, &format!("{script}; ended b ok"), "b call 1\n = completed: a completed, b completed");
}

#[test]
fn the_time_of_a_run_goes_on_in_a_pause_and_in_a_back_off() {
    let file = "timeout: 1h
    steps:
      - {id: a, run: x, retry: {max-attempts: 2, delay: 3h, jitter: 0}}
      - {id: b, needs: a, run: x}";
    check(
        file,
        "launch; pause; ended a fail; wake 1h",
        "r-1 timed out
         a cancelled: run timed out
         b skipped: run timed out
         r-1 ended failed; 0/0/2 retry-all, system_timeout",
    );
    check(
        file,
        "launch; ended a fail; wake 1h",
        "r-1 timed out\n a cancelled: run timed out\n r-1 ended failed",
    );
}

#[test]
fn what_is_being_undone_is_undone_to_the_end_whatever_time_it_takes() {
    check(
        "timeout: 1h
    on-failure: compensate
    steps:
      - {id: a, run: x, undo: y}
      - {id: b, run: x, undo: y}
      - {id: c, needs: [a, b], run: x}",
        "launch; ended a ok; ended b ok; ended c fail; wake 2h; ended b ok; ended a ok",
        "b undo asked
         b undo done
         a undo done
         r-1 ended undone
         no a cancelled
         = undone: a undone, b undone, c failed",
    );
}

#[test]
fn a_run_whose_time_is_up_undoes_what_it_did_where_its_workflow_says_so() {
    check(
        "timeout: 1h
    on-failure: compensate
    steps:
      - {id: a, run: x, undo: y}
      - {id: g, needs: a, gate: {prompt: go?}}",
        "launch; ended a ok; wake 1h; ended a ok",
        "r-1 timed out
         g-1 cancelled
         r-1 compensating
         a undo done
         = undone: a undone, g cancelled",
    );
}

#[test]
fn a_step_in_doubt_keeps_a_run_open_whose_time_is_up() {
    check(
        "timeout: 1h\nsteps:\n- {id: a, run: x}",
        "launch; crash; wake 1h; not-happened a",
        "a in doubt
         r-1 timed out
         a cancelled: run timed out
         r-1 ended failed",
    );
}

#[test]
fn no_step_runs_after_the_time_of_its_run_whatever_its_condition_says() {
    check(
        "timeout: 1h\nsteps:\n- {id: a, run: x}\n- {id: b, needs: a, if: always(), run: x}",
        "launch; wake 1h; ended a fail",
        "r-1 timed out\n b skipped: run timed out\n no b call\n = failed: a cancelled, b skipped",
    );
}

#[test]
fn a_run_that_waits_for_its_turn_has_all_its_time_once_it_begins() {
    check(
        "timeout: 1h\nconcurrency: {group: one}\nsteps:\n- {id: a, run: x}",
        "launch; launch; run r-1; later 50m; ended a ok; run r-2; wake 30m; ended a ok",
        "r-1 ended completed\n r-2 ended completed\n no timed out",
    );
}

#[test]
fn a_cancelled_run_says_that_a_person_wanted_it_so() {
    check(
        "steps:\n- {id: a, run: x}\n- {id: b, needs: a, run: x}",
        "launch; ended a ok; cancel; ended b fail",
        "r-1 ended cancelled; 1/0/1 manual, user_cancelled",
    );
}

//! Attempts: retries, back-off, fallbacks (`semantics.md` 3).

use super::door::{check, play};

const RETRIED: &str = "steps:
    - {id: a, run: x, retry: {max-attempts: 3, delay: 1s, factor: 2, jitter: 0}}
    - {id: b, run: x, needs: a}";

#[test]
fn max_attempts_counts_all_calls_and_the_delay_grows() {
    check(
        RETRIED,
        "launch; ended a fail; wake 1s; ended a fail; wake 1s; wake 1s; ended a fail",
        "a call 1 ended agent_logic, again in 1s
         a call 2
         a call 2 ended agent_logic, again in 2s
         a call 3
         a failed agent_logic
         r-1 ended failed; 0/1/1
         = failed: a failed, b skipped",
    );
}

#[test]
fn a_success_after_failures_is_a_success() {
    check(
        RETRIED,
        "launch; ended a fail; wake 1s; ended a ok; ended b ok",
        "= completed: a completed, b completed",
    );
}

#[test]
fn terminal_modes_are_final() {
    check(RETRIED, "launch; ended a fail system_oom", "no again in\n a failed system_oom");
}

#[test]
fn without_retry_a_failure_is_final() {
    check("steps:\n  - {id: a, run: x}", "launch; ended a fail system_network", "= failed: a failed");
}

#[test]
fn retry_on_names_the_modes() {
    let file = "steps:\n  - {id: a, run: x, retry: {max-attempts: 2, delay: 1s, on: [system_network]}}";
    check(file, "launch; ended a fail", "a failed agent_logic\n no again in");
    check(file, "launch; ended a fail system_network", "again in");
}

#[test]
fn a_call_that_did_not_start_is_given_back() {
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; ended a not-started; ended a not-started; ended a ok",
        "a call 3
         = completed: a completed",
    );
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; ended a not-started; ended a not-started; ended a not-started; ended a not-started",
        "= failed: a failed",
    );
}

#[test]
fn a_call_that_may_have_happened_is_not_made_again_where_twice_would_be_wrong() {
    let step = |effect: &str| {
        format!(
            "steps:\n  - {{id: a, run: x, effect: {effect}, retry: {{max-attempts: 2, delay: 1s, jitter: 0}}}}"
        )
    };
    let unknown = "launch; ended a unknown system_network";
    check(&step("once"), unknown, "a in doubt\n no again in");
    check(&step("keyed"), unknown, "again in 1s");
    check(&step("pure"), unknown, "again in 1s");
    check(&step("queryable, check: look"), unknown, "a call 2 check\n no again in");
}

#[test]
fn whoever_asks_for_time_gets_it_up_to_an_hour() {
    let step = "steps:\n  - {id: a, run: x, retry: {max-attempts: 2, delay: 1s, jitter: 0}}";
    check(step, "launch; ended a fail policy_rate_limit after=7s", "again in 7s");
    check(step, "launch; ended a fail policy_rate_limit after=1ms", "again in 1s");
    check(step, "launch; ended a fail policy_rate_limit after=1h", "again in 1h");
    check(step, "launch; ended a fail policy_rate_limit after=2h", "no again in\n = failed: a failed");
}

#[test]
fn a_fallback_stands_under_the_failed_steps_id_with_the_fallback_named() {
    check(
        "steps:
           - {id: a, run: x, fallback: [{run: y}, {run: z}]}
           - {id: b, run: x, needs: a}",
        "launch; ended a fail; ended a fail; ended a ok v=1; ended b ok",
        "a call 1
         a call 2 fallback 1
         a call 3 fallback 2
         a completed by fallback 2 0.80 {\"v\":\"1\"}
         b call 1
         = completed: a completed, b completed",
    );
}

#[test]
fn when_every_fallback_has_failed_the_step_has() {
    check(
        "steps:\n  - {id: a, run: x, fallback: [{run: y}], retry: {max-attempts: 2, delay: 1s, jitter: 0}}",
        "launch; ended a fail; wake 1s; ended a fail; ended a fail; wake 1s; ended a fail",
        "a call 3 fallback 1
         a call 4 fallback 1
         a failed
         = failed: a failed",
    );
}

#[test]
fn an_answer_that_comes_twice_or_late_changes_nothing() {
    check(
        RETRIED,
        "launch; ended a fail; ended a#1 ok; wake 1s; ended a#1 ok; ended a#2 ok; ended a#2 fail; ended b ok",
        "a call 1 ended agent_logic
         a call 2 ended ok
         no a call 1 ended ok
         = completed: a completed, b completed",
    );
}

#[test]
fn an_answer_to_what_was_never_asked_changes_nothing() {
    let bench = play(RETRIED, "launch; ended b ok; ended a#9 ok");
    assert_eq!(bench.standing(), "running: a running, b pending");
}

#[test]
fn waiting_for_the_next_attempt_holds_no_slot() {
    check(
        "max-parallel: 1
         steps:
           - {id: a, run: x, retry: {max-attempts: 2, delay: 1s, jitter: 0}}
           - {id: b, run: x}",
        "launch; ended a fail; wake 1s; ended b ok; ended a ok",
        "a call 1
         b ready
         b call 1
         a ready
         a call 2
         = completed: a completed, b completed",
    );
}

#[test]
fn every_attempt_of_a_step_has_the_same_effect_key() {
    use cuelight_engine::Effect;
    let bench = play(RETRIED, "launch; ended a fail; wake 1s");
    let keys: Vec<_> = bench
        .effects()
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Call { effect_key, .. } => Some(effect_key),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_program_that_is_missing_or_may_not_be_executed_is_not_tried_again_unless_that_is_asked_for() {
    let step = |rules: &str| format!("steps:\n  - {{id: a, run: x{rules}}}");
    for mode in ["user_permission", "user_invalid_input"] {
        check(
            &step(""),
            &format!("launch; ended a not-started {mode}"),
            &format!("a call 1 ended {mode}\n no a call 2\n a failed {mode}"),
        );
        check(
            &step(", retry: {max-attempts: 3, kind: constant, delay: 1s, jitter: 0}"),
            &format!("launch; ended a not-started {mode}"),
            &format!("no a call 2\n a failed {mode}"),
        );
        check(
            &step(&format!(
                ", retry: {{max-attempts: 2, kind: constant, delay: 1s, jitter: 0, on: [{mode}]}}"
            )),
            &format!("launch; ended a not-started {mode}; wake 1s; ended a not-started {mode}"),
            &format!("a call 2\n no a call 3\n a failed {mode}"),
        );
    }
    check(
        &step(", retry: {max-attempts: 2, kind: constant, delay: 1s, jitter: 0, on: [system_disk]}"),
        "launch; ended a not-started system_disk; ended a not-started system_disk; ended a not-started system_disk
         ended a not-started system_disk; wake 1s; ended a not-started system_disk",
        "a call 4\n a call 5\n no a call 6\n a failed system_disk",
    );
}

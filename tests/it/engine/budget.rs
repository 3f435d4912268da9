//! Budgets (`semantics.md` 7).

use super::door::check;

fn file(on_exceed: &str) -> String {
    format!(
        "max-parallel: 1
         budget: {{calls: 2, on-exceed: {on_exceed}}}
         steps:
           - {{id: a, run: x}}
           - {{id: b, run: x, needs: a, retry: {{max-attempts: 2, delay: 1s, jitter: 0}}}}"
    )
}
const TO_THE_END: &str = "launch; ended a ok; ended b fail; wake 1s";

#[test]
fn it_warns_once_at_eighty_percent() {
    check(&file("warn"), TO_THE_END, "r-1 budget: 2 of 2\n b call 2\n = running: a completed, b running");
}

#[test]
fn a_ceiling_may_be_as_high_as_a_number_gets() {
    let most = u64::MAX;
    check(
        &format!("budget: {{calls: {most}}}\nsteps:\n  - {{id: a, run: x}}"),
        "launch; ended a ok",
        "no budget\n = completed: a completed",
    );
}

#[test]
fn block_fails_the_step() {
    check(
        &file("block"),
        TO_THE_END,
        "b failed policy_budget: the budget of 2 calls is used up\n = failed: a completed, b failed",
    );
}

#[test]
fn gate_asks_and_raises_the_ceiling_for_this_run() {
    check(
        &file("gate"),
        &format!("{TO_THE_END}; ann approves; ended b ok"),
        "g-1 asked 1
         b waits for g-1
         g-1 approved by people
         r-1 budget raised to 4 by ann
         b call 2
         = completed: a completed, b completed",
    );
    check(
        &file("gate"),
        &format!("{TO_THE_END}; ann rejects : too dear"),
        "b failed policy_budget: the budget is used up and was not raised\n = failed: a completed, b failed",
    );
}

#[test]
fn a_raised_budget_starts_nothing_while_the_run_is_paused() {
    check(
        &file("gate"),
        &format!("{TO_THE_END}; pause; ann approves; resume; ended b ok"),
        "r-1 paused
         r-1 budget raised
         b ready
         r-1 resumed
         b call 2
         = completed: a completed, b completed",
    );
}

#[test]
fn a_fallback_that_had_to_wait_for_the_budget_is_still_the_fallback() {
    check(
        "budget: {calls: 1, on-exceed: gate}
         steps:\n           - {id: a, run: x, fallback: [{run: y}]}",
        "launch; ended a fail; ann approves; ended a ok",
        "g-1 asked
         a call 2 fallback 1
         a completed by fallback 1
         = completed: a completed",
    );
}

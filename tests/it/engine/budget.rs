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
        "b failed policy_budget: the budget was not raised\n = failed: a completed, b failed",
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

/// Two steps, one after the other, with a budget for the run.
fn two(budget: &str, first: &str) -> String {
    format!("budget: {{{budget}}}\nsteps:\n  - {{id: a, run: x{first}}}\n  - {{id: b, run: x, needs: a}}")
}

#[test]
fn tokens_and_money_are_what_the_step_says_it_used() {
    check(
        &two("tokens: 1000, cost-usd: 2, on-exceed: block", ""),
        "launch; ended a ok tokens=1000 cost-usd=0.25",
        "a call 1
         a call 1 ended
         r-1 budget: 1000 of 1000
         b failed policy_budget: the budget of 1000 tokens is used up
         = failed: a completed, b failed",
    );
    check(
        &two("cost-usd: 2, on-exceed: block", ""),
        "launch; ended a ok cost_usd=1.599999; ended b ok",
        "no budget\n = completed: a completed, b completed",
    );
    check(
        &two("cost-usd: 2", ""),
        "launch; ended a ok cost-usd=1.6; ended b ok",
        "r-1 budget: 1.60 of 2.00\n = completed: a completed, b completed",
    );
}

#[test]
fn a_failed_call_costs_what_it_says_as_well() {
    check(
        "budget: {tokens: 100}
         steps:
           - {id: a, run: x, on-error: continue, outputs: {n: integer}}
           - {id: b, run: x, needs: a, if: always()}",
        "launch; ended a ok tokens=60; ended b ok tokens=40",
        "a failed agent_contract
         r-1 budget: 100 of 100
         = partially-completed: a failed, b completed",
    );
}

#[test]
fn a_call_is_charged_with_its_estimate_until_it_ends() {
    let file = "budget: {tokens: 1500}
         steps:
           - {id: a, run: x, estimate: {tokens: 600}}
           - {id: b, run: x, estimate: {tokens: 400}}
           - {id: c, run: x, needs: a, estimate: {tokens: 500}}";
    // What is in flight counts as much as it was thought to need, then as much as it did.
    check(
        file,
        "launch; ended a ok tokens=700; ended b ok tokens=0",
        "a call 1
         b call 1
         a completed
         c failed policy_budget: the next call needs 500 tokens, and the budget of 1500 tokens has 400 left",
    );
    check(
        file,
        "launch; ended a ok tokens=600; ended b ok",
        "r-1 budget: 1500 of 1500\n = running: a completed, b completed, c running",
    );
}

#[test]
fn what_a_lost_call_was_charged_with_stays_charged() {
    check(
        "budget: {tokens: 1000, on-exceed: gate}
         steps:
           - {id: a, run: x, effect: idempotent, estimate: {tokens: 600}}",
        "launch; crash 1m",
        "a call 1 lost
         g-1 asked
         a waits for g-1",
    );
}

#[test]
fn money_is_raised_in_dollars() {
    check(
        &two("cost-usd: 0.5, calls: 9, on-exceed: gate", ""),
        "launch; ended a ok cost-usd=0.75; ann edits b cost-usd=1.25; bob approves b; ended b ok cost-usd=0.1",
        "g-1 asked 1
         g-1 asked 2: ann changed cost-usd
         r-1 budget raised to 1.25 by bob, cost-usd
         b call 1
         no calls
         = completed: a completed, b completed",
    );
}

#[test]
fn a_step_can_have_a_budget_of_its_own() {
    let file = |on_exceed: &str| {
        format!(
            "steps:
               - id: a
                 run: x
                 budget: {{calls: 2, on-exceed: {on_exceed}}}
                 retry: {{max-attempts: 5, delay: 1s, factor: 1, jitter: 0}}
               - {{id: b, run: x}}"
        )
    };
    let twice = "launch; ended b ok; ended a fail; wake 1s; ended a fail; wake 1s";
    check(
        &file("block"),
        twice,
        "r-1 budget of a: 2 of 2\n a failed policy_budget: its own budget of 2 calls is used up\n = failed: a failed, b completed",
    );
    check(
        &file("gate"),
        &format!("{twice}; ann approves; ended a ok"),
        "g-1 asked\n r-1 budget of a raised to 4 by ann\n a call 3\n = completed: a completed, b completed",
    );
    check(&file("warn"), &format!("{twice}; ended a ok"), "a call 3\n = completed: a completed, b completed");
}

#[test]
fn what_nobody_can_read_fails_the_step_where_a_budget_counts_it() {
    check(
        &two("tokens: 10", ""),
        "launch; ended a ok tokens=many",
        "a failed agent_contract: wrote `tokens` as \"many\", which is no whole number; a budget counts it",
    );
    check(&two("cost-usd: 10", ""), "launch; ended a ok tokens=abcdef", "a completed\n b call 1");
}

#[test]
fn a_ceiling_of_nothing_lets_pass_what_needs_nothing() {
    check(
        &two("tokens: 0", ""),
        "launch; ended a ok tokens=1",
        "a call 1\n a completed\n b failed policy_budget: the budget of 0 tokens is used up",
    );
}

#[test]
fn the_question_says_what_is_used_up_and_what_is_asked_for() {
    let mut bench = super::door::play(
        &two("tokens: 1000, cost-usd: 1, on-exceed: gate", ", estimate: {tokens: 10}"),
        "launch; ended a ok tokens=1200 cost-usd=3.5",
    );
    let ask = bench.ask("b");
    assert_eq!(
        ask.prompt,
        "The budget of 1000 tokens is used up; the budget of 1.00 USD is used up. Raise it for this run? \
         Yes: b makes its call within the raised budget. No: b fails."
    );
    let form: Vec<(String, String)> =
        ask.form.iter().map(|item| (item.name.clone(), item.value.to_string())).collect();
    let wanted = [("tokens", "2000"), ("cost-usd", "3.50")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(form, wanted);
    bench.drive();
    assert!(bench.standing().starts_with("completed"), "{}", bench.text());
}

#[test]
fn the_question_says_what_a_no_takes_back_and_leaves_out() {
    let asked = |on: &str, last: &str| {
        let file = format!(
            "on-failure: {on}
budget: {{calls: 2, on-exceed: gate}}
steps:
  - {{id: a, run: x, undo: y}}
  - {{id: b, run: x, needs: a, effect: once}}
  - {{id: c, run: x, needs: b{last}}}
  - {{id: d, run: x, needs: c}}
  - {{id: e, run: x, needs: c, if: always()}}"
        );
        let ask = super::door::play(&file, "launch; ended a ok; ended b ok").ask("c");
        (ask.skips, ask.undoes, ask.cannot_undo)
    };
    let names = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(asked("compensate", ""), (names(&["d"]), names(&["a"]), names(&["b"])));
    assert_eq!(asked("compensate", ", on-error: continue"), (names(&["d"]), vec![], vec![]));
    assert_eq!(asked("continue", ""), (names(&["d"]), vec![], vec![]));
    let in_a_frame = |on_error: &str| {
        let file = format!(
            "on-failure: compensate
budget: {{calls: 1, on-exceed: gate}}
steps:
  - {{id: a, run: x, undo: y}}
  - {{id: c, run: x, needs: a, matrix: {{n: [1]}}{on_error}}}"
        );
        super::door::play(&file, "launch; ended a ok").ask("c[1]").undoes
    };
    assert_eq!(in_a_frame(""), names(&["a"]));
    assert_eq!(in_a_frame(", on-error: continue"), names(&[]));
}

/// Two calls of one answer of a model wait for the budget of its step, and the run has one of its own.
const TALK: &str = "budget: {calls: 9, on-exceed: gate}
steps:
  - {id: a, budget: {calls: 1, on-exceed: gate}, llm: {model: stand-in, prompt: Look, tools: [one@1]}}
--- tools/one.yaml
name: one
version: 1
description: Looks
command: [one]
effect: pure
risk: read-only
input: {type: object, properties: {}}
";

/// The answer that asks for both calls.
const ASKS: &str = r#"launch; ended a/ask-1 ok calls=[{"id":"1","name":"one","arguments":{}},{"id":"2","name":"one","arguments":{}}]"#;

#[test]
fn a_yes_raises_the_budget_that_was_asked_about_also_when_that_has_room_by_then() {
    check(
        TALK,
        &format!("{ASKS}; ann approves a/call-1.1 calls=9; bob approves a/call-1.2"),
        "g-1 asked 1
         g-2 asked 1
         r-1 budget of a raised to 9 by ann
         a/call-1.1 call 1
         r-1 budget of a raised to 9 by bob
         a/call-1.2 call 1
         no r-1 budget raised",
    );
}

#[test]
fn a_question_about_a_budget_that_is_asked_again_stays_about_that_budget() {
    let bench = super::door::play(
        TALK,
        &format!("{ASKS}; ann approves a/call-1.1 calls=9; bob edits a/call-1.2 calls=5"),
    );
    let ask = bench.ask("a/call-1.2");
    assert!(ask.prompt.contains("Raise it for this step?"), "{}", ask.prompt);
    let about = ask.form[0].description.as_deref();
    assert_eq!(about, Some("calls this step may make, from now on"));
}

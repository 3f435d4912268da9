//! Targets of calls: circuits that open and close, and steps that wait meanwhile (`semantics.md` 8).

use super::door::{check, play};
use cuelight_base::{RunId, Seq};
use cuelight_projection::{Board, Grade, TrailRow, why};

/// A workflow whose steps call `bank`, a tool whose circuit opens after two failures and closes after two successes.
fn file(steps: &str, breaker: &str) -> String {
    format!(
        "max-parallel: 4
         steps:
{steps}
--- tools/bank.yaml
name: bank
version: 1
description: Pays
effect: pure
command: [pay]
breaker: {{failures: 2, open-for: 30s, successes: 2{breaker}}}
--- tools/other.yaml
name: other
version: 1
description: Pays elsewhere
command: [pay]
"
    )
}

const THREE: &str = "           - {id: a, uses: bank@1, on-error: continue}
           - {id: b, uses: bank@1, on-error: continue}
           - {id: c, needs: [a, b], if: always(), uses: bank@1}
           - {id: d, needs: [a, b], if: always(), uses: bank@1}
           - {id: e, needs: [a, b], if: always(), uses: bank@1}";

#[test]
fn a_circuit_opens_is_tried_one_call_at_a_time_and_closes() {
    check(
        &file(THREE, ""),
        "launch; ended a fail system_network; ended b fail system_network; wake 29s; wake 1s;
         ended c ok; ended d ok; ended e ok",
        "a call 1 ended system_network
         bank@1.0.0 counts 1
         b call 1 ended system_network
         bank@1.0.0 opens for 30s: 2 calls in a row failed, the last with system_network
         c waits at bank@1.0.0 for 30s: Circuit
         d waits at bank@1.0.0 for 30s: Circuit
         > wake 29s
         > wake 1s
         bank@1.0.0 half opens
         c call 1
         > ended c ok
         bank@1.0.0 succeeds 1
         d call 1
         > ended d ok
         bank@1.0.0 closes: 2 calls in a row succeeded
         e call 1
         = partially-completed: a failed, b failed, c completed, d completed, e completed",
    );
}

#[test]
fn one_that_fails_again_while_it_is_tried_keeps_the_others_waiting() {
    check(
        &file(THREE, ""),
        "launch; ended a fail; ended b fail; wake 30s; ended c fail; wake 30s; ended d ok; ended e ok",
        "bank@1.0.0 half opens
         c call 1
         bank@1.0.0 opens for 30s: it was tried and failed again with agent_logic
         > wake 30s
         bank@1.0.0 half opens
         d call 1
         > ended d ok
         e call 1
         = failed: a failed, b failed, c failed, d completed, e completed",
    );
}

#[test]
fn a_success_between_them_keeps_a_circuit_closed_and_some_failures_say_nothing_of_the_target() {
    let steps = "           - {id: a, uses: bank@1, retry: {max-attempts: 9, delay: 1s, jitter: 0, on: [user_invalid_input, system_network]}}
           - {id: b, uses: bank@1}";
    check(
        &file(steps, ""),
        "launch; ended a fail system_network; ended b ok; wake 1s; ended a fail system_network; wake 2s;
         ended a fail user_invalid_input; wake 4s; ended a ok",
        "bank@1.0.0 counts 1
         > ended b ok
         bank@1.0.0 counts 0
         bank@1.0.0 counts 1
         a call 3 ended user_invalid_input
         bank@1.0.0 counts 0
         no opens
         = completed: a completed, b completed",
    );
}

#[test]
fn where_nothing_is_to_wait_a_call_fails_and_where_there_is_a_fallback_it_is_taken() {
    let steps = "           - {id: a, uses: bank@1, on-error: continue}
           - {id: b, uses: bank@1, on-error: continue}
           - {id: c, needs: [a, b], if: always(), uses: bank@1, on-error: continue}
           - {id: d, needs: [a, b], if: always(), uses: bank@1, fallback: [other@1]}";
    check(
        &file(steps, ", when-open: fail"),
        "launch; ended a fail; ended b fail; ended d ok",
        "bank@1.0.0 opens
         c failed resource_circuit: the circuit of bank@1.0.0 is open until
         d routed to other@1.0.0 by fallback: the circuit of bank@1.0.0 is open until
         d call 1 fallback 1
         d completed by fallback 1
         no c call
         no d waits
         = partially-completed: a failed, b failed, c failed, d completed",
    );
}

#[test]
fn a_circuit_survives_a_restart_and_one_that_was_tried_when_the_engine_died_is_tried_again() {
    check(
        &file(THREE, ""),
        "launch; ended a fail; ended b fail; crash 10s; wake 20s; crash 1s; ended d ok; ended e ok; ended c ok",
        "bank@1.0.0 opens
         recovered after 10s
         > wake 20s
         bank@1.0.0 half opens
         c call 1
         recovered after 1s
         c call 1 lost
         c waits at bank@1.0.0: Line
         d call 1
         e call 1
         c call 2
         = partially-completed: a failed, b failed, c completed, d completed, e completed",
    );
}

#[test]
fn a_step_that_was_cancelled_while_it_was_tried_lets_the_next_one_try() {
    check(
        &file(THREE, ""),
        "launch; ended a fail; ended b fail; wake 30s; skip c; ended c fail user_cancelled; ended d ok; ended e ok",
        "c call 1
         > skip c
         c ending: by req
         c skipped
         d call 1
         = partially-completed: a failed, b failed, c skipped, d completed, e completed",
    );
}

#[test]
fn who_waits_for_a_target_holds_no_slot_and_others_go_on() {
    let steps = "           - {id: a, uses: bank@1, on-error: continue}
           - {id: b, needs: [a], if: always(), uses: bank@1, on-error: continue}
           - {id: c, needs: [b], if: always(), uses: bank@1}
           - {id: x, needs: [b], if: always(), run: x}";
    let text = file(steps, "").replace("max-parallel: 4", "max-parallel: 1");
    check(
        &text,
        "launch; ended a fail; ended b fail; pause; resume; ended x ok; wake 30s; ended c ok",
        "c waits at bank@1.0.0
         x call 1
         x completed
         bank@1.0.0 half opens
         c call 1
         = partially-completed: a failed, b failed, c completed, x completed",
    );
}

#[test]
fn a_cancelled_run_leaves_the_line_and_the_circuit_stays_for_the_next_run() {
    let steps = "           - {id: a, uses: bank@1}
           - {id: b, uses: bank@1, on-error: continue}";
    check(
        &file(steps, ""),
        "launch; ended b fail; ended a fail; launch; cancel; launch; wake 30s; ended a ok; ended b ok",
        "bank@1.0.0 opens
         r-2 a waits at bank@1.0.0 for 30s: Circuit
         r-2 a cancelled: run cancelled
         r-3 a waits at bank@1.0.0 for 30s: Circuit
         bank@1.0.0 half opens
         r-3 a call 1
         bank@1.0.0 succeeds 1
         r-3 b call 1
         bank@1.0.0 closes
         = completed: a completed, b completed",
    );
}

/// A workflow whose steps call `mail`, which takes so many calls.
fn mailed(rate: &str, steps: &str) -> String {
    format!(
        "max-parallel: 1
         steps:
{steps}
--- tools/mail.yaml
name: mail
version: 1
description: Writes
effect: pure
command: [mail]
rate: {rate}
--- tools/pigeon.yaml
name: pigeon
version: 1
description: Flies
command: [coo]
"
    )
}

const LETTERS: &str = "           - {id: a, uses: mail@1}
           - {id: b, uses: mail@1}
           - {id: c, uses: mail@1}
           - {id: d, uses: mail@1, priority: 5}
           - {id: x, run: x}";

#[test]
fn calls_that_come_too_fast_wait_in_line_and_hold_no_slot() {
    check(
        &mailed("{calls: 1, per: 10s, burst: 2}", LETTERS),
        "launch; ended d ok; ended a ok; ended x ok; wake 9s; wake 1s; ended b ok; wake 10s; ended c ok",
        "mail@1.0.0 takes call 1 of the day
         d call 1
         > ended d ok
         a call 1
         > ended a ok
         b waits at mail@1.0.0 for 10s: Rate
         c waits at mail@1.0.0 for 20s: Line
         x call 1
         > wake 1s
         mail@1.0.0 takes call 3
         b call 1
         c waits at mail@1.0.0 for 10s: Rate
         > wake 10s
         c call 1
         = completed: a completed, b completed, c completed, d completed, x completed",
    );
}

#[test]
fn what_will_stand_in_line_behind_other_runs_is_foretold_so() {
    // Every command is previewed by the bench, and must do what was foretold.
    let steps = "           - {id: a, run: x}
           - {id: m, needs: a, uses: mail@1}";
    check(
        &mailed("{calls: 1, per: 10s}", steps),
        "launch; launch; launch; run r-1; ended a ok; run r-2; ended a ok; run r-3; ended a ok; wake 10s",
        "m call 1
         r-2 m waits at mail@1.0.0 for 10s: Rate
         r-3 m waits at mail@1.0.0 for 20s: Line
         r-2 m call 1
         r-3 m waits at mail@1.0.0 for 10s: Rate",
    );
}

#[test]
fn what_is_more_urgent_goes_first_in_line_and_who_came_first_keeps_the_place() {
    let steps = "           - {id: a, uses: mail@1}
           - {id: b, uses: mail@1}
           - {id: c, uses: mail@1}
           - {id: d, uses: mail@1}
           - {id: x, run: x}
           - {id: p, needs: x, uses: mail@1, priority: 5}";
    let text = mailed("{calls: 1, per: 10s}", steps).replace("max-parallel: 1", "max-parallel: 9");
    check(
        &text,
        "launch; ended a ok; ended x ok; wake 10s; wake 10s; wake 10s; wake 10s; ended p ok; ended b ok; ended c ok; ended d ok",
        "b waits at mail@1.0.0 for 10s: Rate
         > ended x ok
         p waits at mail@1.0.0 for 10s: Rate
         p call 1
         b call 1
         c call 1
         d call 1
         = completed: a completed, b completed, c completed, d completed, x completed, p completed",
    );
}

#[test]
fn a_bucket_is_that_of_all_runs_and_survives_a_restart() {
    let one = "           - {id: a, uses: mail@1}";
    check(
        &mailed("{calls: 1, per: 10s}", one),
        "launch; ended a ok; launch; crash 4s; cancel; launch; wake 5s; wake 1s; ended a ok",
        "r-2 a waits at mail@1.0.0 for 10s: Rate
         recovered after 4s
         r-2 a cancelled
         r-3 a waits at mail@1.0.0 for 6s: Rate
         > wake 5s
         > wake 1s
         r-3 a call 1
         = completed: a completed",
    );
}

#[test]
fn a_used_up_day_waits_for_the_next_in_its_zone_and_a_fallback_does_not() {
    // The clock of these tests begins at 08:00 UTC, which is 03:00 in New York.
    let two = "           - {id: a, uses: mail@1}
           - {id: b, needs: a, uses: mail@1}
           - {id: c, needs: a, uses: mail@1, fallback: [pigeon@1]}";
    check(
        &mailed("{per-day: 1, timezone: America/New_York}", two),
        "launch; ended a ok; ended c ok; crash 1h; wake 19h; wake 1h; ended b ok",
        "mail@1.0.0 takes call 1 of the day
         b waits at mail@1.0.0 for 21h: Quota
         c routed to pigeon@1.0.0 by fallback: mail@1.0.0 takes no more calls on this day
         c call 1 fallback 1
         > wake 19h
         > wake 1h
         mail@1.0.0 takes call 1 of the day
         b call 1
         = completed: a completed, b completed, c completed",
    );
}

#[test]
fn a_host_that_is_down_holds_back_no_other() {
    check(
        "steps:
           - {id: a, uses: http.get@1, with: {url: \"https://a.test/x\"}, on-error: continue, retry: {max-attempts: 5, delay: 1s, kind: constant, jitter: 0}}
           - {id: b, needs: a, if: always(), uses: http.get@1, with: {url: \"https://b.test/x\"}}
           - {id: c, needs: a, if: always(), uses: http.get@1, with: {url: \"https://a.test/y\"}}",
        "launch; ended a fail resource_api; wake 1s; ended a fail resource_api; wake 1s; ended a fail resource_api; wake 1s;
         ended a fail resource_api; wake 1s; ended a fail resource_api; ended b ok status=200",
        "http.get@1.0.0 at https://a.test opens for 30s: 5 calls in a row failed, the last with resource_api
         b call 1
         c waits at http.get@1.0.0 at https://a.test for 30s: Circuit",
    );
}

#[test]
fn who_looks_is_told_why_and_the_trail_says_who_decided() {
    let bench = play(&file(THREE, ""), "launch; ended a fail; ended b fail; wake 10s");
    let mut board = Board::default();
    for (place, event) in (1..).zip(&bench.journal) {
        board.apply(Seq(place), event);
    }
    let run = board.run(RunId(1)).expect("it is there");
    let lines: Vec<String> =
        why(&board, run, bench.step("c"), bench.now).into_iter().map(|item| item.text).collect();
    assert_eq!(
        lines,
        [
            "c waits for bank@1.0.0: its circuit is open, until 08:00:30 (20s left)",
            "bank@1.0.0 has an open circuit, tried again in 20s: 2 calls in a row failed, the last with agent_logic",
            "3 steps wait for it",
        ]
    );
    let checks = board.checks(bench.now);
    let circuits = checks.iter().find(|check| check.name == "targets").expect("it is checked");
    assert_eq!(
        (circuits.grade, circuits.text.as_str()),
        (
            Grade::Degraded,
            "bank@1.0.0 has an open circuit, tried again in 20s: 2 calls in a row failed, the last with agent_logic, 3 steps wait for it"
        )
    );
    let rows = (1..).zip(&bench.journal).map(|(place, value)| TrailRow::of(Seq(place), value, Some(&**run)));
    let opened: Vec<TrailRow> = rows.filter(|row| row.kind == "target.opened").collect();
    let [row] = opened.as_slice() else { panic!("{opened:?}") };
    assert!(
        row.is_decision && row.who == "policy" && row.on == "bank@1.0.0" && !row.why.is_empty(),
        "{row:?}"
    );
}

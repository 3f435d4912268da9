//! One of several tools is chosen: by which policy, with which reason, and what becomes of a step whose candidates take no
//! call (`semantics.md` 8). How a policy reckons stands as a table beside it.

use super::door::{check, play};
use cuelight_base::{RunId, Seq, Span};
use cuelight_engine::{Event, Fact, Stage, StepEvent};
use cuelight_projection::{Board, Percentiles, Period, TrailRow, why};
use std::fmt::Write as _;

/// A workflow whose steps call one of `a`, `b` and `c`; the circuit of each opens after one failure.
fn file(steps: &str) -> String {
    let tool = |name: &str, more: &str| {
        format!(
            "--- tools/{name}.yaml
name: {name}
version: 1
description: Ships with {name}
effect: pure
command: [{name}, \"${{{{ input.what }}}}\"]
input: {{type: object, properties: {{what: {{type: string, default: it}}}}}}
breaker: {{failures: 1, open-for: 30s, successes: 1}}
{more}
"
        )
    };
    let a = tool("a", "capabilities: [image]\npriority: 1");
    let b = tool("b", "capabilities: [image, pdf]\npriority: 5");
    let c = tool("c", "capabilities: [pdf]\nrate: {per-day: 1}");
    format!("max-parallel: 4\nsteps:\n{steps}\n{a}{b}{c}")
}

/// The choices in a journal, as `STEP TOOL`.
fn choices(journal: &[Event]) -> Vec<String> {
    let chosen = |event: &Event| match &event.fact {
        Fact::Step(_, step, StepEvent::Routed { choice }) => Some(format!("{} {}", step.0, choice.chosen)),
        _ => None,
    };
    journal.iter().filter_map(chosen).collect()
}

#[test]
fn each_policy_chooses_and_says_why() {
    check(
        &file(
            "           - {id: x, uses: {any: [a@1, b@1], route: priority}}
           - {id: y, uses: {any: [a@1, b@1, c@1], capabilities: [image, pdf]}}
           - {id: z, uses: {capabilities: [image], route: least-loaded}}",
        ),
        "launch; ended x ok; ended y ok; ended z ok",
        "x routed to b@1.0.0 by priority: its priority is 5
         x call 1
         y routed to b@1.0.0 by capability: it has 2 of 2 capabilities
         y call 1
         z routed to a@1.0.0 by least-loaded: 0 calls under way to it
         z call 1
         = completed: x completed, y completed, z completed",
    );
}

#[test]
fn the_turn_goes_round_over_all_runs_and_survives_a_restart() {
    let steps = "           - {id: x, uses: {any: [a@1, b@1, c@1], route: round-robin}}
           - {id: y, needs: x, uses: {any: [a@1, b@1, c@1], route: round-robin}}";
    let bench =
        play(&file(steps), "launch; ended x ok; ended y ok; crash 1s; launch; ended x ok; ended y ok");
    assert_eq!(choices(&bench.journal), ["0 a@1.0.0", "1 b@1.0.0", "0 c@1.0.0", "1 a@1.0.0"]);
}

#[test]
fn who_does_best_is_learned_from_calls_and_one_choice_in_ten_is_for_finding_out() {
    let steps = "           - {id: x, uses: {any: [a@1, b@1], route: learned}, on-error: continue}";
    let copies: Vec<String> = (0..60).map(|index| index.to_string()).collect();
    let many = format!(
        "           - {{id: x, matrix: {{n: [{}], max-parallel: 1}}, uses: {{any: [a@1, b@1], route: learned}}}}",
        copies.join(", ")
    );
    let mut script = "launch\n".to_owned();
    for copy in &copies {
        writeln!(script, "ended x[{copy}] ok took=900ms").expect("a String");
    }
    let bench = play(&file(&many), &script);
    let chosen = choices(&bench.journal);
    let of = |name: &str| chosen.iter().filter(|text| text.contains(name)).count();
    // Both are alike, so the first is taken, but for every tenth choice or so; the seed draws which.
    assert_eq!((of("a@"), of("b@")), (49, 11), "{chosen:?}");
    let slow_a = "launch; ended x ok took=900ms; launch; ended x ok took=10ms; launch; ended x ok took=10ms";
    let bench = play(&file(steps), slow_a);
    assert_eq!(choices(&bench.journal), ["0 a@1.0.0", "0 b@1.0.0", "0 b@1.0.0"]);
}

#[test]
fn a_choice_stands_for_all_calls_of_its_step_and_what_comes_after_it_is_the_fallback() {
    check(
        &file(
            "           - {id: x, uses: {any: [a@1, b@1]}, retry: {max-attempts: 2, delay: 1s, jitter: 0, on: [user_invalid_input]}, fallback: [c@1]}",
        ),
        "launch; ended x fail user_invalid_input; wake 1s; ended x fail user_invalid_input; ended x ok",
        "x routed to a@1.0.0 by capability: nothing special is asked for; the first is taken
         x call 1
         x call 2
         x call 3 fallback 1
         x completed by fallback 1
         no b@1.0.0
         = completed: x completed",
    );
}

#[test]
fn an_open_circuit_and_a_used_up_day_are_no_candidates() {
    check(
        &file(
            "           - {id: p, uses: a@1, on-error: continue}
           - {id: q, uses: c@1}
           - {id: x, needs: [p, q], if: always(), uses: {any: [a@1, c@1, b@1]}}",
        ),
        "launch; ended p fail system_network; ended q ok; ended x ok",
        "x routed to b@1.0.0
         x call 1
         no a@1.0.0 half
         = partially-completed: p failed, q completed, x completed",
    );
}

#[test]
fn where_there_is_no_candidate_a_step_waits_and_the_first_that_can_is_taken() {
    check(
        &file(
            "           - {id: p, uses: a@1, on-error: continue}
           - {id: q, uses: b@1, on-error: continue}
           - {id: x, needs: [p, q], if: always(), uses: {any: [a@1, b@1]}}",
        ),
        "launch; ended p fail system_network; later 10s; ended q fail system_network; wake 20s; ended x ok",
        "a@1.0.0 opens for 30s
         b@1.0.0 opens for 30s
         x waits for any of a@1.0.0 b@1.0.0
         > wake 20s
         a@1.0.0 half opens
         x routed to a@1.0.0
         x call 1
         a@1.0.0 closes
         = partially-completed: p failed, q failed, x completed",
    );
}

#[test]
fn after_its_timeout_a_step_without_a_candidate_fails_and_a_crash_lengthens_nothing() {
    check(
        &file(
            "           - {id: p, uses: a@1, on-error: continue}
           - {id: x, needs: p, if: always(), uses: {any: [a@1]}, timeout: 10s}",
        ),
        "launch; ended p fail system_network; wake 4s; crash 5s; wake 1s",
        "x waits for any of a@1.0.0 fails in 10s
         recovered
         > wake 1s
         x failed resource_tool: none of its candidates takes a call: a@1.0.0: the circuit of a@1.0.0 is open until
         no x call
         = failed: p failed, x failed",
    );
}

#[test]
fn a_used_up_day_ends_by_itself() {
    check(
        &file(
            "           - {id: p, uses: c@1}
           - {id: x, needs: p, uses: {capabilities: [pdf], any: [c@1]}}",
        ),
        "launch; ended p ok; wake 15h; wake 1h; ended x ok",
        "x waits for any of c@1.0.0 looks in 16h
         > wake 15h
         > wake 1h
         x routed to c@1.0.0
         x call 1
         = completed: p completed, x completed",
    );
}

#[test]
fn without_a_candidate_the_fallback_is_next() {
    check(
        &file(
            "           - {id: p, uses: a@1, on-error: continue}
           - {id: x, needs: p, if: always(), uses: {any: [a@1]}, fallback: [b@1]}",
        ),
        "launch; ended p fail system_network; ended x ok",
        "x routed to b@1.0.0 by fallback: none of its candidates takes a call: a@1.0.0: the circuit
         x call 1 fallback 1
         = partially-completed: p failed, x completed",
    );
}

#[test]
fn a_step_whose_candidates_cannot_take_what_they_are_given_does_not_wait() {
    check(
        &file(
            "           - {id: p, run: x, outputs: {n: any}}
           - {id: x, needs: p, uses: {any: [a@1, b@1]}, with: {what: \"${{ fromJSON(steps.p.outputs.n) }}\"}}",
        ),
        "launch; ended p ok n=7",
        "x failed user_invalid_input: a@1.0.0 cannot take its input
         no x waits
         = failed: p completed, x failed",
    );
}

#[test]
fn a_person_chooses_at_a_gate_and_the_one_who_chooses_counts() {
    let by_hand = file("           - {id: x, uses: {any: [a@1, b@1], route: manual}}");
    check(
        &by_hand,
        "launch; ann edits x tool=b@1.0.0 : faster; ann approves x; ended x ok",
        "x waits for g-1
         g-1 ann edits
         g-1 approved
         x routed to b@1.0.0 by manual: ann chose it at g-1
         x call 1
         = completed: x completed",
    );
    check(
        &by_hand,
        "launch; ann edits x tool=c@1.0.0 : no such; crash 1s; bob approves x; ended x fail; ",
        "! could not
         x routed to a@1.0.0 by manual: bob chose it at g-1
         x call 1
         = failed: x failed",
    );
    check(
        &by_hand,
        "launch; ann rejects x : none of them",
        "x failed user_cancelled: none of its candidates was chosen
         no x call
         = failed: x failed",
    );
}

#[test]
fn a_gate_shows_the_call_of_every_candidate_and_whichever_is_chosen_is_what_was_approved() {
    let steps = "           - {id: ok, gate: {prompt: Ship?, undo-window: 0s}}
           - {id: x, needs: ok, uses: {any: [a@1, b@1], route: priority}, with: {what: \"v${{ inputs.v }}\"}}";
    let bench =
        play(&file(steps).replacen("max-parallel: 4", "inputs: {v: {type: string}}", 1), "launch v=1");
    let ask = bench.ask("ok");
    let seen: Vec<String> = ask
        .will_run
        .iter()
        .map(|will_run| format!("{} {}: {}", will_run.step, will_run.launch.argv.join(" "), will_run.choice))
        .collect();
    assert_eq!(seen, ["x a v1: one of 2, by priority", "x b v1: one of 2, by priority"]);
    check(
        &file(steps).replacen("max-parallel: 4", "inputs: {v: {type: string}}", 1),
        "launch v=1; ann approves ok; ended x ok",
        "x routed to b@1.0.0
         x call 1
         no asks again
         = completed: ok completed, x completed",
    );
    let later = "           - {id: ok, gate: {prompt: Ship?, undo-window: 0s}}
           - {id: m, needs: ok, run: x, outputs: {v: string}}
           - {id: x, needs: m, uses: {any: [a@1, b@1], route: learned}, with: {what: \"${{ steps.m.outputs.v }}\"}}";
    let bench = play(&file(later), "launch");
    assert_eq!(bench.ask("ok").later[0].candidates, ["by learned", "a@1.0.0", "b@1.0.0"]);
}

#[test]
fn what_a_candidate_would_be_called_with_is_bound_and_a_change_asks_again() {
    let steps = "           - {id: ok, gate: {prompt: Ship?, undo-window: 0s}}
           - {id: x, needs: ok, uses: {any: [a@1, b@1], route: priority}, with: {what: \"${{ state.global.v }}\"}}";
    check(
        &file(steps).replacen("max-parallel: 4", "max-parallel: 1", 1),
        "ann sets v=one; launch; pause; ann approves ok; ann sets v=two; resume",
        "g-1 approved
         x routed to b@1.0.0
         what x would run is not what was approved
         no x call",
    );
}

#[test]
fn how_long_runs_wait_for_their_start_and_steps_for_a_choice_is_told() {
    let steps = "           - {id: p, uses: {any: [a@1, b@1]}, on-error: continue}
           - {id: x, needs: p, if: always(), uses: {any: [a@1]}}";
    let file = format!("concurrency: {{group: one}}\n{}", file(steps));
    let bench =
        play(&file, "launch; later 9s; launch; run r-1; ended p fail system_network; wake 30s; ended x ok");
    let mut board = Board::default();
    for (place, event) in (1..).zip(&bench.journal) {
        board.apply(Seq(place), event);
    }
    let told = board.vitals().signals(Period::Day, bench.now);
    let figures = |percentiles: Option<Percentiles>| {
        percentiles.map(|percentiles| (percentiles.p50, percentiles.p99, percentiles.count))
    };
    assert_eq!(figures(told.routing), Some((Span(0), Span::seconds(30), 3)));
    assert_eq!(figures(told.planning), Some((Span(0), Span::seconds(30), 2)));
}

#[test]
fn a_choice_is_a_decision_of_the_trail_and_w_says_why_none_was_made() {
    let bench = play(
        &file(
            "           - {id: p, uses: {any: [a@1, b@1]}, on-error: continue}
           - {id: x, needs: p, if: always(), uses: {any: [a@1]}, timeout: 1m}",
        ),
        "launch; ended p fail system_network; wake 10s",
    );
    let mut board = Board::default();
    for (place, event) in (1..).zip(&bench.journal) {
        board.apply(Seq(place), event);
    }
    let run = board.run(RunId(1)).expect("it is there");
    let rows = (1..).zip(&bench.journal).map(|(place, value)| TrailRow::of(Seq(place), value, Some(&**run)));
    let routed: Vec<TrailRow> = rows.filter(|row| row.kind == "step.routed").collect();
    let [row] = routed.as_slice() else { panic!("{routed:?}") };
    assert!(row.is_decision && row.who == "router" && !row.why.is_empty(), "{row:?}");
    assert_eq!(row.stage, Some(Stage::Route));
    let lines: Vec<String> =
        why(&board, run, bench.step("x"), bench.now).into_iter().map(|item| item.text).collect();
    assert_eq!(
        lines,
        [
            "x waits for its candidate; it fails at 08:01:00 (50s left)",
            "the circuit of a@1.0.0 is open until 08:00:30",
            "a@1.0.0 has an open circuit, tried again in 20s: 1 calls in a row failed, the last with system_network",
        ]
    );
}

//! Values that steps behind a gate set and messages that they send: shown in the ask, and bound by its approval.

use super::door::{Bench, check, play};
use cuelight_engine::{Ask, AttemptEvent, Fact, WillWrite, ask_hash};
use serde_json::json;

/// A gate before a step that sets a value of the workspace for later runs.
const SET: &str = "steps:
   - {id: g, gate: {prompt: go?, undo-window: 0s}}
   - {id: s, needs: g, set: {scope: global, values: {target: \"${{ state.global.region }}\"}}}";

/// A gate before a step that sends a message.
const EMIT: &str = "steps:
   - {id: g, gate: {prompt: go?, undo-window: 0s}}
   - {id: e, needs: g, emit: {topic: \"deploys.${{ state.global.region }}\", data: {at: \"${{ state.global.region }}\"}}}";

fn shown(bench: &Bench, step: &str) -> WillWrite {
    let ask = bench.ask("g");
    ask.writes.iter().find(|write| write.step == step).unwrap_or_else(|| panic!("{ask:#?}")).clone()
}

#[test]
fn the_ask_shows_the_values_that_are_set_and_the_message_that_is_sent() {
    let bench = play(SET, "ann sets region=eu; launch");
    let write = shown(&bench, "s");
    assert_eq!((write.kind.as_str(), write.to.as_str()), ("set", "global"));
    assert_eq!((json!(write.values), write.is_template), (json!({"target": "eu"}), false));
    let bench = play(EMIT, "ann sets region=eu; launch");
    let write = shown(&bench, "e");
    assert_eq!((write.kind.as_str(), write.to.as_str()), ("emit", "deploys.eu"));
    assert_eq!(json!(write.values), json!({"kind": "event", "data": {"at": "eu"}}));
}

#[test]
fn a_value_that_changes_before_the_last_yes_asks_again() {
    check(
        SET,
        "ann sets region=eu; launch; ann sets region=us; ann approves; ann approves",
        "g-1 asked 1
         g-1 asked 2: what would run has changed since it was shown
         set Global[] target=\"us\"
         = completed: g completed, s completed",
    );
}

#[test]
fn a_value_that_changes_after_the_yes_asks_again_and_nothing_is_set() {
    check(
        SET,
        "ann sets region=eu; launch; pause; ann approves; ann sets region=us; resume",
        "g-1 approved by people
         g reopened: what s would set is not what was approved, at target
         g-1 asked 2
         no set Global[] target",
    );
    check(
        SET,
        "ann sets region=eu; launch; pause; ann approves; ann sets region=us; resume; ann approves",
        "g-1 asked 2
         set Global[] target=\"us\"
         = completed: g completed, s completed",
    );
}

#[test]
fn a_message_that_changes_after_the_yes_asks_again_and_nothing_is_sent() {
    check(
        EMIT,
        "ann sets region=eu; launch; pause; ann approves; ann sets region=us; resume",
        "g-1 approved by people
         g reopened: what e would send is not what was approved, at topic, data
         g-1 asked 2
         no deploys.",
    );
}

#[test]
fn what_is_not_known_yet_is_shown_as_it_is_written() {
    let file = "steps:
        - {id: g, gate: {prompt: go?, undo-window: 0s}}
        - {id: a, needs: g, run: x, outputs: {v: string}}
        - {id: s, needs: a, set: {scope: run, values: {v: \"${{ steps.a.outputs.v }}\", w: 1}}}
        - {id: t, needs: a, set: {scope: run, values: {w: 2}}}
        - {id: e, needs: g, emit: {topic: t, data: \"${{ steps.g.outputs.approvers }}\"}}";
    let bench = play(file, "launch");
    let write = shown(&bench, "s");
    assert_eq!(json!(write.values), json!({"v": "${{ steps.a.outputs.v }}", "w": 1}));
    assert!(write.is_template && !shown(&bench, "t").is_template && shown(&bench, "e").is_template);
    check(
        file,
        "launch; ann approves; ended a ok v=7",
        "set Run[r-1] v=\"7\"
         no reopened
         = completed: g completed, a completed, s completed, t completed, e completed",
    );
}

#[test]
fn a_kept_approval_covers_the_values_that_were_approved_and_no_others() {
    let file = "steps:
        - {id: g, gate: {prompt: go?, undo-window: 0s}}
        - {id: s, needs: g, set: {scope: global, values: {target: \"${{ state.global.region }}\"}, if-etag: {target: none}}}";
    let fails = "ann sets region=eu; ann sets target=old; launch; ann approves";
    check(
        file,
        &format!("{fails}; ann removes target; retry failed"),
        "s failed
         r-2 g completed
         set Global[] target=\"eu\"",
    );
    check(
        file,
        &format!("{fails}; ann removes target; ann sets region=us; retry failed"),
        "s failed
         r-2 g reopened: what s would set is not what was approved
         no set Global[] target=\"us\"",
    );
}

#[test]
fn each_copy_of_a_matrix_is_shown_and_bound() {
    let file = "steps:
        - {id: g, gate: {prompt: go?, undo-window: 0s}}
        - {id: s, needs: g, matrix: {n: [1, 2]}, set: {scope: global, values: {\"k\": \"${{ matrix.n }}-${{ state.global.region }}\"}}}";
    let bench = play(file, "ann sets region=eu; launch");
    let values: Vec<_> = bench.ask("g").writes.iter().map(|write| json!(write.values)["k"].clone()).collect();
    assert_eq!(values, ["1-eu", "2-eu"]);
    check(
        file,
        "ann sets region=eu; launch; pause; ann approves; ann sets region=us; resume",
        "g reopened: what s[1] would set\n no set Global[] k",
    );
}

#[test]
fn steps_that_are_too_many_to_be_shown_are_counted_and_bound() {
    let copies: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    let file = format!(
        "steps:
        - {{id: g, gate: {{prompt: go?, undo-window: 0s}}}}
        - {{id: s, needs: g, matrix: {{n: [{}]}}, set: {{scope: global, values: {{k: \"${{{{ state.global.region }}}}\"}}}}}}",
        copies.join(", ")
    );
    let bench = play(&file, "ann sets region=eu; launch");
    let ask = bench.ask("g");
    let all = ask.all.as_ref().expect("not all are shown");
    assert_eq!((ask.writes.len(), all.writes, all.will_run), (500, 501, 0));
    check(
        &file,
        "ann sets region=eu; launch; ann sets region=us; ann approves",
        "g-1 asked 2: what would run has changed",
    );
    check(
        &file,
        "ann sets region=eu; launch; pause; ann approves; ann sets region=us; resume",
        "g reopened: what s[0] would set\n no set Global[] k",
    );
}

#[test]
fn an_ask_that_sets_and_sends_nothing_has_the_fields_and_the_hash_that_it_had() {
    let bench = play("steps:\n   - {id: g, gate: go?}\n   - {id: z, needs: g, run: x}", "launch");
    let ask = serde_json::to_value(bench.ask("g")).expect("an ask is JSON");
    assert!(ask.get("writes").is_none() && ask["all"].is_null(), "{ask}");
    let read: Ask = serde_json::from_value(ask).expect("it is read again");
    assert_eq!(ask_hash(&read), ask_hash(&bench.ask("g")));
    let called = |fact: &Fact| matches!(fact, Fact::Attempt(_, _, _, AttemptEvent::Started { .. }));
    assert!(!bench.journal.iter().any(|event| called(&event.fact)));
}

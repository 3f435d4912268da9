//! Workflows that a step calls, as a whole: tried again, replaced by something else, and started only where they may run.

use crate::program::{Place, until};
use std::fs;

/// Writes the outer workflow; `says` are more lines of the calling step.
fn outer(place: &Place, says: &str) {
    place.write(
        "outer.yaml",
        &format!("name: outer\nsteps:\n  - id: call\n    workflow: inner.yaml\n{says}  - {{id: after, needs: call, run: 'echo after ${{{{ steps.call.outputs.n }}}} >> ledger'}}\n"),
    );
}

/// Fails until it has been tried so often.
fn inner(place: &Place, tries: usize) {
    place.write(
        "inner.yaml",
        &format!(
            "name: inner\noutputs: {{n: '${{{{ steps.c.outputs.n }}}}'}}\nsteps:\n  \
             - {{id: a, needs: [], run: 'echo a >> ledger'}}\n  \
             - {{id: b, needs: a, run: 'echo b >> ledger; [ $(grep -c b ledger) -ge {tries} ] || exit 3'}}\n  \
             - {{id: c, needs: b, outputs: {{n: integer}}, run: 'echo c >> ledger; echo n=7 >> \"$CUELIGHT_OUTPUT\"'}}\n  \
             - {{id: told, needs: b, if: 'failure()', run: 'echo told >> ledger'}}\n"
        ),
    );
}

fn ledger(place: &Place) -> Vec<String> {
    place.text("ledger").lines().map(str::to_owned).collect()
}

#[test]
fn a_workflow_that_fails_is_tried_again_and_what_was_done_in_it_stands() {
    let place = Place::new();
    inner(&place, 3);
    outer(&place, "    retry: {max-attempts: 3, delay: 10ms}\n");
    place.cue(&["run", "outer.yaml"]).ok();
    // What is done because it failed is done each time that it does; the rest once.
    assert_eq!(ledger(&place), ["a", "b", "told", "b", "told", "b", "c", "after 7"]);
    assert_eq!(place.state("r-1"), "completed");
    let waits = place
        .events("r-1")
        .into_iter()
        .filter(|event| event["type"] == "step.waiting" && event["step"] == "call");
    assert_eq!(waits.count(), 2, "both tries are told");
}

#[test]
fn a_workflow_is_tried_no_more_often_than_it_says_and_only_for_what_it_says() {
    for (says, tried) in [
        ("    retry: {max-attempts: 2, delay: 10ms}\n", 2),
        ("    retry: {max-attempts: 5, delay: 10ms, on: [system_network]}\n", 1),
        ("", 1),
    ] {
        let place = Place::new();
        inner(&place, 9);
        outer(&place, says);
        assert_eq!(place.cue(&["run", "outer.yaml"]).code, 1, "{says}");
        assert_eq!(ledger(&place).iter().filter(|text| *text == "b").count(), tried, "{says}");
        assert_eq!(place.step("r-1", "call")["state"], "failed");
        let why = place.step("r-1", "call")["error"]["message"].to_string();
        assert!(why.contains("first call/b"), "{why}");
    }
}

#[test]
fn what_is_done_in_place_of_a_workflow_stands_under_its_name() {
    let place = Place::new();
    inner(&place, 9);
    outer(
        &place,
        "    retry: {max-attempts: 2, delay: 10ms}\n    fallback:\n      - {run: 'echo first >> ledger; exit 4'}\n      \
         - {run: 'echo second >> ledger; echo n=8 >> \"$CUELIGHT_OUTPUT\"'}\n    undo: {run: 'echo not >> ledger'}\n",
    );
    let said = place.cue(&["run", "outer.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    let ledger = ledger(&place);
    assert_eq!(ledger.last().map(String::as_str), Some("after 8"), "{ledger:?}");
    assert_eq!(
        ledger.iter().filter(|text| ["b", "first", "second"].contains(&text.as_str())).count(),
        5,
        "{ledger:?}"
    );
    let call = place.step("r-1", "call");
    assert_eq!(call["state"], "completed", "{call}");
    let told = place.cue(&["events", "r-1"]).ok().out;
    assert!(told.contains("call failed: "), "{told}");
}

#[test]
fn what_takes_too_long_with_all_its_tries_is_replaced_as_well() {
    let place = Place::new();
    place.write("inner.yaml", "name: inner\noutputs: {n: '7'}\nsteps:\n  - {id: a, run: 'exit 3'}\n");
    outer(
        &place,
        "    timeout: 1s\n    retry: {max-attempts: 90, delay: 100ms, kind: constant}\n    fallback: [{run: 'echo n=1 >> \"$CUELIGHT_OUTPUT\"'}]\n",
    );
    let said = place.cue(&["run", "outer.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.text("ledger"), "after 1\n");
}

#[test]
fn an_approval_in_a_workflow_holds_for_its_next_try_and_for_nothing_else() {
    for changes in [false, true] {
        let place = Place::new();
        let change = if changes { "echo '# more' >> act.sh; " } else { "" };
        place.write(
            "act.sh",
            &format!("#!/bin/sh\necho act >> ledger\n[ -e tried ] || {{ touch tried; {change}exit 3; }}\n"),
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(place.file("act.sh"), mode).expect("executable");
        place.write(
            "inner.yaml",
            "name: inner\noutputs: {n: '7'}\nsteps:\n  - {id: ask, gate: {prompt: May it?}}\n  - {id: act, needs: ask, run: [./act.sh]}\n",
        );
        outer(&place, "    retry: {max-attempts: 3, delay: 10ms}\n");
        let mut console = place.start(&["run", "outer.yaml", "--headless"]);
        console.until("gate.asked");
        place.cue(&["approve", "g-1"]).ok();
        if changes {
            console.until("gate.asked");
            assert_eq!(place.text("ledger"), "act\n", "what was not approved did not run");
            place.cue(&["approve", "g-1"]).ok();
        }
        assert_eq!(console.end().code, 0, "changed: {changes}");
        assert_eq!(place.text("ledger"), "act\nact\nafter 7\n");
        let asked = place.events("r-1").into_iter().filter(|event| event["type"] == "gate.asked").count();
        assert_eq!(asked, if changes { 2 } else { 1 });
    }
}

#[test]
fn what_may_not_run_on_this_machine_is_refused_before_anything_has_begun() {
    let place = Place::new();
    place.write(
        "w.yaml",
        "name: w\nsteps:\n  - {id: a, run: 'echo a >> ledger'}\n  - {id: b, needs: a, requires: {labels: [gpu], capabilities: [tpm]}, run: 'echo b >> ledger'}\n",
    );
    let said = place.cue(&["run", "w.yaml"]);
    assert_ne!(said.code, 0);
    assert!(said.err.contains("step `b` requires the label gpu, and this machine has "), "{said:?}");
    assert!(said.err.contains("step `b` requires the capability tpm"), "{said:?}");
    assert_eq!(place.text("ledger"), "", "nothing has begun");
    fs::write(place.file(".cuelight/config.toml"), "labels = [\"gpu\"]\ncapabilities = [\"tpm\"]\n")
        .expect("written");
    let doctor = place.cue(&["doctor"]).out;
    assert!(doctor.contains("gpu") && doctor.contains("tpm"), "{doctor}");
    place.cue(&["run", "w.yaml"]).ok();
    until("it has run", || place.text("ledger") == "a\nb\n");
}

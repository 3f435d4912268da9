//! Doing a run again: from what failed, from a checkpoint, from the start (`semantics.md` 6).

use super::door::{check, play};

const FILE: &str = "on-failure: continue
    steps:
      - {id: a, run: x}
      - {id: b, run: x, needs: a}
      - {id: c, run: x, needs: a}
      - {id: d, run: x, needs: [b, c]}";
const FAILED: &str = "launch; ended a ok v=1; ended b ok; ended c fail;";

#[test]
fn from_failed_keeps_everything_that_completed() {
    check(
        FILE,
        &format!("{FAILED} retry failed; ended c ok; ended d ok"),
        "r-1 ended failed
         r-2 created
         r-2 a completed (kept) 0.80 {\"v\":\"1\"}
         r-2 b completed (kept)
         r-2 c call 1
         no r-2 a call
         = completed: a completed, b completed, c completed, d completed",
    );
}

#[test]
fn from_the_checkpoint_keeps_what_everything_open_depends_on() {
    check(
        FILE,
        &format!("{FAILED} retry checkpoint"),
        "r-2 a completed (kept)
         r-2 b call 1
         r-2 c call 1
         = running: a completed, b running, c running, d pending",
    );
}

#[test]
fn from_the_checkpoint_keeps_everything_where_a_person_has_completed_what_was_missing() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, needs: a, run: x}",
        "launch; ended a ok; ended b fail; done b; retry checkpoint",
        "b done by req
         r-2 a completed (kept)
         r-2 b completed (kept)
         no r-2 a call
         = completed: a completed, b completed",
    );
}

#[test]
fn from_all_does_everything_again() {
    check(
        FILE,
        &format!("{FAILED} retry all"),
        "r-2 a call 1\n no (kept)\n = running: a running, b pending, c pending, d pending",
    );
}

#[test]
fn only_a_run_at_rest_is_done_again() {
    check(FILE, "launch; retry failed", "! could not retry r-1: it is running");
}

#[test]
fn an_expired_gate_asks_again_and_another_answer_leads_elsewhere() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: g, needs: a, gate: {prompt: go?, timeout: 1h}}
           - {id: z, needs: g, run: x}",
        "launch; ended a ok; wake 1h; retry failed; ann approves via-script; ended z ok",
        "r-1 ended rejected
         r-2 a completed (kept)
         g-2 asked 1
         no r-2 a call
         g-2 approved
         r-2 z call 1
         = completed: a completed, g completed, z completed",
    );
}

/// A gate before a step that has this effect and is called `ship`, and a step behind that.
fn shipping(effect: &str) -> String {
    format!(
        "on-failure: stop
         steps:
           - {{id: g, gate: {{prompt: go?, undo-window: 0s}}}}
           - {{id: y, needs: g, run: x, effect: idempotent}}
           - {{id: ship, needs: y, run: x, effect: {effect}, undo: u}}
           - {{id: z, needs: ship, run: x, effect: idempotent}}"
    )
}
const FRESH: &str = "g-2 asked 1\n no r-2 ship call";

#[test]
fn an_approval_holds_in_the_retry_for_what_may_be_repeated() {
    for effect in ["pure", "idempotent"] {
        check(
            &shipping(effect),
            "launch; ann approves; ended y ok; ended ship fail; retry failed; ended ship ok; ended z ok",
            "r-2 g completed (kept)
             no g-2
             r-2 ship call 1
             = completed: g completed, y completed, ship completed, z completed",
        );
    }
    // Nothing that must not be repeated was begun, or it is not done again.
    for (script, wanted) in [
        ("ended y fail; retry failed; ended y ok", "no g-2\n r-2 ship call 1"),
        ("ended y ok; ended ship ok; ended z fail; retry failed", "no g-2\n no r-2 ship call\n r-2 z call 1"),
    ] {
        for effect in ["once", "keyed"] {
            check(&shipping(effect), &format!("launch; ann approves; {script}"), wanted);
        }
    }
}

#[test]
fn one_approval_lets_a_step_that_must_not_be_repeated_run_once_over_all_retries() {
    // A keyed call has another key in the retry, and the other side takes it for a new one.
    for effect in ["once", "queryable, check: c", "keyed"] {
        let file = shipping(effect);
        check(&file, "launch; ann approves; ended y ok; ended ship fail; retry failed", FRESH);
        // In a retry, and once more from the run before that one.
        check(
            &file,
            "launch; ann approves; ended y fail; retry failed; ended y ok; ended ship ok; ended z ok; run r-1; retry failed",
            "r-2 ship call 1\n r-2 ended completed\n g-2 asked 1\n no r-3 y call\n no r-3 ship call",
        );
        // A result that was kept is done again.
        check(
            &file,
            "launch; ann approves; ended y ok; ended ship ok; ended z fail; retry failed; ended z fail; retry all",
            "no r-2 ship call\n g-2 asked 1\n no r-3 ship call",
        );
    }
    // The new approval is good for one call as well.
    check(
        &shipping("once"),
        "launch; ann approves; ended y ok; ended ship fail; retry failed; ann approves; ended ship fail; retry failed",
        "g-2 approved\n r-2 ship call 1\n g-3 asked 1\n no r-3 ship call",
    );
}

#[test]
fn an_approval_ends_with_a_cancelled_or_undone_run() {
    let file = shipping("idempotent");
    let undone = "ended y ok; ended ship ok; ended z ok; undo; ended ship ok;";
    let cases = [
        ("cancel; ended y ok; retry failed", FRESH),
        ("ended y ok; ended ship ok; ended z fail; undo; ended ship ok; retry failed", FRESH),
        // A run that did it again was stopped.
        (
            "ended y fail; retry failed; cancel; ended y ok; run r-1; retry failed",
            "g-2 asked 1\n no r-3 y call",
        ),
    ];
    for (script, wanted) in cases {
        check(&file, &format!("launch; ann approves; {script}"), wanted);
    }
    check(
        &file,
        &format!("launch; ann approves; {undone} retry failed; ann rejects : no"),
        "no r-2 ship call",
    );
    // A no in a retry holds for the run before it too.
    check(
        &file,
        "launch; ann approves; ended y fail; retry failed as agent-of-ann; ann rejects : no; run r-1; retry failed",
        "g-2 rejected\n g-3 asked 1\n no r-3 y call",
    );
}

#[test]
fn who_decides_nothing_uses_no_approval_of_others() {
    for by in ["agent-of-ann", "coder-1@bank"] {
        check(
            &shipping("idempotent"),
            &format!("launch; ann approves; ended y ok; ended ship fail; retry failed as {by}"),
            "r-2 y completed (kept)\n g-2 asked 1\n no r-2 ship call",
        );
    }
}

#[test]
fn a_step_in_a_frame_that_must_not_be_repeated_needs_a_fresh_approval() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: s, needs: g, workflow: inner.yaml}
--- inner.yaml
         steps:
           - {id: q, run: x, outputs: {m: any}}
           - {id: m, needs: q, run: x, matrix: \"${{ fromJSON(steps.q.outputs.m) }}\"}",
        "launch; ann approves; ended s/q ok m={\"k\":[1,2]}; ended s/m[1] ok; ended s/m[2] fail; retry failed",
        "r-2 s/q completed (kept)\n g-2 asked 1\n no r-2 s/m[1] call",
    );
}

/// A gate, a step behind it that a script undoes and another one checks, and one more step.
fn undone_by_a_script(consent: &str) -> String {
    format!(
        "steps:
           - {{id: g, gate: {{prompt: go?, undo-window: 0s, on-reject: compensate{consent}}}}}
           - {{id: ship, needs: g, run: x, undo: ./unship.sh, effect: queryable, check: ./look.sh}}
           - {{id: z, needs: ship, run: x}}"
    )
}

#[test]
fn the_undo_of_a_kept_step_is_the_file_that_was_approved_also_when_its_gate_asks_again() {
    let file = undone_by_a_script("");
    let first = "launch; ann approves; ended ship ok; ended z fail; retry failed;";
    let bench = play(&file, &format!("{first} ann rejects : no"));
    assert_eq!(bench.bound_of("ship"), ["./unship.sh"]);
    check(
        &file,
        &format!("{first} ann rejects : no; ended ship changed ./unship.sh"),
        "g-2 rejected\n r-2 ship undo stuck",
    );
    // A later approval of the gate is not for the files of a step that was done before it.
    let bench = play(&file, &format!("{first} ann approves; ended z fail; retry failed; ann rejects : no"));
    assert_eq!(bench.bound_of("ship"), ["./unship.sh"]);
    // Where the gate is kept, and in the undo of a run that a person asks for.
    let undone = file.replace("needs: ship, run: x", "needs: ship, run: x, effect: pure");
    let bench = play(&undone, &format!("{first} ended z ok; undo"));
    assert_eq!(bench.bound_of("ship"), ["./unship.sh"]);
}

#[test]
fn the_undo_of_a_kept_step_runs_in_the_workspace_that_it_was_approved_with() {
    for script in [
        "retry failed; ann rejects : no",
        "retry failed; ann approves; ended z fail; retry failed; ann rejects : no",
        "retry failed; ann approves; ended z ok; undo",
    ] {
        let bench = play(
            &undone_by_a_script(", consent: snapshot").replace("./unship.sh", "y"),
            &format!("launch; ann approves; ended ship ok; ended z fail; {script}"),
        );
        assert_eq!(bench.bound_of("ship"), ["tree"], "{script}");
    }
}

#[test]
fn a_kept_step_is_not_sent_back_behind_a_gate_that_has_not_shown_it() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: a, needs: g, run: x, effect: idempotent}
           - {id: b, needs: a, run: x}
           - {id: h, needs: b, gate: {prompt: on?, undo-window: 0s, send-back: a}}
           - {id: z, needs: h, run: x}",
        "launch; ann approves; ended a ok; ended b fail; retry failed; ann approves g; ended b ok; ann sends-back h : again",
        "r-2 a completed (kept)
         g-2 approved
         g-3 asked 1
         ! could not send g-3 back: a was approved in r-1, and would not be asked about again here; reject it instead
         no r-2 a call",
    );
}

#[test]
fn copies_that_completed_are_kept_in_a_matrix_that_failed() {
    check(
        "steps:\n  - {id: t, run: x, matrix: {k: [a, b], fail-fast: false}}",
        "launch; ended t[a] ok v=1; ended t[b] fail; retry failed; ended t[b] ok v=2",
        "r-2 t[a] completed (kept)
         r-2 t opened
         r-2 t[b] call 1
         r-2 t completed {\"v\":[\"1\",\"2\"]}
         = completed: t completed, t[a] completed, t[b] completed",
    );
}

#[test]
fn what_stands_in_a_kept_frame_rests_with_it_however_deep() {
    check(
        "steps:
           - {id: s, workflow: inner.yaml}
           - {id: z, needs: s, run: x}
--- inner.yaml
    steps:
      - {id: deep, workflow: deeper.yaml, on-error: continue}
--- deeper.yaml
    steps:
      - {id: q, run: x}
      - {id: r, needs: q, run: x}",
        "launch; ended s/deep/q fail; ended z fail; retry failed; ended z ok",
        "s completed
         r-2 s completed (kept)
         r-2 z call 1
         r-2 ended completed",
    );
}

const GATED: &str = "inputs: {to: {default: x}}
    steps:
      - {id: a, run: x}
      - {id: g, needs: a, gate: {prompt: 'go to ${{ inputs.to }}?'}}
      - {id: b, needs: g, run: x}
      - {id: c, needs: b, run: 'echo ${{ inputs.to }}', effect: idempotent}";
const GATED_FAILED: &str = "launch to=x; ended a ok; ann approves via-script; ended b ok; ended c fail;";

#[test]
fn with_a_corrected_input_gates_ask_again_before_what_is_still_to_be_done() {
    check(
        GATED,
        &format!("{GATED_FAILED} retry failed corrected to=y; ann approves via-script; ended c ok"),
        "r-2 created, corrected: input to: \"x\" to \"y\"
         r-2 a completed (kept)
         r-2 b completed (kept)
         g-2 asked 1
         g-2 approved
         r-2 c call 1
         no r-2 b call
         = completed: a completed, g completed, b completed, c completed",
    );
}

#[test]
fn what_is_kept_opens_no_way_around_a_gate_that_asks_again() {
    check(
        GATED,
        &format!("{GATED_FAILED} retry failed corrected to=y; ann rejects : no"),
        "g-2 asked 1
         g-2 rejected
         no r-2 c call
         = rejected: a completed, g rejected, b completed, c skipped",
    );
}

#[test]
fn a_gate_that_is_written_otherwise_asks_again_and_what_was_done_before_it_stands() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: g, needs: a, gate: {prompt: go?}}
           - {id: z, needs: g, run: x}
=== corrected
         steps:
           - {id: a, run: x}
           - {id: g, needs: a, gate: {prompt: go?, require: sre}}
           - {id: z, needs: g, run: x}",
        "launch; ended a ok; cat approves via-script; ended z fail; retry failed corrected; cat approves; ann approves via-script; ended z ok",
        "r-2 created, corrected: g rewritten
         r-2 a completed (kept)
         g-2 asked 1
         no r-2 a call
         ! could not decide g-2: cat is not in the group sre
         g-2 approved
         r-2 z call 1
         = completed: a completed, g completed, z completed",
    );
}

#[test]
fn a_correction_that_changes_nothing_is_a_plain_retry() {
    check(
        GATED,
        &format!("{GATED_FAILED} retry failed corrected to=x; ended c ok"),
        "r-2 created
         r-2 g completed (kept)
         no created, corrected
         no g-2
         = completed: a completed, g completed, b completed, c completed",
    );
}

#[test]
fn a_step_that_did_not_complete_may_be_written_otherwise_and_others_may_come_and_go() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, needs: a, run: x}
           - {id: old, needs: b, run: x}
=== corrected
         steps:
           - {id: first, run: x}
           - {id: a, run: x, needs: first, undo: y}
           - {id: b, needs: a, run: better}
           - {id: new, needs: b, run: x}",
        "launch; ended a ok v=1; ended b fail; retry failed corrected; ended first ok; ended b ok; ended new ok",
        "r-2 created, corrected: a rewritten, b rewritten, old removed, first added, new added
         r-2 a completed (kept) 0.80 {\"v\":\"1\"}
         no r-2 a call
         = completed: first completed, a completed, b completed, new completed",
    );
}

#[test]
fn what_has_completed_must_stand_as_it_did() {
    let file = |a: &str| {
        format!(
            "steps:
               - {{id: a, run: x}}
               - {{id: b, needs: a, run: x}}
=== corrected
             steps:
               {a}
               - {{id: b, run: x}}"
        )
    };
    let script = "launch; ended a ok; ended b fail; retry failed corrected";
    check(
        &file("- {id: a, run: y}"),
        script,
        "! could not retry r-1: a has completed and is written otherwise now; put it back as it was, or do it all again",
    );
    check(
        &file(""),
        script,
        "! could not retry r-1: a has completed and is no longer in the workflow; put it back, or do it all again",
    );
    check(
        &file("- {id: a, run: y}"),
        "launch; ended a ok; ended b fail; retry all corrected",
        "r-2 created, corrected: a rewritten\n r-2 a call 1\n no (kept)",
    );
}

#[test]
fn a_copy_more_opens_its_matrix_again_and_the_others_keep_their_results() {
    check(
        "steps:
           - {id: t, run: x, matrix: {k: [a, b]}}
           - {id: z, needs: t, run: x}
=== corrected
         steps:
           - {id: t, run: x, matrix: {k: [a, b, c]}}
           - {id: z, needs: t, run: x}",
        "launch; ended t[a] ok v=1; ended t[b] ok v=2; ended z fail; retry failed corrected; ended t[c] ok v=3",
        "r-2 t[a] completed (kept)
         r-2 t[b] completed (kept)
         r-2 t[c] call 1
         r-2 t completed {\"v\":[\"1\",\"2\",\"3\"]}
         no r-2 t[a] call
         r-2 z call 1",
    );
}

#[test]
fn a_gate_in_a_workflow_asks_again_when_something_behind_that_is_still_to_be_done() {
    check(
        "inputs: {to: {default: x}}
         steps:
           - {id: s, workflow: inner.yaml}
           - {id: z, needs: s, run: 'echo ${{ inputs.to }}'}
--- inner.yaml
         steps:
           - {id: q, run: x}
           - {id: g, needs: q, gate: {prompt: go?}}",
        "launch to=x; ended s/q ok; ann approves via-script; ended z fail; retry failed corrected to=y",
        "r-2 s/q completed (kept)
         r-2 s opened
         g-2 asked 1
         no r-2 s completed
         no r-2 z call
         = running: s running, s/q completed, s/g waiting, z pending",
    );
}

#[test]
fn what_a_kept_step_has_set_is_there_again() {
    check(
        "steps:
           - {id: s, set: {values: {k: 7}}}
           - {id: b, needs: s, run: x, env: {K: '${{ vars.k }}'}}
           - {id: e, needs: b, if: 'vars.k == 7', run: x}",
        "launch; ended b fail; retry failed; ended b ok; ended e ok",
        "r-1 ended failed
         set Run[r-2] k=7
         r-2 s completed (kept)
         r-2 e call 1
         = completed: s completed, b completed, e completed",
    );
}

#[test]
fn a_result_that_was_given_by_hand_says_so_in_every_run_that_keeps_it() {
    check(
        "on-failure: continue
         steps:
           - {id: a, run: x}
           - {id: b, run: x}",
        "launch; ended a fail; ended b fail; done a v=1; retry failed; ended b fail; retry failed",
        "a done by
         r-2 a completed (kept) {\"v\":1} from r-1, where req
         r-3 a completed (kept) {\"v\":1} from r-1, where req",
    );
}

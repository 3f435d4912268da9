//! Frames: matrices, constant and computed, and workflows in workflows (`semantics.md` 2, 5).

use super::door::check;

#[test]
fn a_matrix_runs_its_copies_and_gathers_their_outputs_in_order() {
    check(
        "steps:
           - {id: t, run: x, matrix: {k: [a, b, c]}}
           - {id: z, run: x, needs: t, env: {V: \"${{ toJSON(steps.t.outputs) }}\"}}",
        "launch; ended t[b] ok v=2; ended t[a] ok v=1 w=9; ended t[c] ok; ended z ok",
        "t opened
         t[a] call 1
         t completed {\"v\":[\"1\",\"2\",null],\"w\":[\"9\",null,null]}
         = completed: t completed, t[a] completed, t[b] completed, t[c] completed, z completed",
    );
}

#[test]
fn max_parallel_of_a_matrix_is_kept() {
    check(
        "steps:\n  - {id: t, run: x, matrix: {k: [a, b, c], max-parallel: 2}}",
        "launch; ended t[b] ok; ended t[a] ok; ended t[c] ok",
        "t[a] call 1
         t[b] call 1
         t[c] ready
         t[b] completed
         t[c] call 1
         = completed: t completed, t[a] completed, t[b] completed, t[c] completed",
    );
}

#[test]
fn fail_fast_ends_the_other_copies() {
    check(
        "steps:
           - {id: t, run: x, matrix: {k: [a, b]}}
           - {id: z, run: x, needs: t}",
        "launch; ended t[a] fail; ended t[b] fail user_cancelled",
        "t[a] failed
         t[b] ending: fail-fast t[a]
         t[b] call 1 ended user_cancelled
         t[b] cancelled: fail-fast t[a]
         t failed partial_step_failures: 1 of 2 steps failed, first t[a]
         = failed: t failed, t[a] failed, t[b] cancelled, z skipped",
    );
}

#[test]
fn without_fail_fast_the_others_go_on_and_the_matrix_fails_at_the_end() {
    check(
        "steps:\n  - {id: t, run: x, matrix: {k: [a, b], fail-fast: false}}",
        "launch; ended t[a] fail; ended t[b] ok",
        "t[a] failed
         t[b] completed
         t failed partial_step_failures
         = failed: t failed, t[a] failed, t[b] completed",
    );
}

#[test]
fn outputs_that_no_event_can_carry_fail_the_step_and_not_the_engine() {
    let ten_mib = format!("${{{{ format('{}', inputs.x) }}}}", "{0}".repeat(100));
    let outputs: String = (0..7).map(|index| format!("  o{index}: \"{ten_mib}\"\n")).collect();
    let x = "x".repeat(104_000);
    check(
        &format!(
            "steps:
               - {{id: sub, workflow: inner.yaml}}
--- inner.yaml
inputs: {{x: {{type: string, default: {x}}}}}
steps:
  - {{id: a, wait: 0s}}
outputs:
{outputs}"
        ),
        "launch",
        "sub failed user_invalid_input: its outputs could not be gathered: The value would be larger than",
    );
}

#[test]
fn a_computed_matrix_opens_with_the_value_of_its_expression() {
    check(
        "steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: t, needs: a, run: x, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\", env: {K: \"${{ matrix.k }}\", V: \"${{ needs.a.outputs.m }}\"}}
           - {id: z, run: x, needs: t}",
        "launch; ended a ok m={\"k\":[1,2]}; ended t[2] ok; ended t[1] ok; ended z ok",
        "t opened with 2
         t[1] call 1
         t[2] call 1
         t completed
         z call 1
         = completed: a completed, t completed, z completed, t[1] completed, t[2] completed",
    );
}

#[test]
fn an_empty_matrix_is_done_at_once() {
    check(
        "steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: t, needs: a, run: x, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\"}
           - {id: z, run: x, needs: t}",
        "launch; ended a ok m=[]; ended z ok",
        "t opened
         t completed
         = completed: a completed, t completed, z completed",
    );
}

#[test]
fn a_computed_matrix_that_is_none_fails_its_step() {
    check(
        "steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: t, needs: a, run: x, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\"}",
        "launch; ended a ok m=5",
        "t failed user_invalid_input
         = failed: a completed, t failed",
    );
}

#[test]
fn a_skipped_matrix_skips_its_copies() {
    check(
        "steps:\n  - {id: t, run: x, if: false, matrix: {k: [a, b]}}",
        "launch",
        "t[a] skipped: frame t
         t skipped: condition
         = completed: t skipped, t[a] skipped, t[b] skipped",
    );
}

const CALL: &str = "steps:
      - {id: a, run: x, outputs: {v: string}}
      - {id: sub, needs: a, workflow: inner.yaml, with: {v: \"${{ steps.a.outputs.v }}\"}}
      - {id: z, run: x, needs: sub, env: {R: \"${{ steps.sub.outputs.r }}\"}}
--- inner.yaml
    inputs: {v: {type: string, default: none}}
    outputs: {r: \"${{ steps.last.outputs.r }}\"}
    steps:
      - {id: first, run: \"echo ${{ inputs.v }}\"}
      - {id: ask, needs: first, gate: {prompt: \"go ${{ inputs.v }}?\"}}
      - {id: last, needs: ask, run: x, outputs: {r: string}}
      - {id: tidy, needs: last, if: always(), run: x}";

#[test]
fn a_workflow_in_a_workflow_has_inputs_outputs_and_gates_of_its_own() {
    check(
        CALL,
        "launch; ended a ok v=7; ended sub/first ok; ann approves via-script; ended sub/last ok r=done; ended sub/tidy ok; ended z ok",
        "sub opened {\"v\":\"7\"}
         sub/first call 1
         g-1 asked
         sub/last call 1
         sub completed {\"r\":\"done\"}
         z call 1
         = completed: a completed, sub completed, sub/first completed, sub/ask completed, sub/last completed, sub/tidy completed, z completed",
    );
}

#[test]
fn a_failure_inside_stops_the_inner_workflow_and_fails_its_step() {
    check(
        CALL,
        "launch; ended a ok v=1; ended sub/first fail; ended sub/tidy ok",
        "sub/first failed
         sub/ask skipped: stopped by sub/first
         sub/tidy call 1
         sub failed partial_step_failures
         r-1 stopping because of sub
         = failed: a completed, sub failed, sub/first failed, sub/ask skipped, sub/last skipped, sub/tidy completed, z skipped",
    );
}

#[test]
fn a_rejection_inside_is_a_rejection_outside() {
    check(
        CALL,
        "launch; ended a ok v=1; ended sub/first ok; ann rejects : no; ended sub/tidy ok",
        "sub/ask rejected
         sub rejected
         r-1 stopping because of sub, rejected
         = rejected: a completed, sub rejected, sub/first completed, sub/ask rejected, sub/last skipped, sub/tidy completed, z skipped",
    );
}

#[test]
fn cancelling_a_run_closes_the_gates_inside() {
    check(
        CALL,
        "launch; ended a ok v=1; ended sub/first ok; cancel; ended sub/tidy ok",
        "g-1 cancelled by run
         sub cancelled
         = cancelled: a completed, sub cancelled, sub/first completed, sub/ask cancelled, sub/last skipped, sub/tidy completed, z skipped",
    );
}

#[test]
fn a_workflow_that_takes_too_long_fails_with_all_that_is_open_in_it() {
    check(
        "steps:
           - {id: sub, workflow: inner.yaml, timeout: 1h}
--- inner.yaml
    steps:
      - {id: g, gate: {prompt: ok?}}
      - {id: a, run: x}
      - {id: deep, workflow: deeper.yaml}
--- deeper.yaml
    steps:
      - {id: b, run: x}",
        "launch; wake 1h; ended sub/a fail user_cancelled; ended sub/deep/b fail user_cancelled",
        "sub ending: frame sub
         g-1 cancelled by run
         sub/a ending: frame sub
         sub/deep/b ending: frame sub
         sub/a cancelled: frame sub
         sub/deep/b cancelled: frame sub
         sub/deep cancelled: frame sub
         sub failed system_timeout
         = failed: sub failed, sub/g cancelled, sub/a cancelled, sub/deep cancelled, sub/deep/b cancelled",
    );
}

#[test]
fn in_a_workflow_that_waits_for_its_next_try_nothing_is_left_to_run_when_the_run_stops() {
    check(
        "steps:
           - {id: sub, workflow: inner.yaml, retry: {max-attempts: 2, delay: 1m, jitter: 0}}
           - {id: b, run: x}
--- inner.yaml
    steps:
      - {id: a, run: x}
      - {id: tidy, needs: a, if: always(), run: x}",
        "launch; ended sub/a fail; ended sub/tidy ok; ended b fail",
        "sub waits
         sub/tidy begins anew
         sub/tidy skipped: frame sub
         sub cancelled
         r-1 ended failed",
    );
}

#[test]
fn fail_fast_ends_copies_that_are_workflows() {
    check(
        "steps:
           - {id: m, workflow: inner.yaml, matrix: {k: [a, b]}}
--- inner.yaml
    steps:
      - {id: s, run: x}",
        "launch; ended m[a]/s fail; ended m[b]/s fail user_cancelled",
        "m[b]/s ending: fail-fast
         m[b]/s cancelled: fail-fast
         m[b] cancelled: fail-fast
         m failed
         = failed: m failed, m[a] failed, m[a]/s failed, m[b] cancelled, m[b]/s cancelled",
    );
}

#[test]
fn a_queued_frame_holds_no_place_that_others_want() {
    check(
        "steps:
           - {id: m, workflow: inner.yaml, matrix: {k: [a, b, c], max-parallel: 1}}
--- inner.yaml
    steps:
      - {id: s, run: x}",
        "launch; ended m[a]/s ok; ended m[b]/s ok; ended m[c]/s ok",
        "m[b] ready
         m[a] completed
         m[b] opened
         m[c] opened
         m completed",
    );
}

#[test]
fn what_needs_a_frame_does_not_start_past_a_gate_in_it_that_nobody_approved() {
    let around = |frame: &str, inner: &str| {
        format!(
            "steps:
               - {{id: s, {frame}}}
               - {{id: ship, needs: s, run: x}}
--- inner.yaml
               steps:
{inner}"
        )
    };
    let gate = "               - {id: g, gate: {prompt: go?, on-reject: continue}}
               - {id: other, run: x}";
    check(
        &around("workflow: inner.yaml", gate),
        "launch; ann rejects s/g : no; ended s/other ok",
        "s/g rejected
         s rejected
         ship skipped: need s
         = partially-completed: s rejected, s/g rejected, s/other completed, ship skipped",
    );
    check(
        &around("workflow: inner.yaml", &gate.replace("go?,", "go?, timeout: 1s,")),
        "launch; wake 1s; ended s/other ok",
        "s expired
         no ship call",
    );
    check(
        &around(
            "matrix: {x: [a, b]}, gate: {prompt: go?, on-reject: continue}",
            "               - {id: g, run: x}",
        ),
        "launch; ann rejects s[a] : no; ann approves s[b] via-script",
        "s rejected
         no ship call",
    );
    // A gate that never asked, since the step before it failed.
    let after_a = "               - {id: a, run: x, on-error: continue}
               - {id: g, needs: a, gate: {prompt: go?}}";
    for frame in ["workflow: inner.yaml", "workflow: inner.yaml, matrix: {x: [b]}"] {
        let copy = if frame.ends_with(']') || frame.contains("matrix") { "s[b]" } else { "s" };
        check(
            &around(frame, after_a),
            &format!("launch; ended {copy}/a fail"),
            &format!(
                "{copy}/g skipped: need {copy}/a\n {copy} failed policy_security: nobody answered its gate\n no ship call"
            ),
        );
    }
    // A gate that its own `if` leaves out holds nothing up.
    check(
        &around("workflow: inner.yaml", "               - {id: g, if: \"false\", gate: {prompt: go?}}"),
        "launch; ended ship ok",
        "s completed
         ship call 1",
    );
}

//! Ways around a gate over a run that is done again: steps put around the gate, commands put under an old approval, and
//! rules that ask fewer people.

use super::door::check;

/// A workflow and its correction.
fn both(before: &str, now: &str) -> String {
    format!("{before}\n=== corrected\n{now}")
}

fn refused(why: &str) -> String {
    format!("! could not retry r-1: {why}\n no r-2")
}

/// A gate that lets the run go on after a rejection, and the steps around it.
fn around(before_gate: &str, needs: &str, between: &str, last: &str) -> String {
    format!(
        "steps:
           - {{id: a, run: x}}
           {before_gate}
           - {{id: g, needs: {needs}, gate: {{prompt: go?, on-reject: continue}}}}
           {between}
           {last}"
    )
}

#[test]
fn a_correction_puts_no_step_that_runs_anyway_between_a_gate_and_what_it_guards() {
    let script = "launch; ended a ok; ann rejects : no; retry failed corrected";
    let z = "- {id: z, needs: g, run: x}";
    let behind_m = "- {id: z, needs: m, run: x}";
    for condition in ["always()", "!success()", "!cancelled()", "success() || always()"] {
        let m = format!("- {{id: m, needs: g, if: \"{condition}\", run: x}}");
        let file = both(&around("", "a", "", z), &around("", "a", &m, behind_m));
        check(&file, script, &refused("z no longer waits for the gate g"));
    }
    // A step between that needs the approval itself is as good as the gate.
    for condition in ["success()", "steps.a.result == 'success'", "success() && !cancelled()"] {
        let m = format!("- {{id: m, needs: g, if: \"{condition}\", run: x}}");
        let file = both(&around("", "a", "", z), &around("", "a", &m, behind_m));
        check(&file, script, "r-2 created, corrected\n g waits for g-2\n no r-2 z call");
    }
    // A step that stood behind such a step before is guarded no more than that was.
    let m = "- {id: m, needs: g, if: always(), run: x}";
    let other = "- {id: z, needs: m, run: better}";
    let file = both(&around("", "a", m, behind_m), &around("", "a", m, other));
    check(
        &file,
        "launch; ended a ok; ann rejects : no; ended m fail; retry failed corrected",
        "r-2 created, corrected",
    );
}

#[test]
fn a_step_that_takes_the_place_of_a_guarded_one_waits_for_the_approval_too() {
    let script = "launch; ended a ok; ann rejects : no; retry failed corrected";
    let file = both(
        &around("", "a", "", "- {id: z, needs: g, run: x}"),
        &around("", "a", "- {id: m, needs: g, if: always(), run: x}", "- {id: z2, needs: m, run: x}"),
    );
    check(&file, script, &refused("z stood behind the gate g and was removed, and "));
}

#[test]
fn a_correction_puts_no_failing_step_before_a_gate_that_lets_the_guarded_step_run() {
    let script = "launch; ended a ok; ann rejects : no; retry failed corrected";
    let failing = "- {id: f, run: 'false', on-error: continue}";
    // The step did not run after a rejection, and would run after a failure.
    let z = "- {id: z, needs: g, if: \"success() || failure()\", run: x}";
    let file = both(&around("", "a", "", z), &around(failing, "[a, f]", "", z));
    check(&file, script, &refused("z stands behind the gate g and runs also after a failure"));
    let beside = "- {id: z, needs: [g, f], if: \"success() || failure()\", run: x}";
    let file = both(&around("", "a", "", z), &around(failing, "a", "", beside));
    check(&file, script, &refused("z stands behind the gate g and runs also after a failure"));
    // Without that it is skipped with its gate.
    let z = "- {id: z, needs: g, run: x}";
    let file = both(&around("", "a", "", z), &around(failing, "[a, f]", "", z));
    check(&file, &format!("{script}; ended f fail"), "r-2 created, corrected\n no r-2 z call");
}

#[test]
fn a_correction_brings_no_failure_about_before_a_gate_that_was_rejected() {
    let script = "launch; ended a ok; ann rejects : no; retry all corrected";
    // The condition reads the answer of the gate, which a failure before the gate takes away.
    for condition in ["always() && steps.g.result != 'failure'", "success() || failure()"] {
        let z = format!("- {{id: z, needs: g, if: \"{condition}\", run: x}}");
        let f = "- {id: f, needs: a, run: bad, on-error: continue}";
        let file = both(&around("", "a", "", &z), &around(f, "[a, f]", "", &z));
        let why = "z stands behind the gate g and runs also after a failure, and f was not before it; let it run after \
                   success alone, or start a new run";
        check(&file, script, &refused(why));
        let changed = around("", "a", "", &z).replacen("run: x", "run: bad, on-error: continue", 1);
        let why = "z stands behind the gate g and runs also after a failure, and a was changed after the gate asked; let \
                   it run after success alone, or start a new run";
        check(&both(&around("", "a", "", &z), &changed), script, &refused(why));
    }
    // A step that runs in any case is held by no rejection, and one that waits for success by every failure.
    let after_z = "launch; ended a ok; ann rejects : no; ended z ok; retry all corrected";
    for (condition, script) in
        [("always()", after_z), ("success()", script), ("steps.g.decision == 'approved'", script)]
    {
        let z = format!("- {{id: z, needs: g, if: \"{condition}\", run: x}}");
        let changed = around("", "a", "", &z).replacen("run: x", "run: better", 1);
        check(&both(&around("", "a", "", &z), &changed), script, "r-2 created, corrected");
    }
}

#[test]
fn a_gate_whose_condition_reads_failures_asks_when_a_correction_changes_what_is_before_it() {
    let file = |failing: &str, needs: &str| {
        format!(
            "steps:
               - {{id: a, run: x}}
               {failing}
               - {{id: g, needs: {needs}, if: \"!failure()\", gate: {{prompt: go?}}}}
               - {{id: z, needs: g, run: x}}"
        )
    };
    let failing = "- {id: f, run: 'false', on-error: continue}";
    check(
        &both(&file("", "a"), &file(failing, "[a, f]")),
        "launch; ended a fail; retry failed corrected; ended a ok; ended f fail",
        "g waits for g-1\n no r-2 z call",
    );
}

/// A gate, what it has approved, and a step beside it that fails: RULES OF THE RUN, KEYS OF THE APPROVED STEP.
fn approved(rules: &str, keys: &str) -> String {
    format!(
        "inputs: {{p: {{default: good}}}}
{rules}
steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: s, needs: g, run: x, env: {{A: b}}{keys}}}
  - {{id: t, run: x}}"
    )
}

#[test]
fn whatever_an_approved_step_may_still_run_stays_as_it_was_approved() {
    let script =
        "launch p=good; ann approves via-script; ended s ok; ended t fail; retry failed corrected p=good";
    let undo = ", undo: 'undo it'";
    for (rules, keys, rules_now, keys_now, part) in [
        ("", undo, "on-failure: compensate", ", undo: evil", "undo"),
        ("", "", "", ", undo: evil", "undo"),
        ("", undo, "env: {PATH: evil}", undo, "env"),
        ("env: {A: b}", undo, "env: {A: c}", undo, "env"),
        ("", ", effect: queryable, check: 'look'", "", ", effect: queryable, check: 'evil'", "check"),
        ("", ", fallback: [{run: a}]", "", ", fallback: [{run: evil}]", "fallback"),
    ] {
        let file = both(&approved(rules, keys), &approved(rules_now, keys_now));
        check(
            &file,
            script,
            &refused(&format!("s was done behind the gate g, and its {part} is written otherwise")),
        );
    }
    let file = both(&approved("", undo), &approved("on-failure: compensate", undo));
    check(&file, &format!("{script}; ended t fail"), "r-2 s completed (kept)\n r-2 s call 1 undo");
}

#[test]
fn what_an_approved_step_is_undone_with_reads_no_other_inputs() {
    let script =
        "launch p=good; ann approves via-script; ended s ok; ended t fail; retry failed corrected p=evil";
    let said = refused("s was done behind the gate g, and its undo reads an input that is another one now");
    let of_call = ", undo: 'echo ${{ inputs.p }}'";
    check(&both(&approved("", of_call), &approved("", of_call)), script, &said);
    let of_env = ", undo: 'echo $P'";
    let rules = "env: {P: '${{ inputs.p }}'}";
    check(&both(&approved(rules, of_env), &approved(rules, of_env)), script, &said);
    let other = ", undo: 'echo it'";
    check(&both(&approved("", other), &approved("", other)), script, "r-2 created, corrected");
}

#[test]
fn what_an_approved_step_is_undone_with_reads_nothing_of_a_step_that_is_done_again() {
    let file = |set: &str, value: &str| {
        format!(
            "inputs: {{p: {{type: string, default: good}}}}
steps:
               - {{id: x, run: 'echo ${{{{ inputs.p }}}}', on-error: continue, outputs: {{v: string}}}}
               {set}
               - {{id: g, needs: x, if: always(), gate: {{prompt: go?}}}}
               - {{id: s, needs: [g, x], if: always(), run: x, undo: 'echo ${{{{ {value} }}}}'}}
               - {{id: t, needs: s, run: y}}"
        )
    };
    let script = "launch p=good; ended x fail; ann approves via-script; ended s ok; ended t fail; retry failed corrected";
    let said = |what: &str| {
        refused(&format!("s was done behind the gate g, and its undo reads {what} that is another one now"))
    };
    let of_step = file("", "steps.x.outputs.v");
    check(&both(&of_step, &of_step), &format!("{script} p=evil"), &said("the result of a step"));
    let set = "- {id: w, needs: x, if: always(), set: {scope: run, values: {v: evil}}}";
    check(&both(&file("", "vars.v"), &file(set, "vars.v")), script, &said("a shared value"));
}

#[test]
fn the_undo_of_a_kept_step_stays_whatever_its_gate_said_in_a_retry() {
    let file = |undo: &str| {
        format!(
            "steps:
               - {{id: g, gate: {{prompt: go?, undo-window: 0s}}}}
               - {{id: s, needs: g, run: x, undo: {undo}}}
               - {{id: z, needs: s, run: x}}"
        )
    };
    // Its gate was refused, was not answered yet, or was cancelled in the run between.
    for answer in ["ann rejects : no", "cancel", "wake 1h; cancel"] {
        check(
            &both(&file("good"), &file("evil")),
            &format!(
                "launch; ann approves; ended s ok; ended z fail; retry failed; {answer}; retry failed corrected"
            ),
            "r-2 s completed (kept)
             g-2 asked 1
             ! could not retry r-2: s was done behind the gate g, and its undo is written otherwise now
             no r-3",
        );
    }
}

#[test]
fn an_undo_that_no_gate_has_shown_can_be_corrected() {
    let file =
        |undo: &str| format!("steps:\n  - {{id: s, run: x, undo: {undo}}}\n  - {{id: t, needs: s, run: x}}");
    check(
        &both(&file("bad"), &file("good")),
        "launch; ended s ok; ended t fail; retry failed corrected",
        "r-2 s completed (kept)",
    );
}

#[test]
fn a_correction_counts_the_people_of_a_group_that_is_named_twice() {
    let file = |require: &str| {
        format!(
            "steps:\n  - {{id: g, gate: {{prompt: go?, require: {require}}}}}\n  - {{id: z, needs: g, run: x}}"
        )
    };
    let script = "launch; ann rejects : no; retry failed corrected";
    let twice = "[{group: sre}, {group: sre}]";
    let said = refused("the correction loosens the gate g (`require`)");
    for now in ["[{group: sre}, {count: 1}]", "[{group: sre}, {group: product}]", "[{group: sre}]"] {
        check(&both(&file(twice), &file(now)), script, &said);
    }
    for now in ["{group: sre, count: 2}", "[{group: sre, count: 2}, {group: product}]"] {
        check(&both(&file(twice), &file(now)), script, "r-2 created, corrected");
    }
}

#[test]
fn a_correction_takes_away_no_undo_window() {
    let file = |rules: &str| {
        format!("steps:\n  - {{id: g, gate: {{prompt: go?{rules}}}}}\n  - {{id: z, needs: g, run: x}}")
    };
    let script = "launch; ann rejects : no; retry failed corrected";
    let said = refused("the correction loosens the gate g (`undo-window`)");
    for (before, now, stands) in [
        (", undo-window: 3s", "", false),
        (", undo-window: 10m", "", false),
        (", undo-window: 0s", "", true),
        ("", ", undo-window: 1s", false),
        ("", ", undo-window: 5s", true),
        (", undo-window: 3s", ", undo-window: 4s", true),
    ] {
        let expected = if stands { "r-2 created, corrected" } else { &said };
        check(&both(&file(before), &file(now)), script, expected);
    }
}

/// A gate whose rule reads what the step before it found: KEYS OF THE STEP, MORE RULES OF THE GATE.
fn decided(keys: &str, rules: &str) -> String {
    format!(
        "steps:
           - {{id: a, run: x, outputs: {{risky: string}}}}
           - {{id: g, needs: a, {keys}gate: {{prompt: go?{rules}}}}}
           - {{id: z, needs: g, run: x}}"
    )
}
const ASKS: &str = "if: \"steps.a.outputs.risky == 'yes'\", ";
const AUTO: &str = ", auto: \"steps.a.outputs.risky == 'no'\"";

#[test]
fn a_gate_that_asked_asks_in_every_run_that_does_its_run_again() {
    for (keys, rules) in [(ASKS, ""), ("", AUTO)] {
        let file = decided(keys, rules);
        let begin = "launch; ended a ok risky=yes;";
        for again in ["ann rejects : no; retry all", "fork a"] {
            let script = format!("{begin} {again}; ended a ok risky=no; ann approves via-script");
            check(
                &file,
                &script,
                "g-1 asked 1\n r-2 created\n g-2 asked 1\n g-2 approved by people\n r-2 z call 1",
            );
        }
        // Through a run that never got so far.
        let script =
            format!("{begin} ann rejects : no; retry all; ended a fail; retry failed; ended a ok risky=no");
        check(&file, &script, "r-3 created\n g-2 asked 1\n no r-3 z call");
    }
    // A gate that no person was asked at is left to its policy.
    check(
        &decided("", AUTO),
        "launch; ended a ok risky=no; ended z fail; retry all; ended a ok risky=no",
        "g-1 approved by policy:auto\n g-2 approved by policy:auto\n r-2 z call 1",
    );
}

#[test]
fn a_frame_around_a_gate_that_asked_does_not_vanish_in_a_retry() {
    for (keys, by) in [
        ("if: \"steps.a.outputs.risky == 'yes'\"", "its `if`"),
        ("matrix: {n: \"${{ fromJSON(steps.a.outputs.risky) }}\"}", "its matrix"),
    ] {
        let file = format!(
            "steps:
               - {{id: a, run: x, outputs: {{risky: string}}}}
               - {{id: r, needs: a, {keys}, workflow: inner.yaml}}
               - {{id: z, needs: r, run: x}}
--- inner.yaml
               steps:
                 - {{id: g, gate: {{prompt: go?}}}}"
        );
        let (yes, no) = if by == "its `if`" { ("yes", "no") } else { ("\"[1]\"", "\"[]\"") };
        let script =
            format!("launch; ended a ok risky={yes}; ann rejects : no; retry all; ended a ok risky={no}");
        check(&file, &script, "r-2 created\n r failed\n no r-2 z call");
    }
}

#[test]
fn a_kept_approval_binds_what_is_done_again_although_another_gate_asks_again() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: z, needs: g, run: x}
           - {id: h, needs: z, gate: {prompt: on?}}
           - {id: y, needs: h, run: x}",
        "launch; ann approves via-script; ended z ok; ann rejects : no; retry failed; ann approves via-script",
        "r-2 g completed (kept)\n r-2 z completed (kept)\n g-3 asked 1\n r-2 y call 1",
    );
}

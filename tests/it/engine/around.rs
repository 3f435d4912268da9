//! Ways around a gate that do not touch it: steps before it that are closed by hand, corrections, and its form.

use super::door::check;

/// A gate whose `if` reads what a step before it found.
const DECIDED: &str = "steps:
   - {id: scan, run: x, outputs: {risky: string}}
   - {id: g, needs: scan, if: \"steps.scan.outputs.risky == 'yes'\", gate: {prompt: go?}}
   - {id: z, needs: g, run: x}";

#[test]
fn a_step_closed_by_hand_leaves_no_gate_out() {
    check(DECIDED, "launch; ended scan ok risky=no; ended z ok", "g skipped\n z call 1\n no asked");
    check(DECIDED, "launch; ended scan fail; done scan risky=no; retry failed", "no z call");
    check(
        "steps:
           - {id: first, run: x}
           - {id: scan, needs: first, run: x, outputs: {risky: string}}
           - {id: g, needs: scan, if: \"steps.scan.outputs.risky == 'yes'\", gate: {prompt: go?}}
           - {id: z, needs: g, run: x}",
        "launch; skip scan; ended first ok; ann approves via-script",
        "scan skipped: by req\n g-1 asked 1\n g-1 approved by people\n z call 1",
    );
    // Nor does a policy approve what a person said.
    check(
        "steps:
           - {id: first, run: x}
           - {id: tests, needs: first, run: x, outputs: {good: string}}
           - {id: g, needs: tests, gate: {prompt: go?, auto: \"steps.tests.outputs.good != 'no'\"}}
           - {id: z, needs: g, run: x}",
        "launch; skip tests; ended first ok",
        "g-1 asked 1\n no policy:auto\n no z call",
    );
}

#[test]
fn a_skipped_step_empties_no_gate_out_of_a_frame() {
    check(
        "steps:
           - {id: first, run: x}
           - {id: scan, needs: first, run: x, outputs: {risky: string}}
           - {id: s, needs: scan, if: \"steps.scan.outputs.risky == 'yes'\", workflow: inner.yaml}
           - {id: z, needs: s, run: x}
--- inner.yaml
         steps:
           - {id: g, gate: {prompt: go?}}",
        "launch; skip scan; ended first ok",
        "s failed\n no z call",
    );
}

#[test]
fn a_gate_that_could_not_ask_lets_nothing_go_whatever_its_on_error_says() {
    check(
        "steps:
           - {id: a, run: x, outputs: {v: string}}
           - {id: g, needs: a, on-error: skip, gate: {prompt: \"${{ fromJSON(steps.a.outputs.v) }}\"}}
           - {id: z, needs: g, run: x}",
        "launch; ended a ok v={",
        "g failed\n no z call",
    );
}

/// A rejected run, and its correction.
fn corrected(gate: &str, deploy: &str) -> String {
    format!(
        "inputs: {{env: {{default: prod}}}}
         steps:
           - {{id: a, run: x}}
           - {{id: g, needs: a, if: \"inputs.env == 'prod'\", gate: {{prompt: go?, require: {{group: sre, count: 2}}}}}}
           - {{id: z, needs: g, run: x}}
=== corrected
         inputs: {{env: {{default: prod}}}}
         steps:
           - {{id: a, run: x}}
           {gate}
           {deploy}"
    )
}

#[test]
fn a_correction_takes_no_gate_away() {
    let script = "launch env=prod; ended a ok; ann rejects : no; retry failed corrected env=prod";
    let good = "- {id: g, needs: a, if: \"inputs.env == 'prod'\", gate: {prompt: really?, require: {group: sre, count: 2}}}";
    let z = "- {id: z, needs: g, run: better}";
    check(&corrected(good, z), script, "r-2 created, corrected\n g-2 asked 1\n no r-2 z call");
    for (gate, deploy, why) in [
        ("", "- {id: z, needs: a, run: x}", "the correction removes the gate g"),
        ("- {id: g, needs: a, run: x}", z, "the correction loosens the gate g (kind)"),
        (
            "- {id: g, needs: a, if: \"inputs.env == 'prod'\", gate: {prompt: go?, require: {group: sre, count: 1}}}",
            z,
            "the correction loosens the gate g (`require`)",
        ),
        (
            "- {id: g, needs: a, if: 'false', gate: {prompt: go?, auto: 'true', require: {group: sre, count: 2}}}",
            z,
            "the correction loosens the gate g (`if`, `auto`)",
        ),
        (good, "- {id: z, needs: a, run: x}", "z no longer waits for the gate g"),
        (good, "- {id: z, needs: g, if: always(), run: x}", "z no longer waits for the gate g"),
    ] {
        check(&corrected(gate, deploy), script, &format!("! could not retry r-1: {why}\n no r-2"));
    }
}

#[test]
fn other_inputs_leave_no_gate_out_that_has_asked() {
    check(
        corrected("", "").split("=== corrected").next().expect("a file"),
        "launch env=prod; ended a ok; ann rejects : no; retry failed corrected env=dev; ann approves; bob approves via-script",
        "r-2 a completed (kept)
         g-2 asked 1
         g-2 bob approves
         r-2 g completed
         r-2 z call 1",
    );
}

#[test]
fn a_correction_asks_a_gate_no_less_than_before() {
    let file = |rules: &str| {
        format!(
            "inputs: {{env: {{default: prod}}}}
         steps:
           - {{id: g, gate: {{prompt: go?{rules}}}}}
           - {{id: z, needs: g, run: x}}"
        )
    };
    let strict = ", form: {t: {type: string, required: true, pattern: '^CHG-'}}, evidence: [plan.txt], \
                   binds: ['${{ inputs.env }}'], undo-window: 1m";
    let script = "launch; facts g one; ann rejects : no; retry failed corrected env=prod";
    for (from, to, why) in [
        ("required: true, ", "", "`form`"),
        (", pattern: '^CHG-'", "", "`form`"),
        (", evidence: [plan.txt]", "", "`evidence`"),
        (", binds: ['${{ inputs.env }}']", "", "`binds`"),
        ("undo-window: 1m", "undo-window: 0s", "`undo-window`"),
    ] {
        let both = format!("{}\n=== corrected\n{}", file(strict), file(&strict.replace(from, to)));
        check(
            &both,
            script,
            &format!("! could not retry r-1: the correction loosens the gate g ({why})\n no r-2"),
        );
    }
    let stricter = strict.replace("undo-window: 1m", "undo-window: 2m, reason: required");
    let both = format!("{}\n=== corrected\n{}", file(strict), file(&stricter));
    check(&both, script, "r-2 created, corrected");
}

#[test]
fn a_corrected_field_takes_fewer_values_or_other_ones_and_answers_itself_no_more_than_before() {
    let file = |risk: &str, field: &str| {
        format!(
            "inputs: {{env: {{default: prod}}}}
         steps:
           - {{id: g, gate: {{prompt: go?{risk}, form: {{t: {{type: string{field}}}}}}}}}
           - {{id: z, needs: g, run: x}}"
        )
    };
    let script = "launch; facts g one; ann rejects : no; retry failed corrected env=prod";
    let two = ", enum: [a, b]";
    let high = ", risk: irreversible";
    let filled = ", required: true, default: a";
    for (risk, before, now, stands) in [
        ("", two, ", enum: [a]", true),
        ("", two, two, true),
        ("", two, "", false),
        ("", two, ", enum: [a, c]", false),
        ("", ", enum: [a]", two, false),
        ("", "", two, true),
        ("", "", ", pattern: '^a'", true),
        ("", ", pattern: '^a'", ", pattern: '^b'", false),
        // Whoever corrects fills in nothing for whoever approves; to have it filled in by hand is stricter.
        ("", ", required: true", filled, false),
        ("", filled, ", required: true, default: b", false),
        ("", filled, ", required: true", true),
        ("", filled, filled, true),
        ("", ", default: a", filled, true),
        ("", ", default: b", filled, false),
        ("", "", ", default: a", true),
        (high, "", ", default: a", false),
    ] {
        let both = format!("{}\n=== corrected\n{}", file(risk, before), file(risk, now));
        let said = "! could not retry r-1: the correction loosens the gate g (`form`)\n no r-2";
        check(&both, script, if stands { "r-2 created, corrected" } else { said });
    }
}

/// A gate with a form.
fn form(rules: &str, fields: &str) -> String {
    format!(
        "steps:
           - {{id: g, gate: {{prompt: go?{rules}, form: {{{fields}}}}}}}
           - {{id: z, needs: g, env: {{T: '${{{{ steps.g.form.ticket }}}}'}}, run: x}}"
    )
}

#[test]
fn who_approves_fills_in_the_form_and_is_no_editor() {
    check(
        &form("", "ticket: {type: string, required: true, pattern: '^CHG-'}"),
        "launch; ann approves via-script; ann approves ticket=x via-script; ann approves ticket=CHG-1 via-script; ended z ok",
        "! could not fill in the form of g-1: `ticket` must be given
         ! could not fill in the form of g-1: `ticket` is \"x\", which does not match ^CHG-
         g-1 asked 2: ann filled in ticket: null → \"CHG-1\"
         g-1 ann approves
         g-1 approved by people
         z call 1
         = completed: g completed, z completed",
    );
}

#[test]
fn a_gate_of_high_risk_asks_for_its_optional_fields() {
    check(
        &form(", risk: irreversible", "ticket: {type: string}"),
        "launch; ann approves; ann approves ticket=null; ended z ok",
        "! could not fill in the form of g-1: `ticket` is empty and its risk is high
         g-1 ann approves
         g-1 approved by people",
    );
    check(&form("", "ticket: {type: string}"), "launch; ann approves via-script", "g-1 approved by people");
}

#[test]
fn later_approvals_are_of_the_same_values() {
    check(
        &form(", require: {group: sre, count: 2}", "ticket: {type: string, required: true}"),
        "launch; ann approves ticket=A; bob approves ticket=B; bob approves old; bob approves via-script; ended z ok",
        "g-1 asked 2: ann filled in
         g-1 ann approves
         ! could not fill in the form of g-1: others approved other values
         ! could not decide g-1: its ask has changed
         g-1 bob approves
         g-1 approved by people
         g completed {\"decision\":\"approved\",\"form\":{\"ticket\":\"A\"},\"approvers\":[\"ann\",\"bob\"]}
         z call 1",
    );
}

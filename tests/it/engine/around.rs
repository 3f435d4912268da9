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

#[test]
fn a_skip_any_number_of_frames_up_leaves_no_gate_out() {
    check(
        "steps:
           - {id: first, run: x}
           - {id: a, needs: first, run: x, outputs: {v: string}}
           - {id: w, needs: a, workflow: middle.yaml, with: {v: \"${{ steps.a.outputs.v }}\"}}
--- middle.yaml
         inputs: {v: {type: string}}
         steps:
           - {id: w, workflow: inner.yaml, with: {v: \"${{ inputs.v }}\"}}
--- inner.yaml
         inputs: {v: {type: string}}
         steps:
           - {id: y, run: x, outputs: {v: string}}
           - {id: g, needs: y, if: \"steps.y.outputs.v == 'yes'\", gate: {prompt: go?}}
           - {id: z, needs: g, run: x}",
        "launch; skip a; ended first ok; ended w/w/y ok v=no",
        "w/w/g waits for g-1\n no w/w/z call",
    );
}

#[test]
fn a_skip_that_turns_failure_into_success_leaves_no_gate_out() {
    check(
        "steps:
           - {id: first, run: x}
           - {id: a, needs: first, run: x}
           - {id: g, needs: a, if: failure(), gate: {prompt: roll back?}}
           - {id: z, needs: g, run: x}",
        "launch; skip a; ended first ok",
        "g waits for g-1\n no z call",
    );
}

#[test]
fn whatever_stands_behind_a_gate_it_stays_there_in_a_correction() {
    let file = |gate: &str, behind: &str| {
        format!(
            "steps:
               - {{id: x, run: x, outputs: {{list: array}}}}
               {gate}
               {behind}
               - {{id: end, needs: x, run: x}}
--- inner.yaml
               steps:
                 - {{id: s, run: x}}"
        )
    };
    let gate = "- {id: g, needs: x, gate: {prompt: go?, risk: irreversible}}";
    for work in [
        "matrix: {n: \"${{ steps.x.outputs.list }}\"}, run: x",
        "matrix: {n: [1]}, run: x",
        "emit: {event: go}",
        "wait: 1s",
        "set: {scope: run, values: {a: \"1\"}}",
        "workflow: inner.yaml",
        "run: x",
    ] {
        let behind = |id: &str, needs: &str, work: &str| format!("- {{id: {id}, needs: {needs}, {work}}}");
        let written = file(gate, &behind("m", "[x, g]", work));
        let script = "launch; ended x ok list=[1]; ended end ok; ann rejects : no; retry failed corrected";
        for (now, why) in [
            (file(gate, &behind("m", "x", work)), "m no longer waits for the gate g"),
            (file("", &behind("m", "x", work)), "the correction removes the gate g"),
            (
                file(gate, &behind("m2", "x", work)),
                "m stood behind the gate g and was removed, and m2 is new",
            ),
            (file(gate, &behind("m", "x", "run: x")), "m no longer waits for the gate g"),
        ] {
            let both = format!("{written}\n=== corrected\n{now}");
            check(&both, script, &format!("! could not retry r-1: {why}\n no r-2"));
        }
    }
}

#[test]
fn a_gate_that_a_matrix_makes_asks_again_in_a_correction_as_any_other() {
    let file = |matrix: &str, gate: &str, last: &str| {
        format!(
            "inputs: {{env: {{type: string, default: prod}}}}
             steps:
               - {{id: x, run: x, outputs: {{list: array}}}}
               - {{id: m, needs: x, matrix: {{n: {matrix}}}, workflow: inner.yaml, with: {{env: \"${{{{ inputs.env }}}}\"}}}}
               - {{id: d, needs: m, run: {last}}}
--- inner.yaml
             inputs: {{env: {{type: string}}}}
             steps:
               - {{id: g, {gate}}}"
        )
    };
    for matrix in ["[1]", "\"${{ steps.x.outputs.list }}\""] {
        let gate = "gate: {prompt: go?, risk: irreversible}";
        let both = format!("{}\n=== corrected\n{}", file(matrix, gate, "x"), file(matrix, gate, "evil"));
        check(
            &both,
            "launch env=prod; ended x ok list=[1]; ann approves via-script; ended d fail; retry failed corrected env=prod",
            "d failed\n m[1]/g waits for g-2\n no r-2 d call",
        );
        // What was rejected does not approve itself.
        for gate in [
            "gate: {prompt: go?, risk: irreversible, auto: \"inputs.env == 'dev'\"}",
            "if: \"inputs.env == 'prod'\", gate: {prompt: go?, risk: irreversible}",
        ] {
            let both = format!("{0}\n=== corrected\n{0}", file(matrix, gate, "x"));
            check(
                &both,
                "launch env=prod; ended x ok list=[1]; ann rejects : no; retry failed corrected env=dev",
                "m[1]/g rejected\n m[1]/g waits for g-2\n no r-2 d call",
            );
        }
    }
}

#[test]
fn a_correction_of_many_gates_is_compared_in_the_time_of_one_look() {
    let steps: Vec<String> = (0..1500)
        .rev()
        .map(|index| {
            let needs = if index == 0 { String::new() } else { format!(", needs: s{}", index - 1) };
            let work = if index % 2 == 0 { "gate: {prompt: go?}" } else { "run: x" };
            format!("  - {{id: s{index}{needs}, {work}}}")
        })
        .collect();
    let file = format!("inputs: {{env: {{type: string, default: a}}}}\nsteps:\n{}", steps.join("\n"));
    let both = format!("{file}\n=== corrected\n{file}");
    check(&both, "launch env=a; ann rejects : no; retry failed corrected env=b", "r-2 created, corrected");
}

#[test]
fn a_gate_that_asked_is_remembered_through_retries_that_correct_nothing() {
    let file = "inputs: {env: {type: string, default: prod}}
         steps:
           - {id: a, run: x}
           - {id: g, needs: a, if: \"inputs.env != 'dev'\", gate: {prompt: go?}}
           - {id: z, needs: g, run: x}";
    check(
        &format!("{file}\n=== corrected\n{file}"),
        "launch env=prod; ended a ok; ann rejects : no; retry all; cancel; ended a fail user_cancelled; retry failed corrected env=dev; ended a ok",
        "r-3 created, corrected\n g waits for g-2\n no r-3 z call",
    );
}

#[test]
fn whoever_was_excluded_when_a_gate_asked_stays_excluded_in_a_correction() {
    let file = "inputs: {author: {type: string, default: ann}}
         steps:
           - {id: g, gate: {prompt: go?, forbid: [\"${{ inputs.author }}\"]}}
           - {id: z, needs: g, run: x}";
    check(
        &format!("{file}\n=== corrected\n{file}"),
        "launch author=ann; bob rejects : no; retry failed corrected author=bob; ann approves via-script; bob approves via-script; cat approves via-script",
        "! could not decide g-2: ann was excluded by the workflow when this gate asked before
         ! could not decide g-2: bob is excluded by the workflow
         g-2 cat approves",
    );
}

#[test]
fn an_exclusion_that_a_person_decides_by_hand_or_that_names_nobody_opens_no_gate() {
    let file = "steps:
           - {id: first, run: x}
           - {id: who, needs: first, run: x, outputs: {author: string}}
           - {id: g, needs: who, gate: {prompt: go?, forbid: [\"${{ steps.who.outputs.author }}\"]}}
           - {id: z, needs: g, run: x}";
    check(file, "launch; skip who; ended first ok", "g failed\n no g-1 asked\n no z call");
    check(file, "launch; ended first ok; ended who ok author=", "g failed\n no g-1 asked\n no z call");
    check(
        file,
        "launch; ended first ok; ended who ok author=ann; bob approves via-script",
        "g-1 asked 1\n z call",
    );
}

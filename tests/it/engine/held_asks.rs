//! A correction keeps every ask that people have refused: in matrices computed during the run, of results without a
//! figure, of a run that ended long ago, and of each gate by itself.

use super::door::check;

/// A workflow and its correction.
fn both(before: &str, now: &str) -> String {
    format!("{before}\n=== corrected\n{now}")
}

fn refused(why: &str) -> String {
    format!("! could not retry r-1: {why}\n no r-2")
}

/// A matrix computed during the run, whose copies ask people about a result of low confidence: KEYS OF IT, ITS DEPENDENT.
fn computed(work: &str, keys: &str, last: &str) -> String {
    format!(
        "steps:
  - {{id: l, run: x, outputs: {{x: any}}}}
  - {{id: m, needs: l, matrix: {{k: \"${{{{ fromJSON(steps.l.outputs.x) }}}}\"}}, {work}{keys}}}
  - {{id: z{last}, run: x}}"
    )
}

#[test]
fn a_result_in_a_computed_matrix_that_people_refused_holds_the_run_after_a_correction() {
    let work = "run: x, outputs: {score: number}, confidence: {from: score, min: 0.7, below: gate}";
    let inner = format!("\n--- inner.yaml\nsteps:\n  - {{id: i, {work}}}");
    for (work, inner, asked) in [(work, "", "m[1]"), ("workflow: inner.yaml", inner.as_str(), "m[1]/i")] {
        let file = |keys: &str, last: &str| format!("{}{inner}", computed(work, keys, last));
        let was = file("", ", needs: m");
        let script = format!(
            "launch; ended l ok x=[1]; ended {asked} ok score=0.1; ann rejects {asked} : no; retry failed corrected"
        );
        for (now, why) in [
            (file("", ""), "z no longer waits for the gate m"),
            (file("", ", needs: m, if: always()"), "z no longer waits for the gate m"),
            (file(", on-error: continue", ", needs: m"), "the correction loosens the gate of m (`on-error`)"),
            (file(", on-error: skip", ", needs: m"), "the correction loosens the gate of m (`on-error`)"),
        ] {
            check(&both(&was, &now), &script, &refused(why));
        }
        let other = was.replace("needs: m, run: x", "needs: m, run: better");
        check(&both(&was, &other), &script, "r-2 created, corrected\n no r-2 z call");
    }
}

/// The file of a tool whose results are that reliable.
fn tool(name: &str, reliability: &str) -> String {
    format!(
        "--- tools/{name}.yaml
name: {name}
version: 1
description: Looks
command: [{name}]
effect: idempotent
risk: reversible
reliability: {reliability}
input: {{type: object, properties: {{}}}}
"
    )
}

#[test]
fn a_correction_raises_no_confidence_that_people_were_asked_about() {
    let script = "launch; ended a ok; ann rejects a : no; retry failed corrected";
    let file = |work: &str, min: &str, reliability: &str| {
        format!(
            "steps:\n  - {{id: a, {work}, confidence: {{min: {min}, below: gate}}}}\n  - {{id: z, needs: a, run: x}}\n{}{}",
            tool("one", reliability),
            tool("two", "high")
        )
    };
    let was = file("uses: one@1", "0.7", "low");
    let why = refused("the correction loosens the gate of a (`confidence`)");
    for (work, reliability) in
        [("uses: one@1", "high"), ("uses: one@1", "medium"), ("run: x", "low"), ("uses: two@1", "low")]
    {
        check(&both(&was, &file(work, "0.7", reliability)), script, &why);
    }
    for (work, min, reliability) in [("uses: one@1", "0.8", "low"), ("run: x", "0.9", "low")] {
        check(&both(&was, &file(work, min, reliability)), script, "r-2 created, corrected");
    }
    // People were asked about neither.
    let sure = file("uses: one@1", "0.7", "medium");
    let script = "launch; cancel; ended a cancelled; retry failed corrected";
    check(&both(&sure, &file("uses: one@1", "0.7", "high")), script, "r-2 created, corrected");
    // One of several tools.
    let any = |reliability: &str| file("uses: {any: [one@1, two@1], route: priority}", "0.7", reliability);
    check(&both(&any("low"), &any("low").replace("run: x", "run: y")), script, "r-2 created, corrected");
    for now in [any("high"), file("uses: two@1", "0.7", "low")] {
        check(&both(&any("low"), &now), script, &why);
    }
    // In a matrix that is computed.
    let inner = |reliability: &str| {
        format!(
            "{}\n{}",
            computed("uses: one@1, confidence: {min: 0.7, below: gate}", "", ", needs: m"),
            tool("one", reliability)
        )
    };
    check(
        &both(&inner("low"), &inner("high")),
        "launch; ended l ok x=[1]; ended m[1] ok; ann rejects m[1] : no; retry failed corrected",
        &refused("the correction loosens the gate of m (`confidence`)"),
    );
}

/// A gate, the step that it guards, and a step beside both.
fn guarded(ship: &str, side: &str) -> String {
    format!(
        "steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: ship, needs: g, run: {ship}}}
  - {{id: side, run: {side}}}"
    )
}

#[test]
fn a_fork_of_a_run_that_ended_long_ago_knows_whom_it_asked() {
    let more = "launch; ended side ok; ann rejects : no;".repeat(65);
    // From an instant after the gate asked, and from one before that.
    for at in ["ship", "g"] {
        let script = format!("launch; ended side ok; ann rejects : no; {more} run r-1; fork {at} corrected");
        let why = "! could not fork r-1: ship stood behind the gate g and was written otherwise after it asked, and side is";
        let file = both(&guarded("y", "x"), &guarded("'true'", "y"));
        check(&file, &script, why);
    }
}

#[test]
fn gates_with_the_same_rules_hold_their_own_steps_unless_they_are_copies() {
    let file = |stage: &str, prod: &str| {
        format!(
            "steps:
  - {{id: prod, gate: {{prompt: go?}}}}
  - {{id: ship-prod, needs: prod, run: {prod}}}
  - {{id: stage, gate: {{prompt: go?}}}}
  - {{id: ship-stage, needs: stage, run: {stage}}}"
        )
    };
    let script = "launch; ann rejects prod : no; retry failed corrected";
    let why = "ship-prod stood behind the gate prod and was written otherwise after it asked, and ship-stage is new or";
    check(&both(&file("x", "y"), &file("y", "'true'")), script, &refused(why));
    // Nor do the gates of two matrices, or two gates of one copy, stand for each other.
    let inner = |first: &str, second: &str| {
        format!(
            "steps:
  - {{id: m, matrix: {{k: [1]}}, workflow: first.yaml}}
  - {{id: n, matrix: {{k: [1]}}, workflow: second.yaml}}
--- first.yaml
steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: ship, needs: g, run: {first}}}
  - {{id: h, gate: {{prompt: go?}}}}
  - {{id: last, needs: h, run: {second}}}
--- second.yaml
steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: ship, needs: g, run: {second}}}"
        )
    };
    let why = "m[1]/ship stood behind the gate m[1]/g and was written otherwise after it asked, and m[1]/last is new or";
    check(
        &both(&inner("x", "y"), &inner("'true'", "x")),
        "launch; ann rejects m[1]/g : no; retry failed corrected",
        &refused(why),
    );
}

/// A gate, the step that it guards, and one after that which runs in any case.
fn cleaned(clean: &str, more: &str) -> String {
    format!(
        "steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: ship, needs: g, run: x}}
  - {{id: clean, needs: ship, if: always(), run: {clean}}}{more}"
    )
}

#[test]
fn a_step_that_runs_without_the_approval_is_corrected_as_often_as_needed() {
    let first = both(&cleaned("x", ""), &cleaned("y", ""));
    let script = "launch; ann rejects : no; ended clean ok; retry all corrected; run r-2; ann rejects : no; ended clean ok; \
                  retry all corrected-again";
    for more in ["", "\n  - {id: also, needs: clean, run: y}"] {
        let file = format!("{first}\n=== corrected\n{}", cleaned("z", more));
        check(&file, script, "r-2 created, corrected\n r-3 created, corrected");
    }
    // Its work stays behind the gate.
    let file = format!("{first}\n=== corrected\n{}", cleaned("y", "\n  - {id: also, run: x}"));
    let why = "! could not retry r-2: clean stood behind the gate g and was written otherwise after it asked, and also is new";
    check(&file, script, &format!("r-2 created, corrected\n {why}"));
}

/// Steps in a row, each of which needs those before it, so many at most.
fn row(count: usize, needs: usize, work: impl Fn(usize) -> &'static str) -> String {
    let step = |at: usize| {
        let needs: Vec<String> = (at.saturating_sub(needs)..at).map(|at| format!("s{at}")).collect();
        format!("  - {{id: s{at}, needs: [{}], {}}}", needs.join(", "), work(at))
    };
    let steps: Vec<String> = (0..count).map(step).collect();
    format!("steps:\n{}", steps.join("\n"))
}

#[test]
fn a_correction_that_would_hold_up_the_engine_is_refused() {
    let why = refused("the correction would compare");
    let script = "launch; cancel; ended s0 cancelled; retry failed corrected";
    // Needs count as well as steps.
    let gates = |last: usize| {
        row(900, 40, move |at| {
            if at == last {
                "run: y"
            } else if at == 0 {
                "run: x"
            } else {
                "gate: {prompt: go?}"
            }
        })
    };
    check(&both(&gates(900), &gates(0)), script, &why);
    // So do gates whose condition reads failures, although the steps were none before.
    let steps = row(4000, 1, |_| "run: x");
    let turned = row(4000, 1, |at| if at == 0 { "run: x" } else { "if: failure(), gate: {prompt: go?}" });
    check(&both(&steps, &turned), script, &why);
}

//! A correction keeps all that asks people, also without a gate of its own, and puts no work of a guarded step elsewhere.

use super::door::check;

/// A workflow and its correction.
fn both(before: &str, now: &str) -> String {
    format!("{before}\n=== corrected\n{now}")
}

fn refused(why: &str) -> String {
    format!("! could not retry r-1: {why}\n no r-2")
}

/// A step of a workflow, and a step behind it; then the files of its tools.
fn first(keys: &str) -> String {
    let tool = |name: &str| {
        format!(
            "--- tools/{name}.yaml
name: {name}
version: 1
description: Ships
command: [{name}]
effect: idempotent
risk: reversible
input: {{type: object, properties: {{}}}}
"
        )
    };
    format!("steps:\n  - {{id: a, {keys}}}\n  - {{id: z, needs: a, run: x}}\n{}{}", tool("one"), tool("two"))
}

fn talk(tools: &str, gates: &str) -> String {
    first(&format!("llm: {{model: stand-in, prompt: Mend it, tools: [{tools}]{gates}}}"))
}

const LOOSENS: &str = "the correction loosens the gate of a";

#[test]
fn a_correction_loosens_no_gate_of_the_calls_of_a_model() {
    let script = "launch; cancel; ended a/ask-1 cancelled; retry all corrected";
    let strict = ", gates: {require: [{group: sre, count: 2}], forbid: [run.actor], risk: irreversible, reason: required}";
    let was = talk("one@1", strict);
    for (now, what) in [
        (talk("one@1", ""), "`require`, `forbid`, `risk`, `reason`"),
        (talk("one@1", &strict.replace("irreversible", "reversible")), "`risk`"),
        (talk("one@1", &strict.replace("count: 2", "count: 1")), "`require`"),
        (first("run: x"), "`gates`"),
    ] {
        check(&both(&was, &now), script, &refused(&format!("{LOOSENS} ({what}); restore it")));
    }
    // Fewer tools, a gate more, and other words for the model loosen nothing.
    let was = talk("one@1, two@1", "");
    for now in [talk("one@1", ""), talk("one@1, two@1", strict), was.replace("Mend it", "Mend all")] {
        check(&both(&was, &now), script, "r-2 created, corrected");
    }
    let gone = was.replace("id: a,", "id: b,").replace("needs: a", "needs: b");
    check(&both(&was, &gone), script, &refused("the correction removes a, at which people are asked"));
}

#[test]
fn a_call_of_a_model_that_waited_for_people_waits_for_them_after_a_correction() {
    let script = "launch; cancel; ended a/ask-1 cancelled; retry all corrected";
    // All calls wait, also of a tool that only reads; then only those that have to.
    let was = talk("one@1, file.read", ", gates: {calls: all}");
    let now = talk("one@1, file.read", "");
    check(&both(&was, &now), script, &refused(&format!("{LOOSENS} (`calls`)")));
    // A tool that was not offered before.
    check(&both(&talk("one@1", ""), &now), script, &refused(&format!("{LOOSENS} (`calls`)")));
}

#[test]
fn a_correction_keeps_the_gate_of_a_result_below_its_least_confidence() {
    let keys = |rules: &str| format!("run: x, outputs: {{score: number}}{rules}");
    let was = first(&keys(", confidence: {from: score, min: 0.7, below: gate}"));
    let script = "launch; ended a ok score=0.1; ann rejects a : no; retry failed corrected";
    for rules in [
        "",
        ", confidence: {from: score, min: 0.7, below: warn}",
        ", confidence: {from: score, min: 0.1, below: gate}",
        ", confidence: {min: 0.7, below: gate}",
    ] {
        let now = first(&keys(rules));
        check(&both(&was, &now), script, &refused(&format!("{LOOSENS} (`confidence`)")));
    }
    for rules in [
        ", confidence: {from: score, min: 0.8, below: gate}",
        ", confidence: {from: score, min: 0.7, below: fail}",
    ] {
        check(&both(&was, &first(&keys(rules))), script, "r-2 created, corrected");
    }
    let free = was.replace("id: z, needs: a", "id: z");
    check(&both(&was, &free), script, &refused("z no longer waits for the gate a"));
}

#[test]
fn a_rejection_without_a_gate_of_its_own_stays_one_after_a_correction() {
    let script = "launch; ended a ok score=0.1; ann rejects a : no; retry failed corrected";
    let was = first("run: x, outputs: {score: number}, confidence: {from: score, min: 0.7, below: gate}");
    for (key, named) in [
        ("on-error: skip", "`on-error`"),
        ("on-error: continue", "`on-error`"),
        ("fallback: [{run: y}]", "`fallback`"),
    ] {
        let now = was.replace("{id: a, ", &format!("{{id: a, {key}, "));
        check(&both(&was, &now), script, &refused(&format!("{LOOSENS} ({named})")));
    }
    let inner = |keys: &str| {
        format!(
            "steps:\n  - {{id: m, workflow: inner.yaml{keys}}}\n  - {{id: z, needs: m, run: x}}\n--- inner.yaml\n{was}"
        )
    };
    check(
        &both(&inner(""), &inner(", on-error: skip")),
        "launch; ended m/a ok score=0.1; ann rejects m/a : no; retry failed corrected",
        &refused("the correction loosens m, in which people are asked (`on-error`)"),
    );
}

#[test]
fn no_work_leaves_a_step_whose_result_people_refused() {
    let file = |z: &str, b: &str| {
        let a = "run: x, outputs: {score: number}, confidence: {from: score, min: 0.7, below: gate}";
        format!("steps:\n  - {{id: a, {a}}}\n  - {{id: z, needs: a, run: {z}}}\n  - {{id: b, run: {b}}}")
    };
    let asked = "launch; ended b ok; ended a ok score=0.1; ann rejects a : no;";
    let why = |run: &str| {
        format!(
            "! could not retry {run}: z stood behind the gate a and was written otherwise after it asked, and b is new or"
        )
    };
    let file = both(&file("y", "x"), &file("'true'", "y"));
    check(&file, &format!("{asked} retry all corrected"), &why("r-1"));
    let again = "retry all; run r-2; ended b ok; ended a ok score=0.9; cancel; ended z cancelled; retry all corrected";
    check(&file, &format!("{asked} {again}"), &why("r-2"));
}

#[test]
fn a_gate_in_a_matrix_that_is_computed_stops_the_run_as_before() {
    let file = |keys: &str| {
        format!(
            "steps:
  - {{id: a, run: x, outputs: {{l: any}}}}
  - {{id: m, needs: a, matrix: {{k: \"${{{{ fromJSON(steps.a.outputs.l) }}}}\"}}, workflow: inner.yaml{keys}}}
  - {{id: z, needs: m, run: x}}
--- inner.yaml
steps:
  - {{id: g, gate: {{prompt: go?}}}}"
        )
    };
    check(
        &both(&file(""), &file(", on-error: continue")),
        "launch; ended a ok l=[1]; ann rejects m[1]/g : no; retry failed corrected",
        &refused("the correction loosens the gate m (`on-error`)"),
    );
}

#[test]
fn a_correction_asks_nobody_else_sooner() {
    let file = |rules: &str| {
        format!(
            "steps:\n  - {{id: g, gate: {{prompt: go?, require: [sre], escalate: {{after: 24h, to: \"group:oncall\"}}{rules}}}}}\n  - {{id: z, needs: g, run: x}}"
        )
    };
    let script = "launch; cancel; retry failed corrected";
    let later = ", timeout: 2h, on-timeout: escalate";
    for (was, now, key) in [
        (", timeout: 1h", ", timeout: 1h, on-timeout: escalate", "`on-timeout`"),
        (later, ", timeout: 1m, on-timeout: escalate", "`timeout`"),
    ] {
        let why = refused(&format!("the correction loosens the gate g ({key})"));
        check(&both(&file(was), &file(now)), script, &why);
    }
    for now in [", timeout: 3h, on-timeout: escalate", ", timeout: 1m"] {
        check(&both(&file(later), &file(now)), script, "r-2 created, corrected");
    }
}

#[test]
fn an_approval_that_an_open_retry_may_use_is_not_used_by_another_one() {
    let file = "steps:
  - {id: g, gate: {prompt: pay?, undo-window: 0s}}
  - {id: slow, needs: g, run: x, effect: idempotent}
  - {id: z, needs: slow, run: y, effect: once}";
    check(
        file,
        "launch; ann approves; ended slow fail; retry failed; run r-1; retry failed",
        "r-2 created
         r-2 slow call 1
         r-3 created
         r-3 g waits for g-2
         no r-3 slow call 1",
    );
}

#[test]
fn a_confidence_that_cannot_be_read_passes_no_rule() {
    let file = first("run: x, outputs: {score: any}, confidence: {from: score, min: 0.7, below: gate}");
    for (score, end) in [
        ("0.1", "g-1 asked 1"),
        ("1e-5", "g-1 asked 1"),
        ("1E-05", "g-1 asked 1"),
        (".5", "g-1 asked 1"),
        ("-1", "a failed agent_contract: wrote its confidence `score` as"),
        ("low", "a failed agent_contract: wrote its confidence `score` as"),
        ("1.5", "a failed agent_contract: wrote its confidence `score` as"),
        ("nan", "a failed agent_contract: wrote its confidence `score` as"),
    ] {
        check(&file, &format!("launch; ended a ok score={score}"), &format!("{end}\n no z call"));
    }
}

#[test]
fn a_step_that_people_were_asked_about_is_not_left_out_afterwards() {
    let was = first("run: x, outputs: {score: any}, confidence: {from: score, min: 0.7, below: gate}");
    let now = was.replace("{id: a, ", "{id: a, if: \"false\", ");
    let script = "launch; ended a ok score=0.1; ann rejects a : no; retry failed corrected";
    check(&both(&was, &now), script, &refused(&format!("{LOOSENS} (`if`)")));
    let by_hand = first("uses: {any: [one@1, two@1], route: manual}");
    let now = by_hand.replace("{id: a, ", "{id: a, if: \"false\", ");
    let script = "launch; ann rejects a : no; retry failed corrected";
    check(&both(&by_hand, &now), script, &refused(&format!("{LOOSENS} (`if`)")));
    let free = by_hand.replace("needs: a, ", "");
    check(&both(&by_hand, &free), script, &refused("z no longer waits for the gate a"));
    // Nor by the inputs of a retry.
    let by_input = was.replace("{id: a, ", "{id: a, if: inputs.go == '1', ");
    let by_input = format!("inputs: {{go: {{type: any}}}}\n{by_input}");
    let script = "launch go=1; ended a ok score=0.1; ann rejects a : no; retry failed corrected go=2";
    let end = "r-2 a failed policy_security: the gate a has asked before, and its `if` would leave it out now
 no r-2 z call";
    check(&by_input, script, end);
}

#[test]
fn a_correction_chooses_no_tool_that_people_are_to_choose() {
    let was = first("uses: {any: [one@1, two@1], route: manual}");
    let script = "launch; ann rejects a : no; retry failed corrected";
    check(&both(&was, &first("uses: one@1")), script, &refused(&format!("{LOOSENS} (`route`)")));
    let by_itself = first("uses: {any: [one@1, two@1], route: priority}");
    check(&both(&was, &by_itself), script, &refused(&format!("{LOOSENS} (`route`)")));
}

#[test]
fn a_correction_raises_no_budget_that_people_are_to_raise() {
    let script = "launch; ended a ok tokens=6; ann rejects z : no; retry failed corrected";
    let of_run = |rule: &str| format!("budget: {{{rule}}}\n{}", first("run: x"));
    let was = of_run("tokens: 5, on-exceed: gate");
    for rule in ["tokens: 5, on-exceed: warn", "tokens: 6, on-exceed: gate", "calls: 2, on-exceed: gate"] {
        let why = refused("the correction loosens the gate of the run (`budget`)");
        check(&both(&was, &of_run(rule)), script, &why);
    }
    check(&both(&was, &of_run("tokens: 5, on-exceed: block")), script, "r-2 created, corrected");
    let of_step = |rule: &str| {
        first("run: x, on-error: continue")
            .replace("needs: a, run: x", &format!("needs: a, run: x, budget: {{{rule}}}"))
    };
    check(
        &both(&of_step("calls: 0, on-exceed: gate"), &of_step("calls: 3, on-exceed: gate")),
        script,
        &refused("the correction loosens the gate of z (`budget`)"),
    );
}

/// A gate, the step before it, and these steps.
fn guarded(build: &str, steps: &str) -> String {
    format!(
        "steps:\n  - {{id: build, run: {build}}}\n  - {{id: g, needs: build, gate: {{prompt: go?}}}}\n{steps}"
    )
}

#[test]
fn a_step_that_was_taken_out_from_behind_a_gate_returns_behind_it_alone() {
    let gone = both(&guarded("x", "  - {id: ship, needs: g, run: y}"), &guarded("x", ""));
    let before = "launch; ended build ok; ann rejects : never; retry failed corrected; run r-2; cancel;";
    let again = |last: &str| format!("{gone}\n=== corrected\n{}", guarded("x", last));
    for (last, why) in [
        (
            "  - {id: ship, needs: build, run: y}",
            "ship stood behind the gate g and was removed, and does not wait for that gate now",
        ),
        (
            "  - {id: also, run: y}",
            "ship stood behind the gate g and was removed, and also is new or written otherwise and does not",
        ),
    ] {
        let why = |run: &str| format!("r-2 created, corrected\n ! could not retry {run}: {why}");
        check(&again(last), &format!("{before} retry failed corrected-again"), &why("r-2"));
        // Nor after any number of retries that change nothing.
        let later = format!("{before} retry failed; run r-3; cancel; retry failed corrected-again");
        check(&again(last), &later, &why("r-3"));
    }
    check(
        &again("  - {id: ship, needs: g, run: y}"),
        &format!("{before} retry failed corrected-again"),
        "r-2 created, corrected\n r-3 created, corrected",
    );
}

#[test]
fn a_correction_empties_no_step_whose_work_it_does_elsewhere() {
    let script = "launch; ended build ok; ann rejects : no; retry failed corrected";
    let all = script.replace("failed", "all");
    let was = guarded("x", "  - {id: ship, needs: g, run: y}\n  - {id: side, run: s}");
    let emptied = "  - {id: ship, needs: g, run: 'true'}\n  - {id: side, run: s}";
    for (free, now) in [
        ("also", guarded("x", &format!("{emptied}\n  - {{id: also, run: y}}"))),
        ("build", guarded("y", emptied)),
        ("build", guarded("x, undo: y", emptied)),
        ("build", guarded("x, fallback: [{run: y}]", emptied)),
        (
            "part",
            format!(
                "{}\n--- inner.yaml\nsteps:\n  - {{id: i, run: y}}",
                guarded("x", &format!("{emptied}\n  - {{id: part, workflow: inner.yaml}}"))
            ),
        ),
        ("side", guarded("x", &emptied.replace("run: s", "run: y"))),
        ("build", format!("env: {{A: b}}\n{}", guarded("x", emptied))),
    ] {
        let why = format!(
            "ship stood behind the gate g and was written otherwise after it asked, and {free} is new or written"
        );
        let file = both(&was, &now);
        check(&file, &all.replace("ended build ok", "ended build ok; ended side ok"), &refused(&why));
    }
    // One of them alone is shown to people, and so are two behind the gate.
    for now in [
        guarded("x", emptied),
        guarded("x", &format!("{emptied}\n  - {{id: then, needs: ship, run: y}}")),
        guarded("y", "  - {id: ship, needs: g, run: y}\n  - {id: side, run: s}"),
    ] {
        check(
            &both(&was, &now),
            &all.replace("ended build ok", "ended build ok; ended side ok"),
            "r-2 created, corrected",
        );
    }
    // Nobody has been asked yet.
    let now = guarded("y", emptied);
    check(
        &both(&was, &now),
        "launch; ended build fail; ended side ok; retry failed corrected",
        "r-2 created, corrected",
    );
}

#[test]
fn new_work_stays_behind_a_gate_whose_steps_an_earlier_correction_emptied() {
    let bare = guarded("x", "");
    let guarded = |build: &str, ship: &str, more: &str| {
        guarded(build, &format!("  - {{id: ship, needs: g, run: {ship}}}{more}"))
    };
    let also = "\n  - {id: also, run: y}";
    let behind = "\n  - {id: also, needs: ship, run: y}";
    let emptied = both(&guarded("x", "y", ""), &guarded("x", "'true'", ""));
    let removed = both(&guarded("x", "y", ""), &bare);
    let script = "launch; ended build ok; ann rejects : no; retry failed corrected; run r-2; cancel; retry failed corrected-again";
    let why = |free: &str, how: &str| {
        format!(
            "r-2 created, corrected\n ! could not retry r-2: ship stood behind the gate g and {how}, and {free}"
        )
    };
    let (was_removed, was_emptied) = ("was removed", "was written otherwise after it asked");
    for (first, last, free, how) in [
        (&emptied, guarded("x", "'true'", also), "also", was_emptied),
        (&emptied, guarded("y", "'true'", ""), "build", was_emptied),
        (&removed, guarded("x", "'true'", also), "also", was_removed),
        (&removed, guarded("y", "'true'", ""), "build", was_removed),
    ] {
        check(&format!("{first}\n=== corrected\n{last}"), script, &why(free, how));
    }
    for last in [guarded("x", "'true'", behind), guarded("x", "y", "")] {
        let file = format!("{emptied}\n=== corrected\n{last}");
        check(&file, script, "r-2 created, corrected\n r-3 created, corrected");
    }
}

#[test]
fn copies_behind_gates_that_ask_the_same_are_corrected_together() {
    let file = |last: &str| {
        format!(
            "steps:
  - {{id: m, matrix: {{k: [1, 2]}}, workflow: inner.yaml}}
--- inner.yaml
steps:
  - {{id: g, gate: {{prompt: go?}}}}
  - {{id: ship, needs: g, run: {last}}}"
        )
    };
    check(
        &both(&file("x"), &file("y")),
        "launch; ann rejects m[1]/g : no; ann rejects m[2]/g : no; retry failed corrected",
        "r-2 created, corrected",
    );
}

#[test]
fn what_another_gate_let_go_is_not_sent_back_without_it() {
    let file = |back: &str| {
        format!(
            "steps:
  - {{id: p, run: x}}
  - {{id: g, needs: p, gate: {{prompt: pay?}}}}
  - {{id: pay, needs: g, run: x}}
  - {{id: h, needs: pay, gate: {{prompt: done?, send-back: {back}}}}}
  - {{id: z, needs: h, run: x}}"
        )
    };
    let script = "launch; ended p ok; ann approves g via-script; ended pay ok; bob sends-back h : again";
    check(
        &file("pay"),
        script,
        "! could not send g-2 back: pay was approved at the gate g, which would not ask again; let `send-back` name a step \
         before that gate, or reject it instead
         no pay call 2",
    );
    // From before that gate on, it asks again.
    check(
        &file("p"),
        &format!("{script}; ended p#2 ok"),
        "g-2 rejected by send-back\n p call 2\n g-3 asked 1\n no pay call 2",
    );
}

#[test]
fn a_gate_in_a_called_workflow_lets_no_step_after_it_be_sent_back_without_it() {
    check(
        "steps:
  - {id: s, workflow: inner.yaml}
  - {id: pay, needs: s, run: x}
  - {id: other, gate: {prompt: also?}}
  - {id: h, needs: pay, gate: {prompt: done?, send-back: pay}}
--- inner.yaml
steps:
  - {id: g, gate: {prompt: pay?}}",
        "launch; ann approves s/g via-script; ann approves other via-script; ended pay ok; bob sends-back h : again",
        "! could not send g-3 back: pay was approved at the gate s/g, which would not ask again",
    );
}

#[test]
fn a_step_undoes_no_run_and_releases_no_schedule() {
    let file = "steps:\n  - {id: a, run: x, undo: y}\n  - {id: b, needs: a, run: x}";
    check(
        file,
        "launch; ended a ok; cancel undo via-step; hold nightly via-step; release nightly via-step; cancel via-step; ended b cancelled",
        "! could not decide: cuelight takes this program for a step
         nightly held
         ! could not decide: cuelight takes this program for a step
         no nightly released
         no a call 2 undo
         = cancelled: a completed, b cancelled",
    );
}

#[test]
fn where_time_approves_each_ask_has_its_full_time() {
    let gate = |rules: &str| {
        format!(
            "steps:\n  - {{id: g, gate: {{prompt: go?, form: {{image: {{type: string, default: good}}}}, timeout: 1h{rules}}}}}\n  - {{id: z, needs: g, run: x}}"
        )
    };
    let script = "launch; later 59m; ann edits g image=evil : x; wake 2m";
    check(&gate(", on-timeout: approve"), script, "g-1 asked 2\n no g-1 approved");
    check(
        &gate(", on-timeout: approve"),
        &format!("{script}; wake 58m"),
        "g-1 asked 2\n g-1 approved by timeout",
    );
    // A deadline that rejects is no edit's to move.
    check(&gate(""), script, "g-1 asked 2\n g-1 expired");
}

//! The people who may not answer: they stay excluded whatever a value says later, and whoever asks for the run again.

use super::door::check;

#[track_caller]
fn at(rules: &str, script: &str, expected: &str) {
    let file = format!(
        "steps:
           - {{id: a, run: x, outputs: {{who: any}}}}
           - {{id: g, needs: a, gate: {{prompt: go?, undo-window: 0s{rules}}}}}
           - {{id: z, needs: g, run: x}}"
    );
    check(&file, script, expected);
}

const ESCALATES: &str =
    ", require: {group: product}, escalate: {after: 1h, to: \"${{ fromJSON(steps.a.outputs.who) }}\"}";
const OF_VALUE: &str = ", forbid: [\"${{ fromJSON(steps.a.outputs.who) }}\"]";

#[test]
fn a_forbid_that_reads_a_list_excludes_everybody_in_it() {
    at(
        OF_VALUE,
        r#"launch; ended a ok who=["ann","bob"]; ann approves; bob approves; cat approves"#,
        "! could not decide g-1: ann is excluded by the workflow
         ! could not decide g-1: bob is excluded by the workflow
         g-1 cat approves
         g-1 approved",
    );
    for nobody in ["[]", "7", r#"["ann",7]"#, r#"["ann",""]"#, r#"{"ann":1}"#, "true", "null"] {
        at(OF_VALUE, &format!("launch; ended a ok who={nobody}"), "g failed\n no g-1 asked\n no z call");
    }
}

#[test]
fn the_approvers_of_an_earlier_gate_are_excluded_by_name_and_so_is_whoever_they_answered_for() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, require: {group: sre}, undo-window: 0s}}
           - {id: h, needs: g, gate: {prompt: and?, forbid: [\"${{ steps.g.outputs.approvers }}\"], undo-window: 0s}}
           - {id: z, needs: h, run: x}",
        "launch; ann delegates g to=dan; dan approves g; ann approves h; dan approves h; cat approves h",
        "g-1 dan approves for ann
         ! could not decide g-2: ann is excluded by the workflow
         ! could not decide g-2: dan is excluded by the workflow
         g-2 cat approves
         z call 1",
    );
}

#[test]
fn a_blank_around_a_name_takes_nobody_out() {
    at(
        ", forbid: [' ann ']",
        "launch; ended a ok who=x; ann approves",
        "! could not decide g-1: ann is excluded",
    );
    at(
        OF_VALUE,
        "launch; ended a ok who=\"ann\\u0020\"; ann approves",
        "! could not decide g-1: ann is excluded by the workflow",
    );
    at(
        ESCALATES,
        "launch; ended a ok who=\"\\u0020dan\\n\"; wake 1h; dan approves",
        "g-1 escalated to dan\n g-1 dan approves",
    );
}

#[test]
fn an_escalation_calls_one_person_or_group() {
    at(ESCALATES, r#"launch; ended a ok who=["dan"]; wake 1h"#, "g-1 escalated to dan");
    for wrong in [r#"["dan","zoe"]"#, "[]", "7", "null"] {
        at(ESCALATES, &format!("launch; ended a ok who={wrong}"), "g failed\n no g-1 asked\n no z call");
    }
    at(
        &ESCALATES.replace("${{", "group:${{"),
        r#"launch; ended a ok who=["dan"]"#,
        "g failed user_invalid_input: its `escalate` names nobody: group:${{ fromJSON(steps.a.outputs.who) }} puts a list",
    );
}

/// A gate of values that a step sets between its asks.
const SENT_BACK: &str = "inputs: {author: {type: string, default: ann}, boss: {type: string, default: dan}}
     steps:
       - {id: a, run: x, outputs: {author: string, boss: string}}
       - {id: g, needs: a, gate: {prompt: go?, require: {group: sre}, send-back: a, forbid: [\"${{ steps.a.outputs.author }}\"], escalate: {after: 1h, to: \"${{ steps.a.outputs.boss }}\"}, undo-window: 0s}}
       - {id: z, needs: g, run: x}";

#[test]
fn who_was_excluded_or_called_when_a_gate_asked_first_is_so_after_it_was_sent_back() {
    check(
        SENT_BACK,
        "launch; ended a ok author=ann boss=dan; bob sends-back g : again; ended a ok author=cat boss=zoe;
         ann approves; cat approves; wake 1h; dan approves",
        "g-2 asked 1
         ! could not decide g-2: ann was excluded by the workflow when this gate asked before
         ! could not decide g-2: cat is excluded by the workflow
         g-2 escalated to dan
         g-2 dan approves
         no escalated to zoe",
    );
}

#[test]
fn a_value_that_changes_while_a_gate_is_open_frees_nobody() {
    check(
        "steps:
           - {id: w, wait: 30m}
           - {id: s, needs: w, set: {scope: run, values: {who: cat}}}
           - {id: g, gate: {prompt: go?, forbid: [\"${{ vars.who || 'ann' }}\"], form: {n: {type: integer, default: 5}}, undo-window: 0s}}
           - {id: z, needs: g, run: x}",
        "launch; wake 30m; bob edits g n=6; ann approves; cat approves; eve approves",
        "g-1 asked 2
         ! could not decide g-1: ann was excluded by the workflow when this gate asked before
         ! could not decide g-1: cat is excluded by the workflow
         g-1 eve approves",
    );
}

const FOUR_EYES: [&str; 2] = [", forbid: [run.actor]", ", require: [{group: sre, count: 2}]"];

#[test]
fn whoever_asked_for_a_run_does_not_answer_when_somebody_else_does_it_again() {
    for rules in FOUR_EYES {
        let first = "launch as ann; ended a ok who=x; cancel;";
        let why = "! could not decide g-2: ann asked for r-1, which stands behind this run; somebody else";
        at(
            rules,
            &format!("{first} retry failed as bob; ann approves; bob approves"),
            &format!("{why}\n ! could not decide g-2: bob asked for this run"),
        );
        at(rules, &format!("{first} fork a as bob; ended a ok who=x; ann approves"), why);
        // Nor after one more, by a third person.
        at(
            rules,
            &format!(
                "{first} retry failed as bob; cancel; retry failed as eve; ann approves; bob approves; eve approves"
            ),
            "! could not decide g-3: ann asked for r-1, which stands behind this run
             ! could not decide g-3: bob asked for r-2, which stands behind this run
             ! could not decide g-3: eve asked for this run",
        );
    }
    at("", "launch as ann; ended a ok who=x; cancel; retry failed as bob; ann approves", "g-2 ann approves");
}

#[test]
fn whoever_asked_for_a_run_does_not_answer_in_a_run_that_a_step_of_it_asks_for() {
    for rules in FOUR_EYES {
        let open = "launch as ann; launch as bob via-step; ended a ok who=x; ann approves; bob approves; eve approves";
        at(
            rules,
            open,
            "! could not decide g-1: ann asked for r-1, which stands behind this run
             ! could not decide g-1: bob asked for this run
             g-1 eve approves",
        );
    }
    // A step that does a run again keeps its requesters as well.
    at(
        FOUR_EYES[0],
        "launch as ann; ended a ok who=x; cancel; launch as cat; run r-1; retry failed as bob via-step; ann approves; cat approves; eve approves",
        "! could not decide g-2: ann asked for r-1
         ! could not decide g-2: cat asked for r-2, which stands behind this run
         g-2 eve approves",
    );
    // Nobody is the requester of what a person asks for beside it.
    at(FOUR_EYES[0], "launch as ann; launch as bob; ended a ok who=x; ann approves", "g-1 ann approves");
}

#[test]
fn whose_answer_somebody_gave_does_not_review_it() {
    at(
        ", require: [{group: sre, count: 1}]",
        "launch; ended a ok who=x; ann delegates to=dan; dan approves overriding : by hand; ann reviews : fine; bob reviews : fine",
        "! could not review g-1: dan gave this approval for ann; another person must review it
         g-1 bob reviews it",
    );
}

#[test]
fn an_answer_is_not_handed_on_where_a_key_must_be_touched() {
    at(
        ", proof: touch, require: [{group: sre, count: 1}]",
        "launch; ended a ok who=x; ann delegates to=dan; kay-touched approves",
        "! could not delegate your answer at g-1: an approval here needs a touched security key, and a delegation carries none
         g-1 kay approves",
    );
    // One from before the setting came counts no more.
    at(
        ", risk: irreversible, require: [{group: sre, count: 1}]",
        "people root ann=1:sre kay=8 ; launch; ended a ok who=x; ann delegates to=kay; people root-touch ann=1:sre kay=8; kay-touched approves",
        "g-1 ann hands it to kay
         g-1 asked 2
         ! could not decide g-1: ",
    );
}

#[test]
fn an_answer_is_not_handed_to_somebody_who_may_not_answer() {
    at(
        ", require: [{group: sre, count: 1}], forbid: [dev, cat, run.actor]",
        "people root ann=1:sre dan=4:dev cat=3 req=9:sre; launch; ended a ok who=x;
         ann delegates to=dan; ann delegates to=cat; ann delegates to=req; ann delegates to=bob for=0s; ann delegates to=bob",
        "! could not delegate your answer at g-1: dan is excluded at this gate, so their answer does not count
         ! could not delegate your answer at g-1: cat is excluded at this gate
         ! could not delegate your answer at g-1: req is excluded at this gate
         ! could not delegate your answer at g-1: it can be with somebody for more than 0s and at most 30d
         g-1 ann hands it to bob",
    );
}

/// A gate that excludes by name, by group and by an edit, and a step behind it that can be done again.
const KEPT: &str = "steps:
     - {id: g, gate: {prompt: go?, form: {n: {type: integer, default: 5}}, forbid: [cat, oncall], undo-window: 0s}}
     - {id: z, needs: g, run: x, effect: idempotent}";

#[test]
fn whoever_an_approval_excluded_does_not_speak_for_a_step_behind_it_in_a_retry_that_keeps_it() {
    let first = "launch; bob edits g n=6; ann approves; ended z fail; retry failed; ended z fail;";
    for again in ["", "retry failed as eve; ended z fail;"] {
        let run = if again.is_empty() { "r-2" } else { "r-3" };
        check(
            KEPT,
            &format!("{first} {again} done z as bob; done z as cat; done z as dan; done z as ann"),
            &format!(
                "! could not resolve z of {run}: it is behind gate g, and bob edited the form
                 ! could not resolve z of {run}: it is behind gate g, and cat was excluded by the workflow
                 ! could not resolve z of {run}: it is behind gate g, and oncall was excluded by the workflow
                 {run} z done by ann"
            ),
        );
    }
    // An edit counts against the ask that it made, and no longer once another one was answered.
    check(
        KEPT,
        "launch; bob edits g n=6; ann rejects : no; retry failed; ann approves; ended z fail; retry failed; ended z fail; done z as bob",
        "r-3 g completed (kept)\n r-3 z done by bob",
    );
}

#[test]
fn nor_for_a_step_behind_a_matrix_whose_copies_asked() {
    check(
        "steps:
           - {id: a, run: x, outputs: {m: string}}
           - {id: m, needs: a, gate: {prompt: go?, forbid: [cat, run.actor], undo-window: 0s}, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\"}
           - {id: z, needs: m, run: x, effect: idempotent}",
        r#"launch as eve; ended a ok m={"k":[1]}; ann approves m[1]; ended z fail; done z as cat; retry failed as bob; ended z fail; done z as cat; done z as eve; done z as bob; done z as ann"#,
        "! could not resolve z of r-1: it is behind gate m[1], and cat is excluded
         r-2 m completed (kept)
         ! could not resolve z of r-2: it is behind gate m, and cat was excluded
         ! could not resolve z of r-2: it is behind gate m, and eve asked for r-1
         ! could not resolve z of r-2: it is behind gate m, and bob asked for this run
         r-2 z done by ann",
    );
}

#[test]
fn a_forbid_that_comes_to_the_requester_excludes_all_requesters_however_it_is_spelled() {
    let spelled = [
        "${{ run['actor'] }}",
        "${{ RUN.ACTOR }}",
        "${{ format('{0}', run.actor) }}",
        "${{  run.actor }} ",
        "run['actor']",
        "RUN.ACTOR",
    ];
    for text in spelled {
        let rules = format!(", forbid: [\"{text}\"]");
        // The one who can make the token of an agent, and those of the run that this one does again.
        at(
            &rules,
            "launch as qa-of-ann; ended a ok who=x; ann approves; bob approves",
            "! could not decide g-1: qa-of-ann asked for this run with a token that you can make; somebody else
             g-1 bob approves",
        );
        at(
            &rules,
            "launch as ann; ended a ok who=x; cancel; retry failed as bob; ann approves; bob approves; eve approves",
            "! could not decide g-2: ann asked for r-1, which stands behind this run
             ! could not decide g-2: bob asked for this run
             g-2 eve approves",
        );
    }
    // A value that holds the name, or the principal.
    for name in ["qa-of-ann", "token:/qa-of-ann"] {
        at(
            OF_VALUE,
            &format!("launch as qa-of-ann; ended a ok who=\"{name}\"; ann approves; bob approves"),
            "! could not decide g-1: qa-of-ann asked for this run with a token that you can make
             g-1 bob approves",
        );
    }
    // One that holds the name of whoever asked for the run before.
    at(
        OF_VALUE,
        "launch as ann; ended a ok who=\"ann\"; cancel; retry failed as bob; bob approves; eve approves",
        "! could not decide g-2: bob asked for this run\n g-2 eve approves",
    );
    // A name that stands in the file is that one person's.
    at(
        ", forbid: [bob]",
        "launch as ann; ended a ok who=x; cancel; retry failed as bob; bob approves; ann approves",
        "! could not decide g-2: bob is excluded by the workflow\n g-2 ann approves",
    );
    at(OF_VALUE, "launch as ann; ended a ok who=\"bob\"; ann approves", "g-1 ann approves");
}

#[test]
fn nor_do_they_speak_for_a_step_behind_it_in_a_retry_that_keeps_the_approval() {
    let file = KEPT.replace("[cat, oncall]", "[\"${{ run['actor'] }}\"]");
    check(
        &file,
        "launch as qa-of-ann; bob approves; ended z fail; retry failed as cat; ended z fail; done z as ann; done z as cat; done z as eve",
        "! could not resolve z of r-2: it is behind gate g, and qa-of-ann asked for r-1, which stands behind this run with a token that you can make
         ! could not resolve z of r-2: it is behind gate g, and cat asked for this run
         r-2 z done by eve",
    );
}

#[test]
fn whoever_asked_for_a_run_that_has_ended_does_not_answer_in_one_that_its_program_may_have_asked_for() {
    for rules in FOUR_EYES {
        let ended = "launch as ann; cancel; ended a fail;";
        at(
            rules,
            &format!(
                "{ended} launch as cat via-step; ended a ok who=x; ann approves; cat approves; eve approves"
            ),
            "r-1 ended cancelled
             ! could not decide g-1: ann asked for r-1, which stands behind this run
             ! could not decide g-1: cat asked for this run
             g-1 eve approves",
        );
        // Nor in one that it does again; and whoever had another run done by a token of an agent.
        at(
            rules,
            "launch as bob; ended a fail; launch as qa-of-ann; cancel; ended a fail; run r-1; retry failed as cat via-step; ended a ok who=x; ann approves; eve approves",
            "! could not decide g-1: qa-of-ann asked for r-2, which stands behind this run with a token
             g-1 eve approves",
        );
        // A run that ended long ago has left nothing, and a person is no program.
        at(
            rules,
            &format!("{ended} later 31d; launch as cat via-step; ended a ok who=x; ann approves"),
            "g-1 ann approves",
        );
        at(rules, &format!("{ended} launch as cat; ended a ok who=x; ann approves"), "g-1 ann approves");
    }
}

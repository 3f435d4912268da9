//! Gates: the 34 cases of `semantics.md` 5 that are the engine's, and the rules of `reliability.md` 4.

use super::door::{check, person, play};
use cuelight_engine::{Command, Effect};

/// A gate between two steps, with these rules.
fn gate(rules: &str) -> String {
    format!(
        "steps:
           - {{id: a, run: x, undo: y, outputs: {{safe: string}}}}
           - {{id: g, needs: a, gate: {{prompt: go?{rules}}}}}
           - {{id: z, needs: g, run: x}}"
    )
}
const OPEN: &str = "launch; ended a ok safe=no;";

#[track_caller]
fn at(rules: &str, script: &str, expected: &str) {
    check(&gate(rules), &format!("{OPEN} {script}"), expected);
}

#[test]
fn an_approval_is_armed_and_then_starts_what_it_releases() {
    at(
        "",
        "ann approves; wake 4s; wake 1s; ended z ok",
        "g-1 ann approves
         g-1 armed for 5s
         g-1 approved by people
         g completed
         z call 1
         = completed: a completed, g completed, z completed",
    );
}

#[test]
fn a_script_has_no_undo_window_and_the_file_may_say_otherwise() {
    at("", "ann approves via-script", "no armed\n g-1 approved by people");
    at(", undo-window: 1m", "ann approves via-script; wake 59s; wake 1s", "g-1 armed for 1m\n g-1 approved");
    at(", risk: irreversible", "ann approves", "no armed\n g-1 approved");
}

#[test]
fn an_armed_approval_can_be_taken_back() {
    at(
        "",
        "ann approves; ann withdraws; wake 10s; ann approves",
        "g-1 armed\n g-1 ann withdraws\n g-1 armed\n no z call",
    );
}

#[test]
fn an_answer_that_was_taken_back_is_not_given_by_handing_it_in_again() {
    at(
        ", require: [{group: sre, count: 2}]",
        "ann approves id=k; ann withdraws; ann approves id=k; bob approves",
        "g-1 ann withdraws
         ! could not use that answer at g-1 again: it was withdrawn; give another one
         g-1 bob approves
         no g-1 approved",
    );
}

#[test]
fn who_agreed_while_it_was_armed_still_counts_when_the_other_takes_it_back() {
    at(
        "",
        "ann approves; bob approves; ann withdraws; wake 5s",
        "g-1 armed
         g-1 bob approves
         g-1 ann withdraws
         g-1 armed
         g-1 approved",
    );
}

#[test]
fn the_same_answer_again_is_the_same_and_another_one_a_conflict() {
    at(
        ", require: [{group: sre, count: 2}]",
        "ann approves id=k; ann approves id=k; ann approves; ann rejects : no; ann rejects id=k : no",
        "g-1 ann approves
         ! could not decide g-1: you have answered already
         ! could not use decision id k: it was used for another answer",
    );
    at("", "ann approves via-script id=k; ann approves via-script id=k", "no !");
    at("", "ann approves via-script; ann approves", "g-1 approved by people\n no !");
    at(
        "",
        "ann approves via-script; ann approves; bob approves",
        "! could not decide g-1: it was approved already, by ",
    );
}

#[test]
fn a_decision_cancels_its_timer_and_a_late_time_out_changes_nothing() {
    at(", timeout: 1h", "ann approves via-script; wake 2h", "g-1 approved by people\n no expired");
}

#[test]
fn nobody_in_time_rejects_and_says_that_it_was_the_time() {
    at(
        ", timeout: 1h",
        "wake 1h",
        "g-1 expired by timeout
         g expired
         r-1 stopping because of g, rejected
         = rejected: a completed, g rejected, z skipped",
    );
}

#[test]
fn person_and_time_out_at_one_instant_have_one_winner_and_the_other_is_told() {
    at(
        ", timeout: 1h",
        "later 1h; ann approves; wake 1s",
        "! could not decide g-1: it has expired\n g-1 expired by timeout",
    );
    at(
        ", timeout: 1h",
        "wake 1h; ann approves",
        "g-1 expired\n ! could not decide g-1: it was expired already, by timeout",
    );
}

#[test]
fn what_was_approved_in_time_is_not_expired_while_it_is_armed() {
    at(
        ", timeout: 1h",
        "later 59m; later 58s; ann approves; wake 5s",
        "g-1 armed\n g-1 approved by people\n no expired",
    );
}

#[test]
fn on_time_out_approve_says_that_it_was_the_time() {
    at(", timeout: 1h, on-timeout: approve", "wake 1h", "g-1 approved by timeout\n z call 1");
}

#[test]
fn escalation_lets_others_answer_as_well_and_never_fewer_of_them() {
    at(
        ", require: [{group: sre, count: 2}], escalate: {after: 1h, to: 'group:oncall'}",
        "dan approves; wake 1h; dan approves via-script; ann approves via-script",
        "! could not decide g-1: dan is not in the group sre
         g-1 escalated to group:oncall
         g-1 dan approves
         g-1 ann approves
         g-1 approved by people",
    );
    // One person fills one place, of whichever group.
    at(
        ", require: [{group: sre, count: 1}, {group: product, count: 1}], escalate: {after: 1h, to: dan}",
        "wake 1h; dan approves via-script; dan approves overriding : mine; bob approves via-script",
        "g-1 dan approves
         ! could not decide g-1
         g-1 bob approves
         g-1 approved by people",
    );
    at(
        ", require: [{group: sre, count: 2}], escalate: {after: 1h, to: dan}",
        "wake 1h; dan approves overriding : mine",
        "! could not override g-1\n no z call",
    );
}

#[test]
fn the_person_whom_a_gate_is_escalated_to_is_named_in_its_ask() {
    let file = |to: &str| {
        format!(
            "inputs: {{boss: {{default: dan}}}}
             steps:
               - {{id: first, run: x, outputs: {{boss: string}}}}
               - {{id: w, wait: 30m}}
               - {{id: s, needs: w, set: {{scope: run, values: {{boss: zoe}}}}}}
               - {{id: g, needs: first, gate: {{prompt: go?, require: {{group: product}}, escalate: {{after: 1h, to: \"{to}\"}}}}}}
               - {{id: z, needs: g, run: x}}"
        )
    };
    // A value that changes after the ask calls nobody else.
    let bench = play(
        &file("${{ vars.boss || 'dan' }}"),
        "launch boss=dan; ended first ok boss=dan; wake 30m; wake 30m",
    );
    assert!(bench.text().contains("g-1 escalated to dan"), "{}", bench.text());
    assert_eq!(bench.ask("g").escalate.as_deref(), Some("dan"));
    // Nor does a correction of the input, or a step that somebody closed by hand.
    let of_input = file("${{ inputs.boss }}");
    check(
        &format!("{of_input}\n=== corrected\n{of_input}"),
        "launch boss=dan; ended first ok boss=dan; cat rejects : no; retry failed corrected boss=zoe; wake 1h",
        "g-1 asked 1\n g-2 asked 1\n g-2 escalated to dan\n no escalated to zoe",
    );
    let of_step = file("${{ steps.first.outputs.boss }}");
    check(&of_step, "launch; ended first fail; done first boss=zoe; retry failed", "g failed\n no z call");
    check(&of_step, "launch; ended first ok boss=", "g failed\n no z call");
    check(&of_step, "launch; ended first ok boss=dan; wake 1h", "g-1 escalated to dan");
}

#[test]
fn a_time_out_that_escalates_lifts_the_deadline() {
    at(
        ", timeout: 1h, on-timeout: escalate, escalate: {after: 2h, to: 'group:oncall'}",
        "wake 1h; wake 9h; dan approves via-script",
        "g-1 escalated
         g-1 asked 2: it was escalated and no longer expires
         g-1 approved by people",
    );
}

#[test]
fn a_gate_that_has_escalated_before_its_time_out_does_not_expire() {
    at(
        ", require: [{group: sre, count: 2}], timeout: 8h, on-timeout: escalate, \
         escalate: {after: 3h, to: 'group:oncall'}",
        "wake 3h; wake 5h; wake 9h; dan approves via-script; bob approves via-script",
        "g-1 escalated to group:oncall
         g-1 asked 2: it was escalated and no longer expires
         g-1 dan approves
         g-1 approved by people",
    );
}

#[test]
fn a_step_that_reads_who_approved_is_called_after_the_approval() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: z, needs: g, env: {BY: '${{ toJSON(steps.g.outputs.approvers) }}'}, run: x}
           - {id: y, needs: g, run: x}",
        "launch; ann approves via-script; ended z ok; ended y ok",
        "g-1 asked 1
         g-1 approved by people
         = completed: g completed, z completed, y completed",
    );
}

#[test]
fn reminders_ring_and_change_nothing() {
    at(
        ", remind: [30m, 2h]",
        "wake 30m; wake 90m; wake 9h; ann approves via-script",
        "g-1 reminded 1\n g-1 reminded 2\n g-1 approved",
    );
    let bench = play(&gate(", remind: 30m"), "launch; ended a ok safe=no; wake 30m");
    let rings =
        bench.effects().into_iter().filter(|effect| matches!(effect, Effect::Ring { gate: Some(_), .. }));
    assert_eq!(rings.count(), 2);
}

#[test]
fn waiting_never_eats_the_time_out_of_a_step() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: z, needs: g, run: x, timeout: 1m}",
        "launch; wake 9h; ann approves via-script; ended z ok",
        "= completed: g completed, z completed",
    );
}

#[test]
fn a_gate_is_closed_by_hand_only_by_an_override() {
    at(
        "",
        "skip g; done g; ann approves overriding; ann approves overriding via-script : the phone tree says so; ended z ok",
        "! could not skip g of r-1: it is the gate g-1, which is closed by hand only by an override
         ! could not complete step g of r-1 by hand: it is the gate g-1
         ! could not override g-1: say why
         g-1 ann overrides it: the phone tree says so
         g-1 approved by override
         g completed
         z call 1",
    );
}

#[test]
fn an_override_sees_the_ask_and_is_reviewed_by_somebody_else() {
    // The ask has changed since it was seen.
    at(
        ", form: {n: {type: integer, default: 5}}",
        "bob edits n=6; ann approves overriding old : because; ann approves overriding : because; ann reviews : fine; bob reviews : fine; req reviews : fine",
        "g-1 asked 2
         ! could not decide g-1: its ask has changed
         g-1 approved by override
         ! could not review g-1: ann gave this approval; another person must review it
         ! could not review g-1: bob edited the form
         g-1 req reviews it as of 2: fine",
    );
}

#[test]
fn an_override_needs_as_many_people_as_an_approval() {
    at(
        ", require: [{group: sre, count: 2}]",
        "ann approves overriding : alone; req approves overriding : mine; bob approves via-script; bob approves overriding : again
         ann approves overriding : as bob agrees",
        "! could not override g-1: more people must approve first; an override needs the whole quorum
         ! could not decide g-1: req asked for this run
         g-1 bob approves
         ! could not decide g-1: you have answered already
         g-1 ann overrides it
         g-1 approved by override",
    );
    // Nor does it cut off the time in which the others can take their answer back.
    at(
        "",
        "ann approves; bob approves overriding : now",
        "g-1 armed\n ! could not override g-1: enough people have approved already",
    );
}

#[test]
fn two_parallel_gates_resolve_apart_and_other_branches_go_on() {
    check(
        "on-failure: continue
         steps:
           - {id: g, gate: {prompt: go?, on-reject: continue}}
           - {id: h, gate: {prompt: go?}}
           - {id: a, run: x}
           - {id: y, needs: g, run: x}
           - {id: z, needs: h, run: x}",
        "launch; ended a ok; ann rejects g : no; ann approves h via-script; ended z ok",
        "g-1 asked
         g-2 asked
         a completed
         g rejected
         y skipped: need g
         h completed
         = partially-completed: g rejected, h completed, a completed, y skipped, z completed",
    );
    // Whichever is answered first, and whichever was asked first.
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: h, gate: {prompt: go?}}
           - {id: y, needs: g, run: x}
           - {id: z, needs: h, run: x}",
        "launch; ann approves h via-script; ended z ok",
        "g-2 ann approves
         g-2 approved
         h completed
         z call 1
         no g-1 approved
         no y call
         = running: g waiting, h completed, y pending, z completed",
    );
}

#[test]
fn gates_in_copies_of_a_matrix_are_each_their_own() {
    check(
        "steps:
           - {id: g, gate: {prompt: \"go ${{ matrix.k }}?\"}, matrix: {k: [a, b], fail-fast: false}}
           - {id: z, needs: g, run: x}",
        "launch; ann approves g[b] via-script; ann approves g[a] via-script; ended z ok",
        "g-1 asked
         g-2 asked
         g-2 approved
         g-1 approved
         = completed: g completed, g[a] completed, g[b] completed, z completed",
    );
}

/// A gate that answers for a whole matrix.
fn for_all(matrix: &str, rules: &str) -> String {
    format!(
        "steps:
           - {{id: a, run: x, outputs: {{list: string}}}}
           - {{id: g, needs: a, matrix: {matrix}, gate: {{prompt: \"go ${{{{ matrix.k }}}}?\", scope: matrix{rules}}}}}
           - {{id: z, needs: g, run: \"x ${{{{ steps.g.decision }}}}\"}}"
    )
}

#[test]
fn one_gate_answers_for_a_whole_matrix_where_the_file_says_so() {
    let both = for_all("{k: [p, q]}", "");
    check(
        &both,
        "launch; ended a ok list=[]; ann approves g via-script; ended z ok",
        "g-1 asked
         no g-2
         g-1 approved
         z call 1
         = completed: a completed, g completed, z completed",
    );
    check(
        &both,
        "launch; ended a ok list=[]; ann rejects g : no",
        "g-1 asked\n no g-2\n = rejected: a completed, g rejected, z skipped",
    );
    // And nowhere else: without a word each copy is a question of its own.
    let apart = both.replace(", scope: matrix", "");
    check(
        &apart,
        "launch; ended a ok list=[]; ann approves g[p] via-script",
        "g-1 asked\n g-2 asked\n g-1 approved\n no z call",
    );
    let ask = play(&both, "launch; ended a ok list=[]").ask("g");
    assert_eq!(ask.prompt, "go p?\ngo q?");
    let shown = &ask.evidence[0];
    assert_eq!(
        (shown.title.as_str(), shown.text.as_deref()),
        ("matrix", Some("{\"k\":\"p\"}\n{\"k\":\"q\"}"))
    );
}

#[test]
fn a_gate_for_a_whole_matrix_speaks_of_the_copies_there_are_when_it_opens() {
    let computed = |rules| for_all("\"${{ fromJSON(steps.a.outputs.list) }}\"", rules);
    let open = |list: &str| format!("launch; ended a ok list={list}");
    let two = r#"{"k":["p","q"]}"#;
    let rules = ", binds: ['is ${{ matrix.k }}', 'all'], evidence: ['see ${{ matrix.k }}', 'see it'], forbid: ['${{ matrix.k }}']";
    let ask = play(&computed(rules), &format!("{}; facts g x", open(two))).ask("g");
    assert_eq!(ask.prompt, "go p?\ngo q?");
    assert_eq!(ask.binds, ["is p", "is q", "all"]);
    let titles: Vec<&str> = ask.evidence.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["matrix", "matrix.k", "matrix.k", "see it"]);
    let excluded: Vec<&str> = ask.excluded.iter().map(|entry| entry.0.as_str()).collect();
    assert_eq!(excluded, ["p", "q"]);
    let none = play(&computed(", auto: \"${{ !matrix.k }}\""), &open(r#"{"k":[]}"#));
    assert_eq!(none.ask("g").evidence[0].text.as_deref(), Some("no copies"));
    assert!(!none.text().contains("approved"), "no policy speaks for nothing: {}", none.text());
    check(&computed(""), &open(r#"{"k":[]}"#), "g-1 asked\n no z call");
    check(
        &computed(""),
        &open("7"),
        "no g-1\n g failed user_invalid_input: could not expand the matrix of `g`\n = failed: a completed, g failed, z skipped",
    );
}

#[test]
fn a_policy_approves_a_whole_matrix_when_it_does_so_for_every_copy() {
    let script = "launch; ended a ok list=[]";
    check(&for_all("{k: [1, 2]}", ", auto: \"${{ matrix.k < 3 }}\""), script, "g-1 approved by policy:auto");
    check(&for_all("{k: [1, 3]}", ", auto: \"${{ matrix.k < 3 }}\""), script, "g-1 asked\n no approved");
}

#[test]
fn an_answer_before_the_gate_opens_is_refused() {
    check(&gate(""), "launch; ann approves", "! could not find gate g-1");
}

#[test]
fn rejection_needs_a_reason_skips_dependents_and_is_no_failure() {
    at(
        "",
        "ann rejects; ann rejects : too risky",
        "! could not reject g-1: say why with --reason
         g-1 rejected by people
         z skipped: stopped by g
         r-1 ended rejected
         = rejected: a completed, g rejected, z skipped",
    );
}

#[test]
fn an_approval_needs_a_reason_where_the_file_says_so() {
    at(
        ", reason: required",
        "ann approves; ann approves : fine",
        "! could not approve g-1: say why\n g-1 ann approves",
    );
}

#[test]
fn a_rejection_that_compensates_undoes_what_was_done() {
    at(
        ", on-reject: compensate",
        "ann rejects : no; ended a ok",
        "r-1 stopping because of g, rejected, compensates
         r-1 compensating
         a undo done
         r-1 ended undone
         = undone: a undone, g rejected, z skipped",
    );
}

#[test]
fn a_quorum_counts_different_people_of_each_group() {
    let rules = ", require: [{group: sre, count: 1}, {group: product, count: 1}]";
    at(
        rules,
        "eve approves via-script; bob approves via-script; wake 9s",
        "g-1 eve approves\n g-1 bob approves\n g-1 approved",
    );
    at(rules, "ann approves via-script; ann2 approves via-script", "g-1 ann approves\n no approved");
    at(rules, "dan approves", "! could not decide g-1: dan is not in the group sre or product");
}

#[test]
fn who_asked_for_the_run_does_not_approve_it_where_two_are_needed_or_where_it_is_forbidden() {
    let why = "! could not decide g-1: req asked for this run; somebody else has to answer";
    at(", forbid: [run.actor]", "req approves", why);
    at(", require: [{group: sre, count: 2}]", "req approves", why);
    at("", "req approves via-script", "g-1 approved by people");
}

/// The owner of a workspace can write its schedules, add keys for tokens, and let an agent ask. Such requests
/// count as the owner's own.
#[test]
fn who_owns_the_workspace_does_not_approve_what_nobody_proven_asked_for() {
    let of = |rules: &str, by: &str, who: &str, expected: &str| {
        let script = format!("launch as {by}; ended a ok safe=no; {who} approves via-script");
        check(&gate(rules), &script, expected);
    };
    for (by, how) in [
        ("nightly", " by a schedule whose file you can write"),
        ("qa-of-ann", " with a token that you can make"),
        ("agent-of-ann", ""),
    ] {
        let why =
            format!("! could not decide g-1: {by} asked for this run{how}; somebody else has to answer");
        of(", forbid: [run.actor]", by, "ann", &why);
        of(", require: [{group: sre, count: 2}]", by, "ann", &why);
        of(", forbid: [run.actor]", by, "bob", "g-1 approved by people");
        of("", by, "ann", "g-1 approved by people");
    }
    // A log from before that says nothing of the owner.
    of(", forbid: [run.actor]", "nightly-before", "ann", "g-1 approved by people");
}

#[test]
fn four_eyes_hold_on_every_way_around_the_gate() {
    at(
        ", forbid: [run.actor]",
        "skip g; req approves overriding : mine; req edits; req rejects : no",
        "! could not skip g of r-1: it is the gate g-1
         ! could not decide g-1: req asked
         ! could not decide g-1: req asked
         ! could not decide g-1: req asked
         no approved",
    );
}

#[test]
fn nobody_gets_around_a_gate_before_it_has_asked() {
    let four_eyes = gate(", forbid: [run.actor]");
    let told =
        "! could not skip g of r-1: the gate g has not asked yet; wait until it does, or cancel the run";
    check(&four_eyes, "launch; skip g", &format!("{told}\n no z call"));
    check(
        "steps:
           - {id: a, run: x}
           - {id: sub, needs: a, workflow: inner.yaml}
           - {id: z, needs: sub, run: x}
--- inner.yaml
steps:
  - {id: g, gate: go?}",
        "launch; skip sub",
        "! could not skip sub of r-1: the gate sub/g has not asked yet\n no z call",
    );
    check(
        "steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: g, needs: a, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\", gate: go?}
           - {id: z, needs: g, run: x}",
        "launch; skip g",
        "! could not skip g of r-1: the gate g has not asked yet\n no z call",
    );
}

#[test]
fn nor_after_it_was_sent_back_and_before_it_asks_again() {
    at(
        ", send-back: a, forbid: [run.actor]",
        "ann sends-back : again; skip g",
        "g-1 rejected by send-back
         ! could not skip g of r-1: the gate g has not asked yet
         no z call",
    );
}

#[test]
fn a_gate_that_failed_was_not_answered_and_is_not_completed_by_hand() {
    check(
        &gate(", evidence: [\"${{ fromJSON('{') }}\"]"),
        "launch; ended a ok safe=no; done g; retry failed",
        "g failed
         ! could not complete step g of r-1 by hand: it is failed
         no z call",
    );
}

#[test]
fn forbidden_people_and_groups_do_not_count() {
    at(", forbid: [ann]", "ann approves", "! could not decide g-1: ann is excluded by the workflow");
    at(
        ", forbid: ['group:sre']",
        "bob approves; cat approves via-script",
        "! could not decide g-1: group:sre is excluded\n g-1 approved",
    );
    at(
        ", forbid: [sre]",
        "bob approves; cat approves via-script",
        "! could not decide g-1: sre is excluded\n g-1 approved",
    );
}

const FORM: &str = ", form: {ticket: {type: string, pattern: '^CHG-[0-9]+$', required: true}, n: {type: integer, default: 5}}";

#[test]
fn a_change_of_the_form_asks_again_and_voids_every_vote() {
    at(
        &format!("{FORM}, require: [{{group: sre, count: 2}}]"),
        "ann approves; eve edits g ticket=CHG-1; ann approves; ann approves old; ann approves; bob approves via-script",
        "! could not fill in the form of g-1: `ticket` must be given
         g-1 eve edits
         g-1 asked 2: eve changed ticket: null → \"CHG-1\"
         g-1 ann approves
         g-1 bob approves
         g-1 approved
         g completed {\"decision\":\"approved\",\"form\":{\"ticket\":\"CHG-1\",\"n\":5},\"approvers\":[\"ann\",\"bob\"]}",
    );
}

#[test]
fn an_answer_to_an_older_ask_is_refused() {
    at(
        FORM,
        "eve edits g ticket=CHG-1; ann approves old; ann approves via-script",
        "! could not decide g-1: its ask has changed
         g-1 approved",
    );
}

#[test]
fn whoever_edited_the_parameters_does_not_count() {
    at(
        FORM,
        "ann edits g ticket=CHG-1; ann approves",
        "! could not decide g-1: ann edited the form; another person must answer",
    );
}

#[test]
fn editing_an_armed_gate_disarms_it() {
    at(
        ", form: {n: {type: integer, default: 5}}",
        "ann approves; bob edits g n=6; wake 9s; ann approves; wake 9s",
        "g-1 armed
         g-1 asked 2
         g-1 ann approves
         g-1 armed
         g-1 approved",
    );
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    at(
        FORM,
        "ann edits g ticket=7",
        "! could not fill in the form of g-1: `ticket` is \"7\", which does not match ^CHG-[0-9]+$",
    );
    at(
        FORM,
        "ann edits g other=7",
        "! could not fill in the form of g-1: the form has no field `other`; it has: ticket, n",
    );
    at(FORM, "ann edits g ticket=CHG-1 n=7.5", "! could not fill in the form of g-1: `n` is");
}

#[test]
fn a_policy_approves_and_says_so() {
    at(", auto: \"${{ steps.a.outputs.safe == 'yes' }}\"", "ann comments : hm", "no approved");
    check(
        &gate(", auto: \"${{ steps.a.outputs.safe == 'yes' }}\""),
        "launch; ended a ok safe=yes; ended z ok",
        "g-1 approved by policy:auto
         z call 1",
    );
}

#[test]
fn the_ask_shows_what_will_run_what_is_skipped_and_what_is_undone() {
    let bench = play(&gate(", on-reject: compensate"), OPEN);
    let ask = bench.ask("g");
    assert_eq!(ask.will_run.iter().map(|item| item.step.as_str()).collect::<Vec<_>>(), ["z"]);
    assert_eq!(ask.starts, ["z"]);
    assert_eq!(ask.skips, ["z"]);
    assert_eq!(ask.undoes, ["a"]);
    assert_eq!(ask.requester, "req");
}

#[test]
fn what_runs_is_what_was_approved_and_nothing_else() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: s, set: {scope: global, values: {v: 1}}, needs: w}
           - {id: w, wait: 1m}
           - {id: z, needs: g, run: x, env: {V: \"${{ state.global.v }}\"}}",
        "launch; ann approves; wake 1m; ann approves via-script; ended z ok",
        "g-1 asked 1
         g-1 armed
         g-1 approved
         z call 1",
    );
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: w, wait: 1m}
           - {id: s, set: {scope: global, values: {v: 1}}, needs: w}
           - {id: z, needs: g, run: x, env: {V: \"${{ state.global.v }}\"}}",
        "launch; wake 1m; ann approves via-script; ann approves via-script; ended z ok",
        "g-1 asked 1
         set Global[] v=1
         g-1 ann approves
         g-1 asked 2: what would run has changed since it was shown
         g-1 ann approves
         g-1 approved
         z call 1",
    );
}

#[test]
fn what_changed_after_the_approval_does_not_run() {
    check(
        "max-parallel: 1
         steps:
           - {id: long, run: x}
           - {id: g, gate: {prompt: go?}}
           - {id: w, wait: 1m}
           - {id: s, set: {scope: global, values: {v: 1}}, needs: w}
           - {id: z, needs: g, run: x, env: {V: \"${{ state.global.v }}\"}}",
        "launch; ann approves via-script; wake 1m; ended long ok",
        "g-1 approved
         z ready
         set Global[] v=1
         g reopened: what z would run is not what was approved, at env V
         z reopened, waits for g
         g-1 asked 2: what z would run is not what was approved, at env V
         no z call",
    );
}

#[test]
fn evidence_is_looked_at_before_people_are_asked() {
    check(
        "steps:\n  - {id: g, if: \"hashFiles('a') != ''\", gate: {prompt: go?, evidence: [plan.txt]}}",
        "launch; facts g abc; facts g def; ann approves via-script",
        "g asks for files [] hashes [[\"a\"]]
         g asks for files [\"plan.txt\"] hashes [[\"a\"]]
         g-1 asked
         g-1 approved",
    );
    let bench = play("steps:\n  - {id: g, gate: {prompt: go?, evidence: [plan.txt]}}", "launch; facts g abc");
    let ask = bench.ask("g");
    assert_eq!((ask.evidence[0].bytes, ask.evidence[0].problem.as_deref()), (3, None));
}

#[test]
fn an_ask_that_cannot_be_made_fails_its_step() {
    check(
        "steps:
           - {id: a, run: x, outputs: {v: any}}
           - {id: g, needs: a, gate: {prompt: \"${{ fromJSON(steps.a.outputs.v) }}\"}}",
        "launch; ended a ok v=[",
        "no asked
         g failed user_invalid_input
         = failed: a completed, g failed",
    );
}

#[test]
fn a_refusal_at_the_gate_can_be_put_on_record() {
    let mut bench = play(&gate(""), OPEN);
    let gate = "g-1".parse().expect("an id");
    bench.submit(Command::NoteRefusal { gate, by: person("dan"), why: "not in sre".to_owned() });
    assert!(bench.text().contains("g-1 refused dan: not in sre"));
}

#[test]
fn who_hands_their_answer_on_does_not_answer_until_its_time_is_over() {
    let rules = ", require: [{group: sre, count: 1}]";
    at(
        rules,
        "ann delegates to=dan for=1h; ann approves; dan approves via-script",
        "g-1 ann hands it to dan for 1h
         ! could not decide g-1: ann delegated their answer to dan until
         g-1 dan approves for ann
         g-1 approved by people",
    );
    at(
        rules,
        "ann delegates to=dan for=1h; later 1h; dan approves; ann approves via-script",
        "! could not decide g-1: dan is not in the group sre\n g-1 ann approves\n g-1 approved by people",
    );
}

#[test]
fn an_answer_that_was_handed_on_can_be_taken_back_until_it_is_given() {
    let rules = ", require: [{group: sre, count: 2}]";
    at(
        rules,
        "ann delegates to=dan; ann withdraws; dan approves; ann approves",
        "g-1 ann withdraws\n ! could not decide g-1: dan is not in the group sre\n g-1 ann approves",
    );
    at(
        rules,
        "ann delegates to=dan; dan approves; ann withdraws; ann approves; dan withdraws; ann withdraws; ann approves",
        "g-1 dan approves for ann
         ! could not delegate your answer at g-1: dan has answered with it already; dan can withdraw that answer
         ! could not decide g-1: dan has answered for ann
         g-1 dan withdraws
         g-1 ann withdraws
         g-1 ann approves",
    );
}

#[test]
fn one_person_with_many_answers_in_hand_still_counts_once() {
    at(
        ", require: [{group: sre, count: 2}]",
        "ann delegates to=dan; bob delegates to=dan; dan approves via-script; eve approves via-script",
        "g-1 dan approves for ann and bob\n g-1 eve approves\n g-1 approved by people",
    );
    at(
        ", require: [{group: sre, count: 1}, {group: product, count: 1}]",
        "cat delegates to=bob; bob approves via-script; wake 9s",
        "g-1 bob approves for cat\n no approved by",
    );
}

#[test]
fn only_who_may_answer_can_hand_an_answer_on_and_never_a_borrowed_one() {
    at(
        ", require: [{group: sre, count: 1}], forbid: [run.actor]",
        "cat delegates to=dan; req delegates to=dan; ann delegates to=ann; ann delegates to=req; ann delegates to=bob for=60d;
         ann delegates to=dan; dan delegates to=cat; ann delegates to=cat",
        "! could not delegate your answer at g-1: cat is not in the group sre
         ! could not delegate your answer at g-1: req asked for this run
         ! could not delegate your answer at g-1: you cannot delegate to yourself
         ! could not delegate your answer at g-1: req is excluded at this gate
         ! could not delegate your answer at g-1: it can be with somebody for more than 0s and at most 30d
         g-1 ann hands it to dan
         ! could not delegate your answer at g-1: dan is not in the group sre
         g-1 ann hands it to cat",
    );
}

#[test]
fn nobody_who_is_excluded_answers_through_somebody_else() {
    at(
        &format!("{FORM}, require: [{{group: sre, count: 1}}]"),
        "ann delegates to=dan; ann edits g ticket=CHG-1; ann withdraws; ann edits g ticket=CHG-1;
         ann delegates to=dan; bob delegates to=ann; bob approves via-script",
        "! could not decide g-1: ann delegated their answer to dan until
         g-1 ann edits
         ! could not delegate your answer at g-1: ann edited the form
         ! could not delegate your answer at g-1: ann is excluded at this gate
         g-1 bob approves
         g-1 approved by people",
    );
}

#[test]
fn an_emergency_is_one_person_of_the_group_with_a_long_reason_and_loud() {
    let rules = ", require: [{group: sre, count: 2}]";
    at(
        rules,
        "ann approves breaking-glass : the shop is down and nobody answers
         gus approves breaking-glass : down
         gus rejects breaking-glass : the shop is down and nobody answers
         gus approves breaking-glass : the shop is down and nobody answers
         gus approves breaking-glass : the shop is down and nobody answers",
        "! could not give an emergency approval at g-1: ann is not in the group break-glass of people.toml
         ! could not give an emergency approval at g-1: the reason has 4 characters; at least 20 are wanted
         ! could not give an emergency approval at g-1: only an approval can be an emergency approval
         g-1 gus breaks the glass: the shop is down and nobody answers
         g-1 approved by break-glass
         z call 1",
    );
    let script = format!("{OPEN} gus approves breaking-glass : the shop is down and nobody answers");
    let rings = play(&gate(rules), &script).effects().into_iter();
    assert_eq!(rings.filter(|ring| matches!(ring, Effect::Ring { gate: Some(_), .. })).count(), 2);
    at(
        &format!("{rules}, form: {{ticket: {{type: string, required: true}}}}"),
        "gus approves breaking-glass : the shop is down and nobody answers",
        "! could not fill in the form of g-1: `ticket` must be given",
    );
    at(
        ", require: [{group: sre, count: 2}], forbid: [gus]",
        "gus approves breaking-glass : the shop is down and nobody answers",
        "! could not decide g-1: gus is excluded by the workflow",
    );
}

#[test]
fn who_has_agreed_already_can_still_do_without_the_others_and_counts_once() {
    let reason = "the shop is down and nobody answers";
    at(
        ", require: [{group: sre, count: 2}]",
        &format!(
            "gil approves; gil approves breaking-glass : down; gil approves breaking-glass : {reason}; gil approves breaking-glass : {reason}"
        ),
        "g-1 gil approves
         ! could not give an emergency approval at g-1: the reason has 4 characters
         g-1 gil breaks the glass
         g-1 approved by break-glass
         g completed {\"decision\":\"approved\",\"form\":{},\"approvers\":[\"gil\"]}
         z call 1
         no ! could not decide",
    );
    // What was approved as usual is not told to have been an emergency.
    at(
        ", require: [{group: sre, count: 1}]",
        &format!("gil approves via-script; gil approves breaking-glass : {reason}"),
        "g-1 approved by people\n ! could not decide g-1: it was approved already, by \n no breaks the glass",
    );
}

#[test]
fn what_is_done_alone_in_an_emergency_stays_so_whatever_others_do_while_its_files_are_looked_at() {
    let file = |rule: &str| {
        format!(
            "steps:\n  - {{id: g, gate: {{prompt: go?, evidence: [plan.txt]{rule}}}}}\n  - {{id: z, needs: g, run: x}}"
        )
    };
    let broken = "launch; facts g abc; looking; ann delegates to=bob for=1h; gus approves breaking-glass : the shop is down and nobody answers;";
    check(
        &file(", require: [{group: sre, count: 2}]"),
        &format!(
            "{broken} ann withdraws; bob approves via-script; facts g abc; gus reviews : fine; ann reviews : fine"
        ),
        "g-1 gus breaks the glass
         g-1 ann withdraws
         g-1 bob approves
         g-1 approved by break-glass
         ! could not review g-1: gus gave this approval; another person must review it
         g-1 ann reviews it as of 1: fine",
    );
    // Who alone would have been enough was not asked, either.
    check(
        &file(""),
        &format!("{broken} ann withdraws; facts g abc"),
        "g-1 approved by break-glass\n no approved by people",
    );
    // It is theirs to take back, as long as it is not done.
    check(&file(""), &format!("{broken} gus withdraws; facts g abc"), "g-1 gus withdraws\n no approved by");
}

#[test]
fn an_emergency_is_looked_at_afterwards_by_somebody_else_who_is_asked_there() {
    at(
        ", require: [{group: sre, count: 2}]",
        "ann reviews : fine
         gus approves breaking-glass : the shop is down and nobody answers; ended z ok
         gus reviews : fine; req reviews : fine; cat reviews : fine; ann reviews
         ann reviews : the roll-back was right; ann reviews : again; bob reviews : fine",
        "! could not review g-1: it has no emergency approval and no override
         g-1 gus breaks the glass
         ended completed
         ! could not review g-1: gus gave this approval; another person must review it
         ! could not review g-1: req asked for this run
         ! could not review g-1: cat is not in the group sre
         ! could not review g-1: say why with --reason
         g-1 ann reviews it as of 1: the roll-back was right
         ! could not review g-1: ann has reviewed it already
         no ann reviews it as of 1: again
         = completed: a completed, g completed, z completed",
    );
    at(
        ", require: [{group: sre, count: 1}]",
        "ann approves via-script; bob reviews : fine",
        "g-1 approved by people\n ! could not review g-1: it has no emergency approval and no override",
    );
}

/// A gate that shows a file, and asks anew when that has changed before what it let go begins.
const SHOWS: &str = "steps:
   - {id: g, gate: {prompt: go?, evidence: [p], undo-window: 0s, require: [{group: sre, count: 2}]}}
   - {id: z, needs: g, run: x}";

#[test]
fn an_emergency_stays_to_be_reviewed_when_its_gate_asks_anew() {
    let alone = "breaking-glass : the shop is down and nobody answers";
    let overtaken =
        format!("launch; facts g one; gus approves {alone}; facts g one; ended z changed p; facts g two;");
    let reviews = "gus reviews epoch=1 : fine; req reviews epoch=1 : fine; cat reviews epoch=1 : fine; ann reviews epoch=1
         ann reviews epoch=2 : fine; ann reviews epoch=7 : fine
         ann reviews epoch=1 : it was right; ann reviews epoch=1 : again; bob reviews epoch=1 : fine";
    check(
        SHOWS,
        &format!("{overtaken} {reviews}"),
        "g-1 approved by break-glass
         g reopened
         g-1 asked 2
         ! could not review g-1: gus gave this approval; another person must review it
         ! could not review g-1: req asked for this run
         ! could not review g-1: cat is not in the group sre
         ! could not review g-1: say why with --reason
         ! could not review g-1: it has no emergency approval and no override
         ! could not review g-1: it has no emergency approval and no override in epoch 7
         g-1 ann reviews it as of 1: it was right
         ! could not review g-1: ann has reviewed it already
         no it as of 1: again",
    );
    // Whatever becomes of what it asks now, and of its run.
    for (then, closed) in [
        ("ann approves; bob approves; facts g two; ended z ok", "g-1 approved by people"),
        ("ann rejects : no", "g-1 rejected by people"),
        ("cancel undo", "g-1 cancelled by run"),
    ] {
        check(
            SHOWS,
            &format!("{overtaken} {then}; ann reviews epoch=2 : fine; bob reviews epoch=1 : it was right"),
            &format!(
                "{closed}\n ! could not review g-1: it has no emergency approval and no override\n g-1 bob reviews it as of 1"
            ),
        );
    }
}

#[test]
fn two_emergencies_at_one_gate_are_reviewed_one_by_one() {
    let alone = "breaking-glass : the shop is down and nobody answers";
    let twice = format!(
        "launch; facts g one; gus approves {alone}; facts g one; ended z changed p; facts g two;
         gil approves {alone}; facts g two; ended z#2 changed p; facts g three;"
    );
    check(
        SHOWS,
        &format!(
            "{twice} gil reviews epoch=2 : fine; ann reviews epoch=2 : fine; ann reviews epoch=2 : fine; gil reviews epoch=1 : it was right"
        ),
        "g-1 gus breaks the glass
         g-1 gil breaks the glass
         g-1 asked 3
         ! could not review g-1: gil gave this approval; another person must review it
         g-1 ann reviews it as of 2: fine
         g-1 gil reviews it as of 1: it was right",
    );
    // One that was reviewed before its gate asked anew is not reviewed again.
    check(
        SHOWS,
        &format!(
            "launch; facts g one; gus approves {alone}; facts g one; ann reviews : fine; ended z changed p; facts g two; bob reviews epoch=1 : fine"
        ),
        "g-1 ann reviews it as of 1\n g-1 asked 2\n ! could not review g-1: ann has reviewed it already",
    );
}

#[test]
fn nobody_gets_around_a_quorum_by_closing_the_gate_by_hand() {
    at(
        ", require: [{group: sre, count: 2}]",
        "skip g; done g; req approves overriding : mine; ann approves; bob approves via-script",
        "! could not skip g of r-1: it is the gate g-1
         ! could not complete step g of r-1 by hand: it is the gate g-1
         ! could not decide g-1: req asked for this run
         g-1 approved by people",
    );
    at(
        ", require: [{group: sre, count: 1}, {group: product, count: 1}], forbid: [dan]",
        "req approves overriding : mine",
        "! could not decide g-1: req asked for this run",
    );
    at(
        ", require: [{group: product, count: 1}], escalate: {after: 1h, to: req}",
        "req approves overriding : mine; wake 1h; req approves overriding : mine",
        "! could not decide g-1: req is not in the group product\n g-1 approved by override",
    );
}

/// A gate that can be sent back to the first of two steps before it; another branch uses the first one too.
const REWIND: &str = "steps:
   - {id: early, run: x}
   - {id: a, needs: early, run: x, outputs: {v: string}, undo: y}
   - {id: b, needs: a, run: x}
   - {id: side, needs: a, run: x}
   - {id: g, needs: b, gate: {prompt: \"go ${{ steps.a.outputs.v }}?\", send-back: a, on-reject: compensate}}
   - {id: z, needs: g, run: x}";

#[test]
fn an_ask_names_the_steps_that_run_although_it_is_rejected() {
    for (rules, anyway) in [("", vec!["m"]), (", on-reject: continue", vec!["m", "n"])] {
        let bench = play(
            &format!(
                "steps:
                   - {{id: g, gate: {{prompt: go?{rules}}}}}
                   - {{id: m, needs: g, if: always(), run: x}}
                   - {{id: n, needs: m, run: x}}
                   - {{id: y, needs: g, if: success() || failure(), run: x}}
                   - {{id: z, needs: g, run: x}}"
            ),
            "launch",
        );
        assert_eq!(bench.ask("g").runs_anyway, anyway, "{}", bench.text());
    }
}

#[test]
fn a_gate_that_was_sent_back_asks_again_whatever_its_rules_read_then() {
    for (keys, rules) in
        [("if: \"steps.a.outputs.risky == 'yes'\", ", ""), ("", ", auto: \"steps.a.outputs.risky == 'no'\"")]
    {
        let file = format!(
            "steps:
               - {{id: a, run: x, outputs: {{risky: string}}}}
               - {{id: g, needs: a, {keys}gate: {{prompt: go?, send-back: a{rules}}}}}
               - {{id: z, needs: g, run: x}}"
        );
        let script = "launch; ended a ok risky=yes; ann sends-back : no; ended a#2 ok risky=no; ann approves via-script";
        check(&file, script, "g-1 asked 1\n g-2 asked 1\n g-2 approved by people\n z call 1");
        // Nor does it vanish in a correction of a run that ended before it could ask again.
        let both = format!(
            "{file}\n=== corrected\n{}",
            file.replace("id: z, needs: g, run: x", "id: z, needs: g, run: y")
        );
        let script = "launch; ended a ok risky=yes; ann sends-back : no; ended a#2 fail; retry failed corrected; ended a ok risky=no";
        check(&both, script, "r-2 created, corrected\n g-2 asked 1\n no z call");
    }
    // A gate in a frame that begins anew because of another gate.
    check(
        "steps:
           - {id: a, run: x, outputs: {risky: string}}
           - {id: r, needs: a, if: \"steps.a.outputs.risky == 'yes'\", workflow: inner.yaml}
           - {id: y, needs: r, run: x}
           - {id: h, needs: y, gate: {prompt: on?, send-back: a}}
--- inner.yaml
           steps:
             - {id: g, gate: {prompt: go?}}",
        "launch; ended a ok risky=yes; ann approves via-script; ended y ok; ann sends-back : no; ended a#2 ok risky=no",
        "y call 1\n r begins anew\n r failed\n no y call 2",
    );
}

#[test]
fn what_is_sent_back_is_done_again_and_asks_anew() {
    check(
        REWIND,
        "launch; ended early ok; ended a ok v=1; ended b ok; ended side ok; ann sends-back; ann sends-back : wrong branch
         ended a#2 ok v=2; ended b#2 ok; ended side#2 ok; ann approves via-script; ended z ok",
        "g-1 asked 1
         ! could not send g-1 back: say why
         g-1 ann sends it back
         g-1 rejected by send-back
         a begins anew
         b begins anew
         a call 2
         b call 2
         g-2 asked 1
         g-2 approved by people
         = completed: early completed, a completed, b completed, side completed, g completed, z completed",
    );
    let bench = play(
        REWIND,
        "launch; ended early ok; ended a ok v=1; ended b ok; ended side ok; ann sends-back : no
         ended a#2 ok v=2; ended b#2 ok; ended side#2 ok",
    );
    assert_eq!(bench.ask("g").prompt, "go 2?");
}

#[test]
fn what_was_done_twice_is_undone_once() {
    check(
        REWIND,
        "launch; ended early ok; ended a ok v=1; ended b ok; ended side ok; ann sends-back : no
         ended a#2 ok v=2; ended b#2 ok; ended side#2 ok; ann rejects : no; ended a#3 ok",
        "a undo done\n = undone: early completed, a undone, b completed, side completed, g rejected, z skipped",
    );
}

#[test]
fn what_was_done_before_it_was_sent_back_is_undone_also_when_it_is_not_done_again() {
    let text = format!("on-failure: compensate\n{REWIND}");
    let text = text.replace("undo: y", "undo: 'y ${{ steps.a.outputs.v }}'");
    let before = "launch; ended early ok; ended a ok v=1; ended b ok; ended side ok; ann sends-back : no;";
    let is_given = |script: &str, v: &str| {
        let bench = play(&text, &format!("{before} {script}"));
        let launch = bench.launch_of("a");
        let given = format!("{:?}", launch.env);
        assert!(
            launch.argv.iter().any(|text| text.starts_with("y ")) && given.contains(v),
            "{launch:?}\n{}",
            bench.text()
        );
    };
    // It fails, and what it had brought is taken back by the words of then.
    check(
        &text,
        &format!("{before} ended a#2 fail; ended a#3 ok"),
        "a call 2
         a failed
         a call 3 undo
         a undo done
         = undone: early completed, a undone, b skipped, side skipped, g skipped, z skipped",
    );
    is_given("ended a#2 fail", "Text(\"1\")");
    // It never begins.
    check(
        &text.replace("send-back: a", "send-back: early"),
        &format!("{before} cancel undo; ended early#2 fail; ended a#2 ok"),
        "a skipped
         a call 2 undo
         = undone: early cancelled, a undone, b skipped, side skipped, g skipped, z skipped",
    );
    // It is done again: what it brought then counts.
    is_given("ended a#2 ok v=2; ended side#2 ok; ended b#2 fail", "Text(\"2\")");
}

#[test]
fn what_may_have_happened_and_must_not_twice_is_not_sent_back() {
    check(
        "steps:
           - {id: a, run: x, effect: once, on-error: continue}
           - {id: g, needs: a, if: always(), gate: {prompt: go?, send-back: a}}",
        "launch; crash; abort a; ann sends-back : no; ann rejects : no",
        "! could not send g-1 back: a may have happened, and must not happen twice; reject it instead
         g-1 rejected by people",
    );
}

#[test]
fn nothing_under_way_is_taken_back_and_a_gate_without_a_way_back_says_so() {
    check(
        REWIND,
        "launch; ended early ok; ended a ok v=1; ended b ok; ann sends-back : no; ended side ok; ann sends-back : no",
        "! could not send g-1 back: side is running; wait for it\n g-1 rejected by send-back",
    );
    at("", "ann sends-back : no", "! could not send g-1 back: its workflow names no step for that");
}

#[test]
fn whole_frames_begin_anew() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: m, needs: a, matrix: {k: [1, 2]}, run: x}
           - {id: g, needs: m, gate: {prompt: go?, send-back: a}}
           - {id: z, needs: g, run: x}",
        "launch; ended a ok; ended m[1] ok; ended m[2] ok; ann sends-back : no
         ended a#2 ok; ended m[1]#2 ok; ended m[2]#2 ok; ann approves via-script; ended z ok",
        "m begins anew
         m[1] begins anew
         a call 2
         m[1] call 2
         g-2 asked
         = completed: a completed, m completed, m[1] completed, m[2] completed, g completed, z completed",
    );
}

#[test]
fn steps_fill_a_gate_with_comments_and_people_still_comment_and_reject() {
    let script = format!("{}ann comments : hm; ann rejects : no", "ann comments via-step : n; ".repeat(101));
    at("", &script, "it has 100 comments of steps and agents\ng-1 ann rejects");
}

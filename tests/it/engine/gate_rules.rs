//! The 34 rules of `semantics.md` 5, each a mistake that somebody shipped, and the test that holds it. A rule whose test
//! is not with those it belongs to has it here.

use super::door::{check, person, play};
use cuelight_engine::{Ask, Command, Effect, Fact, GateEvent, RetryFrom};
use cuelight_projection::Board;

/// Rule, the words for it, the file of its test, and the test.
const RULES: [(u8, &str, &str, &str); 34] = [
    (1, "resolved once", "engine/gate", "the_same_answer_again_is_the_same_and_another_one_a_conflict"),
    (2, "a decision cancels its timer", "engine/gate_rules", "a_decision_cancels_its_timer"),
    (
        3,
        "a late time-out changes nothing",
        "engine/gate",
        "a_decision_cancels_its_timer_and_a_late_time_out_changes_nothing",
    ),
    (
        4,
        "person and time-out at once",
        "engine/gate",
        "person_and_time_out_at_one_instant_have_one_winner_and_the_other_is_told",
    ),
    (5, "a time-out is no person", "engine/gate", "nobody_in_time_rejects_and_says_that_it_was_the_time"),
    (6, "waiting eats no time-out", "engine/gate", "waiting_never_eats_the_time_out_of_a_step"),
    (7, "the run's deadline fires", "engine/run", "the_runs_deadline_fires_while_a_gate_waits"),
    (8, "cancel works", "engine/run", "cancel_ends_what_runs_closes_gates_and_keeps_what_is_done"),
    (9, "by hand only by an override", "engine/gate", "a_gate_is_closed_by_hand_only_by_an_override"),
    (10, "two gates apart", "engine/gate", "two_parallel_gates_resolve_apart_and_other_branches_go_on"),
    (11, "others go on", "engine/gate_rules", "other_branches_and_other_runs_go_on_while_it_waits"),
    (
        12,
        "in matrix and sub-workflow",
        "engine/gate_rules",
        "a_gate_works_in_a_matrix_in_a_workflow_in_a_workflow",
    ),
    (
        13,
        "another answer after expiry",
        "engine/retry",
        "an_expired_gate_asks_again_and_another_answer_leads_elsewhere",
    ),
    (14, "an answer too early", "engine/gate", "an_answer_before_the_gate_opens_is_refused"),
    (15, "losers close", "engine/gate_rules", "the_first_no_of_several_closes_the_others"),
    (
        16,
        "a crash in between",
        "engine/resume",
        "a_decision_stands_after_a_crash_and_its_continuation_needs_nobody",
    ),
    (
        17,
        "a busy requester is told",
        "engine/gate_rules",
        "a_run_that_is_busy_hears_of_the_answer_when_it_has_room",
    ),
    (18, "typed inputs survive", "engine/gate_rules", "what_was_typed_into_a_form_survives_a_crash"),
    (
        19,
        "defaults shown are used",
        "engine/gate_rules",
        "the_defaults_that_are_shown_are_those_that_are_used",
    ),
    (
        20,
        "no self-approval",
        "cli",
        "nobody_lets_their_own_run_pass_where_that_is_forbidden_whichever_way_they_come",
    ),
    (
        21,
        "no abort through the gate",
        "engine/gate_rules",
        "who_is_not_asked_cannot_end_anything_through_the_gate",
    ),
    (22, "every door asks who", "gateway", "another_user_is_refused"),
    (23, "bound to the hash", "engine/bad_decision", "an_answer_for_another_gate_epoch_or_ask_is_refused"),
    (24, "checked when it runs", "engine/gate", "what_changed_after_the_approval_does_not_run"),
    (
        25,
        "another definition asks anew",
        "engine/gate_rules",
        "another_definition_or_another_rule_is_another_ask",
    ),
    (26, "an expired gate vanishes", "engine/gate_rules", "what_has_expired_waits_for_nobody_any_more"),
    (
        27,
        "a matrix only when said",
        "engine/gate",
        "one_gate_answers_for_a_whole_matrix_where_the_file_says_so",
    ),
    (
        28,
        "not cancelled by a newer run",
        "engine/concurrency",
        "cancel_running_spares_what_waits_at_a_gate_or_for_its_place",
    ),
    (
        29,
        "rejection is no failure",
        "engine/gate",
        "rejection_needs_a_reason_skips_dependents_and_is_no_failure",
    ),
    (30, "rejected, undo still runs", "engine/gate", "a_rejection_that_compensates_undoes_what_was_done"),
    (31, "nothing before it again", "engine/gate_rules", "nothing_before_the_gate_runs_again"),
    (32, "one ring a change", "engine/gate_rules", "every_change_rings_once"),
    (
        33,
        "a batch decides what was seen",
        "console/batch",
        "a_batch_decides_only_what_was_read_and_each_with_its_own_ask",
    ),
    (34, "waiting holds no slot", "engine/gate_rules", "waiting_holds_no_slot"),
];

#[test]
fn every_rule_has_its_test() {
    for (index, (rule, words, file, test)) in RULES.iter().enumerate() {
        assert_eq!(usize::from(*rule), index + 1, "{words}");
        let path = format!("{}/tests/it/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a file of tests");
        let found =
            text.contains(&format!("#[test]\nfn {test}()")) || text.contains(&format!("async fn {test}()"));
        assert!(found, "rule {rule}, {words}: there is no test {test} in {path}");
    }
}

const GATE: &str = "steps:
   - {id: a, run: x}
   - {id: g, needs: a, gate: {prompt: go?, timeout: 1h}}
   - {id: z, needs: g, run: x}";

#[test]
fn a_decision_cancels_its_timer() {
    let open = play(GATE, "launch; ended a ok");
    assert!(open.world.deadline().is_some());
    let decided = play(GATE, "launch; ended a ok; ann approves via-script");
    assert_eq!(decided.world.deadline(), None);
}

#[test]
fn other_branches_and_other_runs_go_on_while_it_waits() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: a, run: x}
           - {id: b, needs: a, run: x}",
        "launch; launch; ended a ok; ended b ok; run r-1; ended a ok; ended b ok; ann approves via-script",
        "r-2 a completed
         r-2 b completed
         a completed
         b completed
         g-2 approved",
    );
}

#[test]
fn a_gate_works_in_a_matrix_in_a_workflow_in_a_workflow() {
    check(
        "steps:
           - {id: in, workflow: inner.yaml}
           - {id: z, needs: in, run: x}
         --- inner.yaml
         steps:
           - {id: g, matrix: {k: [1, 2], fail-fast: false}, gate: {prompt: \"go ${{ matrix.k }}?\"}}",
        "launch; ann approves in/g[2] via-script; ann approves in/g[1] via-script; ended z ok",
        "g-1 asked
         g-2 asked
         g-2 approved
         g-1 approved
         z call 1",
    );
}

#[test]
fn the_first_no_of_several_closes_the_others() {
    check(
        "steps:\n   - {id: g, matrix: {k: [1, 2, 3]}, gate: {prompt: go?}}",
        "launch; ann rejects g[2] : no; bob approves g[1]",
        "g-2 rejected by people
         g-1 cancelled by run
         g-3 cancelled by run
         ! could not decide g-1: it was cancelled already, by the end of its run",
    );
}

#[test]
fn a_run_that_is_busy_hears_of_the_answer_when_it_has_room() {
    check(
        "max-parallel: 1
         steps:
           - {id: g, gate: {prompt: go?}}
           - {id: long, run: x}
           - {id: z, needs: g, run: x}",
        "launch; ann approves via-script; ended long ok; ended z ok",
        "g-1 approved
         z ready
         long completed
         z call 1
         = completed: g completed, long completed, z completed",
    );
}

const FORM: &str = "steps:
   - {id: g, gate: {prompt: go?, form: {ticket: {type: string, required: true}, n: {type: integer, default: 5}}}}
   - {id: z, needs: g, run: x, env: {N: \"${{ steps.g.form.n }}\"}}";

#[test]
fn what_was_typed_into_a_form_survives_a_crash() {
    check(
        FORM,
        "launch; eve edits g ticket=CHG-1; crash 2h; ann approves via-script",
        "g completed {\"decision\":\"approved\",\"form\":{\"ticket\":\"CHG-1\",\"n\":5}",
    );
}

#[test]
fn the_defaults_that_are_shown_are_those_that_are_used() {
    let bench = play(FORM, "launch; eve edits g ticket=CHG-1; ann approves via-script");
    let shown = bench.ask("g").form.into_iter().find(|item| item.name == "n").expect("a field");
    assert_eq!(shown.value, 5);
    let (_, parts) = bench.launch_of("z").env.into_iter().find(|pair| pair.0 == "N").expect("a variable");
    assert_eq!(format!("{parts:?}"), "[Text(\"5\")]");
}

#[test]
fn who_is_not_asked_cannot_end_anything_through_the_gate() {
    check(
        "steps:\n   - {id: a, run: x}\n   - {id: g, needs: a, gate: {prompt: go?, require: sre, send-back: a}}",
        "launch; ended a ok; cat rejects : no; cat sends-back : no; cat withdraws; cat delegates to=dan; ann approves via-script",
        "! could not decide g-1: cat is not in the group sre
         ! could not decide g-1: cat is not in the group sre
         ! could not withdraw from g-1
         ! could not delegate your answer at g-1: cat is not in the group sre
         no rejected
         g-1 approved",
    );
}

#[test]
fn the_hash_is_over_what_runs_and_not_over_the_words_alone() {
    let text = "steps:
       - {id: a, run: x, outputs: {v: string}}
       - {id: g, needs: a, gate: {prompt: go?}}
       - {id: z, needs: g, run: x, env: {V: '${{ steps.a.outputs.v }}'}}";
    let asked = |value: &str| {
        let bench = play(text, &format!("launch; ended a ok v={value}"));
        let hash = bench.journal.iter().rev().find_map(|event| match &event.fact {
            Fact::Gate(_, _, _, GateEvent::Asked { hash, .. }) => Some(*hash),
            _ => None,
        });
        (bench.ask("g"), hash.expect("it was asked"))
    };
    let (one, same, other) = (asked("1"), asked("1"), asked("2"));
    assert_eq!(one, same);
    assert_ne!(one.1, other.1);
    let words = |ask: &Ask| Ask { will_run: Vec::new(), ..ask.clone() };
    assert_eq!(words(&one.0), words(&other.0), "only what runs is another");
}

#[test]
fn another_definition_or_another_rule_is_another_ask() {
    let ask = |text: &str| play(text, "launch; ended a ok").ask("g");
    let one = ask(GATE);
    for (text, what) in [
        (GATE.replace("1h", "2h"), "another rule"),
        (GATE.replace("run: x}\n   - {id: g", "run: y}\n   - {id: g"), "another step before it"),
    ] {
        let other = ask(&text);
        assert_ne!(one.plan, other.plan, "{what}");
        assert_ne!(one, other, "{what}");
    }
    // An approval that is kept in a retry is kept for what was approved alone.
    let mut bench = play(GATE, "launch; ended a ok; ann approves via-script; ended z fail");
    let by = person("req");
    bench.submit(Command::Retry {
        run: "r-1".parse().expect("a run"),
        from: RetryFrom::All,
        by,
        corrected: None,
    });
    assert!(bench.text().ends_with("r-2 a call 1"), "{}", bench.text());
}

#[test]
fn what_has_expired_waits_for_nobody_any_more() {
    let bench = play(GATE, "launch; ended a ok; wake 1h");
    let mut board = Board::default();
    for (index, event) in bench.journal.iter().enumerate() {
        board.apply(cuelight_base::Seq(index as u64 + 1), event);
    }
    assert_eq!((board.inbox(None).len(), board.open_gates().count()), (0, 0));
    assert!(board.summaries().all(|summary| summary.open_gates == 0));
}

#[test]
fn nothing_before_the_gate_runs_again() {
    check(
        GATE,
        "launch; ended a ok; ann approves via-script; ended z ok",
        "a call 1\n no a call 2\n z call 1",
    );
}

#[test]
fn every_change_rings_once() {
    let rings = |script: &str| {
        let bench = play(&GATE.replace("timeout", "remind: 10m, timeout"), script);
        bench
            .effects()
            .into_iter()
            .filter(|effect| matches!(effect, Effect::Ring { gate: Some(_), .. }))
            .count()
    };
    assert_eq!(rings("launch; ended a ok"), 1);
    assert_eq!(rings("launch; ended a ok; wake 10m; wake 1m; ann comments : hm"), 2);
    assert_eq!(rings("launch; ended a ok; ann approves; ann withdraws; ann approves via-script"), 1);
}

#[test]
fn waiting_holds_no_slot() {
    check(
        "max-parallel: 1
         steps:
           - {id: g, gate: {prompt: go?}}
           - {id: h, gate: {prompt: go?}}
           - {id: a, run: x}",
        "launch; ended a ok",
        "g-1 asked\n g-2 asked\n a call 1\n a completed",
    );
}

//! Exactly the approved files run, or the gate opens again (`reliability.md` 4).

use super::door::{check, play};
use cuelight_engine::{AttemptEvent, Fact};

/// A gate that shows a file and is bound to others, before a step.
const PLAN: &str = "steps:
   - {id: g, gate: {prompt: go?, evidence: [plan.txt], binds: [\"${{ hashFiles('dist/**') }}\"]}}
   - {id: z, needs: g, run: x}";

#[test]
fn files_that_changed_before_the_yes_ask_again_and_tell_what_changed() {
    check(
        PLAN,
        "launch; facts g one; facts g one; looking; ann approves via-script; facts g two; facts g two; facts g two
         ann approves old; ann approves via-script; facts g two; ended z ok",
        "g-1 asked 1
         g-1 ann approves
         g-1 looks again at [\"plan.txt\"] [[\"dist/**\"]]
         g reopened: what was approved has changed: plan.txt (
         g asks for files
         g-1 asked 2: what was approved has changed: plan.txt (
         ! could not decide g-1: its ask has changed
         g-1 looks again
         g-1 approved by people
         z call 1
         = completed: g completed, z completed",
    );
    let bench = play(PLAN, "launch; facts g one; facts g one; looking; ann approves via-script; facts g two");
    let line = bench.log.iter().find(|text| text.contains("reopened")).expect("it is told");
    let hash = |of: &str| cuelight_base::sha256("test", &[of.as_bytes()]).to_string()[..12].to_owned();
    assert!(line.contains(&format!("plan.txt ({} → {})", hash("one"), hash("two"))), "{line}");
    assert!(line.contains("hashFiles(dist/**) (one → two)"), "{line}");
}

#[test]
fn what_only_waits_for_a_slot_waits_for_its_gate_when_that_asks_again() {
    check(
        "max-parallel: 1
         steps:
           - {id: g, gate: {prompt: go?, evidence: [p], undo-window: 0s}}
           - {id: a, needs: g, run: x}
           - {id: w, run: x}
           - {id: b, needs: [g, w], run: x}",
        "launch; facts g one; ann approves; ended w ok; ended a changed p",
        "a ready
         b ready
         a call 1
         g reopened
         b reopened, waits for g
         a reopened, waits for g
         no b call",
    );
}

#[test]
fn what_was_skipped_before_all_it_needs_rests_waits_for_a_gate_that_asks_again_like_any_other() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, evidence: [p], undo-window: 0s}}
           - {id: a, needs: g, run: x}
           - {id: w, run: x}
           - {id: s, needs: [g, w], run: x}
           - {id: z, needs: s, if: always(), run: x}",
        "launch; facts g one; skip s; ann approves; ended a changed p; facts g two; ann approves; ended a#2 ok; ended w ok; ended z ok",
        "s skipped
         g reopened
         g-1 asked 2
         g-1 approved by people
         a call 2
         w completed
         z call 1
         = completed: g completed, a completed, w completed, s skipped, z completed",
    );
}

#[test]
fn files_that_are_as_they_were_let_the_yes_count() {
    check(
        PLAN,
        "launch; facts g one; facts g one; looking; ann approves; wake 5s; facts g one; ended z ok",
        "g-1 armed for 5s
         g-1 looks again
         g-1 approved by people
         z call 1",
    );
}

#[test]
fn a_yes_is_for_what_was_shown_whoever_gives_it() {
    let asks = |rules: &str| {
        format!(
            "steps:\n   - {{id: g, gate: {{prompt: go?, evidence: [p]{rules}}}}}\n   - {{id: z, needs: g, run: x}}"
        )
    };
    check(
        &asks(", timeout: 1h, on-timeout: approve"),
        "launch; facts g one; looking; wake 1h; facts g two",
        "g-1 looks again\n g reopened\n no z call",
    );
    check(
        &asks(", require: [{group: sre, count: 2}]"),
        "launch; facts g one; looking; gus approves breaking-glass : the shop is down and nobody answers; facts g two",
        "g-1 gus breaks the glass\n g-1 looks again\n g reopened\n no z call",
    );
}

#[test]
fn what_is_being_looked_at_can_still_be_refused_taken_back_or_survive_a_crash() {
    let open = "launch; facts g one; facts g one; looking; ann approves via-script";
    check(PLAN, &format!("{open}; bob rejects : no; facts g one"), "g-1 rejected by people\n no z call");
    check(PLAN, &format!("{open}; ann withdraws; facts g one"), "g-1 ann withdraws\n no approved by");
    check(
        PLAN,
        &format!("{open}; crash 1h; facts g one"),
        "g-1 looks again\n recovered\n g-1 looks again\n g-1 approved by people\n z call 1",
    );
}

#[test]
fn files_that_changed_before_a_released_step_begins_open_its_gate_again() {
    check(
        PLAN,
        "launch; facts g one; facts g one; ann approves via-script; ended z changed plan.txt; facts g two; facts g two
         ann approves via-script; ended z#2 ok",
        "z call 1
         z call 1 ended policy_security
         g reopened: what was approved has changed: plan.txt (
         z reopened, waits for g
         g-1 asked 2: what was approved has changed: plan.txt (
         no z failed
         g-1 approved by people
         z call 2
         = completed: g completed, z completed",
    );
    let bench = play(PLAN, "launch; facts g one; facts g one; ann approves via-script");
    let bound = bench.journal.iter().find_map(|event| match &event.fact {
        Fact::Attempt(_, _, _, AttemptEvent::Started { bound, .. }) => bound.clone(),
        _ => None,
    });
    let bound = bound.expect("a call behind a gate is bound to what was shown");
    assert_eq!((bound.files[0].path.as_str(), bound.hashes[0].1.as_str()), ("plan.txt", "one"));
}

#[test]
fn a_no_at_a_gate_that_opened_again_skips_what_had_not_begun() {
    check(
        PLAN,
        "launch; facts g one; facts g one; ann approves via-script; ended z changed plan.txt; facts g two; facts g two
         ann rejects : it was swapped",
        "z reopened\n g-1 rejected by people\n = rejected: g rejected, z skipped",
    );
}

#[test]
fn what_is_ready_when_a_gate_above_it_opens_again_waits_for_it_however_far_above() {
    check(
        "max-parallel: 2
steps:
   - {id: g, gate: {prompt: go?, evidence: [plan.txt]}}
   - {id: a, needs: g, run: x}
   - {id: b, needs: g, run: x}
   - {id: w, needs: g, wait: 1s}
   - {id: z, needs: w, run: x}",
        "launch; facts g one; ann approves via-script; wake 1s; ended a changed plan.txt; facts g two; ended b ok
         ann approves via-script; ended a#2 ok; ended z ok",
        "a call 1
         b call 1
         z ready
         g reopened
         a reopened, waits for g
         z reopened, waits for g: a gate above it asks again
         g-1 asked 2
         b completed
         g-1 approved
         z call 1
         = completed: g completed, a completed, b completed, w completed, z completed",
    );
}

#[test]
fn a_no_at_a_gate_that_opened_again_skips_what_is_further_behind_it_whether_it_was_ready_or_came_to_its_turn_later()
 {
    let steps = "max-parallel: 2
steps:
   - {id: g, gate: {prompt: go?, evidence: [plan.txt], on-reject: continue}}
   - {id: a, needs: g, run: x}
   - {id: b, needs: g, run: x}
   - {id: w, needs: g, wait: 1s}
   - {id: ready, needs: w, run: x}
   - {id: later, needs: b, run: x}
   - {id: noted, needs: b, set: {values: {n: 1}}}
   - {id: tidy, needs: later, if: always(), run: x}
   - {id: after, needs: tidy, run: x}";
    check(
        steps,
        "launch; facts g one; ann approves via-script; wake 1s; ended a changed plan.txt; facts g two
         ann rejects : it was swapped; ended b ok; ended tidy ok; ended after ok",
        "a call 1
         b call 1
         ready ready
         g reopened
         a reopened, waits for g
         g-1 rejected
         b completed
         no ready call 1
         no later call 1
         no noted completed
         tidy call 1
         after call 1
         = partially-completed: g rejected, a skipped, b completed, w completed, ready skipped, later skipped, noted skipped, tidy completed, after completed",
    );
}

#[test]
fn what_was_agreed_to_of_a_step_holds_while_it_waits_for_money_and_its_gate_is_asked_about_others() {
    check(
        "budget: {calls: 1, on-exceed: gate}
steps:
   - {id: g, gate: {prompt: go?, evidence: [plan.txt]}}
   - {id: a, needs: g, run: x}
   - {id: b, needs: g, env: {K: '${{ state.global.k }}'}, run: ./ship.sh}",
        "ann sets k=1; launch; facts g one; facts g one; ann approves via-script; ended a changed plan.txt; facts g two; facts g two
         ann sets k=2; ann approves via-script g-1; ann approves via-script g-2",
        "a call 1
         b waits for g-2
         g reopened
         g-1 approved
         b reopened, waits for g: what b would run is not what was approved
         no b call 1",
    );
}

#[test]
fn who_skips_a_step_opens_no_way_around_the_gate_before_it() {
    let steps = "steps:
   - {id: g, gate: {prompt: go?, on-reject: continue}}
   - {id: a, needs: g, run: x}
   - {id: b, needs: a, run: x}
   - {id: c, needs: b, run: x}";
    check(
        steps,
        "launch; skip b : later; ann rejects : no",
        "= partially-completed: g rejected, a skipped, b skipped, c skipped",
    );
    check(
        steps,
        "launch; skip b : later; ann approves via-script; ended a ok; ended c ok",
        "c call 1
         = completed: g completed, a completed, b skipped, c completed",
    );
}

#[test]
fn a_gate_that_was_overridden_asks_as_well_when_what_it_let_go_has_changed() {
    check(
        PLAN,
        "launch; facts g one; facts g one; ann approves overriding : seen on the phone; facts g one; ended z changed plan.txt; facts g two; facts g two
         ann approves via-script; ended z#2 ok",
        "g-1 approved by override
         z call 1
         g reopened
         z reopened, waits for g
         g-1 asked 2
         g-1 approved by people
         = completed: g completed, z completed",
    );
}

#[test]
fn until_it_has_asked_anew_nobody_answers_it_and_its_time_does_not_run_off() {
    let timed = PLAN.replace("go?,", "go?, timeout: 1h,");
    let open = "launch; facts g one; facts g one; looking; ann approves; wake 5s; facts g two";
    for answer in ["bob approves old", "bob rejects old : no", "ann withdraws", "bob delegates to=cat : ill"]
    {
        check(&timed, &format!("{open}; {answer}"), "g reopened\n g asks for files\n ! could not");
    }
    check(
        &timed,
        &format!("{open}; wake 2h; facts g two; facts g two; ann approves via-script; facts g two"),
        "g reopened
         no g-1 expired
         g-1 asked 2
         g-1 approved by people
         z call 1",
    );
}

#[test]
fn copies_of_a_matrix_wait_for_the_gate_that_opened_again_and_those_that_began_go_on() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, evidence: [plan.txt]}}
           - {id: m, needs: g, matrix: {k: [1, 2, 3], max-parallel: 2}, run: x}
           - {id: z, needs: m, run: x}",
        "launch; facts g one; ann approves via-script; ended m[2] changed plan.txt; facts g two
         ended m[1] ok; ann approves via-script; ended m[2]#2 ok; ended m[3] ok; ended z ok",
        "m[1] call 1
         m[2] call 1
         g reopened
         m[2] reopened, waits for g
         m[3] reopened, waits for g: its gate asks again
         g-1 asked 2
         m[1] completed
         g-1 approved
         m[2] call 2
         = completed: g completed, m completed, m[1] completed, m[2] completed, m[3] completed, z completed",
    );
}

#[test]
fn an_approval_that_is_kept_in_a_retry_is_still_for_the_same_files() {
    check(
        &PLAN.replace("needs: g, run: x", "needs: g, run: x, effect: idempotent"),
        "launch; facts g one; facts g one; ann approves via-script; ended z fail; retry failed
         ended z changed plan.txt; facts g two; facts g two; ann approves g via-script; ended z#2 ok",
        "r-2 g completed (kept)
         r-2 z call 1
         r-2 g reopened
         r-2 z reopened, waits for r-2 g
         g-2 asked 1: what was approved has changed
         g-2 approved
         r-2 z call 2",
    );
}

#[test]
fn more_calls_than_can_be_shown_are_all_bound() {
    let many = "steps:
           - {id: g, gate: {prompt: go?}}
           - {id: w, wait: 1m}
           - {id: s, needs: w, set: {scope: global, values: {v: 1}}}
           - {id: m, needs: g, matrix: {k: \"${{ range }}\"}, run: x, env: {V: \"${{ matrix.k == 600 && state.global.v }}\"}}";
    let range = (1..=600).map(|index| index.to_string()).collect::<Vec<_>>().join(", ");
    let many = many.replace("\"${{ range }}\"", &format!("[{range}]"));
    let bench = play(&many, "launch");
    let ask = bench.ask("g");
    let all = ask.all.as_ref().expect("a hash over all of them");
    assert_eq!((ask.will_run.len(), all.will_run, all.later), (500, 600, 0));
    // Only the last of them changes: it is not among those that are shown.
    let bench = play(&many, "launch; wake 1m; ann approves via-script");
    assert_ne!(bench.ask("g").all, Some(all.clone()));
    assert!(bench.text().contains("g-1 asked 2: what would run has changed since it was shown"));
    assert!(!bench.text().contains("approved by"));
    let bench = play(&many, "launch; ann approves via-script");
    let covered = bench.journal.iter().find_map(|event| match &event.fact {
        Fact::Step(_, _, cuelight_engine::StepEvent::Completed { released, .. }) => Some(released.len()),
        _ => None,
    });
    assert_eq!(covered, Some(600));
}

const CHAIN: &str = "steps:
   - {id: a, run: x}
   - {id: b, needs: a, run: x}
   - {id: c, needs: b, run: x}";

#[test]
fn what_needs_a_skipped_step_waits_for_what_that_one_waited_for() {
    check(
        CHAIN,
        "launch; skip b; wake 1h; ended a ok; ended c ok",
        "a call 1
         b skipped: by req
         a completed
         c call 1
         = completed: a completed, b skipped, c completed",
    );
    let bench = play(CHAIN, "launch; skip b");
    assert!(!bench.text().contains("c call"), "{}", bench.text());
    check(
        "steps:
           - {id: a, run: x}
           - {id: m, needs: a, matrix: {k: [1]}, run: x}
           - {id: b, needs: m, run: x}
           - {id: c, needs: b, run: x}",
        "launch; skip b; skip m; ended a ok",
        "m skipped\n a completed\n c call 1",
    );
}

#[test]
fn cleaning_up_waits_for_what_still_runs() {
    let text = "on-failure: stop
         steps:
           - {id: bad, run: x}
           - {id: a, run: x}
           - {id: b, needs: a, run: x}
           - {id: c, needs: b, if: always(), run: x}";
    check(text, "launch; ended bad fail; ended a ok", "b skipped: stopped by bad\n a completed\n c call 1");
    let bench = play(text, "launch; ended bad fail");
    assert!(!bench.text().contains("c call"), "{}", bench.text());
}

#[test]
fn a_fallback_is_shown_and_is_what_runs_when_the_call_has_failed() {
    let file = "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: z, needs: g, run: x, fallback: [./rescue.sh], env: {V: \"${{ state.global.v }}\"}}";
    let bench = play(file, "ann sets v=1; launch");
    let ask = bench.ask("g");
    let fallback = &ask.will_run[0].fallback[0];
    assert_eq!((fallback.number, fallback.files[0].path.as_str()), (1, "./rescue.sh"));
    check(
        file,
        "ann sets v=1; launch; ann approves; ended z fail; ended z ok",
        "z call 2 fallback 1\n = completed: g completed, z completed",
    );
    check(
        file,
        "ann sets v=1; launch; ann approves; ann sets v=2; ended z fail; ann approves; ended z ok",
        "z call 1 ended agent_logic
         g reopened: what z would run is not what was approved, at env V
         z reopened, waits for g
         g-1 asked 2
         g-1 approved by people
         z call 2
         no fallback
         = completed: g completed, z completed",
    );
    // What it executes is looked at once more as well.
    let bench = play(file, "ann sets v=1; launch; ann approves; ended z fail");
    assert_eq!(bench.bound_of("z"), ["./rescue.sh"]);
}

#[test]
fn the_script_of_a_step_further_on_is_shown_and_is_what_runs_then() {
    let file = "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: a, needs: g, run: x}
           - {id: z, needs: a, run: ./ship.sh, env: {V: \"${{ steps.a.result }}\"}}";
    let bench = play(file, "launch");
    let later = &bench.ask("g").later[0];
    assert_eq!((later.step.as_str(), later.files[0].path.as_str()), ("z", "./ship.sh"));
    check(
        file,
        "launch; ann approves; ended a ok; ended z changed ./ship.sh; ann approves; ended z ok",
        "z call 1
         g reopened: what was approved has changed: ./ship.sh
         z reopened, waits for g
         g-1 asked 2
         z call 2
         no a call 2
         = completed: g completed, a completed, z completed",
    );
    let bench = play(file, "launch; ann approves; ended a ok");
    assert_eq!(bench.bound_of("z"), ["./ship.sh"]);
}

#[test]
fn the_scripts_of_steps_that_are_too_many_to_be_shown_are_bound_too() {
    let chain: String =
        (1..=501).map(|at| format!("\n  - {{id: s{at}, needs: s{}, run: 'true'}}", at - 1)).collect();
    let file = format!(
        "steps:\n  - {{id: g, gate: {{prompt: go?, undo-window: 0s}}}}\n  - {{id: s0, needs: g, run: 'true'}}{chain}
  - {{id: last, needs: s501, run: ./deploy.sh}}"
    );
    let bench = play(&file, "launch; ann approves");
    assert!(bench.ask("g").later.iter().all(|later| later.step != "last"), "it is one too many");
    let done: Vec<String> = (0..=501).map(|at| format!("ended s{at} ok")).collect();
    let bench = play(&file, &format!("launch; ann approves; {}", done.join("; ")));
    assert_eq!(bench.bound_of("last"), ["./deploy.sh"]);
}

#[test]
fn the_script_in_a_computed_matrix_is_shown_by_its_template_and_is_what_its_copies_run() {
    let file = "on-failure: compensate
         steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: g, needs: a, gate: {prompt: go?, undo-window: 0s}}
           - {id: t, needs: [a, g], matrix: \"${{ fromJSON(steps.a.outputs.m) }}\", run: ./ship.sh, undo: ./unship.sh}
           - {id: z, needs: t, run: \"false\"}";
    let open = r#"launch; ended a ok m={"x":[1,2]}"#;
    let ask = play(file, open).ask("g");
    let later: Vec<_> = ask
        .later
        .iter()
        .filter_map(|later| {
            Some((later.step.as_str(), later.kind.as_str(), later.files.first()?.path.as_str()))
        })
        .collect();
    assert_eq!(later, [("t[…]", "run", "./ship.sh"), ("t[…]", "undo", "./unship.sh")]);
    let bench = play(file, &format!("{open}; ann approves"));
    assert_eq!(bench.bound_of("t[1]"), ["./ship.sh"]);
    assert_eq!(bench.bound_of("t[2]"), ["./ship.sh"]);
    let bench = play(file, &format!("{open}; ann approves; ended t[1] ok; ended t[2] ok; ended z fail"));
    assert_eq!(bench.bound_of("t[2]"), ["./unship.sh"]);
    check(
        file,
        &format!(
            "{open}; ann approves; ended t[1] changed ./ship.sh; ended t[2] ok; ann approves; ended t[1] ok; ended z ok"
        ),
        "t opened with 2
         t[1] call 1
         t[2] call 1
         g reopened: what was approved has changed: ./ship.sh
         t[1] reopened, waits for g
         g-1 asked 2
         g-1 approved by people
         t[1] call 2
         = completed: a completed, g completed, t completed, z completed, t[1] completed, t[2] completed",
    );
    // Its value may come of a step behind the gate.
    let within = "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: a, needs: g, run: x, outputs: {m: any}}
           - {id: t, needs: a, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\", run: ./ship.sh}";
    let bench = play(within, "launch; ann approves; ended a ok m={\"k\":[1]}");
    assert_eq!(bench.bound_of("t[1]"), ["./ship.sh"]);
}

#[test]
fn what_takes_a_step_back_or_its_place_is_shown_and_is_what_runs_then() {
    let file = "on-failure: compensate
         steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: a, needs: g, run: x, effect: queryable, check: ./look.sh, undo: ./unship.sh}
           - {id: z, needs: a, run: \"echo $V\", fallback: [./rescue.sh], env: {V: \"${{ steps.a.result }}\"}}";
    let bench = play(file, "launch");
    let ask = bench.ask("g");
    let later: Vec<_> = ask
        .later
        .iter()
        .map(|later| (later.step.as_str(), later.kind.as_str(), later.files.first()))
        .collect();
    let later: Vec<_> =
        later.into_iter().map(|row| (row.0, row.1, row.2.map(|file| file.path.as_str()))).collect();
    assert_eq!(
        later,
        [
            ("z", "run", None),
            ("z (fallback 1)", "run", Some("./rescue.sh")),
            ("a", "check", Some("./look.sh")),
            ("a", "undo", Some("./unship.sh")),
        ]
    );
    let bench = play(file, "launch; ann approves; ended a ok; ended z fail");
    assert_eq!(bench.bound_of("z"), ["./rescue.sh"]);
    let bench = play(file, "launch; ann approves; ended a ok; ended z fail; ended z fail");
    assert_eq!(bench.bound_of("a"), ["./unship.sh"]);
    let bench = play(file, "launch; ann approves; crash");
    assert_eq!(bench.bound_of("a"), ["./look.sh"]);
    // Nobody is asked again in the middle of an undo: it waits for a person, and nothing else is tried.
    check(
        file,
        "launch; ann approves; ended a ok; ended z fail; ended z fail; ended a changed ./unship.sh",
        "a undo stuck
         no a call 3",
    );
    check(file, "launch; ann approves; crash; ended a changed ./look.sh", "a in doubt");
}

#[test]
fn what_the_gates_of_a_matrix_have_shown_is_looked_at_again_behind_it() {
    let file = "steps:
           - {id: g, matrix: {k: [a, b]}, gate: {prompt: \"go ${{ matrix.k }}?\", evidence: [p], undo-window: 0s}}
           - {id: z, needs: g, run: x}";
    let approved = "launch; facts g[a] one; facts g[b] one; ann approves g[a]; ann approves g[b]";
    let bench = play(file, approved);
    assert_eq!(bench.ask("g[b]").will_run[0].step, "z");
    assert_eq!(bench.bound_of("z"), ["p", "bash"]);
    check(
        file,
        &format!(
            "{approved}; ended z changed p; facts g[a] two; facts g[b] two; ann approves g[a]; ann approves g[b]; ended z ok"
        ),
        "g completed
         z call 1
         g[a] reopened: what was approved has changed: p
         g reopened
         g[b] reopened
         z reopened, waits for g[a] g[b]
         g opened
         g completed
         z call 2
         = completed: g completed, g[a] completed, g[b] completed, z completed",
    );
}

#[test]
fn every_step_behind_a_gate_with_a_snapshot_is_bound_to_its_tree_also_its_undo() {
    let file = "on-failure: compensate
         steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: snapshot}}
           - {id: a, needs: g, run: x, undo: y}
           - {id: z, needs: a, run: \"echo $V\", env: {V: \"${{ steps.a.result }}\"}}
           - {id: other, run: x}";
    let bench = play(file, "launch; ended other ok; ann approves; ended a ok; ended z fail");
    assert_eq!(bench.ask("g").snapshot[0].path, "tree");
    assert_eq!(bench.bound_of("z"), ["tree"]);
    assert_eq!(bench.bound_of("a"), ["tree"], "its newest call is its undo");
    assert!(bench.bound_of("other").is_empty());
}

#[test]
fn a_no_at_a_gate_that_asks_anew_undoes_a_step_in_the_tree_that_it_ran_in() {
    let file = "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: snapshot, on-reject: compensate}}
           - {id: a, needs: g, run: x, undo: y}
           - {id: z, needs: a, run: x, env: {V: \"${{ steps.a.result }}\"}}";
    let bench = play(file, "launch; ann approves; ended a ok; ended z changed tree; ann rejects : no");
    assert_eq!(bench.bound_calls("a"), [true, true], "its call and its undo");
    assert_eq!(bench.bound_of("a"), ["tree"]);
}

#[test]
fn a_tree_that_cannot_be_captured_fails_the_gate_before_anybody_is_asked() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, consent: {snapshot: large}}}
           - {id: z, needs: g, run: x}",
        "launch",
        "g failed
         no g-1 asked",
    );
}

#[test]
fn a_captured_tree_that_has_changed_is_captured_and_asked_anew() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: snapshot}}
           - {id: a, needs: g, run: x}
           - {id: z, needs: a, run: x, env: {V: \"${{ steps.a.result }}\"}}",
        "launch; ann approves; ended a ok; ended z changed tree; ann approves; ended z ok",
        "z call 1
         g reopened: what was approved has changed: tree
         z reopened, waits for g
         g asks for files
         g-1 asked 2
         z call 2
         = completed: g completed, a completed, z completed",
    );
}

#[test]
fn a_gate_behind_one_with_a_snapshot_and_each_copy_of_a_matrix_of_gates_show_the_same_tree() {
    let bench = play(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: {snapshot: a}}}
           - {id: h, needs: g, gate: {prompt: on?, consent: {snapshot: b}}}
           - {id: i, needs: g, gate: {prompt: on?}}
           - {id: z, needs: [h, i], run: x}",
        "launch; ann approves g",
    );
    let tree = |step: &str| bench.ask(step).snapshot[0].digest;
    assert_eq!([tree("h"), tree("i")], [tree("g"); 2]);
    let copies = play(
        "steps:
           - {id: g, matrix: {k: [a, b]}, gate: {prompt: go?, undo-window: 0s, consent: {snapshot: [src, x]}}}
           - {id: z, needs: g, run: x}",
        "launch; ann approves g[a]; ann approves g[b]",
    );
    assert_eq!(copies.ask("g[a]").snapshot, copies.ask("g[b]").snapshot);
    assert_eq!(copies.bound_of("z").last().map(String::as_str), Some("tree"));
}

#[test]
fn a_step_behind_two_gates_that_captured_other_trees_does_not_start() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: {snapshot: a}}}
           - {id: h, gate: {prompt: go?, undo-window: 0s, consent: {snapshot: b}}}
           - {id: z, needs: [g, h], run: x}",
        "launch; ann approves g; ann approves h; ann approves h",
        "h completed
         z failed policy_security: two gates before it have captured different workspaces
         no z call",
    );
}

#[test]
fn a_run_that_is_done_again_captures_and_asks_again() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s, consent: snapshot}}
           - {id: a, needs: g, run: x}
           - {id: z, needs: a, run: x}",
        "launch; ann approves; ended a ok; ended z fail; retry failed; ann approves; ended z ok",
        "g-2 asked 1
         g-2 approved by people
         z call 1
         = completed: g completed, a completed, z completed",
    );
}

#[test]
fn of_two_gates_before_one_step_the_second_shows_its_call_when_the_first_was_approved() {
    check(
        "steps:
           - {id: g, gate: {prompt: go?, undo-window: 0s}}
           - {id: h, gate: {prompt: go?, undo-window: 0s}}
           - {id: z, needs: [g, h], run: ./ship.sh}",
        "launch; ann approves g; ann approves h; ann approves h; ended z ok",
        "g completed
         h reopened: what would run has changed since it was shown
         g-2 asked 2
         h completed
         z call 1
         = completed: g completed, h completed, z completed",
    );
}

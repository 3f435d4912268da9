//! Steps: when they are ready, why they never run, what their failure does (`semantics.md` 2, 3).

use super::door::{check, play};

#[test]
fn a_step_starts_when_all_its_needs_have_come_to_rest() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, run: x}
           - {id: c, run: x, needs: [a, b]}",
        "launch; ended b ok; ended a ok; ended c ok",
        "a call 1
         b call 1
         b completed
         a completed
         c call 1
         r-1 ended completed
         = completed: a completed, b completed, c completed",
    );
}

#[test]
fn parallel_steps_of_different_length_are_collected_as_each_ends() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, run: x}
           - {id: c, run: x, needs: b}",
        "launch; ended b ok; ended c ok",
        "b completed
         c completed
         = running: a running, b completed, c completed",
    );
}

#[test]
fn among_ready_steps_priority_comes_first_then_file_order() {
    check(
        "max-parallel: 1
         steps:
           - {id: a, run: x}
           - {id: b, run: x}
           - {id: c, run: x, priority: 5}
           - {id: d, run: x}",
        "launch; ended c ok; ended a ok; ended b ok; ended d ok",
        "c call 1
         a ready
         b ready
         a call 1
         b call 1
         d call 1
         = completed: a completed, b completed, c completed, d completed",
    );
}

#[test]
fn a_false_condition_skips_and_lets_those_behind_it_run() {
    check(
        "steps:
           - {id: a, run: x, if: false}
           - {id: b, run: x, needs: a}",
        "launch; ended b ok",
        "a skipped: condition
         b call 1
         = completed: a skipped, b completed",
    );
}

#[test]
fn what_can_never_run_any_more_is_skipped_at_once_and_all_the_way_down() {
    check(
        "on-failure: continue
         steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}
           - {id: c, run: x, needs: b}
           - {id: d, run: x}",
        "launch; ended a fail",
        "a failed
         b skipped: need a
         c skipped: need b
         no d skipped
         = running: a failed, b skipped, c skipped, d running",
    );
}

#[test]
fn conditions_read_the_outputs_of_what_they_need() {
    check(
        "steps:
           - {id: a, run: x, outputs: {go: string}}
           - {id: b, run: x, needs: a, if: \"steps.a.outputs.go == 'yes'\"}
           - {id: c, run: x, needs: a, if: \"steps.a.outputs.go == 'no'\"}",
        "launch; ended a ok go=yes; ended b ok",
        "c skipped: condition
         = completed: a completed, b completed, c skipped",
    );
}

#[test]
fn failure_runs_only_when_something_above_it_failed() {
    let file = "steps:
           - {id: a, run: x}
           - {id: mend, run: x, needs: a, if: failure()}";
    check(file, "launch; ended a ok", "mend skipped: condition\n = completed: a completed, mend skipped");
    check(
        file,
        "launch; ended a fail; ended mend ok",
        "r-1 stopping because of a
         mend call 1
         = failed: a failed, mend completed",
    );
}

#[test]
fn failure_sees_a_failure_further_up() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}
           - {id: mend, run: x, needs: b, if: failure()}",
        "launch; ended a fail; ended mend ok",
        "b skipped
         mend call 1
         = failed: a failed, b skipped, mend completed",
    );
}

#[test]
fn always_runs_after_a_stop_and_after_a_cancel() {
    let file = "steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}
           - {id: tidy, run: x, needs: b, if: always()}";
    check(file, "launch; ended a fail; ended tidy ok", "= failed: a failed, b skipped, tidy completed");
    check(
        file,
        "launch; cancel; ended a fail; ended tidy ok",
        "r-1 cancelling
         a cancelled: run cancelled
         tidy call 1
         = cancelled: a cancelled, b skipped, tidy completed",
    );
}

#[test]
fn cancelled_runs_only_after_a_cancel() {
    let file = "steps:
           - {id: a, run: x}
           - {id: note, run: x, needs: a, if: cancelled()}";
    check(file, "launch; ended a ok", "note skipped: condition\n = completed: a completed, note skipped");
    check(file, "launch; cancel; ended a fail; ended note ok", "= cancelled: a cancelled, note completed");
}

#[test]
fn a_more_urgent_step_takes_the_slot_that_its_elder_leaves() {
    check(
        "max-parallel: 1
         steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}
           - {id: c, run: x, needs: a, priority: 5}
           - {id: d, run: x, priority: -1}",
        "launch; ended a ok",
        "c call 1
         = running: a completed, b ready, c running, d ready",
    );
}

#[test]
fn on_error_continue_lets_dependents_decide_by_their_if() {
    check(
        "steps:
           - {id: a, run: x, on-error: continue}
           - {id: b, run: x, needs: a}
           - {id: c, run: x, needs: a, if: \"steps.a.result == 'failure' && always()\"}",
        "launch; ended a fail; ended c ok",
        "no stopping
         b skipped: need a
         = partially-completed: a failed, b skipped, c completed",
    );
}

#[test]
fn on_error_skip_is_seen_as_skipped_and_the_run_goes_on() {
    check(
        "steps:
           - {id: a, run: x, on-error: skip}
           - {id: b, run: x, needs: a}",
        "launch; ended a fail; ended b ok",
        "a skipped: failed agent_logic
         b call 1
         = partially-completed: a skipped, b completed",
    );
}

#[test]
fn a_condition_that_cannot_be_decided_fails_its_step() {
    check(
        "steps:
           - {id: a, run: x, outputs: {list: any}}
           - {id: b, run: x, needs: a, if: \"fromJSON(steps.a.outputs.list)\"}",
        "launch; ended a ok list=[",
        "b failed user_invalid_input: its `if` could not be decided
         = failed: a completed, b failed",
    );
}

#[test]
fn hashes_of_files_are_asked_for_and_then_used() {
    check(
        "steps:
           - {id: a, run: x, if: \"hashFiles('*.lock') == 'abc'\"}
           - {id: b, run: x, env: {KEY: \"${{ hashFiles('src/**') }}\"}}",
        "launch; facts a abc; facts b def; ended a ok; ended b ok",
        "a asks for files [] hashes [[\"*.lock\"]]
         b asks for files [] hashes [[\"src/**\"]]
         a call 1
         b call 1
         = completed: a completed, b completed",
    );
}

#[test]
fn a_fallback_that_hashes_files_has_them_before_the_step_begins() {
    check(
        "steps:
           - {id: a, run: x, fallback: [{run: 'echo ${{ hashFiles(''a'') }}'}]}",
        "launch; facts a abc; ended a fail; ended a ok",
        "a asks for files
         a call 1
         a call 2 fallback 1
         a completed by fallback 1
         = completed: a completed",
    );
}

#[test]
fn a_partial_result_counts_as_done_and_shows() {
    check(
        "steps:
           - {id: a, run: x}
           - {id: b, run: x, needs: a}",
        "launch; ended a ok status=partial; ended b ok",
        "a partly done 0.80
         b call 1
         = partially-completed: a partial, b completed",
    );
}

#[test]
fn confidence_below_its_least_fails_gates_or_warns() {
    let file = |below: &str| {
        format!(
            "steps:\n  - {{id: a, run: x, outputs: {{score: number}}, confidence: {{from: score, min: 0.7, below: {below}}}}}"
        )
    };
    check(&file("fail"), "launch; ended a ok score=0.5", "a failed agent_validation\n = failed: a failed");
    check(&file("warn"), "launch; ended a ok score=0.5", "a completed 0.50\n = completed: a completed");
    check(&file("fail"), "launch; ended a ok score=0.7", "a completed 0.70\n = completed: a completed");
    check(
        &file("gate"),
        "launch; ended a ok score=0.5; ann approves",
        "g-1 asked 1
         a waits for g-1
         g-1 approved by people
         a completed 0.50
         = completed: a completed",
    );
    check(
        &file("gate"),
        "launch; ended a ok score=0.5; ann rejects : not good",
        "g-1 rejected
         a failed agent_validation: its result was not accepted: ann rejected it: not good
         = failed: a failed",
    );
}

#[test]
fn confidence_is_watched_in_copies_of_a_computed_matrix_too() {
    check(
        "steps:
           - {id: a, run: x, outputs: {m: any}}
           - {id: b, needs: a, run: x, outputs: {score: number}, matrix: \"${{ fromJSON(steps.a.outputs.m) }}\", confidence: {from: score, min: 0.7, below: gate}}",
        "launch; ended a ok m={\"k\":[1]}; ended b[1] ok score=0.1; ann approves",
        "g-1 asked
         b[1] completed 0.10
         = completed: a completed, b completed, b[1] completed",
    );
}

#[test]
fn declared_outputs_are_typed_and_missing_ones_break_the_contract() {
    let file = "steps:\n  - {id: a, run: x, outputs: {n: integer, s: string}}";
    check(
        file,
        "launch; ended a ok n=5 s=7",
        "a completed 0.80 {\"n\":5,\"s\":\"7\"}\n = completed: a completed",
    );
    check(file, "launch; ended a ok s=x", "a failed agent_contract: did not write its declared output `n`");
    check(file, "launch; ended a ok n=1.5 s=x", "a failed agent_contract: wrote output `n` as");
}

#[test]
fn skipping_by_hand_ends_the_call_first_and_what_needs_it_begins_after_that() {
    let file = "steps:
           - {id: a, run: x, retry: {max-attempts: 3, delay: 1s}, undo: ua}
           - {id: b, run: x, needs: a}";
    check(file, "launch; skip a; skip a", "a ending: by req\n no b call\n = running: a running, b pending");
    check(
        file,
        "launch; skip a; ended a fail user_cancelled; ended b ok",
        "a ending: by req
         a call 1 ended user_cancelled
         a skipped: by req
         b call 1
         no a call 2
         = completed: a skipped, b completed",
    );
    // The process that was to end it dies first.
    check(
        file,
        "launch; skip a; crash; ended b ok",
        "a call 1 lost\n a skipped: by req\n b call 1\n no doubt",
    );
}

#[test]
fn what_is_done_before_it_could_be_skipped_is_done() {
    let file = "steps:
           - {id: a, run: x, outputs: {n: integer}, undo: ua}
           - {id: b, run: x, needs: a}";
    check(
        file,
        "launch; skip a; ended a ok n=1; ended b ok",
        "a completed\n b call 1\n = completed: a completed, b completed",
    );
    // It is skipped where its result is not good enough, and undone, because it has happened.
    check(
        file,
        "launch; skip a; ended a ok; ended b ok; undo; ended a ok",
        "a skipped: by req\n b call 1\n a undo done\n = undone: a undone, b completed",
    );
}

#[test]
fn a_failed_step_can_be_completed_by_hand_and_the_retry_keeps_it() {
    check(
        "steps:
           - {id: a, run: x, outputs: {v: any}}
           - {id: b, run: x, needs: a, env: {V: \"${{ steps.a.outputs.v }}\"}}",
        "launch; ended a fail; done a v=9; retry failed; ended b ok",
        "r-1 ended failed
         a done by req {\"v\":9}
         r-2 a completed (kept)
         r-2 b call 1
         = completed: a completed, b completed",
    );
}

#[test]
fn a_running_step_cannot_be_completed_by_hand() {
    check(
        "steps:\n  - {id: a, run: x}",
        "launch; done a",
        "! could not complete step a of r-1 by hand: it is running",
    );
}

#[test]
fn secrets_stay_names_in_the_launch() {
    let bench = play(
        "secrets: [TOKEN]
         steps:
           - {id: a, run: x, env: {T: \"${{ secrets.TOKEN }}\"}}",
        "launch",
    );
    let launch = bench.launch_of("a");
    assert_eq!(launch.secret_names().into_iter().collect::<Vec<_>>(), ["TOKEN"]);
    assert_eq!(launch.env.len(), 1);
}

#[test]
fn a_value_reaches_a_script_as_a_variable_and_never_as_text() {
    let bench = play(
        "steps:
           - {id: a, run: x, outputs: {v: any}}
           - {id: b, needs: a, run: \"echo ${{ steps.a.outputs.v }}\"}",
        "launch; ended a ok v=$(rm)",
    );
    let launch = bench.launch_of("b");
    let script = launch.argv.last().expect("a script");
    assert!(!script.contains("rm"), "{script}");
    assert!(launch.env.iter().any(|(_, parts)| format!("{parts:?}").contains("rm")), "{launch:?}");
}

#[test]
fn a_value_with_a_nul_byte_fails_its_step() {
    check(
        "steps:
           - {id: a, run: x, outputs: {v: any}}
           - {id: b, needs: a, run: x, env: {V: \"${{ steps.a.outputs.v }}\"}}",
        "launch; ended a ok v=x\0y",
        "b failed user_invalid_input: the value of V holds a NUL byte",
    );
}

#[test]
fn a_wait_waits_its_time_and_holds_no_slot() {
    check(
        "max-parallel: 1
         steps:
           - {id: w, wait: 10s}
           - {id: a, run: x}",
        "launch; wake 9s; ended a ok; wake 1s",
        "w waits 10s
         a call 1
         a completed
         w completed
         = completed: w completed, a completed",
    );
}

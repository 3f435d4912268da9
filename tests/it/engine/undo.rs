//! Undo: what was done is taken back in reverse order of completion (`semantics.md` 4).

use super::door::{check, play};

const SAGA: &str = "on-failure: compensate
    steps:
      - {id: a, run: x, undo: ua}
      - {id: b, run: x, undo: ub}
      - {id: c, run: x}
      - {id: d, run: x, needs: [a, b, c], undo: ud}";
const FAILED: &str = "launch; ended b ok; ended c ok; ended a ok; ended d fail;";

#[test]
fn what_was_done_is_undone_the_newest_first_and_side_by_side_where_nothing_depends_on_it() {
    check(
        SAGA,
        &format!("{FAILED} ended b ok; ended a ok"),
        "r-1 stopping because of d, compensates
         r-1 compensating
         a undo asked
         a call 2 undo
         b undo asked
         b call 2 undo
         b undo done
         a undo done
         r-1 ended undone
         no d undo asked
         = undone: a undone, b undone, c completed, d failed",
    );
}

#[test]
fn what_came_after_a_step_is_undone_before_it() {
    // By needs, also of steps that have nothing to undo themselves.
    check(
        "on-failure: compensate
         steps:
           - {id: a, run: x, undo: ua}
           - {id: b, run: x, needs: a}
           - {id: c, run: x, needs: b, undo: uc}
           - {id: d, run: x, needs: c}",
        "launch; ended a ok; ended b ok; ended c ok; ended d fail; ended c ok; ended a ok",
        "c undo asked\n c undo done\n a undo asked\n a undo done\n r-1 ended undone",
    );
    // By frames: what needs a matrix came after each of its copies, and they after what the matrix needs.
    check(
        "steps:
           - {id: a, run: x, undo: ua}
           - {id: m, needs: a, run: x, undo: um, matrix: {k: [a, b]}}
           - {id: z, needs: m, run: x, undo: uz}",
        "launch; ended a ok; ended m[a] ok; ended m[b] ok; ended z ok; undo; ended z ok; ended m[a] ok; ended m[b] ok; ended a ok",
        "z undo asked
         z undo done
         m[b] undo asked
         m[a] undo asked
         m[a] undo done
         m[b] undo done
         a undo asked
         = undone: a undone, m completed, m[a] undone, m[b] undone, z undone",
    );
}

#[test]
fn what_was_completed_by_hand_late_is_undone_after_what_needed_it() {
    check(
        "steps:
           - {id: a, run: x, undo: ua, on-error: continue}
           - {id: b, run: x, undo: ub, needs: a, if: always()}",
        "launch; ended a fail; ended b ok; done a; undo; ended b ok; ended a ok",
        "a done by req
         r-1 compensating
         b undo asked
         b undo done
         a undo asked
         = undone: a undone, b undone",
    );
}

#[test]
fn no_more_is_undone_at_once_than_may_run_at_once() {
    check(
        "max-parallel: 1
         steps:
           - {id: a, run: x, undo: ua}
           - {id: b, run: x, undo: ub}
           - {id: c, run: x, undo: uc, on-error: continue}",
        "launch; ended a ok; ended b ok; ended c fail; undo; ended b ok; ended a ok",
        "b undo asked\n b undo done\n a undo asked\n a undo done\n r-1 ended undone",
    );
    check(
        "steps:\n  - {id: m, run: x, undo: um, matrix: {k: [a, b], max-parallel: 1}}",
        "launch; ended m[a] ok; ended m[b] ok; undo; ended m[b] ok; ended m[a] ok",
        "m[b] undo asked\n m[b] undo done\n m[a] undo asked\n m[a] undo done\n r-1 ended undone",
    );
}

#[test]
fn what_a_stuck_undo_needs_waits_for_it() {
    let chain = "on-failure: compensate
         steps:
           - {id: a, run: x, undo: ua}
           - {id: b, run: x, needs: a, undo: ub}
           - {id: d, run: x, needs: b}";
    let stuck = "launch; ended a ok; ended b ok; ended d fail; ended b fail; wake 2s; ended b fail; wake 3s; ended b fail";
    check(chain, stuck, "b undo stuck\n no a undo\n = running: a completed, b undoing, d failed");
    check(
        chain,
        &format!("{stuck}; give-up b; ended a ok"),
        "b undo done by hand\n a undo asked\n a undo done",
    );
}

#[test]
fn nothing_is_completed_by_hand_while_a_run_is_undone() {
    check(
        SAGA,
        &format!("{FAILED} done d"),
        "! could not complete d by hand in r-1: it undoes its steps; wait until that has ended",
    );
}

#[test]
fn a_failing_undo_is_tried_again_then_stuck_and_the_others_still_run() {
    check(
        SAGA,
        &format!(
            "{FAILED} ended a fail; wake 2s; ended a fail; wake 3s; ended a fail; ended b ok; again a; ended a ok"
        ),
        "a call 2 ended agent_logic, again in
         a call 3 undo
         a call 4 undo
         a undo stuck
         b undo done
         a undo again
         a undo done
         r-1 ended undone
         = undone: a undone, b undone, c completed, d failed",
    );
}

#[test]
fn a_stuck_undo_keeps_the_run_open_until_a_person_settles_it() {
    let stuck = format!("{FAILED} ended a fail; wake 2s; ended a fail; wake 3s; ended a fail; ended b ok");
    check(SAGA, &stuck, "no ended undone\n = running: a undoing, b undone, c completed, d failed");
    check(SAGA, &format!("{stuck}; give-up a"), "a undo done by hand\n r-1 ended undone");
}

#[test]
fn a_run_at_rest_can_be_undone_once() {
    check(
        "steps:\n  - {id: a, run: x, undo: y}",
        "launch; ended a ok; undo; ended a ok; undo",
        "r-1 ended completed
         r-1 compensating
         a undo done
         r-1 ended undone
         ! could not undo r-1: no step of it can be undone
         = undone: a undone",
    );
}

#[test]
fn what_may_have_happened_is_undone_too() {
    check(
        "on-failure: compensate
         steps:\n           - {id: a, run: x, undo: y}",
        "launch; crash; abort a; ended a ok",
        "a in doubt
         a failed system_crash
         r-1 compensating
         a undo done
         = undone: a undone",
    );
}

#[test]
fn what_certainly_did_not_happen_is_not_undone() {
    check(
        "on-failure: compensate
         steps:\n           - {id: a, run: x, undo: y}",
        "launch; crash; not-happened a; ended a fail",
        "no undo
         = failed: a failed",
    );
}

#[test]
fn an_undo_in_flight_at_a_crash_is_asked_for_again() {
    check(
        SAGA,
        &format!("{FAILED} crash; ended a ok; ended b ok"),
        "a call 2 undo
         a call 2 lost
         a call 3 undo
         a undo done
         = undone: a undone, b undone, c completed, d failed",
    );
}

#[test]
fn undoing_cannot_be_paused_or_cancelled() {
    check(
        SAGA,
        &format!("{FAILED} pause; cancel"),
        "! could not pause r-1: it undoes its steps\n ! could not cancel r-1: it undoes its steps",
    );
}

#[test]
fn without_anything_to_undo_a_failed_run_is_failed() {
    check(
        "on-failure: compensate\nsteps:\n- {id: a, run: x}",
        "launch; ended a fail",
        "no compensating\n = failed: a failed",
    );
}

#[test]
fn a_retried_run_undoes_what_it_kept_in_the_order_it_was_done() {
    check(
        "on-failure: compensate
         steps:
           - {id: a, run: x, undo: ua}
           - {id: b, run: x, undo: ub}
           - {id: d, run: x, needs: [a, b]}",
        "launch; ended b ok; ended a ok; cancel; ended d fail; retry failed; ended d fail; ended a ok; ended b ok",
        "r-2 b completed (kept)
         r-2 a completed (kept)
         r-2 a undo done
         r-2 b undo done
         = undone: a undone, b undone, d failed",
    );
}

/// A step that uses a tool which says how a call of it is taken back, and one that sets the value it was given anew.
fn shipped(undo: &str) -> String {
    format!(
        "on-failure: compensate
         steps:
           - {{id: first, set: {{values: {{release: one}}}}}}
           - {{id: ship, needs: first, uses: ship@1, with: {{release: '${{{{ vars.release }}}}'}}}}
           - {{id: then, needs: ship, if: always(), set: {{values: {{release: two}}}}}}
           - {{id: last, needs: then, run: x}}
--- tools/ship.yaml
name: ship
version: 1
description: Ships
risk: externally-reversible
input: {{type: object, required: [release], properties: {{release: {{type: string}}, count: {{type: integer, default: 2}}}}}}
output: {{type: object, properties: {{ticket: {{type: string}}}}}}
command: [ship, '${{{{ input.release }}}}']
undo: {undo}
"
    )
}

const BOTH: &str = "[unship, '${{ input.release }}', '${{ input.count }}', '/srv/${{ output.ticket }}']";

#[test]
fn an_undo_of_a_tool_is_told_what_its_call_was_given_and_not_what_its_words_mean_by_now() {
    let file = shipped(BOTH);
    let bench = play(&file, "launch; ended ship ok ticket=t7; ended last fail; ended ship ok");
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one", "2", "/srv/t7"], "{}", bench.text());
    // Nor what they mean in a run that took its result over.
    let again = "launch; ended ship ok ticket=t7; cancel; ended last fail; retry failed; ended last fail";
    let bench = play(&file, again);
    assert!(bench.text().contains("r-2 ship completed (kept)"), "{}", bench.text());
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one", "2", "/srv/t7"], "{}", bench.text());
}

#[test]
fn an_undo_of_a_tool_that_reads_what_nobody_knows_is_stuck_for_a_person_and_nothing_is_called() {
    check(
        &shipped(BOTH),
        "launch; crash; abort ship; give-up ship",
        "ship in doubt
         ship undo asked
         ship undo stuck
         ship undo done by hand
         no call 2 undo
         r-1 ended undone",
    );
    let bench = play(&shipped(BOTH), "launch; crash; abort ship");
    assert_eq!(bench.launch_of("ship").argv, ["ship", "one"], "{}", bench.text());
    // A script reads in its variables.
    let script = "|\n  rm -rf \"/srv/${{ output.ticket }}\"";
    let bench = play(&shipped(script), "launch; crash; abort ship");
    assert!(bench.text().contains("ship undo stuck"), "{}", bench.text());
    // What is known is taken back: what it was given, …
    let given = "[unship, '${{ input.release }}']";
    let bench = play(&shipped(given), "launch; crash; abort ship");
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one"], "{}", bench.text());
    // … and also what it gave, where somebody has said it.
    let bench = play(&shipped(BOTH), "launch; crash; happened ship ticket=t8; ended last fail");
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one", "2", "/srv/t8"], "{}", bench.text());
}

#[test]
fn a_call_that_was_sent_back_and_is_not_done_again_is_taken_back_with_what_it_was_given_and_gave() {
    let file = shipped(BOTH)
        .replace("last, needs: then, run: x", "last, needs: then, gate: {prompt: go?, send-back: ship}");
    let sent_back = "launch; ended ship ok ticket=t7; ann sends-back : no;";
    let bench = play(&file, &format!("{sent_back} ended ship#2 fail"));
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one", "2", "/srv/t7"], "{}", bench.text());
    let bench = play(&file, &format!("{sent_back} ended ship#2 ok ticket=t8; cancel undo"));
    assert_eq!(bench.launch_of("ship").argv, ["unship", "two", "2", "/srv/t8"], "{}", bench.text());
    // What was done by hand is taken back by what its words mean, whatever was called after it.
    let waits =
        file.replace("set: {values: {release: one}}", "run: x").replace("'${{ vars.release }}'", "three");
    let by_hand =
        "launch; pause; ended first ok; done ship ticket=t7; resume; ann sends-back : no; ended ship fail";
    let bench = play(&waits, by_hand);
    assert!(bench.text().contains("ship call 2 undo"), "{}", bench.text());
    assert_eq!(bench.launch_of("ship").argv, ["unship", "three", "2", "/srv/t7"], "{}", bench.text());
    // What has happened while it was being ended counts as done.
    let bench = play(&file, &format!("{sent_back} cancel undo; ended ship#2 ok ticket=t8"));
    assert_eq!(bench.launch_of("ship").argv, ["unship", "two", "2", "/srv/t8"], "{}", bench.text());
    // What may have happened with another input is for a person.
    check(
        &file,
        &format!("{sent_back} crash; abort ship"),
        "ship in doubt\n ship undo stuck\n no call 3 undo",
    );
}

#[test]
fn a_call_that_ended_well_while_it_was_being_ended_is_taken_back_with_what_it_gave() {
    let bench = play(&shipped(BOTH), "launch; cancel undo; ended ship ok ticket=t9");
    assert_eq!(bench.launch_of("ship").argv, ["unship", "one", "2", "/srv/t9"], "{}", bench.text());
}

#[test]
fn a_run_is_not_undone_under_a_retry_that_stands_on_its_results() {
    let file = "steps:
           - {id: a, run: x, undo: ua}
           - {id: g, needs: a, gate: {prompt: go?, undo-window: 0s}}
           - {id: q, needs: g, run: x, effect: idempotent}
           - {id: z, needs: q, run: x}";
    let first = "launch; ended a ok; ann approves; ended q fail;";
    let why = "r-2 is a retry that stands on the same results; end r-2 first (`cuelight cancel r-2`)";
    check(
        file,
        &format!("{first} retry failed; run r-1; undo; run r-2; ended q ok; ended z ok; run r-1; undo"),
        &format!("! could not undo r-1: {why}\n r-2 ended completed\n r-1 compensating\n a undo asked"),
    );
    // Over another retry, and under one that was made beside it.
    let other = why.replace("r-2", "r-3");
    check(
        file,
        &format!("{first} retry failed; ended q fail; retry failed; run r-1; undo; run r-2; undo"),
        &format!("! could not undo r-1: {other}\n ! could not undo r-2: {other}\n no undo asked"),
    );
    check(
        file,
        &format!("{first} retry failed; run r-1; retry failed; run r-2; cancel undo; cancel"),
        &format!("! could not cancel r-2: {other}\n r-2 cancelling\n no undo asked"),
    );
    // One that keeps nothing of it stands on nothing.
    check(file, &format!("{first} retry all; run r-1; undo"), "a undo asked");
}

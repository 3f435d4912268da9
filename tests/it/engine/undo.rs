//! Undo: what was done is taken back in reverse order of completion (`semantics.md` 4).

use super::door::check;

const SAGA: &str = "on-failure: compensate
    steps:
      - {id: a, run: x, undo: ua}
      - {id: b, run: x, undo: ub}
      - {id: c, run: x}
      - {id: d, run: x, needs: [a, b, c], undo: ud}";
const FAILED: &str = "launch; ended b ok; ended c ok; ended a ok; ended d fail;";

#[test]
fn what_was_done_is_undone_in_reverse_order_of_completion() {
    check(
        SAGA,
        &format!("{FAILED} ended a ok; ended b ok"),
        "r-1 stopping because of d, compensates
         r-1 compensating
         a undo asked
         a call 2 undo
         a undo done
         b undo asked
         b undo done
         r-1 ended undone
         no d undo asked
         = undone: a undone, b undone, c completed, d failed",
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
         b undo asked
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
         ! could not do that here: r-1 has done nothing that can be undone
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
        "! could not do that here: r-1 is undoing\n ! could not do that here: r-1 is undoing",
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

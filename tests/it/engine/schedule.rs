//! Schedules on hold: time starts nothing of a workflow that somebody holds, whatever engine asks.

use super::door::{check, play};
use cuelight_base::Actor;
use cuelight_engine::{CauseOfLaunch, Command, Launching};

const FILE: &str = "steps:\n- {id: a, run: x}";

#[test]
fn a_schedule_is_held_once_with_a_reason_and_released_once() {
    check(
        FILE,
        "hold nightly; hold nightly; crash; release nightly; release nightly",
        "nightly held
         ! could not hold the schedule of nightly: req holds it already; see `cuelight schedule`
         nightly released
         ! could not release the schedule of nightly: it is not on hold; see `cuelight schedule`",
    );
}

#[test]
fn what_is_on_hold_is_started_by_people_and_not_by_time() {
    let mut bench = play(FILE, "hold t; launch");
    assert!(bench.text().contains("r-1 a") || bench.text().contains("a call 1"), "{}", bench.text());
    let plan = super::door::plan(FILE);
    let launching = Launching {
        plan,
        by: Actor::engine(),
        seed: 1,
        cause: CauseOfLaunch::Schedule(bench.now),
        trace: "trace".to_owned(),
        request: None,
    };
    bench.submit(Command::Launch(Box::new(launching)));
    assert!(bench.text().ends_with("! could not start the schedule of t: req holds it"), "{}", bench.text());
}

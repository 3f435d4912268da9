//! The child that a guard starts ahead of the next step that ends with its console: it becomes that step whole, nobody takes it for anything
//! else meanwhile, and it outlives neither its guard nor its use.

use crate::{
    guard::with,
    program::{Place, pause, tell, until},
};
use rustix::process::{Pid, Signal};
use std::{fs, time::Duration};

/// Process ids of the children that wait below a guard.
fn waiting(guard: Pid) -> Vec<i32> {
    with(&format!("guard-launch\0{}\0ahead\0", guard.as_raw_nonzero()))
}

/// The one that waits below it.
fn one_waits(guard: Pid) -> i32 {
    until("one waits", || waiting(guard).len() == 1);
    waiting(guard)[0]
}

#[test]
fn the_next_step_that_ends_with_its_console_is_begun_by_a_child_that_waited_for_it() {
    let place = Place::new();
    let step = |id: &str, needs: &str| {
        format!(
            "  - id: {id}\n    needs: {needs}\n    on-console-death: kill\n    working-directory: sub\n    env: {{WORD: 'of {id}'}}\n    \
             run: |\n      echo $$ > ../{id}.new; mv ../{id}.new ../{id}; pwd; echo \"$WORD\"; echo \"$WORD\" >&2; cat\n      \
             until [ -e ../after-{id} ]; do sleep 0.02; done\n"
        )
    };
    fs::create_dir(place.file("sub")).expect("made");
    let steps = [step("one", "[]"), step("two", "one"), step("three", "two"), step("four", "three")].concat();
    place.write("w.yaml", &format!("name: w\nsteps:\n{steps}"));
    let console = place.start(&["run", "w.yaml", "--headless"]);
    let began = |id: &str| {
        until(id, || place.file(id).exists());
        place.text(id).trim().parse::<i32>().expect("a number")
    };
    began("one");
    let guard = place.guards()[0];
    let ahead = one_waits(guard);
    // Long enough for several looks at all that is below the guard.
    pause(Duration::from_millis(500));
    let said = place.cue(&["doctor"]).out;
    assert!(said.contains("with 1 program") && !said.contains("no step is known"), "{said}");
    place.write("after-one", "");
    assert_eq!(began("two"), ahead, "it has become the step");
    until("its output is there", || place.cue(&["logs", "r-1", "two"]).out.matches("of two").count() == 2);
    let logs = place.cue(&["logs", "r-1", "two"]).out;
    assert!(logs.contains(&place.file("sub").canonicalize().expect("there").display().to_string()), "{logs}");

    // One that is dead when it is needed is not missed.
    let ahead = one_waits(guard);
    tell(Pid::from_raw(ahead).expect("a process"), Signal::KILL);
    place.write("after-two", "");
    assert_ne!(began("three"), ahead);
    place.write("after-three", "");
    began("four");
    one_waits(guard);
    tell(guard, Signal::KILL);
    until("it is gone with its guard", || waiting(guard).is_empty());
    console.signal(Signal::KILL);
    drop(console.end());

    // A run of which nothing is left leaves nothing.
    place.write("after-four", "");
    place.write("v.yaml", "name: v\nsteps:\n  - {id: s, on-console-death: kill, run: 'true'}\n");
    let other = Place::new();
    other.write("v.yaml", &place.text("v.yaml"));
    assert_eq!(other.cue(&["run", "v.yaml", "--headless"]).code, 0);
    until("the guard has left", || other.guards().is_empty());
    let marked = other.path().display().to_string();
    until("and so has what waited for it", || with(&marked).is_empty());
}

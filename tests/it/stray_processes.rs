//! Hostile processes below a guard: one that hides its owner and leaves its step at once, and one that claims
//! to belong to another step. Others connect to a guard, from below it and from another pid namespace.

use crate::{
    guard::{file, frame, hello, with},
    program::{Place, Running, bounded, tell, until, until_else},
};
use rustix::process::{Pid, Signal};
use std::{
    env, fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

/// The processes of which this tells that no step is known to have started them.
fn told(text: &str) -> Vec<i32> {
    let named = text.split("no step is known to have started").nth(1).unwrap_or_default();
    named.split("process ").skip(1).filter_map(|part| part.split(')').next()?.parse().ok()).collect()
}

#[test]
fn what_hides_and_leaves_its_step_is_told_of_by_name_and_ended_when_no_step_runs_that_may_have_started_it() {
    let place = Place::new();
    let number = format!("{}", 900_000_000 + std::process::id());
    // Several, since one may be seen on its way out and is then known; the last of them does not end when it is asked.
    place.write(
        "w.yaml",
        &format!(
            "name: w\nmax-parallel: 2\nsteps:\n  - id: leaves\n    run: |\n      \
             for i in 1 2 3 4 5 6; do (env -i setsid sleep {number} &); done\n      \
             (env -i setsid sh -c 'trap \"\" TERM; while :; do sleep {number}; done' &)\n  \
             - {{id: waits, run: 'until [ -e go ]; do sleep 0.02; done'}}\n"
        ),
    );
    let console = place.start(&["run", "w.yaml", "--headless"]);
    let doctor = || place.cue(&["doctor"]).out;
    until_else("the doctor tells of them", || !told(&doctor()).is_empty(), doctor);
    let strays = told(&doctor());
    assert!(doctor().contains("sleep (process"), "by name: {}", doctor());
    let health = || place.cue(&["health"]).out;
    until_else(
        "the engine tells of them, too",
        || health().contains("no step is known to have started sleep ("),
        health,
    );
    assert_eq!(place.step("r-1", "leaves")["state"], "completed");
    let living = with(&number);
    assert!(
        strays.iter().all(|stray| living.contains(stray)),
        "one that may have started them runs: {strays:?}"
    );
    place.write("go", "");
    assert_eq!(console.end().code, 0);
    let left = || with(&number).into_iter().filter(|value| strays.contains(value)).count();
    until("they are ended, and the guard leaves after them", || left() == 0 && place.guards().is_empty());
    with(&number).into_iter().filter_map(Pid::from_raw).for_each(|value| tell(value, Signal::KILL));
}

/// Two ways to start the same, side by side and each without a parent at once: as it is, with the variables of its step, and saying
/// with this one that it is somebody else's.
fn orphans(place: &Place, says: &str, honest: &str, liar: &str) -> Running {
    place.write(
        "w.yaml",
        &format!(
            "name: w\nsteps:\n  - id: leaves\n    run: |\n      for i in 1 2 3 4 5 6 7 8 9; do\n        (setsid sleep {honest} &)\n        \
             (env {says} setsid sleep {liar} &)\n      done\n      touch all\n      until [ -e go ]; do sleep 0.02; done\n"
        ),
    );
    place.start(&["run", "w.yaml", "--headless"])
}

#[test]
fn a_mark_of_no_call_of_this_guard_or_of_another_workspace_is_not_believed() {
    for (at, says) in
        ["CUELIGHT_ATTEMPT=x", "CUELIGHT_OUTPUT=/elsewhere/.cuelight/scratch/1"].iter().enumerate()
    {
        let place = Place::new();
        let number =
            |which: usize| format!("{}", 910_000_000 + std::process::id() as usize * 10 + at * 2 + which);
        let (honest, liar) = (number(0), number(1));
        let console = orphans(&place, says, &honest, &liar);
        let doctor = || place.cue(&["doctor"]).out;
        until("all have begun", || place.file("all").exists() && with(&honest).len() > 9);
        until_else("the doctor tells of them", || !told(&doctor()).is_empty(), doctor);
        // Twice as long as it takes to tell of one: those that are not told of by now are known.
        let looks = (0..8).map(|_| doctor()).collect::<Vec<_>>();
        let strays = told(looks.last().expect("some"));
        let (honest_ones, liars) = (with(&honest), with(&liar));
        assert!(
            !strays.is_empty() && strays.iter().all(|stray| liars.contains(stray)),
            "{says}: {strays:?} of {liars:?}"
        );
        for look in &looks {
            let wrong: Vec<i32> =
                told(look).into_iter().filter(|number| honest_ones.contains(number)).collect();
            assert!(
                wrong.is_empty(),
                "what says the truth is the step's, though its parent is dead: {wrong:?}"
            );
        }
        place.write("go", "");
        assert_eq!(console.end().code, 0);
        let left = || with(&liar).into_iter().filter(|value| strays.contains(value)).count();
        until("they are ended", || left() == 0 && place.guards().is_empty());
        for one in [&honest, &liar] {
            with(one).into_iter().filter_map(Pid::from_raw).for_each(|value| tell(value, Signal::KILL));
        }
    }
}

#[test]
fn what_says_it_is_nobodys_or_another_steps_stays_with_the_step_that_is_its_parent() {
    let place = Place::new();
    let number = |at: usize| format!("{}", 920_000_000 + std::process::id() as usize * 10 + at);
    let (of_nobody, of_other) = (number(0), number(1));
    place.write(
        "w.yaml",
        &format!(
            "name: w\nmax-parallel: 3\nsteps:\n  \
             - id: other\n    on-error: continue\n    run: |\n      echo $CUELIGHT_ATTEMPT > mark.new; mv mark.new mark\n      \
             sleep 600\n    timeout: 6s\n  \
             - id: lies\n    run: |\n      until [ -e mark ]; do sleep 0.02; done\n      \
             CUELIGHT_ATTEMPT=x setsid sleep {of_nobody} &\n      \
             CUELIGHT_ATTEMPT=$(cat mark) setsid sleep {of_other} &\n      wait\n  \
             - id: many\n    on-error: continue\n    limits: {{processes: 40}}\n    \
             run: 'for i in {{1..60}}; do CUELIGHT_ATTEMPT=x setsid sleep 5 & done; wait'\n"
        ),
    );
    let console = place.start(&["run", "w.yaml", "--headless"]);
    let run = || (with(&of_nobody).len(), with(&of_other).len());
    // Each beside the shell that has started it, whose words hold both numbers.
    until("both run", || run() == (2, 2));
    until("the other is ended", || place.step("r-1", "other")["state"] == "failed");
    assert_eq!(run(), (2, 2), "what another step has started is untouched, whatever it says");
    until("its processes were counted", || place.step("r-1", "many")["state"] == "failed");
    let many = place.step("r-1", "many").to_string();
    assert!(many.contains("started too many processes: limit 40; "), "{many}");
    place.cue(&["cancel", "r-1", "--reason", "enough"]).ok();
    until("it is cancelled", || place.state("r-1") == "cancelled");
    assert_eq!(run(), (0, 0), "what it has started went with it");
    drop(console.end());
}

/// No test, but what a step runs that takes itself for the owner of its guard.
#[test]
fn a_program_that_knocks_where_it_is_told_to() {
    let Ok(at) = env::var("KNOCK_AT") else { return };
    let mut line = UnixStream::connect(at).expect("it listens");
    line.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    drop(line.write_all(&frame(&hello(3, env!("CARGO_PKG_VERSION"), 99))));
    let mut heard = vec![0; 4096];
    let length = line.read(&mut heard).unwrap_or(0);
    println!("heard: {}", String::from_utf8_lossy(&heard[..length]));
}

#[test]
fn a_guard_does_not_serve_what_runs_below_it() {
    let place = Place::new();
    let us = env::current_exe().expect("this test").display().to_string();
    let socket = place.file(".cuelight/guard/1-0.sock").display().to_string();
    let knock = format!(
        "KNOCK_AT={socket} {us} --exact stray_processes::a_program_that_knocks_where_it_is_told_to --nocapture"
    );
    // As it is, from a child that has left its step, and from one whose parent is dead.
    place.write(
        "w.yaml",
        &format!(
            "name: w\nsteps:\n  - id: knocks\n    run: |\n      {knock} > plain 2>&1\n      setsid -w env {knock} > session 2>&1\n      \
             (setsid env {knock} > orphan 2>&1; echo > done) &\n      until [ -e done ]; do sleep 0.02; done\n      \
             until [ -e go ]; do sleep 0.02; done\n      echo > ended\n"
        ),
    );
    let console = place.start(&["run", "w.yaml", "--headless"]);
    until("all have knocked", || place.file("done").exists());
    let heard = |name: &str| fs::read_to_string(place.file(name)).unwrap_or_default();
    for name in ["plain", "session", "orphan"] {
        let heard = heard(name);
        assert!(
            heard.contains("does not serve what runs below it") && !heard.contains("welcome"),
            "{name}: {heard}"
        );
    }
    // The same words from outside are heard.
    let mut line = UnixStream::connect(file(&place, "sock")).expect("it listens");
    line.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    line.write_all(&frame(&hello(3, env!("CARGO_PKG_VERSION"), 99))).expect("sent");
    let mut heard = vec![0; 4096];
    let length = line.read(&mut heard).expect("an answer");
    assert!(String::from_utf8_lossy(&heard[..length]).contains("welcome"));
    place.write("go", "");
    // Else the directory may be gone before it has looked, and it would look for ever.
    until("it has seen that it may end", || place.file("ended").exists());
    console.signal(Signal::KILL);
    drop((console.end(), line));
}

/// An engine outside of a container and a guard inside of it share a workspace: neither finds the processes of the other.
#[test]
fn a_guard_does_not_serve_who_is_in_another_pid_namespace_and_says_so() {
    let place = Place::new();
    let alone = ["unshare", "-rpf", "--mount-proc"];
    let tried = bounded(&mut place.foreign(alone[0], &[alone[1], alone[2], "true"]));
    if tried.code != 0 {
        println!("skipped: could not make a pid namespace ({}): {}", alone.join(" "), tried.err.trim());
        return;
    }
    place.write("w.yaml", "name: w\nsteps:\n  - {id: waits, run: 'until [ -e go ]; do sleep 0.02; done'}\n");
    let console = place.start_under(&alone, &["run", "w.yaml", "--headless"]);
    let socket = place.file(".cuelight/guard/1-0.sock");
    until("its guard listens", || socket.exists());
    let mut heard = String::new();
    until("it answers", || {
        let Ok(mut line) = UnixStream::connect(&socket) else { return false };
        line.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        drop(line.write_all(&frame(&hello(3, env!("CARGO_PKG_VERSION"), 99))));
        let mut bytes = vec![0; 4096];
        let length = line.read(&mut bytes).unwrap_or(0);
        heard = String::from_utf8_lossy(&bytes[..length]).into_owned();
        length > 0
    });
    assert!(heard.contains("another pid namespace") && !heard.contains("welcome"), "{heard}");
    place.write("go", "");
    assert_eq!(console.end().code, 0, "the step was not touched");
}

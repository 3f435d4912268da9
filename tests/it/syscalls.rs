//! Each system call of the engine is a moment at which it may be killed, and at which the disk may refuse. It is killed at, or
//! refused, one call after the other; then an engine takes up what is left, and the outside ledger says whether the
//! promises held. `CUELIGHT_POINTS=100000` takes every call, else an even choice of so many. Needs `strace`.

use crate::ledger::Drill;
use rustix::process::Signal;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// System calls that change something outside, or wait for it: files, the disk, processes, sockets.
const KILLED: &str = "pwrite64,fsync,fdatasync,write,openat,mmap,fcntl,ftruncate,unlink,unlinkat,rename,mkdir,flock,bind,\
                      clone3,vfork,pidfd_open,waitid,wait4,exit_group";

/// System calls that a disk may refuse.
const REFUSED: &str = "pwrite64,fsync,fdatasync,ftruncate";

/// Default number of points per test.
const POINTS: usize = 60;

/// Number of points taken at one time.
const HANDS: usize = 4;

/// Follows all threads and none of the programs that are started, writes to FILE and does what else is said.
const STRACE: [&str; 7] = ["strace", "-f", "-b", "execve", "-qq", "-e", "signal=none"];

/// One call of a system call, counted in each thread from 1: the first thread that comes so far.
#[derive(Clone, Debug)]
struct Point {
    call: String,
    nth: usize,
}

/// Every point of an undisturbed run in a workspace, or an even choice of them. Nothing where `strace` is not, or may not look.
fn points(calls: &str, mut drill: Drill) -> Option<Vec<Point>> {
    if !may_trace() {
        println!("skipped: could not trace a process; install strace (apt-get install strace)");
        return None;
    }
    let trace = drill.place.file("trace").display().to_string();
    let filter = format!("trace={calls}");
    let console = drill.run_under(&[&STRACE[..], &["-o", &trace, "-e", &filter]].concat());
    let said = drill.listen_to_the_end(console);
    assert_eq!(said.code, 0, "{said:?}");
    let most = most_of_a_thread(calls, &drill.place.text("trace"));
    let all: Vec<Point> = most
        .iter()
        .flat_map(|(call, count)| (1..=*count).map(|nth| Point { call: call.clone(), nth }))
        .collect();
    let asked = std::env::var("CUELIGHT_POINTS").ok().and_then(|value| value.parse().ok());
    let wanted = asked.unwrap_or(POINTS).min(all.len());
    let chosen: BTreeSet<usize> = (0..wanted).map(|i| i * all.len() / wanted).collect();
    println!("{} of {} points: {most:?}", chosen.len(), all.len());
    Some(chosen.into_iter().map(|i| all[i].clone()).collect())
}

/// The highest number of each system call that any one thread makes.
fn most_of_a_thread(calls: &str, trace: &str) -> BTreeMap<String, usize> {
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        // Else it is the second half of a call that was told in two.
        if calls.split(',').any(|other| other == call) {
            *of_threads.entry((call, thread)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((call, _), count) in of_threads {
        let number = most.entry(call.to_owned()).or_default();
        *number = count.max(*number);
    }
    most
}

#[expect(clippy::disallowed_methods, reason = "another program is asked for")]
pub(crate) fn may_trace() -> bool {
    let said = Command::new(STRACE[0]).args(&STRACE[1..]).args(["-o", "/dev/null", "true"]).output();
    said.is_ok_and(|output| output.status.success())
}

/// Starts a run to which something happens at a point, and gives the code with which its engine ended.
fn disturbed(drill: &mut Drill, point: &Point, what: &str) -> i32 {
    let trace = format!("trace={}", point.call);
    let inject = format!("inject={}:{what}", point.call);
    let console = drill.run_under(&[&STRACE[..], &["-o", "/dev/null", "-e", &trace, "-e", &inject]].concat());
    drill.listen_to_the_end(console).code
}

/// An operator tries again, and answers what is asked of them: it works, and everything holds.
fn whole_again(drill: &mut Drill, point: &Point) {
    let again = drill.run_under(&[]);
    let said = drill.listen_to_the_end(again);
    assert_eq!(said.code, 0, "after {point:?}: {said:?}");
    drill.come_to_rest();
    drill.check();
}

/// Takes the points, several at a time, since most of that time is waiting.
fn each(points: &[Point], check: impl Fn(&Point) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(point);
                }
            });
        }
    });
}

/// Kills at each point an engine that begins in such a workspace.
fn kill_at_each(begin: fn() -> Drill) {
    let Some(points) = points(KILLED, begin()) else { return };
    let (killed, answers, told) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    each(&points, |point| {
        let mut drill = begin();
        let code = disturbed(&mut drill, point, &format!("signal=KILL:when={}", point.nth));
        assert!([0, 137].contains(&code), "{point:?} ended with {code}");
        killed.fetch_add(usize::from(code == 137), Ordering::Relaxed);
        whole_again(&mut drill, point);
        answers.fetch_add(drill.answers, Ordering::Relaxed);
        told.fetch_add(drill.told.len(), Ordering::Relaxed);
    });
    let killed = killed.into_inner();
    println!(
        "{killed} of {} killed; {told:?} events told, all there; {answers:?} doubts answered",
        points.len()
    );
    assert!(killed * 10 >= points.len() * 9, "nearly every point is reached: {killed} of {}", points.len());
}

#[test]
fn killed_at_any_system_call_nothing_told_is_lost_and_nothing_happens_twice_unasked() {
    kill_at_each(Drill::new);
}

#[test]
fn killed_again_at_any_system_call_while_it_takes_up_what_was_left_it_loses_nothing_either() {
    kill_at_each(|| {
        let mut drill = Drill::new();
        let mut console = drill.run_under(&[]);
        console.until("\"step.completed\"");
        console.signal(Signal::KILL);
        drill.listen_to_the_end(console);
        drill
    });
}

#[test]
fn a_disk_that_is_full_for_a_while_at_any_call_loses_nothing_and_the_run_goes_on_when_there_is_room() {
    refuse_at_each("ENOSPC", |nth| format!("{nth}..{}", nth + 2));
}

#[test]
fn a_disk_that_fails_at_any_call_stops_the_engine_before_anything_is_told_that_is_not_there() {
    refuse_at_each("EIO", |nth| format!("{nth}+"));
}

/// Refuses calls from each point on.
fn refuse_at_each(error: &str, when: fn(usize) -> String) {
    let Some(points) = points(REFUSED, Drill::new()) else { return };
    each(&points, |point| {
        let mut drill = Drill::new();
        let code = disturbed(&mut drill, point, &format!("error={error}:when={}", when(point.nth)));
        assert!([0, 6].contains(&code), "{point:?} ended with {code}");
        whole_again(&mut drill, point);
    });
}

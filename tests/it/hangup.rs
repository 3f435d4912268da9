//! A console whose terminal goes away: its runs go on, others reach it, and it costs nothing.

use crate::program::{Place, pause, tell, until};
use pty_process::blocking::Pty;
use rustix::process::{Pid, Signal};
use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, Command},
    time::Duration,
};

/// Waits at a gate, so that nothing happens by itself.
const WAITS: &str =
    "name: waits\nsteps:\n  - {id: ask, gate: May it?}\n  - {id: after, needs: ask, run: echo yes > after}\n";

/// The console on a terminal of its own.
pub(crate) fn console(place: &Place, args: &[&str]) -> (Pty, Child) {
    let (terminal, inner) = pty_process::blocking::open().expect("a terminal");
    terminal.resize(pty_process::Size::new(24, 80)).expect("a size");
    let as_given: Command = place.command(args);
    let mut command = pty_process::blocking::Command::new(as_given.get_program()).env_clear();
    for variable in as_given.get_envs() {
        if let (name, Some(value)) = variable {
            command = command.env(name, value);
        }
    }
    let command = command.args(as_given.get_args()).env("TERM", "xterm-256color").current_dir(place.path());
    let child = command.spawn(inner).expect("the console starts");
    (terminal, child)
}

/// Reads what the terminal gets until it holds this.
#[track_caller]
pub(crate) fn read_until(mut terminal: &Pty, part: &str) {
    rustix::fs::fcntl_setfl(terminal, rustix::fs::OFlags::NONBLOCK)
        .expect("a terminal that does not make us wait");
    let cells = |many| std::num::NonZero::new(many).expect("a screen has cells");
    let (mut screen, mut bytes) = (vt100::Parser::new(cells(24), cells(80), 0), [0; 4096]);
    until(part, || {
        let many = terminal.read(&mut bytes).unwrap_or(0);
        screen.process(&bytes[..many]);
        screen.screen().contents().contains(part)
    });
}

/// Ticks of a hundredth of a second that a process has used.
fn used(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("it lives");
    let after_name = stat.rsplit(") ").next().expect("fields");
    let fields: Vec<&str> = after_name.split(' ').collect();
    fields[11..13].iter().map(|it| it.parse::<u64>().expect("ticks")).sum()
}

#[test]
fn a_console_whose_terminal_has_gone_goes_on_without_it_and_costs_nothing() {
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
    place.write("waits.yaml", WAITS);
    let (terminal, mut child) = console(&place, &["run", "waits.yaml"]);
    read_until(&terminal, "waits for a person");
    let owner = place.owner().expect("the console owns it");
    drop(terminal);
    let input = format!("/proc/{}/fd/0", owner.as_raw_nonzero());
    until("it has let go of the terminal", || {
        fs::read_link(&input).is_ok_and(|it| it.to_string_lossy().starts_with("socket:"))
    });
    // Others work with it for a while; a reader that spins would use all of that time.
    let before = used(owner);
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(place.runs().len(), 1);
    }
    let hundredths = begun.elapsed().as_millis() / 10;
    let cost = u128::from(used(owner) - before);
    assert!(cost * 2 < hundredths, "{cost} of {hundredths} hundredths of a second");
    assert_eq!(place.owner(), Some(owner), "it went on by itself");
    let gate = place.gates()[0]["id"].as_str().expect("a gate").to_owned();
    place.cue(&["approve", &gate]).ok();
    until("the run ends", || place.text("after") == "yes\n");
    tell(owner, Signal::TERM);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}

/// How many terminals are closed when nobody says; `CUELIGHT_CLOSINGS=100` closes so many.
const CLOSINGS: u64 = 2;
/// How long each is looked at afterwards.
const LOOKED_AT: Duration = Duration::from_secs(2);

/// Wherever a console is when its terminal is closed: it has not begun and is gone, or it goes on, costs nothing, and others
/// reach it and end what it waits for.
#[test]
fn a_terminal_that_is_closed_at_any_moment_ends_no_run_and_leaves_nothing_that_spins() {
    let closings = std::env::var("CUELIGHT_CLOSINGS").ok().and_then(|it| it.parse().ok()).unwrap_or(CLOSINGS);
    let (mut went_on, mut most, mut all) = (0_u64, 0_u64, 0_u64);
    for number in 0..closings {
        let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
        place.write("waits.yaml", WAITS);
        let (terminal, mut child) = console(&place, &["run", "waits.yaml"]);
        // From before it has opened anything to long after it has drawn all there is.
        pause(Duration::from_millis(number * 7919 % 1500));
        drop(terminal);
        let pid = Pid::from_child(&child);
        let input = format!("/proc/{}/fd/0", pid.as_raw_nonzero());
        let mut ended = None;
        until("it has let go of the terminal, or is gone", || {
            ended = child.try_wait().expect("it can be asked");
            ended.is_some()
                || fs::read_link(&input).is_ok_and(|it| it.to_string_lossy().starts_with("socket:"))
        });
        if ended.is_none() {
            until("it owns the workspace", || place.owner() == Some(pid));
            went_on += 1;
            let before = used(pid);
            pause(LOOKED_AT);
            let cost = used(pid) - before;
            (most, all) = (cost.max(most), all + cost);
            let gate = place.gates()[0]["id"].as_str().expect("a gate").to_owned();
            place.cue(&["approve", &gate]).ok();
            until("the run ends", || place.text("after") == "yes\n");
            tell(pid, Signal::TERM);
            let ended = child.wait().expect("it ends");
            // In order; a screen that could not be opened any more is told by 1.
            assert!(matches!(ended.code(), Some(0 | 1)), "{ended} at closing {number}");
        } else if place.file(".cuelight/cuelight.db").exists() && !place.runs().is_empty() {
            // What was told to nobody and had begun is there for whoever comes next.
            let engine = place.start(&["serve"]);
            until("it listens", || place.file(".cuelight/cuelight.sock").exists());
            let gates = || place.gates().iter().filter(|it| it["state"] == "open").count();
            until("its gate asks", || gates() == 1);
            engine.signal(Signal::TERM);
            assert_eq!(engine.end().code, 0);
        }
    }
    let window = LOOKED_AT.as_millis() / 10;
    println!(
        "{went_on} of {closings} went on; of {window} hundredths of a second at most {most}, {all} in all"
    );
    assert!(u128::from(most) * 10 <= window, "one spins: {most} of {window} hundredths");
    assert!(
        u128::from(all) * 50 <= window * u128::from(went_on).max(1) + 50,
        "{all}: more than two in a hundred"
    );
}

/// The reader of keys spins inside of its library when the screen polls it at the wrong moment; whatever the screen is busy
/// with, the terminal is let go of. Here it waits for the operator's editor.
#[test]
fn a_terminal_that_goes_away_is_let_go_of_while_the_screen_hears_nothing() {
    let editor = "trap '' HUP; mkfifo opened; cat opened; true";
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s").with("EDITOR", editor);
    place.write("waits.yaml", WAITS);
    let (mut terminal, mut child) = console(&place, &["run", "waits.yaml"]);
    read_until(&terminal, "waits for a person");
    let owner = place.owner().expect("the console owns it");
    let f4 = "\x1bOS";
    terminal.write_all(format!("1&{f4}").as_bytes()).expect("the terminal takes keys");
    let opened = place.path().join("opened");
    until("the editor is open", || opened.exists());
    drop(terminal);
    let input = format!("/proc/{}/fd/0", owner.as_raw_nonzero());
    until("it has let go of the terminal", || {
        fs::read_link(&input).is_ok_and(|it| it.to_string_lossy().starts_with("socket:"))
    });
    fs::write(&opened, "").expect("the editor ends");
    assert_eq!(place.runs().len(), 1, "it goes on without a terminal");
    tell(owner, Signal::TERM);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}

/// As long as a terminal takes nothing, the screen stands still and nothing else does: what is written to a terminal waits on a
/// thread that the engine never waits for.
#[test]
fn a_terminal_that_takes_nothing_holds_no_run_up() {
    let place = Place::new();
    let steps: String = (0..200)
        .map(|it| format!("  - {{id: s{it}, set: {{scope: run, values: {{at: {it}}}}}}}\n"))
        .collect();
    place.write("many.yaml", &format!("name: many\nmax-parallel: 1\nsteps:\n{steps}"));
    let (mut terminal, mut child) = console(&place, &["run", "many.yaml"]);
    let ended = |run: &serde_json::Value| run["state"].as_str() == Some("completed");
    // Nothing is read: a terminal holds 4 KB, and a frame of this screen is not much smaller.
    until("the run has ended without anybody seeing it", || {
        let said = place.cue(&["runs", "--json"]);
        said.code == 0 && place.owner().is_some() && said.out.contains("\"completed\"")
    });
    // More is drawn than a terminal holds while keys come, and others are answered all the same.
    for _ in 0..40 {
        terminal.write_all(b"81").expect("keys are taken");
    }
    place.cue(&["run", "many.yaml"]).ok();
    assert!(place.runs().len() == 2 && place.runs().iter().all(ended));
    // As soon as somebody reads, all of it is there.
    read_until(&terminal, "r-2");
    tell(place.owner().expect("it goes on"), Signal::TERM);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}

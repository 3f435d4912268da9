//! A console whose terminal goes away: its runs go on, others reach it, and it costs nothing.

use crate::program::{Place, pause, tell, until, until_else};
use pty_process::blocking::Pty;
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal},
};
use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
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
    // Whoever runs the tests in the background ignores Ctrl-C, and every process it starts would inherit that.
    let command = pty_process::blocking::Command::new("/usr/bin/env").arg("--default-signal=INT");
    let mut command = command.arg(as_given.get_program()).env_clear();
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
    rustix::fs::fcntl_setfl(terminal, OFlags::NONBLOCK).expect("a terminal that does not make us wait");
    let cells = |many| std::num::NonZero::new(many).expect("a screen has cells");
    let (mut screen, mut bytes) = (vt100::Parser::new(cells(24), cells(80), 0), [0; 4096]);
    until(part, || {
        let many = terminal.read(&mut bytes).unwrap_or(0);
        screen.process(&bytes[..many]);
        screen.screen().contents().contains(part)
    });
}

#[test]
fn a_console_that_answers_over_http_says_so_on_its_screen_and_writes_nothing_over_it() {
    let place = Place::new();
    let (mut terminal, mut console) = console(&place, &["--listen", "127.0.0.1:0"]);
    rustix::fs::fcntl_setfl(&terminal, OFlags::NONBLOCK).expect("it does not make us wait");
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    let has = |heard: &[u8], part: &str| heard.windows(part.len()).any(|window| window == part.as_bytes());
    until("it tells where it answers", || {
        let many = terminal.read(&mut bytes).unwrap_or(0);
        heard.extend_from_slice(&bytes[..many]);
        has(&heard, "answering at http://127.0.0.1:")
    });
    let screen = heard.windows(8).position(|window| window == b"\x1b[?1049h").expect("a screen of its own");
    assert!(!heard[screen..].contains(&b'\n'), "a screen is drawn cell by cell: {}", heard.escape_ascii());
    terminal.write_all(b"ZZ").expect("keys");
    until("it has left", || {
        drop(terminal.read(&mut bytes));
        console.try_wait().is_ok_and(|status| status.is_some())
    });
}

/// Ticks of a hundredth of a second that a process has used.
fn used(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).expect("it lives");
    let after_name = stat.rsplit(") ").next().expect("fields");
    let fields: Vec<&str> = after_name.split(' ').collect();
    fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum()
}

/// Looks until a console whose terminal was closed has put another input in its place, or is over; when it never does, tells where
/// each of its threads stands.
#[track_caller]
fn lets_go(place: &Place, console: Pid, mut is_over: impl FnMut() -> bool) {
    let input = format!("/proc/{}/fd/0", console.as_raw_nonzero());
    let has_let_go = || fs::read_link(&input).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
    until_else(
        "it has let go of the terminal, or is gone",
        || is_over() || has_let_go(),
        || diagnosis(place, console),
    );
}

/// All that the kernel and the log tell of a process from outside: what each thread waits in, which files are open, what was done last.
fn diagnosis(place: &Place, pid: Pid) -> String {
    let about = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let read =
        |path: PathBuf| fs::read_to_string(path).unwrap_or_else(|why| why.to_string()).trim().to_owned();
    let all = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let status = read(about.join("status"));
    let told = ["State", "PPid", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"];
    let mut lines: Vec<String> =
        status.lines().filter(|line| told.iter().any(|of| line.starts_with(of))).map(str::to_owned).collect();
    for task in all(about.join("task")) {
        let of = |what: &str| read(task.join(what));
        let (stat, name) = (of("stat"), of("comm"));
        let state = stat.rsplit(") ").next().and_then(|part| part.chars().next()).unwrap_or('?');
        lines.push(format!(
            "thread {name}: {state}, in {}, call {}, stack {}",
            of("wchan"),
            of("syscall"),
            of("stack")
        ));
    }
    for file in all(about.join("fd")) {
        let to = fs::read_link(&file).unwrap_or_default();
        lines.push(format!(
            "file {} is {}",
            file.file_name().unwrap_or_default().to_string_lossy(),
            to.display()
        ));
    }
    let said = place.cue(&["audit"]);
    lines.push(format!("the log ends with: {}", said.out.lines().last().unwrap_or(&said.err)));
    let gdb = place
        .foreign("gdb", &["-p", &pid.as_raw_nonzero().to_string(), "-batch", "-ex", "thread apply all bt 14"])
        .output();
    lines.push(
        gdb.map_or_else(
            |_| "no gdb here".to_owned(),
            |gdb| String::from_utf8_lossy(&gdb.stdout).into_owned(),
        ),
    );
    format!("(process {pid:?})\n{}", lines.join("\n"))
}

#[test]
fn a_console_whose_terminal_has_gone_goes_on_without_it_and_costs_nothing() {
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
    place.write("waits.yaml", WAITS);
    let (terminal, mut child) = console(&place, &["run", "waits.yaml"]);
    read_until(&terminal, "waits for a person");
    let owner = place.owner().expect("the console owns it");
    drop(terminal);
    lets_go(&place, owner, || false);
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

#[test]
fn a_terminal_that_was_closed_before_anybody_looked_at_it_is_let_go_as_well() {
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
    place.write("waits.yaml", WAITS);
    let (mut terminal, inner) = pty_process::blocking::open().expect("a terminal");
    let mut named = pty_process::blocking::Command::new("tty").spawn(inner).expect("tty");
    let mut said = [0; 256];
    let many = terminal.read(&mut said).expect("its name");
    let name = String::from_utf8_lossy(&said[..many]).trim().to_owned();
    named.wait().expect("it ends");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = rustix::fs::open(&name, flags, Mode::empty()).expect("the other end");
    drop(terminal);
    let again = || end.try_clone().expect("the same end");
    let (input, output, errors) = (again(), again(), again());
    let mut command = place.command(&["run", "waits.yaml"]);
    let mut child = command.stdin(input).stdout(output).stderr(errors).spawn().expect("it starts");
    lets_go(&place, Pid::from_child(&child), || false);
    until("it asks", || place.owner().is_some() && place.gates().len() == 1);
    let gate = place.gates()[0]["id"].as_str().expect("a gate").to_owned();
    place.cue(&["approve", &gate]).ok();
    until("the run ends", || place.text("after") == "yes\n");
    tell(Pid::from_child(&child), Signal::TERM);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}

/// Default number of terminals that are closed; `CUELIGHT_CLOSINGS=100` closes 100.
const CLOSINGS: u64 = 6;
/// Time for which each is watched afterwards.
const LOOKED_AT: Duration = Duration::from_secs(2);

/// A console may be at any point when its terminal is closed. Either it has not begun and is gone. Or it goes
/// on and costs nothing, and others reach it and end the step that it waits for.
#[test]
fn a_terminal_that_is_closed_at_any_moment_ends_no_run_and_leaves_nothing_that_spins() {
    let closings =
        std::env::var("CUELIGHT_CLOSINGS").ok().and_then(|value| value.parse().ok()).unwrap_or(CLOSINGS);
    let (mut went_on, mut most, mut all) = (0_u64, 0_u64, 0_u64);
    for number in 0..closings {
        let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
        place.write("waits.yaml", WAITS);
        let (terminal, mut child) = console(&place, &["run", "waits.yaml"]);
        // From before it has opened anything to long after it has drawn all there is; most of them while it opens.
        let moments = if number % 4 == 0 { 1500 } else { 250 };
        pause(Duration::from_millis(number * 7919 % moments));
        drop(terminal);
        let pid = Pid::from_child(&child);
        let mut ended = None;
        let has_ended = || {
            ended = child.try_wait().expect("it can be asked");
            ended.is_some()
        };
        lets_go(&place, pid, has_ended);
        if let Some(ended) = ended {
            // The kernel has ended it before it listened; what listens goes on.
            assert_eq!(ended.signal(), Some(Signal::HUP.as_raw()), "{ended} at closing {number}");
        }
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
            assert!(ended.success(), "{ended} at closing {number}");
        } else if place.file(".cuelight/cuelight.db").exists() && !place.runs().is_empty() {
            // What was told to nobody and had begun is there for whoever comes next.
            let engine = place.start(&["serve"]);
            until("it listens", || place.file(".cuelight/cuelight.sock").exists());
            let gates = || place.gates().iter().filter(|gate| gate["state"] == "open").count();
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

/// It listens for signals already and has not opened its screen: here because it waits for the workspace.
#[test]
fn a_console_whose_terminal_goes_away_before_its_screen_is_open_goes_on_without_it() {
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "60s");
    place.write("waits.yaml", WAITS);
    place.write("quick.yaml", "name: quick\nsteps:\n  - {id: s, set: {scope: run, values: {at: 1}}}\n");
    place.cue(&["run", "quick.yaml", "--headless"]).ok();
    let lock = fs::File::open(place.file(".cuelight/lock")).expect("a lock");
    until("the workspace is nobody's", || lock.try_lock().is_ok());
    let (terminal, mut child) = console(&place, &["run", "waits.yaml"]);
    let pid = Pid::from_child(&child);
    let status = format!("/proc/{}/status", pid.as_raw_nonzero());
    until("it listens for signals", || {
        let caught = fs::read_to_string(&status).unwrap_or_default();
        let caught = caught.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
        u64::from_str_radix(caught.trim(), 16).unwrap_or_default() & 1 == 1
    });
    drop(terminal);
    lock.unlock().expect("given back");
    lets_go(&place, pid, || child.try_wait().expect("it can be asked").is_some());
    until_else(
        "it owns the workspace",
        || place.owner() == Some(pid),
        || format!("{:?}", child.try_wait().expect("it can be asked")),
    );
    until("its gate asks", || place.gates().len() == 1);
    let gate = place.gates()[0]["id"].as_str().expect("a gate").to_owned();
    place.cue(&["approve", &gate]).ok();
    until("the run ends", || place.text("after") == "yes\n");
    assert_eq!(place.owner(), Some(pid), "it went on by itself");
    tell(pid, Signal::TERM);
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
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
    lets_go(&place, owner, || false);
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
        .map(|index| format!("  - {{id: s{index}, set: {{scope: run, values: {{at: {index}}}}}}}\n"))
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

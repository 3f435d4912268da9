//! The console in a real terminal: what it writes when it begins, when nothing happens, and on each way out; and that a
//! screen that breaks down is started again.

use crate::{
    program::{Place, bounded, tell, until, until_else},
    terminal_hangup::console,
};
use cuelight_base::{Actor, Channel, Proof, RunId};
use cuelight_console::{
    ConsoleOptions, Danger, Depth, Keymap, Leave, LookOfScreen, Notify, Seat, Themes, run_console,
};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_runtime::{Boards, Desk, LaunchRequest, Page, Reply, Request, Seen, Signal, Signals, Want};
use pty_process::blocking::Pty;
use rustix::process::{Pid, Signal as Kill};
use std::{
    io::{Read as _, Write as _},
    process::Child,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, oneshot, watch};

/// A console, what it has written, and its screen.
struct Sat {
    terminal: Arc<Pty>,
    child: Child,
    written: Arc<Mutex<(Vec<u8>, Instant)>>,
}

impl Sat {
    fn down((terminal, child): (Pty, Child)) -> Self {
        let terminal = Arc::new(terminal);
        let written = Arc::new(Mutex::new((Vec::new(), Instant::now())));
        let (reader, into) = (Arc::clone(&terminal), Arc::clone(&written));
        let read = move || {
            let mut bytes = [0; 4096];
            while let Ok(many @ 1..) = (&*reader).read(&mut bytes) {
                let mut into = into.lock().expect("the reader lives");
                into.0.extend_from_slice(&bytes[..many]);
                into.1 = Instant::now();
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the terminal")]
        drop(std::thread::spawn(read));
        Self { terminal, child, written }
    }

    fn bytes(&self) -> Vec<u8> {
        self.written.lock().expect("the reader lives").0.clone()
    }

    fn screen(&self) -> vt100::Parser {
        let cells = |many| std::num::NonZero::new(many).expect("a screen has cells");
        let mut screen = vt100::Parser::new(cells(48), cells(160), 0);
        screen.process(&self.bytes());
        screen
    }

    fn shows(&self, part: &str) -> bool {
        self.screen().screen().contents().contains(part)
    }

    #[track_caller]
    fn sees(&self, part: &str) {
        self.until(part, |sat| sat.shows(part));
    }

    /// Looks until it is so; else tells what stands on the screen.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let written = || format!("and the screen shows\n{}", self.screen().screen().contents());
        until_else(what, || is_so(self), written);
    }

    fn press(&self, keys: &str) {
        (&*self.terminal).write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Two seconds in which nothing is written.
    fn falls_silent(&self) {
        self.until("it is silent", |sat| {
            sat.written.lock().expect("the reader lives").1.elapsed() > Duration::from_secs(2)
        });
    }

    /// The program ends, and has given everything back.
    #[track_caller]
    fn gives_back(mut self) {
        until("it ends", || self.child.try_wait().expect("a child").is_some());
        assert!(self.child.wait().expect("it has ended").success(), "{}", self.screen().screen().contents());
        let restores = [
            "\x1b[?2026l",
            "\x1b[<1u",
            "\x1b[?1006l",
            "\x1b[?1002l",
            "\x1b[?1000l",
            "\x1b[?2004l",
            "\x1b[?1004l",
            "\x1b[?25h",
            "\x1b[?1049l",
            "\x1b[23;0t",
        ];
        until("it gives the terminal back", || {
            let bytes = self.bytes();
            let text = String::from_utf8_lossy(&bytes);
            let mut end = text.rfind("\x1b[?1049l").unwrap_or(0).saturating_sub(200);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let are_sent =
                restores.iter().all(|restore| text.get(end..).is_some_and(|end| end.contains(restore)));
            let screen = self.screen();
            let screen = screen.screen();
            let is_as_before = !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
            are_sent && is_as_before
        });
    }
}

#[test]
fn an_idle_console_writes_nothing_and_leaving_gives_the_terminal_back() {
    let place = Place::new();
    let sat = Sat::down(console(&place, &[]));
    sat.sees("1 Runs");
    sat.press("?");
    sat.sees("THIS VIEW");
    sat.terminal.resize(pty_process::Size::new(30, 100)).expect("a size");
    // A key that comes in one moment with a new size may be heard with the next key (crossterm's reader, edge-triggered).
    sat.until("the new width is used", |sat| {
        sat.screen().screen().contents().lines().any(|line| line.chars().count() > 80)
    });
    sat.press("\x1b");
    sat.until("the help is gone", |sat| !sat.shows("THIS VIEW"));
    sat.falls_silent();
    sat.press("ZZ");
    sat.gives_back();
}

/// The list of agents at the console that answers is updated as it changes.
#[test]
fn an_agent_that_registers_over_http_is_seen_at_the_console_at_once_and_so_is_that_it_has_left() {
    let place = Place::new();
    let at = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let (terminal, child) = console(&place, &["--listen", &at.to_string()]);
    terminal.resize(pty_process::Size::new(48, 160)).expect("a size");
    let sat = Sat::down((terminal, child));
    sat.sees("1 Runs");
    until("it listens", || std::net::TcpStream::connect(at).is_ok());
    let url = format!("http://{at}");
    let agent = |name: &str| {
        let token = place.cue(&["token", "--agent", name, "--type", "coder"]).ok().out;
        let (place, url, token) = (&place, url.clone(), token.trim().to_owned());
        move |words: &[&str]| {
            let mut command = place.command(&[&["api"][..], words].concat());
            command.env("SIDECAR_URL", &url).env("JWT_TOKEN", &token);
            bounded(&mut command).ok()
        }
    };
    let (one, two) = (agent("coder-1"), agent("coder-2"));
    one(&["POST", "/api/agents", "--data", "{}"]);
    sat.sees("0 agents at work, 1 registered");
    two(&["POST", "/api/agents", "capabilities:=[\"implement\"]"]);
    sat.sees("0 agents at work, 2 registered");
    sat.press(":agents\r");
    sat.sees("agents  0 described, 2 registered, 0 at work");
    sat.sees("coder-2");
    one(&["DELETE", "/api/agents/coder-1"]);
    sat.until("it has left", |sat| sat.shows("1 registered") && !sat.shows("coder-1"));
    sat.press("ZZ");
    sat.gives_back();
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let place = Place::new();
    let sat = Sat::down(console(&place, &[]));
    sat.sees("1 Runs");
    let pid = i32::try_from(sat.child.id()).ok().and_then(Pid::from_raw).expect("a process");
    tell(pid, Kill::TERM);
    sat.gives_back();
}

/// Ctrl-Z at the owner of an engine and at a console that is attached to it, each below a shell of its own.
#[test]
fn after_ctrl_z_the_shell_has_the_terminal_and_fg_brings_the_screen_and_its_keys_back() {
    let place = Place::new();
    place.write("hello.yaml", "name: hello\nsteps:\n  - {id: ask, gate: May it?}\n");
    let owner = Sat::down(in_a_shell(&place));
    let attached = Sat::down(in_a_shell(&place));
    for (sat, place_of_engine) in [(&owner, "local"), (&attached, "attached")] {
        sat.sees("$ ");
        sat.press("cuelight\r");
        sat.sees("1 Runs");
        sat.sees(place_of_engine);
        for _ in 0..2 {
            sat.press("\x1a");
            sat.sees("Stopped");
            let is_given_back =
                |sat: &Sat| !sat.screen().screen().alternate_screen() && !sat.screen().screen().hide_cursor();
            sat.until("the shell has the terminal", is_given_back);
            // A shell that is given keys before it has printed its prompt may lose them.
            sat.until("the prompt", |sat| sat.screen().screen().contents().trim_end().ends_with('$'));
            sat.press("fg\r");
            sat.sees("1 Runs");
            sat.press("?");
            sat.sees("THIS VIEW");
            sat.press("\x1b");
            sat.until("the help is gone", |sat| !sat.shows("THIS VIEW"));
            assert!(!sat.shows("^["), "keys are not echoed: {}", sat.screen().screen().contents());
        }
    }
    for sat in [attached, owner] {
        sat.press("ZZ");
        sat.until("it is left", |sat| !sat.screen().screen().alternate_screen());
        sat.press("exit\r");
        sat.gives_back();
    }
}

#[test]
fn where_no_shell_could_bring_it_back_ctrl_z_says_so_and_the_console_goes_on() {
    let place = Place::new();
    let sat = Sat::down(console(&place, &[]));
    sat.sees("1 Runs");
    sat.press("\x1a");
    sat.sees("no shell is above this program");
    sat.press("?");
    sat.sees("THIS VIEW");
    sat.press("\x1b");
    sat.until("the help is gone", |sat| !sat.shows("THIS VIEW"));
    sat.press("ZZ");
    sat.gives_back();
}

/// A shell that knows `cuelight`.
fn in_a_shell(place: &Place) -> (Pty, Child) {
    let (terminal, inner) = pty_process::blocking::open().expect("a terminal");
    terminal.resize(pty_process::Size::new(48, 160)).expect("a size");
    let given = place.command(&[]);
    let mut command = pty_process::blocking::Command::new("bash").args(["--norc", "--noprofile", "-i"]);
    command = command.env_clear().current_dir(place.path());
    for variable in given.get_envs() {
        if let (name, Some(value)) = variable {
            command = command.env(name, value);
        }
    }
    let program = std::path::Path::new(given.get_program());
    let programs = program.parent().expect("a directory").to_string_lossy().into_owned();
    let child = command
        .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
        .env("PS1", "$ ")
        .env("TERM", "xterm-256color")
        .spawn(inner);
    (terminal, child.expect("the shell starts"))
}

#[test]
fn no_color_keeps_what_is_bold_and_reversed() {
    let place = Place::new().with("NO_COLOR", "1");
    let sat = Sat::down(console(&place, &[]));
    sat.sees("1 Runs");
    let bytes = sat.bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let sgr = text.split("\x1b[").skip(1).filter_map(|part| part.split_once('m')).map(|(codes, _)| codes);
    let sgr: Vec<&str> = sgr.filter(|codes| codes.chars().all(|c| c.is_ascii_digit() || c == ';')).collect();
    assert!(sgr.contains(&"7"), "something is reversed: {sgr:?}");
    let colours = |codes: &&&str| codes.starts_with("38;") || codes.starts_with("48;");
    assert_eq!(sgr.iter().find(colours), None, "{sgr:?}");
    sat.press("ZZ");
    sat.gives_back();
}

#[test]
fn a_screen_that_breaks_down_gives_the_terminal_back_and_starts_again() {
    let place = Place::new();
    let (terminal, inner) = pty_process::blocking::open().expect("a terminal");
    terminal.resize(pty_process::Size::new(24, 80)).expect("a size");
    let here = std::env::current_exe().expect("this program");
    let child = pty_process::blocking::Command::new(here)
        .args(["--exact", "terminal::the_other_side", "--ignored", "--nocapture"])
        .env_clear()
        .env("TERM", "xterm-256color")
        .current_dir(place.path())
        .spawn(inner)
        .expect("it starts");
    let sat = Sat::down((terminal, child));
    sat.sees("1 Runs");
    sat.press("+");
    sat.sees("was started again");
    let bytes = sat.bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let begins: Vec<usize> = text.match_indices("\x1b[?1049h").map(|entry| entry.0).collect();
    let told = text.find("the engine is not at home").expect("it is told");
    let restored = text.find("\x1b[?1049l").expect("the terminal is given back");
    assert!(begins.len() == 2 && restored < told && told < begins[1], "{begins:?} {restored} {told}");
    until("it is written down", || {
        let files = std::fs::read_dir(place.path()).expect("the directory").flatten();
        files.map(|file| file.path()).any(|path| {
            std::fs::read_to_string(path).is_ok_and(|text| text.contains("the engine is not at home"))
        })
    });
    sat.press("\x1b");
    sat.until("the note is closed", |sat| !sat.shows("was started again"));
    sat.press("ZZ");
    sat.gives_back();
}

/// A desk at which one question breaks the screen that asks it.
#[derive(Clone)]
struct Trap {
    boards: watch::Sender<Seen>,
    ring: broadcast::Sender<Arc<Signal>>,
}

impl Desk for Trap {
    async fn submit(&self, _request: Request) -> Reply {
        Reply::NotRecorded("nobody is here".to_owned())
    }

    async fn preview(&self, _command: Command) -> Result<Vec<Event>, Refusal> {
        Ok(Vec::new())
    }

    async fn launch(&self, _launch: LaunchRequest) -> Reply {
        Reply::NotRecorded("nobody is here".to_owned())
    }

    fn boards(&self) -> Boards {
        self.boards.subscribe()
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        Signals::new(of, self.ring.subscribe())
    }

    async fn read(&self, _want: Want) -> Page {
        panic!("the engine is not at home")
    }
}

/// The console of the test above, in a process of its own.
#[test]
#[ignore = "is started by another test, in a terminal"]
fn the_other_side() {
    let desk = Trap { boards: watch::Sender::new(Seen::default()), ring: broadcast::Sender::new(4) };
    let actor = Actor {
        name: "mira".to_owned(),
        proof: Proof::OsUser(1),
        groups: Vec::new(),
        channel: Channel::Console,
    };
    let seat = Seat {
        actor,
        environment: "LOCAL".to_owned(),
        danger: Danger::Development,
        place: "attached".to_owned(),
        read_only: false,
        is_far: false,
        answers_at: None,
        people: Vec::new(),
    };
    let save = |name: &str, content: &str| {
        std::fs::write(name, content).map_err(|error| error.to_string()).map(|()| name.to_owned())
    };
    let options = ConsoleOptions {
        silent: false,
        notify: Notify::None,
        look: LookOfScreen::default(),
        by_ground: None,
        themes: Box::new(|| (Themes::default(), Vec::new())),
        depth: Depth::None,
        keys: Keymap::default(),
        run: None,
        note: None,
        hint: None,
        export: Box::new(save),
        edit: Box::new(|text| Ok(text.to_owned())),
        crashes: Box::new(save),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (arrives, coming) = oneshot::channel();
    assert!(arrives.send((desk, seat.clone())).is_ok());
    let left = runtime.block_on(run_console(coming, seat, options));
    assert_eq!(left.expect("it goes on"), Leave::Left);
}

/// A step that takes a while.
const RUNS: &str = "name: runs\nsteps:\n  - {id: long, run: sleep 600, effect: pure}\n";

#[test]
fn what_runs_turns_its_sign_and_where_nothing_may_move_it_stands() {
    for (motion, turns) in [("full", true), ("none", false)] {
        let config = tempfile::TempDir::new().expect("a directory");
        std::fs::create_dir(config.path().join("cuelight")).expect("a directory");
        let preferences = format!("motion = \"{motion}\"\n");
        std::fs::write(config.path().join("cuelight/config.toml"), preferences).expect("a file");
        let place = Place::new().with("XDG_CONFIG_HOME", &config.path().to_string_lossy());
        place.write("runs.yaml", RUNS);
        let sat = Sat::down(console(&place, &["run", "runs.yaml"]));
        sat.sees("► long");
        let turned = |sat: &Sat| String::from_utf8_lossy(&sat.bytes()).contains('▻');
        if turns {
            sat.until("the sign turns", turned);
        } else {
            let later = ["ev 2.", "ev 3.", "ev 4.", "STALE"];
            sat.until("some seconds have passed", |sat| later.iter().any(|age| sat.shows(age)));
            assert!(!turned(&sat), "nothing may move by itself");
        }
        sat.press("ZZ");
        sat.sees("Leave?");
        drop(sat.terminal);
    }
}

#[test]
fn a_broken_keymap_is_told_with_its_line_and_the_built_in_keys_go_on() {
    let config = tempfile::TempDir::new().expect("a directory");
    std::fs::create_dir_all(config.path().join("cuelight/themes")).expect("a directory");
    let write = |name: &str, text: &str| {
        std::fs::write(config.path().join("cuelight").join(name), text).expect("a file");
    };
    write("keymap.toml", "[keys.normal]\n\"j\" = \"up\"\n\"k\" = \"nowhere\"\n");
    write("themes/mine.toml", "name = \"mine\"\n[roles]\nok = \"grene\"\n");
    let place = Place::new().with("XDG_CONFIG_HOME", &config.path().to_string_lossy());
    let sat = Sat::down(console(&place, &[]));
    sat.sees("your own keys have mistakes");
    // The note is as wide as it can be, so the words may stand in two rows of it.
    let words = |sat: &Sat| {
        let shown = sat.screen().screen().contents().replace('│', " ");
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    sat.until("the line is told", |sat| {
        let told = words(sat);
        told.contains("the key table: line") && told.contains("3: `nowhere` is no command")
    });
    sat.press("\x1b");
    sat.until("the note is closed", |sat| !sat.shows("have mistakes"));
    sat.press("?");
    sat.sees("THIS VIEW");
    sat.press("\x1b");
    sat.until("the help is gone", |sat| !sat.shows("THIS VIEW"));
    sat.press("ZZ");
    sat.gives_back();
}

#[test]
fn the_demo_has_a_workspace_for_each_directory_and_says_what_to_press_first() {
    let place = Place::new();
    let demos = || {
        let entries = std::fs::read_dir(place.path().join(".local/state/cuelight/demos"));
        entries.into_iter().flatten().flatten().count()
    };
    for count in 1..=2 {
        let sat = Sat::down(in_a_shell(&place));
        sat.sees("$ ");
        sat.press(&format!("mkdir d{count}; cd d{count}; cuelight demo\r"));
        sat.sees("press 3 when a gate waits");
        assert_eq!(demos(), count);
        sat.press("3");
        sat.until("the line is gone", |sat| !sat.shows("press 3 when a gate waits"));
        sat.press("\x1a");
        sat.sees("Stopped");
        // The typed line itself does not hold the word that is waited for.
        sat.press("kill -TERM %1; fg; echo it-is-le''ft\r");
        sat.sees("it-is-left");
        sat.press("exit\r");
        sat.gives_back();
    }
}

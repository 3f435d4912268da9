//! The console as a whole process in a terminal of 200x60: from its start to the first settled frame, what it costs when
//! nothing happens, how soon a key is seen while events pour in and while agents ask over HTTP, what a slow or stalled terminal costs the engine, and memory
//! at 10,000 steps.
//!
//! `cargo bench --bench console [-- SECONDS]`, where SECONDS is how long the idle console is watched (60). Judged by P6
//! (≤ 60 MB in the console, ≤ 40 MB headless, ≤ 15 MB idle), P8 (≤ 14 ms, with 1,000 runs ≤ 30 ms), P10 (0 bytes, < 0.1 %
//! of a core) and P11 (p99 ≤ 16 ms while ≥ 5,000 events/s arrive; throughput within 5 % of headless, also with a terminal that
//! takes 1 KB/s, and with one that takes nothing).

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, starts programs and prints figures"
)]

use cuelight_base::{Actor, Channel, Proof, Seq};
use cuelight_runtime::{Desk, Engine, Entropy, LaunchRequest, Setup, Source, called_by_schedules};
use cuelight_store::{Reader, TrustBook, Trusted};
use cuelight_tool::{HttpPolicy, SecretStore};
use pty_process::{
    Size,
    blocking::{Command as InTerminal, Pty, open},
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cuelight");
const COLUMNS: u16 = 200;
const ROWS: u16 = 60;
/// When nothing came for so long, the frame has settled.
const SETTLED: Duration = Duration::from_millis(200);
/// A screen on which something goes on never settles; it is looked at no longer than this.
const SETTLE_MAX: Duration = Duration::from_secs(5);
/// A run of 10,000 steps has ended by then, or never will.
const RUN_MAX: Duration = Duration::from_mins(3);
/// Pause between two keys.
const PAUSE: Duration = Duration::from_millis(45);
const STARTS: usize = 15;
const STEPS: usize = 10_000;
/// Agents that ask at once.
const AGENTS: usize = 119;
/// The end of a frame.
const FRAME_END: &[u8] = b"\x1b[?2026l";
const GATED: &str = "name: gated\nsteps:\n  - id: ok\n    gate:\n      prompt: Go on?\n";
const NOTHING: &str = "name: nothing\nsteps:\n  - id: one\n    set: {scope: run, values: {}}\n";

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(60);
    let (empty, many, gated) = (place(), place(), place());
    runs(&many, NOTHING, 1_000);
    runs(&gated, GATED, 1);
    started("an empty workspace", &empty);
    started("1,000 runs", &many);
    idle("an empty workspace", &empty, seconds);
    idle("1,000 runs", &many, seconds);
    idle("a gate that waits", &gated, seconds);
    asked(Duration::from_secs(20));
    large("processes", &workflow("run: 'true', shell: /bin/true"));
}

/// Agents that register and then say one event after the other over HTTP, as fast as they are answered, of the console's own engine; and how soon
/// a key is seen meanwhile.
fn asked(time: Duration) {
    let dir = place();
    let program = |words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(words).current_dir(dir.path()).env_clear().env("HOME", dir.path());
        String::from_utf8(command.output().expect("it starts").stdout).expect("text")
    };
    let token = program(&["token", "--agent", "a", "--type", "architect"]);
    let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let console = Console::start(dir.path(), &["--listen", &at.to_string()]);
    let _settled = console.settle(SETTLED, SETTLE_MAX);
    let (said, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut waits = std::thread::scope(|scope| {
        for agent in 0..AGENTS {
            let (token, said, is_over) = (token.trim(), &said, &is_over);
            scope.spawn(move || {
                let mut line = TcpStream::connect(at).expect("it listens");
                let me = format!("{{\"agent_id\": \"a/s{agent}\", \"heartbeat_seconds\": 3600}}");
                ask(&mut line, "/api/agents", token, &me);
                while !is_over.load(Relaxed) {
                    ask(&mut line, "/api/events/done", token, "{\"data\": {\"issue\": \"cl-7\"}}");
                    said.fetch_add(1, Relaxed);
                }
            });
        }
        let over = Instant::now() + time;
        let waits = pressed(&console, || Instant::now() >= over);
        is_over.store(true, Relaxed);
        waits
    });
    console.leave();
    println!(
        "{AGENTS} agents over HTTP, {} events a second   a key until its frame: median {:.1} ms   p99 {:.1} ms   of {}",
        said.load(Relaxed) / time.as_secs(),
        ms(&mut waits, 50),
        ms(&mut waits, 99),
        waits.len()
    );
}

/// One request on a line that stays, and its answer.
fn ask(line: &mut TcpStream, path: &str, token: &str, body: &str) {
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    line.write_all((head + &kind).as_bytes()).expect("sent");
    let (mut heard, mut bytes) = (String::new(), [0; 4096]);
    loop {
        let count = line.read(&mut bytes).expect("an answer");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let Some((head, body)) = heard.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).and_then(|part| part.lines().next()?.parse().ok());
        if body.len() >= length.expect("a length") {
            assert!(head.starts_with("HTTP/1.1 20"), "{heard}");
            return;
        }
    }
}

/// Opens and closes the help, with a pause between, until it is over while the help is closed; how long each key takes to be seen.
fn pressed(console: &Console, is_over: impl Fn() -> bool) -> Vec<Duration> {
    let mut screen = vt100::Parser::new(ROWS.try_into().expect("few"), COLUMNS.try_into().expect("few"), 0);
    let (mut waits, mut shown) = (Vec::new(), false);
    while shown || !is_over() {
        let pressed = Instant::now();
        console.press(if shown { "\x1b" } else { "?" });
        let seen = loop {
            let (at, bytes) = console.heard.recv_timeout(SETTLE_MAX).expect("it is drawn");
            screen.process(&bytes);
            if screen.screen().contents().contains("help · ") != shown {
                break at;
            }
        };
        waits.push(seen - pressed);
        shown = !shown;
        // What comes meanwhile is drawn.
        let next = Instant::now() + PAUSE;
        while let Some(rest) = next.checked_duration_since(Instant::now()) {
            let Ok((_, bytes)) = console.heard.recv_timeout(rest) else { break };
            screen.process(&bytes);
        }
    }
    waits
}

/// The workspace of a directory, trusted by the user whose home it is.
fn own(dir: &Path) -> Trusted {
    let book = TrustBook::new(dir.join(".local/state/cuelight/trust"), called_by_schedules);
    let workspace = book.create(dir, &"0".repeat(32)).expect("a workspace");
    book.trusts(&workspace, Some(&[]), |_| Some(false)).expect("a workspace")
}

fn place() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    drop(own(dir.path()));
    dir
}

/// Launches a workflow so often, and leaves when each run has come to rest or waits for somebody.
fn runs(dir: &TempDir, text: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let workspace = own(dir.path());
        let actor = Actor {
            name: "bench".to_owned(),
            proof: Proof::OsUser(0),
            groups: Vec::new(),
            channel: Channel::Command,
        };
        let secrets = SecretStore::new(BTreeMap::new(), dir.path());
        let engine = Engine::start(Setup {
            trees: None,
            workspace,
            actor,
            environment: Vec::new(),
            secrets,
            program: None,
            http: HttpPolicy::default(),
            traced: false,
            guard: None,
        })
        .await
        .expect("starts");
        let desk = engine.desk();
        for _ in 0..count {
            let source = Source::Text { name: "bench.yaml".to_owned(), text: text.to_owned() };
            drop(desk.launch(LaunchRequest::of(Entropy.request_id(), source)).await);
        }
        let rests = |seen: &cuelight_runtime::Seen| {
            let board = &seen.board;
            board.summaries().filter(|summary| summary.state.rests()).count() + board.open_gates().count()
                == count
        };
        drop(desk.boards().wait_for(rests).await);
        drop(desk);
        engine.close().await;
    });
}

/// Rate at which a terminal reads its input.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All of it, at once.
    Free,
    /// A kilobyte a second.
    Slow,
    /// Nothing, as long as the run goes on.
    Stalled,
}

impl Pace {
    const fn word(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Slow => ", a terminal of 1 KB/s",
            Self::Stalled => ", a terminal that takes nothing",
        }
    }
}

/// A console in a terminal of its own, and what it writes.
struct Console {
    child: Child,
    pty: Arc<Pty>,
    heard: Receiver<(Instant, Vec<u8>)>,
    began: Instant,
}

impl Console {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_at(dir, arguments, Pace::Free)
    }

    fn start_at(dir: &Path, arguments: &[&str], pace: Pace) -> Self {
        let (pty, pts) = open().expect("a terminal");
        pty.resize(Size::new(ROWS, COLUMNS)).expect("it has a size");
        let command = InTerminal::new(PROGRAM).args(arguments).current_dir(dir).env_clear();
        let command = command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("HOME", dir);
        let command = command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        let began = Instant::now();
        let child = command.spawn(pts).expect("it starts");
        let pty = Arc::new(pty);
        let (sender, heard) = sync_channel(1 << 16);
        let reader = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut buffer = vec![0; if pace == Pace::Free { 64 * 1024 } else { 100 }];
            if pace == Pace::Stalled {
                std::thread::park();
            }
            while let Ok(count @ 1..) = (&*reader).read(&mut buffer) {
                if pace == Pace::Slow {
                    std::thread::sleep(Duration::from_millis(100));
                }
                if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        Self { child, pty, heard, began }
    }

    /// Reads until nothing comes for a while; when the first frame was whole, when the last byte came, and how many did.
    fn settle(&self, quiet: Duration, most: Duration) -> (Duration, Duration, usize) {
        let (mut first, mut last, mut bytes) = (None, self.began, 0);
        let until = Instant::now() + most;
        let mut seen = Vec::new();
        while Instant::now() < until
            && let Ok((at, some)) = self.heard.recv_timeout(quiet)
        {
            (last, bytes) = (at, bytes + some.len());
            if first.is_none() {
                seen.extend(some);
                first = seen.windows(FRAME_END.len()).any(|window| window == FRAME_END).then_some(at);
            }
        }
        (first.unwrap_or(last) - self.began, last - self.began, bytes)
    }

    fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("it is read");
    }

    fn status(&self, field: &str) -> u64 {
        status(&self.child, field)
    }

    /// Nanoseconds on a processor so far, of each of its threads.
    fn cpu(&self) -> BTreeMap<PathBuf, u64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |task: std::io::Result<fs::DirEntry>| {
            let path = task.ok()?.path();
            let text = fs::read_to_string(path.join("schedstat")).ok()?;
            Some((path, text.split(' ').next()?.parse().ok()?))
        };
        tasks.filter_map(of).collect()
    }

    /// Nothing is open: it ends in order.
    fn leave(mut self) {
        self.press("ZZ");
        while self.heard.recv_timeout(Duration::from_secs(5)).is_ok() {}
        self.child.wait().expect("it is ours");
    }

    fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }
}

fn status(child: &Child, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[expect(clippy::cast_precision_loss, reason = "megabytes")]
fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn ms(took: &mut [Duration], percent: usize) -> f64 {
    took.sort();
    took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3
}

fn started(what: &str, dir: &TempDir) {
    let (mut firsts, mut settled) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let console = Console::start(dir.path(), &[]);
        let (first, last, _) = console.settle(SETTLED, SETTLE_MAX);
        firsts.push(first);
        settled.push(last);
        console.leave();
    }
    println!(
        "start, {what:<22} first frame {:>6.1} ms   settled, median {:>6.1} ms   slowest {:>6.1} ms",
        ms(&mut firsts, 50),
        ms(&mut settled, 50),
        ms(&mut settled, 100)
    );
}

fn idle(what: &str, dir: &TempDir, seconds: u64) {
    let console = Console::start(dir.path(), &[]);
    let _frame = console.settle(Duration::from_millis(500), SETTLE_MAX);
    let (cpu, until) = (console.cpu(), Instant::now() + Duration::from_secs(seconds));
    let (mut bytes, mut writes) = (0, 0);
    while let Some(rest) = until.checked_duration_since(Instant::now()) {
        match console.heard.recv_timeout(rest) {
            Ok((_, some)) => (bytes, writes) = (bytes + some.len(), writes + 1),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    // A thread that has ended since did next to nothing.
    let spent = console.cpu().into_iter().map(|(path, now)| now - cpu.get(&path).copied().unwrap_or(0)).sum();
    let spent = Duration::from_nanos(spent).as_secs_f64();
    println!(
        "idle {seconds} s, {what:<20} {bytes:>7} bytes in {writes} writes   {:>7.4} % of a core   {:>5.1} MB resident",
        spent * 100.0 / Duration::from_secs(seconds).as_secs_f64(),
        mb(console.status("VmRSS"))
    );
    // An orderly end would leave an engine in the background for what is open.
    console.kill();
}

/// Layers of 100 steps that do this; each needs two of the layer before.
fn workflow(does: &str) -> String {
    let mut text = "name: bench\nmax-parallel: 2\nsteps:\n".to_owned();
    for step in 0..STEPS {
        let needs = |offset| format!("s{}", (step / 100).saturating_sub(1) * 100 + (step + offset) % 100);
        let needs = if step < 100 { String::new() } else { format!("needs: [{}, {}], ", needs(0), needs(7)) };
        writeln!(text, "  - {{id: s{step}, {needs}{does}}}").expect("fits");
    }
    text
}

/// A run of 10,000 steps: headless, in the console, in the console while somebody presses keys, and on terminals that take
/// little or nothing.
fn large(what: &str, text: &str) {
    let file = "bench.yaml";
    let alone = {
        let dir = place();
        fs::write(dir.path().join(file), text).expect("a file");
        let (mut peak, mut child) = (0, headless(dir.path(), file));
        while child.try_wait().expect("it is ours").is_none() {
            peak = peak.max(status(&child, "VmHWM"));
            std::thread::sleep(Duration::from_millis(10));
        }
        let (took, events) = course(dir.path());
        println!("{STEPS} {what}, headless       peak {:>6.1} MB   {}", mb(peak), rate(took, events));
        took
    };
    for keys in [false, true] {
        let dir = place();
        fs::write(dir.path().join(file), text).expect("a file");
        let console = Console::start(dir.path(), &["run", file]);
        let over = Instant::now() + RUN_MAX;
        // Only keys while the run goes on are counted, however it ends: the log says when it has.
        let is_over = || has_rested(dir.path()) || Instant::now() >= over;
        let mut waits = if keys { pressed(&console, is_over) } else { Vec::new() };
        let _end = console.settle(Duration::from_secs(3), RUN_MAX);
        let (rss, peak) = (console.status("VmRSS"), console.status("VmHWM"));
        console.leave();
        let (took, events) = course(dir.path());
        println!(
            "{STEPS} {what}, in the console peak {:>6.1} MB   {}   then {:.1} MB   {:.2} x headless",
            mb(peak),
            rate(took, events),
            mb(rss),
            took.as_secs_f64() / alone.as_secs_f64()
        );
        if keys {
            println!(
                "  a key until its frame: median {:.1} ms   p99 {:.1} ms   of {}",
                ms(&mut waits, 50),
                ms(&mut waits, 99),
                waits.len()
            );
        }
    }
    unread(what, text, alone);
}

/// The engine's pace while its screen can write little or nothing: from the first event of the run to the last.
fn unread(what: &str, text: &str, alone: Duration) {
    for pace in [Pace::Slow, Pace::Stalled] {
        let (file, dir) = ("bench.yaml", place());
        fs::write(dir.path().join(file), text).expect("a file");
        let console = Console::start_at(dir.path(), &["run", file], pace);
        rested(dir.path());
        console.kill();
        let (took, events) = course(dir.path());
        println!(
            "{STEPS} {what}{}   {}   {:.2} x headless",
            pace.word(),
            rate(took, events),
            took.as_secs_f64() / alone.as_secs_f64()
        );
    }
}

/// Waits until the log has not grown for a while.
fn rested(dir: &Path) {
    let until = Instant::now() + RUN_MAX;
    let (mut head, mut quiet) = (Seq(0), Instant::now());
    while Instant::now() < until && (head == Seq(0) || quiet.elapsed() < Duration::from_secs(3)) {
        std::thread::sleep(Duration::from_millis(250));
        let workspace = own(dir);
        let now =
            Reader::open(workspace.workspace()).and_then(|reader| reader.head()).map_or(head, |head| head.0);
        if now != head {
            (head, quiet) = (now, Instant::now());
        }
    }
}

fn headless(dir: &Path, file: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(["run", file, "--headless"]).current_dir(dir).env_clear().env("HOME", dir);
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// True if the run has ended, by its own log.
fn has_rested(dir: &Path) -> bool {
    let reader = Reader::open(own(dir).workspace());
    let runs = reader.and_then(|reader| reader.runs_index()).unwrap_or_default();
    runs.first().is_some_and(|run| run.rested.is_some())
}

/// Duration of the run by its own log, and the number of its events.
fn course(dir: &Path) -> (Duration, u64) {
    let workspace = own(dir);
    let reader = Reader::open(workspace.workspace()).expect("a reader");
    let (last, _) = reader.head().expect("a head");
    let at = |seq| reader.events(seq, 1).expect("events").first().map_or(0, |(_, event)| event.at.0);
    let took = at(last) - at(Seq(1));
    (Duration::from_millis(took.unsigned_abs()), last.0)
}

fn rate(took: Duration, events: u64) -> String {
    let rate = u128::from(events) * 1_000 / took.as_millis().max(1);
    format!("{:.2} s, {rate} events/s", took.as_secs_f64())
}

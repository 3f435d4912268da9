//! The program as everybody else meets it: a workspace of its own, a clean environment, arguments in, output and exit code
//! out. What is waited for is looked at again and again, with a limit; nothing is believed because time has passed.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Limit of looks before a test gives up: about two minutes.
const LOOKS_MAX: u32 = 24_000;
/// The same, where a look takes long.
const LOOKING_MAX: Duration = Duration::from_mins(3);
/// A command that is not over by then never will be: it is ended, so that its test fails and does not hang.
const COMMAND_SECONDS_MAX: i64 = 300;

/// A workspace that nobody else uses. What still runs in it when the test is over is ended.
pub(crate) struct Place {
    dir: TempDir,
    variables: Vec<(String, String)>,
    is_trusted: AtomicBool,
}

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// It did its work.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// The name of the run that a command has started.
    #[track_caller]
    pub(crate) fn run(&self) -> String {
        let first = self.out.lines().next().unwrap_or_default();
        assert!(first.starts_with("r-"), "{self:?}");
        first.to_owned()
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().expect("a directory for the test");
        Self { dir, variables: Vec::new(), is_trusted: AtomicBool::new(false) }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, in which a workspace that the test writes by hand is nobody's.
    pub(crate) fn untouched(self) -> Self {
        self.is_trusted.store(true, Ordering::Relaxed);
        self
    }

    /// Variables added to the program's environment.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("a file of the test");
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// The program with nothing in its environment but what it needs.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.trust_once();
        self.command_under(&[], args)
    }

    /// A workspace that the test has written by hand is the test's own: it says so before its first command.
    fn trust_once(&self) {
        if self.is_trusted.load(Ordering::Relaxed) || !self.file(".cuelight").is_dir() {
            return;
        }
        self.is_trusted.store(true, Ordering::Relaxed);
        if self.file(".cuelight/id").exists() {
            return;
        }
        let looked = self.command_under(&[], &["trust", "--json"]).output().expect("the program starts");
        // What cannot be looked at is told to the command itself.
        let Ok(told) = serde_json::from_slice::<Value>(&looked.stdout) else { return };
        let hash = text(&told["hash"]);
        let accepted = self.command_under(&[], &["trust", "--own", "--accept", &hash]).output();
        assert!(accepted.expect("the program starts").status.success(), "the workspace of the test");
    }

    /// The same, started by another program: its name and arguments stand in front.
    #[expect(clippy::disallowed_methods, reason = "the program itself is what is tested")]
    fn command_under(&self, wrapper: &[&str], args: &[&str]) -> Command {
        let words: Vec<&str> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_cuelight")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        command
            .args(args)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path())
            .env("LC_ALL", "C.UTF-8")
            .env("CUELIGHT_IDLE_AFTER", "4s")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Another program in the same environment.
    #[expect(clippy::disallowed_methods, reason = "a test needs more than the program itself")]
    pub(crate) fn foreign(&self, program: &str, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        let mut command = Command::new(program);
        command.args(args).env_clear().env("PATH", path).env("HOME", self.path()).env("LC_ALL", "C.UTF-8");
        command.current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Carries out a command to its end.
    pub(crate) fn cue(&self, args: &[&str]) -> Said {
        bounded(&mut self.command(args))
    }

    /// Starts a command whose output is read line by line.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        self.start_fed(args, "")
    }

    /// The same, with something on its standard input.
    pub(crate) fn start_fed(&self, args: &[&str], input: &str) -> Running {
        Self::begin(self.command(args), input)
    }

    /// The same, started by another program.
    pub(crate) fn start_under(&self, wrapper: &[&str], args: &[&str]) -> Running {
        self.trust_once();
        Self::begin(self.command_under(wrapper, args), "")
    }

    /// Another program in the same environment, with the variables of this place.
    pub(crate) fn start_foreign(&self, program: &str, args: &[&str]) -> Running {
        let mut command = self.foreign(program, args);
        command.envs(self.variables().iter().cloned());
        Self::begin(command, "")
    }

    /// Starts a command that was changed, with something on its standard input.
    #[expect(clippy::unused_self, reason = "what it starts lives in this place")]
    pub(crate) fn begin_fed(&self, command: Command, input: &str) -> Running {
        Self::begin(command, input)
    }

    fn begin(mut command: Command, input: &str) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        // Whoever does not read it has said all there is to say.
        drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        Running { child, lines, seen: Vec::new() }
    }

    /// The process that has the workspace, if any has: the one in the lock file, as long as it stands here and lives.
    pub(crate) fn owner(&self) -> Option<Pid> {
        Self::owner_at(self.path())
    }

    /// The directory of the inbox of its user.
    pub(crate) fn inbox(&self) -> PathBuf {
        self.file(".local/state/cuelight/inbox")
    }

    /// The process that has another workspace.
    pub(crate) fn owner_at(root: &Path) -> Option<Pid> {
        let pid = fs::read_to_string(root.join(".cuelight/lock")).ok()?;
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw)?;
        let about = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let is_here = fs::read_link(about.join("cwd")).ok()? == root.canonicalize().ok()?;
        // What is dead and was not asked for its end yet has no command line.
        let command = fs::read(about.join("cmdline")).ok()?;
        (is_here && !command.is_empty()).then_some(pid)
    }

    /// `kill -9` of the process that has the workspace, and of it alone; returns when it is gone.
    pub(crate) fn kill_owner(&self) {
        until("the owner is gone", || {
            self.owner().into_iter().for_each(|pid| tell(pid, Signal::KILL));
            self.owner().is_none()
        });
    }

    /// The guards that live, as they wrote themselves down.
    pub(crate) fn guards(&self) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir(self.file(".cuelight/guard")) else { return Vec::new() };
        let logs = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        let heads = logs.filter_map(|log| Some(fs::read_to_string(log).ok()?.lines().next()?.to_owned()));
        let heads = heads.filter_map(|head| serde_json::from_str::<Value>(head.split_once(' ')?.1).ok());
        let pids = heads.filter_map(|head| i32::try_from(head["guard"]["pid"].as_i64()?).ok());
        // What is dead and was not asked for its end yet has no command line.
        let lives = |pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|number| *number == 0).any(|part| part == b"guard-serve")
        };
        pids.filter(lives).filter_map(Pid::from_raw).collect()
    }

    /// `kill -9` of all guards, and of them alone; returns when they are gone.
    pub(crate) fn kill_guards(&self) {
        until("the guards are gone", || {
            self.guards().into_iter().for_each(|pid| tell(pid, Signal::KILL));
            self.guards().is_empty()
        });
    }

    /// Runs as `runs --json` tells of them.
    pub(crate) fn runs(&self) -> Vec<Value> {
        match self.cue(&["runs", "--json"]).ok().json() {
            Value::Array(runs) => runs,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn show(&self, run: &str) -> Value {
        self.cue(&["show", run, "--json"]).ok().json()
    }

    pub(crate) fn state(&self, run: &str) -> String {
        text(&self.show(run)["state"])
    }

    /// All gates, also those that have closed.
    pub(crate) fn gates(&self) -> Vec<Value> {
        match self.cue(&["gates", "--json"]).ok().json() {
            Value::Array(gates) => gates,
            other => panic!("{other}"),
        }
    }

    /// The events of a run, as `events --json` prints them.
    pub(crate) fn events(&self, run: &str) -> Vec<Value> {
        let said = self.cue(&["events", run, "--json"]).ok();
        said.out.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    pub(crate) fn step(&self, run: &str, step: &str) -> Value {
        let show = self.show(run);
        let steps = show["steps"].as_array().expect("steps");
        steps.iter().find(|value| value["id"] == step).unwrap_or_else(|| panic!("{step}: {show}")).clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What has failed already may never leave when it is asked to.
            self.kill_owner();
            self.kill_guards();
            return;
        }
        for root in [self.path().to_owned(), self.inbox()] {
            if let Some(pid) = Self::owner_at(&root) {
                tell(pid, Signal::TERM);
                until("the last engine has left", || Self::owner_at(&root).is_none());
            }
        }
        // What was left to them on purpose is of no use to anybody now.
        self.guards().into_iter().for_each(|pid| tell(pid, Signal::TERM));
        until("the last guard has left", || self.guards().is_empty());
    }
}

/// Carries out a command to its end, which it is made to come to.
pub(crate) fn bounded(command: &mut Command) -> Said {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let mut pipes = [
        (child.stdout.take().map(std::os::fd::OwnedFd::from), Vec::new()),
        (child.stderr.take().map(std::os::fd::OwnedFd::from), Vec::new()),
    ];
    while pipes.iter().any(|pipe| pipe.0.is_some()) {
        let open: Vec<&std::os::fd::OwnedFd> = pipes.iter().filter_map(|pipe| pipe.0.as_ref()).collect();
        if !are_readable(&open) {
            tell(pid, Signal::KILL);
            panic!("it says nothing more, and does not end: {command:?}");
        }
        for (pipe, said) in &mut pipes {
            let Some(open) = pipe.as_ref().filter(is_ready) else { continue };
            let mut bytes = [0; 8 * 1024];
            match rustix::io::read(open, &mut bytes).expect("a pipe") {
                0 => *pipe = None,
                length => said.extend_from_slice(&bytes[..length]),
            }
        }
    }
    let mut ended = None;
    until("a command ends", || {
        ended = child.try_wait().expect("it can be asked");
        ended.is_some()
    });
    let status = ended.expect("it has ended");
    let [(_, out), (_, err)] = pipes;
    let of = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = status.code().or_else(|| status.signal().map(|_| -1)).unwrap_or(-1);
    Said { code, out: of(out), err: of(err) }
}

/// Waits until one of them says something or is closed; false when that takes too long.
fn are_readable(pipes: &[&std::os::fd::OwnedFd]) -> bool {
    let most = Timespec { tv_sec: COMMAND_SECONDS_MAX, tv_nsec: 0 };
    let mut asked: Vec<PollFd<'_>> = pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::IN)).collect();
    poll(&mut asked, Some(&most)).is_ok_and(|number| number > 0)
}

/// The same of one.
fn is_readable(pipe: &impl std::os::fd::AsFd) -> bool {
    let most = Timespec { tv_sec: COMMAND_SECONDS_MAX, tv_nsec: 0 };
    poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&most)).is_ok_and(|number| number > 0)
}

/// True if the pipe can be read without waiting.
fn is_ready(pipe: &impl std::os::fd::AsFd) -> bool {
    poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&Timespec::default())).is_ok_and(|number| number > 0)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A command that has not ended.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    /// Whole lines that it has printed and that were read.
    pub(crate) seen: Vec<String>,
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// The next line; nothing when it has closed its output.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            if self.lines.buffer().is_empty() && !is_readable(self.lines.get_ref()) {
                tell(self.pid(), Signal::KILL);
                panic!("it says nothing more, and does not end: {:#?}", self.seen);
            }
            let bytes = self.lines.fill_buf().expect("it can be read");
            if bytes.is_empty() {
                break;
            }
            let taken = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |index| index + 1);
            line.extend_from_slice(&bytes[..taken]);
            self.lines.consume(taken);
        }
        let line = String::from_utf8(line).expect("it prints text");
        let whole = line.strip_suffix('\n')?.to_owned();
        self.seen.push(whole.clone());
        Some(whole)
    }

    /// Reads until a line holds this.
    #[track_caller]
    pub(crate) fn until(&mut self, part: &str) -> String {
        loop {
            let Some(line) = self.line() else { panic!("{part} never came: {:#?}", self.seen) };
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, which: Signal) {
        tell(self.pid(), which);
    }

    /// Reads to its end and says how it ended; a signal counts as 128 and its number.
    pub(crate) fn end(mut self) -> Said {
        use std::os::unix::process::ExitStatusExt as _;
        while self.line().is_some() {}
        let mut ended = None;
        until("it ends, after it has closed its output", || {
            ended = self.child.try_wait().expect("it can be asked");
            ended.is_some()
        });
        let status = ended.expect("it has ended");
        let mut err = String::new();
        // What is left in the pipe is of interest only when a test fails.
        drop(self.child.stderr.take().expect("a pipe").read_to_string(&mut err));
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Said { code, out: self.seen.join("\n"), err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
            drop(self.child.wait());
        }
    }
}

pub(crate) fn tell(pid: Pid, signal: Signal) {
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Looks until it is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_else(what, is_so, String::new);
}

/// Looks until it is so; when it never is, tells what there is instead.
#[track_caller]
pub(crate) fn until_else(what: &str, mut is_so: impl FnMut() -> bool, instead: impl FnOnce() -> String) {
    let began = Instant::now();
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        // A look that asks the program takes a while itself.
        if began.elapsed() > LOOKING_MAX {
            break;
        }
        pause(Duration::from_millis(5));
    }
    panic!("it never came about that {what} {}", instead());
}

/// Between two looks, and before a blow; nothing may be concluded from it.
#[expect(
    clippy::disallowed_methods,
    reason = "another process is looked at, which tells nobody when it changes"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

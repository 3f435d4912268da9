//! The program as everybody else meets it: a workspace of its own, a clean environment, arguments in, output and exit code
//! out. What is waited for is looked at again and again, with a limit; nothing is believed because time has passed.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How often something is looked at before a test gives up: some two minutes.
const LOOKS_MAX: u32 = 24_000;
/// The same, where a look takes long.
const LOOKING_MAX: Duration = Duration::from_mins(3);

/// A workspace that nobody else uses. What still runs in it when the test is over is ended.
pub(crate) struct Place {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command said.
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
        Self { dir: TempDir::new().expect("a directory for the test"), variables: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What was added to its environment.
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
        self.command_under(&[], args)
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

    /// Carries out a command to its end.
    pub(crate) fn cue(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().expect("the program starts");
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
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
        Self::begin(self.command_under(wrapper, args), "")
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
        let pid = self.text(".cuelight/lock").trim().parse().ok().and_then(Pid::from_raw)?;
        let about = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        let is_here = fs::read_link(about.join("cwd")).ok()? == self.path().canonicalize().ok()?;
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
        let logs =
            entries.flatten().map(|it| it.path()).filter(|it| it.extension().is_some_and(|it| it == "log"));
        let heads = logs.filter_map(|it| Some(fs::read_to_string(it).ok()?.lines().next()?.to_owned()));
        let heads = heads.filter_map(|it| serde_json::from_str::<Value>(it.split_once(' ')?.1).ok());
        let pids = heads.filter_map(|it| i32::try_from(it["guard"]["pid"].as_i64()?).ok());
        // What is dead and was not asked for its end yet has no command line.
        let lives = |pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|it| *it == 0).any(|it| it == b"guard-serve")
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
        steps.iter().find(|it| it["id"] == step).unwrap_or_else(|| panic!("{step}: {show}")).clone()
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
        if let Some(pid) = self.owner() {
            tell(pid, Signal::TERM);
            until("the last engine has left", || self.owner().is_none());
        }
        // What was left to them on purpose is of no use to anybody now.
        self.guards().into_iter().for_each(|pid| tell(pid, Signal::TERM));
        until("the last guard has left", || self.guards().is_empty());
    }
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
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it prints text");
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
        let mut err = String::new();
        // What is left in the pipe is of interest only when a test fails.
        drop(self.child.stderr.take().expect("a pipe").read_to_string(&mut err));
        let status = self.child.wait().expect("it ends");
        let code = status.code().or_else(|| status.signal().map(|it| 128 + it)).unwrap_or(-1);
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

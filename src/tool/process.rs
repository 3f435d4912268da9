//! Starts a local program and stays with it to its end. The one place of this room where processes are made.
//!
//! The program gets a process group of its own, nothing to read (a tool: its input), and one pipe for both kinds of output, so that their
//! order is kept. One future does it all: nothing is spawned beside it, and when it is dropped the group dies.
//!
//! The group is signalled only while its leader is not reaped, so its number cannot belong to anybody else. An outcome
//! never waits for a pipe that a background child holds open: it gets [`QUIET`] without output, then it is ended.

use super::{
    Answer, Ended, HandedOver, HttpPolicy, Masker, Secret, SecretStore,
    agent::{Heard, understood},
    executable::{self, Executable, Remembered},
    guard::{Becoming, Conditions, Kin, Reach, Spare, Staged, VARIABLES},
    http::Door,
    mask::MaskStream,
    mcp::{self, Errand},
    oom::OomWatch,
    outputs::read_outputs,
    program::{Obstacle, directory, program},
    pulse::Pulse,
    scratch::{self, Scratch, is_untouched},
    spool::{Now, Spool},
};
use cuelight_base::{
    AGENT_LOST_AFTER, BUILT_IN_CPU_MAX, BUILT_IN_MEMORY_BYTES_MAX, FailureMode, Launch, Program, Span,
    TextPart, Timestamp, ToolCall, Value, ValueMap, Word, size_word,
};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open, waitid,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Seek as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{
            ffi::OsStringExt as _,
            fs::{DirBuilderExt as _, OpenOptionsExt as _},
            process::{CommandExt as _, ExitStatusExt as _},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::unix::pipe,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Bytes taken from the pipe at once: at first, since most steps say little, …
const CHUNK_BYTES_MIN: usize = 4 * 1024;
/// … and from one who has much to say.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// After the leader has ended, a pipe that somebody else holds open is left when it has been silent so long …
const QUIET: Duration = Duration::from_millis(200);
/// … or has gone on for so long.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// Bytes that a pipe may still hold when all writers within our reach are dead.
const PIPE_BYTES_MAX: usize = 1024 * 1024;
/// Between two looks at what is left of a step that is ended, …
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Between two counts of the processes of a step whose number is limited.
const COUNT_PAUSE: Duration = Duration::from_millis(50);
/// … and how many there are after the last resort.
const LOOKS_AFTER_KILL: u32 = 500;
/// The names under which a step finds the file for its outputs.
const OUTPUT_NAMES: [&str; 3] = ["CUELIGHT_OUTPUT", "GITHUB_OUTPUT", "DAGU_OUTPUT_FILE"];

/// The command behind built-in tools.
const BUILT_IN_WORD: &str = "built-in";
/// The word by which tools call this program itself.
const OWN_NAME: &str = "cuelight";

/// Settings and resources that all calls of one workspace share.
pub struct Host {
    workspace_root: PathBuf,
    base_env: Vec<(String, String)>,
    secrets: Arc<SecretStore>,
    kill_grace: Span,
    scratch: Scratch,
    oom: OomWatch,
    hashes: Remembered,
    /// This program, for tools that it does itself in a process of their own.
    own: Option<PathBuf>,
    http: Door,
    now: Option<Now>,
    /// In a guard: whose each process below it is.
    kin: Option<Arc<Kin>>,
}

impl Host {
    /// `base_env` is all that a process inherits; `kill_grace` lies between asking a process to end and ending it.
    pub fn new(
        workspace_root: PathBuf,
        base_env: Vec<(String, String)>,
        secrets: impl Into<Arc<SecretStore>>,
        kill_grace: Span,
    ) -> Self {
        let secrets = secrets.into();
        let scratch = Scratch::new(&workspace_root.join(".cuelight/scratch"));
        let (oom, hashes) = (OomWatch::new(), Remembered::default());
        let http = Door::default();
        let (own, now, kin) = (None, None, None);
        Self { workspace_root, base_env, secrets, kill_grace, scratch, oom, hashes, own, http, now, kin }
    }

    /// Told what time it is, it remembers when output came.
    #[must_use]
    pub fn with_clock(self, now: Now) -> Self {
        Self { now: Some(now), ..self }
    }

    /// The same in a process that guards its own calls: whatever they start stays below it, until [all of it is ended](Self::end_all).
    ///
    /// # Errors
    /// When the system has no child subreaper.
    pub fn as_guard(self) -> io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        super::step_mark::put_on()?;
        let kin = Arc::new(Kin::new(&self.workspace_root));
        Ok(self.with_kin(kin))
    }

    /// Ends every process below this one. Nothing that a call has started outlives it then.
    pub fn end_all(&self) {
        if let Some(kin) = &self.kin {
            kin.end_all();
        }
    }

    /// The same in a guard, below which every process of a step stays.
    #[must_use]
    pub(super) fn with_kin(self, kin: Arc<Kin>) -> Self {
        Self { kin: Some(kin), ..self }
    }

    /// The spool for the output of a call.
    pub(super) fn spool(&self, launch: &Launch, call: &Call) -> Spool {
        Spool::new(call.attempt_dir.clone(), launch.output_limit, self.now.clone())
    }

    /// Opens and hashes what a call executes, in the workspace or in a captured one; what is then started is what was opened. Reads files: it takes a moment.
    pub fn open(&self, program: &Program, tree: Option<&Path>) -> Executable {
        let value =
            |name: &str| self.base_env.iter().rfind(|pair| pair.0 == name).map(|pair| pair.1.as_str());
        let places = executable::Places { search: value("PATH"), home: value("HOME") };
        executable::open(tree.unwrap_or(&self.workspace_root), places, program, &self.hashes)
    }

    /// The same, with the program that a tool means by the word `cuelight`; else it is looked for on the path.
    #[must_use]
    pub fn with_program(self, own: Option<PathBuf>) -> Self {
        Self { own, ..self }
    }

    /// The same, with what this workspace allows of requests; else they go to public addresses alone.
    #[must_use]
    pub fn with_http(self, policy: HttpPolicy) -> Self {
        Self { http: Door::new(policy), ..self }
    }

    /// Gives a call a secret that is made for it alone, in place of the one of this name, while what is given back is there.
    pub fn hand_over(&self, launch: &mut Launch, name: &str, call: &str, secret: Secret) -> HandedOver<'_> {
        self.secrets.hand_over(launch, name, call, secret)
    }

    /// The client for outgoing requests.
    pub(super) fn http(&self) -> &Door {
        &self.http
    }

    /// Root directory of the workspace.
    pub(super) fn root(&self) -> &Path {
        &self.workspace_root
    }

    /// The masker of the secrets that a launch names.
    ///
    /// # Errors
    /// A secret that is not set, or too long to be masked, as a sentence.
    pub fn masker(&self, launch: &Launch) -> Result<Masker, String> {
        self.secrets_of(launch).map(|secrets| secrets.1)
    }

    /// The secrets that a launch names, and what hides them.
    pub(super) fn secrets_of(&self, launch: &Launch) -> Result<(BTreeMap<String, Secret>, Masker), String> {
        let secrets = self.secrets.resolve(launch)?;
        let masker = masker_of(&secrets)?;
        Ok((secrets, masker))
    }
}

fn masker_of(secrets: &BTreeMap<String, Secret>) -> Result<Masker, String> {
    Masker::new(secrets.values())
        .map_err(|error| format!("its secrets could not be masked: {error}; use shorter values"))
}

/// Identity of a call: passed to the process, and used to place its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// A directory of this attempt alone; made here, 0700, when there is something to keep.
    pub attempt_dir: PathBuf,
    /// Value of the variable `CUELIGHT_RUN`.
    pub run: String,
    /// Value of the variable `CUELIGHT_STEP`.
    pub step: String,
    /// Value of the variable `CUELIGHT_ATTEMPT`.
    pub attempt: String,
    /// `CUELIGHT_KEY`: the same over all attempts, for the other side to notice a repetition.
    pub effect_key: String,
    /// The captured workspace in which it runs, in place of the workspace itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<PathBuf>,
    /// `TRACEPARENT`: where in a trace it stands, as the W3C writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A report that new output has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The newest stretch, masked, as it was just written to the spool.
    pub bytes: &'a [u8],
    /// Bytes of output so far.
    pub total: u64,
    /// When that stretch came, as far as there is a clock.
    pub at: Option<Timestamp>,
}

/// Calls a program and stays until it has ended, timed out, or was cancelled, and nothing of its group is left. What was
/// opened for it before is executed; else it is found by name.
pub async fn run_process(
    host: &Host,
    launch: &Launch,
    opened: Option<&Executable>,
    call: &Call,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    match host.secrets.resolve(launch) {
        Ok(secrets) => run_with(host, launch, secrets, opened, call, cancel, progress).await,
        Err(_) if cancel.is_cancelled() => Answer::without_output(Ended::Cancelled),
        Err(said) => Answer::not_started(None, format!("could not start: {said}")),
    }
}

/// The same, with the values of the secrets that the launch names.
pub(super) async fn run_with(
    host: &Host,
    launch: &Launch,
    secrets: BTreeMap<String, Secret>,
    opened: Option<&Executable>,
    call: &Call,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    if cancel.is_cancelled() {
        return Answer::without_output(Ended::Cancelled);
    }
    let refused = |unwritable: Obstacle| {
        Answer::not_started(unwritable.errno, format!("could not start: {}", unwritable.said))
    };
    let output = match host.scratch.lend() {
        Ok(output) => output,
        Err(error) => return refused(unwritable(&host.workspace_root.join(".cuelight"), &error)),
    };
    let agent = launch.tool.as_ref().and_then(|tool| tool.agent.as_ref());
    // Of a step in a sandbox: the place it has to itself.
    let home = launch.sandboxed.then(|| output.with_extension("home"));
    let prepared = prepare(host, launch, &secrets, opened, call, &output, home.as_deref()).await;
    let (mut leader, pipe, masker) = match prepared {
        Ok(prepared) => prepared,
        Err(obstacle) => {
            host.scratch.give_back(output, true);
            scratch::sweep(home).await;
            return refused(obstacle);
        }
    };
    if let Some((staged, explain)) = leader.staged.take()
        && let Err(why) = released(staged.release(), launch.timeout, cancel).await
    {
        leader.signal(Signal::KILL);
        drop(leader.reap());
        host.scratch.give_back(output, true);
        scratch::sweep(home).await;
        return match why {
            Unreleased::Failed(error) => refused(explain(&error)),
            Unreleased::Cut(ended) => Answer::without_output(ended),
        };
    }
    if let Some(kin) = host.kin.as_ref().filter(|_| launch.ends_with_console) {
        // Where one of them is, the next may come soon.
        kin.start_ahead();
    }
    let mut intake = Intake {
        pipe: Some(pipe),
        chunk: Vec::new(),
        mask: masker.stream(),
        clear: Vec::new(),
        spool: host.spool(launch, call),
        heard: agent.map(|_| Heard::default()),
    };
    let limits = Limits {
        timeout: launch.timeout,
        grace: host.kill_grace,
        heartbeat: agent.and_then(|agent| agent.heartbeat),
        processes: launch.limits.processes,
        output: &output,
    };
    let stop = attend(&mut leader, &mut intake, &limits, cancel, &mut progress).await;
    let left_behind = intake.pipe.is_some();
    leader.signal(Signal::KILL);
    intake.take_rest(&mut progress);
    let status = leader.reap();
    let ended = match stop {
        Some(Stop::Cancelled) => Ended::Cancelled,
        Some(Stop::TimedOut(after)) => Ended::TimedOut { after },
        Some(Stop::Silent { after, heartbeat }) => Ended::Silent { after, heartbeat },
        Some(Stop::TooMany(most)) => Ended::Failed {
            mode: FailureMode::ResourceQuota,
            message: format!("started too many processes: limit {most}; raise `processes` under `limits`"),
        },
        None => ended(&status, &host.oom),
    };
    let untouched = is_untouched(&output);
    let outputs = if untouched { Ok(ValueMap::new()) } else { read_outputs(&output) };
    let heard = intake.heard.take();
    let is_torn = outputs.is_err();
    let answer = answer(ended, intake.spool, left_behind, &masker, outputs, launch);
    let answer = match &heard {
        Some(heard) => understood(heard, answer, &masker),
        None if launch.tool.as_ref().is_some_and(|tool| tool.mcp.is_some()) => mcp::told(answer, is_torn),
        None => answer,
    };
    scratch::sweep(home).await;
    if left_behind {
        host.scratch.discard(&output);
    } else {
        host.scratch.give_back(output, untouched);
    }
    answer
}

/// Why a child did not become the program of its step.
#[derive(Debug)]
enum Unreleased {
    Failed(io::Error),
    Cut(Ended),
}

/// Waits until it did, but no longer than its step may run, and not when that is cancelled.
async fn released(
    release: impl Future<Output = io::Result<()>>,
    timeout: Option<Span>,
    cancel: &CancellationToken,
) -> Result<(), Unreleased> {
    let late = async {
        match timeout {
            Some(after) => {
                sleep(after.to_std()).await;
                after
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = release => done.map_err(Unreleased::Failed),
        () = cancel.cancelled() => Err(Unreleased::Cut(Ended::Cancelled)),
        after = late => Err(Unreleased::Cut(Ended::TimedOut { after })),
    }
}

/// Why we ended it.
#[derive(Clone, Copy)]
enum Stop {
    Cancelled,
    TimedOut(Span),
    Silent {
        after: Span,
        heartbeat: Span,
    },
    /// It had more processes than this.
    TooMany(u64),
}

/// Limits of time and of processes, and the signs of life that are due meanwhile.
struct Limits<'a> {
    timeout: Option<Span>,
    grace: Span,
    heartbeat: Option<Span>,
    /// Limit of the number of processes.
    processes: Option<u64>,
    /// The file for its outputs: touching it is a sign of life.
    output: &'a Path,
}

/// Stays with a process until its leader is dead and its pipe is closed or given up.
async fn attend(
    leader: &mut Leader,
    intake: &mut Intake,
    limits: &Limits<'_>,
    cancel: &CancellationToken,
    progress: &mut (impl FnMut(Progress<'_>) + Send),
) -> Option<Stop> {
    let mut stop = None;
    let mut killed = false;
    let timer = sleep(limits.timeout.unwrap_or_default().to_std());
    let beat = sleep(limits.heartbeat.unwrap_or_default().to_std());
    let mut pulse = Pulse::of(limits.output);
    let count = sleep(COUNT_PAUSE);
    tokio::pin!(timer, beat, count);
    loop {
        let armed = stop.is_some() && !killed || stop.is_none() && limits.timeout.is_some();
        let beats = stop.is_none() && limits.heartbeat.is_some();
        tokio::select! {
            biased;
            () = leader.exited() => break,
            () = cancel.cancelled(), if stop.is_none() => {
                stop = Some(Stop::Cancelled);
                leader.ask_to_end();
                timer.set(sleep(limits.grace.to_std()));
            }
            () = &mut timer, if armed => {
                if stop.is_some() {
                    leader.signal(Signal::KILL);
                    killed = true;
                } else {
                    stop = limits.timeout.map(Stop::TimedOut);
                    leader.ask_to_end();
                    timer.set(sleep(limits.grace.to_std()));
                }
            }
            () = &mut count, if stop.is_none() && limits.processes.is_some() => {
                let most = limits.processes.unwrap_or(u64::MAX);
                if leader.has_more_than(most) {
                    // Not asked: whoever forks without end would go on while it is.
                    stop = Some(Stop::TooMany(most));
                    leader.hold_kin();
                    leader.signal_kin(Signal::KILL);
                    leader.signal(Signal::KILL);
                    killed = true;
                }
                count.set(sleep(COUNT_PAUSE));
            }
            () = intake.take(progress), if intake.pipe.is_some() => {
                if let Some(heartbeat) = limits.heartbeat.filter(|_| beats) {
                    pulse.heard();
                    beat.set(sleep(heartbeat.to_std()));
                }
            }
            () = &mut beat, if beats => {
                let heartbeat = limits.heartbeat.unwrap_or_default();
                let after = pulse.missed(heartbeat);
                if pulse.is_late() {
                    let lost = Span(heartbeat.0.saturating_mul(AGENT_LOST_AFTER));
                    intake.remark(&format!("— late: nothing heard for {after}; after {lost} it counts as lost —"), progress);
                }
                if pulse.is_lost() {
                    stop = Some(Stop::Silent { after, heartbeat });
                    leader.ask_to_end();
                    timer.set(sleep(limits.grace.to_std()));
                } else {
                    beat.set(sleep(heartbeat.to_std()));
                }
            }
        }
    }
    // Whoever was asked to end keeps the rest of the grace for its children; else silence decides.
    let asked = stop.is_some() && !killed;
    if !asked {
        timer.set(sleep(DRAIN_MAX));
    }
    while intake.pipe.is_some() {
        tokio::select! {
            biased;
            () = &mut timer => break,
            () = intake.take(progress) => {}
            () = sleep(QUIET), if !asked => break,
        }
    }
    if stop.is_some() {
        // What has left its group was asked to end as well, and has as long.
        while asked && !timer.is_elapsed() && leader.has_left() {
            sleep(LOOK_PAUSE).await;
        }
        for _ in 0..LOOKS_AFTER_KILL {
            if leader.signal_kin(Signal::KILL) == 0 {
                break;
            }
            sleep(LOOK_PAUSE).await;
            // What grows as quickly as it is ended starts nothing more.
            leader.hold_kin();
        }
    }
    stop
}

fn ended(status: &io::Result<ExitStatus>, oom: &OomWatch) -> Ended {
    let Ok(status) = status else {
        return Ended::NotStarted {
            errno: None,
            message: "could not learn how it ended; see its log".to_owned(),
        };
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, Some(number)) => Ended::Signal {
            number,
            core: status.core_dumped(),
            out_of_memory: number == 9 && oom.has_killed(),
        },
        (None, None) => Ended::Exit(status.into_raw()),
    }
}

fn answer(
    ended: Ended,
    spool: Spool,
    left_behind: bool,
    masker: &Masker,
    outputs: Result<ValueMap, String>,
    launch: &Launch,
) -> Answer {
    let spooled = spool.finish();
    let ended = by_own_limit(launch, &ended, &spooled.tail).unwrap_or(ended);
    let (ended, mut outputs) = match (ended, outputs) {
        (ended, Ok(outputs)) => (ended, outputs),
        (Ended::Exit(0), Err(message)) => {
            (Ended::BadOutputs { message: masker.mask(&message) }, ValueMap::new())
        }
        (ended, Err(_)) => (ended, ValueMap::new()),
    };
    for value in outputs.values_mut() {
        if let Value::String(text) = value {
            *text = masker.mask(text);
        }
    }
    let (limits, sandboxed) = (launch.limits, launch.sandboxed);
    Answer { left_behind, limits, sandboxed, ..Answer::spooled(ended, outputs, spooled) }
}

/// The end of a built-in tool that ran into its limits: without memory or stack, a process can only abort.
fn by_own_limit(launch: &Launch, ended: &Ended, tail: &str) -> Option<Ended> {
    let tool = launch.tool.as_ref().filter(|_| launch.argv.first().is_some_and(|text| text == OWN_NAME))?;
    if launch.argv.get(1).is_none_or(|text| text != BUILT_IN_WORD) {
        return None;
    }
    let Ended::Signal { number, .. } = ended else { return None };
    let (mode, message) = match number {
        6 if tail.contains("stack overflow") => (
            FailureMode::ResourceMemory,
            format!("{} was given, or made, a value that is nested too deep; narrow the filter", tool.name),
        ),
        6 | 11 => (
            FailureMode::ResourceMemory,
            format!(
                "{} needed more than {}; narrow the filter",
                tool.name,
                size_word(BUILT_IN_MEMORY_BYTES_MAX)
            ),
        ),
        24 => (
            FailureMode::ResourceQuota,
            format!("{} needed more than {BUILT_IN_CPU_MAX} of processor time; narrow the filter", tool.name),
        ),
        _ => return None,
    };
    Some(Ended::Failed { mode, message })
}

/// All that can go wrong before anything runs, then the process itself.
async fn prepare(
    host: &Host,
    launch: &Launch,
    secrets: &BTreeMap<String, Secret>,
    opened: Option<&Executable>,
    call: &Call,
    output: &Path,
    home: Option<&Path>,
) -> Result<(Leader, pipe::Receiver, Masker), Obstacle> {
    let masker = masker_of(secrets).map_err(Obstacle::plain)?;
    let mut env = environment(host, launch, secrets, call, output, home)?;
    let root = call.tree.as_ref().unwrap_or(&host.workspace_root);
    let dir = directory(root, launch.dir.as_deref())?;
    if let Some(home) = home {
        DirBuilder::new().mode(0o700).create(home).map_err(|error| unwritable(home, &error))?;
    }
    let (word, arguments) = launch
        .argv
        .split_first()
        .ok_or_else(|| Obstacle::plain("no command is given; write one".to_owned()))?;
    if launch.argv.iter().any(|text| text.contains('\0')) {
        return Err(Obstacle::plain(
            "its command holds a NUL byte, which no command can; remove it".to_owned(),
        ));
    }
    let own = host.own.as_ref().filter(|_| launch.tool.is_some() && word == OWN_NAME);
    if own.is_some() {
        // What the allocator takes ahead would count as memory of the tool.
        env.insert(OsStr::new("MIMALLOC_ARENA_RESERVE"), "32MiB".into());
    }
    let input = match &launch.tool {
        Some(tool) => Some(handed_over(output, tool).map_err(|error| unwritable(output, &error))?),
        None => None,
    };
    remove_old(&call.attempt_dir).map_err(|error| unwritable(&call.attempt_dir, &error))?;
    let opened = opened.filter(|_| own.is_none());
    let mut held = Vec::new();
    let (path, name, words) = match opened.and_then(Executable::start) {
        Some((executed, words, taken)) => {
            let value = |word: Word| match word {
                Word::Text(text) => OsString::from(text),
                Word::Variable(name) => env.get(OsStr::new(&name)).cloned().unwrap_or_default(),
            };
            let rest = launch.words().into_iter().skip(taken).map(value);
            let ours =
                std::iter::once(executed.as_os_str()).chain(words[1..].iter().map(OsString::as_os_str));
            held.extend(
                ours.enumerate()
                    .filter(|entry| opened.is_some_and(|all| all.holds(entry.1)))
                    .map(|entry| entry.0),
            );
            (executed.to_owned(), words[0].clone(), words[1..].iter().cloned().chain(rest).collect())
        }
        None => {
            let search = env.get(OsStr::new("PATH")).and_then(|text| text.to_str());
            let path = match own {
                Some(own) => own.clone(),
                None => program(word, search, &dir)?,
            };
            (path, OsString::from(word), arguments.iter().map(OsString::from).collect::<Vec<_>>())
        }
    };
    let (word, shown) = (word.clone(), path.clone());
    let explain = move |error: &io::Error| explain(error, &word, &shown);
    // Where there is a guard to die, what is to end with it takes a way that tells the kernel so, and so does what is limited.
    let sandbox = home.map(|home| Reach::of(root, call.tree.is_some(), &dir, home, output)).transpose();
    let (sandbox, place) = sandbox.map_err(Obstacle::plain)?.unzip();
    let conditions = Conditions {
        dies_with_guard: launch.ends_with_console && host.kin.is_some(),
        limits: launch.limits,
        sandbox,
        held,
    };
    if conditions.is_held() && host.kin.is_none() {
        return Err(Obstacle::plain(
            "its `limits` and its `sandbox` are set by a guard, which this system has none of; take those keys out"
                .to_owned(),
        ));
    }
    // Of a sandbox the very directory that was judged, whatever its name means by now.
    let judged = place.as_ref().map(|place| PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd())));
    let becoming = Becoming {
        conditions: &conditions,
        program: &path,
        name: &name,
        words: &words,
        environment: &env,
        dir: judged.as_ref().unwrap_or(&dir),
    };
    let (mut leader, pipe, staged) =
        begin(host.kin.as_deref(), &becoming, input).await.map_err(|error| explain(&error))?;
    host.oom.goes_first(leader.pid);
    if let Some(kin) = &host.kin {
        kin.began(&call.attempt, leader.pid);
        leader.kin = Some((Arc::clone(kin), call.attempt.clone()));
    }
    leader.staged = staged.map(|staged| (staged, Box::new(explain) as Explain));
    Ok((leader, pipe, masker))
}

/// All variables of a process: what it inherits, what its step says, and what tells it which call it is.
fn environment<'a>(
    host: &'a Host,
    launch: &'a Launch,
    secrets: &BTreeMap<String, Secret>,
    call: &Call,
    output: &Path,
    home: Option<&Path>,
) -> Result<BTreeMap<&'a OsStr, OsString>, Obstacle> {
    let mut env: BTreeMap<&OsStr, OsString> = BTreeMap::new();
    for (name, value) in &host.base_env {
        let is_plain = || VARIABLES.contains(&name.as_str()) || name.starts_with("LC_");
        if !launch.sandboxed || is_plain() {
            env.insert(OsStr::new(name), value.into());
        }
    }
    for name in home.iter().flat_map(|_| ["HOME", "TMPDIR"]) {
        env.insert(OsStr::new(name), home.map(OsString::from).unwrap_or_default());
    }
    for (name, parts) in &launch.env {
        let mut value = Vec::new();
        for part in parts {
            match part {
                TextPart::Text(text) => value.extend_from_slice(text.as_bytes()),
                TextPart::Secret(name) => value.extend_from_slice(secrets[name].reveal()),
            }
        }
        check_variable(name, &value)?;
        env.insert(OsStr::new(name), OsString::from_vec(value));
    }
    for name in OUTPUT_NAMES {
        env.insert(OsStr::new(name), output.into());
    }
    for (name, value) in [
        ("CUELIGHT_RUN", &call.run),
        ("CUELIGHT_STEP", &call.step),
        ("CUELIGHT_ATTEMPT", &call.attempt),
        ("CUELIGHT_KEY", &call.effect_key),
    ] {
        env.insert(OsStr::new(name), value.into());
    }
    if call.tree.is_some() {
        env.insert(OsStr::new("CUELIGHT_WORKSPACE"), host.workspace_root.as_os_str().to_owned());
    }
    if let Some(traceparent) = &call.traceparent {
        env.insert(OsStr::new("TRACEPARENT"), traceparent.into());
    }
    Ok(env)
}

#[expect(clippy::disallowed_methods, reason = "this is the place where processes start")]
fn new_command(path: &Path) -> Command {
    Command::new(path)
}

/// The input of a tool as JSON, in a file whose name is already removed. A call of an MCP server also gets
/// the tool's accepted description.
fn handed_over(output: &Path, tool: &ToolCall) -> io::Result<File> {
    let path = output.with_extension("input");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    match &tool.mcp {
        Some(held) => {
            serde_json::to_writer(&mut file, &Errand { held: (**held).clone(), input: tool.input.clone() })?
        }
        None => serde_json::to_writer(&mut file, &tool.input)?,
    }
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file)
}

/// Starts it in one of three ways: directly, as a child that becomes it, or as one that was started ahead.
async fn begin(
    kin: Option<&Kin>,
    becoming: &Becoming<'_>,
    input: Option<File>,
) -> io::Result<(Leader, pipe::Receiver, Option<Staged>)> {
    if let Some(kin) = kin.filter(|_| becoming.conditions.may_be_ahead())
        && let Some(spare) = kin.spare()
    {
        return begin_ahead(spare, becoming, input).inspect_err(|_| kin.never_began());
    }
    let (mut command, staged, input) = if becoming.conditions.are_any() {
        let (command, staged) = Staged::command(becoming, input)?;
        (command, Some(staged), None)
    } else {
        let mut command = new_command(becoming.program);
        command
            .arg0(becoming.name)
            .args(becoming.words)
            .env_clear()
            .envs(becoming.environment)
            .process_group(0);
        (command, None, Some(input.map_or_else(Stdio::null, Stdio::from)))
    };
    command.current_dir(becoming.dir);
    let (leader, pipe) = start(command, input, kin).await?;
    Ok((leader, pipe, staged))
}

fn begin_ahead(
    spare: Spare,
    becoming: &Becoming<'_>,
    input: Option<File>,
) -> io::Result<(Leader, pipe::Receiver, Option<Staged>)> {
    let leader = Leader::new(spare.child)?;
    let (reader, writer) = io::pipe()?;
    let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let staged = Staged::of_spare(spare.line, becoming, input, writer)?;
    Ok((leader, receiver, Some(staged)))
}

/// One pipe takes both kinds of output. The command is dropped with its ends of it, so that the pipe can end.
async fn start(
    mut command: Command,
    input: Option<Stdio>,
    kin: Option<&Kin>,
) -> io::Result<(Leader, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    if let Some(input) = input {
        command.stdin(input);
    }
    let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let Some(kin) = kin else { return Ok((Leader::new(command.spawn()?)?, receiver)) };
    let leader = kin.start(command).await.and_then(Leader::new);
    if leader.is_err() {
        kin.never_began();
    }
    Ok((leader?, receiver))
}

fn explain(error: &io::Error, word: &str, path: &Path) -> Obstacle {
    if error.raw_os_error().is_none() {
        // It says all there is to say.
        return Obstacle::plain(error.to_string());
    }
    let advice = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => {
            "the interpreter in its first line is missing; install it or change the line"
        }
        Some(rustix::io::Errno::NOEXEC) => "it is no program; begin a script with a line such as #!/bin/sh",
        Some(rustix::io::Errno::TOOBIG) => {
            "command and environment are too long; put the script or the value into a file"
        }
        Some(rustix::io::Errno::AGAIN) => {
            "no more processes are allowed; run fewer steps at once or raise ulimit -u"
        }
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
            "no more files may be open; run fewer steps at once or raise ulimit -n"
        }
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
            "you may not execute it; see its permissions and mount"
        }
        _ => "see the system's log",
    };
    let shown = if word.contains('/') { word.to_owned() } else { format!("{word} ({})", path.display()) };
    Obstacle { errno: error.raw_os_error(), said: format!("{shown}: {error}; {advice}") }
}

fn check_variable(name: &str, value: &[u8]) -> Result<(), Obstacle> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Obstacle::plain(format!("{name:?} is no name of a variable; change it under `env`")));
    }
    if value.contains(&0) {
        return Err(Obstacle::plain(format!(
            "the value of {name} holds a NUL byte, which no environment can; encode it"
        )));
    }
    Ok(())
}

/// An attempt has its directory for itself; what lies there is from a past that was never recorded.
fn remove_old(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn unwritable(dir: &Path, error: &io::Error) -> Obstacle {
    Obstacle { errno: error.raw_os_error(), said: format!("{}: {error}; make it writable", dir.display()) }
}

/// Output that comes through the pipe, on its way to the spool.
struct Intake {
    /// None when every writer has closed it.
    pipe: Option<pipe::Receiver>,
    chunk: Vec<u8>,
    mask: MaskStream,
    clear: Vec<u8>,
    spool: Spool,
    /// The end of an agent's output, for its answer.
    heard: Option<Heard>,
}

impl Intake {
    /// A line of ours, between those of an agent.
    fn remark(&mut self, line: &str, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if self.heard.as_ref().is_some_and(|heard| !heard.is_at_line_start()) {
            self.clear.push(b'\n');
        }
        self.clear.extend_from_slice(line.as_bytes());
        self.clear.push(b'\n');
        self.keep(progress);
    }

    /// Waits for output and takes one chunk of it.
    async fn take(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        let Some(pipe) = &self.pipe else { return };
        if pipe.readable().await.is_err() {
            self.close(progress);
            return;
        }
        self.take_now(progress);
    }

    /// Takes what is there without waiting; says whether there was anything.
    fn take_now(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) -> usize {
        let Some(pipe) = &self.pipe else { return 0 };
        if self.chunk.is_empty() {
            self.chunk.resize(CHUNK_BYTES_MIN, 0);
        }
        match pipe.try_read(&mut self.chunk) {
            Ok(0) => self.close(progress),
            Ok(length) => {
                self.mask.push(&self.chunk[..length], &mut self.clear);
                self.keep(progress);
                if length == self.chunk.len() {
                    self.chunk.resize(CHUNK_BYTES_MAX, 0);
                }
                return length;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.close(progress),
        }
        0
    }

    /// Nobody we know of writes any more: what is in the pipe, and no more.
    fn take_rest(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        let mut taken = 0;
        while self.pipe.is_some() && taken < PIPE_BYTES_MAX {
            match self.take_now(progress) {
                0 => break,
                length => taken += length,
            }
        }
        self.close(progress);
    }

    fn close(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if self.pipe.take().is_some() {
            self.mask.finish(&mut self.clear);
            self.keep(progress);
        }
    }

    fn keep(&mut self, progress: &mut (impl FnMut(Progress<'_>) + Send)) {
        if !self.clear.is_empty() {
            self.spool.take(&self.clear);
            if let Some(heard) = &mut self.heard {
                heard.take(&self.clear);
            }
            progress(Progress { bytes: &self.clear, total: self.spool.total(), at: self.spool.heard_at() });
            self.clear.clear();
        }
    }
}

/// The first process of a group. Dead but not reaped, it keeps the group's number from being given out again.
struct Leader {
    child: Child,
    pid: Pid,
    watch: Watch,
    reaped: bool,
    /// In a guard: where all that it starts is known, and by which name.
    kin: Option<(Arc<Kin>, String)>,
    /// The release of a child that waits, and the explanation when that fails.
    staged: Option<(Staged, Explain)>,
}

/// Turns an error of the start into a message for people.
type Explain = Box<dyn Fn(&io::Error) -> Obstacle + Send>;

/// The source of the news that the process has ended.
enum Watch {
    Descriptor(AsyncFd<OwnedFd>),
    /// For kernels without process descriptors: a look after every SIGCHLD.
    Children(SignalStream),
}

impl Watch {
    #[expect(
        deprecated,
        reason = "an OwnedFd keeps its number while it lives, all that the unsafe form asks"
    )]
    fn new(pid: Pid) -> io::Result<Self> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self::Descriptor),
            Err(_) => signal(SignalKind::child()).map(Self::Children),
        }
    }
}

impl Leader {
    /// A child we cannot watch is ended at once, or nobody would.
    fn new(mut child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
        let watch = Watch::new(pid).inspect_err(|_| {
            let _ = kill_process_group(pid, Signal::KILL);
            drop(child.kill());
            drop(child.wait());
        })?;
        Ok(Self { child, pid, watch, reaped: false, kin: None, staged: None })
    }

    /// Waits until it is dead; does not reap it.
    async fn exited(&mut self) {
        match &mut self.watch {
            Watch::Descriptor(descriptor) => drop(descriptor.readable().await),
            Watch::Children(signals) => {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
                while matches!(waitid(WaitId::Pid(self.pid), options), Ok(None)) {
                    signals.recv().await;
                }
            }
        }
    }

    /// TERM to the whole group, in a guard to all that is the step's, and CONT, since a stopped process would not hear it.
    fn ask_to_end(&self) {
        for signal in [Signal::TERM, Signal::CONT] {
            self.signal(signal);
            self.signal_kin(signal);
        }
    }

    /// To all that is the step's, wherever it went; says how much there is.
    fn signal_kin(&self, signal: Signal) -> usize {
        self.kin.as_ref().map_or(0, |(kin, attempt)| kin.signal(attempt, signal))
    }

    /// True if more than `most` processes of the step live.
    fn has_more_than(&self, most: u64) -> bool {
        self.kin.as_ref().is_some_and(|(kin, attempt)| kin.count(attempt, most) > most)
    }

    /// Holds up all that is the step's, its group at once.
    fn hold_kin(&self) {
        self.signal(Signal::STOP);
        if let Some((kin, attempt)) = &self.kin {
            kin.hold(attempt);
        }
    }

    /// True if any process of the step lives.
    fn has_left(&self) -> bool {
        self.kin.as_ref().is_some_and(|(kin, attempt)| !kin.of(attempt).is_empty())
    }

    /// To the whole group, which exists as long as its leader is not reaped; to the leader alone before it has come so far as to make it.
    fn signal(&self, signal: Signal) {
        if !self.reaped && kill_process_group(self.pid, signal).is_err() {
            // The only failure that is left is one that has just changed its user, which we may not signal.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Its status; it is dead, so this does not wait.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.reaped = true;
        if let Some((kin, _)) = &self.kin {
            kin.ended(self.pid);
        }
        status
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            drop(self.reap());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_launch_that_never_becomes_its_program_ends_as_the_step_would() {
        let never = std::future::pending;
        let cancel = CancellationToken::new();
        let late = released(never(), Some(Span::seconds(5)), &cancel).await.expect_err("it never does");
        assert!(
            matches!(late, Unreleased::Cut(Ended::TimedOut { after }) if after == Span::seconds(5)),
            "{late:?}"
        );
        cancel.cancel();
        let cut = released(never(), None, &cancel).await.expect_err("it never does");
        assert!(matches!(cut, Unreleased::Cut(Ended::Cancelled)), "{cut:?}");
        released(async { Ok(()) }, None, &cancel).await.expect("it has become its program");
    }
}

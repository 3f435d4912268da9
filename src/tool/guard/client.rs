//! An engine's end of the lifeline: starts a guard when the first program is to run, hands it calls, hears how they end, and
//! notices at once when it dies. Before anything runs, it finds out what the guards of the last owner have to tell.
//!
//! What all that means for a run is for the engine to say; here are facts.

use super::{
    PROGRAM, PROTOCOL, boot_id,
    frame::{self, Ask, Asked, Frame, Incoming, Outgoing, Output, Tell},
    kin::{self, Strays},
    ledger::Ledger,
    record::{EndRecord, Log},
};
use crate::{Answer, Call, Executed, Host, Progress, end_orphans, own_dir::make_own_dir};
use cuelight_base::{KILL_GRACE, Launch, Program, Span};
use rustix::fs::{Mode, OFlags};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    future::Future,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    pin::Pin,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex as Lock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{Mutex, mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Timeout for the welcome of a guard.
const WELCOME_MAX: Duration = Duration::from_secs(10);
/// Requests on their way to a guard.
const REQUESTS_MAX: usize = 64;
/// Stretches of output of one call that wait to be shown; more are let go.
const STRETCHES_MAX: usize = 64;
/// Between two looks whether a guard that has closed its line is dead, …
const DYING_PAUSE: Duration = Duration::from_millis(10);
/// … and how many there are.
const DYING_LOOKS_MAX: u32 = 100;
/// Between two looks whether a guard is held up, while calls run under it.
const HELD_UP_PAUSE: Duration = Duration::from_secs(2);
/// Between two looks into the records of a guard that does not talk to us.
const WATCH_PAUSE: Duration = Duration::from_millis(200);

/// Starts something that waits, and joins it before the program ends.
pub type Spawn = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// The data that every new guard of an engine needs.
pub struct GuardSetup {
    /// The program that becomes a guard: this one.
    pub program: PathBuf,
    /// Root directory of the workspace.
    pub root: PathBuf,
    /// Number of times that the workspace has been taken, including this one.
    pub epoch: u64,
    /// All that a process of a step inherits.
    pub environment: Vec<(String, String)>,
    /// When it is cancelled, calls are ended because the engine closes.
    pub closing: CancellationToken,
    /// Starts the tasks that serve a lifeline.
    pub spawn: Spawn,
    /// Told what a guard cannot help.
    pub news: watch::Sender<GuardNews>,
}

/// News about the guards of an engine, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardNews {
    /// The guard that is held up while calls run under it, until it goes on.
    pub held_up: Option<i32>,
    /// By guard: what runs below it and belongs to no step.
    pub strays: BTreeMap<i32, Strays>,
}

/// The state of a call that was in flight when its engine died.
#[derive(Debug)]
pub enum FoundCall {
    /// It still runs; `attach` to it.
    Running,
    /// It ended by itself, and ran so long.
    Ended(Box<Answer>, Span),
    /// It certainly never began.
    NeverBegan,
    /// Nobody will know how it ended; why.
    Unknown(String),
}

/// The outcome of a call under a guard.
#[derive(Debug)]
pub enum Guarded {
    /// It ended, and ran so long where the guard measured it.
    Ended(Box<Answer>, Option<Span>),
    /// Nothing was started: what it would execute is this, and was not approved.
    Changed(Vec<Executed>),
    /// Nobody will know how it ended; why.
    Lost(String),
    /// It goes on for whoever takes the workspace next.
    HandedOver,
}

/// The guards of one engine.
pub struct Guards {
    setup: GuardSetup,
    dir: PathBuf,
    /// The guard for new calls; empty before the first call.
    current: Mutex<Current>,
    /// The guard of each call that was found running.
    found: Lock<BTreeMap<String, Where>>,
    handing_over: AtomicBool,
}

#[derive(Default)]
struct Current {
    line: Option<Line>,
    ledger: Ledger,
    started: u32,
}

/// The way to one guard.
#[derive(Clone)]
struct Line(mpsc::Sender<Request>);

/// The place of a call that was found running.
#[derive(Clone)]
enum Where {
    Line(Line),
    /// Under a guard that does not talk to us: its records are read.
    Apart(PathBuf),
}

enum Request {
    Launch {
        frame: Vec<u8>,
        attempt: String,
        ear: Ear,
    },
    /// Listens for a call that runs already.
    Listen {
        attempt: String,
        ear: Ear,
    },
    Say(Ask),
}

/// The receiver of a call's output and end.
struct Ear {
    output: mpsc::Sender<Output>,
    end: oneshot::Sender<Told>,
}

/// The last that is heard of it.
enum Told {
    Ended(Box<EndRecord>),
    Changed(Vec<Executed>),
}

impl Guards {
    /// Notes that this owner is the newest, before anything is started.
    ///
    /// # Errors
    /// When the directory of guards cannot be used.
    pub fn new(setup: GuardSetup) -> io::Result<(Self, Past)> {
        let dir = setup.root.join(".cuelight/guard");
        make_own_dir(&dir)?;
        let before = Ledger::read(&dir);
        let ledger = Ledger::new(setup.epoch);
        ledger.write(&dir)?;
        let current = Mutex::new(Current { ledger, ..Current::default() });
        let found = Lock::default();
        Ok((Self { setup, dir, current, found, handing_over: AtomicBool::new(false) }, Past(before)))
    }

    /// Finds out what became of these calls, takes over the guards that still live, and ends what dead ones left running.
    pub async fn take_up(&self, past: Past, in_flight: &BTreeSet<String>) -> BTreeMap<String, FoundCall> {
        let mut all = Vec::new();
        let mut current = self.current.lock().await;
        for name in names(&self.dir) {
            let guard = self.reach(&name).await;
            // What it wrote until we took its line; no owner before us can have it start anything from now on.
            let log = Log::read(&self.log(&name)).unwrap_or_default();
            all.push((name, guard, log));
        }
        let mut found = BTreeMap::new();
        let last_is_known = past.0.as_ref().is_some_and(|before| {
            let is_there = |name: &String| all.iter().any(|entry| entry.0 == *name && entry.2.is_whole);
            before.is_of_the_last(self.setup.epoch) && before.guards.iter().all(is_there)
        });
        for attempt in in_flight {
            let known = all.iter().find_map(|(name, guard, log)| self.known(name, guard, log, attempt));
            let unknown =
                || FoundCall::Unknown("its console died, and no guard has a record of it".to_owned());
            let never = || if last_is_known { FoundCall::NeverBegan } else { unknown() };
            found.insert(attempt.clone(), known.unwrap_or_else(never));
        }
        for (name, guard, log) in all {
            match guard {
                Reached::Talks(line, _) => {
                    current.ledger.guards.push(name);
                    current.line = Some(line);
                }
                Reached::Apart => {}
                Reached::Dead if log.begun.keys().any(|key| in_flight.contains(key)) => {}
                Reached::Dead => self.remove(&name),
            }
        }
        // It is read again after the next crash; without it less is known then.
        drop(current.ledger.write(&self.dir));
        drop(current);
        let running: BTreeSet<String> = found
            .iter()
            .filter(|entry| matches!(entry.1, FoundCall::Running))
            .map(|entry| entry.0.clone())
            .collect();
        if found.len() > running.len() {
            let _ = end_orphans(&self.setup.root, KILL_GRACE, |attempt| !running.contains(attempt)).await;
        }
        found
    }

    fn known(&self, name: &str, guard: &Reached, log: &Log, attempt: &String) -> Option<FoundCall> {
        if let Some(end) = log.ended.get(attempt) {
            return Some(match end.cut {
                None => FoundCall::Ended(Box::new(end.answer.clone()), end.ran_for),
                Some(cut) => FoundCall::Unknown(cut.evidence().to_owned()),
            });
        }
        let place = |value: Where| {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt.clone(), value);
            Some(FoundCall::Running)
        };
        let begun = log.begun.get(attempt);
        match guard {
            Reached::Talks(line, running) if running.contains(attempt) => place(Where::Line(line.clone())),
            Reached::Apart if begun.is_some() => place(Where::Apart(self.log(name))),
            Reached::Talks(..) | Reached::Apart | Reached::Dead => begun.map(|process| {
                if let (Some((pid, born)), Reached::Dead) = (process, guard) {
                    kin::send(*pid, *born, rustix::process::Signal::KILL);
                }
                FoundCall::Unknown("its guard died before its end was recorded".to_owned())
            }),
        }
    }

    /// From now on calls that are cancelled because the engine closes are left to whoever takes the workspace next.
    pub fn hand_over(&self) {
        self.handing_over.store(true, Ordering::Relaxed);
    }

    /// Makes a call under the guard. `executes` is what it was approved to execute.
    pub async fn run(
        &self,
        host: &Host,
        launch: &Launch,
        executes: Option<(Program, Vec<Executed>)>,
        call: &Call,
        cancel: &CancellationToken,
        progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let not_started = |said: String| {
            Guarded::Ended(Box::new(Answer::not_started(None, format!("could not start: {said}"))), None)
        };
        let secrets = match host.secrets_of(launch) {
            Ok((secrets, _)) => secrets,
            Err(said) => return not_started(said),
        };
        let secrets = secrets.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_vec())).collect();
        let asked = Asked { call: call.clone(), launch: launch.clone(), secrets, executes };
        let frame = match frame::message(&Ask::Launch(Box::new(asked))) {
            Ok(frame) => frame,
            Err(error) => return not_started(format!("it cannot be told to its guard: {error}")),
        };
        let line = match self.line().await {
            Ok(line) => line,
            Err(error) => {
                return not_started(format!(
                    "its guard does not start: {error}; `cuelight doctor` says more"
                ));
            }
        };
        let (ear, mouth) = ear();
        let attempt = call.attempt.clone();
        let request = Request::Launch { frame, attempt: attempt.clone(), ear };
        if line.0.send(request).await.is_err() {
            return Guarded::Lost(GUARD_DIED.to_owned());
        }
        self.attend(&line, &attempt, launch.ends_with_console, mouth, cancel, progress).await
    }

    /// Stays with a call that was found running.
    pub async fn attach(
        &self,
        attempt: &str,
        cancel: &CancellationToken,
        progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let place = self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(attempt);
        match place {
            None => Guarded::Lost(GUARD_DIED.to_owned()),
            Some(Where::Apart(log)) => self.watch(&log, attempt, cancel).await,
            Some(Where::Line(line)) => {
                let (ear, mouth) = ear();
                let listen = Request::Listen { attempt: attempt.to_owned(), ear };
                if line.0.send(listen).await.is_err() {
                    return Guarded::Lost(GUARD_DIED.to_owned());
                }
                self.attend(&line, attempt, false, mouth, cancel, progress).await
            }
        }
    }

    /// The end of this call is in the log.
    pub fn forget(&self, attempt: String) {
        // A request that does not fit costs the guard a few bytes of memory.
        if let Ok(current) = self.current.try_lock()
            && let Some(line) = &current.line
        {
            drop(line.0.try_send(Request::Say(Ask::Forget { attempt })));
        }
    }

    async fn attend(
        &self,
        line: &Line,
        attempt: &str,
        ends_with_console: bool,
        (mut output, mut end): (mpsc::Receiver<Output>, oneshot::Receiver<Told>),
        cancel: &CancellationToken,
        mut progress: impl FnMut(Progress<'_>) + Send,
    ) -> Guarded {
        let mut asked = false;
        let told = loop {
            tokio::select! {
                biased;
                Some(item) = output.recv() => {
                    progress(Progress { bytes: &item.bytes, total: item.total, at: item.at });
                }
                told = &mut end => break told,
                () = cancel.cancelled(), if !asked => {
                    asked = true;
                    let closing = self.setup.closing.is_cancelled();
                    if closing && self.handing_over.load(Ordering::Relaxed) && !ends_with_console {
                        return Guarded::HandedOver;
                    }
                    let ask = Ask::End { attempt: attempt.to_owned(), closing };
                    // An error means that the guard is gone, which `end` tells as well.
                    drop(line.0.send(Request::Say(ask)).await);
                }
            }
        };
        match told {
            Ok(Told::Changed(files)) => Guarded::Changed(files),
            Ok(Told::Ended(end)) => match end.cut {
                None => Guarded::Ended(Box::new(end.answer), Some(end.ran_for)),
                Some(cut) => Guarded::Lost(cut.evidence().to_owned()),
            },
            Err(_) => Guarded::Lost(GUARD_DIED.to_owned()),
        }
    }

    /// Reads the records of a guard of another version until it has told, or has died.
    async fn watch(&self, log: &Path, attempt: &str, cancel: &CancellationToken) -> Guarded {
        let mut asked = false;
        loop {
            let lives = guard_lives(log);
            let read = Log::read(log).unwrap_or_default();
            if let Some(end) = read.ended.get(attempt) {
                return match end.cut {
                    None => Guarded::Ended(Box::new(end.answer.clone()), Some(end.ran_for)),
                    Some(cut) => Guarded::Lost(cut.evidence().to_owned()),
                };
            }
            if !lives {
                return Guarded::Lost(GUARD_DIED.to_owned());
            }
            if asked {
                sleep(WATCH_PAUSE).await;
                continue;
            }
            tokio::select! {
                () = cancel.cancelled() => {
                    if self.setup.closing.is_cancelled() {
                        return Guarded::HandedOver;
                    }
                    asked = true;
                    let _ = end_orphans(&self.setup.root, KILL_GRACE, |text| text == attempt).await;
                }
                () = sleep(WATCH_PAUSE) => {}
            }
        }
    }

    /// The way to a guard that lives; one is started when there is none.
    async fn line(&self) -> io::Result<Line> {
        let mut current = self.current.lock().await;
        if let Some(line) = current.line.as_ref().filter(|line| !line.0.is_closed()) {
            return Ok(line.clone());
        }
        // Whoever has taken the workspace over has written itself down, and starts what is started from now on.
        if Ledger::read(&self.dir).is_some_and(|ledger| ledger.epoch > self.setup.epoch) {
            return Err(io::Error::other("another engine has taken over this workspace"));
        }
        let name = format!("{}-{}", self.setup.epoch, current.started);
        current.started += 1;
        // Before it can start anything, so that nobody takes a call of it for one that never began.
        current.ledger.guards.push(name.clone());
        current.ledger.write(&self.dir)?;
        let line = self.start(&name).await?;
        current.line = Some(line.clone());
        Ok(line)
    }

    async fn start(&self, name: &str) -> io::Result<Line> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = new_command(&self.setup.program);
        command.arg(super::GUARD_WORD).arg(&self.setup.root).arg(name).arg(self.setup.epoch.to_string());
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.env_clear().current_dir(&self.dir).spawn()?;
        let stream = UnixStream::from_std(ours)?;
        let told = self.hello(&stream).await;
        if let Ok((incoming, _)) = told {
            return Ok(self.drive(name, stream, incoming, Some(child)));
        }
        let mut child = child;
        drop(child.kill());
        drop(child.wait());
        Err(told.err().unwrap_or_else(|| io::Error::other("it says nothing")))
    }

    /// Says who we are, and hears what runs.
    async fn hello(&self, stream: &UnixStream) -> io::Result<(Incoming, Vec<String>)> {
        let hello = Ask::Hello {
            protocol: PROTOCOL,
            program: PROGRAM.to_owned(),
            epoch: self.setup.epoch,
            environment: self.setup.environment.clone(),
        };
        let (mut outgoing, mut incoming) = (Outgoing::default(), Incoming::default());
        outgoing.push(frame::message(&hello)?);
        let words = async {
            outgoing.send_some(stream).await?;
            incoming.next::<Tell>(stream).await
        };
        match timeout(WELCOME_MAX, words).await.map_err(io::Error::other)?? {
            Some(Frame::Message(Tell::Welcome { running })) => Ok((incoming, running)),
            Some(Frame::Message(Tell::Wrong(why))) => Err(io::Error::other(why)),
            _ => Err(io::Error::other("it does not say welcome")),
        }
    }

    /// Identifies the process at the other end of a guard's socket, if one answers.
    async fn reach(&self, name: &str) -> Reached {
        let Ok(stream) = connect(&self.dir, &format!("{name}.sock")).await else {
            return if guard_lives(&self.log(name)) { Reached::Apart } else { Reached::Dead };
        };
        match self.hello(&stream).await {
            Ok((incoming, running)) => {
                let line = self.drive(name, stream, incoming, None);
                Reached::Talks(line, running.into_iter().collect())
            }
            Err(_) if guard_lives(&self.log(name)) => Reached::Apart,
            Err(_) => Reached::Dead,
        }
    }

    fn drive(&self, name: &str, stream: UnixStream, incoming: Incoming, child: Option<Child>) -> Line {
        let (requests, arrived) = mpsc::channel(REQUESTS_MAX);
        let at_work = AtWork {
            stream,
            incoming,
            outgoing: Outgoing::default(),
            ears: BTreeMap::new(),
            early: BTreeMap::new(),
            requests: arrived,
            guard: self.pid(name),
            news: self.setup.news.clone(),
        };
        let (root, log) = (self.setup.root.clone(), self.log(name));
        (self.setup.spawn)(Box::pin(async move {
            let ears = at_work.run().await;
            // A process that dies closes its files a moment before it is dead. One that only has another owner now lives on.
            for _ in 0..DYING_LOOKS_MAX {
                if ears.is_empty() || !guard_lives(&log) {
                    break;
                }
                sleep(DYING_PAUSE).await;
            }
            if let Some(mut child) = child {
                // Buried now, or when we end.
                drop(child.try_wait());
            }
            if !ears.is_empty() && !guard_lives(&log) {
                end_the_rest(&root, &log, &ears).await;
            }
            // Only now whoever waits hears that nobody will know: nothing of it runs any more.
            drop(ears);
        }));
        Line(requests)
    }

    fn pid(&self, name: &str) -> Option<i32> {
        Log::read(&self.log(name)).ok()?.head.map(|head| head.pid)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    /// Nobody needs what a dead guard has written any more.
    fn remove(&self, name: &str) {
        for ending in ["log", "sock", "new"] {
            drop(fs::remove_file(self.dir.join(format!("{name}.{ending}"))));
        }
    }
}

const GUARD_DIED: &str = "its guard died before its end was recorded";

/// The ledger of the previous owner.
pub struct Past(Option<Ledger>);

/// The result of contacting a guard's socket.
enum Reached {
    Talks(Line, BTreeSet<String>),
    /// It lives and does not talk to us: another version, or a later owner's.
    Apart,
    Dead,
}

/// All that one line carries, until either end goes.
struct AtWork {
    stream: UnixStream,
    incoming: Incoming,
    outgoing: Outgoing,
    ears: BTreeMap<String, Ear>,
    /// News that came before anybody listened: calls that ended between the welcome and their adoption.
    early: BTreeMap<String, Told>,
    requests: mpsc::Receiver<Request>,
    /// The process at the other end.
    guard: Option<i32>,
    news: watch::Sender<GuardNews>,
}

impl AtWork {
    /// Returns who still waits when the guard has gone.
    async fn run(mut self) -> BTreeMap<String, Ear> {
        let ears = self.carry().await;
        self.strays(Strays::default());
        ears
    }

    async fn carry(&mut self) -> BTreeMap<String, Ear> {
        let look = sleep(HELD_UP_PAUSE);
        tokio::pin!(look);
        loop {
            let waits = !self.outgoing.is_empty();
            // Whoever waits for nothing is woken by nothing.
            let expects = !self.ears.is_empty() || waits;
            tokio::select! {
                () = &mut look, if expects => {
                    self.look();
                    look.set(sleep(HELD_UP_PAUSE));
                }
                came = self.incoming.next::<Tell>(&self.stream) => match came {
                    Ok(Some(frame)) => self.hear(frame),
                    Ok(None) | Err(_) => return std::mem::take(&mut self.ears),
                },
                sent = self.outgoing.send_some(&self.stream), if waits => if sent.is_err() {
                    return std::mem::take(&mut self.ears);
                },
                request = self.requests.recv() => match request {
                    Some(request) => {
                        self.take(request);
                        // What came with it goes with it.
                        for _ in 0..REQUESTS_MAX {
                            let Ok(request) = self.requests.try_recv() else { break };
                            self.take(request);
                        }
                    }
                    // Nobody is left who could ask: the line is closed in order.
                    None => return BTreeMap::new(),
                },
            }
        }
    }

    /// A guard that is held up is no dead one: its line stays open, and nothing comes.
    fn look(&self) {
        let held_up = self.guard.filter(|guard| kin::is_stopped(*guard));
        self.news.send_if_modified(|told| {
            let is_new = told.held_up != held_up && (held_up.is_some() || told.held_up == self.guard);
            if is_new {
                told.held_up = held_up;
            }
            is_new
        });
    }

    /// Replaces the strays known of this guard by these. An empty list removes the guard's entry.
    fn strays(&self, all: Strays) {
        let guard = self.guard.unwrap_or_default();
        self.news.send_if_modified(|told| {
            if all.named.is_empty() {
                told.strays.remove(&guard).is_some()
            } else {
                told.strays.insert(guard, all.clone()) != Some(all)
            }
        });
    }

    fn hear(&mut self, frame: Frame<Tell>) {
        let (attempt, told) = match frame {
            Frame::Output(output) => {
                if let Some(ear) = self.ears.get(&output.attempt) {
                    drop(ear.output.try_send(output));
                }
                return;
            }
            Frame::Message(Tell::Ended(end)) => (end.attempt.clone(), Told::Ended(end)),
            Frame::Message(Tell::Changed { attempt, files }) => (attempt, Told::Changed(files)),
            Frame::Message(Tell::Strays(all)) => return self.strays(all),
            Frame::Message(Tell::Welcome { .. } | Tell::Wrong(_)) => return,
        };
        match self.ears.remove(&attempt) {
            // Who does not listen any more does not need it.
            Some(ear) => drop(ear.end.send(told)),
            None => drop(self.early.insert(attempt, told)),
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Launch { frame, attempt, ear } => {
                self.ears.insert(attempt, ear);
                self.outgoing.push(frame);
            }
            Request::Listen { attempt, ear } => match self.early.remove(&attempt) {
                Some(told) => drop(ear.end.send(told)),
                None => drop(self.ears.insert(attempt, ear)),
            },
            Request::Say(ask) => {
                if let Ok(frame) = frame::message(&ask) {
                    self.outgoing.push(frame);
                }
            }
        }
    }
}

/// Ends the processes left by a guard that died with calls in flight. All of them are ended: nobody reads
/// their output or learns how they end.
async fn end_the_rest(root: &Path, log: &Path, ears: &BTreeMap<String, Ear>) {
    let log = Log::read(log).unwrap_or_default();
    // What cannot be ended belongs to another user by now.
    let _ = end_orphans(root, KILL_GRACE, |key| ears.contains_key(key)).await;
    for (pid, born) in
        log.begun.iter().filter(|entry| ears.contains_key(entry.0)).filter_map(|entry| *entry.1)
    {
        kin::send(pid, born, rustix::process::Signal::KILL);
    }
}

fn ear() -> (Ear, (mpsc::Receiver<Output>, oneshot::Receiver<Told>)) {
    let (output, stretches) = mpsc::channel(STRETCHES_MAX);
    let (end, told) = oneshot::channel();
    (Ear { output, end }, (stretches, told))
}

/// True if the process that writes this file lives.
pub(super) fn guard_lives(log: &Path) -> bool {
    let head = Log::read(log).ok().and_then(|log| log.head);
    head.is_some_and(|head| head.boot == boot_id() && kin::born(head.pid) == Some(head.born))
}

/// The names of all guards that have left something.
pub(super) fn names(dir: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let of_guard =
        |name: &str| Some(name.strip_suffix(".log").or_else(|| name.strip_suffix(".sock"))?.to_owned());
    names.filter_map(|name| of_guard(&name)).collect()
}

/// Through the open directory: the path of a socket has to be short.
async fn connect(dir: &Path, name: &str) -> io::Result<UnixStream> {
    let open = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{name}", open.as_raw_fd());
    let stream = UnixStream::connect(path).await?;
    let peer = stream.peer_cred()?.uid();
    if peer != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to somebody else"));
    }
    Ok(stream)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the guard itself, under which steps are started, is started here"
)]
fn new_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg0("cuelight");
    command
}

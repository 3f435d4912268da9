//! An engine's end of the lifeline: starts a guard when the first program is to run, hands it calls, hears how they end, and
//! notices at once when it dies. Before anything runs, it finds out what the guards of the last owner have to tell.
//!
//! The engine says what all that means for a run; here are facts.

mod call;
mod line;

use super::frame::{Ask, Frame, Incoming, Outgoing, Tell};
use super::kin::Strays;
use super::ledger::Ledger;
use super::record::Log;
use super::{PROGRAM, PROTOCOL, boot_id, frame, kin};
use crate::own_dir::make_own_dir;
use crate::{Answer, Executed, end_orphans};
use cuelight_base::{KILL_GRACE, Span};
use line::{AtWork, Line, end_the_rest};
use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;
use std::{fs, io};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{sleep, timeout};
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
    /// It keeps running for the next engine that takes the workspace.
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

/// The place of a call that was found running.
#[derive(Clone)]
enum Where {
    Line(Line),
    /// Under a guard that does not talk to us: its records are read.
    Apart(PathBuf),
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

    /// From now on calls that are cancelled because the engine closes are left to the next engine that takes
    /// the workspace.
    pub fn hand_over(&self) {
        self.handing_over.store(true, Ordering::Relaxed);
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

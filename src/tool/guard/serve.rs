//! The guard itself: one loop on one thread, in a process of its own. It starts what it is asked to, pumps, ends and records,
//! and reads nothing that a step wrote but to pass it on. All that is asked of it comes through one lifeline at a time.
//!
//! When the lifeline is cut, what was to end with its console is ended, the rest goes on, ends are recorded and synced, and the
//! guard leaves after the last of them. Who comes next through the socket, with a later epoch, gets what still runs.

use super::{
    Kin, PROGRAM, PROTOCOL,
    frame::{self, Ask, Asked, Frame, Incoming, Outgoing, Tell},
    kin::{self, Strays},
    ledger::Ledger,
    record::{Cut, EndRecord, Record, Records, of_stray},
};
use crate::{
    Answer, Ended, Executable, Executed, Host, Progress, Secret, SecretStore, process, spool::Now, step_mark,
};
use cuelight_base::{KILL_GRACE, Span};
use futures_util::FutureExt as _;
use rustix::{
    fs::Mode,
    process::{geteuid, set_child_subreaper, setsid},
};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::OwnedFd,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Timeout for the first message of a new connection.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// Limit of connections that have sent nothing yet; more wait outside.
const GREETING_MAX: usize = 8;
/// Between two looks at whose each process is: from …
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(100);
/// … to, when nothing new was seen.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Stretches of output on their way to the line, …
const STRETCHES_MAX: usize = 64;
/// … and bytes that wait in it: what is more is let go, and read from the spool.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Arguments of a guard process.
pub struct GuardProcess {
    /// `.cuelight/guard` of the workspace.
    pub dir: PathBuf,
    /// Root directory of the workspace.
    pub root: PathBuf,
    /// Its own name: of its socket and of its records.
    pub name: String,
    /// Epoch of the owner that started it.
    pub epoch: u64,
    /// This program, for tools that it does itself.
    pub program: Option<PathBuf>,
    /// Returns the current time.
    pub now: Now,
    /// The other end is the engine's.
    pub lifeline: OwnedFd,
}

/// Is a guard until there is nothing left to guard.
///
/// # Errors
/// When it cannot be one.
pub async fn serve_guard(setup: GuardProcess) -> Result<(), String> {
    let said = |error: io::Error| format!("could not be a guard: {error}");
    // An error means that we lead a session already.
    let _ = setsid();
    set_child_subreaper(Some(rustix::process::getpid())).map_err(|error| said(error.into()))?;
    // A step can kill its guard. What is below nobody then is still known by this.
    step_mark::put_on().map_err(said)?;
    let lifeline = std::os::unix::net::UnixStream::from(setup.lifeline);
    lifeline.set_nonblocking(true).map_err(said)?;
    let first = UnixStream::from_std(lifeline).map_err(said)?;
    // Both paths are short: we stand in the directory.
    let socket = PathBuf::from(format!("{}.sock", setup.name));
    let listener = UnixListener::bind(&socket).map_err(said)?;
    rustix::fs::chmod(&socket, Mode::RUSR | Mode::WUSR).map_err(|error| said(error.into()))?;
    let records = Records::create(setup.dir.join(format!("{}.log", setup.name))).map_err(said)?;
    // Whoever has taken the workspace since finds our socket, or we find what they wrote.
    if Ledger::read(&setup.dir).is_some_and(|ledger| ledger.epoch > setup.epoch) {
        let _ = rustix::fs::unlink(&socket);
        return Err("could not be a guard: the workspace has another owner by now".to_owned());
    }
    let (to_line, stretches) = mpsc::channel(STRETCHES_MAX);
    let kin = Arc::new(Kin::new(&setup.root));
    let mut guard = Guard {
        root: setup.root,
        program: setup.program,
        now: setup.now,
        records,
        unwritten: VecDeque::new(),
        kin,
        strays: Strays::default(),
        epoch: setup.epoch,
        host: None,
        line: None,
        jobs: BTreeMap::new(),
        running: JoinSet::new(),
        leaves: false,
        to_line,
    };
    let served = guard.serve(&listener, first, stretches).await;
    // A later one may have removed it.
    let _ = rustix::fs::unlink(&socket);
    served.map_err(said)
}

struct Guard {
    root: PathBuf,
    program: Option<PathBuf>,
    now: Now,
    records: Records,
    /// Ends that the disk would not take yet.
    unwritten: VecDeque<EndRecord>,
    kin: Arc<Kin>,
    /// As they were told of last.
    strays: Strays,
    epoch: u64,
    /// As the engine at the line wants it.
    host: Option<Arc<Host>>,
    line: Option<Line>,
    jobs: BTreeMap<String, Job>,
    running: JoinSet<Done>,
    /// It was told to end.
    leaves: bool,
    to_line: mpsc::Sender<Vec<u8>>,
}

struct Line {
    stream: UnixStream,
    incoming: Incoming,
    outgoing: Outgoing,
}

struct Job {
    cancel: CancellationToken,
    ends_with_console: bool,
    cut: Option<Cut>,
}

/// A call that is over.
struct Done {
    attempt: String,
    ran_for: Span,
    result: Result<Answer, Vec<Executed>>,
}

/// The result of a connection's first message.
type Greeted = io::Result<(UnixStream, Incoming, u64, Vec<(String, String)>)>;

impl Guard {
    async fn serve(
        &mut self,
        listener: &UnixListener,
        first: UnixStream,
        mut stretches: mpsc::Receiver<Vec<u8>>,
    ) -> io::Result<()> {
        let mut told = signal(SignalKind::terminate())?;
        let mut greeting: JoinSet<Greeted> = JoinSet::new();
        greeting.spawn(greet(first));
        let mut pause = LOOK_PAUSE_MIN;
        let look = sleep(pause);
        tokio::pin!(look);
        while self.line.is_some()
            || !greeting.is_empty()
            || !self.jobs.is_empty()
            || !self.unwritten.is_empty()
            || self.leaves_strays()
        {
            let busy = !self.jobs.is_empty() || !self.unwritten.is_empty() || self.kin.has_strays();
            tokio::select! {
                biased;
                Some(done) = self.running.join_next(), if !self.running.is_empty() => self.end(done),
                Some(greeted) = greeting.join_next(), if !greeting.is_empty() => {
                    if let Ok(Ok(greeted)) = greeted {
                        self.welcome(greeted);
                        pause = LOOK_PAUSE_MIN;
                    }
                }
                came = listen_and_send(self.line.as_mut()), if self.line.is_some() => match came {
                    Ok(Some(ask)) => {
                        // Never put off: with something new every moment nobody would look at all.
                        if self.hear(ask) && (pause > LOOK_PAUSE_MIN || look.is_elapsed()) {
                            pause = LOOK_PAUSE_MIN;
                            look.set(sleep(pause));
                        }
                    }
                    Ok(None) | Err(_) => self.is_alone(),
                },
                Some(stretch) = stretches.recv() => {
                    if let Some(line) = self.line.as_mut().filter(|line| line.outgoing.bytes() < LINE_BYTES_MAX) {
                        line.outgoing.push(stretch);
                    }
                }
                Ok((stream, _)) = listener.accept(), if greeting.len() < GREETING_MAX => {
                    drop(greeting.spawn(greet(stream)));
                }
                _ = told.recv() => {
                    self.leaves = true;
                    self.cut(Cut::GuardEnded, |_| true);
                }
                () = &mut look, if busy => {
                    pause = if self.kin.look() { LOOK_PAUSE_MIN } else { (pause * 2).min(LOOK_PAUSE_MAX) };
                    look.set(sleep(pause));
                    self.write_again();
                    self.see_to_strays();
                }
            }
            self.note_processes();
            let said_all = self.line.as_ref().is_none_or(|line| line.outgoing.is_empty());
            let is_done = self.jobs.is_empty() && self.unwritten.is_empty();
            if self.leaves && said_all && is_done && !self.leaves_strays() {
                break;
            }
        }
        Ok(())
    }

    /// Takes the line of a later owner; that of an earlier one ends.
    fn welcome(
        &mut self,
        (stream, incoming, epoch, environment): (UnixStream, Incoming, u64, Vec<(String, String)>),
    ) {
        let mut line = Line { stream, incoming, outgoing: Outgoing::default() };
        let is_first = self.host.is_none() && epoch == self.epoch;
        if !is_first && epoch <= self.epoch {
            let why = format!("this guard serves an owner of epoch {}, you are of {epoch}", self.epoch);
            if let Ok(frame) = frame::message(&Tell::Wrong(why)) {
                // It is short, and whoever does not take it is not to stay anyway.
                drop(line.stream.try_write(&frame));
            }
            return;
        }
        if self.line.is_some() {
            self.is_alone();
        }
        self.epoch = epoch;
        let host = Host::new(self.root.clone(), environment, SecretStore::nothing(), KILL_GRACE)
            .with_clock(Arc::clone(&self.now))
            .with_program(self.program.clone())
            .with_kin(Arc::clone(&self.kin));
        self.host = Some(Arc::new(host));
        let running = self.jobs.keys().cloned().collect();
        for first in [Tell::Welcome { running }, Tell::Strays(self.strays.clone())] {
            if let Ok(frame) = frame::message(&first) {
                line.outgoing.push(frame);
            }
        }
        self.line = Some(line);
    }

    /// Says whether something began.
    fn hear(&mut self, ask: Ask) -> bool {
        match ask {
            // Said once.
            Ask::Hello { .. } => {}
            Ask::Launch(asked) => {
                self.launch(*asked);
                return true;
            }
            Ask::End { attempt, closing } => {
                if let Some(job) = self.jobs.get_mut(&attempt) {
                    job.cut = job.cut.or(closing.then_some(Cut::Closed));
                    job.cancel.cancel();
                }
            }
            Ask::Forget { attempt } => {
                // It is kept a little longer than it is needed.
                drop(self.records.forget(&attempt));
            }
        }
        false
    }

    fn launch(&mut self, asked: Asked) {
        let attempt = asked.call.attempt.clone();
        let (Some(host), false) = (self.host.clone(), self.jobs.contains_key(&attempt)) else { return };
        if self.leaves {
            let answer = Answer::not_started(None, "could not start: its guard was told to end".to_owned());
            return self.tell_end(EndRecord { attempt, answer, ran_for: Span(0), cut: None });
        }
        if let Err(error) = self.records.write(&Record::Begins { attempt: attempt.clone() }) {
            let said = format!("could not start: its record could not be written: {error}; free some space");
            let answer = Answer::not_started(error.raw_os_error(), said);
            return self.tell_end(EndRecord { attempt, answer, ran_for: Span(0), cut: None });
        }
        let cancel = CancellationToken::new();
        let job =
            Job { cancel: cancel.clone(), ends_with_console: asked.launch.ends_with_console, cut: None };
        self.jobs.insert(attempt.clone(), job);
        let (now, to_line) = (Arc::clone(&self.now), self.to_line.clone());
        self.running.spawn(async move {
            let began = now();
            let work = AssertUnwindSafe(carry_out(&host, asked, &cancel, &to_line)).catch_unwind();
            let result = work.await.unwrap_or_else(|_| Ok(Answer::without_output(Ended::Lost)));
            Done { attempt, ran_for: now().since(began), result }
        });
    }

    fn end(&mut self, done: Result<Done, tokio::task::JoinError>) {
        // Panics were caught where they happened.
        let Ok(Done { attempt, ran_for, result }) = done else { return };
        self.note_processes();
        let cut = self.jobs.remove(&attempt).and_then(|job| job.cut);
        match result {
            Ok(answer) => self.tell_end(EndRecord { attempt, answer, ran_for, cut }),
            Err(files) => {
                let said = "could not start: what was approved has changed".to_owned();
                let answer = Answer::not_started(None, said);
                self.record(EndRecord { attempt: attempt.clone(), answer, ran_for, cut });
                self.tell(&Tell::Changed { attempt, files });
            }
        }
    }

    fn tell_end(&mut self, end: EndRecord) {
        self.record(end.clone());
        self.tell(&Tell::Ended(Box::new(end)));
    }

    fn tell(&mut self, what: &Tell) {
        if let (Some(line), Ok(frame)) = (&mut self.line, frame::message(what)) {
            line.outgoing.push(frame);
        }
    }

    fn record(&mut self, end: EndRecord) {
        let written = self.records.write(&Record::Ended(Box::new(end.clone())));
        let kept = written.and_then(|()| if self.line.is_none() { self.records.sync() } else { Ok(()) });
        if kept.is_err() && self.records.is_wanted() {
            self.unwritten.push_back(end);
        }
    }

    /// A disk that was full may have room again.
    fn write_again(&mut self) {
        if let Some(end) = self.unwritten.pop_front() {
            self.record(end);
        }
    }

    /// True if a process would be left that belongs to no step; called only when nothing else is left to do.
    fn leaves_strays(&self) -> bool {
        self.kin.look();
        self.kin.has_strays()
    }

    /// Tells of what belongs to nobody, and ends what nobody who runs can have started.
    fn see_to_strays(&mut self) {
        let strays = self.kin.strays();
        if strays != self.strays {
            for stray in strays.named.iter().filter(|stray| !self.strays.named.contains(stray)) {
                // It is told of to whoever listens as well.
                drop(self.records.write(&Record::Stray(stray.clone())));
            }
            for stray in self.strays.named.iter().filter(|stray| !strays.named.contains(stray)) {
                drop(self.records.forget(&of_stray(stray)));
            }
            self.tell(&Tell::Strays(strays.clone()));
            self.strays = strays;
        }
        self.kin.end_strays((self.now)(), |attempt| self.jobs.contains_key(attempt));
    }

    fn note_processes(&mut self) {
        for (attempt, pid, born) in self.kin.fresh() {
            // It serves to find what is left when we die; marks do, too.
            drop(self.records.write(&Record::Process { attempt, pid, born }));
        }
    }

    /// Nobody holds the other end any more.
    fn is_alone(&mut self) {
        self.line = None;
        // What was written while somebody listened has to outlive the machine now.
        drop(self.records.sync());
        self.cut(Cut::ConsoleDied, |job| job.ends_with_console);
    }

    fn cut(&mut self, why: Cut, which: impl Fn(&Job) -> bool) {
        for job in self.jobs.values_mut().filter(|job| which(job)) {
            job.cut = job.cut.or(Some(why));
            job.cancel.cancel();
        }
    }
}

/// Makes one call, as the engine would have made it itself.
async fn carry_out(
    host: &Arc<Host>,
    asked: Asked,
    cancel: &CancellationToken,
    to_line: &mpsc::Sender<Vec<u8>>,
) -> Result<Answer, Vec<Executed>> {
    let Asked { call, launch, secrets, executes } = asked;
    let mut opened = None;
    if let Some((program, approved)) = executes {
        let executable = match open(host, program, call.tree.clone()).await {
            Ok(executable) => executable,
            Err(error) => {
                let said = format!("could not start: what it executes could not be opened: {error}");
                return Ok(Answer::not_started(error.raw_os_error(), said));
            }
        };
        if !executable.is_as(&approved) {
            return Err(executable.files().to_vec());
        }
        opened = Some(executable);
    }
    let secrets = secrets.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
    let tell = |progress: Progress<'_>| {
        if let Ok(frame) = frame::output(&call.attempt, progress.total, progress.at, progress.bytes) {
            // It is in the spool; here it may be lost.
            drop(to_line.try_send(frame));
        }
    };
    Ok(process::run_with(host, &launch, secrets, opened.as_ref(), &call, cancel, tell).await)
}

/// Reading and hashing takes a while, in which others must be heard.
async fn open(
    host: &Arc<Host>,
    program: cuelight_base::Program,
    tree: Option<PathBuf>,
) -> io::Result<Executable> {
    let (sender, receiver) = oneshot::channel();
    let host = Arc::clone(host);
    // It starts no process and ends by itself; who waits for it hears when it does.
    let thread = thread::Builder::new()
        .name("open".to_owned())
        .spawn(move || drop(sender.send(host.open(&program, tree.as_deref()))))?;
    let opened = receiver.await;
    drop(thread.join());
    opened.map_err(|_| io::Error::other("a fault of cuelight"))
}

/// Hears who has connected: our own user, with our protocol and version.
async fn greet(stream: UnixStream) -> Greeted {
    let peer = stream.peer_cred()?;
    if peer.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to somebody else"));
    }
    if let Some(why) = unheard(peer.pid()) {
        drop(stream.try_write(&frame::message(&Tell::Wrong(why.to_owned()))?));
        return Err(io::Error::other(why));
    }
    let mut incoming = Incoming::default();
    let hello = timeout(HELLO_MAX, incoming.next::<Ask>(&stream)).await.map_err(io::Error::other)??;
    match hello {
        Some(Frame::Message(Ask::Hello { protocol, program, epoch, environment }))
            if protocol == PROTOCOL && program == PROGRAM =>
        {
            Ok((stream, incoming, epoch, environment))
        }
        Some(Frame::Message(Ask::Hello { protocol, program, .. })) => {
            let why =
                format!("this guard is cuelight {PROGRAM} ({PROTOCOL}), you are {program} ({protocol})");
            drop(stream.try_write(&frame::message(&Tell::Wrong(why))?));
            Err(io::Error::other("another version"))
        }
        _ => Err(io::Error::other("it says no hello")),
    }
}

/// Why somebody of our own user is not heard. The steps are of the same user, and none of them is to be an owner.
fn unheard(peer: Option<i32>) -> Option<&'static str> {
    match peer {
        // The parent of a step's orphan may be gone, its mark is not; what cannot be read is not served.
        Some(pid @ 1..) => (kin::is_below(pid) || step_mark::is_ours(pid).unwrap_or(true))
            .then_some("this guard does not serve what runs below it"),
        // The kernel has no number for whoever is in no namespace of ours: nothing below us, then, and no engine that could find the
        // processes whose numbers we tell, or see that we live. It would judge what still runs, and end what has our numbers there.
        Some(..=0) | None => Some(
            "this guard does not serve whom it cannot see: you are in another pid namespace (a container); start the engine where \
             the guard runs",
        ),
    }
}

/// The next thing that is asked; what waits is sent meanwhile. Nothing when the other end has gone.
async fn listen_and_send(line: Option<&mut Line>) -> io::Result<Option<Ask>> {
    let Some(Line { stream, incoming, outgoing }) = line else { return Ok(None) };
    loop {
        let waits = !outgoing.is_empty();
        tokio::select! {
            came = incoming.next::<Ask>(stream) => return match came? {
                Some(Frame::Message(ask)) => Ok(Some(ask)),
                Some(Frame::Output(_)) => Err(io::Error::other("an engine has no output")),
                None => Ok(None),
            },
            sent = outgoing.send_some(stream), if waits => sent?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_number_here_is_told_of_its_namespace_and_not_that_it_runs_below() {
        let said = |peer| unheard(peer).unwrap_or("heard");
        for peer in [None, Some(0), Some(-1)] {
            assert!(said(peer).contains("another pid namespace"), "{peer:?}: {}", said(peer));
        }
        let us = i32::try_from(std::process::id()).expect("a number");
        assert_eq!(said(Some(us)), "heard", "one beside us");
        assert_eq!(
            said(Some(i32::MAX)),
            "this guard does not serve what runs below it",
            "who has ended already"
        );
    }
}

//! Start and end of an engine: the log is opened and folded, what guards have to tell of calls in flight is found out, then the
//! loop takes it up. Crash recovery is this same path, always.
//!
//! It closes in this order: nobody is let in, nothing more is decided, calls are ended, the writer finishes, the
//! workspace is given up. What was in flight is judged at the next start, as after a crash. An engine that hands over leaves
//! its calls to their guard instead.

use super::{
    Clock, Conductor, Effects, Entropy, Keep, LocalDesk, Podium, Seen, SystemClock, Tasks, Trouble,
    agent_door::Reached,
    archive::Archive,
    call_files::Log,
    effects::Shared,
    in_flight::{Begun, InFlight},
    library::Blobs,
};
use cuelight_base::{Actor, AttemptId, INBOX_COMMANDS_MAX, KILL_GRACE, safe_text};
use cuelight_engine::{AttemptEvent, Event, Fact, Found, TakeOver};
use cuelight_store::{
    AppendError, Journal, Owner, OwnerError, StoreError, Trusted, VerifiedEvents, Workspace,
};
use cuelight_tool::{
    FoundCall, GuardNews, GuardSetup, Guards, Host, HttpPolicy, Past, SecretStore, Stray, end_orphans,
};
use futures_util::FutureExt as _;
use std::{collections::BTreeMap, panic::AssertUnwindSafe, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Signals kept for who is slow.
const SIGNALS_MAX: usize = 1024;
/// Strays that are told of by name.
const STRAYS_NAMED: usize = 5;
/// Between two looks at whether the workspace is still ours.
const OWNER_LOOK: Duration = Duration::from_secs(1);

/// Settings that an engine starts with.
pub struct Setup {
    /// The place: one that its user trusts. There is no other way to start an engine.
    pub workspace: Trusted,
    /// The user at this process's desk.
    pub actor: Actor,
    /// All that a process of a step inherits.
    pub environment: Vec<(String, String)>,
    /// Source of secret values.
    pub secrets: SecretStore,
    /// This program, for the tools that it does itself in a process of their own.
    pub program: Option<PathBuf>,
    /// Allowed destinations of requests.
    pub http: HttpPolicy,
    /// True if steps get their place in a trace, also in runs that were started outside of one.
    pub traced: bool,
    /// Parent directory of captured workspaces for the calls that run in them; `None` means below
    /// `.cuelight`.
    pub trees: Option<PathBuf>,
    /// The program that becomes the guard of all local programs; without it they run below this process, and die with it.
    pub guard: Option<PathBuf>,
}

/// An engine in this process, and all it has started.
pub struct Engine {
    desk: LocalDesk,
    tasks: Tasks,
    /// Tasks of the seats.
    seats: Tasks,
    /// Seats, then the loop, then calls: each ended before the next.
    doors: CancellationToken,
    deciding: CancellationToken,
    calls: CancellationToken,
    looping: JoinHandle<()>,
    journal: Arc<Journal>,
    guards: Option<Arc<Guards>>,
    owner: Arc<Owner>,
}

impl Engine {
    /// Takes the workspace and goes on where the last one stopped.
    ///
    /// # Errors
    /// When somebody else owns it, or it cannot be used.
    pub async fn start(setup: Setup) -> Result<Self, OwnerError> {
        Self::begin(setup, None).await
    }

    /// The same with a workspace that another process has and does not answer for any more. The person at this desk takes it.
    ///
    /// # Errors
    /// When that process stands in the middle of a write, or the workspace cannot be used.
    pub async fn take_over(setup: Setup, reason: &str, from: Option<u32>) -> Result<Self, OwnerError> {
        Self::begin(setup, Some(Taking { reason: reason.to_owned(), from })).await
    }

    async fn begin(setup: Setup, taking: Option<Taking>) -> Result<Self, OwnerError> {
        let tasks = Tasks::default();
        let worker = tasks.clone();
        let workspace = setup.workspace.workspace().clone();
        let id = Arc::from(setup.workspace.id());
        let (opening, how) = (workspace.clone(), taking.clone());
        let opened = tasks.spawn_blocking(move || open(&opening, &worker, how.as_ref())).await;
        let Opened { owner, journal, epoch, conductor, archive, in_flight } =
            opened.expect("opening does not panic")?;
        let by = setup.actor.clone();
        let taken = taking.map(|taking| Box::new(TakeOver { by, reason: taking.reason, from: taking.from }));
        let owner = Arc::new(owner);
        let journal = Arc::new(journal);
        let secrets = Arc::new(setup.secrets);
        let archive = archive.with_secrets(Arc::clone(&secrets));
        let (inbox, arrived) = mpsc::channel(INBOX_COMMANDS_MAX);
        let (seen, boards) = watch::channel(Seen { board: conductor.board(), trouble: None });
        let (ring, _) = broadcast::channel(SIGNALS_MAX);
        let (doors, deciding, calls) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let root = workspace.root().to_owned();
        let (news, guard_news) = watch::channel(GuardNews::default());
        let (guards, past) = match setup.guard {
            Some(program) => {
                let spawner = tasks.clone();
                let guards = Guards::new(GuardSetup {
                    program,
                    root: root.clone(),
                    epoch,
                    environment: setup.environment.clone(),
                    closing: calls.clone(),
                    spawn: Arc::new(move |work| drop(spawner.spawn(work))),
                    news: news.clone(),
                });
                let failed = |error| StoreError::io("use", &root.join(".cuelight/guard"), &error);
                let (guards, past) = guards.map_err(failed)?;
                (Some(Arc::new(guards)), Some(past))
            }
            None => (None, None),
        };
        let reached = Arc::new(watch::Sender::new(Reached::default()));
        let shared = Arc::new(Shared::new(
            Host::new(root, setup.environment, secrets, KILL_GRACE)
                .with_clock(Arc::new(|| Clock::now(&SystemClock)))
                .with_program(setup.program)
                .with_http(setup.http),
            Keep::new(workspace, setup.trees.as_deref(), Arc::clone(&journal), Arc::clone(&owner)),
            guards.clone(),
            SystemClock,
            inbox.clone(),
            ring.clone(),
            tasks.clone(),
            calls.clone(),
            (setup.traced, boards.clone()),
            reached.subscribe(),
        ));
        let mut podium = Podium {
            conductor,
            journal: Log { journal: Arc::clone(&journal), archive: archive.clone(), tasks: tasks.clone() },
            clock: SystemClock,
            hands: Effects::new(Arc::clone(&shared)),
            inbox: arrived,
            seen: seen.clone(),
            closing: deciding.clone(),
            found: Vec::new(),
            taken,
        };
        let watch = Watch {
            owner: Arc::clone(&owner),
            guards: guards.clone(),
            seen: seen.clone(),
            doors: doors.clone(),
            deciding: deciding.clone(),
            calls: calls.clone(),
        };
        drop(tasks.spawn(watch.keep()));
        drop(tasks.spawn(say_what_guards_tell(guard_news, seen.clone(), deciding.clone())));
        let looping = tasks.spawn(async move {
            podium.found = found(&shared, past, in_flight).await;
            drop(shared);
            if AssertUnwindSafe(podium.run()).catch_unwind().await.is_err() {
                let why = "could not go on: a fault of cuelight; nothing recorded is lost, start it again"
                    .to_owned();
                seen.send_modify(|seen| seen.trouble = Some(Trouble::Stopped(why)));
            }
        });
        let (actor, blobs) = (Arc::new(setup.actor), Blobs(Arc::downgrade(&journal)));
        let hands = tasks.clone();
        let desk =
            LocalDesk { actor, who: None, inbox, boards, ring, archive, id, blobs, tasks: hands, reached };
        let seats = Tasks::default();
        Ok(Self { desk, tasks, seats, doors, deciding, calls, looping, journal, guards, owner })
    }

    /// The desk of the person at this terminal.
    pub fn desk(&self) -> LocalDesk {
        self.desk.clone()
    }

    /// Task tracker for seats, and the signal for them to leave.
    pub fn doors(&self) -> (&Tasks, &CancellationToken) {
        (&self.seats, &self.doors)
    }

    /// Ends in order, and leaves programs that run to their guard: the engine that takes the workspace next continues with them.
    pub async fn hand_over(self) {
        if let Some(guards) = &self.guards {
            guards.hand_over();
        }
        self.close().await;
    }

    /// Ends everything in order, and returns when nothing of it is left.
    pub async fn close(self) {
        self.doors.cancel();
        // Who has asked something gets the answer first.
        self.seats.join().await;
        self.deciding.cancel();
        // An error means that it panicked, which was told already.
        drop(self.looping.await);
        self.calls.cancel();
        drop(self.desk);
        drop(self.guards);
        self.tasks.join().await;
        // The last one who holds the journal waits for its writer.
        let journal = self.journal;
        let last = Tasks::default();
        drop(last.spawn_blocking(move || drop(journal)).await);
        drop(self.owner);
    }
}

/// Everything that ends when the workspace is taken over.
struct Watch {
    owner: Arc<Owner>,
    guards: Option<Arc<Guards>>,
    seen: watch::Sender<Seen>,
    doors: CancellationToken,
    deciding: CancellationToken,
    calls: CancellationToken,
}

impl Watch {
    /// Until the workspace is taken over: then nothing is decided or begun here any more, what runs under a guard is left to the other engine,
    /// and the person here is to find that one.
    async fn keep(self) {
        while self.owner.is_owner() {
            tokio::select! {
                () = self.deciding.cancelled() => return,
                () = sleep(OWNER_LOOK) => {}
            }
        }
        if let Some(guards) = &self.guards {
            guards.hand_over();
        }
        self.calls.cancel();
        let why = AppendError::Fenced.to_string();
        self.seen.send_modify(|seen| seen.trouble = Some(Trouble::TakenOver(why)));
        self.doors.cancel();
        self.deciding.cancel();
    }
}

/// Says of a guard that is held up, and of what runs below one and belongs to no step, what that means and what to do, as
/// long as it is so.
async fn say_what_guards_tell(
    mut news: watch::Receiver<GuardNews>,
    seen: watch::Sender<Seen>,
    deciding: CancellationToken,
) {
    loop {
        tokio::select! {
            () = deciding.cancelled() => return,
            changed = news.changed() => if changed.is_err() { return },
        }
        let told = trouble_of(&news.borrow_and_update());
        seen.send_if_modified(|seen| {
            // What is worse stays.
            let is_ours = matches!(seen.trouble, None | Some(Trouble::Unheard(_) | Trouble::Strays(_)));
            let is_new = is_ours && seen.trouble != told;
            if is_new {
                seen.trouble = told;
            }
            is_new
        });
    }
}

fn trouble_of(news: &GuardNews) -> Option<Trouble> {
    if let Some(pid) = news.held_up {
        return Some(Trouble::Unheard(format!(
            "the guard (process {pid}) is stopped: programs of steps go on, and nothing is heard of them; \
             `kill -CONT {pid}` lets it go on"
        )));
    }
    let all: Vec<&Stray> = news.strays.values().flat_map(|stray| &stray.named).collect();
    let count = all.len() + news.strays.values().map(|stray| stray.more).sum::<usize>();
    let named =
        all.iter().take(STRAYS_NAMED).map(|stray| format!("{} ({})", safe_text(&stray.name), stray.pid));
    let mut named: Vec<String> = named.collect();
    if count > named.len() {
        named.push(format!("{} more", count - named.len()));
    }
    (!all.is_empty()).then(|| {
        Trouble::Strays(format!(
            "no step is known to have started {}: it left its step and hid; it is ended when no step runs that may have \
             started it, or with `kill`",
            named.join(", ")
        ))
    })
}

struct Opened {
    owner: Owner,
    journal: Journal,
    /// Number of times that the workspace has been taken.
    epoch: u64,
    conductor: Conductor,
    archive: Archive,
    in_flight: InFlight,
}

/// Finds the state of calls in flight: asks their guards, and ends processes whose guard is gone.
async fn found(
    shared: &Arc<Shared<SystemClock>>,
    past: Option<Past>,
    in_flight: InFlight,
) -> Vec<(AttemptId, Found)> {
    shared.tidy(&in_flight).await;
    let processes = in_flight.iter().filter(|entry| entry.1.launch.is_process());
    let names: BTreeMap<String, AttemptId> =
        processes.map(|process| (process.0.to_string(), *process.0)).collect();
    let (Some(guards), Some(past)) = (&shared.guards, past) else {
        if !in_flight.is_empty() {
            // What cannot be ended belongs to another user by now; the engine asks a person where it matters.
            let _ = end_orphans(shared.root(), KILL_GRACE, |_| true).await;
        }
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, what) in guards.take_up(past, &names.keys().cloned().collect()).await {
        let Some(attempt) = names.get(&name) else { continue };
        let begun = &in_flight[attempt];
        let found = match what {
            FoundCall::Running => {
                shared.remember(*attempt, begun.clone());
                Found::Running
            }
            FoundCall::Ended(answer, ran_for) => Found::Ended(Box::new(
                shared.outcome(*attempt, &begun.launch, begun.in_tree, *answer, ran_for).await,
            )),
            FoundCall::NeverBegan => Found::NotStarted,
            FoundCall::Unknown(evidence) => Found::Unknown(evidence),
        };
        if !matches!(found, Found::Running) {
            shared.remove_tree_of(*attempt).await;
        }
        all.push((*attempt, found));
    }
    all
}

/// Why a workspace is taken from the process that has it, and from which, where that is known.
#[derive(Clone)]
struct Taking {
    reason: String,
    from: Option<u32>,
}

fn open(workspace: &Workspace, tasks: &Tasks, taking: Option<&Taking>) -> Result<Opened, OwnerError> {
    let mut owner = match taking {
        Some(taking) => Owner::take_over(workspace, taking.from)?,
        None => Owner::take(workspace)?,
    };
    let archive = Archive::new(workspace.clone(), tasks.clone());
    let fold = |events: &mut VerifiedEvents| {
        let (mut conductor, mut in_flight) = (Conductor::new(), InFlight::new());
        events.each(|seq, event| {
            if let Some(run) = conductor.lacks(event.fact.run()) {
                conductor.recall(run, &archive.history(run)?);
            }
            conductor.replay(seq, event);
            follow(&mut in_flight, event);
            Ok(())
        })?;
        Ok((conductor, in_flight))
    };
    let (journal, about, (conductor, in_flight)) =
        Journal::open_reading(workspace, &owner, Entropy.secret(), fold)?;
    // Only now: who cannot take the log up leaves it to whoever has it.
    owner.settle()?;
    Ok(Opened { owner, journal, epoch: about.epoch, conductor, archive, in_flight })
}

fn follow(in_flight: &mut InFlight, event: &Event) {
    let Fact::Attempt(run, step, number, event) = &event.fact else { return };
    let attempt = AttemptId { run: *run, step: *step, number: *number };
    match event {
        AttemptEvent::Started { launch, bound, .. } => {
            let in_tree = bound.as_ref().is_some_and(|bound| bound.tree().is_some());
            in_flight.insert(attempt, Begun { launch: launch.clone(), in_tree });
        }
        AttemptEvent::Adopted { .. } => {}
        AttemptEvent::Ended { .. } | AttemptEvent::Lost { .. } => drop(in_flight.remove(&attempt)),
    }
}

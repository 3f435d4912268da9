//! An effect becomes a call, and its result a command: what the engine asked for is done here, once it is on disk.
//!
//! Nothing here decides or waits for long: each call is a task, and at most `PROCESSES_MAX` of them run a process at once;
//! the others queue. The table of running calls belongs to the loop alone.

mod looking;
mod outcomes;

use super::{
    Boards, Clock, Hands, Inbound, Keep, Signal, Tasks,
    agent_door::{Reach, equipped},
    in_flight::{Begun, InFlight},
};
use cuelight_base::{
    ARTIFACT_BYTES_MAX, AttemptId, Digest, FailureMode, Launch, Program, RunId, Span, StepIx,
};
use cuelight_engine::{Command, Effect, Facts, FileFact, Outcome, Purpose};
use cuelight_tool::{
    Answer, Call, Executed, Guarded, Guards, Host, Progress, attend_built_in, collect_artifacts,
    is_directory, remove_tree, run_built_in, run_http, run_mcp, run_model, run_process,
};
use futures_util::FutureExt as _;
use looking::{executed, fact, fault_of_looking, not_as_approved, unread};
use outcomes::{failed, fault, never_started, not_reached, outcome};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_util::sync::CancellationToken;

/// The captured workspace, as asks name it.
const WORKSPACE: &str = "the workspace";
/// Processes at once, over all runs.
const PROCESSES_MAX: usize = 256;

/// Carries out effects with the tools of this machine.
pub struct Effects<C> {
    shared: Arc<Shared<C>>,
    calls: BTreeMap<AttemptId, (Purpose, CancellationToken)>,
}

/// Resources that all calls share.
pub(super) struct Shared<C> {
    host: Host,
    keep: Keep,
    /// Under which local programs run; without them they run below this process.
    pub(super) guards: Option<Arc<Guards>>,
    /// Calls that an earlier engine began and that still run.
    adopted: Mutex<BTreeMap<AttemptId, Begun>>,
    clock: C,
    results: mpsc::Sender<Inbound>,
    ring: broadcast::Sender<Arc<Signal>>,
    tasks: Tasks,
    free: Semaphore,
    closing: CancellationToken,
    /// True if steps of all runs get their place in a trace, and the boards to look it up.
    traced: (bool, Boards),
    /// The engine's address for agents that are started for somebody.
    reach: Reach,
    /// Looks at captured workspaces; each has a directory of its own.
    looks: AtomicU64,
}

/// The result of a call, for the engine.
enum Came {
    Ended(Box<Outcome>),
    Lost(String),
    /// It continues for the engine that takes the workspace next.
    HandedOver,
}

impl Came {
    fn ended(outcome: Outcome) -> Self {
        Self::Ended(Box::new(outcome))
    }
}

impl<C: Clock> Effects<C> {
    pub(super) const fn new(shared: Arc<Shared<C>>) -> Self {
        Self { shared, calls: BTreeMap::new() }
    }

    fn call(
        &mut self,
        attempt: AttemptId,
        purpose: Purpose,
        launch: Launch,
        effect_key: Digest,
        bound: Option<Box<Facts>>,
    ) {
        let cancel = self.shared.closing.child_token();
        self.calls.insert(attempt, (purpose, cancel.clone()));
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let work =
                AssertUnwindSafe(shared.call(attempt, &launch, effect_key, bound, &cancel)).catch_unwind();
            let came = work.await.unwrap_or_else(|_| Came::ended(fault()));
            shared.tell(attempt, came).await;
        });
    }

    /// Listens to a call that an engine before us has made.
    fn attach(&mut self, attempt: AttemptId, purpose: Purpose, ends: bool) {
        let cancel = self.shared.closing.child_token();
        self.calls.insert(attempt, (purpose, cancel.clone()));
        if ends {
            cancel.cancel();
        }
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let work = AssertUnwindSafe(shared.attach(attempt, &cancel)).catch_unwind();
            let came = work.await.unwrap_or_else(|_| Came::ended(fault()));
            shared.tell(attempt, came).await;
        });
    }

    fn end(&mut self, run: RunId, step: Option<StepIx>) {
        let first = AttemptId { run, step: step.unwrap_or(StepIx(0)), number: 0 };
        let last = AttemptId { run, step: step.unwrap_or(StepIx(u32::MAX)), number: u32::MAX };
        for (purpose, cancel) in self.calls.range(first..=last).map(|(_, call)| call) {
            if *purpose != Purpose::Undo {
                cancel.cancel();
            }
        }
    }

    fn look(
        &self,
        run: RunId,
        step: StepIx,
        files: Vec<String>,
        patterns: Vec<Vec<String>>,
        programs: Vec<Program>,
    ) {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let worker = Arc::clone(&shared);
            let work = shared.tasks.spawn_blocking(move || {
                let look = || worker.look(run, step, files.clone(), patterns.clone(), programs.clone());
                catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| unread(files, patterns, programs))
            });
            let Ok(facts) = work.await else { return };
            drop(shared.results.send(Inbound::Told(Command::FactsFetched { run, step, facts })).await);
        });
    }
}

impl<C: Clock> Hands for Effects<C> {
    fn carry(&mut self, effect: Effect) {
        match effect {
            Effect::Call { attempt, purpose, launch, effect_key, bound } => {
                self.call(attempt, purpose, *launch, effect_key, bound);
            }
            Effect::Attach { attempt, purpose, ends } => self.attach(attempt, purpose, ends),
            Effect::End { run, step } => self.end(run, step),
            Effect::Look { run, step, files, patterns, programs } => {
                self.look(run, step, files, patterns, programs);
            }
            Effect::Discard { run } => {
                let keep = self.shared.keep.clone();
                // What cannot be removed now is tried again at the next start.
                let remove = move || drop(remove_tree(&keep.snapshots(run)));
                drop(self.shared.tasks.spawn_blocking(remove));
            }
            // An error means that nobody listens.
            Effect::Ring { run, gate } => drop(self.shared.ring.send(Arc::new(Signal::Ring { run, gate }))),
        }
    }

    fn ended(&mut self, attempt: AttemptId) {
        self.calls.remove(&attempt);
    }

    fn recorded(&mut self, attempt: AttemptId) {
        if let Some(guards) = &self.shared.guards {
            guards.forget(attempt.to_string());
        }
    }
}

impl<C: Clock> Shared<C> {
    /// Results go to `results`; `ring` tells its listeners what happens meanwhile. `closing` ends all calls.
    #[expect(clippy::too_many_arguments, reason = "all that a call can need, put together once")]
    pub(super) fn new(
        host: Host,
        keep: Keep,
        guards: Option<Arc<Guards>>,
        clock: C,
        results: mpsc::Sender<Inbound>,
        ring: broadcast::Sender<Arc<Signal>>,
        tasks: Tasks,
        closing: CancellationToken,
        traced: (bool, Boards),
        reach: Reach,
    ) -> Self {
        let (free, adopted) = (Semaphore::new(PROCESSES_MAX), Mutex::default());
        let looks = AtomicU64::default();
        Self { host, keep, guards, adopted, clock, results, ring, tasks, free, closing, traced, reach, looks }
    }

    /// Value of `TRACEPARENT` for a call: its own span, as the parent of all spans that it reports.
    fn traceparent(&self, attempt: AttemptId) -> Option<String> {
        let board = self.traced.1.borrow().board.clone();
        let span = board.summary(attempt.run)?.span;
        let is_told = self.traced.0 || span.parent.is_some();
        is_told.then(|| span.attempt(attempt.step, attempt.number).to_string())
    }

    pub(super) fn root(&self) -> &Path {
        self.keep.root()
    }

    /// It was called by an engine before us, and will be listened to.
    pub(super) fn remember(&self, attempt: AttemptId, begun: Begun) {
        self.adopted.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt, begun);
    }

    async fn tell(&self, attempt: AttemptId, came: Came) {
        // What was ended because we are going is judged by whoever takes up the log next.
        if self.closing.is_cancelled() {
            return;
        }
        let command = match came {
            Came::Ended(outcome) => Command::AttemptEnded { attempt, outcome },
            Came::Lost(evidence) => Command::AttemptLost { attempt, evidence },
            Came::HandedOver => return,
        };
        drop(self.results.send(Inbound::Told(command)).await);
    }

    fn show(&self, attempt: AttemptId, progress: Progress<'_>) {
        if self.ring.receiver_count() > 0 {
            let from = progress.total - progress.bytes.len() as u64;
            let (bytes, at) = (progress.bytes.to_vec(), progress.at);
            drop(self.ring.send(Arc::new(Signal::Output { attempt, from, bytes, at })));
        }
    }

    async fn attach(self: &Arc<Self>, attempt: AttemptId, cancel: &CancellationToken) -> Came {
        let begun = self.adopted.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
        let (Some(guards), Some(Begun { launch, in_tree })) = (&self.guards, begun) else {
            return Came::Lost("nobody remembers it: a fault of cuelight".to_owned());
        };
        let guarded =
            guards.attach(&attempt.to_string(), cancel, |progress| self.show(attempt, progress)).await;
        match guarded {
            Guarded::Ended(answer, ran_for) => {
                let ran_for = ran_for.unwrap_or_default();
                let outcome = self.outcome(attempt, &launch, in_tree, *answer, ran_for).await;
                self.remove_tree_of(attempt).await;
                Came::ended(outcome)
            }
            Guarded::Changed(_) => Came::ended(not_as_approved(vec![fault_of_looking()])),
            Guarded::Lost(evidence) => Came::Lost(evidence),
            Guarded::HandedOver => Came::HandedOver,
        }
    }

    async fn call(
        self: &Arc<Self>,
        attempt: AttemptId,
        launch: &Launch,
        effect_key: Digest,
        bound: Option<Box<Facts>>,
        cancel: &CancellationToken,
    ) -> Came {
        let in_tree = bound.as_ref().is_some_and(|bound| bound.tree().is_some());
        let came = self.make_call(attempt, launch, effect_key, bound, cancel).await;
        if in_tree && matches!(came, Came::Ended(_)) {
            self.remove_tree_of(attempt).await;
        }
        came
    }

    async fn make_call(
        self: &Arc<Self>,
        attempt: AttemptId,
        launch: &Launch,
        effect_key: Digest,
        bound: Option<Box<Facts>>,
        cancel: &CancellationToken,
    ) -> Came {
        let turn = tokio::select! {
            biased;
            () = cancel.cancelled() => return Came::ended(never_started()),
            turn = self.free.acquire() => turn.expect("it is never closed"),
        };
        let (mut opened, mut tree) = (None, None);
        if let Some(bound) = bound.clone() {
            let shared = Arc::clone(self);
            // What is done elsewhere has no files here.
            let is_here = launch.http.is_none() && launch.model.is_none();
            let dir = (is_here && bound.tree().is_some()).then(|| self.tree_of(attempt));
            let place = dir.clone();
            let look = self.tasks.spawn_blocking(move || shared.laid_out(attempt, &bound, place.as_deref()));
            let (changed, executable) = look.await.unwrap_or_else(|_| (vec![fault_of_looking()], None));
            if !changed.is_empty() {
                return Came::ended(not_as_approved(changed));
            }
            (opened, tree) = (executable, dir);
        }
        let mut own = None;
        if let Some(agent) = launch.spawned() {
            let known = (self.reach.clone(), self.traced.1.clone());
            match equipped(&self.host, launch, agent, attempt, known, cancel).await {
                None => return Came::ended(never_started()),
                Some(Err(why)) => return Came::ended(not_reached(&why)),
                Some(Ok(equipped)) => own = Some(equipped),
            }
        }
        let launch = own.as_ref().map_or(launch, |entry| &entry.0);
        // Whoever slept through a take-over begins nothing that the other engine may have begun.
        if cancel.is_cancelled() || !self.keep.is_ours() {
            return Came::ended(never_started());
        }
        let call = Call {
            attempt_dir: self.keep.attempt_dir(attempt),
            run: attempt.run.to_string(),
            step: attempt.step.0.to_string(),
            attempt: attempt.to_string(),
            effect_key: effect_key.to_string(),
            tree,
            traceparent: self.traceparent(attempt),
        };
        let start = self.clock.uptime();
        let tell = |progress: Progress<'_>| self.show(attempt, progress);
        let answer = if launch.http.is_some() && launch.tool.as_ref().is_some_and(|tool| tool.mcp.is_some()) {
            run_mcp(&self.host, launch, &call, cancel, tell).await
        } else if launch.http.is_some() {
            run_http(&self.host, launch, &call, cancel, tell).await
        } else if launch.model.is_some() {
            run_model(&self.host, launch, &call, cancel, tell).await
        } else if let Some(guards) = self.guards.as_ref().filter(|_| launch.is_process()) {
            let executes = opened.as_ref().map(|(program, value)| (program.clone(), value.files().to_vec()));
            match guards.run(&self.host, launch, executes, &call, cancel, tell).await {
                Guarded::Ended(answer, _) => *answer,
                // Between our look and the guard's somebody has written to it: what is bound says what it was.
                Guarded::Changed(files) => {
                    let of = |files| Vec::from_iter(opened.as_ref().map(|entry| (entry.0.clone(), files)));
                    let is_compared = |file: &&Executed| call.tree.is_none() || !file.path.ends_with('/');
                    let now = of(files.iter().filter(is_compared).map(fact).collect());
                    let before =
                        of(opened.iter().flat_map(|entry| executed(&entry.1, call.tree.is_some())).collect());
                    let now = Facts { programs: now, ..bound.map(|bound| *bound).unwrap_or_default() };
                    let before = Facts { programs: before, ..now.clone() };
                    return Came::ended(not_as_approved(before.changed_in(&now)));
                }
                Guarded::Lost(evidence) => return Came::Lost(evidence),
                Guarded::HandedOver => return Came::HandedOver,
            }
        } else if launch.is_process() {
            run_process(&self.host, launch, opened.as_ref().map(|entry| &entry.1), &call, cancel, tell).await
        } else {
            self.built_in(launch, call.tree.clone(), cancel).await
        };
        drop(turn);
        let ran_for = Span(self.clock.uptime().0.saturating_sub(start.0));
        Came::ended(self.outcome(attempt, launch, call.tree.is_some(), answer, ran_for).await)
    }

    /// The outcome for the engine, with the kept files.
    pub(super) async fn outcome(
        self: &Arc<Self>,
        attempt: AttemptId,
        launch: &Launch,
        in_tree: bool,
        answer: Answer,
        ran_for: Span,
    ) -> Outcome {
        let mut outcome = Outcome { ran_for, ..outcome(answer) };
        if outcome.failure.is_none() && !launch.artifacts.is_empty() {
            let (shared, launch) = (Arc::clone(self), launch.clone());
            let kept =
                self.tasks.spawn_blocking(move || shared.keep_artifacts(&launch, attempt, in_tree)).await;
            match kept.unwrap_or_else(|_| Err("could not keep its artifacts: a fault of cuelight".to_owned()))
            {
                Ok(artifacts) => outcome.artifacts = artifacts,
                Err(message) => outcome.failure = Some(failed(FailureMode::AgentContract, message)),
            }
        }
        outcome
    }

    /// Path of the captured workspace in which this call runs, if it runs in one.
    fn tree_of(&self, attempt: AttemptId) -> PathBuf {
        self.keep.tree(&attempt.to_string())
    }

    /// Removes the captured workspace of a call; nothing needs it once the call is over.
    pub(super) async fn remove_tree_of(&self, attempt: AttemptId) {
        let dir = self.tree_of(attempt);
        // What cannot be removed now is tried again at the next start.
        drop(self.tasks.spawn_blocking(move || drop(remove_tree(&dir))).await);
    }

    /// Removes captured workspaces of earlier engines.
    pub(super) async fn tidy(&self, in_flight: &InFlight) {
        let calls: BTreeSet<String> = in_flight.keys().map(ToString::to_string).collect();
        let board = self.traced.1.borrow().board.clone();
        let open: BTreeSet<String> = board.open_runs().map(|run| run.id().to_string()).collect();
        let keep = self.keep.clone();
        let tidy = move || keep.tidy(|text| calls.contains(text), |text| open.contains(text));
        drop(self.tasks.spawn_blocking(tidy).await);
    }

    /// A tool of our own, on a thread of its own.
    async fn built_in(
        self: &Arc<Self>,
        launch: &Launch,
        tree: Option<PathBuf>,
        cancel: &CancellationToken,
    ) -> Answer {
        let stop = cancel.child_token();
        let (shared, asked, its_stop) = (Arc::clone(self), launch.clone(), stop.clone());
        let work = self.tasks.spawn_blocking(move || {
            let work = AssertUnwindSafe(|| run_built_in(&shared.host, &asked, tree.as_deref(), &its_stop));
            catch_unwind(work).ok()
        });
        attend_built_in(launch, work.map(|work| work.ok().flatten()), cancel, &stop).await
    }

    /// Copies what a step leaves before the next step changes it. Patterns count from its working directory.
    fn keep_artifacts(
        &self,
        launch: &Launch,
        attempt: AttemptId,
        in_tree: bool,
    ) -> Result<Vec<FileFact>, String> {
        let tree = self.tree_of(attempt);
        let root = if in_tree { tree.as_path() } else { self.keep.root() };
        // A link in its place would lead to the files of another place.
        if in_tree && !is_directory(root) {
            return Err(
                "the captured workspace in which it ran is gone, and its artifacts with it".to_owned()
            );
        }
        let dir = launch.dir.as_ref().map_or_else(|| root.to_owned(), |dir| root.join(dir));
        let attempt_dir = self.keep.attempt_dir(attempt);
        let found = collect_artifacts(&dir, &launch.artifacts, &attempt_dir, ARTIFACT_BYTES_MAX)?;
        let masker = self.host.masker(launch)?;
        for path in found.iter().map(|artifact| artifact.path.to_string_lossy()) {
            // The log keeps names for good.
            let masked = masker.mask(&path);
            if masked != path {
                return Err(format!(
                    "could not keep {masked}: its name holds a secret; give the file another name"
                ));
            }
        }
        Ok(found
            .into_iter()
            .map(|artifact| FileFact {
                path: artifact.path.to_string_lossy().into_owned(),
                digest: Some(artifact.digest),
                bytes: artifact.bytes,
                problem: None,
            })
            .collect())
    }
}

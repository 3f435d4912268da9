//! All that can be seen of one log, up to one event. Changed by `apply` alone; what is shared is behind `Arc`.
//!
//! A copy of a board is cheap: a batch of events copies only the runs it touched, and of those only the steps. Runs
//! that came to rest are kept whole for a while, then as their summary.

use crate::{
    Alike, Approved, ErrorView, GateView, Health, Hold, Line, RunSummary, RunView, Shelf, StepView,
    TargetView, Vitals, Worker,
    agents::{self, AtWork},
    errors::Errors,
    kind_word,
    vitals::ResultOf,
};
use cuelight_base::{
    AttemptId, Epoch, ErrorKind, FailureMode, GateId, RoutePolicy, RunId, Score, Seq, Span, StepIx,
    Timestamp, Value, agent_name,
};
use cuelight_engine::{
    Agents, AttemptEvent, Bus, Cache, CacheEvent, CauseOfLaunch, Event, Fact, Gate, GateEvent, GateState,
    Leases, LibraryEvent, PeopleEvent, PeopleInForce, PeoplePolicy, Purpose, Revoked, RunEvent, RunState,
    ScopeEvent, StepEvent, StepState, Topics, WaitReason, Why, etag,
};
use cuelight_plan::{PlanStep, Scope, Work};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Runs at rest that are kept whole.
const RESTED_MAX: usize = 64;
/// Gates that have closed and are still shown.
const CLOSED_GATES_MAX: usize = 1000;
/// Runs that are looked at behind a run that does others again.
const RETRIES_MAX: usize = 64;
/// Lines of the whole log that are kept.
const LINES_MAX: usize = 128;

/// The name of a value that was set: scope, owner, key.
pub type ValueName = (Scope, String, String);

/// A value of a scope that outlives runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueView {
    /// The value itself; foreign text.
    pub value: Value,
    /// The number of changes so far.
    pub version: u64,
    /// Until when it stands.
    pub expires_at: Option<Timestamp>,
    /// When it was set.
    pub set_at: Timestamp,
    /// The person who set it, or the run whose step did.
    pub set_by: String,
}

impl ValueView {
    /// The etag of the value, which differs for every value and version.
    pub fn etag(&self) -> String {
        etag(&self.value, self.version)
    }
}

/// The name of the tool, agent, model or kind that does the work of a step. Each of them has its own
/// statistics, because the results of one say nothing about another.
fn performer<'a>(plan: &'a PlanStep, seen: &'a StepView) -> &'a str {
    match &plan.work {
        Work::Tool(tool_use) => {
            let chosen = tool_use.route.as_ref().and_then(|_| seen.choice());
            chosen.map_or(tool_use.tool.as_str(), |chosen| chosen.chosen.as_str())
        }
        Work::Model(work) => work.model.as_str(),
        other => kind_word(other),
    }
}

/// The name of the tool, model or kind that does the work in this fallback.
fn performer_instead(plan: &PlanStep, which: u32) -> &str {
    let work = plan.fallback.get(which as usize - 1);
    work.map_or("run", |work| work.tool().or(work.model()).unwrap_or_else(|| kind_word(work)))
}

/// The fold that screens and commands read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The last event that was applied.
    pub seq: Seq,
    /// The time of that event.
    pub at: Timestamp,
    /// When an engine took up this log last, and for how long nobody had looked.
    pub recovered: Option<(Timestamp, Span)>,
    runs: Shelf<Arc<RunView>>,
    rested: Shelf<Arc<RunSummary>>,
    gates: Shelf<Arc<GateView>>,
    /// Runs that have not come to rest.
    open_runs: Arc<BTreeSet<RunId>>,
    /// Gates that have not closed.
    open_gates: Arc<BTreeSet<GateId>>,
    closed_gates: Arc<VecDeque<GateId>>,
    /// Gates that one person approved in an emergency, now or before they asked anew, where nobody else has looked at it.
    reviews_due: Arc<BTreeSet<GateId>>,
    /// Steps nobody knows the end of, and undos that could not be done.
    pub(super) doubts: Arc<BTreeSet<(RunId, StepIx)>>,
    pub(super) stuck: Arc<BTreeSet<(RunId, StepIx)>>,
    /// By workflow and step, the gate that was approved last.
    approved: Arc<BTreeMap<(String, String), Arc<Approved>>>,
    values: Arc<BTreeMap<ValueName, ValueView>>,
    /// Workflows whose schedules people hold, or held.
    pub(super) holds: Arc<BTreeMap<String, Hold>>,
    /// The targets of calls, as far as there is something to say about them.
    pub(super) targets: Arc<BTreeMap<String, TargetView>>,
    /// Steps that wait for a target.
    pub(super) held_back: Arc<BTreeMap<(RunId, StepIx), String>>,
    /// Results that may stand for steps.
    cache: Arc<Cache>,
    /// When somebody cleared the lists of what had rested.
    cleared_at: Option<Timestamp>,
    bus: Arc<Bus>,
    topics: Arc<Topics>,
    revoked: Arc<Revoked>,
    people: PeopleInForce,
    /// The agents that registered themselves.
    pub(super) present: Arc<Agents>,
    /// The leases of registered agents, and the steps that are offered to them.
    leases: Arc<Leases>,
    /// Handed in by agents.
    results: u64,
    /// Left by agents and people.
    known: u64,
    errors: Errors,
    vitals: Vitals,
    /// Steps that agents work on.
    pub(super) at_work: AtWork,
    /// Runs at rest that are whole, the oldest first.
    recent: VecDeque<RunId>,
    lines: VecDeque<Arc<Line>>,
}

impl Board {
    /// A run, whole; nothing when it is unknown or only its summary is kept.
    pub fn run(&self, run: RunId) -> Option<&Arc<RunView>> {
        self.runs.get(u64::from(run.0))
    }

    /// True if this call was started and has not ended.
    pub fn is_running(&self, call: AttemptId) -> bool {
        let step = self.run(call.run).and_then(|run| run.step(call.step));
        step.is_some_and(|step| {
            step.attempts().iter().any(|attempt| attempt.number == call.number && attempt.is_running())
        })
    }

    /// The summary of a run, for lists.
    pub fn summary(&self, run: RunId) -> Option<&RunSummary> {
        let whole = self.run(run).map(|run| &run.summary);
        whole.or_else(|| self.rested.get(u64::from(run.0)).map(|value| &**value))
    }

    /// All runs that are known, oldest first.
    pub fn summaries(&self) -> impl Iterator<Item = &RunSummary> {
        let mut whole = self.runs.iter().map(|(key, run)| (key, &run.summary)).peekable();
        let mut rested = self.rested.iter().map(|(key, value)| (key, &**value)).peekable();
        std::iter::from_fn(move || {
            let take_whole = match (whole.peek(), rested.peek()) {
                (Some((left, _)), Some((right, _))) => left < right,
                (Some(_), None) => true,
                (None, Some(_) | None) => false,
            };
            let next = if take_whole { whole.next() } else { rested.next() };
            next.map(|(_, summary)| summary)
        })
    }

    /// The runs for lists, oldest first, without those that had come to rest when somebody cleared the lists.
    pub fn listed(&self) -> impl Iterator<Item = &RunSummary> {
        let is_cleared = |summary: &RunSummary| {
            summary.state.rests()
                && self.cleared_at.is_some_and(|at| summary.ended_at.is_some_and(|ended| ended <= at))
        };
        self.summaries().filter(move |summary| !is_cleared(summary))
    }

    /// When somebody cleared the lists of what had rested.
    pub const fn cleared_at(&self) -> Option<Timestamp> {
        self.cleared_at
    }

    /// The number of known runs.
    pub const fn run_count(&self) -> usize {
        self.runs.len() + self.rested.len()
    }

    /// Runs that have not come to rest, oldest first.
    pub fn open_runs(&self) -> impl DoubleEndedIterator<Item = &Arc<RunView>> {
        self.open_runs.iter().filter_map(|run| self.run(*run))
    }

    /// A gate; also one that has closed, for a while.
    pub fn gate(&self, gate: GateId) -> Option<&Arc<GateView>> {
        self.gates.get(u64::from(gate.0))
    }

    /// The project that a run belongs to, where that is not the workspace's own: that of whoever asked for it, else of the run that it
    /// does again.
    pub fn project_of(&self, run: RunId) -> Option<&str> {
        let mut at = self.summary(run)?;
        loop {
            let before = match at.cause {
                CauseOfLaunch::Retry { of, .. } | CauseOfLaunch::Fork { of, .. } if of < at.id => Some(of),
                CauseOfLaunch::Retry { .. }
                | CauseOfLaunch::Fork { .. }
                | CauseOfLaunch::Asked
                | CauseOfLaunch::Schedule(_) => None,
            };
            match (at.by.project(), before.and_then(|value| self.summary(value))) {
                (Some(project), _) => return Some(project),
                (None, Some(before)) => at = before,
                (None, None) => return None,
            }
        }
    }

    /// The trace of the run that a gate belongs to, with which an answer to it is signed.
    pub fn trace_of(&self, gate: GateId) -> Option<&str> {
        Some(&self.run(self.gate(gate)?.run)?.summary.trace)
    }

    /// All gates that are known, oldest first.
    pub fn gates(&self) -> impl DoubleEndedIterator<Item = &Arc<GateView>> {
        self.gates.iter().map(|(_, gate)| gate)
    }

    /// Gates that have not closed, oldest first.
    pub fn open_gates(&self) -> impl DoubleEndedIterator<Item = &Arc<GateView>> {
        self.open_gates.iter().filter_map(|gate| self.gate(*gate))
    }

    /// Emergency approvals and overrides that nobody else has reviewed yet: each gate as it was then,
    /// whatever it asks now. In the order of gates, and for each gate the oldest first.
    pub fn reviews_due(&self) -> impl DoubleEndedIterator<Item = &Arc<GateView>> {
        let gates = self.reviews_due.iter().filter_map(|gate| self.gate(*gate));
        gates.flat_map(GateView::emergencies).filter(|emergency| emergency.awaits_review())
    }

    /// A gate as it was when it was approved in an emergency, in this epoch.
    pub fn emergency(&self, gate: GateId, epoch: Epoch) -> Option<&Arc<GateView>> {
        self.gate(gate)?.emergencies().find(|emergency| emergency.epoch() == epoch)
    }

    /// True if a gate has another ask since its emergency approval in this epoch. A review then has to name
    /// the epoch.
    pub fn asks_since(&self, gate: GateId, epoch: Epoch) -> bool {
        self.gate(gate).is_some_and(|gate| gate.epoch() != epoch)
    }

    /// Gates of one run that have not closed.
    pub fn open_gates_of(&self, run: RunId) -> impl Iterator<Item = &Arc<GateView>> {
        self.open_gates().filter(move |gate| gate.run == run)
    }

    /// A value of a scope that outlives runs, unless it has expired; foreign text.
    pub fn values(&self, now: Timestamp) -> impl Iterator<Item = (&ValueName, &ValueView)> {
        self.values.iter().filter(move |(_, value)| value.expires_at.is_none_or(|until| until > now))
    }

    /// The declared topics with their rules, and the messages that broke them.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The people.toml that is in force, once one was read.
    pub fn people_policy(&self) -> Option<PeoplePolicy> {
        self.people.now().map(|membership| membership.policy.clone())
    }

    /// The last messages on the bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Tokens that were taken back before their time.
    pub fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Agents that came by themselves.
    pub fn present(&self) -> &Agents {
        &self.present
    }

    /// The leases of registered agents, and the steps that are offered to them.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The number of known entries that agents and people have left.
    pub const fn known(&self) -> u64 {
        self.known
    }

    /// The number of results that agents have submitted, including those that can no longer be found.
    pub const fn results(&self) -> u64 {
        self.results
    }

    /// Results that may stand for steps.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// All kept failures, oldest first.
    pub fn errors(&self) -> impl DoubleEndedIterator<Item = &Arc<ErrorView>> {
        self.errors.iter()
    }

    /// Failures that stand or are tried again, oldest first.
    pub fn open_errors(&self) -> impl DoubleEndedIterator<Item = &Arc<ErrorView>> {
        self.errors.open()
    }

    /// The number of failures that are open or retried.
    pub fn open_error_count(&self) -> usize {
        self.errors.open_count()
    }

    /// A failure by the event that told of it first.
    pub fn error(&self, id: Seq) -> Option<&Arc<ErrorView>> {
        self.errors.get(id)
    }

    /// The last failure of a step, or of its undo.
    pub fn error_of(&self, run: RunId, step_id: &str, of_undo: bool) -> Option<&Arc<ErrorView>> {
        self.errors.of_step(run, step_id, of_undo)
    }

    /// The number of similar earlier failures, and their remedies.
    pub fn alike(&self, error: &ErrorView) -> Alike {
        self.errors.lessons().alike(error)
    }

    /// The failures of the same worker, by type and mode.
    pub fn worker(&self, error: &ErrorView) -> Option<&Worker> {
        self.errors.lessons().worker(error)
    }

    /// The number of failures of each type.
    pub const fn error_types(&self) -> &BTreeMap<ErrorKind, u32> {
        self.errors.lessons().types()
    }

    /// Failures that are high or critical, stand, and are looked after by nobody.
    pub fn urgent_error_count(&self) -> usize {
        self.errors.urgent_count()
    }

    /// 100 · quality of the last 100 results of all runs.
    pub fn health(&self) -> Health {
        self.vitals.health()
    }

    /// The health of the workspace over time.
    pub const fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// The last events of all runs in words, oldest first; at most 128.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().map(|line| &**line)
    }

    /// Keeps only the summary of a run at rest, unless something in it needs a person.
    pub fn forget(&mut self, run: RunId) {
        let key = u64::from(run.0);
        self.recent.retain(|run_id| *run_id != run);
        let needs_somebody = self.doubts.iter().chain(self.stuck.iter()).any(|(run_id, _)| *run_id == run);
        if needs_somebody || self.open_runs.contains(&run) {
            return;
        }
        if let Some(whole) = self.runs.remove(key) {
            self.rested.insert(key, Arc::new(whole.summary.clone()));
        }
    }

    /// The run at rest that an event is about and of which only the summary is kept: `remember` it first.
    pub fn forgotten(&self, event: &Event) -> Option<RunId> {
        event.fact.run().filter(|run| self.rested.get(u64::from(run.0)).is_some())
    }

    /// Takes back a run that was forgotten, from a board that has folded its events. Do so before events reach a run
    /// at rest (an undo asked for later), so that its steps are seen again.
    pub fn remember(&mut self, whole: Arc<RunView>) {
        let key = u64::from(whole.id().0);
        if self.rested.remove(key).is_some() {
            let run = whole.id();
            self.runs.insert(key, whole);
            self.rest(run);
        }
    }

    /// Folds one event into the board.
    pub fn apply(&mut self, seq: Seq, event: &Event) {
        self.seq = seq;
        self.at = event.at;
        let load = self.load(event);
        if self.leases.concerns(event) {
            Arc::make_mut(&mut self.leases).apply(event);
        }
        match &event.fact {
            Fact::Run(run, run_event) => self.apply_run(*run, event.at, run_event),
            Fact::Step(run, step, step_event) => self.apply_step(*run, *step, event.at, step_event),
            Fact::Attempt(run, step, number, attempt_event) => {
                self.change(*run, |view| view.apply_attempt(event.at, *step, *number, attempt_event));
                agents::keep_up(&mut self.at_work, (*run, *step), attempt_event);
                self.count_call(*run, *step, event.at, attempt_event);
            }
            Fact::Gate(run, step, gate, gate_event) => {
                self.apply_gate((*run, *step, *gate), event.at, gate_event)
            }
            Fact::Undo(run, step, undo_event) => {
                self.change(*run, |view| view.apply_undo(event.at, *step, undo_event));
            }
            Fact::Scope(run, scope_event) => self.apply_scope(*run, event.at, scope_event),
            Fact::Failure(..) => {}
            Fact::Schedule(workflow, schedule_event) => {
                self.apply_schedule(workflow, event.at, schedule_event)
            }
            Fact::Target(name, target_event) => self.apply_target(name, event.at, target_event),
            Fact::Cache(cache_event) => {
                Arc::make_mut(&mut self.cache).apply(event.at, cache_event);
                if matches!(cache_event, CacheEvent::Reset { .. }) {
                    self.cleared_at = Some(event.at);
                }
            }
            Fact::Bus(bus_event) => {
                Arc::make_mut(&mut self.bus).apply(event.at, bus_event);
                Arc::make_mut(&mut self.topics).apply(event.at, bus_event);
            }
            Fact::Token(token_event) => Arc::make_mut(&mut self.revoked).apply(event.at, token_event),
            Fact::People(PeopleEvent::Changed { people, .. }) => {
                let people = self.people.change(people);
                for gate in self.gates.iter().map(|(key, _)| key).collect::<Vec<_>>() {
                    self.change_law(gate, |gate| gate.change_people(&people));
                }
            }
            Fact::Library(LibraryEvent::HandedIn { .. }) => self.results += 1,
            Fact::Library(LibraryEvent::Learned { .. }) => self.known += 1,
            Fact::Agent(agent_event) => {
                if agent_event.run().is_none() {
                    Arc::make_mut(&mut self.present).apply(event);
                }
            }
            Fact::Recovered { away, .. } => {
                self.recovered = Some((event.at, *away));
                Arc::make_mut(&mut self.present).apply(event);
            }
        }
        if let (Some(run), Some(step)) = (event.fact.run(), event.fact.step()) {
            self.watch(run, step);
        }
        if let Some(view) = event.fact.run().and_then(|run| self.run(run)).cloned() {
            let before = self.retried_by(&view);
            self.errors.apply(seq, event, &view, &before);
        }
        self.vitals.event(event.at, load, self.load(event));
        self.write_line(seq, event);
        self.forget_the_oldest();
    }

    /// Steps that run, and steps that wait for a slot, in the run that an event is about.
    fn load(&self, event: &Event) -> (u32, u32) {
        let counts = event.fact.run().and_then(|run| self.run(run)).map(|run| &run.summary.counts);
        counts.map_or((0, 0), |counts| (counts.of(StepState::Running), counts.of(StepState::Ready)))
    }

    fn count_call(&mut self, run: RunId, step: StepIx, at: Timestamp, event: &AttemptEvent) {
        let AttemptEvent::Ended { outcome, .. } = event else { return };
        let Some(view) = self.runs.get(u64::from(run.0)) else { return };
        let seen = view.step(step);
        let purpose = seen.and_then(|step| step.attempts().last()).map(|attempt| attempt.purpose);
        let kind = view.plan_step(step).zip(seen).map_or("", |(plan, seen)| match purpose {
            Some(Purpose::Fallback(which)) => performer_instead(plan, which),
            Some(Purpose::Undo | Purpose::Check) => "run",
            Some(Purpose::Step) | None => performer(plan, seen),
        });
        let failed =
            outcome.failure.as_ref().is_some_and(|failure| failure.mode != FailureMode::UserCancelled);
        let cost = outcome.usage.map_or(0, |usage| usage.cost_micro_usd);
        self.vitals.call(at, (kind, &view.summary.workflow), failed, outcome.ran_for, cost);
    }

    /// The result of a step that has just come to an end.
    fn count_result(
        &mut self,
        run: RunId,
        step: StepIx,
        at: Timestamp,
        state: StepState,
        mode: Option<FailureMode>,
    ) {
        let Some(view) = self.runs.get(u64::from(run.0)) else { return };
        let (Some(plan), Some(seen)) = (view.plan_step(step), view.step(step)) else { return };
        let works = plan.work.is_call() || matches!(plan.work, Work::Later(_));
        let took = seen.elapsed(at).filter(|_| works);
        let first = performer(plan, seen);
        let which = seen.fallback();
        let kind = if which > 0 { performer_instead(plan, which) } else { first };
        // Where none of several could be called, none has failed.
        let called = seen.attempts().iter().rfind(|attempt| attempt.purpose == Purpose::Step);
        let called = called.filter(|_| which > 0 && plan.work.tool().is_some());
        let instead_of = called.map(|called| (first, called.failure.as_ref().map(|failure| failure.mode)));
        let said =
            seen.outputs().filter(|_| agent_name(kind).is_some()).and_then(|outputs| outputs.get("quality"));
        let workflow = &view.summary.workflow;
        let result = ResultOf {
            workflow,
            run,
            step: &plan.id,
            kind,
            state,
            mode,
            took,
            confidence: seen.confidence().filter(|_| works),
            said: said.and_then(|quality| {
                Score::parse(&quality.as_str().map_or_else(|| quality.to_string(), str::to_owned))
            }),
            instead_of,
        };
        self.vitals.result(at, result);
    }

    /// The runs that this one does again, the nearest first.
    fn retried_by(&self, run: &RunView) -> Vec<RunId> {
        let of = |summary: &RunSummary| match summary.cause {
            CauseOfLaunch::Retry { of, .. } if of < summary.id => Some(of),
            CauseOfLaunch::Retry { .. }
            | CauseOfLaunch::Fork { .. }
            | CauseOfLaunch::Asked
            | CauseOfLaunch::Schedule(_) => None,
        };
        let back = std::iter::successors(of(&run.summary), |value| self.summary(*value).and_then(of));
        back.take(RETRIES_MAX).collect()
    }

    fn change(&mut self, run: RunId, change: impl FnOnce(&mut RunView)) {
        if let Some(view) = self.runs.get_mut(u64::from(run.0)) {
            change(Arc::make_mut(view));
        }
    }

    fn apply_run(&mut self, run: RunId, at: Timestamp, event: &RunEvent) {
        if let Some(view) = RunView::created(run, at, event) {
            self.runs.insert(u64::from(run.0), Arc::new(view));
            Arc::make_mut(&mut self.open_runs).insert(run);
            return;
        }
        self.change(run, |view| view.apply_run(at, event));
        match event {
            RunEvent::Ended { state, .. } => {
                if let Some(rested) = self.rested.get_mut(u64::from(run.0)) {
                    let rested = Arc::make_mut(rested);
                    rested.state = *state;
                    rested.ended_at = Some(at);
                }
                Arc::make_mut(&mut self.open_runs).remove(&run);
                if let Some(view) = self.runs.get(u64::from(run.0)) {
                    let (summary, failed) = (&view.summary, *state == RunState::Failed);
                    self.vitals.run_ended(
                        at,
                        &summary.workflow,
                        summary.age(at),
                        summary.counts.total(),
                        failed,
                    );
                }
                self.rest(run);
            }
            RunEvent::Compensating => {
                if self.runs.get(u64::from(run.0)).is_some() {
                    Arc::make_mut(&mut self.open_runs).insert(run);
                    self.recent.retain(|run_id| *run_id != run);
                }
            }
            RunEvent::Started => {
                if let Some(view) = self.runs.get(u64::from(run.0)) {
                    self.vitals.run_let_start(at, at.since(view.summary.created_at));
                }
            }
            RunEvent::Created { .. }
            | RunEvent::Paused { .. }
            | RunEvent::Resumed { .. }
            | RunEvent::Cancelling { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::TimedOut { .. }
            | RunEvent::BudgetWarned { .. }
            | RunEvent::BudgetRaised { .. } => {}
        }
    }

    fn rest(&mut self, run: RunId) {
        if self.runs.get(u64::from(run.0)).is_some() {
            self.recent.retain(|run_id| *run_id != run);
            self.recent.push_back(run);
        }
    }

    fn apply_step(&mut self, run: RunId, step: StepIx, at: Timestamp, event: &StepEvent) {
        let holds = |board: &Self| {
            board.run(run).and_then(|run| run.step(step)).is_some_and(|step| step.inside.is_some())
        };
        if let StepEvent::Routed { choice } = event
            && RoutePolicy::ALL.iter().any(|policy| policy.word() == choice.policy)
        {
            let view = self.run(run).and_then(|run| run.step(step));
            let waits = view.filter(|view| view.state == StepState::Waiting);
            self.vitals.chosen(at, waits.map_or(Span(0), |view| at.since(view.since)));
        }
        self.change(run, |view| view.apply_step(at, step, event));
        if let StepEvent::Reopened { gates, .. } = event
            && gates.is_empty()
            && let Some(gate) = self.run(run).and_then(|run| run.step(step)).and_then(StepView::gate)
        {
            self.change_law(u64::from(gate.0), Gate::asks_anew);
        }
        if holds(self) {
            return;
        }
        match event {
            StepEvent::Completed { partial, kept: false, .. } => {
                let state = if *partial { StepState::Partial } else { StepState::Completed };
                self.count_result(run, step, at, state, None);
            }
            StepEvent::Failed { record } | StepEvent::Skipped { why: Why::Failed(record) } => {
                self.count_result(run, step, at, StepState::Failed, Some(record.mode));
            }
            StepEvent::Completed { kept: true, .. }
            | StepEvent::Ready
            | StepEvent::Waiting { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Opened { .. }
            | StepEvent::Grown { .. }
            | StepEvent::DoneByHand { .. }
            | StepEvent::Rejected { .. }
            | StepEvent::Routed { .. }
            | StepEvent::SentBack
            | StepEvent::Reopened { .. }
            | StepEvent::Skipped { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::Ending { .. }
            | StepEvent::InDoubt { .. }
            | StepEvent::DoubtAnswered { .. } => {}
        }
    }

    /// Keeps the lists of what needs a person.
    fn watch(&mut self, run: RunId, step: StepIx) {
        let view = self.run(run).and_then(|run| run.step(step));
        let doubt = view.is_some_and(|view| view.state == StepState::InDoubt);
        let stuck = view.is_some_and(|view| matches!(view.undo(), super::UndoState::Stuck(_)));
        let waits_for = view.and_then(|view| match view.wait() {
            Some(WaitReason::Target { name, .. }) => Some(name.clone()),
            _ => None,
        });
        if self.held_back.get(&(run, step)) != waits_for.as_ref() {
            let held_back = Arc::make_mut(&mut self.held_back);
            match waits_for {
                Some(name) => held_back.insert((run, step), name),
                None => held_back.remove(&(run, step)),
            };
        }
        for (set, is_in) in [(&mut self.doubts, doubt), (&mut self.stuck, stuck)] {
            if set.contains(&(run, step)) != is_in {
                let set = Arc::make_mut(set);
                if is_in {
                    set.insert((run, step))
                } else {
                    set.remove(&(run, step))
                };
            }
        }
    }

    fn apply_gate(&mut self, (run, step, gate): (RunId, StepIx, GateId), at: Timestamp, event: &GateEvent) {
        let key = u64::from(gate.0);
        let was_open = self.open_gates.contains(&gate);
        if let Some(view) = self.gates.get_mut(key) {
            Arc::make_mut(view).apply(at, event);
        } else if let GateEvent::Asked { ask, hash, .. } = event {
            let plan = self.run(run).and_then(|run| run.plan_step(step));
            let rule = plan.and_then(|plan| plan.work.gate());
            let law = Gate::asked((run, step, gate), at, (ask, *hash), rule, &self.people);
            let mut view = GateView::asked(law, (run, step, gate));
            view.last_approved = self.last_approved(&ask.workflow, &ask.step).cloned();
            self.gates.insert(key, Arc::new(view));
        }
        let owes_review = self
            .gates
            .get(key)
            .is_some_and(|gate| gate.emergencies().any(|emergency| emergency.awaits_review()));
        if owes_review != self.reviews_due.contains(&gate) {
            let due = Arc::make_mut(&mut self.reviews_due);
            if owes_review {
                due.insert(gate)
            } else {
                due.remove(&gate)
            };
        }
        let is_open = self.gates.get(key).is_some_and(|gate| gate.is_open());
        if was_open && !is_open {
            if let Some(opened_at) = self.gate(gate).map(|gate| gate.ask.opened_at) {
                self.vitals.gate_closed(at, at.since(opened_at));
            }
            self.close(gate, at);
        }
        let opened = !was_open && is_open;
        if opened {
            Arc::make_mut(&mut self.open_gates).insert(gate);
            Arc::make_mut(&mut self.closed_gates).retain(|gate_id| *gate_id != gate);
        }
        self.change(run, |view| {
            view.apply_gate(step, gate, event);
            let open = &mut view.summary.open_gates;
            *open = (*open + u32::from(opened)).saturating_sub(u32::from(was_open && !is_open));
        });
    }

    fn change_law(&mut self, gate: u64, change: impl FnOnce(&mut Gate)) {
        if let Some(view) = self.gates.get_mut(gate) {
            change(Arc::make_mut(view).law_mut());
        }
    }

    fn close(&mut self, gate: GateId, at: Timestamp) {
        Arc::make_mut(&mut self.open_gates).remove(&gate);
        let closed = Arc::make_mut(&mut self.closed_gates);
        closed.push_back(gate);
        let gone = if closed.len() > CLOSED_GATES_MAX { closed.pop_front() } else { None };
        if let Some(view) = self.gate(gate).filter(|gate| gate.state == GateState::Approved) {
            let by = view.closers();
            let approved = Approved { gate, ask: Arc::clone(&view.ask), at, by };
            let name = (view.ask.workflow.clone(), view.ask.step.clone());
            Arc::make_mut(&mut self.approved).insert(name, Arc::new(approved));
        }
        // One that waits for a review stays until it has had it.
        if let Some(gone) = gone.filter(|gate| !self.reviews_due.contains(gate)) {
            self.gates.remove(u64::from(gone.0));
        }
    }

    /// The gate of this step that was approved last, in any run of the workflow.
    pub fn last_approved(&self, workflow: &str, step: &str) -> Option<&Arc<Approved>> {
        self.approved.get(&(workflow.to_owned(), step.to_owned()))
    }

    fn apply_scope(&mut self, run: Option<RunId>, at: Timestamp, event: &ScopeEvent) {
        let (scope, owner, key, value, expires_at, by) = match event {
            ScopeEvent::Set { scope, owner, key, value, expires_at, by } => {
                (*scope, owner, key, value.clone(), *expires_at, by.as_ref())
            }
            ScopeEvent::Removed { scope, owner, key, by } => {
                (*scope, owner, key, Value::Null, Some(at), Some(by))
            }
        };
        match (scope, run) {
            (Scope::Run, Some(run)) => self.change(run, |view| {
                view.vars.insert(key.clone(), value);
            }),
            (Scope::Run, None) => {}
            (Scope::Session | Scope::Global, run) => {
                let values = Arc::make_mut(&mut self.values);
                let name = (scope, owner.clone(), key.clone());
                let version = values.get(&name).map_or(0, |value| value.version) + 1;
                let set_by = by.map(|item| item.name.clone()).or_else(|| run.map(|run| run.to_string()));
                let set_by = set_by.unwrap_or_default();
                values.insert(name, ValueView { value, version, expires_at, set_at: at, set_by });
            }
        }
    }

    fn write_line(&mut self, seq: Seq, event: &Event) {
        let run = event.fact.run();
        let line = Arc::new(Line::of(seq, event, run.and_then(|run| self.run(run)).map(|run| &**run)));
        if let Some(run) = run {
            self.change(run, |view| view.note(Arc::clone(&line)));
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn forget_the_oldest(&mut self) {
        while self.recent.len() > RESTED_MAX {
            if let Some(oldest) = self.recent.front().copied() {
                self.forget(oldest);
            }
        }
    }
}

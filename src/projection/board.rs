//! All that can be seen of one log, up to one event. Changed by `apply` alone; what is shared is behind `Arc`.
//!
//! A copy of a board is cheap: a batch of events copies only the runs it touched, and of those only the steps. Runs
//! that have ended are kept whole for a while, then as their summary.

mod counting;
mod queries;

use crate::{
    Approved, EventWords, GateView, Hold, Line, RunSummary, RunView, Shelf, StepView, TargetView, Vitals,
    errors::Errors, event_words, hold, target,
};
use cuelight_base::{GateId, RoutePolicy, RunId, Seq, Span, StepIx, Timestamp, Value};
use cuelight_engine::{
    AttemptEvent, Cache, CacheEvent, Event, Fact, Gate, GateEvent, GateState, PeopleEvent, PeopleInForce,
    Revoked, RunEvent, ScopeEvent, StepEvent, StepState, WaitReason, Why, etag, fold_leases,
};
use cuelight_exchange::{Agents, Bus, Leases, LibraryEvent, Topics};
use cuelight_plan::Scope;
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
    closed_gates: Arc<VecDeque<GateId>>,
    pub(super) open: OpenWork,
    /// By workflow and step, the gate that was approved last.
    approved: Arc<BTreeMap<(String, String), Arc<Approved>>>,
    values: Arc<BTreeMap<ValueName, ValueView>>,
    /// Workflows whose schedules people hold, or held.
    holds: Arc<BTreeMap<String, Hold>>,
    /// The targets of calls, as far as there is something to say about them.
    targets: Arc<BTreeMap<String, TargetView>>,
    /// Steps that wait for a target.
    pub(super) held_back: Arc<BTreeMap<(RunId, StepIx), String>>,
    /// Results that may stand for steps.
    cache: Arc<Cache>,
    /// When somebody cleared the lists of what had rested.
    cleared_at: Option<Timestamp>,
    revoked: Arc<Revoked>,
    pub(super) people: PeopleInForce,
    pub(super) exchange: Exchanged,
    errors: Errors,
    vitals: Vitals,
    /// Steps that agents work on, each with the agent.
    pub(super) at_work: Arc<BTreeMap<(RunId, StepIx), Arc<str>>>,
    /// Runs at rest that are whole, the oldest first.
    recent: VecDeque<RunId>,
    lines: VecDeque<Arc<Line>>,
}

/// The ids of what has not ended, or waits for a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OpenWork {
    /// Runs that have not come to rest.
    pub(super) runs: Arc<BTreeSet<RunId>>,
    /// Gates that have not closed.
    pub(super) gates: Arc<BTreeSet<GateId>>,
    /// Gates that one person approved in an emergency, now or before they asked anew, where nobody else has looked at it.
    pub(super) reviews_due: Arc<BTreeSet<GateId>>,
    /// Steps nobody knows the end of, and undos that could not be done.
    pub(super) doubts: Arc<BTreeSet<(RunId, StepIx)>>,
    pub(super) stuck: Arc<BTreeSet<(RunId, StepIx)>>,
}

/// Messages, agents and what agents left, as far as a board shows them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Exchanged {
    pub(super) bus: Arc<Bus>,
    pub(super) topics: Arc<Topics>,
    /// The agents that registered themselves.
    pub(super) agents: Arc<Agents>,
    /// The leases of registered agents, and the steps that are offered to them.
    pub(super) leases: Arc<Leases>,
    /// Submitted by agents, by key.
    pub(super) results: u64,
    /// Left by agents and people.
    pub(super) known: u64,
}

impl Board {
    /// Keeps only the summary of a run at rest, unless something in it needs a person.
    pub fn forget(&mut self, run: RunId) {
        let key = u64::from(run.0);
        self.recent.retain(|run_id| *run_id != run);
        let needs_somebody =
            self.open.doubts.iter().chain(self.open.stuck.iter()).any(|(run_id, _)| *run_id == run);
        if needs_somebody || self.open.runs.contains(&run) {
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
        fold_leases(&mut self.exchange.leases, event);
        match &event.fact {
            Fact::Run(run, run_event) => self.apply_run(*run, event.at, run_event),
            Fact::Step(run, step, step_event) => self.apply_step(*run, *step, event.at, step_event),
            Fact::Attempt(run, step, number, attempt_event) => {
                self.change(*run, |view| view.apply_attempt(event.at, *step, *number, attempt_event));
                self.work_on((*run, *step), attempt_event);
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
                hold::note(Arc::make_mut(&mut self.holds), workflow, event.at, schedule_event)
            }
            Fact::Target(name, target_event) => {
                target::note(Arc::make_mut(&mut self.targets), name, event.at, target_event)
            }
            Fact::Cache(cache_event) => {
                Arc::make_mut(&mut self.cache).apply(event.at, cache_event);
                if matches!(cache_event, CacheEvent::Reset { .. }) {
                    self.cleared_at = Some(event.at);
                }
            }
            Fact::Bus(bus_event) => {
                Arc::make_mut(&mut self.exchange.bus).apply(event.at, bus_event);
                Arc::make_mut(&mut self.exchange.topics).apply(event.at, bus_event);
            }
            Fact::Token(token_event) => Arc::make_mut(&mut self.revoked).apply(event.at, token_event),
            Fact::People(PeopleEvent::Changed { people, .. }) => {
                let people = self.people.change(people);
                for gate in self.gates.iter().map(|(key, _)| key).collect::<Vec<_>>() {
                    self.change_law(gate, |gate| gate.change_people(&people));
                }
            }
            Fact::Library(LibraryEvent::HandedIn { .. }) => self.exchange.results += 1,
            Fact::Library(LibraryEvent::Learned { .. }) => self.exchange.known += 1,
            Fact::Agent(agent_event) => {
                if agent_event.run().is_none() {
                    Arc::make_mut(&mut self.exchange.agents).apply(event.at, agent_event);
                }
            }
            Fact::Recovered { away, .. } => {
                self.recovered = Some((event.at, *away));
                Arc::make_mut(&mut self.exchange.agents).recovered(event.at);
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

    fn change(&mut self, run: RunId, change: impl FnOnce(&mut RunView)) {
        if let Some(view) = self.runs.get_mut(u64::from(run.0)) {
            change(Arc::make_mut(view));
        }
    }

    fn apply_run(&mut self, run: RunId, at: Timestamp, event: &RunEvent) {
        if let Some(view) = RunView::created(run, at, event) {
            self.runs.insert(u64::from(run.0), Arc::new(view));
            Arc::make_mut(&mut self.open.runs).insert(run);
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
                Arc::make_mut(&mut self.open.runs).remove(&run);
                if let Some(view) = self.runs.get(u64::from(run.0)) {
                    let summary = &view.summary;
                    self.vitals.run_ended(
                        at,
                        (run, *state),
                        (&summary.workflow, view.partial.as_deref()),
                        summary.took(at),
                        summary.counts.total(),
                    );
                }
                self.rest(run);
            }
            RunEvent::Compensating => {
                if self.runs.get(u64::from(run.0)).is_some() {
                    Arc::make_mut(&mut self.open.runs).insert(run);
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
        if matches!(event, StepEvent::Rejected { .. }) {
            let gate = self.run(run).and_then(|run| run.step(step)).and_then(StepView::gate);
            if let Some(words) = gate.and_then(|gate| self.gate(gate)).map(|gate| gate.rejection_words()) {
                self.change(run, |view| view.set_rejection(step, words));
            }
        }
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

    /// Keeps up which agents work: a call of one has begun, or a call has ended.
    fn work_on(&mut self, step: (RunId, StepIx), event: &AttemptEvent) {
        match event {
            AttemptEvent::Started { launch, .. } => {
                let tool = launch.tool.as_ref().filter(|tool| tool.agent.is_some());
                if let Some(tool) = tool {
                    Arc::make_mut(&mut self.at_work).insert(step, tool.id().into());
                }
            }
            AttemptEvent::Adopted { .. } => {}
            AttemptEvent::Ended { .. } | AttemptEvent::Lost { .. } => {
                if self.at_work.contains_key(&step) {
                    Arc::make_mut(&mut self.at_work).remove(&step);
                }
            }
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
        for (set, is_in) in [(&mut self.open.doubts, doubt), (&mut self.open.stuck, stuck)] {
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
        let was_open = self.open.gates.contains(&gate);
        if let Some(view) = self.gates.get_mut(key) {
            Arc::make_mut(view).apply(at, event);
        } else if let GateEvent::Asked { ask, hash, .. } = event {
            let plan = self.run(run).and_then(|run| run.plan_step(step));
            let rule = plan.and_then(|plan| plan.work.gate());
            let law = Gate::asked((run, step, gate), at, (ask, *hash), rule, &self.people);
            let mut view = GateView::asked(law, (run, step, gate));
            view.last_approved = self.last_approved(&ask.workflow, &ask.step).cloned();
            view.compare();
            self.gates.insert(key, Arc::new(view));
        }
        let owes_review = self
            .gates
            .get(key)
            .is_some_and(|gate| gate.emergencies().any(|emergency| emergency.awaits_review()));
        if owes_review != self.open.reviews_due.contains(&gate) {
            let due = Arc::make_mut(&mut self.open.reviews_due);
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
            Arc::make_mut(&mut self.open.gates).insert(gate);
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
        Arc::make_mut(&mut self.open.gates).remove(&gate);
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
        if let Some(gone) = gone.filter(|gate| !self.open.reviews_due.contains(gate)) {
            self.gates.remove(u64::from(gone.0));
        }
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
        let (run, step) = (event.fact.run(), event.fact.step());
        let view = run.and_then(|run| self.run(run)).map(|run| &**run);
        let EventWords { kind, subject, detail } = event_words(event, view);
        let line = Arc::new(Line { seq, at: event.at, run, step, kind, subject, detail });
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

//! All that is open: the fold over the log. Changed by `apply` alone; `handle` decides and applies in one go.

use crate::{
    Cache, Command, Event, Fact, GateEvent, Launching, PeopleEvent, Refusal, Revoked, RunEvent, RunState,
    StepEvent, Verdict, WaitReason,
    gate::{Gate, GateDue, POLICY_AUTO},
    lease::fold_leases,
    left_behind::LeftBehind,
    membership::PeopleInForce,
    requests::Requests,
    run::Run,
    scope::Stored,
    target::Targets,
};
use cuelight_base::{DecisionId, GateId, RunId, Span, StepIx, Timestamp};
use cuelight_exchange::Exchange;
use cuelight_plan::Scope;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Runs that rest but are kept for who asks next: a retry, an undo, a second answer.
const RESTED_KEPT: usize = 64;

/// As many of the runs that a run goes on from are looked at.
const RUNS_BEFORE_MAX: usize = 16;

/// The highest numbers and the latest instant in the log.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    run: u32,
    gate: u32,
    at: Timestamp,
}

/// All runs that have not ended, the last ended ones, and the state that they share.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) gates: BTreeMap<GateId, Gate>,
    pub(super) decisions: BTreeMap<DecisionId, (GateId, Verdict, String)>,
    /// By run its gates, and by gate what was decided there: what goes when a run is forgotten.
    gates_of: BTreeMap<RunId, Vec<GateId>>,
    decisions_of: BTreeMap<GateId, Vec<DecisionId>>,
    pub(super) scopes: BTreeMap<(Scope, String), BTreeMap<String, Stored>>,
    /// Runs of a concurrency group that have not ended, oldest first.
    pub(super) groups: BTreeMap<String, BTreeSet<RunId>>,
    /// Workflows whose schedules are on hold, with the person who asked for it.
    pub(super) held: BTreeMap<String, String>,
    /// The targets of calls, and the steps that wait for them.
    pub(super) targets: Targets,
    /// Results that may stand for steps.
    pub(super) cache: Arc<Cache>,
    /// The messages, the agents, their work and what they left.
    pub(super) exchange: Exchange,
    /// The project that a run belongs to, where that is not the workspace's own.
    projects: Arc<BTreeMap<RunId, String>>,
    /// Tokens that were revoked.
    pub(super) revoked: Arc<Revoked>,
    /// The requests that runs were made for.
    requests: Arc<Requests>,
    /// The people of the workspace.
    pub(super) people: PeopleInForce,
    /// The people whose runs have ended, where a program may go on.
    pub(super) left: Arc<LeftBehind>,
    /// Steps that wait for messages, with the topic.
    pub(super) listening: BTreeMap<(RunId, StepIx), String>,
    rested: VecDeque<RunId>,
    due: BTreeSet<(Timestamp, RunId)>,
    gates_due: BTreeMap<GateId, (Timestamp, StepIx)>,
    /// Runs with touched steps that have not been settled.
    pub(super) dirty: BTreeSet<RunId>,
    pub(super) open_runs: usize,
    pub(super) open_gates: usize,
    last: Last,
}

impl World {
    /// The fold. Everything that holds after an event is a function of the events up to it.
    ///
    /// # Panics
    /// When an event contradicts what went before: a fault, never a matter of input.
    pub fn apply(&mut self, event: &Event) {
        self.last.at = self.last.at.max(event.at);
        if let Fact::Scope(run, scope_event) = &event.fact {
            self.apply_scope(*run, event.at, scope_event);
        }
        if let Fact::Schedule(workflow, event) = &event.fact {
            self.apply_schedule(workflow, event);
        }
        if let Fact::Target(name, event) = &event.fact {
            self.targets.apply(name, event);
        }
        if let Fact::Cache(cache_event) = &event.fact {
            Arc::make_mut(&mut self.cache).apply(event.at, cache_event);
        }
        if let Fact::Bus(bus_event) = &event.fact {
            self.exchange.apply_bus(event.at, bus_event);
        }
        if let Fact::Token(token_event) = &event.fact {
            Arc::make_mut(&mut self.revoked).apply(event.at, token_event);
        }
        if let Fact::Library(library_event) = &event.fact {
            self.exchange.apply_library(event.at, library_event);
        }
        if let Fact::People(PeopleEvent::Changed { people, .. }) = &event.fact {
            let people = self.people.change(people);
            self.gates.values_mut().for_each(|gate| gate.change_people(&people));
        }
        if let Fact::Agent(agent_event) = &event.fact {
            self.exchange.apply_agent(event.at, agent_event);
        }
        if let Fact::Recovered { .. } = &event.fact {
            Arc::make_mut(&mut self.exchange.agents).recovered(event.at);
        }
        fold_leases(&mut self.exchange.leases, event);
        let Some(id) = event.fact.run() else { return };
        let was_due = self.run_due(id);
        self.apply_fact(id, event);
        let is_due = self.run_due(id);
        if was_due != is_due {
            was_due.map(|was_due| self.due.remove(&(was_due, id)));
            is_due.map(|moment| self.due.insert((moment, id)));
        }
        self.dirty.insert(id);
    }

    fn run_due(&self, id: RunId) -> Option<Timestamp> {
        self.runs.get(&id)?.queue.due.first().map(|(at, _)| *at)
    }

    fn apply_fact(&mut self, id: RunId, event: &Event) {
        match &event.fact {
            Fact::Run(_, run_event @ RunEvent::Created { plan, by, cause, request, .. }) => {
                assert!(!self.runs.contains_key(&id), "fault: {id} was created twice");
                let project = by.project().or_else(|| self.project_of(cause.parent()?)).map(str::to_owned);
                if let Some(project) = project {
                    Arc::make_mut(&mut self.projects).insert(id, project);
                }
                if let Some(concurrency) = &plan.concurrency {
                    self.groups.entry(concurrency.group.clone()).or_default().insert(id);
                }
                // One that is brought back out of the log was counted when it was made.
                if let Some(request) = request.filter(|_| id.0 > self.last.run) {
                    Arc::make_mut(&mut self.requests).apply(event.at, id, by.project(), request);
                }
                self.runs.insert(id, Run::created(id, run_event));
                self.last.run = self.last.run.max(id.0);
                self.open_runs += 1;
            }
            Fact::Run(_, run_event) => {
                let run = self.run_mut(id);
                let rested = run.state.rests();
                run.apply(event.at, run_event);
                match (rested, run.state.rests()) {
                    (false, true) => self.come_to_rest(id, event.at),
                    (true, false) => self.open_runs += 1,
                    (false, false) | (true, true) => {}
                }
            }
            Fact::Step(_, step, step_event) => {
                let run = self.run_mut(id);
                run.apply_step(event.at, *step, step_event);
                let priority = run.plan_step(*step).priority;
                match step_event {
                    StepEvent::Waiting { reason: WaitReason::Message { topic, .. } } => {
                        self.listening.insert((id, *step), topic.clone());
                    }
                    _ => drop(self.listening.remove(&(id, *step))),
                }
                // What is being ended is still being called.
                if !matches!(step_event, StepEvent::Ending { .. }) {
                    self.targets.apply_step((id, *step), priority, event.at, step_event);
                }
                if let StepEvent::Reopened { gates, .. } = step_event
                    && gates.is_empty()
                {
                    self.asks_anew(id, *step);
                }
            }
            Fact::Attempt(_, step, number, attempt_event) => {
                self.run_mut(id).apply_attempt(event.at, *step, *number, attempt_event);
                let project = self.projects.get(&id).map(String::as_str);
                self.targets.apply_attempt((id, *step), event.at, attempt_event, project);
            }
            Fact::Undo(_, step, event) => self.run_mut(id).apply_undo(*step, event),
            Fact::Gate(_, step, gate, gate_event) => self.apply_gate(id, *step, *gate, event.at, gate_event),
            Fact::Failure(_, event) => self.run_mut(id).apply_failure(event),
            Fact::Scope(..)
            | Fact::Schedule(..)
            | Fact::Target(..)
            | Fact::Cache(..)
            | Fact::Bus(..)
            | Fact::Token(..)
            | Fact::Library(..)
            | Fact::People(..)
            | Fact::Agent(..)
            | Fact::Recovered { .. } => {}
        }
    }

    /// The project that a run belongs to; none for the workspace's own. It is the project of the actor who
    /// asked for the run, else of the run that it does again.
    pub(super) fn project_of(&self, run: RunId) -> Option<&str> {
        self.projects.get(&run).map(String::as_str)
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> &mut Run {
        self.runs.get_mut(&id).unwrap_or_else(|| panic!("fault: an event names {id}, which is not known"))
    }

    fn come_to_rest(&mut self, id: RunId, at: Timestamp) {
        self.open_runs -= 1;
        let run = &self.runs[&id];
        Arc::make_mut(&mut self.left).ended(at, &run.by, id);
        let group = self.runs[&id].plan.concurrency.as_ref().map(|concurrency| concurrency.group.clone());
        if let Some(members) = group.as_ref().and_then(|group| self.groups.get_mut(group)) {
            members.remove(&id);
            self.dirty.extend(members.iter().copied());
        }
        if let Some(group) = group.filter(|group| self.groups.get(group).is_some_and(BTreeSet::is_empty)) {
            self.groups.remove(&group);
        }
        self.rested.retain(|run| *run != id);
        self.rested.push_back(id);
        while self.rested.len() > RESTED_KEPT {
            let oldest = self.rested.pop_front().expect("longer than the most that are kept");
            if self.runs.get(&oldest).is_some_and(|run| run.state.rests()) {
                self.forget(oldest);
            }
        }
    }

    fn forget(&mut self, run: RunId) {
        self.runs.remove(&run);
        for gate in self.gates_of.remove(&run).unwrap_or_default() {
            self.gates.remove(&gate);
            for decision in self.decisions_of.remove(&gate).unwrap_or_default() {
                self.decisions.remove(&decision);
            }
        }
    }

    fn apply_gate(&mut self, run: RunId, step: StepIx, id: GateId, at: Timestamp, event: &GateEvent) {
        self.forget_gate_due(run, id);
        self.last.gate = self.last.gate.max(id.0);
        match (self.gates.get_mut(&id), event) {
            (Some(gate), event) => {
                let open = gate.is_open();
                let state = gate.state;
                assert!(gate.apply(at, event), "fault: a gate that is {state} cannot take {event:?}");
                match (open, gate.is_open()) {
                    (true, false) => self.open_gates -= 1,
                    (false, true) => self.open_gates += 1,
                    (true, true) | (false, false) => {}
                }
            }
            (None, GateEvent::Asked { ask, hash, .. }) => {
                let rule = self.runs[&run].plan_step(step).work.gate();
                let gate = Gate::asked((run, step, id), at, (ask, *hash), rule, &self.people);
                self.open_gates += 1;
                self.gates_of.entry(run).or_default().push(id);
                self.gates.insert(id, gate);
                self.run_mut(run).steps[step.index()].gate = Some(id);
            }
            (None, event) => panic!("fault: {event:?} names {id}, which was never asked"),
        }
        if let Some(vote) = event.vote() {
            self.decisions.insert(vote.decision.clone(), (id, vote.verdict, vote.by.principal()));
            self.decisions_of.entry(id).or_default().push(vote.decision.clone());
        }
        self.note_asked(run, step, id, event);
        let gate = &self.gates[&id];
        if let Some((due, _)) = gate.due() {
            self.gates_due.insert(id, (due, step));
            self.run_mut(run).queue.due.insert((due, Some(step)));
        }
    }

    /// Notes on the step of a gate that it has asked people. A policy that approves at once asks nobody.
    fn note_asked(&mut self, run: RunId, step: StepIx, id: GateId, event: &GateEvent) {
        if self.gates[&id].for_budget {
            return;
        }
        let step = &mut self.run_mut(run).steps[step.index()];
        match event {
            GateEvent::Asked { .. } => step.asking.has_asked = true,
            GateEvent::Resolved { by, .. } if by == POLICY_AUTO => step.asking.has_asked = false,
            _ => {}
        }
    }

    /// Makes the gate of this step ask again as soon as its evidence has been looked at, because something it showed
    /// has changed.
    fn asks_anew(&mut self, run: RunId, step: StepIx) {
        let Some(id) = self.runs[&run].step(step).gate else { return };
        self.forget_gate_due(run, id);
        if let Some(gate) = self.gates.get_mut(&id) {
            gate.asks_anew();
        }
    }

    fn forget_gate_due(&mut self, run: RunId, gate: GateId) {
        if let Some((due, step)) = self.gates_due.remove(&gate) {
            self.run_mut(run).queue.due.remove(&(due, Some(step)));
        }
    }

    /// True if the people in force ask for a touched security key at gates of the highest risk. No file that
    /// the user can write takes that away.
    pub(super) fn wants_touch(&self) -> bool {
        self.people.wants_touch()
    }

    /// The timer of a gate that is due now, if any.
    pub(super) fn gate_due(&self, gate: GateId, now: Timestamp) -> Option<GateDue> {
        let gate = self.gates.get(&gate)?;
        gate.due().filter(|(at, _)| *at <= now).map(|(_, due)| due)
    }

    /// The next run for which time has come.
    pub(super) fn next_due(&self, now: Timestamp) -> Option<(RunId, Option<StepIx>)> {
        let (at, run) = self.due.first()?;
        let first = self.runs[run].queue.due.first().filter(|_| *at <= now)?;
        Some((*run, first.1))
    }

    /// When it must be woken without being asked.
    pub fn deadline(&self) -> Option<Timestamp> {
        let of_runs = self.due.first().map(|(at, _)| *at);
        of_runs
            .into_iter()
            .chain(self.targets.deadline())
            .chain(self.exchange.agents.deadline())
            .chain(self.exchange.leases.deadline())
            .min()
    }

    /// True when time alone approves a gate that is open: then a time in which nobody could look has to be noticed.
    pub fn approves_by_time(&self) -> bool {
        self.gates_due.keys().filter_map(|gate| self.gates.get(gate)).any(Gate::approves_by_time)
    }

    /// The time in which nobody could have looked, since the last recorded event; for `Command::Recover`.
    pub fn away(&self, now: Timestamp) -> Span {
        if self.last.at == Timestamp::default() { Span(0) } else { now.since(self.last.at) }
    }

    pub(super) fn next_run_id(&self) -> RunId {
        RunId(self.last.run + 1)
    }

    pub(super) fn next_gate_id(&self) -> GateId {
        GateId(self.last.gate + 1)
    }

    /// Ids are counted on from these; for an engine that folds only what is open.
    pub fn count_on_from(&mut self, run: RunId, gate: GateId) {
        self.last.run = self.last.run.max(run.0);
        self.last.gate = self.last.gate.max(gate.0);
    }

    /// A gate of a run that is known here.
    pub fn gate(&self, gate: GateId) -> Option<&Gate> {
        self.gates.get(&gate)
    }

    /// Sets the people of a gate, of a run that was read back from the log, to those of its opening. The
    /// people may be others by now; a board that has folded the whole log knows them.
    pub fn recall_people(&mut self, gate: &Gate) {
        if let Some(this_gate) = self.gates.get_mut(&gate.id) {
            this_gate.go_by(gate);
        }
    }

    /// The gates at which a step has asked in its run, the oldest first; not those for its budget, result or tool.
    pub(super) fn gates_at(&self, run: RunId, step: StepIx) -> impl Iterator<Item = &Gate> {
        let gates = self.gates_of.get(&run).into_iter().flatten().filter_map(|gate| self.gates.get(gate));
        gates.filter(move |gate| gate.step == step && !gate.for_budget)
    }

    /// True if people were asked at a step, also by the way.
    pub(super) fn has_asked_at(&self, run: RunId, step: StepIx) -> bool {
        let gates = self.gates_of.get(&run).into_iter().flatten();
        gates.filter_map(|gate| self.gates.get(gate)).any(|gate| gate.step == step)
    }

    /// True if a run waits for people.
    pub(super) fn asks(&self, run: RunId) -> bool {
        let gates = self.gates_of.get(&run).into_iter().flatten();
        gates.filter_map(|gate| self.gates.get(gate)).any(Gate::is_open)
    }

    /// The run that was made within the last day for the request that this launch comes of.
    pub fn made_for(&self, launching: &Launching, now: Timestamp) -> Option<RunId> {
        self.requests.run(launching.by.project(), launching.request?, now)
    }

    /// True if a run is known here: open, or ended not long ago.
    pub fn knows(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    /// The state of a run that is known here.
    pub fn state_of(&self, run: RunId) -> Option<RunState> {
        self.runs.get(&run).map(|run| run.state)
    }

    /// Runs that have not ended.
    pub fn open_runs(&self) -> impl Iterator<Item = RunId> {
        self.runs.values().filter(|run| !run.state.rests()).map(|run| run.id)
    }

    /// Returns the events of a command if it were handled now: it is handled in a world that holds only the
    /// run it concerns.
    pub fn preview(&self, command: Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let mut events = Vec::new();
        self.only(&self.concerned(&command)).handle(command, now, &mut events)?;
        Ok(events)
    }

    /// The runs that a run does again or goes on from, the newest first, as far back as anything looks.
    pub(super) fn runs_before(&self, run: RunId) -> impl Iterator<Item = RunId> {
        let before = |run: &RunId| self.runs.get(run)?.before.parent;
        std::iter::successors(before(&run), before).take(RUNS_BEFORE_MAX)
    }

    /// The first run that a run does again, over any number of others, of those that are known.
    fn first_before(&self, run: RunId) -> RunId {
        let before =
            |run: &RunId| self.runs.get(run)?.before.parent.filter(|parent| self.runs.contains_key(parent));
        std::iter::successors(Some(run), before).last().unwrap_or(run)
    }

    /// An open retry that keeps results which a run has given, or keeps itself.
    pub(super) fn retry_that_stands_on(&self, id: RunId) -> Option<RunId> {
        let kept = |run: &Run| -> BTreeSet<RunId> {
            run.steps.iter().filter_map(|step| step.origin.as_ref().map(|origin| origin.run)).collect()
        };
        let mut results = kept(self.runs.get(&id)?);
        results.insert(id);
        let mut others = self.family_of(self.first_before(id)).filter(|run| run.id != id);
        let stands =
            |run: &&Run| !run.state.rests() && !run.before.is_fork && !kept(run).is_disjoint(&results);
        others.find(stands).map(|run| run.id)
    }

    /// A run and all that do it again or go on from it, however far.
    pub(super) fn family_of(&self, first: RunId) -> impl Iterator<Item = &Run> {
        let mut family = BTreeSet::from([first]);
        // A run is made after the one that it does again.
        self.runs.range(first..).filter_map(move |(id, run)| {
            let is_of_it = *id == first || run.before.parent.is_some_and(|parent| family.contains(&parent));
            (is_of_it && (*id == first || family.insert(*id))).then_some(run)
        })
    }

    /// The runs that a command may change: its own run, the runs in its concurrency group, and all runs that
    /// wait for a target or a message. A run that goes on may call that target, or send that message.
    /// Runs that these go on from are read. Time, a restart, agents and a change of people concern all runs.
    fn concerned(&self, command: &Command) -> BTreeSet<RunId> {
        let of_gate = || command.gate().and_then(|gate| Some(self.gates.get(&gate)?.run));
        let run = command.run().or_else(of_gate).and_then(|run| self.runs.get(&run));
        let group = match command {
            Command::Wake
            | Command::Stalled
            | Command::Recover { .. }
            | Command::Agent { .. }
            | Command::DeclarePeople { .. } => {
                return self.runs.keys().copied().collect();
            }
            // The requesters of all open runs count as those of what a step asks for.
            _ if command.makes_a_run_for_a_step() => return self.runs.keys().copied().collect(),
            Command::Launch(launching) => launching.plan.concurrency.as_ref(),
            _ => run.and_then(|run| run.plan.concurrency.as_ref()),
        };
        let members = group.and_then(|group| self.groups.get(&group.group)).into_iter().flatten().copied();
        let listening = self.listening.iter().map(|entry| entry.0.0);
        let waiting = self.targets.waiting();
        // A retry reads what was done with the approvals that it would use, and an undo whose results it would take.
        let reads_family = matches!(
            command,
            Command::Retry { .. } | Command::Undo { .. } | Command::Cancel { undo: true, .. }
        );
        let retried = run.filter(|_| reads_family).map(|run| self.first_before(run.id));
        let family = retried.into_iter().flat_map(|first| self.family_of(first)).map(|run| run.id);
        let own = run.map(|run| run.id).into_iter().chain(family);
        let may_change = own.chain(members).chain(waiting).chain(listening);
        may_change.flat_map(|id| std::iter::once(id).chain(self.runs_before(id))).collect()
    }

    fn only(&self, runs: &BTreeSet<RunId>) -> Self {
        let gates_of: BTreeMap<_, _> =
            runs.iter().filter_map(|run| Some((*run, self.gates_of.get(run)?.clone()))).collect();
        let ids = || gates_of.values().flatten();
        let gates = ids().filter_map(|id| Some((*id, self.gates.get(id)?.clone()))).collect();
        let gates_due = ids().filter_map(|id| Some((*id, *self.gates_due.get(id)?))).collect();
        let decisions_of = ids().filter_map(|id| Some((*id, self.decisions_of.get(id)?.clone()))).collect();
        Self {
            runs: runs.iter().filter_map(|run| Some((*run, self.runs.get(run)?.clone()))).collect(),
            decisions: self.decisions.clone(),
            scopes: self.scopes.clone(),
            groups: self.groups.clone(),
            held: self.held.clone(),
            targets: self.targets.only(runs),
            cache: Arc::clone(&self.cache),
            exchange: self.exchange.only(runs),
            projects: Arc::clone(&self.projects),
            revoked: Arc::clone(&self.revoked),
            requests: Arc::clone(&self.requests),
            people: self.people.clone(),
            left: Arc::clone(&self.left),
            listening: self
                .listening
                .iter()
                .filter(|entry| runs.contains(&entry.0.0))
                .map(|entry| (*entry.0, entry.1.clone()))
                .collect(),
            rested: VecDeque::new(),
            due: runs.iter().filter_map(|run| Some((self.run_due(*run)?, *run))).collect(),
            gates_due,
            gates_of,
            decisions_of,
            dirty: self.dirty.intersection(runs).copied().collect(),
            open_runs: self.open_runs,
            open_gates: self.open_gates,
            last: self.last,
            gates,
        }
    }

    /// A text that is the same for two worlds in the same state; for tests and for the claim that the journal
    /// alone rebuilds the world.
    pub fn fingerprint(&self) -> String {
        let mut plain = self.clone();
        plain.dirty.clear();
        plain.targets.touched.clear();
        format!("{plain:?}")
    }
}

//! The questions to a board: its runs, gates, values, failures and health.

use super::{Board, ValueName, ValueView};
use crate::{
    Alike, Approved, ErrorView, GateView, Health, Hold, Line, RunSummary, RunView, TargetView, Vitals, Worker,
};
use cuelight_base::{AttemptId, Epoch, ErrorKind, GateId, RunId, Seq, StepIx, Timestamp};
use cuelight_engine::{Cache, CauseOfLaunch, PeoplePolicy, Revoked};
use cuelight_exchange::{Agents, Bus, Leases, Topics};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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

    /// The runs for lists, oldest first, without those that had ended when somebody cleared the lists.
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
        self.open.runs.iter().filter_map(|run| self.run(*run))
    }

    /// A gate; also one that has closed, for a while.
    pub fn gate(&self, gate: GateId) -> Option<&Arc<GateView>> {
        self.gates.get(u64::from(gate.0))
    }

    /// The project that a run belongs to, where that is not the workspace's own: that of the caller that asked for it, else of the run that it
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
        self.open.gates.iter().filter_map(|gate| self.gate(*gate))
    }

    /// Emergency approvals and overrides that nobody else has reviewed yet: each gate as it was then,
    /// whatever it asks now. In the order of gates, and for each gate the oldest first.
    pub fn reviews_due(&self) -> impl DoubleEndedIterator<Item = &Arc<GateView>> {
        let gates = self.open.reviews_due.iter().filter_map(|gate| self.gate(*gate));
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
        &self.exchange.topics
    }

    /// The people.toml that is in force, once one was read.
    pub fn people_policy(&self) -> Option<PeoplePolicy> {
        self.people.now().map(|membership| membership.policy.clone())
    }

    /// Targets of which something is to be said, by name.
    pub fn targets(&self) -> impl Iterator<Item = (&str, &TargetView)> {
        self.targets.iter().map(|(name, target)| (name.as_str(), target))
    }

    /// A target of which something is to be said.
    pub fn target(&self, name: &str) -> Option<&TargetView> {
        self.targets.get(name)
    }

    /// Steps that wait for a target.
    pub fn waiting_for(&self, name: &str) -> impl Iterator<Item = (RunId, StepIx)> {
        self.held_back.iter().filter(move |entry| entry.1 == name).map(|entry| *entry.0)
    }

    /// The current or last hold on the schedules of a workflow.
    pub fn hold_of(&self, workflow: &str) -> Option<&Hold> {
        self.holds.get(workflow)
    }

    /// Workflows that time has started, or that somebody holds, by name; and whether they are held now.
    pub fn scheduled(&self) -> BTreeMap<&str, bool> {
        let by_time = |summary: &&RunSummary| matches!(summary.cause, CauseOfLaunch::Schedule(_));
        let started: BTreeSet<&str> =
            self.summaries().filter(by_time).map(|summary| &*summary.workflow).collect();
        let held = self.holds.iter().map(|(name, hold)| (name.as_str(), hold.released_at.is_none()));
        started.into_iter().map(|name| (name, false)).chain(held).collect()
    }

    /// The last messages on the bus.
    pub fn bus(&self) -> &Bus {
        &self.exchange.bus
    }

    /// Tokens that were revoked before their time.
    pub fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Agents that came by themselves.
    pub fn present(&self) -> &Agents {
        &self.exchange.agents
    }

    /// The leases of registered agents, and the steps that are offered to them.
    pub fn leases(&self) -> &Leases {
        &self.exchange.leases
    }

    /// The number of known entries that agents and people have left.
    pub const fn known(&self) -> u64 {
        self.exchange.known
    }

    /// The number of results that agents have submitted, including those that can no longer be found.
    pub const fn results(&self) -> u64 {
        self.exchange.results
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
        self.errors.alike(error)
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

    /// The gate of this step that was approved last, in any run of the workflow.
    pub fn last_approved(&self, workflow: &str, step: &str) -> Option<&Arc<Approved>> {
        self.approved.get(&(workflow.to_owned(), step.to_owned()))
    }
}

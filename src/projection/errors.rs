//! Failures as people look at them: one for each failing step, whatever its attempts, with what became of it.

mod fingerprint;
mod view;

pub use view::{ErrorState, ErrorView, Fix, Said};

use crate::{
    RunView, Shelf,
    lessons::{Alike, Lessons, are_alike},
};
use cuelight_base::{ErrorKind, ErrorRecord, FailureMode, RunId, Seq, Severity, StepIx, Timestamp};
use cuelight_engine::{
    AttemptEvent, Event, Fact, Failure, FailureEvent, RunEvent, RunState, StepEvent, StepState, UndoEvent,
    Why,
};
use cuelight_plan::{FrameKind, OnError, PlanStep};
use fingerprint::fingerprint;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Failures that are kept; the oldest go first.
const ERRORS_MAX: usize = 5000;

/// All failures that are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Errors {
    views: Shelf<Arc<ErrorView>>,
    newest: Arc<BTreeMap<Key, u64>>,
    open: Arc<BTreeSet<u64>>,
    urgent: Arc<BTreeSet<u64>>,
    lessons: Lessons,
}

/// The subject of a failure: run, step id, and true for the undo of the step.
type Key = (RunId, String, bool);

impl Errors {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<ErrorView>> {
        self.views.iter().map(|(_, view)| view)
    }

    pub(super) fn get(&self, id: Seq) -> Option<&Arc<ErrorView>> {
        self.views.get(id.0)
    }

    pub(super) fn of_step(&self, run: RunId, step_id: &str, of_undo: bool) -> Option<&Arc<ErrorView>> {
        self.views.get(*self.newest.get(&(run, step_id.to_owned(), of_undo))?)
    }

    pub(super) fn open(&self) -> impl DoubleEndedIterator<Item = &Arc<ErrorView>> {
        self.open.iter().filter_map(|id| self.views.get(*id))
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(super) fn urgent_count(&self) -> usize {
        self.urgent.len()
    }

    /// The failures of the same kind, also those that are no longer kept. The ones after it are all kept.
    pub(super) fn alike(&self, error: &ErrorView) -> Alike {
        let later = self.iter().rev().take_while(|later| later.id > error.id);
        let after = later.filter(|later| are_alike(later, error)).count();
        let mut alike = self.lessons.alike(error);
        let before = (alike.times as usize).saturating_sub(after + 1);
        alike.before = u32::try_from(before).unwrap_or(u32::MAX);
        alike
    }

    pub(super) const fn lessons(&self) -> &Lessons {
        &self.lessons
    }

    /// Takes in an event that the run has seen already. `before` are the runs that this one retries.
    pub(super) fn apply(&mut self, seq: Seq, event: &Event, run: &RunView, before: &[RunId]) {
        let at = event.at;
        match &event.fact {
            Fact::Run(_, RunEvent::TimedOut { record }) => {
                self.note(
                    &Seen { seq, at, run, step: None, of_undo: false, attempt: 0 },
                    (**record).clone(),
                    ErrorState::Open,
                );
            }
            Fact::Step(_, step, event) => self.apply_step(seq, at, run, *step, event, before),
            Fact::Attempt(_, step, number, AttemptEvent::Ended { outcome, retry_at }) => {
                let (Some(plan), Some(failure)) = (run.plan_step(*step), &outcome.failure) else { return };
                // It did as it was told; where the step fails of it, the step says so.
                if failure.mode == FailureMode::UserCancelled && retry_at.is_none() {
                    return;
                }
                let of_undo = run.step(*step).is_some_and(|step| step.state == StepState::Undoing);
                let state = retry_at.map_or(ErrorState::Open, ErrorState::Retrying);
                let seen = Seen { seq, at, run, step: Some(*step), of_undo, attempt: *number };
                self.note(&seen, record_of(plan, failure), state);
            }
            Fact::Undo(_, step, UndoEvent::Stuck { record }) => {
                let attempt = run.step(*step).map_or(0, |step| step.calls);
                let seen = Seen { seq, at, run, step: Some(*step), of_undo: true, attempt };
                self.note(&seen, (**record).clone(), ErrorState::Open);
            }
            Fact::Undo(_, step, UndoEvent::Done { by }) => {
                let calls = run.step(*step).map_or(0, |step| step.calls);
                let fix = by.clone().map_or(Fix::Retry(calls), Fix::ByHand);
                self.resolve(&(run.id(), run.step_id(*step), true), at, fix);
            }
            Fact::Run(_, RunEvent::Ended { state: RunState::Failed | RunState::Undone, partial, .. }) => {
                if let Some(point) = partial.as_ref().and_then(|partial| partial.failure_point.as_ref()) {
                    self.escalate(&(run.id(), point.clone(), false));
                }
            }
            Fact::Run(_, RunEvent::Ended { state: RunState::Completed, .. }) => {
                self.resolve_all_before(run.id(), at, before);
            }
            Fact::Failure(_, event) => self.hear(run, at, event),
            Fact::Run(_, _)
            | Fact::Scope(_, _)
            | Fact::Gate(_, _, _, _)
            | Fact::Schedule(..)
            | Fact::Target(..)
            | Fact::Cache(..)
            | Fact::Bus(..)
            | Fact::Token(..)
            | Fact::Library(..)
            | Fact::People(..)
            | Fact::Agent(..)
            | Fact::Recovered { .. }
            | Fact::Attempt(
                _,
                _,
                _,
                AttemptEvent::Started { .. } | AttemptEvent::Lost { .. } | AttemptEvent::Adopted { .. },
            )
            | Fact::Undo(_, _, UndoEvent::Asked | UndoEvent::Again { .. }) => {}
        }
    }

    fn apply_step(
        &mut self,
        seq: Seq,
        at: Timestamp,
        run: &RunView,
        step: StepIx,
        event: &StepEvent,
        before: &[RunId],
    ) {
        let (Some(plan), Some(view)) = (run.plan_step(step), run.step(step)) else { return };
        // Where a frame fails because of a step in it, that step has told of its failure itself.
        let failed = match event {
            StepEvent::Failed { record } | StepEvent::Skipped { why: Why::Failed(record) } => {
                Some(record.mode)
            }
            _ => None,
        };
        let is_talk = plan.work.frame().is_some_and(|frame| matches!(frame.kind, FrameKind::Talk(_)));
        if view.inside.is_some() && (is_talk || failed == Some(FailureMode::PartialStepFailures)) {
            return;
        }
        let key = (run.id(), plan.id.clone(), false);
        let seen = Seen { seq, at, run, step: Some(step), of_undo: false, attempt: view.calls };
        match event {
            StepEvent::Failed { record } => {
                let allowed = plan.on_error != OnError::Abort;
                let state =
                    if allowed { ErrorState::Resolved { at, fix: Fix::Allowed } } else { ErrorState::Open };
                self.note(&seen, (**record).clone(), state);
            }
            StepEvent::Skipped { why: Why::Failed(record) } => {
                self.note(&seen, (**record).clone(), ErrorState::Resolved { at, fix: Fix::Allowed });
            }
            StepEvent::Completed { kept: false, fallback, .. } => {
                let fix = if *fallback > 0 { Fix::Fallback(*fallback) } else { Fix::Retry(view.calls) };
                self.resolve(&key, at, fix);
                self.resolve_before(run.id(), &plan.id, at, before);
            }
            StepEvent::DoneByHand { by, .. } => {
                self.resolve(&key, at, Fix::ByHand(by.clone()));
                self.resolve_before(run.id(), &plan.id, at, before);
            }
            StepEvent::Skipped { why: Why::Person { by, .. } } => {
                self.resolve(&key, at, Fix::ByHand(by.clone()));
            }
            StepEvent::Completed { kept: true, .. }
            | StepEvent::Skipped {
                why:
                    Why::Condition
                    | Why::Need(_)
                    | Why::Stopped(_)
                    | Why::Cancelled
                    | Why::RunTimedOut
                    | Why::FailFast(_)
                    | Why::Frame(_)
                    | Why::Kept,
            }
            | StepEvent::Ready
            | StepEvent::Routed { .. }
            | StepEvent::Waiting { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Opened { .. }
            | StepEvent::Grown { .. }
            | StepEvent::Rejected { .. }
            | StepEvent::SentBack
            | StepEvent::Reopened { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::Ending { .. }
            | StepEvent::InDoubt { .. }
            | StepEvent::DoubtAnswered { .. } => {}
        }
    }

    fn resolve_before(&mut self, run: RunId, step_id: &str, at: Timestamp, before: &[RunId]) {
        for earlier in before {
            self.resolve(&(*earlier, step_id.to_owned(), false), at, Fix::Run(run));
        }
    }

    /// A retry that completed mends all that failed in the runs before it, also what it did not have to do again.
    fn resolve_all_before(&mut self, run: RunId, at: Timestamp, before: &[RunId]) {
        if before.is_empty() {
            return;
        }
        let open: Vec<Key> = self
            .open()
            .filter(|error| before.contains(&error.run))
            .map(|error| (error.run, error.step_id.clone(), error.of_undo))
            .collect();
        for key in open.iter().filter(|key| !key.2) {
            self.resolve(key, at, Fix::Run(run));
        }
    }

    fn resolve(&mut self, key: &Key, at: Timestamp, fix: Fix) {
        let Some(id) = self.newest.get(key).copied() else { return };
        let Some(view) = self.views.get(id).filter(|view| view.is_open()).cloned() else { return };
        self.lessons.mended(&view, &fix);
        self.change(id, |view| {
            if matches!(fix, Fix::Retry(_)) {
                Arc::make_mut(&mut view.record).severity = Severity::Low;
            }
            view.state = ErrorState::Resolved { at, fix };
        });
    }

    /// A step's failure that made its run fail.
    fn escalate(&mut self, key: &Key) {
        let Some(id) = self.newest.get(key).copied() else { return };
        self.change(id, |view| {
            if view.is_open() && view.record.severity == Severity::High {
                Arc::make_mut(&mut view.record).severity = Severity::Critical;
            }
        });
    }

    /// Applies the acknowledgements and resolutions of people.
    fn hear(&mut self, run: &RunView, at: Timestamp, event: &FailureEvent) {
        let (step, of_undo) = event.whose();
        let key = (run.id(), step.map_or_else(String::new, |step| run.step_id(step)), of_undo);
        let Some(id) = self.newest.get(&key).copied() else { return };
        match event {
            FailureEvent::Acknowledged { by, reason, .. } => self.change(id, |view| {
                if view.is_open() {
                    view.acknowledged = Some(Said { by: by.clone(), at, reason: reason.clone() });
                }
            }),
            FailureEvent::Resolved { by, reason, .. } => {
                self.resolve(&key, at, Fix::Said { by: by.clone(), reason: reason.clone() });
            }
            FailureEvent::Reopened { .. } => {
                let Some(view) = self.views.get(id).cloned() else { return };
                let fix = match &view.state {
                    ErrorState::Resolved { fix: fix @ Fix::Said { .. }, .. } => Some(fix),
                    ErrorState::Resolved { .. } => return,
                    ErrorState::Open | ErrorState::Retrying(_) => None,
                };
                if let Some(fix) = fix {
                    self.lessons.reopened(&view, fix);
                }
                self.change(id, |view| {
                    view.acknowledged = None;
                    if fix.is_some() {
                        view.state = ErrorState::Open;
                    }
                });
            }
        }
    }

    /// Changes one failure, and the sets that it is in.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut ErrorView)) {
        let Some(view) = self.views.get_mut(id) else { return };
        let view = Arc::make_mut(view);
        change(view);
        let (is_open, is_urgent) = (view.is_open(), view.is_urgent());
        for (set, is_in) in [(&mut self.open, is_open), (&mut self.urgent, is_urgent)] {
            if set.contains(&id) != is_in {
                let set = Arc::make_mut(set);
                if is_in {
                    set.insert(id)
                } else {
                    set.remove(&id)
                };
            }
        }
    }

    fn note(&mut self, seen: &Seen<'_>, record: ErrorRecord, state: ErrorState) {
        let plan = seen.step.and_then(|step| seen.run.plan_step(step));
        let step_id = plan.map_or_else(String::new, |plan| plan.id.clone());
        let key = (seen.run.id(), step_id.clone(), seen.of_undo);
        let known = self.newest.get(&key).copied().filter(|number| self.open.contains(number));
        if let Some((id, before)) = known.and_then(|id| Some((id, self.views.get(id)?.clone()))) {
            // What ends a step repeats the failure of its last call: one failing step is one failure.
            let print = fingerprint(&record, &before.workflow, &step_id);
            self.change(id, |view| {
                view.fingerprint = print;
                view.times += u32::from(seen.attempt > view.attempt);
                (view.at, view.attempt) = (seen.at, seen.attempt.max(view.attempt));
                (view.record, view.state) = (Arc::new(record), state);
            });
            if let Some(after) = self.views.get(id).cloned().filter(|view| is_unlike(view, &before)) {
                self.lessons.unlearn(&before);
                self.lessons.learn(&after);
            }
            return;
        }
        let id = seen.seq.0;
        let print = fingerprint(&record, &seen.run.summary.workflow, &step_id);
        let view = ErrorView {
            id: seen.seq,
            run: seen.run.id(),
            workflow: Arc::clone(&seen.run.summary.workflow),
            trace: Arc::clone(&seen.run.summary.trace),
            step: seen.step,
            step_id,
            of_undo: seen.of_undo,
            first_at: seen.at,
            at: seen.at,
            attempt: seen.attempt,
            attempts_max: plan.and_then(|plan| plan.retry.as_ref()).map_or(1, |retry| retry.max_attempts),
            times: 1,
            fingerprint: print,
            record: Arc::new(record),
            state,
            acknowledged: None,
        };
        self.lessons.learn(&view);
        self.views.insert(id, Arc::new(view));
        Arc::make_mut(&mut self.newest).insert(key, id);
        self.change(id, |_| {});
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.views.len() <= ERRORS_MAX {
            return;
        }
        let gone = self.views.first().and_then(|id| self.views.remove(id));
        if let Some(gone) = gone {
            let key = (gone.run, gone.step_id.clone(), gone.of_undo);
            if self.newest.get(&key) == Some(&gone.id.0) {
                Arc::make_mut(&mut self.newest).remove(&key);
            }
            for set in [&mut self.open, &mut self.urgent] {
                if set.contains(&gone.id.0) {
                    Arc::make_mut(set).remove(&gone.id.0);
                }
            }
        }
    }
}

/// True if two records of one failure count as different failures for the lessons.
fn is_unlike(one: &ErrorView, other: &ErrorView) -> bool {
    let of = |error: &ErrorView| (error.record.mode, error.record.error_type, error.record.source.clone());
    of(one) != of(other)
}

/// The place and time at which a failure was seen.
struct Seen<'a> {
    seq: Seq,
    at: Timestamp,
    run: &'a RunView,
    step: Option<StepIx>,
    of_undo: bool,
    attempt: u32,
}

/// The record of a call that failed and is tried again: what the engine says only when it gives up.
fn record_of(plan: &PlanStep, failure: &Failure) -> ErrorRecord {
    let by_category = plan.category.as_deref().and_then(ErrorKind::of_category);
    ErrorRecord {
        error_type: by_category.unwrap_or(ErrorKind::TaskExecutionError),
        severity: Severity::Medium,
        mode: failure.mode,
        source: plan.id.clone(),
        message: failure.message.clone(),
        context: cuelight_base::ValueMap::new(),
        tail: failure.tail.clone(),
    }
}

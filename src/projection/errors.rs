//! Failures as people look at them: one for each failing step, whatever its attempts, with what became of it.

use crate::{
    base::{ErrorKind, ErrorRecord, RunId, Seq, Severity, StepIx, Timestamp},
    engine::{Actor, AttemptEvent, Event, Fact, Failure, RunEvent, StepEvent, StepState, UndoEvent, Why},
    plan::{OnError, PlanStep},
    projection::{RunView, Shelf},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Failures that are kept; the oldest go first.
const ERRORS_MAX: usize = 5000;

/// One failure.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorView {
    /// The event that told of it first; its name is `e-` and this number.
    pub id: Seq,
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// What the run belongs to.
    pub trace: Arc<str>,
    /// The step; nothing when it is the run that failed.
    pub step: Option<StepIx>,
    /// Its id; empty when it is the run that failed.
    pub step_id: String,
    /// Whether it is the undo of the step that failed.
    pub of_undo: bool,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When it was last seen.
    pub at: Timestamp,
    /// The last call that failed; 0 when it was no call.
    pub attempt: u32,
    /// Calls that `retry` allows.
    pub attempts_max: u32,
    /// How often it was seen.
    pub times: u32,
    /// The failure as data; message, context and tail are foreign text.
    pub record: Arc<ErrorRecord>,
    /// What became of it.
    pub state: ErrorState,
}

/// What became of a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorState {
    /// It is tried again by itself at this instant.
    Retrying(Timestamp),
    /// It stands.
    Open,
    /// It was mended, or is allowed.
    Resolved {
        /// When.
        at: Timestamp,
        /// How.
        fix: Fix,
    },
}

/// What mended a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Fix {
    /// This call did.
    Retry(u32),
    /// This fallback did, counted from 1.
    Fallback(u32),
    /// A person did, or said what became of it.
    ByHand(Actor),
    /// This later run did.
    Run(RunId),
    /// The step's `on-error` lets the run go on.
    Allowed,
}

impl Fix {
    /// What mended it, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Retry(attempt) => format!("call {attempt}"),
            Self::Fallback(which) => format!("fallback {which}"),
            Self::ByHand(by) => format!("by hand, by {by}"),
            Self::Run(run) => run.to_string(),
            Self::Allowed => "on-error".to_owned(),
        }
    }
}

impl ErrorView {
    /// Whether somebody may still have to look.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, ErrorState::Resolved { .. })
    }

    /// Its name: `e-412`.
    pub fn name(&self) -> String {
        format!("e-{}", self.id.0)
    }
}

/// How often the same failed before, and what helped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// How often the same step of the same workflow failed in the same way, this one too.
    pub times: u32,
    /// How many of them were mended.
    pub mended: u32,
    /// What mended the last one.
    pub last_fix: Option<String>,
}

/// All failures that are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Errors {
    views: Shelf<Arc<ErrorView>>,
    newest: Arc<BTreeMap<Key, u64>>,
    open: Arc<BTreeSet<u64>>,
}

/// Whose failure: run, id of the step, whether of its undo.
type Key = (RunId, String, bool);

impl Errors {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<ErrorView>> {
        self.views.iter().map(|(_, it)| it)
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

    pub(super) fn alike(&self, error: &ErrorView) -> Alike {
        let same = self.iter().filter(|it| {
            it.workflow == error.workflow
                && it.step_id == error.step_id
                && it.record.mode == error.record.mode
        });
        same.fold(Alike::default(), |mut alike, it| {
            alike.times += 1;
            if let ErrorState::Resolved { fix, .. } = &it.state {
                alike.mended += 1;
                alike.last_fix = Some(fix.words());
            }
            alike
        })
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
            Fact::Step(_, step, it) => self.apply_step(seq, at, run, *step, it, before),
            Fact::Attempt(_, step, number, AttemptEvent::Ended { outcome, retry_at }) => {
                let (Some(plan), Some(failure)) = (run.plan_step(*step), &outcome.failure) else { return };
                let of_undo = run.step(*step).is_some_and(|it| it.state == StepState::Undoing);
                let state = retry_at.map_or(ErrorState::Open, ErrorState::Retrying);
                let seen = Seen { seq, at, run, step: Some(*step), of_undo, attempt: *number };
                self.note(&seen, record_of(plan, failure), state);
            }
            Fact::Undo(_, step, UndoEvent::Stuck { record }) => {
                let attempt = run.step(*step).map_or(0, |it| it.calls);
                let seen = Seen { seq, at, run, step: Some(*step), of_undo: true, attempt };
                self.note(&seen, (**record).clone(), ErrorState::Open);
            }
            Fact::Undo(_, step, UndoEvent::Done { by }) => {
                let calls = run.step(*step).map_or(0, |it| it.calls);
                let fix = by.clone().map_or(Fix::Retry(calls), Fix::ByHand);
                self.resolve(&(run.id(), run.step_id(*step), true), at, fix);
            }
            Fact::Run(_, _)
            | Fact::Scope(_, _)
            | Fact::Gate(_, _, _, _)
            | Fact::Recovered { .. }
            | Fact::Attempt(_, _, _, AttemptEvent::Started { .. } | AttemptEvent::Lost { .. })
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
        // A frame fails because of a step in it, which has told of its failure itself.
        if view.inside.is_some() {
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
            | StepEvent::Waiting { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Opened { .. }
            | StepEvent::Rejected { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::InDoubt { .. }
            | StepEvent::DoubtAnswered { .. } => {}
        }
    }

    fn resolve_before(&mut self, run: RunId, step_id: &str, at: Timestamp, before: &[RunId]) {
        for earlier in before {
            self.resolve(&(*earlier, step_id.to_owned(), false), at, Fix::Run(run));
        }
    }

    fn resolve(&mut self, key: &Key, at: Timestamp, fix: Fix) {
        let Some(id) = self.newest.get(key).copied() else { return };
        let Some(view) = self.views.get_mut(id).filter(|it| it.is_open()) else { return };
        let view = Arc::make_mut(view);
        if matches!(fix, Fix::Retry(_)) {
            Arc::make_mut(&mut view.record).severity = Severity::Low;
        }
        view.state = ErrorState::Resolved { at, fix };
        Arc::make_mut(&mut self.open).remove(&id);
    }

    fn note(&mut self, seen: &Seen<'_>, record: ErrorRecord, state: ErrorState) {
        let plan = seen.step.and_then(|it| seen.run.plan_step(it));
        let step_id = plan.map_or_else(String::new, |it| it.id.clone());
        let key = (seen.run.id(), step_id.clone(), seen.of_undo);
        let is_open = !matches!(state, ErrorState::Resolved { .. });
        let known = self.newest.get(&key).copied().filter(|it| self.open.contains(it));
        if let Some((id, view)) = known.and_then(|id| Some((id, self.views.get_mut(id)?))) {
            let view = Arc::make_mut(view);
            // What ends a step repeats the failure of its last call: one failing step is one failure.
            view.times += u32::from(seen.attempt > view.attempt);
            (view.at, view.attempt) = (seen.at, seen.attempt.max(view.attempt));
            (view.record, view.state) = (Arc::new(record), state);
            if !is_open {
                Arc::make_mut(&mut self.open).remove(&id);
            }
            return;
        }
        let id = seen.seq.0;
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
            attempts_max: plan.and_then(|it| it.retry.as_ref()).map_or(1, |it| it.max_attempts),
            times: 1,
            record: Arc::new(record),
            state,
        };
        self.views.insert(id, Arc::new(view));
        Arc::make_mut(&mut self.newest).insert(key, id);
        if is_open {
            Arc::make_mut(&mut self.open).insert(id);
        }
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
            if self.open.contains(&gone.id.0) {
                Arc::make_mut(&mut self.open).remove(&gone.id.0);
            }
        }
    }
}

/// Where and when a failure was seen.
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
        context: crate::base::ValueMap::new(),
        tail: failure.tail.clone(),
    }
}

//! One run as it can be seen: its plan, its steps, and counts that are kept up with every event.

mod span;
mod steps;
mod summary;

pub use span::RunSpan;
pub use summary::RunSummary;

use crate::{Counts, Results, Rows, StepView};
use cuelight_base::{Actor, ErrorRecord, RunId, Seq, StepIx, Timestamp, ValueMap};
use cuelight_engine::{
    AttemptEvent, GateEvent, KeptAnswers, PartialResult, PeopleInForce, Purpose, RunEvent, RunState,
    StepState, UndoEvent, WaitReason,
};
use cuelight_plan::{Amounts, Ceilings, Currency, Plan, PlanStep, Work};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Lines of a run's own history that are kept for its preview.
pub(super) const LINES_MAX: usize = 32;

/// One event in words, with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The place of the event in the log.
    pub seq: Seq,
    /// The time of the event.
    pub at: Timestamp,
    /// The run; nothing for what concerns no run.
    pub run: Option<RunId>,
    /// The step that it is about; none if it is about the run.
    pub step: Option<StepIx>,
    /// The kind of the event: `step.completed`.
    pub kind: &'static str,
    /// The subject of the event.
    pub subject: String,
    /// More, in a few words; foreign text.
    pub detail: String,
}

/// One run with all its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// The summary, as lists show it.
    pub summary: RunSummary,
    /// Exactly what is done.
    pub plan: Arc<Plan>,
    /// Its outputs, once it rests; foreign text.
    pub outputs: ValueMap,
    /// The partial result; none when it completed.
    pub partial: Option<Arc<PartialResult>>,
    /// The person who cancelled it, and the reason; the reason is foreign text.
    pub cancelled: Option<(Actor, String)>,
    /// The person who paused it; none when it is not paused.
    pub paused: Option<Actor>,
    /// Principals that count as its requesters in addition to its own, each with the reason.
    pub requesters: Vec<(String, String)>,
    /// By gate of the runs that it does again, the people whom its `forbid` excluded there.
    excluded_before: BTreeMap<String, Vec<String>>,
    /// By gate of those runs, the principals that edited its form, and their names.
    editors_before: BTreeMap<String, BTreeMap<String, String>>,
    /// The step that made it stop.
    pub stopped: Option<StepIx>,
    /// Why it failed as a whole, when its time was up.
    pub error: Option<Arc<ErrorRecord>>,
    /// Values its steps have set: `vars.*`; foreign text.
    pub vars: ValueMap,
    /// The most that a step may use, for steps with a budget of their own.
    pub step_ceilings: BTreeMap<StepIx, Ceilings>,
    /// Steps that a computed matrix added to those of the plan.
    added: Rows<Arc<PlanStep>>,
    steps: Rows<StepView>,
    lines: VecDeque<Arc<Line>>,
}

impl RunView {
    pub(super) fn created(id: RunId, at: Timestamp, event: &RunEvent) -> Option<Self> {
        let RunEvent::Created { plan, plan_hash, by, seed, cause, trace, requesters, asked, editors, .. } =
            event
        else {
            return None;
        };
        let summary = RunSummary {
            id,
            workflow: plan.name.as_str().into(),
            definition: plan.definition,
            plan_hash: *plan_hash,
            by: by.clone(),
            cause: cause.clone(),
            trace: trace.as_str().into(),
            span: RunSpan::of(id, seed, trace),
            state: RunState::Created,
            compensating: false,
            cancelling: false,
            created_at: at,
            started_at: None,
            ended_at: None,
            changed_at: at,
            counts: Counts::default(),
            failed_softly: 0,
            retrying: 0,
            open_gates: 0,
            stuck_undos: 0,
            confidences: (0, 0),
            results: Results::default(),
            spent: Amounts::default(),
            ceilings: plan.budget.as_ref().map(Ceilings::from).unwrap_or_default(),
            expected: Amounts::default(),
        };
        let mut run = Self {
            summary,
            plan: Arc::clone(plan),
            outputs: ValueMap::new(),
            partial: None,
            cancelled: None,
            paused: None,
            requesters: requesters.clone(),
            excluded_before: asked.clone(),
            editors_before: (**editors).clone(),
            stopped: None,
            error: None,
            vars: ValueMap::new(),
            step_ceilings: BTreeMap::new(),
            added: Rows::default(),
            steps: Rows::default(),
            lines: VecDeque::new(),
        };
        run.add_steps(at, 0);
        Some(run)
    }

    /// The people at the gates of the runs that it does again.
    pub(super) fn kept_answers<'a>(&'a self, people: &'a PeopleInForce) -> KeptAnswers<'a> {
        KeptAnswers {
            by: &self.summary.by,
            behind: &self.requesters,
            excluded: &self.excluded_before,
            editors: &self.editors_before,
            people,
        }
    }

    /// The id of the run.
    pub const fn id(&self) -> RunId {
        self.summary.id
    }

    /// The number of steps, including frames.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// True if the run has no steps.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The plan of a step.
    pub fn plan_step(&self, step: StepIx) -> Option<&PlanStep> {
        let planned = self.plan.steps.len();
        match step.index().checked_sub(planned) {
            None => self.plan.steps.get(step.index()),
            Some(added) => self.added.get(added).map(|value| &**value),
        }
    }

    /// The state of a step.
    pub fn step(&self, step: StepIx) -> Option<&StepView> {
        self.steps.get(step.index())
    }

    /// All steps in order: what each does, and what is known of it.
    pub fn steps(&self) -> impl Iterator<Item = (StepIx, &PlanStep, &StepView)> {
        let plans = self.plan.steps.iter().chain(self.added.iter().map(|value| &**value));
        plans
            .zip(self.steps.iter())
            .enumerate()
            .map(|(index, (plan, step))| (StepIx::from_index(index), plan, step))
    }

    /// The id of a step, or its number when there is no such step.
    pub fn step_id(&self, step: StepIx) -> String {
        self.plan_step(step).map_or_else(|| format!("step {}", step.0), |plan_step| plan_step.id.clone())
    }

    /// The step of this id.
    pub fn find(&self, id: &str) -> Option<StepIx> {
        self.steps().find(|(_, plan, _)| plan.id == id).map(|(step, _, _)| step)
    }

    /// Its last events in words, oldest first; at most 32.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter().map(|line| &**line)
    }

    /// The frames around a step, innermost first.
    pub fn frames_of(&self, step: StepIx) -> impl Iterator<Item = StepIx> {
        let outward = |step: &StepIx| self.plan_step(*step).and_then(|plan_step| plan_step.frame);
        std::iter::successors(outward(&step), outward)
    }

    pub(super) fn note(&mut self, line: Arc<Line>) {
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.summary.changed_at = line.at;
        self.lines.push_back(line);
    }

    pub(super) fn apply_run(&mut self, at: Timestamp, event: &RunEvent) {
        let summary = &mut self.summary;
        match event {
            RunEvent::Started => {
                summary.state = RunState::Running;
                summary.started_at = Some(at);
            }
            RunEvent::Paused { by } => {
                summary.state = RunState::Paused;
                self.paused = Some(by.clone());
            }
            RunEvent::Resumed { .. } => {
                summary.state = RunState::Running;
                self.paused = None;
            }
            RunEvent::Cancelling { by, reason, .. } => {
                summary.cancelling = true;
                if summary.state == RunState::Paused {
                    summary.state = RunState::Running;
                }
                self.cancelled = Some((by.clone(), reason.clone()));
            }
            RunEvent::Stopping { because, .. } => self.stopped = Some(*because),
            RunEvent::TimedOut { record } => self.error = Some(Arc::new((**record).clone())),
            RunEvent::Compensating => {
                summary.state = RunState::Running;
                summary.compensating = true;
                summary.ended_at = None;
            }
            RunEvent::Created { .. } | RunEvent::BudgetWarned { .. } => {}
            RunEvent::BudgetRaised { calls, currency, step, .. } => {
                let own = step.and_then(|step| self.step_ceilings.get_mut(&step));
                own.unwrap_or(&mut summary.ceilings).set(*currency, *calls);
            }
            RunEvent::Ended { state, outputs, partial } => {
                summary.state = *state;
                summary.ended_at = Some(at);
                self.outputs.clone_from(outputs);
                self.partial = partial.as_ref().map(|partial| Arc::new((**partial).clone()));
                let point = self.partial.as_ref().and_then(|partial| partial.failure_point.as_deref());
                let point = point.filter(|_| matches!(state, RunState::Failed | RunState::Undone));
                if let Some(step) =
                    point.and_then(|point| self.find(point)).and_then(|step| self.steps.get_mut(step.index()))
                {
                    step.escalate();
                }
            }
        }
    }

    pub(super) fn apply_attempt(&mut self, at: Timestamp, index: StepIx, number: u32, event: &AttemptEvent) {
        self.spend(index, number, event);
        match event {
            AttemptEvent::Started { purpose, .. } => match purpose {
                Purpose::Step | Purpose::Fallback(_) => {
                    self.turn(at, index, StepState::Running, None);
                }
                Purpose::Check => self.turn(at, index, StepState::Running, None),
                Purpose::Undo => {}
            },
            AttemptEvent::Ended { retry_at: Some(until), .. } => {
                let undoing = self.step(index).is_some_and(|step| step.state == StepState::Undoing);
                if !undoing {
                    let wait = WaitReason::BackOff { until: *until, next: number + 1 };
                    self.turn(at, index, StepState::Waiting, Some(wait));
                }
            }
            AttemptEvent::Ended { retry_at: None, .. }
            | AttemptEvent::Lost { .. }
            | AttemptEvent::Adopted { .. } => {}
        }
        if let Some(step) = self.steps.get_mut(index.index()) {
            step.apply_attempt(at, number, event);
        }
    }

    /// Charged when a call begins; what it says it used takes the place of that.
    fn spend(&mut self, index: StepIx, number: u32, event: &AttemptEvent) {
        let Some(step) = self.step(index) else { return };
        match event {
            AttemptEvent::Started { purpose, charge, .. } => {
                let is_call = matches!(purpose, Purpose::Step | Purpose::Fallback(_));
                if is_call && step.calls == 0 {
                    self.no_longer_expected(index);
                }
                let charge = charge.with(Currency::Calls, u64::from(is_call));
                self.summary.spent = self.summary.spent.plus(charge);
            }
            AttemptEvent::Ended { outcome, .. } => {
                let charged = step
                    .attempts()
                    .iter()
                    .rev()
                    .find(|attempt| attempt.number == number)
                    .map(|attempt| attempt.used);
                if let Some(used) = outcome.usage {
                    self.summary.spent = self.summary.spent.minus(charged.unwrap_or_default()).plus(used);
                }
            }
            AttemptEvent::Lost { .. } | AttemptEvent::Adopted { .. } => {}
        }
    }

    pub(super) fn apply_gate(&mut self, step: StepIx, gate: cuelight_base::GateId, event: &GateEvent) {
        if let (GateEvent::Asked { .. }, Some(view)) = (event, self.steps.get_mut(step.index())) {
            view.set_gate(gate);
        }
    }

    pub(super) fn apply_undo(&mut self, at: Timestamp, step: StepIx, event: &UndoEvent) {
        let stuck =
            |run: &Self| run.step(step).is_some_and(|step| matches!(step.undo(), super::UndoState::Stuck(_)));
        let before = stuck(self);
        match event {
            UndoEvent::Asked | UndoEvent::Again { .. } => self.turn(at, step, StepState::Undoing, None),
            UndoEvent::Done { .. } => self.turn(at, step, StepState::Undone, None),
            UndoEvent::Stuck { .. } => {}
        }
        if let Some(view) = self.steps.get_mut(step.index()) {
            view.apply_undo(event);
        }
        self.summary.stuck_undos = self.summary.stuck_undos + u32::from(stuck(self)) - u32::from(before);
    }
}

/// The expected usage of one call of a step.
fn expected(plan: &PlanStep) -> Amounts {
    match plan.work {
        Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) | Work::Later(_) => {
            plan.estimate.with(Currency::Calls, 1)
        }
        Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Emit(_) | Work::Frame(_) => {
            Amounts::default()
        }
    }
}

//! One run as it can be seen: its plan, its steps, and counts that are kept up with every event.

use crate::{Counts, Health, Results, Rows, RunSpan, StepView, event_words, numbers};
use cuelight_base::{Digest, ErrorRecord, RunId, Score, Seq, Span, StepIx, Timestamp, ValueMap};
use cuelight_engine::{
    Actor, AttemptEvent, CauseOfLaunch, Choice, Event, GateEvent, PartialResult, Purpose, RunEvent, RunState,
    Stage, StepEvent, StepState, UndoEvent, WaitReason,
};
use cuelight_plan::{Amounts, Budget, Ceilings, Currency, Plan, PlanStep, Work};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Lines of a run's own history that are kept for its preview.
pub(super) const LINES_MAX: usize = 32;

/// The summary of a run, for lists. It is also kept for runs whose steps are no longer in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The id of the run.
    pub id: RunId,
    /// The name of the workflow.
    pub workflow: Arc<str>,
    /// Hash of the workflow's text.
    pub definition: Digest,
    /// Hash of the plan.
    pub plan_hash: Digest,
    /// The person, agent or schedule that started it.
    pub by: Actor,
    /// The cause of the run: a request, a schedule, a retry or a fork.
    pub cause: CauseOfLaunch,
    /// The trace that the run belongs to.
    pub trace: Arc<str>,
    /// Its own span, and that which it was started under, elsewhere.
    pub span: RunSpan,
    /// The state of the run.
    pub state: RunState,
    /// True if its finished steps are being undone.
    pub compensating: bool,
    /// True if it is being cancelled.
    pub cancelling: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its steps could start.
    pub started_at: Option<Timestamp>,
    /// When it came to rest.
    pub ended_at: Option<Timestamp>,
    /// The last event of it.
    pub changed_at: Timestamp,
    /// Its steps by state.
    pub counts: Counts,
    /// Steps that failed and count as skipped, as `on-error` says.
    pub failed_softly: u32,
    /// Steps that wait for their next attempt.
    pub retrying: u32,
    /// Gates that wait for people.
    pub open_gates: u32,
    /// Undos that wait for a person.
    pub stuck_undos: u32,
    /// Sum and number of the confidences of completed steps.
    pub confidences: (u64, u32),
    /// The results of its last steps.
    pub results: Results,
    /// The usage so far. Undos and checks do not count as calls, but their cost counts.
    pub spent: Amounts,
    /// The most that it may use.
    pub ceilings: Ceilings,
    /// The expected usage of the steps that were not called yet.
    pub expected: Amounts,
}

impl RunSummary {
    /// The stage of its life.
    pub const fn stage(&self) -> Stage {
        if self.compensating && !self.state.rests() { Stage::Aggregate } else { self.state.stage() }
    }

    /// The current activity in a word: `gate`, `retrying`, `in-doubt`, `undoing`, `cancelling`, or its state.
    pub const fn doing(&self) -> &'static str {
        if !matches!(self.state, RunState::Running) {
            self.state.word()
        } else if self.counts.of(StepState::InDoubt) > 0 || self.stuck_undos > 0 {
            "in-doubt"
        } else if self.compensating {
            "undoing"
        } else if self.cancelling {
            "cancelling"
        } else if self.open_gates > 0 {
            "gate"
        } else if self.retrying > 0 && self.counts.of(StepState::Running) == 0 {
            "retrying"
        } else {
            self.state.word()
        }
    }

    /// Steps that failed, also those whose failure was allowed.
    pub const fn failures(&self) -> u32 {
        self.counts.of(StepState::Failed) + self.failed_softly
    }

    /// The quality: the share of its results that were good.
    pub fn quality(&self) -> Score {
        numbers::quality(
            self.counts.of(StepState::Completed),
            self.counts.of(StepState::Partial),
            self.failures(),
        )
    }

    /// 100 · quality of the last 100 results.
    pub fn health(&self) -> Health {
        self.results.health()
    }

    /// Mean confidence of completed steps · (completed / all that ran).
    pub fn confidence(&self) -> Option<Score> {
        let (sum, count) = self.confidences;
        let done = u64::from(self.counts.of(StepState::Completed) + self.counts.of(StepState::Partial));
        let ran = done + u64::from(self.failures());
        (count > 0).then(|| Score::ratio(sum * done, 10_000 * u64::from(count) * ran.max(1)))
    }

    /// Time from its start to its end, or to now; nothing before it has started.
    pub fn took(&self, now: Timestamp) -> Option<Span> {
        self.started_at.map(|at| self.ended_at.unwrap_or(now).since(at))
    }

    /// From its creation to its end, or to now.
    pub fn age(&self, now: Timestamp) -> Span {
        self.ended_at.unwrap_or(now).since(self.created_at)
    }
}

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

impl Line {
    pub(super) fn of(seq: Seq, event: &Event, run: Option<&RunView>) -> Self {
        let words = event_words(event, run);
        let (run, step) = (event.fact.run(), event.fact.step());
        Self { seq, at: event.at, run, step, kind: words.kind, subject: words.subject, detail: words.detail }
    }
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
        let RunEvent::Created { plan, plan_hash, by, seed, cause, trace, .. } = event else { return None };
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
            ceilings: plan.budget.as_ref().map(Budget::ceilings).unwrap_or_default(),
            expected: Amounts::default(),
        };
        let mut run = Self {
            summary,
            plan: Arc::clone(plan),
            outputs: ValueMap::new(),
            partial: None,
            cancelled: None,
            paused: None,
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

    /// Views of the steps from this one on, all pending, counted in the frames that hold them.
    fn add_steps(&mut self, at: Timestamp, from: usize) {
        let all = self.plan.steps.len() + self.added.len();
        let new = (from..all).map(StepIx::from_index);
        let frame_of = |step: StepIx| self.plan_step(step).and_then(|plan_step| plan_step.frame);
        let holders: BTreeSet<StepIx> = new.clone().filter_map(frame_of).collect();
        for step in new.clone() {
            let mut view = StepView::new(at);
            view.inside = holders.contains(&step).then(Arc::default);
            self.steps.push(view);
            let Some(plan) = self.plan_step(step) else { continue };
            let (needs, own) = (expected(plan), plan.budget.as_deref().map(Budget::ceilings));
            self.summary.expected = self.summary.expected.plus(needs);
            self.step_ceilings.extend(own.map(|ceilings| (step, ceilings)));
        }
        for step in new.filter(|step| !holders.contains(step)) {
            self.count(step, |counts| counts.add(StepState::Pending));
        }
    }

    /// Changes the counts of the run and of every frame around a step.
    fn count(&mut self, step: StepIx, change: impl Fn(&mut Counts)) {
        change(&mut self.summary.counts);
        let frames: Vec<StepIx> = self.frames_of(step).collect();
        for frame in frames {
            if let Some(counts) = self.steps.get_mut(frame.index()).and_then(|step| step.inside.as_mut()) {
                change(Arc::make_mut(counts));
            }
        }
    }

    fn turn(&mut self, at: Timestamp, step: StepIx, state: StepState, wait: Option<WaitReason>) {
        let Some(view) = self.steps.get_mut(step.index()) else { return };
        let (before, was_due) = (view.state, view.is_retrying());
        let never_called = view.calls == 0 && state.rests() && !before.rests();
        view.turn(at, state, wait);
        let (is_due, counts) = (view.is_retrying(), view.inside.is_none());
        if never_called {
            self.no_longer_expected(step);
        }
        if counts {
            self.summary.retrying = self.summary.retrying + u32::from(is_due) - u32::from(was_due);
            if before != state {
                self.count(step, |counts| {
                    counts.remove(before);
                    counts.add(state);
                });
            }
        }
    }

    /// A step is called, or never will be.
    fn no_longer_expected(&mut self, step: StepIx) {
        let needs = self.plan_step(step).map(expected).unwrap_or_default();
        self.summary.expected = self.summary.expected.minus(needs);
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
            }
        }
    }

    pub(super) fn apply_step(&mut self, at: Timestamp, step: StepIx, event: &StepEvent) {
        let Some(before) = self.step(step).map(|step| step.state) else { return };
        let (state, wait) = match event {
            StepEvent::Ready => (StepState::Ready, None),
            StepEvent::Waiting { reason } => (StepState::Waiting, Some(reason.clone())),
            StepEvent::FactsAsked { .. } => (StepState::Waiting, Some(WaitReason::Facts)),
            StepEvent::FactsKnown { .. } | StepEvent::SentBack | StepEvent::Reopened { .. } => {
                (StepState::Pending, None)
            }
            StepEvent::Opened { .. } | StepEvent::Grown { .. } => (StepState::Running, None),
            StepEvent::Completed { partial: false, .. } | StepEvent::DoneByHand { .. } => {
                (StepState::Completed, None)
            }
            StepEvent::Completed { partial: true, .. } => (StepState::Partial, None),
            StepEvent::Failed { .. } => (StepState::Failed, None),
            StepEvent::Rejected { .. } => (StepState::Rejected, None),
            StepEvent::Skipped { .. } => (StepState::Skipped, None),
            StepEvent::Cancelled { .. } => (StepState::Cancelled, None),
            StepEvent::InDoubt { .. } => (StepState::InDoubt, None),
            StepEvent::DoubtAnswered { .. } | StepEvent::Ending { .. } => (before, None),
            // What it waits for, if it does, is told right after.
            StepEvent::Routed { choice } => return self.route(step, choice),
        };
        self.turn(at, step, state, wait);
        self.keep(at, step, event);
    }

    fn route(&mut self, step: StepIx, choice: &Choice) {
        if let Some(step) = self.steps.get_mut(step.index()) {
            step.set_choice(choice);
        }
    }

    /// Keeps the data of a step event, besides the new state.
    fn keep(&mut self, at: Timestamp, index: StepIx, event: &StepEvent) {
        let Some(step) = self.steps.get_mut(index.index()) else { return };
        let counts = step.inside.is_none();
        let state = step.state;
        match event {
            StepEvent::Waiting { reason: WaitReason::Person(gate) } => step.set_gate(*gate),
            StepEvent::Ready
            | StepEvent::Routed { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Waiting {
                reason:
                    WaitReason::Time(_)
                    | WaitReason::BackOff { .. }
                    | WaitReason::Facts
                    | WaitReason::Candidates { .. }
                    | WaitReason::Target { .. }
                    | WaitReason::Agent { .. }
                    | WaitReason::Message { .. },
            } => {}
            StepEvent::Opened { copies, .. } | StepEvent::Grown { copies, .. } => {
                self.open(at, index, copies)
            }
            StepEvent::Completed { outputs, confidence, fallback, kept, origin, cached, .. } => {
                step.set_result(outputs, *confidence, *fallback, *kept, origin.as_deref());
                if let Some(cached) = cached {
                    step.set_cached(cached);
                }
                if counts {
                    if let Some(confidence) = confidence {
                        self.summary.confidences.0 += u64::from(confidence.0);
                        self.summary.confidences.1 += 1;
                    }
                    if !kept {
                        self.summary.results.push(state);
                    }
                }
            }
            StepEvent::DoneByHand { by, outputs, reason } => {
                step.set_result(outputs, None, 0, false, None);
                step.set_by_hand(by, reason);
            }
            StepEvent::Failed { record } => {
                step.set_error(record);
                if counts {
                    self.summary.results.push(state);
                }
            }
            StepEvent::SentBack | StepEvent::Reopened { .. } => {
                // Opened once more it has the gate that it had; sent back it has none.
                let keeps = matches!(event, StepEvent::Reopened { gates, .. } if gates.is_empty());
                let gate = step.gate().filter(|_| keeps);
                let (confidence, failed_softly) = step.begin_anew();
                gate.into_iter().for_each(|gate| step.set_gate(gate));
                if counts {
                    self.summary.confidences.0 -= confidence.map_or(0, |confidence| u64::from(confidence.0));
                    self.summary.confidences.1 -= u32::from(confidence.is_some());
                    self.summary.failed_softly -= u32::from(failed_softly);
                }
            }
            StepEvent::Rejected { expired } => step.set_expired(*expired),
            StepEvent::Skipped { why } | StepEvent::Cancelled { why } => {
                step.set_why(why);
                if counts && matches!(why, cuelight_engine::Why::Failed(_)) {
                    self.summary.failed_softly += 1;
                    self.summary.results.push(StepState::Failed);
                }
            }
            StepEvent::Ending { why } => step.set_why(why),
            StepEvent::InDoubt { evidence } => step.set_doubt(evidence),
            StepEvent::DoubtAnswered { by, reason, .. } => step.set_by_hand(by, reason),
        }
    }

    /// A frame without steps is counted itself, until it opens with copies.
    fn open(&mut self, at: Timestamp, frame: StepIx, copies: &[PlanStep]) {
        if copies.is_empty() {
            return;
        }
        let Some(view) = self.steps.get_mut(frame.index()) else { return };
        let state = view.state;
        if view.inside.is_none() {
            view.inside = Some(Arc::default());
            self.count(frame, |counts| counts.remove(state));
        }
        let from = self.steps.len();
        for copy in copies {
            self.added.push(Arc::new(copy.clone()));
        }
        self.add_steps(at, from);
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

//! A run: its steps, what is ready, what is due, and what it may still do. Changed by events alone.
//!
//! Everything is kept incrementally: a step counts its needs that have not come to rest, a run what is touched, ready
//! and due. One completion costs its out-degree; nothing scans all steps.

use crate::{
    base::{Digest, RunId, StepIx, Timestamp, Value, ValueMap},
    engine::{
        Actor, AttemptEvent, Purpose, RunEvent, RunState, StepEvent, StepState, UndoEvent, WaitReason,
        step::{self, Step},
    },
    expression,
    plan::{FrameKind, Plan, PlanStep, Undo, Work},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Why a run starts nothing new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    pub(super) because: StepIx,
    pub(super) rejected: bool,
    pub(super) compensate: bool,
}

/// What is known of one run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) plan: Arc<Plan>,
    pub(super) plan_hash: Digest,
    pub(super) by: Actor,
    pub(super) seed: u64,
    pub(super) trace: String,
    pub(super) state: RunState,
    pub(super) started_at: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
    /// Steps that a computed matrix added to those of the plan.
    pub(super) added: Vec<PlanStep>,
    links: Arc<Links>,
    pub(super) touched: BTreeSet<StepIx>,
    /// By frame, those that could start if there were room.
    pub(super) ready: BTreeMap<Option<StepIx>, BTreeSet<(Reverse<i32>, StepIx)>>,
    pub(super) running: u32,
    pub(super) open_steps: u32,
    pub(super) due: BTreeSet<(Timestamp, Option<StepIx>)>,
    pub(super) stopping: Option<Stopping>,
    pub(super) aborted: Option<StepIx>,
    pub(super) failures: u32,
    pub(super) cancelling: bool,
    pub(super) cancel_undo: bool,
    pub(super) timed_out: bool,
    pub(super) compensating: bool,
    /// In the order they came to be done.
    pub(super) completed: Vec<StepIx>,
    pub(super) undoing: BTreeSet<StepIx>,
    pub(super) undone: u32,
    pub(super) calls: u64,
    pub(super) calls_max: Option<u64>,
    pub(super) budget_warned: bool,
    pub(super) vars: BTreeMap<String, Value>,
}

/// Who waits for whom, from the plan; grows when a computed matrix opens.
#[derive(Clone, Debug, Default)]
struct Links {
    dependents: Vec<Vec<StepIx>>,
    children: Vec<Vec<StepIx>>,
    names: BTreeMap<(Option<StepIx>, String), StepIx>,
}

impl Links {
    fn add(&mut self, index: StepIx, plan: &PlanStep) {
        let size = index.index() + 1;
        self.dependents.resize_with(size.max(self.dependents.len()), Vec::new);
        self.children.resize_with(size.max(self.children.len()), Vec::new);
        for need in &plan.needs {
            let at = need.index();
            self.dependents.resize_with((at + 1).max(self.dependents.len()), Vec::new);
            self.dependents[at].push(index);
        }
        if let Some(frame) = plan.frame {
            self.children.resize_with((frame.index() + 1).max(self.children.len()), Vec::new);
            self.children[frame.index()].push(index);
        }
        self.names.insert((plan.scope, plan.local.to_ascii_lowercase()), index);
    }
}

impl Run {
    /// From the event that made it.
    pub(super) fn created(id: RunId, event: &RunEvent) -> Self {
        let RunEvent::Created { plan, plan_hash, by, seed, trace, .. } = event else {
            panic!("fault: {id} begins with {event:?}");
        };
        let mut links = Links::default();
        for (index, step) in plan.steps.iter().enumerate() {
            links.add(StepIx::from_index(index), step);
        }
        let mut run = Self {
            id,
            plan: Arc::new((**plan).clone()),
            plan_hash: *plan_hash,
            by: by.clone(),
            seed: seed.parse().unwrap_or(0),
            trace: trace.clone(),
            state: RunState::Created,
            started_at: None,
            steps: Vec::new(),
            added: Vec::new(),
            links: Arc::new(links),
            touched: BTreeSet::new(),
            ready: BTreeMap::new(),
            running: 0,
            open_steps: 0,
            due: BTreeSet::new(),
            stopping: None,
            aborted: None,
            failures: 0,
            cancelling: false,
            cancel_undo: false,
            timed_out: false,
            compensating: false,
            completed: Vec::new(),
            undoing: BTreeSet::new(),
            undone: 0,
            calls: 0,
            calls_max: plan.budget.as_ref().and_then(|it| it.calls),
            budget_warned: false,
            vars: BTreeMap::new(),
        };
        for step in &plan.steps {
            run.add_step(step);
        }
        run
    }

    fn add_step(&mut self, plan: &PlanStep) {
        let index = StepIx::from_index(self.steps.len());
        let mut step = Step {
            open_needs: u32::try_from(plan.needs.len()).unwrap_or(u32::MAX),
            explicit: plan.condition.as_deref().is_some_and(asks_for_failures),
            ..Step::default()
        };
        if plan.frame.is_some() {
            step.open_needs += 1;
        }
        step.children_open = u32::try_from(self.children(index).len()).unwrap_or(u32::MAX);
        self.steps.push(step);
        self.open_steps += 1;
    }

    pub(super) fn plan_step(&self, step: StepIx) -> &PlanStep {
        let at = step.index();
        self.plan.steps.get(at).unwrap_or_else(|| &self.added[at - self.plan.steps.len()])
    }

    pub(super) fn step(&self, step: StepIx) -> &Step {
        &self.steps[step.index()]
    }

    pub(super) fn has(&self, step: StepIx) -> bool {
        step.index() < self.steps.len()
    }

    pub(super) fn dependents(&self, step: StepIx) -> &[StepIx] {
        self.links.dependents.get(step.index()).map_or(&[], Vec::as_slice)
    }

    /// Every step that comes after this one, by needs and by frames.
    pub(super) fn after(&self, step: StepIx) -> BTreeSet<StepIx> {
        let (mut found, mut open) = (BTreeSet::new(), vec![step]);
        while let Some(at) = open.pop() {
            let next = self.dependents(at).iter().chain(self.children(at));
            open.extend(next.filter(|it| found.insert(**it)));
        }
        found
    }

    pub(super) fn children(&self, step: StepIx) -> &[StepIx] {
        self.links.children.get(step.index()).map_or(&[], Vec::as_slice)
    }

    /// The step that siblings in this scope call by this name.
    pub(super) fn named(&self, scope: Option<StepIx>, name: &str) -> Option<StepIx> {
        self.links.names.get(&(scope, name.to_ascii_lowercase())).copied()
    }

    /// Every step of a scope, with its name there.
    pub(super) fn names_in(&self, scope: Option<StepIx>) -> impl Iterator<Item = (&str, StepIx)> {
        let names = self.links.names.iter().filter(move |((within, _), _)| *within == scope);
        names.map(|(_, step)| (self.plan_step(*step).local.as_str(), *step))
    }

    pub(super) fn running_max(&self) -> u32 {
        let default = u32::try_from(crate::base::PARALLEL_DEFAULT).unwrap_or(u32::MAX);
        if self.plan.max_parallel == 0 { default } else { self.plan.max_parallel }
    }

    /// Whether a frame, and every frame around it, has room for one more child.
    pub(super) fn has_room(&self, frame: Option<StepIx>) -> bool {
        frame.is_none_or(|index| match &self.plan_step(index).work {
            Work::Frame(frame) => {
                frame.max_parallel == 0 || self.step(index).children_running < frame.max_parallel
            }
            Work::Run { .. } | Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Later(_) => true,
        })
    }

    /// Whether it takes a place among the children of its frame: work does, waiting does not.
    pub(super) fn takes_place(work: &Work) -> bool {
        matches!(work, Work::Run { .. } | Work::Frame(_))
    }

    /// Whether nothing but what asks for it by name may start.
    pub(super) fn is_ending(&self) -> bool {
        self.stopping.is_some() || self.cancelling || self.timed_out
    }

    pub(super) fn is_undoable(&self, step: StepIx) -> bool {
        matches!(self.plan_step(step).undo, Undo::By(_))
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &RunEvent) {
        match event {
            RunEvent::Created { .. } => panic!("fault: {} was created twice", self.id),
            RunEvent::Started => {
                self.state = RunState::Running;
                self.started_at = Some(at);
                if let Some(timeout) = self.plan.timeout {
                    self.due.insert((at + timeout, None));
                }
                let free = (0..self.steps.len()).map(StepIx::from_index);
                let free: Vec<StepIx> = free.filter(|it| self.is_free(*it)).collect();
                self.touched.extend(free);
            }
            RunEvent::Paused { .. } => self.state = RunState::Paused,
            RunEvent::Resumed { .. } => self.state = RunState::Running,
            RunEvent::Cancelling { undo, .. } => {
                self.cancelling = true;
                self.cancel_undo = *undo;
                if self.state == RunState::Paused {
                    self.state = RunState::Running;
                }
            }
            RunEvent::Stopping { because, rejected, compensate } => {
                self.stopping =
                    Some(Stopping { because: *because, rejected: *rejected, compensate: *compensate });
            }
            RunEvent::TimedOut { .. } => {
                self.timed_out = true;
                self.due.retain(|(_, step)| step.is_some());
            }
            RunEvent::Compensating => {
                self.compensating = true;
                self.state = RunState::Running;
            }
            RunEvent::BudgetWarned { .. } => self.budget_warned = true,
            RunEvent::BudgetRaised { calls, .. } => self.calls_max = Some(*calls),
            RunEvent::Ended { state, .. } => {
                self.state = *state;
                self.due.clear();
                self.ready.clear();
                self.touched.clear();
            }
        }
    }

    fn is_free(&self, step: StepIx) -> bool {
        let it = self.step(step);
        it.open_needs == 0 && it.state() == StepState::Pending
    }

    pub(super) fn apply_step(&mut self, at: Timestamp, index: StepIx, event: &StepEvent) {
        let before = self.step(index).state();
        let Some(after) = step::next(before, event) else {
            panic!(
                "fault: {} of {} is {before} and cannot take {event:?}",
                self.plan_step(index).id,
                self.id
            );
        };
        self.forget_due(index);
        self.touched.remove(&index);
        self.leave(index, before, after);
        let step = &mut self.steps[index.index()];
        step.state = Some(after);
        match event {
            StepEvent::Ready => {
                let plan = self.plan_step(index);
                let (frame, priority) = (plan.frame, plan.priority);
                self.ready.entry(frame).or_default().insert((Reverse(priority), index));
            }
            StepEvent::Waiting { reason } => {
                step.due = match reason {
                    WaitReason::Time(until) | WaitReason::BackOff { until, .. } => Some(*until),
                    WaitReason::Person(_) | WaitReason::Facts => None,
                };
                if let Some(until) = step.due {
                    self.due.insert((until, Some(index)));
                }
            }
            StepEvent::FactsAsked { files, patterns } => {
                step.asked = Some(Box::new((files.clone(), patterns.clone())));
            }
            StepEvent::FactsKnown { facts } => {
                step.facts = Some(Box::new(facts.clone()));
                step.asked = None;
                self.touched.insert(index);
            }
            StepEvent::Opened { inputs, copies } => {
                step.inputs.clone_from(inputs);
                if let Some(timeout) = self.plan_step(index).timeout {
                    self.steps[index.index()].due = Some(at + timeout);
                    self.due.insert((at + timeout, Some(index)));
                }
                self.open_frame(index, copies);
            }
            StepEvent::Completed { outputs, confidence, released, .. } => {
                step.outputs.clone_from(outputs);
                step.confidence = *confidence;
                for (released, launch) in released {
                    self.steps[released.index()].approved = Some(*launch);
                }
                self.completed.push(index);
            }
            StepEvent::DoneByHand { outputs, .. } => {
                step.outputs.clone_from(outputs);
                self.completed.push(index);
            }
            StepEvent::Failed { record } => {
                step.error = Some(record.clone());
                self.failures += 1;
                let plan = self.plan_step(index);
                if plan.frame.is_none() && plan.on_error == crate::plan::OnError::Abort {
                    self.aborted.get_or_insert(index);
                }
            }
            StepEvent::Rejected { expired } => step.expired = *expired,
            StepEvent::Skipped { why } => {
                step.harmless = step::is_harmless(why);
                if let crate::engine::Why::Failed(record) = why {
                    step.error = Some(record.clone());
                    self.failures += 1;
                }
            }
            StepEvent::Cancelled { .. } => {}
            StepEvent::InDoubt { .. } => step.in_flight = None,
            StepEvent::DoubtAnswered { answer, .. } => {
                if matches!(answer, crate::engine::DoubtAnswer::NotHappened) {
                    step.calls = step.calls.saturating_sub(1);
                }
            }
        }
        if after.rests() && !before.rests() {
            self.come_to_rest(index);
        }
    }

    /// What leaving a state gives back: a slot, a place, an entry in the list of ready steps.
    fn leave(&mut self, index: StepIx, before: StepState, after: StepState) {
        let plan = self.plan_step(index);
        let (frame, priority, is_frame) = (plan.frame, plan.priority, matches!(plan.work, Work::Frame(_)));
        let takes_place = Self::takes_place(&plan.work);
        if before == StepState::Ready
            && let Some(ready) = self.ready.get_mut(&frame)
        {
            ready.remove(&(Reverse(priority), index));
            if ready.is_empty() {
                self.ready.remove(&frame);
            }
        }
        if before == StepState::Running && after != StepState::Running {
            if !is_frame {
                self.running -= 1;
            }
            if takes_place {
                self.move_place(frame, false);
            }
        }
        if after == StepState::Running && before != StepState::Running {
            if !is_frame {
                self.running += 1;
            }
            if takes_place {
                self.move_place(frame, true);
            }
        }
    }

    fn move_place(&mut self, frame: Option<StepIx>, taken: bool) {
        if let Some(frame) = frame {
            let count = &mut self.steps[frame.index()].children_running;
            *count = if taken { *count + 1 } else { *count - 1 };
        }
    }

    fn open_frame(&mut self, index: StepIx, copies: &[PlanStep]) {
        if !copies.is_empty() {
            let links = Arc::make_mut(&mut self.links);
            for (offset, copy) in copies.iter().enumerate() {
                links.add(StepIx::from_index(self.steps.len() + offset), copy);
            }
            for copy in copies {
                self.added.push(copy.clone());
                self.add_step(copy);
            }
            let children = self.children(index).len();
            self.steps[index.index()].children_open = u32::try_from(children).unwrap_or(u32::MAX);
        }
        for child in self.children(index).to_vec() {
            self.satisfy(child);
        }
        if self.step(index).children_open == 0 {
            self.touched.insert(index);
        }
    }

    fn satisfy(&mut self, step: StepIx) {
        let it = &mut self.steps[step.index()];
        it.open_needs = it.open_needs.saturating_sub(1);
        if it.open_needs == 0 && it.state() == StepState::Pending && self.state != RunState::Created {
            self.touched.insert(step);
        }
    }

    /// A step has come to rest: those that need it, and the frame around it, hear of it once.
    fn come_to_rest(&mut self, index: StepIx) {
        self.open_steps -= 1;
        let step = &mut self.steps[index.index()];
        step.in_flight = None;
        let (succeeded, failed) = (step.succeeded(), step.state() == StepState::Failed || step.failed_above);
        for dependent in self.dependents(index).to_vec() {
            let it = &mut self.steps[dependent.index()];
            it.failed_above |= failed;
            if !succeeded && it.blocked.is_none() {
                it.blocked = Some(index);
            }
            self.satisfy(dependent);
        }
        if let Some(frame) = self.plan_step(index).frame {
            let aborts = matches!(self.step(index).state(), StepState::Failed | StepState::Rejected)
                && self.plan_step(index).on_error == crate::plan::OnError::Abort;
            let it = &mut self.steps[frame.index()];
            it.children_open -= 1;
            if aborts && it.failed_child.is_none() {
                it.failed_child = Some(index);
            }
            if it.children_open == 0 && it.state() == StepState::Running {
                self.touched.insert(frame);
            }
        }
    }

    fn forget_due(&mut self, index: StepIx) {
        if let Some(due) = self.steps[index.index()].due.take() {
            self.due.remove(&(due, Some(index)));
        }
    }

    pub(super) fn apply_attempt(&mut self, at: Timestamp, index: StepIx, number: u32, event: &AttemptEvent) {
        match event {
            AttemptEvent::Started { purpose, .. } => self.attempt_started(index, number, *purpose),
            AttemptEvent::Ended { outcome, retry_at } => {
                let step = &mut self.steps[index.index()];
                let purpose = step.in_flight.take();
                if outcome.failure.as_ref().is_some_and(|it| it.not_started) {
                    step.not_started += 1;
                    step.calls = step.calls.saturating_sub(1);
                }
                if outcome.failure.is_none()
                    && self.plan.steps.get(index.index()).is_some_and(|it| it.confidence.is_some())
                {
                    step.held = Some(Box::new(outcome.outputs.clone()));
                }
                if purpose == Some(Purpose::Undo) {
                    step.due = *retry_at;
                    if let Some(until) = *retry_at {
                        self.due.insert((until, Some(index)));
                    }
                } else if let Some(until) = *retry_at {
                    let next = number + 1;
                    self.apply_step(
                        at,
                        index,
                        &StepEvent::Waiting { reason: WaitReason::BackOff { until, next } },
                    );
                }
            }
            AttemptEvent::Lost { .. } => self.steps[index.index()].in_flight = None,
        }
    }

    fn attempt_started(&mut self, index: StepIx, number: u32, purpose: Purpose) {
        self.forget_due(index);
        self.touched.remove(&index);
        let before = self.step(index).state();
        let step = &mut self.steps[index.index()];
        step.attempts = number;
        step.in_flight = Some(purpose);
        match purpose {
            Purpose::Undo => {
                step.undo_calls += 1;
                return;
            }
            Purpose::Step => step.calls += 1,
            Purpose::Fallback(which) => {
                step.calls = if step.work == which { step.calls + 1 } else { 1 };
                step.work = which;
            }
            Purpose::Check => {}
        }
        if purpose != Purpose::Check {
            self.calls += 1;
        }
        self.leave(index, before, StepState::Running);
        self.steps[index.index()].state = Some(StepState::Running);
    }

    pub(super) fn apply_undo(&mut self, index: StepIx, event: &UndoEvent) {
        self.forget_due(index);
        let step = &mut self.steps[index.index()];
        match event {
            UndoEvent::Asked => {
                step.state = Some(StepState::Undoing);
                self.undoing.insert(index);
                if let Some(at) = self.completed.iter().rposition(|it| *it == index) {
                    self.completed.truncate(at);
                }
            }
            UndoEvent::Done { .. } => {
                step.state = Some(StepState::Undone);
                step.undo_stuck = false;
                self.undoing.remove(&index);
                self.undone += 1;
            }
            UndoEvent::Stuck { record } => {
                step.undo_stuck = true;
                step.error = Some(record.clone());
            }
            UndoEvent::Again { .. } => {
                step.undo_stuck = false;
                step.undo_calls = 0;
            }
        }
    }

    /// The value of an input as steps of this scope see it.
    pub(super) fn inputs(&self, scope: Option<StepIx>) -> &ValueMap {
        scope.map_or(&self.plan.inputs, |it| &self.step(it).inputs)
    }

    /// The environment templates of a step, from the outermost in; the last one of a name wins. Those of a workflow are
    /// its own: a workflow that is called sees nothing of the one that calls it but what is handed to it.
    pub(super) fn env_of(&self, step: StepIx) -> impl DoubleEndedIterator<Item = &(String, String)> {
        let plan = self.plan_step(step);
        let (outer, frame): (&[_], &[_]) = match plan.scope.map(|it| self.plan_step(it)) {
            None => (&self.plan.env, &[]),
            Some(around) => match &around.work {
                Work::Frame(frame) => match &frame.kind {
                    FrameKind::Workflow { env, .. } => (env, &around.env),
                    FrameKind::Matrix | FrameKind::Computed { .. } => (&[], &around.env),
                },
                Work::Run { .. } | Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Later(_) => {
                    (&[], &[])
                }
            },
        };
        outer.iter().chain(frame).chain(&plan.env)
    }
}

/// Whether a condition names `failure()`, `always()` or `cancelled()`: such a step may run when others no longer may.
fn asks_for_failures(condition: &str) -> bool {
    use expression::{Function, StatusFunction};
    let Ok(expr) = expression::parse(condition) else { return false };
    expr.functions().iter().any(|(function, _)| {
        matches!(
            StatusFunction::of(*function),
            Some(StatusFunction::Failure | StatusFunction::Always | StatusFunction::Cancelled)
        ) && *function != Function::Success
    })
}

//! A run: its steps, the ready ones, the due ones, and the actions that it may still take. Changed by events
//! alone.
//!
//! Everything is kept incrementally: a step counts its needs that have not ended, a run its touched, ready
//! and due steps. One completion costs its out-degree; nothing scans all steps.

use crate::{
    Actor, AttemptEvent, CauseOfLaunch, DoubtAnswer, Facts, Origin, Purpose, RunEvent, RunState, Stage,
    StepEvent, StepState, TalkCall, UndoEvent, WaitReason, Why,
    another_try::FALLBACK,
    budget::Spending,
    call,
    failure::{Noted, Whose},
    links::{Links, runs_after_a_rejection},
    step::{self, Approval, Called, Did, Step},
    talk,
    unwind::Unwinding,
};
use cuelight_base::{Digest, Program, RoutePolicy, RunId, StepIx, Timestamp, Value, ValueMap};

use cuelight_plan::{Amounts, Currency, FrameKind, OnError, OnFailure, Plan, PlanStep, Undo, Work};

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

/// The rank of a step among others: priority, then file order.
pub(super) type Rank = (Reverse<i32>, StepIx);

/// The room that a step takes up while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// Nothing: waiting holds no slot.
    Nothing,
    /// A place among the children of its frame.
    Place,
    /// That, and one of the slots of the run.
    Slot,
}

impl Room {
    pub(super) fn of(work: &Work) -> Self {
        match work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) => Self::Slot,
            Work::Frame(_) => Self::Place,
            Work::Gate(_) | Work::Wait(_) | Work::Set { .. } | Work::Emit(_) | Work::Later(_) => {
                Self::Nothing
            }
        }
    }
}

/// The state of one run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) plan: Arc<Plan>,
    pub(super) plan_hash: Digest,
    /// The gates that asked in the runs that this one does again, each with the people whom its `forbid`
    /// excluded there.
    pub(super) asked: BTreeMap<String, Vec<String>>,
    /// The gates of those runs that escalate, each with the person or group that its ask named first.
    pub(super) escalates: BTreeMap<String, String>,
    pub(super) by: Actor,
    pub(super) seed: u64,
    pub(super) trace: String,
    /// The run that it does again or goes on from.
    pub(super) parent: Option<RunId>,
    /// True if the results that it took over are another run's to undo.
    is_fork: bool,
    /// True when the inputs or steps of the run that it does again were corrected.
    pub(super) is_corrected: bool,
    pub(super) state: RunState,
    pub(super) started_at: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
    /// Steps that a computed matrix added to those of the plan.
    pub(super) added: Vec<PlanStep>,
    links: Arc<Links>,
    /// Steps to be judged: the more urgent first.
    pub(super) touched: BTreeSet<Rank>,
    /// Steps that could start if they had room, by frame and by the room that they need.
    pub(super) ready: BTreeMap<(Option<StepIx>, Room), BTreeSet<Rank>>,
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
    /// Being undone, and neither done with that nor stuck.
    pub(super) undoing: BTreeSet<StepIx>,
    /// Could not be undone; people are asked.
    pub(super) stuck: BTreeSet<StepIx>,
    /// In which order the rest is undone.
    pub(super) unwinding: Option<Box<Unwinding>>,
    /// By gate that has asked again, the steps that wait for it since then, as if they needed it.
    holds: BTreeMap<StepIx, Vec<StepIx>>,
    /// Gates that had released the steps behind them, asked again, and have not been approved since.
    asked_anew: BTreeSet<StepIx>,
    /// Gates that have captured the workspace.
    captured: BTreeSet<StepIx>,
    pub(super) undone: u32,
    pub(super) spending: Spending,
    /// Spending of the steps that have a budget of their own.
    pub(super) step_spending: BTreeMap<StepIx, Spending>,
    /// The charges of calls in flight, in addition to being calls.
    pub(super) charged: BTreeMap<StepIx, Amounts>,
    pub(super) vars: BTreeMap<String, Value>,
    /// The notes of people on failures.
    pub(super) noted: BTreeMap<Whose, Noted>,
}

impl Run {
    /// From the event that made it.
    pub(super) fn created(id: RunId, event: &RunEvent) -> Self {
        let RunEvent::Created { plan, plan_hash, by, seed, trace, cause, asked, escalates, .. } = event
        else {
            panic!("fault: {id} begins with {event:?}");
        };
        let mut run = Self {
            id,
            plan: Arc::clone(plan),
            plan_hash: *plan_hash,
            by: by.clone(),
            seed: seed.parse().unwrap_or(0),
            asked: asked.clone(),
            escalates: escalates.clone(),
            trace: trace.clone(),
            parent: cause.parent(),
            is_fork: matches!(cause, CauseOfLaunch::Fork { .. }),
            is_corrected: cause.corrected().is_some(),
            state: RunState::Created,
            started_at: None,
            steps: Vec::new(),
            added: Vec::new(),
            links: Arc::new(Links::of(&plan.steps)),
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
            stuck: BTreeSet::new(),
            unwinding: None,
            holds: BTreeMap::new(),
            asked_anew: BTreeSet::new(),
            captured: BTreeSet::new(),
            undone: 0,
            spending: Spending::of(plan.budget.as_ref()),
            step_spending: BTreeMap::new(),
            charged: BTreeMap::new(),
            vars: BTreeMap::new(),
            noted: BTreeMap::new(),
        };
        run.steps.reserve_exact(plan.steps.len());
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
        if let Some(budget) = &plan.budget {
            self.step_spending.insert(index, Spending::of(Some(budget)));
        }
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
        self.links.dependents(step)
    }

    /// Every step that comes after this one, by needs and by frames.
    pub(super) fn after(&self, step: StepIx) -> BTreeSet<StepIx> {
        let (mut found, mut open) = (BTreeSet::new(), vec![step]);
        while let Some(at) = open.pop() {
            let next = self.dependents(at).iter().chain(self.children(at));
            open.extend(next.filter(|dependent| found.insert(**dependent)));
        }
        found
    }

    /// Every step that an approval of this gate lets go, also what needs a frame around the gate.
    pub(super) fn beyond(&self, gate: StepIx) -> BTreeSet<StepIx> {
        let mut found = self.after(gate);
        for need in self.frames_of(gate) {
            for dependent in self.dependents(need).to_vec() {
                if found.insert(dependent) {
                    found.extend(self.after(dependent));
                }
            }
        }
        found
    }

    /// By place, the steps that cannot start after a rejection of this gate, as long as nothing fails.
    pub(super) fn held_back_after_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        let plan = |step: StepIx| self.plan_step(step);
        self.links
            .held_back(plan, gate, |step| self.step(step).explicit && runs_after_a_rejection(plan(step)))
    }

    /// The matrices and called workflows around a step, from the inside out, up to a talk: a model goes on without what it
    /// was refused.
    pub(super) fn frames_of(&self, step: StepIx) -> Vec<StepIx> {
        let around = std::iter::successors(self.plan_step(step).frame, |step| self.plan_step(*step).frame);
        around.take_while(|frame| talk::of(self.plan_step(*frame)).is_none()).collect()
    }

    /// The frames that can close as soon as this step is done: it is a copy of a matrix, or nothing in the
    /// workflow needs it.
    pub(super) fn frames_ended_by(&self, step: StepIx) -> Vec<StepIx> {
        let (mut ended, mut at) = (Vec::new(), step);
        for frame in self.frames_of(step) {
            if !self.is_matrix(frame) && !self.dependents(at).is_empty() {
                break;
            }
            ended.push(frame);
            at = frame;
        }
        ended
    }

    pub(super) fn is_matrix(&self, step: StepIx) -> bool {
        let Work::Frame(frame) = &self.plan_step(step).work else { return false };
        match frame.kind {
            FrameKind::Matrix | FrameKind::Computed { .. } => true,
            FrameKind::Workflow { .. } | FrameKind::Talk(_) => false,
        }
    }

    pub(super) fn children(&self, step: StepIx) -> &[StepIx] {
        self.links.children(step)
    }

    /// True if a step waits for this gate because its approved calls or files had changed.
    pub(super) fn is_held(&self, step: StepIx, gate: StepIx) -> bool {
        self.holds.get(&gate).is_some_and(|steps| steps.contains(&step))
    }

    /// The steps that need this gate, could start, and have not begun.
    pub(super) fn let_go_by(&self, gate: StepIx) -> Vec<StepIx> {
        let not_begun = |dependent: &StepIx| {
            let step = self.step(*dependent);
            let looks = step.state() == StepState::Waiting && step.asked.is_some() && step.gate.is_none();
            step.state() == StepState::Ready || looks
        };
        let lets_go = std::iter::once(gate).chain(self.frames_of(gate));
        lets_go.flat_map(|gate| self.dependents(gate)).copied().filter(not_begun).collect()
    }

    /// The gates right before a step that have released it: those that it needs, alone, as copies of a matrix
    /// or at the end of a called workflow.
    /// If it needs nothing inside the frame around it, they are the gates right before that frame.
    pub(super) fn gates_before(&self, step: StepIx) -> Vec<StepIx> {
        let mut gates = Vec::new();
        let mut at = Some(step);
        while let Some(step) = at {
            let plan = self.plan_step(step);
            let is_gate = |step: &StepIx| matches!(self.plan_step(*step).work, Work::Gate(_));
            let approved = |step: &StepIx| self.step(*step).state() == StepState::Completed;
            let mut needs = plan.needs.clone();
            while let Some(need) = needs.pop() {
                if self.plan_step(need).work.frame().is_some() {
                    let ends = |child: &&StepIx| self.is_matrix(need) || self.dependents(**child).is_empty();
                    needs.extend(self.children(need).iter().filter(ends));
                } else if is_gate(&need) && approved(&need) {
                    gates.push(need);
                }
            }
            at = plan.frame.filter(|_| plan.needs.is_empty());
        }
        gates
    }

    /// Every step that came before one, by needs and by frames, as far up as steps let through.
    pub(super) fn above(&self, step: StepIx, through: impl Fn(StepIx) -> bool) -> BTreeSet<StepIx> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![step]);
        while let Some(at) = open.pop() {
            if at != step && !through(at) {
                continue;
            }
            let children = self.children(at).iter().filter(|_| at != step);
            open.extend(self.plan_step(at).needs.iter().chain(children).filter(|step| seen.insert(**step)));
            let mut frame = self.plan_step(at).frame;
            // A frame around it came before it as a whole; what stands beside it there did not.
            while let Some(around) = frame {
                let plan = self.plan_step(around);
                open.extend(plan.needs.iter().filter(|step| seen.insert(**step)));
                frame = plan.frame;
            }
        }
        seen
    }

    /// The gates among them.
    pub(super) fn gates_above(&self, step: StepIx, through: impl Fn(StepIx) -> bool) -> BTreeSet<StepIx> {
        let is_gate = |step: &StepIx| matches!(self.plan_step(*step).work, Work::Gate(_));
        self.above(step, through).into_iter().filter(is_gate).collect()
    }

    /// Gates above a step that had been approved, asked again, and have not been approved since.
    /// Gates that still ask hold back every step behind them. Gates that were refused hold back the steps
    /// that had not begun by then. They do so up to a step that decides by itself about a refusal, and the
    /// steps that this one releases.
    pub(super) fn unapproved_above(&self, step: StepIx) -> Vec<StepIx> {
        if self.asked_anew.is_empty() {
            return Vec::new();
        }
        let asking = |gate: &StepIx| !self.step(*gate).rests();
        let mut gates: Vec<StepIx> = self.gates_above(step, |_| true).into_iter().filter(asking).collect();
        if gates.is_empty() && !self.step(step).explicit {
            let above = self.gates_above(step, |step| !self.step(step).explicit);
            gates.extend(
                above.intersection(&self.asked_anew).filter(|gate| !self.step(step).held_by.contains(gate)),
            );
        }
        gates
    }

    /// The approved gates above a step that have captured the workspace, each with the hash of its tree.
    pub(super) fn trees_above(&self, step: StepIx) -> Vec<(StepIx, Digest)> {
        if self.captured.is_empty() {
            return Vec::new();
        }
        let above = self.gates_above(step, |_| true);
        let approved = above.intersection(&self.captured);
        let approved = approved.filter(|step| self.step(**step).state() == StepState::Completed);
        approved.filter_map(|step| Some((*step, self.step(*step).facts.as_ref()?.tree_digest()?))).collect()
    }

    /// The tree that a gate shows because another one has captured it: a gate above it, or that of an earlier
    /// copy of the same matrix.
    /// Only earlier copies count, or two that ask at once would take over from each other for ever.
    pub(super) fn tree_before(&self, gate: StepIx) -> Option<Digest> {
        let above = self.trees_above(gate).last().map(|tree| tree.1);
        above.or_else(|| {
            let matrix = |gate: StepIx| {
                let around =
                    std::iter::successors(self.plan_step(gate).frame, |step| self.plan_step(*step).frame);
                around.filter(|frame| self.is_matrix(*frame)).last()
            };
            let mine = matrix(gate)?;
            let mut others = self.captured.range(..gate).filter(|step| matrix(**step) == Some(mine));
            others.find_map(|step| self.step(*step).facts.as_ref()?.tree_digest())
        })
    }

    /// The step that siblings in this scope call by this name.
    pub(super) fn named(&self, scope: Option<StepIx>, name: &str) -> Option<StepIx> {
        self.links.named(scope, name)
    }

    /// Every step of a scope, with its name there.
    pub(super) fn names_in(&self, scope: Option<StepIx>) -> impl Iterator<Item = (&str, StepIx)> {
        self.links.in_scope(scope).map(|step| (self.plan_step(step).local.as_str(), step))
    }

    pub(super) fn running_max(&self) -> u32 {
        let default = u32::try_from(cuelight_base::PARALLEL_DEFAULT).unwrap_or(u32::MAX);
        if self.plan.max_parallel == 0 { default } else { self.plan.max_parallel }
    }

    /// True if this frame has room for one more of this kind.
    pub(super) fn has_room(&self, frame: Option<StepIx>, room: Room) -> bool {
        match room {
            Room::Nothing => true,
            Room::Place => self.has_place(frame),
            Room::Slot => self.running < self.running_max() && self.has_place(frame),
        }
    }

    fn has_place(&self, frame: Option<StepIx>) -> bool {
        frame.is_none_or(|index| {
            self.plan_step(index).work.frame().is_none_or(|frame| {
                frame.max_parallel == 0 || self.step(index).children_running < frame.max_parallel
            })
        })
    }

    /// True if only steps that ask for it by name may start.
    pub(super) fn is_ending(&self) -> bool {
        self.stopping.is_some() || self.cancelling || self.timed_out
    }

    /// The reason for what ends because the run does.
    pub(super) fn why_ending(&self) -> Why {
        match self.stopping {
            _ if self.timed_out => Why::RunTimedOut,
            _ if self.cancelling => Why::Cancelled,
            Some(stopping) => Why::Stopped(stopping.because),
            None => Why::Cancelled,
        }
    }

    /// Why nothing more is to be called for this step, if so: it, a frame around it, or the run is ending.
    pub(super) fn why_over(&self, step: StepIx) -> Option<Why> {
        let mut at = Some(step);
        while let Some(index) = at {
            if let Some(why) = &self.step(index).ending {
                return Some(why.clone());
            }
            at = self.plan_step(index).frame;
        }
        self.is_ending().then(|| self.why_ending())
    }

    /// True if a frame around it was allowed to open although the run is ending.
    pub(super) fn in_explicit_frame(&self, step: StepIx) -> bool {
        let mut frame = self.plan_step(step).frame;
        while let Some(index) = frame {
            if self.step(index).explicit {
                return true;
            }
            frame = self.plan_step(index).frame;
        }
        false
    }

    pub(super) fn is_undoable(&self, step: StepIx) -> bool {
        matches!(self.plan_step(step).undo, Undo::By(_))
    }

    /// The stage of the run in its life.
    fn stage(&self) -> Stage {
        stage_of(self.state, self.compensating)
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &RunEvent) {
        let Some(after) = next(self.state, event) else {
            panic!("fault: {} is {} and cannot take {event:?}", self.id, self.state);
        };
        let before = self.stage();
        self.state = after;
        let compensating = self.compensating || matches!(event, RunEvent::Compensating);
        if let Err(why) = before.move_to(stage_of(after, compensating)) {
            panic!("fault: {} {why}", self.id);
        }
        match event {
            RunEvent::Created { .. } | RunEvent::Paused { .. } | RunEvent::Resumed { .. } => {}
            RunEvent::Started => {
                self.started_at = Some(at);
                if let Some(timeout) = self.plan.timeout {
                    self.due.insert((at + timeout, None));
                }
                let free = (0..self.steps.len()).map(StepIx::from_index);
                let free: Vec<Rank> =
                    free.filter(|step| self.is_free(*step)).map(|step| self.rank(step)).collect();
                self.touched.extend(free);
            }
            RunEvent::Cancelling { undo, .. } => {
                self.cancelling = true;
                self.cancel_undo = *undo;
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
                self.unwinding = Some(Box::new(Unwinding::of(self)));
            }
            RunEvent::BudgetWarned { currency, step, .. } => {
                self.spending_mut(*step).note_warned(*currency);
            }
            RunEvent::BudgetRaised { calls, currency, step, .. } => {
                self.spending_mut(*step).ceilings.set(*currency, *calls);
            }
            RunEvent::Ended { .. } => {
                self.due.clear();
                self.ready.clear();
                self.touched.clear();
                self.unwinding = None;
            }
        }
    }

    fn spending_mut(&mut self, step: Option<StepIx>) -> &mut Spending {
        match step.and_then(|step| self.step_spending.get_mut(&step)) {
            Some(own) => own,
            None => &mut self.spending,
        }
    }

    /// The rank of a step among others.
    pub(super) fn rank(&self, step: StepIx) -> Rank {
        (Reverse(self.plan_step(step).priority), step)
    }

    fn touch(&mut self, step: StepIx) {
        self.touched.insert(self.rank(step));
    }

    fn is_free(&self, step: StepIx) -> bool {
        let step = self.step(step);
        step.open_needs == 0 && step.state() == StepState::Pending
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
        if let StepEvent::Routed { choice } = event {
            if RoutePolicy::ALL.iter().any(|policy| policy.word() == choice.policy) {
                self.steps[index.index()].chosen = Some(choice.chosen.clone());
            }
            if choice.policy == FALLBACK && matches!(self.plan_step(index).work, Work::Frame(_)) {
                // Nothing in it counts any more, and its time-out was of it.
                self.forget_due(index);
                let step = &mut self.steps[index.index()];
                (step.exhausted, step.ending) = (true, None);
                (step.failed_child, step.cut) = (None, None);
            }
            return;
        }
        self.forget_due(index);
        self.touched.remove(&self.rank(index));
        self.leave(index, before, after);
        let is_gate = matches!(self.plan_step(index).work, Work::Gate(_));
        let step = &mut self.steps[index.index()];
        step.state = Some(after);
        match event {
            StepEvent::Ready => {
                let plan = self.plan_step(index);
                let (key, priority) = ((plan.frame, Room::of(&plan.work)), plan.priority);
                self.ready.entry(key).or_default().insert((Reverse(priority), index));
            }
            StepEvent::Waiting { reason } => self.wait_for(index, reason),
            StepEvent::FactsAsked { files, patterns, programs } => {
                step.looked |= !files.is_empty();
                step.looked_at.clone_from(programs);
                step.asked = Some(Box::new((files.clone(), patterns.clone(), programs.clone())));
            }
            StepEvent::FactsKnown { facts } => {
                if is_gate && facts.tree_digest().is_some() {
                    self.captured.insert(index);
                }
                step.facts = Some(Arc::new(facts.clone()));
                step.asked = None;
                self.touch(index);
            }
            StepEvent::Opened { inputs, copies } => {
                step.inputs.clone_from(inputs);
                step.calls += 1;
                self.limit_frame(at, index);
                self.open_frame(index, copies);
            }
            StepEvent::Grown { calls, copies } => self.grow_frame(index, calls, copies),
            StepEvent::Completed { .. } => self.take_result(index, event),
            StepEvent::DoneByHand { by, outputs, reason } => self.take_by_hand(index, by, outputs, reason),
            StepEvent::Failed { record } => {
                step.error = Some(record.clone());
                self.failures += 1;
                let plan = self.plan_step(index);
                if plan.frame.is_none() && plan.on_error == OnError::Abort {
                    self.aborted.get_or_insert(index);
                }
            }
            StepEvent::Rejected { expired } => step.expired = *expired,
            StepEvent::Skipped { why } => {
                step.by_hand = matches!(why, Why::Person { .. });
                step.harmless = step::is_harmless(why);
                // In a frame that never opens there is nothing to wait for.
                if matches!(why, Why::Frame(_)) {
                    step.open_needs = 0;
                }
                if let Why::Failed(record) = why {
                    step.error = Some(record.clone());
                    self.failures += 1;
                }
            }
            StepEvent::Cancelled { .. } | StepEvent::Routed { .. } => {}
            StepEvent::Ending { why } => step.ending = Some(why.clone()),
            StepEvent::SentBack => {
                // What was approved before it, by gates that do not ask again, binds it as before.
                let stands = |approval: &Approval| self.step(approval.gate).state() == StepState::Completed;
                let fresh = self.left_of(index, before, stands);
                self.holds.values_mut().for_each(|steps| steps.retain(|held| *held != index));
                self.asked_anew.remove(&index);
                return self.begin_anew(index, before, fresh);
            }
            StepEvent::Reopened { why, gates } => return self.reopen(index, before, why, gates),
            StepEvent::InDoubt { .. } => step.in_flight = None,
            StepEvent::DoubtAnswered { answer, .. } => {
                step.by_hand = matches!(answer, DoubtAnswer::Happened(_));
                if matches!(answer, DoubtAnswer::NotHappened) {
                    step.calls = step.calls.saturating_sub(1);
                    step.losses = 0;
                    step.forget_doubt();
                }
            }
        }
        if after.rests() && !before.rests() {
            self.note_unknown(index, after);
            self.note_cut(index, event);
            self.come_to_rest(index);
        }
    }

    /// A frame that opens takes no longer than its time-out, with all its tries together.
    fn limit_frame(&mut self, at: Timestamp, index: StepIx) {
        if let Some(timeout) = self.plan_step(index).timeout {
            let step = &mut self.steps[index.index()];
            let until = *step.deadline.get_or_insert(at + timeout);
            step.due = Some(until);
            self.due.insert((until, Some(index)));
        }
    }

    /// The state that a step keeps when it begins again: its effects, certain or possible, and the approvals
    /// that stand.
    fn left_of(&self, index: StepIx, before: StepState, stands: impl Fn(&Approval) -> bool) -> Step {
        let step = self.step(index);
        Step {
            attempts: step.attempts,
            explicit: step.explicit,
            unknown: step.unknown,
            called: step.called.clone(),
            did: self.did(index, before),
            generation: step.generation,
            has_asked: step.has_asked,
            approvals: step.approvals.iter().filter(|approval| stands(approval)).cloned().collect(),
            ..Step::default()
        }
    }

    /// The effects of a step that begins again, if they are for this run to undo.
    fn did(&self, index: StepIx, before: StepState) -> Option<Box<Did>> {
        let step = self.step(index);
        if before.is_done() && self.completed.contains(&index) {
            return Some(Box::new(Did { outputs: step.outputs.clone(), called: step.called.clone() }));
        }
        step.did.clone()
    }

    /// Takes the outputs of a step, and the calls that a gate released.
    fn take_result(&mut self, index: StepIx, event: &StepEvent) {
        let StepEvent::Completed {
            outputs,
            confidence,
            released,
            released_fallbacks,
            released_later,
            kept,
            origin,
            bound,
            cached,
            given,
            ..
        } = event
        else {
            return;
        };
        if let Some(given) = given {
            self.note_given(index, given);
            if let Some(called) = &mut self.steps[index.index()].called {
                called.gave = Some(outputs.clone());
            }
        }
        let step = &mut self.steps[index.index()];
        step.outputs.clone_from(outputs);
        step.unknown = false;
        let was_done = step.did.take().is_some();
        step.confidence = *confidence;
        step.by_hand |= origin.as_ref().is_some_and(|origin| origin.by.is_some());
        step.origin.clone_from(origin);
        step.cached.clone_from(cached);
        if bound.is_some() {
            step.facts = bound.as_deref().cloned().map(Arc::new);
        }
        if matches!(self.plan_step(index).work, Work::Gate(_)) {
            self.approve(index, released, released_fallbacks, released_later.as_deref());
        }
        // What this run has not done is not its to undo.
        if !(*kept && self.is_fork) && cached.is_none() {
            if was_done {
                self.completed.retain(|step| *step != index);
            }
            self.completed.push(index);
        }
    }

    /// The steps behind a gate that are bound to the files of calls which it showed; none if it showed no
    /// files.
    pub(super) fn bound_later(&self, gate: StepIx, facts: &Facts) -> Option<Vec<StepIx>> {
        let was_shown = |program: &Program| {
            facts.shown_of(program).iter().any(|(of, files)| call::names_files(of, files))
        };
        let is_bound = |step: &StepIx| {
            let mut purposes = call::purposes(self.plan_step(*step));
            purposes.any(|purpose| call::known_programs(self, *step, purpose, None).iter().any(was_shown))
        };
        let open = || self.beyond(gate).into_iter().filter(|step| !self.step(*step).rests());
        (!facts.programs.is_empty()).then(|| open().filter(is_bound).collect())
    }

    /// Notes the approval of a gate at the steps behind it. Without `later` the steps that its files bind are
    /// read from the words of their calls.
    fn approve(
        &mut self,
        gate: StepIx,
        calls: &[(StepIx, Digest)],
        fallbacks: &[(StepIx, u32, Digest)],
        later: Option<&[StepIx]>,
    ) {
        let mut approvals: BTreeMap<StepIx, Approval> = BTreeMap::new();
        let shown = self.step(gate).facts.clone();
        for (step, hash) in calls {
            let fallbacks = fallbacks
                .iter()
                .filter(|fallback| fallback.0 == *step)
                .map(|fallback| (fallback.1, fallback.2))
                .collect();
            let first = Approval { gate, calls: Vec::new(), fallbacks, facts: shown.clone() };
            approvals.entry(*step).or_insert(first).calls.push(*hash);
        }
        let read = || shown.as_ref().and_then(|facts| self.bound_later(gate, facts)).unwrap_or_default();
        for step in later.map_or_else(read, <[StepIx]>::to_vec) {
            let (calls, fallbacks) = (Vec::new(), Vec::new());
            let later = Approval { gate, calls, fallbacks, facts: shown.clone() };
            approvals.entry(step).or_insert(later);
        }
        for (step, approval) in approvals {
            let all = &mut self.steps[step.index()].approvals;
            // Who has agreed to a call is not taken to have agreed to any: one that waits for something else meanwhile,
            // and is shown by its template alone when the gate asks again, keeps what was approved of it.
            let known = all.iter_mut().find(|approval| approval.gate == gate && !approval.calls.is_empty());
            if let Some(known) = known.filter(|_| approval.calls.is_empty()) {
                known.facts = approval.facts;
                continue;
            }
            all.retain(|approval| approval.gate != gate);
            all.push(approval);
        }
    }

    /// A result that a person gives: the failure it replaces ends nothing any more.
    fn take_by_hand(&mut self, index: StepIx, by: &Actor, outputs: &ValueMap, reason: &str) {
        let origin = Origin { run: self.id, by: Some(by.clone()), reason: reason.to_owned() };
        let step = &mut self.steps[index.index()];
        step.outputs.clone_from(outputs);
        step.by_hand = true;
        (step.unknown, step.did) = (false, None);
        step.error = None;
        step.origin = Some(Box::new(origin));
        if self.aborted == Some(index) {
            self.aborted = None;
        }
        if let Some(frame) = self.plan_step(index).frame {
            let frame = &mut self.steps[frame.index()];
            frame.failed_child = frame.failed_child.filter(|failed_child| *failed_child != index);
        }
        self.completed.retain(|step| *step != index);
        self.completed.push(index);
    }

    /// Reopens a step whose approved calls or files have changed: it waits, with its gates, to be approved
    /// again.
    fn reopen(&mut self, index: StepIx, before: StepState, why: &str, gates: &[StepIx]) {
        if gates.is_empty() && before == StepState::Completed {
            self.asked_anew.insert(index);
        }
        let fresh = Step {
            gate: self.step(index).gate.filter(|_| gates.is_empty()),
            reopened: gates.is_empty().then(|| why.to_owned()),
            held_by: gates.to_vec(),
            // What the other gates have approved stands.
            ..self.left_of(index, before, |approval| !gates.contains(&approval.gate))
        };
        self.holds.values_mut().for_each(|steps| steps.retain(|held| *held != index));
        for gate in gates {
            self.holds.entry(*gate).or_default().push(index);
        }
        self.begin_anew(index, before, fresh);
    }

    fn wait_for(&mut self, index: StepIx, reason: &WaitReason) {
        let is_frame = matches!(self.plan_step(index).work, Work::Frame(_));
        let step = &mut self.steps[index.index()];
        if is_frame {
            // What its next try fails for is what goes wrong then.
            (step.failed_child, step.cut, step.ending) = (None, None, None);
        }
        step.due = match reason {
            WaitReason::Time(until) | WaitReason::BackOff { until, .. } => Some(*until),
            WaitReason::Candidates { until, fails_at, .. } => {
                (step.fails_at, step.offered) = (*fails_at, None);
                until.iter().chain(fails_at).min().copied()
            }
            WaitReason::Agent { name, fails_at, .. } => {
                (step.fails_at, step.offered) = (*fails_at, Some(name.clone()));
                *fails_at
            }
            WaitReason::Message { until, .. } => *until,
            WaitReason::Person(_) | WaitReason::Facts | WaitReason::Target { .. } => None,
        };
        step.listens = matches!(reason, WaitReason::Message { .. }).then(|| Box::new(reason.clone()));
        if let Some(until) = step.due {
            self.due.insert((until, Some(index)));
        }
    }

    /// Resets a step that was sent back to its state before it began; only its calls are counted on, so that
    /// each has a number of its own.
    /// Its earlier effects are undone once, also when the step is not done again.
    fn begin_anew(&mut self, index: StepIx, before: StepState, fresh: Step) {
        if fresh.did.is_none() {
            self.completed.retain(|step| *step != index);
        }
        self.steps[index.index()] = fresh;
        self.aborted = self.aborted.filter(|aborted| *aborted != index);
        if before.rests() {
            self.open_steps += 1;
        }
        let frame = self.plan_step(index).frame;
        if let Some(frame) = frame {
            let step = &mut self.steps[frame.index()];
            step.failed_child = step.failed_child.filter(|child| *child != index);
        }
        let children = self.children(index).to_vec();
        for step in self.waiting_for(index).into_iter().chain(children).chain(frame).chain([index]) {
            self.count_again(step);
        }
    }

    /// The steps that need a step, and the steps that it holds beside them.
    fn waiting_for(&self, index: StepIx) -> Vec<StepIx> {
        let held = self.holds.get(&index).into_iter().flatten();
        let held = held.filter(|step| !self.plan_step(**step).needs.contains(&index));
        held.chain(self.dependents(index)).copied().collect()
    }

    /// Counts again the needs that a step waits for: its needs and the frame around it, as they are now.
    fn count_again(&mut self, index: StepIx) {
        let plan = self.plan_step(index);
        let open_frame = |frame: StepIx| self.step(frame).state() == StepState::Running;
        let mut open = u32::from(plan.frame.is_some_and(|frame| !open_frame(frame)));
        let (mut blocked, mut failed) = (None, false);
        let held_by = self.step(index).held_by.iter().filter(|step| !plan.needs.contains(step));
        for need in plan.needs.iter().chain(held_by) {
            let step = self.step(*need);
            if !step.rests() || step.waits_for_its_needs() {
                open += 1;
                continue;
            }
            failed |= step.state() == StepState::Failed || step.failed_above;
            if !step.succeeded() && blocked.is_none() {
                blocked = Some(*need);
            }
        }
        let children = self.children(index).iter().filter(|child| !self.step(**child).rests()).count();
        let step = &mut self.steps[index.index()];
        step.children_open = u32::try_from(children).unwrap_or(u32::MAX);
        let is_pending = step.state() == StepState::Pending;
        if !is_pending && !step.waits_for_its_needs() {
            return;
        }
        (step.open_needs, step.blocked, step.failed_above) = (open, blocked, failed);
        if !is_pending {
            return;
        }
        if open == 0 {
            self.touch(index);
        } else {
            self.touched.remove(&self.rank(index));
        }
    }

    /// Notes a step whose effect may have happened: it is undone like a completed one. So is a talk that
    /// failed when some of its calls were done.
    fn note_unknown(&mut self, index: StepIx, after: StepState) {
        let failed = matches!(after, StepState::Failed | StepState::Cancelled | StepState::Skipped);
        if !failed || !self.is_undoable(index) {
            return;
        }
        let step = self.step(index);
        if step.did.is_none() && (step.unknown || !talk::done(self, index).is_empty()) {
            self.completed.push(index);
        }
    }

    /// A frame one of whose children was ended from outside did not do what it should.
    fn note_cut(&mut self, index: StepIx, event: &StepEvent) {
        let (StepEvent::Cancelled { why } | StepEvent::Skipped { why }) = event else { return };
        let from_outside = match why {
            Why::Stopped(_) | Why::Cancelled | Why::RunTimedOut | Why::FailFast(_) | Why::Frame(_) => true,
            Why::Condition | Why::Need(_) | Why::Kept | Why::Person { .. } | Why::Failed(_) => false,
        };
        if from_outside && let Some(frame) = self.plan_step(index).frame {
            self.steps[frame.index()].cut.get_or_insert_with(|| why.clone());
        }
    }

    /// Gives back the room of a state that is left: a slot, a place, an entry in the list of ready steps.
    fn leave(&mut self, index: StepIx, before: StepState, after: StepState) {
        let plan = self.plan_step(index);
        let (frame, priority, is_frame) = (plan.frame, plan.priority, matches!(plan.work, Work::Frame(_)));
        let room = Room::of(&plan.work);
        let takes_place = room != Room::Nothing;
        if before == StepState::Ready
            && let Some(ready) = self.ready.get_mut(&(frame, room))
        {
            ready.remove(&(Reverse(priority), index));
            if ready.is_empty() {
                self.ready.remove(&(frame, room));
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

    fn add_copies(&mut self, copies: &[PlanStep]) {
        let links = Arc::make_mut(&mut self.links);
        for (offset, copy) in copies.iter().enumerate() {
            links.add(StepIx::from_index(self.steps.len() + offset), copy);
        }
        for copy in copies {
            self.added.push(copy.clone());
            self.add_step(copy);
        }
    }

    /// Adds steps to an open frame. Needs that have ended already hold them up no more.
    fn grow_frame(&mut self, index: StepIx, calls: &[TalkCall], copies: &[PlanStep]) {
        let first = self.steps.len();
        self.add_copies(copies);
        self.note_talk(index, calls, first);
        let more = u32::try_from(copies.len()).unwrap_or(u32::MAX);
        self.steps[index.index()].children_open += more;
        for child in (first..self.steps.len()).map(StepIx::from_index) {
            let needs = &self.plan_step(child).needs;
            let open = needs.iter().filter(|step| !self.step(**step).rests()).count();
            self.steps[child.index()].open_needs = u32::try_from(open).unwrap_or(u32::MAX);
            if open == 0 {
                self.touch(child);
            }
        }
    }

    /// Notes the question to a model and the calls that it has asked for, when this frame is a talk.
    fn note_talk(&mut self, index: StepIx, calls: &[TalkCall], first: usize) {
        if talk::of(self.plan_step(index)).is_none() {
            return;
        }
        let new = (first..self.steps.len()).map(StepIx::from_index);
        let asks: Vec<StepIx> =
            new.filter(|step| matches!(self.plan_step(*step).work, Work::Model(_))).collect();
        let talking = self.steps[index.index()].talk.get_or_insert_default();
        talking.asks.extend(asks);
        if !calls.is_empty() {
            talking.rounds.push(calls.to_vec());
        }
    }

    fn open_frame(&mut self, index: StepIx, copies: &[PlanStep]) {
        if !copies.is_empty() {
            let first = self.steps.len();
            self.add_copies(copies);
            self.note_talk(index, &[], first);
            let children = self.children(index).len();
            self.steps[index.index()].children_open = u32::try_from(children).unwrap_or(u32::MAX);
        }
        for child in self.children(index).to_vec() {
            if self.satisfy(child) {
                self.pass_on(child);
            }
        }
        if self.step(index).children_open == 0 {
            self.touch(index);
        }
    }

    /// A step has one thing less to wait for. True: it was skipped before, and those that need it can go on
    /// now.
    fn satisfy(&mut self, step: StepIx) -> bool {
        let this_step = &mut self.steps[step.index()];
        if this_step.open_needs == 0 {
            return false;
        }
        this_step.open_needs -= 1;
        if this_step.open_needs > 0 {
            return false;
        }
        let state = this_step.state();
        if state == StepState::Pending && self.state != RunState::Created {
            self.touch(step);
        }
        state == StepState::Skipped
    }

    /// Tells the steps that need a step that it has ended.
    /// A step that was skipped while one of its needs still ran tells them only when its needs have ended:
    /// they wait for those as they would have done.
    fn pass_on(&mut self, index: StepIx) {
        let mut resting = vec![index];
        while let Some(index) = resting.pop() {
            let step = &self.steps[index.index()];
            if step.waits_for_its_needs() {
                continue;
            }
            let failed = step.state() == StepState::Failed || step.failed_above;
            let succeeded = step.succeeded();
            for dependent in self.waiting_for(index) {
                let step = &mut self.steps[dependent.index()];
                step.failed_above |= failed;
                if !succeeded && step.blocked.is_none() {
                    step.blocked = Some(index);
                }
                if self.satisfy(dependent) {
                    resting.push(dependent);
                }
            }
        }
    }

    /// Tells the steps that need a step, and the frame around it, once, that it has ended.
    fn come_to_rest(&mut self, index: StepIx) {
        self.open_steps -= 1;
        self.steps[index.index()].in_flight = None;
        // What a model asked for and was refused holds up nothing but that call.
        if self.step(index).succeeded() || talk::around(self, index).is_some() {
            self.asked_anew.remove(&index);
        }
        self.pass_on(index);
        if let Some(frame) = self.plan_step(index).frame {
            let plan = self.plan_step(index);
            let goes_on = match (self.step(index).state(), &plan.work) {
                (StepState::Failed, _) => false,
                (StepState::Rejected, Work::Gate(rule)) => rule.on_reject == OnFailure::Continue,
                (StepState::Rejected, _) => false,
                _ => true,
            };
            let aborts = !goes_on && plan.on_error == OnError::Abort;
            let step = &mut self.steps[frame.index()];
            step.children_open -= 1;
            if aborts && step.failed_child.is_none() {
                step.failed_child = Some(index);
            }
            if step.children_open == 0 && step.state() == StepState::Running {
                self.touch(frame);
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
            AttemptEvent::Started { purpose, charge, cache_key, launch, bound, .. } => {
                self.attempt_started(index, number, *purpose, *charge);
                if let (Purpose::Step, Some(tool)) = (purpose, &launch.tool) {
                    self.note_given(index, &tool.input);
                }
                let step = &mut self.steps[index.index()];
                step.cache_key.clone_from(cache_key);
                if let Some(tree) = bound.as_ref().and_then(|bound| bound.only_tree()) {
                    step.ran_in = Some(tree);
                }
            }
            AttemptEvent::Ended { outcome, retry_at } => {
                self.correct(index, outcome.usage);
                let has_least = self.plan_step(index).confidence.is_some();
                let step = &mut self.steps[index.index()];
                let purpose = step.in_flight.take();
                let is_work = matches!(purpose, Some(Purpose::Step | Purpose::Fallback(_)));
                // What ends well before it could be ended has happened, whatever it then rests as.
                let is_done = is_work && step.ending.is_some() && outcome.failure.is_none();
                step.unknown |= is_done;
                match &outcome.failure {
                    Some(failure) if is_work => {
                        if failure.not_started {
                            step.not_started += 1;
                            step.calls = step.calls.saturating_sub(1);
                        }
                        step.exhausted = retry_at.is_none() && !failure.not_started;
                    }
                    None if is_work && has_least => step.held = Some(Box::new(outcome.outputs.clone())),
                    Some(_) | None => {}
                }
                if let Some(called) = step.called.as_mut().filter(|_| is_work && outcome.failure.is_none()) {
                    called.gave = Some(outcome.outputs.clone());
                }
                if is_done && step.did.is_some() {
                    let (outputs, called) = (outcome.outputs.clone(), step.called.clone());
                    step.did = Some(Box::new(Did { outputs, called }));
                }
                if purpose == Some(Purpose::Check) && outcome.exit_code == Some(1) {
                    step.calls = step.calls.saturating_sub(1);
                    step.forget_doubt();
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
            // It is in flight as before.
            AttemptEvent::Adopted { .. } => {}
            AttemptEvent::Lost { .. } => {
                let step = &mut self.steps[index.index()];
                let purpose = step.in_flight.take();
                let is_work = matches!(purpose, Some(Purpose::Step | Purpose::Fallback(_)));
                step.unknown |= is_work;
                if let Some(called) = step.called.as_mut().filter(|_| is_work)
                    && !called.in_doubt.contains(&called.input)
                {
                    called.in_doubt.push(called.input.clone());
                }
                step.losses += u32::from(is_work);
                self.charged.remove(&index);
            }
        }
    }

    /// Notes the input of a call whose tool has an undo, for that undo: the values that its words had then.
    fn note_given(&mut self, index: StepIx, input: &ValueMap) {
        let undo = call::undo_work(self.plan_step(index));
        if !matches!(undo, Some(Work::Tool(tool_use)) if tool_use.undoes) {
            return;
        }
        let called = &mut self.steps[index.index()].called;
        let in_doubt = called.take().map(|called| called.in_doubt).unwrap_or_default();
        *called = Some(Box::new(Called { input: input.clone(), gave: None, in_doubt }));
    }

    fn attempt_started(&mut self, index: StepIx, number: u32, purpose: Purpose, charge: Amounts) {
        self.forget_due(index);
        self.touched.remove(&self.rank(index));
        let before = self.step(index).state();
        let step = &mut self.steps[index.index()];
        step.attempts = number;
        step.in_flight = Some(purpose);
        step.exhausted = false;
        (step.fails_at, step.offered) = (None, None);
        match purpose {
            Purpose::Undo => {
                step.undo_calls += 1;
                return;
            }
            Purpose::Step => step.calls += 1,
            Purpose::Fallback(which) => {
                if step.work != which {
                    (step.work, step.calls, step.losses) = (which, 0, 0);
                }
                step.calls += 1;
            }
            Purpose::Check => {}
        }
        if purpose != Purpose::Check {
            self.charge(index, charge.with(Currency::Calls, 1));
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
                self.unwind(|unwinding, run| unwinding.begin(run, index));
            }
            UndoEvent::Done { .. } => {
                step.state = Some(StepState::Undone);
                step.undo_stuck = false;
                self.undoing.remove(&index);
                self.stuck.remove(&index);
                self.undone += 1;
                self.unwind(|unwinding, run| unwinding.end(run, index));
            }
            UndoEvent::Stuck { record } => {
                step.undo_stuck = true;
                step.error = Some(record.clone());
                self.undoing.remove(&index);
                self.stuck.insert(index);
            }
            UndoEvent::Again { .. } => {
                self.noted.remove(&(Some(index), true));
                step.undo_stuck = false;
                step.undo_calls = 0;
                self.stuck.remove(&index);
                self.undoing.insert(index);
            }
        }
    }

    fn unwind(&mut self, change: impl FnOnce(&mut Unwinding, &Self)) {
        if let Some(mut unwinding) = self.unwinding.take() {
            change(&mut unwinding, self);
            self.unwinding = Some(unwinding);
        }
    }

    /// The value of an input as steps of this scope see it.
    pub(super) fn inputs(&self, scope: Option<StepIx>) -> &ValueMap {
        scope.map_or(&self.plan.inputs, |scope| &self.step(scope).inputs)
    }

    /// The environment templates of a step, from the outermost in; the last one of a name wins.
    /// A workflow has its own: a called workflow sees nothing of its caller but its inputs and environment.
    pub(super) fn env_of(&self, step: StepIx) -> impl DoubleEndedIterator<Item = &(String, String)> {
        let plan = self.plan_step(step);
        let (outer, frame): (&[_], &[_]) = match plan.scope.map(|scope| self.plan_step(scope)) {
            None => (&self.plan.env, &[]),
            Some(around) => match around.work.frame().map(|frame| &frame.kind) {
                Some(FrameKind::Workflow { env, .. }) => (env, &around.env),
                Some(FrameKind::Matrix | FrameKind::Computed { .. } | FrameKind::Talk(_)) => {
                    (&[], &around.env)
                }
                None => (&[], &[]),
            },
        };
        outer.iter().chain(frame).chain(&plan.env)
    }
}

/// The stage of a run in this state: a run that undoes is no longer executing.
const fn stage_of(state: RunState, compensating: bool) -> Stage {
    if compensating && !state.rests() { Stage::Aggregate } else { state.stage() }
}

/// The state that an event leads to, or none when it may not happen in this one. A run at rest is only ever
/// taken up to be undone.
fn next(state: RunState, event: &RunEvent) -> Option<RunState> {
    use RunState as S;
    Some(match (state, event) {
        (S::Created, RunEvent::Started) => S::Running,
        (S::Created | S::Running, RunEvent::Cancelling { .. }) => state,
        (S::Running, RunEvent::Paused { .. }) => S::Paused,
        (S::Paused, RunEvent::Resumed { .. } | RunEvent::Cancelling { .. }) => S::Running,
        (
            S::Running | S::Paused,
            RunEvent::Stopping { .. }
            | RunEvent::TimedOut { .. }
            | RunEvent::BudgetWarned { .. }
            | RunEvent::BudgetRaised { .. },
        ) => state,
        (S::Created | S::Running | S::Paused, RunEvent::Ended { state, .. }) if state.rests() => *state,
        (S::Created | S::Running | S::Paused, RunEvent::Compensating) => S::Running,
        (_, RunEvent::Cancelling { undo: true, .. }) if state.rests() => state,
        (_, RunEvent::Compensating) if state.rests() => S::Running,
        _ => return None,
    })
}

/// True if a condition names `failure()`, `always()` or `cancelled()`: such a step may run when others no
/// longer may.
pub(super) fn asks_for_failures(condition: &str) -> bool {
    use cuelight_expression::{Function, StatusFunction};
    let Ok(expr) = cuelight_expression::parse(condition) else { return false };
    expr.functions().iter().any(|(function, _)| {
        matches!(
            StatusFunction::of(*function),
            Some(StatusFunction::Failure | StatusFunction::Always | StatusFunction::Cancelled)
        ) && *function != Function::Success
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{ErrorKind, ErrorRecord, FailureMode, Severity};

    fn events() -> Vec<(&'static str, RunEvent)> {
        let by = Actor::engine;
        let builder = ErrorRecord::builder()
            .error_type(ErrorKind::WorkflowExecutionError)
            .severity(Severity::Critical)
            .mode(FailureMode::SystemTimeout)
            .source("a")
            .message("b");
        let record = Box::new(builder.build().expect("all is given"));
        let cancelling = |undo| RunEvent::Cancelling { by: by(), reason: String::new(), undo };
        vec![
            ("started", RunEvent::Started),
            ("paused", RunEvent::Paused { by: by() }),
            ("resumed", RunEvent::Resumed { by: by() }),
            ("cancelling", cancelling(false)),
            ("undoing", cancelling(true)),
            ("stopping", RunEvent::Stopping { because: StepIx(0), rejected: false, compensate: false }),
            ("timed-out", RunEvent::TimedOut { record }),
            ("compensate", RunEvent::Compensating),
            ("warned", RunEvent::BudgetWarned { calls: 0, limit: 0, currency: Currency::Calls, step: None }),
            ("raised", RunEvent::BudgetRaised { calls: 0, by: by(), currency: Currency::Calls, step: None }),
            ("ended", RunEvent::Ended { state: RunState::Failed, outputs: ValueMap::new(), partial: None }),
        ]
    }

    #[test]
    fn every_pair_of_state_and_event_is_known() {
        let cell = |state: &RunState, event: &RunEvent| next(*state, event).map(RunState::word);
        let cells = events()
            .iter()
            .flat_map(|(name, event)| {
                RunState::ALL.iter().map(move |state| (state.word(), *name, cell(state, event)))
            })
            .collect::<Vec<_>>();
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots"}, {
            insta::assert_snapshot!("run_grid", crate::state::grid(&cells));
        });
    }
}

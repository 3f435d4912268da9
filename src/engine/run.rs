//! A run: its steps, the ready ones, the due ones, and the actions that it may still take. Changed by events
//! alone.
//!
//! Everything is kept incrementally: a step counts its needs that have not ended, a run its touched, ready
//! and due steps. One completion costs its out-degree; nothing scans all steps.

mod around;
mod fold_attempt;
mod fold_step;
mod frames;
mod gates;
mod readiness;

use crate::{
    CauseOfLaunch, RunEvent, RunState, Stage, StepState, Why,
    budget::Spending,
    failure::{Noted, Whose},
    links::Links,
    put_elsewhere::Displaced,
    step::Step,
    unwind::Unwinding,
};
use cuelight_base::{Actor, Digest, RunId, StepIx, Timestamp, Value, ValueMap};
use cuelight_plan::{Amounts, FrameKind, Plan, PlanStep, Undo, Work};
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
    pub(super) by: Actor,
    pub(super) seed: u64,
    pub(super) trace: String,
    pub(super) before: Before,
    pub(super) state: RunState,
    pub(super) started_at: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
    /// Steps that a computed matrix added to those of the plan.
    pub(super) added: Vec<PlanStep>,
    links: Arc<Links>,
    pub(super) queue: Queue,
    pub(super) ending: Ending,
    pub(super) undo: Undos,
    /// By gate that has asked again, the steps that wait for it since then, as if they needed it.
    holds: BTreeMap<StepIx, Vec<StepIx>>,
    /// Gates that had released the steps behind them, asked again, and have not been approved since.
    asked_anew: BTreeSet<StepIx>,
    /// Gates that have captured the workspace.
    captured: BTreeSet<StepIx>,
    pub(super) spending: Spending,
    /// Spending of the steps that have a budget of their own.
    pub(super) step_spending: BTreeMap<StepIx, Spending>,
    /// The charges of calls in flight, in addition to being calls.
    pub(super) charged: BTreeMap<StepIx, Amounts>,
    pub(super) vars: BTreeMap<String, Value>,
    /// The notes of people on failures.
    pub(super) noted: BTreeMap<Whose, Noted>,
}

/// The runs that a run does again or goes on from.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// The last of them.
    pub(super) parent: Option<RunId>,
    /// The gates that asked there, each with the people whom its `forbid` excluded.
    pub(super) asked: BTreeMap<String, Vec<String>>,
    /// The gates of those runs that escalate, each with the person or group that its ask named first.
    pub(super) escalates: BTreeMap<String, String>,
    /// The gates of those runs whose form was edited, each with the principals that did it, and their names.
    pub(super) editors: BTreeMap<String, BTreeMap<String, String>>,
    /// Principals that count as its requesters in addition to its own, each with the reason.
    pub(super) requesters: Vec<(String, String)>,
    pub(super) displaced: Displaced,
    /// True if the results that it took over are another run's to undo.
    pub(super) is_fork: bool,
    /// True when inputs or steps were corrected.
    pub(super) is_corrected: bool,
}

/// The steps that have something to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Steps to be judged: the more urgent first.
    pub(super) touched: BTreeSet<Rank>,
    /// Steps that could start if they had room, by frame and by the room that they need.
    pub(super) ready: BTreeMap<(Option<StepIx>, Room), BTreeSet<Rank>>,
    pub(super) due: BTreeSet<(Timestamp, Option<StepIx>)>,
    /// The number of steps that hold a slot.
    pub(super) running: u32,
    /// The number of steps that have not ended.
    pub(super) open: u32,
}

/// The reasons why a run ends, as far as there are any.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    pub(super) stopping: Option<Stopping>,
    pub(super) aborted: Option<StepIx>,
    pub(super) failures: u32,
    pub(super) cancelling: bool,
    pub(super) cancel_undo: bool,
    pub(super) timed_out: bool,
    pub(super) compensating: bool,
}

/// The steps that can be undone, and the undo of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Undos {
    /// In the order they came to be done.
    pub(super) completed: Vec<StepIx>,
    /// Being undone, and neither done with that nor stuck.
    pub(super) undoing: BTreeSet<StepIx>,
    /// Could not be undone; people are asked.
    pub(super) stuck: BTreeSet<StepIx>,
    /// In which order the rest is undone.
    pub(super) unwinding: Option<Box<Unwinding>>,
    /// The number of undone steps.
    pub(super) done: u32,
}

impl Run {
    /// From the event that made it.
    pub(super) fn created(id: RunId, event: &RunEvent) -> Self {
        let RunEvent::Created {
            plan,
            plan_hash,
            by,
            seed,
            trace,
            cause,
            asked,
            escalates,
            editors,
            requesters,
            displaced,
            displaced_behind,
            ..
        } = event
        else {
            panic!("fault: {id} begins with {event:?}");
        };
        let mut run = Self {
            id,
            plan: Arc::clone(plan),
            plan_hash: *plan_hash,
            by: by.clone(),
            seed: seed.parse().unwrap_or(0),
            trace: trace.clone(),
            before: Before {
                parent: cause.parent(),
                asked: asked.clone(),
                escalates: (**escalates).clone(),
                editors: (**editors).clone(),
                requesters: requesters.clone(),
                displaced: Displaced { guarded: (**displaced).clone(), behind: (**displaced_behind).clone() },
                is_fork: matches!(cause, CauseOfLaunch::Fork { .. }),
                is_corrected: cause.corrected().is_some(),
            },
            state: RunState::Created,
            started_at: None,
            steps: Vec::new(),
            added: Vec::new(),
            links: Arc::new(Links::of(&plan.steps)),
            queue: Queue::default(),
            ending: Ending::default(),
            undo: Undos::default(),
            holds: BTreeMap::new(),
            asked_anew: BTreeSet::new(),
            captured: BTreeSet::new(),
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
        let mut step =
            Step { explicit: plan.condition.as_deref().is_some_and(asks_for_failures), ..Step::default() };
        step.needs.open = u32::try_from(plan.needs.len()).unwrap_or(u32::MAX);
        if plan.frame.is_some() {
            step.needs.open += 1;
        }
        step.inside.open = u32::try_from(self.children(index).len()).unwrap_or(u32::MAX);
        if let Some(budget) = &plan.budget {
            self.step_spending.insert(index, Spending::of(Some(budget)));
        }
        self.steps.push(step);
        self.queue.open += 1;
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

    pub(super) fn running_max(&self) -> u32 {
        let default = u32::try_from(cuelight_base::PARALLEL_DEFAULT).unwrap_or(u32::MAX);
        if self.plan.max_parallel == 0 { default } else { self.plan.max_parallel }
    }

    /// True if this frame has room for one more of this kind.
    pub(super) fn has_room(&self, frame: Option<StepIx>, room: Room) -> bool {
        match room {
            Room::Nothing => true,
            Room::Place => self.has_place(frame),
            Room::Slot => self.queue.running < self.running_max() && self.has_place(frame),
        }
    }

    fn has_place(&self, frame: Option<StepIx>) -> bool {
        frame.is_none_or(|index| {
            self.plan_step(index).work.frame().is_none_or(|frame| {
                frame.max_parallel == 0 || self.step(index).inside.running < frame.max_parallel
            })
        })
    }

    /// True if only steps that ask for it by name may start.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.stopping.is_some() || self.ending.cancelling || self.ending.timed_out
    }

    /// The reason for what ends because the run does.
    pub(super) fn why_ending(&self) -> Why {
        match self.ending.stopping {
            _ if self.ending.timed_out => Why::RunTimedOut,
            _ if self.ending.cancelling => Why::Cancelled,
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
        stage_of(self.state, self.ending.compensating)
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &RunEvent) {
        let Some(after) = next(self.state, event) else {
            panic!("fault: {} is {} and cannot take {event:?}", self.id, self.state);
        };
        let before = self.stage();
        self.state = after;
        let compensating = self.ending.compensating || matches!(event, RunEvent::Compensating);
        if let Err(why) = before.move_to(stage_of(after, compensating)) {
            panic!("fault: {} {why}", self.id);
        }
        match event {
            RunEvent::Created { .. } | RunEvent::Paused { .. } | RunEvent::Resumed { .. } => {}
            RunEvent::Started => {
                self.started_at = Some(at);
                if let Some(timeout) = self.plan.timeout {
                    self.queue.due.insert((at + timeout, None));
                }
                let free = (0..self.steps.len()).map(StepIx::from_index);
                let free: Vec<Rank> =
                    free.filter(|step| self.is_free(*step)).map(|step| self.rank(step)).collect();
                self.queue.touched.extend(free);
            }
            RunEvent::Cancelling { undo, .. } => {
                self.ending.cancelling = true;
                self.ending.cancel_undo = *undo;
            }
            RunEvent::Stopping { because, rejected, compensate } => {
                self.ending.stopping =
                    Some(Stopping { because: *because, rejected: *rejected, compensate: *compensate });
            }
            RunEvent::TimedOut { .. } => {
                self.ending.timed_out = true;
                self.queue.due.retain(|(_, step)| step.is_some());
            }
            RunEvent::Compensating => {
                self.ending.compensating = true;
                self.undo.unwinding = Some(Box::new(Unwinding::of(self)));
            }
            RunEvent::BudgetWarned { currency, step, .. } => {
                self.spending_mut(*step).note_warned(*currency);
            }
            RunEvent::BudgetRaised { calls, currency, step, .. } => {
                self.spending_mut(*step).ceilings.set(*currency, *calls);
            }
            RunEvent::Ended { .. } => {
                self.queue.due.clear();
                self.queue.ready.clear();
                self.queue.touched.clear();
                self.undo.unwinding = None;
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

    fn is_free(&self, step: StepIx) -> bool {
        let step = self.step(step);
        step.needs.open == 0 && step.state() == StepState::Pending
    }

    /// The value of an input as steps of this scope see it.
    pub(super) fn inputs(&self, scope: Option<StepIx>) -> &ValueMap {
        scope.map_or(&self.plan.inputs, |scope| &self.step(scope).inside.inputs)
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
    use cuelight_plan::Currency;

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

//! What must hold (`reliability.md` 6.3), told from the journal and from the world outside, in another way than the
//! engine tells it. The plan that is held against it is the one the author wrote.

use cuelight::{
    base::{AttemptId, DecisionId, Digest, Epoch, GateId, RunId, StepIx, Timestamp, Value},
    engine::{
        Actor, Ask, AttemptEvent, DoubtAnswer, Event, Fact, GateEvent, GateState, Purpose, RunEvent,
        RunState, ScopeEvent, StepEvent, StepState, UndoEvent, Verdict,
    },
    plan::{Budget, Currency, EffectClass, FrameKind, OnExceed, Plan, PlanStep, Scope, Undo, Work},
    projection::Board,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is known of a step from the journal alone.
#[derive(Clone, Default)]
struct Step {
    state: Option<StepState>,
    flying: Option<(u32, Purpose)>,
    /// A call was lost, and nobody said since that it did not happen.
    unknown: bool,
    calls: u32,
    released: Option<Digest>,
    /// Gates that it waits for once more.
    held: Vec<StepIx>,
    /// Skipped while something it needs had not come to rest.
    early: bool,
    /// It has files that people are shown.
    looks: bool,
    /// A gate that was closed has to ask again.
    reopened: bool,
    undo_asked: bool,
    stuck: bool,
}

impl Step {
    fn state(&self) -> StepState {
        self.state.unwrap_or(StepState::Pending)
    }
}

struct Run {
    plan: Arc<Plan>,
    steps: Vec<Step>,
    state: RunState,
    paused: bool,
    ending: bool,
    compensating: bool,
    done: Vec<StepIx>,
    /// Used so far, and what may be: of the run, and of each step that has a budget of its own.
    purses: BTreeMap<Option<StepIx>, Purse>,
    /// What calls in flight were thought to need.
    thought: BTreeMap<StepIx, u64>,
}

/// Calls and tokens.
#[derive(Clone, Default)]
struct Purse {
    used: [u64; 2],
    most: [Option<u64>; 2],
    warns: bool,
}

impl Purse {
    fn of(budget: Option<&Budget>) -> Self {
        Self {
            used: [0, 0],
            most: budget.map(|it| [it.calls, it.tokens]).unwrap_or_default(),
            warns: budget.is_none_or(|it| it.on_exceed == OnExceed::Warn),
        }
    }
}

struct Gate {
    ask: Ask,
    hash: Digest,
    open: bool,
    armed: bool,
    agreed: bool,
    votes: Vec<Actor>,
    editors: BTreeSet<String>,
    escalated: Option<String>,
}

/// Everything that is watched, over all runs of one history.
#[derive(Default)]
pub(crate) struct Checks {
    /// The plans as their authors wrote them, by trace, where that is not what the engine was given.
    pub(crate) given: BTreeMap<String, Arc<Plan>>,
    /// Who really sent a decision, what they saw, and when.
    pub(crate) people: BTreeMap<DecisionId, (String, Digest, Timestamp)>,
    /// Doubts that a person really answered so.
    pub(crate) doubts: BTreeSet<(RunId, StepIx)>,
    /// Answers that the world really gave.
    pub(crate) answers: BTreeSet<(AttemptId, Option<i32>)>,
    runs: BTreeMap<RunId, Run>,
    gates: BTreeMap<GateId, Gate>,
    /// Values of the workspace: each with how often it was changed, and until when it stands.
    values: BTreeMap<String, (Value, u64, Option<Timestamp>)>,
    /// Decisions that were counted.
    counted: BTreeSet<DecisionId>,
}

/// A step of a run.
pub(crate) type At = (RunId, StepIx);

/// An invariant that does not hold, and how.
pub(crate) type Broken = String;

fn ensure(holds: bool, say: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(say()) }
}

impl Checks {
    /// One event that has just become durable.
    pub(crate) fn see(&mut self, event: &Event, clock: Timestamp) -> Result<(), Broken> {
        ensure(event.at <= clock, || format!("I0 an event of {} at {clock}", event.at))?;
        match &event.fact {
            Fact::Run(id, it) => self.run(*id, it),
            Fact::Step(id, step, it) => self.step(*id, *step, it),
            Fact::Attempt(id, step, number, it) => {
                self.attempt(AttemptId { run: *id, step: *step, number: *number }, it)
            }
            Fact::Gate(id, step, gate, it) => self.gate(*id, *step, *gate, it, event.at),
            Fact::Undo(id, step, it) => self.undo(*id, *step, it),
            Fact::Scope(_, it) => {
                self.scope(it, event.at);
                Ok(())
            }
            Fact::Failure(..)
            | Fact::Schedule(..)
            | Fact::Target(..)
            | Fact::Cache(..)
            | Fact::Recovered { .. } => Ok(()),
        }
    }

    fn scope(&mut self, event: &ScopeEvent, at: Timestamp) {
        let (key, value, until) = match event {
            ScopeEvent::Set { scope: Scope::Global, key, value, expires_at, .. } => {
                (key, value.clone(), *expires_at)
            }
            ScopeEvent::Removed { key, .. } => (key, Value::Null, Some(at)),
            ScopeEvent::Set { .. } => return,
        };
        let version = self.values.get(key).map_or(0, |it| it.1) + 1;
        self.values.insert(key.clone(), (value, version, until));
    }

    /// A value of the workspace, and how often it was changed.
    pub(crate) fn shared(&self, key: &str, now: Timestamp) -> Option<(&Value, u64)> {
        let (value, version, until) = self.values.get(key)?;
        until.is_none_or(|it| it > now).then_some((value, *version))
    }

    fn run(&mut self, id: RunId, event: &RunEvent) -> Result<(), Broken> {
        if let RunEvent::Created { plan, trace, .. } = event {
            let plan = self.given.get(trace).unwrap_or(plan).clone();
            let steps = vec![Step::default(); plan.steps.len()];
            let purses = BTreeMap::from([(None, Purse::of(plan.budget.as_ref()))]);
            self.runs.insert(
                id,
                Run {
                    plan,
                    steps,
                    state: RunState::Created,
                    paused: false,
                    ending: false,
                    compensating: false,
                    done: Vec::new(),
                    purses,
                    thought: BTreeMap::new(),
                },
            );
            return Ok(());
        }
        let run = self.runs.get_mut(&id).ok_or("I6 a run that was never created")?;
        match event {
            RunEvent::Started => run.state = RunState::Running,
            RunEvent::Paused { .. } => run.paused = true,
            RunEvent::Resumed { .. } => run.paused = false,
            RunEvent::Cancelling { .. } => (run.ending, run.paused) = (true, false),
            RunEvent::Stopping { .. } | RunEvent::TimedOut { .. } => run.ending = true,
            RunEvent::Compensating => {
                (run.compensating, run.paused, run.state) = (true, false, RunState::Running);
            }
            RunEvent::BudgetRaised { calls, currency, step, .. } => {
                let purse = run.purse(*step).ok_or("I10 a budget is raised that nobody wrote")?;
                let at = usize::from(*currency == Currency::Tokens);
                purse.most[at] = Some(*calls);
            }
            RunEvent::Ended { state, .. } => {
                let open = run.steps.iter().position(|it| !it.state().rests());
                ensure(open.is_none(), || format!("I7 {id} ended with step {open:?} open"))?;
                let flying = run.steps.iter().position(|it| {
                    it.flying.is_some()
                        && it.state() != StepState::Cancelled
                        && it.state() != StepState::Skipped
                });
                ensure(flying.is_none(), || format!("I7 {id} ended with a call of {flying:?} in flight"))?;
                run.state = *state;
            }
            RunEvent::Created { .. } | RunEvent::BudgetWarned { .. } => {}
        }
        Ok(())
    }

    fn step(&mut self, id: RunId, step: StepIx, event: &StepEvent) -> Result<(), Broken> {
        let run = self.runs.get_mut(&id).ok_or("I6 a run that was never created")?;
        if let StepEvent::Opened { copies, .. } = event {
            if !copies.is_empty() {
                Arc::make_mut(&mut run.plan).steps.extend(copies.iter().cloned());
            }
            run.steps.resize(run.plan.steps.len(), Step::default());
        }
        if let StepEvent::DoubtAnswered { answer: DoubtAnswer::NotHappened, .. } = event {
            let said = self.doubts.contains(&(id, step));
            ensure(said, || format!("I2 nobody said that {id} {step:?} did not happen"))?;
            run.steps[step.index()].unknown = false;
        }
        let gated = matches!(run.plan.steps[step.index()].work, Work::Gate(_));
        if let StepEvent::Completed { released, kept: false, .. } = event {
            ensure(
                !gated
                    || self
                        .gates
                        .values()
                        .any(|it| it.ask.step == run.plan.steps[step.index()].id && !it.open),
                || format!("I4 {id} {step:?} completed with its gate open"),
            )?;
            for (covered, hash) in released {
                run.steps[covered.index()].released = Some(*hash);
            }
        }
        let it = &mut run.steps[step.index()];
        let before = it.state();
        let state = match event {
            StepEvent::Ready => StepState::Ready,
            StepEvent::Routed { .. } => before,
            StepEvent::Waiting { .. } | StepEvent::FactsAsked { .. } => StepState::Waiting,
            StepEvent::FactsKnown { .. } => StepState::Pending,
            StepEvent::Opened { .. } => StepState::Running,
            StepEvent::Completed { partial: true, .. } => StepState::Partial,
            StepEvent::Completed { .. } | StepEvent::DoneByHand { .. } => StepState::Completed,
            StepEvent::Failed { .. } => StepState::Failed,
            StepEvent::SentBack | StepEvent::Reopened { .. } => StepState::Pending,
            StepEvent::Rejected { .. } => StepState::Rejected,
            StepEvent::Skipped { .. } => StepState::Skipped,
            StepEvent::Cancelled { .. } => StepState::Cancelled,
            StepEvent::InDoubt { .. } | StepEvent::DoubtAnswered { .. } => StepState::InDoubt,
        };
        let again = matches!(event, StepEvent::DoneByHand { .. } | StepEvent::Reopened { .. });
        ensure(!before.rests() || again, || format!("I6 {id} {step:?} was {before} and became {state}"))?;
        it.state = Some(state);
        match event {
            StepEvent::FactsKnown { facts } => {
                it.looks = !facts.files.is_empty() || !facts.hashes.is_empty();
            }
            StepEvent::Reopened { gates, .. } => {
                (it.released, it.flying, it.calls) = (None, None, 0);
                (it.held, it.reopened, it.looks) = (gates.clone(), gates.is_empty(), false);
                run.done.retain(|it| *it != step);
            }
            _ => {}
        }
        if state == StepState::Skipped {
            run.steps[step.index()].early = !run.needs_rest(step);
        }
        run.let_go();
        let it = &mut run.steps[step.index()];
        if state.rests() {
            it.flying = None;
        }
        let may_have =
            it.unknown && matches!(state, StepState::Failed | StepState::Cancelled | StepState::Skipped);
        if matches!(state, StepState::Completed | StepState::Partial) || may_have {
            run.done.retain(|it| *it != step);
            run.done.push(step);
        }
        Ok(())
    }

    fn attempt(&mut self, id: AttemptId, event: &AttemptEvent) -> Result<(), Broken> {
        let run = self.runs.get_mut(&id.run).ok_or("I6 a run that was never created")?;
        let may_start = run.may_start(id.step);
        let it = &mut run.steps[id.step.index()];
        match event {
            AttemptEvent::Started { purpose, launch_hash, class, charge, .. } => {
                ensure(it.flying.is_none(), || {
                    format!("I12 {id} started while {:?} was in flight", it.flying)
                })?;
                it.flying = Some((id.number, *purpose));
                match purpose {
                    Purpose::Undo => {
                        let asked = it.undo_asked && it.state() == StepState::Undoing;
                        return ensure(asked, || {
                            format!("I9 {id} undoes what nobody asked to undo, or again")
                        });
                    }
                    Purpose::Check => return Ok(()),
                    Purpose::Step | Purpose::Fallback(_) => {}
                }
                ensure(!(it.unknown && *class == EffectClass::Once), || {
                    format!("I2 {id} may happen a second time")
                })?;
                ensure(it.calls > 0 || may_start.is_ok(), || {
                    format!("{} ({id})", may_start.clone().err().unwrap_or_default())
                })?;
                if *purpose == Purpose::Step
                    && let Some(released) = it.released
                {
                    ensure(released == *launch_hash, || format!("I4 {id} is not what was approved"))?;
                }
                it.calls += 1;
                it.state = Some(StepState::Running);
                let needs = run.plan.steps[id.step.index()].estimate.tokens;
                ensure(charge.tokens == needs, || format!("I10 {id} is charged with {charge:?}"))?;
                run.thought.insert(id.step, needs);
                run.pay(id, needs)?;
                run.within_limits(id)
            }
            AttemptEvent::Ended { outcome, retry_at } => {
                ensure(self.answers.contains(&(id, outcome.exit_code)), || {
                    format!("I2 the world never said so of {id}")
                })?;
                let purpose = it.flying.take();
                ensure(purpose.is_some_and(|it| it.0 == id.number), || {
                    format!("I2 {id} ended and was not in flight")
                })?;
                let thought = run.thought.remove(&id.step).unwrap_or(0);
                if let Some(text) = outcome.outputs.get("tokens") {
                    let said: u64 = text.as_str().and_then(|it| it.parse().ok()).ok_or("I10 no number")?;
                    run.correct(id.step, thought, said);
                }
                let it = &mut run.steps[id.step.index()];
                let undo = purpose.is_some_and(|it| it.1 == Purpose::Undo);
                if retry_at.is_some() && !undo {
                    it.state = Some(StepState::Waiting);
                }
                if purpose.is_some_and(|it| it.1 == Purpose::Check) && outcome.exit_code == Some(1) {
                    it.unknown = false;
                }
                Ok(())
            }
            AttemptEvent::Lost { .. } => {
                let purpose = it.flying.take();
                it.unknown |= matches!(purpose, Some((_, Purpose::Step | Purpose::Fallback(_))));
                run.thought.remove(&id.step);
                Ok(())
            }
        }
    }

    fn undo(&mut self, id: RunId, step: StepIx, event: &UndoEvent) -> Result<(), Broken> {
        let run = self.runs.get_mut(&id).ok_or("I6 a run that was never created")?;
        match event {
            UndoEvent::Asked => {
                let undoable = |it: &&StepIx| matches!(run.plan.steps[it.index()].undo, Undo::By(_));
                let next = run.done.iter().rev().find(|it| undoable(it) && !run.steps[it.index()].undo_asked);
                ensure(next == Some(&step), || {
                    format!("I9 {id} undoes {step:?}; the last one done is {next:?}")
                })?;
                ensure(run.compensating, || format!("I9 {id} undoes {step:?} without a reason"))?;
                let it = &mut run.steps[step.index()];
                (it.undo_asked, it.state) = (true, Some(StepState::Undoing));
            }
            UndoEvent::Done { .. } => {
                let it = &mut run.steps[step.index()];
                (it.state, it.stuck) = (Some(StepState::Undone), false);
            }
            UndoEvent::Stuck { .. } => run.steps[step.index()].stuck = true,
            UndoEvent::Again { .. } => run.steps[step.index()].stuck = false,
        }
        Ok(())
    }

    fn gate(
        &mut self,
        id: RunId,
        step: StepIx,
        gate: GateId,
        event: &GateEvent,
        at: Timestamp,
    ) -> Result<(), Broken> {
        if let GateEvent::Asked { ask, hash, .. } = event {
            let (editors, escalated) = if let Some(old) = self.gates.get(&gate) {
                let it = self.runs.get_mut(&id).map(|it| &mut it.steps[step.index()]);
                let again = it.is_some_and(|it| std::mem::take(&mut it.reopened));
                ensure(old.open || again, || format!("I4 {gate} is asked again after it was closed"))?;
                ensure(ask.epoch > old.ask.epoch, || {
                    format!("I13 {gate} goes from epoch {} to {}", old.ask.epoch, ask.epoch)
                })?;
                (old.editors.clone(), old.escalated.clone())
            } else {
                ensure(ask.epoch == Epoch(1), || format!("I13 {gate} begins at epoch {}", ask.epoch))?;
                (BTreeSet::new(), None)
            };
            let made = Gate {
                ask: (**ask).clone(),
                hash: *hash,
                open: true,
                armed: false,
                agreed: false,
                votes: Vec::new(),
                editors,
                escalated,
            };
            self.gates.insert(gate, made);
            return Ok(());
        }
        // Steps are only ever added: what the author wrote stands where it stood.
        let written = self.runs.get(&id).and_then(|it| it.plan.steps.get(step.index())).map(|it| &it.work);
        let it = self.gates.get_mut(&gate).ok_or("I4 a gate that was never asked")?;
        let late = it.ask.expires_at.is_some_and(|end| end <= at) && !it.armed;
        match event {
            GateEvent::Voted(vote) => {
                ensure(it.open, || format!("I4 a vote at {gate}, which is closed"))?;
                ensure(vote.ask == it.hash, || format!("I4 a vote at {gate} for another ask"))?;
                ensure(!late, || format!("I4 a vote at {gate} after its time"))?;
                let (who, seen, said_at) =
                    self.people.get(&vote.decision).ok_or("I4 a vote that nobody gave")?;
                ensure(self.counted.insert(vote.decision.clone()), || {
                    format!("I8 {who}'s decision at {gate} is recorded twice")
                })?;
                ensure(*seen == vote.ask, || format!("I4 {who} saw another ask of {gate}"))?;
                ensure(it.armed || it.ask.expires_at.is_none_or(|end| *said_at < end), || {
                    format!("I4 {who} voted too late at {gate}")
                })?;
                ensure(it.votes.iter().all(|it| it.name != *who), || {
                    format!("I5 {who} voted twice at {gate}")
                })?;
                ensure(!it.editors.contains(who), || format!("I5 {who} edited and voted at {gate}"))?;
                let excluded = it.ask.excluded.iter().any(|(principal, _)| *principal == vote.by.principal());
                let four_eyes = matches!(written, Some(Work::Gate(rule)) if !rule.forbid.is_empty());
                ensure(!(excluded || four_eyes && *who == it.ask.requester), || {
                    format!("I5 {who} asked for it and voted at {gate}")
                })?;
                if vote.verdict == Verdict::Approve {
                    it.votes.push(vote.by.clone());
                }
            }
            GateEvent::Withdrawn { by } => {
                it.votes.retain(|it| it.principal() != by.principal());
                (it.armed, it.agreed) = (false, false);
            }
            GateEvent::Edited { by, .. } => drop(it.editors.insert(by.name.clone())),
            GateEvent::Escalated { group } => it.escalated = Some(group.clone()),
            GateEvent::Armed { .. } => it.armed = true,
            GateEvent::Agreed { .. } => it.agreed = true,
            GateEvent::Resolved { state, by, .. } => {
                ensure(it.open, || format!("I4 {gate} is resolved a second time"))?;
                it.open = false;
                if *state == GateState::Approved && by == "people" {
                    ensure(it.is_enough(), || format!("I5 {gate} is approved by {} people", it.votes.len()))?;
                }
                let looks = self.runs.get(&id).is_some_and(|it| it.steps[step.index()].looks);
                let looked = it.agreed || !looks || *state != GateState::Approved || by == "policy:auto";
                ensure(looked, || format!("I4 {gate} is approved and nobody looked at its files again"))?;
                let auto =
                    by != "policy:auto" || matches!(written, Some(Work::Gate(rule)) if rule.auto.is_some());
                ensure(auto, || format!("I4 {gate} is approved by a policy nobody wrote"))?;
            }
            GateEvent::Asked { .. }
            | GateEvent::Refused { .. }
            | GateEvent::Commented { .. }
            | GateEvent::Delegated { .. }
            | GateEvent::GlassBroken(_)
            | GateEvent::GlassReviewed { .. }
            | GateEvent::Reminded { .. } => {}
        }
        Ok(())
    }

    /// After a batch: nothing that could go on is left standing, limits are kept (I11, I12).
    pub(crate) fn nothing_is_forgotten(&self) -> Result<(), Broken> {
        self.runs.iter().try_for_each(|(id, run)| run.nothing_is_forgotten(*id))
    }

    /// Open gates with their ask.
    pub(crate) fn open_gates(&self) -> Vec<(GateId, Ask, Digest)> {
        let open = self.gates.iter().filter(|(_, it)| it.open);
        open.map(|(id, it)| (*id, it.ask.clone(), it.hash)).collect()
    }

    /// Runs that have not come to rest, and whether each is paused.
    pub(crate) fn open_runs(&self) -> Vec<(RunId, bool)> {
        self.runs.iter().filter(|(_, it)| !it.state.rests()).map(|(id, it)| (*id, it.paused)).collect()
    }

    pub(crate) fn runs(&self) -> Vec<(RunId, bool)> {
        self.runs.iter().map(|(id, it)| (*id, it.state.rests())).collect()
    }

    /// Steps that may have happened, and undos that are stuck.
    pub(crate) fn for_people(&self) -> (Vec<At>, Vec<At>) {
        let (mut doubts, mut stuck) = (Vec::new(), Vec::new());
        for (id, run) in &self.runs {
            for (index, it) in run.steps.iter().enumerate() {
                let at = (*id, StepIx::from_index(index));
                if it.state() == StepState::InDoubt {
                    doubts.push(at);
                }
                if it.stuck {
                    stuck.push(at);
                }
            }
        }
        (doubts, stuck)
    }

    /// I15: what people see is what happened, counted from scratch.
    pub(crate) fn board_agrees(&self, board: &Board) -> Result<(), Broken> {
        ensure(board.health().0 <= 100, || format!("I15 a health of {}", board.health()))?;
        for (key, (value, version, _)) in &self.values {
            let name = (Scope::Global, String::new(), key.clone());
            let shown =
                board.values(Timestamp(0)).find(|it| *it.0 == name).map(|it| (&it.1.value, it.1.version));
            ensure(shown == Some((value, *version)), || {
                format!("I15 {key} is {value} {version} and shown as {shown:?}")
            })?;
        }
        for (id, run) in &self.runs {
            let view = board.run(*id).ok_or_else(|| format!("I15 {id} is not on the board"))?;
            let shown = &view.summary;
            ensure(shown.health().0 <= 100, || format!("I15 {id} has a health of {}", shown.health()))?;
            let (told, used) = ([shown.spent.calls, shown.spent.tokens], run.purses[&None].used);
            ensure(told == used, || format!("I15 {id} shows {told:?} calls and tokens, and used {used:?}"))?;
            ensure(shown.state == run.state || run.paused, || {
                format!("I15 {id} is {} and shown as {}", run.state, shown.state)
            })?;
            let mut counts: BTreeMap<StepState, u32> = BTreeMap::new();
            for (index, plan, step) in view.steps() {
                let state = run.steps.get(index.index()).map(Step::state);
                ensure(state == Some(step.state), || {
                    format!("I15 {id} {} is {state:?} and shown as {}", plan.id, step.state)
                })?;
                if !run.plan.steps.iter().any(|it| it.frame == Some(index)) {
                    *counts.entry(step.state).or_default() += 1;
                }
            }
            let present: BTreeMap<StepState, u32> = shown.counts.present().collect();
            ensure(present == counts, || format!("I15 {id} shows {present:?} and has {counts:?}"))?;
            let open = self.gates.values().filter(|it| it.open && it.ask.run == *id).count();
            ensure(shown.open_gates as usize == open, || {
                format!("I15 {id} shows {} open gates and has {open}", shown.open_gates)
            })?;
        }
        Ok(())
    }

    /// Steps in this run.
    pub(crate) fn steps(&self, run: RunId) -> usize {
        self.runs[&run].steps.len()
    }

    /// Calls in flight, as the journal has it.
    pub(crate) fn flying(&self) -> Vec<AttemptId> {
        let mut out = Vec::new();
        for (run, it) in &self.runs {
            for (index, step) in it.steps.iter().enumerate() {
                if let Some((number, _)) = step.flying {
                    out.push(AttemptId { run: *run, step: StepIx::from_index(index), number });
                }
            }
        }
        out
    }

    /// How everything stands, for a report.
    pub(crate) fn standing(&self) -> String {
        let run = |(id, it): (&RunId, &Run)| {
            let steps: Vec<String> = it
                .steps
                .iter()
                .zip(&it.plan.steps)
                .map(|(step, plan)| format!("{} {}", plan.id, step.state()))
                .collect();
            format!("{id} {}{}: {}", it.state, if it.paused { " (paused)" } else { "" }, steps.join(", "))
        };
        self.runs.iter().map(run).collect::<Vec<_>>().join("\n")
    }
}

impl Gate {
    /// Whether the people who agreed fill every place; tried in every order.
    fn is_enough(&self) -> bool {
        let mut names = BTreeSet::new();
        if !self.votes.iter().all(|it| names.insert(it.principal())) {
            return false;
        }
        let in_group = |it: &Actor, group: &str| it.groups.iter().any(|has| has == group);
        if let Some(group) = self.escalated.as_deref().and_then(|it| it.strip_prefix("group:"))
            && self.votes.iter().any(|it| in_group(it, group))
        {
            return true;
        }
        let places: Vec<Option<&str>> =
            self.ask.require.iter().flat_map(|it| (0..it.count).map(|_| it.group.as_deref())).collect();
        fill(&places, &self.votes.iter().collect::<Vec<_>>())
    }
}

impl Run {
    /// Whether a step rests, and lets go what needs it: one that was skipped early does when what it needs has come to rest.
    fn lets_go(&self, step: StepIx) -> bool {
        let it = &self.steps[step.index()];
        it.state().rests() && !it.early
    }

    fn needs_rest(&self, step: StepIx) -> bool {
        let held = self.steps[step.index()].held.iter();
        self.plan.steps[step.index()].needs.iter().chain(held).all(|it| self.lets_go(*it))
            && self.plan.steps[step.index()].frame.is_none_or(|it| self.has_opened(it))
    }

    fn has_opened(&self, frame: StepIx) -> bool {
        self.steps[frame.index()].state() == StepState::Running
    }

    /// What was skipped early and has nothing more to wait for.
    fn let_go(&mut self) {
        while let Some(at) =
            (0..self.steps.len()).find(|it| self.steps[*it].early && self.needs_rest(StepIx::from_index(*it)))
        {
            self.steps[at].early = false;
        }
    }

    fn asks_for_failures(&self, mut step: StepIx) -> bool {
        loop {
            let plan = &self.plan.steps[step.index()];
            let named = |it: &String| ["always", "failure", "cancelled"].iter().any(|word| it.contains(word));
            if plan.condition.as_ref().is_some_and(named) {
                return true;
            }
            match plan.frame {
                Some(frame) => step = frame,
                None => return false,
            }
        }
    }

    /// Whether the first call of a step may be made at all.
    fn may_start(&self, step: StepIx) -> Result<(), Broken> {
        let plan = &self.plan.steps[step.index()];
        let rests = |it: &StepIx| self.lets_go(*it);
        ensure(self.state == RunState::Running, || {
            format!("I4 a step starts in a run that is {}", self.state)
        })?;
        ensure(!self.paused, || "I11 a step starts in a pause".to_owned())?;
        let held = self.steps[step.index()].held.iter();
        ensure(plan.needs.iter().chain(held).all(rests), || {
            "I4 a step starts before its needs rest".to_owned()
        })?;
        let open = |it: StepIx| self.steps[it.index()].state() == StepState::Running;
        ensure(plan.frame.is_none_or(open), || "I4 a step starts in a frame that is closed".to_owned())?;
        ensure(!self.ending || self.asks_for_failures(step), || {
            "I4 a step starts in a run that is ending".to_owned()
        })
    }

    /// One more call, of the run and of the step: there must have been room for it, and for what it is thought to need.
    fn pay(&mut self, id: AttemptId, needs: u64) -> Result<(), Broken> {
        for whose in [None, Some(id.step)] {
            let Some(purse) = self.purse(whose) else { continue };
            for (at, more) in [1, needs].into_iter().enumerate() {
                let full = purse.most[at].is_some_and(|most| {
                    purse.used[at] + more > most || purse.used[at] > 0 && purse.used[at] >= most
                });
                ensure(purse.warns || !full, || {
                    format!("I10 {id} needs {more}, {:?} of {:?} are used", purse.used, purse.most)
                })?;
                purse.used[at] += more;
            }
        }
        Ok(())
    }

    /// That of the run, or the step's own where it has a budget.
    fn purse(&mut self, whose: Option<StepIx>) -> Option<&mut Purse> {
        let own = whose.and_then(|it| self.plan.steps[it.index()].budget.as_ref());
        if let Some(own) = own {
            self.purses.entry(whose).or_insert_with(|| Purse::of(Some(own)));
        }
        self.purses.get_mut(&whose)
    }

    fn correct(&mut self, step: StepIx, thought: u64, said: u64) {
        for whose in [None, Some(step)] {
            let Some(purse) = self.purses.get_mut(&whose) else { continue };
            purse.used[1] = purse.used[1] - thought + said;
        }
    }

    /// Slots and places.
    fn within_limits(&self, id: AttemptId) -> Result<(), Broken> {
        ensure(self.running() <= self.slots(), || {
            format!("I12 {id} is one of {} calls at once", self.running())
        })?;
        let Some(frame) = self.plan.steps[id.step.index()].frame else { return Ok(()) };
        ensure(self.has_place_after(frame, 0), || format!("I12 {id} is one too many in its frame"))
    }

    fn slots(&self) -> usize {
        if self.plan.max_parallel == 0 { 16 } else { self.plan.max_parallel as usize }
    }

    fn running(&self) -> usize {
        let is_call = |it: &PlanStep| matches!(it.work, Work::Run { .. });
        self.steps
            .iter()
            .zip(&self.plan.steps)
            .filter(|(it, plan)| it.state() == StepState::Running && is_call(plan))
            .count()
    }

    fn has_place_after(&self, frame: StepIx, more: usize) -> bool {
        let Work::Frame(rule) = &self.plan.steps[frame.index()].work else { return true };
        let inside = self.steps.iter().zip(&self.plan.steps).filter(|(it, plan)| {
            plan.frame == Some(frame)
                && it.state() == StepState::Running
                && matches!(plan.work, Work::Run { .. } | Work::Frame(_))
        });
        rule.max_parallel == 0 || inside.count() + more <= rule.max_parallel as usize
    }

    fn nothing_is_forgotten(&self, id: RunId) -> Result<(), Broken> {
        if self.state != RunState::Running {
            return Ok(());
        }
        for (index, (it, plan)) in self.steps.iter().zip(&self.plan.steps).enumerate() {
            let open = plan.frame.is_none_or(|it| self.steps[it.index()].state() == StepState::Running);
            let free = open && plan.needs.iter().chain(&it.held).all(|it| self.lets_go(*it));
            ensure(it.state() != StepState::Pending || !free, || {
                format!("I11 {id} {} is left pending", plan.id)
            })?;
            let is_call = matches!(plan.work, Work::Run { .. });
            let roomy = (!is_call || self.running() < self.slots())
                && plan.frame.is_none_or(|it| self.has_place_after(it, 1));
            ensure(it.state() != StepState::Ready || self.paused || !roomy, || {
                format!("I11 {id} {} is ready and there is room", plan.id)
            })?;
            let idle = it.state() == StepState::Running && is_call && it.flying.is_none();
            ensure(!idle, || format!("I11 {id} {} runs and nothing is in flight", plan.id))?;
            let is_matrix =
                matches!(&plan.work, Work::Frame(it) if !matches!(it.kind, FrameKind::Workflow { .. }));
            let children = || {
                self.steps
                    .iter()
                    .zip(&self.plan.steps)
                    .filter(|(_, it)| it.frame == Some(StepIx::from_index(index)))
            };
            let over = it.state() == StepState::Running
                && matches!(plan.work, Work::Frame(_))
                && children().all(|(it, _)| it.state().rests());
            ensure(!over, || {
                format!("I11 {id} {} is open and all in it rests (matrix: {is_matrix})", plan.id)
            })?;
        }
        Ok(())
    }
}

/// Whether people can be set on the places so that each fits; tried in every order.
fn fill(places: &[Option<&str>], people: &[&Actor]) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    (0..people.len()).any(|at| {
        let fits = first.is_none_or(|group| people[at].groups.iter().any(|has| has == group));
        let mut others = people.to_vec();
        others.remove(at);
        fits && fill(rest, &others)
    })
}

//! Invariants (`reliability.md` 6.3), computed from the journal and from the world outside, in another way
//! than the engine computes them. They use the plan that the author wrote.

use crate::targets::{Kept, Target};
use cuelight_base::{
    Actor, AttemptId, DecisionId, Digest, Epoch, GateId, RunId, Span, StepIx, Timestamp, Value, ValueMap,
};
use cuelight_engine::{
    Ask, AttemptEvent, CauseOfLaunch, DoubtAnswer, Event, Fact, GateEvent, GateState, OVERRIDE, Purpose,
    RunEvent, RunState, ScopeEvent, StepEvent, StepState, UndoEvent, Verdict, Vote, wants_review,
};
use cuelight_exchange::{AgentEvent, BusEvent};
use cuelight_plan::{
    Budget, Currency, EffectClass, FrameKind, OnExceed, Plan, PlanStep, Route, Scope, Undo, Work,
};
use cuelight_projection::Board;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Time for which an id names the message sent under it.
const A_DAY: Span = Span::seconds(24 * 3600);

/// The state of a step, from the journal alone.
#[derive(Clone, Default)]
pub(crate) struct Step {
    state: Option<StepState>,
    flying: Option<(u32, Purpose)>,
    /// A call was lost, and nobody said since that it did not happen.
    unknown: bool,
    /// It was done before it began anew, and has not been done again.
    did: bool,
    calls: u32,
    released: Vec<Digest>,
    /// The tool that was chosen, of several.
    chosen: Option<String>,
    released_fallbacks: Vec<(u32, Digest)>,
    /// Gates that it waits for once more.
    held: Vec<StepIx>,
    /// Skipped while something it needs had not come to rest.
    early: bool,
    /// It has files that people are shown.
    looks: bool,
    /// A gate that people have answered once; what had begun by then goes on when it asks again.
    answered: bool,
    /// A gate that was closed has to ask again.
    reopened: bool,
    /// Its result was taken over.
    kept: bool,
    undo_asked: bool,
    stuck: bool,
    /// Its call is being ended.
    is_ending: bool,
    /// Its undo was stuck and is tried again.
    again: bool,
    /// Under which key its result is to be kept: what that was when its call began.
    pub(crate) key: Option<String>,
}

impl Step {
    /// As if it had never run; what it has done, or may have, stays so.
    fn begin_anew(&mut self, is_owed: bool) {
        let is_done = matches!(self.state(), StepState::Completed | StepState::Partial);
        let did = self.did || is_owed && is_done;
        *self = Self { state: Some(StepState::Pending), unknown: self.unknown, did, ..Self::default() };
    }

    /// I25: one of the candidates, all others named, and why.
    fn choose(&mut self, event: &StepEvent, route: Option<&Route>) -> Result<(), String> {
        let (StepEvent::Routed { choice }, Some(route)) = (event, route) else { return Ok(()) };
        if choice.policy == "fallback" {
            return Ok(());
        }
        let known = route.candidates.contains(&choice.chosen);
        let all = choice.alternatives.len() + 1 == route.candidates.len();
        self.chosen = Some(choice.chosen.clone());
        if known && all && !choice.reason.is_empty() { Ok(()) } else { Err(format!("chooses {choice:?}")) }
    }

    fn state(&self) -> StepState {
        self.state.unwrap_or(StepState::Pending)
    }
}

pub(crate) struct Run {
    pub(crate) plan: Arc<Plan>,
    pub(crate) steps: Vec<Step>,
    state: RunState,
    paused: bool,
    ending: bool,
    compensating: bool,
    done: Vec<StepIx>,
    /// Used so far, and what may be: of the run, and of each step that has a budget of its own.
    purses: BTreeMap<Option<StepIx>, Purse>,
    /// Estimated tokens of calls in flight.
    thought: BTreeMap<StepIx, u64>,
    /// The run whose results it took over, and the last event of that which counted.
    parent: Option<(RunId, Option<u64>)>,
    /// True if another run has to undo the results that this one took over.
    is_fork: bool,
    /// Steps it began with.
    planned: usize,
    /// True if gates ask again before the remaining steps.
    asks: bool,
    /// True until `nothing_leads_around_a_gate` has checked the plan that the engine has made, which happens
    /// once.
    is_derived: bool,
    /// By step, what it yielded, and when.
    results: BTreeMap<String, Vec<(u64, ValueMap)>>,
    /// Steps that a gate was sent back over, and that have not begun anew.
    sent_back: BTreeSet<StepIx>,
}

/// Calls and tokens: used, and allowed.
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
            most: budget.map(|budget| [budget.calls, budget.tokens]).unwrap_or_default(),
            warns: budget.is_none_or(|budget| budget.on_exceed == OnExceed::Warn),
        }
    }
}

#[derive(Clone)]
struct Gate {
    ask: Ask,
    hash: Digest,
    open: bool,
    armed: bool,
    agreed: bool,
    /// Somebody approved it alone.
    broken: bool,
    /// Name of the person who overrode it.
    overridden: Option<String>,
    /// Hash of the ask before this one.
    before: Option<Digest>,
    /// The person who closed it alone or overrode it, and thus may not review it.
    alone: String,
    /// The people for whom that person had answered.
    alone_for: Vec<String>,
    approved: bool,
    votes: Vec<Actor>,
    editors: BTreeSet<String>,
    escalated: Option<String>,
    /// Delegated answers: from, to, and until when.
    handed_on: Vec<(String, String, Timestamp)>,
    /// Counted answers: the person, and the one who gave it.
    answered: Vec<(String, String)>,
}

/// Everything that is watched, over all runs of one history.
#[derive(Default)]
pub(crate) struct Checks {
    /// The plans as their authors wrote them, by trace, where that is not what the engine was given.
    pub(crate) given: BTreeMap<String, Arc<Plan>>,
    /// The real sender of a decision, the ask that they saw, and the time.
    pub(crate) people: BTreeMap<DecisionId, (String, Digest, Timestamp)>,
    /// Doubts that a person really answered so.
    pub(crate) doubts: BTreeSet<(RunId, StepIx)>,
    /// Answers that the world really gave.
    pub(crate) answers: BTreeSet<(AttemptId, Option<i32>)>,
    pub(crate) runs: BTreeMap<RunId, Run>,
    /// Requests that runs were made for.
    requests: BTreeSet<Digest>,
    gates: BTreeMap<GateId, Gate>,
    /// Emergency approvals that nobody has reviewed since: each gate as it was then.
    owed: BTreeMap<(GateId, Epoch), Gate>,
    /// Values of the workspace: each with how often it was changed, and until when it stands.
    values: BTreeMap<String, (Value, u64, Option<Timestamp>)>,
    /// Tools that were called, and by which steps they are now.
    pub(crate) targets: BTreeMap<String, Target>,
    pub(crate) calls: BTreeMap<At, String>,
    /// Results that may stand for a step.
    pub(crate) cache: BTreeMap<Digest, Kept>,
    /// When something was said under an id of its sender's own, by that id.
    said: BTreeMap<String, Timestamp>,
    /// Decisions that were counted.
    counted: BTreeSet<DecisionId>,
    /// Events that were seen.
    seen: u64,
}

/// A step of a run.
pub(crate) type At = (RunId, StepIx);

/// An invariant that does not hold, and how.
pub(crate) type Broken = String;

pub(crate) fn ensure(holds: bool, say: impl FnOnce() -> Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(say()) }
}

impl Checks {
    /// One event that has just become durable.
    pub(crate) fn see(&mut self, event: &Event, clock: Timestamp) -> Result<(), Broken> {
        ensure(event.at <= clock, || format!("I0 an event of {} at {clock}", event.at))?;
        self.seen += 1;
        match &event.fact {
            Fact::Run(id, event) => self.run(*id, event),
            Fact::Step(id, step, event) => {
                self.routed(*id, *step, event)?;
                self.step(*id, *step, event)
            }
            Fact::Attempt(id, step, number, attempt_event) => {
                self.called((*id, *step), attempt_event, event.at)?;
                self.attempt(AttemptId { run: *id, step: *step, number: *number }, attempt_event)
            }
            Fact::Target(name, target_event) => self.target(name, target_event, event.at),
            Fact::Cache(cache_event) => self.cached(cache_event, event.at),
            Fact::Gate(id, step, gate, gate_event) => self.gate(*id, *step, *gate, gate_event, event.at),
            Fact::Undo(id, step, event) => self.undo(*id, *step, event),
            Fact::Scope(_, scope_event) => {
                self.scope(scope_event, event.at);
                Ok(())
            }
            // What comes of it is told by whoever has it.
            Fact::Agent(AgentEvent::Leased { lease }) => {
                self.answers.insert((lease.attempt, None));
                Ok(())
            }
            Fact::Bus(bus_event) => self.once_a_day(bus_event, event.at),
            Fact::Failure(..)
            | Fact::Schedule(..)
            | Fact::Token(..)
            | Fact::Library(..)
            | Fact::People(..)
            | Fact::Agent(..)
            | Fact::Recovered { .. } => Ok(()),
        }
    }

    /// I35: what somebody says again under an id of their own within a day is not said again.
    fn once_a_day(&mut self, event: &BusEvent, at: Timestamp) -> Result<(), Broken> {
        let BusEvent::Said { message, .. } = event else { return Ok(()) };
        if message.named_by_engine {
            return Ok(());
        }
        let before = self.said.insert(message.id.clone(), at);
        ensure(before.is_none_or(|before| at.since(before) > A_DAY), || {
            format!("I35 something is said under {} twice in a day", message.id)
        })
    }

    fn scope(&mut self, event: &ScopeEvent, at: Timestamp) {
        let (key, value, until) = match event {
            ScopeEvent::Set { scope: Scope::Global, key, value, expires_at, .. } => {
                (key, value.clone(), *expires_at)
            }
            ScopeEvent::Removed { key, .. } => (key, Value::Null, Some(at)),
            ScopeEvent::Set { .. } => return,
        };
        let version = self.values.get(key).map_or(0, |value| value.1) + 1;
        self.values.insert(key.clone(), (value, version, until));
    }

    /// A value of the workspace, and how often it was changed.
    pub(crate) fn shared(&self, key: &str, now: Timestamp) -> Option<(&Value, u64)> {
        let (value, version, until) = self.values.get(key)?;
        until.is_none_or(|until| until > now).then_some((value, *version))
    }

    fn run(&mut self, id: RunId, event: &RunEvent) -> Result<(), Broken> {
        if let RunEvent::Created { plan, trace, cause, request, .. } = event {
            let is_first = request.is_none_or(|request| self.requests.insert(request));
            ensure(is_first, || format!("I29 {id} is the second run of one request"))?;
            let as_made = !self.given.contains_key(trace);
            let plan = self.given.get(trace).unwrap_or(plan).clone();
            let asks = matches!(cause, CauseOfLaunch::Fork { .. }) || cause.corrected().is_some();
            let steps = vec![Step::default(); plan.steps.len()];
            let planned = plan.steps.len();
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
                    parent: match cause {
                        CauseOfLaunch::Retry { of, .. } => Some((*of, None)),
                        CauseOfLaunch::Fork { of, at, .. } => Some((*of, Some(at.0))),
                        CauseOfLaunch::Asked | CauseOfLaunch::Schedule(_) => None,
                    },
                    planned,
                    is_fork: matches!(cause, CauseOfLaunch::Fork { .. }),
                    asks,
                    is_derived: asks && as_made,
                    results: BTreeMap::new(),
                    sent_back: BTreeSet::new(),
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
                let open = run.steps.iter().position(|step| !step.state().rests());
                ensure(open.is_none(), || format!("I7 {id} ended with step {open:?} open"))?;
                let flying = run.steps.iter().position(|step| step.flying.is_some());
                ensure(flying.is_none(), || format!("I7 {id} ended with a call of {flying:?} in flight"))?;
                let left = run.left_to_undo();
                ensure(*state != RunState::Undone || left.is_empty(), || {
                    format!("I9 {id} is undone, and {left:?} are not")
                })?;
                run.state = *state;
            }
            RunEvent::Created { .. } | RunEvent::BudgetWarned { .. } => {}
        }
        Ok(())
    }

    /// I22: what is kept was there, at that time, and is what it was.
    fn is_taken_over(&self, id: RunId, step: StepIx, outputs: &ValueMap) -> Result<(), Broken> {
        let run = &self.runs[&id];
        let name = &run.plan.steps[step.index()].id;
        let (of, until) = run.parent.ok_or_else(|| format!("I22 {id} keeps {name} of no other run"))?;
        let known = self.runs[&of].results.get(name);
        let same = |pair: &(u64, ValueMap)| until.is_none_or(|until| pair.0 <= until) && pair.1 == *outputs;
        ensure(known.is_some_and(|result| result.iter().any(same)), || {
            format!("I22 {id} keeps a result of {name} that {of} did not have by then")
        })
    }

    /// I22: a result that a step did not bring about itself.
    fn stands_for_it(&self, id: RunId, step: StepIx, event: &StepEvent) -> Result<(), Broken> {
        match event {
            StepEvent::Completed { kept: true, outputs, cached: Some(from), origin, .. } => {
                let of = origin.as_ref().map(|origin| origin.run).ok_or("I22 a cached result of no run")?;
                let known = self.runs.get(&of).and_then(|run| run.results.get(&from.step));
                ensure(known.is_some_and(|result| result.iter().any(|pair| pair.1 == *outputs)), || {
                    format!("I22 {id} {step:?} has a result of {} that {of} never had", from.step)
                })?;
            }
            StepEvent::Completed { kept: true, outputs, .. } => self.is_taken_over(id, step, outputs)?,
            _ => {}
        }
        Ok(())
    }

    /// I5: who does not count at a gate does not say either what became of what came after it.
    fn may_vouch(&self, id: RunId, step: StepIx, by: &Actor) -> Result<(), Broken> {
        let run = &self.runs[&id];
        let out = |gate: &&Gate| {
            gate.editors.contains(&by.name) || gate.ask.requester == by.name && !gate.ask.excluded.is_empty()
        };
        // One that was sent back asks again as another gate.
        let last: BTreeMap<&str, &Gate> = self
            .gates
            .values()
            .filter(|gate| gate.ask.run == id)
            .map(|gate| (gate.ask.step.as_str(), gate))
            .collect();
        for (at, plan) in run.plan.steps.iter().enumerate() {
            let at = StepIx::from_index(at);
            let is_out = matches!(plan.work, Work::Gate(_)) && last.get(&*plan.id).is_some_and(out);
            let before = is_out && at != step && run.comes_after(at).contains(&step);
            ensure(!before, || format!("I5 {} vouches for {id} {step:?} behind {}", by.name, plan.id))?;
        }
        Ok(())
    }

    /// I23, after a batch: everything that a gate was sent back over begins anew.
    pub(crate) fn all_is_sent_back(&self) -> Result<(), Broken> {
        self.runs.iter().try_for_each(|(id, run)| {
            ensure(run.sent_back.is_empty(), || {
                format!("I23 {id} was sent back, and {:?} stand as they were", run.sent_back)
            })
        })
    }

    /// I21, after a batch: what is still to be done in a run that has taken results over waits by itself for the gates behind them that
    /// ask again, whether or not chance lets it begin before they are answered.
    pub(crate) fn nothing_leads_around_a_gate(&mut self) -> Result<(), Broken> {
        for (id, run) in &mut self.runs {
            if !run.is_derived || run.state == RunState::Created {
                continue;
            }
            run.is_derived = false;
            for step in (0..run.plan.steps.len()).map(StepIx::from_index) {
                let gate = run.left_out(step);
                ensure(gate.is_none(), || {
                    format!("I21 {id} {step:?} does not wait for {gate:?}, which asks again")
                })?;
            }
        }
        Ok(())
    }

    fn step(&mut self, id: RunId, step: StepIx, event: &StepEvent) -> Result<(), Broken> {
        self.stands_for_it(id, step, event)?;
        if let StepEvent::DoneByHand { by, .. } | StepEvent::DoubtAnswered { by, .. } = event {
            self.may_vouch(id, step, by)?;
        }
        let seen = self.seen;
        let run = self.runs.get_mut(&id).ok_or("I6 a run that was never created")?;
        if let StepEvent::Opened { copies, .. } | StepEvent::Grown { copies, .. } = event {
            run.add(copies);
        }
        if let StepEvent::DoubtAnswered { answer: DoubtAnswer::NotHappened, .. } = event {
            let said = self.doubts.contains(&(id, step));
            ensure(said, || format!("I2 nobody said that {id} {step:?} did not happen"))?;
            run.steps[step.index()].unknown = false;
        }
        let gated = matches!(run.plan.steps[step.index()].work, Work::Gate(_));
        if let StepEvent::Completed { released, released_fallbacks, kept: false, .. } = event {
            ensure(
                !gated
                    || self
                        .gates
                        .values()
                        .any(|gate| gate.ask.step == run.plan.steps[step.index()].id && !gate.open),
                || format!("I4 {id} {step:?} completed with its gate open"),
            )?;
            run.release(released);
            for (covered, which, hash) in released_fallbacks {
                run.steps[covered.index()].released_fallbacks.push((*which, *hash));
            }
        }
        if let StepEvent::Completed { outputs, .. } | StepEvent::DoneByHand { outputs, .. } = event {
            let name = run.plan.steps[step.index()].id.clone();
            run.results.entry(name).or_default().push((seen, outputs.clone()));
        }
        if matches!(event, StepEvent::SentBack) {
            run.begin_anew(step);
            return Ok(());
        }
        let is_kept = matches!(event, StepEvent::Completed { kept: true, .. });
        let route = run.plan.steps[step.index()].work.route().cloned();
        let this_step = &mut run.steps[step.index()];
        this_step.choose(event, route.as_ref()).map_err(|error| format!("I25 {id} {step:?} {error}"))?;
        this_step.kept |= is_kept;
        // What is done in place of a workflow goes on from there.
        this_step.calls += u32::from(matches!(event, StepEvent::Opened { .. }));
        let before = this_step.state();
        let state = match event {
            StepEvent::Ready => StepState::Ready,
            StepEvent::Routed { .. } => before,
            StepEvent::Waiting { .. } | StepEvent::FactsAsked { .. } => StepState::Waiting,
            StepEvent::FactsKnown { .. } => StepState::Pending,
            StepEvent::Opened { .. } | StepEvent::Grown { .. } => StepState::Running,
            StepEvent::Completed { partial: true, .. } => StepState::Partial,
            StepEvent::Completed { .. } | StepEvent::DoneByHand { .. } => StepState::Completed,
            StepEvent::Failed { .. } => StepState::Failed,
            StepEvent::SentBack | StepEvent::Reopened { .. } => StepState::Pending,
            StepEvent::Rejected { .. } => StepState::Rejected,
            StepEvent::Skipped { .. } => StepState::Skipped,
            StepEvent::Cancelled { .. } => StepState::Cancelled,
            StepEvent::Ending { .. } => StepState::Running,
            StepEvent::InDoubt { .. } | StepEvent::DoubtAnswered { .. } => StepState::InDoubt,
        };
        let again = matches!(event, StepEvent::DoneByHand { .. } | StepEvent::Reopened { .. });
        ensure(!before.rests() || again, || format!("I6 {id} {step:?} was {before} and became {state}"))?;
        this_step.state = Some(state);
        this_step.answered |= gated && state.rests();
        match event {
            StepEvent::FactsKnown { facts } => {
                this_step.looks = !facts.files.is_empty() || !facts.hashes.is_empty();
            }
            StepEvent::Reopened { gates, .. } => {
                (this_step.flying, this_step.calls) = (None, 0);
                this_step.released.clear();
                this_step.released_fallbacks.clear();
                (this_step.held, this_step.reopened, this_step.looks) =
                    (gates.clone(), gates.is_empty(), false);
                if !this_step.did {
                    run.done.retain(|index| *index != step);
                }
            }
            _ => {}
        }
        if state == StepState::Skipped {
            run.steps[step.index()].early = !run.needs_rest(step);
        }
        run.let_go();
        let this_step = &mut run.steps[step.index()];
        ensure(!state.rests() || this_step.flying.is_none(), || {
            format!("I4 {id} {step:?} is {state} and {:?} is still in flight", this_step.flying)
        })?;
        this_step.is_ending = matches!(event, StepEvent::Ending { .. });
        let has_failed = matches!(state, StepState::Failed | StepState::Cancelled | StepState::Skipped);
        let is_done = matches!(state, StepState::Completed | StepState::Partial);
        (this_step.unknown, this_step.did) = (this_step.unknown && !is_done, this_step.did && !is_done);
        let may_have = has_failed && !this_step.did && (this_step.unknown || run.has_called(step));
        let is_cached = matches!(event, StepEvent::Completed { cached: Some(_), .. });
        let is_own = !(is_cached || is_kept && run.is_fork);
        if is_own && is_done || may_have {
            run.done.retain(|index| *index != step);
            run.done.push(step);
        }
        Ok(())
    }

    fn attempt(&mut self, id: AttemptId, event: &AttemptEvent) -> Result<(), Broken> {
        let run = self.runs.get_mut(&id.run).ok_or("I6 a run that was never created")?;
        let may_start = run.may_start(id.step);
        let (unanswered, refused) = (run.unanswered(id.step), run.refused(id.step));
        let unapproved = run.guarded_by(id.step).into_iter().find(|gate| {
            let asked =
                self.gates.values().rfind(|other| other.ask.run == id.run && other.ask.step == **gate);
            asked.is_some_and(|gate| !gate.approved)
        });
        let step = &mut run.steps[id.step.index()];
        match event {
            AttemptEvent::Started { purpose, launch, launch_hash, class, charge, .. } => {
                let called = launch.tool.as_ref().map(|tool| tool.id());
                let is_chosen = *purpose != Purpose::Step || step.chosen.is_none() || step.chosen == called;
                ensure(is_chosen, || format!("I25 {id} calls {called:?}, and {:?} was chosen", step.chosen))?;
                ensure(step.flying.is_none(), || {
                    format!("I12 {id} started while {:?} was in flight", step.flying)
                })?;
                step.flying = Some((id.number, *purpose));
                match purpose {
                    Purpose::Undo => {
                        let asked = step.undo_asked && step.state() == StepState::Undoing;
                        return ensure(asked, || {
                            format!("I9 {id} undoes what nobody asked to undo, or again")
                        });
                    }
                    Purpose::Check => return Ok(()),
                    Purpose::Step | Purpose::Fallback(_) => {}
                }
                ensure(!(step.unknown && *class == EffectClass::Once), || {
                    format!("I2 {id} may happen a second time")
                })?;
                ensure(step.calls > 0 || may_start.is_ok(), || {
                    format!("{} ({id})", may_start.clone().err().unwrap_or_default())
                })?;
                ensure(step.calls > 0 || refused.is_none(), || {
                    format!("I21 {id} starts behind {refused:?}, which was refused or asks again")
                })?;
                ensure(step.calls > 0 || unapproved.is_none(), || {
                    format!("I35 {id} starts, and {unapproved:?} before it asked and was not approved")
                })?;
                ensure(step.calls > 0 || unanswered.is_none(), || {
                    format!("I21 {id} goes around {unanswered:?}, which has not been answered")
                })?;
                if *purpose == Purpose::Step && !step.released.is_empty() {
                    ensure(step.released.contains(launch_hash), || {
                        format!("I4 {id} is not what was approved")
                    })?;
                }
                if let Purpose::Fallback(which) = purpose {
                    let other =
                        step.released_fallbacks.iter().find(|(at, hash)| at == which && hash != launch_hash);
                    ensure(other.is_none(), || format!("I4 {id}, a fallback, is not what was approved"))?;
                }
                step.calls += 1;
                step.state = Some(StepState::Running);
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
                let purpose = step.flying.take();
                ensure(purpose.is_some_and(|pair| pair.0 == id.number), || {
                    format!("I2 {id} ended and was not in flight")
                })?;
                let thought = run.thought.remove(&id.step).unwrap_or(0);
                let checked = purpose.is_some_and(|pair| pair.1 == Purpose::Check);
                if let Some(text) = outcome.outputs.get("tokens").filter(|_| !checked) {
                    let said: u64 =
                        text.as_str().and_then(|text| text.parse().ok()).ok_or("I10 no number")?;
                    run.correct(id.step, thought, said);
                }
                let step = &mut run.steps[id.step.index()];
                let undo = purpose.is_some_and(|pair| pair.1 == Purpose::Undo);
                let is_work = matches!(purpose, Some((_, Purpose::Step | Purpose::Fallback(_))));
                step.unknown |= step.is_ending && is_work && outcome.failure.is_none();
                if retry_at.is_some() && !undo {
                    step.state = Some(StepState::Waiting);
                }
                if purpose.is_some_and(|pair| pair.1 == Purpose::Check) && outcome.exit_code == Some(1) {
                    step.unknown = false;
                }
                Ok(())
            }
            AttemptEvent::Adopted { purpose, .. } => {
                ensure(step.flying == Some((id.number, *purpose)), || {
                    format!("I2 {id} was adopted and was not in flight")
                })
            }
            AttemptEvent::Lost { .. } => {
                let purpose = step.flying.take();
                step.unknown |= matches!(purpose, Some((_, Purpose::Step | Purpose::Fallback(_))));
                run.thought.remove(&id.step);
                Ok(())
            }
        }
    }

    fn undo(&mut self, id: RunId, step: StepIx, event: &UndoEvent) -> Result<(), Broken> {
        let run = self.runs.get_mut(&id).ok_or("I6 a run that was never created")?;
        match event {
            UndoEvent::Asked => {
                let left = run.left_to_undo();
                let is_left = left.contains(&step) && !run.steps[step.index()].undo_asked;
                ensure(is_left, || format!("I9 {id} undoes {step:?}, which was not done, or again"))?;
                let after = run.comes_after(step);
                let first = left.iter().find(|step| after.contains(step));
                ensure(first.is_none(), || format!("I9 {id} undoes {step:?} and {first:?} came after it"))?;
                ensure(run.compensating, || format!("I9 {id} undoes {step:?} without a reason"))?;
                run.has_room_to_undo(step).map_err(|error| format!("I12 {id} undoes {step:?}, {error}"))?;
                let step = &mut run.steps[step.index()];
                (step.undo_asked, step.state) = (true, Some(StepState::Undoing));
            }
            UndoEvent::Done { .. } => {
                let step = &mut run.steps[step.index()];
                (step.state, step.stuck) = (Some(StepState::Undone), false);
            }
            UndoEvent::Stuck { .. } => run.steps[step.index()].stuck = true,
            UndoEvent::Again { .. } => {
                let step = &mut run.steps[step.index()];
                (step.again, step.stuck) = (step.again || step.stuck, false);
            }
        }
        Ok(())
    }

    /// A gate asks, or asks again.
    fn asked(
        &mut self,
        id: RunId,
        step: StepIx,
        gate: GateId,
        ask: &Ask,
        hash: Digest,
    ) -> Result<(), Broken> {
        let (editors, escalated, handed_on) = if let Some(old) = self.gates.get(&gate) {
            let step = self.runs.get_mut(&id).map(|run| &mut run.steps[step.index()]);
            let again = step.is_some_and(|step| std::mem::take(&mut step.reopened));
            ensure(old.open || again, || format!("I4 {gate} is asked again after it was closed"))?;
            ensure(ask.epoch > old.ask.epoch, || {
                format!("I13 {gate} goes from epoch {} to {}", old.ask.epoch, ask.epoch)
            })?;
            (old.editors.clone(), old.escalated.clone().filter(|_| old.open), old.handed_on.clone())
        } else {
            ensure(ask.epoch == Epoch(1), || format!("I13 {gate} begins at epoch {}", ask.epoch))?;
            (BTreeSet::new(), None, Vec::new())
        };
        let made = Gate {
            ask: ask.clone(),
            hash,
            open: true,
            armed: false,
            agreed: false,
            broken: false,
            overridden: None,
            before: self.gates.get(&gate).map(|gate| gate.hash),
            alone: String::new(),
            alone_for: Vec::new(),
            approved: false,
            votes: Vec::new(),
            answered: Vec::new(),
            editors,
            escalated,
            handed_on,
        };
        self.gates.insert(gate, made);
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
            return self.asked(id, step, gate, ask, *hash);
        }
        // Steps are only ever added: what the author wrote stands where it stood.
        let written = self.runs.get(&id).and_then(|run| Some(&run.plan.steps.get(step.index())?.work));
        let held = self.gates.get_mut(&gate).ok_or("I4 a gate that was never asked")?;
        let late = held.ask.expires_at.is_some_and(|end| end <= at) && !held.armed;
        match event {
            GateEvent::Voted(vote) | GateEvent::Overridden(vote) => {
                ensure(held.open, || format!("I4 a vote at {gate}, which is closed"))?;
                held.fits(gate, event, vote)?;
                ensure(!late, || format!("I4 a vote at {gate} after its time"))?;
                let (who, seen, said_at) =
                    self.people.get(&vote.decision).ok_or("I4 a vote that nobody gave")?;
                ensure(self.counted.insert(vote.decision.clone()), || {
                    format!("I8 {who}'s decision at {gate} is recorded twice")
                })?;
                ensure(*seen == vote.ask, || format!("I4 {who} saw another ask of {gate}"))?;
                ensure(held.armed || held.ask.expires_at.is_none_or(|end| *said_at < end), || {
                    format!("I4 {who} voted too late at {gate}")
                })?;
                ensure(held.votes.iter().all(|vote| vote.name != *who), || {
                    format!("I5 {who} voted twice at {gate}")
                })?;
                ensure(!held.editors.contains(who), || format!("I5 {who} edited and voted at {gate}"))?;
                let excluded =
                    held.ask.excluded.iter().any(|(principal, _)| *principal == vote.by.principal());
                let four_eyes = matches!(written, Some(Work::Gate(rule)) if !rule.forbid.is_empty());
                ensure(!(excluded || four_eyes && *who == held.ask.requester), || {
                    format!("I5 {who} asked for it and voted at {gate}")
                })?;
                held.may_answer(who, &vote.acting_for, at).map_err(|why| format!("I5 {why} at {gate}"))?;
                let whose = vote.acting_for.iter().map(|actor| actor.name.clone()).chain([who.clone()]);
                if matches!(event, GateEvent::Overridden(_)) {
                    held.overridden = Some(who.clone());
                }
                held.answered.extend(whose.map(|name| (name, who.clone())));
                if vote.verdict == Verdict::Approve {
                    held.votes.push(vote.voter());
                }
            }
            GateEvent::Withdrawn { by } => {
                held.votes.retain(|vote| vote.principal() != by.principal());
                held.handed_on.retain(|row| row.0 != by.name);
                held.answered.retain(|pair| pair.1 != by.name);
                held.armed = false;
                held.overridden = held.overridden.take().filter(|text| *text != by.name);
                held.broken &= by.name != "gus";
                held.agreed &= held.broken;
            }
            GateEvent::Edited { by, .. } => drop(held.editors.insert(by.name.clone())),
            GateEvent::Escalated { group } => held.escalated = Some(group.clone()),
            GateEvent::Armed { .. } => held.armed = true,
            GateEvent::Agreed { .. } => held.agreed = true,
            GateEvent::Resolved { state, by, .. } => {
                ensure(held.open, || format!("I4 {gate} is resolved a second time"))?;
                held.open = false;
                held.closed(gate, *state, by)?;
                // Which tool is called, and how much is spent, is asked for a step: who skips that closes the question.
                let is_guard = matches!(written, Some(Work::Gate(_)));
                ensure(by != "by-hand" || !is_guard, || {
                    format!("I35 {gate} is closed by hand, and it is no override")
                })?;
                if wants_review(by) {
                    self.owed.insert((gate, held.ask.epoch), held.clone());
                }
                let looks = self.runs.get(&id).is_some_and(|run| run.steps[step.index()].looks);
                let looked = held.agreed || !looks || *state != GateState::Approved || by == "policy:auto";
                ensure(looked, || format!("I4 {gate} is approved and nobody looked at its files again"))?;
                let auto =
                    by != "policy:auto" || matches!(written, Some(Work::Gate(rule)) if rule.auto.is_some());
                ensure(auto, || format!("I4 {gate} is approved by a policy nobody wrote"))?;
                if by == "send-back"
                    && let Some(run) = self.runs.get_mut(&id)
                {
                    run.sent_back = run.begins_anew(step);
                }
            }
            GateEvent::Delegated { by, to, until, .. } => {
                held.handed_on.retain(|row| row.0 != by.name);
                held.handed_on.push((by.name.clone(), to.clone(), *until));
            }
            GateEvent::GlassBroken(vote) => {
                let known = self.people.get(&vote.decision).map(|person| person.0.as_str());
                ensure(known == Some("gus"), || format!("I5 {known:?} broke the glass of {gate}"))?;
                ensure(!late, || format!("I4 the glass of {gate} is broken too late"))?;
                held.fits(gate, event, vote)?;
                held.glass_broken(gate, vote)?;
                ensure(self.counted.insert(vote.decision.clone()), || {
                    format!("I8 the broken glass of {gate} is recorded twice")
                })?;
            }
            GateEvent::GlassReviewed { by, epoch, .. } => return self.reviewed(gate, *epoch, by),
            GateEvent::Asked { .. }
            | GateEvent::Refused { .. }
            | GateEvent::Commented { .. }
            | GateEvent::Reminded { .. } => {}
        }
        Ok(())
    }

    /// Somebody has looked at what was approved in an emergency.
    fn reviewed(&mut self, gate: GateId, epoch: Option<Epoch>, by: &Actor) -> Result<(), Broken> {
        let epoch = epoch.ok_or("I34 a review that does not tell of what")?;
        let owed = self.owed.remove(&(gate, epoch));
        ensure(owed.is_some_and(|owed| owed.may_review(by)), || {
            format!("I34 {} reviews {gate} in epoch {epoch}", by.name)
        })
    }

    /// The plan that a run began with, without what it added.
    pub(crate) fn first_plan(&self, run: RunId) -> Plan {
        let Some(run) = self.runs.get(&run) else { return Plan::default() };
        let mut plan = Plan::clone(&run.plan);
        plan.steps.truncate(run.planned);
        plan
    }

    /// After a batch: nothing that could go on is left standing, limits are kept (I11, I12).
    pub(crate) fn nothing_is_forgotten(&self) -> Result<(), Broken> {
        self.runs.iter().try_for_each(|(id, run)| run.nothing_is_forgotten(*id))
    }

    /// Emergency approvals that wait for a review: the run, the gate and the epoch.
    pub(crate) fn owed(&self) -> Vec<(RunId, GateId, Epoch)> {
        self.owed.iter().map(|((gate, epoch), item)| (item.ask.run, *gate, *epoch)).collect()
    }

    /// True if this person may review it.
    pub(crate) fn may_review(&self, gate: GateId, epoch: Epoch, by: &Actor) -> bool {
        self.owed.get(&(gate, epoch)).is_some_and(|gate| gate.may_review(by))
    }

    /// Open gates with their ask.
    pub(crate) fn open_gates(&self) -> Vec<(GateId, Ask, Digest)> {
        let open = self.gates.iter().filter(|(_, gate)| gate.open);
        open.map(|(id, gate)| (*id, gate.ask.clone(), gate.hash)).collect()
    }

    /// Runs that have not come to rest, and whether each is paused.
    pub(crate) fn open_runs(&self) -> Vec<(RunId, bool)> {
        self.runs.iter().filter(|(_, run)| !run.state.rests()).map(|(id, run)| (*id, run.paused)).collect()
    }

    pub(crate) fn runs(&self) -> Vec<(RunId, bool)> {
        self.runs.iter().map(|(id, run)| (*id, run.state.rests())).collect()
    }

    /// Steps that may have happened, and undos that are stuck.
    pub(crate) fn for_people(&self) -> (Vec<At>, Vec<At>) {
        let (mut doubts, mut stuck) = (Vec::new(), Vec::new());
        for (id, run) in &self.runs {
            for (index, step) in run.steps.iter().enumerate() {
                let at = (*id, StepIx::from_index(index));
                if step.state() == StepState::InDoubt {
                    doubts.push(at);
                }
                if step.stuck {
                    stuck.push(at);
                }
            }
        }
        (doubts, stuck)
    }

    /// I15: what people see is what happened, counted from scratch.
    pub(crate) fn board_agrees(&self, board: &Board) -> Result<(), Broken> {
        let shown: Vec<(GateId, Epoch)> = board.reviews_due().map(|gate| (gate.id, gate.epoch())).collect();
        ensure(self.owed.keys().copied().eq(shown.iter().copied()), || {
            format!("I34 to be reviewed are {:?}, and shown are {shown:?}", self.owed.keys())
        })?;
        ensure(board.health().0 <= 100, || format!("I15 a health of {}", board.health()))?;
        for (key, (value, version, _)) in &self.values {
            let name = (Scope::Global, String::new(), key.clone());
            let shown = board
                .values(Timestamp(0))
                .find(|value| *value.0 == name)
                .map(|value| (&value.1.value, value.1.version));
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
                if !run.plan.steps.iter().any(|step| step.frame == Some(index)) {
                    *counts.entry(step.state).or_default() += 1;
                }
            }
            let present: BTreeMap<StepState, u32> = shown.counts.present().collect();
            ensure(present == counts, || format!("I15 {id} shows {present:?} and has {counts:?}"))?;
            let open = self.gates.values().filter(|gate| gate.open && gate.ask.run == *id).count();
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
        for (run, this_run) in &self.runs {
            for (index, step) in this_run.steps.iter().enumerate() {
                if let Some((number, _)) = step.flying {
                    out.push(AttemptId { run: *run, step: StepIx::from_index(index), number });
                }
            }
        }
        out
    }

    /// The state of everything, for a report.
    pub(crate) fn standing(&self) -> String {
        let run = |(id, run): (&RunId, &Run)| {
            let steps: Vec<String> = run
                .steps
                .iter()
                .zip(&run.plan.steps)
                .map(|(step, plan)| format!("{} {}", plan.id, step.state()))
                .collect();
            format!("{id} {}{}: {}", run.state, if run.paused { " (paused)" } else { "" }, steps.join(", "))
        };
        self.runs.iter().map(run).collect::<Vec<_>>().join("\n")
    }
}

impl Gate {
    /// Checks that an answer is about this ask, with its current values. Somebody who fills in the form saw
    /// the ask before these values were in it.
    fn fits(&self, gate: GateId, event: &GateEvent, vote: &Vote) -> Result<(), Broken> {
        let is_it = vote.ask == self.hash || !vote.form.is_empty() && Some(vote.ask) == self.before;
        ensure(is_it, || format!("I4 a vote at {gate} for another ask"))?;
        let stands = |(name, value): (&String, &Value)| {
            self.ask.form.iter().any(|field| field.name == *name && field.value == *value)
        };
        let stand = vote.form.iter().all(stands);
        ensure(stand, || format!("I4 a vote at {gate} for other values than its ask has"))?;
        let sound = vote.verdict == Verdict::Approve && !vote.reason.is_empty();
        ensure(sound || !matches!(event, GateEvent::Overridden(_)), || {
            format!("I35 {gate} is overridden by what is no approval")
        })
    }

    /// Checks that the reason of the closing was recorded, and that enough people agreed.
    fn closed(&mut self, gate: GateId, state: GateState, by: &str) -> Result<(), Broken> {
        self.approved = state == GateState::Approved;
        ensure(self.broken || by != "break-glass", || format!("I5 nobody broke the glass of {gate}"))?;
        ensure(self.overridden.is_some() || by != OVERRIDE, || {
            format!("I35 {gate} is overridden and nobody did it")
        })?;
        if wants_review(by) {
            let by_override = self.overridden.clone().filter(|_| by == OVERRIDE);
            self.alone = by_override.unwrap_or_else(|| "gus".to_owned());
            let given = self.answered.iter().filter(|pair| pair.1 == self.alone);
            self.alone_for = given.map(|pair| pair.0.clone()).collect();
        }
        let counts = self.approved && (by == "people" || by == OVERRIDE);
        ensure(!counts || self.is_enough(), || {
            format!("I5 {gate} is approved by {} people", self.votes.len())
        })
    }

    /// Checks that this person may still answer, and for these others: nobody answers twice, in any name.
    fn may_answer(&self, who: &str, acting_for: &[Actor], at: Timestamp) -> Result<(), Broken> {
        let lent = |row: &(String, String, Timestamp)| row.0 == who && row.2 > at;
        ensure(!self.handed_on.iter().any(lent), || format!("{who} answers after handing that on"))?;
        for other in acting_for {
            let has = |row: &(String, String, Timestamp)| row.0 == other.name && row.1 == who && row.2 > at;
            ensure(self.handed_on.iter().any(has), || format!("{who} answers for {}", other.name))?;
            let is_out = self.editors.contains(&other.name)
                || self.ask.excluded.iter().any(|pair| pair.0 == other.principal());
            ensure(!is_out, || format!("{} counts through {who}", other.name))?;
        }
        let twice = |name: &str| self.answered.iter().any(|pair| pair.0 == name);
        let names = acting_for.iter().map(|actor| actor.name.as_str()).chain([who]);
        names.clone().find(|name| twice(name)).map_or(Ok(()), |name| Err(format!("{name} counts twice")))
    }

    /// An emergency's approval by gus, for all who handed their answer on to them.
    fn glass_broken(&mut self, gate: GateId, vote: &Vote) -> Result<(), Broken> {
        ensure(!self.editors.contains("gus"), || format!("I5 gus edited and broke the glass of {gate}"))?;
        self.broken = true;
        self.answered.extend(vote.acting_for.iter().map(|actor| (actor.name.clone(), "gus".to_owned())));
        Ok(())
    }

    /// True if this person may review an emergency approval of this gate: asked, not excluded, and neither the
    /// one who gave it nor one for whom it was given.
    fn may_review(&self, by: &Actor) -> bool {
        let is_meant = |text: &str| {
            text == by.name
                || text.strip_prefix("group:").is_some_and(|rest| by.groups.iter().any(|has| has == rest))
        };
        let is_out = by.name == self.alone
            || self.alone_for.contains(&by.name)
            || self.editors.contains(&by.name) && !self.ask.is_choice
            || self.ask.excluded.iter().any(|pair| pair.0 == by.principal() || is_meant(&pair.0));
        let is_asked = self.ask.require.is_empty()
            || self
                .ask
                .require
                .iter()
                .any(|quorum| quorum.group.as_ref().is_none_or(|group| by.groups.contains(group)))
            || self.escalated.as_deref().is_some_and(is_meant);
        is_asked && !is_out
    }

    /// True if the people who agreed fill every place; every order is tried.
    fn is_enough(&self) -> bool {
        let mut names = BTreeSet::new();
        if !self.votes.iter().all(|vote| names.insert(vote.principal())) {
            return false;
        }
        // Somebody to whom it was escalated fills a place of any group, and no more than one.
        let called = self.escalated.as_deref().and_then(|escalated| escalated.strip_prefix("group:"));
        let all = || self.ask.require.iter().filter_map(|quorum| quorum.group.clone());
        let votes: Vec<Actor> = self
            .votes
            .iter()
            .map(|vote| {
                let mut vote = vote.clone();
                if called.is_some_and(|group| vote.groups.iter().any(|has| has == group)) {
                    vote.groups.extend(all());
                }
                vote
            })
            .collect();
        let places: Vec<Option<&str>> = self
            .ask
            .require
            .iter()
            .flat_map(|quorum| (0..quorum.count).map(|_| quorum.group.as_deref()))
            .collect();
        fill(&places, &votes.iter().collect::<Vec<_>>())
    }
}

impl Run {
    /// Records the calls that an approval covers: one call of a step, or one for each tool that may be
    /// chosen.
    fn release(&mut self, calls: &[(StepIx, Digest)]) {
        for (covered, _) in calls {
            let step = &mut self.steps[covered.index()];
            (step.released, step.released_fallbacks) = (Vec::new(), Vec::new());
        }
        for (covered, hash) in calls {
            self.steps[covered.index()].released.push(*hash);
        }
    }

    /// The gates that a step needs by name, alone or in a frame, unless it decides by itself what their answer means to it.
    /// So does a model of the calls that it asks for.
    fn guarded_by(&self, step: StepIx) -> Vec<String> {
        if self.asks_for_failures(step) {
            return Vec::new();
        }
        let around = std::iter::successors(Some(step), |value| self.plan.steps[value.index()].frame);
        let mut open: Vec<StepIx> =
            around.flat_map(|step| self.plan.steps[step.index()].needs.iter().copied()).collect();
        let mut gates = Vec::new();
        while let Some(at) = open.pop() {
            let plan = &self.plan.steps[at.index()];
            match &plan.work {
                Work::Gate(_) if !self.steps[at.index()].kept => gates.push(plan.id.clone()),
                Work::Frame(frame) if !matches!(frame.kind, FrameKind::Talk(_)) => {
                    let all = (0..self.plan.steps.len()).map(StepIx::from_index);
                    open.extend(all.filter(|step| self.plan.steps[step.index()].frame == Some(at)));
                }
                _ => {}
            }
        }
        gates
    }

    /// True if a step has ended and releases the steps that need it. One that was skipped early does so once
    /// its own needs have ended.
    fn lets_go(&self, step: StepIx) -> bool {
        let step = &self.steps[step.index()];
        step.state().rests() && !step.early
    }

    fn needs_rest(&self, step: StepIx) -> bool {
        let plan = &self.plan.steps[step.index()];
        let held = self.steps[step.index()].held.iter();
        let rest = || plan.needs.iter().chain(held).all(|step| self.lets_go(*step));
        // In a frame that is over, nothing is waited for.
        let over = |frame: StepIx| self.steps[frame.index()].state().rests();
        plan.frame.is_some_and(over) || rest() && plan.frame.is_none_or(|frame| self.has_opened(frame))
    }

    fn has_opened(&self, frame: StepIx) -> bool {
        self.steps[frame.index()].state() == StepState::Running
    }

    /// Releases steps that were skipped early and have nothing more to wait for.
    fn let_go(&mut self) {
        while let Some(at) = (0..self.steps.len())
            .find(|index| self.steps[*index].early && self.needs_rest(StepIx::from_index(*index)))
        {
            self.steps[at].early = false;
        }
    }

    fn asks_for_failures(&self, mut step: StepIx) -> bool {
        loop {
            let plan = &self.plan.steps[step.index()];
            let named = |condition: &String| {
                ["always", "failure", "cancelled"].iter().any(|word| condition.contains(word))
            };
            if plan.condition.as_ref().is_some_and(named) {
                return true;
            }
            match plan.frame {
                Some(frame) => step = frame,
                None => return false,
            }
        }
    }

    /// A gate that has not been answered, and that only results that were taken over stand between.
    fn unanswered(&self, step: StepIx) -> Option<StepIx> {
        if !self.asks {
            return None;
        }
        let mut open = vec![step];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            let plan = &self.plan.steps[at.index()];
            let around =
                plan.frame.map(|frame| self.plan.steps[frame.index()].needs.clone()).unwrap_or_default();
            for need in plan.needs.iter().copied().chain(around).filter(|step| seen.insert(*step)) {
                let step = &self.steps[need.index()];
                let is_gate = matches!(self.plan.steps[need.index()].work, Work::Gate(_));
                if is_gate && !step.state().rests() && !step.answered {
                    return Some(need);
                }
                if step.kept && !self.asks_for_failures(need) {
                    open.push(need);
                }
            }
        }
        None
    }

    /// A gate that has not been answered and that only results that were taken over stand between, where a step that is still to be done does
    /// not need it by its own plan.
    fn left_out(&self, step: StepIx) -> Option<StepIx> {
        let own = &self.plan.steps[step.index()].needs;
        let is_open = |step: StepIx| !self.steps[step.index()].state().rests();
        let passes = |step: &StepIx| self.steps[step.index()].kept && !self.asks_for_failures(*step);
        let mut open: Vec<StepIx> = own.iter().copied().filter(passes).filter(|_| is_open(step)).collect();
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            for need in self.plan.steps[at.index()].needs.iter().copied() {
                let asks = matches!(self.plan.steps[need.index()].work, Work::Gate(_))
                    && is_open(need)
                    && !self.steps[need.index()].answered;
                if asks && !own.contains(&need) {
                    return Some(need);
                }
                if passes(&need) && seen.insert(need) {
                    open.push(need);
                }
            }
        }
        None
    }

    /// A gate that was refused, or asks once more, and before which nothing stands that decides by itself what that means.
    fn refused(&self, step: StepIx) -> Option<StepIx> {
        let mut open = vec![step];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop().filter(|step| !self.asks_for_failures(*step)) {
            let around =
                self.around(at).into_iter().flat_map(|step| self.plan.steps[step.index()].needs.clone());
            let needs = self.plan.steps[at.index()].needs.iter().copied();
            for need in needs.chain(around).filter(|step| seen.insert(*step)) {
                let step = &self.steps[need.index()];
                if matches!(self.plan.steps[need.index()].work, Work::Gate(_))
                    && (step.state() == StepState::Rejected || step.answered && !step.state().rests())
                {
                    return Some(need);
                }
                open.push(need);
            }
        }
        None
    }

    /// Steps that were done, or may have been, and are not undone yet.
    fn left_to_undo(&self) -> Vec<StepIx> {
        let undoable = |step: &StepIx| matches!(self.plan.steps[step.index()].undo, Undo::By(_));
        let left = |step: &StepIx| undoable(step) && self.steps[step.index()].state() != StepState::Undone;
        self.done.iter().copied().filter(left).collect()
    }

    /// True if a model that this step asked has called something that is to be undone with it.
    fn has_called(&self, talk: StepIx) -> bool {
        let plan = self.plan.steps[talk.index()].work.frame();
        let is_talk = plan.is_some_and(|plan| matches!(plan.kind, FrameKind::Talk(_)));
        let called = self.plan.steps.iter().zip(&self.steps).filter(|pair| pair.0.frame == Some(talk));
        let mut acts =
            called.filter(|pair| pair.0.work.tool().is_some() && pair.0.effect != EffectClass::Pure);
        let is_done =
            |step: &Step| step.unknown || matches!(step.state(), StepState::Completed | StepState::Partial);
        is_talk && acts.any(|entry| is_done(entry.1))
    }

    /// Steps that were made during the run.
    fn add(&mut self, copies: &[PlanStep]) {
        if !copies.is_empty() {
            Arc::make_mut(&mut self.plan).steps.extend(copies.iter().cloned());
        }
        self.steps.resize(self.plan.steps.len(), Step::default());
    }

    /// A step begins anew. What it has done is still to be undone.
    fn begin_anew(&mut self, step: StepIx) {
        self.sent_back.remove(&step);
        let is_owed = self.done.contains(&step);
        let this_step = &mut self.steps[step.index()];
        this_step.begin_anew(is_owed);
        if !this_step.did {
            self.done.retain(|index| *index != step);
        }
    }

    /// The frames around a step, from the inside out.
    fn around(&self, step: StepIx) -> Vec<StepIx> {
        std::iter::successors(self.plan.steps[step.index()].frame, |value| {
            self.plan.steps[value.index()].frame
        })
        .collect()
    }

    /// Every step that began only because this one had come to its end.
    fn comes_after(&self, step: StepIx) -> BTreeSet<StepIx> {
        let (mut after, mut ended) = (BTreeSet::new(), BTreeSet::from([step]));
        loop {
            ended.extend(after.iter().chain([&step]).flat_map(|step| self.around(*step)));
            let follows = |at: &StepIx| {
                let plan = &self.plan.steps[at.index()];
                // A question to a model that goes on with its calls comes after all that it was told of.
                let told = |step: &&StepIx| *step < at && self.plan.steps[step.index()].frame == plan.frame;
                let is_question = plan.frame.is_some() && plan.work.model().is_some();
                is_question && after.iter().chain(&ended).any(|value| told(&value))
                    || plan.needs.iter().any(|step| after.contains(step) || ended.contains(step))
                    || plan.frame.is_some_and(|frame| after.contains(&frame))
            };
            let all = (0..self.plan.steps.len()).map(StepIx::from_index);
            let more: Vec<StepIx> = all.filter(|step| !after.contains(step) && follows(step)).collect();
            if more.is_empty() {
                return after;
            }
            after.extend(more);
        }
    }

    /// Checks the limits of undos at once: of the run, and of each frame around the step.
    fn has_room_to_undo(&self, step: StepIx) -> Result<(), Broken> {
        let all = (0..self.plan.steps.len()).map(StepIx::from_index);
        let goes_on = |step: &StepIx| {
            let step = &self.steps[step.index()];
            step.state() == StepState::Undoing && !step.stuck
        };
        let going: Vec<StepIx> = all.filter(goes_on).collect();
        // Who says that a stuck one is tried again does not wait for the others.
        let again = going.iter().filter(|step| self.steps[step.index()].again).count();
        ensure(going.len() < self.slots() + again, || format!("one of {} at once", going.len() + 1))?;
        for frame in self.around(step) {
            let Work::Frame(rule) = &self.plan.steps[frame.index()].work else { continue };
            let child = |step: StepIx| {
                std::iter::once(step)
                    .chain(self.around(step))
                    .find(|index| self.plan.steps[index.index()].frame == Some(frame))
            };
            let children: BTreeSet<StepIx> =
                going.iter().chain([&step]).filter_map(|step| child(*step)).collect();
            ensure(rule.max_parallel == 0 || children.len() <= rule.max_parallel as usize + again, || {
                format!("one of {} children of {frame:?} at once", children.len())
            })?;
        }
        Ok(())
    }

    /// The steps that rest and have to begin anew when this gate is sent back.
    fn begins_anew(&self, gate: StepIx) -> BTreeSet<StepIx> {
        let Work::Gate(rule) = &self.plan.steps[gate.index()].work else { return BTreeSet::new() };
        let scope = self.plan.steps[gate.index()].scope;
        let name = rule.send_back.as_deref().unwrap_or_default();
        let all = || (0..self.plan.steps.len()).map(StepIx::from_index);
        let first = all().find(|step| {
            let plan = &self.plan.steps[step.index()];
            plan.scope == scope && plan.local == name
        });
        let mut after: BTreeSet<StepIx> = first.into_iter().collect();
        loop {
            let before = after.len();
            let follows = |step: &StepIx| {
                let plan = &self.plan.steps[step.index()];
                plan.needs.iter().any(|need| after.contains(need))
                    || plan.frame.is_some_and(|frame| after.contains(&frame))
            };
            let more: Vec<StepIx> = all().filter(|step| !after.contains(step) && follows(step)).collect();
            after.extend(more);
            if after.len() == before {
                return after.into_iter().filter(|step| self.steps[step.index()].state().rests()).collect();
            }
        }
    }

    /// Checks that the first call of a step may be made at all.
    fn may_start(&self, step: StepIx) -> Result<(), Broken> {
        let plan = &self.plan.steps[step.index()];
        let rests = |step: &StepIx| self.lets_go(*step);
        ensure(self.state == RunState::Running, || {
            format!("I4 a step starts in a run that is {}", self.state)
        })?;
        ensure(!self.paused, || "I11 a step starts in a pause".to_owned())?;
        let held = self.steps[step.index()].held.iter();
        ensure(plan.needs.iter().chain(held).all(rests), || {
            "I4 a step starts before its needs rest".to_owned()
        })?;
        let open = |frame: StepIx| self.steps[frame.index()].state() == StepState::Running;
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
        let own = whose.and_then(|step| self.plan.steps[step.index()].budget.as_ref());
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

    /// Checks the limits of slots and places.
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
        let is_call = |plan: &PlanStep| plan.work.is_call();
        self.steps
            .iter()
            .zip(&self.plan.steps)
            .filter(|(step, plan)| step.state() == StepState::Running && is_call(plan))
            .count()
    }

    fn has_place_after(&self, frame: StepIx, more: usize) -> bool {
        let Work::Frame(rule) = &self.plan.steps[frame.index()].work else { return true };
        let inside = self.steps.iter().zip(&self.plan.steps).filter(|(step, plan)| {
            plan.frame == Some(frame)
                && step.state() == StepState::Running
                && (plan.work.is_call() || matches!(plan.work, Work::Frame(_)))
        });
        rule.max_parallel == 0 || inside.count() + more <= rule.max_parallel as usize
    }

    fn nothing_is_forgotten(&self, id: RunId) -> Result<(), Broken> {
        if self.state != RunState::Running {
            return Ok(());
        }
        for (index, (step, plan)) in self.steps.iter().zip(&self.plan.steps).enumerate() {
            let open = plan.frame.is_none_or(|frame| self.steps[frame.index()].state() == StepState::Running);
            let free = open && plan.needs.iter().chain(&step.held).all(|index| self.lets_go(*index));
            ensure(step.state() != StepState::Pending || !free, || {
                format!("I11 {id} {} is left pending", plan.id)
            })?;
            let is_call = plan.work.is_call();
            let roomy = (!is_call || self.running() < self.slots())
                && plan.frame.is_none_or(|frame| self.has_place_after(frame, 1));
            ensure(step.state() != StepState::Ready || self.paused || !roomy, || {
                format!("I11 {id} {} is ready and there is room", plan.id)
            })?;
            let idle = step.state() == StepState::Running && is_call && step.flying.is_none();
            ensure(!idle, || format!("I11 {id} {} runs and nothing is in flight", plan.id))?;
            let is_matrix =
                matches!(&plan.work, Work::Frame(frame) if !matches!(frame.kind, FrameKind::Workflow { .. }));
            let children = || {
                self.steps
                    .iter()
                    .zip(&self.plan.steps)
                    .filter(|(_, plan)| plan.frame == Some(StepIx::from_index(index)))
            };
            let over = step.state() == StepState::Running
                && matches!(plan.work, Work::Frame(_))
                // Else something is done in its place.
                && step.flying.is_none()
                && children().all(|(child, _)| child.state().rests());
            ensure(!over, || {
                format!("I11 {id} {} is open and all in it rests (matrix: {is_matrix})", plan.id)
            })?;
        }
        Ok(())
    }
}

/// True if people can be assigned to the places so that each fits; every order is tried.
fn fill(places: &[Option<&str>], people: &[&Actor]) -> bool {
    let Some((first, rest)) = places.split_first() else { return true };
    (0..people.len()).any(|at| {
        let fits = first.is_none_or(|group| people[at].groups.iter().any(|has| has == group));
        let mut others = people.to_vec();
        others.remove(at);
        fits && fill(rest, &others)
    })
}

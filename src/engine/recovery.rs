//! The partial result of a run that did not complete, its retry, and its fork from the past.
//! `again` decides the results that the new run takes over.

use crate::{
    CauseOfLaunch, Corrected, Correction, Fact, Origin, PartialResult, Past, Refusal, RetryFrom, RunEvent,
    RunState, ScopeEvent, StepEvent, StepState, World,
    again::{self, TakenOver},
    ask, attempt, can_ask, frame,
    handle::Turn,
    requesters,
    run::Run,
    spent::{AskAgain, spent},
};
use cuelight_base::{Actor, FailureMode, RunId, Score, StepIx};
use cuelight_plan::{Plan, Scope, Work};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The partial result of a run at rest (O4). Frames are not counted, their steps are.
pub(super) fn partial_result(run: &Run) -> PartialResult {
    let leaves = || {
        let all = (0..run.steps.len()).map(StepIx::from_index);
        all.filter(|step| !matches!(run.plan_step(*step).work, Work::Frame(_)))
    };
    let count = |wanted: &dyn Fn(StepState) -> bool| {
        u32::try_from(leaves().filter(|step| wanted(run.step(*step).state())).count()).unwrap_or(u32::MAX)
    };
    let completed = count(&StepState::is_done);
    let failed = count(&|state| matches!(state, StepState::Failed | StepState::Rejected));
    let total = u32::try_from(leaves().count()).unwrap_or(u32::MAX);
    let first = run.ending.aborted.or_else(|| leaves().find(|step| run.step(*step).error.is_some()));
    let mode = first.and_then(|aborted| run.step(aborted).error.as_ref()).map(|error| error.mode);
    // What ended the run as a whole says why, where no step does.
    let mode = mode.or(run.ending.timed_out.then_some(FailureMode::SystemTimeout));
    let mode = mode.or(run.ending.cancelling.then_some(FailureMode::UserCancelled));
    let ratio = Score::ratio(u64::from(completed), u64::from(total));
    let manual = mode.is_none_or(|mode| mode.is_terminal() || !mode.is_retryable() && !is_plain(mode));
    let suggestion = match ratio.0 {
        _ if manual => "manual",
        7500.. => "retry-failed",
        2500.. => "retry-from-checkpoint",
        _ => "retry-all",
    };
    PartialResult {
        completed,
        failed,
        remaining: total - completed - failed,
        completion_ratio: ratio,
        failure_mode: mode,
        failure_point: first.map(|aborted| run.plan_step(aborted).id.clone()),
        suggestion: suggestion.to_owned(),
        last_done: last_done(run),
    }
}

/// The step that completed last, of those that were not undone.
fn last_done(run: &Run) -> Option<String> {
    let last = run.undo.completed.iter().rev().find(|step| run.step(**step).state().is_done());
    last.map(|step| run.plan_step(*step).id.clone())
}

/// A plain non-zero exit: trying again is a person's choice, and may well help.
fn is_plain(mode: FailureMode) -> bool {
    matches!(mode, FailureMode::AgentLogic | FailureMode::PartialStepFailures)
}

/// The gates that have asked in a run, or in one that it does again.
struct AskedBefore {
    known: again::Asked,
    /// By gate, the people whom its `forbid` excluded.
    excluded: BTreeMap<String, Vec<String>>,
    /// By gate, the person or group that its first ask named for an escalation.
    escalates: BTreeMap<String, String>,
    /// By gate, the principals that edited its form, and their names.
    editors: BTreeMap<String, BTreeMap<String, String>>,
}

impl Turn<'_> {
    /// A linked run; steps that are not done again keep their results, by identity.
    pub(super) fn retry(
        &mut self,
        of: RunId,
        from: RetryFrom,
        by: Actor,
        corrected: Option<Box<Correction>>,
    ) -> Result<(), Refusal> {
        let run = self.world.runs.get(&of).ok_or(Refusal::NoRun(of))?;
        if !run.state.rests() {
            let valid = Some(format!(
                "it has not ended; end it with `cuelight cancel {of}`, or answer what waits (`cuelight gates`)"
            ));
            return Err(Refusal::RunState { run: of, state: run.state, verb: "retry".to_owned(), valid });
        }
        let run = run.clone();
        let verb = "retry";
        let given = plan_of(of, verb, corrected)?;
        let asked = asked_in(self.world, &run);
        // Who decides nothing uses no approval of others.
        let asks = if by.decides_nothing().is_some() { AskAgain::All } else { spent(self.world, &run) };
        let taken = again::take_over(&run, &asked.known, &kept(&run, from), given.as_ref(), &asks);
        let refused = |why: String| Refusal::Again { run: of, verb: verb.to_owned(), why };
        let taken = taken.map_err(refused)?;
        if run.state == RunState::Completed && repeats_nothing(&run, &taken) {
            return Err(refused(format!(
                "every step in it has completed, so no step would run; `cuelight retry {of} --from all` runs all steps again, \
                 `cuelight run FILE` starts a new run"
            )));
        }
        self.has_room_for(&taken.plan)?;
        self.begin_again(&run, taken, asked, by, |corrected| CauseOfLaunch::Retry { of, from, corrected });
        Ok(())
    }

    /// A run beside another one, from an instant of its past. The results that it takes over are the other's
    /// to undo.
    pub(super) fn fork(
        &mut self,
        of: RunId,
        by: Actor,
        corrected: Option<Box<Correction>>,
        past: Option<Past>,
    ) -> Result<(), Refusal> {
        let verb = "fork";
        let refused = |why: &str| Refusal::Again { run: of, verb: verb.to_owned(), why: why.to_owned() };
        let Some(Past { seq, events, count }) = past else {
            return Err(refused("its past is read by the owner of the workspace; ask that one"));
        };
        let world_after = |count: usize| {
            let mut world = World::default();
            let of_it = events.iter().take(count).filter(|event| event.fact.run() == Some(of));
            of_it.for_each(|event| world.apply(event));
            world
        };
        let run = world_after(count).runs.remove(&of);
        let run = run.ok_or_else(|| refused("it had not begun by then; name a later event"))?;
        let given = plan_of(of, verb, corrected)?;
        // Also what has asked since that instant. A run that ended long ago is known by its log alone.
        let asked = match self.world.runs.get(&of) {
            Some(now) => asked_in(self.world, now),
            None => {
                let now = world_after(events.len());
                asked_in(&now, now.runs.get(&of).unwrap_or(&run))
            }
        };
        let kept = kept(&run, RetryFrom::Failed);
        let taken = again::take_over(&run, &asked.known, &kept, given.as_ref(), &AskAgain::All);
        let taken = taken.map_err(|why| refused(&why))?;
        self.has_room_for(&taken.plan)?;
        self.begin_again(&run, taken, asked, by, |corrected| CauseOfLaunch::Fork { of, at: seq, corrected });
        Ok(())
    }

    fn begin_again(
        &mut self,
        run: &Run,
        taken: TakenOver,
        asked: AskedBefore,
        by: Actor,
        cause: impl FnOnce(Option<Box<Corrected>>) -> CauseOfLaunch,
    ) {
        let TakenOver { plan, steps, corrected, displaced } = taken;
        let is_same = Arc::ptr_eq(&plan, &run.plan);
        let here: BTreeMap<StepIx, StepIx> = steps.iter().copied().collect();
        // Without a correction every step stands where it stood, also one that is not kept.
        let stays = corrected.is_none();
        let place = |step: StepIx| if stays { Some(step) } else { here.get(&step).copied() };
        let id = self.world.next_run_id();
        let requesters = requesters::of_others(self.world, &by, Some(run), self.now);
        let created = RunEvent::Created {
            plan_hash: if is_same { run.plan_hash } else { plan.hash() },
            plan,
            by,
            seed: run.seed.to_string(),
            cause: cause(corrected),
            trace: run.trace.clone(),
            request: None,
            asked: asked.excluded,
            escalates: Box::new(asked.escalates),
            editors: Box::new(asked.editors),
            requesters,
            displaced: Box::new(displaced.guarded),
            displaced_behind: Box::new(displaced.behind),
        };
        self.emit_run(id, created);
        for (there, step) in steps {
            // What a kept step has set is there again for those that read it.
            if let Work::Set { scope: Scope::Run, .. } = &run.plan_step(there).work
                && run.step(there).state().is_done()
            {
                for (key, value) in run.step(there).outputs.clone() {
                    let (scope, owner) = (Scope::Run, id.to_string());
                    self.emit(Fact::Scope(
                        Some(id),
                        ScopeEvent::Set { scope, owner, key, value, expires_at: None, by: None },
                    ));
                }
            }
            self.emit_step(id, step, result_of(run, there, &place));
        }
    }
}

/// The gates that have asked in a run of this world, or in one that it does again.
fn asked_in(world: &World, run: &Run) -> AskedBefore {
    let (mut excluded, mut escalates) = (run.before.asked.clone(), run.before.escalates.clone());
    let mut editors = run.before.editors.clone();
    let mut people = BTreeSet::new();
    for at in (0..run.steps.len()).map(StepIx::from_index) {
        let plan = run.plan_step(at);
        for id in plan.work.frame().into_iter().flat_map(|frame| &frame.asked) {
            excluded.entry(id.clone()).or_default();
            people.insert(id.clone());
        }
        let Some(rule) = plan.work.gate() else {
            // Nobody is excluded there; that it has asked counts for what a correction may change.
            let has_asked = || run.before.asked.contains_key(&plan.id) || world.has_asked_at(run.id, at);
            if can_ask::accepts_result(plan) && has_asked() {
                excluded.entry(plan.id.clone()).or_default();
                people.insert(plan.id.clone());
            }
            continue;
        };
        let step = run.step(at);
        if step.asking.has_asked || rule.asks {
            people.insert(plan.id.clone());
        } else if step.gate.is_none() {
            continue;
        }
        // Those of the ask that was answered last: an earlier one asked about another form.
        if let Some(gate) = step.gate.and_then(|gate| world.gates.get(&gate)) {
            editors.remove(&plan.id);
            if !gate.editors.is_empty() {
                editors.insert(plan.id.clone(), gate.editors.clone());
            }
        }
        let names = excluded.entry(plan.id.clone()).or_default();
        for gate in world.gates_at(run.id, at) {
            for (name, _) in ask::forbidden(&gate.ask.excluded, run) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            if let Some(to) = &gate.ask.escalate {
                escalates.entry(plan.id.clone()).or_insert_with(|| to.clone());
            }
        }
    }
    AskedBefore {
        known: again::Asked {
            all: excluded.keys().cloned().collect(),
            people,
            displaced: run.before.displaced.clone(),
        },
        excluded,
        escalates,
        editors,
    }
}

/// True if no step would run in the new run: each keeps its result, or is left out once more for the same reason.
fn repeats_nothing(run: &Run, taken: &TakenOver) -> bool {
    let kept: BTreeSet<StepIx> = taken.steps.iter().map(|pair| pair.1).collect();
    let is_left_out = |step: StepIx| {
        let before = run.step(step);
        taken.corrected.is_none() && before.harmless && !before.by_hand && before.error.is_none()
    };
    (0..taken.plan.steps.len()).map(StepIx::from_index).all(|step| kept.contains(&step) || is_left_out(step))
}

/// The plan with the corrections; none when nothing is corrected.
fn plan_of(run: RunId, verb: &str, corrected: Option<Box<Correction>>) -> Result<Option<Plan>, Refusal> {
    let Some(corrected) = corrected else { return Ok(None) };
    let why = "its workflow is read by the owner of the workspace; ask that one".to_owned();
    let plan = corrected.plan.ok_or(Refusal::Again { run, verb: verb.to_owned(), why })?;
    Ok(Some(*plan))
}

/// The steps of the plan that keep their results. A frame is kept only with all that stands in it.
fn kept(run: &Run, from: RetryFrom) -> BTreeSet<StepIx> {
    let all = || (0..run.plan.steps.len()).map(StepIx::from_index);
    let done: BTreeSet<StepIx> = all().filter(|step| run.step(*step).state().is_done()).collect();
    let mut kept = match from {
        RetryFrom::All => BTreeSet::new(),
        RetryFrom::Failed => done,
        RetryFrom::Checkpoint => {
            let open = all()
                .filter(|step| !run.step(*step).state().is_done() && run.plan_step(*step).frame.is_none());
            let mut common: Option<BTreeSet<StepIx>> = None;
            for step in open {
                let above = ancestors(run, step);
                common = Some(match common {
                    None => above,
                    Some(so_far) => so_far.intersection(&above).copied().collect(),
                });
            }
            // Where all is done by now, by hand for instance, all of it stands.
            common.map_or(done.clone(), |common| done.intersection(&common).copied().collect())
        }
    };
    // A step in a computed matrix or an undone, reopened frame has no place in the new plan until that opens.
    let closed: Vec<StepIx> =
        kept.iter().copied().filter(|step| matches!(run.plan_step(*step).work, Work::Frame(_))).collect();
    for frame in closed {
        kept.extend(
            frame::descendants(run, frame)
                .into_iter()
                .filter(|descendant| descendant.index() < run.plan.steps.len()),
        );
    }
    kept
}

fn ancestors(run: &Run, step: StepIx) -> BTreeSet<StepIx> {
    let (mut found, mut open) = (BTreeSet::new(), vec![step]);
    while let Some(at) = open.pop() {
        for need in &run.plan_step(at).needs {
            if found.insert(*need) {
                open.push(*need);
            }
        }
    }
    found
}

/// The result of a step, for a run that takes it over, in which steps have other places.
fn result_of(run: &Run, step: StepIx, place: &dyn Fn(StepIx) -> Option<StepIx>) -> StepEvent {
    let this_step = run.step(step);
    if !run.step(step).state().is_done() {
        return StepEvent::Skipped { why: crate::Why::Kept };
    }
    let is_gate = matches!(run.plan_step(step).work, Work::Gate(_));
    let planned = run.plan.steps.len();
    let (mut released, mut released_fallbacks, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for other in run.beyond(step).into_iter().filter(|step| is_gate && step.index() < planned) {
        let approval = run.step(other).asking.approvals.iter().find(|approval| approval.gate == step);
        if let (Some(at), Some(approval)) = (place(other), approval) {
            later.extend(approval.calls.is_empty().then_some(at));
            released.extend(approval.calls.iter().map(|call| (at, *call)));
            released_fallbacks.extend(approval.fallbacks.iter().map(|(which, hash)| (at, *which, *hash)));
        }
    }
    let origin = this_step.origin.clone();
    let origin = origin.unwrap_or_else(|| Box::new(Origin { run: run.id, by: None, reason: String::new() }));
    StepEvent::Completed {
        outputs: this_step.outputs.clone(),
        confidence: this_step.confidence,
        partial: this_step.state() == StepState::Partial,
        fallback: this_step.tries.work,
        kept: true,
        released,
        released_fallbacks,
        released_later: this_step
            .facts
            .as_ref()
            .filter(|facts| is_gate && !facts.programs.is_empty())
            .map(|_| later),
        origin: Some(origin),
        // Also when its gates ask again: its undo and its check are what was approved when it was done.
        bound: if is_gate {
            this_step.facts.as_deref().cloned().map(Box::new)
        } else {
            attempt::bound_afterwards(run, step)
        },
        cached: this_step.cached.clone(),
        given: this_step.undo.called.as_ref().map(|called| Box::new(called.input.clone())),
    }
}

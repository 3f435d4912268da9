//! A call: started, ended, retried, or followed by a fallback. The intent is an event before anything
//! happens.

mod bound;
mod undo;

use crate::{
    Alternative, AttemptEvent, Choice, Fact, Failure, Outcome, Purpose, StepEvent, StepState,
    another_try::is_replaced,
    call::{self, Unresolved},
    condition::View,
    facts,
    handle::Turn,
    outcome, retry,
    run::Run,
    settle::may_start,
};
pub(super) use bound::bound_afterwards;
use bound::{bound, bound_after};
use cuelight_base::{
    AttemptId, FailureMode, Launch, RETRY_AFTER_MAX, RunId, Score, StepIx, Timestamp, ValueMap, shorten,
};
use cuelight_plan::{Amounts, ConfidenceBelow, EffectClass, PlanStep, Work};

/// The number of retries, free of charge, of a call that certainly did not start.
const NOT_STARTED_MAX: u32 = 3;

/// True if a call that did not start would not start the next moment either: a program is missing or may not
/// be executed.
/// It counts, and is retried only if the author asks for that.
const fn has_to_be_mended(mode: FailureMode) -> bool {
    matches!(mode, FailureMode::UserPermission | FailureMode::UserInvalidInput | FailureMode::PolicySecurity)
}

/// The model that is asked when this work fails, if the next work asks one.
fn next_model(plan: &PlanStep, work: u32) -> Option<&str> {
    call::work_at(plan, work)?.model()?;
    call::work_at(plan, work + 1)?.model()
}

/// The model that is asked first, if there are several.
fn chosen(plan: &PlanStep) -> Option<Choice> {
    let Work::Model(first) = &plan.work else { return None };
    next_model(plan, 0)?;
    let others = plan.fallback.iter().filter_map(Work::model);
    let others = others.map(|name| Alternative {
        name: name.to_owned(),
        score: Score(0),
        why: "asked when those before it fail".to_owned(),
    });
    Some(Choice {
        policy: "model".to_owned(),
        chosen: first.model.clone(),
        reason: first.why.clone(),
        alternatives: others.collect(),
        confidence: Score::ONE,
    })
}

/// The model that is asked when this one has failed.
fn passed_on(plan: &PlanStep, work: u32, failure: &Failure) -> Option<Choice> {
    let next = next_model(plan, work)?;
    let before = call::work_at(plan, work)?.model()?;
    let why = shorten(&format!("{before} failed with {}: {}", failure.mode, failure.message), 200);
    let passed = Alternative { name: before.to_owned(), score: Score(0), why: why.clone() };
    Some(Choice {
        policy: "model".to_owned(),
        chosen: next.to_owned(),
        reason: why,
        alternatives: vec![passed],
        confidence: Score::ONE,
    })
}

impl Turn<'_> {
    /// Makes the next call of the work at hand.
    pub(super) fn call_again(&mut self, id: RunId, step: StepIx) {
        let this_step = self.run(id).step(step);
        let purpose =
            match if this_step.tries.exhausted { this_step.tries.work + 1 } else { this_step.tries.work } {
                0 => Purpose::Step,
                fallback => Purpose::Fallback(fallback),
            };
        self.call(id, step, purpose);
    }

    /// The same for a step that does not hold a slot: it waits for one, and while the run is paused.
    pub(super) fn call_when_free(&mut self, id: RunId, step: StepIx) {
        if may_start(self.run(id), step) {
            self.call_again(id, step);
        } else {
            self.emit_step(id, step, StepEvent::Ready);
        }
    }

    /// True if the step has waited without a slot, its wait is over, and no slot is free for its call.
    pub(super) fn lacks_place(&self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        run.step(step).state() == StepState::Waiting && !may_start(run, step)
    }

    pub(super) fn call(&mut self, id: RunId, step: StepIx, purpose: Purpose) {
        if purpose == Purpose::Step && !self.is_routed(id, step) {
            return;
        }
        let run = self.run(id);
        let plan = run.plan_step(step);
        let which = match purpose {
            Purpose::Fallback(which) => which,
            Purpose::Step | Purpose::Undo | Purpose::Check => 0,
        };
        let resolved = match call::work_at(plan, which) {
            Some(work) => call::launch(View::of(self.world, run, step, self.now), work),
            None => Err(Unresolved::Failed("there is nothing to call".to_owned())),
        };
        let launch = match resolved {
            Ok(launch) => launch,
            // Facts are asked for before the first call, never in the middle of the work.
            Err(Unresolved::Needs(_)) if run.step(step).state() == StepState::Running => {
                let message = "asks for hashes of files that were not known when it began";
                return self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
            Err(why) => return self.unresolved(id, step, Vec::new(), why),
        };
        if let Some(patterns) = self.fallback_needs(id, step, purpose) {
            return self.unresolved(id, step, Vec::new(), Unresolved::Needs(patterns));
        }
        let (launch_hash, this_step) = (launch.hash(), run.step(step));
        // It waited for something else when its gate had to ask again.
        let open = run.plan_step(step).needs.iter().copied().find(|step| !run.step(*step).rests());
        if let Some(gate) = open.filter(|_| this_step.tries.calls == 0 && purpose == Purpose::Step) {
            let why = "its gate asks again".to_owned();
            return self.emit_step(id, step, StepEvent::Reopened { why, gates: vec![gate] });
        }
        let gates = this_step.asking.approvals.iter().map(|approval| approval.gate);
        let asking: Vec<StepIx> = gates.filter(|gate| !run.step(*gate).succeeded()).collect();
        if !asking.is_empty() {
            let why = "its gate asks again".to_owned();
            return self.emit_step(id, step, StepEvent::Reopened { why, gates: asking });
        }
        let of_step = matches!(purpose, Purpose::Step | Purpose::Fallback(_));
        if let Some(event) = held_above(run, step).filter(|_| of_step) {
            if is_replaced(run, step) {
                // What has been done in the workflow cannot wait for the gate.
                let message = "its fallback was not called: a gate above it asks again";
                return self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message));
            }
            return self.emit_step(id, step, event);
        }
        let differs =
            this_step.asking.approvals.iter().filter(|approval| approval.differs(purpose, launch_hash));
        let differs: Vec<StepIx> = differs.map(|differ| differ.gate).collect();
        if let Some(gate) = differs.first() {
            let why = self.differs(id, step, *gate, purpose, &launch);
            return self.reopen_at(id, step, &differs, &why);
        }
        if !self.is_of_one_tree(id, step) {
            return;
        }
        let cache_key = match self.cache_key_of(id, step, purpose) {
            Ok(key) => key,
            Err(why) => return self.unresolved(id, step, Vec::new(), why),
        };
        if cache_key.as_ref().is_some_and(|key| self.is_cached_as_bound(id, step, key, &launch))
            || self.is_over_budget(id, step)
        {
            return;
        }
        let is_claimed = launch.is_claimed();
        if is_claimed && !self.is_come_for(id, step, which, &launch) {
            return self.waits_for_agent(id, step, which, &launch);
        }
        if of_step && self.lacks_place(id, step) {
            return self.emit_step(id, step, StepEvent::Ready);
        }
        if let Some(target) = launch.target_in(self.world.project_of(id))
            && self.is_held_back(id, step, which, &target)
        {
            return;
        }
        let run = self.run(id);
        let plan = run.plan_step(step);
        let bound = bound(run, step, purpose, &launch);
        let (number, class) = (run.step(step).tries.attempts + 1, plan.effect);
        let (effect_key, charge) = (call::effect_key(run, step, "step"), call::charge(run, step, &launch));
        let first = run.step(step).tries.attempts == 0 && purpose == Purpose::Step;
        if let Some(choice) = chosen(plan).filter(|_| first) {
            self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
        }
        let launch = Box::new(launch);
        let started = AttemptEvent::Started {
            purpose,
            launch,
            launch_hash,
            effect_key,
            class,
            charge,
            bound,
            cache_key,
        };
        self.emit(Fact::Attempt(id, step, number, started));
        self.claimed = is_claimed.then_some(AttemptId { run: id, step, number });
        self.warn_of_budget(id, step);
    }

    /// The file patterns that the fallbacks of a step need before it begins.
    fn fallback_needs(&self, id: RunId, step: StepIx, purpose: Purpose) -> Option<Vec<Vec<String>>> {
        let run = self.run(id);
        if purpose != Purpose::Step || run.step(step).state() == StepState::Running {
            return None;
        }
        let view = View::of(self.world, run, step, self.now);
        run.plan_step(step).fallback.iter().find_map(|work| match call::launch(view, work) {
            Err(Unresolved::Needs(patterns)) => Some(patterns),
            Ok(_) | Err(Unresolved::Failed(_) | Unresolved::Programs(_)) => None,
        })
    }

    /// A call has ended.
    pub(super) fn attempt_ended(&mut self, attempt: AttemptId, ended: Outcome) {
        let AttemptId { run, step, number } = attempt;
        let purpose = self.purpose(run, step);
        // What a check finds out about an earlier call is no use of its own; that call stays as charged.
        let usage = self.run(run).used(step, &ended.outputs).filter(|_| purpose != Some(Purpose::Check));
        let ended = Outcome { usage, ..ended };
        match purpose {
            Some(Purpose::Undo) => self.undo_ended(run, step, number, ended),
            Some(Purpose::Check) => self.check_ended(run, step, number, ended),
            Some(Purpose::Step | Purpose::Fallback(_)) => self.work_ended(run, step, number, ended),
            None => {}
        }
        if !self.run(run).state.rests() {
            self.warn_of_budget(run, step);
        }
    }

    fn work_ended(&mut self, id: RunId, step: StepIx, number: u32, ended: Outcome) {
        let run = self.run(id);
        let plan = run.plan_step(step).clone();
        let (this_step, ending) = (run.step(step), run.is_ending());
        let (calls, work, not_started) =
            (this_step.tries.calls, this_step.tries.work, this_step.tries.not_started);
        let (cancelled, seed) = (run.ending.cancelling || run.ending.timed_out, run.seed);
        let failure = match &ended.failure {
            Some(failure) => failure.clone(),
            None => match self.judge_result(id, step, &plan, &ended.outputs) {
                Err(failure) => failure,
                Ok(result) => {
                    self.emit_ended(id, step, number, ended, None);
                    let is_poor = matches!(result.below, Some(ConfidenceBelow::Gate | ConfidenceBelow::Fail));
                    if let Some(why) = self.run(id).step(step).ending.clone().filter(|_| is_poor) {
                        return self.ended_as(id, step, why);
                    }
                    if !self.is_held(id, step, &result) {
                        self.keep_result(id, step, &result);
                        self.complete(id, step, result.outputs.clone(), Some(result));
                    }
                    return;
                }
            },
        };
        let free = not_started < NOT_STARTED_MAX && !has_to_be_mended(failure.mode);
        if let Some(why) = self.run(id).step(step).ending.clone() {
            self.emit_ended(id, step, number, ended, None);
            return self.ended_as(id, step, why);
        }
        let failure = Failure { not_started: failure.not_started && free, ..failure };
        let ended = Outcome { failure: Some(failure.clone()), ..ended };
        if !ended.changed.is_empty() && !ending {
            let changed = ended.changed.clone();
            self.emit_ended(id, step, number, ended, None);
            return self.reopen(id, step, &changed, &facts::sentence(&changed));
        }
        if cancelled {
            self.emit_ended(id, step, number, ended, None);
            let why = self.run(id).why_ending();
            return self.emit_step(id, step, StepEvent::Cancelled { why });
        }
        if failure.not_started && !ending {
            self.emit_ended(id, step, number, ended, None);
            return self.call_again(id, step);
        }
        if ended.may_have_happened && !ending && plan.effect.must_not_repeat() {
            self.emit_ended(id, step, number, ended, None);
            return match plan.effect {
                EffectClass::Queryable => self.call_check(id, step, &failure.message),
                _ => self.emit_step(id, step, StepEvent::InDoubt { evidence: failure.message }),
            };
        }
        let asked = ended.retry_after.unwrap_or_default();
        // A model that has no time now hands over to the next one at once.
        let hands_over = failure.mode == FailureMode::PolicyRateLimit && next_model(&plan, work).is_some();
        let retry = plan.retry.as_ref().filter(|_| !ending && !hands_over && asked <= RETRY_AFTER_MAX);
        if let Some(policy) = retry.filter(|retry| retry::may_try_again(Some(retry), calls, failure.mode)) {
            let at = self.now + retry::delay(policy, calls, seed, step).max(asked);
            return self.emit_ended(id, step, number, ended, Some(at));
        }
        self.emit_ended(id, step, number, ended, None);
        if call::work_at(&plan, work + 1).is_some() && !ending && failure.mode != FailureMode::UserCancelled {
            if let Some(choice) = passed_on(&plan, work, &failure) {
                self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
            }
            return self.call(id, step, Purpose::Fallback(work + 1));
        }
        self.fail_step(id, step, &failure);
    }

    /// Records the end of a call, and its result at the call's target.
    fn emit_ended(
        &mut self,
        id: RunId,
        step: StepIx,
        number: u32,
        outcome: Outcome,
        retry_at: Option<Timestamp>,
    ) {
        let target = self.world.targets.called_by((id, step));
        let failure = outcome.failure.clone();
        let ended = AttemptEvent::Ended { outcome: Box::new(outcome), retry_at };
        self.emit(Fact::Attempt(id, step, number, ended));
        if let Some(target) = target {
            self.note_call(&target, id, step, failure.as_ref());
        }
    }

    /// Judges the outputs of a call: their confidence, and the usage that a budget can read from them.
    fn judge_result(
        &self,
        id: RunId,
        step: StepIx,
        plan: &PlanStep,
        outputs: &ValueMap,
    ) -> Result<outcome::Result, Failure> {
        let run = self.run(id);
        let result = outcome::judge(plan, call::tool_at(run, step, run.step(step).tries.work), outputs)?;
        run.unreadable_use(step, outputs).map_or(Ok(result), Err)
    }

    /// Asks the world whether an effect that may have happened did.
    pub(super) fn call_check(&mut self, id: RunId, step: StepIx, evidence: &str) {
        let run = self.run(id);
        let plan = run.plan_step(step);
        let view = View::of(self.world, run, step, self.now);
        let launch = plan.check.as_ref().map(|work| call::launch(view, work));
        let Some(Ok(launch)) = launch.filter(|launch| !launch.as_ref().is_ok_and(Launch::is_claimed)) else {
            return self.emit_step(id, step, StepEvent::InDoubt { evidence: evidence.to_owned() });
        };
        let bound = bound_after(run, step, Purpose::Check);
        let started = AttemptEvent::Started {
            purpose: Purpose::Check,
            launch_hash: launch.hash(),
            launch: Box::new(launch),
            effect_key: call::effect_key(run, step, "check"),
            class: EffectClass::Pure,
            charge: Amounts::default(),
            bound,
            cache_key: None,
        };
        let number = run.step(step).tries.attempts + 1;
        self.emit(Fact::Attempt(id, step, number, started));
    }

    fn check_ended(&mut self, id: RunId, step: StepIx, number: u32, ended: Outcome) {
        let (code, outputs, changed) = (ended.exit_code, ended.outputs.clone(), ended.changed.clone());
        self.emit_ended(id, step, number, ended, None);
        match code {
            Some(0) => {
                let plan = self.run(id).plan_step(step).clone();
                match outcome::judge(&plan, call::tool_at(self.run(id), step, 0), &outputs) {
                    Ok(result) => self.complete(id, step, result.outputs.clone(), Some(result)),
                    Err(failure) => self.fail_step(id, step, &failure),
                }
            }
            Some(1) => match self.run(id).why_over(step) {
                Some(why) => self.ended_as(id, step, why),
                None => self.call_again(id, step),
            },
            _ => {
                if let Some(why) = self.run(id).step(step).ending.clone() {
                    return self.ended_as(id, step, why);
                }
                let cut = "a crash interrupted it, and its check";
                let evidence = if changed.is_empty() {
                    format!("{cut} could not tell whether it happened")
                } else {
                    format!(
                        "{cut} did not run: {}; restore the file or resolve the step",
                        facts::sentence(&changed)
                    )
                };
                self.emit_step(id, step, StepEvent::InDoubt { evidence });
            }
        }
    }
}

/// The event for a step that was ready, due for a retry, or next in line after a gate above it began to ask
/// again.
/// The step waits for that gate, or is skipped as it would have been behind a gate that was refused from the
/// start.
pub(super) fn held_above(run: &Run, step: StepIx) -> Option<StepEvent> {
    let gates = run.unapproved_above(step);
    let asks = gates.iter().any(|gate| !run.step(*gate).rests());
    let why = if asks { "a gate above it asks again" } else { "a gate above it was refused" };
    (!gates.is_empty()).then(|| StepEvent::Reopened { why: why.to_owned(), gates })
}

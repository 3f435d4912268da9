//! A call: started, ended, retried, or followed by a fallback. The intent is an event before anything
//! happens.

use crate::{
    Alternative, AttemptEvent, Choice, Fact, Facts, Failure, FileFact, Outcome, Purpose, StepEvent,
    StepState, UndoEvent, WillRun,
    another_try::is_replaced,
    call::{self, Unresolved},
    condition::View,
    facts,
    handle::Turn,
    outcome, retry,
    run::Run,
    settle::may_start,
};
use cuelight_base::{
    AttemptId, Digest, FailureMode, Launch, Program, RETRY_AFTER_MAX, RunId, Score, Severity, Span, StepIx,
    Timestamp, UNDO_ATTEMPTS_MAX, ValueMap, shorten,
};
use cuelight_plan::{Amounts, ConfidenceBelow, EffectClass, PlanStep, Retry, RetryKind, Work};

/// The number of retries, free of charge, of a call that certainly did not start.
const NOT_STARTED_MAX: u32 = 3;

/// The retry of a failing undo: O5's defaults.
const UNDO_RETRY: Retry = Retry {
    max_attempts: UNDO_ATTEMPTS_MAX,
    kind: RetryKind::Exponential,
    delay: Span::seconds(1),
    factor_thousandths: 2000,
    max_delay: Span::seconds(60),
    jitter: Score(1000),
    on: Vec::new(),
};

/// True if a call that did not start would not start the next moment either: a program is missing or may not
/// be executed.
/// It counts, and is retried only if the author asks for that.
const fn has_to_be_mended(mode: FailureMode) -> bool {
    matches!(mode, FailureMode::UserPermission | FailureMode::UserInvalidInput | FailureMode::PolicySecurity)
}

/// The captured workspace in which a step runs next.
fn bound_tree(run: &Run, step: StepIx) -> Option<Box<Facts>> {
    let gate = run.trees_above(step).last()?.0;
    run.step(gate).facts.as_ref()?.only_tree()
}

/// The files that the undo and the check of a step are bound to: those that its approvals have shown, and the
/// captured workspace in which it ran.
/// A gate that asks again by then, or was refused, changes neither: nobody approved the files that are there
/// now.
fn bound_after(run: &Run, step: StepIx, purpose: Purpose, launch: &Launch) -> Option<Box<Facts>> {
    let mut all = Facts { programs: bound_programs(run, step, purpose, launch), ..Facts::default() };
    let tree = run.step(step).ran_in.clone().or_else(|| bound_tree(run, step));
    all.programs.extend(tree.into_iter().flat_map(|tree| tree.programs));
    (!all.is_empty()).then(|| Box::new(all))
}

/// The files that the gates right before a step were approved with, and those it executes, where a gate has
/// shown them.
fn bound(run: &Run, step: StepIx, purpose: Purpose, launch: &Launch) -> Option<Box<Facts>> {
    let mut all = Facts::default();
    for gate in run.gates_before(step) {
        if let Some(facts) = &run.step(gate).facts {
            all.extend(facts);
        }
    }
    all.programs = bound_programs(run, step, purpose, launch);
    all.programs.extend(bound_tree(run, step).into_iter().flat_map(|bound_tree| bound_tree.programs));
    (!all.is_empty()).then(|| Box::new(all))
}

/// The files that a call executes, as the approvals of its step have shown them.
fn bound_programs(
    run: &Run,
    step: StepIx,
    purpose: Purpose,
    launch: &Launch,
) -> Vec<(Program, Vec<FileFact>)> {
    let approvals = &run.step(step).approvals;
    let mut programs: Vec<(Program, Vec<FileFact>)> = Vec::new();
    if approvals.iter().all(|approval| approval.facts.as_ref().is_none_or(|facts| facts.programs.is_empty()))
    {
        return programs;
    }
    let chosen = run.step(step).chosen.as_ref().filter(|_| purpose == Purpose::Step);
    let known = call::known_programs(run, step, purpose, chosen);
    for approval in approvals {
        let Some(facts) = &approval.facts else { continue };
        let knows = approval.knows(purpose);
        let own = call::program_at(run, step, approval.gate, launch);
        let of_call = || facts.shown_of(&own);
        let of_words = || known.iter().map(|program| facts.shown_of(program)).find(|pairs| !pairs.is_empty());
        let is_own = knows || purpose == Purpose::Step;
        let shown = match of_call() {
            shown if knows && !shown.is_empty() => shown,
            shown => of_words().unwrap_or_else(|| shown.into_iter().filter(|_| is_own).collect()),
        };
        for (of, files) in shown {
            // What a step in between has yet to write was not there to be approved.
            let is_there = files.iter().filter(|file| file.is_bound()).all(|file| file.digest.is_some());
            let shown = (Program { later: !knows, ..of.clone() }, files.clone());
            let counts = knows || is_there && call::names_files(of, files);
            if counts && !programs.contains(&shown) {
                programs.push(shown);
            }
        }
    }
    programs
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
        let purpose = match if this_step.exhausted { this_step.work + 1 } else { this_step.work } {
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
        if let Some(gate) = open.filter(|_| this_step.calls == 0 && purpose == Purpose::Step) {
            let why = "its gate asks again".to_owned();
            return self.emit_step(id, step, StepEvent::Reopened { why, gates: vec![gate] });
        }
        let gates = this_step.approvals.iter().map(|approval| approval.gate);
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
        let differs = this_step.approvals.iter().filter(|approval| approval.differs(purpose, launch_hash));
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
        if cache_key.as_ref().is_some_and(|cache_key| self.is_cached(id, step, cache_key))
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
        let (number, class) = (run.step(step).attempts + 1, plan.effect);
        let (effect_key, charge) = (call::effect_key(run, step, "step"), call::charge(run, step, &launch));
        let first = run.step(step).attempts == 0 && purpose == Purpose::Step;
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

    /// True if all gates above a step have captured the same workspace.
    /// A gate behind another one that captured asks again, and then shows the same workspace. If two gates do
    /// not know of each other, nobody can say which workspace is meant.
    fn is_of_one_tree(&mut self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        let trees = run.trees_above(step);
        if trees.windows(2).all(|pair| pair[0].1 == pair[1].1) {
            return true;
        }
        let differs =
            |tree: &&(StepIx, Digest)| run.tree_before(tree.0).is_some_and(|before| before != tree.1);
        let differing: Vec<StepIx> = trees.iter().filter(differs).map(|tree| tree.0).collect();
        if differing.is_empty() {
            let message =
                "two gates before it have captured different workspaces; let one of the gates need the other";
            self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message.to_owned()));
        } else {
            self.reopen_at(id, step, &differing, "the gate before it has captured the workspace anew");
        }
        false
    }

    /// The difference between a call and the one that people saw.
    fn differs(&self, id: RunId, step: StepIx, gate: StepIx, purpose: Purpose, launch: &Launch) -> String {
        let run = self.run(id);
        let gate = run.step(gate).gate;
        let ask = gate.and_then(|gate| self.world.gates.get(&gate)).map(|gate| &gate.ask);
        let id = &run.plan_step(step).id;
        let tool = |launch: &Launch| launch.tool.as_ref().map(|tool| tool.id());
        let is_it = |will_run: &&WillRun| {
            will_run.step == *id
                && match purpose {
                    Purpose::Fallback(_) => !will_run.fallback.is_empty(),
                    _ => will_run.choice.is_empty() || tool(&will_run.launch) == tool(launch),
                }
        };
        let shown = ask.and_then(|ask| ask.will_run.iter().find(is_it));
        let seen = match purpose {
            Purpose::Fallback(which) => shown
                .and_then(|will_run| {
                    will_run.fallback.iter().find(|will_fall_back| will_fall_back.number == which)
                })
                .map(|will_fall_back| &will_fall_back.launch),
            Purpose::Step | Purpose::Undo | Purpose::Check => shown.map(|will_run| &will_run.launch),
        };
        let parts = seen.map(|value| call::differences(value, launch)).unwrap_or_default();
        let where_it_is = if parts.is_empty() { String::new() } else { format!(", at {}", parts.join(", ")) };
        format!("what {id} would run is not what was approved{where_it_is}")
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
        let (calls, work, not_started) = (this_step.calls, this_step.work, this_step.not_started);
        let (cancelled, seed) = (run.cancelling || run.timed_out, run.seed);
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
        let result = outcome::judge(plan, call::tool_at(run, step, run.step(step).work), outputs)?;
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
        let bound = bound_after(run, step, Purpose::Check, &launch);
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
        let number = run.step(step).attempts + 1;
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

    /// Makes the next call of an undo.
    pub(super) fn undo_call(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let plan = run.plan_step(step);
        let did = run.step(step).did.as_deref().map(|did| (step, &did.outputs));
        let view = View { supposed: did, ..View::of(self.world, run, step, self.now) };
        let resolved = match call::undo_work(plan) {
            Some(work) => call::launch(view, work),
            None => Err(Unresolved::Failed("there is no undo".to_owned())),
        };
        let resolved = match resolved {
            Ok(launch) if launch.is_claimed() => Err(Unresolved::Failed(
                "no agent that comes by itself undoes anything; give its undo a command".to_owned(),
            )),
            other => other,
        };
        match resolved {
            Ok(launch) => {
                let bound = bound_after(run, step, Purpose::Undo, &launch);
                let started = AttemptEvent::Started {
                    purpose: Purpose::Undo,
                    launch_hash: launch.hash(),
                    launch: Box::new(Launch { artifacts: Vec::new(), ends_with_console: false, ..launch }),
                    effect_key: call::effect_key(run, step, "undo"),
                    class: EffectClass::Idempotent,
                    charge: Amounts::default(),
                    bound,
                    cache_key: None,
                };
                let number = run.step(step).attempts + 1;
                self.emit(Fact::Attempt(id, step, number, started));
            }
            Err(why) => {
                let message = match why {
                    Unresolved::Failed(message) => message,
                    Unresolved::Needs(_) | Unresolved::Programs(_) => {
                        "its undo asks for hashes of files, which is not possible".to_owned()
                    }
                };
                self.stick(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    fn undo_ended(&mut self, id: RunId, step: StepIx, number: u32, ended: Outcome) {
        let run = self.run(id);
        let (calls, seed) = (run.step(step).undo_calls, run.seed);
        // What was approved is not there any more: nothing that comes by itself brings it back.
        let changed = (!ended.changed.is_empty()).then(|| {
            let message = format!(
                "{}; restore it and run `cuelight run settle-undo --again`, or undo it by hand",
                facts::sentence(&ended.changed)
            );
            outcome::failure(FailureMode::PolicySecurity, message)
        });
        let may_go_well = changed.is_none() && calls < UNDO_RETRY.max_attempts;
        let failure = changed.or_else(|| ended.failure.clone());
        let again = failure.is_some() && may_go_well;
        let retry_at = again.then(|| self.now + retry::delay(&UNDO_RETRY, calls, seed, step));
        self.emit_ended(id, step, number, ended, retry_at);
        match failure {
            None => self.emit(Fact::Undo(id, step, UndoEvent::Done { by: None })),
            Some(_) if again => {}
            Some(failure) => self.stick(id, step, &failure),
        }
    }

    fn stick(&mut self, id: RunId, step: StepIx, failure: &Failure) {
        let mut record = outcome::record(self.run(id).plan_step(step), failure, Severity::Critical);
        record.message = format!("could not be undone: {}", record.message);
        self.emit(Fact::Undo(id, step, UndoEvent::Stuck { record }));
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

//! Targets: what calls go to, by name. Each has a circuit breaker, a bucket of calls that it takes, and a
//! line of steps that wait until it takes calls again; they hold no slot. When a circuit opens and closes is
//! reckoned in `base`.

use crate::{
    Alternative, AttemptEvent, Choice, Fact, Failure, Purpose, StepEvent, TargetEvent, TargetHold,
    WaitReason, call, handle::Turn, outcome, route::Past, run::Run,
};
use cuelight_base::{
    BreakerRule, Bucket, Circuit, Empty, FailureMode, ROUTE_CALLS_MAX, ROUTE_TOOLS_MAX, RateRule,
    RoutePolicy, RunId, Score, Span, StepIx, Timestamp, WhenOpen, shorten, tool_of_target,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A step of a run.
type At = (RunId, StepIx);

/// The place of a step in a line: the more urgent first, then the earlier.
type Place = (Reverse<i32>, Timestamp, At);

/// Why a step waits, and until when, where that is known.
type Said = (TargetHold, Option<Timestamp>);

/// All targets that are not as if nobody had ever called them.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    known: BTreeMap<String, Target>,
    /// Calls under way, each with its target.
    calls: BTreeMap<At, String>,
    waits: BTreeMap<At, (String, Place)>,
    due: BTreeSet<(Timestamp, String)>,
    /// Targets that may take a call now.
    pub(super) touched: BTreeSet<String>,
    /// Steps that wait for any of several targets, and by target the same.
    wants: BTreeMap<At, Vec<String>>,
    wanted: BTreeMap<String, BTreeSet<At>>,
    /// The record of calls by tool, for the choice of candidates.
    calls_of: Arc<BTreeMap<String, Arc<Calls>>>,
    /// Choices made so far.
    turns: u64,
}

/// The last calls of a tool.
#[derive(Clone, Debug, Default)]
struct Calls {
    /// The success and the time in milliseconds of each call.
    last: VecDeque<(bool, u64)>,
    /// When one of several was chosen and it was this, counted over all choices.
    turn: u64,
    at: Timestamp,
}

#[derive(Clone, Debug, Default)]
struct Target {
    circuit: Circuit,
    /// Number of calls under way.
    in_flight: u32,
    bucket: Bucket,
    /// The waiting steps, each with the hold that it was told.
    line: BTreeMap<Place, Said>,
}

impl Targets {
    pub(super) fn apply(&mut self, name: &str, event: &TargetEvent) {
        self.change(name, |target| match event {
            TargetEvent::Taken { bucket, .. } => target.bucket = bucket.clone(),
            event => target.circuit = event.circuit().unwrap_or(target.circuit),
        });
    }

    /// A step waits for a target, or does so no longer.
    pub(super) fn apply_step(&mut self, at: At, priority: i32, now: Timestamp, event: &StepEvent) {
        if let StepEvent::Routed { choice } = event {
            if RoutePolicy::ALL.iter().any(|policy| policy.word() == choice.policy) {
                self.turns += 1;
                let turn = self.turns;
                self.remember(&choice.chosen, now, |calls| calls.turn = turn);
            }
            return;
        }
        self.leave_call(at);
        self.leave_candidates(at);
        if let StepEvent::Waiting { reason: WaitReason::Candidates { names, .. } } = event {
            let names: Vec<String> = names.iter().map(|name| name.0.clone()).collect();
            for name in &names {
                self.wanted.entry(name.clone()).or_default().insert(at);
            }
            self.wants.insert(at, names);
        }
        let before = self.leave_line(at);
        if let StepEvent::Waiting { reason: WaitReason::Target { name, hold, until } } = event {
            // Who has waited there already keeps the place.
            let kept = before.filter(|leave_line| leave_line.0 == *name).map(|leave_line| leave_line.1);
            let place = kept.unwrap_or((Reverse(priority), now, at));
            self.waits.insert(at, (name.clone(), place));
            self.change(name, |target| {
                target.line.insert(place, (*hold, *until));
            });
        }
    }

    /// A call has begun, in a run of this project, or it has ended.
    pub(super) fn apply_attempt(
        &mut self,
        at: At,
        now: Timestamp,
        event: &AttemptEvent,
        project: Option<&str>,
    ) {
        if let AttemptEvent::Ended { outcome, .. } = event
            && let Some(tool) = self.calls.get(&at).map(|call| remembered_as(call).to_owned())
            && outcome
                .failure
                .as_ref()
                .is_none_or(|failure| !failure.not_started && failure.mode.blames_target())
            && tool.contains('@')
        {
            let call = (outcome.failure.is_none(), outcome.ran_for.0);
            self.remember(&tool, now, |calls| {
                calls.last.push_back(call);
                if calls.last.len() > ROUTE_CALLS_MAX {
                    calls.last.pop_front();
                }
            });
        }
        match event {
            AttemptEvent::Started { launch, .. } => {
                self.leave_line(at);
                self.leave_candidates(at);
                if let Some(name) = launch.target_in(project) {
                    self.change(&name, |target| target.in_flight += 1);
                    self.calls.insert(at, name);
                }
            }
            AttemptEvent::Ended { .. } | AttemptEvent::Lost { .. } => self.leave_call(at),
            AttemptEvent::Adopted { .. } => {}
        }
    }

    fn leave_call(&mut self, at: At) {
        if let Some(name) = self.calls.remove(&at) {
            self.change(&name, |target| target.in_flight = target.in_flight.saturating_sub(1));
        }
    }

    fn leave_candidates(&mut self, at: At) {
        for name in self.wants.remove(&at).unwrap_or_default() {
            if let Some(steps) = self.wanted.get_mut(&name) {
                steps.remove(&at);
                if steps.is_empty() {
                    self.wanted.remove(&name);
                }
            }
        }
    }

    /// Changes the record of a tool; when there are too many, the record of the tool that was called the
    /// longest ago is forgotten.
    fn remember(&mut self, tool: &str, now: Timestamp, change: impl FnOnce(&mut Calls)) {
        let all = Arc::make_mut(&mut self.calls_of);
        if all.len() >= ROUTE_TOOLS_MAX && !all.contains_key(tool) {
            let oldest = all.iter().min_by_key(|entry| entry.1.at).map(|entry| entry.0.clone());
            oldest.map(|oldest| all.remove(&oldest));
        }
        let call = Arc::make_mut(all.entry(tool.to_owned()).or_default());
        call.at = now;
        change(call);
    }

    /// The record of the last calls of a tool.
    pub(super) fn past_of(&self, tool: &str) -> Past {
        let Some(call) = self.calls_of.get(tool) else { return Past::default() };
        let done = || call.last.iter().filter(|pair| pair.0);
        let succeeded = done().count() as u64;
        let total = done().fold(0_u64, |sum, pair| sum.saturating_add(pair.1));
        let mean_ms = total.checked_div(succeeded).unwrap_or(0);
        Past { calls: call.last.len() as u64, succeeded, mean_ms }
    }

    /// When a tool was chosen last, counted over all choices; 0 for never.
    pub(super) fn turn_of(&self, tool: &str) -> u64 {
        self.calls_of.get(tool).map_or(0, |call| call.turn)
    }

    /// Calls under way to a target, and steps that wait in its line.
    pub(super) fn under_way(&self, name: &str) -> u64 {
        self.known.get(name).map_or(0, |target| u64::from(target.in_flight) + target.line.len() as u64)
    }

    /// True if a step waits for any of several targets.
    pub(super) fn waits_for_any(&self, at: At) -> bool {
        self.wants.contains_key(&at)
    }

    fn leave_line(&mut self, at: At) -> Option<(String, Place)> {
        let (name, place) = self.waits.remove(&at)?;
        self.change(&name, |target| {
            target.line.remove(&place);
        });
        Some((name, place))
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut Target)) {
        let target = self.known.entry(name.to_owned()).or_default();
        let was_due = target.due();
        change(target);
        let (is_due, is_plain) = (target.due(), target.is_plain());
        if was_due != is_due {
            was_due.map(|was_due| self.due.remove(&(was_due, name.to_owned())));
            is_due.map(|moment| self.due.insert((moment, name.to_owned())));
        }
        if is_plain {
            self.known.remove(name);
        }
        if !is_plain || self.wanted.contains_key(name) {
            self.touched.insert(name.to_owned());
        }
    }

    /// When one of them has to be looked at without being asked.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<String> {
        self.due.first().filter(|(at, _)| *at <= now).map(|pair| pair.1.clone())
    }

    /// The target of the call of this step that is under way.
    pub(super) fn called_by(&self, at: At) -> Option<String> {
        self.calls.get(&at).cloned()
    }

    fn circuit(&self, name: &str) -> Circuit {
        self.known.get(name).map(|target| target.circuit).unwrap_or_default()
    }

    fn bucket(&self, name: &str) -> Bucket {
        self.known.get(name).map(|target| target.bucket.clone()).unwrap_or_default()
    }

    /// The next step at a target, with the hold that it was told.
    fn first_of(&self, name: &str) -> Option<(Place, Said)> {
        self.known.get(name)?.line.first_key_value().map(|(place, said)| (*place, *said))
    }

    /// Steps that wait for any of several targets.
    pub(super) fn wanting(&self) -> impl Iterator<Item = At> {
        self.wants.keys().copied()
    }

    /// Runs in which steps wait for a target, or for any of several.
    pub(super) fn waiting(&self) -> impl Iterator<Item = RunId> {
        self.waits.keys().chain(self.wants.keys()).map(|at| at.0)
    }

    /// As far as it concerns these runs.
    pub(super) fn only(&self, runs: &BTreeSet<RunId>) -> Self {
        let mut targets = self.clone();
        let others: Vec<At> = self.waits.keys().filter(|at| !runs.contains(&at.0)).copied().collect();
        for at in others {
            targets.leave_line(at);
        }
        let others: Vec<At> = self.wants.keys().filter(|at| !runs.contains(&at.0)).copied().collect();
        for at in others {
            targets.leave_candidates(at);
        }
        // Those who have left here are waiting still.
        targets.touched.clone_from(&self.touched);
        targets
    }

    /// Why a call of this step has to wait, and until when, if it has to.
    fn hold(&self, name: &str, at: At, rate: Option<&RateRule>, now: Timestamp) -> Option<Said> {
        let target = self.known.get(name)?;
        match target.circuit {
            Circuit::Open { until } => return Some((TargetHold::Circuit, Some(until))),
            Circuit::HalfOpen { .. } if target.in_flight > 0 => return Some((TargetHold::Trial, None)),
            Circuit::HalfOpen { .. } | Circuit::Closed { .. } => {}
        }
        let empty = rate.and_then(|rate| target.bucket.is_empty(rate, now));
        if let Some(Empty::Quota(until)) = empty {
            return Some((TargetHold::Quota, Some(until)));
        }
        if target.line.first_key_value().is_some_and(|(first, _)| first.2 != at) {
            // Behind so many others, each of whom takes one token.
            let before = i64::try_from(target.line.keys().take_while(|place| place.2 != at).count())
                .unwrap_or(i64::MAX);
            let each = rate.map(RateRule::interval_us).unwrap_or_default();
            let after = Span(u64::try_from(before.saturating_mul(each) / 1000).unwrap_or(0));
            let until = empty.map(|(Empty::Rate(at) | Empty::Quota(at))| at + after);
            return Some((TargetHold::Line, until));
        }
        empty.map(|empty| match empty {
            Empty::Rate(at) => (TargetHold::Rate, Some(at)),
            Empty::Quota(at) => (TargetHold::Quota, Some(at)),
        })
    }
}

impl Target {
    fn due(&self) -> Option<Timestamp> {
        match self.circuit {
            Circuit::Open { until } => Some(until),
            Circuit::Closed { .. } | Circuit::HalfOpen { .. } => {
                self.line.first_key_value().and_then(|(_, said)| said.1)
            }
        }
    }

    /// True if nothing has to be remembered of it.
    fn is_plain(&self) -> bool {
        self.circuit == Circuit::default()
            && self.in_flight == 0
            && self.line.is_empty()
            && self.bucket == Bucket::default()
    }
}

impl Run {
    /// When the circuit of a target opens and closes.
    fn breaker_of(&self, target: &str) -> BreakerRule {
        let of_model = self.plan.model_of_target(target).map(|model| model.breaker);
        of_model
            .or_else(|| self.plan.tool(tool_of_target(target)).map(|tool| tool.breaker))
            .unwrap_or_default()
    }

    /// The rate limit of a target.
    fn rate_of(&self, target: &str) -> Option<&RateRule> {
        match self.plan.model_of_target(target) {
            Some(model) => model.rate.as_ref(),
            None => self.plan.tool(tool_of_target(target))?.rate.as_ref(),
        }
    }
}

impl Turn<'_> {
    /// True if the target of a call takes none now. Then the step waits for it, or continues with its fallback,
    /// if it has one; or it has failed, if nothing may wait for that target.
    pub(super) fn is_held_back(&mut self, id: RunId, step: StepIx, which: u32, target: &str) -> bool {
        let Some((hold, until)) = self.hold(target, (id, step)) else {
            if let Some(rate) = self.run(id).rate_of(target).cloned() {
                let bucket = self.world.targets.bucket(target).take(&rate, self.now);
                self.emit(Fact::Target(target.to_owned(), TargetEvent::Taken { bucket, rate }));
            }
            return false;
        };
        if matches!(hold, TargetHold::Circuit | TargetHold::Trial | TargetHold::Quota) {
            let run = self.run(id);
            let message = held_words(target, hold, until);
            let next = call::work_at(run.plan_step(step), which + 1)
                .map(|work| work.tool().or(work.model()).map(str::to_owned));
            if let Some(next) = next.filter(|_| !run.is_ending()) {
                let choice = pass_over(target, next, which + 1, message);
                self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
                self.call(id, step, Purpose::Fallback(which + 1));
                return true;
            }
            if run.breaker_of(target).when_open == WhenOpen::Fail && hold != TargetHold::Quota {
                self.fail_step(id, step, &outcome::failure(FailureMode::ResourceCircuit, message));
                return true;
            }
        }
        let reason = WaitReason::Target { name: target.to_owned(), hold, until };
        self.emit_step(id, step, StepEvent::Waiting { reason });
        true
    }

    /// A call has ended: the breaker of its target counts it.
    pub(super) fn note_call(&mut self, target: &str, run: RunId, step: StepIx, failure: Option<&Failure>) {
        if failure.is_some_and(|failure| failure.not_started || !failure.mode.blames_target()) {
            return;
        }
        let before = self.world.targets.circuit(target);
        let rule = self.run(run).breaker_of(target);
        let after = before.after_call(&rule, failure.is_none(), self.now);
        if before == after {
            return;
        }
        let event = match after {
            Circuit::Open { until } => {
                let mode = failure.map_or("", |failure| failure.mode.word());
                let reason = match before {
                    Circuit::HalfOpen { .. } => format!("it was tried and failed again with {mode}"),
                    Circuit::Closed { .. } | Circuit::Open { .. } => {
                        format!("{} calls in a row failed, the last with {mode}", rule.failures)
                    }
                };
                TargetEvent::Opened { until, reason, run, step }
            }
            Circuit::HalfOpen { successes } => TargetEvent::Succeeded { successes },
            Circuit::Closed { .. } if matches!(before, Circuit::HalfOpen { .. }) => {
                TargetEvent::Closed { reason: format!("{} calls in a row succeeded", rule.successes) }
            }
            Circuit::Closed { failures } => TargetEvent::Counted { failures },
        };
        self.emit(Fact::Target(target.to_owned(), event));
    }

    /// Why a target is no candidate now, if it is none.
    pub(super) fn not_now(&self, target: &str, at: At) -> Option<String> {
        let (hold, until) = self.hold(target, at)?;
        matches!(hold, TargetHold::Circuit | TargetHold::Trial | TargetHold::Quota)
            .then(|| held_words(target, hold, until))
    }

    /// When the day is over whose quota a target has used up.
    pub(super) fn quota_until(&self, target: &str, at: At) -> Option<Timestamp> {
        self.hold(target, at).filter(|said| said.0 == TargetHold::Quota)?.1
    }

    fn hold(&self, target: &str, at: At) -> Option<Said> {
        let rate = self.run(at.0).rate_of(target);
        self.world.targets.hold(target, at, rate, self.now)
    }

    /// Time has come for a target: after a while its circuit lets one call through, and a bucket has one more
    /// token.
    pub(super) fn target_due(&mut self, target: &str) {
        match self.world.targets.circuit(target) {
            Circuit::Open { .. } => self.emit(Fact::Target(target.to_owned(), TargetEvent::HalfOpened)),
            Circuit::Closed { .. } | Circuit::HalfOpen { .. } => self.let_through(target),
        }
    }

    /// Lets the steps that wait for a target make their calls, one after the other, as long as the target
    /// takes any.
    pub(super) fn let_through(&mut self, target: &str) {
        self.let_line_through(target);
        let any: Vec<At> = self.world.targets.wanted.get(target).into_iter().flatten().copied().collect();
        for at in any {
            if self.not_now(target, at).is_none() {
                self.call_when_free(at.0, at.1);
            }
        }
    }

    fn let_line_through(&mut self, target: &str) {
        loop {
            let Some((first, said)) = self.world.targets.first_of(target) else { return };
            let at = first.2;
            if let Some((hold, until)) = self.hold(target, at) {
                // Who is first now is told when its turn comes; so it is looked at again then, and not before.
                if (hold, until) != said {
                    let reason = WaitReason::Target { name: target.to_owned(), hold, until };
                    self.emit_step(at.0, at.1, StepEvent::Waiting { reason });
                }
                return;
            }
            self.call_when_free(at.0, at.1);
            let next = self.world.targets.first_of(target).map(|pair| pair.0);
            assert!(next != Some(first), "fault: {at:?} still waits for {target}, which takes calls");
        }
    }
}

/// The name under which the calls of a target are remembered, to choose by: the tool, for all hosts of its
/// requests. For an agent that a project has to itself, it is the agent of that project.
pub(super) fn remembered_as(target: &str) -> &str {
    target.split_once(" at ").map_or(target, |halves| halves.0)
}

/// Why a target takes no call, as a sentence.
fn held_words(target: &str, hold: TargetHold, until: Option<Timestamp>) -> String {
    match until {
        Some(until) if hold == TargetHold::Quota => {
            format!("{target} takes no more calls on this day, until {until}")
        }
        Some(until) => format!("the circuit of {target} is open until {}", until.clock()),
        None => format!("the circuit of {target} is half open, and it is being tried"),
    }
}

/// A fallback is taken because the target before it takes no calls.
fn pass_over(target: &str, next: Option<String>, which: u32, reason: String) -> Choice {
    let passed = Alternative { name: target.to_owned(), score: Score(0), why: reason.clone() };
    Choice {
        policy: "fallback".to_owned(),
        chosen: next.unwrap_or_else(|| format!("fallback {which}")),
        reason: shorten(&reason, 200),
        alternatives: vec![passed],
        confidence: Score::ONE,
    }
}

//! Invariants of called tools and of results that stand for a call: circuits, buckets and quotas, choices,
//! kept results. Computed from the journal and from the author's plan, in another way than the engine
//! computes them; all else is in `checks`.

use crate::checks::{At, Broken, Checks, ensure};
use cuelight_base::{BreakerRule, RateRule, RoutePolicy, RunId, Score, StepIx, Timestamp};
use cuelight_engine::{AttemptEvent, CacheEvent, Purpose, StepEvent, TargetEvent};
use cuelight_plan::{Plan, PlanTool};
use std::collections::BTreeSet;

/// The state of a called tool: its circuit as the author wrote it, and the calls counted so far.
#[derive(Default)]
pub(crate) struct Target {
    /// Calls in a row that failed.
    failures: u32,
    open_until: Option<Timestamp>,
    /// Calls in a row that succeeded since it is tried again.
    tried: Option<u32>,
    flying: BTreeSet<At>,
    /// When each call began.
    begun: Vec<Timestamp>,
}

impl Target {
    /// I26: none is called while its circuit is open, and one at a time when it is tried again.
    fn may_be_called(&self, name: &str) -> Result<(), Broken> {
        ensure(self.open_until.is_none(), || format!("I26 {name} is called and its circuit is open"))?;
        ensure(self.tried.is_none() || self.flying.is_empty(), || {
            format!("I26 {name} is tried with {:?} in flight", self.flying)
        })
    }

    /// I27: in no stretch of time more calls than a bucket that was full at its beginning, and no more on a day than it takes.
    fn within_rate(&self, name: &str, rate: &RateRule, now: Timestamp) -> Result<(), Broken> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let today = self.begun.iter().filter(|moment| moment.0 / DAY_MS == now.0 / DAY_MS).count() as u64;
        ensure(rate.per_day.is_none_or(|most| today < most), || {
            format!("I27 {name} takes call {} of the day", today + 1)
        })?;
        let each = rate.per.0 / u64::from(rate.calls.max(1));
        for (at, from) in self.begun.iter().enumerate() {
            let calls = (self.begun.len() - at) as u64 + 1;
            let most = u64::from(rate.burst) + now.since(*from).0 / each.max(1);
            ensure(calls <= most, || format!("I27 {name} takes {calls} calls in {}", now.since(*from)))?;
        }
        Ok(())
    }

    fn ended(&mut self, rule: &BreakerRule, succeeded: bool, now: Timestamp) {
        let opens = match (self.open_until, self.tried) {
            (Some(_), _) => false,
            (None, Some(_)) if !succeeded => true,
            (None, Some(tried)) => {
                self.tried = Some(tried + 1).filter(|number| *number < rule.successes);
                false
            }
            (None, None) => {
                self.failures = if succeeded { 0 } else { self.failures + 1 };
                self.failures >= rule.failures
            }
        };
        if opens {
            (self.open_until, self.failures, self.tried) = (Some(now + rule.open_for), 0, None);
        }
    }
}

/// When the circuit of a target opens, as the author wrote it: of a tool, or of a model.
fn breaker(plan: &Plan, target: &str) -> Option<BreakerRule> {
    let of_model = || {
        let name = target.strip_prefix("model ")?;
        plan.models.iter().find(|model| model.name == name).map(|model| model.breaker)
    };
    plan.tool(target).map(|tool| tool.breaker).or_else(of_model)
}

/// A result that may stand for a step: its key, and until when.
pub(crate) struct Kept {
    key: String,
    until: Option<Timestamp>,
}

impl Checks {
    /// I25: by priority and by capability none is chosen while a better one takes calls, and none that takes no calls.
    pub(crate) fn routed(&mut self, id: RunId, step: StepIx, event: &StepEvent) -> Result<(), Broken> {
        let StepEvent::Routed { choice } = event else {
            // What is being ended is still being called.
            if !matches!(event, StepEvent::Ending { .. }) {
                self.lands((id, step));
            }
            return Ok(());
        };
        let Some(run) = self.runs.get(&id) else { return Ok(()) };
        let Some(route) = run.plan.steps.get(step.index()).and_then(|step| step.work.route()) else {
            return Ok(());
        };
        let tool = |name: &str| run.plan.tool(name);
        let worth = |name: &str| match route.policy {
            RoutePolicy::Priority => tool(name).map(|tool| tool.priority),
            RoutePolicy::Capability => {
                let has = |tool: &PlanTool| {
                    route.wants.iter().filter(|want| tool.capabilities.contains(want)).count()
                };
                tool(name).map(|tool| i32::try_from(has(tool)).unwrap_or(0))
            }
            RoutePolicy::RoundRobin
            | RoutePolicy::LeastLoaded
            | RoutePolicy::Manual
            | RoutePolicy::Learned => None,
        };
        if choice.policy != route.policy.word() || route.policy == RoutePolicy::Manual {
            return Ok(());
        }
        let open = |name: &str| self.targets.get(name).is_some_and(|target| target.open_until.is_some());
        ensure(!open(&choice.chosen), || {
            format!("I25 {id} {step:?} chooses {}, whose circuit is open", choice.chosen)
        })?;
        let better = choice.alternatives.iter().find(|alternative| {
            alternative.score > Score(0) && worth(&alternative.name) > worth(&choice.chosen)
        });
        ensure(better.is_none(), || {
            format!("I25 {id} {step:?} chooses {} by {}, and not {better:?}", choice.chosen, choice.policy)
        })
    }

    /// A call begins, or has ended.
    pub(crate) fn called(&mut self, at: At, event: &AttemptEvent, now: Timestamp) -> Result<(), Broken> {
        match event {
            AttemptEvent::Adopted { .. } => {}
            AttemptEvent::Started { launch, purpose, .. } => {
                let key = (*purpose == Purpose::Step).then(|| self.key_now(at, now)).flatten();
                let run = self.runs.get_mut(&at.0).ok_or("I6 a run that was never created")?;
                run.steps[at.1.index()].key = key;
                let Some(name) = launch.target() else { return Ok(()) };
                let rate = run.plan.tool(&name).and_then(|tool| tool.rate.clone());
                let target = self.targets.entry(name.clone()).or_default();
                target.may_be_called(&name)?;
                if let Some(rate) = rate {
                    target.within_rate(&name, &rate, now)?;
                }
                target.begun.push(now);
                target.flying.insert(at);
                self.calls.insert(at, name);
            }
            AttemptEvent::Ended { outcome, .. } => {
                let Some(name) = self.lands(at) else { return Ok(()) };
                let rule = self.runs.get(&at.0).and_then(|run| breaker(&run.plan, &name));
                let failure = outcome.failure.as_ref();
                let counts =
                    failure.is_none_or(|failure| !failure.not_started && failure.mode.blames_target());
                if let (Some(rule), true) = (rule, counts) {
                    self.targets.entry(name).or_default().ended(&rule, failure.is_none(), now);
                }
            }
            AttemptEvent::Lost { .. } => drop(self.lands(at)),
        }
        Ok(())
    }

    /// A call is under way no more: what it went to.
    fn lands(&mut self, at: At) -> Option<String> {
        let name = self.calls.remove(&at)?;
        if let Some(target) = self.targets.get_mut(&name) {
            target.flying.remove(&at);
        }
        Some(name)
    }

    /// I26: a circuit opens when the author said so, for as long as that, and is tried again after that.
    pub(crate) fn target(&mut self, name: &str, event: &TargetEvent, now: Timestamp) -> Result<(), Broken> {
        let target = self.targets.entry(name.to_owned()).or_default();
        match event {
            TargetEvent::Opened { until, .. } => ensure(target.open_until == Some(*until), || {
                format!("I26 the circuit of {name} opens until {until}, not {:?}", target.open_until)
            }),
            TargetEvent::HalfOpened => {
                let in_time = target.open_until.is_some_and(|open_until| open_until <= now);
                ensure(in_time, || format!("I26 {name} is tried at {now}, not {:?}", target.open_until))?;
                (target.open_until, target.tried) = (None, Some(0));
                Ok(())
            }
            TargetEvent::Counted { .. }
            | TargetEvent::Succeeded { .. }
            | TargetEvent::Taken { .. }
            | TargetEvent::Closed { .. } => Ok(()),
        }
    }

    /// The key of a step as it is now, where its results are kept.
    fn key_now(&self, at: At, now: Timestamp) -> Option<String> {
        self.runs.get(&at.0)?.plan.steps.get(at.1.index())?.cache.as_ref()?;
        let value = self.shared("k", now).map_or_else(String::new, |shared| shared.0.to_string());
        Some(format!("k{value}"))
    }

    /// I28: a result stands for a step whose key it has, as long as the author said, and until somebody clears it.
    pub(crate) fn cached(&mut self, event: &CacheEvent, now: Timestamp) -> Result<(), Broken> {
        match event {
            CacheEvent::Stored { id, key, run, step, .. } => {
                let of = self.runs.get(run).ok_or("I28 a result of no run")?;
                let at = of
                    .plan
                    .steps
                    .iter()
                    .position(|plan| plan.id == *step)
                    .ok_or("I28 a result of no step")?;
                let asked = &of.steps[at].key;
                ensure(asked.as_ref() == Some(key), || {
                    format!("I28 {run} {step} was called for {asked:?} and is kept as {key}")
                })?;
                let ttl = of.plan.steps[at].cache.as_ref().and_then(|cache| cache.ttl);
                let until = ttl.map(|ttl| now + ttl);
                self.cache.insert(*id, Kept { key: key.clone(), until });
            }
            CacheEvent::Used { id, key, run, step } => {
                let now_key = self.key_now((*run, *step), now);
                ensure(now_key.as_ref() == Some(key), || {
                    format!("I28 {run} {step:?} asks for {now_key:?} and is given {key}")
                })?;
                let stands = |kept: &Kept| kept.key == *key && kept.until.is_none_or(|until| until > now);
                ensure(self.cache.get(id).is_some_and(stands), || {
                    format!("I28 {run} {step:?} is given a result of {key} that stands no more")
                })?;
            }
            CacheEvent::Cleared { key: Some(key), .. } => self.cache.retain(|_, kept| kept.key != *key),
            CacheEvent::Cleared { key: None, .. } | CacheEvent::Reset { .. } => self.cache.clear(),
        }
        Ok(())
    }
}

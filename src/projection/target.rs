//! Targets of calls as they can be seen: where their breakers are, and who waits for them.

use crate::{Board, Check, Grade};
use cuelight_base::{Bucket, Circuit, RateRule, RunId, StepIx, Timestamp, Value, counted};
use cuelight_engine::TargetEvent;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// The state of one target of calls: a tool with its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetView {
    /// The circuit of its breaker.
    pub circuit: Circuit,
    /// The time since which the circuit is in this state.
    pub since: Timestamp,
    /// Why, in a sentence; empty while its circuit was never open.
    pub reason: String,
    /// The calls counted against its rate; none when the rate is not limited.
    pub taken: Option<(Bucket, RateRule)>,
}

impl TargetView {
    /// The state in words that follow its name: `has an open circuit, tried again in 12s: 5 calls in a row
    /// failed`.
    pub fn words(&self, now: Timestamp) -> String {
        match self.circuit {
            Circuit::Open { until } => {
                format!("has an open circuit, tried again in {}: {}", until.since(now), self.reason)
            }
            Circuit::HalfOpen { successes } => {
                format!("has a half open circuit, {successes} succeeded since: {}", self.reason)
            }
            Circuit::Closed { failures: 0 } => {
                self.taken_words(now).unwrap_or_else(|| "takes calls".to_owned())
            }
            Circuit::Closed { failures } => format!("takes calls, {failures} failed in a row"),
        }
    }

    /// The rest of its rate and its daily quota: `2 of 5 calls left for now, 71 of 100 made on 2026-08-01`.
    pub fn taken_words(&self, now: Timestamp) -> Option<String> {
        let (bucket, rate) = self.taken.as_ref()?;
        let left = format!("{} of {} calls left for now", bucket.left(rate, now), rate.burst);
        let made = rate.per_day.map(|quota| format!("{} of {quota} made on {}", bucket.used, bucket.day));
        let left = (rate.calls > 0).then_some(left);
        Some(left.into_iter().chain(made).collect::<Vec<_>>().join(", "))
    }

    /// True if its circuit is closed.
    pub const fn takes_calls(&self) -> bool {
        matches!(self.circuit, Circuit::Closed { .. })
    }

    pub(super) fn json(&self, name: &str, waiting: usize) -> Value {
        let mut out = json!({ "name": name, "circuit": self.circuit.word(), "waiting": waiting });
        match self.circuit {
            Circuit::Open { until } => out["until"] = json!(until),
            Circuit::HalfOpen { successes } => out["successes"] = successes.into(),
            Circuit::Closed { failures } => out["failures"] = failures.into(),
        }
        if let Some((bucket, rate)) = &self.taken {
            out["rate"] = json!(rate);
            out["taken"] = json!(bucket);
        }
        if !self.reason.is_empty() {
            out["reason"] = self.reason.as_str().into();
        }
        out
    }
}

impl Board {
    /// Targets of which something is to be said, by name.
    pub fn targets(&self) -> impl Iterator<Item = (&str, &TargetView)> {
        self.targets.iter().map(|(name, target)| (name.as_str(), target))
    }

    /// A target of which something is to be said.
    pub fn target(&self, name: &str) -> Option<&TargetView> {
        self.targets.get(name)
    }

    /// Steps that wait for a target.
    pub fn waiting_for(&self, name: &str) -> impl Iterator<Item = (RunId, StepIx)> {
        self.held_back.iter().filter(move |entry| entry.1 == name).map(|entry| *entry.0)
    }

    pub(super) fn apply_target(&mut self, name: &str, at: Timestamp, event: &TargetEvent) {
        let targets: &mut BTreeMap<String, TargetView> = Arc::make_mut(&mut self.targets);
        let target = targets.entry(name.to_owned()).or_default();
        let before = target.circuit.word();
        target.circuit = event.circuit().unwrap_or(target.circuit);
        if target.circuit.word() != before {
            target.since = at;
        }
        match event {
            TargetEvent::Opened { reason, .. } => target.reason.clone_from(reason),
            TargetEvent::Closed { .. } => target.reason.clear(),
            TargetEvent::Taken { bucket, rate } => target.taken = Some((bucket.clone(), rate.clone())),
            TargetEvent::Counted { .. } | TargetEvent::HalfOpened | TargetEvent::Succeeded { .. } => {}
        }
        if target.circuit == Circuit::default() && target.taken.is_none() {
            targets.remove(name);
        }
    }

    pub(super) fn target_check(&self, now: Timestamp) -> Check {
        let is_held = |(name, target): &(&str, &TargetView)| {
            !target.takes_calls() || self.waiting_for(name).next().is_some()
        };
        let mut open: Vec<_> = self.targets().filter(is_held).collect();
        open.sort_by_key(|(_, target)| target.takes_calls());
        let Some((name, first)) = open.first() else {
            return Check::of("targets", Grade::Healthy, "every target takes calls");
        };
        let waiting: usize = open.iter().map(|(name, _)| self.waiting_for(name).count()).sum();
        let more = if open.len() > 1 { format!("; {} more", open.len() - 1) } else { String::new() };
        let wait = match waiting {
            0 => String::new(),
            many => format!(", {} for it", counted(many, "step waits", "steps wait")),
        };
        Check::of("targets", Grade::Degraded, format!("{name} {}{wait}{more}", first.words(now)))
    }
}

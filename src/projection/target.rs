//! Targets of calls as they can be seen: where their breakers are, and what is left of their rates.

use cuelight_base::{Bucket, Circuit, RateRule, Timestamp};
use cuelight_engine::TargetEvent;
use std::collections::BTreeMap;

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
}

/// Notes what became of a target; of one as it was at first there is nothing to be said.
pub(super) fn note(
    targets: &mut BTreeMap<String, TargetView>,
    name: &str,
    at: Timestamp,
    event: &TargetEvent,
) {
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

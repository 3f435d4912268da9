//! Results and durations of one workflow, kind of step or tool.

use super::durations::{Durations, Percentiles};
use crate::{Health, Results};
use cuelight_base::{FailureMode, Score, Timestamp};
use cuelight_engine::StepState;
use std::{collections::BTreeMap, sync::Arc};

/// The same for one workflow or one kind of step.
pub(super) const OWN_DURATIONS_MAX: usize = 128;
/// Workflows, and kinds of steps, that are told apart; the one that ran longest ago goes first.
pub(super) const TALLIES_MAX: usize = 1_000;

/// The tally of one workflow, or of one kind of step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The results of the last steps.
    pub results: Results,
    /// Results that were good, partly good, and not.
    pub done: u64,
    /// The number of results that were partly good.
    pub partial: u64,
    /// The number of results that were not good.
    pub failed: u64,
    /// The number of calls that ended.
    pub calls: u64,
    /// Runs of the workflow that came to rest; steps of the kind that did.
    pub ended: u64,
    /// When it last ran.
    pub last_at: Timestamp,
    /// When it last failed, and why.
    pub last_failure: Option<(Timestamp, FailureMode)>,
    /// Millionths of a dollar that its calls say they have cost.
    pub spent_micro_usd: u64,
    /// Confidences of its results: their sum, and how many.
    pub(super) confidences: (u64, u64),
    /// Its own quality scores: their sum, and how many.
    pub(super) said: (u64, u64),
    pub(super) durations: Durations,
}

/// The mean of scores that are kept as their sum and number.
fn mean((sum, count): (u64, u64)) -> Option<Score> {
    (count > 0).then(|| Score(u16::try_from(sum / count).unwrap_or(u16::MAX)))
}

impl Tally {
    /// The mean confidence in its results.
    pub fn confidence(&self) -> Option<Score> {
        mean(self.confidences)
    }

    /// The mean of its own quality scores; none when it gave none.
    pub fn said(&self) -> Option<Score> {
        mean(self.said)
    }

    /// The durations of its last runs or steps.
    pub fn took(&self) -> Option<Percentiles> {
        self.durations.percentiles(Timestamp(i64::MIN))
    }

    /// 100 · quality of its last results.
    pub fn health(&self) -> Health {
        self.results.health()
    }

    pub(super) fn result(&mut self, at: Timestamp, state: StepState, mode: Option<FailureMode>) {
        self.last_at = at;
        match state {
            StepState::Completed => self.done += 1,
            StepState::Partial => self.partial += 1,
            _ => {
                self.failed += 1;
                self.last_failure = mode.map(|mode| (at, mode));
            }
        }
        self.results.push(state);
    }
}

/// The tallies by name.
pub(super) type Tallies = Arc<BTreeMap<Arc<str>, Arc<Tally>>>;

pub(super) fn tally<'a>(tallies: &'a mut Tallies, name: &str) -> &'a mut Tally {
    let all = Arc::make_mut(tallies);
    if all.len() >= TALLIES_MAX
        && !all.contains_key(name)
        && let Some(oldest) =
            all.iter().min_by_key(|(_, tally)| tally.last_at).map(|(key, _)| Arc::clone(key))
    {
        all.remove(&oldest);
    }
    if !all.contains_key(name) {
        all.insert(name.into(), Arc::default());
    }
    Arc::make_mut(all.get_mut(name).expect("just put there"))
}

//! Lessons from failures: counts for each worker and type, the most common failures, and the remedies with
//! their success. They are kept long after the failures themselves are gone.

use crate::{ErrorView, Fix};
use cuelight_base::{ErrorKind, FailureMode};
use std::{collections::BTreeMap, sync::Arc};

/// Kinds of failures, and workers, that are remembered; those seen longest ago go first.
const LESSONS_MAX: usize = 2_000;

/// The number of times that the same step failed in the same way, including this time, and the remedies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alike {
    /// The number of these failures.
    pub times: u32,
    /// The number of these failures before this one.
    pub before: u32,
    /// The number of them that were mended.
    pub mended: u32,
    /// The remedy of the last one; none when none was mended.
    pub last_fix: Option<String>,
    /// The remedies, each with the number of failures it mended; the most successful comes first.
    pub fixes: Vec<(&'static str, u32)>,
    seen: u64,
}

/// The failures of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// The number of its failures.
    pub times: u32,
    /// The failures counted by type.
    pub types: BTreeMap<ErrorKind, u32>,
    /// The failures counted by failure mode.
    pub modes: BTreeMap<FailureMode, u32>,
    seen: u64,
}

impl Worker {
    /// Its most common failure, and how often that was; of equals the first in the order of the design.
    pub fn most_common(&self) -> Option<(FailureMode, u32)> {
        let most = self.modes.iter().max_by_key(|(mode, times)| (**times, std::cmp::Reverse(**mode)));
        most.map(|(mode, times)| (*mode, *times))
    }
}

/// The key of similar failures: workflow, step, mode.
type Kind = (Arc<str>, String, FailureMode);

/// The key of a worker: workflow, source.
type Source = (Arc<str>, String);

/// All that was learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lessons {
    kinds: Arc<BTreeMap<Kind, Arc<Alike>>>,
    workers: Arc<BTreeMap<Source, Arc<Worker>>>,
    types: BTreeMap<ErrorKind, u32>,
}

impl Lessons {
    pub(super) fn alike(&self, error: &ErrorView) -> Alike {
        self.kinds.get(&kind_of(error)).map(|kind| (**kind).clone()).unwrap_or_default()
    }

    pub(super) fn worker(&self, error: &ErrorView) -> Option<&Worker> {
        self.workers.get(&worker_of(error)).map(|worker| &**worker)
    }

    pub(super) const fn types(&self) -> &BTreeMap<ErrorKind, u32> {
        &self.types
    }

    /// Counts a new failure.
    pub(super) fn learn(&mut self, error: &ErrorView) {
        *self.types.entry(error.record.error_type).or_default() += 1;
        let kinds = Arc::make_mut(&mut self.kinds);
        let alike = Arc::make_mut(kinds.entry(kind_of(error)).or_default());
        (alike.times, alike.seen) = (alike.times + 1, error.id.0);
        if kinds.len() > LESSONS_MAX
            && let Some(oldest) = kinds.iter().min_by_key(|(_, kind)| kind.seen).map(|(key, _)| key.clone())
        {
            kinds.remove(&oldest);
        }
        let workers = Arc::make_mut(&mut self.workers);
        let worker = Arc::make_mut(workers.entry(worker_of(error)).or_default());
        (worker.times, worker.seen) = (worker.times + 1, error.id.0);
        *worker.types.entry(error.record.error_type).or_default() += 1;
        *worker.modes.entry(error.record.mode).or_default() += 1;
        if workers.len() > LESSONS_MAX
            && let Some(oldest) =
                workers.iter().min_by_key(|(_, worker)| worker.seen).map(|(key, _)| key.clone())
        {
            workers.remove(&oldest);
        }
    }

    /// Removes the lesson of a failure as it was, because it failed in another way or is open again.
    pub(super) fn unlearn(&mut self, error: &ErrorView) {
        if let Some(times) = self.types.get_mut(&error.record.error_type) {
            *times = times.saturating_sub(1);
        }
        if let Some(alike) = Arc::make_mut(&mut self.kinds).get_mut(&kind_of(error)) {
            let alike = Arc::make_mut(alike);
            alike.times = alike.times.saturating_sub(1);
        }
        if let Some(worker) = Arc::make_mut(&mut self.workers).get_mut(&worker_of(error)) {
            let worker = Arc::make_mut(worker);
            worker.times = worker.times.saturating_sub(1);
            take_one(&mut worker.types, error.record.error_type);
            take_one(&mut worker.modes, error.record.mode);
        }
    }

    /// It was mended. What `on-error` allows is not.
    pub(super) fn mended(&mut self, error: &ErrorView, fix: &Fix) {
        let (Some(word), Some(alike)) =
            (fix.remedy(), Arc::make_mut(&mut self.kinds).get_mut(&kind_of(error)))
        else {
            return;
        };
        let alike = Arc::make_mut(alike);
        alike.mended += 1;
        alike.last_fix = Some(fix.words());
        match alike.fixes.iter_mut().find(|(text, _)| *text == word) {
            Some((_, times)) => *times += 1,
            None => alike.fixes.push((word, 1)),
        }
        alike.fixes.sort_by_key(|(word, times)| (std::cmp::Reverse(*times), *word));
    }

    /// It was not mended after all.
    pub(super) fn reopened(&mut self, error: &ErrorView, fix: &Fix) {
        let (Some(word), Some(alike)) =
            (fix.remedy(), Arc::make_mut(&mut self.kinds).get_mut(&kind_of(error)))
        else {
            return;
        };
        let alike = Arc::make_mut(alike);
        alike.mended = alike.mended.saturating_sub(1);
        if let Some((_, times)) = alike.fixes.iter_mut().find(|(text, _)| *text == word) {
            *times = times.saturating_sub(1);
        }
        alike.fixes.retain(|(_, times)| *times > 0);
        alike.last_fix = alike.last_fix.take().filter(|last_fix| *last_fix != fix.words());
    }
}

/// True if the same step failed in the same way.
pub(super) fn are_alike(one: &ErrorView, other: &ErrorView) -> bool {
    kind_of(one) == kind_of(other)
}

fn kind_of(error: &ErrorView) -> Kind {
    let step = if error.of_undo { format!("undo of {}", error.step_id) } else { error.step_id.clone() };
    (Arc::clone(&error.workflow), step, error.record.mode)
}

fn worker_of(error: &ErrorView) -> Source {
    (Arc::clone(&error.workflow), error.record.source.clone())
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    if let Some(times) = counts.get_mut(&key) {
        *times = times.saturating_sub(1);
    }
    counts.retain(|_, times| *times > 0);
}

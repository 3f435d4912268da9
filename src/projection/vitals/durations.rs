//! The last durations of calls or runs, and their percentiles.

use cuelight_base::{Span, Timestamp};
use std::collections::VecDeque;

/// The last durations of one sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Durations(VecDeque<(Timestamp, u64)>);

impl Durations {
    pub(super) fn push(&mut self, at: Timestamp, span: Span, most: usize) {
        if self.0.len() == most {
            self.0.pop_front();
        }
        self.0.push_back((at, span.0));
    }

    /// The p50, p95 and p99 of the durations that ended since then, by nearest rank.
    pub(super) fn percentiles(&self, since: Timestamp) -> Option<Percentiles> {
        let mut all: Vec<u64> = self.0.iter().filter(|(at, _)| *at >= since).map(|(_, ms)| *ms).collect();
        all.sort_unstable();
        let rank = |percent: usize| {
            let at = (all.len() * percent).div_ceil(100).max(1) - 1;
            all.get(at).copied().map(Span)
        };
        Some(Percentiles { p50: rank(50)?, p95: rank(95)?, p99: rank(99)?, count: all.len() })
    }
}

/// Percentiles of durations: half of them are at most `p50`, 95 of 100 at most `p95`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of them took at most so long.
    pub p50: Span,
    /// 95 of 100 took at most this long.
    pub p95: Span,
    /// 99 of 100 took at most this long.
    pub p99: Span,
    /// The number of durations.
    pub count: usize,
}

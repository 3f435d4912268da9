//! Counts of events over time: one beat for each step of a period.

use crate::Health;
use cuelight_base::{Span, Timestamp};
use std::collections::VecDeque;

/// Over how long is looked back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// Five minutes, in steps of 5 s.
    Minutes,
    /// An hour, in steps of a minute.
    Hour,
    /// A day, in steps of 15 minutes.
    #[default]
    Day,
}

impl Period {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Minutes, Self::Hour, Self::Day];

    /// The length of the period.
    pub const fn span(self) -> Span {
        Span(self.step_ms() * self.steps() as u64)
    }

    /// Its word: `5m`, `1h`, `24h`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minutes => "5m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }

    /// The next longer one; after the longest comes the shortest.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Minutes => Self::Hour,
            Self::Hour => Self::Day,
            Self::Day => Self::Minutes,
        }
    }

    pub(super) const fn step_ms(self) -> u64 {
        match self {
            Self::Minutes => 5_000,
            Self::Hour => 60_000,
            Self::Day => 900_000,
        }
    }

    /// In how many steps it is counted.
    pub const fn steps(self) -> usize {
        match self {
            Self::Minutes | Self::Hour => 60,
            Self::Day => 96,
        }
    }
}

/// The counts of one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// The number of events.
    pub events: u32,
    /// Results that were good.
    pub done: u32,
    /// Results that were partly good.
    pub partial: u32,
    /// Results that were not.
    pub failed: u32,
    /// The number of calls that ended.
    pub calls: u32,
    /// The number of these calls that failed.
    pub calls_failed: u32,
    /// The sum of their running times, in milliseconds.
    pub calls_ms: u64,
    /// Runs that came to rest.
    pub runs: u32,
    /// The number of these runs that failed.
    pub runs_failed: u32,
    /// Steps of the runs that came to rest.
    pub steps: u64,
    /// The number of gates that closed.
    pub gates: u32,
    /// Steps that ran at once, at most.
    pub running: u32,
    /// Steps that could run and had no slot, at most.
    pub ready: u32,
    /// The health at its end; nothing before the first result.
    pub health: Option<Health>,
}

/// The last stretches of one length. Time that goes backwards is counted where the log is: its order is what counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beats {
    period: Period,
    /// The number of the last one since 1970.
    last: i64,
    each: VecDeque<Beat>,
}

impl Beats {
    pub(super) const fn of(period: Period) -> Self {
        Self { period, last: 0, each: VecDeque::new() }
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.0.div_euclid(i64::try_from(self.period.step_ms()).expect("a step is short"))
    }

    pub(super) fn now(&mut self, at: Timestamp) -> &mut Beat {
        let number = self.number(at);
        if self.each.is_empty() {
            self.last = number;
        }
        let steps = self.period.steps();
        let health = self.each.back().and_then(|beat| beat.health);
        let quiet = Beat { health, ..Beat::default() };
        let missing = usize::try_from(number.saturating_sub(self.last)).unwrap_or(0);
        let missing = if self.each.is_empty() { 1 } else { missing.min(steps) };
        for _ in 0..missing {
            if self.each.len() == steps {
                self.each.pop_front();
            }
            self.each.push_back(quiet);
        }
        self.last = self.last.max(number);
        self.each.back_mut().expect("one was put there")
    }

    /// The stretches up to now, oldest first; those of which nothing is known are left out at the beginning.
    pub(super) fn until(&self, now: Timestamp) -> Vec<Beat> {
        let Some(newest) = self.each.back() else { return Vec::new() };
        let steps = self.period.steps();
        let since = usize::try_from(self.number(now).saturating_sub(self.last)).unwrap_or(0).min(steps);
        let quiet = Beat { health: newest.health, ..Beat::default() };
        let all = self.each.iter().copied().chain(std::iter::repeat_n(quiet, since));
        let skip = (self.each.len() + since).saturating_sub(steps);
        all.skip(skip).collect()
    }
}

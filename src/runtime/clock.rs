//! The only reader of time. Everything else is told what time it is, so that a replay sees the same.

use cuelight_base::{Span, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// Source of the current time.
pub trait Clock: Clone + Send + Sync + 'static {
    /// By the calendar; may be set back and forth.
    fn now(&self) -> Timestamp;

    /// Time since the machine booted, including sleep; it never goes back. Used for durations.
    fn uptime(&self) -> Span;
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Microseconds since some moment, never going back: for what is too short for [`Clock::uptime`]. What is drawn or decided
    /// does not depend on it.
    pub fn microseconds(self) -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        let us = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000);
        u64::try_from(us).unwrap_or(0)
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn uptime(&self) -> Span {
        #[cfg(target_os = "linux")]
        let time = clock_gettime(ClockId::Boottime);
        #[cfg(not(target_os = "linux"))]
        let time = clock_gettime(ClockId::Monotonic);
        let ms = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
        Span(u64::try_from(ms).unwrap_or(0))
    }
}

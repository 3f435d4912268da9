//! A token bucket with a quota of the day: how many calls a target takes. Arithmetic alone: whose calls they
//! are and who waits is for `engine`.
//!
//! A bucket that is full holds `burst` tokens and gets one more every so often. Kept is the instant at which
//! it is full again, in microseconds, so that no rate is rounded away.

use crate::{Span, Timestamp, cron::next_scheduled};
use serde::{Deserialize, Serialize};

/// The limits on the rate of calls to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateRule {
    /// The number of calls in `per`; 0 means no limit.
    pub calls: u32,
    /// The time in which `calls` calls are allowed.
    pub per: Span,
    /// The number of calls at once when none was made for a while.
    pub burst: u32,
    /// The number of calls on one day; none for no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u64>,
    /// The time zone in which a day begins: `Europe/Paris`.
    pub timezone: String,
}

impl Default for RateRule {
    fn default() -> Self {
        Self { calls: 0, per: Span::seconds(1), burst: 1, per_day: None, timezone: "UTC".to_owned() }
    }
}

/// The usage of a bucket so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// When it is full again: microseconds since 1970.
    pub full_at_us: i64,
    /// The day that is counted, `2026-01-31` in its zone.
    pub day: String,
    /// Calls on that day.
    pub used: u64,
}

/// Why a bucket gives no token, and when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Calls come too fast.
    Rate(Timestamp),
    /// The quota of the day is used up.
    Quota(Timestamp),
}

impl RateRule {
    /// The time it takes to get one token, in microseconds; 0 without a rate.
    pub fn interval_us(&self) -> i64 {
        let per = i64::try_from(self.per.0).unwrap_or(i64::MAX).saturating_mul(1000);
        per.checked_div(i64::from(self.calls)).unwrap_or(0).max(i64::from(self.calls > 0))
    }
}

impl Bucket {
    /// The reason why no token can be taken now; none when one can.
    pub fn is_empty(&self, rule: &RateRule, now: Timestamp) -> Option<Empty> {
        if let (Some(quota), day) = (rule.per_day, self.day_now(rule, now))
            && self.used_on(&day) >= quota
        {
            let next = next_scheduled("0 0 * * *", &rule.timezone, now).ok().flatten();
            return Some(Empty::Quota(next.unwrap_or(now + Span::seconds(24 * 3600))));
        }
        let spare = i64::from(rule.burst.max(1) - 1).saturating_mul(rule.interval_us());
        let ready = self.full_at(rule, now).saturating_sub(spare);
        (ready > us(now))
            .then(|| Empty::Rate(Timestamp(ready.div_euclid(1000) + i64::from(ready.rem_euclid(1000) > 0))))
    }

    /// Returns the bucket after one call.
    #[must_use]
    pub fn take(&self, rule: &RateRule, now: Timestamp) -> Self {
        let day = self.day_now(rule, now);
        let full_at = self.full_at(rule, now).max(us(now)).saturating_add(rule.interval_us());
        Self { full_at_us: full_at, used: self.used_on(&day).saturating_add(1), day }
    }

    /// Tokens that are in it now.
    pub fn left(&self, rule: &RateRule, now: Timestamp) -> u32 {
        let missing = self.full_at(rule, now).saturating_sub(us(now)).max(0);
        let tokens = missing.checked_div(rule.interval_us()).unwrap_or(0)
            + i64::from(missing.checked_rem(rule.interval_us()).unwrap_or(0) > 0);
        rule.burst.saturating_sub(u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    /// When it is full; never later than an empty one would be, also after the clock was set back.
    fn full_at(&self, rule: &RateRule, now: Timestamp) -> i64 {
        let latest = i64::from(rule.burst.max(1)).saturating_mul(rule.interval_us());
        self.full_at_us.min(us(now).saturating_add(latest))
    }

    /// The day it is; never one that is over, also when the clock was set back.
    fn day_now(&self, rule: &RateRule, now: Timestamp) -> String {
        let zone: chrono_tz::Tz = rule.timezone.parse().unwrap_or(chrono_tz::Tz::UTC);
        let day = now.to_utc().with_timezone(&zone).format("%Y-%m-%d").to_string();
        if rule.per_day.is_some() && day < self.day { self.day.clone() } else { day }
    }

    /// Calls on a day.
    pub fn used_on(&self, day: &str) -> u64 {
        if self.day == day { self.used } else { 0 }
    }
}

const fn us(at: Timestamp) -> i64 {
    at.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of calls, out of `calls`, that are let through at each of these instants.
    fn go(rule: &RateRule, calls: u32, instants: &[&str]) -> Vec<u32> {
        let mut bucket = Bucket::default();
        let at = |text: &&str| text.parse::<Timestamp>().expect("an instant");
        let through = |now: Timestamp| {
            let mut count = 0;
            for _ in 0..calls {
                if bucket.is_empty(rule, now).is_none() {
                    bucket = bucket.take(rule, now);
                    count += 1;
                }
            }
            count
        };
        instants.iter().map(at).map(through).collect()
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_at_a_time() {
        let rule = RateRule { calls: 3, burst: 2, ..RateRule::default() };
        let instants = [
            "2026-03-01T12:00:00Z",
            "2026-03-01T12:00:00.333Z",
            "2026-03-01T12:00:00.334Z",
            "2026-03-01T12:00:00.666Z",
            "2026-03-01T12:00:00.667Z",
            "2026-03-01T13:00:00Z",
        ];
        assert_eq!(go(&rule, 9, &instants), [2, 0, 1, 0, 1, 2]);
    }

    #[test]
    fn the_quota_of_a_day_ends_with_the_day_of_its_zone_and_not_because_the_clock_was_set_back() {
        let rule = RateRule { per_day: Some(2), timezone: "Europe/Paris".to_owned(), ..RateRule::default() };
        let instants = [
            "2026-03-28T22:59:00Z",
            "2026-03-28T22:59:59Z",
            "2026-03-28T23:00:00Z",
            "2026-03-28T12:00:00Z",
            // The day of the change to summer time has 23 hours.
            "2026-03-29T21:59:59Z",
            "2026-03-29T22:00:00Z",
        ];
        assert_eq!(go(&rule, 9, &instants), [2, 0, 2, 0, 0, 2]);
        let used = Bucket { day: "2026-03-29".to_owned(), used: 2, ..Bucket::default() };
        let now = "2026-03-29T12:00:00Z".parse().expect("an instant");
        let next = "2026-03-29T22:00:00Z".parse().expect("an instant");
        assert_eq!(used.is_empty(&rule, now), Some(Empty::Quota(next)));
    }

    #[test]
    fn a_clock_that_was_set_back_an_hour_holds_nobody_for_an_hour() {
        let rule = RateRule { calls: 1, burst: 1, ..RateRule::default() };
        let instants = ["2026-03-01T12:00:00Z", "2026-03-01T11:00:00Z", "2026-03-01T11:00:01Z"];
        assert_eq!(go(&rule, 1, &instants[..1]), [1]);
        let bucket = Bucket::default().take(&rule, instants[0].parse().expect("an instant"));
        let back: Timestamp = instants[1].parse().expect("an instant");
        assert_eq!(bucket.is_empty(&rule, back), Some(Empty::Rate(back + Span::seconds(1))));
    }
}

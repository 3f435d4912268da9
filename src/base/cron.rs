//! The next time a schedule names: five fields, in a time zone, with its changes of summer time.

use crate::base::Timestamp;
use chrono::{DateTime, Utc};

/// The first instant after `after` that this schedule names; none when it names none any more.
///
/// An hour that summer time leaves out is made up for at its end, one that comes twice counts once (as cron does).
///
/// # Errors
/// When it is no schedule, or there is no such time zone; the text finishes "could not …".
pub fn next_scheduled(cron: &str, timezone: &str, after: Timestamp) -> Result<Option<Timestamp>, String> {
    let schedule: croner::Cron =
        cron.parse().map_err(|it| format!("could not read {cron:?} as a schedule: {it}"))?;
    let zone: chrono_tz::Tz = timezone
        .parse()
        .map_err(|_| format!("could not find the time zone {timezone:?}; write UTC or Europe/Paris"))?;
    let from: DateTime<Utc> = after.to_utc();
    let next = schedule.find_next_occurrence(&from.with_timezone(&zone), false);
    Ok(next.ok().map(|it| Timestamp(it.timestamp_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cron: &str, zone: &str, after: &str, expected: &str) {
        let after: Timestamp = after.parse().expect("an instant");
        let next = next_scheduled(cron, zone, after).expect("a schedule").expect("there is a next time");
        assert_eq!(next.to_string(), expected, "{cron} {zone} after {after}");
    }

    #[test]
    fn a_schedule_names_its_next_time_in_its_zone() {
        check("0 6 * * 1-5", "Europe/Paris", "2026-11-20T12:00:00Z", "2026-11-23T05:00:00.000Z");
        check("0 6 * * 1-5", "UTC", "2026-11-23T06:00:00Z", "2026-11-24T06:00:00.000Z");
        check("*/15 * * * *", "UTC", "2026-01-01T00:14:59Z", "2026-01-01T00:15:00.000Z");
    }

    #[test]
    fn summer_time_neither_loses_nor_doubles_a_start() {
        // 02:30 does not exist in Paris on 2026-03-29.
        let first =
            next_scheduled("30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z".parse().expect("an instant"))
                .expect("a schedule")
                .expect("a time");
        let second =
            next_scheduled("30 2 * * *", "Europe/Paris", first).expect("a schedule").expect("a time");
        let apart = second.since(first).0 / 3_600_000;
        assert!((22..=25).contains(&apart), "{first} {second}");
        // 02:30 comes twice on 2026-10-25.
        let once =
            next_scheduled("30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z".parse().expect("an instant"))
                .expect("a schedule")
                .expect("a time");
        let again = next_scheduled("30 2 * * *", "Europe/Paris", once).expect("a schedule").expect("a time");
        assert!(again.since(once).0 >= 23 * 3_600_000, "{once} {again}");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let now = Timestamp(0);
        assert!(next_scheduled("every day", "UTC", now).is_err());
        assert!(next_scheduled("0 6 * * *", "Mars/Olympus", now).is_err());
    }
}

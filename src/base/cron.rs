//! The next time a schedule names: five fields, in a time zone, with its changes of summer time.

use crate::{Span, Timestamp};
use chrono::{DateTime, Utc};

/// The spans in which the last time of a schedule is looked for: an hour, a day, a month, a year, a leap
/// cycle.
const REACHES: [Span; 5] = [
    Span::seconds(3600),
    Span::seconds(24 * 3600),
    Span::seconds(32 * 24 * 3600),
    Span::seconds(366 * 24 * 3600),
    Span::seconds(8 * 366 * 24 * 3600),
];

/// The first instant after `after` that this schedule names; none when it names none any more.
///
/// An hour that summer time leaves out is made up for at its end, one that comes twice counts once (as cron
/// does).
///
/// # Errors
/// When it is no schedule, or there is no such time zone; the text finishes "could not …".
pub fn next_scheduled(cron: &str, timezone: &str, after: Timestamp) -> Result<Option<Timestamp>, String> {
    let schedule: croner::Cron =
        cron.parse().map_err(|error| format!("could not read {cron:?} as a schedule: {error}"))?;
    let zone: chrono_tz::Tz = timezone
        .parse()
        .map_err(|_| format!("could not find the time zone {timezone:?}; write UTC or Europe/Paris"))?;
    let from: DateTime<Utc> = after.to_utc();
    let next = schedule.find_next_occurrence(&from.with_timezone(&zone), false);
    Ok(next.ok().map(|next_occurrence| Timestamp(next_occurrence.timestamp_millis())))
}

/// True if this time zone exists.
pub fn is_timezone(name: &str) -> bool {
    name.parse::<chrono_tz::Tz>().is_ok()
}

/// The last instant after `after` and not after `until` that this schedule names; none when it names none.
///
/// # Errors
/// When it is no schedule, or there is no such time zone; the text finishes "could not …".
pub fn latest_scheduled(
    cron: &str,
    timezone: &str,
    after: Timestamp,
    until: Timestamp,
) -> Result<Option<Timestamp>, String> {
    let next = |from: Timestamp| {
        next_scheduled(cron, timezone, from).map(|scheduled| scheduled.filter(|at| *at <= until))
    };
    let Some(first) = next(after)? else { return Ok(None) };
    // Near the end first: between two steps there are few times, whatever the schedule.
    for reach in REACHES {
        let from = after.max(until - reach);
        let Some(mut latest) = next(from)? else { continue };
        while let Some(later) = next(latest)? {
            latest = later;
        }
        return Ok(Some(latest));
    }
    Ok(Some(first))
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

    /// Every time that a schedule names on one day, in UTC, hours and minutes.
    #[track_caller]
    fn day(cron: &str, zone: &str, day: &str, expected: &[&str]) {
        let begin: Timestamp = format!("{day}T00:00:00Z").parse().expect("an instant");
        let end = begin + Span::seconds(24 * 3600);
        let mut found = Vec::new();
        let mut at = begin - Span(1);
        while let Some(next) =
            next_scheduled(cron, zone, at).expect("a schedule").filter(|scheduled| *scheduled < end)
        {
            found.push(next.to_string()[11..16].to_owned());
            at = next;
        }
        assert_eq!(found, expected, "{cron} {zone} on {day}");
    }

    #[test]
    fn an_hour_that_is_left_out_is_made_up_for_at_its_end_and_one_that_comes_twice_counts_once() {
        // Berlin: 02:00 becomes 03:00 at 01:00 UTC; 03:00 becomes 02:00 at 01:00 UTC.
        day("30 2 * * *", "Europe/Berlin", "2026-03-28", &["01:30"]);
        day("30 2 * * *", "Europe/Berlin", "2026-03-29", &["01:00"]);
        day("30 2 * * *", "Europe/Berlin", "2026-03-30", &["00:30"]);
        day("30 2 * * *", "Europe/Berlin", "2026-10-25", &["00:30"]);
        day("0 3 * * *", "Europe/Berlin", "2026-03-29", &["01:00"]);
        day("0 3 * * *", "Europe/Berlin", "2026-10-25", &["02:00"]);
        // New York: 02:00 becomes 03:00 at 07:00 UTC; 02:00 becomes 01:00 at 06:00 UTC.
        day("15 2 * * *", "America/New_York", "2026-03-08", &["07:00"]);
        day("15 1 * * *", "America/New_York", "2026-11-01", &["05:15"]);
        day("15 2 * * *", "America/New_York", "2026-11-01", &["07:15"]);
        // Lord Howe turns its clocks by half an hour: 02:00 becomes 02:30 at 15:30 UTC the day before; 02:00 becomes
        // 01:30 at 15:00 UTC the day before.
        day("10 2 * * *", "Australia/Lord_Howe", "2026-10-03", &["15:30"]);
        day("45 2 * * *", "Australia/Lord_Howe", "2026-10-03", &["15:45"]);
        day("45 1 * * *", "Australia/Lord_Howe", "2026-04-04", &["14:45"]);
        day("10 2 * * *", "Australia/Lord_Howe", "2026-04-04", &["15:40"]);
    }

    #[test]
    fn what_comes_every_so_often_goes_by_real_time() {
        let halves = |hours: std::ops::Range<u32>| -> Vec<String> {
            hours.flat_map(|index| [format!("{index:02}:00"), format!("{index:02}:30")]).collect()
        };
        let all = halves(0..24);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for (zone, date) in [
            ("Europe/Berlin", "2026-03-29"),
            ("Europe/Berlin", "2026-10-25"),
            ("America/New_York", "2026-03-08"),
            ("America/New_York", "2026-11-01"),
            ("Australia/Lord_Howe", "2026-10-03"),
            ("Australia/Lord_Howe", "2026-04-04"),
        ] {
            day("*/30 * * * *", zone, date, &all);
        }
    }

    #[test]
    fn of_all_times_that_were_missed_the_newest_is_found_however_many_there_are() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let latest = |cron: &str, after: &str, until: &str| {
            let found = latest_scheduled(cron, "Europe/Berlin", at(after), at(until)).expect("a schedule");
            found.map(|latest_scheduled| latest_scheduled.to_string())
        };
        let newest = latest("* * * * *", "2020-01-01T00:00:00Z", "2026-11-20T05:59:30Z");
        assert_eq!(newest.as_deref(), Some("2026-11-20T05:59:00.000Z"));
        let newest = latest("0 6 29 2 *", "2020-01-01T00:00:00Z", "2026-11-20T05:59:30Z");
        assert_eq!(newest.as_deref(), Some("2024-02-29T05:00:00.000Z"));
        assert_eq!(latest("0 6 * * *", "2026-11-20T05:00:00Z", "2026-11-20T23:00:00Z"), None);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let now = Timestamp(0);
        assert!(next_scheduled("every day", "UTC", now).is_err());
        assert!(next_scheduled("0 6 * * *", "Mars/Olympus", now).is_err());
    }
}

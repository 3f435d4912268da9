//! Instants and lengths of time in whole milliseconds. No clock: who needs the time is told it.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

/// An instant: milliseconds since 1970-01-01 UTC. Written and read as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The calendar form; instants beyond chrono's range are clamped to the epoch.
    pub fn to_utc(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0).single().unwrap_or_default()
    }

    /// The time of day in UTC: `12:04:31`.
    pub fn clock(self) -> String {
        self.to_utc().format("%H:%M:%S").to_string()
    }

    /// `12:04:31.118`, in UTC.
    pub fn clock_ms(self) -> String {
        self.to_utc().format("%H:%M:%S%.3f").to_string()
    }

    /// Time passed since an earlier instant; zero when the clock was set back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl FromStr for Timestamp {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        DateTime::parse_from_rfc3339(text)
            .map(|value| Self(value.timestamp_millis()))
            .map_err(|_| format!("could not read {text:?} as an instant; write 2026-01-31T09:00:00Z"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

/// A length of time in milliseconds. Shown short (`4m`, `1m50s`), stored as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// A span of that many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// As the standard library's length of time.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }

    /// The canonical spelling in a workflow file: one number, the largest unit that is exact.
    pub fn spelled(self) -> String {
        const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
        let exact = UNITS.iter().find(|(unit, _)| self.0 != 0 && self.0.is_multiple_of(*unit));
        match exact {
            Some((unit, name)) => format!("{}{name}", self.0 / unit),
            None if self.0 == 0 => "0s".to_owned(),
            None => format!("{}ms", self.0),
        }
    }
}

/// At most two units, for people: `850ms 12s 1m50s 4m 2h05m 3d`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        let text = match seconds {
            0 if self.0 > 0 => format!("{}ms", self.0),
            0..60 => format!("{seconds}s"),
            60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
            3600..86_400 if seconds % 3600 < 60 => format!("{}h", seconds / 3600),
            3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
            _ => format!("{}d", seconds / 86_400),
        };
        f.pad(&text)
    }
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSpanError {
    /// A bare number has no unit.
    #[error("a bare number has no unit; write {0}s, {0}m or {0}h")]
    NoUnit(String),
    /// Neither `20m` nor ISO 8601.
    #[error("{0:?} is no duration; write 30s, 20m, 4h, 2d, 1h30m or ISO 8601 (PT20M)")]
    Malformed(String),
    /// More milliseconds than fit.
    #[error("{0:?} is too long for a duration")]
    TooLong(String),
}

/// Reads `30s 20m 4h 2d 500ms 1h30m` or ISO 8601 (`PT20M`, `P1DT12H`).
impl FromStr for Span {
    type Err = ParseSpanError;
    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let trimmed = text.trim();
        if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseSpanError::NoUnit(trimmed.to_owned()));
        }
        let malformed = || ParseSpanError::Malformed(text.to_owned());
        let iso = trimmed.strip_prefix('P');
        let (mut rest, mut in_time) = (iso.unwrap_or(trimmed), iso.is_none());
        let (mut total, mut any) = (0_u64, false);
        while !rest.is_empty() {
            if iso.is_some()
                && !in_time
                && let Some(after) = rest.strip_prefix('T')
            {
                (rest, in_time) = (after, true);
                continue;
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
            let letters = rest[digits..].find(|c: char| c.is_ascii_digit() || c == 'T');
            let end = letters.map_or(rest.len(), |letters| digits + letters);
            let unit = match (iso.is_some(), in_time, &rest[digits..end]) {
                (false, _, "ms") => 1,
                (false, _, "s") | (true, true, "S") => 1000,
                (false, _, "m") | (true, true, "M") => 60_000,
                (false, _, "h") | (true, true, "H") => 3_600_000,
                (false, _, "d") | (true, false, "D") => 86_400_000,
                (true, false, "W") => 7 * 86_400_000,
                _ => return Err(malformed()),
            };
            let too_long = || ParseSpanError::TooLong(text.to_owned());
            let number: u64 = if digits == 0 {
                return Err(malformed());
            } else {
                rest[..digits].parse().map_err(|_| too_long())?
            };
            let part = number.checked_mul(unit).ok_or_else(too_long)?;
            total = total
                .checked_add(part)
                .filter(|total| *total <= i64::MAX.unsigned_abs())
                .ok_or_else(too_long)?;
            any = true;
            rest = &rest[end..];
        }
        if any { Ok(Self(total)) } else { Err(malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_spellings() {
        for (text, ms) in [
            ("30s", 30_000),
            ("20m", 1_200_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("2d", 172_800_000),
            ("PT20M", 1_200_000),
            ("P1DT12H", 129_600_000),
        ] {
            assert_eq!(text.parse(), Ok(Span(ms)), "{text}");
        }
    }

    #[test]
    fn a_bare_number_is_refused_with_the_three_likely_spellings() {
        let error = "20".parse::<Span>().expect_err("no unit");
        assert_eq!(error.to_string(), "a bare number has no unit; write 20s, 20m or 20h");
        for text in ["", "P", "PT", "s", "20x", "1.5h", "-3s", "99999999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_shown_in_at_most_two_units() {
        let shown = [850, 12_000, 110_000, 240_000, 7_500_000, 7_200_000, 300_000_000]
            .map(|number| Span(number).to_string());
        assert_eq!(shown, ["850ms", "12s", "1m50s", "4m", "2h05m", "2h", "3d"]);
    }
}

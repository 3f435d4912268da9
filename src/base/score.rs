//! Scores between 0 and 1 in whole basis points, so that every machine gets the same one.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A share of one: 10,000 basis points are 1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub u16);

impl Score {
    /// The highest score, 1.0.
    pub const ONE: Self = Self(10_000);

    /// `part` of `whole`, rounded to the nearest basis point; 1.0 of nothing.
    pub fn ratio(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self::ONE;
        }
        let points = (u128::from(part.min(whole)) * 10_000 + u128::from(whole) / 2) / u128::from(whole);
        Self(u16::try_from(points).unwrap_or(10_000))
    }

    /// In whole percent, rounded.
    pub fn percent(self) -> u16 {
        (self.0 + 50) / 100
    }

    /// Reads `0`, `1`, `0.75` (up to four decimals count).
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |head: &str| head.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) {
            return None;
        }
        let padded: String = decimals.chars().chain("0000".chars()).take(4).collect();
        let points = whole.parse::<u32>().ok()?.checked_mul(10_000)? + padded.parse::<u32>().ok()?;
        u16::try_from(points).ok().filter(|number| *number <= 10_000).map(Self)
    }
}

/// Two decimals: `0.95`.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", (self.0 + 50) / 10_000, (self.0 + 50) % 10_000 / 100))
    }
}

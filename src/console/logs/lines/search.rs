//! The search of lines and the filter of lines: hits, the shown lines and the distance between them.

use super::{
    LogLines,
    line::{LogLine, voice},
};
use crate::logs::{level::LogLevel, needle::Needle};

impl LogLines {
    pub(crate) const fn find(&self) -> &Needle {
        &self.find
    }

    pub(crate) const fn only(&self) -> &Needle {
        &self.only
    }

    /// Looks for a text from now on.
    pub(crate) fn set_find(&mut self, find: Needle) {
        self.find = find;
        for line in &mut self.lines {
            line.hit = self.find.fits(line, voice(&self.sources, line.source));
        }
    }

    /// Shows only what fits from now on.
    pub(crate) fn set_only(&mut self, only: Needle) {
        self.only = only;
        for line in &mut self.lines {
            line.fits = self.only.fits(line, voice(&self.sources, line.source));
        }
    }

    /// True if the filter shows a line.
    pub(crate) fn shows(&self, line: &LogLine) -> bool {
        self.only.is_empty() || line.fits
    }

    /// The number of lines that the filter shows.
    pub(crate) fn shown(&self) -> usize {
        if self.only.is_empty() { self.len() } else { self.lines.iter().filter(|line| line.fits).count() }
    }

    /// The number of hits up to a line, and the number of all hits.
    pub(crate) fn rank(&self, number: u64) -> (usize, usize) {
        let hits = self.lines.iter().zip(self.base..).filter(|(line, _)| line.hit && self.shows(line));
        hits.fold((0, 0), |(rank, all), (_, at)| (rank + usize::from(at <= number), all + 1))
    }

    /// The nearest hit beyond a line, else the first from the other end.
    pub(crate) fn next_hit(&self, number: u64, forward: bool) -> Option<u64> {
        let is_hit = |index: &u64| self.line(*index).is_some_and(|line| line.hit && self.shows(line));
        if forward {
            (number.saturating_add(1)..self.end())
                .find(is_hit)
                .or_else(|| (self.base..self.end()).find(is_hit))
        } else {
            let before = (self.base..number.min(self.end())).rev().find(is_hit);
            before.or_else(|| (self.base..self.end()).rev().find(is_hit))
        }
    }

    /// The line so many shown lines away, or the last one that way; nothing when none is shown.
    pub(crate) fn away(&self, number: u64, lines: usize, forward: bool) -> Option<u64> {
        let shown = |index: &u64| self.line(*index).is_some_and(|line| self.shows(line));
        let number = number.clamp(self.base, self.end().saturating_sub(1).max(self.base));
        let (before, after) =
            (|| (self.base..number).rev().filter(shown), || (number + 1..self.end()).filter(shown));
        let here = Some(number).filter(shown);
        if forward {
            let there = after().take(lines).last().or(here);
            there.or_else(|| before().next())
        } else {
            let there = before().take(lines).last().or(here);
            there.or_else(|| after().next())
        }
    }

    /// This line when it is shown, else one near it; nothing when none is shown.
    pub(crate) fn nearest(&self, number: u64) -> Option<u64> {
        let shown = |index: &u64| self.line(*index).is_some_and(|line| self.shows(line));
        let number = number.clamp(self.base, self.end().saturating_sub(1).max(self.base));
        (number..self.end()).find(shown).or_else(|| (self.base..number).rev().find(shown))
    }

    pub(super) fn judge(&self, line: &mut LogLine) {
        let voice = voice(&self.sources, line.source);
        if voice.is_none() && line.gap.is_none() {
            line.level = LogLevel::of(&line.bytes);
        }
        line.hit = self.find.fits(line, voice);
        line.fits = self.only.fits(line, voice);
    }
}

//! Performance of the screen: time and bytes of its last frames. `event_loop`, which has the clock, measures
//! them; Health shows them.

use cuelight_base::{Span, Timestamp};
use std::collections::VecDeque;

/// So long is looked back.
const WINDOW: Span = Span(10_000);
/// More frames than these are not drawn in that time.
const FRAMES_MAX: usize = 1_024;

/// The cost of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCost {
    /// When it was on the screen.
    pub at: Timestamp,
    /// From the model to the last byte, in microseconds.
    pub took_us: u64,
    /// Bytes that went to the terminal.
    pub bytes: u64,
    /// Changes before it that had no frame of their own.
    pub skipped: u64,
}

/// The frames of the last seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    last: VecDeque<FrameCost>,
}

impl Frames {
    pub(super) fn take(&mut self, frame: FrameCost) {
        let is_old = |cost: &FrameCost| frame.at.since(cost.at) > WINDOW || cost.at > frame.at;
        while self.last.front().is_some_and(is_old) || self.last.len() == FRAMES_MAX {
            self.last.pop_front();
        }
        self.last.push_back(frame);
    }

    /// `0.7 fps  0.9 ms/frame  12.1 kB/s  skipped 0`, of the seconds before the last frame; nothing before there was one.
    pub(super) fn words(&self) -> Option<String> {
        let frames = u64::try_from(self.last.len()).unwrap_or(0);
        let sum = |of: fn(&FrameCost) -> u64| self.last.iter().map(of).sum::<u64>();
        let tenths_of_ms = sum(|cost| cost.took_us).checked_div(frames)? / 100;
        let (seconds, hundreds) = (WINDOW.0 / 1000, sum(|cost| cost.bytes) / 100);
        let bytes = hundreds / seconds;
        let tenths = |number: u64| format!("{}.{}", number / 10, number % 10);
        let skipped = sum(|cost| cost.skipped);
        Some(format!(
            "{} fps  {} ms/frame  {} kB/s  skipped {skipped}",
            tenths(frames * 10 / seconds),
            tenths(tenths_of_ms),
            tenths(bytes)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_last_ten_seconds() {
        let mut frames = Frames::default();
        assert_eq!(frames.words(), None);
        let frame = |at, took_us| FrameCost { at: Timestamp(at), took_us, bytes: 1_000, skipped: 2 };
        frames.take(frame(0, 9_000_000));
        for at in 0..7 {
            frames.take(frame(20_000 + at * 1_000, 900));
        }
        assert_eq!(frames.words().as_deref(), Some("0.7 fps  0.9 ms/frame  0.7 kB/s  skipped 14"));
        // A clock that was put back begins anew.
        frames.take(frame(5_000, 2_000));
        assert_eq!(frames.words().as_deref(), Some("0.1 fps  2.0 ms/frame  0.1 kB/s  skipped 2"));
    }
}

//! Tracks the signs of life of an agent: any output is one, and so is touching the file for its outputs.
//! `process` waits for them and handles a lost agent.

use cuelight_base::{AGENT_LATE_AFTER, AGENT_LOST_AFTER, Span};
use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// Number of intervals in a row without a sign of life from an agent.
pub(super) struct Pulse<'a> {
    output: &'a Path,
    touched: Option<Touch>,
    missed: u64,
}

/// Values that change when a file is touched: seconds and nanoseconds of its last change, and its size.
type Touch = (i64, i64, u64);

impl<'a> Pulse<'a> {
    /// Starts for an agent that begins now and writes its outputs to this file.
    pub(super) fn of(output: &'a Path) -> Self {
        Self { output, touched: touched(output), missed: 0 }
    }

    /// It has said something.
    pub(super) fn heard(&mut self) {
        self.missed = 0;
    }

    /// An interval is over in which it said nothing; for how long it has been silent now.
    pub(super) fn missed(&mut self, heartbeat: Span) -> Span {
        let touched = touched(self.output);
        self.missed = if touched == self.touched { self.missed + 1 } else { 0 };
        self.touched = touched;
        Span(heartbeat.0.saturating_mul(self.missed))
    }

    /// True if the agent has just become late.
    pub(super) const fn is_late(&self) -> bool {
        self.missed == AGENT_LATE_AFTER
    }

    /// True if the agent counts as lost.
    pub(super) const fn is_lost(&self) -> bool {
        self.missed >= AGENT_LOST_AFTER
    }
}

fn touched(output: &Path) -> Option<Touch> {
    fs::symlink_metadata(output)
        .ok()
        .map(|metadata| (metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_late_after_one_interval_and_lost_after_three_unless_it_says_or_touches_something() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("output");
        fs::write(&path, "").expect("made");
        let mut pulse = Pulse::of(&path);
        let beat = Span::seconds(10);
        assert_eq!(pulse.missed(beat), Span::seconds(10));
        assert!(pulse.is_late() && !pulse.is_lost());
        assert_eq!(pulse.missed(beat), Span::seconds(20));
        assert!(!pulse.is_late() && !pulse.is_lost());
        fs::write(&path, "step=2").expect("touched");
        assert_eq!(pulse.missed(beat), Span(0), "touching it is a sign of life");
        pulse.missed(beat);
        pulse.heard();
        assert_eq!(pulse.missed(beat), Span::seconds(10), "so is a word");
        pulse.missed(beat);
        assert_eq!(pulse.missed(beat), Span::seconds(30));
        assert!(pulse.is_lost());
    }
}

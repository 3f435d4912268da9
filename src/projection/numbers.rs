//! The numbers on the screen: counts per state, quality, health, confidence (`semantics.md` 10). Whole numbers only.

use cuelight_base::Score;
use cuelight_engine::StepState;
use std::{collections::VecDeque, fmt};

/// The number of results that a health is computed from.
pub(super) const WINDOW: usize = 100;

/// Steps per state. A frame that holds others is not counted; what it holds is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u32; StepState::ALL.len()]);

impl Counts {
    /// Steps in this state.
    pub const fn of(&self, state: StepState) -> u32 {
        self.0[state as usize]
    }

    /// The number of steps in all states.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Steps that have ended.
    pub fn rested(&self) -> u32 {
        StepState::ALL.iter().filter(|state| state.rests()).map(|state| self.of(*state)).sum()
    }

    /// States that steps are in, and how many.
    pub fn present(&self) -> impl Iterator<Item = (StepState, u32)> {
        StepState::ALL.iter().map(|state| (*state, self.of(*state))).filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, state: StepState) {
        self.0[state as usize] += 1;
    }

    pub(super) fn remove(&mut self, state: StepState) {
        let count = &mut self.0[state as usize];
        *count = count.saturating_sub(1);
    }
}

/// quality = (successful + 0.5 · partial) / (successful + failed + partial); 1.0 when nothing ran.
pub fn quality(successful: u32, partial: u32, failed: u32) -> Score {
    let (successful, partial, failed) = (u64::from(successful), u64::from(partial), u64::from(failed));
    Score::ratio(2 * successful + partial, 2 * (successful + partial + failed))
}

/// The last 100 results of a run, or of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    halves: VecDeque<u8>,
    sum: u32,
}

impl Results {
    /// The number of results in the window.
    pub fn len(&self) -> usize {
        self.halves.len()
    }

    /// True if no step has a result yet.
    pub fn is_empty(&self) -> bool {
        self.halves.is_empty()
    }

    /// 100 · quality over them.
    pub fn health(&self) -> Health {
        Health(Score::ratio(u64::from(self.sum), 2 * self.halves.len() as u64).percent())
    }

    pub(super) fn push(&mut self, state: StepState) {
        let halves = match state {
            StepState::Completed => 2,
            StepState::Partial => 1,
            StepState::Failed => 0,
            StepState::Pending
            | StepState::Ready
            | StepState::Waiting
            | StepState::Running
            | StepState::Rejected
            | StepState::Skipped
            | StepState::Cancelled
            | StepState::Undoing
            | StepState::Undone
            | StepState::InDoubt => return,
        };
        if self.halves.len() == WINDOW
            && let Some(gone) = self.halves.pop_front()
        {
            self.sum -= u32::from(gone);
        }
        self.halves.push_back(halves);
        self.sum += u32::from(halves);
    }
}

/// From 0 to 100, and a word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Health(pub u16);

impl Health {
    /// `healthy` from 80, `degraded` from 50, else `critical`.
    pub const fn label(self) -> &'static str {
        match self.0 {
            80.. => "healthy",
            50..80 => "degraded",
            0..50 => "critical",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_done_counts_half_and_nothing_run_is_perfect() {
        assert_eq!(quality(0, 0, 0), Score::ONE);
        assert_eq!(quality(1, 1, 0), Score(7500));
        assert_eq!(quality(1, 0, 2), Score(3333));
    }

    #[test]
    fn health_forgets_what_is_long_past() {
        let mut results = Results::default();
        assert_eq!(results.health(), Health(100));
        (0..100).for_each(|_| results.push(StepState::Failed));
        assert_eq!((results.health(), results.health().label()), (Health(0), "critical"));
        (0..50).for_each(|_| results.push(StepState::Completed));
        assert_eq!((results.health(), results.health().label()), (Health(50), "degraded"));
        results.push(StepState::Rejected);
        assert_eq!(results.len(), 100, "a refusal is no failure");
    }
}

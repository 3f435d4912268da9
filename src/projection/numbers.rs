//! The numbers on the screen: counts per state, quality, health, confidence (`semantics.md` 10). Whole numbers only.

use cuelight_base::Score;
use cuelight_engine::StepState;
use std::{collections::VecDeque, fmt};

/// The number of results that a health is computed from.
pub(super) const WINDOW: usize = 100;

/// Steps that are done, of all that are part of the run. A step that its own `if` or a person left out is no part of it,
/// nor is one that needs it. A step that was skipped because of a failure is a part that is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoneOfAll {
    /// Completed steps, whole or in part, whose work was not undone.
    pub done: u32,
    /// All steps without those that were left out.
    pub all: u32,
}

impl DoneOfAll {
    /// The share that is done, in percent, rounded down: 100 only when all is done, or nothing is to be done.
    pub fn percent(self) -> u16 {
        let percent = (u64::from(self.done) * 100).checked_div(self.all.into()).unwrap_or(100);
        u16::try_from(percent).unwrap_or(100)
    }
}

impl fmt::Display for DoneOfAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.done, self.all)
    }
}

/// Steps per state. A frame that holds others is not counted; what it holds is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    states: [u32; StepState::ALL.len()],
    /// Skipped steps that an `if` or a person left out.
    left_out: u32,
}

impl Counts {
    /// Steps in this state.
    pub const fn of(&self, state: StepState) -> u32 {
        self.states[state as usize]
    }

    /// The number of steps in all states.
    pub fn total(&self) -> u32 {
        self.states.iter().sum()
    }

    /// Steps that have ended.
    pub fn rested(&self) -> u32 {
        StepState::ALL.iter().filter(|state| state.rests()).map(|state| self.of(*state)).sum()
    }

    /// The progress of these steps.
    pub fn progress(&self) -> DoneOfAll {
        let done = StepState::ALL.iter().filter(|state| state.is_done()).map(|state| self.of(*state)).sum();
        DoneOfAll { done, all: self.total() - self.left_out }
    }

    /// States that steps are in, and how many.
    pub fn present(&self) -> impl Iterator<Item = (StepState, u32)> {
        StepState::ALL.iter().map(|state| (*state, self.of(*state))).filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, state: StepState) {
        self.states[state as usize] += 1;
    }

    pub(super) const fn leave_out(&mut self) {
        self.left_out += 1;
    }

    pub(super) const fn take_back_in(&mut self) {
        self.left_out = self.left_out.saturating_sub(1);
    }

    pub(super) fn remove(&mut self, state: StepState) {
        let count = &mut self.states[state as usize];
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
    fn a_step_that_was_left_out_is_no_part_of_the_progress() {
        let mut counts = Counts::default();
        assert_eq!((counts.progress().percent(), counts.progress().to_string()), (100, "0/0".to_owned()));
        for state in [StepState::Completed, StepState::Partial, StepState::Failed, StepState::Pending] {
            counts.add(state);
        }
        for _ in 0..7 {
            counts.add(StepState::Skipped);
            counts.leave_out();
        }
        assert_eq!((counts.progress().percent(), counts.progress().to_string()), (50, "2/4".to_owned()));
        counts.remove(StepState::Completed);
        counts.add(StepState::Undone);
        assert_eq!(counts.progress(), DoneOfAll { done: 1, all: 4 }, "undone is not done");
        counts.add(StepState::Skipped);
        assert_eq!(counts.progress(), DoneOfAll { done: 1, all: 5 }, "skipped because of a failure");
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

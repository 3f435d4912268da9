//! What a decision would make of each step: painted over the graph before anything is pressed. Where it is known from is
//! left to `update`.

use crate::Mark;
use std::collections::BTreeMap;

/// What would become of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It may start once others have ended.
    Later,
    /// It starts at once.
    Starts,
    /// It asks somebody.
    Asks,
    /// It never runs.
    Skips,
    /// It is ended.
    Stops,
    /// It is taken back.
    Undoes,
}

impl Fate {
    /// The state it comes to.
    pub const fn mark(self) -> Mark {
        match self {
            Self::Later => Mark::Ready,
            Self::Starts => Mark::Runs,
            Self::Asks => Mark::Gate,
            Self::Skips => Mark::Skipped,
            Self::Stops => Mark::Cancelled,
            Self::Undoes => Mark::Undoing,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Later => "may start",
            Self::Starts => "starts",
            Self::Asks => "asks",
            Self::Skips => "skips",
            Self::Stops => "stops",
            Self::Undoes => "undoes",
        }
    }
}

/// What one or two answers would make of the steps of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// What the first answer is called, and what it makes of which step.
    pub first: (String, BTreeMap<u32, Fate>),
    /// The same of the other answer, where there are two.
    pub second: Option<(String, BTreeMap<u32, Fate>)>,
}

impl Fates {
    /// Both answers, the first one first.
    pub fn answers(&self) -> impl Iterator<Item = &(String, BTreeMap<u32, Fate>)> {
        std::iter::once(&self.first).chain(&self.second)
    }
}

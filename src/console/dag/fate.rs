//! The effect of an answer on each step, painted over the graph before the answer is given. `graph/what_if` computes
//! it.

use crate::Mark;
use std::collections::BTreeMap;

/// The fate of a step after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It may start once others have ended.
    Later,
    /// It starts at once.
    Starts,
    /// It asks people for approval.
    Asks,
    /// It will never run.
    Skips,
    /// It is stopped while it runs.
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

/// The effect of one or two answers on the steps of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates {
    /// The word for the first answer, and the fate of each step that it changes.
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

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
    /// Its effects are undone.
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

/// The effect of an answer on the steps of a run: the fate of each step that it changes.
pub type Fates = BTreeMap<u32, Fate>;

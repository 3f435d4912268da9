//! The ids of things: small newtypes, so that one id is never taken for another.
//!
//! The engine gives out the numbers (they are part of the journal), never at random. Only a `DecisionId` is
//! chosen by the client, so that a repeated request is noticed.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($prefix, "{}"), self.0))
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                digits.parse().map(Self).map_err(|_| {
                    format!(concat!("could not read {:?} as an id; it looks like ", $prefix, "7"), text)
                })
            }
        }
    };
}

numbered!(
    /// One run of a workflow, counted from 1 in its database: `r-7`.
    RunId(u32), "r-"
);
numbered!(
    /// One question to people, counted from 1 in its database: `g-7`.
    GateId(u32), "g-"
);
numbered!(
    /// The place of an event in the one log, from 1, without gaps.
    Seq(u64), "#"
);
numbered!(
    /// The number of changes to a gate's question; every change raises it.
    Epoch(u32), ""
);

/// A step of a run: its place in the plan's list. Steps that a computed matrix adds come after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIx(pub u32);

impl StepIx {
    /// As an index into the plan's steps.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// From an index; a plan holds at most `STEPS_MAX` steps, so it always fits.
    ///
    /// # Panics
    /// When the index is beyond any plan.
    pub fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a plan holds fewer steps than u32::MAX"))
    }
}

/// One call of one step: `r-7.3.1` is the first attempt of the fourth step of run 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The run that the call belongs to.
    pub run: RunId,
    /// The step in it.
    pub step: StepIx,
    /// The call, counted from 1 over retries, fallbacks and undo of this step alike.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.run, self.step.0, self.number))
    }
}

impl FromStr for AttemptId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("could not read {text:?} as a call; it looks like r-7.3.1");
        let mut parts = text.strip_prefix("r-").ok_or_else(wrong)?.split('.');
        let mut next = || {
            let digits = parts
                .next()
                .filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)
        };
        let id = Self { run: RunId(next()?), step: StepIx(next()?), number: next()? };
        if parts.next().is_none() { Ok(id) } else { Err(wrong()) }
    }
}

/// Chosen by the client of a decision, single use: the same id again gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub String);

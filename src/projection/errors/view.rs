//! One failure as people look at it: what failed, how it stands, and what mended it.

use cuelight_base::{Actor, ErrorRecord, RunId, Seq, StepIx, Timestamp};
use std::sync::Arc;

/// One failure of a step, an undo or a run.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorView {
    /// The event that told of it first; its name is `e-` and this number.
    pub id: Seq,
    /// The run that failed.
    pub run: RunId,
    /// The name of the workflow.
    pub workflow: Arc<str>,
    /// The trace of the run.
    pub trace: Arc<str>,
    /// The step; nothing when it is the run that failed.
    pub step: Option<StepIx>,
    /// Its id; empty when it is the run that failed.
    pub step_id: String,
    /// True if the undo of the step failed.
    pub of_undo: bool,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When it was last seen.
    pub at: Timestamp,
    /// The last call that failed; 0 when it was no call.
    pub attempt: u32,
    /// Calls that `retry` allows.
    pub attempts_max: u32,
    /// The number of times it was seen.
    pub times: u32,
    /// The same for failures with one cause, of whatever step and run.
    pub fingerprint: Arc<str>,
    /// The failure as data; message, context and tail are foreign text.
    pub record: Arc<ErrorRecord>,
    /// The state of the failure.
    pub state: ErrorState,
    /// The person who takes care of it, with the time and the remark.
    pub acknowledged: Option<Said>,
}

/// A remark of a person about a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The author of the remark.
    pub by: Actor,
    /// The time of the remark.
    pub at: Timestamp,
    /// The text; foreign text, may be empty.
    pub reason: String,
}

/// The state of a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorState {
    /// It is tried again by itself at this instant.
    Retrying(Timestamp),
    /// The failure is not resolved.
    Open,
    /// It was mended, or is allowed.
    Resolved {
        /// The time of the resolution.
        at: Timestamp,
        /// The remedy that resolved it.
        fix: Fix,
    },
}

/// The remedy of a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Fix {
    /// This later call succeeded.
    Retry(u32),
    /// This fallback did, counted from 1.
    Fallback(u32),
    /// A person did, or said what became of it.
    ByHand(Actor),
    /// This later run did.
    Run(RunId),
    /// The step's `on-error` lets the run go on.
    Allowed,
    /// A person said that it is mended.
    Said {
        /// The person who resolved it.
        by: Actor,
        /// The remedy in their words; foreign text, may be empty.
        reason: String,
    },
}

impl Fix {
    /// The remedy in words.
    pub fn words(&self) -> String {
        match self {
            Self::Retry(attempt) => format!("call {attempt}"),
            Self::Fallback(which) => format!("fallback {which}"),
            Self::ByHand(by) => format!("by hand, by {by}"),
            Self::Run(run) => run.to_string(),
            Self::Allowed => "on-error".to_owned(),
            Self::Said { by, reason } if reason.is_empty() => format!("{by}'s word"),
            Self::Said { by, reason } => format!("{by}'s word: {reason}"),
        }
    }

    /// The remedy behind the word `by`.
    fn by_words(&self) -> String {
        match self {
            Self::Retry(attempt) => format!("by attempt {attempt}"),
            Self::Fallback(which) => format!("by fallback {which}"),
            Self::ByHand(by) | Self::Said { by, .. } => format!("by {}", by.name),
            Self::Run(run) => format!("by {run}"),
            Self::Allowed => "by on-error".to_owned(),
        }
    }

    /// The kind of the remedy; none when the failure was allowed, not mended.
    pub(crate) const fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Retry(_) => "trying again",
            Self::Fallback(_) => "its fallback",
            Self::ByHand(_) | Self::Said { .. } => "a person",
            Self::Run(_) => "another run",
            Self::Allowed => return None,
        })
    }
}

impl ErrorView {
    /// True if the failure is not resolved.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, ErrorState::Resolved { .. })
    }

    /// True if the failure is open, of high or critical severity, and nobody has acknowledged it.
    pub fn is_urgent(&self) -> bool {
        self.state == ErrorState::Open && self.acknowledged.is_none() && self.record.severity.is_critical()
    }

    /// `open`, `retrying`, `acknowledged` or `resolved`.
    pub const fn state_word(&self) -> &'static str {
        match &self.state {
            ErrorState::Retrying(_) => "retrying",
            ErrorState::Open if self.acknowledged.is_some() => "acknowledged",
            ErrorState::Open => "open",
            ErrorState::Resolved { .. } => "resolved",
        }
    }

    /// When the failure was closed and by what: `closed 12:04 by r-7`. None while it is open.
    pub fn closed_words(&self) -> Option<String> {
        let ErrorState::Resolved { at, fix } = &self.state else { return None };
        let clock = at.clock();
        let minute = clock.rsplit_once(':').map_or(clock.as_str(), |(minute, _)| minute);
        Some(format!("closed {minute} {}", fix.by_words()))
    }

    /// The number of a failure, read from `e-412` or `412`.
    pub fn parse_name(text: &str) -> Option<Seq> {
        text.strip_prefix("e-").unwrap_or(text).parse().ok().map(Seq)
    }

    /// The name of the failure: `e-412`.
    pub fn name(&self) -> String {
        format!("e-{}", self.id.0)
    }
}

//! The record of a candidate for a step.

/// The last calls of a candidate, in whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The number of remembered calls.
    pub(crate) calls: u64,
    /// The number of calls that succeeded.
    pub(crate) succeeded: u64,
    /// The average time of the calls that succeeded, in milliseconds.
    pub(crate) mean_ms: u64,
}

//! The events of a call, and the outcome of one.

use crate::{Facts, FileFact};
use cuelight_base::{Digest, FailureMode, Launch, Span, Timestamp, ValueMap};
use cuelight_plan::{Amounts, EffectClass};
use serde::{Deserialize, Serialize};

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The work of the step itself.
    Step,
    /// Its fallback, counted from 1.
    Fallback(u32),
    /// The undo of the step.
    Undo,
    /// The check that tells if the step happened.
    Check,
}

/// The events of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AttemptEvent {
    /// The call is to be made; this is the intent, durable before anything happens.
    Started {
        /// The purpose of the call.
        purpose: Purpose,
        /// The call, wholly resolved.
        launch: Box<Launch>,
        /// The hash of the call.
        launch_hash: Digest,
        /// The key of the effect, the same for all its attempts.
        effect_key: Digest,
        /// The meaning of a crash in the middle of it.
        class: EffectClass,
        /// The usage that it is charged with until it reports its usage.
        #[serde(default, skip_serializing_if = "Amounts::is_nothing")]
        charge: Amounts,
        /// The files as they were when this was approved; they are compared once more before it begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<Box<Facts>>,
        /// The key under which its result is kept for other steps, taken now, because the files that it names
        /// may have changed by the end of the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache_key: Option<String>,
    },
    /// The call has ended.
    Ended {
        /// The outcome of the call.
        outcome: Box<Outcome>,
        /// The instant of the next attempt; none when it is not retried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// The end of the call is unknown: the process that made it died.
    Lost {
        /// The evidence that is known.
        evidence: String,
    },
    /// The call went on without the engine that had started it (`on-console-death: keep`), and the next
    /// engine has found it.
    Adopted {
        /// The purpose of the call.
        purpose: Purpose,
        /// The state in which it was found.
        how: Adoption,
        /// True if it is to be ended: that was asked for, and the call may not have been told.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ends: bool,
    },
}

/// The state of a call that went on without its engine, when it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    /// It still runs under its guard; its end will be reported.
    Attached,
    /// It had ended, and its guard had kept a record of its outcome.
    Recorded,
}

/// The outcome of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// The failure; none when the call succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Key and text, as written to `$CUELIGHT_OUTPUT`.
    #[serde(skip_serializing_if = "ValueMap::is_empty")]
    pub outputs: ValueMap,
    /// Exit code, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Bytes it wrote, also those not kept.
    pub output_bytes: u64,
    /// Hash of all it wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<Digest>,
    /// The time that it ran.
    pub ran_for: Span,
    /// The files that were kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<FileFact>,
    /// The usage that it reported; none when it reported nothing, and then the charge stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Amounts>,
    /// True if it failed and nobody can tell if it had its effect: it was sent, and no answer came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_have_happened: bool,
    /// The wait before the next attempt that the other side asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// The files that differ from the approved ones; then nothing was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// A file or hash that differs from the approved one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The file, or `hashFiles(…)`.
    pub what: String,
    /// Its hash when it was approved, or why there was none.
    pub before: String,
    /// Its hash now, or why there is none.
    pub now: String,
}

/// The reason why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The class of the failure.
    pub mode: FailureMode,
    /// The error message, in a sentence.
    pub message: String,
    /// The end of the call's output; untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// True if it certainly did not start: then the attempt does not count.
    #[serde(default)]
    pub not_started: bool,
}

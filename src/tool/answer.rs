//! The outcome of a call, as facts only. `classify` decides what they mean; the engine decides the
//! consequences.

use super::spool::Spooled;
use cuelight_base::{Digest, FailureMode, ProcessLimits, Span, Value, ValueMap, sha256};
use serde::{Deserialize, Serialize};

/// Bytes of output that an answer carries with it.
pub(super) const ANSWER_TAIL_BYTES_MAX: usize = 4096;

/// The output in which a program says why it has failed.
const FAILURE_MODE: &str = "failure-mode";

/// The outcome of one attempt. All text in it is already masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The way in which the attempt ended.
    pub ended: Ended,
    /// Outputs that the step wrote to `$CUELIGHT_OUTPUT`; every value is a text.
    pub outputs: ValueMap,
    /// Bytes of output in all, kept or not.
    pub output_bytes: u64,
    /// Line ends in them.
    pub output_lines: u64,
    /// SHA-256 of all of them, kept or not.
    pub output_digest: Digest,
    /// The last of them, at most 4 KiB; broken UTF-8 shows as `⟨FF⟩`.
    pub tail: String,
    /// Why output could not be kept, when the disk refused it; the step went on.
    pub output_lost: Option<String>,
    /// True if a process that the step had started still held its output open after the end. That process was
    /// ended too.
    pub left_behind: bool,
    /// Time that the server asks us to wait before the next request.
    pub retry_after: Option<Span>,
    /// It failed, and nobody can tell whether it had its effect.
    pub may_have_happened: bool,
    /// Resource limits of each process of the step.
    #[serde(default, skip_serializing_if = "ProcessLimits::is_none")]
    pub limits: ProcessLimits,
    /// True if the attempt ran in a sandbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
}

/// The way in which an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal that we did not send.
    Signal {
        /// Number of the signal.
        number: i32,
        /// True if the process left a core file.
        core: bool,
        /// True if the kernel reports that memory ran out meanwhile.
        out_of_memory: bool,
    },
    /// By us: it ran longer than it may.
    TimedOut {
        /// The timeout of the attempt.
        after: Span,
    },
    /// By us: an agent that gave no sign of life for so long.
    Silent {
        /// Time since the last sign of life.
        after: Span,
        /// Interval in which a sign of life was due.
        heartbeat: Span,
    },
    /// By us: somebody asked for it.
    Cancelled,
    /// It never ran: a thing it needs is missing or refused.
    NotStarted {
        /// The error number of the system, if the system was asked.
        errno: Option<i32>,
        /// `could not start: …; what to do`
        message: String,
    },
    /// It ran and ended, and somebody else took its status: the process that started us ignores the end of
    /// children.
    Lost,
    /// A tool in this process says why it could not.
    Failed {
        /// One of 25 classes.
        mode: FailureMode,
        /// The failure and the next step for the reader.
        message: String,
    },
    /// It ended well, but what it wrote to `$CUELIGHT_OUTPUT` cannot be taken.
    BadOutputs {
        /// The place in the file and the reason.
        message: String,
    },
}

/// Why an attempt failed, for people and for the rules of retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One of 25 classes.
    pub mode: FailureMode,
    /// The failure and the next step for the reader.
    pub message: String,
}

impl Failure {
    /// The input or the settings cannot be used as they are.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { mode: FailureMode::UserInvalidInput, message: message.into() }
    }
}

impl Answer {
    /// An attempt that ended so, with these outputs, and wrote what was spooled. Nobody asks us to wait, and its effect is known.
    pub(super) fn spooled(ended: Ended, outputs: ValueMap, spooled: Spooled) -> Self {
        Self {
            ended,
            outputs,
            output_bytes: spooled.bytes,
            output_lines: spooled.lines,
            output_digest: spooled.digest,
            tail: spooled.tail,
            output_lost: spooled.lost,
            left_behind: false,
            retry_after: None,
            may_have_happened: false,
            limits: ProcessLimits::default(),
            sandboxed: false,
        }
    }

    /// An attempt that never ran and wrote nothing.
    pub(super) fn not_started(errno: Option<i32>, message: String) -> Self {
        Self::without_output(Ended::NotStarted { errno, message })
    }

    /// An attempt that wrote nothing.
    pub(super) fn without_output(ended: Ended) -> Self {
        let nothing =
            Spooled { bytes: 0, lines: 0, digest: sha256("", &[]), tail: String::new(), lost: None };
        Self::spooled(ended, ValueMap::new(), nothing)
    }

    /// True if the attempt succeeded.
    pub fn is_ok(&self) -> bool {
        self.ended == Ended::Exit(0)
    }

    /// Why it failed; none when it ended well. A program that knows better than its exit code says so.
    pub fn failure(&self) -> Option<Failure> {
        let failure = super::classify::classify(&self.ended, &self.tail, &self.limits)?;
        let failure = if self.sandboxed {
            super::classify::in_sandbox(failure, &self.ended, &self.tail)
        } else {
            failure
        };
        let said = match self.ended {
            Ended::Exit(_) => self.outputs.get(FAILURE_MODE).and_then(Value::as_str),
            _ => None,
        };
        let Some(said) = said else { return Some(failure) };
        Some(match said.trim().parse() {
            Ok(mode) => {
                Failure { mode, message: format!("{}; it says that this is {mode}", failure.message) }
            }
            Err(()) => Failure {
                message: format!("{}; its `{FAILURE_MODE}` is none of the words there are", failure.message),
                ..failure
            },
        })
    }
}

//! The behaviour that an author can set for a step or a run: retry, fallback, undo, gate, budget, limits.
//!
//! Plain data; `engine` gives it its meaning at run time.

use crate::{
    Backoff, ConfidenceBelow, OnConflict, OnFailure, OnTimeout, Placed, Risk,
    workflow::{Condition, Field, Script, Text, Uses},
};
use cuelight_base::{FailureMode, ProcessLimits, Score, Span};

/// A time at which the workflow starts by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// A cron expression of five fields.
    pub cron: Placed<String>,
    /// An IANA name; `UTC` when not said.
    pub timezone: String,
    /// The rule for a start while the previous run is still going.
    pub overlap: Overlap,
    /// The longest delay after which a missed start is still made up for; none when missed starts are
    /// dropped.
    pub catch_up: Option<Span>,
}

/// The rule for a start while the previous run is still going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    /// This one does not start.
    #[default]
    Skip,
    /// This one starts afterwards.
    Queue,
    /// The one before is cancelled, unless it waits at a gate; this one starts afterwards.
    Cancel,
    /// Both runs go on at once.
    Allow,
}

/// The rule that keeps runs of one group from running at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Runs with the same group do not run at once.
    pub group: Text,
    /// The rule for a new run while another holds the group.
    pub on_conflict: OnConflict,
    /// True if `cancel-running` also cancels a run that waits at a gate.
    pub cancel_waiting: bool,
}

/// The expected usage of one call of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Millionths of a dollar.
    pub cost_micro_usd: u64,
    /// The number of tokens of models.
    pub tokens: u64,
}

/// The rule for repeating failed attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// All calls, the first included.
    pub max_attempts: u32,
    /// The growth of the delay.
    pub backoff: Backoff,
    /// Before the second call.
    pub delay: Span,
    /// Thousandths: 2000 doubles the delay each time.
    pub factor_milli: u32,
    /// No delay is longer.
    pub max_delay: Span,
    /// Share of the delay that chance may add or take.
    pub jitter: Score,
    /// The failures that are retried.
    pub on: RetryOn,
}

/// The failures that are retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// The retryable modes: what `defaults` gives to every step.
    Retryable,
    /// Also a plain failure (`agent_logic`): `retry` was written on the step.
    RetryableAndPlain,
    /// The failure modes in this list.
    Modes(Vec<FailureMode>),
}

impl RetryPolicy {
    /// True if a failure of this mode is retried.
    pub fn covers(&self, mode: FailureMode) -> bool {
        match &self.on {
            RetryOn::Retryable => mode.is_retryable(),
            RetryOn::RetryableAndPlain => mode.is_retryable() || mode == FailureMode::AgentLogic,
            RetryOn::Modes(modes) => modes.contains(&mode),
        }
    }
}

/// Something done in place of a step, or to take it back.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Runs a shell script.
    Run(Script),
    /// Calls a tool of the registry.
    Uses(Uses),
}

/// One way to do the step after all.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// The script or tool that is tried.
    pub action: Action,
    /// True if the fallback names its own parameters. Otherwise its tool gets those of the step's tool, as
    /// far as it accepts them.
    pub says_with: bool,
}

/// The undo of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// `undo: none`: it cannot be, and the author says so.
    Impossible,
    /// This action undoes the step.
    By(Action),
}

/// When an earlier success may stand for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Same key, same outputs.
    pub key: Text,
    /// The time for which the success may be reused; absent means until the cache is cleared.
    pub ttl: Option<Span>,
}

/// The rule for a result with low confidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confidence {
    /// The output that holds it; absent means what the step reports.
    pub from: Option<Placed<String>>,
    /// The least confidence that passes; a lower one triggers `below`.
    pub min: Score,
    /// The consequence of a lower confidence.
    pub below: ConfidenceBelow,
}

/// The fate of a running process when the console dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnConsoleDeath {
    /// It goes on and its result is taken up.
    #[default]
    Keep,
    /// The process is ended.
    Kill,
}

/// The access that a process has to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    /// As little as can be.
    Strict,
    /// The process runs without a sandbox.
    Off,
}

/// The limits of the processes of a step and of its output; an absent one is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Limits of each process, and of their number.
    pub process: ProcessLimits,
    /// Bytes of output kept.
    pub output_bytes: Option<u64>,
}

/// A step that waits for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The question that the gate asks.
    pub prompt: Text,
    /// The requester's own words.
    pub claim: Option<Text>,
    /// The damage that a wrong approval could do; `reversible` when not given.
    pub risk: Risk,
    /// The quorums that must all be reached; empty means that any one person may approve.
    pub require: Vec<Quorum>,
    /// The people who may not decide: a person, `group:name`, or an expression such as `run.actor`.
    pub forbid: Vec<Forbidden>,
    /// The files or texts that approvers are shown.
    pub evidence: Vec<Text>,
    /// Values the approval holds for; another value asks again.
    pub binds: Vec<Text>,
    /// The fields that the approver fills in.
    pub form: Vec<Field>,
    /// Approves by policy when true.
    pub auto: Option<Condition>,
    /// When people are reminded, after the opening.
    pub remind: Vec<Span>,
    /// The rule for asking someone else when nobody answers.
    pub escalate: Option<Escalate>,
    /// When it expires; absent means never.
    pub timeout: Option<Span>,
    /// The consequence of expiry.
    pub on_timeout: OnTimeout,
    /// The consequence of a rejection for the run; absent means `stop`.
    pub on_reject: OnFailure,
    /// The time for which an approval can be withdrawn; absent means the default.
    pub undo_window: Option<Span>,
    /// The step from which all is done again when the ask is sent back.
    pub send_back: Option<Placed<String>>,
    /// Patterns of files captured when the gate asks; an empty list captures all files. Steps behind the gate
    /// run from them. None when the steps run from the workspace itself.
    pub snapshot: Option<Vec<Text>>,
    /// True if one approval covers all copies of a matrix.
    pub whole_matrix: bool,
    /// True if an approval needs a reason too.
    pub reason_required: bool,
    /// True if an approval must be signed with a security key that was touched.
    pub touch: bool,
    /// The place of the gate in the file.
    pub place: crate::Place,
}

/// So many people of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The group; absent means anybody.
    pub group: Option<Placed<String>>,
    /// The number of different people.
    pub count: u32,
    /// The place of the entry in the file.
    pub place: crate::Place,
}

/// People who may not decide at a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The value of an expression: `run.actor` is four eyes.
    Expression(Condition),
    /// A person by name, or `group:name`.
    Named(Placed<String>),
}

/// The rule for asking someone else when nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalate {
    /// The time after which they are asked.
    pub after: Span,
    /// A person, or `group:name`.
    pub to: Text,
}

//! What an author can say about how a step or a run behaves: retry, fallback, undo, gate, budget, limits.
//!
//! Plain data; what it means at run time is for `engine`.

use crate::{
    Placed,
    workflow::{Condition, Field, Script, Text, Uses},
};
use cuelight_base::{FailureMode, Score, Span};

/// What a failure means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnFailure {
    /// Nothing new starts.
    #[default]
    Stop,
    /// What does not depend on it goes on.
    Continue,
    /// Stops, then undoes.
    Compensate,
}

/// What the failure of one step means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnError {
    /// The run fails.
    #[default]
    Abort,
    /// Dependents see it as skipped.
    Skip,
    /// Dependents decide by their `if`.
    Continue,
}

/// A time at which the workflow starts by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Five fields.
    pub cron: Placed<String>,
    /// An IANA name; `UTC` when not said.
    pub timezone: String,
    /// What happens when the run before is still going.
    pub overlap: Overlap,
    /// How late a missed start is still made up for.
    pub catch_up: Option<Span>,
}

/// What happens when the run before is still going.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlap {
    /// This one does not start.
    #[default]
    Skip,
    /// This one starts afterwards.
    Queue,
    /// The one before is cancelled, unless it waits at a gate; this one starts afterwards.
    Cancel,
    /// Both run.
    Allow,
}

/// Which other runs it must not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Runs with the same group do not run at once.
    pub group: Text,
    /// What the newcomer does.
    pub on_conflict: OnConflict,
    /// Whether `cancel-running` also cancels a run that waits at a gate.
    pub cancel_waiting: bool,
}

/// What a run does that finds its group taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnConflict {
    /// Waits.
    #[default]
    Queue,
    /// Does not start.
    Skip,
    /// Cancels the other.
    CancelRunning,
}

/// What a run may cost; an absent figure means no ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// In millionths of a dollar.
    pub cost_micro_usd: Option<u64>,
    /// Attempts of steps.
    pub calls: Option<u64>,
    /// Tokens of models.
    pub tokens: Option<u64>,
    /// What happens at 100 %.
    pub on_exceed: OnExceed,
}

/// What one call of a step is expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Millionths of a dollar.
    pub cost_micro_usd: u64,
    /// Tokens of models.
    pub tokens: u64,
}

/// What happens when a budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnExceed {
    /// It goes on.
    Warn,
    /// The step fails.
    #[default]
    Block,
    /// A person may raise the ceiling.
    Gate,
}

/// How failed attempts are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// All calls, the first included.
    pub max_attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Before the second call.
    pub delay: Span,
    /// Thousandths: 2000 doubles the delay each time.
    pub factor_milli: u32,
    /// No delay is longer.
    pub max_delay: Span,
    /// Share of the delay that chance may add or take.
    pub jitter: Score,
    /// Which failures are tried again.
    pub on: RetryOn,
}

/// How the delay grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backoff {
    /// By a factor each time.
    #[default]
    Exponential,
    /// Always the same.
    Constant,
    /// By the first delay each time.
    Linear,
    /// At once.
    None,
}

/// Which failures are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// The retryable modes: what `defaults` gives to every step.
    Retryable,
    /// Also a plain failure (`agent_logic`): `retry` was written on the step.
    RetryableAndPlain,
    /// These.
    Modes(Vec<FailureMode>),
}

impl RetryPolicy {
    /// Whether a failure of this mode is tried again.
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
    /// A script.
    Run(Script),
    /// A tool.
    Uses(Uses),
}

/// One way to do the step after all.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// What is done.
    pub action: Action,
    /// Whether it says itself what its tool is given; else it is given what the tool of its step is, where it takes that.
    pub says_with: bool,
}

/// How a step is taken back.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// `undo: none`: it cannot be, and the author says so.
    Impossible,
    /// By doing this.
    By(Action),
}

/// When an earlier success may stand for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Same key, same outputs.
    pub key: Text,
    /// How long; absent means until it is cleared.
    pub ttl: Option<Span>,
}

/// What a low confidence does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confidence {
    /// The output that holds it; absent means what the step reports.
    pub from: Option<Placed<String>>,
    /// Anything lower acts.
    pub min: Score,
    /// How.
    pub below: Below,
}

/// What happens below the least confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Below {
    /// A person decides.
    #[default]
    Gate,
    /// The step fails.
    Fail,
    /// It is said, and goes on.
    Warn,
}

/// What a crash in mid-step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing happens outside.
    Pure,
    /// Twice is once.
    Idempotent,
    /// The other side removes duplicates by our key.
    Keyed,
    /// `check:` can tell.
    Queryable,
    /// A person is asked.
    Once,
}

impl Effect {
    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Queryable => "queryable",
            Self::Once => "once",
        }
    }
}

/// What becomes of a process when the console dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnConsoleDeath {
    /// It goes on and its result is taken up.
    #[default]
    Keep,
    /// It is ended.
    Kill,
}

/// What a process can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sandbox {
    /// As little as can be.
    Strict,
    /// What we can.
    Off,
}

/// What a process may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Open files.
    pub files: Option<u64>,
    /// Processor time.
    pub cpu: Option<Span>,
    /// Bytes of any file that it writes.
    pub file_bytes: Option<u64>,
    /// Processes that live at once.
    pub processes: Option<u64>,
    /// Bytes of output kept.
    pub output_bytes: Option<u64>,
}

/// Where a step may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requires {
    /// Labels of the machine.
    pub labels: Vec<String>,
    /// Capabilities of the worker.
    pub capabilities: Vec<String>,
}

/// A step that waits for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// What is asked.
    pub prompt: Text,
    /// The requester's own words.
    pub claim: Option<Text>,
    /// How bad a wrong yes is; `reversible` when not said.
    pub risk: Risk,
    /// Who must agree, each entry on its own; empty means any one person.
    pub require: Vec<Quorum>,
    /// Who may not: a person, `group:name`, or an expression such as `run.actor`.
    pub forbid: Vec<Forbidden>,
    /// What is shown: files or texts.
    pub evidence: Vec<Text>,
    /// Values the approval holds for; another value asks again.
    pub binds: Vec<Text>,
    /// What the decider fills in.
    pub form: Vec<Field>,
    /// Approves by policy when true.
    pub auto: Option<Condition>,
    /// When people are reminded, after the opening.
    pub remind: Vec<Span>,
    /// Who is asked next.
    pub escalate: Option<Escalate>,
    /// When it expires; absent means never.
    pub timeout: Option<Span>,
    /// What expiry means.
    pub on_timeout: OnTimeout,
    /// What a no means for the run; absent means `stop`.
    pub on_reject: OnFailure,
    /// How long an approval can be taken back; absent means the default.
    pub undo_window: Option<Span>,
    /// The step from which all is done again when the ask is sent back.
    pub send_back: Option<Placed<String>>,
    /// Where the steps behind it run from files captured when it asks: patterns of these files; none mean all.
    pub snapshot: Option<Vec<Text>>,
    /// Whether one approval covers all copies of a matrix.
    pub whole_matrix: bool,
    /// Whether an approval needs a reason too.
    pub reason_required: bool,
    /// Whether an approval is signed with a security key that was touched.
    pub touch: bool,
    /// Where it stands.
    pub place: crate::Place,
}

/// How bad a wrong yes is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Nothing changes.
    ReadOnly,
    /// We can take it back.
    #[default]
    Reversible,
    /// Somebody else can.
    ExternallyReversible,
    /// Nobody can.
    Irreversible,
}

impl Risk {
    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Reversible => "reversible",
            Self::ExternallyReversible => "externally-reversible",
            Self::Irreversible => "irreversible",
        }
    }
}

/// So many people of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The group; absent means anybody.
    pub group: Option<Placed<String>>,
    /// How many different people.
    pub count: u32,
    /// Where it stands.
    pub place: crate::Place,
}

/// Who may not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// The value of an expression: `run.actor` is four eyes.
    Expression(Condition),
    /// A person by name, or `group:name`.
    Named(Placed<String>),
}

/// Who is asked when nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalate {
    /// After so long.
    pub after: Span,
    /// A person, or `group:name`.
    pub to: Text,
}

/// What the expiry of a gate means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnTimeout {
    /// No.
    #[default]
    Reject,
    /// Yes; linted loudly.
    Approve,
    /// The next group is asked.
    Escalate,
}

//! Why something may not be done, in words for the operator. A refusal leaves no trace in the world.

use crate::{Command, GateState, RunState, StepState};
use cuelight_base::{Digest, Epoch, GateId, RunId};
use cuelight_exchange::{AgentFault, AgentRefusal, MessageFault};
use serde::{Deserialize, Serialize};

/// You may not, and here is why. Each finishes the sentence and says what to do next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says what it means")]
pub enum Refusal {
    #[error("could not find run {0}; `cuelight runs` lists the runs")]
    NoRun(RunId),
    #[error("could not find gate {0}; `cuelight gates` lists the open gates")]
    NoGate(GateId),
    #[error("could not find that step in {0}; `cuelight show {0}` lists its steps")]
    NoStep(RunId),
    #[error("could not {verb} {run}: it is {state}{}", .valid.as_deref().map(|value| format!("; {value}")).unwrap_or_default())]
    RunState { run: RunId, state: RunState, verb: String, valid: Option<String> },
    #[error("could not {}: it is {state}{}", of_step(.verb, .step, *.run), if *.state == StepState::Undoing { "; its undo still runs; wait until `cuelight gates` lists it" } else { "" })]
    StepState { run: RunId, step: String, state: StepState, verb: String },
    /// A step behind a gate that has not asked.
    #[error(
        "could not {}: the gate {gate} has not asked yet; wait until it does, or cancel the run", of_step(.verb, .step, *.run)
    )]
    NotAsked { run: RunId, step: String, gate: String, verb: String },
    /// The gate is closed already (409).
    #[error(
        "could not decide {gate}: it was {state} already, by {}; `cuelight gates --show {gate}` shows it", closer_words(.by)
    )]
    GateClosed { gate: GateId, state: GateState, by: String },
    /// Its time is up (410).
    #[error("could not decide {0}: it has expired; `cuelight gates --show {0}` shows it")]
    GateExpired(GateId),
    /// Another ask than the one that was seen (412).
    #[error("could not decide {gate}: its ask has changed (now #{}, epoch {epoch}); read it again", &.now.code()[..4])]
    AskChanged { gate: GateId, now: Digest, epoch: Epoch },
    /// The gate is about to ask again (412).
    #[error(
        "could not decide {0}: the ask has changed and is being made again; read `cuelight gates --show {0}` and answer that"
    )]
    AskedAnew(GateId),
    /// Not allowed (403); recorded by a command of its own.
    #[error("could not decide {gate}: {why}")]
    NotAllowed { gate: GateId, why: String },
    #[error(
        "could not decide {0}: you have answered already; withdraw it first (`cuelight gate withdraw {0}`)"
    )]
    Voted(GateId),
    #[error("could not give an emergency approval at {gate}: {why}")]
    BreakGlass { gate: GateId, why: String },
    #[error("could not override {gate}: {why}")]
    Override { gate: GateId, why: String },
    /// A gate is closed by hand only with its ask seen and confirmed.
    #[error(
        "could not {}: it is the gate {gate}, which is closed by hand only by an override; \
         read `cuelight gates --show {gate}`, then `cuelight run {} {run} {step}`, or press S on it in the console",
        of_step(.verb, .step, *.run),
        if verb == "skip" { "skip" } else { "done" }
    )]
    IsGate { run: RunId, step: String, gate: GateId, verb: String },
    #[error("could not review {gate}: {why}")]
    Review { gate: GateId, why: String },
    #[error("could not resolve {step} of {run}: it is behind gate {gate}, and {why}")]
    Vouch { run: RunId, step: String, gate: String, why: String },
    #[error("could not delegate your answer at {gate}: {why}")]
    Delegation { gate: GateId, why: String },
    #[error("could not send {gate} back: {why}")]
    SendBack { gate: GateId, why: String },
    #[error("could not use that answer at {0} again: it was withdrawn; give another one")]
    TakenBack(GateId),
    #[error("could not use decision id {0}: it was used for another answer; choose another id")]
    DecisionUsed(String),
    #[error("could not {0}: say why with --reason")]
    ReasonMissing(String),
    #[error("could not accept that reason: it has {0} bytes, at most {max} are kept", max = cuelight_base::REASON_BYTES_MAX)]
    ReasonTooLong(usize),
    #[error("could not fill in the form of {gate}: {problem}")]
    Form { gate: GateId, problem: String },
    #[error("could not withdraw from {0}: you have no vote there that can still be withdrawn")]
    NothingToWithdraw(GateId),
    #[error("could not start: {0} runs are open, which is the most; end some first")]
    TooManyRuns(usize),
    #[error("could not start: the plan has {0} steps, at most {max} are allowed", max = cuelight_base::STEPS_MAX)]
    TooManySteps(usize),
    #[error("could not {verb} the failure of {what}: {why}")]
    Failure { what: String, verb: String, why: String },
    #[error("could not {verb} the schedule of {workflow}: {why}")]
    Schedule { workflow: String, verb: String, why: String },
    #[error("could not {verb} {run}: {why}")]
    Again { run: RunId, verb: String, why: String },
    /// Another value than the one that was seen (412), or one that cannot be kept.
    #[error("could not change {key}: {why}")]
    State { key: String, why: String },
    /// An invalid message; recorded by a command of its own.
    #[error("could not say that: {why}")]
    Message {
        fault: MessageFault,
        why: String,
        /// The command that records the rejected message; its sender has no use for it.
        #[serde(skip)]
        note: Option<Box<Command>>,
    },
    /// An agent may not, as itself.
    #[error("could not do that: {why}")]
    Agent { fault: AgentFault, why: String },
    /// A whole sentence: the action that failed, the reason, the next step.
    #[error("{0}")]
    Other(String),
}

/// `skip g of r-1`, `complete step g of r-1 by hand`
fn of_step(verb: &str, step: &str, run: RunId) -> String {
    match verb {
        "complete by hand" => format!("complete step {step} of {run} by hand"),
        verb => format!("{verb} {step} of {run}"),
    }
}

/// The closer of a gate, where it is no person's name.
fn closer_words(by: &str) -> &str {
    match by {
        "break-glass" => "an emergency approval",
        "override" => "an override",
        "run" => "the end of its run",
        other => other,
    }
}

impl From<AgentRefusal> for Refusal {
    fn from(AgentRefusal { fault, why }: AgentRefusal) -> Self {
        Self::Agent { fault, why }
    }
}

impl Refusal {
    /// The message to the person who gave this command at a gate: `approve`, `reject`, `withdraw from`.
    pub fn to(&self, verb: &str) -> String {
        let text = self.to_string();
        match text.strip_prefix("could not decide ") {
            Some(rest) => format!("could not {verb} {rest}"),
            None => text,
        }
    }

    /// The reason alone, for a message at a gate: the text after `could not decide g-1: `. Its reader looks at the gate already, so no
    /// command that shows it follows.
    pub fn why(&self) -> String {
        match self {
            Self::GateClosed { state, by, .. } => {
                return format!("it was {state} already, by {}", closer_words(by));
            }
            Self::GateExpired(_) => return "it has expired".to_owned(),
            Self::AskedAnew(_) => return "the ask has changed and is being made again".to_owned(),
            _ => {}
        }
        let text = self.to_string();
        text.split_once(": ").map_or_else(|| text.clone(), |(_, why)| why.to_owned())
    }
}

//! All events of the log. A stored contract: variants and fields are only added, each field with a default.
//!
//! An event carries all that its effect needs, so that the next work follows from the event alone.

mod ask;
mod attempt;
mod cache;
mod facts;
mod failure;
mod gate;
mod launch;
mod people;
mod run;
mod schedule;
mod scope;
mod step;
mod target;
mod undo;
mod wait;

pub use ask::{AllCalls, Ask, BudgetOf, Evidence, FormField, Later, WillFallBack, WillRun, WillWrite};
pub use attempt::{Adoption, AttemptEvent, Changed, Failure, Outcome, Purpose};
pub use cache::CacheEvent;
pub use facts::{Facts, FileFact};
pub use failure::FailureEvent;
pub use gate::{GateEvent, Vote};
pub use launch::{CauseOfLaunch, Change, Corrected, InputChange, StepChange};
pub use people::{PeopleEvent, TokenEvent};
pub use run::{PartialResult, RunEvent};
pub use schedule::ScheduleEvent;
pub use scope::ScopeEvent;
pub use step::{Alternative, CachedFrom, Choice, Origin, StepEvent, TalkCall, Why};
pub use target::TargetEvent;
pub use undo::UndoEvent;
pub use wait::{TargetHold, WaitReason};

use cuelight_base::{Actor, GateId, RunId, Span, StepIx, Timestamp};
use cuelight_exchange::{AgentEvent, BusEvent, LibraryEvent};
use serde::{Deserialize, Serialize};

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The instant at which the engine decided it. Order is the sequence number, never this.
    pub at: Timestamp,
    /// The fact that is recorded.
    pub fact: Fact,
}

/// The facts that can be recorded, by noun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// A fact about a run.
    Run(RunId, RunEvent),
    /// A fact about a step.
    Step(RunId, StepIx, StepEvent),
    /// A fact about a call of a step; counted from 1 in its step.
    Attempt(RunId, StepIx, u32, AttemptEvent),
    /// A fact about a gate.
    Gate(RunId, StepIx, GateId, GateEvent),
    /// A fact about the undo of a step.
    Undo(RunId, StepIx, UndoEvent),
    /// A fact about a scope; the run whose step wrote it, or none when a person did.
    Scope(Option<RunId>, ScopeEvent),
    /// A person's note about a failure.
    Failure(RunId, FailureEvent),
    /// A fact about the schedules of a workflow, by its name.
    Schedule(String, ScheduleEvent),
    /// A fact about a target of calls, by its name: a tool with its version.
    Target(String, TargetEvent),
    /// A fact about the results that may stand for steps.
    Cache(CacheEvent),
    /// A fact about the messages between steps, programs and people.
    Bus(BusEvent),
    /// A fact about a token that somebody holds.
    Token(TokenEvent),
    /// A fact about results and knowledge that agents leave for later ones.
    Library(LibraryEvent),
    /// A fact about the people of the workspace.
    People(PeopleEvent),
    /// A fact about an agent that came by itself.
    Agent(AgentEvent),
    /// An engine took up this log.
    Recovered {
        /// The time for which no engine looked at the log.
        away: Span,
        /// The takeover, if the log was taken from an engine that did not answer any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken: Option<Box<TakeOver>>,
    },
}

/// The takeover of a workspace from an engine that did not answer any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakeOver {
    /// The actor who took it.
    pub by: Actor,
    /// The reason that was given.
    pub reason: String,
    /// The number of the process that had it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
}

impl Fact {
    /// The run it belongs to.
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run, _)
            | Self::Step(run, _, _)
            | Self::Attempt(run, _, _, _)
            | Self::Gate(run, _, _, _)
            | Self::Undo(run, _, _)
            | Self::Failure(run, _) => Some(*run),
            Self::Scope(run, _) => *run,
            Self::Agent(event) => event.run(),
            Self::Schedule(..)
            | Self::Target(..)
            | Self::Cache(..)
            | Self::Bus(..)
            | Self::Token(..)
            | Self::Library(..)
            | Self::People(..)
            | Self::Recovered { .. } => None,
        }
    }

    /// The step it belongs to.
    pub const fn step(&self) -> Option<StepIx> {
        match self {
            Self::Step(_, step, _)
            | Self::Attempt(_, step, _, _)
            | Self::Gate(_, step, _, _)
            | Self::Undo(_, step, _) => Some(*step),
            Self::Failure(_, event) => event.step(),
            Self::Agent(event) => match event.attempt() {
                Some(attempt) => Some(attempt.step),
                None => None,
            },
            Self::Run(..)
            | Self::Scope(..)
            | Self::Schedule(..)
            | Self::Target(..)
            | Self::Cache(..)
            | Self::Bus(..)
            | Self::Token(..)
            | Self::Library(..)
            | Self::People(..)
            | Self::Recovered { .. } => None,
        }
    }
}

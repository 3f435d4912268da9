//! The trail: each event as who did what, to what, and why; and whether somebody decided it. For Audit, line by line over
//! a log of any length.

use crate::{EventWords, RunView, event_words};
use cuelight_base::{Actor, Channel, Digest, GateId, RunId, Seq, StepIx, Timestamp};
use cuelight_engine::{
    AttemptEvent, CacheEvent, Event, Fact, FailureEvent, GateEvent, Purpose, RunEvent, ScheduleEvent,
    ScopeEvent, Stage, StepEvent, TargetEvent, TokenEvent, UndoEvent, Why,
};
use cuelight_exchange::{AgentEvent, BusEvent, LibraryEvent};
use cuelight_plan::Estimate;
use serde::{Deserialize, Serialize};

/// An event with its links in the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its place in the log.
    pub seq: Seq,
    /// The event with its fact.
    pub event: Event,
    /// Hash of the record before it.
    pub prev: Digest,
    /// The hash of this record.
    pub hash: Digest,
    /// True if the hash fits the record, and the record follows the one before.
    pub holds: bool,
}

/// One line of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRow {
    /// Its place in the log.
    pub seq: Seq,
    /// The time of the event.
    pub at: Timestamp,
    /// The author: a person by name, else the part of the engine that did it; foreign text.
    pub who: String,
    /// By which door they came.
    pub channel: Option<&'static str>,
    /// The kind of the event: `gate.voted`.
    pub kind: &'static str,
    /// To what: step, gate, workflow; foreign text.
    pub on: String,
    /// More, in a few words; foreign text.
    pub why: String,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// The step that it is about.
    pub step: Option<StepIx>,
    /// The gate that it is about.
    pub gate: Option<GateId>,
    /// `approve` or `reject`, where somebody said so.
    pub verdict: Option<&'static str>,
    /// The stage in the life of its run.
    pub stage: Option<Stage>,
    /// True for a decision or a statement about one; false for its consequences.
    pub is_decision: bool,
}

impl TrailRow {
    /// The line of an event; the run, when it is known, gives names to steps.
    pub fn of(seq: Seq, event: &Event, run: Option<&RunView>) -> Self {
        let EventWords { kind, subject, mut detail } = event_words(event, run);
        if let Fact::Run(_, RunEvent::Created { plan, by, .. }) = &event.fact {
            // The record of what was planned, instead of who asked once more; the plan itself is in the event.
            let rest = detail.strip_prefix(&format!("by {by}")).unwrap_or(&detail);
            detail = format!("{}{rest}", Estimate::of(plan).words());
        }
        let by = by(&event.fact);
        Self {
            seq,
            at: event.at,
            who: by.map_or_else(|| part(&event.fact).to_owned(), |actor| actor.name.clone()),
            channel: by.map(|actor| channel_word(actor.channel)),
            kind,
            on: subject,
            why: detail,
            run: event.fact.run(),
            step: event.fact.step(),
            gate: match &event.fact {
                Fact::Gate(_, _, gate, _) => Some(*gate),
                Fact::Run(..)
                | Fact::Step(..)
                | Fact::Attempt(..)
                | Fact::Undo(..)
                | Fact::Scope(..)
                | Fact::Failure(..)
                | Fact::Schedule(..)
                | Fact::Target(..)
                | Fact::Cache(..)
                | Fact::Bus(..)
                | Fact::Token(..)
                | Fact::Library(..)
                | Fact::People(..)
                | Fact::Agent(..)
                | Fact::Recovered { .. } => None,
            },
            verdict: verdict(&event.fact),
            stage: stage(&event.fact),
            is_decision: is_decision(&event.fact),
        }
    }
}

/// The person whom an event names.
fn by(fact: &Fact) -> Option<&Actor> {
    match fact {
        Fact::Run(_, event) => match event {
            RunEvent::Created { by, .. }
            | RunEvent::Paused { by }
            | RunEvent::Resumed { by }
            | RunEvent::Cancelling { by, .. }
            | RunEvent::BudgetRaised { by, .. } => Some(by),
            RunEvent::Started
            | RunEvent::Stopping { .. }
            | RunEvent::TimedOut { .. }
            | RunEvent::Compensating
            | RunEvent::BudgetWarned { .. }
            | RunEvent::Ended { .. } => None,
        },
        Fact::Step(_, _, event) => match event {
            StepEvent::DoneByHand { by, .. }
            | StepEvent::DoubtAnswered { by, .. }
            | StepEvent::Skipped { why: Why::Person { by, .. } }
            | StepEvent::Cancelled { why: Why::Person { by, .. } }
            | StepEvent::Ending { why: Why::Person { by, .. } } => Some(by),
            StepEvent::Ready
            | StepEvent::Routed { .. }
            | StepEvent::SentBack
            | StepEvent::Reopened { .. }
            | StepEvent::Waiting { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Opened { .. }
            | StepEvent::Grown { .. }
            | StepEvent::Completed { .. }
            | StepEvent::Failed { .. }
            | StepEvent::Rejected { .. }
            | StepEvent::Skipped { .. }
            | StepEvent::Cancelled { .. }
            | StepEvent::Ending { .. }
            | StepEvent::InDoubt { .. } => None,
        },
        Fact::Gate(_, _, _, event) => match event {
            GateEvent::Voted(vote) | GateEvent::GlassBroken(vote) | GateEvent::Overridden(vote) => {
                Some(&vote.by)
            }
            GateEvent::Refused { by, .. }
            | GateEvent::Withdrawn { by }
            | GateEvent::Edited { by, .. }
            | GateEvent::Delegated { by, .. }
            | GateEvent::GlassReviewed { by, .. }
            | GateEvent::Commented { by, .. } => Some(by),
            GateEvent::Asked { .. }
            | GateEvent::Agreed { .. }
            | GateEvent::Armed { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. }
            | GateEvent::Resolved { .. } => None,
        },
        Fact::Undo(_, _, UndoEvent::Done { by }) => by.as_ref(),
        Fact::Undo(_, _, UndoEvent::Again { by }) => Some(by),
        Fact::Undo(_, _, UndoEvent::Asked | UndoEvent::Stuck { .. })
        | Fact::Attempt(..)
        | Fact::Target(..)
        | Fact::People(..)
        | Fact::Cache(CacheEvent::Stored { .. } | CacheEvent::Used { .. })
        | Fact::Bus(BusEvent::Taken { .. } | BusEvent::Declared { .. }) => None,
        Fact::Recovered { taken, .. } => taken.as_ref().map(|taken| &taken.by),
        Fact::Cache(CacheEvent::Cleared { by, .. } | CacheEvent::Reset { by, .. }) => Some(by),
        Fact::Bus(BusEvent::Said { by, .. } | BusEvent::Rejected { by, .. }) => by.as_ref(),
        Fact::Token(TokenEvent::Revoked { by, .. }) => Some(by),
        Fact::Library(LibraryEvent::HandedIn { by, .. } | LibraryEvent::Learned { by, .. })
        | Fact::Agent(AgentEvent::Registered { by, .. } | AgentEvent::Left { by, .. }) => Some(by),
        Fact::Agent(
            AgentEvent::Seen { .. }
            | AgentEvent::Lost { .. }
            | AgentEvent::Leased { .. }
            | AgentEvent::Renewed { .. },
        ) => None,
        Fact::Schedule(_, ScheduleEvent::Held { by, .. } | ScheduleEvent::Released { by }) => Some(by),
        Fact::Scope(_, ScopeEvent::Set { by, .. }) => by.as_ref(),
        Fact::Scope(_, ScopeEvent::Removed { by, .. }) => Some(by),
        Fact::Failure(
            _,
            FailureEvent::Acknowledged { by, .. }
            | FailureEvent::Resolved { by, .. }
            | FailureEvent::Reopened { by, .. },
        ) => Some(by),
    }
}

/// The part of the engine that does what no person did.
const fn part(fact: &Fact) -> &'static str {
    match fact {
        Fact::Gate(..) => "gate",
        Fact::Attempt(_, _, _, AttemptEvent::Ended { retry_at: Some(_), .. }) => "retry",
        Fact::Undo(..) | Fact::Run(_, RunEvent::Compensating) => "undo",
        Fact::Run(_, RunEvent::BudgetWarned { .. }) => "budget",
        Fact::Step(_, _, StepEvent::Routed { .. }) => "router",
        Fact::Target(..) => "policy",
        Fact::Cache(..) => "cache",
        Fact::Bus(..) => "bus",
        Fact::Token(..) => "gateway",
        Fact::Library(..) => "library",
        Fact::People(..) => "people.toml",
        Fact::Agent(..) => "agents",
        Fact::Run(..)
        | Fact::Step(..)
        | Fact::Attempt(..)
        | Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Recovered { .. } => "engine",
    }
}

const fn verdict(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::Gate(_, _, _, GateEvent::Overridden(_)) => Some("override"),
        Fact::Gate(_, _, _, GateEvent::Voted(vote) | GateEvent::GlassBroken(vote)) => {
            Some(vote.verdict.word())
        }
        Fact::Gate(_, _, _, GateEvent::Resolved { state, .. }) => Some(state.word()),
        Fact::Gate(..)
        | Fact::Run(..)
        | Fact::Step(..)
        | Fact::Attempt(..)
        | Fact::Undo(..)
        | Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Target(..)
        | Fact::Cache(..)
        | Fact::Bus(..)
        | Fact::Token(..)
        | Fact::Library(..)
        | Fact::People(..)
        | Fact::Agent(..)
        | Fact::Recovered { .. } => None,
    }
}

/// The stage in the life of its run; none for an event that is about no run.
pub(super) const fn stage(fact: &Fact) -> Option<Stage> {
    Some(match fact {
        Fact::Run(_, RunEvent::Created { .. }) => Stage::Plan,
        Fact::Run(_, RunEvent::Ended { state, .. }) => state.stage(),
        Fact::Step(_, _, StepEvent::Routed { .. }) => Stage::Route,
        Fact::Run(_, RunEvent::Compensating)
        | Fact::Undo(..)
        | Fact::Attempt(_, _, _, AttemptEvent::Started { purpose: Purpose::Undo, .. }) => Stage::Aggregate,
        Fact::Run(..) | Fact::Step(..) | Fact::Attempt(..) | Fact::Gate(..) => Stage::Execute,
        Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Target(..)
        | Fact::Cache(..)
        | Fact::Bus(..)
        | Fact::Token(..)
        | Fact::Library(..)
        | Fact::People(..)
        | Fact::Agent(..)
        | Fact::Recovered { .. } => return None,
    })
}

/// True for requests of people, asks and answers, and for choices that the engine made without a request.
fn is_decision(fact: &Fact) -> bool {
    match fact {
        Fact::Gate(..)
        | Fact::Undo(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Token(..)
        | Fact::People(..)
        | Fact::Recovered { .. } => true,
        Fact::Run(_, event) => !matches!(event, RunEvent::Started | RunEvent::Ended { .. }),
        Fact::Attempt(_, _, _, event) => matches!(event, AttemptEvent::Ended { retry_at: Some(_), .. }),
        Fact::Target(_, event) => {
            matches!(event, TargetEvent::Opened { .. } | TargetEvent::HalfOpened | TargetEvent::Closed { .. })
        }
        Fact::Step(_, _, StepEvent::Routed { .. }) | Fact::Bus(BusEvent::Declared { .. }) => true,
        Fact::Cache(event) => !matches!(event, CacheEvent::Stored { .. }),
        Fact::Step(..) | Fact::Scope(..) | Fact::Bus(..) => by(fact).is_some(),
        Fact::Agent(event) => !matches!(event, AgentEvent::Seen { .. } | AgentEvent::Renewed { .. }),
        Fact::Library(..) => false,
    }
}

const fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Console => "console",
        Channel::Command => "command",
        Channel::Socket => "socket",
        Channel::Http => "http",
        Channel::Mcp => "mcp",
        Channel::Schedule => "schedule",
        Channel::Engine => "engine",
        Channel::Step => "step",
    }
}

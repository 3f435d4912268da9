//! The pure state machine: commands in, events out, effects asked for by events.
//!
//! It has no clock, no disk and no waits: `now` is a parameter, and chance is computed from the seed of the
//! run.

mod again;
mod agents;
mod another_try;
mod approved;
mod ask;
mod asking;
mod attempt;
mod budget;
mod by_hand;
mod cache;
mod call;
mod can_ask;
mod command;
mod compared;
mod condition;
mod consequence;
mod due;
mod effect;
mod event;
mod facts;
mod failure;
mod form;
mod frame;
mod gate;
mod handle;
mod lease;
mod left_behind;
mod library;
mod links;
mod loosened;
mod looser;
mod membership;
mod outcome;
mod put_elsewhere;
mod quorum;
mod recovery;
mod refusal;
mod requesters;
mod requests;
mod resume;
mod retry;
mod rewind;
mod route;
mod run;
mod schedule;
mod scope;
mod settle;
mod side;
mod spent;
mod state;
mod statement;
mod step;
mod talk;
mod target;
mod tell;
mod token;
mod unwind;
mod verdict;
mod waits_and_values;
mod winding_up;
mod world;

pub use again::{plan_differences, value_differences};
pub use ask::{NEEDS_TOUCH, SELF_DECLARED, hash as ask_hash};
pub use cache::{Cache, CachedResult};
pub use command::{
    Command, Correction, Decision, DoubtAnswer, FailureNote, ForkAt, Found, Launching, Past, RetryFrom,
    Verdict,
};
pub use effect::{Effect, react};
pub use event::{
    Adoption, AllCalls, Alternative, Ask, AttemptEvent, BudgetOf, CacheEvent, CachedFrom, CauseOfLaunch,
    Change, Changed, Choice, Corrected, Event, Evidence, Fact, Facts, Failure, FailureEvent, FileFact,
    FormField, GateEvent, InputChange, Later, Origin, Outcome, PartialResult, PeopleEvent, Purpose, RunEvent,
    ScheduleEvent, ScopeEvent, StepChange, StepEvent, TakeOver, TalkCall, TargetEvent, TargetHold,
    TokenEvent, UndoEvent, Vote, WaitReason, Why, WillFallBack, WillRun, WillWrite,
};
pub use form::{check_form, unanswered};
pub use gate::{BREAK_GLASS, Delegation, Gate, GateAct, KeptAnswers, OVERRIDE, wants_review};
pub use lease::fold_leases;
pub use membership::{
    Member, Membership, PeopleInForce, PeoplePolicy, PeopleSigner, Standing,
    changed_words as people_changed_words,
};
pub use refusal::Refusal;
pub use scope::{Expected, NewValue, etag, owner_of};
pub use state::{GateState, RunState, Stage, StepState};
pub use statement::{STATEMENT_NAMESPACE, Statement, form_digest};
pub use token::{Revoked, TokenName};
pub use world::World;

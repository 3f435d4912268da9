//! A gate: a question to people.
//!
//! ```text
//! open ─▶ armed ─▶ approved    enough people approved, none of them excluded; armed can still be withdrawn
//!   │  ◀───┘ (withdrawn, or asked again: another epoch, all votes void)
//!   │  ◀── approved, or done by hand: a released call has changed before it ran; another epoch as well
//!   ├────▶ rejected            one person rejected
//!   ├────▶ expired             nobody answered in time
//!   └────▶ cancelled           its run ended first; in old logs also: it was done by hand
//! ```
//!
//! The consequences of a verdict are not decided here; see `verdict`.

mod act;
mod answer;
mod eligible;
mod kept;
mod tally;
mod timers;

pub use act::GateAct;
pub use kept::KeptAnswers;
pub(super) use kept::is_written;
pub(super) use timers::GateDue;

use crate::{
    Ask, GateEvent, GateState, Verdict, Vote,
    membership::{GatePeople, PeopleInForce},
};
use cuelight_base::{Actor, Digest, Epoch, GateId, RunId, StepIx, Timestamp, ValueMap};
use cuelight_plan::{GateRule, OnFailure};
use std::{collections::BTreeMap, sync::Arc};

/// One gate, folded from its events, with the rules for every action on it.
///
/// World and board fold it by the same function, so that [`Gate::may`] tells a screen exactly what the engine
/// would decide. Its fields are the engine's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    pub(super) id: GateId,
    pub(super) run: RunId,
    pub(super) step: StepIx,
    pub(super) state: GateState,
    pub(super) epoch: Epoch,
    pub(super) ask: Arc<Ask>,
    pub(super) hash: Digest,
    /// The rules of the step; those of a gate that asks by the way are one person's word.
    pub(super) rule: Arc<GateRule>,
    pub(super) votes: Vec<Arc<Vote>>,
    /// Principals that changed the parameters, and their names: they do not vote.
    pub(super) editors: BTreeMap<String, String>,
    /// Delegated answers, the newest of each person.
    pub(super) delegations: Vec<Delegation>,
    pub(super) opened_at: Timestamp,
    pub(super) armed_until: Option<Timestamp>,
    pub(super) reminded: u32,
    pub(super) escalated: Option<String>,
    pub(super) resolved_by: String,
    /// The decider, once enough people have agreed and the files that they were shown are being looked at
    /// once more.
    pub(super) agreed: Option<String>,
    /// The person who gave an emergency approval or an override.
    pub(super) broken_by: Option<String>,
    /// True if the shown files or calls have changed: until it has asked again, nobody answers it, and none
    /// of its timers run.
    pub(super) anew: bool,
    /// The reviewer of an emergency approval: principal and name.
    pub(super) reviewed_by: Option<(String, String)>,
    /// Earlier states of the gate: each an emergency approval after which it asked again; the oldest first.
    /// Each of these is reviewed by itself, by the people who were asked then.
    pub(super) overtaken: Vec<Arc<Self>>,
    /// Asks for a higher ceiling, not for the step's own sake.
    pub(super) for_budget: bool,
    /// The people it goes by.
    pub(super) people: GatePeople,
    /// The number of comments of people.
    pub(super) comments: usize,
    /// Comments, and refused answers, of steps and agents.
    pub(super) of_programs: (usize, usize),
}

/// An answer that somebody else may give, for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegation {
    /// The instant of the delegation.
    pub at: Timestamp,
    /// The person whose answer it is.
    pub by: Actor,
    /// The name of the person who may answer instead.
    pub to: String,
    /// The end of it.
    pub until: Timestamp,
    /// The reason; untrusted text.
    pub reason: String,
}

/// The group of `people.toml` whose members may override a quorum, and who decided when one of them did.
pub const BREAK_GLASS: &str = "break-glass";

/// The decider of a gate that somebody overrode.
pub const OVERRIDE: &str = "override";

/// The word for the policy that closed a gate by its own `auto`.
pub(super) const POLICY_AUTO: &str = "policy:auto";

/// The refusal of an override before the quorum is complete.
const WHOLE_QUORUM: &str = "more people must approve first; an override needs the whole quorum";

/// True if a gate that was closed by this decider waits for a review.
pub fn wants_review(closed_by: &str) -> bool {
    [BREAK_GLASS, OVERRIDE].contains(&closed_by)
}

impl Gate {
    /// A gate that asks for the first time. Without a rule it asks by the way, about a step.
    pub fn asked(
        (run, step, id): (RunId, StepIx, GateId),
        at: Timestamp,
        (ask, hash): (&Arc<Ask>, Digest),
        rule: Option<&Arc<GateRule>>,
        people: &PeopleInForce,
    ) -> Self {
        let for_budget = rule.is_none();
        let rule = rule.cloned().unwrap_or_default();
        Self {
            id,
            run,
            step,
            state: GateState::Open,
            epoch: ask.epoch,
            ask: Arc::clone(ask),
            hash,
            votes: Vec::new(),
            editors: BTreeMap::new(),
            delegations: Vec::new(),
            opened_at: at,
            armed_until: None,
            reminded: 0,
            escalated: None,
            resolved_by: String::new(),
            agreed: None,
            broken_by: None,
            anew: false,
            reviewed_by: None,
            overtaken: Vec::new(),
            for_budget,
            people: GatePeople::at_opening(ask, &rule, people),
            rule,
            comments: 0,
            of_programs: (0, 0),
        }
    }

    /// The state of the gate.
    pub const fn state(&self) -> GateState {
        self.state
    }

    /// The ask that people see now.
    pub const fn ask(&self) -> &Arc<Ask> {
        &self.ask
    }

    /// The hash of it.
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The answers that count, oldest first.
    pub fn votes(&self) -> impl Iterator<Item = &Arc<Vote>> {
        self.votes.iter()
    }

    /// The person who rejected, and the reason: `mira rejected it: wrong image`. Foreign text.
    pub fn rejection_words(&self, state: GateState) -> String {
        let no = self.votes.iter().rev().find(|vote| vote.verdict != Verdict::Approve);
        let did = |vote: &Vote| match vote.verdict {
            Verdict::SendBack => "sent it back",
            Verdict::Approve | Verdict::Reject => "rejected it",
        };
        match (no, state) {
            (Some(vote), GateState::Rejected) if vote.reason.is_empty() => {
                format!("{} {}", vote.who(), did(vote))
            }
            (Some(vote), GateState::Rejected) => format!("{} {}: {}", vote.who(), did(vote), vote.reason),
            (_, GateState::Expired) => "nobody answered in time".to_owned(),
            (_, GateState::Cancelled) => "its gate was cancelled".to_owned(),
            _ => "it was rejected".to_owned(),
        }
    }

    /// Delegated answers, the newest of each person.
    pub fn delegations(&self) -> &[Delegation] {
        &self.delegations
    }

    /// The person (`NAME`) or group (`group:NAME`) that may decide as well by now.
    pub fn escalated(&self) -> Option<&str> {
        self.escalated.as_deref()
    }

    /// The number of reminders.
    pub const fn reminded(&self) -> u32 {
        self.reminded
    }

    /// The end of the time in which an approval can be undone.
    pub const fn armed_until(&self) -> Option<Timestamp> {
        self.armed_until
    }

    /// The answer that approved it in an emergency, or overrode it.
    pub fn emergency_vote(&self) -> Option<&Arc<Vote>> {
        let principal = self.broken_by.as_ref()?;
        self.votes.iter().find(|vote| vote.by.principal() == *principal)
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, GateState::Open | GateState::Armed)
    }

    /// Notes that the shown files or calls have changed; the gate asks again as soon as they have been looked
    /// at.
    pub const fn asks_anew(&mut self) {
        self.anew = true;
    }

    /// Moves to the state an event leads to. False for a pair without one, which changes nothing: for the
    /// engine that is a fault.
    #[must_use]
    pub fn apply(&mut self, at: Timestamp, event: &GateEvent) -> bool {
        let Some(after) = next(self.state, event) else { return false };
        if matches!(event, GateEvent::Asked { .. }) && wants_review(&self.resolved_by) {
            self.keep_emergency();
        }
        if !self.is_open() && !after.rests() {
            (self.opened_at, self.reminded, self.escalated) = (at, 0, None);
        }
        self.state = after;
        if after != GateState::Armed {
            self.armed_until = None;
        }
        match event {
            GateEvent::Asked { ask, hash, .. } => {
                self.epoch = ask.epoch;
                self.ask = Arc::clone(ask);
                self.hash = *hash;
                self.votes.clear();
                (self.agreed, self.anew) = (None, false);
                (self.broken_by, self.reviewed_by) = (None, None);
                self.resolved_by.clear();
            }
            GateEvent::Voted(vote) => self.votes.push(Arc::new((**vote).clone())),
            GateEvent::GlassBroken(vote) | GateEvent::Overridden(vote) => {
                // It takes the place of the ordinary answer of the same person.
                self.votes.retain(|other| other.by.principal() != vote.by.principal());
                self.votes.push(Arc::new((**vote).clone()));
                self.broken_by = Some(vote.by.principal());
            }
            GateEvent::Agreed { by, .. } => self.agreed = Some(by.clone()),
            GateEvent::Withdrawn { by } => {
                let principal = by.principal();
                self.broken_by = self.broken_by.take().filter(|broken_by| *broken_by != principal);
                // What somebody does alone in an emergency is for nobody else to take back.
                self.agreed =
                    self.agreed.take().filter(|agreed| agreed == BREAK_GLASS && self.broken_by.is_some());
                self.votes.retain(|vote| vote.by.principal() != principal);
                self.delegations.retain(|delegation| delegation.by.principal() != principal);
            }
            GateEvent::Delegated { by, to, until, reason } => {
                self.delegations.retain(|delegation| delegation.by.principal() != by.principal());
                let (by, to, until, reason) = (by.clone(), to.clone(), *until, reason.clone());
                self.delegations.push(Delegation { at, by, to, until, reason });
            }
            GateEvent::Edited { by, .. } => {
                self.editors.insert(by.principal(), by.name.clone());
            }
            GateEvent::Armed { until } => self.armed_until = Some(*until),
            GateEvent::Reminded { count } => self.reminded = *count,
            GateEvent::Escalated { group } => self.escalated = Some(group.clone()),
            GateEvent::Resolved { by, .. } => {
                self.resolved_by.clone_from(by);
                (self.agreed, self.anew) = (None, false);
            }
            GateEvent::GlassReviewed { by, epoch, .. } => {
                let reviewed_by = Some((by.principal(), by.name.clone()));
                match self.overtaken.iter_mut().find(|item| Some(item.epoch) == *epoch) {
                    Some(value) => Arc::make_mut(value).reviewed_by = reviewed_by,
                    None => self.reviewed_by = reviewed_by,
                }
            }
            GateEvent::Commented { by, .. } if by.decides_nothing().is_some() => self.of_programs.0 += 1,
            GateEvent::Commented { .. } => self.comments += 1,
            GateEvent::Refused { by, .. } if by.decides_nothing().is_some() => self.of_programs.1 += 1,
            GateEvent::Refused { .. } => {}
        }
        true
    }

    /// Keeps an emergency approval for its review, because the gate asks something else from now on.
    fn keep_emergency(&mut self) {
        let mut overtaken = std::mem::take(&mut self.overtaken);
        overtaken.push(Arc::new(self.clone()));
        self.overtaken = overtaken;
    }

    /// Earlier states of the gate: each an emergency approval after which it asked again; the oldest first.
    pub fn overtaken(&self) -> &[Arc<Self>] {
        &self.overtaken
    }

    /// Goes by the people of another fold of the same gate, which was there when it opened.
    pub(super) fn go_by(&mut self, other: &Self) {
        self.people.clone_from(&other.people);
        for (mine, theirs) in self.overtaken.iter_mut().zip(&other.overtaken) {
            Arc::make_mut(mine).people.clone_from(&theirs.people);
        }
    }

    /// The answer of this person that stands here.
    pub fn vote_of(&self, actor: &Actor) -> Option<&Arc<Vote>> {
        let principal = actor.principal();
        self.votes.iter().find(|vote| vote.by.principal() == principal)
    }

    /// The decider that closes it when enough have agreed.
    pub(super) fn closer(&self) -> &'static str {
        if self.broken_by.is_some() { OVERRIDE } else { "people" }
    }

    /// True for a question about a step that has begun: its budget, its result, or the choice of its tool.
    pub const fn is_by_the_way(&self) -> bool {
        self.for_budget
    }

    /// The effect of a rejection on the run.
    pub fn on_reject(&self) -> OnFailure {
        self.rule.on_reject
    }

    /// True while the approved files are hashed again after the last vote.
    pub const fn is_checked(&self) -> bool {
        self.agreed.is_some()
    }

    /// The parameters as they are now.
    pub(super) fn form(&self) -> ValueMap {
        self.ask.form.iter().map(|field| (field.name.clone(), field.value.clone())).collect()
    }
}

/// The state that an event leads to, or none when it may not happen in this one.
fn next(state: GateState, event: &GateEvent) -> Option<GateState> {
    use GateState as S;
    Some(match (state, event) {
        (S::Open | S::Armed, GateEvent::Asked { .. } | GateEvent::Withdrawn { .. }) => S::Open,
        // Approved, or in an old log closed by hand, before what it had let go changed.
        (S::Approved | S::Cancelled, GateEvent::Asked { .. }) => S::Open,
        (S::Open, GateEvent::Armed { .. }) => S::Armed,
        (S::Open | S::Armed, GateEvent::Resolved { state, .. }) if state.rests() => *state,
        (
            S::Open | S::Armed,
            GateEvent::Voted(_)
            | GateEvent::GlassBroken(_)
            | GateEvent::Overridden(_)
            | GateEvent::Delegated { .. }
            | GateEvent::Edited { .. }
            | GateEvent::Agreed { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. },
        )
        // What is looked at may be long over, and the gate ask something else.
        | (
            _,
            GateEvent::GlassReviewed { .. } | GateEvent::Refused { .. } | GateEvent::Commented { .. },
        ) => state,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use cuelight_base::{DecisionId, Digest, GateId, RunId, Span};
    use cuelight_plan::{OnTimeout, Risk};

    fn events() -> Vec<(&'static str, GateEvent)> {
        let by = Actor::engine;
        let vote = Vote {
            decision: DecisionId(String::new()),
            by: by(),
            verdict: Verdict::Approve,
            reason: String::new(),
            ask: Digest::default(),
            shown_for: None,
            acting_for: Vec::new(),
            self_declared: false,
            form: ValueMap::new(),
        };
        let overridden = Box::new(vote.clone());
        let broken = Box::new(vote.clone());
        let resolved = |state| GateEvent::Resolved { state, by: String::new(), form: ValueMap::new() };
        vec![
            ("asked", GateEvent::Asked { ask: Arc::new(ask()), hash: Digest::default(), why: None }),
            ("voted", GateEvent::Voted(Box::new(vote))),
            ("glass-broken", GateEvent::GlassBroken(broken)),
            ("overridden", GateEvent::Overridden(overridden)),
            ("glass-reviewed", GateEvent::GlassReviewed { by: by(), reason: String::new(), epoch: None }),
            (
                "delegated",
                GateEvent::Delegated {
                    by: by(),
                    to: String::new(),
                    until: Timestamp(0),
                    reason: String::new(),
                },
            ),
            ("refused", GateEvent::Refused { by: by(), why: String::new() }),
            ("withdrawn", GateEvent::Withdrawn { by: by() }),
            ("edited", GateEvent::Edited { by: by(), values: ValueMap::new(), reason: String::new() }),
            ("commented", GateEvent::Commented { by: by(), text: String::new() }),
            ("agreed", GateEvent::Agreed { by: String::new(), files: Vec::new(), patterns: Vec::new() }),
            ("armed", GateEvent::Armed { until: Timestamp(0) }),
            ("reminded", GateEvent::Reminded { count: 1 }),
            ("escalated", GateEvent::Escalated { group: String::new() }),
            ("approved", resolved(GateState::Approved)),
            ("rejected", resolved(GateState::Rejected)),
            ("expired", resolved(GateState::Expired)),
            ("cancelled", resolved(GateState::Cancelled)),
        ]
    }

    fn ask() -> Ask {
        Ask {
            run: RunId(1),
            gate: GateId(1),
            epoch: Epoch(1),
            step: String::new(),
            workflow: String::new(),
            plan: Digest::default(),
            definition: Digest::default(),
            prompt: String::new(),
            claim: None,
            risk: Risk::default(),
            will_run: Vec::new(),
            all: None,
            writes: Vec::new(),
            later: Vec::new(),
            starts: Vec::new(),
            skips: Vec::new(),
            undoes: Vec::new(),
            cannot_undo: Vec::new(),
            binds: Vec::new(),
            evidence: Vec::new(),
            form: Vec::new(),
            require: Vec::new(),
            excluded: Vec::new(),
            requester: String::new(),
            opened_at: Timestamp(0),
            expires_at: None,
            on_timeout: OnTimeout::default(),
            reason_required: false,
            touch: false,
            undo_window: Span(0),
            send_back: None,
            snapshot: Vec::new(),
            is_choice: false,
            raises: None,
            escalate: None,
            runs_anyway: Vec::new(),
            policy: None,
        }
    }

    #[test]
    fn every_pair_of_state_and_event_is_known() {
        let cell = |state: &GateState, event: &GateEvent| next(*state, event).map(GateState::word);
        let cells = events()
            .iter()
            .flat_map(|(name, event)| {
                GateState::ALL.iter().map(move |state| (state.word(), *name, cell(state, event)))
            })
            .collect::<Vec<_>>();
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots"}, {
            insta::assert_snapshot!("gate_grid", crate::state::grid(&cells));
        });
    }
}

//! A gate: a question to people.
//!
//! ```text
//! open ─▶ armed ─▶ approved    enough people approved, none of them excluded; armed can still be undone
//!   │  ◀───┘ (withdrawn, or asked again: another epoch, all votes void)
//!   │  ◀── approved, or done by hand: a released call has changed before it ran; another epoch as well
//!   ├────▶ rejected            one person rejected
//!   ├────▶ expired             nobody answered in time
//!   └────▶ cancelled           its run ended first; in old logs also: it was done by hand
//! ```
//!
//! The consequences of a verdict are not decided here; see `verdict`.

use crate::{
    Actor, Ask, Channel, Decision, GateEvent, GateState, Refusal, Verdict, Vote, ask, check_form,
    membership::{GatePeople, PeopleInForce, groups_of},
    quorum, unanswered,
};
use cuelight_base::{
    BREAK_GLASS_REASON_CHARS_MIN, DecisionId, Digest, Epoch, GateId, RunId, Span, StepIx, Timestamp, Value,
    ValueMap,
};

use cuelight_plan::{GateRule, OnFailure, OnTimeout, Quorum, Risk};

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

/// An action of a person at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateAct {
    /// Answers the gate with an approval.
    Approve,
    /// Answers the gate with a rejection.
    Reject,
    /// Sends the gate back: the work is done again from an earlier step on.
    SendBack,
    /// Approves alone, in an emergency.
    EmergencyApprove,
    /// Closes the gate by hand, as the last of its quorum.
    Override,
    /// Delegates the own answer to somebody else.
    Delegate,
    /// Withdraws the own answer, or a delegation.
    Withdraw,
    /// Changes the parameters of the form.
    Edit,
    /// Reviews the emergency approval or the override of this epoch.
    Review(Epoch),
}

impl GateAct {
    /// The action that a decision is.
    pub const fn of(decision: &Decision) -> Self {
        match decision.verdict {
            Verdict::Approve if decision.break_glass => Self::EmergencyApprove,
            Verdict::Approve if decision.overrides => Self::Override,
            Verdict::Approve => Self::Approve,
            Verdict::Reject => Self::Reject,
            Verdict::SendBack => Self::SendBack,
        }
    }

    /// The verdict of an answer; none for any other action.
    pub const fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Approve | Self::EmergencyApprove | Self::Override => Some(Verdict::Approve),
            Self::Reject => Some(Verdict::Reject),
            Self::SendBack => Some(Verdict::SendBack),
            Self::Delegate | Self::Withdraw | Self::Edit | Self::Review(_) => None,
        }
    }
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

/// The reason why this person cannot stand behind an approval that is kept from another run, for which nobody
/// was asked here. They asked for the run, and its gate wants somebody else.
pub fn kept_approval_forbids(rule: &GateRule, requester: &Actor, actor: &Actor) -> Option<String> {
    (ask::wants_others(rule) && requester.is_or_may_be(&actor.principal()))
        .then(|| format!("{} asked for this run; somebody else has to answer", actor.name))
}

/// The timers of a gate, in the order they are handled when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GateDue {
    Armed,
    Expires,
    Escalates,
    Reminds,
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

    /// True if the gate has expired, though the engine has not been woken yet. An armed gate cannot expire.
    fn has_expired(&self, now: Timestamp) -> bool {
        self.state == GateState::Open && self.ask.expires_at.is_some_and(|expires_at| expires_at <= now)
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

    /// Checks that this person may do this here now. It covers all rules that do not depend on the content of
    /// an answer, such as a reason or values.
    /// The engine accepts a well-formed command of this kind exactly when this returns `Ok`.
    ///
    /// # Errors
    /// The reason why not, or that it is done already.
    pub fn may(&self, actor: &Actor, act: GateAct, now: Timestamp) -> Result<(), Refusal> {
        let gate = self.id;
        if let Some(why) = actor.decides_nothing() {
            return Err(match act.verdict() {
                Some(_) => Refusal::NotAllowed { gate, why: why.to_owned() },
                None => Refusal::Other(why.to_owned()),
            });
        }
        match act {
            GateAct::Approve
            | GateAct::Reject
            | GateAct::SendBack
            | GateAct::EmergencyApprove
            | GateAct::Override => self.may_answer(actor, act, now),
            GateAct::Delegate => {
                self.is_asking(now)?;
                self.may_hand_on(actor).map_err(|why| Refusal::Delegation { gate, why })
            }
            GateAct::Withdraw if self.anew => Err(Refusal::AskedAnew(gate)),
            GateAct::Withdraw if !self.is_open() || !self.holds(actor) => {
                Err(Refusal::NothingToWithdraw(gate))
            }
            GateAct::Withdraw if self.has_expired(now) => Err(Refusal::GateExpired(gate)),
            GateAct::Withdraw => Ok(()),
            GateAct::Edit => self.may_edit(actor, now),
            GateAct::Review(epoch) => match self.review(epoch, actor) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    Err(Refusal::Review { gate, why: format!("{} has reviewed it already", actor.name) })
                }
                Err(why) => Err(Refusal::Review { gate, why }),
            },
        }
    }

    fn may_answer(&self, actor: &Actor, act: GateAct, now: Timestamp) -> Result<(), Refusal> {
        let gate = self.id;
        self.is_asking(now)?;
        let alone = act == GateAct::EmergencyApprove;
        let why = if alone {
            self.forbids(actor).or_else(|| self.is_handed_on(actor, now))
        } else {
            self.excludes(actor, now)
        };
        if let Some(why) = why.or_else(|| self.proves_too_little(actor, act)) {
            return Err(Refusal::NotAllowed { gate, why });
        }
        // Who has agreed already and sees that nobody else comes can still do without them.
        let is_more = |vote: &&Arc<Vote>| alone && vote.verdict == Verdict::Approve;
        if self.vote_of(actor).is_some_and(|vote| !is_more(&vote)) {
            return Err(Refusal::Voted(gate));
        }
        match act {
            GateAct::EmergencyApprove if !self.is_for_emergencies(actor) => {
                let why = format!("{} is not in the group {BREAK_GLASS} of people.toml", actor.name);
                Err(Refusal::BreakGlass { gate, why })
            }
            GateAct::Override => self.may_override(actor, now),
            GateAct::SendBack if self.rule.send_back.is_none() => {
                let why = "its workflow names no step for that (`send-back: STEP`); reject it instead";
                Err(Refusal::SendBack { gate, why: why.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn may_edit(&self, actor: &Actor, now: Timestamp) -> Result<(), Refusal> {
        let gate = self.id;
        self.is_asking(now)?;
        if !self.editors.contains_key(&actor.principal())
            && let Some(why) = self.excludes(actor, now)
        {
            return Err(Refusal::NotAllowed { gate, why });
        }
        if self.ask.form.is_empty() {
            return Err(Refusal::Form { gate, problem: "this gate has no form".to_owned() });
        }
        Ok(())
    }

    /// The answer of this person that stands here.
    pub fn vote_of(&self, actor: &Actor) -> Option<&Arc<Vote>> {
        let principal = actor.principal();
        self.votes.iter().find(|vote| vote.by.principal() == principal)
    }

    /// True if this person's groups allow an emergency approval.
    pub fn is_for_emergencies(&self, actor: &Actor) -> bool {
        self.counted(actor).groups.iter().any(|group| group == BREAK_GLASS)
    }

    /// The places that nobody has filled. One person fills one.
    pub fn missing(&self) -> Vec<Quorum> {
        let voters: Vec<Actor> = self.approvals().map(|approval| self.counted_as(approval)).collect();
        let missing = quorum::missing(&self.ask.require, &voters.iter().collect::<Vec<_>>());
        missing.into_iter().map(|(group, count)| Quorum { group, count }).collect()
    }

    /// The places that nobody has filled once this person has approved as well, and how many people have
    /// approved then.
    pub fn missing_after(&self, actor: &Actor, now: Timestamp) -> (usize, Vec<Quorum>) {
        let one = self.counted_as(&self.vote_by(actor, Verdict::Approve, now));
        let voters: Vec<Actor> =
            self.approvals().map(|approval| self.counted_as(approval)).chain([one]).collect();
        let missing = quorum::missing(&self.ask.require, &voters.iter().collect::<Vec<_>>());
        (voters.len(), missing.into_iter().map(|(group, count)| Quorum { group, count }).collect())
    }

    /// True if it waits for an answer of this person: they may answer, and a group of theirs is missing.
    pub fn waits_for(&self, actor: &Actor, now: Timestamp) -> bool {
        let missing = self.missing();
        let is_missing = |actor: &Actor| {
            quorum::could_fill(&missing, None, &self.counted(actor))
                || self.escalated.as_ref().is_some_and(|to| self.is_called(to, actor))
        };
        self.state == GateState::Open
            && self.may(actor, GateAct::Reject, now).is_ok()
            && (is_missing(actor) || self.handed_to(actor, now).any(is_missing))
    }

    fn approvals(&self) -> impl Iterator<Item = &Arc<Vote>> {
        self.votes.iter().filter(|vote| vote.verdict == Verdict::Approve)
    }

    /// True if this person's review of the emergency approval or override of this epoch is to be recorded;
    /// false when theirs is recorded already. An error tells why it cannot be.
    pub(super) fn review(&self, epoch: Epoch, by: &Actor) -> Result<bool, String> {
        let is_meant = |item: &&Self| item.epoch == epoch && wants_review(&item.resolved_by);
        let Some(item) = self.overtaken.iter().map(|value| &**value).chain([self]).find(is_meant) else {
            let when = if epoch == self.epoch { String::new() } else { format!(" in epoch {epoch}") };
            return Err(format!("it has no emergency approval and no override{when}"));
        };
        let principal = by.principal();
        if let Some((other, name)) = &item.reviewed_by {
            return if *other == principal {
                Ok(false)
            } else {
                Err(format!("{name} has reviewed it already"))
            };
        }
        if item.broken_by.as_deref() == Some(&*principal) {
            return Err(format!("{} gave this approval; another person must review it", by.name));
        }
        item.forbids(by).or_else(|| item.may_not(by)).map_or(Ok(true), Err)
    }

    /// Checks that the gate still waits for people. The refusal tells why nobody can act there any more, or
    /// not yet.
    pub(super) fn is_asking(&self, now: Timestamp) -> Result<(), Refusal> {
        let gate = self.id;
        if self.anew {
            return Err(Refusal::AskedAnew(gate));
        }
        if !self.is_open() {
            return Err(Refusal::GateClosed { gate, state: self.state, by: self.closed_by_words() });
        }
        if self.has_expired(now) {
            return Err(Refusal::GateExpired(gate));
        }
        Ok(())
    }

    /// The people who closed it by name, or the rule that did.
    fn closed_by_words(&self) -> String {
        let verdict = if self.state == GateState::Rejected { Verdict::Reject } else { Verdict::Approve };
        let names: Vec<&str> = self
            .votes
            .iter()
            .filter(|vote| vote.verdict == verdict)
            .map(|vote| vote.by.name.as_str())
            .collect();
        if self.resolved_by == "people" && !names.is_empty() {
            names.join(", ")
        } else {
            self.resolved_by.clone()
        }
    }

    /// The vote that an answer is now, and the form with its values; changes nothing. `None`: it was given
    /// before, and counts once.
    pub(super) fn answer(
        &self,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Option<(Vote, ValueMap)>, Refusal> {
        let gate = decision.gate;
        self.is_asking(now)?;
        if self.epoch != decision.epoch || self.hash != decision.ask {
            return Err(Refusal::AskChanged { gate, now: self.hash, epoch: self.epoch });
        }
        if decision.break_glass && decision.verdict != Verdict::Approve {
            let why = "only an approval can be an emergency approval; leave `--break-glass` out".to_owned();
            return Err(Refusal::BreakGlass { gate, why });
        }
        if decision.overrides && GateAct::of(decision) != GateAct::Override {
            let why = "an override is an approval of your own; leave the rest out".to_owned();
            return Err(Refusal::Override { gate, why });
        }
        let said = |vote: &Arc<Vote>| vote.verdict == decision.verdict && !decision.overrides;
        match self.may(&decision.by, GateAct::of(decision), now) {
            Err(Refusal::Voted(_)) if self.vote_of(&decision.by).is_some_and(said) => return Ok(None),
            value => value?,
        }
        let reason = self.reason_of(decision)?;
        let form = match decision.verdict {
            Verdict::Approve => {
                self.filled_in(&decision.form).map_err(|problem| Refusal::Form { gate, problem })?
            }
            Verdict::Reject | Verdict::SendBack if !decision.form.is_empty() => {
                let problem = "an approval fills in the form; leave its values out".to_owned();
                return Err(Refusal::Form { gate, problem });
            }
            Verdict::Reject | Verdict::SendBack => self.form(),
        };
        let is_given = |entry: &(String, Value)| decision.form.contains_key(&entry.0);
        let given = form.clone().into_iter().filter(is_given);
        let vote = Vote {
            decision: decision.id.clone(),
            reason: reason.to_owned(),
            ask: decision.ask,
            shown_for: decision.shown_for,
            form: given.collect(),
            ..self.vote_by(&decision.by, decision.verdict, now)
        };
        Ok(Some((vote, form)))
    }

    /// The reason of an answer, where it is long enough for it.
    fn reason_of<'a>(&self, decision: &'a Decision) -> Result<&'a str, Refusal> {
        let gate = decision.gate;
        let reason = decision.reason.trim();
        let (act, said) = (GateAct::of(decision), reason.chars().count());
        let missing = |verb: &str| Err(Refusal::ReasonMissing(verb.to_owned()));
        match act {
            GateAct::Reject if said == 0 => missing(&format!("reject {gate}")),
            GateAct::SendBack if said == 0 => missing(&format!("send {gate} back")),
            GateAct::EmergencyApprove if said < BREAK_GLASS_REASON_CHARS_MIN => {
                let why = format!(
                    "the reason has {said} characters; at least {BREAK_GLASS_REASON_CHARS_MIN} are wanted"
                );
                Err(Refusal::BreakGlass { gate, why })
            }
            GateAct::Override if said == 0 => missing(&format!("override {gate}")),
            GateAct::Approve if said == 0 && self.ask.reason_required => missing(&format!("approve {gate}")),
            _ => Ok(reason),
        }
    }

    /// The vote that an answer of this person is now, for all whose answer it is; its contents are left out.
    fn vote_by(&self, by: &Actor, verdict: Verdict, now: Timestamp) -> Vote {
        let vote = Vote {
            decision: DecisionId(String::new()),
            by: self.counted(by),
            verdict,
            reason: String::new(),
            ask: self.hash,
            shown_for: None,
            acting_for: self.handed_to(by, now).map(|actor| self.counted(actor)).collect(),
            self_declared: false,
            form: ValueMap::new(),
        };
        Vote { self_declared: self.is_self_declared(&vote.voter()), ..vote }
    }

    /// Why what proves an answer is too little here, and what to do: only an approval has to be touched.
    fn proves_too_little(&self, by: &Actor, act: GateAct) -> Option<String> {
        let wants_touch = self.ask.touch
            || self.rule.touch
            || self.people.wants_touch() && self.ask.risk >= Risk::Irreversible;
        let wants_touch = wants_touch && act.verdict() == Some(Verdict::Approve);
        (wants_touch && by.touch().is_none())
            .then(|| self.ask.needs_touch_words())
            .or_else(|| self.key_is_new(by))
    }

    /// The form as an approval fills it in: every field fits, none is left empty unasked where the risk is
    /// high, and values that others have approved stay.
    fn filled_in(&self, given: &ValueMap) -> Result<ValueMap, String> {
        let form = check_form(&self.ask.form, given)?;
        if let Some(field) = unanswered(&self.ask, given).first() {
            return Err(format!(
                "`{0}` is empty and its risk is high; fill it in, or leave it empty on purpose (--leave {0})",
                field.name
            ));
        }
        let others = self.votes.iter().any(|vote| vote.verdict == Verdict::Approve);
        if others && form != self.form() {
            return Err(format!(
                "others approved other values; leave --set out to approve theirs, or change them with \
                     `cuelight gate edit {}` (voids all votes; an editor cannot vote)",
                self.id
            ));
        }
        Ok(form)
    }

    /// An override needs all that an approval needs, and enough people with this one: it is no way around
    /// them.
    fn may_override(&self, by: &Actor, now: Timestamp) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::Override { gate: self.id, why: why.to_owned() });
        match () {
            () if self.for_budget => refused("it asks about a step that has begun; answer it"),
            () if self.state == GateState::Armed => refused("enough people have approved already"),
            () if !self.would_satisfy(Some(&self.vote_by(by, Verdict::Approve, now))) => {
                refused(WHOLE_QUORUM)
            }
            () => Ok(()),
        }
    }

    /// Why this person's answer does not count here, if it does not.
    fn excludes(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let own = || self.may_not(actor);
        let acts = || self.handed_to(actor, now).any(|actor| self.may_not(actor).is_none());
        let why = self.forbids(actor).or_else(|| self.is_handed_on(actor, now));
        why.or_else(|| own().filter(|_| !acts()))
    }

    /// The people who have delegated their answer to this person. A person who does not count cannot
    /// delegate.
    pub fn handed_to<'a>(&'a self, actor: &'a Actor, now: Timestamp) -> impl Iterator<Item = &'a Actor> {
        let live = self
            .delegations
            .iter()
            .filter(move |delegation| delegation.until > now && self.is_called(&delegation.to, actor));
        let other = live.filter(|delegation| delegation.by.principal() != actor.principal());
        other
            .map(|delegation| &delegation.by)
            .filter(|actor| self.forbids(actor).is_none() && !self.has_answered(actor))
    }

    /// True if an answer of this person stands, given by themselves or by somebody for them.
    fn has_answered(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        let is_by = |actor: &Actor| actor.principal() == principal;
        self.votes.iter().any(|vote| is_by(&vote.by) || vote.acting_for.iter().any(is_by))
    }

    /// Why this person cannot answer any more, if somebody else has it in hand.
    fn is_handed_on(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let principal = actor.principal();
        let acts = |vote: &&Arc<Vote>| vote.acting_for.iter().any(|of| of.principal() == principal);
        if let Some(vote) = self.votes.iter().find(acts) {
            return Some(format!("{} has answered for {}", vote.by.name, actor.name));
        }
        let mine =
            |delegation: &&Delegation| delegation.until > now && delegation.by.principal() == principal;
        let delegation = self.delegations.iter().find(mine)?;
        Some(format!(
            "{} delegated their answer to {} until {}; revoke that with `cuelight gate withdraw {}`",
            actor.name,
            delegation.to,
            delegation.until.clock(),
            self.id
        ))
    }

    /// Checks that this person has an answer here that they could delegate.
    fn may_hand_on(&self, by: &Actor) -> Result<(), String> {
        let words = || {
            format!(
                "this answer is given already; the person who gave it can withdraw it: cuelight gate withdraw {}",
                self.id
            )
        };
        let given = || self.has_answered(by).then(words);
        self.forbids(by).or_else(|| self.may_not(by)).or_else(given).map_or(Ok(()), Err)
    }

    /// Why this person cannot hand their answer to that one, if they cannot.
    pub(super) fn keeps(&self, by: &Actor, to: &str) -> Option<String> {
        if by.name == to || to.is_empty() {
            return Some("you cannot delegate to yourself".to_owned());
        }
        let is_editor = self.editors.values().any(|editor| editor == to);
        (is_editor || self.ask.requester == to && self.ask.excluded.iter().any(|pair| pair.1.starts_with(to)))
            .then(|| format!("{to} is excluded at this gate"))
    }

    /// True if this person has an answer or a delegation here that can be withdrawn.
    pub fn holds(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        self.votes.iter().any(|vote| vote.by.principal() == principal)
            || self.delegations.iter().any(|delegation| delegation.by.principal() == principal)
    }

    /// Why no answer of this person counts, whatever groups they are in.
    pub fn forbids(&self, actor: &Actor) -> Option<String> {
        if self.editors.contains_key(&actor.principal()) && !self.ask.is_choice {
            return Some(format!("{} edited the form; another person must answer", actor.name));
        }
        let by_rule = |(excluded, why): &(String, String)| {
            self.is_or_was_excluded(excluded, actor).then(|| why.clone())
        };
        self.ask.excluded.iter().find_map(by_rule)
    }

    /// Why this person is none of those who are asked.
    fn may_not(&self, actor: &Actor) -> Option<String> {
        let counted = self.counted(actor);
        if quorum::could_fill(&self.ask.require, None, &counted)
            || self.escalated.as_ref().is_some_and(|escalated| self.is_called(escalated, actor))
        {
            return None;
        }
        let not_in =
            || format!("{} is not in the group {} of people.toml", actor.name, groups_of(&self.ask.require));
        Some(self.counts_not(actor).unwrap_or_else(not_in))
    }

    /// The person of a vote, with the groups of which they can fill a place. Somebody to whom the gate was escalated fills
    /// one place of any group, as its members do: no place is filled by nobody.
    fn counted_as(&self, vote: &Vote) -> Actor {
        let mut voter = vote.voter();
        let is_called =
            |to: &String| vote.acting_for.iter().chain([&vote.by]).any(|actor| self.is_called(to, actor));
        if self.escalated.as_ref().is_some_and(is_called) {
            voter.groups.extend(self.ask.require.iter().filter_map(|quorum| quorum.group.clone()));
        }
        voter
    }

    /// True when the people who agreed fill every place.
    pub(super) fn is_satisfied(&self) -> bool {
        self.would_satisfy(None)
    }

    /// The same, with one more approval.
    fn would_satisfy(&self, more: Option<&Vote>) -> bool {
        let votes = self.approvals().map(|approval| &**approval).chain(more);
        let voters: Vec<Actor> = votes.map(|vote| self.counted_as(vote)).collect();
        quorum::is_reached(&self.ask.require, &voters.iter().collect::<Vec<_>>())
    }

    /// Why this person alone cannot close it by hand, if they cannot: it would be a way around the quorum.
    pub(super) fn needs_more_than(&self, by: &Actor, now: Timestamp) -> Option<String> {
        if let Some(why) = self.excludes(by, now) {
            return Some(why);
        }
        let more = Some(self.vote_by(by, Verdict::Approve, now)).filter(|_| !self.holds(by));
        (!self.would_satisfy(more.as_ref())).then(|| WHOLE_QUORUM.to_owned())
    }

    /// The decider that closes it when enough have agreed.
    pub(super) fn closer(&self) -> &'static str {
        if self.broken_by.is_some() { OVERRIDE } else { "people" }
    }

    /// The time in which the approval that has just been completed can be undone.
    /// Zero for scripts, and zero if a code was typed: both have had their second look.
    pub(super) fn window(&self) -> Span {
        self.window_of(self.votes.last().map_or(Channel::Console, |vote| vote.by.channel))
    }

    /// The time in which an approval through this channel, which completes the quorum, can be undone.
    pub fn window_of(&self, channel: Channel) -> Span {
        match self.rule.undo_window {
            Some(window) => window,
            None if channel != Channel::Console || self.rule.risk == Risk::Irreversible => Span(0),
            None => self.ask.undo_window,
        }
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

    /// True when time alone approves it, once its timeout is over.
    pub(super) fn approves_by_time(&self) -> bool {
        self.ask.expires_at.is_some() && self.rule.on_timeout == OnTimeout::Approve && !self.ask.touch
    }

    /// The next change that time makes to the gate, and its moment.
    pub(super) fn due(&self) -> Option<(Timestamp, GateDue)> {
        // It was decided in time; what is left is not a matter of time.
        if self.agreed.is_some() || self.anew {
            return None;
        }
        match self.state {
            GateState::Armed => self.armed_until.map(|armed_until| (armed_until, GateDue::Armed)),
            GateState::Open => {
                let expires = self.ask.expires_at.map(|expires_at| (expires_at, GateDue::Expires));
                let escalates = self
                    .rule
                    .escalate
                    .as_ref()
                    .filter(|_| self.escalated.is_none())
                    .map(|(after, _)| (self.opened_at + *after, GateDue::Escalates));
                let reminds = self
                    .rule
                    .remind
                    .get(self.reminded as usize)
                    .map(|after| (self.opened_at + *after, GateDue::Reminds));
                [expires, escalates, reminds].into_iter().flatten().min()
            }
            GateState::Approved | GateState::Rejected | GateState::Expired | GateState::Cancelled => None,
        }
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
    use cuelight_base::{DecisionId, Digest, GateId, RunId};

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

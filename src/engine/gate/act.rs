//! The actions of people at a gate, and the rules that allow or refuse each of them now.

use super::WHOLE_QUORUM;
use crate::{BREAK_GLASS, Decision, Gate, GateState, Refusal, Verdict, Vote, wants_review};
use cuelight_base::{Actor, Epoch, Timestamp};
use std::sync::Arc;

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
    /// All but the reviews, which are of an epoch.
    pub const ALL: [Self; 8] = [
        Self::Approve,
        Self::Reject,
        Self::SendBack,
        Self::EmergencyApprove,
        Self::Override,
        Self::Delegate,
        Self::Withdraw,
        Self::Edit,
    ];

    /// The word of `may` in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::SendBack => "send-back",
            Self::EmergencyApprove => "break-glass",
            Self::Override => "override",
            Self::Delegate => "delegate",
            Self::Withdraw => "withdraw",
            Self::Edit => "edit",
            Self::Review(_) => "review",
        }
    }

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

impl Gate {
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
                None => Refusal::Other(format!("could not decide: {why}")),
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
                if self.wants_touch() && actor.touch().is_none() {
                    let why =
                        "an approval here needs a touched security key, and a delegation carries none; \
                               answer with your own key"
                            .to_owned();
                    return Err(Refusal::Delegation { gate, why });
                }
                self.may_hand_on(actor).map_err(|why| Refusal::Delegation { gate, why })
            }
            GateAct::Withdraw if self.anew => Err(Refusal::AskedAnew(gate)),
            GateAct::Withdraw if !self.is_open() || !self.holds(actor) => {
                Err(Refusal::NothingToWithdraw(gate))
            }
            GateAct::Withdraw if self.has_expired(now) => Err(Refusal::GateExpired(gate)),
            GateAct::Withdraw if let Some(vote) = self.given_for(actor) => {
                let who = &vote.by.name;
                let why = format!(
                    "{who} has answered with it already; {who} can withdraw that answer: cuelight gate withdraw {gate}"
                );
                Err(Refusal::Delegation { gate, why })
            }
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

    /// True if this person's review of the emergency approval or override of this epoch is to be recorded;
    /// false when theirs is recorded already. An error tells why it cannot be.
    pub(crate) fn review(&self, epoch: Epoch, by: &Actor) -> Result<bool, String> {
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
        if let Some(vote) = item.given_for(by).filter(|vote| item.is_alone(vote)) {
            let (who, for_whom) = (&vote.by.name, &by.name);
            return Err(format!("{who} gave this approval for {for_whom}; another person must review it"));
        }
        item.forbids(by).or_else(|| item.may_not(by)).map_or(Ok(true), Err)
    }

    /// Checks that the gate still waits for people. The refusal tells why nobody can act there any more, or
    /// not yet.
    pub(crate) fn is_asking(&self, now: Timestamp) -> Result<(), Refusal> {
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
}

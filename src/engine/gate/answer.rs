//! An answer at a gate becomes a vote: its reason, its form, and the people for whom it counts.

use crate::{Decision, Gate, GateAct, Refusal, Verdict, Vote, check_form, unanswered};
use cuelight_base::{Actor, BREAK_GLASS_REASON_CHARS_MIN, DecisionId, Timestamp, Value, ValueMap};
use std::sync::Arc;

impl Gate {
    /// The vote that an answer is now, and the form with its values; changes nothing. `None`: it was given
    /// before, and counts once.
    pub(crate) fn answer(
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
    pub(super) fn vote_by(&self, by: &Actor, verdict: Verdict, now: Timestamp) -> Vote {
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
}

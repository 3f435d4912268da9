//! One gate as it can be seen: the ask, who has answered, what is missing, what it looked like before.

use crate::ask_diff::{AskChange, calls_diff};
use cuelight_base::{Actor, Digest, Epoch, GateId, RunId, StepIx, Timestamp, ValueMap};
use cuelight_engine::{
    Ask, BREAK_GLASS, Delegation, Gate, GateAct, GateEvent, GateState, OVERRIDE, Verdict, Vote, wants_review,
};
use cuelight_plan::Quorum;
use std::sync::Arc;

/// Remarks and refusals that are kept of one gate.
const REMARKS_MAX: usize = 64;

/// One gate with its ask and its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    /// The id of the gate.
    pub id: GateId,
    /// The run of the gate.
    pub run: RunId,
    /// The step that waits at the gate.
    pub step: StepIx,
    /// The current ask. Prompt, evidence and form hold foreign text.
    pub ask: Arc<Ask>,
    /// The hash of the ask.
    pub hash: Digest,
    /// The reason for asking again; none the first time.
    pub asked_anew: Option<String>,
    /// The ask before that; none the first time.
    pub previous: Option<Arc<Ask>>,
    /// The state of the gate.
    pub state: GateState,
    /// Answers that count, oldest first.
    pub votes: Vec<VoteView>,
    /// Answers that did not count: what was said to whom.
    pub refused: Vec<Comment>,
    /// Remarks of people; foreign text.
    pub comments: Vec<Comment>,
    /// The last change of the parameters: its author, reason and time.
    pub edited: Option<Comment>,
    /// The person (`NAME`) or group (`group:NAME`) that may decide as well by now.
    pub escalated: Option<String>,
    /// The person who gave an emergency approval in place of the quorum, or closed the gate by an override.
    pub broken_by: Option<Actor>,
    /// The review of that approval: the reviewer, the time and the finding.
    pub review: Option<Comment>,
    /// The gate at each emergency approval that was followed by another ask; oldest first. See
    /// [`Self::emergencies`].
    pub overtaken: Vec<Arc<Self>>,
    /// The number of reminders so far.
    pub reminded: u32,
    /// The time until which an approval can be withdrawn.
    pub armed_until: Option<Timestamp>,
    /// The time at which it closed.
    pub closed_at: Option<Timestamp>,
    /// `people`, `policy:auto`, `timeout`, `break-glass`, `override`, `run`; `by-hand` in old logs.
    pub closed_by: Option<String>,
    /// The parameters at that time.
    pub form: ValueMap,
    /// When the same question was last answered with yes, in an earlier run.
    pub last_approved: Option<Arc<Approved>>,
    /// True if what an approval lets run is not what it was that time.
    pub is_changed: bool,
    /// The scripts that differ from those of that time, each before and after: their texts are compared by line.
    pub changed_scripts: Vec<Digest>,
    /// The rules of who may do what at this gate.
    law: Gate,
}

/// An answer, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct VoteView {
    /// The time of the answer.
    pub at: Timestamp,
    /// The answer; its reason is foreign text.
    pub vote: Arc<Vote>,
}

/// Something somebody said, or was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// The time of the remark.
    pub at: Timestamp,
    /// The author of the remark.
    pub by: Actor,
    /// The text of the remark; foreign text.
    pub text: String,
}

/// A gate that was approved.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    /// The gate; its run stands in the ask.
    pub gate: GateId,
    /// The ask that was approved.
    pub ask: Arc<Ask>,
    /// The time at which it closed.
    pub at: Timestamp,
    /// Names of those who agreed, or the rule that did.
    pub by: Vec<String>,
}

impl GateView {
    pub(super) fn asked(law: Gate, (run, step, id): (RunId, StepIx, GateId)) -> Self {
        Self {
            id,
            run,
            step,
            ask: Arc::clone(law.ask()),
            hash: law.hash(),
            asked_anew: None,
            previous: None,
            state: law.state(),
            votes: Vec::new(),
            refused: Vec::new(),
            comments: Vec::new(),
            edited: None,
            escalated: None,
            broken_by: None,
            review: None,
            overtaken: Vec::new(),
            reminded: 0,
            armed_until: None,
            closed_at: None,
            closed_by: None,
            form: ValueMap::new(),
            last_approved: None,
            is_changed: false,
            changed_scripts: Vec::new(),
            law,
        }
    }

    /// Compares what it would let run with what was approved last.
    pub(super) fn compare(&mut self) {
        let last = self.last_approved.as_ref();
        let changes = last.map(|last| calls_diff(&last.ask, &self.ask)).unwrap_or_default();
        self.is_changed = !changes.is_empty();
        self.changed_scripts = changes.iter().flat_map(AskChange::digests).collect();
    }

    /// The law of it: who may answer, who is excluded, who counts.
    pub const fn law(&self) -> &Gate {
        &self.law
    }

    /// The same, for what changes it beside its own events.
    pub(super) const fn law_mut(&mut self) -> &mut Gate {
        &mut self.law
    }

    /// True if people can still answer, or withdraw an answer.
    pub const fn is_open(&self) -> bool {
        !self.state.rests()
    }

    /// The number of asks so far.
    pub fn epoch(&self) -> Epoch {
        self.ask.epoch
    }

    /// The answers with yes.
    pub fn approvals(&self) -> impl Iterator<Item = &VoteView> {
        self.votes.iter().filter(|vote| vote.vote.verdict == Verdict::Approve)
    }

    /// The number of approvers that the quorum requires.
    pub fn needed(&self) -> u32 {
        if self.ask.require.is_empty() { 1 } else { self.ask.require.iter().map(|quorum| quorum.count).sum() }
    }

    /// The approvers that are still missing, by group. One person fills one place.
    pub fn missing(&self) -> Vec<Quorum> {
        self.law.missing()
    }

    /// Answers that were handed to somebody else: by whom, to whom, until when. The newest of each person.
    pub fn delegations(&self) -> &[Delegation] {
        self.law.delegations()
    }

    /// Why this person's answer would not count, whatever groups they are in.
    pub fn excludes(&self, actor: &Actor) -> Option<String> {
        self.law.forbids(actor)
    }

    /// True if this person has answered.
    pub fn has_voted(&self, actor: &Actor) -> bool {
        self.law.vote_of(actor).is_some()
    }

    /// To whom this person has handed their answer.
    pub fn handed_on(&self, actor: &Actor, now: Timestamp) -> Option<&Delegation> {
        let principal = actor.principal();
        self.delegations()
            .iter()
            .find(|delegation| delegation.until > now && delegation.by.principal() == principal)
    }

    /// True if an emergency approval or an override closed it, so that somebody else must review it.
    pub fn is_emergency(&self) -> bool {
        self.closed_by.as_deref().is_some_and(wants_review)
    }

    /// `override`, or `emergency`: why it is reviewed.
    pub fn emergency_word(&self) -> &'static str {
        if self.closed_by.as_deref() == Some(OVERRIDE) { OVERRIDE } else { "emergency" }
    }

    /// The same, as the rest of a sentence.
    pub fn emergency_words(&self) -> &'static str {
        if self.closed_by.as_deref() == Some(OVERRIDE) {
            "approved by an override"
        } else {
            "closed by an emergency approval"
        }
    }

    /// The gate at each of its emergency approvals and overrides, oldest first. Each is reviewed on its own,
    /// even after a new ask.
    pub fn emergencies(self: &Arc<Self>) -> impl DoubleEndedIterator<Item = &Arc<Self>> {
        self.overtaken.iter().chain([self]).filter(|value| value.is_emergency())
    }

    /// The answer that approved it in an emergency, or overrode it.
    pub fn emergency_vote(&self) -> Option<&VoteView> {
        let vote = self.law.emergency_vote()?;
        self.votes.iter().find(|vote_view| Arc::ptr_eq(&vote_view.vote, vote))
    }

    /// True if its emergency approval or override still needs a review.
    pub fn awaits_review(&self) -> bool {
        self.is_emergency() && self.review.is_none()
    }

    /// Why this person cannot be the one who looks, if they cannot.
    pub fn may_not_review(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        self.law.may(actor, GateAct::Review(self.epoch()), now).err().map(|error| error.why())
    }

    /// Everything that this person may do here now, by the law of the gate: the engine accepts a well-formed command
    /// of each, and of no other. Of several reviews that are due the oldest is named.
    pub fn acts(self: &Arc<Self>, actor: &Actor, now: Timestamp) -> Vec<GateAct> {
        let due = self.emergencies().filter(|emergency| emergency.awaits_review());
        let may = |act: &GateAct| self.law.may(actor, *act, now).is_ok();
        let review = due.map(|emergency| GateAct::Review(emergency.epoch())).find(may);
        GateAct::ALL.into_iter().filter(may).chain(review).collect()
    }

    /// True if the gate waits for this person: it is open, and the person has not answered, is not excluded
    /// and is in a group that is missing.
    pub fn waits_for(&self, actor: &Actor, now: Timestamp) -> bool {
        self.law.waits_for(actor, now)
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &GateEvent) {
        let was_emergency = self.is_emergency() && matches!(event, GateEvent::Asked { .. });
        let before = was_emergency.then(|| self.clone());
        if !self.law.apply(at, event) {
            return;
        }
        match event {
            GateEvent::Asked { why, .. } => {
                // Those before it stand beside it.
                let alone = |view| Arc::new(Self { overtaken: Vec::new(), ..view });
                self.overtaken.extend(before.map(alone));
                self.previous = Some(Arc::clone(&self.ask));
                self.asked_anew.clone_from(why);
                self.review = None;
                (self.closed_at, self.closed_by) = (None, None);
            }
            GateEvent::GlassReviewed { by, reason, epoch } => {
                let review = Some(Comment { at, by: by.clone(), text: reason.clone() });
                match self.overtaken.iter_mut().find(|value| Some(value.epoch()) == *epoch) {
                    Some(value) => {
                        let item = Arc::make_mut(value);
                        item.review = review;
                        let _known = item.law.apply(at, event);
                    }
                    None => self.review = review,
                }
            }
            GateEvent::Refused { by, why } => remark(&mut self.refused, at, by, why),
            GateEvent::Edited { by, reason, .. } => {
                self.edited = Some(Comment { at, by: by.clone(), text: reason.clone() });
            }
            GateEvent::Commented { by, text } => remark(&mut self.comments, at, by, text),
            GateEvent::Resolved { by, form, .. } => {
                self.closed_at = Some(at);
                self.closed_by = Some(by.clone());
                self.form.clone_from(form);
            }
            GateEvent::Agreed { .. }
            | GateEvent::Voted(_)
            | GateEvent::GlassBroken(_)
            | GateEvent::Overridden(_)
            | GateEvent::Delegated { .. }
            | GateEvent::Withdrawn { .. }
            | GateEvent::Armed { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. } => {}
        }
        self.follow_the_law(at);
        if matches!(event, GateEvent::Asked { .. }) {
            self.compare();
        }
    }

    /// Shows what the law says now; of each answer it is known when it was given.
    fn follow_the_law(&mut self, at: Timestamp) {
        let law = &self.law;
        self.ask = Arc::clone(law.ask());
        (self.hash, self.state) = (law.hash(), law.state());
        (self.armed_until, self.reminded) = (law.armed_until(), law.reminded());
        self.escalated = law.escalated().map(str::to_owned);
        self.broken_by = law.emergency_vote().map(|emergency_vote| emergency_vote.by.clone());
        let given = |vote: &Arc<Vote>| {
            let known = self.votes.iter().find(|vote_view| Arc::ptr_eq(&vote_view.vote, vote));
            VoteView { at: known.map_or(at, |vote| vote.at), vote: Arc::clone(vote) }
        };
        self.votes = law.votes().map(given).collect();
    }

    /// The person who rejected, and the reason: `mira rejected it: wrong image`.
    pub fn rejection_words(&self) -> String {
        self.law.rejection_words(self.state)
    }

    /// Names of those who closed it: people, or the rule.
    pub fn closers(&self) -> Vec<String> {
        let verdict = match self.closed_by.as_deref() {
            Some("send-back") => Verdict::SendBack,
            _ if self.state == GateState::Rejected => Verdict::Reject,
            _ => Verdict::Approve,
        };
        let people = self
            .votes
            .iter()
            .filter(|vote| vote.vote.verdict == verdict)
            .map(|vote| vote.vote.by.name.clone());
        match self.closed_by.as_deref() {
            Some("people" | "send-back" | BREAK_GLASS | OVERRIDE) => people.collect(),
            Some(rule) => vec![rule.to_owned()],
            None => Vec::new(),
        }
    }
}

fn remark(list: &mut Vec<Comment>, at: Timestamp, by: &Actor, text: &str) {
    if list.len() == REMARKS_MAX {
        list.remove(0);
    }
    list.push(Comment { at, by: by.clone(), text: text.to_owned() });
}

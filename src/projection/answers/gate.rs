//! A gate, a step in doubt and a review that is due, as JSON.

use super::call::CallAnswer;
use crate::spelled::{command_line, text, to_value};
use crate::{Attention, Board, Comment, DoubtView, GateView, VoteView};
use cuelight_base::{Actor, Timestamp, Value, ValueMap};
use cuelight_engine::{Evidence, GateAct, StepState};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// A gate, as `gates --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Gate")]
pub struct GateAnswer {
    #[serde(flatten)]
    ask: AskAnswer,
    #[serde(flatten)]
    end: EndAnswer,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    comments: Vec<Remark>,
    /// Answers that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    denied: Vec<Remark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    delegations: Vec<DelegationAnswer>,
    /// True where its work was sent back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sent_back: bool,
    /// Approvals in an emergency and overrides, each with its review.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emergencies: Vec<EmergencyAnswer>,
    /// Actions that the engine accepts of the caller now.
    #[serde(skip_serializing_if = "Option::is_none")]
    may: Option<Vec<&'static str>>,
}

/// The question of a gate, and the answers so far.
#[derive(Serialize, JsonSchema)]
struct AskAnswer {
    id: String,
    run: String,
    step: String,
    workflow: String,
    state: &'static str,
    prompt: String,
    #[schemars(with = "String")]
    risk: Value,
    /// The name of the person who asked for the run.
    requester: String,
    ask_hash: String,
    epoch: u32,
    opened_at: String,
    /// Files and texts that are shown with the question.
    evidence: Vec<EvidenceAnswer>,
    /// Groups that must agree, each with its number of people.
    require: Value,
    /// The part of `require` that no vote fills yet.
    missing: Value,
    votes: Vec<VoteAnswer>,
    /// The first call that an approval releases, as a shell would read it.
    command_line: Option<String>,
    will_run: Vec<CallAnswer>,
    /// The policy that says who counts, and where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binds: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Value>,
    /// Text of the requester; nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_calls: Option<Value>,
    /// Values that steps set, and messages that they send.
    #[serde(skip_serializing_if = "Option::is_none")]
    writes: Option<Value>,
}

/// A file or a text that is shown with the question.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Evidence")]
struct EvidenceAnswer {
    /// The path, or the template that the text came from.
    title: String,
    /// The text, where it is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The SHA-256 of the content; null where it could not be read.
    digest: Option<String>,
    bytes: u64,
    /// The reason why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The end of a gate, or the times at which it is due.
#[derive(Serialize, JsonSchema)]
struct EndAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_timeout: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    armed_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<String>,
}

/// A text that somebody left at a gate.
#[derive(Serialize, JsonSchema)]
struct Remark {
    by: String,
    at: String,
    text: String,
}

/// A person who answers for another one.
#[derive(Serialize, JsonSchema)]
struct DelegationAnswer {
    by: String,
    to: String,
    until: String,
    reason: String,
}

/// An answer of a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Vote")]
struct VoteAnswer {
    by: String,
    principal: String,
    verdict: &'static str,
    reason: String,
    at: String,
    ask_hash: String,
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    form: ValueMap,
    /// Groups that the voter gave to themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    self_declared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    touch: Option<Value>,
}

/// An approval alone in an emergency, or an override, and its review.
#[derive(Serialize, JsonSchema)]
struct EmergencyAnswer {
    kind: &'static str,
    epoch: u32,
    ask_hash: String,
    by: Option<String>,
    at: Option<String>,
    reason: Option<String>,
    review: Option<ReviewText>,
}

/// The words of a review.
#[derive(Serialize, JsonSchema)]
struct ReviewText {
    by: String,
    at: String,
    found: String,
}

/// An approval that somebody has yet to review, as `gates --json` lists it after steps in doubt.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReviewDue")]
struct ReviewAnswer {
    what: &'static str,
    gate: String,
    run: String,
    step: String,
    workflow: String,
    #[schemars(with = "String")]
    risk: Value,
    #[serde(flatten)]
    emergency: EmergencyAnswer,
    /// Actions that the engine accepts of the caller now.
    may: Vec<&'static str>,
}

/// A step in doubt, as `gates --json` lists it after the gates.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doubt")]
struct InDoubtAnswer {
    what: &'static str,
    run: String,
    step: String,
    state: &'static str,
    effect: &'static str,
    since: String,
    /// Why nobody knows its outcome.
    known: String,
    may_have: &'static str,
    /// The consequence of each answer, by its word.
    #[schemars(with = "BTreeMap<String, String>")]
    answers: ValueMap,
}

/// All that waits for a person, as `gates --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Gates")]
pub struct GatesAnswer(Vec<Row>);

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Waiting")]
enum Row {
    Gate(Box<GateAnswer>),
    Doubt(Box<InDoubtAnswer>),
    Review(Box<ReviewAnswer>),
}

/// `gates --json`: gates that have not closed, the most urgent first, then steps in doubt, then approvals that were
/// given in an emergency and nobody has reviewed.
pub fn gates_json(board: &Board, caller: (&Actor, Timestamp)) -> Value {
    let row = |gate: &Arc<GateView>| Row::Gate(Box::new(GateAnswer::to(gate, caller)));
    let rows = board.inbox(None).into_iter();
    let gates = rows.filter_map(|row| match row.what {
        Attention::Gate(gate) => board.gate(gate),
        Attention::Doubt | Attention::StuckUndo | Attention::Review(..) => None,
    });
    let doubts = board.doubts().map(|doubt| Row::Doubt(Box::new(InDoubtAnswer::of(&doubt))));
    let reviews = board.reviews_due().map(|gate| Row::Review(Box::new(ReviewAnswer::to(gate, caller))));
    to_value(&GatesAnswer(gates.map(row).chain(doubts).chain(reviews).collect()))
}

/// One gate, as `gates --json` lists it; without a caller, as it stands.
pub fn gate_json(gate: &Arc<GateView>, caller: Option<(&Actor, Timestamp)>) -> Value {
    to_value(&caller.map_or_else(|| GateAnswer::of(gate), |caller| GateAnswer::to(gate, caller)))
}

impl GateAnswer {
    /// One gate, with all that this caller may do there.
    pub fn to(gate: &Arc<GateView>, (actor, now): (&Actor, Timestamp)) -> Self {
        Self::with(gate, gate.acts(actor, now))
    }

    /// One gate, with these actions of the caller.
    pub fn with(gate: &Arc<GateView>, may: impl IntoIterator<Item = GateAct>) -> Self {
        Self { may: Some(may.into_iter().map(GateAct::word).collect()), ..Self::of(gate) }
    }

    /// One gate, as everybody sees it.
    pub fn of(gate: &Arc<GateView>) -> Self {
        let remarks = |list: &[Comment]| list.iter().map(Remark::of).collect();
        let delegations = gate.delegations().iter().map(|delegation| DelegationAnswer {
            by: delegation.by.name.clone(),
            to: delegation.to.clone(),
            until: delegation.until.to_string(),
            reason: delegation.reason.clone(),
        });
        Self {
            ask: AskAnswer::of(gate),
            end: EndAnswer::of(gate),
            comments: remarks(&gate.comments),
            denied: remarks(&gate.refused),
            delegations: delegations.collect(),
            sent_back: gate.is_sent_back(),
            emergencies: gate.emergencies().map(|emergency| EmergencyAnswer::of(emergency)).collect(),
            may: None,
        }
    }
}

impl AskAnswer {
    fn of(gate: &GateView) -> Self {
        let ask = &gate.ask;
        Self {
            id: gate.id.to_string(),
            run: gate.run.to_string(),
            step: ask.step.clone(),
            workflow: ask.workflow.clone(),
            state: gate.state.word(),
            prompt: ask.prompt.clone(),
            risk: to_value(&ask.risk),
            requester: ask.requester.clone(),
            ask_hash: gate.hash.to_string(),
            epoch: ask.epoch.0,
            opened_at: ask.opened_at.to_string(),
            evidence: ask.evidence.iter().map(EvidenceAnswer::of).collect(),
            require: to_value(&ask.require),
            missing: to_value(&gate.missing()),
            votes: gate.votes.iter().map(VoteAnswer::of).collect(),
            command_line: ask.will_run.first().map(|will_run| command_line(&will_run.launch)),
            will_run: ask.will_run.iter().map(CallAnswer::of).collect(),
            people: ask.policy.as_ref().map(to_value),
            proof: ask.touch.then_some("touch"),
            binds: (!ask.binds.is_empty()).then(|| to_value(&ask.binds)),
            form: (!ask.form.is_empty()).then(|| to_value(&ask.form)),
            claim: ask.claim.clone(),
            all_calls: ask.all.as_ref().map(to_value),
            writes: (!ask.writes.is_empty()).then(|| to_value(&ask.writes)),
        }
    }
}

impl EvidenceAnswer {
    fn of(evidence: &Evidence) -> Self {
        Self {
            title: evidence.title.clone(),
            text: evidence.text.clone(),
            digest: text(evidence.digest),
            bytes: evidence.bytes,
            problem: evidence.problem.clone(),
        }
    }
}

impl EndAnswer {
    fn of(gate: &GateView) -> Self {
        let closed = gate.closed_at.zip(gate.closed_by.clone());
        let (closed_at, closed_by) = closed.unzip();
        Self {
            expires_at: text(gate.ask.expires_at),
            on_timeout: gate.ask.expires_at.map(|_| to_value(&gate.ask.on_timeout)),
            armed_until: text(gate.armed_until),
            closed_at: text(closed_at),
            closed_by,
        }
    }
}

impl Remark {
    fn of(comment: &Comment) -> Self {
        Self { by: comment.by.to_string(), at: comment.at.to_string(), text: comment.text.clone() }
    }
}

impl VoteAnswer {
    fn of(vote: &VoteView) -> Self {
        let self_declared = vote.vote.self_declared;
        Self {
            by: vote.vote.by.name.clone(),
            principal: vote.vote.by.principal(),
            verdict: vote.vote.verdict.word(),
            reason: vote.vote.reason.clone(),
            at: vote.at.to_string(),
            ask_hash: vote.vote.ask.to_string(),
            form: vote.vote.form.clone(),
            groups: self_declared.then(|| to_value(&vote.vote.voter().groups)),
            self_declared,
            touch: vote.vote.by.touch().map(|touch| to_value(&touch)),
        }
    }
}

impl EmergencyAnswer {
    fn of(gate: &GateView) -> Self {
        let vote = gate.emergency_vote();
        let review = gate.review.as_ref();
        Self {
            kind: gate.emergency_word(),
            epoch: gate.epoch().0,
            ask_hash: gate.hash.to_string(),
            by: vote.map(|vote| vote.vote.by.name.clone()),
            at: text(gate.closed_at),
            reason: vote.map(|vote| vote.vote.reason.clone()),
            review: review.map(|review| ReviewText {
                by: review.by.name.clone(),
                at: review.at.to_string(),
                found: review.text.clone(),
            }),
        }
    }
}

impl ReviewAnswer {
    fn to(gate: &GateView, (actor, now): (&Actor, Timestamp)) -> Self {
        Self {
            what: "review",
            gate: gate.id.to_string(),
            run: gate.run.to_string(),
            step: gate.ask.step.clone(),
            workflow: gate.ask.workflow.clone(),
            risk: to_value(&gate.ask.risk),
            emergency: EmergencyAnswer::of(gate),
            may: gate.may_not_review(actor, now).is_none().then_some("review").into_iter().collect(),
        }
    }
}

impl InDoubtAnswer {
    fn of(doubt: &DoubtView) -> Self {
        Self {
            what: "doubt",
            run: doubt.run.to_string(),
            step: doubt.step_id.clone(),
            state: StepState::InDoubt.word(),
            effect: doubt.class.word(),
            since: doubt.since.to_string(),
            known: doubt.evidence.clone(),
            may_have: doubt.may_have(),
            answers: doubt
                .answers
                .iter()
                .map(|(word, does)| ((*word).to_owned(), does.clone().into()))
                .collect(),
        }
    }
}

//! The answers to a gate in rows: votes, missing approvers, emergencies, delegations, edits and remarks.

use super::{AskMark, AskPiece, AskSection, AskSign, AskSpelling};
use crate::{GateView, RunView};
use cuelight_base::{Epoch, counted};
use cuelight_engine::{GateState, OVERRIDE, Verdict};
use cuelight_plan::Quorum;

/// `2 of sre and 1 of product`
pub fn people_words(list: &[Quorum]) -> String {
    let one = |quorum: &Quorum| match &quorum.group {
        Some(group) => format!("{} of {group}", quorum.count),
        None => counted(quorum.count, "person", "people"),
    };
    list.iter().map(one).collect::<Vec<_>>().join(" and ")
}

pub(super) fn votes(out: &mut AskSection, gate: &GateView, (run, spelling): (Option<&RunView>, AskSpelling)) {
    let mut head = "votes";
    for vote in &gate.votes {
        let (sign, mark) = match vote.vote.verdict {
            Verdict::Approve => (AskSign::Yes, AskMark::Good),
            Verdict::Reject | Verdict::SendBack => (AskSign::No, AskMark::Caution),
        };
        let mut pieces = vec![AskPiece::sign(sign), AskPiece::new(vote.vote.who(), AskMark::Plain)];
        for of in &vote.vote.acting_for {
            pieces.push(AskPiece::new(format!(" for {}", of.name), AskMark::Muted));
        }
        let is_emergency =
            gate.is_emergency() && gate.emergency_vote().is_some_and(|known| known.vote == vote.vote);
        if is_emergency {
            pieces
                .push(AskPiece::new(format!("  {}", gate.emergency_word().to_uppercase()), AskMark::Danger));
        }
        pieces.push(AskPiece::new(format!("  {}", verdict_words(vote.vote.verdict)), mark));
        pieces.push(AskPiece::new(format!("  {}", (spelling.at)(vote.at)), AskMark::Muted));
        if !vote.vote.reason.is_empty() {
            pieces.push(AskPiece::new(format!("  \"{}\"", vote.vote.reason), AskMark::Plain));
        }
        pieces.push(AskPiece::new(format!("  saw #{}", &vote.vote.ask.code()[..4]), AskMark::Muted));
        out.row(head, pieces);
        head = "";
    }
    let missing = gate.missing();
    if gate.is_open() && !missing.is_empty() {
        out.text(head, format!("{} still missing", people_words(&missing)), AskMark::Waits);
    }
    if let (GateState::Armed, Some(until)) = (gate.state, gate.armed_until) {
        let (until, then) = ((spelling.at)(until), gate.yes_words(run));
        out.text("armed", format!("can be withdrawn until {until}, then it {then}"), AskMark::Waits);
    }
    if let Some(at) = gate.closed_at {
        let by = gate.closers().join(", ");
        out.text("closed", format!("{} by {by}, {}", gate.state_word(), (spelling.at)(at)), AskMark::Plain);
    }
    for past in gate.overtaken.iter().map(|past| &**past).chain([gate]).filter(|past| past.is_emergency()) {
        out.text(past.emergency_word(), emergency_words(past, gate.epoch()), AskMark::Danger);
    }
    for delegation in gate.delegations() {
        let until = (spelling.at)(delegation.until);
        let text = format!("{} to {} until {until}", delegation.by.name, delegation.to);
        out.text("delegated", text, AskMark::Muted);
    }
    if let Some(edited) = &gate.edited {
        let text = format!("{} by {}: {}", (spelling.at)(edited.at), edited.by.name, edited.text);
        out.text("edited", text, AskMark::Caution);
    }
    for (head, list, mark) in
        [("said", &gate.comments, AskMark::Plain), ("denied", &gate.refused, AskMark::Caution)]
    {
        for comment in list {
            let text = format!("{} {}: {}", (spelling.at)(comment.at), comment.by, comment.text);
            out.text(head, text, mark);
        }
    }
}

/// An approval that one person gave alone, or an override, and its review.
fn emergency_words(gate: &GateView, now: Epoch) -> String {
    let when = match gate.emergency_vote().filter(|_| gate.epoch() != now) {
        Some(vote) => format!("in epoch {}, by {}: {}; ", gate.epoch(), vote.vote.by.name, vote.vote.reason),
        None => String::new(),
    };
    match &gate.review {
        None if gate.emergency_word() == OVERRIDE => {
            format!("{when}approved by override; nobody has reviewed it")
        }
        None => format!("{when}one approval in place of the quorum; nobody has reviewed it"),
        Some(review) => format!("{when}reviewed by {}: {}", review.by.name, review.text),
    }
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::Reject => "rejected",
        Verdict::SendBack => "sent back",
    }
}

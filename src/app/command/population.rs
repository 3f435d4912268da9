//! All decisions of people, as auditors list and then sample them: author, decision, reason, evidence,
//! independence, and outcome. Notable decisions are marked. Other modules write the table and the page.

use super::entries::{Entry, Window, each};
use crate::exit::Trouble;
use chrono::{Datelike as _, Days, Weekday};
use cuelight_base::{Digest, Epoch, GateId, RunId, Seq, Span, Timestamp};
use cuelight_engine::{Fact, GateEvent, Verdict, Vote, wants_review};
use cuelight_projection::{Comment, GateView};
use cuelight_store::Reader;
use std::collections::{BTreeMap, BTreeSet};

/// An approval that was given faster is told in the report.
const HASTY: Span = Span::seconds(2);
/// An approval in an emergency is looked at within so many working days.
const REVIEW_DAYS: u32 = 2;

/// The columns of the list of decisions, in order. New ones are only appended.
pub(super) const COLUMNS: [&str; 23] = [
    "seq",
    "time",
    "run",
    "workflow",
    "plan",
    "gate",
    "what",
    "on",
    "verdict",
    "who",
    "proven",
    "groups",
    "channel",
    "reason",
    "ask",
    "shown",
    "requested by",
    "independent",
    "acting for",
    "needed",
    "evidence",
    "emergency",
    "run is",
];

/// One thing that a person decided.
pub(super) struct Decision {
    pub(super) seq: Seq,
    fields: BTreeMap<&'static str, String>,
    by: String,
    requester: String,
    run: Option<RunId>,
    /// The gate that was approved by one alone, in an emergency, and in which epoch.
    alone: Option<(GateId, Epoch)>,
    approves: bool,
    hasty: bool,
}

impl Decision {
    /// The text in a column; empty if the column does not apply to this decision.
    pub(super) fn field(&self, column: &str) -> &str {
        self.fields.get(column).map_or("", String::as_str)
    }
}

/// Decisions that need a second look, by sequence number in the log.
#[derive(Default)]
pub(super) struct Separation {
    /// Approvals of the approver's own request.
    pub(super) own: Vec<Seq>,
    /// Approved within two seconds.
    pub(super) hasty: Vec<Seq>,
    /// Approved by one alone, in an emergency.
    pub(super) alone: Vec<Seq>,
    /// Emergency approvals that nobody else has reviewed within two working days.
    pub(super) overdue: Vec<Seq>,
    /// Two who approve each other's requests, and nobody else does: names, and how often.
    pub(super) pairs: Vec<(String, String, usize)>,
}

/// The whole list of decisions in a window of the log.
pub(super) struct Population {
    pub(super) decisions: Vec<Decision>,
    pub(super) separation: Separation,
    /// The log it was taken from, at that time.
    pub(super) head: (Seq, Digest),
}

/// Every answer at a gate, and every other thing that a person decided, in order.
pub(super) fn population(reader: &Reader, window: &Window, now: Timestamp) -> Result<Population, Trouble> {
    let mut decisions = Vec::new();
    let mut emergencies = Emergencies::new();
    let (head, board) = each(reader, &mut |entry| {
        note_emergency(&mut emergencies, &entry);
        let is_of_person = entry.row.is_decision && entry.row.channel.is_some();
        if is_of_person && window.holds(&entry.row) {
            decisions.push(decision(&entry));
        }
    })?;
    for decision in &mut decisions {
        let run = decision.run.and_then(|run| board.summary(run));
        decision.fields.insert("run is", run.map_or_else(String::new, |run| run.state.word().to_owned()));
        if let Some(alone) = decision.alone {
            decision.fields.insert("emergency", emergency_words(emergencies.get(&alone)));
        }
    }
    let separation = separation(&decisions, &emergencies, now);
    Ok(Population { decisions, separation, head })
}

/// Approvals that were given alone, in an emergency, and came into effect, by gate and epoch.
type Emergencies = BTreeMap<(GateId, Epoch), Emergency>;

/// When one came into effect, and who has looked at it since.
struct Emergency {
    at: Timestamp,
    review: Option<Comment>,
}

fn note_emergency(known: &mut Emergencies, entry: &Entry<'_>) {
    let Some(gate) = &entry.gate else { return };
    let at = entry.event.at;
    match &entry.event.fact {
        Fact::Gate(_, _, id, GateEvent::Resolved { by, .. }) if wants_review(by) => {
            known.insert((*id, gate.epoch()), Emergency { at, review: None });
        }
        Fact::Gate(_, _, id, GateEvent::GlassReviewed { by, reason, epoch }) => {
            if let Some(emergency) = known.get_mut(&(*id, epoch.unwrap_or_else(|| gate.epoch()))) {
                emergency.review = Some(Comment { at, by: by.clone(), text: reason.clone() });
            }
        }
        _ => {}
    }
}

fn emergency_words(emergency: Option<&Emergency>) -> String {
    match emergency.map(|emergency| &emergency.review) {
        None => "yes, it did not come into effect".to_owned(),
        Some(None) => "yes, not reviewed".to_owned(),
        Some(Some(review)) => {
            format!("yes, reviewed by {} at {}: {}", review.by.name, review.at, review.text)
        }
    }
}

fn decision(entry: &Entry<'_>) -> Decision {
    let row = &entry.row;
    let summary = entry.run.as_ref().map(|run| &run.summary);
    let requester = summary.map_or_else(String::new, |summary| summary.by.principal());
    let (mut vote, mut alone): (Option<&Vote>, Option<(GateId, Epoch)>) = (None, None);
    match &entry.event.fact {
        Fact::Gate(_, _, _, GateEvent::Voted(voted)) => vote = Some(voted),
        Fact::Gate(
            _,
            _,
            gate,
            GateEvent::GlassBroken(glass_broken) | GateEvent::Overridden(glass_broken),
        ) => {
            vote = Some(glass_broken);
            alone = entry.gate.as_ref().map(|gate_view| (*gate, gate_view.epoch()));
        }
        _ => {}
    }
    let by = vote.map_or_else(String::new, |vote| vote.by.principal());
    let hasty = vote.and_then(|vote| vote.shown_for).is_some_and(|shown_for| shown_for < HASTY);
    let independent = match (vote.is_some(), by == requester) {
        (false, _) => "",
        (true, true) => "no: asked for it",
        (true, false) => "yes",
    };
    let gate = entry.gate.as_deref().filter(|_| vote.is_some());
    let text = |text: Option<String>| text.unwrap_or_default();
    let names = |list: &[cuelight_base::Actor]| {
        list.iter().map(|actor| actor.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let fields = BTreeMap::from([
        ("seq", row.seq.to_string()),
        ("time", row.at.to_string()),
        ("run", text(row.run.map(|run| run.to_string()))),
        ("workflow", text(summary.map(|summary| summary.workflow.to_string()))),
        ("plan", text(summary.map(|summary| summary.plan_hash.to_string()))),
        ("gate", text(row.gate.map(|gate| gate.to_string()))),
        ("what", row.kind.to_owned()),
        ("on", row.on.clone()),
        ("verdict", text(row.verdict.map(str::to_owned))),
        ("who", row.who.clone()),
        ("proven", by.clone()),
        ("groups", text(vote.map(groups))),
        ("channel", text(row.channel.map(str::to_owned))),
        ("reason", vote.map_or_else(|| row.why.clone(), |vote| vote.reason.clone())),
        ("ask", text(vote.map(|vote| vote.ask.to_string()))),
        ("shown", text(vote.and_then(|vote| vote.shown_for).map(|shown_for| shown_for.to_string()))),
        ("requested by", text(summary.map(|summary| summary.by.name.clone()))),
        ("independent", independent.to_owned()),
        ("acting for", text(vote.map(|vote| names(&vote.acting_for)))),
        ("needed", text(gate.map(|gate| gate.needed().to_string()))),
        ("evidence", text(gate.map(evidence))),
        ("emergency", String::new()),
    ]);
    let approves = vote.is_some_and(|vote| vote.verdict == Verdict::Approve);
    let run = row.run;
    Decision { seq: row.seq, fields, by, requester, run, alone, approves, hasty: approves && hasty }
}

/// The groups of who answered, and whether those are the user's own word.
fn groups(vote: &Vote) -> String {
    let groups = vote.by.groups.join(" ");
    if vote.self_declared { format!("{groups} (self-declared)") } else { groups }
}

/// The evidence that the gate showed, each with the beginning of its digest.
fn evidence(gate: &GateView) -> String {
    let one = |item: &cuelight_engine::Evidence| match (&item.digest, &item.problem) {
        (Some(digest), _) => format!("{} ({})", item.title, digest.short()),
        (None, Some(problem)) => format!("{} ({problem})", item.title),
        (None, None) => item.title.clone(),
    };
    gate.ask.evidence.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn separation(decisions: &[Decision], emergencies: &Emergencies, now: Timestamp) -> Separation {
    let mut out = Separation::default();
    // Whose requests were approved by whom, and how often.
    let mut approvals: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.approves) {
        if decision.by == decision.requester {
            out.own.push(decision.seq);
        } else {
            *approvals.entry(&decision.requester).or_default().entry(&decision.by).or_default() += 1;
            names.insert(&decision.by, decision.field("who"));
        }
        if decision.hasty {
            out.hasty.push(decision.seq);
        }
        let Some(emergency) = decision.alone.and_then(|pair| emergencies.get(&pair)) else { continue };
        out.alone.push(decision.seq);
        let looked = emergency.review.as_ref().map_or(now, |review| review.at);
        if looked > working_days_after(emergency.at, REVIEW_DAYS) {
            out.overdue.push(decision.seq);
        }
    }
    let only = |one: &str| {
        approvals
            .get(one)
            .filter(|approval| approval.len() == 1)
            .and_then(|approval| approval.first_key_value())
            .map(|(by, n)| (*by, *n))
    };
    let mut told = BTreeSet::new();
    for one in approvals.keys() {
        if let Some((other, there)) = only(one)
            && let Some((back, here)) = only(other)
            && back == *one
            && told.insert(if *one < other { (*one, other) } else { (other, *one) })
        {
            out.pairs.push((names[one].to_owned(), names[&other].to_owned(), there + here));
        }
    }
    out
}

/// The same time of day, so many working days later.
fn working_days_after(at: Timestamp, days: u32) -> Timestamp {
    let mut day = at.to_utc();
    let mut left = days;
    while left > 0 {
        let Some(next) = day.checked_add_days(Days::new(1)) else { return Timestamp(i64::MAX) };
        day = next;
        left -= u32::from(!matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
    }
    Timestamp(day.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_nobody_works_on_do_not_count() {
        for (from, until) in [
            // A Wednesday, a Thursday, a Friday, a Saturday.
            ("2026-11-18T10:00:00Z", "2026-11-20T10:00:00.000Z"),
            ("2026-11-19T10:00:00Z", "2026-11-23T10:00:00.000Z"),
            ("2026-11-20T10:00:00Z", "2026-11-24T10:00:00.000Z"),
            ("2026-11-21T10:00:00Z", "2026-11-24T10:00:00.000Z"),
        ] {
            let from: Timestamp = from.parse().expect("an instant");
            assert_eq!(working_days_after(from, REVIEW_DAYS).to_string(), until);
        }
    }
}

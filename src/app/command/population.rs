//! All decisions of people, as auditors list and then sample them: author, decision, reason, evidence,
//! independence, and outcome. Notable decisions are marked. Other modules write the table and the page.

use super::audit::{Entry, Window, each, holds};
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
        if is_of_person && holds(window, &entry.row) {
            decisions.push(decision(&entry));
        }
    })?;
    for it in &mut decisions {
        let run = it.run.and_then(|run| board.summary(run));
        it.fields.insert("run is", run.map_or_else(String::new, |run| run.state.word().to_owned()));
        if let Some(alone) = it.alone {
            it.fields.insert("emergency", emergency_words(emergencies.get(&alone)));
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
            if let Some(it) = known.get_mut(&(*id, epoch.unwrap_or_else(|| gate.epoch()))) {
                it.review = Some(Comment { at, by: by.clone(), text: reason.clone() });
            }
        }
        _ => {}
    }
}

fn emergency_words(emergency: Option<&Emergency>) -> String {
    match emergency.map(|it| &it.review) {
        None => "yes, it did not come into effect".to_owned(),
        Some(None) => "yes, not reviewed".to_owned(),
        Some(Some(it)) => format!("yes, reviewed by {} at {}: {}", it.by.name, it.at, it.text),
    }
}

fn decision(entry: &Entry<'_>) -> Decision {
    let row = &entry.row;
    let summary = entry.run.as_ref().map(|it| &it.summary);
    let requester = summary.map_or_else(String::new, |it| it.by.principal());
    let (mut vote, mut alone): (Option<&Vote>, Option<(GateId, Epoch)>) = (None, None);
    match &entry.event.fact {
        Fact::Gate(_, _, _, GateEvent::Voted(it)) => vote = Some(it),
        Fact::Gate(_, _, gate, GateEvent::GlassBroken(it) | GateEvent::Overridden(it)) => {
            vote = Some(it);
            alone = entry.gate.as_ref().map(|it| (*gate, it.epoch()));
        }
        _ => {}
    }
    let by = vote.map_or_else(String::new, |it| it.by.principal());
    let hasty = vote.and_then(|it| it.shown_for).is_some_and(|it| it < HASTY);
    let independent = match (vote.is_some(), by == requester) {
        (false, _) => "",
        (true, true) => "no: asked for it",
        (true, false) => "yes",
    };
    let gate = entry.gate.as_deref().filter(|_| vote.is_some());
    let text = |it: Option<String>| it.unwrap_or_default();
    let names = |list: &[cuelight_engine::Actor]| {
        list.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let fields = BTreeMap::from([
        ("seq", row.seq.to_string()),
        ("time", row.at.to_string()),
        ("run", text(row.run.map(|it| it.to_string()))),
        ("workflow", text(summary.map(|it| it.workflow.to_string()))),
        ("plan", text(summary.map(|it| it.plan_hash.to_string()))),
        ("gate", text(row.gate.map(|it| it.to_string()))),
        ("what", row.kind.to_owned()),
        ("on", row.on.clone()),
        ("verdict", text(row.verdict.map(str::to_owned))),
        ("who", row.who.clone()),
        ("proven", by.clone()),
        ("groups", text(vote.map(groups))),
        ("channel", text(row.channel.map(str::to_owned))),
        ("reason", vote.map_or_else(|| row.why.clone(), |it| it.reason.clone())),
        ("ask", text(vote.map(|it| it.ask.to_string()))),
        ("shown", text(vote.and_then(|it| it.shown_for).map(|it| it.to_string()))),
        ("requested by", text(summary.map(|it| it.by.name.clone()))),
        ("independent", independent.to_owned()),
        ("acting for", text(vote.map(|it| names(&it.acting_for)))),
        ("needed", text(gate.map(|it| it.needed().to_string()))),
        ("evidence", text(gate.map(evidence))),
        ("emergency", String::new()),
    ]);
    let approves = vote.is_some_and(|it| it.verdict == Verdict::Approve);
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
    let one = |it: &cuelight_engine::Evidence| match (&it.digest, &it.problem) {
        (Some(digest), _) => format!("{} ({})", it.title, digest.short()),
        (None, Some(problem)) => format!("{} ({problem})", it.title),
        (None, None) => it.title.clone(),
    };
    gate.ask.evidence.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn separation(decisions: &[Decision], emergencies: &Emergencies, now: Timestamp) -> Separation {
    let mut out = Separation::default();
    // Whose requests were approved by whom, and how often.
    let mut approvals: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for it in decisions.iter().filter(|it| it.approves) {
        if it.by == it.requester {
            out.own.push(it.seq);
        } else {
            *approvals.entry(&it.requester).or_default().entry(&it.by).or_default() += 1;
            names.insert(&it.by, it.field("who"));
        }
        if it.hasty {
            out.hasty.push(it.seq);
        }
        let Some(emergency) = it.alone.and_then(|it| emergencies.get(&it)) else { continue };
        out.alone.push(it.seq);
        let looked = emergency.review.as_ref().map_or(now, |it| it.at);
        if looked > working_days_after(emergency.at, REVIEW_DAYS) {
            out.overdue.push(it.seq);
        }
    }
    let only = |one: &str| {
        approvals
            .get(one)
            .filter(|it| it.len() == 1)
            .and_then(|it| it.first_key_value())
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

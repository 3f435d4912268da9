//! States and reasons in the words of a table on the command line.

use cuelight_base::{Timestamp, safe_text};
use cuelight_engine::{WaitReason, Why};
use cuelight_projection::{
    Attention, Board, DoubtView, InboxRow, NO_DEADLINE, RunView, candidate_words, comer_words, hold_words,
    message_words,
};

pub(super) fn wait_words(wait: &WaitReason, now: Timestamp) -> String {
    match wait {
        WaitReason::Person(gate) => format!("waits for a person at {gate}"),
        WaitReason::Time(until) => format!("waits {}", until.since(now)),
        WaitReason::BackOff { until, next } => format!("attempt {next} in {}", until.since(now)),
        WaitReason::Facts => "waits for files to be looked at".to_owned(),
        WaitReason::Message { .. } => format!("waits for {}", safe_text(&message_words(wait))),
        WaitReason::Agent { fails_at, .. } => {
            let left =
                fails_at.map_or_else(String::new, |fails_at| format!(", {} left", fails_at.since(now)));
            format!("waits for {}{left}", safe_text(&comer_words(wait)))
        }
        WaitReason::Target { name, hold, until } => {
            let left = until.map_or_else(String::new, |until| format!(", {} left", until.since(now)));
            format!("waits for {}: {}{left}", safe_text(name), hold_words(*hold))
        }
        WaitReason::Candidates { names, fails_at, .. } => {
            let left =
                fails_at.map_or_else(String::new, |fails_at| format!(", {} left", fails_at.since(now)));
            format!("waits for any of {}{left}", safe_text(&candidate_words(names)))
        }
    }
}

pub(super) fn why_words(view: &RunView, why: &Why) -> String {
    let step = |index| safe_text(&view.step_id(index));
    match why {
        Why::Condition => "its `if` is false".to_owned(),
        Why::Need(index) => format!("{} did not succeed", step(*index)),
        Why::Stopped(index) => format!("the run stopped at {}", step(*index)),
        Why::Cancelled => "the run was cancelled".to_owned(),
        Why::RunTimedOut => "the run's time was up".to_owned(),
        Why::FailFast(index) => format!("{} failed", step(*index)),
        Why::Frame(index) => format!("{} did not open", step(*index)),
        Why::Kept => "kept from the run before".to_owned(),
        Why::Person { by, reason } => format!("{}: {}", safe_text(&by.name), safe_text(reason)),
        Why::Failed(record) => safe_text(&record.message),
    }
}

/// The columns `WHAT RUN STEP RISK VOTES WAITS THEN` of the inbox.
pub(super) fn inbox_row(row: &InboxRow, board: &Board, now: Timestamp) -> Vec<String> {
    let (what, votes, then) = match row.what {
        Attention::Gate(gate) => {
            let view = board.gate(gate);
            let votes = view.map_or_else(String::new, |view| {
                format!("{} of {}", view.approvals().count(), view.needed())
            });
            let then = view.map_or_else(String::new, |view| view.then_words(now, |span| span.to_string()));
            (gate.to_string(), votes, then)
        }
        Attention::Doubt => {
            let plan = board.run(row.run).and_then(|run| run.plan_step(row.step));
            let class = plan.map_or("", |plan| plan.effect.word());
            ("in doubt".to_owned(), class.to_owned(), NO_DEADLINE.to_owned())
        }
        Attention::StuckUndo => ("stuck undo".to_owned(), String::new(), NO_DEADLINE.to_owned()),
        Attention::Review(gate, epoch) => {
            let which =
                if board.asks_since(gate, epoch) { format!(" --epoch {epoch}") } else { String::new() };
            let closed = board.gate(gate).and_then(|gate| gate.emergencies().find(|at| at.epoch() == epoch));
            let by = closed.map_or("emergency", |gate| gate.emergency_word());
            (format!("review {gate}{which}"), by.to_uppercase(), "waits for a review".to_owned())
        }
    };
    vec![
        what,
        row.run.to_string(),
        format!("{} {}", safe_text(&row.step_id), safe_text(&row.workflow)),
        row.risk.word().to_owned(),
        votes,
        now.since(row.since).to_string(),
        then,
    ]
}

/// The possible outcomes of a step in doubt, and the effect of each answer.
pub(super) fn doubt_words(doubt: &DoubtView) -> String {
    let (run, step) = (doubt.run, safe_text(&doubt.step_id));
    let mut text = format!("\n{run} {step} is in doubt. {}: {}.\n", doubt.class.word(), doubt.may_have());
    for (word, does) in &doubt.answers {
        text.push_str(&format!("  {word:<13}{does}\n"));
    }
    text.push_str(&format!(
        "  cuelight run doubt {run} {step} {} --reason \"how you know\"\n",
        doubt.answers.each_ref().map(|answer| answer.0).join("|")
    ));
    text
}

//! The pulse of what runs: when a line was last heard, so that `STALE` is said only when neither an event nor a line
//! comes. Output is asked for only after events have stayed away for a while, a few calls at a time.

use crate::{Link, Lookup, Model, Sheet, Wish, model::Asker};
use cuelight_base::{AttemptId, Span, Timestamp};
use cuelight_engine::RunState;

/// An engine at work that is not heard for so long is stale.
const STALE: Span = Span(60_000);
/// After so long without an event the output of what runs is looked at, and again after each such time.
const LOOK_AFTER: Span = Span(45_000);
const LOOK_EVERY: Span = Span(10_000);
/// Calls whose output is looked at, the newest first.
const CALLS_MAX: usize = 16;

/// Time since the last event or line of an engine at work, when that is long; else None.
pub(crate) fn stale_for(model: &Model) -> Option<Span> {
    let silent = silent_for(model);
    (silent >= STALE && works(model)).then_some(silent)
}

fn silent_for(model: &Model) -> Span {
    let heard = model.notices.heard.max(model.live().at);
    model.clock.since(heard)
}

/// True if a step is at work. What waits for people, a time or a retry may be silent for long.
fn works(model: &Model) -> bool {
    let is_at_work = model.past.frozen.is_none() && model.link == Link::Live;
    is_at_work
        && model
            .live()
            .summaries()
            .any(|summary| summary.state == RunState::Running && summary.doing() == "running")
}

/// Asks for the last line of what runs, when nothing was heard for a while.
pub(super) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let is_due = model.clock.since(model.notices.heard_asked) >= LOOK_EVERY;
    if !is_due || silent_for(model) < LOOK_AFTER || !works(model) {
        return;
    }
    model.notices.heard_asked = model.clock;
    let mut calls: Vec<(Timestamp, AttemptId)> = Vec::new();
    for run in model.live().open_runs() {
        let at_work = run.steps().filter_map(|(index, _, step)| {
            let attempt = step.attempts().last().filter(|attempt| attempt.ended_at.is_none())?;
            Some((attempt.started_at, AttemptId { run: run.id(), step: index, number: attempt.number }))
        });
        calls.extend(at_work);
    }
    calls.sort_by_key(|(started, _)| std::cmp::Reverse(*started));
    for (_, attempt) in calls.into_iter().take(CALLS_MAX) {
        model.requests.read(Asker::Pulse, Lookup::Tail { attempt, lines: 1 }, wishes);
    }
}

/// Notes when the last line of a call came.
pub(super) fn read(model: &mut Model, sheet: &Sheet) {
    let Sheet::Bytes { from, bytes, times, .. } = sheet else { return };
    let last = bytes.len().checked_sub(1).and_then(|last| times.at(from + last as u64));
    if let Some(last) = last {
        heard(model, last);
    }
}

/// Notes that a line has come.
pub(super) fn heard(model: &mut Model, at: Timestamp) {
    model.notices.heard = model.notices.heard.max(at);
}

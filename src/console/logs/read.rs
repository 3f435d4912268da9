//! Reading what steps wrote: which calls, from where, and what to do with what comes. One question at a time, so that
//! lines of several calls stand in the order in which they were asked for; what comes as it is written goes behind.

use super::{
    lines::{Feed, LogLines},
    places::{alone, call_of},
    state::{LogPart, Question, Reading},
    told, whole,
};
use crate::{Lookup, Model, Sheet, Wish, model::Asker};
use cuelight_base::{Arrivals, AttemptId, Span, StepIx, Timestamp};
use cuelight_projection::{AttemptView, RunView};

/// Lines asked for at first of a call that is looked at alone, and of each in a whole run.
const LAST_LINES: (u32, u32) = (20_000, 500);
/// Calls of a whole run that are read; earlier ones have to be opened.
const CALLS_MAX: usize = 64;
/// Bytes asked for at once of what stands before.
const BEFORE_BYTES: u64 = 512 * 1024;
/// Lines from either end at which more is asked for.
const MARGIN: u64 = 100;
/// Pause between two reads of a running attempt that sends no signal.
const POLL: Span = Span(1_000);

/// Begins anew when something else is looked at, and finds the calls that have not been read.
pub(super) fn refresh(model: &mut Model) {
    let Some(run) = model.logs.run.and_then(|run| model.board.run(run)).cloned() else {
        model.logs.reading.of = None;
        return;
    };
    let calls = calls(model, &run);
    let call = model
        .logs
        .step
        .filter(|step| is_leaf(&run, *step))
        .and_then(|_| calls.first().map(|call| call.number));
    let of = Some((run.id(), model.logs.step, call));
    let voice = model.logs.voice;
    if (model.logs.reading.of, model.logs.reading.voice) != (of, voice) {
        model.logs.reading = Reading { of, voice, ..Reading::default() };
        clear(model);
    }
    let reading = &mut model.logs.reading;
    for call in calls {
        if reading.known.insert(call) {
            reading.queue.push_back(call);
        }
    }
    whole::refresh(model);
}

/// Asks for what is missing.
pub(super) fn go_on(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(run) = model.logs.run.and_then(|run| model.board.run(run)).cloned() else { return };
    if model.past.frozen.is_none()
        && model.logs.reading.asked.is_none()
        && let Some((attempt, part)) = next(model, &run)
    {
        ask(model, attempt, part, wishes);
    }
    if model.past.frozen.is_none() {
        told::go_on(model, &run, wishes);
        whole::go_on(model, wishes);
    }
}

/// The first line that must be kept: the visible ones stay, unless the view follows the end.
pub(super) fn floor(model: &Model) -> u64 {
    let logs = &model.logs;
    if logs.follow { u64::MAX } else { logs.top.saturating_sub(MARGIN) }
}

/// Lines of a whole run stand in the order in which they came; the cursor and what is seen stay on theirs.
pub(super) fn settle(model: &mut Model) {
    let logs = &mut model.logs;
    if logs.step.is_none() && logs.reading.queue.is_empty() {
        let mut numbers = [logs.cursor, logs.top];
        logs.lines.settle(&mut numbers);
        [logs.cursor, logs.top] = numbers;
    }
}

/// Reads the only call anew, from its begin or from its end.
pub(super) fn begin_at(model: &mut Model, attempt: AttemptId, part: LogPart, wishes: &mut Vec<Wish>) {
    clear(model);
    model.logs.reading.queue.clear();
    ask(model, attempt, part, wishes);
}

fn clear(model: &mut Model) {
    let logs = &mut model.logs;
    let mut lines = LogLines::default();
    lines.set_find(logs.lines.find().clone());
    lines.set_only(logs.lines.only().clone());
    logs.lines = lines;
    (logs.hunt, logs.reading.begins) = (None, None);
    (logs.cursor, logs.top, logs.skip, logs.left, logs.seen) = (0, 0, 0, 0, 0);
}

/// The calls that are looked at: the chosen one of a step, else all, by the time they were started.
fn calls(model: &Model, run: &RunView) -> Vec<AttemptId> {
    if model.logs.voice.is_some() {
        return Vec::new();
    }
    let id = |step: StepIx, call: &AttemptView| AttemptId { run: run.id(), step, number: call.number };
    if let Some(step) = model.logs.step.filter(|step| is_leaf(run, *step)) {
        let calls = run.step(step).map_or(&[][..], |step| step.attempts());
        let chosen = calls.iter().find(|call| Some(call.number) == model.logs.call).or(calls.last());
        return chosen.map(|chosen| id(step, chosen)).into_iter().collect();
    }
    let within =
        |step: StepIx| model.logs.step.is_none_or(|frame| run.frames_of(step).any(|step| step == frame));
    let steps = run.steps().filter(|(step, _, view)| view.calls > 0 && within(*step));
    let mut calls: Vec<(Timestamp, AttemptId)> = steps
        .flat_map(|(step, _, view)| {
            view.attempts().iter().map(move |attempt| (attempt.started_at, id(step, attempt)))
        })
        .collect();
    calls.sort_unstable();
    let surplus = calls.len().saturating_sub(CALLS_MAX);
    calls.into_iter().skip(surplus).map(|(_, id)| id).collect()
}

/// True if a step contains no other steps.
pub(super) fn is_leaf(run: &RunView, step: StepIx) -> bool {
    run.step(step).is_some_and(|step| step.inside.is_none())
}

/// The next question, the most urgent first.
fn next(model: &Model, run: &RunView) -> Option<(AttemptId, LogPart)> {
    let logs = &model.logs;
    if let Some(begins) = whole::begins(model) {
        return Some(begins);
    }
    if let Some(attempt) = logs.reading.queue.front() {
        return Some((*attempt, LogPart::Last));
    }
    if let Some(attempt) = alone(model)
        && let Some(feed) = logs.lines.feed(attempt)
        && feed.start > 0
        && !logs.follow
        && logs.cursor < logs.lines.first() + MARGIN
    {
        return Some((attempt, LogPart::Before(feed.start.saturating_sub(BEFORE_BYTES))));
    }
    let begun = || logs.reading.known.iter().copied().filter(|attempt| logs.lines.feed(*attempt).is_some());
    let wants_more = logs.follow || !logs.lines.is_full() || logs.cursor + MARGIN >= logs.lines.end();
    let behind = begun().find(|attempt| wants_more && logs.lines.feed(*attempt).is_some_and(Feed::is_behind));
    let has_ended = |attempt: &AttemptId| call_of(run, *attempt).is_some_and(|call| !call.is_running());
    let ended = || begun().find(|attempt| has_ended(attempt) && !logs.reading.ended.contains(attempt));
    let running = || {
        let due = wants_more && model.clock.since(logs.reading.polled_at) >= POLL;
        begun()
            .filter(|attempt| due && !has_ended(attempt))
            .min_by_key(|attempt| logs.lines.feed(*attempt).map(|feed| feed.polled_at))
    };
    behind.or_else(ended).or_else(running).map(|attempt| (attempt, LogPart::After))
}

fn ask(model: &mut Model, attempt: AttemptId, part: LogPart, wishes: &mut Vec<Wish>) {
    let lines = if alone(model).is_some() { LAST_LINES.0 } else { LAST_LINES.1 };
    let end = model.logs.lines.feed(attempt).map_or(0, |feed| feed.end);
    let want = match part {
        LogPart::Last => Lookup::Tail { attempt, lines },
        LogPart::Begin => Lookup::Output { attempt, from: 0 },
        LogPart::Before(from) | LogPart::At(from) => Lookup::Output { attempt, from },
        LogPart::After => Lookup::Output { attempt, from: end },
    };
    let has_ended = model
        .board
        .run(attempt.run)
        .and_then(|run| call_of(run, attempt))
        .is_some_and(|call| !call.is_running());
    let reading = &mut model.logs.reading;
    if has_ended && !matches!(part, LogPart::Before(_)) {
        reading.ended.insert(attempt);
    }
    reading.polled_at = model.clock;
    reading.begins = None;
    let request = model.requests.read(Asker::Logs, want, wishes);
    reading.asked = Some(Question { request, attempt, part });
    model.logs.lines.polled(attempt, model.clock);
}

/// Takes the answer to a request for output or events.
pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    if model.logs.reading.telling == Some(request) {
        model.logs.reading.telling = None;
        if let Sheet::Events { events, .. } = sheet {
            told::read(model, &events);
        }
        return;
    }
    if whole::read(model, request, &sheet) {
        return;
    }
    let Some(question) = model.logs.reading.asked.filter(|question| question.request == request) else {
        return;
    };
    let (floor, attempt) = (floor(model), question.attempt);
    let run = model.board.run(attempt.run);
    let since = run.and_then(|run| call_of(run, attempt)).map_or(model.now, |call| call.started_at);
    let logs = &mut model.logs;
    logs.reading.asked = None;
    logs.reading.queue.retain(|attempt_id| *attempt_id != attempt);
    let lines = &mut logs.lines;
    match (sheet, question.part) {
        (Sheet::Bytes { from, bytes, total, times }, LogPart::Last | LogPart::Begin | LogPart::At(_)) => {
            lines.begin(attempt, since, from);
            let floor = if question.part == LogPart::Last { u64::MAX } else { 0 };
            lines.take(attempt, (from, &bytes), &times, floor);
            lines.knows(attempt, total);
            logs.seen = lines.end();
        }
        (Sheet::Bytes { from, bytes, total, times }, LogPart::After) => {
            lines.skip_to(attempt, from);
            lines.take(attempt, (from, &bytes), &times, floor);
            // An empty page is the end, whatever was heard: some of it may never have reached the disk.
            let end = lines.feed(attempt).map_or(total, |feed| feed.end);
            lines.knows(attempt, if bytes.is_empty() { end } else { total });
        }
        (Sheet::Bytes { from, bytes, times, .. }, LogPart::Before(wanted)) => {
            put_before(lines, attempt, wanted, (from, &bytes), &times)
        }
        (Sheet::Missing(why), _) => {
            lines.begin(attempt, since, 0);
            logs.reading.missing = Some(why);
        }
        (
            Sheet::Events { .. }
            | Sheet::Records(_)
            | Sheet::Chain { .. }
            | Sheet::Workflow(_)
            | Sheet::Agents(_),
            _,
        ) => {}
    }
    settle(model);
}

/// Whole lines only, so that what is put before ends where a line begins.
fn put_before(
    lines: &mut LogLines,
    attempt: AttemptId,
    wanted: u64,
    (from, bytes): (u64, &[u8]),
    times: &Arrivals,
) {
    let Some(start) = lines.feed(attempt).map(|feed| feed.start) else { return };
    if from >= start || bytes.is_empty() {
        return lines.nothing_before(attempt);
    }
    let before = usize::try_from(start - from).unwrap_or(usize::MAX).min(bytes.len());
    if from + (before as u64) < start {
        // What lies between is gone; the part that was read ends at the hole.
        return lines.nothing_before(attempt);
    }
    let is_cut = from > 0 && from == wanted;
    let first =
        bytes[..before].iter().position(|byte| *byte == b'\n').filter(|index| is_cut && index + 1 < before);
    let skipped = first.map_or(0, |index| index + 1);
    lines.put_before(attempt, (from + skipped as u64, &bytes[skipped..before]), times);
}

/// Output as it comes.
pub(crate) fn hear(
    model: &mut Model,
    attempt: AttemptId,
    (from, bytes): (u64, &[u8]),
    came: Option<Timestamp>,
) {
    let logs = &mut model.logs;
    let room = logs.follow || !logs.lines.is_full();
    if model.past.frozen.is_none() && room {
        let floor = if logs.follow { u64::MAX } else { 0 };
        logs.lines.take(attempt, (from, bytes), &Arrivals::since(from, came), floor);
    } else {
        let total = from + bytes.len() as u64;
        let known = logs.lines.feed(attempt).map_or(0, |feed| feed.total);
        logs.lines.knows(attempt, total.max(known));
    }
}

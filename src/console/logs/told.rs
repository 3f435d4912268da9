//! Messages beside the output of a run: its events in words, by the engine, its gates and its agents, read
//! from the log. They begin with the newest stretch and continue as events arrive. Audit shows the whole
//! trail.

use super::{
    level::LogLevel,
    lines::{Telling, Voice},
    read,
};
use crate::{Lookup, Model, Wish, model::Asker};
use cuelight_base::{Seq, StepIx};
use cuelight_engine::{Event, Fact, StepEvent, Why};
use cuelight_plan::Work;
use cuelight_projection::{EventWords, Notch, RunView, event_words};

/// Events asked for at once.
const PAGE: u32 = 1_024;
/// So many events of the log before the newest of the run are read; what is older stands in Audit.
const REACH: u64 = 20_000;

/// Asks for what has happened since it was asked last.
pub(super) fn go_on(model: &mut Model, run: &RunView, wishes: &mut Vec<Wish>) {
    let Some(newest) = run.lines().next_back().map(|line| line.seq) else { return };
    let reading = &model.logs.reading;
    if !is_wanted(model) || reading.telling.is_some() || newest <= reading.told || !reading.queue.is_empty() {
        return;
    }
    let after = reading.told.max(Seq(newest.0.saturating_sub(REACH)));
    let want = Lookup::Events { run: Some(run.id()), after, limit: PAGE };
    model.logs.reading.telling = Some(model.requests.read(Asker::Logs, want, wishes));
}

/// A whole run is looked at, or one of its voices: a step has none.
fn is_wanted(model: &Model) -> bool {
    model.logs.step.is_none()
}

/// A page of events.
pub(super) fn read(model: &mut Model, events: &[(Seq, Event)]) {
    let Some(run) = model.logs.run.and_then(|run| model.board.run(run)).cloned() else { return };
    let (known, board) = (model.logs.reading.told, model.board.seq);
    let floor = read::floor(model);
    let newest = run.lines().next_back().map_or(board, |line| line.seq);
    for (seq, event) in events.iter().filter(|(seq, _)| *seq > known && *seq <= newest) {
        model.logs.reading.told = *seq;
        let telling = telling(*seq, event, &run);
        // What only keeps the engine going is told when it is asked alone.
        let is_heard = match model.logs.voice {
            Some(voice) => voice == telling.voice,
            None => telling.level > LogLevel::Debug,
        };
        if is_heard {
            model.logs.lines.tell(telling, floor);
        }
    }
    if events.is_empty() {
        // Nothing of this run is left where it was looked for; it is not asked for again.
        model.logs.reading.told = newest;
    }
    read::settle(model);
}

fn telling(seq: Seq, event: &Event, run: &RunView) -> Telling {
    let EventWords { kind, subject, detail } = event_words(event, Some(run));
    let words = [kind, &subject, &detail];
    Telling {
        voice: voice_of(&event.fact, run),
        seq,
        at: event.at,
        level: level_of(&event.fact, kind),
        step: event.fact.step(),
        text: words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join("  "),
    }
}

/// The voice of an event: the gates, the agents for work given to an agent, else the engine.
fn voice_of(fact: &Fact, run: &RunView) -> Voice {
    let is_of_agent = |step: &StepIx| {
        let plan = run.plan_step(*step);
        plan.is_some_and(|plan| matches!(&plan.work, Work::Tool(tool) if tool.is_agent()))
    };
    match fact {
        Fact::Gate(..) => Voice::Gates,
        Fact::Attempt(_, step, ..) | Fact::Step(_, step, StepEvent::Routed { .. }) if is_of_agent(step) => {
            Voice::Agents
        }
        _ => Voice::Engine,
    }
}

/// The level of an event: error for a failure, warning for a retry or an undo, debug for events that only
/// follow from others.
fn level_of(fact: &Fact, kind: &str) -> LogLevel {
    let is_of_person = matches!(
        fact,
        Fact::Step(
            ..,
            StepEvent::Skipped { why: Why::Person { .. } }
                | StepEvent::Ending { why: Why::Person { .. } }
                | StepEvent::Cancelled { why: Why::Person { .. } }
        )
    );
    match Notch::of(fact) {
        _ if FOLLOWED.contains(&kind) && !is_of_person => LogLevel::Debug,
        Some(Notch::Error) => LogLevel::Error,
        Some(Notch::Retry | Notch::Undo) => LogLevel::Warn,
        Some(Notch::Gate | Notch::Vote | Notch::Edit | Notch::Start | Notch::End) => LogLevel::Info,
        None if PLUMBING.contains(&kind) => LogLevel::Debug,
        None => LogLevel::Info,
    }
}

/// Follows for each of many steps from one that failed, and is told with that one.
const FOLLOWED: [&str; 3] = ["step.skipped", "step.ending", "step.cancelled"];
/// Follows from what stands beside it: ready before it started, completed with the call that ended.
const PLUMBING: [&str; 7] = [
    "step.ready",
    "step.opened",
    "step.facts_asked",
    "step.facts_known",
    "attempt.ended",
    "run.started",
    "gate.armed",
];

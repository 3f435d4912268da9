//! Time travel: how long it takes to look at an instant of the past, and to take in a whole history.
//!
//! `cargo bench --bench travel`. A log of runs with gates, made by the engine itself; everything is folded from it as the
//! console does it: taken in page by page with folds kept on the way, then single instants, near and far.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints figures"
)]

use cuelight_base::{Actor, AttemptId, Channel, DecisionId, Proof, Seq, Span, Timestamp, ValueMap};
use cuelight_definition::{Files, read};
use cuelight_engine::{
    AttemptEvent, CauseOfLaunch, Command, Decision, Event, Fact, Facts, GateEvent, Launching, Outcome,
    StepEvent, Verdict, World,
};
use cuelight_plan::{Plan, lower};
use cuelight_projection::{Board, History};
use std::time::{Duration, Instant};

const WORKFLOW: &str = "
name: bench/settle
steps:
  - {id: fetch, run: fetch, effect: idempotent}
  - {id: work, needs: fetch, run: work, matrix: {part: [1, 2, 3, 4, 5, 6, 7, 8]}, effect: pure}
  - id: approve
    needs: work
    gate: {prompt: Go on?, risk: externally-reversible, undo-window: 0s}
  - {id: pay, needs: approve, run: pay}
  - {id: close, needs: pay, run: close, effect: idempotent}
";

fn main() {
    println!("{:<44} {:>9} {:>12} {:>10}", "what", "events", "took", "goal");
    for (count, goal) in [(1_000, "16.7 ms"), (100_000, "300 ms")] {
        let log = log_of(count);
        row("a fold of all, alone", log.len(), best(5, || fold(&log)), goal);
        row("taken in, with folds kept on the way", log.len(), best(5, || taken_in(&log).len()), goal);
        let history = taken_in(&log);
        let places = [1, 199, 200, 399, log.len() / 2 + 199, log.len() - 1, log.len()];
        let worst = places.into_iter().map(|place| best(20, || at(&history, &log, place))).max();
        row("any instant, the slowest of seven", log.len(), worst.unwrap_or_default(), "5 ms");
        let middle = log.len() / 2;
        let (from, board) = history.near(middle);
        let board = history.fold(board, &log[from..middle]);
        row("one event on", log.len(), best(50, || history.fold(&board, &log[middle..=middle]).seq), "-");
    }
}

fn row(what: &str, events: usize, took: Duration, goal: &str) {
    println!("{what:<44} {events:>9} {:>9.3} ms {goal:>10}", took.as_secs_f64() * 1e3);
}

fn best<T>(times: usize, mut work: impl FnMut() -> T) -> Duration {
    let once = |_| {
        let began = Instant::now();
        std::hint::black_box(work());
        began.elapsed()
    };
    (0..times).map(once).min().unwrap_or_default()
}

fn fold(log: &[(Seq, Event)]) -> Seq {
    let mut board = Board::default();
    log.iter().for_each(|(seq, event)| board.apply(*seq, event));
    board.seq
}

fn taken_in(log: &[(Seq, Event)]) -> History {
    let mut history = History::of(None);
    log.iter().for_each(|(seq, event)| history.take(*seq, event));
    history
}

fn at(history: &History, log: &[(Seq, Event)], place: usize) -> Seq {
    let (from, board) = history.near(place);
    history.fold(board, &log[from..place]).seq
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }
}

fn plan() -> Plan {
    let (workflow, findings) = read("main.yaml", WORKFLOW, &NoFiles);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:#?}"));
    lower(&workflow, ValueMap::new()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Runs one after the other, until there are so many events.
fn log_of(count: usize) -> Vec<(Seq, Event)> {
    let actor = Actor {
        name: "bench".to_owned(),
        proof: Proof::OsUser(1),
        groups: Vec::new(),
        channel: Channel::Command,
    };
    let mut world = World::default();
    let mut log: Vec<(Seq, Event)> = Vec::new();
    let mut now = Timestamp(1_750_000_000_000);
    let plan = plan();
    while log.len() < count {
        let mut todo = vec![Command::Launch(Box::new(Launching {
            plan: plan.clone(),
            by: actor.clone(),
            seed: 7,
            cause: CauseOfLaunch::Asked,
            trace: String::new(),
            request: None,
        }))];
        while let Some(command) = todo.pop() {
            let mut events = Vec::new();
            now = now + Span(120);
            world.handle(command, now, &mut events).unwrap_or_else(|refusal| panic!("{refusal}"));
            for event in events {
                todo.extend(answer(&event, &actor, log.len()));
                log.push((Seq(log.len() as u64 + 1), event));
            }
        }
    }
    log.truncate(count);
    log
}

/// Calls end well, and gates are approved.
fn answer(event: &Event, actor: &Actor, number: usize) -> Option<Command> {
    match &event.fact {
        Fact::Attempt(run, step, number, AttemptEvent::Started { .. }) => Some(Command::AttemptEnded {
            attempt: AttemptId { run: *run, step: *step, number: *number },
            outcome: Box::new(Outcome { exit_code: Some(0), ..Outcome::default() }),
        }),
        Fact::Step(run, step, StepEvent::FactsAsked { programs, .. }) => {
            let programs = programs.iter().map(|program| (program.clone(), Vec::new())).collect();
            let facts = Facts { programs, ..Facts::default() };
            Some(Command::FactsFetched { run: *run, step: *step, facts })
        }
        Fact::Gate(_, _, gate, GateEvent::Asked { ask, hash, .. }) => {
            Some(Command::Decide(Box::new(Decision {
                id: DecisionId(format!("d-{number}")),
                gate: *gate,
                epoch: ask.epoch,
                ask: *hash,
                verdict: Verdict::Approve,
                reason: "it looks right".to_owned(),
                by: actor.clone(),
                shown_for: None,
                break_glass: false,
                overrides: false,
                form: ValueMap::new(),
            })))
        }
        _ => None,
    }
}

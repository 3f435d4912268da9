//! Events decided and applied per second, and the cost of one with many runs open; what it costs that a run comes to rest
//! while others wait at gates; cold replay of the same journal.
//!
//! `cargo bench --bench engine`. Judged by P4 (≤ 3 µs an event with 1 open run, ≤ 5 µs with 10,000), P5 (a completion
//! costs its out-degree: 10,000 and 100,000 steps within 1.3 × an event) and P7 (100,000 events folded in ≤ 300 ms).

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints figures"
)]

mod support;

use cuelight_base::{AttemptId, Seq, Timestamp};
use cuelight_engine::{AttemptEvent, Command, Event, Fact, Outcome, World};
use cuelight_plan::{Scope, WaitFor, Work};
use cuelight_projection::Board;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use support::{launching, layered};

fn main() {
    println!("{:<44} {:>9} {:>12} {:>12}", "what", "events", "ns/event", "events/s");
    for steps in [1_000, 10_000, 100_000] {
        let (events, took) = drive(&mut World::default(), &mut Board::default(), steps, 0);
        row(&format!("handle + apply + board, {steps} steps"), events.len(), took);
        if steps == 10_000 {
            replay(&events);
        }
    }
    for open in [1_u64, 10_000] {
        let (mut world, mut board) = (World::default(), Board::default());
        let mut seq = 0;
        for _ in 1..open {
            seq = waiting(&mut world, &mut board, seq);
        }
        let (events, took) = drive(&mut world, &mut board, 10_000, seq);
        row(&format!("the same, {open} open runs, 10000 steps"), events.len(), took);
    }
    for gates in [1_u64, 9_000] {
        rests(gates);
    }
}

/// Short runs, one after the other, while so many others wait for a person.
fn rests(gates: u64) {
    let mut world = World::default();
    let now = Timestamp(1_700_000_000_000);
    let mut play = |work: Work| {
        let (mut plan, mut out) = (layered(1), Vec::new());
        plan.steps[0].work = work;
        world.handle(launching(plan), now, &mut out).expect("launches");
        out.len()
    };
    for _ in 0..gates {
        play(Work::Gate(Arc::default()));
    }
    let began = Instant::now();
    let nothing = || Work::Set { scope: Scope::Run, values: Vec::new(), ttl: None, expect: Vec::new() };
    let events = (0..2_000).map(|_| play(nothing())).sum();
    row(&format!("runs that come to rest, {gates} open gates"), events, began.elapsed());
}

fn row(what: &str, events: usize, took: Duration) {
    let each = took.as_nanos() / events.max(1) as u128;
    println!("{what:<44} {events:>9} {each:>12} {:>12}", 1_000_000_000 / each.max(1));
}

fn replay(events: &[Event]) {
    let began = Instant::now();
    let mut count = 0_usize;
    while count < 100_000 {
        let (mut world, mut board) = (World::default(), Board::default());
        for (at, event) in events.iter().enumerate() {
            world.apply(event);
            board.apply(Seq(at as u64 + 1), event);
        }
        count += events.len();
    }
    let took = began.elapsed();
    row("cold fold of a journal (world and board)", count, took);
    println!("{:<44} {:>9} ms for 100000 events", "", took.as_millis() * 100_000 / count as u128);
}

/// A layered graph of process steps, each ended as soon as it has begun; up to 100 commands to a commit.
fn drive(world: &mut World, board: &mut Board, steps: u32, mut seq: u64) -> (Vec<Event>, Duration) {
    let launch = launching(layered(steps));
    let (mut all, mut out, mut queue): (Vec<Event>, Vec<Event>, Vec<AttemptId>) = Default::default();
    let began = Instant::now();
    let mut now = Timestamp(1_700_000_000_000);
    world.handle(launch, now, &mut out).expect("launches");
    loop {
        for event in out.drain(..) {
            seq += 1;
            board.apply(Seq(seq), &event);
            if let Fact::Attempt(run, step, number, AttemptEvent::Started { .. }) = &event.fact {
                queue.push(AttemptId { run: *run, step: *step, number: *number });
            }
            all.push(event);
        }
        if queue.is_empty() {
            break;
        }
        now = Timestamp(now.0 + 1);
        for attempt in queue.drain(..queue.len().min(100)) {
            let command = Command::AttemptEnded { attempt, outcome: Box::new(Outcome::default()) };
            world.handle(command, now, &mut out).expect("is taken");
        }
    }
    (all, began.elapsed())
}

fn waiting(world: &mut World, board: &mut Board, mut seq: u64) -> u64 {
    let mut plan = layered(1);
    plan.steps[0].work = Work::Wait(WaitFor::Duration("9d".to_owned()));
    let mut out = Vec::new();
    world.handle(launching(plan), Timestamp(1_700_000_000_000), &mut out).expect("launches");
    for event in out {
        seq += 1;
        board.apply(Seq(seq), &event);
    }
    seq
}

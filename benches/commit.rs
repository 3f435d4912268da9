//! Measures the cost of durability: events per second that are on disk before anybody hears of them, alone
//! and in groups. Also the speed of reading and verifying the log. `cargo bench --bench commit`; the figures
//! depend on the disk, so the price of one synced write is printed beside them.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench prints what a clock says")]

use cuelight_base::{RunId, Seq, StepIx, Timestamp};
use cuelight_engine::{Event, Fact, StepEvent};
use cuelight_store::{Batch, Journal, Owner, Reader, Workspace, verify};
use std::{fs::File, io::Write as _, sync::mpsc::sync_channel, time::Instant};

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    synced_write(&File::create(dir.path().join("probe")).expect("a file"));
    for (group, batches, ahead) in
        [(1, 300, 1), (16, 300, 1), (128, 200, 1), (1024, 100, 1), (1024, 100, 2), (4096, 40, 2)]
    {
        appended(group, batches, ahead);
    }
    read_back(200_000);
}

/// The price of one synced write of a page, without a database.
fn synced_write(mut file: &File) {
    let count = 300;
    let start = Instant::now();
    for _ in 0..count {
        file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("the disk takes it");
    }
    println!(
        "synced write of 4 KiB           {:>9.0} us",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
    );
}

/// Batches of `group` events, each handed over when at most `ahead` are unanswered.
fn appended(group: u32, batches: u32, ahead: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let (_owner, journal, _) = journal(&dir);
    let start = Instant::now();
    fill(&journal, group, batches, ahead);
    let seconds = start.elapsed().as_secs_f64();
    let events = f64::from(group * batches);
    println!(
        "append, groups of {group:>4}, {ahead} ahead  {:>9.0} events/s  {:>6.2} ms a commit",
        events / seconds,
        seconds * 1e3 / f64::from(batches)
    );
}

fn read_back(records: u32) {
    let dir = tempfile::tempdir().expect("a directory");
    let (owner, journal, workspace) = journal(&dir);
    fill(&journal, 4000, records / 4000, 2);
    let reader = Reader::open(&workspace).expect("a reader");
    let timed = |what: &str, work: &dyn Fn() -> u64| {
        let start = Instant::now();
        let count = work();
        let rate = f64::from(u32::try_from(count).expect("few")) / start.elapsed().as_secs_f64();
        println!("{what:<31} {rate:>9.0} events/s");
    };
    timed("read and decode", &|| {
        let mut from = Seq(1);
        loop {
            let page = reader.events(from, 1000).expect("events");
            match page.last() {
                Some((seq, _)) => from = Seq(seq.0 + 1),
                None => return from.0 - 1,
            }
        }
    });
    timed("verify the chain", &|| verify(&reader, Seq(1)).expect("it holds").records);
    drop((journal, reader));
    timed("open (checks pages and chain)", &|| {
        Journal::open(&workspace, &owner, [2; 32]).expect("it opens").1.head.0.0
    });
}

fn journal(dir: &tempfile::TempDir) -> (Owner, Journal, Workspace) {
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let owner = Owner::take(&workspace).expect("nobody owns it");
    let (journal, _) = Journal::open(&workspace, &owner, [1; 32]).expect("a journal");
    (owner, journal, workspace)
}

fn fill(journal: &Journal, group: u32, batches: u32, ahead: usize) {
    let (sender, receiver) = sync_channel(ahead);
    let mut unanswered = 0;
    for batch in 0..batches {
        if unanswered == ahead {
            receiver.recv().expect("an answer");
            unanswered -= 1;
        }
        let events = (0..group).map(|index| event(batch * group + index)).collect();
        let sender = sender.clone();
        journal.append(Batch { events, ..Batch::default() }, move |result| {
            result.expect("it is kept");
            sender.send(()).expect("the bench waits");
        });
        unanswered += 1;
    }
    (0..unanswered).for_each(|_| receiver.recv().expect("an answer"));
}

fn event(number: u32) -> Event {
    let step = match number % 2 {
        0 => StepEvent::Ready,
        _ => StepEvent::InDoubt { evidence: format!("what a step of ordinary size says, number {number}") },
    };
    Event { at: Timestamp(1_800_000_000_000), fact: Fact::Step(RunId(number % 7), StepIx(number), step) }
}

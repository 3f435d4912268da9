//! A disk turns a bit over: it is found when the log is opened, or it changes nothing that anybody reads.

use cuelight::{
    base::{RunId, StepIx, Timestamp},
    engine::{Event, Fact, StepEvent},
    store::{Batch, Journal, Owner, Reader, Workspace},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
    thread,
};
use tempfile::TempDir;

/// What of a log lies in files of its own.
const FILES: [&str; 2] = ["cuelight.db", "cuelight.db-wal"];
/// A value that is too large for its record.
const VALUE_BYTES: usize = 70_000;

fn event(number: u32) -> Event {
    let text = match number % 50 {
        7 => format!("{number}").repeat(VALUE_BYTES / 2),
        _ => format!("number {number}"),
    };
    let step: StepEvent = match number % 3 {
        0 => StepEvent::Ready,
        1 => StepEvent::InDoubt { evidence: text },
        _ => serde_json::from_value(serde_json::json!({ "Opened": { "inputs": { "it": text } } }))
            .expect("an event"),
    };
    Event {
        at: Timestamp(1_800_000_000_000 + i64::from(number)),
        fact: Fact::Step(RunId(number % 5), StepIx(number), step),
    }
}

fn append(journal: &Journal, events: Vec<Event>) {
    let (sender, receiver) = sync_channel(1);
    let batch = Batch { events, ..Batch::default() };
    journal.append(batch, move |result| sender.send(result).expect("the test waits"));
    receiver.recv().expect("an answer").expect("it is kept");
}

/// The files of a log, and what it says.
struct Log {
    files: Vec<(&'static str, Vec<u8>)>,
    says: Vec<Event>,
}

/// A log that was left in order, and one whose last batches stand beside it only.
fn logs() -> [Log; 2] {
    let dir = TempDir::new().expect("a directory");
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let files = || {
        let read = |name| Some((name, fs::read(dir.path().join(".cuelight").join(name)).ok()?));
        FILES.into_iter().filter_map(read).filter(|it| !it.1.is_empty()).collect::<Vec<_>>()
    };
    let says = || {
        let events = Reader::open(&workspace).and_then(|it| it.events(cuelight::base::Seq(1), usize::MAX));
        events.expect("it is whole").into_iter().map(|it| it.1).collect::<Vec<_>>()
    };
    let write = |from: u32, last: bool| {
        let owner = Owner::take(&workspace).expect("nobody owns it");
        let (journal, _) = Journal::open(&workspace, &owner, [7; 32]).expect("a journal");
        for first in (from..from + 150).step_by(25) {
            append(&journal, (first..first + 25).map(event).collect());
        }
        last.then(|| Log { files: files(), says: says() })
    };
    assert!(write(0, false).is_none());
    let left = Log { files: files(), says: says() };
    let open = write(150, true).expect("it is open");
    assert!(left.files.len() == 1 && open.files.len() == 2, "the last batches stand beside it");
    [left, open]
}

/// What became of a log with a bit turned over.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It is not taken up, and why.
    Refused(String),
    /// All is read as it was written.
    Harmless,
    /// Its last records are no more, and nothing else is another.
    Cut(usize),
}

fn opened(log: &Log, root: &Path) -> Found {
    let workspace = Workspace::find(root).expect("a workspace");
    let owner = Owner::take(&workspace).expect("nobody owns it");
    let opened = Journal::open(&workspace, &owner, [7; 32]);
    let read = opened.and_then(|(journal, _)| {
        append(&journal, vec![event(1)]);
        Reader::open(&workspace)?.events(cuelight::base::Seq(1), usize::MAX)
    });
    let mut events: Vec<Event> = match read {
        Ok(events) => events.into_iter().map(|it| it.1).collect(),
        Err(why) => return Found::Refused(why.to_string()),
    };
    assert_eq!(events.pop(), Some(event(1)), "it is taken up: what comes next is kept");
    if events == log.says {
        return Found::Harmless;
    }
    assert!(log.says.starts_with(&events), "something was changed, and nobody was told");
    Found::Cut(log.says.len() - events.len())
}

/// How many bits are turned over, one at a time.
fn flips() -> u64 {
    std::env::var("CUELIGHT_FLIPS").ok().and_then(|it| it.parse().ok()).unwrap_or(300)
}

#[test]
fn a_bit_that_turns_over_is_found_or_changes_nothing() {
    let logs = logs();
    let (next, tally) = (AtomicUsize::new(0), Mutex::new([0_usize; 3]));
    let one = |number: usize| {
        let mut dice = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = |bound: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).expect("31 bits") % bound
        };
        let log = &logs[below(logs.len())];
        let (at, (name, bytes)) = {
            let at = below(log.files.len());
            (at, &log.files[at])
        };
        let bit = below(bytes.len() * 8);
        let dir = TempDir::new().expect("a directory");
        let inner = dir.path().join(".cuelight");
        fs::create_dir_all(inner.join("spool")).expect("a directory");
        fs::set_permissions(&inner, Permissions::from_mode(0o700)).expect("ours");
        for (place, (name, bytes)) in log.files.iter().enumerate() {
            let mut bytes = bytes.clone();
            if place == at {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            fs::write(inner.join(name), bytes).expect("written");
            fs::set_permissions(inner.join(name), Permissions::from_mode(0o600)).expect("ours");
        }
        let found = opened(log, dir.path());
        let what = format!("bit {bit} of {name}, try {number}: {found:?}");
        let column = match &found {
            Found::Refused(why) => {
                assert!(why.starts_with("could not ") && why.contains("; "), "it says what to do: {what}");
                0
            }
            Found::Harmless => 1,
            // A record of the log beside it that is no record ends that log, as when the power goes.
            Found::Cut(_) => {
                assert_eq!(*name, FILES[1], "{what}");
                2
            }
        };
        tally.lock().expect("counted")[column] += 1;
    };
    let all = usize::try_from(flips()).expect("not that many");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= all {
                        return;
                    }
                    one(number);
                }
            });
        }
    });
    let [refused, harmless, cut] = *tally.lock().expect("counted");
    println!("{all} bits: {refused} found, {harmless} harmless, {cut} cut the log beside it short");
    assert!(refused > 0 && harmless > 0, "both are seen: {refused} and {harmless}");
}

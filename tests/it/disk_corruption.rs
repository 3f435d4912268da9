//! A disk turns a bit over, or loses the end of a file, or what lies beside the log is another's: it is found when the log is opened, or it
//! changes nothing that anybody reads but how far the log goes. `CUELIGHT_FLIPS=10000` and `CUELIGHT_CUTS=1000` try more.

use crate::program::Place;
use cuelight_base::{RunId, StepIx, Timestamp};
use cuelight_engine::{Event, Fact, StepEvent};
use cuelight_store::{Batch, Journal, Owner, Reader, Workspace};
use std::{
    fs::{self, File, Permissions},
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

/// Files of the log that the test changes.
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
fn logs(salt: u8) -> [Log; 2] {
    let dir = TempDir::new().expect("a directory");
    let workspace = Workspace::create(dir.path()).expect("a workspace");
    let files = || {
        let read = |name| Some((name, fs::read(dir.path().join(".cuelight").join(name)).ok()?));
        FILES.into_iter().filter_map(read).filter(|pair| !pair.1.is_empty()).collect::<Vec<_>>()
    };
    let says = || {
        let events =
            Reader::open(&workspace).and_then(|reader| reader.events(cuelight_base::Seq(1), usize::MAX));
        events.expect("it is whole").into_iter().map(|event| event.1).collect::<Vec<_>>()
    };
    let write = |from: u32, last: bool| {
        let owner = Owner::take(&workspace).expect("nobody owns it");
        let (journal, _) = Journal::open(&workspace, &owner, [salt; 32]).expect("a journal");
        for first in (from..from + 150).step_by(25) {
            append(
                &journal,
                (first..first + 25).map(|index| event(index + u32::from(salt) * 1000)).collect(),
            );
        }
        last.then(|| Log { files: files(), says: says() })
    };
    assert!(write(0, false).is_none());
    let left = Log { files: files(), says: says() };
    let open = write(150, true).expect("it is open");
    assert!(left.files.len() == 1 && open.files.len() == 2, "the last batches stand beside it");
    [left, open]
}

/// The effect of a flipped bit on a log.
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
        Reader::open(&workspace)?.events(cuelight_base::Seq(1), usize::MAX)
    });
    let mut events: Vec<Event> = match read {
        Ok(events) => events.into_iter().map(|event| event.1).collect(),
        Err(why) => return Found::Refused(why.to_string()),
    };
    assert_eq!(events.pop(), Some(event(1)), "it is taken up: what comes next is kept");
    if events == log.says {
        return Found::Harmless;
    }
    assert!(log.says.starts_with(&events), "something was changed, and nobody was told");
    Found::Cut(log.says.len() - events.len())
}

/// Number of tries, from the variable or the default; they run one at a time.
fn tries(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Numbers below a bound, the same for each try.
struct Dice(u64);

impl Dice {
    fn of(number: usize) -> Self {
        Self((number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// A log where an engine looks for it, each of its files as it is changed.
fn laid(log: &Log, change: impl Fn(&str, &mut Vec<u8>)) -> TempDir {
    let dir = TempDir::new().expect("a directory");
    let inner = dir.path().join(".cuelight");
    fs::create_dir_all(inner.join("spool")).expect("a directory");
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).expect("ours");
    for (name, bytes) in &log.files {
        let mut bytes = bytes.clone();
        change(name, &mut bytes);
        keep(&inner.join(name), &bytes);
    }
    dir
}

fn keep(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("ours");
}

/// All of them, two at a time.
fn each(all: usize, one: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
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
}

/// True if a refusal names the next step.
fn says_what_to_do(why: &str) -> bool {
    why.starts_with("could not ") && why.contains("; ")
}

#[test]
fn a_bit_that_turns_over_is_found_or_changes_nothing() {
    let logs = logs(7);
    let tally = Mutex::new([0_usize; 3]);
    let all = tries("CUELIGHT_FLIPS", 300);
    each(all, |number| {
        let mut dice = Dice::of(number);
        let log = &logs[dice.below(logs.len())];
        let (name, bytes) = &log.files[dice.below(log.files.len())];
        let bit = dice.below(bytes.len() * 8);
        let dir = laid(log, |at, bytes| {
            if at == *name {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        });
        let found = opened(log, dir.path());
        let what = format!("bit {bit} of {name}, try {number}: {found:?}");
        let column = match &found {
            Found::Refused(why) => {
                assert!(says_what_to_do(why), "{what}");
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
    });
    let [refused, harmless, cut] = *tally.lock().expect("counted");
    println!("{all} bits: {refused} found, {harmless} harmless, {cut} cut the log beside it short");
    assert!(refused > 0 && harmless > 0, "both are seen: {refused} and {harmless}");
}

/// Nothing of the database may be missing. The log beside it may end anywhere, as after a power cut.
#[test]
fn a_file_of_the_log_that_lost_its_end_is_found_or_says_what_it_said_up_to_there() {
    let logs = logs(7);
    let tally = Mutex::new([0_usize; 3]);
    let all = tries("CUELIGHT_CUTS", 200);
    each(all, |number| {
        let mut dice = Dice::of(number);
        let log = &logs[dice.below(logs.len())];
        let (name, bytes) = &log.files[dice.below(log.files.len())];
        // The first ones are cut where pages and records begin; an empty file is no file to some.
        let length = match number {
            0..8 => (bytes.len() / 4096 / 8 * number) * 4096,
            _ => dice.below(bytes.len()),
        };
        let dir = laid(log, |at, bytes| {
            if at == *name {
                bytes.truncate(length);
            }
        });
        let found = opened(log, dir.path());
        let what = format!("{name} with {length} of {} bytes, try {number}: {found:?}", bytes.len());
        let column = match &found {
            Found::Refused(why) => {
                assert!(says_what_to_do(why), "{what}");
                0
            }
            Found::Harmless => 1,
            // One that is empty was never begun, for all that can be seen of it alone: heads that were signed know better.
            Found::Cut(lost) => {
                assert!(*name == FILES[1] || length == 0 && *lost == log.says.len(), "{what}");
                2
            }
        };
        tally.lock().expect("counted")[column] += 1;
    });
    let [refused, harmless, cut] = *tally.lock().expect("counted");
    println!("{all} cuts: {refused} found, {harmless} harmless, {cut} cut the log beside it short");
    assert!(refused > 0 && cut > 0, "both are seen: {refused} and {cut}");
}

#[test]
fn a_log_of_which_nothing_is_left_is_not_taken_for_a_new_one() {
    let place = Place::new();
    place.write("w.yaml", "name: w\nsteps:\n  - {id: s, run: 'true'}\n");
    place.cue(&["run", "w.yaml", "--headless"]).ok();
    for name in ["cuelight.db-wal", "cuelight.db-shm"] {
        drop(fs::remove_file(place.file(".cuelight").join(name)));
    }
    File::options()
        .write(true)
        .open(place.file(".cuelight/cuelight.db"))
        .and_then(|file| file.set_len(0))
        .expect("cut");
    for _ in 0..2 {
        let said = place.cue(&["run", "w.yaml", "--headless"]);
        assert!(said.code == 6 && said.err.contains("could not"), "{said:?}");
    }
}

/// A file beside a database is believed only if it belongs to it.
#[test]
fn what_lies_beside_a_log_and_is_not_its_own_changes_nothing() {
    let [left, open] = logs(7);
    let [_, other] = logs(8);
    let foreign =
        |log: &Log| log.files.iter().find(|file| file.0 == FILES[1]).expect("a log beside it").1.clone();
    let noise: Vec<u8> =
        (0..32_768).map(|at| u8::try_from(Dice::of(at).below(256)).expect("a byte")).collect();
    for (what, log, name, bytes) in [
        ("the log of another database beside one that has none", &left, FILES[1], foreign(&other)),
        ("noise in its place", &left, FILES[1], noise.clone()),
        ("noise where memory is shared", &open, "cuelight.db-shm", noise.clone()),
        ("the same beside one that was left in order", &left, "cuelight.db-shm", noise),
    ] {
        let dir = laid(log, |_, _| {});
        keep(&dir.path().join(".cuelight").join(name), &bytes);
        let found = opened(log, dir.path());
        let is_told = matches!(&found, Found::Refused(why) if says_what_to_do(why));
        assert!(found == Found::Harmless || is_told, "{what}: {found:?}");
        println!("{what}: {found:?}");
    }
}

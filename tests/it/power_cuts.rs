//! Simulates power cuts. One run is traced. At each of its writes, syncs, renames and reported lines the
//! power goes. Unsynced data is then kept, lost, torn at 512 bytes or reordered, in several variants. From
//! each such disk an engine must start, hold all that was reported, and know of every effect that had
//! happened. Needs `strace`. `CUELIGHT_VARIANTS=30` for more variants.

use crate::{crash::next, ledger::Drill};
use cuelight_base::Seq;
use cuelight_engine::{AttemptEvent, Fact};
use cuelight_store::{Journal, Owner, Reader, Workspace, verify};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// In how many ways the power goes at each operation, when nobody says.
const VARIANTS: usize = 8;

/// Size of the block that a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// An operation of a run on its files, in order. Files are named by their path relative to the workspace.
#[derive(Clone, Debug, PartialEq)]
enum Op {
    Write {
        file: String,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        len: usize,
    },
    Sync {
        file: String,
    },
    SyncDir {
        dir: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        file: String,
    },
    /// The number of an event that was told outside.
    Told(u64),
    /// A line of the ledger: something has really happened.
    Happened(String),
}

#[test]
fn whatever_a_power_cut_leaves_an_engine_starts_from_it_and_knows_all_that_was_told_and_done() {
    let mut drill = Drill::new();
    let trace = drill.place.file("trace").display().to_string();
    let calls = "trace=openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,unlinkat";
    let strace =
        ["strace", "-f", "-y", "-xx", "-s", "1000000", "-qq", "-e", "signal=none", "-e", calls, "-o", &trace];
    if !crate::syscalls::may_trace() {
        println!("skipped: could not trace a process; install strace (apt-get install strace)");
        return;
    }
    let console = drill.run_under(&strace);
    let said = drill.listen_to_the_end(console);
    assert_eq!(said.code, 0, "{said:?}");
    let root = drill.place.path().canonicalize().expect("it is there");
    let ops = read_trace(&drill.place.text("trace"), &root);
    let told = ops.iter().filter(|op| matches!(op, Op::Told(_))).count();
    let happened = ops.iter().filter(|op| matches!(op, Op::Happened(_))).count();
    assert_eq!(
        (told, happened),
        (drill.told.len(), drill.ledger().lines().count()),
        "the trace was read whole"
    );
    let variants =
        std::env::var("CUELIGHT_VARIANTS").ok().and_then(|value| value.parse().ok()).unwrap_or(VARIANTS);
    let (mut disk, mut seen, mut seed, mut broken) = (Disk::default(), Seen::default(), 11, String::new());
    let mut states = 0;
    for (cut, op) in ops.iter().enumerate() {
        seen.take(op);
        disk.take(op);
        for variant in 0..variants {
            states += 1;
            if let Err(why) = judge(&disk.after(variant, &mut seed), &seen) {
                let _ =
                    writeln!(broken, "variant {variant} of a cut after operation {cut}, {}: {why}", name(op));
            }
        }
    }
    println!("{states} states of {} operations, {told} events told, {happened} effects", ops.len());
    let count = broken.lines().count();
    let first: Vec<&str> = broken.lines().take(12).collect();
    assert_eq!(count, 0, "{first:#?}");
}

/// An operation without its bytes.
fn name(op: &Op) -> String {
    match op {
        Op::Write { file, at, bytes } => format!("write of {} to {file} at {at:?}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// The events reported and the effects that have happened outside.
#[derive(Default)]
struct Seen {
    told: u64,
    happened: Vec<String>,
}

impl Seen {
    fn take(&mut self, op: &Op) {
        match op {
            Op::Told(seq) => self.told = self.told.max(*seq),
            Op::Happened(line) => self.happened.push(line.clone()),
            _ => {}
        }
    }
}

/// A disk with what is surely on it, and what is on its way. A file is known by its number, a name points to one.
#[derive(Default)]
struct Disk {
    files: Vec<File>,
    /// As a process sees the names …
    names: BTreeMap<String, usize>,
    /// … as they would be found after a cut if nothing on its way arrived …
    kept: BTreeMap<String, usize>,
    /// … and what is on its way: a name, and where it points to afterwards.
    changed: Vec<(String, Option<usize>)>,
}

#[derive(Clone, Default)]
struct File {
    kept: Vec<u8>,
    len: usize,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Bytes(usize, Vec<u8>),
    Len(usize),
}

impl Disk {
    fn file(&mut self, name: &str) -> &mut File {
        let at = match self.names.get(name) {
            Some(at) => *at,
            None => {
                self.files.push(File::default());
                let at = self.files.len() - 1;
                self.point(name, Some(at));
                at
            }
        };
        &mut self.files[at]
    }

    fn point(&mut self, name: &str, to: Option<usize>) {
        match to {
            Some(to) => self.names.insert(name.to_owned(), to),
            None => self.names.remove(name),
        };
        self.changed.push((name.to_owned(), to));
    }

    fn take(&mut self, op: &Op) {
        match op {
            Op::Write { file, at, bytes } => {
                let file = self.file(file);
                let at = at.unwrap_or(file.len);
                file.len = file.len.max(at + bytes.len());
                file.pending.push(Change::Bytes(at, bytes.clone()));
            }
            Op::Cut { file, len } => {
                let file = self.file(file);
                file.len = *len;
                file.pending.push(Change::Len(*len));
            }
            Op::Sync { file: name } => {
                let file = self.file(name);
                for change in std::mem::take(&mut file.pending) {
                    apply(&mut file.kept, &change);
                }
                // With a file comes the name it has got, as on all file systems with a journal.
                self.settle(|text| text == name);
            }
            Op::SyncDir { dir } => {
                self.settle(|text| Path::new(text).parent() == Some(Path::new(dir)));
            }
            Op::Rename { from, to } => {
                let file = self.names.get(from).copied();
                self.point(to, file);
                self.point(from, None);
            }
            Op::Remove { file } => self.point(file, None),
            Op::Told(_) | Op::Happened(_) => {}
        }
    }

    /// Records that the changes of these names are on disk from now on.
    fn settle(&mut self, is_settled: impl Fn(&str) -> bool) {
        let (settled, changed) =
            std::mem::take(&mut self.changed).into_iter().partition(|(text, _)| is_settled(text));
        self.changed = changed;
        for change in settled {
            repoint(&mut self.kept, change);
        }
    }

    /// Files after a power cut of this variant: 0 none of the pending changes, 1 all, up to 4 any part, torn,
    /// then also reordered.
    fn after(&self, variant: usize, seed: &mut u64) -> BTreeMap<String, Vec<u8>> {
        let mut names = self.kept.clone();
        for change in &self.changed {
            if variant == 1 || (variant > 1 && next(seed).is_multiple_of(2)) {
                repoint(&mut names, change.clone());
            }
        }
        names.into_iter().map(|(name, at)| (name, self.files[at].after(variant, seed))).collect()
    }
}

fn repoint(names: &mut BTreeMap<String, usize>, (name, to): (String, Option<usize>)) {
    match to {
        Some(to) => names.insert(name, to),
        None => names.remove(&name),
    };
}

impl File {
    fn after(&self, variant: usize, seed: &mut u64) -> Vec<u8> {
        let mut bytes = self.kept.clone();
        if variant == 0 {
            return bytes;
        }
        let mut changes = self.pending.clone();
        if variant > 1 {
            changes.retain(|_| next(seed).is_multiple_of(2));
        }
        if variant > 4 {
            for i in (1..changes.len()).rev() {
                changes.swap(i, usize::try_from(next(seed)).unwrap_or(0) % (i + 1));
            }
        }
        for change in &changes {
            match change {
                Change::Bytes(at, written) if variant > 1 && next(seed) % 10 < 3 => {
                    let sectors = written.len() / SECTOR_BYTES + 1;
                    let kept = SECTOR_BYTES * (usize::try_from(next(seed)).unwrap_or(0) % sectors);
                    apply(&mut bytes, &Change::Bytes(*at, written[..kept].to_vec()));
                }
                whole => apply(&mut bytes, whole),
            }
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Len(len) => bytes.resize(*len, 0),
        Change::Bytes(at, written) => {
            bytes.resize(bytes.len().max(at + written.len()), 0);
            bytes[*at..at + written.len()].copy_from_slice(written);
        }
    }
}

/// Starts from such a disk, as an engine does.
fn judge(files: &BTreeMap<String, Vec<u8>>, seen: &Seen) -> Result<(), String> {
    let dir = TempDir::new().expect("a directory");
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("-shm")) {
        let path = dir.path().join(name);
        let parent = path.parent().expect("it lies in the workspace");
        fs::create_dir_all(parent).expect("a directory");
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
    }
    let workspace = Workspace::create(dir.path()).map_err(|why| why.to_string())?;
    let owner = Owner::take(&workspace).map_err(|why| why.to_string())?;
    let (journal, opened) = Journal::open(&workspace, &owner, [7; 32]).map_err(|why| why.to_string())?;
    if opened.head.0.0 < seen.told {
        return Err(format!("event {} was told, and the log ends at {}", seen.told, opened.head.0.0));
    }
    let reader = Reader::open(&workspace).map_err(|why| why.to_string())?;
    verify(&reader, Seq(1)).map_err(|why| why.to_string())?;
    let events = reader.events(Seq(1), usize::MAX).map_err(|why| why.to_string())?;
    let intents: BTreeSet<String> = events
        .iter()
        .filter_map(|(_, event)| match &event.fact {
            Fact::Attempt(run, step, number, AttemptEvent::Started { .. }) => {
                Some(format!("r-{}.{}.{number}", run.0, step.0))
            }
            _ => None,
        })
        .collect();
    drop(journal);
    let unknown =
        seen.happened.iter().find(|line| !line.split(' ').nth(2).is_some_and(|word| intents.contains(word)));
    unknown.map_or(Ok(()), |line| Err(format!("the log does not know of {line}")))
}

/// Parses the output of `strace -f -y -xx` to operations.
fn read_trace(trace: &str, root: &Path) -> Vec<Op> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ops = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let call = if let Some(first) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, first);
            continue;
        } else if rest.starts_with("<... ") {
            let (Some(first), Some((_, last))) = (begun.remove(thread), rest.split_once("resumed>")) else {
                continue;
            };
            format!("{first}{last}")
        } else {
            rest.to_owned()
        };
        ops.extend(read_call(&call, root));
    }
    ops
}

/// One call, if it has done something to what is watched.
fn read_call(call: &str, root: &Path) -> Vec<Op> {
    let Some((said, result)) = call.rsplit_once(" = ") else { return Vec::new() };
    let Some((name, arguments)) = said.trim_end().trim_end_matches(')').split_once('(') else {
        return Vec::new();
    };
    if result.starts_with('-') || result.starts_with('?') {
        return Vec::new();
    }
    // The path of an open file, the texts in quotes, and the number at the end.
    let of_file =
        arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(head, _)| unhex(head));
    let path = |bytes: Vec<u8>| PathBuf::from(String::from_utf8_lossy(&bytes).into_owned());
    let inside = |path: &Path| {
        let path = root.join(path);
        path.strip_prefix(root)
            .ok()
            .filter(|rest| rest.starts_with(".cuelight"))
            .map(|rest| rest.display().to_string())
    };
    let texts: Vec<Vec<u8>> = arguments.split('"').skip(1).step_by(2).map(unhex).collect();
    let last = arguments.rsplit(", ").next().and_then(|part| part.trim().parse::<usize>().ok());
    let Some(one) = (match name {
        "rename" => {
            let (Some(from), Some(to)) = (texts.first().cloned(), texts.get(1).cloned()) else {
                return Vec::new();
            };
            return inside(&path(from))
                .zip(inside(&path(to)))
                .map(|(from, to)| Op::Rename { from, to })
                .into_iter()
                .collect();
        }
        "unlink" | "unlinkat" => {
            let is_dir = arguments.contains("AT_REMOVEDIR");
            let file = texts.first().cloned().filter(|_| !is_dir).and_then(|text| inside(&path(text)));
            return file.map(|file| Op::Remove { file }).into_iter().collect();
        }
        "openat" => {
            let file = texts.first().cloned().and_then(|text| inside(&path(text)));
            let made = arguments.contains("O_TRUNC").then_some(file).flatten();
            return made.map(|file| Op::Cut { file, len: 0 }).into_iter().collect();
        }
        _ => of_file,
    }) else {
        return Vec::new();
    };
    let written = texts.into_iter().next().unwrap_or_default();
    let full = path(one);
    if name == "write" && full == root.join("ledger") {
        return String::from_utf8_lossy(&written).lines().map(|line| Op::Happened(line.to_owned())).collect();
    }
    if name == "write" && arguments.starts_with("1<") {
        let lines = String::from_utf8_lossy(&written).into_owned();
        return lines
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?.get("seq")?.as_u64())
            .filter(|seq| *seq > 0)
            .map(Op::Told)
            .collect();
    }
    let Some(file) = inside(&full) else { return Vec::new() };
    match name {
        "write" => vec![Op::Write { file, at: None, bytes: written }],
        "pwrite64" => {
            assert!(last.is_some(), "an offset ends {}", said.rsplit('"').next().unwrap_or_default());
            vec![Op::Write { file, at: last, bytes: written }]
        }
        "ftruncate" => vec![Op::Cut { file, len: last.unwrap_or_default() }],
        "fsync" | "fdatasync" if full.is_dir() => vec![Op::SyncDir { dir: file }],
        "fsync" | "fdatasync" => vec![Op::Sync { file }],
        _ => Vec::new(),
    }
}

/// Bytes that were written as `\x61\x62`.
fn unhex(text: impl AsRef<str>) -> Vec<u8> {
    let digits = text.as_ref().replace("\\x", "");
    digits
        .as_bytes()
        .chunks(2)
        .filter_map(|chunk| u8::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok())
        .collect()
}

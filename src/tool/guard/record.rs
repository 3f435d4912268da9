//! The records of a guard: a call is about to begin, its process, and its end. One file for each guard, one
//! line for each record, with the beginning of its SHA-256 in front. Nothing is believed from a line on that
//! does not match its sum.
//!
//! A record is written before the fact that it records. It is synced only when nobody listens any more. As
//! long as an engine listens, the end of a call is in the log within milliseconds. After an engine's death,
//! its successor reads records of the same boot (decision 15).

use super::{PROGRAM, PROTOCOL, boot_id, kin, kin::Stray};
use crate::{Answer, own_dir::own_file};
use cuelight_base::{Span, sha256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A file is written anew when it is longer than this, …
const FILE_BYTES_MIN: usize = 1024 * 1024;
/// … and so many times longer than what is still needed of it.
const FILE_WASTE: usize = 4;
/// A file that is longer was not written by a guard.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Digits of a hash in front of a line.
const SUM_DIGITS: usize = 16;

/// The guard that wrote the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) protocol: u32,
    pub(super) program: String,
    pub(super) boot: String,
    pub(super) pid: i32,
    /// When that process began, in ticks of the kernel: its number may be given out again.
    pub(super) born: u64,
}

/// Why a guard ended a call without being asked by an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Cut {
    /// Its console died, and it was to end with it.
    ConsoleDied,
    /// Its engine was closed in order.
    Closed,
    /// The guard was told to end.
    GuardEnded,
}

impl Cut {
    /// The evidence for a call that was ended for this reason.
    pub(super) const fn evidence(self) -> &'static str {
        match self {
            Self::ConsoleDied => "its console died, and it was ended with it (on-console-death: kill)",
            Self::Closed => "its engine was closed while it ran, and it was ended",
            Self::GuardEnded => "its guard was told to end, and ended it",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Record {
    Guard(Head),
    /// It will begin now.
    Begins {
        attempt: String,
    },
    /// The call has begun.
    Process {
        attempt: String,
        pid: i32,
        born: u64,
    },
    Ended(Box<EndRecord>),
    /// This process is below the guard, and no call is known to have started it.
    Stray(Stray),
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EndRecord {
    pub(super) attempt: String,
    pub(super) answer: Answer,
    pub(super) ran_for: Span,
    #[serde(default)]
    pub(super) cut: Option<Cut>,
}

impl Record {
    /// Key of the record: the call, or the stray.
    fn about(&self) -> Option<String> {
        match self {
            Self::Guard(_) => None,
            Self::Begins { attempt } | Self::Process { attempt, .. } => Some(attempt.clone()),
            Self::Ended(record) => Some(record.attempt.clone()),
            Self::Stray(stray) => Some(of_stray(stray)),
        }
    }
}

/// Key of a stray's record; no call has such a name.
pub(super) fn of_stray(stray: &Stray) -> String {
    format!("stray {} {}", stray.pid, stray.born)
}

/// The file as its guard writes it.
pub(super) struct Records {
    file: File,
    path: PathBuf,
    head: String,
    bytes: usize,
    /// The lines of calls whose end is not in the log of the engine.
    needed: BTreeMap<String, Vec<String>>,
    /// Bytes of these lines: they are not counted anew at each end.
    needed_bytes: usize,
}

impl Records {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let born = kin::born(pid).unwrap_or_default();
        let head = Head { protocol: PROTOCOL, program: PROGRAM.to_owned(), boot: boot_id(), pid, born };
        let head = line(&Record::Guard(head))?;
        let mut records =
            Self { file, path, head: head.clone(), bytes: 0, needed: BTreeMap::new(), needed_bytes: 0 };
        records.append(&head)?;
        Ok(records)
    }

    /// Writes one down; what could not be written whole is not there.
    pub(super) fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = line(record)?;
        self.append(&line)?;
        if let Some(about) = record.about() {
            self.needed_bytes += line.len();
            self.needed.entry(about).or_default().push(line);
        }
        Ok(())
    }

    /// Until it survives a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }

    /// True if the file still has its name. Nobody reads the file of a removed workspace.
    pub(super) fn is_wanted(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// The end of this call is in the log: nobody will ask for it again.
    pub(super) fn forget(&mut self, attempt: &str) -> io::Result<()> {
        let forgotten = self.needed.remove(attempt).unwrap_or_default();
        self.needed_bytes -= forgotten.iter().map(String::len).sum::<usize>();
        if self.bytes < FILE_BYTES_MIN.max(FILE_WASTE * (self.needed_bytes + self.head.len())) {
            return Ok(());
        }
        let fresh = self.path.with_extension("new");
        let mut file = own_file().open(&fresh)?;
        let text: String =
            std::iter::once(&self.head).chain(self.needed.values().flatten()).map(String::as_str).collect();
        file.write_all(text.as_bytes())?;
        fs::rename(&fresh, &self.path)?;
        (self.file, self.bytes) = (file, text.len());
        Ok(())
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // Half a line would hide all that follow it.
            let before = self.bytes as u64;
            self.file.set_len(before)?;
            io::Seek::seek(&mut self.file, io::SeekFrom::Start(before))?;
            return Err(error);
        }
        self.bytes += line.len();
        Ok(())
    }
}

/// All believable records of a guard.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) head: Option<Head>,
    /// Calls that were about to begin, each with its process where that is known.
    pub(super) begun: BTreeMap<String, Option<(i32, u64)>>,
    pub(super) ended: BTreeMap<String, EndRecord>,
    /// Processes that belonged to no call when they were seen; those that live still do not.
    pub(super) strays: Vec<Stray>,
    /// True if every line was valid.
    pub(super) is_whole: bool,
}

impl Log {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(io::Error::other("it is longer than any guard writes"));
        }
        let bytes = fs::read(path)?;
        let mut log = Self::default();
        for text in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(record) = read_line::<Record>(text) else { return Ok(log) };
            match record {
                Record::Guard(head) => log.head = Some(head),
                Record::Begins { attempt } => drop(log.begun.insert(attempt, None)),
                Record::Process { attempt, pid, born } => drop(log.begun.insert(attempt, Some((pid, born)))),
                Record::Ended(record) => drop(log.ended.insert(record.attempt.clone(), *record)),
                Record::Stray(stray) => log.strays.push(stray),
            }
        }
        log.is_whole = log.head.is_some();
        Ok(log)
    }
}

/// A value as a line with its sum.
pub(super) fn line<T: Serialize>(value: &T) -> io::Result<String> {
    let json = serde_json::to_string(value)?;
    Ok(format!("{} {json}\n", sum(json.as_bytes())))
}

/// The value of a whole line that fits its sum.
pub(super) fn read_line<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let text = text.strip_suffix(b"\n")?;
    let (digits, json) = text.split_at_checked(SUM_DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    (sum(json).as_bytes() == digits).then(|| serde_json::from_slice(json).ok())?
}

fn sum(json: &[u8]) -> String {
    let mut digits = sha256("cuelight-guard-v1", &[json]).to_string();
    digits.truncate(SUM_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(attempt: &str) -> Record {
        Record::Begins { attempt: attempt.to_owned() }
    }

    fn ended(attempt: &str) -> Record {
        let answer = Answer::not_started(None, "could not start: x".to_owned());
        let (attempt, ran_for) = (attempt.to_owned(), Span(7));
        Record::Ended(Box::new(EndRecord { attempt, answer, ran_for, cut: Some(Cut::Closed) }))
    }

    fn written(records: &[Record]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("1-0.log");
        let mut file = Records::create(path.clone()).expect("made");
        records.iter().for_each(|record| file.write(record).expect("written"));
        (dir, path)
    }

    #[test]
    fn what_was_written_is_read_again() {
        let (_dir, path) = written(&[begins("r-1.0.1"), ended("r-1.0.1"), begins("r-1.1.1")]);
        let log = Log::read(&path).expect("readable");
        assert!(log.is_whole);
        assert_eq!(log.begun.keys().collect::<Vec<_>>(), ["r-1.0.1", "r-1.1.1"]);
        assert_eq!(Record::Ended(Box::new(log.ended["r-1.0.1"].clone())), ended("r-1.0.1"));
    }

    #[test]
    fn nothing_is_believed_from_the_first_damaged_byte_on() {
        let (_dir, path) = written(&[begins("r-1.0.1"), ended("r-1.0.1"), begins("r-1.1.1")]);
        let good = fs::read(&path).expect("bytes");
        let ends: Vec<usize> = (0..good.len()).filter(|index| good[*index] == b'\n').collect();
        for at in 0..good.len() {
            let whole_before = ends.iter().filter(|end| **end < at).count();
            let mut flipped = good.clone();
            flipped[at] ^= 0x20;
            for (bytes, what) in [(flipped, "flipped"), (good[..at].to_vec(), "cut")] {
                fs::write(&path, &bytes).expect("written");
                let log = Log::read(&path).expect("readable");
                let known = usize::from(log.head.is_some()) + log.begun.len() + log.ended.len();
                assert_eq!(known, whole_before, "{what} at {at}");
                // A file that ends after a whole line looks whole: what is not there was not written.
                let is_clean_cut = what == "cut" && (at == 0 || good[at - 1] == b'\n');
                assert_eq!(log.is_whole, is_clean_cut && log.head.is_some(), "{what} at {at}");
            }
        }
    }

    #[test]
    fn what_is_in_the_log_of_the_engine_is_not_kept_for_ever() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("1-0.log");
        let mut file = Records::create(path.clone()).expect("made");
        file.write(&begins("r-9.9.9")).expect("written");
        for number in 0..20_000 {
            let attempt = format!("r-1.0.{number}");
            file.write(&begins(&attempt)).expect("written");
            file.write(&ended(&attempt)).expect("written");
            file.forget(&attempt).expect("forgotten");
        }
        let bytes = fs::read(&path).expect("there").len();
        assert!(bytes < 2 * FILE_BYTES_MIN, "{bytes}");
        let log = Log::read(&path).expect("readable");
        assert!(log.is_whole && log.begun.contains_key("r-9.9.9"), "what is still needed is there");
    }
}

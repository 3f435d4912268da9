//! Writes the output of an attempt to disk as it comes: bounded, and counted and hashed as a whole. `store`
//! reads it.
//!
//! Beside each file is the index of when its bytes came: a few bytes for each stretch that is read at another
//! millisecond. The index is written before the bytes that it describes, and dropped when it cannot be
//! written.
//!
//! The head (half of the limit) is the file `log`. The rest goes to stretches of a quarter each, named by the
//! offset of their first byte; the two newest are kept. Up to the limit nothing is missing; beyond it the
//! middle is missing. No index of stretches is needed: a reader during a write sees a true, shorter past.

use super::{answer::ANSWER_TAIL_BYTES_MAX, own_dir::make_own_dir};
use cuelight_base::{ArrivalsPen, Digest, Hasher, LOG_FILE, TIMES_FILE, Timestamp, Untrusted};
use std::{
    collections::VecDeque,
    fs::{File, OpenOptions, remove_file},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::Arc,
};

/// Stretches kept beside the head.
const STRETCHES_KEPT: usize = 2;

/// Returns the current time, from the owner of the clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The index of the file that is being written.
#[derive(Default)]
struct Times {
    file: Option<File>,
    path: PathBuf,
    begin: u64,
    pen: ArrivalsPen,
}

/// Takes output, keeps what fits.
pub(super) struct Spool {
    dir: PathBuf,
    now: Option<Now>,
    heard_at: Option<Timestamp>,
    times: Times,
    head_max: u64,
    stretch_max: u64,
    file: Option<File>,
    file_left: u64,
    stretches: VecDeque<u64>,
    total: u64,
    lines: u64,
    hasher: Hasher,
    tail: Vec<u8>,
    lost: Option<String>,
}

/// The facts known once the output is complete.
pub(super) struct Spooled {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) digest: Digest,
    pub(super) tail: String,
    pub(super) lost: Option<String>,
}

impl Spool {
    /// Files appear with the first byte: most steps say nothing.
    pub(super) fn new(dir: PathBuf, limit: u64, now: Option<Now>) -> Self {
        let stretch_max = (limit / 4).max(1);
        Self {
            dir,
            now,
            heard_at: None,
            times: Times::default(),
            head_max: limit.saturating_sub(stretch_max * 2).max(1),
            stretch_max,
            file: None,
            file_left: 0,
            stretches: VecDeque::new(),
            total: 0,
            lines: 0,
            hasher: Hasher::new(),
            tail: Vec::new(),
            lost: None,
        }
    }

    /// Keeps what fits. A disk that refuses does not end the step: its work may not be repeatable, its log is.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.lines += bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.keep_tail(bytes);
        let start = self.total;
        self.total += bytes.len() as u64;
        self.heard_at = self.now.as_ref().map(|now| now());
        if self.lost.is_some() {
            return;
        }
        if let Err(error) = self.write(start, bytes) {
            self.lost = Some(format!(
                "could not keep its output from byte {start} on: {error}; free space where {} lies",
                self.dir.display()
            ));
            self.file = None;
        }
    }

    /// When bytes were taken last, as far as there is a clock.
    pub(super) fn heard_at(&self) -> Option<Timestamp> {
        self.heard_at
    }

    /// Bytes taken so far.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn finish(self) -> Spooled {
        // A cut may go through a character; what is left of it is not the program's fault.
        let is_cut = self.total > self.tail.len() as u64;
        let rest_of_one = self.tail.iter().take(3).take_while(|byte| is_cut && **byte & 0xc0 == 0x80).count();
        Spooled {
            bytes: self.total,
            lines: self.lines,
            digest: self.hasher.finish(),
            tail: Untrusted::from_bytes(&self.tail[rest_of_one..]).raw().to_owned(),
            lost: self.lost,
        }
    }

    fn write(&mut self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.file_left == 0 {
                self.begin_file(at)?;
            }
            if let Some(now) = self.heard_at {
                self.times.mark(at, now);
            }
            let fits = usize::try_from(self.file_left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let file = self.file.as_mut().expect("a file was begun");
            file.write_all(&bytes[..fits])?;
            bytes = &bytes[fits..];
            at += fits as u64;
            self.file_left -= fits as u64;
        }
        Ok(())
    }

    fn begin_file(&mut self, at: u64) -> io::Result<()> {
        let name = if at == 0 { LOG_FILE.to_owned() } else { format!("{LOG_FILE}.{at}") };
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
        if at == 0 {
            make_own_dir(&self.dir)?;
        }
        self.file = Some(options.open(self.dir.join(name))?);
        if self.now.is_some() {
            let ending = if at == 0 { String::new() } else { format!(".{at}") };
            self.times = Times::begin(self.dir.join(format!("{TIMES_FILE}{ending}")), at, &options);
        }
        self.file_left = if at == 0 { self.head_max } else { self.stretch_max };
        if at > 0 {
            self.stretches.push_back(at);
        }
        if self.stretches.len() > STRETCHES_KEPT {
            let oldest = self.stretches.pop_front().expect("there are more than are kept");
            remove_file(self.dir.join(format!("{LOG_FILE}.{oldest}")))?;
            drop(remove_file(self.dir.join(format!("{TIMES_FILE}.{oldest}"))));
        }
        Ok(())
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let fresh = &bytes[bytes.len().saturating_sub(ANSWER_TAIL_BYTES_MAX)..];
        let surplus = (self.tail.len() + fresh.len()).saturating_sub(ANSWER_TAIL_BYTES_MAX);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(fresh);
    }
}

impl Times {
    /// A disk that has no room for it costs the times, not the output.
    fn begin(path: PathBuf, begin: u64, options: &OpenOptions) -> Self {
        Self { file: options.open(&path).ok(), path, begin, pen: ArrivalsPen::default() }
    }

    /// Records that output from this offset on came now.
    fn mark(&mut self, at: u64, now: Timestamp) {
        let Some(file) = &mut self.file else { return };
        let Some(entry) = self.pen.entry(at - self.begin, now) else { return };
        if file.write_all(&entry).is_err() {
            // What follows would have the time of what came before.
            self.file = None;
            drop(remove_file(&self.path));
        }
    }
}

//! Reads what a step wrote, while it writes or long after. `tool` writes it: a head, then stretches named by the offset
//! of their first byte (see `base::LOG_FILE`); what lies between them was let go, and a reader is told so.
//!
//! Beside each file may stand an index of when its bytes came (see `base::TIMES_FILE`).
//!
//! Bytes come as they were written. Nothing is held between two calls, so a file that grows is simply longer next time.

use crate::below;
use cuelight_base::{ARRIVALS_BYTES_MAX, Arrivals, LOG_FILE, TIMES_FILE};
use rustix::fs::OFlags;
use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

/// Bytes looked at in one piece when lines are sought.
const PIECE_BYTES: u64 = 64 * 1024;

/// The output of one attempt.
#[derive(Clone, Debug)]
pub struct SpoolReader {
    dir: PathBuf,
}

/// Bytes that were kept, from one offset on without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The offset of the bytes in the whole output; later than requested if the requested bytes were dropped.
    pub offset: u64,
    /// As they were written.
    pub bytes: Vec<u8>,
}

/// A file of the spool: the offset of its first byte, and how many it holds.
struct Part {
    offset: u64,
    length: u64,
    path: PathBuf,
}

impl SpoolReader {
    /// The output of the attempt whose files are in `dir`; a missing directory counts as empty.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Bytes written so far, kept or not.
    pub fn total(&self) -> io::Result<u64> {
        Ok(self.parts()?.iter().map(|part| part.offset + part.length).max().unwrap_or(0))
    }

    /// Bytes that were let go between the head and the tail: from, to.
    pub fn gap(&self) -> io::Result<Option<(u64, u64)>> {
        let parts = self.parts()?;
        let pairs = parts.windows(2).map(|pair| (pair[0].offset + pair[0].length, pair[1].offset));
        Ok(pairs.into_iter().find(|(from, to)| from < to))
    }

    /// At most `length` bytes from `offset` on, up to the next gap; when `offset` lies in a gap, from its end on.
    pub fn read(&self, offset: u64, length: u64) -> io::Result<Stretch> {
        let mut out = Stretch { offset, bytes: Vec::new() };
        for part in self.parts()? {
            let at = out.offset + out.bytes.len() as u64;
            let left = length - out.bytes.len() as u64;
            if part.offset + part.length <= at || left == 0 {
                continue;
            }
            if part.offset > at {
                if !out.bytes.is_empty() {
                    break;
                }
                out.offset = part.offset;
            }
            let inside = at.max(part.offset) - part.offset;
            read_part(&part.path, inside, left.min(part.length - inside), &mut out.bytes)?;
        }
        Ok(out)
    }

    /// When the bytes from `from` to before `to` came, as far as that was kept: what is damaged or missing tells no time.
    pub fn arrivals(&self, from: u64, to: u64) -> io::Result<Arrivals> {
        let mut all = Arrivals::default();
        for part in self.parts()?.iter().filter(|part| part.offset < to && part.offset + part.length > from) {
            let mut index = Vec::new();
            // Output can be read without its times, so nothing that is wrong with them is an error.
            drop(read_part(&times_of(part), 0, 2 * ARRIVALS_BYTES_MAX as u64, &mut index));
            all.read_index(part.offset, &index);
        }
        Ok(all.within(from, to))
    }

    /// The last bytes without a gap, at most `length` of them.
    pub fn tail(&self, length: u64) -> io::Result<Stretch> {
        let total = self.total()?;
        let mut stretch = self.read(total.saturating_sub(length), length)?;
        while stretch.end() < total && !stretch.bytes.is_empty() {
            stretch = self.read(stretch.end(), length)?;
        }
        Ok(stretch)
    }

    /// Whole lines from the one that begins at `offset` on, at most `lines` of them and at most `length` bytes. A line
    /// comes in pieces only when it alone is longer than that, or not yet ended.
    pub fn lines_from(&self, offset: u64, lines: usize, length: u64) -> io::Result<Stretch> {
        let total = self.total()?;
        let mut stretch = self.read(offset, length)?;
        let mut ends =
            stretch.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let whole = match lines.checked_sub(1) {
            None => Some(0),
            Some(before) => ends.nth(before),
        };
        let cut = stretch.end() < total;
        let kept = whole.or_else(|| {
            stretch.bytes.iter().rposition(|byte| *byte == b'\n').filter(|_| cut).map(|at| at + 1)
        });
        if let Some(kept) = kept {
            stretch.bytes.truncate(kept);
        }
        Ok(stretch)
    }

    /// The offset of the line that is `lines` lines before the one at `offset`; never before a gap.
    pub fn lines_back(&self, offset: u64, lines: usize) -> io::Result<u64> {
        let (mut floor, mut known) = (0, 0);
        for part in self.parts()?.iter().filter(|part| part.offset <= offset) {
            floor = if part.offset > known { part.offset } else { floor };
            known = known.max(part.offset + part.length);
        }
        // From there to here all was kept.
        let (mut end, mut left) = (offset.min(known), lines + 1);
        while end > floor {
            let start = end.saturating_sub(PIECE_BYTES).max(floor);
            let piece = self.read(start, end - start)?;
            // The end of the line before belongs to that line, not to the one that begins at `offset`.
            for (place, _) in piece.bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                left -= 1;
                if left == 0 {
                    return Ok(piece.offset + place as u64 + 1);
                }
            }
            end = start;
        }
        Ok(floor)
    }

    /// Line ends in what was kept.
    pub fn line_count(&self) -> io::Result<u64> {
        let mut count = 0;
        for part in self.parts()? {
            let mut at = 0;
            while at < part.length {
                let mut piece = Vec::new();
                read_part(&part.path, at, PIECE_BYTES.min(part.length - at), &mut piece)?;
                if piece.is_empty() {
                    break;
                }
                count += piece.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
                at += piece.len() as u64;
            }
        }
        Ok(count)
    }

    /// The files by offset. One that is deleted while we look is output that is let go.
    fn parts(&self) -> io::Result<Vec<Part>> {
        let is_own = below::open(&self.dir, OFlags::RDONLY | OFlags::DIRECTORY);
        let entries = match is_own.and_then(|_| fs::read_dir(&self.dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut parts = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(LOG_FILE)) else { continue };
            let offset: Option<u64> = if rest.is_empty() {
                Some(0)
            } else {
                rest.strip_prefix('.').and_then(|rest| rest.parse().ok())
            };
            match (offset, entry.metadata()) {
                // Its name is text like any other: nothing that we wrote ends where no number is.
                (Some(offset), Ok(about)) if about.is_file() && offset.checked_add(about.len()).is_some() => {
                    parts.push(Part { offset, length: about.len(), path: entry.path() });
                }
                (Some(_), Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        parts.sort_by_key(|part| part.offset);
        Ok(parts)
    }
}

impl Stretch {
    /// The offset of the next byte.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

/// The index that lies beside a file of output.
fn times_of(part: &Part) -> PathBuf {
    let name = part.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    part.path.with_file_name(format!("{TIMES_FILE}{}", name.strip_prefix(LOG_FILE).unwrap_or_default()))
}

fn read_part(path: &Path, inside: u64, length: u64, out: &mut Vec<u8>) -> io::Result<()> {
    let mut file = match below::open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    file.seek(SeekFrom::Start(inside))?;
    file.take(length).read_to_end(out).map(drop)
}

//! The arrival times of an output's bytes: a list to look an instant up in, and its form as an index beside
//! the output.
//!
//! The index is appended while output comes, so it may end in the middle of an entry, or be damaged on disk.
//! Bytes after the last sound entry have no time. The files are written and read elsewhere.

use super::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of the index of one file of output; what comes later has no time.
pub const ARRIVALS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an index that any output may have, however short.
const BYTES_FREE: u64 = 64 * 1024;
/// Beyond those an index has one byte for so many of its output.
const BYTES_SHARE: u64 = 16;
/// The seed of an entry's check byte, so that a hole of zeros is no valid entry.
const CHECK_SEED: u8 = 0xa5;

/// When which bytes came; bytes that stand before the first entry, or after one without an instant, nobody
/// knows of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// From this byte on, this instant; by byte.
    marks: Vec<(u64, Option<Timestamp>)>,
}

impl Arrivals {
    /// All that follows a byte came at once.
    pub fn since(from: u64, at: Option<Timestamp>) -> Self {
        let marks = if at.is_some() { vec![(from, at)] } else { Vec::new() };
        Self { marks }
    }

    /// True if no arrival is known.
    pub const fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// From this byte on, this instant. Bytes that were passed are not gone back to.
    pub fn push(&mut self, from: u64, at: Option<Timestamp>) {
        match self.marks.last_mut() {
            None if at.is_none() => {}
            Some(last) if last.0 > from || last.1 == at => {}
            Some(last) if last.0 == from => last.1 = at,
            Some(_) | None => self.marks.push((from, at)),
        }
    }

    /// When a byte arrived.
    pub fn at(&self, byte: u64) -> Option<Timestamp> {
        let after = self.marks.partition_point(|(from, _)| *from <= byte);
        self.marks.get(after.checked_sub(1)?)?.1
    }

    /// The part that is needed to look up the bytes from `from` to before `to`.
    #[must_use]
    pub fn within(&self, from: u64, to: u64) -> Self {
        let first = self.marks.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        let last = self.marks.partition_point(|(at, _)| *at < to).max(first);
        let mut out = Self::default();
        self.marks[first..last].iter().for_each(|(at, when)| out.push(*at, *when));
        out
    }

    /// Takes in an index whose output begins at `begin`.
    pub fn read_index(&mut self, begin: u64, index: &[u8]) {
        let (mut rest, mut place, mut ms) = (index, begin, 0_i64);
        // Bytes whose index is gone must not have the time of those before.
        self.push(begin, None);
        while !rest.is_empty() {
            let Some((bytes, step, after)) = entry(rest) else {
                // Somewhere behind the last sound entry another began: nobody knows where.
                return self.forget_from(place);
            };
            let (Some(next), Some(then)) = (place.checked_add(bytes), ms.checked_add_unsigned(step)) else {
                return self.forget_from(place);
            };
            let is_end = step == 0 && ms != 0;
            self.push(next, if is_end { None } else { Some(Timestamp(then)) });
            (rest, place, ms) = (after, next, then);
        }
    }

    fn forget_from(&mut self, place: u64) {
        self.marks.retain(|(from, _)| *from < place);
        self.push(place, None);
    }
}

/// Writes an index, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct ArrivalsPen {
    place: u64,
    ms: i64,
    written: usize,
    has_ended: bool,
}

impl ArrivalsPen {
    /// The bytes of an entry: output arrived at `at`, `place` bytes after the begin of the indexed output.
    /// None when no entry is needed: the same instant as before, a clock that was set back, or no room for so
    /// fine a time.
    pub fn entry(&mut self, place: u64, at: Timestamp) -> Option<Vec<u8>> {
        if self.has_ended || at.0 <= self.ms || self.written as u64 > BYTES_FREE + place / BYTES_SHARE {
            return None;
        }
        self.has_ended = self.written >= ARRIVALS_BYTES_MAX;
        let step = if self.has_ended { 0 } else { at.0.abs_diff(self.ms) };
        let mut out = Vec::with_capacity(8);
        push_number(place.saturating_sub(self.place), &mut out);
        push_number(step, &mut out);
        out.push(check(&out));
        (self.place, self.ms) = (place, at.0);
        self.written += out.len();
        Some(out)
    }
}

/// The step in bytes, the step in milliseconds, and the bytes after the entry.
fn entry(bytes: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (place, rest) = number(bytes)?;
    let (step, rest) = number(rest)?;
    let (said, rest) = rest.split_first()?;
    let whole = &bytes[..bytes.len() - rest.len() - 1];
    (*said == check(whole)).then_some((place, step, rest))
}

fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(CHECK_SEED, |sum, byte| sum.rotate_left(1).wrapping_add(*byte))
}

/// Seven bits a byte, the low ones first; the highest bit says that more follows.
fn push_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(9) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}

/// Sent as steps from one entry to the next: a page has many.
impl Serialize for Arrivals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut place, mut ms) = (0, 0);
        serializer.collect_seq(self.marks.iter().map(|(from, at)| {
            let step = (from.saturating_sub(place), at.map(|moment| moment.0.saturating_sub(ms)));
            (place, ms) = (*from, at.map_or(ms, |moment| moment.0));
            step
        }))
    }
}

impl<'de> Deserialize<'de> for Arrivals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let steps = Vec::<(u64, Option<i64>)>::deserialize(deserializer)?;
        let (mut out, mut place, mut ms) = (Self::default(), 0_u64, 0_i64);
        for (bytes, step) in steps {
            place = place.saturating_add(bytes);
            let at = step.map(|step| ms.saturating_add(step));
            ms = at.unwrap_or(ms);
            out.push(place, at.map(Timestamp));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour in which twenty bytes came every second, as index and as what is to be read of it.
    fn hour() -> (Vec<u8>, Arrivals) {
        let (mut pen, mut index, mut all) = (ArrivalsPen::default(), Vec::new(), Arrivals::default());
        for second in 0..3_600_i64 {
            let (place, at) = (20 * second.unsigned_abs(), Timestamp(1_750_000_000_000 + 1_000 * second));
            index.extend(pen.entry(place, at).expect("another instant"));
            all.push(1_000 + place, Some(at));
        }
        (index, all)
    }

    fn read(index: &[u8]) -> Arrivals {
        let mut out = Arrivals::default();
        out.read_index(1_000, index);
        out
    }

    #[test]
    fn what_was_written_is_read_and_takes_few_bytes() {
        let (index, all) = hour();
        assert_eq!(read(&index), all);
        assert!(index.len() < 3_600 * 5, "{}", index.len());
        let json = serde_json::to_string(&all).expect("JSON");
        assert_eq!(serde_json::from_str::<Arrivals>(&json).expect("its own"), all);
    }

    /// No byte gets a time that is not its own, at any place where the index breaks off or is damaged.
    #[test]
    fn a_short_or_damaged_index_shows_no_time_rather_than_a_wrong_one() {
        let (index, all) = hour();
        let check = |damaged: &[u8]| {
            let found = read(damaged);
            for byte in (0..73_000).step_by(7) {
                assert!(found.at(byte).is_none() || found.at(byte) == all.at(byte), "byte {byte}");
            }
        };
        for cut in (0..index.len()).step_by(97) {
            let whole = read(&index[..cut]);
            assert!(whole.at(1_000).is_none() || whole.at(1_000) == all.at(1_000));
            let mut damaged = index.clone();
            damaged[cut..].fill(0);
            check(&damaged);
        }
        assert!(read(b"a text that is no index").at(5_000).is_none());
        assert!(read(&[0xff; 100]).at(5_000).is_none());
        assert!(read(&[]).at(1_000).is_none());
    }

    #[test]
    fn an_index_has_a_limit_and_beyond_it_no_time_is_told() {
        let (mut pen, mut index) = (ArrivalsPen::default(), Vec::new());
        let every = 4_096_u64;
        for at in 1..1_500_000_u64 {
            index.extend(pen.entry(every * at, Timestamp(at.cast_signed() * 300)).unwrap_or_default());
        }
        assert!(index.len() < ARRIVALS_BYTES_MAX + 16, "{}", index.len());
        let mut read = Arrivals::default();
        read.read_index(0, &index);
        assert_eq!(read.at(every * 500_000), Some(Timestamp(500_000 * 300)));
        assert_eq!(read.at(every * 1_400_000), None);
        // A byte at a time: the index stays small beside its output.
        let (mut pen, mut length) = (ArrivalsPen::default(), 0);
        for byte in 0..2_000_000_u64 {
            length += pen.entry(byte, Timestamp(byte.cast_signed() + 1)).map_or(0, |entry| entry.len());
        }
        assert!(length < 64 * 1024 + 2_000_000 / 16 + 16, "{length}");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_time_run_backwards() {
        let mut pen = ArrivalsPen::default();
        assert!(pen.entry(0, Timestamp(5_000)).is_some());
        assert!(pen.entry(10, Timestamp(4_000)).is_none());
        assert!(pen.entry(20, Timestamp(5_001)).is_some());
    }

    #[test]
    fn a_part_is_looked_up_as_the_whole() {
        let (_, all) = hour();
        let part = all.within(2_005, 3_000);
        for byte in 2_005..3_000 {
            assert_eq!(part.at(byte), all.at(byte));
        }
        assert!(part.marks.len() < 60);
    }
}

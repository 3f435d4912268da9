//! Lines of the output of steps and of messages beside them: a window, bounded in lines and bytes, that grows
//! at both ends. Bytes stay as written. A carriage return keeps the last state of a line, and the overwritten
//! states are counted.
//!
//! `read` decides what to read and when; `rows` shows a line.

mod intake;
mod line;
mod search;

pub(crate) use line::{LogLine, Telling, Voice};

use super::{level::LogLevel, needle::Needle};
use cuelight_base::{AttemptId, Timestamp};
use line::{Source, cost, minute_of};
use std::collections::{BTreeMap, VecDeque};

/// Lines held at once.
pub(super) const LINES_MAX: usize = 50_000;
/// Bytes held at once, lines of no bytes counted as some.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;
/// A longer line goes on in a second piece, so that what is drawn of it has a limit.
pub(super) const PIECE_BYTES_MAX: usize = 4 * 1024;
/// Memory of a line beyond its bytes, in bytes.
const LINE_COST: usize = 64;
/// Numbers of lines begin here, so that older ones can be put before them.
const FIRST: u64 = 1 << 40;

/// State of reading the output of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    source: u32,
    /// When its call began: it stands there among others as long as nobody knows better.
    since: Timestamp,
    /// Offset of the first byte held.
    pub start: u64,
    /// Offset behind the last byte held.
    pub end: u64,
    /// Length of the output in bytes, as far as known.
    pub total: u64,
    /// When it was asked for last.
    pub polled_at: Timestamp,
    /// The line that has not ended.
    open: Option<u64>,
}

impl Feed {
    /// True if the attempt has written more than is held.
    pub(super) const fn is_behind(&self) -> bool {
        self.end < self.total
    }
}

/// A stretch of lines.
#[derive(Clone, Debug)]
pub(crate) struct LogLines {
    lines: VecDeque<LogLine>,
    /// The number of the first line.
    base: u64,
    cost: usize,
    sources: Vec<Source>,
    feeds: BTreeMap<AttemptId, Feed>,
    /// The number of lines held, by level.
    levels: [usize; 4],
    /// The number of lines in each minute since the epoch.
    minutes: BTreeMap<i64, u64>,
    has_times: bool,
    find: Needle,
    only: Needle,
    /// The filter whose lines alone are kept.
    sifts: Option<Needle>,
    /// Lines that were not kept because of that, and lines that fit and had no room.
    sifted_out: u64,
    taken_out: u64,
}

impl Default for LogLines {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            base: FIRST,
            cost: 0,
            sources: Vec::new(),
            feeds: BTreeMap::new(),
            levels: [0; 4],
            minutes: BTreeMap::new(),
            has_times: false,
            find: Needle::default(),
            only: Needle::default(),
            sifts: None,
            sifted_out: 0,
            taken_out: 0,
        }
    }
}

impl LogLines {
    /// Lines of which only those are kept that a filter shows.
    pub(crate) fn sifted_by(only: Needle) -> Self {
        Self { sifts: Some(only.clone()), only, ..Self::default() }
    }

    /// The filter by which lines are kept, if they are not all kept.
    pub(crate) const fn sifted(&self) -> Option<&Needle> {
        self.sifts.as_ref()
    }

    /// The number of lines that were read, also those that were not kept.
    pub(crate) fn read_count(&self) -> u64 {
        self.lines.len() as u64 + self.sifted_out + self.taken_out
    }

    /// The number of lines that fit and were dropped for want of room.
    pub(crate) const fn taken_out(&self) -> u64 {
        self.taken_out
    }

    /// The number of the line of an attempt at this byte.
    pub(crate) fn number_at(&self, attempt: AttemptId, from: u64) -> Option<u64> {
        let feed = self.feeds.get(&attempt)?;
        let is_at = |line: &LogLine| line.source == feed.source && line.from <= from && from < line.to;
        let place = self.lines.iter().position(is_at)?;
        Some(self.base + place as u64)
    }

    /// Drops the last line when the filter does not show it.
    fn sift_last(&mut self) {
        let is_out = |line: &mut LogLine| line.ended && line.gap.is_none() && !line.fits;
        if let Some(line) = self.lines.pop_back_if(is_out) {
            self.cost -= cost(&line);
            self.forgotten(&line);
            self.sifted_out += 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of the first line.
    pub(crate) const fn first(&self) -> u64 {
        self.base
    }

    /// The number after the last line.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.lines.len() as u64
    }

    pub(crate) fn line(&self, number: u64) -> Option<&LogLine> {
        self.lines.get(self.index(number)?)
    }

    pub(super) fn attempt_of(&self, line: &LogLine) -> Option<AttemptId> {
        match self.sources.get(line.source as usize)? {
            Source::Call(attempt) => Some(*attempt),
            Source::Voice(_) => None,
        }
    }

    /// The speaker of a line that no step wrote; None for a line of a step.
    pub(super) fn voice_of(&self, line: &LogLine) -> Option<Voice> {
        match self.sources.get(line.source as usize)? {
            Source::Call(_) => None,
            Source::Voice(voice) => Some(*voice),
        }
    }

    /// The number of lines held of a level.
    pub(crate) const fn count_of(&self, level: LogLevel) -> usize {
        self.levels[level as usize]
    }

    /// True if the time of at least one line is known.
    pub(super) const fn has_times(&self) -> bool {
        self.has_times
    }

    /// The number of lines in each of so many minutes, and the last of these minutes. The last one is the
    /// newest minute with a line.
    pub(crate) fn per_minute(&self, minutes: u16) -> Option<(Timestamp, Vec<u64>)> {
        let (newest, _) = self.minutes.last_key_value()?;
        let of = |back: u16| self.minutes.get(&(newest - i64::from(back))).copied().unwrap_or(0);
        Some((Timestamp(newest * 60_000), (0..minutes).rev().map(of).collect()))
    }

    pub(super) fn feed(&self, attempt: AttemptId) -> Option<&Feed> {
        self.feeds.get(&attempt)
    }

    /// True if new lines push out old ones.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.cost >= BYTES_MAX
    }

    fn source(&mut self, wanted: Source) -> u32 {
        let known = self.sources.iter().position(|source| *source == wanted);
        let place = known.unwrap_or(self.sources.len());
        if known.is_none() {
            self.sources.push(wanted);
        }
        u32::try_from(place).expect("sources are read one after the other")
    }

    fn push(&mut self, mut line: LogLine) -> u64 {
        self.judge(&mut line);
        self.counted(&line);
        self.cost += cost(&line);
        self.lines.push_back(line);
        self.end() - 1
    }

    fn counted(&mut self, line: &LogLine) {
        self.levels[line.level as usize] += 1;
        if let Some(minute) = minute_of(line) {
            *self.minutes.entry(minute).or_default() += 1;
        }
    }

    fn forgotten(&mut self, line: &LogLine) {
        self.levels[line.level as usize] -= 1;
        if let Some((minute, count)) =
            minute_of(line).and_then(|minute| Some((minute, self.minutes.get_mut(&minute)?)))
        {
            *count -= 1;
            if *count == 0 {
                self.minutes.remove(&minute);
            }
        }
    }

    fn let_go_of_first(&mut self, floor: u64) {
        while self.base < floor && (self.lines.len() > LINES_MAX || self.cost > BYTES_MAX) {
            let Some(line) = self.lines.pop_front() else { return };
            self.base += 1;
            self.cost -= cost(&line);
            self.forgotten(&line);
            self.taken_out += u64::from(self.sifts.is_some());
            if let Some(feed) = self.attempt_of(&line).and_then(|attempt| self.feeds.get_mut(&attempt)) {
                feed.start = feed.start.max(line.to);
            }
        }
    }

    fn let_go_of_last(&mut self, attempt: AttemptId) {
        while self.lines.len() > LINES_MAX || self.cost > BYTES_MAX {
            let Some(line) = self.lines.pop_back() else { return };
            self.cost -= cost(&line);
            self.forgotten(&line);
            if let Some(feed) = self.feeds.get_mut(&attempt) {
                feed.end = line.from;
                feed.open = None;
            }
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok().filter(|number| *number < self.lines.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::RunId;
    use cuelight_base::{Arrivals, Seq, StepIx};

    const A: AttemptId = AttemptId { run: RunId(1), step: StepIx(0), number: 1 };
    const B: AttemptId = AttemptId { run: RunId(1), step: StepIx(1), number: 1 };

    fn lines_of(lines: &LogLines) -> Vec<String> {
        lines.lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    fn begun(start: u64) -> LogLines {
        let mut lines = LogLines::default();
        lines.begin(A, Timestamp(10), start);
        lines.begin(B, Timestamp(20), 0);
        lines
    }

    #[track_caller]
    fn check(chunks: &[&str], expected: &[&str]) {
        let mut lines = begun(0);
        let mut at = 0;
        for chunk in chunks {
            assert!(lines.take(A, (at, chunk.as_bytes()), &Arrivals::default(), u64::MAX));
            at += chunk.len() as u64;
        }
        assert_eq!(lines_of(&lines), expected);
        assert_eq!(lines.feeds[&A].end, at);
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        check(&["one\ntwo\n"], &["one", "two"]);
        check(&["on", "e\nt", "wo", "\n"], &["one", "two"]);
        check(&["\n\nx"], &["", "", "x"]);
        check(&["one\r", "\ntwo\r\n"], &["one", "two"]);
        check(&["10%\r", "20%\r30", "%\n", "done"], &["30%", "done"]);
        check(&["10%\r20%\r"], &["20%"]);
    }

    #[test]
    fn what_was_overwritten_is_counted() {
        let mut lines = begun(0);
        lines.take(A, (0, b"rm -rf /\rls\r\n"), &Arrivals::default(), u64::MAX);
        assert_eq!((lines.lines[0].overwritten, lines.lines[0].to), (1, 13));
    }

    #[test]
    fn a_long_line_goes_on_in_pieces_and_no_character_is_cut() {
        let text = "日".repeat(PIECE_BYTES_MAX);
        let mut lines = begun(0);
        lines.take(A, (0, text.as_bytes()), &Arrivals::default(), u64::MAX);
        lines.take(A, (text.len() as u64, b"!\nnext\n"), &Arrivals::default(), u64::MAX);
        assert_eq!(lines_of(&lines).concat(), format!("{text}!next"));
        assert!(lines.lines.iter().all(|line| line.bytes.len() <= PIECE_BYTES_MAX && line.ended));
        assert_eq!(lines.lines.iter().filter(|line| !line.goes_on).count(), 2);
        let broken = vec![0x80_u8; 3 * PIECE_BYTES_MAX];
        lines.take(B, (0, &broken), &Arrivals::default(), u64::MAX);
        assert_eq!(lines.feeds[&B].end, broken.len() as u64);
    }

    #[test]
    fn calls_that_write_at_once_do_not_mix_their_lines() {
        let mut lines = begun(0);
        lines.take(A, (0, b"a1 "), &Arrivals::default(), u64::MAX);
        lines.take(B, (0, b"b1\nb2"), &Arrivals::default(), u64::MAX);
        lines.take(A, (3, b"a2\na3\n"), &Arrivals::default(), u64::MAX);
        assert_eq!(lines_of(&lines), ["a1 a2", "b1", "b2", "a3"]);
    }

    #[test]
    fn a_hole_is_not_taken_and_a_repetition_is_skipped() {
        let mut lines = begun(0);
        assert!(lines.take(A, (0, b"abc\n"), &Arrivals::default(), u64::MAX));
        assert!(!lines.take(A, (9, b"x\n"), &Arrivals::default(), u64::MAX));
        assert!(lines.feeds[&A].is_behind());
        assert!(lines.take(A, (2, b"c\nd\n"), &Arrivals::default(), u64::MAX));
        assert!(lines.take(A, (0, b"ab"), &Arrivals::default(), u64::MAX));
        assert_eq!(lines_of(&lines), ["abc", "d"]);
        lines.skip_to(A, 1006);
        assert_eq!(lines.lines[2].gap, Some(Some(1000)));
    }

    #[test]
    fn the_stretch_has_a_limit_and_slides() {
        let mut lines = LogLines::default();
        lines.begin(A, Timestamp::default(), 0);
        let text = "x\n".repeat(LINES_MAX + 10);
        lines.take(A, (0, text.as_bytes()), &Arrivals::default(), u64::MAX);
        assert_eq!((lines.len(), lines.feeds[&A].start, lines.first()), (LINES_MAX, 20, FIRST + 10));
        lines.put_before(A, (0, &text.as_bytes()[..1000]), &Arrivals::default());
        assert_eq!((lines.len(), lines.feeds[&A].start, lines.first()), (LINES_MAX, 0, FIRST));
        assert!(lines.feeds[&A].is_behind());
        assert_eq!(lines.feeds[&A].end, 2 * LINES_MAX as u64);
    }

    #[test]
    fn search_is_small_for_any_case_and_goes_around() {
        let mut lines = begun(0);
        lines.set_find(Needle::of("err").expect("a word"));
        lines.take(A, (0, b"ERR 1\nok\nerr 2\n"), &Arrivals::default(), u64::MAX);
        assert_eq!(lines.rank(FIRST + 1), (1, 2));
        assert_eq!(lines.next_hit(FIRST + 2, true), Some(FIRST));
        assert_eq!(lines.next_hit(FIRST, false), Some(FIRST + 2));
        lines.set_find(Needle::of("ERR").expect("a word"));
        assert_eq!(lines.rank(FIRST + 2), (1, 1));
        lines.set_only(Needle::filter("!err").expect("a word"));
        assert_eq!((lines.shown(), lines.away(FIRST, 5, true)), (1, Some(FIRST + 1)));
    }

    fn came(from: u64, at: i64) -> Arrivals {
        Arrivals::since(from, Some(Timestamp(at)))
    }

    fn told(at: i64) -> Telling {
        let text = format!("told {at}");
        let (voice, level) = (Voice::Engine, LogLevel::Warn);
        Telling { voice, seq: Seq(at.unsigned_abs()), at: Timestamp(at), level, step: None, text }
    }

    #[test]
    fn lines_of_several_stand_in_the_order_in_which_they_came() {
        let mut lines = begun(0);
        lines.take(A, (0, b"a1\na2\nopen"), &came(0, 30), u64::MAX);
        lines.take(B, (0, b"old\n"), &Arrivals::default(), u64::MAX);
        lines.tell(told(25), u64::MAX);
        lines.tell(told(40), u64::MAX);
        let mut cursor = [FIRST + 1, FIRST + 99];
        lines.settle(&mut cursor);
        assert_eq!(lines_of(&lines), ["old", "told 25", "a1", "a2", "open", "told 40"]);
        assert_eq!(cursor, [FIRST + 3, FIRST + 99], "the cursor stays on its line");
        lines.take(A, (10, b" end\n"), &came(10, 50), u64::MAX);
        assert_eq!(lines_of(&lines)[4], "open end", "a line that had not ended goes on where it stands");
        assert_eq!(lines.lines[4].at, Some(Timestamp(30)));
        assert_eq!((lines.count_of(LogLevel::Warn), lines.count_of(LogLevel::Info)), (2, 4));
        assert!(
            lines.voice_of(&lines.lines[1]) == Some(Voice::Engine)
                && lines.attempt_of(&lines.lines[1]).is_none()
        );
    }

    #[test]
    fn a_line_has_the_time_of_its_first_byte() {
        let mut lines = begun(0);
        let mut times = came(0, 5);
        times.push(4, Some(Timestamp(9)));
        lines.take(A, (0, b"one\ntwo\n"), &times, u64::MAX);
        let at: Vec<_> = lines.lines.iter().map(|line| line.at.map(|moment| moment.0)).collect();
        assert_eq!(at, [Some(5), Some(9)]);
        assert!(lines.has_times() && !begun(0).has_times());
        assert_eq!((lines.per_minute(2), begun(0).per_minute(2)), (Some((Timestamp(0), vec![0, 2])), None));
        lines.tell(told(120_000), u64::MAX);
        assert_eq!(lines.per_minute(3), Some((Timestamp(120_000), vec![2, 0, 1])));
    }
}

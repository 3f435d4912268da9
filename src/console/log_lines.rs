//! What steps wrote, as lines: a stretch of it, bounded in lines and bytes, that grows at both ends. Bytes stay as they
//! came; a carriage return keeps the last state of a line, and how often it was overwritten is counted.
//!
//! What is asked for and when is left to `update/logs`, how a line is shown to `log_rows`.

use super::log_level::LogLevel;
use crate::base::{AttemptId, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Lines held at once.
pub(super) const LINES_MAX: usize = 50_000;
/// Bytes held at once, lines of no bytes counted as some.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;
/// A longer line goes on in a second piece, so that what is drawn of it has a limit.
pub(super) const PIECE_BYTES_MAX: usize = 4 * 1024;
/// What a line costs beside its bytes.
const LINE_COST: usize = 64;
/// Numbers of lines begin here, so that older ones can be put before them.
const FIRST: u64 = 1 << 40;

/// One line, or a piece of a long one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogLine {
    /// Who wrote it: its place in the list of sources.
    pub source: u32,
    /// Where it begins in the output of its attempt.
    pub from: u64,
    /// Where what was read of it ends, with the end of the line.
    pub to: u64,
    /// The last state of the line.
    pub bytes: Vec<u8>,
    /// States before that were overwritten.
    pub overwritten: u32,
    /// Whether this goes on with the piece before.
    pub goes_on: bool,
    /// Whether its end was read.
    pub ended: bool,
    /// Bytes that were not kept, instead of a line; nothing inside when nobody knows how many.
    pub gap: Option<Option<u64>>,
    pub hit: bool,
    pub fits: bool,
    /// A carriage return was read, and nothing after it.
    pub returned: bool,
}

/// What is looked for: any case when it is written small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needle {
    pub text: String,
    inverted: bool,
    /// Only lines that are at least so grave.
    least: Option<LogLevel>,
}

/// Stands before the least level of a filter: `level:warn`.
const LEAST: &str = "level:";

impl Needle {
    /// A search.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// A filter: `level:warn` first leaves warnings and what is worse, `!` before the text what does not match it.
    pub(super) fn filter(text: &str) -> Self {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let least = first.strip_prefix(LEAST).and_then(LogLevel::named);
        let text = if least.is_some() { rest } else { text };
        let bare = text.strip_prefix('!');
        Self { text: bare.unwrap_or(text).to_owned(), inverted: bare.is_some(), least }
    }

    /// The same filter for warnings and worse, then for errors, then for all.
    pub(super) fn next_level(&self) -> Self {
        let least = match self.least {
            None | Some(LogLevel::Debug | LogLevel::Info) => Some(LogLevel::Warn),
            Some(LogLevel::Warn) => Some(LogLevel::Error),
            Some(LogLevel::Error) => None,
        };
        Self { least, ..self.clone() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.least.is_none()
    }

    /// Whether case counts.
    pub(super) fn is_exact(&self) -> bool {
        self.text.chars().any(char::is_uppercase)
    }

    /// As it was typed.
    pub(super) fn typed(&self) -> String {
        let least = self.least.map_or_else(String::new, |it| format!("{LEAST}{} ", it.word()));
        format!("{least}{}{}", if self.inverted { "!" } else { "" }, self.text).trim_end().to_owned()
    }

    fn fits(&self, line: &LogLine) -> bool {
        if self.is_empty() || line.gap.is_some() {
            return false;
        }
        if self.least.is_some_and(|least| LogLevel::of(&line.bytes) < least) {
            return false;
        }
        if self.text.is_empty() {
            return true;
        }
        let text = String::from_utf8_lossy(&line.bytes);
        let found = if self.is_exact() {
            text.contains(&self.text)
        } else {
            text.to_lowercase().contains(&self.text)
        };
        found != self.inverted
    }
}

/// What is known of the output of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    source: u32,
    /// What was taken in: from here …
    pub start: u64,
    /// … to here.
    pub end: u64,
    /// What there is, as far as known.
    pub total: u64,
    /// When it was asked for last.
    pub polled_at: Timestamp,
    /// The line that has not ended.
    open: Option<u64>,
}

impl Feed {
    /// Whether there is more than was taken in.
    pub(super) const fn is_behind(&self) -> bool {
        self.end < self.total
    }
}

/// A stretch of lines.
#[derive(Clone, Debug)]
pub(super) struct LogLines {
    lines: VecDeque<LogLine>,
    /// The number of the first line.
    base: u64,
    cost: usize,
    sources: Vec<AttemptId>,
    feeds: BTreeMap<AttemptId, Feed>,
    find: Needle,
    only: Needle,
}

impl Default for LogLines {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            base: FIRST,
            cost: 0,
            sources: Vec::new(),
            feeds: BTreeMap::new(),
            find: Needle::default(),
            only: Needle::default(),
        }
    }
}

impl LogLines {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The number of the first line.
    pub(super) const fn first(&self) -> u64 {
        self.base
    }

    /// The number after the last line.
    pub(super) fn end(&self) -> u64 {
        self.base + self.lines.len() as u64
    }

    pub(super) fn line(&self, number: u64) -> Option<&LogLine> {
        self.lines.get(self.index(number)?)
    }

    pub(super) fn attempt_of(&self, line: &LogLine) -> Option<AttemptId> {
        self.sources.get(line.source as usize).copied()
    }

    pub(super) fn feed(&self, attempt: AttemptId) -> Option<&Feed> {
        self.feeds.get(&attempt)
    }

    pub(super) const fn find(&self) -> &Needle {
        &self.find
    }

    pub(super) const fn only(&self) -> &Needle {
        &self.only
    }

    /// Whether there is no room for more without letting go of some.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.cost >= BYTES_MAX
    }

    /// Looks for a text from now on.
    pub(super) fn set_find(&mut self, find: Needle) {
        self.find = find;
        for line in &mut self.lines {
            line.hit = self.find.fits(line);
        }
    }

    /// Shows only what fits from now on.
    pub(super) fn set_only(&mut self, only: Needle) {
        self.only = only;
        for line in &mut self.lines {
            line.fits = self.only.fits(line);
        }
    }

    /// Whether a line is shown.
    pub(super) fn shows(&self, line: &LogLine) -> bool {
        self.only.is_empty() || line.fits
    }

    /// How many lines are shown.
    pub(super) fn shown(&self) -> usize {
        if self.only.is_empty() { self.len() } else { self.lines.iter().filter(|it| it.fits).count() }
    }

    /// Which of how many hits stands at or before a line.
    pub(super) fn rank(&self, number: u64) -> (usize, usize) {
        let hits = self.lines.iter().zip(self.base..).filter(|(it, _)| it.hit && self.shows(it));
        hits.fold((0, 0), |(rank, all), (_, at)| (rank + usize::from(at <= number), all + 1))
    }

    /// The nearest hit beyond a line, else the first from the other end.
    pub(super) fn next_hit(&self, number: u64, forward: bool) -> Option<u64> {
        let is_hit = |it: &u64| self.line(*it).is_some_and(|line| line.hit && self.shows(line));
        if forward {
            (number.saturating_add(1)..self.end())
                .find(is_hit)
                .or_else(|| (self.base..self.end()).find(is_hit))
        } else {
            let before = (self.base..number.min(self.end())).rev().find(is_hit);
            before.or_else(|| (self.base..self.end()).rev().find(is_hit))
        }
    }

    /// The line so many shown lines away, or the last one that way; nothing when none is shown.
    pub(super) fn away(&self, number: u64, lines: usize, forward: bool) -> Option<u64> {
        let shown = |it: &u64| self.line(*it).is_some_and(|line| self.shows(line));
        let number = number.clamp(self.base, self.end().saturating_sub(1).max(self.base));
        let (before, after) =
            (|| (self.base..number).rev().filter(shown), || (number + 1..self.end()).filter(shown));
        let here = Some(number).filter(shown);
        if forward {
            let there = after().take(lines).last().or(here);
            there.or_else(|| before().next())
        } else {
            let there = before().take(lines).last().or(here);
            there.or_else(|| after().next())
        }
    }

    /// This line when it is shown, else one near it; nothing when none is shown.
    pub(super) fn nearest(&self, number: u64) -> Option<u64> {
        let shown = |it: &u64| self.line(*it).is_some_and(|line| self.shows(line));
        let number = number.clamp(self.base, self.end().saturating_sub(1).max(self.base));
        (number..self.end()).find(shown).or_else(|| (self.base..number).rev().find(shown))
    }

    /// Makes an attempt known that begins to be read at a byte.
    pub(super) fn begin(&mut self, attempt: AttemptId, at: u64) {
        let source = u32::try_from(self.sources.len()).expect("sources are read one after the other");
        let source = match self.feeds.get(&attempt) {
            Some(feed) => feed.source,
            None => {
                self.sources.push(attempt);
                source
            }
        };
        self.feeds.insert(
            attempt,
            Feed { source, start: at, end: at, total: at, polled_at: Timestamp::default(), open: None },
        );
    }

    /// An attempt was asked for.
    pub(super) fn polled(&mut self, attempt: AttemptId, now: Timestamp) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.polled_at = now;
        }
    }

    /// There is so much of an attempt.
    pub(super) fn knows(&mut self, attempt: AttemptId, total: u64) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.total = total.max(feed.end);
        }
    }

    /// Takes in what follows. What is known already is skipped; what leaves a hole is not taken, and false is returned.
    /// When there is no room, lines before `floor` are let go of; when there are none, the rest is left for later.
    pub(super) fn take(&mut self, attempt: AttemptId, from: u64, bytes: &[u8], floor: u64) -> bool {
        let Some(feed) = self.feeds.get_mut(&attempt) else { return true };
        feed.total = feed.total.max(from + bytes.len() as u64);
        if from > feed.end {
            return false;
        }
        let known = usize::try_from(feed.end - from).unwrap_or(usize::MAX);
        let Some(bytes) = bytes.get(known..) else { return true };
        let mut feed = feed.clone();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.is_full() && self.base >= floor {
                break;
            }
            self.append(&mut feed, piece);
            self.let_go_of_first(floor);
        }
        feed.start = feed.start.max(self.feeds.get(&attempt).map_or(0, |it| it.start));
        self.feeds.insert(attempt, feed);
        true
    }

    /// What lies between the end of what was taken in and this byte was not kept.
    pub(super) fn skip_to(&mut self, attempt: AttemptId, from: u64) {
        let Some(mut feed) = self.feeds.get(&attempt).cloned().filter(|it| from > it.end) else { return };
        let (end, source) = (feed.end, feed.source);
        self.push(LogLine {
            source,
            from: end,
            to: from,
            gap: Some(Some(from - end)),
            ended: true,
            ..LogLine::default()
        });
        (feed.end, feed.open, feed.total) = (from, None, feed.total.max(from));
        self.feeds.insert(attempt, feed);
    }

    /// Puts what stood before in front of the only attempt that is read. `from` and `bytes` end where it begins.
    pub(super) fn put_before(&mut self, attempt: AttemptId, from: u64, bytes: &[u8]) {
        let Some(start) = self.feeds.get(&attempt).map(|it| it.start) else { return };
        let whole = usize::try_from(start.saturating_sub(from)).unwrap_or(0).min(bytes.len());
        let mut older = Self::default();
        older.begin(attempt, from);
        older.take(attempt, from, &bytes[..whole], u64::MAX);
        if older.lines.back().is_some_and(|it| !it.ended)
            && let Some(first) = self.lines.front_mut()
        {
            first.goes_on = true;
        }
        let source = self.feeds.get(&attempt).map_or(0, |it| it.source);
        while let Some(mut line) = older.lines.pop_back() {
            line.source = source;
            line.ended = true;
            self.judge(&mut line);
            self.cost += cost(&line);
            self.base -= 1;
            self.lines.push_front(line);
        }
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.start = from;
        }
        self.let_go_of_last(attempt);
    }

    /// Says that nothing before was kept.
    pub(super) fn nothing_before(&mut self, attempt: AttemptId) {
        let Some(feed) = self.feeds.get_mut(&attempt).filter(|it| it.start > 0) else { return };
        let line = LogLine {
            source: feed.source,
            to: feed.start,
            gap: Some(None),
            ended: true,
            ..LogLine::default()
        };
        feed.start = 0;
        self.cost += cost(&line);
        self.base -= 1;
        self.lines.push_front(line);
    }

    fn append(&mut self, feed: &mut Feed, piece: &[u8]) {
        let ends = piece.last() == Some(&b'\n');
        let mut rest = if ends { &piece[..piece.len() - 1] } else { piece };
        loop {
            let number = match feed.open.filter(|it| *it >= self.base) {
                Some(number) => number,
                None => self.push(LogLine {
                    source: feed.source,
                    from: feed.end,
                    to: feed.end,
                    ..LogLine::default()
                }),
            };
            feed.open = Some(number);
            let index = self.index(number).expect("it was just found or made");
            let line = &mut self.lines[index];
            let before = cost(line);
            let taken = line.take(rest);
            rest = &rest[taken..];
            feed.end += taken as u64;
            let full = !rest.is_empty();
            line.ended = full || ends;
            if ends && !full {
                feed.end += 1;
            }
            line.to = feed.end;
            self.cost = self.cost + cost(line) - before;
            let mut judged = std::mem::take(line);
            self.judge(&mut judged);
            self.lines[index] = judged;
            if !full {
                if ends {
                    feed.open = None;
                }
                return;
            }
            let next = LogLine {
                source: feed.source,
                from: feed.end,
                to: feed.end,
                goes_on: true,
                ..LogLine::default()
            };
            feed.open = Some(self.push(next));
        }
    }

    fn push(&mut self, mut line: LogLine) -> u64 {
        self.judge(&mut line);
        self.cost += cost(&line);
        self.lines.push_back(line);
        self.end() - 1
    }

    fn judge(&self, line: &mut LogLine) {
        line.hit = self.find.fits(line);
        line.fits = self.only.fits(line);
    }

    fn let_go_of_first(&mut self, floor: u64) {
        while self.base < floor && (self.lines.len() > LINES_MAX || self.cost > BYTES_MAX) {
            let Some(line) = self.lines.pop_front() else { return };
            self.base += 1;
            self.cost -= cost(&line);
            let attempt = self.sources.get(line.source as usize);
            if let Some(feed) = attempt.and_then(|it| self.feeds.get_mut(it)) {
                feed.start = feed.start.max(line.to);
            }
        }
    }

    fn let_go_of_last(&mut self, attempt: AttemptId) {
        let Some(feed) = self.feeds.get_mut(&attempt) else { return };
        while self.lines.len() > LINES_MAX || self.cost > BYTES_MAX {
            let Some(line) = self.lines.pop_back() else { return };
            self.cost -= cost(&line);
            feed.end = line.from;
            feed.open = None;
        }
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.base)?).ok().filter(|it| *it < self.lines.len())
    }
}

impl LogLine {
    /// Takes in bytes without line ends, up to the limit of a piece; returns how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for part in bytes.split_inclusive(|byte| *byte == b'\r') {
            let (text, returns) = match part {
                [text @ .., b'\r'] => (text, true),
                text => (text, false),
            };
            if !text.is_empty() {
                if self.returned {
                    self.bytes.clear();
                    self.overwritten = self.overwritten.saturating_add(1);
                    self.returned = false;
                }
                let room = PIECE_BYTES_MAX.saturating_sub(self.bytes.len());
                if text.len() > room {
                    let whole = whole_characters(text, room, self.bytes.is_empty());
                    self.bytes.extend_from_slice(&text[..whole]);
                    return taken + whole;
                }
                self.bytes.extend_from_slice(text);
            }
            self.returned |= returns;
            taken += part.len();
        }
        taken
    }
}

/// How much of a text fits without cutting a character.
fn whole_characters(text: &[u8], room: usize, is_first: bool) -> usize {
    let back =
        (0..4).find(|back| room >= *back && text.get(room - back).is_none_or(|byte| byte & 0xc0 != 0x80));
    let whole = room - back.unwrap_or(0);
    if whole == 0 && is_first { room } else { whole }
}

fn cost(line: &LogLine) -> usize {
    line.bytes.len() + LINE_COST
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{RunId, StepIx};

    const A: AttemptId = AttemptId { run: RunId(1), step: StepIx(0), number: 1 };
    const B: AttemptId = AttemptId { run: RunId(1), step: StepIx(1), number: 1 };

    fn lines_of(lines: &LogLines) -> Vec<String> {
        lines.lines.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect()
    }

    fn begun(start: u64) -> LogLines {
        let mut lines = LogLines::default();
        lines.begin(A, start);
        lines.begin(B, 0);
        lines
    }

    #[track_caller]
    fn check(chunks: &[&str], expected: &[&str]) {
        let mut lines = begun(0);
        let mut at = 0;
        for chunk in chunks {
            assert!(lines.take(A, at, chunk.as_bytes(), u64::MAX));
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
        lines.take(A, 0, b"rm -rf /\rls\r\n", u64::MAX);
        assert_eq!((lines.lines[0].overwritten, lines.lines[0].to), (1, 13));
    }

    #[test]
    fn a_long_line_goes_on_in_pieces_and_no_character_is_cut() {
        let text = "日".repeat(PIECE_BYTES_MAX);
        let mut lines = begun(0);
        lines.take(A, 0, text.as_bytes(), u64::MAX);
        lines.take(A, text.len() as u64, b"!\nnext\n", u64::MAX);
        assert_eq!(lines_of(&lines).concat(), format!("{text}!next"));
        assert!(lines.lines.iter().all(|it| it.bytes.len() <= PIECE_BYTES_MAX && it.ended));
        assert_eq!(lines.lines.iter().filter(|it| !it.goes_on).count(), 2);
        let broken = vec![0x80_u8; 3 * PIECE_BYTES_MAX];
        lines.take(B, 0, &broken, u64::MAX);
        assert_eq!(lines.feeds[&B].end, broken.len() as u64);
    }

    #[test]
    fn calls_that_write_at_once_do_not_mix_their_lines() {
        let mut lines = begun(0);
        lines.take(A, 0, b"a1 ", u64::MAX);
        lines.take(B, 0, b"b1\nb2", u64::MAX);
        lines.take(A, 3, b"a2\na3\n", u64::MAX);
        assert_eq!(lines_of(&lines), ["a1 a2", "b1", "b2", "a3"]);
    }

    #[test]
    fn a_hole_is_not_taken_and_a_repetition_is_skipped() {
        let mut lines = begun(0);
        assert!(lines.take(A, 0, b"abc\n", u64::MAX));
        assert!(!lines.take(A, 9, b"x\n", u64::MAX));
        assert!(lines.feeds[&A].is_behind());
        assert!(lines.take(A, 2, b"c\nd\n", u64::MAX));
        assert!(lines.take(A, 0, b"ab", u64::MAX));
        assert_eq!(lines_of(&lines), ["abc", "d"]);
        lines.skip_to(A, 1006);
        assert_eq!(lines.lines[2].gap, Some(Some(1000)));
    }

    #[test]
    fn the_stretch_has_a_limit_and_slides() {
        let mut lines = LogLines::default();
        lines.begin(A, 0);
        let text = "x\n".repeat(LINES_MAX + 10);
        lines.take(A, 0, text.as_bytes(), u64::MAX);
        assert_eq!((lines.len(), lines.feeds[&A].start, lines.first()), (LINES_MAX, 20, FIRST + 10));
        lines.put_before(A, 0, &text.as_bytes()[..1000]);
        assert_eq!((lines.len(), lines.feeds[&A].start, lines.first()), (LINES_MAX, 0, FIRST));
        assert!(lines.feeds[&A].is_behind());
        assert_eq!(lines.feeds[&A].end, 2 * LINES_MAX as u64);
    }

    #[test]
    fn search_is_small_for_any_case_and_goes_around() {
        let mut lines = begun(0);
        lines.set_find(Needle::of("err"));
        lines.take(A, 0, b"ERR 1\nok\nerr 2\n", u64::MAX);
        assert_eq!(lines.rank(FIRST + 1), (1, 2));
        assert_eq!(lines.next_hit(FIRST + 2, true), Some(FIRST));
        assert_eq!(lines.next_hit(FIRST, false), Some(FIRST + 2));
        lines.set_find(Needle::of("ERR"));
        assert_eq!(lines.rank(FIRST + 2), (1, 1));
        lines.set_only(Needle::filter("!err"));
        assert_eq!((lines.shown(), lines.away(FIRST, 5, true)), (1, Some(FIRST + 1)));
    }
}

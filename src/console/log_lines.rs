//! Lines of the output of steps and of messages beside them: a window, bounded in lines and bytes, that grows
//! at both ends. Bytes stay as written. A carriage return keeps the last state of a line, and the overwritten
//! states are counted.
//!
//! `update/logs` decides what to read and when; `log_rows` shows a line.

use super::{log_level::LogLevel, needle::Needle};
use cuelight_base::{Arrivals, AttemptId, Seq, StepIx, Timestamp};
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

/// One line, or a piece of a long one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogLine {
    /// The writer of the line, as an index in the list of sources.
    pub source: u32,
    /// Offset of the line in the output of its attempt.
    pub from: u64,
    /// Offset of the end of the part read so far, line end included.
    pub to: u64,
    /// The last state of the line.
    pub bytes: Vec<u8>,
    /// States before that were overwritten.
    pub overwritten: u32,
    /// True if this continues the piece before.
    pub goes_on: bool,
    /// True if the end of the line was read.
    pub ended: bool,
    /// Bytes that were not kept, instead of a line; nothing inside when nobody knows how many.
    pub gap: Option<Option<u64>>,
    pub hit: bool,
    pub fits: bool,
    /// A carriage return was read, and nothing after it.
    pub returned: bool,
    /// When its first byte came.
    pub at: Option<Timestamp>,
    /// The severity that the line states.
    pub level: LogLevel,
    /// The step that it is about, when no step wrote it.
    pub step: Option<StepIx>,
}

/// Speakers beside the steps, in words made from events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Voice {
    Engine,
    Gates,
    Agents,
}

impl Voice {
    /// Every voice beside the steps.
    pub(super) const ALL: [Self; 3] = [Self::Engine, Self::Gates, Self::Agents];

    /// The word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Gates => "gates",
            Self::Agents => "agents",
        }
    }
}

/// The writer of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Call(AttemptId),
    Voice(Voice),
}

/// Something that was told beside the steps.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub voice: Voice,
    /// Its place among the events.
    pub seq: Seq,
    pub at: Timestamp,
    pub level: LogLevel,
    pub step: Option<StepIx>,
    pub text: String,
}

/// State of reading the output of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Feed {
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
pub(super) struct LogLines {
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
    pub(super) const fn count_of(&self, level: LogLevel) -> usize {
        self.levels[level as usize]
    }

    /// True if the time of at least one line is known.
    pub(super) const fn has_times(&self) -> bool {
        self.has_times
    }

    /// The number of lines in each of so many minutes, and the last of these minutes. The last one is the
    /// newest minute with a line.
    pub(super) fn per_minute(&self, minutes: u16) -> Option<(Timestamp, Vec<u64>)> {
        let (newest, _) = self.minutes.last_key_value()?;
        let of = |back: u16| self.minutes.get(&(newest - i64::from(back))).copied().unwrap_or(0);
        Some((Timestamp(newest * 60_000), (0..minutes).rev().map(of).collect()))
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

    /// True if new lines push out old ones.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX || self.cost >= BYTES_MAX
    }

    /// Looks for a text from now on.
    pub(super) fn set_find(&mut self, find: Needle) {
        self.find = find;
        for line in &mut self.lines {
            line.hit = self.find.fits(line, voice(&self.sources, line.source));
        }
    }

    /// Shows only what fits from now on.
    pub(super) fn set_only(&mut self, only: Needle) {
        self.only = only;
        for line in &mut self.lines {
            line.fits = self.only.fits(line, voice(&self.sources, line.source));
        }
    }

    /// True if the filter shows a line.
    pub(super) fn shows(&self, line: &LogLine) -> bool {
        self.only.is_empty() || line.fits
    }

    /// The number of lines that the filter shows.
    pub(super) fn shown(&self) -> usize {
        if self.only.is_empty() { self.len() } else { self.lines.iter().filter(|line| line.fits).count() }
    }

    /// The number of hits up to a line, and the number of all hits.
    pub(super) fn rank(&self, number: u64) -> (usize, usize) {
        let hits = self.lines.iter().zip(self.base..).filter(|(line, _)| line.hit && self.shows(line));
        hits.fold((0, 0), |(rank, all), (_, at)| (rank + usize::from(at <= number), all + 1))
    }

    /// The nearest hit beyond a line, else the first from the other end.
    pub(super) fn next_hit(&self, number: u64, forward: bool) -> Option<u64> {
        let is_hit = |index: &u64| self.line(*index).is_some_and(|line| line.hit && self.shows(line));
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
        let shown = |index: &u64| self.line(*index).is_some_and(|line| self.shows(line));
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
        let shown = |index: &u64| self.line(*index).is_some_and(|line| self.shows(line));
        let number = number.clamp(self.base, self.end().saturating_sub(1).max(self.base));
        (number..self.end()).find(shown).or_else(|| (self.base..number).rev().find(shown))
    }

    /// Makes an attempt known that began at an instant and begins to be read at a byte.
    pub(super) fn begin(&mut self, attempt: AttemptId, since: Timestamp, at: u64) {
        let source = self.source(Source::Call(attempt));
        self.feeds.insert(
            attempt,
            Feed {
                source,
                since,
                start: at,
                end: at,
                total: at,
                polled_at: Timestamp::default(),
                open: None,
            },
        );
    }

    fn source(&mut self, wanted: Source) -> u32 {
        let known = self.sources.iter().position(|source| *source == wanted);
        let place = known.unwrap_or(self.sources.len());
        if known.is_none() {
            self.sources.push(wanted);
        }
        u32::try_from(place).expect("sources are read one after the other")
    }

    /// Takes in what was told beside the steps; when there is no room, lines before `floor` are let go of.
    pub(super) fn tell(&mut self, telling: Telling, floor: u64) {
        if self.is_full() && self.base >= floor {
            return;
        }
        let source = self.source(Source::Voice(telling.voice));
        self.has_times = true;
        self.push(LogLine {
            source,
            from: telling.seq.0,
            to: telling.seq.0,
            bytes: telling.text.into_bytes(),
            ended: true,
            at: Some(telling.at),
            level: telling.level,
            step: telling.step,
            ..LogLine::default()
        });
        self.let_go_of_first(floor);
    }

    /// Puts lines of several sources into the order in which they came; the pieces of a line and the lines of a source keep
    /// theirs. Numbers of lines that are given follow their lines.
    pub(super) fn settle(&mut self, numbers: &mut [u64]) {
        let mut latest: Vec<i64> = vec![i64::MIN; self.sources.len()];
        for feed in self.feeds.values() {
            latest[feed.source as usize] = feed.since.0;
        }
        let key = |line: &LogLine| {
            let latest = &mut latest[line.source as usize];
            if let Some(at) = line.at.filter(|_| !line.goes_on) {
                *latest = at.0.max(*latest);
            }
            *latest
        };
        let keys: Vec<i64> = self.lines.iter().map(key).collect();
        if keys.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|number| keys[*number]);
        let mut places = vec![0_u64; keys.len()];
        let mut old: Vec<Option<LogLine>> = self.lines.drain(..).map(Some).collect();
        for (place, from) in (0_u64..).zip(&order) {
            places[*from] = place;
            self.lines.extend(old[*from].take());
        }
        let base = self.base;
        let place = |number: u64| {
            let index = usize::try_from(number.checked_sub(base)?).ok()?;
            places.get(index).map(|place| base + place)
        };
        for feed in self.feeds.values_mut() {
            feed.open = feed.open.and_then(place);
        }
        for number in numbers {
            *number = place(*number).unwrap_or(*number);
        }
    }

    /// An attempt was asked for.
    pub(super) fn polled(&mut self, attempt: AttemptId, now: Timestamp) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.polled_at = now;
        }
    }

    /// Records the length of an attempt's output.
    pub(super) fn knows(&mut self, attempt: AttemptId, total: u64) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.total = total.max(feed.end);
        }
    }

    /// Takes in the bytes that follow. Bytes held already are skipped. Bytes that would leave a hole are not
    /// taken, and false is returned. Without room, lines before `floor` are dropped; if there are none, the
    /// rest is left for later.
    pub(super) fn take(
        &mut self,
        attempt: AttemptId,
        (from, bytes): (u64, &[u8]),
        times: &Arrivals,
        floor: u64,
    ) -> bool {
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
            self.append(&mut feed, piece, times);
            self.let_go_of_first(floor);
        }
        feed.start = feed.start.max(self.feeds.get(&attempt).map_or(0, |feed| feed.start));
        self.feeds.insert(attempt, feed);
        true
    }

    /// Marks the bytes from the end of the held output up to this offset as not kept.
    pub(super) fn skip_to(&mut self, attempt: AttemptId, from: u64) {
        let Some(mut feed) = self.feeds.get(&attempt).cloned().filter(|feed| from > feed.end) else { return };
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
    pub(super) fn put_before(&mut self, attempt: AttemptId, (from, bytes): (u64, &[u8]), times: &Arrivals) {
        let Some(start) = self.feeds.get(&attempt).map(|feed| feed.start) else { return };
        let whole = usize::try_from(start.saturating_sub(from)).unwrap_or(0).min(bytes.len());
        let mut older = Self::default();
        older.begin(attempt, Timestamp::default(), from);
        older.take(attempt, (from, &bytes[..whole]), times, u64::MAX);
        self.has_times |= older.has_times;
        if older.lines.back().is_some_and(|line| !line.ended)
            && let Some(first) = self.lines.front_mut()
        {
            first.goes_on = true;
        }
        let source = self.feeds.get(&attempt).map_or(0, |feed| feed.source);
        while let Some(mut line) = older.lines.pop_back() {
            line.source = source;
            line.ended = true;
            self.judge(&mut line);
            self.counted(&line);
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
        let Some(feed) = self.feeds.get_mut(&attempt).filter(|feed| feed.start > 0) else { return };
        let line = LogLine {
            source: feed.source,
            to: feed.start,
            gap: Some(None),
            ended: true,
            ..LogLine::default()
        };
        feed.start = 0;
        self.counted(&line);
        self.cost += cost(&line);
        self.base -= 1;
        self.lines.push_front(line);
    }

    fn append(&mut self, feed: &mut Feed, piece: &[u8], times: &Arrivals) {
        let at = |from: u64| times.at(from);
        let ends = piece.last() == Some(&b'\n');
        let mut rest = if ends { &piece[..piece.len() - 1] } else { piece };
        loop {
            let number = match feed.open.filter(|number| *number >= self.base) {
                Some(number) => number,
                None => self.push(LogLine {
                    source: feed.source,
                    from: feed.end,
                    to: feed.end,
                    at: at(feed.end),
                    ..LogLine::default()
                }),
            };
            feed.open = Some(number);
            let index = self.index(number).expect("it was just found or made");
            let line = &mut self.lines[index];
            let (before, level) = (cost(line), line.level);
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
            self.levels[level as usize] -= 1;
            self.levels[judged.level as usize] += 1;
            self.has_times |= judged.at.is_some();
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
                at: at(feed.end),
                goes_on: true,
                ..LogLine::default()
            };
            feed.open = Some(self.push(next));
        }
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

    fn judge(&self, line: &mut LogLine) {
        let voice = voice(&self.sources, line.source);
        if voice.is_none() && line.gap.is_none() {
            line.level = LogLevel::of(&line.bytes);
        }
        line.hit = self.find.fits(line, voice);
        line.fits = self.only.fits(line, voice);
    }

    fn let_go_of_first(&mut self, floor: u64) {
        while self.base < floor && (self.lines.len() > LINES_MAX || self.cost > BYTES_MAX) {
            let Some(line) = self.lines.pop_front() else { return };
            self.base += 1;
            self.cost -= cost(&line);
            self.forgotten(&line);
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

/// The length of the longest prefix that fits without cutting a character; the first piece of a line may cut
/// one.
fn whole_characters(text: &[u8], room: usize, is_first: bool) -> usize {
    let back =
        (0..4).find(|back| room >= *back && text.get(room - back).is_none_or(|byte| byte & 0xc0 != 0x80));
    let whole = room - back.unwrap_or(0);
    if whole == 0 && is_first { room } else { whole }
}

/// The minute in which a line came, once for each line.
fn minute_of(line: &LogLine) -> Option<i64> {
    line.at.filter(|_| !line.goes_on).map(|moment| moment.0.div_euclid(60_000))
}

fn voice(sources: &[Source], source: u32) -> Option<Voice> {
    match sources.get(source as usize) {
        Some(Source::Voice(voice)) => Some(*voice),
        Some(Source::Call(_)) | None => None,
    }
}

fn cost(line: &LogLine) -> usize {
    line.bytes.len() + LINE_COST
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::RunId;

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

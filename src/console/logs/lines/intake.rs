//! Takes in the bytes of calls and the words of others, in the order in which they came.

use super::{
    Feed, LogLines,
    line::{LogLine, Source, Telling, cost},
};
use cuelight_base::{Arrivals, AttemptId, Timestamp};

impl LogLines {
    /// Makes an attempt known that began at an instant and begins to be read at a byte.
    pub(crate) fn begin(&mut self, attempt: AttemptId, since: Timestamp, at: u64) {
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

    /// Takes in what was told beside the steps; when there is no room, lines before `floor` are let go of.
    pub(crate) fn tell(&mut self, telling: Telling, floor: u64) {
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
    pub(crate) fn settle(&mut self, numbers: &mut [u64]) {
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
    pub(crate) fn polled(&mut self, attempt: AttemptId, now: Timestamp) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.polled_at = now;
        }
    }

    /// Records the length of an attempt's output.
    pub(crate) fn knows(&mut self, attempt: AttemptId, total: u64) {
        if let Some(feed) = self.feeds.get_mut(&attempt) {
            feed.total = total.max(feed.end);
        }
    }

    /// Takes in the bytes that follow. Bytes held already are skipped. Bytes that would leave a hole are not
    /// taken, and false is returned. Without room, lines before `floor` are dropped; if there are none, the
    /// rest is left for later.
    pub(crate) fn take(
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
    pub(crate) fn skip_to(&mut self, attempt: AttemptId, from: u64) {
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
    pub(crate) fn put_before(&mut self, attempt: AttemptId, (from, bytes): (u64, &[u8]), times: &Arrivals) {
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
    pub(crate) fn nothing_before(&mut self, attempt: AttemptId) {
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
            if self.sifts.is_some() && (ends || full) {
                self.sift_last();
            }
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
}

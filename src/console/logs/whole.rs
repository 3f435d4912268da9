//! Search and filter over the whole output of an attempt, also the part that is not held. A filter reads the output from
//! its begin and keeps only what it shows; a search notes where the matches are, beside the lines that are shown.

use super::{lines::LogLines, needle::Needle, places::alone, state::LogPart};
use crate::{Lookup, Model, Sheet, Wish, model::Asker};
use cuelight_base::{AttemptId, Timestamp};

/// A search in the whole output of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Hunt {
    pub attempt: AttemptId,
    /// The matches read so far, and how far that is.
    found: LogLines,
    asked: Option<u64>,
    /// The direction in which somebody waits for the next match.
    pub wants: Option<bool>,
}

impl Hunt {
    fn new(attempt: AttemptId, needle: &Needle, total: u64) -> Self {
        let mut found = LogLines::sifted_by(needle.clone());
        found.begin(attempt, Timestamp::default(), 0);
        found.knows(attempt, total);
        Self { attempt, found, asked: None, wants: None }
    }

    /// Bytes searched, and bytes to search.
    pub(super) fn searched(&self) -> (u64, u64) {
        self.found.feed(self.attempt).map_or((0, 0), |feed| (feed.end, feed.total))
    }

    pub(super) fn is_done(&self) -> bool {
        let (read, total) = self.searched();
        read >= total
    }

    /// The number of matches up to the line at this byte, and of all that were found.
    pub(super) fn rank(&self, from: u64) -> (u64, u64) {
        let before = self.found.taken_out();
        let held = self.offsets().filter(|offset| *offset <= from).count() as u64;
        (before + held, before + self.offsets().count() as u64)
    }

    /// The nearest match before or behind the line at this byte; none where it is not known yet.
    pub(super) fn next(&self, from: u64, forward: bool) -> Option<u64> {
        if forward {
            return self.offsets().find(|offset| *offset > from);
        }
        // What stands between the part that was searched and the line may be nearer.
        let is_known = self.is_done() || self.searched().0 >= from;
        is_known.then(|| self.offsets().take_while(|offset| *offset < from).last()).flatten()
    }

    /// The first match from the other end, once all is searched.
    pub(super) fn around(&self, forward: bool) -> Option<u64> {
        let is_done = self.is_done();
        let end = if forward { self.offsets().next() } else { self.offsets().last() };
        end.filter(|_| is_done)
    }

    fn offsets(&self) -> impl Iterator<Item = u64> + '_ {
        let lines = (self.found.first()..self.found.end()).filter_map(|number| self.found.line(number));
        lines.filter(|line| line.fits).map(|line| line.from)
    }
}

/// Begins anew where a filter or a search is not about the lines that are held.
pub(super) fn refresh(model: &mut Model) {
    let Some(attempt) = alone(model).filter(|_| model.past.frozen.is_none()) else {
        model.logs.hunt = None;
        return;
    };
    sift(model, attempt);
    let logs = &mut model.logs;
    let find = logs.lines.find();
    let total = logs.lines.feed(attempt).map_or(0, |feed| feed.total);
    if find.is_empty() || logs.lines.sifted().is_some() || is_whole(&logs.lines, attempt) {
        logs.hunt = None;
    } else if logs.hunt.as_ref().is_none_or(|hunt| hunt.attempt != attempt || hunt.found.only() != find) {
        logs.hunt = Some(Hunt::new(attempt, find, total));
    } else if let Some(hunt) = &mut logs.hunt {
        hunt.found.knows(attempt, total);
    }
}

/// True if all that an attempt has written is held.
fn is_whole(lines: &LogLines, attempt: AttemptId) -> bool {
    lines.feed(attempt).is_none_or(|feed| feed.start == 0 && !feed.is_behind())
}

fn sift(model: &mut Model, attempt: AttemptId) {
    let logs = &mut model.logs;
    let (only, sifted) = (logs.lines.only().clone(), logs.lines.sifted().cloned());
    let begin = match &sifted {
        None if only.is_empty() || is_whole(&logs.lines, attempt) => return,
        Some(needle) if *needle == only => return,
        _ if !only.is_empty() => LogPart::Begin,
        _ if logs.follow => LogPart::Last,
        // The filter is gone: its line stays under the cursor.
        _ => LogPart::At(logs.lines.line(logs.cursor).map_or(0, |line| line.from)),
    };
    let mut lines = if only.is_empty() { LogLines::default() } else { LogLines::sifted_by(only) };
    lines.set_find(logs.lines.find().clone());
    logs.lines = lines;
    begin_again(model, begin);
}

/// Reads the attempt anew from another place.
fn begin_again(model: &mut Model, part: LogPart) {
    let logs = &mut model.logs;
    (logs.cursor, logs.top, logs.skip, logs.seen) = (0, 0, 0, 0);
    logs.reading.queue.clear();
    logs.reading.asked = None;
    logs.reading.begins = Some(part);
}

/// Puts the cursor on the line at this byte, which is read when it is not held.
pub(super) fn go_to(model: &mut Model, attempt: AttemptId, from: u64) {
    let logs = &mut model.logs;
    logs.follow = false;
    if let Some(number) = logs.lines.number_at(attempt, from) {
        (logs.cursor, logs.seen) = (number, logs.lines.end());
        return;
    }
    let mut lines = LogLines::default();
    lines.set_find(logs.lines.find().clone());
    logs.lines = lines;
    begin_again(model, LogPart::At(from));
}

/// Asks for the next part that was not searched.
pub(super) fn go_on(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(hunt) = model.logs.hunt.as_ref().filter(|hunt| hunt.asked.is_none() && !hunt.is_done()) else {
        return;
    };
    let want = Lookup::Output { attempt: hunt.attempt, from: hunt.searched().0 };
    let request = model.requests.read(Asker::Logs, want, wishes);
    if let Some(hunt) = &mut model.logs.hunt {
        hunt.asked = Some(request);
    }
}

/// Takes a part of the output; true if the search had asked for it.
pub(super) fn read(model: &mut Model, request: u64, sheet: &Sheet) -> bool {
    let Some(hunt) = model.logs.hunt.as_mut().filter(|hunt| hunt.asked == Some(request)) else {
        return false;
    };
    hunt.asked = None;
    let attempt = hunt.attempt;
    let Sheet::Bytes { from, bytes, total, times } = sheet else {
        model.logs.hunt = None;
        return true;
    };
    hunt.found.skip_to(attempt, *from);
    hunt.found.take(attempt, (*from, bytes), times, u64::MAX);
    // An empty page is the end, whatever was heard.
    let end = hunt.searched().0;
    hunt.found.knows(attempt, if bytes.is_empty() { end } else { *total });
    true
}

/// The question that begins to read at another place, once.
pub(super) fn begins(model: &Model) -> Option<(AttemptId, LogPart)> {
    Some((alone(model)?, model.logs.reading.begins?))
}

/// The share of the output that filter or search have read: `43 % searched`; none when all is read.
pub(super) fn progress(model: &Model) -> Option<String> {
    let logs = &model.logs;
    let attempt = alone(model)?;
    let (read, total) = match &logs.hunt {
        Some(hunt) => hunt.searched(),
        None => logs.lines.sifted().and(logs.lines.feed(attempt)).map(|feed| (feed.end, feed.total))?,
    };
    (read < total).then(|| format!("{} % searched", u128::from(read) * 100 / u128::from(total)))
}

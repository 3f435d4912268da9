//! The visible rows of the output. Only these are made from lines, so that scrolling costs the same in a log
//! of any length.

use super::{
    places::columns,
    rows::{LogRow, RowLook, rows_of},
    state::LogsState,
};
use crate::{Model, layout};
use std::{collections::BTreeMap, iter::successors};

/// Cells of text in a row: without the margin and the scroll bar.
fn text_width(model: &Model) -> usize {
    let lines = layout::logs(model).lines;
    usize::from(lines.width.saturating_sub(columns(model).width() + 2))
}

/// Makes the rows that are seen, with the cursor among them.
pub(super) fn refresh(model: &mut Model) {
    let places = layout::logs(model);
    let (width, height) = (text_width(model), usize::from(places.lines.height));
    let glyphs = model.look.glyphs;
    let logs = &mut model.logs;
    if logs.follow {
        logs.cursor = logs.lines.end().saturating_sub(1);
        logs.seen = logs.lines.end();
    }
    let Some(cursor) = logs.lines.nearest(logs.cursor) else {
        logs.rows.clear();
        return;
    };
    logs.cursor = cursor;
    logs.seen = logs.seen.clamp(logs.lines.first(), logs.lines.end());
    let look = RowLook { width, wrap: logs.wrap, left: logs.left, glyphs, find: logs.lines.find() };
    let make = |number| logs.lines.line(number).map_or_else(Vec::new, |line| rows_of(number, line, look));
    let seen = see(logs, height, make);
    (logs.top, logs.skip, logs.rows) = (seen.top, seen.skip, seen.rows);
}

/// The number of rows of the line under the cursor.
pub(super) fn rows_of_cursor(model: &Model) -> usize {
    let logs = &model.logs;
    let look = RowLook {
        width: text_width(model),
        wrap: logs.wrap,
        left: logs.left,
        glyphs: model.look.glyphs,
        find: logs.lines.find(),
    };
    logs.lines.line(logs.cursor).map_or(0, |line| rows_of(logs.cursor, line, look).len())
}

/// The visible part: the first line, the number of its rows above the screen, and the rows.
struct Seen {
    top: u64,
    skip: usize,
    rows: Vec<LogRow>,
}

/// The same top as before when the cursor is met below it, else up from the cursor. No line is made into rows twice.
fn see(logs: &LogsState, height: usize, mut make: impl FnMut(u64) -> Vec<LogRow>) -> Seen {
    let mut made: BTreeMap<u64, Vec<LogRow>> = BTreeMap::new();
    let mut count = |number: u64| made.entry(number).or_insert_with(|| make(number)).len();
    let below = |number: u64| logs.lines.away(number, 1, true).filter(|log| *log > number);
    let above = |number: u64| logs.lines.away(number, 1, false).filter(|log| *log < number);
    let top = logs.lines.nearest(logs.top.min(logs.cursor)).unwrap_or(logs.cursor);
    let skip = if top == logs.top { logs.skip.min(count(top).saturating_sub(1)) } else { 0 };

    let mut start = None;
    let near: Vec<u64> = successors(Some(top), |value| below(*value))
        .take(height.max(1))
        .take_while(|number| *number <= logs.cursor)
        .collect();
    if near.last() == Some(&logs.cursor) {
        let used: usize = near.iter().map(|number| count(*number)).sum();
        let is_met = used.saturating_sub(skip) <= height || (top == logs.cursor && !logs.follow);
        start = is_met.then_some((top, skip));
    }
    let (mut first, mut skip) = start.unwrap_or_else(|| {
        let surplus = count(logs.cursor).saturating_sub(height);
        (logs.cursor, if logs.follow { surplus } else { 0 })
    });
    let mut room = height;
    for number in successors(Some(first), |value| below(*value)) {
        let rows = count(number).saturating_sub(if number == first { skip } else { 0 });
        room = room.saturating_sub(rows);
        if room == 0 {
            break;
        }
        if start.is_none() && number >= logs.cursor {
            break;
        }
    }
    // What is left above the cursor, or under the end of the log, is filled with what stands above.
    let back = skip.min(room);
    (skip, room) = (skip - back, room - back);
    while let Some(number) = above(first).filter(|_| skip == 0 && room > 0) {
        skip = count(number).saturating_sub(room);
        room -= count(number) - skip;
        first = number;
    }
    let mut rows = Vec::new();
    for number in successors(Some(first), |value| below(*value)) {
        if rows.len() >= height {
            break;
        }
        let of_line = made.entry(number).or_insert_with(|| make(number));
        rows.extend(of_line.iter().skip(if number == first { skip } else { 0 }).cloned());
    }
    rows.truncate(height);
    Seen { top: first, skip, rows }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Glyphs;
    use cuelight_base::{Arrivals, AttemptId, RunId, StepIx, Timestamp};

    const HEIGHT: usize = 21;

    /// A log of so many lines, every seventh of them long, and how many lines were made into rows for one screen.
    fn check(lines: usize, cursor: usize, top: usize, wrap: bool, follow: bool) -> Seen {
        let attempt = AttemptId { run: RunId(1), step: StepIx(0), number: 1 };
        let mut logs = LogsState { wrap, follow, ..LogsState::default() };
        logs.lines.begin(attempt, Timestamp::default(), 0);
        let text: String = (0..lines)
            .map(|index| format!("line {index} {}\n", "x".repeat(if index % 7 == 0 { 300 } else { 3 })))
            .collect();
        logs.lines.take(attempt, (0, text.as_bytes()), &Arrivals::default(), u64::MAX);
        let number = |at: usize| logs.lines.first() + at as u64;
        (logs.cursor, logs.top) = (number(cursor), number(top));
        let mut made = 0;
        let look = RowLook { width: 76, wrap, left: 0, glyphs: Glyphs::default(), find: logs.lines.find() };
        let seen = see(&logs, HEIGHT, |number| {
            made += 1;
            rows_of(number, logs.lines.line(number).expect("held"), look)
        });
        assert!(made <= HEIGHT + 2, "{made} lines were made into rows");
        assert!(seen.rows.len() == HEIGHT, "{} rows", seen.rows.len());
        assert!(seen.rows.iter().any(|row| row.line == logs.cursor), "the cursor is not seen");
        seen
    }

    #[test]
    fn however_long_a_log_is_only_what_is_seen_is_made_into_rows() {
        let held = crate::logs::lines::LINES_MAX;
        for wrap in [false, true] {
            for follow in [false, true] {
                for (cursor, top) in
                    [(0, 0), (held - 1, 0), (held / 2, 0), (10, held - 1), (held - 1, held - 30)]
                {
                    check(100_000, cursor, top, wrap, follow);
                }
            }
        }
    }

    #[test]
    fn the_top_stays_while_the_cursor_is_seen() {
        let seen = check(1_000, 115, 100, false, false);
        assert_eq!(seen.rows[0].line, seen.rows.last().expect("rows").line - 20);
        assert_eq!(check(1_000, 115, 100, false, false).top, check(1_000, 100, 100, false, false).top);
    }

    #[test]
    fn the_last_line_stands_at_the_bottom_when_it_is_followed() {
        let seen = check(1_000, 999, 0, true, true);
        assert_eq!(seen.rows.last().map(|row| row.line), Some((1 << 40) + 999));
    }
}

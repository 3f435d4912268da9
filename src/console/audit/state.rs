//! The rows of Audit: a window of the log that moves with the cursor, never all of it. Every record between
//! its two ends that passes the filter is a row. Records outside are read when the view scrolls to them.
//! `update` decides what to read and when.

use crate::Role;
use cuelight_base::{Digest, Seq, Timestamp};
use cuelight_projection::{Board, Record, TrailRow};
use std::{collections::VecDeque, sync::Arc};

/// Rows that are held; when more are read at one end, they go at the other.
const ROWS_MAX: usize = 4096;
/// Lines of a record that are made at most.
const LINES_MAX: usize = 2_000;

/// The fields a filter can name.
pub(crate) const FIELDS: &[&str] = &["run", "by", "type", "verdict", "channel", "step"];

/// State of the view of the trail.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditState {
    pub filter: String,
    /// True if consequences are shown as well as decisions.
    pub everything: bool,
    pub window: Window,
    pub selected: Option<Seq>,
    pub top: usize,
    /// True if the cursor moves to the oldest record as soon as it has been read.
    pub to_oldest: bool,
    /// True if the search continues in records not read yet.
    pub seeks: bool,
    pub asked: Option<(u64, Side)>,
    /// Records of a page that arrives in several pieces.
    pub partial: Vec<Record>,
    pub chain: ChainState,
    pub chain_asked: Option<u64>,
    /// The record under the cursor, whole.
    pub record: Option<Arc<Record>>,
    pub record_asked: Option<(u64, Seq)>,
    pub as_json: bool,
    /// The record under the cursor in lines, made by `update` so that `draw` only paints.
    pub detail: Vec<(String, Role)>,
    pub detail_of: Option<(Seq, bool)>,
    pub missing: Option<String>,
}

/// The end of the window at which more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Older,
    Newer,
}

/// The last known state of the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChainState {
    /// The chain has not been verified.
    #[default]
    Unknown,
    Holds {
        records: u64,
        head: (Seq, Digest),
        at: Timestamp,
    },
    Broken {
        records: u64,
        why: String,
        at: Timestamp,
    },
}

/// One row, and its link.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub row: TrailRow,
    pub hash: Digest,
    pub holds: bool,
}

/// The rows read from the log: all that pass the filter from `low` to `high`, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    pub rows: VecDeque<AuditRow>,
    pub low: u64,
    pub high: u64,
}

impl Window {
    /// Nothing between a record and the one after it.
    pub(crate) fn at(seq: u64) -> Self {
        Self { rows: VecDeque::new(), low: seq + 1, high: seq }
    }

    /// Records that stand before it, in their order, all of them up to `low`.
    pub(crate) fn older(&mut self, records: &[Record], board: &Board, fits: impl Fn(&TrailRow) -> bool) {
        for record in records.iter().rev() {
            let row = row_of(record, board);
            if fits(&row.row) {
                self.rows.push_back(row);
            }
        }
        self.low = records.first().map_or(1, |record| record.seq.0);
        if self.rows.len() > ROWS_MAX {
            self.rows.drain(..self.rows.len() - ROWS_MAX);
            self.high = self.rows.front().map_or(self.high, |row| row.row.seq.0);
        }
    }

    /// Records that stand behind it, in their order.
    pub(crate) fn newer(&mut self, records: &[Record], board: &Board, fits: impl Fn(&TrailRow) -> bool) {
        for record in records {
            let row = row_of(record, board);
            if fits(&row.row) {
                self.rows.push_front(row);
            }
        }
        self.high = records.last().map_or(self.high, |record| record.seq.0.max(self.high));
        if self.rows.len() > ROWS_MAX {
            self.rows.truncate(ROWS_MAX);
            self.low = self.rows.back().map_or(self.low, |row| row.row.seq.0);
        }
    }

    /// Leaves out what is newer than a record: in the past it had not happened.
    pub(crate) fn cut(&mut self, head: u64) {
        if self.low > head + 1 {
            *self = Self::at(head);
        } else if self.high > head {
            while self.rows.front().is_some_and(|row| row.row.seq.0 > head) {
                self.rows.pop_front();
            }
            self.high = head;
        }
    }

    pub(crate) fn place_of(&self, seq: Seq) -> Option<usize> {
        let at = self.rows.partition_point(|row| row.row.seq > seq);
        self.rows.get(at).is_some_and(|row| row.row.seq == seq).then_some(at)
    }
}

fn row_of(record: &Record, board: &Board) -> AuditRow {
    let run = record.event.fact.run().and_then(|run| board.run(run));
    AuditRow {
        row: TrailRow::of(record.seq, &record.event, run.map(|run| &**run)),
        hash: record.hash,
        holds: record.holds,
    }
}

impl AuditState {
    /// The row under the cursor.
    pub(crate) fn at(&self) -> Option<&AuditRow> {
        self.selected
            .and_then(|selected| self.window.place_of(selected))
            .and_then(|place| self.window.rows.get(place))
    }

    /// The record under the cursor, without its links in the chain.
    pub(crate) fn row(&self) -> Option<&TrailRow> {
        self.at().map(|audit| &audit.row)
    }
}

/// A record as JSON, line by line; it holds foreign text, so each line is made safe.
pub(super) fn json_lines(record: &Record, board: &Board) -> Vec<String> {
    let run = record.event.fact.run().and_then(|run| board.run(run));
    let value = cuelight_projection::event_line(record.seq, &record.event, run.map(|run| &**run));
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().take(LINES_MAX).map(cuelight_base::safe_text).collect();
    if text.lines().nth(LINES_MAX).is_some() {
        lines.push(format!("… cut after {LINES_MAX} lines; `cuelight run events` prints all of it"));
    }
    lines
}

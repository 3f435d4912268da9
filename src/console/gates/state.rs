//! State of the view of gates: order of rows, parts of an ask seen in a frame, files read for it, and the
//! form being edited. Part of the model; changed by `update` only.

use super::prose::{ProseLine, RowId};
use cuelight_base::{AttemptId, Digest, Epoch, GateId, RunId, Seq, Span, StepIx, Timestamp};
use cuelight_engine::Ask;
use cuelight_projection::{Attention, Board, GateView, InboxRow, RunView};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

/// The identity of a row, stable while others come and go.
pub(crate) type RowKey = (Attention, RunId, StepIx);

/// State of the inbox.
#[derive(Clone, Debug, Default)]
pub(crate) struct GatesState {
    /// In the order of the screen: what arrives later stands under the cursor, never above it.
    pub rows: Vec<InboxRow>,
    /// The board they were made of.
    pub rows_of: Option<Seq>,
    pub selected: Option<RowKey>,
    pub top: usize,
    /// The first line of the text that is shown.
    pub scroll: usize,
    /// True if the text takes the keys, and on small screens the whole body.
    pub reading: bool,
    /// The text of what is under the cursor.
    pub text: Option<Arc<Text>>,
    /// The ask of the last frame that was drawn.
    pub drawn: Option<Drawn>,
    /// The text of each row as far as it was on the screen.
    pub seen: BTreeMap<RowKey, Seen>,
    /// The ask that was read to its end, of each gate, and the one that was read before that.
    pub read: BTreeMap<GateId, (Arc<Ask>, Option<Arc<Ask>>)>,
    /// Gates whose ask has changed under somebody's hands, until it was read again.
    pub changed: BTreeSet<GateId>,
    /// Answers sent to the engine and not yet recorded, by request number.
    pub sent: BTreeMap<u64, RowKey>,
    /// Files of evidence read so far, by digest.
    pub blobs: BTreeMap<Digest, Blob>,
    /// The last output of a step that is in doubt.
    pub tail: Option<(AttemptId, Blob)>,
    /// Counts what was read, so that the text is made anew.
    pub blobs_read: u32,
    /// Gates that are marked, with the ask that was read.
    pub marked: BTreeMap<GateId, (Epoch, Digest)>,
    /// The gate that was marked last: a range begins there.
    pub marked_last: Option<GateId>,
    /// The gate a remark is written for.
    pub remark: Option<GateId>,
}

impl GatesState {
    pub(crate) fn row(&self) -> Option<&InboxRow> {
        let selected = self.selected?;
        self.rows.iter().find(|row| key_of(row) == selected)
    }

    /// The gate under the cursor.
    pub(crate) fn gate(&self) -> Option<GateId> {
        match self.selected {
            Some((Attention::Gate(gate), ..)) => Some(gate),
            _ => None,
        }
    }

    /// The gate under the cursor, open or waiting for a review.
    pub(super) fn shown_gate<'a>(&self, board: &'a Board) -> Option<&'a Arc<GateView>> {
        self.selected.and_then(|key| gate_of(key.0, board))
    }

    /// Lines of the text under the cursor that were not seen.
    pub(crate) fn unseen(&self) -> usize {
        self.unseen_but(0..0)
    }

    /// The first line that was not seen.
    pub(super) fn first_unseen(&self) -> Option<usize> {
        self.unseen_lines().next()
    }

    /// Lines that were not seen, without a range of them.
    pub(super) fn unseen_but(&self, shown: Range<usize>) -> usize {
        self.unseen_lines().filter(|row| !shown.contains(row)).count()
    }

    fn unseen_lines(&self) -> impl Iterator<Item = usize> {
        self.text.iter().flat_map(|text| {
            let seen = self.seen.get(&text.of).filter(|seen| seen.hash == text.made_of.hash());
            let lines = text.lines.iter().enumerate();
            lines.filter(move |(_, line)| !seen.is_some_and(|seen| seen.has(line))).map(|(row, _)| row)
        })
    }

    /// True if an answer to this row is being recorded.
    pub(crate) fn is_recording(&self, key: RowKey) -> bool {
        self.sent.values().any(|row| *row == key)
    }
}

/// The gate of a row: as it is, or as it was when it was approved in an emergency.
pub(super) fn gate_of(what: Attention, board: &Board) -> Option<&Arc<GateView>> {
    match what {
        Attention::Gate(gate) => board.gate(gate),
        Attention::Review(gate, epoch) => board.emergency(gate, epoch),
        Attention::Doubt | Attention::StuckUndo => None,
    }
}

pub(crate) fn key_of(row: &InboxRow) -> RowKey {
    (row.what, row.run, row.step)
}

/// A gate that asks the same as another one, and its run.
pub(super) type Other = (Arc<GateView>, Option<Arc<RunView>>);

/// The text of one row, and what it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub lines: Vec<ProseLine>,
    pub of: RowKey,
    pub width: usize,
    pub made_of: MadeOf,
    /// Gates that ask the same: what they differ in is part of the text.
    pub others: Vec<Other>,
    pub blobs_read: u32,
}

/// The inputs that a text was made from; equal inputs make equal text.
#[derive(Clone, Debug)]
pub(crate) enum MadeOf {
    /// A gate, and its run, of which the effect of an answer depends.
    Gate(Arc<GateView>, Option<Arc<RunView>>),
    Run(Arc<RunView>),
}

impl MadeOf {
    /// The ask that it is the text of.
    pub(crate) fn hash(&self) -> Option<Digest> {
        match self {
            Self::Gate(gate, _) => Some(gate.hash),
            Self::Run(_) => None,
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gate(one, run), Self::Gate(other, its_run)) => {
                Arc::ptr_eq(one, other) && run.as_ref().map(Arc::as_ptr) == its_run.as_ref().map(Arc::as_ptr)
            }
            (Self::Run(one), Self::Run(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// An ask as it was in the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub gate: GateId,
    pub epoch: Epoch,
    pub hash: Digest,
    /// The first frame that showed it, without another one between.
    pub since: Timestamp,
}

/// A text as far as it was seen: every line of it counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The ask; nothing for a text of a run.
    pub hash: Option<Digest>,
    /// The characters of each row that were on the screen.
    rows: BTreeMap<RowId, Vec<bool>>,
    /// Time on the screen before it was left.
    pub shown: Span,
}

impl Seen {
    /// Nothing of this ask was seen.
    pub(crate) fn of(hash: Option<Digest>) -> Self {
        Self { hash, ..Self::default() }
    }

    /// Notes a line that was on the screen.
    pub(crate) fn note(&mut self, line: &ProseLine) {
        let row = self.rows.entry(line.of).or_default();
        row.resize(row.len().max(line.span.end), false);
        row[line.span.clone()].fill(true);
    }

    fn has(&self, line: &ProseLine) -> bool {
        let row = self.rows.get(&line.of).and_then(|row| row.get(line.span.clone()));
        row.is_some_and(|row| row.iter().all(|seen| *seen))
    }
}

/// A file, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blob {
    pub bytes: Vec<u8>,
    pub total: u64,
    /// The request that is on its way.
    pub asked: Option<u64>,
    /// Why it could not be read.
    pub missing: Option<String>,
}

//! The rows of an ask: what they are made from, their parts, and the meaning of each piece.

use crate::{FieldRow, GateView, RunView};
use cuelight_base::{Digest, Timestamp};
use cuelight_engine::Ask;
use std::sync::Arc;

/// Everything that the rows of an ask are made from.
#[derive(Clone, Copy)]
pub struct AskTold<'a> {
    /// The ask that is shown.
    pub ask: &'a Ask,
    /// Its gate, with the votes; none when a person reads the ask away from its engine.
    pub gate: Option<&'a GateView>,
    /// The run of the gate, where the board has it.
    pub run: Option<&'a RunView>,
    /// The ask that the same person read before this one, when the gate has asked again since.
    pub read: Option<&'a Ask>,
    /// Other gates that ask the same, with their runs.
    pub others: &'a [(Arc<GateView>, Option<Arc<RunView>>)],
    /// The content of a file of evidence.
    pub content: &'a dyn Fn(Digest) -> AskContent<'a>,
    /// The spelling of a surface.
    pub spelling: AskSpelling,
}

/// The spelling of a surface. Spelling differs between surfaces; words do not.
#[derive(Clone, Copy)]
pub struct AskSpelling {
    /// Writes an instant as this surface spells it.
    pub at: fn(Timestamp) -> String,
    /// Writes a hash, whole or by its first digits.
    pub hash: fn(&Digest) -> String,
    /// Lines that are shown of a file of evidence, and the words that say where the rest is.
    pub excerpt: (usize, &'static str),
    /// True if hashes, templates and declared effects stand below the ask; a screen has a key for them.
    pub has_details: bool,
}

/// The content of a file of evidence, as far as a surface has read it.
#[derive(Clone, Copy, Debug)]
pub enum AskContent<'a> {
    /// Nothing of it has been read yet.
    Reading,
    /// Cannot be read, for this reason.
    Missing(&'a str),
    /// The first bytes; the rest is being read.
    Part(&'a [u8]),
    /// The first bytes of so many.
    Bytes(&'a [u8], u64),
}

impl AskContent<'_> {
    /// True as long as more of it may come.
    pub const fn is_being_read(&self) -> bool {
        matches!(self, Self::Reading | Self::Part(_))
    }
}

/// A part of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskPart {
    /// The question behind the word for its risk, and the reason for a repeated question.
    Question,
    /// The differences from the ask before it, and from the one that was approved last.
    Changes,
    /// The consequences of each answer.
    Outcome,
    /// The evidence, an item each, with what it says of itself.
    Evidence,
    /// The parameters that people fill in.
    Form,
    /// The answers and remarks so far.
    Votes,
    /// The calls that an approval releases.
    Calls,
    /// The content of evidence of more than a few lines.
    Content,
    /// The values that the approval holds for.
    Binds,
    /// The requester's own words.
    Claim,
    /// The people who may answer.
    People,
    /// Other gates that ask the same.
    Alike,
    /// Hashes, templates and declared effects.
    Details,
    /// The last row, which names the ask.
    End,
}

/// Rows that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskSection {
    /// The part of the ask.
    pub part: AskPart,
    /// True if an empty row stands before it.
    pub is_apart: bool,
    /// From top to bottom.
    pub rows: Vec<AskRow>,
}

/// A row: a label, and a value in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRow {
    /// The label; empty on the rows after the first. Blanks at its front say that it belongs to the row above.
    pub head: &'static str,
    /// The meaning of the label.
    pub head_mark: AskMark,
    /// The place of the value.
    pub place: AskPlace,
    /// The value; foreign text.
    pub pieces: Vec<AskPiece>,
}

/// The place of the value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskPlace {
    /// In the column beside the labels.
    Beside,
    /// Two cells further to the right.
    Under,
    /// Beside a bar, so that foreign text cannot pass for ours.
    Quoted,
    /// The same, as a named value in a column of values.
    Field(FieldRow, usize),
    /// From the left edge.
    Alone,
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskPiece {
    /// The text, which may be foreign.
    pub text: String,
    /// The meaning of the text.
    pub mark: AskMark,
}

/// The meaning of a piece. Meaning never stands in a mark alone: the words say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskMark {
    /// A text that needs no mark.
    Plain,
    /// The name of a thing.
    Title,
    /// A text of less importance.
    Muted,
    /// A command that will run.
    Command,
    /// A text with good news.
    Good,
    /// To be read with care.
    Caution,
    /// A text about danger.
    Danger,
    /// Waits for a person; also a secret.
    Waits,
    /// A line that was added.
    Added,
    /// A line that was removed.
    Removed,
    /// The sign of a yes, a no or a problem, drawn beside the words that say so.
    Sign(AskSign),
}

/// A sign that a surface may draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskSign {
    /// A yes; or evidence which says itself that all is well.
    Yes,
    /// Present; nothing more is known of it.
    Present,
    /// An answer with no.
    No,
    /// A problem with an item.
    Problem,
}

impl AskPiece {
    pub(super) fn new(text: impl Into<String>, mark: AskMark) -> Self {
        Self { text: text.into(), mark }
    }

    pub(super) const fn sign(sign: AskSign) -> Self {
        Self { text: String::new(), mark: AskMark::Sign(sign) }
    }
}

impl AskRow {
    /// The words of the value, without marks.
    pub fn words(&self) -> String {
        match &self.place {
            AskPlace::Field(row, _) => format!("{}{}", row.name, row.value),
            _ => self.pieces.iter().map(|piece| piece.text.as_str()).collect(),
        }
    }
}

impl AskSection {
    pub(super) fn of(part: AskPart, is_apart: bool) -> Self {
        Self { part, is_apart, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, head: &'static str, pieces: Vec<AskPiece>) {
        self.rows.push(AskRow { head, head_mark: AskMark::Title, place: AskPlace::Beside, pieces });
    }

    /// A text line by line; the label stands before the first.
    pub(super) fn text(&mut self, head: &'static str, text: impl AsRef<str>, mark: AskMark) {
        for (index, line) in text.as_ref().split('\n').enumerate() {
            self.row(if index == 0 { head } else { "" }, vec![AskPiece::new(line, mark)]);
        }
    }

    pub(super) fn under(&mut self, text: &str, mark: AskMark) {
        for line in text.split('\n') {
            self.place(AskPlace::Under, vec![AskPiece::new(line, mark)]);
        }
    }

    pub(super) fn quoted(&mut self, text: &str, mark: AskMark) {
        self.place(AskPlace::Quoted, vec![AskPiece::new(text, mark)]);
    }

    pub(super) fn place(&mut self, place: AskPlace, pieces: Vec<AskPiece>) {
        self.rows.push(AskRow { head: "", head_mark: AskMark::Title, place, pieces });
    }
}

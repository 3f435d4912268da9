//! The ask of a gate in rows, as people read it before they answer: the question, the whole call, the evidence, the
//! consequences of each answer, and the name of the ask on the last row.
//!
//! Console and command line draw the same rows, so they say the same words. Colours, wrapping, signs and making foreign
//! text safe to show are left to the surface.

mod calls;
mod evidence;
mod votes;

pub use evidence::{AskContent, evidence_lines};
pub use votes::people_words;

use crate::{
    AskChange, CANNOT_UNDO, FieldRow, GateView, RunView, answer::no_words, answer::yes_words_of, ask_diff,
    nobody_words, risk_words, send_back_words,
};
use cuelight_base::{Digest, Timestamp, Value, shorten};
use cuelight_engine::{Ask, ask_hash};
use cuelight_plan::Risk;

/// Characters shown of a changed value. The ask shows the whole value in its own place.
const CHANGE_MAX: usize = 160;

/// The words that open the last row of an ask.
const END_OF_THE_ASK: &str = "END OF THE ASK";

/// Everything that the rows of an ask are made from.
pub struct AskTold<'a> {
    /// The ask that is shown.
    pub ask: &'a Ask,
    /// Its gate, with the votes; none when a person reads the ask away from its engine.
    pub gate: Option<&'a GateView>,
    /// The run of the gate, where the board has it.
    pub run: Option<&'a RunView>,
    /// The ask that the same person read before this one, when the gate has asked again since.
    pub read: Option<&'a Ask>,
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
}

/// A part of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskPart {
    /// The question with its risk, and the reason for a repeated question.
    Question,
    /// The differences from the ask before it, or from the one that was approved last.
    Changes,
    /// The calls that an approval releases.
    Calls,
    /// The parameters that people fill in.
    Form,
    /// The values that the approval holds for.
    Binds,
    /// The requester's own words.
    Claim,
    /// The answers and remarks so far.
    Votes,
    /// The evidence, each item with its content.
    Evidence,
    /// The consequences of each answer.
    Outcome,
    /// The people who may answer.
    People,
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
    /// Present, or a yes.
    Yes,
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
    fn of(part: AskPart, is_apart: bool) -> Self {
        Self { part, is_apart, rows: Vec::new() }
    }

    fn row(&mut self, head: &'static str, pieces: Vec<AskPiece>) {
        self.rows.push(AskRow { head, place: AskPlace::Beside, pieces });
    }

    /// A text line by line; the label stands before the first.
    fn text(&mut self, head: &'static str, text: impl AsRef<str>, mark: AskMark) {
        for (index, line) in text.as_ref().split('\n').enumerate() {
            self.row(if index == 0 { head } else { "" }, vec![AskPiece::new(line, mark)]);
        }
    }

    fn under(&mut self, text: &str, mark: AskMark) {
        for line in text.split('\n') {
            let pieces = vec![AskPiece::new(line, mark)];
            self.rows.push(AskRow { head: "", place: AskPlace::Under, pieces });
        }
    }

    fn quoted(&mut self, text: &str, mark: AskMark) {
        let pieces = vec![AskPiece::new(text, mark)];
        self.rows.push(AskRow { head: "", place: AskPlace::Quoted, pieces });
    }
}

/// The whole ask, in sections from top to bottom.
pub fn ask_rows(told: &AskTold<'_>) -> Vec<AskSection> {
    let none = || AskSection::of(AskPart::Votes, true);
    let votes = told.gate.map_or_else(none, |gate| vote_rows(gate, told.run, told.spelling));
    let mut out = question(told);
    out.extend(calls::sections(told));
    out.extend(form(told));
    // Where an answer holds for values, the evidence of these values is read before them.
    if told.ask.binds.is_empty() {
        out.push(votes);
        out.extend(evidence::sections(told));
        out.extend(claim(told));
    } else {
        out.extend(evidence::sections(told));
        let mut binds = AskSection::of(AskPart::Binds, true);
        for (index, value) in told.ask.binds.iter().enumerate() {
            binds.text(if index == 0 { "binds" } else { "" }, value, AskMark::Plain);
        }
        out.push(binds);
        out.extend(claim(told));
        out.push(votes);
    }
    out.extend(last_time(told));
    out.push(outcome(told));
    out.push(people(told));
    out.push(end(told));
    out
}

/// The answers and remarks of a gate alone.
pub fn vote_rows(gate: &GateView, run: Option<&RunView>, spelling: AskSpelling) -> AskSection {
    let mut out = AskSection::of(AskPart::Votes, true);
    votes::votes(&mut out, gate, (run, spelling));
    out
}

/// The mark of a risk.
pub const fn risk_mark(risk: Risk) -> AskMark {
    match risk {
        Risk::ReadOnly | Risk::Reversible => AskMark::Good,
        Risk::ExternallyReversible => AskMark::Caution,
        Risk::Irreversible => AskMark::Danger,
    }
}

fn question(told: &AskTold<'_>) -> Vec<AskSection> {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Question, false);
    out.text("asks", ask.prompt.trim_end_matches('\n'), AskMark::Plain);
    out.text("risk", risk_words(ask.risk), risk_mark(ask.risk));
    let gate = told.gate;
    if let Some(why) = gate.and_then(|gate| gate.asked_anew.as_ref()) {
        out.text("again", format!("asked again in epoch {}: {why}", ask.epoch), AskMark::Caution);
    }
    let mut sections = vec![out];
    if let Some(before) = told.read.or(gate.and_then(|gate| gate.previous.as_deref())) {
        let mut out = AskSection::of(AskPart::Changes, false);
        changes(&mut out, before, ask, "none that the ask shows");
        sections.push(out);
    }
    sections
}

fn changes(out: &mut AskSection, before: &Ask, now: &Ask, none: &str) {
    let changes = ask_diff(before, now);
    if changes.is_empty() {
        out.text("changes", none, AskMark::Muted);
    }
    // The hash of a call says nothing beside what has changed in it.
    let says_more = |change: &&AskChange| {
        let call = change.path.strip_suffix("launch_hash");
        call.is_none_or(|call| {
            !changes.iter().any(|other| other.path != change.path && other.path.starts_with(call))
        })
    };
    let mut told: Vec<(String, [Option<String>; 2])> =
        changes.iter().filter(says_more).map(AskChange::words).collect();
    // Several fields of one thing have one sentence.
    told.dedup();
    for (index, (change, values)) in told.into_iter().enumerate() {
        out.text(if index == 0 { "changes" } else { "" }, change, AskMark::Plain);
        for (sign, value, mark) in [("- ", &values[0], AskMark::Removed), ("+ ", &values[1], AskMark::Added)]
        {
            if let Some(value) = value {
                out.under(&format!("{sign}{}", shorten(value, CHANGE_MAX)), mark);
            }
        }
    }
}

fn form(told: &AskTold<'_>) -> Option<AskSection> {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::Form, true);
    for (index, field) in ask.form.iter().enumerate() {
        let missing = field.required && field.value.is_null();
        let value = match &field.value {
            Value::Null if missing => "not filled in".to_owned(),
            Value::Null => "empty".to_owned(),
            value => value.to_string(),
        };
        let pieces = vec![
            AskPiece::new(&field.name, AskMark::Title),
            AskPiece::new(" = ", AskMark::Muted),
            AskPiece::new(value, if missing { AskMark::Caution } else { AskMark::Plain }),
            AskPiece::new(format!("   {}", field.rule()), AskMark::Muted),
        ];
        out.row(if index == 0 { "form" } else { "" }, pieces);
        if let Some(text) = &field.description {
            out.under(text, AskMark::Muted);
        }
    }
    (!ask.form.is_empty()).then_some(out)
}

/// The requester's own words, apart from all that is known.
fn claim(told: &AskTold<'_>) -> Option<AskSection> {
    let claim = told.ask.claim.as_ref()?;
    let mut out = AskSection::of(AskPart::Claim, true);
    out.text("claim", super::CLAIM_WORDS, AskMark::Caution);
    claim.split('\n').for_each(|line| out.quoted(line, AskMark::Muted));
    Some(out)
}

fn last_time(told: &AskTold<'_>) -> Option<AskSection> {
    let approved = told.gate?.last_approved.as_ref()?;
    let mut out = AskSection::of(AskPart::Changes, true);
    let (run, by, at) = (approved.ask.run, approved.by.join(", "), (told.spelling.at)(approved.at));
    out.text("last time", format!("approved in {run} by {by}, {at}"), AskMark::Plain);
    changes(&mut out, &approved.ask, told.ask, "none");
    Some(out)
}

/// The effect of each answer.
fn outcome(told: &AskTold<'_>) -> AskSection {
    let mut out = AskSection::of(AskPart::Outcome, true);
    out.text("if yes", yes_words_of(told.ask, told.gate, told.run), AskMark::Plain);
    for (index, line) in no_words(told.ask, told.gate, told.run).iter().enumerate() {
        let mark = if line.starts_with(CANNOT_UNDO) { AskMark::Caution } else { AskMark::Plain };
        out.text(if index == 0 { "if no" } else { "" }, line, mark);
    }
    if let Some(to) = &told.ask.send_back {
        out.text("or back", send_back_words(to), AskMark::Plain);
    }
    let is_escalated = told.gate.is_some_and(|gate| gate.escalated.is_some());
    out.text("if nobody", nobody_words(told.ask, is_escalated, told.spelling.at), AskMark::Plain);
    out
}

fn people(told: &AskTold<'_>) -> AskSection {
    let ask = told.ask;
    let mut out = AskSection::of(AskPart::People, true);
    out.text(
        "who",
        format!("{}; asked for by {}", people_words(&ask.require), ask.requester),
        AskMark::Plain,
    );
    for note in ask.notes_on_who() {
        out.text("", note, AskMark::Caution);
    }
    for (_, why) in &ask.excluded {
        out.text("", why, AskMark::Muted);
    }
    if let Some(escalated) = told.gate.and_then(|gate| gate.escalated.as_ref()) {
        out.text("", format!("{escalated} may decide as well by now"), AskMark::Caution);
    }
    if ask.reason_required {
        out.text("", "an approval needs a reason", AskMark::Muted);
    }
    if let Some(window) = told.gate.and_then(GateView::window_words) {
        out.text("", window, AskMark::Muted);
    }
    out
}

/// The last row names the ask. A script that gives this name has read the end.
fn end(told: &AskTold<'_>) -> AskSection {
    let mut out = AskSection::of(AskPart::End, true);
    // The end has been seen only when all that stands above it was there.
    let is_being_read = |digest| (told.content)(digest).is_being_read();
    let files = told.ask.evidence.iter().filter(|item| item.text.is_none());
    if files.filter_map(|item| item.digest).any(is_being_read) {
        out.text("", "the evidence is being read; the end of the ask follows", AskMark::Muted);
        return out;
    }
    let hash = told.gate.map_or_else(|| ask_hash(told.ask), |gate| gate.hash);
    // A name beside which nothing stands is taken for the code that a person types.
    let name = match told.ask.risk {
        Risk::Irreversible => {
            "stands below, for a script with --ask; a person types another code, drawn for that moment"
        }
        Risk::ReadOnly | Risk::Reversible | Risk::ExternallyReversible => {
            "stands below, for a script with --ask"
        }
    };
    out.text("its name", name, AskMark::Muted);
    let pieces = vec![
        AskPiece::new(format!("{END_OF_THE_ASK}   "), AskMark::Title),
        AskPiece::new(hash.code(), risk_mark(told.ask.risk)),
    ];
    out.rows.push(AskRow { head: "", place: AskPlace::Alone, pieces });
    out
}

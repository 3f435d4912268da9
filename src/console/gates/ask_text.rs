//! The ask of a gate as text that people read before they decide, in lines of the screen: wrapped and never cut, with the
//! code that approves high risk on the last line.
//!
//! The words are those of `projection::ask_rows`, as at a terminal. The lines that were on the screen are kept in `state`;
//! drawing is left to `draw`.

use super::{
    prose::{HEAD, Prose, foreign_pieces},
    state::{Blob, Other},
};
use crate::{Glyphs, Role};
use cuelight_base::{Digest, Timestamp};
use cuelight_engine::{Ask, Evidence};
use cuelight_plan::Risk;
use cuelight_projection::{
    AskContent, AskMark, AskPart, AskPiece, AskPlace, AskSection, AskSign, AskSpelling, AskTold, Care,
    Fields, GateView, RunView, ask_details, ask_rows, evidence_lines, risk_mark, vote_rows,
};
use std::collections::BTreeMap;

pub(crate) use cuelight_projection::people_words as people;

/// Lines of a file that stand in the ask; `v` shows the rest.
const EXCERPT: usize = 12;

/// The spelling of the screen, where there is little room.
const SPELLING: AskSpelling = AskSpelling {
    at: Timestamp::clock,
    hash: Digest::short,
    excerpt: (EXCERPT, "v shows the whole file"),
    has_details: false,
};

/// Everything that the text of an ask is made from.
pub(crate) struct Told<'a> {
    pub gate: &'a GateView,
    /// The run of the gate, where the board has it.
    pub run: Option<&'a RunView>,
    /// The ask that was read before this one, when the gate has asked again since.
    pub read: Option<&'a Ask>,
    /// Other gates that ask the same, with their runs.
    pub others: &'a [Other],
    pub blobs: &'a BTreeMap<Digest, Blob>,
    /// True if votes and remarks are part of the text; otherwise a pane beside it shows them.
    pub with_votes: bool,
    pub glyphs: Glyphs,
    /// The code that a person types to approve at high risk.
    pub code: String,
}

/// The whole ask in lines of this width.
pub(super) fn ask_text(told: &Told<'_>, width: usize) -> Prose {
    let mut out = Prose::new(width);
    let content = |digest| content_of(told.blobs, digest);
    let sections = ask_rows(&AskTold {
        ask: &told.gate.ask,
        gate: Some(told.gate),
        run: told.run,
        read: told.read,
        others: told.others,
        content: &content,
        spelling: SPELLING,
    });
    for mut section in sections {
        if section.part == AskPart::Votes && !told.with_votes {
            section.rows.clear();
        }
        write(&mut out, &section, told.glyphs);
    }
    let has_end = !told.gate.ask.evidence.iter().any(|item| is_being_read(told.blobs, item));
    if has_end && told.gate.ask.risk == Risk::Irreversible {
        let role = role_of_risk(told.gate.ask.risk);
        let to_type = [("to approve, type ".to_owned(), Role::Muted), (told.code.clone(), role)];
        out.row("", 0, &to_type);
    }
    out
}

/// Hashes, templates and declared effects, which `v` shows below the evidence.
pub(super) fn details(gate: &GateView, blobs: &BTreeMap<Digest, Blob>, width: usize) -> Vec<(String, Role)> {
    let content = |digest| content_of(blobs, digest);
    let told = AskTold {
        ask: &gate.ask,
        gate: Some(gate),
        run: None,
        read: None,
        others: &[],
        content: &content,
        spelling: AskSpelling { hash: Digest::to_string, ..SPELLING },
    };
    let mut out = Prose::new(width);
    for row in ask_details(&told).into_iter().flat_map(|section| section.rows) {
        out.foreign_at(row.head, HEAD, &row.words(), Role::Muted);
    }
    out.lines.iter().map(|line| (line.text(), Role::Muted)).collect()
}

/// Writes the votes and the remarks that came with them.
pub(super) fn votes(out: &mut Prose, gate: &GateView, run: Option<&RunView>, glyphs: Glyphs) {
    let section = vote_rows(gate, run, SPELLING);
    write(out, &AskSection { is_apart: false, ..section }, glyphs);
}

/// Each section is a part of the text, so that a vote leaves the rows of other parts seen.
fn write(out: &mut Prose, section: &AskSection, glyphs: Glyphs) {
    out.begin();
    if section.is_apart && !section.rows.is_empty() {
        out.blank();
    }
    for row in &section.rows {
        let pieces: Vec<_> = row.pieces.iter().flat_map(|piece| drawn(piece, glyphs)).collect();
        let from = out.lines.len();
        match &row.place {
            AskPlace::Beside => {
                out.row(row.head, HEAD, &pieces);
                if let Some((_, role)) = out.lines.get_mut(from).and_then(|line| line.pieces.first_mut()) {
                    *role = role_of(row.head_mark);
                }
                // The rest of a command that is wrapped must not pass for another one.
                if row.pieces.iter().any(|piece| piece.mark == AskMark::Command) {
                    goes_on(out, from + 1, glyphs);
                }
            }
            AskPlace::Alone => out.row("", 0, &pieces),
            AskPlace::Under => out.row("", HEAD + 2, &pieces),
            AskPlace::Quoted => {
                out.row("", HEAD + 2, &pieces);
                beside_a_bar(out, from, glyphs);
            }
            AskPlace::Field(field, column) => {
                out.fields(HEAD + 2, &Fields { column: *column, rows: vec![field.clone()] });
                beside_a_bar(out, from, glyphs);
            }
        }
    }
}

/// Marks lines from here on as the rest of the line above them.
fn goes_on(out: &mut Prose, from: usize, glyphs: Glyphs) {
    let sign = glyphs.pick("↳ ", "> ");
    for line in out.lines.iter_mut().skip(from) {
        line.pieces[0] = (format!("{:1$}{sign}", "", HEAD - 2), Role::Border);
    }
}

fn drawn(piece: &AskPiece, glyphs: Glyphs) -> Vec<(String, Role)> {
    match piece.mark {
        AskMark::Sign(sign) => {
            let (sign, role) = match sign {
                AskSign::Yes => (glyphs.pick("✓ ", "+ "), Role::Ok),
                AskSign::Present => (glyphs.pick("· ", ". "), Role::Muted),
                AskSign::No => (glyphs.pick("◇ ", "N "), Role::Warn),
                AskSign::Problem => ("~ ", Role::Warn),
            };
            vec![(sign.to_owned(), role)]
        }
        mark => foreign_pieces(&piece.text, role_of(mark)),
    }
}

const fn role_of(mark: AskMark) -> Role {
    match mark {
        AskMark::Plain | AskMark::Sign(_) => Role::Text,
        AskMark::Title => Role::Title,
        AskMark::Muted => Role::Muted,
        AskMark::Command => Role::Info,
        AskMark::Good => Role::Ok,
        AskMark::Caution => Role::Warn,
        AskMark::Danger => Role::Fail,
        AskMark::Waits => Role::Gate,
        AskMark::Added => Role::DiffAdd,
        AskMark::Removed => Role::DiffDel,
    }
}

pub(super) const fn role_of_risk(risk: Risk) -> Role {
    role_of(risk_mark(risk))
}

fn content_of(blobs: &BTreeMap<Digest, Blob>, digest: Digest) -> AskContent<'_> {
    match blobs.get(&digest) {
        None => AskContent::Reading,
        Some(Blob { missing: Some(why), .. }) => AskContent::Missing(why),
        Some(blob) if blob.bytes.is_empty() && blob.asked.is_some() => AskContent::Reading,
        Some(blob) if blob.asked.is_some() => AskContent::Part(&blob.bytes),
        Some(blob) => AskContent::Bytes(&blob.bytes, blob.total),
    }
}

/// The content of an item of evidence, line by line; foreign text.
pub(super) fn content(blobs: &BTreeMap<Digest, Blob>, item: &Evidence) -> Vec<(String, Role)> {
    let lines = evidence_lines(item, &|digest| content_of(blobs, digest));
    lines.into_iter().map(|piece| (piece.text, role_of(piece.mark))).collect()
}

/// True if part of an item's content has not been read yet.
pub(super) fn is_being_read(blobs: &BTreeMap<Digest, Blob>, item: &Evidence) -> bool {
    item.text.is_none() && item.digest.is_some_and(|digest| content_of(blobs, digest).is_being_read())
}

/// Foreign text beside a bar, so that it cannot pass for ours.
pub(super) fn framed(out: &mut Prose, lines: &[(String, Role)], glyphs: Glyphs) {
    let from = out.lines.len();
    lines.iter().for_each(|(line, role)| out.row("", HEAD + 2, &foreign_pieces(line, *role)));
    beside_a_bar(out, from, glyphs);
}

fn beside_a_bar(out: &mut Prose, from: usize, glyphs: Glyphs) {
    let bar = glyphs.pick("│ ", "| ");
    for line in &mut out.lines[from..] {
        line.pieces[0] = (format!("{:HEAD$}{bar}", ""), Role::Border);
    }
}

/// The outcome if nobody answers.
pub(super) fn if_nobody(gate: &GateView) -> String {
    gate.nobody_words(Timestamp::clock)
}

/// `HIGH  1 of 2`
pub(super) fn quorum_words(gate: &GateView) -> String {
    format!("{} of {}", gate.approvals().count(), gate.needed())
}

/// The first group of a code: it names an ask everywhere.
pub(super) fn name_of(hash: Digest) -> String {
    format!("#{}", &hash.code()[..4])
}

/// The short word for a risk.
pub(crate) fn risk_word(risk: Risk) -> &'static str {
    cuelight_projection::ask_risk_word(risk)
}

/// `you approved 12 before, after 41s each on the screen; 1 under 2s`
pub(super) fn care_words(care: &Care) -> String {
    let hasty = if care.hasty > 0 { format!("; {} under 2s", care.hasty) } else { String::new() };
    let each = if care.answers == 1 { "" } else { " each" };
    format!("you approved {} before, after {}{each} on the screen{hasty}", care.answers, care.median)
}

//! The evidence of an ask in rows: each item with its length and hash, and its content beside a bar.

use super::{AskMark, AskPart, AskPiece, AskPlace, AskRow, AskSection, AskSign, AskTold};
use crate::Fields;
use cuelight_base::{Digest, Untrusted, counted};
use cuelight_engine::Evidence;

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

pub(super) fn sections(told: &AskTold<'_>) -> Vec<AskSection> {
    let mut out = Vec::new();
    for (index, item) in told.ask.evidence.iter().enumerate() {
        let mut head = AskSection { part: AskPart::Evidence, is_apart: index == 0, rows: Vec::new() };
        let sign = if item.problem.is_some() { AskSign::Problem } else { AskSign::Yes };
        let digest =
            item.digest.map_or_else(String::new, |digest| format!("  {}", (told.spelling.hash)(&digest)));
        let size = format!("  {}{digest}", counted(item.bytes, "byte", "bytes"));
        head.row(
            "evidence",
            vec![
                AskPiece::sign(sign),
                AskPiece::new(&item.title, AskMark::Title),
                AskPiece::new(size, AskMark::Muted),
            ],
        );
        if let Some(problem) = &item.problem {
            head.text("", problem, AskMark::Caution);
        }
        out.push(head);
        let mut body = AskSection { part: AskPart::Evidence, is_apart: false, rows: Vec::new() };
        content(&mut body, told, item);
        out.push(body);
    }
    out
}

fn content(out: &mut AskSection, told: &AskTold<'_>, item: &Evidence) {
    if let Some(fields) = item.text.as_deref().and_then(Fields::of) {
        let field = |row: &crate::FieldRow| AskRow {
            head: "",
            place: AskPlace::Field(row.clone(), fields.column),
            pieces: Vec::new(),
        };
        out.rows.extend(fields.rows.iter().map(field));
        return;
    }
    let lines = evidence_lines(item, told.content);
    let (excerpt, rest) = told.spelling.excerpt;
    let shown = if item.text.is_some() { lines.len() } else { lines.len().min(excerpt) };
    lines[..shown].iter().for_each(|piece| out.quoted(&piece.text, piece.mark));
    if shown < lines.len() {
        let more = counted(lines.len() - shown, "more line", "more lines");
        out.text("", format!("{more}; {rest}"), AskMark::Muted);
    }
}

/// The content of an item of evidence, line by line; foreign text.
pub fn evidence_lines<'a>(item: &Evidence, content: &dyn Fn(Digest) -> AskContent<'a>) -> Vec<AskPiece> {
    if let Some(text) = &item.text {
        let mut lines = lines(text, AskMark::Plain);
        if text.starts_with("--- ") && lines.get(1).is_some_and(|line| line.text.starts_with("+++ ")) {
            for line in &mut lines {
                line.mark = match line.text.as_bytes().first() {
                    Some(b'-') => AskMark::Removed,
                    Some(b'+') => AskMark::Added,
                    Some(b'@') => AskMark::Muted,
                    _ => AskMark::Plain,
                };
            }
        }
        return lines;
    }
    let Some(digest) = item.digest else { return Vec::new() };
    match content(digest) {
        AskContent::Reading => lines("(is being read)", AskMark::Muted),
        AskContent::Missing(why) => lines(why, AskMark::Caution),
        AskContent::Part(bytes) => lines(Untrusted::from_bytes(bytes).raw(), AskMark::Plain),
        AskContent::Bytes(bytes, total) => {
            let mut out = lines(Untrusted::from_bytes(bytes).raw(), AskMark::Plain);
            let rest = total.saturating_sub(bytes.len() as u64);
            if rest > 0 {
                let more = counted(rest, "more byte is", "more bytes are");
                out.push(AskPiece::new(format!("({more} not shown here)"), AskMark::Caution));
            }
            out
        }
    }
}

fn lines(text: &str, mark: AskMark) -> Vec<AskPiece> {
    let lines = text.trim_end_matches('\n').split('\n');
    lines.map(|line| AskPiece::new(line.trim_end_matches('\r'), mark)).collect()
}

//! The evidence of an ask in rows: an item each with what it says of itself, and its content beside a bar. A few lines
//! stand below their item; more of them stand below the calls.
//!
//! An item is green only where it says itself that all is well. What is empty, or says that something failed or that
//! nothing was done, never is.

use super::row::{AskContent, AskMark, AskPart, AskPiece, AskPlace, AskSection, AskSign, AskTold};
use crate::{FieldRow, Fields, verdict_of};
use cuelight_base::{Digest, Untrusted, counted};
use cuelight_engine::Evidence;

/// Content of at most so many lines stands below its item.
const SHORT_LINES: usize = 8;

/// The items, and the content of those that have more than a few lines.
pub(super) fn sections(told: &AskTold<'_>) -> (Vec<AskSection>, Vec<AskSection>) {
    let (mut items, mut contents) = (Vec::new(), Vec::new());
    let is_first_read = !told.ask.binds.is_empty();
    for (index, item) in told.ask.evidence.iter().enumerate() {
        let lines = evidence_lines(item, told.content);
        let body = body(told, item, &lines);
        let is_short = body.rows.len() <= SHORT_LINES || is_first_read;
        let mut head = AskSection::of(AskPart::Evidence, false);
        let mut pieces = said(item, &lines);
        if !is_short {
            pieces.push(AskPiece::new(
                format!("   {}, further down", counted(body.rows.len(), "line", "lines")),
                AskMark::Muted,
            ));
        }
        head.row(if index == 0 { "evidence" } else { "" }, pieces);
        items.push(head);
        if is_short {
            items.push(body);
            continue;
        }
        let mut title = AskSection::of(AskPart::Content, true);
        title.text("content", &item.title, AskMark::Title);
        contents.push(title);
        contents.push(body);
    }
    (items, contents)
}

/// Sign, title, and what the item says of itself.
fn said(item: &Evidence, lines: &[AskPiece]) -> Vec<AskPiece> {
    let is_change = |mark: AskMark| lines.iter().filter(|line| line.mark == mark).count();
    let (added, removed) = (is_change(AskMark::Added), is_change(AskMark::Removed));
    // A title with blanks could pass for a title and a verdict.
    let named = if item.title.contains(char::is_whitespace) {
        format!("{:?}", item.title)
    } else {
        item.title.clone()
    };
    let title = |sign| vec![AskPiece::sign(sign), AskPiece::new(&named, AskMark::Title)];
    if let Some(problem) = &item.problem {
        let mut out = title(AskSign::Problem);
        out.push(AskPiece::new(format!("   {problem}"), AskMark::Caution));
        return out;
    }
    if item.text.is_none() && lines.iter().any(|line| line.text == IS_BEING_READ) {
        return title(AskSign::Present);
    }
    if added + removed > 0 {
        let mut out = title(AskSign::Present);
        out.push(AskPiece::new(format!("   +{added} -{removed} lines"), AskMark::Plain));
        return out;
    }
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let verdict = verdict_of(&texts.join("\n"));
    let (sign, mark) = match verdict.is_good {
        Some(true) => (AskSign::Yes, AskMark::Good),
        Some(false) => (AskSign::Problem, AskMark::Caution),
        None => (AskSign::Present, AskMark::Muted),
    };
    let mut out = title(sign);
    if !verdict.words.is_empty() {
        out.push(AskPiece::new(format!("   {}", verdict.words), mark));
    }
    out
}

fn body(told: &AskTold<'_>, item: &Evidence, lines: &[AskPiece]) -> AskSection {
    let mut out = AskSection::of(AskPart::Evidence, false);
    if let Some(fields) = item.text.as_deref().and_then(Fields::of) {
        for row in &fields.rows {
            let row: FieldRow = row.clone();
            out.place(AskPlace::Field(row, fields.column), Vec::new());
        }
        return out;
    }
    let (excerpt, rest) = told.spelling.excerpt;
    let shown = if item.text.is_some() { lines.len() } else { lines.len().min(excerpt) };
    lines[..shown].iter().for_each(|piece| out.quoted(&piece.text, piece.mark));
    if shown < lines.len() {
        let more = counted(lines.len() - shown, "more line", "more lines");
        out.text("", format!("{more}; {rest}"), AskMark::Muted);
    }
    out
}

const IS_BEING_READ: &str = "(is being read)";

/// The content of an item of evidence, line by line; foreign text.
pub fn evidence_lines<'a>(item: &Evidence, content: &dyn Fn(Digest) -> AskContent<'a>) -> Vec<AskPiece> {
    if let Some(text) = &item.text {
        return marked(lines(text, AskMark::Plain), &item.title);
    }
    let Some(digest) = item.digest else { return Vec::new() };
    match content(digest) {
        AskContent::Reading => lines(IS_BEING_READ, AskMark::Muted),
        AskContent::Missing(why) => lines(why, AskMark::Caution),
        AskContent::Part(bytes) => {
            marked(lines(Untrusted::from_bytes(bytes).raw(), AskMark::Plain), &item.title)
        }
        AskContent::Bytes(bytes, total) => {
            let mut out = marked(lines(Untrusted::from_bytes(bytes).raw(), AskMark::Plain), &item.title);
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

/// The lines of a difference by what they do; any other text as it is.
fn marked(mut lines: Vec<AskPiece>, title: &str) -> Vec<AskPiece> {
    let starts = |index: usize, with: &str| lines.get(index).is_some_and(|line| line.text.starts_with(with));
    let is_change = [".diff", ".patch"].iter().any(|ending| title.ends_with(ending))
        || starts(0, "diff --git ")
        || (starts(0, "--- ") && starts(1, "+++ "));
    if is_change {
        for line in &mut lines {
            line.mark = match line.text.as_bytes() {
                [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => AskMark::Muted,
                [b'-', ..] => AskMark::Removed,
                [b'+', ..] => AskMark::Added,
                [b'@', ..] => AskMark::Muted,
                _ => AskMark::Plain,
            };
        }
    }
    lines
}

//! Lines of text in roles, wrapped so that nothing of it is left out: what people read before they decide. Foreign text
//! goes in through [`Prose::foreign`] and comes out with every odd code point shown.
//!
//! The words are left to `ask_text`; their place on the screen, to `draw`.

use crate::Role;
use cuelight_base::{Digest, safe_pieces, sha256};
use cuelight_projection::Fields;
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// One line as it is drawn: texts, and what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProseLine {
    pub pieces: Vec<(String, Role)>,
    /// The row before it was wrapped. The same at every width, so that a new width does not make a line seen.
    pub of: RowId,
    /// The characters of that row on this line.
    pub span: Range<usize>,
}

/// Identity of a row before it is wrapped: its part, its place in that part, the hash of its text.
pub(crate) type RowId = (u32, u32, Digest);

impl ProseLine {
    /// The line without roles.
    pub(crate) fn text(&self) -> String {
        self.pieces.iter().map(|(text, _)| text.as_str()).collect()
    }
}

/// A text that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prose {
    pub lines: Vec<ProseLine>,
    width: usize,
    part: u32,
    nth: u32,
}

/// Cells of the heads at the left.
pub(super) const HEAD: usize = 10;

impl Prose {
    /// An empty text of this width.
    pub(crate) fn new(width: usize) -> Self {
        Self { lines: Vec::new(), width: width.max(20), part: 0, nth: 0 }
    }

    /// Begins a part: rows that are added to one part leave the rows of the next where they were.
    pub(crate) fn begin(&mut self) {
        self.part += 1;
        self.nth = 0;
    }

    /// Appends an empty line.
    pub(crate) fn blank(&mut self) {
        let of = self.next_row(&[]);
        self.lines.push(ProseLine { pieces: Vec::new(), of, span: 0..0 });
    }

    /// A line of our own, wrapped, with a head before its first row.
    pub(crate) fn said(&mut self, head: &str, text: &str, role: Role) {
        self.row(head, HEAD, &[(text.to_owned(), role)]);
    }

    /// Foreign text, line by line; what is odd in it is shown as a warning.
    pub(crate) fn foreign(&mut self, head: &str, text: &str, role: Role) {
        self.foreign_at(head, HEAD, text, role);
    }

    /// Foreign text so many cells from the left.
    pub(super) fn foreign_at(&mut self, head: &str, indent: usize, text: &str, role: Role) {
        let mut head = head;
        for line in text.split('\n') {
            let pieces = foreign_pieces(line, role);
            self.row(head, indent, &pieces);
            head = "";
        }
    }

    /// Pieces in several roles, wrapped after a head of so many cells.
    pub(crate) fn row(&mut self, head: &str, indent: usize, pieces: &[(String, Role)]) {
        let room = self.width.saturating_sub(indent).max(8);
        let of = self.next_row(pieces);
        let mut from = 0;
        for (index, line) in folded(pieces, room).into_iter().enumerate() {
            let head = if index == 0 { head } else { "" };
            let to = from + line.iter().map(|(text, _)| text.chars().count()).sum::<usize>();
            let mut whole = vec![(format!("{head:<indent$}"), Role::Title)];
            whole.extend(line);
            self.lines.push(ProseLine { pieces: whole, of, span: from..to });
            from = to;
        }
    }

    /// Fields so many cells from the left: a value that is wrapped goes on under itself.
    pub(crate) fn fields(&mut self, indent: usize, fields: &Fields) {
        for row in &fields.rows {
            let (text, role, from) = match row.value.as_str() {
                "" => (&row.name, Role::Muted, indent),
                _ => (&row.value, Role::Text, indent + fields.column),
            };
            let first = self.lines.len();
            self.row("", from, &foreign_pieces(text, role));
            for (index, line) in self.lines[first..].iter_mut().enumerate() {
                let name = if index == 0 && from > indent { row.name.as_str() } else { "" };
                let beside = from - indent;
                let beside = [(" ".repeat(indent), Role::Title), (format!("{name:<beside$}"), Role::Muted)];
                line.pieces.splice(..1, beside);
            }
        }
    }

    fn next_row(&mut self, pieces: &[(String, Role)]) -> RowId {
        let texts: Vec<&[u8]> = pieces.iter().map(|(text, _)| text.as_bytes()).collect();
        self.nth += 1;
        (self.part, self.nth, sha256("cuelight-row-v1", &texts))
    }
}

/// One line of foreign text in pieces that are safe to show.
pub(super) fn foreign_pieces(line: &str, role: Role) -> Vec<(String, Role)> {
    let role_of = |odd: bool| if odd { Role::Warn } else { role };
    safe_pieces(line).into_iter().map(|piece| (piece.text, role_of(piece.odd))).collect()
}

/// Pieces in lines of at most so many cells. Every character of them is in one of the lines: broken after a blank where
/// there is one in the second half, else anywhere.
fn folded(pieces: &[(String, Role)], width: usize) -> Vec<Vec<(String, Role)>> {
    let chars: Vec<(char, Role)> =
        pieces.iter().flat_map(|(text, role)| text.chars().map(|c| (c, *role))).collect();
    let mut lines = Vec::new();
    let mut from = 0;
    while from < chars.len() || lines.is_empty() {
        let (mut cells, mut to, mut blank) = (0, from, None);
        while let Some((c, _)) = chars.get(to) {
            cells += c.width().unwrap_or(0);
            if cells > width && to > from {
                break;
            }
            to += 1;
            if *c == ' ' && cells * 2 > width {
                blank = Some(to);
            }
        }
        if to < chars.len() {
            to = blank.unwrap_or(to);
        }
        lines.push(joined(&chars[from..to]));
        from = to;
    }
    lines
}

fn joined(chars: &[(char, Role)]) -> Vec<(String, Role)> {
    let mut out: Vec<(String, Role)> = Vec::new();
    for (c, role) in chars {
        match out.last_mut() {
            Some((text, last)) if last == role => text.push(*c),
            _ => out.push((c.to_string(), *role)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, lines: &[&str]) {
        let folded: Vec<String> = folded(&foreign_pieces(text, Role::Text), width)
            .iter()
            .map(|line| line.iter().map(|(text, _)| text.as_str()).collect())
            .collect();
        assert_eq!(folded, lines);
        let shown: String = safe_pieces(text).into_iter().map(|piece| piece.text).collect();
        assert_eq!(folded.concat(), shown, "nothing is lost");
    }

    #[test]
    fn folding_keeps_every_blank_and_every_character() {
        check("rm  -rf   /var/lib/data", 10, &["rm  -rf   ", "/var/lib/d", "ata"]);
        check("", 10, &[""]);
        check("日本語", 4, &["日本", "語"]);
        check("日", 1, &["日"]);
        check("a\rb\u{202e}c", 20, &["a␍b⟨U+202E⟩c"]);
    }
}

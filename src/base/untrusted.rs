//! Text from outside: output of steps, file names, model text, parameters. It has no `Display`; the only way
//! to show it goes through [`safe_pieces`], which makes every odd code point visible and never drops one.
//!
//! Bytes are stored as they came; only the showing is safe. Widths in cells are the console's matter.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Text that somebody else wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Marks a text as untrusted.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// From bytes that may be no UTF-8: a broken byte becomes `⟨FF⟩`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut out = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            out.push_str(chunk.valid());
            for byte in chunk.invalid() {
                write!(out, "⟨{byte:02X}⟩").expect("a String takes all text");
            }
        }
        Self(out)
    }

    /// As it came: for comparing, storing and handing on, never for showing.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The one line form that may be shown.
    pub fn shown(&self) -> String {
        safe_text(&self.0)
    }
}

/// A stretch of text that may be shown, and whether it stands for something odd (drawn in another role).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text that is shown.
    pub text: String,
    /// True if this stands for a control byte or an invisible code point.
    pub odd: bool,
}

/// At most so many combining marks are drawn on one letter; the rest is counted.
const MARKS_MAX: usize = 3;
/// Tabs stand every so many characters.
const TAB: usize = 4;

/// One line of untrusted text as pieces that are safe to show. Line ends inside are shown as `␊`.
pub fn safe_pieces(line: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |text: &str, odd: bool| match pieces.last_mut() {
        Some(last) if last.odd == odd => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), odd }),
    };
    let (mut column, mut marks) = (0_usize, 0_usize);
    let mut buffer = [0; 4];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if is_mark(c) {
            marks += 1;
            if marks <= MARKS_MAX && column > 0 {
                push(c.encode_utf8(&mut buffer), false);
            } else if chars.peek().is_none_or(|next| !is_mark(*next)) {
                push(
                    &format!("⟨+{} marks⟩", marks - if column > 0 { MARKS_MAX.min(marks) } else { 0 }),
                    true,
                );
            }
            continue;
        }
        marks = 0;
        column += 1;
        match c {
            '\t' => {
                let blanks = TAB - (column - 1) % TAB;
                column += blanks - 1;
                push(&" ".repeat(blanks), false);
            }
            '\u{7f}' => push("␡", true),
            c if (c as u32) < 0x20 => {
                let picture = char::from_u32(0x2400 + c as u32).unwrap_or('␀');
                push(picture.encode_utf8(&mut buffer), true);
            }
            c if is_invisible(c) => push(&format!("⟨U+{:04X}⟩", c as u32), true),
            c => push(c.encode_utf8(&mut buffer), false),
        }
    }
    pieces
}

/// The same as one text.
pub fn safe_text(line: &str) -> String {
    safe_pieces(line).into_iter().map(|piece| piece.text).collect()
}

/// JSON in which each letter that `hides` stands as `\\u` and four digits; the ends of its lines stay. Read
/// again it is the same, since outside of its texts JSON has none that hides.
pub fn json_in_sight(json: &str, hides: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for letter in json.chars() {
        if letter == '\n' || !hides(letter) {
            out.push(letter);
        } else {
            out.extend(letter.encode_utf16(&mut units).iter().map(|value| format!("\\u{value:04x}")));
        }
    }
    out
}

/// Combining marks: what stacks on the letter before.
fn is_mark(c: char) -> bool {
    matches!(c as u32,
        0x300..=0x34E | 0x350..=0x36F | 0x483..=0x489 | 0x591..=0x5BD | 0x610..=0x61A | 0x64B..=0x65F | 0x6D6..=0x6DC
        | 0x6DF..=0x6E4 | 0xE31 | 0xE34..=0xE3A | 0xE47..=0xE4E | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF
        | 0x20D0..=0x20FF | 0x302A..=0x302D | 0x3099..=0x309A | 0xFE20..=0xFE2F)
}

/// True if a code point cannot be seen on a screen, or moves what can be seen. The empty cell of a picture of
/// dots is ours.
pub fn is_unseen(c: char) -> bool {
    c.is_control() || (c != '\u{2800}' && is_invisible(c))
}

/// Code points that show nothing, move what stands beside them, or look like a blank and are none. Also signs that
/// terminals draw one cell wide and others none, as U+0605: a row with them runs over what stands behind it.
fn is_invisible(c: char) -> bool {
    matches!(c as u32,
        0x80..=0x9F | 0xA0 | 0xAD | 0x34F | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x115F..=0x1160 | 0x1680 | 0x17B4..=0x17B5 | 0x180B..=0x180F
        | 0x2000..=0x200F | 0x2028..=0x202F | 0x205F..=0x206F | 0x2800 | 0x3000 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF
        | 0xFFA0 | 0xFDD0..=0xFDEF | 0xFFF0..=0xFFFC | 0x110BD | 0x110CD | 0x13430..=0x1345F | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
        | 0xE000..=0xF8FF | 0xF0000..=0x10_FFFF)
        || (c as u32) & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(safe_text(text), shown);
    }

    #[test]
    fn control_bytes_and_invisible_code_points_are_shown_and_never_dropped() {
        check("rm -rf /\rls", "rm -rf /␍ls");
        check("\u{1b}[2Jx", "␛[2Jx");
        check("a\u{202e}b", "a⟨U+202E⟩b");
        check("a\u{200b}\u{3164}b", "a⟨U+200B⟩⟨U+3164⟩b");
        check("tag\u{e0041}", "tag⟨U+E0041⟩");
        check("deploy\u{34f}.sh", "deploy⟨U+034F⟩.sh");
        check("a\u{605}\u{70f}b", "a⟨U+0605⟩⟨U+070F⟩b");
        check("a\u{fdd0}\u{13430}b", "a⟨U+FDD0⟩⟨U+13430⟩b");
        check("c1\u{9b}31m", "c1⟨U+009B⟩31m");
    }

    #[test]
    fn a_pile_of_marks_is_cut_and_counted() {
        let pile = format!("a{}", "\u{301}".repeat(200));
        assert_eq!(safe_text(&pile), format!("a{}⟨+197 marks⟩", "\u{301}".repeat(3)));
    }

    #[test]
    fn tabs_become_blanks_up_to_the_next_stop() {
        check("a\tb", "a   b");
        check("\tb", "    b");
    }

    #[test]
    fn broken_utf8_shows_its_bytes() {
        assert_eq!(Untrusted::from_bytes(b"ok\xff\xfe!").shown(), "ok⟨FF⟩⟨FE⟩!");
    }
}

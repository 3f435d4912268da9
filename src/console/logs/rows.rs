//! One line of foreign output as rows of cells: what is odd is shown and marked, what is found is marked, long lines are
//! wrapped or cut. Nothing in it can move the cursor, hide what stands beside it, or choose a
//! ground: of its escape codes only hue and weight of letters are taken, as the theme has them.

use super::{lines::LogLine, needle::Needle};
use crate::{Glyphs, pattern::Pattern};
use cuelight_base::{Sgr, open_sgr_length, safe_pieces, sgr_stretches};
use unicode_width::UnicodeWidthChar;

/// Marks that may stand on one letter.
const MARKS_MAX: usize = 3;

/// The kind of a character, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// As it was written, with the look that the program gave it.
    Plain(Sgr),
    /// Stands for something that cannot be shown.
    Odd,
    /// Is what was looked for.
    Match,
    /// Words of this program, not of the output.
    Note,
}

/// A stretch of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stroke {
    pub text: String,
    pub ink: Ink,
}

/// One row of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    /// The number of the line.
    pub line: u64,
    /// True if a line starts in this row.
    pub begins: bool,
    /// True if the line continues beyond the right edge.
    pub cut: bool,
    pub strokes: Vec<Stroke>,
}

/// The settings with which lines are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLook<'a> {
    pub width: usize,
    /// Wrapped, or cut with so many cells scrolled out at the left.
    pub wrap: bool,
    pub left: usize,
    pub glyphs: Glyphs,
    pub find: &'a Needle,
}

#[derive(Clone, Copy)]
struct Glyph {
    c: char,
    ink: Ink,
}

/// The rows of one line; at least one.
pub(super) fn rows_of(number: u64, line: &LogLine, look: RowLook<'_>) -> Vec<LogRow> {
    let mut glyphs = glyphs_of(line, look.glyphs);
    mark_matches(&mut glyphs, look.find);
    let row = |begins, cut, strokes| LogRow { line: number, begins, cut, strokes };
    if look.width == 0 {
        return vec![row(true, false, Vec::new())];
    }
    if !look.wrap {
        let (strokes, cut) = window(&glyphs, look.left, look.width);
        return vec![row(true, cut, strokes)];
    }
    let mut rows = Vec::new();
    let mut rest = glyphs.as_slice();
    loop {
        let count = fitting(rest, look.width);
        rows.push(row(rows.is_empty(), false, strokes_of(&rest[..count])));
        rest = &rest[count..];
        if rest.is_empty() {
            return rows;
        }
    }
}

/// The line as text that may be copied: what is shown of it.
pub(super) fn text_of(line: &LogLine, glyphs: Glyphs) -> String {
    glyphs_of(line, glyphs).into_iter().map(|glyph| glyph.c).collect()
}

fn glyphs_of(line: &LogLine, look: Glyphs) -> Vec<Glyph> {
    let mut out = Vec::with_capacity(line.bytes.len());
    if let Some(gap) = line.gap {
        let (dots, size) = (look.pick("…", "..."), gap.map(bytes_word));
        let words = match size {
            Some(size) => format!("{dots} {size} were not kept {dots}"),
            None => format!("{dots} the middle before this was not kept; gg shows the begin {dots}"),
        };
        out.extend(words.chars().map(|c| Glyph { c, ink: Ink::Note }));
        return out;
    }
    if line.overwritten > 0 {
        odd(&mut out, &format!("⟨\\r {}{}⟩", look.pick("×", "x"), line.overwritten), look);
        out.push(Glyph { c: ' ', ink: Ink::Odd });
    }
    // The rest of a code that has not come yet is no sign of the text.
    let open = if line.ended { 0 } else { open_sgr_length(&line.bytes) };
    let mut marks = 0;
    for (sgr, part) in sgr_stretches(&line.bytes[..line.bytes.len() - open]) {
        for chunk in part.utf8_chunks() {
            for piece in safe_pieces(chunk.valid()) {
                let ink = if piece.odd { Ink::Odd } else { Ink::Plain(sgr) };
                for c in piece.text.chars() {
                    add(&mut out, c, ink, &mut marks, look);
                }
            }
            for byte in chunk.invalid() {
                odd(&mut out, &format!("⟨{byte:02X}⟩"), look);
            }
        }
    }
    out
}

fn add(out: &mut Vec<Glyph>, c: char, ink: Ink, marks: &mut usize, look: Glyphs) {
    let is_mark = c.width().unwrap_or(0) == 0;
    *marks = if is_mark { *marks + 1 } else { 0 };
    let is_tone = matches!(c as u32, 0x1F3FB..=0x1F3FF);
    if ink == Ink::Odd {
        odd(out, c.encode_utf8(&mut [0; 4]), look);
    } else if is_tone || (is_mark && (out.is_empty() || *marks > MARKS_MAX)) || (look.ascii && !c.is_ascii())
    {
        odd(out, &format!("⟨U+{:04X}⟩", c as u32), look);
    } else {
        out.push(Glyph { c, ink });
    }
}

/// Signs that stand for something, in letters where the terminal has no signs.
fn odd(out: &mut Vec<Glyph>, signs: &str, look: Glyphs) {
    let mut push = |c| out.push(Glyph { c, ink: Ink::Odd });
    for c in signs.chars() {
        match c {
            c if !look.ascii || c.is_ascii() => push(c),
            '⟨' => push('<'),
            '⟩' => push('>'),
            '␡' => "^?".chars().for_each(&mut push),
            '\u{2400}'..='\u{241f}' => {
                push('^');
                push(char::from_u32(c as u32 - 0x2400 + 0x40).unwrap_or('?'));
            }
            _ => push('?'),
        }
    }
}

fn mark_matches(glyphs: &mut [Glyph], find: &Needle) {
    if let Some(pattern) = find.pattern() {
        return mark_pattern(glyphs, pattern);
    }
    let small = |c: char| if find.is_exact() { c } else { c.to_lowercase().next().unwrap_or(c) };
    let needle: Vec<char> = find.text.chars().collect();
    if needle.is_empty() {
        return;
    }
    let mut at = 0;
    while at + needle.len() <= glyphs.len() {
        if needle.iter().enumerate().all(|(offset, c)| small(glyphs[at + offset].c) == *c) {
            glyphs[at..at + needle.len()].iter_mut().for_each(|glyph| glyph.ink = Ink::Match);
            at += needle.len();
        } else {
            at += 1;
        }
    }
}

fn mark_pattern(glyphs: &mut [Glyph], pattern: &Pattern) {
    let text: String = glyphs.iter().map(|glyph| glyph.c).collect();
    let mut glyphs = text.char_indices().map(|entry| entry.0).zip(glyphs).peekable();
    for (from, to) in pattern.places(&text) {
        while glyphs.next_if(|(at, _)| *at < from).is_some() {}
        while let Some((_, glyph)) = glyphs.next_if(|(at, _)| *at < to) {
            glyph.ink = Ink::Match;
        }
    }
}

/// The number of glyphs that fit into a row; at least one, so that wrapping ends.
fn fitting(glyphs: &[Glyph], width: usize) -> usize {
    let mut used = 0;
    let fits = glyphs.iter().take_while(|glyph| {
        used += cells(glyph.c);
        used <= width
    });
    fits.count().max(1).min(glyphs.len())
}

/// The visible part of an unwrapped line, and true if it continues to the right.
fn window(glyphs: &[Glyph], left: usize, width: usize) -> (Vec<Stroke>, bool) {
    let mut skipped = 0;
    let begin = glyphs.iter().position(|glyph| {
        let gone = skipped >= left;
        skipped += cells(glyph.c);
        gone && cells(glyph.c) > 0
    });
    let rest = &glyphs[begin.unwrap_or(glyphs.len())..];
    let count = if rest.is_empty() { 0 } else { fitting(rest, width) };
    (strokes_of(&rest[..count]), count < rest.len())
}

fn strokes_of(glyphs: &[Glyph]) -> Vec<Stroke> {
    let mut out: Vec<Stroke> = Vec::new();
    for glyph in glyphs {
        match out.last_mut() {
            // A mark stands on what is before it, whatever that is.
            Some(last) if last.ink == glyph.ink || cells(glyph.c) == 0 => last.text.push(glyph.c),
            _ => out.push(Stroke { text: glyph.c.to_string(), ink: glyph.ink }),
        }
    }
    out
}

fn cells(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// `812 B`, `12.3 kB`, `4.0 MB`.
pub(super) fn bytes_word(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 100_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(find: &Needle, width: usize, wrap: bool) -> RowLook<'_> {
        RowLook { width, wrap, left: 0, glyphs: Glyphs::default(), find }
    }

    fn line(bytes: &[u8]) -> LogLine {
        LogLine { bytes: bytes.to_vec(), ..LogLine::default() }
    }

    #[track_caller]
    fn check(bytes: &[u8], unicode: &str, ascii: &str) {
        assert_eq!(text_of(&line(bytes), Glyphs::default()), unicode);
        assert_eq!(text_of(&line(bytes), Glyphs { ascii: true }), ascii);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        check(b"\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇", "^[]52;c;aGk=^G");
        check(b"a\0b\x7f", "a␀b␡", "a^@b^?");
        check("\u{202e}x\u{9b}".as_bytes(), "⟨U+202E⟩x⟨U+009B⟩", "<U+202E>x<U+009B>");
        check(b"ok\xff\xc3", "ok⟨FF⟩⟨C3⟩", "ok<FF><C3>");
        check("日本".as_bytes(), "日本", "<U+65E5><U+672C>");
        check("👍🏽".as_bytes(), "👍⟨U+1F3FD⟩", "<U+1F44D><U+1F3FD>");
    }

    #[test]
    fn colours_of_programs_are_read_and_a_half_code_waits_for_its_end() {
        let find = Needle::of("red").expect("a word");
        let red = Sgr { hue: Some(cuelight_base::Hue::Red), ..Sgr::default() };
        let rows = rows_of(0, &line(b"\x1b[31mso red\x1b[0m\x1b[2J\x1b[3"), look(&find, 80, false));
        let inks: Vec<(&str, Ink)> =
            rows[0].strokes.iter().map(|stroke| (stroke.text.as_str(), stroke.ink)).collect();
        let expected = [
            ("so ", Ink::Plain(red)),
            ("red", Ink::Match),
            ("␛", Ink::Odd),
            ("[2J", Ink::Plain(Sgr::default())),
        ];
        assert_eq!(inks, expected);
        let flood = "\u{1b}[1;31m".repeat(500);
        assert_eq!(text_of(&line(flood.as_bytes()), Glyphs::default()), "");
    }

    #[test]
    fn a_pile_of_marks_of_any_script_has_an_end() {
        let pile = format!("a{}", "\u{941}".repeat(10_000));
        let shown = text_of(&line(pile.as_bytes()), Glyphs::default());
        assert!(shown.starts_with("a\u{941}\u{941}\u{941}⟨U+0941⟩"), "{}", &shown[..40]);
    }

    #[test]
    fn wrapping_loses_nothing_and_no_row_is_too_wide() {
        let find = Needle::default();
        let rows = rows_of(0, &line("日本語ab".as_bytes()), look(&find, 3, true));
        let texts: Vec<String> =
            rows.iter().map(|row| row.strokes.iter().map(|stroke| stroke.text.as_str()).collect()).collect();
        assert_eq!(texts, ["日", "本", "語a", "b"]);
        assert_eq!(rows_of(0, &line(b""), look(&find, 3, true)).len(), 1);
    }

    #[test]
    fn what_is_found_is_marked_also_around_odd_signs() {
        let find = Needle::of("err").expect("a word");
        let rows = rows_of(0, &line(b"x ERR\x1b err"), look(&find, 80, false));
        let marked: Vec<(&str, Ink)> =
            rows[0].strokes.iter().map(|stroke| (stroke.text.as_str(), stroke.ink)).collect();
        assert_eq!(
            marked,
            [
                ("x ", Ink::Plain(Sgr::default())),
                ("ERR", Ink::Match),
                ("␛", Ink::Odd),
                (" ", Ink::Plain(Sgr::default())),
                ("err", Ink::Match)
            ]
        );
    }

    #[test]
    fn a_pattern_is_marked_where_it_is_found() {
        let find = Needle::of("~[0-9]+ ms").expect("a pattern");
        let rows = rows_of(0, &line("é 12 ms, 日 7 ms".as_bytes()), look(&find, 80, false));
        let marked: Vec<&str> = rows[0]
            .strokes
            .iter()
            .filter(|stroke| stroke.ink == Ink::Match)
            .map(|stroke| stroke.text.as_str())
            .collect();
        assert_eq!(marked, ["12 ms", "7 ms"]);
    }

    #[test]
    fn a_gap_says_how_much_is_gone() {
        let gap = LogLine { gap: Some(Some(12_345_678)), ..LogLine::default() };
        assert_eq!(text_of(&gap, Glyphs::default()), "… 12.3 MB were not kept …");
    }
}

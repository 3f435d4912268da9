//! Text into cells: cut by width, never past the area, wide and combining characters whole.
//!
//! Nothing here is wrapped or styled by meaning; views choose roles. Text from outside goes through
//! [`put_untrusted`], which shows what a terminal would swallow.

use crate::{Role, Theme};
use cuelight_base::{Untrusted, is_unseen, safe_pieces};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The set of signs that the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glyphs {
    /// Only ASCII: asked for, a locale without UTF-8, or the Linux console.
    pub ascii: bool,
}

impl Glyphs {
    /// One of two forms.
    pub(super) fn pick<T>(self, unicode: T, ascii: T) -> T {
        if self.ascii { ascii } else { unicode }
    }

    /// The sign in place of text that was cut.
    pub fn ellipsis(self) -> char {
        self.pick('…', '~')
    }

    /// The text, or its beginning and an ellipsis, in at most so many cells.
    pub fn fit(self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let mut out = String::new();
        let mut left = width.saturating_sub(1);
        for c in text.chars() {
            let cells = c.width().unwrap_or(1);
            if cells > left {
                break;
            }
            left -= cells;
            out.push(c);
        }
        if width > 0 {
            out.push(self.ellipsis());
        }
        out
    }
}

/// Draws a text of our own from `x`, inside `area` only; returns where the next one begins.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let next = put_at(buf, area, i32::from(x), i32::from(y), text, style);
    u16::try_from(next).unwrap_or(u16::MAX)
}

/// The same, ending before `end`; what does not fit is cut at the front of the area.
pub fn put_right(buf: &mut Buffer, area: Rect, end: u16, y: u16, text: &str, style: Style) {
    let width = i32::try_from(text.width()).unwrap_or(i32::MAX);
    put_at(buf, area, i32::from(end).saturating_sub(width), i32::from(y), text, style);
}

/// Draws one line of foreign text; what is odd in it is shown, in the role of a warning.
pub fn put_untrusted(
    buf: &mut Buffer,
    area: Rect,
    at: (u16, u16),
    text: &Untrusted,
    style: Style,
    theme: &Theme,
) -> u16 {
    let mut x = at.0;
    for piece in safe_pieces(text.raw()) {
        let style = if piece.odd { style.patch(theme.role(Role::Warn)) } else { style };
        x = put(buf, area, x, at.1, &piece.text, style);
        if x >= area.right() {
            break;
        }
    }
    x
}

/// Draws from a column that may lie left of the area: what is scrolled out is cut, by width.
pub(super) fn put_at(buf: &mut Buffer, area: Rect, x: i32, y: i32, text: &str, style: Style) -> i32 {
    let area = area.intersection(buf.area);
    let (left, right) = (i32::from(area.left()), i32::from(area.right()));
    let row = u16::try_from(y).ok().filter(|row| (area.top()..area.bottom()).contains(row));
    let Some(row) = row else {
        return x.saturating_add(i32::try_from(text.width()).unwrap_or(i32::MAX));
    };
    let mut x = x;
    let mut last_cell = None;
    for c in text.chars() {
        // What was typed or pasted comes this way too.
        let c = if is_unseen(c) { '\u{fffd}' } else { c };
        let cells = i32::try_from(c.width().unwrap_or(0)).unwrap_or(0);
        if cells == 0 {
            append(buf, last_cell, c);
            continue;
        }
        last_cell = None;
        if x >= right {
            break;
        }
        let next = x + cells;
        if x >= left && next <= right {
            let column = u16::try_from(x).expect("inside the area");
            clear_left_half(buf, column, row);
            buf[(column, row)].set_char(c).set_style(style);
            last_cell = Some((column, row));
            blanks(buf, x + 1..next, row, style);
        } else {
            blanks(buf, x.max(left)..next.min(right), row, style);
        }
        x = next;
    }
    x
}

/// A combining mark goes into the cell of its letter; without one it would move what follows.
fn append(buf: &mut Buffer, cell: Option<(u16, u16)>, mark: char) {
    if let Some(cell) = cell {
        let with_mark = format!("{}{mark}", buf[cell].symbol());
        buf[cell].set_symbol(&with_mark);
    }
}

/// The second half of a wide character is overwritten, so its first half goes too.
fn clear_left_half(buf: &mut Buffer, column: u16, row: u16) {
    if column > buf.area.left() && buf[(column - 1, row)].symbol().width() > 1 {
        buf[(column - 1, row)].set_symbol(" ");
    }
}

fn blanks(buf: &mut Buffer, columns: std::ops::Range<i32>, row: u16, style: Style) {
    for column in columns {
        let column = u16::try_from(column).expect("inside the area");
        buf[(column, row)].set_symbol(" ").set_style(style);
    }
}

/// A text in lines of at most so many cells, broken between words.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let last = lines.last_mut().expect("there is always one");
            let gap = usize::from(!last.is_empty());
            if last.width() + gap + word.width() <= width {
                if gap > 0 {
                    last.push(' ');
                }
                last.push_str(&word);
                break;
            }
            if last.is_empty() {
                // A word wider than a line is cut into lines; nothing of it is left out.
                let mut cells = 0;
                let fits = word.chars().take_while(|c| {
                    cells += c.width().unwrap_or(0);
                    cells <= width
                });
                let bytes = fits
                    .map(char::len_utf8)
                    .sum::<usize>()
                    .max(word.chars().next().map_or(0, char::len_utf8));
                let rest = word.split_off(bytes);
                *last = std::mem::replace(&mut word, rest);
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, x: i32, shown: &str) {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        let area = Rect::new(1, 0, 6, 1);
        put_at(&mut buf, area, x, 0, text, Style::new());
        let row: String = (0..8).map(|x| buf[(x, 0)].symbol().to_owned()).collect();
        assert_eq!(row, shown);
    }

    #[test]
    fn text_is_cut_at_both_ends_of_its_area() {
        check("abcdefghijk", 1, " abcdef ");
        check("abcdefghijk", -2, " defghi ");
        check("abc", 100, "        ");
        check("abc", -100, "        ");
    }

    #[test]
    fn a_wide_character_is_whole_or_absent() {
        check("日本語学", 1, " 日 本 語  ");
        check("日本語学", 0, "  本 語   ");
        check("日本語学", 2, "  日 本   ");
    }

    #[test]
    fn marks_stay_on_their_letter_and_control_bytes_are_seen() {
        check("e\u{301}x", 1, " e\u{301}x     ");
        check("\u{301}x", 1, " x      ");
        check("a\rb", 1, " a\u{fffd}b    ");
        check("a\u{202e}b", 1, " a\u{fffd}b    ");
    }

    #[test]
    fn overwriting_half_a_wide_character_leaves_no_half() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        let area = buf.area;
        put(&mut buf, area, 0, 0, "日本", Style::new());
        put(&mut buf, area, 1, 0, "x", Style::new());
        assert_eq!(buf.content().iter().map(ratatui::buffer::Cell::symbol).collect::<String>(), " x本 ");
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        let glyphs = Glyphs::default();
        assert_eq!(glyphs.fit("approve", 7), "approve");
        assert_eq!(glyphs.fit("approve", 5), "appr…");
        assert_eq!(glyphs.fit("日本語", 4), "日…");
        assert_eq!(glyphs.fit("approve", 0), "");
        assert_eq!(Glyphs { ascii: true }.fit("approve", 5), "appr~");
    }

    #[test]
    fn foreign_text_shows_what_a_terminal_would_swallow() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 1));
        let (area, theme) = (buf.area, Theme::default());
        put_untrusted(&mut buf, area, (0, 0), &Untrusted::new("rm /\rls\u{1b}"), Style::new(), &theme);
        assert_eq!(
            buf.content().iter().map(ratatui::buffer::Cell::symbol).collect::<String>(),
            "rm /␍ls␛    "
        );
        assert_eq!(buf[(4, 0)].fg, theme.role(Role::Warn).fg.expect("a warning has a colour"));
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrapped("rm -rf /var/lib/data", 8), ["rm -rf", "/var/lib", "/data"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("日本語", 1), ["日", "本", "語"]);
    }
}

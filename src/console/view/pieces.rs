//! Lines made of pieces in several styles, and tables of columns: what every view writes with.

use crate::{Glyphs, put};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr;

/// A line: texts and how each looks. Foreign text has been made safe before.
pub(super) type Pieces = Vec<(String, Style)>;

/// The width of a line in cells.
pub(super) fn width_of(pieces: &Pieces) -> usize {
    pieces.iter().map(|(text, _)| text.width()).sum()
}

/// Draws a line in a row of an area, cut with an ellipsis at its end; returns where it ends.
pub(super) fn put_pieces(
    buf: &mut Buffer,
    area: Rect,
    (x, y): (u16, u16),
    pieces: &Pieces,
    glyphs: Glyphs,
) -> u16 {
    let mut x = x;
    for (text, style) in pieces {
        let left = usize::from(area.right().saturating_sub(x));
        if left == 0 {
            break;
        }
        x = put(buf, area, x, y, &glyphs.fit(text, left), *style);
    }
    x
}

/// The position of a column, and the alignment of its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub title: &'static str,
    pub x: u16,
    pub width: u16,
    pub right: bool,
}

/// Columns from titles and widths; the one of width 0 takes what is left.
pub(super) fn columns(x: u16, width: u16, wanted: &[(&'static str, u16, bool)]) -> Vec<Column> {
    let fixed: u16 = wanted.iter().map(|(_, width, _)| width + 1).sum();
    let rest = width.saturating_sub(fixed);
    let mut x = x;
    wanted
        .iter()
        .map(|(title, width, right)| {
            let width = if *width == 0 { rest } else { *width };
            let column = Column { title, x, width, right: *right };
            x += width + 1;
            column
        })
        .collect()
}

/// Draws the text of one cell of a table, cut to its column.
pub(super) fn put_cell(
    buf: &mut Buffer,
    area: Rect,
    column: Column,
    y: u16,
    (text, style): (&str, Style),
    glyphs: Glyphs,
) {
    let text = glyphs.fit(text, usize::from(column.width));
    let blank = usize::from(column.width).saturating_sub(text.width());
    let x = if column.right { column.x + u16::try_from(blank).unwrap_or(0) } else { column.x };
    put(buf, area, x, y, &text, style);
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
                    cells += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
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

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrapped("rm -rf /var/lib/data", 8), ["rm -rf", "/var/lib", "/data"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("日本語", 1), ["日", "本", "語"]);
    }
}

//! Lines made of pieces in several styles, and tables of columns: what every view writes with.

use crate::{Glyphs, put};
pub(crate) use crate::{
    layout::{Column, columns},
    text::wrapped,
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr;

/// A line: texts and how each looks. Foreign text has been made safe before.
pub(crate) type Pieces = Vec<(String, Style)>;

/// The width of a line in cells.
pub(crate) fn width_of(pieces: &Pieces) -> usize {
    pieces.iter().map(|(text, _)| text.width()).sum()
}

/// Draws a line in a row of an area, cut with an ellipsis at its end; returns where it ends.
pub(crate) fn put_pieces(
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

/// Draws the text of one cell of a table, cut to its column.
pub(crate) fn put_cell(
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

//! The map: the whole picture in a few cells, and the window in it.

use super::{Layout, Place, Shown, paint::paint_dots};
use crate::{Glyphs, Role, Theme, text::put_at};
use ratatui::{buffer::Buffer, layout::Rect};

/// A window of at least so many columns and rows has a box around it; a smaller one is marked as selected.
const BOXED: (i32, i32) = (3, 3);

/// Draws the whole picture as dots into `area`, and a box around what `window` shows.
pub fn paint_map(
    layout: &Layout,
    shown: &Shown,
    window: Place,
    (theme, glyphs): (&Theme, Glyphs),
    area: Rect,
    buf: &mut Buffer,
) {
    let area = area.intersection(buf.area);
    let (width, height) = layout.size();
    let (wide, high) = (i32::from(area.width) * 2, i32::from(area.height) * 4);
    if area.is_empty() || width <= 0 || height <= 0 {
        return;
    }
    // A small picture is not blown up.
    let scale = |at: i32, size: i32, dots: i32| {
        let size = size.max(dots);
        i32::try_from(i64::from(at.clamp(0, size - 1)) * i64::from(dots) / i64::from(size)).unwrap_or(0)
    };
    let dots: Vec<_> = layout
        .places
        .iter()
        .zip(&shown.nodes)
        .filter(|(_, node)| !node.is_open)
        .map(|(place, node)| ((scale(place.x, width, wide), scale(place.y, height, high)), node.mark))
        .collect();
    paint_dots(&dots, theme, glyphs, (i32::from(area.x), i32::from(area.y)), area, buf);
    let (left, top) = (scale(window.x, width, wide) / 2, scale(window.y, height, high) / 4);
    // A window that is larger than the picture ends with it.
    let right = scale((window.x + window.width).min(width) - 1, width, wide) / 2;
    let bottom = scale((window.y + window.height).min(height) - 1, height, high) / 4;
    let (columns, rows) = (right - left + 1, bottom - top + 1);
    let is_boxed = columns >= BOXED.0 && rows >= BOXED.1;
    for y in top..=bottom {
        for x in left..=right {
            let at = (u16::try_from(x).unwrap_or(0) + area.x, u16::try_from(y).unwrap_or(0) + area.y);
            let on_edge = x == left || x == right || y == top || y == bottom;
            if !area.contains(at.into()) {
                continue;
            }
            // A dot that wants an eye is not covered.
            if is_boxed && on_edge && buf[at].symbol() == " " {
                let sign = edge((x == left, x == right), (y == top, y == bottom), glyphs);
                put_at(buf, area, i32::from(at.0), i32::from(at.1), sign, theme.role(Role::BorderFocus));
            } else if !is_boxed || on_edge {
                buf[at].set_style(theme.role(Role::Select));
            }
        }
    }
}

fn edge((left, right): (bool, bool), (top, bottom): (bool, bool), glyphs: Glyphs) -> &'static str {
    match (left, right, top, bottom) {
        _ if glyphs.ascii && (left || right) && (top || bottom) => "+",
        (true, _, true, _) => "┏",
        (_, true, true, _) => "┓",
        (true, _, _, true) => "┗",
        (_, true, _, true) => "┛",
        (true, ..) | (_, true, ..) => glyphs.pick("┃", "|"),
        _ => glyphs.pick("━", "-"),
    }
}

/// The whole outline as one column: in each row the worst of the lines that it stands for, and a mark beside those that
/// are seen.
pub(crate) fn paint_strip(
    layout: &Layout,
    shown: &Shown,
    (first, seen): (i32, u16),
    (theme, glyphs): (&Theme, Glyphs),
    area: Rect,
    buf: &mut Buffer,
) {
    let (lines, rows) = (layout.rows.len(), usize::from(area.height));
    if lines == 0 || rows == 0 {
        return;
    }
    let rows = rows.min(lines);
    let window = usize::try_from(first).unwrap_or(0);
    let window = window..window + usize::from(seen);
    for row in 0..rows {
        let (from, to) = (row * lines / rows, (row + 1) * lines / rows);
        let marks = layout.rows[from..to].iter().map(|line| shown.nodes[line.spot as usize].mark);
        let Some(mark) = marks.max_by_key(|mark| mark.urgency()) else { continue };
        let (x, y) = (i32::from(area.x), i32::from(area.y) + i32::try_from(row).unwrap_or(0));
        put_at(buf, area, x, y, mark.sign(glyphs), mark.style(theme));
        if from < window.end && to > window.start {
            put_at(buf, area, x + 1, y, glyphs.pick("▐", "|"), theme.role(Role::BorderFocus));
        }
    }
}

//! The map: the whole picture in a few cells, and the window in it.

use super::{Layout, Place, Shown, paint::paint_dots};
use crate::console::{Glyphs, Role, Theme};
use ratatui::{buffer::Buffer, layout::Rect};

/// Draws the whole picture as dots into `area`; what `window` shows is marked as selected.
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
    let right = scale(window.x + window.width - 1, width, wide) / 2;
    let bottom = scale(window.y + window.height - 1, height, high) / 4;
    for y in top..=bottom {
        for x in left..=right {
            let at = (u16::try_from(x).unwrap_or(0) + area.x, u16::try_from(y).unwrap_or(0) + area.y);
            if area.contains(at.into()) {
                buf[at].set_style(theme.role(Role::Select));
            }
        }
    }
}

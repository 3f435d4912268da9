//! Rectangles from a size: where header, body and lines stand. The `layout` in the folder of a view divides its body.
//! No other place knows breakpoints, so that drawing, paging and clicking agree.

mod header;

pub(super) use crate::audit::layout::{AuditLayout, audit};
pub(super) use crate::errors::layout::errors;
pub(super) use crate::gates::layout::gates;
pub(super) use crate::graph::layout::{dag, room, shows_map};
pub(super) use crate::logs::layout::logs;
pub(super) use crate::runs::layout::{runs, runs_columns};
pub(super) use crate::time::layout::{TimeLayout, time};
pub(super) use crate::tools::layout::tools;
pub(super) use crate::travel::layout::{TravelLayout, inside_travel};
pub(super) use header::{badge, place, tab_at, tabs};

use crate::Model;
use ratatui::layout::Rect;

/// The smallest screen anything is drawn on.
pub(super) const LEAST: (u16, u16) = (60, 16);

/// The number of panes that fit beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// Nothing but a line that says so.
    TooSmall,
    /// One pane, and a preview under it.
    One,
    /// Two panes beside each other.
    Two,
    /// Three panes, and a lower row.
    Three,
}

/// The frame around every view.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub header: Rect,
    pub body: Rect,
    pub status: Rect,
    /// The key line; its height is 0 when the screen is too low for it.
    pub keys: Rect,
    pub width: Width,
}

/// Divides the screen into header, body, status line and key line.
pub(super) fn frame((width, height): (u16, u16)) -> Frame {
    let kind = match width {
        _ if width < LEAST.0 || height < LEAST.1 => Width::TooSmall,
        0..100 => Width::One,
        100..140 => Width::Two,
        _ => Width::Three,
    };
    let row = |y: u16, height: u16| Rect::new(0, y, width, height);
    let keys = u16::from(height >= 20);
    let status = height.saturating_sub(1 + keys);
    let body = status.saturating_sub(1);
    Frame {
        header: row(0, 1.min(height)),
        body: row(1.min(height), body),
        status: row(status, 1.min(height)),
        keys: row(height.saturating_sub(keys), keys),
        width: kind,
    }
}

/// True if panes have borders. They have none on small screens, and none where one pane takes all.
pub(super) fn is_boxed(model: &Model) -> bool {
    frame(model.size).width > Width::One && !model.panes().whole
}

/// A pane without a border: its first row says what it is.
pub(super) fn bare(area: Rect) -> Rect {
    inset(area, 0, 1, 0)
}

pub(super) fn split_beside(area: Rect, width: u16) -> (Rect, Option<Rect>) {
    let (left, right) = split_across(area, width);
    (left, Some(right))
}

/// Rows of a popup that are seen, without its border and its head.
pub(super) fn popup_rows((_, height): (u16, u16)) -> u16 {
    popup_height(height).saturating_sub(2).max(1)
}

/// The largest height of a popup, in rows.
pub(super) fn popup_height(height: u16) -> u16 {
    height.saturating_sub(4).max(3)
}

pub(super) fn split_down(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let rest = area.height - height;
    (Rect { height, ..area }, Rect { y: area.y + height, height: rest, ..area })
}

pub(super) fn split_across(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area })
}

/// Without so many columns at both sides, rows above and rows below.
pub(super) fn inset(area: Rect, sides: u16, above: u16, below: u16) -> Rect {
    let height = area.height.saturating_sub(above + below);
    let width = area.width.saturating_sub(2 * sides);
    let (x, y) = (area.x + sides.min(area.width), area.y + above.min(area.height));
    Rect::new(x, y, width, height)
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

//! The places on the screen of failures.

use crate::{
    Model,
    layout::{Width, frame, inset, split_across, split_beside, split_down},
};
use ratatui::layout::Rect;

/// The parts of the Errors view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ErrorsLayout {
    /// The list, with its border where it has one.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    /// Counts of a day, under the rows.
    pub day: Option<Rect>,
    pub preview: Option<Rect>,
    /// The possible actions; beside them the attempts and consequences.
    pub lower: Option<[Rect; 2]>,
}

pub(crate) fn errors(model: &Model) -> ErrorsLayout {
    let frame = frame(model.size);
    let (body, hidden) = (frame.body, model.workspace.errors.preview_hidden);
    let panes = model.panes();
    match frame.width {
        Width::TooSmall => ErrorsLayout::default(),
        _ if panes.whole => {
            ErrorsLayout { table: body, rows: inset(body, 0, 2, 0), ..ErrorsLayout::default() }
        }
        Width::One => {
            let preview = if hidden || model.size.1 < 24 { 0 } else { (body.height * 3 / 5).min(14) };
            let (table, below) = split_down(body, panes.share.of(body.height - preview, body.height));
            let preview = (!hidden && below.height > 0).then_some(below);
            ErrorsLayout { table, rows: inset(table, 0, 2, 0), preview, ..ErrorsLayout::default() }
        }
        Width::Two | Width::Three => {
            let lower = if body.height < 36 || hidden { 0 } else { (body.height / 3).min(18) };
            let upper = panes.share.of(body.height - lower, body.height);
            let (upper, under) = split_down(body, if lower > 0 { upper } else { body.height });
            let share = if frame.width == Width::Two { 62 } else { 65 };
            let wide = panes.share.of(upper.width * share / 100, upper.width);
            let (table, beside) = if hidden { (upper, None) } else { split_beside(upper, wide) };
            let inside = inset(table, 1, 2, 1);
            let counted = if inside.height < 16 { 0 } else { 6 };
            let (rows, day) = split_down(inside, inside.height - counted);
            let (left, right) = split_across(under, under.width / 2);
            ErrorsLayout {
                table,
                rows,
                day: (counted > 0).then_some(day),
                preview: beside,
                lower: (lower > 0).then_some([left, right]),
            }
        }
    }
}

//! The places on the screen of tools.

use crate::{
    Model,
    layout::{Width, frame, inset, split_across, split_down},
};
use ratatui::layout::Rect;

/// The parts of the Tools view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ToolsLayout {
    /// The list, with its border.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    /// Details of the tool under the cursor.
    pub preview: Rect,
}

pub(crate) fn tools(model: &Model) -> ToolsLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    let (table, preview) = match frame.width {
        Width::TooSmall => return ToolsLayout::default(),
        _ if panes.whole => {
            return ToolsLayout { table: body, rows: inset(body, 1, 2, 0), ..ToolsLayout::default() };
        }
        Width::One => split_down(body, panes.share.of(body.height.saturating_sub(8), body.height)),
        Width::Two | Width::Three => split_across(body, panes.share.of(body.width * 60 / 100, body.width)),
    };
    ToolsLayout { table, rows: inset(table, 1, 2, 1), preview }
}

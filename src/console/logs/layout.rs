//! The places on the screen of the output of steps.

use crate::{
    Model,
    layout::{Width, bare, frame, inset, is_boxed, split_across, split_down},
};
use ratatui::layout::Rect;

/// The parts of the Logs view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogsLayout {
    /// The steps of the run.
    pub side: Option<Rect>,
    /// Around the lines, where there is a border; else the line that says what is looked at.
    pub pane: Rect,
    pub boxed: bool,
    /// The lines, with what stands before and after their text.
    pub lines: Rect,
    /// The line that says where in them the screen is.
    pub note: Rect,
    /// All of the line under the cursor, where there is room.
    pub detail: Option<Rect>,
}

pub(crate) fn logs(model: &Model) -> LogsLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let (side, pane) = match frame.width {
        Width::TooSmall => return LogsLayout::default(),
        Width::One | Width::Two => (None, frame.body),
        Width::Three if panes.whole => (None, frame.body),
        Width::Three => {
            let all = frame.body.width;
            let (side, pane) = split_across(frame.body, all - panes.share.of(all - 34, all));
            (Some(side), pane)
        }
    };
    let (pane, detail) = match pane.height {
        height @ 36.. if side.is_some() => {
            let (pane, detail) = split_down(pane, height - 9);
            (pane, Some(detail))
        }
        _ => (pane, None),
    };
    let boxed = is_boxed(model);
    let inside = if boxed { inset(pane, 1, 1, 1) } else { bare(pane) };
    let (lines, note) = split_down(inside, inside.height.saturating_sub(1));
    LogsLayout { side, pane, boxed, lines, note, detail }
}

//! The places on the screen of decisions and their authors.

use crate::{
    Model,
    layout::{Width, frame, inset, split_across, split_down},
};
use ratatui::layout::Rect;

/// The parts of the Audit view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AuditLayout {
    pub pane: Option<Rect>,
    pub title: Rect,
    pub head: Rect,
    pub rows: Rect,
    /// The record under the cursor.
    pub detail: Rect,
    /// Counts of records by kind and by actor.
    pub chain: Option<Rect>,
}

pub(crate) fn audit(model: &Model) -> AuditLayout {
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    match frame.width {
        Width::TooSmall => AuditLayout::default(),
        _ if panes.whole => {
            let (title, rest) = split_down(body, 1);
            let (head, rows) = split_down(rest, 1);
            AuditLayout { title, head, rows, ..AuditLayout::default() }
        }
        Width::One => {
            let below = if body.height < 12 { 0 } else { (body.height / 2).min(12) };
            let (upper, detail) = split_down(body, panes.share.of(body.height - below, body.height));
            let (title, rest) = split_down(upper, 1);
            let (head, rows) = split_down(rest, 1);
            AuditLayout { pane: None, title, head, rows, detail, chain: None }
        }
        Width::Two | Width::Three => {
            let lower = if frame.width == Width::Three && body.height >= 32 { 10 } else { 0 };
            let upper =
                if lower > 0 { panes.share.of(body.height - lower, body.height) } else { body.height };
            let (upper, chain) = split_down(body, upper);
            let wide = if frame.width == Width::Two { body.width * 60 / 100 } else { body.width * 65 / 100 };
            let (pane, detail) = split_across(upper, panes.share.of(wide, upper.width));
            let (head, rows) = split_down(inset(pane, 1, 1, 1), 1);
            let title = Rect { height: 1, ..pane };
            let chain = (lower > 0).then_some(chain);
            AuditLayout { pane: Some(pane), title, head, rows, detail, chain }
        }
    }
}

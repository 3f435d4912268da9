//! Everything that drawing reads, and the pane of a view.

use crate::{Glyphs, Model, PaneLook, Role, Theme, layout, pane, put, put_right};
use ratatui::{buffer::Buffer, layout::Rect};

/// Everything that drawing reads.
#[derive(Clone, Copy)]
pub(crate) struct Canvas<'a> {
    pub(crate) model: &'a Model,
    pub(crate) theme: &'a Theme,
    pub(crate) glyphs: Glyphs,
}

impl<'a> Canvas<'a> {
    pub(crate) fn pane(&self, focus: bool) -> PaneLook<'a> {
        PaneLook { theme: self.theme, glyphs: self.glyphs, focus, past: self.model.past.travel.is_some() }
    }

    pub(crate) fn screen(&self) -> Rect {
        Rect::new(0, 0, self.model.size.0, self.model.size.1)
    }

    pub(crate) fn style(&self, role: Role) -> ratatui::style::Style {
        self.theme.role(role)
    }
}

/// The pane that has the keys; where it has all of the screen, without a border, so that what a terminal selects is text
/// alone. Returns the room inside.
pub(crate) fn main_pane(
    canvas: &Canvas<'_>,
    area: Rect,
    title: &str,
    footer: &str,
    buf: &mut Buffer,
) -> Rect {
    if !canvas.model.panes().whole {
        return pane(buf, area, title, footer, canvas.pane(true));
    }
    let x = put(buf, area, area.x + 1, area.y, title, canvas.style(Role::Title));
    let row = Rect { x, width: area.right().saturating_sub(x), height: 1.min(area.height), ..area };
    put_right(buf, row, row.right().saturating_sub(1), row.y, footer, canvas.style(Role::Muted));
    layout::inset(area, 1, 1, 0)
}

//! The frames of the screen: their pace, their drawing, their theme and the signs that turn.

use super::Screen;
use crate::{
    FrameCost, Message, SPINNER, cursor_of, draw, running_cells,
    terminal::{self},
    update,
};
use cuelight_base::Span;
use cuelight_runtime::{Clock as _, Desk};
use ratatui::{buffer::Buffer, layout::Rect};
use std::{io, sync::Arc};

/// Between two frames, unless a key asks for one.
const FRAME: Span = Span(33);
/// The same when nobody looks.
const FRAME_UNFOCUSED: Span = Span(500);
/// After a while without frames so many follow one another at once: what happened and what came of it are seen together.
const FRAMES_AT_ONCE: u64 = 3;

/// A sign that turns does so this often.
pub(super) const TURN: Span = Span(250);

impl<D: Desk> Screen<D> {
    /// True if signs are animated: some are on the screen, and the terminal has focus.
    pub(super) fn turns(&self) -> bool {
        !self.signs.cells.is_empty() && self.model.has_focus()
    }

    /// Turns them, when it is time; draws nothing.
    pub(super) fn turn_signs(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        if !self.turns() || now.since(self.signs.turned) < TURN {
            return Ok(());
        }
        (self.signs.phase, self.signs.turned) = ((self.signs.phase + 1) % SPINNER.len(), now);
        self.terminal.turn(&self.signs.cells, SPINNER[self.signs.phase])
    }

    pub(super) fn until_frame(&self) -> Span {
        let (now, frame, at_once) = (self.clock.now(), self.frame(), FRAMES_AT_ONCE - 1);
        let spared = Span(if self.model.has_focus() { frame.0 * at_once } else { 0 });
        let frame = Span(self.paced.since(now).0.saturating_sub(spared.0));
        frame.max(Span(self.pace.0.saturating_sub(now.since(self.drawn).0)))
    }

    fn frame(&self) -> Span {
        if self.model.has_focus() { FRAME } else { FRAME_UNFOCUSED }
    }

    /// Draws, if something changed and it is time.
    pub(super) fn show(&mut self) -> io::Result<()> {
        if !self.is_dirty {
            return Ok(());
        }
        if !self.is_urgent && self.until_frame() > Span(0) {
            self.skipped += 1;
            return Ok(());
        }
        let began = self.clock.microseconds();
        self.choose_theme();
        let (width, height) = self.model.screen();
        let mut frame = Buffer::empty(Rect::new(0, 0, width, height));
        draw(&self.model, &self.theme, &mut frame);
        self.signs.cells = running_cells(&self.model, &self.theme, &frame);
        let bytes = self.terminal.show(frame, cursor_of(&self.model))?;
        let title = self.model.window_title();
        if self.titled != title {
            terminal::title(&title)?;
            self.titled = title;
        }
        (self.is_dirty, self.is_urgent, self.drawn) = (false, false, self.clock.now());
        self.paced = self.paced.max(self.drawn) + self.frame();
        let cost = FrameCost {
            at: self.drawn,
            took_us: self.clock.microseconds().saturating_sub(began),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            skipped: std::mem::take(&mut self.skipped),
        };
        drop(update(&mut self.model, Message::Frame(cost)));
        let wishes = update(&mut self.model, Message::Drawn(self.clock.now()));
        debug_assert!(wishes.is_empty(), "a drawn frame asks for nothing");
        Ok(())
    }

    fn choose_theme(&mut self) {
        let (name, themes) = (self.model.theme_shown(), &self.model.look.themes);
        if self.themed.0 != name || !Arc::ptr_eq(&self.themed.1, themes) {
            self.theme = themes.find(name).unwrap_or_default().at_depth(self.options.depth);
            self.themed = (name.to_owned(), themes.clone());
        }
    }
}

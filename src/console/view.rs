//! Drawing: a model and a theme become cells. Reads only; nothing is remembered here, so any moment can be drawn again.
//!
//! One file for each view and each thing that lies over it. Where they stand is said by `layout`.

mod dag;
mod dialog;
mod form;
mod frame;
mod gates;
mod gates_side;
mod help;
mod logs;
mod palette;
mod pieces;
mod popup;
mod preview;
mod runs;
mod runs_lower;
mod status;

use crate::console::{
    Depth, Glyphs, Model, PaneLook, Role, Theme, View, Width, fill, layout, model::Overlay, put, to_svg,
    to_text,
};
use ratatui::{buffer::Buffer, layout::Rect};

pub(super) use help::help_height;

/// Draws the whole console into a buffer of any size.
pub fn draw(model: &Model, theme: &Theme, buf: &mut Buffer) {
    let area = buf.area;
    fill(buf, area, theme.ground());
    let canvas = Canvas { model, theme, glyphs: model.look.glyphs };
    let frame = layout::frame(model.size);
    if frame.width == Width::TooSmall {
        too_small(&canvas, buf);
        return;
    }
    frame::header(&canvas, frame.header, buf);
    match model.view {
        View::Runs => runs::draw(&canvas, buf),
        View::Dag => dag::draw(&canvas, buf),
        View::Gates => gates::draw(&canvas, buf),
        View::Logs => logs::draw(&canvas, buf),
    }
    status::draw(&canvas, frame.status, buf);
    frame::keys(&canvas, frame.keys, buf);
    frame::prompt(&canvas, frame.body, buf);
    // A message never lies over what is being answered.
    let answers = matches!(model.overlay, Some(Overlay::Dialog(_)));
    if answers {
        frame::toasts(&canvas, frame.body, buf);
    }
    match &model.overlay {
        Some(Overlay::Dialog(it)) => dialog::draw(&canvas, it, frame.body, buf),
        Some(Overlay::Palette(it)) => palette::draw(&canvas, it, frame.body, buf),
        Some(Overlay::Help { top }) => help::draw(&canvas, *top, frame.body, buf),
        Some(Overlay::Menu { selected }) => popup::menu(&canvas, *selected, frame.body, buf),
        Some(Overlay::Form(it)) => form::draw(&canvas, it, frame.body, buf),
        Some(Overlay::Text(it)) => popup::text(&canvas, it, frame.body, buf),
        None => popup::continuations(&canvas, frame.body, buf),
    }
    if !answers {
        frame::toasts(&canvas, frame.body, buf);
    }
    if canvas.glyphs.ascii {
        to_ascii(buf);
    }
}

/// The last word for terminals without other signs: whatever is left of them, also in foreign text, becomes ASCII.
fn to_ascii(buf: &mut Buffer) {
    for cell in buf.content.iter_mut().filter(|it| !it.symbol().is_ascii()) {
        let plain = match cell.symbol() {
            "·" => ".",
            "…" => "~",
            "×" => "x",
            "‹" => "<",
            "›" | "→" => ">",
            _ => "?",
        };
        cell.set_symbol(plain);
    }
}

/// The status line alone, in so many cells: what is said where a screen is not.
pub fn status_line(model: &Model, width: u16) -> String {
    let theme = Theme::default();
    let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
    let area = buf.area;
    status::draw(&Canvas { model, theme: &theme, glyphs: model.look.glyphs }, area, &mut buf);
    to_text(&buf).trim_end().to_owned()
}

/// The screen as text, for the clipboard.
pub fn text_of(model: &Model) -> String {
    let theme = Theme::default().at_depth(Depth::None);
    to_text(&drawn(model, &theme))
}

/// The screen as a picture, for the key that exports.
pub fn picture_of(model: &Model) -> String {
    let theme = Theme::built_in(&model.look.theme).unwrap_or_default();
    to_svg(&drawn(model, &theme), &theme)
}

fn drawn(model: &Model, theme: &Theme) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, model.size.0, model.size.1));
    draw(model, theme, &mut buf);
    buf
}

/// Everything that drawing reads.
#[derive(Clone, Copy)]
struct Canvas<'a> {
    model: &'a Model,
    theme: &'a Theme,
    glyphs: Glyphs,
}

impl<'a> Canvas<'a> {
    fn pane(&self, focus: bool) -> PaneLook<'a> {
        PaneLook { theme: self.theme, glyphs: self.glyphs, focus }
    }

    fn style(&self, role: Role) -> ratatui::style::Style {
        self.theme.role(role)
    }
}

fn too_small(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let (width, height) = canvas.model.size;
    let (least_width, least_height) = layout::LEAST;
    let gates = canvas.model.board.open_gates().count();
    let text = format!("needs {least_width}x{least_height}, has {width}x{height}   {gates} gates wait");
    let area = buf.area;
    put(buf, area, 0, height / 2, &text, canvas.style(Role::Warn));
}

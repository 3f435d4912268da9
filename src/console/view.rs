//! Drawing: a model and a theme become cells. Reads only; nothing is remembered here, so any moment can be
//! drawn again.
//!
//! The frame around every view. Each view, and each window over it, draws itself in its own folder; `layout`
//! places them.

pub(super) mod canvas;
pub(super) mod frame;
pub(super) mod pieces;
mod reader;
pub(super) mod status;

use crate::{
    Depth, Model, Role, Theme, View, Width, agents, audit, dialog, errors, fill, gates, graph, health, help,
    launching, layout, leaving, logs, model::Overlay, palette, popup, put, runs, time, to_svg, to_text,
    tools, travel,
};
use cuelight_base::counted;
use ratatui::{
    buffer::{Buffer, Cell},
    layout::Rect,
    style::Modifier,
};

use canvas::Canvas;

/// Draws the whole console into a buffer of any size.
pub fn draw(model: &Model, theme: &Theme, buf: &mut Buffer) {
    match &model.past.travel {
        Some(travel) if !model.look.reader => {
            let canvas = Canvas { model, theme, glyphs: model.look.glyphs };
            travel::draw::draw(&canvas, travel, buf);
        }
        Some(_) | None => screen(model, theme, buf),
    }
}

/// The frame, the view in it and what lies over it.
pub(super) fn screen(model: &Model, theme: &Theme, buf: &mut Buffer) {
    let area = buf.area;
    fill(buf, area, theme.ground());
    let canvas = Canvas { model, theme, glyphs: model.look.glyphs };
    match layout::frame(model.size).width {
        Width::TooSmall => too_small(&canvas, buf),
        _ if model.look.reader => reader::draw(&canvas, buf),
        _ => scene(&canvas, true, buf),
    }
    if theme.evens() {
        even(buf, theme);
    }
    if canvas.glyphs.ascii {
        to_ascii(buf);
    }
}

/// Gives each reversed row one colour, so that no word in it has a ground of its own. A short run is a badge, which
/// keeps its colour.
fn even(buf: &mut Buffer, theme: &Theme) {
    const ROW_MIN: usize = 20;
    let text = theme.role(Role::Text).fg.unwrap_or_default();
    let width = usize::from(buf.area.width).max(1);
    let is_reversed = |cell: &Cell| cell.modifier.contains(Modifier::REVERSED);
    for row in buf.content.chunks_mut(width) {
        for run in row.chunk_by_mut(|a, b| is_reversed(a) == is_reversed(b)) {
            if run.len() >= ROW_MIN && is_reversed(&run[0]) && run.iter().any(|cell| cell.fg != run[0].fg) {
                run.iter_mut().for_each(|cell| cell.fg = text);
            }
        }
    }
}

/// The position of the terminal's own cursor; None unless a screen reader is used.
pub fn cursor_of(model: &Model) -> Option<(u16, u16)> {
    let shown = model.look.reader && layout::frame(model.size).width != Width::TooSmall;
    if shown { reader::cursor(model) } else { None }
}

/// True if the screen as drawn shows everything that the view holds.
pub(super) fn shows_all(model: &Model) -> bool {
    !model.look.reader || reader::shows_all(model)
}

/// The view, if it is to be seen, and what lies over it.
fn scene(canvas: &Canvas<'_>, with_view: bool, buf: &mut Buffer) {
    let model = canvas.model;
    let frame = layout::frame(model.size);
    frame::header(canvas, frame.header, buf);
    if with_view {
        view(canvas, buf);
    }
    status::draw(canvas, frame.status, buf);
    frame::keys(canvas, frame.keys, buf);
    frame::prompt(canvas, frame.body, buf);
    overlay(canvas, frame.body, buf);
}

fn view(canvas: &Canvas<'_>, buf: &mut Buffer) {
    match canvas.model.view {
        View::Runs => runs::draw::draw(canvas, buf),
        View::Dag => graph::draw::draw(canvas, buf),
        View::Gates => gates::draw::draw(canvas, buf),
        View::Errors => errors::draw::draw(canvas, buf),
        View::Health => health::draw::draw(canvas, buf),
        View::Logs => logs::draw::draw(canvas, buf),
        View::Time => time::draw::draw(canvas, buf),
        View::Audit => audit::draw::draw(canvas, buf),
        View::Agents => agents::draw::draw(canvas, buf),
        View::Tools => tools::draw::draw(canvas, buf),
    }
}

/// The phases of the sign of a running step; the first is the sign itself.
pub const SPINNER: [&str; 4] = ["►", "▻", "▹", "▻"];

/// The cells in which a sign of something that runs stands, at most so many: where it turns, while it may. Nothing turns in
/// the past, on a frozen screen, without Unicode and where nothing may move.
pub fn running_cells(model: &Model, theme: &Theme, buf: &Buffer) -> Vec<(u16, u16)> {
    const MOST: usize = 64;
    let stands = model.past.travel.is_some() || model.past.frozen.is_some() || model.look.still;
    if stands || model.look.reader || model.look.glyphs.ascii {
        return Vec::new();
    }
    let body = layout::frame(model.size).body;
    let mut sign = Cell::default();
    sign.set_style(theme.ground().patch(theme.role(Role::Info)));
    let turns = |&(x, y): &(u16, u16)| {
        buf.cell((x, y)).is_some_and(|cell| {
            cell.symbol() == SPINNER[0] && cell.fg == sign.fg && cell.modifier.contains(sign.modifier)
        })
    };
    let cells = body.positions().map(|position| (position.x, position.y));
    cells.filter(turns).take(MOST).collect()
}

/// Draws the windows over the view. A toast never covers a question that waits for an answer. A screen reader
/// announces toasts separately.
fn overlay(canvas: &Canvas<'_>, body: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let answers = matches!(model.overlay, Some(Overlay::Dialog(_) | Overlay::Leaving(_)));
    let says = !model.look.reader;
    if answers && says {
        frame::toasts(canvas, body, buf);
    }
    match &model.overlay {
        Some(Overlay::Dialog(dialog)) => dialog::draw::draw(canvas, dialog, body, buf),
        Some(Overlay::Palette(palette)) => palette::draw::draw(canvas, palette, body, buf),
        Some(Overlay::Help(state)) => help::draw::draw(canvas, state, body, buf),
        Some(Overlay::Menu { selected }) => popup::draw::menu(canvas, *selected, body, buf),
        Some(Overlay::Launch(form)) => launching::draw::draw(canvas, form, body, buf),
        Some(Overlay::Leaving(leaving)) => leaving::draw::draw(canvas, leaving, body, buf),
        Some(Overlay::Text(sheetlet)) => popup::draw::text(canvas, sheetlet, body, buf),
        None => popup::draw::continuations(canvas, body, buf),
    }
    if !answers && says {
        frame::toasts(canvas, body, buf);
    }
}

/// The last word for terminals without other signs: whatever is left of them, also in foreign text, becomes ASCII.
pub(super) fn to_ascii(buf: &mut Buffer) {
    for cell in buf.content.iter_mut().filter(|value| !value.symbol().is_ascii()) {
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
    let theme = model.look.themes.find(&model.look.theme).unwrap_or_default();
    to_svg(&drawn(model, &theme), &theme)
}

fn drawn(model: &Model, theme: &Theme) -> Buffer {
    let (width, height) = model.screen();
    let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
    draw(model, theme, &mut buf);
    buf
}

fn too_small(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let (width, height) = canvas.model.size;
    let (least_width, least_height) = layout::LEAST;
    let gates = canvas.model.board.open_gates().count();
    let text = format!(
        "needs {least_width}x{least_height}, has {width}x{height}   {}",
        counted(gates, "gate waits", "gates wait")
    );
    let area = buf.area;
    put(buf, area, 0, height / 2, &text, canvas.style(Role::Warn));
}

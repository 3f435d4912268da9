//! The question on the way out: what is open, and what becomes of it.

use crate::{
    Intent, Role, Scope, centred, dialog,
    model::Leaving,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{plural, safe_text};
use ratatui::{buffer::Buffer, layout::Rect};

const WIDTH: u16 = 72;

pub(crate) fn draw(canvas: &Canvas<'_>, leaving: &Leaving, body: Rect, buf: &mut Buffer) {
    let width = WIDTH.min(body.width);
    let room = usize::from(width).saturating_sub(6);
    let lines = match &leaving.stop {
        None => question(canvas, room),
        Some(typed) => {
            let mut lines = stop(canvas, room);
            let cursor = canvas.glyphs.pick('▏', '_');
            let shown = safe_text(&typed.shown(room.saturating_sub(2), cursor));
            lines.push(vec![(format!("[{shown:<width$}]", width = room - 2), canvas.style(Role::Text))]);
            lines.push(Vec::new());
            lines.push(choice(canvas, Intent::Escape, "back"));
            lines
        }
    };
    let height = u16::try_from(lines.len() + 4).unwrap_or(u16::MAX);
    let area = centred(body, width, height);
    let inside = dialog(buf, area, "Leave?", canvas.pane(true));
    for (row, line) in lines.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0) + u16::from(inside.height > 10);
        put_pieces(buf, inside, (inside.x + 2, y), line, canvas.glyphs);
    }
}

/// The open runs and gates, in words.
fn open_words(canvas: &Canvas<'_>) -> String {
    let board = &canvas.model.board;
    let open = board.open_runs().count();
    let gates = board.open_gates().count();
    let mut text = format!("{open} {} open here", plural(open, "run is", "runs are"));
    if gates > 0 {
        text.push_str(&format!("; {gates} {} for a person", plural(gates, "gate waits", "gates wait")));
    }
    text
}

fn question(canvas: &Canvas<'_>, room: usize) -> Vec<Pieces> {
    let mut lines: Vec<Pieces> = wrapped(&open_words(canvas), room)
        .into_iter()
        .map(|text| vec![(text, canvas.style(Role::Text))])
        .collect();
    lines.push(Vec::new());
    lines.push(choice(canvas, Intent::Escape, "stay"));
    lines.push(choice(canvas, Intent::Detach, "leave; the runs go on, `cuelight` opens this screen again"));
    lines.push(choice(
        canvas,
        Intent::Stop,
        "stop the engine; all runs stop until it starts again (asks first)",
    ));
    lines
}

fn stop(canvas: &Canvas<'_>, room: usize) -> Vec<Pieces> {
    let text = format!(
        "{}. The engine ends the calls that are being made; until somebody starts it again, nothing goes on, no gate can \
         be answered and no time limit is kept.",
        open_words(canvas)
    );
    let mut lines: Vec<Pieces> =
        wrapped(&text, room).into_iter().map(|text| vec![(text, canvas.style(Role::Warn))]).collect();
    lines.push(Vec::new());
    let ask = format!("type  {}  and then Enter", safe_text(&canvas.model.seat.stop_words()));
    lines.push(vec![(ask, canvas.style(Role::Text))]);
    lines
}

fn choice(canvas: &Canvas<'_>, intent: Intent, what: &str) -> Pieces {
    let key = canvas.model.keys.keys_of(Scope::Leave, intent).unwrap_or_default();
    vec![(format!("{key:<5}"), canvas.style(Role::Title)), (what.to_owned(), canvas.style(Role::Text))]
}

//! Agents: who does the work. None can sign in before there is a door for them; until then this says what will stand here.

use super::{Canvas, main_pane, pieces::wrapped};
use crate::console::{Intent, Role, layout, put};
use ratatui::buffer::Buffer;

pub(super) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let body = layout::frame(model.size).body;
    let inside = main_pane(canvas, body, "agents  none has signed in", "", buf);
    let key = |intent| model.keys.keys_of(model.view.scope(), intent).unwrap_or_default();
    let tools = format!("{}tools", key(Intent::Palette));
    let runs = key(Intent::ViewRuns);
    let told = [
        "no agent has signed in",
        "an agent is a program that takes steps over: it signs in with a name and what it can do, tells every \
         few seconds that it is there, and is given work that fits.",
        "here will stand: its name and kind, what it does now, its slots, when it was last heard of, what it has \
         done and how well, and which of its steps went to others when it was lost.",
        "until then every step runs on this machine:",
    ];
    let width = usize::from(inside.width.saturating_sub(6)).max(8);
    let mut lines: Vec<String> = Vec::new();
    for text in told {
        lines.extend(wrapped(text, width));
        lines.push(String::new());
    }
    lines.push(format!("{tools:<8} the kinds of steps that have run, how long and how well"));
    lines.push(format!("{runs:<8} the runs"));
    for (index, (line, y)) in lines.iter().zip(inside.y + 1..inside.bottom()).enumerate() {
        let role = if index == 0 { Role::Text } else { Role::Muted };
        put(buf, inside, inside.x + 3, y, &canvas.glyphs.fit(line, width), canvas.style(role));
    }
}

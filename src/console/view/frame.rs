//! The frame around every view: header, key line, input line, and toasts.

use super::{
    canvas::Canvas,
    pieces::{Pieces, put_pieces, width_of},
};
use crate::{
    Hint, Intent, Model, Reaction, Role, View,
    actions::refusal,
    fill,
    gates::answers::{ANSWERS, offered, refusal_seen},
    layout,
    model::{Danger, Overlay, PromptKind},
    put, put_right,
    searches::problem,
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use unicode_width::UnicodeWidthStr;

/// Environment, views, and on wide screens the name, the place and the date.
pub(super) fn header(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let wide = area.width >= 140;
    let mut x = area.x;
    if wide {
        x = put(buf, area, x, area.y, " cuelight ", canvas.style(Role::Title));
    }
    x = put(buf, area, x, area.y, &layout::badge(model), badge_style(canvas));
    if wide {
        x = put(buf, area, x, area.y, &format!(" {} ", layout::place(model)), canvas.style(Role::Muted));
        put(buf, area, x, area.y, canvas.glyphs.pick("│", "|"), canvas.style(Role::Border));
    }
    for tab in layout::tabs(model) {
        let selected = tab.view == model.view;
        let style = if selected {
            canvas.style(Role::BorderFocus).add_modifier(Modifier::REVERSED)
        } else {
            canvas.style(Role::Muted)
        };
        let edges = canvas.glyphs.pick(("▐", "▌"), ("[", "]"));
        let edges = if selected { edges } else { (" ", " ") };
        let edge_style = if canvas.glyphs.ascii { style } else { canvas.style(Role::BorderFocus) };
        let x = put(buf, area, tab.x, area.y, edges.0, edge_style);
        let x = put(buf, area, x, area.y, &tab.text, style);
        put(buf, area, x, area.y, edges.1, edge_style);
    }
    if wide {
        let date = model.clock.to_utc().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let date = if model.moves() { date } else { String::new() };
        put_right(buf, area, area.right().saturating_sub(1), area.y, &date, canvas.style(Role::Muted));
    } else if area.width >= 100 {
        put_right(
            buf,
            area,
            area.right().saturating_sub(1),
            area.y,
            &layout::place(model),
            canvas.style(Role::Muted),
        );
    }
}

fn badge_style(canvas: &Canvas<'_>) -> Style {
    canvas.style(match canvas.model.seat.danger {
        Danger::Production => Role::EnvProd,
        Danger::Staging => Role::EnvStage,
        Danger::Development => Role::EnvDev,
    })
}

/// The last row: what can be pressed now, in the order of the key table, as far as it fits.
pub(crate) fn keys(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let model = canvas.model;
    let wide = area.width >= 140;
    let mut line: Pieces = vec![(" ".to_owned(), canvas.style(Role::Text))];
    let typed: String = crate::keymap::shown(&model.keyboard.typed);
    let count = model.keyboard.count.map_or_else(String::new, |count| count.to_string());
    if !typed.is_empty() || !count.is_empty() {
        line.push((format!("{count}{typed}… "), canvas.style(Role::Warn)));
    }
    for hint in model.keys.line(model.scope()) {
        if !hint.intents.iter().any(|intent| can_be_meant(model, *intent)) {
            continue;
        }
        let keys = keys_of_hint(canvas, hint);
        let word = if wide { long_word(hint) } else { hint.word.clone() };
        let room = usize::from(area.width).saturating_sub(width_of(&line));
        if keys.width() + word.width() + 2 > room {
            break;
        }
        // What would be refused stands there without its light; the menu says why.
        let off = hint.intents.iter().all(|intent| is_refused(model, *intent));
        line.push((keys, canvas.style(if off { Role::Muted } else { Role::Title })));
        line.push((format!(" {word}"), canvas.style(Role::Muted)));
        line.push((if wide { "   " } else { "  " }.to_owned(), canvas.style(Role::Muted)));
    }
    put_pieces(buf, area, (area.x, area.y), &line, canvas.glyphs);
}

/// True if a key applies to the row under the cursor: an answer to another kind of question does not.
fn can_be_meant(model: &Model, intent: Intent) -> bool {
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        // A key for yes that would be typed into a field is no yes; Enter alone never does it.
        return match intent {
            Intent::Yes => dialog.gives(Reaction::Yes) && !dialog.wants_text(),
            Intent::Submit => dialog.gives(Reaction::Enter),
            _ => true,
        };
    }
    model.view != View::Gates || !ANSWERS.contains(&intent) || offered(model).contains(&intent)
}

/// True if the command is known to be refused.
fn is_refused(model: &Model, intent: Intent) -> bool {
    if ANSWERS.contains(&intent) {
        refusal_seen(model, intent).is_some()
    } else {
        refusal(model, intent).is_some()
    }
}

fn long_word(hint: &Hint) -> String {
    if hint.word == "cmd" { "command".to_owned() } else { hint.word.clone() }
}

fn keys_of_hint(canvas: &Canvas<'_>, hint: &Hint) -> String {
    let model = canvas.model;
    let keys: Vec<String> =
        hint.intents.iter().filter_map(|intent| model.keys.keys_of(model.scope(), *intent)).collect();
    let shown = if keys.iter().all(|key| key.chars().count() == 1) { keys.concat() } else { keys.join(" ") };
    ascii_keys(canvas, &shown)
}

/// Key signs for terminals without them.
pub(crate) fn ascii_keys(canvas: &Canvas<'_>, keys: &str) -> String {
    if !canvas.glyphs.ascii {
        return keys.to_owned();
    }
    let mut out = String::new();
    for c in keys.chars() {
        match c {
            '⏎' => out.push_str("Enter"),
            '⌫' => out.push_str("BS"),
            '↑' => out.push_str("Up"),
            '↓' => out.push_str("Down"),
            '←' => out.push_str("Left"),
            '→' => out.push_str("Right"),
            c => out.push(c),
        }
    }
    out
}

/// Draws the input line over the last row of the body.
pub(super) fn prompt(canvas: &Canvas<'_>, body: Rect, buf: &mut Buffer) {
    let Some(prompt) = &canvas.model.prompt else { return };
    let (lead, hint) = match prompt.kind {
        PromptKind::Find => ("/", "text or ~pattern; n N go on"),
        PromptKind::Filter if canvas.model.view == View::Logs => {
            ("&", "level:warn source:engine   text or ~pattern   ! inverts")
        }
        PromptKind::Filter if canvas.model.view == View::Errors => {
            ("&", "level: state: run: type: mode: step: workflow:   ! inverts   ~pattern")
        }
        PromptKind::Filter if canvas.model.view == View::Audit => {
            ("&", "run: by: type: verdict: channel: step:   ! inverts   * any   ~pattern")
        }
        PromptKind::Filter => ("&", "state: run: workflow: by: risk: age<1h   ! inverts   * any   ~pattern"),
        PromptKind::Compare => ("with ", "r-7, an event's number, 11:54:09, or nothing: live"),
        PromptKind::Remark => ("say ", "to all who look at this gate"),
    };
    let row = Rect::new(body.x, body.bottom().saturating_sub(1), body.width, 1);
    fill(buf, row, canvas.theme.ground().patch(canvas.style(Role::Select)));
    let x = put(buf, row, row.x + 1, row.y, lead, canvas.style(Role::Title));
    let cursor = canvas.glyphs.pick('▏', '_');
    let room = usize::from(row.right().saturating_sub(x));
    let x = put(buf, row, x, row.y, &prompt.field.shown(room, cursor), canvas.style(Role::Text));
    let problem = problem(canvas.model, prompt);
    let (hint, role) = problem.as_deref().map_or((hint, Role::Muted), |why| (why, Role::Fail));
    if problem.is_some() || usize::from(row.right().saturating_sub(x)) > hint.width() + 2 {
        put_right(buf, row, row.right().saturating_sub(1), row.y, hint, canvas.style(role));
    }
}

/// Draws recent messages at the lower right.
pub(super) fn toasts(canvas: &Canvas<'_>, body: Rect, buf: &mut Buffer) {
    let above = u16::from(canvas.model.prompt.is_some());
    for (index, toast) in canvas.model.notices.toasts.iter().rev().enumerate() {
        let Ok(index) = u16::try_from(index) else { break };
        let Some(y) = body.bottom().checked_sub(1 + above + index).filter(|bottom| *bottom >= body.y) else {
            break;
        };
        let room = usize::from(body.width).saturating_sub(6);
        let text = format!(" {} ", canvas.glyphs.fit(&toast.text, room));
        let width = u16::try_from(text.width()).unwrap_or(body.width);
        let area = Rect::new(body.right().saturating_sub(width + 2), y, width.min(body.width), 1);
        fill(buf, area, canvas.theme.ground());
        let style = canvas.style(toast.role).add_modifier(Modifier::REVERSED);
        put(buf, area, area.x, y, &text, style);
    }
}

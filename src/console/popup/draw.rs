//! Menus and texts over the view, and what can follow a key that was typed.

use crate::{
    Intent, Role,
    actions::rows_of_menu,
    centred, fill, layout,
    model::Sheetlet,
    pane, put,
    view::{
        canvas::Canvas,
        frame::ascii_keys,
        pieces::{Pieces, put_pieces},
    },
};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr;

/// Draws the actions for the selection; a refused one is grey, with the reason.
pub(crate) fn menu(canvas: &Canvas<'_>, selected: usize, body: Rect, buf: &mut Buffer) {
    let rows = rows_of_menu(canvas.model);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2).min(body.height);
    let area = centred(body, 76.min(body.width.saturating_sub(4)), height);
    fill(buf, area, canvas.theme.ground());
    let title = match (canvas.model.run(), canvas.model.step()) {
        (Some(run), Some(step)) => {
            let id = canvas.model.board.run(run).map_or_else(String::new, |run| run.step_id(step));
            format!("actions · {run} {id}")
        }
        (Some(run), None) => format!("actions · {run}"),
        (None, _) => "actions".to_owned(),
    };
    let inside = pane(buf, area, &title, "Enter does it, Esc closes", canvas.pane(true));
    for (index, row) in rows.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        let base = select_row(canvas, Rect { y, height: 1, ..inside }, index == selected, buf);
        let off = row.refused.is_some();
        let role = if off { Role::Muted } else { Role::Text };
        let what = row
            .refused
            .clone()
            .map_or_else(|| row.intent.what().to_owned(), |refused| cuelight_base::safe_text(&refused));
        let line: Pieces = vec![
            (format!(" {:<5}", ascii_keys(canvas, &row.key)), base.patch(canvas.style(Role::Title))),
            (format!("{:<13}", row.intent.short()), base.patch(canvas.style(role))),
            (format!("{}  ", level_word(row.intent)), base.patch(canvas.style(Role::Muted))),
            (what, base.patch(canvas.style(if off { Role::Warn } else { Role::Muted }))),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

fn level_word(intent: Intent) -> String {
    intent.level().to_string()
}

/// The row under the cursor of a list; returns the style that everything in it lies on.
pub(crate) fn select_row(
    canvas: &Canvas<'_>,
    row: Rect,
    selected: bool,
    buf: &mut Buffer,
) -> ratatui::style::Style {
    let base = if selected { canvas.style(Role::Select) } else { ratatui::style::Style::new() };
    if selected {
        fill(buf, row, canvas.theme.ground().patch(base));
    }
    base
}

/// A text over the view.
pub(crate) fn text(canvas: &Canvas<'_>, sheet: &Sheetlet, body: Rect, buf: &mut Buffer) {
    let widest =
        sheet.lines.iter().map(|(line, _)| line.width()).max().unwrap_or(0).max(sheet.title.width() + 4);
    let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).clamp(30, body.width.saturating_sub(4).max(30));
    let most = layout::popup_height(canvas.model.size.1);
    let height = u16::try_from(sheet.lines.len() + 2).unwrap_or(u16::MAX).clamp(3, most);
    let area = centred(body, width, height);
    fill(buf, area, canvas.theme.ground());
    let inside = pane(buf, area, &sheet.title, "Esc close", canvas.pane(true));
    for (row, (line, role)) in sheet.lines.iter().skip(sheet.top).take(usize::from(inside.height)).enumerate()
    {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let room = usize::from(inside.width).saturating_sub(2);
        put(buf, inside, inside.x + 1, y, &canvas.glyphs.fit(line, room), canvas.style(*role));
    }
}

/// Draws the possible continuations of a prefix key.
pub(crate) fn continuations(canvas: &Canvas<'_>, body: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    if !model.shows_continuations() {
        return;
    }
    let rows = match model.places.letter {
        Some(_) => {
            model.places.marks.iter().map(|(name, place)| (name.to_string(), place.view.name())).collect()
        }
        None => {
            let follows = model.keys.continuations(model.scope(), &model.keyboard.typed);
            follows.into_iter().map(|(keys, intent)| (keys, intent.what())).collect::<Vec<_>>()
        }
    };
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(body.height);
    let width = 34.min(body.width);
    let area = Rect::new(body.right() - width, body.bottom().saturating_sub(height), width, height);
    fill(buf, area, canvas.theme.ground());
    let inside = pane(buf, area, &crate::keymap::shown(&model.keyboard.typed), "", canvas.pane(true));
    for (index, (keys, what)) in rows.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        let x = put(buf, inside, inside.x + 1, y, &format!("{keys:<4}"), canvas.style(Role::Title));
        put(buf, inside, x, y, what, canvas.style(Role::Muted));
    }
}

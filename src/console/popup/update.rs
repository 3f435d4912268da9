//! Help, menus and texts over the view: moving in them, and what Enter does.

use crate::{
    Intent, Model, Press, Role, Wish,
    actions::rows_of_menu,
    help,
    keymap::digit,
    layout,
    model::{Overlay, Sheetlet},
    text::wrapped,
    update::{moving, toast},
};

/// Moves in what lies over the view; returns the command that was chosen there.
pub(crate) fn act(
    model: &mut Model,
    intent: Intent,
    count: Option<u32>,
    wishes: &mut Vec<Wish>,
) -> Option<Intent> {
    if let Some(Overlay::Help(_)) = model.overlay {
        return help::update::act(model, intent, count, wishes);
    }
    if intent == Intent::Escape || intent == Intent::No {
        model.overlay = None;
        return None;
    }
    let rows = rows_of_menu(model);
    let page = usize::from(layout::popup_rows(model.size));
    match &mut model.overlay {
        Some(Overlay::Menu { selected }) => {
            if let Some(to) = moving::moved(intent, *selected, rows.len(), page, count) {
                *selected = to;
            } else if intent == Intent::Submit
                && let Some(row) = rows.get(*selected)
            {
                let chosen = row.intent;
                model.overlay = None;
                return Some(chosen);
            }
        }
        Some(Overlay::Text(sheet)) => {
            let last = sheet.lines.len().saturating_sub(page);
            match moving::moved(intent, sheet.top, last + 1, page, count) {
                Some(to) => sheet.top = to,
                None if intent == Intent::Submit => model.overlay = None,
                None if intent == Intent::CopyId => {
                    let text: Vec<&str> = sheet.lines.iter().map(|(line, _)| line.as_str()).collect();
                    wishes.push(Wish::Copy(text.join("\n")));
                    toast(model, "copied as text", Role::Info);
                }
                None => {}
            }
        }
        Some(
            Overlay::Dialog(_)
            | Overlay::Help(_)
            | Overlay::Palette(_)
            | Overlay::Launch(_)
            | Overlay::Leaving(_),
        )
        | None => {}
    }
    None
}

/// A screen that is read out numbers the choices of a menu: the number chooses, and Enter does
/// it. False for any other key.
pub(crate) fn chooses(model: &mut Model, press: Press) -> bool {
    let Some(Overlay::Menu { selected }) = &mut model.overlay else { return false };
    let Some(number) = digit(press).filter(|digit| model.look.reader && *digit > 0) else { return false };
    *selected = usize::try_from(number - 1).unwrap_or(usize::MAX);
    true
}

/// `@`: the requests of this console, as command lines, the newest last.
pub(crate) fn show_log(model: &mut Model) {
    let mut lines: Vec<(String, Role)> = Vec::new();
    for asked in &model.requests.asked {
        lines.push((format!("{}  {}", asked.at.clock(), asked.command_line), Role::Text));
        lines.push((format!("          {}", asked.outcome), Role::Muted));
    }
    if lines.is_empty() {
        lines.push(("nothing was asked from here yet".to_owned(), Role::Muted));
    }
    let page = usize::from(layout::popup_rows(model.size));
    let top = lines.len().saturating_sub(page);
    model.overlay =
        Some(Overlay::Text(Sheetlet { title: "what was asked, as command lines".to_owned(), lines, top }));
}

/// Shows a note that its reader must see, broken into lines that fit, since its end may matter.
pub(crate) fn show_note(model: &mut Model, title: &str, text: &str) {
    const AROUND: u16 = 8;
    let width = usize::from(model.size.0.saturating_sub(AROUND)).max(16);
    let lines: Vec<String> =
        text.lines().flat_map(|line| wrapped(&cuelight_base::safe_text(line), width)).collect();
    show_text(model, title, &lines.join("\n"), Role::Warn);
}

/// A text over the view, line by line; it may be foreign.
pub(crate) fn show_text(model: &mut Model, title: &str, text: &str, role: Role) {
    const LINES_MAX: usize = 1_000;
    let lines = text.lines().take(LINES_MAX).map(|line| (cuelight_base::safe_text(line), role)).collect();
    model.overlay = Some(Overlay::Text(Sheetlet { title: title.to_owned(), lines, top: 0 }));
}

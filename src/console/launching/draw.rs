//! The form in which a workflow is started: file, inputs with type and default, what is wrong, and the button.

use crate::{
    Role, centred, dialog, fill, layout,
    model::{LaunchForm, LaunchInput},
    put,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{safe_text, shorten};
use ratatui::{buffer::Buffer, layout::Rect};

/// Cells for the names of inputs.
const NAMES: usize = 18;
/// Files that are listed.
const FILES_MAX: usize = 12;
/// Problems that are told.
const PROBLEMS_MAX: usize = 4;

pub(crate) fn draw(canvas: &Canvas<'_>, form: &LaunchForm, body: Rect, buf: &mut Buffer) {
    let width = body.width.saturating_sub(4).min(96);
    let rows = form.inputs.len().max(if form.name.is_empty() { form.files.len().min(FILES_MAX) } else { 0 });
    let height = u16::try_from(rows + 11).unwrap_or(u16::MAX).clamp(12, body.height.max(12));
    let area = centred(body, width, height);
    let title = match form.name.as_str() {
        "" => "New run".to_owned(),
        name => format!("New run {} {}", canvas.glyphs.pick("·", "-"), safe_text(&shorten(name, 60))),
    };
    let inside = layout::inset(dialog(buf, area, &title, canvas.pane(true)), 2, 1, 0);
    let problems = problems(canvas, form, usize::from(inside.width));
    let below = u16::try_from(problems.len() + 3).unwrap_or(3);
    let (fields, foot) = layout::split_down(inside, inside.height.saturating_sub(below));
    file(canvas, form, fields, buf);
    inputs(canvas, form, layout::inset(fields, 0, 3, 0), buf);
    for (y, line) in (foot.y + 1..foot.bottom()).zip(&problems) {
        put_pieces(buf, foot, (foot.x, y), line, canvas.glyphs);
    }
    button(canvas, form, Rect { y: foot.bottom().saturating_sub(1), height: 1, ..foot }, buf);
}

/// The file, and under it what it is for, or which others there are.
fn file(canvas: &Canvas<'_>, form: &LaunchForm, area: Rect, buf: &mut Buffer) {
    row(canvas, (area, area.y), "workflow", &form.path, form.focus == 0, "Tab: the next file", buf);
    let under = match (form.about.as_str(), form.files.len()) {
        ("", _) if !form.name.is_empty() => String::new(),
        ("", 0) => "no workflow is here or in .cuelight/workflows; a path of any file will do".to_owned(),
        ("", _) => "Tab chooses one of these:".to_owned(),
        (about, _) => about.lines().next().unwrap_or_default().to_owned(),
    };
    let under = canvas.glyphs.fit(&safe_text(&under), usize::from(area.width).saturating_sub(NAMES));
    let x = area.x + u16::try_from(NAMES).unwrap_or(0);
    put(buf, area, x, area.y + 1, &under, canvas.style(Role::Muted));
}

/// The files that can be started, those first that have in their names what is typed.
fn files(canvas: &Canvas<'_>, form: &LaunchForm, area: Rect, buf: &mut Buffer) {
    let typed = form.path.text().trim();
    let (fitting, others): (Vec<&String>, Vec<&String>) =
        form.files.iter().partition(|file| file.contains(typed));
    let all =
        fitting.iter().map(|file| (file, Role::Text)).chain(others.iter().map(|file| (file, Role::Muted)));
    for (y, (file, role)) in (area.y..area.bottom()).zip(all) {
        let shown = canvas.glyphs.fit(&safe_text(file), usize::from(area.width));
        put(buf, area, area.x, y, &shown, canvas.style(role));
    }
}

fn inputs(canvas: &Canvas<'_>, form: &LaunchForm, area: Rect, buf: &mut Buffer) {
    if form.inputs.is_empty() && !form.name.is_empty() {
        put(buf, area, area.x, area.y, "it asks for nothing", canvas.style(Role::Muted));
    }
    if form.name.is_empty() {
        return files(canvas, form, layout::inset(area, u16::try_from(NAMES).unwrap_or(0), 0, 0), buf);
    }
    let rows = usize::from(area.height).max(1);
    let at = form.focus.saturating_sub(1);
    let top = (at + 1).saturating_sub(rows).min(form.inputs.len().saturating_sub(rows));
    for (y, (index, input)) in (area.y..area.bottom()).zip(form.inputs.iter().enumerate().skip(top)) {
        let focus = form.focus == index + 1;
        row(canvas, (area, y), &input.offered.name, &input.field, focus, &hint(input), buf);
    }
}

/// `integer, default 5, one of 5, 6`
fn hint(input: &LaunchInput) -> String {
    let offered = &input.offered;
    let mut hint = offered.kind.clone();
    if offered.required {
        hint.push_str(", required");
    }
    if let Some(default) = &offered.default {
        hint.push_str(&format!(", default {}", shorten(default, 24)));
    }
    if !offered.choices.is_empty() {
        hint.push_str(&format!(", one of {}", shorten(&offered.choices.join(", "), 40)));
    }
    if !offered.about.is_empty() {
        hint.push_str(&format!(": {}", offered.about));
    }
    safe_text(&hint)
}

/// A name, what is typed, and at the right what it takes.
fn row(
    canvas: &Canvas<'_>,
    (area, y): (Rect, u16),
    name: &str,
    field: &crate::Field,
    focus: bool,
    hint: &str,
    buf: &mut Buffer,
) {
    let name = canvas.glyphs.fit(&safe_text(name), NAMES - 2);
    put(buf, area, area.x, y, &name, canvas.style(if focus { Role::Title } else { Role::Muted }));
    let x = area.x + u16::try_from(NAMES).unwrap_or(0);
    let room = usize::from(area.right().saturating_sub(x));
    let typed = room * 45 / 100;
    let cells = Rect::new(x, y, u16::try_from(typed).unwrap_or(0), 1).intersection(area);
    let look = canvas.style(if focus { Role::Select } else { Role::Text });
    fill(buf, cells, canvas.theme.ground().patch(look));
    let text = if focus {
        field.shown(typed, canvas.glyphs.pick('▏', '_'))
    } else if field.text().is_empty() {
        canvas.glyphs.pick("·", "_").repeat(typed.min(12))
    } else {
        canvas.glyphs.fit(&safe_text(field.text()), typed)
    };
    put(buf, cells, cells.x, y, &text, look);
    let hint = canvas.glyphs.fit(hint, room.saturating_sub(typed + 2));
    put(buf, area, cells.right() + 2, y, &hint, canvas.style(Role::Muted));
}

fn problems(canvas: &Canvas<'_>, form: &LaunchForm, width: usize) -> Vec<Pieces> {
    let mut lines: Vec<Pieces> = Vec::new();
    for problem in form.problems.iter().filter(|_| !form.path.text().is_empty()) {
        for part in wrapped(&safe_text(problem), width.saturating_sub(2).max(1)) {
            lines.push(vec![("! ".to_owned(), canvas.style(Role::Warn)), (part, canvas.style(Role::Text))]);
        }
    }
    lines.truncate(PROBLEMS_MAX);
    lines
}

fn button(canvas: &Canvas<'_>, form: &LaunchForm, area: Rect, buf: &mut Buffer) {
    let focus = form.focus == form.inputs.len() + 1;
    let ready = form.problems.is_empty() && !form.path.text().is_empty();
    let role = match (focus, ready) {
        (true, _) => Role::Select,
        (false, true) => Role::Text,
        (false, false) => Role::Muted,
    };
    let x = put(buf, area, area.x, area.y, "[ Start ]", canvas.style(role));
    let text = if !ready && !form.path.text().is_empty() { "not yet: see above" } else { "" };
    let model = canvas.model;
    let on = format!("on {} as {}   {text}", model.seat.environment, model.seat.actor.name);
    put(
        buf,
        area,
        x + 3,
        area.y,
        &canvas.glyphs.fit(&on, usize::from(area.width).saturating_sub(14)),
        canvas.style(Role::Muted),
    );
}

//! A dialog over the view: what it is about, what would happen, what has to be typed, Back first.

use crate::{
    About, Dialog, DialogField, Focus, Level, Preview, Proof, Role, View, centred, dialog, layout,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, width_of, wrapped},
    },
};
use cuelight_base::{counted, safe_text};
use ratatui::{buffer::Buffer, layout::Rect, style::Modifier};

/// The widest a dialog is.
const WIDTH_MAX: u16 = 84;
/// Cells of the names of facts.
const NAME: usize = 11;
/// Rows of a fact that stays; the rest folds, and stands whole in the ask.
const STAYING_ROWS_MAX: usize = 2;
/// Rows below a dialog that shows the end of the ask: its name, the code, and the frame.
const CODE_ROWS: u16 = 3;
/// On lower screens a dialog has all rows.
const HEIGHT_WITH_CODE_MIN: u16 = 18;
/// Rows of the fields: one field, and which one of how many it is.
const FIELD_ROWS_MIN: usize = 2;

pub(crate) fn draw(canvas: &Canvas<'_>, this_dialog: &Dialog, body: Rect, buf: &mut Buffer) {
    // An answer stands beside the ask where there is room: both are read together.
    let beside = match this_dialog.about {
        About::Gate(_) if canvas.model.view == View::Gates => layout::gates(canvas.model).side,
        _ => None,
    };
    let body = beside.unwrap_or(body);
    let most = if beside.is_some() { body.width } else { body.width.saturating_sub(8) };
    let width = WIDTH_MAX.min(most).max(40.min(body.width));
    let room = usize::from(width).saturating_sub(6);
    let (mut known, fields, end) =
        (known(canvas, this_dialog, room), fields(canvas, this_dialog, room), end(canvas, this_dialog, room));
    let rows = known.len() + fields.len() + end.len() + 2;
    let is_over_ask = matches!(this_dialog.about, About::Gate(_)) && canvas.model.view == View::Gates;
    // The code that it asks for stands in the last line of the ask.
    let below =
        if is_over_ask && beside.is_none() && body.height >= HEIGHT_WITH_CODE_MIN { CODE_ROWS } else { 0 };
    let height = u16::try_from(rows).unwrap_or(u16::MAX).min(body.height - below);
    let mut area = centred(body, width, height);
    match beside {
        Some(_) => area.y = body.bottom() - area.height,
        None if is_over_ask => area.y = body.y,
        None => {}
    }
    let inside = dialog(buf, area, &safe_text(&this_dialog.title), canvas.pane(true));
    let rows = usize::from(inside.height).saturating_sub(end.len());
    let mut stays = known.iter().filter(|known| known.stays).count();
    if stays + 1 + FIELD_ROWS_MIN > rows {
        known.iter_mut().for_each(|known| known.stays &= known.is_first);
        stays = known.iter().filter(|known| known.stays).count();
    }
    let fields = paged(canvas, this_dialog, fields, rows.saturating_sub(stays + 1).max(FIELD_ROWS_MIN));
    let known = fitted(canvas, known, rows.saturating_sub(fields.len()));
    for (row, line) in known.iter().chain(&fields).chain(&end).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        put_pieces(buf, inside, (inside.x + 2, y), line, canvas.glyphs);
    }
}

/// A row of what is known.
struct Known {
    pieces: Pieces,
    /// True if the line is drawn however small the screen is.
    stays: bool,
    /// True if a fact begins in this line. On the smallest screens only these lines stay.
    is_first: bool,
}

impl From<Pieces> for Known {
    fn from(pieces: Pieces) -> Self {
        Self { pieces, stays: false, is_first: false }
    }
}

/// The lines of a dialog that fit into so many rows. Empty rows are dropped first, then the first of those
/// that need not stay; one row counts them. The proof to type and the way out are never dropped.
fn fitted(canvas: &Canvas<'_>, mut known: Vec<Known>, rows: usize) -> Vec<Pieces> {
    if known.len() > rows {
        known.retain(|known| !known.pieces.is_empty());
    }
    if known.len() > rows {
        let stays = known.iter().filter(|known| known.stays).count();
        let mut others = rows.saturating_sub(stays + 1);
        let mut gone = Vec::new();
        known = known
            .into_iter()
            .enumerate()
            .filter_map(|(index, known)| {
                let is_shown = known.stays || others > 0;
                if is_shown && !known.stays {
                    others -= 1;
                }
                if !is_shown {
                    gone.push(index);
                }
                is_shown.then_some(known)
            })
            .collect();
        if let Some(first) = gone.first() {
            let dots = canvas.glyphs.pick("…", "...");
            let text = format!("{dots} and {}", counted(gone.len(), "more line", "more lines"));
            known.insert((*first).min(known.len()), vec![(text, canvas.style(Role::Muted))].into());
        }
        known.truncate(rows);
    }
    known.into_iter().map(|known| known.pieces).collect()
}

/// Returns the fields in so many rows: all, or those around the one that has the keys, and a row that says which these are.
fn paged(canvas: &Canvas<'_>, dialog: &Dialog, mut fields: Vec<Pieces>, rows: usize) -> Vec<Pieces> {
    let all = fields.len();
    if all <= rows {
        return fields;
    }
    let shown = rows.saturating_sub(1).max(1);
    let focus = match dialog.focus {
        Focus::Back => 0,
        Focus::Field(index) => index,
        Focus::Proof | Focus::Do => all - 1,
    };
    let first = focus.saturating_sub(shown - 1).min(all - shown);
    fields = fields.drain(first..first + shown).collect();
    let which = if shown == 1 {
        format!("field {}", first + 1)
    } else {
        format!("fields {} to {}", first + 1, first + shown)
    };
    let text = format!("{which} of {all}: Tab shows the others");
    fields
        .push(vec![(format!("{:<NAME$}", ""), canvas.style(Role::Muted)), (text, canvas.style(Role::Info))]);
    fields
}

/// The lines of a dialog: its facts and its preview.
fn known(canvas: &Canvas<'_>, dialog: &Dialog, room: usize) -> Vec<Known> {
    let mut lines: Vec<Known> = vec![Pieces::new().into()];
    for fact in &dialog.facts {
        for (index, part) in
            wrapped(&safe_text(&fact.text), room.saturating_sub(NAME)).into_iter().enumerate()
        {
            let pieces = named(canvas, if index == 0 { &fact.name } else { "" }, part, fact.role);
            lines.push(Known { pieces, stays: fact.stays && index < STAYING_ROWS_MAX, is_first: index == 0 });
        }
    }
    lines.push(Pieces::new().into());
    let then = match &dialog.preview {
        Preview::Asked(_) => vec![named(canvas, "then", "asking the engine…".to_owned(), Role::Muted)],
        Preview::Refused(why) => {
            let parts = wrapped(&safe_text(why), room.saturating_sub(NAME)).into_iter().enumerate();
            parts
                .map(|(index, part)| named(canvas, if index == 0 { "refused" } else { "" }, part, Role::Fail))
                .collect()
        }
        Preview::Known(known) => {
            let parts = known.iter().flat_map(|text| wrapped(&safe_text(text), room.saturating_sub(NAME)));
            let parts = parts.enumerate();
            parts
                .map(|(index, part)| named(canvas, if index == 0 { "then" } else { "" }, part, Role::Text))
                .collect()
        }
    };
    let folds = then.len().saturating_sub(STAYING_ROWS_MAX);
    lines.extend(then.into_iter().enumerate().map(|(index, pieces)| Known {
        pieces,
        stays: index >= folds,
        is_first: index == folds,
    }));
    lines.push(Pieces::new().into());
    lines
}

/// The fields to be filled in, a row each.
fn fields(canvas: &Canvas<'_>, dialog: &Dialog, room: usize) -> Vec<Pieces> {
    let line = |(index, field): (usize, &DialogField)| {
        field_line(canvas, &field.name, &field.field, dialog.focus == Focus::Field(index), room)
    };
    dialog.fields.iter().enumerate().map(line).collect()
}

/// The end of the dialog: what has to be typed, and the ways out.
fn end(canvas: &Canvas<'_>, dialog: &Dialog, room: usize) -> Vec<Pieces> {
    let mut lines = Vec::new();
    if let Proof::Typed { ask, field, wanted } = &dialog.proof {
        if !dialog.fields.is_empty() {
            lines.push(Vec::new());
        }
        let typed = field.text().trim();
        let is_other = typed.chars().count() >= wanted.chars().count() && !typed.eq_ignore_ascii_case(wanted);
        let ask = if is_other { format!("this is not it. {ask}") } else { ask.clone() };
        let asks = wrapped(&safe_text(&ask), room).into_iter();
        lines.extend(asks.map(|text| vec![(text, canvas.style(Role::Warn))]));
        lines.push(field_line(canvas, "", field, dialog.focus == Focus::Proof, room));
    }
    lines.push(Vec::new());
    lines.push(buttons(canvas, dialog, room));
    lines.push(Vec::new());
    lines
}

fn named(canvas: &Canvas<'_>, name: &str, text: String, role: Role) -> Pieces {
    vec![(format!("{name:<NAME$}"), canvas.style(Role::Muted)), (text, canvas.style(role))]
}

fn field_line(canvas: &Canvas<'_>, name: &str, field: &crate::Field, focus: bool, room: usize) -> Pieces {
    let cursor = if focus { canvas.glyphs.pick('▏', '_') } else { ' ' };
    let shown = safe_text(&field.shown(room.saturating_sub(NAME + 1), cursor));
    let blank = room.saturating_sub(NAME + unicode_width::UnicodeWidthStr::width(shown.as_str()));
    // The room to type in is seen also without colour.
    let (open, close) = if focus { canvas.glyphs.pick(("▐", "▌"), ("[", "]")) } else { ("[", "]") };
    let edge = canvas.style(if focus { Role::BorderFocus } else { Role::Border });
    let text = canvas.style(Role::Text);
    let style =
        if focus { text.patch(canvas.style(Role::Select)) } else { text.add_modifier(Modifier::UNDERLINED) };
    vec![
        (format!("{name:<width$}", width = NAME - 1), canvas.style(Role::Muted)),
        (open.to_owned(), edge),
        (format!("{shown}{}", " ".repeat(blank.saturating_sub(1))), style),
        (close.to_owned(), edge),
    ]
}

/// `[ Esc  Back ]            [ y  Cancel as mira ]`
fn buttons(canvas: &Canvas<'_>, dialog: &Dialog, room: usize) -> Pieces {
    let back = "[ Esc  Back ]".to_owned();
    let enter = canvas.glyphs.pick("⏎", "Enter");
    let key = if dialog.level >= Level::L3 || dialog.proof != Proof::Key { enter } else { "y" };
    let verb: String =
        dialog.verb.chars().take(1).flat_map(char::to_uppercase).chain(dialog.verb.chars().skip(1)).collect();
    let does = format!("[ {key}  {verb} as {} ]", safe_text(&canvas.model.seat.actor.name));
    let focused = |focus: Focus| {
        let style = canvas.style(Role::Text);
        if dialog.focus == focus { style.add_modifier(Modifier::REVERSED) } else { style }
    };
    let can = dialog.missing().is_none() && canvas.model.locked().is_none();
    let does_style = if can { focused(Focus::Do) } else { canvas.style(Role::Muted) };
    let mut line: Pieces = vec![(back, focused(Focus::Back))];
    let gap = room.saturating_sub(width_of(&line) + unicode_width::UnicodeWidthStr::width(does.as_str()));
    line.push((" ".repeat(gap.max(2)), canvas.style(Role::Text)));
    line.push((does, does_style));
    line
}

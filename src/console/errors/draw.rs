//! Errors: the failures, and below them counts of the day. `side` draws the details of the failure
//! under the cursor.

use super::{
    side,
    state::{ErrorGroup, ErrorRow},
};
use crate::{
    Mark, Role, layout,
    marks::age,
    model::PromptKind,
    pane,
    popup::draw::select_row,
    put, put_right, sparkline,
    view::{
        canvas::Canvas,
        pieces::{Column, Pieces, columns, put_cell, put_pieces},
    },
};
use cuelight_base::{Seq, Severity, safe_text};
use cuelight_projection::{ErrorState, ErrorView, Fix};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr;

/// Types and families that are named in one line.
const NAMES_MAX: usize = 6;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let places = layout::errors(canvas.model);
    let (title, count) = words(canvas, places.rows);
    let inside = if layout::is_boxed(canvas.model) {
        pane(buf, places.table, &format!("errors  {title}"), &count, canvas.pane(true))
    } else {
        let area = places.table;
        let x = put(buf, area, area.x + 1, area.y, "Errors", canvas.style(Role::Title));
        put(buf, area, x + 2, area.y, &title, canvas.style(Role::Muted));
        put_right(buf, area, area.right().saturating_sub(1), area.y, &count, canvas.style(Role::Muted));
        layout::inset(area, 0, 1, 0)
    };
    table(canvas, inside, places.rows, buf);
    if let Some(area) = places.day {
        day(canvas, area, buf);
    }
    if let Some(area) = places.preview {
        side::preview(canvas, area, places.lower.is_none(), buf);
    }
    if let Some([left, right]) = places.lower {
        side::choices(canvas, left, buf);
        side::calls(canvas, right, buf);
    }
}

/// The title, with the number of open failures, the filter and the order, and the position in the list.
fn words(canvas: &Canvas<'_>, rows: Rect) -> (String, String) {
    let errors = &canvas.model.workspace.errors;
    let typed = canvas.model.prompt.as_ref().filter(|prompt| prompt.kind == PromptKind::Filter);
    let filter = typed.map_or(errors.filter.as_str(), |typed| typed.field.text());
    let (left, right, down) = canvas.glyphs.pick(("‹", "›", "▼"), ("<", ">", "v"));
    let filter = if filter.is_empty() { "all".to_owned() } else { safe_text(filter) };
    let (open, handled) = (errors.day.open, errors.day.handled);
    let open = open_words(canvas, open);
    let title =
        format!("{open}, {handled} handled  {left}{filter}{right}  sort {}{down}", errors.order.name());
    let shown = errors.rows.len();
    let last = (errors.top + usize::from(rows.height)).min(shown);
    let count = if shown == 0 { String::new() } else { format!("{}-{last} of {shown}", errors.top + 1) };
    (title, count)
}

/// `3 open, 2 urgent`: the header counts those that are urgent.
pub(crate) fn open_words(canvas: &Canvas<'_>, open: usize) -> String {
    match canvas.model.board.urgent_error_count() {
        urgent if urgent == open || urgent == 0 => format!("{open} open"),
        urgent => format!("{open} open, {urgent} urgent"),
    }
}

/// The columns that a table of this width has room for.
fn columns_for(area: Rect) -> Vec<Column> {
    let (x, width) = (area.x + 3, area.width.saturating_sub(4));
    if width < 66 {
        let wanted = [
            ("TIME", 8, false),
            ("SEV", 8, false),
            ("STEP", 0, false),
            ("COUNT", 5, true),
            ("NOW", 20, false),
        ];
        return columns(x, width, &wanted);
    }
    if width < 90 {
        let wanted = [
            ("TIME", 8, false),
            ("SEV", 8, false),
            ("MODE", 12, false),
            ("STEP", 0, false),
            ("COUNT", 5, true),
            ("WHAT HAPPENS NOW", 20, false),
        ];
        return columns(x, width, &wanted);
    }
    let wanted = [
        ("TIME", 8, false),
        ("SEVERITY", 8, false),
        ("MODE", 14, false),
        ("STEP", 0, false),
        ("TRY", 5, false),
        ("COUNT", 5, true),
        ("RUNS", 4, true),
        ("WHAT HAPPENS NOW", 22, false),
    ];
    columns(x, width, &wanted)
}

fn table(canvas: &Canvas<'_>, area: Rect, rows: Rect, buf: &mut Buffer) {
    let columns = columns_for(area);
    for column in &columns {
        put_cell(buf, area, *column, area.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let errors = &canvas.model.workspace.errors;
    if errors.rows.is_empty() {
        empty(canvas, rows, buf);
    }
    let shown = errors.rows.iter().skip(errors.top).take(usize::from(rows.height));
    for (row, y) in shown.zip(rows.y..rows.bottom()) {
        let place = Rect { y, height: 1, ..rows };
        match row {
            ErrorRow::Head(mode, count, open) => {
                let what = if *open == 0 { "all handled".to_owned() } else { format!("{open} open") };
                let line: Pieces = vec![
                    (format!(" {} ", canvas.glyphs.pick("▾", "v")), canvas.style(Role::Muted)),
                    (mode.label(), canvas.style(Role::Title)),
                    (format!("  {count}   {what}"), canvas.style(Role::Muted)),
                ];
                put_pieces(buf, place, (place.x, y), &line, canvas.glyphs);
            }
            ErrorRow::Error(id) => draw_row(canvas, *id, &columns, place, buf),
        }
    }
}

/// An empty list says what it will hold.
fn empty(canvas: &Canvas<'_>, rows: Rect, buf: &mut Buffer) {
    let none = canvas.model.board.errors().next().is_none();
    let lines: &[&str] = if none {
        &[
            "nothing has failed",
            "",
            "what fails stands here with its output, its calls and what mended it before",
        ]
    } else {
        &["no failure fits the filter", "", "Esc clears it"]
    };
    for (index, (line, y)) in lines.iter().zip(rows.y + 1..rows.bottom()).enumerate() {
        let role = if index == 0 { Role::Text } else { Role::Muted };
        put(
            buf,
            rows,
            rows.x + 3,
            y,
            &canvas.glyphs.fit(line, usize::from(rows.width.saturating_sub(4))),
            canvas.style(role),
        );
    }
}

fn draw_row(canvas: &Canvas<'_>, id: Seq, columns: &[Column], row: Rect, buf: &mut Buffer) {
    let Some(error) = canvas.model.board.error(id) else { return };
    let base = select_row(canvas, row, canvas.model.workspace.errors.is_selected(id), buf);
    let mark = mark_of(error);
    put(buf, row, row.x + 1, row.y, mark.sign(canvas.glyphs), base.patch(mark.style(canvas.theme)));
    for column in columns {
        let (text, style) = cell(canvas, error, *column);
        put_cell(buf, row, *column, row.y, (&text, base.patch(style)), canvas.glyphs);
    }
}

/// The sign of a failure.
pub(super) fn mark_of(error: &ErrorView) -> Mark {
    use cuelight_base::FailureMode as M;
    match &error.state {
        ErrorState::Retrying(_) => Mark::Retry,
        ErrorState::Open if error.acknowledged.is_some() => Mark::Look,
        ErrorState::Open
            if matches!(error.record.mode, M::AgentTimeout | M::SystemTimeout | M::PartialTimeout) =>
        {
            Mark::TimedOut
        }
        ErrorState::Open => Mark::Failed,
        ErrorState::Resolved { .. } => Mark::Done,
    }
}

/// The role of a severity; of what is handled it does not stand out.
pub(crate) fn severity_role(error: &ErrorView) -> Role {
    if error.is_open() { role_of(error.record.severity) } else { Role::Muted }
}

/// One colour for one severity, wherever it stands.
const fn role_of(severity: Severity) -> Role {
    match severity {
        Severity::Critical | Severity::High => Role::Fail,
        Severity::Medium => Role::Warn,
        Severity::Low => Role::Text,
    }
}

fn cell(canvas: &Canvas<'_>, error: &ErrorView, column: Column) -> (String, Style) {
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let group = canvas.model.workspace.errors.groups.get(&error.id);
    match column.title {
        "TIME" => (error.at.clock(), text),
        "SEV" | "SEVERITY" => (error.record.severity.to_string(), canvas.style(severity_role(error))),
        "MODE" => (error.record.mode.label(), text),
        "STEP" => (names_of(error, group, usize::from(column.width)), text),
        "TRY" if error.attempt == 0 => (canvas.glyphs.pick("·", ".").to_owned(), muted),
        "TRY" => (format!("{}/{}", error.attempt, error.attempts_max.max(error.attempt)), text),
        "COUNT" => (group.map_or(1, |group| group.members.len()).to_string(), muted),
        "RUNS" => (group.map_or(1, |group| group.runs.len()).to_string(), muted),
        _ => (what_now(canvas, error), if error.is_open() { text } else { muted }),
    }
}

/// Workflow and step, and whether it is the undo; nothing of it is cut.
pub(super) fn name_of(error: &ErrorView) -> String {
    let undo = if error.of_undo { " undo" } else { "" };
    let step = safe_text(&error.step_id);
    let slash = if step.is_empty() { "" } else { "/" };
    format!("{}{slash}{step}{undo}", safe_text(&error.workflow))
}

/// The name of the failure, with the number of other steps behind the row.
fn names_of(error: &ErrorView, group: Option<&ErrorGroup>, width: usize) -> String {
    match group.map_or(0, |group| group.steps.len() - 1) {
        0 => short_name(error, width),
        more => {
            let more = format!(" +{more}");
            format!("{}{more}", short_name(error, width.saturating_sub(more.len())))
        }
    }
}

/// As much of its name as there is room for: the step is what matters most.
fn short_name(error: &ErrorView, width: usize) -> String {
    let whole = name_of(error);
    let prefix = safe_text(&error.workflow).rfind('/').map_or(0, |number| number + 1);
    let names = [whole.as_str(), whole.get(prefix..).unwrap_or(&whole)];
    let fitting = names.into_iter().find(|name| name.width() <= width).map(ToOwned::to_owned);
    fitting
        .unwrap_or_else(|| if error.step_id.is_empty() { whole.clone() } else { safe_text(&error.step_id) })
}

/// The current handling of a failure, in words.
pub(super) fn what_now(canvas: &Canvas<'_>, error: &ErrorView) -> String {
    let model = canvas.model;
    match &error.state {
        _ if model.is_recording(error.run) => "recording".to_owned(),
        ErrorState::Retrying(at) if *at <= model.now => "tried again".to_owned(),
        ErrorState::Retrying(at) => format!("retries in {}", age(at.since(model.now))),
        ErrorState::Open => match &error.acknowledged {
            Some(said) => format!("seen by {}", safe_text(&said.by.to_string())),
            None if model.board.summary(error.run).is_some_and(|summary| !summary.state.rests()) => {
                "its run goes on".to_owned()
            }
            None => model
                .board
                .summary(error.run)
                .map_or_else(|| "stands".to_owned(), |summary| format!("its run is {}", summary.state)),
        },
        ErrorState::Resolved { fix: Fix::Allowed, .. } => "its run went on".to_owned(),
        ErrorState::Resolved { .. } => safe_text(&error.closed_words().unwrap_or_default()),
    }
}

/// Counts of the last 24 hours: severities, families, types, and the trend.
fn day(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let day = &canvas.model.workspace.errors.day;
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mut severities: Pieces = vec![(" 24h    ".to_owned(), muted)];
    for (count, severity) in day.severities {
        let Some(severity) = severity else { continue };
        let role = if count == 0 { Role::Muted } else { role_of(severity) };
        severities.push((format!("{severity} {count}   "), canvas.style(role)));
    }
    let counts = |name: &str, counts: &[(&'static str, u32)]| -> Pieces {
        let all = counts.iter().take(NAMES_MAX).map(|(word, count)| format!("{word} {count}"));
        let all = all.collect::<Vec<_>>().join("   ");
        vec![(format!(" {name:<7}"), muted), (if all.is_empty() { "-".to_owned() } else { all }, text)]
    };
    let width = area.width.saturating_sub(10);
    let trend = sparkline(canvas.glyphs, width, &day.trend);
    let lines = [
        Vec::new(),
        counts("family", &day.families),
        counts("type", &day.types),
        severities,
        vec![(" trend  ".to_owned(), muted), (trend, canvas.style(Role::Fail))],
    ];
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        put_pieces(buf, area, (area.x, y), line, canvas.glyphs);
    }
}

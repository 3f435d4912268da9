//! Runs: the list, and beside or under it what is known of the run under the cursor.

use super::{lower, panels::focused, preview, state::RunsPanel};
use crate::{
    Link, Mark, Role, fill, gauge, layout,
    marks::{age, mark_of_run, word_of_run},
    meter_role, pane, put, put_right,
    view::{
        canvas::Canvas,
        pieces::{Column, put_cell},
    },
};
use cuelight_base::{RunId, safe_text};
use cuelight_projection::RunSummary;
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// The longest filter in the title.
const FILTER_MAX: usize = 36;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let places = layout::runs(canvas.model);
    let boxed = layout::is_boxed(canvas.model);
    let inside =
        if boxed { table_pane(canvas, places.table, buf) } else { table_title(canvas, places.table, buf) };
    table(canvas, inside, places.rows, buf);
    if let Some(area) = places.preview {
        preview::draw(canvas, area, buf);
    }
    if let Some(areas) = places.lower {
        lower::draw(canvas, areas, buf);
    }
}

/// The title in words: filter, order, and the position in the list.
fn words(canvas: &Canvas<'_>, places: Rect) -> (String, String) {
    let runs = &canvas.model.runs;
    let typed = canvas.model.prompt.as_ref().filter(|prompt| prompt.kind == crate::model::PromptKind::Filter);
    let filter = typed.map_or(runs.filter.as_str(), |typed| typed.field.text());
    let (left, right, down, up) = canvas.glyphs.pick(("‹", "›", "▼", "▲"), ("<", ">", "v", "^"));
    let filter = if filter.is_empty() { "all".to_owned() } else { safe_text(filter) };
    let filter = canvas.glyphs.fit(&filter, FILTER_MAX);
    let turn = if runs.reversed { up } else { down };
    let marked =
        if runs.marked.is_empty() { String::new() } else { format!("  {} marked", runs.marked.len()) };
    let title = format!("{left}{filter}{right}  sort {}{turn}{marked}", runs.sort.name());
    let shown = runs.rows.len();
    let first = runs.top + 1;
    let last = (runs.top + usize::from(places.height)).min(shown);
    let total = canvas.model.board.run_count();
    let count = match (shown, total) {
        (0, 0) => String::new(),
        (0, total) => format!("0 of {total}"),
        (shown, total) if shown == total => format!("{first}-{last} of {total}"),
        (shown, total) => format!("{first}-{last} of {shown} ({total})"),
    };
    (title, count)
}

fn table_pane(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let (title, count) = words(canvas, layout::runs(canvas.model).rows);
    let focus = focused(canvas.model) == RunsPanel::List;
    pane(buf, area, &format!("runs  {title}"), &count, canvas.pane(focus))
}

fn table_title(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let (title, count) = words(canvas, layout::runs(canvas.model).rows);
    let x = put(buf, area, area.x + 1, area.y, "Runs", canvas.style(Role::Title));
    put(buf, area, x + 2, area.y, &title, canvas.style(Role::Muted));
    put_right(buf, area, area.right().saturating_sub(1), area.y, &count, canvas.style(Role::Muted));
    layout::inset(area, 0, 1, 0)
}

fn table(canvas: &Canvas<'_>, area: Rect, rows: Rect, buf: &mut Buffer) {
    let columns = layout::runs_columns(area);
    for column in &columns {
        put_cell(buf, area, *column, area.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let runs = &canvas.model.runs;
    if runs.rows.is_empty() && canvas.model.link != Link::Opening {
        empty(canvas, rows, buf);
    }
    for (row, run) in runs.rows.iter().skip(runs.top).take(usize::from(rows.height)).enumerate() {
        let y = rows.y + u16::try_from(row).unwrap_or(0);
        if let Some(summary) = canvas.model.board.summary(*run) {
            draw_row(canvas, summary, &columns, Rect { y, height: 1, ..rows }, buf);
        }
    }
}

/// An empty list says what to do next.
fn empty(canvas: &Canvas<'_>, rows: Rect, buf: &mut Buffer) {
    let lines: &[&str] = if canvas.model.board.run_count() == 0 {
        &[
            "no runs yet",
            "",
            "cuelight run FILE     starts one, here or in another terminal",
            "cuelight demo         shows everything there is",
        ]
    } else {
        &["no run fits the filter", "", "Esc clears it"]
    };
    for (index, line) in lines.iter().enumerate() {
        let y = rows.y + 1 + u16::try_from(index).unwrap_or(0);
        put(buf, rows, rows.x + 3, y, line, canvas.style(if index == 0 { Role::Text } else { Role::Muted }));
    }
}

fn draw_row(canvas: &Canvas<'_>, run: &RunSummary, columns: &[Column], row: Rect, buf: &mut Buffer) {
    let selected = canvas.model.runs.selected == Some(run.id);
    let base = if selected { canvas.style(Role::Select) } else { Style::new() };
    if selected {
        fill(buf, row, canvas.theme.ground().patch(base));
        put(
            buf,
            row,
            row.x,
            row.y,
            canvas.glyphs.pick("▌", "|"),
            base.patch(canvas.style(Role::BorderFocus)),
        );
    }
    let mark = mark_of_run(run);
    let look = base.patch(mark.style(canvas.theme));
    put(buf, row, row.x + 1, row.y, mark.sign(canvas.glyphs), look);
    if canvas.model.runs.marked.contains(&run.id) {
        put(buf, row, row.x + 2, row.y, "*", base.patch(canvas.style(Role::Match)));
    }
    for column in columns {
        let (text, style) = cell(canvas, run, mark, *column);
        put_cell(buf, row, *column, row.y, (&text, base.patch(style)), canvas.glyphs);
    }
}

fn cell(canvas: &Canvas<'_>, run: &RunSummary, mark: Mark, column: Column) -> (String, Style) {
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let look = canvas.style(mark.role());
    match column.title {
        "RUN" => (run.id.to_string(), text),
        "WORKFLOW" => (safe_text(&run.workflow), text),
        "STATE" => (state_word(canvas, run.id, run).to_owned(), look),
        "PROGRESS" => {
            let progress = run.progress();
            (
                gauge(canvas.glyphs, column.width, progress.done.into(), progress.all.into()),
                if run.state.rests() { muted } else { look },
            )
        }
        "STEPS" => (run.progress().to_string(), text),
        "ERR" => match run.failures() {
            0 => (canvas.glyphs.pick("·", ".").to_owned(), muted),
            failures => (failures.to_string(), canvas.style(Role::Fail)),
        },
        "AGE" => (age(run.age(canvas.model.now)), muted),
        "COST" => match run.spent.cost_micro_usd {
            0 => (canvas.glyphs.pick("·", ".").to_owned(), muted),
            micro => (dollars(micro), text),
        },
        "BY" => (safe_text(&run.by.to_string()), muted),
        _ if run.results.is_empty() => ("-".to_owned(), muted),
        _ => (run.health().to_string(), canvas.style(meter_role(u64::from(run.health().0)))),
    }
}

/// An amount in dollars in at most six cells: `0.04`, `120.50`, `12.3k`; less than a cent is `<0.01`.
fn dollars(micro: u64) -> String {
    let cents = micro / 10_000;
    match cents {
        0 => "<0.01".to_owned(),
        1..=99_999 => format!("{}.{:02}", cents / 100, cents % 100),
        100_000..=9_999_999 => format!("{}.{}k", cents / 100_000, cents % 100_000 / 10_000),
        10_000_000..=99_999_999 => format!("{}k", cents / 100_000),
        _ => format!("{}M", cents / 100_000_000),
    }
}

/// Nothing is shown as done before it is on disk.
fn state_word(canvas: &Canvas<'_>, id: RunId, run: &RunSummary) -> &'static str {
    if canvas.model.is_recording(id) { "recording" } else { word_of_run(run) }
}

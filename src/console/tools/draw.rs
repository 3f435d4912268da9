//! Tools: the kinds of steps that have run, each tool a kind of its own, with number, duration and success.
//! `cuelight tool list` lists all tools.

use crate::{
    Role, gauge, layout,
    marks::age,
    meter_role, pane,
    popup::draw::select_row,
    put,
    view::{
        canvas::{Canvas, main_pane},
        pieces::{Column, Pieces, columns, put_cell, put_pieces},
    },
};
use cuelight_base::{plural, safe_text};
use cuelight_projection::Tally;
use ratatui::{buffer::Buffer, layout::Rect};

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let places = layout::tools(canvas.model);
    let kinds: Vec<(&str, &Tally)> = canvas.model.board.vitals().tools().collect();
    let word = plural(kinds.len(), "kind of step has", "kinds of steps have");
    let title = format!("tools  {} {word} run", kinds.len());
    let inside = main_pane(canvas, places.table, &title, "", buf);
    if kinds.is_empty() {
        empty(canvas, inside, buf);
        pane(buf, places.preview, "nothing is selected", "", canvas.pane(false));
        return;
    }
    let wide = inside.width >= 70;
    let mut wanted =
        vec![("KIND", 0, false), ("HLT", 3, true), ("", 10, false), ("ENDED", 6, true), ("FAIL", 5, true)];
    if wide {
        wanted.push(("P50", 8, true));
    }
    wanted.push(("P99", 8, true));
    let table = columns(inside.x + 3, inside.width.saturating_sub(4), &wanted);
    for column in &table {
        put_cell(buf, inside, *column, inside.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let selected = canvas.model.workspace.tools.selected.min(kinds.len() - 1);
    let rows = places.rows;
    let top = (selected + 1).saturating_sub(usize::from(rows.height));
    for ((index, (name, tally)), y) in kinds.iter().enumerate().skip(top).zip(rows.y..rows.bottom()) {
        let row = Rect { y, height: 1, ..rows };
        let base = select_row(canvas, row, index == selected, buf);
        for column in &table {
            let (text, role) = cell(canvas, name, tally, *column);
            put_cell(buf, row, *column, y, (&text, base.patch(canvas.style(role))), canvas.glyphs);
        }
    }
    let (name, tally) = kinds[selected];
    preview(canvas, name, tally, places.preview, buf);
}

fn empty(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let lines = [
        "no step has run yet",
        "",
        "here stand the tools and the kinds of steps (run, gate, wait, set, workflow) that have",
        "run, with how often, how long and how well",
        "",
        "cuelight run FILE     starts a workflow",
        "cuelight tool list   names the tools that steps can use",
    ];
    for (index, (line, y)) in lines.iter().zip(area.y + 1..area.bottom()).enumerate() {
        let role = if index == 0 { Role::Text } else { Role::Muted };
        let line = canvas.glyphs.fit(line, usize::from(area.width.saturating_sub(4)));
        put(buf, area, area.x + 3, y, &line, canvas.style(role));
    }
}

fn cell(canvas: &Canvas<'_>, name: &str, tally: &Tally, column: Column) -> (String, Role) {
    let health = u64::from(tally.health().0);
    match column.title {
        "KIND" => (safe_text(name), Role::Text),
        "HLT" => (tally.health().to_string(), meter_role(health)),
        "" => (gauge(canvas.glyphs, column.width, health, 100), meter_role(health)),
        "ENDED" => (tally.ended.to_string(), Role::Text),
        "FAIL" => (tally.failed.to_string(), if tally.failed > 0 { Role::Fail } else { Role::Muted }),
        "P50" => (
            tally.took().map_or_else(|| "-".to_owned(), |percentiles| percentiles.p50.to_string()),
            Role::Text,
        ),
        _ => (
            tally.took().map_or_else(|| "-".to_owned(), |percentiles| percentiles.p99.to_string()),
            Role::Text,
        ),
    }
}

fn preview(canvas: &Canvas<'_>, name: &str, tally: &Tally, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, &safe_text(name), "", canvas.pane(false)), 1, 0, 0);
    let now = canvas.model.now;
    let took = tally.took().map_or_else(
        || "only waits; nothing is measured".to_owned(),
        |percentiles| {
            format!(
                "p50 {}  p95 {}  p99 {}  of the last {}",
                percentiles.p50, percentiles.p95, percentiles.p99, percentiles.count
            )
        },
    );
    let failure = tally.last_failure.map_or_else(
        || "never".to_owned(),
        |(at, mode)| format!("{} {} ago", mode.label(), age(now.since(at))),
    );
    let last = if tally.ended == 0 {
        "not yet".to_owned()
    } else {
        format!("{} ago", age(now.since(tally.last_at)))
    };
    let lines = [
        ("health", format!("{} {}", tally.health(), tally.health().label())),
        ("results", format!("{} done, {} in part, {} failed", tally.done, tally.partial, tally.failed)),
        ("calls", tally.calls.to_string()),
        ("took", took),
        ("ended", last),
        ("failed", failure),
    ];
    for ((name, text), y) in lines.iter().zip(inside.y..inside.bottom()) {
        let line: Pieces = vec![
            (format!("{name:<10}"), canvas.style(Role::Muted)),
            (text.clone(), canvas.style(Role::Text)),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

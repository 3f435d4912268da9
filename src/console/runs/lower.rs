//! The lower rows of Runs on a large screen: gates, errors, health and the last events, of all runs.

use super::{
    panels::{self, focused},
    preview::role_of,
    state::RunsPanel,
};
use crate::{
    Intent, Mark, Role,
    errors::draw::{open_words, severity_role},
    gauge, layout,
    marks::{age, mark_of_gate},
    meter_role, pane,
    popup::draw::select_row,
    put,
    view::{
        canvas::Canvas,
        pieces::{Pieces, columns, put_cell, put_pieces},
    },
};
use cuelight_base::safe_text;
use cuelight_projection::{ErrorState, ErrorView, GateView, Health};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

pub(super) fn draw(canvas: &Canvas<'_>, areas: [Rect; 4], buf: &mut Buffer) {
    gates(canvas, areas[0], buf);
    errors(canvas, areas[1], buf);
    health(canvas, areas[2], buf);
    events(canvas, areas[3], buf);
}

fn gates(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let open = panels::gates(model);
    let at = (focused(model) == RunsPanel::Gates).then(|| panels::gate_row(model, &open));
    let title = match open.iter().map(|gate| gate.ask.opened_at).min() {
        Some(oldest) => format!("gates  {} waiting, oldest {}", open.len(), age(model.now.since(oldest))),
        None => "gates".to_owned(),
    };
    let inside =
        pane(buf, area, &title, &opens(canvas, Intent::ViewGates, "inbox"), canvas.pane(at.is_some()));
    let table = columns(
        inside.x + 3,
        inside.width.saturating_sub(4),
        &[
            ("GATE", 6, false),
            ("STEP", 0, false),
            ("WORKFLOW", 18, false),
            ("RISK", 6, false),
            ("VOTES", 7, false),
            ("WAITS", 5, false),
            ("THEN", 12, false),
        ],
    );
    if open.is_empty() {
        put(buf, inside, inside.x + 1, inside.y, "nothing waits for a person", canvas.style(Role::Muted));
        return;
    }
    for column in &table {
        put_cell(buf, inside, *column, inside.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let top = panels::top(at.unwrap_or(0), inside.height);
    let shown = open.iter().enumerate().skip(top);
    for ((row, gate), y) in shown.zip(inside.y + 1..inside.bottom()) {
        let mark = mark_of_gate(gate, model.now);
        let base = cursor(canvas, Rect { y, height: 1, ..inside }, at == Some(row), buf);
        put(buf, inside, inside.x + 1, y, mark.sign(canvas.glyphs), base.patch(mark.style(canvas.theme)));
        for column in &table {
            let role = if column.title == "RISK" && gate.ask.risk == cuelight_plan::Risk::Irreversible {
                Role::Fail
            } else {
                Role::Text
            };
            put_cell(
                buf,
                inside,
                *column,
                y,
                (&gate_cell(canvas, gate, column.title), base.patch(canvas.style(role))),
                canvas.glyphs,
            );
        }
    }
}

/// `3 inbox`: the key of the view that shows all of it.
fn opens(canvas: &Canvas<'_>, view: Intent, what: &str) -> String {
    let model = canvas.model;
    let key = model.keys.keys_of(model.view.scope(), view).unwrap_or_default();
    format!("{key} {what}").trim_start().to_owned()
}

/// The ground of a row, and the sign of the cursor on it.
fn cursor(canvas: &Canvas<'_>, row: Rect, is_here: bool, buf: &mut Buffer) -> Style {
    let base = select_row(canvas, row, is_here, buf);
    if is_here {
        let style = base.patch(canvas.style(Role::BorderFocus));
        put(buf, row, row.x, row.y, canvas.glyphs.pick("▌", "|"), style);
    }
    base
}

fn gate_cell(canvas: &Canvas<'_>, gate: &GateView, title: &str) -> String {
    let now = canvas.model.now;
    match title {
        "GATE" => gate.id.to_string(),
        "STEP" => safe_text(&gate.ask.step),
        "WORKFLOW" => safe_text(&gate.ask.workflow),
        "RISK" => cuelight_projection::ask_risk_word(gate.ask.risk).to_owned(),
        "VOTES" => format!("{} of {}", gate.approvals().count(), gate.needed()),
        "WAITS" => age(now.since(gate.ask.opened_at)),
        _ => gate.then_words(now, age),
    }
}

fn errors(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let all = panels::errors(model);
    let at = (focused(model) == RunsPanel::Errors).then(|| panels::error_row(model, &all));
    let open = all.iter().filter(|error| error.is_open()).count();
    let title =
        if all.is_empty() { "errors".to_owned() } else { format!("errors  {}", open_words(canvas, open)) };
    let inside =
        pane(buf, area, &title, &opens(canvas, Intent::ViewErrors, "list"), canvas.pane(at.is_some()));
    if all.is_empty() {
        put(buf, inside, inside.x + 1, inside.y, "nothing has failed", canvas.style(Role::Muted));
        return;
    }
    let table = columns(
        inside.x + 3,
        inside.width.saturating_sub(4),
        &[
            ("TIME", 8, false),
            ("SEV", 8, false),
            ("MODE", 11, false),
            ("STEP", 0, false),
            ("TRY", 5, false),
            ("NOW", 13, false),
        ],
    );
    for column in &table {
        put_cell(buf, inside, *column, inside.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    let top = panels::top(at.unwrap_or(0), inside.height);
    for ((row, error), y) in all.iter().enumerate().skip(top).zip(inside.y + 1..inside.bottom()) {
        let mark = match error.state {
            ErrorState::Retrying(_) => Mark::Retry,
            ErrorState::Open => Mark::Failed,
            ErrorState::Resolved { .. } => Mark::Done,
        };
        let base = cursor(canvas, Rect { y, height: 1, ..inside }, at == Some(row), buf);
        put(buf, inside, inside.x + 1, y, mark.sign(canvas.glyphs), base.patch(mark.style(canvas.theme)));
        for column in &table {
            let role = if column.title == "SEV" { severity_role(error) } else { Role::Text };
            put_cell(
                buf,
                inside,
                *column,
                y,
                (&error_cell(canvas, error, column.title), base.patch(canvas.style(role))),
                canvas.glyphs,
            );
        }
    }
}

fn error_cell(canvas: &Canvas<'_>, error: &ErrorView, title: &str) -> String {
    match title {
        "TIME" => error.at.clock(),
        "SEV" => error.record.severity.to_string().to_uppercase(),
        "MODE" => error.record.mode.label(),
        "STEP" => format!("{}/{}", safe_text(&error.workflow), error.step_id),
        "TRY" if error.attempts_max > 0 => format!("{}/{}", error.attempt, error.attempts_max),
        "TRY" => error.attempt.to_string(),
        _ => match &error.state {
            ErrorState::Retrying(at) if *at <= canvas.model.now => "tried again".to_owned(),
            ErrorState::Retrying(at) => format!("retries in {}", age(at.since(canvas.model.now))),
            ErrorState::Open => "waits for you".to_owned(),
            ErrorState::Resolved { fix, .. } => fix.words(),
        },
    }
}

fn health(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let board = &canvas.model.board;
    let whole = board.health();
    let footer = opens(canvas, Intent::ViewHealth, "open");
    let inside = pane(buf, area, &format!("health {whole} {}", whole.label()), &footer, canvas.pane(false));
    let mut rows: Vec<(String, Health)> = vec![("all runs".to_owned(), whole)];
    let mut runs: Vec<_> = board.open_runs().filter(|run| !run.summary.results.is_empty()).collect();
    runs.sort_by_key(|run| run.summary.health());
    rows.extend(
        runs.iter()
            .map(|run| (format!("{} {}", run.id(), safe_text(&run.summary.workflow)), run.summary.health())),
    );
    for (row, (name, health)) in rows.iter().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let score = u64::from(health.0);
        let bar = gauge(canvas.glyphs, 20, score, 100);
        let line: Pieces = vec![
            (format!(" {:<24} ", canvas.glyphs.fit(name, 24)), canvas.style(Role::Text)),
            (bar, canvas.style(meter_role(score))),
            (format!(" {health:>3}"), canvas.style(Role::Text)),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

fn events(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let board = &canvas.model.board;
    let inside = layout::inset(
        pane(buf, area, "events", &opens(canvas, Intent::ViewAudit, "audit"), canvas.pane(false)),
        1,
        0,
        0,
    );
    for (row, line) in board.lines().rev().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let run = line.run.map_or_else(String::new, |run| run.to_string());
        let pieces: Pieces = vec![
            (format!("{}.{:03}  ", line.at.clock(), line.at.0.rem_euclid(1000)), canvas.style(Role::Muted)),
            (format!("{:<18} ", line.kind), canvas.style(role_of(line.kind))),
            (
                format!("{run:<7} {:<22} ", canvas.glyphs.fit(&safe_text(&line.subject), 22)),
                canvas.style(Role::Text),
            ),
            (safe_text(&line.detail), canvas.style(Role::Muted)),
        ];
        put_pieces(buf, inside, (inside.x, y), &pieces, canvas.glyphs);
    }
}

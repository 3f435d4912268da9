//! The lower rows of Runs on a large screen: gates, errors, health and the last events, of all runs.

use super::{
    Canvas,
    pieces::{Pieces, columns, put_cell, put_pieces},
    preview::role_of,
};
use crate::{
    base::safe_text,
    console::{
        Mark, Role, gauge, layout,
        marks::{age, mark_of_gate, word_of_risk},
        meter_role, pane, put,
    },
    plan::OnTimeout,
    projection::{ErrorState, ErrorView, GateView, Health},
};
use ratatui::{buffer::Buffer, layout::Rect};

pub(super) fn draw(canvas: &Canvas<'_>, areas: [Rect; 4], buf: &mut Buffer) {
    gates(canvas, areas[0], buf);
    errors(canvas, areas[1], buf);
    health(canvas, areas[2], buf);
    events(canvas, areas[3], buf);
}

fn gates(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let mut open: Vec<&GateView> = model.board.open_gates().map(|it| &**it).collect();
    open.sort_by_key(|it| {
        (!it.waits_for(&model.seat.actor, model.now), std::cmp::Reverse(it.ask.risk), it.ask.opened_at)
    });
    let title = match open.iter().map(|it| it.ask.opened_at).min() {
        Some(oldest) => format!("gates  {} waiting, oldest {}", open.len(), age(model.now.since(oldest))),
        None => "gates".to_owned(),
    };
    let inside = pane(buf, area, &title, "", canvas.pane(false));
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
    for (row, gate) in open.iter().take(usize::from(inside.height.saturating_sub(1))).enumerate() {
        let y = inside.y + 1 + u16::try_from(row).unwrap_or(0);
        let mark = mark_of_gate(gate, model.now);
        put(buf, inside, inside.x + 1, y, mark.sign(canvas.glyphs), mark.style(canvas.theme));
        for column in &table {
            let role = if column.title == "RISK" && gate.ask.risk == crate::plan::Risk::Irreversible {
                Role::Fail
            } else {
                Role::Text
            };
            put_cell(
                buf,
                inside,
                *column,
                y,
                (&gate_cell(canvas, gate, column.title), canvas.style(role)),
                canvas.glyphs,
            );
        }
    }
}

fn gate_cell(canvas: &Canvas<'_>, gate: &GateView, title: &str) -> String {
    let now = canvas.model.now;
    match title {
        "GATE" => gate.id.to_string(),
        "STEP" => safe_text(&gate.ask.step),
        "WORKFLOW" => safe_text(&gate.ask.workflow),
        "RISK" => word_of_risk(gate.ask.risk).to_owned(),
        "VOTES" => format!("{} of {}", gate.approvals().count(), gate.needed()),
        "WAITS" => age(now.since(gate.ask.opened_at)),
        _ => match (gate.ask.expires_at, gate.ask.on_timeout) {
            (None, _) => "stays".to_owned(),
            (Some(at), OnTimeout::Reject) => format!("reject {}", age(at.since(now))),
            (Some(at), OnTimeout::Approve) => format!("approve {}", age(at.since(now))),
            (Some(at), OnTimeout::Escalate) => format!("others {}", age(at.since(now))),
        },
    }
}

fn errors(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let mut all: Vec<&ErrorView> = model.board.errors().map(|it| &**it).collect();
    all.sort_by_key(|it| (!it.is_open(), std::cmp::Reverse(it.at)));
    let open = all.iter().filter(|it| it.is_open()).count();
    let title = if all.is_empty() { "errors".to_owned() } else { format!("errors  {open} open") };
    let inside = pane(buf, area, &title, "", canvas.pane(false));
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
    for (row, error) in all.iter().take(usize::from(inside.height.saturating_sub(1))).enumerate() {
        let y = inside.y + 1 + u16::try_from(row).unwrap_or(0);
        let mark = match error.state {
            ErrorState::Retrying(_) => Mark::Retry,
            ErrorState::Open => Mark::Failed,
            ErrorState::Resolved { .. } => Mark::Done,
        };
        put(buf, inside, inside.x + 1, y, mark.sign(canvas.glyphs), mark.style(canvas.theme));
        for column in &table {
            let role = if column.title == "SEV" && error.is_open() { Role::Fail } else { Role::Text };
            put_cell(
                buf,
                inside,
                *column,
                y,
                (&error_cell(canvas, error, column.title), canvas.style(role)),
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
    let inside = pane(buf, area, &format!("health {whole} {}", whole.label()), "", canvas.pane(false));
    let mut rows: Vec<(String, Health)> = vec![("all runs".to_owned(), whole)];
    let mut runs: Vec<_> = board.open_runs().filter(|it| !it.summary.results.is_empty()).collect();
    runs.sort_by_key(|it| it.summary.health());
    rows.extend(
        runs.iter()
            .map(|it| (format!("{} {}", it.id(), safe_text(&it.summary.workflow)), it.summary.health())),
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
    let inside = layout::inset(pane(buf, area, "events", "", canvas.pane(false)), 1, 0, 0);
    for (row, line) in board.lines().rev().take(usize::from(inside.height)).enumerate() {
        let y = inside.y + u16::try_from(row).unwrap_or(0);
        let run = line.run.map_or_else(String::new, |it| it.to_string());
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

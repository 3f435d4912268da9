//! Audit: who decided what, when, by which door, and whether the chain holds.

use super::state::{AuditRow, ChainState};
use crate::{
    Role,
    layout::{self, AuditLayout},
    pane,
    popup::draw::select_row,
    put,
    view::{
        canvas::Canvas,
        pieces::{Column, Pieces, columns, put_cell, put_pieces, wrapped},
    },
};
use cuelight_base::{counted, safe_text};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr;

/// Cells of the name of a value.
const NAMES: usize = 13;

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::audit(model);
    let (title, role) = title(canvas, places.title.width >= 78);
    match places.pane {
        Some(area) => drop(pane(buf, area, &title, "", canvas.pane(true))),
        None => {
            let room = usize::from(places.title.width).saturating_sub(2);
            put(
                buf,
                places.title,
                places.title.x + 1,
                places.title.y,
                &canvas.glyphs.fit(&title, room),
                canvas.style(role),
            );
        }
    }
    let columns = columns_of(&places);
    for column in &columns {
        let head = (column.title, canvas.style(Role::Muted));
        put_cell(buf, places.head, *column, places.head.y, head, canvas.glyphs);
    }
    let page = usize::from(places.rows.height);
    for (index, row) in
        model.workspace.audit.window.rows.iter().skip(model.workspace.audit.top).take(page).enumerate()
    {
        let y = places.rows.y + u16::try_from(index).unwrap_or(0);
        draw_row(canvas, &columns, row, Rect { y, height: 1, ..places.rows }, buf);
    }
    if model.workspace.audit.window.rows.is_empty() {
        nothing(canvas, places.rows, buf);
    }
    detail(canvas, places.detail, buf);
    if let Some(area) = places.chain {
        let (left, right) = layout::split_across(area, area.width / 2);
        chain(canvas, left, buf);
        same_run(canvas, right, buf);
    }
}

/// The title: number of records, the kind shown, and the state of the chain.
fn title(canvas: &Canvas<'_>, wide: bool) -> (String, Role) {
    let audit = &canvas.model.workspace.audit;
    let records =
        counted(usize::try_from(canvas.model.board.seq.0).unwrap_or(usize::MAX), "record", "records");
    let shown = if audit.everything { "all" } else { "decisions" };
    let filter =
        if audit.filter.is_empty() { String::new() } else { format!(" {}", safe_text(&audit.filter)) };
    let (chain, role) = chain_words(canvas, wide);
    let (open, close) = canvas.glyphs.pick(("‹", "›"), ("<", ">"));
    let text = match (&audit.chain, wide) {
        (ChainState::Broken { .. }, _) => format!("audit  {chain}  {records}  {open}{shown}{filter}{close}"),
        (_, true) => format!("audit  {records}  {open}{shown}{filter}{close}  {chain}"),
        (_, false) => format!("audit {} {open}{shown}{filter}{close} {chain}", canvas.model.board.seq.0),
    };
    (text, role)
}

fn chain_words(canvas: &Canvas<'_>, wide: bool) -> (String, Role) {
    let audit = &canvas.model.workspace.audit;
    match &audit.chain {
        _ if audit.chain_asked.is_some() => ("chain: verifying".to_owned(), Role::Warn),
        ChainState::Unknown if wide => ("chain: not verified, V does".to_owned(), Role::Title),
        ChainState::Unknown => ("chain: V verifies".to_owned(), Role::Title),
        ChainState::Holds { head, at, .. } => {
            let sign = canvas.glyphs.pick("✓", "+");
            {
                let head =
                    if wide { format!(" (head {})", short(&head.1.to_string())) } else { String::new() };
                (format!("chain {sign} verified {}{head}", at.clock()), Role::Title)
            }
        }
        ChainState::Broken { why, at, .. } => {
            let sign = canvas.glyphs.pick("✗", "x");
            (format!("chain {sign} BROKEN at {} ({})", safe_text(why), at.clock()), Role::Fail)
        }
    }
}

fn short(hash: &str) -> &str {
    hash.get(..4).unwrap_or(hash)
}

fn columns_of(places: &AuditLayout) -> Vec<Column> {
    let (x, width) = (places.rows.x + 3, places.rows.width.saturating_sub(4));
    let wanted: &[(&str, u16, bool)] = match places.rows.width {
        0..70 => {
            &[("#", 6, true), ("TIME", 8, false), ("WHO", 8, false), ("KIND", 14, false), ("ON", 0, false)]
        }
        70..96 => &[
            ("#", 7, true),
            ("TIME", 8, false),
            ("WHO", 10, false),
            ("KIND", 20, false),
            ("ON", 0, false),
            ("HASH", 4, false),
        ],
        _ => &[
            ("#", 7, true),
            ("TIME", 8, false),
            ("WHO", 10, false),
            ("BY", 8, false),
            ("KIND", 18, false),
            ("ON", 22, false),
            ("WHY", 0, false),
            ("HASH", 4, false),
        ],
    };
    columns(x, width, wanted)
}

fn draw_row(canvas: &Canvas<'_>, columns: &[Column], audit_row: &AuditRow, area: Rect, buf: &mut Buffer) {
    let (audit, row) = (&canvas.model.workspace.audit, &audit_row.row);
    let selected = audit.selected == Some(row.seq);
    let base = select_row(canvas, area, selected, buf);
    let cursor = if selected { canvas.glyphs.pick("▌", ">") } else { " " };
    let (sign, role) = if audit_row.holds {
        (canvas.glyphs.pick("✓", "+"), Role::Ok)
    } else {
        (canvas.glyphs.pick("✗", "x"), Role::Fail)
    };
    put(buf, area, area.x, area.y, cursor, base.patch(canvas.style(Role::BorderFocus)));
    put(buf, area, area.x + 1, area.y, sign, base.patch(canvas.style(role)));
    let hash = audit_row.hash.to_string();
    for column in columns {
        let (text, role) = match column.title {
            "#" => (row.seq.0.to_string(), Role::Muted),
            "TIME" => (row.at.clock(), Role::Muted),
            "WHO" => (safe_text(&row.who), Role::Text),
            "BY" => (row.channel.unwrap_or("-").to_owned(), Role::Muted),
            "KIND" => (kind(audit_row), role_of_kind(audit_row)),
            "ON" => (on(row), Role::Text),
            "WHY" => (safe_text(&row.why), Role::Muted),
            _ => (short(&hash).to_owned(), Role::Muted),
        };
        put_cell(buf, area, *column, area.y, (&text, base.patch(canvas.style(role))), canvas.glyphs);
    }
}

fn kind(audit: &AuditRow) -> String {
    match audit.row.verdict {
        Some(verdict) if audit.row.kind == "gate.voted" => {
            format!("{} {}", audit.row.kind, verdict)
        }
        _ => audit.row.kind.to_owned(),
    }
}

fn role_of_kind(audit: &AuditRow) -> Role {
    match audit.row.kind {
        "step.failed" | "undo.stuck" | "step.in_doubt" | "attempt.lost" => Role::Fail,
        kind if kind.starts_with("gate.") => Role::Gate,
        _ if audit.row.is_decision => Role::Info,
        _ => Role::Text,
    }
}

fn on(row: &cuelight_projection::TrailRow) -> String {
    let run = row.run.map_or_else(String::new, |run| format!("{run} "));
    safe_text(&format!("{run}{}", row.on))
}

/// Why there is no row.
fn nothing(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let audit = &canvas.model.workspace.audit;
    let text = match &audit.missing {
        Some(why) => safe_text(why),
        None if audit.asked.is_some() && audit.window.low > 1 => {
            format!("reading the log, {} to go", counted(audit.window.low - 1, "record", "records"))
        }
        None if canvas.model.board.seq.0 == 0 => {
            "nothing was decided yet; `cuelight run FILE` starts a workflow".to_owned()
        }
        None if !audit.filter.is_empty() => {
            format!("no record fits `{}`; Esc shows all again", safe_text(&audit.filter))
        }
        None => "nobody decided anything yet; a shows every event".to_owned(),
    };
    for (row, line) in wrapped(&text, usize::from(area.width.saturating_sub(2)).max(1)).iter().enumerate() {
        put(buf, area, area.x + 1, area.y + u16::try_from(row).unwrap_or(0), line, canvas.style(Role::Muted));
    }
}

/// The record under the cursor, as much of it as fits; its hashes are always seen.
fn detail(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let audit = &canvas.model.workspace.audit;
    let title = audit.row().map_or_else(|| "record".to_owned(), |row| format!("{} {}", row.seq, row.kind));
    let inside = pane(
        buf,
        area,
        &title,
        canvas.glyphs.pick("yy copy  J json  ⏎ whole", "yy copy  J json  Enter whole"),
        canvas.pane(false),
    );
    let inside = layout::inset(inside, 1, 0, 0);
    let width = usize::from(inside.width).max(1);
    let foot = if audit.as_json { 0 } else { 3.min(audit.detail.len()) };
    let (lines, links) = audit.detail.split_at(audit.detail.len() - foot);
    let height = usize::from(inside.height);
    let room = height.saturating_sub(foot);
    let mut y = inside.y;
    let shown =
        lines.iter().flat_map(|(line, role)| folded(line, width).into_iter().map(|text| (text, *role)));
    for (line, role) in shown.take(room) {
        put_detail(canvas, Rect { y, height: 1, ..inside }, &line, role, buf);
        y += 1;
    }
    for (line, role) in links.iter().take(height) {
        put_detail(canvas, Rect { y, height: 1, ..inside }, line, *role, buf);
        y += 1;
    }
}

/// A line in as many rows as it takes, what follows under its text.
fn folded(line: &str, width: usize) -> Vec<String> {
    if line.width() <= width || width < 24 {
        return vec![line.to_owned()];
    }
    let (name, text) = line.split_at_checked(NAMES).unwrap_or(("", line));
    let rows = wrapped(text, width.saturating_sub(NAMES));
    rows.into_iter()
        .take(4)
        .enumerate()
        .map(|(row, text)| format!("{:<NAMES$}{text}", if row == 0 { name } else { "" }))
        .collect()
}

fn put_detail(canvas: &Canvas<'_>, area: Rect, line: &str, role: Role, buf: &mut Buffer) {
    let line = canvas.glyphs.fit(line, usize::from(area.width));
    let (name, text) = match line.split_at_checked(NAMES) {
        Some((name, text)) if !canvas.model.workspace.audit.as_json => (name, text),
        _ => ("", line.as_str()),
    };
    let pieces: Pieces =
        vec![(name.to_owned(), canvas.style(Role::Muted)), (text.to_owned(), canvas.style(role))];
    put_pieces(buf, area, (area.x, area.y), &pieces, canvas.glyphs);
}

/// The links around the cursor, and what is known of all of them.
fn chain(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let audit = &canvas.model.workspace.audit;
    let inside = layout::inset(pane(buf, area, "chain", "", canvas.pane(false)), 1, 0, 0);
    let at = audit.selected.and_then(|selected| audit.window.place_of(selected)).unwrap_or(0);
    let near = audit.window.rows.iter().skip(at.saturating_sub(3)).take(8);
    let line = canvas.glyphs.pick(" ─ ", " - ");
    let gap = canvas.glyphs.pick(" … ", " ~ ");
    let mut links = String::new();
    let mut before: Option<u64> = None;
    for seq in near.map(|row| row.row.seq.0).collect::<Vec<_>>().into_iter().rev() {
        match before {
            None => {}
            Some(last) if last + 1 == seq => links.push_str(line),
            Some(_) => links.push_str(gap),
        }
        links.push_str(&format!("#{seq}"));
        before = Some(seq);
    }
    put(
        buf,
        inside,
        inside.x,
        inside.y,
        &canvas.glyphs.fit(&links, usize::from(inside.width)),
        canvas.style(Role::Text),
    );
    let (words, role) = chain_words(canvas, true);
    put(buf, inside, inside.x, inside.y + 2, &words, canvas.style(role));
    let words = match &audit.chain {
        ChainState::Holds { records, .. } => {
            format!("{}, none broken", counted(*records, "record", "records"))
        }
        ChainState::Broken { records, .. } => {
            format!("{} before it", counted(*records, "record holds", "records hold"))
        }
        ChainState::Unknown => "each row is checked against the one before it as it is read".to_owned(),
    };
    put(buf, inside, inside.x, inside.y + 3, &words, canvas.style(Role::Muted));
    let held = format!(
        "{} of events {} to {}",
        counted(audit.window.rows.len(), "row", "rows"),
        audit.window.low,
        audit.window.high
    );
    put(buf, inside, inside.x, inside.y + 5, &held, canvas.style(Role::Muted));
}

/// The trail of the run under the cursor, as far as it was read.
fn same_run(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let audit = &canvas.model.workspace.audit;
    let Some(run) = audit.row().and_then(|row| row.run) else {
        pane(buf, area, "trail", "", canvas.pane(false));
        return;
    };
    let inside = pane(buf, area, &format!("trail of {run}"), "r shows this run only", canvas.pane(false));
    let rows: Vec<&AuditRow> = audit.window.rows.iter().filter(|row| row.row.run == Some(run)).collect();
    let at = rows.iter().position(|row| Some(row.row.seq) == audit.selected).unwrap_or(0);
    let height = usize::from(inside.height);
    let top = at.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    let seen: Vec<&&AuditRow> = rows.iter().skip(top).take(height).collect();
    for (index, audit_row) in seen.into_iter().rev().enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        let here = Some(audit_row.row.seq) == audit.selected;
        let cursor = if here { canvas.glyphs.pick("▌", ">") } else { " " };
        let pieces: Pieces = vec![
            (format!("{cursor}{}  ", audit_row.row.at.clock()), canvas.style(Role::Muted)),
            (
                format!("{:<10} ", canvas.glyphs.fit(&safe_text(&audit_row.row.who), 10)),
                canvas.style(Role::Text),
            ),
            (format!("{:<18} ", audit_row.row.kind), canvas.style(role_of_kind(audit_row))),
            (safe_text(&format!("{} {}", audit_row.row.on, audit_row.row.why)), canvas.style(Role::Muted)),
        ];
        put_pieces(buf, inside, (inside.x, y), &pieces, canvas.glyphs);
    }
}

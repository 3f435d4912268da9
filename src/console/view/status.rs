//! The status line: what matters most stays when it is narrow.

use super::{
    Canvas,
    pieces::{Pieces, put_pieces, width_of},
};
use crate::{Link, Mark, Role, View, marks::age, put_right, update::pulse};
use cuelight_base::{Timestamp, counted};
use cuelight_engine::RunState;
use ratatui::{buffer::Buffer, layout::Rect};

/// One part, in its long and its short form, and how long it is kept: the highest goes last.
struct Part {
    keep: u8,
    /// Parts with the same number stand together; a bar parts them from others.
    block: u8,
    long: Pieces,
    short: Pieces,
}

pub(crate) fn draw(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let clock = canvas.model.clock.clock();
    let who = format!("op:{}", canvas.model.seat.actor.name);
    let mut parts = parts(canvas);
    let width = usize::from(area.width);
    let clock = if canvas.model.moves() { clock } else { String::new() };
    let (right, line) = fit(canvas, &mut parts, width, &[&clock, &who]);
    put_pieces(buf, area, (area.x, area.y), &line, canvas.glyphs);
    if let Some(right) = right {
        put_right(buf, area, area.right().saturating_sub(1), area.y, &right, canvas.style(Role::Muted));
    }
}

/// The longest form that fits: long words first, then short ones, then without the clock, then without part after part.
fn fit(
    canvas: &Canvas<'_>,
    parts: &mut Vec<Part>,
    width: usize,
    right: &[&String; 2],
) -> (Option<String>, Pieces) {
    let both = format!("{}  {}", right[1], right[0]).trim_end().to_owned();
    for (long, right) in [(true, Some(both)), (false, Some(right[0].clone())), (false, None)] {
        let line = line_of(canvas, parts, long);
        if width_of(&line) + right.as_ref().map_or(0, |text| text.len() + 2) <= width {
            return (right, line);
        }
    }
    loop {
        let line = line_of(canvas, parts, false);
        let Some(least) = parts.iter().map(|part| part.keep).min() else { return (None, line) };
        if width_of(&line) < width || parts.len() == 1 {
            return (None, line);
        }
        parts.retain(|part| part.keep != least);
    }
}

fn line_of(canvas: &Canvas<'_>, parts: &[Part], long: bool) -> Pieces {
    let bar = canvas.glyphs.pick(" │ ", " | ");
    let mut line: Pieces = vec![(" ".to_owned(), canvas.style(Role::Text))];
    let mut block = None;
    for part in parts {
        match block {
            None => {}
            Some(before) if before == part.block => {
                line.push((if long { "  " } else { " " }.to_owned(), canvas.style(Role::Text)));
            }
            Some(_) => line.push((bar.to_owned(), canvas.style(Role::Border))),
        }
        block = Some(part.block);
        line.extend(if long { part.long.clone() } else { part.short.clone() });
    }
    line
}

fn parts(canvas: &Canvas<'_>) -> Vec<Part> {
    let model = canvas.model;
    let board = model.live();
    let mut parts = Vec::new();
    let mut add = |block: u8, keep: u8, long: String, short: String, style| {
        parts.push(Part { keep, block, long: vec![(long, style)], short: vec![(short, style)] });
    };
    let mode = model.mode().word().to_owned();
    add(0, 10, mode.clone(), mode, canvas.style(Role::Title));
    let (link, role) = link(canvas);
    add(1, 9, link.clone(), link, canvas.style(role));
    if let Some((long, short)) = past(canvas) {
        add(1, 4, long, short, canvas.style(Role::Muted));
        add(2, 6, "live now:".to_owned(), "live:".to_owned(), canvas.style(Role::Muted));
    }
    let count = |state: RunState| board.summaries().filter(|summary| summary.state == state).count();
    let sign = |mark: Mark| mark.sign(canvas.glyphs);
    let running = count(RunState::Running);
    let style = |mark: Mark, count: usize| {
        if count == 0 { canvas.style(Role::Muted) } else { mark.style(canvas.theme) }
    };
    let short = |mark: Mark, count: usize| format!("{}{count}", sign(mark));
    let words = |mark: Mark, count: usize, word: &str| format!("{} {count} {word}", sign(mark));
    // Read out, the sign of a run that runs is that word.
    if !model.look.reader {
        add(2, 1, "runs".to_owned(), "runs".to_owned(), canvas.style(Role::Muted));
    }
    add(2, 3, words(Mark::Runs, running, "running"), short(Mark::Runs, running), style(Mark::Runs, running));
    let failed = count(RunState::Failed);
    add(
        2,
        7,
        words(Mark::Failed, failed, "failed"),
        short(Mark::Failed, failed),
        style(Mark::Failed, failed),
    );
    let done = count(RunState::Completed);
    add(2, 1, words(Mark::Done, done, "done"), short(Mark::Done, done), style(Mark::Done, done));
    let gates = board.open_gates().count();
    let oldest = board.open_gates().map(|gate| gate.ask.opened_at).min();
    let waits = oldest.map(|oldest| age(model.clock.since(oldest)));
    let long_gates = match &waits {
        Some(waits) => {
            format!("{} {}, oldest {waits}", sign(Mark::Gate), counted(gates, "gate", "gates"))
        }
        None => words(Mark::Gate, 0, "gates"),
    };
    let short_gates =
        waits.map_or_else(|| short(Mark::Gate, 0), |age| format!("{} {age}", short(Mark::Gate, gates)));
    add(3, 8, long_gates, short_gates, style(Mark::Gate, gates));
    let (agents, came) = (board.agents_at_work(), board.present().present());
    if agents > 0 || came > 0 {
        let there = if came == 0 { String::new() } else { format!(", {came} registered") };
        let long = format!("{} {} at work{there}", sign(Mark::Runs), counted(agents, "agent", "agents"));
        add(
            3,
            2,
            long,
            format!("{agents} ag"),
            canvas.style(if agents > 0 { Role::Ok } else { Role::Muted }),
        );
    }
    let reviews = board.reviews_due().count();
    if reviews > 0 {
        let long = format!("! {reviews} to review");
        add(3, 8, long, format!("!{reviews}"), canvas.style(Role::Fail));
    }
    if board.seq.0 > 0 {
        let health = board.health();
        let short = match health.label() {
            "healthy" => "ok",
            "degraded" => "degr",
            _ => "crit",
        };
        let style = canvas.style(crate::meter_role(u64::from(health.0)));
        add(4, 5, format!("health {health} {}", health.label()), format!("health {health} {short}"), style);
        let ago = model.clock.since(board.at);
        let text = match ago.0 {
            _ if !model.moves() => board.at.clock(),
            ago @ ..10_000 => format!("{}.{}s", ago / 1000, ago % 1000 / 100),
            _ => age(ago),
        };
        // What is wrong with it is kept longer than how well it goes.
        if let Some(missed) = model.behind_now() {
            let text = format!("BEHIND {missed}");
            add(5, 6, text.clone(), text, warning(canvas));
        } else if let Some(silent) = pulse::stale_for(model) {
            let text = format!("STALE {}", age(silent));
            add(5, 6, text.clone(), text, warning(canvas));
        } else {
            add(5, 4, format!("last event {text}"), format!("ev {text}"), canvas.style(Role::Muted));
        }
    }
    let rights = if model.seat.read_only || model.past.travel.is_some() { "ro" } else { "rw" };
    let role = if model.locked().is_some() { Role::Warn } else { Role::Muted };
    add(6, 2, rights.to_owned(), rights.to_owned(), canvas.style(role));
    parts
}

/// Reversed, so that it is seen without colour.
fn warning(canvas: &Canvas<'_>) -> ratatui::style::Style {
    canvas.style(Role::Warn).add_modifier(ratatui::style::Modifier::REVERSED)
}

/// The state of the connection to the engine. A state that locks all changes says so here.
fn link(canvas: &Canvas<'_>) -> (String, Role) {
    let since = |at: Timestamp| age(canvas.model.clock.since(at));
    if let Some(travel) = &canvas.model.past.travel {
        let behind = canvas.model.clock.since(canvas.model.now);
        let text = match travel.shown {
            Some(_) => format!("HISTORY {} (-{behind})", canvas.model.now.clock()),
            None => "HISTORY".to_owned(),
        };
        return (text, Role::History);
    }
    match &canvas.model.link {
        _ if canvas.model.past.frozen.is_some() => ("FROZEN".to_owned(), Role::History),
        Link::Live if canvas.model.board.seq.0 == 0 && canvas.model.board.run_count() == 0 => {
            ("LIVE".to_owned(), Role::Muted)
        }
        Link::Live if canvas.model.view == View::Logs && canvas.model.logs.follow => {
            ("FOLLOW".to_owned(), Role::Ok)
        }
        Link::Live => ("LIVE".to_owned(), Role::Ok),
        Link::Opening => ("OPENING".to_owned(), Role::Muted),
        Link::Lost { since: at, .. } => (format!("LOST {}", since(*at)), Role::Fail),
        Link::Unheard { .. } => ("GUARD!".to_owned(), Role::Warn),
        Link::Strays { .. } => ("STRAY".to_owned(), Role::Warn),
        Link::Unwritten { .. } => ("DB!".to_owned(), Role::Fail),
        Link::Unowned => ("NO OWNER".to_owned(), Role::Warn),
    }
}

/// The position in the past.
fn past(canvas: &Canvas<'_>) -> Option<(String, String)> {
    let travel = canvas.model.past.travel.as_ref()?;
    let play = travel.play.map_or_else(String::new, |play| {
        format!("{}{}x", canvas.glyphs.pick(if play.forward { "► " } else { "◄ " }, ">> "), travel.speed)
    });
    let place = format!("event {} of {}", travel.at, travel.history.len());
    Some((format!("{place}  {play}").trim_end().to_owned(), if play.is_empty() { place } else { play }))
}

//! The failure under the cursor: what happened, what it caused, what mended it before, its calls, and what can be done.

use super::{
    draw::{mark_of, name_of, severity_role, what_now},
    state::ErrorGroup,
};
use crate::{
    Intent, Role,
    actions::error_command,
    layout,
    marks::age,
    pane,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, wrapped},
    },
};
use cuelight_base::{counted, output_line, safe_text};
use cuelight_engine::{Purpose, StepState};
use cuelight_projection::{AttemptView, ErrorState, ErrorView, RunView, partial_words};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};

/// Names in one line.
const NAMES_MAX: usize = 4;

/// Draws the details of the selected failure. `alone` means that no other pane shows its attempts and
/// actions.
pub(super) fn preview(canvas: &Canvas<'_>, area: Rect, alone: bool, buf: &mut Buffer) {
    let Some(error) = canvas.model.selected_error() else {
        pane(buf, area, "nothing is selected", "", canvas.pane(false));
        return;
    };
    let title = format!("{} {} · {}", error.name(), error.record.mode.label(), name_of(error));
    let key = |intent| canvas.model.keys.keys_of(canvas.model.view.scope(), intent).unwrap_or_default();
    let footer = format!("{} logs  {} all of it", key(Intent::Logs), key(Intent::Evidence));
    let inside = layout::inset(pane(buf, area, &title, &footer, canvas.pane(false)), 1, 0, 0);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let mut lines = head(canvas, error, width);
    let mut rest = facts(canvas, error, width);
    rest.extend(aftermath(canvas, error));
    if alone {
        rest.extend(suggestions(canvas, error));
    }
    rest.extend(before(canvas, error, width));
    // The output stands first. Two thirds of the room are its own, and what the rest leaves.
    let room = height.saturating_sub(lines.len());
    lines.extend(tail(canvas, error, room.saturating_sub(rest.len()).max(room * 2 / 3)));
    lines.extend(rest);
    draw_lines(canvas, inside, &lines, buf);
}

fn draw_lines(canvas: &Canvas<'_>, area: Rect, lines: &[Pieces], buf: &mut Buffer) {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        put_pieces(buf, area, (area.x, y), line, canvas.glyphs);
    }
}

/// A line with a name before it; the lines after the first one stand under its text.
fn named(canvas: &Canvas<'_>, name: &str, text: &str, width: usize, style: Style) -> Vec<Pieces> {
    const LINES_MAX: usize = 4;
    let mut lines = wrapped(text, width.saturating_sub(10).max(8));
    if lines.len() > LINES_MAX {
        lines.truncate(LINES_MAX);
        lines[LINES_MAX - 1].push(canvas.glyphs.ellipsis());
    }
    let head = |index: usize| if index == 0 { format!("{name:<10}") } else { " ".repeat(10) };
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| vec![(head(index), canvas.style(Role::Muted)), (line, style)])
        .collect()
}

/// The state of the failure, its message, and the failures that stand behind the same row.
fn head(canvas: &Canvas<'_>, error: &ErrorView, width: usize) -> Vec<Pieces> {
    let model = canvas.model;
    let record = &error.record;
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mark = mark_of(error);
    let tries = match error.attempt {
        0 => String::new(),
        attempt => format!("   try {attempt} of {}", error.attempts_max.max(attempt)),
    };
    let since = age(model.now.since(error.first_at));
    let mut lines: Vec<Pieces> = vec![vec![
        (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
        (record.severity.to_string(), canvas.style(severity_role(error))),
        (format!("  {} {since}{tries}   ", error.state_word()), text),
        (what_now(canvas, error), muted),
    ]];
    lines.extend(named(canvas, "message", &safe_text(&record.message), width, text));
    if let Some(group) = model.workspace.errors.group_of(error.id) {
        lines.extend(named(canvas, "group", &group_words(group), width, text));
    }
    lines
}

/// `4 failures, 1 open, in r-5 r-3 r-2; steps carts, prices`
fn group_words(group: &ErrorGroup) -> String {
    let list = |names: Vec<String>, between: &str| {
        let rest = names.len().saturating_sub(NAMES_MAX);
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        format!("{}{more}", names.into_iter().take(NAMES_MAX).collect::<Vec<_>>().join(between))
    };
    let count = counted(group.members.len(), "failure", "failures");
    let runs = list(group.runs.iter().map(ToString::to_string).collect(), " ");
    let steps = match group.steps.len() {
        1 => String::new(),
        _ => format!("; steps {}", list(group.steps.clone(), ", ")),
    };
    format!("{count}, {} open, in {runs}{steps}", group.open)
}

/// The call, the kind and what people said of it.
fn facts(canvas: &Canvas<'_>, error: &ErrorView, width: usize) -> Vec<Pieces> {
    let record = &error.record;
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mut lines: Vec<Pieces> = Vec::new();
    for (key, value) in &record.context {
        lines.extend(named(canvas, &safe_text(key), &safe_text(&value.to_string()), width, text));
    }
    if let Some(call) = last_call(canvas, error) {
        let argv = safe_text(&call.argv.join(" "));
        let argv = canvas.glyphs.fit(&argv, width.saturating_sub(10));
        lines.push(vec![("call      ".to_owned(), muted), (argv, text)]);
    }
    let kind = format!("{} · {} · trace {}", record.error_type.label(), record.mode, safe_text(&error.trace));
    lines.push(vec![("kind      ".to_owned(), muted), (kind, text)]);
    if let Some(said) = &error.acknowledged {
        let reason =
            if said.reason.is_empty() { String::new() } else { format!(": {}", safe_text(&said.reason)) };
        let words = format!("{} at {}{reason}", safe_text(&said.by.to_string()), said.at.clock());
        lines.extend(named(canvas, "seen by", &words, width, text));
    }
    if let ErrorState::Resolved { at, fix } = &error.state {
        let words = format!("{} at {}", safe_text(&fix.words()), at.clock());
        lines.extend(named(canvas, "closed", &words, width, canvas.style(Role::Ok)));
    }
    lines
}

fn run_of<'a>(canvas: &Canvas<'a>, error: &ErrorView) -> Option<&'a RunView> {
    canvas.model.board.run(error.run).map(|run| &**run)
}

fn last_call<'a>(canvas: &Canvas<'a>, error: &ErrorView) -> Option<&'a AttemptView> {
    let attempts = run_of(canvas, error)?.step(error.step?)?.attempts();
    attempts.iter().rev().find(|attempt| attempt.number <= error.attempt)
}

/// The steps that never ran because of the failure, and those undone after it.
fn aftermath(canvas: &Canvas<'_>, error: &ErrorView) -> Vec<Pieces> {
    let Some(after) = &canvas.model.workspace.errors.aftermath else { return Vec::new() };
    let (muted, text) = (canvas.style(Role::Muted), canvas.style(Role::Text));
    let (arrow, skip) = canvas.glyphs.pick((" → ", "⊘"), (" > ", "-"));
    let mut lines = Vec::new();
    if after.skipped_count > 0 {
        let names: Vec<String> =
            after.skipped.iter().take(NAMES_MAX).map(|text| format!("{} {skip}", safe_text(text))).collect();
        let rest = after.skipped_count.saturating_sub(names.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let failed = canvas.glyphs.pick("✗", "x");
        let chain = format!("{} {failed}{arrow}{}{more}", safe_text(&error.step_id), names.join(arrow));
        lines.push(vec![("chain     ".to_owned(), muted), (chain, text)]);
    }
    if after.undone_count > 0 {
        let names: Vec<String> =
            after.undone.iter().take(NAMES_MAX).map(|(text, _)| safe_text(text)).collect();
        let rest = after.undone_count.saturating_sub(names.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let undone = canvas.glyphs.pick("⟲", "<");
        let words = format!("{undone} {}{more}", names.join(", "));
        lines.push(vec![("undone    ".to_owned(), muted), (words, text)]);
    }
    lines
}

/// The earlier fixes of similar failures, and the number of times that each worked.
fn before(canvas: &Canvas<'_>, error: &ErrorView, width: usize) -> Vec<Pieces> {
    let board = &canvas.model.board;
    let (alike, text) = (board.alike(error), canvas.style(Role::Text));
    let times = alike.times.saturating_sub(1);
    let words = match (times, alike.fixes.is_empty()) {
        (0, _) => "not like this, as far as is known".to_owned(),
        (times, true) => format!("like this {}, nothing mended it", times_word(times)),
        (times, false) => {
            let fixes: Vec<String> = alike
                .fixes
                .iter()
                .map(|(fix, worked)| format!("{fix} {worked} of {}", alike.times))
                .collect();
            let last = alike
                .last_fix
                .as_deref()
                .map_or_else(String::new, |last_fix| format!("; last by {}", safe_text(last_fix)));
            format!("like this {}; mended by {}{last}", times_word(times), fixes.join(", "))
        }
    };
    let mut lines = named(canvas, "before", &words, width, text);
    if let Some(worker) = board.worker(error).filter(|worker| worker.times > 1) {
        let most = worker
            .most_common()
            .map_or_else(String::new, |(mode, times)| format!(", mostly {} {times}", mode.label()));
        let words = format!("{} failed {}{most}", safe_text(&error.record.source), times_word(worker.times));
        lines.extend(named(canvas, "worker", &words, width, canvas.style(Role::Muted)));
    }
    lines
}

fn times_word(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

/// The end of what it wrote, as much as there is room for.
fn tail(canvas: &Canvas<'_>, error: &ErrorView, room: usize) -> Vec<Pieces> {
    let lines: Vec<&str> = error.record.tail.lines().collect();
    let shown = lines.len().min(room.saturating_sub(1));
    if shown == 0 {
        return Vec::new();
    }
    let head = format!(
        "output, its last {}",
        if shown == 1 { "line".to_owned() } else { counted(shown, "line", "lines") }
    );
    let mut out: Vec<Pieces> = vec![vec![(head, canvas.style(Role::Muted))]];
    let bar = canvas.glyphs.pick("│ ", "| ");
    out.extend(lines[lines.len() - shown..].iter().map(|line| {
        vec![
            (bar.to_owned(), canvas.style(Role::Border)),
            (output_line(line.as_bytes()), canvas.style(Role::LogE)),
        ]
    }));
    out
}

/// The possible actions: key, command, and its effect.
fn offers(canvas: &Canvas<'_>, error: &ErrorView) -> Vec<(Intent, String, String)> {
    let model = canvas.model;
    let mut all = Vec::new();
    let summary = model.board.summary(error.run);
    let partial = run_of(canvas, error).and_then(partial_words);
    if summary.is_some_and(|summary| summary.state.rests()) {
        let hint = partial.map_or_else(String::new, |partial| format!("; {}", safe_text(&partial)));
        let what = format!("a new run does again what failed and what did not run{hint}");
        all.push((Intent::Retry, "retry".to_owned(), what));
        let done = run_of(canvas, error).map_or(0, |run| run.summary.counts.of(StepState::Completed));
        if done > 0 {
            let what = format!(
                "undoes what can be undone, of {} done",
                counted(done, "step that is", "steps that are")
            );
            all.push((Intent::Compensate, "undo the run".to_owned(), what));
        }
    } else if summary.is_some() {
        all.push((Intent::Cancel, "cancel the run".to_owned(), "ends what still runs in it".to_owned()));
    }
    if error_command(model, Intent::Acknowledge).is_ok() {
        let what = "others see that you look after it; u undoes that for 10 s".to_owned();
        all.push((Intent::Acknowledge, "acknowledge".to_owned(), what));
    }
    if error_command(model, Intent::Resolve).is_ok() {
        let what = "says that it is mended; u undoes that for 10 s".to_owned();
        all.push((Intent::Resolve, "resolve".to_owned(), what));
    }
    all
}

fn suggestions(canvas: &Canvas<'_>, error: &ErrorView) -> Vec<Pieces> {
    let offers = offers(canvas, error);
    let key = |intent| canvas.model.keys.keys_of(canvas.model.view.scope(), intent).unwrap_or_default();
    let mut lines = Vec::new();
    for (index, (intent, name, what)) in offers.iter().enumerate() {
        let head = if index == 0 { "suggest   " } else { "          " };
        lines.push(vec![
            (head.to_owned(), canvas.style(Role::Muted)),
            (format!("{:<2} ", key(*intent)), canvas.style(Role::Title)),
            (format!("{name}: "), canvas.style(Role::Text)),
            (what.clone(), canvas.style(Role::Muted)),
        ]);
    }
    lines
}

/// Draws the possible actions one below the other, each with its level.
pub(super) fn choices(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, "what you can do", "", canvas.pane(false)), 1, 0, 0);
    let Some(error) = canvas.model.selected_error() else { return };
    let key = |intent| canvas.model.keys.keys_of(canvas.model.view.scope(), intent).unwrap_or_default();
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    for (intent, name, what) in offers(canvas, error) {
        lines.push(vec![
            (format!("{:<3}", key(intent)), canvas.style(Role::Title)),
            (format!("{name:<22}"), text),
            (intent.level().to_string(), muted),
        ]);
        for line in wrapped(&what, usize::from(inside.width.saturating_sub(4)).max(8)) {
            lines.push(vec![(format!("   {line}"), muted)]);
        }
        lines.push(Vec::new());
    }
    if let Err(why) = error_command(canvas.model, Intent::Acknowledge) {
        lines.push(vec![(safe_text(&why), muted)]);
    } else {
        lines.push(vec![("no action   it stands here until it is mended".to_owned(), muted)]);
    }
    draw_lines(canvas, inside, &lines, buf);
}

/// Its calls on a line of time, and what was undone after it.
pub(super) fn calls(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let inside = layout::inset(pane(buf, area, "calls and undo", "", canvas.pane(false)), 1, 0, 0);
    let Some(error) = canvas.model.selected_error() else { return };
    let (text, muted) = (canvas.style(Role::Text), canvas.style(Role::Muted));
    let view = run_of(canvas, error).and_then(|run| run.step(error.step?));
    let mut lines: Vec<Pieces> = vec![Vec::new()];
    let attempts: &[AttemptView] = view.map_or(&[], |view| view.attempts());
    let longest = attempts.iter().map(|attempt| attempt.ran_for.0).max().unwrap_or(0).max(1);
    // Of many calls the last ones are told.
    let room = usize::from(inside.height.saturating_sub(6)).max(1);
    for attempt in &attempts[attempts.len().saturating_sub(room)..] {
        let cells = usize::try_from(attempt.ran_for.0 * 20 / longest).unwrap_or(20).max(1);
        let bar = canvas.glyphs.pick("─", "-").repeat(cells);
        let (left, right) = canvas.glyphs.pick(("├", "┤"), ("|", "|"));
        let (how, role) = match (&attempt.failure, attempt.is_running()) {
            (_, true) => ("runs".to_owned(), Role::Info),
            (Some(failure), _) => (failure.mode.label(), Role::Fail),
            (None, _) if attempt.lost.is_some() => ("nobody knows".to_owned(), Role::Warn),
            (None, _) => ("well".to_owned(), Role::Ok),
        };
        let what = match attempt.purpose {
            Purpose::Step => "try",
            Purpose::Fallback(_) => "fallback",
            Purpose::Undo => "undo",
            Purpose::Check => "check",
        };
        lines.push(vec![
            (format!("{what:<8} {:<3} {}  ", attempt.number, attempt.started_at.clock()), text),
            (format!("{left}{bar}{right} {}  ", attempt.ran_for), muted),
            (how, canvas.style(role)),
        ]);
        if let Some(again) = attempt.retry_at {
            lines.push(vec![(format!("             again at {}", again.clock()), muted)]);
        }
    }
    if attempts.is_empty() {
        let known = run_of(canvas, error).is_some();
        let words = if known { "it was never called" } else { "its run is no longer whole in memory" };
        lines.push(vec![(words.to_owned(), muted)]);
    }
    lines.push(Vec::new());
    lines.extend(aftermath(canvas, error));
    draw_lines(canvas, inside, &lines, buf);
}

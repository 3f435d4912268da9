//! Preview of the run under the cursor: its steps as signs or as a small graph, its activity and the reason,
//! its next steps, its usage, and its last events.

use crate::{
    DagView, Mark, Role, dag, gauge, layout,
    marks::{age, mark_of_gate, mark_of_step, word_of_run},
    pane,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, width_of},
    },
};
use cuelight_base::{counted, safe_text};
use cuelight_engine::StepState;
use cuelight_plan::Currency;
use cuelight_projection::{GateView, Line, RunSummary, RunView, why};
use ratatui::{buffer::Buffer, layout::Rect};

/// Steps that are named in one line.
const NAMES_MAX: usize = 3;

pub(super) fn draw(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let key = model.keys.keys_of(model.view.scope(), crate::Intent::Preview).unwrap_or_default();
    let footer = format!("{key} hide");
    let Some(summary) = model.runs.selected.and_then(|selected| model.board.summary(selected)) else {
        pane(buf, area, "no run", &footer, canvas.pane(false));
        return;
    };
    let title = format!("{} {}", summary.id, safe_text(&summary.workflow));
    let inside = layout::inset(pane(buf, area, &title, &footer, canvas.pane(false)), 1, 0, 0);
    let mut inside = inside;
    if let Some(picture) =
        model.runs.picture.as_ref().filter(|picture| picture.run == summary.id && inside.height > 12)
    {
        inside = small_graph(canvas, picture, inside, buf);
    } else if let Some(run) = model.board.run(summary.id) {
        let line = signs(canvas, run, usize::from(inside.width));
        put_pieces(buf, inside, (inside.x, inside.y), &line, canvas.glyphs);
        inside = layout::inset(inside, 0, 1, 0);
    }
    let mut lines = facts(canvas, summary);
    let history =
        model.board.run(summary.id).map(|run| run.lines().rev().collect::<Vec<_>>()).unwrap_or_default();
    let room = usize::from(inside.height);
    if inside.height > 12 {
        lines.push(Vec::new());
    }
    for (index, line) in history.iter().take(room.saturating_sub(lines.len())).enumerate() {
        lines.push(history_line(canvas, line, index == 0));
    }
    for (index, line) in lines.iter().take(room).enumerate() {
        let y = inside.y + u16::try_from(index).unwrap_or(0);
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
}

/// The graph, as much of it as fits the upper third; the part with the cursor when it does not.
fn small_graph(
    canvas: &Canvas<'_>,
    picture: &crate::graph::state::Picture,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let (width, height) = picture.layout.size();
    let rows = u16::try_from(height).unwrap_or(u16::MAX).min(area.height / 3).max(1);
    let (graph, rest) = layout::split_down(area, rows);
    let hot =
        picture.shown.nodes.iter().position(|node| node.hot).and_then(|index| u32::try_from(index).ok());
    let place = hot.and_then(|hot| picture.layout.rect_of(hot));
    let offset = |at: i32, size: i32, whole: i32, seen: u16| {
        (at + size / 2 - i32::from(seen) / 2).clamp(0, (whole - i32::from(seen)).max(0))
    };
    let offset = place.map_or((0, 0), |place| {
        (
            offset(place.x, place.width, width, graph.width),
            offset(place.y, place.height, height, graph.height),
        )
    });
    let view = DagView::default();
    dag::paint(&picture.layout, &picture.shown, &view, canvas.theme, canvas.glyphs, offset, graph, buf);
    layout::inset(rest, 0, 1, 0)
}

/// One sign for each step, and how many there are of each kind.
fn signs(canvas: &Canvas<'_>, run: &RunView, width: usize) -> Pieces {
    let model = canvas.model;
    let marks: Vec<Mark> = run
        .steps()
        .filter(|(_, _, step)| step.inside.is_none())
        .map(|(_, _, step)| mark_of_step(step, &model.board, model.now))
        .collect();
    let counts = counts_of(&run.summary);
    let room = width.saturating_sub(width_of(&vec![(counts.clone(), canvas.style(Role::Text))]) + 3).max(10);
    let mut line: Pieces = Vec::new();
    let shown = if marks.len() > room { room - 1 } else { marks.len() };
    // Of many steps those around the front are shown.
    let front = marks.iter().position(|mark| !mark.is_settled()).unwrap_or(marks.len());
    let first = front.saturating_sub(shown * 2 / 3).min(marks.len() - shown);
    for mark in &marks[first..first + shown] {
        line.push((mark.sign(canvas.glyphs).to_owned(), mark.style(canvas.theme)));
    }
    if shown < marks.len() {
        line.push((canvas.glyphs.ellipsis().to_string(), canvas.style(Role::Muted)));
    }
    line.push((format!("   {counts}"), canvas.style(Role::Muted)));
    line
}

/// `8 done · 1 waits for you · 4 pending`
fn counts_of(run: &RunSummary) -> String {
    let word = |state: StepState| match state {
        StepState::Completed => "done",
        StepState::Pending => "to do",
        other => other.word(),
    };
    let parts: Vec<String> =
        run.counts.present().map(|(state, count)| format!("{count} {}", word(state))).collect();
    parts.join(" · ")
}

fn facts(canvas: &Canvas<'_>, summary: &RunSummary) -> Vec<Pieces> {
    let model = canvas.model;
    let Some(run) = model.board.run(summary.id) else {
        return vec![
            labelled(canvas, "state", vec![(word_of_run(summary).to_owned(), canvas.style(Role::Text))]),
            labelled(canvas, "steps", vec![(counts_of(summary), canvas.style(Role::Text))]),
        ];
    };
    let mut lines = Vec::new();
    let gates: Vec<_> = model.board.open_gates_of(summary.id).collect();
    match gates.first() {
        Some(gate) => {
            lines.push(labelled(canvas, "now", gate_now(canvas, gate, run)));
            lines.push(labelled(
                canvas,
                "why",
                vec![(safe_text(&gate.ask.prompt), canvas.style(Role::Text))],
            ));
            lines.push(labelled(canvas, "then", vec![(gate_then(canvas, gate), canvas.style(Role::Muted))]));
        }
        None => lines.extend(now_and_why(canvas, run)),
    }
    if let Some(next) = next_of(run) {
        lines.push(labelled(canvas, "next", vec![(next, canvas.style(Role::Text))]));
    }
    lines.push(labelled(canvas, "cost", used(canvas, summary)));
    lines
}

fn labelled(canvas: &Canvas<'_>, label: &str, rest: Pieces) -> Pieces {
    let mut line: Pieces = vec![(format!("{label:<6}"), canvas.style(Role::Muted))];
    line.extend(rest);
    line
}

fn gate_now(canvas: &Canvas<'_>, gate: &GateView, run: &RunView) -> Pieces {
    let mark = mark_of_gate(gate, canvas.model.now);
    let (agreed, needed) = (gate.approvals().count(), gate.needed());
    let waits = age(canvas.model.now.since(gate.ask.opened_at));
    let risk = cuelight_projection::ask_risk_word(gate.ask.risk);
    vec![
        (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
        (run.step_id(gate.step), canvas.style(Role::Gate)),
        (
            format!("   {} · {agreed} of {needed} · risk {risk} · waits {waits}", gate.id),
            canvas.style(Role::Text),
        ),
    ]
}

/// The outcome of a gate if nobody answers.
fn gate_then(canvas: &Canvas<'_>, gate: &GateView) -> String {
    format!("if nobody answers: {}", gate.then_words(canvas.model.now, age))
}

/// The steps that run, wait or failed, and the cause of the first of them.
fn now_and_why(canvas: &Canvas<'_>, run: &RunView) -> Vec<Pieces> {
    let model = canvas.model;
    let mut hot: Vec<_> = run
        .steps()
        .filter(|(_, _, step)| step.inside.is_none())
        .map(|(index, _, step)| (mark_of_step(step, &model.board, model.now), index, step))
        .filter(|(mark, _, _)| mark.urgency() >= Mark::Waits.urgency())
        .collect();
    hot.sort_by_key(|(mark, index, _)| (std::cmp::Reverse(mark.urgency()), *index));
    let Some((first, index, step)) = hot.first() else { return at_rest(canvas, run) };
    let mut now: Pieces = Vec::new();
    for (mark, index, step) in hot.iter().take(NAMES_MAX) {
        now.push((format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)));
        let since = age(model.now.since(step.since));
        now.push((format!("{} {since}   ", run.step_id(*index)), canvas.style(Role::Text)));
    }
    if hot.len() > NAMES_MAX {
        now.push((format!("and {} more", hot.len() - NAMES_MAX), canvas.style(Role::Muted)));
    }
    let mut lines = vec![labelled(canvas, "now", now)];
    if let Some(error) = step.error() {
        let text = format!("{}: {}", error.mode.label(), safe_text(&error.message));
        lines.push(labelled(canvas, "why", vec![(text, canvas.style(Role::Fail))]));
    } else if *first != Mark::Runs
        && let Some(cause) = why(&model.board, run, *index, model.now).last()
    {
        lines.push(labelled(canvas, "why", vec![(safe_text(&cause.text), canvas.style(Role::Text))]));
    }
    lines
}

fn at_rest(canvas: &Canvas<'_>, run: &RunView) -> Vec<Pieces> {
    let summary = &run.summary;
    let took = summary.took(canvas.model.now).map(|took| format!(" after {took}"));
    let text = format!("{}{}", word_of_run(summary), took.unwrap_or_default());
    let mark = crate::mark_of_run(summary);
    let mut lines = vec![labelled(
        canvas,
        "now",
        vec![
            (format!("{} ", mark.sign(canvas.glyphs)), mark.style(canvas.theme)),
            (text, canvas.style(Role::Text)),
        ],
    )];
    if let Some((by, reason)) = &run.cancelled {
        let text = format!("{}: {}", by.name, safe_text(reason));
        lines.push(labelled(canvas, "why", vec![(text, canvas.style(Role::Text))]));
    }
    lines
}

/// The steps that can start after the current ones have ended.
fn next_of(run: &RunView) -> Option<String> {
    let is_pending = |state: StepState| state == StepState::Pending;
    let goes_on = |index: &cuelight_base::StepIx| {
        run.step(*index)
            .is_some_and(|step| !step.state.rests() && !is_pending(step.state) && step.inside.is_none())
    };
    let next: Vec<&str> = run
        .steps()
        .filter(|(_, plan, step)| is_pending(step.state) && plan.needs.iter().any(goes_on))
        .map(|(_, plan, _)| plan.id.as_str())
        .collect();
    let more = next.len().saturating_sub(NAMES_MAX);
    let named = next.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    match (next.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}

fn used(canvas: &Canvas<'_>, summary: &RunSummary) -> Pieces {
    let text = canvas.style(Role::Text);
    let mut line: Pieces = Vec::new();
    for budget in summary.budgets() {
        let of =
            format!("{} of {}", budget.currency.figure(budget.used), budget.currency.figure(budget.limit));
        line.push((format!("{} {of}  ", budget.currency.word()), text));
        line.push((gauge(canvas.glyphs, 12, budget.used, budget.limit), canvas.style(Role::Info)));
        line.push(("  ".to_owned(), text));
    }
    line.pop();
    let told: Vec<String> = Currency::ALL
        .into_iter()
        .filter(|currency| summary.ceilings.of(*currency).is_none())
        .filter(|currency| summary.spent.of(*currency) > 0 || line.is_empty() && *currency == Currency::Calls)
        .map(|currency| spent_words(currency, summary.spent.of(currency)))
        .collect();
    let gap = if line.is_empty() || told.is_empty() { "" } else { "  " };
    line.push((format!("{gap}{}", told.join("  ")), text));
    if !summary.results.is_empty() {
        line.push((format!("   quality {}", summary.quality()), canvas.style(Role::Muted)));
    }
    if let Some(confidence) = summary.confidence() {
        line.push((format!("   confidence {confidence}"), canvas.style(Role::Muted)));
    }
    line
}

fn spent_words(currency: Currency, amount: u64) -> String {
    match currency {
        Currency::Calls => counted(amount, "call", "calls"),
        _ => currency.amount(amount),
    }
}

fn history_line(canvas: &Canvas<'_>, line: &Line, is_first: bool) -> Pieces {
    let label = if is_first { "last" } else { "" };
    labelled(
        canvas,
        label,
        vec![
            (format!("{}  ", line.at.clock()), canvas.style(Role::Muted)),
            (format!("{:<18} ", line.kind), canvas.style(role_of(line.kind))),
            (format!("{}  ", safe_text(&line.subject)), canvas.style(Role::Text)),
            (safe_text(&line.detail), canvas.style(Role::Muted)),
        ],
    )
}

/// The colour of an event's kind; the word says the same.
pub(super) fn role_of(kind: &str) -> Role {
    match kind.split('.').next_back().unwrap_or("") {
        "failed" | "lost" | "timed-out" | "stuck" | "in-doubt" | "expired" => Role::Fail,
        "completed" | "approved" | "done" | "ended" => Role::Ok,
        "asked" | "armed" | "requested" => Role::Gate,
        "rejected" | "retrying" | "cancelled" | "cancelling" | "paused" => Role::Warn,
        _ => Role::Info,
    }
}

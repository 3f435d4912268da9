//! Health: the number and what takes from it, golden signals over a period, workflows, checks, budgets, and this screen.
//! The projection computes; here it is only shown.

use crate::{
    Glyphs, Link, Role, Width, condensed, gauge, layout,
    marks::age,
    meter_role, pane,
    popup::draw::select_row,
    put, sparkline,
    view::{
        canvas::{Canvas, main_pane},
        pieces::{Column, Pieces, columns, put_cell, put_pieces},
    },
};
use cuelight_base::{Circuit, Score, Span, counted, plural, safe_text};
use cuelight_projection::{Beat, Check, Grade, Percentiles, Period, Reason, Signals, Tally, overall};
use ratatui::{buffer::Buffer, layout::Rect};

/// An hour, for what the health was.
const HOUR: Span = Span::seconds(3600);

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let frame = layout::frame(canvas.model.size);
    let body = frame.body;
    let (wide, halves) = match frame.width {
        Width::TooSmall => return,
        Width::One => (false, body.width / 2),
        Width::Two => (false, body.width * 45 / 100),
        Width::Three => (true, 58),
    };
    let panes = canvas.model.panes();
    if panes.whole {
        return score(canvas, body, buf);
    }
    let rows = |share: u16| body.height * share / 100;
    let upper = if wide { rows(36).max(14) } else { rows(43).max(8) }.min(body.height);
    let (top, rest) = layout::split_down(body, panes.share.of(upper, body.height));
    let (score_area, signals_area) = layout::split_across(top, panes.share.of(halves, body.width));
    let lower = match body.height {
        _ if wide => rows(30).max(8),
        0..24 => 6,
        _ => 9,
    };
    let lower = lower.min(rest.height);
    let (middle, bottom) = layout::split_down(rest, rest.height - lower);
    let (left, right) = layout::split_across(bottom, if wide { bottom.width / 2 } else { halves });
    score(canvas, score_area, buf);
    signals(canvas, signals_area, buf);
    if wide {
        let (list, budget) = layout::split_across(middle, middle.width * 64 / 100);
        workflows(canvas, list, buf);
        budgets(canvas, budget, buf);
    } else {
        workflows(canvas, middle, buf);
    }
    checks(canvas, left, buf);
    screen(canvas, right, buf);
}

/// The number, the health of a day, and what takes most from it.
fn score(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let (model, vitals) = (canvas.model, canvas.model.board.vitals());
    let inside = main_pane(canvas, area, "score", "", buf);
    let muted = canvas.style(Role::Muted);
    let whole = vitals.health();
    let mut head: Pieces = vec![
        (format!(" {whole} of 100"), canvas.style(Role::Title)),
        (format!("  {}", whole.label()), canvas.style(meter_role(u64::from(whole.0)))),
    ];
    let before = |span: Span, word: &str| {
        vitals.health_before(span, model.now).map(|health| format!("{health} {word}"))
    };
    let was: Vec<String> =
        [before(HOUR, "an hour ago"), before(Span(HOUR.0 * 23), "a day ago")].into_iter().flatten().collect();
    head.push((if was.is_empty() { String::new() } else { format!("   was {}", was.join(", ")) }, muted));
    let mut lines: Vec<Pieces> = vec![head];
    if vitals.results() + vitals.ended_runs() == 0 {
        lines.push(vec![(" nothing has come to an end yet".to_owned(), muted)]);
    } else {
        let of = format!(
            " {} over {}, {} over {}",
            vitals.quality().percent(),
            counted(vitals.results(), "result", "results"),
            vitals.quality_of_runs().percent(),
            counted(vitals.ended_runs(), "run", "runs"),
        );
        lines.push(vec![(of, muted)]);
    }
    let width = usize::from(inside.width);
    let day = Period::Day;
    let beats = vitals.beats(day, model.now);
    let unknown = std::iter::repeat_n(None, day.steps().saturating_sub(beats.len()));
    let series: Vec<Option<u64>> =
        unknown.chain(beats.iter().map(|beat| beat.health.map(|health| u64::from(health.0)))).collect();
    let spark = day_of_health(canvas.glyphs, inside.width.saturating_sub(7), &series);
    lines.push(vec![(" 24h ".to_owned(), muted), (spark, canvas.style(Role::Graph1))]);
    let reasons = vitals.reasons();
    if inside.height > 6 {
        lines.push(Vec::new());
    }
    let first = u16::try_from(lines.len()).unwrap_or(0);
    for (line, y) in lines.iter().zip(inside.y..inside.bottom()) {
        put_pieces(buf, inside, (inside.x, y), line, canvas.glyphs);
    }
    let list = layout::inset(inside, 0, first, 0);
    if reasons.is_empty() {
        put(buf, list, list.x + 1, list.y, "nothing drags it down", muted);
    }
    let top = model.workspace.health.reason.saturating_sub(usize::from(list.height).saturating_sub(1));
    for ((index, reason), y) in reasons.iter().enumerate().skip(top).zip(list.y..list.bottom()) {
        let row = Rect { y, height: 1, ..list };
        let base = select_row(canvas, row, index == model.workspace.health.reason, buf);
        let line: Pieces = reason_pieces(canvas, reason, width)
            .into_iter()
            .map(|(text, role)| (text, base.patch(canvas.style(role))))
            .collect();
        put_pieces(buf, row, (row.x, y), &line, canvas.glyphs);
    }
}

/// The height of a cell is of 100, not of the highest that was; of what stands in one cell the worst is shown, and
/// nothing where nothing had come to an end.
fn day_of_health(glyphs: Glyphs, width: u16, series: &[Option<u64>]) -> String {
    let worst = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
    let cell = |value: Option<u64>| match value {
        // The first value sets the measure, and is not shown.
        Some(value) => sparkline(glyphs, 2, &[100, value]).chars().nth(1).unwrap_or(' '),
        None => ' ',
    };
    condensed(series, width, worst).into_iter().map(cell).collect()
}

fn reason_pieces(canvas: &Canvas<'_>, reason: &Reason, width: usize) -> Vec<(String, Role)> {
    let minus = canvas.glyphs.pick("−", "-");
    let lost = format!(" {minus}{}.{} ", reason.lost_tenths / 10, reason.lost_tenths % 10);
    let mode = reason.mode.map_or_else(|| "PARTIAL".to_owned(), cuelight_base::FailureMode::label);
    let times = canvas.glyphs.pick("×", "x");
    let mut what = format!("{}  {mode} {times}{}", safe_text(&reason.workflow), reason.times);
    if width > 50 {
        what = format!("{what}  {} in {}", safe_text(&reason.step), reason.run);
    }
    vec![(format!("{lost:>8}"), Role::Fail), (what, Role::Text)]
}

/// Latency, traffic, errors, saturation: how it was and how it is.
fn signals(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let period = model.workspace.health.period;
    let key = model.keys.keys_of(model.view.scope(), crate::Intent::Window).unwrap_or_default();
    let title = format!("golden signals  {}", period.word());
    let inside = pane(buf, area, &title, &format!("{key} window"), canvas.pane(false));
    let signals = model.board.vitals().signals(period, model.now);
    let beats = model.board.vitals().beats(period, model.now);
    let roomy = inside.height >= 16;
    let mut y = inside.y;
    for (name, role, of, value) in graphs(&signals) {
        if y >= inside.bottom() {
            return;
        }
        // Before the log began nothing happened: a period is as wide on the screen however long it is known.
        let known = std::iter::repeat_n(0, period.steps().saturating_sub(beats.len()));
        let series: Vec<u64> = known.chain(beats.iter().map(of)).collect();
        let label = format!(" {name:<11}");
        let width = inside.width.saturating_sub(12 + 18);
        let x = put(buf, inside, inside.x, y, &label, canvas.style(Role::Muted));
        let graph = sparkline(canvas.glyphs, width, &condensed(&series, width, u64::max));
        let x = put(buf, inside, x, y, &graph, canvas.style(role));
        put(buf, inside, x + 1, y, &value, canvas.style(Role::Text));
        y += if roomy { 2 } else { 1 };
    }
    let lines = figures(&signals);
    for (line, y) in lines.iter().zip(y..inside.bottom()) {
        let pieces: Pieces = vec![
            (format!(" {:<11}", line.0), canvas.style(Role::Muted)),
            (line.1.clone(), canvas.style(Role::Text)),
        ];
        put_pieces(buf, inside, (inside.x, y), &pieces, canvas.glyphs);
    }
}

type Graph = (&'static str, Role, fn(&Beat) -> u64, String);

fn graphs(signals: &Signals) -> [Graph; 4] {
    let latency = signals.calls.as_ref().map_or_else(|| "-".to_owned(), |calls| format!("p99 {}", calls.p99));
    [
        ("latency", Role::Graph1, |beat| beat.calls_ms.checked_div(beat.calls.into()).unwrap_or(0), latency),
        ("traffic", Role::Graph2, |item| item.events.into(), traffic(signals)),
        ("errors", Role::Fail, |item| item.failed.into(), percent(signals.errors)),
        (
            "saturation",
            Role::Graph3,
            |item| item.running.into(),
            format!("{} run, {} wait", signals.running, signals.ready),
        ),
    ]
}

fn traffic(signals: &Signals) -> String {
    match signals.events_per_minute {
        0 => format!("{} ev", signals.sum.events),
        per_minute => format!("{per_minute} ev/min"),
    }
}

fn figures(signals: &Signals) -> Vec<(&'static str, String)> {
    let percentiles = |of: &Option<Percentiles>| match of {
        None => "none yet".to_owned(),
        Some(percentiles) => {
            format!("p50 {}  p95 {}  p99 {}", percentiles.p50, percentiles.p95, percentiles.p99)
        }
    };
    let mut lines = vec![
        (
            "success",
            format!(
                "{} of {}",
                percent(signals.success),
                counted(signals.sum.done + signals.sum.partial + signals.sum.failed, "result", "results")
            ),
        ),
        ("steps", percentiles(&signals.steps)),
        ("runs", percentiles(&signals.runs)),
        ("gate wait", percentiles(&signals.gates)),
        ("calls", format!("{}, {} failed", signals.sum.calls, percent(signals.call_errors))),
        (
            "run size",
            format!(
                "{}.{} steps, {} ended, {} failed",
                signals.steps_per_run_tenths / 10,
                signals.steps_per_run_tenths % 10,
                counted(signals.sum.runs, "run", "runs"),
                signals.sum.runs_failed
            ),
        ),
    ];
    // Where nothing had to wait for its place or for a choice, neither says anything.
    let waited = [("start", &signals.planning), ("choice", &signals.routing)];
    let waited = waited
        .into_iter()
        .filter(|(_, planning)| planning.is_some_and(|percentiles| percentiles.p99 > Span(0)));
    lines.extend(waited.map(|(name, planning)| (name, percentiles(planning))));
    lines
}

/// One decimal: `0.6 %`.
fn percent(score: Score) -> String {
    format!("{}.{} %", score.0 / 100, score.0 % 100 / 10)
}

/// The workflows, the worst first.
fn workflows(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let vitals = canvas.model.board.vitals();
    let mut all: Vec<(&str, &Tally)> = vitals.workflows().collect();
    all.sort_by_key(|(name, tally)| (tally.health(), *name));
    let room = usize::from(area.height.saturating_sub(3));
    let more = all.len().saturating_sub(room);
    let footer = if more > 0 {
        format!("and {more} more, {}", plural(more, "which is better", "all better"))
    } else {
        String::new()
    };
    let title = format!("workflows  {} run", counted(all.len(), "has", "have"));
    let inside = pane(buf, area, &title, &footer, canvas.pane(false));
    let wide = inside.width >= 90;
    let x = inside.x + 1;
    let bar = if wide { 12 } else { 10 };
    let mut wanted = vec![
        ("WORKFLOW", 0, false),
        ("HLT", 3, true),
        ("", bar, false),
        ("DONE", 5, true),
        ("FAIL", 4, true),
    ];
    if wide {
        wanted.extend([("RUNS", 5, true), ("P50", 8, true), ("P99", 8, true)]);
    }
    wanted.push(("LAST FAILURE", if wide { 20 } else { 15 }, false));
    let table = columns(x, inside.width.saturating_sub(2), &wanted);
    for column in &table {
        put_cell(buf, inside, *column, inside.y, (column.title, canvas.style(Role::Muted)), canvas.glyphs);
    }
    if all.is_empty() {
        put(
            buf,
            inside,
            x,
            inside.y + 1,
            "no step of a workflow has come to an end yet",
            canvas.style(Role::Muted),
        );
    }
    for ((name, tally), y) in all.iter().zip(inside.y + 1..inside.bottom()) {
        for column in &table {
            let (text, role) = workflow_cell(canvas, name, tally, *column);
            put_cell(buf, inside, *column, y, (&text, canvas.style(role)), canvas.glyphs);
        }
    }
}

fn workflow_cell(canvas: &Canvas<'_>, name: &str, tally: &Tally, column: Column) -> (String, Role) {
    let health = u64::from(tally.health().0);
    let took = tally.took();
    match column.title {
        "WORKFLOW" => (safe_text(name), Role::Text),
        "HLT" => (tally.health().to_string(), meter_role(health)),
        "" => (gauge(canvas.glyphs, column.width, health, 100), meter_role(health)),
        "DONE" => ((tally.done + tally.partial).to_string(), Role::Text),
        "FAIL" => (tally.failed.to_string(), if tally.failed > 0 { Role::Fail } else { Role::Muted }),
        "RUNS" => (tally.ended.to_string(), Role::Text),
        "P50" => (took.map_or_else(|| "-".to_owned(), |percentiles| percentiles.p50.to_string()), Role::Text),
        "P99" => (took.map_or_else(|| "-".to_owned(), |percentiles| percentiles.p99.to_string()), Role::Text),
        _ => match tally.last_failure {
            None => ("-".to_owned(), Role::Muted),
            Some((at, mode)) => (format!("{} {}", mode.label(), age(canvas.model.now.since(at))), Role::Warn),
        },
    }
}

/// The checks of all parts of the engine; those that only this console knows come first.
pub(super) fn all_checks(canvas: &Canvas<'_>) -> Vec<Check> {
    let model = canvas.model;
    let (engine, store) = match &model.link {
        Link::Opening => (
            Check::of("engine", Grade::Healthy, "is being looked for"),
            Check::of("store", Grade::Healthy, "is being opened"),
        ),
        Link::Live => (
            Check::of("engine", Grade::Healthy, format!("{}, answers", model.seat.place)),
            Check::of("store", Grade::Healthy, "records what happens"),
        ),
        Link::Unheard { why } | Link::Strays { why } => (
            Check::of("engine", Grade::Degraded, why.clone()),
            Check::of("store", Grade::Healthy, "records what happens"),
        ),
        Link::Unwritten { why } => (
            Check::of("engine", Grade::Degraded, "decides nothing until it can write"),
            Check::of("store", Grade::Unhealthy, why.clone()),
        ),
        Link::Lost { why, .. } => (
            Check::of("engine", Grade::Unhealthy, why.clone()),
            Check::of("store", Grade::Degraded, "what was recorded last is shown"),
        ),
        Link::Unowned => (
            Check::of("engine", Grade::Degraded, "none runs here; start `cuelight serve`"),
            Check::of("store", Grade::Healthy, "what was recorded last is shown"),
        ),
    };
    let mut all = vec![engine, store];
    all.extend(model.board.checks(model.now));
    all
}

fn checks(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let all = all_checks(canvas);
    let worst = overall(&all);
    let inside = pane(buf, area, &format!("checks  {}", worst.word()), "", canvas.pane(false));
    let room = usize::from(inside.height);
    let mut shown: Vec<&Check> = all.iter().collect();
    if all.len() > room {
        // Without room for all, what is not well is told first.
        shown.sort_by_key(|check| std::cmp::Reverse(check.grade));
    }
    for (check, y) in shown.iter().zip(inside.y..inside.bottom()) {
        let (sign, role) = match check.grade {
            Grade::Healthy => (canvas.glyphs.pick("✓", "+"), Role::Ok),
            Grade::Degraded => ("~", Role::Warn),
            Grade::Unhealthy => (canvas.glyphs.pick("✗", "x"), Role::Fail),
        };
        let line: Pieces = vec![
            (format!(" {sign} {:<8} ", check.name), canvas.style(role)),
            (
                safe_text(&check.text),
                canvas.style(if check.grade == Grade::Healthy { Role::Muted } else { Role::Text }),
            ),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

/// Open runs with a budget: used, limit, forecast.
fn budgets(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let all = canvas.model.board.budgets();
    let inside = pane(buf, area, "budgets and targets", "used, of, forecast", canvas.pane(false));
    let inside = targets(canvas, inside, buf);
    if all.is_empty() {
        put(buf, inside, inside.x + 1, inside.y, "no open run has a budget", canvas.style(Role::Muted));
    }
    for (budget, y) in all.iter().zip(inside.y..inside.bottom()) {
        let role = match budget.grade() {
            Grade::Healthy => Role::GaugeHigh,
            Grade::Degraded => Role::GaugeMid,
            Grade::Unhealthy => Role::GaugeLow,
        };
        let numbers = format!(" {}", budget.words());
        let name = format!(" {} {}", budget.run, safe_text(&budget.workflow));
        let bar = 10;
        let room = usize::from(inside.width).saturating_sub(numbers.len() + usize::from(bar) + 2);
        let line: Pieces = vec![
            (format!("{:<room$} ", canvas.glyphs.fit(&name, room)), canvas.style(Role::Text)),
            (gauge(canvas.glyphs, bar, budget.used, budget.limit), canvas.style(role)),
            (numbers, canvas.style(Role::Text)),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

/// Targets that take no calls, or only so many; and what is left of the place.
fn targets(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let board = &canvas.model.board;
    let mut all: Vec<_> =
        board.targets().filter(|(_, target)| !target.takes_calls() || target.taken.is_some()).collect();
    all.sort_by_key(|(_, target)| target.takes_calls());
    let shown = all.len().min(usize::from(area.height / 2));
    for ((name, target), y) in all.iter().take(shown).zip(area.y..area.bottom()) {
        let sign = match target.circuit {
            Circuit::HalfOpen { .. } => ("~", Role::Warn),
            Circuit::Open { .. } => (canvas.glyphs.pick("✗", "x"), Role::Fail),
            Circuit::Closed { .. } => (canvas.glyphs.pick("✓", "+"), Role::Ok),
        };
        let waiting = match board.waiting_for(name).count() {
            0 => String::new(),
            many => format!(" · {many} wait"),
        };
        let line: Pieces = vec![
            (format!(" {} {} ", sign.0, safe_text(name)), canvas.style(sign.1)),
            (format!("{}{waiting}", safe_text(&target.words(canvas.model.now))), canvas.style(Role::Text)),
        ];
        put_pieces(buf, area, (area.x, y), &line, canvas.glyphs);
    }
    layout::inset(area, 0, u16::try_from(shown).unwrap_or(0), 0)
}

/// Draws the facts about this console.
fn screen(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let title = format!("this console  cuelight {}", env!("CARGO_PKG_VERSION"));
    let inside = pane(buf, area, &title, "", canvas.pane(false));
    let (width, height) = model.size;
    let log = match model.board.seq.0 {
        0 => "nothing is recorded yet".to_owned(),
        seq => format!("event {seq}, the last {} ago", age(model.now.since(model.board.at))),
    };
    let budget = model.board.budgets().into_iter().next();
    let budget = budget.map_or_else(
        || "no open run has one".to_owned(),
        |budget| format!("{} {}", budget.run, budget.words()),
    );
    let signs = if model.look.glyphs.ascii { "ascii" } else { "unicode" };
    let lines = [
        ("log", log),
        ("render", model.terminal.frames.words().unwrap_or_else(|| "no frame was measured yet".to_owned())),
        (
            "memory",
            format!(
                "{}, {} kept",
                counted(model.board.run_count(), "run", "runs"),
                counted(model.board.errors().count(), "failure", "failures")
            ),
        ),
        ("budget", budget),
        (
            "seat",
            format!(
                "{} on {} ({})",
                safe_text(&model.seat.actor.name),
                model.seat.environment,
                model.seat.place
            ),
        ),
        ("screen", format!("{width}x{height}  {signs}  theme {}", model.look.theme)),
        (
            "asked",
            format!(
                "{} from here, {} on their way",
                model.requests.asked.len(),
                model.requests.pending.len()
            ),
        ),
    ];
    for ((name, text), y) in lines.iter().zip(inside.y..inside.bottom()) {
        let line: Pieces = vec![
            (format!(" {name:<8}"), canvas.style(Role::Muted)),
            (text.clone(), canvas.style(Role::Text)),
        ];
        put_pieces(buf, inside, (inside.x, y), &line, canvas.glyphs);
    }
}

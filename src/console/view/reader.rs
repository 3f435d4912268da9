//! The screen for who hears it or feels it: no boxes, no gauges, no braille; signs become words, and one line is one
//! thing. It is made of the same model and, where there is no shorter way to say it, of the same drawing.
//!
//! The place of the terminal's cursor is told with the lines: on the row that is selected, or where text is typed.

use super::{canvas::Canvas, pieces::wrapped, scene};
use crate::{
    Glyphs, Intent, Mark, Model, Role, Theme, View,
    gates::{ask_text::risk_word, state::key_of},
    layout,
    marks::{mark_of_gate, mark_of_run},
    model::Overlay,
    put,
};
use cuelight_base::{counted, safe_text};
use cuelight_engine::{OVERRIDE, StepState};
use cuelight_projection::{Attention, InboxRow, Line, RunSummary};
use ratatui::{buffer::Buffer, layout::Rect};
use unicode_width::UnicodeWidthStr;

/// One line, and where the cursor stands if it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    text: String,
    role: Option<Role>,
    cursor: Option<u16>,
}

impl Said {
    fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    fn when(self, selected: bool) -> Self {
        Self { cursor: selected.then_some(0), ..self }
    }
}

/// The lines on the screen, and true if nothing was left out.
struct Page {
    lines: Vec<Said>,
    whole: bool,
}

pub(super) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let area = buf.area;
    for (line, y) in page(canvas.model).lines.iter().zip(area.top()..area.bottom()) {
        let style = canvas.style(line.role.unwrap_or(Role::Text));
        let base = if line.cursor.is_some() { canvas.style(Role::Select) } else { style };
        put(buf, area, area.x, y, &line.text, style.patch(base));
    }
}

/// The position of the terminal's cursor.
pub(super) fn cursor(model: &Model) -> Option<(u16, u16)> {
    let lines = page(model).lines;
    let typed = lines.iter().position(|line| line.cursor.is_some_and(|column| column > 0));
    let row = typed.or_else(|| lines.iter().position(|line| line.cursor.is_some()))?;
    Some((lines[row].cursor?, u16::try_from(row).ok()?))
}

/// True if nothing was left out: a line off the screen was not read.
pub(super) fn shows_all(model: &Model) -> bool {
    page(model).whole
}

fn page(model: &Model) -> Page {
    let (width, height) = (usize::from(model.size.0), usize::from(model.size.1));
    let mut head = vec![title(model)];
    head.extend(instant(model));
    head.extend(drawn(model, layout::frame(model.size).status));
    let mut foot: Vec<Said> = model
        .notices
        .toasts
        .iter()
        .map(|toast| Said { role: Some(toast.role), ..Said::of(format!("said: {}", toast.text)) })
        .collect();
    foot.extend(drawn(model, layout::frame(model.size).keys));
    foot.splice(0..0, since_then(model));
    let head = fold(head, width);
    let foot = fold(foot, width);
    let room = height.saturating_sub(head.len() + foot.len());
    let body = fold(body(model), width);
    let whole = body.len() <= room;
    let body = window(body, room);
    let left = room - body.len();
    let mut lines = head;
    lines.extend(body);
    lines.extend(changes(model, width, left));
    lines.extend(foot);
    Page { lines, whole }
}

fn title(model: &Model) -> Said {
    let what = match &model.overlay {
        Some(Overlay::Dialog(_) | Overlay::Leaving(_)) => "a question is open".to_owned(),
        Some(Overlay::Palette(_)) => "the palette is open".to_owned(),
        Some(Overlay::Help { .. }) => "the help is open".to_owned(),
        Some(Overlay::Menu { .. }) => "choices: a number chooses, Esc goes back".to_owned(),
        Some(Overlay::Text(_)) => "a text is open".to_owned(),
        Some(Overlay::Launch(_)) => "a form is open".to_owned(),
        None => format!("view {}", model.view.name()),
    };
    Said {
        role: Some(Role::Title),
        ..Said::of(format!("cuelight {}: {what}", safe_text(&model.seat.environment)))
    }
}

/// The instant of the past, its run, and the keys that leave it. The view itself is read out as it was then.
fn instant(model: &Model) -> Vec<Said> {
    let Some(travel) = &model.past.travel else { return Vec::new() };
    let whose = travel.history.run().map_or_else(|| "the whole log".to_owned(), |run| format!("run {run}"));
    let total = travel.history.len();
    let keys = |intent| model.keys.keys_of(model.scope(), intent).unwrap_or_default();
    let mut lines = vec![match travel.shown {
        None => Said::of(format!(
            "the past of {whose}: reading what happened, {} so far",
            counted(total, "event", "events")
        )),
        Some(at) => Said::of(format!(
            "the past of {whose}, as it was at {}, event {at} of {total}; nothing can be changed here, {} goes back to now",
            model.now.clock(),
            keys(Intent::Travel)
        )),
    }];
    if let Some(play) = travel.play {
        let way = if play.forward { "forward" } else { "backwards" };
        lines.push(Said::of(format!("plays {way}, {} as fast", counted(travel.speed, "time", "times"))));
    }
    lines.iter_mut().for_each(|line| line.role = Some(Role::History));
    lines
}

/// The changes from the shown instant until now, at most as many as are worth hearing each time.
fn since_then(model: &Model) -> Vec<Said> {
    const LINES: usize = 3;
    let Some(travel) = model.past.travel.as_ref().filter(|_| model.overlay.is_none()) else {
        return Vec::new();
    };
    let changes = travel.changes.iter().filter(|(line, _)| !line.trim().is_empty()).take(LINES);
    let words = |(line, _): &(String, Role)| {
        let symbols: Vec<String> = line.chars().map(String::from).collect();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        Said {
            role: Some(Role::Muted),
            ..Said::of(format!("since then: {}", row_words(&symbols, false).text))
        }
    };
    changes.map(words).collect()
}

/// The lines of the body. An overlay has the whole body; nothing under it is read out.
fn body(model: &Model) -> Vec<Said> {
    let body = layout::frame(model.size).body;
    let mut lines = match (&model.overlay, model.view) {
        (Some(_), _) => drawn(model, body),
        (None, View::Runs) => runs(model),
        (None, View::Gates) if !model.gates.reading => inbox(model),
        // The steps beside it are chosen by keys, and the title says which one is read.
        (None, View::Logs) => drawn(model, layout::logs(model).pane),
        (None, _) => drawn(model, body),
    };
    if model.overlay.is_none() && model.prompt.is_some() && matches!(model.view, View::Runs | View::Gates) {
        lines.extend(drawn(model, Rect { y: body.bottom().saturating_sub(1), height: 1, ..body }));
    }
    lines
}

fn runs(model: &Model) -> Vec<Said> {
    let runs = &model.runs;
    if runs.rows.is_empty() {
        return drawn(model, layout::runs(model).table);
    }
    let rows = runs.rows.iter().filter_map(|row| model.board.summary(*row));
    rows.map(|run| Said::of(run_words(model, run)).when(runs.selected == Some(run.id))).collect()
}

/// `run r-7 payments/settle, state: waiting for a person, steps 6 of 14, 8 minutes, by mira`
fn run_words(model: &Model, run: &RunSummary) -> String {
    let state = if model.is_recording(run.id) {
        "recording".to_owned()
    } else {
        state_words(mark_of_run(run)).to_owned()
    };
    let failures = match run.failures() {
        0 => String::new(),
        failures => format!(", {}", counted(failures, "failure", "failures")),
    };
    let cancelled = match run.counts.of(StepState::Cancelled) {
        0 => String::new(),
        cancelled => format!(", {cancelled} cancelled"),
    };
    format!(
        "run {} {}, state: {state}{failures}, steps {} of {} done{cancelled}, {} ago, by {}",
        run.id,
        safe_text(&run.workflow),
        run.progress().done,
        run.progress().all,
        age_words(run.age(model.now)),
        safe_text(&run.by.to_string())
    )
}

/// Each with its number, then as much of the ask under the cursor as the screen shows of it.
fn inbox(model: &Model) -> Vec<Said> {
    let gates = &model.gates;
    let places = layout::gates(model);
    let numbered = gates.rows.iter().enumerate();
    let selected = |row: &InboxRow| gates.selected == Some(key_of(row));
    let mut lines: Vec<Said> = numbered
        .map(|(index, row)| Said::of(gate_words(model, index + 1, row)).when(selected(row)))
        .collect();
    if lines.is_empty() {
        lines.push(Said::of("nothing waits for a person"));
    }
    lines.extend(drawn(model, places.pane));
    lines
}

fn gate_words(model: &Model, number: usize, row: &InboxRow) -> String {
    let (name, state) = match row.what {
        Attention::Gate(gate) => {
            let mark = model.board.gate(gate).map_or(Mark::Gate, |gate| mark_of_gate(gate, model.now));
            (format!("gate {gate} of"), state_words(mark))
        }
        Attention::Review(gate, epoch) => {
            let emergency =
                model.board.emergency(gate, epoch).filter(|emergency| emergency.emergency_word() == OVERRIDE);
            let alone = "emergency approval, to be reviewed";
            (format!("gate {gate} of"), emergency.map_or(alone, |_| "closed by an override, to be reviewed"))
        }
        Attention::Doubt | Attention::StuckUndo => ("in".to_owned(), state_words(Mark::InDoubt)),
    };
    format!(
        "{number}. {name} run {} {}, step {}, state: {state}, {}, risk {}",
        row.run,
        safe_text(&row.workflow),
        safe_text(&row.step_id),
        age_words(model.now.since(row.since)),
        risk_word(row.risk)
    )
}

/// The latest events, oldest first.
fn changes(model: &Model, width: usize, room: usize) -> Vec<Said> {
    let Some(room) = room.checked_sub(2).filter(|room| *room > 0) else { return Vec::new() };
    let mut last: Vec<&Line> = model.board.lines().rev().take(room).collect();
    last.reverse();
    let words = |line: &Line| {
        let run = line.run.map_or_else(String::new, |run| format!("{run} "));
        let text = format!(
            "{} {run}{} {} {}",
            line.at.clock(),
            line.kind.replace(['.', '-'], " "),
            safe_text(&line.subject),
            safe_text(&line.detail)
        );
        Said { role: Some(Role::Muted), ..Said::of(Glyphs { ascii: true }.fit(text.trim_end(), width)) }
    };
    let mut lines = vec![Said::default(), Said { role: Some(Role::Title), ..Said::of("what happened:") }];
    lines.extend(last.into_iter().map(words));
    if lines.len() == 2 { Vec::new() } else { lines }
}

/// The manner in which a part of the ordinary screen is read out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Our own words in columns: a gap is a pause, a sign is a word.
    Table,
    /// Text that must be heard as it is: only the frame around it is left out.
    Text,
}

/// A part of the ordinary screen, read out row by row.
fn drawn(model: &Model, part: Rect) -> Vec<Said> {
    let how = match (&model.overlay, model.view) {
        _ if part.height <= 1 => How::Table,
        (Some(Overlay::Dialog(_) | Overlay::Leaving(_) | Overlay::Text(_) | Overlay::Launch(_)), _) => {
            How::Text
        }
        (None, View::Gates | View::Logs) => How::Text,
        _ => How::Table,
    };
    // Any theme will do in which nothing but the selection has its ground.
    let theme = Theme::built_in("dark").expect("it is built in");
    let mut buf = Buffer::empty(Rect::new(0, 0, model.size.0, model.size.1));
    scene(&Canvas { model, theme: &theme, glyphs: Glyphs::default() }, model.overlay.is_none(), &mut buf);
    let selection = theme.role(Role::Select).bg;
    let is_selected =
        |row: Rect| row.positions().any(|at| buf.cell(at).is_some_and(|cell| Some(cell.bg) == selection));
    let types = model.overlay.is_some() || model.prompt.is_some();
    let mut lines: Vec<Said> = Vec::new();
    let mut was_selected = false;
    for row in in_order(&buf, part, model.overlay.is_none()) {
        let symbols = symbols_of(&buf, row);
        let line = match how {
            How::Text => text_words(&symbols, types),
            How::Table => row_words(&symbols, types),
        };
        // A selection of several rows is one place.
        let selected = is_selected(row);
        let cursor = line.cursor.or((selected && !was_selected).then_some(0));
        was_selected = selected;
        if !line.text.is_empty() {
            lines.push(Said { cursor, ..line });
        }
    }
    if let Some(Overlay::Menu { .. }) = model.overlay {
        number(&mut lines);
    }
    lines
}

/// The rows of a part in the order in which they are read: of panes that stand beside each other first all of the one, then
/// all of the next. A pane is known by its corners, which foreign text inside of one cannot stand in for.
fn in_order(buf: &Buffer, part: Rect, has_panes: bool) -> Vec<Rect> {
    let symbol = |x: u16, y: u16| buf.cell((x, y)).map_or(" ", |cell| cell.symbol());
    // The last corner of one pane and the first of the next, of the present and of the past.
    let starts = |y: u16, right: [&str; 2], left: [&str; 2]| -> Vec<u16> {
        let meets = |x: &u16| right.contains(&symbol(x - 1, y)) && left.contains(&symbol(*x, y));
        let begins = has_panes && left.contains(&symbol(part.x, y));
        if begins { (part.x + 1..part.right()).filter(meets).collect() } else { Vec::new() }
    };
    let mut out = Vec::new();
    let mut y = part.y;
    while y < part.bottom() {
        let beside = starts(y, ["╮", "┐"], ["╭", "┌"]);
        let end =
            (y..part.bottom()).find(|index| *index > y && !starts(*index, ["╯", "┘"], ["╰", "└"]).is_empty());
        let Some(end) = end.filter(|_| !beside.is_empty()) else {
            out.push(Rect { y, height: 1, ..part });
            y += 1;
            continue;
        };
        let edges: Vec<u16> = [part.x].into_iter().chain(beside).chain([part.right()]).collect();
        for pane in edges.windows(2) {
            out.extend((y..=end).map(|y| Rect { x: pane[0], y, width: pane[1] - pane[0], height: 1 }));
        }
        y = end + 1;
    }
    out
}

/// The rows of a menu between its title and its end.
fn number(lines: &mut [Said]) {
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter_mut().enumerate().take(last).skip(1) {
        line.text = format!("{index}. {}", line.text);
    }
}

/// The symbols in a row; the second cell of a wide character belongs to the first.
fn symbols_of(buf: &Buffer, row: Rect) -> Vec<&str> {
    let (mut symbols, mut x) = (Vec::new(), row.left());
    while let Some(cell) = buf.cell((x, row.y)).filter(|_| x < row.right()) {
        symbols.push(cell.symbol());
        x += u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
    }
    symbols
}

fn is_frame(symbol: &str) -> bool {
    symbol.chars().next().is_some_and(|c| matches!(c, '\u{2500}'..='\u{257f}'))
}

fn is_side(symbol: &str) -> bool {
    matches!(symbol, "│" | "║")
}

/// True if a row is the upper or lower edge of a frame, with or without a title in it.
fn is_edge(symbols: &[&str]) -> bool {
    symbols.first().is_some_and(|symbol| is_frame(symbol) && !is_side(symbol))
}

/// A row without blanks and frames at its sides, and without the bar that shows where in a text one is.
fn inside<'a, 'b>(symbols: &'a [&'b str]) -> &'a [&'b str] {
    const FRAMES: usize = 2;
    let mut row = symbols;
    for _ in 0..FRAMES {
        row = trimmed(row);
        match row {
            [first, rest @ .., last] if is_side(first) && (is_side(last) || matches!(*last, "▲" | "▼")) => {
                row = rest
            }
            ["▌", rest @ ..] => row = rest,
            _ => {}
        }
        if let [rest @ .., "┆" | "█"] = row {
            row = rest;
        }
    }
    trimmed(row)
}

fn trimmed<'a, 'b>(mut row: &'a [&'b str]) -> &'a [&'b str] {
    while let [" ", rest @ ..] | [rest @ .., " "] = row {
        row = rest;
    }
    row
}

/// A row of text as it is; what stands before it becomes a word: a sign of ours, the bar beside what somebody else said.
fn text_words(symbols: &[&str], types: bool) -> Said {
    let row = inside(symbols);
    if is_edge(row) {
        return row_words(row, types);
    }
    let mut said = Said::default();
    let mut rest = row;
    match row {
        ["│", " ", after @ ..] => {
            said.text.push_str("> ");
            rest = after;
        }
        // A line of it that is empty.
        ["│"] => {
            said.text.push('>');
            rest = &[];
        }
        // A gauge of ours: the figures stand beside it.
        row if row.iter().filter(|symbol| is_gauge(symbol)).count() >= GAUGE_MIN => {
            let spoken: Vec<&str> = row.iter().filter(|symbol| !is_gauge(symbol)).copied().collect();
            return row_words(&spoken, types);
        }
        [sign, " ", after @ ..] if word_of(sign).is_some_and(|(_, apart)| apart) => {
            said.text.push_str(word_of(sign).map_or("", |word| word.0));
            said.text.push(' ');
            rest = after;
        }
        _ => {}
    }
    for symbol in rest {
        match *symbol {
            "▏" if types => said.cursor = Some(u16::try_from(said.text.width()).unwrap_or(0)),
            "▐" if types => said.text.push('['),
            "▌" if types => said.text.push(']'),
            // Two panes beside each other.
            side if types && is_frame(side) && is_side(side) => {
                said.text.truncate(said.text.trim_end().len());
                if !said.text.is_empty() {
                    said.text.push_str("   ");
                }
            }
            " " if said.text.is_empty() => {}
            other => said.text.push_str(other),
        }
    }
    said
}

/// So many cells of a gauge beside each other are one.
const GAUGE_MIN: usize = 8;

fn is_gauge(symbol: &str) -> bool {
    matches!(symbol, "▆" | "▁")
}

/// A row of a table in words: frames, bars and braille are pauses, signs are words.
fn row_words(symbols: &[&str], types: bool) -> Said {
    let mut said = Said::default();
    let mut pause = 2;
    for symbol in symbols {
        if types && *symbol == "▏" {
            said.cursor = Some(u16::try_from(said.text.width() + usize::from(pause > 0)).unwrap_or(0));
            continue;
        }
        let begun = !said.text.is_empty();
        match word_of(symbol).or_else(|| (*symbol == "·" && !begun).then_some((Mark::Todo.word(), true))) {
            None if *symbol == " " => pause += 1,
            None => pause = pause.max(2),
            Some((text, apart)) => {
                let gap = match pause {
                    _ if said.text.is_empty() => "",
                    0 if apart => " ",
                    0 => "",
                    1 => " ",
                    _ => ", ",
                };
                said.text.push_str(gap);
                said.text.push_str(text);
                pause = usize::from(apart);
            }
        }
    }
    said
}

/// The spoken form of a sign, and true if it is a word of its own; None for a sign that is only visual.
fn word_of(symbol: &str) -> Option<(&str, bool)> {
    let first = symbol.chars().next()?;
    match first {
        ' ' | '·' | '‹' | '›' | '▼' | '▲' => None,
        '\u{2500}'..='\u{259f}' | '\u{2800}'..='\u{28ff}' => None,
        '…' => Some(("...", false)),
        '×' => Some(("x", false)),
        '▸' => Some(("folded", true)),
        '▾' => Some(("unfolded", true)),
        '→' => Some(("to", true)),
        '←' => Some(("from", true)),
        '↑' => Some(("Up", true)),
        '↓' => Some(("Down", true)),
        '⏎' => Some(("Enter", true)),
        '⌫' => Some(("Backspace", true)),
        '■' => Some((Mark::Cancelled.word(), true)),
        c if c.is_ascii() => Some((symbol, false)),
        _ => match Mark::all().find(|mark| mark.sign(Glyphs::default()) == symbol) {
            Some(mark) => Some((mark.word(), true)),
            None => Some((symbol, false)),
        },
    }
}

/// A state as it is said in a sentence.
fn state_words(mark: Mark) -> &'static str {
    match mark {
        Mark::Todo => "not begun",
        Mark::Ready => "ready",
        Mark::Gate => "waiting for a person",
        Mark::GateLate => "waiting for a person, over half of its time is gone",
        Mark::Retry => "waiting to try again",
        Mark::Waits => "waiting",
        Mark::Runs => "running",
        Mark::Done => "completed",
        Mark::Cache => "completed from the cache",
        Mark::Partial => "completed in part",
        Mark::Failed => "failed",
        Mark::TimedOut => "failed, out of time",
        Mark::Rejected => "rejected",
        Mark::Skipped => "skipped",
        Mark::Cancelled => "cancelled",
        Mark::Paused => "paused",
        Mark::Undoing => "undoing",
        Mark::Undone => "undone",
        Mark::InDoubt => "in doubt, nobody knows whether it happened",
        Mark::Look => "wants a look",
    }
}

/// The age in words, as in `4 minutes`.
fn age_words(span: cuelight_base::Span) -> String {
    let seconds = span.0 / 1000;
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(count, unit, &format!("{unit}s"))
}

/// Lines that are too long go on in the next.
fn fold(lines: Vec<Said>, width: usize) -> Vec<Said> {
    let mut out = Vec::new();
    for line in lines {
        if line.text.width() <= width {
            out.push(line);
            continue;
        }
        let mut cursor = line.cursor;
        for text in wrapped(&line.text, width.max(1)) {
            let here = u16::try_from(text.width()).unwrap_or(u16::MAX);
            let this = cursor.filter(|cursor| *cursor <= here);
            cursor = if this.is_some() { None } else { cursor.map(|cursor| cursor.saturating_sub(here + 1)) };
            out.push(Said { text, role: line.role, cursor: this });
        }
    }
    out
}

/// As many lines as there is room for, around the cursor; a line says how many are left out.
fn window(lines: Vec<Said>, room: usize) -> Vec<Said> {
    if lines.len() <= room || room == 0 {
        return lines.into_iter().take(room).collect();
    }
    let at = lines.iter().position(|line| line.cursor.is_some()).unwrap_or(0);
    let top = (at + 2).saturating_sub(room).min(lines.len() - (room - 1));
    let left = lines.len() - (room - 1);
    let more = Said {
        role: Some(Role::Warn),
        ..Said::of(format!("{}; make the window larger or move", counted(left, "more line", "more lines")))
    };
    lines.into_iter().skip(top).take(room - 1).chain([more]).collect()
}

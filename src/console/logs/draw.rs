//! Logs: what steps wrote. One pane of lines with a note under it; on wide screens the steps of the run beside it.

use super::{
    level::LogLevel,
    lines::{LogLine, Voice},
    places::{Columns, Listed, STEPS_FROM, alone, call_of, columns, side_place, side_rows, side_top},
    rows::{Ink, LogRow, bytes_word, text_of},
    whole,
};
use crate::{
    Intent, Mark, Role, layout,
    marks::{mark_of_run, mark_of_step},
    pane,
    popup::draw::select_row,
    put, put_right, sparkline,
    view::{
        canvas::Canvas,
        pieces::{Pieces, put_pieces, width_of},
    },
};
use cuelight_base::{AttemptId, Hue, Sgr, StepIx, counted, plural, safe_text};
use cuelight_engine::{Purpose, StepState};
use cuelight_projection::{RunView, StepView, why};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

pub(crate) fn draw(canvas: &Canvas<'_>, buf: &mut Buffer) {
    let model = canvas.model;
    let places = layout::logs(model);
    let run = model.logs.run.and_then(|run| model.board.run(run)).map(|run| &**run);
    let (what, count) = run.map_or_else(|| ("Logs".to_owned(), String::new()), |run| titles(canvas, run));
    if places.boxed {
        pane(buf, places.pane, &what, &count, canvas.pane(true));
    } else {
        let area = places.pane;
        let room = usize::from(area.width).saturating_sub(count.chars().count() + 4);
        put(buf, area, area.x + 1, area.y, &canvas.glyphs.fit(&what, room), canvas.style(Role::Title));
        put_right(buf, area, area.right().saturating_sub(1), area.y, &count, canvas.style(Role::Muted));
    }
    if let (Some(area), Some(run)) = (places.side, run) {
        side(canvas, run, area, buf);
    } else if let Some(area) = places.side {
        pane(buf, area, "sources", "", canvas.pane(false));
    }
    if let Some(area) = places.detail {
        detail(canvas, run, area, buf);
    }
    let lines = places.lines;
    if model.logs.rows.is_empty() {
        nothing(canvas, run, lines, buf);
    } else {
        for (row, y) in model.logs.rows.iter().zip(lines.y..lines.bottom()) {
            line(canvas, run, row, Rect { y, height: 1, ..lines }, buf);
        }
        scroll_bar(canvas, lines, buf);
    }
    note(canvas, places.note, buf);
}

/// The title: the source of the lines, and their amount.
fn titles(canvas: &Canvas<'_>, run: &RunView) -> (String, String) {
    let (logs, glyphs) = (&canvas.model.logs, canvas.glyphs);
    let mut what = format!("{} {}", run.id(), safe_text(&run.summary.workflow));
    if let Some(step) = logs.step {
        what = format!("{what}  {}", safe_text(&run.step_id(step)));
    } else {
        what = format!("{what}  {}", logs.voice.map_or("all", Voice::word));
    }
    if let Some(attempt) = alone(canvas.model) {
        what = format!("{what}  {}", call_words(canvas, run, attempt));
    }
    let len = usize::try_from(logs.lines.read_count()).unwrap_or(usize::MAX);
    let shown = logs.lines.shown();
    let mut count = match (len, shown) {
        (0, _) => String::new(),
        (len, shown) if len == shown => counted(len, "line", "lines"),
        (len, shown) => format!("{shown} of {}", counted(len, "line", "lines")),
    };
    let only = logs.lines.only();
    if !only.is_empty() {
        count = format!("&{}  {count}", safe_text(&glyphs.fit(&only.typed(), 20)));
    }
    let find = logs.lines.find();
    if !find.is_empty() {
        let from = logs.lines.line(logs.cursor).map_or(0, |line| line.from);
        let held = || {
            let (rank, hits) = logs.lines.rank(logs.cursor);
            (rank as u64, hits as u64)
        };
        let (rank, hits) = logs.hunt.as_ref().map_or_else(held, |hunt| hunt.rank(from));
        let places = if hits == 0 { "not found".to_owned() } else { format!("{rank} of {hits}") };
        count = format!("/{}/ {places}  {count}", safe_text(&glyphs.fit(&find.text, 20)));
    }
    if let Some(searched) = whole::progress(canvas.model) {
        count = format!("{searched}  {count}");
    }
    (what, count)
}

/// `call 2 of 3  exit 1  ran 12s`: only what is known.
fn call_words(canvas: &Canvas<'_>, run: &RunView, attempt: AttemptId) -> String {
    let calls = run.step(attempt.step).map_or(0, |step| step.attempts().len());
    let Some(call) = call_of(run, attempt) else { return String::new() };
    let mut words = if calls > 1 { format!("call {} of {calls}  ", call.number) } else { String::new() };
    words.push_str(match call.purpose {
        Purpose::Step => "",
        Purpose::Fallback(_) => "fallback  ",
        Purpose::Check => "check  ",
        Purpose::Undo => "undo  ",
    });
    words.push_str(&match (call.is_running(), call.exit_code) {
        (true, _) => format!("since {}", call.started_at.clock()),
        (false, Some(code)) => format!("exit {code}  ran {}", call.ran_for),
        (false, None) if call.lost.is_some() => "nobody knows how it ended".to_owned(),
        (false, None) => format!("ended {}", call.ended_at.unwrap_or(canvas.model.now).clock()),
    });
    words
}

/// Why there is nothing, in words.
fn nothing(canvas: &Canvas<'_>, run: Option<&RunView>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let logs = &model.logs;
    let key = |intent| model.keys.keys_of(model.view.scope(), intent).unwrap_or_default();
    let text = match (run, logs.run) {
        (None, None) => format!("no run is selected; {} lists them", key(Intent::ViewRuns)),
        (None, Some(id)) => {
            format!("the steps of {id} are no longer in memory; `cuelight logs {id}` prints what they wrote")
        }
        (Some(_), _) if logs.reading.missing.is_some() => logs.reading.missing.clone().unwrap_or_default(),
        (Some(_), _) if logs.lines.len() > 0 => {
            format!("no line fits `{}`; {} shows all again", logs.lines.only().typed(), key(Intent::Escape))
        }
        (Some(_), _) if logs.reading.asked.is_some() => "reading".to_owned(),
        (Some(run), _) => match logs.step.and_then(|step| Some((step, run.step(step)?))) {
            Some((step, view)) => nothing_of_step(canvas, run, step, view),
            None if logs.voice.is_some() => "nothing has been told yet".to_owned(),
            None => "nothing written yet".to_owned(),
        },
    };
    let room = usize::from(area.width.saturating_sub(2));
    for (line, y) in
        crate::view::pieces::wrapped(&safe_text(&text), room.max(1)).iter().zip(area.y..area.bottom())
    {
        put(buf, area, area.x + 1, y, line, canvas.style(Role::Muted));
    }
}

fn nothing_of_step(canvas: &Canvas<'_>, run: &RunView, step: StepIx, view: &StepView) -> String {
    let model = canvas.model;
    let reason = || {
        why(&model.board, run, step, model.now).into_iter().next().map_or_else(String::new, |item| item.text)
    };
    match view.state {
        _ if view.attempts().last().is_some_and(|attempt| attempt.is_running()) => {
            "nothing written yet".to_owned()
        }
        _ if !view.attempts().is_empty() => "it wrote nothing".to_owned(),
        StepState::Pending | StepState::Ready | StepState::Waiting => {
            format!("this step has not started: {}", reason())
        }
        _ if view.inside.is_some() => "nothing written yet".to_owned(),
        _ => format!("this step made no call: {}", reason()),
    }
}

fn line(canvas: &Canvas<'_>, run: Option<&RunView>, row: &LogRow, area: Rect, buf: &mut Buffer) {
    let logs = &canvas.model.logs;
    let Some(line) = logs.lines.line(row.line) else { return };
    let is_cursor = row.line == logs.cursor;
    let base = select_row(canvas, area, is_cursor, buf);
    let columns = columns(canvas.model);
    let margin = columns.width();
    if is_cursor {
        put(
            buf,
            area,
            area.x,
            area.y,
            canvas.glyphs.pick("▌", ">"),
            base.patch(canvas.style(Role::BorderFocus)),
        );
    }
    let level = line.level;
    came(canvas, (row, line), columns, area, base, buf);
    if columns.name > 0 {
        let x = area.x + margin - columns.name;
        name(canvas, run, (row, line), Rect { x, width: columns.name, ..area }, base, buf);
    }
    let text = Rect { x: area.x + margin, width: area.width.saturating_sub(margin + 2), ..area };
    let mut x = text.x;
    for stroke in &row.strokes {
        let style = match stroke.ink {
            Ink::Plain(sgr) => own_look(canvas, canvas.style(level.role()), sgr),
            Ink::Odd => canvas.style(Role::Warn),
            Ink::Match => canvas.style(Role::Match),
            Ink::Note => canvas.style(Role::Muted),
        };
        x = put(buf, text, x, text.y, &stroke.text, base.patch(style));
    }
    if row.cut {
        let sign = canvas.glyphs.ellipsis().to_string();
        put(buf, area, text.right(), area.y, &sign, base.patch(canvas.style(Role::Muted)));
    }
}

/// The look that a program gave its letters: a hue of the theme, and their weight. The ground stays ours.
fn own_look(canvas: &Canvas<'_>, style: Style, sgr: Sgr) -> Style {
    let role = sgr.hue.map(|hue| match hue {
        Hue::Gray => Role::Muted,
        Hue::Red => Role::Fail,
        Hue::Green => Role::Ok,
        Hue::Yellow => Role::Warn,
        Hue::Blue => Role::Graph1,
        Hue::Magenta => Role::Graph5,
        Hue::Cyan => Role::Info,
    });
    let hue = role.and_then(|role| canvas.style(role).fg);
    let faint = canvas.style(Role::Muted).fg.filter(|_| sgr.faint && hue.is_none());
    let mut style = hue.or(faint).map_or(style, |colour| style.fg(colour));
    for (is_set, modifier) in
        [(sgr.bold, Modifier::BOLD), (sgr.italic, Modifier::ITALIC), (sgr.underlined, Modifier::UNDERLINED)]
    {
        if is_set {
            style = style.add_modifier(modifier);
        }
    }
    style
}

/// When a line came and how grave it is, at the first of its rows.
fn came(
    canvas: &Canvas<'_>,
    (row, line): (&LogRow, &LogLine),
    columns: Columns,
    area: Rect,
    base: Style,
    buf: &mut Buffer,
) {
    if !row.begins || line.goes_on {
        return;
    }
    let x = area.x + 1;
    if let Some(at) = line.at.filter(|_| columns.time > 0) {
        put(buf, area, x, area.y, &at.clock_ms(), base.patch(canvas.style(Role::Muted)));
    }
    if columns.level > 0 && line.gap.is_none() {
        let style = base.patch(canvas.style(line.level.role()));
        put(buf, area, x + columns.time, area.y, line.level.letter(), style);
    }
}

/// The step that wrote a line or the voice that told it, at the first of its rows.
fn name(
    canvas: &Canvas<'_>,
    run: Option<&RunView>,
    (row, line): (&LogRow, &LogLine),
    area: Rect,
    base: Style,
    buf: &mut Buffer,
) {
    let muted = base.patch(canvas.style(Role::Muted));
    if !row.begins || line.goes_on {
        put(buf, area, area.right().saturating_sub(2), area.y, canvas.glyphs.pick("┊", ":"), muted);
        return;
    }
    let lines = &canvas.model.logs.lines;
    if let Some(voice) = lines.voice_of(line) {
        put(buf, area, area.x, area.y, voice.word(), base.patch(canvas.style(Role::Title)));
        return;
    }
    let Some((attempt, run)) = lines.attempt_of(line).zip(run) else { return };
    let mark = run
        .step(attempt.step)
        .map_or(Mark::Todo, |step| mark_of_step(step, &canvas.model.board, canvas.model.now));
    let calls = run.step(attempt.step).map_or(0, |step| step.attempts().len());
    let call = if calls > 1 { format!(" {}/{calls}", attempt.number) } else { String::new() };
    let room = usize::from(area.width).saturating_sub(2 + call.len());
    let id = canvas.glyphs.fit(&safe_text(&run.step_id(attempt.step)), room);
    let pieces: Pieces = vec![(id, base.patch(canvas.style(mark.role()))), (call, muted)];
    put_pieces(buf, area, (area.x, area.y), &pieces, canvas.glyphs);
}

/// Draws the position of the screen in the lines.
fn scroll_bar(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let logs = &canvas.model.logs;
    let (Some(first), Some(last)) = (logs.rows.first(), logs.rows.last()) else { return };
    let all = (logs.lines.end() - logs.lines.first()).max(1);
    let height = u64::from(area.height);
    if last.line - first.line + 1 >= all && logs.skip == 0 {
        return;
    }
    let place = |line: u64| (line - logs.lines.first()) * height / all;
    let (from, to) = (place(first.line), place(last.line));
    for (row, y) in (0..height).zip(area.y..area.bottom()) {
        let is_thumb = (from..=to).contains(&row);
        let sign = if is_thumb { canvas.glyphs.pick("█", "#") } else { canvas.glyphs.pick("┆", ":") };
        put(buf, area, area.right().saturating_sub(1), y, sign, canvas.style(Role::Border));
    }
}

/// `─── follow ─── line 12 of 48 ───`: whether the end is kept in view, what is below, and where the cursor is.
fn note(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let (model, logs) = (canvas.model, &canvas.model.logs);
    let dash = canvas.glyphs.pick("─", "-");
    for x in area.x..area.right() {
        put(buf, area, x, area.y, dash, canvas.style(Role::Border));
    }
    let key = model.keys.keys_of(model.view.scope(), Intent::Follow).unwrap_or_default();
    let new = logs.lines.end().saturating_sub(logs.seen);
    let (text, role) = match () {
        () if model.past.frozen.is_some() => ("frozen".to_owned(), Role::History),
        () if logs.follow => ("follow".to_owned(), Role::Ok),
        () if new > 0 => {
            let new = usize::try_from(new).unwrap_or(usize::MAX);
            (format!("{new} new {} below, press {key}", plural(new, "line", "lines")), Role::Warn)
        }
        () => (format!("follow off, {key} follows"), Role::Muted),
    };
    let more = alone(model).and_then(|value| logs.lines.feed(value)).filter(|feed| feed.is_behind());
    let mut left: Pieces = vec![(format!(" {text} "), canvas.style(role))];
    if let Some(feed) = more.filter(|_| !logs.follow) {
        left.push((format!(" {} more below ", bytes_word(feed.total - feed.end)), canvas.style(Role::Muted)));
    }
    if logs.wrap {
        left.push((" wrap ".to_owned(), canvas.style(Role::Muted)));
    } else if logs.left > 0 {
        left.push((format!(" from column {} ", logs.left + 1), canvas.style(Role::Muted)));
    }
    put_pieces(buf, area, (area.x + 3, area.y), &left, canvas.glyphs);
    let right = format!(" {} ", place_words(canvas));
    let room = usize::from(area.width).saturating_sub(width_of(&left) + 8);
    if right.len() <= room && logs.lines.len() > 0 {
        put_right(buf, area, area.right().saturating_sub(3), area.y, &right, canvas.style(Role::Muted));
    }
}

/// The position of the cursor: a line number if all lines before it are held, else a share of the bytes.
fn place_words(canvas: &Canvas<'_>) -> String {
    let (model, lines) = (canvas.model, &canvas.model.logs.lines);
    let feed = alone(model).and_then(|value| lines.feed(value));
    let from = lines.line(model.logs.cursor).map_or(0, |line| line.from);
    let is_gap = lines.line(lines.first()).is_some_and(|line| line.gap.is_some());
    match feed {
        Some(feed) if feed.start > 0 || feed.is_behind() || is_gap => {
            let share = u128::from(from) * 100 / u128::from(feed.total.max(1));
            format!("{share}% of {}", bytes_word(feed.total))
        }
        _ => format!("line {} of {}", model.logs.cursor.saturating_sub(lines.first()) + 1, lines.len()),
    }
}

/// The whole run, its voices, and its steps with their signs; only those that are seen are looked at.
fn side(canvas: &Canvas<'_>, run: &RunView, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let keys = [Intent::NextStep, Intent::PreviousStep];
    let keys: Vec<String> =
        keys.iter().filter_map(|key| model.keys.keys_of(model.view.scope(), *key)).collect();
    let inside = pane(buf, area, "sources", &format!("{} other", keys.join(" ")), canvas.pane(false));
    let rows = side_rows(inside.height);
    counted_lines(canvas, Rect { y: inside.y + rows, height: inside.height - rows, ..inside }, buf);
    let inside = Rect { height: rows, ..inside };
    let top = side_top(model, inside.height);
    for (place, y) in (top..STEPS_FROM + run.len()).zip(inside.y..inside.bottom()) {
        let row = Rect { y, height: 1, ..inside };
        let step = match Listed::at(place) {
            Listed::Step(step) => Some(step),
            Listed::All | Listed::Voice(_) => None,
        };
        let base = select_row(canvas, row, place == side_place(model), buf);
        if let Listed::Voice(voice) = Listed::at(place) {
            put(buf, row, row.x + 3, y, voice.word(), base.patch(canvas.style(Role::Title)));
            continue;
        }
        let (mark, depth, name, calls) =
            match step.and_then(|step| Some((step, run.plan_step(step)?, run.step(step)?))) {
                Some((step, plan, view)) => {
                    let mark = mark_of_step(view, &model.board, model.now);
                    (mark, 1 + run.frames_of(step).count().min(4), safe_text(&plan.id), view.calls)
                }
                None => (mark_of_run(&run.summary), 1, "all".to_owned(), 0),
            };
        let calls = if calls > 1 { counted(calls, "call", "calls") } else { String::new() };
        let indent = " ".repeat(depth);
        let room = usize::from(inside.width).saturating_sub(depth + 3 + calls.len() + 1);
        let line: Pieces = vec![
            (indent, base),
            (format!("{} ", mark.sign(canvas.glyphs)), base.patch(mark.style(canvas.theme))),
            (canvas.glyphs.fit(&name, room), base.patch(canvas.style(Role::Text))),
        ];
        put_pieces(buf, row, (row.x, y), &line, canvas.glyphs);
        put_right(buf, row, row.right().saturating_sub(1), y, &calls, base.patch(canvas.style(Role::Muted)));
    }
}

/// Draws the number of held lines by level, and the number of lines in each of the last minutes.
fn counted_lines(canvas: &Canvas<'_>, area: Rect, buf: &mut Buffer) {
    let logs = &canvas.model.logs;
    let (muted, x) = (canvas.style(Role::Muted), area.x + 1);
    let mut rows = area.y + 1..area.bottom();
    let mut next = || rows.next();
    let Some(y) = next() else { return };
    put(buf, area, x, y, "held, by level", muted);
    for level in LogLevel::ALL {
        let Some(y) = next() else { return };
        let count = logs.lines.count_of(level);
        let role = if count == 0 { Role::Muted } else { level.role() };
        let text = format!("{} {:<6}{count:>9}", level.letter(), level.word());
        put(buf, area, x + 1, y, &text, canvas.style(role));
    }
    let width = area.width.saturating_sub(2);
    let graph = logs.lines.per_minute(width);
    if let (Some(_), Some(y), Some(under), Some((newest, counts))) = (next(), next(), next(), graph) {
        put(buf, area, x, y, &format!("a minute, up to {}", &newest.clock()[..5]), muted);
        put(buf, area, x, under, &sparkline(canvas.glyphs, width, &counts), canvas.style(Role::Info));
    }
}

/// All of the line under the cursor: whose it is and when it came, then the text, as fields where it is JSON.
fn detail(canvas: &Canvas<'_>, run: Option<&RunView>, area: Rect, buf: &mut Buffer) {
    let model = canvas.model;
    let logs = &model.logs;
    let key = model.keys.keys_of(model.view.scope(), Intent::Open).unwrap_or_default();
    let inside = pane(buf, area, "line", &format!("{key} to step"), canvas.pane(false));
    let Some((line, run)) = logs.lines.line(logs.cursor).filter(|line| line.gap.is_none()).zip(run) else {
        return;
    };
    let voice = logs.lines.voice_of(line);
    let attempt = logs.lines.attempt_of(line);
    let mut facts = vec![("level", line.level.word().to_owned()), ("run", run.id().to_string())];
    if let Some(at) = line.at {
        facts.insert(0, ("time", at.to_string()));
    }
    if let Some(step) = attempt.map(|attempt| attempt.step).or(line.step) {
        facts.push(("step", safe_text(&run.step_id(step))));
    }
    match (voice, attempt) {
        (Some(voice), _) => facts.push(("source", format!("{}, event {}", voice.word(), line.from))),
        (None, Some(attempt)) => facts.push(("call", attempt.number.to_string())),
        (None, None) => {}
    }
    let mut pieces: Pieces = Vec::new();
    for (name, value) in facts {
        pieces.push((format!("{name} "), canvas.style(Role::Muted)));
        pieces.push((format!("{value}   "), canvas.style(Role::Text)));
    }
    put_pieces(buf, inside, (inside.x + 1, inside.y), &pieces, canvas.glyphs);
    let room = usize::from(inside.width.saturating_sub(2)).max(1);
    let text = text_of(line, canvas.glyphs);
    let fields = fields_of(&line.bytes).unwrap_or(text);
    for (text, y) in crate::view::pieces::wrapped(&fields, room).iter().zip(inside.y + 2..inside.bottom()) {
        put(buf, inside, inside.x + 1, y, text, canvas.style(Role::Text));
    }
}

/// `type=VALIDATION  code=1555 …` of a line that is one object of JSON.
fn fields_of(bytes: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = cuelight_base::read_json(bytes).ok()?;
    let field = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(text) => format!("{}={}", safe_text(name), safe_text(text)),
        None => format!("{}={}", safe_text(name), safe_text(&value.to_string())),
    };
    Some(object.iter().map(field).collect::<Vec<_>>().join("   "))
}

//! The view of output: its source, the cursor, follow, search, and copying. `read` decides what to read
//! and when, `visible` makes the visible rows.

use super::{
    needle::Needle,
    places::{Listed, STEPS_FROM, alone, side_place, side_rows, side_top},
    read,
    rows::text_of,
    state::LogPart,
    visible, whole,
};
use crate::{
    Intent, Model, Role, View, Wish, layout,
    update::{moving, places, toast},
};
use cuelight_base::StepIx;

/// Bytes that a terminal takes into the clipboard.
const COPY_BYTES_MAX: usize = 74_994;
/// Cells that are scrolled sideways at once.
const SIDE_STEP: usize = 8;
/// Bytes behind from which the end is read anew instead of all between.
const FAR_BYTES: u64 = 1024 * 1024;

pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.view != View::Logs {
        return;
    }
    if model.logs.run.is_none() {
        model.logs.run = model.runs.selected;
    }
    read::refresh(model);
    found_more(model);
    visible::refresh(model);
    read::go_on(model, wishes);
}

/// The output of the selection: of a step, or of a whole run.
pub(crate) fn open(model: &mut Model) {
    let Some(run) = model.run() else {
        return toast(model, "could not show its output: nothing is selected", Role::Warn);
    };
    let step = model.step();
    look_at(model, step);
    model.logs.run = Some(run);
    places::go(model, View::Logs);
}

fn look_at(model: &mut Model, step: Option<StepIx>) {
    (model.logs.step, model.logs.call, model.logs.voice) = (step, None, None);
    model.logs.follow = true;
}

pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) {
    match intent {
        Intent::First if count.is_none() => first(model, wishes),
        Intent::Last if count.is_none() => last(model, wishes),
        Intent::Follow if model.logs.follow => stop_following(model),
        Intent::Follow => last(model, wishes),
        Intent::Left | Intent::Right => sideways(model, intent == Intent::Right, count),
        Intent::Wrap => {
            (model.logs.wrap, model.logs.left, model.logs.skip) = (!model.logs.wrap, 0, 0);
        }
        Intent::LogLevel => {
            let only = model.logs.lines.only().next_level();
            model.logs.lines.set_only(only);
        }
        Intent::LogColumns => model.logs.bare = !model.logs.bare,
        Intent::NextMatch => to_match(model, true),
        Intent::PreviousMatch => to_match(model, false),
        Intent::NextStep => other_step(model, true, count),
        Intent::PreviousStep => other_step(model, false, count),
        Intent::NextCall => other_call(model, true),
        Intent::PreviousCall => other_call(model, false),
        Intent::WholeRun => look_at(model, None),
        Intent::CopyLine => copy(model, line_text(model), "the line", wishes),
        Intent::CopyBlock => copy(model, block_text(model), "the lines that are seen", wishes),
        Intent::Open => to_graph(model),
        Intent::Escape => escape(model),
        _ => scroll(model, intent, count),
    }
}

/// Moves by lines; a line that is higher than the screen is moved through by rows.
fn scroll(model: &mut Model, intent: Intent, count: Option<u32>) {
    let height = usize::from(layout::logs(model).lines.height).max(1);
    let logs = &model.logs;
    let mut seen: Vec<u64> = logs.rows.iter().map(|row| row.line).collect();
    seen.dedup();
    let page = seen.len().max(1);
    let far = logs.lines.len();
    let at = far / 2;
    // The list is only walked as far as needed, so distances are what counts here, not places.
    let (lines, forward) = match intent {
        Intent::First | Intent::Last => {
            (usize::try_from(count.unwrap_or(1)).unwrap_or(1).saturating_sub(1), true)
        }
        _ => match moving::moved(intent, far + at, 3 * far + 1, page, count) {
            Some(to) if to >= far + at => (to - far - at, true),
            Some(to) => (far + at - to, false),
            None => return,
        },
    };
    let by_row = matches!(intent, Intent::Down | Intent::Up) && logs.top == logs.cursor;
    let hidden = visible::rows_of_cursor(model).saturating_sub(height + model.logs.skip);
    let logs = &mut model.logs;
    if by_row && forward && hidden > 0 {
        logs.skip += lines.min(hidden);
        return;
    }
    if !forward || matches!(intent, Intent::First | Intent::Last) {
        stop_following(model);
    }
    let logs = &mut model.logs;
    if by_row && !forward && logs.skip > 0 {
        logs.skip = logs.skip.saturating_sub(lines);
        return;
    }
    let from = if matches!(intent, Intent::First | Intent::Last) { logs.lines.first() } else { logs.cursor };
    if let Some(to) = logs.lines.away(from, lines, forward) {
        logs.cursor = to;
    }
}

fn stop_following(model: &mut Model) {
    if model.logs.follow {
        (model.logs.follow, model.logs.seen) = (false, model.logs.lines.end());
    }
}

/// To the begin of all that was written; it is read anew when it is not held.
fn first(model: &mut Model, wishes: &mut Vec<Wish>) {
    stop_following(model);
    let lines = &model.logs.lines;
    if let Some(attempt) = alone(model)
        && lines.sifted().is_none()
        && let Some(feed) = lines.feed(attempt)
        && (feed.start > 0 || lines.line(lines.first()).is_some_and(|line| line.gap.is_some()))
    {
        read::begin_at(model, attempt, LogPart::Begin, wishes);
    }
    model.logs.cursor = model.logs.lines.first();
}

/// To the end, and stays there.
fn last(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(attempt) = alone(model)
        && model.logs.lines.sifted().is_none()
        && let Some(feed) = model.logs.lines.feed(attempt)
        && feed.total > feed.end + FAR_BYTES
    {
        read::begin_at(model, attempt, LogPart::Last, wishes);
    }
    model.logs.follow = true;
}

fn sideways(model: &mut Model, right: bool, count: Option<u32>) {
    let cells = SIDE_STEP * usize::try_from(count.unwrap_or(1)).unwrap_or(1);
    let logs = &mut model.logs;
    if logs.wrap {
        return toast(model, "long lines are wrapped; w cuts them, then h l move sideways", Role::Info);
    }
    let is_cut = logs.rows.iter().any(|row| row.cut);
    if !right {
        logs.left = logs.left.saturating_sub(cells);
    } else if is_cut {
        logs.left += cells;
    }
}

/// To a line with the text that is looked for.
fn to_match(model: &mut Model, forward: bool) {
    let logs = &model.logs;
    if logs.lines.find().is_empty() {
        return toast(model, "nothing is looked for; / begins a search", Role::Info);
    }
    if let Some(hunt) = &logs.hunt {
        let from = logs.lines.line(logs.cursor).map_or(0, |line| line.from);
        let (attempt, is_done) = (hunt.attempt, hunt.is_done());
        if let Some(to) = hunt.next(from, forward).or_else(|| hunt.around(forward)) {
            whole::go_to(model, attempt, to);
        } else if !is_done {
            if let Some(hunt) = &mut model.logs.hunt {
                hunt.wants = Some(forward);
            }
        } else {
            let text = format!("could not find {:?} in the whole output", logs.lines.find().text);
            toast(model, &text, Role::Warn);
        }
        return;
    }
    match logs.lines.next_hit(logs.cursor, forward) {
        Some(line) => {
            stop_following(model);
            model.logs.cursor = line;
        }
        None => {
            let text = format!(
                "could not find {:?} in the {} lines that are held",
                logs.lines.find().text,
                logs.lines.len()
            );
            toast(model, &text, Role::Warn);
        }
    }
}

/// Somebody waits for a match, and more of the output may have been searched.
fn found_more(model: &mut Model) {
    if let Some(forward) = model.logs.hunt.as_mut().and_then(|hunt| hunt.wants.take()) {
        to_match(model, forward);
    }
}

/// Looks for what was typed, from the cursor backwards: the newest is what is wanted most.
pub(crate) fn find(model: &mut Model) {
    let text = model.runs.find.clone();
    match Needle::of(&text) {
        Ok(needle) => model.logs.lines.set_find(needle),
        Err(why) => return toast(model, &format!("could not look for {text}: {why}"), Role::Warn),
    }
    whole::refresh(model);
    if !text.is_empty() {
        to_match(model, !model.logs.follow);
    }
}

pub(crate) fn set_filter(model: &mut Model, text: &str) {
    match Needle::filter(text) {
        Ok(needle) => model.logs.lines.set_only(needle),
        Err(why) => toast(model, &format!("could not filter by {text}: {why}"), Role::Warn),
    }
}

/// To the next step that holds no others; before the first one stand the whole run and its voices.
fn other_step(model: &mut Model, forward: bool, count: Option<u32>) {
    let Some(run) = model.logs.run.and_then(|run| model.board.run(run)).cloned() else { return };
    let times = usize::try_from(count.unwrap_or(1).max(1)).unwrap_or(1) - 1;
    let at = side_place(model);
    let leaf = |place: &usize| match Listed::at(*place) {
        Listed::Step(step) => read::is_leaf(&run, step),
        Listed::All | Listed::Voice(_) => true,
    };
    let to = if forward {
        let mut places = (at + 1..STEPS_FROM + run.len()).filter(leaf);
        places.nth(times)
    } else {
        (0..at).rev().filter(leaf).nth(times)
    };
    match to {
        Some(place) => look_at_place(model, place),
        None => {
            toast(model, if forward { "this is the last step" } else { "this is the whole run" }, Role::Info)
        }
    }
}

fn other_call(model: &mut Model, forward: bool) {
    let Some(shown) = alone(model) else {
        return toast(model, "calls are switched in the output of one step; J K choose it", Role::Info);
    };
    let Some(run) = model.board.run(shown.run).cloned() else { return };
    let calls = run.step(shown.step).map_or(&[][..], |step| step.attempts());
    let mut numbers: Vec<u32> =
        calls.iter().map(|call| call.number).filter(|number| (*number > shown.number) == forward).collect();
    numbers.retain(|number| *number != shown.number);
    match if forward { numbers.first() } else { numbers.last() } {
        Some(number) => {
            model.logs.call =
                Some(*number).filter(|number| calls.last().is_some_and(|last| last.number != *number));
            model.logs.follow = true;
        }
        None => {
            let text = if forward { "this is its last call" } else { "this is its first call" };
            toast(model, text, Role::Info);
        }
    }
}

/// The graph, with the step of this line under the cursor.
fn to_graph(model: &mut Model) {
    let logs = &model.logs;
    let line = logs.lines.line(logs.cursor);
    let of_line = line.and_then(|line| logs.lines.attempt_of(line).map(|attempt| attempt.step).or(line.step));
    let Some(run) = logs.run else { return };
    let step = logs.step.or(of_line);
    places::to_graph(model, run, step);
}

fn escape(model: &mut Model) {
    let lines = &mut model.logs.lines;
    if !lines.only().is_empty() {
        lines.set_only(Needle::default());
    } else if !lines.find().is_empty() {
        lines.set_find(Needle::default());
    } else {
        places::backward(model);
    }
}

/// The whole line under the cursor, all its pieces, as it may be shown.
fn line_text(model: &Model) -> String {
    let (lines, glyphs) = (&model.logs.lines, model.look.glyphs);
    let mut first = model.logs.cursor;
    while lines.line(first).is_some_and(|line| line.goes_on) && first > lines.first() {
        first -= 1;
    }
    let mut text = String::new();
    for number in first..lines.end() {
        match lines.line(number) {
            Some(line) if number == first || line.goes_on => text.push_str(&text_of(line, glyphs)),
            _ => break,
        }
        if text.len() > COPY_BYTES_MAX {
            break;
        }
    }
    text
}

/// The lines that are seen, without frames and names.
fn block_text(model: &Model) -> String {
    let (lines, glyphs) = (&model.logs.lines, model.look.glyphs);
    let mut numbers: Vec<u64> = model.logs.rows.iter().map(|row| row.line).collect();
    numbers.dedup();
    let texts: Vec<String> =
        numbers.iter().filter_map(|number| lines.line(*number)).map(|line| text_of(line, glyphs)).collect();
    texts.join("\n")
}

fn copy(model: &mut Model, mut text: String, what: &str, wishes: &mut Vec<Wish>) {
    if model.logs.lines.len() == 0 {
        return toast(model, "could not copy: there is no line", Role::Warn);
    }
    let whole = text.len();
    if whole > COPY_BYTES_MAX {
        let end = (0..=COPY_BYTES_MAX).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
        text.truncate(end);
    }
    let cut =
        if text.len() < whole { format!(", the first {} of {whole} B", text.len()) } else { String::new() };
    toast(model, &format!("copied {what} by OSC 52: {} B{cut}", text.len()), Role::Info);
    wishes.push(Wish::Copy(text));
}

/// A click puts the cursor on the line under it, or opens the step of the side list. True for a line.
pub(crate) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    let places = layout::logs(model);
    let position = ratatui::layout::Position { x: column, y: row };
    if places.lines.contains(position) {
        if let Some(line) = model.logs.rows.get(usize::from(row - places.lines.y)).map(|row| row.line) {
            stop_following(model);
            model.logs.cursor = line;
            return true;
        }
    } else if let Some(side) =
        places.side.map(|side| layout::inset(side, 1, 1, 1)).filter(|inset| inset.contains(position))
    {
        let place = side_top(model, side_rows(side.height)) + usize::from(row - side.y);
        let known = model.logs.run.and_then(|run| model.board.run(run)).map_or(0, |run| run.len());
        if place < STEPS_FROM + known && row < side.y + side_rows(side.height) {
            look_at_place(model, place);
        }
    }
    false
}

fn look_at_place(model: &mut Model, row: usize) {
    match Listed::at(row) {
        Listed::All => look_at(model, None),
        Listed::Step(step) => look_at(model, Some(step)),
        Listed::Voice(voice) => {
            look_at(model, None);
            model.logs.voice = Some(voice);
        }
    }
}

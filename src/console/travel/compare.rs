//! Holding two instants of a run, or two runs, against each other: what is compared with, reading it, and the list of
//! what differs.

use super::state::{Comparing, Until};
use crate::{
    Lookup, Model, Role, Sheet, Wish, layout,
    marks::age,
    model::{Asker, Overlay, PromptKind, Sheetlet},
    update::{editing, toast},
};
use cuelight_base::{RunId, Seq, Timestamp};
use cuelight_projection::{Board, RunView, Side, StepDiff, run_diff};
use std::sync::Arc;

/// Events asked for at once.
const PAGE: u32 = 1024;
/// Lines of a list of changes beside the past.
const CHANGES_MAX: usize = 24;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Asks what to compare with.
pub(crate) fn open(model: &mut Model) {
    match left(model) {
        Ok(_) => editing::open_prompt(model, PromptKind::Compare),
        Err(why) => toast(model, &why, Role::Warn),
    }
}

/// The run on the screen to compare, its description and its instant.
fn left(model: &Model) -> Result<(String, Arc<RunView>, Timestamp), String> {
    let past = model.past.travel.as_ref().and_then(|travel| travel.history.run());
    let run = model.run().or(past).ok_or("could not compare: no run is selected")?;
    let view = model.board.run(run).cloned();
    let view = view.ok_or_else(|| format!("could not compare: the steps of {run} are not in memory"))?;
    let when = if model.past.travel.is_some() {
        format!("{run} at {}", model.now.clock())
    } else {
        format!("{run} now")
    };
    Ok((when, view, model.now))
}

/// Reads what was typed: a run, an event, a time of day, or nothing for what is now.
pub(crate) fn ask(model: &mut Model, text: &str) {
    let left = match left(model) {
        Ok(left) => left,
        Err(why) => return toast(model, &why, Role::Warn),
    };
    let same = left.1.id();
    let (run, until) = match words(text, same, model.now) {
        Ok(words) => words,
        Err(why) => return toast(model, &why, Role::Warn),
    };
    let words = match until {
        Until::All => format!("{run} now"),
        Until::Seq(seq) => format!("{run} at event {seq}"),
        Until::At(at) => format!("{run} at {}", at.clock()),
    };
    let whole = (until == Until::All).then(|| model.live().run(run).cloned()).flatten();
    let comparing = Comparing {
        left,
        run,
        until,
        words,
        board: Board::default(),
        after: Seq(0),
        asked: None,
        done: false,
        failed: None,
    };
    match whole {
        Some(right) => {
            let now = model.clock;
            show(model, &comparing, &right, now);
        }
        None => model.past.comparing = Some(Box::new(comparing)),
    }
}

fn words(text: &str, same: RunId, now: Timestamp) -> Result<(RunId, Until), String> {
    let text = text.trim();
    let of_day = |time: &str| {
        let mut parts =
            time.split(':').map(|part| part.parse::<i64>().ok().filter(|number| (0..60).contains(number)));
        let (hours, minutes) = (parts.next()??, parts.next()??);
        let seconds = parts.next().unwrap_or(Some(0))?;
        let begin = now.0 - now.0.rem_euclid(DAY);
        Some(Timestamp(begin + ((hours * 60 + minutes) * 60 + seconds) * 1000 + 999))
    };
    if text.is_empty() || text == "live" || text == "now" {
        Ok((same, Until::All))
    } else if text.starts_with("r-") {
        Ok((text.parse()?, Until::All))
    } else if text.contains(':') {
        let at = of_day(text).ok_or_else(|| format!("could not read {text:?} as a time; write 11:54:09"))?;
        Ok((same, Until::At(at)))
    } else {
        let seq = text.trim_start_matches('#').parse();
        let seq: u64 = seq.map_err(|_| {
            format!(
                "could not read {text:?}; write r-7, the number of an event, 11:54:09, or nothing for now"
            )
        })?;
        Ok((same, Until::Seq(Seq(seq))))
    }
}

/// A page of the run that is compared with.
pub(crate) fn read(model: &mut Model, request: u64, sheet: Sheet) {
    let Some(comparing) = &mut model.past.comparing else { return };
    if comparing.asked.take_if(|asked| *asked == request).is_none() {
        return;
    }
    let (events, more) = match sheet {
        Sheet::Events { events, more } => (events, more),
        Sheet::Missing(why) => {
            comparing.failed = Some(why);
            return;
        }
        Sheet::Bytes { .. }
        | Sheet::Records(_)
        | Sheet::Chain { .. }
        | Sheet::Workflow(_)
        | Sheet::Agents(_) => return,
    };
    let until = comparing.until;
    let counts = |seq: Seq, at: Timestamp| match until {
        Until::All => true,
        Until::Seq(last) => seq <= last,
        Until::At(last) => at <= last,
    };
    comparing.done = !more || events.is_empty();
    for (seq, event) in &events {
        if !counts(*seq, event.at) {
            comparing.done = true;
            break;
        }
        comparing.board.apply(*seq, event);
        comparing.after = *seq;
    }
}

/// Reads on, or shows what was read.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(mut comparing) = model.past.comparing.take() else { return };
    if let Some(why) = &comparing.failed {
        return toast(model, &format!("could not compare: {why}"), Role::Warn);
    }
    if comparing.done {
        let (run, at) = (comparing.run, comparing.board.at);
        match comparing.board.run(run).cloned() {
            Some(right) => show(model, &comparing, &right, at),
            None => {
                let why = format!("could not compare: {} has no events", comparing.words);
                toast(model, &why, Role::Warn);
            }
        }
        return;
    }
    if comparing.asked.is_none() {
        let want = Lookup::Events { run: Some(comparing.run), after: comparing.after, limit: PAGE };
        comparing.asked = Some(model.requests.read(Asker::Compare, want, wishes));
    }
    model.past.comparing = Some(comparing);
}

fn show(model: &mut Model, comparing: &Comparing, right: &RunView, right_now: Timestamp) {
    let (words, left, left_now) = &comparing.left;
    let diffs = run_diff((left, *left_now), (right, right_now));
    let differ = diffs.iter().filter(|diff| diff.differs()).count();
    let names =
        diffs.iter().map(|diff| diff.id.chars().count() + 2 * diff.depth).max().unwrap_or(0).clamp(4, 28);
    let arrow = model.look.glyphs.pick("→", "->");
    let mut lines =
        vec![(format!("{:<names$}  {:<24} {:<19} outputs", "step", "state", "time"), Role::Muted)];
    for diff in diffs.iter().filter(|diff| diff.differs()) {
        let id = format!("{}{}", "  ".repeat(diff.depth), cuelight_base::safe_text(&diff.id));
        let both = |left: String, right: String| {
            if left == right { left } else { format!("{left} {arrow} {right}") }
        };
        let name = model.look.glyphs.fit(&id, names);
        let state = both(state(diff.left), state(diff.right));
        let time = both(took(diff.left), took(diff.right));
        let outputs = both(outputs(diff.left), outputs(diff.right));
        let sign = if diff.other_state() { "≠" } else { "~" };
        let sign = model.look.glyphs.pick(sign, if diff.other_state() { "!" } else { "~" });
        let pad = names.saturating_sub(unicode_width::UnicodeWidthStr::width(name.as_str()));
        let line = format!("{name}{:pad$} {sign}{state:<24} {time:<19} {outputs}", "");
        lines.push((line, role(diff)));
    }
    let same = diffs.len() - differ;
    let word = if same == 1 { "step is" } else { "steps are" };
    lines.push((format!("{same} {word} the same"), Role::Muted));
    let title = format!("{words} {arrow} {}   {differ} differ", comparing.words);
    model.overlay = Some(Overlay::Text(Sheetlet { title, lines, top: 0 }));
}

fn state(side: Option<Side>) -> String {
    match side {
        None => "no such step".to_owned(),
        Some(Side { inside: Some((rested, total)), .. }) => format!("{rested}/{total}"),
        Some(side) => side.state.word().to_owned(),
    }
}

fn took(side: Option<Side>) -> String {
    side.and_then(|side| side.took).map_or_else(|| "-".to_owned(), |span| span.to_string())
}

fn outputs(side: Option<Side>) -> String {
    side.and_then(|side| side.outputs)
        .map_or_else(|| "-".to_owned(), |outputs| outputs.to_string()[..8].to_owned())
}

fn role(diff: &StepDiff) -> Role {
    use cuelight_engine::StepState as S;
    match diff.right.map(|side| side.state) {
        None => Role::DiffDel,
        _ if diff.left.is_none() => Role::DiffAdd,
        Some(S::Failed) if diff.other_state() => Role::Fail,
        _ if diff.other_state() => Role::Text,
        Some(_) => Role::Muted,
    }
}

/// Updates the changes from the shown instant until now, if there is room to show them.
pub(super) fn changes(model: &mut Model) {
    let Some(travel) = &model.past.travel else { return };
    let of = travel.shown.map(|number| (number, travel.live.seq));
    let is_shown = layout::inside_travel(travel.screen).changes.is_some() || model.look.reader;
    if !is_shown || travel.changes_of == of {
        return;
    }
    let run = travel.history.run().or(model.run());
    let sides = run.and_then(|run| Some((model.board.run(run)?, travel.live.run(run)?)));
    let mut lines = Vec::new();
    if let Some((then, live)) = sides {
        let diffs = run_diff((then, model.now), (live, model.clock));
        let top = diffs.iter().filter(|diff| diff.depth == 0 && diff.other_state());
        let arrow = model.look.glyphs.pick("→", "->");
        for diff in top.clone().take(CHANGES_MAX) {
            let took = diff
                .right
                .and_then(|side| side.took)
                .map_or_else(String::new, |span| format!(" {}", age(span)));
            let id = model.look.glyphs.fit(&cuelight_base::safe_text(&diff.id), 20);
            lines.push((
                format!("{id:<20}  {} {arrow} {}{took}", state(diff.left), state(diff.right)),
                role(diff),
            ));
        }
        if top.clone().next().is_none() {
            lines.push(("its steps are as they are now".to_owned(), Role::Muted));
        }
    } else {
        let (then, live) = (model.board.run_count(), travel.live.run_count());
        let gates = (model.board.open_gates().count(), travel.live.open_gates().count());
        let arrow = model.look.glyphs.pick("→", "->");
        lines.push((format!("{:<20}  {then} {arrow} {live}", "runs"), Role::Text));
        lines.push((format!("{:<20}  {} {arrow} {}", "open gates", gates.0, gates.1), Role::Text));
    }
    if let Some(travel) = &mut model.past.travel {
        (travel.changes, travel.changes_of) = (lines, of);
    }
}

//! Marks in the list of runs, and what is asked for all marked runs at once: one dialog that lists them all, at the level
//! of the action, for runs of low risk that were on the screen.

use crate::{
    About, Dialog, DialogFact, DialogField, Field, Intent, Level, Model, Preview, Proof, Role, View,
    actions::undoes,
    dialog::{self, state::fact},
    layout,
    marks::{age, word_of_run},
    update::toast,
};
use cuelight_base::{RunId, counted};
use cuelight_engine::{Command, RunState};
use std::collections::BTreeSet;

/// Rows of a dialog that are no runs.
const AROUND: u16 = 16;
/// Never more at once.
const BULK_MAX: usize = 50;

/// Marks the run under the cursor, or takes its mark away, and goes on to the next; so many times.
pub(super) fn mark(model: &mut Model, count: Option<u32>) {
    for _ in 0..count.unwrap_or(1).clamp(1, 1_000) {
        let Some(run) = model.runs.selected else { return };
        if !model.runs.marked.remove(&run) {
            model.runs.marked.insert(run);
        }
        model.runs.marked_last = Some(run);
        let next = model.runs.rows.get(model.runs.cursor() + 1).copied();
        model.runs.selected = next.or(model.runs.selected);
        if next.is_none() {
            return;
        }
    }
}

/// Marks all from the one that was marked last to the cursor.
pub(super) fn mark_range(model: &mut Model) {
    let from = model
        .runs
        .marked_last
        .and_then(|marked_last| model.runs.rows.iter().position(|row| *row == marked_last));
    let to = model.runs.cursor();
    let from = from.unwrap_or(to);
    let range = from.min(to)..=from.max(to);
    model.runs.marked.extend(model.runs.rows.get(range).unwrap_or_default());
    model.runs.marked_last = model.runs.selected;
}

/// Marks all that the filter leaves; once more, none.
pub(super) fn mark_all(model: &mut Model) {
    let all: BTreeSet<RunId> = model.runs.rows.iter().copied().collect();
    if all.is_subset(&model.runs.marked) {
        clear(model);
    } else {
        model.runs.marked = all;
    }
}

/// Takes all marks away.
pub(crate) fn clear(model: &mut Model) {
    model.runs.marked.clear();
    model.runs.marked_seen.clear();
    model.runs.marked_last = None;
}

/// A mark goes with its run, and with a filter that hides it: what is not shown is never acted on.
pub(super) fn forget_gone(model: &mut Model) {
    if !model.runs.marked.is_empty() {
        let shown: BTreeSet<RunId> = model.runs.rows.iter().copied().collect();
        model.runs.marked.retain(|run| shown.contains(run));
        model.runs.marked_seen.retain(|run| shown.contains(run));
    }
}

/// A frame was drawn: the marked rows on it have been seen.
pub(crate) fn drawn(model: &mut Model) {
    let runs = &mut model.runs;
    if model.view != View::Runs || model.overlay.is_some() || runs.marked.is_empty() {
        return;
    }
    let page = usize::from(layout::runs(model).rows.height);
    let runs = &mut model.runs;
    let seen: Vec<RunId> = runs.rows.iter().skip(runs.top).take(page).copied().collect();
    runs.marked_seen.extend(seen.into_iter().filter(|run| runs.marked.contains(run)));
}

/// True if an action concerns all marked runs.
pub(crate) fn concerns(model: &Model, intent: Intent) -> bool {
    let acts = matches!(intent, Intent::Pause | Intent::Cancel | Intent::Retry | Intent::Compensate);
    acts && model.view == View::Runs && !model.runs.marked.is_empty()
}

/// Opens the dialog for all marked runs, or says why not.
pub(crate) fn ask(model: &mut Model, intent: Intent) {
    let verb = verb_of(model, intent);
    let refuse =
        |model: &mut Model, why: &str| toast(model, &format!("could not {verb} them: {why}"), Role::Warn);
    let unseen = model.runs.marked.iter().filter(|run| !model.runs.marked_seen.contains(run)).count();
    if unseen > 0 {
        return refuse(
            model,
            &format!("{unseen} of the marked were not on the screen; scroll to them first"),
        );
    }
    let room = usize::from(model.size.1.saturating_sub(AROUND)).min(BULK_MAX);
    if model.runs.marked.len() > room {
        let marked = model.runs.marked.len();
        return refuse(
            model,
            &format!("a dialog lists them all, and of {marked} only {room} fit; mark fewer"),
        );
    }
    let (mut facts, mut commands, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for run in model.runs.marked.clone() {
        match command_of(model, intent, verb, run) {
            Ok((words, command)) => {
                facts.push(fact("run", words, Role::Text));
                commands.push(command);
            }
            Err(why) => left_out.push(fact("left out", why, Role::Muted)),
        }
    }
    if commands.is_empty() {
        let why = left_out.first().map_or("nothing is marked", |item| item.text.as_str()).to_owned();
        return refuse(model, &why);
    }
    facts.extend(left_out);
    open(model, intent, verb, facts, commands);
}

fn open(
    model: &mut Model,
    intent: Intent,
    verb: &str,
    mut facts: Vec<DialogFact>,
    mut commands: Vec<Command>,
) {
    let count = commands.len();
    let runs = counted(count, "run", "runs");
    facts.push(fact("on", format!("{} ({})", model.seat.environment, model.seat.place), Role::Text));
    facts.push(fact("as", model.seat.actor.name.clone(), Role::Text));
    let wants_reason = matches!(commands[0], Command::Cancel { .. } | Command::Undo { .. });
    let proof = if intent.level() >= Level::L3 {
        let wanted = format!("{verb} {count}");
        Proof::Typed { ask: format!("type {wanted}"), wanted, field: Field::default() }
    } else {
        Proof::Key
    };
    let reason = DialogField::new("reason", true);
    let first = commands.remove(0);
    dialog::asking::show(
        model,
        Dialog {
            title: format!("{}{} {runs}?", verb[..1].to_uppercase(), &verb[1..]),
            verb: verb.to_owned(),
            facts,
            level: intent.level().max(Level::L2),
            proof,
            fields: if wants_reason { vec![reason] } else { Vec::new() },
            others: commands,
            about: About::Marked,
            ..Dialog::of(
                first,
                Preview::Known(vec![format!("{verb}s each of the {runs} above, and nothing else")]),
            )
        },
    );
}

/// Pause and resume share a key: when one of the marked goes on, all are paused.
fn verb_of(model: &Model, intent: Intent) -> &'static str {
    let paused =
        |run: &RunId| model.board.summary(*run).is_some_and(|summary| summary.state == RunState::Paused);
    match intent {
        Intent::Pause if model.runs.marked.iter().all(paused) => "resume",
        Intent::Compensate => "undo",
        _ => intent.short(),
    }
}

/// The command for one run, with its words; or the reason why the run is left out.
fn command_of(model: &Model, intent: Intent, verb: &str, run: RunId) -> Result<(String, Command), String> {
    let summary = model.board.summary(run).ok_or(format!("{run} is not known any more"))?;
    let name = format!("{run} {}", summary.workflow);
    let rests = summary.state.rests();
    let by = model.seat.actor.clone();
    let reason = String::new();
    if rests && matches!(intent, Intent::Pause | Intent::Cancel) {
        return Err(format!("{name}: it is {} already", summary.state));
    }
    if !rests && intent == Intent::Compensate {
        return Err(format!("{name}: it still goes on; cancel it first"));
    }
    // What cannot be taken back is decided one by one.
    let is_grave = intent.level() >= Level::L3;
    if let Some(kept) = dialog::asking::cannot_be_undone(model, run).filter(|_| is_grave) {
        return Err(format!("{name}: not of low risk, ask for it alone: {kept}"));
    }
    let command = match intent {
        Intent::Pause if verb == "resume" => Command::Resume { run, by },
        Intent::Pause if summary.state == RunState::Paused => return Err(format!("{name}: it is paused")),
        Intent::Pause => Command::Pause { run, by },
        Intent::Retry if !rests && summary.failures() == 0 => return Err(format!("{name}: nothing failed")),
        Intent::Retry => {
            Command::Retry { run, from: cuelight_engine::RetryFrom::Failed, by, corrected: None }
        }
        Intent::Cancel => Command::Cancel { run, by, reason, undo: undoes(model, run) },
        _ => Command::Undo { run, reason, by },
    };
    let words = format!(
        "{name}   {}   {}   {}",
        word_of_run(summary),
        summary.progress(),
        age(summary.age(model.now))
    );
    Ok((words, command))
}

//! Applies messages to the model: the only place where a model is changed. Returns the requests to the world,
//! and waits for nothing.
//!
//! One file for each thing that keys do in every view. The keys of one view, or of one window, are in its own folder.

pub(super) mod command_line;
mod copying;
pub(super) mod editing;
pub(super) mod general;
pub(super) mod moving;
mod opening;
mod outside;
mod panes;
pub(super) mod places;
mod prompt;
pub(super) mod pulse;
pub(super) mod requests;
mod siblings;
pub(super) mod toasts;
mod why;

use crate::{
    Answer, Found, Intent, Link, Message, Model, Mouse, Press, Role, Scope, Sheet, View, Width, Wish, agents,
    audit, dialog, errors, gates, graph, health,
    keymap::{digit, is_interrupt, is_suspend},
    launching, layout, leaving, logs,
    model::{Asker, Overlay, Undoable},
    palette, popup,
    rung::Rung,
    runs, time, tools, travel, view,
};
use cuelight_base::{Span, Timestamp};
use cuelight_projection::Board;
use std::sync::Arc;

use toasts::clock;
pub(super) use toasts::{hint, toast};

/// Time in which `u` can undo an action.
const TAKE_BACK: Span = Span(10_000);
/// A count has at most this value.
const COUNT_MAX: u32 = 9_999;

/// Changes the model as a message says, and returns what follows from it.
#[must_use]
pub fn update(model: &mut Model, message: Message) -> Vec<Wish> {
    let mut wishes = Vec::new();
    match message {
        Message::Key { press, repeat, at } => {
            clock(model, at);
            key(model, press, repeat, at, &mut wishes);
        }
        Message::Paste { text, at } => {
            clock(model, at);
            editing::paste(model, &text, at);
        }
        Message::Mouse { what, column, row } => mouse(model, what, (column, row), &mut wishes),
        Message::Resize { width, height } => travel::update::resize(model, (width, height)),
        Message::Focus(has) => model.terminal.has_focus = has,
        Message::Board(board) => see(model, board, &mut wishes),
        Message::Link(link) => follow_link(model, link),
        Message::Reply { request, answer } => answered(model, request, answer),
        Message::Preview { request, outcome } => match model.requests.asking.remove(&request) {
            Some(Asker::WhatIf) => graph::what_if::answered(model, request, &outcome),
            _ => dialog::asking::previewed(model, request, outcome),
        },
        Message::Sheet { request, sheet } => arrived(model, request, sheet, &mut wishes),
        Message::Arranged { request, arranged, took, at } => {
            clock(model, at);
            graph::pictures::arrived(model, request, arranged, took);
        }
        Message::Output { attempt, from, bytes, came } => {
            pulse::heard(model, came.unwrap_or(model.clock));
            logs::read::hear(model, attempt, (from, &bytes), came);
        }
        Message::Themes { themes, problems } => general::set_themes(model, themes, &problems),
        Message::Behind(missed) => {
            let lately = model.behind_now().unwrap_or(0);
            model.terminal.behind = Some((lately + missed, model.now));
        }
        Message::Edited(edited) => outside::arrived(model, edited),
        Message::Note { title, text } => popup::update::show_note(model, &title, &text),
        Message::Frame(cost) => {
            model.terminal.frames.take(cost);
            return wishes;
        }
        Message::Drawn(at) => {
            // What was left out of a frame was not seen.
            if !view::shows_all(model) {
                model.gates.drawn = None;
                return wishes;
            }
            gates::update::drawn(model, at);
            runs::bulk::drawn(model);
            if layout::frame(model.size).width != Width::TooSmall {
                match &mut model.overlay {
                    Some(Overlay::Dialog(dialog)) => dialog.drawn(at),
                    Some(Overlay::Leaving(leaving)) => {
                        leaving.counts_from.get_or_insert(at);
                    }
                    _ => {}
                }
            }
            return wishes;
        }
        Message::Tick(now) => tick(model, now),
        Message::Hangup => wishes.push(Wish::Quit),
    }
    refresh(model, &mut wishes);
    wishes
}

/// Something that was asked for has been read: it goes to the part that asked.
fn arrived(model: &mut Model, request: u64, sheet: Sheet, wishes: &mut Vec<Wish>) {
    match model.requests.asking.remove(&request) {
        Some(Asker::Agents) => agents::update::read(model, sheet),
        Some(Asker::Audit) => audit::update::read(model, request, sheet),
        Some(Asker::Compare) => travel::compare::read(model, request, sheet),
        Some(Asker::Gates) => gates::update::arrived(model, request, sheet, wishes),
        Some(Asker::Launch) => launching::update::read(model, request, sheet),
        Some(Asker::Logs) => logs::read::read(model, request, sheet),
        Some(Asker::Pulse) => pulse::read(model, &sheet),
        Some(Asker::TimeMarks) => time::marks::read(model, request, sheet),
        Some(Asker::Travel) => travel::update::read(model, request, sheet),
        Some(Asker::WhatIf) | None => {}
    }
}

/// Brings everything up to date that follows from the rest: rows, picture, what a dialog speaks of.
fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    travel::update::refresh(model, wishes);
    travel::compare::refresh(model, wishes);
    runs::update::refresh(model);
    graph::pictures::refresh(model, wishes);
    graph::update::refresh(model, wishes);
    graph::what_if::refresh(model, wishes);
    gates::update::refresh(model, wishes);
    launching::update::refresh(model, wishes);
    logs::update::refresh(model, wishes);
    errors::update::refresh(model);
    health::update::refresh(model);
    agents::update::refresh(model, wishes);
    time::update::refresh(model);
    time::marks::refresh(model, wishes);
    audit::update::refresh(model, wishes);
    palette::update::refresh(model);
    dialog::asking::refresh(model, wishes);
    pulse::refresh(model, wishes);
}

fn tick(model: &mut Model, now: Timestamp) {
    clock(model, now);
    travel::update::play(model);
    model.notices.toasts.retain(|toast| toast.until > model.clock);
    if model.requests.undo.as_ref().is_some_and(|undo| undo.until <= model.clock) {
        model.requests.undo = None;
    }
}

/// A newer board. Rings once when something needs somebody that did not at the last look; a terminal that nobody looks at
/// is told as well.
fn see(model: &mut Model, board: Arc<Board>, wishes: &mut Vec<Wish>) {
    let rung = Rung::of(&board);
    let first_look = model.live().seq == cuelight_base::Seq::default();
    if let Some(news) = rung.news_since(&model.notices.rung, &board).filter(|_| !first_look) {
        wishes.push(Wish::Bell);
        if !model.terminal.has_focus {
            wishes.push(Wish::Notify(format!("cuelight {}: {news}", model.seat.environment)));
        }
    }
    model.notices.rung = rung;
    if let Some(travel) = &mut model.past.travel {
        travel.live = board;
    } else if model.past.frozen.is_some() {
        model.past.frozen = Some(board);
    } else {
        model.board = board;
    }
}

fn follow_link(model: &mut Model, link: Link) {
    if model.link != link {
        match (&model.link, &link) {
            (Link::Lost { .. }, Link::Live) => toast(model, "the engine is back", Role::Ok),
            (Link::Unheard { .. }, Link::Live) => toast(model, "the guard goes on", Role::Ok),
            (_, Link::Unheard { why } | Link::Strays { why }) => toast(model, &why.clone(), Role::Warn),
            (_, Link::Unwritten { why }) => {
                let text = format!("the engine could not write and decides nothing: {why}");
                toast(model, &text, Role::Fail);
            }
            _ => {}
        }
        model.link = link;
    }
}

fn key(model: &mut Model, press: Press, repeat: bool, at: Timestamp, wishes: &mut Vec<Wish>) {
    model.keyboard.last_key = at;
    if is_interrupt(press) {
        interrupt(model, at, wishes);
        return;
    }
    if is_suspend(press) {
        wishes.push(Wish::Suspend);
        return;
    }
    if let Some(Overlay::Dialog(_)) = model.overlay
        && !dialog::asking::hears(model, press, repeat, at)
    {
        return;
    }
    if !leaving::update::hears(model, press, repeat, at) {
        return;
    }
    if let Some(what) = model.places.letter.take() {
        return places::name(model, what, press);
    }
    if popup::update::chooses(model, press) {
        if !repeat {
            act(model, Intent::Submit, None, wishes);
        }
        return;
    }
    if editing::takes(model, press) {
        editing::insert(model, press);
        return;
    }
    let scope = model.scope();
    model.keyboard.typed.push(press);
    if counts(model, press) {
        return;
    }
    let found = match scope {
        Scope::Travel | Scope::Play => model.keys.find_over(scope, model.view.scope(), &model.keyboard.typed),
        scope => model.keys.find(scope, &model.keyboard.typed),
    };
    match found {
        Found::Intents(intents) => {
            let typed = std::mem::take(&mut model.keyboard.typed);
            let count = model.keyboard.count.take().or_else(|| digit(press).filter(|_| scope == Scope::Play));
            for intent in intents {
                act(model, intent, count, wishes);
            }
            if model.places.letter.is_some() {
                model.keyboard.typed = typed;
            }
        }
        Found::Prefix => {}
        Found::Nothing => {
            model.keyboard.typed.clear();
            model.keyboard.count = None;
        }
    }
}

/// A digit that opens no view begins a count; any digit continues one.
fn counts(model: &mut Model, press: Press) -> bool {
    let takes_counts = model.overlay.is_none() && model.prompt.is_none() && model.keyboard.typed.len() == 1;
    let Some(digit) = digit(press).filter(|_| takes_counts) else { return false };
    let scope = model.scope();
    let found = match scope {
        Scope::Travel | Scope::Play => model.keys.find_over(scope, model.view.scope(), &[press]),
        scope => model.keys.find(scope, &[press]),
    };
    if model.keyboard.count.is_none() && found != Found::Nothing {
        return false;
    }
    model.keyboard.typed.clear();
    model.keyboard.count = Some((model.keyboard.count.unwrap_or(0) * 10 + digit).min(COUNT_MAX));
    true
}

fn interrupt(model: &mut Model, at: Timestamp, wishes: &mut Vec<Wish>) {
    if model.keyboard.interrupted.is_some_and(|before| at.since(before) < Span::seconds(3)) {
        wishes.push(Wish::Quit);
    } else {
        model.keyboard.interrupted = Some(at);
        toast(model, "Ctrl-C again leaves; the runs go on", Role::Warn);
    }
}

/// Does what a command says: what lies on top takes it, else the view. A command that is chosen on top is done in turn.
fn act(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) {
    if intent == Intent::Editor {
        return outside::ask(model, wishes);
    }
    let chosen = match &model.overlay {
        Some(Overlay::Dialog(_)) => return dialog::asking::answer(model, intent, wishes),
        Some(Overlay::Launch(_)) => return launching::update::act(model, intent, wishes),
        Some(Overlay::Leaving(_)) => return leaving::update::act(model, intent, wishes),
        Some(Overlay::Palette(_)) => palette::update::act(model, intent, wishes),
        Some(Overlay::Help { .. } | Overlay::Menu { .. } | Overlay::Text(_)) => {
            popup::update::act(model, intent, count, wishes)
        }
        None if model.prompt.is_some() => return prompt::act(model, intent, wishes),
        None => return act_in_view(model, intent, count, wishes),
    };
    if let Some(chosen) = chosen {
        act(model, chosen, None, wishes);
    }
}

/// Does what a command says where nothing lies over the view.
fn act_in_view(model: &mut Model, intent: Intent, count: Option<u32>, wishes: &mut Vec<Wish>) {
    if travel::update::act(model, intent, count, wishes) {
        return;
    }
    match intent {
        Intent::PaneSize | Intent::WholePane => return panes::act(model, intent),
        Intent::NextSibling | Intent::PreviousSibling => return siblings::act(model, intent, count),
        _ => {}
    }
    if model.view == View::Runs && runs::panels_keys::act(model, intent, count) {
        return;
    }
    if intent == Intent::NextPanel && model.view != View::Gates {
        return toast(model, "one pane takes keys here; 1 to 8 show the other views", Role::Info);
    }
    if intent == Intent::Open
        && let Some(why) = opening::nothing_to_open(model)
    {
        return toast(model, &why, Role::Info);
    }
    if (model.view == View::Gates && gates::deciding::act(model, intent, wishes))
        || general::act(model, intent, wishes)
    {
        return;
    }
    match model.view {
        View::Runs => runs::update::act(model, intent, count, wishes),
        View::Dag => graph::update::act(model, intent, count, wishes),
        View::Gates => gates::update::act(model, intent, count, wishes),
        View::Errors => errors::update::act(model, intent, count, wishes),
        View::Health => health::update::act(model, intent, count, wishes),
        View::Logs => logs::update::act(model, intent, count, wishes),
        View::Time => time::update::act(model, intent, count, wishes),
        View::Audit => audit::update::act(model, intent, count, wishes),
        View::Agents => agents::update::act(model, intent, count, wishes),
        View::Tools => tools::update::act(model, intent, count, wishes),
    }
}

fn mouse(model: &mut Model, what: Mouse, (column, row): (u16, u16), wishes: &mut Vec<Wish>) {
    // Where things stand on a screen that is read out, nobody points at.
    if model.look.reader {
        return;
    }
    let Some(row) = travel::update::row_of_view(model, what, (column, row)) else { return };
    if model.overlay.is_some() || model.prompt.is_some() {
        // A click opens and selects, it never decides.
        match what {
            Mouse::Click | Mouse::DoubleClick => {}
            Mouse::WheelUp => act(model, Intent::Up, None, wishes),
            Mouse::WheelDown => act(model, Intent::Down, None, wishes),
        }
        return;
    }
    match what {
        Mouse::Click => {
            general::click(model, column, row);
        }
        Mouse::DoubleClick if general::click(model, column, row) => act(model, Intent::Open, None, wishes),
        Mouse::DoubleClick => {}
        Mouse::WheelUp => act(model, Intent::Up, Some(3), wishes),
        Mouse::WheelDown => act(model, Intent::Down, Some(3), wishes),
    }
}

fn answered(model: &mut Model, request: u64, answer: Answer) {
    gates::update::answered(model, request, &answer);
    let Some(pending) = model.requests.pending.remove(&request) else {
        if let Answer::Noted(text) | Answer::NotRecorded(text) = answer {
            toast(model, &text, Role::Info);
        }
        return;
    };
    let (text, role) = match answer {
        Answer::Recorded { run, .. } => {
            if pending.run.is_none()
                && let Some(run) = run
            {
                model.runs.selected = Some(run);
            }
            let mut text = format!("{}: recorded", pending.words);
            if let Some(command) = pending.inverse {
                let until = model.clock + TAKE_BACK;
                model.requests.undo = Some(Undoable { command, words: pending.words.clone(), until });
                text.push_str("   u undo 10s");
            }
            (text, Role::Ok)
        }
        Answer::Refused(refusal) => (refusal.to_string(), Role::Warn),
        Answer::Invalid(report) => {
            popup::update::show_text(model, "could not start", &report, Role::Fail);
            ("could not start: the workflow has problems".to_owned(), Role::Fail)
        }
        Answer::NotRecorded(why) => {
            (format!("{}: could not be recorded: {why}; try again", pending.words), Role::Fail)
        }
        Answer::Noted(text) => (text, Role::Info),
    };
    if let Some(asked) = model.requests.asked.iter_mut().rev().find(|asked| asked.request == request) {
        asked.outcome.clone_from(&text);
    }
    toast(model, &text, role);
}

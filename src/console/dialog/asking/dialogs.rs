//! An open dialog: it hears keys, shows a preview and is answered.

use super::{
    consequences::{consequences, of_answer},
    opening::standing,
};
use crate::{
    About, Dialog, Found, Intent, Model, Press, Preview, Reaction, Role, Width, Wish,
    actions::{ACTIONS, command_for, could_not, previewed_now},
    dialog::state::Step,
    gates, layout,
    model::{Overlay, Previews},
    runs, travel,
    update::{editing, requests::ask_preview, toasts::toast},
};
use cuelight_base::{RunId, Timestamp};
use cuelight_engine::{Command, Event, Refusal};

/// Returns true if a key counts in the open dialog. Back always counts. Any other key counts only if the
/// dialog has been visible for a while, and never if the key is held.
pub(crate) fn hears(model: &mut Model, press: Press, repeat: bool, at: Timestamp) -> bool {
    let goes_back = model.keys.find(model.scope(), &[press]) == Found::Intents(vec![Intent::Escape]);
    match &mut model.overlay {
        Some(Overlay::Dialog(_)) if goes_back => true,
        Some(Overlay::Dialog(_)) if layout::frame(model.size).width == Width::TooSmall => false,
        Some(Overlay::Dialog(dialog)) => dialog.hears(at) && !repeat,
        _ => true,
    }
}

/// A command of the key table, for the dialog that is open.
pub(crate) fn answer(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    let reaction = match intent {
        Intent::Escape | Intent::No => {
            model.overlay = None;
            return;
        }
        Intent::Yes => Reaction::Yes,
        Intent::Submit => Reaction::Enter,
        Intent::NextField => Reaction::Next,
        Intent::PreviousField => Reaction::Previous,
        other => {
            editing::edit(model, other);
            return;
        }
    };
    let locked = model.locked();
    let Some(Overlay::Dialog(dialog)) = &mut model.overlay else { return };
    let is_bulk = dialog.about == About::Marked;
    match dialog.react(reaction) {
        Step::Stays => {
            if let Some(why) = dialog.unanswered(reaction) {
                toast(model, &why, Role::Info);
            }
        }
        Step::Closes => model.overlay = None,
        Step::Does(commands) => {
            model.overlay = None;
            match locked {
                Some(why) => toast(model, &format!("could not do that: {why}"), Role::Warn),
                None => {
                    if is_bulk {
                        runs::bulk::clear(model);
                    }
                    if commands.iter().any(|command| matches!(command, Command::Fork { .. })) {
                        travel::update::end(model);
                    }
                    gates::deciding::hand_over(model, commands, wishes);
                }
            }
        }
    }
}

/// Records the preview of a command.
pub(crate) fn previewed(model: &mut Model, request: u64, outcome: Result<Vec<Event>, Refusal>) {
    if let Some(intent) = model.requests.previews.asked.remove(&request) {
        model.requests.previews.known.insert(intent, outcome.map(|_| ()).map_err(|error| error.to_string()));
        return;
    }
    let run = match &model.overlay {
        Some(Overlay::Dialog(dialog)) if dialog.preview == Preview::Asked(request) => match dialog.about {
            About::Run(run) | About::Step(run, _) => model.board.run(run).cloned(),
            About::Gate(gate) => model.board.gate(gate).and_then(|gate| model.board.run(gate.run)).cloned(),
            About::Nothing | About::Marked | About::MarkedGates => None,
        },
        _ => return,
    };
    let gate = |command: &Command| command.gate().and_then(|gate| model.board.gate(gate)).cloned();
    if let (Some(Overlay::Dialog(dialog)), Err(refusal)) = (&model.overlay, &outcome)
        && closes(model, dialog)
    {
        let text = could_not(&dialog.verb, &refusal.to_string());
        model.overlay = None;
        return toast(model, &text, Role::Warn);
    }
    if let Some(Overlay::Dialog(dialog)) = &mut model.overlay {
        dialog.preview = match outcome {
            Ok(events) => Preview::Known(match (&*dialog.command, gate(&dialog.command)) {
                (Command::Decide(decision), Some(gate)) => {
                    of_answer(&gate, decision, &events, run.as_deref())
                }
                _ => consequences(&events, run.as_deref()),
            }),
            Err(refusal) => Preview::Refused(refusal.to_string()),
        };
    }
}

/// True if the refusal of the first preview ends a dialog: nothing that could be typed into it would change the answer.
fn closes(model: &Model, dialog: &Dialog) -> bool {
    let rests = |run: RunId| model.board.summary(run).is_some_and(|summary| summary.state.rests());
    dialog.previewed.is_none()
        && match &*dialog.command {
            Command::Cancel { .. } | Command::Skip { .. } | Command::Undo { .. } => true,
            // From another step, or with other inputs, a run that rests may be done again.
            Command::Retry { run, .. } => !rests(*run),
            _ => false,
        }
}

/// Closes a dialog whose subject has changed; asks again what the actions of an open menu would do.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        let (about, stood) = (dialog.about, dialog.stood.clone());
        let now = standing(model, about);
        if stood.as_ref() != Some(&now) {
            model.overlay = None;
            let now = gates::deciding::news(model, about).unwrap_or(now);
            toast(model, &format!("closed, nothing was done: meanwhile {now}"), Role::Warn);
        }
    }
    preview_again(model, wishes);
    let is_listing = matches!(model.overlay, Some(Overlay::Menu { .. } | Overlay::Palette(_)));
    let of = previewed_now(model);
    if !is_listing || model.requests.previews.of == of {
        return;
    }
    model.requests.previews = Previews { of, ..Default::default() };
    for intent in ACTIONS {
        match command_for(model, intent) {
            Ok(command) if model.locked().is_none() => {
                let request = ask_preview(model, &command, wishes);
                model.requests.previews.asked.insert(request, intent);
            }
            Ok(_) => {
                let why = model.locked().unwrap_or_default();
                model.requests.previews.known.insert(intent, Err(why));
            }
            Err(why) => {
                model.requests.previews.known.insert(intent, Err(why));
            }
        }
    }
}

/// Previews the dialog's command again if the typed text has changed it.
fn preview_again(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(Overlay::Dialog(dialog)) = &model.overlay else { return };
    let Some(command) = dialog.to_preview() else { return };
    let request = ask_preview(model, &command, wishes);
    if let Some(Overlay::Dialog(dialog)) = &mut model.overlay {
        dialog.preview = Preview::Asked(request);
        dialog.previewed = Some(Box::new(command));
    }
}

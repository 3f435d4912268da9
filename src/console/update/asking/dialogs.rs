//! The dialog of a request: it opens, hears keys, shows a preview and is answered.

use super::{
    ACTIONS, ask_preview, command_for,
    command_line::command_line,
    consequences::{NAMES_MAX, consequences, of_answer},
    run_and_step,
};
use crate::{
    About, Danger, Dialog, DialogFact, DialogField, Field, Intent, Level, Model, Press, Preview, Proof,
    Reaction, Role, Width, Wish, dialog::Step, keymap::Found, layout, model::Overlay, update::toast,
};
use cuelight_base::{RunId, Timestamp};
use cuelight_engine::{Command, Event, Refusal, StepState};
use cuelight_plan::{EffectClass, Undo};
use cuelight_projection::partial_words;

/// Opens a dialog and asks what would happen.
pub(super) fn open(model: &mut Model, intent: Intent, command: Command, wishes: &mut Vec<Wish>) {
    let request = ask_preview(model, &command, wishes);
    let (run, step) = run_and_step(model, &command);
    let Some(run) = run else { return };
    let workflow = model.board.summary(run).map_or_else(String::new, |summary| summary.workflow.to_string());
    let step_id = step.and_then(|step| Some(model.board.run(run)?.step_id(step)));
    let fact =
        |name: &str, text: String| DialogFact { name: name.to_owned(), text, role: Role::Text, stays: false };
    let mut facts = vec![fact("run", format!("{run} {workflow}"))];
    facts.extend(step_id.clone().map(|id| fact("step", id)));
    facts.extend(about_again(model, run, &command).map(|(name, text)| fact(name, text)));
    if let Some(kept) = cannot_be_undone(model, run).filter(|_| intent.level() >= Level::L3) {
        facts.push(DialogFact { name: "not undone".to_owned(), text: kept, role: Role::Warn, stays: false });
    }
    facts.push(fact("on", format!("{} ({})", model.seat.environment, model.seat.place)));
    facts.push(fact("as", model.seat.actor.name.clone()));
    facts.push(fact("same as", command_line(model, &command)));
    let wanted = run.to_string();
    // A new run where it counts is typed, not pressed.
    let is_grave = intent == Intent::Fork && model.seat.danger == Danger::Production;
    let level = if is_grave { Level::L3 } else { intent.level() };
    let proof = if level == Level::L2 {
        Proof::Key
    } else {
        Proof::Typed { ask: format!("type the id {wanted}"), wanted, field: Field::default() }
    };
    let reason = matches!(command, Command::Cancel { .. } | Command::Skip { .. } | Command::Undo { .. });
    let fields =
        if reason { vec![DialogField::new("reason", true)] } else { DialogField::of_again(&command) };
    let what = step_id.unwrap_or_else(|| format!("{run} {workflow}"));
    let verb = intent.short();
    let title = format!("{}{} {what}?", verb[..1].to_uppercase(), &verb[1..]);
    show(
        model,
        Dialog {
            title,
            verb: verb.to_owned(),
            facts,
            level,
            proof,
            fields,
            about: About::Run(run),
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// The fact to show beside the run when it is done again.
fn about_again(model: &Model, run: RunId, command: &Command) -> Option<(&'static str, String)> {
    match command {
        Command::Retry { .. } => Some(("so far", partial_words(model.board.run(run)?)?)),
        Command::Fork { .. } => {
            let at = format!(
                "event {}, {}; what it takes over stays {run}'s to undo",
                model.board.seq,
                model.now.clock()
            );
            Some(("from", at))
        }
        _ => None,
    }
}

/// Steps that are done and cannot be undone.
pub(in crate::update) fn cannot_be_undone(model: &Model, run: RunId) -> Option<String> {
    let run = model.board.run(run)?;
    let stays = run.steps().filter(|(_, plan, step)| {
        let acts = plan.work.is_call() && plan.effect != EffectClass::Pure;
        acts && step.state == StepState::Completed && !matches!(plan.undo, Undo::By(_))
    });
    let mut names: Vec<&str> = stays.map(|(_, plan, _)| plan.id.as_str()).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("{}{rest}: done, with no undo", names.join(", ")))
}

/// Puts a dialog over the view.
pub(in crate::update) fn show(model: &mut Model, mut dialog: Dialog) {
    dialog.stood = Some(standing(model, dialog.about));
    model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}

/// Returns true if a key counts in the open dialog. Back always counts. Any other key counts only if the
/// dialog has been visible for a while, and never if the key is held.
pub(in crate::update) fn hears(model: &mut Model, press: Press, repeat: bool, at: Timestamp) -> bool {
    let goes_back = model.keys.find(model.scope(), &[press]) == Found::Intents(vec![Intent::Escape]);
    match &mut model.overlay {
        Some(Overlay::Dialog(_)) if goes_back => true,
        Some(Overlay::Dialog(_)) if layout::frame(model.size).width == Width::TooSmall => false,
        Some(Overlay::Dialog(dialog)) => dialog.hears(at) && !repeat,
        _ => true,
    }
}

/// A command of the key table, for the dialog that is open.
pub(in crate::update) fn answer(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
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
            crate::update::editing::edit(model, other);
            return;
        }
    };
    let locked = model.locked();
    let Some(Overlay::Dialog(dialog)) = &mut model.overlay else { return };
    let is_bulk = dialog.about == About::Marked;
    match dialog.react(reaction) {
        Step::Stays => {}
        Step::Closes => model.overlay = None,
        Step::Does(commands) => {
            model.overlay = None;
            match locked {
                Some(why) => toast(model, &format!("could not do that: {why}"), Role::Warn),
                None => {
                    if is_bulk {
                        crate::update::bulk::clear(model);
                    }
                    if commands.iter().any(|command| matches!(command, Command::Fork { .. })) {
                        crate::update::travel::end(model);
                    }
                    crate::update::deciding::hand_over(model, commands, wishes);
                }
            }
        }
    }
}

/// Records the preview of a command.
pub(in crate::update) fn previewed(model: &mut Model, request: u64, outcome: Result<Vec<Event>, Refusal>) {
    if crate::update::what_if::answered(model, request, &outcome) {
        return;
    }
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

/// Closes a dialog whose subject has changed; asks again what the actions of an open menu would do.
pub(in crate::update) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        let (about, stood) = (dialog.about, dialog.stood.clone());
        let now = standing(model, about);
        if stood.as_ref() != Some(&now) {
            model.overlay = None;
            let now = crate::update::deciding::news(model, about).unwrap_or(now);
            toast(model, &format!("closed, nothing was done: meanwhile {now}"), Role::Warn);
        }
    }
    preview_again(model, wishes);
    let is_listing = matches!(model.overlay, Some(Overlay::Menu { .. } | Overlay::Palette(_)));
    let of = model.run().map(|run| (run, model.step(), model.board.seq));
    if !is_listing || model.requests.previews.of == of {
        return;
    }
    model.requests.previews = crate::model::Previews { of, ..Default::default() };
    for intent in ACTIONS {
        match command_for(model, intent) {
            Ok(command) if model.locked().is_none() => {
                let request = model.number();
                model.requests.previews.asked.insert(request, intent);
                wishes.push(Wish::Preview { request, command: Box::new(command) });
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

/// The state of a dialog's subject, in words.
fn standing(model: &Model, about: About) -> String {
    match about {
        About::Run(run) => match model.board.summary(run) {
            Some(summary) if summary.cancelling => format!("{run} is being cancelled"),
            Some(summary) => format!("{run} is {}", summary.state),
            None => format!("{run} is gone"),
        },
        About::Gate(gate) => match model.board.gate(gate) {
            Some(gate_view) => format!(
                "{gate} {} {} {} {}",
                gate_view.state,
                gate_view.epoch(),
                gate_view.hash,
                gate_view.votes.len()
            ),
            None => format!("{gate} is gone"),
        },
        About::Step(run, step) => match model.board.run(run).and_then(|run| run.step(step)) {
            Some(view) => {
                format!("{run} {} is {}, {} calls, {:?}", step.0, view.state, view.calls, view.undo())
            }
            None => format!("{run} is gone"),
        },
        About::MarkedGates => {
            model.gates.marked.keys().map(|gate| standing(model, About::Gate(*gate))).collect()
        }
        About::Nothing => String::new(),
        About::Marked => crate::update::bulk::standing(model),
    }
}

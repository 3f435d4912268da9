//! A dialog opens: the facts it shows, and the state of its subject, which must stay the same while it is open.

use super::consequences::NAMES_MAX;
use crate::{
    About, Danger, Dialog, DialogField, Field, Focus, Intent, Level, Model, Preview, Proof, Role, Wish,
    dialog::state::fact,
    model::Overlay,
    update::{
        command_line::{command_line, run_and_step},
        requests::ask_preview,
    },
};
use cuelight_base::RunId;
use cuelight_engine::{Command, StepState};
use cuelight_plan::{EffectClass, Undo};
use cuelight_projection::partial_words;

/// Opens a dialog and asks what would happen.
pub(super) fn open(model: &mut Model, intent: Intent, command: Command, wishes: &mut Vec<Wish>) {
    let request = ask_preview(model, &command, wishes);
    let (run, step) = run_and_step(model, &command);
    let Some(run) = run else { return };
    let workflow = model.board.summary(run).map_or_else(String::new, |summary| summary.workflow.to_string());
    let step_id = step.and_then(|step| Some(model.board.run(run)?.step_id(step)));
    let mut facts = vec![fact("run", format!("{run} {workflow}"), Role::Text)];
    facts.extend(step_id.clone().map(|id| fact("step", id, Role::Text)));
    facts.extend(about_again(model, run, &command).map(|(name, text)| fact(name, text, Role::Text)));
    if let Some(kept) = cannot_be_undone(model, run).filter(|_| intent.level() >= Level::L3) {
        facts.push(fact("not undone", kept, Role::Warn));
    }
    facts.push(fact("on", format!("{} ({})", model.seat.environment, model.seat.place), Role::Text));
    facts.push(fact("as", model.seat.actor.name.clone(), Role::Text));
    facts.push(fact("same as", command_line(model, &command), Role::Text));
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
pub(crate) fn cannot_be_undone(model: &Model, run: RunId) -> Option<String> {
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
pub(crate) fn show(model: &mut Model, mut dialog: Dialog) {
    dialog.stood = Some(standing(model, dialog.about));
    if dialog.focus == Focus::Back {
        dialog.focus = dialog.first_focus();
    }
    model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}

/// The state of a dialog's subject, in words.
pub(super) fn standing(model: &Model, about: About) -> String {
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
        About::Marked => marked_standing(model),
    }
}

/// The states of all marked runs, in words.
fn marked_standing(model: &Model) -> String {
    let each = model.runs.marked.iter().map(|run| match model.board.summary(*run) {
        Some(summary) => {
            format!("{run} is {}{}", summary.state, if summary.cancelling { ", ending" } else { "" })
        }
        None => format!("{run} is gone"),
    });
    each.collect::<Vec<_>>().join(", ")
}

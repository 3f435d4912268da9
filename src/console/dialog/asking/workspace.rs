//! Requests about a whole workflow or the workspace: fork, hold and reset.

use super::opening::{open, show};
use crate::{
    Dialog, DialogField, Field, Intent, Level, Model, Preview, Proof, Role, Wish,
    dialog::state::fact,
    update::{
        command_line::command_line,
        requests::{ask_preview, submit},
        toasts::toast,
    },
};
use cuelight_base::counted;
use cuelight_engine::{Command, ForkAt};

/// A new run from the instant of the past that is seen.
pub(crate) fn fork(model: &mut Model, wishes: &mut Vec<Wish>) {
    let past = model.past.travel.as_ref().and_then(|travel| travel.history.run());
    let run = model.run().or(past).filter(|run| model.board.run(*run).is_some());
    let Some(run) = run else {
        return toast(model, "could not fork: no run is selected that had begun by then", Role::Warn);
    };
    let (at, by) = (ForkAt::Seq(model.board.seq), model.seat.actor.clone());
    let command = Command::Fork { run, at, by, corrected: None, past: None };
    open(model, Intent::Fork, command, wishes);
    if let Some(why) = model.locked() {
        model.overlay = None;
        toast(model, &format!("could not fork: {why}"), Role::Warn);
    }
}

/// Holds the schedules of a workflow, which asks why; or lets them go, which can be taken back.
pub(crate) fn hold(model: &mut Model, workflow: &str, is_held: bool, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not change the schedule: {why}"), Role::Warn);
    }
    let (by, workflow) = (model.seat.actor.clone(), workflow.to_owned());
    if is_held {
        return submit(model, Command::ReleaseSchedule { workflow, by }, wishes);
    }
    let command = Command::HoldSchedule { workflow: workflow.clone(), reason: String::new(), by };
    let request = ask_preview(model, &command, wishes);
    let facts = vec![
        fact("workflow", workflow.clone(), Role::Text),
        fact("means", "time starts it no more; what is missed meanwhile is not made up for", Role::Text),
        fact("same as", command_line(model, &command), Role::Text),
    ];
    show(
        model,
        Dialog {
            title: format!("Hold the schedule of {workflow}?"),
            verb: "hold".to_owned(),
            facts,
            fields: vec![DialogField::new("reason", true)],
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

/// Clears results that are kept and the lists of what has rested; the command and the environment are typed.
pub(crate) fn reset(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not reset: {why}"), Role::Warn);
    }
    let command = Command::Reset { reason: String::new(), by: model.seat.actor.clone() };
    let request = ask_preview(model, &command, wishes);
    let kept = model.board.cache().all(model.now).count();
    let results = format!("{} that may stand for steps", counted(kept, "result", "results"));
    let rested = model.board.listed().filter(|run| run.state.rests()).count();
    let runs = format!("{} that rested, in lists", counted(rested, "run", "runs"));
    let facts = vec![
        fact("clears", results, Role::Warn),
        fact("", runs, Role::Warn),
        fact("keeps", "what runs, values, tools and their figures, and the whole log", Role::Text),
        fact("same as", command_line(model, &command), Role::Text),
    ];
    let wanted = format!("reset {}", model.seat.environment);
    show(
        model,
        Dialog {
            title: format!("Reset {}?", model.seat.environment),
            verb: "reset".to_owned(),
            facts,
            level: Level::L4,
            proof: Proof::Typed { ask: format!("type  {wanted}"), wanted, field: Field::default() },
            fields: vec![DialogField::new("reason", true)],
            ..Dialog::of(command, Preview::Asked(request))
        },
    );
}

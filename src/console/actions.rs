//! The actions on the selection: the command of each, the reason why one would be refused, and the rows of the menu.

use crate::{
    Intent, Model, Scope, View,
    gates::{
        self,
        state::{RowKey, key_of},
    },
};
use cuelight_base::{RunId, Seq, StepIx};
use cuelight_engine::{Command, FailureNote, RetryFrom, RunState};
use cuelight_plan::OnFailure;
use cuelight_projection::{Attention, ErrorState, RunSummary};

/// The actions that can be asked for a selection.
pub(crate) const ACTIONS: [Intent; 5] =
    [Intent::Pause, Intent::Retry, Intent::Skip, Intent::Compensate, Intent::Cancel];

/// One thing that can be done with the selection.
pub(crate) struct MenuRow {
    pub intent: Intent,
    pub key: String,
    /// Why it would be refused, when that is known.
    pub refused: Option<String>,
}

/// The command of an action on the selection, or the reason why there is none.
pub(crate) fn command_for(model: &Model, intent: Intent) -> Result<Command, String> {
    if matches!(intent, Intent::Acknowledge | Intent::Resolve) {
        return error_command(model, intent);
    }
    let run = model.run().ok_or("no run is selected")?;
    let summary = model.board.summary(run).ok_or("that run is not known any more")?;
    if let Some(why) = at_rest(intent, summary) {
        return Err(why);
    }
    let by = model.seat.actor.clone();
    let reason = String::new();
    Ok(match intent {
        Intent::Pause if summary.state == RunState::Paused => Command::Resume { run, by },
        Intent::Pause => Command::Pause { run, by },
        Intent::Cancel => Command::Cancel { run, by, reason, undo: undoes(model, run) },
        Intent::Retry => Command::Retry { run, from: RetryFrom::Failed, by, corrected: None },
        Intent::Skip => {
            let step = model.step().ok_or("no step is selected; open the graph first")?;
            Command::Skip { run, step, reason, by }
        }
        Intent::Compensate => Command::Undo { run, reason, by },
        _ => return Err("that asks nothing of the engine".to_owned()),
    })
}

/// The reason why a run that has ended, or has not, refuses an action; the engine knows all other reasons.
fn at_rest(intent: Intent, summary: &RunSummary) -> Option<String> {
    let (run, rests) = (summary.id, summary.state.rests());
    match intent {
        Intent::Pause | Intent::Cancel | Intent::Skip if rests => {
            Some(format!("{run} is {} already", summary.state))
        }
        Intent::Compensate if !rests => Some(format!("{run} still goes on; cancel it first")),
        _ => None,
    }
}

/// The command for the failure under the cursor, or the reason why there is none.
pub(crate) fn error_command(model: &Model, intent: Intent) -> Result<Command, String> {
    let error =
        model.selected_error().filter(|_| model.view == View::Errors).ok_or("no failure is selected")?;
    let note = if intent == Intent::Acknowledge { FailureNote::Acknowledge } else { FailureNote::Resolve };
    match &error.state {
        ErrorState::Resolved { fix, .. } => {
            return Err(format!("{} is resolved ({})", error.name(), cuelight_base::safe_text(&fix.words())));
        }
        ErrorState::Retrying(_) => return Err(format!("{} is tried again by itself", error.name())),
        ErrorState::Open => {}
    }
    if let Some(said) = error.acknowledged.as_ref().filter(|_| note == FailureNote::Acknowledge) {
        let by = cuelight_base::safe_text(&said.by.to_string());
        return Err(format!("{} is looked after by {by} already", error.name()));
    }
    Ok(Command::NoteFailure {
        run: error.run,
        step: error.step,
        of_undo: error.of_undo,
        note,
        reason: String::new(),
        by: model.seat.actor.clone(),
    })
}

/// True if cancelling a run undoes its completed steps.
pub(crate) fn undoes(model: &Model, run: RunId) -> bool {
    model.board.run(run).is_some_and(|run| run.plan.on_failure == OnFailure::Compensate)
}

/// Why an action or an answer would be refused now, as far as that is known.
pub(crate) fn refusal(model: &Model, intent: Intent) -> Option<String> {
    if gates::answers::ANSWERS.contains(&intent) {
        return gates::answers::refusal(model, intent);
    }
    if matches!(intent, Intent::Acknowledge | Intent::Resolve) {
        return model.locked().or_else(|| command_for(model, intent).err());
    }
    let previews = &model.requests.previews;
    let known = previews.known.get(&intent).filter(|_| previews.of == previewed_now(model));
    known.and_then(|preview| preview.clone().err())
}

/// The selection at this event: a preview tells nothing about any other.
pub(crate) fn previewed_now(model: &Model) -> Option<(RunId, Option<StepIx>, Seq)> {
    model.run().map(|run| (run, model.step(), model.board.seq))
}

/// The words for a refused action: those of the engine where it names the action, else its reason after the verb.
pub(crate) fn could_not(verb: &str, why: &str) -> String {
    match why.strip_prefix("could not do that here: ") {
        None if why.starts_with("could not ") => why.to_owned(),
        reason => format!("could not {verb}: {}", reason.unwrap_or(why)),
    }
}

/// The rows of the menu in this view.
pub(crate) fn rows_of_menu(model: &Model) -> Vec<MenuRow> {
    let shows = |intent: &Intent| match intent {
        Intent::Skip => model.view == View::Dag,
        Intent::Acknowledge | Intent::Resolve => model.view == View::Errors,
        Intent::Pause | Intent::Retry | Intent::Compensate | Intent::Cancel if model.view == View::Gates => {
            false
        }
        Intent::Compensate | Intent::Pause | Intent::Retry | Intent::Cancel => model.run().is_some(),
        _ => true,
    };
    let looking = [Intent::Open, Intent::Why];
    let taking = [Intent::CopyId, Intent::CommandLog, Intent::Export];
    let mut answering = gates::answers::offered(model);
    let at_gate = gate_here(model).filter(|_| model.view != View::Gates);
    answering.extend(at_gate.iter().flat_map(|_| [Intent::Approve, Intent::Reject]));
    let notes = [Intent::Acknowledge, Intent::Resolve];
    let rows = answering.into_iter().chain(notes).chain(looking).chain(ACTIONS).chain(taking).filter(shows);
    rows.map(|intent| {
        let is_at_gate = at_gate.is_some() && gates::answers::ANSWERS.contains(&intent);
        let scope = if is_at_gate { Scope::Gates } else { model.view.scope() };
        let key = model.keys.keys_of(scope, intent).unwrap_or_default();
        MenuRow { intent, key, refused: if is_at_gate { model.locked() } else { refusal(model, intent) } }
    })
    .collect()
}

/// The open gate of the selected step, or of the selected run where no step is selected.
pub(crate) fn gate_here(model: &Model) -> Option<RowKey> {
    let (run, step) = (model.run()?, model.step());
    let fits = |row: &RowKey| {
        matches!(row.0, Attention::Gate(_)) && row.1 == run && step.is_none_or(|step| step == row.2)
    };
    let rows = model.board.inbox(Some((&model.seat.actor, model.now)));
    rows.iter().map(key_of).find(fits)
}

/// The open gate to answer from here: that of the selection, else the one that is the most urgent.
pub(crate) fn gate_to_answer(model: &Model) -> Option<RowKey> {
    let rows = || model.board.inbox(Some((&model.seat.actor, model.now)));
    let any = || rows().iter().map(key_of).find(|row| matches!(row.0, Attention::Gate(_)));
    gate_here(model).or_else(any)
}

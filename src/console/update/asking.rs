//! Requests to the engine: by key, palette or menu, through a dialog where the level wants one. Also the undo of the
//! last request.

mod command_line;
mod consequences;
mod dialogs;
mod workspace;

pub(crate) use command_line::command_line;
pub(crate) use consequences::consequences;
pub(super) use dialogs::{answer, cannot_be_undone, hears, previewed, refresh, show};
pub(super) use workspace::{fork, hold, reset};

use super::toast;
use crate::{
    Intent, Level, Model, Role, Wish,
    dialog::set_reason,
    model::{Asked, Pending},
};
use command_line::quoted;
use cuelight_base::{RunId, StepIx};
use cuelight_engine::{Command, FailureNote, RetryFrom, RunState};
use cuelight_plan::OnFailure;
use dialogs::open;

/// The actions that can be asked for a selection.
pub(super) const ACTIONS: [Intent; 5] =
    [Intent::Pause, Intent::Retry, Intent::Skip, Intent::Compensate, Intent::Cancel];
/// The number of requests that `@` shows.
const ASKED_MAX: usize = 200;

/// A key for an action: at once when it can be taken back, else a dialog.
pub(super) fn ask(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        toast(model, &format!("could not {}: {why}", intent.short()), Role::Warn);
        return;
    }
    if super::bulk::concerns(model, intent) {
        return super::bulk::ask(model, intent);
    }
    if intent == Intent::Skip && super::gates::shows_instead(model) {
        return toast(model, "a gate is approved by override: read it to its end, then S", Role::Info);
    }
    let command = match command_for(model, intent) {
        Ok(command) => command,
        Err(why) => return toast(model, &format!("could not {}: {why}", intent.short()), Role::Warn),
    };
    if intent.level() <= Level::L1 {
        submit(model, command, wishes);
    } else {
        open(model, intent, command, wishes);
    }
}

/// The command of an action on the selection, or the reason why there is none.
pub(super) fn command_for(model: &Model, intent: Intent) -> Result<Command, String> {
    if matches!(intent, Intent::Acknowledge | Intent::Resolve) {
        return super::errors::command_for(model, intent);
    }
    let run = model.run().ok_or("no run is selected")?;
    let summary = model.board.summary(run).ok_or("that run is not known any more")?;
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

/// True if cancelling a run undoes its completed steps.
pub(super) fn undoes(model: &Model, run: RunId) -> bool {
    model.board.run(run).is_some_and(|run| run.plan.on_failure == OnFailure::Compensate)
}

/// Hands a command over, and remembers that it is on its way.
pub(super) fn submit(model: &mut Model, command: Command, wishes: &mut Vec<Wish>) {
    let request = model.number();
    let inverse = match &command {
        Command::Pause { run, by } => Some(Command::Resume { run: *run, by: by.clone() }),
        Command::Resume { run, by } => Some(Command::Pause { run: *run, by: by.clone() }),
        Command::NoteFailure {
            run,
            step,
            of_undo,
            note: FailureNote::Acknowledge | FailureNote::Resolve,
            by,
            ..
        } => Some(Command::NoteFailure {
            run: *run,
            step: *step,
            of_undo: *of_undo,
            note: FailureNote::Reopen,
            reason: String::new(),
            by: by.clone(),
        }),
        _ => None,
    };
    let line = command_line(model, &command);
    let words = line.trim_start_matches("cuelight ").split(" --").next().unwrap_or("").to_owned();
    let (run, _) = run_and_step(model, &command);
    model.requests.undo = None;
    note_asked(model, request, line);
    super::gates::sent(model, request, &command);
    model.requests.pending.insert(request, Pending { run, words, inverse });
    wishes.push(Wish::Submit { request, command: Box::new(command) });
}

/// Starts a workflow with inputs as they were typed; false when it cannot be asked for.
pub(super) fn launch(
    model: &mut Model,
    path: &str,
    inputs: Vec<(String, String)>,
    wishes: &mut Vec<Wish>,
) -> bool {
    if let Some(why) = model.locked() {
        toast(model, &format!("could not start: {why}"), Role::Warn);
        return false;
    }
    let request = model.number();
    let mut line = format!("cuelight run {}", quoted(path));
    for (key, value) in &inputs {
        line.push_str(" -i ");
        line.push_str(&quoted(&format!("{key}={value}")));
    }
    note_asked(model, request, line);
    let pending = Pending { run: None, words: format!("run {path}"), inverse: None };
    model.requests.pending.insert(request, pending);
    wishes.push(Wish::Launch { request, path: path.to_owned(), words: inputs });
    true
}

/// `u`: undoes the last command, where that is still possible.
pub(super) fn take_back(model: &mut Model, wishes: &mut Vec<Wish>) {
    match model.requests.undo.take() {
        Some(undo) if model.locked().is_none() => {
            toast(model, &format!("undoing: {}", undo.words), Role::Info);
            submit(model, undo.command, wishes);
        }
        _ => {
            toast(model, "nothing to undo: only a command of the last ten seconds can be undone", Role::Info)
        }
    }
}

/// Asks what a command would do. Its reason is typed later, so the question has one that stands for it.
pub(super) fn ask_preview(model: &mut Model, command: &Command, wishes: &mut Vec<Wish>) -> u64 {
    let request = model.number();
    let mut command = Box::new(command.clone());
    set_reason(&mut command, "it is typed before this is sent");
    wishes.push(Wish::Preview { request, command });
    request
}

/// The run and step a command is about.
fn run_and_step(model: &Model, command: &Command) -> (Option<RunId>, Option<StepIx>) {
    match command {
        Command::Pause { run, .. }
        | Command::Resume { run, .. }
        | Command::Cancel { run, .. }
        | Command::Retry { run, .. }
        | Command::Fork { run, .. }
        | Command::Undo { run, .. } => (Some(*run), None),
        Command::NoteFailure { run, step, .. } => (Some(*run), *step),
        Command::Skip { run, step, .. }
        | Command::Done { run, step, .. }
        | Command::AnswerDoubt { run, step, .. }
        | Command::SettleUndo { run, step, .. } => (Some(*run), Some(*step)),
        Command::Decide(decision) => gate_of(model, decision.gate),
        Command::Withdraw { gate, .. }
        | Command::EditForm { gate, .. }
        | Command::Comment { gate, .. }
        | Command::Delegate { gate, .. }
        | Command::ReviewGlass { gate, .. }
        | Command::NoteRefusal { gate, .. } => gate_of(model, *gate),
        Command::Launch(_)
        | Command::HoldSchedule { .. }
        | Command::ReleaseSchedule { .. }
        | Command::SetValue { .. }
        | Command::ClearCache { .. }
        | Command::Reset { .. }
        | Command::Publish { .. }
        | Command::RevokeToken { .. }
        | Command::HandIn { .. }
        | Command::Learn { .. }
        | Command::Agent { .. }
        | Command::DeclareTopics { .. }
        | Command::DeclarePeople { .. }
        | Command::NoteRejected { .. }
        | Command::AttemptEnded { .. }
        | Command::AttemptLost { .. }
        | Command::FactsFetched { .. }
        | Command::Wake
        | Command::Stalled
        | Command::Recover { .. } => (None, None),
    }
}

fn gate_of(model: &Model, gate: cuelight_base::GateId) -> (Option<RunId>, Option<StepIx>) {
    model.board.gate(gate).map_or((None, None), |gate| (Some(gate.run), Some(gate.step)))
}

fn note_asked(model: &mut Model, request: u64, command_line: String) {
    if model.requests.asked.len() == ASKED_MAX {
        model.requests.asked.remove(0);
    }
    let asked = Asked { request, at: model.clock, command_line, outcome: "recording".to_owned() };
    model.requests.asked.push(asked);
}

//! Requests to the engine: each is sent with its command line noted, and the last one can be undone. No view is known
//! here.

use super::{
    command_line::{command_line, quoted, run_and_step},
    toasts::toast,
};
use crate::{
    Model, Role, Wish,
    dialog::state::set_reason,
    model::{Asked, Pending},
};
use cuelight_engine::{Command, FailureNote};
use cuelight_projection::Attention;

/// The number of requests that `@` shows.
const ASKED_MAX: usize = 200;

/// Hands a command over, and remembers that it is on its way.
pub(crate) fn submit(model: &mut Model, command: Command, wishes: &mut Vec<Wish>) {
    let request = model.requests.number();
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
    note_sent(model, request, &command);
    model.requests.pending.insert(request, Pending { run, words, inverse });
    wishes.push(Wish::Submit { request, command: Box::new(command) });
}

/// Starts a workflow with inputs as they were typed; false when it cannot be asked for.
pub(crate) fn launch(
    model: &mut Model,
    path: &str,
    inputs: Vec<(String, String)>,
    wishes: &mut Vec<Wish>,
) -> bool {
    if let Some(why) = model.locked() {
        toast(model, &format!("could not start: {why}"), Role::Warn);
        return false;
    }
    let request = model.requests.number();
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
pub(crate) fn take_back(model: &mut Model, wishes: &mut Vec<Wish>) {
    match model.requests.undo.take() {
        Some(undo) if model.locked().is_none() => {
            toast(model, &format!("undoing: {}", undo.words), Role::Info);
            submit(model, undo.command, wishes);
        }
        _ => toast(
            model,
            "nothing to undo: a command can be undone for ten seconds, an answer within the undo window of its gate",
            Role::Info,
        ),
    }
}

/// Asks what a command would do. Its reason is typed later, so the question has one that stands for it.
pub(crate) fn ask_preview(model: &mut Model, command: &Command, wishes: &mut Vec<Wish>) -> u64 {
    let request = model.requests.number();
    let mut command = Box::new(command.clone());
    set_reason(&mut command, "it is typed before this is sent");
    wishes.push(Wish::Preview { request, command });
    request
}

fn note_asked(model: &mut Model, request: u64, command_line: String) {
    if model.requests.asked.len() == ASKED_MAX {
        model.requests.asked.remove(0);
    }
    let asked = Asked { request, at: model.clock, command_line, outcome: "recording".to_owned() };
    model.requests.asked.push(asked);
}

/// Remembers the row that a command on its way is about.
fn note_sent(model: &mut Model, request: u64, command: &Command) {
    let key = match command {
        Command::AnswerDoubt { run, step, .. } => Some((Attention::Doubt, *run, *step)),
        Command::SettleUndo { run, step, .. } => Some((Attention::StuckUndo, *run, *step)),
        Command::ReviewGlass { gate, epoch, .. } => {
            model.board.gate(*gate).map(|gate| (Attention::Review(gate.id, *epoch), gate.run, gate.step))
        }
        other => other
            .gate()
            .and_then(|gate| model.board.gate(gate))
            .map(|gate| (Attention::Gate(gate.id), gate.run, gate.step)),
    };
    if let Some(key) = key {
        model.gates.sent.insert(request, key);
    }
}

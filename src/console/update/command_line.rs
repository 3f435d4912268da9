//! The command line that does the same as a command of the console.

use crate::{Model, dialog::state::plain};
use cuelight_base::{GateId, RunId, StepIx, Value};
use cuelight_engine::{Command, Correction, Decision, FailureNote, ForkAt, Verdict};

/// The command line that asks the same.
pub(crate) fn command_line(model: &Model, command: &Command) -> String {
    let step = |run: &RunId, step: &StepIx| step_word(model, *run, *step);
    let why = |reason: &String| why_words(reason);
    let rest = match command {
        Command::Pause { run, .. } => format!("run pause {run}"),
        Command::Resume { run, .. } => format!("run resume {run}"),
        Command::Cancel { run, reason, .. } => format!("cancel {run}{}", why(reason)),
        Command::Retry { run, from, corrected, .. } => {
            format!("retry {run} --from {}{}", from.word(), corrected_words(corrected.as_deref()))
        }
        Command::Fork { run, at, corrected, .. } => {
            let at = match at {
                ForkAt::Seq(seq) => seq.to_string(),
                ForkAt::Step(step) => quoted(step),
            };
            format!("run fork {run} --at {at}{}", corrected_words(corrected.as_deref()))
        }
        Command::Skip { run, step: index, reason, .. } => {
            format!("run skip {run} {}{}", step(run, index), why(reason))
        }
        Command::Undo { run, reason, .. } => format!("run undo {run}{}", why(reason)),
        Command::Done { run, step: index, reason, .. } => {
            format!("run done {run} {}{}", step(run, index), why(reason))
        }
        Command::Decide(decision) => answer_line(model, decision),
        Command::Delegate { gate, to, lasts, reason, .. } => {
            let lasts = lasts.map_or_else(String::new, |lasts| format!(" --for {lasts}"));
            format!("gate delegate {gate} --to {}{lasts}{}", quoted(to), why(reason))
        }
        Command::ReviewGlass { gate, epoch, reason, .. } => {
            format!("gate review {gate} --epoch {epoch}{}", why(reason))
        }
        Command::Withdraw { gate, .. } => format!("gate withdraw {gate}"),
        Command::EditForm { gate, .. } => {
            format!("gates --show {gate}   # its form was edited in the console")
        }
        Command::Comment { gate, text, .. } => format!("gate comment {gate} {}", quoted(text)),
        Command::AnswerDoubt { run, step: index, .. } | Command::SettleUndo { run, step: index, .. } => {
            format!("show {run}   # {} was answered in the console", step(run, index))
        }
        Command::NoteFailure { run, step, of_undo, note, reason, .. } => {
            let id = step.and_then(|step| Some(model.board.run(*run)?.step_id(step))).unwrap_or_default();
            let known = model.board.error_of(*run, &id, *of_undo);
            let verb = if *note == FailureNote::Acknowledge { "ack" } else { note.word() };
            format!("error {verb} {}{}", known.map_or_else(String::new, |error| error.name()), why(reason))
        }
        Command::HoldSchedule { workflow, reason, .. } => {
            format!("schedule hold {}{}", quoted(workflow), why(reason))
        }
        Command::ReleaseSchedule { workflow, .. } => format!("schedule release {}", quoted(workflow)),
        Command::SetValue { value, .. } => match &value.value {
            Some(text) => format!("state set {} {}", quoted(&value.key), quoted(&text.to_string())),
            None => format!("state remove {}", quoted(&value.key)),
        },
        Command::Reset { reason, .. } => {
            let environment = quoted(&model.seat.environment);
            format!("engine reset --environment {environment}{}", why(reason))
        }
        Command::Publish { message, .. } => {
            format!("event emit {} --data {}", quoted(&message.topic), quoted(&message.data.to_string()))
        }
        Command::RevokeToken { token, reason, .. } => {
            format!("token revoke {}{}", quoted(&token.id), why(reason))
        }
        Command::Learn { knowledge, .. } => format!("agent knowledge add {}", quoted(&knowledge.text)),
        Command::HandIn { result, .. } => format!("agent results show {}", quoted(&result.id)),
        Command::Agent { .. } => "agent".to_owned(),
        Command::ClearCache { key, .. } => {
            format!("cache clear{}", key.as_ref().map_or_else(String::new, |key| format!(" {}", quoted(key))))
        }
        Command::Launch(_)
        | Command::DeclareTopics { .. }
        | Command::DeclarePeople { .. }
        | Command::NoteRejected { .. }
        | Command::AttemptEnded { .. }
        | Command::AttemptLost { .. }
        | Command::FactsFetched { .. }
        | Command::Wake
        | Command::Stalled
        | Command::Recover { .. }
        | Command::NoteRefusal { .. } => "runs".to_owned(),
    };
    format!("cuelight {rest}")
}

/// The run and step a command is about; for a command at a gate, those of the gate.
pub(crate) fn run_and_step(model: &Model, command: &Command) -> (Option<RunId>, Option<StepIx>) {
    if let Some(gate) = command.gate() {
        return gate_of(model, gate);
    }
    let step = match command {
        Command::NoteFailure { step, .. } => *step,
        Command::Skip { step, .. }
        | Command::Done { step, .. }
        | Command::AnswerDoubt { step, .. }
        | Command::SettleUndo { step, .. } => Some(*step),
        _ => None,
    };
    (command.run(), step)
}

fn gate_of(model: &Model, gate: GateId) -> (Option<RunId>, Option<StepIx>) {
    model.board.gate(gate).map(|gate| (gate.run, gate.step)).unzip()
}

/// The command line of an answer at a gate.
fn answer_line(model: &Model, decision: &Decision) -> String {
    let verb = match decision.verdict {
        Verdict::SendBack => "gate send-back",
        verdict => verdict.word(),
    };
    let alone = if decision.break_glass { " --break-glass" } else { "" };
    let field = |(name, value): (&String, &Value)| match value {
        Value::Null => format!(" --leave {}", quoted(name)),
        value => format!(" --set {}", quoted(&format!("{name}={}", plain(value)))),
    };
    let form: String = decision.form.iter().map(field).collect();
    match gate_of(model, decision.gate) {
        (Some(run), Some(at)) if decision.overrides => {
            format!("run skip {run} {}{form}{}", step_word(model, run, at), why_words(&decision.reason))
        }
        _ => format!("{verb} {}{alone}{form}{}", decision.gate, why_words(&decision.reason)),
    }
}

/// The name of a step, as a word for a shell.
fn step_word(model: &Model, run: RunId, step: StepIx) -> String {
    quoted(&model.board.run(run).map_or_else(|| format!("{}", step.0), |run| run.step_id(step)))
}

/// `--reason TEXT`, where there is one.
fn why_words(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" --reason {}", quoted(reason)) }
}

/// The correction as options of the command line.
fn corrected_words(corrected: Option<&Correction>) -> String {
    let Some(corrected) = corrected else { return String::new() };
    let file = corrected.file.iter().map(|file| format!(" --file {}", quoted(file)));
    let inputs =
        corrected.words.iter().map(|(key, text)| format!(" -i {}", quoted(&format!("{key}={text}"))));
    file.chain(inputs).collect()
}

/// A word for a shell: as it is when nothing in it is special.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

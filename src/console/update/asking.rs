//! Asking something of the engine: by key, palette or menu, through a dialog where the level wants one. Also what would
//! happen, why it would be refused, and what was asked, as the command line that does the same.

use super::toast;
use crate::{
    About, Danger, Dialog, DialogFact, DialogField, Field, Intent, Level, Model, Press, Preview, Proof,
    Reaction, Role, Width, Wish,
    dialog::{Step, plain, set_reason},
    keymap::Found,
    layout,
    model::{Asked, Overlay, Pending},
};
use cuelight_base::{RunId, StepIx, Timestamp, Value, counted};
use cuelight_engine::{
    AttemptEvent, Command, Correction, Decision, Event, Fact, FailureNote, ForkAt, GateEvent, Purpose,
    Refusal, RetryFrom, RunEvent, RunState, StepEvent, StepState, UndoEvent, Verdict,
};
use cuelight_plan::{EffectClass, OnFailure, Undo};
use cuelight_projection::{RunView, asked_anew, partial_words};

/// The actions that can be asked for a selection.
pub(super) const ACTIONS: [Intent; 5] =
    [Intent::Pause, Intent::Retry, Intent::Skip, Intent::Compensate, Intent::Cancel];
/// The number of requests that `@` shows.
const ASKED_MAX: usize = 200;
/// Names of steps in one line of a preview.
const NAMES_MAX: usize = 4;

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
        return toast(
            model,
            "a gate is closed by hand by an override: read it to its end, then S",
            Role::Info,
        );
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

/// A new run from the instant of the past that is seen.
pub(super) fn fork(model: &mut Model, wishes: &mut Vec<Wish>) {
    let past = model.travel.as_ref().and_then(|travel| travel.history.run());
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
pub(super) fn hold(model: &mut Model, workflow: &str, is_held: bool, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not change the schedule: {why}"), Role::Warn);
    }
    let (by, workflow) = (model.seat.actor.clone(), workflow.to_owned());
    if is_held {
        return submit(model, Command::ReleaseSchedule { workflow, by }, wishes);
    }
    let command = Command::HoldSchedule { workflow: workflow.clone(), reason: String::new(), by };
    let request = ask_preview(model, &command, wishes);
    let fact =
        |name: &str, text: String| DialogFact { name: name.to_owned(), text, role: Role::Text, stays: false };
    let facts = vec![
        fact("workflow", workflow.clone()),
        fact("means", "time starts it no more; what is missed meanwhile is not made up for".to_owned()),
        fact("same as", command_line(model, &command)),
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
pub(super) fn reset(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(why) = model.locked() {
        return toast(model, &format!("could not reset: {why}"), Role::Warn);
    }
    let command = Command::Reset { reason: String::new(), by: model.seat.actor.clone() };
    let request = ask_preview(model, &command, wishes);
    let fact =
        |name: &str, text: String, role: Role| DialogFact { name: name.to_owned(), text, role, stays: false };
    let kept = model.board.cache().all(model.now).count();
    let results = format!("{} that may stand for steps", counted(kept, "result", "results"));
    let rested = model.board.listed().filter(|run| run.state.rests()).count();
    let runs = format!("{} that rested, in lists", counted(rested, "run", "runs"));
    let facts = vec![
        fact("clears", results, Role::Warn),
        fact("", runs, Role::Warn),
        fact("keeps", "what runs, values, tools and their figures, and the whole log".to_owned(), Role::Text),
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
    model.undo = None;
    note_asked(model, request, line);
    super::gates::sent(model, request, &command);
    model.pending.insert(request, Pending { run, words, inverse });
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
    model.pending.insert(request, pending);
    wishes.push(Wish::Launch { request, path: path.to_owned(), words: inputs });
    true
}

/// `u`: undoes the last command, where that is still possible.
pub(super) fn take_back(model: &mut Model, wishes: &mut Vec<Wish>) {
    match model.undo.take() {
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

/// Opens a dialog and asks what would happen.
fn open(model: &mut Model, intent: Intent, command: Command, wishes: &mut Vec<Wish>) {
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
        Command::Retry { .. } => {
            let partial = model.board.run(run)?.partial.clone()?;
            Some(("so far", partial_words(&partial)))
        }
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

/// Steps that are done and cannot be taken back.
pub(super) fn cannot_be_undone(model: &Model, run: RunId) -> Option<String> {
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
pub(super) fn show(model: &mut Model, mut dialog: Dialog) {
    dialog.stood = Some(standing(model, dialog.about));
    model.overlay = Some(Overlay::Dialog(Box::new(dialog)));
}

/// Returns true if a key counts in the open dialog. Back always counts. Any other key counts only if the
/// dialog has been visible for a while, and never if the key is held.
pub(super) fn hears(model: &mut Model, press: Press, repeat: bool, at: Timestamp) -> bool {
    let goes_back = model.keys.find(model.scope(), &[press]) == Found::Intents(vec![Intent::Escape]);
    match &mut model.overlay {
        Some(Overlay::Dialog(_)) if goes_back => true,
        Some(Overlay::Dialog(_)) if layout::frame(model.size).width == Width::TooSmall => false,
        Some(Overlay::Dialog(dialog)) => dialog.hears(at) && !repeat,
        _ => true,
    }
}

/// A command of the key table, for the dialog that is open.
pub(super) fn answer(model: &mut Model, intent: Intent, wishes: &mut Vec<Wish>) {
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
            super::editing::edit(model, other);
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
                        super::bulk::clear(model);
                    }
                    if commands.iter().any(|command| matches!(command, Command::Fork { .. })) {
                        super::travel::end(model);
                    }
                    super::deciding::hand_over(model, commands, wishes);
                }
            }
        }
    }
}

/// Records the preview of a command.
pub(super) fn previewed(model: &mut Model, request: u64, outcome: Result<Vec<Event>, Refusal>) {
    if super::what_if::answered(model, request, &outcome) {
        return;
    }
    if let Some(intent) = model.previews.asked.remove(&request) {
        model.previews.known.insert(intent, outcome.map(|_| ()).map_err(|error| error.to_string()));
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
    if let Some(Overlay::Dialog(dialog)) = &mut model.overlay {
        dialog.preview = match outcome {
            Ok(events) => Preview::Known(consequences(&events, run.as_deref())),
            Err(refusal) => Preview::Refused(refusal.to_string()),
        };
    }
}

/// Closes a dialog whose subject has changed; asks anew what the actions of an open menu would do.
pub(super) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if let Some(Overlay::Dialog(dialog)) = &model.overlay {
        let (about, stood) = (dialog.about, dialog.stood.clone());
        let now = standing(model, about);
        if stood.as_ref() != Some(&now) {
            model.overlay = None;
            let now = super::deciding::news(model, about).unwrap_or(now);
            toast(model, &format!("closed, nothing was done: meanwhile {now}"), Role::Warn);
        }
    }
    preview_again(model, wishes);
    let is_listing = matches!(model.overlay, Some(Overlay::Menu { .. } | Overlay::Palette(_)));
    let of = model.run().map(|run| (run, model.step(), model.board.seq));
    if !is_listing || model.previews.of == of {
        return;
    }
    model.previews = crate::model::Previews { of, ..Default::default() };
    for intent in ACTIONS {
        match command_for(model, intent) {
            Ok(command) if model.locked().is_none() => {
                let request = model.number();
                model.previews.asked.insert(request, intent);
                wishes.push(Wish::Preview { request, command: Box::new(command) });
            }
            Ok(_) => {
                let why = model.locked().unwrap_or_default();
                model.previews.known.insert(intent, Err(why));
            }
            Err(why) => {
                model.previews.known.insert(intent, Err(why));
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
        About::Marked => super::bulk::standing(model),
    }
}

/// The consequences of events for people: a few lines, the gravest first.
pub(crate) fn consequences(events: &[Event], run: Option<&RunView>) -> Vec<String> {
    let mut lists: [(&str, Vec<String>); 7] = [
        ("stops", vec![]),
        ("undoes", vec![]),
        ("skips", vec![]),
        ("keeps", vec![]),
        ("asks at", vec![]),
        ("starts", vec![]),
        ("closes", vec![]),
    ];
    let mut ends = Vec::new();
    // A run that begins has its own steps.
    let begins = events.iter().find_map(|event| match &event.fact {
        Fact::Run(id, RunEvent::Created { plan, .. }) => Some((*id, plan)),
        _ => None,
    });
    let is_called_again = |step: StepIx| {
        let again =
            |event: &Event| matches!(&event.fact, Fact::Undo(_, of, UndoEvent::Again { .. }) if *of == step);
        events.iter().any(again)
    };
    for event in events {
        let new = begins.filter(|(id, _)| event.fact.run() == Some(*id));
        let step = |step: StepIx| {
            let planned = new.and_then(|(_, plan)| Some(plan.steps.get(step.index())?.id.clone()));
            let known = || run.map_or_else(|| format!("step {}", step.0), |run| run.step_id(step));
            planned.unwrap_or_else(known)
        };
        match &event.fact {
            Fact::Step(_, index, StepEvent::Cancelled { .. } | StepEvent::Ending { .. }) => {
                lists[0].1.push(step(*index));
            }
            Fact::Attempt(_, index, _, AttemptEvent::Started { purpose: Purpose::Undo, .. }) => {
                lists[1].1.extend((!is_called_again(*index)).then(|| step(*index)));
            }
            Fact::Undo(_, index, UndoEvent::Again { .. }) => {
                ends.push(format!("runs the undo of {} again", step(*index)))
            }
            Fact::Undo(_, index, UndoEvent::Done { by: Some(_) }) => {
                ends.push(format!("marks {} as undone, and calls nothing for it", step(*index)));
            }
            Fact::Undo(_, index, _) => lists[1].1.push(step(*index)),
            Fact::Step(_, index, StepEvent::Skipped { .. }) => lists[2].1.push(step(*index)),
            Fact::Step(_, index, StepEvent::Completed { kept: true, .. }) => lists[3].1.push(step(*index)),
            Fact::Gate(_, index, _, GateEvent::Asked { .. }) if new.is_some() => {
                lists[4].1.push(step(*index))
            }
            Fact::Attempt(_, index, _, AttemptEvent::Started { .. }) => lists[5].1.push(step(*index)),
            Fact::Gate(_, _, gate, GateEvent::Armed { until }) => {
                ends.push(format!("nothing yet; {gate} is approved in {}", until.since(event.at)));
            }
            Fact::Gate(_, _, gate, GateEvent::Resolved { .. }) => lists[6].1.push(gate.to_string()),
            Fact::Run(id, RunEvent::Created { .. }) => ends.push(format!("a new run {id} begins")),
            Fact::Run(_, RunEvent::Ended { state, .. }) => ends.push(format!("the run ends: {state}")),
            Fact::Run(_, RunEvent::Cancelling { .. }) => ends.push("what runs is asked to end".to_owned()),
            _ => {}
        }
    }
    let mut lines = run.map(|run| asked_anew(run, events)).unwrap_or_default();
    for (verb, names) in &mut lists {
        names.dedup();
        if !names.is_empty() {
            let rest = names.len().saturating_sub(NAMES_MAX);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            names.truncate(NAMES_MAX);
            lines.push(format!("{verb} {}{more}", names.join(", ")));
        }
    }
    lines.extend(ends);
    if lines.is_empty() { vec!["no step starts or ends".to_owned()] } else { lines }
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
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn note_asked(model: &mut Model, request: u64, command_line: String) {
    if model.asked.len() == ASKED_MAX {
        model.asked.remove(0);
    }
    let asked = Asked { request, at: model.clock, command_line, outcome: "recording".to_owned() };
    model.asked.push(asked);
}

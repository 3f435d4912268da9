//! `errors`: what failed, one by one or as a list, and what people say of it. Looking needs no engine.

use super::{act, named};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{StepIx, counted, output_line, safe_text};
use cuelight_engine::{Command, FailureNote};
use cuelight_projection::{Board, ErrorAnswer, ErrorState, ErrorView, StepView, UndoState, settle_command};
use cuelight_runtime::Desk;
use std::{process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ErrorsArgs {
    #[command(subcommand)]
    pub(super) what: Option<OnError>,
    #[command(flatten)]
    pub(super) list: ErrorsListArgs,
}

#[derive(Debug, Args)]
pub(super) struct ErrorsListArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Only failures of one run: r-7
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Include resolved failures
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum OnError {
    /// List open failures, oldest first
    #[command(after_help = "Example: cuelight error list --run r-7")]
    List(ErrorsListArgs),
    /// Show one failure with its attempts, its output and earlier fixes
    #[command(after_help = "Example: cuelight error show e-412")]
    Show {
        /// The failure: e-412
        error: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Record that you work on a failure
    #[command(after_help = "Example: cuelight error ack e-412 --reason \"looking at the proxy\"")]
    Ack(NoteArgs),
    /// Record that a failure is fixed
    #[command(after_help = "Example: cuelight error resolve e-412 --reason \"the proxy was restarted\"")]
    Resolve(NoteArgs),
    /// Open a failure again
    #[command(after_help = "Example: cuelight error reopen e-412 --reason \"it is back\"")]
    Reopen(NoteArgs),
}

#[derive(Debug, Args)]
pub(super) struct NoteArgs {
    /// The failure: e-412
    pub(super) error: String,
    /// More about it
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

/// Lines of output that are shown of one failure.
const TAIL_LINES: usize = 40;

pub(super) async fn errors(config: &Config, out: Output, args: ErrorsArgs) -> Outcome {
    match args.what {
        None => list(config, out, &args.list).await,
        Some(OnError::List(args)) => list(config, out, &args).await,
        Some(OnError::Show { error, json }) => show(config, out, &error, json).await,
        Some(OnError::Ack(args)) => note(config, out, args, FailureNote::Acknowledge).await,
        Some(OnError::Resolve(args)) => note(config, out, args, FailureNote::Resolve).await,
        Some(OnError::Reopen(args)) => note(config, out, args, FailureNote::Reopen).await,
    }
}

async fn list(config: &Config, out: Output, args: &ErrorsListArgs) -> Outcome {
    let (seat, run) = match args.run.as_deref() {
        Some(run) => named::look_at(config, run).await.map(|(seat, run)| (seat, Some(run)))?,
        None => (wiring::look(config).await?, None),
    };
    let board = Arc::clone(&seat.desk.boards().borrow().board);
    seat.leave().await;
    let wanted =
        |error: &&Arc<ErrorView>| (args.all || error.is_open()) && run.is_none_or(|run| error.run == run);
    let errors: Vec<&Arc<ErrorView>> = board.errors().filter(wanted).collect();
    if args.json {
        out.json_pretty(&errors.iter().map(|error| ErrorAnswer::of(error)).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if errors.is_empty() {
        let all = if args.all { "" } else { "; --all lists resolved ones" };
        out.line(&format!("no open failures{all}"));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = errors.iter().map(|error| row(error)).collect();
    out.table(&["ERROR", "TIME", "SEVERITY", "MODE", "RUN", "STEP", "ATTEMPT", "STATE", "MESSAGE"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn row(error: &ErrorView) -> Vec<String> {
    let tries = if error.attempt == 0 {
        String::new()
    } else {
        format!("{}/{}", error.attempt, error.attempts_max.max(error.attempt))
    };
    vec![
        error.name(),
        error.at.clock(),
        error.record.severity.to_string(),
        error.record.mode.label(),
        error.run.to_string(),
        step_word(error),
        tries,
        error.state_word().to_owned(),
        safe_text(&error.record.message),
    ]
}

fn step_word(error: &ErrorView) -> String {
    let undo = if error.of_undo { " (undo)" } else { "" };
    format!("{}/{}{undo}", safe_text(&error.workflow), safe_text(&error.step_id))
}

async fn show(config: &Config, out: Output, name: &str, json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = Arc::clone(&seat.desk.boards().borrow().board);
    let error = find(&board, name);
    let view = match &error {
        Ok(error) => named::view(&seat, error.run).await.ok(),
        Err(_) => None,
    };
    seat.leave().await;
    let error = error?;
    let alike = board.alike(&error);
    if json {
        out.json_pretty(&ErrorAnswer::of(&error).with_alike(&alike));
        return Ok(ExitCode::SUCCESS);
    }
    let record = &error.record;
    out.line(&format!("{} {}", error.name(), safe_text(&record.summary())));
    out.line(&format!(
        "{} {}  {}  {}  {}  trace {}",
        error.run,
        step_word(&error),
        error.state_word(),
        record.mode,
        record.error_type.word(),
        safe_text(&error.trace)
    ));
    for (key, value) in &record.context {
        out.line(&format!("{}: {}", safe_text(key), safe_text(&value.to_string())));
    }
    if let Some(said) = &error.acknowledged {
        let by = safe_text(&said.by.to_string());
        out.line(&format!("acknowledged by {by} at {}: {}", said.at.clock(), safe_text(&said.reason)));
    }
    if let Some(closed) = error.closed_words() {
        out.line(&safe_text(&closed));
    }
    let is_stuck = |step: StepIx| {
        let undo = view.as_ref().and_then(|view| view.step(step)).map(StepView::undo);
        matches!(undo, Some(UndoState::Stuck(_)))
    };
    if error.of_undo && error.step.is_some_and(is_stuck) {
        out.line(&format!("next: {}", settle_command(error.run, &safe_text(&error.step_id))));
    }
    let calls = error.step.and_then(|step| Some(view.as_ref()?.step(step)?.attempts().to_vec()));
    for call in calls.unwrap_or_default() {
        let how = call
            .failure
            .as_ref()
            .map_or_else(|| "succeeded".to_owned(), |failure| safe_text(&failure.message));
        out.line(&format!(
            "attempt {} at {} ran {}: {how}",
            call.number,
            call.started_at.clock(),
            call.ran_for
        ));
    }
    let fixes: Vec<String> = alike.fixes.iter().map(|(fix, times)| format!("{fix} {times}")).collect();
    out.line(&match (alike.before, fixes.is_empty()) {
        (0, _) => "first failure of this kind".to_owned(),
        (before, true) => {
            format!("it failed like this {} before, and nothing mended it", counted(before, "time", "times"))
        }
        (before, false) => {
            let times = counted(before, "time", "times");
            format!("it failed like this {times} before; mended by {}", fixes.join(", "))
        }
    });
    let tail: Vec<&str> = record.tail.lines().collect();
    for line in &tail[tail.len().saturating_sub(TAIL_LINES)..] {
        out.line(&format!("│ {}", output_line(line.as_bytes())));
    }
    Ok(ExitCode::SUCCESS)
}

async fn note(config: &Config, out: Output, args: NoteArgs, note: FailureNote) -> Outcome {
    let seat = wiring::act(config).await?;
    let board = Arc::clone(&seat.desk.boards().borrow().board);
    let error = match find(&board, &args.error).and_then(|error| may_be_said(error, note)) {
        Ok(error) => error,
        Err(trouble) => return act::left(seat, trouble).await,
    };
    let command = Command::NoteFailure {
        run: error.run,
        step: error.step,
        of_undo: error.of_undo,
        note,
        reason: args.reason,
        by: seat.actor.clone(),
    };
    let said = match note {
        FailureNote::Acknowledge => "acknowledged",
        FailureNote::Resolve => "resolved",
        FailureNote::Reopen => "open again",
    };
    act::submit(seat, out, command, |_| format!("{} is {said}", error.name())).await
}

/// Refuses a note on a failure that the board shows as resolved; the engine does not know that.
fn may_be_said(error: Arc<ErrorView>, note: FailureNote) -> Result<Arc<ErrorView>, Trouble> {
    match &error.state {
        ErrorState::Resolved { fix, .. } if note != FailureNote::Reopen => Err(Trouble::usage(format!(
            "could not {} {}: it is resolved ({})",
            note.word(),
            error.name(),
            safe_text(&fix.words())
        ))),
        ErrorState::Retrying(at) => Err(Trouble::usage(format!(
            "could not {} {}: it is tried again at {}",
            note.word(),
            error.name(),
            at.clock()
        ))),
        ErrorState::Resolved { .. } | ErrorState::Open => Ok(error),
    }
}

fn find(board: &Board, name: &str) -> Result<Arc<ErrorView>, Trouble> {
    let found = ErrorView::parse_name(name).and_then(|name| board.error(name)).cloned();
    found.ok_or_else(|| {
        Trouble::usage(format!(
            "could not find the failure {}; `cuelight error --all` lists what there is",
            safe_text(name)
        ))
    })
}

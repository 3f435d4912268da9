//! Commands that ask an engine for something: the one that runs, or one that is started for it.

use super::{completion, named};
use crate::{
    args::key_value,
    config::Config,
    exit::{FAILED, NOT_RECORDED, Outcome, Trouble, USAGE},
    output::{Output, say},
    wiring::Seat,
};
use clap::{Args, ValueEnum};
use cuelight_base::{RunId, Seq, safe_text};
use cuelight_engine::{Command, Correction, ForkAt, Refusal, RetryFrom};
use cuelight_projection::asked_anew;
use cuelight_runtime::{Desk, Entropy, Receipt, Reply, Request};
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
}

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// Why
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// Undo what was done
    #[arg(long)]
    pub(super) undo: bool,
}

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// Steps to run again
    #[arg(long, value_enum, default_value = "failed")]
    pub(super) from: From,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

/// Corrections before a run is done again.
#[derive(Debug, Args)]
pub(super) struct CorrectedArgs {
    /// An input that was wrong; the others stay as they were
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Take the steps from this file as they are now; what has completed must stand in it as it did
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ForkArgs {
    /// The run: r-7, or latest
    #[arg(add = completion::runs())]
    pub(super) run: String,
    /// Point to fork at: after this event of the log (412), or before this step began (deploy)
    #[arg(long, value_name = "SEQ|STEP")]
    pub(super) at: String,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// Failed steps, and those that did not run because of them
    Failed,
    /// All steps after the last one that all of those depend on
    Checkpoint,
    /// Everything
    All,
}

/// Commands for a whole run.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnRun {
    Pause,
    Resume,
}

pub(super) async fn on_run(config: &Config, out: Output, run: &str, what: OnRun) -> Outcome {
    let (seat, run) = named::act_on(config, run).await?;
    let by = seat.actor.clone();
    let (command, said) = match what {
        OnRun::Pause => {
            (Command::Pause { run, by }, format!("{run} paused: what runs goes on, nothing new starts"))
        }
        OnRun::Resume => (Command::Resume { run, by }, format!("{run} goes on")),
    };
    submit(seat, out, command, |_| said).await
}

pub(super) async fn cancel(config: &Config, out: Output, args: CancelArgs) -> Outcome {
    let (seat, run) = named::act_on(config, &args.run).await?;
    let by = seat.actor.clone();
    let command = Command::Cancel { run, by, reason: args.reason, undo: args.undo };
    submit(seat, out, command, |_| format!("{run} is being cancelled")).await
}

pub(super) async fn retry(config: &Config, out: Output, args: RetryArgs) -> Outcome {
    let (seat, run) = named::act_on(config, &args.run).await?;
    let from = match args.from {
        From::Failed => RetryFrom::Failed,
        From::Checkpoint => RetryFrom::Checkpoint,
        From::All => RetryFrom::All,
    };
    let corrected = match corrected(config, args.corrected) {
        Ok(corrected) => corrected,
        Err(trouble) => return left(seat, trouble).await,
    };
    let by = seat.actor.clone();
    let command = Command::Retry { run, from, by, corrected };
    say_asked_anew(&seat, run, &command).await;
    submit(seat, out, command, |receipt| {
        receipt.run.inspect(|run_id| say(&format!("{run_id} retries {run}; {}", in_background(*run_id))));
        receipt.run.map_or_else(|| format!("{run} is retried"), |run| run.to_string())
    })
    .await
}

pub(super) async fn fork(config: &Config, out: Output, args: ForkArgs) -> Outcome {
    let (seat, run) = named::act_on(config, &args.run).await?;
    let at =
        args.at.trim_start_matches('#').parse().map_or(ForkAt::Step(args.at), |arg| ForkAt::Seq(Seq(arg)));
    let corrected = match corrected(config, args.corrected) {
        Ok(corrected) => corrected,
        Err(trouble) => return left(seat, trouble).await,
    };
    let by = seat.actor.clone();
    let command = Command::Fork { run, at, by, corrected, past: None };
    say_asked_anew(&seat, run, &command).await;
    submit(seat, out, command, |receipt| {
        receipt.run.inspect(|run_id| say(&format!("{run_id} forks {run}; {}", in_background(*run_id))));
        receipt.run.map_or_else(|| format!("{run} is forked"), |run| run.to_string())
    })
    .await
}

/// The engine that carries a run out, and the commands that follow and stop it.
fn in_background(run: RunId) -> String {
    format!(
        "an engine runs it in the background: `cuelight logs {run} --follow` follows it, `cuelight cancel {run}` stops it"
    )
}

/// Models whose talk begins anew with the new run, and what they have had called: who does it again knows before anything is.
async fn say_asked_anew(seat: &Seat, run: RunId, command: &Command) {
    let Ok(events) = seat.desk.preview(command.clone()).await else { return };
    let board = seat.desk.boards().borrow().board.clone();
    let Some(view) = board.run(run) else { return };
    for line in asked_anew(view, &events) {
        say(&format!("note: {}", safe_text(&line)));
    }
}

/// The correction to apply before the run is done again; the path is relative to the engine's directory.
fn corrected(config: &Config, args: CorrectedArgs) -> Result<Option<Box<Correction>>, Trouble> {
    if args.file.is_none() && args.inputs.is_empty() {
        return Ok(None);
    }
    let file = args.file.map(|file| named::file(config, &file)).transpose()?;
    Ok(Some(Box::new(Correction { file, words: args.inputs, plan: None })))
}

pub(super) async fn undo(config: &Config, out: Output, args: ReasonArgs) -> Outcome {
    let (seat, run) = named::act_on(config, &args.run).await?;
    let by = seat.actor.clone();
    let command = Command::Undo { run, reason: args.reason, by };
    submit(seat, out, command, |_| format!("{run} is being undone, last step first")).await
}

pub(super) async fn left(seat: Seat, trouble: Trouble) -> Outcome {
    seat.leave().await;
    Err(trouble)
}

/// Sends it, says what became of it, and leaves.
pub(super) async fn submit(
    seat: Seat,
    out: Output,
    command: Command,
    said: impl FnOnce(&Receipt) -> String,
) -> Outcome {
    let request = Request { id: Entropy.request_id(), command };
    let reply = seat.desk.submit(request).await;
    seat.leave().await;
    match reply {
        Reply::Recorded(receipt) => {
            out.line(&said(&receipt));
            Ok(ExitCode::SUCCESS)
        }
        reply => Err(refused(reply)),
    }
}

/// Why a request came to nothing.
pub(super) fn refused(reply: Reply) -> Trouble {
    match reply {
        Reply::Refused(refusal) => {
            let usage = matches!(refusal, Refusal::NoRun(_) | Refusal::NoGate(_) | Refusal::NoStep(_));
            Trouble { code: if usage { USAGE } else { FAILED }, message: refusal.to_string() }
        }
        Reply::Invalid { report, .. } => Trouble::usage(report),
        Reply::NotRecorded(why) => Trouble { code: NOT_RECORDED, message: why },
        Reply::Recorded(_) => Trouble::failed("it was recorded"),
    }
}

//! `run`: the commands on one run, and its start.

use super::{
    act::{self, ActArgs, ForkArgs, ReasonArgs},
    by_hand::{self, DoneArgs, DoubtArgs, SettleUndoArgs, SkipArgs},
    compare::{self, DiffArgs},
    history::{self, HistoryArgs},
    look::{self, EventsArgs, ShowArgs},
    past::{self, ReplayArgs},
    screen::{self, RunArgs},
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct RunNoun {
    #[command(subcommand)]
    command: Option<RunCommand>,
    #[command(flatten)]
    start: Option<RunArgs>,
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    /// Pause a run: running steps finish, no new step starts
    #[command(after_help = "Example: cuelight run pause r-7")]
    Pause(ActArgs),
    /// Resume a paused run
    #[command(after_help = "Example: cuelight run resume r-7")]
    Resume(ActArgs),
    /// Make a new run from the past of another; completed steps are kept, the rest runs again
    #[command(
        after_help = "Examples:\n  cuelight run fork r-7 --at deploy\n  cuelight run fork r-7 --at 412 -i region=eu\n\n\
        The other run stays as it is. Gates ask again before the steps that still run, and the steps that were kept are\n\
        the other run's to undo."
    )]
    Fork(ForkArgs),
    /// Compare two runs, or two moments of one: plan, inputs, states, outputs, time
    #[command(after_help = "Examples:\n  cuelight run diff r-7 r-8\n  cuelight run diff r-7@412 r-7\n\n\
        Exit codes: 0 the same but for the time it took, 1 they differ, 2 usage.")]
    Diff(DiffArgs),
    /// Undo the completed steps of a finished run, last step first
    #[command(after_help = "Example: cuelight run undo r-7 --reason \"wrong customer\"")]
    Undo(ReasonArgs),
    /// Skip a step; its dependents run without it
    #[command(after_help = "Example: cuelight run skip r-7 notify --reason \"mail is down\"\n\n\
        At a gate this is an override: it approves the gate, needs the whole quorum, and another person must review it.")]
    Skip(SkipArgs),
    /// Complete a waiting or failed step by hand
    #[command(
        after_help = "Example: cuelight run done r-7 upload --output url=https://… --reason \"uploaded by hand\"\n\n\
        At a gate this is an override: it approves the gate, needs the whole quorum, and another person must review it."
    )]
    Done(DoneArgs),
    /// Resolve a step whose outcome is unknown after a crash
    #[command(after_help = "Example: cuelight run doubt r-7 pay happened --reason \"the bank shows it\"")]
    Doubt(DoubtArgs),
    /// Retry a stuck undo, or record that it was done by hand
    #[command(after_help = "Example: cuelight run settle-undo r-7 lock --again --reason \"disk was full\"")]
    SettleUndo(SettleUndoArgs),
    /// Print the events of a run, one a line
    #[command(after_help = "Example: cuelight run events r-7 --json")]
    Events(EventsArgs),
    /// Draw the waiting and running time of each step as bars
    #[command(after_help = "Example: cuelight run timeline r-7")]
    Timeline(ShowArgs),
    /// Show a run as it was after one of its events, or event by event
    #[command(after_help = "Example: cuelight run replay r-7 --at 1203\n\n\
        Without --at, every event is shown with the states of steps that it changed.")]
    Replay(ReplayArgs),
    /// List all past runs and their steps, newest first
    #[command(
        after_help = "Examples:\n  cuelight run history --failed\n  cuelight run history --step build --limit 100 --json"
    )]
    History(HistoryArgs),
}

pub(super) async fn run(config: &Config, out: Output, look: &screen::Look, noun: RunNoun) -> Outcome {
    let Some(command) = noun.command else {
        let start = noun.start.ok_or_else(|| Trouble::usage("could not run: name a workflow file"))?;
        return screen::run(config, out, look, &start).await;
    };
    match command {
        RunCommand::Pause(args) => act::on_run(config, out, &args.run, act::OnRun::Pause).await,
        RunCommand::Resume(args) => act::on_run(config, out, &args.run, act::OnRun::Resume).await,
        RunCommand::Fork(args) => act::fork(config, out, args).await,
        RunCommand::Diff(args) => compare::diff(config, out, &args).await,
        RunCommand::Undo(args) => act::undo(config, out, args).await,
        RunCommand::Skip(args) => by_hand::skip(config, out, args).await,
        RunCommand::Done(args) => by_hand::done(config, out, args).await,
        RunCommand::Doubt(args) => by_hand::doubt(config, out, args).await,
        RunCommand::SettleUndo(args) => by_hand::settle_undo(config, out, args).await,
        RunCommand::Events(args) => look::events(config, out, &args).await,
        RunCommand::Timeline(args) => past::timeline(config, out, &args).await,
        RunCommand::Replay(args) => past::replay(config, out, &args).await,
        RunCommand::History(args) => history::history(config, out, &args).await,
    }
}

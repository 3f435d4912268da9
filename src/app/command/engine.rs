//! `engine`: commands about the engine of a workspace as a whole.

use super::{
    health::{self, HealthArgs},
    shutdown::{self, ResetArgs, ShutdownArgs, TakeOverArgs},
};
use crate::{config::Config, exit::Outcome, output::Output};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct EngineNoun {
    #[command(subcommand)]
    command: EngineCommand,
}

#[derive(Debug, Subcommand)]
enum EngineCommand {
    /// Show one figure for the health of this workspace, and everything that lowers it
    #[command(after_help = "Example: cuelight engine health --json")]
    Health(HealthArgs),
    /// Clear cached results and lists of finished runs; the log and all figures stay
    #[command(after_help = "Example: cuelight engine reset --environment LOCAL --reason 'a new quarter'")]
    Reset(ResetArgs),
    /// Stop the engine of this workspace in order, and show its final health
    #[command(after_help = "Example: cuelight engine shutdown\n\n\
        Open runs stand still until an engine is started again; nothing of them is lost.")]
    Shutdown(ShutdownArgs),
    /// Replace an engine that hangs; it writes nothing afterwards, even when it wakes up
    #[command(after_help = "Example: cuelight engine take-over --reason \"its machine was suspended\"\n\n\
        Its steps continue where its guard has them, and are judged as after a crash where not. To end an engine \
        that answers: cuelight engine shutdown.")]
    TakeOver(TakeOverArgs),
}

pub(super) async fn engine(config: &Config, out: Output, noun: EngineNoun) -> Outcome {
    match noun.command {
        EngineCommand::Health(args) => health::health(config, out, &args).await,
        EngineCommand::Reset(args) => shutdown::reset(config, out, args).await,
        EngineCommand::Shutdown(args) => shutdown::shutdown(config, out, &args).await,
        EngineCommand::TakeOver(args) => shutdown::take_over(config, &args).await,
    }
}

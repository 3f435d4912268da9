//! `reset`, `shutdown` and `take-over`: to clear what is kept and listed, to end the engine of a workspace in order, wherever it runs,
//! and to put another in the place of one that hangs.

use super::{act, health};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    settings::Settings,
    wiring,
};
use clap::Args;
use cuelight_base::{Channel, counted, plural, safe_text};
use cuelight_engine::Command;
use cuelight_gateway::answers;
use cuelight_runtime::Desk;
use cuelight_store::{Owner, OwnerError, Workspace};
use rustix::process::{Pid, Signal, kill_process};
use std::{process::ExitCode, time::Duration};

#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    /// The environment of this workspace, as its header names it
    #[arg(long, value_name = "NAME")]
    pub(super) environment: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ShutdownArgs {
    /// The final health as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct TakeOverArgs {
    /// Why: it stands in the log
    #[arg(long)]
    pub(super) reason: String,
    /// Also from an engine that answers
    #[arg(long)]
    pub(super) force: bool,
}

/// Between two looks at whether an engine has ended.
const LOOK: Duration = Duration::from_millis(50);
/// So many looks until an engine that was started has the workspace.
const START_LOOKS_MAX: u32 = 400;
/// So many looks, one minute: it ends its calls, and writes what is left.
const LOOKS_MAX: u32 = 1200;

pub(super) async fn reset(config: &Config, out: Output, args: ResetArgs) -> Outcome {
    let workspace = config.workspace()?;
    let here = Settings::environment_of(&workspace)?;
    if args.environment != here {
        return Err(Trouble::usage(format!(
            "could not reset: this is {}, not {}; name it with --environment {0}",
            safe_text(&here),
            safe_text(&args.environment)
        )));
    }
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    let said = "results that were kept and lists are cleared; the log and all figures stay".to_owned();
    act::submit(seat, out, Command::Reset { reason: args.reason, by }, |_| said).await
}

pub(super) async fn shutdown(config: &Config, out: Output, args: &ShutdownArgs) -> Outcome {
    let workspace = config.workspace()?;
    config.require_known(&workspace)?;
    say(if stop(&workspace).await? { "the engine is stopped" } else { "no engine ran here" });
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    seat.leave().await;
    let open = seen.board.open_runs().count();
    if open > 0 {
        let (runs, stand) = (counted(open, "run", "runs"), plural(open, "stands", "stand"));
        say(&format!("{runs} {stand} still; `cuelight serve` takes them up again"));
    }
    Ok(health::tell(out, &seen, args.json))
}

pub(super) async fn take_over(config: &Config, args: &TakeOverArgs) -> Outcome {
    let workspace = config.workspace()?;
    config.require_trust(&workspace)?;
    let root = workspace.root().display();
    let refused = |why: String| Err(Trouble::failed(format!("could not take over {root}: {why}")));
    let people = config.people(&workspace)?;
    if config.actor(&people, Channel::Command).channel == Channel::Step {
        return refused(
            "this program counts as a step's and decides nothing; use your own terminal".to_owned(),
        );
    }
    if args.reason.trim().is_empty() {
        return Err(Trouble::usage(format!("could not take over {root}: say why with --reason")));
    }
    let from = match Owner::take(&workspace) {
        Ok(_) => return refused("nobody has it; `cuelight serve` starts an engine there".to_owned()),
        Err(OwnerError::Held { pid, .. }) => pid,
        Err(OwnerError::Store(why)) => return Err(Trouble::not_recorded(why.to_string())),
    };
    let who = from.map_or_else(|| "it".to_owned(), |pid| format!("process {pid}"));
    if !args.force && answers(&workspace.socket()).await {
        return refused(format!(
            "{who} answers; `cuelight attach` takes a seat there, `cuelight engine shutdown` ends it, --force takes it over all the same"
        ));
    }
    let pid = wiring::detach_in_place(&workspace, args.reason.trim(), from)?;
    for _ in 0..START_LOOKS_MAX {
        let owner = match Owner::take(&workspace) {
            Err(OwnerError::Held { pid, .. }) => pid,
            Ok(_) | Err(OwnerError::Store(_)) => None,
        };
        if owner == Some(pid) {
            wiring::attach_soon(config, &workspace, Channel::Command).await?.leave().await;
            say(&format!(
                "process {pid} has taken over {root} from {who}, which writes nothing there any more"
            ));
            say("`cuelight inbox` shows what was in the middle of something and may have happened");
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK).await;
    }
    refused("the engine that was to do it says why in .cuelight/serve.log".to_owned())
}

/// Tells the process that owns a workspace to end in order, and waits until it has. False: none did.
pub(super) async fn stop(workspace: &Workspace) -> Result<bool, Trouble> {
    let mut told: Option<Pid> = None;
    for _ in 0..LOOKS_MAX {
        let (path, owner) = match Owner::take(workspace) {
            Ok(_) => return Ok(told.is_some()),
            Err(OwnerError::Held { path, pid, .. }) => (path, pid),
            Err(OwnerError::Store(why)) => return Err(Trouble::not_recorded(why.to_string())),
        };
        let owner = owner.and_then(|owner| i32::try_from(owner).ok()).and_then(Pid::from_raw);
        let path = path.display();
        match (told, owner) {
            (Some(before), Some(now)) if before != now => {
                return Err(Trouble::failed(format!(
                    "could not keep {path} stopped: process {} has ended, and process {} has taken it up for a command that follows a \
                     run there; end that command first",
                    before.as_raw_nonzero(),
                    now.as_raw_nonzero()
                )));
            }
            (None, Some(pid)) => {
                kill_process(pid, Signal::TERM).map_err(|why| {
                    Trouble::failed(format!(
                        "could not stop the engine of {path}, process {}: {why}; whoever started it can",
                        pid.as_raw_nonzero()
                    ))
                })?;
                told = Some(pid);
            }
            (_, None) | (Some(_), Some(_)) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Trouble::failed(format!(
        "could not wait any longer for the engine of {}: it is still ending its calls; look again with `cuelight engine shutdown`",
        workspace.root().display()
    )))
}

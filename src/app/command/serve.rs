//! The engine without a screen: takes the workspace, listens for seats, and goes on until it is told to end.

use super::signals::{Signals, Told};
use crate::{
    args::ListenArgs,
    config::Config,
    exit::{Outcome, Trouble},
    output::say,
    wiring::{self, OwnTrouble, Seat},
};
use clap::Args;
use cuelight_base::{Channel, Span};
use cuelight_runtime::{Desk, Trouble as DeskTrouble};
use cuelight_store::Workspace;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Leave the terminal and go on in the background
    #[arg(long)]
    pub(super) detach: bool,
    /// End when no run is open and nobody is attached for a while
    #[arg(long)]
    pub(super) until_idle: bool,
    /// Idle time before the engine ends
    #[arg(long, env = "CUELIGHT_IDLE_AFTER", default_value = "30s", value_name = "30s")]
    pub(super) idle_after: Span,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    /// Started by another cuelight: leave its terminal at once
    #[arg(long, hide = true)]
    pub(super) background: bool,
    /// Take the workspace from a process that has it, and why
    #[arg(long, hide = true, value_name = "WHY")]
    pub(super) taking_over: Option<String>,
    /// That process
    #[arg(long, hide = true, value_name = "PID", requires = "taking_over")]
    pub(super) taking_from: Option<u32>,
}

pub(super) async fn serve(config: &Config, args: &ServeArgs) -> Outcome {
    let workspace = config.find_or_make()?;
    let root = workspace.root().display();
    if args.detach {
        return detach(config, &workspace, args.until_idle).await;
    }
    let mut signals = Signals::listen()?;
    if args.background {
        // An error means that we lead a session or a group already, which is all that is wanted.
        let _ = rustix::process::setsid();
    }
    let taking = args.taking_over.as_deref().map(|reason| (reason, args.taking_from));
    let seat = if args.background && taking.is_none() {
        wiring::take_or_attach(config, &workspace, Channel::Command, true).await?
    } else {
        match wiring::own(config, &workspace, Channel::Command, true, taking).await {
            Ok(seat) => seat,
            Err(OwnTrouble::Other(trouble) | OwnTrouble::Untrusted(trouble)) => return Err(trouble),
            Err(OwnTrouble::Held(why)) => {
                return Err(Trouble::failed(format!(
                    "could not serve {root}: {why}; `cuelight attach` takes a seat there"
                )));
            }
        }
    };
    if seat.engine.is_none() {
        // Somebody was faster; one engine is all that was wanted.
        seat.leave().await;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("serving {root} (pid {}); Ctrl-C ends it", std::process::id()));
    let idle_after = args.until_idle.then_some(args.idle_after);
    let stopped = until_told(&seat, idle_after, &mut signals).await;
    seat.leave().await;
    stopped
}

async fn detach(config: &Config, workspace: &Workspace, until_idle: bool) -> Outcome {
    let root = workspace.root().display();
    if let Ok(seat) = wiring::attach(config, workspace, Channel::Command).await {
        seat.leave().await;
        if config.listen.is_some() {
            return Err(Trouble::failed(format!(
                "could not listen: an engine of {root} runs already; end it with `cuelight engine shutdown` first"
            )));
        }
        say(&format!("an engine of {root} runs already; `cuelight attach` takes a seat there"));
        return Ok(ExitCode::SUCCESS);
    }
    config.require_trust(workspace)?;
    let pid = wiring::detach(workspace, until_idle, config.listen.as_ref())?;
    let seat = wiring::attach_soon(config, workspace, Channel::Command).await?;
    seat.leave().await;
    say(&format!("the engine of {root} runs in the background (pid {pid})"));
    Ok(ExitCode::SUCCESS)
}

/// Until a signal says so, nothing can be written any more, or nothing was open and nobody attached for so long.
pub(super) async fn until_told(seat: &Seat, idle_after: Option<Span>, signals: &mut Signals) -> Outcome {
    let mut boards = seat.desk.boards();
    loop {
        let seen = boards.borrow_and_update().clone();
        if let Some(DeskTrouble::Stopped(why) | DeskTrouble::TakenOver(why)) = seen.trouble {
            return Err(Trouble::not_recorded(why));
        }
        let idle = idle_after.filter(|_| seen.board.open_runs().next().is_none());
        tokio::select! {
            changed = boards.changed() => if changed.is_err() { return Ok(ExitCode::SUCCESS) },
            Told::Interrupt | Told::End = signals.next() => return Ok(ExitCode::SUCCESS),
            () = tokio::time::sleep(idle.unwrap_or_default().to_std()), if idle.is_some() => if seat.attached() == 0 {
                return Ok(ExitCode::SUCCESS);
            },
        }
    }
}

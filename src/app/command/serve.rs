//! The engine without a screen: takes the workspace, listens for seats, and goes on until it is told to end.

use crate::{
    app::{
        args::ServeArgs,
        config::Config,
        exit::{Outcome, Trouble},
        output::say,
        wiring::{self, OwnTrouble, Seat},
    },
    engine::Channel,
    runtime::{Desk, Trouble as DeskTrouble},
};
use std::{process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long nothing may be open before an engine that was started for one command ends.
const IDLE_MAX: Duration = Duration::from_secs(30);

pub(super) async fn serve(config: &Config, args: &ServeArgs) -> Outcome {
    let workspace = config.find_or_make()?;
    if args.detach {
        let pid = wiring::detach(&workspace, args.until_idle)?;
        let seat = wiring::attach_soon(config, &workspace, Channel::Command).await?;
        seat.leave().await;
        say(&format!("the engine of {} runs in the background (pid {pid})", workspace.root().display()));
        return Ok(ExitCode::SUCCESS);
    }
    if args.background {
        // An error means that we lead a session already, which is all that is wanted.
        let _ = rustix::process::setsid();
    }
    let seat = match wiring::own(config, &workspace, Channel::Command, true).await {
        Ok(seat) => seat,
        Err(OwnTrouble::Other(trouble)) => return Err(trouble),
        Err(OwnTrouble::Held) => {
            let root = workspace.root().display();
            return Err(Trouble::failed(format!(
                "could not serve {root}: another cuelight has it; `cuelight attach` takes a seat there"
            )));
        }
    };
    say(&format!("serving {} (pid {}); Ctrl-C ends it", workspace.root().display(), std::process::id()));
    let stopped = until_told(&seat, args.until_idle).await;
    seat.leave().await;
    stopped
}

pub(super) async fn until_told(seat: &Seat, until_idle: bool) -> Outcome {
    let listen =
        |kind| signal(kind).map_err(|it| Trouble::failed(format!("could not listen for signals: {it}")));
    let mut signals: Vec<Signal> = Vec::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::quit()] {
        signals.push(listen(kind)?);
    }
    let mut hangups = listen(SignalKind::hangup())?;
    let [first, second, third] = &mut signals[..] else { return Ok(ExitCode::SUCCESS) };
    let mut boards = seat.desk.boards();
    loop {
        let seen = boards.borrow_and_update().clone();
        if let Some(DeskTrouble::Stopped(why)) = seen.trouble {
            return Err(Trouble::not_recorded(why));
        }
        let idle = until_idle && seen.board.open_runs().next().is_none();
        tokio::select! {
            changed = boards.changed() => if changed.is_err() { return Ok(ExitCode::SUCCESS) },
            _ = first.recv() => return Ok(ExitCode::SUCCESS),
            _ = second.recv() => return Ok(ExitCode::SUCCESS),
            _ = third.recv() => return Ok(ExitCode::SUCCESS),
            // The terminal it was started from has gone; nobody asked the engine to end.
            _ = hangups.recv() => {}
            () = tokio::time::sleep(IDLE_MAX), if idle => return Ok(ExitCode::SUCCESS),
        }
    }
}

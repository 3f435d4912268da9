//! `run` without a screen: starts a workflow here or at the engine that has this workspace, tells what happens, and
//! leaves with the exit code of its end.

use super::{act::refused, look};
use crate::{
    app::{
        args::RunArgs,
        config::Config,
        exit::{self, NOT_RECORDED, Outcome, Trouble},
        output::{Output, say},
        wiring::Seat,
    },
    base::{RunId, Seq, safe_text},
    engine::{Command, RunState},
    runtime::{
        Desk, Entropy, InputText, LaunchRequest, Receipt, Reply, Request, Source, Trouble as DeskTrouble,
    },
};
use std::{fs, path::Path};
use tokio::signal::unix::{SignalKind, signal};

/// Asks for a run of this file; the path is told from where the engine stands.
pub(super) async fn launch(seat: &Seat, config: &Config, args: &RunArgs) -> Result<RunId, Trouble> {
    let source = Source::Path(absolute(config, &args.file)?);
    let words = args.inputs.iter().map(|(name, text)| InputText { name: name.clone(), text: text.clone() });
    launch_source(seat, source, words.collect()).await
}

pub(super) async fn launch_source(
    seat: &Seat,
    source: Source,
    words: Vec<InputText>,
) -> Result<RunId, Trouble> {
    let request = LaunchRequest {
        id: Entropy.request_id(),
        source,
        words,
        values: crate::base::ValueMap::new(),
        trace: None,
    };
    match seat.desk.launch(request).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => Ok(run),
        reply => Err(refused(reply)),
    }
}

fn absolute(config: &Config, file: &Path) -> Result<String, Trouble> {
    let path = config.here.join(file);
    let path = fs::canonicalize(&path)
        .map_err(|it| Trouble::usage(format!("could not read {}: {it}", file.display())))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| Trouble::usage(format!("could not use {}: its path is no UTF-8", file.display())))
}

/// Tells what happens to a run until it rests.
pub(super) async fn follow(seat: &Seat, out: Output, run: RunId, json: bool) -> Outcome {
    if json {
        out.json(&serde_json::json!({ "run": run.to_string() }));
    } else {
        out.line(&run.to_string());
    }
    let mut boards = seat.desk.boards();
    let (mut interrupts, mut after, mut asked) = (interrupts()?, Seq(0), false);
    loop {
        let seen = boards.borrow_and_update().clone();
        after = tell(seat, out, run, after, json).await?;
        let state = seen.board.summary(run).map(|it| it.state);
        if let Some(state) = state.filter(|it| it.rests()) {
            tell(seat, out, run, after, json).await?;
            return Ok(exit::of_run(state));
        }
        match &seen.trouble {
            Some(DeskTrouble::Stopped(why)) => return Err(Trouble::not_recorded(why.clone())),
            Some(DeskTrouble::Holding(why)) => say(&format!("{why}; waiting for room")),
            Some(DeskTrouble::Lost(why)) => say(&format!("{why}; trying again")),
            Some(DeskTrouble::Unowned) | None => {}
        }
        tokio::select! {
            changed = boards.changed() => if changed.is_err() {
                return Err(Trouble::not_recorded("could not follow the run any further: the engine has gone"));
            },
            _ = interrupts.recv() => {
                if asked {
                    say(&format!("leaving; {run} goes on when an engine next opens this workspace"));
                    return Ok(std::process::ExitCode::from(NOT_RECORDED));
                }
                asked = true;
                cancel(seat, run).await;
            }
        }
    }
}

fn interrupts() -> Result<tokio::signal::unix::Signal, Trouble> {
    signal(SignalKind::interrupt())
        .map_err(|it| Trouble::failed(format!("could not listen for Ctrl-C: {it}")))
}

async fn cancel(seat: &Seat, run: RunId) {
    say(&format!("cancelling {run}; press Ctrl-C again to leave it as it is"));
    let reason = "interrupted at the terminal".to_owned();
    let command = Command::Cancel { run, by: seat.actor.clone(), reason, undo: false };
    let reply = seat.desk.submit(Request { id: Entropy.request_id(), command }).await;
    if !matches!(reply, Reply::Recorded(_)) {
        say(&refused(reply).message);
    }
}

/// Tells what has happened after an event; returns the last one that was told.
async fn tell(seat: &Seat, out: Output, run: RunId, after: Seq, json: bool) -> Result<Seq, Trouble> {
    let mut last = after;
    loop {
        let (events, more) = look::events_after(seat, run, last).await?;
        let view = seat.desk.boards().borrow().board.run(run).cloned();
        for (seq, event) in &events {
            look::print_event(out, *seq, event, view.as_deref(), json);
            last = *seq;
        }
        if !more {
            return Ok(last);
        }
    }
}

/// The three lines that remain when a screen has been left.
pub(super) fn farewell(seat: &Seat) -> Vec<String> {
    let seen = seat.desk.boards().borrow().clone();
    let open: Vec<String> = seen
        .board
        .open_runs()
        .map(|it| format!("{} {} {}", it.summary.id, safe_text(&it.summary.workflow), it.summary.state))
        .collect();
    let gates = seen.board.open_gates().count();
    let mut lines = Vec::new();
    lines.push(if open.is_empty() {
        "no run is open".to_owned()
    } else {
        format!("open: {}", open.join(", "))
    });
    if gates > 0 {
        lines.push(format!("waiting for a person: {gates}; `cuelight gates` lists them"));
    }
    if seen.board.open_runs().any(|it| it.summary.state != RunState::Created) {
        lines.push("come back with: cuelight".to_owned());
    }
    lines
}

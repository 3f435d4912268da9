//! The workspace without a screen: one line for each change of every open run, until none is open any more or
//! the process is ended. `run --headless` reports a single run.

use super::{look, screen, signals::Signals, telling::first_line};
use crate::{
    config::Config,
    exit::{self, NOT_RECORDED, Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use cuelight_base::{Channel, RunId, Seq, Timestamp, safe_text};
use cuelight_engine::RunState;
use cuelight_projection::RunView;
use cuelight_runtime::{Desk, Trouble as DeskTrouble};
use std::{collections::BTreeMap, process::ExitCode};

/// Engines that are gone one after the other, before this gives up.
const ENGINES_MAX: u32 = 16;

/// The events printed so far: the last one of each open run, and the states in which runs ended.
#[derive(Debug, Default)]
struct Told {
    after: BTreeMap<RunId, Seq>,
    ends: Vec<RunState>,
}

/// Tells what happens to all runs that are open or are started meanwhile; leaves with the code of the one that went worst.
pub(super) async fn watch(config: &Config, out: Output, json: bool) -> Outcome {
    let workspace = config.find_or_make()?;
    let mut signals = Signals::listen()?;
    let mut told = Told::default();
    for _ in 0..ENGINES_MAX {
        let seat = wiring::own_or_attach(config, &workspace, Channel::Command).await?;
        let ended = until_none_is_open(&seat, out.staying(), json, &mut told, &mut signals).await;
        if let Some(outcome) = ended {
            // Who stops looking ends no run.
            screen::hand_over(seat).await?;
            return outcome;
        }
        // The engine has left, with its last run or by accident; what is open goes on here.
        seat.leave().await;
    }
    Err(gone("engines come and go"))
}

/// Nothing when the engine at the other end has gone.
async fn until_none_is_open(
    seat: &Seat,
    out: Output,
    json: bool,
    told: &mut Told,
    signals: &mut Signals,
) -> Option<Outcome> {
    let mut boards = seat.desk.boards();
    loop {
        let seen = boards.borrow_and_update().clone();
        match &seen.trouble {
            Some(DeskTrouble::Stopped(why) | DeskTrouble::TakenOver(why)) => return Some(Err(gone(why))),
            Some(DeskTrouble::Lost(_)) => return None,
            Some(DeskTrouble::Holding(why)) => say(&format!("{why}; waiting for room")),
            Some(DeskTrouble::Unheard(why) | DeskTrouble::Strays(why)) => say(why),
            Some(DeskTrouble::Unowned) | None => {}
        }
        let is_first = told.after.is_empty() && told.ends.is_empty();
        for run in
            seen.board.open_runs().filter(|run| !told.after.contains_key(&run.id())).collect::<Vec<_>>()
        {
            begin(out, run, seen.board.at, json);
            // What happened before is told by `events`.
            told.after.insert(run.id(), if is_first { seen.board.seq } else { Seq(0) });
        }
        for (run, after) in &mut told.after {
            match tell(seat, out, *run, after, json).await {
                Ok(()) => {}
                // Elsewhere an engine may leave between the question and its answer.
                Err(_) if seat.engine.is_none() => return None,
                Err(trouble) => return Some(Err(trouble)),
            }
        }
        let state = |run: &RunId| seen.board.summary(*run).map(|summary| summary.state);
        let at_rest: Vec<RunId> =
            told.after.keys().copied().filter(|run| state(run).is_none_or(RunState::rests)).collect();
        for run in at_rest {
            told.after.remove(&run);
            told.ends.extend(state(&run));
        }
        if told.after.is_empty() {
            if told.ends.is_empty() {
                say("no run is open; `cuelight run FILE` starts one");
            }
            return Some(Ok(exit::of_runs(told.ends.iter().copied())));
        }
        tokio::select! {
            changed = boards.changed() => if changed.is_err() {
                return None;
            },
            _ = signals.next() => {
                say("leaving; what is open goes on");
                return Some(Ok(ExitCode::from(NOT_RECORDED)));
            }
        }
    }
}

fn gone(why: &str) -> Trouble {
    Trouble::not_recorded(format!("could not follow any further: {why}; see `cuelight runs`"))
}

/// Prints the state of a run at its first mention.
fn begin(out: Output, run: &RunView, at: Timestamp, json: bool) {
    let summary = &run.summary;
    if json {
        let mut line = first_line(summary.id, at);
        line["state"] = summary.state.word().into();
        return out.json(&line);
    }
    out.line(&format!(
        "{} {} {} {}",
        at.clock(),
        summary.id,
        summary.state.word(),
        safe_text(&summary.workflow)
    ));
}

/// Prints the events of a run since the last print.
async fn tell(seat: &Seat, out: Output, run: RunId, after: &mut Seq, json: bool) -> Result<(), Trouble> {
    loop {
        let (events, more) = look::events_after(seat, run, *after).await?;
        let view = seat.desk.boards().borrow().board.run(run).cloned();
        for (seq, event) in &events {
            look::print_event(out, *seq, event, view.as_deref(), json);
            *after = *seq;
        }
        if !more {
            return Ok(());
        }
    }
}

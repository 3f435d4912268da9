//! A run without a screen: starts a workflow here or at the engine that has this workspace, tells what happens, and leaves with the
//! exit code of its end.

use super::{
    act::refused,
    signals::{Signals, Told},
    telling::{Teller, Telling},
};
use crate::{
    exit::{self, NOT_RECORDED, Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use cuelight_base::RunId;
use cuelight_engine::{Command, StepState};
use cuelight_projection::RunView;
use cuelight_runtime::{
    Desk, Entropy, InputText, LaunchRequest, Receipt, Reply, Request, Seen, Signal, Signals as OutputSignals,
    Source, Trouble as DeskTrouble,
};
use std::sync::Arc;

/// Asks for a run, and tells its id.
pub(super) async fn launch(
    seat: &Seat,
    source: Source,
    words: Vec<InputText>,
    trace: Option<String>,
) -> Result<RunId, Trouble> {
    let request = LaunchRequest { words, trace, ..LaunchRequest::of(Entropy.request_id(), source) };
    match seat.desk.launch(request).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => Ok(run),
        reply => Err(refused(reply)),
    }
}

/// Looks for an engine before another one is started.
const LOOKS_BEFORE_ANOTHER: u32 = 3;

/// Between two looks at the time that a step takes.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// After a question that was not answered.
const ASK_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Tells what happens to a run until it rests.
pub(super) async fn follow(
    seat: &Seat,
    out: Output,
    run: RunId,
    telling: Telling,
    signals: &mut Signals,
) -> Outcome {
    let out = out.staying();
    let mut teller = Teller::new(seat, out, run, telling);
    teller.begin();
    let mut written = teller.watches_output().then(|| seat.desk.signals(Some(run)));
    let mut boards = seat.desk.boards();
    let (mut asked, mut lost) = (false, false);
    let (mut told_all, mut looks_in_vain) = (false, 0_u32);
    loop {
        let seen = boards.borrow_and_update().clone();
        match &seen.trouble {
            Some(DeskTrouble::Stopped(why) | DeskTrouble::TakenOver(why)) => {
                return Err(Trouble::not_recorded(why.clone()));
            }
            Some(DeskTrouble::Holding(why)) => say(&format!("{why}; waiting for room")),
            Some(DeskTrouble::Unheard(why) | DeskTrouble::Strays(why)) => say(why),
            Some(DeskTrouble::Lost(why)) if !lost => {
                lost = true;
                say(&format!("{why}; starting an engine that goes on with {run}"));
                wiring::detach(&seat.workspace, true, None)?;
            }
            Some(DeskTrouble::Lost(_)) => {
                // An engine with nothing left to do may have come and gone between two looks.
                looks_in_vain += 1;
                if looks_in_vain.is_multiple_of(LOOKS_BEFORE_ANOTHER) {
                    wiring::detach(&seat.workspace, true, None)?;
                }
            }
            Some(DeskTrouble::Unowned) => {}
            None => {
                (lost, looks_in_vain) = (false, 0);
                // Elsewhere an engine may die between the question and its answer; it is asked again.
                told_all = match teller.tell().await {
                    Err(_) if seat.engine.is_none() => false,
                    told => told?,
                };
            }
        }
        let state = seen.board.summary(run).map(|summary| summary.state);
        if let Some(state) = state.filter(|state| state.rests() && told_all && !lost) {
            teller.end().await?;
            let told = stay_for_others(seat, run, signals).await;
            seat.goes_on.set(told.is_none());
            return Ok(exit::of_run(state));
        }
        tokio::select! {
            changed = boards.changed() => if changed.is_err() {
                return Err(Trouble::not_recorded("could not follow the run any further: the engine has gone; see `cuelight runs`"));
            },
            () = tokio::time::sleep(ASK_AGAIN), if !told_all && !lost => {}
            more = next_output(&mut written), if written.is_some() => if !more {
                written = None;
            },
            () = tokio::time::sleep(TICK), if telling == Telling::People => teller.draw(),
            told = signals.next() => {
                teller.clear();
                if asked || told == Told::End {
                    say(&format!("leaving; {run} goes on when an engine next opens this workspace"));
                    return Ok(std::process::ExitCode::from(NOT_RECORDED));
                }
                asked = true;
                cancel(seat, run).await;
            }
        }
    }
}

/// Waits until a step has written something. False when no more of that will be told.
async fn next_output(signals: &mut Option<OutputSignals>) -> bool {
    let Some(signals) = signals else { return false };
    loop {
        match signals.next().await.as_deref() {
            Some(Signal::Output { .. }) => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

/// Waits until no step of another run is running, if this process is their engine as well: a step cut off now
/// would be in doubt. Runs that only wait continue in the background. Returns the signal that ended the wait,
/// if one did.
async fn stay_for_others(seat: &Seat, run: RunId, signals: &mut Signals) -> Option<Told> {
    seat.engine.as_ref()?;
    let mut boards = seat.desk.boards();
    let works = |seen: &Seen| {
        let in_flight = [StepState::Running, StepState::Undoing];
        let busy = |run: &&Arc<RunView>| in_flight.iter().any(|state| run.summary.counts.of(*state) > 0);
        seen.trouble.is_none() && seen.board.open_runs().any(|run| busy(&run))
    };
    if works(&boards.borrow().clone()) {
        say(&format!("{run} is over; staying as long as steps of other runs are at work"));
    }
    tokio::select! {
        _ = boards.wait_for(|seen| !works(seen)) => None,
        told = signals.next() => Some(told),
    }
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

//! `run`: the commands on one run. Without a screen it starts a workflow here or at the engine that has this workspace, tells what happens, and
//! leaves with the exit code of its end.

use super::{
    act::{self, ActArgs, ForkArgs, ReasonArgs, refused},
    by_hand::{self, DoneArgs, DoubtArgs, SettleUndoArgs, SkipArgs},
    compare::{self, DiffArgs},
    history::{self, HistoryArgs},
    look::{self, EventsArgs, ShowArgs},
    past::{self, ReplayArgs},
    screen,
    signals::{Signals, Told},
    telling::{Teller, Telling},
};
use crate::{
    args::key_value,
    config::Config,
    exit::{self, NOT_RECORDED, Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use clap::{Args, Subcommand};
use cuelight_base::{RunId, safe_text};
use cuelight_engine::{Command, RunState, StepState};
use cuelight_projection::RunView;
use cuelight_runtime::{
    Desk, Entropy, InputText, LaunchRequest, Receipt, Reply, Request, Seen, Signal, Signals as OutputSignals,
    Source, Trouble as DeskTrouble,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Run without a screen, one line a change
    #[arg(long, alias = "plain")]
    pub(super) headless: bool,
    /// Without a screen, one event a line as JSON
    #[arg(long)]
    pub(super) json: bool,
}

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

/// Asks for a run of this file; the path is told from where the engine stands.
pub(super) async fn launch(
    config: &Config,
    seat: &Seat,
    source: Source,
    args: &RunArgs,
) -> Result<RunId, Trouble> {
    let words = args.inputs.iter().map(|(name, text)| InputText { name: name.clone(), text: text.clone() });
    launch_source(seat, source, words.collect(), config.traceparent()).await
}

pub(super) async fn launch_source(
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

/// The file, if there is one: a slip in its name leaves no workspace behind.
pub(super) fn source(config: &Config, args: &RunArgs) -> Result<Source, Trouble> {
    absolute(config, &args.file).map(Source::Path)
}

pub(super) fn absolute(config: &Config, file: &Path) -> Result<String, Trouble> {
    let path = config.here.join(file);
    let path = fs::canonicalize(&path)
        .map_err(|error| Trouble::usage(format!("could not read {}: {error}", file.display())))?;
    let text = path.into_os_string().into_string();
    text.map_err(|_| Trouble::usage(format!("could not use {}: its path is no UTF-8", file.display())))
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

/// The three lines that remain when a screen has been left.
pub(super) fn farewell(seat: &Seat) -> Vec<String> {
    let seen = seat.desk.boards().borrow().clone();
    let open: Vec<String> = seen
        .board
        .open_runs()
        .map(|run| format!("{} {} {}", run.summary.id, safe_text(&run.summary.workflow), run.summary.state))
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
    if seen.board.open_runs().any(|run| run.summary.state != RunState::Created) {
        lines.push("come back with: cuelight".to_owned());
    }
    lines
}

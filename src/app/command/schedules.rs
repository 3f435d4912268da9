//! `schedules`: which workflows start by themselves, when, and what keeps them from it; holding them and letting them go.

use super::act::{left, submit};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{Timestamp, safe_text};
use cuelight_definition::Overlap;
use cuelight_engine::{CauseOfLaunch, Command};
use cuelight_projection::{Board, Hold};
use cuelight_runtime::{Clock, Desk, Scheduled, SystemClock, scheduled, unreadable};
use cuelight_store::Workspace;
use schemars::JsonSchema;
use serde::Serialize;
use std::process::ExitCode;

/// A workflow that starts by itself, as `schedule --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Schedule")]
pub(super) struct ScheduleAnswer {
    workflow: String,
    file: String,
    cron: String,
    timezone: String,
    overlap: &'static str,
    catch_up_ms: Option<u64>,
    /// The next start; none while it is on hold or not trusted.
    #[schemars(with = "Option<String>")]
    next: Option<Timestamp>,
    trusted: bool,
    #[schemars(with = "Option<String>")]
    last: Option<Timestamp>,
    held: Option<HoldAnswer>,
}

/// The person who holds a schedule, and why.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
struct HoldAnswer {
    by: String,
    reason: String,
    #[schemars(with = "String")]
    at: Timestamp,
}

#[derive(Debug, Args)]
pub(super) struct SchedulesArgs {
    #[command(subcommand)]
    pub(super) command: Option<SchedulesCommand>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum SchedulesCommand {
    /// Stop starting a workflow on its schedule; missed starts are not made up
    #[command(
        after_help = "Example: cuelight schedule hold nightly --reason \"the tape library is being moved\""
    )]
    Hold {
        /// Its name
        workflow: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Start a workflow on its schedule again, from its next time on
    #[command(after_help = "Example: cuelight schedule release nightly")]
    Release {
        /// Its name
        workflow: String,
    },
}

pub(super) async fn schedules(config: &Config, out: Output, args: SchedulesArgs) -> Outcome {
    match args.command {
        None => list(config, out, args.json).await,
        Some(SchedulesCommand::Hold { workflow, reason }) => {
            let seat = wiring::act(config).await?;
            if let Err(trouble) = known(&seat.workspace, &workflow) {
                return left(seat, trouble).await;
            }
            let said = format!("{} is on hold; `cuelight schedule release` ends that", safe_text(&workflow));
            let by = seat.actor.clone();
            submit(seat, out, Command::HoldSchedule { workflow, reason, by }, |_| said).await
        }
        Some(SchedulesCommand::Release { workflow }) => {
            let seat = wiring::act(config).await?;
            let said = format!("{} starts at its next time again", safe_text(&workflow));
            let by = seat.actor.clone();
            submit(seat, out, Command::ReleaseSchedule { workflow, by }, |_| said).await
        }
    }
}

/// A slip in a name holds nothing.
fn known(workspace: &Workspace, workflow: &str) -> Result<(), Trouble> {
    let names: Vec<String> = scheduled(workspace).into_iter().map(|scheduled| scheduled.workflow).collect();
    if names.iter().any(|name| name == workflow) {
        return Ok(());
    }
    let name = safe_text(workflow);
    Err(Trouble::usage(if names.is_empty() {
        format!("could not hold {name}: no workflow in .cuelight/workflows has a schedule")
    } else {
        format!("could not hold {name}: it has no schedule; there are {}", safe_text(&names.join(", ")))
    }))
}

async fn list(config: &Config, out: Output, as_json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = seat.desk.boards().borrow().board.clone();
    let found = scheduled(&seat.workspace);
    let seat_workspace = seat.workspace.clone();
    for (file, why) in unreadable(&seat.workspace) {
        let file = safe_text(&file);
        say(&format!(
            "could not look for a schedule in {file}: {}; `cuelight check {file}` says more",
            safe_text(&why)
        ));
    }
    seat.leave().await;
    let now = SystemClock.now();
    let is_trusted = config.trusts(&seat_workspace).is_ok();
    if as_json {
        out.json_pretty(
            &found
                .iter()
                .map(|scheduled| ScheduleAnswer::of(scheduled, &board, now, is_trusted))
                .collect::<Vec<_>>(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        out.line("nothing starts by itself: no workflow in .cuelight/workflows has `on: schedule`");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> =
        found.iter().map(|scheduled| row(scheduled, &board, now, is_trusted)).collect();
    out.table(&["WORKFLOW", "CRON", "ZONE", "NEXT", "LAST", "OVERLAP", "CATCH-UP", "STATE"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn row(scheduled: &Scheduled, board: &Board, now: Timestamp, is_trusted: bool) -> Vec<String> {
    let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let hold = hold(scheduled, board);
    let state = match hold {
        Some(hold) => safe_text(&format!("on hold by {} since {}: {}", hold.by, hold.at, hold.reason)),
        None if is_trusted => "goes".to_owned(),
        None => "does not start: run `cuelight trust` first".to_owned(),
    };
    vec![
        safe_text(&scheduled.workflow),
        scheduled.schedule.cron.value.clone(),
        scheduled.schedule.timezone.clone(),
        when(scheduled.next(now).filter(|_| hold.is_none() && is_trusted)),
        when(last(scheduled, board)),
        overlap_word(scheduled.schedule.overlap).to_owned(),
        scheduled.schedule.catch_up.map_or_else(|| "-".to_owned(), |catch_up| catch_up.to_string()),
        state,
    ]
}

impl ScheduleAnswer {
    fn of(scheduled: &Scheduled, board: &Board, now: Timestamp, is_trusted: bool) -> Self {
        let hold = hold(scheduled, board);
        Self {
            workflow: scheduled.workflow.clone(),
            file: scheduled.file.clone(),
            cron: scheduled.schedule.cron.value.clone(),
            timezone: scheduled.schedule.timezone.clone(),
            overlap: overlap_word(scheduled.schedule.overlap),
            catch_up_ms: scheduled.schedule.catch_up.map(|catch_up| catch_up.0),
            next: scheduled.next(now).filter(|_| hold.is_none() && is_trusted),
            trusted: is_trusted,
            last: last(scheduled, board),
            held: hold.map(|hold| HoldAnswer {
                by: hold.by.name.clone(),
                reason: hold.reason.clone(),
                at: hold.at,
            }),
        }
    }
}

fn hold<'a>(scheduled: &Scheduled, board: &'a Board) -> Option<&'a Hold> {
    board.hold_of(&scheduled.workflow).filter(|hold| hold.released_at.is_none())
}

/// The last time for which it was started.
fn last(scheduled: &Scheduled, board: &Board) -> Option<Timestamp> {
    let runs = board.summaries().filter(|run| *run.workflow == *scheduled.workflow);
    let times = runs.filter_map(|run| match run.cause {
        CauseOfLaunch::Schedule(at) => Some(at),
        CauseOfLaunch::Asked | CauseOfLaunch::Retry { .. } | CauseOfLaunch::Fork { .. } => None,
    });
    times.max()
}

const fn overlap_word(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::Cancel => "cancel",
        Overlap::Allow => "allow",
    }
}

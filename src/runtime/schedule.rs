//! Starts workflows at the times they name: those in `.cuelight/workflows` with `on: schedule`.
//!
//! Files are looked at again every minute, so that a new or changed one needs no restart. What was missed while nobody
//! looked is made up for once, as far back as `catch-up` says. When a run is started is decided here; what it does is not.

use super::{Boards, Clock, Entropy, LaunchRequest, LocalDesk, Source, Tasks};
use crate::{
    base::{FILE_BYTES_MAX, Span, Timestamp, ValueMap, next_scheduled},
    definition::{self, Files, Overlap, Schedule},
    engine::{Actor, CauseOfLaunch, Channel, Proof},
    projection::Board,
    store::Workspace,
    tool::read_text,
};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// How long a changed file may go unnoticed.
const LOOK_EVERY: Span = Span::seconds(60);

/// A workflow that starts by itself.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Its file.
    pub file: String,
    /// Its name.
    pub workflow: String,
    /// When.
    pub schedule: Schedule,
}

/// Starts what is due until `closing`.
pub async fn keep_schedules<C: Clock>(
    desk: LocalDesk,
    workspace: Workspace,
    clock: C,
    boards: Boards,
    tasks: Tasks,
    closing: CancellationToken,
) {
    let desk = desk.with_actor(Actor {
        name: "schedule".to_owned(),
        proof: Proof::Engine,
        groups: Vec::new(),
        channel: Channel::Schedule,
    });
    let began = clock.now();
    let mut looked = began;
    loop {
        let place = workspace.clone();
        let found = tasks.spawn_blocking(move || scheduled(&place)).await.unwrap_or_default();
        let now = clock.now();
        let board = boards.borrow().board.clone();
        for (item, at) in due(&found, &board, (began, looked), now) {
            let request = LaunchRequest {
                id: Entropy.request_id(),
                source: Source::Path(item.file.clone()),
                words: Vec::new(),
                values: ValueMap::new(),
                trace: None,
            };
            // A workflow that cannot be started now says so in `cuelight check`; the next time is tried all the same.
            drop(desk.launch_because(request, CauseOfLaunch::Schedule(at)).await);
        }
        looked = now;
        let next = found.iter().filter_map(|it| next_time(&it.schedule, now)).min();
        let pause = next.map_or(LOOK_EVERY, |it| it.since(now).min(LOOK_EVERY));
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep((pause + Span(1)).to_std()) => {}
        }
    }
}

/// What has to be started, and for which time each: at most one start of a schedule, whatever was missed.
pub fn due<'a>(
    found: &'a [Scheduled],
    board: &Board,
    (began, looked): (Timestamp, Timestamp),
    now: Timestamp,
) -> Vec<(&'a Scheduled, Timestamp)> {
    let mut out = Vec::new();
    for item in found {
        let runs = || board.summaries().filter(|it| *it.workflow == *item.workflow);
        let last = runs().filter_map(|it| match it.cause {
            CauseOfLaunch::Schedule(at) => Some(at),
            CauseOfLaunch::Asked | CauseOfLaunch::Retry { .. } | CauseOfLaunch::Fork { .. } => None,
        });
        // Before we began, only what `catch-up` reaches and a run before it vouches for was missed.
        let last = last.max();
        let missed_from = item.schedule.catch_up.zip(last).map(|(reach, last)| last.max(began - reach));
        let from = if looked == began { missed_from.unwrap_or(began) } else { looked };
        let from = last.map_or(from, |last| from.max(last));
        let Some(at) = next_time(&item.schedule, from).filter(|at| *at <= now) else { continue };
        let is_open = runs().any(|it| !it.state.rests());
        if !is_open || item.schedule.overlap != Overlap::Skip {
            out.push((item, at));
        }
    }
    out
}

fn next_time(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    next_scheduled(&schedule.cron.value, &schedule.timezone, after).ok().flatten()
}

/// Every schedule of every workflow of the workspace that can be read.
fn scheduled(workspace: &Workspace) -> Vec<Scheduled> {
    let mut out = Vec::new();
    for path in workspace.workflow_files() {
        let Some(file) = path.to_str() else { continue };
        let Ok(text) = read_text(&path, FILE_BYTES_MAX) else { continue };
        let (Some(workflow), _) = definition::read(file, &text, &Beside { workspace }) else { continue };
        out.extend(workflow.schedule.iter().map(|it| Scheduled {
            file: file.to_owned(),
            workflow: workflow.name.clone(),
            schedule: it.clone(),
        }));
    }
    out
}

/// Files that a workflow calls, and the tools of its workspace.
struct Beside<'a> {
    workspace: &'a Workspace,
}

impl Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        read_text(Path::new(path), FILE_BYTES_MAX)
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        let read = |file: PathBuf| (file.display().to_string(), read_text(&file, FILE_BYTES_MAX));
        self.workspace.tool_files().into_iter().map(read).collect()
    }
}

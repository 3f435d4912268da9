//! Starts workflows at the times they name: those in `.cuelight/workflows` with `on: schedule`.
//!
//! Files are looked at again every minute, so that a new or changed one needs no restart. What was missed while nobody
//! looked is made up for once, as far back as `catch-up` says. When a run is started is decided here; what it does is not.

use super::{
    Boards, Clock, Desk, LaunchRequest, LocalDesk, Receipt, Reply, Request, RequestId, Source, Tasks,
};
use cuelight_base::{
    Actor, Channel, FILE_BYTES_MAX, Proof, RunId, Span, Timestamp, latest_scheduled, next_scheduled,
};
use cuelight_definition::{Files, Overlap, Schedule, Workflow};
use cuelight_engine::{CauseOfLaunch, Command};
use cuelight_projection::{Board, RunSummary};
use cuelight_store::{StoreError, Workspace};
use cuelight_tool::read_text;
use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Time for which a changed file may go unnoticed.
const LOOK_EVERY: Span = Span::seconds(60);

/// A workflow that starts by itself.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Path of the workflow's file.
    pub file: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Times of its starts.
    pub schedule: Schedule,
}

impl Scheduled {
    /// The next time it names; nothing when there is none any more.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        next_scheduled(&self.schedule.cron.value, &self.schedule.timezone, after).ok().flatten()
    }
}

/// A schedule whose time has come.
#[derive(Clone, Debug)]
pub struct Due<'a> {
    /// The workflow that is due.
    pub item: &'a Scheduled,
    /// For which time; the newest of all that were missed.
    pub at: Timestamp,
    /// Action to take now.
    pub what: DueWhat,
}

/// The action for a due schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueWhat {
    /// The workflow starts now.
    Start,
    /// It starts when these runs have come to rest.
    Wait(Vec<RunId>),
    /// The same, and they are cancelled first.
    Cancel(Vec<RunId>),
}

/// Checks that the workspace may start anything by itself; the error says why not.
pub type MayStart = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Starts what is due until `closing`, as long as the workspace is as its user trusts it.
pub async fn keep_schedules<C: Clock>(
    (desk, may_start): (LocalDesk, MayStart),
    workspace: Workspace,
    clock: C,
    mut boards: Boards,
    tasks: Tasks,
    closing: CancellationToken,
) {
    let desk = desk.with_actor(Actor {
        name: "schedule".to_owned(),
        // The files of a workspace are its owner's.
        proof: Proof::Schedule(rustix::process::geteuid().as_raw()),
        groups: Vec::new(),
        channel: Channel::Schedule,
    });
    let began = clock.now();
    let (mut looked, mut read_at) = (began, None);
    let mut found: Vec<Scheduled> = Vec::new();
    loop {
        let now = clock.now();
        if read_at.is_none_or(|at| now.since(at) >= LOOK_EVERY) {
            let place = workspace.clone();
            found = tasks.spawn_blocking(move || scheduled(&place)).await.unwrap_or_default();
            read_at = Some(now);
        }
        let board = boards.borrow_and_update().board.clone();
        let mut waits_for: Vec<RunId> = Vec::new();
        let mut all = due(&found, &board, (began, looked), now);
        if !all.is_empty() {
            let ask = Arc::clone(&may_start);
            // `cuelight doctor` says why not.
            if !tasks.spawn_blocking(move || ask().is_ok()).await.unwrap_or(false) {
                all.clear();
            }
        }
        for due in all {
            match due.what {
                DueWhat::Start => start(&desk, &mut boards, due.item, due.at).await,
                DueWhat::Wait(runs) => waits_for.extend(runs),
                DueWhat::Cancel(runs) => {
                    for run in &runs {
                        cancel(&desk, *run, &due.item.workflow).await;
                    }
                    waits_for.extend(runs);
                }
            }
        }
        looked = now;
        let next = found.iter().filter_map(|scheduled| scheduled.next(now)).min();
        let pause = next.map_or(LOOK_EVERY, |moment| moment.since(now).min(LOOK_EVERY));
        let rests = boards.wait_for(|seen| {
            let is_over = |run: &RunId| seen.board.summary(*run).is_none_or(|summary| summary.state.rests());
            !waits_for.is_empty() && waits_for.iter().any(is_over)
        });
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep((pause + Span(1)).to_std()) => {}
            _ = rests, if !waits_for.is_empty() => {}
        }
    }
}

/// Starts a run for this time, and waits until it can be seen, so that the same time does not start another.
async fn start(desk: &LocalDesk, boards: &mut Boards, item: &Scheduled, at: Timestamp) {
    let request = LaunchRequest::of(RequestId::once(), Source::Path(item.file.clone()));
    // A workflow that cannot be started now says so in `cuelight check`; the next time is tried all the same.
    let reply = desk.launch_because(request, CauseOfLaunch::Schedule(at)).await;
    if let Reply::Recorded(Receipt { seq, .. }) = reply {
        drop(boards.wait_for(|seen| seen.board.seq >= seq).await);
    }
}

async fn cancel(desk: &LocalDesk, run: RunId, workflow: &str) {
    let reason = format!("the next time of the schedule of {workflow} has come");
    let command = Command::Cancel { run, by: desk.actor().clone(), reason, undo: false };
    // One that has come to rest meanwhile is what was wanted.
    drop(desk.submit(Request { id: RequestId::once(), command }).await);
}

/// Schedules that are due: each at most once, no matter how many times were missed. Held workflows are left
/// out, and so are times that were missed during the hold.
pub fn due<'a>(
    found: &'a [Scheduled],
    board: &Board,
    (began, looked): (Timestamp, Timestamp),
    now: Timestamp,
) -> Vec<Due<'a>> {
    let mut out = Vec::new();
    for item in found {
        let hold = board.hold_of(&item.workflow);
        if hold.is_some_and(|hold| hold.released_at.is_none()) {
            continue;
        }
        let runs = || board.summaries().filter(|summary| *summary.workflow == *item.workflow);
        let last = runs().filter_map(|summary| match summary.cause {
            CauseOfLaunch::Schedule(at) => Some(at),
            CauseOfLaunch::Asked | CauseOfLaunch::Retry { .. } | CauseOfLaunch::Fork { .. } => None,
        });
        let last = last.max();
        // Before we began, only what `catch-up` reaches and a run before it vouches for was missed.
        let missed_from = item.schedule.catch_up.zip(last).map(|(reach, last)| last.max(began - reach));
        let waits = matches!(item.schedule.overlap, Overlap::Queue | Overlap::Cancel);
        // What waits for its turn is due until it has started, however often it was looked at.
        let from = if looked == began || waits { missed_from.unwrap_or(began) } else { looked };
        let from = last.map_or(from, |last| from.max(last));
        let from = hold.and_then(|hold| hold.released_at).map_or(from, |at| from.max(at));
        let (cron, timezone) = (&item.schedule.cron.value, &item.schedule.timezone);
        let Ok(Some(at)) = latest_scheduled(cron, timezone, from, now) else { continue };
        let open: Vec<&RunSummary> = runs().filter(|summary| !summary.state.rests()).collect();
        let ids = |runs: &[&RunSummary]| runs.iter().map(|run| run.id).collect::<Vec<_>>();
        let what = match item.schedule.overlap {
            Overlap::Allow => DueWhat::Start,
            _ if open.is_empty() => DueWhat::Start,
            Overlap::Skip => continue,
            Overlap::Queue => DueWhat::Wait(ids(&open)),
            // People are asked something: their answer is not cut off by the clock.
            Overlap::Cancel if open.iter().any(|run| run.open_gates > 0) => DueWhat::Wait(ids(&open)),
            Overlap::Cancel if open.iter().all(|run| run.cancelling) => DueWhat::Wait(ids(&open)),
            Overlap::Cancel => DueWhat::Cancel(ids(&open)),
        };
        out.push(Due { item, at, what });
    }
    out
}

/// Every schedule of every workflow of the workspace that can be read.
pub fn scheduled(workspace: &Workspace) -> Vec<Scheduled> {
    let mut out = Vec::new();
    for path in workspace.workflow_files() {
        let Some(file) = path.to_str() else { continue };
        let Ok(workflow) = readable(workspace, &path) else { continue };
        out.extend(workflow.schedule.iter().map(|schedule| Scheduled {
            file: file.to_owned(),
            workflow: workflow.name.clone(),
            schedule: schedule.clone(),
        }));
    }
    out
}

/// The workflow files that schedules of the workspace call, directly and through others, and that lie in none of its directories: their
/// names relative to `.cuelight`, or the whole path. A workflow that cannot be read counts, as what it calls may be mended later.
///
/// # Errors
/// When the name of one is no text: what cannot be shown is a file that nobody accepts.
pub fn called_by_schedules(workspace: &Workspace) -> Result<Vec<String>, StoreError> {
    let mut out = BTreeSet::new();
    for path in workspace.workflow_files() {
        let Some(file) = path.to_str() else { continue };
        let Ok(text) = read_text(&path, FILE_BYTES_MAX) else { continue };
        let files = Noted { beside: Beside { workspace }, read: RefCell::default() };
        let (workflow, _) = cuelight_definition::read(file, &text, &files);
        if workflow.is_none_or(|workflow| !workflow.schedule.is_empty()) {
            for file in files.read.into_inner() {
                out.extend(file_elsewhere(workspace, Path::new(&file))?);
            }
        }
    }
    Ok(out.into_iter().collect())
}

/// The name, relative to `.cuelight` or as the whole path, of a file that is not among the workflow files of the workspace; nothing where it
/// is, or there is none.
///
/// # Errors
/// When the name is no text.
pub fn file_elsewhere(workspace: &Workspace, file: &Path) -> Result<Option<String>, StoreError> {
    // A file that is not there does nothing.
    let Ok(file) = file.canonicalize() else { return Ok(None) };
    let root = workspace.root();
    let root = root.canonicalize().map_err(|error| StoreError::io("use", root, &error))?;
    if file.parent() == Some(&root.join(".cuelight/workflows")) {
        return Ok(None);
    }
    let name = file.strip_prefix(&root).map_or_else(|_| file.clone(), |rest| Path::new("..").join(rest));
    let name = name.into_os_string().into_string().map_err(|_| StoreError::Refused {
        doing: "use",
        path: file,
        why: "its name is no text".to_owned(),
        next: "rename it",
    });
    name.map(Some)
}

/// Notes which files were called.
struct Noted<'a> {
    beside: Beside<'a>,
    read: RefCell<Vec<String>>,
}

impl Files for Noted<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        self.read.borrow_mut().push(path.to_owned());
        self.beside.read(path)
    }

    fn tools(&self) -> Vec<(String, Result<String, String>)> {
        self.beside.tools()
    }

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        self.beside.models()
    }

    fn timezone(&self) -> String {
        self.beside.timezone()
    }
}

/// The workflows of the workspace that cannot be read, each with why: whatever they say, nothing of it starts by itself.
pub fn unreadable(workspace: &Workspace) -> Vec<(String, String)> {
    let files = workspace.workflow_files().into_iter();
    files.filter_map(|file| Some((file.display().to_string(), readable(workspace, &file).err()?))).collect()
}

fn readable(workspace: &Workspace, path: &Path) -> Result<Workflow, String> {
    let file = path.to_str().ok_or("its name is no text; rename it")?;
    let text = read_text(path, FILE_BYTES_MAX)?;
    let (workflow, findings) = cuelight_definition::read(file, &text, &Beside { workspace });
    workflow.ok_or_else(|| format!("it has {}", cuelight_definition::summary(&findings)))
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

    fn models(&self) -> Vec<(String, Result<String, String>)> {
        let read = |file: PathBuf| (file.display().to_string(), read_text(&file, FILE_BYTES_MAX));
        self.workspace.model_files().into_iter().map(read).collect()
    }

    fn timezone(&self) -> String {
        self.workspace.timezone()
    }
}

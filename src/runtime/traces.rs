//! Sends traces to a collector, in the background: runs that have come to rest, as the log has them, and requests that were answered.
//!
//! Nothing waits for it and nothing depends on it. What is to be sent is remembered by the names of runs, which are read again when it is their
//! turn, so that a collector that is away for hours costs some memory for names, and then the oldest are left out and counted. What is left out
//! here is still in the log: `cuelight show RUN --otlp` makes the same spans from it.

use super::{Desk as _, LocalDesk, Page, Want};
use cuelight_base::RunId;
use cuelight_projection::{Board, TraceSpan, otlp_json, spans_of};
use cuelight_tool::{HttpHeard, HttpPolicy, HttpVisit, visit_http};
use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Runs that wait for the collector, by name.
const RUNS_MAX: usize = 10_000;
/// Requests that do, as spans.
const REQUESTS_MAX: usize = 2048;
/// Spans of one message.
const SPANS_MAX: usize = 512;
/// Time to gather spans before they are sent.
const GATHER: Duration = Duration::from_millis(250);
/// Timeout of one message.
const SEND_MAX: Duration = Duration::from_secs(10);
/// Shortest pause between two tries, …
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// … and the longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// Time limit for the last message when the engine ends.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// Settings of the trace export.
#[derive(Clone)]
pub struct TraceSetup {
    /// The whole address: `http://127.0.0.1:4318/v1/traces`.
    pub url: String,
    /// Fields that go with each message; any may be a secret.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Our name for the collector.
    pub service: String,
    /// Allowed destinations: any if the user of this process set the address, else those of requests.
    pub policy: HttpPolicy,
}

impl fmt::Debug for TraceSetup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TraceSetup").field("service", &self.service).finish_non_exhaustive()
    }
}

impl TraceSetup {
    /// Sends these, and says how many there were.
    ///
    /// # Errors
    /// Why not, and whether it may be tried again.
    pub async fn send(&self, spans: &[TraceSpan]) -> Result<(), (String, bool)> {
        let visit = HttpVisit {
            method: "POST",
            url: self.url.clone(),
            fields: self.fields.clone(),
            body: otlp_json(&self.service, spans).to_string().into_bytes(),
            policy: self.policy.clone(),
        };
        let mut status = 0;
        let done = visit_http(visit, |heard| {
            if let HttpHeard::Head(said, _) = heard {
                status = said;
            }
            ControlFlow::Break(())
        });
        match timeout(SEND_MAX, done).await {
            Err(_) => Err(("it did not answer in time".to_owned(), true)),
            Ok(Err(why)) => Err((why, true)),
            Ok(Ok(())) if (200..300).contains(&status) => Ok(()),
            // The standard says which are worth another try.
            Ok(Ok(())) => Err((format!("it answers {status}"), matches!(status, 429 | 502 | 503 | 504))),
        }
    }
}

/// Runs and requests that wait for export, and counts of the rest.
#[derive(Debug, Default)]
pub struct Traces {
    waits: Mutex<Waits>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waits {
    runs: VecDeque<RunId>,
    requests: VecDeque<TraceSpan>,
    counts: TraceCounts,
    trouble: Option<String>,
}

/// Counts of sent and dropped traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// Spans that the collector took.
    pub sent: u64,
    /// Runs and requests that were left out: too many waited, or the collector refused them.
    pub dropped: u64,
}

impl Traces {
    /// A request that was answered. Never waits.
    pub fn request(&self, span: TraceSpan) {
        let mut waits = self.waits();
        if waits.requests.len() == REQUESTS_MAX {
            waits.requests.pop_front();
            waits.counts.dropped += 1;
        }
        waits.requests.push_back(span);
        drop(waits);
        self.more.notify_one();
    }

    /// The counts, and the current problem, if any.
    pub fn state(&self) -> (TraceCounts, Option<String>) {
        let waits = self.waits();
        (waits.counts, waits.trouble.clone())
    }

    fn run(&self, run: RunId) {
        let mut waits = self.waits();
        if waits.runs.len() == RUNS_MAX {
            waits.runs.pop_front();
            waits.counts.dropped += 1;
        }
        waits.runs.push_back(run);
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the result of a send. An error means that it is tried again.
    fn note(&self, count: usize, came: Result<(), (String, bool)>) -> Result<(), ()> {
        let mut waits = self.waits();
        match came {
            Ok(()) => {
                waits.counts.sent += u64::try_from(count).unwrap_or(u64::MAX);
                waits.trouble = None;
                Ok(())
            }
            Err((why, again)) => {
                waits.trouble = Some(format!("could not send traces to the collector: {why}"));
                if again {
                    return Err(());
                }
                waits.counts.dropped += 1;
                Ok(())
            }
        }
    }
}

/// The runs seen so far, and the open ones among them.
#[derive(Default)]
struct Known {
    last: u32,
    open: BTreeSet<RunId>,
}

impl Known {
    /// Runs that ended since the last look.
    fn look(&mut self, board: &Board) -> Vec<RunId> {
        // Names are counted up and never used again.
        while board.summary(RunId(self.last + 1)).is_some() {
            self.last += 1;
            self.open.insert(RunId(self.last));
        }
        let rests = |run: &&RunId| board.summary(**run).is_none_or(|summary| summary.state.rests());
        let rested: Vec<RunId> = self.open.iter().filter(rests).copied().collect();
        self.open.retain(|run| !rested.contains(run));
        rested
    }
}

/// Sends runs that end from now on, until `closing`; then those that are left, for a moment.
pub async fn keep_traces(
    setup: TraceSetup,
    traces: Arc<Traces>,
    desk: LocalDesk,
    closing: CancellationToken,
) {
    let mut boards = desk.boards();
    let mut known = Known::default();
    drop(known.look(&boards.borrow_and_update().board));
    let mut pause = PAUSE_MIN;
    loop {
        let is_over = closing.is_cancelled();
        let rested = known.look(&boards.borrow_and_update().board);
        rested.into_iter().for_each(|run| traces.run(run));
        if is_over {
            let rest = async { while send_next(&setup, &traces, &desk).await == Some(Ok(())) {} };
            drop(timeout(FAREWELL_MAX, rest).await);
            return;
        }
        let sent = tokio::select! {
            () = closing.cancelled() => continue,
            sent = send_next(&setup, &traces, &desk) => sent,
        };
        let wait = match sent {
            Some(Ok(())) => {
                pause = PAUSE_MIN;
                continue;
            }
            Some(Err(())) => {
                pause = (pause * 2).min(PAUSE_MAX);
                pause / 2
            }
            None => {
                let changed = async {
                    tokio::select! {
                        changed = boards.changed() => changed.is_ok(),
                        () = traces.more.notified() => true,
                        () = closing.cancelled() => true,
                    }
                };
                if !changed.await {
                    return;
                }
                GATHER
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = sleep(wait) => {}
        }
    }
}

/// Sends what has waited longest; nothing when nothing waits. What was not taken waits on.
async fn send_next(setup: &TraceSetup, traces: &Traces, desk: &LocalDesk) -> Option<Result<(), ()>> {
    let (run, requests) = {
        let waits = traces.waits();
        (waits.runs.front().copied(), waits.requests.iter().take(SPANS_MAX).cloned().collect::<Vec<_>>())
    };
    if let Some(run) = run {
        let spans = of_run(desk, run).await;
        for some in spans.chunks(SPANS_MAX) {
            let came = setup.send(some).await;
            if let Err(()) = traces.note(some.len(), came) {
                return Some(Err(()));
            }
        }
        let mut waits = traces.waits();
        if waits.runs.front() == Some(&run) {
            waits.runs.pop_front();
        }
        return Some(Ok(()));
    }
    let first = requests.first()?.place;
    let came = setup.send(&requests).await;
    if let Err(()) = traces.note(requests.len(), came) {
        return Some(Err(()));
    }
    let mut waits = traces.waits();
    // Some may have been left out meanwhile, to make room.
    if waits.requests.front().is_some_and(|request| request.place == first) {
        waits.requests.drain(..requests.len());
    } else {
        waits.requests.retain(|request| !requests.contains(request));
    }
    Some(Ok(()))
}

/// The spans of a run that rests, also when it is no longer in memory.
async fn of_run(desk: &LocalDesk, run: RunId) -> Vec<TraceSpan> {
    let board = desk.boards().borrow().board.clone();
    if let Some(view) = board.run(run) {
        return spans_of(&board, view);
    }
    drop(board);
    match desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => past.run(run).map(|run| spans_of(&past, run)).unwrap_or_default(),
        _ => Vec::new(),
    }
}

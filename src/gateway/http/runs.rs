//! Runs over HTTP: started from files of the workspace, looked at, followed, held, ended.

use super::{
    answer::json,
    asked::{Asked, silence, still_good},
    door::Door,
    gates::is_visible,
    listeners::Place,
    problem::{Problem, of_reply},
    routes::Call,
    shapes::{Because, Runs, StartRun},
};
use crate::Bearer;
use axum::{
    http::StatusCode,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{self, KeepAlive},
    },
};
use cuelight_base::{RunId, Seq};
use cuelight_engine::{Command, Event, RunState};
use cuelight_projection::{RunAnswer, event_line, show_json};
use cuelight_runtime::{Boards, Desk as _, LocalDesk, Page, Receipt, Reply, Source, Want};
use futures_util::stream;
use std::{collections::VecDeque, convert::Infallible, path::Path, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Runs of one page, when nothing is said.
const PAGE_DEFAULT: u64 = 100;
/// Events read at once.
const EVENTS_PAGE: u32 = 256;
/// Interval at which a follower's permission is checked again.
const ASKED_AGAIN: Duration = Duration::from_secs(15);

fn missing() -> Problem {
    Problem::missing("RUN_001", "that run")
}

/// A run that the caller may see.
fn find(door: &Door, asked: &Asked) -> Result<RunId, Problem> {
    let run: RunId = asked.id("RUN_001", "that run")?;
    let board = door.desk.board();
    if is_visible(&board, asked, run) { Ok(run) } else { Err(missing()) }
}

fn told(door: &Door, status: StatusCode, run: RunId) -> Result<Response, Problem> {
    let board = door.desk.board();
    let summary = board.summary(run).ok_or_else(missing)?;
    Ok(json(status, &RunAnswer::of(summary)))
}

pub(super) async fn start(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: StartRun = asked.body()?;
    if !door.setup.workspace.has_workflow(Path::new(&given.workflow)) {
        let why = "could not find that workflow: name a .yaml file below the workspace";
        return Err(Problem::new(StatusCode::NOT_FOUND, "RUN_005", why));
    }
    let launch = asked.launch(Source::Path(given.workflow), given.inputs.into_iter().collect());
    match asked.judged_desk(door).await.launch(launch).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => told(door, StatusCode::CREATED, run),
        other => Err(of_reply(other)),
    }
}

pub(super) fn list(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let state = asked.query("state").and_then(|word| RunState::ALL.iter().find(|state| state.word() == word));
    let limit = usize::try_from(asked.number("limit").unwrap_or(PAGE_DEFAULT)).unwrap_or(1);
    let before: Option<RunId> = asked.page_from("before", "a run, as in r-7")?;
    let board = door.desk.board();
    let wanted = board.listed().filter(|run| state.is_none_or(|state| *state == run.state));
    let wanted = wanted.filter(|run| before.is_none_or(|before| run.id < before));
    let mut mine: Vec<_> = wanted.filter(|run| is_visible(&board, asked, run.id)).collect();
    mine.reverse();
    let more = mine.len() > limit;
    let runs = mine.into_iter().take(limit).map(RunAnswer::of).collect();
    Ok(json(StatusCode::OK, &Runs { runs, more }))
}

pub(super) async fn show(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let run = find(door, asked)?;
    let board = door.desk.board();
    if let Some(view) = board.run(run) {
        return Ok(json(StatusCode::OK, &show_json(&board, view)));
    }
    // It rested long ago, and the board keeps its summary alone.
    match door.desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => {
            let view = past.run(run).ok_or_else(missing)?;
            Ok(json(StatusCode::OK, &show_json(&past, view)))
        }
        _ => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "STR_002",
            "could not read that run; try again",
        )),
    }
}

pub(super) async fn act(door: &Door, asked: &Asked, call: Call) -> Result<Response, Problem> {
    let run = find(door, asked)?;
    let by = asked.actor(door);
    let command = match call {
        Call::PauseRun => Command::Pause { run, by },
        Call::ResumeRun => Command::Resume { run, by },
        _ => {
            let Because { reason, undo } = asked.body()?;
            Command::Cancel { run, by, reason, undo }
        }
    };
    match asked.command(door, asked.request(), command).await {
        Reply::Recorded(_) => told(door, StatusCode::OK, run),
        other => Err(of_reply(other)),
    }
}

/// The events for a client that follows a run. They are read from the log in pages, so that a slow reader
/// holds up nobody and misses nothing.
struct Following {
    desk: LocalDesk,
    boards: Boards,
    run: RunId,
    after: Seq,
    late: VecDeque<(Seq, Event)>,
    closing: CancellationToken,
    /// The bearer; the stream ends when it would no longer be admitted.
    bearer: Option<Arc<Bearer>>,
    _place: Place,
}

pub(super) fn follow(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let run = find(door, asked)?;
    let since = asked.number("since").unwrap_or(0);
    let last = asked.headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = last.and_then(|id| id.parse().ok()).unwrap_or(since);
    let desk = door.desk.clone();
    let boards = desk.boards();
    let closing = door.closing.clone();
    let place = asked.waiting_place(door, "for what becomes of that run")?;
    let (after, late, bearer) = (Seq(after), VecDeque::new(), asked.bearer.clone());
    let following = Following { desk, boards, run, after, late, closing, bearer, _place: place };
    let events = stream::unfold(following, |mut value| async move {
        let event = value.next().await?;
        Some((Ok::<_, Infallible>(event), value))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Following {
    /// The next event; nothing when there will be no more.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            let board = self.boards.borrow().board.clone();
            still_good(self.bearer.as_deref(), &board).ok()?;
            if let Some((seq, event)) = self.late.pop_front() {
                self.after = seq;
                let line = event_line(seq, &event, board.run(self.run).map(|run| &**run));
                let kind = line["type"].as_str().unwrap_or("event").to_owned();
                return Some(sse::Event::default().id(seq.0.to_string()).event(kind).data(line.to_string()));
            }
            // Seen before it is read: what comes in between wakes us again.
            let rests = {
                let seen = self.boards.borrow_and_update();
                seen.board.summary(self.run).is_none_or(|summary| summary.state.rests())
            };
            let want = Want::Events { run: Some(self.run), after: self.after, limit: EVENTS_PAGE };
            let Page::Events { events, .. } = self.desk.read(want).await else { return None };
            if !events.is_empty() {
                self.late.extend(events);
                continue;
            }
            if rests {
                return None;
            }
            drop(board);
            tokio::select! {
                changed = self.boards.changed() => if changed.is_err() { return None },
                () = self.closing.cancelled() => return None,
                () = sleep(silence(self.bearer.as_deref(), ASKED_AGAIN)) => {}
            }
        }
    }
}

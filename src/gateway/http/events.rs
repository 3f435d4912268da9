//! Events over HTTP: said to callers that wait for them, waited for, followed. They are the messages that steps of workflows say and hear, on
//! the same log: one that was acknowledged is on disk. Nobody who follows is held in memory but by their place.

mod follow;
mod publish;
mod shape;

pub(super) use follow::follow;
pub(super) use publish::{Acknowledged, PriorityWord, Publish, publish};
pub(super) use shape::Frames;

use super::{
    answer::json,
    asked::{Asked, still_good},
    door::Door,
    listeners::{Place, Wanted},
    problem::Problem,
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{MESSAGE_WORD_CHARS_MAX, Value, is_topic, json_bytes};
use cuelight_runtime::{Clock as _, Desk as _, SystemClock};
use schemars::JsonSchema;
use serde::Serialize;
use shape::{EventShape, shape};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// Default of the wait for the first event, in milliseconds.
const WAIT_MS_DEFAULT: u64 = 30_000;
/// Events of one answer, …
const EVENTS_MAX: usize = 100;
/// … and bytes of what they say.
const EVENTS_BYTES_MAX: usize = 1024 * 1024;
/// Conditions of one filter.
const CONDITIONS_MAX: usize = 20;

/// A page of events.
#[derive(Serialize, JsonSchema)]
pub(super) struct Heard {
    events: Vec<EventShape>,
    /// True if more events follow.
    more_available: bool,
    /// Goes on after them, as `since`.
    next_cursor: Option<String>,
    /// True if the wait ended before an event came.
    timeout: bool,
}

fn invalid(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "EVT_002", why)
}

fn event_type(asked: &Asked) -> Result<String, Problem> {
    let said = asked.param("event_type");
    is_topic(said).then(|| said.to_owned()).ok_or_else(|| {
        invalid(format!(
            "could not read the event type: it has letters, digits, `.`, `-`, `_` and `/` (as %2F), at most {MESSAGE_WORD_CHARS_MAX}"
        ))
    })
}

/// Reads the filter of the request, and reserves a place for its wait.
fn listen(door: &Door, asked: &Asked, event_type: Option<String>) -> Result<(Arc<Wanted>, Place), Problem> {
    let topic = asked.query("topic").map(str::to_owned);
    if topic.as_deref().is_some_and(|topic| !is_topic(topic)) {
        return Err(invalid("could not read `topic`: it has letters, digits, `.`, `-`, `_` and `/`"));
    }
    let filter = filter(asked.query("filter"))?;
    let project = asked.project().map(str::to_owned);
    let wanted = Arc::new(Wanted { project, event_type, topic, filter });
    let place = asked.waiting_place_for(door, Arc::clone(&wanted), "for events")?;
    Ok((wanted, place))
}

/// `name:value,name:value`; all of them have to hold.
fn filter(text: Option<&str>) -> Result<Vec<(String, Value)>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let conditions: Option<Vec<_>> = text
        .split(',')
        .map(|part| {
            let (name, wanted) = part.split_once(':').filter(|halves| !halves.0.is_empty())?;
            let name = match name {
                "publisher" => "from",
                "correlation_id" => "correlation",
                name => name,
            };
            Some((name.to_owned(), Value::from(wanted)))
        })
        .collect();
    conditions.filter(|conditions| conditions.len() <= CONDITIONS_MAX).ok_or_else(|| {
        invalid(format!(
            "could not read `filter`: write name:value, at most {CONDITIONS_MAX} of them with commas between"
        ))
    })
}

pub(super) async fn wait(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let event_type = event_type(asked)?;
    let wait = asked.number("timeout").unwrap_or(WAIT_MS_DEFAULT);
    let (wanted, _place) = listen(door, asked, Some(event_type))?;
    let since = asked.query("since");
    let mut over = std::pin::pin!(sleep(Duration::from_millis(wait)));
    let mut boards = door.desk.boards();
    let mut next = None;
    loop {
        let board = boards.borrow_and_update().board.clone();
        still_good(asked.bearer.as_deref(), &board)?;
        let ring = board.bus().of(asked.project());
        let at = match (next, since) {
            (Some(next), _) => next,
            (None, None) => 0,
            (None, Some(since)) => {
                ring.and_then(|ring| ring.place(since)).map(|place| place + 1).ok_or_else(|| {
                    let what =
                        "that event: it is kept no longer, or never was; begin again without `since`, and";
                    Problem::missing("EVT_003", what)
                })?
            }
        };
        let mut told = Heard {
            events: Vec::new(),
            more_available: false,
            next_cursor: since.map(str::to_owned),
            timeout: false,
        };
        let (mut bytes, mut seen) = (0, at);
        let now = SystemClock.now();
        for (place, said) in ring.into_iter().flat_map(|ring| ring.from(at)) {
            if wanted.takes(said, now) {
                bytes += json_bytes(&said.message.data);
                if told.events.len() == EVENTS_MAX || !told.events.is_empty() && bytes > EVENTS_BYTES_MAX {
                    told.more_available = true;
                    break;
                }
                told.events.push(shape(said));
            }
            seen = place + 1;
        }
        let last = seen.checked_sub(1).and_then(|next| ring?.at(next));
        told.next_cursor = last.map(|said| said.message.id.clone()).or(told.next_cursor);
        if !told.events.is_empty() {
            return Ok(json(StatusCode::OK, &told));
        }
        next = Some(seen);
        drop(board);
        let is_over = tokio::select! {
            changed = boards.changed() => changed.is_err(),
            () = over.as_mut() => true,
            () = door.closing.cancelled() => true,
        };
        if is_over {
            return Ok(json(StatusCode::OK, &Heard { timeout: true, ..told }));
        }
    }
}

//! Streams events to a client that follows them.

use super::{listen, shape::Frames};
use crate::{
    Bearer,
    http::{
        asked::{Asked, silence, still_good},
        door::Door,
        listeners::{Place, Wanted},
        problem::Problem,
    },
};
use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse as _, Response},
};
use cuelight_base::Timestamp;
use cuelight_projection::Board;
use cuelight_runtime::{Boards, Clock as _, Desk as _, SystemClock};
use futures_util::stream;
use serde_json::json as value;
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Interval of the keep-alive on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A client that follows: its place in the events, and nothing that it has not taken yet.
struct Following {
    boards: Boards,
    frames: Arc<Frames>,
    wanted: Arc<Wanted>,
    next: u64,
    /// Something before this place is kept no longer.
    has_gap: bool,
    pub(super) closing: CancellationToken,
    /// The bearer; the stream ends when it would no longer be admitted.
    bearer: Option<Arc<Bearer>>,
    _place: Place,
}

pub(in crate::http) fn follow(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let (wanted, place) = listen(door, asked, None)?;
    let last = asked.headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()));
    let since = last.as_deref().or(asked.query("since"));
    let boards = door.desk.boards();
    let board = boards.borrow().board.clone();
    let ring = board.bus().of(asked.project());
    let found = since.and_then(|since| ring?.place(since));
    let next = found.map_or_else(|| ring.map_or(0, cuelight_exchange::Ring::first), |place| place + 1);
    let closing = door.closing.clone();
    let has_gap = since.is_some() && found.is_none();
    let frames = Arc::clone(&door.frames);
    let bearer = asked.bearer.clone();
    let following = Following { boards, frames, wanted, next, has_gap, closing, bearer, _place: place };
    let events = stream::unfold(following, |mut value| async move {
        let event = value.next().await?;
        Some((Ok::<_, Infallible>(event), value))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}

impl Following {
    /// The next event; nothing when there will be no more.
    async fn next(&mut self) -> Option<Bytes> {
        let mut silence = pin!(sleep(silence(self.bearer.as_deref(), KEEP_ALIVE)));
        loop {
            let board = self.boards.borrow_and_update().board.clone();
            still_good(self.bearer.as_deref(), &board).ok()?;
            if let Some(event) = self.kept(&board, SystemClock.now()) {
                return Some(event);
            }
            drop(board);
            tokio::select! {
                changed = self.boards.changed() => if changed.is_err() { return None },
                () = self.closing.cancelled() => return None,
                () = silence.as_mut() => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    /// The next one that is kept, or that some are kept no longer.
    fn kept(&mut self, board: &Board, now: Timestamp) -> Option<Bytes> {
        let ring = board.bus().of(self.wanted.project.as_deref());
        let first = ring.map_or(0, cuelight_exchange::Ring::first);
        if std::mem::take(&mut self.has_gap) || self.next < first {
            self.next = self.next.max(first);
            let why = "some events are kept no longer; what follows are those after them";
            return Some(format!("event: gap\ndata: {}\n\n", value!({"message": why})).into());
        }
        for (place, said) in ring?.from(self.next) {
            self.next = place + 1;
            if self.wanted.takes(said, now) {
                return Some(self.frames.of(said));
            }
        }
        None
    }
}

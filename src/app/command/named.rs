//! Names as people type them: runs, gates, steps.

use crate::{
    app::{exit::Trouble, wiring::Seat},
    base::{GateId, RunId, StepIx, safe_text},
    engine::Refusal,
    projection::RunView,
    runtime::{Desk, Page, Want},
};
use std::sync::Arc;

pub(super) fn run(text: &str) -> Result<RunId, Trouble> {
    text.parse().map_err(|it: String| Trouble::usage(safe_text(&it)))
}

pub(super) fn gate(text: &str) -> Result<GateId, Trouble> {
    text.parse().map_err(|it: String| Trouble::usage(safe_text(&it)))
}

/// A run with all its steps, also one that came to rest long ago.
pub(super) async fn view(seat: &Seat, run: RunId) -> Result<Arc<RunView>, Trouble> {
    let board = seat.desk.boards().borrow().board.clone();
    if let Some(view) = board.run(run) {
        return Ok(Arc::clone(view));
    }
    let none = || Trouble::usage(Refusal::NoRun(run).to_string());
    match seat.desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => past.run(run).cloned().ok_or_else(none),
        Page::Missing(why) => Err(Trouble::usage(why)),
        Page::Events { .. } | Page::Bytes { .. } | Page::Plan(_) => Err(none()),
    }
}

pub(super) async fn step(seat: &Seat, run: RunId, id: &str) -> Result<StepIx, Trouble> {
    let view = view(seat, run).await?;
    view.find(id).ok_or_else(|| {
        let message = format!(
            "could not find the step {} in {run}; `cuelight show {run}` lists its steps",
            safe_text(id)
        );
        Trouble::usage(message)
    })
}

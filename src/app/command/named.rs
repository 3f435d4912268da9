//! Names as people type them: runs, gates, steps.

use crate::{
    app::{exit::Trouble, wiring::Seat},
    base::{GateId, RunId, Seq, StepIx, safe_text},
    engine::{Event, Fact, Refusal},
    projection::{GateView, RunView},
    runtime::{Desk, Page, Want},
};
use std::sync::Arc;

/// Events asked for at once.
const EVENTS_PAGE: u32 = 1024;

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
        Page::Events { .. }
        | Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Err(none()),
    }
}

/// A gate, also one that closed long ago: what the board no longer has is looked for in the log.
pub(super) async fn gate_view(seat: &Seat, gate: GateId) -> Result<Arc<GateView>, Trouble> {
    let board = seat.desk.boards().borrow().board.clone();
    if let Some(view) = board.gate(gate) {
        return Ok(Arc::clone(view));
    }
    let none = || Trouble::usage(Refusal::NoGate(gate).to_string());
    if board.gates().next_back().is_none_or(|newest| newest.id < gate) {
        return Err(none());
    }
    let run = run_of(seat, gate).await.ok_or_else(none)?;
    match seat.desk.read(Want::Past { run, until: None }).await {
        Page::Past(past) => past.gate(gate).cloned().ok_or_else(none),
        Page::Missing(why) => Err(Trouble::usage(why)),
        Page::Events { .. }
        | Page::Records(_)
        | Page::Chain { .. }
        | Page::Bytes { .. }
        | Page::Plan(_)
        | Page::Workflow(_)
        | Page::Agents(_) => Err(none()),
    }
}

/// The run that a gate belongs to, as the log has it.
async fn run_of(seat: &Seat, gate: GateId) -> Option<RunId> {
    let mut after = Seq(0);
    loop {
        let want = Want::Events { run: None, after, limit: EVENTS_PAGE };
        let Page::Events { events, more } = seat.desk.read(want).await else { return None };
        let of_gate = |event: &Event| match &event.fact {
            Fact::Gate(run, _, it, _) if *it == gate => Some(*run),
            _ => None,
        };
        let found = events.iter().find_map(|(_, event)| of_gate(event));
        if found.is_some() || !more {
            return found;
        }
        after = events.last()?.0;
    }
}

/// Why nothing can be done any more about a gate of a run that has come to rest.
pub(super) fn over(view: &GateView) -> Trouble {
    let by = view.closed_by.as_deref().map_or_else(String::new, |it| format!(" by {it}"));
    let when = view.closed_at.map_or_else(String::new, |it| format!(" at {it}"));
    Trouble::failed(format!(
        "could not do that at {gate}: it was {state}{by}{when}, and its run {run} has come to rest; \
         `cuelight gates --show {gate}` shows it, `cuelight retry {run}` runs it again",
        gate = view.id,
        state = view.state,
        run = view.run
    ))
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

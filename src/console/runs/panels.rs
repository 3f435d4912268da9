//! The lower panes of Runs that take keys: gates and failures of all runs, in the order on the screen. Each
//! has a cursor that stays on its row. `panels_keys` handles the keys.

use super::state::RunsPanel;
use crate::{Model, layout};
use cuelight_projection::{ErrorView, GateView};
use std::{cmp::Reverse, sync::Arc};

/// The pane that takes the keys now; the list, if no other pane is on the screen.
pub(super) fn focused(model: &Model) -> RunsPanel {
    let is_there = layout::runs(model).lower.is_some() && !model.look.reader;
    if is_there { model.runs.focus.panel } else { RunsPanel::List }
}

/// Open gates: those for this person first, then by risk, then the oldest.
pub(super) fn gates(model: &Model) -> Vec<&Arc<GateView>> {
    let mut open: Vec<&Arc<GateView>> = model.board.open_gates().collect();
    open.sort_by_key(|gate| {
        (!gate.waits_for(&model.seat.actor, model.now), Reverse(gate.ask.risk), gate.ask.opened_at)
    });
    open
}

/// Failures: open ones first, then the newest.
pub(super) fn errors(model: &Model) -> Vec<&Arc<ErrorView>> {
    let mut all: Vec<&Arc<ErrorView>> = model.board.errors().collect();
    all.sort_by_key(|error| (!error.is_open(), Reverse(error.at)));
    all
}

/// The row of the cursor: where what it was on is, else the first.
pub(super) fn gate_row(model: &Model, rows: &[&Arc<GateView>]) -> usize {
    rows.iter().position(|row| Some(row.id) == model.runs.focus.gate).unwrap_or(0)
}

/// The same among failures.
pub(super) fn error_row(model: &Model, rows: &[&Arc<ErrorView>]) -> usize {
    rows.iter().position(|row| Some(row.id) == model.runs.focus.error).unwrap_or(0)
}

/// The first row that is shown, so that the cursor is on the screen; the head of the table takes one.
pub(super) fn top(at: usize, height: u16) -> usize {
    (at + 2).saturating_sub(usize::from(height).max(2))
}

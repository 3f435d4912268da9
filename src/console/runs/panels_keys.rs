//! Keys in the lower panes of Runs: Tab goes from pane to pane, Enter opens what is under the cursor in its own view.

use super::{
    panels::{self, focused},
    state::RunsPanel,
};
use crate::{
    Intent, Model, Role, View, gates,
    intent::Group,
    layout,
    update::{moving, places, toast},
};
use cuelight_projection::Attention;

/// Handles a key for one of the panes; returns false if the key is not for them.
pub(crate) fn act(model: &mut Model, intent: Intent, count: Option<u32>) -> bool {
    let Some(lower) = layout::runs(model).lower.filter(|_| !model.look.reader) else {
        if intent == Intent::NextPanel {
            toast(model, "the list alone takes keys on a screen of this size", Role::Info);
        }
        return intent == Intent::NextPanel;
    };
    let panel = focused(model);
    if intent == Intent::NextPanel {
        model.runs.focus.panel = panel.next();
        return true;
    }
    let back = matches!(intent, Intent::Escape | Intent::Left);
    match panel {
        RunsPanel::List => return false,
        _ if back => model.runs.focus.panel = RunsPanel::List,
        _ if intent.group() == Group::Act => {
            toast(model, "a run is not under the cursor here; Esc goes back to the list", Role::Warn);
        }
        RunsPanel::Gates => {
            let rows = panels::gates(model);
            let at = panels::gate_row(model, &rows);
            let page = usize::from(lower[0].height.saturating_sub(3));
            if let Some(to) = moving::moved(intent, at, rows.len(), page, count) {
                let gate = rows.get(to).map(|row| row.id);
                model.runs.focus.gate = gate;
            } else if opens(intent) {
                let key = rows.get(at).map(|row| (Attention::Gate(row.id), row.run, row.step));
                gates::update::select(model, key.or(model.gates.selected));
                places::go(model, View::Gates);
            } else {
                return false;
            }
        }
        RunsPanel::Errors => {
            let rows = panels::errors(model);
            let at = panels::error_row(model, &rows);
            let page = usize::from(lower[1].height.saturating_sub(3));
            if let Some(to) = moving::moved(intent, at, rows.len(), page, count) {
                let error = rows.get(to).map(|row| row.id);
                model.runs.focus.error = error;
            } else if opens(intent) {
                model.workspace.errors.selected =
                    rows.get(at).map(|row| row.id).or(model.workspace.errors.selected);
                places::go(model, View::Errors);
            } else {
                return false;
            }
        }
    }
    true
}

fn opens(intent: Intent) -> bool {
    matches!(intent, Intent::Open | Intent::Right)
}

/// A click into a pane gives it the keys and selects the row; whether it was one.
pub(super) fn click(model: &mut Model, column: u16, row: u16) -> bool {
    let at = ratatui::layout::Position::new(column, row);
    let lower = layout::runs(model).lower;
    let Some(areas) = lower else { return false };
    let place = |area: ratatui::layout::Rect, cursor: usize| {
        let inside = layout::inset(area, 1, 2, 1);
        let offset = row.checked_sub(inside.y).filter(|_| inside.contains(at))?;
        Some(panels::top(cursor, inside.height + 1) + usize::from(offset))
    };
    if areas[0].contains(at) {
        let rows = panels::gates(model);
        let hit = place(areas[0], panels::gate_row(model, &rows)).and_then(|place| rows.get(place));
        let gate = hit.map(|hit| hit.id).or(model.runs.focus.gate);
        (model.runs.focus.panel, model.runs.focus.gate) = (RunsPanel::Gates, gate);
    } else if areas[1].contains(at) {
        let rows = panels::errors(model);
        let hit = place(areas[1], panels::error_row(model, &rows)).and_then(|place| rows.get(place));
        let error = hit.map(|hit| hit.id).or(model.runs.focus.error);
        (model.runs.focus.panel, model.runs.focus.error) = (RunsPanel::Errors, error);
    } else {
        model.runs.focus.panel = RunsPanel::List;
        return false;
    }
    true
}

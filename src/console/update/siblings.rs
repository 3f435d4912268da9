//! From a thing to the next of its kind, in each view: runs of one workflow, steps as far from the begin, failures of one
//! mode, records of one run.

use super::toast;
use crate::{
    Intent, Model, Role, View,
    gates::{self, state::key_of},
};

/// To the next one, or so many further; stays at the last.
pub(super) fn act(model: &mut Model, intent: Intent, count: Option<u32>) {
    let kin = kin(model);
    let Some(at) = kin.iter().position(|kin| kin.is_here) else {
        return toast(model, "nothing here has others of its kind", Role::Info);
    };
    let times = usize::try_from(count.unwrap_or(1).max(1)).unwrap_or(1);
    let to = if intent == Intent::NextSibling {
        at.saturating_add(times).min(kin.len() - 1)
    } else {
        at.saturating_sub(times)
    };
    if to == at {
        let text = if kin.len() == 1 { "there is no other of its kind" } else { "there is no further one" };
        return toast(model, text, Role::Info);
    }
    go_to(model, kin[to].row);
}

/// One of a kind: its place in what the view shows.
struct Kin {
    row: usize,
    is_here: bool,
}

/// All of the kind of what is under the cursor, in the order in which they are shown.
fn kin(model: &Model) -> Vec<Kin> {
    match model.view {
        View::Runs => {
            let runs = &model.runs;
            let workflow = |run| model.board.summary(run).map(|summary| &summary.workflow);
            let of = runs.selected.and_then(workflow);
            of_kind(runs.rows.iter().map(|row| (workflow(*row) == of, runs.selected == Some(*row))))
        }
        View::Dag => steps(model),
        View::Gates => {
            let gates = &model.gates;
            let of = gates.row().map(|row| &row.workflow);
            let is_here = |row| gates.selected == Some(key_of(row));
            of_kind(gates.rows.iter().map(|row| (Some(&row.workflow) == of, is_here(row))))
        }
        View::Errors => {
            let errors = &model.workspace.errors;
            let mode = |id| model.board.error(id).map(|error| error.record.mode);
            let of = errors.selected.and_then(mode);
            of_kind(errors.rows.iter().map(|row| {
                let id = row.error();
                (id.and_then(mode) == of && id.is_some(), id.is_some() && id == errors.selected)
            }))
        }
        View::Time => {
            let rows = model.time.chart.as_ref().map_or(&[][..], |chart| &chart.rows);
            let here = rows.iter().position(|row| Some(row.step) == model.time.selected);
            let depth = here.map(|index| rows[index].depth);
            of_kind(rows.iter().enumerate().map(|(at, row)| (Some(row.depth) == depth, Some(at) == here)))
        }
        View::Audit => {
            let audit = &model.workspace.audit;
            let of = audit.row().and_then(|row| row.run);
            let is_here = |seq| audit.selected == Some(seq);
            of_kind(audit.window.rows.iter().map(|row| (row.row.run == of, is_here(row.row.seq))))
        }
        View::Logs | View::Health | View::Agents | View::Tools => Vec::new(),
    }
}

fn of_kind(rows: impl Iterator<Item = (bool, bool)>) -> Vec<Kin> {
    let of_kind = |(row, (fits, is_here)): (usize, (bool, bool))| fits.then_some(Kin { row, is_here });
    rows.enumerate().filter_map(of_kind).collect()
}

/// Nodes that stand as far from the begin as the one under the cursor, from above.
fn steps(model: &Model) -> Vec<Kin> {
    let Some(picture) = &model.dag.picture else { return Vec::new() };
    let here = model.dag.view.selected.and_then(|selected| picture.shown.spot_of(selected));
    let here = here.and_then(|spot| usize::try_from(spot).ok());
    let Some(depth) = here.and_then(|number| picture.shown.nodes.get(number)).map(|node| node.depth()) else {
        return Vec::new();
    };
    let nodes = picture.shown.nodes.iter().enumerate();
    let level = nodes.filter(|(_, node)| node.depth() == depth && !node.is_open);
    let mut level: Vec<(i32, usize)> = level
        .map(|(row, _)| {
            let place = u32::try_from(row).ok().and_then(|spot| picture.layout.rect_of(spot));
            (place.map_or(0, |place| place.y), row)
        })
        .collect();
    level.sort_unstable();
    level.into_iter().map(|(_, row)| Kin { row, is_here: Some(row) == here }).collect()
}

fn go_to(model: &mut Model, row: usize) {
    match model.view {
        View::Runs => model.runs.selected = model.runs.rows.get(row).copied(),
        View::Dag => {
            let node = model
                .dag
                .picture
                .as_ref()
                .and_then(|picture| picture.shown.nodes.get(row))
                .map(|node| node.first);
            model.dag.view.selected = node.or(model.dag.view.selected);
            model.dag.held = true;
        }
        View::Gates => {
            let key = model.gates.rows.get(row).map(key_of);
            gates::update::select(model, key);
        }
        View::Errors => {
            model.workspace.errors.selected = model.workspace.errors.rows.get(row).and_then(|row| row.error())
        }
        View::Time => {
            let rows = model.time.chart.as_ref().map_or(&[][..], |chart| &chart.rows);
            model.time.selected = rows.get(row).map(|row| row.step);
        }
        View::Audit => {
            model.workspace.audit.selected = model.workspace.audit.window.rows.get(row).map(|row| row.row.seq)
        }
        View::Logs | View::Health | View::Agents | View::Tools => {}
    }
}

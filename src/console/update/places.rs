//! Places: where the way back and the way forward lead, and marks. A place is a view and what was selected in it.

use super::{editing, toast};
use crate::{
    Model, Press, Role, View, graph,
    model::{Letter, Place},
};
use cuelight_base::{RunId, StepIx};

/// So many places are remembered.
const WAY_MAX: usize = 64;

/// The current place: view, run and selections.
pub(super) fn here(model: &Model) -> Place {
    Place {
        view: model.view,
        run: model.runs.selected,
        dag: (model.dag.run, model.dag.view.selected),
        gate: model.gates.selected,
        logs: (model.logs.run, model.logs.step),
    }
}

/// Remembers where we are, before the view changes.
fn leave(model: &mut Model) {
    if model.places.back.len() == WAY_MAX {
        model.places.back.remove(0);
    }
    let place = here(model);
    model.places.back.push(place);
    model.places.forward.clear();
}

/// Shows another view, and remembers the way back.
pub(crate) fn go(model: &mut Model, view: View) {
    if view == View::Dag && model.view == View::Runs {
        model.dag.run = model.runs.selected.or(model.dag.run);
    }
    if view == View::Dag && model.view == View::Gates {
        let (run, step) = (model.run(), model.step());
        model.dag.run = run.or(model.dag.run);
        model.dag.view.selected = step.map(|step| step.0).or(model.dag.view.selected);
    }
    if view == View::Time && model.view != View::Time {
        model.time.run = model.run().or(model.time.run);
        model.time.selected = model.step().or(model.time.selected);
    }
    if view == View::Gates && model.view != View::Gates {
        // The rows are sorted anew.
        model.gates.rows.clear();
        model.gates.rows_of = None;
        model.gates.reading = false;
    }
    if view != model.view {
        leave(model);
        show(model, view);
    }
}

/// Goes to the graph of a run, with this step under the cursor, where there is one.
pub(crate) fn to_graph(model: &mut Model, run: RunId, step: Option<StepIx>) {
    model.dag.run = Some(run);
    model.runs.selected = Some(run);
    go(model, View::Dag);
    graph::pictures::begin(model);
    if let Some(step) = step {
        model.dag.view.selected = Some(step.0);
        model.dag.held = true;
    }
}

fn show(model: &mut Model, view: View) {
    model.places.last_view = model.view;
    model.notices.toasts.retain(|toast| !toast.is_hint);
    model.view = view;
}

/// Goes back to the previous place.
pub(crate) fn backward(model: &mut Model) {
    if let Some(place) = model.places.back.pop() {
        let place_now = here(model);
        model.places.forward.push(place_now);
        go_to(model, &place);
    }
}

/// One step forward again.
pub(super) fn forward(model: &mut Model) {
    if let Some(place) = model.places.forward.pop() {
        let place_now = here(model);
        model.places.back.push(place_now);
        go_to(model, &place);
    }
}

fn go_to(model: &mut Model, place: &Place) {
    model.runs.selected = place.run.or(model.runs.selected);
    let (run, step) = place.dag;
    if run.is_some() {
        model.dag.goal = (model.dag.run != run).then_some(step).flatten();
        (model.dag.run, model.dag.view.selected) = (run, step);
    }
    model.gates.selected = place.gate.or(model.gates.selected);
    if place.logs.0.is_some() {
        (model.logs.run, model.logs.step) = place.logs;
    }
    if model.view != place.view {
        show(model, place.view);
    }
}

/// The letter after a key that sets a mark or goes to one; any other key only ends it.
pub(super) fn name(model: &mut Model, what: Letter, press: Press) {
    model.keyboard.typed.clear();
    let Some(letter) = editing::letter(press) else { return };
    match what {
        Letter::Set => {
            let place = here(model);
            model.places.marks.insert(letter, place);
            toast(model, &format!("mark {letter} is set here"), Role::Info);
        }
        Letter::Go => match model.places.marks.get(&letter).cloned() {
            Some(place) => {
                leave(model);
                go_to(model, &place);
            }
            None => toast(model, &format!("there is no mark {letter}; m sets one"), Role::Warn),
        },
    }
}

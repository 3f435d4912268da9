//! The graph of a run becomes a picture: folded and laid out. The layout is kept while the shape is the same, so that a
//! state change costs a fold and no layout.

use crate::{
    base::{RunId, StepIx},
    console::{
        DagGraph, DagNode, DagView, Mark, Model, View, Width, Zoom, fold, layout,
        marks::{age, mark_of_step},
        model::Picture,
    },
    engine::WaitReason,
    projection::{Graph, RunView},
};
use std::sync::Arc;

/// Makes the pictures of what is looked at now, if anything is.
pub(super) fn refresh(model: &mut Model) {
    if model.dag.run.is_none() {
        model.dag.run = model.runs.selected;
    }
    match model.view {
        View::Dag => refresh_dag(model),
        View::Runs => refresh_preview(model),
        View::Gates | View::Logs => {}
    }
}

fn refresh_dag(model: &mut Model) {
    let Some(run) = whole(model, model.dag.run) else {
        model.dag.picture = None;
        return;
    };
    let before = model.dag.picture.clone().filter(|it| it.run == run.id());
    if before.is_none() {
        model.dag.view.folds.clear();
        model.dag.view.selected = first_to_look_at(&run, model);
        model.dag.scroll = (0, 0);
        model.dag.view.zoom = zoom_for(model, &run);
    }
    let known = u32::try_from(run.len()).unwrap_or(u32::MAX);
    if model.dag.view.selected.is_none_or(|it| it >= known) {
        model.dag.view.selected = (known > 0).then_some(0);
    }
    model.dag.picture = Some(picture(model, &run, &model.dag.view, before.as_deref()));
}

/// The nearest zoom at which all of it can be seen; large ones as a tree of lines.
fn zoom_for(model: &Model, run: &RunView) -> Zoom {
    const CARDS_MAX: usize = 16;
    const COMPACT_MAX: usize = 3_000;
    match run.len() {
        0..=CARDS_MAX => {
            let cards = DagView { zoom: Zoom::Cards, ..DagView::default() };
            let (width, height) = picture(model, run, &cards, None).layout.size();
            let area = layout::dag(model).graph;
            let fits = width <= i32::from(area.width) && height <= i32::from(area.height);
            if fits { Zoom::Cards } else { Zoom::Compact }
        }
        len if len <= COMPACT_MAX => Zoom::Compact,
        _ => Zoom::Outline,
    }
}

/// The small picture beside the list of runs.
fn refresh_preview(model: &mut Model) {
    let shows = layout::frame(model.size).width >= Width::Two && !model.runs.preview_hidden;
    let Some(run) = whole(model, model.runs.selected).filter(|_| shows) else {
        model.runs.picture = None;
        return;
    };
    let before = model.runs.picture.clone().filter(|it| it.run == run.id());
    model.runs.picture = Some(picture(model, &run, &DagView::default(), before.as_deref()));
}

fn whole(model: &Model, run: Option<RunId>) -> Option<Arc<RunView>> {
    run.and_then(|it| model.board.run(it)).cloned()
}

fn picture(model: &Model, run: &RunView, view: &DagView, before: Option<&Picture>) -> Arc<Picture> {
    let graph = graph_of(model, run);
    let shown = fold(&graph, view);
    let layout = match before {
        Some(before) if before.layout.fits(&shown) => Arc::clone(&before.layout),
        before => Arc::new(layout(&shown, before.map(|it| it.layout.order()), view.zoom)),
    };
    Arc::new(Picture { run: run.id(), graph, shown, layout })
}

/// What waits for somebody, failed or runs; else the first step.
fn first_to_look_at(run: &RunView, model: &Model) -> Option<u32> {
    let steps = run.steps().filter(|(_, _, step)| step.inside.is_none());
    let urgency = |step| mark_of_step(step, &model.board, model.now).urgency();
    let is_hot = |step| urgency(step) >= Mark::Waits.urgency();
    let steps = steps.filter(|(_, _, step)| is_hot(step));
    steps
        .max_by_key(|(index, _, step)| (urgency(step), std::cmp::Reverse(index.0)))
        .map(|(index, _, _)| index.0)
}

/// Every step and frame of a run, and what needs what.
fn graph_of(model: &Model, run: &RunView) -> DagGraph {
    let graph = Graph::of(&model.board, run, model.now);
    let node = |it: crate::projection::Node| {
        let mark = run.step(it.step).map_or(Mark::Todo, |step| mark_of_step(step, &model.board, model.now));
        DagNode {
            label: it.local,
            mark,
            group: it.frame.map(|it| it.0),
            copy_of: it.copy_of.map(|it| it.0),
            hot: it.hot,
            note: note_of(model, run, &it.note, it.step),
            critical: it.critical,
        }
    };
    DagGraph {
        edges: graph.edges.iter().map(|(from, to)| (from.0, to.0)).collect(),
        nodes: graph.nodes.into_iter().map(node).collect(),
    }
}

/// Progress or why, in at most nine cells.
fn note_of(model: &Model, run: &RunView, note: &str, step: StepIx) -> String {
    let Some(view) = run.step(step) else { return String::new() };
    match view.wait() {
        Some(WaitReason::Person(gate)) => {
            let votes =
                model.board.gate(*gate).map(|it| format!(" {}/{}", it.approvals().count(), it.needed()));
            format!("{}{}", age(model.now.since(view.since)), votes.unwrap_or_default())
        }
        _ => note.to_owned(),
    }
}

//! The graph of a run becomes a picture: folded and laid out. It is kept while nothing of it has changed, and its layout
//! while the shape is the same. A small one is made here; a large one is asked for, and the old one stays until it comes:
//! neither a key nor a step that ends ever waits for a layout.
//!
//! The drawing is made in `scene`; `arranger` makes the large ones.

use super::state::{Arranging, Near, Picture};
use crate::{
    Arranged, DagView, Folding, Mark, Model, Scene, View, Width, Wish, Zoom, dag::near, fold, layout,
    marks::mark_of_step,
};
use cuelight_base::{RunId, Span};
use cuelight_projection::RunView;
use std::sync::Arc;

/// Pictures of runs of at most so many steps are made at once.
const AT_ONCE_MAX: usize = 256;
/// Others are made at most one part in so many of the time, unless somebody asked to see something else.
const SHARE: u64 = 4;

/// Distance from the cursor, in edges, up to which steps are shown beside a tree of lines.
const NEAR_HOPS: u32 = 3;
/// The most steps shown beside a tree of lines.
const NEAR_MAX: usize = 60;

/// Makes the pictures of what is looked at now, if anything is, or asks for them.
pub(crate) fn refresh(model: &mut Model, wishes: &mut Vec<Wish>) {
    if model.dag.run.is_none() {
        model.dag.run = model.runs.selected;
    }
    model.pictures.due = None;
    match model.view {
        View::Dag => refresh_dag(model, wishes),
        View::Runs => refresh_preview(model, wishes),
        _ => {}
    }
}

/// A picture that was asked for is there. It may be of another moment by now; then the next one is asked for.
pub(crate) fn arrived(model: &mut Model, request: u64, arranged: Arranged, took: Span) {
    if model.pictures.arranging.as_ref().is_none_or(|arranging| arranging.request != request) {
        return;
    }
    let place = model.pictures.arranging.take().map(|arranging| arranging.place);
    model.pictures.rest = model.clock + Span(took.0.saturating_mul(SHARE - 1));
    let picture = arranged.0;
    match place {
        Some(View::Dag) if model.dag.run == Some(picture.run) => model.dag.picture = Some(picture),
        Some(View::Runs) if model.runs.selected == Some(picture.run) => model.runs.picture = Some(picture),
        Some(_) | None => {}
    }
}

/// The view of a run that was not looked at before: its zoom, nothing folded by hand, the cursor at what matters.
pub(crate) fn begin(model: &mut Model) {
    let Some(run) = whole(model, model.dag.run).filter(|run| model.dag.begun != Some(run.id())) else {
        return;
    };
    model.dag.begun = Some(run.id());
    // A step that was gone to is where the cursor stays.
    model.dag.held = model.dag.goal.is_some();
    (model.dag.picture, model.dag.near) = (None, None);
    (model.dag.view.wide, model.dag.view.room) = (is_wide(model), layout::room(model));
    model.dag.view.all_edges = false;
    model.dag.view.folds.clear();
    model.dag.view.selected = model.dag.goal.take().or_else(|| first_to_look_at(&run, model));
    model.dag.scroll = (0, 0);
    model.dag.found.clear();
    // What was chosen stays chosen, except that very large runs are not drawn whole.
    model.dag.view.zoom = match model.dag.chosen {
        Some(zoom) if run.len() <= COMPACT_MAX => zoom,
        _ => zoom_for(model, &run),
    };
}

fn is_wide(model: &Model) -> bool {
    layout::frame(model.size).width == Width::Three
}

fn refresh_dag(model: &mut Model, wishes: &mut Vec<Wish>) {
    let Some(run) = whole(model, model.dag.run) else {
        (model.dag.begun, model.dag.picture, model.dag.near) = (None, None, None);
        return;
    };
    begin(model);
    (model.dag.view.wide, model.dag.view.room) = (is_wide(model), layout::room(model));
    if model.look.reader {
        // A tree of lines is what can be read out.
        model.dag.view.zoom = Zoom::Outline;
        model.dag.map = Some(false);
    }
    let known = u32::try_from(run.len()).unwrap_or(u32::MAX);
    if model.dag.view.selected.is_none_or(|selected| selected >= known) {
        model.dag.view.selected = (known > 0).then_some(0);
    }
    let scene = scene(model, &run, model.dag.view.clone(), model.dag.picture.clone());
    model.dag.picture = picture(model, scene, View::Dag, wishes);
    refresh_near(model);
}

/// Updates the surroundings of the cursor, beside a tree of lines.
fn refresh_near(model: &mut Model) {
    let (Some(picture), Some(selected)) = (&model.dag.picture, model.dag.view.selected) else { return };
    if layout::dag(model).near.is_none() {
        model.dag.near = None;
        return;
    }
    let is_same = |near: &Arc<Near>| near.selected == selected && Arc::ptr_eq(&near.of, &picture.graph);
    if model.dag.near.as_ref().is_some_and(is_same) {
        return;
    }
    let part = near(&picture.graph, &picture.beside, selected, (NEAR_HOPS, NEAR_MAX));
    let view = DagView { folding: Folding::Nothing, selected: part.of_whole(selected), ..DagView::default() };
    let shown = fold(&part.graph, &view);
    let before = model.dag.near.as_ref().filter(|near| near.selected == selected);
    let places = match before {
        Some(before) if before.layout.fits(&shown) => Arc::clone(&before.layout),
        before => Arc::new(layout(&shown, before.map(|near| near.layout.order()), view.zoom)),
    };
    let of = Arc::clone(&picture.graph);
    model.dag.near = Some(Arc::new(Near { selected, of, view, shown, layout: places }));
}

/// Steps that are tried as cards at first.
const CARDS_MAX: usize = 200;
/// Steps that are drawn whole at first.
const COMPACT_MAX: usize = 3_000;

/// The nearest zoom at which all of it can be seen; large ones as a tree of lines.
fn zoom_for(model: &Model, run: &Arc<RunView>) -> Zoom {
    match run.len() {
        0..=CARDS_MAX => {
            let DagView { wide, room, .. } = model.dag.view;
            let cards = DagView { zoom: Zoom::Cards, wide, room, ..DagView::default() };
            let places = Arc::clone(&scene(model, run, cards, None).arranged().0.layout);
            let (width, height) = places.size();
            let area = layout::dag(model).graph;
            let has_room = width <= i32::from(area.width) && height <= i32::from(area.height);
            let fits = has_room && !places.is_cut() && !places.is_levels();
            if fits { Zoom::Cards } else { Zoom::Compact }
        }
        len if len <= COMPACT_MAX => Zoom::Compact,
        _ => Zoom::Outline,
    }
}

/// The small picture beside the list of runs.
fn refresh_preview(model: &mut Model, wishes: &mut Vec<Wish>) {
    let shows = layout::frame(model.size).width >= Width::Two && !model.runs.preview_hidden;
    let Some(run) = whole(model, model.runs.selected).filter(|_| shows) else {
        model.runs.picture = None;
        return;
    };
    let before = model.runs.picture.clone().filter(|picture| picture.run == run.id());
    let inside = layout::runs(model).preview.map_or(0, |area| area.width.saturating_sub(4));
    let scene = scene(model, &run, DagView { room: inside, ..DagView::default() }, before);
    model.runs.picture = picture(model, scene, View::Runs, wishes);
}

fn whole(model: &Model, run: Option<RunId>) -> Option<Arc<RunView>> {
    run.and_then(|run| model.board.run(run)).cloned()
}

fn scene(model: &Model, run: &Arc<RunView>, view: DagView, before: Option<Arc<Picture>>) -> Scene {
    Scene { board: Arc::clone(&model.board), run: Arc::clone(run), now: model.now, view, before }
}

/// The picture that is shown from now on: the one before while it is right or another is being made.
fn picture(model: &mut Model, scene: Scene, place: View, wishes: &mut Vec<Wish>) -> Option<Arc<Picture>> {
    if scene.is_made() {
        return scene.before;
    }
    if scene.run.len() <= AT_ONCE_MAX {
        return Some(scene.arranged().0);
    }
    let before = scene.before.clone();
    if model.pictures.arranging.is_some() {
        return before;
    }
    // What somebody asked to see does not wait for its turn.
    let is_asked = before.as_ref().is_none_or(|picture| !scene.is_seen(picture, &scene.basis()));
    if !is_asked && model.clock < model.pictures.rest {
        model.pictures.due = Some(model.pictures.rest);
        return before;
    }
    let request = model.requests.number();
    model.pictures.arranging = Some(Arranging { request, place, since: model.clock });
    wishes.push(Wish::Arrange { request, scene: Box::new(scene) });
    before
}

/// The most urgent step that waits, failed or runs, the earliest of equals; None if there is none.
fn first_to_look_at(run: &RunView, model: &Model) -> Option<u32> {
    let steps = run.steps().filter(|(_, _, step)| step.inside.is_none());
    let urgency = |step| mark_of_step(step, &model.board, model.now).urgency();
    let is_hot = |step| urgency(step) >= Mark::Waits.urgency();
    let steps = steps.filter(|(_, _, step)| is_hot(step));
    steps
        .max_by_key(|(index, _, step)| (urgency(step), std::cmp::Reverse(index.0)))
        .map(|(index, _, _)| index.0)
}

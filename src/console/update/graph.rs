//! The graph of a run becomes a picture: folded and laid out. It is kept while nothing of it has changed, and its layout
//! while the shape is the same: a key costs nothing here, a second passes over what goes on alone, and a state change
//! costs a fold and no layout.

use crate::{
    base::{RunId, Span, StepIx},
    console::{
        DagGraph, DagNode, DagView, FoldKind, Folding, Mark, Model, View, Width, Zoom, fold, layout,
        marks::{age, mark_of_step, word_of_risk},
        model::{Basis, Near, Picture},
        neighbourhood,
    },
    engine::WaitReason,
    plan::Work,
    projection::{Graph, Node, RunView},
};
use std::sync::Arc;

/// Beside a tree of lines stands what is so many edges from its cursor,
const NEAR_HOPS: u32 = 3;
/// and at most so many steps.
const NEAR_MAX: usize = 60;
/// The longest way is looked for at most so often.
const CRITICAL_EVERY: Span = Span(1_000);

/// Makes the pictures of what is looked at now, if anything is.
pub(super) fn refresh(model: &mut Model) {
    if model.dag.run.is_none() {
        model.dag.run = model.runs.selected;
    }
    match model.view {
        View::Dag => refresh_dag(model),
        View::Runs => refresh_preview(model),
        _ => {}
    }
}

fn refresh_dag(model: &mut Model) {
    let Some(run) = whole(model, model.dag.run) else {
        (model.dag.picture, model.dag.near) = (None, None);
        return;
    };
    let before = model.dag.picture.clone().filter(|it| it.run == run.id());
    model.dag.view.wide = layout::frame(model.size).width == Width::Three;
    if before.is_none() {
        model.dag.view.folds.clear();
        model.dag.view.selected = model.dag.goal.take().or_else(|| first_to_look_at(&run, model));
        model.dag.scroll = (0, 0);
        model.dag.found.clear();
        model.dag.view.zoom = zoom_for(model, &run);
    }
    if model.look.reader {
        // A tree of lines is what can be read out.
        model.dag.view.zoom = Zoom::Outline;
        model.dag.map_hidden = true;
    }
    let known = u32::try_from(run.len()).unwrap_or(u32::MAX);
    if model.dag.view.selected.is_none_or(|it| it >= known) {
        model.dag.view.selected = (known > 0).then_some(0);
    }
    model.dag.picture = Some(picture(model, &run, &model.dag.view, before.as_ref()));
    refresh_near(model);
}

/// What stands around the cursor, beside a tree of lines.
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
    let part = neighbourhood(&picture.graph, selected, NEAR_HOPS, NEAR_MAX);
    let view = DagView { folding: Folding::Nothing, selected: part.of_whole(selected), ..DagView::default() };
    let shown = fold(&part.graph, &view);
    let before = model.dag.near.as_ref().filter(|near| near.selected == selected);
    let places = match before {
        Some(before) if before.layout.fits(&shown) => Arc::clone(&before.layout),
        before => Arc::new(layout(&shown, before.map(|it| it.layout.order()), view.zoom)),
    };
    let of = Arc::clone(&picture.graph);
    model.dag.near = Some(Arc::new(Near { selected, of, view, shown, layout: places }));
}

/// The nearest zoom at which all of it can be seen; large ones as a tree of lines.
fn zoom_for(model: &Model, run: &Arc<RunView>) -> Zoom {
    const CARDS_MAX: usize = 16;
    const COMPACT_MAX: usize = 3_000;
    match run.len() {
        0..=CARDS_MAX => {
            let cards = DagView { zoom: Zoom::Cards, wide: model.dag.view.wide, ..DagView::default() };
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
    model.runs.picture = Some(picture(model, &run, &DagView::default(), before.as_ref()));
}

fn whole(model: &Model, run: Option<RunId>) -> Option<Arc<RunView>> {
    run.and_then(|it| model.board.run(it)).cloned()
}

/// A picture is made anew only when what it shows has changed: neither keys nor other runs cost a fold.
fn picture(model: &Model, run: &Arc<RunView>, view: &DagView, before: Option<&Arc<Picture>>) -> Arc<Picture> {
    let free = DagView { selected: None, ..view.clone() };
    let moves = !run.summary.state.rests();
    let moment = moves.then(|| (model.board.seq, model.now.0.div_euclid(1000)));
    let mut basis = Basis { moment, view: free };
    let is_seen = |before: &Picture| {
        before.basis.view == *view || before.basis.view == basis.view && before.shown.is_free(view)
    };
    if let Some(before) = before
        && Arc::ptr_eq(&before.of, run)
        && before.basis.moment == basis.moment
        && is_seen(before)
    {
        return Arc::clone(before);
    }
    let now = Now::of(model, run, before.map(|it| &**it));
    if let Some(before) = before.filter(|it| now.only_notes && is_seen(it)) {
        basis.view = before.basis.view.clone();
        let shown = with_notes(&before.shown, &now.graph);
        return Arc::new(Picture { basis, shown, ..now.picture(run, &before.layout) });
    }
    let mut shown = fold(&now.graph, &basis.view);
    if !shown.is_free(view) {
        basis.view = view.clone();
        shown = fold(&now.graph, view);
    }
    let places = match before {
        Some(before) if before.layout.fits(&shown) => Arc::clone(&before.layout),
        before => Arc::new(layout(&shown, before.map(|it| it.layout.order()), view.zoom)),
    };
    Arc::new(Picture { basis, shown, ..now.picture(run, &places) })
}

/// The same picture with the notes of steps as they are now.
fn with_notes(shown: &crate::console::Shown, graph: &DagGraph) -> crate::console::Shown {
    let mut shown = shown.clone();
    for node in shown.nodes.iter_mut().filter(|it| it.key.kind == FoldKind::Step) {
        let now = &graph.nodes[node.first as usize];
        if node.note != now.note {
            node.note = crate::base::safe_text(&now.note);
        }
        for (told, line) in node.asks.iter_mut().zip(&now.asks) {
            *told = crate::base::safe_text(line);
        }
    }
    shown
}

/// A run's graph as it is now.
struct Now {
    graph: Arc<DagGraph>,
    /// The longest way through the run, how long it took, and when it was looked for.
    critical: (Arc<[u32]>, Span, crate::base::Timestamp),
    /// Whether nothing differs from the picture before but notes.
    only_notes: bool,
}

impl Now {
    /// Of a graph that is known what has changed is made anew, else all of it.
    fn of(model: &Model, run: &Arc<RunView>, before: Option<&Picture>) -> Self {
        let known = before.filter(|it| {
            it.graph.nodes.len() == run.len() && it.of.summary.plan_hash == run.summary.plan_hash
        });
        let Some(before) = known else {
            let graph = Graph::of(&model.board, run, model.now);
            let critical: Vec<u32> = graph.critical.iter().map(|it| it.0).collect();
            let critical = (critical.into(), graph.critical_time, model.now);
            return Self { graph: Arc::new(graph_of(model, run, graph)), critical, only_notes: false };
        };
        let mut graph = (*before.graph).clone();
        let mut only_notes = true;
        for (step, _, view) in run.steps() {
            let node = &mut graph.nodes[step.index()];
            let stands = |it: &crate::projection::StepView| {
                (it.state, it.since, it.calls, it.inside.as_ref().map(Arc::as_ptr))
                    == (view.state, view.since, view.calls, view.inside.as_ref().map(Arc::as_ptr))
            };
            if !node.hot && (Arc::ptr_eq(&before.of, run) || before.of.step(step).is_some_and(stands)) {
                continue;
            }
            if let Some(now) = Graph::node(&model.board, run, step, model.now) {
                let now =
                    DagNode { copy_of: node.copy_of, critical: node.critical, ..node_of(model, run, now) };
                only_notes &= (now.mark, now.hot, now.asks.len()) == (node.mark, node.hot, node.asks.len());
                *node = now;
            }
        }
        let mut critical = before.critical.clone();
        if !run.summary.state.rests() && model.now.since(critical.2) >= CRITICAL_EVERY
            || run.summary.state != before.of.summary.state
        {
            let (path, time) = Graph::critical_path(run, model.now);
            let path: Arc<[u32]> = path.iter().map(|it| it.0).collect();
            if path != critical.0 {
                only_notes = false;
                graph.nodes.iter_mut().for_each(|it| it.critical = false);
                for step in path.iter().map(|it| StepIx(*it)) {
                    let holders = run.frames_of(step).chain(std::iter::once(step));
                    holders.for_each(|it| graph.nodes[it.index()].critical = true);
                }
            }
            critical = (path, time, model.now);
        }
        Self { graph: Arc::new(graph), critical, only_notes }
    }

    fn picture(self, run: &Arc<RunView>, places: &Arc<crate::console::Layout>) -> Picture {
        Picture {
            run: run.id(),
            of: Arc::clone(run),
            basis: Basis::default(),
            graph: self.graph,
            critical: self.critical,
            shown: crate::console::Shown::default(),
            layout: Arc::clone(places),
        }
    }
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
fn graph_of(model: &Model, run: &RunView, graph: Graph) -> DagGraph {
    DagGraph {
        edges: graph.edges.iter().map(|(from, to)| (from.0, to.0)).collect(),
        nodes: graph.nodes.into_iter().map(|it| node_of(model, run, it)).collect(),
    }
}

fn node_of(model: &Model, run: &RunView, it: Node) -> DagNode {
    let gate = run.plan_step(it.step).is_some_and(|it| matches!(it.work, Work::Gate(_)));
    let mark = run.step(it.step).map_or(Mark::Todo, |step| mark_of_step(step, &model.board, model.now));
    DagNode {
        label: it.local,
        mark,
        group: it.frame.map(|it| it.0),
        copy_of: it.copy_of.map(|it| it.0),
        hot: it.hot,
        gate,
        note: note_of(model, run, &it.note, it.step),
        asks: if gate && it.hot { asks_of(model, run, it.step) } else { Vec::new() },
        critical: it.critical,
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

/// Of a gate that waits: how risky it is, how long it has waited and for whom, and the question.
fn asks_of(model: &Model, run: &RunView, step: StepIx) -> Vec<String> {
    let gate = run.step(step).and_then(|it| it.gate()).and_then(|it| model.board.gate(it));
    let Some(gate) = gate.filter(|it| it.is_open()) else { return Vec::new() };
    let waits = age(model.now.since(gate.ask.opened_at));
    let (has, needed) = (gate.approvals().count(), gate.needed());
    vec![
        format!("{} risk", word_of_risk(gate.ask.risk)),
        format!("{}   waits {waits}   {has} of {needed} votes", gate.id),
        gate.ask.prompt.lines().next().unwrap_or_default().to_owned(),
    ]
}

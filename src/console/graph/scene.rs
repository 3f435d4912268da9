//! A run's graph on its way to a picture: folded, and laid out where its shape has changed. All that goes in is data that
//! nobody changes any more, so a large one is made on another thread (`arranger`) while the old picture stays.
//!
//! When a picture is wanted is left to `pictures`, how it looks to `dag`.

use super::state::{Basis, Picture};
use crate::{
    DagGraph, DagNode, DagView, FoldKind, Layout, Mark, Shown,
    dag::{Beside, fold, layout},
    marks::{age, mark_of_step},
};
use cuelight_base::{Span, StepIx, Timestamp};
use cuelight_engine::WaitReason;
use cuelight_plan::Work;
use cuelight_projection::{Board, Graph, Node, RunView};
use std::{fmt, sync::Arc};

/// The longest way is looked for at most so often.
const CRITICAL_EVERY: Span = Span(1_000);

/// All that a picture is made of.
#[derive(Clone, PartialEq)]
pub struct Scene {
    pub(crate) board: Arc<Board>,
    pub(crate) run: Arc<RunView>,
    /// The instant that is seen.
    pub(crate) now: Timestamp,
    pub(crate) view: DagView,
    /// The picture before, from which nodes keep their order, and whose places serve again while its shape is the same.
    pub(crate) before: Option<Arc<Picture>>,
}

/// A picture that was made elsewhere, on its way back.
#[derive(Clone, PartialEq)]
pub struct Arranged(pub(crate) Arc<Picture>);

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scene")
            .field("run", &self.run.id())
            .field("at", &self.board.seq)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Arranged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arranged").field(&self.0.run).finish()
    }
}

impl Scene {
    /// Folds it, and lays it out unless the places of the picture before fit.
    pub fn arranged(&self) -> Arranged {
        Arranged(Arc::new(self.picture()))
    }

    /// The inputs that the picture will depend on, without the selection unless it keeps a step out of a
    /// fold.
    pub(super) fn basis(&self) -> Basis {
        let moves = !self.run.summary.state.rests();
        let moment = moves.then(|| (self.board.seq, self.now.0.div_euclid(1000)));
        Basis { moment, view: DagView { selected: None, ..self.view.clone() } }
    }

    /// True if the previous picture is still up to date.
    pub(super) fn is_made(&self) -> bool {
        let basis = self.basis();
        self.before.as_ref().is_some_and(|before| {
            Arc::ptr_eq(&before.of, &self.run)
                && before.basis.moment == basis.moment
                && self.is_seen(before, &basis)
        })
    }

    /// True if a picture has the wanted zoom and folds, and shows the selected step.
    pub(super) fn is_seen(&self, before: &Picture, basis: &Basis) -> bool {
        before.basis.view == self.view || before.basis.view == basis.view && before.shown.is_free(&self.view)
    }

    fn picture(&self) -> Picture {
        let mut basis = self.basis();
        let now = Now::of(self);
        let before = self.before.as_ref();
        if let Some(before) = before.filter(|picture| now.only_notes && self.is_seen(picture, &basis)) {
            basis.view = before.basis.view.clone();
            let shown = with_notes(&before.shown, &now.graph);
            return now.picture(self, basis, shown, Arc::clone(&before.layout));
        }
        let mut shown = fold(&now.graph, &basis.view);
        if !shown.is_free(&self.view) {
            basis.view = self.view.clone();
            shown = fold(&now.graph, &self.view);
        }
        let places = match before {
            Some(before) if before.layout.fits(&shown) => Arc::clone(&before.layout),
            before => Arc::new(layout(&shown, before.map(|picture| picture.layout.order()), self.view.zoom)),
        };
        now.picture(self, basis, shown, places)
    }
}
/// The same picture with the notes of steps as they are now.
fn with_notes(shown: &Shown, graph: &DagGraph) -> Shown {
    let mut shown = shown.clone();
    for node in shown.nodes.iter_mut().filter(|node| node.key.kind == FoldKind::Step) {
        let now = &graph.nodes[node.first as usize];
        if node.note != now.note {
            node.note = cuelight_base::safe_text(&now.note);
        }
        for (told, line) in node.asks.iter_mut().zip(&now.asks) {
            *told = cuelight_base::safe_text(line);
        }
    }
    shown
}

/// A run's graph as it is now.
struct Now {
    graph: Arc<DagGraph>,
    beside: Arc<Beside>,
    /// The longest way through the run, how long it took, and when it was looked for.
    critical: (Arc<[u32]>, Span, Timestamp),
    /// True if only notes differ from the previous picture.
    only_notes: bool,
}

impl Now {
    /// Computes the graph now. If the previous picture is of the same plan, only changed steps are made
    /// again.
    fn of(scene: &Scene) -> Self {
        let Scene { board, run, now, .. } = scene;
        let known = scene.before.as_ref().filter(|picture| {
            picture.graph.nodes.len() == run.len() && picture.of.summary.plan_hash == run.summary.plan_hash
        });
        let Some(before) = known else {
            let graph = Graph::of(board, run, *now);
            let critical: Vec<u32> = graph.critical.iter().map(|step| step.0).collect();
            let critical = (critical.into(), graph.critical_time, *now);
            let graph = graph_of(scene, graph);
            let beside = Arc::new(Beside::of(&graph));
            return Self { graph: Arc::new(graph), beside, critical, only_notes: false };
        };
        let mut graph = (*before.graph).clone();
        let mut only_notes = true;
        for (step, _, view) in run.steps() {
            let node = &mut graph.nodes[step.index()];
            let stands = |step: &cuelight_projection::StepView| {
                (step.state, step.since, step.calls, step.inside.as_ref().map(Arc::as_ptr))
                    == (view.state, view.since, view.calls, view.inside.as_ref().map(Arc::as_ptr))
            };
            if !node.hot && (Arc::ptr_eq(&before.of, run) || before.of.step(step).is_some_and(stands)) {
                continue;
            }
            if let Some(now) = Graph::node(board, run, step, *now) {
                let now = DagNode { copy_of: node.copy_of, critical: node.critical, ..node_of(scene, now) };
                only_notes &= (now.mark, now.hot, now.asks.len()) == (node.mark, node.hot, node.asks.len());
                *node = now;
            }
        }
        let mut critical = before.critical.clone();
        if !run.summary.state.rests() && now.since(critical.2) >= CRITICAL_EVERY
            || run.summary.state != before.of.summary.state
        {
            let (path, time) = Graph::critical_path(run, *now);
            let path: Arc<[u32]> = path.iter().map(|step| step.0).collect();
            if path != critical.0 {
                only_notes = false;
                graph.nodes.iter_mut().for_each(|node| node.critical = false);
                for step in path.iter().map(|number| StepIx(*number)) {
                    let holders = run.frames_of(step).chain(std::iter::once(step));
                    holders.for_each(|holder| graph.nodes[holder.index()].critical = true);
                }
            }
            critical = (path, time, *now);
        }
        let beside = Arc::clone(&before.beside);
        Self { graph: Arc::new(graph), beside, critical, only_notes }
    }

    fn picture(self, scene: &Scene, basis: Basis, shown: Shown, places: Arc<Layout>) -> Picture {
        Picture {
            run: scene.run.id(),
            of: Arc::clone(&scene.run),
            basis,
            graph: self.graph,
            beside: self.beside,
            critical: self.critical,
            shown,
            layout: places,
        }
    }
}

/// Every step and frame of a run, and what needs what.
fn graph_of(scene: &Scene, graph: Graph) -> DagGraph {
    DagGraph {
        edges: graph.edges.iter().map(|(from, to)| (from.0, to.0)).collect(),
        nodes: graph.nodes.into_iter().map(|node| node_of(scene, node)).collect(),
    }
}

fn node_of(scene: &Scene, node: Node) -> DagNode {
    let Scene { board, run, now, .. } = scene;
    let gate = run.plan_step(node.step).is_some_and(|plan_step| matches!(plan_step.work, Work::Gate(_)));
    let mark = run.step(node.step).map_or(Mark::Todo, |step| mark_of_step(step, board, *now));
    DagNode {
        label: node.local,
        mark,
        group: node.frame.map(|frame| frame.0),
        copy_of: node.copy_of.map(|copy_of| copy_of.0),
        hot: node.hot,
        gate,
        note: note_of(scene, &node.note, node.step),
        asks: if gate && node.hot { asks_of(scene, node.step) } else { Vec::new() },
        critical: node.critical,
    }
}

/// Progress or why, in at most nine cells.
fn note_of(scene: &Scene, note: &str, step: StepIx) -> String {
    let Scene { board, run, now, .. } = scene;
    let Some(view) = run.step(step) else { return String::new() };
    match view.wait() {
        Some(WaitReason::Person(gate)) => {
            let votes =
                board.gate(*gate).map(|gate| format!(" {}/{}", gate.approvals().count(), gate.needed()));
            format!("{}{}", age(now.since(view.since)), votes.unwrap_or_default())
        }
        _ => note.to_owned(),
    }
}

/// The lines about a waiting gate: risk, age, approvers, and the question. Empty for any other step.
fn asks_of(scene: &Scene, step: StepIx) -> Vec<String> {
    let Scene { board, run, now, .. } = scene;
    let gate = run.step(step).and_then(|step| step.gate()).and_then(|gate| board.gate(gate));
    let Some(gate) = gate.filter(|gate| gate.is_open()) else { return Vec::new() };
    let waits = age(now.since(gate.ask.opened_at));
    let (has, needed) = (gate.approvals().count(), gate.needed());
    vec![
        format!("{} risk", cuelight_projection::ask_risk_word(gate.ask.risk)),
        format!("{}   waits {waits}   {has} of {}", gate.id, cuelight_base::counted(needed, "vote", "votes")),
        gate.ask.prompt.lines().next().unwrap_or_default().to_owned(),
    ]
}

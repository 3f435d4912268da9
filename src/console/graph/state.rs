//! State of the view of the graph: the picture, its surroundings and the effect of an answer.

use crate::{DagGraph, DagView, Fates, FoldKind, Intent, Layout, Shown, View, dag::Beside};
use cuelight_base::{RunId, Seq, Span, StepIx, Timestamp};
use cuelight_projection::RunView;
use std::sync::Arc;

/// State of the view of the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct DagState {
    /// The run that is looked at.
    pub run: Option<RunId>,
    /// Zoom, folds and selection.
    pub view: DagView,
    /// The zoom before the tree was asked for.
    pub zoom_before_tree: Option<crate::Zoom>,
    /// The top left cell of what is seen of the picture.
    pub scroll: (i32, i32),
    /// True if the view follows running steps.
    pub follow: bool,
    /// The step to be selected when the picture of another run is there.
    pub goal: Option<u32>,
    /// When follow moved last.
    pub followed_at: Timestamp,
    /// True if the user moved the cursor since the run was opened: it is not followed away from there.
    pub held: bool,
    /// True if the map is wanted, false if it is not; else it is shown where it takes nothing from the graph.
    pub map: Option<bool>,
    /// The last search, and the steps that match it, ascending.
    pub find: String,
    pub found: Vec<u32>,
    pub what_if: WhatIf,
    /// The surroundings of the cursor, beside a tree of lines.
    pub near: Option<Arc<Near>>,
    /// The zoom that the operator chose: it stays from run to run.
    pub chosen: Option<crate::Zoom>,
    /// The run for which zoom, folds and selection were begun anew.
    pub begun: Option<RunId>,
    /// The newest picture there is, made before `draw`, which only paints.
    pub picture: Option<Arc<Picture>>,
}

impl DagState {
    /// True if the cursor is on one step that failed.
    pub(crate) fn is_on_failure(&self) -> bool {
        let node = self.picture.as_ref().zip(self.view.selected).and_then(|(picture, selected)| {
            let is_step = picture.shown.selected(&self.view)?.key.kind == FoldKind::Step;
            picture.graph.nodes.get(selected as usize).filter(|_| is_step)
        });
        node.is_some_and(|node| node.has_failed())
    }
}

/// A run's graph, folded and laid out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub run: RunId,
    /// The run that the picture was made from: the same run gives the same picture.
    pub of: Arc<RunView>,
    pub basis: Basis,
    pub graph: Arc<DagGraph>,
    /// The same by its ends.
    pub beside: Arc<Beside>,
    /// The longest way through the run, how long it took, and when it was looked for.
    pub critical: (Arc<[u32]>, Span, Timestamp),
    pub shown: Shown,
    pub layout: Arc<Layout>,
}

/// The picture of a graph that is awaited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pictures {
    /// The picture that is being made elsewhere; one at a time.
    pub arranging: Option<Arranging>,
    /// Before this no other is asked for, unless somebody asked to see something else.
    pub rest: Timestamp,
    /// When one is due.
    pub due: Option<Timestamp>,
}

/// A picture that is being made elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arranging {
    pub request: u64,
    /// The view that waits for it.
    pub place: View,
    pub since: Timestamp,
}

/// The surroundings of the cursor in a tree of lines.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    pub selected: u32,
    pub of: Arc<DagGraph>,
    pub view: DagView,
    pub shown: Shown,
    pub layout: Arc<Layout>,
}

/// The effect of an answer on the steps, before it is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhatIf {
    /// The step it is about, and how it stood.
    pub of: Option<(RunId, StepIx)>,
    /// The answer that is looked at; without one no step is painted over.
    pub verb: Option<Intent>,
    /// The question that is on its way.
    pub asked: Option<u64>,
    /// The inputs that the fates were made from: the answer, the ask, the last event.
    pub basis: Option<(Option<Intent>, Option<cuelight_base::Digest>, Seq)>,
    pub fates: Option<Arc<Fates>>,
    /// The same in words: which answer, and what follows from it.
    pub lines: Vec<(&'static str, String)>,
}

/// All that a picture depends on beside its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Basis {
    /// The last event and the second: votes and ages. A run at rest stands still.
    pub moment: Option<(Seq, i64)>,
    /// Zoom and folds, and the selection if it keeps something out of a fold.
    pub view: DagView,
}

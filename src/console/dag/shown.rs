//! The wishes of a view, and the graph after folding.

use super::levels::{Level, LevelName};
use crate::{Glyphs, Mark};
use std::collections::BTreeMap;

/// The detail in which each node is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zoom {
    /// A tree of lines, with references back to what was named before.
    Outline,
    /// One braille dot for each step.
    Dots,
    /// Sign and name, one row for each node.
    #[default]
    Compact,
    /// A card of three rows for each node.
    Cards,
}

impl Zoom {
    /// One step nearer, if there is one.
    #[must_use]
    pub fn nearer(self) -> Self {
        match self {
            Self::Outline => Self::Dots,
            Self::Dots => Self::Compact,
            Self::Compact | Self::Cards => Self::Cards,
        }
    }

    /// One step farther, if there is one.
    #[must_use]
    pub fn farther(self) -> Self {
        match self {
            Self::Outline | Self::Dots => Self::Outline,
            Self::Compact => Self::Dots,
            Self::Cards => Self::Compact,
        }
    }

    /// Its number, 0 to 3 with `Cards`, and its name.
    pub fn name(self) -> (u8, &'static str) {
        match self {
            Self::Outline => (0, "outline"),
            Self::Dots => (1, "dots"),
            Self::Compact => (2, "compact"),
            Self::Cards => (3, "cards"),
        }
    }
}

/// The folding of nodes that the operator has neither opened nor closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Folding {
    /// Large graphs are folded, small ones are not.
    #[default]
    Auto,
    /// All that can be.
    All,
    /// No node is folded.
    Nothing,
}

/// The kind of a fold, or a single step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoldKind {
    /// No fold: one step.
    Step,
    /// Copies of one template.
    Copies,
    /// Steps of which each needs only the one before.
    Chain,
    /// A matrix or a sub-workflow; open, it is a frame around what it holds.
    Group,
    /// Quiet steps of one level that are in one state; its key has the first step of the level.
    Level(Mark),
}

/// The identity of a fold while states change: its kind and its first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldKey {
    /// The kind of the fold.
    pub kind: FoldKind,
    /// The number of its first step.
    pub node: u32,
}

/// State of a view of a graph: zoom, folds, selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DagView {
    /// The detail in which each node is drawn.
    pub zoom: Zoom,
    /// The folding of nodes that are not in `folds`.
    pub folding: Folding,
    /// The operator's choices: true if the fold is open.
    pub folds: BTreeMap<FoldKey, bool>,
    /// The node under the cursor; a fold is selected by its first step.
    pub selected: Option<u32>,
    /// True if boxes of signs and the questions of gates have room.
    pub wide: bool,
    /// Columns that the picture may take; 0 for any number.
    pub room: u16,
    /// True if every edge is drawn, also of a dense graph.
    pub all_edges: bool,
}

impl DagView {
    /// Opens the fold under the cursor (`zo`); false if there is none.
    pub fn open_fold(&mut self, shown: &Shown) -> bool {
        self.say(shown.selected(self).and_then(ShownNode::fold_to_open), true)
    }

    /// Closes the innermost fold around the cursor (`zc`) and selects it; false if there is none.
    pub fn close_fold(&mut self, shown: &Shown) -> bool {
        let around = shown.selected(self).and_then(|node| {
            let frame = node.parent.map(|frame| shown.nodes[frame as usize].key);
            node.within.or(frame).or((node.is_open).then_some(node.key))
        });
        if let Some(key) = around {
            // The first step that the fold will take in stands for it.
            let inside = shown.nodes.iter().filter(|node| node.within == Some(key)).map(|node| node.first);
            self.selected =
                inside.min().filter(|_| matches!(key.kind, FoldKind::Level(_))).or(Some(key.node));
        }
        self.say(around, false)
    }

    /// Opens what is closed under the cursor, else closes what is open around it (`za`).
    pub fn toggle_fold(&mut self, shown: &Shown) -> bool {
        self.open_fold(shown) || self.close_fold(shown)
    }

    /// Folds all that can be (`zM`).
    pub fn close_all(&mut self) {
        self.folds.clear();
        self.folding = Folding::All;
    }

    /// Opens all folds (`zR`).
    pub fn open_all(&mut self) {
        self.folds.clear();
        self.folding = Folding::Nothing;
    }

    fn say(&mut self, key: Option<FoldKey>, open: bool) -> bool {
        key.map(|key| self.folds.insert(key, open)).is_some()
    }
}

/// A graph after folding. It has no cycle, and each edge connects nodes of one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// In file order of their first steps.
    pub nodes: Vec<ShownNode>,
    /// The edges, sorted, each once.
    pub edges: Vec<(u32, u32)>,
    /// True if notes have room beside names.
    pub(super) wide: bool,
    /// Columns that the picture may take; 0 for any number.
    pub(super) room: u16,
    /// True if every edge is drawn, also of a dense graph.
    pub(super) all_edges: bool,
    /// For each node its level in its frame.
    pub(super) level_of: Vec<u32>,
    /// The name of each level of each frame.
    pub(super) levels: BTreeMap<Level, LevelName>,
    /// For each node of the graph the node that shows it.
    pub(super) spot_of: Vec<u32>,
    /// Zoom and all that places depend on, as one number.
    pub(super) shape: u64,
}

/// One node of the picture: a step, a fold, or the frame of an open group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownNode {
    /// The identity of the node.
    pub key: FoldKey,
    /// Its name, without counts.
    pub label: String,
    /// The number of copies, links or steps that it stands for.
    pub count: u32,
    /// The frame it stands in.
    pub parent: Option<u32>,
    /// A frame: its nodes are shown inside.
    pub is_open: bool,
    /// The fold that would take it in.
    pub within: Option<FoldKey>,
    /// The node of the graph that is selected when this is.
    pub first: u32,
    /// Its state; of a fold, that of the worst inside.
    pub mark: Mark,
    /// The number of steps inside in each state, in the order of the table of signs.
    pub counts: Vec<(Mark, u32)>,
    /// The signs of many active steps, one for each or for a few of them; empty for any other node.
    pub heat: Vec<Mark>,
    /// The lines of a waiting gate's question, as far as they have room; empty for any other node.
    pub asks: Vec<String>,
    /// Progress, or the reason of its state.
    pub note: String,
    /// True if a step inside is active, waits or has failed.
    pub hot: bool,
    /// True if it is on the critical path.
    pub critical: bool,
    /// The length in edges of the longest way to it, in the whole graph.
    pub(super) depth: u32,
}

impl ShownNode {
    /// The length in edges of the longest way to it, in the whole graph.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Its name with how many it stands for.
    pub fn title(&self, glyphs: Glyphs) -> String {
        self.titled(&self.label, glyphs)
    }

    /// The same under another name.
    fn titled(&self, label: &str, glyphs: Glyphs) -> String {
        let count = self.count;
        match self.key.kind {
            FoldKind::Step => label.to_owned(),
            FoldKind::Copies => format!("{label} {}{count}", glyphs.pick('×', 'x')),
            FoldKind::Chain if glyphs.ascii => format!("{label} ({count})"),
            FoldKind::Chain => format!("{label} ⋯{count}"),
            FoldKind::Group if self.is_open => label.to_owned(),
            FoldKind::Group if glyphs.ascii => format!("{label} [{count}]"),
            FoldKind::Group => format!("{label} ▸{count}"),
            FoldKind::Level(mark) => format!("{count} {}", words_of_level(mark)),
        }
    }

    /// The number of settled steps inside, and the number of all.
    pub fn progress(&self) -> (u64, u64) {
        let sum = |wanted: fn(Mark) -> bool| {
            self.counts.iter().filter(|(mark, _)| wanted(*mark)).map(|(_, count)| u64::from(*count)).sum()
        };
        (sum(Mark::is_settled), sum(|_| true))
    }

    /// The fold that opening this would open.
    fn fold_to_open(&self) -> Option<FoldKey> {
        (self.key.kind != FoldKind::Step && !self.is_open).then_some(self.key)
    }
}

/// The state of counted steps, said of several.
fn words_of_level(mark: Mark) -> &'static str {
    match mark {
        Mark::Todo => "to do",
        Mark::Skipped => "skipped",
        Mark::Cancelled => "cancelled",
        mark => mark.word(),
    }
}

impl Shown {
    /// The node of the picture that shows a node of the graph.
    pub fn spot_of(&self, node: u32) -> Option<u32> {
        self.spot_of.get(node as usize).copied()
    }

    /// The words of a node in one row. The name of a level stands above its nodes or, of counted ones, before the count.
    pub(super) fn line_of(&self, spot: u32, below_head: bool, glyphs: Glyphs) -> String {
        let node = &self.nodes[spot as usize];
        let level = self.levels.get(&(node.parent, self.level_of[spot as usize]));
        match (node.key.kind, level.filter(|level| !level.common.is_empty())) {
            (FoldKind::Level(_), Some(level)) if !below_head => format!("{} {}", level.common, node.count),
            (FoldKind::Level(_), _) => node.count.to_string(),
            (_, Some(level)) if below_head => node.titled(level.rest_of(&node.label), glyphs),
            _ => node.title(glyphs),
        }
    }

    /// The node under the cursor.
    pub fn selected(&self, view: &DagView) -> Option<&ShownNode> {
        let spot = self.spot_of(view.selected?)?;
        self.nodes.get(spot as usize)
    }

    /// True if the selected step is visible without being kept out of a fold. A fold made without the
    /// selection is then right with it too.
    pub fn is_free(&self, view: &DagView) -> bool {
        let Some(selected) = view.selected else { return true };
        self.selected(view).is_some_and(|node| node.first == selected)
    }

    /// The number of closed folds.
    pub fn folded(&self) -> usize {
        self.nodes.iter().filter(|node| node.fold_to_open().is_some()).count()
    }

    /// Two pictures of one shape share a layout.
    pub fn shape(&self) -> u64 {
        self.shape
    }
}

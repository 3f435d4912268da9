//! The graph as it comes in: steps in file order and what needs what. Knows nothing of folds or places.

use crate::console::Mark;
use std::collections::{BTreeSet, VecDeque};

/// One run's steps and edges, in file order. Edges that name no node, or close a circle, are not drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DagGraph {
    /// The steps, and the groups they stand in.
    pub nodes: Vec<DagNode>,
    /// From what is needed to what needs it.
    pub edges: Vec<(u32, u32)>,
}

/// One step or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagNode {
    /// Its name.
    pub label: String,
    /// Its state.
    pub mark: Mark,
    /// The node it stands in: a matrix or a sub-workflow.
    pub group: Option<u32>,
    /// Steps with the same number are copies of one template.
    pub copy_of: Option<u32>,
    /// Runs, waits, failed or is in doubt: never folded away.
    pub hot: bool,
    /// A gate: what stands there is never folded into a chain, whatever its state.
    pub gate: bool,
    /// Progress or why, in a few cells: `4m 1/2`.
    pub note: String,
    /// Of a gate that waits: its risk, who has agreed, the question.
    pub asks: Vec<String>,
    /// Whether the longest way through the run leads through it.
    pub critical: bool,
}

impl DagNode {
    /// A step of its own that is not on the critical path.
    pub fn new(label: impl Into<String>, mark: Mark) -> Self {
        Self {
            label: label.into(),
            mark,
            group: None,
            copy_of: None,
            hot: false,
            gate: false,
            note: String::new(),
            asks: Vec::new(),
            critical: false,
        }
    }
}

/// A part of a graph, and which node of the whole each of its nodes is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The part.
    pub graph: DagGraph,
    /// For each node of the part its number in the whole, ascending.
    pub nodes: Vec<u32>,
}

impl Neighbourhood {
    /// The number in the part of a node of the whole.
    pub fn of_whole(&self, node: u32) -> Option<u32> {
        self.nodes.binary_search(&node).ok().and_then(|index| u32::try_from(index).ok())
    }
}

/// What stands at most so many edges from a node, nearest first, and at most so many of them.
pub fn neighbourhood(graph: &DagGraph, selected: u32, hops: u32, max: usize) -> Neighbourhood {
    let count = graph.nodes.len();
    if selected as usize >= count || max == 0 {
        return Neighbourhood::default();
    }
    let mut beside = vec![Vec::new(); count];
    for &(from, to) in &graph.edges {
        if (from as usize) < count && (to as usize) < count {
            beside[from as usize].push(to);
            beside[to as usize].push(from);
        }
    }
    // A frame is one step away from what stands in it.
    for (node, frame) in (0_u32..).zip(&graph.nodes).filter_map(|(node, it)| Some((node, it.group?))) {
        if (frame as usize) < count && frame != node {
            beside[node as usize].push(frame);
            beside[frame as usize].push(node);
        }
    }
    let mut found = BTreeSet::from([selected]);
    let mut waiting = VecDeque::from([(selected, 0)]);
    while let Some((node, distance)) = waiting.pop_front() {
        beside[node as usize].sort_unstable();
        for &next in &beside[node as usize] {
            if distance < hops && found.len() < max && found.insert(next) {
                waiting.push_back((next, distance + 1));
            }
        }
    }
    let nodes: Vec<u32> = found.into_iter().collect();
    let number = |node: u32| nodes.binary_search(&node).ok().and_then(|index| u32::try_from(index).ok());
    let part = nodes.iter().map(|&node| {
        let node = &graph.nodes[node as usize];
        DagNode { group: node.group.and_then(number), ..node.clone() }
    });
    let edges = graph.edges.iter().filter_map(|&(from, to)| Some((number(from)?, number(to)?)));
    Neighbourhood { graph: DagGraph { nodes: part.collect(), edges: edges.collect() }, nodes }
}

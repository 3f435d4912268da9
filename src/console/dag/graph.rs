//! The graph as it comes in: steps in file order and what needs what. Knows nothing of folds or places.

use super::links::Ends;
use crate::Mark;
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
    /// The name of the step or group.
    pub label: String,
    /// The state that its sign shows.
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
    /// For a waiting gate: its risk, its approvers so far, and the question. Empty for any other step.
    pub asks: Vec<String>,
    /// True if it is on the critical path of the run.
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

impl DagNode {
    /// True if it failed, for whatever reason.
    pub(crate) const fn has_failed(&self) -> bool {
        matches!(self.mark, Mark::Failed | Mark::TimedOut)
    }
}

/// A part of a graph, and which node of the whole each of its nodes is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The part of the graph.
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

/// A graph by its ends: what stands one edge away from a node. It holds as long as steps and edges are the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Beside {
    ins: Ends,
    outs: Ends,
    /// For each frame what stands in it.
    inside: Ends,
}

impl Beside {
    pub(crate) fn of(graph: &DagGraph) -> Self {
        let count = graph.nodes.len();
        let edges =
            graph.edges.iter().filter(|(from, to)| (*from as usize) < count && (*to as usize) < count);
        let frames = (0_u32..).zip(&graph.nodes).filter_map(|(node, dag_node)| Some((dag_node.group?, node)));
        let frames = frames.filter(|(frame, node)| (*frame as usize) < count && frame != node);
        Self {
            ins: Ends::new(count, edges.clone().map(|(from, to)| (*to, *from))),
            outs: Ends::new(count, edges.copied()),
            inside: Ends::new(count, frames),
        }
    }

    /// Ascending. A frame is one step away from what stands in it.
    fn around(&self, graph: &DagGraph, node: u32) -> Vec<u32> {
        let at = node as usize;
        let frame =
            graph.nodes[at].group.filter(|group| (*group as usize) < graph.nodes.len() && *group != node);
        let lists = [&self.ins[at], &self.outs[at], &self.inside[at]];
        let mut around: Vec<u32> = lists.into_iter().flatten().copied().chain(frame).collect();
        around.sort_unstable();
        around
    }
}

/// The nodes at most `hops` edges from a node, nearest first, and at most `max` of them.
pub fn neighbourhood(graph: &DagGraph, selected: u32, hops: u32, max: usize) -> Neighbourhood {
    near(graph, &Beside::of(graph), selected, (hops, max))
}

/// The same where the ends are known already: its cost does not grow with the graph.
pub(crate) fn near(
    graph: &DagGraph,
    beside: &Beside,
    selected: u32,
    (hops, max): (u32, usize),
) -> Neighbourhood {
    if selected as usize >= graph.nodes.len() || max == 0 {
        return Neighbourhood::default();
    }
    let mut found = BTreeSet::from([selected]);
    let mut waiting = VecDeque::from([(selected, 0)]);
    while let Some((node, distance)) = waiting.pop_front() {
        for next in beside.around(graph, node) {
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
    let edges = nodes.iter().flat_map(|from| beside.outs[*from as usize].iter().map(move |to| (*from, *to)));
    let edges = edges.filter_map(|(from, to)| Some((number(from)?, number(to)?)));
    Neighbourhood { graph: DagGraph { nodes: part.collect(), edges: edges.collect() }, nodes }
}

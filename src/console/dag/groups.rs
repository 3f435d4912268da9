//! The tree of groups, and the choice of open ones. Folds nothing.

use super::{
    DagGraph, DagView, FoldKey, FoldKind, Folding, Zoom,
    fold::SMALL,
    links::{Ends, number},
};

/// Frames stand in frames at most so deep.
const FRAME_DEPTH_MAX: u32 = 6;

/// The group of each node. A group that contains itself is treated as outside of any group.
pub(super) struct Tree {
    pub(super) parent: Vec<Option<u32>>,
    pub(super) level: Vec<u32>,
    pub(super) is_group: Vec<bool>,
    pub(super) depth: Vec<u32>,
}

impl Tree {
    pub(super) fn new(graph: &DagGraph) -> Self {
        let count = graph.nodes.len();
        let mut parent: Vec<_> =
            graph.nodes.iter().map(|node| node.group.filter(|group| (*group as usize) < count)).collect();
        let mut level = vec![u32::MAX; count];
        for node in 0..count {
            let mut path = Vec::new();
            let mut at = node;
            while level[at] == u32::MAX {
                // `u32::MAX - 1` marks the path that is being walked.
                level[at] = u32::MAX - 1;
                path.push(at);
                match parent[at] {
                    Some(up) if level[up as usize] != u32::MAX - 1 => at = up as usize,
                    _ => break,
                }
            }
            let top = path.last().copied();
            if let Some(top) =
                top.filter(|top| parent[*top].is_some_and(|up| level[up as usize] == u32::MAX - 1))
            {
                parent[top] = None;
            }
            for at in path.into_iter().rev() {
                level[at] = parent[at].map_or(0, |up| level[up as usize] + 1);
            }
        }
        let mut is_group = vec![false; count];
        for up in parent.iter().flatten() {
            is_group[*up as usize] = true;
        }
        let mut tree = Self { parent, level, is_group, depth: Vec::new() };
        tree.depth = tree.depths(graph);
        tree
    }

    /// The largest number of edges that lead to each node. A node that needs a group needs all nodes in it: a
    /// group has an entry and an exit.
    fn depths(&self, graph: &DagGraph) -> Vec<u32> {
        let count = graph.nodes.len();
        let exit = |node: usize| if self.is_group[node] { count + node } else { node };
        let mut edges = Vec::new();
        for &(from, to) in &graph.edges {
            if (from as usize) < count && (to as usize) < count && from != to {
                edges.push((exit(from as usize), to as usize, 1));
            }
        }
        for (node, up) in self.parent.iter().enumerate() {
            if let Some(up) = up {
                edges.push((*up as usize, node, 0));
                edges.push((exit(node), count + *up as usize, 0));
            }
        }
        let mut waiting = vec![0_u32; 2 * count];
        for (_, to, _) in &edges {
            waiting[*to] += 1;
        }
        let out = edges.iter().zip(0..).map(|((from, _, _), edge)| (number(*from), edge));
        let outs = Ends::new(2 * count, out);
        let mut depth = vec![0; 2 * count];
        let mut ready: Vec<usize> = (0..2 * count).filter(|node| waiting[*node] == 0).collect();
        while let Some(node) = ready.pop() {
            for edge in &outs[node] {
                let (_, to, weight) = edges[*edge as usize];
                depth[to] = depth[to].max(depth[node] + weight);
                waiting[to] -= 1;
                if waiting[to] == 0 {
                    ready.push(to);
                }
            }
        }
        depth.truncate(count);
        depth
    }
}

/// True for each group that is open: it was opened, or it holds a node that must be visible.
pub(super) fn open_groups(graph: &DagGraph, view: &DagView, tree: &Tree) -> Vec<bool> {
    let mut open: Vec<bool> = (0..number(graph.nodes.len()))
        .map(|node| {
            let small = view.folding == Folding::Auto && graph.nodes.len() <= SMALL;
            let default = small || view.folding == Folding::Nothing || view.zoom == Zoom::Dots;
            view.folds.get(&FoldKey { kind: FoldKind::Group, node }).copied().unwrap_or(default)
        })
        .collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        if node.hot || view.selected == Some(number(index)) {
            let mut at = tree.parent[index];
            while let Some(up) = at {
                open[up as usize] = true;
                at = tree.parent[up as usize];
            }
        }
    }
    for (index, open) in open.iter_mut().enumerate() {
        *open &= tree.is_group[index] && (tree.level[index] < FRAME_DEPTH_MAX || view.zoom == Zoom::Dots);
    }
    open
}

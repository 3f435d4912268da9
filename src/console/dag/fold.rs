//! Folding, the zoom of large graphs: nodes that need not be seen one by one become one node.
//!
//! In this order: closed groups become one box; copies of one template become `load ×200`; chains become
//! `check ⋯3`; of many nodes the quiet ones of a level become one counted entry for each state (`levels`).
//!
//! A step that runs, waits, has failed or is in doubt stays out, and so do its neighbours, except that a
//! neighbour may be one of many copies. A gate stays out in every state, since somebody approved it or will.
//! If more than [`APART_MAX`] copies of one template are hot, only those that need attention stay out; the
//! rest is counted.

use super::{
    DagGraph, DagView, FoldKey, FoldKind, Folding, Shown, Zoom,
    groups::{Tree, open_groups},
    levels::{NARROW, SHOWN_MAX, fold_levels, levels_of, name_levels},
    links::{Links, depths, number, topological},
    told::{BOXES_MAX, asks, shape, shown_node},
};
use crate::Mark;
use std::collections::{BTreeMap, BTreeSet};

/// Graphs of at most so many nodes are not folded by themselves.
pub(super) const SMALL: usize = 16;
/// At most so many copies of one template stay out because they are hot.
const APART_MAX: usize = 6;
/// So many equal ones make a fold.
const FOLD_MIN: usize = 3;
/// Copies are told apart by their neighbours' neighbours, at most so far.
const ROUNDS_MAX: usize = 64;

/// Folds a graph as the view asks.
pub fn fold(graph: &DagGraph, view: &DagView) -> Shown {
    let tree = Tree::new(graph);
    let mut cells = Cells::new(graph, view, &tree);
    if view.zoom != Zoom::Dots {
        let folder = Folder { graph, view, small: graph.nodes.len() <= SMALL };
        folder.copies(&mut cells);
        folder.chains(&mut cells);
        fold_levels(&folder, &mut cells);
    }
    cells.into_shown(graph, view, &tree)
}

/// The nodes of the picture while it is made; a fold takes several and leaves one.
pub(super) struct Cells {
    pub(super) cells: Vec<Cell>,
    /// Between cells of one frame, sorted, each once, without circles.
    pub(super) edges: Vec<(u32, u32)>,
}

#[derive(Clone)]
pub(super) struct Cell {
    pub(super) key: FoldKey,
    /// The nodes of the graph in it, ascending.
    pub(super) nodes: Vec<u32>,
    pub(super) count: u32,
    /// The node of the frame it stands in.
    pub(super) frame: Option<u32>,
    pub(super) is_open: bool,
    pub(super) within: Option<FoldKey>,
    pub(super) first: u32,
    pub(super) hot: bool,
}

impl Cells {
    /// Every node that is not inside a closed group, and the edges between them.
    fn new(graph: &DagGraph, view: &DagView, tree: &Tree) -> Self {
        let open = open_groups(graph, view, tree);
        let mut order: Vec<u32> = (0..number(graph.nodes.len())).collect();
        order.sort_by_key(|node| tree.level[*node as usize]);
        let mut outermost: Vec<u32> = (0..number(graph.nodes.len())).collect();
        for &node in &order {
            if let Some(up) = tree.parent[node as usize] {
                let above = outermost[up as usize];
                if above != up || !open[up as usize] {
                    outermost[node as usize] = above;
                }
            }
        }
        let dots = view.zoom == Zoom::Dots;
        let mut cells = Vec::new();
        let mut cell_of = vec![u32::MAX; graph.nodes.len()];
        for (index, node) in graph.nodes.iter().enumerate() {
            let is_group = tree.is_group[index];
            if outermost[index] == number(index) && !(dots && is_group) {
                cell_of[index] = number(cells.len());
                cells.push(Cell {
                    key: FoldKey {
                        kind: if is_group { FoldKind::Group } else { FoldKind::Step },
                        node: number(index),
                    },
                    nodes: Vec::new(),
                    count: 0,
                    frame: tree.parent[index].filter(|_| !dots),
                    is_open: is_group && open[index],
                    within: None,
                    first: number(index),
                    hot: node.hot,
                });
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let cell = cell_of[outermost[index] as usize];
            cell_of[index] = cell;
            if let Some(cell) = cells.get_mut(cell as usize) {
                cell.nodes.push(number(index));
                cell.count += u32::from(!tree.is_group[index]);
                cell.hot |= node.hot;
            }
        }
        let mut cells = Self { cells, edges: Vec::new() };
        let frame_cell = |frame: u32| cell_of[frame as usize];
        for &(from, to) in &graph.edges {
            let ends = cell_of.get(from as usize).zip(cell_of.get(to as usize));
            let lifted = ends.and_then(|(from, to)| lift(&cells.cells, tree, frame_cell, *from, *to));
            cells.edges.extend(lifted);
        }
        // A frame is as hot as what it holds; inner frames come after outer ones in `order`.
        for &node in order.iter().rev() {
            let cell = cell_of[node as usize];
            if let Some(hot) = cells.cells.get(cell as usize).filter(|cell| cell.key.node == node && cell.hot)
                && let Some(frame) = hot.frame
            {
                cells.cells[cell_of[frame as usize] as usize].hot = true;
            }
        }
        cells.edges.sort_unstable();
        cells.edges.dedup();
        cells.break_circles();
        cells
    }

    /// Drops the edges that close a circle: when nothing is ready, the first that is left goes first.
    fn break_circles(&mut self) {
        let links = Links::new(self.cells.len(), &self.edges);
        if topological(&links).len() == self.cells.len() {
            return;
        }
        let mut waiting = links.ins.counts();
        let mut ready: BTreeSet<u32> =
            (0..number(self.cells.len())).filter(|cell| waiting[*cell as usize] == 0).collect();
        let mut position = vec![usize::MAX; self.cells.len()];
        let mut unplaced: BTreeSet<u32> = (0..number(self.cells.len())).collect();
        for place in 0..self.cells.len() {
            let next =
                ready.pop_first().or_else(|| unplaced.first().copied()).expect("one is left for each place");
            unplaced.remove(&next);
            position[next as usize] = place;
            for &to in &links.outs[next as usize] {
                waiting[to as usize] = waiting[to as usize].saturating_sub(1);
                if waiting[to as usize] == 0 && position[to as usize] == usize::MAX {
                    ready.insert(to);
                }
            }
        }
        self.edges.retain(|(from, to)| position[*from as usize] < position[*to as usize]);
    }

    /// Replaces cells: `into[cell]` is the new number of each, several may share one.
    pub(super) fn merge(&mut self, sets: &[(Vec<u32>, Cell)]) {
        if sets.is_empty() {
            return;
        }
        let mut gone: Vec<Option<usize>> = vec![None; self.cells.len()];
        for (index, (set, _)) in sets.iter().enumerate() {
            for cell in set {
                gone[*cell as usize] = Some(index);
            }
        }
        let mut cells: Vec<Cell> = sets.iter().map(|(_, cell)| cell.clone()).collect();
        let mut into = vec![0; self.cells.len()];
        for (old, cell) in std::mem::take(&mut self.cells).into_iter().enumerate() {
            into[old] = gone[old].unwrap_or(cells.len());
            if gone[old].is_none() {
                cells.push(cell);
            }
        }
        let mut order: Vec<usize> = (0..cells.len()).collect();
        order.sort_by_key(|index| cells[*index].first);
        let mut place = vec![0; cells.len()];
        for (index, old) in order.iter().enumerate() {
            place[*old] = number(index);
        }
        cells.sort_by_key(|cell| cell.first);
        self.cells = cells;
        for (from, to) in &mut self.edges {
            *from = place[into[*from as usize]];
            *to = place[into[*to as usize]];
        }
        self.edges.retain(|(from, to)| from != to);
        self.edges.sort_unstable();
        self.edges.dedup();
    }

    fn into_shown(self, graph: &DagGraph, view: &DagView, tree: &Tree) -> Shown {
        let mut spot_of = vec![0; graph.nodes.len()];
        for (spot, cell) in self.cells.iter().enumerate() {
            for node in &cell.nodes {
                spot_of[*node as usize] = number(spot);
            }
        }
        let frames: BTreeMap<u32, u32> = self
            .cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.is_open)
            .map(|(spot, cell)| (cell.key.node, number(spot)))
            .collect();
        // In dots no group is drawn; it is found at its first step.
        if view.zoom == Zoom::Dots {
            for (index, up) in tree.parent.iter().enumerate().rev() {
                if let Some(up) = up {
                    spot_of[*up as usize] = spot_of[index];
                }
            }
        }
        let boxes = self.cells.iter().filter(|cell| asks(cell, graph)).count() <= BOXES_MAX;
        let (level_of, names) = name_levels(&self, graph);
        let spot_of_frame = |frame: Option<u32>| frame.and_then(|frame| frames.get(&frame).copied());
        let levels =
            names.into_iter().map(|((frame, depth), name)| ((spot_of_frame(frame), depth), name)).collect();
        let nodes = self
            .cells
            .into_iter()
            .map(|cell| shown_node(&cell, graph, view, tree, (&frames, boxes)))
            .collect();
        let mut shown = Shown {
            nodes,
            edges: self.edges,
            wide: view.wide,
            room: view.room,
            all_edges: view.all_edges,
            level_of,
            levels,
            spot_of,
            shape: 0,
        };
        shown.shape = shape(&shown, view);
        shown
    }
}

/// An edge between cells of different frames becomes one between what stands side by side.
fn lift(
    cells: &[Cell],
    tree: &Tree,
    cell_of_frame: impl Fn(u32) -> u32,
    mut from: u32,
    mut to: u32,
) -> Option<(u32, u32)> {
    let frame = |cell: u32| cells.get(cell as usize).map(|cell| cell.frame);
    loop {
        let (above_from, above_to) = (frame(from)?, frame(to)?);
        if from == to {
            return None;
        }
        if above_from == above_to {
            return Some((from, to));
        }
        let level = |frame: Option<u32>| frame.map_or(0, |frame| tree.level[frame as usize] + 1);
        if level(above_from) >= level(above_to) {
            from = cell_of_frame(above_from?);
        } else {
            to = cell_of_frame(above_to?);
        }
    }
}

/// The three folds that follow the groups.
pub(super) struct Folder<'a> {
    pub(super) graph: &'a DagGraph,
    pub(super) view: &'a DagView,
    small: bool,
}

impl Folder<'_> {
    pub(super) fn wants(&self, key: FoldKey) -> bool {
        let default = match self.view.folding {
            Folding::Auto => !self.small,
            Folding::All => true,
            Folding::Nothing => false,
        };
        self.view.folds.get(&key).map_or(default, |open| !open)
    }

    /// Copies of one template whose neighbours are copies of one another too.
    fn copies(&self, cells: &mut Cells) {
        if self.graph.nodes.iter().all(|node| node.copy_of.is_none()) {
            return;
        }
        let links = Links::new(cells.cells.len(), &cells.edges);
        let class = self.classes(cells, &links);
        let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (cell, class) in class.iter().enumerate() {
            classes.entry(*class).or_default().push(number(cell));
        }
        let mut sets = Vec::new();
        for members in classes.into_values().filter(|members| members.len() >= FOLD_MIN) {
            let key = FoldKey { kind: FoldKind::Copies, node: cells.cells[members[0] as usize].first };
            for cell in &members {
                cells.cells[*cell as usize].within = Some(key);
            }
            if !self.wants(key) {
                continue;
            }
            let apart = self.apart(cells, &members);
            let folded: Vec<u32> = members.into_iter().filter(|cell| !apart.contains(cell)).collect();
            if folded.len() >= FOLD_MIN {
                let cell = merged(cells, &folded, key);
                sets.push((folded, cell));
            }
        }
        cells.merge(&sets);
    }

    /// Classes of equal cells: same template, same frame, same depth, and neighbours of the same classes.
    fn classes(&self, cells: &Cells, links: &Links) -> Vec<u32> {
        let depth = depths(links);
        let mut seeds = BTreeMap::new();
        let count = cells.cells.len();
        let mut class: Vec<u32> = (0..count)
            .map(|cell| {
                let this_cell = &cells.cells[cell];
                let template =
                    self.graph.nodes[this_cell.first as usize].copy_of.filter(|_| !this_cell.is_open);
                // A cell without a template is alone; its own number stands where others have none.
                let seed = template.map_or((None, None, 0, Some(cell)), |it_of| {
                    (Some(it_of), this_cell.frame, depth[cell], None)
                });
                let next = number(seeds.len());
                *seeds.entry(seed).or_insert(next)
            })
            .collect();
        for _ in 0..ROUNDS_MAX {
            let mut sizes: BTreeMap<u32, u32> = BTreeMap::new();
            for one in &class {
                *sizes.entry(*one).or_default() += 1;
            }
            let around = |cells: &[u32]| {
                let mut around: Vec<u32> = cells.iter().map(|cell| class[*cell as usize]).collect();
                around.sort_unstable();
                around.dedup();
                around
            };
            let mut keys = BTreeMap::new();
            let mut next = class.iter().max().map_or(0, |last| last + 1);
            let mut refined = class.clone();
            for cell in 0..count {
                if sizes[&class[cell]] > 1 {
                    let key = (class[cell], around(&links.ins[cell]), around(&links.outs[cell]));
                    let first_of_class = !keys.contains_key(&key);
                    let fresh = *keys.entry(key).or_insert(next);
                    next += u32::from(first_of_class);
                    refined[cell] = fresh;
                }
            }
            let before = sizes.values().filter(|size| **size > 1).count();
            let done = keys.len() == before;
            class = refined;
            if done {
                break;
            }
        }
        class
    }

    /// The copies that stay out: the hot ones, or of too many those that want an eye; and the selected one, unless
    /// it is the first, which stands for all.
    fn apart(&self, cells: &Cells, members: &[u32]) -> BTreeSet<u32> {
        if members.len() <= APART_MAX && members.iter().any(|cell| self.is_gate(&cells.cells[*cell as usize]))
        {
            return members.iter().copied().collect();
        }
        let mut hot: Vec<u32> =
            members.iter().copied().filter(|cell| cells.cells[*cell as usize].hot).collect();
        if hot.len() > APART_MAX {
            let urgency =
                |cell: &u32| self.graph.nodes[cells.cells[*cell as usize].first as usize].mark.urgency();
            hot.retain(|cell| urgency(cell) > Mark::Runs.urgency());
            hot.sort_by_key(|cell| std::cmp::Reverse(urgency(cell)));
            hot.truncate(APART_MAX);
        }
        let mut apart: BTreeSet<u32> = hot.into_iter().collect();
        let first = members.iter().find(|cell| !apart.contains(cell)).copied();
        let selected = members.iter().copied().find(|cell| self.holds_selected(&cells.cells[*cell as usize]));
        apart.extend(selected.filter(|cell| Some(*cell) != first));
        apart
    }

    pub(super) fn holds_selected(&self, cell: &Cell) -> bool {
        self.view.selected.is_some_and(|selected| cell.nodes.binary_search(&selected).is_ok())
    }

    /// True if a cell is a gate, or copies of one.
    pub(super) fn is_gate(&self, cell: &Cell) -> bool {
        self.graph.nodes[cell.first as usize].gate
    }

    /// True for each cell that stands beside many others, where the cells are too many to be shown one by one.
    fn wide(&self, cells: &Cells, links: &Links) -> Vec<bool> {
        if cells.cells.len() <= SHOWN_MAX || self.view.folding == Folding::Nothing {
            return vec![false; cells.cells.len()];
        }
        let levels = levels_of(cells, links);
        let mut widths: BTreeMap<_, usize> = BTreeMap::new();
        for level in &levels {
            *widths.entry(*level).or_default() += 1;
        }
        levels.iter().map(|level| widths[level] > NARROW).collect()
    }

    /// Steps in a row, each with one way in and one way out.
    fn chains(&self, cells: &mut Cells) {
        let links = Links::new(cells.cells.len(), &cells.edges);
        let wide = self.wide(cells, &links);
        let near: Vec<bool> = (0..cells.cells.len())
            .map(|cell| {
                let mut beside = links.ins[cell].iter().chain(&links.outs[cell]);
                let hot = |cell: usize| cells.cells[cell].hot;
                let stays = cells.cells[cell].is_open || self.is_gate(&cells.cells[cell]) || wide[cell];
                stays || hot(cell) || beside.any(|cell| hot(*cell as usize))
            })
            .collect();
        let alike = |a: &Cell, b: &Cell| {
            a.key.kind == b.key.kind && (a.key.kind != FoldKind::Copies || a.count == b.count)
        };
        let next = |cell: usize| -> Option<usize> {
            let [to] = links.outs[cell][..] else { return None };
            let to = to as usize;
            let fits = links.ins[to].len() == 1 && !near[cell] && !near[to];
            (fits && alike(&cells.cells[cell], &cells.cells[to])).then_some(to)
        };
        let mut has_before = vec![false; cells.cells.len()];
        for cell in 0..cells.cells.len() {
            if let Some(to) = next(cell) {
                has_before[to] = true;
            }
        }
        let mut rows = Vec::new();
        for head in (0..cells.cells.len()).filter(|cell| !has_before[*cell]) {
            let row: Vec<u32> = std::iter::successors(Some(head), |cell| next(*cell)).map(number).collect();
            if row.len() >= FOLD_MIN {
                rows.push(row);
            }
        }
        let mut sets = Vec::new();
        for row in rows {
            let key = FoldKey { kind: FoldKind::Chain, node: cells.cells[row[0] as usize].first };
            for cell in &row {
                cells.cells[*cell as usize].within.get_or_insert(key);
            }
            let inside = row[1..].iter().any(|cell| self.holds_selected(&cells.cells[*cell as usize]));
            if self.wants(key) && !inside {
                let cell = merged(cells, &row, key);
                sets.push((row, cell));
            }
        }
        cells.merge(&sets);
    }
}

/// The number of steps that a cell stands for.
pub(super) fn steps_in(cell: &Cell) -> u32 {
    match cell.key.kind {
        FoldKind::Group | FoldKind::Level(_) => cell.count,
        _ => number(cell.nodes.len()),
    }
}

pub(super) fn merged(cells: &Cells, set: &[u32], key: FoldKey) -> Cell {
    let members = || set.iter().map(|cell| &cells.cells[*cell as usize]);
    let mut nodes: Vec<u32> = members().flat_map(|cell| cell.nodes.iter().copied()).collect();
    nodes.sort_unstable();
    let first = &cells.cells[set[0] as usize];
    Cell {
        key,
        nodes,
        count: number(set.len()),
        frame: first.frame,
        is_open: false,
        within: None,
        first: first.first,
        hot: members().any(|cell| cell.hot),
    }
}

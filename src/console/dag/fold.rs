//! Folding: what need not be seen one by one becomes one node. Folding is the zoom of large graphs.
//!
//! In this order: closed groups become one box; copies of one template become `load ×200`; chains become
//! `check ⋯3`; what is done, or not begun, and far from what goes on becomes `41 done`. What runs, waits, failed or
//! is in doubt stays out, and so do its neighbours, except that a neighbour may be one of many copies. If more than
//! [`APART_MAX`] copies of one template are hot, only those that want an eye stay out; the rest is counted.

use super::{DagGraph, DagView, FoldKey, FoldKind, Folding, Shown, ShownNode, Zoom};
use crate::{base::safe_text, console::Mark};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Graphs of at most so many nodes are not folded by themselves.
const SMALL: usize = 16;
/// At most so many copies of one template stay out because they are hot.
const APART_MAX: usize = 6;
/// So many equal ones make a fold.
const FOLD_MIN: usize = 3;
/// Frames stand in frames at most so deep.
const FRAME_DEPTH_MAX: u32 = 6;
/// What is far from the front is folded when more than so many nodes are shown,
const FAR_SHOWN: usize = 40;
/// and it is so many edges away.
const FAR: u32 = 3;
/// Copies are told apart by their neighbours' neighbours, at most so far.
const ROUNDS_MAX: usize = 64;

/// What is shown of a graph.
pub fn fold(graph: &DagGraph, view: &DagView) -> Shown {
    let tree = Tree::new(graph);
    let mut cells = Cells::new(graph, view, &tree);
    if view.zoom != Zoom::Dots {
        let folder = Folder { graph, view, small: graph.nodes.len() <= SMALL };
        folder.copies(&mut cells);
        folder.chains(&mut cells);
        folder.far(&mut cells);
    }
    cells.into_shown(graph, view, &tree)
}

/// Who stands in which group. A group that stands in itself stands nowhere.
struct Tree {
    parent: Vec<Option<u32>>,
    level: Vec<u32>,
    is_group: Vec<bool>,
    depth: Vec<u32>,
}

impl Tree {
    fn new(graph: &DagGraph) -> Self {
        let count = graph.nodes.len();
        let mut parent: Vec<_> =
            graph.nodes.iter().map(|node| node.group.filter(|it| (*it as usize) < count)).collect();
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

    /// The most edges that lead to a node. What needs a group needs all in it: a group has an entry and an exit.
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
        let mut outs = vec![Vec::new(); 2 * count];
        for (from, to, weight) in edges {
            waiting[to] += 1;
            outs[from].push((to, weight));
        }
        let mut depth = vec![0; 2 * count];
        let mut ready: VecDeque<_> = (0..2 * count).filter(|node| waiting[*node] == 0).collect();
        while let Some(node) = ready.pop_front() {
            for &(to, weight) in &outs[node] {
                depth[to] = depth[to].max(depth[node] + weight);
                waiting[to] -= 1;
                if waiting[to] == 0 {
                    ready.push_back(to);
                }
            }
        }
        depth.truncate(count);
        depth
    }
}

/// The nodes of the picture while it is made; a fold takes several and leaves one.
struct Cells {
    cells: Vec<Cell>,
    /// Between cells of one frame, sorted, each once, without circles.
    edges: Vec<(u32, u32)>,
}

#[derive(Clone)]
struct Cell {
    key: FoldKey,
    /// The nodes of the graph in it, ascending.
    nodes: Vec<u32>,
    count: u32,
    /// The node of the frame it stands in.
    frame: Option<u32>,
    is_open: bool,
    within: Option<FoldKey>,
    first: u32,
    hot: bool,
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
            if let Some(hot) = cells.cells.get(cell as usize).filter(|it| it.key.node == node && it.hot)
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
        let mut waiting: Vec<usize> = links.ins.iter().map(Vec::len).collect();
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
    fn merge(&mut self, sets: &[(Vec<u32>, Cell)]) {
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
        let nodes = self.cells.into_iter().map(|cell| shown_node(&cell, graph, tree, &frames)).collect();
        let mut shown = Shown { nodes, edges: self.edges, spot_of, shape: 0 };
        shown.shape = shape(&shown, view.zoom);
        shown
    }
}

/// Which groups are open: those that were opened, and those that hold what must be seen.
fn open_groups(graph: &DagGraph, view: &DagView, tree: &Tree) -> Vec<bool> {
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

/// Edges by their ends.
struct Links {
    ins: Vec<Vec<u32>>,
    outs: Vec<Vec<u32>>,
}

impl Links {
    fn new(count: usize, edges: &[(u32, u32)]) -> Self {
        let mut links = Self { ins: vec![Vec::new(); count], outs: vec![Vec::new(); count] };
        for &(from, to) in edges {
            links.outs[from as usize].push(to);
            links.ins[to as usize].push(from);
        }
        links
    }
}

/// The three folds that follow the groups.
struct Folder<'a> {
    graph: &'a DagGraph,
    view: &'a DagView,
    small: bool,
}

impl Folder<'_> {
    fn wants(&self, key: FoldKey) -> bool {
        let default = match self.view.folding {
            Folding::Auto => !self.small,
            Folding::All => true,
            Folding::Nothing => false,
        };
        self.view.folds.get(&key).map_or(default, |open| !open)
    }

    /// Copies of one template whose neighbours are copies of one another too.
    fn copies(&self, cells: &mut Cells) {
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
                let it = &cells.cells[cell];
                let template = self.graph.nodes[it.first as usize].copy_of.filter(|_| !it.is_open);
                // A cell without a template is alone; its own number stands where others have none.
                let seed = template
                    .map_or((None, None, 0, Some(cell)), |it_of| (Some(it_of), it.frame, depth[cell], None));
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

    fn holds_selected(&self, cell: &Cell) -> bool {
        self.view.selected.is_some_and(|selected| cell.nodes.binary_search(&selected).is_ok())
    }

    /// Steps in a row, each with one way in and one way out.
    fn chains(&self, cells: &mut Cells) {
        let links = Links::new(cells.cells.len(), &cells.edges);
        let near: Vec<bool> = (0..cells.cells.len())
            .map(|cell| {
                let mut beside = links.ins[cell].iter().chain(&links.outs[cell]);
                let hot = |cell: usize| cells.cells[cell].hot;
                cells.cells[cell].is_open || hot(cell) || beside.any(|cell| hot(*cell as usize))
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

    /// What is done with all before it, or not begun with all after it, and far from what goes on.
    fn far(&self, cells: &mut Cells) {
        let top = |cell: &Cell| cell.frame.is_none();
        if cells.cells.iter().filter(|cell| top(cell)).count() <= FAR_SHOWN
            || self.view.folding == Folding::Nothing
        {
            return;
        }
        let links = Links::new(cells.cells.len(), &cells.edges);
        let mut distance = vec![u32::MAX; cells.cells.len()];
        let mut waiting: VecDeque<usize> =
            (0..cells.cells.len()).filter(|cell| cells.cells[*cell].hot).collect();
        if waiting.is_empty() {
            return;
        }
        for cell in &waiting {
            distance[*cell] = 0;
        }
        while let Some(cell) = waiting.pop_front() {
            for to in links.ins[cell].iter().chain(&links.outs[cell]).map(|to| *to as usize) {
                if distance[to] == u32::MAX {
                    distance[to] = distance[cell] + 1;
                    waiting.push_back(to);
                }
            }
        }
        let order = topological(&links);
        let may = |cell: usize, wanted: fn(Mark) -> bool| {
            let it = &cells.cells[cell];
            top(it)
                && !it.is_open
                && distance[cell] >= FAR
                && !self.holds_selected(it)
                && it.nodes.iter().all(|node| wanted(self.graph.nodes[*node as usize].mark))
        };
        let (mut settled, mut later) = (vec![false; cells.cells.len()], vec![false; cells.cells.len()]);
        for &cell in &order {
            settled[cell] =
                may(cell, Mark::is_settled) && links.ins[cell].iter().all(|from| settled[*from as usize]);
        }
        for &cell in order.iter().rev() {
            later[cell] =
                may(cell, |mark| mark == Mark::Todo) && links.outs[cell].iter().all(|to| later[*to as usize]);
        }
        let mut sets = Vec::new();
        for (kind, set) in [(FoldKind::Settled, settled), (FoldKind::Later, later)] {
            let set: Vec<u32> = (0..cells.cells.len()).filter(|cell| set[*cell]).map(number).collect();
            let Some(first) = set.first() else { continue };
            let key = FoldKey { kind, node: cells.cells[*first as usize].first };
            if set.len() >= FOLD_MIN && self.wants(key) {
                let mut cell = merged(cells, &set, key);
                cell.count = set.iter().map(|cell| steps_in(&cells.cells[*cell as usize])).sum();
                sets.push((set, cell));
            }
        }
        cells.merge(&sets);
    }
}

/// How many steps a cell stands for.
fn steps_in(cell: &Cell) -> u32 {
    match cell.key.kind {
        FoldKind::Group => cell.count,
        _ => number(cell.nodes.len()),
    }
}

fn merged(cells: &Cells, set: &[u32], key: FoldKey) -> Cell {
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

fn depths(links: &Links) -> Vec<u32> {
    let mut depth = vec![0; links.ins.len()];
    for cell in topological(links) {
        for to in &links.outs[cell] {
            depth[*to as usize] = depth[*to as usize].max(depth[cell] + 1);
        }
    }
    depth
}

fn topological(links: &Links) -> Vec<usize> {
    let mut waiting: Vec<usize> = links.ins.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..waiting.len()).filter(|cell| waiting[*cell] == 0).collect();
    let mut at = 0;
    while at < order.len() {
        for to in &links.outs[order[at]] {
            waiting[*to as usize] -= 1;
            if waiting[*to as usize] == 0 {
                order.push(*to as usize);
            }
        }
        at += 1;
    }
    order
}

fn shown_node(cell: &Cell, graph: &DagGraph, tree: &Tree, frames: &BTreeMap<u32, u32>) -> ShownNode {
    let nodes = || cell.nodes.iter().map(|node| &graph.nodes[*node as usize]);
    let first = &graph.nodes[cell.first as usize];
    let mut counts: BTreeMap<Mark, u32> = BTreeMap::new();
    for node in &cell.nodes {
        if !tree.is_group[*node as usize] {
            *counts.entry(graph.nodes[*node as usize].mark).or_default() += 1;
        }
    }
    let is_fold = cell.key.kind != FoldKind::Step && !cell.is_open;
    let worst = nodes().map(|node| node.mark).max_by_key(|mark| mark.urgency()).filter(|_| is_fold);
    let is_copies = cell.key.kind == FoldKind::Copies;
    let label = safe_text(&if is_copies { common_label(cell, graph) } else { first.label.clone() });
    ShownNode {
        key: cell.key,
        label,
        count: cell.count,
        parent: cell.frame.and_then(|frame| frames.get(&frame).copied()),
        is_open: cell.is_open,
        within: cell.within,
        first: cell.first,
        mark: worst.unwrap_or(first.mark),
        counts: counts.into_iter().collect(),
        note: if is_fold { String::new() } else { safe_text(&first.note) },
        hot: cell.hot,
        critical: nodes().any(|node| node.critical),
        depth: tree.depth[cell.first as usize],
    }
}

/// What the names of copies have in common: `load[3]` and `load[4]` are `load`.
fn common_label(cell: &Cell, graph: &DagGraph) -> String {
    let first = graph.nodes[cell.first as usize].label.as_str();
    let mut end = first.len();
    for node in &cell.nodes {
        let node = &graph.nodes[*node as usize];
        if node.copy_of == graph.nodes[cell.first as usize].copy_of {
            let common = first.char_indices().zip(node.label.chars()).take_while(|((_, a), b)| a == b);
            end = end.min(common.last().map_or(0, |((at, c), _)| at + c.len_utf8()));
        }
    }
    let common = first[..end].trim_end_matches(|c: char| c.is_ascii_digit() || " [(-_.#/:".contains(c));
    if common.is_empty() { first.to_owned() } else { common.to_owned() }
}

/// FNV-1a over all that places depend on: what is shown, its width, and its edges.
fn shape(shown: &Shown, zoom: Zoom) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |value: u64| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(u64::from(zoom.name().0));
    for node in &shown.nodes {
        add(node.key.kind as u64);
        add(u64::from(node.key.node));
        add(u64::from(node.count) << 2 | u64::from(node.hot) << 1 | u64::from(node.is_open));
        add(node.parent.map_or(u64::MAX, u64::from));
        add(node.label.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))));
    }
    for (from, to) in &shown.edges {
        add(u64::from(*from) << 32 | u64::from(*to));
    }
    hash
}

/// A graph has fewer than 2³² nodes: its edges could not name more.
fn number(index: usize) -> u32 {
    u32::try_from(index).expect("nodes are numbered with 32 bits")
}

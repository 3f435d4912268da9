//! Description of a fold: its name, worst state, counts, and a sign for each of many steps. Also one number
//! that sums up all that places depend on.

use super::{DagGraph, DagView, FoldKind, Shown, ShownNode, fold::Cell, groups::Tree};
use crate::Mark;
use cuelight_base::safe_text;
use std::collections::BTreeMap;

/// Copies that go on are shown as a box of signs when they are at least so many,
const HEAT_MIN: u32 = 20;
/// in at most so many cells.
const HEAT_MAX: usize = 200;
/// Gates that wait have a box of their own when they are at most so many.
pub(super) const BOXES_MAX: usize = 6;

/// True if a cell is a single gate that waits for people.
pub(super) fn asks(cell: &Cell, graph: &DagGraph) -> bool {
    let first = &graph.nodes[cell.first as usize];
    cell.key.kind == FoldKind::Step && first.gate && matches!(first.mark, Mark::Gate | Mark::GateLate)
}

/// The marks of many steps as at most [`HEAT_MAX`] cells; each is the worst of those it stands for.
fn heat(cell: &Cell, graph: &DagGraph, tree: &Tree, counts: &BTreeMap<Mark, u32>) -> Vec<Mark> {
    let settled = counts.keys().any(|mark| mark.is_settled());
    let goes_on =
        counts.contains_key(&Mark::Runs) || (settled && counts.keys().any(|mark| !mark.is_settled()));
    let may = matches!(cell.key.kind, FoldKind::Copies | FoldKind::Group) && !cell.is_open;
    if !may || !goes_on || counts.values().sum::<u32>() < HEAT_MIN {
        return Vec::new();
    }
    let steps = cell.nodes.iter().filter(|node| !tree.is_group[**node as usize]);
    let marks: Vec<Mark> = steps.map(|node| graph.nodes[*node as usize].mark).collect();
    let worst =
        |marks: &[Mark]| marks.iter().copied().max_by_key(|mark| mark.urgency()).unwrap_or(Mark::Todo);
    marks.chunks(marks.len().div_ceil(HEAT_MAX)).map(worst).collect()
}

pub(super) fn shown_node(
    cell: &Cell,
    graph: &DagGraph,
    view: &DagView,
    tree: &Tree,
    (frames, boxes): (&BTreeMap<u32, u32>, bool),
) -> ShownNode {
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
        heat: if view.wide { heat(cell, graph, tree, &counts) } else { Vec::new() },
        asks: match (boxes && asks(cell, graph), view.wide) {
            (false, _) => Vec::new(),
            (true, wide) => {
                first.asks.iter().take(if wide { 3 } else { 1 }).map(|text| safe_text(text)).collect()
            }
        },
        counts: counts.into_iter().collect(),
        note: if is_fold { String::new() } else { safe_text(&first.note) },
        hot: cell.hot,
        critical: nodes().any(|node| node.critical),
        depth: tree.depth[cell.first as usize],
    }
}

/// The part that the names of copies share: `load` of `load[3]` and `load[4]`.
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

fn kind_number(kind: FoldKind) -> u64 {
    match kind {
        FoldKind::Step => 0,
        FoldKind::Copies => 1,
        FoldKind::Chain => 2,
        FoldKind::Group => 3,
        FoldKind::Level(mark) => 4 + mark as u64,
    }
}

/// FNV-1a over all that places depend on: what is shown, its width, and its edges.
pub(super) fn shape(shown: &Shown, view: &DagView) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |value: u64| {
        for byte in value.to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    add(u64::from(view.zoom.name().0) << 2 | u64::from(view.all_edges) << 1 | u64::from(view.wide));
    add(u64::from(view.room));
    for node in &shown.nodes {
        add(kind_number(node.key.kind));
        add(u64::from(node.key.node));
        add(u64::from(node.count) << 1 | u64::from(node.is_open));
        add((node.asks.len() << 16 | node.heat.len()) as u64);
        add(node.parent.map_or(u64::MAX, u64::from));
        add(node.label.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))));
    }
    for (from, to) in &shown.edges {
        add(u64::from(*from) << 32 | u64::from(*to));
    }
    hash
}

//! Folding by level, and the names of levels. A level is what needs equally many steps before it, in one frame.
//!
//! In a graph of more than [`SHOWN_MAX`] nodes the quiet ones of a level become one counted entry for each state: `✓ 10`,
//! `⊘ 9`. Steps that run, wait or have failed stay out, and so do their neighbours, up to [`APART_MAX`] and [`NEAR_MAX`] in
//! a level.

use super::{
    DagGraph, FoldKey, FoldKind,
    fold::{Cells, Folder, merged, steps_in},
    links::{Links, depths, number},
};
use crate::Mark;
use std::collections::BTreeMap;

/// Up to so many nodes are shown one by one.
pub(super) const SHOWN_MAX: usize = 24;
/// Steps of one level that stand out because they run, wait or have failed; the most urgent ones.
const APART_MAX: usize = 24;
/// Steps of one level that stand out because they are neighbours of those.
const NEAR_MAX: usize = 8;
/// A row of steps becomes a chain where at most so many nodes stand in one level; else its levels are counted.
pub(super) const NARROW: usize = 3;

/// The name of a level and the number of steps in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LevelName {
    /// The words before the separator that all names of the level begin with; empty if there are none.
    pub(super) common: String,
    pub(super) steps: u32,
}

/// A level: the frame, and the longest way to it inside.
pub(super) type Level = (Option<u32>, u32);

/// For each cell its level.
pub(super) fn levels_of(cells: &Cells, links: &Links) -> Vec<Level> {
    cells.cells.iter().zip(depths(links)).map(|(cell, depth)| (cell.frame, depth)).collect()
}

/// Folds the quiet cells of each level into counted entries.
pub(super) fn fold_levels(folder: &Folder<'_>, cells: &mut Cells) {
    if cells.cells.iter().filter(|cell| !cell.is_open).count() <= SHOWN_MAX {
        return;
    }
    let links = Links::new(cells.cells.len(), &cells.edges);
    let mut levels: BTreeMap<Level, Vec<usize>> = BTreeMap::new();
    for (cell, level) in levels_of(cells, &links).into_iter().enumerate() {
        levels.entry(level).or_default().push(cell);
    }
    let loud = |cell: usize| cells.cells[cell].hot && !cells.cells[cell].is_open;
    let near = |cell: usize| links.ins[cell].iter().chain(&links.outs[cell]).any(|cell| loud(*cell as usize));
    let urgency = |cell: usize| mark_of(cells, folder.graph, cell).urgency();
    let (mut sets, mut within) = (Vec::new(), Vec::new());
    // What somebody opened is not folded again in another way.
    let is_opened = |cell: usize| {
        let within = cells.cells[cell].within;
        within.is_some_and(|key| folder.view.folds.get(&key).copied().unwrap_or(false))
    };
    for members in levels.into_values() {
        let first = members.iter().map(|cell| cells.cells[*cell].first).min().unwrap_or_default();
        let (mut apart, quiet): (Vec<usize>, Vec<usize>) = members
            .into_iter()
            .filter(|cell| !cells.cells[*cell].is_open && !is_opened(*cell))
            .partition(|cell| loud(*cell) || folder.is_gate(&cells.cells[*cell]));
        apart.sort_by_key(|cell| (std::cmp::Reverse(urgency(*cell)), *cell));
        let (mut beside, quiet): (Vec<usize>, Vec<usize>) = quiet.into_iter().partition(|cell| near(*cell));
        let rest = apart.split_off(apart.len().min(APART_MAX));
        let far = beside.split_off(beside.len().min(NEAR_MAX));
        let mut by_mark: BTreeMap<Mark, Vec<u32>> = BTreeMap::new();
        for cell in quiet.into_iter().chain(rest).chain(far) {
            by_mark.entry(mark_of(cells, folder.graph, cell)).or_default().push(number(cell));
        }
        for (mark, mut set) in by_mark {
            set.sort_unstable();
            let key = FoldKey { kind: FoldKind::Level(mark), node: first };
            // What is selected stays out, unless it is the first, which stands for all.
            let holder = set.iter().position(|cell| folder.holds_selected(&cells.cells[*cell as usize]));
            if let Some(place) = holder.filter(|place| *place > 0) {
                within.push((set.remove(place), key));
            }
            if set.len() < 2 {
                continue;
            }
            within.extend(set.iter().map(|cell| (*cell, key)));
            if folder.wants(key) {
                let mut cell = merged(cells, &set, key);
                cell.count = set.iter().map(|cell| steps_in(&cells.cells[*cell as usize])).sum();
                sets.push((set, cell));
            }
        }
    }
    for (cell, key) in within {
        cells.cells[cell as usize].within.get_or_insert(key);
    }
    cells.merge(&sets);
}

/// The state of a cell: that of the worst inside.
fn mark_of(cells: &Cells, graph: &DagGraph, cell: usize) -> Mark {
    let marks = cells.cells[cell].nodes.iter().map(|node| graph.nodes[*node as usize].mark);
    marks.max_by_key(|mark| (mark.urgency(), *mark)).unwrap_or(Mark::Todo)
}

/// The level of each cell in its frame, and for each level its name.
pub(super) fn name_levels(cells: &Cells, graph: &DagGraph) -> (Vec<u32>, BTreeMap<Level, LevelName>) {
    let levels = levels_of(cells, &Links::new(cells.cells.len(), &cells.edges));
    let mut names: BTreeMap<Level, (Option<&str>, u32, u32)> = BTreeMap::new();
    for (cell, level) in cells.cells.iter().zip(&levels) {
        let entry = names.entry(*level).or_insert((None, 0, 0));
        entry.1 += if cell.is_open { cell.count } else { steps_in(cell) };
        for node in &cell.nodes {
            let is_inside = graph.nodes[*node as usize].group != cell.frame;
            if cell.is_open || is_inside && *node != cell.first {
                continue;
            }
            let label = graph.nodes[*node as usize].label.as_str();
            entry.2 += 1;
            entry.0 = Some(entry.0.map_or(label, |common| shared(common, label)));
        }
    }
    // Words that two levels of a frame begin with name none of them.
    let mut used: BTreeMap<(Option<u32>, String), u32> = BTreeMap::new();
    for ((frame, _), (common, _, labels)) in &names {
        *used.entry((*frame, common_words(*common, *labels).to_owned())).or_default() += 1;
    }
    let names = names.into_iter().map(|(level, (common, steps, labels))| {
        let common = common_words(common, labels).to_owned();
        let is_name = used.get(&(level.0, common.clone())) == Some(&1);
        let common = if is_name { cuelight_base::safe_text(&common) } else { String::new() };
        (level, LevelName { common, steps })
    });
    (levels.iter().map(|(_, depth)| *depth).collect(), names.collect())
}

/// The words that several names begin with; empty if there are none.
fn common_words(common: Option<&str>, names: u32) -> &str {
    common.filter(|_| names > 1).map_or("", words_of)
}

/// The beginning that two names share.
fn shared<'t>(a: &'t str, b: &str) -> &'t str {
    let end = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
    let end = end.map_or(a.len().min(b.len()), |((at, _), _)| at);
    a.get(..end).unwrap_or(a)
}

/// The part before the last separator.
fn words_of(common: &str) -> &str {
    common.rfind(SEPARATORS).map_or("", |end| common[..end].trim_end_matches(SEPARATORS))
}

const SEPARATORS: [char; 9] = ['_', '-', '.', '/', ':', '[', '(', ' ', '#'];

impl LevelName {
    /// A name without what all names of its level begin with.
    pub(super) fn rest_of<'t>(&self, label: &'t str) -> &'t str {
        let rest = label.strip_prefix(self.common.as_str()).filter(|_| !self.common.is_empty());
        rest.map(|rest| rest.strip_prefix(SEPARATORS).unwrap_or(rest))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(label)
    }
}

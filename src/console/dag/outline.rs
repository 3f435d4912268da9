//! The two pictures without wires: the outline, a tree of lines with references back, and the dots, one for each step.

use super::{Layout, Place, Shown};
use crate::Glyphs;
use unicode_width::UnicodeWidthStr;

/// One line of the outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutlineRow {
    /// The depth of its indentation.
    pub(super) depth: i32,
    /// The node it names.
    pub(super) spot: u32,
    /// True if the node appeared above already; its successors are not repeated.
    pub(super) again: bool,
}

/// Lines are moved in at most so often: a deep tree stays readable.
const DEPTH_MAX: i32 = 12;
/// A column of dots has at most so many; what is wider in the graph takes several columns.
const DOT_ROWS: i32 = 64;

/// Each node under the first that needs nothing but what stands above it; steps in a row stay at one depth.
pub(super) fn outline(shown: &Shown, layout: &mut Layout) {
    let count = shown.nodes.len();
    let (mut outs, mut ins, mut inside) =
        (vec![Vec::new(); count], vec![0_u32; count], vec![Vec::new(); count]);
    for &(from, to) in &shown.edges {
        outs[from as usize].push(to);
        ins[to as usize] += 1;
    }
    let mut waiting = Vec::new();
    let last_first = (0_u32..).zip(&shown.nodes).collect::<Vec<_>>().into_iter().rev();
    for (spot, node) in last_first {
        match node.parent {
            _ if ins[spot as usize] > 0 => {}
            Some(frame) => inside[frame as usize].push(spot),
            None => waiting.push((spot, 0)),
        }
    }
    layout.places = vec![Place::default(); count];
    layout.pins = vec![0; count];
    let mut told = vec![false; count];
    while let Some((spot, depth)) = waiting.pop() {
        let again = std::mem::replace(&mut told[spot as usize], true);
        let row = i32::try_from(layout.rows.len()).expect("rows are fewer than edges and nodes");
        let depth = i32::min(depth, DEPTH_MAX);
        layout.rows.push(OutlineRow { depth, spot, again });
        if again {
            continue;
        }
        let node = &shown.nodes[spot as usize];
        let width = i32::try_from(node.title(Glyphs::default()).width()).unwrap_or(i32::MAX / 2) + 2;
        layout.places[spot as usize] = Place { x: depth * 2, y: row, width, height: 1 };
        layout.pins[spot as usize] = row;
        let in_a_row = |to: u32| outs[spot as usize].len() == 1 && ins[to as usize] == 1;
        let next = outs[spot as usize].iter().rev().map(|to| (*to, depth + i32::from(!in_a_row(*to))));
        waiting.extend(next);
        waiting.extend(inside[spot as usize].iter().map(|inner| (*inner, depth + 1)));
    }
}

/// Steps as dots: those that need equally many before them stand in one column, or in several beside one another.
pub(super) fn dots(shown: &Shown, layout: &mut Layout) {
    let deepest = shown.nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let mut columns = vec![Vec::new(); deepest as usize + 1];
    for (spot, node) in shown.nodes.iter().enumerate() {
        columns[node.depth as usize].push(spot);
    }
    layout.dots = vec![(0, 0); shown.nodes.len()];
    let mut left = 0;
    for column in columns.iter().filter(|column| !column.is_empty()) {
        for (index, spot) in (0_i32..).zip(column) {
            layout.dots[*spot] = (left + index / DOT_ROWS, index % DOT_ROWS);
        }
        let count = i32::try_from(column.len()).expect("nodes are numbered with 32 bits");
        left += (count + DOT_ROWS - 1) / DOT_ROWS + 1;
    }
    layout.places =
        layout.dots.iter().map(|(x, y)| Place { x: x / 2, y: y / 4, width: 1, height: 1 }).collect();
    layout.pins = layout.places.iter().map(|place| place.y).collect();
}

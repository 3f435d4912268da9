//! Levels as stacks: one column a level, its name above, counted steps first and then one row a step, in file order. What
//! does not fit the width stands in bands below one another. No wires have a place here; `trunks` finds ways for a few.

use super::{
    Place,
    arrange::{Arranged, Block},
};

/// Cells between two columns: a blank, three tracks, an arrow.
pub(super) const GAP: i32 = 5;
/// Cells at the left of every band but the first, for wires that come in: two tracks and an arrow.
pub(super) const MARGIN: i32 = 4;

/// One level in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) left: i32,
    pub(super) width: i32,
    /// The row after its last entry.
    pub(super) bottom: i32,
    pub(super) band: usize,
}

/// The rows and columns of a band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) top: i32,
    /// The last row in which a wire may pass.
    pub(super) last_row: i32,
    /// The last cell to which a wire may run.
    pub(super) right: i32,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// All levels of one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) columns: Vec<Column>,
    pub(super) bands: Vec<Band>,
    /// The left edge of the frame.
    pub(super) left: i32,
}

impl Stack {
    pub(super) fn moved(mut self, (x, y): (i32, i32)) -> Self {
        self.left += x;
        for column in &mut self.columns {
            (column.left, column.bottom) = (column.left + x, column.bottom + y);
        }
        for band in &mut self.bands {
            (band.top, band.last_row, band.right) = (band.top + y, band.last_row + y, band.right + x);
        }
        self
    }
}

/// Places blocks by their levels. `heads` are the widths of the names of levels, `room` the columns there are, and
/// `between` the rows below a band, for wires that pass below columns.
pub(super) fn stacked(
    blocks: &[Block],
    levels: &[u32],
    heads: &[i32],
    (room, between): (i32, i32),
) -> Arranged {
    let count = levels.iter().max().map_or(0, |last| *last as usize + 1);
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (block, level) in levels.iter().enumerate() {
        order[*level as usize].push(block);
    }
    for blocks_of in &mut order {
        blocks_of.sort_by_key(|block| blocks[*block].rank);
    }
    let mut arranged = Arranged {
        places: vec![Place::default(); blocks.len()],
        pins: vec![0; blocks.len()],
        columns: vec![(0, 0); blocks.len()],
        ways: Vec::new(),
        ..Arranged::default()
    };
    let mut stack = Stack::default();
    let (mut x, mut top, mut first) = (0, 0, 0);
    for (level, entries) in order.iter().enumerate() {
        let widths = entries.iter().map(|block| blocks[*block].width);
        let width = widths.chain(heads.get(level).copied()).max().unwrap_or(1);
        if level > first && x + width + GAP > room {
            top = end_band(&mut stack, (first, level - 1), (top, between)) + 1;
            (x, first) = (MARGIN, level);
        }
        let mut y = top + 1;
        for (place, block) in (0..).zip(entries) {
            let size = blocks[*block];
            let wide = if size.lead > 0 { width } else { size.width };
            arranged.places[*block] = Place { x, y, width: wide, height: size.height };
            arranged.pins[*block] = y + size.pin;
            arranged.columns[*block] = (u32::try_from(level).unwrap_or(u32::MAX), place);
            y += size.height;
        }
        stack.columns.push(Column { left: x, width, bottom: y, band: stack.bands.len() });
        arranged.width = arranged.width.max(x + width);
        x += width + GAP;
    }
    if count > 0 {
        // Below the last band stand only wires.
        let below = if between > 1 { between } else { 0 };
        end_band(&mut stack, (first, count - 1), (top, below));
    }
    let right = arranged.width + GAP - 1;
    stack.bands.iter_mut().for_each(|band| band.right = right);
    arranged.width = right + 1;
    arranged.height = stack.bands.last().map_or(0, |band| band.last_row + 1);
    arranged.lefts = stack.columns.iter().map(|column| column.left).collect();
    arranged.bands = stack.bands.len();
    arranged.stack = Some(stack);
    arranged
}

/// Closes a band; returns its last row.
fn end_band(stack: &mut Stack, (first, last): (usize, usize), (top, between): (i32, i32)) -> i32 {
    let bottom = stack.columns[first..=last].iter().map(|column| column.bottom).max().unwrap_or(top);
    let last_row = bottom + between - 1;
    stack.bands.push(Band { top, last_row, right: 0, first, last });
    last_row
}

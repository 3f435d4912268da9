//! One frame's nodes in columns and rows, and the wires between them: longest path, order, rows, tracks.
//!
//! The layers of Sugiyama, Tagawa and Toda (1981): a column is the longest path to a node, wires that pass a column
//! get a bend there, so that all wires join neighbours and crossings are counted gap by gap.
//!
//! Whole numbers only, ties by the order they came in, so one graph is one picture. Knows sizes and edges, not what
//! a node is; frames inside frames are arranged before, and are large nodes here.

use super::{
    Place,
    stack::Stack,
    tracks::{Fan, LANES, Level, Run, route},
};
use std::collections::BTreeMap;

/// A box to place: its size, and the row in it at which wires end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) pin: i32,
    /// The previous position in its column; equal ranks keep the order of the input.
    pub(super) rank: u32,
    /// Cells between its right side and where its wires begin. With some, it is as wide as its column.
    pub(super) lead: i32,
}

/// The positions of all blocks and wires.
#[derive(Clone, Debug, Default)]
pub(super) struct Arranged {
    /// The place of each block. A block may be larger than asked, to leave room for a lane beside it.
    pub(super) places: Vec<Place>,
    /// The row of each block's wires.
    pub(super) pins: Vec<i32>,
    /// The column of each block, and its place in it from the top.
    pub(super) columns: Vec<(u32, u32)>,
    /// For each edge the corners of its way, from the first cell right of its source to the arrow.
    pub(super) ways: Vec<Vec<(i32, i32)>>,
    /// The left edge of each column.
    pub(super) lefts: Vec<i32>,
    /// Rows of columns one below the other.
    pub(super) bands: usize,
    /// Levels without wires of their own.
    pub(super) stack: Option<Stack>,
    pub(super) width: i32,
    pub(super) height: i32,
}

const SWEEPS: usize = 8;
const ROW_PASSES: usize = 8;
/// Barycentres are kept in so many parts of a place.
const PARTS: i64 = 1024;
/// A line through a column pulls its neighbours into its row so much more than a node does.
const STRAIGHT_WEIGHT: i64 = 8;
/// If the tallest column has at most so many rows, an empty row stands between nodes.
const ROOMY: i32 = 7;

/// Places blocks and wires; edges must have no circle.
pub(super) fn arrange(blocks: &[Block], edges: &[(u32, u32)]) -> Arranged {
    if blocks.is_empty() {
        return Arranged::default();
    }
    let columns = columns(blocks.len(), edges);
    let mut plan = Plan::new(blocks, edges, &columns);
    plan.sweep();
    plan.rows();
    plan.finish(blocks, edges)
}

/// Longest path from the sources; then, from the right, a node with more ways out than in moves towards what needs it.
fn columns(count: usize, edges: &[(u32, u32)]) -> Vec<usize> {
    let (mut ins, mut outs) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for &(from, to) in edges {
        outs[from as usize].push(to as usize);
        ins[to as usize].push(from as usize);
    }
    let mut waiting: Vec<usize> = ins.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..count).filter(|node| waiting[*node] == 0).collect();
    let mut column = vec![0; count];
    let mut at = 0;
    while at < order.len() {
        let node = order[at];
        for &to in &outs[node] {
            column[to] = column[to].max(column[node] + 1);
            waiting[to] -= 1;
            if waiting[to] == 0 {
                order.push(to);
            }
        }
        at += 1;
    }
    // A node that feeds many and needs little would draw long wires from the far left: it stands just before the
    // first that needs it, where its wires are short.
    for &node in order.iter().rev() {
        if outs[node].len() > ins[node].len()
            && let Some(nearest) = outs[node].iter().map(|to| column[*to]).min()
        {
            column[node] = nearest - 1;
        }
    }
    column
}

/// A block, or a bend: the cell where a long wire passes through a column.
#[derive(Clone, Copy)]
struct Item {
    height: i32,
    pin: i32,
    is_bend: bool,
}

/// The part of a net between two columns.
struct Section {
    left: Vec<usize>,
    right: Vec<usize>,
}

struct Plan {
    items: Vec<Item>,
    /// The items of each column, from the top.
    order: Vec<Vec<usize>>,
    column: Vec<usize>,
    /// For each gap between columns the sections of the nets that cross it.
    gaps: Vec<Vec<Section>>,
    /// For each block its net, and for each net the column it begins in, its first gap's section, and so on.
    net_of: Vec<usize>,
    /// For each net and each gap from its first: the section's index there.
    nets: Vec<(usize, Vec<usize>)>,
    /// The row of each item's pin.
    row: Vec<i32>,
}

impl Plan {
    /// Blocks of one column with the same targets share a net: they are drawn as one bus.
    fn new(blocks: &[Block], edges: &[(u32, u32)], columns: &[usize]) -> Self {
        let count = columns.iter().max().map_or(0, |last| last + 1);
        let items: Vec<Item> = blocks
            .iter()
            .map(|block| Item { height: block.height, pin: block.pin, is_bend: false })
            .collect();
        let mut targets = vec![Vec::new(); blocks.len()];
        for &(from, to) in edges {
            targets[from as usize].push(to as usize);
        }
        let mut sources: BTreeMap<(usize, &[usize]), Vec<usize>> = BTreeMap::new();
        for (block, targets) in targets.iter().enumerate() {
            if !targets.is_empty() {
                sources.entry((columns[block], targets)).or_default().push(block);
            }
        }
        // In the order of their first sources, so that bends are in file order too.
        let mut sources: Vec<_> = sources.into_iter().collect();
        sources.sort_by_key(|(_, sources)| sources[0]);
        let mut plan = Self {
            items,
            order: vec![Vec::new(); count],
            column: columns.to_vec(),
            gaps: (1..count).map(|_| Vec::new()).collect(),
            net_of: vec![usize::MAX; blocks.len()],
            nets: Vec::new(),
            row: Vec::new(),
        };
        let mut ranks: Vec<(u32, usize)> =
            blocks.iter().enumerate().map(|(index, block)| (block.rank, index)).collect();
        for ((first, targets), sources) in sources {
            plan.add_net(first, targets, sources, &mut ranks);
        }
        ranks.sort_unstable();
        for (_, item) in ranks {
            plan.order[plan.column[item]].push(item);
        }
        plan.row = vec![0; plan.items.len()];
        plan
    }

    fn add_net(
        &mut self,
        first: usize,
        targets: &[usize],
        sources: Vec<usize>,
        ranks: &mut Vec<(u32, usize)>,
    ) {
        let last = targets.iter().map(|to| self.column[*to]).max().expect("a net has targets");
        let rank = ranks[sources[0]].0;
        for source in &sources {
            self.net_of[*source] = self.nets.len();
        }
        let (mut left, mut sections) = (sources, Vec::new());
        for gap in first..last {
            let mut right: Vec<usize> =
                targets.iter().copied().filter(|to| self.column[*to] == gap + 1).collect();
            let mut next = Vec::new();
            if gap + 1 < last {
                let bend = self.items.len();
                self.items.push(Item { height: 1, pin: 0, is_bend: true });
                self.column.push(gap + 1);
                ranks.push((rank, bend));
                right.push(bend);
                next.push(bend);
            }
            sections.push(self.gaps[gap].len());
            self.gaps[gap].push(Section { left, right });
            left = next;
        }
        self.nets.push((first, sections));
    }

    /// Barycentre sweeps to the right and back. The first order with the fewest crossings stays, so an order that
    /// was good before is kept.
    fn sweep(&mut self) {
        let mut place = self.places();
        let mut best = (self.crossings(&place), self.order.clone());
        for sweep in 0..SWEEPS {
            if best.0 == 0 {
                break;
            }
            if sweep % 2 == 0 {
                (1..self.order.len())
                    .for_each(|column| self.sort_column(column, (column - 1, true), &mut place));
            } else {
                (0..self.order.len() - 1)
                    .rev()
                    .for_each(|column| self.sort_column(column, (column, false), &mut place));
            }
            let crossings = self.crossings(&place);
            if crossings < best.0 {
                best = (crossings, self.order.clone());
            }
        }
        self.order = best.1;
    }

    fn places(&self) -> Vec<i64> {
        let mut place = vec![0; self.items.len()];
        for column in &self.order {
            for (index, item) in (0..).zip(column) {
                place[*item] = index;
            }
        }
        place
    }

    fn sort_column(&mut self, column: usize, (gap, from_left): (usize, bool), place: &mut [i64]) {
        let mut sums: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
        for section in &self.gaps[gap] {
            let (fixed, moved) =
                if from_left { (&section.left, &section.right) } else { (&section.right, &section.left) };
            let sum: i64 = fixed.iter().map(|item| place[*item]).sum();
            let count = i64::try_from(fixed.len()).expect("a net has few ends");
            for item in moved {
                let entry = sums.entry(*item).or_default();
                *entry = (entry.0 + sum, entry.1 + count);
            }
        }
        let key = |item: &usize| match sums.get(item) {
            Some((sum, count)) => sum * PARTS / count,
            None => place[*item] * PARTS,
        };
        self.order[column].sort_by_cached_key(key);
        for (index, item) in (0..).zip(&self.order[column]) {
            place[*item] = index;
        }
    }

    /// The number of pairs of wires that cross, counted with a Fenwick tree.
    fn crossings(&self, place: &[i64]) -> u64 {
        let mut crossings = 0;
        for (gap, sections) in self.gaps.iter().enumerate() {
            let mut wires = Vec::new();
            for section in sections {
                let few = section.left.len() * section.right.len() <= 256;
                for (index, left) in section.left.iter().enumerate() {
                    // Of a large bus only the hull is counted.
                    let ends = if few || index == 0 { &section.right[..] } else { &section.right[..1] };
                    wires.extend(ends.iter().map(|right| (place[*left], place[*right])));
                }
            }
            wires.sort_unstable();
            let mut sums = vec![0_u64; self.order[gap + 1].len() + 1];
            for (seen, (_, right)) in (0_u64..).zip(&wires) {
                let right = usize::try_from(*right).expect("places are not negative") + 1;
                let mut at = right;
                let mut not_below = 0;
                while at > 0 {
                    not_below += sums[at];
                    at &= at - 1;
                }
                crossings += seen - not_below;
                at = right;
                while at < sums.len() {
                    sums[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
        }
        crossings
    }

    /// Rows: each column moves towards the rows of its neighbours, left and right in turn, and keeps its order.
    fn rows(&mut self) {
        let tallest =
            self.order.iter().map(|column| column.iter().map(|item| self.items[*item].height).sum()).max();
        let space = i32::from(tallest.is_some_and(|rows: i32| rows <= ROOMY));
        let middle = tallest.unwrap_or(0) / 2;
        for column in &self.order {
            let height: i32 = column.iter().map(|item| self.items[*item].height + space).sum();
            let mut top = middle - height / 2;
            for item in column {
                self.row[*item] = top + self.items[*item].pin;
                top += self.items[*item].height + space;
            }
        }
        let last = self.order.len() - 1;
        // Early passes pull towards one side only, so that a change travels through all columns. The last two pull to
        // both sides, else a column would lean to the side that came last.
        for pass in 0..ROW_PASSES {
            if pass % 2 == 0 {
                (1..=last).for_each(|column| self.settle(column, space, (true, pass + 2 >= ROW_PASSES)));
            } else {
                (0..last).rev().for_each(|column| self.settle(column, space, (pass + 2 >= ROW_PASSES, true)));
            }
        }
        let top = self.row.iter().zip(&self.items).map(|(row, item)| row - item.pin).min().unwrap_or(0);
        self.row.iter_mut().for_each(|row| *row -= top);
    }

    /// Puts a column as near to where its neighbours want it as its order allows: blocks that would overlap move as
    /// one, to the mean of what they want.
    fn settle(&mut self, column: usize, space: i32, (from_left, from_right): (bool, bool)) {
        let mut wanted: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
        let mut pull = |fixed: &[usize], moved: &[usize]| {
            let sum_of = |fixed: &mut dyn Iterator<Item = &usize>| {
                fixed.fold((0, 0), |(sum, count), other| (sum + i64::from(self.row[*other]), count + 1))
            };
            let bends = sum_of(&mut fixed.iter().filter(|item| self.items[**item].is_bend));
            let all = sum_of(&mut fixed.iter());
            for item in moved {
                let straight = self.items[*item].is_bend && bends.1 > 0;
                let ((sum, count), weight) = if straight { (bends, STRAIGHT_WEIGHT) } else { (all, 1) };
                let entry = wanted.entry(*item).or_default();
                *entry = (entry.0 + sum * weight, entry.1 + count * weight);
            }
        };
        if from_left && column > 0 {
            self.gaps[column - 1].iter().for_each(|section| pull(&section.left, &section.right));
        }
        if from_right && column < self.gaps.len() {
            self.gaps[column].iter().for_each(|section| pull(&section.right, &section.left));
        }
        // Groups of items that touch: (sum of wanted tops, weight, first index, height).
        let mut groups: Vec<(i64, i64, usize, i64)> = Vec::new();
        let top_of = |group: &(i64, i64, usize, i64)| group.0.div_euclid(group.1);
        for (index, item) in self.order[column].iter().enumerate() {
            let this_item = self.items[*item];
            let (sum, count) = wanted.get(item).copied().unwrap_or((i64::from(self.row[*item]), 1));
            let weight = if wanted.contains_key(item) { 1 + i64::from(this_item.is_bend) * 3 } else { 1 };
            let top = sum.div_euclid(count) - i64::from(this_item.pin);
            groups.push((top * weight, weight, index, i64::from(this_item.height + space)));
            // Pool adjacent violators, the algorithm of isotonic regression: a group that would overlap the one above
            // joins it, and both stand at the weighted mean of what they want. One pass is exact.
            while let [.., above, below] = groups[..] {
                if top_of(&above) + above.3 <= top_of(&below) {
                    break;
                }
                groups.truncate(groups.len() - 2);
                groups.push((
                    above.0 + below.0 - above.3 * below.1,
                    above.1 + below.1,
                    above.2,
                    above.3 + below.3,
                ));
            }
        }
        for (number, group) in groups.iter().enumerate() {
            let end = groups.get(number + 1).map_or(self.order[column].len(), |next| next.2);
            let mut top = i32::try_from(top_of(group)).unwrap_or(0);
            for item in &self.order[column][group.2..end] {
                self.row[*item] = top + self.items[*item].pin;
                top += self.items[*item].height + space;
            }
        }
    }

    fn level(&self, item: usize) -> Level {
        self.row[item] * LANES
    }

    fn finish(&self, blocks: &[Block], edges: &[(u32, u32)]) -> Arranged {
        let routed: Vec<(Vec<Run>, usize)> = self
            .gaps
            .iter()
            .map(|sections| {
                let levels = |items: &[usize]| items.iter().map(|item| self.level(*item)).collect();
                let fans: Vec<Fan> = sections
                    .iter()
                    .map(|section| Fan { left: levels(&section.left), right: levels(&section.right) })
                    .collect();
                route(&fans)
            })
            .collect();
        let rows = Rows::new(routed.iter().flat_map(|(runs, _)| runs));
        let mut left = vec![0; self.order.len()];
        let mut wide = vec![1; self.order.len()];
        let mut tracks_at = Vec::new();
        for column in 0..self.order.len() {
            let widths = self.order[column].iter().filter(|item| !self.items[**item].is_bend);
            let width = widths.map(|item| blocks[*item].width).max().unwrap_or(1);
            wide[column] = width;
            if let Some((_, tracks)) = routed.get(column) {
                let tracks = i32::try_from(*tracks).expect("tracks are few");
                // A few tracks stand a cell apart, which reads better; many side by side would push columns off a screen.
                let step = if tracks <= 3 { 2 } else { 1 };
                tracks_at.push((left[column] + width + 2, step));
                let between = if tracks == 0 { 0 } else { (tracks - 1) * step + 1 };
                left[column + 1] = left[column] + width + between + 4;
            }
        }
        let short = |index: usize| u32::try_from(index).expect("columns are few");
        let mut arranged = Arranged { columns: vec![(0, 0); blocks.len()], bands: 1, ..Arranged::default() };
        for (column, items) in self.order.iter().enumerate() {
            for (place, item) in items.iter().filter(|item| !self.items[**item].is_bend).enumerate() {
                arranged.columns[*item] = (short(column), short(place));
            }
        }
        for (item, block) in blocks.iter().enumerate() {
            let (top, bottom) = (self.row[item] - block.pin, self.row[item] - block.pin + block.height - 1);
            let (y, end) = (rows.y(top * LANES), rows.y(bottom * LANES));
            let x = left[self.column[item]];
            let width = if block.lead > 0 { wide[self.column[item]] } else { block.width };
            arranged.places.push(Place { x, y, width, height: end - y + 1 });
            arranged.pins.push(rows.y(self.level(item)));
            arranged.width = arranged.width.max(x + width);
            arranged.height = arranged.height.max(end + 1);
        }
        for row in &self.row {
            arranged.height = arranged.height.max(rows.y(row * LANES) + 1);
        }
        for (runs, _) in &routed {
            for (lane, _) in runs.iter().filter_map(|run| run.detour) {
                arranged.height = arranged.height.max(rows.y(lane) + 1);
            }
        }
        let wires = Wires { plan: self, routed: &routed, rows: &rows, tracks_at: &tracks_at, left: &left };
        let from_to = |(from, to): &(u32, u32)| {
            let place = arranged.places[*from as usize];
            let start = place.x + place.width + blocks[*from as usize].lead;
            wires.way(start, *from as usize, *to as usize)
        };
        arranged.ways = edges.iter().map(from_to).collect();
        arranged.lefts = left;
        arranged
    }
}

/// Rows with the lanes that were needed between them.
struct Rows {
    /// The number of lanes after each row that has some, ascending, each with the sum of all lanes before.
    lanes: Vec<(i32, i32)>,
}

impl Rows {
    fn new<'r>(runs: impl Iterator<Item = &'r Run>) -> Self {
        let mut most: BTreeMap<i32, i32> = BTreeMap::new();
        for (lane, _) in runs.filter_map(|run| run.detour) {
            let entry = most.entry(lane.div_euclid(LANES)).or_default();
            *entry = (*entry).max(lane.rem_euclid(LANES));
        }
        let mut before = 0;
        let lanes = most.into_iter().map(|(row, lanes)| {
            before += lanes;
            (row, before)
        });
        Self { lanes: lanes.collect() }
    }

    fn y(&self, level: Level) -> i32 {
        let (row, lane) = (level.div_euclid(LANES), level.rem_euclid(LANES));
        let known = self.lanes.partition_point(|(at, _)| *at < row);
        row + lane + known.checked_sub(1).map_or(0, |index| self.lanes[index].1)
    }
}

struct Wires<'a> {
    plan: &'a Plan,
    routed: &'a [(Vec<Run>, usize)],
    rows: &'a Rows,
    tracks_at: &'a [(i32, i32)],
    left: &'a [i32],
}

impl Wires<'_> {
    /// The corners of one edge's way, through all columns between its ends.
    fn way(&self, start: i32, from: usize, to: usize) -> Vec<(i32, i32)> {
        let plan = self.plan;
        let (first, sections) = &plan.nets[plan.net_of[from]];
        let mut way = Vec::new();
        let mut at = from;
        way.push((start, self.rows.y(plan.level(from))));
        for (gap, section) in (*first..plan.column[to]).zip(sections) {
            let next = if gap + 1 == plan.column[to] {
                to
            } else {
                *plan.gaps[gap][*section].right.last().expect("a bend is the last of its section")
            };
            let run = &self.routed[gap].0[*section];
            let (here, there) = (self.rows.y(plan.level(at)), self.rows.y(plan.level(next)));
            if let Some(track) = run.track {
                let x = |track: usize| {
                    let (left, step) = self.tracks_at[gap];
                    left + step * i32::try_from(track).expect("tracks are few")
                };
                way.push((x(track), here));
                if let Some((lane, second)) = run.detour.filter(|_| run.detoured.contains(&plan.level(next)))
                {
                    let lane = self.rows.y(lane);
                    way.push((x(track), lane));
                    way.push((x(second), lane));
                    way.push((x(second), there));
                } else {
                    way.push((x(track), there));
                }
            }
            at = next;
        }
        way.push((self.left[plan.column[to]] - 1, self.rows.y(plan.level(to))));
        way.dedup();
        way
    }
}

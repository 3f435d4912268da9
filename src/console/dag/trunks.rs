//! Ways for a few edges between stacked levels: those of the selected node and of the critical path. They are found when
//! the picture is painted, so a cursor that moves lays out nothing.
//!
//! Edges into the selected node are one net, those out of it another, and every other edge is one of its own. Between two
//! neighbouring columns a net has a track. Over more columns it has a trunk: a row below all columns that it passes. From
//! band to band the trunk ends at the right and goes on at the left.

use super::{
    Layout, Shown,
    links::number,
    stack::{GAP, MARGIN, Stack},
    tracks::{Fan, LANES, Run, route},
};
use std::collections::BTreeMap;

/// A piece of the way of an edge; an edge has one in each band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The number of the edge among those shown.
    pub(super) edge: usize,
    pub(super) way: Vec<(i32, i32)>,
    /// True if the piece ends at the node that the edge leads to.
    pub(super) arrives: bool,
}

/// The ways of the wanted edges between stacked levels.
pub(super) fn trunks(layout: &Layout, shown: &Shown, wanted: impl Fn(usize) -> bool) -> Vec<Drawn> {
    let mut by_frame: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
    for (edge, (from, _)) in shown.edges.iter().enumerate().filter(|(edge, _)| wanted(*edge)) {
        by_frame.entry(shown.nodes[*from as usize].parent).or_default().push(edge);
    }
    let mut drawn = Vec::new();
    for (frame, edges) in by_frame {
        if let Some(stack) = layout.stacks.get(&frame) {
            let mut weaver = Weaver::new(layout, stack, &shown.edges, &edges);
            weaver.route();
            drawn.extend(edges.iter().enumerate().flat_map(|(index, edge)| weaver.way(index, *edge)));
        }
    }
    drawn
}

/// A gap that wires use: before a column, or after the last one of a band.
type Gap = (usize, bool);

struct Weaver<'a> {
    layout: &'a Layout,
    stack: &'a Stack,
    edges: &'a [(u32, u32)],
    /// For each wanted edge its net.
    net_of: Vec<usize>,
    /// For each net and band the row of its trunk.
    rows: BTreeMap<(usize, usize), i32>,
    /// For each gap its nets with their fans, and after routing their runs.
    fans: BTreeMap<Gap, BTreeMap<usize, Fan>>,
    runs: BTreeMap<Gap, (BTreeMap<usize, Run>, usize)>,
    wanted: &'a [usize],
}

impl<'a> Weaver<'a> {
    fn new(layout: &'a Layout, stack: &'a Stack, edges: &'a [(u32, u32)], wanted: &'a [usize]) -> Self {
        // What has several wanted edges on one side is a hub; its edges are one net.
        let (mut outs, mut ins) = (BTreeMap::<u32, u32>::new(), BTreeMap::<u32, u32>::new());
        for (from, to) in wanted.iter().map(|edge| edges[*edge]) {
            *outs.entry(from).or_default() += 1;
            *ins.entry(to).or_default() += 1;
        }
        let mut nets = BTreeMap::new();
        let net_of = wanted.iter().map(|edge| {
            let (from, to) = edges[*edge];
            let key = if outs[&from] >= ins[&to] { (from, u32::MAX) } else { (u32::MAX, to) };
            let next = nets.len();
            *nets.entry(key).or_insert(next)
        });
        let net_of = net_of.collect();
        let (rows, fans, runs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { layout, stack, edges, net_of, rows, fans, runs, wanted }
    }

    fn column(&self, spot: u32) -> usize {
        self.layout.columns[spot as usize].0 as usize
    }

    fn band(&self, spot: u32) -> usize {
        self.stack.columns[self.column(spot)].band
    }

    /// True if an edge needs no trunk.
    fn is_near(&self, (from, to): (u32, u32)) -> bool {
        self.column(from) + 1 == self.column(to) && self.band(from) == self.band(to)
    }

    fn gap_after(&self, column: usize) -> Gap {
        let is_last = self.stack.bands[self.stack.columns[column].band].last == column;
        if is_last { (column, true) } else { (column + 1, false) }
    }

    /// Finds the trunks, then a track for each net in each gap.
    fn route(&mut self) {
        self.find_trunks();
        for index in 0..self.wanted.len() {
            let (from, to) = self.edges[self.wanted[index]];
            let net = self.net_of[index];
            let (y, to_y) = (self.layout.pins[from as usize], self.layout.pins[to as usize]);
            if self.is_near((from, to)) {
                self.enter((self.column(to), false), net, y, to_y);
                continue;
            }
            let (first, last) = (self.band(from), self.band(to));
            let after = self.gap_after(self.column(from));
            self.enter(after, net, y, self.rows[&(net, first)]);
            self.enter((self.column(to), false), net, self.rows[&(net, last)], to_y);
            let mut passes = Vec::new();
            for band in first..=last {
                let begin = if band == first { self.column(from) + 2 } else { self.stack.bands[band].first };
                let end = if band == last { self.column(to) } else { self.stack.bands[band].last + 1 };
                passes.extend((begin..end).map(|column| (band, (column, false))));
                if band < last && !(band == first && after.1) {
                    passes.push((band, (self.stack.bands[band].last, true)));
                }
            }
            for (band, gap) in passes {
                let row = self.rows[&(net, band)];
                self.enter(gap, net, row, row);
            }
        }
        for (gap, fans) in &self.fans {
            let list: Vec<Fan> = fans.values().cloned().collect();
            let (runs, tracks) = route(&list);
            self.runs.insert(*gap, (fans.keys().copied().zip(runs).collect(), tracks));
        }
    }

    fn enter(&mut self, gap: Gap, net: usize, left: i32, right: i32) {
        let fan = self.fans.entry(gap).or_default().entry(net).or_default();
        for (rows, row) in [(&mut fan.left, left * LANES), (&mut fan.right, right * LANES)] {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }

    /// For each net and band the columns that its trunk passes, then the first free row below them.
    fn find_trunks(&mut self) {
        let mut spans: BTreeMap<(usize, usize), (usize, usize, i32)> = BTreeMap::new();
        for (index, edge) in self.wanted.iter().enumerate() {
            let (from, to) = self.edges[*edge];
            if self.is_near((from, to)) {
                continue;
            }
            let (first, last) = (self.band(from), self.band(to));
            for band in first..=last {
                let bands = &self.stack.bands[band];
                let begin = if band == first { self.column(from) + 1 } else { bands.first };
                let end = if band == last { self.column(to) } else { bands.last + 1 };
                // Where it passes no column it stays in the row of the node.
                let spot = if band == first { from } else { to };
                let row = self.layout.pins[spot as usize];
                let entry = spans.entry((self.net_of[index], band)).or_insert((begin, end, row));
                *entry = (entry.0.min(begin), entry.1.max(end), entry.2);
            }
        }
        let mut taken: Vec<(usize, i32, usize, usize)> = Vec::new();
        for ((net, band), (begin, end, near)) in spans {
            let passed = self.stack.columns.get(begin..end).unwrap_or_default();
            let first = passed.iter().map(|column| column.bottom).max().unwrap_or(near);
            let last = self.stack.bands[band].last_row;
            let is_free = |row: &i32| {
                !taken.iter().any(|(at, taken, from, to)| {
                    (*at, *taken) == (band, *row) && begin <= *to && *from <= end
                })
            };
            let row = (first..=last).find(is_free).unwrap_or(first.min(last));
            taken.push((band, row, begin, end));
            self.rows.insert((net, band), row);
        }
    }

    /// The pieces of one edge.
    fn way(&self, index: usize, edge: usize) -> Vec<Drawn> {
        let (from, to) = self.edges[edge];
        let net = self.net_of[index];
        let place = self.layout.places[from as usize];
        let lead = i32::from(place.height == 1);
        let (y, to_y) = (self.layout.pins[from as usize], self.layout.pins[to as usize]);
        let arrow = (self.stack.columns[self.column(to)].left - 1, to_y);
        let mut way = vec![(place.x + place.width + lead, y)];
        let mut drawn = Vec::new();
        if self.is_near((from, to)) {
            self.through((self.column(to), false), net, (y, to_y), &mut way);
        } else {
            let (first, last) = (self.band(from), self.band(to));
            self.through(self.gap_after(self.column(from)), net, (y, self.rows[&(net, first)]), &mut way);
            for band in first..last {
                way.push((self.stack.bands[band].right, self.rows[&(net, band)]));
                way.dedup();
                drawn.push(Drawn { edge, way: std::mem::take(&mut way), arrives: false });
                way.push((self.stack.left, self.rows[&(net, band + 1)]));
            }
            self.through((self.column(to), false), net, (self.rows[&(net, last)], to_y), &mut way);
        }
        way.push(arrow);
        way.dedup();
        drawn.push(Drawn { edge, way, arrives: true });
        drawn
    }

    /// The corners of a net in a gap, from the row in which it enters to the one in which it leaves.
    fn through(&self, gap: Gap, net: usize, (row, to_row): (i32, i32), way: &mut Vec<(i32, i32)>) {
        let Some((run, tracks)) =
            self.runs.get(&gap).and_then(|(runs, tracks)| Some((runs.get(&net)?, *tracks)))
        else {
            return;
        };
        let Some(track) = run.track else { return };
        let x = |track: usize| self.track_at(gap, track, tracks);
        way.push((x(track), row));
        if let Some((lane, second)) = run.detour.filter(|_| run.detoured.contains(&(to_row * LANES))) {
            let lane = lane.div_euclid(LANES);
            way.extend([(x(track), lane), (x(second), lane), (x(second), to_row)]);
        } else {
            way.push((x(track), to_row));
        }
    }

    /// The column of cells of a track. One alone stands in the middle; what is too many shares the last.
    fn track_at(&self, (column, is_after): Gap, track: usize, tracks: usize) -> i32 {
        let at = self.stack.columns[column];
        let is_margin = !is_after && self.stack.bands[at.band].first == column;
        let left = match (is_after, is_margin) {
            (true, _) => at.left + at.width + 1,
            (_, true) => at.left - MARGIN,
            _ => at.left - GAP + 1,
        };
        let most = if is_margin { 1 } else { 2 };
        let track = if tracks == 1 { 1 } else { i32::try_from(number(track)).unwrap_or(most).min(most) };
        left + track
    }
}

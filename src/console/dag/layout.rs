//! The places of all nodes and wires, and movement from node to node. Computes places only; `paint` draws.

use super::{
    FoldKey, FoldKind, Shown, Zoom,
    arrange::{Arranged, Block, arrange},
    bands::in_bands,
    outline::{OutlineRow, dots, outline},
    stack::{Stack, stacked},
};
use crate::Glyphs;
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// A rectangle of cells in a picture, which may be larger than any screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The column of its left edge.
    pub x: i32,
    /// The row of its upper edge.
    pub y: i32,
    /// The width in columns.
    pub width: i32,
    /// The height in rows.
    pub height: i32,
}

impl Place {
    /// True if the cell is inside.
    pub fn contains(self, x: i32, y: i32) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }

    /// True if the two places share a cell.
    pub fn meets(self, other: Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn middle(self) -> i32 {
        self.y + self.height / 2
    }
}

/// The position of each node in its column, from which the next layout begins.
pub type Order = BTreeMap<FoldKey, u32>;

/// A direction of movement in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards what is needed.
    Left,
    /// Down within the same column.
    Down,
    /// Up within the same column.
    Up,
    /// Towards what needs this.
    Right,
}

/// A picture's places. It holds for every [`Shown`] of the same shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub(super) zoom: Zoom,
    pub(super) places: Vec<Place>,
    /// The row of each node's wires.
    pub(super) pins: Vec<i32>,
    /// For each edge, in the order of `Shown::edges`, the corners of its way.
    pub(super) ways: Vec<Vec<(i32, i32)>>,
    /// The straight pieces of all ways, each once: corners from left or from above.
    pub(super) wires: Vec<Wire>,
    pub(super) rows: Vec<OutlineRow>,
    /// At zoom 1 the dot of each node, two dots a column and four a row.
    pub(super) dots: Vec<(i32, i32)>,
    /// The column of each node in its frame, and its place in it.
    pub(super) columns: Vec<(u32, u32)>,
    /// Levels whose edges have no ways here, by the frame they stand in.
    pub(super) stacks: BTreeMap<Option<u32>, Stack>,
    /// The names of levels, each where it stands.
    pub(super) heads: Vec<(Place, String)>,
    /// True if columns stand below one another.
    is_cut: bool,
    order: Order,
    edges: Vec<(u32, u32)>,
    frames: Vec<bool>,
    size: (i32, i32),
    shape: u64,
}

/// A straight piece of a way, and whether it goes on straight past its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wire {
    pub(super) from: (i32, i32),
    pub(super) to: (i32, i32),
    /// True if a way begins, and true if one ends, at this piece; the line then fills the cell.
    pub(super) open: (bool, bool),
}

/// Labels are cut to columns of this width.
const COLUMN_MAX: i32 = 24;
/// Room for a note beside a name, where there is much.
const NOTE: i32 = 7;
const CARD_MIN: i32 = 14;
/// More edges than this, and more than six for five nodes, are dense: of them not all are drawn.
const EDGES_MAX: usize = 24;
/// Names of levels are cut to so many cells.
const HEAD_MAX: usize = 16;
/// A frame in frames has so many columns at least.
const ROOM_MIN: i32 = 40;
/// A gate that waits is a box so wide at most: on a small screen, on a large one.
const GATE_MAX: (i32, i32) = (32, 44);
/// Signs in a row of a box of copies.
pub(super) const HEAT_ROW: usize = 25;

/// Places what is shown; nodes keep the order they had, where that is no worse.
pub fn layout(shown: &Shown, previous: Option<&Order>, zoom: Zoom) -> Layout {
    let mut layout = Layout {
        zoom,
        edges: shown.edges.clone(),
        frames: shown.nodes.iter().map(|node| node.is_open).collect(),
        shape: shown.shape(),
        ..Layout::default()
    };
    match zoom {
        Zoom::Outline => outline(shown, &mut layout),
        Zoom::Dots => dots(shown, &mut layout),
        Zoom::Compact | Zoom::Cards => Composer::new(shown, previous, zoom).compose(&mut layout),
    }
    let (mut right, mut bottom) = layout.size;
    for place in &layout.places {
        (right, bottom) = (right.max(place.x + place.width), bottom.max(place.y + place.height));
    }
    bottom = bottom.max(i32::try_from(layout.rows.len()).unwrap_or(i32::MAX));
    // Beside a name of the outline stands its note.
    right += if zoom == Zoom::Outline { 2 + NOTE } else { 0 };
    layout.size = (right, bottom);
    layout.wires = wires(&layout.ways);
    layout
}

impl Layout {
    /// Columns and rows of the whole picture.
    pub fn size(&self) -> (i32, i32) {
        self.size
    }

    /// The place of a node of the picture.
    pub fn rect_of(&self, spot: u32) -> Option<Place> {
        self.places.get(spot as usize).copied()
    }

    /// The node at a cell; of a frame and what it holds, the inner one.
    pub fn hit(&self, x: i32, y: i32) -> Option<u32> {
        let hits = (0_u32..).zip(&self.places).filter(|(_, place)| place.contains(x, y));
        hits.min_by_key(|(_, place)| i64::from(place.width) * i64::from(place.height)).map(|(spot, _)| spot)
    }

    /// True if the picture is a tree of lines.
    pub fn is_tree(&self) -> bool {
        self.zoom == Zoom::Outline
    }

    /// True if these places are still right for the folded graph.
    pub fn fits(&self, shown: &Shown) -> bool {
        self.shape == shown.shape()
    }

    /// True if the levels of the whole graph stand as stacks, and only some of its edges are drawn.
    pub fn is_levels(&self) -> bool {
        self.stacks.contains_key(&None)
    }

    /// True if an edge is drawn whether or not the cursor is at one of its ends.
    pub fn has_way(&self, edge: usize) -> bool {
        self.ways.get(edge).is_some_and(|way| !way.is_empty())
    }

    /// True if columns stand below one another.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The band that a node stands in: the number of rows of columns above it, among levels; else 0.
    pub fn band_of(&self, spot: u32) -> usize {
        let stack = self.stacks.get(&None);
        let column = self.columns.get(spot as usize).map(|(column, _)| *column as usize);
        stack
            .zip(column)
            .and_then(|(stack, column)| stack.columns.get(column))
            .map_or(0, |column| column.band)
    }

    /// True if a node stands in a level without wires of its own.
    pub(super) fn is_stacked(&self, spot: u32, shown: &Shown) -> bool {
        self.stacks.contains_key(&shown.nodes[spot as usize].parent)
    }

    /// The position of each node in its column, for the next layout.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The nodes that a node of the picture needs.
    pub fn parents(&self, spot: u32) -> Vec<u32> {
        self.edges.iter().filter(|(_, to)| *to == spot).map(|(from, _)| *from).collect()
    }

    /// The nodes that need a node of the picture.
    pub fn children(&self, spot: u32) -> Vec<u32> {
        self.edges.iter().filter(|(from, _)| *from == spot).map(|(_, to)| *to).collect()
    }

    /// The next node in a direction: along an edge if there is one, else the nearest that lies there.
    pub fn neighbour(&self, spot: u32, direction: Direction) -> Option<u32> {
        let here = self.rect_of(spot)?;
        if self.is_cut && matches!(direction, Direction::Left | Direction::Right) {
            return self.beside_in_bands(spot, direction);
        }
        let along = match direction {
            _ if self.zoom == Zoom::Outline => Vec::new(),
            Direction::Left => self.parents(spot),
            Direction::Right => self.children(spot),
            Direction::Up | Direction::Down => Vec::new(),
        };
        let nearest = |spots: &mut dyn Iterator<Item = u32>| {
            let ahead = spots.filter(|other| *other != spot && !self.frames[*other as usize]);
            let rated = ahead
                .filter_map(|other| Some((distance(here, self.places[other as usize], direction)?, other)));
            rated.min().map(|(_, other)| other)
        };
        let inside: Vec<u32> = along.iter().flat_map(|other| self.leaves_at(*other)).collect();
        nearest(&mut inside.into_iter()).or_else(|| nearest(&mut (0_u32..).take(self.places.len())))
    }

    /// The next node along an edge, else the nearest in the next column, where columns stand below one another.
    fn beside_in_bands(&self, spot: u32, direction: Direction) -> Option<u32> {
        let to_right = direction == Direction::Right;
        let (column, place) = self.columns[spot as usize];
        let rated = |other: u32| {
            let (at, at_place) = self.columns[other as usize];
            let ahead = if to_right { at.checked_sub(column) } else { column.checked_sub(at) };
            ahead.filter(|ahead| *ahead > 0).map(|ahead| (ahead, at_place.abs_diff(place), other))
        };
        let along = if to_right { self.children(spot) } else { self.parents(spot) };
        let next = along.into_iter().filter_map(rated).min();
        next.or_else(|| (0_u32..).take(self.columns.len()).filter_map(rated).min()).map(|(_, _, other)| other)
    }

    /// A node, or what stands inside of it if it is a frame.
    fn leaves_at(&self, spot: u32) -> Vec<u32> {
        let frame = self.places[spot as usize];
        if !self.frames[spot as usize] {
            return vec![spot];
        }
        let inside =
            (0_u32..).zip(&self.places).filter(|(other, place)| *other != spot && frame.meets(**place));
        inside.map(|(other, _)| other).collect()
    }

    /// True if any node needs this node of the picture; edges are sorted by their start.
    pub(super) fn has_children(&self, spot: u32) -> bool {
        let first = self.edges.partition_point(|(from, _)| *from < spot);
        self.edges.get(first).is_some_and(|(from, _)| *from == spot)
    }
}

/// The distance in a direction; None if the place lies elsewhere. A sideways distance counts more.
fn distance(from: Place, to: Place, direction: Direction) -> Option<(i32, i32)> {
    let (y, to_y) = (from.middle(), to.middle());
    let (ahead, aside) = match direction {
        Direction::Left => (from.x - to.x, (to_y - y).abs()),
        Direction::Right => (to.x - from.x, (to_y - y).abs()),
        Direction::Up => (y - to_y, beside(from, to)),
        Direction::Down => (to_y - y, beside(from, to)),
    };
    (ahead > 0).then(|| (ahead.saturating_add(aside.saturating_mul(4)), aside))
}

fn cells(text: &str) -> i32 {
    i32::try_from(text.width()).unwrap_or(COLUMN_MAX)
}

/// The number of columns between two places.
fn beside(a: Place, b: Place) -> i32 {
    (b.x - (a.x + a.width)).max(a.x - (b.x + b.width)).max(0)
}

/// Arranges frames from the inside out, then moves what they hold to where they came to stand.
struct Composer<'a> {
    shown: &'a Shown,
    zoom: Zoom,
    ranks: Vec<u32>,
    /// The nodes inside each frame, and last those outside of all frames.
    inside: Vec<Vec<u32>>,
    arranged: Vec<Arranged>,
}

impl<'a> Composer<'a> {
    fn new(shown: &'a Shown, previous: Option<&Order>, zoom: Zoom) -> Self {
        let count = shown.nodes.len();
        let mut inside = vec![Vec::new(); count + 1];
        for (spot, node) in (0_u32..).zip(&shown.nodes) {
            inside[node.parent.map_or(count, |frame| frame as usize)].push(spot);
        }
        // What was not there before stands after the one before it in the file.
        let mut last = 0;
        let ranks = shown.nodes.iter().map(|node| {
            last = previous.and_then(|order| order.get(&node.key)).copied().unwrap_or(last);
            last
        });
        Self { shown, zoom, ranks: ranks.collect(), inside, arranged: vec![Arranged::default(); count + 1] }
    }

    fn compose(mut self, layout: &mut Layout) {
        let count = self.shown.nodes.len();
        // A frame comes after the frame it stands in, except that a group may be named after its steps.
        let mut frames = Vec::new();
        let mut waiting = vec![count];
        while let Some(frame) = waiting.pop() {
            frames.push(frame);
            waiting.extend(
                self.inside[frame]
                    .iter()
                    .map(|number| *number as usize)
                    .filter(|number| self.shown.nodes[*number].is_open),
            );
        }
        let edges = self.edges_by_frame();
        for &frame in frames.iter().rev() {
            let blocks: Vec<Block> = self.inside[frame].iter().map(|spot| self.block(*spot, false)).collect();
            let local: Vec<(u32, u32)> = edges[frame].iter().map(|(local, _)| *local).collect();
            self.arranged[frame] = self.arranged(frame, &blocks, &local);
        }
        layout.places = vec![Place::default(); count];
        layout.pins = vec![0; count];
        layout.columns = vec![(0, 0); count];
        layout.ways = vec![Vec::new(); self.shown.edges.len()];
        for &frame in &frames {
            self.put_inside(frame, &edges[frame], layout);
        }
        layout.size = (self.arranged[count].width, self.arranged[count].height);
    }

    /// One frame: woven where few edges fit into its room, in one band or in several; else its levels as stacks. Counted
    /// entries say nothing without the name of their level, so they stand in stacks too.
    fn arranged(&self, frame: usize, blocks: &[Block], edges: &[(u32, u32)]) -> Arranged {
        let room = self.room(frame);
        let (nodes, all) = (blocks.len(), self.shown.all_edges);
        let is_counted = |spot: &u32| matches!(self.shown.nodes[*spot as usize].key.kind, FoldKind::Level(_));
        let is_dense = edges.len() > EDGES_MAX && edges.len() * 5 > nodes * 6
            || self.inside[frame].iter().any(is_counted);
        if room == 0 || all || !is_dense {
            let woven = arrange(blocks, edges);
            if room == 0 || woven.width <= room {
                return woven;
            }
            match in_bands(&woven, room) {
                Some(cut) => return cut,
                None if all => return woven,
                None => {}
            }
        }
        let spots = &self.inside[frame];
        let levels: Vec<u32> = spots.iter().map(|spot| self.shown.level_of[*spot as usize]).collect();
        // Counts stand above single steps, settled ones first, whatever the order before.
        let rank = |spot: &u32| match self.shown.nodes[*spot as usize].key.kind {
            FoldKind::Level(mark) => u32::from(mark.urgency()) * 32 + mark as u32,
            _ => 1024 + spot,
        };
        let ranked = spots.iter().map(|spot| Block { rank: rank(spot), ..self.block(*spot, true) });
        let heads: Vec<i32> = self.heads(frame).map(|head| cells(&head)).collect();
        let is_long = |(from, to): &(u32, u32)| levels[*from as usize] + 1 < levels[*to as usize];
        let between = if edges.iter().any(is_long) { 2 } else { 1 };
        stacked(&ranked.collect::<Vec<_>>(), &levels, &heads, (room, between))
    }

    /// The columns that a frame may take; 0 for any number.
    fn room(&self, frame: usize) -> i32 {
        let mut room = i32::from(self.shown.room);
        let mut at = self.shown.nodes.get(frame);
        while let Some(node) = at.filter(|_| room > 0) {
            room = (room - 4).max(ROOM_MIN);
            at = node.parent.and_then(|frame| self.shown.nodes.get(frame as usize));
        }
        room
    }

    /// The heads of a frame's levels: `extract 10`.
    fn heads(&self, frame: usize) -> impl Iterator<Item = String> {
        let parent = u32::try_from(frame).ok().filter(|_| frame < self.shown.nodes.len());
        let levels = self.shown.levels.range((parent, 0)..=(parent, u32::MAX));
        levels.map(|((_, level), name)| {
            let steps = name.steps;
            if name.common.is_empty() {
                format!("level {} · {steps}", level + 1)
            } else {
                let common = Glyphs::default().fit(&name.common, HEAD_MAX);
                format!("{common} {steps}")
            }
        })
    }

    /// For each frame its edges by the places of their ends in it, and their numbers in the whole.
    fn edges_by_frame(&self) -> Vec<Vec<((u32, u32), usize)>> {
        let count = self.shown.nodes.len();
        let mut local = vec![0; count];
        for spots in &self.inside {
            for (index, spot) in (0_u32..).zip(spots) {
                local[*spot as usize] = index;
            }
        }
        let mut edges = vec![Vec::new(); count + 1];
        for (index, (from, to)) in self.shown.edges.iter().enumerate() {
            let frame = self.shown.nodes[*from as usize].parent.map_or(count, |frame| frame as usize);
            edges[frame].push(((local[*from as usize], local[*to as usize]), index));
        }
        edges
    }

    fn block(&self, spot: u32, below_head: bool) -> Block {
        let node = &self.shown.nodes[spot as usize];
        let rank = self.ranks[spot as usize];
        let title = cells(&node.title(Glyphs::default()));
        if node.is_open {
            let inner = &self.arranged[spot as usize];
            let width = (inner.width + 4).max(title.min(COLUMN_MAX) + 8);
            let height = inner.height.max(1) + 2;
            return Block { width, height, pin: height / 2, rank, lead: 0 };
        }
        if !node.asks.is_empty() {
            // The note of an open gate is an age and votes.
            let lines = i32::try_from(node.asks.len()).unwrap_or(1);
            let width = if lines > 1 { GATE_MAX.1 } else { (title + 17).min(GATE_MAX.0) };
            return Block { width, height: 2 + lines, pin: 1 + lines / 2, rank, lead: 0 };
        }
        if !node.heat.is_empty() {
            let row = i32::try_from(HEAT_ROW).unwrap_or(i32::MAX);
            let rows = i32::try_from(node.heat.len().div_ceil(HEAT_ROW)).unwrap_or(i32::MAX);
            return Block { width: row + 6, height: rows + 4, pin: 2 + rows / 2, rank, lead: 0 };
        }
        if self.zoom == Zoom::Cards {
            let width = (title + 8).clamp(CARD_MIN, COLUMN_MAX);
            return Block { width, height: 3, pin: 1, rank, lead: 0 };
        }
        let title = cells(&self.shown.line_of(spot, below_head, Glyphs::default()));
        if below_head {
            return Block { width: (title + 2).min(COLUMN_MAX), height: 1, pin: 0, rank, lead: 1 };
        }
        // A copy that stands apart does so because it has something to say.
        let is_copy = node.within.is_some_and(|within| within.kind == FoldKind::Copies);
        // Of many it is told how many are done: `200/200`, and a blank before it.
        let digits = i32::try_from(node.count.to_string().len()).unwrap_or(NOTE);
        let spare = if self.shown.wide || is_copy { NOTE.max(2 * digits + 2) } else { 0 };
        Block { width: (title + 2).min(COLUMN_MAX) + spare, height: 1, pin: 0, rank, lead: 1 }
    }

    fn put_inside(&self, frame: usize, edges: &[((u32, u32), usize)], layout: &mut Layout) {
        let origin = layout.places.get(frame).map_or((0, 0), |place| (place.x + 2, place.y + 1));
        let arranged = &self.arranged[frame];
        for (local, spot) in self.inside[frame].iter().enumerate() {
            let place = arranged.places[local];
            layout.places[*spot as usize] = Place { x: origin.0 + place.x, y: origin.1 + place.y, ..place };
            layout.pins[*spot as usize] = origin.1 + arranged.pins[local];
            layout.columns[*spot as usize] = arranged.columns[local];
            layout.order.insert(self.shown.nodes[*spot as usize].key, arranged.columns[local].1);
        }
        let is_whole = frame == self.shown.nodes.len();
        layout.is_cut |= is_whole && arranged.bands > 1;
        if let Some(stack) = arranged.stack.clone().map(|stack| stack.moved(origin)) {
            for (column, head) in stack.columns.iter().zip(self.heads(frame)) {
                let y = stack.bands[column.band].top;
                layout.heads.push((Place { x: column.left, y, width: column.width, height: 1 }, head));
            }
            let parent = u32::try_from(frame).ok().filter(|_| !is_whole);
            layout.stacks.insert(parent, stack);
        }
        for ((_, index), way) in edges.iter().zip(&arranged.ways) {
            let way = way.iter().map(|(x, y)| (origin.0 + x, origin.1 + y));
            layout.ways[*index] = way.collect();
        }
    }
}

/// The straight pieces of a way.
pub(super) fn pieces(way: &[(i32, i32)]) -> Vec<Wire> {
    let last = way.len().saturating_sub(2);
    if let [only] = way[..] {
        return vec![Wire { from: only, to: only, open: (true, true) }];
    }
    let piece = |(index, ends): (usize, &[(i32, i32)])| {
        let (begins, stops) = (index == 0, index == last);
        let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let open = if ends[0] <= ends[1] { (begins, stops) } else { (stops, begins) };
        Wire { from, to, open }
    };
    way.windows(2).enumerate().map(piece).collect()
}

/// The straight pieces of all ways, each once.
fn wires(ways: &[Vec<(i32, i32)>]) -> Vec<Wire> {
    let mut wires: Vec<Wire> = ways.iter().flat_map(|way| pieces(way)).collect();
    wires.sort_unstable();
    wires.dedup();
    wires
}

//! The wires between nodes: cells with arms, each arm thin or heavy, and the sign for each cell.

use super::Painter;
use crate::{
    Glyphs, Role,
    dag::{
        Place,
        layout::{Wire, pieces},
        trunks::{Drawn, trunks},
    },
};
use ratatui::style::{Modifier, Style};
use std::collections::BTreeMap;

/// The arms of a cell.
const NORTH: u16 = 1;
const EAST: u16 = 2;
const SOUTH: u16 = 4;
const WEST: u16 = 8;
const ARMS: u16 = 15;
/// Arms of the critical path stand so many bits higher.
const HEAVY: u16 = 4;
/// Arms of the selected node's edges stand so many bits higher.
const BOLD: u16 = 8;
/// A way turns or ends here, so four arms are a joint and not a crossing.
const JOINT: u16 = 1 << 12;

/// The sign for each weight of the four arms (none, thin, heavy): north and east choose the row, south and west the
/// place in it.
const SIGNS: [[char; 9]; 9] = [
    [' ', '╴', '╸', '╷', '┐', '┑', '╻', '┒', '┓'],
    ['╶', '─', '╾', '┌', '┬', '┭', '┎', '┰', '┱'],
    ['╺', '╼', '━', '┍', '┮', '┯', '┏', '┲', '┳'],
    ['╵', '┘', '┙', '│', '┤', '┥', '╽', '┧', '┪'],
    ['└', '┴', '┵', '├', '┼', '┽', '┟', '╁', '╅'],
    ['┕', '┶', '┷', '┝', '┾', '┿', '┢', '╆', '╈'],
    ['╹', '┚', '┛', '╿', '┦', '┩', '┃', '┨', '┫'],
    ['┖', '┸', '┹', '┞', '╀', '╃', '┠', '╂', '╉'],
    ['┗', '┺', '┻', '┡', '╄', '╇', '┣', '╊', '╋'],
];

/// The marks of an edge that is told apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// An edge of the selected node.
    pub(super) bold: bool,
    /// On the critical path.
    pub(super) heavy: bool,
}

impl Marks {
    const fn any(self) -> bool {
        self.bold || self.heavy
    }

    const fn with(self, other: Self) -> Self {
        Self { bold: self.bold || other.bold, heavy: self.heavy || other.heavy }
    }
}

impl Painter<'_> {
    pub(super) fn wires(&mut self) {
        let marks = self.marks();
        let drawn = trunks(self.layout, self.shown, |edge| marks[edge].any());
        for edge in drawn.iter().map(|drawn| drawn.edge) {
            self.from_drawn.insert(self.shown.edges[edge].0);
        }
        let window = self.window();
        let mut mask = Mask::new(window);
        let mut few: Vec<Wire> = drawn.iter().flat_map(|drawn| pieces(&drawn.way)).collect();
        few.sort_unstable();
        few.dedup();
        self.layout.wires.iter().chain(&few).for_each(|wire| mask.add(*wire, 0));
        let whole = self.layout.ways.iter().enumerate().filter(|(_, way)| !way.is_empty());
        let whole = whole.map(|(edge, way)| (edge, &way[..], true));
        let few = drawn.iter().map(|drawn: &Drawn| (drawn.edge, &drawn.way[..], drawn.arrives));
        let ways: Vec<_> = whole.chain(few).collect();
        for (edge, way, _) in ways.iter().filter(|(edge, _, _)| marks[*edge].any()) {
            let marks = marks[*edge];
            for wire in pieces(way) {
                [(marks.heavy, HEAVY), (marks.bold, BOLD)]
                    .into_iter()
                    .filter(|(wanted, _)| *wanted)
                    .for_each(|(_, bits)| mask.add(wire, bits));
            }
        }
        for y in 0..window.height {
            for x in 0..window.width {
                let cell = mask.at(x, y);
                if cell & ARMS != 0 {
                    let style = self.wire_style(marks_of(cell));
                    let mut bytes = [0; 4];
                    let arms = sign(cell, self.glyphs).encode_utf8(&mut bytes);
                    self.put(window.x + x, window.y + y, arms, style);
                }
            }
        }
        // Several ways may end in one arrow; it shows all that they mean.
        let mut arrows: BTreeMap<(i32, i32), Marks> = BTreeMap::new();
        for (edge, way, _) in ways.iter().filter(|(_, _, arrives)| *arrives) {
            if let Some(end) = way.last().filter(|(x, y)| window.contains(*x, *y)) {
                let entry = arrows.entry(*end).or_default();
                *entry = entry.with(marks[*edge]);
            }
        }
        for ((x, y), marks) in arrows {
            self.put(x, y, self.glyphs.pick("→", ">"), self.wire_style(marks));
        }
    }

    /// For each edge what tells it apart.
    fn marks(&mut self) -> Vec<Marks> {
        let critical = self.critical_parents();
        self.leads = critical.iter().flatten().copied().collect();
        let of = |(from, to): &(u32, u32)| Marks {
            bold: self.selected.is_some_and(|selected| *from == selected || *to == selected),
            heavy: critical[*to as usize] == Some(*from),
        };
        self.shown.edges.iter().map(of).collect()
    }

    pub(super) fn wire_style(&self, marks: Marks) -> Style {
        if marks.bold {
            self.theme.role(Role::BorderFocus).add_modifier(Modifier::BOLD)
        } else if marks.heavy {
            self.theme.role(Role::Graph1)
        } else {
            self.theme.role(Role::Border)
        }
    }

    /// The line from the end of a name to where the wires of a node begin; none if no wire of it is drawn.
    pub(super) fn bridge(&self, spot: u32) -> Option<(&'static str, Style)> {
        let draws = self.layout.has_children(spot)
            && (!self.layout.is_stacked(spot, self.shown) || self.from_drawn.contains(&spot));
        let marks = Marks { bold: self.selected == Some(spot), heavy: self.leads.contains(&spot) };
        let line = match (marks.heavy, self.glyphs.ascii) {
            (true, true) => "=",
            (true, false) => "━",
            (false, true) => "-",
            (false, false) => "─",
        };
        draws.then(|| (line, self.wire_style(marks)))
    }

    /// For each node on the critical path, of all that it needs the critical one that stands nearest.
    fn critical_parents(&self) -> Vec<Option<u32>> {
        let nodes = &self.shown.nodes;
        let mut parents: Vec<Option<u32>> = vec![None; nodes.len()];
        for &(from, to) in &self.shown.edges {
            if nodes[from as usize].critical && nodes[to as usize].critical {
                let column = |spot: u32| self.layout.columns[spot as usize].0;
                let best = &mut parents[to as usize];
                if best.is_none_or(|best| column(best) < column(from)) {
                    *best = Some(from);
                }
            }
        }
        parents
    }
}

/// The arms of every cell of the window.
struct Mask {
    window: Place,
    cells: Vec<u16>,
}

impl Mask {
    fn new(window: Place) -> Self {
        let count = usize::try_from(window.width).unwrap_or(0) * usize::try_from(window.height).unwrap_or(0);
        Self { window, cells: vec![0; count] }
    }

    fn at(&self, x: i32, y: i32) -> u16 {
        self.cells[self.index(x, y)]
    }

    fn index(&self, x: i32, y: i32) -> usize {
        usize::try_from(y * self.window.width + x).expect("inside the window")
    }

    /// Adds the arms of a straight piece that lie in the window; `bits` says what they mean beside.
    fn add(&mut self, wire: Wire, bits: u16) {
        let window = self.window;
        let (left, right) = (wire.from.0.max(window.x), wire.to.0.min(window.x + window.width - 1));
        let (top, bottom) = (wire.from.1.max(window.y), wire.to.1.min(window.y + window.height - 1));
        let across = wire.from.1 == wire.to.1;
        let (back, ahead) = if across { (WEST, EAST) } else { (NORTH, SOUTH) };
        for y in top..=bottom {
            for x in left..=right {
                let (mut arms, mut joint) = (back | ahead, 0);
                if (x, y) == wire.from && !wire.open.0 {
                    (arms, joint) = (arms & !back, JOINT);
                }
                if (x, y) == wire.to && !wire.open.1 {
                    (arms, joint) = (arms & !ahead, JOINT);
                }
                let index = self.index(x - window.x, y - window.y);
                self.cells[index] |= arms << bits | joint;
            }
        }
    }
}

/// The arms of a cell that are seen: a line that is crossed goes on behind the other.
const fn seen(cell: u16) -> u16 {
    if cell & ARMS == ARMS && cell & JOINT == 0 { NORTH | SOUTH } else { cell & ARMS }
}

/// The meaning of the arms that are seen.
const fn marks_of(cell: u16) -> Marks {
    let seen = seen(cell);
    Marks { bold: cell >> BOLD & seen != 0, heavy: cell >> HEAVY & seen != 0 }
}

fn sign(cell: u16, glyphs: Glyphs) -> char {
    let (seen, heavy) = (seen(cell), cell >> HEAVY & seen(cell));
    if glyphs.ascii {
        return match (seen, heavy == seen) {
            (0, _) => ' ',
            (arms, true) if arms & (NORTH | SOUTH) == 0 => '=',
            (_, true) => '#',
            (arms, false) if arms & (NORTH | SOUTH) == 0 => '-',
            (arms, false) if arms & (EAST | WEST) == 0 => '|',
            _ => '+',
        };
    }
    let weight = |arm: u16| usize::from(seen & arm != 0) + usize::from(heavy & arm != 0);
    SIGNS[weight(NORTH) * 3 + weight(EAST)][weight(SOUTH) * 3 + weight(WEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_shows_the_line_above_and_a_joint_the_weight_of_each_arm() {
        let glyphs = Glyphs::default();
        let across = (EAST | WEST) << HEAVY;
        assert_eq!(sign(ARMS | across, glyphs), '│', "a heavy line passes behind a thin one");
        assert_eq!(sign(ARMS | across | JOINT, glyphs), '┿');
        assert_eq!(sign(NORTH | EAST | SOUTH | EAST << HEAVY | JOINT, glyphs), '┝');
        assert_eq!(sign(ARMS | ARMS << HEAVY | JOINT, Glyphs { ascii: true }), '#');
        assert_eq!(sign(EAST | WEST | across, Glyphs { ascii: true }), '=');
    }
}

//! The wires between nodes: cells with arms, and the sign for each.

use super::Painter;
use crate::{
    Glyphs, Role,
    dag::{Place, layout::Wire},
};
use ratatui::style::{Modifier, Style};
use std::collections::BTreeMap;

/// The arms of a cell.
const NORTH: u8 = 1;
const EAST: u8 = 2;
const SOUTH: u8 = 4;
const WEST: u8 = 8;
/// A way turns or ends here, so four arms are a joint and not a crossing.
const JOINT: u8 = 16;
/// An edge of the selected node.
pub(super) const BOLD: u8 = 32;
/// On the critical path.
pub(super) const HEAVY: u8 = 64;

const ARMS: [char; 16] = [' ', '╵', '╶', '└', '╷', '│', '┌', '├', '╴', '┘', '─', '┴', '┐', '┤', '┬', '┼'];
const HEAVY_ARMS: [char; 16] =
    [' ', '╹', '╺', '┗', '╻', '┃', '┏', '┣', '╸', '┛', '━', '┻', '┓', '┫', '┳', '╋'];
const ASCII_ARMS: [char; 16] =
    [' ', '|', '-', '+', '|', '|', '+', '+', '-', '+', '-', '+', '+', '+', '+', '+'];
const ASCII_HEAVY: [char; 16] =
    [' ', '#', '=', '#', '#', '#', '#', '#', '=', '#', '=', '#', '#', '#', '#', '#'];

impl Painter<'_> {
    pub(super) fn wires(&mut self) {
        let window = self.window();
        let mut mask = Mask::new(window);
        for wire in &self.layout.wires {
            mask.add(*wire, 0);
        }
        let critical = self.critical_parents();
        self.leads = critical.iter().flatten().copied().collect();
        let mut marked = vec![0; self.shown.edges.len()];
        for (index, (from, to)) in self.shown.edges.iter().enumerate() {
            if self.selected.is_some_and(|selected| *from == selected || *to == selected) {
                marked[index] |= BOLD;
            }
            if critical[*to as usize] == Some(*from) {
                marked[index] |= HEAVY;
            }
        }
        for (way, mark) in self.layout.ways.iter().zip(&marked).filter(|(_, mark)| **mark != 0) {
            for ends in way.windows(2) {
                mask.mark(ends[0].min(ends[1]), ends[0].max(ends[1]), *mark);
            }
        }
        for y in 0..window.height {
            for x in 0..window.width {
                let cell = mask.at(x, y);
                if cell & 15 != 0 {
                    let style = self.wire_style(cell);
                    let mut bytes = [0; 4];
                    let arms = arms(cell, self.glyphs).encode_utf8(&mut bytes);
                    self.put(window.x + x, window.y + y, arms, style);
                }
            }
        }
        // Several ways may end in one arrow; it shows all that they mean.
        let mut arrows = BTreeMap::new();
        for (way, mark) in self.layout.ways.iter().zip(&marked) {
            if let Some(end) = way.last().filter(|(x, y)| window.contains(*x, *y)) {
                *arrows.entry(*end).or_insert(0) |= *mark;
            }
        }
        for ((x, y), mark) in arrows {
            self.put(x, y, self.glyphs.pick("→", ">"), self.wire_style(mark));
        }
    }

    pub(super) fn wire_style(&self, cell: u8) -> Style {
        if cell & BOLD != 0 {
            self.theme.role(Role::BorderFocus).add_modifier(Modifier::BOLD)
        } else if cell & HEAVY != 0 {
            self.theme.role(Role::Graph1)
        } else {
            self.theme.role(Role::Border)
        }
    }

    /// For each node on the critical path, of all that it needs the critical one that stands nearest.
    fn critical_parents(&self) -> Vec<Option<u32>> {
        let nodes = &self.shown.nodes;
        let mut parents: Vec<Option<u32>> = vec![None; nodes.len()];
        for &(from, to) in &self.shown.edges {
            if nodes[from as usize].critical && nodes[to as usize].critical {
                let x = |spot: u32| self.layout.places[spot as usize].x;
                let best = &mut parents[to as usize];
                if best.is_none_or(|best| x(best) < x(from)) {
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
    cells: Vec<u8>,
}

impl Mask {
    fn new(window: Place) -> Self {
        let count = usize::try_from(window.width).unwrap_or(0) * usize::try_from(window.height).unwrap_or(0);
        Self { window, cells: vec![0; count] }
    }

    fn at(&self, x: i32, y: i32) -> u8 {
        self.cells[self.index(x, y)]
    }

    fn index(&self, x: i32, y: i32) -> usize {
        usize::try_from(y * self.window.width + x).expect("inside the window")
    }

    fn add(&mut self, wire: Wire, marks: u8) {
        let across = wire.from.1 == wire.to.1;
        let (back, ahead) = if across { (WEST, EAST) } else { (NORTH, SOUTH) };
        self.each(wire.from, wire.to, |at| {
            let mut arms = back | ahead | marks;
            if at == wire.from && !wire.open.0 {
                arms = arms & !back | JOINT;
            }
            if at == wire.to && !wire.open.1 {
                arms = arms & !ahead | JOINT;
            }
            arms
        });
    }

    fn mark(&mut self, from: (i32, i32), to: (i32, i32), marks: u8) {
        self.each(from, to, |_| marks);
    }

    /// The cells of a straight line that are in the window.
    fn each(&mut self, from: (i32, i32), to: (i32, i32), arms: impl Fn((i32, i32)) -> u8) {
        let window = self.window;
        let (left, right) = (from.0.max(window.x), to.0.min(window.x + window.width - 1));
        let (top, bottom) = (from.1.max(window.y), to.1.min(window.y + window.height - 1));
        for y in top..=bottom {
            for x in left..=right {
                let index = self.index(x - window.x, y - window.y);
                self.cells[index] |= arms((x, y));
            }
        }
    }
}

fn arms(cell: u8, glyphs: Glyphs) -> char {
    let mask = usize::from(cell & 15);
    let crosses = mask == 15 && cell & JOINT == 0;
    let table = match () {
        () if glyphs.ascii && cell & HEAVY != 0 => &ASCII_HEAVY,
        () if glyphs.ascii => &ASCII_ARMS,
        () if cell & HEAVY != 0 => &HEAVY_ARMS,
        () => &ARMS,
    };
    table[if crosses { usize::from(NORTH | SOUTH) } else { mask }]
}

//! Painting: wires as masks of four arms a cell, then nodes, all cut to the window. Reads only.

use super::{
    DagView, Fate, Fates, FoldKind, Layout, Place, Shown, ShownNode, Zoom,
    layout::{HEAT_ROW, Wire},
};
use crate::{Glyphs, Mark, Role, Theme, gauge, text::put_at};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr;

/// The arms of a cell.
const NORTH: u8 = 1;
const EAST: u8 = 2;
const SOUTH: u8 = 4;
const WEST: u8 = 8;
/// A way turns or ends here, so four arms are a joint and not a crossing.
const JOINT: u8 = 16;
/// An edge of the selected node.
const BOLD: u8 = 32;
/// On the critical path.
const HEAVY: u8 = 64;

const ARMS: [char; 16] = [' ', '╵', '╶', '└', '╷', '│', '┌', '├', '╴', '┘', '─', '┴', '┐', '┤', '┬', '┼'];
const HEAVY_ARMS: [char; 16] =
    [' ', '╹', '╺', '┗', '╻', '┃', '┏', '┣', '╸', '┛', '━', '┻', '┓', '┫', '┳', '╋'];
const ASCII_ARMS: [char; 16] =
    [' ', '|', '-', '+', '|', '|', '+', '+', '-', '+', '-', '+', '+', '+', '+', '+'];
const ASCII_HEAVY: [char; 16] =
    [' ', '#', '=', '#', '#', '#', '#', '#', '=', '#', '=', '#', '#', '#', '#', '#'];

/// Notes painted over the steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes<'a> {
    /// The effect of an answer on the steps.
    pub fates: Option<&'a Fates>,
    /// The steps that a search found, ascending.
    pub found: &'a [u32],
}

/// Draws the part of the picture that begins at `offset` into `area`.
#[expect(clippy::too_many_arguments, reason = "a picture has places, content, view, looks and a window")]
pub fn paint(
    layout: &Layout,
    shown: &Shown,
    view: &DagView,
    theme: &Theme,
    glyphs: Glyphs,
    offset: (i32, i32),
    area: Rect,
    buf: &mut Buffer,
) {
    paint_with(layout, shown, view, Notes::default(), (theme, glyphs), offset, area, buf);
}

/// The same, with what stands over the steps.
#[expect(clippy::too_many_arguments, reason = "a picture has places, content, view, looks and a window")]
pub fn paint_with(
    layout: &Layout,
    shown: &Shown,
    view: &DagView,
    notes: Notes<'_>,
    (theme, glyphs): (&Theme, Glyphs),
    offset: (i32, i32),
    area: Rect,
    buf: &mut Buffer,
) {
    let area = area.intersection(buf.area);
    let selected = view.selected.and_then(|node| shown.spot_of(node));
    let found = notes.found.iter().filter_map(|node| shown.spot_of(*node)).collect();
    let fates = notes.fates.map(|fates| fates.answers().map(|(_, fates)| by_spot(fates, shown)).collect());
    let answers = notes.fates.map(|fates| fates.answers().map(|(name, _)| name.clone()).collect());
    let mut painter = Painter {
        layout,
        shown,
        theme,
        glyphs,
        offset,
        area,
        buf,
        selected,
        found,
        fates: fates.unwrap_or_default(),
        answers: answers.unwrap_or_default(),
        leads: BTreeSet::new(),
    };
    match layout.zoom {
        Zoom::Outline => painter.outline(),
        Zoom::Dots => painter.dots(),
        Zoom::Compact | Zoom::Cards => {
            painter.frames();
            painter.wires();
            painter.nodes();
        }
    }
}

/// For each node of the picture, the gravest fate of its steps, and the number of steps with a fate.
fn by_spot(fates: &BTreeMap<u32, Fate>, shown: &Shown) -> BTreeMap<u32, (Fate, u32)> {
    let mut spots = BTreeMap::new();
    for (node, fate) in fates {
        if let Some(spot) = shown.spot_of(*node) {
            let entry = spots.entry(spot).or_insert((*fate, 0));
            *entry = (entry.0.max(*fate), entry.1 + 1);
        }
    }
    spots
}

/// The kind of lines that draw a box.
#[derive(Clone, Copy)]
enum Lines {
    Round,
    /// Strong corners: the box under the cursor.
    Strong,
    /// Heavy all around: somebody is waited for.
    Heavy,
}

struct Painter<'a> {
    layout: &'a Layout,
    shown: &'a Shown,
    theme: &'a Theme,
    glyphs: Glyphs,
    offset: (i32, i32),
    area: Rect,
    buf: &'a mut Buffer,
    selected: Option<u32>,
    found: BTreeSet<u32>,
    /// For each answer what it makes of which node, and of how many steps in it.
    fates: Vec<BTreeMap<u32, (Fate, u32)>>,
    answers: Vec<String>,
    /// Nodes from which the critical path goes on.
    leads: BTreeSet<u32>,
}

impl Painter<'_> {
    /// Nodes that can be seen, each with its place.
    fn visible(&self) -> Vec<(u32, Place)> {
        let window = self.window();
        let places = (0_u32..).zip(self.layout.places.iter().copied());
        places.filter(|(_, place)| place.meets(window)).collect()
    }

    fn window(&self) -> Place {
        let (x, y) = self.offset;
        Place { x, y, width: i32::from(self.area.width), height: i32::from(self.area.height) }
    }

    /// Writes at a cell of the picture; what lies outside the window is cut.
    fn put(&mut self, x: i32, y: i32, text: &str, style: Style) {
        let (left, top) = (i32::from(self.area.x) - self.offset.0, i32::from(self.area.y) - self.offset.1);
        put_at(self.buf, self.area, left.saturating_add(x), top.saturating_add(y), text, style);
    }

    fn frames(&mut self) {
        for (spot, place) in self.visible() {
            let node = &self.shown.nodes[spot as usize];
            if node.is_open {
                let role = if self.selected == Some(spot) { Role::BorderFocus } else { Role::Border };
                self.boxed(place, self.theme.role(role), Lines::Round);
                self.headline(node, place, spot);
                let (done, all) = node.progress();
                if all > 0 {
                    let progress = format!(" {done}/{all} ");
                    let width = i32::try_from(progress.len()).unwrap_or(0);
                    self.put(
                        place.x + place.width - 2 - width,
                        place.y + place.height - 1,
                        &progress,
                        self.theme.role(Role::Muted),
                    );
                }
            }
        }
    }

    /// Sign and name on the upper border.
    fn headline(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let room = usize::try_from(place.width - 8).unwrap_or(0);
        let style = self.name_style(node, spot);
        let title = self.glyphs.fit(&node.title(self.glyphs), room);
        self.put(place.x + 2, place.y, " ", style);
        let gap = self.gap(spot, title.width() + 1, room);
        self.put(place.x + 4 + gap, place.y, &format!(" {title} "), style);
        self.sign(node, (place.x + 3, place.y), spot);
    }

    /// A cell between the signs of two answers and the name, where there is one to spare.
    fn gap(&self, spot: u32, used: usize, room: usize) -> i32 {
        let has_two = self.fates.len() > 1 && self.fates.iter().any(|fate| fate.contains_key(&spot));
        i32::from(has_two && used <= room)
    }

    /// The sign of a node; while an answer is looked at, what that would make of it instead, with a cell for each of two
    /// answers.
    fn sign(&mut self, node: &ShownNode, (x, y): (i32, i32), spot: u32) {
        let fates: Vec<Option<Fate>> =
            self.fates.iter().map(|fate| fate.get(&spot).map(|pair| pair.0)).collect();
        if fates.iter().all(Option::is_none) {
            let style = self.under_cursor(node.mark.style(self.theme), spot);
            return self.put(x, y, node.mark.sign(self.glyphs), style);
        }
        for (x, fate) in (x..).zip(fates) {
            let (sign, style) = match fate {
                Some(fate) => (fate.mark().sign(self.glyphs), self.theme.role(fate.mark().role())),
                None => (self.glyphs.pick("·", "."), self.theme.role(Role::Muted)),
            };
            self.put(x, y, sign, style.add_modifier(Modifier::REVERSED));
        }
    }

    /// The text beside a name: the effect of an answer, else its progress or the reason of its state.
    fn beside(&self, node: &ShownNode, spot: u32) -> String {
        let one = |(name, fates): (&String, &BTreeMap<u32, (Fate, u32)>)| {
            let (fate, count) = fates.get(&spot)?;
            let count = if *count > 1 { format!(" {count}") } else { String::new() };
            let name = if self.fates.len() > 1 { format!("{name} ") } else { String::new() };
            Some(format!("{name}{}{count}", fate.word()))
        };
        let words: Vec<String> = self.answers.iter().zip(&self.fates).filter_map(one).collect();
        if words.is_empty() { note_of(node) } else { words.join(self.glyphs.pick(" · ", ", ")) }
    }

    fn boxed(&mut self, place: Place, style: Style, lines: Lines) {
        let (right, bottom) = (place.x + place.width - 1, place.y + place.height - 1);
        let window = self.window();
        let (corners, across, down) = match (self.glyphs.ascii, lines) {
            (true, Lines::Heavy) => (["#"; 4], "=", "#"),
            (true, _) => (["+"; 4], "-", "|"),
            (false, Lines::Heavy) => (["┏", "┓", "┛", "┗"], "━", "┃"),
            (false, Lines::Strong) => (["┏", "┓", "┛", "┗"], "─", "│"),
            (false, Lines::Round) => (["╭", "╮", "╯", "╰"], "─", "│"),
        };
        for x in (place.x + 1).max(window.x)..right.min(window.x + window.width) {
            self.put(x, place.y, across, style);
            self.put(x, bottom, across, style);
        }
        for y in (place.y + 1).max(window.y)..bottom.min(window.y + window.height) {
            self.put(place.x, y, down, style);
            self.put(right, y, down, style);
        }
        for ((x, y), corner) in [(place.x, place.y), (right, place.y), (right, bottom), (place.x, bottom)]
            .into_iter()
            .zip(corners)
        {
            self.put(x, y, corner, style);
        }
    }

    fn wires(&mut self) {
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

    fn wire_style(&self, cell: u8) -> Style {
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

    fn nodes(&mut self) {
        for (spot, place) in self.visible() {
            let node = &self.shown.nodes[spot as usize];
            match self.layout.zoom {
                _ if node.is_open => {}
                _ if !node.asks.is_empty() => self.gate(node, place, spot),
                _ if !node.heat.is_empty() => self.heat(node, place, spot),
                Zoom::Cards => self.card(node, place, spot),
                _ => self.line(node, place, spot),
            }
        }
    }

    /// Sign, name and, where there is room, the note: one row.
    fn line(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let width = usize::try_from(place.width).unwrap_or(0);
        let style = self.name_style(node, spot);
        let title = self.glyphs.fit(&node.title(self.glyphs), width.saturating_sub(2));
        self.put(place.x, place.y, &" ".repeat(width), self.under_cursor(Style::new(), spot));
        let gap = self.gap(spot, title.width() + 3, width);
        self.put(place.x + 2 + gap, place.y, &title, style);
        self.sign(node, (place.x, place.y), spot);
        let mut used = 2 + title.width() + usize::from(gap > 0);
        let why = self.beside(node, spot);
        let tells = node.hot || self.shown.wide || node.key.kind != FoldKind::Step || !self.fates.is_empty();
        if !why.is_empty() && tells && used + 2 < width {
            let why = self.glyphs.fit(&why, width - used - 1);
            let x = place.x + i32::try_from(used + 1).unwrap_or(0);
            self.put(x, place.y, &why, self.under_cursor(self.theme.role(Role::Muted), spot));
            used += 1 + why.width();
        }
        // Room that no note took is bridged to where the wires begin.
        if used < width && self.layout.has_children(spot) {
            let mut mark = if self.selected == Some(spot) { BOLD } else { 0 };
            mark |= if self.leads.contains(&spot) { HEAVY } else { 0 };
            let bridge = match (mark & HEAVY != 0, self.glyphs.ascii) {
                (true, true) => "=",
                (true, false) => "━",
                (false, true) => "-",
                (false, false) => "─",
            };
            let x = place.x + i32::try_from(used + 1).unwrap_or(0);
            self.put(x, place.y, &bridge.repeat(width - used), self.wire_style(mark));
        }
    }

    /// A gate that waits: what it asks, in a heavy box.
    fn gate(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let inner = usize::try_from(place.width - 4).unwrap_or(0);
        self.boxed(place, self.theme.role(node.mark.role()), Lines::Heavy);
        let speaks = node.asks.len() == 1 || self.fates.iter().any(|fate| fate.contains_key(&spot));
        let right = if speaks { self.beside(node, spot) } else { node.asks[0].clone() };
        let title = node.title(self.glyphs);
        let right = self.glyphs.fit(&right, inner.saturating_sub(3 + title.width().min(inner / 2)));
        let title = self.glyphs.fit(&title, inner.saturating_sub(right.width() + 3));
        let (x, y) = (place.x + 2, place.y + 1);
        let blank = " ".repeat(inner);
        self.put(x, y, &blank, self.under_cursor(Style::new(), spot));
        self.put(x + 2, y, &title, self.name_style(node, spot));
        self.sign(node, (x, y), spot);
        let end = x + i32::try_from(inner.saturating_sub(right.width())).unwrap_or(0);
        self.put(end, y, &right, self.under_cursor(self.theme.role(node.mark.role()), spot));
        for (row, text) in (1..).zip(node.asks.iter().skip(1)) {
            self.put(x, y + row, &blank, Style::new());
            self.put(x, y + row, &self.glyphs.fit(text, inner), self.theme.role(Role::Text));
        }
    }

    /// Many that go on: a sign for each, how many are in which state, and how far they are.
    fn heat(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let selected = self.selected == Some(spot);
        let role = if selected { Role::BorderFocus } else { Role::Border };
        self.boxed(place, self.theme.role(role), if selected { Lines::Strong } else { Lines::Round });
        self.headline(node, place, spot);
        let (x, mut y) = (place.x + 3, place.y + 1);
        let blank = " ".repeat(usize::try_from(place.width - 2).unwrap_or(0));
        for row in node.heat.chunks(HEAT_ROW) {
            self.put(place.x + 1, y, &blank, Style::new());
            for (x, mark) in (x..).zip(row) {
                self.put(x, y, mark.sign(self.glyphs), mark.style(self.theme));
            }
            y += 1;
        }
        self.put(place.x + 1, y, &blank, Style::new());
        let end = self.counts(node, (x - 1, y), place.x + place.width - 2);
        if !self.fates.is_empty() {
            let room = usize::try_from(place.x + place.width - 3 - end).unwrap_or(0);
            let text = self.glyphs.fit(&self.beside(node, spot), room);
            self.put(end + 2, y, &text, self.theme.role(Role::Muted));
        }
        let (done, all) = node.progress();
        self.put(place.x + 1, y + 1, &blank, Style::new());
        let bar = gauge(self.glyphs, u16::try_from(HEAT_ROW).unwrap_or(0), done, all);
        self.put(x, y + 1, &bar, self.theme.role(Role::GaugeHigh));
    }

    /// A box of three rows: name; progress or why; counts of a fold.
    fn card(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let border = match node.mark {
            _ if self.selected == Some(spot) => self.theme.role(Role::BorderFocus),
            mark if node.hot => self.theme.role(mark.role()),
            _ => self.theme.role(Role::Border),
        };
        let lines = if self.selected == Some(spot) { Lines::Strong } else { Lines::Round };
        self.boxed(place, border, lines);
        self.headline(node, place, spot);
        let inner = usize::try_from(place.width - 4).unwrap_or(0);
        let (x, middle) = (place.x + 2, place.y + 1);
        if node.key.kind == FoldKind::Step {
            let note = self.beside(node, spot);
            let text = self.glyphs.fit(if note.is_empty() { node.mark.word() } else { &note }, inner);
            self.put(
                x,
                middle,
                &format!("{text:<inner$}"),
                self.theme.role(if node.hot { Role::Text } else { Role::Muted }),
            );
        } else {
            let (done, all) = node.progress();
            let width = u16::try_from(inner).unwrap_or(0);
            let role = if node.mark.urgency() >= Mark::TimedOut.urgency() {
                Role::GaugeLow
            } else {
                Role::GaugeHigh
            };
            self.put(x, middle, &gauge(self.glyphs, width, done, all), self.theme.role(role));
            let end = place.x + place.width - 2;
            let x = self.counts(node, (place.x + 2, place.y + 2), end);
            self.put(x, place.y + 2, " ", Style::new());
        }
    }

    /// Draws the number of steps in each state, most urgent first, up to a column; returns the column after
    /// them.
    fn counts(&mut self, node: &ShownNode, (mut x, y): (i32, i32), end: i32) -> i32 {
        let mut counts = node.counts.clone();
        counts.sort_by_key(|(mark, _)| std::cmp::Reverse(mark.urgency()));
        for (mark, count) in counts {
            let text = format!(" {}{count}", mark.sign(self.glyphs));
            let width = i32::try_from(text.width()).unwrap_or(0);
            if x + width >= end {
                break;
            }
            self.put(x, y, &text, mark.style(self.theme));
            x += width;
        }
        x
    }

    fn name_style(&self, node: &ShownNode, spot: u32) -> Style {
        let quiet = matches!(node.mark, Mark::Todo | Mark::Skipped | Mark::Cancelled | Mark::Undone);
        let style = self.theme.role(if quiet { Role::Muted } else { Role::Text });
        let style = if self.found.contains(&spot) {
            style.patch(self.theme.role(Role::Match)).add_modifier(Modifier::UNDERLINED)
        } else {
            style
        };
        self.under_cursor(if node.hot { style.add_modifier(Modifier::BOLD) } else { style }, spot)
    }

    fn under_cursor(&self, style: Style, spot: u32) -> Style {
        if self.selected == Some(spot) { style.patch(self.theme.role(Role::Select)) } else { style }
    }

    fn outline(&mut self) {
        let first = usize::try_from(self.offset.1).unwrap_or(0);
        let rows = self.layout.rows.iter().enumerate().skip(first).take(usize::from(self.area.height));
        for (row, line) in rows {
            let node = &self.shown.nodes[line.spot as usize];
            let y = i32::try_from(row).unwrap_or(i32::MAX);
            let x = line.depth * 2;
            let title = node.title(self.glyphs);
            if line.again {
                let back = format!("{} {title}", self.glyphs.pick("↑", "^"));
                self.put(x, y, &back, self.theme.role(Role::Muted));
                continue;
            }
            let style = self.name_style(node, line.spot);
            self.put(x + 1, y, &format!(" {title}"), style);
            self.sign(node, (x, y), line.spot);
            if node.critical && x > 0 {
                let on_path = self.glyphs.pick("━", "=");
                self.put(x - 1, y, on_path, self.theme.role(Role::Graph1));
            }
            let why = self.beside(node, line.spot);
            let end = x + 2 + i32::try_from(title.width()).unwrap_or(0);
            self.put(end + 2, y, &why, self.theme.role(Role::Muted));
        }
    }

    fn dots(&mut self) {
        let dots: Vec<_> =
            self.layout.dots.iter().zip(&self.shown.nodes).map(|(dot, node)| (*dot, node.mark)).collect();
        let origin = (i32::from(self.area.x) - self.offset.0, i32::from(self.area.y) - self.offset.1);
        paint_dots(&dots, self.theme, self.glyphs, origin, self.area, self.buf);
        if let Some(spot) = self.selected {
            let place = self.layout.places[spot as usize];
            let style = self.theme.role(Role::Select);
            let (x, y) = (origin.0 + place.x, origin.1 + place.y);
            if let (Ok(x), Ok(y)) = (u16::try_from(x), u16::try_from(y))
                && self.area.contains((x, y).into())
            {
                self.buf[(x, y)].set_style(style);
            }
        }
    }
}

/// A step's own note; of a fold how much of it is settled.
fn note_of(node: &ShownNode) -> String {
    let (done, all) = node.progress();
    if node.key.kind == FoldKind::Step || node.is_open { node.note.clone() } else { format!("{done}/{all}") }
}

/// Dots in braille, eight a cell; in ASCII their number. A cell has the role of the worst in it.
pub(super) fn paint_dots(
    dots: &[((i32, i32), Mark)],
    theme: &Theme,
    glyphs: Glyphs,
    origin: (i32, i32),
    area: Rect,
    buf: &mut Buffer,
) {
    const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let mut cells = BTreeMap::new();
    for ((x, y), mark) in dots {
        let cell = (origin.0 + x.div_euclid(2), origin.1 + y.div_euclid(4));
        let bit = BITS[usize::try_from(y.rem_euclid(4)).unwrap_or(0)]
            [usize::try_from(x.rem_euclid(2)).unwrap_or(0)];
        let entry = cells.entry(cell).or_insert((0_u32, 0_u32, *mark));
        entry.0 |= bit;
        entry.1 += 1;
        if mark.urgency() > entry.2.urgency() {
            entry.2 = *mark;
        }
    }
    for ((x, y), (bits, count, mark)) in cells {
        let braille = char::from_u32(0x2800 + bits).unwrap_or('·');
        let number = char::from_digit(count.min(9), 10).unwrap_or('9');
        let sign = glyphs.pick(braille, number).to_string();
        put_at(buf, area, x, y, &sign, theme.role(mark.role()));
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

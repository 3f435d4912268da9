//! Painting: wires as masks of four arms a cell, then nodes, all cut to the window. Reads only.

mod nodes;
mod wires;

use super::{DagView, Fate, Fates, Layout, Place, Shown, ShownNode, Zoom};
use crate::{Glyphs, Mark, Role, Theme, text::put_at};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};
use std::collections::{BTreeMap, BTreeSet};
use unicode_width::UnicodeWidthStr;

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
        fates: notes.fates.map(|fates| by_spot(fates, shown)).unwrap_or_default(),
        leads: BTreeSet::new(),
        from_drawn: BTreeSet::new(),
    };
    match layout.zoom {
        Zoom::Outline => painter.outline(),
        Zoom::Dots => painter.dots(),
        Zoom::Compact | Zoom::Cards => {
            painter.frames();
            painter.heads();
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
    /// For each node that an answer changes its fate, and the number of its steps that are changed.
    fates: BTreeMap<u32, (Fate, u32)>,
    /// Nodes from which the critical path goes on.
    leads: BTreeSet<u32>,
    /// Nodes of stacked levels of which at least one edge to the right is drawn.
    from_drawn: BTreeSet<u32>,
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

    /// The names of levels, above their columns.
    fn heads(&mut self) {
        let window = self.window();
        let style = self.theme.role(Role::Muted).add_modifier(Modifier::BOLD);
        for (place, head) in self.layout.heads.iter().filter(|(place, _)| place.meets(window)) {
            let ascii = self.glyphs.ascii;
            let head = if ascii { head.replace(" ·", ":").replace('…', "~") } else { head.clone() };
            self.put(place.x, place.y, &head, style);
        }
    }

    /// Sign and name on the upper border.
    fn headline(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let room = usize::try_from(place.width - 8).unwrap_or(0);
        let style = self.name_style(node, spot);
        let title = self.glyphs.fit(&node.title(self.glyphs), room);
        self.put(place.x + 2, place.y, " ", style);
        self.put(place.x + 4, place.y, &format!(" {title} "), style);
        self.sign(node, (place.x + 3, place.y), spot);
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

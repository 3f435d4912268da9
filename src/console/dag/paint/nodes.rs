//! The nodes of the graph at each zoom: line, gate, heat and card.

use super::{Lines, Painter};
use crate::{
    Mark, Role,
    dag::{FoldKind, Place, ShownNode, Zoom, layout::HEAT_ROW},
    gauge,
};
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

impl Painter<'_> {
    /// The sign of a node; while an answer is looked at, what that would make of it instead.
    pub(super) fn sign(&mut self, node: &ShownNode, (x, y): (i32, i32), spot: u32) {
        if let Some((fate, _)) = self.fates.get(&spot) {
            let (sign, role) = (fate.mark().sign(self.glyphs), fate.mark().role());
            self.put(x, y, sign, self.theme.role(role).add_modifier(Modifier::REVERSED));
        } else {
            let style = self.under_cursor(node.mark.style(self.theme), spot);
            self.put(x, y, node.mark.sign(self.glyphs), style);
        }
    }

    /// The text beside a name: the effect of an answer, else its progress or the reason of its state.
    pub(super) fn beside(&self, node: &ShownNode, spot: u32) -> String {
        match self.fates.get(&spot) {
            Some((fate, 0 | 1)) => fate.word().to_owned(),
            Some((fate, count)) => format!("{} {count}", fate.word()),
            None => note_of(node),
        }
    }

    pub(super) fn nodes(&mut self) {
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
        let is_stacked = self.layout.is_stacked(spot, self.shown);
        let title = self.shown.line_of(spot, is_stacked, self.glyphs);
        let title = self.glyphs.fit(&title, width.saturating_sub(2));
        self.put(place.x, place.y, &" ".repeat(width), self.under_cursor(Style::new(), spot));
        self.put(place.x + 2, place.y, &title, style);
        self.sign(node, (place.x, place.y), spot);
        let mut used = 2 + title.width();
        let why = self.beside(node, spot);
        let tells = node.hot || self.shown.wide || node.key.kind != FoldKind::Step || !self.fates.is_empty();
        // A level is as wide as its names; a part of a note would say nothing.
        let has_room = if is_stacked { used + 1 + why.width() <= width } else { used + 2 < width };
        if !why.is_empty() && tells && has_room {
            let why = self.glyphs.fit(&why, width - used - 1);
            let x = place.x + i32::try_from(used + 1).unwrap_or(0);
            self.put(x, place.y, &why, self.under_cursor(self.theme.role(Role::Muted), spot));
            used += 1 + why.width();
        }
        // Room that no note took is bridged to where the wires begin.
        if used < width
            && let Some((line, style)) = self.bridge(spot)
        {
            let x = place.x + i32::try_from(used + 1).unwrap_or(0);
            self.put(x, place.y, &line.repeat(width - used), style);
        }
    }

    /// A gate that waits: what it asks, in a heavy box.
    fn gate(&mut self, node: &ShownNode, place: Place, spot: u32) {
        let inner = usize::try_from(place.width - 4).unwrap_or(0);
        self.boxed(place, self.theme.role(node.mark.role()), Lines::Heavy);
        let speaks = node.asks.len() == 1 || self.fates.contains_key(&spot);
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

    pub(super) fn name_style(&self, node: &ShownNode, spot: u32) -> Style {
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
}

/// A step's own note; of a fold how much of it is settled.
fn note_of(node: &ShownNode) -> String {
    let (done, all) = node.progress();
    match node.key.kind {
        FoldKind::Level(_) => String::new(),
        FoldKind::Step => node.note.clone(),
        _ if node.is_open => node.note.clone(),
        _ => format!("{done}/{all}"),
    }
}

//! The places on the screen of the steps of a run over time.

use crate::{
    Model,
    layout::{Width, frame, inset, is_boxed, split_across, split_down},
};
use ratatui::layout::Rect;

/// The parts of the Time view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLayout {
    /// Around the chart, where there is a border.
    pub pane: Option<Rect>,
    /// The line that says what is looked at.
    pub title: Rect,
    /// The heads of the columns and the axis.
    pub head: Rect,
    /// The names and numbers of the rows.
    pub rows: Rect,
    /// The bars of the chart.
    pub chart: Rect,
    /// Events over time, under the bars: their density, the notable ones, and a legend of the signs.
    pub marks: Option<Rect>,
    /// A summary of the time spent, in a few lines.
    pub foot: Rect,
    /// Slots, and where the time went.
    pub lower: Option<[Rect; 2]>,
    /// True if each step has room for its median under its bar.
    pub roomy: bool,
}

impl TimeLayout {
    /// Rows of the screen that one row of the chart takes.
    pub(crate) fn each(&self, rows: usize) -> u16 {
        if self.roomy && rows * 2 <= usize::from(self.rows.height) { 2 } else { 1 }
    }
}

pub(crate) fn time(model: &Model) -> TimeLayout {
    const LOWER: u16 = 11;
    let (frame, panes) = (frame(model.size), model.panes());
    let body = frame.body;
    let names = match frame.width {
        Width::TooSmall => return TimeLayout::default(),
        Width::One => 21,
        Width::Two | Width::Three => 40,
    };
    let lower = if frame.width == Width::Three && body.height >= 32 && !panes.whole { LOWER } else { 0 };
    let upper = if lower > 0 { panes.share.of(body.height - lower, body.height) } else { body.height };
    let (upper, below) = split_down(body, upper);
    let boxed = is_boxed(model);
    let inside = if boxed { inset(upper, 1, 1, 1) } else { upper };
    let (title, inside) = if boxed { (Rect { height: 1, ..upper }, inside) } else { split_down(inside, 1) };
    let (head, inside) = split_down(inside, 1);
    let foot = if lower > 0 || panes.whole { 0 } else { 4.min(inside.height / 3) };
    let rows = if foot > 0 { panes.share.of(inside.height - foot, inside.height) } else { inside.height };
    let (rows, foot) = split_down(inside, rows);
    let (rows, marks) = match rows.height {
        height @ 16.. if boxed => {
            let (rows, marks) = split_down(rows, height - 4);
            (rows, Some(marks))
        }
        _ => (rows, None),
    };
    let (_, chart) = split_across(rows, names);
    let (lanes, spent) = split_across(below, model.size.0 / 2);
    TimeLayout {
        pane: boxed.then_some(upper),
        title,
        head,
        rows,
        chart: Rect { width: chart.width.saturating_sub(1), ..chart },
        marks,
        foot,
        lower: (lower > 0).then_some([lanes, spent]),
        roomy: frame.width == Width::Three,
    }
}

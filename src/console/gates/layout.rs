//! The places on the screen of the list of gates.

use crate::{
    Model,
    layout::{Width, frame, inset, split_across, split_down},
    panes::Share,
};
use ratatui::layout::Rect;

/// The parts of the Gates view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GatesLayout {
    /// The list, with its border where it has one.
    pub list: Option<Rect>,
    /// The rows of the list.
    pub rows: Rect,
    /// Rows of the screen that one row of the list takes.
    pub each: u16,
    /// The pane around the text.
    pub pane: Rect,
    /// The text of the ask.
    pub text: Rect,
    /// The pane of votes and possible answers.
    pub side: Option<Rect>,
}

pub(crate) fn gates(model: &Model) -> GatesLayout {
    const SIDE: u16 = 46;
    const CARD: u16 = 5;
    let frame = frame(model.size);
    let body = frame.body;
    let text_of = |pane: Rect| inset(pane, 2, 1, 1);
    let panes = model.panes();
    // The ask is what others make room for; where it is answered keeps its width.
    let cards = match panes.share {
        Share::Normal => 36,
        Share::Big => 26,
        Share::Small => 52,
    };
    match frame.width {
        Width::TooSmall => GatesLayout::default(),
        _ if panes.whole => {
            GatesLayout { pane: body, text: inset(body, 0, 1, 1), each: 1, ..GatesLayout::default() }
        }
        Width::One if model.gates.reading => {
            GatesLayout { pane: body, text: text_of(body), each: 1, ..GatesLayout::default() }
        }
        Width::One => {
            let most = match panes.share {
                Share::Normal => 5,
                Share::Big => 2,
                Share::Small => 8,
            };
            let shown = u16::try_from(model.gates.rows.len()).unwrap_or(u16::MAX).clamp(1, most);
            let (list, pane) = split_down(body, (2 + shown).min(body.height / 2));
            GatesLayout {
                list: Some(list),
                rows: inset(list, 0, 2, 0),
                each: 1,
                pane,
                text: text_of(pane),
                side: None,
            }
        }
        Width::Two => {
            let (list, pane) = split_across(body, cards);
            GatesLayout {
                list: Some(list),
                rows: inset(list, 1, 1, 1),
                each: CARD,
                pane,
                text: text_of(pane),
                side: None,
            }
        }
        Width::Three => {
            let (list, rest) = split_across(body, cards);
            let (pane, side) = split_across(rest, rest.width - SIDE);
            let rows = inset(list, 1, 1, 1);
            GatesLayout { list: Some(list), rows, each: CARD, pane, text: text_of(pane), side: Some(side) }
        }
    }
}

//! The places on the screen while the past is seen: the view and the frame around it.

use crate::layout::{Width, frame, inset, split_across, split_down};
use ratatui::layout::Rect;

/// The parts of the screen while the past is shown. The view gets the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TravelLayout {
    /// Columns and rows of the view with its header, its status line and its keys.
    pub view: (u16, u16),
    /// The position of the view's body on the screen.
    pub body: Rect,
    /// The line that says what is seen; where rows are rare, it lies over the first one of the body.
    pub band: Rect,
    /// The events before, and what changed since.
    pub around: Option<Rect>,
    pub changes: Option<Rect>,
    pub scrubber: Rect,
    /// The line with the instant on it.
    pub track: Option<Rect>,
    pub status: Rect,
    pub keys: Rect,
}

impl TravelLayout {
    /// The row of the view under a row of the screen.
    pub(crate) fn row_of_view(&self, row: u16) -> Option<u16> {
        let inside = self.body.y <= row && row < self.body.bottom();
        (row == 0).then_some(0).or_else(|| inside.then(|| row - self.body.y + 1))
    }
}

/// Divides the screen while the past is seen.
pub(crate) fn inside_travel((width, height): (u16, u16)) -> TravelLayout {
    const BODY_LEAST: u16 = 14;
    const LOWER: u16 = 9;
    let frame = frame((width, height));
    if frame.width == Width::TooSmall {
        return TravelLayout { view: (width, height), ..TravelLayout::default() };
    }
    let band = Rect { height: 1, ..frame.body };
    let rest = frame.body.height - 1;
    if rest < BODY_LEAST {
        let (view, body) = ((width, height), frame.body);
        return TravelLayout {
            view,
            body,
            band,
            status: frame.status,
            keys: frame.keys,
            ..TravelLayout::default()
        };
    }
    let scrubber = match rest - BODY_LEAST {
        0 => 0,
        spare @ 1..6 => spare.min(2),
        6 => 6,
        _ => 7,
    };
    let lower = if width >= 140 && rest >= scrubber + LOWER + 20 { LOWER } else { 0 };
    let (_, below) = split_down(frame.body, 1);
    let (body, below) = split_down(below, rest - scrubber - lower);
    let (lower, scrubber) = split_down(below, lower);
    let (around, changes) = split_across(lower, width * 65 / 100);
    let shown = |area: Rect| (area.height > 0).then_some(area);
    let track = match scrubber.height {
        0 => None,
        1 | 2 => Some(Rect { height: 1, ..inset(scrubber, 9, 0, 0) }),
        _ => Some(Rect { y: scrubber.y + 3, height: 1, ..inset(scrubber, 9, 0, 0) }),
    };
    // The key line of the view is none of the rows that it was given.
    let around_body = if body.height + 2 < 20 { 2 } else { 3 };
    TravelLayout {
        view: (width, body.height + around_body),
        body,
        band,
        around: shown(around),
        changes: shown(changes),
        scrubber,
        track,
        status: frame.status,
        keys: frame.keys,
    }
}

pub(crate) fn beside(right: Rect, shows_map: bool) -> (Rect, Option<Rect>) {
    if !shows_map || right.height < 20 {
        return (right, None);
    }
    let (side, map) = split_down(right, right.height - 10);
    (side, Some(map))
}

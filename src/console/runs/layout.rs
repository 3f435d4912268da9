//! The places on the screen of the list of runs.

use crate::{
    Model,
    layout::{Column, Width, columns, frame, inset, split_across, split_down},
    panes::Share,
};
use ratatui::layout::Rect;

/// The parts of the Runs view.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunsLayout {
    /// The list, with its border where it has one.
    pub table: Rect,
    /// The rows of the list.
    pub rows: Rect,
    pub preview: Option<Rect>,
    /// Gates, errors, health, events.
    pub lower: Option<[Rect; 4]>,
}

pub(crate) fn runs(model: &Model) -> RunsLayout {
    let frame = frame(model.size);
    let body = frame.body;
    let hidden = model.runs.preview_hidden;
    let panes = model.panes();
    match frame.width {
        Width::TooSmall => RunsLayout::default(),
        _ if panes.whole => RunsLayout { table: body, rows: inset(body, 0, 2, 0), ..RunsLayout::default() },
        Width::One => {
            let preview = if hidden || model.size.1 < 24 { 0 } else { 10.min(body.height / 2) };
            let (table, below) = split_down(body, panes.share.of(body.height - preview, body.height));
            let preview = if hidden { 0 } else { below.height };
            RunsLayout {
                table,
                rows: inset(table, 0, 2, 0),
                preview: (preview > 0).then_some(below),
                lower: None,
            }
        }
        Width::Two => {
            let (table, beside) = if hidden {
                (body, None)
            } else {
                let (table, beside) = split_across(body, panes.share.of(body.width * 58 / 100, body.width));
                (table, Some(beside))
            };
            RunsLayout { table, rows: inset(table, 1, 2, 1), preview: beside, lower: None }
        }
        Width::Three => three_panes(body, hidden, panes.share),
    }
}

/// As the large mock-up: list and preview, then gates and errors, then health and events, as far as rows allow.
fn three_panes(body: Rect, hidden: bool, share: Share) -> RunsLayout {
    let (upper, lower) = match body.height {
        0..32 => (body, None),
        height => {
            let (upper, rest) = split_down(body, share.of(height / 2, height));
            let (middle, bottom) = split_down(rest, rest.height * 11 / 23);
            let (gates, errors) = split_across(middle, middle.width / 2);
            let (health, events) = split_across(bottom, 54);
            (upper, Some([gates, errors, health, events]))
        }
    };
    let (table, preview) = if hidden {
        (upper, None)
    } else {
        let (table, preview) = split_across(upper, share.of(upper.width * 65 / 100, upper.width));
        (table, Some(preview))
    };
    RunsLayout { table, rows: inset(table, 1, 2, 1), preview, lower }
}

/// The columns that the list of runs, in a table of this width, has room for.
pub(crate) fn runs_columns(area: Rect) -> Vec<Column> {
    let x = area.x + 3;
    let width = area.width.saturating_sub(4);
    match width {
        0..70 => columns(
            x,
            width,
            &[
                ("RUN", 6, false),
                ("WORKFLOW", 0, false),
                ("STATE", 9, false),
                ("STEPS", 9, true),
                ("AGE", 4, true),
            ],
        ),
        70..95 => columns(
            x,
            width,
            &[
                ("RUN", 7, false),
                ("WORKFLOW", 0, false),
                ("STATE", 9, false),
                ("PROGRESS", 12, false),
                ("STEPS", 11, true),
                ("AGE", 5, true),
                ("HLT", 4, true),
            ],
        ),
        _ => columns(
            x,
            width,
            &[
                ("RUN", 7, false),
                ("WORKFLOW", 0, false),
                ("STATE", 9, false),
                ("PROGRESS", 16, false),
                ("STEPS", 11, true),
                ("ERR", 4, true),
                ("AGE", 5, true),
                ("COST", 6, true),
                ("BY", 8, false),
                ("HLT", 4, true),
            ],
        ),
    }
}

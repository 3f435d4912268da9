//! The view of output, divided: the rows of its side list, the attempt that is read alone, and the columns before the
//! text of a line.

use super::lines::Voice;
use crate::{Model, layout};
use cuelight_base::{AttemptId, StepIx};
use cuelight_projection::{AttemptView, RunView};

/// A row of the side list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// The whole run: its steps and its voices.
    All,
    Voice(Voice),
    Step(StepIx),
}

/// The row of the first step: before it stand the whole run and its voices.
pub(super) const STEPS_FROM: usize = 1 + Voice::ALL.len();

impl Listed {
    /// The entry in a row, even beyond the last step.
    pub(crate) fn at(row: usize) -> Self {
        match row.checked_sub(STEPS_FROM) {
            Some(step) => Self::Step(StepIx::from_index(step)),
            None => row.checked_sub(1).map_or(Self::All, |row| Self::Voice(Voice::ALL[row])),
        }
    }
}

/// The row of what is looked at.
pub(super) fn side_place(model: &Model) -> usize {
    let voice = model.logs.voice.and_then(|log| Voice::ALL.iter().position(|voice| *voice == log));
    match (model.logs.step, voice) {
        (Some(step), _) => STEPS_FROM + step.index(),
        (None, Some(voice)) => 1 + voice,
        (None, None) => 0,
    }
}

/// Rows of the side list; under it, where there is room, stands what is counted.
pub(super) const fn side_rows(height: u16) -> u16 {
    if height < 2 * COUNTED_ROWS { height } else { height - COUNTED_ROWS }
}

/// Levels, hits and lines per minute, with what parts them from the list.
const COUNTED_ROWS: u16 = 10;

/// The first row of the side list: the whole run, its voices, then every step, with what is looked at in the middle.
pub(super) fn side_top(model: &Model, height: u16) -> usize {
    let rows = model.logs.run.and_then(|run| model.board.run(run)).map_or(0, |run| run.len()) + STEPS_FROM;
    let (at, height) = (side_place(model), usize::from(height));
    at.saturating_sub(height / 2).min(rows.saturating_sub(height))
}

/// The only attempt that is read; None if the lines are of several.
pub(super) fn alone(model: &Model) -> Option<AttemptId> {
    let (run, step, number) = model.logs.reading.of?;
    Some(AttemptId { run, step: step?, number: number? })
}

/// The attempt of a run by its name; None if the run does not know it.
pub(super) fn call_of(run: &RunView, attempt: AttemptId) -> Option<&AttemptView> {
    run.step(attempt.step)?.attempts().iter().find(|attempt_view| attempt_view.number == attempt.number)
}

/// Widths in cells of the columns before a line's text, each with the blank after it; 0 for a column without
/// room or use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The time, as in `12:04:12.118 `.
    pub time: u16,
    /// The level, as in `E `.
    pub level: u16,
    /// The writer, if there are several.
    pub name: u16,
}

impl Columns {
    /// All of them, with the mark of the cursor.
    pub(crate) const fn width(self) -> u16 {
        1 + self.time + self.level + self.name
    }
}

/// The columns that the lines on the screen have room and use for.
pub(super) fn columns(model: &Model) -> Columns {
    let (width, logs) = (layout::logs(model).lines.width, &model.logs);
    if logs.bare || width < 40 {
        return Columns::default();
    }
    let is_alone = alone(model).is_some() || logs.voice.is_some();
    Columns {
        time: if logs.lines.has_times() && width >= 60 { 13 } else { 0 },
        level: if width >= 60 { 2 } else { 0 },
        name: match width {
            _ if is_alone => 0,
            0..100 => 17,
            _ => 23,
        },
    }
}

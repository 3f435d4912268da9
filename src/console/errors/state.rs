//! State of the view of failures: rows, order, filter, and the consequences of a failure. Part of the model; changed
//! by `update` only.

use cuelight_base::{FailureMode, RunId, Seq, Severity};
use cuelight_engine::StepState;
use std::collections::BTreeMap;

/// Stretches of the trend of a day.
pub(super) const TREND_STEPS: usize = 96;

/// State of the list of failures.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorsState {
    pub selected: Option<Seq>,
    /// The visible rows, in order.
    pub rows: Vec<ErrorRow>,
    /// The failures behind a row, by the one that stands in it. Rows with one failure have none.
    pub groups: BTreeMap<Seq, ErrorGroup>,
    /// The first row on the screen.
    pub top: usize,
    pub order: ErrorOrder,
    pub filter: String,
    pub find: String,
    pub preview_hidden: bool,
    /// The inputs that the rows were made from: board, filter, order, quarter of an hour.
    pub made_of: Option<(Seq, String, ErrorOrder, i64)>,
    /// All failures of the last day, counted.
    pub day: DayOfErrors,
    /// The consequences of the failure under the cursor.
    pub aftermath: Option<Aftermath>,
}

impl ErrorsState {
    /// True if the selected failure is the one of this row, or stands behind it.
    pub(crate) fn is_selected(&self, id: Seq) -> bool {
        self.selected.is_some_and(|selected| {
            selected == id || self.groups.get(&id).is_some_and(|group| group.members.contains(&selected))
        })
    }

    /// The group in which a failure stands.
    pub(crate) fn group_of(&self, id: Seq) -> Option<&ErrorGroup> {
        self.groups.get(&id).or_else(|| self.groups.values().find(|group| group.members.contains(&id)))
    }
}

/// Failures with one fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorGroup {
    /// All of them, in the order of need.
    pub members: Vec<Seq>,
    pub open: usize,
    /// Their runs, the newest first.
    pub runs: Vec<RunId>,
    /// Their steps with the workflow, by name.
    pub steps: Vec<String>,
}

/// One row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorRow {
    /// The head of those with one mode: how many, and how many of them stand.
    Head(FailureMode, usize, usize),
    Error(Seq),
}

impl ErrorRow {
    pub(crate) const fn error(self) -> Option<Seq> {
        match self {
            Self::Head(..) => None,
            Self::Error(id) => Some(id),
        }
    }
}

/// By what failures are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ErrorOrder {
    /// Unattended failures first, the most severe on top; failures with one fingerprint in one row.
    #[default]
    Need,
    /// The newest failure first.
    Time,
    /// By failure mode, under heads.
    Mode,
    /// By workflow and step.
    Step,
}

impl ErrorOrder {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Need => "need",
            Self::Time => "time",
            Self::Mode => "mode",
            Self::Step => "step",
        }
    }

    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Need => Self::Time,
            Self::Time => Self::Mode,
            Self::Mode => Self::Step,
            Self::Step => Self::Need,
        }
    }
}

/// The failures of the last 24 hours.
#[derive(Clone, Debug, Default)]
pub(crate) struct DayOfErrors {
    /// By severity, the worst first.
    pub severities: [(u32, Option<Severity>); 4],
    /// By family of the mode, the most first.
    pub families: Vec<(&'static str, u32)>,
    /// By type, the most first.
    pub types: Vec<(&'static str, u32)>,
    /// By quarter of an hour, oldest first.
    pub trend: Vec<u64>,
    /// The numbers of open and of handled failures.
    pub open: usize,
    pub handled: usize,
}

/// Consequences of a failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aftermath {
    /// The failure, and the board.
    pub of: Option<(Seq, Seq)>,
    /// Steps that never ran because of it: their names, and how many there are.
    pub skipped: Vec<String>,
    pub skipped_count: usize,
    /// Steps that were undone, or are to be.
    pub undone: Vec<(String, StepState)>,
    pub undone_count: usize,
}

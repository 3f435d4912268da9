//! State of the list of runs: cursor, filter, order and marks.

use crate::graph::state::Picture;
use cuelight_base::{GateId, RunId, Seq};
use std::{collections::BTreeSet, sync::Arc};

/// State of the list of runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunsState {
    pub selected: Option<RunId>,
    /// Runs that are shown, in order: all that fit the filter.
    pub rows: Vec<RunId>,
    /// The first row on the screen.
    pub top: usize,
    pub sort: RunOrder,
    /// True if the order is reversed.
    pub reversed: bool,
    /// The inputs that the rows were made from: equal inputs give equal rows.
    pub rows_of: Option<RowsOf>,
    /// Runs that were marked, and those of them that were on the screen since.
    pub marked: BTreeSet<RunId>,
    pub marked_seen: BTreeSet<RunId>,
    /// The run that was marked last: a range begins there.
    pub marked_last: Option<RunId>,
    pub filter: String,
    pub find: String,
    pub preview_hidden: bool,
    /// The pane that takes the keys.
    pub focus: RunsFocus,
    /// The graph of the run under the cursor, small.
    pub picture: Option<Arc<Picture>>,
}

impl RunsState {
    /// The row of the cursor.
    pub(crate) fn cursor(&self) -> usize {
        self.selected.and_then(|selected| self.rows.iter().position(|row| *row == selected)).unwrap_or(0)
    }
}

/// All that the rows of the list depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsOf {
    pub seq: Seq,
    pub filter: String,
    pub sort: RunOrder,
    pub reversed: bool,
    /// The second, where ages are asked for.
    pub second: Option<i64>,
}

/// By what runs are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunOrder {
    /// Runs that wait for a person first, then open runs, then the newest.
    #[default]
    Need,
    /// The newest run first.
    Age,
    /// By name of the workflow.
    Workflow,
    /// By what they are doing.
    State,
    /// Largest share of finished steps first.
    Progress,
    /// The most failures first.
    Errors,
    /// The highest cost first.
    Cost,
    /// By the name of the requester.
    By,
    /// The worst health first.
    Health,
}

impl RunOrder {
    const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::Need, "need", ""),
        (Self::Age, "age", "AGE"),
        (Self::Workflow, "workflow", "WORKFLOW"),
        (Self::State, "state", "STATE"),
        (Self::Progress, "progress", "PROGRESS"),
        (Self::Errors, "errors", "ERR"),
        (Self::Cost, "cost", "COST"),
        (Self::By, "by", "BY"),
        (Self::Health, "health", "HLT"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()].0
    }

    /// The order that the head of a column stands for.
    pub(super) fn of_column(title: &str) -> Option<Self> {
        let title = match title {
            "RUN" => "AGE",
            "STEPS" => "PROGRESS",
            title => title,
        };
        Self::ALL.iter().find(|(_, _, column)| *column == title && !title.is_empty()).map(|order| order.0)
    }
}

/// A pane of the Runs view that can take the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunsPanel {
    /// The list of runs.
    #[default]
    List,
    Gates,
    Errors,
}

/// The pane that takes the keys, and the cursors of the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunsFocus {
    pub panel: RunsPanel,
    pub gate: Option<GateId>,
    pub error: Option<Seq>,
}

impl RunsPanel {
    /// The next pane, in a circle.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::List => Self::Gates,
            Self::Gates => Self::Errors,
            Self::Errors => Self::List,
        }
    }
}

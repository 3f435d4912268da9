//! The views of the console: their names, commands and scopes of keys.

use crate::{Intent, Scope};

/// A view of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// The list of all runs.
    #[default]
    Runs,
    /// The graph of one run.
    Dag,
    /// Gates and all else that waits for people.
    Gates,
    /// Failures and earlier fixes.
    Errors,
    /// Health of the engine and of the runs.
    Health,
    /// The output of steps.
    Logs,
    /// Steps of a run over time.
    Time,
    /// Decisions and their authors.
    Audit,
    /// Agents that do the work.
    Agents,
    /// Tools that steps call.
    Tools,
}

impl View {
    /// Every view, in the order of the header; those after Audit open from the palette alone.
    pub const ALL: &'static [Self] = &[
        Self::Runs,
        Self::Dag,
        Self::Gates,
        Self::Errors,
        Self::Health,
        Self::Logs,
        Self::Time,
        Self::Audit,
        Self::Agents,
        Self::Tools,
    ];

    /// True if the header shows the view's name.
    pub const fn has_tab(self) -> bool {
        !matches!(self, Self::Agents | Self::Tools)
    }

    /// Its name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Dag => "DAG",
            Self::Gates => "Gates",
            Self::Logs => "Logs",
            Self::Errors => "Errors",
            Self::Health => "Health",
            Self::Time => "Time",
            Self::Audit => "Audit",
            Self::Agents => "Agents",
            Self::Tools => "Tools",
        }
    }

    /// The command that opens it.
    pub const fn intent(self) -> Intent {
        match self {
            Self::Runs => Intent::ViewRuns,
            Self::Dag => Intent::ViewDag,
            Self::Gates => Intent::ViewGates,
            Self::Logs => Intent::ViewLogs,
            Self::Errors => Intent::ViewErrors,
            Self::Health => Intent::ViewHealth,
            Self::Time => Intent::ViewTime,
            Self::Audit => Intent::ViewAudit,
            Self::Agents => Intent::ViewAgents,
            Self::Tools => Intent::ViewTools,
        }
    }

    /// The scope of the view's keys.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Runs => Scope::Runs,
            Self::Dag => Scope::Dag,
            Self::Gates => Scope::Gates,
            Self::Logs => Scope::Logs,
            Self::Errors => Scope::Errors,
            Self::Health => Scope::Health,
            Self::Time => Scope::Time,
            Self::Audit => Scope::Audit,
            Self::Agents => Scope::Agents,
            Self::Tools => Scope::Tools,
        }
    }
}

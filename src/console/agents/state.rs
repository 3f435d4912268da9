//! State of the view of agents: its cursor, and what files describe. Part of the model; changed by `update` only.

/// State of the view of agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentsState {
    pub selected: usize,
    /// The agents described by files, as far as the files were read.
    pub known: cuelight_projection::AgentsAbout,
    /// When they were last asked for.
    pub read_at: Option<cuelight_base::Timestamp>,
    /// The question that is under way.
    pub asked: Option<u64>,
}

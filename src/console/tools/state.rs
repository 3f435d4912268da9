//! State of the list of tools: its cursor. Part of the model; changed by `update` only.

/// State of the list of tools.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolsState {
    pub selected: usize,
}

//! Time: the steps of a run over time, as a chart with the moments in which much happened under it.

pub(super) mod draw;
pub(super) mod gantt;
pub(super) mod layout;
pub(super) mod marks;
mod moments;
pub(super) mod update;

//! Small things that are drawn in many views: panes, dialogs, gauges, sparklines. They keep nothing.

mod meter;
mod pane;

pub use meter::{condensed, gauge, meter_role, sparkline};
pub use pane::{PaneLook, centred, dialog, fill, pane};

//! What the operator sees and presses. (room: console)

mod dag;
mod picture;
mod sign;
mod text;
mod theme;
mod widget;

pub use dag::{
    DagGraph, DagNode, DagView, Direction, FoldKey, FoldKind, Folding, Layout, Neighbourhood, Order, Place,
    Shown, ShownNode, Zoom, fold, layout, neighbourhood, paint, paint_map,
};
pub use picture::{snap, to_svg, to_text};
pub use sign::Mark;
pub use text::{Glyphs, put, put_right, put_untrusted};
pub use theme::{Depth, Kind, Role, Theme, ThemeError};
pub use widget::{PaneLook, centred, dialog, fill, gauge, meter_role, pane, sparkline};

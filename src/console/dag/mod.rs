//! The picture of a run: what is folded away, where the rest stands, and how it is drawn.
//!
//! `fold` decides what is shown, `layout` where it stands, `paint` how it looks; each is a function of data, so one
//! graph is one picture on every machine. A layout depends on the shape of what is shown and not on its state: a
//! state change only paints again.

mod arrange;
mod fate;
mod fold;
mod graph;
mod groups;
mod layout;
mod links;
mod map;
mod outline;
mod paint;
mod shown;
mod told;
mod tracks;

pub use fate::{Fate, Fates};
pub use fold::fold;
pub(super) use graph::{Beside, near};
pub use graph::{DagGraph, DagNode, Neighbourhood, neighbourhood};
pub use layout::{Direction, Layout, Order, Place, layout};
pub use map::paint_map;
pub(super) use map::paint_strip;
pub use paint::{Notes, paint, paint_with};
pub use shown::{DagView, FoldKey, FoldKind, Folding, Shown, ShownNode, Zoom};

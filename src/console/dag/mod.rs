//! The picture of a run: what is folded away, where the rest stands, and how it is drawn.
//!
//! `fold` decides what is shown, `layout` where it stands, `paint` how it looks; each is a function of data, so one
//! graph is one picture on every machine. A layout depends on the shape of what is shown and on its room, not on its
//! state: a state change only paints again.
//!
//! A graph with few edges is woven (`arrange`) and cut into bands where it is too wide (`bands`). A dense one stands as
//! levels (`stack`), and only some of its edges are drawn (`trunks`).

mod arrange;
mod bands;
mod fate;
mod fold;
mod graph;
mod groups;
mod layout;
mod levels;
mod links;
mod map;
mod outline;
mod paint;
mod shown;
mod stack;
mod told;
mod tracks;
mod trunks;

pub use fate::{Fate, Fates};
pub use fold::fold;
pub(super) use graph::{Beside, near};
pub use graph::{DagGraph, DagNode, Neighbourhood, neighbourhood};
pub use layout::{Direction, Layout, Order, Place, layout};
pub use map::paint_map;
pub(super) use map::paint_strip;
pub use paint::{Notes, paint, paint_with};
pub use shown::{DagView, FoldKey, FoldKind, Folding, Shown, ShownNode, Zoom};

//! The graph of one run, view `DAG`: the cursor in it, its pictures and what is beside it. `dag` paints the picture.

pub(super) mod arranger;
pub(super) mod draw;
pub(super) mod layout;
pub(super) mod pictures;
pub(super) mod scene;
mod side;
pub(super) mod state;
pub(super) mod update;
pub(super) mod what_if;

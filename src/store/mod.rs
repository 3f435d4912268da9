//! What is kept.

mod spool;

pub use spool::{SpoolReader, Stretch};

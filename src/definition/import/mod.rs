//! Files of other systems as workflow files, with a list of what could not be carried over.

mod wfformat;

pub use wfformat::{ImportAs, import_wfformat};

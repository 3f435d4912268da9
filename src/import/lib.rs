//! Files of other systems as workflow files, with a list of what could not be carried over.

mod argo;
mod dagu;
mod foreign;
mod github;
mod page;
mod shapes;
mod wfformat;

pub use argo::import_argo;
pub use dagu::import_dagu;
pub use github::import_github;
pub use page::Imported;
pub use wfformat::{ImportAs, import_wfformat};

//! What is kept: the one log with its chain, values by digest, output files; who owns them and where they lie.
//! The only room that says SQL. It stores events and never interprets them.

mod blob;
mod chain;
mod codec;
mod error;
mod journal;
mod owner;
mod reader;
mod schema;
mod spool;
mod workspace;
mod writer;

pub use chain::{Broken, Damage, Verified, verify};
pub use error::{AppendError, StoreError};
pub use journal::{Appended, Batch, Journal, Mark, Opened};
pub use owner::{Owner, OwnerError};
pub use reader::{Reader, RunEntry};
pub use spool::{SpoolReader, Stretch};
pub use workspace::Workspace;

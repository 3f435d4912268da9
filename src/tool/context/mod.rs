//! What an agent should know of a project before it begins: how it is built, the files that matter for the work at hand, where its
//! history stands, what others have done, within a bound of bytes.
//!
//! It reads and runs nothing of the project: links are not followed, ignored and secret files are not looked into, and the one program
//! that is asked, `git`, is kept from everything that a repository could make it do. Who may ask, and what is kept for the next who
//! does, is for others.

mod git;
mod index;
mod pick;
mod read;
mod scan;
mod shape;
mod unwanted;

pub(super) use index::{hash_bytes_of, tracked};
pub use pick::{ContextTrouble, ContextWish, build_context};
pub use scan::{Project, scan_project};
pub use shape::{AgentOutput, BuiltContext, ContextBody, Omitted, Strategy};

//! Builds the context of a project for an agent, within a limit of bytes: structure, relevant files, git
//! state, and the outputs of other agents.
//!
//! It runs nothing of the project, follows no links, and does not read ignored or secret files. The one
//! program that it calls, `git`, is kept from everything that a repository could make it do. Permissions and
//! caching are handled elsewhere.

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

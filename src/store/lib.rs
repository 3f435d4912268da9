//! The stored data: the one log with its chain, values by digest and output files. Also the owner and the
//! paths of a workspace.
//! The only room that uses SQL. It stores events and never interprets them.

mod below;
mod blob;
mod catalog;
mod chain;
mod checkpoint;
mod codec;
mod error;
mod export;
mod journal;
mod owner;
mod private;
mod query;
mod reader;
mod schema;
mod shape;
mod spool;
mod token_keys;
mod topic_keys;
mod trust;
mod verified;
mod workspace;
mod writer;

pub use catalog::{Catalog, CatalogEntry, CatalogQuery};
pub use chain::{Broken, Damage, Linked, Verified, linked, verify};
pub use checkpoint::{HeadTrouble, Heads, Note, NoteKey, check_heads, key_trouble, read_notes, rotate_key};
pub use error::{AppendError, StoreError};
pub use export::{ChainEnd, ChainHead, ExportedChain, FileNote, verify_chain};
pub use journal::{Appended, Batch, Journal, Mark, Opened};
pub use owner::{Owner, OwnerError};
pub use query::query_database;
pub use reader::{ChainRecord, Reader, RunEntry};
pub use spool::{SpoolReader, Stretch};
pub use token_keys::{KeyKind, RsaKey, TokenKey, TokenKeys};
pub use topic_keys::{TopicKey, TopicKeys};
pub use trust::{
    Called, DATABASE, Things, TrustBook, TrustRecord, Trusted, id_told, is_name_of_log, name_to_sign,
};
pub use verified::Verified as VerifiedEvents;
pub use workspace::Workspace;

//! Words every room shares: ids, instants, values, digests, limits, failures.
//!
//! Knows no other room, no clock and no disk.

mod cron;
mod digest;
mod error_record;
mod failure;
mod id;
mod launch;
mod limit;
mod score;
mod time;
mod untrusted;
mod value;

pub use cron::next_scheduled;
pub use digest::{Digest, canonical_json, sha256};
pub use error_record::{ErrorKind, ErrorRecord, ErrorRecordBuilder, Severity};
pub use failure::FailureMode;
pub use id::{AttemptId, DecisionId, Epoch, GateId, RunId, Seq, StepIx};
pub use launch::{LOG_FILE, Launch, TextPart};
pub use limit::*;
pub use score::Score;
pub use time::{ParseSpanError, Span, Timestamp};
pub use untrusted::{Piece, Untrusted, safe_pieces, safe_text};
pub use value::{Value, ValueMap, is_nested_beyond, shorten, type_name};

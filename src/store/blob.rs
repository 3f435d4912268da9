//! Values by digest: what is too large for a row of the log. The same bytes are kept once.

use cuelight_base::Digest;
use rusqlite::Connection;

/// Keeps bytes, inside the transaction of the one who writes.
pub(super) fn put(connection: &Connection, digest: Digest, bytes: &[u8]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO blobs VALUES (?1, ?2)")?;
    insert.execute((digest.0, bytes)).map(drop)
}

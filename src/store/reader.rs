//! Looks at what is kept, without owning it: while the owner writes, or when there is none.

use crate::{
    StoreError, Workspace,
    chain::{Header, Salt},
    codec, schema,
};
use cuelight_base::{Digest, RunId, Seq, Timestamp};
use cuelight_engine::Event;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Transaction, types::ValueRef};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const EVENT: &str =
    "SELECT seq, at, version, coalesce(payload, (SELECT bytes FROM blobs WHERE digest = blob)) FROM events";
/// Runs that have not ended, and what belongs to no run.
const OPEN: &str = "(SELECT seq FROM events WHERE run IS NULL UNION ALL \
     SELECT events.seq FROM runs JOIN events ON events.run = runs.run WHERE runs.rested IS NULL)";
const RECORD: &str = "SELECT seq, at, boot, kind, run, uptime, version, salt, payload_hash, prev, hash, payload, \
     (SELECT bytes FROM blobs WHERE digest = blob) FROM events";

/// A connection that cannot write.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// The place of a run in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEntry {
    /// The id of the run.
    pub run: RunId,
    /// The first event of the batch that opened it.
    pub first: Seq,
    /// The last event of the batch in which it ended, if it has.
    pub rested: Option<Seq>,
}

/// A record as it is handed to others, who can check it without us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainRecord {
    /// The place of the record in the log.
    pub seq: Seq,
    /// The header: the bytes that are hashed.
    pub header: String,
    /// The payload: the bytes that are hashed with the salt. None where only its place in the chain matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Chance, in hexadecimal digits.
    pub salt: String,
    /// SHA-256("cuelight-payload-v1" ‖ salt ‖ payload).
    pub payload_hash: Digest,
    /// The hash of the one before.
    pub prev: Digest,
    /// SHA-256("cuelight-chain-v1" ‖ prev ‖ u64be(seq) ‖ header ‖ payload hash).
    pub hash: Digest,
}

/// A row of the log as the chain sees it.
pub(super) struct Record<'a> {
    pub(super) seq: Seq,
    pub(super) header: Header<'a>,
    pub(super) salt: Salt,
    pub(super) payload: &'a [u8],
    pub(super) payload_hash: Digest,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
}

impl Record<'_> {
    fn owned(&self) -> ChainRecord {
        ChainRecord {
            seq: self.seq,
            header: serde_json::to_string(&self.header).expect("a header is text and numbers"),
            payload: Some(String::from_utf8_lossy(self.payload).into_owned()),
            salt: self.salt.iter().map(|byte| format!("{byte:02x}")).collect(),
            payload_hash: self.payload_hash,
            prev: self.prev,
            hash: self.hash,
        }
    }
}

impl Reader {
    /// Opens the database of a workspace to look at it.
    pub fn open(workspace: &Workspace) -> Result<Self, StoreError> {
        workspace.check()?;
        let path = workspace.db();
        Ok(Self { connection: schema::open_to_read(&path, workspace.is_only_looked_at())?, path })
    }

    /// Events in order, beginning at `from`, at most `limit` of them.
    pub fn events(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event)>, StoreError> {
        self.ask(
            &format!("{EVENT} WHERE seq >= ?1 ORDER BY seq LIMIT ?2"),
            (number(from.0), number(limit)),
            event,
        )
    }

    /// Events of one run.
    pub fn events_of(&self, run: RunId, from: Seq, limit: usize) -> Result<Vec<(Seq, Event)>, StoreError> {
        let sql = format!("{EVENT} WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3");
        self.ask(&sql, (run.0, number(from.0), number(limit)), event)
    }

    /// Events about this noun in order, from one to another.
    pub fn events_about(
        &self,
        noun: &str,
        (from, until): (Seq, Seq),
        limit: usize,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        let sql = format!("{EVENT} WHERE seq >= ?1 AND seq <= ?2 AND kind = ?3 ORDER BY seq LIMIT ?4");
        self.ask(&sql, (number(from.0), number(until.0), noun, number(limit)), event)
    }

    /// Events of the runs that have not ended, and those of no run: what an engine has to fold at its start.
    pub fn open_events(&self, from: Seq, limit: usize) -> Result<Vec<(Seq, Event)>, StoreError> {
        let sql = format!("{EVENT} WHERE seq IN {OPEN} AND seq >= ?1 ORDER BY seq LIMIT ?2");
        self.ask(&sql, (number(from.0), number(limit)), event)
    }

    /// Every run there ever was, in order.
    pub fn runs_index(&self) -> Result<Vec<RunEntry>, StoreError> {
        self.ask("SELECT run, first, rested FROM runs ORDER BY run", (), |row| {
            let rested: Option<i64> = get(row, 2)?;
            Ok(RunEntry {
                run: RunId(get(row, 0)?),
                first: seq(get(row, 1)?)?,
                rested: rested.map(seq).transpose()?,
            })
        })
    }

    /// The last event and its hash; 0 and zeros before the first.
    pub fn head(&self) -> Result<(Seq, Digest), StoreError> {
        self.one("SELECT seq, hash FROM head", (), |row| Ok((seq(get(row, 0)?)?, Digest(get(row, 1)?))))?
            .ok_or_else(|| StoreError::damaged(&self.path, "the row that names its head is missing"))
    }

    /// A value by its digest.
    pub fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes =
            self.one("SELECT bytes FROM blobs WHERE digest = ?1", [digest.0], |row| get::<Vec<u8>>(row, 0))?;
        match bytes {
            Some(bytes) if Digest::of(&bytes) != digest => {
                Err(StoreError::damaged(&self.path, format!("value {digest} is another")))
            }
            bytes => Ok(bytes),
        }
    }

    /// Fails if the pages of the file do not fit together.
    pub(super) fn quick_check(&self) -> Result<(), StoreError> {
        match self.one("PRAGMA quick_check(1)", (), |row| get::<String>(row, 0))? {
            Some(said) if said != "ok" => Err(StoreError::damaged(&self.path, said)),
            _ => Ok(()),
        }
    }

    /// All that is asked until it is dropped is answered from one instant.
    pub(super) fn snapshot(&self) -> Result<Transaction<'_>, StoreError> {
        self.connection.unchecked_transaction().map_err(|error| self.failed(&error))
    }

    pub(super) fn hash_of(&self, seq: Seq) -> Result<Option<Digest>, StoreError> {
        self.one("SELECT hash FROM events WHERE seq = ?1", [number(seq.0)], |row| get(row, 0).map(Digest))
    }

    /// Records of the chain in order, from `from` up to `until`, handed over one by one.
    pub fn chain(
        &self,
        from: Seq,
        until: Seq,
        take: &mut dyn FnMut(ChainRecord) -> bool,
    ) -> Result<(), StoreError> {
        self.each_record(Some(from), &mut |record| record.seq <= until && take(record.owned()))
    }

    /// Each record in order, until `more` says no; without `from` even those that stand before the first.
    pub(super) fn each_record(
        &self,
        from: Option<Seq>,
        more: &mut dyn FnMut(&Record<'_>) -> bool,
    ) -> Result<(), StoreError> {
        let sql = format!("{RECORD} WHERE seq >= ?1 ORDER BY seq");
        let mut statement = self.connection.prepare_cached(&sql).map_err(|error| self.failed(&error))?;
        let mut rows = statement
            .query([from.map_or(i64::MIN, |seq| number(seq.0))])
            .map_err(|error| self.failed(&error))?;
        while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
            if !more(&record(row).map_err(|what| StoreError::damaged(&self.path, what))?) {
                break;
            }
        }
        Ok(())
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, String>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let found = statement.query_row(params, |row| Ok(read(row))).optional();
        let found = found.map_err(|error| self.failed(&error))?;
        found.transpose().map_err(|what| StoreError::damaged(&self.path, what))
    }

    fn ask<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, String>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| self.failed(&error))?;
        let mut rows = statement.query(params).map_err(|error| self.failed(&error))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|error| self.failed(&error))? {
            found.push(read(row).map_err(|what| StoreError::damaged(&self.path, what))?);
        }
        Ok(found)
    }

    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError::damaged(&self.path, what)
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::sql("read", Path::new(&self.path), error)
    }
}

/// As the database counts; beyond that there is nothing.
pub(super) fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn event(row: &Row<'_>) -> Result<(Seq, Event), String> {
    let seq = seq(get(row, 0)?)?;
    let payload = bytes(row, 3)?.ok_or_else(|| format!("the value of event {seq} is missing"))?;
    let event = codec::decode(get(row, 2)?, Timestamp(get(row, 1)?), payload);
    Ok((seq, event.map_err(|why| format!("event {seq}: {why}"))?))
}

fn record<'a>(row: &'a Row<'_>) -> Result<Record<'a>, String> {
    let text = |index| {
        let bytes = bytes(row, index)?.unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|error| error.to_string())
    };
    let header = Header {
        at: get(row, 1)?,
        boot: text(2)?,
        kind: text(3)?,
        run: get::<Option<u32>>(row, 4)?.map(RunId),
        uptime: get::<i64>(row, 5)?.try_into().map_err(|_| "an uptime below zero".to_owned())?,
        version: get(row, 6)?,
    };
    let payload = match (bytes(row, 11)?, bytes(row, 12)?) {
        (Some(payload), None) | (None, Some(payload)) => payload,
        (None, None) => return Err("its payload is missing".to_owned()),
        (Some(_), Some(_)) => return Err("it has two payloads".to_owned()),
    };
    Ok(Record {
        seq: seq(get(row, 0)?)?,
        header,
        salt: get(row, 7)?,
        payload,
        payload_hash: Digest(get(row, 8)?),
        prev: Digest(get(row, 9)?),
        hash: Digest(get(row, 10)?),
    })
}

fn seq(number: i64) -> Result<Seq, String> {
    u64::try_from(number).map(Seq).map_err(|_| "a place below zero".to_owned())
}

fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, index: usize) -> Result<T, String> {
    row.get(index).map_err(|error| error.to_string())
}

/// The bytes of a text or blob as stored; a text need not be UTF-8.
fn bytes<'a>(row: &'a Row<'_>, index: usize) -> Result<Option<&'a [u8]>, String> {
    match row.get_ref(index).map_err(|error| error.to_string())? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Some(bytes)),
        ValueRef::Integer(_) | ValueRef::Real(_) => Err("a number where text was written".to_owned()),
    }
}

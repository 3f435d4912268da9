//! A list of what is in the library, with full text search: which event of the log says what an agent left.
//! It is derived from the log and worth nothing by itself: it can be deleted at any time, and is when it does
//! not fit the log any more.
//!
//! It stands in a file of its own, so that the log stays as it is. The content of events is not read here:
//! callers pass the entries.

use crate::{Reader, StoreError, Workspace, reader::number};
use cuelight_base::{Digest, Seq, Timestamp};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params,
    params_from_iter, types::Value as Cell,
};
use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

/// A list of another form is deleted.
const FORM: i64 = 2;
const TABLES: &str = "
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    shelf TEXT NOT NULL,
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    issue TEXT NOT NULL,
    agent TEXT NOT NULL,
    agent_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER
) STRICT;
CREATE UNIQUE INDEX entries_by_id ON entries (shelf, id);
CREATE INDEX entries_by_project ON entries (shelf, project, seq);
CREATE INDEX entries_by_issue ON entries (shelf, project, issue, seq);
CREATE INDEX entries_by_end ON entries (until) WHERE until IS NOT NULL;
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
CREATE TABLE read_to (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
INSERT INTO read_to VALUES (1, 0, zeroblob(32));
";
/// Another process may write at the same time.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// Words of a search that count.
const WORDS_MAX: usize = 32;

/// An entry that an agent left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The event that says so.
    pub seq: Seq,
    /// The shelf: results or knowledge.
    pub shelf: &'static str,
    /// Its name on that shelf.
    pub id: String,
    /// The project whose it is, empty for the workspace's own.
    pub project: String,
    /// The piece of work, where there is one.
    pub issue: String,
    /// The agent that left it.
    pub agent: String,
    /// The type of that agent.
    pub agent_type: String,
    /// The kind of knowledge, or the status of a result.
    pub kind: String,
    /// When it was left.
    pub at: Timestamp,
    /// The time until which it can be found; none means for ever.
    pub until: Option<Timestamp>,
    /// Further text that a search finds it by.
    pub text: String,
}

/// The conditions of a search; an optional condition that is none matches all entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogQuery {
    /// Entries on this shelf.
    pub shelf: String,
    /// Entries of this project, empty for the workspace's own.
    pub project: String,
    /// The entry with this name.
    pub id: Option<String>,
    /// About this piece of work.
    pub issue: Option<String>,
    /// By this agent, or by one of its sessions.
    pub agent: Option<String>,
    /// By agents of this type.
    pub agent_type: Option<String>,
    /// Entries of this kind.
    pub kind: Option<String>,
    /// Left at this instant or later.
    pub since: Option<Timestamp>,
    /// Left before this instant.
    pub until: Option<Timestamp>,
    /// Entries left before this event.
    pub before: Option<Seq>,
    /// With any of these words, those with most of them first; else, and among equals, the newest first.
    pub words: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// The list, to be looked at and brought up to date.
#[derive(Debug)]
pub struct Catalog {
    connection: Connection,
}

impl Catalog {
    /// The list of a workspace; where its file cannot be used, one in memory that is made anew.
    ///
    /// # Errors
    /// When there can be none at all.
    pub fn open(workspace: &Workspace) -> Result<Self, StoreError> {
        if workspace.is_only_looked_at() {
            return Self::in_memory();
        }
        Self::in_file(&workspace.catalog()).or_else(|_| Self::in_memory())
    }

    /// The same, in memory.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory().map_err(|error| failed("make", &error))?;
        make(&mut connection).map_err(|error| failed("make", &error))?;
        Ok(Self { connection })
    }

    fn in_file(path: &Path) -> rusqlite::Result<Self> {
        let opened = Self::at(path);
        if opened.is_err() {
            // It is derived: one that cannot be read is made anew.
            for suffix in ["", "-wal", "-shm"] {
                drop(fs::remove_file(super::schema::beside(path, suffix)));
            }
            return Self::at(path);
        }
        opened
    }

    fn at(path: &Path) -> rusqlite::Result<Self> {
        // For its user alone, whatever the umask.
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(rusqlite::Error::InvalidPath(path.to_owned()));
            }
            Ok(_) | Err(_) => {}
        }
        let connection = super::schema::connect(path, OpenFlags::default());
        let mut connection = connection.map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
        connection.busy_timeout(WRITE_WAIT)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "trusted_schema", "0")?;
        make(&mut connection)?;
        Ok(Self { connection })
    }

    /// The last event of this log that it has, after all that does not fit that log was deleted; and the end
    /// of the log.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn gap(&mut self, reader: &Reader) -> Result<(Seq, (Seq, Digest)), StoreError> {
        let sql = |error| failed("read", &error);
        let read_to = self
            .connection
            .query_row("SELECT seq, hash FROM read_to", [], |row| {
                Ok((Seq(row.get::<_, i64>(0)?.unsigned_abs()), Digest(row.get(1)?)))
            })
            .map_err(sql)?;
        // In this order: another process may be further meanwhile.
        let head = reader.head()?;
        let fits = read_to.0 == Seq(0) || reader.hash_of(read_to.0)? == Some(read_to.1);
        if fits {
            return Ok((read_to.0, head));
        }
        clear(&mut self.connection).map_err(sql)?;
        Ok((Seq(0), head))
    }

    /// Takes entries in: all that the events up to this one say. A later event of the same id takes the place of the earlier.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn take(
        &mut self,
        entries: &[CatalogEntry],
        up_to: (Seq, Digest),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(entries, up_to, now).map_err(|error| failed("write", &error))
    }

    fn write(
        &mut self,
        entries: &[CatalogEntry],
        up_to: (Seq, Digest),
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        for entry in entries {
            // An id that rests no more can be used again. Another process may be further: then nothing is earlier.
            let earlier = "SELECT seq FROM entries WHERE shelf = ?1 AND id = ?2 AND seq < ?3";
            let given = params![entry.shelf, entry.id, number(entry.seq.0)];
            let replaced = transaction
                .prepare_cached(earlier)?
                .query_row(given, |row| row.get::<_, i64>(0))
                .optional()?;
            if let Some(replaced) = replaced {
                transaction.execute("DELETE FROM words WHERE rowid = ?1", [replaced])?;
                transaction.execute("DELETE FROM entries WHERE seq = ?1", [replaced])?;
            }
            let sql = "INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            let taken = transaction.prepare_cached(sql)?.execute(params![
                number(entry.seq.0),
                entry.shelf,
                entry.id,
                entry.project,
                entry.issue,
                entry.agent,
                entry.agent_type,
                entry.kind,
                entry.at.0,
                entry.until.map(|until| until.0),
            ])?;
            if taken == 1 && !entry.text.is_empty() {
                let sql = "INSERT INTO words (rowid, text) VALUES (?1, ?2)";
                transaction.prepare_cached(sql)?.execute(params![number(entry.seq.0), entry.text])?;
            }
        }
        let ended = "SELECT seq FROM entries WHERE until <= ?1";
        transaction.execute(&format!("DELETE FROM words WHERE rowid IN ({ended})"), [now.0])?;
        transaction.execute("DELETE FROM entries WHERE until <= ?1", [now.0])?;
        let sql = "UPDATE read_to SET seq = ?1, hash = ?2 WHERE seq < ?1";
        transaction.execute(sql, params![number(up_to.0.0), up_to.1.0])?;
        transaction.commit()
    }

    /// The events that match the query.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(&self, query: &CatalogQuery, now: Timestamp) -> Result<Vec<Seq>, StoreError> {
        self.look(query, now).map_err(|error| failed("read", &error))
    }

    fn look(&self, query: &CatalogQuery, now: Timestamp) -> rusqlite::Result<Vec<Seq>> {
        let words = query.words.as_deref().map(words_of);
        if words.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let any = words.as_ref().map(|words| words.join(" OR "));
        let mut sql = "SELECT entries.seq FROM entries".to_owned();
        if any.is_some() {
            sql.push_str(" JOIN words ON words.rowid = entries.seq");
        }
        let text = |text: &Option<String>| text.clone().map(Cell::Text);
        let instant = |moment: Option<Timestamp>| moment.map(|entry| Cell::Integer(entry.0));
        let session = query.agent.as_ref().map(|agent| Cell::Text(format!("{agent}/")));
        let wanted = [
            ("shelf = ?#", Some(Cell::Text(query.shelf.clone()))),
            ("project = ?#", Some(Cell::Text(query.project.clone()))),
            ("(until IS NULL OR until > ?#)", Some(Cell::Integer(now.0))),
            ("id = ?#", text(&query.id)),
            ("issue = ?#", text(&query.issue)),
            ("(agent || '/' = ?# OR substr(agent, 1, length(?#)) = ?#)", session),
            ("agent_type = ?#", text(&query.agent_type)),
            ("kind = ?#", text(&query.kind)),
            ("at >= ?#", instant(query.since)),
            ("at < ?#", instant(query.until)),
            ("entries.seq < ?#", query.before.map(|seq| Cell::Integer(number(seq.0)))),
            ("words MATCH ?#", any.map(Cell::Text)),
        ];
        let (mut clauses, mut given) = (Vec::new(), Vec::new());
        for (clause, value) in wanted {
            if let Some(value) = value {
                given.push(value);
                clauses.push(clause.replace("?#", &format!("?{}", given.len())));
            }
        }
        // By its own words alone: a weight that counts how rare a word is would tell what stands in other projects.
        let mut order = String::new();
        for word in words.into_iter().flatten() {
            given.push(Cell::Text(word));
            let has =
                format!("(entries.seq IN (SELECT rowid FROM words WHERE words MATCH ?{}))", given.len());
            order = if order.is_empty() { has } else { format!("{order} + {has}") };
        }
        let order = if order.is_empty() { order } else { format!("({order}) DESC, ") };
        given.push(Cell::Integer(number(query.limit)));
        let (clauses, last) = (clauses.join(" AND "), given.len());
        sql = format!("{sql} WHERE {clauses} ORDER BY {order}entries.seq DESC LIMIT ?{last}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(given), |row| row.get::<_, i64>(0))?;
        rows.map(|row| row.map(|row| Seq(row.unsigned_abs()))).collect()
    }
}

fn failed(what: &'static str, error: &rusqlite::Error) -> StoreError {
    StoreError::sql(what, Path::new("library.db"), error)
}

/// The words of a text as FTS5 is asked for them, each once. Each is quoted, so that it is a word and no operator.
fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        let word = format!("\"{}\"", word.to_lowercase());
        if !words.contains(&word) {
            words.push(word);
        }
        if words.len() == WORDS_MAX {
            break;
        }
    }
    words
}

fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let form: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let made = "SELECT 1 FROM sqlite_schema WHERE name = 'entries'";
    let is_made = transaction.query_row(made, [], |_| Ok(())).optional()?.is_some();
    if form == FORM && is_made {
        return Ok(());
    }
    drop_all(&transaction)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "user_version", FORM)?;
    transaction.commit()
}

fn clear(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    drop_all(&transaction)?;
    transaction.execute_batch(TABLES)?;
    transaction.commit()
}

fn drop_all(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(
        "DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS words; DROP TABLE IF EXISTS read_to;",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, project: &str, text: &str) -> CatalogEntry {
        CatalogEntry {
            seq: Seq(seq),
            shelf: "knowledge",
            id: format!("k-{seq}"),
            project: project.to_owned(),
            issue: String::new(),
            agent: "a/s1".to_owned(),
            agent_type: "qa".to_owned(),
            kind: "general".to_owned(),
            at: Timestamp(1000),
            until: (seq == 3).then_some(Timestamp(2000)),
            text: text.to_owned(),
        }
    }

    #[test]
    fn words_are_words_whatever_they_would_mean_to_the_search() {
        let mut catalog = Catalog::in_memory().expect("memory");
        let entries = [
            entry(1, "", "The cart keeps prices in cents; NEAR is a word"),
            entry(2, "bank", "the cart of another project"),
            entry(3, "", "an old cart"),
        ];
        catalog.take(&entries, (Seq(3), Digest([3; 32])), Timestamp(1500)).expect("taken");
        let find = |words: &str, now: i64| {
            let query = CatalogQuery {
                shelf: "knowledge".to_owned(),
                words: Some(words.to_owned()),
                limit: 10,
                ..CatalogQuery::default()
            };
            let found = catalog.find(&query, Timestamp(now)).expect("it is text");
            found.into_iter().map(|seq| seq.0).collect::<Vec<_>>()
        };
        assert_eq!(find("cart", 1500).len(), 2);
        assert_eq!(find("cart", 2000), [1], "what has ended is not found");
        for hostile in [
            "cart\" OR \"",
            "cart*",
            "NEAR(cart, 2)",
            "text:cart",
            "^cart",
            "(cart",
            "-cart",
            "cart AND",
            "\"cart",
            "cart'; DROP TABLE entries; --",
            "{cart}",
            "cart:x",
            "c\u{0}art cart",
            "CÄRT cart",
        ] {
            assert!(find(hostile, 2000).contains(&1), "{hostile}");
        }
        for nothing in ["", " ", "\"\"", "***", "()", "\u{0}", "zzz"] {
            assert!(find(nothing, 2000).is_empty(), "{nothing}");
        }
        let of_agent = |agent: &str| {
            let query = CatalogQuery {
                shelf: "knowledge".to_owned(),
                agent: Some(agent.to_owned()),
                limit: 10,
                ..CatalogQuery::default()
            };
            catalog.find(&query, Timestamp(2000)).expect("found").len()
        };
        assert_eq!((of_agent("a"), of_agent("a/s1"), of_agent("a/s"), of_agent("%")), (1, 1, 0, 0));
    }

    #[test]
    fn the_order_of_a_search_tells_nothing_of_other_projects() {
        let mut catalog = Catalog::in_memory().expect("memory");
        let mut entries = vec![
            entry(1, "", "prices and carts"),
            entry(2, "", "carts"),
            entry(4, "", "merger"),
            entry(5, "", "carts, at length: nobody knows how many of them there are"),
        ];
        // To others, "merger" is a word like any other, and carts are rare.
        entries.extend((10..40).map(|seq| entry(seq, "bank", "the merger is near")));
        catalog.take(&entries, (Seq(40), Digest([3; 32])), Timestamp(1500)).expect("taken");
        let query = CatalogQuery {
            shelf: "knowledge".to_owned(),
            words: Some("merger carts CARTS prices".to_owned()),
            limit: 10,
            ..CatalogQuery::default()
        };
        let found = catalog.find(&query, Timestamp(1500)).expect("found");
        assert_eq!(found, [Seq(1), Seq(5), Seq(4), Seq(2)], "most words first, then the newest");
    }

    #[test]
    fn an_id_that_is_used_again_stands_for_what_was_said_last() {
        let mut catalog = Catalog::in_memory().expect("memory");
        let again = CatalogEntry { id: "k-1".to_owned(), ..entry(7, "", "prices are in euros") };
        let first = entry(1, "", "prices are in cents");
        catalog
            .take(std::slice::from_ref(&first), (Seq(1), Digest([1; 32])), Timestamp(1500))
            .expect("taken");
        catalog.take(&[again], (Seq(7), Digest([7; 32])), Timestamp(1500)).expect("taken");
        // Whoever is behind changes nothing.
        catalog.take(&[first], (Seq(1), Digest([1; 32])), Timestamp(1500)).expect("taken");
        let find = |id: Option<&str>, words: Option<&str>| {
            let query = CatalogQuery {
                shelf: "knowledge".to_owned(),
                id: id.map(str::to_owned),
                words: words.map(str::to_owned),
                limit: 10,
                ..CatalogQuery::default()
            };
            catalog.find(&query, Timestamp(1500)).expect("found")
        };
        assert_eq!(find(Some("k-1"), None), [Seq(7)]);
        assert_eq!((find(None, Some("euros")), find(None, Some("cents"))), (vec![Seq(7)], Vec::new()));
    }
}

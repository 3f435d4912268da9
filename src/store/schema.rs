//! Tables, the settings of a connection, and the way from one schema to the next.
//!
//! A setting that was not taken shows only when it is read back, so each one is.

use crate::{StoreError, reader::number};
use rusqlite::{
    Connection, Error as SqlError, ErrorCode, OpenFlags, Transaction, TransactionBehavior, config::DbConfig,
};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// A write that takes longer stands still.
const WRITE_MAX: Duration = Duration::from_secs(2);
/// "cuel": tells our files from those of others.
const APPLICATION_ID: i64 = 0x6375_656C;
/// Older ones may lose data when two connections write and checkpoint at one moment.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Tries to read while somebody else puts the files of the log away.
const READ_TRIES_MAX: u32 = 2000;

/// The n-th leads from schema n to n + 1. Never changed once released.
const MIGRATIONS: &[&str] = &["
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    run INTEGER,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    boot TEXT NOT NULL,
    uptime INTEGER NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT,
    blob BLOB REFERENCES blobs (digest),
    salt BLOB NOT NULL,
    payload_hash BLOB NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run);
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    rested INTEGER
) STRICT;
CREATE TABLE votes (
    decision TEXT PRIMARY KEY,
    gate INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    principal TEXT NOT NULL,
    UNIQUE (gate, epoch, principal)
) STRICT, WITHOUT ROWID;
CREATE TABLE resolutions (
    gate INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (gate, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    owner_epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO head VALUES (1, 0, 0, zeroblob(32));
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT raise(ABORT, 'the log is never changed'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events BEGIN SELECT raise(ABORT, 'the log is never cut'); END;
CREATE TRIGGER blobs_stay BEFORE UPDATE ON blobs BEGIN SELECT raise(ABORT, 'a value is never changed'); END;
CREATE TRIGGER votes_stay BEFORE UPDATE ON votes BEGIN SELECT raise(ABORT, 'a vote is never changed'); END;
CREATE TRIGGER votes_last BEFORE DELETE ON votes BEGIN SELECT raise(ABORT, 'a vote is never lost'); END;
"];

/// Every setting of the one connection that writes, and what it reads back as.
const WRITER_SETTINGS: &[(&str, &str)] = &[
    ("busy_timeout", "5000"),
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("fullfsync", "1"),
    ("checkpoint_fullfsync", "1"),
    ("foreign_keys", "1"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    ("mmap_size", "0"),
    // The writer does it by itself, after it has answered, and looks at the result.
    ("wal_autocheckpoint", "0"),
];
const READER_SETTINGS: &[(&str, &str)] = &[
    ("busy_timeout", "5000"),
    ("query_only", "1"),
    ("trusted_schema", "0"),
    ("cell_size_check", "1"),
    ("mmap_size", "0"),
];

/// Settings of a database that nobody sees before it is whole: what is half made is made again.
const NEW_SETTINGS: &[(&str, &str)] = &[("journal_mode", "off"), ("synchronous", "0")];

/// Makes a database beside its place and puts it there when it is whole, so that a process that dies
/// meanwhile leaves nothing that has to be undone. For its user alone, whatever the umask.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("create", path, &error);
    let new = beside(path, "-new");
    // Of one who died here, and of a database that is no more: they would be taken for parts of this one.
    for left in [new.clone(), beside(&new, "-journal"), beside(path, "-journal"), beside(path, "-wal")] {
        remove(&left).map_err(failed)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = |error| StoreError::sql("create", path, &error);
    let mut connection = connect(&new, flags)?;
    set(&connection, path, NEW_SETTINGS)?;
    migrate(&mut connection, path, MIGRATIONS)?;
    set(&connection, path, &[("journal_mode", "wal")])?;
    connection.close().map_err(|(_, error)| sql(error))?;
    file.sync_all().and_then(|()| put(&new, path)).map_err(failed)
}

/// Opens a database of ours: neither it nor what lies beside it may be a link.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let part = beside(path, suffix);
        if fs::symlink_metadata(&part).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(StoreError::refused("open", &part, "it is a symbolic link, or no file", "remove it"));
        }
    }
    // SQLite refuses links above it as well, where a user may have some.
    let above = path.parent().and_then(|parent| parent.canonicalize().ok());
    let mut real =
        above.zip(path.file_name()).map_or_else(|| path.to_owned(), |(above, name)| above.join(name));
    if flags.contains(OpenFlags::SQLITE_OPEN_URI) {
        // Nobody writes it meanwhile, and what reading leaves beside it is not made. What waits in its write-ahead log is not seen.
        real = PathBuf::from(format!("file:{}?immutable=1", percent_encoded(&real)));
    }
    Connection::open_with_flags(real, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)
        .map_err(|error| StoreError::sql("open", path, &error))
}

fn percent_encoded(path: &Path) -> String {
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    bytes
        .iter()
        .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Removes a file, if it is there.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a whole and synced file its name, for good.
fn put(file: &Path, name: &Path) -> io::Result<()> {
    fs::rename(file, name)?;
    File::open(name.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// The path of what lies beside a database under its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The one connection that writes. Refuses, without a write, what is not ours or newer than we are.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    open_at(path, MIGRATIONS)
}

/// The same for a program that knows these schemas.
fn open_at(path: &Path, migrations: &[&str]) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        let why = format!("SQLite {} has a bug that can lose data", rusqlite::version());
        return Err(StoreError::refused("open", path, why, "build cuelight with the SQLite it brings"));
    }
    // It stays until the other is there: the last one who leaves puts the files of the log away.
    let _looking = look_as(path, migrations, false)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(path, flags)?;
    set(&connection, path, WRITER_SETTINGS)?;
    migrate(&mut connection, path, migrations)?;
    Ok(connection)
}

/// True if another process is writing for longer than a write takes.
pub(super) fn is_being_written(path: &Path) -> Result<bool, StoreError> {
    if !path.exists() {
        return Ok(false);
    }
    let failed = |error| StoreError::sql("open", path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    connection.busy_timeout(WRITE_MAX).map_err(failed)?;
    match connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
        Ok(()) => Ok(false),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(true),
        Err(error) => Err(failed(error)),
    }
}

/// A connection that cannot write, to a database of our schema.
pub(super) fn open_to_read(path: &Path, is_looked_at: bool) -> Result<Connection, StoreError> {
    let refused = |why: &str, next| Err(StoreError::refused("open", path, why, next));
    if !path.exists() {
        return refused("nothing has run here yet", "run a workflow first");
    }
    match look_as(path, MIGRATIONS, is_looked_at)? {
        (_, 0) => refused("nothing has run here yet", "run a workflow first"),
        (_, found) if found < known() => refused(
            "an older cuelight wrote it",
            "start this one as its owner once, which brings it up to date",
        ),
        (connection, _) => Ok(connection),
    }
}

/// A connection that cannot write, and whose database it sees. While the last one who wrote puts its files away, there is
/// an instant in which nobody else can read; it is tried again.
fn identified(path: &Path, is_looked_at: bool) -> Result<(Connection, (i64, i64)), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = if is_looked_at { flags | OpenFlags::SQLITE_OPEN_URI } else { flags };
    let passes = |error: &SqlError| {
        matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
    };
    let mut tries = 0;
    loop {
        let connection = connect(path, flags)?;
        set(&connection, path, READER_SETTINGS)?;
        match identity(&connection) {
            Ok(identity) => return Ok((connection, identity)),
            Err(error) if passes(&error) && tries < READ_TRIES_MAX => {
                tries += 1;
                std::thread::yield_now();
            }
            Err(error) => return Err(StoreError::sql("open", path, &error)),
        }
    }
}

/// A connection that cannot write, and the schema it sees, 0 when there is none yet, for a program that knows these schemas.
fn look_as(path: &Path, migrations: &[&str], is_looked_at: bool) -> Result<(Connection, i64), StoreError> {
    let (failed, known) = (|error| StoreError::sql("open", path, &error), number(migrations.len()));
    let (connection, identity) = identified(path, is_looked_at)?;
    match identity {
        (APPLICATION_ID, found) if found > known => {
            Err(StoreError::Newer { path: path.to_owned(), found, known })
        }
        (APPLICATION_ID, found) => {
            let done = usize::try_from(found).unwrap_or_default();
            let ours = schema_by(&migrations[..done.min(migrations.len())]).map_err(failed)?;
            let theirs = schema_of(&connection).map_err(failed)?;
            // A guard that is gone lets records be changed, which verifying finds; only one too many can act.
            match theirs.difference(&ours).next() {
                None => Ok((connection, found)),
                Some((kind, name, _)) => {
                    let why = format!("its {kind} {name:?} is not the one that cuelight makes");
                    let next = "somebody has changed it: ask where it comes from, and restore a copy or move it away";
                    Err(StoreError::refused("open", path, why, next))
                }
            }
        }
        (0, 0) if is_empty(&connection).map_err(failed)? => Ok((connection, 0)),
        _ => {
            let why = "it is not a database of cuelight";
            Err(StoreError::refused("open", path, why, "move it out of the way"))
        }
    }
}

/// Each table, index, trigger and view by kind and name, with its text. A trigger that is not ours would write records of its own when
/// the log is taken up, behind every check.
type Schema = BTreeSet<(String, String, String)>;

fn schema_of(connection: &Connection) -> rusqlite::Result<Schema> {
    // Statistics are for the planner alone.
    let all = "SELECT type, name, tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema \
               WHERE NOT (type = 'table' AND name GLOB 'sqlite_stat[0-9]')";
    let mut asked = connection.prepare(all)?;
    let rows = asked.query_map([], |row| {
        let text: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, text.split_whitespace().collect::<Vec<_>>().join(" ")))
    })?;
    rows.collect()
}

/// The schema that these migrations make.
fn schema_by(migrations: &[&str]) -> rusqlite::Result<Schema> {
    let connection = Connection::open_in_memory()?;
    migrations.iter().try_for_each(|migration| connection.execute_batch(migration))?;
    schema_of(&connection)
}

/// The schema this program writes.
fn known() -> i64 {
    number(MIGRATIONS.len())
}

/// Application id and schema.
fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let ask = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((ask("application_id")?, ask("user_version")?))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn set(connection: &Connection, path: &Path, settings: &[(&str, &str)]) -> Result<(), StoreError> {
    let failed = |error| StoreError::sql("open", path, &error);
    for (name, wanted) in settings {
        connection.pragma_update(None, name, wanted).map_err(failed)?;
        let found = connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map_err(failed)?;
        let found = match found {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            _ => String::new(),
        };
        if found != *wanted {
            let why = format!("SQLite keeps {name} at {found:?} instead of {wanted}");
            return Err(StoreError::refused("open", path, why, "choose a local disk with --workspace"));
        }
    }
    if !connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failed)? {
        return Err(StoreError::refused(
            "open",
            path,
            "SQLite has no defensive mode",
            "use the SQLite it brings",
        ));
    }
    Ok(())
}

/// All or nothing; a database that holds something is copied first.
fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let failed = |error| StoreError::sql("bring up to date", path, &error);
    let (_, version) = identity(connection).map_err(failed)?;
    let done = usize::try_from(version).map_err(|_| StoreError::damaged(path, "a schema below zero"))?;
    if done >= migrations.len() {
        return Ok(());
    }
    if done > 0 {
        keep(connection, path, &path.with_extension(format!("db.schema-{done}")))?;
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(failed)?;
    for migration in &migrations[done..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", number(migrations.len())).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Copies a database whole: half a copy never has the name of one.
fn keep(connection: &Connection, path: &Path, copy: &Path) -> Result<(), StoreError> {
    let half = beside(copy, "-new");
    remove(&half).map_err(|error| StoreError::io("copy", path, &error))?;
    let into = half.to_string_lossy();
    connection.execute("VACUUM INTO ?1", [into]).map_err(|error| StoreError::sql("copy", path, &error))?;
    let whole = File::open(&half).and_then(|file| file.sync_all()).and_then(|()| put(&half, copy));
    whole.map_err(|error| StoreError::io("copy", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, PoisonError};

    /// A possible later schema: one more table, one more column, and a value computed from every record.
    const NEXT: &str = "
        CREATE TABLE days (day INTEGER PRIMARY KEY, records INTEGER NOT NULL) STRICT;
        INSERT INTO days SELECT at / 86400000, count(*) FROM events GROUP BY 1;
        ALTER TABLE runs ADD COLUMN days INTEGER;
        UPDATE runs SET days = 1;
        CREATE INDEX events_by_kind ON events (kind);";
    /// Moments at which it is killed.
    const MOMENTS: u64 = 150;

    fn of_an_earlier_version(dir: &Path) -> PathBuf {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/histories/0.1.0/cuelight.db");
        let path = dir.join("cuelight.db");
        fs::copy(kept, &path).expect("a database that was kept");
        path
    }

    /// The records with their hashes, in one word.
    fn records(connection: &Connection) -> (i64, String) {
        let all = "SELECT count(*), hex(max(hash)) || hex(min(hash)) FROM events";
        connection.query_row(all, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("records")
    }

    /// Brings it up to date as an engine that opens it does, and calls this before each step that `SQLite` takes for it.
    fn watched(path: &Path, mut before: impl FnMut(u64) + Send + 'static) {
        let mut connection = Connection::open(path).expect("a database");
        set(&connection, path, WRITER_SETTINGS).expect("set");
        let mut steps = 0;
        let each = move || {
            before(steps);
            steps += 1;
            false
        };
        connection.progress_handler(1, Some(each)).expect("watched");
        migrate(&mut connection, path, &[MIGRATIONS[0], NEXT]).expect("up to date");
    }

    /// All that lies in a directory: what a program that is killed now leaves behind.
    fn leave_behind(from: &Path, to: &Path) {
        fs::create_dir(to).expect("made");
        for file in fs::read_dir(from).expect("there").flatten() {
            fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    }

    #[test]
    fn killed_at_any_moment_of_a_migration_a_database_is_as_it_was_or_up_to_date_and_nothing_is_lost() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = of_an_earlier_version(dir.path());
        let before = records(&Connection::open(&path).expect("a database"));
        let count = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&count);
        watched(&path, move |at| *counted.lock().unwrap_or_else(PoisonError::into_inner) = at);
        let every = (*count.lock().unwrap_or_else(PoisonError::into_inner) / MOMENTS).max(1);
        let (dir, left) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let path = of_an_earlier_version(dir.path());
        let (from, to) = (dir.path().to_owned(), left.path().to_owned());
        watched(&path, move |at| {
            if at % every == 0 {
                leave_behind(&from, &to.join(at.to_string()));
            }
        });
        leave_behind(dir.path(), &left.path().join("after"));
        let (mut old, mut new) = (0, 0);
        for at in fs::read_dir(left.path()).expect("there").flatten().map(|entry| entry.path()) {
            let (path, at) = (at.join("cuelight.db"), at.display().to_string());
            let seen = Connection::open(&path).expect("a database");
            assert_eq!(records(&seen), before, "{at}");
            match identity(&seen).expect("its id").1 {
                1 => old += 1,
                2 => {
                    new += 1;
                    // The program of before refuses it without a write, and finds what it was in the copy.
                    assert!(matches!(open_to_write(&path), Err(StoreError::Newer { .. })), "{at}");
                    let copy = Connection::open(path.with_extension("db.schema-1")).expect("the copy");
                    assert_eq!(
                        (identity(&copy).expect("its id").1, records(&copy)),
                        (1, before.clone()),
                        "{at}"
                    );
                }
                other => panic!("{at}: it is of schema {other}"),
            }
            drop(seen);
            let whole = open_at(&path, &[MIGRATIONS[0], NEXT]).unwrap_or_else(|why| panic!("{at}: {why}"));
            assert_eq!(records(&whole), before, "{at}");
            let counted: i64 =
                whole.query_row("SELECT sum(records) FROM days", [], |row| row.get(0)).expect("a sum");
            assert_eq!((identity(&whole).expect("its id").1, counted), (2, before.0), "{at}");
            let check: String =
                whole.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
            assert_eq!(check, "ok", "{at}");
        }
        assert!(old >= 100 && new >= 1, "{old} as it was, {new} up to date");
    }

    #[test]
    fn a_database_with_a_trigger_a_view_or_a_table_of_somebody_else_is_refused_by_the_name_of_it() {
        for (change, name) in [
            ("CREATE TRIGGER hidden AFTER UPDATE ON head BEGIN DELETE FROM runs; END", "trigger \"hidden\""),
            ("CREATE VIEW seen AS SELECT * FROM events", "view \"seen\""),
            ("CREATE TABLE x_events AS SELECT * FROM events", "table \"x_events\""),
            ("CREATE INDEX other ON events (kind)", "index \"other\""),
            (
                "DROP TRIGGER votes_last; CREATE TRIGGER votes_last BEFORE DELETE ON votes BEGIN SELECT 1; END",
                "trigger \"votes_last\"",
            ),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = of_an_earlier_version(dir.path());
            assert!(open_to_read(&path, false).is_ok() && open_to_write(&path).is_ok(), "one of ours");
            Connection::open(&path).expect("a database").execute_batch(change).expect("changed");
            for said in [open_to_read(&path, false), open_to_read(&path, true), open_to_write(&path)] {
                let said = said.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(said.contains(name), "{change}: {said:?}");
            }
        }
    }

    #[test]
    fn an_old_database_is_copied_and_lifted_in_one_piece() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("old.db");
        let mut connection = Connection::open(&path).expect("a database");
        let steps =
            ["CREATE TABLE a (x); INSERT INTO a VALUES (1);", "ALTER TABLE a ADD y; UPDATE a SET y = x + 1;"];
        migrate(&mut connection, &path, &steps[..1]).expect("the first");
        migrate(&mut connection, &path, &["", "broken"]).expect_err("it is no SQL");
        assert_eq!(identity(&connection).expect("its id"), (APPLICATION_ID, 1));
        migrate(&mut connection, &path, &steps).expect("the second");
        let lifted: i64 = connection.query_row("SELECT y FROM a", [], |row| row.get(0)).expect("a row");
        assert_eq!((lifted, identity(&connection).expect("its id").1), (2, 2));
        let copy = Connection::open(dir.path().join("old.db.schema-1")).expect("the copy");
        assert_eq!(identity(&copy).expect("its id").1, 1);
    }
}

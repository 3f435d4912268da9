//! The objects of a database, compared with the ones that our own migrations make. A trigger, a view or a table that
//! came with a database from elsewhere would act while we write, after everything was verified.

use crate::StoreError;
use cuelight_base::safe_text;
use rusqlite::Connection;
use std::{collections::BTreeMap, path::Path};

/// An object by type and name.
type Name = (String, String);
/// The table of an object, and the SQL that made it.
type Made = (String, Option<String>);

/// Refuses a database that has an object more, less or otherwise than these migrations make. Nothing is written.
pub(super) fn check(connection: &Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let failed = |error| StoreError::sql("open", path, &error);
    let found = objects(connection).map_err(failed)?;
    let known = made_by(migrations).map_err(failed)?;
    match difference(&found, &known) {
        None => Ok(()),
        Some(why) => Err(StoreError::refused(
            "open",
            path,
            why,
            "move it away to begin anew, or restore a copy of your own",
        )),
    }
}

/// The first difference, as the middle of a sentence.
fn difference(found: &[(Name, Made)], known: &[(Name, Made)]) -> Option<String> {
    let ours: BTreeMap<_, _> = known.iter().map(|(name, made)| (name, made)).collect();
    let theirs: BTreeMap<_, _> = found.iter().map(|(name, made)| (name, made)).collect();
    let named = |(kind, name): &Name| format!("the {} `{}`", safe_text(kind), safe_text(name));
    for (name, made) in found {
        match ours.get(name) {
            None => return Some(format!("it has {}, which cuelight never makes", named(name))),
            Some(known) if *known != made => {
                return Some(format!("{} in it is not as cuelight makes it", named(name)));
            }
            Some(_) => {}
        }
    }
    let missing = known.iter().find(|(name, _)| !theirs.contains_key(name));
    let missing = missing.map(|(name, _)| format!("{} is missing in it", named(name)));
    missing.or_else(|| (found.len() != known.len()).then(|| "it has an object twice".to_owned()))
}

/// All that a database has, in the order in which it was made.
fn objects(connection: &Connection) -> rusqlite::Result<Vec<(Name, Made)>> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))?;
    rows.collect()
}

/// The same for a new database of these migrations.
fn made_by(migrations: &[&str]) -> rusqlite::Result<Vec<(Name, Made)>> {
    let connection = Connection::open_in_memory()?;
    for migration in migrations {
        connection.execute_batch(migration)?;
    }
    objects(&connection)
}

//! A question to a database that is not ours: one statement, read only, so many rows.

use cuelight_base::{Value, ValueMap};
use rusqlite::{
    Connection, OpenFlags, params_from_iter,
    types::{ToSqlOutput, Value as Cell, ValueRef},
};
use std::path::Path;

/// The rows that one statement gives, at most so many; each a map of columns to values. Bytes become hexadecimal text.
///
/// # Errors
/// Why not, as a sentence.
pub fn query_database(
    path: &Path,
    sql: &str,
    parameters: &[Value],
    rows_max: usize,
) -> Result<Vec<ValueMap>, String> {
    let said = |why: String| format!("could not ask {}: {why}", path.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| said(error.to_string()))?;
    let mut statement = connection.prepare(sql).map_err(|error| said(format!("{error}; see `sql`")))?;
    if !statement.readonly() {
        return Err(said("the statement would change it; a tool that writes is a `run` step".to_owned()));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let given = parameters.iter().map(parameter);
    let mut rows = statement
        .query(params_from_iter(given))
        .map_err(|error| said(format!("{error}; see `parameters`")))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(|error| said(error.to_string()))? {
        if out.len() == rows_max {
            return Err(said(format!("it has more than {rows_max} rows; ask for fewer, or raise max-rows")));
        }
        let mut map = ValueMap::new();
        for (index, name) in columns.iter().enumerate() {
            let cell = row.get_ref(index).map_err(|error| said(error.to_string()))?;
            map.insert(name.clone(), value(cell));
        }
        out.push(map);
    }
    Ok(out)
}

fn parameter(value: &Value) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Integer(whole),
            (None, Some(real)) => Cell::Real(real),
            (None, None) => Cell::Text(number.to_string()),
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    })
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(value) => value.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(blob) => blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

//! JSON: does a value fit a schema?

use super::{Done, Site, flag};
use crate::Failure;
use cuelight_base::{FailureMode, Schema, Value, ValueMap, safe_text};

pub(super) fn validate(_: &Site<'_>, input: &ValueMap) -> Done {
    let nothing = Value::Null;
    let schema = Schema::read(input.get("schema").unwrap_or(&nothing)).map_err(|why| {
        Failure::invalid(format!("could not read `schema` as JSON Schema: {}", safe_text(&why)))
    })?;
    let problems: Vec<String> =
        schema.problems(input.get("data").unwrap_or(&nothing)).iter().map(ToString::to_string).collect();
    if flag(input, "fail") && !problems.is_empty() {
        let message = format!("the value does not fit its schema: {}", safe_text(&problems.join("; ")));
        return Err(Failure { mode: FailureMode::AgentValidation, message });
    }
    Ok(ValueMap::from_iter([
        ("valid".to_owned(), problems.is_empty().into()),
        ("problems".to_owned(), problems.into()),
    ]))
}

//! The schemas of a tool: of its input and of its output.

use crate::Place;
use crate::read::fields::{Reader, first_line};
use crate::yaml::Node;
use cuelight_base::{Schema, Value, type_name};
use serde_json::json;

/// A JSON Schema of an object.
pub(super) fn schema(reader: &mut Reader<'_, '_>, node: &Node, what: &str) -> Option<Value> {
    let schema = reader.constant(node, &format!("{what}, a JSON Schema,"))?;
    let place = first_line(reader.findings.source, node.place);
    schema_of(reader, &schema, place, what)?;
    Some(schema)
}

/// Checks that a value is the schema of an object; tells otherwise.
pub(super) fn schema_of(reader: &mut Reader<'_, '_>, schema: &Value, place: Place, what: &str) -> Option<()> {
    if !schema.is_object() {
        let message = format!("{what} is a JSON Schema; this is {}", type_name(schema));
        reader
            .findings
            .error("schema", place, message)
            .help("write a mapping with `type: object` and `properties:`");
        return None;
    }
    if let Err(why) = Schema::read(schema) {
        let message = format!("could not read {what} as JSON Schema: {why}");
        reader
            .findings
            .error("schema", place, message)
            .help("JSON Schema 2020-12; a `$ref` names a place in this schema");
        return None;
    }
    if schema.get("type") != Some(&json!("object")) {
        let message = format!("{what} describes an object: names with values");
        reader.findings.error("schema", place, message).help("add `type: object`");
        return None;
    }
    Some(())
}

/// True if a property must be written in the workflow and cannot be computed.
pub(crate) fn is_fixed(about: &Value) -> bool {
    about.get("x-fixed") == Some(&Value::Bool(true))
}

/// The schema of any object.
pub(super) fn anything() -> Value {
    json!({"type": "object"})
}

/// The default output schema of an MCP tool, unless its file declares more.
pub(super) fn given_by_server() -> Value {
    json!({"type": "object", "properties": {
        "text": {"type": "string", "description": "All text of the result"},
        "structured": {"x-json": true, "description": "The result as data, where the tool gives data"},
        "content": {"type": "array", "description": "The parts of the result, as the server gave them"},
    }})
}

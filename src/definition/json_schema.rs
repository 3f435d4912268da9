//! The JSON Schema that editors use, made from the tables that `read` knows its keys from.

use crate::document::{KINDS, Key, MATRIX, STEP, Shape, Table, WORKFLOW};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::BTreeMap;

/// The schema of a workflow file, JSON Schema 2020-12.
pub fn json_schema() -> Value {
    let mut tables = BTreeMap::new();
    collect(&WORKFLOW, &mut tables);
    let definitions: ValueMap = tables.iter().map(|(name, table)| (name.clone(), object(table))).collect();
    let mut schema = object(&WORKFLOW);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("cuelight workflow");
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// Every table that can be reached, by the name it is referred to by.
fn collect(table: &'static Table, found: &mut BTreeMap<String, &'static Table>) {
    if found.insert(name(table), table).is_some() {
        return;
    }
    table.keys.iter().for_each(|key| collect_shape(&key.shape, found));
}

fn collect_shape(shape: &Shape, found: &mut BTreeMap<String, &'static Table>) {
    match shape {
        Shape::Table(table) => collect(table, found),
        Shape::OneOrMany(inner) | Shape::List(inner) | Shape::Map(inner) => collect_shape(inner, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect_shape(shape, found)),
        _ => {}
    }
}

/// The name of a table among the definitions: what it is, without article, quotes and blanks.
fn name(table: &Table) -> String {
    let what = table.what.trim_start_matches("a ").trim_start_matches("an ");
    what.replace('`', "").replace(' ', "-")
}

fn object(table: &'static Table) -> Value {
    let properties: ValueMap = table
        .keys
        .iter()
        .flat_map(|key| {
            let own = (key.name.to_owned(), property(key));
            let others = key.also.iter().map(|spelling| {
                (spelling.name.to_owned(), json!({"description": format!("Another spelling of `{}`.", key.name), "deprecated": true}))
            });
            std::iter::once(own).chain(others)
        })
        .collect();
    let is_open = table.what == MATRIX.what;
    let mut out = json!({"type": "object", "properties": properties, "additionalProperties": is_open});
    let required: Vec<&str> =
        table.keys.iter().filter(|key| key.required && key.also.is_empty()).map(|key| key.name).collect();
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    if table.what == STEP.what {
        let spellings = |word: &str| {
            let key = STEP.keys.iter().find(|key| key.name == word);
            let others = key.into_iter().flat_map(|key| key.also.iter().map(|spelling| spelling.name));
            std::iter::once(word).chain(others).map(str::to_owned).collect::<Vec<String>>()
        };
        let kinds = KINDS.iter().flat_map(|kind| spellings(kind));
        out["oneOf"] = kinds.map(|kind| json!({"required": [kind]})).collect();
    }
    out
}

fn property(key: &Key) -> Value {
    let mut out = shape(&key.shape);
    out["description"] = json!(key.doc);
    out
}

fn shape(this_shape: &Shape) -> Value {
    match this_shape {
        Shape::Text => json!({"type": ["string", "number", "boolean"]}),
        Shape::Word => json!({"type": "string"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Whole(least, most) if *most == u64::MAX => json!({"type": "integer", "minimum": least}),
        Shape::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Decimal => json!({"type": "number", "minimum": 0}),
        Shape::Duration => json!({
            "type": "string",
            "pattern": r"^(\d+(ms|s|m|h|d))+$|^P(\d+[WD])*(T(\d+[HMS])+)?$|\$\{\{",
            "examples": ["30s", "20m", "4h", "2d"],
        }),
        Shape::Size => json!({"type": ["string", "integer"], "examples": ["512MiB", "2GiB"]}),
        Shape::Expression => json!({"type": ["string", "boolean"], "examples": ["success()"]}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Any => json!({}),
        Shape::OneOrMany(inner) => {
            let inner = shape(inner);
            json!({"anyOf": [inner, {"type": "array", "items": inner}]})
        }
        Shape::List(inner) => json!({"type": "array", "items": shape(inner)}),
        Shape::Map(inner) => json!({"type": "object", "additionalProperties": shape(inner)}),
        Shape::Table(table) => json!({"$ref": format!("#/$defs/{}", name(table))}),
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(shape).collect::<Vec<Value>>()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_schema_leads_somewhere() {
        let schema = json_schema();
        let text = schema.to_string();
        let mut count = 0;
        for part in text.split("\"#/$defs/").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(schema["$defs"].get(name).is_some(), "{name}");
            count += 1;
        }
        assert!(count > 20, "{count}");
        assert!(schema["$defs"].get("input").is_some());
    }
}

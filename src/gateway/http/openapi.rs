//! The `OpenAPI` document, made of the table of routes and the types of what is sent.

use super::routes::{Call, Need, PROBLEM, ROUTES, Route, Shape, place_in_path};
use axum::http::Method;
use cuelight_base::Value;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, json};

/// `OpenAPI` 3.1 of the whole API.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|item| {
        item.definitions_path = "/components/schemas".into();
        item.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut schemas);
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let schemas = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cuelight",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What agents and scripts may ask of an engine; see docs/sidecar.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let mut answers = Map::new();
    let (status, shape) = &route.done;
    answers.insert(status.to_string(), json!({"description": "Done", "content": content(shape, schemas)}));
    for status in route.all_problems() {
        // A probe tells how it is also when it is not well.
        let shape = if route.need == Need::Nothing && status == 503 { shape } else { &PROBLEM };
        let about = axum::http::StatusCode::from_u16(status).ok().and_then(|value| value.canonical_reason());
        let about = about.unwrap_or("Problem");
        answers.insert(status.to_string(), json!({"description": about, "content": content(shape, schemas)}));
    }
    let named = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let named = named.map(
        |rest| json!({"name": rest, "in": "path", "required": true, "schema": place_in_path(rest).schema()}),
    );
    let asked = route.query.iter().map(|(name, kind, about)| {
        json!({"name": name, "in": "query", "description": about, "schema": kind.schema()})
    });
    let mut out = json!({
        "operationId": format!("{:?}", route.call),
        "summary": route.about,
        "parameters": named.chain(asked).chain(fields(route)).collect::<Vec<_>>(),
        "responses": answers,
        "security": match route.need {
            Need::Nothing => json!([]),
            Need::OpenOr(_) => json!([{}, {"token": []}]),
            Need::Token | Need::May(_) => json!([{"token": []}]),
        },
    });
    if let Need::May(permission) | Need::OpenOr(permission) = route.need {
        out["description"] = format!("Needs `{permission}`.").into();
    }
    if let Some(shape) = &route.body {
        out["requestBody"] = json!({"required": true, "content": content(shape, schemas)});
    }
    out
}

/// Header fields that a route reads beyond those that every route reads.
fn fields(route: &Route) -> impl Iterator<Item = Value> {
    let key = r#"^("[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}"|[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127})$"#;
    let text = || json!({"type": "string"});
    let mut all = Vec::new();
    if route.method != Method::GET && route.call != Call::RenewToken {
        let about = "The same request again under this name is done once, and has the answer of the first";
        all.push(("Idempotency-Key", about, json!({"type": "string", "pattern": key})));
    }
    all.extend(match route.call {
        Call::SetValue => vec![
            ("If-Match", "Only if it has this etag", text()),
            ("If-None-Match", "Only if it is not there", json!({"const": "*"})),
        ],
        Call::RemoveValue => vec![("If-Match", "Only if it has this etag", text())],
        Call::FollowRun | Call::FollowEvents => {
            vec![("Last-Event-ID", "Goes on after this event", text())]
        }
        Call::PublishEvent => vec![
            ("webhook-id", "The id that is signed", text()),
            ("webhook-timestamp", "When it was signed, in seconds since 1970", text()),
            ("webhook-signature", "`v1,` and the signature in base64, where the topic wants one", text()),
        ],
        _ => Vec::new(),
    });
    all.into_iter().map(
        |(name, about, schema)| json!({"name": name, "in": "header", "description": about, "schema": schema}),
    )
}

fn content(shape: &Shape, schemas: &mut SchemaGenerator) -> Value {
    match shape {
        Shape::Json { within, .. } => json!({"application/json": {"schema": within(schemas)}}),
        // What an event is, no schema of 3.1 can say.
        Shape::Text(kind @ "text/event-stream") => json!({*kind: {}}),
        Shape::Text(kind) => json!({*kind: {"schema": {"type": "string"}}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_has_one_route_and_every_route_one_place_in_the_document() {
        let document = openapi();
        let calls: BTreeSet<_> = ROUTES.iter().map(|route| route.call).collect();
        assert_eq!(calls.len(), ROUTES.len(), "no call twice");
        let mut count = 0;
        for route in ROUTES {
            let told = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
            assert_eq!(told["operationId"], format!("{:?}", route.call), "{}", route.path);
            let statuses: BTreeSet<u16> = told["responses"]
                .as_object()
                .expect("answers")
                .keys()
                .filter_map(|key| key.parse().ok())
                .collect();
            let mut known: BTreeSet<u16> = route.all_problems().into_iter().collect();
            known.insert(route.done.0);
            assert_eq!(statuses, known, "{}", route.path);
            assert_eq!(told["requestBody"].is_null(), route.body.is_none(), "{}", route.path);
            let asked = told["parameters"].as_array().expect("parameters").iter();
            let names: BTreeSet<_> = asked
                .clone()
                .map(|parameter| (&parameter["in"], &parameter["name"]))
                .map(|pair| format!("{pair:?}"))
                .collect();
            assert_eq!(asked.len(), names.len(), "{}: each parameter once", route.path);
            count += 1;
        }
        let all: usize = document["paths"]
            .as_object()
            .expect("paths")
            .values()
            .map(|path| path.as_object().map_or(0, Map::len))
            .sum();
        assert_eq!(all, count, "and nothing else is in it");
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(document["components"]["schemas"][&name].is_object(), "{name} is defined");
        }
    }
}

//! Measures the cost of a registry tool beside its work: found by name and called with a step's inputs,
//! defaults filled in and the input checked against its schema. Also the check of a 10 KB value against a
//! schema, on the way in and out.
//!
//! `cargo bench --bench tools`. Goals: at most 20 µs for the call, at most 100 µs for the check.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints figures"
)]

use cuelight_base::{Schema, Value, ValueMap};
use cuelight_definition::Registry;
use cuelight_plan::{Given, PlanTool};
use serde_json::json;
use std::{hint::black_box, time::Instant};

const TIMES: u32 = 2_000;
const ROUNDS: usize = 7;

const SHIP: &str = "name: ship\nversion: 1.2.0\ndescription: Ships an image\ncommand: [./ship.sh, \"${{ input.image }}\", \"${{ input.count }}\"]\ninput: {type: object, required: [image], additionalProperties: false, properties: {image: {type: string}, count: {type: integer, default: 2}}}\noutput: {type: object, required: [ticket], properties: {ticket: {type: integer}}}\n";

fn main() {
    let registry = Registry::new(&[("tools/ship.yaml".to_owned(), Ok(SHIP.to_owned()))]);
    assert!(registry.problems().is_empty(), "{:?}", registry.problems());
    let found = || PlanTool::of(registry.find("ship@1").expect("it is there"));
    let tool = found();
    let given = |image: &str| ValueMap::from_iter([("image".to_owned(), Value::from(image))]);
    let whole = best(|| {
        let call = tool.call(given("api:7"), &Given::default()).expect("it can be called");
        let result = ValueMap::from_iter([("ticket".to_owned(), Value::from("7"))]);
        black_box((call, tool.output_of(&result).expect("it keeps its promise")));
    });
    println!("a call of a tool, input and output checked: {whole} ns");
    println!("the same found by name and planned anew:    {} ns", best(|| drop(black_box(found()))) + whole);

    let (schema, value) = large();
    let bytes = value.to_string().len();
    let read = Schema::read(&schema).expect("a schema");
    assert!(read.problems(&value).is_empty());
    println!(
        "a value of {bytes} bytes, schema read before:  {} ns",
        best(|| drop(black_box(read.problems(&value))))
    );
    let both = best(|| {
        let schema = Schema::read(&schema).expect("a schema");
        drop(black_box(schema.problems(&value)));
    });
    println!("a value of {bytes} bytes, schema read as well: {both} ns");
}

/// Nanoseconds of one, in the best of several rounds.
fn best(mut work: impl FnMut()) -> u128 {
    let round = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| work());
        start.elapsed().as_nanos() / u128::from(TIMES)
    };
    (0..ROUNDS).map(|_| round(&mut work)).min().unwrap_or_default()
}

/// Lines of an order, as a step may hand them over.
fn large() -> (Value, Value) {
    let line = |at: usize| json!({"sku": format!("A-{at:05}"), "count": at % 9 + 1, "note": "fragile, this side up", "tags": ["new", "sale"]});
    let value = json!({"order": "o-7", "lines": (0..118).map(line).collect::<Vec<_>>()});
    let schema = json!({"type": "object", "required": ["order", "lines"], "additionalProperties": false, "properties": {
        "order": {"type": "string", "minLength": 1},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku", "count"], "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
            "count": {"type": "integer", "minimum": 1, "maximum": 100},
            "note": {"type": "string", "maxLength": 200},
            "tags": {"type": "array", "items": {"enum": ["new", "sale", "old"]}}}}}}});
    (schema, value)
}

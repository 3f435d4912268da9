//! Values of inputs, checked against the declarations of a workflow.

use super::workflow;
use cuelight_definition::check_input_texts;

const FLOW: &str = "timeout: 1m
inputs:
  version: {type: string, required: true, pattern: '^v[0-9]+$'}
  env: {enum: [staging, prod], default: staging}
  count: {type: integer, default: 2}
  ratio: {type: number}
  force: {type: boolean, default: false}
  tags: {type: array}
  extra: {type: object}
steps:
  - {id: a, run: x}
";

#[track_caller]
fn check(given: &str, expected: &str) {
    let pairs: Vec<(String, String)> = given
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| word.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).expect("key=value"))
        .collect();
    let answer = match check_input_texts(&workflow(FLOW), &pairs) {
        Ok(inputs) => serde_json::to_string(&inputs).expect("JSON"),
        Err(problems) => problems.join("\n"),
    };
    assert_eq!(answer, expected);
}

#[test]
fn texts_become_values_of_the_type_that_is_asked_for() {
    check(
        "version=v1 count=3 ratio=0.50 force=true tags=a,b extra={\"a\":1}",
        r#"{"version":"v1","env":"staging","count":3,"ratio":0.50,"force":true,"tags":["a","b"],"extra":{"a":1}}"#,
    );
    check(
        "version=v1",
        r#"{"version":"v1","env":"staging","count":2,"ratio":null,"force":false,"tags":null,"extra":null}"#,
    );
}

#[test]
fn what_is_missing_wrong_or_too_much_is_said_at_once() {
    check("", "could not find input `version`, which is required; give it with -i version=…");
    check(
        "verison=v1 env=live count=2.5 force=yes extra=[1]",
        "could not read input `count`: \"2.5\" is not a whole number\n\
         could not read input `force`: \"yes\" is not `true` or `false`\n\
         could not read input `extra`: \"[1]\" is not a JSON object\n\
         could not take input `verison`: there is no such input; did you mean `version`?\n\
         could not find input `version`, which is required; give it with -i version=…\n\
         could not take input `env`: it must be one of staging, prod, not live",
    );
    check("version=1", "could not take input `version`: it must match ^v[0-9]+$, and 1 does not");
    check("version=v1 version=v2", "could not take input `version`: it is given twice; give it once");
    check(
        "version=v1 zzz=1",
        "could not take input `zzz`: there is no such input; the inputs are `version`, `env`, `count`, `ratio`, `force`, \
         `tags`, `extra`",
    );
}

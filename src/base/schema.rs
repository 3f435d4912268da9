//! JSON Schema: the form that a value must have, and the places where one is wrong. The only file that knows
//! which crate checks it.
//!
//! No document is ever fetched: the target of a `$ref` must stand in the schema itself. Patterns are matched
//! in linear time, since schemas come from outside, too.

use super::{Value, shorten};
use std::{fmt, sync::Arc};

/// Problems that are named of one value; more are not looked for.
const PROBLEMS_MAX: usize = 10;
/// Characters of one problem.
const PROBLEM_CHARS_MAX: usize = 200;

/// A schema that has been read, ready to check values. Copies share it.
#[derive(Clone)]
pub struct Schema {
    check: Arc<jsonschema::Validator>,
}

/// One thing that is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The path of the problem: `image.tag`, `lines[3]`; empty for the value as a whole.
    pub path: String,
    /// The problem: `"x" is not of type "integer"`. Holds untrusted text.
    pub message: String,
}

impl Schema {
    /// Reads a schema, JSON Schema 2020-12 unless it says otherwise.
    ///
    /// # Errors
    /// Why it is no schema: the end of a sentence.
    pub fn read(schema: &Value) -> Result<Self, String> {
        let options = jsonschema::options()
            .offline()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex());
        match options.build(schema) {
            Ok(check) => Ok(Self { check: Arc::new(check) }),
            Err(error) => {
                let path = dotted(error.instance_path().as_str());
                let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
                Err(format!("{at}{}", shorten(&error.to_string(), PROBLEM_CHARS_MAX)))
            }
        }
    }

    /// The problems of a value under this schema; empty when it fits.
    pub fn problems(&self, value: &Value) -> Vec<SchemaProblem> {
        if self.check.is_valid(value) {
            return Vec::new();
        }
        self.check
            .iter_errors(value)
            .take(PROBLEMS_MAX)
            .map(|error| SchemaProblem {
                path: dotted(error.instance_path().as_str()),
                message: shorten(&error.to_string(), PROBLEM_CHARS_MAX),
            })
            .collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Schema")
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            out.write_str(&self.message)
        } else {
            write!(out, "`{}`: {}", self.path, self.message)
        }
    }
}

/// A JSON pointer as people write paths: `/lines/3/name` is `lines[3].name`.
fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(schema: &Value, value: &Value) -> Vec<String> {
        Schema::read(schema).expect("a schema").problems(value).iter().map(SchemaProblem::to_string).collect()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let schema = json!({"type": "object", "required": ["image"], "properties": {
            "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}}});
        assert_eq!(problems(&schema, &json!({"image": 1, "lines": [{"n": 1}]})), Vec::<String>::new());
        assert_eq!(
            problems(&schema, &json!({"lines": [{"n": 1}, {"n": "x"}]})),
            [r#""image" is a required property"#, r#"`lines[1].n`: "x" is not of type "integer""#]
        );
    }

    #[test]
    fn a_schema_that_is_none_says_where() {
        let error = Schema::read(&json!({"type": "object", "properties": {"a": {"type": "txt"}}}));
        let error = error.expect_err("no schema");
        assert!(error.starts_with("properties.a.type: "), "{error}");
    }

    #[test]
    fn nothing_is_fetched() {
        let error = Schema::read(&json!({"$ref": "https://example.test/schema.json"})).expect_err("refused");
        assert!(!error.is_empty());
    }

    #[test]
    fn a_pattern_cannot_take_for_ever() {
        let schema = json!({"type": "string", "pattern": "^(a+)+$"});
        let text = format!("{}!", "a".repeat(50_000));
        assert_eq!(problems(&schema, &json!(text)).len(), 1);
    }
}

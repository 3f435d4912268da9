//! A workflow that is written here around what somebody gave, with a gate in front: an ask, or the start of an agent. What was
//! given becomes inputs, and stands in no expression and in no script.
//!
//! The caller writes the question and the steps behind the gate.

use cuelight_base::{Value, ValueMap, type_name};
use serde_json::{Map, json};

/// Characters of a name that are kept in that of an input.
const NAME_CHARS_MAX: usize = 60;

/// Values given so far, as inputs of a workflow.
#[derive(Debug, Default)]
pub struct Draft {
    values: ValueMap,
}

impl Draft {
    /// A value that becomes an input of about this name; what refers to it.
    pub fn given(&mut self, name: &str, value: impl Into<Value>) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let before = if begins { "" } else { "x" };
        let plain: String = before.chars().chain(name.chars().map(plain).take(NAME_CHARS_MAX)).collect();
        let mut key = plain.clone();
        let mut number = 1;
        while self.values.contains_key(&key) {
            number += 1;
            key = format!("{plain}_{number}");
        }
        let reference = format!("${{{{ inputs.{key} }}}}");
        self.values.insert(key, value.into());
        reference
    }

    /// A value that the answer holds for, shown with its name; what refers to it.
    pub fn bound(&mut self, name: &str, value: &str) -> String {
        self.given(name, format!("{name}: {value}"))
    }

    /// A gate that asks this. `evidence` are references and files of the workspace, `require` groups and how many of each;
    /// with four eyes, the requester does not answer.
    pub fn gate(
        &mut self,
        title: String,
        evidence: Vec<String>,
        require: impl IntoIterator<Item = (String, u32)>,
        four_eyes: bool,
    ) -> Value {
        let prompt = self.given("title", title);
        let require = require.into_iter().map(|(group, count)| json!({"group": group, "count": count}));
        json!({
            "prompt": prompt,
            "evidence": evidence,
            "require": require.collect::<Value>(),
            "forbid": if four_eyes { vec!["run.actor"] } else { Vec::new() },
        })
    }

    /// The text of the workflow, and the values of its inputs.
    pub fn finish(self, name: &str, steps: &Value) -> (String, ValueMap) {
        let kind = |value: &Value| if value.is_null() { "any" } else { type_name(value) };
        let inputs: Map<String, Value> =
            self.values.iter().map(|(name, value)| (name.clone(), kind(value).into())).collect();
        (as_yaml(&json!({"name": name, "inputs": inputs, "steps": steps})), self.values)
    }
}

/// JSON, in which what YAML does not take as it is (its 5.1), or takes for the end of a line, is written by its number.
pub fn as_yaml(value: &Value) -> String {
    let spelled = |c: char| match c {
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
            format!("\\u{:04x}", u32::from(c))
        }
        text => text.to_string(),
    };
    value.to_string().chars().map(spelled).collect()
}

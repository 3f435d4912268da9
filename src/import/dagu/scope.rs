//! The values that a text may read: parameters, constants, the environment, and outputs of earlier steps.

use super::{
    Import,
    values::{Lookup, Names, Part, Parts, or_itself, with_holes},
};
use cuelight_base::{Value, ValueMap};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A step that is on the page.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    pub(super) name: String,
    /// Another name for it, by which its outputs are read.
    pub(super) other_name: Option<String>,
    pub(super) id: String,
    /// The step that others wait for: its approval, where it has one.
    pub(super) rests: String,
    /// It, and all that come before it.
    pub(super) ancestors: BTreeSet<String>,
    /// Variables that later steps find, each as text of ours.
    pub(super) keeps: Vec<(String, String)>,
    /// The values that `${steps.id.outputs.x}` reads.
    pub(super) outputs: BTreeMap<String, String>,
    /// The values that `${id.output.x}` reads.
    pub(super) structured: BTreeMap<String, Structured>,
    /// Conditions that each step that needs it adds to its own.
    pub(super) conditions: Vec<String>,
}

/// An entry of an `output` with several.
#[derive(Clone, Debug)]
pub(super) enum Structured {
    /// Written in the file.
    Known(Value),
    /// Read from this expression; whether as JSON.
    Read(String, bool),
}

/// The surroundings of a text.
pub(super) struct Scope<'s> {
    pub(super) import: &'s Import<'s>,
    /// Steps whose outputs can be read.
    pub(super) ancestors: &'s BTreeSet<String>,
    /// The name and the id of the step it belongs to.
    pub(super) own: (&'s str, Option<&'s str>),
    /// Variables of the step itself, so far.
    pub(super) env: &'s [(String, Parts)],
    /// True if an item of `parallel` is known here.
    pub(super) has_item: bool,
    /// True if another text reads this text.
    pub(super) is_nested: bool,
}

impl Scope<'_> {
    fn before(&self) -> impl Iterator<Item = &Done> {
        self.import.done.iter().filter(|done| self.ancestors.contains(&done.id))
    }

    fn step(&self, id: &str) -> Option<&Done> {
        self.before().find(|done| done.other_name.as_deref() == Some(id))
    }

    fn context(&self, path: &[&str]) -> Option<Parts> {
        match path {
            ["run", "id"] => Some(vec![Part::Value("run.id".to_owned())]),
            ["dag", "name"] => Some(vec![Part::Text(self.import.name())]),
            ["step", "name"] if !self.own.0.is_empty() => Some(vec![Part::Text(self.own.0.to_owned())]),
            ["step", "id"] => self.own.1.map(|id| vec![Part::Text(id.to_owned())]),
            ["trigger", "actor"] => Some(vec![Part::Value("run.actor".to_owned())]),
            ["paths", "step_output_file"] => Some(vec![Part::Variable("CUELIGHT_OUTPUT".to_owned())]),
            _ => None,
        }
    }

    fn structured(&self, done: &Done, path: &[&str]) -> Option<Parts> {
        if self.is_nested {
            return None;
        }
        let (first, rest) = path.split_first()?;
        match done.structured.get(*first)? {
            Structured::Known(value) => {
                let value = rest.iter().try_fold(value, |value, key| value.get(*key))?;
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                // What it reads itself is read once: no text unfolds without end.
                let inner = Scope { is_nested: true, env: &[], ..*self };
                Some(super::values::parts(&text, Names::Own, &inner))
            }
            Structured::Read(expression, _) if rest.is_empty() => Some(vec![Part::Value(expression.clone())]),
            Structured::Read(expression, true) => {
                Some(vec![Part::Value(format!("fromJSON({expression}).{}", rest.join(".")))])
            }
            Structured::Read(_, false) => None,
        }
    }
}

impl Lookup for Scope<'_> {
    fn reference(&self, path: &str, names: Names) -> Option<Parts> {
        let words: Vec<&str> = path.split('.').collect();
        let import = self.import;
        match words.as_slice() {
            ["params"] if import.params.is_empty() => None,
            ["params"] => Some(import.all_params()),
            ["params", name] => import.param(name),
            ["consts", name] => import.consts.get(*name).map(|text| vec![Part::Text(text.clone())]),
            ["env", name] => match self.variable(name) {
                Some(parts) => Some(parts),
                // Whether the machine has it is known when it runs.
                None if names != Names::Own => {
                    Some(vec![Part::Variable(or_itself(name, &format!("${{env.{name}}}")))])
                }
                None => None,
            },
            ["steps", id, "outputs", name] => {
                let expression = self.step(id)?.outputs.get(*name)?;
                Some(vec![Part::Value(expression.clone())])
            }
            ["foreach", rest @ ..] => {
                let item = import.item.as_deref()?;
                match rest {
                    ["index"] => Some(vec![Part::Value("inputs.foreach_index".to_owned())]),
                    ["key"] => Some(vec![Part::Value("inputs.foreach_key".to_owned())]),
                    [name] if *name == item => Some(vec![Part::Value("inputs.foreach_item".to_owned())]),
                    [name, field] if *name == item => {
                        Some(vec![Part::Value(format!("inputs.foreach_item.{field}"))])
                    }
                    _ => None,
                }
            }
            ["context", rest @ ..] => self.context(rest),
            ["ITEM", field] if self.has_item => Some(vec![Part::Value(format!("matrix.item.{field}"))]),
            [id, "output", rest @ ..] if self.step(id).is_some_and(|done| !done.structured.is_empty()) => {
                self.structured(self.step(id)?, rest)
            }
            [id, "outputs", name]
                if self
                    .step(id)
                    .is_some_and(|done| matches!(done.structured.get(*name), Some(Structured::Known(_)))) =>
            {
                self.structured(self.step(id)?, &[*name])
            }
            [id, "outputs", name] if self.step(id).is_some_and(|done| done.outputs.contains_key(*name)) => {
                let expression = self.step(id)?.outputs.get(*name)?;
                Some(vec![Part::Value(expression.clone())])
            }
            [id, stream @ ("stdout" | "stderr")] => {
                let done = self.step(id)?;
                Some(vec![Part::File(format!("steps.{}.outputs.{stream}", done.id))])
            }
            [root, ..] if self.context(&words).is_some() && ["dag", "run", "step"].contains(root) => {
                self.context(&words)
            }
            [name, rest @ ..] => {
                let kept = self.before().flat_map(|done| &done.keeps).filter(|(kept, _)| kept == name);
                let expression = &kept.last()?.1;
                Some(vec![Part::Value(format!("fromJSON({expression}).{}", rest.join(".")))])
            }
            [] => None,
        }
    }

    fn variable(&self, name: &str) -> Option<Parts> {
        if name == "ITEM" && self.has_item {
            return Some(vec![Part::Value("matrix.item".to_owned())]);
        }
        let own = self.env.iter().rev().find(|(known, _)| known == name);
        if let Some((_, parts)) = own {
            return Some(parts.clone());
        }
        let kept = self.before().flat_map(|done| &done.keeps).filter(|(kept, _)| kept == name);
        if let Some((_, expression)) = kept.last() {
            return Some(vec![Part::Value(expression.clone())]);
        }
        self.import.variable(name).or_else(|| match name {
            "DAG_RUN_STEP_NAME" if !self.own.0.is_empty() => Some(vec![Part::Text(self.own.0.to_owned())]),
            _ => None,
        })
    }
}

impl Import<'_> {
    pub(super) fn name(&self) -> String {
        self.document.root.get("name").and_then(Value::as_str).unwrap_or("imported").to_owned()
    }

    pub(super) fn param(&self, name: &str) -> Option<Parts> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, parts)| parts.clone())
    }

    /// All parameters as one text of JSON, each as text.
    pub(super) fn all_params(&self) -> Parts {
        let (mut shape, mut values) = (String::new(), String::new());
        for (index, (name, parts)) in self.params.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            shape.push_str(&format!("{comma}\"{name}\":{{{}}}", index + 2));
            if let [Part::Value(value)] = parts.as_slice() {
                values.push_str(&format!(", toJSON(format('{{0}}', {value}))"));
            }
        }
        if self.params.len() > 200 {
            return vec![Part::Value("toJSON(inputs)".to_owned())];
        }
        vec![Part::Value(format!("format('{{0}}{shape}{{1}}', '{{', '}}'{values})"))]
    }

    /// A variable that every step of the workflow finds.
    fn variable(&self, name: &str) -> Option<Parts> {
        if self.secrets.iter().any(|secret| secret == name) {
            return Some(vec![Part::Variable(name.to_owned())]);
        }
        match name {
            "DAG_RUN_ID" => return Some(vec![Part::Value("run.id".to_owned())]),
            "DAG_NAME" => return Some(vec![Part::Text(self.name())]),
            "DAG_PARAMS_JSON" if !self.params.is_empty() => {
                return Some(self.all_params());
            }
            _ => {}
        }
        let own = self.env.iter().rev().find(|(known, _)| known == name);
        own.map(|(_, parts)| parts.clone()).or_else(|| self.param(name))
    }

    /// The scope before any step has run.
    pub(super) fn at_top<'s>(&'s self, none: &'s BTreeSet<String>) -> Scope<'s> {
        Scope { import: self, ancestors: none, own: ("", None), env: &[], has_item: false, is_nested: false }
    }

    /// A text of ours for what people read; what only a shell knows stays as it stands.
    pub(super) fn for_people(&self, text: &str, scope: &Scope<'_>) -> String {
        let parts = super::values::parts(text, Names::Own, scope);
        with_holes(&parts).unwrap_or_else(|| crate::page::without_holes(text))
    }
}

/// The streams of steps that a file reads as files: `build.stdout`.
pub(super) fn streams(root: &ValueMap) -> BTreeSet<String> {
    let text = json!(root).to_string();
    let mut out = BTreeSet::new();
    for (at, _) in text.match_indices("${") {
        let Some(path) = text[at + 2..].split('}').next() else { continue };
        if path.len() < 100 && (path.ends_with(".stdout") || path.ends_with(".stderr")) {
            out.insert(path.to_owned());
        }
    }
    out
}

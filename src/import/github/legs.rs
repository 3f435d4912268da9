//! The copies of a job whose runner depends on the copy: which of them this machine can run.

use super::place::{label, runners};
use crate::{
    foreign,
    page::{one_line, without_holes},
};
use cuelight_base::{Value, ValueMap, plural, shorten, system_labels};
use cuelight_definition::Axes;
use cuelight_expression::{MapLookup, Template};
use serde_json::json;
use std::collections::BTreeSet;

/// So many copies of a job are judged one by one; GitHub itself takes no more.
const COPIES_MAX: usize = 256;
/// Copies that a sentence names.
const NAMED_MAX: usize = 8;
/// Letters of the name of a copy.
const NAME_CHARS: usize = 40;

/// The copies of a job, judged one by one.
#[derive(Debug)]
pub(super) struct Legs {
    /// The matrix of the copies that run here.
    pub(super) matrix: Value,
    /// The labels that these ask for.
    pub(super) labels: Vec<String>,
    /// The names of the copies that do not run here.
    away: Vec<String>,
    /// The labels that these lack here.
    lacking: BTreeSet<String>,
}

impl Legs {
    /// Judges each copy; none when no runner depends on it, when something else decides as well, or when none can run here: then the
    /// job stays whole, and `requires` or a gate holds it.
    pub(super) fn of(body: &ValueMap) -> Option<Self> {
        let matrix = foreign::map_at(body, "strategy")?.get("matrix")?;
        if matrix.to_string().contains("${{") || !is_of_the_copy(body) {
            return None;
        }
        let axes = Axes::of_value(matrix).ok()?;
        let count = axes.axes.iter().fold(1_usize, |all, axis| all.saturating_mul(axis.1.len()));
        if count > COPIES_MAX || axes.include.len() > COPIES_MAX {
            return None;
        }
        let (mut here, mut labels) = (Vec::new(), BTreeSet::new());
        let (mut away, mut lacking) = (Vec::new(), BTreeSet::new());
        for copy in axes.copies().ok()? {
            let wanted = wanted(body, &copy)?;
            let lacks: Vec<String> =
                wanted.iter().filter(|text| !system_labels().any(|has| has == *text)).cloned().collect();
            if lacks.is_empty() {
                labels.extend(wanted);
                here.push(copy);
            } else {
                lacking.extend(lacks);
                away.push(name(&copy));
            }
        }
        if here.is_empty() {
            return None;
        }
        let matrix = if away.is_empty() { matrix.clone() } else { only(matrix, &here)? };
        Some(Self { matrix, labels: labels.into_iter().collect(), away, lacking })
    }

    /// True if a copy is left for another machine.
    pub(super) fn has_away(&self) -> bool {
        !self.away.is_empty()
    }

    /// The copies that do not run here, and what they lack: `the copies windows-latest, macos-14 of test, which need macos, windows`.
    pub(super) fn away_of(&self, job: &str) -> String {
        let mut names = self.away[..self.away.len().min(NAMED_MAX)].join(", ");
        if self.away.len() > NAMED_MAX {
            names.push_str(&format!(" and {} more", self.away.len() - NAMED_MAX));
        }
        let lacking: Vec<&str> = self.lacking.iter().map(String::as_str).collect();
        format!(
            "the {} {names} of {job}, which {} {}",
            plural(self.away.len(), "copy", "copies"),
            plural(self.away.len(), "needs", "need"),
            one_line(&without_holes(&lacking.join(", ")))
        )
    }
}

/// True if the runner of a job is an expression that reads only the matrix.
fn is_of_the_copy(body: &ValueMap) -> bool {
    let runners = runners(body);
    runners.iter().any(|runner| runner.contains("${{"))
        && runners.iter().all(|runner| {
            Template::parse(runner).is_ok_and(|template| {
                template
                    .holes()
                    .flat_map(|hole| hole.expr.references())
                    .all(|reference| reference.root.eq_ignore_ascii_case("matrix"))
            })
        })
}

/// The labels that a copy asks for; none when its runner is no text and no list of them.
fn wanted(body: &ValueMap, copy: &ValueMap) -> Option<Vec<String>> {
    let contexts = ValueMap::from_iter([("matrix".to_owned(), Value::Object(copy.clone()))]);
    let lookup = MapLookup::new(contexts);
    let mut out = Vec::new();
    for runner in runners(body) {
        let items = match Template::parse(&runner).ok()?.evaluate(&lookup).ok()? {
            Value::Array(items) => items,
            other => vec![other],
        };
        for item in items {
            let Value::String(runner) = item else { return None };
            if runner.trim().is_empty() {
                return None;
            }
            out.extend(label(&runner));
        }
    }
    Some(out)
}

/// The name of a copy: its values, shortened.
fn name(copy: &ValueMap) -> String {
    let words: Vec<String> =
        copy.values().map(|value| foreign::text(value).unwrap_or_else(|| value.to_string())).collect();
    shorten(&one_line(&without_holes(&words.join(","))), NAME_CHARS)
}

/// A matrix of these copies alone: its axes with fewer values where that says it, else a list of them.
fn only(matrix: &Value, here: &[ValueMap]) -> Option<Value> {
    let makes = |matrix: &Value| {
        let copies = Axes::of_value(matrix).and_then(|value| value.copies());
        copies.is_ok_and(|copies| copies == here)
    };
    let mut fewer = matrix.clone();
    for (axis, values) in fewer.as_object_mut().into_iter().flatten() {
        if let Some(values) = values.as_array_mut().filter(|_| axis != "exclude" && axis != "include") {
            values.retain(|value| here.iter().any(|fields| fields.get(axis) == Some(value)));
        }
    }
    let listed = json!({ "include": here });
    [fewer, listed].into_iter().find(makes)
}

//! The traits of a machine, held against the requirements of steps. The traits of this machine are set
//! elsewhere.

use super::{FrameKind, Plan, PlanStep, Work};
use cuelight_base::{Value, ValueMap, system_labels};
use cuelight_expression::{MapLookup, Template};
use std::collections::BTreeSet;

/// A machine that steps run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its labels: its system, its processor, and labels of its operator.
    pub labels: BTreeSet<String>,
    /// Capabilities of the machine, in words that steps ask for.
    pub capabilities: BTreeSet<String>,
}

impl Machine {
    /// The same, with its system and processor among its labels, as this program was made for them.
    #[must_use]
    pub fn with_system(mut self) -> Self {
        self.labels.extend(system_labels().map(str::to_owned));
        self
    }
}

impl Plan {
    /// Steps that may not run on this machine, each as a whole sentence. A step with an `if` counts: nothing
    /// is begun that could not be finished here.
    pub fn refused_by(&self, machine: &Machine) -> Vec<String> {
        let mut all = Vec::new();
        refused(&self.steps, machine, &mut all);
        all
    }
}

/// Labels that are expressions become those that they are for this run, and for this copy of a matrix.
///
/// # Errors
/// When one of them is known only while the run goes on, or is no text.
pub(super) fn settle_labels(steps: &mut [PlanStep], inputs: &ValueMap) -> Result<(), String> {
    for step in steps {
        if let Work::Frame(frame) = &mut step.work
            && let FrameKind::Computed { body, .. } = &mut frame.kind
            && let Some(open) =
                body.iter().find(|item| item.requires.labels.iter().any(|label| is_open(label)))
        {
            return Err(format!(
                "could not plan: step `{}` requires a label of its copies, and those are known only while the run goes on; write the \
                 copies into its matrix, or take the label out",
                open.id
            ));
        }
        if !step.requires.labels.iter().any(|label| is_open(label)) {
            continue;
        }
        // What a called workflow is given is known when it is called.
        let inputs = if step.scope.is_none() { inputs.clone() } else { ValueMap::new() };
        let contexts = ValueMap::from_iter([
            ("inputs".to_owned(), Value::Object(inputs)),
            ("matrix".to_owned(), Value::Object(step.matrix.clone())),
        ]);
        let lookup = MapLookup::new(contexts);
        for label in &mut step.requires.labels {
            let text = Template::parse(label).map_err(|error| error.to_string());
            let text = text.and_then(|text| text.evaluate_text(&lookup).map_err(|error| error.to_string()));
            let wrong = |why: &str| {
                format!(
                    "could not plan: step `{}` requires the label {label}: {why}; write its name",
                    step.id
                )
            };
            let text = text.map_err(|error| wrong(&error))?;
            if text.trim().is_empty() {
                return Err(wrong("it is empty here"));
            }
            *label = text;
        }
    }
    Ok(())
}

fn is_open(label: &str) -> bool {
    label.contains("${{")
}

fn refused(steps: &[PlanStep], machine: &Machine, all: &mut Vec<String>) {
    for step in steps {
        all.extend(lacks(step, "label", &step.requires.labels, &machine.labels));
        all.extend(lacks(step, "capability", &step.requires.capabilities, &machine.capabilities));
        if let Work::Frame(frame) = &step.work
            && let FrameKind::Computed { body, .. } = &frame.kind
        {
            refused(body, machine, all);
        }
    }
}

fn lacks(step: &PlanStep, what: &str, wanted: &[String], there: &BTreeSet<String>) -> Option<String> {
    let lacking: Vec<&str> =
        wanted.iter().filter(|text| !there.contains(*text)).map(String::as_str).collect();
    let all = if what == "label" { "labels" } else { "capabilities" };
    let has: Vec<&str> = there.iter().map(String::as_str).collect();
    let has = if has.is_empty() { format!("no {all}") } else { has.join(", ") };
    (!lacking.is_empty()).then(|| {
        format!(
            "could not start: step `{}` requires the {} {}, and this machine has {has}; start it where that is, or say under \
             `{all}` of .cuelight/config.toml that it is here",
            step.id,
            if lacking.len() == 1 { what } else { all },
            lacking.join(", ")
        )
    })
}

//! Values that a step sets and messages that it sends, as a gate before it shows them: without a call, but as binding as one.

use crate::{WillWrite, condition::View};
use cuelight_base::{Value, ValueMap};
use cuelight_expression::EvalError;
use cuelight_plan::{Emission, PlanStep, Scope, Work};

/// The write of a step as a view resolves it, or as it is written where there is no view; none for a step that writes
/// nothing.
pub(crate) fn write_of(plan: &PlanStep, view: Option<View<'_>>) -> Result<Option<WillWrite>, EvalError> {
    let (to, values, expect, ttl) = match &plan.work {
        Work::Set { scope, values, ttl, expect } => {
            (scope_word(*scope).to_owned(), pairs(view, values)?, pairs(view, expect)?, *ttl)
        }
        Work::Emit(emission) => {
            let values = parts(view, emission)?;
            (text(view, &emission.topic)?, values, ValueMap::new(), emission.ttl)
        }
        Work::Run { .. }
        | Work::Tool(_)
        | Work::Http(_)
        | Work::Model(_)
        | Work::Gate(_)
        | Work::Wait(_)
        | Work::Frame(_)
        | Work::Later(_) => return Ok(None),
    };
    let (step, kind) = (plan.id.clone(), crate::call::kind(&plan.work).to_owned());
    Ok(Some(WillWrite {
        step,
        kind,
        to,
        values,
        expect,
        ttl,
        is_template: view.is_none() && has_holes(plan),
    }))
}

fn text(view: Option<View<'_>>, text: &str) -> Result<String, EvalError> {
    view.map_or_else(|| Ok(text.to_owned()), |view| view.text(text))
}

fn pairs(view: Option<View<'_>>, values: &[(String, Value)]) -> Result<ValueMap, EvalError> {
    let deep = |value: &Value| view.map_or_else(|| Ok(value.clone()), |view| view.deep(value));
    values.iter().map(|(key, value)| Ok((key.clone(), deep(value)?))).collect()
}

/// The parts of a message beside its topic: its data last.
fn parts(view: Option<View<'_>>, emission: &Emission) -> Result<ValueMap, EvalError> {
    let mut parts = ValueMap::new();
    parts.insert("kind".to_owned(), serde_json::to_value(emission.kind).unwrap_or_default());
    let named = [("id", &emission.id), ("to", &emission.to), ("correlation", &emission.correlation)];
    for (name, template) in named {
        if let Some(template) = template {
            parts.insert(name.to_owned(), text(view, template)?.into());
        }
    }
    parts.extend(pairs(view, &[("data".to_owned(), emission.data.clone())])?);
    Ok(parts)
}

/// True if an expression stands in what the step writes.
fn has_holes(plan: &PlanStep) -> bool {
    cuelight_base::canonical_json(&plan.work).contains("${{")
}

const fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Run => "run",
        Scope::Session => "session",
        Scope::Global => "global",
    }
}

/// The parts in which two writes differ, by name. Values are left out, as for calls.
pub(crate) fn differing_parts(before: &WillWrite, now: &WillWrite) -> Vec<String> {
    let mut parts = Vec::new();
    if before.to != now.to {
        parts.push(if now.kind == "emit" { "topic" } else { "scope" }.to_owned());
    }
    for (word, before, now) in [("", &before.values, &now.values), ("etag of ", &before.expect, &now.expect)]
    {
        let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        let differs = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
        parts.extend(differs.map(|name| format!("{word}{name}")));
    }
    parts
}

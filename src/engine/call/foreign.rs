//! Recognizes expressions that read values from outside: results of steps, state, inputs of another workflow.

use crate::condition::{ENV_DEPTH_MAX, View};
use cuelight_base::{StepIx, Value};
use cuelight_expression::{Expr, Template};
use cuelight_plan::{FrameKind, Work};

/// True if an expression reads a value that came from outside: results of steps, state, inputs that another
/// workflow gave.
pub(super) fn is_foreign(view: View<'_>, expr: &Expr, depth: u8) -> bool {
    let plan = view.run.plan_step(view.step);
    let is_computed = |frame: StepIx| matches!(&view.run.plan_step(frame).work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Computed { .. }));
    expr.references().iter().any(|reference| match reference.root.to_ascii_lowercase().as_str() {
        "inputs" => plan.scope.is_some(),
        "matrix" => plan.frame.is_some_and(is_computed),
        "env" if depth > 0 => {
            let named = |key: &str| reference.path.first().is_none_or(|name| key.eq_ignore_ascii_case(name));
            let mut variables = view.run.env_of(view.step).filter(|(key, _)| named(key));
            variables.any(|(_, template)| is_foreign_text(view, template, depth - 1))
        }
        "run" | "secrets" => false,
        _ => true,
    })
}

fn is_foreign_text(view: View<'_>, text: &str, depth: u8) -> bool {
    text.contains("${{")
        && Template::parse(text)
            .is_ok_and(|template| template.holes().any(|hole| is_foreign(view, &hole.expr, depth)))
}

pub(super) fn is_foreign_value(view: View<'_>, value: &Value) -> bool {
    match value {
        Value::String(text) => is_foreign_text(view, text, ENV_DEPTH_MAX),
        Value::Array(items) => items.iter().any(|item| is_foreign_value(view, item)),
        Value::Object(map) => map.values().any(|value| is_foreign_value(view, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

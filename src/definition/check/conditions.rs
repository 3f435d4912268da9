//! Conditions that are always the same, and steps that can therefore never run.

use crate::{Place, StepKind, Wait, Workflow, diagnostic::Findings};
use cuelight_expression::{Expr, Function, MapLookup};

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        let Some(condition) = &step.condition else { continue };
        let Ok(expr) = cuelight_expression::parse(&condition.value) else { continue };
        if constant(&expr) == Some(false) {
            findings
                .warning(
                    "unreachable",
                    condition.place,
                    format!("`{}` can never run: this is always false", step.id.value),
                )
                .help("remove the step, or the condition");
        } else if step.needs.is_empty() && asks_for_failure(&expr) {
            findings
                .warning(
                    "unreachable",
                    condition.place,
                    format!(
                        "`{}` can never run: it needs nothing, so nothing before it can fail",
                        step.id.value
                    ),
                )
                .help("add `needs:` with the steps whose failure it answers");
        }
    }
    for step in &workflow.steps {
        let StepKind::Gate(gate) = &step.kind else { continue };
        if let Some(condition) = &step.condition
            && let Ok(expr) = cuelight_expression::parse(&condition.value)
        {
            anybody_opens(workflow, ("if", "leaves this gate out"), &expr, condition.place, findings);
        }
        let Some(auto) = &gate.auto else { continue };
        let Ok(expr) = cuelight_expression::parse(&auto.value) else { continue };
        match constant(&expr) {
            Some(true) => {
                findings
                    .warning("constant-condition", auto.place, "this gate always approves itself")
                    .help("remove the gate, or the `auto`");
            }
            Some(false) => {
                findings
                    .warning("constant-condition", auto.place, "this is always false")
                    .help("remove `auto`");
            }
            None => {
                anybody_opens(workflow, ("auto", "approves this gate alone"), &expr, auto.place, findings);
            }
        }
    }
}

/// An `auto` or `if` that reads what any one person or step can say or set.
fn anybody_opens(
    workflow: &Workflow,
    (key, does): (&str, &str),
    expr: &Expr,
    place: Place,
    findings: &mut Findings<'_>,
) {
    // A reference to all of `state`, `steps` or `needs`, or to a part of it that is computed, reads each of them.
    let is_run = |scope: Option<&String>| scope.is_some_and(|scope| scope.eq_ignore_ascii_case("run"));
    let waits = |name: Option<&String>| {
        let mut of =
            workflow.steps.iter().filter(|step| matches!(step.kind, StepKind::Wait(Wait::Event { .. })));
        of.any(|step| name.is_none_or(|name| step.id.value.eq_ignore_ascii_case(name)))
    };
    for read in expr.references() {
        let (root, first) = (read.root.to_ascii_lowercase(), read.path.first());
        let (what, way) = match (root.as_str(), first) {
            ("state", scope) if !is_run(scope) => ("a shared value", "set"),
            ("steps" | "needs", name) if waits(name) => ("a message", "send"),
            _ => continue,
        };
        let message = format!("`{key}` reads {what}: anyone who can {way} it {does}");
        findings
            .warning("gate-approves-itself", place, message)
            .help("let it read what a step of this workflow has found out, or remove it");
        return;
    }
}

/// The value of a condition that reads nothing.
fn constant(expr: &Expr) -> Option<bool> {
    let asks = expr.uses_status_function()
        || !expr.references().is_empty()
        || expr.functions().iter().any(|(function, _)| *function == Function::HashFiles);
    if asks {
        return None;
    }
    cuelight_expression::evaluate_truth(expr, &MapLookup::default()).ok()
}

/// `failure()` and nothing else: anything more may hold for another reason.
fn asks_for_failure(expr: &Expr) -> bool {
    matches!(expr.functions().as_slice(), [(Function::Failure, span)] if *span == (0..expr.source().len()))
}

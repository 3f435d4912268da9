//! Checks the size of a run: copies of a matrix, steps after expansion.

use crate::{Axes, Matrix, MatrixSource, StepKind, Workflow, diagnostic::Findings};
use cuelight_base::{STEPS_MAX, type_name};

/// Reports what is too large; gives the number of steps after expansion.
pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) -> usize {
    let mut steps = 0_usize;
    for step in &workflow.steps {
        let asks_once = matches!(&step.kind, StepKind::Gate(gate) if gate.whole_matrix);
        let spread = step.matrix.as_ref().map_or(1, |matrix| copies(matrix, findings));
        let copies = if asks_once { 1 } else { spread };
        let inside = match &step.kind {
            StepKind::Workflow(call) => call.body.as_ref().map_or(0, |body| body.step_count),
            _ => 0,
        };
        let frame = usize::from(step.matrix.is_some() && !asks_once);
        steps = steps.saturating_add(frame).saturating_add(copies.saturating_mul(inside.saturating_add(1)));
    }
    if steps > STEPS_MAX {
        let place = workflow.steps.first().map(|step| step.id.place).unwrap_or_default();
        findings
            .error(
                "too-many-steps",
                place,
                format!("there are {steps} steps after expansion, more than {STEPS_MAX}"),
            )
            .help("make the matrices smaller, or split the workflow into several runs");
    }
    steps
}

fn copies(matrix: &Matrix, findings: &mut Findings<'_>) -> usize {
    let MatrixSource::Constant(axes) = &matrix.source else { return 1 };
    match axes.copies() {
        Ok(copies) => {
            unused_exclusions(axes, matrix, findings);
            if copies.is_empty() {
                findings
                    .warning("unreachable", matrix.place, "nothing is left of this matrix")
                    .help("`exclude` takes every copy away; the step never runs");
            }
            copies.len()
        }
        Err(why) => {
            findings
                .error("matrix-size", matrix.place, format!("this matrix is too large: {why}"))
                .help("make an axis shorter");
            0
        }
    }
}

/// An `exclude` that names no axis, or a value that no axis has, takes nothing away.
fn unused_exclusions(axes: &Axes, matrix: &Matrix, findings: &mut Findings<'_>) {
    for (key, value) in axes.exclude.iter().flatten() {
        let Some((_, values)) = axes.axes.iter().find(|(axis, _)| axis == key) else {
            let message = format!("`exclude` names `{key}`, which is no axis");
            findings.warning("unknown-axis", matrix.place, message).help("it takes nothing away; remove it");
            continue;
        };
        if !values.contains(value) {
            let message =
                format!("`exclude` names a {} that the axis `{key}` does not have", type_name(value));
            findings.warning("value", matrix.place, message).help("it takes nothing away; remove it");
        }
    }
}

//! Ways around a gate that lead over the steps before it. A person skips a step or completes it by hand, and
//! the gate's own `if`, `auto` or matrix reads the result. An expression that reads such a result leaves no
//! gate out.

use crate::{can_ask, frame, run::Run};
use cuelight_base::{StepIx, Value};
use cuelight_expression::{Expr, Template};
use cuelight_plan::{FrameKind, GateRule, PlanStep, Work};

/// True when a gate whose `if` does not hold asks all the same: a person decided what the `if` reads, or the gate has asked
/// in this run, or in an earlier one that this one does again.
pub(super) fn asks_all_the_same(run: &Run, step: StepIx) -> bool {
    let (plan, this_step) = (run.plan_step(step), run.step(step));
    let Work::Gate(rule) = &plan.work else { return false };
    let goes_on = this_step.needs.blocked.is_none() || this_step.explicit;
    let by_hand =
        || plan.condition.as_ref().is_some_and(|condition| reads_what_is_by_hand(run, step, condition));
    goes_on && (rule.asks || this_step.asking.has_asked || by_hand())
}

/// True if a frame with a gate in it would be left out because of a step that a person closed by hand.
pub(super) fn is_left_out_by_hand(run: &Run, step: StepIx, condition: &str) -> bool {
    let this_step = run.step(step);
    let goes_on = this_step.needs.blocked.is_none() || this_step.explicit;
    goes_on && holds_gate(run, step) && reads_what_is_by_hand(run, step, condition)
}

/// Says that a frame fails, because what leaves out the gate in it was decided by hand.
pub(super) fn left_out_by_hand(by: &str) -> String {
    format!(
        "a gate stands in it, and {by} is decided by a step that somebody closed by hand; do that step again with a retry, or \
         cancel the run"
    )
}

/// The id of a step about which people were asked without a gate, in this run or in an earlier one: its `if` may not leave
/// it out.
pub(super) fn was_asked_about(run: &Run, step: StepIx) -> Option<&str> {
    let (plan, this_step) = (run.plan_step(step), run.step(step));
    let goes_on = this_step.needs.blocked.is_none() || this_step.explicit;
    let has_asked = this_step.gate.is_some() || run.before.asked.contains_key(&plan.id);
    (goes_on && has_asked && can_ask::accepts_result(plan)).then_some(plan.id.as_str())
}

/// Says that a frame fails, because it would leave out a gate that has asked.
pub(super) fn left_out_though_asked(gate: &str, by: &str) -> String {
    format!(
        "the gate {gate} has asked before, and {by} would leave it out now; give the inputs of before, or start the \
         workflow anew"
    )
}

/// The id of a gate in a frame that has asked in this run, or in an earlier one: the `if` of the frame may not leave it out.
pub(super) fn has_asked_within(run: &Run, step: StepIx) -> Option<&str> {
    let this_step = run.step(step);
    let goes_on = this_step.needs.blocked.is_none() || this_step.explicit;
    let frame = run.plan_step(step).work.frame().filter(|_| goes_on)?;
    let here = || {
        frame::descendants(run, step).into_iter().find(|descendant| run.step(*descendant).asking.has_asked)
    };
    frame
        .asked
        .first()
        .map(String::as_str)
        .or_else(|| here().map(|descendant| run.plan_step(descendant).id.as_str()))
}

/// True if an expression reads a step that a person closed by hand, or one that comes after such a step.
pub(super) fn reads_what_is_by_hand(run: &Run, step: StepIx, expression: &str) -> bool {
    cuelight_expression::parse(expression).is_ok_and(|expr| reads_by_hand(run, step, &expr))
}

/// True if one of the templates in a value reads such a step.
pub(super) fn templates_read_what_is_by_hand(run: &Run, step: StepIx, value: &Value) -> bool {
    match value {
        Value::String(text) => Template::parse(text)
            .is_ok_and(|template| template.holes().any(|hole| reads_by_hand(run, step, &hole.expr))),
        Value::Array(items) => items.iter().any(|item| templates_read_what_is_by_hand(run, step, item)),
        Value::Object(map) => map.values().any(|value| templates_read_what_is_by_hand(run, step, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn reads_by_hand(run: &Run, step: StepIx, expr: &Expr) -> bool {
    let scope = run.plan_step(step).scope;
    let by_hand = |step: StepIx| comes_of_a_hand(run, step);
    if expr.asks_for_a_failure() && by_hand(step) {
        return true;
    }
    expr.references().iter().any(|reference| {
        match (reference.root.to_ascii_lowercase().as_str(), reference.path.first()) {
            ("steps" | "needs", Some(name)) => run.named(scope, name).is_some_and(by_hand),
            ("steps" | "needs", None) => run.names_in(scope).any(|name| by_hand(name.1)),
            // What a step has set, or a workflow was given, may come of any other.
            ("vars" | "state" | "env" | "matrix", _) => run.steps.iter().any(|step| step.by_hand),
            ("inputs", _) => scope.is_some() && run.steps.iter().any(|step| step.by_hand),
            _ => false,
        }
    })
}

/// True when a person closed this step, one in it, or one before it: each may pass on the result of that one.
fn comes_of_a_hand(run: &Run, step: StepIx) -> bool {
    if !run.steps.iter().any(|step| step.by_hand) {
        return false;
    }
    let mut all = run.above(step, |_| true);
    all.extend(frame::descendants(run, step));
    all.insert(step);
    all.into_iter().any(|step| run.step(step).by_hand)
}

/// True if a step is a gate, or a gate stands in it, also if its copies are made during the run.
pub(super) fn holds_gate(run: &Run, step: StepIx) -> bool {
    let within = std::iter::once(step).chain(frame::descendants(run, step));
    within.into_iter().any(|step| is_or_makes_gate(run.plan_step(step)))
}

/// True for a gate, and for a matrix that makes one when it opens.
pub(super) fn is_or_makes_gate(plan: &PlanStep) -> bool {
    is_or_makes_gate_that(plan, |_| true)
}

/// The same for gates with such a rule.
pub(super) fn is_or_makes_gate_that(plan: &PlanStep, fits: fn(&GateRule) -> bool) -> bool {
    let makes = |kind: &FrameKind| match kind {
        FrameKind::Computed { body, .. } => body.iter().any(|step| is_or_makes_gate_that(step, fits)),
        FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_) => false,
    };
    plan.work.gate().is_some_and(|rule| fits(rule))
        || plan.work.frame().is_some_and(|frame| makes(&frame.kind))
}

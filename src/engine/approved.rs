//! Refuses a correction that would put other commands under an old approval: what a kept step behind an approved gate may
//! still run is what the gate let go.

use crate::{again::value_differences, by_hand::is_or_makes_gate, links::Links, run::Run, side::places};
use cuelight_base::{StepIx, Value};
use cuelight_expression::{Expr, Template};
use cuelight_plan::{Plan, PlanStep, Undo, Work};
use std::collections::{BTreeMap, BTreeSet};

/// Refuses other calls of a kept step, and other values in them, where the step stands behind a gate. The state of that
/// gate does not matter: it was approved when the step ran, and may have asked again and been refused since.
/// `kept` holds the kept steps: by their place in the new plan, their place in the old one.
pub(super) fn stays(run: &Run, new: &Plan, kept: &BTreeMap<StepIx, StepIx>) -> Result<(), String> {
    let gates = gate_before_each(run);
    let old_places: BTreeMap<StepIx, StepIx> = kept.iter().map(|(new, old)| (*old, *new)).collect();
    let inputs: BTreeSet<String> = value_differences(&run.plan.inputs, &new.inputs)
        .into_iter()
        .map(|value_difference| value_difference.name)
        .collect();
    let links = Links::of(&new.steps);
    for (old, now) in old_places {
        let Some(gate) = gates[old.index()].filter(|_| run.step(old).state().is_done()) else { continue };
        let (was, is) = (run.plan_step(old), &new.steps[now.index()]);
        let words = |what: String| {
            let (step, gate) = (&was.id, &run.plan_step(gate).id);
            format!(
                "{step} was done behind the gate {gate}, and its {what}; put it back as it was, or start a new run"
            )
        };
        if let Some(part) = differs((&run.plan, was), (new, is)) {
            return Err(words(format!("{part} is written otherwise now")));
        }
        let reads = |expr: &Expr| reads_another(expr, is, new, &inputs, (&links, kept));
        for (part, work) in later_calls(is) {
            if let Some(what) = reads_in(new, is, work).iter().find_map(reads) {
                return Err(words(format!("{part} reads {what} that is another one now")));
            }
        }
    }
    Ok(())
}

/// By place in the plan of a run, a gate that each step stands behind.
fn gate_before_each(run: &Run) -> Vec<Option<StepIx>> {
    let plan = &run.plan;
    let links = Links::of(&plan.steps);
    let mut found = vec![None; plan.steps.len()];
    for gate in places(plan).filter(|place| is_or_makes_gate(run.plan_step(*place))) {
        let mut open: Vec<StepIx> = links.children(gate).to_vec();
        for at in std::iter::successors(Some(gate), |step| run.plan_step(*step).frame) {
            open.extend(links.dependents(at));
        }
        while let Some(at) = open.pop() {
            if found[at.index()].is_none() {
                found[at.index()] = Some(gate);
                open.extend(links.dependents(at).iter().chain(links.children(at)));
            }
        }
    }
    found
}

/// The part of a kept step that could be called in another way than it was approved.
fn differs((old, was): (&Plan, &PlanStep), (new, is): (&Plan, &PlanStep)) -> Option<&'static str> {
    let tools = |plan: &Plan, step: &PlanStep| -> Vec<_> {
        let all = std::iter::once(&step.work).chain(later_calls(step).map(|later_call| later_call.1));
        all.filter_map(|work| plan.tool(work.tool()?).cloned()).collect()
    };
    // A workflow that is called sees nothing of this one, and its own environment stands in its frame.
    let outer =
        |plan: &Plan, step: &PlanStep| if step.scope.is_none() { plan.env.clone() } else { Vec::new() };
    let parts = [
        ("undo", was.undo == is.undo),
        ("check", was.check == is.check),
        ("fallback", was.fallback == is.fallback),
        ("env", was.env == is.env && outer(old, was) == outer(new, is)),
        ("sandbox", was.sandboxed == is.sandboxed && was.limits == is.limits),
        ("tool", tools(old, was) == tools(new, is)),
    ];
    parts.into_iter().find(|part| !part.1).map(|part| part.0)
}

/// The calls of a step that is done which may still be made, with a word for each.
fn later_calls(step: &PlanStep) -> impl Iterator<Item = (&'static str, &Work)> {
    let undo = match &step.undo {
        Undo::By(work) => Some(("undo", &**work)),
        Undo::Unset | Undo::Impossible => None,
    };
    let check = step.check.as_deref().map(|work| ("check", work));
    undo.into_iter().chain(check)
}

/// All expressions in a call of a step: in its own words, and in the environment and the directory that it is made in.
fn reads_in(plan: &Plan, step: &PlanStep, work: &Work) -> Vec<Expr> {
    let mut found = Vec::new();
    if let Work::Run { bindings, .. } = work {
        found.extend(bindings.iter().filter_map(|binding| cuelight_expression::parse(&binding.1).ok()));
    } else {
        templates(&serde_json::to_value(work).unwrap_or_default(), &mut found);
    }
    let around = std::iter::successors(step.frame, |value| plan.steps[value.index()].frame);
    let frames = around.flat_map(|frame| &plan.steps[frame.index()].env);
    let env = plan.env.iter().chain(frames).chain(&step.env).map(|pair| &pair.1);
    for text in env.chain(&step.dir) {
        holes(text, &mut found);
    }
    found
}

/// Adds the expressions of a text.
fn holes(text: &str, found: &mut Vec<Expr>) {
    if let Ok(template) = Template::parse(text) {
        found.extend(template.holes().map(|hole| hole.expr.clone()));
    }
}

fn templates(value: &Value, found: &mut Vec<Expr>) {
    match value {
        Value::String(text) => holes(text, found),
        Value::Array(items) => items.iter().for_each(|item| templates(item, found)),
        Value::Object(map) => map.values().for_each(|value| templates(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value that an expression of a step reads and that a correction may have changed: an input, or what a step that is
/// done again says or sets.
fn reads_another(
    expr: &Expr,
    step: &PlanStep,
    new: &Plan,
    inputs: &BTreeSet<String>,
    (links, kept): (&Links, &BTreeMap<StepIx, StepIx>),
) -> Option<&'static str> {
    // A step that is done again may say something else, also when it is written as before.
    let is_changed = |at: StepIx| !kept.contains_key(&at);
    let sets = |at: &StepIx| matches!(new.steps[at.index()].work, Work::Set { .. });
    expr.references().iter().find_map(|reference| {
        match (reference.root.to_ascii_lowercase().as_str(), reference.path.first()) {
            // The inputs of a called workflow are made of those of the run.
            ("inputs", Some(name)) if step.scope.is_none() => {
                inputs.iter().any(|input| input.eq_ignore_ascii_case(name)).then_some("an input")
            }
            ("inputs", _) => (!inputs.is_empty()).then_some("an input"),
            ("steps" | "needs", Some(name)) => {
                links.named(step.scope, name).is_some_and(is_changed).then_some("the result of a step")
            }
            ("steps" | "needs", None) => {
                links.in_scope(step.scope).any(is_changed).then_some("the result of a step")
            }
            ("vars" | "state", _) => places(new).filter(sets).any(is_changed).then_some("a shared value"),
            _ => None,
        }
    })
}

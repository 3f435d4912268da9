//! Models: whether there is one of that name, and whether what is said of money and of answers can hold.

use crate::{
    base::{MODEL_OUTPUTS, Value, safe_text},
    definition::{Llm, ModelRegistry, Placed, Step, StepKind, Workflow, diagnostic::Findings},
};

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        let StepKind::Llm(llm) = &step.kind else { continue };
        let counts = |it: &crate::definition::Budget| it.cost_micro_usd.is_some();
        if workflow.budget.as_ref().is_some_and(counts) || step.budget.as_ref().is_some_and(counts) {
            priced(step, llm, findings);
        }
        parts(step, llm, findings);
    }
}

/// There is no such model.
pub(in crate::definition) fn unknown(
    registry: &ModelRegistry,
    wanted: &Placed<String>,
    findings: &mut Findings<'_>,
) {
    let near = registry.near(&wanted.value).map(str::to_owned);
    let message = format!("there is no model `{}`", safe_text(&wanted.value));
    let found = findings.error("model", wanted.place, message);
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")),
        None => found.help(
            "`cuelight models` names those there are; describe one of your own in .cuelight/models/NAME.yaml",
        ),
    };
}

/// A budget of dollars counts what is known: a model without a price is spent on unseen.
fn priced(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    for model in llm.candidates.iter().filter(|it| it.price.is_none()) {
        let named = llm.models.iter().find(|it| it.value == model.name);
        let place = named.map_or(step.id.place, |it| it.place);
        let message =
            format!("no price is known of `{}`, so a budget in dollars does not count it", model.name);
        findings.warning("model", place, message).help(format!(
            "write its price to .cuelight/models/{}.yaml, price: {{input-usd: …, output-usd: …}} for a million tokens each, or count tokens",
            model.name
        ));
    }
}

/// What an answer says under a name that is ours is read elsewhere.
fn parts(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    let properties = llm.json_schema.as_ref().and_then(|it| it.get("properties")).and_then(Value::as_object);
    for name in
        properties.into_iter().flatten().map(|it| it.0).filter(|it| MODEL_OUTPUTS.contains(&it.as_str()))
    {
        let id = &step.id.value;
        findings
            .warning(
                "model",
                step.id.place,
                format!("`{name}` is an output of every model, so that of the answer is not one"),
            )
            .help(format!("read steps.{id}.outputs.result.{name}, or give it another name"));
    }
}

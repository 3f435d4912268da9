//! Models: whether there is one of that name, and whether what is said of money and of answers can hold.

use crate::{
    Diagnostic, Llm, McpServer, ModelRegistry, Placed, Source, Step, StepKind, Tool, ToolBody, Workflow,
    diagnostic::Findings,
};
use cuelight_base::{MODEL_OUTPUTS, TALK_OUTPUTS, Value, safe_text};

/// Steps that can ask no model here, each by its id in the plan with a whole sentence, at the place in the file where the model is named; what
/// stands in a file that is called, at the step that calls it.
pub fn check_keys(workflow: &Workflow, text: &str, lacking: &[(String, String)]) -> Vec<Diagnostic> {
    let source = Source::new(text);
    let mut findings = Findings::new(&workflow.file, &source);
    for (step, why) in lacking {
        let own = step.split(['/', '[']).next().unwrap_or(step);
        let place = workflow.steps.iter().find(|step| step.id.value == own).map(|step| match &step.kind {
            StepKind::Llm(llm) => llm.models.first().map_or(step.id.place, |model| model.place),
            _ => step.id.place,
        });
        findings.error("model", place.unwrap_or_default(), why.as_str());
    }
    findings.finish()
}

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        let StepKind::Llm(llm) = &step.kind else { continue };
        let counts = |budget: &crate::Budget| budget.cost_micro_usd.is_some();
        if workflow.budget.as_ref().is_some_and(counts) || step.usage.budget.as_ref().is_some_and(counts) {
            priced(step, llm, findings);
        }
        parts(step, llm, findings);
        calls(step, llm, findings);
    }
}

/// Checks the tools that a model may call, and the keys that cannot stand beside them.
fn calls(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    if llm.tools.is_empty() {
        for (key, is_said) in
            [("rounds", llm.rounds.is_some()), ("gates", llm.gates_all || llm.gate.is_some())]
        {
            if is_said {
                let message = format!("`{key}` says how tools are called, and none is offered");
                findings.error("model", step.id.place, message).help("add `tools:`, or remove it");
            }
        }
        return;
    }
    for offered in &llm.tools {
        let Some(tool) = &offered.definition else { continue };
        if is_of_gates(tool) {
            let message =
                format!("`{}` has to do with answers of people, and no model is offered it", tool.name);
            findings
                .error("tool", offered.tool.place, message)
                .help("let a step of its own wait, and hand its result to the model in `prompt`");
        }
        let twice = |offered: &&crate::Offered| {
            offered
                .definition
                .as_ref()
                .is_some_and(|definition| definition.name == tool.name && definition.version != tool.version)
        };
        if llm.tools.iter().take_while(|tool| tool.tool.place != offered.tool.place).any(|tool| twice(&tool))
        {
            let message = format!("`{}` is offered in two versions", tool.name);
            findings
                .error("tool", offered.tool.place, message)
                .help("a model knows a tool by its name; offer one");
        }
    }
    nobody_is_asked(llm, findings);
    let id = &step.id.value;
    let cannot = [
        ("cache", step.cache.is_some(), "what came of its calls is no earlier result"),
        ("confidence", step.confidence.is_some(), "judge the answer in a gate or a step behind it"),
        ("check", step.check.is_some(), "each of its calls has an effect class of its own"),
        ("effect", step.effect.is_some(), "each of its calls has the effect class of its tool"),
    ];
    for (key, is_said, help) in cannot {
        if is_said {
            let message = format!("`{id}` offers tools, so it cannot have `{key}`");
            findings.error("model", step.id.place, message).help(help);
        }
    }
}

/// Warns if `gates` is set but no tool call would wait at a gate.
fn nobody_is_asked(llm: &Llm, findings: &mut Findings<'_>) {
    let waits =
        |tool: &crate::Offered| tool.definition.as_ref().is_none_or(|definition| definition.needs_gate());
    let Some(gate) = llm.gate.as_ref().filter(|_| !llm.gates_all && !llm.tools.iter().any(waits)) else {
        return;
    };
    findings
        .warning("gate", gate.place, "none of these tools changes anything, so no call waits at a gate")
        .help("add `calls: all` where people are to be asked all the same, or remove `gates`");
}

/// True if a tool waits for a gate, or speaks to the program that answers gates.
fn is_of_gates(tool: &Tool) -> bool {
    let is_ours = |words: &[String]| {
        words
            .first()
            .is_some_and(|word| word.rsplit('/').next().is_some_and(|part| part.starts_with("cuelight")))
    };
    tool.category == "approve"
        || match &tool.body {
            ToolBody::Words(words) => is_ours(words) && words.get(1).is_none_or(|word| word != "built-in"),
            ToolBody::Mcp(mcp) => matches!(&mcp.server, McpServer::Command(words) if is_ours(words)),
            ToolBody::BuiltIn | ToolBody::Claim | ToolBody::Script { .. } | ToolBody::Http(_) => false,
        }
}

/// Reports an unknown model, with a similar name if one exists.
pub(crate) fn unknown(registry: &ModelRegistry, wanted: &Placed<String>, findings: &mut Findings<'_>) {
    let near = registry.near(&wanted.value).map(str::to_owned);
    let message = format!("there is no model `{}`", safe_text(&wanted.value));
    let found = findings.error("model", wanted.place, message);
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")),
        None => found.help(
            "`cuelight model` names those there are; describe one of your own in .cuelight/models/NAME.yaml",
        ),
    };
}

/// A budget of dollars counts what is known: a model without a price is spent on unseen.
fn priced(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    for model in llm.candidates.iter().filter(|candidate| candidate.price.is_none()) {
        let named = llm.models.iter().find(|text| text.value == model.name);
        let place = named.map_or(step.id.place, |model| model.place);
        let message =
            format!("no price is known of `{}`, so a budget in dollars does not count it", model.name);
        findings.warning("model", place, message).help(format!(
            "write its price to .cuelight/models/{}.yaml, price: {{input-usd: …, output-usd: …}} for a million tokens each, or count tokens",
            model.name
        ));
    }
}

/// Warns about parts of an answer whose names are taken by outputs of every model.
fn parts(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    let properties = llm
        .json_schema
        .as_ref()
        .and_then(|json_schema| json_schema.get("properties"))
        .and_then(Value::as_object);
    let of_talk = if llm.tools.is_empty() { &[] } else { TALK_OUTPUTS };
    let is_ours = |key: &&String| MODEL_OUTPUTS.iter().chain(of_talk).any(|ours| ours == key);
    for name in properties.into_iter().flatten().map(|entry| entry.0).filter(is_ours) {
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

//! Rules for the kinds of steps: effects, undo, time, calls of other workflows.

use crate::{
    Call, EffectClass, Llm, OnFailure, Step, StepKind, Tool, ToolBody, ToolUndo, Uses, Wait, Workflow,
    diagnostic::Findings, inputs::misfit, spelling::suggest,
};
use cuelight_base::Value;
use std::sync::Arc;

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    let compensates = compensates(workflow);
    for step in &workflow.steps {
        effect(step, findings);
        cache(step, findings);
        if compensates {
            undo(step, findings);
        }
        if workflow.timeout.is_none() {
            time(step, findings);
        }
        if let StepKind::Workflow(call) = &step.kind {
            given(step, call, findings);
        }
    }
}

fn compensates(workflow: &Workflow) -> bool {
    workflow.on_failure == OnFailure::Compensate
        || workflow.steps.iter().any(|step| match &step.kind {
            StepKind::Gate(gate) => gate.on_reject == OnFailure::Compensate,
            _ => false,
        })
}

fn effect(step: &Step, findings: &mut Findings<'_>) {
    match (step.effect, &step.check) {
        (Some(EffectClass::Queryable), None) => {
            findings
                .error(
                    "missing-key",
                    step.id.place,
                    format!("`{}` is queryable and has no `check:`", step.id.value),
                )
                .help("give the command that tells whether it happened: exit 0 yes, 1 no");
        }
        (Some(EffectClass::Queryable), Some(_)) | (_, None) => {}
        (_, Some(check)) => {
            findings
                .warning("value", check.source.place, "`check:` is asked of a queryable step only")
                .help("add `effect: queryable`");
        }
    }
}

/// An earlier result may stand only for what changes nothing: then it is the same whether it is called or not.
fn cache(step: &Step, findings: &mut Findings<'_>) {
    let Some(cache) = &step.cache else { return };
    let of_tool = match &step.kind {
        StepKind::Run(_) => None,
        StepKind::Uses(uses) | StepKind::Agent(uses) => uses.effect(),
        _ => return,
    };
    let id = &step.id.value;
    if step.effect.or(of_tool) != Some(EffectClass::Pure) {
        findings
            .error(
                "value",
                cache.key.place,
                format!("`{id}` may change something, so no earlier result can stand for it"),
            )
            .help("add `effect: pure` where calling it changes nothing, or remove `cache`");
    } else if !step.artifacts.is_empty() {
        findings
            .error("value", cache.key.place, format!("`{id}` leaves files, and an earlier result has none"))
            .help("remove `artifacts` or `cache`");
    }
}

fn undo(step: &Step, findings: &mut Findings<'_>) {
    let acts = match &step.kind {
        StepKind::Run(_) | StepKind::Uses(_) | StepKind::Agent(_) | StepKind::Emit(_) => true,
        StepKind::Http(http) => !matches!(http.method.as_str(), "GET" | "HEAD" | "OPTIONS"),
        StepKind::Llm(_)
        | StepKind::Gate(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Set(_) => false,
    };
    let of_tool = match &step.kind {
        StepKind::Uses(uses) if takes_back(uses, step) => return,
        StepKind::Uses(uses) | StepKind::Agent(uses) => uses.effect(),
        StepKind::Llm(llm) if step.undo.is_none() => return undo_of_calls(step, llm, findings),
        _ => None,
    };
    if acts && step.undo.is_none() && step.effect.or(of_tool) != Some(EffectClass::Pure) {
        findings
            .warning(
                "no-undo",
                step.id.place,
                format!("`{}` may have side effects and has no `undo`, although the run compensates", step.id.value),
            )
            .help("add `undo:`; `undo: none` says that it cannot be; `effect: pure` that there is nothing to undo");
    }
}

/// True if the undo of the step is clear from its only tool, which declares an undo or that none is possible.
fn takes_back(uses: &Uses, step: &Step) -> bool {
    let says = |definition: &Arc<Tool>| definition.undo != ToolUndo::Unset;
    step.fallback.is_empty() && uses.route.is_none() && uses.definition.as_ref().is_some_and(says)
}

/// Warns about tools that a model may call and that nobody can undo.
fn undo_of_calls(step: &Step, llm: &Llm, findings: &mut Findings<'_>) {
    for offered in &llm.tools {
        let stays = |definition: &&Arc<Tool>| {
            definition.effect != EffectClass::Pure && definition.undo == ToolUndo::Unset
        };
        let Some(tool) = offered.definition.as_ref().filter(stays) else { continue };
        let message =
            format!("`{}` may have side effects and has no `undo`, although the run compensates", tool.id());
        findings.warning("no-undo", offered.tool.place, message).help(format!(
            "add `undo:` to the file of the tool, or to `{}` for all calls of its model together; `undo: none` says that it cannot be",
            step.id.value
        ));
    }
}

fn time(step: &Step, findings: &mut Findings<'_>) {
    let may_hang = match &step.kind {
        // A request ends by itself, also as a tool.
        StepKind::Uses(uses) => {
            let is_request =
                |definition: &Arc<Tool>| matches!(definition.body, ToolBody::Http(_) | ToolBody::Mcp(_));
            let all_are = uses.all().iter().all(|uses| uses.definition.as_ref().is_some_and(is_request));
            step.timeout.is_none() && !all_are
        }
        StepKind::Run(_) | StepKind::Agent(_) | StepKind::Wait(Wait::Event { .. }) => step.timeout.is_none(),
        StepKind::Http(_)
        | StepKind::Llm(_)
        | StepKind::Gate(_)
        | StepKind::Workflow(_)
        | StepKind::Wait(_)
        | StepKind::Emit(_)
        | StepKind::Set(_) => false,
    };
    if may_hang {
        findings
            .note("no-timeout", step.id.place, format!("`{}` may run for ever", step.id.value))
            .help("add `timeout:` to it, to `defaults:`, or to the workflow");
    }
}

/// Checks the inputs of a called workflow against its declared ones.
fn given(step: &Step, call: &Call, findings: &mut Findings<'_>) {
    let Some(body) = &call.body else { return };
    for (name, data) in &call.inputs {
        let Some(field) = body.inputs.iter().find(|input| input.name.value == *name) else {
            let near = suggest(name, body.inputs.iter().map(|input| input.name.value.as_str()));
            let message = format!("{} has no input `{name}`", call.path.value);
            let found = findings.error("unknown-input", data.place, message);
            if let Some(near) = near {
                found.label(format!("did you mean `{near}`?"));
            }
            continue;
        };
        let is_known = data.value != Value::Null && !data.value.to_string().contains("${{");
        if let Some(why) = misfit(field, &data.value).filter(|_| is_known) {
            findings.error("type", data.place, format!("the input `{name}` {why}"));
        }
    }
    for field in body.inputs.iter().filter(|input| input.required && input.default.is_none()) {
        let name = &field.name.value;
        if !call.inputs.iter().any(|(given, _)| given == name) {
            findings
                .error(
                    "missing-key",
                    call.path.place,
                    format!("{} needs the input `{name}`", call.path.value),
                )
                .help(format!("add `with: {{{name}: …}}` to `{}`", step.id.value));
        }
    }
}

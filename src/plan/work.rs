//! One step of a file as work of a plan, with defaults filled in.
//!
//! The place of a step among the others is decided in `lower`.

use crate::{
    ConfidenceRule, EffectClass, Emission, GateRule, HttpBody, HttpWork, Later, Need, Quorum, Retry, Route,
    ToolUse, Undo, WaitFor, Work, model,
};
use cuelight_base::{FailureMode, HTTP_BODY_BYTES_MAX, HttpExpect, Span, Value};
use cuelight_definition as file;
use std::sync::Arc;

/// The shell of scripts that name none: program and options, before the script.
pub const SHELL: [&str; 4] = ["bash", "-euo", "pipefail", "-c"];

/// The work of a step; none for one that calls a workflow, which is more than one step.
pub(super) fn work(kind: &file::StepKind) -> Option<Work> {
    Some(match kind {
        file::StepKind::Run(run) => script(&run.script, &run.shell),
        file::StepKind::Gate(gate) => Work::Gate(Arc::new(gate_rule(gate))),
        file::StepKind::Set(set) => {
            Work::Set { scope: set.scope, values: data(&set.values), ttl: set.ttl, expect: data(&set.expect) }
        }
        file::StepKind::Wait(file::Wait::For(file::Length::Fixed(span))) => {
            Work::Wait(WaitFor::Duration(span.spelled()))
        }
        file::StepKind::Wait(file::Wait::For(file::Length::Computed(text))) => {
            Work::Wait(WaitFor::Duration(text.value.clone()))
        }
        file::StepKind::Wait(file::Wait::Until(text)) => Work::Wait(WaitFor::Until(text.value.clone())),
        file::StepKind::Wait(file::Wait::Event { topic, filter, count }) => {
            Work::Wait(WaitFor::Message { topic: topic.value.clone(), filter: data(filter), count: *count })
        }
        file::StepKind::Uses(uses) | file::StepKind::Agent(uses) => tool(uses),
        file::StepKind::Http(this_http) => Work::Http(Box::new(http(this_http))),
        file::StepKind::Llm(llm) => model::works(llm).into_iter().next()?,
        file::StepKind::Emit(emit) => Work::Emit(Box::new(emission(emit))),
        file::StepKind::Workflow(_) => return None,
    })
}

/// A request with its texts as they stand.
pub(super) fn http(http: &file::Http) -> HttpWork {
    HttpWork {
        method: http.method.clone(),
        url: http.url.value.clone(),
        headers: named(&http.headers),
        body: http.body.as_ref().map(|body| match body {
            file::Body::Text(text) => HttpBody::Text(text.value.clone()),
            file::Body::Json(value) => HttpBody::Json(value.value.clone()),
        }),
        expect: HttpExpect { status: http.expect_status.clone(), json: data(&http.expect_json) },
        redirects: http.redirects,
        bytes_max: http.bytes_max.unwrap_or(HTTP_BODY_BYTES_MAX),
    }
}

fn emission(emit: &file::Emit) -> Emission {
    let text = |text: &Option<file::Text>| text.as_ref().map(|text| text.value.clone());
    Emission {
        topic: emit.topic.value.clone(),
        kind: emit.kind,
        id: text(&emit.id),
        to: text(&emit.to),
        correlation: text(&emit.correlation),
        data: emit.data.as_ref().map_or(Value::Null, |data| data.value.clone()),
        ttl: emit.ttl,
    }
}

/// Work that this release can only show.
fn later(kind: &str, target: &str) -> Work {
    Work::Later(Later { kind: kind.to_owned(), target: target.to_owned() })
}

/// A tool of the registry with its input; the checker has refused tools that do not exist.
fn tool(uses: &file::Uses) -> Work {
    match &uses.definition {
        Some(definition) => Work::Tool(ToolUse {
            tool: definition.id(),
            with: data(&uses.with),
            route: uses.route.as_deref().map(|value| Box::new(route(value))),
            given: None,
            undoes: false,
        }),
        None => later("uses", &uses.tool.value),
    }
}

fn route(route: &file::Route) -> Route {
    let ids = route
        .candidates
        .iter()
        .filter_map(|candidate| candidate.definition.as_ref())
        .map(|definition| definition.id());
    Route {
        policy: route.policy,
        candidates: ids.collect(),
        wants: route.wants.iter().map(|text| text.value.clone()).collect(),
    }
}

/// A script behind its shell.
pub(super) fn script(script: &file::Script, shell: &[String]) -> Work {
    let binding = |binding: &file::Binding| (binding.variable.clone(), binding.expression.value.clone());
    Work::Run {
        shell: shell.to_vec(),
        script: script.script.clone(),
        bindings: script.bindings.iter().map(binding).collect(),
    }
}

/// The shell that runs a step's scripts (itself, `undo`, `fallback`, `check`).
pub(super) fn shell_of(kind: &file::StepKind) -> Vec<String> {
    match kind {
        file::StepKind::Run(run) if !run.is_words => run.shell.clone(),
        _ => SHELL.map(str::to_owned).to_vec(),
    }
}

/// Something done in place of a step, or to take it back.
pub(super) fn action(action: &file::Action, shell: &[String]) -> Work {
    match action {
        file::Action::Run(run) => script(run, shell),
        file::Action::Uses(uses) => tool(uses),
    }
}

/// The undo that a step's file gives.
pub(super) fn undo(undo: Option<&file::Undo>, shell: &[String]) -> Undo {
    match undo {
        None => Undo::Unset,
        Some(file::Undo::Impossible) => Undo::Impossible,
        Some(file::Undo::By(by)) => Undo::By(Box::new(action(by, shell))),
    }
}

/// The undo of a step whose file gives none: the undo of its tool. A step with a fallback has none, because
/// nobody knows which of the tools is meant.
pub(super) fn undo_of_tool(step: &file::Step) -> Undo {
    let file::StepKind::Uses(uses) = &step.kind else { return Undo::Unset };
    let Some(tool) = uses.definition.as_ref().filter(|_| uses.route.is_none() && step.fallback.is_empty())
    else {
        return Undo::Unset;
    };
    match &tool.undo {
        file::ToolUndo::Unset => Undo::Unset,
        file::ToolUndo::Impossible => Undo::Impossible,
        file::ToolUndo::By(_) => Undo::By(Box::new(Work::Tool(ToolUse {
            tool: tool.id(),
            with: data(&uses.with),
            route: None,
            given: None,
            undoes: true,
        }))),
    }
}

/// True if a step calls something outside: only that has attempts, and can be retried.
pub(super) fn is_call(kind: &file::StepKind) -> bool {
    use file::StepKind::{Agent, Emit, Gate, Http, Llm, Run, Set, Uses, Wait, Workflow};
    match kind {
        Run(_) | Uses(_) | Http(_) | Llm(_) | Agent(_) | Emit(_) => true,
        Gate(_) | Workflow(_) | Wait(_) | Set(_) => false,
    }
}

/// The effect class of a step: that of its file, else of its tool, else by the kind of its work. Any other
/// call counts as `Once`, because nobody knows its effect.
pub(super) fn effect(step: &file::Step) -> EffectClass {
    let unsaid = match &step.kind {
        file::StepKind::Uses(uses) | file::StepKind::Agent(uses) => {
            uses.effect().unwrap_or(EffectClass::Once)
        }
        // A question changes nothing; asked again it costs again.
        file::StepKind::Llm(_) => EffectClass::Pure,
        file::StepKind::Http(http) => effect_of_request(http),
        kind if is_call(kind) => EffectClass::Once,
        // Of what is done in its place.
        file::StepKind::Workflow(_) if !step.fallback.is_empty() => EffectClass::Once,
        _ => EffectClass::Pure,
    };
    step.effect.unwrap_or(unsaid)
}

/// A question changes nothing, and a key lets the other side notice a repetition; of anything else nobody
/// knows.
fn effect_of_request(http: &file::Http) -> EffectClass {
    let has_key = http.headers.iter().any(|header| header.0.eq_ignore_ascii_case("idempotency-key"));
    match http.method.as_str() {
        "GET" | "HEAD" | "OPTIONS" => EffectClass::Pure,
        _ if has_key => EffectClass::Keyed,
        _ => EffectClass::Once,
    }
}

/// The rule with its modes spelled out; none at all means that nothing is tried again.
pub(super) fn retry(policy: &file::RetryPolicy) -> Option<Retry> {
    let on: Vec<FailureMode> = FailureMode::ALL.iter().copied().filter(|mode| policy.covers(*mode)).collect();
    (!on.is_empty()).then(|| Retry {
        max_attempts: policy.max_attempts.max(1),
        kind: policy.backoff,
        delay: policy.delay,
        factor_thousandths: policy.factor_milli,
        max_delay: policy.max_delay,
        jitter: policy.jitter,
        on,
    })
}

pub(super) fn confidence(confidence: &file::Confidence) -> ConfidenceRule {
    ConfidenceRule {
        from: confidence.from.as_ref().map(|name| name.value.clone()),
        min: confidence.min,
        below: confidence.below,
    }
}

/// The sources of texts.
pub(super) fn texts(texts: &[file::Text]) -> Vec<String> {
    texts.iter().map(|text| text.value.clone()).collect()
}

/// The sources of named texts.
pub(super) fn named(texts: &[(String, file::Text)]) -> Vec<(String, String)> {
    texts.iter().map(|(name, text)| (name.clone(), text.value.clone())).collect()
}

/// Named values; the texts in them stay templates.
pub(super) fn data(values: &[(String, file::Data)]) -> Vec<(String, Value)> {
    values.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect()
}

/// The rules of a gate, in the words of the plan.
pub(super) fn gate_rule(gate: &file::Gate) -> GateRule {
    GateRule {
        asks: false,
        prompt: gate.prompt.value.clone(),
        claim: gate.claim.as_ref().map(|claim| claim.value.clone()),
        risk: gate.risk,
        require: gate.require.iter().map(quorum).collect(),
        forbid: gate.forbid.iter().map(forbidden).collect(),
        evidence: texts(&gate.evidence),
        binds: texts(&gate.binds),
        form: gate.form.iter().map(need).collect(),
        auto: gate.auto.as_ref().map(|auto| auto.value.clone()),
        remind: gate.remind.clone(),
        escalate: gate
            .escalate
            .as_ref()
            .map(|escalate| -> (Span, String) { (escalate.after, escalate.to.value.clone()) }),
        timeout: gate.timeout,
        on_timeout: gate.on_timeout,
        on_reject: gate.on_reject,
        undo_window: gate.undo_window,
        reason_required: gate.reason_required,
        touch: gate.touch,
        send_back: gate.send_back.as_ref().map(|send_back| send_back.value.clone()),
        snapshot: gate.snapshot.as_deref().map(texts),
        matrix: None,
    }
}

fn quorum(quorum: &file::Quorum) -> Quorum {
    Quorum { group: quorum.group.as_ref().map(|group| group.value.clone()), count: quorum.count }
}

/// `run.actor` stays the word that everybody knows; any other expression becomes a template.
fn forbidden(forbidden: &file::Forbidden) -> String {
    match forbidden {
        file::Forbidden::Named(name) => name.value.clone(),
        file::Forbidden::Expression(condition) if condition.value.trim() == "run.actor" => {
            "run.actor".to_owned()
        }
        file::Forbidden::Expression(condition) => format!("${{{{ {} }}}}", condition.value.trim()),
    }
}

fn need(field: &file::Field) -> Need {
    Need {
        name: field.name.value.clone(),
        kind: field.kind,
        required: field.required,
        pattern: field.pattern.clone(),
        choices: field.choices.clone(),
        default: field.default.clone(),
        description: field.description.clone(),
    }
}

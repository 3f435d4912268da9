//! From a step to the call it makes: templates and bindings become an environment, a script stays as it was
//! written. No value is ever pasted into the text of a script.

mod differences;
mod foreign;
mod program;
mod work;

pub(super) use differences::differences;
pub(super) use program::{computed_place, is_process, known_programs, names_files, program_at};
pub(super) use work::{
    Beside, beside, fallback_hash, kind, purposes, template_hash, tool_at, undo_work, work_at,
};

use crate::{
    condition::{ENV_DEPTH_MAX, View},
    run::Run,
    talk,
};
use cuelight_base::{
    Digest, EVENT_CONTENT_BYTES_MAX, HTTP_TIMEOUT_DEFAULT, Launch, MCP_TIMEOUT_DEFAULT,
    MODEL_TIMEOUT_DEFAULT, OUTPUT_BYTES_MAX, Program, StepIx, TextPart, Value, ValueMap, json_bytes, sha256,
};
use cuelight_expression::{EvalError, Expr, Hole, Part, Template, evaluate_text};
use cuelight_plan::{
    Amounts, Answers, Currency, EffectClass, Given, ModelWork, PlanStep, PlanTool, ToolUse, Work, expected_of,
};
use foreign::{is_foreign, is_foreign_value};

/// Why a call could not be made up.
pub(super) enum Unresolved {
    /// Files have to be looked at first.
    Needs(Vec<Vec<String>>),
    /// The programs of the call have to be looked at first.
    Programs(Vec<Program>),
    /// The call cannot be made; the message tells why.
    Failed(String),
}

impl From<String> for Unresolved {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<EvalError> for Unresolved {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::NeedsFiles(patterns) => Self::Needs(vec![patterns]),
            EvalError::Function(_) | EvalError::TooLarge(_) => Self::Failed(error.to_string()),
        }
    }
}

/// The call that this work makes at this step, wholly resolved.
pub(super) fn launch(view: View<'_>, work: &Work) -> Result<Launch, Unresolved> {
    let step: &PlanStep = view.run.plan_step(view.step);
    let mut env = Vec::new();
    for (name, template) in view.run.env_of(view.step) {
        env.push((name.clone(), parts(view, name, template)?));
    }
    let called = match work {
        Work::Run { shell, script, bindings } => {
            for (name, expression) in bindings {
                let text = view.bare_text(expression)?;
                env.push((name.clone(), vec![TextPart::Text(checked(name, text)?)]));
            }
            Launch::of(shell.iter().chain([script]))
        }
        Work::Tool(tool_use) => tool(view, tool_use, &env)?,
        Work::Http(work) => {
            let call = work.call(&OfStep(view))?;
            let words = [call.method.clone(), call.shown_url()];
            Launch { http: Some(Box::new(call)), ..Launch::of(words) }
        }
        Work::Model(work) => model(view, work)?,
        Work::Gate(_)
        | Work::Wait(_)
        | Work::Set { .. }
        | Work::Emit(_)
        | Work::Frame(_)
        | Work::Later(_) => {
            return Err(Unresolved::Failed("there is nothing to call".to_owned()));
        }
    };
    let ends_with_console = step.ends_with_console && called.is_process();
    let is_limited = !step.limits.is_none() || step.output_limit.is_some();
    for (key, is_said) in [("limits", is_limited), ("sandbox", step.sandboxed)] {
        if is_said && !called.is_process() {
            return Err(Unresolved::Failed(not_a_process(&called, key)));
        }
    }
    if called.is_claimed()
        && let Some(why) = cannot_be_claimed(view, &env, &called)
    {
        return Err(Unresolved::Failed(why));
    }
    let output_limit = step.output_limit.unwrap_or(called.output_limit);
    let mut http = called.http;
    if let Some(http) = &mut http {
        http.keyed |= step.effect == EffectClass::Keyed;
    }
    env.extend(called.env);
    let dir = step.dir.as_deref().map(|dir| view.text(dir)).transpose()?;
    let artifacts = step.artifacts.iter().map(|artifact| view.text(artifact)).collect::<Result<_, _>>()?;
    let bytes: usize = env.iter().flat_map(|pair: &(String, Vec<TextPart>)| &pair.1).map(text_bytes).sum();
    if bytes > EVENT_CONTENT_BYTES_MAX / 2 {
        return Err(Unresolved::Failed(format!(
            "its environment would have {bytes} bytes, which no program can be given; put large values into files"
        )));
    }
    let usual = called.model.as_ref().map(|_| MODEL_TIMEOUT_DEFAULT);
    let of_server = called.tool.as_ref().and_then(|tool| tool.mcp.as_ref()).map(|_| MCP_TIMEOUT_DEFAULT);
    let timeout = step.timeout.or(of_server).or(http.as_ref().map(|_| HTTP_TIMEOUT_DEFAULT)).or(usual);
    let (limits, sandboxed) = (step.limits, step.sandboxed);
    Ok(Launch {
        env,
        dir,
        artifacts,
        timeout,
        http,
        ends_with_console,
        limits,
        sandboxed,
        output_limit,
        ..called
    })
}

/// The message for a step whose call starts no process, so that this key of its file cannot limit it.
fn not_a_process(called: &Launch, key: &str) -> String {
    let what = called.target().unwrap_or_default();
    format!(
        "{what} is done by cuelight itself and no process is started for it, so nothing can hold it to `{key}`; take that key out"
    )
}

/// The reason why an agent that comes by itself cannot be given this call, if any: it works elsewhere, with
/// the input that it is told and nothing else.
fn cannot_be_claimed(view: View<'_>, env: &[(String, Vec<TextPart>)], called: &Launch) -> Option<String> {
    let step = view.run.plan_step(view.step);
    let what = called.target().unwrap_or_default();
    let shows_files =
        |gate: &StepIx| view.run.step(*gate).facts.as_ref().is_some_and(|facts| facts.shows_files());
    let captures = |gate: &StepIx| matches!(&view.run.plan_step(*gate).work, Work::Gate(rule) if rule.snapshot.is_some());
    let said = if env.iter().flat_map(|pair| &pair.1).any(|part| matches!(part, TextPart::Secret(_))) {
        "is handed no secrets; take them out of `env`, and give them to the agent where it runs"
    } else if step.dir.is_some() {
        "has no directory here; take `working-directory` out"
    } else if !step.artifacts.is_empty() {
        "leaves no files here; take `artifacts` out, and have its result say where they are"
    } else if view.run.gates_above(view.step, |_| true).iter().any(captures) {
        "works elsewhere, where the workspace that a gate has captured is not; give it to an agent that is started here, or have the gate bind files"
    } else if view.run.gates_before(view.step).iter().any(shows_files) {
        "works elsewhere, where the files that a gate has shown are not looked at again; have the gate bind values instead"
    } else {
        return None;
    };
    Some(format!("{what} comes by itself and {said}"))
}

/// The call that one of several tools would make at this step.
pub(super) fn launch_of(view: View<'_>, work: &Work, tool: &str) -> Result<Launch, Unresolved> {
    let Work::Tool(tool_use) = work else { return launch(view, work) };
    launch(
        view,
        &Work::Tool(ToolUse {
            tool: tool.to_owned(),
            with: tool_use.with.clone(),
            route: None,
            given: tool_use.given.clone(),
            undoes: tool_use.undoes,
        }),
    )
}

/// The call of a tool with what this step gives it, checked against its schema.
fn tool(view: View<'_>, tool_use: &ToolUse, env: &[(String, Vec<TextPart>)]) -> Result<Launch, Unresolved> {
    let chosen = tool_use.route.as_ref().and_then(|_| view.run.step(view.step).target.chosen.as_ref());
    let Some(tool) = view.run.plan.tool(chosen.unwrap_or(&tool_use.tool)) else {
        return Err(Unresolved::Failed(format!("its plan has no tool {}", tool_use.tool)));
    };
    if let Some(given) = tool_use.given.as_deref() {
        if tool_use.undoes {
            return taken_back(view, tool, given.clone());
        }
        return tool
            .call(given.clone(), &Given { env, is_foreign: &|_| true, spawned: None })
            .map_err(Unresolved::Failed);
    }
    let mut input = ValueMap::new();
    for (name, value) in tool_use.with.iter().filter(|_| !(tool_use.undoes && is_on_record(view))) {
        input.insert(name.clone(), view.deep(value)?);
    }
    let bytes = json_bytes(&input);
    if bytes > OUTPUT_BYTES_MAX {
        let message = format!(
            "it would be given {bytes} bytes, and a tool takes at most {OUTPUT_BYTES_MAX}; put large values into files"
        );
        return Err(Unresolved::Failed(message));
    }
    if tool_use.undoes {
        return taken_back(view, tool, input);
    }
    let is_foreign = |name: &str| {
        tool_use.with.iter().any(|(given, value)| given == name && is_foreign_value(view, value))
    };
    let spawned = view.run.plan.spawned.as_deref();
    tool.call(input, &Given { env, is_foreign: &is_foreign, spawned }).map_err(Unresolved::Failed)
}

/// True if the input of the call that is undone is known.
fn is_on_record(view: View<'_>) -> bool {
    let step = view.run.step(view.step);
    step.undo.did.as_deref().map_or(&step.undo.called, |did| &did.called).is_some()
}

/// The undo of this step's call, with the recorded input of that call, whatever its words would mean by now.
/// If no call is on record, as for a step that was done by hand, the words as they are now count.
fn taken_back(view: View<'_>, tool: &PlanTool, meant: ValueMap) -> Result<Launch, Unresolved> {
    let step = view.run.step(view.step);
    let (called, brought) = match step.undo.did.as_deref() {
        None => (step.undo.called.as_deref(), &step.outputs),
        Some(did) => (did.called.as_deref(), &did.outputs),
    };
    let brought = (!brought.is_empty()).then_some(brought);
    let gave = brought.or_else(|| called?.gave.as_ref());
    // A call after the one that is taken back may have happened too, with another input.
    let is_other =
        |fields: &ValueMap| step.undo.did.is_some() && called.is_some_and(|called| called.input != *fields);
    let is_clear = !step.undo.called.iter().flat_map(|called| &called.in_doubt).any(is_other);
    let given = match called {
        None => Some(meant),
        Some(called) if is_clear => match called.in_doubt.as_slice() {
            [one] if gave.is_none() => Some(one.clone()),
            [] => Some(called.input.clone()),
            _ => gave.map(|_| called.input.clone()),
        },
        Some(_) => None,
    };
    let given = given.ok_or_else(|| {
        Unresolved::Failed(format!(
            "the input of the last call of {} is unknown; check what happened, undo it by hand, then run \
             `cuelight run settle-undo`",
            tool.id()
        ))
    })?;
    tool.undo_call(given, gave).map_err(Unresolved::Failed)
}

/// The question that is put to a model.
fn model(view: View<'_>, work: &ModelWork) -> Result<Launch, Unresolved> {
    let Some(model) = view.run.plan.model(&work.model) else {
        return Err(Unresolved::Failed(format!("its plan has no model {}", work.model)));
    };
    let (system, prompt) = match talk::around(view.run, view.step) {
        None => (work.system.as_ref().map(|system| view.text(system)).transpose()?, view.text(&work.prompt)?),
        // Made up when its talk opened: all rounds speak of the same question.
        Some((frame, _)) => {
            let said = |name| {
                view.run.step(frame).inside.inputs.get(name).and_then(Value::as_str).map(str::to_owned)
            };
            (said("system"), said("prompt").unwrap_or_default())
        }
    };
    let (tools, rounds) = talk::so_far(view.world, view.run, view.step);
    let call = model.talk(work, system, prompt, tools, rounds).map_err(Unresolved::Failed)?;
    let words = ["ask".to_owned(), call.name.clone()];
    Ok(Launch { model: Some(Box::new(call)), ..Launch::of(words) })
}

/// The charge of a call when it begins: the estimate of its step. For a model without an estimate: the most
/// that the question as it is now and all of the answer may use.
pub(super) fn charge(run: &Run, step: StepIx, launch: &Launch) -> Amounts {
    let plan = run.plan_step(step);
    let (Some(asked), Work::Model(work)) = (&launch.model, &plan.work) else { return plan.estimate };
    let unsaid = run.plan.model(&work.model).map(|model| model.estimate(work)).unwrap_or_default();
    let whole = expected_of(asked);
    [Currency::Tokens, Currency::CostUsd].into_iter().fold(plan.estimate, |sum, currency| {
        if sum.of(currency) == unsaid.of(currency) { sum.with(currency, whole.of(currency)) } else { sum }
    })
}

/// Fills the holes of a request of this step.
struct OfStep<'a>(View<'a>);

impl Answers for OfStep<'_> {
    type Error = Unresolved;

    fn text(&self, hole: &Hole) -> Result<String, Unresolved> {
        Ok(evaluate_text(&hole.expr, &self.0)?)
    }

    fn deep(&self, value: &Value) -> Result<Value, Unresolved> {
        Ok(self.0.deep(value)?)
    }

    fn secret(&self, hole: &Hole) -> Option<Vec<TextPart>> {
        secret_name(&hole.source).map(|secret_name| vec![TextPart::Secret(secret_name)])
    }

    fn is_foreign(&self, expr: &Expr) -> bool {
        is_foreign(self.0, expr, ENV_DEPTH_MAX)
    }
}

/// An environment value: text, with secrets left as names where a hole is one secret and nothing else.
fn parts(view: View<'_>, name: &str, template: &str) -> Result<Vec<TextPart>, Unresolved> {
    if !template.contains("${{") {
        return Ok(vec![TextPart::Text(checked(name, template.to_owned())?)]);
    }
    let template = Template::parse(template).map_err(|error| Unresolved::Failed(error.to_string()))?;
    let mut out = Vec::new();
    for part in template.parts() {
        out.push(match part {
            Part::Text(text) => TextPart::Text(text.clone()),
            Part::Hole(hole) => match secret_name(&hole.source) {
                Some(secret) => TextPart::Secret(secret),
                None => TextPart::Text(checked(name, view.bare_text(&hole.source)?)?),
            },
        });
    }
    Ok(out)
}

fn text_bytes(part: &TextPart) -> usize {
    match part {
        TextPart::Text(text) => text.len(),
        TextPart::Secret(_) => 0,
    }
}

/// The name in an expression that is `secrets.NAME` alone.
fn secret_name(expression: &str) -> Option<String> {
    let (root, name) = expression.trim().split_once('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (root.trim().eq_ignore_ascii_case("secrets") && !name.is_empty() && name.chars().all(plain))
        .then(|| name.to_owned())
}

fn checked(name: &str, text: String) -> Result<String, Unresolved> {
    if text.contains('\0') {
        return Err(Unresolved::Failed(format!(
            "the value of {name} holds a NUL byte, which no program can be given"
        )));
    }
    Ok(text)
}

/// The same over all retries of one effect; another one when a person says "run it again as new".
pub(super) fn effect_key(run: &Run, step: StepIx, purpose: &str) -> Digest {
    let id = &run.plan_step(step).id;
    let generation = run.step(step).tries.generation.to_be_bytes();
    let trace = format!("{}/{}", run.trace, run.id);
    sha256("cuelight-key-v1", &[trace.as_bytes(), id.as_bytes(), purpose.as_bytes(), &generation])
}

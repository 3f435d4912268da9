//! From a step to the call it makes: templates and bindings become an environment, a script stays as it was
//! written. No value is ever pasted into the text of a script.

use crate::{
    FileFact, Purpose,
    condition::{ENV_DEPTH_MAX, View},
    run::Run,
    talk,
};
use cuelight_base::{
    Digest, EVENT_CONTENT_BYTES_MAX, HTTP_TIMEOUT_DEFAULT, HttpCall, Launch, MCP_TIMEOUT_DEFAULT,
    MODEL_TIMEOUT_DEFAULT, OUTPUT_BYTES_MAX, Program, StepIx, TextPart, Value, ValueMap, is_shell,
    json_bytes, sha256,
};
use cuelight_expression::{EvalError, Expr, Hole, Part, Template, evaluate_text};
use cuelight_plan::{
    Amounts, Answers, Currency, EffectClass, FrameKind, Given, ModelWork, PlanStep, PlanTool, ToolUse, Undo,
    Work, expected_of,
};
use std::collections::BTreeSet;

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

/// Another call that a step may make: a fallback, its check or its undo.
pub(super) struct Beside<'a> {
    /// The name in an ask: of the step, or of one of its fallbacks.
    pub(super) name: String,
    /// The word for it.
    pub(super) kind: &'static str,
    pub(super) purpose: Purpose,
    pub(super) work: &'a Work,
}

/// The fallbacks, the check and the undo of a step.
pub(super) fn beside(plan: &PlanStep) -> Vec<Beside<'_>> {
    let fallback = |(which, work): (u32, _)| Beside {
        name: format!("{} (fallback {which})", plan.id),
        kind: kind(work),
        purpose: Purpose::Fallback(which),
        work,
    };
    let own = |kind, purpose, work| Beside { name: plan.id.clone(), kind, purpose, work };
    let check = plan.check.as_deref().map(|work| own("check", Purpose::Check, work));
    let undo = undo_work(plan).map(|undo_work| own("undo", Purpose::Undo, undo_work));
    (1..).zip(&plan.fallback).map(fallback).chain(check).chain(undo).collect()
}

/// All that a step may be called for.
pub(super) fn purposes(plan: &PlanStep) -> impl Iterator<Item = Purpose> {
    let fallbacks = (1..).zip(&plan.fallback).map(|pair| Purpose::Fallback(pair.0));
    let check = plan.check.is_some().then_some(Purpose::Check);
    let undo = undo_work(plan).is_some().then_some(Purpose::Undo);
    std::iter::once(Purpose::Step).chain(fallbacks).chain(check).chain(undo)
}

/// The work that a step calls for this purpose.
fn work_for(plan: &PlanStep, purpose: Purpose) -> Option<&Work> {
    match purpose {
        Purpose::Step => Some(&plan.work),
        Purpose::Fallback(which) => work_at(plan, which),
        Purpose::Undo => undo_work(plan),
        Purpose::Check => plan.check.as_deref(),
    }
}

/// The files that a call of a step names. Values that come of the form of this gate are left open: who
/// approves may still change them, and the ask says so of files that only they name.
pub(super) fn program_at(run: &Run, step: StepIx, gate: StepIx, launch: &Launch) -> Program {
    let around: Vec<StepIx> = std::iter::once(gate).chain(run.frames_of(gate)).collect();
    let plan = run.plan_step(step);
    let is_of_gate = |text: &str| {
        let reads = |expr: &Expr| {
            expr.references().iter().any(|reference| {
                let is_step = matches!(reference.root.to_ascii_lowercase().as_str(), "steps" | "needs");
                let named =
                    |name: &String| run.named(plan.scope, name).is_some_and(|step| around.contains(&step));
                is_step && reference.path.first().is_none_or(named)
            })
        };
        Template::parse(text).is_ok_and(|template| template.holes().any(|hole| reads(&hole.expr)))
    };
    let bound = |name: &str| {
        purposes(plan).filter_map(|purpose| work_for(plan, purpose)).any(|work| match work {
            Work::Run { bindings, .. } => bindings
                .iter()
                .any(|binding| binding.0 == name && is_of_gate(&format!("${{{{ {} }}}}", binding.1))),
            _ => false,
        })
    };
    let is_open = |name: &str| {
        let written = run.env_of(step).rev().find(|pair| pair.0 == name);
        written.is_some_and(|pair| is_of_gate(&pair.1)) || bound(name)
    };
    launch.program_without(&is_open)
}

/// The files that a step names for this purpose, if they are known before the rest of its call: one program,
/// or one for each candidate tool until one is chosen.
pub(super) fn known_programs(
    run: &Run,
    step: StepIx,
    purpose: Purpose,
    chosen: Option<&String>,
) -> Vec<Program> {
    let plan = run.plan_step(step);
    if computed_place(run, step).is_some() {
        return Vec::new();
    }
    let dir = plan.dir.clone();
    // A variable whose value is not known yet is there all the same, with the stretches that are.
    let value = |text: &String| {
        let mut holes = text.split("${{");
        let first = holes.next().map(|hole| TextPart::Text(hole.to_owned()));
        let behind = |hole: &str| {
            let text = hole.split_once("}}").map_or("", |halves| halves.1);
            [TextPart::Secret(String::new()), TextPart::Text(text.to_owned())]
        };
        first.into_iter().chain(holes.flat_map(behind)).collect::<Vec<_>>()
    };
    let program = |(words, variables): (Vec<String>, Vec<(String, String)>)| {
        let of_step = run.env_of(step).map(|(name, text)| (name.clone(), value(text)));
        let own = variables.iter().filter(|(name, _)| run.env_of(step).all(|pair| pair.0 != *name));
        let env: Vec<_> = of_step.chain(own.map(|(name, text)| (name.clone(), value(text)))).collect();
        let program = Launch { env, dir: dir.clone(), ..Launch::of(words) }.program();
        let names = program.shell.is_some() || program.script.is_some() || !program.word.is_empty();
        let names = names || !program.runs.is_empty() || !program.names.is_empty();
        names.then_some(Program { later: true, ..program })
    };
    let words: Vec<_> = match work_for(plan, purpose) {
        Some(Work::Run { shell, script, bindings }) => {
            let words = shell.iter().chain([script]).cloned().collect();
            vec![(
                words,
                bindings
                    .iter()
                    .map(|binding| (binding.0.clone(), format!("${{{{ {} }}}}", binding.1)))
                    .collect(),
            )]
        }
        Some(Work::Tool(tool_use)) => {
            let names: Vec<&String> = match &tool_use.route {
                Some(route) => {
                    chosen.map_or_else(|| route.candidates.iter().collect(), |chosen| vec![chosen])
                }
                None => vec![&tool_use.tool],
            };
            let tools = names.into_iter().filter_map(|name| run.plan.tool(name));
            tools.filter_map(|tool| tool.known_words(tool_use.undoes)).collect()
        }
        _ => Vec::new(),
    };
    let mut programs: Vec<Program> = words.into_iter().filter_map(program).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// The directory or the `PATH` of a step that is known only when it begins, so that no file of it is looked
/// at before.
pub(super) fn computed_place(run: &Run, step: StepIx) -> Option<&str> {
    let search = run.env_of(step).rev().find(|pair| pair.0 == "PATH").map(|pair| pair.1.as_str());
    run.plan_step(step).dir.as_deref().into_iter().chain(search).find(|dir| dir.contains("${{"))
}

/// True when a step starts a program for this purpose.
pub(super) fn is_process(run: &Run, step: StepIx, purpose: Purpose) -> bool {
    match work_for(run.plan_step(step), purpose) {
        Some(Work::Run { .. }) => true,
        Some(Work::Tool(tool_use)) => {
            let mut tools = tool_use.route.iter().flat_map(|route| &route.candidates).chain([&tool_use.tool]);
            tools.any(|name| {
                run.plan.tool(name).is_some_and(|tool| tool.known_words(tool_use.undoes).is_some())
            })
        }
        _ => false,
    }
}

/// True when a step that begins later is bound to these files: to more than the shell that reads its text.
pub(super) fn names_files(program: &Program, files: &[FileFact]) -> bool {
    let is_found = |file: &FileFact| !is_shell(&program.word) || file.path.contains('/');
    let is_ours = |file: &FileFact| file.is_bound() && !file.path.starts_with('/') && is_found(file);
    program.shell.is_some()
        || program.script.is_some()
        || program.word.contains('/')
        || files.first().is_some_and(is_ours)
        || files.iter().skip(1).any(FileFact::is_bound)
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
    let chosen = tool_use.route.as_ref().and_then(|_| view.run.step(view.step).chosen.as_ref());
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
    step.did.as_deref().map_or(&step.called, |did| &did.called).is_some()
}

/// The undo of this step's call, with the recorded input of that call, whatever its words would mean by now.
/// If no call is on record, as for a step that was done by hand, the words as they are now count.
fn taken_back(view: View<'_>, tool: &PlanTool, meant: ValueMap) -> Result<Launch, Unresolved> {
    let step = view.run.step(view.step);
    let (called, brought) = match step.did.as_deref() {
        None => (step.called.as_deref(), &step.outputs),
        Some(did) => (did.called.as_deref(), &did.outputs),
    };
    let brought = (!brought.is_empty()).then_some(brought);
    let gave = brought.or_else(|| called?.gave.as_ref());
    // A call after the one that is taken back may have happened too, with another input.
    let is_other =
        |fields: &ValueMap| step.did.is_some() && called.is_some_and(|called| called.input != *fields);
    let is_clear = !step.called.iter().flat_map(|called| &called.in_doubt).any(is_other);
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
            let said =
                |name| view.run.step(frame).inputs.get(name).and_then(Value::as_str).map(str::to_owned);
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

/// True if an expression reads a value that came from outside: results of steps, state, inputs that another
/// workflow gave.
fn is_foreign(view: View<'_>, expr: &Expr, depth: u8) -> bool {
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

fn is_foreign_value(view: View<'_>, value: &Value) -> bool {
    match value {
        Value::String(text) => is_foreign_text(view, text, ENV_DEPTH_MAX),
        Value::Array(items) => items.iter().any(|item| is_foreign_value(view, item)),
        Value::Object(map) => map.values().any(|value| is_foreign_value(view, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The tool that a step's work at hand uses, if it is one.
pub(super) fn tool_at(run: &Run, step: StepIx, which: u32) -> Option<&PlanTool> {
    let work = work_at(run.plan_step(step), which)?;
    let chosen = run.step(step).chosen.as_deref().filter(|_| work.route().is_some());
    run.plan.tool(chosen.or(work.tool())?)
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

/// The work at hand of a step: itself, or one of its fallbacks (counted from 1).
pub(super) fn work_at(plan: &PlanStep, which: u32) -> Option<&Work> {
    match which {
        0 => Some(&plan.work),
        n => plan.fallback.get(n as usize - 1),
    }
}

/// The undo of a step.
pub(super) fn undo_work(plan: &PlanStep) -> Option<&Work> {
    match &plan.undo {
        Undo::By(work) => Some(work),
        Undo::Unset | Undo::Impossible => None,
    }
}

/// The names of the parts in which two calls differ. Values are left out, because they may stand beside
/// secrets.
pub(super) fn differences(before: &Launch, now: &Launch) -> Vec<String> {
    let mut parts = Vec::new();
    for at in 0..before.argv.len().max(now.argv.len()) {
        if before.argv.get(at) != now.argv.get(at) {
            parts.push(format!("argv[{at}]"));
        }
    }
    let value = |launch: &Launch, name: &String| {
        launch.env.iter().rfind(|pair| pair.0 == *name).map(|pair| pair.1.clone())
    };
    let names: BTreeSet<&String> = before.env.iter().chain(&now.env).map(|pair| &pair.0).collect();
    let differing = names.into_iter().filter(|name| value(before, name) != value(now, name));
    parts.extend(differing.map(|name| format!("env {name}")));
    if before.dir != now.dir {
        parts.push("working-directory".to_owned());
    }
    if before.artifacts != now.artifacts {
        parts.push("artifacts".to_owned());
    }
    if before.tool != now.tool {
        let is_agent = now.tool.as_ref().is_some_and(|tool| tool.agent.is_some());
        parts.push(format!("what its {} is given", if is_agent { "agent" } else { "tool" }));
    }
    if before.model != now.model {
        parts.push("what its model is asked".to_owned());
    }
    parts.extend(requests_differ(before.http.as_deref(), now.http.as_deref()));
    if before.timeout != now.timeout {
        parts.push("timeout".to_owned());
    }
    if before.ends_with_console != now.ends_with_console {
        parts.push("on-console-death".to_owned());
    }
    if (before.limits, before.output_limit) != (now.limits, now.output_limit) {
        parts.push("limits".to_owned());
    }
    if before.sandboxed != now.sandboxed {
        parts.push("sandbox".to_owned());
    }
    parts
}

/// The names of the parts in which two requests differ; the address is `argv[1]`.
fn requests_differ(before: Option<&HttpCall>, now: Option<&HttpCall>) -> Vec<String> {
    let (Some(before), Some(now)) = (before, now) else {
        return if before == now { Vec::new() } else { vec!["its request".to_owned()] };
    };
    let field = |call: &HttpCall, name: &str| -> Vec<Vec<TextPart>> {
        call.headers.iter().filter(|header| header.0 == name).map(|header| header.1.clone()).collect()
    };
    let names: BTreeSet<&String> =
        before.headers.iter().chain(&now.headers).map(|header| &header.0).collect();
    let differing = names.into_iter().filter(|name| field(before, name) != field(now, name));
    let mut parts: Vec<String> = differing.map(|name| format!("header {name}")).collect();
    if before.body != now.body {
        parts.push("body".to_owned());
    }
    let plain = |call: &HttpCall| HttpCall { headers: Vec::new(), body: None, ..call.clone() };
    if parts.is_empty() && plain(before) != plain(now) {
        parts.push("what is expected of its answer".to_owned());
    }
    parts
}

/// The same over all retries of one effect; another one when a person says "run it again as new".
pub(super) fn effect_key(run: &Run, step: StepIx, purpose: &str) -> Digest {
    let id = &run.plan_step(step).id;
    let generation = run.step(step).generation.to_be_bytes();
    let trace = format!("{}/{}", run.trace, run.id);
    sha256("cuelight-key-v1", &[trace.as_bytes(), id.as_bytes(), purpose.as_bytes(), &generation])
}

/// Hash of a step's template, for what cannot be resolved yet.
pub(super) fn template_hash(plan: &PlanStep) -> Digest {
    let template = cuelight_base::canonical_json(&(&plan.work, &plan.env, &plan.dir));
    sha256("cuelight-template-v1", &[template.as_bytes()])
}

/// The same for the fallback of a step.
pub(super) fn fallback_hash(plan: &PlanStep, work: &Work) -> Digest {
    let template = cuelight_base::canonical_json(&(work, &plan.env, &plan.dir));
    sha256("cuelight-template-v1", &[template.as_bytes()])
}

/// The word for a kind of work.
pub(super) fn kind(work: &Work) -> &'static str {
    match work {
        Work::Run { .. } => "run",
        Work::Tool(tool_use) if tool_use.is_agent() => "agent",
        Work::Tool(_) => "uses",
        Work::Http(_) => "http",
        Work::Model(_) => "llm",
        Work::Gate(_) => "gate",
        Work::Wait(_) => "wait",
        Work::Set { .. } => "set",
        Work::Emit(_) => "emit",
        Work::Later(_) => "later",
        Work::Frame(frame) => match frame.kind {
            FrameKind::Matrix | FrameKind::Computed { .. } => "matrix",
            FrameKind::Workflow { .. } => "workflow",
            FrameKind::Talk(_) => "llm",
        },
    }
}

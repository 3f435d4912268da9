//! Lowering of a checked workflow and its inputs to a plan: steps in file order, matrices and other workflows
//! spread out.
//!
//! Checks of the file are not repeated, but anything that would make a wrong plan is refused here too.

use crate::{
    Amounts, CacheRule, Concurrency, Currency, EffectClass, Estimate, Frame, FrameKind, OnError, Plan,
    PlanModel, PlanStep, PlanTool, Requires, Talk, TalkTool, Undo, ValueKind, Work,
    expand::{cells, stamp, too_large, too_many},
    model, order,
    requires::settle_labels,
    work::{
        action, confidence, data, effect, gate_rule, is_call, named, retry, script, shell_of, texts, undo,
        undo_of_tool, work,
    },
};
use cuelight_base::{
    Digest, EVENT_CONTENT_BYTES_MAX, HTTP_TIMEOUT_DEFAULT, MODEL_ROUNDS_DEFAULT, MODEL_TIMEOUT_DEFAULT,
    NESTING_MAX, ProcessLimits, STEPS_MAX, StepIx, Value, ValueMap, json_bytes,
};
use cuelight_definition::{self as file, MatrixSource, Step, StepKind, Workflow};
use cuelight_expression::{MapLookup, Template};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The largest number of characters of a model's name for a tool, before the number that tells equal names
/// apart.
const TOOL_NAME_CHARS_MAX: usize = 56;

/// The plan of one run. `inputs` have been checked; those not given take their defaults. The hash of the
/// files ([`Plan::definition`]) is filled in by the caller that read them.
///
/// # Errors
/// Everything that keeps the workflow from running, each a whole sentence.
pub fn lower(workflow: &Workflow, inputs: ValueMap) -> Result<Plan, Vec<String>> {
    let plan = Lowering::of(workflow, inputs).map_err(|error| vec![error])?;
    if let Some(budget) = &plan.budget {
        Estimate::of(&plan).check(budget).map_err(|error| vec![error])?;
    }
    let impossible: Vec<String> = plan.steps.iter().filter_map(|step| step.check_budget().err()).collect();
    if !impossible.is_empty() {
        return Err(impossible);
    }
    Ok(plan)
}

/// The same to look at: also with what its own budget does not allow, which [`lower`] refuses.
///
/// # Errors
/// The reasons that keep it from being shown at all.
pub fn outline(workflow: &Workflow, inputs: ValueMap) -> Result<Plan, Vec<String>> {
    Lowering::of(workflow, inputs).map_err(|error| vec![error])
}

/// A plan in the making.
#[derive(Default)]
struct Lowering {
    steps: Vec<PlanStep>,
    /// The size of all steps as JSON, in bytes.
    bytes: usize,
    secrets: Vec<String>,
    /// The tools its steps use, each once.
    tools: Vec<PlanTool>,
    /// The models they ask, likewise.
    models: Vec<PlanModel>,
}

/// The place of a step among nested workflows.
#[derive(Clone, Copy)]
struct Standing<'a> {
    /// The prefix of the step's id: `ship/`, or empty.
    path: &'a str,
    /// The workflow frame around it.
    scope: Option<StepIx>,
    /// The number of workflows around it.
    depth: usize,
}

impl Lowering {
    fn of(workflow: &Workflow, mut inputs: ValueMap) -> Result<Plan, String> {
        for (name, value) in defaults(workflow) {
            inputs.entry(name).or_insert(value);
        }
        let mut lowering = Self::default();
        lowering.level(workflow, Standing { path: "", scope: None, depth: 0 })?;
        let mut seen = BTreeSet::new();
        lowering.secrets.retain(|secret| seen.insert(secret.clone()));
        charge_tools(&mut lowering.steps, &lowering.tools);
        model::charge(&mut lowering.steps, &lowering.models);
        lowering.steps.shrink_to_fit();
        settle_labels(&mut lowering.steps, &inputs)?;
        let plan = Plan {
            name: workflow.name.clone(),
            description: workflow.description.clone().unwrap_or_default(),
            file: workflow.file.clone(),
            definition: Digest::default(),
            env: named(&workflow.env),
            secrets: lowering.secrets,
            steps: lowering.steps,
            outputs: named(&workflow.outputs),
            on_failure: workflow.on_failure,
            timeout: workflow.timeout,
            max_parallel: workflow.max_parallel.unwrap_or(0),
            concurrency: workflow
                .concurrency
                .as_ref()
                .map(|value| concurrency(value, &inputs))
                .transpose()?,
            budget: workflow.budget.clone(),
            tools: lowering.tools,
            models: lowering.models,
            spawned: None,
            inputs,
        };
        order(&plan)?;
        Ok(plan)
    }

    /// All steps of one workflow; needs at the end, because they may name a step further down.
    fn level(&mut self, workflow: &Workflow, at: Standing<'_>) -> Result<(), String> {
        self.secrets.extend(workflow.secrets.iter().map(|secret| secret.value.clone()));
        let mut places = BTreeMap::new();
        for step in &workflow.steps {
            let place = StepIx::from_index(self.steps.len());
            if places.insert(step.id.value.as_str(), place).is_some() {
                return Err(format!("could not plan: two steps are called `{}`; rename one", step.id.value));
            }
            self.step(step, at)?;
        }
        for step in &workflow.steps {
            let needs: BTreeSet<StepIx> = step
                .needs
                .iter()
                .map(|need| {
                    places.get(need.value.as_str()).copied().ok_or_else(|| unknown(step, &need.value))
                })
                .collect::<Result<_, _>>()?;
            self.steps[places[step.id.value.as_str()].index()].needs = needs.into_iter().collect();
        }
        Ok(())
    }

    /// One step of the file: itself, or the frame of its copies and the copies.
    fn step(&mut self, step: &Step, at: Standing<'_>) -> Result<(), String> {
        let id = format!("{}{}", at.path, step.id.value);
        self.keep_tools(step, &id)?;
        self.keep_models(step, &id)?;
        let place = StepIx::from_index(self.steps.len());
        let asks_once = matches!(&step.kind, StepKind::Gate(gate) if gate.whole_matrix);
        let Some(matrix) = step.matrix.as_ref().filter(|_| !asks_once) else {
            self.body(step, &id, at.scope, at)?;
            let made = &mut self.steps[place.index()];
            if let (Work::Gate(rule), Some(matrix)) = (&mut made.work, &step.matrix) {
                Arc::make_mut(rule).matrix = Some(whole(&id, &matrix.source)?);
            }
            made.condition = step.condition.as_ref().map(|condition| condition.value.clone());
            made.on_error = step.on_error;
            return Ok(());
        };
        self.push(PlanStep {
            condition: step.condition.as_ref().map(|condition| condition.value.clone()),
            on_error: step.on_error,
            outputs: step.outputs.iter().map(|entry| (entry.name.value.clone(), ValueKind::Array)).collect(),
            title: step.name.as_ref().map(|name| name.value.clone()),
            ..blank(
                step,
                &id,
                at.scope,
                at.scope,
                Work::Frame(Box::new(Frame {
                    kind: FrameKind::Matrix,
                    max_parallel: matrix.max_parallel.unwrap_or(0),
                    fail_fast: matrix.fail_fast,
                    asked: Vec::new(),
                })),
            )
        })?;
        self.body(step, &id, Some(place), at)?;
        let body = self.steps.split_off(place.index() + 1);
        match &matrix.source {
            MatrixSource::Constant(axes) => {
                let cells = cells(axes).map_err(|why| wrong_matrix(&id, &why))?;
                if self.steps.len() + cells.len() * body.len() > STEPS_MAX {
                    return Err(too_many(&id));
                }
                self.weigh(json_bytes(&body).saturating_mul(cells.len()), &id)?;
                let first = StepIx::from_index(self.steps.len());
                self.steps.extend(stamp(&body, first, place, cells));
            }
            MatrixSource::Computed(data) => {
                if let Work::Frame(frame) = &mut self.steps[place.index()].work {
                    frame.kind = FrameKind::Computed { matrix: data.value.clone(), body };
                }
            }
        }
        Ok(())
    }

    /// Adds the step, once; a step that calls a workflow is followed by the steps of that workflow.
    fn body(&mut self, step: &Step, id: &str, frame: Option<StepIx>, at: Standing<'_>) -> Result<(), String> {
        if let StepKind::Workflow(call) = &step.kind {
            return self.workflow(step, call, id, frame, at);
        }
        if let StepKind::Llm(llm) = &step.kind
            && !llm.tools.is_empty()
        {
            return self.talk(step, llm, id, frame, at);
        }
        let work = work(&step.kind).expect("only a step that calls a workflow is more than one step");
        self.push(full(step, id, at.scope, frame, work))
    }

    /// A model that may ask for tools: a frame that grows while it goes on.
    fn talk(
        &mut self,
        step: &Step,
        llm: &file::Llm,
        id: &str,
        frame: Option<StepIx>,
        at: Standing<'_>,
    ) -> Result<(), String> {
        let mut tools: Vec<TalkTool> = Vec::new();
        for offered in &llm.tools {
            let wanted = &offered.tool.value;
            let tool = offered.definition.as_ref().ok_or_else(|| {
                format!("could not plan: step `{id}` offers {wanted}, which is no tool of the registry; check the file")
            })?;
            let kept = PlanTool::of(tool);
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = kept.name.chars().map(plain).take(TOOL_NAME_CHARS_MAX).collect();
            let is_taken = |name: &str| tools.iter().any(|tool| tool.name == name);
            let mut free = name.clone();
            let mut next = 2;
            while is_taken(&free) {
                free = format!("{name}_{next}");
                next += 1;
            }
            let gated = llm.gates_all || tool.needs_gate();
            tools.push(TalkTool { name: free, tool: kept.id(), gated });
            self.keep_tool(kept, id)?;
        }
        let work = work(&step.kind).ok_or_else(|| format!("could not plan: step `{id}` asks no model"))?;
        let whole = full(step, id, None, None, work);
        let ask = PlanStep {
            needs: Vec::new(),
            outputs: Vec::new(),
            undo: Undo::Unset,
            title: None,
            budget: None,
            ..whole
        };
        let rounds = llm.rounds.unwrap_or(MODEL_ROUNDS_DEFAULT);
        let gate = llm.gate.as_deref().map(|gate| Box::new(gate_rule(gate)));
        let kind = FrameKind::Talk(Box::new(Talk { ask, tools, rounds, gate }));
        let work =
            Work::Frame(Box::new(Frame { kind, max_parallel: 0, fail_fast: false, asked: Vec::new() }));
        let whole = full(step, id, at.scope, frame, work);
        self.push(PlanStep {
            timeout: None,
            retry: None,
            fallback: Vec::new(),
            effect: EffectClass::Pure,
            estimate: Amounts::default(),
            ..whole
        })
    }

    fn workflow(
        &mut self,
        step: &Step,
        call: &file::Call,
        id: &str,
        frame: Option<StepIx>,
        at: Standing<'_>,
    ) -> Result<(), String> {
        let Some(inner) = call.body.as_deref() else {
            let path = &call.path.value;
            return Err(format!(
                "could not plan: step `{id}` calls {path}, which was not read; check that file"
            ));
        };
        if at.depth >= NESTING_MAX {
            return Err(format!(
                "could not plan: step `{id}` calls a workflow inside {NESTING_MAX} others, which is the limit; \
                 call it further up"
            ));
        }
        let place = StepIx::from_index(self.steps.len());
        let kind = FrameKind::Workflow {
            file: inner.file.clone(),
            inputs: data(&call.inputs),
            defaults: defaults(inner).collect(),
            outputs: named(&inner.outputs),
            env: named(&inner.env),
        };
        let max_parallel = inner.max_parallel.unwrap_or(0);
        let work = Work::Frame(Box::new(Frame { kind, max_parallel, fail_fast: false, asked: Vec::new() }));
        self.push(PlanStep {
            timeout: step.timeout.or(inner.timeout),
            ..full(step, id, at.scope, frame, work)
        })?;
        let path = format!("{id}/");
        self.level(inner, Standing { path: &path, scope: Some(place), depth: at.depth + 1 })
    }

    fn push(&mut self, step: PlanStep) -> Result<(), String> {
        if self.steps.len() >= STEPS_MAX {
            return Err(too_many(&step.id));
        }
        self.weigh(json_bytes(&step), &step.id)?;
        self.steps.push(step);
        Ok(())
    }

    /// Counts the bytes of what is added at this step, before they are made.
    fn weigh(&mut self, bytes: usize, id: &str) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > EVENT_CONTENT_BYTES_MAX { Err(too_large(id)) } else { Ok(()) }
    }

    /// Keeps the definitions of the tools of a step, as they are now.
    fn keep_tools(&mut self, step: &Step, id: &str) -> Result<(), String> {
        for uses in step.tools() {
            let wanted = &uses.tool.value;
            let tool = uses.definition.as_ref().ok_or_else(|| {
                format!("could not plan: step `{id}` uses {wanted}, which is no tool of the registry; check the file")
            })?;
            self.keep_tool(PlanTool::of(tool), id)?;
        }
        Ok(())
    }

    fn keep_tool(&mut self, kept: PlanTool, id: &str) -> Result<(), String> {
        if !self.tools.iter().any(|tool| tool.name == kept.name && tool.version == kept.version) {
            self.weigh(json_bytes(&kept), id)?;
            self.tools.push(kept);
        }
        Ok(())
    }

    /// Keeps the descriptions of the models of a step, as they are now.
    fn keep_models(&mut self, step: &Step, id: &str) -> Result<(), String> {
        let StepKind::Llm(llm) = &step.kind else { return Ok(()) };
        if llm.candidates.is_empty() {
            return Err(format!("could not plan: step `{id}` asks no model of the registry; check the file"));
        }
        for model in &llm.candidates {
            if !self.models.iter().any(|plan_model| plan_model.name == model.name) {
                let kept = PlanModel::of(model);
                self.weigh(json_bytes(&kept), id)?;
                self.models.push(kept);
            }
        }
        Ok(())
    }
}

/// Sets the cost of a step that calls a tool and gives no cost of its own to the cost of the tool.
fn charge_tools(steps: &mut [PlanStep], tools: &[PlanTool]) {
    for step in steps {
        if let Work::Frame(frame) = &mut step.work
            && let FrameKind::Computed { body, .. } = &mut frame.kind
        {
            charge_tools(body, tools);
        }
        let Work::Tool(uses) = &step.work else { continue };
        // Of several tools nobody knows yet which one is called: what the dearest of them costs.
        let is_meant = |tool: &&PlanTool| {
            tool.id() == uses.tool || uses.route.iter().any(|route| route.candidates.contains(&tool.id()))
        };
        let cost = tools.iter().filter(is_meant).map(|tool| tool.cost_micro_usd).max().unwrap_or(0);
        if step.estimate.is_nothing() {
            step.estimate = step.estimate.with(Currency::CostUsd, cost);
        }
    }
}

/// A matrix as one value: a list of its copies, or the template that yields it.
fn whole(id: &str, source: &MatrixSource) -> Result<Value, String> {
    match source {
        MatrixSource::Computed(data) => Ok(data.value.clone()),
        MatrixSource::Constant(axes) => {
            let cells = cells(axes).map_err(|why| wrong_matrix(id, &why))?;
            Ok(Value::Array(cells.into_iter().map(|cell| Value::Object(cell.values)).collect()))
        }
    }
}

fn wrong_matrix(id: &str, why: &str) -> String {
    format!("could not plan: the matrix of step `{id}`: {why}")
}

/// A step with all that belongs to doing it.
fn full(step: &Step, id: &str, scope: Option<StepIx>, frame: Option<StepIx>, work: Work) -> PlanStep {
    let shell = shell_of(&step.kind);
    let calls = is_call(&step.kind);
    // When one model fails, the next is asked the same.
    let (asked_next, retry_unsaid) = match &step.kind {
        StepKind::Llm(llm) => (model::works(llm).split_off(1), Some(model::retry())),
        _ => (Vec::new(), None),
    };
    let fallback = step.fallback.iter().map(|fallback| action(&fallback.action, &shell));
    PlanStep {
        env: named(&step.env),
        dir: match &step.kind {
            StepKind::Run(run) => {
                run.working_directory.as_ref().map(|working_directory| working_directory.value.clone())
            }
            _ => None,
        },
        timeout: step.timeout.or(match step.kind {
            StepKind::Http(_) => Some(HTTP_TIMEOUT_DEFAULT),
            StepKind::Llm(_) => Some(MODEL_TIMEOUT_DEFAULT),
            _ => None,
        }),
        retry: match &step.retry {
            Some(policy) => retry(policy).filter(|_| calls || matches!(step.kind, StepKind::Workflow(_))),
            None => retry_unsaid,
        }
        .map(Box::new),
        fallback: asked_next.into_iter().chain(fallback).collect(),
        undo: match &step.undo {
            None => undo_of_tool(step),
            said => undo(said.as_ref(), &shell),
        },
        outputs: step.outputs.iter().map(|entry| (entry.name.value.clone(), entry.kind)).collect(),
        artifacts: texts(&step.artifacts),
        effect: effect(step),
        ends_with_console: step.on_console_death == file::OnConsoleDeath::Kill,
        limits: step.limits.process,
        output_limit: step.limits.output_bytes,
        sandboxed: step.sandbox == Some(file::Sandbox::Strict),
        requires: step.requires.clone(),
        check: step.check.as_ref().map(|check| Box::new(script(check, &shell))),
        category: step.category.clone(),
        confidence: step.confidence.as_ref().map(|score| Box::new(confidence(score))),
        title: step.name.as_ref().map(|name| name.value.clone()),
        budget: step.usage.budget.clone().map(Box::new),
        estimate: Amounts {
            calls: 0,
            tokens: step.usage.estimate.tokens,
            cost_micro_usd: step.usage.estimate.cost_micro_usd,
        },
        cache: step
            .cache
            .as_ref()
            .map(|cache| Box::new(CacheRule { key: cache.key.value.clone(), ttl: cache.ttl })),
        ..blank(step, id, scope, frame, work)
    }
}

/// A step with nothing but its work.
fn blank(step: &Step, id: &str, scope: Option<StepIx>, frame: Option<StepIx>, work: Work) -> PlanStep {
    PlanStep {
        id: id.to_owned(),
        local: step.id.value.clone(),
        scope,
        frame,
        needs: Vec::new(),
        condition: None,
        work,
        env: Vec::new(),
        dir: None,
        timeout: None,
        retry: None,
        on_error: OnError::Abort,
        fallback: Vec::new(),
        undo: Undo::Unset,
        outputs: Vec::new(),
        artifacts: Vec::new(),
        effect: EffectClass::Pure,
        ends_with_console: false,
        limits: ProcessLimits::default(),
        output_limit: None,
        sandboxed: false,
        requires: Requires::default(),
        check: None,
        priority: step.priority,
        category: None,
        confidence: None,
        matrix: ValueMap::new(),
        title: None,
        budget: None,
        estimate: Amounts::default(),
        cache: None,
    }
}

fn defaults(workflow: &Workflow) -> impl Iterator<Item = (String, Value)> {
    workflow.inputs.iter().filter_map(|input| Some((input.name.value.clone(), input.default.clone()?)))
}

fn unknown(step: &Step, need: &str) -> String {
    format!("could not plan: step `{}` needs `{need}`, and there is no such step; add it", step.id.value)
}

fn concurrency(rule: &file::Concurrency, inputs: &ValueMap) -> Result<Concurrency, String> {
    let source = &rule.group.value;
    let wrong = |why: String| format!("could not plan: the concurrency group {source:?}: {why}");
    let template = Template::parse(source).map_err(|error| wrong(error.to_string()))?;
    let contexts = ValueMap::from_iter([("inputs".to_owned(), Value::Object(inputs.clone()))]);
    let group =
        template.evaluate_text(&MapLookup::new(contexts)).map_err(|error| wrong(error.to_string()))?;
    let (on_conflict, cancel_waiting) = (rule.on_conflict, rule.cancel_waiting);
    Ok(Concurrency { group, on_conflict, cancel_waiting })
}

//! A run and its steps as JSON.

use super::{gate::GateAnswer, health::BudgetAnswer};
use crate::spelled::{decimal, text, to_value};
use crate::{Board, GateView, RunSummary, RunView, StepView, UndoState, kind_word, words};
use cuelight_base::{Actor, FailureMode, StepIx, Timestamp, Value, ValueMap};
use cuelight_engine::{CauseOfLaunch, PartialResult, StepState};
use cuelight_plan::{Amounts, Currency, PlanStep};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// A run, as `runs --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunAnswer {
    #[serde(flatten)]
    head: Head,
    /// The same as `counts`, under its first name; `steps` of `show --json` is the list of the steps.
    #[schemars(with = "BTreeMap<String, u64>")]
    steps: ValueMap,
    #[serde(flatten)]
    figures: Figures,
    /// The number of steps, in all and by state.
    #[schemars(with = "BTreeMap<String, u64>")]
    counts: ValueMap,
}

/// The identity and the origin of a run.
#[derive(Serialize, JsonSchema)]
struct Head {
    id: String,
    workflow: String,
    state: &'static str,
    stage: &'static str,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// The name of the requester.
    actor: String,
    trace: String,
    /// The hash of the plan.
    plan: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fork_of: Option<String>,
    /// The number of the record that it was forked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    fork_at: Option<u64>,
    /// The changes against the run that it does again.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrected: Option<Value>,
}

/// The figures of a run.
#[derive(Serialize, JsonSchema)]
struct Figures {
    /// From 0 to 100.
    health: u16,
    #[schemars(with = "f64")]
    quality: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    confidence: Option<Value>,
    calls: u64,
    /// The usage in each currency; money in dollars.
    #[schemars(with = "BTreeMap<String, f64>")]
    spent: ValueMap,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    budget: Vec<BudgetAnswer>,
    open_gates: u32,
}

/// The run, its steps, its gates, and what is known when it did not complete.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RunInFull")]
pub struct ShowAnswer {
    #[serde(flatten)]
    head: Head,
    steps: Vec<StepAnswer>,
    #[serde(flatten)]
    figures: Figures,
    /// The number of steps, in all and by state.
    #[schemars(with = "BTreeMap<String, u64>")]
    counts: ValueMap,
    gates: Vec<GateAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<PartialAnswer>,
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    outputs: ValueMap,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// The part of a run that is done, when the rest will not be.
#[derive(Serialize, JsonSchema)]
struct PartialAnswer {
    #[schemars(with = "f64")]
    completion_ratio: Value,
    suggestion: String,
    failure_mode: Option<&'static str>,
    failure_point: Option<String>,
    completed: u32,
    failed: u32,
    remaining: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_outputs: Option<LastOutputs>,
}

/// The outputs of the step that completed last.
#[derive(Serialize, JsonSchema)]
struct LastOutputs {
    step: String,
    outputs: ValueMap,
}

/// A step of a run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepAnswer {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    kind: String,
    state: &'static str,
    /// The reason of its state, or of its wait, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, f64>>")]
    spent: Option<ValueMap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, f64>>")]
    budget: Option<ValueMap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    outputs: ValueMap,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    confidence: Option<Value>,
    /// The step around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<Value>,
    /// The run that made its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by_hand: Option<ByHand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<Value>,
    /// The number of the fallback that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<u64>,
    /// `asked`, `done`, or `stuck`.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
}

/// The person who ended a step by hand, and why.
#[derive(Serialize, JsonSchema)]
struct ByHand {
    by: String,
    reason: String,
}

/// `runs --json`: all runs that are known, oldest first.
pub fn runs_json(board: &Board) -> Value {
    to_value(&board.listed().map(RunAnswer::of).collect::<Vec<_>>())
}

/// One run, as `runs --json` lists it.
pub fn run_json(run: &RunSummary) -> Value {
    to_value(&RunAnswer::of(run))
}

/// `show RUN --json`: the run, its steps, its gates, and what is known when it did not complete.
pub fn show_json(board: &Board, run: &RunView) -> Value {
    shown(board, run, GateAnswer::of)
}

/// The same, with all that this caller may do at each gate.
pub fn show_json_to(board: &Board, run: &RunView, caller: (&Actor, Timestamp)) -> Value {
    shown(board, run, |gate| GateAnswer::to(gate, caller))
}

fn shown(board: &Board, run: &RunView, gate_answer: impl Fn(&Arc<GateView>) -> GateAnswer) -> Value {
    let gates = board.gates().filter(|gate| gate.run == run.id());
    to_value(&ShowAnswer {
        head: Head::of(&run.summary),
        steps: run.steps().map(|(index, plan, view)| StepAnswer::of(run, index, plan, view)).collect(),
        figures: Figures::of(&run.summary),
        counts: counts(&run.summary),
        gates: gates.map(gate_answer).collect(),
        partial: run.partial.as_deref().map(|partial| PartialAnswer::of(run, partial)),
        outputs: run.outputs.clone(),
        error: run.error.as_deref().map(to_value),
    })
}

impl RunAnswer {
    /// One run, as `runs --json` lists it.
    pub fn of(run: &RunSummary) -> Self {
        Self { head: Head::of(run), steps: counts(run), figures: Figures::of(run), counts: counts(run) }
    }
}

impl Head {
    fn of(run: &RunSummary) -> Self {
        let (mut retry, mut fork) = (None, None);
        match &run.cause {
            CauseOfLaunch::Retry { of, from, .. } => retry = Some((of.to_string(), from.word())),
            CauseOfLaunch::Fork { of, at, .. } => fork = Some((of.to_string(), at.0)),
            CauseOfLaunch::Asked | CauseOfLaunch::Schedule(_) => {}
        }
        let ((retry_of, retry_from), (fork_of, fork_at)) = (retry.unzip(), fork.unzip());
        Self {
            id: run.id.to_string(),
            workflow: (*run.workflow).to_owned(),
            state: run.state.word(),
            stage: run.stage().word(),
            started_at: run.started_at.unwrap_or(run.created_at).to_string(),
            ended_at: text(run.ended_at),
            actor: run.by.name.clone(),
            trace: (*run.trace).to_owned(),
            plan: run.plan_hash.to_string(),
            retry_of,
            retry_from,
            fork_of,
            fork_at,
            corrected: run.cause.corrected().map(to_value),
        }
    }
}

impl Figures {
    fn of(run: &RunSummary) -> Self {
        Self {
            health: run.health().0,
            quality: decimal(run.quality()),
            confidence: run.confidence().map(decimal),
            calls: run.spent.calls,
            spent: spent(run.spent),
            budget: run.budgets().iter().map(BudgetAnswer::of).collect(),
            open_gates: run.open_gates,
        }
    }
}

impl PartialAnswer {
    fn of(run: &RunView, partial: &PartialResult) -> Self {
        let last_outputs = partial.last_done.as_ref().map(|id| {
            let step = run.find(id).and_then(|step| run.step(step));
            let outputs = step.and_then(StepView::outputs).cloned().unwrap_or_default();
            LastOutputs { step: id.clone(), outputs }
        });
        Self {
            completion_ratio: decimal(partial.completion_ratio),
            suggestion: partial.suggestion.clone(),
            failure_mode: partial.failure_mode.map(FailureMode::word),
            failure_point: partial.failure_point.clone(),
            completed: partial.completed,
            failed: partial.failed,
            remaining: partial.remaining,
            last_outputs,
        }
    }
}

impl StepAnswer {
    fn of(run: &RunView, index: StepIx, plan: &PlanStep, view: &StepView) -> Self {
        let reason = view.why().map(|why| words::why_words(why, Some(run)));
        let has_spent = !view.spent().with(Currency::Calls, 0).is_nothing() || plan.budget.is_some();
        let origin = view.origin();
        let by_hand =
            view.by_hand().map(|hand| ByHand { by: hand.by.name.clone(), reason: hand.reason.clone() });
        let by_origin = origin.and_then(|origin| {
            let by = origin.by.as_ref()?;
            Some(ByHand { by: by.name.clone(), reason: origin.reason.clone() })
        });
        Self {
            id: plan.id.clone(),
            title: plan.title.clone(),
            kind: kind_word(&plan.work).to_owned(),
            state: view.state.word(),
            reason: reason.or_else(|| view.wait().map(words::wait_words)),
            attempts: view.calls,
            spent: has_spent.then(|| spent(view.spent())),
            budget: run.step_ceilings.get(&index).map(|ceilings| ceilings.all().map(amount).collect()),
            started_at: text(view.started_at),
            ended_at: text(view.ended_at),
            outputs: view.outputs().cloned().unwrap_or_default(),
            error: view.error().map(|record| to_value(&**record)),
            confidence: view.confidence().map(decimal),
            frame: plan.frame.map(|frame| run.step_id(frame)),
            cached: view.cached().map(to_value),
            kept_from: origin.map(|origin| origin.run.to_string()),
            by_hand: by_hand.or(by_origin),
            choice: view.choice().map(to_value),
            fallback: (view.fallback() > 0).then(|| view.fallback().into()),
            undo: match view.undo() {
                UndoState::None => None,
                UndoState::Asked => Some("asked"),
                UndoState::Done(_) => Some("done"),
                UndoState::Stuck(_) => Some("stuck"),
            },
            gate: text(view.gate()),
        }
    }
}

fn spent(spent: Amounts) -> ValueMap {
    Currency::ALL.into_iter().map(|currency| amount((currency, spent.of(currency)))).collect()
}

fn amount((currency, amount): (Currency, u64)) -> (String, Value) {
    (currency.word().replace('-', "_"), currency.value(amount))
}

fn counts(run: &RunSummary) -> ValueMap {
    let total = [("total".to_owned(), run.counts.total().into())];
    let by_state =
        StepState::ALL.iter().map(|state| (state.word().replace('-', "_"), run.counts.of(*state).into()));
    total.into_iter().chain(by_state).collect()
}

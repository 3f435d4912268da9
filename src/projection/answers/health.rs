//! The health of the workspace as JSON: scores, checks, signals, budgets, targets.

use crate::spelled::{decimal, text, to_value};
use crate::{
    Board, BudgetView, Check, Health, Percentiles, Period, Reason, RunSummary, Signals, Tally, TargetView,
    overall,
};
use cuelight_base::{Circuit, FailureMode, Timestamp, Value, ValueMap};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Reasons in the answer.
const REASONS_MAX: usize = 20;

/// The figures of a workspace, as `engine health --json` tells them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub struct HealthAnswer {
    at: String,
    health: ScoreAnswer,
    #[schemars(with = "f64")]
    quality: Value,
    /// The number of results that the quality is made of.
    results: usize,
    /// The quality of the last runs. The score is the lower of both.
    #[schemars(with = "f64")]
    quality_of_runs: Value,
    /// Losses of the score, the largest first.
    reasons: Vec<ReasonAnswer>,
    checks: Vec<CheckAnswer>,
    /// The worst of the checks.
    overall: &'static str,
    /// Signals of the last time, by period.
    #[schemars(with = "BTreeMap<String, SignalsAnswer>")]
    signals: ValueMap,
    /// Runs that are open.
    runs: Vec<OpenRun>,
    workflows: Vec<TallyAnswer>,
    /// The results of each kind of steps.
    kinds: Vec<TallyAnswer>,
    /// Budgets of open runs, the one that is used most first.
    budgets: Vec<OpenBudget>,
    targets: Vec<TargetAnswer>,
    errors: ErrorCounts,
}

/// A score from 0 to 100, and the word for it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HealthScore")]
struct ScoreAnswer {
    score: u16,
    label: &'static str,
}

/// A loss of the score.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reason")]
struct ReasonAnswer {
    workflow: String,
    /// The failure mode, or `partial`.
    mode: &'static str,
    /// The step and the run that it happened to last.
    step: String,
    run: String,
    times: u32,
    #[schemars(with = "f64")]
    lost: Value,
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct CheckAnswer {
    name: &'static str,
    /// `healthy`, `degraded`, or `unhealthy`.
    state: &'static str,
    text: String,
}

/// An open run and its health.
#[derive(Serialize, JsonSchema)]
struct OpenRun {
    id: String,
    workflow: String,
    health: ScoreAnswer,
    #[schemars(with = "Option<f64>")]
    confidence: Option<Value>,
}

/// A budget of an open run.
#[derive(Serialize, JsonSchema)]
struct OpenBudget {
    #[serde(flatten)]
    budget: BudgetAnswer,
    run: String,
    workflow: String,
}

/// One line of a budget; money in dollars.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
pub(super) struct BudgetAnswer {
    currency: &'static str,
    #[schemars(with = "f64")]
    used: Value,
    #[schemars(with = "f64")]
    limit: Value,
    #[schemars(with = "f64")]
    forecast: Value,
    state: &'static str,
}

/// The failures that are open.
#[derive(Serialize, JsonSchema)]
struct ErrorCounts {
    open: usize,
    urgent: usize,
    /// The number of failures since the log began, by type.
    #[schemars(with = "BTreeMap<String, u32>")]
    types: ValueMap,
}

/// The golden signals over a period.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Signals")]
struct SignalsAnswer {
    #[schemars(with = "f64")]
    success: Value,
    #[schemars(with = "f64")]
    errors: Value,
    #[schemars(with = "f64")]
    call_errors: Value,
    results: u32,
    calls: u32,
    runs: u32,
    runs_failed: u32,
    #[schemars(with = "f64")]
    steps_per_run: Value,
    events_per_minute: u64,
    run_ms: Option<PercentilesAnswer>,
    step_ms: Option<PercentilesAnswer>,
    call_ms: Option<PercentilesAnswer>,
    gate_wait_ms: Option<PercentilesAnswer>,
    planning_ms: Option<PercentilesAnswer>,
    routing_ms: Option<PercentilesAnswer>,
    running: u32,
    running_most: u32,
    ready: u32,
    ready_most: u32,
}

/// Lengths of time in milliseconds: half, 95 and 99 of 100 took at most so long.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Percentiles")]
struct PercentilesAnswer {
    p50: u64,
    p95: u64,
    p99: u64,
    count: usize,
}

/// The results of a workflow or of a kind of steps.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tally")]
struct TallyAnswer {
    name: String,
    health: ScoreAnswer,
    done: u64,
    partial: u64,
    failed: u64,
    calls: u64,
    ended: u64,
    last_at: String,
    took_ms: Option<PercentilesAnswer>,
    last_failure: Option<LastFailure>,
}

/// The last failure and its mode.
#[derive(Serialize, JsonSchema)]
struct LastFailure {
    at: String,
    mode: &'static str,
}

/// A target of calls: its breaker, and the rest of its rate.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Target")]
struct TargetAnswer {
    name: String,
    circuit: &'static str,
    /// Steps that wait for it.
    waiting: usize,
    /// The instant from which an open circuit lets a call through.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Calls in a row that succeeded, of a half open circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    successes: Option<u32>,
    /// Calls in a row that failed, of a closed circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// The rule of its rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Value>,
    /// The usage of its rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<Value>,
    /// The reason why its circuit opened.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl HealthAnswer {
    /// The health of a workspace, with these checks. Foreign text is carried as it came.
    pub fn of(board: &Board, checks: &[Check], now: Timestamp) -> Self {
        let vitals = board.vitals();
        let signals = |period: Period| {
            let signals = SignalsAnswer::of(&vitals.signals(period, now));
            (period.word().to_owned(), to_value(&signals))
        };
        let types = board.error_types().iter();
        Self {
            at: now.to_string(),
            health: ScoreAnswer::of(board.health()),
            quality: decimal(vitals.quality()),
            quality_of_runs: decimal(vitals.quality_of_runs()),
            results: vitals.results(),
            reasons: vitals.reasons().iter().take(REASONS_MAX).map(ReasonAnswer::of).collect(),
            checks: checks.iter().map(CheckAnswer::of).collect(),
            overall: overall(checks).word(),
            signals: Period::ALL.into_iter().map(signals).collect(),
            runs: board.open_runs().map(|run| OpenRun::of(&run.summary)).collect(),
            workflows: vitals.workflows().map(TallyAnswer::of).collect(),
            kinds: vitals.kinds().map(TallyAnswer::of).collect(),
            budgets: board.budgets().iter().map(OpenBudget::of).collect(),
            targets: board
                .targets()
                .map(|(name, target)| TargetAnswer::of(name, target, board.waiting_for(name).count()))
                .collect(),
            errors: ErrorCounts {
                open: board.open_error_count(),
                urgent: board.urgent_error_count(),
                types: types.map(|(kind, count)| (kind.word().to_owned(), (*count).into())).collect(),
            },
        }
    }
}

impl ScoreAnswer {
    const fn of(health: Health) -> Self {
        Self { score: health.0, label: health.label() }
    }
}

impl ReasonAnswer {
    fn of(reason: &Reason) -> Self {
        Self {
            workflow: (*reason.workflow).to_owned(),
            mode: reason.mode.map_or("partial", FailureMode::word),
            step: (*reason.step).to_owned(),
            run: reason.run.to_string(),
            times: reason.times,
            lost: decimal_tenths(reason.lost_tenths.into()),
        }
    }
}

impl CheckAnswer {
    fn of(check: &Check) -> Self {
        Self { name: check.name, state: check.grade.word(), text: check.text.clone() }
    }
}

impl OpenRun {
    fn of(run: &RunSummary) -> Self {
        Self {
            id: run.id.to_string(),
            workflow: (*run.workflow).to_owned(),
            health: ScoreAnswer::of(run.health()),
            confidence: run.confidence().map(decimal),
        }
    }
}

impl OpenBudget {
    fn of(budget: &BudgetView) -> Self {
        Self {
            budget: BudgetAnswer::of(budget),
            run: budget.run.to_string(),
            workflow: (*budget.workflow).to_owned(),
        }
    }
}

impl BudgetAnswer {
    pub(super) fn of(budget: &BudgetView) -> Self {
        let value = |amount| budget.currency.value(amount);
        Self {
            currency: budget.currency.word(),
            used: value(budget.used),
            limit: value(budget.limit),
            forecast: value(budget.forecast),
            state: budget.grade().word(),
        }
    }
}

impl SignalsAnswer {
    fn of(signals: &Signals) -> Self {
        let sum = &signals.sum;
        let percentiles = |of: &Option<Percentiles>| of.as_ref().map(PercentilesAnswer::of);
        Self {
            success: decimal(signals.success),
            errors: decimal(signals.errors),
            call_errors: decimal(signals.call_errors),
            results: sum.done + sum.partial + sum.failed,
            calls: sum.calls,
            runs: sum.runs,
            runs_failed: sum.runs_failed,
            steps_per_run: decimal_tenths(signals.steps_per_run_tenths),
            events_per_minute: signals.events_per_minute,
            run_ms: percentiles(&signals.runs),
            step_ms: percentiles(&signals.steps),
            call_ms: percentiles(&signals.calls),
            gate_wait_ms: percentiles(&signals.gates),
            planning_ms: percentiles(&signals.planning),
            routing_ms: percentiles(&signals.routing),
            running: signals.running,
            running_most: sum.running,
            ready: signals.ready,
            ready_most: sum.ready,
        }
    }
}

impl PercentilesAnswer {
    const fn of(percentiles: &Percentiles) -> Self {
        let Percentiles { p50, p95, p99, count } = percentiles;
        Self { p50: p50.0, p95: p95.0, p99: p99.0, count: *count }
    }
}

impl TallyAnswer {
    fn of((name, tally): (&str, &Tally)) -> Self {
        Self {
            name: name.to_owned(),
            health: ScoreAnswer::of(tally.health()),
            done: tally.done,
            partial: tally.partial,
            failed: tally.failed,
            calls: tally.calls,
            ended: tally.ended,
            last_at: tally.last_at.to_string(),
            took_ms: tally.took().as_ref().map(PercentilesAnswer::of),
            last_failure: tally
                .last_failure
                .map(|(at, mode)| LastFailure { at: at.to_string(), mode: mode.word() }),
        }
    }
}

impl TargetAnswer {
    fn of(name: &str, target: &TargetView, waiting: usize) -> Self {
        let (mut until, mut successes, mut failures) = (None, None, None);
        match target.circuit {
            Circuit::Open { until: end } => until = Some(end),
            Circuit::HalfOpen { successes: count } => successes = Some(count),
            Circuit::Closed { failures: count } => failures = Some(count),
        }
        Self {
            name: name.to_owned(),
            circuit: target.circuit.word(),
            waiting,
            until: text(until),
            successes,
            failures,
            rate: target.taken.as_ref().map(|(_, rate)| to_value(rate)),
            taken: target.taken.as_ref().map(|(bucket, _)| to_value(bucket)),
            reason: target.reason.clone(),
        }
    }
}

fn decimal_tenths(tenths: u64) -> Value {
    let text = format!("{}.{}", tenths / 10, tenths % 10);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

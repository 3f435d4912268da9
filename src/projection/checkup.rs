//! The health of the workspace in words and grades: checks, budgets with their forecast, one line and one
//! report.
//!
//! Disk and engine are not checked here; callers that can reach them add checks of their own.

use crate::{
    Board, GateView, Health, Percentiles, Period, Reason, RunSummary, Signals, Tally, TargetView,
    spelled::{decimal, to_value},
};
use cuelight_base::{RunId, Score, Span, Timestamp, Value, counted, plural};
use cuelight_engine::OVERRIDE;
use cuelight_plan::{Currency, is_mostly_used};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// An event may be so much ahead of a clock without anybody wondering.
const AHEAD_MAX: Span = Span::seconds(2);
/// Reasons in the report.
const REASONS_MAX: usize = 20;

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    #[default]
    Healthy,
    /// It goes on, but somebody should look.
    Degraded,
    /// It does not go on.
    Unhealthy,
}

impl Grade {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The name of the check.
    pub name: &'static str,
    /// The result of the check.
    pub grade: Grade,
    /// The details in words.
    pub text: String,
}

impl Check {
    /// A check that came out so.
    pub fn of(name: &'static str, grade: Grade, text: impl Into<String>) -> Self {
        Self { name, grade, text: text.into() }
    }
}

/// The usage of one budget of a run in one currency, with its forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetView {
    /// The run with the budget.
    pub run: RunId,
    /// Its workflow; foreign text.
    pub workflow: Arc<str>,
    /// The currency of the budget.
    pub currency: Currency,
    /// The amount used so far.
    pub used: u64,
    /// The most that may be used.
    pub limit: u64,
    /// Used at its end, if it goes on as it did.
    pub forecast: u64,
}

impl BudgetView {
    /// `Degraded` from 80 % on, or when the forecast goes beyond it; `Unhealthy` when it is used up.
    pub fn grade(&self) -> Grade {
        if self.used >= self.limit && (self.used > 0 || self.forecast > 0) {
            Grade::Unhealthy
        } else if self.used > 0 && is_mostly_used(self.used, self.limit) || self.forecast > self.limit {
            Grade::Degraded
        } else {
            Grade::Healthy
        }
    }

    /// `3 of 6 calls, 5 at its end`.
    pub fn words(&self) -> String {
        let figure = |amount| self.currency.figure(amount);
        let (used, limit) = (figure(self.used), self.currency.amount(self.limit));
        format!("{used} of {limit}, {} at its end", figure(self.forecast))
    }
}

impl RunSummary {
    /// The expected usage at the end of the run. It uses the estimates of the steps where they have any.
    /// Otherwise the remaining steps count as much as the finished ones did. Before any step is finished,
    /// each step that makes calls counts as one call.
    pub fn forecast(&self, currency: Currency) -> u64 {
        let (spent, expected) = (self.spent.of(currency), self.expected.of(currency));
        let (done, all) = (u64::from(self.counts.rested()), u64::from(self.counts.total()));
        let left = all.saturating_sub(done);
        if self.state.rests() {
            spent
        } else if done == 0 || currency != Currency::Calls && expected > 0 {
            spent.saturating_add(expected)
        } else {
            spent.saturating_add(left.saturating_mul(spent).div_ceil(done))
        }
    }

    /// Its budget, a line for each currency that has a ceiling.
    pub fn budgets(&self) -> Vec<BudgetView> {
        let view = |(currency, limit)| BudgetView {
            run: self.id,
            workflow: Arc::clone(&self.workflow),
            currency,
            used: self.spent.of(currency),
            limit,
            forecast: self.forecast(currency),
        };
        self.ceilings.all().map(view).collect()
    }
}

impl Board {
    /// Budgets of open runs, the one that is used most first.
    pub fn budgets(&self) -> Vec<BudgetView> {
        let mut all: Vec<BudgetView> = self.open_runs().flat_map(|run| run.summary.budgets()).collect();
        all.sort_by_key(|budget| {
            (std::cmp::Reverse(Score::ratio(budget.used, budget.limit)), budget.run, budget.currency)
        });
        all
    }

    /// The checks that need only the board.
    pub fn checks(&self, now: Timestamp) -> Vec<Check> {
        vec![
            self.clock(now),
            self.people(now),
            self.queue(now),
            self.doubtful(),
            self.spending(),
            self.target_check(now),
        ]
    }

    fn clock(&self, now: Timestamp) -> Check {
        let ahead = self.at.since(now);
        if ahead > AHEAD_MAX {
            let text = format!("the last event is {ahead} ahead of this clock; set the clock");
            return Check::of("clock", Grade::Degraded, text);
        }
        Check::of("clock", Grade::Healthy, "in step with the log")
    }

    fn people(&self, now: Timestamp) -> Check {
        let late = |gate: &&Arc<GateView>| {
            gate.ask
                .expires_at
                .is_some_and(|end| now.since(gate.ask.opened_at).0 * 2 > end.since(gate.ask.opened_at).0)
        };
        let (open, late) = (self.open_gates().count(), self.open_gates().filter(late).count());
        let oldest = self.open_gates().map(|gate| gate.ask.opened_at).min();
        let given = |gate: &GateView| gate.closed_at.unwrap_or(gate.ask.opened_at);
        if let Some(first) = self.reviews_due().min_by_key(|gate| given(gate)) {
            let (due, id) = (self.reviews_due().count(), first.id);
            let since = now.since(given(first));
            let them = if due == 1 { "emergency approval" } else { "emergency approvals" };
            let overridden =
                self.reviews_due().filter(|gate| gate.closed_by.as_deref() == Some(OVERRIDE)).count();
            let what = match overridden {
                0 => format!("{due} {them}"),
                1 if due == 1 => "1 override of a gate".to_owned(),
                _ if due == overridden => format!("{due} overrides of gates"),
                _ => format!("{due} emergency approvals and overrides"),
            };
            let text =
                format!("{what} nobody has reviewed, the oldest {id} for {since}: cuelight gate review {id}");
            return Check::of("gates", Grade::Degraded, text);
        }
        let text = match oldest {
            None => "nothing waits for a person".to_owned(),
            Some(oldest) if late == 0 => format!("{open} open, the oldest for {}", now.since(oldest)),
            Some(_) => format!("{late} of {open} open have used half of their time"),
        };
        Check::of("gates", if late > 0 { Grade::Degraded } else { Grade::Healthy }, text)
    }

    fn queue(&self, now: Timestamp) -> Check {
        let signals = self.vitals().signals(Period::Minutes, now);
        let text = match signals.ready {
            0 => format!("{} run, nothing waits for a slot", signals.running),
            ready => format!("{ready} wait for a slot, {} run", signals.running),
        };
        // A queue is normal; one that is as long as all that runs, and more, is worth a look.
        let long = signals.ready > 16 && signals.ready > 4 * signals.running;
        Check::of("queue", if long { Grade::Degraded } else { Grade::Healthy }, text)
    }

    fn doubtful(&self) -> Check {
        let (doubts, stuck) = (self.open.doubts.len(), self.open.stuck.len());
        let text = match (doubts, stuck) {
            (0, 0) => "nothing in doubt, no undo is stuck".to_owned(),
            (doubts, stuck) => format!("{doubts} in doubt, {stuck} undos stuck; see Gates"),
        };
        let grade = match (doubts, stuck) {
            (0, 0) => Grade::Healthy,
            (_, 0) => Grade::Degraded,
            _ => Grade::Unhealthy,
        };
        Check::of("effects", grade, text)
    }

    fn spending(&self) -> Check {
        let budgets = self.budgets();
        let worst = budgets.iter().max_by_key(|budget| budget.grade());
        let text = match worst {
            None => "no open run has a budget".to_owned(),
            Some(worst) if worst.grade() == Grade::Healthy => {
                let runs = self.open_runs().filter(|run| !run.summary.budgets().is_empty()).count();
                format!(
                    "{} within {}",
                    counted(runs, "open run stays", "open runs stay"),
                    plural(runs, "its own", "theirs")
                )
            }
            Some(worst) => format!("{} has used {}", worst.run, worst.words()),
        };
        // One run without means does not stop the others.
        let grade = worst.map_or(Grade::Healthy, BudgetView::grade).min(Grade::Degraded);
        Check::of("budget", grade, text)
    }

    fn target_check(&self, now: Timestamp) -> Check {
        let is_held = |(name, target): &(&str, &TargetView)| {
            !target.takes_calls() || self.waiting_for(name).next().is_some()
        };
        let mut open: Vec<_> = self.targets().filter(is_held).collect();
        open.sort_by_key(|(_, target)| target.takes_calls());
        let Some((name, first)) = open.first() else {
            return Check::of("targets", Grade::Healthy, "every target takes calls");
        };
        let waiting: usize = open.iter().map(|(name, _)| self.waiting_for(name).count()).sum();
        let more = if open.len() > 1 { format!("; {} more", open.len() - 1) } else { String::new() };
        let wait = match waiting {
            0 => String::new(),
            many => format!(", {} for it", counted(many, "step waits", "steps wait")),
        };
        Check::of("targets", Grade::Degraded, format!("{name} {}{wait}{more}", first.words(now)))
    }
}

/// The worst of all.
pub fn overall(checks: &[Check]) -> Grade {
    checks.iter().map(|check| check.grade).max().unwrap_or_default()
}

/// The health and the checks in one line.
pub fn health_line(board: &Board, checks: &[Check]) -> String {
    let (health, grade) = (board.health(), overall(checks));
    let running = board.open_runs().count();
    let gates = board.open_gates().count();
    format!(
        "health {health} {}, checks {}: {}, {}, {}",
        health.label(),
        grade.word(),
        counted(running, "run open", "runs open"),
        counted(gates, "gate waits", "gates wait"),
        counted(board.urgent_error_count(), "failure to look at", "failures to look at"),
    )
}

/// All of it, for `health --json`. Foreign text is carried as it came.
pub fn health_json(board: &Board, checks: &[Check], now: Timestamp) -> Value {
    let vitals = board.vitals();
    let signals: serde_json::Map<String, Value> = Period::ALL
        .iter()
        .map(|period| (period.word().to_owned(), signals_json(&vitals.signals(*period, now))))
        .collect();
    json!({
        "at": now,
        "health": health_word(board.health()),
        "quality": decimal(vitals.quality()),
        "results": vitals.results(),
        "reasons": vitals.reasons().iter().take(REASONS_MAX).map(reason_json).collect::<Value>(),
        "checks": checks.iter().map(|check| json!({
            "name": check.name, "state": check.grade.word(), "text": check.text,
        })).collect::<Value>(),
        "overall": overall(checks).word(),
        "signals": signals,
        "runs": board.open_runs().map(|run| json!({
            "id": run.id().to_string(),
            "workflow": *run.summary.workflow,
            "health": health_word(run.summary.health()),
            "confidence": run.summary.confidence().map(decimal),
        })).collect::<Value>(),
        "workflows": vitals.workflows().map(tally_json).collect::<Value>(),
        "kinds": vitals.kinds().map(tally_json).collect::<Value>(),
        "budgets": board.budgets().iter().map(|budget| {
            let mut out = to_value(&BudgetAnswer::of(budget));
            out["run"] = budget.run.to_string().into();
            out["workflow"] = (*budget.workflow).into();
            out
        }).collect::<Value>(),
        "targets": board.targets().map(|(name, target)| target.json(name, board.waiting_for(name).count())).collect::<Value>(),
        "errors": json!({
            "open": board.open_error_count(),
            "urgent": board.urgent_error_count(),
            "types": board.error_types().iter().map(|(kind, count)| (kind.word().to_owned(), (*count).into()))
                .collect::<serde_json::Map<String, Value>>(),
        }),
    })
}

/// One line of a budget; money in dollars.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
pub(crate) struct BudgetAnswer {
    currency: &'static str,
    #[schemars(with = "f64")]
    used: Value,
    #[schemars(with = "f64")]
    limit: Value,
    #[schemars(with = "f64")]
    forecast: Value,
    state: &'static str,
}

impl BudgetAnswer {
    pub(crate) fn of(budget: &BudgetView) -> Self {
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

fn health_word(health: Health) -> Value {
    json!({ "score": health.0, "label": health.label() })
}

fn reason_json(reason: &Reason) -> Value {
    json!({
        "workflow": *reason.workflow,
        "mode": reason.mode.map_or("partial", cuelight_base::FailureMode::word),
        "step": *reason.step,
        "run": reason.run.to_string(),
        "times": reason.times,
        "lost": decimal_tenths(reason.lost_tenths.into()),
    })
}

fn signals_json(signals: &Signals) -> Value {
    json!({
        "success": decimal(signals.success),
        "errors": decimal(signals.errors),
        "call_errors": decimal(signals.call_errors),
        "results": signals.sum.done + signals.sum.partial + signals.sum.failed,
        "calls": signals.sum.calls,
        "runs": signals.sum.runs,
        "runs_failed": signals.sum.runs_failed,
        "steps_per_run": decimal_tenths(signals.steps_per_run_tenths),
        "events_per_minute": signals.events_per_minute,
        "run_ms": signals.runs.as_ref().map(percentiles_json),
        "step_ms": signals.steps.as_ref().map(percentiles_json),
        "call_ms": signals.calls.as_ref().map(percentiles_json),
        "gate_wait_ms": signals.gates.as_ref().map(percentiles_json),
        "planning_ms": signals.planning.as_ref().map(percentiles_json),
        "routing_ms": signals.routing.as_ref().map(percentiles_json),
        "running": signals.running,
        "running_most": signals.sum.running,
        "ready": signals.ready,
        "ready_most": signals.sum.ready,
    })
}

fn percentiles_json(percentiles: &Percentiles) -> Value {
    json!({ "p50": percentiles.p50, "p95": percentiles.p95, "p99": percentiles.p99, "count": percentiles.count })
}

fn tally_json((name, tally): (&str, &Tally)) -> Value {
    json!({
        "name": name,
        "health": health_word(tally.health()),
        "done": tally.done,
        "partial": tally.partial,
        "failed": tally.failed,
        "calls": tally.calls,
        "ended": tally.ended,
        "last_at": tally.last_at,
        "took_ms": tally.took().as_ref().map(percentiles_json),
        "last_failure": tally.last_failure.map(|(at, mode)| json!({ "at": at, "mode": mode.word() })),
    })
}

fn decimal_tenths(tenths: u64) -> Value {
    let text = format!("{}.{}", tenths / 10, tenths % 10);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

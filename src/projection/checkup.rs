//! What is well and what is not, in words and grades: checks, budgets with their forecast, one line and one report.
//!
//! Whether disk and engine can be reached is not known here; whoever knows adds checks of their own.

use crate::{
    base::{RunId, Score, Span, Timestamp, Value},
    projection::{Board, Health, Percentiles, Period, Reason, RunSummary, Signals, Tally, json::decimal},
};
use serde_json::json;
use std::sync::Arc;

/// An event may be so much ahead of a clock without anybody wondering.
const AHEAD_MAX: Span = Span::seconds(2);
/// Reasons in the report.
const REASONS_MAX: usize = 20;

/// How a check came out.
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
    /// What.
    pub name: &'static str,
    /// How it came out.
    pub grade: Grade,
    /// More about it.
    pub text: String,
}

impl Check {
    /// A check that came out so.
    pub fn of(name: &'static str, grade: Grade, text: impl Into<String>) -> Self {
        Self { name, grade, text: text.into() }
    }
}

/// How much of its budget a run has used, and will have at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetView {
    /// The run.
    pub run: RunId,
    /// Its workflow; foreign text.
    pub workflow: Arc<str>,
    /// Calls so far.
    pub calls: u64,
    /// Calls it may make.
    pub limit: u64,
    /// Calls at its end, if it goes on as it did.
    pub forecast: u64,
}

impl BudgetView {
    /// `Degraded` from 80 % on, or when the forecast goes beyond it; `Unhealthy` when it is used up.
    pub const fn grade(&self) -> Grade {
        if self.calls >= self.limit {
            Grade::Unhealthy
        } else if self.calls * 5 >= self.limit * 4 || self.forecast > self.limit {
            Grade::Degraded
        } else {
            Grade::Healthy
        }
    }
}

impl RunSummary {
    /// Calls that will have been made at its end, if what is left takes as many as what is done did. Before anything is
    /// done, one for each step.
    pub fn forecast(&self) -> u64 {
        let (done, all) = (u64::from(self.counts.rested()), u64::from(self.counts.total()));
        let left = all.saturating_sub(done);
        if self.state.rests() {
            self.calls
        } else if done == 0 {
            self.calls.max(left)
        } else {
            self.calls.saturating_add(left.saturating_mul(self.calls).div_ceil(done))
        }
    }
}

impl Board {
    /// Open runs that have a budget, the one that has used most of it first.
    pub fn budgets(&self) -> Vec<BudgetView> {
        let view = |run: &RunSummary| {
            let (run, workflow, calls, forecast) =
                (run.id, Arc::clone(&run.workflow), run.calls, run.forecast());
            move |limit| BudgetView { run, workflow, calls, limit, forecast }
        };
        let mut all: Vec<BudgetView> =
            self.open_runs().filter_map(|it| it.summary.calls_max.map(view(&it.summary))).collect();
        all.sort_by_key(|it| (std::cmp::Reverse(Score::ratio(it.calls, it.limit)), it.run));
        all
    }

    /// What can be checked by looking at the board alone.
    pub fn checks(&self, now: Timestamp) -> Vec<Check> {
        vec![self.clock(now), self.people(now), self.queue(now), self.doubtful(), self.spending()]
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
        let late = |it: &&Arc<crate::projection::GateView>| {
            it.ask
                .expires_at
                .is_some_and(|end| now.since(it.ask.opened_at).0 * 2 > end.since(it.ask.opened_at).0)
        };
        let (open, late) = (self.open_gates().count(), self.open_gates().filter(late).count());
        let oldest = self.open_gates().map(|it| it.ask.opened_at).min();
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
        let (doubts, stuck) = (self.doubts.len(), self.stuck.len());
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
        let worst = budgets.iter().max_by_key(|it| it.grade());
        let text = match worst {
            None => "no open run has a budget".to_owned(),
            Some(it) if it.grade() == Grade::Healthy => {
                format!("{} open runs stay within theirs", budgets.len())
            }
            Some(it) => {
                format!("{} has used {} of {} calls, forecast {}", it.run, it.calls, it.limit, it.forecast)
            }
        };
        // One run without means does not stop the others.
        let grade = worst.map_or(Grade::Healthy, BudgetView::grade).min(Grade::Degraded);
        Check::of("budget", grade, text)
    }
}

/// The worst of all.
pub fn overall(checks: &[Check]) -> Grade {
    checks.iter().map(|it| it.grade).max().unwrap_or_default()
}

/// How it goes, in one line.
pub fn health_line(board: &Board, checks: &[Check]) -> String {
    let (health, grade) = (board.health(), overall(checks));
    let running = board.open_runs().count();
    let gates = board.open_gates().count();
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    format!(
        "health {health} {}, checks {}: {}, {}, {}",
        health.label(),
        grade.word(),
        plural(running, "run open", "runs open"),
        plural(gates, "gate waits", "gates wait"),
        plural(board.urgent_error_count(), "failure to look at", "failures to look at"),
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
        "checks": checks.iter().map(|it| json!({
            "name": it.name, "state": it.grade.word(), "text": it.text,
        })).collect::<Value>(),
        "overall": overall(checks).word(),
        "signals": signals,
        "runs": board.open_runs().map(|it| json!({
            "id": it.id().to_string(),
            "workflow": *it.summary.workflow,
            "health": health_word(it.summary.health()),
            "confidence": it.summary.confidence().map(decimal),
        })).collect::<Value>(),
        "workflows": vitals.workflows().map(tally_json).collect::<Value>(),
        "kinds": vitals.kinds().map(tally_json).collect::<Value>(),
        "budgets": board.budgets().iter().map(|it| json!({
            "run": it.run.to_string(),
            "workflow": *it.workflow,
            "calls": it.calls,
            "limit": it.limit,
            "forecast": it.forecast,
            "state": it.grade().word(),
        })).collect::<Value>(),
        "errors": json!({
            "open": board.open_error_count(),
            "urgent": board.urgent_error_count(),
            "types": board.error_types().iter().map(|(kind, count)| (kind.word().to_owned(), (*count).into()))
                .collect::<serde_json::Map<String, Value>>(),
        }),
    })
}

fn health_word(health: Health) -> Value {
    json!({ "score": health.0, "label": health.label() })
}

fn reason_json(it: &Reason) -> Value {
    json!({
        "workflow": *it.workflow,
        "mode": it.mode.map_or("partial", crate::base::FailureMode::word),
        "step": *it.step,
        "run": it.run.to_string(),
        "times": it.times,
        "lost": decimal_tenths(it.lost_tenths.into()),
    })
}

fn signals_json(it: &Signals) -> Value {
    json!({
        "success": decimal(it.success),
        "errors": decimal(it.errors),
        "call_errors": decimal(it.call_errors),
        "results": it.sum.done + it.sum.partial + it.sum.failed,
        "calls": it.sum.calls,
        "runs": it.sum.runs,
        "runs_failed": it.sum.runs_failed,
        "steps_per_run": decimal_tenths(it.steps_per_run_tenths),
        "events_per_minute": it.events_per_minute,
        "run_ms": it.runs.as_ref().map(percentiles_json),
        "step_ms": it.steps.as_ref().map(percentiles_json),
        "call_ms": it.calls.as_ref().map(percentiles_json),
        "gate_wait_ms": it.gates.as_ref().map(percentiles_json),
        "running": it.running,
        "running_most": it.sum.running,
        "ready": it.ready,
        "ready_most": it.sum.ready,
    })
}

fn percentiles_json(it: &Percentiles) -> Value {
    json!({ "p50": it.p50, "p95": it.p95, "p99": it.p99, "count": it.count })
}

fn tally_json((name, it): (&str, &Tally)) -> Value {
    json!({
        "name": name,
        "health": health_word(it.health()),
        "done": it.done,
        "partial": it.partial,
        "failed": it.failed,
        "calls": it.calls,
        "ended": it.ended,
        "last_at": it.last_at,
        "took_ms": it.took().as_ref().map(percentiles_json),
        "last_failure": it.last_failure.map(|(at, mode)| json!({ "at": at, "mode": mode.word() })),
    })
}

fn decimal_tenths(tenths: u64) -> Value {
    let text = format!("{}.{}", tenths / 10, tenths % 10);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

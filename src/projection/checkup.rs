//! The health of the workspace in words and grades: checks, budgets with their forecast, and one line of
//! all.
//!
//! Disk and engine are not checked here; callers that can reach them add checks of their own.

use crate::{Board, GateView, Period, RunSummary, TargetView};
use cuelight_base::{RunId, Score, Span, Timestamp, counted, plural};
use cuelight_engine::OVERRIDE;
use cuelight_plan::{Currency, is_mostly_used};
use std::sync::Arc;

/// An event may be so much ahead of a clock without anybody wondering.
const AHEAD_MAX: Span = Span::seconds(2);

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

/// The health of the runs and that of the engine in one line, each named: they can differ.
pub fn health_line(board: &Board, checks: &[Check]) -> String {
    let (health, grade) = (board.health(), overall(checks));
    let running = board.open_runs().count();
    let gates = board.open_gates().count();
    format!(
        "health: runs {health} of 100, {}; engine {}; {}, {}, {}",
        health.label(),
        grade.word(),
        counted(running, "run open", "runs open"),
        counted(gates, "gate waits", "gates wait"),
        counted(board.urgent_error_count(), "failure to look at", "failures to look at"),
    )
}

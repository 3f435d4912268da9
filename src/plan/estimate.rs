//! An estimate of a plan before it starts: calls, tokens, money, gates, and the longest chain.

use crate::{Amounts, Budget, Ceilings, Currency, FrameKind, OnExceed, Plan, PlanStep, Work, critical_path};
use cuelight_base::{Span, StepIx, counted};

/// Counted from the plan alone. Steps behind an `if` may be skipped, and how many copies a computed matrix
/// will have is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Steps that do something, without frames.
    pub steps: u64,
    /// The usage if every step runs once, and succeeds.
    pub once: Amounts,
    /// The part of `once` that no `if` can leave out.
    pub least: Amounts,
    /// The usage if every step is tried as often as allowed.
    pub most: Amounts,
    /// The number of gates.
    pub gates: u64,
    /// Matrices whose copies are known only when they open.
    pub computed: u64,
    /// The longest chain of steps that wait for each other.
    pub chain: Vec<StepIx>,
    /// The time of the slowest chain, each call made once, by the timeouts of its calls; none when a call has
    /// no timeout.
    pub time_most: Option<Span>,
}

impl Estimate {
    /// Returns the estimate of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut estimate = Self::default();
        let mut optional = vec![false; plan.steps.len()];
        // How often what stands in a frame may be done: as often as the workflows around it are tried.
        let mut tries = vec![1; plan.steps.len()];
        for (index, step) in plan.steps.iter().enumerate() {
            let inherited = step.frame.is_some_and(|frame| optional[frame.index()]);
            optional[index] = inherited || step.condition.is_some();
            let around = step.frame.map_or(1, |frame| tries[frame.index()]);
            tries[index] = around * step.retry.as_ref().map_or(1, |retry| u64::from(retry.max_attempts));
            estimate.count(step, optional[index], around);
        }
        estimate.chain = critical_path(plan, |_, _| Span(1)).steps;
        let is_call = |step: &PlanStep| {
            matches!(
                step.work,
                Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) | Work::Later(_)
            )
        };
        let limited = plan.steps.iter().all(|step| !is_call(step) || step.timeout.is_some());
        if limited && estimate.computed == 0 {
            let limit = |step: &PlanStep| step.timeout.filter(|_| is_call(step)).unwrap_or_default();
            estimate.time_most = Some(critical_path(plan, |_, step| limit(step)).length);
        }
        estimate
    }

    /// In words, for the record of what was planned: how much of what, and what it is expected to use.
    pub fn words(&self) -> String {
        let many = |count: u64, one: &str, more: &str| {
            counted(usize::try_from(count).unwrap_or(usize::MAX), one, more)
        };
        let levels = counted(self.chain.len(), "level", "levels");
        let mut parts = vec![format!("{} in {levels}", many(self.steps, "step", "steps"))];
        if self.computed > 0 {
            let matrices = many(self.computed, "matrix makes", "matrices make");
            parts.push(format!("and as many as {matrices}"));
        }
        parts.push(if self.gates == 0 { "no gate".to_owned() } else { many(self.gates, "gate", "gates") });
        let calls = many(self.once.of(Currency::Calls), "call", "calls");
        let most = self.most.of(Currency::Calls);
        let tried =
            if most > self.once.of(Currency::Calls) { format!(", at most {most}") } else { String::new() };
        parts.push(format!("{calls}{tried}"));
        for currency in [Currency::Tokens, Currency::CostUsd] {
            let amount = self.once.of(currency);
            if amount > 0 {
                parts.push(format!("{} {}", currency.figure(amount), currency.unit()));
            }
        }
        parts.join(", ")
    }

    /// Checks that a budget that blocks can be kept at all.
    ///
    /// # Errors
    /// When even the least usage is over the budget.
    pub fn check(&self, budget: &Budget) -> Result<(), String> {
        check("", self.least, budget)
    }

    fn count(&mut self, step: &PlanStep, optional: bool, around: u64) {
        let attempts = around * step.retry.as_ref().map_or(1, |retry| u64::from(retry.max_attempts));
        match &step.work {
            Work::Run { .. } | Work::Tool(_) | Work::Http(_) | Work::Model(_) | Work::Later(_) => {
                let needs = step.estimate.with(Currency::Calls, 1);
                self.once = self.once.plus(needs);
                self.least = if optional { self.least } else { self.least.plus(needs) };
                self.most = self.most.plus(needs.times(attempts * (1 + step.fallback.len() as u64)));
            }
            Work::Gate(_) => self.gates += 1,
            Work::Wait(_) | Work::Set { .. } | Work::Emit(_) => {}
            Work::Frame(frame) => match &frame.kind {
                // It is asked once at least; what its tools use, nobody knows before.
                FrameKind::Talk(talk) => {
                    let (ask, rounds) = (&talk.ask, u64::from(talk.rounds) + 1);
                    let attempts =
                        around * ask.retry.as_ref().map_or(1, |retry| u64::from(retry.max_attempts));
                    let needs = ask.estimate.with(Currency::Calls, 1);
                    self.once = self.once.plus(needs);
                    self.least = if optional { self.least } else { self.least.plus(needs) };
                    self.most =
                        self.most.plus(needs.times(attempts * (1 + ask.fallback.len() as u64) * rounds));
                }
                FrameKind::Computed { .. } => {
                    self.computed += 1;
                    return;
                }
                FrameKind::Matrix | FrameKind::Workflow { .. } => {
                    let instead = step.estimate.with(Currency::Calls, 1);
                    self.most = self.most.plus(instead.times(attempts * step.fallback.len() as u64));
                    return;
                }
            },
        }
        self.steps += 1;
    }
}

/// Checks that the least usage fits into a budget that blocks; `whose` begins the sentence.
fn check(whose: &str, needs: Amounts, budget: &Budget) -> Result<(), String> {
    let over: Vec<(Currency, u64)> = Ceilings::from(budget)
        .all()
        .filter(|(currency, ceiling)| budget.on_exceed == OnExceed::Block && needs.of(*currency) > *ceiling)
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let figures = |amount: &dyn Fn(&(Currency, u64)) -> u64| {
        let one = |pair: &(Currency, u64)| format!("{}={}", pair.0.word(), pair.0.figure(amount(pair)));
        over.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let keys: Vec<String> = over.iter().map(|pair| format!("`budget.{}`", pair.0.word())).collect();
    Err(format!(
        "could not start: {whose}needs {}, has {}; raise {} or set `on-exceed: gate`",
        figures(&|pair| needs.of(pair.0)),
        figures(&|pair| pair.1),
        keys.join(" and ")
    ))
}

impl PlanStep {
    /// Checks that one call of the step fits into the step's own budget.
    pub(super) fn check_budget(&self) -> Result<(), String> {
        let Some(budget) = &self.budget else { return Ok(()) };
        check(&format!("step `{}` ", self.id), self.estimate.with(Currency::Calls, 1), budget)
    }
}

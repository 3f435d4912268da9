//! What a plan will take, before it starts: calls, gates, and the longest chain.

use crate::{
    base::{Span, StepIx},
    plan::{Budget, FrameKind, OnExceed, Plan, PlanStep, Work, critical_path},
};

/// Counted from the plan alone. Steps behind an `if` may be skipped, and how many copies a computed matrix will have
/// is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Steps that do something, without frames.
    pub steps: u64,
    /// Calls if every step runs once, and succeeds.
    pub calls: u64,
    /// Of these, calls that no `if` can leave out.
    pub calls_least: u64,
    /// Calls if everything is tried as often as allowed.
    pub calls_most: u64,
    /// Gates.
    pub gates: u64,
    /// Matrices whose copies are known only when they open.
    pub computed: u64,
    /// The longest chain of steps that wait for each other.
    pub chain: Vec<StepIx>,
    /// How long the calls of the slowest chain may take, each once, by their time limits; nothing when one of them
    /// has none.
    pub time_most: Option<Span>,
}

impl Estimate {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut estimate = Self::default();
        let mut optional = vec![false; plan.steps.len()];
        for (index, step) in plan.steps.iter().enumerate() {
            let inherited = step.frame.is_some_and(|it| optional[it.index()]);
            optional[index] = inherited || step.condition.is_some();
            estimate.count(step, optional[index]);
        }
        estimate.chain = critical_path(plan, |_, _| Span(1)).steps;
        let is_call =
            |step: &PlanStep| matches!(step.work, Work::Run { .. } | Work::Tool(_) | Work::Later(_));
        let limited = plan.steps.iter().all(|step| !is_call(step) || step.timeout.is_some());
        if limited && estimate.computed == 0 {
            let limit = |step: &PlanStep| step.timeout.filter(|_| is_call(step)).unwrap_or_default();
            estimate.time_most = Some(critical_path(plan, |_, step| limit(step)).length);
        }
        estimate
    }

    /// Whether a budget that blocks can be kept at all.
    ///
    /// # Errors
    /// When even the calls that cannot be left out are too many.
    pub fn check(&self, budget: &Budget) -> Result<(), String> {
        match budget.calls.filter(|_| budget.on_exceed == OnExceed::Block) {
            Some(calls) if self.calls_least > calls => Err(format!(
                "could not start: needs calls={}, has calls={calls}; raise `budget.calls` or set `on-exceed: gate`",
                self.calls_least
            )),
            _ => Ok(()),
        }
    }

    fn count(&mut self, step: &PlanStep, optional: bool) {
        match &step.work {
            Work::Run { .. } | Work::Tool(_) | Work::Later(_) => {
                let attempts = step.retry.as_ref().map_or(1, |it| u64::from(it.max_attempts));
                self.calls += 1;
                self.calls_least += u64::from(!optional);
                self.calls_most += attempts + step.fallback.len() as u64;
            }
            Work::Gate(_) => self.gates += 1,
            Work::Wait(_) | Work::Set { .. } => {}
            Work::Frame(frame) => {
                self.computed += u64::from(matches!(frame.kind, FrameKind::Computed { .. }));
                return;
            }
        }
        self.steps += 1;
    }
}

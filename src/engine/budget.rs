//! Usage of budgets: charged when a call begins, corrected when it ends, held against the ceilings of its run
//! and its step.
//! The ask at a reached ceiling is made in `ask`.

mod spending;

pub(super) use spending::Spending;

use crate::{BudgetOf, Failure, RunEvent, handle::Turn, outcome, run::Run, talk};
use cuelight_base::{Actor, FailureMode, RunId, StepIx, ValueMap};
use cuelight_expression::to_text;
use cuelight_plan::{Amounts, Currency, OnExceed, is_mostly_used};

/// A budget that has no room for one more call.
pub(super) struct Exceeded {
    /// True for the step's own budget; false for that of the run.
    pub(super) of_step: bool,
    pub(super) currencies: Vec<Currency>,
    pub(super) on_exceed: OnExceed,
}

impl Run {
    /// The step whose own budget pays for the calls of a step: the step itself, or the talk that it stands
    /// in.
    pub(super) fn payer(&self, step: StepIx) -> StepIx {
        let around = || talk::around(self, step).map(|entry| entry.0);
        if self.step_spending.contains_key(&step) { step } else { around().unwrap_or(step) }
    }

    /// The charge of one more call of this step when it begins.
    pub(super) fn next_charge(&self, step: StepIx) -> Amounts {
        self.plan_step(step).estimate.with(Currency::Calls, 1)
    }

    /// The budget that stands in the way of one more call: that of the step, then that of the run.
    pub(super) fn exceeded(&self, step: StepIx) -> Option<Exceeded> {
        [true, false].into_iter().find_map(|of_step| self.exceeded_of(step, of_step))
    }

    /// The same for one budget alone: that of the step, where it has one, or that of the run.
    pub(super) fn exceeded_of(&self, step: StepIx, of_step: bool) -> Option<Exceeded> {
        let own = self.step_spending.get(&self.payer(step));
        let spending = if of_step { own? } else { &self.spending };
        let currencies = spending.exceeded(self.next_charge(step));
        let holds = spending.on_exceed != OnExceed::Warn && !currencies.is_empty();
        holds.then_some(Exceeded { of_step, currencies, on_exceed: spending.on_exceed })
    }

    pub(super) fn spending_of(&self, step: StepIx, of_step: bool) -> &Spending {
        self.step_spending.get(&self.payer(step)).filter(|_| of_step).unwrap_or(&self.spending)
    }

    /// A call begins: it is charged.
    pub(super) fn charge(&mut self, step: StepIx, amounts: Amounts) {
        let payer = self.payer(step);
        if let Some(own) = self.step_spending.get_mut(&payer) {
            own.spent = own.spent.plus(amounts);
        }
        self.spending.spent = self.spending.spent.plus(amounts);
        let kept = amounts.with(Currency::Calls, 0);
        if !kept.is_nothing() {
            self.charged.insert(step, kept);
        }
    }

    /// Records the end of a call: the usage that it reports replaces its charge.
    pub(super) fn correct(&mut self, step: StepIx, used: Option<Amounts>) {
        let charged = self.charged.remove(&step).unwrap_or_default();
        let Some(used) = used else { return };
        let payer = self.payer(step);
        if let Some(own) = self.step_spending.get_mut(&payer) {
            own.spent = own.spent.minus(charged).plus(used);
        }
        self.spending.spent = self.spending.spent.minus(charged).plus(used);
    }

    /// The usage of a call that has ended, if its outputs report any; a currency that they do not name stays
    /// as charged.
    pub(super) fn used(&self, step: StepIx, outputs: &ValueMap) -> Option<Amounts> {
        let charged = self.charged.get(&step).copied().unwrap_or_default();
        let told = |currency| written(outputs, currency).and_then(|text| Currency::parse(currency, &text));
        let (tokens, cost) = (told(Currency::Tokens), told(Currency::CostUsd));
        (tokens.is_some() || cost.is_some()).then(|| Amounts {
            calls: 0,
            tokens: tokens.unwrap_or(charged.tokens),
            cost_micro_usd: cost.unwrap_or(charged.cost_micro_usd),
        })
    }

    /// The failure of a success whose reported usage cannot be read, if a budget has to know it.
    pub(super) fn unreadable_use(&self, step: StepIx, outputs: &ValueMap) -> Option<Failure> {
        let counts = |currency: &Currency| {
            let own = self.step_spending.get(&self.payer(step)).and_then(|own| own.ceilings.of(*currency));
            own.or(self.spending.ceilings.of(*currency)).is_some()
        };
        let wrong = |currency: Currency| {
            let text = written(outputs, currency).filter(|text| currency.parse(text).is_none())?;
            let wanted = if currency == Currency::CostUsd {
                "no amount in dollars like 0.25"
            } else {
                "no whole number"
            };
            let text = cuelight_base::shorten(&text, 40);
            let message =
                format!("wrote `{}` as {text:?}, which is {wanted}; a budget counts it", currency.word());
            Some(outcome::failure(FailureMode::AgentContract, message))
        };
        [Currency::Tokens, Currency::CostUsd].into_iter().filter(counts).find_map(wrong)
    }
}

/// The text that was written to `$CUELIGHT_OUTPUT` under the name of a currency.
fn written(outputs: &ValueMap, currency: Currency) -> Option<String> {
    let other = currency.word().replace('-', "_");
    outputs.get(currency.word()).or_else(|| outputs.get(&other)).map(to_text)
}

impl Turn<'_> {
    /// True if a budget does not allow one more call; then the step has failed, or people are asked.
    pub(super) fn is_over_budget(&mut self, id: RunId, step: StepIx) -> bool {
        let run = self.run(id);
        let Some(exceeded) = run.exceeded(step) else { return false };
        match exceeded.on_exceed {
            OnExceed::Warn => return false,
            OnExceed::Block => {
                let message = exceeded.words(run, step);
                self.fail_step(id, step, &outcome::failure(FailureMode::PolicyBudget, message));
            }
            OnExceed::Gate => self.ask_by_the_way(id, step),
        }
        true
    }

    /// Says once that most of a budget is used.
    pub(super) fn warn_of_budget(&mut self, id: RunId, step: StepIx) {
        for of_step in [true, false] {
            let run = self.run(id);
            if of_step && !run.step_spending.contains_key(&run.payer(step)) {
                continue;
            }
            let spending = run.spending_of(step, of_step);
            let used = |(currency, _): &(Currency, u64)| spending.spent.of(*currency);
            let due: Vec<(Currency, u64, u64)> = spending
                .ceilings
                .all()
                .filter(|due| {
                    !spending.warned.contains(&due.0) && used(due) > 0 && is_mostly_used(used(due), due.1)
                })
                .map(|due| (due.0, used(&due), due.1))
                .collect();
            let payer = run.payer(step);
            for (currency, calls, limit) in due {
                let step = of_step.then_some(payer);
                self.emit_run(id, RunEvent::BudgetWarned { calls, limit, currency, step });
            }
        }
    }

    /// People have raised the budget that they were asked about: that of this run, or this step's own. It may have room by
    /// now; what stands in the way then was not asked about, and is not raised.
    pub(super) fn raise_budget(
        &mut self,
        id: RunId,
        step: StepIx,
        asked: Option<BudgetOf>,
        form: &ValueMap,
        by: &Actor,
    ) {
        let run = self.run(id);
        let of_step = match asked {
            Some(of) => of == BudgetOf::Step,
            // An ask of an earlier version does not name it in a field.
            None => run.exceeded(step).is_some_and(|exceeded| exceeded.of_step),
        };
        let payer = run.payer(step);
        let spending = run.spending_of(step, of_step);
        let raised: Vec<(Currency, u64)> = Currency::ALL
            .into_iter()
            .filter_map(|currency| {
                let wanted = currency.parse(&to_text(form.get(currency.word())?));
                let wanted = wanted.unwrap_or_else(|| spending.spent.of(currency).saturating_add(1));
                // Never lower than somebody else has raised it meanwhile.
                Some((currency, wanted.max(spending.ceilings.of(currency).unwrap_or(0))))
            })
            .collect();
        for (currency, calls) in raised {
            let (by, step) = (by.clone(), of_step.then_some(payer));
            self.emit_run(id, RunEvent::BudgetRaised { calls, by, currency, step });
        }
    }
}

impl Exceeded {
    /// Why there is no room, as a sentence.
    pub(super) fn words(&self, run: &Run, step: StepIx) -> String {
        let spending = run.spending_of(step, self.of_step);
        let needs = run.next_charge(step);
        let whose = if self.of_step { "its own budget" } else { "the budget" };
        let words = |currency: &Currency| {
            let ceiling = spending.ceilings.of(*currency).unwrap_or_default();
            let (spent, needed) = (spending.spent.of(*currency), needs.of(*currency));
            let all = currency.amount(ceiling);
            if spent >= ceiling {
                return format!("{whose} of {all} is used up");
            }
            let left = currency.figure(ceiling - spent);
            format!("the next call needs {}, and {whose} of {all} has {left} left", currency.amount(needed))
        };
        self.currencies.iter().map(words).collect::<Vec<_>>().join("; ")
    }
}

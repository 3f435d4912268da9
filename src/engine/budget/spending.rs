//! The usage of one budget.

use cuelight_plan::{Amounts, Budget, Ceilings, Currency, OnExceed};
use std::collections::BTreeSet;

/// The usage of a budget, and its ceilings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spending {
    pub(crate) spent: Amounts,
    pub(crate) ceilings: Ceilings,
    pub(crate) on_exceed: OnExceed,
    pub(super) warned: BTreeSet<Currency>,
}

impl Spending {
    pub(crate) fn of(budget: Option<&Budget>) -> Self {
        Self {
            ceilings: budget.map(Ceilings::from).unwrap_or_default(),
            on_exceed: budget.map(|budget| budget.on_exceed).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub(crate) fn note_warned(&mut self, currency: Currency) {
        self.warned.insert(currency);
    }

    /// The currencies whose ceiling does not allow one more call with these needs.
    /// If nothing of a currency was used, a ceiling of 0 allows a call that needs 0.
    pub(super) fn exceeded(&self, needs: Amounts) -> Vec<Currency> {
        let is_over = |(currency, ceiling): &(Currency, u64)| {
            let (spent, needed) = (self.spent.of(*currency), needs.of(*currency));
            spent.saturating_add(needed) > *ceiling || spent > 0 && spent >= *ceiling
        };
        self.ceilings.all().filter(is_over).map(|pair| pair.0).collect()
    }
}

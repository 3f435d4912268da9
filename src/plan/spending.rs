//! Amounts that a budget counts: calls, tokens and money; the usage of each, and the most that may be used.
//! Whole numbers only: money is counted in millionths of a dollar.

use cuelight_base::{Value, dollars};
use cuelight_definition::Budget;
use serde::{Deserialize, Serialize};

/// The unit that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Currency {
    /// Calls: attempts of steps that do something outside.
    #[default]
    Calls,
    /// Tokens of models, input and output together.
    Tokens,
    /// Money, in millionths of a dollar.
    CostUsd,
}

impl Currency {
    /// All currencies, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Calls, Self::Tokens, Self::CostUsd];

    /// The word of the file, of a form and of `$CUELIGHT_OUTPUT`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Tokens => "tokens",
            Self::CostUsd => "cost-usd",
        }
    }

    /// The figure alone: `12`, `0.84`.
    pub fn figure(self, amount: u64) -> String {
        match self {
            Self::Calls | Self::Tokens => amount.to_string(),
            Self::CostUsd => dollars(amount),
        }
    }

    /// The unit of the figure: `calls`, `tokens`, `USD`.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Tokens => "tokens",
            Self::CostUsd => "USD",
        }
    }

    /// Both: `12 calls`, `0.84 USD`.
    pub fn amount(self, amount: u64) -> String {
        format!("{} {}", self.figure(amount), self.unit())
    }

    /// The amount as a number of JSON: money in dollars.
    pub fn value(self, amount: u64) -> Value {
        serde_json::from_str(&self.figure(amount)).expect("a number in decimals is JSON")
    }

    /// Reads an amount that a step or a person wrote: a whole number, or dollars with at most six decimals
    /// that count.
    pub fn parse(self, text: &str) -> Option<u64> {
        let text = text.trim();
        match self {
            Self::Calls | Self::Tokens => text.parse().ok(),
            Self::CostUsd => {
                let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
                let digits = |head: &str| head.bytes().all(|b| b.is_ascii_digit());
                if whole.is_empty() || !digits(whole) || !digits(decimals) {
                    return None;
                }
                let padded: String = decimals.chars().chain("000000".chars()).take(6).collect();
                // What is smaller than a millionth is counted as one: nothing is spent unseen.
                let rest = u64::from(decimals.bytes().skip(6).any(|b| b != b'0'));
                let whole = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?;
                whole.checked_add(padded.parse::<u64>().ok()?)?.checked_add(rest)
            }
        }
    }
}

/// An amount of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Amounts {
    /// Calls: attempts of steps that do something outside.
    #[serde(skip_serializing_if = "is_zero")]
    pub calls: u64,
    /// Tokens of models, input and output together.
    #[serde(skip_serializing_if = "is_zero")]
    pub tokens: u64,
    /// Millionths of a dollar.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_micro_usd: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Amounts {
    /// True if every amount is zero.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The amount in one currency.
    pub const fn of(self, currency: Currency) -> u64 {
        match currency {
            Currency::Calls => self.calls,
            Currency::Tokens => self.tokens,
            Currency::CostUsd => self.cost_micro_usd,
        }
    }

    /// The same with another amount in one currency.
    #[must_use]
    pub const fn with(mut self, currency: Currency, amount: u64) -> Self {
        match currency {
            Currency::Calls => self.calls = amount,
            Currency::Tokens => self.tokens = amount,
            Currency::CostUsd => self.cost_micro_usd = amount,
        }
        self
    }

    /// The sum of both; never beyond the largest number.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Currency::ALL.into_iter().fold(self, |sum, currency| {
            sum.with(currency, sum.of(currency).saturating_add(other.of(currency)))
        })
    }

    /// The rest after `other` is taken away; never below zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Currency::ALL.into_iter().fold(self, |sum, currency| {
            sum.with(currency, sum.of(currency).saturating_sub(other.of(currency)))
        })
    }

    /// The same so many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Currency::ALL
            .into_iter()
            .fold(self, |sum, currency| sum.with(currency, sum.of(currency).saturating_mul(count)))
    }
}

/// The most that may be used of each; nothing means without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    calls: Option<u64>,
    tokens: Option<u64>,
    cost_micro_usd: Option<u64>,
}

impl From<&Budget> for Ceilings {
    fn from(budget: &Budget) -> Self {
        Self::new(budget.calls, budget.tokens, budget.cost_micro_usd)
    }
}

impl Ceilings {
    /// Returns ceilings for calls, tokens and millionths of a dollar; none means no ceiling.
    pub const fn new(calls: Option<u64>, tokens: Option<u64>, cost_micro_usd: Option<u64>) -> Self {
        Self { calls, tokens, cost_micro_usd }
    }

    /// The ceiling in one currency; none means no ceiling.
    pub const fn of(self, currency: Currency) -> Option<u64> {
        match currency {
            Currency::Calls => self.calls,
            Currency::Tokens => self.tokens,
            Currency::CostUsd => self.cost_micro_usd,
        }
    }

    /// Another one from now on.
    pub const fn set(&mut self, currency: Currency, amount: u64) {
        match currency {
            Currency::Calls => self.calls = Some(amount),
            Currency::Tokens => self.tokens = Some(amount),
            Currency::CostUsd => self.cost_micro_usd = Some(amount),
        }
    }

    /// The ceilings that are set.
    pub fn all(self) -> impl Iterator<Item = (Currency, u64)> {
        Currency::ALL.into_iter().filter_map(move |currency| Some((currency, self.of(currency)?)))
    }
}

/// 80 % or more; a ceiling may be as high as a number gets.
pub fn is_mostly_used(used: u64, ceiling: u64) -> bool {
    u128::from(used) * 100 >= u128::from(ceiling) * 80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_read_and_written_to_the_millionth() {
        let cost = Currency::CostUsd;
        for (text, amount, shown) in [
            ("2", 2_000_000, "2.00"),
            ("0.25", 250_000, "0.25"),
            ("0.000001", 1, "0.000001"),
            ("0.0000004", 1, "0.000001"),
            ("1.5000000", 1_500_000, "1.50"),
            ("0.00125", 1250, "0.00125"),
        ] {
            assert_eq!(cost.parse(text), Some(amount), "{text}");
            assert_eq!(cost.figure(amount), shown);
        }
        for wrong in ["", ".5", "-1", "1e3", "1,5", "18446744073710"] {
            assert_eq!(cost.parse(wrong), None, "{wrong}");
        }
        assert_eq!(Currency::Tokens.parse(" 12 "), Some(12));
        assert_eq!(Currency::Tokens.parse("1.5"), None);
    }

    #[test]
    fn mostly_used_is_eighty_percent_of_any_ceiling() {
        assert!(!is_mostly_used(79, 100));
        assert!(is_mostly_used(80, 100));
        assert!(is_mostly_used(0, 0));
        assert!(!is_mostly_used(1, u64::MAX));
    }
}

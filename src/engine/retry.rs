//! The retry of a failed call: if it is made again, and when. Chance comes from the seed of the run.

use cuelight_base::{FailureMode, Span, StepIx, sha256};
use cuelight_plan::{Backoff, Retry};

/// True if another call is allowed after `calls` of them, the last of which failed in this mode.
pub(super) fn may_try_again(retry: Option<&Retry>, calls: u32, mode: FailureMode) -> bool {
    let Some(retry) = retry else { return false };
    let asked_for = if retry.on.is_empty() {
        // A plain non-zero exit is tried again because the author wrote `retry`.
        mode.is_retryable() || mode == FailureMode::AgentLogic
    } else {
        retry.on.contains(&mode)
    };
    retry.kind != Backoff::None && calls < retry.max_attempts && asked_for && !mode.is_terminal()
}

/// Before the call after the `failed`-th failure (counted from 1): min(delay · factor^(n−1), max-delay) ±
/// jitter.
pub(super) fn delay(retry: &Retry, failed: u32, seed: u64, step: StepIx) -> Span {
    let exponent = failed.saturating_sub(1);
    let grown = match retry.kind {
        Backoff::None => 0,
        Backoff::Constant => u128::from(retry.delay.0),
        Backoff::Linear => u128::from(retry.delay.0) * u128::from(failed.max(1)),
        Backoff::Exponential => {
            let mut delay = u128::from(retry.delay.0);
            for _ in 0..exponent {
                delay = delay * u128::from(retry.factor_thousandths) / 1000;
                if delay >= u128::from(retry.max_delay.0) {
                    break;
                }
            }
            delay
        }
    };
    let base = grown.min(u128::from(retry.max_delay.0));
    let swing = base * u128::from(retry.jitter.0) / 10_000;
    let drawn = u128::from(chance(seed, step, failed)) % (2 * swing + 1);
    let delay = (base + drawn).saturating_sub(swing).min(u128::from(retry.max_delay.0));
    Span(u64::try_from(delay).unwrap_or(u64::MAX))
}

/// A number that looks random and is the same on every machine and in every replay.
pub(super) fn chance(seed: u64, step: StepIx, what: u32) -> u64 {
    let digest =
        sha256("cuelight-chance-v1", &[&seed.to_be_bytes(), &step.0.to_be_bytes(), &what.to_be_bytes()]);
    digest.0[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::Score;

    fn retry(kind: Backoff) -> Retry {
        Retry {
            max_attempts: 3,
            kind,
            delay: Span::seconds(1),
            factor_thousandths: 2000,
            max_delay: Span::seconds(5),
            jitter: Score(0),
            on: Vec::new(),
        }
    }

    #[test]
    fn delays_grow_as_their_kind_says_and_never_past_the_cap() {
        let delays = |kind| [1, 2, 3, 4, 60].map(|n| delay(&retry(kind), n, 7, StepIx(0)).0);
        assert_eq!(delays(Backoff::Exponential), [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(delays(Backoff::Linear), [1000, 2000, 3000, 4000, 5000]);
        assert_eq!(delays(Backoff::Constant), [1000; 5]);
    }

    #[test]
    fn jitter_is_drawn_from_the_seed_within_its_share() {
        let policy = Retry { jitter: Score(1000), max_delay: Span::seconds(60), ..retry(Backoff::Constant) };
        let drawn: Vec<u64> = (1..50).map(|n| delay(&policy, n, 7, StepIx(3)).0).collect();
        assert!(drawn.iter().all(|number| (900..=1100).contains(number)), "{drawn:?}");
        assert!(drawn.iter().any(|number| *number != drawn[0]));
        assert_eq!(delay(&policy, 1, 7, StepIx(3)), delay(&policy, 1, 7, StepIx(3)));
    }

    #[test]
    fn max_attempts_counts_all_calls_and_terminal_modes_are_final() {
        let policy = retry(Backoff::Constant);
        assert!(may_try_again(Some(&policy), 2, FailureMode::AgentLogic));
        assert!(!may_try_again(Some(&policy), 3, FailureMode::AgentLogic));
        assert!(!may_try_again(Some(&policy), 1, FailureMode::SystemOom));
        assert!(!may_try_again(None, 1, FailureMode::SystemNetwork));
        let named = Retry { on: vec![FailureMode::SystemDisk], ..policy };
        assert!(may_try_again(Some(&named), 1, FailureMode::SystemDisk));
        assert!(!may_try_again(Some(&named), 1, FailureMode::AgentLogic));
    }
}

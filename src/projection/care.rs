//! The care with which a person answers, measured by the time that each ask was on the screen.

use crate::Board;
use cuelight_base::{Actor, Span};

/// Answers that are looked at.
const ANSWERS_MAX: usize = 100;
/// A faster approval counts as hasty: the ask can hardly have been read.
const HASTY: Span = Span(2_000);

/// The recent approvals of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Care {
    /// Approvals that are known to have been given on a screen.
    pub answers: usize,
    /// For how long the ask was shown: as many were shown longer as shorter.
    pub median: Span,
    /// The number of approvals in less than two seconds.
    pub hasty: usize,
    /// The most within one minute.
    pub in_a_minute: usize,
}

impl Board {
    /// The recent approvals of this person.
    pub fn care(&self, actor: &Actor) -> Care {
        let principal = actor.principal();
        let votes = self.gates().rev().flat_map(|gate| gate.approvals());
        let own = votes.filter(|vote| vote.vote.by.principal() == principal).take(ANSWERS_MAX);
        let own: Vec<_> = own.filter_map(|vote| Some((vote.at, vote.vote.shown_for?))).collect();
        let mut shown: Vec<Span> = own.iter().map(|pair| pair.1).collect();
        let mut times: Vec<_> = own.iter().map(|pair| pair.0).collect();
        shown.sort_unstable();
        times.sort_unstable();
        let within =
            |from: usize| times[from..].iter().take_while(|time| time.since(times[from]).0 < 60_000).count();
        Care {
            answers: shown.len(),
            median: shown.get(shown.len() / 2).copied().unwrap_or_default(),
            hasty: shown.iter().filter(|span| **span < HASTY).count(),
            in_a_minute: (0..times.len()).map(within).max().unwrap_or(0),
        }
    }
}

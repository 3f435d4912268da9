//! Which run was made for which request, for a day: whoever asks again, also an engine that was started anew, has that run and no other.
//! Who asks, and what makes two requests the same, is for doors: here they are hashes.

use crate::base::{Digest, REQUESTS_KEPT, REQUESTS_MAX, RunId, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// The requests of the last day that runs were made for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Requests {
    runs: BTreeMap<Digest, (Timestamp, RunId)>,
    in_order: VecDeque<(Timestamp, Digest)>,
}

impl Requests {
    /// The fold: a run was made for a request.
    pub(super) fn apply(&mut self, at: Timestamp, run: RunId, request: Digest) {
        while let Some((made, oldest)) = self.in_order.front()
            && (*made + REQUESTS_KEPT < at || self.in_order.len() >= REQUESTS_MAX)
        {
            self.runs.remove(oldest);
            self.in_order.pop_front();
        }
        if self.runs.insert(request, (at, run)).is_none() {
            self.in_order.push_back((at, request));
        }
    }

    /// The run that was made for it.
    pub(super) fn run(&self, request: Digest, now: Timestamp) -> Option<RunId> {
        self.runs.get(&request).filter(|(made, _)| *made + REQUESTS_KEPT >= now).map(|it| it.1)
    }
}

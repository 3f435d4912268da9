//! All that can be seen of one log, up to one event. Changed by `apply` alone; what is shared is behind `Arc`.

use crate::{base::Seq, engine::Event};

/// The fold that screens and commands read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// The last event that was applied.
    pub seq: Seq,
}

impl Board {
    /// The fold.
    pub fn apply(&mut self, seq: Seq, _event: &Event) {
        self.seq = seq;
    }
}

//! Replies given lately, by who asked and the id of the request: the same id again gets the same answer, so a seat whose
//! line broke may simply ask again.

use super::{Reply, RequestId};
use std::collections::{BTreeMap, VecDeque};

/// Replies remembered.
const KEPT_MAX: usize = 4096;

/// Principal and id.
pub(super) type Key = (String, RequestId);

/// A bounded memory of replies; the oldest is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Answered {
    replies: BTreeMap<Key, Reply>,
    order: VecDeque<Key>,
}

impl Answered {
    pub(super) fn find(&self, key: &Key) -> Option<&Reply> {
        self.replies.get(key)
    }

    /// Keeps what became of a request. What was not recorded may be asked again and get another answer.
    pub(super) fn keep(&mut self, key: Key, reply: &Reply) {
        if matches!(reply, Reply::NotRecorded(_)) {
            return;
        }
        if self.replies.insert(key.clone(), reply.clone()).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > KEPT_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.replies.remove(&oldest);
            }
        }
    }
}

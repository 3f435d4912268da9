//! Replies given lately, by who asked and the id of the request: the same id again gets the same answer, so a seat whose
//! line broke may simply ask again. Those of each project by themselves.

use super::{Reply, RequestId};
use cuelight_base::{Actor, FairMemory, REPLIES_KEPT, REPLIES_MAX, Timestamp};

/// The sender and id of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    project: String,
    request: (String, RequestId),
}

impl Key {
    pub(super) fn of(by: Option<&Actor>, id: RequestId) -> Self {
        let project = by.and_then(Actor::project).unwrap_or_default().to_owned();
        Self { project, request: (by.map(Actor::principal).unwrap_or_default(), id) }
    }
}

/// A bounded memory of replies.
#[derive(Debug)]
pub(super) struct Answered(FairMemory<(String, RequestId), Reply>);

impl Default for Answered {
    fn default() -> Self {
        Self(FairMemory::new(REPLIES_MAX, REPLIES_KEPT))
    }
}

impl Answered {
    pub(super) fn find(&self, key: &Key, now: Timestamp) -> Option<&Reply> {
        self.0.find(&key.project, &key.request, now)
    }

    /// Keeps what became of a request. What was not recorded may be asked again and get another answer.
    pub(super) fn keep(&mut self, key: Key, reply: &Reply, now: Timestamp) {
        if !matches!(reply, Reply::NotRecorded(_)) {
            self.0.keep(&key.project, key.request, reply.clone(), now);
        }
    }
}

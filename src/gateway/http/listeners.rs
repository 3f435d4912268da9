//! Who waits for events at this moment, and for which: so that whoever says something learns who heard it, and nobody takes all places.

use crate::{
    base::{Message, Timestamp, Value},
    engine::Said,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Those who may wait at once: fewer than connections, so that there is always one left to say something.
const LISTENERS_MAX: usize = 900;

/// What somebody wants to hear.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) project: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) filter: Vec<(String, Value)>,
}

impl Wanted {
    /// Whether this is one of them, and can still be taken.
    pub(super) fn takes(&self, said: &Said, now: Timestamp) -> bool {
        let it = &said.message;
        it.expires_at > now && self.is_meant(it)
    }

    fn is_meant(&self, it: &Message) -> bool {
        it.project == self.project
            && self.event_type.as_ref().is_none_or(|wanted| *wanted == it.topic)
            && self.topic.as_ref().is_none_or(|wanted| wanted == it.subject())
            && it.has(&self.filter)
    }
}

/// All who wait.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    waiting: BTreeMap<u64, (String, Arc<Wanted>)>,
}

impl Listeners {
    /// A place, for as long as it is held; nothing when all are taken.
    pub(super) fn enter(self: &Arc<Self>, who: String, wanted: Arc<Wanted>) -> Option<Place> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.waiting.len() >= LISTENERS_MAX {
            return None;
        }
        all.last += 1;
        let number = all.last;
        all.waiting.insert(number, (who, wanted));
        Some(Place { number, of: Arc::clone(self) })
    }

    /// Who waits for this one.
    pub(super) fn of(&self, message: &Message) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.waiting.values().filter(|it| it.1.is_meant(message)).map(|it| it.0.clone()).collect()
    }
}

/// The place of somebody who waits.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    of: Arc<Listeners>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.all.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&self.number);
    }
}

//! Requests that wait, and the events that some of them wait for. A publisher thus learns who got its event,
//! and nobody takes all places.

use cuelight_base::{Actor, Message, Timestamp, Value};
use cuelight_exchange::Said;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Limits of requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Limit of connections at once.
    pub connections: usize,
    /// Limit of connections on which a client waits: for events, at a gate, for work, for the end of a run.
    /// It is lower, so that one is always left to publish something.
    pub waiting: usize,
    /// Limit for one project, so that the others always have some, …
    pub of_project: usize,
    /// … and those of one principal.
    pub of_principal: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self { connections: 1000, waiting: 900, of_project: 450, of_principal: 100 }
    }
}

/// The events that a client wants.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) project: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) topic: Option<String>,
    pub(super) filter: Vec<(String, Value)>,
}

impl Wanted {
    /// No event at all, for a caller that waits for something else.
    pub(super) fn nothing(project: Option<String>) -> Self {
        // No event is of this type.
        Self { project, event_type: Some(String::new()), topic: None, filter: Vec::new() }
    }

    /// True if the event matches and has not expired.
    pub(super) fn takes(&self, said: &Said, now: Timestamp) -> bool {
        let message = &said.message;
        message.expires_at > now && self.is_meant(message)
    }

    fn is_meant(&self, message: &Message) -> bool {
        message.project == self.project
            && self.event_type.as_ref().is_none_or(|wanted| *wanted == message.topic)
            && self.topic.as_ref().is_none_or(|wanted| wanted == message.subject())
            && message.has(&self.filter)
    }
}

/// All requests that wait.
#[derive(Debug)]
pub(super) struct Listeners {
    places: Places,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    last: u64,
    waiting: BTreeMap<u64, Waits>,
}

#[derive(Debug)]
struct Waits {
    /// As others see them.
    name: String,
    principal: String,
    wanted: Arc<Wanted>,
}

impl Listeners {
    pub(super) fn new(places: Places) -> Self {
        Self { places, all: Mutex::default() }
    }

    /// A place, for as long as it is held.
    ///
    /// # Errors
    /// The name whose places are all taken: the caller, the project, or the whole engine.
    pub(super) fn enter(self: &Arc<Self>, who: &Actor, wanted: Arc<Wanted>) -> Result<Place, String> {
        let (name, principal) = (who.name.clone(), who.principal());
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_project = 0;
        let mut of_principal = 0;
        for waits in all.waiting.values().filter(|waits| waits.wanted.project == wanted.project) {
            of_project += 1;
            of_principal += usize::from(waits.principal == principal);
        }
        let Places { waiting, of_project: of_project_max, of_principal: of_principal_max, .. } = self.places;
        if of_principal >= of_principal_max {
            return Err(format!("{name} waits {of_principal_max} times already; end one of them"));
        }
        if of_project >= of_project_max {
            return Err(format!("{of_project_max} of this project wait already; try again in a moment"));
        }
        if all.waiting.len() >= waiting {
            return Err("too many wait already; try again in a moment".to_owned());
        }
        all.last += 1;
        let number = all.last;
        all.waiting.insert(number, Waits { name, principal, wanted });
        Ok(Place { number, of: Arc::clone(self) })
    }

    /// Names of the clients that wait for this event. The event is built only if a client waits at all.
    pub(super) fn of(&self, message: impl FnOnce() -> Message) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.waiting.is_empty() {
            return Vec::new();
        }
        let message = &message();
        all.waiting
            .values()
            .filter(|waits| waits.wanted.is_meant(message))
            .map(|waits| waits.name.clone())
            .collect()
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

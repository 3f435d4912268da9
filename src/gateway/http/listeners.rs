//! Who waits for events at this moment, and for which: so that whoever says something learns who heard it, and nobody takes all places.

use crate::{
    base::{Message, Timestamp, Value},
    engine::{Actor, Said},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// All who may wait at once: fewer than connections, so that there is always one left to say something.
const LISTENERS_MAX: usize = 900;
/// Those of one project, so that the others always have some, …
const OF_PROJECT_MAX: usize = LISTENERS_MAX / 2;
/// … and those of one principal.
const OF_PRINCIPAL_MAX: usize = 100;

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
    /// A place, for as long as it is held.
    ///
    /// # Errors
    /// Who has all that they may have.
    pub(super) fn enter(self: &Arc<Self>, who: &Actor, wanted: Arc<Wanted>) -> Result<Place, String> {
        let (name, principal) = (who.name.clone(), who.principal());
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_project = 0;
        let mut of_principal = 0;
        for it in all.waiting.values().filter(|it| it.wanted.project == wanted.project) {
            of_project += 1;
            of_principal += usize::from(it.principal == principal);
        }
        if of_principal >= OF_PRINCIPAL_MAX {
            return Err(format!("{name} does {OF_PRINCIPAL_MAX} times already; end one of them"));
        }
        if of_project >= OF_PROJECT_MAX {
            return Err(format!("{OF_PROJECT_MAX} of this project do already; try again in a moment"));
        }
        if all.waiting.len() >= LISTENERS_MAX {
            return Err("too many do already; try again in a moment".to_owned());
        }
        all.last += 1;
        let number = all.last;
        all.waiting.insert(number, Waits { name, principal, wanted });
        Ok(Place { number, of: Arc::clone(self) })
    }

    /// Who waits for this one.
    pub(super) fn of(&self, message: &Message) -> Vec<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.waiting.values().filter(|it| it.wanted.is_meant(message)).map(|it| it.name.clone()).collect()
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

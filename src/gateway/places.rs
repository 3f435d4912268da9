//! The places at one socket, by kind: steps, agents, commands and consoles each have their own, so that none keeps another out.
//!
//! A peer waits in the lobby until it says its first word. Where all places of commands are taken, a few more take one question each:
//! a person who wants to reject something is heard.

use cuelight_base::Channel;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for those who have said nothing yet.
const LOBBY_MAX: usize = 256;
/// Places of each kind.
const PLACES_MAX: usize = 32;
/// Places of commands that come when all others are taken, …
const BRIEF_MAX: usize = 8;
/// … and how long each may stay: as long as an answer may take.
const BRIEF_TIME: Duration = Duration::from_secs(30);

/// The places that are taken.
#[derive(Clone, Debug)]
pub struct Seats {
    lobby: Arc<Semaphore>,
    steps: Arc<Semaphore>,
    agents: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    consoles: Arc<Semaphore>,
    brief: Arc<Semaphore>,
}

/// A place, given back when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Time limit for a place; `None` means no limit.
    pub(super) lasts: Option<Duration>,
}

impl Default for Seats {
    fn default() -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            lobby: places(LOBBY_MAX),
            steps: places(PLACES_MAX),
            agents: places(PLACES_MAX),
            commands: places(PLACES_MAX),
            consoles: places(PLACES_MAX),
            brief: places(BRIEF_MAX),
        }
    }
}

impl Seats {
    /// The places that are taken; a peer that has said nothing yet has none.
    pub fn taken(&self) -> usize {
        let free = |steps: &Arc<Semaphore>| steps.available_permits();
        let all = [&self.steps, &self.agents, &self.commands, &self.consoles];
        all.map(|steps| PLACES_MAX - free(steps)).iter().sum::<usize>() + BRIEF_MAX - free(&self.brief)
    }

    /// A place in the lobby, when one is free: a peer that says nothing leaves it within seconds.
    pub(super) async fn wait(&self) -> Place {
        let permit = Arc::clone(&self.lobby).acquire_owned().await;
        Place { _permit: permit.expect("it is never closed"), lasts: None }
    }

    /// A place of the kind that this door leads to.
    pub(super) fn take(&self, channel: Channel) -> Result<Place, String> {
        let (places, kind, next) = match channel {
            Channel::Step => (&self.steps, "programs of steps", "a program of a step has to end first"),
            Channel::Mcp => (&self.agents, "agents", "end an agent first"),
            Channel::Console => (&self.consoles, "consoles", "close a console first"),
            _ => (&self.commands, "commands", "end one that follows a run or a log first"),
        };
        let is_command = Arc::ptr_eq(places, &self.commands);
        let brief = || Some(Place { lasts: Some(BRIEF_TIME), ..place(&self.brief)? });
        place(places)
            .or_else(|| is_command.then(brief).flatten())
            .ok_or_else(|| format!("could not attach: all {PLACES_MAX} places of {kind} are taken; {next}"))
    }
}

fn place(places: &Arc<Semaphore>) -> Option<Place> {
    let permit = Arc::clone(places).try_acquire_owned().ok()?;
    Some(Place { _permit: permit, lasts: None })
}

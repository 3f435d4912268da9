//! All state of the exchange in one value, as the engine holds it.

use crate::{AgentEvent, Agents, Bus, BusEvent, Leases, Library, LibraryEvent, Topics, bus::SaidIds};
use cuelight_base::{RunId, Timestamp};
use std::{collections::BTreeSet, sync::Arc};

/// The messages, the agents, their work, and what they left: shared by all runs.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The messages that were sent, for the steps that wait for them.
    pub bus: Arc<Bus>,
    /// The ids of sent messages.
    pub(super) said_ids: Arc<SaidIds>,
    /// The rules of topics, and the messages that were rejected.
    pub topics: Arc<Topics>,
    /// The results and knowledge that agents stored.
    pub library: Arc<Library>,
    /// Agents that came by themselves.
    pub agents: Arc<Agents>,
    /// The leases of agents, and the steps that wait for one.
    pub leases: Arc<Leases>,
}

impl Exchange {
    /// Applies an event of the bus to messages, ids and topics.
    pub fn apply_bus(&mut self, at: Timestamp, event: &BusEvent) {
        Arc::make_mut(&mut self.bus).apply(at, event);
        Arc::make_mut(&mut self.said_ids).apply(at, event);
        Arc::make_mut(&mut self.topics).apply(at, event);
    }

    /// Applies an event of the library to its ids.
    pub fn apply_library(&mut self, at: Timestamp, event: &LibraryEvent) {
        Arc::make_mut(&mut self.library).apply(at, event);
    }

    /// Applies an event of an agent to the known agents; leases are folded with the events of runs.
    pub fn apply_agent(&mut self, at: Timestamp, event: &AgentEvent) {
        Arc::make_mut(&mut self.agents).apply(at, event);
    }

    /// A copy with the offers and leases of these runs alone.
    #[must_use]
    pub fn only(&self, runs: &BTreeSet<RunId>) -> Self {
        Self { leases: Arc::new(self.leases.only(runs)), ..self.clone() }
    }
}

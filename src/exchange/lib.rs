//! Messages, the work and presence of agents that come by themselves, and what they leave: rules and state.
//!
//! The engine asks these rules, records the events and says what follows for runs. `projection` folds the same
//! state from the same events.

mod agents;
mod bus;
mod event;
mod lease;
mod library;
mod sending;
mod state;
mod topics;

pub use agents::{
    AgentAsk, AgentFault, AgentKey, AgentRefusal, Agents, Presence, Registered, Registration, own_key,
};
pub use bus::{Bus, NewMessage, Ring, Said};
pub use event::{AgentEvent, BusEvent, LibraryEvent};
pub use lease::{Given, Lease, Leases, Offer};
pub use library::{AgentResult, Knowledge, KnowledgeKind, Library, ResultStatus, completed};
pub use sending::Unsent;
pub use state::Exchange;
pub use topics::{DeadLetter, MessageFault, MessageProof, Rejected, Speaker, TopicRule, Topics};

//! The events of messages, of agents and of what agents leave. A stored contract: variants and fields are only
//! added, each field with a default.

mod agent;
mod bus;

pub use agent::{AgentEvent, LibraryEvent};
pub use bus::BusEvent;

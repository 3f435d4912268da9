//! Runs the engine: the loop that decides, the calls that it asks for, and the desk through which all others
//! use it.
//!
//! It carries and does not judge: `engine` decides what may happen, `store` keeps it, `tool` runs it.

mod again;
mod agent_door;
mod answered;
mod archive;
mod bytes_as_text;
mod call_files;
mod clock;
mod conductor;
mod context;
mod desk;
mod draft;
mod effects;
mod engine;
mod entropy;
mod in_flight;
mod launch;
mod library;
mod local_desk;
mod marks;
mod past;
mod people;
mod podium;
mod queries;
mod read_desk;
mod schedule;
mod ssh_key;
mod tasks;
mod tool_use;
mod traces;

pub use agent_door::AgentDoor;
pub use call_files::Keep;
pub use clock::{Clock, SystemClock};
pub use conductor::{Conductor, Released, Turn};
pub use context::{ContextAnswer, ContextCounts, NoContext};
pub use cuelight_tool::{Peer, TcpPeer, are_we_of_a_step};
pub use desk::{
    Boards, Desk, InputText, LaunchRequest, Offer, OfferedInput, OutputPart, Page, Receipt, Reply, Request,
    RequestId, Seen, Signal, Signals, Source, Trouble, Want, stamped,
};
pub use draft::{Draft, as_yaml};
pub use effects::Effects;
pub use engine::{Engine, Setup};
pub use entropy::Entropy;
pub use launch::machine;
pub use library::result_of_bytes;
pub use local_desk::LocalDesk;
pub use past::past;
pub use people::{People, WhoIsWho, people_signer};
pub use podium::{Hands, Inbound, JournalPort, Podium};
pub use queries::{ContextQuery, LibraryQuery, Shelf};
pub use read_desk::ReadDesk;
pub use schedule::{
    Due, DueWhat, MayStart, Scheduled, called_by_schedules, due, file_elsewhere, keep_schedules, scheduled,
    unreadable,
};
pub use ssh_key::{Signed, public_key, signing_key};
pub use tasks::Tasks;
pub use tool_use::{FileNow, ToolAsk, ToolUse};
pub use traces::{TraceCounts, TraceSetup, Traces, keep_traces};

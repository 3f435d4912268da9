//! A desk in this process or at a socket: for callers that learn only at start-up where the engine is.

use super::{LookDesk, RemoteDesk};
use cuelight_base::RunId;
use cuelight_engine::{Command, Event, Refusal};
use cuelight_runtime::{
    Boards, Desk, LaunchRequest, LocalDesk, Page, ReadDesk, Reply, Request, Signals, Want,
};

/// One of the desks there are.
#[derive(Clone, Debug)]
pub enum AnyDesk {
    /// The engine is in this process.
    Local(LocalDesk),
    /// The engine is in another process.
    Remote(RemoteDesk),
    /// The engine is in another process, and may go while we look.
    Looking(LookDesk),
    /// No engine runs: the desk can only read.
    Reading(ReadDesk),
}

macro_rules! each {
    ($desk:expr, $bound:ident => $call:expr) => {
        match $desk {
            AnyDesk::Local($bound) => $call,
            AnyDesk::Remote($bound) => $call,
            AnyDesk::Looking($bound) => $call,
            AnyDesk::Reading($bound) => $call,
        }
    };
}

impl Desk for AnyDesk {
    async fn submit(&self, request: Request) -> Reply {
        each!(self, desk => desk.submit(request).await)
    }

    async fn preview(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        each!(self, desk => desk.preview(command).await)
    }

    async fn launch(&self, launch: LaunchRequest) -> Reply {
        each!(self, desk => desk.launch(launch).await)
    }

    fn boards(&self) -> Boards {
        each!(self, desk => desk.boards())
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        each!(self, desk => desk.signals(of))
    }

    async fn read(&self, want: Want) -> Page {
        each!(self, desk => desk.read(want).await)
    }
}

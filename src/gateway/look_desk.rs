//! A desk to look from: the engine's while there is one, and what it has recorded once it has gone.
//!
//! An engine with nothing left to do leaves, and may do so between the greeting and the first question of a command.

use super::RemoteDesk;
use cuelight_base::RunId;
use cuelight_engine::{Command, Event, Refusal};
use cuelight_runtime::{
    Boards, Desk, LaunchRequest, Page, ReadDesk, Reply, Request, Seen, Signals, Tasks, Want,
};
use cuelight_store::Workspace;

/// A line to the engine, and the log behind it.
#[derive(Clone, Debug)]
pub struct LookDesk {
    line: RemoteDesk,
    workspace: Workspace,
    tasks: Tasks,
}

impl LookDesk {
    /// Looks through `line`, and into the log of `workspace` when the line has broken.
    pub fn new(line: RemoteDesk, workspace: Workspace, tasks: Tasks) -> Self {
        Self { line, workspace, tasks }
    }
}

impl Desk for LookDesk {
    async fn submit(&self, request: Request) -> Reply {
        self.line.submit(request).await
    }

    async fn preview(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        self.line.preview(command).await
    }

    async fn launch(&self, launch: LaunchRequest) -> Reply {
        self.line.launch(launch).await
    }

    fn boards(&self) -> Boards {
        self.line.boards()
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        self.line.signals(of)
    }

    async fn read(&self, want: Want) -> Page {
        let mut boards = self.line.boards();
        tokio::select! {
            biased;
            _ = boards.wait_for(Seen::is_lost) => {}
            page = self.line.read(want.clone()) => return page,
        }
        match ReadDesk::open(&self.workspace, &self.tasks) {
            Ok(log) => log.read(want).await,
            Err(why) => Page::Missing(why.to_string()),
        }
    }
}

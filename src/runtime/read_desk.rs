//! A desk without an engine: what was recorded last can be seen, and nothing can be asked.

use super::{
    Boards, Desk, LaunchRequest, Page, Reply, Request, Seen, Signal, Signals, Tasks, Trouble, Want,
    archive::Archive,
};
use cuelight_base::RunId;
use cuelight_engine::{Command, Event, Refusal};
use cuelight_projection::Board;
use cuelight_store::{StoreError, Workspace};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Reads the log of a workspace that nobody owns.
#[derive(Clone, Debug)]
pub struct ReadDesk {
    archive: Archive,
    seen: watch::Sender<Seen>,
    ring: broadcast::Sender<Arc<Signal>>,
}

impl ReadDesk {
    /// Folds all that was recorded; nothing where a workspace that is only looked at has no log.
    ///
    /// # Errors
    /// When there is no log, or it cannot be read.
    pub fn open(workspace: &Workspace, tasks: &Tasks) -> Result<Self, StoreError> {
        let archive = Archive::new(workspace.clone(), tasks.clone());
        let mut board = Board::default();
        let is_nothing = workspace.is_only_looked_at() && !workspace.db().exists();
        let mut take = |seq, event: &Event| {
            if let Some(run) = board.forgotten(event) {
                let mut past = Board::default();
                for (at, event) in archive.history(run)?.iter().take_while(|(at, _)| *at < seq) {
                    past.apply(*at, event);
                }
                past.run(run).cloned().into_iter().for_each(|whole| board.remember(whole));
            }
            board.apply(seq, event);
            Ok(())
        };
        if !is_nothing {
            archive.each_event(&mut take)?;
        }
        let seen = Seen { board: Arc::new(board), trouble: Some(Trouble::Unowned) };
        Ok(Self { archive, seen: watch::Sender::new(seen), ring: broadcast::Sender::new(1) })
    }
}

fn nobody() -> String {
    "could not do that: no engine runs here; start one with `cuelight serve --detach`".to_owned()
}

impl Desk for ReadDesk {
    async fn submit(&self, _: Request) -> Reply {
        Reply::NotRecorded(nobody())
    }

    async fn preview(&self, _: Command) -> Result<Vec<Event>, Refusal> {
        Err(Refusal::Other(nobody()))
    }

    async fn launch(&self, _: LaunchRequest) -> Reply {
        Reply::NotRecorded(nobody())
    }

    fn boards(&self) -> Boards {
        self.seen.subscribe()
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        Signals::new(of, self.ring.subscribe())
    }

    async fn read(&self, want: Want) -> Page {
        self.archive.read(want).await
    }
}

//! The desk of an engine in this process. Who asks is whoever this desk was made for.

use super::{
    Boards, Desk, Entropy, Inbound, LaunchRequest, Page, People, Reply, Request, Signal, Signals, Tasks,
    Want, again, archive::Archive, launch::prepare, stamped,
};
use crate::{
    base::RunId,
    engine::{Actor, CauseOfLaunch, Command, Event, Launching, Proof, Refusal},
};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// Stands beside the loop, and holds nothing that the loop needs.
#[derive(Clone, Debug)]
pub struct LocalDesk {
    pub(super) actor: Arc<Actor>,
    /// Those whose signatures are known.
    pub(super) people: Arc<People>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    pub(super) boards: Boards,
    pub(super) ring: broadcast::Sender<Arc<Signal>>,
    pub(super) archive: Archive,
    pub(super) tasks: Tasks,
}

impl LocalDesk {
    /// The same desk for somebody else: each door has one for whoever comes through it.
    #[must_use]
    pub fn with_actor(&self, actor: Actor) -> Self {
        Self { actor: Arc::new(actor), ..self.clone() }
    }

    /// The same desk, which knows whose signatures count.
    #[must_use]
    pub fn with_people(self, people: Arc<People>) -> Self {
        Self { people, ..self }
    }

    /// Who asks here.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Reads, checks, lowers and launches; the cause says where the run comes from.
    pub(super) async fn launch_because(&self, mut launch: LaunchRequest, cause: CauseOfLaunch) -> Reply {
        let id = launch.id.clone();
        let trace = launch.trace.take().unwrap_or_else(|| Entropy.request_id().0);
        let archive = self.archive.clone();
        let work =
            self.tasks.spawn_blocking(move || prepare(&launch, archive.workspace(), archive.secrets()));
        let plan = match work.await {
            Ok(Ok(plan)) => plan,
            Ok(Err(reply)) => return reply,
            Err(_) => {
                return Reply::NotRecorded("could not read the workflow: a fault of cuelight".to_owned());
            }
        };
        let (by, seed) = (Actor::clone(&self.actor), Entropy.seed());
        let command = Command::Launch(Box::new(Launching { plan, by, seed, cause, trace }));
        self.submit(Request { id, command }).await
    }
}

impl LocalDesk {
    /// A command with who has really given it: whoever signed it, else whoever came through this door.
    fn stamped(&self, mut command: Command) -> Result<Command, Refusal> {
        if let Command::Decide(decision) = &mut command
            && matches!(decision.by.proof, Proof::Signature(_))
        {
            let board = Arc::clone(&self.boards.borrow().board);
            let trace = board.trace_of(decision.gate).ok_or(Refusal::NoGate(decision.gate))?;
            // How long it was on the screen here says nothing of who signed it elsewhere.
            decision.shown_for = None;
            decision.by = self.people.signer(decision, trace, self.actor.channel)?;
            return Ok(command);
        }
        stamped(command, &self.actor)
    }

    /// Reads what a command lacks, which only the owner of the workspace may read.
    async fn complete(&self, command: Command) -> Result<Command, Reply> {
        if !again::lacks_something(&command) {
            return Ok(command);
        }
        let archive = self.archive.clone();
        let work = self.tasks.spawn_blocking(move || again::complete(&archive, command));
        let fault =
            || Reply::NotRecorded("could not read what is done again: a fault of cuelight".to_owned());
        work.await.unwrap_or_else(|_| Err(fault()))
    }
}

fn gone() -> String {
    "could not record: the engine has ended; start cuelight again".to_owned()
}

impl Desk for LocalDesk {
    async fn submit(&self, request: Request) -> Reply {
        let command = match self.stamped(request.command) {
            Ok(command) => command,
            Err(refusal) => return Reply::Refused(refusal),
        };
        let command = match self.complete(command).await {
            Ok(command) => command,
            Err(reply) => return reply,
        };
        let (sender, receiver) = oneshot::channel();
        let asked = Inbound::Asked { request: Request { id: request.id, command }, reply: sender };
        if self.inbox.send(asked).await.is_err() {
            return Reply::NotRecorded(gone());
        }
        receiver.await.unwrap_or_else(|_| Reply::NotRecorded(gone()))
    }

    async fn preview(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let command = self.stamped(command)?;
        let run = command.run();
        let command = self.complete(command).await.map_err(|it| again::refusal(run, it))?;
        let (sender, receiver) = oneshot::channel();
        if self.inbox.send(Inbound::Preview { command, reply: sender }).await.is_err() {
            return Err(Refusal::Other(gone()));
        }
        receiver.await.unwrap_or_else(|_| Err(Refusal::Other(gone())))
    }

    async fn launch(&self, launch: LaunchRequest) -> Reply {
        self.launch_because(launch, CauseOfLaunch::Asked).await
    }

    fn boards(&self) -> Boards {
        self.boards.clone()
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        Signals::new(of, self.ring.subscribe())
    }

    async fn read(&self, want: Want) -> Page {
        self.archive.read(want).await
    }
}

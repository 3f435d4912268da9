//! The desk of an engine in this process. All requests are those of the person it was made for.

use super::{
    AgentDoor, Boards, Desk, Entropy, Inbound, LaunchRequest, Page, Reply, Request, RequestId, Signal,
    Signals, Tasks, Want, WhoIsWho, again,
    agent_door::Reached,
    archive::Archive,
    launch::prepare,
    library::{Blobs, made_ready},
    stamped,
};
use cuelight_base::{Actor, GateId, Proof, RunId};
use cuelight_engine::{CauseOfLaunch, Command, Event, Launching, PeoplePolicy, Refusal};
use cuelight_exchange::TopicRule;
use cuelight_projection::Board;
use cuelight_store::name_to_sign;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Stands beside the loop, and holds nothing that the loop needs.
#[derive(Clone, Debug)]
pub struct LocalDesk {
    pub(super) actor: Arc<Actor>,
    /// Says who that is now, and whose signatures count; without it the person stays the one it was made for.
    pub(super) who: Option<WhoIsWho>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    pub(super) boards: Boards,
    pub(super) ring: broadcast::Sender<Arc<Signal>>,
    pub(super) archive: Archive,
    /// The id under which the workspace was trusted when this engine took it.
    pub(super) id: Arc<str>,
    pub(super) blobs: Blobs,
    pub(super) tasks: Tasks,
    /// The engine's address for agents that it starts.
    pub(super) reached: Arc<watch::Sender<Reached>>,
}

impl LocalDesk {
    /// The same desk for somebody else: each door has one for each caller.
    #[must_use]
    pub fn with_actor(&self, actor: impl Into<Arc<Actor>>) -> Self {
        Self { actor: actor.into(), ..self.clone() }
    }

    /// The newest board published.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.boards.borrow().board)
    }

    /// The same desk, which asks each time who is who.
    #[must_use]
    pub fn with_people(self, who: WhoIsWho) -> Self {
        Self { who: Some(who), ..self }
    }

    /// Says where agents that are started reach this engine, or that they cannot: until one of both is said none of them begins.
    pub fn answer_agents(&self, door: Option<AgentDoor>) {
        self.reached.send_replace(door.map_or(Reached::Nowhere, Reached::At));
    }

    /// Says which topics there are, before anybody else is let in: they can be seen when this returns, unless nothing can be written now.
    pub async fn declare_topics(&self, topics: BTreeMap<String, TopicRule>) {
        let mut boards = self.boards.clone();
        let command = Command::DeclareTopics { topics: topics.clone() };
        // Whoever is gone needs no topics.
        drop(self.inbox.send(Inbound::Told(command)).await);
        drop(boards.wait_for(|boards| boards.trouble.is_some() || boards.board.topics().are(&topics)).await);
    }

    /// Tells the engine who is who, before anybody else is let in.
    pub async fn declare_people(&self) {
        let Some(policy) = self.tell_people().await else { return };
        let mut boards = self.boards.clone();
        drop(
            boards
                .wait_for(|boards| {
                    boards.trouble.is_some() || boards.board.people_policy().as_ref() == Some(&policy)
                })
                .await,
        );
    }

    /// Tells the engine who is who where that has changed, so that it knows before what is submitted next: nothing else here
    /// gets in between. The policy that was told.
    async fn tell_people(&self) -> Option<PeoplePolicy> {
        // A file that cannot be read changes nothing; whoever depends on it is refused.
        let people = self.who.as_ref()?.now().ok()?.membership();
        let known = self.board().people_policy();
        if known.map_or(people.people.is_empty(), |people_policy| people_policy == people.policy) {
            return None;
        }
        let policy = people.policy.clone();
        self.inbox.send(Inbound::Told(Command::DeclarePeople { people: Box::new(people) })).await.ok()?;
        Some(policy)
    }

    /// The user of this desk.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Reads, checks, lowers and launches; the cause says where the run comes from.
    pub(super) async fn launch_because(&self, mut launch: LaunchRequest, cause: CauseOfLaunch) -> Reply {
        self.tell_people().await;
        let (id, request) = (launch.id.clone(), launch.request);
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
        let command = Command::Launch(Box::new(Launching { plan, by, seed, cause, trace, request }));
        self.submit(Request { id, command }).await
    }
}

impl LocalDesk {
    /// A command with its true author: the person who signed it, else the caller at this door.
    fn stamped(&self, mut command: Command) -> Result<Command, Refusal> {
        let now = || self.who.as_ref().map(WhoIsWho::now).transpose();
        if let Command::Decide(decision) = &mut command
            && matches!(decision.by.proof, Proof::Signature(_))
        {
            let gate = decision.gate;
            let board = self.board();
            let trace = board.trace_of(gate).ok_or(Refusal::NoGate(gate))?;
            let log = name_to_sign(self.archive.workspace(), &self.id)
                .map_err(|error| Refusal::Other(error.to_string()))?;
            // How long it was on the screen here says nothing of who signed it elsewhere.
            decision.shown_for = None;
            let signer = now().and_then(|value| {
                let people = value.ok_or_else(|| "nobody says here whose key is whose".to_owned())?;
                people.signer(decision, (trace, &log), &self.actor)
            });
            decision.by = signer.map_err(|why| Refusal::NotAllowed { gate, why })?;
            return Ok(command);
        }
        let of_file = matches!(self.actor.proof, Proof::OsUser(_)) || asks_who(&command);
        let by = match (if of_file { now() } else { Ok(None) }, &self.actor.proof) {
            (Ok(Some(people)), Proof::OsUser(uid)) => &people.actor(*uid, self.actor.channel),
            // Whatever else goes on: a run is cancelled while somebody mends the file.
            (Err(why), _) if asks_who(&command) => {
                return Err(Refusal::Other(format!("could not tell who you are: {why}")));
            }
            _ => &*self.actor,
        };
        stamped(command, by)
    }

    /// Puts an answer on record that counts for nobody, in the name of its sender.
    async fn note_refusal(&self, gate: GateId, why: String) -> Reply {
        let by = Actor::clone(&self.actor);
        let refused = Reply::Refused(Refusal::NotAllowed { gate, why: why.clone() });
        let note = Request { id: RequestId::once(), command: Command::NoteRefusal { gate, by, why } };
        match self.ask(note).await {
            Reply::Recorded(_) => refused,
            other => other,
        }
    }

    async fn ask(&self, request: Request) -> Reply {
        let (sender, receiver) = oneshot::channel();
        if self.inbox.send(Inbound::Asked { request, reply: sender }).await.is_err() {
            return Reply::NotRecorded(gone());
        }
        receiver.await.unwrap_or_else(|_| Reply::NotRecorded(gone()))
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

/// True if the result of a command depends on the groups of its sender.
fn asks_who(command: &Command) -> bool {
    let closes_gates =
        matches!(command, Command::AnswerDoubt { .. } | Command::Done { .. } | Command::Skip { .. });
    command.gate().is_some() || closes_gates
}

fn gone() -> String {
    "could not record: the engine has ended; start cuelight again".to_owned()
}

impl Desk for LocalDesk {
    async fn submit(&self, request: Request) -> Reply {
        if asks_who(&request.command) {
            self.tell_people().await;
        }
        let command = match self.stamped(request.command) {
            Ok(command) => command,
            Err(Refusal::NotAllowed { gate, why }) => return self.note_refusal(gate, why).await,
            Err(refusal) => return Reply::Refused(refusal),
        };
        let command = match self.complete(command).await {
            Ok(command) => command,
            Err(reply) => return reply,
        };
        let command = match made_ready(command, (&self.archive, &self.blobs, &self.tasks)).await {
            Ok(command) => command,
            Err(reply) => return reply,
        };
        self.ask(Request { id: request.id, command }).await
    }

    async fn preview(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        if asks_who(&command) {
            self.tell_people().await;
        }
        let command = self.stamped(command)?;
        let run = command.run();
        let command = self.complete(command).await.map_err(|error| again::refusal(run, error))?;
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

//! The desk: how anybody looks at an engine or asks something of it, wherever that engine is.
//!
//! `LocalDesk` is the one in this process, `gateway::RemoteDesk` the other end of a socket. Who asks is stamped by the
//! desk, never taken from what was handed in. Says nothing about how it is done.

use super::{ContextQuery, LibraryQuery};
use cuelight_base::{
    Actor, Arrivals, AttemptId, Digest, GateId, RunId, Seq, SpawnedAgent, Timestamp, ValueMap,
};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_plan::Plan;
use cuelight_projection::{AgentsAbout, Board, Record};
use serde::{Deserialize, Serialize};
use std::{future::Future, sync::Arc};
use tokio::sync::{broadcast, watch};

/// Interface to an engine: shows its state and accepts requests.
pub trait Desk: Clone + Send + Sync + 'static {
    /// Asks for something. Answered when what follows from it is on disk, or cannot be.
    fn submit(&self, request: Request) -> impl Future<Output = Reply> + Send;

    /// Events that a command would record now; changes nothing.
    fn preview(&self, command: Command) -> impl Future<Output = Result<Vec<Event>, Refusal>> + Send;

    /// Workflow text and inputs become a plan, and the plan a run.
    fn launch(&self, launch: LaunchRequest) -> impl Future<Output = Reply> + Send;

    /// The newest board; latest wins, nothing queues, nobody blocks.
    fn boards(&self) -> Boards;

    /// Output and bells of one run as they come, or the bells of all runs. What nobody takes in time is dropped.
    fn signals(&self, of: Option<RunId>) -> Signals;

    /// Reads data that is not on the board: events, output, kept files, plans, the past.
    fn read(&self, want: Want) -> impl Future<Output = Page> + Send;
}

/// Chosen by the seat: sent again, also over a new line, it gets the same answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

impl RequestId {
    /// For what is never sent again: nobody asks for its answer a second time, so it takes no place among those that are remembered.
    pub const fn once() -> Self {
        Self(String::new())
    }

    /// True if this is the id of a request that is never sent again.
    pub(super) const fn is_once(&self) -> bool {
        self.0.is_empty()
    }
}

/// Something asked of the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its name; see [`crate::Entropy::request_id`].
    pub id: RequestId,
    /// The command. Only commands for people are accepted; the desk overwrites the sender.
    pub command: Command,
}

/// A workflow to be read, checked and run by the owner of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// Its name, as for any other request.
    pub id: RequestId,
    /// Source of the workflow's text.
    pub source: Source,
    /// Inputs as typed: `key=value`; read according to what the workflow declares.
    #[serde(default)]
    pub words: Vec<InputText>,
    /// Inputs as JSON; a word of the same name wins.
    #[serde(default)]
    pub values: ValueMap,
    /// Ties runs together that belong to one piece of work; made up when nothing is said.
    #[serde(default)]
    pub trace: Option<String>,
    /// Idempotency key, valid for a day and across engine restarts: a repeated launch makes no second run.
    #[serde(default)]
    pub request: Option<Digest>,
}

impl LaunchRequest {
    /// A workflow without inputs, which belongs to nothing and can be asked for again.
    pub fn of(id: RequestId, source: Source) -> Self {
        Self { id, source, words: Vec::new(), values: ValueMap::new(), trace: None, request: None }
    }
}

/// Source of a workflow's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A file: absolute, or below the workspace.
    Path(String),
    /// The text itself; files it names are looked for beside `name`.
    Text {
        /// Name of the text in messages.
        name: String,
        /// Text of the workflow.
        text: String,
    },
    /// A workflow that starts one agent, and who that is to be.
    Agent {
        /// Text of the workflow.
        text: String,
        /// Identity of the agent to its engine.
        agent: Box<SpawnedAgent>,
        /// Inputs of the agent, including its task. An input that its file does not accept starts nothing.
        given: ValueMap,
    },
}

/// One input as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputText {
    /// Name of the input.
    pub name: String,
    /// Value as it was typed.
    pub text: String,
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[must_use]
pub enum Reply {
    /// It happened, and is on disk.
    Recorded(Receipt),
    /// It may not happen, and here is why.
    Refused(Refusal),
    /// The workflow or its inputs cannot be run; nothing happened.
    Invalid {
        /// All problems, with places and carets, for people.
        report: String,
        /// The same as `check --json` prints it.
        findings: serde_json::Value,
    },
    /// Nobody knows that it happened, since it could not be written down or nobody could be reached.
    NotRecorded(String),
}

/// The results of a recorded request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The last event that followed from it; the board shows it from here on.
    pub seq: Seq,
    /// The run it made or was about.
    pub run: Option<RunId>,
    /// The gate it was about.
    pub gate: Option<GateId>,
}

/// The board, and whether it can be trusted to be the newest.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All that can be seen.
    pub board: Arc<Board>,
    /// A problem with the engine or the connection to it; `None` if all is well.
    pub trouble: Option<Trouble>,
}

impl Seen {
    /// True if the engine cannot be reached.
    pub fn is_lost(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Lost(_)))
    }
}

/// Why what is seen may be old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The engine could not write and does not decide; it goes on by itself when there is room.
    Holding(String),
    /// The guard is held up: programs go on, and nothing is heard of them. It goes on by itself when the guard does.
    Unheard(String),
    /// Something runs that has left its step and hides whose it is. It goes by itself.
    Strays(String),
    /// The engine could not write and has stopped for good.
    Stopped(String),
    /// Another engine has taken the workspace over, and this one decides nothing any more.
    TakenOver(String),
    /// The engine cannot be reached; it is tried again.
    Lost(String),
    /// No engine runs: this is the last recorded state.
    Unowned,
}

/// Boards as they come.
pub type Boards = watch::Receiver<Seen>;

/// Something worth knowing at once, and worth nothing later: never written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// A call has written something; masked, else exactly as it was.
    Output {
        /// The call that wrote it.
        attempt: AttemptId,
        /// Offset of `bytes` in the output.
        from: u64,
        /// Output of the call, masked.
        #[serde(with = "super::bytes_as_text")]
        bytes: Vec<u8>,
        /// Time at which the bytes arrived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// Somebody is needed, or something failed.
    Ring {
        /// The run that needs somebody or failed.
        run: RunId,
        /// The gate, when it is one.
        gate: Option<GateId>,
    },
}

impl Signal {
    /// The run it is about.
    pub const fn run(&self) -> RunId {
        match self {
            Self::Output { attempt, .. } => attempt.run,
            Self::Ring { run, .. } => *run,
        }
    }
}

/// Signals as they come; a signal that was not read in time is gone.
#[derive(Debug)]
pub struct Signals {
    of: Option<RunId>,
    ring: broadcast::Receiver<Arc<Signal>>,
    missed: u64,
}

impl Signals {
    /// Creates a stream of one run's signals, or of the bells of all runs.
    pub const fn new(of: Option<RunId>, ring: broadcast::Receiver<Arc<Signal>>) -> Self {
        Self { of, ring, missed: 0 }
    }

    /// The next one; nothing when there will be no more.
    pub async fn next(&mut self) -> Option<Arc<Signal>> {
        loop {
            match self.ring.recv().await {
                Ok(signal) if self.wants(&signal) => return Some(signal),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(many)) => self.missed += many,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Number of signals missed since the last call of this.
    pub const fn take_missed(&mut self) -> u64 {
        std::mem::replace(&mut self.missed, 0)
    }

    fn wants(&self, signal: &Signal) -> bool {
        match self.of {
            Some(run) => run == signal.run(),
            None => matches!(signal, Signal::Ring { .. }),
        }
    }
}

/// A request to read data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// Events in the order of the log.
    Events {
        /// Limits events to this run; `None` means all runs.
        run: Option<RunId>,
        /// Sequence number before the first event wanted.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
    /// Events of the whole log in order, each with its links in the chain.
    Records {
        /// Sequence number before the first event wanted.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
    /// Checks the chain, from the first record to the last.
    Chain,
    /// Output of a call.
    Output {
        /// The call that wrote it.
        attempt: AttemptId,
        /// Part of the output to read.
        part: OutputPart,
    },
    /// A file that a call left, from this byte on.
    Kept {
        /// The call that left it.
        attempt: AttemptId,
        /// Its path, as it is on the board.
        path: String,
        /// The first byte wanted.
        from: u64,
    },
    /// A piece of evidence, from this byte on.
    Blob {
        /// Hash of the evidence.
        digest: Digest,
        /// The first byte wanted.
        from: u64,
    },
    /// The plan of a run.
    Plan(RunId),
    /// The workflows of the workspace, the inputs of one of them, and the problems of the values given to it.
    Workflow {
        /// The file, as for a launch; nothing is asked of one when it is empty.
        path: String,
        /// Values of inputs, as for a launch.
        words: Vec<InputText>,
    },
    /// The agents that the files of the workspace describe.
    Agents,
    /// Entries that agents left for others, as the events that recorded them.
    Library(Box<LibraryQuery>),
    /// Context of a project for an agent: the bytes of JSON, whole.
    Context(Box<ContextQuery>),
    /// A board that shows this run alone: whole, or as it was after an event.
    Past {
        /// The run; also one that ended long ago.
        run: RunId,
        /// The last event to be seen; nothing means all.
        until: Option<Seq>,
    },
}

/// A part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputPart {
    /// From this byte on.
    From(u64),
    /// The last lines, as far as they fit into one page.
    LastLines(u32),
}

/// The data that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// Events in the order of the log.
    Events {
        /// With their places in the log.
        events: Vec<(Seq, Event)>,
        /// True if more events follow.
        more: bool,
    },
    /// Records in the order of the log.
    Records(Vec<Record>),
    /// Result of the chain check.
    Chain {
        /// Records that were looked at and hold.
        records: u64,
        /// The last of them, and its hash.
        head: (Seq, Digest),
        /// The fault of the record after `head`, if any.
        broken: Option<String>,
    },
    /// A stretch of an output or of a kept file.
    Bytes {
        /// Offset of the bytes; later than requested if the bytes between were not kept.
        from: u64,
        /// The exact bytes read.
        #[serde(with = "super::bytes_as_text")]
        bytes: Vec<u8>,
        /// Total number of bytes so far.
        total: u64,
        /// When they came, as far as that was kept.
        #[serde(default, skip_serializing_if = "Arrivals::is_empty")]
        times: Arrivals,
    },
    /// Plan of a run.
    Plan(Arc<Plan>),
    /// A workflow before it is started.
    Workflow(Box<Offer>),
    /// Agents, and what is wrong with the files that describe none.
    Agents(Box<AgentsAbout>),
    /// The past. Never sent: a seat elsewhere reads the events and folds them itself.
    #[serde(skip)]
    Past(Arc<Board>),
    /// The failure, as a sentence that begins with `could not`.
    Missing(String),
}

/// A workflow before it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The workflows of this workspace, as paths below it.
    pub files: Vec<String>,
    /// Its name; empty when it could not be read.
    pub name: String,
    /// Purpose of the workflow.
    pub about: String,
    /// Inputs of the workflow.
    pub inputs: Vec<OfferedInput>,
    /// Why it could not be started with what is given, for people.
    pub problems: Vec<String>,
}

/// One thing a workflow asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedInput {
    /// Name of the input.
    pub name: String,
    /// The type: `string`, `integer` …
    pub kind: String,
    /// True if a value is required.
    pub required: bool,
    /// Value of the input when none is given.
    pub default: Option<String>,
    /// The only values allowed, when not empty.
    pub choices: Vec<String>,
    /// Purpose of the input.
    pub about: String,
}

/// Stamps a command with who is really there; those that only the engine itself may send are refused.
///
/// # Errors
/// When the command is none that people may send.
pub fn stamped(mut command: Command, by: &Actor) -> Result<Command, Refusal> {
    if !command.is_from_people() {
        return Err(Refusal::Other(
            "could not accept this command: only the engine itself sends it".to_owned(),
        ));
    }
    command.stamp(by);
    Ok(command)
}

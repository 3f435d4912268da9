//! What the console wants of the world, returned by `update`, and how the world answers. Data only: who carries it out
//! is left to `event_loop`.

use crate::Scene;
use cuelight_base::{Arrivals, AttemptId, Digest, RunId, Seq};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_projection::{AgentsAbout, Record};

/// Something to be done for the console. Its number comes back with the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Ask this of the engine, to be recorded.
    Submit {
        /// Its number.
        request: u64,
        /// What.
        command: Box<Command>,
    },
    /// What would this do now?
    Preview {
        /// Its number.
        request: u64,
        /// What.
        command: Box<Command>,
    },
    /// Start a workflow.
    Launch {
        /// Its number.
        request: u64,
        /// The file, as it was typed.
        path: String,
        /// `key=value`, as typed.
        words: Vec<(String, String)>,
    },
    /// Read something that is not on the board.
    Read {
        /// Its number.
        request: u64,
        /// What.
        want: Lookup,
    },
    /// Make a picture of this, and meanwhile go on.
    Arrange {
        /// Its number.
        request: u64,
        /// All that it is made of.
        scene: Box<Scene>,
    },
    /// Put this into the clipboard.
    Copy(String),
    /// Let the operator change this in an editor of their own.
    Edit(String),
    /// Save a picture of the screen.
    Export {
        /// The name it should have, without a directory.
        name: String,
        /// What is in it.
        content: String,
    },
    /// Ring the bell.
    Bell,
    /// Tell somebody who does not look at the terminal.
    Notify(String),
    /// Draw every cell again.
    Redraw,
    /// Take or leave the mouse.
    Mouse(bool),
    /// Leave the console; what is open goes on.
    Quit,
    /// Leave the console, and stop its engine.
    Stop,
    /// Put the program to sleep, as Ctrl-Z does.
    Suspend,
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// What a call wrote, from this byte on.
    Output {
        /// Which call.
        attempt: AttemptId,
        /// The first byte wanted.
        from: u64,
    },
    /// The last lines of what a call wrote.
    Tail {
        /// Which call.
        attempt: AttemptId,
        /// How many lines.
        lines: u32,
    },
    /// A kept file, from this byte on.
    Blob {
        /// Its hash.
        digest: Digest,
        /// The first byte wanted.
        from: u64,
    },
    /// Which workflows there are, what one asks for, and what is wrong with what is given to it.
    Workflow {
        /// The file, as it was typed.
        path: String,
        /// `key=value`, as typed.
        words: Vec<(String, String)>,
    },
    /// Events of the whole log in order, each with its links in the chain.
    Records {
        /// Those after this one.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
    /// Whether the chain holds, from the first record to the last.
    Chain,
    /// The agents that are described, and what is wrong with the files that describe none.
    Agents,
    /// Events of a run, in order.
    Events {
        /// The run; else of all.
        run: Option<RunId>,
        /// Those after this one.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Sheet {
    /// A stretch of bytes.
    Bytes {
        /// Where it begins.
        from: u64,
        /// The bytes, exactly.
        bytes: Vec<u8>,
        /// How many there are in all.
        total: u64,
        /// When they came, as far as that is known.
        times: Arrivals,
    },
    /// Records in order.
    Records(Vec<Record>),
    /// How far the chain holds.
    Chain {
        /// Records that were looked at and hold.
        records: u64,
        /// The last of them, and its hash.
        head: (Seq, Digest),
        /// What is wrong with the one after, if there is something.
        broken: Option<String>,
    },
    /// Events in order.
    Events {
        /// With their places in the log.
        events: Vec<(Seq, Event)>,
        /// Whether there are more after them.
        more: bool,
    },
    /// A workflow before it is started.
    Workflow(Offered),
    /// Agents.
    Agents(Box<AgentsAbout>),
    /// `could not …`
    Missing(String),
}

/// A workflow before it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The workflows of the workspace.
    pub files: Vec<String>,
    /// Its name; empty when it could not be read.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// What it asks for.
    pub inputs: Vec<OfferedInput>,
    /// Why it could not be started with what is given.
    pub problems: Vec<String>,
}

/// One thing a workflow asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedInput {
    /// Its name.
    pub name: String,
    /// The type: `string`, `integer` …
    pub kind: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when nothing is given.
    pub default: Option<String>,
    /// The only values allowed, when not empty.
    pub choices: Vec<String>,
    /// What it is for.
    pub about: String,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is on disk.
    Recorded {
        /// The last event that followed from it.
        seq: Seq,
        /// The run it made or was about.
        run: Option<RunId>,
    },
    /// It may not happen, and here is why.
    Refused(Refusal),
    /// The workflow or its inputs cannot be run.
    Invalid(String),
    /// Nobody knows that it happened.
    NotRecorded(String),
    /// A picture was saved, or something was copied.
    Noted(String),
}

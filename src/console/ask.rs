//! Requests of the console, returned by `update`, and the answers to them. Data only: `event_loop` carries
//! them out.

use crate::Scene;
use cuelight_base::{Arrivals, AttemptId, Digest, RunId, Seq};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_projection::{AgentsAbout, Record};

/// Something to be done for the console. Its number comes back with the answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Ask this of the engine, to be recorded.
    Submit {
        /// Number of the request, repeated in its answer.
        request: u64,
        /// The command to record.
        command: Box<Command>,
    },
    /// Compute the effect of a command now, without recording it.
    Preview {
        /// Number of the request, repeated in its answer.
        request: u64,
        /// The command to preview.
        command: Box<Command>,
    },
    /// Start a run of a workflow.
    Launch {
        /// Number of the request, repeated in its answer.
        request: u64,
        /// The file, as it was typed.
        path: String,
        /// `key=value`, as typed.
        words: Vec<(String, String)>,
    },
    /// Read something that is not on the board.
    Read {
        /// Number of the request, repeated in its answer.
        request: u64,
        /// The data to read.
        want: Lookup,
    },
    /// Make a picture of this, and meanwhile go on.
    Arrange {
        /// Number of the request, repeated in its answer.
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
        /// The text of the picture's file.
        content: String,
    },
    /// Ring the terminal's bell.
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

/// Data that the console can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The output of an attempt, from this byte on.
    Output {
        /// The attempt that wrote the output.
        attempt: AttemptId,
        /// The first byte wanted.
        from: u64,
    },
    /// The last lines of what a call wrote.
    Tail {
        /// The attempt that wrote the output.
        attempt: AttemptId,
        /// The number of lines wanted.
        lines: u32,
    },
    /// A kept file, from this byte on.
    Blob {
        /// The hash of its content.
        digest: Digest,
        /// The first byte wanted.
        from: u64,
    },
    /// The workflows of the workspace, the inputs of one of them, and the problems of the values given to it.
    Workflow {
        /// The file, as it was typed.
        path: String,
        /// `key=value`, as typed.
        words: Vec<(String, String)>,
    },
    /// Events of the whole log in order, each with its links in the chain.
    Records {
        /// The last event already read; records after it are returned.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
    /// Verify the chain from the first record to the last.
    Chain,
    /// The agents that are described, and what is wrong with the files that describe none.
    Agents,
    /// Events of a run, in order.
    Events {
        /// The run; else of all.
        run: Option<RunId>,
        /// The last event already read; events after it are returned.
        after: Seq,
        /// At most so many.
        limit: u32,
    },
}

/// Data read for the console.
#[derive(Clone, Debug, PartialEq)]
pub enum Sheet {
    /// A stretch of bytes.
    Bytes {
        /// Offset of the first byte.
        from: u64,
        /// The bytes, exactly as written.
        bytes: Vec<u8>,
        /// Length of the whole, in bytes.
        total: u64,
        /// When they came, as far as that is known.
        times: Arrivals,
    },
    /// Records of the log, in order.
    Records(Vec<Record>),
    /// The result of verifying the chain.
    Chain {
        /// Records that were looked at and hold.
        records: u64,
        /// The last of them, and its hash.
        head: (Seq, Digest),
        /// The defect in the record after the head; None if the chain is intact.
        broken: Option<String>,
    },
    /// Events of a run or of the log, in order.
    Events {
        /// With their places in the log.
        events: Vec<(Seq, Event)>,
        /// True if more events follow.
        more: bool,
    },
    /// A workflow before it is started.
    Workflow(Offered),
    /// The agents that the workspace describes.
    Agents(Box<AgentsAbout>),
    /// The error as a sentence: `could not …`.
    Missing(String),
}

/// A workflow before it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// The workflows of the workspace.
    pub files: Vec<String>,
    /// Its name; empty when it could not be read.
    pub name: String,
    /// The description from its file, for people.
    pub about: String,
    /// The inputs that it declares.
    pub inputs: Vec<OfferedInput>,
    /// Why it could not be started with what is given.
    pub problems: Vec<String>,
}

/// One thing a workflow asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferedInput {
    /// The name of the input.
    pub name: String,
    /// The type: `string`, `integer` …
    pub kind: String,
    /// True if a value must be given.
    pub required: bool,
    /// The value used if none is given.
    pub default: Option<String>,
    /// The only values allowed, when not empty.
    pub choices: Vec<String>,
    /// The description of the input, for people.
    pub about: String,
}

/// The outcome of a request.
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

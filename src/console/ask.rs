//! What the console wants of the world, returned by `update`, and how the world answers. Data only: who carries it out
//! is left to `event_loop`.

use crate::{
    base::{AttemptId, Digest, RunId, Seq},
    engine::{Command, Event, Refusal},
};

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
    /// Put this into the clipboard.
    Copy(String),
    /// Save a picture of the screen.
    Export {
        /// The name it should have, without a directory.
        name: String,
        /// What is in it.
        content: String,
    },
    /// Ring the bell.
    Bell,
    /// Draw every cell again.
    Redraw,
    /// Take or leave the mouse.
    Mouse(bool),
    /// Leave the console.
    Quit,
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
    },
    /// Events in order.
    Events {
        /// With their places in the log.
        events: Vec<(Seq, Event)>,
        /// Whether there are more after them.
        more: bool,
    },
    /// `could not …`
    Missing(String),
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

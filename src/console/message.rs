//! Everything that can reach the console: one closed enum, in one order. Keys are our own words for keys.
//!
//! Sources of messages are `event_loop` and `terminal`; their effects are left to `update`.

use crate::{Answer, Arranged, FrameCost, Sheet, Themes};
use cuelight_base::{Span, Timestamp};
use cuelight_engine::{Event, Refusal};
use cuelight_projection::Board;
use std::sync::Arc;

/// One thing that happened to the console.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key went down, or repeats.
    Key {
        /// The key that was pressed.
        press: Press,
        /// True if the key is held down: a held key never decides.
        repeat: bool,
        /// The instant of the key press.
        at: Timestamp,
    },
    /// Text from the clipboard: never read as keys.
    Paste {
        /// The text that was pasted.
        text: String,
        /// The instant of the paste.
        at: Timestamp,
    },
    /// The mouse did something in a cell.
    Mouse {
        /// The action of the mouse.
        what: Mouse,
        /// The column of the cell, from 0.
        column: u16,
        /// The row of the cell, from 0.
        row: u16,
    },
    /// The terminal has another size now.
    Resize {
        /// The number of columns.
        width: u16,
        /// The number of rows.
        height: u16,
    },
    /// The terminal has the attention of its user, or not.
    Focus(bool),
    /// A newer board of the engine.
    Board(Arc<Board>),
    /// The way to the engine is as it should be, or not.
    Link(Link),
    /// A request was answered.
    Reply {
        /// Number of the request that is answered.
        request: u64,
        /// The outcome of the request.
        answer: Answer,
    },
    /// The effect that a command would have now.
    Preview {
        /// Number of the request that is answered.
        request: u64,
        /// The events it would lead to.
        outcome: Result<Vec<Event>, Refusal>,
    },
    /// Something that was read.
    Sheet {
        /// Number of the request that is answered.
        request: u64,
        /// The data that was read.
        sheet: Sheet,
    },
    /// A picture that was asked for.
    Arranged {
        /// Number of the request that is answered.
        request: u64,
        /// The picture that was made.
        arranged: Arranged,
        /// Time that the picture took to make.
        took: Span,
        /// The instant at which it was ready.
        at: Timestamp,
    },
    /// Output as it comes.
    Output {
        /// The attempt that wrote the output.
        attempt: cuelight_base::AttemptId,
        /// Offset of the first byte in the attempt's output.
        from: u64,
        /// The bytes, exactly as written.
        bytes: Arc<[u8]>,
        /// The instant at which the bytes came; None if unknown.
        came: Option<Timestamp>,
    },
    /// The themes of the user's own were read again; what is wrong in some, for people.
    Themes {
        /// All that can be chosen.
        themes: Arc<Themes>,
        /// The errors in themes that could not be read, with file and line.
        problems: Vec<String>,
    },
    /// So many signals came too fast to be taken; what they told of is read again.
    Behind(u64),
    /// The text saved in the operator's own editor, or the reason why none was.
    Edited(Result<String, String>),
    /// Something that its reader closes.
    Note {
        /// The title of the note.
        title: String,
        /// The text, in lines.
        text: String,
    },
    /// A frame with all that came before has been drawn.
    Drawn(Timestamp),
    /// The cost of the frame that has just been drawn.
    Frame(FrameCost),
    /// The time has moved on to this instant.
    Tick(Timestamp),
    /// The program is to end, or the terminal asked twice.
    Hangup,
}

/// State of the connection between console and engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// The workspace is being opened: nothing is known yet.
    Opening,
    /// Changes arrive as they happen.
    #[default]
    Live,
    /// The engine cannot be reached.
    Lost {
        /// The instant since which it is lost.
        since: Timestamp,
        /// The reason, for people.
        why: String,
    },
    /// The engine could not write: it decides nothing.
    Unwritten {
        /// The reason, for people.
        why: String,
    },
    /// The guard is held up: nothing is heard of what runs.
    Unheard {
        /// Why, and what to do, for people.
        why: String,
    },
    /// Something runs that belongs to no step.
    Strays {
        /// The stray processes and their fate, for people.
        why: String,
    },
    /// Nobody runs this workspace: what was recorded last is shown.
    Unowned,
}

/// An action of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// The left button went down.
    Click,
    /// The same again in the same cell, soon after a click.
    DoubleClick,
    /// The wheel turned upwards.
    WheelUp,
    /// The wheel turned downwards.
    WheelDown,
}

/// A key, without what is held down beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words are those on the keys")]
pub enum Key {
    Char(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// A key and what is held down beside it. Shift is part of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Press {
    /// The key, without Ctrl and Alt.
    pub key: Key,
    /// True if Ctrl is held.
    pub ctrl: bool,
    /// True if Alt is held.
    pub alt: bool,
}

impl Press {
    /// Makes a press of the key alone, without Ctrl and Alt.
    pub const fn of(key: Key) -> Self {
        Self { key, ctrl: false, alt: false }
    }
}

/// Answer keys count this long after the first drawn frame of a dialog.
pub const SETTLE: Span = Span(350);

//! Everything that can reach the console: one closed enum, in one order. Keys are our own words for keys.
//!
//! Where messages come from is left to `event_loop` and `terminal`; what they change, to `update`.

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
        /// Which.
        press: Press,
        /// Whether it is held: a held key never decides.
        repeat: bool,
        /// When.
        at: Timestamp,
    },
    /// Text from the clipboard: never read as keys.
    Paste {
        /// What.
        text: String,
        /// When.
        at: Timestamp,
    },
    /// The mouse did something in a cell.
    Mouse {
        /// What.
        what: Mouse,
        /// The column.
        column: u16,
        /// The row.
        row: u16,
    },
    /// The terminal has another size now.
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The terminal has the attention of its user, or not.
    Focus(bool),
    /// There is a newer board.
    Board(Arc<Board>),
    /// The way to the engine is as it should be, or not.
    Link(Link),
    /// A request was answered.
    Reply {
        /// Which.
        request: u64,
        /// How.
        answer: Answer,
    },
    /// What a command would do now.
    Preview {
        /// Which question this answers.
        request: u64,
        /// The events it would lead to.
        outcome: Result<Vec<Event>, Refusal>,
    },
    /// Something that was read.
    Sheet {
        /// Which question this answers.
        request: u64,
        /// What.
        sheet: Sheet,
    },
    /// A picture that was asked for.
    Arranged {
        /// Which.
        request: u64,
        /// The picture.
        arranged: Arranged,
        /// How long it took to make.
        took: Span,
        /// When it came.
        at: Timestamp,
    },
    /// Output as it comes.
    Output {
        /// Which call wrote it.
        attempt: cuelight_base::AttemptId,
        /// Where it begins.
        from: u64,
        /// What, exactly.
        bytes: Arc<[u8]>,
        /// When it came.
        came: Option<Timestamp>,
    },
    /// The themes of the user's own were read again; what is wrong in some, for people.
    Themes {
        /// All that can be chosen.
        themes: Arc<Themes>,
        /// What could not be read, with file and line.
        problems: Vec<String>,
    },
    /// So many signals came too fast to be taken; what they told of is read again.
    Behind(u64),
    /// What was saved in the operator's own editor, or why nothing was.
    Edited(Result<String, String>),
    /// Something that its reader closes.
    Note {
        /// What it is about.
        title: String,
        /// Line by line.
        text: String,
    },
    /// A frame with all that came before has been drawn.
    Drawn(Timestamp),
    /// What the frame cost that has just been drawn.
    Frame(FrameCost),
    /// It is now.
    Tick(Timestamp),
    /// The program is to end, or the terminal asked twice.
    Hangup,
}

/// How the console and the engine stand to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// The workspace is being opened: nothing is known yet.
    Opening,
    /// Changes arrive as they happen.
    #[default]
    Live,
    /// The engine cannot be reached.
    Lost {
        /// Since when.
        since: Timestamp,
        /// Why, for people.
        why: String,
    },
    /// The engine could not write: it decides nothing.
    Unwritten {
        /// Why, for people.
        why: String,
    },
    /// The guard is held up: nothing is heard of what runs.
    Unheard {
        /// Why, and what to do, for people.
        why: String,
    },
    /// Something runs that belongs to no step.
    Strays {
        /// What, and what becomes of it, for people.
        why: String,
    },
    /// Nobody runs this workspace: what was recorded last is shown.
    Unowned,
}

/// What a mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// Pressed and let go.
    Click,
    /// The wheel, upwards.
    WheelUp,
    /// The wheel, downwards.
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
    /// The key.
    pub key: Key,
    /// Whether Ctrl is held.
    pub ctrl: bool,
    /// Whether Alt is held.
    pub alt: bool,
}

impl Press {
    /// A key alone.
    pub const fn of(key: Key) -> Self {
        Self { key, ctrl: false, alt: false }
    }
}

/// Answer keys count this long after the first drawn frame of a dialog.
pub const SETTLE: Span = Span(350);

//! State of the console while it shows the past: the history of a run or of the log as far as read, the shown
//! instant, and the newest board, which waits. `update` handles the keys.

use crate::{Role, Scope, model::View, text::Glyphs};
use cuelight_base::{RunId, Seq, Span, StepIx, Timestamp};
use cuelight_engine::Event;
use cuelight_projection::{Board, History, Notch, RunView};
use std::sync::Arc;

/// Why nothing can be changed while the past is seen.
pub(crate) const IN_THE_PAST: &str = "history: read-only, T to go live";
/// Between two events that are played there is at most this, however long nothing happened.
pub(super) const PAUSE_MAX: Span = Span(1_000);
/// Playback speeds as multiples of real time, by the digits 1 to 9.
pub(super) const SPEEDS: [u64; 9] = [1, 2, 5, 10, 30, 60, 200, 1_000, 5_000];

/// State of a look at the past.
#[derive(Clone, Debug)]
pub(crate) struct Travel {
    pub history: History,
    /// True if the whole history was read.
    pub complete: bool,
    /// The number of events to show.
    pub at: usize,
    /// The number of events that the shown board has folded; None before the first.
    pub shown: Option<usize>,
    /// The position to go to once the history has been read.
    pub seek: Option<Seek>,
    /// Events that were read last, behind so many.
    pub reel: (usize, Vec<(Seq, Event)>),
    /// The question that has not been answered.
    pub asked: Option<(u64, Part)>,
    /// The newest board, not the shown one.
    pub live: Arc<Board>,
    pub play: Option<Play>,
    /// Speed of playback, as a multiple of real time.
    pub speed: u64,
    /// The text searched for.
    pub find: String,
    /// The whole screen; the view has what is left of it.
    pub screen: (u16, u16),
    /// The console's state before the past was shown.
    pub before: Before,
    /// The changes from the shown instant until now; computed when they are displayed.
    pub changes: Vec<(String, Role)>,
    pub changes_of: Option<(usize, Seq)>,
}

/// The position to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seek {
    /// At the newest event.
    Newest,
    /// The event of this sequence number.
    Seq(Seq),
    /// The last event up to this instant.
    At(Timestamp),
}

/// A part of the history that was requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The events after all that were read.
    More,
    /// The events after this many, once more.
    Again(usize),
}

/// Direction and time of the playback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    pub forward: bool,
    /// When the next event is shown.
    pub due: Timestamp,
}

/// The console's state before the past was shown.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    pub view: View,
    pub run: Option<RunId>,
    pub graph: Option<RunId>,
    pub step: Option<u32>,
    pub time: (Option<RunId>, Option<StepIx>),
}

impl Travel {
    /// The scope of the keys that lie over those of the view.
    pub(crate) fn scope(&self) -> Scope {
        if self.play.is_some() { Scope::Play } else { Scope::Travel }
    }

    /// When the next event is played, as soon as it can be.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.play.map(|play| play.due)
    }

    /// Events that are held behind a place, and where they begin.
    pub(crate) fn held(&self, from: usize, to: usize) -> Option<&[(Seq, Event)]> {
        let (begin, events) = &self.reel;
        let (first, last) = (from.checked_sub(*begin)?, to.checked_sub(*begin)?);
        events.get(first..last)
    }
}

/// Two instants or two runs that are held against each other.
#[derive(Clone, Debug)]
pub(crate) struct Comparing {
    pub left: (String, Arc<RunView>, Timestamp),
    /// The run to compare, and below it the last event of it that counts.
    pub run: RunId,
    pub until: Until,
    pub words: String,
    pub board: Board,
    pub after: Seq,
    pub asked: Option<u64>,
    /// True if the whole run was read.
    pub done: bool,
    pub failed: Option<String>,
}

/// Up to where a run is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    All,
    Seq(Seq),
    At(Timestamp),
}

/// The sign of what stands out in a history.
pub(crate) fn sign_of(notch: Notch, glyphs: Glyphs) -> char {
    match notch {
        Notch::Error => glyphs.pick('✗', 'x'),
        Notch::Gate => glyphs.pick('◆', 'G'),
        Notch::Vote => 'v',
        Notch::Edit => 'e',
        Notch::Retry => glyphs.pick('↻', 'r'),
        Notch::Undo => glyphs.pick('⟲', '<'),
        Notch::Start => 's',
        Notch::End => glyphs.pick('■', '#'),
    }
}

/// The colour role of a notch.
pub(crate) const fn role_of(notch: Notch) -> Role {
    match notch {
        Notch::Error => Role::Fail,
        Notch::Gate => Role::Gate,
        Notch::Vote | Notch::Edit => Role::Info,
        Notch::Retry | Notch::Undo => Role::Warn,
        Notch::Start | Notch::End => Role::Muted,
    }
}

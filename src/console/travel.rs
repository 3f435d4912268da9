//! What the console remembers while it shows the past: the history of a run or of the whole log as far as it was read,
//! which instant is seen, and the newest board, which waits. What keys do with it is said in `update/travel`.

use super::{model::View, text::Glyphs};
use crate::{Role, Scope};
use cuelight_base::{RunId, Seq, Span, StepIx, Timestamp};
use cuelight_engine::Event;
use cuelight_projection::{Board, History, Notch, RunView};
use std::sync::Arc;

/// Why nothing can be changed while the past is seen.
pub(super) const IN_THE_PAST: &str = "history: read-only, T to go live";
/// Between two events that are played there is at most this, however long nothing happened.
pub(super) const PAUSE_MAX: Span = Span(1_000);
/// How fast it plays, by digit.
pub(super) const SPEEDS: [u64; 9] = [1, 2, 5, 10, 30, 60, 200, 1_000, 5_000];

/// The past, seen.
#[derive(Clone, Debug)]
pub(super) struct Travel {
    pub history: History,
    /// Whether all was read that there was.
    pub complete: bool,
    /// How many events are to be seen.
    pub at: usize,
    /// How many the board has folded that is seen; nothing yet at the begin.
    pub shown: Option<usize>,
    /// Where to go when it has been read.
    pub seek: Option<Seek>,
    /// Events that were read last, behind so many.
    pub reel: (usize, Vec<(Seq, Event)>),
    /// The question that has not been answered.
    pub asked: Option<(u64, Part)>,
    /// The newest board.
    pub live: Arc<Board>,
    pub play: Option<Play>,
    /// How fast it plays, when it does.
    pub speed: u64,
    /// What is looked for.
    pub find: String,
    /// The whole screen; the view has what is left of it.
    pub screen: (u16, u16),
    /// Where the console stood.
    pub before: Before,
    /// What changed from the instant that is seen until now; made when it is shown.
    pub changes: Vec<(String, Role)>,
    pub changes_of: Option<(usize, Seq)>,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seek {
    /// At the newest event.
    Newest,
    /// At this one.
    Seq(Seq),
    /// At this instant.
    At(Timestamp),
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// What follows all that was read.
    More,
    /// What follows so many events, again.
    Again(usize),
}

/// It plays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Play {
    pub forward: bool,
    /// When the next event is shown.
    pub due: Timestamp,
}

/// Where the console stood before it looked at the past.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub view: View,
    pub run: Option<RunId>,
    pub graph: Option<RunId>,
    pub step: Option<u32>,
    pub time: (Option<RunId>, Option<StepIx>),
}

impl Travel {
    /// Which keys lie over those of the view.
    pub(super) fn scope(&self) -> Scope {
        if self.play.is_some() { Scope::Play } else { Scope::Travel }
    }

    /// When the next event is played, as soon as it can be.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.play.map(|it| it.due)
    }

    /// Events that are held behind a place, and where they begin.
    pub(super) fn held(&self, from: usize, to: usize) -> Option<&[(Seq, Event)]> {
        let (begin, events) = &self.reel;
        let (first, last) = (from.checked_sub(*begin)?, to.checked_sub(*begin)?);
        events.get(first..last)
    }
}

/// Two instants or two runs that are held against each other.
#[derive(Clone, Debug)]
pub(super) struct Comparing {
    pub left: (String, Arc<RunView>, Timestamp),
    /// Which run, and the last event of it that counts.
    pub run: RunId,
    pub until: Until,
    pub words: String,
    pub board: Board,
    pub after: Seq,
    pub asked: Option<u64>,
    /// Whether all was read.
    pub done: bool,
    pub failed: Option<String>,
}

/// Up to where a run is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    All,
    Seq(Seq),
    At(Timestamp),
}

/// The sign of what stands out in a history.
pub(super) fn sign_of(notch: Notch, glyphs: Glyphs) -> char {
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

/// How it looks.
pub(super) const fn role_of(notch: Notch) -> Role {
    match notch {
        Notch::Error => Role::Fail,
        Notch::Gate => Role::Gate,
        Notch::Vote | Notch::Edit => Role::Info,
        Notch::Retry | Notch::Undo => Role::Warn,
        Notch::Start | Notch::End => Role::Muted,
    }
}

//! State around the views: where somebody was, the keys typed so far, the terminal, notices, and the past that is
//! seen in place of the present.

use super::PaletteRow;
use crate::{
    Press, Role, View,
    agents::state::AgentsState,
    audit::state::AuditState,
    errors::state::ErrorsState,
    frames::Frames,
    gates::state::RowKey,
    health::state::HealthState,
    panes::Panes,
    rung::Rung,
    tools::state::ToolsState,
    travel::state::{Comparing, Travel},
};
use cuelight_base::{RunId, StepIx, Timestamp};
use cuelight_projection::Board;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// The views of the whole workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkspaceViews {
    pub errors: ErrorsState,
    pub health: HealthState,
    pub tools: ToolsState,
    pub agents: AgentsState,
    pub audit: AuditState,
}

/// The moments that are seen in place of the present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    pub travel: Option<Box<Travel>>,
    pub comparing: Option<Box<Comparing>>,
    /// The board that will be seen when the screen is no longer frozen.
    pub frozen: Option<Arc<Board>>,
}

/// The places where somebody was, and how each was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The division of the screen in each view whose division was changed.
    pub panes: BTreeMap<View, Panes>,
    pub back: Vec<Place>,
    pub forward: Vec<Place>,
    pub marks: BTreeMap<char, Place>,
    /// The use of the next letter, which names a mark.
    pub letter: Option<Letter>,
    /// Rows chosen in the palette, the newest first.
    pub recent: VecDeque<(Timestamp, PaletteRow)>,
    pub last_view: View,
}

/// A view and what was selected in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub view: View,
    pub run: Option<RunId>,
    pub dag: (Option<RunId>, Option<u32>),
    pub gate: Option<RowKey>,
    pub logs: (Option<RunId>, Option<StepIx>),
}

/// The use of a letter that names a mark: set the mark, or go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    Set,
    Go,
}

/// The keys that were typed and have not been used up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyboard {
    pub typed: Vec<Press>,
    pub count: Option<u32>,
    pub last_key: Timestamp,
    pub interrupted: Option<Timestamp>,
}

/// The terminal as far as it tells of itself, and what drawing costs.
#[derive(Clone, Debug)]
pub(crate) struct TerminalState {
    pub mouse: bool,
    pub has_focus: bool,
    /// Costs of the last frames.
    pub frames: Frames,
    /// Signals that came too fast to be taken: how many lately, and when that was told last.
    pub behind: Option<(u64, Timestamp)>,
}

impl Default for TerminalState {
    fn default() -> Self {
        Self { mouse: true, has_focus: true, frames: Frames::default(), behind: None }
    }
}

/// The news for the operator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    pub toasts: Vec<Toast>,
    /// Open gates and failures at the last look, so that the bell rings once for each change.
    pub rung: Rung,
    /// When a line of a step was last known to come.
    pub heard: Timestamp,
    /// When the output of what runs was last looked at for that.
    pub heard_asked: Timestamp,
}

/// A message that goes away by itself.
#[derive(Clone, Debug)]
pub(crate) struct Toast {
    pub text: String,
    pub role: Role,
    pub until: Timestamp,
    /// True if it goes away with the first change of the view: below it may stand what is to be read.
    pub is_hint: bool,
}

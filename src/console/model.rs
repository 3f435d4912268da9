//! All that the screen depends on. A screen can be made from this alone, so widgets remember nothing and any moment can
//! be drawn again. Changed by `update` only; `view` reads it.

use super::{
    gates::{FormState, GatesState},
    log_lines::LogLines,
    log_rows::LogRow,
};
use crate::{
    base::{AttemptId, RunId, StepIx, Timestamp},
    console::{
        DagGraph, DagView, Dialog, Field, Glyphs, Intent, Keymap, Layout, Level, Link, Press, Scope, Shown,
    },
    engine::{Actor, Command},
    projection::Board,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A whole console at one moment.
#[derive(Clone, Debug)]
pub struct Model {
    /// What is known of the engine.
    pub board: Arc<Board>,
    /// The time, as far as the screen knows.
    pub now: Timestamp,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Who sits here, and where.
    pub seat: Seat,
    /// How the way to the engine is.
    pub link: Link,
    /// The theme's name and the signs this terminal can show.
    pub look: LookOfScreen,
    /// The key table.
    pub keys: Arc<Keymap>,
    /// What is looked at.
    pub view: View,
    pub(super) back: Vec<View>,
    pub(super) forward: Vec<View>,
    pub(super) last_view: View,
    pub(super) runs: RunsState,
    pub(super) dag: DagState,
    pub(super) gates: GatesState,
    pub(super) logs: LogsState,
    pub(super) overlay: Option<Overlay>,
    pub(super) prompt: Option<Prompt>,
    pub(super) toasts: Vec<Toast>,
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) undo: Option<Undoable>,
    pub(super) asked: Vec<Asked>,
    pub(super) previews: Previews,
    pub(super) typed: Vec<Press>,
    pub(super) count: Option<u32>,
    pub(super) next_request: u64,
    pub(super) last_key: Timestamp,
    pub(super) interrupted: Option<Timestamp>,
    /// The board that will be seen when the screen is no longer frozen.
    pub(super) frozen: Option<Arc<Board>>,
    pub(super) mouse: bool,
    pub(super) has_focus: bool,
    /// Open gates and failures at the last look, so that the bell rings once for each change.
    pub(super) rung: (usize, u32),
}

/// Who sits at this console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The person.
    pub actor: Actor,
    /// The environment, as a word: `PROD`.
    pub environment: String,
    /// How dangerous it is here.
    pub danger: Danger,
    /// `local`, `attached`, or the host.
    pub place: String,
    /// Whether nothing can be changed from here.
    pub read_only: bool,
}

/// How dangerous an environment is; gives the colour of its badge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Danger {
    /// Nobody else is hurt.
    #[default]
    Development,
    /// Others work with it.
    Staging,
    /// The real thing.
    Production,
}

/// What the terminal shows it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookOfScreen {
    /// The theme's name.
    pub theme: String,
    /// Which signs can be shown.
    pub glyphs: Glyphs,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// All runs.
    #[default]
    Runs,
    /// The graph of one run.
    Dag,
    /// What waits for people.
    Gates,
    /// What steps wrote.
    Logs,
}

impl View {
    /// Every view of this release, in the order of the header.
    pub const ALL: &'static [Self] = &[Self::Runs, Self::Dag, Self::Gates, Self::Logs];

    /// Its name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Dag => "DAG",
            Self::Gates => "Gates",
            Self::Logs => "Logs",
        }
    }

    /// The command that opens it.
    pub const fn intent(self) -> Intent {
        match self {
            Self::Runs => Intent::ViewRuns,
            Self::Dag => Intent::ViewDag,
            Self::Gates => Intent::ViewGates,
            Self::Logs => Intent::ViewLogs,
        }
    }

    /// Where its keys stand.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Runs => Scope::Runs,
            Self::Dag => Scope::Dag,
            Self::Gates => Scope::Gates,
            Self::Logs => Scope::Logs,
        }
    }
}

/// What the list of runs remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct RunsState {
    pub selected: Option<RunId>,
    /// Runs that are shown, in order: all that fit the filter.
    pub rows: Vec<RunId>,
    /// The first row on the screen.
    pub top: usize,
    pub sort: RunOrder,
    pub filter: String,
    pub find: String,
    pub preview_hidden: bool,
    /// The graph of the run under the cursor, small.
    pub picture: Option<Arc<Picture>>,
}

/// By what runs are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RunOrder {
    /// Those that need somebody first, then those that go on, then the newest.
    #[default]
    Need,
    /// The newest first.
    Age,
    /// By name.
    Workflow,
    /// The worst health first.
    Health,
}

impl RunOrder {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Need => "need",
            Self::Age => "age",
            Self::Workflow => "workflow",
            Self::Health => "health",
        }
    }

    pub(super) const fn next(self) -> Self {
        match self {
            Self::Need => Self::Age,
            Self::Age => Self::Workflow,
            Self::Workflow => Self::Health,
            Self::Health => Self::Need,
        }
    }
}

/// What the graph remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct DagState {
    /// The run that is looked at.
    pub run: Option<RunId>,
    /// Zoom, folds and selection.
    pub view: DagView,
    /// The zoom before the tree was asked for.
    pub zoom_before_tree: Option<crate::console::Zoom>,
    /// The top left cell of what is seen of the picture.
    pub scroll: (i32, i32),
    /// Whether what runs is kept in view.
    pub follow: bool,
    /// When follow moved last.
    pub followed_at: Timestamp,
    pub map_hidden: bool,
    /// The picture of the last board, made by `update` so that `draw` only paints.
    pub picture: Option<Arc<Picture>>,
}

/// What the view of output remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct LogsState {
    pub run: Option<RunId>,
    /// The step or frame whose output is looked at; nothing means the whole run.
    pub step: Option<StepIx>,
    /// The call that is looked at; nothing means the last one.
    pub call: Option<u32>,
    pub lines: LogLines,
    pub reading: Reading,
    /// The number of the line under the cursor.
    pub cursor: u64,
    /// The first line that is seen, and how many of its rows are not.
    pub top: u64,
    pub skip: usize,
    /// Cells scrolled out at the left.
    pub left: usize,
    /// Whether the newest line is kept in view.
    pub follow: bool,
    pub wrap: bool,
    /// Where the lines ended when they were no longer followed.
    pub seen: u64,
    /// What is seen, made by `update` so that `draw` only paints.
    pub rows: Vec<LogRow>,
}

/// What of the output was read, and what is to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// What the lines are of: run, step, call.
    pub of: Option<(RunId, Option<StepIx>, Option<u32>)>,
    /// Calls that were begun or wait to be.
    pub known: BTreeSet<AttemptId>,
    /// Calls that wait to be read, in this order.
    pub queue: VecDeque<AttemptId>,
    /// Calls that had ended when they were read last.
    pub ended: BTreeSet<AttemptId>,
    /// The question that has not been answered.
    pub asked: Option<Question>,
    /// When a running call was asked for more without being told that there is.
    pub polled_at: Timestamp,
    /// Why something could not be read.
    pub missing: Option<String>,
}

/// What of an output was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub request: u64,
    pub attempt: AttemptId,
    pub part: LogPart,
}

/// Which part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogPart {
    /// Its last lines, or all from its begin on: nothing was read before.
    Last,
    Begin,
    /// What stands before, from this byte on.
    Before(u64),
    /// What follows.
    After,
}

/// A run's graph, folded and laid out.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub run: RunId,
    pub graph: DagGraph,
    pub shown: Shown,
    pub layout: Arc<Layout>,
}

/// What lies over the view and has the keys.
#[derive(Clone, Debug)]
pub(super) enum Overlay {
    Dialog(Box<Dialog>),
    Palette(PaletteState),
    Help { top: usize },
    Menu { selected: usize },
    Text(Sheetlet),
    Form(Box<FormState>),
}

/// The palette.
#[derive(Clone, Debug, Default)]
pub(super) struct PaletteState {
    pub field: Field,
    pub selected: usize,
    /// What fits what was typed, the best first.
    pub rows: Vec<PaletteRow>,
    /// How many there are without a search.
    pub total: usize,
}

/// One thing that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PaletteRow {
    pub name: String,
    pub act: PaletteAct,
    pub what: String,
    pub level: Level,
    pub key: String,
    /// Why it cannot be done now.
    pub refused: Option<String>,
}

/// What a row of the palette does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaletteAct {
    Intent(Intent),
    OpenRun(RunId),
    Filter(String),
    Theme(String),
    Launch,
}

/// A text over the view: why something waits, what was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheetlet {
    pub title: String,
    pub lines: Vec<(String, crate::console::Role)>,
    pub top: usize,
}

/// What is typed into the line above the status line.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub kind: PromptKind,
    pub field: Field,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptKind {
    Find,
    Filter,
    /// A workflow to be started: file and inputs.
    Launch,
    /// A remark at a gate.
    Remark,
}

/// A message that goes away by itself.
#[derive(Clone, Debug)]
pub(super) struct Toast {
    pub text: String,
    pub role: crate::console::Role,
    pub until: Timestamp,
}

/// Something asked of the engine that has not been answered.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub run: Option<RunId>,
    /// What was asked, in words: `cancel r-7`.
    pub words: String,
    /// What would take it back.
    pub inverse: Option<Command>,
}

/// What `u` would do.
#[derive(Clone, Debug)]
pub(super) struct Undoable {
    pub command: Command,
    pub words: String,
    pub until: Timestamp,
}

/// What was asked, for `@`.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub request: u64,
    pub at: Timestamp,
    pub command_line: String,
    pub outcome: String,
}

/// Whether the actions on the selection would be refused, as far as known.
#[derive(Clone, Debug, Default)]
pub(super) struct Previews {
    /// The selection they were asked for.
    pub of: Option<(RunId, Option<StepIx>, crate::base::Seq)>,
    pub asked: BTreeMap<u64, Intent>,
    pub known: BTreeMap<Intent, Result<(), String>>,
}

/// What keys mean now, as the first word of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keys are commands.
    Normal,
    /// The palette is open.
    Command,
    /// A filter or a search is typed.
    Filter,
    /// A text is typed.
    Insert,
    /// A dialog waits for an answer.
    Confirm,
    /// The help is open.
    Help,
}

impl Mode {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Command => "COMMAND",
            Self::Filter => "FILTER",
            Self::Insert => "INSERT",
            Self::Confirm => "CONFIRM",
            Self::Help => "HELP",
        }
    }
}

impl Model {
    /// A console that has seen nothing yet.
    pub fn new(seat: Seat, look: LookOfScreen, keys: Arc<Keymap>, size: (u16, u16), now: Timestamp) -> Self {
        Self {
            board: Arc::default(),
            now,
            size,
            seat,
            link: Link::Live,
            look,
            keys,
            view: View::Runs,
            back: Vec::new(),
            forward: Vec::new(),
            last_view: View::Runs,
            runs: RunsState::default(),
            dag: DagState { follow: true, ..DagState::default() },
            gates: GatesState::default(),
            logs: LogsState { follow: true, ..LogsState::default() },
            overlay: None,
            prompt: None,
            toasts: Vec::new(),
            pending: BTreeMap::new(),
            undo: None,
            asked: Vec::new(),
            previews: Previews::default(),
            typed: Vec::new(),
            count: None,
            next_request: 1,
            last_key: Timestamp::default(),
            interrupted: None,
            frozen: None,
            mouse: true,
            has_focus: true,
            rung: (0, 0),
        }
    }

    /// Opens the graph of a run at once, as `cuelight run FILE` does.
    pub fn look_at(&mut self, run: RunId) {
        self.runs.selected = Some(run);
        self.dag.run = Some(run);
        self.view = View::Dag;
    }

    /// What keys mean now.
    pub fn mode(&self) -> Mode {
        match (&self.overlay, &self.prompt) {
            (Some(Overlay::Dialog(_)), _) => Mode::Confirm,
            (Some(Overlay::Palette(_)), _) => Mode::Command,
            (Some(Overlay::Help { .. }), _) => Mode::Help,
            (Some(Overlay::Form(_)), _) => Mode::Insert,
            (None, Some(prompt)) if matches!(prompt.kind, PromptKind::Launch | PromptKind::Remark) => {
                Mode::Insert
            }
            (None, Some(_)) => Mode::Filter,
            (Some(Overlay::Menu { .. } | Overlay::Text(_)), _) | (None, None) => Mode::Normal,
        }
    }

    /// Where keys are looked up now.
    pub fn scope(&self) -> Scope {
        match (&self.overlay, &self.prompt) {
            (Some(Overlay::Dialog(_)), _) => Scope::Dialog,
            (Some(Overlay::Palette(_)), _) | (None, Some(_)) => Scope::Text,
            (Some(Overlay::Help { .. } | Overlay::Menu { .. } | Overlay::Text(_)), _) => Scope::Popup,
            (Some(Overlay::Form(_)), _) => Scope::Form,
            (None, None) => self.view.scope(),
        }
    }

    /// The run under the cursor, or the one whose graph is looked at.
    pub fn run(&self) -> Option<RunId> {
        match self.view {
            View::Runs => self.runs.selected,
            View::Dag => self.dag.run,
            View::Gates => self.gates.selected.map(|(_, run, _)| run),
            View::Logs => self.logs.run,
        }
    }

    /// The step under the cursor.
    pub fn step(&self) -> Option<StepIx> {
        match self.view {
            View::Runs => None,
            View::Dag => self.dag.view.selected.map(StepIx),
            View::Gates => self.gates.selected.map(|(_, _, step)| step),
            View::Logs => self.logs.step,
        }
    }

    /// The run whose output is to be heard as it comes.
    pub fn listens(&self) -> Option<RunId> {
        self.logs.run.filter(|_| self.view == View::Logs)
    }

    /// Why nothing may be changed from here now.
    pub fn locked(&self) -> Option<String> {
        match &self.link {
            _ if self.seat.read_only => Some("this seat is read-only; attach without --read-only".to_owned()),
            Link::Live => None,
            Link::Lost { why, .. } => Some(format!("the engine cannot be reached: {why}; it is tried again")),
            Link::Unwritten { why } => Some(format!("the engine could not write: {why}; make room first")),
            Link::Unowned => Some("nobody runs this workspace; start `cuelight serve`".to_owned()),
        }
    }

    /// Whether something is being recorded that concerns this run.
    pub fn is_recording(&self, run: RunId) -> bool {
        self.pending.values().any(|it| it.run == Some(run))
    }

    /// What the window is called: where, and what needs somebody.
    pub fn window_title(&self) -> String {
        let gates = self.board.open_gates().count();
        let failed = self.rung.1;
        let count =
            |sign: &str, count: u64| if count == 0 { String::new() } else { format!(" {sign}{count}") };
        let gates = count(self.look.glyphs.pick("◆", "G"), gates as u64);
        let failed = count(self.look.glyphs.pick("✗", "x"), u64::from(failed));
        format!("cuelight {}{gates}{failed}", self.seat.environment)
    }

    /// Whether somebody looks at the terminal, as far as it tells.
    pub const fn has_focus(&self) -> bool {
        self.has_focus
    }

    /// When the screen changes although nothing arrives: a visible age, a toast that goes away.
    pub fn deadline(&self) -> Option<Timestamp> {
        let toast = self.toasts.iter().map(|it| it.until).min();
        let undo = self.undo.as_ref().map(|it| it.until);
        let moves = self.board.open_runs().next().is_some() || matches!(self.link, Link::Lost { .. });
        let age = moves.then(|| Timestamp(self.now.0 - self.now.0.rem_euclid(1000) + 1000));
        [toast, undo, age].into_iter().flatten().min()
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_request;
        self.next_request += 1;
        number
    }
}

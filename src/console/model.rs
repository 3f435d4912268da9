//! All that the screen depends on. A screen can be made from this alone, so widgets remember nothing and any moment can
//! be drawn again. Changed by `update` only; `view` reads it.

use super::{
    audit_rows::AuditState,
    errors::{AgentsState, ErrorsState, HealthState, ToolsState},
    frames::Frames,
    gantt::TimeState,
    gates::{FormState, GatesState},
    help_rows::HelpState,
    log_lines::{LogLines, Voice},
    log_rows::LogRow,
    panes::Panes,
    travel::{Comparing, IN_THE_PAST, Travel},
};
use crate::{
    DagGraph, DagView, Dialog, Fates, Field, Glyphs, Intent, Keymap, Layout, Level, Link, Press, Scope,
    Shown, Theme, Themes, dag::Beside,
};
use cuelight_base::{AttemptId, RunId, Seq, Span, StepIx, Timestamp, sha256};
use cuelight_engine::{Actor, Command};
use cuelight_projection::{Board, GateView, RunView};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A whole console at one moment.
#[derive(Clone, Debug)]
pub struct Model {
    /// The engine's state as folded from its events.
    pub board: Arc<Board>,
    /// The instant that is seen: the time, as far as the screen knows, or a moment of the past.
    pub now: Timestamp,
    /// The time, also while the past is seen: what goes away by itself goes by this.
    pub(super) clock: Timestamp,
    /// Columns and rows of the view and what stands around it; while the past is seen that is less than the screen.
    pub size: (u16, u16),
    /// The person at this console, and the console's place.
    pub seat: Seat,
    /// Drawn for this console alone: the codes that high risk asks for are made of it.
    secret: u64,
    /// State of the connection to the engine.
    pub link: Link,
    /// The theme's name and the signs this terminal can show.
    pub look: LookOfScreen,
    /// The table of keys and their commands.
    pub keys: Arc<Keymap>,
    /// The view on the screen.
    pub view: View,
    /// The division of the screen in each view whose division was changed.
    pub(super) panes: BTreeMap<View, Panes>,
    pub(super) back: Vec<Place>,
    pub(super) forward: Vec<Place>,
    pub(super) marks: BTreeMap<char, Place>,
    /// The use of the next letter, which names a mark.
    pub(super) letter: Option<Letter>,
    /// Rows chosen in the palette, the newest first.
    pub(super) recent: VecDeque<(Timestamp, PaletteRow)>,
    pub(super) last_view: View,
    pub(super) runs: RunsState,
    pub(super) dag: DagState,
    pub(super) gates: GatesState,
    pub(super) logs: LogsState,
    pub(super) errors: ErrorsState,
    pub(super) health: HealthState,
    pub(super) tools: ToolsState,
    pub(super) agents: AgentsState,
    pub(super) time: TimeState,
    pub(super) audit: AuditState,
    pub(super) travel: Option<Box<Travel>>,
    pub(super) comparing: Option<Box<Comparing>>,
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
    /// Costs of the last frames.
    pub(super) frames: Frames,
    /// Signals that came too fast to be taken: how many lately, and when that was told last.
    pub(super) behind: Option<(u64, Timestamp)>,
    /// Open gates and failures at the last look, so that the bell rings once for each change.
    pub(super) rung: super::rung::Rung,
    /// The picture that is being made elsewhere; one at a time.
    pub(super) arranging: Option<Arranging>,
    /// Before this no other is asked for, unless somebody asked to see something else; and when one is due.
    pub(super) picture_rest: Timestamp,
    pub(super) picture_due: Option<Timestamp>,
}

/// The person at this console, and the console's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The person who acts here.
    pub actor: Actor,
    /// The environment, as a word: `PROD`.
    pub environment: String,
    /// The danger of the environment.
    pub danger: Danger,
    /// `local`, `attached`, `recorded`, or `ssh` and the host.
    pub place: String,
    /// True if nothing can be changed from this console.
    pub read_only: bool,
    /// True if the engine is on another machine: a command to its process acts there.
    pub is_far: bool,
    /// The address at which this console's engine answers over HTTP; shown once.
    pub answers_at: Option<String>,
    /// Everybody the workspace knows by name.
    pub people: Vec<String>,
}

/// The danger of an environment, which decides the colour of its badge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Danger {
    /// Nobody else is hurt.
    #[default]
    Development,
    /// Others work with it.
    Staging,
    /// Real users are affected.
    Production,
}

/// The appearance of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookOfScreen {
    /// The name of the theme.
    pub theme: String,
    /// The themes that can be chosen.
    pub themes: Arc<Themes>,
    /// The set of signs that the terminal can show.
    pub glyphs: Glyphs,
    /// True if a screen reader is used: words instead of boxes and signs.
    pub reader: bool,
    /// True if nothing moves by itself: the graph stays in place until the operator moves it.
    pub still: bool,
}

impl LookOfScreen {
    /// The part of the terminal to draw on. With a screen reader that is one pane, in rows that are
    /// sentences.
    pub(super) fn size(&self, (width, height): (u16, u16)) -> (u16, u16) {
        const ONE_PANE: u16 = 99;
        (if self.reader { width.min(ONE_PANE) } else { width }, height)
    }
}

impl Default for LookOfScreen {
    fn default() -> Self {
        Self {
            theme: Theme::default().name().to_owned(),
            themes: Arc::default(),
            glyphs: Glyphs::default(),
            reader: false,
            still: false,
        }
    }
}

/// A view of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// The list of all runs.
    #[default]
    Runs,
    /// The graph of one run.
    Dag,
    /// Gates and all else that waits for people.
    Gates,
    /// Failures and earlier fixes.
    Errors,
    /// Health of the engine and of the runs.
    Health,
    /// The output of steps.
    Logs,
    /// Steps of a run over time.
    Time,
    /// Decisions and their authors.
    Audit,
    /// Agents that do the work.
    Agents,
    /// Tools that steps call.
    Tools,
}

impl View {
    /// Every view, in the order of the header; those after Audit open from the palette alone.
    pub const ALL: &'static [Self] = &[
        Self::Runs,
        Self::Dag,
        Self::Gates,
        Self::Errors,
        Self::Health,
        Self::Logs,
        Self::Time,
        Self::Audit,
        Self::Agents,
        Self::Tools,
    ];

    /// True if the header shows the view's name.
    pub const fn has_tab(self) -> bool {
        !matches!(self, Self::Agents | Self::Tools)
    }

    /// Its name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "Runs",
            Self::Dag => "DAG",
            Self::Gates => "Gates",
            Self::Logs => "Logs",
            Self::Errors => "Errors",
            Self::Health => "Health",
            Self::Time => "Time",
            Self::Audit => "Audit",
            Self::Agents => "Agents",
            Self::Tools => "Tools",
        }
    }

    /// The command that opens it.
    pub const fn intent(self) -> Intent {
        match self {
            Self::Runs => Intent::ViewRuns,
            Self::Dag => Intent::ViewDag,
            Self::Gates => Intent::ViewGates,
            Self::Logs => Intent::ViewLogs,
            Self::Errors => Intent::ViewErrors,
            Self::Health => Intent::ViewHealth,
            Self::Time => Intent::ViewTime,
            Self::Audit => Intent::ViewAudit,
            Self::Agents => Intent::ViewAgents,
            Self::Tools => Intent::ViewTools,
        }
    }

    /// The scope of the view's keys.
    pub const fn scope(self) -> Scope {
        match self {
            Self::Runs => Scope::Runs,
            Self::Dag => Scope::Dag,
            Self::Gates => Scope::Gates,
            Self::Logs => Scope::Logs,
            Self::Errors => Scope::Errors,
            Self::Health => Scope::Health,
            Self::Time => Scope::Time,
            Self::Audit => Scope::Audit,
            Self::Agents => Scope::Agents,
            Self::Tools => Scope::Tools,
        }
    }
}

/// A view and what was selected in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub view: View,
    pub run: Option<RunId>,
    pub dag: (Option<RunId>, Option<u32>),
    pub gate: Option<super::gates::RowKey>,
    pub logs: (Option<RunId>, Option<StepIx>),
}

/// The use of a letter that names a mark: set the mark, or go to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    Set,
    Go,
}

/// The text from the operator's own editor, or the reason why there is none.
pub(super) type Edited = Result<String, String>;

/// After so long what can follow a prefix is shown.
const WHICH_KEY: Span = Span(300);
/// A picture that takes longer than this to make is said to be on its way.
const ARRANGING_TOLD: Span = Span(300);

/// State of the list of runs.
#[derive(Clone, Debug, Default)]
pub(super) struct RunsState {
    pub selected: Option<RunId>,
    /// Runs that are shown, in order: all that fit the filter.
    pub rows: Vec<RunId>,
    /// The first row on the screen.
    pub top: usize,
    pub sort: RunOrder,
    /// True if the order is reversed.
    pub reversed: bool,
    /// The inputs that the rows were made from: equal inputs give equal rows.
    pub rows_of: Option<RowsOf>,
    /// Runs that were marked, and those of them that were on the screen since.
    pub marked: BTreeSet<RunId>,
    pub marked_seen: BTreeSet<RunId>,
    /// The run that was marked last: a range begins there.
    pub marked_last: Option<RunId>,
    pub filter: String,
    pub find: String,
    pub preview_hidden: bool,
    /// The pane that takes the keys.
    pub focus: super::runs_panels::RunsFocus,
    /// The graph of the run under the cursor, small.
    pub picture: Option<Arc<Picture>>,
}

/// All that the rows of the list depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowsOf {
    pub seq: Seq,
    pub filter: String,
    pub sort: RunOrder,
    pub reversed: bool,
    /// The second, where ages are asked for.
    pub second: Option<i64>,
}

/// By what runs are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RunOrder {
    /// Runs that wait for a person first, then open runs, then the newest.
    #[default]
    Need,
    /// The newest run first.
    Age,
    /// By name of the workflow.
    Workflow,
    /// By what they are doing.
    State,
    /// Largest share of finished steps first.
    Progress,
    /// The most failures first.
    Errors,
    /// The highest cost first.
    Cost,
    /// By the name of the requester.
    By,
    /// The worst health first.
    Health,
}

impl RunOrder {
    const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::Need, "need", ""),
        (Self::Age, "age", "AGE"),
        (Self::Workflow, "workflow", "WORKFLOW"),
        (Self::State, "state", "STATE"),
        (Self::Progress, "progress", "PROGRESS"),
        (Self::Errors, "errors", "ERR"),
        (Self::Cost, "cost", "COST"),
        (Self::By, "by", "BY"),
        (Self::Health, "health", "HLT"),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(super) fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()].0
    }

    /// The order that the head of a column stands for.
    pub(super) fn of_column(title: &str) -> Option<Self> {
        let title = match title {
            "RUN" => "AGE",
            "STEPS" => "PROGRESS",
            title => title,
        };
        Self::ALL.iter().find(|(_, _, column)| *column == title && !title.is_empty()).map(|order| order.0)
    }
}

/// State of the view of the graph.
#[derive(Clone, Debug, Default)]
pub(super) struct DagState {
    /// The run that is looked at.
    pub run: Option<RunId>,
    /// Zoom, folds and selection.
    pub view: DagView,
    /// The zoom before the tree was asked for.
    pub zoom_before_tree: Option<crate::Zoom>,
    /// The top left cell of what is seen of the picture.
    pub scroll: (i32, i32),
    /// True if the view follows running steps.
    pub follow: bool,
    /// The step to be selected when the picture of another run is there.
    pub goal: Option<u32>,
    /// When follow moved last.
    pub followed_at: Timestamp,
    pub map_hidden: bool,
    /// The last search, and the steps that match it, ascending.
    pub find: String,
    pub found: Vec<u32>,
    pub what_if: WhatIf,
    /// The surroundings of the cursor, beside a tree of lines.
    pub near: Option<Arc<Near>>,
    /// The zoom that the operator chose: it stays from run to run.
    pub chosen: Option<crate::Zoom>,
    /// The run for which zoom, folds and selection were begun anew.
    pub begun: Option<RunId>,
    /// The newest picture there is, made before `draw`, which only paints.
    pub picture: Option<Arc<Picture>>,
}

/// State of the view of output.
#[derive(Clone, Debug, Default)]
pub(super) struct LogsState {
    pub run: Option<RunId>,
    /// The step or frame whose output is looked at; nothing means the whole run.
    pub step: Option<StepIx>,
    /// The call that is looked at; nothing means the last one.
    pub call: Option<u32>,
    /// The voice shown alone, instead of steps; `step` is None then.
    pub voice: Option<Voice>,
    pub lines: LogLines,
    pub reading: Reading,
    /// The number of the line under the cursor.
    pub cursor: u64,
    /// The first line that is seen, and how many of its rows are not.
    pub top: u64,
    pub skip: usize,
    /// Cells scrolled out at the left.
    pub left: usize,
    /// True if the view follows the newest line.
    pub follow: bool,
    pub wrap: bool,
    /// True if lines are shown without time, level and name.
    pub bare: bool,
    /// The number of the line behind the last one when following stopped.
    pub seen: u64,
    /// The visible rows, made by `update` so that `draw` only paints.
    pub rows: Vec<LogRow>,
}

/// State of reading the output.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// The source of the lines: run, step, attempt.
    pub of: Option<(RunId, Option<StepIx>, Option<u32>)>,
    /// The voice they are of, when it is one alone.
    pub voice: Option<Voice>,
    /// The last event that was told, and the question that is on its way for more.
    pub told: Seq,
    pub telling: Option<u64>,
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

/// A request for a part of an output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub request: u64,
    pub attempt: AttemptId,
    pub part: LogPart,
}

/// A part of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogPart {
    /// Its last lines, or all from its begin on: nothing was read before.
    Last,
    Begin,
    /// Bytes before the held ones, from this offset on.
    Before(u64),
    /// Bytes after the held ones.
    After,
}

/// A run's graph, folded and laid out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub run: RunId,
    /// The run that the picture was made from: the same run gives the same picture.
    pub of: Arc<RunView>,
    pub basis: Basis,
    pub graph: Arc<DagGraph>,
    /// The same by its ends.
    pub beside: Arc<Beside>,
    /// The longest way through the run, how long it took, and when it was looked for.
    pub critical: (Arc<[u32]>, Span, Timestamp),
    pub shown: Shown,
    pub layout: Arc<Layout>,
}

/// A picture that is being made elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arranging {
    pub request: u64,
    /// The view that waits for it.
    pub place: View,
    pub since: Timestamp,
}

/// The surroundings of the cursor in a tree of lines.
#[derive(Clone, Debug)]
pub(super) struct Near {
    pub selected: u32,
    pub of: Arc<DagGraph>,
    pub view: DagView,
    pub shown: Shown,
    pub layout: Arc<Layout>,
}

/// The effect of an answer on the steps, before it is given.
#[derive(Clone, Debug, Default)]
pub(super) struct WhatIf {
    /// The step it is about, and how it stood.
    pub of: Option<(RunId, StepIx)>,
    /// The answer that is looked at; without one, of a gate both.
    pub verb: Option<Intent>,
    /// The question that is on its way.
    pub asked: Option<u64>,
    /// The inputs that the fates were made from: the answer, the ask, the last event.
    pub basis: Option<(Option<Intent>, Option<cuelight_base::Digest>, Seq)>,
    pub fates: Option<Arc<Fates>>,
    /// The same in words: which answer, and what follows from it.
    pub lines: Vec<(&'static str, String)>,
}

/// All that a picture depends on beside its run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Basis {
    /// The last event and the second: votes and ages. A run at rest stands still.
    pub moment: Option<(Seq, i64)>,
    /// Zoom and folds, and the selection if it keeps something out of a fold.
    pub view: DagView,
}

/// A window over the view, which takes the keys.
#[derive(Clone, Debug)]
pub(super) enum Overlay {
    Dialog(Box<Dialog>),
    Palette(PaletteState),
    Help(HelpState),
    Menu { selected: usize },
    Text(Sheetlet),
    Form(Box<FormState>),
    Launch(Box<LaunchForm>),
    Leaving(Leaving),
}

/// The question on the way out.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving {
    /// The text typed to stop the engine, while that is asked.
    pub stop: Option<Field>,
    /// When its first frame was drawn, or the last key was swallowed after that.
    pub counts_from: Option<Timestamp>,
}

/// A workflow that is to be started.
#[derive(Clone, Debug, Default)]
pub(super) struct LaunchForm {
    pub path: Field,
    pub inputs: Vec<LaunchInput>,
    /// The file of the run that was under the cursor: the first that Tab offers.
    pub suggested: Option<String>,
    /// The workflows that can be started; below, the details of the named one.
    pub files: Vec<String>,
    pub name: String,
    pub about: String,
    pub problems: Vec<String>,
    /// The part that takes the keys: the file, then each input, last the button.
    pub focus: usize,
    /// The question that is on its way, and what it was about.
    pub asked: Option<u64>,
    pub asked_of: Option<(String, Vec<(String, String)>)>,
}

/// One thing a workflow asks for, and what was typed for it.
#[derive(Clone, Debug, Default)]
pub(super) struct LaunchInput {
    pub offered: crate::OfferedInput,
    pub field: Field,
}

/// State of the palette.
#[derive(Clone, Debug, Default)]
pub(super) struct PaletteState {
    pub field: Field,
    pub selected: usize,
    /// The rows that match the typed text, best first.
    pub rows: Vec<PaletteRow>,
    /// The number of rows without a search.
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

/// The action of a palette row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaletteAct {
    Intent(Intent),
    OpenRun(RunId),
    Filter(String),
    Theme(String),
    Launch,
    /// Holds the schedules of a workflow, or lets them go when they are held.
    Hold(String, bool),
    /// Clears the workspace, which asks.
    Reset,
    /// Stops the engine, which asks.
    ShutDown,
}

/// A text over the view: why something waits, what was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheetlet {
    pub title: String,
    pub lines: Vec<(String, crate::Role)>,
    pub top: usize,
}

/// The text typed into the line above the status line.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    pub kind: PromptKind,
    pub field: Field,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PromptKind {
    Find,
    Filter,
    /// A remark at a gate.
    Remark,
    /// The run or instant to compare with.
    Compare,
}

/// A message that goes away by itself.
#[derive(Clone, Debug)]
pub(super) struct Toast {
    pub text: String,
    pub role: crate::Role,
    pub until: Timestamp,
}

/// Something asked of the engine that has not been answered.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub run: Option<RunId>,
    /// The request in words: `cancel r-7`.
    pub words: String,
    /// The command that reverses it; None if it cannot be reversed.
    pub inverse: Option<Command>,
}

/// The action of `u`.
#[derive(Clone, Debug)]
pub(super) struct Undoable {
    pub command: Command,
    pub words: String,
    pub until: Timestamp,
}

/// A past request, as listed by `@`.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub request: u64,
    pub at: Timestamp,
    pub command_line: String,
    pub outcome: String,
}

/// Known refusals of the actions on the selection.
#[derive(Clone, Debug, Default)]
pub(super) struct Previews {
    /// The selection they were asked for.
    pub of: Option<(RunId, Option<StepIx>, Seq)>,
    pub asked: BTreeMap<u64, Intent>,
    pub known: BTreeMap<Intent, Result<(), String>>,
}

/// The current use of keys, shown as the first word of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keys give the commands of the view.
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
    /// The past is seen.
    Travel,
}

impl Mode {
    /// The word in the status line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Command => "COMMAND",
            Self::Filter => "FILTER",
            Self::Insert => "INSERT",
            Self::Confirm => "CONFIRM",
            Self::Help => "HELP",
            Self::Travel => "TRAVEL",
        }
    }
}

impl Model {
    /// A console that has seen nothing yet.
    pub fn new(seat: Seat, look: LookOfScreen, keys: Arc<Keymap>, size: (u16, u16), now: Timestamp) -> Self {
        let follow = !look.still;
        Self {
            board: Arc::default(),
            now,
            clock: now,
            size: look.size(size),
            seat,
            secret: 0,
            link: Link::Live,
            look,
            keys,
            view: View::Runs,
            panes: BTreeMap::new(),
            back: Vec::new(),
            forward: Vec::new(),
            marks: BTreeMap::new(),
            letter: None,
            recent: VecDeque::new(),
            last_view: View::Runs,
            runs: RunsState::default(),
            dag: DagState { follow, ..DagState::default() },
            gates: GatesState::default(),
            logs: LogsState { follow: true, ..LogsState::default() },
            errors: ErrorsState::default(),
            health: HealthState::default(),
            tools: ToolsState::default(),
            agents: AgentsState::default(),
            time: TimeState::default(),
            audit: AuditState::default(),
            travel: None,
            comparing: None,
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
            frames: Frames::default(),
            behind: None,
            rung: super::rung::Rung::default(),
            arranging: None,
            picture_rest: Timestamp::default(),
            picture_due: None,
        }
    }

    /// The same with a number that nobody else has.
    #[must_use]
    pub fn with_secret(self, secret: u64) -> Self {
        Self { secret, ..self }
    }

    /// The code to type for an approval at high risk, made from the ask and a secret of this console. It
    /// shows that somebody has read this ask to its end, here and now. Another console, or an ask opened
    /// again, has another code. It does not prove identity.
    pub fn code_of(&self, gate: &GateView) -> String {
        let code = sha256("cuelight-code-v1", &[&self.secret.to_be_bytes(), &gate.hash.0]).code();
        code[..4].to_owned()
    }

    /// Opens the graph of a run at once, as `cuelight run FILE` does.
    pub fn look_at(&mut self, run: RunId) {
        self.runs.selected = Some(run);
        self.dag.run = Some(run);
        self.view = View::Dag;
    }

    /// The current use of keys.
    pub fn mode(&self) -> Mode {
        match (&self.overlay, &self.prompt) {
            (Some(Overlay::Dialog(_) | Overlay::Leaving(_)), _) => Mode::Confirm,
            (Some(Overlay::Palette(_)), _) => Mode::Command,
            (Some(Overlay::Help { .. }), _) => Mode::Help,
            (Some(Overlay::Form(_) | Overlay::Launch(_)), _) => Mode::Insert,
            (None, Some(prompt)) if matches!(prompt.kind, PromptKind::Remark | PromptKind::Compare) => {
                Mode::Insert
            }
            (None, Some(_)) => Mode::Filter,
            (Some(Overlay::Menu { .. } | Overlay::Text(_)), _) | (None, None) if self.travel.is_some() => {
                Mode::Travel
            }
            (Some(Overlay::Menu { .. } | Overlay::Text(_)), _) | (None, None) => Mode::Normal,
        }
    }

    /// The scope in which the next key is looked up.
    pub fn scope(&self) -> Scope {
        match (&self.overlay, &self.prompt) {
            (Some(Overlay::Dialog(_)), _) => Scope::Dialog,
            (Some(Overlay::Leaving(Leaving { stop: Some(_), .. })), _) => Scope::Text,
            (Some(Overlay::Help(help)), _) if help.types => Scope::Text,
            (Some(Overlay::Leaving(_)), _) => Scope::Leave,
            (Some(Overlay::Palette(_) | Overlay::Launch(_)), _) | (None, Some(_)) => Scope::Text,
            (Some(Overlay::Help { .. } | Overlay::Menu { .. } | Overlay::Text(_)), _) => Scope::Popup,
            (Some(Overlay::Form(_)), _) => Scope::Form,
            (None, None) => self.travel.as_ref().map_or(self.view.scope(), |travel| travel.scope()),
        }
    }

    /// The division of the screen in the current view.
    pub(super) fn panes(&self) -> Panes {
        self.panes.get(&self.view).copied().unwrap_or_default()
    }

    /// The run under the cursor, or the one whose graph is looked at.
    pub fn run(&self) -> Option<RunId> {
        match self.view {
            View::Runs => self.runs.selected,
            View::Dag => self.dag.run,
            View::Gates => self.gates.selected.map(|(_, run, _)| run),
            View::Logs => self.logs.run,
            View::Time => self.time.run,
            View::Errors => super::update::selected_error(self).map(|selected_error| selected_error.run),
            View::Audit => self.audit.row().and_then(|row| row.run),
            View::Health | View::Agents | View::Tools => None,
        }
    }

    /// The step under the cursor.
    pub fn step(&self) -> Option<StepIx> {
        match self.view {
            View::Runs => None,
            View::Dag => self.dag.view.selected.map(StepIx),
            View::Gates => self.gates.selected.map(|(_, _, step)| step),
            View::Logs => self.logs.step,
            View::Time => self.time.selected,
            View::Audit => self.audit.row().and_then(|row| row.step),
            View::Errors => {
                super::update::selected_error(self).and_then(|selected_error| selected_error.step)
            }
            View::Health | View::Agents | View::Tools => None,
        }
    }

    /// The run whose output is to be heard as it comes.
    pub fn listens(&self) -> Option<RunId> {
        self.logs.run.filter(|_| self.view == View::Logs)
    }

    /// The newest board, also while the past is seen.
    pub fn live(&self) -> &Arc<Board> {
        self.travel.as_ref().map_or(&self.board, |travel| &travel.live)
    }

    /// Columns and rows of the whole screen.
    pub fn screen(&self) -> (u16, u16) {
        self.travel.as_ref().map_or(self.size, |travel| travel.screen)
    }

    /// Why nothing may be changed from here now.
    pub fn locked(&self) -> Option<String> {
        match &self.link {
            _ if self.travel.is_some() && !self.is_forking() => Some(IN_THE_PAST.to_owned()),
            _ if self.seat.read_only => Some("this seat is read-only; attach without --read-only".to_owned()),
            // Everything can be asked and decided; what it asks of programs waits.
            Link::Live | Link::Unheard { .. } | Link::Strays { .. } => None,
            Link::Opening => Some("the workspace is being opened; a moment".to_owned()),
            Link::Lost { why, .. } => Some(format!("the engine cannot be reached: {why}; it is tried again")),
            Link::Unwritten { why } => Some(format!("the engine could not write: {why}; make room first")),
            Link::Unowned => Some("nobody runs this workspace; start `cuelight serve`".to_owned()),
        }
    }

    /// True if a new run is about to be made from the shown instant; the past itself stays unchanged.
    fn is_forking(&self) -> bool {
        matches!(&self.overlay, Some(Overlay::Dialog(dialog)) if matches!(*dialog.command, Command::Fork { .. }))
    }

    /// The name of the theme that is shown: the chosen one, or the one under the cursor while one is being chosen.
    pub fn theme_shown(&self) -> &str {
        let chosen = &self.look.theme;
        let Some(Overlay::Palette(palette)) = &self.overlay else { return chosen };
        match palette.rows.get(palette.selected).map(|row| &row.act) {
            Some(PaletteAct::Theme(name)) if palette.field.text().contains("theme") => name,
            _ => chosen,
        }
    }

    /// Returns true if a request about this run is being recorded.
    pub fn is_recording(&self, run: RunId) -> bool {
        self.pending.values().any(|pending| pending.run == Some(run))
    }

    /// The window title: environment, open gates, failed runs.
    pub fn window_title(&self) -> String {
        let gates = self.live().open_gates().count();
        let failed = self.rung.failed;
        let count =
            |sign: &str, count: u64| if count == 0 { String::new() } else { format!(" {sign}{count}") };
        let gates = count(self.look.glyphs.pick("◆", "G"), gates as u64);
        let failed = count(self.look.glyphs.pick("✗", "x"), u64::from(failed));
        format!("cuelight {}{gates}{failed}", self.seat.environment)
    }

    /// True if a prefix was typed long enough ago to show its continuations.
    pub(super) fn shows_continuations(&self) -> bool {
        !self.typed.is_empty() && self.clock.since(self.last_key) >= WHICH_KEY
    }

    /// True if the terminal has focus, as far as it reports focus.
    pub const fn has_focus(&self) -> bool {
        self.has_focus
    }

    /// True if ages and clocks run. Without open runs no clock is shown: an idle console writes nothing, and
    /// shows nothing that time makes untrue.
    pub fn moves(&self) -> bool {
        self.live().open_runs().next().is_some() || matches!(self.link, Link::Lost { .. })
    }

    /// When the screen changes although nothing arrives: a visible age, a toast that goes away.
    pub fn deadline(&self) -> Option<Timestamp> {
        let toast = self.toasts.iter().map(|toast| toast.until).min();
        let undo = self.undo.as_ref().map(|undo| undo.until);
        let age = self.moves().then(|| Timestamp(self.clock.0 - self.clock.0.rem_euclid(1000) + 1000));
        let which_key =
            (!self.typed.is_empty() && !self.shows_continuations()).then(|| self.last_key + WHICH_KEY);
        let play = self.travel.as_ref().and_then(|travel| travel.due());
        let slow = self.arranging.as_ref().map(|arranging| arranging.since + ARRANGING_TOLD);
        let slow = slow.filter(|slow| *slow > self.clock);
        [toast, undo, age, which_key, play, slow, self.picture_due].into_iter().flatten().min()
    }

    /// Time that a picture has been awaited; None if too short to mention.
    pub(super) fn arranging_for(&self) -> Option<Span> {
        let since = self.arranging.as_ref().map(|arranging| self.clock.since(arranging.since));
        since.filter(|since| *since >= ARRANGING_TOLD)
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_request;
        self.next_request += 1;
        number
    }
}

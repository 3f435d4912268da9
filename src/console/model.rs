//! All that the screen depends on. A screen can be made from this alone, so widgets remember nothing and any moment can
//! be drawn again. Changed by `update` only; `view` reads it.

mod chrome;
mod mode;
mod overlay;
mod requests;
mod seat;
mod views;

pub(super) use chrome::{
    Keyboard, Letter, Notices, Past, Place, Places, TerminalState, Toast, WorkspaceViews,
};
pub use mode::Mode;
pub(super) use overlay::{
    HelpState, LaunchForm, LaunchInput, Leaving, Overlay, PaletteAct, PaletteRow, PaletteState, Prompt,
    PromptKind, Sheetlet,
};
pub(super) use requests::{Asked, Asker, Pending, Previews, Requests, Undoable};
pub use seat::{Danger, LookOfScreen, Seat};
pub use views::View;

use crate::{
    Keymap, Link,
    gates::state::GatesState,
    graph::state::{DagState, Pictures},
    logs::state::LogsState,
    panes::Panes,
    runs::state::RunsState,
    time::gantt::TimeState,
    travel::state::IN_THE_PAST,
};
use cuelight_base::{RunId, Span, StepIx, Timestamp, sha256};
use cuelight_engine::Command;
use cuelight_projection::{Board, ErrorView, GateView};
use std::sync::Arc;

/// Time for which lost signals are reported.
const BEHIND: Span = Span(5_000);

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
    pub(super) places: Places,
    pub(super) runs: RunsState,
    pub(super) dag: DagState,
    pub(super) gates: GatesState,
    pub(super) logs: LogsState,
    pub(super) time: TimeState,
    pub(super) workspace: WorkspaceViews,
    pub(super) past: Past,
    pub(super) overlay: Option<Overlay>,
    pub(super) prompt: Option<Prompt>,
    pub(super) notices: Notices,
    pub(super) requests: Requests,
    pub(super) keyboard: Keyboard,
    pub(super) terminal: TerminalState,
    pub(super) pictures: Pictures,
}

/// The text from the operator's own editor, or the reason why there is none.
pub(super) type Edited = Result<String, String>;

/// After so long what can follow a prefix is shown.
const WHICH_KEY: Span = Span(300);
/// A picture that takes longer than this to make is said to be on its way.
const ARRANGING_TOLD: Span = Span(300);

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
            places: Places::default(),
            runs: RunsState::default(),
            dag: DagState { follow, ..DagState::default() },
            gates: GatesState::default(),
            logs: LogsState { follow: true, ..LogsState::default() },
            time: TimeState::default(),
            workspace: WorkspaceViews::default(),
            past: Past::default(),
            overlay: None,
            prompt: None,
            notices: Notices::default(),
            requests: Requests::default(),
            keyboard: Keyboard::default(),
            terminal: TerminalState::default(),
            pictures: Pictures::default(),
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

    /// The division of the screen in the current view.
    pub(super) fn panes(&self) -> Panes {
        self.places.panes.get(&self.view).copied().unwrap_or_default()
    }

    /// The run under the cursor, or the one whose graph is looked at.
    pub fn run(&self) -> Option<RunId> {
        match self.view {
            View::Runs => self.runs.selected,
            View::Dag => self.dag.run,
            View::Gates => self.gates.selected.map(|(_, run, _)| run),
            View::Logs => self.logs.run,
            View::Time => self.time.run,
            View::Errors => self.selected_error().map(|error| error.run),
            View::Audit => self.workspace.audit.row().and_then(|row| row.run),
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
            View::Audit => self.workspace.audit.row().and_then(|row| row.step),
            View::Errors => self.selected_error().and_then(|error| error.step),
            View::Health | View::Agents | View::Tools => None,
        }
    }

    /// The failure under the cursor of Errors.
    pub(super) fn selected_error(&self) -> Option<&Arc<ErrorView>> {
        self.workspace.errors.selected.and_then(|selected| self.board.error(selected))
    }

    /// The run whose output is to be heard as it comes.
    pub fn listens(&self) -> Option<RunId> {
        self.logs.run.filter(|_| self.view == View::Logs)
    }

    /// The newest board, also while the past is seen.
    pub fn live(&self) -> &Arc<Board> {
        self.past.travel.as_ref().map_or(&self.board, |travel| &travel.live)
    }

    /// Columns and rows of the whole screen.
    pub fn screen(&self) -> (u16, u16) {
        self.past.travel.as_ref().map_or(self.size, |travel| travel.screen)
    }

    /// Why nothing may be changed from here now.
    pub fn locked(&self) -> Option<String> {
        match &self.link {
            _ if self.past.travel.is_some() && !self.is_forking() => Some(IN_THE_PAST.to_owned()),
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
        self.requests.pending.values().any(|pending| pending.run == Some(run))
    }

    /// The window title: environment, open gates, failed runs.
    pub fn window_title(&self) -> String {
        let gates = self.live().open_gates().count();
        let failed = self.notices.rung.failed;
        let count =
            |sign: &str, count: u64| if count == 0 { String::new() } else { format!(" {sign}{count}") };
        let gates = count(self.look.glyphs.pick("◆", "G"), gates as u64);
        let failed = count(self.look.glyphs.pick("✗", "x"), u64::from(failed));
        format!("cuelight {}{gates}{failed}", self.seat.environment)
    }

    /// True if a prefix was typed long enough ago to show its continuations.
    pub(super) fn shows_continuations(&self) -> bool {
        !self.keyboard.typed.is_empty() && self.clock.since(self.keyboard.last_key) >= WHICH_KEY
    }

    /// True if the terminal has focus, as far as it reports focus.
    pub const fn has_focus(&self) -> bool {
        self.terminal.has_focus
    }

    /// True if ages and clocks run. Without open runs no clock is shown: an idle console writes nothing, and
    /// shows nothing that time makes untrue.
    pub fn moves(&self) -> bool {
        self.live().open_runs().next().is_some() || matches!(self.link, Link::Lost { .. })
    }

    /// When the screen changes although nothing arrives: a visible age, a toast that goes away.
    pub fn deadline(&self) -> Option<Timestamp> {
        let toast = self.notices.toasts.iter().map(|toast| toast.until).min();
        let undo = self.requests.undo.as_ref().map(|undo| undo.until);
        let age = self.moves().then(|| Timestamp(self.clock.0 - self.clock.0.rem_euclid(1000) + 1000));
        let which_key = (!self.keyboard.typed.is_empty() && !self.shows_continuations())
            .then(|| self.keyboard.last_key + WHICH_KEY);
        let play = self.past.travel.as_ref().and_then(|travel| travel.due());
        let slow = self.pictures.arranging.as_ref().map(|arranging| arranging.since + ARRANGING_TOLD);
        let slow = slow.filter(|slow| *slow > self.clock);
        [toast, undo, age, which_key, play, slow, self.pictures.due].into_iter().flatten().min()
    }

    /// The number of signals lost in the last few seconds; None if there were none.
    pub(super) fn behind_now(&self) -> Option<u64> {
        self.terminal.behind.filter(|(_, told)| self.now.since(*told) < BEHIND).map(|(missed, _)| missed)
    }

    /// Time that a picture has been awaited; None if too short to mention.
    pub(super) fn arranging_for(&self) -> Option<Span> {
        let since = self.pictures.arranging.as_ref().map(|arranging| self.clock.since(arranging.since));
        since.filter(|since| *since >= ARRANGING_TOLD)
    }
}

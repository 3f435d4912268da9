//! The windows over a view and the line of text below it: palette, launch form, help, prompt.

use crate::{Dialog, Field, Intent, Level};
use cuelight_base::{RunId, Timestamp};

/// A window over the view, which takes the keys.
#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    Dialog(Box<Dialog>),
    Palette(PaletteState),
    Help(HelpState),
    Menu { selected: usize },
    Text(Sheetlet),
    Launch(Box<LaunchForm>),
    Leaving(Leaving),
}

/// State of an open help.
#[derive(Clone, Debug, Default)]
pub(crate) struct HelpState {
    /// The first line that is seen, of the page or of the list.
    pub top: usize,
    /// True if the keys of all views are listed.
    pub all: bool,
    /// The text searched for.
    pub find: Field,
    /// True while the search is being typed.
    pub types: bool,
    /// The row under the cursor of the list.
    pub selected: usize,
}

impl HelpState {
    /// Returns true if the help lists rows, false if it shows the page of this view.
    pub(crate) fn is_list(&self) -> bool {
        self.all || self.types || !self.find.text().is_empty()
    }
}

/// The question on the way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving {
    /// The text typed to stop the engine, while that is asked.
    pub stop: Option<Field>,
    /// When its first frame was drawn, or the last key was swallowed after that.
    pub counts_from: Option<Timestamp>,
}

/// A workflow that is to be started.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaunchForm {
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

impl LaunchForm {
    /// True if the typed path is that of a workflow, or of a file that is listed.
    pub(crate) fn names_file(&self) -> bool {
        !self.name.is_empty() || self.files.iter().any(|file| file == self.path.text().trim())
    }

    /// The field that has the keys.
    pub(crate) fn field_mut(&mut self) -> Option<&mut Field> {
        match self.focus.checked_sub(1) {
            None => Some(&mut self.path),
            Some(at) => self.inputs.get_mut(at).map(|input| &mut input.field),
        }
    }
}

/// One thing a workflow asks for, and what was typed for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaunchInput {
    pub offered: crate::OfferedInput,
    pub field: Field,
}

/// State of the palette.
#[derive(Clone, Debug, Default)]
pub(crate) struct PaletteState {
    pub field: Field,
    pub selected: usize,
    /// The rows that match the typed text, best first.
    pub rows: Vec<PaletteRow>,
    /// The number of rows without a search.
    pub total: usize,
}

/// One thing that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaletteRow {
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
pub(crate) enum PaletteAct {
    Intent(Intent),
    OpenRun(RunId),
    Filter(String),
    Theme(String),
    /// Opens the form that starts a workflow, of this file or of none yet.
    Launch(String),
    /// Holds the schedules of a workflow, or lets them go when they are held.
    Hold(String, bool),
    /// Clears the workspace, which asks.
    Reset,
    /// Stops the engine, which asks.
    ShutDown,
}

/// A text over the view: why something waits, what was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheetlet {
    pub title: String,
    pub lines: Vec<(String, crate::Role)>,
    pub top: usize,
}

/// The text typed into the line above the status line.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub kind: PromptKind,
    pub field: Field,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Find,
    Filter,
    /// A remark at a gate.
    Remark,
    /// The run or instant to compare with.
    Compare,
}

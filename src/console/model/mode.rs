//! The current use of keys: the word in the status line and the scope of the next key.

use super::{
    Model,
    overlay::{Leaving, Overlay, PromptKind},
};
use crate::Scope;

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
    /// The current use of keys.
    pub fn mode(&self) -> Mode {
        match (&self.overlay, &self.prompt) {
            (Some(Overlay::Dialog(_) | Overlay::Leaving(_)), _) => Mode::Confirm,
            (Some(Overlay::Palette(_)), _) => Mode::Command,
            (Some(Overlay::Help { .. }), _) => Mode::Help,
            (Some(Overlay::Launch(_)), _) => Mode::Insert,
            (None, Some(prompt)) if matches!(prompt.kind, PromptKind::Remark | PromptKind::Compare) => {
                Mode::Insert
            }
            (None, Some(_)) => Mode::Filter,
            (Some(Overlay::Menu { .. } | Overlay::Text(_)), _) | (None, None)
                if self.past.travel.is_some() =>
            {
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
            (None, None) => self.past.travel.as_ref().map_or(self.view.scope(), |travel| travel.scope()),
        }
    }
}

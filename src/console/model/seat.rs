//! The person at a console, its environment and the appearance of its screen.

use crate::{Glyphs, Theme, Themes};
use cuelight_base::Actor;
use std::sync::Arc;

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

impl Seat {
    /// The text to type so that the engine stops: the command and the environment.
    pub(crate) fn stop_words(&self) -> String {
        format!("stop {}", self.environment)
    }
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
    pub(crate) fn size(&self, (width, height): (u16, u16)) -> (u16, u16) {
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

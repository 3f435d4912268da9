//! The options of a console, and the reasons why it ends.

use crate::{Depth, Ground, Keymap, LookOfScreen, Notify, Themes};
use cuelight_base::RunId;

/// Saves a text under a name; returns where it is, or why it could not be saved.
pub type SavePicture = Box<dyn Fn(&str, &str) -> Result<String, String> + Send + Sync>;

/// Lets the operator change a text; returns what was saved, or why it could not be changed.
pub type EditText = Box<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// Reads the user's own themes: all that can be chosen, and what is wrong in some.
pub type ReadThemes = Box<dyn Fn() -> (Themes, Vec<String>) + Send + Sync>;

/// One theme for each ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemesByGround {
    /// On a dark ground.
    pub dark: String,
    /// On a light ground.
    pub light: String,
    /// The ground to assume when the terminal does not report one.
    pub otherwise: Ground,
}

/// Options for opening the console.
pub struct ConsoleOptions {
    /// The theme and the signs, to begin with.
    pub look: LookOfScreen,
    /// Themes for a dark and a light ground, where the terminal is to be asked which it has.
    pub by_ground: Option<ThemesByGround>,
    /// Reads the user's own themes again.
    pub themes: ReadThemes,
    /// The number of colours that the terminal has.
    pub depth: Depth,
    /// The table of keys and their commands.
    pub keys: Keymap,
    /// The run that is looked at first.
    pub run: Option<RunId>,
    /// A note that the user must read first: title and text.
    pub note: Option<(String, String)>,
    /// A line that says what to press first; shown for half a minute.
    pub hint: Option<String>,
    /// Saves a picture of the screen.
    pub export: SavePicture,
    /// Lets the operator change a text in an editor of their own; the terminal is theirs meanwhile.
    pub edit: EditText,
    /// Saves the report of a crash of the screen.
    pub crashes: SavePicture,
    /// True if the bell is never rung.
    pub silent: bool,
    /// The notification sequence that this terminal understands.
    pub notify: Notify,
}

/// Why the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Its user left; what is open goes on.
    Left,
    /// Its user left, and wants the engine to stop.
    Stopped,
    /// Its terminal went away.
    HungUp,
    /// A signal asked the program to end.
    Signalled,
}

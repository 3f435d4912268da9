//! Appearance of the console: flags first, then the environment, then the user's `config.toml`, then the
//! terminal.

use crate::{args::Everywhere, config::Config, exit::Trouble};
use cuelight_console::{
    Depth, Glyphs, Ground, LookOfScreen, Motion, Notify, Preferences, Preferred, Theme, Themes,
    ThemesByGround, was_terminal,
};
use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A theme is a page of text; what is longer is none.
const THEME_BYTES_MAX: u64 = 64 * 1024;
/// So many files are looked at.
const THEMES_MAX: usize = 100;

/// The appearance of the console, from flags, environment and the user's own files.
#[derive(Clone, Debug)]
pub(super) struct Appearance {
    /// Named by a flag or a variable.
    theme: Option<String>,
    no_color: bool,
    ascii: bool,
    reader: bool,
    /// True if flags or variables asked for `ascii`, and for `reader`.
    flags: (bool, bool),
    ground: Ground,
    pub(super) depth: Depth,
    /// The directory of the user's own keys, themes and preferences.
    pub(super) own: Option<PathBuf>,
    preferences: Preferences,
    /// The kind of notification that this terminal is known to understand.
    notify: Notify,
    /// The first error in the user's preferences, for people.
    problem: Option<String>,
}

/// The settings that the console starts with.
pub(super) struct Chosen {
    pub(super) look: LookOfScreen,
    pub(super) silent: bool,
    pub(super) notify: Notify,
    pub(super) by_ground: Option<ThemesByGround>,
}

impl Appearance {
    pub(super) fn new(config: &Config, everywhere: &Everywhere, no_color: bool) -> Self {
        let term = config.variable("TERM").unwrap_or("");
        let own = config_dir(config);
        let (preferences, problem) = own.as_deref().map_or_else(Default::default, preferences);
        let ascii = everywhere.screen.ascii || preferences.ascii || term == "linux" || !is_utf8(config);
        Self {
            theme: everywhere.screen.theme.clone(),
            no_color,
            ascii,
            reader: everywhere.screen.reader || preferences.reader,
            flags: (everywhere.screen.ascii, everywhere.screen.reader),
            ground: config.variable("COLORFGBG").and_then(Ground::of_colorfgbg).unwrap_or_default(),
            depth: depth(config, term, no_color),
            own,
            notify: preferences.notify.known(|name| config.variable(name).map(str::to_owned)),
            preferences,
            problem,
        }
    }

    /// The theme for an environment, and everything else that a screen looks like.
    pub(super) fn choose(&self, environment: &str) -> Result<Chosen, Trouble> {
        let mut themes = self.themes().0;
        let (theme, by_ground) = match &self.theme {
            Some(name) => (named(name, &mut themes)?, None),
            None if self.no_color => ("mono".to_owned(), None),
            None => match self.preferences.theme(environment) {
                Preferred::Nothing => (Theme::default_at(self.depth).name().to_owned(), None),
                Preferred::Theme(name) => (name, None),
                Preferred::ByGround(dark, light) => {
                    (dark.clone(), Some(ThemesByGround { dark, light, otherwise: self.ground }))
                }
            },
        };
        let look = LookOfScreen {
            theme,
            themes: Arc::new(themes),
            glyphs: Glyphs { ascii: self.ascii },
            reader: self.reader,
            still: self.reader || self.preferences.motion == Motion::None,
        };
        let (silent, notify) = (self.preferences.silent, self.notify);
        Ok(Chosen { look, by_ground, silent, notify })
    }

    /// The chosen theme, signs and so on, each with the source that decided it.
    pub(super) fn won(&self) -> Vec<(&'static str, String, &'static str)> {
        const FLAG: &str = "a flag or its variable";
        const OWN: &str = "your own config.toml";
        let chosen = self.choose("").map_or_else(|error| error.message, |chosen| chosen.look.theme);
        let theme = match () {
            () if self.theme.is_some() => FLAG,
            () if self.no_color => "the variable NO_COLOR",
            () if self.preferences.theme("") != Preferred::Nothing => OWN,
            () => "default",
        };
        let switch = |on: bool, by_flag: bool, by_own: bool| match () {
            () if by_flag => FLAG,
            () if by_own => OWN,
            () if on => "the terminal",
            () => "default",
        };
        let (ascii, reader) = self.flags;
        vec![
            ("theme", chosen, theme),
            ("ascii", self.ascii.to_string(), switch(self.ascii, ascii, self.preferences.ascii)),
            ("reader", self.reader.to_string(), switch(self.reader, reader, self.preferences.reader)),
        ]
    }

    /// The user's own themes as they are now, and what is wrong with them and with the preferences.
    pub(super) fn themes(&self) -> (Themes, Vec<String>) {
        let (themes, mut problems) = self.own.as_deref().map_or_else(Default::default, own_themes);
        problems.extend(self.problem.clone());
        (themes, problems)
    }

    /// A theme that was named as a file stays, whatever the directory of themes says later.
    pub(super) fn reader_of_themes(self) -> impl Fn() -> (Themes, Vec<String>) + Send {
        let is_file = |name: &String| {
            name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "toml")
        };
        let file = self.theme.clone().filter(is_file);
        move || {
            let (themes, mut problems) = self.themes();
            let Some(file) = &file else { return (themes, problems) };
            match read_file(Path::new(file)) {
                Ok(theme) => (themes.with(theme), problems),
                Err(problem) => {
                    problems.push(problem);
                    (themes, problems)
                }
            }
        }
    }
}

/// A theme by name, else from a file, which joins the others.
fn named(name: &str, themes: &mut Themes) -> Result<String, Trouble> {
    if themes.find(name).is_some() {
        return Ok(name.to_owned());
    }
    if !Path::new(name).is_file() {
        let known = themes.names().join(", ");
        return Err(Trouble::usage(format!(
            "could not find the theme {name}: no file has this name; there are {known}"
        )));
    }
    match read_file(Path::new(name)) {
        Ok(theme) => {
            let name = theme.name().to_owned();
            *themes = std::mem::take(themes).with(theme);
            Ok(name)
        }
        // Told on the screen, in the default theme.
        Err(_) => Ok(Theme::default().name().to_owned()),
    }
}

fn read_file(path: &Path) -> Result<Theme, String> {
    let text = text_of(path)?;
    Theme::parse(&text, Some(&Theme::default())).map_err(|error| format!("{}: {error}", path.display()))
}

fn text_of(path: &Path) -> Result<String, String> {
    let problem = |why: String| format!("could not read {}: {why}", path.display());
    let size = fs::metadata(path).map_err(|error| problem(error.to_string()))?;
    if !size.is_file() || size.len() > THEME_BYTES_MAX {
        return Err(problem("it is no file of a theme's size".to_owned()));
    }
    fs::read_to_string(path).map_err(|error| problem(error.to_string()))
}

fn own_themes(own: &Path) -> (Themes, Vec<String>) {
    let Ok(entries) = fs::read_dir(own.join("themes")) else { return Default::default() };
    let is_theme = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "toml");
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_theme).collect();
    paths.sort();
    paths.truncate(THEMES_MAX);
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        match text_of(&path) {
            Ok(text) => files.push((path.display().to_string(), text)),
            Err(problem) => unreadable.push(problem),
        }
    }
    let (themes, mut problems) = Themes::read(&files);
    problems.extend(unreadable);
    (themes, problems)
}

fn preferences(own: &Path) -> (Preferences, Option<String>) {
    let path = own.join("config.toml");
    match fs::read_to_string(&path).map(|text| Preferences::read(&text)) {
        Ok(Ok(preferences)) => (preferences, None),
        Ok(Err(why)) => (Preferences::default(), Some(format!("could not use {}: {why}", path.display()))),
        Err(_) => Default::default(),
    }
}

/// Why there can be no screen, if there can be none.
pub(super) fn no_screen(config: &Config) -> Option<&'static str> {
    let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let in_ci = config.variable("CI").is_some_and(|ci| !matches!(ci, "0" | "false"));
    match config.variable("TERM") {
        Some("dumb") => Some("the terminal is dumb (TERM)"),
        // One that has gone meanwhile ends the screen, as it does later.
        _ if !is_terminal && !was_terminal() => Some("this is no terminal"),
        _ if in_ci => Some("nobody looks at a job (CI)"),
        _ => None,
    }
}

/// The C locale that says nothing of UTF-8 is none.
fn is_utf8(config: &Config) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|text| config.variable(text)).unwrap_or("");
    locale.to_ascii_lowercase().replace('-', "").contains("utf8")
}

fn depth(config: &Config, term: &str, no_color: bool) -> Depth {
    // Terminals that have all colours, also where `ssh` does not pass COLORTERM on.
    const TRUECOLOR: [&str; 6] = ["kitty", "alacritty", "wezterm", "ghostty", "foot", "contour"];
    let truecolor = config
        .variable("COLORTERM")
        .is_some_and(|colorterm| colorterm == "truecolor" || colorterm == "24bit")
        || TRUECOLOR.iter().any(|name| term.contains(name));
    match () {
        () if no_color => Depth::None,
        () if truecolor || term.ends_with("-direct") => Depth::Truecolor,
        () if term.contains("256") => Depth::Indexed256,
        () => Depth::Ansi16,
    }
}

fn config_dir(config: &Config) -> Option<PathBuf> {
    let own = config.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = || config.variable("HOME").map(|home| PathBuf::from(home).join(".config"));
    own.or_else(home).map(|home| home.join("cuelight"))
}

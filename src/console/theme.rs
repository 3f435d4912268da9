//! Themes: names of meaning become styles. With `picture` the only place that names a colour.
//!
//! A theme is a TOML file with a palette and one line for each [`Role`]. A role that it does not name comes
//! from the theme it inherits from, so no widget can be forgotten. `read` reads a file, `depth` adapts it to
//! a terminal of few colours, `catalogue` lists the themes. The caller finds the files.

mod catalogue;
mod depth;
mod read;

pub use catalogue::Themes;
pub use depth::Depth;
pub use read::ThemeError;

pub(super) use depth::rgb_of;

use depth::{nearest_of_16, nearest_of_256};
use ratatui::style::{Color, Modifier, Style};

/// The meaning of a piece of the screen; a theme gives it a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The ground of the screen.
    Bg,
    /// Text that is meant to be read.
    Text,
    /// Text of minor interest; never carries a state alone.
    Muted,
    /// Lines around panes and between nodes.
    Border,
    /// The border of the pane that takes the keys.
    BorderFocus,
    /// Names of panes, heads of columns.
    Title,
    /// Text that can be opened.
    Link,
    /// The row under the cursor.
    Select,
    /// A match of the search.
    Match,
    /// A success, or a healthy value.
    Ok,
    /// An activity that goes on.
    Info,
    /// A warning that needs attention.
    Warn,
    /// A failure or an unhealthy value.
    Fail,
    /// Waits for a person.
    Gate,
    /// The badge of a production environment.
    EnvProd,
    /// The badge of a staging environment.
    EnvStage,
    /// The badge of a development environment.
    EnvDev,
    /// The band over a screen of the past.
    History,
    /// First series of a chart, and the critical path.
    Graph1,
    /// Second series of a chart.
    Graph2,
    /// Third series of a chart.
    Graph3,
    /// Fourth series of a chart.
    Graph4,
    /// Fifth series of a chart.
    Graph5,
    /// Sixth series of a chart.
    Graph6,
    /// A gauge in the red.
    GaugeLow,
    /// A gauge in between.
    GaugeMid,
    /// A gauge as it should be.
    GaugeHigh,
    /// A log line of level debug.
    LogD,
    /// A log line of level info.
    LogI,
    /// A log line of level warning.
    LogW,
    /// A log line of level error.
    LogE,
    /// A line that was added.
    DiffAdd,
    /// A line that was taken away.
    DiffDel,
}

/// Every role and its name in a theme file.
const ROLES: [(Role, &str); 33] = [
    (Role::Bg, "bg"),
    (Role::Text, "text"),
    (Role::Muted, "muted"),
    (Role::Border, "border"),
    (Role::BorderFocus, "border-focus"),
    (Role::Title, "title"),
    (Role::Link, "link"),
    (Role::Select, "select"),
    (Role::Match, "match"),
    (Role::Ok, "ok"),
    (Role::Info, "info"),
    (Role::Warn, "warn"),
    (Role::Fail, "fail"),
    (Role::Gate, "gate"),
    (Role::EnvProd, "env-prod"),
    (Role::EnvStage, "env-stage"),
    (Role::EnvDev, "env-dev"),
    (Role::History, "history"),
    (Role::Graph1, "graph-1"),
    (Role::Graph2, "graph-2"),
    (Role::Graph3, "graph-3"),
    (Role::Graph4, "graph-4"),
    (Role::Graph5, "graph-5"),
    (Role::Graph6, "graph-6"),
    (Role::GaugeLow, "gauge-low"),
    (Role::GaugeMid, "gauge-mid"),
    (Role::GaugeHigh, "gauge-high"),
    (Role::LogD, "log-d"),
    (Role::LogI, "log-i"),
    (Role::LogW, "log-w"),
    (Role::LogE, "log-e"),
    (Role::DiffAdd, "diff-add"),
    (Role::DiffDel, "diff-del"),
];

impl Role {
    /// Every role, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        ROLES.iter().map(|(role, _)| *role)
    }

    /// Its name in a theme file and in snapshots.
    pub fn name(self) -> &'static str {
        ROLES[self as usize].1
    }
}

/// The kind of a theme: for a dark ground, for a light ground, or without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
    /// No colour: only bold, reversed and the like.
    Mono,
}

/// The themes that are always there; the first is the base of all others.
const BUILT_IN: [(&str, &str); 15] = [
    ("terminal", include_str!("themes/terminal.toml")),
    ("catppuccin-mocha", include_str!("themes/catppuccin-mocha.toml")),
    ("catppuccin-latte", include_str!("themes/catppuccin-latte.toml")),
    ("gruvbox-dark", include_str!("themes/gruvbox-dark.toml")),
    ("gruvbox-light", include_str!("themes/gruvbox-light.toml")),
    ("tokyo-night", include_str!("themes/tokyo-night.toml")),
    ("nord", include_str!("themes/nord.toml")),
    ("dracula", include_str!("themes/dracula.toml")),
    ("solarized-dark", include_str!("themes/solarized-dark.toml")),
    ("solarized-light", include_str!("themes/solarized-light.toml")),
    ("high-contrast", include_str!("themes/high-contrast.toml")),
    ("high-contrast-light", include_str!("themes/high-contrast-light.toml")),
    ("okabe-ito", include_str!("themes/okabe-ito.toml")),
    ("mono", include_str!("themes/mono.toml")),
    ("dark", include_str!("themes/dark.toml")),
];

/// The settings of a theme for one role, before the colour depth of the terminal is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    fg: Option<Color>,
    bg: Option<Color>,
    ansi16: Option<(Option<Color>, Option<Color>)>,
    mods: Modifier,
    mono: Option<Modifier>,
}

/// Styles by meaning, ready for one terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: String,
    kind: Kind,
    looks: [Look; ROLES.len()],
    styles: [Style; ROLES.len()],
    /// True if the row under the cursor is drawn in one colour: it is shown by reversing, which would make a ground of
    /// each colour in it.
    evens: bool,
}

impl Default for Theme {
    fn default() -> Self {
        Self::built_in("terminal").expect("the default is in the table")
    }
}

impl Theme {
    /// The names of the themes that are always there.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The theme for a terminal of this depth where nothing else is chosen: our own, and the terminal's sixteen colours
    /// where it has no more.
    pub fn default_at(depth: Depth) -> Self {
        let name = match depth {
            Depth::None | Depth::Ansi16 => "terminal",
            Depth::Indexed256 | Depth::Truecolor => "dark",
        };
        Self::built_in(name).expect("both are in the table")
    }

    /// One of the themes that are always there, in all its colours.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text, None).expect("a test reads every theme that is compiled in"))
    }

    /// Reads a theme file. Roles it does not name come from the built-in theme it inherits from, else from `base`.
    pub fn parse(text: &str, base: Option<&Self>) -> Result<Self, ThemeError> {
        read::theme(text, base)
    }

    /// The same theme for a terminal of this depth.
    #[must_use]
    pub fn at_depth(mut self, depth: Depth) -> Self {
        self.styles = self.looks.map(|look| look.style(depth));
        self.evens =
            depth != Depth::None && self.role(Role::Select).add_modifier.contains(Modifier::REVERSED);
        self
    }

    /// True if the row under the cursor is drawn in one colour.
    pub(super) const fn evens(&self) -> bool {
        self.evens
    }

    /// The style of a role.
    pub fn role(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The style that every cell of a screen begins with: text on the ground.
    pub fn ground(&self) -> Style {
        self.role(Role::Bg).patch(self.role(Role::Text))
    }

    /// Its name, for the list of themes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Dark, light or without colour.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The theme of snapshots: every role has colours that no other has, so that a snapshot can name roles and does
    /// not change when a palette does. Modifiers are those of the default theme.
    pub fn for_snapshots() -> Self {
        let mut theme = Self::default();
        "snapshots".clone_into(&mut theme.name);
        for (index, look) in theme.looks.iter_mut().enumerate() {
            let unique = Color::Indexed(u8::try_from(index).expect("fewer roles than colours") + 16);
            look.fg = look.fg.map(|_| unique);
            look.bg = look.bg.map(|_| unique);
        }
        // A snapshot names every role, also in the row under the cursor.
        Self { evens: false, ..theme.at_depth(Depth::Truecolor) }
    }

    /// The role with this colour as its text or ground. Only the theme of snapshots has a single answer.
    pub(super) fn role_of(&self, color: Color) -> Option<Role> {
        Role::all().find(|role| {
            let style = self.role(*role);
            style.fg == Some(color) || style.bg == Some(color)
        })
    }
}

impl Look {
    /// Completes a theme's settings from the theme that it inherits from. The sixteen colours are inherited
    /// if its own colours are not among them; so is the look without colour.
    fn over(mut self, base: Option<Self>) -> Self {
        let Some(base) = base else { return self };
        let exact = |color: Option<Color>| matches!(color, Some(Color::Rgb(..) | Color::Indexed(_)));
        if self.ansi16.is_none() && (exact(self.fg) || exact(self.bg)) {
            let named = !exact(base.fg) && !exact(base.bg);
            self.ansi16 = base.ansi16.or(named.then_some((base.fg, base.bg)));
        }
        self.mono = self.mono.or(Some(base.mono.unwrap_or(base.mods) | self.mods));
        self
    }

    fn style(self, depth: Depth) -> Style {
        let (fg, bg) = match depth {
            Depth::None => (None, None),
            Depth::Ansi16 => {
                self.ansi16.unwrap_or_else(|| (self.fg.map(nearest_of_16), self.bg.map(nearest_of_16)))
            }
            Depth::Indexed256 => (self.fg.map(nearest_of_256), self.bg.map(nearest_of_256)),
            Depth::Truecolor => (self.fg, self.bg),
        };
        let mods = if depth == Depth::None { self.mono.unwrap_or(self.mods) } else { self.mods };
        Style { fg, bg, ..Style::default() }.add_modifier(mods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, expected: &str) {
        let base = Theme::default();
        let error = Theme::parse(text, Some(&base)).expect_err("this theme is wrong");
        assert_eq!(error.to_string(), format!("could not read the theme: {expected}"));
    }

    #[test]
    fn the_table_of_roles_is_in_order_and_every_built_in_theme_can_be_read() {
        for (index, role) in Role::all().enumerate() {
            assert_eq!(role as usize, index);
        }
        for name in Theme::names() {
            assert_eq!(Theme::built_in(name).map(|theme| theme.name().to_owned()).as_deref(), Some(name));
        }
    }

    #[test]
    fn errors_name_the_line_and_what_would_be_right() {
        check_error(
            "name = \"x\"\n[roles]\nok = \"grene\"",
            "line 3: `grene` is no colour: a name of [palette], #rrggbb, or a name such as `lightblue`",
        );
        check_error("name = \"x\"\nkind = \"blue\"\n[roles]", "line 2: a kind is `dark`, `light` or `mono`");
        check_error(
            "name = \"x\"\n\n[roles]\nok = { fgg = \"red\" }",
            "line 4: a role has no `fgg`; it has fg, bg, ansi16, mods and mono",
        );
        check_error("[roles]\n", "line 1: a theme needs a `name`");
        check_error("name = \"x\"\nname = \"y\"", "line 2: duplicate key");
    }

    #[test]
    fn a_theme_of_ones_own_says_only_what_differs() {
        let base = Theme::built_in("dark").expect("shipped");
        let own = Theme::parse("name = \"own\"\n[roles]\nok = \"#00ff00\"", Some(&base)).expect("right");
        assert_eq!(own.role(Role::Ok).fg, Some(Color::Rgb(0, 255, 0)));
        assert_eq!(own.role(Role::Fail), base.role(Role::Fail));
    }

    #[test]
    fn a_colour_becomes_what_the_terminal_can_show() {
        let theme = Theme::built_in("dark").expect("shipped");
        let fail = |depth| theme.clone().at_depth(depth).role(Role::Fail);
        assert_eq!(fail(Depth::Truecolor).fg, Some(Color::Rgb(0xff, 0x86, 0x8c)));
        assert_eq!(fail(Depth::Indexed256).fg, Some(Color::Indexed(210)));
        assert_eq!(fail(Depth::Ansi16).fg, Some(Color::LightRed));
        assert_eq!(fail(Depth::None), Style::new().add_modifier(Modifier::BOLD));
    }

    #[test]
    fn no_role_has_a_colour_in_mono_or_at_depth_none() {
        let mono = Theme::built_in("mono").expect("shipped");
        let none = Theme::built_in("dark").expect("shipped").at_depth(Depth::None);
        for theme in [mono, none] {
            assert!(Role::all().all(|role| theme.role(role).fg.is_none() && theme.role(role).bg.is_none()));
        }
    }

    #[test]
    fn the_theme_of_snapshots_names_every_role_that_has_a_colour() {
        let theme = Theme::for_snapshots();
        for role in Role::all() {
            let style = theme.role(role);
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert_eq!(theme.role_of(color), Some(role));
            }
        }
    }
}

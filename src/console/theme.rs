//! Themes: names of meaning become styles. The only file beside `picture` that says a colour.
//!
//! A theme is a TOML file with a palette and one line for each [`Role`]; roles it does not name come from the theme
//! it inherits from, so no widget can be forgotten. Where themes are looked for, and when a file is read again, is
//! left to the caller, who hands in the text.

use ratatui::style::{Color, Modifier, Style};
use std::{collections::BTreeMap, fmt, ops::Range, str::FromStr as _};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What a piece of the screen means; a theme says how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The ground of the screen.
    Bg,
    /// What is read.
    Text,
    /// What may be overlooked; never carries a state alone.
    Muted,
    /// Lines around panes and between nodes.
    Border,
    /// The border of the pane that takes the keys.
    BorderFocus,
    /// Names of panes, heads of columns.
    Title,
    /// What can be opened.
    Link,
    /// The row under the cursor.
    Select,
    /// What the search found.
    Match,
    /// Went well.
    Ok,
    /// Goes on.
    Info,
    /// Wants an eye.
    Warn,
    /// Went wrong.
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
    /// Second series.
    Graph2,
    /// Third series.
    Graph3,
    /// Fourth series.
    Graph4,
    /// Fifth series.
    Graph5,
    /// Sixth series.
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

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal without.
    None,
    /// The sixteen colours of the terminal's own palette.
    Ansi16,
    /// The xterm palette of 256.
    Indexed256,
    /// Red, green and blue as they are.
    #[default]
    Truecolor,
}

/// Whether a theme is for a dark or a light ground, or has no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
    /// No colour.
    Mono,
}

/// Why a theme file cannot be used; the caller adds the name of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not read the theme: line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ThemeError {}

/// The themes that are always there; the first is the default.
const BUILT_IN: [(&str, &str); 3] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// What a theme says of one role, before the depth of the terminal is known.
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

    /// One of the themes that are always there, in all its colours.
    pub fn built_in(name: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(text, None).expect("a test reads every theme that is compiled in"))
    }

    /// Reads a theme file. Roles it does not name come from the built-in theme it inherits from, else from `base`.
    pub fn parse(text: &str, base: Option<&Self>) -> Result<Self, ThemeError> {
        let reader = Reader { text };
        let root = DeTable::parse(text).map_err(|error| ThemeError {
            line: reader.line(&error.span().unwrap_or(0..0)),
            message: error.message().to_owned(),
        })?;
        reader.theme(root.get_ref(), base)
    }

    /// The same theme for a terminal of this depth.
    #[must_use]
    pub fn at_depth(mut self, depth: Depth) -> Self {
        self.styles = self.looks.map(|look| look.style(depth));
        self
    }

    /// How a meaning looks.
    pub fn role(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// What every cell of a screen begins with: text on the ground.
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
        theme.at_depth(Depth::Truecolor)
    }

    /// Which role has this colour as its text or ground; only the theme of snapshots has one answer.
    pub(super) fn role_of(&self, color: Color) -> Option<Role> {
        Role::all().find(|role| {
            let style = self.role(*role);
            style.fg == Some(color) || style.bg == Some(color)
        })
    }
}

impl Look {
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

/// Reads one file; knows its text, so that an offset can become a line.
struct Reader<'a> {
    text: &'a str,
}

type Palette = BTreeMap<String, Color>;

impl Reader<'_> {
    fn theme(&self, root: &DeTable<'_>, base: Option<&Theme>) -> Result<Theme, ThemeError> {
        let mut name = None;
        let mut kind = Kind::Dark;
        let mut inherited = None;
        let (mut palette, mut roles) = (Palette::new(), None);
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "name" => name = Some(self.string(value)?.to_owned()),
                "version" => self.version(value)?,
                "kind" => kind = self.kind(value)?,
                "inherits" => inherited = Some(self.inherits(value)?),
                "contrast" => self.contrast(value)?,
                "palette" => palette = self.palette(value)?,
                "roles" => roles = Some(self.table(value)?),
                other => {
                    let known = "name, version, kind, inherits, contrast, palette, roles";
                    return Err(
                        self.error(&key.span(), format!("`{other}` is not known here; known are {known}"))
                    );
                }
            }
        }
        let name = name.ok_or_else(|| self.error(&(0..0), "a theme needs a `name`".to_owned()))?;
        let roles = roles.ok_or_else(|| self.error(&(0..0), "a theme needs a table `[roles]`".to_owned()))?;
        let mut looks =
            inherited.as_ref().or(base).map_or([None; ROLES.len()], |theme| theme.looks.map(Some));
        for (key, value) in roles {
            looks[self.role(key)? as usize] = Some(self.look(value, &palette)?);
        }
        let missing = ROLES.iter().find(|(role, _)| looks[*role as usize].is_none());
        if let Some((_, missing)) = missing {
            let message =
                format!("the role `{missing}` is missing; name it, or say `inherits = \"terminal\"`");
            return Err(self.error(&(0..0), message));
        }
        let looks = looks.map(|look| look.expect("none is missing"));
        Ok(Theme { name, kind, styles: looks.map(|look| look.style(Depth::Truecolor)), looks })
    }

    fn version(&self, value: &Spanned<DeValue<'_>>) -> Result<(), ThemeError> {
        match value.get_ref().as_integer() {
            Some(number) if number.as_str() == "1" => Ok(()),
            _ => Err(self.error(&value.span(), "the version of a theme is 1".to_owned())),
        }
    }

    fn kind(&self, value: &Spanned<DeValue<'_>>) -> Result<Kind, ThemeError> {
        match self.string(value)? {
            "dark" => Ok(Kind::Dark),
            "light" => Ok(Kind::Light),
            "mono" => Ok(Kind::Mono),
            _ => Err(self.error(&value.span(), "a kind is `dark`, `light` or `mono`".to_owned())),
        }
    }

    fn inherits(&self, value: &Spanned<DeValue<'_>>) -> Result<Theme, ThemeError> {
        let name = self.string(value)?;
        Theme::built_in(name).ok_or_else(|| {
            let known = Theme::names().collect::<Vec<_>>().join(", ");
            self.error(&value.span(), format!("there is no built-in theme `{name}`; there are {known}"))
        })
    }

    /// What contrast a theme promises is held by the tests of the themes that ship; here only the word is read.
    fn contrast(&self, value: &Spanned<DeValue<'_>>) -> Result<(), ThemeError> {
        match self.string(value)? {
            "aa" | "aaa" | "none" => Ok(()),
            _ => Err(self.error(&value.span(), "a contrast is `aa`, `aaa` or `none`".to_owned())),
        }
    }

    fn palette(&self, value: &Spanned<DeValue<'_>>) -> Result<Palette, ThemeError> {
        let mut palette = Palette::new();
        for (key, value) in self.table(value)? {
            let color = self.color(self.string(value)?, &value.span(), &Palette::new())?;
            palette.insert(key.get_ref().clone().into_owned(), color);
        }
        Ok(palette)
    }

    fn role(&self, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<Role, ThemeError> {
        let found = ROLES.iter().find(|(_, name)| *name == key.get_ref().as_ref());
        found.map(|(role, _)| *role).ok_or_else(|| {
            let known = ROLES.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
            self.error(&key.span(), format!("there is no role `{}`; there are {known}", key.get_ref()))
        })
    }

    fn look(&self, value: &Spanned<DeValue<'_>>, palette: &Palette) -> Result<Look, ThemeError> {
        let mut look = Look::default();
        if let Some(short) = value.get_ref().as_str() {
            look.fg = Some(self.color(short, &value.span(), palette)?);
            return Ok(look);
        }
        for (key, value) in self.table(value)? {
            match key.get_ref().as_ref() {
                "fg" => look.fg = Some(self.color(self.string(value)?, &value.span(), palette)?),
                "bg" => look.bg = Some(self.color(self.string(value)?, &value.span(), palette)?),
                "ansi16" => look.ansi16 = Some(self.ansi16(value)?),
                "mods" => look.mods = self.modifiers(value)?,
                "mono" => look.mono = Some(self.modifiers(value)?),
                other => {
                    let message = format!("a role has no `{other}`; it has fg, bg, ansi16, mods and mono");
                    return Err(self.error(&key.span(), message));
                }
            }
        }
        // `ansi16 = "reset"` of a role that is a ground means the ground.
        if let (None, Some(_), Some((Some(ground), None))) = (look.fg, look.bg, look.ansi16) {
            look.ansi16 = Some((None, Some(ground)));
        }
        Ok(look)
    }

    fn ansi16(&self, value: &Spanned<DeValue<'_>>) -> Result<(Option<Color>, Option<Color>), ThemeError> {
        let text = self.string(value)?;
        let (fg, bg) = text.split_once(" on ").map_or((text, None), |(fg, bg)| (fg, Some(bg)));
        let named = |name: &str| {
            let color = self.color(name, &value.span(), &Palette::new())?;
            if matches!(color, Color::Rgb(..) | Color::Indexed(_)) {
                let message =
                    format!("`{name}` is not one of the sixteen names, such as `red` or `lightblue`");
                return Err(self.error(&value.span(), message));
            }
            Ok(color)
        };
        Ok((Some(named(fg)?), bg.map(named).transpose()?))
    }

    fn modifiers(&self, value: &Spanned<DeValue<'_>>) -> Result<Modifier, ThemeError> {
        let words = value.get_ref().as_array().ok_or_else(|| {
            self.error(&value.span(), "modifiers are a list, such as [\"bold\"]".to_owned())
        })?;
        let mut modifiers = Modifier::empty();
        for word in words {
            modifiers |= match self.string(word)? {
                "bold" => Modifier::BOLD,
                "reversed" => Modifier::REVERSED,
                "underlined" => Modifier::UNDERLINED,
                "italic" => Modifier::ITALIC,
                other => {
                    let message =
                        format!("`{other}` is no modifier; there are bold, reversed, underlined, italic");
                    return Err(self.error(&word.span(), message));
                }
            };
        }
        Ok(modifiers)
    }

    /// A name of the palette, else `#rrggbb`, else one of the names every terminal has.
    fn color(&self, name: &str, span: &Range<usize>, palette: &Palette) -> Result<Color, ThemeError> {
        let known = palette.get(name).copied();
        known.or_else(|| Color::from_str(name).ok()).ok_or_else(|| {
            let message =
                format!("`{name}` is no colour: a name of [palette], #rrggbb, or a name such as `lightblue`");
            self.error(span, message)
        })
    }

    fn string<'v>(&self, value: &'v Spanned<DeValue<'_>>) -> Result<&'v str, ThemeError> {
        let found = value.get_ref().type_str();
        value
            .get_ref()
            .as_str()
            .ok_or_else(|| self.error(&value.span(), format!("a text belongs here, not {found}")))
    }

    fn table<'v, 'i>(&self, value: &'v Spanned<DeValue<'i>>) -> Result<&'v DeTable<'i>, ThemeError> {
        let found = value.get_ref().type_str();
        value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.error(&value.span(), format!("a table belongs here, not {found}")))
    }

    fn error(&self, span: &Range<usize>, message: String) -> ThemeError {
        ThemeError { line: self.line(span), message }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        1 + before.split(|byte| *byte == b'\n').count() - 1
    }
}

/// The sixteen names in the order of their numbers, and the values xterm gives them.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0x00, 0x00, 0x00]),
    (Color::Red, [0xcd, 0x31, 0x31]),
    (Color::Green, [0x0d, 0xbc, 0x79]),
    (Color::Yellow, [0xd7, 0xba, 0x3d]),
    (Color::Blue, [0x3f, 0x84, 0xe0]),
    (Color::Magenta, [0xbc, 0x5f, 0xbc]),
    (Color::Cyan, [0x2b, 0xb5, 0xcf]),
    (Color::Gray, [0xcc, 0xcc, 0xcc]),
    (Color::DarkGray, [0x76, 0x7c, 0x88]),
    (Color::LightRed, [0xf1, 0x6c, 0x6c]),
    (Color::LightGreen, [0x43, 0xd8, 0x95]),
    (Color::LightYellow, [0xf5, 0xdc, 0x5c]),
    (Color::LightBlue, [0x6c, 0xa6, 0xf5]),
    (Color::LightMagenta, [0xd6, 0x86, 0xd6]),
    (Color::LightCyan, [0x49, 0xd3, 0xe8]),
    (Color::White, [0xff, 0xff, 0xff]),
];

const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Red, green and blue of a colour; none for the terminal's own.
pub(super) fn rgb_of(color: Color) -> Option<[u8; 3]> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index) => Some(rgb_of_index(index)),
        named => SIXTEEN.iter().find(|(name, _)| *name == named).map(|(_, rgb)| *rgb),
    }
}

fn rgb_of_index(index: u8) -> [u8; 3] {
    match index {
        0..=15 => SIXTEEN[usize::from(index)].1,
        16..=231 => {
            let cube = index - 16;
            [CUBE[usize::from(cube / 36)], CUBE[usize::from(cube / 6 % 6)], CUBE[usize::from(cube % 6)]]
        }
        grey => [8 + (grey - 232) * 10; 3],
    }
}

fn nearest_of_16(color: Color) -> Color {
    match color {
        Color::Rgb(..) | Color::Indexed(_) => {
            let wanted = rgb_of(color).expect("not the terminal's own");
            let nearest = SIXTEEN.iter().min_by_key(|(_, rgb)| distance(wanted, *rgb));
            nearest.expect("there are sixteen").0
        }
        named => named,
    }
}

fn nearest_of_256(color: Color) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let nearest = (16..=255_u8).min_by_key(|index| distance([r, g, b], rgb_of_index(*index)));
    Color::Indexed(nearest.expect("there are 240"))
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
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
    fn dark_can_be_read_on_its_ground_and_on_the_selection() {
        let theme = Theme::built_in("dark").expect("shipped");
        let color = |color: Option<Color>| color.and_then(rgb_of).expect("dark names all its colours");
        for ground in [Role::Bg, Role::Select] {
            let ground = color(theme.role(ground).bg);
            for role in [Role::Text, Role::Ok, Role::Info, Role::Warn, Role::Fail, Role::Gate, Role::Link] {
                assert!(contrast(color(theme.role(role).fg), ground) >= 4.5, "{} is too faint", role.name());
            }
            assert!(contrast(color(theme.role(Role::Muted).fg), ground) >= 3.0, "muted is too faint");
        }
        let ground = color(theme.role(Role::Bg).bg);
        assert!(contrast(color(theme.role(Role::Border).fg), ground) >= 1.5, "borders are too faint");
        for badge in [Role::EnvProd, Role::EnvStage, Role::EnvDev, Role::History, Role::Match] {
            let style = theme.role(badge);
            assert!(contrast(color(style.fg), color(style.bg)) >= 4.5, "{} is too faint", badge.name());
        }
    }

    /// The WCAG ratio of two colours.
    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let light = |rgb: [u8; 3]| {
            let [r, g, b] = rgb.map(|part| {
                let part = f64::from(part) / 255.0;
                if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
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

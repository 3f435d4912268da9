//! One theme file becomes a theme, or a sentence that names the line.

use super::{Depth, Kind, Look, ROLES, Role, Theme};
use ratatui::style::{Color, Modifier};
use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Range, str::FromStr as _};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Why a theme file cannot be used; the caller adds the name of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeError {
    /// The line, from 1.
    pub line: usize,
    /// The mistake and its correction, for people.
    pub message: String,
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not read the theme: line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ThemeError {}

/// Reads a theme file. Roles it does not name come from the built-in theme it inherits from, else from `base`.
pub(super) fn theme(text: &str, base: Option<&Theme>) -> Result<Theme, ThemeError> {
    let reader = Reader { text };
    let root = DeTable::parse(text).map_err(|error| ThemeError {
        line: reader.line(&error.span().unwrap_or(0..0)),
        message: error.message().to_owned(),
    })?;
    reader.theme(root.get_ref(), base)
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
                "name" => name = Some(self.name(value)?),
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
            let look = &mut looks[self.role(key)? as usize];
            *look = Some(self.look(value, &palette)?.over(*look));
        }
        let missing = ROLES.iter().find(|(role, _)| looks[*role as usize].is_none());
        if let Some((_, missing)) = missing {
            let message =
                format!("the role `{missing}` is missing; name it, or say `inherits = \"terminal\"`");
            return Err(self.error(&(0..0), message));
        }
        let looks = looks.map(|look| look.expect("none is missing"));
        let styles = looks.map(|look| look.style(Depth::Truecolor));
        Ok(Theme { name, kind, styles, looks, evens: false }.at_depth(Depth::Truecolor))
    }

    /// A name is typed into the palette and shown on the screen.
    fn name(&self, value: &Spanned<DeValue<'_>>) -> Result<String, ThemeError> {
        const NAME_MAX: usize = 32;
        let name = self.string(value)?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if plain && (1..=NAME_MAX).contains(&name.len()) {
            return Ok(name.to_owned());
        }
        let message = format!("a name is at most {NAME_MAX} letters, digits, `-` and `_`");
        Err(self.error(&value.span(), message))
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

    /// Checks that the contrast is a known word. Tests of the built-in themes hold the promised contrast.
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

    fn role(&self, key: &Spanned<Cow<'_, str>>) -> Result<Role, ThemeError> {
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

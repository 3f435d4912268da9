//! Screen settings in the user's `config.toml`: themes by ground and by environment, signs, motion. The
//! caller reads the file and passes its text.

use crate::Notify;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The preferences of a user; a missing field has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preferences {
    theme: ThemeNames,
    /// Signs and borders in ASCII.
    pub ascii: bool,
    /// For screen readers and braille lines.
    pub reader: bool,
    /// The animation that is permitted.
    pub motion: Motion,
    /// True if the bell is never rung.
    pub silent: bool,
    /// The notification sequence of the terminal: `auto none osc9 osc99 osc777`.
    pub notify: Notify,
}

/// The animation that is permitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// Signs of running steps are animated.
    #[default]
    Full,
    /// No animation at all.
    None,
}

/// The themes by environment and by ground; the environment takes precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct ThemeNames {
    dark: Option<String>,
    light: Option<String>,
    environments: BTreeMap<String, String>,
}

/// The theme that the user prefers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preferred {
    /// The user states no preference.
    Nothing,
    /// One theme for every ground.
    Theme(String),
    /// One for each ground: dark, light.
    ByGround(String, String),
}

impl Preferences {
    /// Reads the text of a preferences file.
    ///
    /// # Errors
    /// The mistake, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before].split(|byte| *byte == b'\n').count().max(1);
            format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join(" "))
        })
    }

    /// The theme for an environment.
    pub fn theme(&self, environment: &str) -> Preferred {
        let names = &self.theme;
        let fits = |(pattern, _): &(&String, &String)| matches(pattern, environment);
        if let Some((_, name)) = names.environments.iter().find(fits) {
            return Preferred::Theme(name.clone());
        }
        match (&names.dark, &names.light) {
            (None, None) => Preferred::Nothing,
            (dark, light) => {
                let or_default =
                    |name: &Option<String>| name.clone().unwrap_or_else(|| "terminal".to_owned());
                Preferred::ByGround(or_default(dark), or_default(light))
            }
        }
    }
}

/// Returns true if a name matches a pattern, in any case; `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "motion = \"none\"\nreader = true\nsilent = true\nnotify = \"osc99\"\n[theme]\ndark = \"nord\"\nlight = \"solarized-light\"\n\
                        [theme.environments]\n\"*prod*\" = \"high-contrast\"\n";

    #[test]
    fn the_environment_comes_before_the_ground() {
        let read = Preferences::read(FILE).expect("right");
        assert_eq!((read.motion, read.reader, read.ascii), (Motion::None, true, false));
        assert_eq!((read.silent, read.notify), (true, Notify::Osc99));
        assert_eq!(read.theme("EU-PROD-1"), Preferred::Theme("high-contrast".to_owned()));
        assert_eq!(
            read.theme("staging"),
            Preferred::ByGround("nord".to_owned(), "solarized-light".to_owned())
        );
        let one = Preferences::read("theme.light = \"gruvbox-light\"").expect("right");
        assert_eq!(one.theme("x"), Preferred::ByGround("terminal".to_owned(), "gruvbox-light".to_owned()));
        assert_eq!(Preferences::default().theme("x"), Preferred::Nothing);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |text: &str, begins: &str| {
            let error = Preferences::read(text).expect_err("wrong");
            assert!(error.starts_with(begins), "{error}");
        };
        check("ascii = true\nmoton = 3\n", "line 2: unknown field `moton`");
        check("\n\nmotion = \"some\"", "line 3: unknown variant `some`");
        check("[theme\n", "line 1: ");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |pattern, name, fits| assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        check("prod", "PROD", true);
        check("prod", "prod-eu", false);
        check("prod*", "PROD-EU", true);
        check("*eu*", "prod-eu-1", true);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxc", false);
        check("*", "", true);
        check("", "x", false);
    }
}

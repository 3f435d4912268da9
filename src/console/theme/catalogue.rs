//! The list of themes: built-in ones, and the user's own, which may replace a built-in one. The caller reads
//! the files and passes names and texts.

use super::Theme;

/// Every theme that can be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Themes {
    own: Vec<Theme>,
}

impl Themes {
    /// Reads the user's own files, given as file name and text. Returns the themes and the errors, each with
    /// file and line. The other themes and all built-in ones are available nevertheless.
    pub fn read(files: &[(String, String)]) -> (Self, Vec<String>) {
        let base = Theme::default();
        let (mut own, mut problems) = (Vec::<Theme>::new(), Vec::new());
        for (file, text) in files {
            match Theme::parse(text, Some(&base)) {
                Ok(theme) if own.iter().any(|value| value.name() == theme.name()) => {
                    problems.push(format!(
                        "could not use {file}: another file is called {} too; give it a `name` of its own",
                        theme.name()
                    ));
                }
                Ok(theme) => own.push(theme),
                Err(error) => problems.push(format!("{file}: {error}")),
            }
        }
        (Self { own }, problems)
    }

    /// The same with one more, which stands in for one of the same name.
    #[must_use]
    pub fn with(mut self, theme: Theme) -> Self {
        self.own.retain(|other| other.name() != theme.name());
        self.own.push(theme);
        self
    }

    /// The names of all: built in, then the user's own.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Theme::names().collect();
        let own = self.own.iter().map(Theme::name).filter(|name| Theme::built_in(name).is_none());
        names.extend(own);
        names
    }

    /// The theme of this name.
    pub fn find(&self, name: &str) -> Option<Theme> {
        let own = self.own.iter().find(|theme| theme.name() == name).cloned();
        own.or_else(|| Theme::built_in(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;

    fn files(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_broken_file_is_told_with_its_line_and_takes_no_other_theme_away() {
        let (themes, problems) = Themes::read(&files(&[
            ("good.toml", "name = \"good\"\ninherits = \"nord\"\n[roles]\nok = \"#00ff00\"\n"),
            ("bad.toml", "name = \"bad\"\n[roles]\nok = \"grene\"\n"),
            ("twin.toml", "name = \"good\"\n[roles]\n"),
        ]));
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].starts_with("bad.toml: could not read the theme: line 3: `grene`"),
            "{problems:?}"
        );
        assert!(problems[1].starts_with("could not use twin.toml"), "{problems:?}");
        let good = themes.find("good").expect("it is right");
        assert_eq!(good.role(Role::Fail), Theme::built_in("nord").expect("shipped").role(Role::Fail));
        assert!(themes.names().contains(&"good") && themes.names().contains(&"mono"));
        assert_eq!(themes.find("bad"), None);
    }

    #[test]
    fn a_theme_of_ones_own_may_stand_in_for_a_built_in_one() {
        let own = Theme::parse("name = \"nord\"\n[roles]\nok = \"#010203\"\n", Some(&Theme::default()));
        let themes = Themes::default().with(own.expect("right"));
        assert_ne!(themes.find("nord"), Theme::built_in("nord"));
        assert_eq!(themes.names().iter().filter(|name| **name == "nord").count(), 1);
    }
}

//! The key table: which keys lead to which command, where. Read from TOML, once at the start; a file of the user's own
//! lies over the built-in one. Mistakes are told with their lines, and nothing is guessed.
//!
//! The effect of a command is said in `update`. Only `keymap/press`, `terminal` and `update/editing` name a letter.

mod press;
mod reader;
mod scope;

pub use press::parse_keys;
pub(super) use press::{digit, is_interrupt, is_suspend, shown};
pub use scope::Scope;

use crate::{Intent, Press};
use reader::Reader;
use std::{collections::BTreeMap, fmt};
use toml::de::DeTable;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Pressed one after the other.
    pub keys: Vec<Press>,
    /// The commands that the keys give, in order.
    pub intents: Vec<Intent>,
}

/// An entry of the key line: a few keys and a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The commands whose keys are shown.
    pub intents: Vec<Intent>,
    /// The word after the keys.
    pub word: String,
}

/// The meaning of the keys typed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The keys give these commands.
    Intents(Vec<Intent>),
    /// More keys must follow.
    Prefix,
    /// No binding begins with these keys.
    Nothing,
}

/// A mistake in a key table; the caller adds the name of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeymapError {
    /// The line, from 1.
    pub line: usize,
    /// The mistake and its correction, for people.
    pub message: String,
}

impl fmt::Display for KeymapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not read the key table: line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for KeymapError {}

/// The table of all keys and key lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: BTreeMap<Scope, Vec<Binding>>,
    lines: BTreeMap<Scope, Vec<Hint>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let none = Self { bindings: BTreeMap::new(), lines: BTreeMap::new() };
        none.overlaid(include_str!("keymap.toml")).expect("a test reads the table that is compiled in")
    }
}

impl Keymap {
    /// The built-in table with another one over it: what that binds wins, `none` takes a key away.
    ///
    /// # Errors
    /// Unknown scopes, commands and keys, a key bound twice, a key that others begin with; each with its line.
    pub fn with_user(text: &str) -> Result<Self, Vec<KeymapError>> {
        Self::default().overlaid(text)
    }

    /// Returns the meaning of the keys typed so far in a scope.
    pub fn find(&self, scope: Scope, typed: &[Press]) -> Found {
        let mut is_prefix = false;
        for binding in self.reach(scope) {
            if binding.keys == typed {
                return Found::Intents(binding.intents.clone());
            }
            is_prefix |= binding.keys.starts_with(typed);
        }
        if is_prefix { Found::Prefix } else { Found::Nothing }
    }

    /// The meaning of a key in the past: its own keys first, then those of the view shown there.
    pub(super) fn find_over(&self, over: Scope, view: Scope, typed: &[Press]) -> Found {
        let own = over.chain().iter().filter(|scope| scope.is_over()).flat_map(|scope| self.bindings(*scope));
        match own.into_iter().find(|binding| binding.keys == typed) {
            Some(binding) => Found::Intents(binding.intents.clone()),
            None => self.find(view, typed),
        }
    }

    /// The possible continuations of the keys typed so far: the remaining keys and the command.
    pub fn continuations(&self, scope: Scope, typed: &[Press]) -> Vec<(String, Intent)> {
        let follows = self
            .reach(scope)
            .filter(|binding| binding.keys.len() > typed.len() && binding.keys.starts_with(typed));
        follows
            .filter_map(|follow| Some((shown(&follow.keys[typed.len()..]), *follow.intents.first()?)))
            .collect()
    }

    /// The first keys that lead to a command from a scope, as they are shown; nothing when none do.
    pub fn keys_of(&self, scope: Scope, intent: Intent) -> Option<String> {
        self.reach(scope).find(|binding| binding.intents == [intent]).map(|binding| shown(&binding.keys))
    }

    /// Returns true if these keys give a command in a scope and no other keys hide them.
    pub(super) fn can_be_typed(&self, scope: Scope, keys: &[Press]) -> bool {
        self.reach(scope).any(|binding| binding.keys == keys)
    }

    /// The rows of one scope, in the order of the file.
    pub fn bindings(&self, scope: Scope) -> &[Binding] {
        self.bindings.get(&scope).map_or(&[], Vec::as_slice)
    }

    /// The entries of the key line of a scope.
    pub fn line(&self, scope: Scope) -> &[Hint] {
        self.lines.get(&scope).map_or(&[], Vec::as_slice)
    }

    /// All rows that count in a scope: those of a view hide those of `normal` with the same keys, and those that begin
    /// with them, which could not be typed any more.
    fn reach(&self, scope: Scope) -> impl Iterator<Item = &Binding> {
        let own = self.bindings(scope.chain()[0]);
        let rest = scope.chain()[1..].iter().flat_map(|scope| self.bindings(*scope));
        let hides = |own: &Binding, binding: &Binding| {
            own.keys == binding.keys || (!own.intents.is_empty() && binding.keys.starts_with(&own.keys))
        };
        own.iter().chain(rest.filter(move |binding| !own.iter().any(|own| hides(own, binding))))
    }

    fn overlaid(mut self, text: &str) -> Result<Self, Vec<KeymapError>> {
        let mut reader = Reader { text, errors: Vec::new(), places: BTreeMap::new() };
        match DeTable::parse(text) {
            Ok(root) => reader.file(root.get_ref(), &mut self),
            Err(error) => {
                reader.error(&error.span().unwrap_or(0..0), error.message().to_owned());
            }
        }
        if reader.errors.is_empty() {
            reader.check_shadows(&self);
        }
        if reader.errors.is_empty() { Ok(self) } else { Err(reader.errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::scope::SCOPES;
    use super::*;

    #[track_caller]
    fn check(text: &str, errors: &[&str]) {
        let found = Keymap::with_user(text).err().unwrap_or_default();
        let found: Vec<String> =
            found.iter().map(|error| format!("{}: {}", error.line, error.message)).collect();
        assert_eq!(found, errors);
    }

    #[test]
    fn the_built_in_table_is_read_and_every_hint_has_a_key() {
        let keymap = Keymap::default();
        for (scope, _) in SCOPES {
            for intent in keymap.line(*scope).iter().flat_map(|hint| &hint.intents) {
                assert!(keymap.keys_of(*scope, *intent).is_some(), "{} {}", scope.name(), intent.name());
            }
        }
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        check("[keys.normal]\n\"j\" = \"donw\"", &["2: `donw` is no command; `:` lists them"]);
        check(
            "[keys.normal]\n\"J\" = \"page\"",
            &["2: `page` is no command; `:` lists them; did you mean `half-page-down`?"],
        );
        check(
            "[keys.nowhere]\n",
            &[
                "1: `nowhere` has no keys of its own; known are normal, runs, dag, gates, logs, errors, health, time, audit, agents, tools, travel, play, text, dialog, popup, leave",
            ],
        );
        check(
            "[keys.normal]\n\"ctrl-nix\" = \"down\"",
            &["2: `ctrl-nix` is no key; write a character, enter, esc, tab, space, up …, f1 … or ctrl-x"],
        );
        check(
            "\n[keys.normal]\n\"J\" = \"down\"\n\"J \" = \"up\"",
            &["4: `J` is bound in line 3 already; take one away"],
        );
        check(
            "[keys.normal]\n\"g\" = \"down\"",
            &[
                "2: `g` is also the beginning of `gg`, so one of them could not be typed; bind one to \"none\"",
            ],
        );
        check(
            "[keys.dag]\n\"z\" = \"map\"\n\"za\" = \"none\"\n\"zo\" = \"none\"\n\"zc\" = \"none\"\n\"zM\" = \"none\"\n\"zR\" = \"none\"",
            &[],
        );
    }

    #[test]
    fn what_a_user_binds_wins_and_none_takes_away() {
        let keymap = Keymap::with_user("[keys.normal]\n\"j\" = \"up\"\n\"k\" = \"none\"").expect("correct");
        let press = |text| parse_keys(text).expect("keys");
        assert_eq!(keymap.find(Scope::Runs, &press("j")), Found::Intents(vec![Intent::Up]));
        assert_eq!(keymap.find(Scope::Runs, &press("k")), Found::Nothing);
        assert_eq!(keymap.find(Scope::Runs, &press("g")), Found::Prefix);
        assert_eq!(keymap.find(Scope::Dag, &press("-")), Found::Intents(vec![Intent::Farther]));
    }
}

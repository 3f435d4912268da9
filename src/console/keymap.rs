//! The key table: which keys lead to which command, where. Read from TOML, once at the start; a file of the user's own
//! lies over the built-in one. Mistakes are told with their lines, and nothing is guessed.
//!
//! What a command does is said in `update`. Beside `terminal` and `update/editing` no other file names a letter.

use crate::{Intent, Key, Press};
use std::{collections::BTreeMap, fmt, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Parts of the console with key tables of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In every view, unless the view says otherwise.
    Normal,
    /// Keys of the Runs view.
    Runs,
    /// Keys of the DAG view.
    Dag,
    /// Keys of the Gates view.
    Gates,
    /// Keys of the Logs view.
    Logs,
    /// Keys of the Errors view.
    Errors,
    /// Keys of the Health view.
    Health,
    /// Keys of the Time view.
    Time,
    /// Keys of the Audit view.
    Audit,
    /// Keys of the Agents view.
    Agents,
    /// Keys of the Tools view.
    Tools,
    /// In the past, over the keys of the view.
    Travel,
    /// The same while it plays.
    Play,
    /// In a text field of one line, with a list under it or not.
    Text,
    /// Keys of a dialog.
    Dialog,
    /// In help, menus and lists over the view.
    Popup,
    /// In a form of several lines.
    Form,
    /// In the question on the way out.
    Leave,
}

const SCOPES: &[(Scope, &str)] = &[
    (Scope::Normal, "normal"),
    (Scope::Runs, "runs"),
    (Scope::Dag, "dag"),
    (Scope::Gates, "gates"),
    (Scope::Logs, "logs"),
    (Scope::Errors, "errors"),
    (Scope::Health, "health"),
    (Scope::Time, "time"),
    (Scope::Audit, "audit"),
    (Scope::Agents, "agents"),
    (Scope::Tools, "tools"),
    (Scope::Travel, "travel"),
    (Scope::Play, "play"),
    (Scope::Text, "text"),
    (Scope::Dialog, "dialog"),
    (Scope::Popup, "popup"),
    (Scope::Form, "form"),
    (Scope::Leave, "leave"),
];

impl Scope {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        SCOPES[self as usize].1
    }

    fn named(name: &str) -> Option<Self> {
        SCOPES.iter().find(|(_, known)| *known == name).map(|(scope, _)| *scope)
    }

    /// Every one, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        SCOPES.iter().map(|(scope, _)| *scope)
    }

    /// A view, whose keys stand before those of `normal`.
    fn is_view(self) -> bool {
        !matches!(self, Self::Normal | Self::Text | Self::Dialog | Self::Popup | Self::Form | Self::Leave)
    }

    /// True if the scope's keys lie over those of a view.
    const fn is_over(self) -> bool {
        matches!(self, Self::Travel | Self::Play)
    }

    /// The scopes in which a key is looked up, in this order.
    fn chain(self) -> &'static [Self] {
        match self {
            Self::Normal => &[Self::Normal],
            Self::Runs => &[Self::Runs, Self::Normal],
            Self::Dag => &[Self::Dag, Self::Normal],
            Self::Gates => &[Self::Gates, Self::Normal],
            Self::Logs => &[Self::Logs, Self::Normal],
            Self::Errors => &[Self::Errors, Self::Normal],
            Self::Health => &[Self::Health, Self::Normal],
            Self::Time => &[Self::Time, Self::Normal],
            Self::Audit => &[Self::Audit, Self::Normal],
            Self::Agents => &[Self::Agents, Self::Normal],
            Self::Tools => &[Self::Tools, Self::Normal],
            Self::Travel => &[Self::Travel, Self::Normal],
            Self::Play => &[Self::Play, Self::Travel, Self::Normal],
            Self::Text => &[Self::Text],
            Self::Dialog => &[Self::Dialog],
            Self::Popup => &[Self::Popup],
            Self::Form => &[Self::Form],
            Self::Leave => &[Self::Leave],
        }
    }
}

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

/// Reads one file; knows its text, so that an offset can become a line.
struct Reader<'a> {
    text: &'a str,
    errors: Vec<KeymapError>,
    places: BTreeMap<(Scope, Vec<Press>), usize>,
}

impl Reader<'_> {
    fn file(&mut self, root: &DeTable<'_>, into: &mut Keymap) {
        for (key, value) in in_order(root) {
            let table = value.get_ref().as_table();
            match (key.get_ref().as_ref(), table) {
                ("keys", Some(table)) => {
                    for (scope, table) in in_order(table) {
                        self.scope(scope, table, into);
                    }
                }
                ("line", Some(table)) => {
                    for (scope, list) in in_order(table) {
                        self.line_of_scope(scope, list, into);
                    }
                }
                (other, _) => {
                    let message = format!("`{other}` is not known here; write [keys.normal], [keys.runs] …");
                    self.error(&key.span(), message);
                }
            }
        }
    }

    fn scope(
        &mut self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Keymap,
    ) {
        let (Some(scope), Some(table)) = (self.scope_named(name), value.get_ref().as_table()) else {
            return;
        };
        for (keys, command) in in_order(table) {
            match parse_keys(keys.get_ref()) {
                Err(message) => self.error(&keys.span(), message),
                Ok(keys_read) => self.bind(scope, keys_read, &keys.span(), command, into),
            }
        }
    }

    fn bind(
        &mut self,
        scope: Scope,
        keys: Vec<Press>,
        place: &Range<usize>,
        command: &Spanned<DeValue<'_>>,
        into: &mut Keymap,
    ) {
        let line = self.line(place);
        if let Some(first) = self.places.insert((scope, keys.clone()), line) {
            let message = format!("`{}` is bound in line {first} already; take one away", shown(&keys));
            self.error(place, message);
            return;
        }
        let words: Vec<&str> = match command.get_ref() {
            DeValue::String(word) => vec![word.as_ref()],
            DeValue::Array(words) => words.iter().filter_map(|word| word.get_ref().as_str()).collect(),
            _ => Vec::new(),
        };
        let rows = into.bindings.entry(scope).or_default();
        let found = rows.iter().position(|row| row.keys == keys);
        if words == ["none"] {
            // An empty row of a view also hides what `normal` binds.
            match found {
                Some(index) if !scope.is_view() => drop(rows.remove(index)),
                Some(index) => rows[index].intents.clear(),
                None => rows.push(Binding { keys, intents: Vec::new() }),
            }
            return;
        }
        let intents: Vec<Intent> = words.iter().filter_map(|word| Intent::named(word)).collect();
        if intents.is_empty() || intents.len() != words.len() {
            let unknown = words.iter().find(|word| Intent::named(word).is_none()).unwrap_or(&"");
            let message = format!("`{unknown}` is no command; `:` lists them{}", did_you_mean(unknown));
            self.error(&command.span(), message);
            return;
        }
        match found {
            Some(index) => rows[index].intents = intents,
            None => rows.push(Binding { keys, intents }),
        }
    }

    fn line_of_scope(
        &mut self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        into: &mut Keymap,
    ) {
        let (Some(scope), Some(list)) = (self.scope_named(name), value.get_ref().as_array()) else {
            return;
        };
        let mut hints = Vec::new();
        for item in list {
            let text = item.get_ref().as_str().unwrap_or("");
            let (names, word) = text.split_once(':').unwrap_or((text, ""));
            let intents: Vec<Intent> = names.split_whitespace().filter_map(Intent::named).collect();
            if intents.is_empty() || intents.len() != names.split_whitespace().count() {
                self.error(&item.span(), format!("`{text}` names no command; `:` lists them"));
                continue;
            }
            let word = if word.is_empty() { intents[0].short() } else { word.trim() };
            hints.push(Hint { word: word.to_owned(), intents });
        }
        into.lines.insert(scope, hints);
    }

    fn scope_named(&mut self, name: &Spanned<std::borrow::Cow<'_, str>>) -> Option<Scope> {
        let scope = Scope::named(name.get_ref());
        if scope.is_none() {
            let known: Vec<&str> = SCOPES.iter().map(|(_, name)| *name).collect();
            let message =
                format!("`{}` has no keys of its own; known are {}", name.get_ref(), known.join(", "));
            self.error(&name.span(), message);
        }
        scope
    }

    /// A key that others begin with can never be reached, or makes them unreachable.
    fn check_shadows(&mut self, keymap: &Keymap) {
        for (scope, _) in SCOPES {
            let rows: Vec<&Binding> =
                keymap.reach(*scope).filter(|binding| !binding.intents.is_empty()).collect();
            for short in &rows {
                for long in rows.iter().filter(|row| row.keys.len() > short.keys.len()) {
                    if !long.keys.starts_with(&short.keys) {
                        continue;
                    }
                    let place = |keys: &[Press]| {
                        let own =
                            scope.chain().iter().find_map(|value| self.places.get(&(*value, keys.to_vec())));
                        own.copied()
                    };
                    let Some(line) = place(&long.keys).max(place(&short.keys)) else { continue };
                    let message = format!(
                        "`{}` is also the beginning of `{}`, so one of them could not be typed; bind one to \"none\"",
                        shown(&short.keys),
                        shown(&long.keys)
                    );
                    let error = KeymapError { line, message };
                    if !self.errors.contains(&error) {
                        self.errors.push(error);
                    }
                }
            }
        }
    }

    fn error(&mut self, place: &Range<usize>, message: String) {
        let line = self.line(place);
        self.errors.push(KeymapError { line, message });
    }

    fn line(&self, place: &Range<usize>) -> usize {
        let end = place.start.min(self.text.len());
        self.text.get(..end).map_or(0, |text| text.matches('\n').count()) + 1
    }
}

type Entry<'t> = (&'t Spanned<std::borrow::Cow<'t, str>>, &'t Spanned<DeValue<'t>>);

/// The rows of a table as they stand in the file: their order is that of help and key line.
fn in_order<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut rows: Vec<Entry<'t>> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    rows
}

fn did_you_mean(word: &str) -> String {
    let near = Intent::all().find(|intent| {
        !word.is_empty()
            && (intent.name().starts_with(word)
                || intent.name().contains(word)
                || word.contains(intent.name()))
    });
    near.map_or_else(String::new, |intent| format!("; did you mean `{}`?", intent.name()))
}

const NAMED: &[(&str, Key)] = &[
    ("enter", Key::Enter),
    ("esc", Key::Esc),
    ("tab", Key::Tab),
    ("shift-tab", Key::BackTab),
    ("space", Key::Char(' ')),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("insert", Key::Insert),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pageup", Key::PageUp),
    ("pagedown", Key::PageDown),
];

/// Reads keys as they are written in the table: `gg`, `ctrl-d`, `enter`, `ctrl-w h`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn parse_keys(text: &str) -> Result<Vec<Press>, String> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let mut press = Press::of(Key::Esc);
        let mut rest = word;
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
                (press.ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|rest| !rest.is_empty()) {
                (press.alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let function =
            || rest.strip_prefix('f')?.parse().ok().filter(|number| (1..=12).contains(number)).map(Key::F);
        let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, key)| *key).or_else(function);
        let mut chars = rest.chars();
        match (named, chars.next(), chars.as_str()) {
            (Some(key), _, _) => out.push(Press { key, ..press }),
            (None, Some(c), "") => out.push(Press { key: Key::Char(c), ..press }),
            (None, Some(_), _) if !press.ctrl && !press.alt && !rest.contains('-') => {
                out.extend(rest.chars().map(|c| Press::of(Key::Char(c))));
            }
            _ => {
                return Err(format!(
                    "`{text}` is no key; write a character, enter, esc, tab, space, up …, f1 … or ctrl-x"
                ));
            }
        }
    }
    if out.is_empty() {
        Err("a key is missing; write a character, enter, ctrl-x …".to_owned())
    } else {
        Ok(out)
    }
}

/// Keys as they are shown: `gg ^d ⏎`.
pub(super) fn shown(keys: &[Press]) -> String {
    keys.iter().map(ToString::to_string).collect()
}

/// As key line and help show it: `⏎ ^d Esc space`.
impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        if self.alt {
            f.write_str("M-")?;
        }
        match self.key {
            Key::Enter => f.write_str("⏎"),
            Key::Esc => f.write_str("Esc"),
            Key::Tab => f.write_str("Tab"),
            Key::BackTab => f.write_str("S-Tab"),
            Key::Backspace => f.write_str("⌫"),
            Key::Delete => f.write_str("Del"),
            Key::Insert => f.write_str("Ins"),
            Key::Up => f.write_str("↑"),
            Key::Down => f.write_str("↓"),
            Key::Left => f.write_str("←"),
            Key::Right => f.write_str("→"),
            Key::Home => f.write_str("Home"),
            Key::End => f.write_str("End"),
            Key::PageUp => f.write_str("PgUp"),
            Key::PageDown => f.write_str("PgDn"),
            Key::F(number) => write!(f, "F{number}"),
            Key::Char(' ') => f.write_str("space"),
            Key::Char(c) => write!(f, "{c}"),
        }
    }
}

/// The digit of a key that could be part of a count.
pub(super) fn digit(press: Press) -> Option<u32> {
    match press {
        Press { key: Key::Char(c), ctrl: false, alt: false } => c.to_digit(10),
        _ => None,
    }
}

/// Ctrl-C: asks to leave, in every mode; pressed twice it leaves.
pub(super) fn is_interrupt(press: Press) -> bool {
    press == Press { key: Key::Char('c'), ctrl: true, alt: false }
}

/// Ctrl-Z: puts the program to sleep.
pub(super) fn is_suspend(press: Press) -> bool {
    press == Press { key: Key::Char('z'), ctrl: true, alt: false }
}

#[cfg(test)]
mod tests {
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
                "1: `nowhere` has no keys of its own; known are normal, runs, dag, gates, logs, errors, health, time, audit, agents, tools, travel, play, text, dialog, popup, form, leave",
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

//! Reads a table of keys from TOML and reports each mistake with its line.

use super::{
    Binding, Hint, Keymap, KeymapError,
    press::{parse_keys, shown},
    scope::{SCOPES, Scope},
};
use crate::{Intent, Press};
use std::{collections::BTreeMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Scopes of older keymaps that have no keys any more. Their tables are read and say nothing.
const RETIRED: &[&str] = &["form"];

/// Reads one file; knows its text, so that an offset can become a line.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) errors: Vec<KeymapError>,
    pub(super) places: BTreeMap<(Scope, Vec<Press>), usize>,
}

impl Reader<'_> {
    pub(super) fn file(&mut self, root: &DeTable<'_>, into: &mut Keymap) {
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
        if scope.is_none() && !RETIRED.contains(&&**name.get_ref()) {
            let known: Vec<&str> = SCOPES.iter().map(|(_, name)| *name).collect();
            let message =
                format!("`{}` has no keys of its own; known are {}", name.get_ref(), known.join(", "));
            self.error(&name.span(), message);
        }
        scope
    }

    /// A key that others begin with can never be reached, or makes them unreachable.
    pub(super) fn check_shadows(&mut self, keymap: &Keymap) {
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

    pub(super) fn error(&mut self, place: &Range<usize>, message: String) {
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

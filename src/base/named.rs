//! Words of a call that may name files: its arguments, the words of a shell text, the files that a known
//! runner reads by itself. Read from the words alone; `tool` looks which of them are files.
//!
//! A word more costs a look at the disk, a word less is a file that nobody was told of. So every word is taken: numbers,
//! options, values of options, keywords. Rules decide only whether the file of a word is known to be run. A text is read
//! twice: as a shell reads it, and without any syntax, so that no quote or comment can hide a word. A limit is told.
//!
//! A word that is known only when it runs may be any file: the ask says so, unless it stands behind a command that reads no
//! file by its words. The same holds for code that an interpreter gets from elsewhere, and for a text that has no end.

mod brace_words;
mod bracket;
mod carried;
mod command;
mod file_name;
mod here_document;
mod known_words;
mod limits;
mod piece;
mod place;
mod plain_form;
mod shell_text;
mod simple_command;
mod understood;
mod variable;
mod written;

use crate::NAMED_WORDS_MAX;
use crate::code::Language;
use crate::program::name_of;
use known_words::{MODULE_VARIABLES, SEARCH_VARIABLES, is_code_variable, is_read_variable};
use limits::{UNKNOWN, unknown_once};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of all values and words that are made of others.
const MADE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Words that are known only when they run, and are told one by one.
const UNKNOWN_TOLD_MAX: usize = 8;
const UNKNOWN_CHARS_MAX: usize = 60;
/// Words of one variable of a step that are looked at as names.
const VALUE_WORDS_MAX: usize = 64;

/// The words that may name files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Files of these names are executed, or read as a script or a recipe.
    pub(super) runs: BTreeSet<String>,
    /// Files of these names are executed where they are programs or scripts.
    pub(super) names: BTreeSet<String>,
    /// Directories that a command may go to, in order: the files of all words are looked for in each.
    pub(super) dirs: Vec<String>,
    /// Limits that were reached: words beyond them are not known.
    pub(super) missed: BTreeSet<String>,
}

/// All words of a command and of the shell texts in it. Variables whose values are known are filled in; a
/// stretch of a value that is not known is a NUL.
pub(super) fn named(words: &[String], env: BTreeMap<String, String>) -> Named {
    let words = &words.iter().map(|word| unknown_once(word)).collect::<Vec<_>>();
    let env = env.into_iter().map(|(name, value)| (name, BTreeSet::from([unknown_once(&value)])));
    let env: BTreeMap<_, _> = env.collect();
    let given = env.keys().cloned().collect();
    let mut gather = Gather { env, given, ..Gather::default() };
    for (name, values) in gather.env.clone() {
        for value in values {
            gather.given(&name, &value);
        }
    }
    for name in MODULE_VARIABLES.iter().chain(SEARCH_VARIABLES) {
        for value in gather.values(name) {
            gather.places(name, &value);
        }
    }
    // A function may use a variable that is set behind it. What is not known is told once all is read.
    gather.is_first = true;
    gather.command(words, 0);
    gather.is_first = false;
    for language in std::mem::take(&mut gather.languages) {
        words.iter().for_each(|word| gather.code(language, word));
    }
    gather.command(words, 0);
    gather.tell_unknown();
    gather.tell_not_understood();
    gather.tell_written();
    gather.found
}

#[derive(Default)]
struct Gather {
    /// All values that a variable may have.
    env: BTreeMap<String, BTreeSet<String>>,
    /// Variables whose value the step says.
    given: BTreeSet<String>,
    /// Variables that are used before the call sets them: they may be inherited.
    inherited: BTreeSet<String>,
    /// Names of the functions that the text defines.
    functions: BTreeSet<String>,
    found: Named,
    /// Words that are known only when they run.
    unknown: BTreeSet<String>,
    /// Languages of interpreters that the call starts.
    languages: BTreeSet<Language>,
    text_bytes: usize,
    /// Bytes of values and words that were made of others.
    made_bytes: usize,
    /// A first reading, in which functions and variables are found.
    is_first: bool,
    /// Text that may be none: nothing is told of what is unknown in it.
    is_data: bool,
    /// Commands from elsewhere may have set any variable.
    is_open: bool,
    /// A home may be that of somebody else.
    is_other_home: bool,
    /// The last command gets a here-document, or a here-string.
    has_document: bool,
    has_here_string: bool,
    /// That document is code of a shell.
    is_document_code: bool,
    /// The text that is read is one of `sh`.
    is_sh: bool,
    /// Constructs that are not certainly understood.
    not_understood: Vec<String>,
    /// Options and variables that are code.
    carried: Vec<String>,
    /// Files that the call writes, and those that it starts.
    written: BTreeSet<String>,
    started: BTreeSet<String>,
}

/// At most eight of these, and how many more there are.
fn listed(told: &[String]) -> String {
    let shown = told.len().min(UNKNOWN_TOLD_MAX);
    let more =
        if told.len() > shown { format!(", … and {} more", told.len() - shown) } else { String::new() };
    told[..shown].join(", ") + &more
}

impl Gather {
    /// Notes the words of a command that are known only when it runs.
    fn marks(&mut self, words: &[String]) {
        let Some(at) = words.iter().position(|word| !self.is_before(word)) else { return };
        let first = &words[at];
        if first.contains(UNKNOWN) {
            self.mark("", first);
        }
        if !self.is_inert(words) {
            words[at + 1..].iter().for_each(|word| self.mark(name_of(first), word));
        }
    }

    fn mark(&mut self, command: &str, word: &str) {
        if word.contains(UNKNOWN) && !self.is_first && !self.is_data {
            let told: String = unknown_once(&format!("{command} {word}")).trim().replace(UNKNOWN, "…");
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            let end = told.char_indices().nth(UNKNOWN_CHARS_MAX).map_or(told.len(), |(at, _)| at);
            if self.unknown.len() < NAMED_WORDS_MAX {
                self.unknown.insert(told[..end].to_owned());
            }
        }
    }

    fn tell_unknown(&mut self) {
        if !self.unknown.is_empty() {
            let told: Vec<String> = self.unknown.iter().map(|word| format!("`{word}`")).collect();
            self.miss(&format!("words that are known only when it runs: {}", listed(&told)));
        }
    }

    fn tell_not_understood(&mut self) {
        if !self.not_understood.is_empty() {
            let told = listed(&self.not_understood);
            self.miss(&format!("shell syntax that is not read for certain: {told}"));
        }
        if !self.carried.is_empty() {
            let told = listed(&self.carried);
            self.miss(&format!("what is started by the words of {told}"));
        }
    }

    /// Has a text judged that is certainly one of a shell.
    fn judge(&mut self, text: &str) {
        if self.is_data {
            return;
        }
        let judgement = understood::not_understood(text, !self.is_sh);
        judgement.constructs.iter().for_each(|construct| self.construct(construct));
        for (name, is_early) in judgement.evaluated {
            if self.is_first && is_early && !self.env.contains_key(&name) {
                self.inherited.insert(name);
            } else if !self.is_first && !self.has_numbers(&name) {
                self.construct(&format!("`{name}` in arithmetic"));
            }
        }
    }

    fn construct(&mut self, construct: &str) {
        let is_known = self.not_understood.iter().any(|known| known == construct);
        if !self.is_data && !self.is_first && !is_known {
            self.not_understood.push(construct.to_owned());
        }
    }

    /// A variable that the step gives.
    fn given(&mut self, name: &str, value: &str) {
        if is_read_variable(name) {
            self.word(value, true, 0);
            self.mark(name, value);
        }
        if is_code_variable(name) {
            self.carried.push(format!("`{name}`"));
        }
        let mut words = value.split_whitespace();
        words.by_ref().take(VALUE_WORDS_MAX).for_each(|word| self.parts(word, false));
        if words.next().is_some() {
            self.miss(&format!("more than {VALUE_WORDS_MAX} words of the variable {name}"));
        }
    }

    /// A limit of the reader that holds where a text is certainly one of a shell.
    fn tell(&mut self, what: &str) {
        if !self.is_data && !self.is_first {
            self.miss(what);
        }
    }

    /// True where so many more bytes are too much.
    fn is_full(&mut self, bytes: usize) -> bool {
        self.made_bytes = self.made_bytes.saturating_add(bytes);
        let is_full = self.made_bytes > MADE_BYTES_MAX;
        if is_full {
            self.miss(&format!("more than {MADE_BYTES_MAX} bytes that variables make"));
        }
        is_full
    }

    fn miss(&mut self, what: &str) {
        self.found.missed.insert(what.to_owned());
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod silence_tests;

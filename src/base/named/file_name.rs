//! A word as the names of files in it: the whole word, values of options, parts of lists.

use super::limits::UNKNOWN;
use super::{Gather, Named};
use crate::NAMED_WORDS_MAX;

/// Linux opens no longer path, and no file system has a longer name in one.
pub(super) const PATH_BYTES_MAX: usize = 4095;
const NAME_BYTES_MAX: usize = 1023;
/// Letters of a cluster of options behind which a value may begin: `-xvfa.tar`.
const CLUSTER_MAX: usize = 16;

impl Gather {
    pub(super) fn word(&mut self, word: &str, runs: bool, depth: usize) {
        self.word_or_text(word, runs, false, depth);
    }

    /// A word, and what in it may be a name: a text, a value, one of several, what stands at an option of one
    /// letter.
    pub(super) fn word_or_text(&mut self, word: &str, runs: bool, is_text: bool, depth: usize) {
        // A dollar sign before nothing means itself, however often a shell reads it.
        let is_computed = |at: usize| {
            let next = word[at + 1..].chars().next();
            next.is_some_and(|c| c.is_alphanumeric() || "_({@*#?!-$'\"".contains(c))
        };
        if is_text
            || word.contains(|c: char| c.is_whitespace() || ";|&`<>(){}\"'\\".contains(c))
            || word.match_indices('$').any(|(at, _)| is_computed(at))
        {
            self.texts(word, depth);
        }
        self.parts(word, runs);
    }

    pub(super) fn parts(&mut self, word: &str, runs: bool) {
        self.take(word, runs);
        if word.contains('\n') {
            return;
        }
        let letters = word.trim_start_matches(['-', '+']).bytes().take_while(u8::is_ascii_alphabetic).count();
        if word.starts_with(['-', '+']) && !word.starts_with("--") && letters > CLUSTER_MAX {
            self.tell(&format!("more than {CLUSTER_MAX} letters of one option"));
        }
        if word.matches('=').count() > CLUSTER_MAX {
            self.tell(&format!("more than {CLUSTER_MAX} values of one word"));
        }
        // `--checkpoint-action=exec=./run.sh`
        let values = word.match_indices('=').map(|(at, _)| &word[at + 1..]).take(CLUSTER_MAX);
        let attached = word.strip_prefix(['-', '+']).filter(|rest| !rest.starts_with('-')).into_iter();
        let attached = attached
            .flat_map(|rest| rest.char_indices().skip(1).take(CLUSTER_MAX).map(|(at, _)| &rest[at..]));
        let parts = values.chain(attached).chain([word]);
        for part in parts.flat_map(|part| [Some(part), part.strip_prefix(['@', '!', '%', '^'])]).flatten() {
            self.take(part, runs);
        }
        if word.contains([':', ',', '=']) {
            word.split([':', ',', '=']).for_each(|part| self.take(part, runs));
        }
    }

    pub(super) fn take(&mut self, word: &str, runs: bool) {
        if word.contains(UNKNOWN) {
            let mut parts = word.split(UNKNOWN);
            parts.next().into_iter().for_each(|part| self.take(part, runs));
            for part in parts {
                // What is not known may be a directory, or nothing.
                self.take(part.trim_start_matches('/'), runs);
                self.take(part, runs);
            }
            return;
        }
        let Some(word) = path(word) else { return };
        let word = word.strip_prefix("~+/").or_else(|| word.strip_prefix("~-/")).unwrap_or(&word).to_owned();
        for path in self.of_home(&word).unwrap_or_default() {
            if path != word {
                self.take(&path, runs);
            }
        }
        // `/proc/self/cwd/w.sh`, `/dev/fd/../cwd/w.sh`
        if word.starts_with("/proc/") || word.starts_with("/dev/fd/") {
            for (at, cwd) in word.match_indices("/cwd/").take(CLUSTER_MAX) {
                self.take(&word[at + cwd.len()..], runs);
            }
        }
        if word.starts_with('~') && !word.starts_with("~/") && word.contains('/') {
            self.miss("a path below the home of another user");
        }
        let Named { runs: executed, names, missed, .. } = &mut self.found;
        if executed.contains(&word) || !runs && names.contains(&word) {
            return;
        }
        if executed.len() + names.len() >= NAMED_WORDS_MAX && !names.contains(&word) {
            missed.insert(format!("only the first {NAMED_WORDS_MAX} words are looked at"));
            // A file that is known to be run goes before one that is only named.
            if !runs || names.pop_last().is_none() {
                return;
            }
        }
        if runs {
            names.remove(&word);
            executed.insert(word);
        } else {
            names.insert(word);
        }
    }
}

/// A word as a path; nothing when no file can have it. A path with many `./` and `//` is shortened.
pub(super) fn path(word: &str) -> Option<String> {
    let mut path = word.to_owned();
    if word.len() > NAME_BYTES_MAX {
        path = word.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
        if word.starts_with('/') {
            path.insert(0, '/');
        }
    }
    let can_be = !path.is_empty()
        && path.len() <= PATH_BYTES_MAX
        && path.split('/').all(|part| part.len() <= NAME_BYTES_MAX);
    can_be.then_some(path)
}

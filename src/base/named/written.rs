//! Scripts that a call writes itself and then runs: the bytes that an approval is bound to are not those that run.

use super::file_name::PATH_BYTES_MAX;
use super::known_words::{READS_TEXT, RUNNERS, WRAPPERS, WRITERS, WRITES_ANY};
use super::limits::UNKNOWN;
use super::{Gather, listed};
use crate::NAMED_WORDS_MAX;
use crate::program::name_of;
use std::collections::BTreeSet;

impl Gather {
    /// Files that a command is known to write, as paths.
    pub(super) fn writes(&mut self, paths: &[String]) {
        if !self.is_data && !self.is_first {
            for path in paths.iter().filter(|path| !path.contains(UNKNOWN)) {
                if self.written.len() >= NAMED_WORDS_MAX {
                    return self.miss(&format!("more than {NAMED_WORDS_MAX} words that may be written"));
                }
                self.written.insert(plain(path));
            }
        }
    }

    /// A file that is run, or read as a script.
    pub(super) fn runs(&mut self, path: &str) {
        if !self.is_data && !self.is_first && !path.contains(UNKNOWN) {
            if self.started.len() >= NAMED_WORDS_MAX {
                return self.miss(&format!("more than {NAMED_WORDS_MAX} words that may be started"));
            }
            self.started.insert(path.to_owned());
        }
    }

    /// Notes the files that a command writes, and those that it starts by its first words.
    pub(super) fn writes_and_runs(&mut self, words: &[String]) {
        let begin = words.iter().position(|word| !self.is_before(word)).unwrap_or(words.len());
        let Some((first, rest)) = words[begin..].split_first() else { return };
        self.runs(first);
        if WRAPPERS.contains(&name_of(first)) || READS_TEXT.contains(&name_of(first)) {
            rest.iter().for_each(|word| self.runs(word));
        }
        // Behind the first of two same names stands all that stands behind the second.
        let mut names = BTreeSet::new();
        for (at, word) in words.iter().enumerate() {
            let (name, behind) = (name_of(word), &words[at + 1..]);
            let is_bundle = behind.first().is_some_and(|word| is_unpacking(word, true));
            if name == "tar" && is_bundle {
                self.writes(&["*".to_owned()]);
            }
            if !names.insert(name) {
                continue;
            }
            if let Some((_, files)) = RUNNERS.iter().find(|runner| runner.0.contains(&name)) {
                files.iter().filter(|file| !file.contains('*')).for_each(|file| self.runs(file));
            }
            let is_of = |row: &&(&str, &[&str])| {
                row.0 == name
                    && (row.1.is_empty() || behind.iter().any(|word| row.1.contains(&word.as_str())))
            };
            if WRITES_ANY.iter().any(|row| is_of(&row))
                || name == "tar" && behind.iter().any(|word| is_unpacking(word, false))
            {
                self.writes(&["*".to_owned()]);
            }
            if !WRITERS.contains(&name)
                || matches!(name, "sed" | "perl")
                    && !behind.iter().any(|word| word.starts_with("-i") || word == "--in-place")
            {
                continue;
            }
            let operands: Vec<&String> = behind.iter().filter(|word| !word.starts_with('-')).collect();
            let is_copy = matches!(name, "cp" | "mv" | "ln" | "install" | "rsync" | "scp");
            let to_dir = behind.iter().any(|word| word.starts_with("-t") || word.starts_with("--target"));
            match operands.as_slice() {
                [from @ .., to] if is_copy && !to_dir => {
                    let below = |from: &&String| format!("{}/{}", to.trim_end_matches('/'), name_of(from));
                    self.writes(&from.iter().map(below).chain([(*to).clone()]).collect::<Vec<_>>());
                }
                _ => {
                    // `of=w.sh`, `--output=w.sh`, `-ow.sh`, and what a URL ends with.
                    for word in behind {
                        let attached = word.strip_prefix('-').and_then(|rest| rest.get(1..));
                        let value = word.split_once('=').map(|halves| halves.1);
                        let parts = [Some(word.as_str()), attached, value, Some(name_of(word))];
                        let parts: Vec<String> = parts.into_iter().flatten().map(str::to_owned).collect();
                        self.writes(&parts);
                    }
                }
            }
        }
    }

    pub(super) fn tell_written(&mut self) {
        let goes = !self.found.dirs.is_empty();
        let names: BTreeSet<&str> = self.written.iter().map(|path| name_of(path)).collect();
        let is_written = |run: &String| {
            let run = plain(run);
            let above = |at: usize| at > 0 && self.written.contains(&run[..at]);
            run.len() <= PATH_BYTES_MAX
                && (run.contains('/') && self.written.contains("*")
                    || self.written.contains(&run)
                    || run.match_indices('/').any(|(at, _)| above(at))
                    || goes && names.contains(name_of(&run)))
        };
        // `./w.sh` and a bare name of a script are files; `make` is most often none.
        let told: Vec<String> =
            self.started.iter().filter(|run| is_written(run)).map(|run| format!("`{run}`")).collect();
        if !told.is_empty() {
            self.miss(&format!("scripts that the call writes itself: {}", listed(&told)));
        }
    }
}

fn plain(path: &str) -> String {
    path.trim_start_matches("./").trim_end_matches('/').to_owned()
}

/// A word of tar that has it unpack: `xf`, `-x`, `--extract`.
fn is_unpacking(word: &str, is_bundle: bool) -> bool {
    let letters = word.strip_prefix('-').or(is_bundle.then_some(word));
    let has_letter =
        |letters: &str| letters.contains('x') && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    word == "--extract" || letters.is_some_and(has_letter)
}

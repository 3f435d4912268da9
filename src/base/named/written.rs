//! Scripts that a call writes itself and then runs: the bytes that an approval is bound to are not those that run.

use super::known_words::{READS_TEXT, RUNNERS, WRAPPERS, WRITERS, WRITES_ANY};
use super::limits::UNKNOWN;
use super::{Gather, listed};
use crate::program::name_of;

impl Gather {
    /// Files that a command is known to write, as paths.
    pub(super) fn writes(&mut self, paths: &[String]) {
        if !self.is_data && !self.is_first {
            self.written.extend(paths.iter().filter(|path| !path.contains(UNKNOWN)).cloned());
        }
    }

    /// A file that is run, or read as a script.
    pub(super) fn runs(&mut self, path: &str) {
        if !self.is_data && !self.is_first && !path.contains(UNKNOWN) {
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
        for (at, word) in words.iter().enumerate() {
            let (name, behind) = (name_of(word), &words[at + 1..]);
            if let Some((_, files)) = RUNNERS.iter().find(|runner| runner.0.contains(&name)) {
                files.iter().filter(|file| !file.contains('*')).for_each(|file| self.runs(file));
            }
            let is_of = |row: &&(&str, &[&str])| {
                row.0 == name
                    && (row.1.is_empty() || behind.iter().any(|word| row.1.contains(&word.as_str())))
            };
            let unpacks = |(at, word): (usize, &String)| {
                let letters = word.strip_prefix('-').or((at == 0).then_some(word.as_str()));
                word == "--extract"
                    || letters.is_some_and(|letters| {
                        letters.contains('x') && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
                    })
            };
            if WRITES_ANY.iter().any(|row| is_of(&row))
                || name == "tar" && behind.iter().enumerate().any(unpacks)
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
        let plain = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let goes = !self.found.dirs.is_empty();
        let is_written = |run: &String| {
            self.written.iter().any(|path| {
                let (run, path) = (plain(run), plain(path));
                path == "*" && run.contains('/')
                    || path == run
                    || !path.is_empty() && run.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
                    || goes && name_of(&path) == name_of(&run)
            })
        };
        // `./w.sh` and a bare name of a script are files; `make` is most often none.
        let told: Vec<String> =
            self.started.iter().filter(|run| is_written(run)).map(|run| format!("`{run}`")).collect();
        if !told.is_empty() {
            self.miss(&format!("scripts that the call writes itself: {}", listed(&told)));
        }
    }
}

//! Comparison of the files that people approved with the files as they are now.

use crate::{Changed, Facts, FileFact, step::Asked};
use cuelight_base::{Digest, Program, canonical_json, sha256, shorten};
use std::collections::BTreeSet;

/// Differences named in one sentence; more are counted.
const NAMED_MAX: usize = 3;
const NO_FILE: &str = "no such file";

impl Facts {
    /// True if no file, pattern or program was asked for.
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty() && self.hashes.is_empty() && self.programs.is_empty()
    }

    /// True if people were shown files, or are bound to some by name.
    pub(super) const fn shows_files(&self) -> bool {
        !self.files.is_empty() || !self.hashes.is_empty()
    }

    /// The reason why these arguments of `hashFiles` have no result.
    pub(super) fn unhashed(&self, patterns: &[String]) -> Option<&str> {
        self.unhashed.iter().find(|(asked, _)| asked == patterns).map(|(_, why)| why.as_str())
    }

    /// The captured workspace: first its hash, then the files that it leaves out.
    pub fn tree(&self) -> Option<&(Program, Vec<FileFact>)> {
        self.programs.iter().find(|program| program.0.tree.is_some())
    }

    /// The captured workspace and nothing else.
    pub(super) fn only_tree(&self) -> Option<Box<Self>> {
        let tree = self.tree()?.clone();
        Some(Box::new(Self { programs: vec![tree], ..Self::default() }))
    }

    /// The hash of the captured workspace.
    pub fn tree_digest(&self) -> Option<Digest> {
        self.tree()?.1.first()?.digest
    }

    /// The files that a call executes, where they were looked at.
    pub(super) fn executed(&self, program: &Program) -> Option<&Vec<FileFact>> {
        self.programs.iter().find(|other| other.0 == *program).map(|program| &program.1)
    }

    /// The files of a call as people were shown them. Earlier versions have read other words of the same
    /// call, or only its beginning: then every call with this beginning counts.
    pub(super) fn shown_of(&self, program: &Program) -> Vec<&(Program, Vec<FileFact>)> {
        if let Some(program) = self.programs.iter().find(|other| other.0 == *program) {
            return vec![program];
        }
        let bare = program.bare();
        self.programs.iter().filter(|program| program.0.tree.is_none() && program.0.bare() == bare).collect()
    }

    /// One hash over the content of all files that these facts bind; none when they bind no file. It does not matter which
    /// gate has shown a file, or for which call.
    pub(super) fn content(&self) -> Option<Digest> {
        let executed = self.programs.iter().flat_map(|program| &program.1).filter(|file| file.is_bound());
        let files: BTreeSet<(&String, Option<Digest>)> =
            self.files.iter().chain(executed).map(|file| (&file.path, file.digest)).collect();
        let hashes: BTreeSet<&(Vec<String>, String)> = self.hashes.iter().collect();
        let is_bound = !files.is_empty() || !hashes.is_empty();
        is_bound.then(|| sha256("cuelight-bound-v1", &[canonical_json(&(files, hashes)).as_bytes()]))
    }

    /// True if these facts answer all that was asked.
    pub(super) fn answers(&self, (files, patterns, programs): &Asked) -> bool {
        self.files.iter().map(|file| &file.path).eq(files)
            && self.hashes.iter().map(|hash| &hash.0).eq(patterns)
            && self.programs.iter().map(|program| &program.0).eq(programs)
    }

    /// True if these facts are about the same files and patterns.
    pub(super) fn is_of_the_same(&self, other: &Self) -> bool {
        self.files.iter().map(|file| &file.path).eq(other.files.iter().map(|file| &file.path))
            && self.hashes.iter().map(|hash| &hash.0).eq(other.hashes.iter().map(|hash| &hash.0))
    }

    /// True if any of these is among the facts.
    pub(super) fn shows_any_of(&self, changed: &[Changed]) -> bool {
        changed.iter().any(|changed| {
            self.files.iter().any(|file| file.path == changed.what)
                || self.hashes.iter().any(|(patterns, _)| named(patterns) == changed.what)
        })
    }

    /// True if a changed file is one that a call executes.
    pub(super) fn executes_any_of(&self, changed: &[Changed]) -> bool {
        let files = || self.programs.iter().flat_map(|program| &program.1);
        changed.iter().any(|changed| files().any(|file| file.path == changed.what))
    }

    /// The files that differ now. Files that a call executes are compared only if they were looked at again.
    pub fn changed_in(&self, now: &Self) -> Vec<Changed> {
        let mut changed = Vec::new();
        for before in &self.files {
            let found = now.files.iter().find(|file| file.path == before.path);
            if found.is_none_or(|file| file.digest != before.digest) {
                let (before_hash, now_hash) = (hash_of(Some(before)), hash_of(found));
                changed.push(Changed { what: before.path.clone(), before: before_hash, now: now_hash });
            }
        }
        for (patterns, before) in &self.hashes {
            let found = now.hashes.iter().find(|hash| hash.0 == *patterns).map(|hash| &hash.1);
            if found != Some(before) {
                let what = named(patterns);
                let said = |hash: &str| if hash.is_empty() { "no file".to_owned() } else { hash.to_owned() };
                let now = match now.unhashed(patterns) {
                    Some(why) => why.to_owned(),
                    None => found.map_or_else(|| "not looked at".to_owned(), |text| said(text)),
                };
                changed.push(Changed { what, before: said(before), now });
            }
        }
        for (program, before) in &self.programs {
            let Some(now) = now.executed(program) else { continue };
            changed.extend(changed_files(before, now));
        }
        changed
    }

    /// Both, where the second says something that the first does not.
    pub(super) fn extend(&mut self, more: &Self) {
        let new = more.files.iter().filter(|file| self.files.iter().all(|mine| mine.path != file.path));
        let files: Vec<FileFact> = new.cloned().collect();
        self.files.extend(files);
        let new = more.hashes.iter().filter(|hash| self.hashes.iter().all(|mine| mine.0 != hash.0));
        let hashes: Vec<_> = new.cloned().collect();
        self.hashes.extend(hashes);
        let new = more.unhashed.iter().filter(|pair| self.unhashed(&pair.0).is_none());
        let unhashed: Vec<_> = new.cloned().collect();
        self.unhashed.extend(unhashed);
    }
}

/// Differences of the files of one call. A file in place of another is one change.
fn changed_files(before: &[FileFact], now: &[FileFact]) -> Vec<Changed> {
    let [before, now] =
        [before, now].map(|facts| facts.iter().filter(|fact| fact.is_bound()).collect::<Vec<_>>());
    // One more file may take the place of another: `GNUmakefile` of `Makefile`.
    let is_new = |fact: &&FileFact| before.iter().all(|old| old.path != fact.path);
    let mut came = now.iter().copied().filter(is_new);
    let mut changed = Vec::new();
    for old in before.iter().copied() {
        let found = now.iter().copied().find(|fact| fact.path == old.path);
        if found.is_some_and(|fact| fact.digest == old.digest) {
            continue;
        }
        let now = match found.or_else(|| came.next()) {
            Some(fact) if fact.path == old.path => hash_of(Some(fact)),
            Some(fact) => format!("{} {}", fact.path, hash_of(Some(fact))),
            None => NO_FILE.to_owned(),
        };
        changed.push(Changed { what: old.path.clone(), before: hash_of(Some(old)), now });
    }
    let new = |fact: &FileFact| Changed {
        what: fact.path.clone(),
        before: NO_FILE.to_owned(),
        now: hash_of(Some(fact)),
    };
    changed.extend(came.map(new));
    changed
}

fn named(patterns: &[String]) -> String {
    format!("hashFiles({})", patterns.join(", "))
}

fn hash_of(file: Option<&FileFact>) -> String {
    match file {
        Some(FileFact { digest: Some(digest), .. }) => digest.to_string(),
        Some(FileFact { problem: Some(problem), .. }) => problem.clone(),
        Some(_) | None => "not looked at".to_owned(),
    }
}

/// The changes as a sentence: each file with the hash it had and the hash it has.
pub(super) fn sentence(changed: &[Changed]) -> String {
    let named: Vec<String> = changed.iter().take(NAMED_MAX).map(one).collect();
    let more = changed.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("what was approved has changed: {}{more}", named.join(", "))
}

fn one(changed: &Changed) -> String {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let shown = |text: &str| if is_hash(text) { text[..12].to_owned() } else { shorten(text, 80) };
    format!("{} ({} → {})", shorten(&changed.what, 200), shown(&changed.before), shown(&changed.now))
}

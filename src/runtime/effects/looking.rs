//! Looks at the files and programs that an approval binds, and compares them with the approved ones.

use super::{Shared, WORKSPACE, outcomes::failed};
use crate::Clock;
use cuelight_base::{
    ARTIFACT_BYTES_MAX, AttemptId, Digest, FailureMode, HASHED_BYTES_MAX, NOT_BOUND, Program, RunId, StepIx,
    Tree, counted,
};
use cuelight_engine::{Changed, Facts, Failure, FileFact, Outcome};
use cuelight_tool::{
    Executable, Executed, capture_tree, captured_tree, hash_evidence, hash_files, lay_out_tree,
    read_evidence, remove_tree,
};
use std::{path::Path, sync::atomic::Ordering};

/// Texts of scripts that are kept for one call, and the bytes of each.
const SCRIPTS_MAX: usize = 32;
const SCRIPT_BYTES_MAX: u64 = 64 * 1024;

impl<C: Clock> Shared<C> {
    /// Looks at files of the workspace. Where it is captured, all is read from what was captured.
    pub(super) fn look(
        &self,
        run: RunId,
        step: StepIx,
        files: Vec<String>,
        patterns: Vec<Vec<String>>,
        programs: Vec<Program>,
    ) -> Facts {
        let Some(tree) = programs.iter().find_map(|program| program.tree.clone()) else {
            return self.look_in(None, files, patterns, programs, &[]);
        };
        let number = self.looks.fetch_add(1, Ordering::Relaxed);
        let place = self.keep.tree(&format!("look-{run}.{}-{number}", step.0));
        let captured = self.capture(run, &tree, &place);
        let facts = match captured {
            Ok(found) => self.look_in(Some(&place), files, patterns, programs, &found),
            Err(problem) => {
                let found =
                    [FileFact { path: WORKSPACE.to_owned(), digest: None, bytes: 0, problem: Some(problem) }];
                self.look_in(None, files, patterns, programs, &found)
            }
        };
        // What cannot be removed now is tried again at the next start.
        drop(remove_tree(&place));
        facts
    }

    /// Captures the workspace, unless it was captured for an earlier gate, and lays it out to be looked at.
    fn capture(&self, run: RunId, tree: &Tree, place: &Path) -> Result<Vec<FileFact>, String> {
        let store = self.keep.snapshots(run);
        let captured = match tree.from {
            Some(digest) => captured_tree(&store, digest)?,
            None => capture_tree(self.keep.root(), &tree.patterns, &store, self.keep.copies())?,
        };
        lay_out_tree(&store, captured.digest, place)?;
        let (files, bytes) = (captured.files, captured.bytes);
        let path = format!("{WORKSPACE} ({})", counted(files, "file", "files"));
        let whole = FileFact { path, digest: Some(captured.digest), bytes, problem: None };
        let notes = captured.notes.into_iter();
        let note = |(path, problem)| FileFact { path, digest: None, bytes: 0, problem: Some(problem) };
        Ok(std::iter::once(whole).chain(notes.map(note)).collect())
    }

    fn look_in(
        &self,
        tree: Option<&Path>,
        files: Vec<String>,
        patterns: Vec<Vec<String>>,
        programs: Vec<Program>,
        captured: &[FileFact],
    ) -> Facts {
        let root = tree.unwrap_or_else(|| self.keep.root());
        let files = files.into_iter().map(|path| self.look_at(root, path)).collect();
        let (mut hashes, mut unhashed) = (Vec::new(), Vec::new());
        for arguments in patterns {
            let hash = hash_files(root, &arguments, HASHED_BYTES_MAX, &self.closing);
            if let Err(why) = &hash {
                unhashed.push((arguments.clone(), why.clone()));
            }
            hashes.push((arguments, hash.unwrap_or_default()));
        }
        let executed = |program: Program| {
            let files = match &program.tree {
                Some(_) => captured.to_vec(),
                None => {
                    let files = executed(&self.host.open(&program, tree), tree.is_some());
                    self.keep_texts(root, &files);
                    files
                }
            };
            (program, files)
        };
        Facts { files, hashes, unhashed, programs: programs.into_iter().map(executed).collect() }
    }

    /// Lays out the captured workspace that a call runs in, and compares what it is bound to.
    pub(super) fn laid_out(
        &self,
        attempt: AttemptId,
        bound: &Facts,
        place: Option<&Path>,
    ) -> (Vec<Changed>, Option<(Program, Executable)>) {
        if let Some((place, digest)) = place.zip(bound.tree_digest())
            && let Err(now) = lay_out_tree(&self.keep.snapshots(attempt.run), digest, place)
        {
            let what = bound.tree().and_then(|tree| tree.1.first()).map(|fact| fact.path.clone());
            let changed = Changed { what: what.unwrap_or_default(), before: digest.to_string(), now };
            return (vec![changed], None);
        }
        if place.is_none() && bound.tree().is_some() {
            // What was shown cannot have changed, and the call reads no files.
            return (Vec::new(), None);
        }
        self.changed(bound, place)
    }

    /// Differences from what was approved, and the files of the call, open. Nothing is kept of them: they are only hashed.
    fn changed(&self, bound: &Facts, tree: Option<&Path>) -> (Vec<Changed>, Option<(Program, Executable)>) {
        let root = tree.unwrap_or_else(|| self.keep.root());
        let hash = |before: &FileFact| {
            let hashed = hash_evidence(root, &before.path, ARTIFACT_BYTES_MAX);
            let path = before.path.clone();
            match hashed {
                Ok((digest, bytes)) => FileFact { path, digest: Some(digest), bytes, problem: None },
                Err(problem) => FileFact { path, digest: None, bytes: 0, problem: Some(problem) },
            }
        };
        let files = bound.files.iter().map(hash).collect();
        let patterns = bound.hashes.iter().map(|hash| hash.0.clone()).collect();
        let calls = bound.programs.iter().filter(|program| program.0.tree.is_none());
        let open = |call: &(Program, Vec<FileFact>)| (call.0.clone(), self.host.open(&call.0, tree));
        let opened: Vec<(Program, Executable)> = calls.map(open).collect();
        let programs =
            opened.iter().map(|pair| (pair.0.clone(), executed(&pair.1, tree.is_some()))).collect();
        let now = Facts { files, programs, ..self.look_in(tree, Vec::new(), patterns, Vec::new(), &[]) };
        let mut changed = bound.changed_in(&now);
        changed.retain(|changed| tree.is_none() || !changed.what.ends_with('/'));
        (changed, opened.into_iter().next())
    }

    /// Keeps the texts of scripts in the workspace, so that the next ask can show what changed in them. A script that could
    /// not be kept is only told to have changed.
    fn keep_texts(&self, root: &Path, files: &[FileFact]) {
        let is_script = |file: &&FileFact| {
            file.is_bound() && !file.path.starts_with('/') && file.bytes <= SCRIPT_BYTES_MAX
        };
        for file in files.iter().filter(is_script).take(SCRIPTS_MAX) {
            let read = read_evidence(root, &file.path, SCRIPT_BYTES_MAX);
            if let Ok(bytes) = read
                && file.digest == Some(Digest::of(&bytes))
                && str::from_utf8(&bytes).is_ok()
            {
                drop(self.keep.put(bytes));
            }
        }
    }

    fn look_at(&self, root: &Path, path: String) -> FileFact {
        let read = read_evidence(root, &path, ARTIFACT_BYTES_MAX);
        let kept = read.and_then(|bytes| {
            let length = bytes.len() as u64;
            self.keep.put(bytes).map(|digest| (digest, length))
        });
        match kept {
            Ok((digest, bytes)) => FileFact { path, digest: Some(digest), bytes, problem: None },
            Err(problem) => FileFact { path, digest: None, bytes: 0, problem: Some(problem) },
        }
    }
}

/// Every file and pattern is answered, or the step would ask for ever.
pub(super) fn unread(files: Vec<String>, patterns: Vec<Vec<String>>, programs: Vec<Program>) -> Facts {
    let fault = "could not be read: a fault of cuelight";
    let problem = Some(fault.to_owned());
    let fact = |path| FileFact { path, digest: None, bytes: 0, problem: problem.clone() };
    let unhashed = patterns.iter().map(|pattern| (pattern.clone(), fault.to_owned())).collect();
    let hash = |arguments| (arguments, String::new());
    let executed = |program: Program| (program.clone(), vec![fact(program.word)]);
    Facts {
        files: files.into_iter().map(fact).collect(),
        hashes: patterns.into_iter().map(hash).collect(),
        unhashed,
        programs: programs.into_iter().map(executed).collect(),
    }
}

/// The files that a call executes, as the engine knows files. A directory of a captured workspace is another one each
/// time, and data in it is bound with all the rest.
pub(super) fn executed(of: &Executable, in_tree: bool) -> Vec<FileFact> {
    let is_of_tree = |file: &Executed| {
        let is_data = file.problem.as_deref() == Some(NOT_BOUND) && !file.path.starts_with('/');
        is_data || file.path.ends_with('/')
    };
    of.files().iter().filter(|file| !in_tree || !is_of_tree(file)).map(fact).collect()
}

pub(super) fn fact(executed: &Executed) -> FileFact {
    FileFact {
        path: executed.path.clone(),
        digest: executed.digest,
        bytes: executed.bytes,
        problem: executed.problem.clone(),
    }
}

/// Nothing was started: it is not what people agreed to.
pub(super) fn not_as_approved(changed: Vec<Changed>) -> Outcome {
    let message = "could not start: what was approved has changed; its gate asks again".to_owned();
    let failure = Failure { not_started: true, ..failed(FailureMode::PolicySecurity, message) };
    Outcome { failure: Some(failure), changed, ..Outcome::default() }
}

/// The change that is reported when a check failed: a file that could not be checked counts as changed.
pub(super) fn fault_of_looking() -> Changed {
    let text = "could not be looked at: a fault of cuelight".to_owned();
    Changed { what: "what was approved".to_owned(), before: "as it was shown".to_owned(), now: text }
}

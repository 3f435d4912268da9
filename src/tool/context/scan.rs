//! Lists the files of a project in order, without ignored (`.gitignore`), generated and secret files. It also
//! tells if the project is unchanged.
//!
//! Links are not followed. A name that is no text is not shown.

use super::{
    read::{open_root, read_below},
    unwanted::{is_secret_name, is_unwanted_directory},
};
use cuelight_base::Timestamp;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, statat};
use std::{
    fs, io,
    os::fd::OwnedFd,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Files that are looked at.
const FILES_MAX: usize = 50_000;
/// Directories that are looked into.
const DIRECTORIES_MAX: usize = 20_000;
/// Directories within each other.
const DEPTH_MAX: usize = 64;
/// Bytes and lines of one `.gitignore`.
const IGNORE_BYTES_MAX: u64 = 64 * 1024;
const IGNORE_LINES_MAX: usize = 2000;
/// Files whose change means that the state of the repository may have changed.
const GIT_FILES: &[&str] = &[".git/HEAD", ".git/index", ".git/logs/HEAD", ".git/config", ".git/packed-refs"];

/// By which a file that was changed is told: nanoseconds of its content and of itself, and its bytes.
pub(super) type Stamp = (i128, i128, u64);

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProjectFile {
    /// Below the root, with `/`.
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
    /// Time of the last change of the content, in nanoseconds.
    pub(super) modified_ns: i128,
}

/// The files of a project as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub(super) root: PathBuf,
    /// In order of their paths.
    pub(super) files: Vec<ProjectFile>,
    pub(super) directories: Vec<String>,
    pub(super) total_bytes: u64,
    /// Number of directories and files that were skipped.
    pub(super) left_out: u64,
    /// All that was looked at, by which a change is told; nothing where there was nothing.
    seen: Vec<(String, Option<Stamp>)>,
}

impl Project {
    /// True if no file, directory or commit has changed since. It stats each one and reads none.
    pub fn is_as_it_was(&self) -> bool {
        let Ok(root) = open_root(&self.root) else { return false };
        self.seen.iter().all(|(path, stamp)| stamp_of(&root, path) == *stamp)
    }

    /// Bytes it holds in memory, about.
    pub fn weight(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.path.len() + 64).sum();
        let seen: usize = self.seen.iter().map(|pair| pair.0.len() + 64).sum();
        files + seen
    }
}

struct Walk {
    root: OwnedFd,
    project: Project,
}

/// Looks at all files below a root.
///
/// # Errors
/// When the root cannot be read.
pub fn scan_project(root: &Path) -> io::Result<Project> {
    let root = root.canonicalize()?;
    let project = Project {
        root: root.clone(),
        files: Vec::new(),
        directories: Vec::new(),
        total_bytes: 0,
        left_out: 0,
        seen: Vec::new(),
    };
    let mut walk = Walk { root: open_root(&root)?, project };
    for path in GIT_FILES {
        walk.see(path);
    }
    let mut rules = Vec::new();
    walk.directory("", &mut rules, 0);
    let mut project = walk.project;
    project.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    project.directories.sort_unstable();
    Ok(project)
}

impl Walk {
    fn see(&mut self, path: &str) {
        let stamp = stamp_of(&self.root, path);
        self.project.seen.push((path.to_owned(), stamp));
    }

    /// One directory and what is below it; `rules` are those of the directories around it, the outermost first.
    fn directory(&mut self, path: &str, rules: &mut Vec<Gitignore>, depth: usize) {
        // Seen before it is read, so that what comes meanwhile is a change.
        self.see(if path.is_empty() { "." } else { path });
        let Ok(entries) = fs::read_dir(self.project.root.join(path)) else { return };
        let here = self.rules(path);
        let has_rules = here.is_some();
        rules.extend(here);
        let mut below = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let (Some(name), Ok(about)) = (name.to_str(), entry.metadata()) else {
                self.project.left_out += 1;
                continue;
            };
            let child = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            let is_wanted = if about.is_dir() {
                !is_unwanted_directory(name)
            } else {
                about.is_file() && !is_secret_name(name)
            };
            if !is_wanted || is_ignored(rules, &child, about.is_dir()) {
                continue;
            }
            if about.is_dir() {
                below.push(child);
            } else if self.project.files.len() < FILES_MAX {
                let modified_ns = i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
                let changed_ns = i128::from(about.ctime()) * 1_000_000_000 + i128::from(about.ctime_nsec());
                self.project.total_bytes += about.size();
                self.project.seen.push((child.clone(), Some((modified_ns, changed_ns, about.size()))));
                let modified = Timestamp(about.mtime().saturating_mul(1000) + about.mtime_nsec() / 1_000_000);
                self.project.files.push(ProjectFile {
                    path: child,
                    size: about.size(),
                    modified,
                    modified_ns,
                });
            } else {
                self.project.left_out += 1;
            }
        }
        for child in below {
            if depth >= DEPTH_MAX || self.project.directories.len() >= DIRECTORIES_MAX {
                self.project.left_out += 1;
                continue;
            }
            self.project.directories.push(child.clone());
            self.directory(&child, rules, depth + 1);
        }
        if has_rules {
            rules.pop();
        }
    }

    /// The ignore rules of a directory. The file is read like any other: a link or a pipe gives no rules.
    fn rules(&mut self, path: &str) -> Option<Gitignore> {
        let mut builder = GitignoreBuilder::new(Path::new("/").join(path));
        let mut found = false;
        let own = if path.is_empty() { ".gitignore".to_owned() } else { format!("{path}/.gitignore") };
        let others = if path.is_empty() { Some(".git/info/exclude".to_owned()) } else { None };
        for file in others.into_iter().chain([own]) {
            let Ok(bytes) = read_below(&self.root, &file, IGNORE_BYTES_MAX) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            for line in text.lines().take(IGNORE_LINES_MAX) {
                // A line that is no pattern says nothing.
                found |= builder.add_line(None, line).is_ok();
            }
        }
        if found { builder.build().ok() } else { None }
    }
}

/// The innermost rule that says something of it counts.
fn is_ignored(rules: &[Gitignore], path: &str, is_dir: bool) -> bool {
    let path = Path::new("/").join(path);
    let said = rules.iter().rev().map(|rule| rule.matched(&path, is_dir)).find(|matched| !matched.is_none());
    said.is_some_and(|matched| matched.is_ignore())
}

fn stamp_of(root: &OwnedFd, path: &str) -> Option<Stamp> {
    let about = statat(root, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let ns = |seconds: i64, rest: i128| i128::from(seconds) * 1_000_000_000 + rest;
    let size = u64::try_from(about.st_size).unwrap_or(0);
    let is_dir = rustix::fs::FileType::from_raw_mode(about.st_mode) == rustix::fs::FileType::Directory;
    // The bytes of a directory say nothing of what is in it.
    Some((
        ns(about.st_mtime, i128::from(about.st_mtime_nsec)),
        ns(about.st_ctime, i128::from(about.st_ctime_nsec)),
        if is_dir { 0 } else { size },
    ))
}

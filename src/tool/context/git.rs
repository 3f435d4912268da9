//! The git state of a project: branch and origin from files of the repository, changes from its index, and
//! commits from the program `git`. That program is kept from running anything for a repository: hooks,
//! filters, helpers, signatures, transports, pagers.
//!
//! Only a repository whose `.git` is a directory of the root itself is read: anything else leads out of it.

use super::{
    index::{hash_bytes_of, tracked},
    read::read_below,
    scan::{Project, ProjectFile},
    shape::{Change, Commit, GitContext},
    unwanted::is_secret_name,
};
use cuelight_base::Timestamp;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{AtFlags, statat},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
};

/// Commits that are told, …
const COMMITS: &str = "20";
/// … and changes that are in none.
const CHANGES_MAX: usize = 500;
/// Bytes that are read of what git says.
const SAID_BYTES_MAX: usize = 1024 * 1024;
/// Timeout for output of git.
const SILENT_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// Bytes of files of the repository.
const FILE_BYTES_MAX: u64 = 64 * 1024;
const INDEX_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files of which only their time has changed, and whose content is compared.
const COMPARED_MAX: usize = 200;

/// The repository's facts about single files.
#[derive(Debug, Default)]
pub(super) struct Recency {
    /// When a commit changed them last, of those commits that are told.
    pub(super) committed: BTreeMap<String, Timestamp>,
    /// Files with uncommitted changes.
    pub(super) uncommitted: BTreeSet<String>,
    /// True if the project has a repository.
    pub(super) is_known: bool,
}

/// Returns the git state of a project, and its facts about single files.
pub(super) fn git_context(project: &Project, root: &OwnedFd) -> (GitContext, Recency) {
    let mut recency = Recency::default();
    let text = |path: &str| {
        let bytes = read_below(root, path, FILE_BYTES_MAX).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let Some(head) = text(".git/HEAD") else { return (GitContext::default(), recency) };
    recency.is_known = true;
    let branch = head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned);
    let remote = text(".git/config").and_then(|text| origin(&text));
    let recent_commits = commits(&project.root, &mut recency);
    let uncommitted_changes = changes(project, root);
    recency.uncommitted =
        uncommitted_changes.iter().map(|uncommitted_change| uncommitted_change.path.clone()).collect();
    (GitContext { branch, recent_commits, uncommitted_changes, remote }, recency)
}

/// Address of `origin`, without user name and password.
fn origin(config: &str) -> Option<String> {
    let (_, section) = config.split_once("[remote \"origin\"]")?;
    let mut lines = section.lines().skip(1).take_while(|line| !line.trim_start().starts_with('['));
    let url = lines.find_map(|line| line.trim().strip_prefix("url")?.trim_start().strip_prefix('='))?.trim();
    let clean = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |halves| halves.1);
            format!("{scheme}://{host}/{path}")
        }
        None => url.to_owned(),
    };
    let clean = clean.split(['?', '#']).next().unwrap_or_default().to_owned();
    (!clean.is_empty()).then_some(clean)
}

fn commits(root: &Path, recency: &mut Recency) -> Vec<Commit> {
    let format = "--format=%x01%H%x1f%an%x1f%at%x1f%s%x1e";
    let said = git(
        root,
        &[
            "log",
            "-n",
            COMMITS,
            "--no-show-signature",
            "--no-mailmap",
            "--name-only",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=all",
            "-z",
            format,
            "HEAD",
            "--",
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    let mut all = Vec::new();
    for part in said.split('\u{1}').skip(1) {
        let Some((about, files)) = part.split_once('\u{1e}') else { continue };
        let fields: Vec<&str> = about.splitn(4, '\u{1f}').collect();
        let [hash, author, seconds, message] = fields[..] else { continue };
        let at = Timestamp(seconds.parse::<i64>().unwrap_or(0).saturating_mul(1000));
        let files: Vec<&str> = files
            .split('\0')
            .map(|file| file.trim_start_matches('\n'))
            .filter(|file| !file.is_empty())
            .collect();
        for file in &files {
            let last = recency.committed.entry((*file).to_owned()).or_insert(at);
            *last = (*last).max(at);
        }
        all.push(Commit {
            hash: hash.to_owned(),
            message: message.to_owned(),
            author: author.to_owned(),
            timestamp: at.to_string(),
            files_changed: files.len() as u64,
        });
    }
    all
}

/// Files that differ from the last commit: changes in the index, and changes against the index.
fn changes(project: &Project, root: &OwnedFd) -> Vec<Change> {
    let mut found: BTreeMap<String, &'static str> = BTreeMap::new();
    let staged = git(
        &project.root,
        &[
            "diff-index",
            "--cached",
            "--name-status",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=all",
            "-z",
            "HEAD",
            "--",
        ],
        &[],
    );
    let staged = String::from_utf8_lossy(&staged.unwrap_or_default()).into_owned();
    let mut words = staged.split('\0');
    while let (Some(status), Some(path)) = (words.next(), words.next()) {
        let status = match status {
            "A" => "added",
            "D" => "deleted",
            _ => "modified",
        };
        if !is_secret(path) {
            found.insert(path.to_owned(), status);
        }
    }
    let hash = hash_bytes_of(read_below(root, ".git/config", FILE_BYTES_MAX), FILE_BYTES_MAX);
    let index = || tracked(&read_below(root, ".git/index", INDEX_BYTES_MAX).ok()?, hash?);
    let Some(index) = index() else { return listed(found) };
    let mut files: BTreeMap<&str, &ProjectFile> =
        project.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut doubtful = Vec::new();
    for (path, known) in &index {
        match files.remove(path.as_str()) {
            Some(file) if file.size != u64::from(known.size) => drop(found.insert(path.clone(), "modified")),
            Some(file) if file.modified_ns != known.modified_ns => doubtful.push((path, known.hash.clone())),
            Some(_) => {}
            // What is ignored or secret may be tracked all the same, and is not shown.
            None if statat(root, path, AtFlags::SYMLINK_NOFOLLOW).is_err() && !is_secret(path) => {
                found.insert(path.clone(), "deleted");
            }
            None => {}
        }
    }
    for path in differing(&project.root, &doubtful) {
        found.insert(path, "modified");
    }
    for path in files.keys() {
        found.entry((*path).to_owned()).or_insert("untracked");
    }
    listed(found)
}

fn is_secret(path: &str) -> bool {
    is_secret_name(path.rsplit('/').next().unwrap_or(path))
}

fn listed(found: BTreeMap<String, &'static str>) -> Vec<Change> {
    let all = found.into_iter().map(|(path, status)| Change { path, status: status.to_owned() });
    all.take(CHANGES_MAX).collect()
}

/// Files whose content differs from the index. A file that cannot be compared counts as changed.
fn differing(root: &Path, doubtful: &[(&String, Vec<u8>)]) -> Vec<String> {
    let (compared, rest) = doubtful.split_at(doubtful.len().min(COMPARED_MAX));
    let mut out: Vec<String> = rest.iter().map(|entry| entry.0.clone()).collect();
    if compared.is_empty() {
        return out;
    }
    let names: Vec<&str> =
        compared.iter().map(|entry| entry.0.as_str()).filter(|text| !text.contains('\n')).collect();
    let said = git(root, &["hash-object", "--no-filters", "--stdin-paths"], names.join("\n").as_bytes());
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    let hashes: BTreeMap<&str, &str> = names.into_iter().zip(said.lines()).collect();
    for (path, hash) in compared {
        let known: String = hash.iter().map(|value| format!("{value:02x}")).collect();
        if hashes.get(path.as_str()).is_none_or(|hash| **hash != *known) {
            out.push((*path).clone());
        }
    }
    out
}

/// Output of git, if it is installed and answers in time. It is told to ask nobody, run nothing and fetch
/// nothing. The orders are in the one place that a repository cannot change: its command line and its
/// environment.
fn git(root: &Path, words: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    const SETTINGS: &[&str] = &[
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "core.pager=cat",
        "core.attributesFile=/dev/null",
        "core.askPass=/bin/false",
        "core.sshCommand=/bin/false",
        "core.gitProxy=/bin/false",
        "core.alternateRefsCommand=/bin/false",
        "core.untrackedCache=false",
        "core.quotePath=false",
        "core.commitGraph=false",
        "diff.external=",
        "diff.renames=false",
        "log.showSignature=false",
        "gpg.program=/bin/false",
        "gpg.ssh.program=/bin/false",
        "gpg.x509.program=/bin/false",
        "credential.helper=",
        "protocol.allow=never",
        "submodule.recurse=false",
        "maintenance.auto=false",
        "gc.auto=0",
    ];
    #[expect(
        clippy::disallowed_methods,
        reason = "git alone, kept from running anything else; see decision 26"
    )]
    let mut command = Command::new("git");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin").env("LC_ALL", "C");
    command.env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("GIT_ATTR_NOSYSTEM", "1");
    command
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_ALLOW_PROTOCOL", "none");
    // Nothing above the root is looked for.
    command.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root));
    command.arg("--no-pager").arg("--literal-pathspecs");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(words).current_dir(root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    if let Some(mut to) = child.stdin.take() {
        // Names of at most some hundred files: they fit into the pipe, and git reads them all before it stops.
        drop(to.write_all(input));
    }
    let mut is_whole = false;
    let said = child.stdout.take().and_then(|mut from| {
        let (mut said, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
        while said.len() < SAID_BYTES_MAX {
            let mut ready = [PollFd::new(&from, PollFlags::IN)];
            if poll(&mut ready, Some(&SILENT_MAX)).ok()? == 0 {
                return None;
            }
            let count = from.read(&mut piece).ok()?;
            if count == 0 {
                is_whole = true;
                break;
            }
            said.extend_from_slice(&piece[..count]);
        }
        Some(said)
    });
    if !is_whole {
        drop(child.kill());
    }
    let is_well = child.wait().is_ok_and(|status| status.success());
    said.filter(|_| is_well || !is_whole)
}

//! The directory `.cuelight`: found upwards like git, ours alone, never on a network.
//!
//! Says where things lie; what is in them is for others.

use crate::{
    StoreError,
    below::{self, DIRECTORY},
};
use rustix::{fs::OFlags, process::geteuid};
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// A directory that holds `.cuelight`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    root: Arc<Path>,
    is_looked_at: bool,
}

impl Workspace {
    /// The nearest one at `start` or above. Whether it may be used is asked when something in it is opened.
    pub fn find(start: &Path) -> Option<Self> {
        let holds =
            |dir: &&Path| fs::symlink_metadata(dir.join(DIRECTORY)).is_ok_and(|metadata| metadata.is_dir());
        let start = real(start);
        start.ancestors().find(holds).map(Self::at)
    }

    /// The one at `root`, made when it is not there yet.
    pub fn create(root: &Path) -> Result<Self, StoreError> {
        let workspace = Self::at(&real(root));
        for dir in [workspace.dir(), workspace.spool()] {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made.map_err(|error| StoreError::io("create", &dir, &error))?,
            }
            workspace.check()?;
        }
        workspace.stay_out_of_version_control()?;
        Ok(workspace)
    }

    /// The user whose workspace this is.
    pub fn owner(&self) -> Option<u32> {
        fs::symlink_metadata(self.dir()).ok().map(|metadata| metadata.uid())
    }

    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.into(), is_looked_at: false }
    }

    /// The same, in which nothing is written: not even what reading a database leaves.
    #[must_use]
    pub fn only_looked_at(self) -> Self {
        Self { is_looked_at: true, ..self }
    }

    /// True if the workspace is read-only.
    pub fn is_only_looked_at(&self) -> bool {
        self.is_looked_at
    }

    /// True if there are records that nobody sees who may not write here: those in the write-ahead log of the database.
    pub fn hides_records(&self) -> bool {
        let waits =
            || fs::metadata(crate::schema::beside(&self.db(), "-wal")).is_ok_and(|about| about.len() > 0);
        self.is_looked_at && waits()
    }

    /// The directory that holds `.cuelight`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The database: the log, its values and marks.
    pub fn db(&self) -> PathBuf {
        self.dir().join("cuelight.db")
    }

    /// The list of what is in the library; derived from the log.
    pub(super) fn catalog(&self) -> PathBuf {
        self.dir().join("library.db")
    }

    /// The output of steps, a directory for each attempt.
    pub fn spool(&self) -> PathBuf {
        self.dir().join("spool")
    }

    /// Workspaces that gates have captured, a directory for each run.
    pub fn snapshots(&self) -> PathBuf {
        self.dir().join("snapshots")
    }

    /// The unpacked snapshots of users who have no home directory.
    pub fn trees(&self) -> PathBuf {
        self.dir().join("trees")
    }

    /// The socket through which other seats reach the owner.
    pub fn socket(&self) -> PathBuf {
        self.dir().join("cuelight.sock")
    }

    /// Settings of this workspace.
    pub fn config(&self) -> PathBuf {
        self.dir().join("config.toml")
    }

    /// The time zone in which its days begin, as `timezone` of its settings says; UTC when they say nothing.
    pub fn timezone(&self) -> String {
        let settings = self.settings();
        let zone = settings.get("timezone").and_then(toml::Value::as_str);
        zone.unwrap_or("UTC").to_owned()
    }

    /// The settings of this machine under this key: `labels = ["gpu"]`, `capabilities = ["deploy"]`.
    pub fn of_machine(&self, word: &str) -> Vec<String> {
        let settings = self.settings();
        let named = settings.get(word).and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        named.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// Keeps keys, the log and output out of version control, unless something is said about that already.
    pub(super) fn stay_out_of_version_control(&self) -> Result<(), StoreError> {
        let path = self.dir().join(".gitignore");
        match below::open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            file => file
                .and_then(|mut file| file.write_all(b"*\n"))
                .map_err(|error| StoreError::io("write", &path, &error)),
        }
    }

    fn settings(&self) -> toml::Table {
        let text = below::read_text(&self.config()).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    /// The text of a file below `.cuelight`, when no link leads to it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_text(&self, path: &Path) -> io::Result<String> {
        below::read_text(path)
    }

    /// A file below `.cuelight`, opened as these flags say, when no link leads to it; made for its user alone.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn open(&self, path: &Path, flags: OFlags) -> io::Result<File> {
        below::open(path, flags)
    }

    /// The file of people who may approve.
    pub fn people(&self) -> PathBuf {
        self.dir().join("people.toml")
    }

    /// The signature over that file, where somebody has signed it.
    pub fn people_signature(&self) -> PathBuf {
        self.dir().join("people.toml.sig")
    }

    /// Heads of the log that were signed, oldest first.
    pub fn checkpoints(&self) -> PathBuf {
        self.dir().join("checkpoints")
    }

    /// The keys they can be checked with, oldest first.
    pub fn note_keys(&self) -> PathBuf {
        self.dir().join("keys/public")
    }

    /// The keys that tokens of agents are signed with.
    pub(super) fn token_keys(&self) -> PathBuf {
        self.dir().join("keys/tokens.json")
    }

    /// The keys that what is said about topics is signed with.
    pub(super) fn topic_keys(&self) -> PathBuf {
        self.dir().join("keys/topics.json")
    }

    /// The key they are signed with.
    pub(super) fn secret_key(&self) -> PathBuf {
        self.dir().join("keys/console.key")
    }

    /// Workflows that can be called by name.
    pub fn workflows(&self) -> PathBuf {
        self.dir().join("workflows")
    }

    /// The workflow files in it, by name.
    pub fn workflow_files(&self) -> Vec<PathBuf> {
        yaml_files(&self.workflows())
    }

    /// The files that a run can be started from: those of the workspace, then the YAML files beside it that have steps.
    pub fn startable_files(&self) -> Vec<PathBuf> {
        let name = |path: &PathBuf| path.file_name().map(PathBuf::from);
        let is_startable =
            |path: &PathBuf| name(path).is_some_and(|name| self.has_workflow(&name)) && has_steps(path);
        let beside = yaml_files(&self.root).into_iter().take(BESIDE_MAX).filter(is_startable);
        self.workflow_files().into_iter().chain(beside).collect()
    }

    /// True if the path names a workflow file below the workspace. Neither `..` nor a symbolic link may lead
    /// out of it.
    pub fn has_workflow(&self, path: &Path) -> bool {
        let is_below = path.components().all(|component| matches!(component, Component::Normal(_)));
        let is_named = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let (Ok(root), Ok(real)) = (self.root.canonicalize(), self.root.join(path).canonicalize()) else {
            return false;
        };
        is_below && is_named && real.starts_with(&root) && real.is_file()
    }

    /// The files that describe tools, by name.
    pub fn tool_files(&self) -> Vec<PathBuf> {
        yaml_files(&self.dir().join("tools"))
    }

    /// The files that describe agents, by name.
    pub fn agent_files(&self) -> Vec<PathBuf> {
        yaml_files(&self.dir().join("agents"))
    }

    /// The files that describe models, by name.
    pub fn model_files(&self) -> Vec<PathBuf> {
        yaml_files(&self.dir().join("models"))
    }

    /// Secrets that are not exported, a file for each.
    pub fn secrets(&self) -> PathBuf {
        self.dir().join("secrets")
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.root.join(DIRECTORY)
    }

    /// The same, and refuses a link under any name that is used in it.
    pub fn check_all(&self) -> Result<(), StoreError> {
        self.check()?;
        below::refuse_links(&self.dir())
    }

    /// Refuses a directory that somebody else could change, or where locks and syncs mean little.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let dir = self.dir();
        let refused = |why: &str, next| Err(StoreError::refused("use", &dir, why, next));
        let about = fs::symlink_metadata(&dir).map_err(|error| StoreError::io("use", &dir, &error))?;
        if !about.is_dir() {
            return refused(
                "it is not a directory",
                "move it away, or choose another place with --workspace",
            );
        }
        if about.uid() != geteuid().as_raw() {
            return refused("it belongs to somebody else", "choose another place with --workspace");
        }
        if about.mode() & 0o022 != 0 {
            return refused("others may write to it", "run `chmod go-w` on it");
        }
        if is_on_a_network(&dir).map_err(|error| StoreError::io("use", &dir, &error))? {
            return refused("it is on a network file system", "choose a local disk with --workspace");
        }
        Ok(())
    }
}

/// The one spelling of a path: a workspace that is reached through a link is the same workspace.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// At most this many files beside a workspace are read to learn if they are workflows, and of each this much.
const BESIDE_MAX: usize = 200;
const BESIDE_BYTES_MAX: u64 = 64 * 1024;

/// True if a file has the key `steps`, which every workflow has and few other files have.
fn has_steps(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BESIDE_BYTES_MAX).read_to_end(&mut bytes));
    read.is_ok() && bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"steps:"))
}

/// The files of a directory that end as YAML does, by name; none when it is not there.
fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let is_yaml =
        |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_yaml).collect();
    files.sort();
    files
}

/// NFS, SMB and CIFS: their locks and syncs are not those of a disk.
#[cfg(target_os = "linux")]
fn is_on_a_network(dir: &Path) -> io::Result<bool> {
    const MAGIC: [u32; 4] = [0x6969, 0x517B, 0xFE53_4D42, 0xFF53_4D42];
    let kind = rustix::fs::statfs(dir)?.f_type;
    Ok(MAGIC.iter().any(|magic| u32::try_from(kind & 0xFFFF_FFFF).is_ok_and(|number| number == *magic)))
}

/// Elsewhere the name of the file system is not in what the portable call tells.
#[cfg(not(target_os = "linux"))]
fn is_on_a_network(_: &Path) -> io::Result<bool> {
    Ok(false)
}

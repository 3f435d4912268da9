//! The workspaces that their user trusts: a file for each, outside of every workspace. Cloned or unpacked
//! files cannot write there.
//!
//! A workspace is identified by its path, by the inode and birth time of its `.cuelight`, and by an id. The
//! id was drawn at random when it was made or accepted. Beside them stands a hash of each file in it that can
//! act.

use super::{StoreError, Workspace, below, checkpoint::log_name};
use cuelight_base::{Digest, Hasher, safe_text, sha256};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// Directories of a workspace whose files act, or are relied on.
const ACTING_DIRS: [&str; 6] = ["agents", "keys", "models", "secrets", "tools", "workflows"];
/// Directories that this program changes itself, for its user: they are shown, and a change in them does not end trust.
const OWN_DIRS: [&str; 2] = ["keys/", "secrets/"];
/// The database, as a thing that acts: what is open in it is taken up.
pub const DATABASE: &str = "cuelight.db";
/// Records that are kept before those go whose workspace is no more.
const RECORDS_MAX: usize = 1000;
/// Bytes of a file that acts, the database aside. The programs that use one read less.
const THING_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;

/// The records of one user.
#[derive(Clone, Debug)]
pub struct TrustBook {
    dir: PathBuf,
    called: Called,
}

/// Names the files elsewhere that act in a workspace, relative to `.cuelight`: those that its schedules call and that its settings name. An
/// error says which of them cannot be named.
pub type Called = fn(&Workspace) -> Result<Vec<String>, StoreError>;

/// The record of what a user has accepted in a workspace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrustRecord {
    root: PathBuf,
    inode: u64,
    /// Nanoseconds; nothing where the file system does not tell.
    born: Option<u64>,
    /// True when it was made here: its files are the user's own.
    pub is_own: bool,
    /// The name of its log; empty before there is one.
    log: String,
    things: Things,
    /// The id that its file is named by.
    #[serde(skip)]
    id: String,
}

/// A workspace that its user trusts. Nothing but this file makes one, so an engine starts nowhere else.
#[derive(Clone, Debug)]
pub struct Trusted {
    workspace: Workspace,
    /// The record, and the files that were compared with it. Nothing where this process has made the workspace and trust can
    /// be written down nowhere.
    judged: Option<(TrustRecord, Things)>,
}

impl Trusted {
    /// Makes a workspace where none is. This process alone trusts it.
    ///
    /// # Errors
    /// When it cannot be made, or there is one already.
    pub fn make(root: &Path) -> Result<Self, StoreError> {
        let own = Workspace::at(root).dir();
        let made = DirBuilder::new().mode(0o700).create(&own);
        made.map_err(|error| StoreError::io("create", &own, &error))?;
        Ok(Self { workspace: Workspace::create(root)?, judged: None })
    }

    /// The workspace that is trusted or not.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The id that was drawn when this workspace was made or accepted. A copy has another one, or is not trusted. Empty where trust is
    /// written down nowhere.
    pub fn id(&self) -> &str {
        self.judged.as_ref().map_or("", |judged| &judged.0.id)
    }
}

/// Each file that can act, by its name below `.cuelight`, with its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Things(BTreeMap<String, Digest>);

impl Things {
    /// The things of a workspace, its database and the files elsewhere that act in it among them.
    ///
    /// # Errors
    /// When one cannot be read or named, or a link stands in its place.
    pub fn of(workspace: &Workspace, called: Called) -> Result<Self, StoreError> {
        let mut things = Self::of_files(workspace, called)?;
        for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
            things.add(workspace, name)?;
        }
        Ok(things)
    }

    /// The same without the database, which may be large.
    fn of_files(workspace: &Workspace, called: Called) -> Result<Self, StoreError> {
        workspace.check_all()?;
        let mut things = Self::default();
        for name in ["config.toml", "people.toml", "people.toml.sig"] {
            things.add(workspace, name.to_owned())?;
        }
        for place in ACTING_DIRS {
            let dir = workspace.dir().join(place);
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries {
                let entry = entry.map_err(|error| StoreError::io("read", &dir, &error))?;
                if !entry.file_type().is_ok_and(|file_type| file_type.is_file()) {
                    continue;
                }
                // A name that cannot be shown is a file that nobody accepts.
                let name = entry.file_name().into_string().map_err(|name| {
                    StoreError::refused("use", &dir.join(name), "its name is no text", "rename it")
                })?;
                things.add(workspace, format!("{place}/{name}"))?;
            }
        }
        for name in called(workspace)? {
            things.add_called(workspace, name);
        }
        Ok(things)
    }

    /// A file that cannot be read does nothing, and is new when it can be.
    fn add_called(&mut self, workspace: &Workspace, name: String) {
        let path = workspace.dir().join(&name);
        let file = path.canonicalize().and_then(|path| below::open_plain(&path, THING_BYTES_MAX));
        if let Ok(hash) = file.and_then(hash_of) {
            self.0.insert(name, hash);
        }
    }

    fn add(&mut self, workspace: &Workspace, name: String) -> Result<(), StoreError> {
        let path = workspace.dir().join(&name);
        let read = || -> io::Result<Digest> {
            let bytes_max = if name.starts_with(DATABASE) { u64::MAX } else { THING_BYTES_MAX };
            hash_of(below::open_plain(&path, bytes_max)?)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Keys check what was signed: nobody is told to remove them.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge && name.starts_with("keys/") => {
                return Err(StoreError::damaged(&path, error.to_string()));
            }
            hash => drop(self.0.insert(name, hash.map_err(|error| StoreError::io("read", &path, &error))?)),
        }
        Ok(())
    }

    /// Each of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.0.iter().map(|(name, hash)| (name.as_str(), *hash))
    }

    /// One hash over all of them.
    pub fn hash(&self) -> Digest {
        let parts: Vec<&[u8]> =
            self.0.iter().flat_map(|(name, hash)| [name.as_bytes(), &hash.0[..]]).collect();
        sha256("cuelight-things-v1", &parts)
    }

    /// The names of those that act and are not as they were, each with what became of it.
    fn changed_since(&self, before: &Self) -> Vec<String> {
        let acts =
            |text: &&String| !text.starts_with(DATABASE) && !OWN_DIRS.iter().any(|own| text.starts_with(own));
        let now = self.0.iter().filter(|entry| acts(&entry.0)).filter_map(|(name, hash)| {
            match before.0.get(name) {
                None => Some(format!("{name} (new)")),
                Some(known) => (known != hash).then(|| format!("{name} (changed)")),
            }
        });
        let gone = before.0.keys().filter(acts).filter(|key| !self.0.contains_key(*key));
        now.chain(gone.map(|key| format!("{key} (gone)"))).collect()
    }
}

fn hash_of(file: impl io::Read) -> io::Result<Digest> {
    Ok(Hasher::new().with("cuelight-thing-v1").pour(file, &mut io::sink())?.1)
}

impl TrustBook {
    /// The records in a directory, which is made when the first is written. The files that schedules call are part of what is trusted.
    pub fn new(dir: PathBuf, called: Called) -> Self {
        Self { dir, called }
    }

    /// The files of a workspace that are shown, accepted and compared.
    ///
    /// # Errors
    /// When a file of the workspace cannot be read, or a link stands in its place.
    pub fn things(&self, workspace: &Workspace) -> Result<Things, StoreError> {
        Things::of(workspace, self.called)
    }

    /// Makes a workspace that its user trusts from its first moment on: nobody sees it before it has its id. One that is there already stays
    /// as it is.
    ///
    /// # Errors
    /// When it cannot be made, or there is no room for its record.
    pub fn create(&self, root: &Path, id: &str) -> Result<Workspace, StoreError> {
        let workspace = Workspace::at(root);
        let own = workspace.dir();
        if fs::symlink_metadata(&own).is_ok() {
            return Workspace::create(root);
        }
        let new = root.join(format!("{}-{id}", below::DIRECTORY));
        let make = || -> io::Result<()> {
            DirBuilder::new().mode(0o700).create(&new)?;
            DirBuilder::new().mode(0o700).create(new.join("spool"))?;
            let mut file = below::open(&new.join("id"), OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
            file.write_all(format!("{id}\n").as_bytes())?;
            // A workspace without its id would ask whether it is trusted.
            file.sync_all()
        };
        let recorded = make().map_err(|error| StoreError::io("create", &own, &error)).and_then(|()| {
            let record = TrustRecord { is_own: true, ..TrustRecord::of(&workspace, &new)? };
            self.write(id, &record)
        });
        let put = recorded.and_then(|()| match fs::rename(&new, &own) {
            // Somebody was faster, and theirs is as good.
            Err(_) if own.join("id").exists() => {
                drop(fs::remove_file(self.path(id)));
                drop(fs::remove_dir_all(&new));
                Ok(())
            }
            put => put.map_err(|error| StoreError::io("create", &own, &error)),
        });
        if put.is_err() {
            drop(fs::remove_dir_all(&new));
        }
        put?;
        Workspace::create(root)
    }

    /// The record of a workspace that is trusted.
    ///
    /// # Errors
    /// Why it is not trusted: a reason that follows "this workspace is not trusted: ".
    pub fn record(&self, workspace: &Workspace) -> Result<TrustRecord, String> {
        workspace.check_all().map_err(|error| error.to_string())?;
        let Some(id) = id_of(workspace) else {
            return Err(
                "no cuelight of yours made it: it was cloned, unpacked, written by hand, or made before \
                        workspaces were trusted"
                    .to_owned(),
            );
        };
        let Some(mut record) = self.read(&id)? else {
            return Err("it was made elsewhere: there is no record of it here".to_owned());
        };
        let here = TrustRecord::of(workspace, &workspace.dir()).map_err(|error| error.to_string())?;
        if record.root != here.root {
            let before = record.root.display();
            return Err(format!("it was moved or copied: the workspace that was trusted is {before}"));
        }
        if (record.inode, record.born) != (here.inode, here.born) {
            return Err("its .cuelight is another directory than the one that was trusted: it was copied, \
                        restored or unpacked again"
                .to_owned());
        }
        record.id = id;
        Ok(record)
    }

    /// The workspace, when its user trusts it and no hand but theirs has changed it. `tracked` names the files below `.cuelight` that version
    /// control carries, and `is_tracked` says it of a file elsewhere that acts in it; nothing where that cannot be told.
    ///
    /// # Errors
    /// Why it is not trusted: a reason that follows "this workspace is not trusted: ".
    pub fn trusts(
        &self,
        workspace: &Workspace,
        tracked: Option<&[String]>,
        is_tracked: fn(&Path) -> Option<bool>,
    ) -> Result<Trusted, String> {
        let record = self.record(workspace)?;
        let is_database =
            |text: &String| text.rsplit('/').next().is_some_and(|part| part.starts_with(DATABASE));
        let is_shared = tracked.is_none_or(|tracked| !tracked.is_empty());
        let has_database = tracked.is_some_and(|tracked| tracked.iter().any(is_database));
        let (things, changed) =
            self.changed(workspace, &record, has_database).map_err(|error| error.to_string())?;
        // Nobody else's hand reaches the files of a workspace that was made here and that no version control carries.
        let is_of_one_hand = || -> Result<bool, StoreError> {
            let is_alone = |name: &String| is_tracked(&workspace.dir().join(name)) == Some(false);
            Ok(record.is_own && !is_shared && (self.called)(workspace)?.iter().all(is_alone))
        };
        if changed.is_empty() || is_of_one_hand().map_err(|error| error.to_string())? {
            return Ok(Trusted { workspace: workspace.clone(), judged: Some((record, things)) });
        }
        Err(format!("since you trusted it, this changed: {}", safe_text(&changed.join(", "))))
    }

    /// The acting files, and the names of those that have changed since the workspace was trusted. Another database counts as
    /// changed, and is not among the files.
    fn changed(
        &self,
        workspace: &Workspace,
        record: &TrustRecord,
        is_database_shared: bool,
    ) -> Result<(Things, Vec<String>), StoreError> {
        let things = Things::of_files(workspace, self.called)?;
        let mut changed = things.changed_since(&record.things);
        let log = log_name(workspace).unwrap_or_default();
        let has_database = fs::symlink_metadata(workspace.db()).is_ok();
        if has_database && record.log != log && !(record.log.is_empty() && record.is_own) {
            changed.push(format!("{DATABASE} (another log)"));
        } else if has_database && is_database_shared {
            let mut database = Things::default();
            database.add(workspace, DATABASE.to_owned())?;
            if database.0.get(DATABASE) != record.things.0.get(DATABASE) {
                changed.push(format!("{DATABASE} (under version control)"));
            }
        }
        Ok((things, changed))
    }

    /// Trusts a workspace as it is, when it still is what was shown.
    ///
    /// # Errors
    /// When something changed meanwhile, or it cannot be written down.
    pub fn accept(
        &self,
        workspace: &Workspace,
        shown: Digest,
        new_id: &str,
        is_own: bool,
    ) -> Result<(), StoreError> {
        let things = self.things(workspace)?;
        if things.hash() != shown {
            let why = "something in it changed since that was shown";
            return Err(StoreError::refused(
                "trust",
                &workspace.dir(),
                why,
                "look again with `cuelight trust --show`",
            ));
        }
        // The id of a copy belongs to what it was copied from.
        let known = self.record(workspace).ok().and_then(|_| id_of(workspace));
        let id = known.unwrap_or_else(|| new_id.to_owned());
        let path = workspace.dir().join("id");
        let write = || -> io::Result<()> {
            // A clone is open to all.
            fs::set_permissions(workspace.dir(), Permissions::from_mode(0o700))?;
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            below::open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?
                .write_all(format!("{id}\n").as_bytes())
        };
        write().map_err(|error| StoreError::io("write", &path, &error))?;
        let log = log_name(workspace).unwrap_or_default();
        let record = TrustRecord { is_own, log, things, ..TrustRecord::of(workspace, &workspace.dir())? };
        self.write(&id, &record)
    }

    /// Writes down the log that our own engine has begun, and, where files are the user's own, those that were judged:
    /// what came since is judged at the next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&self, trusted: Trusted) -> Result<(), StoreError> {
        let Trusted { workspace, judged: Some((mut record, things)) } = trusted else { return Ok(()) };
        let Some(id) = id_of(&workspace) else { return Ok(()) };
        let before = (record.log.clone(), record.things.clone());
        record.log = log_name(&workspace)?;
        if record.is_own {
            record.things = things;
        }
        if before == (record.log.clone(), record.things.clone()) { Ok(()) } else { self.write(&id, &record) }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn read(&self, id: &str) -> Result<Option<TrustRecord>, String> {
        let path = self.path(id);
        let failed = |why: String| format!("its record {} cannot be used: {why}", path.display());
        let file = match below::open_plain(&path, THING_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(failed(format!("{error}; remove it")));
            }
            file => file.map_err(|error| failed(error.to_string()))?,
        };
        let about = file.get_ref().metadata().map_err(|error| failed(error.to_string()))?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            return Err(failed("others may write to it; remove it".to_owned()));
        }
        serde_json::from_reader(io::BufReader::new(file)).map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Writes a record whole or not at all.
    fn write(&self, id: &str, record: &TrustRecord) -> Result<(), StoreError> {
        let path = self.path(id);
        let failed = |error: io::Error| StoreError::io("write", &path, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(failed)?;
        self.drop_those_gone();
        super::private::write_private(&path, record).map_err(failed)
    }

    /// Drops records of workspaces that are no more, when there are many.
    fn drop_those_gone(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        if all.len() < RECORDS_MAX {
            return;
        }
        for path in all {
            let id = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_gone = |record: TrustRecord| id_of(&Workspace::at(&record.root)).as_deref() != Some(id);
            if self.read(id).ok().flatten().is_some_and(is_gone) {
                drop(fs::remove_file(&path));
            }
        }
    }
}

impl TrustRecord {
    /// The path of a workspace, and the inode and birth of its directory `own`.
    fn of(workspace: &Workspace, own: &Path) -> Result<Self, StoreError> {
        let root = workspace
            .root()
            .canonicalize()
            .map_err(|error| StoreError::io("use", workspace.root(), &error))?;
        let about = fs::symlink_metadata(own).map_err(|error| StoreError::io("use", own, &error))?;
        let born = about.created().ok().and_then(|created| created.duration_since(UNIX_EPOCH).ok());
        Ok(Self {
            root,
            inode: about.ino(),
            born: born.and_then(|born| u64::try_from(born.as_nanos()).ok()),
            is_own: false,
            log: String::new(),
            things: Things::default(),
            id: String::new(),
        })
    }
}

/// The name that signed answers give the log of a workspace: a copy has the same log, and once it is accepted another id. So an answer
/// that was signed for one of them counts in no other.
///
/// # Errors
/// When the keys cannot be read.
pub fn name_to_sign(workspace: &Workspace, id: &str) -> Result<String, StoreError> {
    let log = log_name(workspace)?;
    Ok(if id.is_empty() { log } else { format!("{log}/{id}") })
}

/// The id in the directory of a workspace; empty when it has none. An engine relies on that of its [`Trusted`] alone.
pub fn id_told(workspace: &Workspace) -> String {
    id_of(workspace).unwrap_or_default()
}

/// Reports if a signed answer names a log: by its name alone, as before answers named the id, or with an id.
pub fn is_name_of_log(signed: &str, log: &str) -> bool {
    signed.strip_prefix(log).is_some_and(|rest| rest.is_empty() || !log.is_empty() && rest.starts_with('/'))
}

/// The id that was drawn for a workspace; nothing when it has none that was.
fn id_of(workspace: &Workspace) -> Option<String> {
    let text = below::read_text(&workspace.dir().join("id")).ok()?;
    let id = text.trim();
    let is_one = id.len() == ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| id.to_owned())
}

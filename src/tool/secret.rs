//! Names to values of secrets, and those that are made for one call alone. A value leaves this room only into the environment of a process; it can be neither
//! printed nor compared, and what a process says about it is masked (`mask`).

use super::Masker;
use cuelight_base::{Launch, TextPart};
use rustix::fs::OFlags;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A shorter value would be masked in places that have nothing to do with it, or in base64 not at all.
const SECRET_BYTES_MIN: usize = 4;
/// A shorter value that is exported stands in too many texts by chance.
const EXPORTED_BYTES_MIN: usize = 8;
/// A longer one fits no environment.
const SECRET_BYTES_MAX: usize = 64 * 1024;

/// A value nobody may see: no `Debug`, no `Display`, overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a value over.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    pub(super) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        std::hint::black_box(&mut self.0);
    }
}

/// A text with the values of its secrets; nothing when one of them is not there.
pub(super) fn revealed(parts: &[TextPart], secrets: &BTreeMap<String, Secret>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for part in parts {
        match part {
            TextPart::Text(text) => out.extend_from_slice(text.as_bytes()),
            TextPart::Secret(name) => out.extend_from_slice(secrets.get(name)?.reveal()),
        }
    }
    Some(out)
}

/// A secret that was made for one call: when this is dropped it is there no more.
#[derive(Debug)]
#[must_use = "the secret is there as long as this is"]
pub struct HandedOver<'a> {
    store: &'a SecretStore,
    name: String,
}

impl Drop for HandedOver<'_> {
    fn drop(&mut self) {
        drop(self.store.made.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name));
    }
}

/// Source of secret values: first the variables exported to us, then the files of the workspace.
pub struct SecretStore {
    exported: BTreeMap<String, Secret>,
    dir: PathBuf,
    /// Made for calls that are about to begin, each under a name that no file can have.
    made: Mutex<BTreeMap<String, Secret>>,
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretStore")
    }
}

impl SecretStore {
    /// `exported` is what the operator's environment holds; files lie in `.cuelight/secrets` below the workspace.
    pub fn new(exported: BTreeMap<String, Secret>, workspace_root: &Path) -> Self {
        let (dir, made) = (workspace_root.join(".cuelight/secrets"), Mutex::default());
        Self { exported, dir, made }
    }

    /// No secrets at all.
    pub(super) const fn nothing() -> Self {
        Self { exported: BTreeMap::new(), dir: PathBuf::new(), made: Mutex::new(BTreeMap::new()) }
    }

    /// Puts in place of the secret of this name in a call one that is made for it alone. The call has it once, while what is given back is
    /// there; after that nothing is kept, also where the call never began.
    pub(super) fn hand_over(
        &self,
        launch: &mut Launch,
        name: &str,
        call: &str,
        secret: Secret,
    ) -> HandedOver<'_> {
        let own = format!("{name}/{call}");
        for part in launch.env.iter_mut().flat_map(|pair| &mut pair.1) {
            if *part == TextPart::Secret(name.to_owned()) {
                *part = TextPart::Secret(own.clone());
            }
        }
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(own.clone(), secret);
        HandedOver { store: self, name: own }
    }

    /// Masks every value that is known to be secret: those of the files, and those that are exported under a name that says so.
    ///
    /// # Errors
    /// When they are too large to be looked for.
    pub fn masker(&self) -> Result<Masker, String> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let in_files = names.filter_map(|name| self.find(&name).ok().flatten());
        let exported = self.exported.iter().filter(|(name, value)| {
            value.reveal().len() >= EXPORTED_BYTES_MIN && says_secret(&name.to_ascii_uppercase())
        });
        let all: Vec<Secret> = in_files.chain(exported.map(|entry| entry.1.clone())).collect();
        Masker::new(&all).map_err(|why| format!("its secrets cannot be masked: {why}"))
    }

    /// The value of this name, for what this program itself shows to somebody.
    ///
    /// # Errors
    /// When there is none, or it is no good.
    pub fn value(&self, name: &str) -> Result<Vec<u8>, String> {
        let found = self.find(name)?.ok_or_else(|| not_set(name))?;
        Ok(found.reveal().to_vec())
    }

    /// The value of this name for settings of a workspace: its own file, or what is exported with this word before it, and no other variable.
    ///
    /// # Errors
    /// When there is none, or it is no good.
    pub fn value_for(&self, before: &str, name: &str) -> Result<Vec<u8>, String> {
        let exported = format!("{before}{name}");
        let own = Self { exported: BTreeMap::new(), dir: self.dir.clone(), made: Mutex::default() };
        let is_exported = self.exported.contains_key(&exported);
        let found = if is_exported { self.find(&exported)? } else { own.find(name)? };
        let missing = || {
            format!(
                "secret {name} is not set; write it to .cuelight/secrets/{name}, or export it as {exported}"
            )
        };
        Ok(found.ok_or_else(missing)?.reveal().to_vec())
    }

    /// Why no value can be had by this name, and what to do; nothing when one can.
    pub fn trouble(&self, name: &str) -> Option<String> {
        self.find(name).map_or_else(Some, |secret| secret.is_none().then(|| not_set(name)))
    }

    /// True if this name has a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok_and(|secret| secret.is_some())
    }

    /// All that a launch names, or one sentence that names every one that cannot be had.
    pub(super) fn resolve(&self, launch: &Launch) -> Result<BTreeMap<String, Secret>, String> {
        let (mut found, mut missing) = (BTreeMap::new(), BTreeSet::new());
        for name in launch.secret_names() {
            let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
            match made.map_or_else(|| self.find(name), |secret| Ok(Some(secret)))? {
                Some(secret) => drop(found.insert(name.to_owned(), secret)),
                None => drop(missing.insert(name)),
            }
        }
        let names: Vec<&str> = missing.into_iter().collect();
        match names.as_slice() {
            [] => Ok(found),
            [name] => Err(not_set(name)),
            names => Err(format!(
                "secrets {} are not set; export them or write each to .cuelight/secrets/NAME",
                names.join(", ")
            )),
        }
    }

    fn find(&self, name: &str) -> Result<Option<Secret>, String> {
        if !is_name(name) {
            return Err(format!("{name:?} is no name of a secret; use letters, digits, _ and -"));
        }
        let secret = match self.exported.get(name) {
            Some(secret) => secret.clone(),
            None => match self.read(name)? {
                Some(secret) => secret,
                None => return Ok(None),
            },
        };
        match secret.reveal() {
            value if value.len() < SECRET_BYTES_MIN => Err(format!(
                "secret {name} has fewer than {SECRET_BYTES_MIN} bytes and could not be masked; use a longer value"
            )),
            value if value.len() > SECRET_BYTES_MAX => Err(format!(
                "secret {name} has more than {SECRET_BYTES_MAX} bytes; keep it in a file and pass its path"
            )),
            value if value.contains(&0) => {
                Err(format!("secret {name} holds a NUL byte, which no environment can; encode it"))
            }
            _ => Ok(Some(secret)),
        }
    }

    /// A file of ours that others cannot read; its last line end is not part of the value.
    fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        let shown = format!(".cuelight/secrets/{name}");
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let flags = i32::try_from(flags).expect("the flags of open are an int in C");
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(self.dir.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(format!(
                    "secret {name}: {shown}: {error}; make it a plain file that you can read"
                ));
            }
        };
        let about =
            file.metadata().map_err(|error| format!("secret {name}: {shown}: {error}; see the disk"))?;
        if !about.is_file() {
            return Err(format!("secret {name}: {shown} is no file; write the value to a plain file"));
        }
        if about.mode() & 0o077 != 0 {
            return Err(format!("secret {name}: others can read {shown}; run chmod 600 {shown}"));
        }
        let mut value = Vec::with_capacity(SECRET_BYTES_MAX + 2);
        let read = file.take(SECRET_BYTES_MAX as u64 + 2).read_to_end(&mut value);
        read.map_err(|error| format!("secret {name}: {shown}: {error}; see the disk"))?;
        if value.last() == Some(&b'\n') {
            value.pop();
            if value.last() == Some(&b'\r') {
                value.pop();
            }
        }
        Ok(Some(Secret(value)))
    }
}

fn not_set(name: &str) -> String {
    format!("secret {name} is not set; export it or write it to .cuelight/secrets/{name}")
}

/// True if the name of a variable says that its value is secret.
fn says_secret(name: &str) -> bool {
    let words = [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "CREDENTIAL",
        "API_KEY",
        "APIKEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
    ];
    words.iter().any(|word| name.contains(word))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_made_for_a_call_is_there_once_and_no_longer_than_what_holds_it() {
        let store = SecretStore::nothing();
        let launch_of = |call: &str| {
            let mut launch = Launch::of(["agent"]);
            launch.env.push(("TOKEN".to_owned(), vec![TextPart::Secret("made".to_owned())]));
            let held = store.hand_over(&mut launch, "made", call, Secret::new("a token of its own"));
            (launch, held)
        };
        let (one, held) = launch_of("r-1.0.1");
        let (other, dropped) = launch_of("r-2.0.1");
        drop(dropped);
        assert_eq!(store.resolve(&one).expect("the call has it").len(), 1);
        assert!(store.resolve(&one).is_err(), "it has it once");
        assert!(store.resolve(&other).is_err(), "nobody holds it");
        drop(held);
        assert!(store.made.lock().expect("nobody panicked").is_empty());
    }
}

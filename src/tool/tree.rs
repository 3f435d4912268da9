//! A workspace as it was when a gate asked: every file is copied below `.cuelight` under the hash of its bytes, and a list of
//! all entries (path, mode, time, hash) has one hash over it. Approved steps run from a copy that is laid out anew for each
//! call; each file of it is compared with its hash while it is written.
//!
//! `.git` and `.cuelight` do not belong to it. A link is captured as a link.

mod capture;
mod lay_out;

use crate::own_dir::make_own_dir;
use capture::Capture;
use cuelight_base::{Digest, sha256};
use lay_out::entries;
pub use lay_out::lay_out_tree;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

/// The list of all entries, beside the files.
const MANIFEST: &str = "manifest";
/// Bytes of that list.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bits of a mode that are kept: no set-user-id.
const MODE_MASK: u32 = 0o777;

/// A captured tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Over the list of all entries.
    pub digest: Digest,
    /// Number of files captured.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Paths that nobody is bound to, each with the reason.
    pub notes: Vec<(String, String)>,
}

/// One line of the list.
#[derive(Serialize, Deserialize)]
struct Entry {
    path: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Kind {
    Directory,
    File {
        mode: u32,
        modified_s: i64,
        modified_ns: i64,
        bytes: u64,
        digest: Digest,
    },
    Link {
        to: String,
    },
    /// Nobody is bound to it.
    Note {
        why: String,
    },
}

/// Captures the workspace below `store`, in a directory whose name is the hash. Patterns say which files belong to it; none
/// mean all. `copies` is where trees are laid out: it may lie in the workspace of a user whose home that is.
///
/// # Errors
/// Why it could not be captured, with what to do.
pub fn capture_tree(
    root: &Path,
    patterns: &[String],
    store: &Path,
    copies: &Path,
) -> Result<Captured, String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = store.join(format!("new-{}-{number}", std::process::id()));
    let said =
        |error: io::Error| format!("could not capture the workspace: {error}; see {}", store.display());
    remove_tree(&new).and_then(|()| make_own_dir(&new)).map_err(said)?;
    let root = &root.canonicalize().map_err(said)?;
    let captured =
        Capture::of(root, patterns, copies).and_then(|capture| capture.copy(&new)).and_then(|captured| {
            let place = store.join(captured.digest.to_string());
            take_place(&new, &place).map_err(said)?;
            Ok(captured)
        });
    // What cannot be removed now is removed with its run.
    drop(remove_tree(&new));
    captured
}

/// The same tree may have been captured before, and somebody may have written to that copy. A call that reads it meanwhile
/// finds one of the two.
fn take_place(new: &Path, place: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(_) => remove_tree(place).and_then(|()| fs::rename(new, place)),
    }
}

/// A tree that was captured before.
///
/// # Errors
/// Why it cannot be used.
pub fn captured_tree(store: &Path, digest: Digest) -> Result<Captured, String> {
    let mut captured = Captured { digest, files: 0, bytes: 0, notes: Vec::new() };
    for entry in entries(&store.join(digest.to_string()), digest)? {
        match entry.kind {
            Kind::File { bytes, .. } => {
                captured.files += 1;
                captured.bytes += bytes;
            }
            Kind::Note { why } => captured.notes.push((entry.path, why)),
            Kind::Directory | Kind::Link { .. } => {}
        }
    }
    Ok(captured)
}

/// True for a directory, and false for a link that leads to one.
pub fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn add(manifest: &mut Vec<u8>, entry: &Entry) {
    manifest.extend(serde_json::to_vec(entry).expect("its keys are texts"));
    manifest.push(b'\n');
}

/// Removes a tree, also one that was never there.
///
/// # Errors
/// Why it could not be removed.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the trees in a directory that nobody needs any more, by their names.
pub fn tidy_trees(dir: &Path, is_needed: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(&is_needed) {
            // What cannot be removed now is tried again at the next start.
            drop(remove_tree(&entry.path()));
        }
    }
}

/// The directory of an entry, where only the entry itself was captured.
fn parent_of(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), make_dirs)
}

fn make_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn open_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)
}

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).expect("the flags of open are an int in C")
}

fn digest_of(manifest: &[u8]) -> Digest {
    sha256("cuelight-tree-v1", &[manifest])
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuelight_base::{TREE_BYTES_MAX, TREE_ENTRIES_MAX};
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    struct Bench(tempfile::TempDir);

    impl Bench {
        /// A workspace with a script, its data, a link, and what never belongs to it.
        fn new() -> Self {
            let bench = Self(tempfile::tempdir().expect("a directory"));
            for (path, text) in [
                ("bin/w.sh", "echo good"),
                ("data", "1"),
                (".git/config", "x"),
                (".cuelight/id", "x"),
                ("target/deep/big.o", "0"),
            ] {
                bench.write(path, text);
            }
            fs::set_permissions(bench.root().join("bin/w.sh"), Permissions::from_mode(0o750)).expect("set");
            symlink("bin", bench.root().join("current")).expect("linked");
            bench
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("work")
        }

        fn store(&self) -> PathBuf {
            self.0.path().join("store")
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn capture(&self, patterns: &[&str]) -> Result<Captured, String> {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            capture_tree(&self.root(), &patterns, &self.store(), &self.0.path().join("copy"))
        }

        fn lay_out(&self, digest: Digest) -> Result<PathBuf, String> {
            let to = self.0.path().join("copy");
            lay_out_tree(&self.store(), digest, &to).map(|()| to)
        }

        fn kept(&self, digest: Digest) -> Vec<PathBuf> {
            let entries = fs::read_dir(self.store().join(digest.to_string())).expect("there");
            entries.map(|entry| entry.expect("read").path()).collect()
        }
    }

    fn paths(notes: &[(String, String)]) -> Vec<&str> {
        notes.iter().map(|note| note.0.as_str()).collect()
    }

    #[test]
    fn a_copy_has_the_bytes_modes_times_and_links_of_the_moment_it_was_captured() {
        let bench = Bench::new();
        let captured = bench.capture(&[]).expect("captured");
        assert_eq!((captured.files, captured.bytes), (3, 11));
        assert_eq!(paths(&captured.notes), [".git"]);
        let before = fs::metadata(bench.root().join("bin/w.sh")).expect("there");
        bench.write("bin/w.sh", "echo evil");
        fs::remove_file(bench.root().join("data")).expect("removed");
        let copy = bench.lay_out(captured.digest).expect("laid out");
        let script = copy.join("current/w.sh");
        assert_eq!(fs::read_to_string(&script).expect("there"), "echo good");
        let after = fs::metadata(script).expect("there");
        assert_eq!(after.permissions().mode() & 0o777, 0o750);
        assert_eq!(after.modified().expect("told"), before.modified().expect("told"));
        assert_eq!(fs::read_to_string(copy.join("data")).expect("there"), "1");
        assert!(!copy.join(".git").exists() && !copy.join(".cuelight").exists());
        assert_eq!(captured_tree(&bench.store(), captured.digest), Ok(captured));
    }

    #[test]
    fn the_same_files_have_the_same_hash_and_a_mode_makes_another() {
        let bench = Bench::new();
        let first = bench.capture(&[]).expect("captured");
        assert_eq!(bench.capture(&[]).expect("captured"), first);
        fs::set_permissions(bench.root().join("data"), Permissions::from_mode(0o755)).expect("set");
        assert_ne!(bench.capture(&[]).expect("captured").digest, first.digest);
    }

    #[test]
    fn a_captured_file_or_list_that_somebody_wrote_to_is_not_laid_out() {
        let bench = Bench::new();
        let digest = bench.capture(&[]).expect("captured").digest;
        for path in bench.kept(digest) {
            let before = fs::read(&path).expect("read");
            fs::write(&path, b"echo evil").expect("written");
            let said = bench.lay_out(digest).expect_err("changed");
            assert!(said.contains("has changed"), "{said}");
            fs::remove_file(&path).expect("removed");
            bench.lay_out(digest).expect_err("gone");
            fs::write(&path, before).expect("written");
            bench.lay_out(digest).expect("as it was");
        }
        for path in bench.kept(digest) {
            fs::write(&path, b"echo evil").expect("written");
        }
        assert_eq!(bench.capture(&[]).expect("captured").digest, digest, "captured once more");
        bench.lay_out(digest).expect("whole again");
    }

    #[test]
    fn patterns_say_what_is_captured_and_what_is_left_out_is_noted() {
        let bench = Bench::new();
        let check = |patterns: &[&str], files: &[&str], notes: &[&str]| {
            let captured = bench.capture(patterns).expect("captured");
            let copy = bench.lay_out(captured.digest).expect("laid out");
            for file in ["bin/w.sh", "data", "target/deep/big.o"] {
                assert_eq!(copy.join(file).exists(), files.contains(&file), "{file} of {patterns:?}");
            }
            assert_eq!(paths(&captured.notes), notes, "{patterns:?}");
        };
        check(&["!target"], &["bin/w.sh", "data"], &[".git", "target"]);
        check(&["**", "!target/**"], &["bin/w.sh", "data"], &[".git", "target"]);
        check(&["bin/*.sh"], &["bin/w.sh"], &[".git", "current", "data", "target"]);
        let all = ["bin/w.sh", "data", "target/deep/big.o"];
        check(&["**", "!target", "target/deep"], &all, &[".git"]);
    }

    #[test]
    fn a_link_that_leads_out_stays_a_link_and_is_noted() {
        let bench = Bench::new();
        for (name, to) in [("etc", "/etc/hosts"), ("up", "bin/../../x"), ("bin/side", "../data")] {
            symlink(to, bench.root().join(name)).expect("linked");
        }
        let captured = bench.capture(&[]).expect("captured");
        assert_eq!(paths(&captured.notes), [".git", "etc", "up"]);
        assert!(captured.notes[1].1.ends_with("a link that leads out of the workspace, to /etc/hosts"));
        let copy = bench.lay_out(captured.digest).expect("laid out");
        assert_eq!(fs::read_link(copy.join("etc")).expect("a link"), Path::new("/etc/hosts"));
    }

    #[test]
    fn a_workspace_that_is_too_large_is_not_captured_and_the_largest_directory_is_named() {
        let bench = Bench::new();
        for number in 0..=TREE_ENTRIES_MAX {
            bench.write(&format!("node_modules/{number}"), "");
        }
        let said = bench.capture(&[]).expect_err("too large");
        assert!(said.contains("consent: {snapshot: \"!node_modules\"}"), "{said}");
        assert_eq!(fs::read_dir(bench.store()).expect("there").count(), 0, "nothing is left behind");
        bench.capture(&["!node_modules"]).expect("captured");
        let large = File::create(bench.root().join("image")).expect("made");
        large.set_len(TREE_BYTES_MAX + 1).expect("sparse");
        let said = bench.capture(&["!node_modules"]).expect_err("too large");
        assert!(said.contains("\"!image\""), "{said}");
    }
}

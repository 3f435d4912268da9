//! Files that a call executes, each opened once: the bytes that are hashed and the program that runs come
//! from the same descriptor. A file that replaces it afterwards, or is written over, is not run.
//!
//! A script, and a program of the workspace, is copied into memory and sealed there; the copy is hashed and
//! run. Its interpreter would otherwise open it by name, and somebody could write to it. An installed program
//! is run by its descriptor, so that it finds its libraries beside itself. A script that is found by its bare
//! name (a shim) asks for the name it was called by. It is hashed right before it is started by its path.
//!
//! The engine says which files must be unchanged; `process` starts the program.

use super::{
    named,
    program::{Obstacle, directory, program},
};
use cuelight_base::{Digest, HASHED_BYTES_MAX, Hasher, NOT_BOUND, Program};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
        },
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A script, or a program of the workspace, may have so many bytes.
pub(super) const COPY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Scripts that name scripts as their interpreters.
const DEPTH_MAX: usize = 4;
/// Installed programs whose hashes are remembered.
const REMEMBERED_MAX: usize = 256;
/// The first line of a script is read so far (Linux reads 256 bytes).
const FIRST_LINE_BYTES_MAX: usize = 256;

/// A file that is executed, as it was when it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// The path: relative to the workspace, or absolute.
    pub path: String,
    /// The plain SHA-256 of its bytes; nothing when it could not be read.
    pub digest: Option<Digest>,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Why it could not be read.
    pub problem: Option<String>,
}

impl Executed {
    /// True for a file that an approval is bound to; false for data that is only named.
    pub fn is_bound(&self) -> bool {
        self.problem.as_ref().is_none_or(|problem| !problem.starts_with(NOT_BOUND))
    }
}

/// The files of a call, open.
#[derive(Debug)]
pub struct Executable {
    files: Vec<Executed>,
    start: Option<Start>,
}

/// The data to start the program without opening anything by name again.
#[derive(Debug)]
struct Start {
    /// The path of the descriptor that is executed, or of a shim.
    path: PathBuf,
    /// Words that replace the first `taken` words of the call.
    words: Vec<OsString>,
    /// Number of the call's words that `words` replaces.
    taken: usize,
    /// Descriptors that must stay open while it runs.
    kept: Vec<OwnedFd>,
}

impl Executable {
    /// The files, in the order in which they read each other: the program, then the script; then its directory and the
    /// files that its other words name.
    pub fn files(&self) -> &[Executed] {
        &self.files
    }

    /// True when an approval is bound to the same files, with the same bytes.
    pub(super) fn is_as(&self, approved: &[Executed]) -> bool {
        self.files
            .iter()
            .filter(|file| file.is_bound())
            .eq(approved.iter().filter(|executed| executed.is_bound()))
    }

    /// The program to execute, its words, and the number of the call's words that these replace. `None`
    /// unless all files could be opened.
    pub(super) fn start(&self) -> Option<(&Path, &[OsString], usize)> {
        self.start.as_ref().map(|start| (start.path.as_path(), start.words.as_slice(), start.taken))
    }

    /// True if this path names a descriptor that is open here for the call.
    pub(super) fn holds(&self, path: &OsStr) -> bool {
        let mut kept = self.start.iter().flat_map(|start| &start.kept).map(AsRawFd::as_raw_fd);
        let us = std::process::id().to_string();
        kept.any(|raw_fd| {
            ["self", &us].iter().any(|us| path == OsStr::new(&format!("/proc/{us}/fd/{raw_fd}")))
        })
    }
}

/// Hashes of installed programs, by all that changes when somebody writes to one.
#[derive(Default)]
pub(super) struct Remembered(Mutex<BTreeMap<[i128; 5], Digest>>);

/// The places in which names are looked up, as every program inherits them.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// Value of the variable `PATH`, if it is set.
    pub(super) search: Option<&'a str>,
    /// Value of the variable `HOME`, if it is set.
    pub(super) home: Option<&'a str>,
}

/// Opens what a call executes. What cannot be opened is a problem that is told, not an error: it is compared as it is.
pub(super) fn open(root: &Path, places: Places<'_>, of: &Program, known: &Remembered) -> Executable {
    let mut opening = Opening { root, known, files: Vec::new(), kept: Vec::new() };
    let start = opening.start(places.search, of);
    let Opening { mut files, kept, .. } = opening;
    let start = match start {
        Ok((path, words, taken)) => Some(Start { path, words, taken, kept }),
        Err((path, problem)) => {
            files.push(Executed { path, digest: None, bytes: 0, problem: Some(problem) });
            None
        }
    };
    if let Ok(dir) = directory(root, of.dir.as_deref()) {
        let places = Places { search: of.search.as_deref().or(places.search), ..places };
        named::add((root, &dir), places, of, known, &mut files);
    }
    Executable { files, start }
}

struct Opening<'a> {
    root: &'a Path,
    known: &'a Remembered,
    files: Vec<Executed>,
    kept: Vec<OwnedFd>,
}

/// A path and why it could not be opened.
type Problem = (String, String);

/// A file that was opened and hashed.
struct Opened {
    /// The path by which it is executed or read.
    path: OsString,
    /// Its first line says who reads it.
    reader: Option<Vec<OsString>>,
    /// True if no interpreter has to be found: a binary program, or a shim that is started by its path.
    is_binary: bool,
}

impl Opening<'_> {
    fn start(
        &mut self,
        search: Option<&str>,
        of: &Program,
    ) -> Result<(PathBuf, Vec<OsString>, usize), Problem> {
        let said = |error: Obstacle| (of.word.clone(), error.said);
        let dir = directory(self.root, of.dir.as_deref()).map_err(said)?;
        let search = of.search.as_deref().or(search);
        let path = program(&of.word, search, &dir).map_err(said)?;
        let by_name = !of.word.contains('/');
        let found = self.open(&path, by_name)?;
        let mut rest = Vec::new();
        if let Some(script) = &of.script {
            let opened = self.open(&dir.join(script), false)?;
            rest.push(opened.path);
        }
        let taken = 1 + rest.len();
        if found.is_binary {
            let words = std::iter::once(OsString::from(&of.word)).chain(rest).collect();
            return Ok((found.path.into(), words, taken));
        }
        let shell = of.shell.as_deref().unwrap_or("/bin/sh");
        let (path, mut words) = self.reader_of(found, shell, search, &dir)?;
        words.extend(rest);
        Ok((path, words, taken))
    }

    /// The program that reads a script, as the kernel would find it: the words of its first line, then its path.
    fn reader_of(
        &mut self,
        script: Opened,
        shell: &str,
        search: Option<&str>,
        dir: &Path,
    ) -> Result<(PathBuf, Vec<OsString>), Problem> {
        let mut found = script;
        let mut words: Vec<OsString> = Vec::new();
        for _ in 0..DEPTH_MAX {
            if found.is_binary {
                return Ok((found.path.into(), words));
            }
            let mut reader = match found.reader {
                Some(words) => words,
                // What a shell does with a file that does not say who reads it.
                None => vec![OsString::from(shell)],
            };
            // `env` would look for the same program on the same path, at a moment of its own.
            let by_env = by_env(&reader);
            let by_name = by_env.is_some();
            if let Some(called) = by_env {
                reader = called;
            }
            let name = reader[0].to_string_lossy().into_owned();
            let path = program(&name, search, dir).map_err(|error| (name.clone(), error.said))?;
            reader.push(found.path);
            reader.extend(words.into_iter().skip(1));
            words = reader;
            found = self.open(&path, by_name)?;
        }
        Err((self.shown(&PathBuf::from(&words[0])), "scripts that read scripts that read scripts".to_owned()))
    }

    /// Opens, hashes and notes one file.
    fn open(&mut self, path: &Path, by_name: bool) -> Result<Opened, Problem> {
        let failed = |shown: String, error: io::Error| (shown, format!("{error}; see the file"));
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = file.map_err(|error| failed(self.shown(path), error))?;
        let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let real = real.map_err(|error| failed(self.shown(path), error))?;
        let shown = self.shown(&real);
        let about = file.metadata().map_err(|error| failed(shown.clone(), error))?;
        if !about.is_file() {
            return Err((shown, "it is no plain file; name one".to_owned()));
        }
        let mut head = [0; FIRST_LINE_BYTES_MAX];
        let length = file.read_at(&mut head, 0).map_err(|error| failed(shown.clone(), error))?;
        let head = &head[..length];
        let is_binary = is_program(head);
        let is_ours = !shown.starts_with('/');
        if !is_ours && (is_binary || by_name) {
            let digest = self.known.hash(&file, &about).map_err(|error| failed(shown.clone(), error))?;
            self.note(shown, digest, about.len());
            if !is_binary {
                return Ok(Opened { path: real.into(), reader: None, is_binary: true });
            }
            let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
            self.kept.push(file.into());
            return Ok(Opened { path, reader: None, is_binary });
        }
        let (copy, digest, bytes) = copy(file).map_err(|error| failed(shown.clone(), error))?;
        let head = read_head(&copy).map_err(|error| failed(shown.clone(), error))?;
        self.note(shown, digest, bytes);
        let is_binary = is_program(&head);
        // Whoever reads it does so by a path that means the same in every process, and needs no descriptor of its own.
        let path = format!("/proc/{}/fd/{}", std::process::id(), copy.as_raw_fd()).into();
        self.kept.push(copy.into());
        Ok(Opened { path, reader: first_line(&head), is_binary })
    }

    fn note(&mut self, path: String, digest: Digest, bytes: u64) {
        self.files.push(Executed { path, digest: Some(digest), bytes, problem: None });
    }

    fn shown(&self, path: &Path) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.to_owned());
        shown(&root, path)
    }
}

/// A path below the workspace, or an absolute one, as people are shown it. Two paths never look alike: a byte that is no text
/// is written by its number, and a backslash twice.
pub(super) fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let mut shown = String::new();
    for chunk in below.as_os_str().as_bytes().utf8_chunks() {
        shown.push_str(&chunk.valid().replace('\\', "\\\\"));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}

/// The bytes of a file in memory that nobody can write to, and their hash.
fn copy(file: File) -> io::Result<(File, Digest, u64)> {
    let mut bytes = Vec::new();
    file.take(COPY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > COPY_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {COPY_BYTES_MAX} bytes")));
    }
    let mut writable = File::from(memfd_create("approved", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    writable.write_all(&bytes)?;
    fcntl_add_seals(&writable, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    // The kernel executes nothing that somebody holds open for writing.
    let readable = File::open(format!("/proc/self/fd/{}", writable.as_raw_fd()))?;
    let digest = Digest::of(&bytes);
    Ok((readable, digest, bytes.len() as u64))
}

/// True for the first bytes of a program of the machine.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

pub(super) fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; FIRST_LINE_BYTES_MAX];
    let length = file.read_at(&mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// `#!/usr/bin/env python3`: the program, and all the rest as one word, as Linux has it.
pub(super) fn first_line(head: &[u8]) -> Option<Vec<OsString>> {
    let line = head.strip_prefix(b"#!")?.split(|c| *c == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|value| value.is_ascii_whitespace()).unwrap_or(line.len());
    let (program, rest) = line.split_at(end);
    let word = |rest: &[u8]| OsString::from_vec(rest.to_vec());
    let rest = Some(rest.trim_ascii()).filter(|rest| !rest.is_empty()).map(word);
    (!program.is_empty()).then(|| std::iter::once(word(program)).chain(rest).collect())
}

/// The words that `env` would start, for `#!/usr/bin/env python3` and `#!/usr/bin/env -S python3 -u`; nothing where it does more.
fn by_env(reader: &[OsString]) -> Option<Vec<OsString>> {
    let [env, rest] = reader else { return None };
    let rest = rest.to_str().filter(|_| Path::new(env).file_name() == Some(OsStr::new("env")))?;
    let words: Vec<&str> = match rest.strip_prefix("-S") {
        Some(rest) => rest.split_ascii_whitespace().collect(),
        None => vec![rest],
    };
    let is_plain = |word: &&str| !word.contains(|c: char| c.is_whitespace() || "\"'\\$#".contains(c));
    let starts = words.first().is_some_and(|word| !word.starts_with('-') && !word.contains('='));
    (starts && words.iter().all(is_plain)).then(|| words.into_iter().map(OsString::from).collect())
}

/// The program that a first line has `env` look for, whatever else it has it do.
pub(super) fn env_program(reader: &[OsString]) -> Option<OsString> {
    let [env, rest] = reader else { return None };
    let rest = rest.to_str().filter(|_| Path::new(env).file_name() == Some(OsStr::new("env")))?;
    let mut words =
        rest.split_ascii_whitespace().filter(|word| !word.starts_with('-') && !word.contains('='));
    words.next().map(OsString::from)
}

impl Remembered {
    /// The hash of a file that lies outside the workspace. Read through the descriptor, unless this very file was, and nobody
    /// has written to it since. What changed a moment ago is not remembered: clocks of file systems are coarse. Nor is a
    /// file that others than root may write: a write through a mapping of memory can leave all times as they are.
    pub(super) fn hash(&self, file: &File, about: &Metadata) -> io::Result<Digest> {
        let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let changed = time(about.ctime(), about.ctime_nsec());
        let key = [
            i128::from(about.dev()),
            i128::from(about.ino()),
            i128::from(about.size()),
            time(about.mtime(), about.mtime_nsec()),
            changed,
        ];
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = lock().get(&key) {
            return Ok(*digest);
        }
        let digest = hash(file, about)?;
        let is_installed = about.uid() == 0 && about.mode() & 0o022 == 0;
        let is_settled = is_older_than_a_moment(changed);
        let mut known = lock();
        if is_installed && is_settled && known.len() < REMEMBERED_MAX {
            known.insert(key, digest);
        }
        Ok(digest)
    }
}

/// Reads all bytes of a file through its descriptor.
pub(super) fn hash(file: &File, about: &Metadata) -> io::Result<Digest> {
    let mut hasher = Hasher::new();
    let (mut buffer, mut at) = (vec![0; 256 * 1024], 0);
    loop {
        // Also of a file that grows meanwhile.
        if about.size().max(at) > HASHED_BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {HASHED_BYTES_MAX} bytes")));
        }
        let length = file.read_at(&mut buffer, at)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        at += length as u64;
    }
    Ok(hasher.finish())
}

/// True if a file's time is over two seconds older than that of a file made now. The only clock used here is
/// the file system's.
fn is_older_than_a_moment(changed: i128) -> bool {
    const MOMENT_NANOS: i128 = 2_000_000_000;
    let now = fs::metadata("/proc/self/stat").ok();
    let now =
        now.map(|metadata| i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()));
    now.is_some_and(|now| now - changed > MOMENT_NANOS)
}

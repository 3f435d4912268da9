//! Files that the words of a call name: those that are executed are hashed, and an approval is bound to them; data is only
//! named. A file is executed where its call says so, or where it looks so: it may be executed, begins with `#!` or like a
//! program, or has the ending of a script.

use super::{
    executable::{
        COPY_BYTES_MAX, Executed, Places, Remembered, env_program, first_line, is_program, read_head,
    },
    glob::Globs,
    program::program,
};
use crate::base::{NAMED_WORDS_MAX, NOT_BOUND, Program, sha256};
use rustix::fs::{AtFlags, CWD, OFlags, StatxFlags, statx};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

/// Files of one call that are listed.
const FILES_MAX: usize = 200;
/// Names in a directory that a pattern is compared with.
const ENTRIES_MAX: usize = 5000;
/// Endings of files that some program reads as a script or a recipe.
const SCRIPTS: &[&str] = &[
    "awk", "bash", "bat", "cjs", "class", "cmake", "cmd", "cts", "ex", "exs", "fish", "gradle", "groovy",
    "hcl", "jar", "jl", "js", "ksh", "kts", "lua", "mjs", "mk", "mts", "nix", "php", "pl", "pm", "ps1", "py",
    "pyz", "r", "rb", "scala", "sed", "sh", "so", "sql", "tcl", "tf", "tfvars", "ts", "tsx", "wasm", "whl",
    "zsh",
];
/// Trees whose files are no files.
const OF_THE_KERNEL: &[&str] = &["/proc", "/sys", "/dev"];

/// A pattern that takes at least what one with brackets does: `?.sh` for `[ab].sh`.
fn any_for_brackets(pattern: &str) -> String {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, from)) = rest.split_once('[') {
        out.push_str(before);
        // The first sign in brackets closes nothing: `[]a]`.
        let Some(end) = from.char_indices().skip(1).find(|it| it.1 == ']').map(|it| it.0) else {
            out.push('[');
            rest = from;
            continue;
        };
        out.push('?');
        rest = &from[end + 1..];
    }
    out + rest
}

/// Adds the files that a call names to those that it starts with.
pub(super) fn add(
    (root, dir): (&Path, &Path),
    Places { search, home }: Places<'_>,
    of: &Program,
    known: &Remembered,
    files: &mut Vec<Executed>,
) {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let listed = files.iter().map(|it| it.path.clone()).collect();
    let places = search.unwrap_or_default().split(':').filter(|it| !it.is_empty()).map(|it| dir.join(it));
    let ours = places.filter(|it| it.canonicalize().is_ok_and(|it| it.starts_with(&root))).collect();
    let mut naming = Naming { root, dir, search, home, ours, known, listed, files, left_out: 0 };
    // Asks of earlier versions say nothing of it.
    if of.dir.is_some() && of.all_words {
        naming.directory(of.later);
    }
    of.runs.iter().for_each(|it| naming.word(it, true));
    of.names.iter().for_each(|it| naming.word(it, false));
    let left_out = naming.left_out;
    if of.runs.len() + of.names.len() >= NAMED_WORDS_MAX {
        let problem = format!("{NOT_BOUND}: only the first {NAMED_WORDS_MAX} are looked at");
        files.push(Executed {
            path: "… and more words".to_owned(),
            digest: None,
            bytes: 0,
            problem: Some(problem),
        });
    }
    if left_out > 0 {
        let problem = format!("{NOT_BOUND}: more files than the {FILES_MAX} that are listed");
        files.push(Executed {
            path: format!("… and {left_out} more"),
            digest: None,
            bytes: 0,
            problem: Some(problem),
        });
    }
}

struct Naming<'a> {
    root: PathBuf,
    dir: &'a Path,
    search: Option<&'a str>,
    home: Option<&'a str>,
    /// Directories of the workspace in which programs are looked for.
    ours: Vec<PathBuf>,
    known: &'a Remembered,
    listed: BTreeSet<String>,
    files: &'a mut Vec<Executed>,
    left_out: usize,
}

impl Naming<'_> {
    /// The working directory: its place behind all links, and which one it is. A link that is turned, and another
    /// directory in its place, are other directories. Steps in between may make theirs anew: there the place counts.
    fn directory(&mut self, later: bool) {
        let Ok(real) = self.dir.canonicalize() else { return };
        let mask = StatxFlags::INO | StatxFlags::BTIME;
        let Ok(about) = statx(CWD, &real, AtFlags::empty(), mask) else { return };
        // A number that was given back is given out again; the moment it was made tells one directory from the next.
        let made = about.stx_btime;
        let which = [
            u64::from(about.stx_dev_major) << 32 | u64::from(about.stx_dev_minor),
            about.stx_ino,
            made.tv_sec.cast_unsigned(),
            u64::from(made.tv_nsec),
        ];
        let which = which.map(|number| if later { 0 } else { number }.to_be_bytes()).concat();
        let digest = sha256("cuelight-directory-v1", &[&which, real.as_os_str().as_bytes()]);
        let path = format!("{}/", self.shown(&real));
        self.files.push(Executed { path, digest: Some(digest), bytes: 0, problem: None });
    }

    fn word(&mut self, word: &str, runs: bool) {
        let home = word.strip_prefix("~/").and_then(|rest| Some(Path::new(self.home?).join(rest)));
        let place = home.unwrap_or_else(|| self.dir.join(word));
        if word.contains(['*', '?', '[']) {
            let (Some(parent), Some(pattern)) = (place.parent(), place.file_name()) else { return };
            for path in self.matching(parent, &any_for_brackets(&pattern.to_string_lossy())) {
                self.file(&path, runs);
            }
        }
        self.file(&place, runs);
        // A program of the workspace that is found by its bare name.
        if !word.contains('/') {
            for place in self.ours.clone() {
                self.file(&place.join(word), runs);
            }
        }
    }

    fn matching(&self, parent: &Path, pattern: &str) -> Vec<PathBuf> {
        let (Ok(globs), Ok(entries)) = (Globs::new(&[pattern.to_owned()]), fs::read_dir(parent)) else {
            return Vec::new();
        };
        let names = entries.take(ENTRIES_MAX).filter_map(|it| Some(it.ok()?.file_name()));
        let mut names: Vec<OsString> = names.filter(|it| globs.takes(&[it.as_bytes()])).collect();
        names.sort();
        names.into_iter().map(|it| parent.join(it)).collect()
    }

    fn file(&mut self, path: &Path, runs: bool) {
        let Ok(real) = path.canonicalize() else { return };
        let is_ours = path.starts_with(&self.root) || real.starts_with(&self.root);
        if real.starts_with(self.root.join(".cuelight"))
            || OF_THE_KERNEL.iter().any(|it| real.starts_with(it))
        {
            return;
        }
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
        let Ok(about) = fs::metadata(&real) else { return };
        let is_here = || self.dir.canonicalize().is_ok_and(|it| it == real);
        if about.is_dir() && is_ours && real != self.root && !is_here() {
            self.note(self.shown(&real), Err(format!("{NOT_BOUND}: a directory, and what is in it")));
        }
        if !about.is_file() {
            return;
        }
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&real);
        let shown = self.shown(&real);
        let (file, head) = match opened.and_then(|it| read_head(&it).map(|head| (it, head))) {
            Ok(read) => read,
            Err(error) => {
                if is_ours || runs {
                    self.note(shown, Err(format!("{NOT_BOUND}: {error}")));
                }
                return;
            }
        };
        let ending = real.extension().and_then(OsStr::to_str).map(str::to_lowercase);
        let is_executed = runs
            || about.permissions().mode() & 0o111 != 0
            || head.starts_with(b"#!")
            || is_program(&head)
            || ending.is_some_and(|it| SCRIPTS.contains(&it.as_str()));
        if !is_executed {
            if is_ours {
                self.note(shown, Err(NOT_BOUND.to_owned()));
            }
            return;
        }
        if self.bind(shown, &file) && !is_program(&head) {
            self.reader(&head);
        }
    }

    /// The program that reads a script, as its first line names it.
    fn reader(&mut self, head: &[u8]) {
        let Some(words) = first_line(head) else { return };
        let name = env_program(&words).unwrap_or_else(|| words[0].clone());
        let found = name.to_str().and_then(|it| program(it, self.search, self.dir).ok());
        let Some(real) = found.and_then(|it| it.canonicalize().ok()) else { return };
        if let Ok(file) = File::open(&real) {
            self.bind(self.shown(&real), &file);
        }
    }

    /// True when it was not listed before.
    fn bind(&mut self, shown: String, file: &File) -> bool {
        let hashed = file.metadata().and_then(|about| {
            if about.len() > COPY_BYTES_MAX {
                return Ok(Err(format!("{NOT_BOUND}: it has more than {COPY_BYTES_MAX} bytes")));
            }
            self.known.hash(file, &about, !shown.starts_with('/')).map(|digest| Ok((digest, about.len())))
        });
        let hashed = hashed.unwrap_or_else(|error| Err(format!("{NOT_BOUND}: {error}")));
        self.note(shown, hashed)
    }

    fn note(&mut self, path: String, found: Result<(crate::base::Digest, u64), String>) -> bool {
        if self.listed.contains(&path) {
            return false;
        }
        if self.listed.len() >= FILES_MAX {
            self.left_out += 1;
            return false;
        }
        self.listed.insert(path.clone());
        self.files.push(match found {
            Ok((digest, bytes)) => Executed { path, digest: Some(digest), bytes, problem: None },
            Err(problem) => Executed { path, digest: None, bytes: 0, problem: Some(problem) },
        });
        true
    }

    fn shown(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned();
        if below.is_empty() { ".".to_owned() } else { below }
    }
}

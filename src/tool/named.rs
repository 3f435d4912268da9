//! Files that the words of a call name: those that are executed are hashed, and an approval is bound to them; data is only
//! named. A file is executed where its call says so, or where it looks so: it may be executed, begins with `#!` or like a
//! program, or has the ending of a script.

use super::{
    executable::{
        COPY_BYTES_MAX, Executed, Places, Remembered, env_program, first_line, hash, is_program, read_head,
        shown,
    },
    glob::Globs,
    program::program,
};
use cuelight_base::{NOT_BOUND, Program, sha256};
use rustix::fs::{AtFlags, CWD, OFlags, StatxFlags, statx};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Component, Path, PathBuf},
};

/// Files of one call that are listed: of those that an approval is bound to, and of the others.
const FILES_MAX: usize = 200;
/// Names in a directory that a pattern is compared with.
const ENTRIES_MAX: usize = 5000;
/// Paths that a pattern with several parts stands for.
const PATTERN_PATHS_MAX: usize = 1000;
/// Directories in which the words of a call are looked for.
const DIRECTORIES_MAX: usize = 64;
/// Rounds in which a directory is looked for in those that were found: commands may come in another order than they stand.
const ROUNDS_MAX: usize = 3;
/// Scripts that name scripts as their interpreters.
const DEPTH_MAX: usize = 4;
/// Links on one path, as Linux follows them.
const LINKS_MAX: usize = 40;
/// Endings of files that some program reads as a script or a recipe.
const SCRIPTS: &[&str] = &[
    "awk", "bash", "bat", "cjs", "class", "cmake", "cmd", "cts", "ex", "exs", "fish", "gradle", "groovy",
    "hcl", "jar", "jl", "js", "ksh", "kts", "lua", "mjs", "mk", "mts", "nix", "php", "pl", "pm", "ps1", "py",
    "pyz", "r", "rb", "scala", "sed", "sh", "so", "sql", "tcl", "tf", "tfvars", "ts", "tsx", "wasm", "whl",
    "zsh",
];
/// Files that the kernel makes, of another content for each process.
const OF_THE_KERNEL: &[&str] = &["/proc", "/sys"];
/// Files that stand for the open descriptors of a process; only that process sees the files behind them.
const STREAMS: &[&str] = &["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty"];

/// A pattern that takes at least what one with brackets does: `?.sh` for `[ab].sh`.
fn any_for_brackets(pattern: &str) -> String {
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, from)) = rest.split_once('[') {
        out.push_str(before);
        let Some(end) = end_of_brackets(from) else {
            out.push('[');
            rest = from;
            continue;
        };
        out.push('?');
        rest = &from[end + 1..];
    }
    out + rest
}

/// The bracket that closes. The first sign closes nothing, as in `[]a]`, nor does one of a class, as in `[[:alpha:]]`.
fn end_of_brackets(text: &str) -> Option<usize> {
    let negated = text.strip_prefix(['!', '^']).unwrap_or(text);
    let mut at = text.len() - negated.len() + negated.chars().next()?.len_utf8();
    if negated.starts_with('[') {
        at -= 1;
    }
    loop {
        let rest = &text[at..];
        let class =
            [("[:", ":]"), ("[.", ".]"), ("[=", "=]")].into_iter().find(|pair| rest.starts_with(pair.0));
        match class.and_then(|(_, end)| Some(at + 2 + rest[2..].find(end)? + 2)) {
            Some(behind) => at = behind,
            None if rest.starts_with(']') => return Some(at),
            None => at += rest.chars().next()?.len_utf8(),
        }
    }
}

/// True for a path that a link leads to what the kernel makes: that is another file for each process. So is a path that goes
/// there and back.
fn leads_through_kernel(path: &Path) -> bool {
    let mut rest: Vec<OsString> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let (mut real, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = rest.pop() {
        if part == ".." {
            real.pop();
        } else if part == "/" {
            real = PathBuf::from("/");
        } else {
            real.push(part);
            if [OF_THE_KERNEL, STREAMS].concat().iter().any(|tree| real.starts_with(tree)) {
                return true;
            }
            if let Ok(to) = fs::read_link(&real) {
                links += 1;
                if links > LINKS_MAX {
                    return true;
                }
                real.pop();
                rest.extend(to.components().rev().map(|part| part.as_os_str().to_owned()));
            }
        }
    }
    false
}

fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
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
    let listed: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    let places =
        search.unwrap_or_default().split(':').filter(|part| !part.is_empty()).map(|part| dir.join(part));
    let ours =
        places.filter(|place| place.canonicalize().is_ok_and(|text| text.starts_with(&root))).collect();
    let here = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let bases = vec![dir.to_owned()];
    let room = [FILES_MAX; 2];
    let missed = of.missed.iter().cloned().collect();
    let of_all = false;
    let mut naming =
        Naming { root, here, bases, search, home, ours, known, listed, files, room, missed, of_all };
    // Asks of earlier versions say nothing of it.
    if of.dir.is_some() && of.all_words {
        naming.directory(of.later);
    }
    naming.find_bases(&of.dirs);
    of.runs.iter().for_each(|run| naming.word(run, true));
    of.names.iter().for_each(|name| naming.word(name, false));
    for limit in naming.missed {
        files.push(Executed {
            path: "… and more".to_owned(),
            digest: None,
            bytes: 0,
            problem: Some(format!("{NOT_BOUND}: {limit}")),
        });
    }
}

struct Naming<'a> {
    root: PathBuf,
    /// The working directory, behind all links.
    here: PathBuf,
    /// The working directory, and those that the call may go to.
    bases: Vec<PathBuf>,
    search: Option<&'a str>,
    home: Option<&'a str>,
    /// Directories of the workspace in which programs are looked for.
    ours: Vec<PathBuf>,
    known: &'a Remembered,
    listed: BTreeSet<String>,
    files: &'a mut Vec<Executed>,
    /// Number of further files that may be listed: not bound, bound.
    room: [usize; 2],
    /// Limits that were reached.
    missed: BTreeSet<String>,
    /// The word takes all files of a directory: its data is told in one line.
    of_all: bool,
}

impl Naming<'_> {
    /// The working directory: its place behind all links, and which one it is. A link that is turned, and another
    /// directory in its place, are other directories. Steps in between may make theirs anew: there the place counts.
    fn directory(&mut self, later: bool) {
        let Ok(real) = self.bases[0].canonicalize() else { return };
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

    /// Each directory is looked for in all that were found before it.
    fn find_bases(&mut self, dirs: &[String]) {
        let mut seen = BTreeSet::from([self.here.clone()]);
        for round in 0..ROUNDS_MAX {
            let before = self.bases.len();
            for dir in dirs.iter().filter(|dir| round == 0 || !dir.contains("..")) {
                for base in self.bases.clone() {
                    for path in self.paths(&base, dir) {
                        let Some(real) = path.canonicalize().ok().filter(|path| path.is_dir()) else {
                            continue;
                        };
                        if leads_through_kernel(&path) {
                            self.missed.insert(
                                "files of a directory that the kernel makes for each process".to_owned(),
                            );
                        }
                        if seen.contains(&real) {
                            continue;
                        }
                        if self.bases.len() > DIRECTORIES_MAX {
                            self.missed.insert(format!(
                                "the call may go to more than {DIRECTORIES_MAX} directories"
                            ));
                            return;
                        }
                        seen.insert(real);
                        self.bases.push(path);
                    }
                }
            }
            if self.bases.len() == before {
                break;
            }
            if round + 1 == ROUNDS_MAX {
                self.missed.insert(format!(
                    "directories that the call reaches in another order than they stand, over more than {ROUNDS_MAX}"
                ));
            }
        }
    }

    fn word(&mut self, word: &str, runs: bool) {
        self.of_all = word.trim_start_matches(['.', '/']) == "*" && !runs;
        for base in self.bases.clone() {
            for path in self.paths(&base, word) {
                self.file(&path, runs);
            }
        }
        // A program of the workspace that is found by its bare name.
        if !word.contains('/') {
            for place in self.ours.clone() {
                self.file(&place.join(word), runs);
            }
        }
    }

    /// The paths that a word means in a directory: itself, and all that it takes as a pattern.
    fn paths(&mut self, base: &Path, word: &str) -> Vec<PathBuf> {
        let below_home = word.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        if below_home.is_some() && self.home.is_none() {
            self.missed.insert("files below a home that no HOME names".to_owned());
        }
        let home = below_home.and_then(|rest| Some(base.join(self.home?).join(rest.trim_start_matches('/'))));
        let word = below_home.filter(|_| home.is_some()).map_or(word, |rest| rest.trim_start_matches('/'));
        let home_dir = self.home.filter(|_| home.is_some()).map(|home| base.join(home));
        let is_first = base == self.bases[0];
        let whole = match home {
            Some(path) => path,
            // `chroot` makes a path below another directory of an absolute one.
            None if !is_first => base.join(word.trim_start_matches('/')),
            None => base.join(word),
        };
        let mut found = vec![whole];
        if is_pattern(word) {
            let (mut paths, rest) = match (home_dir, word.strip_prefix('/')) {
                (Some(home), _) => (vec![home], word),
                (None, Some(rest)) if is_first => (vec![PathBuf::from("/")], rest),
                _ => (vec![base.to_owned()], word),
            };
            for part in rest.split('/').filter(|part| !part.is_empty()) {
                if part.contains("**") {
                    self.missed.insert(format!("more than one directory below {word}"));
                }
                paths = if is_pattern(part) {
                    let part = any_for_brackets(part);
                    paths.iter().flat_map(|path| self.matching(path, &part)).collect()
                } else {
                    paths.into_iter().map(|path| path.join(part)).collect()
                };
                if paths.len() > PATTERN_PATHS_MAX {
                    paths.truncate(PATTERN_PATHS_MAX);
                    self.missed.insert(format!("more than {PATTERN_PATHS_MAX} files of {word}"));
                }
            }
            found.extend(paths);
        }
        found
    }

    fn matching(&mut self, parent: &Path, pattern: &str) -> Vec<PathBuf> {
        let (Ok(globs), Ok(entries)) = (Globs::new(&[pattern.to_owned()]), fs::read_dir(parent)) else {
            return Vec::new();
        };
        let mut names: Vec<OsString> =
            entries.take(ENTRIES_MAX + 1).filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        if names.len() > ENTRIES_MAX {
            self.missed.insert(format!("more than {ENTRIES_MAX} files in {}", self.shown(parent)));
        }
        names.retain(|name| globs.takes(&[name.as_bytes()]));
        names.sort();
        names.into_iter().map(|name| parent.join(name)).collect()
    }

    fn file(&mut self, path: &Path, runs: bool) {
        let is_below = |trees: &[&str], path: &Path| trees.iter().any(|tree| path.starts_with(tree));
        if is_below(STREAMS, path) {
            // `/dev/fd/../cwd/w.sh`, `/dev/fd/3/w.sh`
            let is_stream = path.components().count() <= if path.starts_with("/dev/fd") { 4 } else { 3 };
            if runs || !is_stream || path.components().any(|part| part == Component::ParentDir) {
                self.not_bound(self.shown(path), "what is open there");
            }
            return;
        }
        if is_below(OF_THE_KERNEL, path) {
            self.not_bound(self.shown(path), "the kernel makes it for each process");
            return;
        }
        if leads_through_kernel(path) {
            self.not_bound(self.shown(path), "the kernel makes its path for each process");
            return;
        }
        let found = path.canonicalize().and_then(|real| fs::metadata(&real).map(|about| (real, about)));
        let (real, about) = match found {
            Ok(found) => found,
            Err(error) => {
                let is_no_name = matches!(
                    error.kind(),
                    ErrorKind::NotFound
                        | ErrorKind::NotADirectory
                        | ErrorKind::InvalidFilename
                        | ErrorKind::InvalidInput
                );
                if !is_no_name {
                    self.not_bound(self.shown(path), &error.to_string());
                } else if fs::symlink_metadata(path).is_ok() {
                    self.not_bound(self.shown(path), "a link to nothing");
                }
                return;
            }
        };
        let shown = self.shown(&real);
        if about.is_dir() {
            if self.of_all {
                self.others_of_all();
            } else if real != self.root && real != self.here {
                self.not_bound(shown, "a directory, and what is in it");
            }
            return;
        }
        if !about.is_file() || is_below(OF_THE_KERNEL, &real) {
            if runs || !about.file_type().is_char_device() {
                self.not_bound(shown, "no plain file");
            }
            return;
        }
        if self.listed.contains(&shown) {
            return;
        }
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&real);
        let (file, head) = match opened.and_then(|file| read_head(&file).map(|head| (file, head))) {
            Ok(read) => read,
            Err(error) => return self.not_bound(shown, &error.to_string()),
        };
        let ending = real.extension().and_then(OsStr::to_str).map(str::to_lowercase);
        let is_executed = runs
            || about.permissions().mode() & 0o111 != 0
            || head.starts_with(b"#!")
            || is_program(&head)
            || ending.is_some_and(|ending| SCRIPTS.contains(&ending.as_str()));
        if !is_executed && self.of_all {
            self.others_of_all();
        } else if !is_executed {
            self.note(shown, Err(NOT_BOUND.to_owned()));
        } else if self.bind(shown, &file) && !is_program(&head) {
            self.reader(&head, 0);
        }
    }

    /// The program that reads a script, and the files that stand behind it in the script's first line.
    fn reader(&mut self, head: &[u8], depth: usize) {
        let Some(words) = first_line(head) else { return };
        let rest = words.get(1).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        if words.iter().any(|word| word.to_str().is_none()) {
            self.missed.insert("a program that a first line names in bytes that are no text".to_owned());
        }
        let of_all = self.of_all;
        for word in rest.split_ascii_whitespace() {
            self.word(word, false);
        }
        self.of_all = of_all;
        let name = env_program(&words).unwrap_or_else(|| words[0].clone());
        let found = name.to_str().and_then(|name| program(name, self.search, &self.bases[0]).ok());
        let Some(real) = found.and_then(|program| program.canonicalize().ok()) else { return };
        let Ok(file) = File::open(&real) else { return };
        if self.bind(self.shown(&real), &file)
            && depth < DEPTH_MAX
            && let Ok(head) = read_head(&file)
            && !is_program(&head)
        {
            self.reader(&head, depth + 1);
        }
    }

    /// True when it was not listed before.
    fn bind(&mut self, shown: String, file: &File) -> bool {
        if self.listed.contains(&shown) {
            return false;
        }
        let hashed = file.metadata().and_then(|about| {
            if about.len() > COPY_BYTES_MAX {
                return Ok(Err(format!("{NOT_BOUND}: it has more than {COPY_BYTES_MAX} bytes")));
            }
            let is_ours = !shown.starts_with('/');
            let digest = if is_ours { hash(file, &about) } else { self.known.hash(file, &about) };
            digest.map(|digest| Ok((digest, about.len())))
        });
        let hashed = hashed.unwrap_or_else(|error| Err(format!("{NOT_BOUND}: {error}")));
        self.note(shown, hashed)
    }

    fn others_of_all(&mut self) {
        self.not_bound("*".to_owned(), "all that it takes beside programs and scripts");
    }

    fn not_bound(&mut self, shown: String, why: &str) {
        self.note(shown, Err(format!("{NOT_BOUND}: {why}")));
    }

    fn note(&mut self, path: String, found: Result<(cuelight_base::Digest, u64), String>) -> bool {
        if self.listed.contains(&path) {
            return false;
        }
        let room = &mut self.room[usize::from(found.is_ok())];
        if *room == 0 {
            self.missed.insert(format!("more files than the {FILES_MAX} that are listed"));
            return false;
        }
        *room -= 1;
        self.listed.insert(path.clone());
        self.files.push(match found {
            Ok((digest, bytes)) => Executed { path, digest: Some(digest), bytes, problem: None },
            Err(problem) => Executed { path, digest: None, bytes: 0, problem: Some(problem) },
        });
        true
    }

    fn shown(&self, path: &Path) -> String {
        let below = shown(&self.root, path);
        if below.is_empty() { ".".to_owned() } else { below }
    }
}

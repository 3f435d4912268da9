//! Resolves a word of a command line to a file before a process is made, so that the error can name a missing
//! program.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Directories for programs when the environment sets no `PATH`.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why a call cannot begin.
pub(super) struct Obstacle {
    pub(super) errno: Option<i32>,
    pub(super) said: String,
}

impl Obstacle {
    pub(super) fn plain(said: String) -> Self {
        Self { errno: None, said }
    }

    pub(super) fn errno(errno: rustix::io::Errno, said: String) -> Self {
        Self { errno: Some(errno.raw_os_error()), said }
    }
}

/// The directory a call runs in.
pub(super) fn directory(root: &Path, dir: Option<&str>) -> Result<PathBuf, Obstacle> {
    let path = dir.map_or_else(|| root.to_owned(), |dir| root.join(dir));
    match fs::metadata(&path) {
        Ok(about) if about.is_dir() => Ok(path),
        Ok(_) => Err(Obstacle::errno(
            rustix::io::Errno::NOTDIR,
            format!("the working directory {} is a file; name a directory", path.display()),
        )),
        Err(error) => Err(Obstacle {
            errno: error.raw_os_error(),
            said: format!(
                "the working directory {}: {error}; create it or change `working-directory`",
                path.display()
            ),
        }),
    }
}

/// The file to execute: a word with a `/` is a path from the working directory, any other is looked for on the path.
pub(super) fn program(word: &str, search: Option<&str>, dir: &Path) -> Result<PathBuf, Obstacle> {
    if word.contains('/') {
        let path = dir.join(word);
        return match fs::metadata(&path) {
            Ok(about) if is_program(&about) => Ok(path),
            Ok(about) => Err(not_executable(&path, about.is_dir())),
            Err(error) => Err(Obstacle {
                errno: error.raw_os_error(),
                said: format!("{word}: {error}; see the path, it counts from {}", dir.display()),
            }),
        };
    }
    let search = search.unwrap_or(PATH_DEFAULT);
    let mut refused = None;
    for place in search.split(':') {
        let path = dir.join(place).join(word);
        match fs::metadata(&path) {
            Ok(about) if is_program(&about) => return Ok(path),
            Ok(about) if about.is_file() => refused = refused.or(Some(path)),
            Ok(_) | Err(_) => {}
        }
    }
    Err(refused.map_or_else(
        || {
            let said = format!("command not found: {word}; install it or put it on PATH ({search})");
            Obstacle::errno(rustix::io::Errno::NOENT, said)
        },
        |path| not_executable(&path, false),
    ))
}

fn is_program(about: &fs::Metadata) -> bool {
    about.is_file() && about.permissions().mode() & 0o111 != 0
}

fn not_executable(path: &Path, is_dir: bool) -> Obstacle {
    let shown = path.display();
    let said = if is_dir {
        format!("{shown} is a directory; name a program")
    } else {
        format!("{shown} is not executable; run chmod +x {shown}")
    };
    Obstacle::errno(rustix::io::Errno::ACCESS, said)
}

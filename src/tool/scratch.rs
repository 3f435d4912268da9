//! Files that steps write their outputs to. A file that nobody opened is lent again, under another name: most steps
//! have no outputs, and to make a file costs as much as to start a process (docs/decisions/0004-output-pump.md).

use super::own_dir::make_own_dir;
use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    process::{Pid, test_kill_process},
};
use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::{self, OpenOptions},
    io,
    mem::MaybeUninit,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};
use tokio::sync::oneshot;

/// Counts the hosts of this process, so that each has a directory of its own.
static HOSTS: AtomicU32 = AtomicU32::new(0);

/// Lends empty files, 0600 in a directory 0700, named after this process.
pub(super) struct Scratch {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_made: bool,
    count: u32,
    free: Vec<PathBuf>,
    /// Tells of every file that is opened; without it nothing is lent again.
    watch: Option<OwnedFd>,
    /// Names of files lent or free that somebody has opened.
    opened: BTreeSet<OsString>,
    lent: BTreeSet<OsString>,
}

impl Scratch {
    /// Below `parent`; nothing is made before it is needed.
    pub(super) fn new(parent: &Path) -> Self {
        let name = format!("{}-{}", std::process::id(), HOSTS.fetch_add(1, Ordering::Relaxed));
        Self { dir: parent.join(name), state: Mutex::default() }
    }

    /// An empty file that nobody else has, by name or by descriptor.
    pub(super) fn lend(&self) -> io::Result<PathBuf> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let path = self.dir.join(format!("output-{}", state.count));
        // A new name: who was told the old one, and outlived the step, does not write into the next one's outputs. Who
        // has opened it by the old one could: after the renaming it is known whether anybody has.
        while let Some(free) = state.free.pop() {
            if fs::rename(&free, &path).is_err() {
                continue;
            }
            state.lent.insert(name_of(&free).to_owned());
            state.hear();
            state.lent.remove(name_of(&free));
            if state.watch.is_some() && !state.opened.remove(name_of(&free)) {
                state.lent.insert(name_of(&path).to_owned());
                return Ok(path);
            }
            drop(fs::remove_file(&path));
        }
        if !state.is_made {
            remove_leftovers(self.dir.parent().expect("it was joined to its parent"));
            make_own_dir(&self.dir)?;
            state.watch = watch(&self.dir).ok();
            state.is_made = true;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        state.lent.insert(name_of(&path).to_owned());
        // That was us.
        state.hear();
        state.opened.remove(name_of(&path));
        Ok(path)
    }

    /// Takes a file back. What was written to may still be known to somebody, so it is not lent again.
    pub(super) fn give_back(&self, path: PathBuf, untouched: bool) {
        if untouched {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.lent.remove(name_of(&path));
            state.free.push(path);
        } else {
            self.discard(&path);
        }
    }

    /// Takes a file back that somebody may still write to.
    pub(super) fn discard(&self, path: &Path) {
        // A step may have removed it, or made a directory of it; what stays goes with the whole directory.
        drop(fs::remove_file(path));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lent.remove(name_of(path));
        state.opened.remove(name_of(path));
    }
}

impl State {
    /// Takes in what was opened until now.
    fn hear(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let Some(watch) = &self.watch else { return };
        let mut reader = inotify::Reader::new(watch, &mut buffer);
        let mut is_deaf = false;
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => is_deaf = true,
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                    self.opened.extend(name);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => {
                    is_deaf = true;
                    break;
                }
            }
        }
        let free: BTreeSet<OsString> = self.free.iter().map(|path| name_of(path).to_owned()).collect();
        if is_deaf {
            // Nobody can say any more which: none of them is lent again.
            self.watch = None;
        }
        self.opened.retain(|text| self.lent.contains(text) || free.contains(text));
    }
}

fn watch(dir: &Path) -> io::Result<OwnedFd> {
    let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, dir, WatchFlags::OPEN)?;
    Ok(watch)
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Files of no worth; what cannot be removed now is removed at the next start.
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// True if a file that was lent is still empty and nothing has replaced it.
pub(super) fn is_untouched(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0)
}

/// Removes the directory that a step in a sandbox had to itself, which may hold much: others go on meanwhile.
pub(super) async fn sweep(home: Option<PathBuf>) {
    let Some(home) = home else { return };
    let (sender, done) = oneshot::channel();
    let thread = thread::Builder::new().name("sweep".to_owned()).spawn(move || {
        // What cannot be removed now goes with the whole directory.
        drop(fs::remove_dir_all(home));
        // Nobody waits when the guard is leaving.
        let _ = sender.send(());
    });
    drop(done.await);
    drop(thread.map(thread::JoinHandle::join));
}

/// Removes what a process left that was killed.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split_once('-')).and_then(|(pid, _)| pid.parse().ok());
        let is_gone = |pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        if owner.and_then(Pid::from_raw).is_some_and(is_gone) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

//! The unix socket of an engine: `.cuelight/socket`, for the user who owns the workspace and nobody else.
//!
//! It asks the kernel who is there and gives each peer a seat of its own. The owner of the workspace alone listens, so a
//! socket that is found belongs to nobody and is removed.

use super::{
    frame::{About, Tell},
    line::Line,
    seat::Seat,
};
use crate::{
    engine::Channel,
    runtime::{Entropy, LocalDesk, Tasks, WhoIsWho},
};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Seats at once.
const SEATS_MAX: usize = 64;
/// Bytes of a path that fit into the address of a socket.
const PATH_BYTES_MAX: usize = 100;
/// After a failure to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many are attached.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Semaphore>);

impl Seats {
    /// Seats that are taken.
    pub fn taken(&self) -> usize {
        SEATS_MAX - self.0.available_permits()
    }
}

/// Whether a peer may have a seat.
///
/// # Errors
/// Why not.
pub fn admit(peer: u32, owner: u32) -> Result<(), String> {
    if peer == owner {
        Ok(())
    } else {
        Err(format!(
            "could not attach: this engine belongs to uid {owner}, you are uid {peer}; ask its owner"
        ))
    }
}

/// Listens at `path` until `closing`, then removes it. Every peer gets a desk stamped with who the kernel says it is, and is told
/// what the workspace calls itself.
///
/// # Errors
/// When the socket cannot be made.
pub fn serve_socket(
    path: &Path,
    desk: LocalDesk,
    (people, environment): (WhoIsWho, String),
    tasks: &Tasks,
    closing: CancellationToken,
) -> Result<Seats, String> {
    let said =
        |error: io::Error| format!("could not listen at {}: {error}; see its directory", path.display());
    let listener = listen(path).map_err(said)?;
    // It lies in `.cuelight`, which lies in the workspace.
    let root = path.parent().and_then(Path::parent).unwrap_or(path).to_owned();
    let (path, all) = (path.to_owned(), tasks.clone());
    let ours = place_of(&path);
    let instance = Entropy.request_id().0;
    let free = Arc::new(Semaphore::new(SEATS_MAX));
    let seats = Seats(Arc::clone(&free));
    tasks.spawn(async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = accept_all(listener, free, desk, (people, environment, root), instance, all, closing.clone()) => {}
        }
        // Whoever has taken the workspace over listens there by now.
        if place_of(&path) == ours {
            let _ = rustix::fs::unlink(&path);
        }
    });
    Ok(seats)
}

/// Which file stands there.
fn place_of(path: &Path) -> Option<(u64, u64)> {
    let about = rustix::fs::lstat(path).ok()?;
    Some((about.st_dev, about.st_ino))
}

/// A path that fits: a long one is reached through its open directory.
pub(super) fn short_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::INVAL.into()) };
    let dir = rustix::fs::open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name), Some(dir)))
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let (short, _open) = short_path(path)?;
    match rustix::fs::unlink(&short) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let listener = UnixListener::bind(&short)?;
    // Its directory is closed to others, so nobody can have come in before this.
    rustix::fs::chmod(&short, Mode::RUSR | Mode::WUSR)?;
    Ok(listener)
}

async fn accept_all(
    listener: UnixListener,
    free: Arc<Semaphore>,
    desk: LocalDesk,
    (people, environment, root): (WhoIsWho, String, PathBuf),
    instance: String,
    tasks: Tasks,
    closing: CancellationToken,
) {
    let owner = rustix::process::geteuid().as_raw();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let seat =
            match who(&stream, owner) {
                Ok(peer) => free.clone().try_acquire_owned().map(|seat| (peer, seat)).map_err(|_| {
                    format!("could not attach: all {SEATS_MAX} seats are taken; close one first")
                }),
                Err(why) => Err(why),
            };
        let line = Line::new(stream, &tasks, &closing);
        match seat {
            Err(why) => drop(line.outgoing.try_send(Tell::Wrong(why))),
            Ok((peer, taken)) => {
                let (uid, pid) = peer;
                // Whoever cannot be named now is named with each command.
                let people = people.now().unwrap_or_default();
                let actor = people.actor_of(uid, pid, Channel::Socket, &root);
                let names = people.groups().into_keys().collect();
                let about = About { actor: actor.clone(), people: names, environment: environment.clone() };
                let desk = desk.with_actor(actor);
                let greets = (instance.clone(), about);
                let seat = Seat::new(line, desk, greets, tasks.clone(), closing.clone());
                tasks.spawn(async move {
                    seat.serve().await;
                    drop(taken);
                });
            }
        }
    }
}

/// The user and the process at the other end, as the kernel says.
fn who(stream: &UnixStream, owner: u32) -> Result<(u32, Option<u32>), String> {
    let peer = stream.peer_cred().map_err(|error| format!("could not attach: who is there? {error}"))?;
    let pid = peer.pid().and_then(|it| u32::try_from(it).ok());
    admit(peer.uid(), owner).map(|()| (peer.uid(), pid))
}

//! The unix socket of an engine: `.cuelight/socket`, for the user who owns the workspace and nobody else.
//!
//! It asks the kernel who is there and gives each peer a seat of its own. The owner of the workspace alone listens, so a
//! socket that is found belongs to nobody and is removed.

use super::{
    frame::{About, Tell},
    line::Line,
    places::Seats,
    seat::Seat,
};
use cuelight_base::{Channel, safe_text};
use cuelight_runtime::{Desk as _, Entropy, LocalDesk, Peer, Tasks, Trouble, WhoIsWho};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{net::UnixListener, time::sleep};
use tokio_util::sync::CancellationToken;

/// Bytes of a path that fit into the address of a socket.
const PATH_BYTES_MAX: usize = 100;
/// Between two looks at whether the path still leads to the socket.
const PLACE_LOOK: Duration = Duration::from_secs(2);
/// After a failure to accept (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Checks that a peer may have a seat. The last argument is the owner's name, and the root of the workspace.
///
/// # Errors
/// The reason, and the person to ask.
pub fn admit(peer: u32, owner: u32, (name, root): (&str, &Path)) -> Result<(), String> {
    if peer == owner {
        return Ok(());
    }
    Err(format!(
        "could not attach: the workspace {} belongs to {} (uid {owner}), and you are uid {peer}; ask them, or choose a workspace of \
         your own with --workspace",
        root.display(),
        safe_text(name),
    ))
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
    let mut listener = listen(path).map_err(said)?;
    // It lies in `.cuelight`, which lies in the workspace.
    let root = path.parent().and_then(Path::parent).unwrap_or(path).to_owned();
    let (path, all) = (path.to_owned(), tasks.clone());
    let mut ours = place_of(&path);
    let instance = Entropy.request_id().0;
    let seats = Seats::default();
    let places = seats.clone();
    tasks.spawn(async move {
        loop {
            let whose = (people.clone(), environment.clone(), root.clone());
            let instance = instance.clone();
            tokio::select! {
                () = closing.cancelled() => break,
                () = accept_all(&listener, places.clone(), desk.clone(), whose, instance, all.clone(), closing.clone()) => {}
                () = leads_elsewhere(&path, ours) => {
                    // Whoever has taken the workspace over listens there by now.
                    if matches!(desk.boards().borrow().trouble, Some(Trouble::TakenOver(_))) {
                        break;
                    }
                    // Tried again at the next look.
                    if let Ok(anew) = listen(&path) {
                        (listener, ours) = (anew, place_of(&path));
                    }
                }
            }
        }
        // Whoever has taken the workspace over listens there by now.
        if place_of(&path) == ours {
            let _ = rustix::fs::unlink(&path);
        }
    });
    Ok(seats)
}

/// Waits until the path leads to another socket than ours, or to none: any process of the user can remove or rename it.
async fn leads_elsewhere(path: &Path, ours: Option<(u64, u64)>) {
    loop {
        sleep(PLACE_LOOK).await;
        if place_of(path) != ours {
            return;
        }
    }
}

/// Identity of the file at a path: device and inode.
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
    listener: &UnixListener,
    seats: Seats,
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
        let peer = Peer::of(&stream).map_err(|error| format!("could not attach: who is there? {error}"));
        // Whoever cannot be named now is named with each command.
        let people = people.now().unwrap_or_default();
        let whose = people.actor(owner, Channel::Socket).name;
        let admitted = peer.and_then(|peer| admit(peer.uid(), owner, (&whose, &root)).map(|()| peer));
        let admitted = match admitted {
            // It has its place before it says a word: so it cannot stand in the way of those who have yet to say theirs.
            Ok(peer) if peer.is_of_a_step() => {
                seats.take(Channel::Step).map(|place| (peer, Channel::Step, place))
            }
            Ok(peer) => Ok((peer, Channel::Socket, seats.wait().await)),
            Err(why) => Err(why),
        };
        let line = Line::new(stream, &tasks, &closing);
        match admitted {
            Err(why) => drop(line.outgoing.try_send(Tell::Wrong(why))),
            Ok((peer, channel, place)) => {
                let actor = people.actor(peer.uid(), channel);
                let names = people.groups().into_keys().collect();
                let about = About { actor: actor.clone(), people: names, environment: environment.clone() };
                let desk = desk.with_actor(actor);
                let greets = (instance.clone(), about);
                let at = (peer, seats.clone(), place);
                let seat = Seat::new(line, desk, greets, at, tasks.clone(), closing.clone());
                tasks.spawn(seat.serve());
            }
        }
    }
}

//! A terminal that goes away: seen by a thread of its own, because the reader of keys would spin on it.
//!
//! The loop decides what follows: the screen ends, the runs go on. A failure after the terminal has gone is only how it
//! was noticed.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::atomic::{AtomicBool, Ordering},
    thread::JoinHandle,
};

/// A terminal that has gone does not come back to this process.
static GONE: AtomicBool = AtomicBool::new(false);

/// Watches a terminal until it is dropped.
#[derive(Debug)]
pub(super) struct HangupWatch {
    /// Closing this end wakes the thread.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl HangupWatch {
    /// Begins to watch; calls `gone` once when the terminal has gone away.
    pub(super) fn start(gone: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let terminal: OwnedFd = rustix::io::dup(rustix::stdio::stdin())?;
        let (wake, woken) = UnixStream::pair()?;
        let watch = move || {
            let mut fds = [PollFd::new(&terminal, PollFlags::empty()), PollFd::new(&woken, PollFlags::IN)];
            while let Err(rustix::io::Errno::INTR) = poll(&mut fds, None) {}
            if !fds[0].revents().is_empty() && fds[1].revents().is_empty() {
                // From here and not from the loop: the reader of keys may spin already, and the loop, which polls it,
                // hear nothing any more. What could not be done now is told when the loop does it again.
                let _once = let_go();
                gone();
            }
        };
        let thread = std::thread::Builder::new().name("hangup".to_owned()).spawn(watch)?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }
}

impl Drop for HangupWatch {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // It only watches; there is nothing to learn from how it ended.
            let _ended = thread.join();
        }
    }
}

/// Returns true if the terminal has gone, as a watch saw it or as a check now shows. Called after a failure
/// of the terminal: the reader of keys panics with its own message if it is made on a terminal that is gone.
pub(super) fn has_gone() -> bool {
    let now = || {
        let stdin = rustix::stdio::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
        let gone = PollFlags::HUP | PollFlags::ERR;
        poll(&mut fds, Some(&Timespec::default())).is_ok() && fds[0].revents().intersects(gone)
    };
    GONE.load(Ordering::SeqCst) || now()
}

/// Returns true if a failed write means that the terminal has gone. A write may notice before the watch does.
pub(super) fn is_it(why: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(why), Some(Errno::IO | Errno::PIPE | Errno::NXIO))
}

/// Returns true if a terminal was there and had gone before the program first looked at it. Such a terminal
/// fails with EIO, which anything else never does.
pub fn was_terminal() -> bool {
    use rustix::{io::Errno, stdio, termios::tcgetattr};
    let has_gone = |asked: Result<(), Errno>| asked == Err(Errno::IO);
    has_gone(tcgetattr(stdio::stdin()).map(drop)) && has_gone(tcgetattr(stdio::stdout()).map(drop))
}

/// Puts nothing where the terminal was, so that no later write fails and no read spins. The reader of keys goes on for as
/// long as the process does and takes an end of input for news (crossterm-rs/crossterm#793), so it is given an input that
/// never ends and on which nothing comes.
pub(super) fn let_go() -> io::Result<()> {
    GONE.store(true, Ordering::SeqCst);
    use rustix::fs::{Mode, OFlags, open};
    let (silence, held_open) = UnixStream::pair()?;
    silence.set_nonblocking(true)?;
    rustix::stdio::dup2_stdin(&silence)?;
    // Closed by the end of the process alone.
    std::mem::forget(held_open);
    let nothing = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

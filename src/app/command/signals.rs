//! Signals of the system: end of the process, and loss of its terminal.

use crate::exit::Trouble;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that this process received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The user pressed Ctrl-C.
    Interrupt,
    /// The process is asked to end in order.
    End,
}

/// The listeners for all signals that matter.
pub(super) struct Signals {
    interrupts: Signal,
    terminations: Signal,
    quits: Signal,
    hangups: Signal,
}

impl Signals {
    /// From now on no signal ends the process by itself, and none is missed. To be called before an engine is taken: with
    /// it come steps, and what they have begun is not to be cut off because nobody listened yet.
    pub(super) fn listen() -> Result<Self, Trouble> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Trouble::failed(format!("could not listen for signals: {error}; start it again"))
            })
        };
        Ok(Self {
            interrupts: listen(SignalKind::interrupt())?,
            terminations: listen(SignalKind::terminate())?,
            quits: listen(SignalKind::quit())?,
            hangups: listen(SignalKind::hangup())?,
        })
    }

    /// The signal that has already arrived, without waiting for one.
    pub(super) fn already(&mut self) -> Option<Told> {
        futures_util::FutureExt::now_or_never(self.next())
    }

    /// The next one that matters. When the terminal goes, nobody has asked the engine to end: it goes on without.
    pub(super) async fn next(&mut self) -> Told {
        loop {
            tokio::select! {
                _ = self.interrupts.recv() => return Told::Interrupt,
                _ = self.terminations.recv() => return Told::End,
                _ = self.quits.recv() => return Told::End,
                _ = self.hangups.recv() => {}
            }
        }
    }
}

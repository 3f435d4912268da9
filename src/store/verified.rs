//! Events that are read while the chain is verified: the reader follows the verifier and sees nothing that does not hold.
//!
//! `chain` defines what verifying means; the reader decides what becomes of events.

use crate::{Reader, StoreError, Workspace};
use cuelight_base::Seq;
use cuelight_engine::Event;
use std::{
    panic::resume_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, scope},
};

/// Events that are read at once, and told of at once.
const PAGE: u64 = 512;
/// The verifier is at most so many pages ahead.
const PAGES_AHEAD: usize = 1024;

/// Tells how far the log holds.
pub(super) struct Told {
    reader: Option<SyncSender<Seq>>,
    seq: Seq,
    last: Seq,
}

impl Told {
    pub(super) fn holds_until(&mut self, seq: Seq) {
        self.seq = seq;
        if seq.0 >= self.last.0 + PAGE {
            self.tell();
        }
    }

    /// Reports that all records are verified.
    pub(super) fn all(&mut self) {
        self.tell();
        self.reader = None;
    }

    fn tell(&mut self) {
        self.last = self.seq;
        // Whoever read has what it wanted, or an error that it returns.
        let _ended = self.reader.as_ref().map(|reader| reader.send(self.seq));
    }
}

/// The events of a log that hold, in order.
#[derive(Debug)]
pub struct Verified {
    reader: Reader,
    told: Receiver<Seq>,
}

impl Verified {
    /// Each of them, as soon as it is verified.
    ///
    /// # Errors
    /// When one cannot be read, or `take` says so.
    pub fn each(
        &mut self,
        mut take: impl FnMut(Seq, &Event) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut next = Seq(1);
        while let Ok(until) = self.told.recv() {
            while next <= until {
                let limit = usize::try_from((until.0 - next.0 + 1).min(PAGE)).unwrap_or(usize::MAX);
                let events = self.reader.events(next, limit)?;
                let Some((last, _)) = events.last() else { return Ok(()) };
                next = Seq(last.0 + 1);
                for (seq, event) in &events {
                    take(*seq, event)?;
                }
            }
        }
        Ok(())
    }
}

/// Verifies here and reads on another thread. When the log does not hold, that is what is told.
pub(super) fn both<V, T: Send>(
    workspace: &Workspace,
    verify: impl FnOnce(&mut Told) -> Result<V, StoreError>,
    read: impl FnOnce(&mut Verified) -> Result<T, StoreError> + Send,
) -> Result<(V, T), StoreError> {
    let (sender, told) = sync_channel(PAGES_AHEAD);
    let mut events = Verified { reader: Reader::open(workspace)?, told };
    scope(|threads| {
        let reading = Builder::new()
            .name("fold".to_owned())
            .spawn_scoped(threads, move || read(&mut events))
            .map_err(|error| StoreError::io("open", &workspace.db(), &error))?;
        let mut telling = Told { reader: Some(sender), seq: Seq(0), last: Seq(0) };
        let verified = verify(&mut telling);
        drop(telling);
        let read = reading.join();
        Ok((verified?, read.unwrap_or_else(|panic| resume_unwind(panic))?))
    })
}

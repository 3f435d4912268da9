//! One line to a guard: requests go out, and output and ends of calls come in.

use super::call::HELD_UP_PAUSE;
use super::{GuardNews, REQUESTS_MAX, STRETCHES_MAX};
use crate::guard::frame::{Ask, Frame, Incoming, Outgoing, Output, Tell};
use crate::guard::kin::Strays;
use crate::guard::record::{EndRecord, Log};
use crate::guard::{frame, kin};
use crate::{Executed, end_orphans};
use cuelight_base::KILL_GRACE;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

/// The way to one guard.
#[derive(Clone)]
pub(super) struct Line(pub(super) mpsc::Sender<Request>);

pub(super) enum Request {
    Launch {
        frame: Vec<u8>,
        attempt: String,
        ear: Ear,
    },
    /// Listens for a call that runs already.
    Listen {
        attempt: String,
        ear: Ear,
    },
    Say(Ask),
}

/// The receiver of a call's output and end.
pub(super) struct Ear {
    pub(super) output: mpsc::Sender<Output>,
    pub(super) end: oneshot::Sender<Told>,
}

/// The last that is heard of it.
pub(super) enum Told {
    Ended(Box<EndRecord>),
    Changed(Vec<Executed>),
}

/// All that one line carries, until either end goes.
pub(super) struct AtWork {
    pub(super) stream: UnixStream,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    pub(super) ears: BTreeMap<String, Ear>,
    /// News that came before anybody listened: calls that ended between the welcome and their adoption.
    pub(super) early: BTreeMap<String, Told>,
    pub(super) requests: mpsc::Receiver<Request>,
    /// The process at the other end.
    pub(super) guard: Option<i32>,
    pub(super) news: watch::Sender<GuardNews>,
}

impl AtWork {
    /// Returns who still waits when the guard has gone.
    pub(super) async fn run(mut self) -> BTreeMap<String, Ear> {
        let ears = self.carry().await;
        self.strays(Strays::default());
        ears
    }

    async fn carry(&mut self) -> BTreeMap<String, Ear> {
        let look = sleep(HELD_UP_PAUSE);
        tokio::pin!(look);
        loop {
            let waits = !self.outgoing.is_empty();
            // Whoever waits for nothing is woken by nothing.
            let expects = !self.ears.is_empty() || waits;
            tokio::select! {
                () = &mut look, if expects => {
                    self.look();
                    look.set(sleep(HELD_UP_PAUSE));
                }
                came = self.incoming.next::<Tell>(&self.stream) => match came {
                    Ok(Some(frame)) => self.hear(frame),
                    Ok(None) | Err(_) => return std::mem::take(&mut self.ears),
                },
                sent = self.outgoing.send_some(&self.stream), if waits => if sent.is_err() {
                    return std::mem::take(&mut self.ears);
                },
                request = self.requests.recv() => match request {
                    Some(request) => {
                        self.take(request);
                        // What came with it goes with it.
                        for _ in 0..REQUESTS_MAX {
                            let Ok(request) = self.requests.try_recv() else { break };
                            self.take(request);
                        }
                    }
                    // Nobody is left who could ask: the line is closed in order.
                    None => return BTreeMap::new(),
                },
            }
        }
    }

    /// A guard that is held up is no dead one: its line stays open, and nothing comes.
    fn look(&self) {
        let held_up = self.guard.filter(|guard| kin::is_stopped(*guard));
        self.news.send_if_modified(|told| {
            let is_new = told.held_up != held_up && (held_up.is_some() || told.held_up == self.guard);
            if is_new {
                told.held_up = held_up;
            }
            is_new
        });
    }

    /// Replaces the strays known of this guard by these. An empty list removes the guard's entry.
    fn strays(&self, all: Strays) {
        let guard = self.guard.unwrap_or_default();
        self.news.send_if_modified(|told| {
            if all.named.is_empty() {
                told.strays.remove(&guard).is_some()
            } else {
                told.strays.insert(guard, all.clone()) != Some(all)
            }
        });
    }

    fn hear(&mut self, frame: Frame<Tell>) {
        let (attempt, told) = match frame {
            Frame::Output(output) => {
                if let Some(ear) = self.ears.get(&output.attempt) {
                    drop(ear.output.try_send(output));
                }
                return;
            }
            Frame::Message(Tell::Ended(end)) => (end.attempt.clone(), Told::Ended(end)),
            Frame::Message(Tell::Changed { attempt, files }) => (attempt, Told::Changed(files)),
            Frame::Message(Tell::Strays(all)) => return self.strays(all),
            Frame::Message(Tell::Welcome { .. } | Tell::Wrong(_)) => return,
        };
        match self.ears.remove(&attempt) {
            // Who does not listen any more does not need it.
            Some(ear) => drop(ear.end.send(told)),
            None => drop(self.early.insert(attempt, told)),
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Launch { frame, attempt, ear } => {
                self.ears.insert(attempt, ear);
                self.outgoing.push(frame);
            }
            Request::Listen { attempt, ear } => match self.early.remove(&attempt) {
                Some(told) => drop(ear.end.send(told)),
                None => drop(self.ears.insert(attempt, ear)),
            },
            Request::Say(ask) => {
                if let Ok(frame) = frame::message(&ask) {
                    self.outgoing.push(frame);
                }
            }
        }
    }
}

/// Ends the processes left by a guard that died with calls in flight. All of them are ended: nobody reads
/// their output or learns how they end.
pub(super) async fn end_the_rest(root: &Path, log: &Path, ears: &BTreeMap<String, Ear>) {
    let log = Log::read(log).unwrap_or_default();
    // What cannot be ended belongs to another user by now.
    let _ = end_orphans(root, KILL_GRACE, |key| ears.contains_key(key)).await;
    for (pid, born) in
        log.begun.iter().filter(|entry| ears.contains_key(entry.0)).filter_map(|entry| *entry.1)
    {
        kin::send(pid, born, rustix::process::Signal::KILL);
    }
}

pub(super) fn ear() -> (Ear, (mpsc::Receiver<Output>, oneshot::Receiver<Told>)) {
    let (output, stretches) = mpsc::channel(STRETCHES_MAX);
    let (end, told) = oneshot::channel();
    (Ear { output, end }, (stretches, told))
}

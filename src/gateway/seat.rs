//! The engine's side of one line: what this seat asks is put to its desk, what happens is told to it.
//!
//! Events are read from the log in pages as the board moves on, so a slow seat holds up nobody: it is simply told more
//! at once. Signals that find its queue full are dropped.

use super::{
    frame::{About, Answer, Ask, Question, Tell, VERSION},
    judged::submit_judged,
    line::{FAREWELL_MAX, Line},
    places::{Place, Seats},
};
use cuelight_base::{Actor, Channel, RunId, Seq};
use cuelight_runtime::{Desk, LocalDesk, Page, Peer, Signal, Signals, Tasks, Trouble, Want};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The first word has to come within this time.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// Questions of one seat that are being answered at once.
const QUESTIONS_MAX: u32 = 32;
/// Runs of which one seat gets the output.
const FOLLOWED_MAX: usize = 8;
/// Events in one message.
const PAGE_EVENTS: u32 = 512;

pub(super) struct Seat {
    line: Line<Ask, Tell>,
    desk: LocalDesk,
    instance: String,
    about: About,
    peer: Arc<Peer>,
    seats: Seats,
    /// In the lobby until the first word was said.
    place: Place,
    tasks: Tasks,
    closing: CancellationToken,
}

impl Seat {
    pub(super) fn new(
        line: Line<Ask, Tell>,
        desk: LocalDesk,
        (instance, about): (String, About),
        (peer, seats, place): (Peer, Seats, Place),
        tasks: Tasks,
        closing: CancellationToken,
    ) -> Self {
        Self { line, desk, instance, about, peer: Arc::new(peer), seats, place, tasks, closing }
    }

    /// Until the other side goes, or the engine.
    pub(super) async fn serve(mut self) {
        let hello = timeout(HELLO_MAX, self.line.incoming.recv()).await.ok().flatten();
        let Some(Ask::Hello { version, seat, after, .. }) = hello else { return };
        let known = self.desk.actor().clone();
        let channel = if known.channel == Channel::Step { Channel::Step } else { door(seat) };
        let is_step = channel == Channel::Step;
        self.desk = self.desk.with_actor(Actor { channel, ..known });
        // A step has had its place from the start.
        let place = if is_step { Ok(None) } else { self.seats.take(channel).map(Some) };
        let no_place = match place {
            Ok(place) => {
                self.place = place.unwrap_or(self.place);
                None
            }
            Err(why) => Some(why),
        };
        let seq = self.desk.boards().borrow().board.seq;
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let welcome = if version != VERSION {
            Tell::Wrong(format!(
                "could not attach: this engine is cuelight {program} and speaks version {VERSION}, you speak {version}; \
                 use the same cuelight"
            ))
        } else if after > seq {
            Tell::Wrong("could not attach: this engine has another log; start cuelight again".to_owned())
        } else if let Some(why) = no_place {
            Tell::Wrong(why)
        } else {
            let about = Box::new(About { actor: self.desk.actor().clone(), ..self.about.clone() });
            Tell::Welcome { version: VERSION, program, instance: self.instance.clone(), seq, about }
        };
        let refused = matches!(welcome, Tell::Wrong(_));
        if self.line.outgoing.send(welcome).await.is_err() || refused {
            return;
        }
        let (gone, leaving) = (CancellationToken::new(), CancellationToken::new());
        let telling = tell_events(self.desk.clone(), self.line.outgoing.clone(), after, leaving.clone());
        let stop = gone.clone();
        let telling = self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = telling => stop.cancel(),
            }
        });
        let time_is_up = gone.clone();
        let leaves = self.place.lasts.map(|lasts| {
            self.tasks.spawn(async move {
                drop(timeout(lasts, time_is_up.cancelled()).await);
                time_is_up.cancel();
            })
        });
        let (pending, taken) = self.listen(&gone).await;
        // Whoever has asked gets the answer, and what it speaks of, before we go.
        let farewell = async {
            drop(pending.acquire_many(QUESTIONS_MAX).await);
            leaving.cancel();
            drop(telling.await);
        };
        drop(timeout(FAREWELL_MAX, farewell).await);
        // Questions after this one were not read: their seat asks them of the next engine.
        drop(self.line.outgoing.try_send(Tell::Leaving { taken }));
        gone.cancel();
        drop(leaves);
    }

    /// Takes questions until one of the two sides goes. Returns the semaphore that is free when all are answered, and the number of
    /// the last question that was taken.
    async fn listen(&mut self, gone: &CancellationToken) -> (Arc<Semaphore>, u64) {
        let mut taken = 0;
        let free = Arc::new(Semaphore::new(QUESTIONS_MAX as usize));
        let mut rings = self.desk.signals(None);
        let mut followed: VecDeque<(RunId, CancellationToken)> = VecDeque::new();
        loop {
            tokio::select! {
                () = gone.cancelled() => return (free, taken),
                () = self.closing.cancelled() => return (free, taken),
                ring = rings.next() => {
                    let Some(ring) = ring else { return (free, taken) };
                    drop(self.line.outgoing.try_send(Tell::Signal(Signal::clone(&ring))));
                }
                ask = self.line.incoming.recv() => match ask {
                    None | Some(Ask::Hello { .. }) => return (free, taken),
                    Some(Ask::Follow { run }) => {
                        if followed.iter().all(|(run_id, _)| *run_id != run) {
                            let stop = gone.child_token();
                            let output = tell_output(self.desk.signals(Some(run)), self.line.outgoing.clone());
                            self.tasks.spawn(until(stop.clone(), output));
                            followed.push_back((run, stop));
                        }
                        if followed.len() > FOLLOWED_MAX {
                            followed.pop_front().into_iter().for_each(|(_, stop)| stop.cancel());
                        }
                    }
                    Some(Ask::Question { number, question }) => {
                        let Ok(turn) = free.clone().acquire_owned().await else { return (free, taken) };
                        taken = taken.max(number);
                        let (desk, peer) = (self.desk.clone(), Arc::clone(&self.peer));
                        let outgoing = self.line.outgoing.clone();
                        // Not cut off when the engine goes: whoever has asked is answered, also by a no.
                        self.tasks.spawn(async move {
                            let answer = answer(&desk, &peer, question).await;
                            drop(outgoing.send(Tell::Answer { number, answer }).await);
                            drop(turn);
                        });
                    }
                },
            }
        }
    }
}

/// The channel that a seat declares, as far as it is allowed. The window to withdraw an approval is for
/// people at a screen; a seat of agents decides nothing. The channel grants nothing: the kernel tells who the
/// peer is.
fn door(seat: Option<Channel>) -> Channel {
    let may = |seat: &Channel| matches!(seat, Channel::Console | Channel::Command | Channel::Mcp);
    seat.filter(may).unwrap_or(Channel::Socket)
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

async fn answer(desk: &LocalDesk, peer: &Peer, question: Question) -> Answer {
    match question {
        Question::Submit(request) => {
            // Asked anew: a process that has ended since it said hello leaves its connection to others.
            let is_of_a_step = async { peer.is_of_a_step() };
            Answer::Reply(Box::new(submit_judged(desk, *request, is_of_a_step).await))
        }
        Question::Launch(launch) => Answer::Reply(Box::new(desk.launch(*launch).await)),
        Question::Preview(command) => Answer::Preview(desk.preview(*command).await),
        Question::Read(Want::Past { .. }) => {
            Answer::Page(Page::Missing("could not send a board; read the events and fold them".to_owned()))
        }
        Question::Read(want) => Answer::Page(desk.read(want).await),
    }
}

/// Everything after `sent`, until it is time to leave; ends when the line does.
async fn tell_events(
    desk: LocalDesk,
    outgoing: mpsc::Sender<Tell>,
    mut sent: Seq,
    leaving: CancellationToken,
) {
    let mut boards = desk.boards();
    let mut trouble = None;
    loop {
        let last = leaving.is_cancelled();
        let seen = boards.borrow_and_update().clone();
        while sent < seen.board.seq {
            let want = Want::Events { run: None, after: sent, limit: PAGE_EVENTS };
            let Page::Events { events, .. } = desk.read(want).await else { return };
            let Some((last, _)) = events.last() else { return };
            sent = *last;
            if outgoing.send(Tell::Events(events)).await.is_err() {
                return;
            }
        }
        if matches!(seen.trouble, Some(Trouble::TakenOver(_))) {
            // Whoever sits here finds the other engine where this one listened.
            return;
        }
        if seen.trouble != trouble {
            trouble.clone_from(&seen.trouble);
            if outgoing.send(Tell::Trouble(seen.trouble)).await.is_err() {
                return;
            }
        }
        if last {
            return;
        }
        tokio::select! {
            changed = boards.changed() => if changed.is_err() { return },
            () = leaving.cancelled() => {}
        }
    }
}

async fn tell_output(mut signals: Signals, outgoing: mpsc::Sender<Tell>) {
    while let Some(signal) = signals.next().await {
        if matches!(*signal, Signal::Output { .. }) {
            drop(outgoing.try_send(Tell::Signal(Signal::clone(&signal))));
        }
    }
}

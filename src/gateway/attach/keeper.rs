//! Keeps the line to an engine: folds its events, hands out its answers, and calls again when the line broke.

use super::{LAST_WORDS_MAX, Post, Way, call};
use crate::{
    frame::{Answer, Ask, Question, Tell},
    line::Line,
};
use cuelight_base::{Channel, RunId, Seq};
use cuelight_engine::{Event, Fact, GateEvent, ask_hash};
use cuelight_projection::Board;
use cuelight_runtime::{Page, Reply, Seen, Signal, Tasks, Trouble, Want};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Shortest pause between two tries to reach the engine again, …
const RETRY_MIN: Duration = Duration::from_millis(100);
/// … and the longest pause.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Tries to reach an engine before one is started again: the first may have found the place still taken.
const START_TRIES: u32 = 5;

/// A question whose answer has not come.
pub(super) struct Open {
    question: Question,
    reply: oneshot::Sender<Answer>,
    /// True if an engine may have taken it on a line that broke before the answer came.
    may_be_taken: bool,
}

/// Why a line is used no more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Broken,
    Untrusted,
}

/// Marks invalid content from the engine: the line is not to be trusted.
struct Nonsense;

/// Reports if an event shows another ask than the one that its hash names: its reader would answer, and sign, for something
/// else.
fn shows_another_ask(event: &Event) -> bool {
    matches!(&event.fact, Fact::Gate(_, _, _, GateEvent::Asked { ask, hash, .. }) if ask_hash(ask) != *hash)
}

/// The task that has the line, and folds what comes through it.
pub(super) struct Keeper {
    pub(super) way: Way,
    pub(super) channel: Channel,
    pub(super) tasks: Tasks,
    pub(super) closing: CancellationToken,
    pub(super) posts: mpsc::Receiver<Post>,
    pub(super) seen: watch::Sender<Seen>,
    pub(super) ring: broadcast::Sender<Arc<Signal>>,
    pub(super) board: Arc<Board>,
    pub(super) instance: String,
    pub(super) number: u64,
    pub(super) open: BTreeMap<u64, Open>,
    /// Answers that speak of events we have not been told yet.
    pub(super) held: Vec<(Seq, Answer, oneshot::Sender<Answer>)>,
    pub(super) followed: Vec<RunId>,
    /// Told, and not folded yet: before them a run has to be restored of which only the summary was kept.
    pub(super) late: VecDeque<(Seq, Event)>,
    pub(super) recall: Option<Recall>,
    /// The last question that an engine which is about to end has taken.
    pub(super) taken: Option<u64>,
    /// Why the line is lost when it is.
    pub(super) broken: &'static str,
}

pub(super) const BROKE: &str = "the line to the engine broke; trying to reach it again";
pub(super) const SHOWS_ANOTHER: &str = "the line to the engine shows another ask than the one it names, so a program stands in between; end what \
                             listens at the socket, then `cuelight engine take-over`";

/// The history of one run, asked for page by page.
pub(super) struct Recall {
    run: RunId,
    pub(super) number: u64,
    pub(super) board: Board,
}

/// Events of a run that are asked for at once.
const RECALLED_EVENTS: u32 = 512;
/// Runs whose output is asked for again on a new line.
const FOLLOWED_MAX: usize = 8;

impl Keeper {
    pub(super) async fn keep(mut self, mut line: Line<Tell, Ask>) {
        let closing = self.closing.clone();
        let for_ever = async {
            while let Some(end) = self.serve(&mut line).await {
                if end == LineEnd::Broken {
                    self.hear_out(&mut line).await;
                }
                self.doubt_what_was_taken();
                self.release_all();
                let why = std::mem::replace(&mut self.broken, BROKE).to_owned();
                self.seen.send_modify(|seen| seen.trouble = Some(Trouble::Lost(why)));
                line = self.call_again().await;
                self.seen.send_modify(|seen| seen.trouble = None);
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = for_ever => {}
        }
    }

    /// Until the line ends; None when nobody looks any more.
    async fn serve(&mut self, line: &mut Line<Tell, Ask>) -> Option<LineEnd> {
        for run in self.followed.clone() {
            drop(line.outgoing.send(Ask::Follow { run }).await);
        }
        // What was told over the line before is told again.
        self.late.clear();
        self.recall = None;
        for (number, open) in &self.open {
            let ask = Ask::Question { number: *number, question: open.question.clone() };
            drop(line.outgoing.send(ask).await);
        }
        loop {
            let sent = tokio::select! {
                told = line.incoming.recv() => match told {
                    Some(tell) => match self.take(tell) {
                        Ok(None) => true,
                        Ok(Some(ask)) => line.outgoing.send(ask).await.is_ok(),
                        Err(Nonsense) => return Some(LineEnd::Untrusted),
                    },
                    None => return Some(LineEnd::Broken),
                },
                post = self.posts.recv() => match post {
                    Some(post) => match self.ask_of(post) {
                        Some(ask) => line.outgoing.send(ask).await.is_ok(),
                        None => true,
                    },
                    None => return None,
                },
            };
            if !sent {
                return Some(LineEnd::Broken);
            }
        }
    }

    /// Takes the answers that still come on a line that broke, and the last word of its engine.
    async fn hear_out(&mut self, line: &mut Line<Tell, Ask>) {
        let last_words = async {
            while let Some(tell) = line.incoming.recv().await {
                if matches!(tell, Tell::Answer { .. } | Tell::Leaving { .. }) && self.take(tell).is_err() {
                    return;
                }
            }
        };
        drop(timeout(LAST_WORDS_MAX, last_words).await);
    }

    /// A question without an answer may have been taken, unless the engine said which was the last one that it took.
    fn doubt_what_was_taken(&mut self) {
        let taken = self.taken.take();
        for (number, open) in &mut self.open {
            open.may_be_taken |= taken.is_none_or(|taken| *number <= taken);
        }
    }

    fn ask_of(&mut self, post: Post) -> Option<Ask> {
        match post {
            Post::Follow(run) => {
                self.followed.retain(|run_id| *run_id != run);
                self.followed.push(run);
                if self.followed.len() > FOLLOWED_MAX {
                    self.followed.remove(0);
                }
                Some(Ask::Follow { run })
            }
            // Whoever does not wait any more was told that it did not happen: so it must not.
            Post::Question(_, reply) if reply.is_closed() => None,
            Post::Question(question, reply) => {
                self.open.retain(|_, open| !open.reply.is_closed());
                self.number += 1;
                let open = Open { question: question.clone(), reply, may_be_taken: false };
                self.open.insert(self.number, open);
                Some(Ask::Question { number: self.number, question })
            }
        }
    }

    /// Takes what was told; what has to be asked because of it comes back.
    fn take(&mut self, tell: Tell) -> Result<Option<Ask>, Nonsense> {
        match tell {
            Tell::Welcome { .. } | Tell::Wrong(_) => return Err(Nonsense),
            Tell::Leaving { taken } => self.taken = Some(taken),
            Tell::Trouble(trouble) => self.seen.send_modify(|seen| seen.trouble = trouble),
            // An error means that nobody listens.
            Tell::Signal(signal) => drop(self.ring.send(Arc::new(signal))),
            Tell::Events(events) => {
                self.late.extend(events);
                return self.fold();
            }
            Tell::Answer { number, answer } => {
                if let Some(recall) = self.recall.take_if(|recall| recall.number == number) {
                    return self.recalled(recall, answer);
                }
                if let Some(open) = self.open.remove(&number) {
                    self.held.push((recorded_at(&answer), answer, open.reply));
                    self.release();
                }
            }
        }
        Ok(None)
    }

    /// Folds what was told, up to an event about a run that has to be restored first.
    fn fold(&mut self) -> Result<Option<Ask>, Nonsense> {
        let mut asks = None;
        while self.recall.is_none()
            && let Some((seq, event)) = self.late.pop_front()
        {
            if seq.0 != self.board.seq.0 + 1 || self.is_false(&event) {
                return Err(Nonsense);
            }
            if let Some(run) = self.board.forgotten(&event) {
                self.late.push_front((seq, event));
                asks = Some(self.recall_from(run, Seq(0), Board::default()));
            } else {
                Arc::make_mut(&mut self.board).apply(seq, &event);
            }
        }
        let board = Arc::clone(&self.board);
        self.seen.send_modify(|seen| seen.board = board);
        self.release();
        Ok(asks)
    }

    fn is_false(&mut self, event: &Event) -> bool {
        let is_false = shows_another_ask(event);
        if is_false {
            self.broken = SHOWS_ANOTHER;
        }
        is_false
    }

    fn recall_from(&mut self, run: RunId, after: Seq, board: Board) -> Ask {
        self.number += 1;
        self.recall = Some(Recall { run, number: self.number, board });
        let want = Want::Events { run: Some(run), after, limit: RECALLED_EVENTS };
        Ask::Question { number: self.number, question: Question::Read(want) }
    }

    /// One page of the history of a run; when it has come as far as we have, the run is whole again.
    fn recalled(&mut self, recall: Recall, answer: Answer) -> Result<Option<Ask>, Nonsense> {
        let Recall { run, mut board, .. } = recall;
        let Answer::Page(Page::Events { events, more }) = answer else { return Err(Nonsense) };
        let known = self.board.seq;
        if events.iter().any(|(_, event)| self.is_false(event)) {
            return Err(Nonsense);
        }
        for (seq, event) in events.iter().filter(|(seq, _)| *seq <= known) {
            board.apply(*seq, event);
        }
        match events.last() {
            Some((last, _)) if more && *last < known => Ok(Some(self.recall_from(run, *last, board))),
            _ => {
                let whole = board.run(run).cloned().ok_or(Nonsense)?;
                Arc::make_mut(&mut self.board).remember(whole);
                self.fold()
            }
        }
    }

    /// An answer comes out when the board shows what it speaks of.
    fn release(&mut self) {
        let seq = self.board.seq;
        for (_, answer, reply) in self.held.extract_if(.., |(at, _, _)| *at <= seq) {
            drop(reply.send(answer));
        }
    }

    /// Releases all held answers. They are valid even if the line broke before their events arrived: the
    /// engine may have gone for good.
    fn release_all(&mut self) {
        for (_, answer, reply) in self.held.drain(..) {
            drop(reply.send(answer));
        }
    }

    async fn call_again(&mut self) -> Line<Tell, Ask> {
        let mut pause = RETRY_MIN;
        // Held until the engine listens: others that ask wait for it and start none.
        let mut _turn = None;
        let mut tries = 0_u32;
        loop {
            if tries.is_multiple_of(START_TRIES)
                && let Way::Started(_, start) = &self.way
                && (!self.open.is_empty() || !self.posts.is_empty())
            {
                _turn = start();
            }
            tries = tries.saturating_add(1);
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
            let from = (self.channel, self.board.seq);
            match call(&self.way, from, true, &self.tasks, &self.closing).await {
                Err(why) => {
                    self.seen.send_modify(|seen| seen.trouble = Some(Trouble::Lost(why.to_string())));
                }
                Ok((line, welcome)) => {
                    if welcome.instance != self.instance {
                        self.instance = welcome.instance;
                        self.give_up();
                    }
                    return line;
                }
            }
        }
    }

    /// Answers the commands that the engine before may have carried out: another engine does not know. Reads, runs to be started and
    /// commands that it never took are asked again: a run is made once for its request, also over engines.
    fn give_up(&mut self) {
        let why = "could not learn what became of it: the engine was started anew; look before you ask again";
        let is_lost = |open: &Open| open.may_be_taken && matches!(open.question, Question::Submit(_));
        for (_, open) in self.open.extract_if(.., |_, open| is_lost(open)) {
            drop(open.reply.send(Answer::Reply(Box::new(Reply::NotRecorded(why.to_owned())))));
        }
    }
}

fn recorded_at(answer: &Answer) -> Seq {
    match answer {
        Answer::Reply(reply) => match **reply {
            Reply::Recorded(receipt) => receipt.seq,
            Reply::Refused(_) | Reply::Invalid { .. } | Reply::NotRecorded(_) => Seq(0),
        },
        Answer::Preview(_) | Answer::Page(_) => Seq(0),
    }
}

//! A second seat: the desk of an engine in another process.
//!
//! It subscribes to events from the last one it knows and folds them into a board of its own with the same `apply`, so
//! it sees what a desk beside the engine sees. When the line breaks it says so and tries again; a request that was on its
//! way is sent again only to the same engine, which remembers what it answered.

use super::{
    frame::{Answer, Ask, Question, Tell, VERSION},
    line::Line,
    socket::short_path,
};
use crate::{
    base::{RunId, Seq},
    engine::{Channel, Command, Event, Refusal},
    projection::Board,
    runtime::{
        Boards, Desk, LaunchRequest, Page, Reply, Request, Seen, Signal, Signals, Tasks, Trouble, Want, past,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::UnixStream,
    sync::{broadcast, mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Questions that wait for the line.
const QUESTIONS_MAX: usize = 256;
/// Signals kept for who is slow.
const SIGNALS_MAX: usize = 1024;
/// How long an engine may take to say its first word.
const WELCOME_MAX: Duration = Duration::from_secs(5);
/// How long it may take to tell all that has happened so far.
const CATCH_UP_MAX: Duration = Duration::from_mins(1);
/// How long a question waits for its answer. A person waits no longer, and a full disk answers by itself.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Between two tries to reach the engine again: from …
const RETRY_MIN: Duration = Duration::from_millis(100);
/// … to.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// The other end of the socket.
#[derive(Clone, Debug)]
pub struct RemoteDesk {
    questions: mpsc::Sender<Post>,
    boards: Boards,
    ring: broadcast::Sender<Arc<Signal>>,
}

/// What goes to the task that has the line.
#[derive(Debug)]
enum Post {
    Question(Question, oneshot::Sender<Answer>),
    Follow(RunId),
}

impl RemoteDesk {
    /// Attaches to the engine that listens at `path`, as a console or as a command, and returns when all that has
    /// happened so far can be seen.
    ///
    /// # Errors
    /// When nobody listens there, or we may not attach.
    pub async fn attach(
        path: &Path,
        seat: Channel,
        tasks: &Tasks,
        closing: CancellationToken,
    ) -> Result<Self, String> {
        let (line, welcome) = call(path, seat, Seq(0), tasks, &closing).await?;
        let (questions, posts) = mpsc::channel(QUESTIONS_MAX);
        let (seen, boards) = watch::channel(Seen::default());
        let (ring, _) = broadcast::channel(SIGNALS_MAX);
        let desk = Self { questions, boards, ring: ring.clone() };
        let keeper = Keeper {
            path: path.to_owned(),
            channel: seat,
            tasks: tasks.clone(),
            closing,
            posts,
            seen,
            ring,
            board: Arc::default(),
            instance: welcome.instance.clone(),
            number: 0,
            open: BTreeMap::new(),
            held: Vec::new(),
            followed: Vec::new(),
            late: VecDeque::new(),
            recall: None,
        };
        tasks.spawn(keeper.keep(line));
        let mut boards = desk.boards();
        let caught_up = boards.wait_for(|seen| seen.board.seq >= welcome.seq || seen.trouble.is_some());
        match timeout(CATCH_UP_MAX, caught_up).await {
            Ok(Ok(seen)) if seen.board.seq >= welcome.seq || !seen.is_lost() => {}
            _ => {
                return Err(
                    "could not attach: the engine did not tell what has happened; try again".to_owned()
                );
            }
        }
        Ok(desk)
    }

    async fn ask(&self, question: Question) -> Result<Answer, String> {
        let (sender, receiver) = oneshot::channel();
        let gone =
            || "could not reach the engine; see that it runs, then look before you ask again".to_owned();
        let both = async {
            self.questions.send(Post::Question(question, sender)).await.map_err(|_| gone())?;
            receiver.await.map_err(|_| gone())
        };
        timeout(ANSWER_MAX, both).await.unwrap_or_else(|_| {
            Err("could not get an answer from the engine in time; look before you ask again".to_owned())
        })
    }

    async fn reply(&self, question: Question) -> Reply {
        match self.ask(question).await {
            Ok(Answer::Reply(reply)) => *reply,
            Ok(_) => Reply::NotRecorded(mixed_up()),
            Err(why) => Reply::NotRecorded(why),
        }
    }
}

impl Desk for RemoteDesk {
    async fn submit(&self, request: Request) -> Reply {
        self.reply(Question::Submit(Box::new(request))).await
    }

    async fn preview(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match self.ask(Question::Preview(Box::new(command))).await {
            Ok(Answer::Preview(result)) => result,
            Ok(_) => Err(Refusal::Other(mixed_up())),
            Err(why) => Err(Refusal::Other(why)),
        }
    }

    async fn launch(&self, launch: LaunchRequest) -> Reply {
        self.reply(Question::Launch(Box::new(launch))).await
    }

    fn boards(&self) -> Boards {
        self.boards.clone()
    }

    fn signals(&self, of: Option<RunId>) -> Signals {
        if let Some(run) = of {
            // A full queue means that output is not worth its way just now.
            drop(self.questions.try_send(Post::Follow(run)));
        }
        Signals::new(of, self.ring.subscribe())
    }

    async fn read(&self, want: Want) -> Page {
        if let Want::Past { run, until } = want {
            return past(run, until, |want| self.read_page(want)).await;
        }
        self.read_page(want).await
    }
}

impl RemoteDesk {
    async fn read_page(&self, want: Want) -> Page {
        match self.ask(Question::Read(want)).await {
            Ok(Answer::Page(page)) => page,
            Ok(_) => Page::Missing(mixed_up()),
            Err(why) => Page::Missing(why),
        }
    }
}

fn mixed_up() -> String {
    "could not understand the engine: it answered something else; use the same cuelight".to_owned()
}

/// What an engine says first.
struct Welcome {
    instance: String,
    seq: Seq,
}

/// Opens a line and greets.
async fn call(
    path: &Path,
    seat: Channel,
    after: Seq,
    tasks: &Tasks,
    closing: &CancellationToken,
) -> Result<(Line<Tell, Ask>, Welcome), String> {
    let said = |why: String| format!("could not attach to {}: {why}", path.display());
    let (short, _open) = short_path(path).map_err(|error| said(format!("{error}; see the path")))?;
    let stream = UnixStream::connect(short).await;
    let stream = stream.map_err(|error| said(format!("{error}; start an engine with `cuelight serve`")))?;
    let mut line = Line::new(stream, tasks, closing);
    let hello = Ask::Hello {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        seat: Some(seat),
        after,
    };
    drop(line.outgoing.send(hello).await);
    match timeout(WELCOME_MAX, line.incoming.recv()).await {
        Ok(Some(Tell::Welcome { instance, seq, .. })) => Ok((line, Welcome { instance, seq })),
        Ok(Some(Tell::Wrong(why))) => Err(why),
        Ok(_) => Err(said("it speaks another language; use the same cuelight".to_owned())),
        Err(_) => Err(said("it does not answer; see whether it still runs".to_owned())),
    }
}

/// A question whose answer has not come.
struct Open {
    question: Question,
    reply: oneshot::Sender<Answer>,
}

/// What was told makes no sense: the line is not to be trusted.
struct Nonsense;

/// The task that has the line, and folds what comes through it.
struct Keeper {
    path: PathBuf,
    channel: Channel,
    tasks: Tasks,
    closing: CancellationToken,
    posts: mpsc::Receiver<Post>,
    seen: watch::Sender<Seen>,
    ring: broadcast::Sender<Arc<Signal>>,
    board: Arc<Board>,
    instance: String,
    number: u64,
    open: BTreeMap<u64, Open>,
    /// Answers that speak of events we have not been told yet.
    held: Vec<(Seq, Answer, oneshot::Sender<Answer>)>,
    followed: Vec<RunId>,
    /// Told, and not folded yet: before them a run has to be taken back of which only the summary was kept.
    late: VecDeque<(Seq, Event)>,
    recall: Option<Recall>,
}

/// The history of one run, asked for page by page.
struct Recall {
    run: RunId,
    number: u64,
    board: Board,
}

/// Events of a run that are asked for at once.
const RECALLED_EVENTS: u32 = 512;
/// Runs whose output is asked for again on a new line.
const FOLLOWED_MAX: usize = 8;

impl Keeper {
    async fn keep(mut self, mut line: Line<Tell, Ask>) {
        let closing = self.closing.clone();
        let for_ever = async {
            while self.serve(&mut line).await {
                self.release_all();
                let why = "the line to the engine broke; trying to reach it again".to_owned();
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

    /// Until the line breaks; false when nobody looks any more.
    async fn serve(&mut self, line: &mut Line<Tell, Ask>) -> bool {
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
                        Err(Nonsense) => false,
                    },
                    None => return true,
                },
                post = self.posts.recv() => match post {
                    Some(post) => match self.ask_of(post) {
                        Some(ask) => line.outgoing.send(ask).await.is_ok(),
                        None => true,
                    },
                    None => return false,
                },
            };
            if !sent {
                return true;
            }
        }
    }

    fn ask_of(&mut self, post: Post) -> Option<Ask> {
        match post {
            Post::Follow(run) => {
                self.followed.retain(|it| *it != run);
                self.followed.push(run);
                if self.followed.len() > FOLLOWED_MAX {
                    self.followed.remove(0);
                }
                Some(Ask::Follow { run })
            }
            // Whoever does not wait any more was told that it did not happen: so it must not.
            Post::Question(_, reply) if reply.is_closed() => None,
            Post::Question(question, reply) => {
                self.open.retain(|_, it| !it.reply.is_closed());
                self.number += 1;
                self.open.insert(self.number, Open { question: question.clone(), reply });
                Some(Ask::Question { number: self.number, question })
            }
        }
    }

    /// Takes what was told; what has to be asked because of it comes back.
    fn take(&mut self, tell: Tell) -> Result<Option<Ask>, Nonsense> {
        match tell {
            Tell::Welcome { .. } | Tell::Wrong(_) => return Err(Nonsense),
            Tell::Trouble(trouble) => self.seen.send_modify(|seen| seen.trouble = trouble),
            // An error means that nobody listens.
            Tell::Signal(signal) => drop(self.ring.send(Arc::new(signal))),
            Tell::Events(events) => {
                self.late.extend(events);
                return self.fold();
            }
            Tell::Answer { number, answer } => {
                if let Some(recall) = self.recall.take_if(|it| it.number == number) {
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

    /// Folds what was told, up to an event about a run that has to be taken back first.
    fn fold(&mut self) -> Result<Option<Ask>, Nonsense> {
        let mut asks = None;
        while self.recall.is_none()
            && let Some((seq, event)) = self.late.pop_front()
        {
            if seq.0 != self.board.seq.0 + 1 {
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

    /// What was answered holds, also when the line broke before the events of it came: the engine may have gone for good.
    fn release_all(&mut self) {
        for (_, answer, reply) in self.held.drain(..) {
            drop(reply.send(answer));
        }
    }

    async fn call_again(&mut self) -> Line<Tell, Ask> {
        let mut pause = RETRY_MIN;
        loop {
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_MAX);
            match call(&self.path, self.channel, self.board.seq, &self.tasks, &self.closing).await {
                Err(why) => self.seen.send_modify(|seen| seen.trouble = Some(Trouble::Lost(why))),
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

    /// Another engine knows nothing of what was asked of the one before: only reading can be asked again.
    fn give_up(&mut self) {
        let why = "could not learn what became of it: the engine was started anew; look before you ask again";
        for (_, open) in
            self.open.extract_if(.., |_, it| matches!(it.question, Question::Submit(_) | Question::Launch(_)))
        {
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

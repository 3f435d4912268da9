//! A second seat: the desk of an engine in another process.
//!
//! It subscribes to events from the last one it knows and folds them into a board of its own with the same `apply`, so
//! it sees what a desk beside the engine sees. When the line breaks it says so and tries again; a request that was on its
//! way is sent again only to the same engine, which remembers what it answered.

use super::{
    frame::{About, Answer, Ask, Question, Tell, VERSION},
    line::Line,
    socket::short_path,
};
use cuelight_base::{RunId, Seq};
use cuelight_engine::{Channel, Command, Event, Fact, GateEvent, Refusal, ask_hash};
use cuelight_projection::Board;
use cuelight_runtime::{
    Boards, Desk, LaunchRequest, Page, Peer, Reply, Request, Seen, Signal, Signals, Tasks, Trouble, Want,
    are_we_of_a_step, past,
};
use rustix::fs::FileType;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt, io,
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
/// Timeout for the first message of an engine.
const WELCOME_MAX: Duration = Duration::from_secs(5);
/// Between two knocks at a socket where many wait.
const KNOCK_PAUSE: Duration = Duration::from_millis(10);
/// Timeout for the engine to send everything that has happened so far.
const CATCH_UP_MAX: Duration = Duration::from_mins(1);
/// Timeout for an answer. A person waits no longer, and a full disk answers by itself.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Shortest pause between two tries to reach the engine again, …
const RETRY_MIN: Duration = Duration::from_millis(100);
/// … and the longest pause.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Timeout to open a line from another machine: somebody may have to type a passphrase.
const OPENED_MAX: Duration = Duration::from_mins(2);
/// Timeout for the reason of a line that broke at once.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// The connection to an engine: a local socket, or a line from elsewhere.
#[derive(Clone)]
pub enum Way {
    /// By its socket on this machine.
    Socket(PathBuf),
    /// Over a line that somebody else opens, to another machine say. Asked with whether it is opened once more: then there is nobody who
    /// could be asked for anything.
    Line(Arc<dyn Fn(bool) -> Result<FarLine, String> + Send + Sync>),
}

/// Why there is no seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachError {
    /// Refused: an engine has answered no, and would say the same again.
    Refused(String),
    /// Unreachable: no engine has answered, for this reason.
    Unreached(String),
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why) | Self::Unreached(why)) = self;
        f.write_str(why)
    }
}

impl From<String> for AttachError {
    fn from(why: String) -> Self {
        Self::Unreached(why)
    }
}

/// A line to the socket of an engine elsewhere.
#[derive(Debug)]
pub struct FarLine {
    /// Our end of the connection.
    pub stream: UnixStream,
    /// Receives the message of the line when it ends.
    pub last_words: oneshot::Receiver<String>,
}

/// Opens the socket of an engine on this machine. A step can take its name and listen there itself: what it passes on may show a
/// person another ask than the one that is answered. So nobody but a step attaches to a step's process.
///
/// # Errors
/// When nobody listens there, or a step does.
pub async fn open_socket(path: &Path) -> Result<UnixStream, AttachError> {
    let stream = connect(path).await?;
    let listens = |why: String| {
        AttachError::Refused(format!(
            "could not attach: {why} at {} in place of an engine of yours; end it, then `cuelight engine take-over` puts one there",
            path.display()
        ))
    };
    match Peer::of(&stream) {
        Ok(peer) if peer.listens_for_a_step() && !are_we_of_a_step() => {
            let pid = peer.pid().map_or_else(String::new, |pid| format!(" (pid {pid})"));
            Err(listens(format!("a process that counts as a step's{pid} listens")))
        }
        Ok(_) => Ok(stream),
        Err(why) => Err(listens(format!("a process that the kernel does not tell ({why}) listens"))),
    }
}

async fn connect(path: &Path) -> Result<UnixStream, String> {
    let said = |why: String| format!("could not attach to {}: {why}", path.display());
    let (short, _open) = short_path(path).map_err(|error| said(format!("{error}; see the path")))?;
    // A link would lead to the engine of another workspace.
    if rustix::fs::lstat(&short).is_ok_and(|item| FileType::from_raw_mode(item.st_mode) != FileType::Socket) {
        return Err(said("it is a symbolic link, or no socket; remove it".to_owned()));
    }
    let connects = async {
        loop {
            match UnixStream::connect(&short).await {
                // More knock than have been let in; it goes on.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(KNOCK_PAUSE).await,
                connected => return connected,
            }
        }
    };
    let stream = timeout(WELCOME_MAX, connects).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    stream.map_err(|error| said(format!("{error}; start an engine with `cuelight serve`")))
}

/// True if the process at a socket answers at all, even with a refusal.
pub async fn answers(path: &Path) -> bool {
    let Ok(stream) = open_socket(path).await else { return false };
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let mut line: Line<Tell, Ask> = Line::new(stream, &tasks, &closing);
    let program = env!("CARGO_PKG_VERSION").to_owned();
    drop(line.outgoing.send(Ask::Hello { version: VERSION, program, seat: None, after: Seq(0) }).await);
    let said = timeout(WELCOME_MAX, line.incoming.recv()).await;
    closing.cancel();
    matches!(said, Ok(Some(_)))
}

/// The other end of the socket.
#[derive(Clone, Debug)]
pub struct RemoteDesk {
    about: Arc<About>,
    questions: mpsc::Sender<Post>,
    boards: Boards,
    ring: broadcast::Sender<Arc<Signal>>,
}

/// A message to the task that holds the line.
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
    ) -> Result<Self, AttachError> {
        Self::attach_by(Way::Socket(path.to_owned()), seat, tasks, closing).await
    }

    /// The same, whichever way leads there.
    ///
    /// # Errors
    /// When it leads to no engine, or we may not attach.
    pub async fn attach_by(
        way: Way,
        seat: Channel,
        tasks: &Tasks,
        closing: CancellationToken,
    ) -> Result<Self, AttachError> {
        let (line, welcome) = call(&way, (seat, Seq(0)), false, tasks, &closing).await?;
        let (questions, posts) = mpsc::channel(QUESTIONS_MAX);
        let (seen, boards) = watch::channel(Seen::default());
        let (ring, _) = broadcast::channel(SIGNALS_MAX);
        let desk = Self { about: Arc::new(*welcome.about), questions, boards, ring: ring.clone() };
        let keeper = Keeper {
            way,
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
            broken: BROKE,
        };
        tasks.spawn(keeper.keep(line));
        let mut boards = desk.boards();
        let caught_up = boards.wait_for(|seen| seen.board.seq >= welcome.seq || seen.trouble.is_some());
        match timeout(CATCH_UP_MAX, caught_up).await {
            Ok(Ok(seen)) if seen.board.seq >= welcome.seq || !seen.is_lost() => {}
            Ok(Ok(seen)) if matches!(&seen.trouble, Some(Trouble::Lost(why)) if why == SHOWS_ANOTHER) => {
                return Err(AttachError::Refused(format!("could not attach: {SHOWS_ANOTHER}")));
            }
            _ => {
                let why = "could not attach: the engine did not tell what has happened; try again";
                return Err(why.to_owned().into());
            }
        }
        Ok(desk)
    }

    /// Identity of the user of this seat, as reported by the engine.
    pub fn about(&self) -> &About {
        &self.about
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

/// The first message of an engine.
struct Welcome {
    instance: String,
    seq: Seq,
    about: Box<About>,
}

/// Opens a line, for the first time or again, and greets as who sits there and knows all up to an event.
async fn call(
    way: &Way,
    (seat, after): (Channel, Seq),
    again: bool,
    tasks: &Tasks,
    closing: &CancellationToken,
) -> Result<(Line<Tell, Ask>, Welcome), AttachError> {
    let (stream, last_words) = match way {
        Way::Socket(path) => (open_socket(path).await?, None),
        Way::Line(open) => {
            let FarLine { stream, last_words } = open(again)?;
            (stream, Some(last_words))
        }
    };
    let patience = if last_words.is_some() { OPENED_MAX } else { WELCOME_MAX };
    let mut line = Line::new(stream, tasks, closing);
    let hello = Ask::Hello {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        seat: Some(seat),
        after,
    };
    drop(line.outgoing.send(hello).await);
    let said = |why: &str| format!("could not attach: {why}");
    match (timeout(patience, line.incoming.recv()).await, last_words) {
        (Ok(Some(Tell::Welcome { instance, seq, about, .. })), _) => {
            Ok((line, Welcome { instance, seq, about }))
        }
        (Ok(Some(Tell::Wrong(why))), _) => Err(AttachError::Refused(why)),
        (Ok(None), Some(last_words)) => {
            let why = timeout(LAST_WORDS_MAX, last_words).await;
            let why = why.ok().and_then(Result::ok).filter(|timeout| !timeout.is_empty());
            let unsaid = || said("the line ended, and nobody says why; try it with ssh alone");
            Err(why.unwrap_or_else(unsaid).into())
        }
        (Ok(_), _) => Err(said("it speaks another language; use the same cuelight").into()),
        (Err(_), _) => Err(said("it does not answer; see whether it still runs").into()),
    }
}

/// A question whose answer has not come.
struct Open {
    question: Question,
    reply: oneshot::Sender<Answer>,
}

/// Marks invalid content from the engine: the line is not to be trusted.
struct Nonsense;

/// Reports if an event shows another ask than the one that its hash names. Whoever reads it would answer, and sign, for something
/// else.
fn shows_another_ask(event: &Event) -> bool {
    matches!(&event.fact, Fact::Gate(_, _, _, GateEvent::Asked { ask, hash, .. }) if ask_hash(ask) != *hash)
}

/// The task that has the line, and folds what comes through it.
struct Keeper {
    way: Way,
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
    /// Why the line is lost when it is.
    broken: &'static str,
}

const BROKE: &str = "the line to the engine broke; trying to reach it again";
const SHOWS_ANOTHER: &str = "the line to the engine shows another ask than the one it names, so a program stands in between; end what \
                             listens at the socket, then `cuelight engine take-over`";

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

    /// Folds what was told, up to an event about a run that has to be taken back first.
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
        loop {
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

    /// Another engine knows nothing of what was asked of the one before: only reading can be asked again.
    fn give_up(&mut self) {
        let why = "could not learn what became of it: the engine was started anew; look before you ask again";
        for (_, open) in self
            .open
            .extract_if(.., |_, open| matches!(open.question, Question::Submit(_) | Question::Launch(_)))
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

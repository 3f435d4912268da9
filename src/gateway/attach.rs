//! A second seat: the desk of an engine in another process.
//!
//! It subscribes to events from the last one it knows and folds them into a board of its own with the same `apply`, so
//! it sees what a desk beside the engine sees. When the line breaks it says so and tries again. A request that was on its
//! way is sent again to the same engine, which remembers what it answered, or to the next one where the engine that ended
//! said that it had not taken it.

mod keeper;

use super::{
    frame::{About, Answer, Ask, Question, Tell, VERSION},
    line::Line,
    socket::short_path,
};
use cuelight_base::{Channel, RunId, Seq, sha256};
use cuelight_engine::{Command, Event, Refusal};
use cuelight_runtime::{
    Boards, Desk, LaunchRequest, Page, Peer, Reply, Request, Seen, Signal, Signals, Tasks, Trouble, Want,
    are_we_of_a_step, past,
};
use keeper::{BROKE, Keeper, SHOWS_ANOTHER};
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

/// Timeout to open a line from another machine: somebody may have to type a passphrase.
const OPENED_MAX: Duration = Duration::from_mins(2);
/// Timeout for the reason of a line that broke at once.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// Starts an engine in the background. The value keeps others from starting one, too.
pub type Start = Arc<dyn Fn() -> Option<Box<dyn Send>> + Send + Sync>;

/// The connection to an engine: a local socket, or a line from elsewhere.
#[derive(Clone)]
pub enum Way {
    /// By its socket on this machine.
    Socket(PathBuf),
    /// The same, and a function that starts an engine: called when something is asked and no engine listens. Its value is kept until
    /// one does.
    Started(PathBuf, Start),
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
            taken: None,
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

    async fn launch(&self, mut launch: LaunchRequest) -> Reply {
        // Also the next engine knows it then: when the line breaks it is asked again, and makes no second run.
        let lasting = || sha256("cuelight-attached-request-v1", &[launch.id.0.as_bytes()]);
        launch.request = launch.request.or_else(|| Some(lasting()));
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
        Way::Socket(path) | Way::Started(path, _) => (open_socket(path).await?, None),
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

//! Builds what a command needs: an engine of our own, a seat at one that runs, a look at what was recorded, or a host for calls
//! outside a run.

use super::{
    config::{Config, Listen},
    exit::{NOT_RECORDED, Trouble},
    output::{log, say, tell_as_json},
    settings::Settings,
};
use cuelight_base::{Actor, Channel, KILL_GRACE, sha256};
use cuelight_gateway::{
    About, AnyDesk, AttachError, FarLine, HttpSetup, LookDesk, RemoteDesk, RequestLine, Seats, TlsFiles, Way,
    serve_http, serve_socket,
};
use cuelight_projection::RunView;
use cuelight_runtime::{
    Desk, Engine, LocalDesk, People, ReadDesk, Setup, SystemClock, Tasks, Traces, WhoIsWho, keep_schedules,
    keep_traces,
};
use cuelight_store::{OwnerError, Workspace};
use cuelight_tool::{Call, Host};
use rustix::fs::OFlags;
use std::{
    cell::Cell,
    ffi::OsString,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time in which an engine that was started in the background must begin to listen.
const START_MAX: Duration = Duration::from_secs(20);
/// Shortest pause between two tries to reach an engine in the background.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// Longest pause between two tries to reach an engine in the background.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Lines of the log that wait to be written; what comes when there are more is left out, and that is told.
const LINES_MAX: usize = 4096;

/// A place at a desk, and all that must be closed when it is left.
pub(super) struct Seat {
    pub(super) desk: AnyDesk,
    pub(super) actor: Actor,
    /// Everybody the workspace knows by name.
    pub(super) people: Vec<String>,
    pub(super) workspace: Workspace,
    pub(super) engine: Option<Engine>,
    /// The line to the engine's machine, when the engine is on another one.
    pub(super) far: Option<Far>,
    /// True if an engine in the background takes over the open runs when this seat is left.
    pub(super) goes_on: Cell<bool>,
    /// The address at which the engine of this process is asked to answer over HTTP.
    listen: Option<Listen>,
    /// The address at which it does answer over HTTP.
    pub(super) answers_at: Option<String>,
    /// Other seats at our engine.
    seats: Option<Seats>,
    tasks: Tasks,
    closing: CancellationToken,
}

/// An engine on another machine.
pub(super) struct Far {
    /// The words in the header: that it is elsewhere, and its machine.
    pub(super) place: String,
    /// The name of the environment that the workspace belongs to.
    pub(super) environment: String,
}

impl Seat {
    /// The word in the header: where the engine is.
    pub(super) fn place(&self) -> &str {
        if let Some(far) = &self.far {
            return &far.place;
        }
        match self.desk {
            AnyDesk::Local(_) => "local",
            AnyDesk::Remote(_) | AnyDesk::Looking(_) => "attached",
            AnyDesk::Reading(_) if self.workspace.is_only_looked_at() => "not trusted",
            AnyDesk::Reading(_) => "recorded",
        }
    }

    /// The number of other seats at the engine of this process.
    pub(super) fn attached(&self) -> usize {
        self.seats.as_ref().map_or(0, Seats::taken)
    }

    /// Leaves the seat: an engine of this process ends in order, a line is closed. Open runs continue in a
    /// background engine if `goes_on` is set.
    pub(super) async fn leave(self) {
        let board = self.desk.boards().borrow().board.clone();
        let named = |run: &Arc<RunView>| format!("{} {}", run.id(), run.summary.workflow);
        let open = board.open_runs().map(named).collect::<Vec<_>>().join(", ");
        drop(self.desk);
        self.closing.cancel();
        let goes_on = self.goes_on.get() && !open.is_empty() && self.engine.is_some();
        match self.engine {
            Some(engine) if goes_on => engine.hand_over().await,
            Some(engine) => engine.close().await,
            None => {}
        }
        self.tasks.join().await;
        if goes_on {
            match detach(&self.workspace, true, self.listen.as_ref()) {
                Ok(pid) => say(&format!(
                    "an engine in the background (pid {pid}) goes on with {open}; `cuelight cancel RUN` stops a run, `cuelight engine shutdown` the engine"
                )),
                Err(trouble) => say(&trouble.message),
            }
        }
    }
}

fn seat(
    desk: AnyDesk,
    actor: Actor,
    people: Vec<String>,
    workspace: &Workspace,
    tasks: Tasks,
    closing: CancellationToken,
) -> Seat {
    Seat {
        desk,
        actor,
        people,
        workspace: workspace.clone(),
        engine: None,
        far: None,
        goes_on: Cell::new(false),
        listen: None,
        answers_at: None,
        seats: None,
        tasks,
        closing,
    }
}

/// Writes a line of JSON for each request over HTTP.
fn log_requests(engine: &Engine) -> mpsc::Sender<RequestLine> {
    let (tasks, _) = engine.doors();
    let (line, mut lines) = mpsc::channel::<RequestLine>(LINES_MAX);
    drop(tasks.spawn_blocking(move || {
        while let Some(line) = lines.blocking_recv() {
            log(&line.json());
        }
    }));
    line
}

/// Takes the workspace, with a socket for other seats; where it is to stay, workflows also start by their schedules. With a reason it
/// is taken from a process that has it.
pub(super) async fn own(
    config: &Config,
    workspace: &Workspace,
    channel: Channel,
    schedules: bool,
    taking_over: Option<(&str, Option<u32>)>,
) -> Result<Seat, OwnTrouble> {
    let trusted = config.require_trust(workspace).map_err(OwnTrouble::Untrusted)?;
    let people = config.people(workspace).map_err(OwnTrouble::Other)?;
    let actor = config.actor(&people, channel);
    if taking_over.is_some() && actor.channel == Channel::Step {
        let why =
            "could not take over: this program counts as a step's and decides nothing; use your own terminal";
        return Err(OwnTrouble::Other(Trouble::failed(why)));
    }
    // A screen has the terminal to itself.
    let logs = channel != Channel::Console && config.logs_json(workspace).map_err(OwnTrouble::Other)?;
    if logs {
        tell_as_json();
    }
    let traces = config.traces(workspace).map_err(OwnTrouble::Other)?;
    let setup = Setup {
        traced: traces.is_some(),
        workspace: trusted.clone(),
        actor: actor.clone(),
        environment: config.inherited(workspace).map_err(OwnTrouble::Other)?,
        secrets: config.secrets(workspace),
        program: std::env::current_exe().ok(),
        http: config.http(workspace).map_err(OwnTrouble::Other)?,
        trees: config.state_home().map(|state_home| state_home.join("cuelight/trees")),
        guard: guard_program(),
    };
    let started = match taking_over {
        Some((reason, from)) => Engine::take_over(setup, reason, from).await,
        None => Engine::start(setup).await,
    };
    let engine = match started {
        Ok(engine) => engine,
        Err(OwnerError::Held { pid, .. }) => return Err(OwnTrouble::Held(holder(pid))),
        Err(error) => return Err(OwnTrouble::Other(Trouble::not_recorded(error.to_string()))),
    };
    config.settle_trust(trusted);
    if actor.channel == Channel::Step {
        say(
            "a step has started this engine: every answer at its gates counts as a step's, and no person decides here",
        );
    }
    let said = Settings::of(workspace).map_err(OwnTrouble::Other)?;
    if let Some(bytes) = said.context_cache(workspace).map_err(OwnTrouble::Other)? {
        engine.desk().bound_contexts(bytes);
    }
    let environment = said.environment;
    engine.desk().declare_topics(config.topics(workspace).map_err(OwnTrouble::Other)?).await;
    let names = people.groups().into_keys().collect();
    let who = config.who_is_who(workspace);
    let desk = engine.desk().with_people(who.clone());
    desk.declare_people().await;
    let seats = listen(&engine, desk.clone(), workspace, (who, environment)).map_err(OwnTrouble::Other)?;
    let traces = traces.map(|(setup, _)| {
        let (tasks, doors) = engine.doors();
        let traces = Arc::new(Traces::default());
        drop(tasks.spawn(keep_traces(setup, Arc::clone(&traces), engine.desk(), doors.clone())));
        traces
    });
    if config.listen.is_none() {
        engine.desk().answer_agents(None);
    }
    let mut answers_at = None;
    if let Some(listen) = &config.listen {
        let setup = config.http_setup(workspace, listen).map_err(OwnTrouble::Other)?;
        let log = logs.then(|| log_requests(&engine));
        let setup = HttpSetup { traces, log, ..setup };
        let (tasks, doors) = engine.doors();
        let at = serve_http(listen.address, setup, desk.clone(), tasks, doors.clone()).await;
        let at = at.map_err(|why| OwnTrouble::Other(Trouble::not_recorded(why)))?;
        let scheme = if listen.tls.is_some() { "https" } else { "http" };
        let at = format!("{scheme}://{at}");
        // A screen has the terminal to itself, and tells it there.
        if channel != Channel::Console {
            say(&format!("answering at {at}, described at {at}/openapi.json"));
        }
        answers_at = Some(at);
    }
    if schedules {
        let (tasks, doors) = engine.doors();
        let (desk, boards) = (engine.desk(), engine.desk().boards());
        let may_start = config.still_trusts(workspace);
        let keep = keep_schedules(
            (desk, may_start),
            workspace.clone(),
            SystemClock,
            boards,
            tasks.clone(),
            doors.clone(),
        );
        drop(tasks.spawn(keep));
    }
    let seat =
        seat(AnyDesk::Local(desk), actor, names, workspace, Tasks::default(), CancellationToken::new());
    Ok(Seat { engine: Some(engine), seats: Some(seats), listen: config.listen.clone(), answers_at, ..seat })
}

/// This program, also when its file was replaced while it runs; where there is no child subreaper there is no guard.
fn guard_program() -> Option<PathBuf> {
    cfg!(target_os = "linux").then(|| PathBuf::from("/proc/self/exe"))
}

/// Why the workspace could not be taken.
pub(super) enum OwnTrouble {
    /// Somebody else has it, and who; attach.
    Held(String),
    /// Its user has not said that anything in it may act.
    Untrusted(Trouble),
    Other(Trouble),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another cuelight has it".to_owned(),
        |pid| format!("another cuelight (pid {pid}) has it"),
    )
}

fn listen(
    engine: &Engine,
    desk: LocalDesk,
    workspace: &Workspace,
    people: (WhoIsWho, String),
) -> Result<Seats, Trouble> {
    let (tasks, doors) = engine.doors();
    serve_socket(&workspace.socket(), desk, people, tasks, doors.clone()).map_err(Trouble::not_recorded)
}

/// A seat at an engine that runs.
pub(super) async fn attach(
    config: &Config,
    workspace: &Workspace,
    channel: Channel,
) -> Result<Seat, Trouble> {
    let way = Way::Socket(workspace.socket());
    attach_as(config, &*config.people(workspace)?, workspace, (channel, way)).await
}

/// A seat at an engine that runs. Where that one ends before it has taken a command, another is started for it.
async fn attach_to_act(config: &Config, workspace: &Workspace, channel: Channel) -> Result<Seat, Trouble> {
    let place = workspace.clone();
    let start = move || -> Option<Box<dyn Send>> {
        let turn = turn_to_start(&place)?;
        // The command itself says when no engine came in time.
        drop(detach(&place, true, None));
        Some(Box::new(turn))
    };
    let way = match config.require_trust(workspace) {
        Ok(_) => Way::Started(workspace.socket(), Arc::new(start)),
        Err(_) => Way::Socket(workspace.socket()),
    };
    attach_as(config, &*config.people(workspace)?, workspace, (channel, way)).await
}

/// The same, for one of these people.
async fn attach_as(
    config: &Config,
    people: &People,
    workspace: &Workspace,
    (channel, way): (Channel, Way),
) -> Result<Seat, Trouble> {
    let actor = config.actor(people, channel);
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let desk = RemoteDesk::attach_by(way, channel, &tasks, closing.clone()).await.map_err(no_seat)?;
    Ok(seat(AnyDesk::Remote(desk), actor, people.groups().into_keys().collect(), workspace, tasks, closing))
}

/// An engine that says no is not asked again.
pub(super) fn no_seat(error: AttachError) -> Trouble {
    match error {
        AttachError::Refused(why) => Trouble::failed(why),
        AttachError::Unreached(why) => Trouble::not_recorded(why),
    }
}

/// Attaches to an engine on another machine. Files of this console itself go to a workspace in which nothing
/// runs.
pub(super) async fn attach_far(
    host: &str,
    open: impl Fn(bool, &Tasks) -> Result<FarLine, String> + Send + Sync + 'static,
    scratch: &Workspace,
) -> Result<Seat, Trouble> {
    let (tasks, closing) = (Tasks::default(), CancellationToken::new());
    let workers = tasks.clone();
    let way = Way::Line(Arc::new(move |again| open(again, &workers)));
    let desk = RemoteDesk::attach_by(way, Channel::Console, &tasks, closing.clone()).await;
    let desk = desk.map_err(no_seat)?;
    let About { actor, people, environment } = desk.about().clone();
    let far = Some(Far { place: format!("ssh {host}"), environment });
    Ok(Seat { far, ..seat(AnyDesk::Remote(desk), actor, people, scratch, tasks, closing) })
}

/// A seat here: this process owns the workspace, or attaches to the process that owns it.
pub(super) async fn own_or_attach(
    config: &Config,
    workspace: &Workspace,
    channel: Channel,
) -> Result<Seat, Trouble> {
    take_or_attach(config, workspace, channel, channel == Channel::Console).await
}

/// The same, where it is said whether workflows start by their schedules.
pub(super) async fn take_or_attach(
    config: &Config,
    workspace: &Workspace,
    channel: Channel,
    schedules: bool,
) -> Result<Seat, Trouble> {
    let tries = async {
        let mut pause = PAUSE_MIN;
        loop {
            match own(config, workspace, channel, schedules, None).await {
                Ok(seat) => return Ok(seat),
                Err(OwnTrouble::Other(trouble)) => return Err(trouble),
                // An engine that runs was started by somebody who trusts it.
                Err(OwnTrouble::Untrusted(trouble)) => {
                    return attach(config, workspace, channel).await.map_err(|_| trouble);
                }
                // It listens in a moment, or it is about to leave.
                Err(OwnTrouble::Held(why)) if config.listen.is_some() => {
                    return Err(Trouble::failed(format!(
                        "could not listen: {why}, and the engine listens; end it with `cuelight engine shutdown`, or go without --listen"
                    )));
                }
                Err(OwnTrouble::Held(_)) => match attach(config, workspace, channel).await {
                    Ok(seat) => return Ok(seat),
                    Err(trouble) if trouble.code != NOT_RECORDED => return Err(trouble),
                    Err(_) => {}
                },
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    };
    tokio::time::timeout(START_MAX, tries).await.unwrap_or_else(|_| Err(unreachable(workspace)))
}

/// A seat for looking: at the running engine, else at the recorded events. If the list of people cannot be
/// read, that is printed, and nobody is known by name.
pub(super) async fn look(config: &Config) -> Result<Seat, Trouble> {
    let workspace = config.workspace()?;
    let people = config.people(&workspace).unwrap_or_else(|trouble| {
        say(trouble.message.trim_end());
        say("until that is mended nobody is known by name, and nobody decides anything");
        Arc::default()
    });
    if let Ok(mut seat) =
        attach_as(config, &people, &workspace, (Channel::Command, Way::Socket(workspace.socket()))).await
    {
        if let AnyDesk::Remote(line) = seat.desk {
            seat.desk = AnyDesk::Looking(LookDesk::new(line, workspace, seat.tasks.clone()));
        }
        return Ok(seat);
    }
    let actor = config.actor(&people, Channel::Command);
    let tasks = Tasks::default();
    let workspace = config.to_look_at(workspace);
    if workspace.hides_records() {
        say(
            "this workspace is not trusted, and its newest records are not read: `cuelight trust --show` tells what would act",
        );
    }
    let desk =
        ReadDesk::open(&workspace, &tasks).map_err(|error| Trouble::not_recorded(error.to_string()))?;
    let names = people.groups().into_keys().collect();
    Ok(seat(AnyDesk::Reading(desk), actor, names, &workspace, tasks, CancellationToken::new()))
}

/// A seat in a workspace that is not trusted: what was recorded can be seen, and nothing can be asked.
pub(super) fn only_look(config: &Config, workspace: &Workspace) -> Result<Seat, Trouble> {
    let workspace = workspace.clone().only_looked_at();
    let tasks = Tasks::default();
    let desk =
        ReadDesk::open(&workspace, &tasks).map_err(|error| Trouble::not_recorded(error.to_string()))?;
    let actor = config.actor(&People::default(), Channel::Console);
    Ok(seat(AnyDesk::Reading(desk), actor, Vec::new(), &workspace, tasks, CancellationToken::new()))
}

/// A seat to act from: at the engine that runs, else at one that is started for it in the background.
pub(super) async fn act(config: &Config) -> Result<Seat, Trouble> {
    act_by(config, Channel::Command).await
}

/// The same, for a caller that comes by another channel.
pub(super) async fn act_by(config: &Config, channel: Channel) -> Result<Seat, Trouble> {
    let workspace = config.workspace()?;
    let tries = async {
        let mut pause = PAUSE_MIN;
        loop {
            match attach_to_act(config, &workspace, channel).await {
                Ok(seat) => return Ok(seat),
                Err(trouble) if trouble.code != NOT_RECORDED => return Err(trouble),
                Err(_) => {}
            }
            // One of all who come at once starts an engine; the others find it.
            if let Some(_turn) = turn_to_start(&workspace) {
                config.require_trust(&workspace)?;
                detach(&workspace, true, None)?;
                return soon(|| attach_to_act(config, &workspace, channel), &workspace).await;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    };
    tokio::time::timeout(START_MAX, tries).await.unwrap_or_else(|_| Err(unreachable(&workspace)))
}

/// The host of this workspace for a call outside a run, and the call with a directory to remove afterwards.
pub(super) fn outside(config: &Config, what: &str) -> Result<(Host, Call), Trouble> {
    let workspace = config.find_or_make()?;
    config.require_trust(&workspace)?;
    let environment = config.inherited(&workspace)?;
    let host = Host::new(workspace.root().to_owned(), environment, config.secrets(&workspace), KILL_GRACE);
    let host = host.with_program(std::env::current_exe().ok()).with_http(config.http(&workspace)?);
    let attempt = format!("test-{}", std::process::id());
    let call = Call {
        attempt_dir: workspace.spool().join(&attempt),
        run: "test".to_owned(),
        step: what.to_owned(),
        effect_key: sha256("cuelight-tools-test-v1", &[attempt.as_bytes()]).to_string(),
        attempt,
        tree: None,
        traceparent: None,
    };
    Ok((host, call))
}

/// The lock on the directory of a workspace, for the one process that starts its engine; None while another
/// holds it. A directory that cannot be locked stops nobody: then the lock of the workspace itself decides.
fn turn_to_start(workspace: &Workspace) -> Option<Option<File>> {
    let dir = File::open(workspace.root().join(".cuelight")).ok();
    match dir.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => None,
        _ => Some(dir),
    }
}

/// An engine that has just taken the workspace listens in a moment.
pub(super) async fn attach_soon(
    config: &Config,
    workspace: &Workspace,
    channel: Channel,
) -> Result<Seat, Trouble> {
    soon(|| attach(config, workspace, channel), workspace).await
}

/// Tries to get a seat until an engine listens.
async fn soon<F: Future<Output = Result<Seat, Trouble>>>(
    attach: impl Fn() -> F,
    workspace: &Workspace,
) -> Result<Seat, Trouble> {
    let tries = async {
        let mut pause = PAUSE_MIN;
        loop {
            match attach().await {
                Ok(seat) => return Ok::<Seat, Trouble>(seat),
                Err(trouble) if trouble.code != NOT_RECORDED => return Err(trouble),
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    };
    tokio::time::timeout(START_MAX, tries).await.unwrap_or_else(|_| Err(unreachable(workspace)))
}

fn unreachable(workspace: &Workspace) -> Trouble {
    let root = workspace.root().display();
    Trouble::not_recorded(format!(
        "could not reach the engine of {root} in time: it is busy, or it hangs; try again, and where it hangs `cuelight engine take-over` puts \
         another in its place"
    ))
}

/// Starts an engine in the background that outlives us; what it has to say goes to a file of the workspace.
pub(super) fn detach(
    workspace: &Workspace,
    until_idle: bool,
    listen: Option<&Listen>,
) -> Result<u32, Trouble> {
    let idle = until_idle.then_some(OsString::from("--until-idle"));
    let word = |name: &str, path: &Path| {
        let mut word = OsString::from(name);
        word.push(path);
        word
    };
    // Where it listens was judged here.
    let http = listen.map(|listen| {
        let how = match &listen.tls {
            Some(TlsFiles { certificate, key }) => {
                vec![word("--tls-cert=", certificate), word("--tls-key=", key)]
            }
            None => vec![OsString::from("--insecure")],
        };
        [OsString::from(format!("--listen={}", listen.address))].into_iter().chain(how)
    });
    in_background(workspace, idle.into_iter().chain(http.into_iter().flatten()))
}

/// The same, in the place of one that does not answer any more.
pub(super) fn detach_in_place(
    workspace: &Workspace,
    reason: &str,
    from: Option<u32>,
) -> Result<u32, Trouble> {
    // One word, so that a reason is never taken for something else.
    let from = from.map(|pid| format!("--taking-from={pid}"));
    let words = from.into_iter().chain([format!("--taking-over={reason}")]);
    in_background(workspace, words.map(OsString::from))
}

#[expect(clippy::disallowed_methods, reason = "the engine itself, not a step, is started here")]
fn in_background(workspace: &Workspace, more: impl IntoIterator<Item = OsString>) -> Result<u32, Trouble> {
    use std::os::unix::process::CommandExt;
    let failed = |error: std::io::Error| {
        Trouble::not_recorded(format!(
            "could not start an engine in the background: {error}; try `cuelight serve`"
        ))
    };
    workspace.check_all().map_err(|error| Trouble::not_recorded(error.to_string()))?;
    let log = workspace.root().join(".cuelight/serve.log");
    let log = workspace.open(&log, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = std::process::Command::new(program);
    command.arg("serve").arg("--workspace").arg(workspace.root());
    command.arg("--background").args(more);
    // A group of its own from its first moment: when we lead the session of a terminal that has gone, the kernel hangs up our whole
    // group as we end, which would be its end before it listens for signals.
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(failed)?)
        .stderr(log)
        .current_dir(workspace.root())
        .spawn()
        .map_err(failed)?;
    Ok(child.id())
}

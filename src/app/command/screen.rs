//! Commands that open the console: on this workspace, on a run, on the demo, at another engine.

use super::{
    appearance::{self, Appearance},
    far, follow, named, serve, shutdown,
    signals::Signals,
    telling::Telling,
    trust::would_act,
};
use crate::{
    args::{Everywhere, key_value},
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    settings::Settings,
    wiring::{self, Seat},
};
use clap::Args;
use cuelight_base::{Actor, Channel, RunId, Span, safe_text, sha256, shorten};
use cuelight_console::{ConsoleOptions, Danger, Keymap, Leave, run_console};
use cuelight_engine::RunState;
use cuelight_projection::{Board, RunView, StepView, health_line};
use cuelight_runtime::{Clock as _, Desk, InputText, Source, SystemClock};
use cuelight_store::Workspace;
use rustix::fs::OFlags;
use std::{
    fs,
    future::Future,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::sync::oneshot;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Run without a screen, one line a change; without a terminal it always does
    #[arg(long, alias = "plain")]
    pub(super) headless: bool,
    /// Without a screen, one event a line as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Directory to run in, else one for the current directory; an earlier demo there continues
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Delete the earlier demo first
    #[arg(long)]
    pub(super) fresh: bool,
}

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// Directory, its socket, or `ssh://USER@HOST:PORT/DIRECTORY`, of which HOST is enough (`/~/…` from the home directory); else here
    #[arg(value_name = "PLACE")]
    pub(super) place: Option<String>,
    /// Name of the program cuelight on that machine
    #[arg(long, value_name = "PATH", default_value = "cuelight")]
    pub(super) program: String,
}

/// The appearance and the place of the console.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) appearance: Appearance,
    /// Named by the operator, else by the workspace.
    environment: Option<String>,
    /// The operator's editor for long texts.
    pub(super) editor: String,
    /// The directory of the user's pictures.
    pictures: PathBuf,
    /// Why there can be no screen, if there can be none.
    pub(super) no_screen: Option<&'static str>,
}

impl Look {
    pub(super) fn new(config: &Config, everywhere: &Everywhere, no_color: bool) -> Self {
        Self {
            appearance: Appearance::new(config, everywhere, no_color),
            environment: config.variable("CUELIGHT_ENVIRONMENT").map(str::to_owned),
            editor: config
                .variable("VISUAL")
                .or_else(|| config.variable("EDITOR"))
                .unwrap_or("vi")
                .to_owned(),
            pictures: config.here.clone(),
            no_screen: appearance::no_screen(config),
        }
    }
}

/// The console on this workspace.
pub(super) async fn bare(config: &Config, look: &Look) -> Outcome {
    let workspace = config.find_or_make()?;
    let signals = Signals::listen()?;
    if let Err(why) = config.trusts(&workspace) {
        // An engine that runs was started by somebody who trusts it.
        if let Ok(seat) = wiring::attach(config, &workspace, Channel::Console).await {
            return open(seat, look, None, signals).await;
        }
        let note = ("this workspace is not trusted".to_owned(), would_act(config, &workspace, &why)?);
        let seat = wiring::only_look(config, &workspace)?;
        let place = place_at(&seat, look)?;
        let options = options(look, &seat.workspace, &place.environment, None)?;
        let options = ConsoleOptions { note: Some(note), ..options };
        return show(options, place, look, signals, std::future::ready(Ok(seat))).await;
    }
    let coming = wiring::own_or_attach(config, &workspace, Channel::Console);
    Box::pin(open_at(config, &workspace, look, signals, coming)).await
}

/// A second seat; never an engine of our own.
pub(super) async fn attach(config: Config, look: &Look, args: &AttachArgs) -> Outcome {
    needs_screen(look)?;
    let config = match args.place.as_deref() {
        Some(url) if url.starts_with(far::SCHEME) => {
            let signals = Signals::listen()?;
            let seat = far::attach(&config, url, &args.program).await?;
            return open(seat, look, None, signals).await;
        }
        Some(path) => config.at(Path::new(path)),
        None => config,
    };
    let workspace = config.workspace()?;
    let signals = Signals::listen()?;
    let coming = wiring::attach(&config, &workspace, Channel::Console);
    open_at(&config, &workspace, look, signals, coming).await
}

/// A workflow, with or without a screen.
pub(super) async fn run(config: &Config, out: Output, look: &Look, args: &RunArgs) -> Outcome {
    let headless = args.headless || args.json || look.no_screen.is_some();
    // A slip in the name of the file leaves no workspace behind.
    let source = Source::Path(named::file(config, &args.file)?);
    let words =
        args.inputs.iter().map(|(name, text)| InputText { name: name.clone(), text: text.clone() }).collect();
    let workspace = config.find_or_make()?;
    let channel = if headless { Channel::Command } else { Channel::Console };
    let mut signals = Signals::listen()?;
    let seat = wiring::own_or_attach(config, &workspace, channel).await?;
    let run = match follow::launch(&seat, source, words, config.traceparent()).await {
        Ok(run) => run,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    if !headless {
        return open(seat, look, Some(run), signals).await;
    }
    let outcome = follow::follow(&seat, out, run, Telling::of(config, out, args.json), &mut signals).await;
    seat.leave().await;
    outcome
}

/// The workflow that shows everything.
const DEMO: &str = include_str!("demo.yaml");

/// The built-in workflow, in a directory of its own; a run that is open there goes on.
pub(super) async fn demo(config: &Config, out: Output, look: &Look, args: &DemoArgs) -> Outcome {
    let root = args.dir.clone().map_or_else(|| demo_dir(config), |dir| Ok(config.here.join(dir)))?;
    if args.fresh {
        match fs::remove_dir_all(root.join(".cuelight")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Trouble::failed(format!("could not begin anew in {}: {error}", root.display())));
            }
            Ok(()) | Err(_) => {}
        }
    }
    fs::create_dir_all(&root)
        .map_err(|error| Trouble::failed(format!("could not make {}: {error}", root.display())))?;
    let workspace = config.make(&root)?;
    let channel = if look.no_screen.is_some() { Channel::Command } else { Channel::Console };
    let mut signals = Signals::listen()?;
    let seat = wiring::own_or_attach(config, &workspace, channel).await?;
    let open_run = seat.desk.boards().borrow().board.open_runs().next_back().map(|run| run.summary.id);
    let run = match open_run {
        Some(run) => run,
        None => {
            let source = Source::Text { name: "demo.yaml".to_owned(), text: DEMO.to_owned() };
            match follow::launch(&seat, source, Vec::new(), None).await {
                Ok(run) => run,
                Err(trouble) => {
                    seat.leave().await;
                    return Err(trouble);
                }
            }
        }
    };
    if let Some(why) = look.no_screen {
        say(&format!("{why}: telling what happens in {} line by line", root.display()));
        let outcome = follow::follow(&seat, out, run, Telling::of(config, out, false), &mut signals).await;
        seat.leave().await;
        return outcome;
    }
    let hint = Some("press 3 when a gate waits: a approves, r rejects; ? shows all keys".to_owned());
    open_with(seat, look, (Some(run), hint), signals).await
}

/// The directory of the demo that is started here: its name tells where, its digest which.
fn demo_dir(config: &Config) -> Result<PathBuf, Trouble> {
    let base = config
        .state_home()
        .ok_or_else(|| Trouble::usage("could not tell where the demo may run: HOME is not set; use --dir"))?;
    let here = config.here.as_os_str().as_encoded_bytes();
    let name = config.here.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let digest = sha256("cuelight-demo-v1", &[here]).code();
    Ok(base.join("cuelight/demos").join(format!("{}-{}", shorten(&plain, 40), &digest[..8])))
}

fn needs_screen(look: &Look) -> Result<(), Trouble> {
    match look.no_screen {
        None => Ok(()),
        Some(why) => Err(Trouble::usage(format!(
            "could not open the console: {why}; use `cuelight run FILE --headless`, `cuelight runs`, `cuelight gates`"
        ))),
    }
}

/// The screen at a desk that is still coming: its first frame stands before the log is read.
async fn open_at(
    config: &Config,
    workspace: &Workspace,
    look: &Look,
    signals: Signals,
    coming: impl Future<Output = Result<Seat, Trouble>>,
) -> Outcome {
    let people = config.people(workspace)?;
    let actor = config.actor(&people, Channel::Console);
    let place = place(workspace, actor, people.groups().into_keys().collect(), "", look)?;
    let options = options(look, workspace, &place.environment, None)?;
    show(options, place, look, signals, coming).await
}

/// The screen at a desk that is there.
async fn open(seat: Seat, look: &Look, run: Option<RunId>, signals: Signals) -> Outcome {
    open_with(seat, look, (run, None), signals).await
}

/// The same with a line that says what to press first.
async fn open_with(
    seat: Seat,
    look: &Look,
    (run, hint): (Option<RunId>, Option<String>),
    signals: Signals,
) -> Outcome {
    match place_at(&seat, look)
        .and_then(|place| Ok((options(look, &seat.workspace, &place.environment, run)?, place)))
    {
        Ok((options, place)) => {
            let options = ConsoleOptions { hint, ..options };
            show(options, place, look, signals, std::future::ready(Ok(seat))).await
        }
        Err(trouble) => {
            seat.leave().await;
            Err(trouble)
        }
    }
}

/// The screen, until it is left. A terminal that goes away ends the screen and not the runs.
async fn show(
    options: ConsoleOptions,
    place: cuelight_console::Seat,
    look: &Look,
    mut signals: Signals,
    coming: impl Future<Output = Result<Seat, Trouble>>,
) -> Outcome {
    let (arrives, desk) = oneshot::channel();
    let mut told = None;
    let taken = async {
        let seat = coming.await?;
        told = signals.already();
        if told.is_some() {
            return Ok(seat);
        }
        match place_at(&seat, look) {
            // An error means that the screen has been left already.
            Ok(place) => drop(arrives.send((seat.desk.clone(), place))),
            Err(trouble) => {
                seat.leave().await;
                return Err(trouble);
            }
        }
        Ok(seat)
    };
    let (left, seat) = tokio::join!(run_console(desk, place, options), taken);
    let seat = seat?;
    match left {
        Ok(_) if told.is_some() => {
            seat.leave().await;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::Left) => {
            let lines = farewell(&seat);
            hand_over(seat).await?;
            lines.iter().for_each(|line| say(line));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::Stopped) => {
            let lines = farewell(&seat);
            let workspace = seat.workspace.clone();
            let seen = seat.desk.boards();
            seat.leave().await;
            lines.iter().for_each(|line| say(line));
            let stopped = shutdown::stop(&workspace).await?;
            say(if stopped {
                "the engine is stopped; nothing goes on until somebody starts it again"
            } else {
                "the engine has ended already; nothing goes on until somebody starts it again"
            });
            let seen = seen.borrow().clone();
            say(&health_line(&seen.board, &seen.board.checks(SystemClock.now())));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::Signalled) => {
            seat.leave().await;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::HungUp) => {
            if seat.engine.is_some() {
                serve::until_told(&seat, Some(Span::seconds(30)), &mut signals).await?;
            }
            seat.leave().await;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            // A screen that cannot be shown ends no run.
            hand_over(seat).await?;
            Err(Trouble::failed(format!("could not show the console: {why}")))
        }
    }
}

/// The three lines that remain when a screen has been left.
fn farewell(seat: &Seat) -> Vec<String> {
    let seen = seat.desk.boards().borrow().clone();
    let open: Vec<String> = seen
        .board
        .open_runs()
        .map(|run| format!("{} {} {}", run.summary.id, safe_text(&run.summary.workflow), run.summary.doing()))
        .collect();
    let gates = seen.board.open_gates().count();
    let mut lines = Vec::new();
    lines.push(if open.is_empty() {
        "no run is open".to_owned()
    } else {
        format!("open: {}", open.join(", "))
    });
    if gates > 0 {
        lines.push(format!("waiting for a person: {gates}; `cuelight gates` lists them"));
    }
    if seen.board.open_runs().any(|run| run.summary.state != RunState::Created) {
        lines.push("come back with: cuelight".to_owned());
    }
    lines
}

/// Leaves; runs of an engine of our own go on in the background, from a moment at which no call is being made.
pub(super) async fn hand_over(seat: Seat) -> Result<(), Trouble> {
    let mut boards = seat.desk.boards();
    let is_open = boards.borrow().board.open_runs().next().is_some();
    if seat.engine.is_none() || !is_open {
        seat.leave().await;
        return Ok(());
    }
    if calls(&boards.borrow().board) > 0 {
        say(
            "the runs go on in the background as soon as no step is in the middle (Ctrl-C: end those steps now)",
        );
        tokio::select! {
            _ = boards.wait_for(|seen| calls(&seen.board) == 0) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    let workspace = seat.workspace.clone();
    seat.leave().await;
    wiring::detach(&workspace, true, None).map(drop)
}

/// Calls that are being made.
fn calls(board: &Board) -> usize {
    let in_flight = |run: &RunView| {
        let ended = |step: &StepView| {
            step.attempts().last().is_none_or(|attempt| attempt.ended_at.is_some() || attempt.lost.is_some())
        };
        run.steps().filter(|(_, _, step)| !ended(step)).count()
    };
    board.open_runs().map(|run| in_flight(run)).sum()
}

/// The parts of a read-only screen, on which nothing can be asked.
pub(super) fn to_look_at(
    seat: &Seat,
    look: &Look,
) -> Result<(cuelight_console::Seat, cuelight_console::LookOfScreen, Keymap), Trouble> {
    let place = cuelight_console::Seat { read_only: true, ..place_at(seat, look)? };
    let chosen = look.appearance.choose(&place.environment)?;
    let own = look.appearance.own.as_ref().map(|path| path.join("keymap.toml"));
    Ok((place, chosen.look, keys(own.as_deref()).0))
}

fn place_at(seat: &Seat, look: &Look) -> Result<cuelight_console::Seat, Trouble> {
    let place = place(&seat.workspace, seat.actor.clone(), seat.people.clone(), seat.place(), look)?;
    let place = cuelight_console::Seat { answers_at: seat.answers_at.clone(), ..place };
    let Some(far) = &seat.far else { return Ok(place) };
    // Nothing said here makes another machine look less dangerous than it says it is.
    let environment =
        if far.environment.is_empty() { place.environment } else { safe_text(&far.environment) };
    Ok(cuelight_console::Seat { danger: danger(&environment), environment, is_far: true, ..place })
}

fn place(
    workspace: &Workspace,
    actor: Actor,
    people: Vec<String>,
    place: &str,
    look: &Look,
) -> Result<cuelight_console::Seat, Trouble> {
    let named = look.environment.clone().map_or_else(|| Settings::environment_of(workspace), Ok)?;
    let environment = safe_text(&named);
    let (danger, read_only) = (danger(&environment), matches!(place, "recorded" | "not trusted"));
    Ok(cuelight_console::Seat {
        actor,
        environment,
        danger,
        read_only,
        is_far: false,
        answers_at: None,
        place: place.to_owned(),
        people,
    })
}

/// The danger of an environment, by its name.
fn danger(environment: &str) -> Danger {
    let lower = environment.to_lowercase();
    if lower.contains("prod") {
        Danger::Production
    } else if lower.contains("stag") || lower.contains("test") {
        Danger::Staging
    } else {
        Danger::Development
    }
}

fn options(
    look: &Look,
    workspace: &Workspace,
    environment: &str,
    run: Option<RunId>,
) -> Result<ConsoleOptions, Trouble> {
    let keymap = look.appearance.own.as_ref().map(|path| path.join("keymap.toml"));
    let (keys, note) = keys(keymap.as_deref());
    let pictures = look.pictures.clone();
    let (editor, private, crashes) = (look.editor.clone(), workspace.clone(), workspace.clone());
    let chosen = look.appearance.choose(environment)?;
    Ok(ConsoleOptions {
        look: chosen.look,
        by_ground: chosen.by_ground,
        themes: Box::new(look.appearance.clone().reader_of_themes()),
        depth: look.appearance.depth,
        keys,
        run,
        note,
        hint: None,
        export: Box::new(move |name: &str, content: &str| save(&pictures.join(name), content)),
        edit: Box::new(move |text: &str| edited(&editor, &private, text)),
        crashes: Box::new(move |name: &str, content: &str| {
            let path = crashes.root().join(".cuelight").join(name);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            let saved = crashes.open(&path, flags).and_then(|mut file| file.write_all(content.as_bytes()));
            saved.map_err(|error| format!("could not save {}: {error}", path.display()))?;
            Ok(path.display().to_string())
        }),
        silent: chosen.silent,
        notify: chosen.notify,
    })
}

/// Opens a text in the operator's editor, as a file that nobody else can read, and returns what was saved.
#[expect(clippy::disallowed_methods, reason = "the operator's own editor, not a step, is started here")]
fn edited(editor: &str, private: &Workspace, text: &str) -> Result<String, String> {
    let path = private.root().join(".cuelight").join(format!("edit-{}.txt", std::process::id()));
    let failed = |what: &str, why: std::io::Error| format!("could not {what} {}: {why}", path.display());
    let made = private.open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC);
    made.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed("write", error))?;
    let shell = format!("{editor} \"$1\"");
    let ended = std::process::Command::new("sh").args(["-c", &shell, "sh"]).arg(&path).status();
    let read = fs::read_to_string(&path).map_err(|error| failed("read", error));
    // What was typed is in memory; a file that stays behind is written over the next time.
    let _removed = fs::remove_file(&path);
    match ended {
        Ok(status) if status.success() => read,
        Ok(status) => Err(format!("nothing was changed: {editor} ended with {status}")),
        Err(why) => Err(format!("could not start {editor}: {why}; set EDITOR")),
    }
}

fn save(path: &Path, content: &str) -> Result<String, String> {
    fs::write(path, content).map_err(|error| format!("could not save {}: {error}", path.display()))?;
    Ok(path.display().to_string())
}

/// The key table with the user's own over it. One with mistakes is told with its lines, and the built-in keys go on.
fn keys(own: Option<&Path>) -> (Keymap, Option<(String, String)>) {
    let Some(path) = own else { return (Keymap::default(), None) };
    let problems = match fs::read_to_string(path) {
        Ok(text) => match Keymap::with_user(&text) {
            Ok(keys) => return (keys, None),
            Err(problems) => {
                problems.iter().map(|problem| format!("{}: {problem}", path.display())).collect()
            }
        },
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return (Keymap::default(), None),
        Err(why) => vec![format!("could not read {}: {why}", path.display())],
    };
    let text = format!("The built-in keys are used until this is mended:\n\n{}", problems.join("\n"));
    (Keymap::default(), Some(("your own keys have mistakes".to_owned(), text)))
}

//! Commands that open the console: on this workspace, on a run, on the demo, at another engine.

use super::{run, serve};
use crate::{
    app::{
        args::{DemoArgs, Everywhere, RunArgs},
        config::Config,
        exit::{Outcome, Trouble},
        output::{Output, say},
        wiring::{self, Seat},
    },
    base::{RunId, Span, safe_text},
    console::{self, ConsoleOptions, Danger, Depth, Glyphs, Keymap, Leave, LookOfScreen, Theme, run_console},
    engine::Channel,
    projection::{Board, RunView, StepView},
    runtime::{Desk, Source},
    store::Workspace,
};
use std::{fs, io::IsTerminal, path::PathBuf, process::ExitCode};

/// How the console looks, from flags and environment.
#[derive(Debug)]
pub(super) struct Look {
    theme: String,
    ascii: bool,
    depth: Depth,
    /// Named by the operator, else by the workspace.
    environment: Option<String>,
    /// Where the user's own keys and pictures are.
    keymap: Option<PathBuf>,
    pictures: PathBuf,
    /// Why there can be no screen, if there can be none.
    no_screen: Option<&'static str>,
}

impl Look {
    pub(super) fn new(config: &Config, everywhere: &Everywhere, no_color: bool) -> Self {
        let term = config.variable("TERM").unwrap_or("");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|it| config.variable(it)).unwrap_or("");
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        let theme = everywhere.screen.theme.clone();
        let no_screen = if term == "dumb" {
            Some("the terminal is dumb (TERM)")
        } else if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            Some("this is no terminal")
        } else {
            None
        };
        Self {
            theme: theme.unwrap_or_else(|| if no_color { "mono" } else { "terminal" }.to_owned()),
            ascii: everywhere.screen.ascii || term == "linux" || !utf8,
            depth: depth(config, term, no_color),
            environment: config.variable("CUELIGHT_ENVIRONMENT").map(str::to_owned),
            keymap: config_dir(config).map(|it| it.join("keymap.toml")),
            pictures: config.here.clone(),
            no_screen,
        }
    }
}

/// The console on this workspace.
pub(super) async fn bare(config: &Config, look: &Look) -> Outcome {
    needs_screen(look)?;
    let workspace = config.find_or_make()?;
    let seat = wiring::own_or_attach(config, &workspace, Channel::Console).await?;
    open(seat, look, None).await
}

/// A second seat; never an engine of our own.
pub(super) async fn attach(config: &Config, look: &Look) -> Outcome {
    needs_screen(look)?;
    let workspace = config.find().ok_or_else(|| {
        Trouble::usage(
            "could not find a workspace here or above; change into one, or name it with --workspace",
        )
    })?;
    let seat = wiring::attach(config, &workspace, Channel::Console).await?;
    open(seat, look, None).await
}

/// A workflow, with or without a screen.
pub(super) async fn run(config: &Config, out: Output, look: &Look, args: &RunArgs) -> Outcome {
    let headless = args.headless || args.json || look.no_screen.is_some();
    let workspace = config.find_or_make()?;
    let channel = if headless { Channel::Command } else { Channel::Console };
    let seat = wiring::own_or_attach(config, &workspace, channel).await?;
    let run = match run::launch(&seat, config, args).await {
        Ok(run) => run,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    if !headless {
        return open(seat, look, Some(run)).await;
    }
    let outcome = run::follow(&seat, out, run, args.json).await;
    seat.leave().await;
    outcome
}

/// The workflow that shows everything.
const DEMO: &str = include_str!("../../../examples/demo.yaml");

/// The built-in workflow, in a directory of its own; a run that is open there goes on.
pub(super) async fn demo(config: &Config, out: Output, look: &Look, args: &DemoArgs) -> Outcome {
    let root = args.dir.clone().map_or_else(|| demo_dir(config), |it| Ok(config.here.join(it)))?;
    if args.fresh {
        match fs::remove_dir_all(root.join(".cuelight")) {
            Err(it) if it.kind() != std::io::ErrorKind::NotFound => {
                return Err(Trouble::failed(format!("could not begin anew in {}: {it}", root.display())));
            }
            Ok(()) | Err(_) => {}
        }
    }
    fs::create_dir_all(&root)
        .map_err(|it| Trouble::failed(format!("could not make {}: {it}", root.display())))?;
    let workspace = Workspace::create(&root).map_err(|it| Trouble::not_recorded(it.to_string()))?;
    let channel = if look.no_screen.is_some() { Channel::Command } else { Channel::Console };
    let seat = wiring::own_or_attach(config, &workspace, channel).await?;
    let open_run = seat.desk.boards().borrow().board.open_runs().next_back().map(|it| it.summary.id);
    let run = match open_run {
        Some(run) => run,
        None => {
            let source = Source::Text { name: "demo.yaml".to_owned(), text: DEMO.to_owned() };
            match run::launch_source(&seat, source, Vec::new()).await {
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
        let outcome = run::follow(&seat, out, run, false).await;
        seat.leave().await;
        return outcome;
    }
    open(seat, look, Some(run)).await
}

fn demo_dir(config: &Config) -> Result<PathBuf, Trouble> {
    let state = config.variable("XDG_STATE_HOME").map(PathBuf::from);
    let home = || config.variable("HOME").map(|it| PathBuf::from(it).join(".local/state"));
    let base = state.filter(|it| it.is_absolute()).or_else(home);
    let base = base
        .ok_or_else(|| Trouble::usage("could not tell where the demo may run: HOME is not set; use --dir"))?;
    Ok(base.join("cuelight/demo"))
}

fn needs_screen(look: &Look) -> Result<(), Trouble> {
    match look.no_screen {
        None => Ok(()),
        Some(why) => Err(Trouble::usage(format!(
            "could not open the console: {why}; use `cuelight run FILE --headless`, `cuelight runs`, `cuelight gates`"
        ))),
    }
}

/// The screen, until it is left. A terminal that goes away ends the screen and not the runs.
async fn open(seat: Seat, look: &Look, run: Option<RunId>) -> Outcome {
    let left = match options(look, run).and_then(|it| Ok((it, place_at(&seat, look)?))) {
        Ok((options, place)) => run_console(seat.desk.clone(), place, options).await,
        Err(trouble) => {
            seat.leave().await;
            return Err(trouble);
        }
    };
    match left {
        Ok(Leave::Left) => {
            let lines = run::farewell(&seat);
            hand_over(seat).await?;
            lines.iter().for_each(|it| say(it));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::Signalled) => {
            seat.leave().await;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Leave::HungUp) => {
            if seat.engine.is_some() {
                serve::until_told(&seat, Some(Span::seconds(30))).await?;
            }
            seat.leave().await;
            Ok(ExitCode::SUCCESS)
        }
        Err(why) => {
            seat.leave().await;
            Err(Trouble::failed(format!("could not show the console: {why}")))
        }
    }
}

/// Leaves; runs of an engine of our own go on in the background, from a moment at which no call is being made.
async fn hand_over(seat: Seat) -> Result<(), Trouble> {
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
    wiring::detach(&workspace, true).map(drop)
}

/// Calls that are being made.
fn calls(board: &Board) -> usize {
    let in_flight = |run: &RunView| {
        let ended = |step: &StepView| {
            step.attempts().last().is_none_or(|it| it.ended_at.is_some() || it.lost.is_some())
        };
        run.steps().filter(|(_, _, step)| !ended(step)).count()
    };
    board.open_runs().map(|it| in_flight(it)).sum()
}

fn place_at(seat: &Seat, look: &Look) -> Result<console::Seat, Trouble> {
    let named = look.environment.clone().map_or_else(|| environment(&seat.workspace), Ok)?;
    let environment = safe_text(&named);
    let lower = environment.to_lowercase();
    let danger = if lower.contains("prod") {
        Danger::Production
    } else if lower.contains("stag") || lower.contains("test") {
        Danger::Staging
    } else {
        Danger::Development
    };
    let place = seat.place().to_owned();
    let read_only = place == "recorded";
    Ok(console::Seat { actor: seat.actor.clone(), environment, danger, read_only, place })
}

/// What the workspace calls itself: `environment = "PROD"` in its `config.toml`.
fn environment(workspace: &Workspace) -> Result<String, Trouble> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct File {
        environment: String,
    }
    let path = workspace.config();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let file: File = toml::from_str(&text)
        .map_err(|it| Trouble::usage(format!("could not read {}: {it}", path.display())))?;
    Ok(if file.environment.is_empty() { "LOCAL".to_owned() } else { file.environment })
}

fn options(look: &Look, run: Option<RunId>) -> Result<ConsoleOptions, Trouble> {
    let keys = match look.keymap.as_ref().map(|it| (it, fs::read_to_string(it))) {
        Some((path, Ok(text))) => Keymap::with_user(&text).map_err(|problems| {
            let problems: Vec<String> =
                problems.iter().map(|it| format!("{}: {it}", path.display())).collect();
            Trouble::usage(problems.join("\n"))
        })?,
        Some((_, Err(_))) | None => Keymap::default(),
    };
    let (theme, own_theme) = theme(&look.theme)?;
    let pictures = look.pictures.clone();
    let export = move |name: &str, content: &str| {
        let path = pictures.join(name);
        fs::write(&path, content).map_err(|it| format!("could not save {}: {it}", path.display()))?;
        Ok(path.display().to_string())
    };
    let glyphs = Glyphs { ascii: look.ascii };
    let look_of_screen = LookOfScreen { theme, glyphs };
    Ok(ConsoleOptions {
        look: look_of_screen,
        own_theme,
        depth: look.depth,
        keys,
        run,
        export: Box::new(export),
    })
}

/// A theme by name, or from a file.
fn theme(name: &str) -> Result<(String, Option<Theme>), Trouble> {
    if Theme::built_in(name).is_some() {
        return Ok((name.to_owned(), None));
    }
    let text = fs::read_to_string(name).map_err(|it| {
        let known = Theme::names().collect::<Vec<_>>().join(", ");
        Trouble::usage(format!("could not read the theme {name}: {it}; built in are {known}"))
    })?;
    let theme = Theme::parse(&text, None).map_err(|it| Trouble::usage(format!("{name}: {it}")))?;
    Ok((theme.name().to_owned(), Some(theme)))
}

fn depth(config: &Config, term: &str, no_color: bool) -> Depth {
    let truecolor = config.variable("COLORTERM").is_some_and(|it| it == "truecolor" || it == "24bit");
    match () {
        () if no_color => Depth::None,
        () if truecolor => Depth::Truecolor,
        () if term.contains("256") => Depth::Indexed256,
        () => Depth::Ansi16,
    }
}

fn config_dir(config: &Config) -> Option<PathBuf> {
    let own = config.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let home = || config.variable("HOME").map(|it| PathBuf::from(it).join(".config"));
    own.or_else(home).map(|it| it.join("cuelight"))
}

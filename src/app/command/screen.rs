//! Commands that open the console: on this workspace, on a run, on the demo, at another engine.

use super::run;
use crate::{
    app::{
        args::{DemoArgs, Everywhere, RunArgs},
        config::Config,
        exit::{Outcome, Trouble},
        output::{Output, say},
        wiring::{self, Seat},
    },
    base::RunId,
    engine::Channel,
    runtime::{Desk, Source},
    store::Workspace,
};
use std::{fs, io::IsTerminal, path::PathBuf, process::ExitCode};

/// How the console looks, from flags and environment.
#[derive(Debug)]
pub(super) struct Look {
    theme: String,
    ascii: bool,
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
            no_screen,
        }
    }
}

/// The console on this workspace.
pub(super) async fn console(config: &Config, look: &Look) -> Outcome {
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

/// The screen, until it is left.
async fn open(seat: Seat, look: &Look, run: Option<RunId>) -> Outcome {
    let _ = (look, run, seat.place());
    for line in run::farewell(&seat) {
        say(&line);
    }
    seat.leave().await;
    Ok(ExitCode::SUCCESS)
}

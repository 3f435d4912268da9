//! The commands. Each builds its surroundings, does its work, and returns an exit code or a sentence.

mod act;
mod agents;
mod answers;
mod api;
mod appearance;
mod ask_text;
mod audit;
mod author;
mod built_in;
mod by_hand;
mod cache;
mod cli;
mod compare;
mod completion;
mod context;
mod decide;
mod dev;
mod doctor;
mod drill;
mod engine;
mod entries;
mod errors;
mod far;
mod follow;
mod form;
mod gate;
mod gates;
mod health;
mod history;
mod hook;
mod knowledge;
mod logs;
mod look;
mod mcp;
mod mcp_client;
mod message;
mod models;
mod named;
mod page;
mod past;
mod plain;
mod population;
mod receipt;
mod results;
mod run;
mod schedules;
mod screen;
mod screenshot;
mod serve;
mod shutdown;
mod signals;
mod signing;
mod state;
mod telling;
mod token;
mod tools;
mod topics;
mod trail;
mod trust;
mod verifying;
mod words;

use super::{
    config::Config,
    exit::Outcome,
    output::{Output, say},
};
use cli::Command;
pub(super) use cli::{Cli, complete, read};
use cuelight_engine::Verdict;
use words::{doubt_words, inbox_row, wait_words, why_words};

/// Carries out the command that was read, and says its new spelling where an old one was used.
pub(super) async fn carry_out(cli: Cli, note: Option<String>) -> Outcome {
    let config = Config::read(&cli.everywhere)?.listening(cli.where_to_listen())?;
    // After the settings, which say in which form messages are written.
    note.iter().for_each(|note| say(note));
    let no_color = config.variable("NO_COLOR").is_some();
    let out = Output::new(cli.everywhere.color, no_color);
    let screen = screen::Look::new(&config, &cli.everywhere, no_color);
    // A theme of the environment is for consoles; a flag means this command.
    if cli.everywhere.screen.theme.as_deref() != config.variable("CUELIGHT_THEME") {
        screen.appearance.choose("")?;
    }
    let Some(command) = cli.command else {
        if let Some(why) = screen.no_screen.filter(|_| !cli.plain && !cli.json) {
            say(&format!("{why}: telling what happens line by line"));
        } else if !cli.plain && !cli.json {
            return screen::bare(&config, &screen).await;
        }
        return plain::watch(&config, out, cli.json).await;
    };
    match command {
        Command::Run(noun) => run::run(&config, out, &screen, noun).await,
        Command::Demo(args) => screen::demo(&config, out, &screen, &args).await,
        Command::Check(args) => author::check(&config, &args, out),
        Command::Plan(args) => author::plan(&config, &args, out),
        Command::Runs(args) => look::runs(&config, out, &args).await,
        Command::Show(args) => look::show(&config, out, &args).await,
        Command::Logs(args) => logs::logs(&config, out, &args).await,
        Command::Retry(args) => act::retry(&config, out, args).await,
        Command::Cancel(args) => act::cancel(&config, out, args).await,
        Command::Gates(args) => gates::gates(&config, out, &args).await,
        Command::Approve(args) => decide::approve(&config, out, args).await,
        Command::Reject(args) => decide::decide(&config, out, args, Verdict::Reject).await,
        Command::Gate(noun) => gate::gate(&config, out, noun).await,
        Command::Serve(args) => serve::serve(&config, &args).await,
        Command::Attach(args) => screen::attach(config, &screen, &args).await,
        Command::Doctor(args) => doctor::doctor(&config, out, &screen, &args),
        Command::Audit(args) => audit::audit(&config, out, args).await,
        Command::Import(args) => author::import(&args, out),
        Command::Agent(noun) => agents::agent(&config, out, noun).await,
        Command::Api(args) => api::api(&config, out, args).await,
        Command::Cache(args) => cache::cache(&config, out, args).await,
        Command::Dev(noun) => dev::dev(&config, out, &screen, noun, cli::tree).await,
        Command::Engine(noun) => engine::engine(&config, out, noun).await,
        Command::Error(args) => errors::errors(&config, out, args).await,
        Command::Event(noun) => message::event(&config, out, noun).await,
        Command::Hook(args) => hook::hook(config, out, &args).await,
        Command::Keys(args) => trail::keys(&config, out, &args),
        Command::Mcp(args) => mcp::mcp(config, out, &args).await,
        Command::Model(args) => models::models(&config, out, args).await,
        Command::Schedule(args) => schedules::schedules(&config, out, args).await,
        Command::State(args) => state::state(&config, out, args).await,
        Command::Token(args) => token::token(&config, out, args).await,
        Command::Tool(args) => tools::tools(&config, out, args).await,
        Command::Trust(args) => trust::trust(&config, out, &args),
        Command::BuiltIn { name } => built_in::built_in(&config, &name),
        Command::McpCall(args) => mcp_client::call(&config, &args).await,
        Command::Relay => far::relay(&config).await,
    }
}

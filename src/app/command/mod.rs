//! What each command does. A command builds what it needs, does its work, and gives back an exit code or a sentence.

mod act;
mod agents;
mod api;
mod appearance;
mod ask_text;
mod audit;
mod author;
mod built_in;
mod cache;
mod compare;
mod context;
mod doctor;
mod drill;
mod errors;
mod far;
mod form;
mod gate;
mod health;
mod history;
mod hook;
mod knowledge;
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
mod token;
mod tools;
mod topics;
mod trail;
mod trust;
mod verifying;
mod words;

use super::{
    args::{AuditCommand, Cli, Command},
    config::Config,
    exit::Outcome,
    output::{Output, say},
};
use crate::engine::Verdict;
use clap::CommandFactory;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use words::{doubt_words, inbox_row, state_word, wait_words, why_words};

/// Carries out what was said on the command line.
pub(super) async fn carry_out(cli: Cli) -> Outcome {
    let config = Config::read(&cli.everywhere)?.listening(cli.where_to_listen())?;
    let no_color = config.variable("NO_COLOR").is_some();
    let out = Output::new(cli.everywhere.color, no_color);
    let screen = screen::Look::new(&config, &cli.everywhere, no_color);
    let Some(command) = cli.command else {
        if let Some(why) = screen::no_screen(&screen).filter(|_| !cli.plain && !cli.json) {
            say(&format!("{why}: telling what happens line by line"));
        } else if !cli.plain && !cli.json {
            return screen::bare(&config, &screen).await;
        }
        return plain::watch(&config, out, cli.json).await;
    };
    match command {
        Command::Run(args) => screen::run(&config, out, &screen, &args).await,
        Command::Demo(args) => screen::demo(&config, out, &screen, &args).await,
        Command::Eval(args) => author::eval(&args, out),
        Command::Check(args) => author::check(&config, &args, out),
        Command::Fmt(args) => author::fmt(&args, out),
        Command::Plan(args) => author::plan(&config, &args, out),
        Command::Graph(args) => author::graph(&config, &args, out),
        Command::Runs(args) => look::runs(&config, out, &args).await,
        Command::History(args) => history::history(&config, out, &args).await,
        Command::Show(args) => look::show(&config, out, &args).await,
        Command::Diff(args) => compare::diff(&config, out, &args).await,
        Command::Logs(args) => look::logs(&config, out, &args).await,
        Command::Events(args) => look::events(&config, out, &args).await,
        Command::Timeline(args) => past::timeline(&config, out, &args).await,
        Command::Replay(args) => past::replay(&config, out, &args).await,
        Command::Gates(args) => look::gates(&config, out, &args).await,
        Command::Errors(args) => errors::errors(&config, out, args).await,
        Command::Cache(args) => cache::cache(&config, out, args).await,
        Command::Emit(args) => message::emit(&config, out, args).await,
        Command::Topics(args) => topics::topics(&config, out, args),
        Command::Messages(args) => message::messages(&config, out, &args).await,
        Command::State(args) => state::state(&config, out, args).await,
        Command::Context(args) => context::context(&config, out, args).await,
        Command::Knowledge(args) => knowledge::knowledge(&config, out, args).await,
        Command::Results(args) => results::results(&config, out, args).await,
        Command::Health(args) => health::health(&config, out, &args).await,
        Command::Reset(args) => shutdown::reset(&config, out, args).await,
        Command::TakeOver(args) => shutdown::take_over(&config, &args).await,
        Command::Shutdown(args) => shutdown::shutdown(&config, out, &args).await,
        Command::Approve(args) => act::decide(&config, out, args, Verdict::Approve).await,
        Command::Reject(args) => act::decide(&config, out, args, Verdict::Reject).await,
        Command::SendBack(args) => act::decide(&config, out, args, Verdict::SendBack).await,
        Command::Delegate(args) => act::delegate(&config, out, args).await,
        Command::Review(args) => act::review(&config, out, args).await,
        Command::Comment(args) => act::comment(&config, out, args).await,
        Command::Withdraw(args) => act::withdraw(&config, out, args).await,
        Command::Edit(args) => act::edit(&config, out, args).await,
        Command::Gate(args) => gate::gate(&config, out, &args).await,
        Command::Hook(args) => hook::hook(config, out, &args).await,
        Command::Mcp(args) => mcp::mcp(config, out, &args).await,
        Command::Wait(args) => look::wait(&config, out, &args).await,
        Command::Pause(args) => act::on_run(&config, out, &args.run, act::OnRun::Pause).await,
        Command::Resume(args) => act::on_run(&config, out, &args.run, act::OnRun::Resume).await,
        Command::Cancel(args) => act::cancel(&config, out, args).await,
        Command::Retry(args) => act::retry(&config, out, args).await,
        Command::Fork(args) => act::fork(&config, out, args).await,
        Command::Skip(args) => act::skip(&config, out, args).await,
        Command::Undo(args) => act::undo(&config, out, args).await,
        Command::Done(args) => act::done(&config, out, args).await,
        Command::Doubt(args) => act::doubt(&config, out, args).await,
        Command::SettleUndo(args) => act::settle_undo(&config, out, args).await,
        Command::Audit(args) => match &args.command {
            Some(AuditCommand::Verify(args)) => trail::audit_verify(&config, out, args),
            Some(AuditCommand::Export(args)) => audit::export(&config, out, args),
            None => audit::list(&config, out, &args),
        },
        Command::Receipt(args) => receipt::receipt(&config, out, &args).await,
        Command::Verify(args) => verifying::verify(out, &args),
        Command::Keys(args) => trail::keys(&config, out, &args),
        Command::Trust(args) => trust::trust(&config, out, &args),
        Command::Token(args) => token::token(&config, out, args).await,
        Command::Api(args) => api::api(&config, out, args).await,
        Command::Schedules(args) => schedules::schedules(&config, out, args).await,
        Command::Tools(args) => tools::tools(&config, out, args).await,
        Command::Agents(args) => agents::agents(&config, out, args).await,
        Command::Models(args) => models::models(&config, out, args).await,
        Command::McpCall(args) => mcp_client::call(&config, &args).await,
        Command::BuiltIn { name } => built_in::built_in(&config, &name),
        Command::Serve(args) => serve::serve(&config, &args).await,
        Command::Attach(args) => screen::attach(config, &screen, &args).await,
        Command::Relay => far::relay(&config).await,
        Command::Screenshot(args) => screenshot::screenshot(&config, out, &screen, &args).await,
        Command::Doctor(args) => doctor::doctor(&config, out, &screen, &args),
        Command::Drill(args) => drill::drill(&config, out, &args).await,
        Command::Import(args) => author::import(&args, out),
        Command::Schema(args) => author::schema(&args, out),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "cuelight", &mut bytes);
            out.raw(&bytes);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man => manual(out),
    }
}

fn manual(out: Output) -> Outcome {
    let mut bytes = Vec::new();
    let page = clap_mangen::Man::new(Cli::command()).render(&mut bytes);
    page.map_err(|it| super::exit::Trouble::failed(format!("could not make the manual page: {it}")))?;
    out.raw(&bytes);
    Ok(ExitCode::SUCCESS)
}

/// What lies beside a file, under its name with something after it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

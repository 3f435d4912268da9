//! `dev`: commands for those who write workflows, and for editors and shells.

use super::{
    answers::answers_schema,
    author::{self, EvalArgs, FmtArgs, GraphArgs},
    completion,
    drill::{self, DrillArgs},
    screen,
    screenshot::{self, ScreenshotArgs},
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    settings::settings_schema,
};
use clap::{Args, Subcommand, ValueEnum};
use clap_complete::env::Shells;
use cuelight_projection::events_schema;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct DevNoun {
    #[command(subcommand)]
    command: DevCommand,
}

#[derive(Debug, Subcommand)]
enum DevCommand {
    /// Print the value of an expression as JSON
    #[command(after_help = "Example: cuelight dev eval \"contains('abc', 'b') && 1\"")]
    Eval(EvalArgs),
    /// Rewrite workflow files in the canonical form, with their comments
    #[command(after_help = "Example: cuelight dev fmt --check deploy.yaml")]
    Fmt(FmtArgs),
    /// Print the JSON Schema of workflow files, settings, events or answers
    #[command(after_help = "Example: cuelight dev schema workflow > workflow.schema.json")]
    Schema(SchemaArgs),
    /// Draw the steps of a workflow as a graph
    #[command(after_help = "Example: cuelight dev graph deploy.yaml --format mermaid")]
    Graph(GraphArgs),
    /// Print completions for a shell
    #[command(after_help = "Example: cuelight dev completions bash > /etc/bash_completion.d/cuelight")]
    Completions {
        /// Shell that reads them
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example: cuelight dev man | man -l -")]
    Man,
    /// Draw a view of the console to a file, without a terminal
    #[command(after_help = "Example: cuelight dev screenshot --view dag --size 160x48 -o dag.svg\n\n\
        --keys presses keys before the picture is taken, as they are written in docs/KEYS.md: \"j j w\". \
        Nothing can be decided there.")]
    Screenshot(ScreenshotArgs),
    /// Kill a test run on this disk again and again, and prove that nothing was lost or repeated
    #[command(after_help = "Example: cuelight dev drill --kills 20\n\n\
        It works in a directory of its own below .cuelight and leaves this workspace alone.\n\n\
        Exit codes: 0 every promise held, 1 one did not.")]
    Drill(DrillArgs),
}

#[derive(Debug, Args)]
struct SchemaArgs {
    /// Subject of the schema
    #[arg(value_enum)]
    of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemaOf {
    /// Workflow files
    Workflow,
    /// The settings of a workspace, .cuelight/config.toml
    Config,
    /// A line of `run --json` and of `run events --json`
    Events,
    /// The answers of `--json`, by command
    Answers,
}

/// The manual page is made of the tree of commands.
pub(super) async fn dev(
    config: &Config,
    out: Output,
    look: &screen::Look,
    noun: DevNoun,
    tree: fn() -> clap::Command,
) -> Outcome {
    match noun.command {
        DevCommand::Eval(args) => author::eval(&args, out),
        DevCommand::Fmt(args) => author::fmt(&args, out),
        DevCommand::Schema(args) => {
            schema(&args, out);
            Ok(ExitCode::SUCCESS)
        }
        DevCommand::Graph(args) => author::graph(config, &args, out),
        DevCommand::Completions { shell } => {
            let mut bytes = Vec::new();
            let shells = Shells::builtins();
            let found = shells.completer(&shell.to_string());
            let found = found
                .ok_or_else(|| Trouble::usage(format!("could not complete for {shell}: it is not known")))?;
            found
                .write_registration(completion::VARIABLE, "cuelight", "cuelight", "cuelight", &mut bytes)
                .map_err(|why| Trouble::failed(format!("could not write the completions: {why}")))?;
            out.raw(&bytes);
            Ok(ExitCode::SUCCESS)
        }
        DevCommand::Man => manual(out, tree()),
        DevCommand::Screenshot(args) => screenshot::screenshot(config, out, look, &args).await,
        DevCommand::Drill(args) => drill::drill(config, out, &args).await,
    }
}

fn schema(args: &SchemaArgs, out: Output) {
    out.json_pretty(&match args.of {
        SchemaOf::Workflow => cuelight_definition::json_schema(),
        SchemaOf::Config => settings_schema(),
        SchemaOf::Events => events_schema(),
        SchemaOf::Answers => answers_schema(),
    });
}

fn manual(out: Output, tree: clap::Command) -> Outcome {
    let mut bytes = Vec::new();
    let page = clap_mangen::Man::new(tree).render(&mut bytes);
    page.map_err(|why| Trouble::failed(format!("could not make the manual page: {why}")))?;
    out.raw(&bytes);
    Ok(ExitCode::SUCCESS)
}

//! `agents`: who steps can give work to. Looks need no workspace; a test starts one agent as a step would, without a run.

use super::{context::ContextArgs, knowledge::KnowledgeArgs, results::ResultsArgs, tools::ToolsTestArgs};
use crate::{
    args::key_value,
    command::{
        author::Disk,
        context::context,
        knowledge::knowledge,
        results::results,
        tools::{ToolAnswer, show, suggest, test},
    },
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
};
use clap::{Args, Subcommand};
use cuelight_base::{AGENT_PREFIX, AGENT_TASK, Span, safe_text};
use cuelight_definition::{Files as _, Registry, Tool};
use std::{process::ExitCode, sync::Arc};

#[derive(Debug, Args)]
pub(super) struct AgentsListArgs {
    /// Only those that can do this
    #[arg(long, value_name = "WORD")]
    pub(super) capability: Option<String>,
    /// As JSON
    #[arg(long, conflicts_with = "for_models")]
    pub(super) json: bool,
    /// As models want them: name, description, input schema, as JSON
    #[arg(long)]
    pub(super) for_models: bool,
}

#[derive(Debug, Args)]
pub(super) struct AgentsTestArgs {
    /// The agent: reviewer or reviewer@1
    pub(super) agent: String,
    /// Task for the agent
    #[arg(long, value_name = "TEXT")]
    pub(super) task: Option<String>,
    /// An input; JSON where its schema wants no text
    #[arg(short, long = "with", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) with: Vec<(String, String)>,
    /// Start the agent although its effects may be irreversible
    #[arg(long)]
    pub(super) really: bool,
    /// Timeout
    #[arg(long, default_value = "10m", value_name = "10m")]
    pub(super) timeout: Span,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct AgentNoun {
    #[command(subcommand)]
    command: Option<AgentCommand>,
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// List agents, as described in .cuelight/agents
    #[command(after_help = "Example: cuelight agent list --capability review")]
    List(AgentsListArgs),
    /// Show one agent with its inputs, its outputs and its permissions
    #[command(after_help = "Example: cuelight agent show reviewer")]
    Show {
        /// The agent: reviewer or reviewer@1
        agent: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an agent work outside a run, with its inputs and outputs checked
    #[command(
        after_help = "Example: cuelight agent test reviewer --task \"Review the last commit\" --really"
    )]
    Test(AgentsTestArgs),
    /// Suggest agents for a task in words, best match first
    #[command(after_help = "Example: cuelight agent suggest \"review a change\"")]
    Suggest {
        /// The task
        #[arg(required = true)]
        task: Vec<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the context that an agent gets before it begins a piece of work
    #[command(after_help = "Examples:\n  cuelight agent context SHOP-12-cart-totals qa\n  \
        cuelight agent context SHOP-12 rust-specialist --max-bytes 200000 --json")]
    Context(ContextArgs),
    /// List the results of agents' work, and record one
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight agent results --issue SHOP-12 --status failed\n  \
        cuelight agent results show res-4f1c9a07d2 --json\n  \
        cuelight agent results hand-in SHOP-12 result.json --type qa\n\n\
        The file is JSON with a status: success, failed or partial."
    )]
    Results(ResultsArgs),
    /// Search the knowledge of agents and people, and add to it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight agent knowledge prices cents\n  \
        cuelight agent knowledge add --type decision 'Prices are kept in cents'"
    )]
    Knowledge(KnowledgeArgs),
}

pub(super) async fn agent(config: &Config, out: Output, noun: AgentNoun) -> Outcome {
    let registry = || {
        let registry = Registry::of_agents(&Disk::of(config)?.agents());
        registry.problems().iter().for_each(|problem| say(&problem.text(false)));
        Ok::<_, Trouble>(registry)
    };
    let everything = AgentsListArgs { capability: None, json: false, for_models: false };
    match noun.command.unwrap_or(AgentCommand::List(everything)) {
        AgentCommand::List(args) => list(&registry()?, out, &args),
        AgentCommand::Show { agent, json } => {
            let registry = registry()?;
            let agent = found(&registry, &agent)?;
            if json {
                out.json_pretty(&ToolAnswer::of(agent))
            } else {
                show(out, agent)
            }
            Ok(ExitCode::SUCCESS)
        }
        AgentCommand::Suggest { task, json } => suggest(&registry()?, out, "agent", &task.join(" "), json),
        AgentCommand::Test(args) => {
            let registry = registry()?;
            let AgentsTestArgs { agent, task, mut with, really, timeout, json } = args;
            with.extend(task.map(|task| (AGENT_TASK.to_owned(), task)));
            let asked = ToolsTestArgs { tool: agent, with, really, timeout, json };
            test(config, found(&registry, &asked.tool)?, out, &asked).await
        }
        AgentCommand::Context(args) => context(config, out, args).await,
        AgentCommand::Results(args) => results(config, out, args).await,
        AgentCommand::Knowledge(args) => knowledge(config, out, args).await,
    }
}

fn list(registry: &Registry, out: Output, args: &AgentsListArgs) -> Outcome {
    let fits =
        |tool: &&Arc<Tool>| args.capability.as_ref().is_none_or(|word| tool.capabilities.contains(word));
    let agents: Vec<&Arc<Tool>> = registry.all().filter(fits).collect();
    if args.for_models {
        out.json_pretty(&agents.iter().map(|agent| agent.for_models()).collect::<Vec<_>>());
    } else if args.json {
        out.json_pretty(&agents.iter().map(|agent| ToolAnswer::of(agent)).collect::<Vec<_>>());
    } else if registry.all().next().is_none() {
        say("no agent is described; write one to .cuelight/agents/NAME.yaml, see docs/workflow.md");
    } else {
        let row = |agent: &&Arc<Tool>| {
            let beat = agent
                .agent
                .as_ref()
                .and_then(|traits| traits.heartbeat)
                .map(|heartbeat| heartbeat.to_string());
            let beat = beat.unwrap_or_else(|| "-".to_owned());
            let can = agent.capabilities.join(", ");
            [&agent.called(), &can, agent.effect.word(), agent.risk.word(), &beat, &agent.description]
                .map(safe_text)
                .to_vec()
        };
        let rows: Vec<Vec<String>> = agents.iter().map(row).collect();
        out.table(&["AGENT", "CAN DO", "EFFECT", "RISK", "HEARTBEAT", "DOES"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent of that name, or at most three that may have been meant.
fn found<'r>(registry: &'r Registry, wanted: &str) -> Result<&'r Arc<Tool>, Trouble> {
    let id = format!("{AGENT_PREFIX}{wanted}");
    registry.find(&id).ok_or_else(|| {
        let near: Vec<String> = registry.near(&id).iter().map(|tool| tool.called()).collect();
        let next = if near.is_empty() {
            "describe it in .cuelight/agents".to_owned()
        } else {
            format!("there are {}", near.join(", "))
        };
        Trouble::usage(format!("could not find the agent {wanted}; {next}"))
    })
}

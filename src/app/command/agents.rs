//! `agents`: who steps can give work to. Looks need no workspace; a test starts one agent as a step would, without a run.

use crate::{
    app::{
        args::{AgentsArgs, AgentsCommand, AgentsListArgs, AgentsTestArgs, ToolsTestArgs},
        command::{
            author::Disk,
            tools::{show, suggest, test, tool_json},
        },
        config::Config,
        exit::{Outcome, Trouble},
        output::{Output, say},
    },
    base::{AGENT_PREFIX, AGENT_TASK, safe_text},
    definition::{Files as _, Registry, Tool},
};
use std::{process::ExitCode, sync::Arc};

pub(super) async fn agents(config: &Config, out: Output, args: AgentsArgs) -> Outcome {
    let registry = Registry::of_agents(&Disk::of(config)?.agents());
    registry.problems().iter().for_each(|it| say(&it.text(false)));
    let everything = AgentsListArgs { capability: None, json: false, for_models: false };
    match args.command.unwrap_or(AgentsCommand::List(everything)) {
        AgentsCommand::List(args) => list(&registry, out, &args),
        AgentsCommand::Show { agent, json } => {
            let agent = found(&registry, &agent)?;
            if json {
                out.json_pretty(&tool_json(agent))
            } else {
                show(out, agent)
            }
            Ok(ExitCode::SUCCESS)
        }
        AgentsCommand::Suggest { task, json } => suggest(&registry, out, "agent", &task.join(" "), json),
        AgentsCommand::Test(args) => {
            let AgentsTestArgs { agent, task, mut with, really, timeout, json } = args;
            with.extend(task.map(|it| (AGENT_TASK.to_owned(), it)));
            let asked = ToolsTestArgs { tool: agent, with, really, timeout, json };
            test(config, found(&registry, &asked.tool)?, out, &asked).await
        }
    }
}

fn list(registry: &Registry, out: Output, args: &AgentsListArgs) -> Outcome {
    let fits = |it: &&Arc<Tool>| args.capability.as_ref().is_none_or(|word| it.capabilities.contains(word));
    let agents: Vec<&Arc<Tool>> = registry.all().filter(fits).collect();
    if args.for_models {
        out.json_pretty(&agents.iter().map(|it| it.for_models()).collect());
    } else if args.json {
        out.json_pretty(&agents.iter().map(|it| tool_json(it)).collect());
    } else if registry.all().next().is_none() {
        say("no agent is described; write one to .cuelight/agents/NAME.yaml, see docs/workflow.md");
    } else {
        let row = |it: &&Arc<Tool>| {
            let beat = it.agent.as_ref().and_then(|it| it.heartbeat).map(|it| it.to_string());
            let beat = beat.unwrap_or_else(|| "-".to_owned());
            let can = it.capabilities.join(", ");
            [&it.called(), &can, it.effect.word(), it.risk.word(), &beat, &it.description]
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
        let near: Vec<String> = registry.near(&id).iter().map(|it| it.called()).collect();
        let next = if near.is_empty() {
            "describe it in .cuelight/agents".to_owned()
        } else {
            format!("there are {}", near.join(", "))
        };
        Trouble::usage(format!("could not find the agent {wanted}; {next}"))
    })
}

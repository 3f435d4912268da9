//! `tools`: what steps can use. Looks need no workspace; a test calls one tool as a step would, without a run.

use super::mcp_client::{ToolsAcceptArgs, ToolsAddArgs};
use crate::{
    args::key_value,
    command::{author::Disk, mcp_client, signals::Signals},
    config::Config,
    exit::{FAILED, Outcome, Trouble, USAGE},
    output::{Output, say},
    wiring::outside,
};
use clap::{Args, Subcommand};
use cuelight_base::{Launch, Span, Value, ValueMap, json_if_any, mcp_held, mcp_pin, safe_text};
use cuelight_definition::{Files as _, McpServer, Registry, Risk, Tool, ToolBody, ToolUndo};
use cuelight_plan::{Given, PlanTool};
use cuelight_runtime::Tasks;
use cuelight_tool::{
    Answer, Call, Host, Progress, attend_built_in, run_built_in, run_http, run_mcp, run_process,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, pin::pin, process::ExitCode, sync::Arc};
use tokio_util::sync::CancellationToken;

/// A tool or an agent, as `tool list --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Tool")]
pub(super) struct ToolAnswer {
    /// The description that its hash is made of.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, Value>")]
    described: Value,
    /// The hash of its definition.
    definition: String,
    /// The file that it stands in.
    origin: String,
}

/// A tool or an agent that fits a task in words.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Suggestion")]
pub(super) struct SuggestionAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    score: u32,
    description: String,
}

#[derive(Debug, Args)]
pub(super) struct ToolsArgs {
    #[command(subcommand)]
    pub(super) command: Option<ToolsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ToolsCommand {
    /// List tools: built in, and described in .cuelight/tools
    #[command(after_help = "Example: cuelight tool list --category file")]
    List(ToolsListArgs),
    /// Show one tool with its inputs, its outputs and its permissions
    #[command(after_help = "Example: cuelight tool show json.query")]
    Show {
        /// The tool: json.query or json.query@1
        tool: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Call a tool outside a run, with its inputs and outputs checked
    #[command(after_help = "Example: cuelight tool test file.checksum --with path=README.md")]
    Test(ToolsTestArgs),
    /// Add tools of an MCP server; each becomes a file in .cuelight/tools with the description that its server gave
    #[command(
        after_help = "Examples:\n  cuelight tool add files --tool read_text_file -- npx -y @modelcontextprotocol/server-filesystem .\n  \
        cuelight tool add tracker --url https://mcp.example.com/mcp --header 'Authorization=${{ env.TRACKER_AUTH }}' --all\n\n\
        Without --tool or --all it lists what the server offers; without a pin it shows all that is said. Nothing is written but \
        what was shown: --tool read_text_file=PIN, or --all=PIN."
    )]
    Add(ToolsAddArgs),
    /// Show and accept a changed description of a tool of an MCP server
    #[command(after_help = "Example: cuelight tool accept files.read_text_file\n\n\
        What its server says otherwise is shown whole, with the pin that accepts exactly that: --yes PIN.")]
    Accept(ToolsAcceptArgs),
    /// Suggest tools for a task in words, best match first
    #[command(after_help = "Example: cuelight tool suggest \"checksum of a file\"")]
    Suggest {
        /// The task
        #[arg(required = true)]
        task: Vec<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct ToolsListArgs {
    /// Only those of a category
    #[arg(long, value_name = "NAME")]
    pub(super) category: Option<String>,
    /// As JSON
    #[arg(long, conflicts_with = "for_models")]
    pub(super) json: bool,
    /// As models want them: name, description, input schema, as JSON
    #[arg(long)]
    pub(super) for_models: bool,
}

#[derive(Debug, Args)]
pub(super) struct ToolsTestArgs {
    /// The tool: json.query or json.query@1
    pub(super) tool: String,
    /// An input; JSON where its schema wants no text
    #[arg(short, long = "with", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) with: Vec<(String, String)>,
    /// Call the tool although its effects may be irreversible
    #[arg(long)]
    pub(super) really: bool,
    /// Timeout
    #[arg(long, default_value = "60s", value_name = "60s")]
    pub(super) timeout: Span,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn tools(config: &Config, out: Output, args: ToolsArgs) -> Outcome {
    let registry = Registry::new(&Disk::of(config)?.tools());
    registry.problems().iter().for_each(|problem| say(&problem.text(false)));
    let everything = ToolsListArgs { category: None, json: false, for_models: false };
    match args.command.unwrap_or(ToolsCommand::List(everything)) {
        ToolsCommand::List(args) => list(&registry, out, &args),
        ToolsCommand::Show { tool, json } => {
            let tool = found(&registry, &tool)?;
            if json {
                out.json_pretty(&ToolAnswer::of(tool))
            } else {
                show(out, tool)
            }
            Ok(ExitCode::SUCCESS)
        }
        ToolsCommand::Suggest { task, json } => suggest(&registry, out, "tool", &task.join(" "), json),
        ToolsCommand::Add(args) => mcp_client::add(config, out, &args).await,
        ToolsCommand::Accept(args) => {
            mcp_client::accept(config, out, found(&registry, &args.tool)?, &args).await
        }
        ToolsCommand::Test(args) => test(config, found(&registry, &args.tool)?, out, &args).await,
    }
}

fn list(registry: &Registry, out: Output, args: &ToolsListArgs) -> Outcome {
    let fits = |tool: &&Arc<Tool>| args.category.as_ref().is_none_or(|category| tool.category == *category);
    let tools: Vec<&Arc<Tool>> = registry.all().filter(fits).collect();
    if args.for_models {
        out.json_pretty(&tools.iter().map(|tool| tool.for_models()).collect::<Vec<_>>());
    } else if args.json {
        out.json_pretty(&tools.iter().map(|tool| ToolAnswer::of(tool)).collect::<Vec<_>>());
    } else {
        let row = |tool: &&Arc<Tool>| {
            [
                &tool.id(),
                &tool.category,
                tool.effect.word(),
                tool.risk.word(),
                tool.reliability.word(),
                &tool.description,
            ]
            .map(safe_text)
            .to_vec()
        };
        let rows: Vec<Vec<String>> = tools.iter().map(row).collect();
        out.table(&["TOOL", "CATEGORY", "EFFECT", "RISK", "RELIABILITY", "DOES"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the tools that fit a task in words; `word` is `tool` or `agent`.
pub(super) fn suggest(registry: &Registry, out: Output, word: &str, task: &str, json: bool) -> Outcome {
    let found = registry.for_task(task);
    if json {
        let one = |(score, tool): &(u32, &Arc<Tool>)| SuggestionAnswer {
            tool: (word == "tool").then(|| tool.called()),
            agent: (word == "agent").then(|| tool.called()),
            score: *score,
            description: tool.description.clone(),
        };
        out.json_pretty(&found.iter().map(one).collect::<Vec<_>>());
    } else if found.is_empty() {
        say(&format!("no {word} fits these words; `cuelight {word}s list` names all"));
    } else {
        let row = |(score, tool): &(u32, &Arc<Tool>)| {
            vec![safe_text(&tool.called()), score.to_string(), safe_text(&tool.description)]
        };
        out.table(&[&word.to_uppercase(), "SCORE", "DOES"], &found.iter().map(row).collect::<Vec<_>>());
    }
    Ok(ExitCode::from(if found.is_empty() { FAILED } else { 0 }))
}

/// The tool of that name, or at most three that may have been meant.
fn found<'r>(registry: &'r Registry, wanted: &str) -> Result<&'r Arc<Tool>, Trouble> {
    registry.find(wanted).ok_or_else(|| {
        let near: Vec<String> = registry.near(wanted).iter().map(|tool| tool.id()).collect();
        let next = if near.is_empty() {
            "`cuelight tool list` names all".to_owned()
        } else {
            format!("there are {}", near.join(", "))
        };
        Trouble::usage(format!("could not find the tool {wanted}; {next}"))
    })
}

impl ToolAnswer {
    pub(super) fn of(tool: &Tool) -> Self {
        Self { described: tool.json(), definition: tool.hash().to_string(), origin: tool.origin.clone() }
    }
}

pub(super) fn show(out: Output, tool: &Tool) {
    let line = |name: &str, text: &str| {
        if !text.is_empty() {
            out.line(&format!("{name:<13} {}", safe_text(text)));
        }
    };
    line(if tool.agent.is_some() { "agent" } else { "tool" }, &tool.called());
    line("does", &tool.description);
    line("can do", &tool.capabilities.join(", "));
    line(
        "gives a sign",
        &tool
            .agent
            .iter()
            .filter_map(|agent| agent.heartbeat)
            .map(|heartbeat| format!("every {heartbeat}"))
            .collect::<String>(),
    );
    line("category", &tool.category);
    line("reliability", &format!("{}, {}", tool.reliability.word(), tool.reliability.score()));
    line("effect", tool.effect.word());
    line("risk", tool.risk.word());
    line("takes", &tool.duration.map(|duration| duration.to_string()).unwrap_or_default());
    let cost = tool.cost_micro_usd;
    line(
        "costs",
        &if cost > 0 { format!("{}.{:06} USD", cost / 1_000_000, cost % 1_000_000) } else { String::new() },
    );
    tool.preconditions.iter().for_each(|precondition| line("before", precondition));
    tool.postconditions.iter().for_each(|postcondition| line("afterwards", postcondition));
    match &tool.undo {
        ToolUndo::Unset => {}
        ToolUndo::Impossible => line("undo", "a call of it cannot be undone"),
        ToolUndo::By(_) => line("undo", "a call of it is undone as its file says"),
    }
    if let ToolBody::Mcp(mcp) = &tool.body {
        let server = match &mcp.server {
            McpServer::Command(words) => words.join(" "),
            McpServer::Url(http) => http.url.value.clone(),
        };
        line("MCP server", &server);
        line("calls it", &mcp.tool);
        line("says of it", mcp.says["description"].as_str().unwrap_or_default());
        line("pin", &mcp_pin(&mcp_held(&mcp.says)).to_string());
    }
    line("stands in", &tool.origin);
    line("definition", &tool.hash().to_string());
    for (word, schema) in [("input", &tool.input), ("output", &tool.output)] {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        for (index, text) in text.lines().enumerate() {
            line(if index == 0 { word } else { "" }, text);
        }
    }
}

/// Calls a tool, or an agent, as a step would: the same checks, limits and process, and no run.
pub(super) async fn test(config: &Config, tool: &Tool, out: Output, args: &ToolsTestArgs) -> Outcome {
    let name = tool.called();
    if matches!(tool.risk, Risk::ExternallyReversible | Risk::Irreversible) && !args.really {
        return Err(Trouble::usage(format!(
            "could not test {}: its risk is {}; add --really when it is meant",
            name,
            tool.risk.word()
        )));
    }
    let kept = PlanTool::of(tool);
    let launch = kept
        .call(given(tool, &args.with)?, &Given::default())
        .map_err(|error| Trouble::usage(format!("could not test: {error}")))?;
    if launch.is_claimed() {
        return Err(Trouble::usage(format!(
            "could not test {name}: it comes by itself, over HTTP, and nothing is started for it here; run a step with it"
        )));
    }
    let launch = Launch { timeout: Some(args.timeout), ..launch };
    let (host, call) = outside(config, &tool.name)?;
    // Steps have a guard; here this process is one, so that all that the call starts ends with it, whatever way it goes.
    let host =
        Arc::new(host.as_guard().map_err(|error| {
            Trouble::failed(format!("could not keep hold of what {name} starts: {error}"))
        })?);
    let mut signals = Signals::listen()?;
    let cancel = CancellationToken::new();
    let answer = {
        let mut work = pin!(answer(&host, &launch, &call, &cancel, out, args.json));
        loop {
            tokio::select! {
                answer = &mut work => break answer,
                _ = signals.next() => cancel.cancel(),
            }
        }
    };
    host.end_all();
    // Nobody looks for the output of a test later; a directory that stays is only in the way.
    drop(std::fs::remove_dir_all(&call.attempt_dir));
    if let Some(failure) = answer.failure() {
        say(&format!("{} failed ({}): {}", name, failure.mode.word(), failure.message));
        say(answer.tail.trim_end());
        return Ok(ExitCode::from(FAILED));
    }
    match kept.output_of(&answer.outputs) {
        Ok(outputs) if args.json => out.json_pretty(&Value::Object(outputs)),
        Ok(outputs) => {
            for (name, value) in &outputs {
                out.line(&format!("{} = {}", safe_text(name), safe_text(&value.to_string())));
            }
            say(&format!("{name}: done, and what it gave is what it promises"));
        }
        Err(why) => {
            say(&format!("could not take the result: {why}"));
            return Ok(ExitCode::from(USAGE));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn answer(
    host: &Arc<Host>,
    launch: &Launch,
    call: &Call,
    cancel: &CancellationToken,
    out: Output,
    is_quiet: bool,
) -> Answer {
    let show = |progress: Progress<'_>| {
        if !is_quiet {
            let text = String::from_utf8_lossy(progress.bytes);
            if !text.lines().all(|line| out.line_reaches(&safe_text(line))) {
                // Nobody reads any more, so nobody waits for it.
                cancel.cancel();
            }
        }
    };
    if launch.http.is_some() && launch.tool.as_ref().is_some_and(|tool| tool.mcp.is_some()) {
        return run_mcp(host, launch, call, cancel, show).await;
    }
    if launch.http.is_some() {
        return run_http(host, launch, call, cancel, show).await;
    }
    if launch.is_process() {
        return run_process(host, launch, None, call, cancel, show).await;
    }
    let stop = cancel.child_token();
    let (host, asked, its_stop) = (Arc::clone(host), launch.clone(), stop.clone());
    let work = Tasks::default().spawn_blocking(move || run_built_in(&host, &asked, None, &its_stop));
    attend_built_in(launch, async { work.await.ok() }, cancel, &stop).await
}

/// Words as what the schema wants: text where it wants text, else JSON where it is JSON.
fn given(tool: &Tool, words: &[(String, String)]) -> Result<ValueMap, Trouble> {
    let value = |name: &str, text: &str| {
        let is_text = tool.input["properties"][name]["type"] == "string";
        let read = if is_text { None } else { json_if_any(text)? };
        Ok(read.unwrap_or_else(|| Value::String(text.to_owned())))
    };
    let wrong =
        |name: &str, why: String| Trouble::usage(format!("could not read {}: {why}", safe_text(name)));
    let each = words
        .iter()
        .map(|(name, text)| Ok((name.clone(), value(name, text).map_err(|why| wrong(name, why))?)));
    each.collect()
}

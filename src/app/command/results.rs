//! `results`: what came of the work of agents. Looking needs no engine; handing in asks one.

use super::act;
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring::{self, Seat},
};
use clap::{Args, Subcommand};
use cuelight_base::{Digest, RESULT_BYTES_MAX, Value, is_agent, safe_text, sha256};
use cuelight_engine::{Command, Event, Fact};
use cuelight_exchange::{AgentResult, LibraryEvent, ResultStatus};
use cuelight_projection::ResultAnswer;
use cuelight_runtime::{
    Clock as _, Desk as _, Entropy, LibraryQuery, Page, SystemClock, Want, result_of_bytes,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    #[command(subcommand)]
    pub(super) command: Option<ResultsCommand>,
    #[command(flatten)]
    pub(super) list: ResultsListArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ResultsCommand {
    /// List results, newest first
    #[command(after_help = "Example: cuelight agent results list --issue SHOP-12 --status failed")]
    List(ResultsListArgs),
    /// Show one result in full
    #[command(after_help = "Example: cuelight agent results show res-4f1c9a07d2 --json")]
    Show {
        /// Its id: res-4f1c…
        id: String,
        /// Project; the workspace's own when not given
        #[arg(long)]
        project: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Record a result from a JSON file
    #[command(after_help = "Example: cuelight agent results hand-in SHOP-12 result.json --type qa")]
    HandIn {
        /// The piece of work it is about: SHOP-12
        issue: String,
        /// A file of JSON with what came of it; `-` reads it from standard input
        file: PathBuf,
        /// Type of the agent that did the work: qa, coding
        #[arg(long = "type", value_name = "TYPE")]
        agent_type: String,
        /// Name of the agent; the caller when not given
        #[arg(long)]
        agent: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ResultsListArgs {
    /// Only about this piece of work
    #[arg(long)]
    pub(super) issue: Option<String>,
    /// Only of this agent, or of one of its sessions
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// Only of agents of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) agent_type: Option<String>,
    /// Only results with this status: success, failed, partial
    #[arg(long, value_parser = result_status)]
    pub(super) status: Option<ResultStatus>,
    /// Project; the workspace's own when not given
    #[arg(long)]
    pub(super) project: Option<String>,
    /// Limit of entries
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn result_status(text: &str) -> Result<ResultStatus, String> {
    ResultStatus::of(text).ok_or_else(|| {
        let words: Vec<&str> = ResultStatus::ALL.iter().map(|status| status.word()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

pub(super) async fn results(config: &Config, out: Output, args: ResultsArgs) -> Outcome {
    match args.command {
        None => list(config, out, args.list).await,
        Some(ResultsCommand::List(args)) => list(config, out, args).await,
        Some(ResultsCommand::Show { id, project, json }) => show(config, out, (id, project), json).await,
        Some(ResultsCommand::HandIn { issue, file, agent_type, agent }) => {
            let body = read(config, &file)?;
            hand_in(config, out, (issue, agent, agent_type), body).await
        }
    }
}

/// The project that is looked at: nothing stands for the workspace's own.
pub(super) fn project(
    config: &Config,
    seat: &Seat,
    said: Option<String>,
) -> Result<(Option<String>, String), Trouble> {
    let own = config.project(&seat.workspace)?;
    let said = said.filter(|text| *text != own);
    let name = said.clone().unwrap_or(own);
    Ok((said, name))
}

async fn list(config: &Config, out: Output, args: ResultsListArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let (project, name) = project(config, &seat, args.project)?;
    let query = LibraryQuery {
        project,
        issue: args.issue,
        agent: args.agent,
        agent_type: args.agent_type,
        status: args.status,
        limit: args.limit,
        ..LibraryQuery::default()
    };
    let page = seat.desk.read(Want::Library(Box::new(query))).await;
    seat.leave().await;
    let Page::Events { events, .. } = page else {
        return Err(Trouble::failed("could not read the results; `cuelight doctor` looks for the reason"));
    };
    let found: Vec<(&Event, &AgentResult)> =
        events.iter().filter_map(|event| Some((&event.1, result_in(&event.1)?))).collect();
    if args.json {
        out.json_pretty(
            &found.iter().map(|(event, result)| ResultAnswer::of(event, result, &name)).collect::<Vec<_>>(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        out.line("nothing was handed in; `cuelight agent results hand-in` does, and so do agents over HTTP");
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemClock.now();
    let row = |(event, result): &(&Event, &AgentResult)| {
        let ago = format!("{} ago", now.since(event.at));
        vec![
            result.id.clone(),
            ago,
            safe_text(&result.issue),
            safe_text(&result.agent),
            safe_text(&result.agent_type),
            result.status.word().to_owned(),
            result.bytes.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    out.table(&["RESULT", "STORED", "ISSUE", "AGENT", "TYPE", "STATUS", "BYTES"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn result_in(event: &Event) -> Option<&AgentResult> {
    match &event.fact {
        Fact::Library(LibraryEvent::HandedIn { result, .. }) => Some(result),
        _ => None,
    }
}

async fn show(config: &Config, out: Output, (id, said): (String, Option<String>), json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let (project, name) = project(config, &seat, said)?;
    let query = LibraryQuery { project, id: Some(id.clone()), limit: 1, ..LibraryQuery::default() };
    let page = seat.desk.read(Want::Library(Box::new(query))).await;
    let found = match page {
        Page::Events { events, .. } => events.into_iter().next().map(|event| event.1),
        _ => None,
    };
    let body = match found.as_ref().and_then(result_in) {
        Some(result) => body(&seat, result).await,
        None => Err(format!("could not find {}; `cuelight agent results` lists the results", safe_text(&id))),
    };
    seat.leave().await;
    let body = body.map_err(Trouble::failed)?;
    let Some((event, result)) = found.as_ref().and_then(|event| Some((event, result_in(event)?))) else {
        return Err(Trouble::failed(
            "could not find that result; `cuelight agent results` lists the results",
        ));
    };
    if json {
        out.json_pretty(&ResultAnswer::of(event, result, &name).with_content(body));
        return Ok(ExitCode::SUCCESS);
    }
    let (agent, issue) = (safe_text(&result.agent), safe_text(&result.issue));
    out.line(&format!(
        "{} {} by {agent} ({}), about {issue}, at {}",
        result.id,
        result.status.word(),
        result.agent_type,
        event.at
    ));
    let text = serde_json::to_string_pretty(&body).unwrap_or_default();
    text.lines().for_each(|line| out.line(&safe_text(line)));
    Ok(ExitCode::SUCCESS)
}

/// The content of a result, read from its blob if it has one.
async fn body(seat: &Seat, result: &AgentResult) -> Result<Value, String> {
    let (Some(digest), None) = (result.blob, &result.body) else {
        return Ok(result.body.clone().unwrap_or_default());
    };
    let mut all = Vec::new();
    loop {
        let page = seat.desk.read(Want::Blob { digest, from: all.len() as u64 }).await;
        let Page::Bytes { bytes, total, .. } = page else {
            return Err("could not read what the result says; `cuelight audit verify` looks for the reason"
                .to_owned());
        };
        let is_whole = bytes.is_empty() || (all.len() + bytes.len()) as u64 >= total;
        all.extend(bytes);
        if is_whole {
            return result_of_bytes(&all);
        }
    }
}

fn read(config: &Config, file: &Path) -> Result<Value, Trouble> {
    let shown = file.display();
    let failed = |why: &dyn std::fmt::Display| {
        Trouble::usage(format!("could not read {shown}: {why}; name a file of JSON, 10 MiB at most"))
    };
    let mut bytes = Vec::new();
    let most = RESULT_BYTES_MAX as u64 + 1;
    if file == Path::new("-") {
        io::stdin().take(most).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    } else {
        let file = File::open(config.here.join(file)).map_err(|error| failed(&error))?;
        file.take(most).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    }
    if bytes.len() > RESULT_BYTES_MAX {
        return Err(failed(&"it is too large"));
    }
    cuelight_base::read_json(&bytes).map_err(|error| failed(&error))
}

async fn hand_in(
    config: &Config,
    out: Output,
    (issue, agent, agent_type): (String, Option<String>, String),
    body: Value,
) -> Outcome {
    let status = body["status"].as_str().and_then(ResultStatus::of).ok_or_else(|| {
        Trouble::usage("could not hand that in: it has no `status`; write success, failed or partial")
    })?;
    let seat = wiring::act(config).await?;
    let agent = agent.unwrap_or_else(|| seat.actor.name.clone());
    if !is_agent(&agent) {
        let why = format!(
            "could not hand that in as {}: that is no name of an agent; say --agent NAME",
            safe_text(&agent)
        );
        seat.leave().await;
        return Err(Trouble::usage(why));
    }
    let digest = sha256("cuelight-result-id-v1", &[Entropy.request_id().0.as_bytes()]).to_string();
    let id = format!("res-{}", digest.split_at(24).0);
    let said = format!("{id} is handed in");
    let result = AgentResult {
        id,
        issue,
        agent,
        agent_type,
        status,
        said_at: None,
        body: Some(body),
        blob: None,
        digest: Digest::default(),
        bytes: 0,
        named_by_engine: false,
        trace: config.traceparent(),
    };
    let by = seat.actor.clone();
    let kept_for = config.results_kept(&seat.workspace)?;
    act::submit(seat, out, Command::HandIn { result: Box::new(result), kept_for, by }, |_| said).await
}

//! `cache`: results that stand for steps. Looking needs no engine; throwing some away asks the engine.

use super::act;
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{CACHE_BYTES_MAX, Digest, Timestamp, ValueMap, counted, safe_text, shorten};
use cuelight_engine::{CachedResult, Command};
use cuelight_runtime::{Clock, Desk, SystemClock};
use schemars::JsonSchema;
use serde::Serialize;
use std::process::ExitCode;

/// Kept results, as `cache --json` lists them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cache")]
pub(super) struct CacheAnswer {
    bytes: usize,
    bytes_most: usize,
    results: Vec<CachedAnswer>,
}

/// A result that stands for steps.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CachedResult")]
pub(super) struct CachedAnswer {
    id: String,
    key: String,
    /// The run and the step that made it.
    run: String,
    step: String,
    #[schemars(with = "String")]
    at: Timestamp,
    #[schemars(with = "Option<String>")]
    expires_at: Option<Timestamp>,
    #[schemars(with = "String")]
    used_at: Timestamp,
    uses: u32,
    bytes: usize,
    outputs: ValueMap,
}

#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    pub(super) command: Option<CacheCommand>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// List cached results with their size
    #[command(after_help = "Example: cuelight cache list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one cached result, its origin and its outputs
    #[command(after_help = "Example: cuelight cache inspect deps-4f1c --json")]
    Inspect {
        /// The key
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete cached results
    #[command(after_help = "Example: cuelight cache clear deps-4f1c")]
    Clear {
        /// Key to clear; all when not given
        key: Option<String>,
    },
}

/// Characters of a key in the table.
const KEY_CHARS: usize = 50;

pub(super) async fn cache(config: &Config, out: Output, args: CacheArgs) -> Outcome {
    match args.command {
        None => list(config, out, args.json).await,
        Some(CacheCommand::List { json }) => list(config, out, json).await,
        Some(CacheCommand::Inspect { key, json }) => inspect(config, out, &key, json).await,
        Some(CacheCommand::Clear { key }) => {
            let said = key.as_ref().map_or_else(
                || "nothing is kept any more".to_owned(),
                |key| format!("nothing is kept under {} any more", safe_text(key)),
            );
            let seat = wiring::act(config).await?;
            let by = seat.actor.clone();
            act::submit(seat, out, Command::ClearCache { key, by }, |_| said).await
        }
    }
}

async fn list(config: &Config, out: Output, json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = seat.desk.boards().borrow().board.clone();
    seat.leave().await;
    let now = SystemClock.now();
    let cache = board.cache();
    if json {
        out.json_pretty(&CacheAnswer {
            bytes: cache.bytes(),
            bytes_most: CACHE_BYTES_MAX,
            results: cache.all(now).map(|(id, result)| CachedAnswer::of(id, result)).collect(),
        });
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = cache.all(now).map(|(_, result)| row(result, now)).collect();
    if rows.is_empty() {
        out.line("no result is kept; a step with `cache:` and `effect: pure` keeps its own");
        return Ok(ExitCode::SUCCESS);
    }
    let count = counted(rows.len(), "result", "results");
    out.line(&format!("{count}, {} of {} bytes", cache.bytes(), CACHE_BYTES_MAX));
    out.table(&["KEY", "STEP", "RUN", "BYTES", "KEPT", "USED", "ENDS"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn row(result: &CachedResult, now: Timestamp) -> Vec<String> {
    let used = match result.uses {
        0 => "never".to_owned(),
        uses => {
            format!("{}, last {} ago", counted(uses as usize, "time", "times"), now.since(result.used_at))
        }
    };
    vec![
        shorten(&safe_text(&result.key), KEY_CHARS),
        safe_text(&result.step),
        result.run.to_string(),
        result.bytes.to_string(),
        format!("{} ago", now.since(result.at)),
        used,
        result.expires_at.map_or_else(|| "never".to_owned(), |end| format!("in {}", end.since(now))),
    ]
}

async fn inspect(config: &Config, out: Output, key: &str, json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = seat.desk.boards().borrow().board.clone();
    seat.leave().await;
    let now = SystemClock.now();
    let found: Vec<_> = board.cache().all(now).filter(|(_, result)| result.key == key).collect();
    if found.is_empty() {
        return Err(Trouble::failed(format!(
            "could not find a result under {}; `cuelight cache list` lists the results",
            safe_text(key)
        )));
    }
    if json {
        out.json_pretty(&found.iter().map(|(id, result)| CachedAnswer::of(*id, result)).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    for (_, result) in found {
        let step = safe_text(&result.step);
        out.line(&format!("{step} of {}, {}, confidence {}", result.run, result.at, result.confidence));
        for (name, value) in &result.outputs {
            out.line(&format!("  {} = {}", safe_text(name), safe_text(&value.to_string())));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl CachedAnswer {
    fn of(id: Digest, result: &CachedResult) -> Self {
        Self {
            id: id.to_string(),
            key: result.key.clone(),
            run: result.run.to_string(),
            step: result.step.clone(),
            at: result.at,
            expires_at: result.expires_at,
            used_at: result.used_at,
            uses: result.uses,
            bytes: result.bytes,
            outputs: result.outputs.clone(),
        }
    }
}

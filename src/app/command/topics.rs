//! `topics`: the rules for messages by topic, and the keys that sign them. `config.toml` declares the rules.

use super::trail;
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
};
use clap::{Args, Subcommand};
use cuelight_base::{Value, safe_text};
use cuelight_exchange::TopicRule;
use cuelight_gateway::secret_text;
use cuelight_runtime::{Clock as _, Entropy, SystemClock};
use cuelight_store::{StoreError, TopicKeys};
use schemars::JsonSchema;
use serde::Serialize;
use std::process::ExitCode;

/// The rule of a topic, as `event topics --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Topic")]
pub(super) struct TopicAnswer {
    topic: String,
    about: String,
    schema: Option<Value>,
    signed: bool,
    /// Keys that count now.
    keys: usize,
}

#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    #[command(subcommand)]
    pub(super) command: Option<TopicsCommand>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TopicsCommand {
    /// Make a new secret for a topic and print it once; the old one is valid for 24 more hours
    #[command(after_help = "Example: cuelight event topics rotate deploy/done")]
    Rotate {
        /// The topic
        topic: String,
    },
}

fn unusable(error: StoreError) -> Trouble {
    Trouble::not_recorded(error.to_string())
}

pub(super) fn topics(config: &Config, out: Output, args: TopicsArgs) -> Outcome {
    let workspace = trail::workspace(config)?;
    let now = SystemClock.now();
    let declared = config.topics(&workspace)?;
    if let Some(TopicsCommand::Rotate { topic }) = args.command {
        if !declared.contains_key(&topic) {
            return Err(Trouble::usage(format!(
                "could not make a key for {:?}: {} declares no such topic; add [topics.{:?}] with signed = true",
                safe_text(&topic),
                workspace.config().display(),
                safe_text(&topic),
            )));
        }
        let secret = Entropy.secret();
        TopicKeys::rotate(&workspace, &topic, now, secret).map_err(unusable)?;
        out.line(&secret_text(&secret));
        say(
            "whoever signs is given this secret; it is printed this once, and the one before it counts for 24 hours more",
        );
        return Ok(ExitCode::SUCCESS);
    }
    let keys = TopicKeys::of(&workspace).map_err(unusable)?;
    let live = |topic: &str| keys.live(topic, now).count();
    if args.json {
        let topic = |(name, rule): (&String, &TopicRule)| TopicAnswer {
            topic: name.clone(),
            about: rule.about.clone(),
            schema: rule.schema.clone(),
            signed: rule.signed,
            keys: live(name),
        };
        out.json_pretty(&declared.iter().map(topic).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if declared.is_empty() {
        out.line(
            "no topic is declared, so anything may be said about any; see [topics.NAME] in docs/sidecar.md",
        );
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = declared
        .iter()
        .map(|(name, rule)| {
            let signed = match (rule.signed, live(name)) {
                (false, _) => "-".to_owned(),
                (true, 0) => "no key yet; `cuelight event topics rotate` makes one".to_owned(),
                (true, 1) => "1 key".to_owned(),
                (true, count) => format!("{count} keys"),
            };
            let schema = if rule.schema.is_some() { "yes" } else { "-" };
            vec![name.clone(), schema.to_owned(), signed, safe_text(&rule.about)]
        })
        .collect();
    out.table(&["TOPIC", "SCHEMA", "SIGNED", "ABOUT"], &rows);
    Ok(ExitCode::SUCCESS)
}

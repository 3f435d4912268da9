//! `knowledge`: what agents and people know. Searching needs no engine; adding asks one.

use super::{act, results::project};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{ValueMap, safe_text, sha256, shorten};
use cuelight_engine::{Command, Event, Fact};
use cuelight_exchange::{Knowledge, KnowledgeKind, LibraryEvent};
use cuelight_projection::KnowledgeAnswer;
use cuelight_runtime::{Clock as _, Desk as _, Entropy, LibraryQuery, Page, Shelf, SystemClock, Want};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct KnowledgeArgs {
    #[command(subcommand)]
    pub(super) command: Option<KnowledgeCommand>,
    #[command(flatten)]
    pub(super) search: KnowledgeSearchArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum KnowledgeCommand {
    /// Search entries by words, best match first
    #[command(after_help = "Example: cuelight agent knowledge search prices cents")]
    Search(KnowledgeSearchArgs),
    /// Add an entry; text with credentials is refused
    #[command(
        after_help = "Example: cuelight agent knowledge add --type decision 'Prices are kept in cents'"
    )]
    Add {
        /// Text to record
        text: String,
        /// Kind of entry: decision, architecture, implementation, configuration, issue, general
        #[arg(long = "type", value_name = "WORD", value_parser = knowledge_kind, default_value = "general")]
        kind: KnowledgeKind,
        /// The piece of work it came from
        #[arg(long)]
        issue: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct KnowledgeSearchArgs {
    /// Words; without any, the newest first
    pub(super) words: Vec<String>,
    /// Only this kind
    #[arg(long = "type", value_name = "WORD", value_parser = knowledge_kind)]
    pub(super) kind: Option<KnowledgeKind>,
    /// Only of this agent, or of one of its sessions
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// Project; the workspace's own when not given
    #[arg(long)]
    pub(super) project: Option<String>,
    /// Limit of entries
    #[arg(long, default_value_t = 10)]
    pub(super) limit: u32,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn knowledge_kind(text: &str) -> Result<KnowledgeKind, String> {
    KnowledgeKind::of(text).ok_or_else(|| {
        let words: Vec<&str> = KnowledgeKind::ALL.iter().map(|kind| kind.word()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

/// Characters of what is known, in the table.
const TEXT_CHARS: usize = 100;

pub(super) async fn knowledge(config: &Config, out: Output, args: KnowledgeArgs) -> Outcome {
    match args.command {
        None => search(config, out, args.search).await,
        Some(KnowledgeCommand::Search(args)) => search(config, out, args).await,
        Some(KnowledgeCommand::Add { text, kind, issue }) => {
            let seat = wiring::act(config).await?;
            let digest = sha256("cuelight-library-id-v1", &[Entropy.request_id().0.as_bytes()]).to_string();
            let id = format!("k-{}", digest.split_at(24).0);
            let said = format!("{id} is known");
            let agent = seat.actor.name.clone();
            let knowledge = Knowledge {
                id,
                kind,
                text,
                issue,
                agent,
                agent_type: None,
                metadata: ValueMap::new(),
                named_by_engine: false,
            };
            let by = seat.actor.clone();
            act::submit(seat, out, Command::Learn { knowledge: Box::new(knowledge), by }, |_| said).await
        }
    }
}

async fn search(config: &Config, out: Output, args: KnowledgeSearchArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let (project, name) = project(config, &seat, args.project)?;
    let words = (!args.words.is_empty()).then(|| args.words.join(" "));
    let query = LibraryQuery {
        shelf: Shelf::Knowledge,
        project,
        agent: args.agent,
        kind: args.kind,
        words,
        limit: args.limit,
        ..LibraryQuery::default()
    };
    let page = seat.desk.read(Want::Library(Box::new(query))).await;
    seat.leave().await;
    let Page::Events { events, .. } = page else {
        return Err(Trouble::failed("could not search; `cuelight doctor` looks for the reason"));
    };
    let found: Vec<(&Event, &Knowledge)> =
        events.iter().filter_map(|event| Some((&event.1, known_in(&event.1)?))).collect();
    if args.json {
        out.json_pretty(
            &found
                .iter()
                .map(|(event, knowledge)| KnowledgeAnswer::of(event, knowledge, &name))
                .collect::<Vec<_>>(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() {
        out.line("nothing is known of that; `cuelight agent knowledge add TEXT` adds something");
        return Ok(ExitCode::SUCCESS);
    }
    let now = SystemClock.now();
    let row = |(event, knowledge): &(&Event, &Knowledge)| {
        let text = safe_text(&shorten(&knowledge.text.replace('\n', " "), TEXT_CHARS));
        vec![
            format!("{} ago", now.since(event.at)),
            knowledge.kind.word().to_owned(),
            safe_text(&knowledge.agent),
            text,
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    out.table(&["SINCE", "TYPE", "BY", "WHAT"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn known_in(event: &Event) -> Option<&Knowledge> {
    match &event.fact {
        Fact::Library(LibraryEvent::Learned { knowledge, .. }) => Some(knowledge),
        _ => None,
    }
}

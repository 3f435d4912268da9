//! `emit` and `messages`: saying something to the steps that wait for it, and seeing what was said.

use super::{
    act,
    topics::{TopicsArgs, topics},
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{MessageKind, Span, Timestamp, Value, ValueMap, json_if_any, safe_text, shorten};
use cuelight_engine::Command;
use cuelight_exchange::{NewMessage, Rejected, Said};
use cuelight_runtime::{Clock, Desk, Entropy, SystemClock};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};

/// A message that was sent or rejected, as `event messages --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub(super) struct MessageAnswer {
    /// The message as a step sees it; of a rejected one also the fault.
    #[serde(flatten)]
    #[schemars(with = "BTreeMap<String, Value>")]
    fields: Value,
    #[schemars(with = "String")]
    at: Timestamp,
    #[serde(flatten)]
    way: Option<WayAnswer>,
    /// True if no step takes it any more.
    dead: bool,
}

/// The way of a message that was not rejected.
#[derive(Serialize, JsonSchema)]
struct WayAnswer {
    to: Option<String>,
    #[schemars(with = "String")]
    expires_at: Timestamp,
    /// The steps that took it.
    taken_by: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct EmitArgs {
    /// Topic of the event: letters, digits, `.`, `-`, `_` and `/`
    pub(super) topic: String,
    /// Data of the event: KEY=VALUE, again for more, or one JSON value
    #[arg(long, short = 'd', value_name = "KEY=VALUE|JSON")]
    pub(super) data: Vec<String>,
    /// Kind of event: event, task, tool-call, debate-proposal, debate-critique, debate-decision, control, error
    #[arg(long = "type", value_name = "WORD", value_parser = message_kind, default_value = "event")]
    pub(super) kind: MessageKind,
    /// Recipient, when the event is not for all
    #[arg(long)]
    pub(super) to: Option<String>,
    /// Correlation id: the matter that it belongs to or answers
    #[arg(long)]
    pub(super) correlation: Option<String>,
    /// Lifetime; 24h when not given
    #[arg(long)]
    pub(super) ttl: Option<Span>,
    /// The same id again is the same message
    #[arg(long)]
    pub(super) id: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct MessagesArgs {
    /// Only this kind
    #[arg(long)]
    pub(super) topic: Option<String>,
    /// Only those that nobody took in time, and what was no good
    #[arg(long)]
    pub(super) dead: bool,
    /// Limit of entries, newest first
    #[arg(long, default_value_t = 50)]
    pub(super) limit: usize,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn message_kind(text: &str) -> Result<MessageKind, String> {
    MessageKind::of(text).ok_or_else(|| {
        let words: Vec<&str> = MessageKind::ALL.iter().map(|kind| kind.0).collect();
        format!("it is one of {}", words.join(", "))
    })
}

/// Characters of what a message says, in the table.
const DATA_CHARS: usize = 60;

#[derive(Debug, Args)]
pub(super) struct EventNoun {
    #[command(subcommand)]
    command: EventCommand,
}

#[derive(Debug, Subcommand)]
enum EventCommand {
    /// Send an event to the steps that wait for it, in all runs
    #[command(
        after_help = "Example: cuelight event emit deploy/done --data image=web:7 --correlation CHG-12\n\n\
        A step waits for it with: wait: {event: deploy/done, filter: {image: \"web:7\"}}. The same --id again is the same event, \
        so a call that may have been received can be repeated."
    )]
    Emit(EmitArgs),
    /// List events, the steps that took them, and those that nobody took
    #[command(
        after_help = "Examples:\n  cuelight event messages --topic deploy/done\n  cuelight event messages --dead --json"
    )]
    Messages(MessagesArgs),
    /// List topics with their schemas and signing keys
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight event topics\n  cuelight event topics rotate deploy/done\n\n\
        `[topics.\"deploy/done\"]` in .cuelight/config.toml declares one, with `schema = \"FILE\"` and `signed = true`."
    )]
    Topics(TopicsArgs),
}

pub(super) async fn event(config: &Config, out: Output, noun: EventNoun) -> Outcome {
    match noun.command {
        EventCommand::Emit(args) => emit(config, out, args).await,
        EventCommand::Messages(args) => messages(config, out, &args).await,
        EventCommand::Topics(args) => topics(config, out, args),
    }
}

async fn emit(config: &Config, out: Output, args: EmitArgs) -> Outcome {
    let data = data(&args.data).map_err(Trouble::usage)?;
    let id = args.id.unwrap_or_else(|| Entropy.request_id().0);
    let said = format!("{} is said about {}", safe_text(&id), safe_text(&args.topic));
    let message = NewMessage {
        id: Some(id),
        topic: args.topic,
        kind: args.kind,
        to: args.to,
        correlation: args.correlation,
        data,
        ttl: args.ttl,
        trace: config.traceparent(),
        ..NewMessage::default()
    };
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    act::submit(seat, out, Command::Publish { message: Box::new(message), by }, |_| said).await
}

/// `KEY=VALUE` as fields of an object, or one JSON value.
fn data(words: &[String]) -> Result<Value, String> {
    let json = |text: &str| {
        json_if_any(text).map_err(|why| format!("could not read {:?}: {why}", safe_text(&shorten(text, 60))))
    };
    if let [one] = words
        && let Some(value) = json(one)?
    {
        return Ok(value);
    }
    let mut fields = ValueMap::new();
    for word in words {
        let (key, text) = word.split_once('=').filter(|halves| !halves.0.is_empty()).ok_or_else(|| {
            format!("could not read {:?}; write KEY=VALUE, or one JSON value", safe_text(&shorten(word, 60)))
        })?;
        let value = json(text)?.unwrap_or_else(|| Value::String(text.to_owned()));
        fields.insert(key.to_owned(), value);
    }
    Ok(Value::Object(fields))
}

async fn messages(config: &Config, out: Output, args: &MessagesArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    let board = seat.desk.boards().borrow().board.clone();
    seat.leave().await;
    let now = SystemClock.now();
    let of_topic = |said: &&Said| args.topic.as_ref().is_none_or(|topic| said.message.topic == *topic);
    let found: Vec<&Said> = board
        .bus()
        .newest()
        .filter(of_topic)
        .filter(|said| !args.dead || said.is_dead(now))
        .take(args.limit)
        .collect();
    let state = |said: &Said| match (said.taken_by.first(), said.is_dead(now)) {
        (Some(first), _) if said.taken_by.len() > 1 => {
            format!("{first} and {} more", said.taken_by.len() - 1)
        }
        (Some(first), _) => first.clone(),
        (None, true) => "nobody; its time is up".to_owned(),
        (None, false) => "nobody yet".to_owned(),
    };
    let of_topic = |letter: &&Rejected| args.topic.as_ref().is_none_or(|topic| letter.letter.topic == *topic);
    let letters: Vec<&Rejected> =
        board.topics().letters().filter(|_| args.dead).filter(of_topic).take(args.limit).collect();
    if args.json {
        let rejected = letters.iter().map(|letter| MessageAnswer {
            fields: serde_json::to_value(&letter.letter)
                .expect("what is kept as JSON can be written as JSON"),
            at: letter.at,
            way: None,
            dead: true,
        });
        let said = found.iter().map(|said| MessageAnswer {
            fields: Value::Object(said.message.outputs()),
            at: said.at,
            way: Some(WayAnswer {
                to: said.message.to.clone(),
                expires_at: said.message.expires_at,
                taken_by: said.taken_by.clone(),
            }),
            dead: said.is_dead(now),
        });
        out.json_pretty(&said.chain(rejected).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if found.is_empty() && letters.is_empty() {
        out.line("nothing was said; `cuelight event emit TOPIC` says something, and so does an `emit` step");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|said| {
            vec![
                format!("{} ago", now.since(said.at)),
                safe_text(&said.message.topic),
                said.message.kind.to_string(),
                safe_text(&said.message.from),
                safe_text(&shorten(&said.message.data.to_string(), DATA_CHARS)),
                safe_text(&state(said)),
            ]
        })
        .collect();
    let rejected = letters.iter().map(|letter| {
        let data = letter.letter.data.as_ref().map_or_else(|| "…".to_owned(), Value::to_string);
        vec![
            format!("{} ago", now.since(letter.at)),
            safe_text(&letter.letter.topic),
            letter.letter.kind.to_string(),
            safe_text(&letter.letter.from),
            safe_text(&shorten(&data, DATA_CHARS)),
            format!("no good ({}): {}", letter.letter.fault.word(), safe_text(&letter.letter.why)),
        ]
    });
    let rows: Vec<Vec<String>> = rows.into_iter().chain(rejected).collect();
    out.table(&["SAID", "TOPIC", "TYPE", "BY", "DATA", "TAKEN BY"], &rows);
    Ok(ExitCode::SUCCESS)
}

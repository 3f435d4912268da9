//! `state`: values that outlive a run. Looking needs no engine; changing one asks the engine, and only if it is as it was
//! seen where that is wanted.

use super::{act, named};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::Output,
    wiring::{self, Seat},
};
use clap::{Args, Subcommand, ValueEnum};
use cuelight_base::{Actor, Span, Timestamp, Value, json_if_any, safe_text, shorten};
use cuelight_engine::{Command, Expected, NewValue, owner_of};
use cuelight_plan::Scope;
use cuelight_projection::{Board, ValueAnswer, ValueName, ValueView, scope_word};
use cuelight_runtime::{Clock, Desk, SystemClock, Trouble as DeskTrouble};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};

/// A change, as `state watch --json` tells it: the value as it is now, or that it is gone.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "StateChange")]
pub(super) enum ChangeAnswer {
    Set(Box<ValueAnswer>),
    Gone { scope: &'static str, key: String, value: () },
}

#[derive(Debug, Args)]
pub(super) struct StateArgs {
    #[command(subcommand)]
    pub(super) command: Option<StateCommand>,
    #[command(flatten)]
    pub(super) list: StateListArgs,
}

#[derive(Debug, Args)]
pub(super) struct StateListArgs {
    /// Only of this scope
    #[arg(long, value_enum)]
    pub(super) scope: Option<StateScope>,
    /// Values that the steps of one run have set for it: r-7
    #[arg(long, value_name = "RUN", conflicts_with = "scope")]
    pub(super) run: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Scope of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StateScope {
    /// Values of the workspace
    Global,
    /// Values of your own session
    Session,
}

impl StateScope {
    /// As the engine calls it.
    pub(super) const fn of(self) -> Scope {
        match self {
            Self::Global => Scope::Global,
            Self::Session => Scope::Session,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// List all values
    #[command(after_help = "Example: cuelight state list --scope global --json")]
    List(StateListArgs),
    /// Print one value
    #[command(after_help = "Example: cuelight state get region --json")]
    Get {
        /// The key
        key: String,
        /// Scope of the value
        #[arg(long, value_enum, default_value = "global")]
        scope: StateScope,
        /// As JSON, with version and etag
        #[arg(long)]
        json: bool,
    },
    /// Set a value
    #[command(after_help = "Example: cuelight state set region eu --ttl 2h")]
    Set(StateSetArgs),
    /// Remove a value
    #[command(after_help = "Example: cuelight state remove region")]
    Remove {
        /// The key
        key: String,
        /// Scope of the value
        #[arg(long, value_enum, default_value = "global")]
        scope: StateScope,
        /// Only if it still has this etag
        #[arg(long = "if", value_name = "ETAG", value_parser = expected)]
        only_if: Option<Expected>,
    },
    /// Print a line for each change, until it is ended
    #[command(after_help = "Example: cuelight state watch region --json")]
    Watch(StateWatchArgs),
}

#[derive(Debug, Args)]
pub(super) struct StateSetArgs {
    /// The key
    pub(super) key: String,
    /// The value: JSON, or a text
    pub(super) value: String,
    /// Scope of the value
    #[arg(long, value_enum, default_value = "global")]
    pub(super) scope: StateScope,
    /// Lifetime; for ever when not given
    #[arg(long, value_name = "2h")]
    pub(super) ttl: Option<Span>,
    /// Only if it still has this etag; `none`: only if there is no such value
    #[arg(long = "if", value_name = "ETAG", value_parser = expected)]
    pub(super) only_if: Option<Expected>,
    /// Take the value as text, also where it reads as JSON
    #[arg(long)]
    pub(super) text: bool,
}

#[derive(Debug, Args)]
pub(super) struct StateWatchArgs {
    /// Only this key
    pub(super) key: Option<String>,
    /// Only of this scope
    #[arg(long, value_enum)]
    pub(super) scope: Option<StateScope>,
    /// As JSON, one change a line
    #[arg(long)]
    pub(super) json: bool,
}

/// An etag, or `none`.
#[expect(clippy::unnecessary_wraps, reason = "a value parser may fail")]
fn expected(text: &str) -> Result<Expected, String> {
    Ok(if text == "none" { Expected::Absent } else { Expected::Etag(text.to_owned()) })
}

/// Characters of a value in the table.
const VALUE_CHARS: usize = 60;

pub(super) async fn state(config: &Config, out: Output, args: StateArgs) -> Outcome {
    match args.command {
        None => list(config, out, &args.list).await,
        Some(StateCommand::List(args)) => list(config, out, &args).await,
        Some(StateCommand::Get { key, scope, json }) => get(config, out, &key, scope, json).await,
        Some(StateCommand::Set(args)) => set(config, out, args).await,
        Some(StateCommand::Remove { key, scope, only_if }) => {
            let said = format!("{} is taken away", safe_text(&key));
            change(
                config,
                out,
                NewValue { scope: scope.of(), key, value: None, ttl: None, expect: only_if },
                said,
            )
            .await
        }
        Some(StateCommand::Watch(args)) => watch(config, out, &args).await,
    }
}

async fn list(config: &Config, out: Output, args: &StateListArgs) -> Outcome {
    if let Some(run) = &args.run {
        return of_run(config, out, run, args.json).await;
    }
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    let by = seat.actor.clone();
    seat.leave().await;
    let now = SystemClock.now();
    let values: Vec<(&ValueName, &ValueView)> = visible(&seen.board, &by, args.scope, now).collect();
    if args.json {
        out.json_pretty(&values.iter().map(|(name, value)| ValueAnswer::of(name, value)).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    if values.is_empty() {
        out.line("nothing is kept; a step with `set:` or `cuelight state set KEY VALUE` keeps something");
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = values.iter().map(|(name, value)| row(name, value, now)).collect();
    out.table(&["SCOPE", "KEY", "VALUE", "VERSION", "ETAG", "ENDS", "BY"], &rows);
    Ok(ExitCode::SUCCESS)
}

/// Prints the values that the steps of one run have set in it.
async fn of_run(config: &Config, out: Output, run: &str, json: bool) -> Outcome {
    let (seat, run) = named::look_at(config, run).await?;
    let view = named::view(&seat, run).await;
    seat.leave().await;
    let view = view?;
    if json {
        out.json_pretty(&Value::Object(view.vars.clone()));
        return Ok(ExitCode::SUCCESS);
    }
    if view.vars.is_empty() {
        out.line(&format!("the steps of {run} have set nothing for it"));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> =
        view.vars.iter().map(|(key, value)| vec![safe_text(key), short(value)]).collect();
    out.table(&["KEY", "VALUE"], &rows);
    Ok(ExitCode::SUCCESS)
}

/// The values that this person sees: the workspace's and their own.
fn visible<'a>(
    board: &'a Board,
    by: &Actor,
    scope: Option<StateScope>,
    now: Timestamp,
) -> impl Iterator<Item = (&'a ValueName, &'a ValueView)> {
    let owners = [Scope::Global, Scope::Session].map(|scope| (scope, owner_of(scope, by)));
    let mine = move |name: &ValueName| owners.iter().any(|owner| *owner == (name.0, name.1.clone()));
    board
        .values(now)
        .filter(move |(name, _)| scope.is_none_or(|scope| scope.of() == name.0))
        .filter(move |(name, _)| mine(name))
}

fn row((scope, _, key): &ValueName, value: &ValueView, now: Timestamp) -> Vec<String> {
    vec![
        scope_word(*scope).to_owned(),
        safe_text(key),
        short(&value.value),
        value.version.to_string(),
        value.etag(),
        value.expires_at.map_or_else(|| "never".to_owned(), |end| format!("in {}", end.since(now))),
        safe_text(&value.set_by),
    ]
}

fn short(value: &Value) -> String {
    shorten(&safe_text(&plain(value)), VALUE_CHARS)
}

/// A text as it is, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn get(config: &Config, out: Output, key: &str, scope: StateScope, json: bool) -> Outcome {
    let seat = wiring::look(config).await?;
    let seen = seat.desk.boards().borrow().clone();
    let by = seat.actor.clone();
    seat.leave().await;
    let now = SystemClock.now();
    let found = visible(&seen.board, &by, Some(scope), now).find(|(name, _)| name.2 == key);
    let Some((name, value)) = found else {
        let (key, scope) = (safe_text(key), scope_word(scope.of()));
        return Err(Trouble::failed(format!(
            "could not find {key} in the {scope} state; `cuelight state list` lists the keys"
        )));
    };
    if json {
        out.json_pretty(&ValueAnswer::of(name, value));
    } else {
        out.line(&safe_text(&plain(&value.value)));
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(config: &Config, out: Output, args: StateSetArgs) -> Outcome {
    let said = format!("{} is set", safe_text(&args.key));
    let value = if args.text {
        Value::String(args.value)
    } else {
        let read = json_if_any(&args.value);
        let read = read.map_err(|why| {
            Trouble::usage(format!(
                "could not set {}: {why}; or give it as text, with --text",
                safe_text(&args.key)
            ))
        })?;
        read.unwrap_or(Value::String(args.value))
    };
    let (scope, key) = (args.scope.of(), args.key);
    change(
        config,
        out,
        NewValue { scope, key, value: Some(value), ttl: args.ttl, expect: args.only_if },
        said,
    )
    .await
}

async fn change(config: &Config, out: Output, value: NewValue, said: String) -> Outcome {
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    act::submit(seat, out, Command::SetValue { value: Box::new(value), by }, |_| said).await
}

/// A line for each change, until the engine goes.
async fn watch(config: &Config, out: Output, args: &StateWatchArgs) -> Outcome {
    let seat = wiring::look(config).await?;
    follow(&seat, out, args).await;
    seat.leave().await;
    Err(Trouble::failed(
        "could not watch any longer: no engine runs here; start one with `cuelight serve --detach`",
    ))
}

async fn follow(seat: &Seat, out: Output, args: &StateWatchArgs) {
    let mut boards = seat.desk.boards();
    let mut known: BTreeMap<ValueName, ValueView> = BTreeMap::new();
    loop {
        let seen = boards.borrow_and_update().clone();
        let now: BTreeMap<ValueName, ValueView> =
            visible(&seen.board, &seat.actor, args.scope, SystemClock.now())
                .filter(|(name, _)| args.key.as_ref().is_none_or(|key| name.2 == *key))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
        for (name, value) in now.iter().filter(|(name, value)| known.get(*name) != Some(*value)) {
            tell(out, name, Some(value), args.json);
        }
        for name in known.keys().filter(|key| !now.contains_key(*key)) {
            tell(out, name, None, args.json);
        }
        known = now;
        let lost = matches!(
            seen.trouble,
            Some(
                DeskTrouble::Lost(_)
                    | DeskTrouble::Stopped(_)
                    | DeskTrouble::TakenOver(_)
                    | DeskTrouble::Unowned
            )
        );
        if lost || boards.changed().await.is_err() {
            return;
        }
    }
}

fn tell(out: Output, name: &ValueName, value: Option<&ValueView>, json: bool) {
    let (scope, key) = (scope_word(name.0), safe_text(&name.2));
    match value {
        Some(value) if json => out.json(&ChangeAnswer::Set(Box::new(ValueAnswer::of(name, value)))),
        None if json => out.json(&ChangeAnswer::Gone { scope, key: name.2.clone(), value: () }),
        Some(value) => {
            out.line(&format!("{scope} {key} = {} (version {})", short(&value.value), value.version))
        }
        None => out.line(&format!("{scope} {key} is gone")),
    }
}

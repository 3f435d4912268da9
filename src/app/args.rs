//! What can be said on the command line. Help, completions and the manual page are made from it.

use crate::{
    base::{Digest, MessageKind, Span, Timestamp},
    definition::Severity,
    engine::{Expected, KnowledgeKind, ResultStatus},
    gateway::{AgentType, Permission},
    plan::Scope,
    store::NoteKey,
};
use clap::{Args, Subcommand, ValueEnum, builder::FalseyValueParser};
use std::{net::SocketAddr, path::PathBuf};

/// Address and certificate of the HTTP API.
#[derive(Clone, Debug, Args)]
pub(super) struct ListenArgs {
    /// Answer over HTTP at this address as well: 127.0.0.1:3001; see docs/sidecar.md
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Encrypt, with this certificate and those behind it (PEM); read again when the file has changed
    #[arg(long, requires = "listen", requires = "tls_key", value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM); nobody else may be able to read it
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
    /// Also where other machines reach it, though nothing is encrypted and whoever listens on the way has the tokens
    #[arg(long, requires = "listen", conflicts_with = "tls_cert")]
    pub(super) insecure: bool,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Everywhere {
    /// The directory that holds (or will hold) .cuelight; found upwards from here when not given
    #[arg(long, global = true, env = "CUELIGHT_WORKSPACE", value_name = "DIR")]
    pub(super) workspace: Option<PathBuf>,
    /// Use your own inbox, where agents ask when they name no workspace; the same from every directory
    #[arg(long, global = true)]
    pub(super) inbox: bool,
    /// When to use colour; `NO_COLOR=1` means never
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(super) color: When,
    /// Format of messages on standard error; `json` is one object a line, with the requests of the API
    #[arg(long, global = true, value_enum, env = "CUELIGHT_LOG_FORMAT", value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
}

/// Look of the console.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct ScreenArgs {
    /// Colours of the console: one of themes/, one of your own, or a file
    #[arg(long, global = true, env = "CUELIGHT_THEME", value_name = "NAME")]
    pub(super) theme: Option<String>,
    /// Signs and borders in ASCII
    #[arg(long, global = true, env = "CUELIGHT_ASCII", value_parser = FalseyValueParser::new())]
    pub(super) ascii: bool,
    /// For screen readers and braille lines: words instead of boxes, signs and colours
    #[arg(long, global = true, env = "CUELIGHT_READER", value_parser = FalseyValueParser::new())]
    pub(super) reader: bool,
}

/// Format of messages on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// Question that people answer
    #[arg(long, value_name = "TEXT")]
    pub(super) title: String,
    /// Claim of the requester; shown below everything else, marked as a claim
    #[arg(long, value_name = "TEXT")]
    pub(super) claim: Option<String>,
    /// A file that is shown to those who decide; may be given again
    #[arg(long, value_name = "FILE")]
    pub(super) evidence: Vec<PathBuf>,
    /// A value that the answer holds for; may be given again
    #[arg(long = "bind", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) binds: Vec<(String, String)>,
    /// Risk of a wrong approval
    #[arg(long, value_name = "RISK", default_value = "externally-reversible", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: String,
    /// When it expires, and counts as a no: 30m, 4h; never when not given
    #[arg(long, value_name = "TIME")]
    pub(super) timeout: Option<String>,
    /// Group that must approve: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Exclude the requester from answering
    #[arg(long)]
    pub(super) four_eyes: bool,
    /// A variable of ours that the command gets; may be given again
    #[arg(long, value_name = "NAME")]
    pub(super) env: Vec<String>,
    /// The answer as JSON, instead of what the command writes
    #[arg(long)]
    pub(super) json: bool,
    /// The command and its words, run as they are, with no shell between
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct HookArgs {
    /// Whose questions they are
    #[arg(value_name = "AGENT")]
    pub(super) agent: Agent,
    /// When the question expires; the agent has to wait longer than this
    #[arg(long, value_name = "TIME", default_value = "9m")]
    pub(super) timeout: String,
    /// Answer to the agent when nobody has answered: deny, or ask at its own terminal
    #[arg(long, value_name = "ANSWER", default_value = "deny")]
    pub(super) on_timeout: Silence,
    /// Risk of a wrong approval, for every question; else judged by the tool or its command
    #[arg(long, value_name = "RISK", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: Option<String>,
    /// Group that must approve: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Exclude the user that runs the agent from answering
    #[arg(long)]
    pub(super) four_eyes: bool,
}

#[derive(Debug, Args)]
pub(super) struct McpArgs {
    /// A workflow file that agents may start, from the workspace; may be given again. When none is given, none may be started
    #[arg(long = "workflow", value_name = "FILE")]
    pub(super) workflows: Vec<String>,
    /// When a gate of an agent expires at the latest, and counts as a no
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(super) timeout: String,
    /// Lowest risk of a wrong approval; else as the agent says, or as its own tools are known for
    #[arg(long, value_name = "RISK", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: Option<String>,
    /// Group that must approve in any case: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Exclude the user that runs the agent from answering
    #[arg(long)]
    pub(super) four_eyes: bool,
}

/// A coding agent whose questions are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Agent {
    ClaudeCode,
    Codex,
}

/// Answer when nobody has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Silence {
    Deny,
    Ask,
}

#[derive(Debug, Args)]
pub(super) struct JsonArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The run: r-7
    pub(super) run: String,
    /// State after this event, by its number in the log
    #[arg(long, value_name = "SEQ")]
    pub(super) at: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ScreenshotArgs {
    /// View to draw
    #[arg(long, value_name = "NAME", default_value = "runs", value_parser = ["runs", "dag", "gates", "errors", "health", "logs", "time", "audit", "agents", "tools"])]
    pub(super) view: String,
    /// The run that is looked at; else the newest
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Columns and rows
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "160x48", value_parser = size)]
    pub(super) size: (u16, u16),
    /// Keys that are pressed first
    #[arg(long, default_value = "", value_name = "KEYS")]
    pub(super) keys: String,
    /// File to write: *.svg is a picture, else text; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// `160x48`.
fn size(text: &str) -> Result<(u16, u16), String> {
    const MOST: u16 = 1_000;
    let read = |it: &str| it.parse().ok().filter(|it| (1..=MOST).contains(it));
    let parts = text.split_once('x').and_then(|(width, height)| Some((read(width)?, read(height)?)));
    parts.ok_or_else(|| format!("it looks like 160x48, and neither is above {MOST}"))
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Run without a screen, one line a change
    #[arg(long, alias = "plain")]
    pub(super) headless: bool,
    /// Without a screen, one event a line as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Directory to run in; an earlier demo there continues
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Delete the earlier demo first
    #[arg(long)]
    pub(super) fresh: bool,
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// The expression, with or without ${{ }}
    #[arg(allow_hyphen_values = true)]
    pub(super) expression: String,
    /// Contexts: a JSON object
    #[arg(long, value_name = "FILE.json")]
    pub(super) context: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Workflow files
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Format of the findings
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Findings,
    /// Warnings count as errors
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Findings {
    Text,
    Json,
    Sarif,
}

#[derive(Debug, Args)]
pub(super) struct FmtArgs {
    /// Workflow files; - reads standard input and prints the result
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Change nothing; exit 1 when a file is not in canonical form
    #[arg(long)]
    pub(super) check: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    /// The workflow file
    pub(super) file: PathBuf,
    /// An input
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Format of the graph
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Graph,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Graph {
    Text,
    Mermaid,
    Dot,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GatesArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show one gate's whole ask, with its name at the end
    #[arg(long, value_name = "GATE")]
    pub(super) show: Option<String>,
    /// Show the ask of this epoch, in which it got an emergency approval
    #[arg(long, value_name = "N", requires = "show")]
    pub(super) epoch: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Show the files themselves as well
    #[arg(long)]
    pub(super) show: bool,
    /// Accept the files with this hash, and nothing that changed since they were shown
    #[arg(long, value_name = "HASH")]
    pub(super) accept: Option<Digest>,
    /// Its files are yours: changes of them ask nothing, as in a workspace that cuelight made here
    #[arg(long)]
    pub(super) own: bool,
    /// As JSON, with the hash to accept
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    /// The environment of this workspace, as its header names it
    #[arg(long, value_name = "NAME")]
    pub(super) environment: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ShutdownArgs {
    /// The final health as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Number of runs, newest first
    #[arg(long, value_name = "RUNS", default_value_t = 20)]
    pub(super) limit: u32,
    /// Include runs that ended before the last reset
    #[arg(long)]
    pub(super) all: bool,
    /// Only runs of this workflow
    #[arg(long, value_name = "NAME")]
    pub(super) workflow: Option<String>,
    /// Only this step
    #[arg(long, value_name = "STEP")]
    pub(super) step: Option<String>,
    /// Only steps that failed, were rejected or are in doubt
    #[arg(long)]
    pub(super) failed: bool,
    /// As JSON, a run each as `show --json` prints it
    #[arg(long, conflicts_with_all = ["step", "failed"])]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ErrorsArgs {
    #[command(subcommand)]
    pub(super) what: Option<OnError>,
    #[command(flatten)]
    pub(super) list: ErrorsListArgs,
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

#[derive(Debug, Args)]
pub(super) struct ContextArgs {
    /// The piece of work; its words say which files matter: SHOP-12-cart-totals
    pub(super) issue: String,
    /// Type of the agent: qa, coding, rust-specialist
    #[arg(value_name = "TYPE")]
    pub(super) agent_type: String,
    /// Limit in bytes; 10 MiB when not given
    #[arg(long, value_name = "BYTES")]
    pub(super) max_bytes: Option<u32>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

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

#[derive(Debug, Args)]
pub(super) struct ErrorsListArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Only failures of one run: r-7
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Include resolved failures
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum OnError {
    /// List open failures, oldest first
    #[command(after_help = "Example: cuelight error list --run r-7")]
    List(ErrorsListArgs),
    /// Show one failure with its attempts, its output and earlier fixes
    #[command(after_help = "Example: cuelight error show e-412")]
    Show {
        /// The failure: e-412
        error: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Record that you work on a failure
    #[command(after_help = "Example: cuelight error ack e-412 --reason \"looking at the proxy\"")]
    Ack(NoteArgs),
    /// Record that a failure is fixed
    #[command(after_help = "Example: cuelight error resolve e-412 --reason \"the proxy was restarted\"")]
    Resolve(NoteArgs),
    /// Open a failure again
    #[command(after_help = "Example: cuelight error reopen e-412 --reason \"it is back\"")]
    Reopen(NoteArgs),
}

#[derive(Debug, Args)]
pub(super) struct NoteArgs {
    /// The failure: e-412
    pub(super) error: String,
    /// More about it
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// As JSON, with every number
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run: r-7
    pub(super) run: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Its trace, as OpenTelemetry has it in JSON (OTLP), with the ids that a collector gets
    #[arg(long, conflicts_with = "json")]
    pub(super) otlp: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// First run: r-7, or as it was after an event, r-7@412
    pub(super) left: String,
    /// Second run
    pub(super) right: String,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The run: r-7
    pub(super) run: String,
    /// One step only
    pub(super) step: Option<String>,
    /// Follow the output until the run ends
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Bytes exactly as they were written, also control characters
    #[arg(long)]
    pub(super) raw: bool,
    /// As JSON, one line of output a line
    #[arg(long, conflicts_with = "raw")]
    pub(super) json: bool,
    /// Time of each line in front of it; `-` if it was not kept
    #[arg(short, long, conflicts_with_all = ["raw", "json"])]
    pub(super) timestamps: bool,
}

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// The run: r-7
    pub(super) run: String,
    /// As JSON, one event a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GateArgs {
    /// The gate: g-3
    pub(super) gate: String,
}

#[derive(Debug, Args)]
pub(super) struct EditArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// A parameter; JSON where it is JSON, else text
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value, required = true)]
    pub(super) inputs: Vec<(String, String)>,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Why
    #[arg(long, default_value = "", conflicts_with = "signed")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    /// Give an emergency approval, in place of the whole quorum; for the group break-glass, with a reason of at least
    /// 20 characters
    #[arg(long, conflicts_with = "signed")]
    pub(super) break_glass: bool,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

/// An answer that somebody signs.
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// Answer as somebody of people.toml who proves it with a key of ssh, whoever sits here
    #[arg(long = "as", value_name = "NAME", conflicts_with = "signed")]
    pub(super) signer: Option<String>,
    /// The key that signs; its .pub file where an agent holds it; else the `id_ed25519` in `~/.ssh`
    #[arg(long, value_name = "FILE", requires = "signer")]
    pub(super) key: Option<PathBuf>,
    /// Write the statement to sign to this file, and answer nothing yet
    #[arg(long, value_name = "FILE", requires = "signer", conflicts_with = "key")]
    pub(super) statement: Option<PathBuf>,
    /// Submit a statement that was signed elsewhere: the file, with FILE.sig beside it
    #[arg(long, value_name = "FILE")]
    pub(super) signed: Option<PathBuf>,
}

impl SignArgs {
    /// True when somebody else than whoever sits here answers.
    pub(super) const fn is_given(&self) -> bool {
        self.signer.is_some() || self.signed.is_some()
    }
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// In which epoch of the gate it was approved so, where it was more than once: `cuelight gates` tells
    #[arg(long, value_name = "N")]
    pub(super) epoch: Option<u32>,
    /// Finding of the review
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DelegateArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Person who may answer instead: a name of people.toml
    #[arg(long, value_name = "NAME")]
    pub(super) to: String,
    /// For how long
    #[arg(long = "for", value_name = "8h")]
    pub(super) lasts: Option<Span>,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct CommentArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Text of the comment
    pub(super) text: String,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Give up after this time, with exit code 3
    #[arg(long, value_name = "4h")]
    pub(super) timeout: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ActArgs {
    /// The run: r-7
    pub(super) run: String,
}

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// The run: r-7
    pub(super) run: String,
    /// Why
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The run: r-7
    pub(super) run: String,
    /// Why
    #[arg(long, default_value = "")]
    pub(super) reason: String,
    /// Undo what was done
    #[arg(long)]
    pub(super) undo: bool,
}

#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// The run: r-7
    pub(super) run: String,
    /// Steps to run again
    #[arg(long, value_enum, default_value = "failed")]
    pub(super) from: From,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

/// Corrections before a run is done again.
#[derive(Debug, Args)]
pub(super) struct CorrectedArgs {
    /// An input that was wrong; the others stay as they were
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) inputs: Vec<(String, String)>,
    /// Take the steps from this file as they are now; what has completed must stand in it as it did
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ForkArgs {
    /// The run: r-7
    pub(super) run: String,
    /// Point to fork at: after this event of the log (412), or before this step began (deploy)
    #[arg(long, value_name = "SEQ|STEP")]
    pub(super) at: String,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// Failed steps, and those that did not run because of them
    Failed,
    /// All steps after the last one that all of those depend on
    Checkpoint,
    /// Everything
    All,
}

#[derive(Debug, Args)]
pub(super) struct StepArgs {
    /// The run: r-7
    pub(super) run: String,
    /// The step
    pub(super) step: String,
    /// Why
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct SkipArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

/// Confirmation of an answer at a gate.
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    /// The ask of a gate that was read: the name at its end, or its `ask_hash`; any other ask is not answered
    #[arg(long, value_name = "NAME")]
    pub(super) ask: Option<String>,
    /// Fill in a field of the gate's form; a terminal asks for the fields that are left out
    #[arg(short = 'i', long = "set", value_name = "FIELD=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Leave a field of the gate's form empty on purpose
    #[arg(long, value_name = "FIELD")]
    pub(super) leave: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct DoneArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// An output
    #[arg(long = "output", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) outputs: Vec<(String, String)>,
    #[command(flatten)]
    pub(super) confirm: ConfirmArgs,
    #[command(flatten)]
    pub(super) sign: SignArgs,
}

#[derive(Debug, Args)]
pub(super) struct DoubtArgs {
    /// The run: r-7
    pub(super) run: String,
    /// The step
    pub(super) step: String,
    /// Outcome of the step
    #[arg(value_enum)]
    pub(super) answer: Answer,
    /// Evidence for this outcome
    #[arg(long)]
    pub(super) reason: String,
    /// An output, where it happened
    #[arg(long = "output", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) outputs: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answer {
    /// Completed its work
    Happened,
    /// Did nothing; the step is called again
    NotHappened,
    /// Counts as failed, with any outcome
    Abort,
}

#[derive(Debug, Args)]
pub(super) struct SettleUndoArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Retry the undo; else it counts as done by hand
    #[arg(long)]
    pub(super) again: bool,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    pub(super) command: Option<AuditCommand>,
    /// One run (r-7), or all that belongs to a trace
    pub(super) what: Option<String>,
    /// Only events of this type, or of this noun: gate.voted, gate
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kind: Option<String>,
    /// Only what this person did
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
    #[command(flatten)]
    pub(super) window: Window,
    /// Include events that followed from decisions
    #[arg(long)]
    pub(super) all: bool,
    /// Only the last ones, the newest first
    #[arg(long, value_name = "20")]
    pub(super) recent: Option<usize>,
    /// As JSON, one event a line
    #[arg(long)]
    pub(super) json: bool,
}

/// A stretch of time.
#[derive(Debug, Args)]
pub(super) struct Window {
    /// From this instant on
    #[arg(long, value_name = "2026-01-31T09:00:00Z")]
    pub(super) from: Option<Timestamp>,
    /// Before this instant
    #[arg(long, value_name = "2026-02-01T00:00:00Z")]
    pub(super) to: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(super) struct AuditExportArgs {
    /// jsonl: the whole chain. csv: all decisions of people. html: the same as one page
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(super) format: ExportFormat,
    /// One run as a folder: events, receipts, keys, and how to check them
    #[arg(long, value_name = "RUN", conflicts_with = "format")]
    pub(super) evidence: Option<String>,
    #[command(flatten)]
    pub(super) window: Window,
    /// File to write, with a signed note beside it; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Jsonl,
    Csv,
    Html,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Write one decision to a file that can be verified on any machine
    #[command(after_help = "Example: cuelight audit receipt g-3 -o g-3.receipt.json")]
    Receipt(ReceiptArgs),
    /// Verify the whole log and its signatures; with a file, verify a receipt or an export
    #[command(
        after_help = "Examples:\n  cuelight audit verify\n  cuelight audit verify g-3.receipt.json --key cuelight/…+1a2b3c4d+…\n\n\
        Exit codes for the log: 0 it holds, 1 it does not, 2 usage, 3 it holds but its end is not signed, 6 cannot read.\n\
        Exit codes for a file: 0 it holds, 1 it does not, 2 usage."
    )]
    Verify(AuditVerifyArgs),
    /// Export the log or all decisions of people, for an auditor
    #[command(after_help = "Example: cuelight audit export --format html -o decisions.html")]
    Export(AuditExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct AuditVerifyArgs {
    /// Receipt or export to verify, on any machine and without a workspace
    #[arg(conflicts_with_all = ["from", "anchors", "json"])]
    pub(super) file: Option<PathBuf>,
    /// Set by the old spelling, which always named a file
    #[arg(long, hide = true, requires = "file")]
    pub(super) a_file: bool,
    /// A signed head from elsewhere: only what came after it is looked at
    #[arg(long, value_name = "NOTE")]
    pub(super) from: Option<PathBuf>,
    /// Trusted key; else the first one of the workspace and those it vouches for, or the one that the file names
    #[arg(long, value_name = "KEY")]
    pub(super) key: Vec<NoteKey>,
    /// Signed heads that were kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(super) anchors: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// File to write; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    pub(super) command: Option<KeysCommand>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Print the public keys, oldest first
    #[command(after_help = "Example: cuelight keys show")]
    Show,
    /// Sign the log with a new key from now on
    #[command(after_help = "Example: cuelight keys rotate")]
    Rotate,
}

#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// HTTP method (optional), path, and fields to send: name=text, or name:=JSON
    #[arg(value_name = "METHOD PATH NAME=TEXT")]
    pub(super) what: Vec<String>,
    /// Body to send: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON")]
    pub(super) data: Option<String>,
    /// A field of the head: "If-Match: \"3\"", "Idempotency-Key: deploy-7"
    #[arg(long, short = 'H', value_name = "NAME: TEXT")]
    pub(super) header: Vec<String>,
    /// Address of the engine
    #[arg(long, env = "SIDECAR_URL", default_value = "http://127.0.0.1:3001", value_name = "URL")]
    pub(super) url: String,
    /// Certificates of an authority of your own (PEM), for https
    #[arg(long, value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
    /// Send the token to another machine though nothing is encrypted
    #[arg(long)]
    pub(super) insecure: bool,
    /// Print the list of endpoints as JSON, as /openapi.json has it
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    pub(super) command: Option<TokenCommand>,
    /// For an agent of this name; it decides at no gate
    #[arg(long, value_name = "NAME", conflicts_with = "person", required_unless_present = "person")]
    pub(super) agent: Option<String>,
    /// Type of that agent: coding, qa
    #[arg(long = "type", value_name = "TYPE", requires = "agent", required_unless_present = "person")]
    pub(super) agent_type: Option<AgentType>,
    /// For a person of people.toml, signed with a key of theirs
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) person: Option<String>,
    /// The private key, as `ssh-keygen -t ed25519 -N ''` writes it
    #[arg(long, value_name = "FILE", requires = "person")]
    pub(super) key: Option<PathBuf>,
    /// Name of its token-key in people.toml, if that cannot be read from here
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) kid: Option<String>,
    /// The workspace it is for, where that is another one; `cuelight token keys list` there prints it
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) audience: Option<String>,
    /// The project it is for; the workspace's own when not said
    #[arg(long, value_name = "NAME")]
    pub(super) project: Option<String>,
    /// Permissions of the token, with commas between; see docs/sidecar.md
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) permissions: Vec<Permission>,
    /// Lifetime of the token, at most a day
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(super) expires: Span,
    /// As JSON, with its id
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Revoke a token before it expires
    #[command(
        after_help = "Example: cuelight token revoke 9f2c51d0a7b34e68 --reason \"the laptop was stolen\""
    )]
    Revoke {
        /// Its id, or the token itself
        token: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List, make and revoke the keys that sign tokens of agents
    #[command(after_help = "Example: cuelight token keys rotate")]
    Keys {
        #[command(subcommand)]
        command: Option<TokenKeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenKeysCommand {
    /// List the keys, never the secrets
    #[command(after_help = "Example: cuelight token keys list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new secret that signs from now on; older ones stay valid
    #[command(after_help = "Example: cuelight token keys new")]
    New,
    /// Make a new secret; older ones stay valid for 24 more hours
    #[command(after_help = "Example: cuelight token keys rotate")]
    Rotate,
    /// Revoke one key at once
    #[command(after_help = "Example: cuelight token keys revoke k-2")]
    Revoke {
        /// Its name
        kid: String,
    },
    /// Trust the public key of an issuer of tokens elsewhere
    #[command(after_help = "Example: cuelight token keys add \"$(cat issuer.pub)\" --kid issuer-1")]
    Add {
        /// The line of its .pub file, ssh-ed25519 AAAA… or ssh-rsa AAAA…, or the JWK of an RSA key, {"kty":"RSA"…
        key: String,
        /// Name of the key in tokens
        #[arg(long, value_name = "NAME")]
        kid: String,
        /// Issuer, as tokens name it; the same as --kid when not given
        #[arg(long, value_name = "NAME")]
        issuer: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct SchedulesArgs {
    #[command(subcommand)]
    pub(super) command: Option<SchedulesCommand>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum SchedulesCommand {
    /// Stop starting a workflow on its schedule; missed starts are not made up
    #[command(
        after_help = "Example: cuelight schedule hold nightly --reason \"the tape library is being moved\""
    )]
    Hold {
        /// Its name
        workflow: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Start a workflow on its schedule again, from its next time on
    #[command(after_help = "Example: cuelight schedule release nightly")]
    Release {
        /// Its name
        workflow: String,
    },
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
pub(super) struct ToolsAddArgs {
    /// Name for the server; its tools become NAME.TOOL
    #[arg(value_parser = server_name)]
    pub(super) name: String,
    /// Tool to add; may be given again. Without the pin, its whole description is shown
    #[arg(long = "tool", value_name = "TOOL[=PIN]", value_parser = tool_and_pin, conflicts_with = "all")]
    pub(super) tools: Vec<(String, Option<Digest>)>,
    /// Add all tools that it offers; without the pin, all are shown
    #[arg(long, value_name = "PIN", num_args = 0..=1, require_equals = true)]
    pub(super) all: Option<Option<Digest>>,
    /// Address of the server, when it is no program
    #[arg(long, conflicts_with = "command")]
    pub(super) url: Option<String>,
    /// A header field for that address; may read ${{ env.NAME }} of the step
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = key_value, requires = "url")]
    pub(super) headers: Vec<(String, String)>,
    /// The program that is the server, and its words
    #[arg(last = true)]
    pub(super) command: Vec<String>,
}

/// Name of a tool at its server, with the digest of its description.
fn tool_and_pin(text: &str) -> Result<(String, Option<Digest>), String> {
    let pinned = text.rsplit_once('=').and_then(|(name, pin)| Some((name.to_owned(), pin.parse().ok()?)));
    Ok(pinned.map_or_else(|| (text.to_owned(), None), |(name, pin)| (name, Some(pin))))
}

/// The beginning of the name of a tool.
fn server_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_name = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(fits);
    if is_name { Ok(text.to_owned()) } else { Err("letters, digits, _ and -, such as files".to_owned()) }
}

#[derive(Debug, Args)]
pub(super) struct ToolsAcceptArgs {
    /// The tool: files.search
    pub(super) tool: String,
    /// Save the description with this pin; else it is only shown
    #[arg(long, value_name = "PIN")]
    pub(super) yes: Option<Digest>,
}

#[derive(Debug, Args)]
pub(super) struct McpCallArgs {
    /// The server
    #[arg(last = true, required = true)]
    pub(super) command: Vec<String>,
}

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
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    pub(super) command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List models: built in, and described in .cuelight/models
    #[command(after_help = "Example: cuelight model list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one model with its provider, its price and its rate limits
    #[command(after_help = "Example: cuelight model show claude-sonnet")]
    Show {
        /// Its name
        model: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask a model outside a run, to check its key, its answer and its price
    #[command(after_help = "Example: cuelight model test claude-haiku --prompt \"Are you there?\"")]
    Test(ModelsTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ModelsTestArgs {
    /// Its name
    pub(super) model: String,
    /// Text that is sent to the model
    #[arg(long, default_value = "Answer with the one word: ready", value_name = "TEXT")]
    pub(super) prompt: String,
    /// Tokens of the answer
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    pub(super) max_tokens: u32,
    /// Timeout
    #[arg(long, default_value = "60s", value_name = "60s")]
    pub(super) timeout: Span,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
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

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Leave the terminal and go on in the background
    #[arg(long)]
    pub(super) detach: bool,
    /// End when no run is open and nobody is attached for a while
    #[arg(long)]
    pub(super) until_idle: bool,
    /// Idle time before the engine ends
    #[arg(long, env = "CUELIGHT_IDLE_AFTER", default_value = "30s", value_name = "30s")]
    pub(super) idle_after: Span,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    /// Started by another cuelight: leave its terminal at once
    #[arg(long, hide = true)]
    pub(super) background: bool,
    /// Take the workspace from a process that has it, and why
    #[arg(long, hide = true, value_name = "WHY")]
    pub(super) taking_over: Option<String>,
    /// That process
    #[arg(long, hide = true, value_name = "PID", requires = "taking_over")]
    pub(super) taking_from: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// Directory, its socket, or `ssh://USER@HOST:PORT/DIRECTORY`, of which HOST is enough (`/~/…` from the home directory); else here
    #[arg(value_name = "PLACE")]
    pub(super) place: Option<String>,
    /// Name of the program cuelight on that machine
    #[arg(long, value_name = "PATH", default_value = "cuelight")]
    pub(super) program: String,
}

#[derive(Debug, Args)]
pub(super) struct TakeOverArgs {
    /// Why: it stands in the log
    #[arg(long)]
    pub(super) reason: String,
    /// Also from an engine that answers
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct DrillArgs {
    /// Number of kills
    #[arg(long, default_value = "5", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) kills: u32,
    /// Leave the shadow workspace where it is
    #[arg(long)]
    pub(super) keep: bool,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Format of the file
    #[arg(value_enum)]
    pub(super) format: ImportFormat,
    /// The file
    pub(super) file: PathBuf,
    /// Step that a recorded task becomes (wfformat)
    #[arg(long = "as", value_enum, default_value = "noop")]
    pub(super) task: Task,
    /// Sleep of such a step, as a share of the recorded time: 0.001
    #[arg(long, default_value = "1")]
    pub(super) scale: String,
    /// The directory for the file and those that it calls; without it, standard output
    #[arg(long, value_name = "DIR")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFormat {
    /// A workflow of GitHub Actions
    Github,
    /// A workflow of Argo
    Argo,
    /// A workflow of Dagu
    Dagu,
    /// Recorded executions of scientific workflows (`WfCommons`)
    Wfformat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Task {
    /// Nothing
    Noop,
    /// A wait as long as the task took
    Sleep,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Subject of the schema
    #[arg(value_enum)]
    pub(super) of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// Workflow files
    Workflow,
    /// The settings of a workspace, .cuelight/config.toml
    Config,
    /// A line of `run --json` and of `events --json`
    Events,
}

/// An etag, or `none`.
#[expect(clippy::unnecessary_wraps, reason = "a value parser may fail")]
fn expected(text: &str) -> Result<Expected, String> {
    Ok(if text == "none" { Expected::Absent } else { Expected::Etag(text.to_owned()) })
}

fn knowledge_kind(text: &str) -> Result<KnowledgeKind, String> {
    KnowledgeKind::of(text).ok_or_else(|| {
        let words: Vec<&str> = KnowledgeKind::ALL.iter().map(|it| it.word()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn result_status(text: &str) -> Result<ResultStatus, String> {
    ResultStatus::of(text).ok_or_else(|| {
        let words: Vec<&str> = ResultStatus::ALL.iter().map(|it| it.word()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn message_kind(text: &str) -> Result<MessageKind, String> {
    MessageKind::of(text).ok_or_else(|| {
        let words: Vec<&str> = MessageKind::ALL.iter().map(|it| it.0).collect();
        format!("it is one of {}", words.join(", "))
    })
}

/// `key=value`
fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    if key.is_empty() {
        return Err("the name before = is empty".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

impl CheckArgs {
    /// True when a finding of this severity makes the check fail.
    pub(super) fn fails_at(&self, severity: Severity) -> bool {
        severity == Severity::Error || self.strict && severity == Severity::Warning
    }
}

//! The tree of commands: the names at the top, their groups in the help, and the spellings of 0.1.0 that still work.

use super::{
    act::{CancelArgs, RetryArgs},
    agents::AgentNoun,
    api::ApiArgs,
    audit::AuditArgs,
    author::{CheckArgs, ImportArgs, PlanArgs},
    cache::CacheArgs,
    completion,
    decide::{ApproveArgs, DecideArgs},
    dev::DevNoun,
    doctor::JsonArgs,
    engine::EngineNoun,
    errors::ErrorsArgs,
    gate::GateNoun,
    gates::GatesArgs,
    hook::HookArgs,
    logs::LogsArgs,
    look::{ListArgs, ShowArgs},
    mcp::McpArgs,
    mcp_client::McpCallArgs,
    message::EventNoun,
    models::ModelsArgs,
    named,
    run::RunNoun,
    schedules::SchedulesArgs,
    screen::{AttachArgs, DemoArgs},
    serve::ServeArgs,
    state::StateArgs,
    token::TokenArgs,
    tools::ToolsArgs,
    trail::KeysArgs,
    trust::TrustArgs,
};
use crate::args::{Everywhere, ListenArgs};
use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use clap_complete::CompleteEnv;
use std::ffi::{OsStr, OsString};

/// Sentence, usage, examples, then the flags: the help of every command.
const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\n{all-args}";
/// Heading of the flags that every command has.
const GLOBAL: &str = "Global options";

/// The commands at the top of `cuelight --help`, by heading.
const GROUPS: &[(&str, &[&str])] = &[
    ("Run", &["run", "demo", "check", "plan", "runs", "show", "logs", "retry", "cancel"]),
    ("Decide", &["gates", "approve", "reject", "gate"]),
    ("Operate", &["serve", "attach", "doctor", "audit", "import"]),
];

/// Old spellings: the word that stood at the top, and the words that replace it.
const MOVED: &[(&str, &[&str])] = &[
    ("agents", &["agent"]),
    ("comment", &["gate", "comment"]),
    ("completions", &["dev", "completions"]),
    ("context", &["agent", "context"]),
    ("delegate", &["gate", "delegate"]),
    ("diff", &["run", "diff"]),
    ("done", &["run", "done"]),
    ("doubt", &["run", "doubt"]),
    ("drill", &["dev", "drill"]),
    ("edit", &["gate", "edit"]),
    ("emit", &["event", "emit"]),
    ("errors", &["error"]),
    ("eval", &["dev", "eval"]),
    ("events", &["run", "events"]),
    ("fmt", &["dev", "fmt"]),
    ("fork", &["run", "fork"]),
    ("graph", &["dev", "graph"]),
    ("health", &["engine", "health"]),
    ("history", &["run", "history"]),
    ("knowledge", &["agent", "knowledge"]),
    ("man", &["dev", "man"]),
    ("messages", &["event", "messages"]),
    ("models", &["model"]),
    ("pause", &["run", "pause"]),
    ("receipt", &["audit", "receipt"]),
    ("replay", &["run", "replay"]),
    ("reset", &["engine", "reset"]),
    ("results", &["agent", "results"]),
    ("resume", &["run", "resume"]),
    ("review", &["gate", "review"]),
    ("schedules", &["schedule"]),
    ("schema", &["dev", "schema"]),
    ("screenshot", &["dev", "screenshot"]),
    ("send-back", &["gate", "send-back"]),
    ("settle-undo", &["run", "settle-undo"]),
    ("shutdown", &["engine", "shutdown"]),
    ("skip", &["run", "skip"]),
    ("take-over", &["engine", "take-over"]),
    ("timeline", &["run", "timeline"]),
    ("tools", &["tool"]),
    ("topics", &["event", "topics"]),
    ("undo", &["run", "undo"]),
    ("verify", &["audit", "verify"]),
    ("wait", &["gate", "wait"]),
    ("withdraw", &["gate", "withdraw"]),
];

/// Run workflows, watch them live, and wait at every gate for a person to decide.
#[derive(Debug, Parser)]
#[command(name = "cuelight", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Examples:\n  cuelight demo\n  cuelight run deploy.yaml -i version=v1.2.0\n  cuelight gates\n\n\
    Without a command it opens the console on this workspace, or attaches to the engine that is running."
)]
pub(crate) struct Cli {
    /// Print one line for each change of every open run, until none is open
    #[arg(long)]
    pub(super) plain: bool,
    /// Print one event a line as JSON, until no run is open
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    // The last one: its heading would hold for the flags after it.
    #[command(flatten)]
    pub(super) everywhere: Everywhere,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

impl Cli {
    /// The address at which this command's engine answers over HTTP.
    pub(super) fn where_to_listen(&self) -> ListenArgs {
        match &self.command {
            Some(Command::Serve(args)) => args.listen.clone(),
            _ => self.listen.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a workflow file, in the console or without a screen
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Examples:\n  cuelight run deploy.yaml -i version=v1.2.0\n  cuelight run deploy.yaml --headless\n  \
        cuelight run pause r-7\n\n\
        A command below wins when its word stands first: a file of that name is written ./pause.\n\n\
        Exit codes: 0 completed, 1 failed or undone, 2 usage or invalid file, 3 ended as rejected, 4 cancelled,\n\
        5 partially completed, 6 could not record."
    )]
    Run(RunNoun),
    /// Open the console on a built-in workflow, to look around without any set-up
    #[command(
        after_help = "Example: cuelight demo\n\nIt runs in a directory of its own and touches nothing else."
    )]
    Demo(DemoArgs),
    /// Check workflow files and list every problem with its place and a fix
    #[command(after_help = "Example: cuelight check deploy.yaml --format sarif")]
    Check(CheckArgs),
    /// Show the steps that a run would take, in order, with their gates
    #[command(after_help = "Example: cuelight plan deploy.yaml -i version=v1.2.0")]
    Plan(PlanArgs),
    /// List the runs of this workspace
    #[command(after_help = "Example: cuelight runs --json")]
    Runs(ListArgs),
    /// Show one run and its steps; without an id, the newest run
    #[command(after_help = "Examples:\n  cuelight show\n  cuelight show r-7")]
    Show(ShowArgs),
    /// Print the output of the steps of a run; without an id, of the newest run
    #[command(after_help = "Examples:\n  cuelight logs\n  cuelight logs r-7 build -f\n  \
        cuelight logs r-7 --timestamps | grep -i error\n  cuelight logs r-7 --json | jq -r .text")]
    Logs(LogsArgs),
    /// Run the failed steps of a run again, as a new linked run
    #[command(
        after_help = "Examples:\n  cuelight retry r-7 --from failed\n  cuelight retry r-7 -i version=v1.2.1\n\n\
        Gates before the steps that run again ask again. Inputs and steps may be corrected first."
    )]
    Retry(RetryArgs),
    /// Cancel a run that is open
    #[command(after_help = "Example: cuelight cancel r-7 --reason \"wrong version\" --undo")]
    Cancel(CancelArgs),
    /// List everything that waits for a person: gates, unknown outcomes, stuck undos
    #[command(after_help = "Examples:\n  cuelight gates\n  cuelight gates --show g-3")]
    Gates(GatesArgs),
    /// Approve a gate
    #[command(after_help = "Example: cuelight approve g-3 --ask c41f-92qd\n\n\
        Where the risk is high, a terminal shows the ask and has you type a code. A script names the ask that was read:\n\
        its name stands at the end of cuelight gates --show g-3. No program that a step has started answers at a gate.")]
    Approve(ApproveArgs),
    /// Reject a gate, with a reason
    #[command(after_help = "Example: cuelight reject g-3 --reason \"wrong image\"")]
    #[command(mut_arg("reason", |reason| reason.help("Reason for the rejection (required)").hide_default_value(true)))]
    Reject(DecideArgs),
    /// Ask people for approval from a script; with a command, run it once they approve
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "Examples:\n  \
        cuelight gate --title \"Push to main?\" --evidence diff.txt && git push\n  \
        cuelight gate --title \"Apply the plan?\" --risk irreversible --evidence plan.txt -- terraform apply plan.out\n  \
        cuelight gate comment g-3 \"waiting for the numbers\"\n\n\
        The gate waits in the same inbox as those of workflows: `cuelight` opens it, `cuelight approve g-3` answers it.\n\n\
        Exit codes: 0 approved (and the command succeeded), 1 rejected, 2 usage, 3 expired, 6 no console reachable or\n\
        fault; of a command that was approved and failed, its own."
    )]
    Gate(GateNoun),
    /// Run the engine of this workspace without a screen
    #[command(after_help = "Examples:\n  cuelight serve --detach\n  cuelight serve --listen 127.0.0.1:3001")]
    Serve(ServeArgs),
    /// Open a second console on an engine that is running, here or over ssh
    #[command(
        after_help = "Examples:\n  cuelight attach\n  cuelight attach /srv/shop\n  cuelight attach ssh://ops@build.example/srv/shop\n\n\
        Over ssh, by the system's own ssh with its keys, agent and configuration: cuelight has to be on the path there, and an \
        engine has to run (cuelight serve --detach). Who you are is the user of that machine."
    )]
    Attach(AttachArgs),
    /// Find problems of this set-up, and show the settings in force
    #[command(after_help = "Example: cuelight doctor\n\nExit codes: 0 all is well, 1 something is wrong.")]
    Doctor(JsonArgs),
    /// List requests, asks, answers and choices of the engine from the signed log; verify and export it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight audit r-7\n  cuelight audit verify"
    )]
    Audit(AuditArgs),
    /// Convert a GitHub, Argo or Dagu file to a workflow
    #[command(
        after_help = "Example: cuelight import github .github/workflows/release.yml > release.yaml\n\n\
        Everything that could not be converted is listed at the top of the new file. Read it before you run it."
    )]
    Import(ImportArgs),

    /// List agents, try one, and work with their context, results and knowledge
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight agent list\n  cuelight agent test reviewer --task \"Review the last commit\" --really\n\n\
        An agent is a command of yours that is described in .cuelight/agents/NAME.yaml, see docs/workflow.md."
    )]
    Agent(AgentNoun),
    /// Call the HTTP API of an engine; without words, list its endpoints
    #[command(after_help = "Examples:\n  cuelight api /api/gates state=open\n  \
        cuelight api /api/gates title=\"Deploy web:7?\" binds:='{\"image\": \"web:7\"}'\n  \
        cuelight api PUT /api/state/session/plan --data @plan.json\n  \
        cuelight api /api/runs/r-1/events\n\n\
        The token is taken from JWT_TOKEN: export JWT_TOKEN=$(cuelight token --agent me --type qa). Without a method, GET, and POST when something is sent. \
        Events come as one line of JSON each. See docs/sidecar.md.\n\n\
        Exit codes: 0 done, 1 refused (the answer says why), 2 usage, 6 not reached.")]
    Api(ApiArgs),
    /// List, inspect and clear the results of steps that are reused
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight cache list\n  cuelight cache inspect deps-4f1c --json\n  cuelight cache clear deps-4f1c"
    )]
    Cache(CacheArgs),
    /// Write and debug workflows: expressions, formatting, graphs, schemas, completions
    #[command(
        after_help = "Examples:\n  cuelight dev fmt --check deploy.yaml\n  cuelight dev eval \"1 + 1 == 2\""
    )]
    Dev(DevNoun),
    /// Stop, replace and measure the engine of this workspace
    #[command(after_help = "Examples:\n  cuelight engine health\n  cuelight engine shutdown")]
    Engine(EngineNoun),
    /// List failures, with earlier fixes, and record who works on them
    #[command(after_help = "Examples:\n  cuelight error --json\n  cuelight error show e-412\n  \
        cuelight error resolve e-412 --reason \"the proxy was restarted\"")]
    Error(ErrorsArgs),
    /// Send events to steps that wait for them, and list events
    #[command(
        after_help = "Examples:\n  cuelight event emit deploy/done --data image=web:7\n  cuelight event messages --dead"
    )]
    Event(EventNoun),
    /// Answer the permission prompts of a coding agent: question on standard input, answer on standard output
    #[command(after_help = "Example: cuelight hook claude-code --timeout 1h < question.json\n\n\
        In .claude/settings.json: {\"hooks\": {\"PreToolUse\": [{\"matcher\": \"Bash|Edit|Write\", \"hooks\": [\n\
        {\"type\": \"command\", \"command\": \"cuelight hook claude-code --timeout 1h\", \"timeout\": 3900}]}]}}\n\n\
        Everything but an approval is a rejection: any fault here keeps the agent from continuing.\n\n\
        Exit codes: 0 with an answer on standard output; 2 with the reason on standard error, which agents take as a no.")]
    Hook(HookArgs),
    /// Show and rotate the keys that sign the log
    #[command(after_help = "Example: cuelight keys rotate")]
    Keys(KeysArgs),
    /// Serve agents over MCP on standard input and output: gates, runs, workflows
    #[command(after_help = "Example: cuelight mcp --workspace /srv/deploy\n\n\
        As a server of Claude Code: claude mcp add cuelight -- cuelight mcp --workspace /srv/deploy\n\n\
        Permission prompts of Claude Code become gates: claude -p … --permission-prompt-tool mcp__cuelight__permission_prompt\n\n\
        Its tools are open_gate, permission_prompt, list_runs, read_run and start_run. None answers a gate: that is for people.\n\
        start_run starts a workflow that --workflow names, and nothing else. A gate whose asker goes away is closed. A client that gives up early needs a longer time of its own: MCP_TOOL_TIMEOUT.")]
    Mcp(McpArgs),
    /// List models that steps can ask, and try one
    #[command(
        after_help = "Examples:\n  cuelight model show claude-sonnet\n  cuelight model test stand-in\n\n\
        A model of your own, a local server or a price: .cuelight/models/NAME.yaml, see docs/workflow.md."
    )]
    Model(ModelsArgs),
    /// List workflows that start on a schedule, hold one, and release it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight schedule\n  \
        cuelight schedule hold nightly --reason \"the tape library is being moved\"\n  \
        cuelight schedule release nightly"
    )]
    Schedule(SchedulesArgs),
    /// Read and change values that outlive a run
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight state set region eu --ttl 2h\n  cuelight state get region --json\n\n\
        A change that must not overwrite another one: cuelight state set region us --if 3f0c…, with the etag that was read."
    )]
    State(StateArgs),
    /// Make a token for an agent or a person, revoke one, and keep the keys that sign tokens
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  cuelight token --agent reviewer-1 --type qa --project shop\n  \
        cuelight token --person ann --key ~/.ssh/token\n  \
        cuelight token revoke 9f2c51d0a7b34e68 --reason \"the laptop was stolen\"\n  \
        cuelight token keys rotate\n\n\
        The token alone is printed, once; whoever has it can use it. See docs/sidecar.md."
    )]
    Token(TokenArgs),
    /// List tools that steps can use, try one, and add tools of MCP servers
    #[command(after_help = "Examples:\n  cuelight tool show json.query\n  \
        cuelight tool suggest \"checksum of a file\"\n  cuelight tool test file.read --with path=README.md\n  \
        cuelight tool add files --tool read_text_file -- npx -y @modelcontextprotocol/server-filesystem .")]
    Tool(ToolsArgs),
    /// Show everything that can act in a workspace from elsewhere, and accept it
    #[command(after_help = "Example: cuelight trust\n\n\
        A workspace that cuelight made for you is trusted. One that was cloned, unpacked, copied or moved is read-only until you \
        accept it: nothing in it runs, is sent or written.\n\n\
        In scripts: cuelight trust --accept HASH, with the hash that `cuelight trust --json` gives.\n\n\
        Exit codes: 0 it is trusted, 1 it is not.")]
    Trust(TrustArgs),

    /// Does the work of a tool that is built in: input on standard input
    #[command(hide = true)]
    BuiltIn {
        /// The tool
        name: String,
    },
    /// Calls a tool of an MCP server that is a program: an errand on standard input
    #[command(hide = true)]
    McpCall(McpCallArgs),
    /// Joins standard input and output to the engine here, for a console on another machine
    #[command(hide = true)]
    Relay,
}

/// A command line that was read.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) parsed: Result<Cli, clap::Error>,
    /// The new spelling, where an old one was used.
    pub(crate) note: Option<String>,
}

/// Answers a shell that asks for completions, and ends the process; returns where no shell asks.
pub(crate) fn complete() {
    CompleteEnv::with_factory(tree).var(completion::VARIABLE).complete();
}

/// Reads a command line, also one in an old spelling.
pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Spoken {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let mut tree = tree_in_brief();
    let Some(at) = first_command(&tree, &words) else {
        if words.iter().skip(1).any(|word| word == "--help" || word == "-h") {
            tree = tree.override_help(front_page());
        }
        return Spoken { parsed: parse(tree, words), note: None };
    };
    if words[at] == "help" {
        words.remove(at);
        words.push("--help".into());
        return read(words);
    }
    let moved = MOVED.iter().find(|(old, _)| words[at] == *old);
    let note = moved.map(|(old, new)| {
        let more = if *old == "verify" { "; `cuelight audit verify` alone verifies the log" } else { "" };
        format!("note: `cuelight {old}` is now `cuelight {}`{more}", new.join(" "))
    });
    if let Some((old, new)) = moved {
        // A file was always wanted here: without one, the new command would verify the log instead.
        let guard: &[&str] = if *old == "verify" { &["--a-file"] } else { &[] };
        words.splice(at..=at, new.iter().chain(guard).map(OsString::from));
    }
    let meant = meant_by(&words[at]);
    let is_gates = words[at] == "gates";
    let parsed = parse(tree, words).map_err(|mut error| {
        if let (ErrorKind::InvalidSubcommand, Some(hint)) = (error.kind(), meant) {
            // Words that only look like this one would lead away from the hint.
            let _similar = error.remove(ContextKind::SuggestedSubcommand);
            let hint = ContextValue::StyledStrs(vec![hint.into()]);
            let _hint = error.insert(ContextKind::Suggested, hint);
        }
        if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word)), true) =
            (error.kind(), error.get(ContextKind::InvalidArg), is_gates)
            && named::gate(word).is_ok()
        {
            let tip = format!("`cuelight gates --show {word}` shows that gate");
            let _tip = error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        error
    });
    Spoken { parsed, note }
}

/// Words of other programs, each group with the sentence that names ours.
const MEANT: &[(&[&str], &str)] = &[
    (
        &["abort", "kill", "stop"],
        "`cuelight cancel RUN` cancels a run, `cuelight engine shutdown` stops the engine",
    ),
    (&["accept", "allow", "ok", "yes"], "`cuelight approve GATE` approves a gate"),
    (&["config", "settings"], "`cuelight doctor` shows the settings in force"),
    (&["console", "dashboard", "tui", "ui"], "`cuelight` without a command opens the console"),
    (&["convert"], "`cuelight import FORMAT FILE` converts a file"),
    (
        &["create", "init", "new"],
        "`cuelight run FILE` makes the workspace, `cuelight demo` shows an example without one",
    ),
    (&["decline", "deny", "no", "refuse"], "`cuelight reject GATE --reason TEXT` rejects a gate"),
    (&["describe", "info", "inspect"], "`cuelight show RUN` shows a run and its steps"),
    (&["dry-run", "preview"], "`cuelight plan FILE` shows the steps that a run would take"),
    (&["inbox", "approvals", "pending"], "`cuelight gates` lists everything that waits for a person"),
    (&["lint", "validate"], "`cuelight check FILE` checks a workflow file"),
    (&["list", "ls", "ps"], "`cuelight runs` lists the runs"),
    (&["log", "tail"], "`cuelight logs RUN` prints the output of steps, -f follows it"),
    (&["rerun", "restart"], "`cuelight retry RUN` runs the failed steps of a run again"),
    (&["exec", "start", "submit"], "`cuelight run FILE` runs a workflow, `cuelight serve` starts the engine"),
    (&["status"], "`cuelight runs` lists the runs, `cuelight show RUN` shows one"),
    (&["version"], "`cuelight --version` prints the version"),
];

/// The hint for a word of another program. An answer at a gate is never guessed: it is only suggested.
fn meant_by(word: &OsStr) -> Option<&'static str> {
    let word = word.to_str()?;
    MEANT.iter().find(|(words, _)| words.contains(&word)).map(|(_, hint)| *hint)
}

fn parse(mut tree: clap::Command, words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut matches = tree.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut tree))
}

/// The place of the first word that is neither a flag nor the value of one.
fn first_command(tree: &clap::Command, words: &[OsString]) -> Option<usize> {
    let takes_value = |flag: &OsStr| {
        let named =
            |arg: &&clap::Arg| arg.get_long().is_some_and(|long| flag == OsStr::new(&format!("--{long}")));
        tree.get_arguments().find(named).is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.as_encoded_bytes() {
            b"--" => return None,
            [b'-', _, ..] => at += if takes_value(word) { 2 } else { 1 },
            _ => return Some(at),
        }
    }
    None
}

/// All commands, with the help of each in one order.
pub(super) fn tree() -> clap::Command {
    in_order(Cli::command(), TEMPLATE)
}

/// The same, for a terminal: the help of a command names the global flags in one line, and the first page explains them.
fn tree_in_brief() -> clap::Command {
    let all = Cli::command();
    let global: Vec<&clap::Arg> = all.get_arguments().filter(|flag| flag.is_global_set()).collect();
    let names: Vec<String> =
        global.iter().filter_map(|flag| flag.get_long()).map(|name| format!("--{name}")).collect();
    let template =
        format!("{TEMPLATE}\n\n{GLOBAL}:\n  {}\n  `cuelight --help` explains them", names.join(", "));
    let hidden = global
        .into_iter()
        .fold(all.clone(), |command, flag| command.mut_arg(flag.get_id(), |flag| flag.hide(true)));
    in_order(hidden, &template)
}

fn in_order(command: clap::Command, template: &str) -> clap::Command {
    let inner = |command| in_order(command, template);
    command.help_template(template.to_owned()).disable_help_subcommand(true).mut_subcommands(inner)
}

/// The help of the program itself: its commands by group, every other one by name.
fn front_page() -> clap::builder::StyledStr {
    let all = Cli::command();
    let about = |name: &str| {
        let found = all.find_subcommand(name).and_then(clap::Command::get_about);
        found.map_or_else(String::new, ToString::to_string)
    };
    let mut page = String::new();
    for (heading, names) in GROUPS {
        page.push_str(&format!("{heading}:\n"));
        names.iter().for_each(|name| page.push_str(&format!("  {name:<8} {}\n", about(name))));
        page.push('\n');
    }
    let is_listed = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let rest: Vec<&str> = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && !is_listed(command.get_name()))
        .map(clap::Command::get_name)
        .collect();
    page.push_str(&format!("More: {}\n\n", rest.join(", ")));
    let template =
        format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}{{after-help}}\n\n{page}{{all-args}}");
    let flags_only = all.clone().mut_subcommands(|command| command.hide(true));
    flags_only.help_template(template).render_help()
}

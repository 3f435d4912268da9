//! What can be said on the command line. Help, completions and the manual page are made from it.

use crate::{
    base::{Digest, MessageKind, Span, Timestamp},
    definition::Severity,
    engine::{Expected, KnowledgeKind, ResultStatus},
    gateway::{AgentType, Permission},
    plan::Scope,
    store::NoteKey,
};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use std::{net::SocketAddr, path::PathBuf};

/// A terminal control console for workflows: runs them, shows them live, and waits at every gate for a person.
#[derive(Debug, Parser)]
#[command(name = "cuelight", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Examples:\n  cuelight demo\n  cuelight run deploy.yaml -i version=v1.2.0\n  cuelight gates\n\n\
    Without a command it opens the console on this workspace, or attaches to the one that is running."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) everywhere: Everywhere,
    /// Without a screen: one line for each change of every open run, until none is open
    #[arg(long)]
    pub(super) plain: bool,
    /// The same, one event a line as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

impl Cli {
    /// Where its engine answers over HTTP.
    pub(super) fn where_to_listen(&self) -> ListenArgs {
        match &self.command {
            Some(Command::Serve(args)) => args.listen.clone(),
            _ => self.listen.clone(),
        }
    }
}

/// Whether programs elsewhere may ask over HTTP.
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

/// What holds for every command.
#[derive(Debug, Args)]
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
    /// How what is told beside the output is written: `json` is one object a line, requests of the API among them
    #[arg(long, global = true, value_enum, env = "CUELIGHT_LOG_FORMAT", value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
}

/// How the console looks.
#[derive(Debug, Args)]
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

/// How what is told beside the output is written.
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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a workflow, in the console or without a screen
    #[command(after_help = "Example: cuelight run deploy.yaml -i version=v1.2.0 --headless\n\n\
        Exit codes: 0 completed, 1 failed, 2 usage or invalid file, 3 rejected at a gate, 4 cancelled,\n\
        5 partially completed, 6 could not record.")]
    Run(RunArgs),
    /// The console on a built-in workflow that shows everything; no set-up
    #[command(
        after_help = "Example: cuelight demo\n\nIt runs in a directory of its own and touches nothing else."
    )]
    Demo(DemoArgs),
    /// The value of an expression, as JSON
    #[command(after_help = "Example: cuelight eval \"contains('abc', 'b') && 1\"")]
    Eval(EvalArgs),
    /// Check workflow files: every problem at once, with its place and a fix
    #[command(after_help = "Example: cuelight check deploy.yaml --format sarif")]
    Check(CheckArgs),
    /// Rewrite workflow files to the canonical spelling, keeping comments
    #[command(after_help = "Example: cuelight fmt --check deploy.yaml")]
    Fmt(FmtArgs),
    /// What would run, in which order, with which gates
    #[command(after_help = "Example: cuelight plan deploy.yaml -i version=v1.2.0")]
    Plan(PlanArgs),
    /// The graph of a workflow
    #[command(after_help = "Example: cuelight graph deploy.yaml --format mermaid")]
    Graph(GraphArgs),
    /// The runs of this workspace
    #[command(after_help = "Example: cuelight runs --json")]
    Runs(ListArgs),
    /// Every run and every step there was, the newest first, also those that failed
    #[command(
        after_help = "Example: cuelight history --failed\n         cuelight history --step build --limit 100 --json"
    )]
    History(HistoryArgs),
    /// One run with its steps
    #[command(after_help = "Example: cuelight show r-7")]
    Show(ShowArgs),
    /// Two runs, or two instants of one, held against each other: plan, inputs, states, outputs, time
    #[command(after_help = "Example: cuelight diff r-7 r-8\n         cuelight diff r-7@412 r-7\n\n\
        Exit codes: 0 the same but for the time it took, 1 they differ, 2 usage.")]
    Diff(DiffArgs),
    /// What the steps of a run wrote
    #[command(
        after_help = "Example: cuelight logs r-7 build -f\n         cuelight logs r-7 --timestamps | grep -i error\n\ncuelight logs r-7 --json | jq -r .text"
    )]
    Logs(LogsArgs),
    /// The events of a run, one a line
    #[command(after_help = "Example: cuelight events r-7 --json")]
    Events(EventsArgs),
    /// When each step of a run waited and ran, as bars
    #[command(after_help = "Example: cuelight timeline r-7")]
    Timeline(ShowArgs),
    /// A run as it was: all its events, or where it stood after one of them
    #[command(after_help = "Example: cuelight replay r-7 --at 1203\n\n\
        Without --at, every event is told with what it made of the steps.")]
    Replay(ReplayArgs),
    /// What waits for a person
    #[command(after_help = "Example: cuelight gates --json")]
    Gates(GatesArgs),
    /// What failed, what helped before, and who looks after it
    #[command(after_help = "Example: cuelight errors --json\n\n\
        cuelight errors show e-412, cuelight errors resolve e-412 --reason \"the proxy was restarted\"")]
    Errors(ErrorsArgs),
    /// Results of steps that may stand for others: look, throw away
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight cache list\n         cuelight cache inspect deps-4f1c --json\n         cuelight cache clear deps-4f1c"
    )]
    Cache(CacheArgs),
    /// Say something to the steps that wait for it, in this run and in others
    #[command(after_help = "Example: cuelight emit deploy/done --data image=web:7 --correlation CHG-12\n\n\
        A step goes on with it: wait: {event: deploy/done, filter: {image: \"web:7\"}}. The same --id again is the same message, so a call \
        that may have been heard can be made again.")]
    Emit(EmitArgs),
    /// What was said, who took it, and what nobody took
    #[command(
        after_help = "Example: cuelight messages --topic deploy/done\n         cuelight messages --dead --json"
    )]
    Messages(MessagesArgs),
    /// What has to be so about which topic: its schema, and the keys that sign
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight topics\n         cuelight topics rotate deploy/done\n\n\
        `[topics.\"deploy/done\"]` in .cuelight/config.toml declares one, with `schema = \"FILE\"` and `signed = true`."
    )]
    Topics(TopicsArgs),
    /// Values that outlive a run: look, set, take away, watch
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight state set region eu --ttl 2h\n         cuelight state get region --json\n\n\
        A change that must not run over somebody else's: cuelight state set region us --if 3f0c…, with the etag that was read."
    )]
    State(StateArgs),
    /// What came of the work of agents: look, and hand in
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight results --issue SHOP-12 --status failed\n         cuelight results show res-4f1c9a07d2 --json\n         \
        cuelight results hand-in SHOP-12 result.json --type qa\n\nThe file is JSON with a status: success, failed or partial."
    )]
    Results(ResultsArgs),
    /// What an agent would be told of a piece of work before it begins
    #[command(
        after_help = "Example: cuelight context SHOP-12-cart-totals qa\n         cuelight context SHOP-12 rust-specialist --max-bytes 200000 --json"
    )]
    Context(ContextArgs),
    /// What agents and people know: search, and add
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight knowledge prices cents\n         cuelight knowledge add --type decision 'Prices are kept in cents'"
    )]
    Knowledge(KnowledgeArgs),
    /// How well it goes: one line, and what takes from it
    #[command(after_help = "Example: cuelight health --json")]
    Health(HealthArgs),
    /// Clear results that are kept and lists of what has rested; the log and all figures stay
    #[command(after_help = "Example: cuelight reset --environment LOCAL --reason 'a new quarter'")]
    Reset(ResetArgs),
    /// Stop the engine of this workspace in order, and tell how well it went
    #[command(after_help = "Example: cuelight shutdown\n\n\
        Open runs stand still until an engine is started again; nothing of them is lost.")]
    Shutdown(ShutdownArgs),
    /// Approve a gate
    #[command(after_help = "Example: cuelight approve g-3 --ask c41f-92qd\n\n\
        Where the risk is high, a terminal shows the ask and has you type a code. A script names the ask that was read:\n\
        its name stands at the end of cuelight gates --show g-3. No program that a step has started answers at a gate.")]
    Approve(DecideArgs),
    /// Reject a gate, with a reason
    #[command(after_help = "Example: cuelight reject g-3 --reason \"wrong image\"")]
    Reject(DecideArgs),
    /// Send a gate back: the steps from its `send-back` step on run again, then a new gate asks
    #[command(after_help = "Example: cuelight send-back g-3 --reason \"the tests ran on the wrong branch\"")]
    SendBack(DecideArgs),
    /// Delegate your answer at a gate to another person, for 8 hours or as long as --for says
    #[command(after_help = "Example: cuelight delegate g-3 --to bob --for 4h --reason \"on a train\"")]
    Delegate(DelegateArgs),
    /// Record the review of an emergency approval or an override
    #[command(after_help = "Example: cuelight review g-3 --reason 'the roll-back was the right thing'")]
    Review(ReviewArgs),
    /// Add a comment at a gate; the console, `gates --show` and `gates --json` show it
    #[command(after_help = "Example: cuelight comment g-3 \"waiting for the numbers\"")]
    Comment(CommentArgs),
    /// Withdraw your vote or your delegation at a gate
    #[command(after_help = "Example: cuelight withdraw g-3")]
    Withdraw(GateArgs),
    /// Change the values of a gate's form: a new ask, all votes are void, and you cannot vote there
    #[command(after_help = "Example: cuelight edit g-3 -i ticket=CHG-7 --reason \"the ticket was missing\"")]
    Edit(EditArgs),
    /// Ask people whether something may go on; with a command, that command runs when they say yes
    #[command(after_help = "Example: \
        cuelight gate --title \"Push to main?\" --evidence diff.txt && git push\n         \
        cuelight gate --title \"Apply the plan?\" --risk irreversible --evidence plan.txt -- terraform apply plan.out\n\n\
        The ask waits in the same inbox as those of workflows: `cuelight` opens it, `cuelight approve g-3` answers it.\n\n\
        Exit codes: 0 approved (and the command succeeded), 1 rejected, 2 usage, 3 expired, 6 no console reachable or\n\
        fault; of a command that was approved and failed, its own.")]
    Gate(AskArgs),
    /// Let people answer the permission prompts of a coding agent: its question on standard input, the answer on standard output
    #[command(after_help = "Example: cuelight hook claude-code --timeout 1h < question.json\n\n\
        In .claude/settings.json: {\"hooks\": {\"PreToolUse\": [{\"matcher\": \"Bash|Edit|Write\", \"hooks\": [\n\
        {\"type\": \"command\", \"command\": \"cuelight hook claude-code --timeout 1h\", \"timeout\": 3900}]}]}}\n\n\
        Everything but a yes is a no: whatever goes wrong here keeps the agent from going on.\n\n\
        Exit codes: 0 with an answer on standard output; 2 with the reason on standard error, which agents take as a no.")]
    Hook(HookArgs),
    /// Let agents ask over MCP, on standard input and output: open gates and wait, look at runs, start them
    #[command(after_help = "Example: cuelight mcp --workspace /srv/deploy\n\n\
        As a server of Claude Code: claude mcp add cuelight -- cuelight mcp --workspace /srv/deploy\n\n\
        Permission prompts of Claude Code become gates: claude -p … --permission-prompt-tool mcp__cuelight__permission_prompt\n\n\
        Its tools are open_gate, permission_prompt, list_runs, read_run and start_run. None answers a gate: that is for people.\n\
        start_run starts what --workflow names, and nothing else. A gate whose asker goes away is closed. A client that gives up early needs a longer time of its own: MCP_TOOL_TIMEOUT.")]
    Mcp(McpArgs),
    /// Wait for the verdict at a gate
    #[command(after_help = "Example: cuelight wait g-3 && ./deploy.sh\n\n\
        Exit codes: 0 approved, 1 rejected or sent back, 2 usage, 3 expired, 6 no console reachable or fault.")]
    Wait(WaitArgs),
    /// Start nothing new in a run
    #[command(after_help = "Example: cuelight pause r-7")]
    Pause(ActArgs),
    /// Go on with a paused run
    #[command(after_help = "Example: cuelight resume r-7")]
    Resume(ActArgs),
    /// End a run
    #[command(after_help = "Example: cuelight cancel r-7 --reason \"wrong version\" --undo")]
    Cancel(CancelArgs),
    /// Do again what did not succeed, as a linked run; inputs and steps may be corrected first
    #[command(
        after_help = "Example: cuelight retry r-7 --from failed\n         cuelight retry r-7 -i version=v1.2.1\n\n\
        Where something is corrected, gates ask again before what is still to be done."
    )]
    Retry(RetryArgs),
    /// Make a new run from the past of another: what was done by then is taken over, the rest is done anew
    #[command(
        after_help = "Example: cuelight fork r-7 --at deploy\n         cuelight fork r-7 --at 412 -i region=eu\n\n\
        The other run goes on, or rests, as if nothing were. Gates ask again before what is still to be done, and what\n\
        was taken over is the other run's to undo."
    )]
    Fork(ForkArgs),
    /// Give up a step; its dependents go on without it
    #[command(after_help = "Example: cuelight skip r-7 notify --reason \"mail is down\"\n\n\
        At a gate this is an override: it approves the gate, needs the whole quorum, and another person must review it.")]
    Skip(SkipArgs),
    /// Undo what a run at rest has done
    #[command(after_help = "Example: cuelight undo r-7 --reason \"wrong customer\"")]
    Undo(ReasonArgs),
    /// Complete a waiting or failed step by hand
    #[command(
        after_help = "Example: cuelight done r-7 upload --output url=https://… --reason \"uploaded by hand\"\n\n\
        At a gate this is an override: it approves the gate, needs the whole quorum, and another person must review it."
    )]
    Done(DoneArgs),
    /// Say what became of a step that was cut off by a crash
    #[command(after_help = "Example: cuelight doubt r-7 pay happened --reason \"the bank shows it\"")]
    Doubt(DoubtArgs),
    /// Try a stuck undo again, or say that it was done by hand
    #[command(
        name = "settle-undo",
        after_help = "Example: cuelight settle-undo r-7 lock --again --reason \"disk was full\""
    )]
    SettleUndo(SettleUndoArgs),
    /// The trail: who decided what; whether it holds; for an auditor
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight audit r-7\n         cuelight audit verify\n\n\
        Exit codes of verify: 0 it holds, 1 it does not, 2 usage, 3 it holds but its end is not signed, 6 cannot read."
    )]
    Audit(AuditArgs),
    /// One decision in a file, which proves itself elsewhere
    #[command(after_help = "Example: cuelight receipt g-3 -o g-3.receipt.json")]
    Receipt(ReceiptArgs),
    /// Check a receipt, on any machine
    #[command(after_help = "Example: cuelight verify g-3.receipt.json --key cuelight/…+1a2b3c4d+…")]
    Verify(VerifyArgs),
    /// The keys that sign the log
    #[command(after_help = "Example: cuelight keys rotate")]
    Keys(KeysArgs),
    /// Make a token for an agent or a person, take one back, and keep the keys that sign them
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight token --agent reviewer-1 --type qa --project shop\n         \
        cuelight token --person ann --key ~/.ssh/token\n         \
        cuelight token revoke 9f2c51d0a7b34e68 --reason \"the laptop was stolen\"\n         \
        cuelight token keys rotate\n\n\
        The token alone is printed, once; whoever has it can use it. See docs/sidecar.md."
    )]
    Token(TokenArgs),
    /// Ask the HTTP API of an engine; without words, what can be asked
    #[command(after_help = "Example: cuelight api /api/gates state=open\n         \
        cuelight api /api/gates title=\"Deploy web:7?\" binds:='{\"image\": \"web:7\"}'\n         \
        cuelight api PUT /api/state/session/plan --data @plan.json\n         \
        cuelight api /api/runs/r-1/events\n\n\
        The token is taken from JWT_TOKEN: export JWT_TOKEN=$(cuelight token --agent me --type qa). Without a method, GET, and POST when something is sent. \
        Events come as one line of JSON each. See docs/sidecar.md.\n\n\
        Exit codes: 0 done, 1 refused (the answer says why), 2 asked for wrongly, 6 not reached.")]
    Api(ApiArgs),
    /// Workflows that start by themselves: when, and what keeps them from it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Example: cuelight schedules\n         \
        cuelight schedules hold nightly --reason \"the tape library is being moved\"\n         \
        cuelight schedules release nightly"
    )]
    Schedules(SchedulesArgs),
    /// What steps can use: list, show, try out, find
    #[command(after_help = "Example: cuelight tools show json.query\n\n\
        cuelight tools suggest \"checksum of a file\", cuelight tools test file.read --with path=README.md\n\n\
        cuelight tools add files --tool read_text_file -- npx -y @modelcontextprotocol/server-filesystem .")]
    Tools(ToolsArgs),
    /// Who steps can give work to: list, show, try out, find
    #[command(after_help = "Example: cuelight agents show reviewer\n\n\
        cuelight agents test reviewer --task \"Review the last commit\" --really\n\n\
        An agent is a command of yours that is described in .cuelight/agents/NAME.yaml, see docs/workflow.md.")]
    Agents(AgentsArgs),
    /// What steps can ask: list, show, try out
    #[command(after_help = "Example: cuelight models show claude-sonnet\n\n\
        cuelight models test stand-in\n\n\
        A model of your own, a local server or a price: .cuelight/models/NAME.yaml, see docs/workflow.md.")]
    Models(ModelsArgs),
    /// Does the work of a tool that is built in: input on standard input
    #[command(hide = true)]
    BuiltIn {
        /// The tool
        name: String,
    },
    /// Calls a tool of an MCP server that is a program: an errand on standard input
    #[command(hide = true)]
    McpCall(McpCallArgs),
    /// The engine without a screen
    #[command(
        after_help = "Example: cuelight serve --detach\n         cuelight serve --listen 127.0.0.1:3001"
    )]
    Serve(ServeArgs),
    /// Put an engine in the place of one that hangs: it writes nothing any more, even when it wakes up
    #[command(after_help = "Example: cuelight take-over --reason \"its machine was suspended\"\n\n\
        What it was doing goes on where its guard has it, and is judged as after a crash where not. To end an engine \
        that answers: cuelight shutdown.")]
    TakeOver(TakeOverArgs),
    /// A second seat on a running engine
    #[command(
        after_help = "Example: cuelight attach\n\n  cuelight attach /srv/shop\n  cuelight attach ssh://ops@build.example/srv/shop\n\n\
        Over ssh, by the system's own ssh with its keys, agent and configuration: cuelight has to be on the path there, and an \
        engine has to run (cuelight serve --detach). Who you are is the user of that machine."
    )]
    Attach(AttachArgs),
    /// Joins standard input and output to the engine here, for a console on another machine
    #[command(hide = true)]
    Relay,
    /// A picture of the console, without a terminal
    #[command(after_help = "Example: cuelight screenshot --view dag --size 160x48 -o dag.svg\n\n\
        --keys presses keys before the picture is taken, as they are written in docs/KEYS.md: \"j j w\". \
        Nothing can be decided there.")]
    Screenshot(ScreenshotArgs),
    /// Show what can act in a workspace that came from elsewhere, and accept it
    #[command(after_help = "Example: cuelight trust\n\n\
        A workspace that cuelight made for you is trusted. One that was cloned, unpacked, copied or moved is only looked at until you \
        accept it: nothing in it runs, is sent or written.\n\n\
        In scripts: cuelight trust --accept HASH, with the hash that `cuelight trust --json` gives.\n\n\
        Exit codes: 0 it is trusted, 1 it is not.")]
    Trust(TrustArgs),
    /// What is wrong with this set-up, and which settings won
    #[command(after_help = "Example: cuelight doctor\n\nExit codes: 0 all is well, 1 something is wrong.")]
    Doctor(JsonArgs),
    /// Kill a shadow run on this disk, again and again, and prove that nothing was lost and nothing was repeated
    #[command(after_help = "Example: cuelight drill --kills 20\n\n\
        It works in a directory of its own below .cuelight and leaves this workspace alone.\n\n\
        Exit codes: 0 every promise held, 1 one did not.")]
    Drill(DrillArgs),
    /// Convert a workflow of another system
    #[command(
        after_help = "Example: cuelight import github .github/workflows/release.yml > release.yaml\n\n\
        What could not be carried over stands at the top of the file that comes out. Read it before you run it."
    )]
    Import(ImportArgs),
    /// Print the JSON Schema of workflow files, settings or events, for editors and readers
    #[command(after_help = "Example: cuelight schema workflow > workflow.schema.json")]
    Schema(SchemaArgs),
    /// Print completions for a shell
    #[command(after_help = "Example: cuelight completions bash > /etc/bash_completion.d/cuelight")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example: cuelight man | man -l -")]
    Man,
}

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// What is asked
    #[arg(long, value_name = "TEXT")]
    pub(super) title: String,
    /// The requester's own words; shown below everything else, marked as a claim
    #[arg(long, value_name = "TEXT")]
    pub(super) claim: Option<String>,
    /// A file that is shown to those who decide; may be given again
    #[arg(long, value_name = "FILE")]
    pub(super) evidence: Vec<PathBuf>,
    /// A value that the answer holds for; may be given again
    #[arg(long = "bind", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) binds: Vec<(String, String)>,
    /// How bad a wrong yes is
    #[arg(long, value_name = "RISK", default_value = "externally-reversible", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: String,
    /// When it expires, and counts as a no: 30m, 4h; never when not given
    #[arg(long, value_name = "TIME")]
    pub(super) timeout: Option<String>,
    /// Who must agree: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Whoever asks may not answer
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
    /// What the agent is told when nobody has answered: no, or to ask at its own terminal
    #[arg(long, value_name = "ANSWER", default_value = "deny")]
    pub(super) on_timeout: Silence,
    /// How bad a wrong yes is, whatever is asked; when not given, it is judged by what the tool, or its command, does
    #[arg(long, value_name = "RISK", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: Option<String>,
    /// Who must agree: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Whoever runs the agent may not answer
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
    /// How bad a wrong yes is at least; when not given, what the agent says, or what its own tools are known for
    #[arg(long, value_name = "RISK", value_parser = ["read-only", "reversible", "externally-reversible", "irreversible"])]
    pub(super) risk: Option<String>,
    /// Who must agree in any case: a group of people.toml, or group:2; may be given again
    #[arg(long, value_name = "GROUP[:COUNT]")]
    pub(super) require: Vec<String>,
    /// Whoever runs the agent may not answer
    #[arg(long)]
    pub(super) four_eyes: bool,
}

/// A coding agent whose questions are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Agent {
    ClaudeCode,
    Codex,
}

/// What silence means.
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
    /// Where it stood after this event, by its number in the log
    #[arg(long, value_name = "SEQ")]
    pub(super) at: Option<u64>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ScreenshotArgs {
    /// Which view
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
    /// Where it goes: *.svg is a picture, else text; standard output when not given
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
    /// Where it runs; kept and gone on with when it is there already
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Begin anew
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
    /// How findings are printed
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
    /// How it is printed
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
    /// All that one gate asks, with its name at the end
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
    /// Accept what has this hash, and nothing that was changed since it was shown
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
    /// So many runs, the newest first
    #[arg(long, value_name = "RUNS", default_value_t = 20)]
    pub(super) limit: u32,
    /// Also what had come to rest before the last reset
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
    /// All results that are kept, and how large they are
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One result: where it comes from, and what it yields
    Inspect {
        /// The key
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Throw results away
    Clear {
        /// Those of this key; all when not said
        key: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct EmitArgs {
    /// What it is about: letters, digits, `.`, `-`, `_` and `/`
    pub(super) topic: String,
    /// What is said: KEY=VALUE, again for more, or one JSON value
    #[arg(long, short = 'd', value_name = "KEY=VALUE|JSON")]
    pub(super) data: Vec<String>,
    /// What it is: event, task, tool-call, debate-proposal, debate-critique, debate-decision, control, error
    #[arg(long = "type", value_name = "WORD", value_parser = message_kind, default_value = "event")]
    pub(super) kind: MessageKind,
    /// To whom, when it is not for all
    #[arg(long)]
    pub(super) to: Option<String>,
    /// What it belongs to or answers
    #[arg(long)]
    pub(super) correlation: Option<String>,
    /// How long it can be taken; 24h when not said
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
    /// Make a secret for a topic and print it, this once; the one before it counts for 24 hours more
    Rotate {
        /// The topic
        topic: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct MessagesArgs {
    /// Only about this
    #[arg(long)]
    pub(super) topic: Option<String>,
    /// Only those that nobody took in time, and what was no good
    #[arg(long)]
    pub(super) dead: bool,
    /// At most so many, the newest first
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
    /// Results, the newest first
    List(ResultsListArgs),
    /// One result with what it says
    Show {
        /// Its id: res-4f1c…
        id: String,
        /// Of this project; the workspace's own when not said
        #[arg(long)]
        project: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Hand one in
    HandIn {
        /// The piece of work it is about: SHOP-12
        issue: String,
        /// A file of JSON with what came of it; `-` reads it from standard input
        file: PathBuf,
        /// What kind of agent has done it: qa, coding
        #[arg(long = "type", value_name = "TYPE")]
        agent_type: String,
        /// Which agent; whoever asks when not said
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
    /// Only those that went like this: success, failed, partial
    #[arg(long, value_parser = result_status)]
    pub(super) status: Option<ResultStatus>,
    /// Of this project; the workspace's own when not said
    #[arg(long)]
    pub(super) project: Option<String>,
    /// At most so many
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
    /// What kind of agent: qa, coding, rust-specialist
    #[arg(value_name = "TYPE")]
    pub(super) agent_type: String,
    /// At most so many bytes; 10 MiB when not said
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
    /// What has any of these words, the best first
    Search(KnowledgeSearchArgs),
    /// Add something; credentials are refused
    Add {
        /// What is known
        text: String,
        /// What it is about: decision, architecture, implementation, configuration, issue, general
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
    /// Only about this
    #[arg(long = "type", value_name = "WORD", value_parser = knowledge_kind)]
    pub(super) kind: Option<KnowledgeKind>,
    /// Only of this agent, or of one of its sessions
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// Of this project; the workspace's own when not said
    #[arg(long)]
    pub(super) project: Option<String>,
    /// At most so many
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
    /// What the steps of one run have set for it: r-7
    #[arg(long, value_name = "RUN", conflicts_with = "scope")]
    pub(super) run: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Which values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StateScope {
    /// Of the workspace
    Global,
    /// One's own
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
    /// All that is kept
    List(StateListArgs),
    /// One value
    Get {
        /// The key
        key: String,
        /// Which scope
        #[arg(long, value_enum, default_value = "global")]
        scope: StateScope,
        /// As JSON, with version and etag
        #[arg(long)]
        json: bool,
    },
    /// Keep a value
    Set(StateSetArgs),
    /// Take a value away
    Remove {
        /// The key
        key: String,
        /// Which scope
        #[arg(long, value_enum, default_value = "global")]
        scope: StateScope,
        /// Only if it still has this etag
        #[arg(long = "if", value_name = "ETAG", value_parser = expected)]
        only_if: Option<Expected>,
    },
    /// A line for each change
    Watch(StateWatchArgs),
}

#[derive(Debug, Args)]
pub(super) struct StateSetArgs {
    /// The key
    pub(super) key: String,
    /// The value: JSON, or a text
    pub(super) value: String,
    /// Which scope
    #[arg(long, value_enum, default_value = "global")]
    pub(super) scope: StateScope,
    /// How long it stands; for ever when not said
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
    /// Of one run: r-7
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Also those that are resolved
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum OnError {
    /// All that stands, the oldest first
    List(ErrorsListArgs),
    /// One failure: its calls, its output, what mended it before
    Show {
        /// The failure: e-412
        error: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that you look after it
    Ack(NoteArgs),
    /// Say that it is mended
    Resolve(NoteArgs),
    /// Take back what was said of it
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
    /// The one: r-7, or as it was after an event, r-7@412
    pub(super) left: String,
    /// The other
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
    /// Go on until the run rests
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Bytes exactly as they were written, also control characters
    #[arg(long)]
    pub(super) raw: bool,
    /// As JSON, one line of output a line
    #[arg(long, conflicts_with = "raw")]
    pub(super) json: bool,
    /// When each line came, before it; `-` where that was not kept
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
    /// Answer nothing yet: write what is to be signed, to be taken to where the key is
    #[arg(long, value_name = "FILE", requires = "signer", conflicts_with = "key")]
    pub(super) statement: Option<PathBuf>,
    /// Hand in what was signed elsewhere: the file, and beside it FILE.sig
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
    /// What was found
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DelegateArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Who may answer instead: a name of people.toml
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
    /// What to say
    pub(super) text: String,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// The gate: g-3
    pub(super) gate: String,
    /// Give up after so long, with exit code 3
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
    /// What is done again
    #[arg(long, value_enum, default_value = "failed")]
    pub(super) from: From,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

/// What is corrected before a run is done again.
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
    /// From where: after this event of the log (412), or before this step began (deploy)
    #[arg(long, value_name = "SEQ|STEP")]
    pub(super) at: String,
    #[command(flatten)]
    pub(super) corrected: CorrectedArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// What failed, and what did not run because of it
    Failed,
    /// Everything after the last step that all of that depends on
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

/// How an answer at a gate is confirmed.
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    /// The ask of a gate that was read: the name at its end, or its `ask_hash`; any other ask is not answered
    #[arg(long, value_name = "NAME")]
    pub(super) ask: Option<String>,
    /// Fill in a field of the gate's form; a terminal asks for the fields that are left out
    #[arg(short = 'i', long = "set", value_name = "FIELD=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Of a gate: leave a field of its form empty on purpose
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
    /// What became of it
    #[arg(value_enum)]
    pub(super) answer: Answer,
    /// How this is known
    #[arg(long)]
    pub(super) reason: String,
    /// An output, where it happened
    #[arg(long = "output", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) outputs: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Answer {
    /// It did what it should
    Happened,
    /// It did nothing; it is called again
    NotHappened,
    /// Whatever it did, it counts as failed
    Abort,
}

#[derive(Debug, Args)]
pub(super) struct SettleUndoArgs {
    #[command(flatten)]
    pub(super) step: StepArgs,
    /// Try again; else it counts as done by hand
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
    /// Also what followed from decisions
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
    /// Where to, with a signed note beside it; else it is printed
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
    /// Whether every record is as it was written, and signed
    Verify(AuditVerifyArgs),
    /// All of it, for somebody else
    #[command(after_help = "Example: cuelight audit export --format html -o decisions.html")]
    Export(AuditExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct AuditVerifyArgs {
    /// A signed head from elsewhere: only what came after it is looked at
    #[arg(long, value_name = "NOTE")]
    pub(super) from: Option<PathBuf>,
    /// A key that is believed; else the first one of the workspace, and those it vouches for
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
    /// Where to; else it is printed
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The receipt, or what `audit export` has written
    pub(super) file: PathBuf,
    /// A key that is believed; else what the file itself says
    #[arg(long, value_name = "KEY")]
    pub(super) key: Vec<NoteKey>,
}

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    pub(super) command: Option<KeysCommand>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Print them, oldest first
    Show,
    /// Sign with another one from now on
    Rotate,
}

#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// The method, where it is not the usual one; the path; what is sent: name=text, or name:=JSON
    #[arg(value_name = "METHOD PATH NAME=TEXT")]
    pub(super) what: Vec<String>,
    /// All that is sent: JSON, @FILE, or - for standard input
    #[arg(long, short, value_name = "JSON")]
    pub(super) data: Option<String>,
    /// A field of the head: "If-Match: \"3\"", "Idempotency-Key: deploy-7"
    #[arg(long, short = 'H', value_name = "NAME: TEXT")]
    pub(super) header: Vec<String>,
    /// Where the engine answers
    #[arg(long, env = "SIDECAR_URL", default_value = "http://127.0.0.1:3001", value_name = "URL")]
    pub(super) url: String,
    /// Certificates of an authority of your own (PEM), for https
    #[arg(long, value_name = "FILE")]
    pub(super) authorities: Option<PathBuf>,
    /// Send the token to another machine though nothing is encrypted
    #[arg(long)]
    pub(super) insecure: bool,
    /// Without words: all of it as JSON, as /openapi.json has it
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
    /// What kind of agent that is: coding, qa
    #[arg(long = "type", value_name = "TYPE", requires = "agent", required_unless_present = "person")]
    pub(super) agent_type: Option<AgentType>,
    /// For a person of people.toml, signed with a key of theirs
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) person: Option<String>,
    /// The private key, as `ssh-keygen -t ed25519 -N ''` writes it
    #[arg(long, value_name = "FILE", requires = "person")]
    pub(super) key: Option<PathBuf>,
    /// What its token-key is called in people.toml, where that cannot be read from here
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) kid: Option<String>,
    /// The workspace it is for, where that is another one; `cuelight token keys list` there prints it
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) audience: Option<String>,
    /// The project it is for; the workspace's own when not said
    #[arg(long, value_name = "NAME")]
    pub(super) project: Option<String>,
    /// What may be asked with it, with commas between; see docs/sidecar.md
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) permissions: Vec<Permission>,
    /// How long it is good, at most a day
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(super) expires: Span,
    /// As JSON, with its id
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Take one back before its time, for good
    Revoke {
        /// Its id, or the token itself
        token: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// The keys that sign tokens of agents
    Keys {
        #[command(subcommand)]
        command: Option<TokenKeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenKeysCommand {
    /// Print them, never the secrets
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a secret, which signs from now on; those before it count as they did
    New,
    /// Make a secret, and let those before it count for 24 hours more
    Rotate,
    /// Let one count no longer, from now on
    Revoke {
        /// Its name
        kid: String,
    },
    /// Take in the public key of whoever issues tokens for agents elsewhere
    Add {
        /// The line of its .pub file, ssh-ed25519 AAAA… or ssh-rsa AAAA…, or the JWK of an RSA key, {"kty":"RSA"…
        key: String,
        /// How tokens name it
        #[arg(long, value_name = "NAME")]
        kid: String,
        /// Who issues with it, as tokens say; the same as --kid when not said
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
    /// Have time start nothing of a workflow any more; what is missed meanwhile is not made up for
    Hold {
        /// Its name
        workflow: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Let it start again, from its next time on
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
    /// All of them: built in, and described in .cuelight/tools
    List(ToolsListArgs),
    /// One tool: what it is given, what it gives, what it may do
    Show {
        /// The tool: json.query or json.query@1
        tool: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Call a tool outside a run, and check what goes in and comes out
    #[command(after_help = "Example: cuelight tools test file.checksum --with path=README.md")]
    Test(ToolsTestArgs),
    /// Take up tools of an MCP server: each becomes a file in .cuelight/tools that holds what the server said of it
    #[command(
        after_help = "Example: cuelight tools add files --tool read_text_file -- npx -y @modelcontextprotocol/server-filesystem .\n\n\
        cuelight tools add tracker --url https://mcp.example.com/mcp --header 'Authorization=${{ env.TRACKER_AUTH }}' --all\n\n\
        Without --tool or --all it lists what the server offers; without a pin it shows all that is said. Nothing is written but \
        what was shown: --tool read_text_file=PIN, or --all=PIN."
    )]
    Add(ToolsAddArgs),
    /// See what an MCP server says otherwise of a tool than was accepted, and accept it
    #[command(after_help = "Example: cuelight tools accept files.read_text_file\n\n\
        What its server says otherwise is shown whole, with the pin that accepts exactly that: --yes PIN.")]
    Accept(ToolsAcceptArgs),
    /// Tools for a task in words, the best first
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
    /// What the server is called here; its tools become NAME.TOOL
    #[arg(value_parser = server_name)]
    pub(super) name: String,
    /// A tool to take up; may be said more than once. Without the pin, all that its server says of it is shown
    #[arg(long = "tool", value_name = "TOOL[=PIN]", value_parser = tool_and_pin, conflicts_with = "all")]
    pub(super) tools: Vec<(String, Option<Digest>)>,
    /// Take up all that it offers; without the pin, all is shown
    #[arg(long, value_name = "PIN", num_args = 0..=1, require_equals = true)]
    pub(super) all: Option<Option<Digest>>,
    /// Where the server is, when it is no program
    #[arg(long, conflicts_with = "command")]
    pub(super) url: Option<String>,
    /// A header field for that address; may read ${{ env.NAME }} of the step
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = key_value, requires = "url")]
    pub(super) headers: Vec<(String, String)>,
    /// The program that is the server, and its words
    #[arg(last = true)]
    pub(super) command: Vec<String>,
}

/// What a server calls a tool, and what it said of it.
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
    /// Write down what was shown with this pin; else it is only shown
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
pub(super) struct AgentsArgs {
    #[command(subcommand)]
    pub(super) command: Option<AgentsCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgentsCommand {
    /// All of them, as described in .cuelight/agents
    List(AgentsListArgs),
    /// One agent: what it can do, what it is given, what it answers, what it may do
    Show {
        /// The agent: reviewer or reviewer@1
        agent: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an agent work outside a run, and check what goes in and comes out
    #[command(
        after_help = "Example: cuelight agents test reviewer --task \"Review the last commit\" --really"
    )]
    Test(AgentsTestArgs),
    /// Agents for a task in words, the best first
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
    /// What it is to do
    #[arg(long, value_name = "TEXT")]
    pub(super) task: Option<String>,
    /// An input; JSON where its schema wants no text
    #[arg(short, long = "with", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) with: Vec<(String, String)>,
    /// Start it although it may do what cannot simply be taken back
    #[arg(long)]
    pub(super) really: bool,
    /// How long it may take
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
    /// All of them: built in, and described in .cuelight/models
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One model: who answers, what it costs, how often it may be asked
    Show {
        /// Its name
        model: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask it something outside a run: is the key right, does it answer, what does that cost
    #[command(after_help = "Example: cuelight models test claude-haiku --prompt \"Are you there?\"")]
    Test(ModelsTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ModelsTestArgs {
    /// Its name
    pub(super) model: String,
    /// What it is asked
    #[arg(long, default_value = "Answer with the one word: ready", value_name = "TEXT")]
    pub(super) prompt: String,
    /// Tokens of the answer
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    pub(super) max_tokens: u32,
    /// How long it may take
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
    /// Call it although it may do what cannot simply be taken back
    #[arg(long)]
    pub(super) really: bool,
    /// How long it may take
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
    /// How long that while is
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
    /// Where: a directory, its socket, or `ssh://USER@HOST:PORT/DIRECTORY`, of which HOST is enough (`/~/…` from the home directory); else here
    #[arg(value_name = "PLACE")]
    pub(super) place: Option<String>,
    /// What cuelight is called on that machine
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
    /// How often something is killed
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
    /// What it is
    #[arg(value_enum)]
    pub(super) format: ImportFormat,
    /// The file
    pub(super) file: PathBuf,
    /// What a recorded task becomes (wfformat)
    #[arg(long = "as", value_enum, default_value = "noop")]
    pub(super) task: Task,
    /// How long it sleeps, as a share of what it took: 0.001
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
    /// Of what
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
    /// Whether a finding of this severity makes the check fail.
    pub(super) fn fails_at(&self, severity: Severity) -> bool {
        severity == Severity::Error || self.strict && severity == Severity::Warning
    }
}

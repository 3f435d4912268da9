//! Tools of MCP servers, at the command line: taking them up, accepting what a server says anew, and the hidden command behind a call
//! of one whose server is a program. The talk itself is for `tool`.

use crate::{
    args::key_value,
    command::built_in,
    config::Config,
    exit::{FAILED, Outcome, Trouble},
    output::{Output, say},
    wiring::outside,
};
use clap::Args;
use cuelight_base::{
    Digest, FILE_BYTES_MAX, FailureMode, HttpCall, McpCall, TextPart, Value, mcp_held, mcp_pin, safe_text,
    sha256, shorten,
};
use cuelight_definition::{McpServer, Registry, Tool, ToolBody};
use cuelight_plan::{Given, PlanTool};
use cuelight_runtime::as_yaml;
use cuelight_tool::{
    Errand, Errands, Failure, mcp_ends, mcp_leaves, read_text, run_errand, tools_at, tools_of_program,
};
use futures_util::future::{Either, select};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
    pin::pin,
    process::{ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

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

/// Bytes of an errand: what a tool can be given, and what its server has to say of it.
const ERRAND_BYTES_MAX: u64 = 2 * cuelight_base::OUTPUT_BYTES_MAX as u64;
/// Time in which a server must list its tools.
const LIST_MAX: Duration = Duration::from_mins(1);
/// Time in which a server must end after its input is closed.
const END_MAX: Duration = Duration::from_secs(1);
/// The files for outputs, which are ours to write.
const OUTPUT_NAMES: [&str; 3] = ["CUELIGHT_OUTPUT", "GITHUB_OUTPUT", "DAGU_OUTPUT_FILE"];
/// Characters of a description in a list.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// Lines that a server may write while it is looked at, and characters of each.
const TALK_LINES_MAX: usize = 200;
const TALK_CHARS_SHOWN: usize = 2000;

/// Starts the server, calls the tool, and writes what came of it where outputs go: also what is needed to judge a call that is cut off.
pub(super) async fn call(config: &Config, args: &McpCallArgs) -> Outcome {
    let failed = Trouble::failed;
    let mut text = String::new();
    let read = std::io::stdin().lock().take(ERRAND_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| failed(format!("could not read the errand: {error}")))?;
    let errand: Errand = serde_json::from_str(&text)
        .map_err(|error| failed(format!("could not read the errand as JSON: {error}")))?;
    let errands = match start(&args.command, None) {
        Err(why) => {
            let message = format!("could not start its MCP server: {why}");
            let result = Err(Failure { mode: FailureMode::UserInvalidInput, message });
            Errands { result, is_known: false }
        }
        Ok((child, input, output)) => {
            let mut leaves = || built_in::write(config, &mcp_leaves());
            let mut tell = |bytes: &[u8]| Output::new(crate::args::When::Never, true).staying().raw(bytes);
            let errands = run_errand(output, input, &errand, &mut leaves, &mut tell).await;
            end(child).await;
            errands
        }
    };
    built_in::write(config, &mcp_ends(&errands)).map_err(failed)?;
    match errands.result {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(failure) => {
            say(&failure.message);
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// Lists what a server offers, and takes up what is named.
pub(super) async fn add(config: &Config, out: Output, args: &ToolsAddArgs) -> Outcome {
    let server = server_json(args)?;
    let offered = match &args.url {
        Some(url) => at(config, &http_of(config, &args.name, url, &args.headers)?).await?,
        None => of_program(config, &args.command).await?,
    };
    let is_wanted =
        |value: &&Value| args.all.is_some() || args.tools.iter().any(|named| value["name"] == *named.0);
    if args.all.is_none() && args.tools.is_empty() {
        let row = |value: &Value| {
            [name_of(value), &pin_of(value).to_string(), &first_line(value)].map(safe_text).to_vec()
        };
        out.table(&["TOOL", "PIN", "SAYS OF ITSELF"], &offered.iter().map(row).collect::<Vec<_>>());
        say(
            "nothing was written; --tool NAME, or --all, shows all that is said, with the pin that takes it up",
        );
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((missing, _)) =
        args.tools.iter().find(|named| offered.iter().all(|value| name_of(value) != named.0))
    {
        let names: Vec<&str> = offered.iter().map(name_of).take(20).collect();
        let why = format!("could not find {missing} there; the server offers {}", names.join(", "));
        return Err(Trouble::usage(safe_text(&why)));
    }
    if !is_what_was_shown(out, args, &offered)? {
        return Ok(ExitCode::from(FAILED));
    }
    let workspace = config.find_or_make()?;
    config.require_trust(&workspace)?;
    let dir = workspace.root().join(".cuelight/tools");
    let unwritten = |path: &Path, error: std::io::Error| {
        Trouble::failed(format!("could not write {}: {error}", path.display()))
    };
    fs::create_dir_all(&dir).map_err(|error| unwritten(&dir, error))?;
    for says in offered.iter().filter(is_wanted) {
        let name = format!("{}.{}", args.name, plain(name_of(says)));
        let path = dir.join(format!("{name}.yaml"));
        let text = file_of(&name, &args.name, &server, says).map_err(Trouble::failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| unwritten(&path, error))?;
        file.write_all(text.as_bytes()).map_err(|error| unwritten(&path, error))?;
        out.line(&format!("{name}@1  {}", safe_text(&path.display().to_string())));
    }
    Ok(ExitCode::SUCCESS)
}

/// True if the offered tools are those that were shown before. Without a pin there is nothing to compare, so
/// they are shown now.
///
/// Each command asks the server again. A server may answer differently to a command that shows and to one
/// that writes.
fn is_what_was_shown(out: Output, args: &ToolsAddArgs, offered: &[Value]) -> Result<bool, Trouble> {
    let other = |what: &str| {
        let why =
            format!("could not take up {what}: its server says something else now than what has this pin");
        Trouble::failed(format!("{}; look again without the pin", safe_text(&why)))
    };
    if let Some(wanted) = args.all {
        let pin = pin_of_all(offered);
        if wanted.is_none() {
            offered.iter().for_each(|value| show(out, value));
            say(&format!("nothing was written; when all of that is as you want it, --all={pin} takes it up"));
        }
        return if wanted.is_none_or(|digest| digest == pin) {
            Ok(wanted.is_some())
        } else {
            Err(other("all"))
        };
    }
    let mut is_shown = true;
    for (name, wanted) in &args.tools {
        for says in offered.iter().filter(|value| name_of(value) == name) {
            let pin = pin_of(says);
            if wanted.is_some_and(|digest| digest != pin) {
                return Err(other(name));
            }
            if wanted.is_none() {
                show(out, says);
                say(&format!(
                    "nothing was written; when that is as you want it, --tool {name}={pin} takes it up"
                ));
                is_shown = false;
            }
        }
    }
    Ok(is_shown)
}

/// All that a server says of a tool and that would be kept.
fn show(out: Output, says: &Value) {
    out.line(&format!("{}  {}", safe_text(name_of(says)), pin_of(says)));
    for line in format!("{:#}", mcp_held(says)).lines() {
        out.line(&format!("  {}", safe_text(line)));
    }
}

fn pin_of(says: &Value) -> Digest {
    mcp_pin(&mcp_held(says))
}

/// One pin for all tools that are offered, in their order.
fn pin_of_all(offered: &[Value]) -> Digest {
    let pins: Vec<String> = offered.iter().map(|value| pin_of(value).to_string()).collect();
    sha256("cuelight-mcp-tools-v1", &pins.iter().map(String::as_bytes).collect::<Vec<_>>())
}

/// Shows what a server says otherwise, and writes it down when that is meant.
pub(super) async fn accept(config: &Config, out: Output, tool: &Tool, args: &ToolsAcceptArgs) -> Outcome {
    let ToolBody::Mcp(mcp) = &tool.body else {
        return Err(Trouble::usage(format!("could not ask a server of {}: it is no tool of one", tool.id())));
    };
    let offered = match &mcp.server {
        McpServer::Command(words) => of_program(config, words).await?,
        McpServer::Url(_) => at(config, &resolved(config, tool)?).await?,
    };
    let mut named = offered.iter().filter(|value| name_of(value) == mcp.tool);
    let (Some(says), None) = (named.next(), named.next()) else {
        let why = format!("could not accept {}: its server does not offer it, or more than once", tool.id());
        return Err(Trouble::failed(why));
    };
    let Some(changed) = McpCall::of(&mcp.tool, &mcp.says).changed(says) else {
        say(&format!("{}: its server says what was accepted", tool.id()));
        return Ok(ExitCode::SUCCESS);
    };
    out.line(&format!("{}: its server says something else now: {changed}", tool.id()));
    for (path, before, now) in differences("", Some(&mcp.says), Some(&mcp_held(says))) {
        // Whole: what is not seen cannot be accepted.
        let text = |value: Option<Value>| {
            value.map_or_else(|| "(nothing)".to_owned(), |text| safe_text(&text.to_string()))
        };
        out.line(&format!("  {}\n    was {}\n    now {}", safe_text(&path), text(before), text(now)));
    }
    let pin = pin_of(says);
    let Some(wanted) = args.yes else {
        say(&format!("nothing was written; `cuelight tool accept {} --yes {pin}` accepts it", tool.name));
        return Ok(ExitCode::from(FAILED));
    };
    if wanted != pin {
        let why = format!(
            "could not accept {}: its server says something else now than what has this pin; what it says now has the pin {pin}",
            tool.id()
        );
        return Err(Trouble::failed(why));
    }
    let failed = |why: String| Trouble::failed(format!("could not write {}: {why}", tool.origin));
    let text = read_text(Path::new(&tool.origin), FILE_BYTES_MAX).map_err(failed)?;
    let (start, end) = (mcp.says_place.start as usize, mcp.says_place.end as usize);
    let (Some(before), Some(after)) = (text.get(..start), text.get(end..)) else {
        return Err(failed("it was changed meanwhile".to_owned()));
    };
    let gap = if after.starts_with(['\n', '\r']) || after.is_empty() { "" } else { "\n" };
    let text = format!("{before}{}{gap}{after}", as_yaml(&mcp_held(says)));
    reads_as(&tool.origin, &text, says).map_err(failed)?;
    fs::write(&tool.origin, text).map_err(|error| failed(error.to_string()))?;
    say(&format!(
        "{}: accepted; runs that were planned before stay with what they were planned with",
        tool.id()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Every place where two values differ, by path.
fn differences(
    at: &str,
    before: Option<&Value>,
    now: Option<&Value>,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    match (before, now) {
        (Some(Value::Object(before)), Some(Value::Object(now))) => {
            let names = before.keys().chain(now.keys().filter(|key| !before.contains_key(*key)));
            let below = |name: &String| {
                let gap = if at.is_empty() { "" } else { "." };
                differences(&format!("{at}{gap}{name}"), before.get(name), now.get(name))
            };
            names.flat_map(below).collect()
        }
        (before, now) if before == now => Vec::new(),
        (before, now) => vec![(at.to_owned(), before.cloned(), now.cloned())],
    }
}

/// The tools of a server that is a program, in the environment that steps have.
async fn of_program(config: &Config, words: &[String]) -> Result<Vec<Value>, Trouble> {
    let workspace = config.find_or_make()?;
    config.require_trust(&workspace)?;
    let environment = config.inherited(&workspace)?;
    let (mut child, input, output) = start(words, Some(&environment))
        .map_err(|why| Trouble::failed(format!("could not start the MCP server: {why}")))?;
    let stderr = child.stderr.take();
    let aside = async {
        let (mut talk, mut stretch) = (Talk::default(), vec![0; 16 * 1024]);
        if let Some(mut stderr) = stderr {
            while let Ok(many @ 1..) = stderr.read(&mut stretch).await {
                talk.take(&stretch[..many]);
            }
        }
        talk.end();
    };
    let work = async {
        let mut talk = Talk::default();
        let mut tell = |bytes: &[u8]| talk.take(bytes);
        let listed = timeout(LIST_MAX, tools_of_program(output, input, &mut tell)).await;
        talk.end();
        end(child).await;
        listed
    };
    let listed = match select(pin!(work), pin!(aside)).await {
        Either::Left((listed, aside)) => {
            // Something it has started may still hold on to it.
            drop(timeout(END_MAX, aside).await);
            listed
        }
        Either::Right(((), work)) => work.await,
    };
    listed_in_time(listed)
}

/// The stderr of a server while its tools are listed. Each line is marked as the server's own, so that none
/// passes for output of this program.
#[derive(Default)]
struct Talk {
    /// The beginning of a line whose end has not arrived.
    rest: Vec<u8>,
    lines: usize,
}

impl Talk {
    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A line that does not end is shown in parts.
            if self.rest.len() > TALK_CHARS_SHOWN {
                self.end();
            }
            self.rest.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.rest);
        if line.is_empty() {
            return;
        }
        self.lines += 1;
        let text = String::from_utf8_lossy(&line);
        if self.lines <= TALK_LINES_MAX {
            say(&format!("server │ {}", shorten(text.trim_end(), TALK_CHARS_SHOWN)));
        } else if self.lines == TALK_LINES_MAX + 1 {
            say("server │ … and more, which is not shown");
        }
    }
}

async fn at(config: &Config, http: &HttpCall) -> Result<Vec<Value>, Trouble> {
    let (host, _) = outside(config, "mcp")?;
    let mut talk = Talk::default();
    let mut tell = |bytes: &[u8]| talk.take(bytes);
    let listed = timeout(LIST_MAX, Box::pin(tools_at(&host, http, &mut tell))).await;
    talk.end();
    listed_in_time(listed)
}

fn listed_in_time<E>(listed: Result<Result<Vec<Value>, String>, E>) -> Result<Vec<Value>, Trouble> {
    match listed {
        Ok(Ok(tools)) => Ok(tools),
        Ok(Err(why)) => Err(Trouble::failed(format!("could not learn what the server offers: {why}"))),
        Err(_) => Err(Trouble::failed(format!(
            "could not learn what the server offers: it has not answered within {} s",
            LIST_MAX.as_secs()
        ))),
    }
}

/// The request that a call of this tool would be, with the variables of here in place of those of a step.
fn resolved(config: &Config, tool: &Tool) -> Result<HttpCall, Trouble> {
    let plan = PlanTool { input: json!({"type": "object"}), ..PlanTool::of(tool) };
    let env =
        config.all_variables().map(|(name, value)| (name.to_owned(), vec![TextPart::Text(value.to_owned())]));
    let env: Vec<_> = env.collect();
    let launch = plan.call(cuelight_base::ValueMap::new(), &Given { env: &env, ..Given::default() });
    let http = launch.map_err(Trouble::usage)?.http;
    http.map(|http| *http).ok_or_else(|| Trouble::usage("could not tell where its server is"))
}

/// The same for a server that no file describes yet.
fn http_of(
    config: &Config,
    name: &str,
    url: &str,
    headers: &[(String, String)],
) -> Result<HttpCall, Trouble> {
    let says = json!({"name": "x", "inputSchema": {"type": "object"}});
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|header| (header.0.clone(), header.1.clone().into())).collect();
    let text = text_of(&format!("{name}.x"), name, "", &json!({"url": url, "headers": headers}), &says);
    let registry = Registry::new(&[(format!("{name}/x.yaml"), Ok(text))]);
    let tool = registry.find(&format!("{name}.x")).ok_or_else(|| {
        let why =
            registry.problems().iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ");
        Trouble::usage(format!("could not use that server: {why}"))
    })?;
    resolved(config, &Arc::clone(tool))
}

/// The address of the server in the form of its file: a URL or a command.
fn server_json(args: &ToolsAddArgs) -> Result<Value, Trouble> {
    match (&args.url, args.command.is_empty()) {
        (Some(url), true) => {
            let headers: serde_json::Map<String, Value> =
                args.headers.iter().map(|header| (header.0.clone(), header.1.clone().into())).collect();
            Ok(json!({"url": url, "headers": headers}))
        }
        (None, false) => Ok(json!({"command": args.command})),
        _ => {
            Err(Trouble::usage("could not tell where the server is; name its command after --, or its --url"))
        }
    }
}

/// The file that describes one tool of a server; only when it is read again as what the server said.
fn file_of(name: &str, category: &str, server: &Value, says: &Value) -> Result<String, String> {
    let text = text_of(name, category, &first_line(says), server, &mcp_held(says));
    reads_as(&format!("tools/{name}.yaml"), &text, says)
        .map_err(|why| format!("could not take up {}: {why}", safe_text(name_of(says))))?;
    Ok(text)
}

/// Checks that a file reads back as the tool that the server described.
fn reads_as(path: &str, text: &str, says: &Value) -> Result<(), String> {
    let registry = Registry::new(&[(path.to_owned(), Ok(text.to_owned()))]);
    if let Some(problem) = registry.problems().first() {
        return Err(safe_text(&problem.message));
    }
    let found = registry.all().find_map(|tool| match &tool.body {
        ToolBody::Mcp(mcp) if tool.origin == path => Some(mcp_pin(&mcp_held(&mcp.says))),
        _ => None,
    });
    if found == Some(pin_of(says)) {
        return Ok(());
    }
    Err("what its server says cannot be written so that it is read as the same".to_owned())
}

fn text_of(name: &str, category: &str, description: &str, server: &Value, says: &Value) -> String {
    let description =
        if description.is_empty() { format!("A tool of {category}") } else { description.to_owned() };
    let mut place = String::new();
    for (key, value) in server.as_object().into_iter().flatten() {
        if value.as_object().is_none_or(|fields| !fields.is_empty()) {
            place.push_str(&format!("  {key}: {}\n", as_yaml(value)));
        }
    }
    format!(
        "# A tool of an MCP server, taken up by `cuelight tool add`. Under `says` stands what the server said of it; a call is refused when it\n\
         # says something else, and `cuelight tool accept {name}` shows what. Its word about its effects is not taken: `effect` and\n\
         # `risk` are yours to say.\n\
         name: {name}\n\
         version: 1\n\
         description: {}\n\
         category: {category}\n\
         effect: once\n\
         risk: externally-reversible\n\
         mcp:\n{place}  tool: {}\n  says: {}\n",
        as_yaml(&description.into()),
        as_yaml(&says["name"]),
        as_yaml(says),
    )
}

fn name_of(says: &Value) -> &str {
    says["name"].as_str().unwrap_or_default()
}

/// The name with every character replaced by `-` that may not stand in the name of a tool; at most 100
/// characters.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars().map(|c| if fits(c) { c } else { '-' }).take(100).collect()
}

/// The first line of the server's description of a tool; only ever shown.
fn first_line(says: &Value) -> String {
    let text = says["description"].as_str().or(says["title"].as_str()).unwrap_or_default();
    let line = text.trim().lines().next().unwrap_or_default();
    safe_text(&shorten(line, DESCRIPTION_CHARS_MAX)).replace("${{", "{{")
}

/// A server that is a program; in this environment, or in ours but for the files of outputs.
fn start(
    words: &[String],
    environment: Option<&[(String, String)]>,
) -> Result<(Child, ChildStdin, ChildStdout), String> {
    let (program, rest) = words.split_first().ok_or_else(|| "no command is given".to_owned())?;
    let mut command = new_command(program);
    command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    match environment {
        Some(environment) => {
            // Whoever looks at it is to know which words are its own.
            command.stderr(Stdio::piped());
            command.env_clear().envs(environment.iter().map(|pair| (&pair.0, &pair.1)));
        }
        None => {
            for name in OUTPUT_NAMES {
                command.env_remove(name);
            }
        }
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("{}: {error}; install it or put it on PATH", safe_text(program)))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(input), Some(output)) => Ok((child, input, output)),
        _ => Err("its input and output could not be opened".to_owned()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that an operator or a step names is started here")]
fn new_command(program: &str) -> tokio::process::Command {
    tokio::process::Command::new(program)
}

/// Its input is closed; it has a moment to go by itself.
async fn end(mut child: Child) {
    if timeout(END_MAX, child.wait()).await.is_err() {
        // It may have gone at this very moment.
        drop(child.kill().await);
    }
}

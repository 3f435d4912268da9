//! `hook`: the permission prompts of coding agents wait in the same inbox as every other gate.
//!
//! The agent describes its intended action on standard input, and obeys the answer on standard output. The
//! formats are those the agents publish: code.claude.com/docs/en/hooks for Claude Code, and for Codex the
//! schemas below `codex-rs/hooks/schema` of its repository. An unknown question, or any error, is answered
//! with no. An agent takes exit code 2 as a no, and every other code as permission to go on.

use super::gate::{self, AskArgs, TEXT_BYTES_MAX};
use crate::{
    config::Config,
    exit::{Outcome, Trouble, USAGE},
    output::Output,
};
use clap::{Args, ValueEnum};
use cuelight_base::{Digest, Hasher, Value, safe_text};
use cuelight_engine::{GateState, Verdict};
use cuelight_projection::GateView;
use cuelight_runtime::{FileNow, ToolAsk, ToolUse};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct HookArgs {
    /// Agent that asks the questions
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

/// Largest question that is read, in bytes; nobody decides on more.
const QUESTION_BYTES_MAX: u64 = 4 * TEXT_BYTES_MAX;

/// A larger file is not hashed.
const HASHED_BYTES_MAX: u64 = 1024 * TEXT_BYTES_MAX;
/// Bytes of a path that the kernel takes, and links that are followed for one.
const PATH_BYTES_MAX: usize = 4096;
const LINKS_MAX: u32 = 40;

/// The events of an agent that can be answered.
const BEFORE_A_TOOL: &str = "PreToolUse";
const AT_THE_PROMPT: &str = "PermissionRequest";

/// The fields that both agents send; all others are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Question {
    hook_event_name: String,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    cwd: String,
    #[serde(default)]
    tool_name: String,
    #[serde(default)]
    tool_input: Value,
}

impl Question {
    /// Makes a question of an agent that names only a tool and its input.
    pub(super) fn of(tool: String, input: Value, here: String) -> Self {
        Self {
            hook_event_name: AT_THE_PROMPT.to_owned(),
            session_id: String::new(),
            cwd: here,
            tool_name: tool,
            tool_input: input,
        }
    }
}

/// A question as people are asked it.
pub(super) struct Asked {
    pub(super) ask: AskArgs,
    pub(super) evidence: Vec<(String, String)>,
    /// The files that would be written, as they were shown.
    files: Vec<FileNow>,
}

impl Asked {
    /// The answer, as long as the file is the one that was shown: a yes to a change holds for no other file.
    pub(super) fn still(&self, told: Told) -> Told {
        let Told::Yes(_) = told else { return told };
        let is_other = |shown: &&FileNow| file_now(Path::new(&shown.path)) != **shown || is_unknown(shown);
        match self.files.iter().find(is_other) {
            Some(shown) if is_unknown(shown) => Told::No(format!(
                "could not tell whether {} is still the file that people were asked about; change it in another way",
                shown.path
            )),
            Some(shown) => Told::No(format!(
                "{} has changed since people were shown what would become of it; read it again, then ask again",
                shown.path
            )),
            None => told,
        }
    }
}

/// A file that is there and whose bytes are not known: any other file would look the same.
fn is_unknown(file: &FileNow) -> bool {
    file.problem.is_some() && file.digest.is_none()
}

/// The answer to the agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Yes(String),
    No(String),
    /// It asks at its own terminal.
    Yours(String),
}

pub(super) async fn hook(config: Config, out: Output, args: &HookArgs) -> Outcome {
    // Every trouble leaves with the one code that agents take as a no.
    let fail_closed = |error: Trouble| Trouble { code: USAGE, message: error.message };
    let question = read(std::io::stdin().lock()).map_err(fail_closed)?;
    let agent = args
        .agent
        .to_possible_value()
        .map_or_else(String::new, |possible_value| possible_value.get_name().to_owned());
    let asked = asked(args, &agent, &question);
    let config = config.for_agents().map_err(fail_closed)?;
    let told = match gate::ask_elsewhere(&config, out, &asked.ask, &asked.evidence).await {
        Ok(answer) => asked.still(told(&answer.gate, args)),
        Err(trouble) => return Err(fail_closed(trouble)),
    };
    if let Some(answer) = answer(args.agent, &question.hook_event_name, &told) {
        out.json(&answer);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(input: impl std::io::Read) -> Result<Question, Trouble> {
    let mut text = String::new();
    let read = input.take(QUESTION_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Trouble::usage(format!("could not read the question of the agent: {error}")))?;
    if text.len() as u64 > QUESTION_BYTES_MAX {
        return Err(Trouble::usage(format!(
            "could not ask people: the question has more than {QUESTION_BYTES_MAX} bytes; do it in smaller steps"
        )));
    }
    let question: Question = cuelight_base::read_json(&text).map_err(|error| {
        Trouble::usage(format!(
            "could not read the question of the agent: {error}; set this command up as a hook, with the JSON of the event on its standard input"
        ))
    })?;
    let event = question.hook_event_name.as_str();
    if ![BEFORE_A_TOOL, AT_THE_PROMPT].contains(&event) {
        return Err(Trouble::usage(format!(
            "could not answer the event {}; set this hook up for {BEFORE_A_TOOL} or {AT_THE_PROMPT}",
            safe_text(event)
        )));
    }
    if question.tool_name.trim().is_empty() {
        return Err(Trouble::usage("could not ask people: the question names no tool (tool_name)"));
    }
    Ok(question)
}

/// The gate, the evidence at it, and the file that the agent would change: everything the agent will do.
pub(super) fn asked(args: &HookArgs, agent: &str, question: &Question) -> Asked {
    let Question { tool_name: tool, tool_input: input, cwd: directory, session_id, .. } = question;
    let tool_use = ToolUse { agent, tool, input, directory };
    let file = tool_use.changed_file().map(|path| file_now(&Path::new(directory).join(path)));
    let here = Path::new(directory);
    let root = real(here, LINKS_MAX);
    let named = tool_use.written_files().unwrap_or_default();
    let mut files: Vec<FileNow> = named.into_iter().map(|path| file_now(&here.join(path))).collect();
    let from_here =
        |path: &Path| path.strip_prefix(&root).map_or_else(|_| path.to_owned(), |below| here.join(below));
    let written: Vec<String> =
        files.iter().map(|file| from_here(Path::new(&file.path)).display().to_string()).collect();
    let ToolAsk { title, evidence, claim, risk } = tool_use.ask(file.as_ref(), &written);
    let hash = Digest::of(input.to_string());
    let bind = |(key, value): (&str, &str)| (!value.is_empty()).then(|| (key.to_owned(), value.to_owned()));
    let hash = format!("sha256:{hash}");
    let binds =
        [("tool", tool.as_str()), ("input", &hash), ("directory", directory), ("session", session_id)];
    let ask = AskArgs {
        title,
        claim,
        evidence: Vec::new(),
        binds: binds.into_iter().filter_map(bind).collect(),
        risk: args.risk.clone().unwrap_or_else(|| risk.word().to_owned()),
        timeout: Some(args.timeout.clone()),
        require: args.require.clone(),
        four_eyes: args.four_eyes,
        env: Vec::new(),
        json: false,
        command: Vec::new(),
    };
    if files.is_empty() {
        files.extend(file);
    }
    Asked { ask, evidence, files }
}

/// The path of a file with all links followed. It also resolves the path of a file that does not exist yet,
/// and a link that leads to no file.
fn real(path: &Path, links: u32) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    if path.as_os_str().len() > PATH_BYTES_MAX {
        return path.to_owned();
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
    match fs::read_link(path) {
        Ok(target) if links > 0 => real(&parent.join(target), links - 1),
        _ => real(parent, links).join(name),
    }
}

/// A file as it is, links followed.
fn file_now(path: &Path) -> FileNow {
    let real = real(path, LINKS_MAX);
    let now = FileNow { path: real.display().to_string(), text: None, digest: None, problem: None };
    let failed = |why: String| FileNow { problem: Some(why), ..now.clone() };
    match fs::metadata(&real) {
        Err(error) if error.kind() == ErrorKind::NotFound => return now,
        Err(error) => return failed(error.to_string()),
        Ok(about) if !about.is_file() => return failed("it is no plain file".to_owned()),
        Ok(about) if about.len() > TEXT_BYTES_MAX => {
            let digest = (about.len() <= HASHED_BYTES_MAX).then(|| digest_of(&real).ok()).flatten();
            return FileNow { digest, ..failed(format!("it has more than {TEXT_BYTES_MAX} bytes")) };
        }
        Ok(_) => {}
    }
    let bytes = match fs::read(&real) {
        Ok(bytes) => bytes,
        Err(error) => return failed(error.to_string()),
    };
    let digest = Some(Digest::of(&bytes));
    match String::from_utf8(bytes) {
        Ok(text) => FileNow { text: Some(text), digest, ..now },
        Err(_) => FileNow { digest, ..failed("it is no text".to_owned()) },
    }
}

/// The hash of a file that is too large to be shown.
fn digest_of(path: &Path) -> std::io::Result<Digest> {
    Ok(Hasher::new().pour(fs::File::open(path)?, &mut std::io::sink())?.1)
}

pub(super) fn told(gate: &GateView, args: &HookArgs) -> Told {
    let id = gate.id;
    let who = gate.closed_by.as_deref().unwrap_or("nobody");
    let words = |verdict: Verdict| {
        let vote = gate.votes.iter().rev().find(|vote| vote.vote.verdict == verdict);
        vote.map(|vote| vote.vote.reason.trim())
            .filter(|reason| !reason.is_empty())
            .map_or_else(String::new, |reason| format!(": {reason}"))
    };
    match gate.state {
        GateState::Approved => Told::Yes(format!("{id} was approved by {who}{}", words(Verdict::Approve))),
        GateState::Rejected => Told::No(format!("{id} was rejected by {who}{}", words(Verdict::Reject))),
        GateState::Expired if args.on_timeout == Silence::Ask => {
            Told::Yours(format!("nobody has answered {id} within {}", args.timeout))
        }
        GateState::Expired => Told::No(format!("nobody has answered {id} within {}", args.timeout)),
        GateState::Cancelled => Told::No(format!("{id} was cancelled by {who}")),
        GateState::Open | GateState::Armed => Told::No(format!("{id} was not answered; ask again")),
    }
}

/// The answer in the agent's words; nothing where saying nothing is how it is told.
fn answer(agent: Agent, event: &str, told: &Told) -> Option<Value> {
    if event == AT_THE_PROMPT {
        let decision = match told {
            Told::Yes(_) => json!({"behavior": "allow"}),
            Told::No(why) => json!({"behavior": "deny", "message": why}),
            // Without a decision the prompt comes up as it would without a hook.
            Told::Yours(_) => return None,
        };
        return Some(json!({"hookSpecificOutput": {"hookEventName": event, "decision": decision}}));
    }
    let (decision, why) = match (agent, told) {
        // Codex takes no `allow` here: without a word it goes on by its own rules.
        (Agent::Codex, Told::Yes(_)) => return None,
        // Nor has it an `ask`, and without a word it would go on.
        (Agent::Codex, Told::Yours(why)) => ("deny", why),
        (Agent::ClaudeCode, Told::Yours(why)) => ("ask", why),
        (Agent::ClaudeCode, Told::Yes(why)) => ("allow", why),
        (_, Told::No(why)) => ("deny", why),
    };
    let said =
        json!({"hookEventName": event, "permissionDecision": decision, "permissionDecisionReason": why});
    Some(json!({"hookSpecificOutput": said}))
}

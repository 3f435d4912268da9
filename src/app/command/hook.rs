//! `hook`: the permission prompts of coding agents wait in the same inbox as every other gate.
//!
//! The agent says on standard input what it is about to do, and goes on as standard output says. The formats are those
//! the agents publish: code.claude.com/docs/en/hooks for Claude Code, and for Codex the schemas below
//! `codex-rs/hooks/schema` of its repository. What is not understood, and whatever goes wrong, is a no: an agent takes
//! exit code 2 as one, and every other code as leave to go on.

use super::gate::{self, TEXT_BYTES_MAX};
use crate::{
    app::{
        args::{Agent, AskArgs, HookArgs, Silence},
        config::Config,
        exit::{Outcome, Trouble, USAGE},
        output::Output,
    },
    base::{Digest, Value, safe_text},
    engine::{GateState, Verdict},
    projection::GateView,
};
use clap::ValueEnum as _;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{io::Read as _, process::ExitCode};

/// What is read of a question; nobody decides on more.
const QUESTION_BYTES_MAX: u64 = 4 * TEXT_BYTES_MAX;
/// What fits into a title, and into a line of what is bound.
const TITLE_CHARS_MAX: usize = 100;
const BOUND_CHARS_MAX: usize = 400;

/// The events of an agent that can be answered.
const BEFORE_A_TOOL: &str = "PreToolUse";
const AT_THE_PROMPT: &str = "PermissionRequest";

/// What both agents say; the rest is theirs.
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
    /// Of an agent that says no more than what it wants to use.
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

/// What the agent is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Yes(String),
    No(String),
    /// It asks at its own terminal.
    Yours(String),
}

pub(super) async fn hook(config: &Config, out: Output, args: &HookArgs) -> Outcome {
    // Every trouble leaves with the one code that agents take as a no.
    let fail_closed = |it: Trouble| Trouble { code: USAGE, message: it.message };
    let question = read(std::io::stdin().lock()).map_err(fail_closed)?;
    let agent = args.agent.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
    let (ask, evidence) = asked(args, &agent, &question);
    let told = match gate::ask(config, out, &ask, &[evidence]).await {
        Ok(answer) => told(&answer.gate, args),
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
    read.map_err(|it| Trouble::usage(format!("could not read the question of the agent: {it}")))?;
    if text.len() as u64 > QUESTION_BYTES_MAX {
        return Err(Trouble::usage(format!(
            "could not ask people: the question has more than {QUESTION_BYTES_MAX} bytes; do it in smaller steps"
        )));
    }
    let question: Question = serde_json::from_str(&text).map_err(|it| {
        Trouble::usage(format!(
            "could not read the question of the agent: {it}; set this command up as a hook, with the JSON of the event on its standard input"
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

/// The gate, and the evidence at it: everything the agent will do.
pub(super) fn asked(args: &HookArgs, agent: &str, question: &Question) -> (AskArgs, (String, String)) {
    let tool = &question.tool_name;
    let exact = question.tool_input.to_string();
    let bound = if exact.chars().count() <= BOUND_CHARS_MAX {
        exact.clone()
    } else {
        format!("sha256:{}", Digest(Sha256::digest(exact.as_bytes()).into()))
    };
    let binds =
        [("tool", tool), ("input", &bound), ("directory", &question.cwd), ("session", &question.session_id)];
    let ask = AskArgs {
        title: title(agent, question),
        evidence: Vec::new(),
        binds: binds.map(|(key, value)| (key.to_owned(), value.clone())).to_vec(),
        risk: args.risk.clone().unwrap_or_else(|| risk(tool).to_owned()),
        timeout: Some(args.timeout.clone()),
        require: args.require.clone(),
        four_eyes: args.four_eyes,
        env: Vec::new(),
        json: false,
        command: Vec::new(),
    };
    (ask, (tool.clone(), exact))
}

/// `claude-code wants to use Bash: rm -rf build`.
fn title(agent: &str, question: &Question) -> String {
    let input = &question.tool_input;
    let subject =
        ["command", "file_path", "path", "url", "query"].iter().find_map(|key| input[*key].as_str());
    let line = subject.unwrap_or_default().trim().lines().next().unwrap_or_default();
    let mut text = format!("{agent} wants to use {}", question.tool_name);
    if !line.is_empty() {
        text = format!("{text}: {line}");
    }
    if text.chars().count() > TITLE_CHARS_MAX {
        text = text.chars().take(TITLE_CHARS_MAX - 1).chain(['…']).collect();
    }
    text
}

/// What the tools that agents bring along can do; of all others the worst that can still be taken back is believed.
fn risk(tool: &str) -> &'static str {
    match tool {
        "Read" | "Glob" | "Grep" | "LS" | "NotebookRead" | "TodoWrite" => "read-only",
        "Edit" | "MultiEdit" | "Write" | "NotebookEdit" | "apply_patch" => "reversible",
        _ => "externally-reversible",
    }
}

pub(super) fn told(gate: &GateView, args: &HookArgs) -> Told {
    let id = gate.id;
    let who = gate.closed_by.as_deref().unwrap_or("nobody");
    let words = |verdict: Verdict| {
        let vote = gate.votes.iter().rev().find(|it| it.vote.verdict == verdict);
        vote.map(|it| it.vote.reason.trim())
            .filter(|it| !it.is_empty())
            .map_or_else(String::new, |it| format!(": {it}"))
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

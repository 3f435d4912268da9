//! `gate`: any script asks people, in the same inbox as workflows do, and continues with the answer.
//!
//! The ask is a workflow of one gate and, when there is a command, one step behind it. So all that holds of gates holds
//! here: it is on disk before it is shown, it outlives every process, what was shown is what runs, and it has a receipt.

use super::{
    act,
    decide::{self, CommentArgs, DecideArgs, DelegateArgs, EditArgs, GateArgs, ReviewArgs},
    follow,
    gates::{self, WaitArgs},
    logs::{self, LogsArgs},
    signals::Signals,
    telling::Telling,
};
use crate::{
    args::key_value,
    config::Config,
    exit::{self, NOT_RECORDED, Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use clap::{Args, Subcommand};
use cuelight_base::{Channel, RunId, ValueMap, safe_text};
use cuelight_engine::{GateState, Verdict};
use cuelight_projection::{GateAnswer, GateView};
use cuelight_runtime::{Desk, Draft, Entropy, LaunchRequest, Receipt, Reply, Source};
use cuelight_store::Workspace;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

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

/// A file from outside of the workspace is shown as text, and what is longer nobody reads.
pub(super) const TEXT_BYTES_MAX: u64 = 1024 * 1024;
/// Number of tries to reach an engine that goes away.
const TRIES_MAX: u32 = 5;
/// The step that asks, and the one that runs the command.
const ASKS: &str = "ask";
const ACTS: &str = "command";

/// The outcome of an ask, as `gate --json` tells it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Asked")]
pub(super) struct AskedAnswer {
    #[serde(flatten)]
    gate: GateAnswer,
    /// The exit code of the command behind the gate; none if it was not started.
    exit_code: Option<i32>,
}

/// The outcome of an ask.
pub(super) struct Answer {
    pub(super) gate: Arc<GateView>,
    /// The exit code of the command behind the gate; None if it was not started.
    code: Option<i32>,
    /// True if the command behind the gate succeeded, or if the gate has none.
    succeeded: bool,
}

#[derive(Debug, Args)]
pub(super) struct GateNoun {
    #[command(subcommand)]
    command: Option<GateCommand>,
    #[command(flatten)]
    ask: Option<AskArgs>,
}

#[derive(Debug, Subcommand)]
enum GateCommand {
    /// Add a comment at a gate; the console, `gates --show` and `gates --json` show it
    #[command(after_help = "Example: cuelight gate comment g-3 \"waiting for the numbers\"")]
    Comment(CommentArgs),
    /// Delegate your answer at a gate to another person, for 8 hours or as long as --for says
    #[command(after_help = "Example: cuelight gate delegate g-3 --to bob --for 4h --reason \"on a train\"")]
    Delegate(DelegateArgs),
    /// Withdraw your vote or your delegation at a gate
    #[command(after_help = "Example: cuelight gate withdraw g-3")]
    Withdraw(GateArgs),
    /// Send a gate back: the steps from its `send-back` step on run again, then a new gate asks
    #[command(
        name = "send-back",
        after_help = "Example: cuelight gate send-back g-3 --reason \"the tests ran on the wrong branch\""
    )]
    SendBack(DecideArgs),
    /// Record the review of an emergency approval or an override
    #[command(after_help = "Example: cuelight gate review g-3 --reason 'the roll-back was the right thing'")]
    Review(ReviewArgs),
    /// Change the values of a gate's form: a new ask, all votes are void, and you cannot vote there
    #[command(
        after_help = "Example: cuelight gate edit g-3 -i ticket=CHG-7 --reason \"the ticket was missing\""
    )]
    Edit(EditArgs),
    /// Wait until a gate closes
    #[command(after_help = "Example: cuelight gate wait g-3 && ./deploy.sh\n\n\
        Exit codes: 0 approved, 1 rejected or sent back, 2 usage, 3 expired, 6 no console reachable or fault.")]
    Wait(WaitArgs),
}

pub(super) async fn gate(config: &Config, out: Output, noun: GateNoun) -> Outcome {
    let Some(command) = noun.command else {
        let asked = noun.ask.ok_or_else(|| Trouble::usage("could not ask: say what with --title"))?;
        return ask_people(config, out, &asked).await;
    };
    match command {
        GateCommand::Comment(args) => decide::comment(config, out, args).await,
        GateCommand::Delegate(args) => decide::delegate(config, out, args).await,
        GateCommand::Withdraw(args) => decide::withdraw(config, out, args).await,
        GateCommand::SendBack(args) => decide::decide(config, out, args, Verdict::SendBack).await,
        GateCommand::Review(args) => decide::review(config, out, args).await,
        GateCommand::Edit(args) => decide::edit(config, out, args).await,
        GateCommand::Wait(args) => gates::wait(config, out, &args).await,
    }
}

async fn ask_people(config: &Config, out: Output, args: &AskArgs) -> Outcome {
    let answer = ask(config, out, args).await?;
    if args.json {
        out.json_pretty(&AskedAnswer { gate: GateAnswer::of(&answer.gate), exit_code: answer.code });
    } else {
        say(&format!("{} is {}{}", answer.gate.id, answer.gate.state, by(&answer.gate)));
    }
    match answer.gate.state {
        GateState::Approved if !answer.succeeded => {
            let code = answer.code.and_then(|code| u8::try_from(code).ok()).filter(|byte| *byte != 0);
            Ok(ExitCode::from(code.unwrap_or(NOT_RECORDED)))
        }
        state => Ok(exit::of_gate(state)),
    }
}

/// Asks, and waits for the answer: here, or at the engine that has the workspace.
async fn ask(config: &Config, out: Output, args: &AskArgs) -> Result<Answer, Trouble> {
    let workspace = config.find_or_make()?;
    let ask = workflow(config, &workspace, args, &[])?;
    let mut signals = Signals::listen()?;
    let seat = wiring::own_or_attach(config, &workspace, Channel::Command).await?;
    let answer = match begin(&seat, ask).await {
        Ok(run) => answered(&seat, out, args, run, &mut signals).await,
        Err(trouble) => Err(trouble),
    };
    seat.leave().await;
    answer
}

/// Asks at an engine in the background, which outlives the one that asks, and waits. `texts` are names and texts that are shown as
/// evidence besides the files.
pub(super) async fn ask_elsewhere(
    config: &Config,
    out: Output,
    args: &AskArgs,
    texts: &[(String, String)],
) -> Result<Answer, Trouble> {
    let workspace = config.find_or_make()?;
    let ask = workflow(config, &workspace, args, texts)?;
    let mut signals = Signals::listen()?;
    let mut tries = 0;
    let (seat, run) = loop {
        tries += 1;
        let seat = wiring::act_by(config, Channel::Command).await?;
        let mut boards = seat.desk.boards();
        let begun = tokio::select! {
            biased;
            begun = begin(&seat, ask.clone()) => begun,
            // An engine that had nothing to do may leave just as somebody comes.
            _ = boards.wait_for(cuelight_runtime::Seen::is_lost) => Err(Trouble::not_recorded(
                "could not ask: the engine left before it had taken the question; ask again",
            )),
        };
        match begun {
            Ok(run) => break (seat, run),
            Err(trouble) => {
                seat.leave().await;
                if trouble.code != NOT_RECORDED || tries == TRIES_MAX {
                    return Err(trouble);
                }
            }
        }
    };
    let answer = answered(&seat, out, args, run, &mut signals).await;
    seat.leave().await;
    answer
}

/// Launches the run whose only purpose is the gate, and returns its id.
pub(super) async fn begin(seat: &Seat, (text, values): (String, ValueMap)) -> Result<RunId, Trouble> {
    let source = Source::Text { name: "gate.yaml".to_owned(), text };
    let request = LaunchRequest { values, ..LaunchRequest::of(Entropy.request_id(), source) };
    match seat.desk.launch(request).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => Ok(run),
        reply => Err(act::refused(reply)),
    }
}

/// Waits at the gate that was opened.
pub(super) async fn answered(
    seat: &Seat,
    out: Output,
    args: &AskArgs,
    run: RunId,
    signals: &mut Signals,
) -> Result<Answer, Trouble> {
    let telling = async {
        tell_gate(seat, run, args).await;
        if !args.command.is_empty() && !args.json {
            let logs = LogsArgs {
                run: run.to_string(),
                step: Some(ACTS.to_owned()),
                grep: None,
                follow: true,
                raw: true,
                json: false,
                timestamps: false,
            };
            // What it wrote is in the log all the same.
            drop(logs::print_logs(seat, out, run, &logs).await);
        }
    };
    let (ended, ()) = tokio::join!(follow::follow(seat, out, run, Telling::Nothing, signals), telling);
    ended?;
    let view = super::named::view(seat, run).await?;
    let gate = gate_of(seat, run).await.ok_or_else(|| {
        Trouble::not_recorded(format!("could not learn what became of {run}; `cuelight show {run}` tells"))
    })?;
    let command = view.find(ACTS).and_then(|value| view.step(value));
    let code = command.and_then(|command| command.attempts().last()).and_then(|attempt| attempt.exit_code);
    let succeeded = command.is_none_or(|command| command.state == cuelight_engine::StepState::Completed);
    Ok(Answer { gate, code, succeeded })
}

fn by(gate: &GateView) -> String {
    gate.closed_by.as_deref().map_or_else(String::new, |closed_by| format!(" by {}", safe_text(closed_by)))
}

/// Says where the ask waits, as soon as it does.
async fn tell_gate(seat: &Seat, run: RunId, args: &AskArgs) {
    let mut boards = seat.desk.boards();
    let is_there = |seen: &cuelight_runtime::Seen| {
        let rests = seen.board.summary(run).is_some_and(|summary| summary.state.rests());
        rests || seen.board.open_gates().any(|gate| gate.run == run)
    };
    let Ok(seen) = boards.wait_for(is_there).await.map(|board| board.clone()) else { return };
    if let Some(gate) = seen.board.open_gates().find(|gate| gate.run == run) {
        let id = gate.id;
        let root = seat.workspace.root().display();
        say(&format!(
            "{id} waits for a person: {}\nanswer it in {root} with `cuelight approve {id}` or `cuelight reject {id}`, or open it with `cuelight`",
            args.title
        ));
    }
}

async fn gate_of(seat: &Seat, run: RunId) -> Option<Arc<GateView>> {
    let board = seat.desk.boards().borrow().board.clone();
    let newest = board.gates().rfind(|gate| gate.run == run).map(|gate| gate.id)?;
    super::named::gate_view(seat, newest).await.ok()
}

/// The workflow that asks, and its input values. Text typed by people becomes part of no expression and of no
/// script.
pub(super) fn workflow(
    config: &Config,
    workspace: &Workspace,
    args: &AskArgs,
    texts: &[(String, String)],
) -> Result<(String, ValueMap), Trouble> {
    let mut draft = Draft::default();
    let mut evidence = Vec::new();
    for file in &args.evidence {
        match inside(workspace, &config.here.join(file)) {
            Some(path) => evidence.push(path),
            None => evidence.push(draft.given(&name_of(file), text_of(&config.here.join(file))?)),
        }
    }
    evidence.extend(texts.iter().map(|(name, text)| draft.given(name, text.clone())));
    let binds: Vec<String> = args.binds.iter().map(|(key, value)| draft.bound(key, value)).collect();
    let require = args.require.iter().map(|text| required(text)).collect::<Result<Vec<_>, Trouble>>()?;
    let mut gate = draft.gate(args.title.clone(), evidence, require, args.four_eyes);
    gate["risk"] = args.risk.clone().into();
    if let Some(claim) = &args.claim {
        gate["claim"] = draft.given("claim", claim.clone()).into();
    }
    gate["binds"] = binds.into();
    if let Some(timeout) = &args.timeout {
        gate["timeout"] = timeout.clone().into();
    }
    let mut steps = vec![json!({"id": ASKS, "gate": gate})];
    if !args.command.is_empty() {
        let env: BTreeMap<&String, String> = args
            .env
            .iter()
            .map(|text| Ok((text, variable(config, text, &mut draft)?)))
            .collect::<Result<_, Trouble>>()?;
        let here = config.here.to_str().filter(|text| !text.contains("${{")).ok_or_else(|| {
            Trouble::usage("could not name this directory in a workflow; change into another one")
        })?;
        steps.push(json!({
            "id": ACTS,
            "needs": ASKS,
            "run": args.command,
            "working-directory": here,
            "env": env,
            "effect": "once",
        }));
    }
    Ok(draft.finish("gate", &steps.into()))
}

fn name_of(file: &Path) -> String {
    file.file_name().map_or_else(|| "evidence".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The path of a file below the workspace: it is looked at again when people answer.
fn inside(workspace: &Workspace, file: &Path) -> Option<String> {
    let root = workspace.root().canonicalize().ok()?;
    let path = file.canonicalize().ok()?;
    let below = path.strip_prefix(&root).ok()?.to_str()?;
    (!below.is_empty() && !below.starts_with(".cuelight") && !below.contains("${{")).then(|| below.to_owned())
}

/// A file from elsewhere, shown as it is now.
fn text_of(file: &Path) -> Result<String, Trouble> {
    let shown = file.display();
    let size =
        fs::metadata(file).map_err(|error| Trouble::usage(format!("could not read {shown}: {error}")))?.len();
    if size > TEXT_BYTES_MAX {
        let why =
            format!("could not show {shown}: it has more than {TEXT_BYTES_MAX} bytes; show an extract of it");
        return Err(Trouble::usage(why));
    }
    let bytes = fs::read(file).map_err(|error| Trouble::usage(format!("could not read {shown}: {error}")))?;
    String::from_utf8(bytes).map_err(|_| {
        Trouble::usage(format!(
            "could not show {shown}: it is no text; copy it into the workspace, or describe it"
        ))
    })
}

/// Parses `sre` or `sre:2` into a group and its number of approvers.
fn required(text: &str) -> Result<(String, u32), Trouble> {
    let (group, count) = text.split_once(':').unwrap_or((text, "1"));
    let count: u32 = count
        .parse()
        .map_err(|_| Trouble::usage(format!("could not read --require {text}; write sre or sre:2")))?;
    Ok((group.to_owned(), count))
}

/// A variable of ours that the command gets.
fn variable(config: &Config, name: &str, draft: &mut Draft) -> Result<String, Trouble> {
    let value = config.variable(name).ok_or_else(|| {
        Trouble::usage(format!("could not hand on {}: it is not set here; export it", safe_text(name)))
    })?;
    Ok(draft.given(&format!("env_{name}"), value.to_owned()))
}

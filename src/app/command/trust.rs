//! `trust`: shows what would act in a workspace that came from elsewhere, and accepts exactly that.

use crate::{
    config::Config,
    elsewhere::{files_elsewhere, named_by_settings},
    exit::{FAILED, Outcome, Trouble, USAGE},
    output::{Output, say},
    settings::Settings,
};
use clap::Args;
use cuelight_base::{
    Channel, Digest, FILE_BYTES_MAX, GateId, Launch, Program, RunId, counted, safe_text, shorten,
};
use cuelight_definition::{Run, StepKind};
use cuelight_engine::{GateState, RunState};
use cuelight_plan::OnTimeout;
use cuelight_projection::{Board, GateView};
use cuelight_runtime::{Clock as _, Desk as _, Entropy, People, ReadDesk, SystemClock, Tasks, scheduled};
use cuelight_store::{DATABASE, Things, Workspace};
use cuelight_tool::read_text;
use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{self, IsTerminal as _},
    path::Path,
    process::ExitCode,
};

/// All that would act in a workspace, as `trust --json` lists it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Trust")]
pub(super) struct TrustAnswer {
    trusted: bool,
    /// The reason why it is not trusted.
    why: Option<String>,
    /// The hash to accept.
    hash: String,
    files: Vec<FileAnswer>,
}

/// A file that would act.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrustedFile")]
struct FileAnswer {
    name: String,
    hash: String,
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

/// Digits of a hash that tell one file from another to a person.
const DIGITS_SHOWN: usize = 12;
/// Files that are shown for one script; the others are counted.
const FILES_NAMED_MAX: usize = 20;

/// Approvals of runs that have ended that are named; the newest.
const APPROVALS_NAMED_MAX: usize = 100;
/// Characters of the first line of a script.
const SCRIPT_CHARS_SHOWN: usize = 100;

pub(super) fn trust(config: &Config, out: Output, args: &TrustArgs) -> Outcome {
    let workspace = config.workspace()?;
    let things = things(&workspace)?;
    let why = config.trusts(&workspace).err();
    if let Some(shown) = args.accept {
        return accept(config, &workspace, shown, args.own);
    }
    if args.json {
        let files =
            things.iter().map(|(name, hash)| FileAnswer { name: name.to_owned(), hash: hash.to_string() });
        let code = if why.is_none() { 0 } else { FAILED };
        out.json_pretty(&TrustAnswer {
            trusted: why.is_none(),
            why,
            hash: things.hash().to_string(),
            files: files.collect(),
        });
        return Ok(ExitCode::from(code));
    }
    out.line(&told(config, &workspace, &things, why.as_deref()));
    if args.show {
        print_files(out, &workspace, &things);
    }
    if why.is_none() && !args.own {
        return Ok(ExitCode::SUCCESS);
    }
    let hash = things.hash();
    if args.show || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        say(&format!("nothing was accepted; `cuelight trust --accept {hash}` accepts what was shown"));
        return Ok(ExitCode::from(FAILED));
    }
    say("accept all of that? y accepts, everything else does not");
    let mut answer = String::new();
    // Whoever cannot answer has not said yes.
    let _length = io::stdin().read_line(&mut answer).unwrap_or_default();
    if answer.trim() != "y" {
        say("nothing was accepted");
        return Ok(ExitCode::from(FAILED));
    }
    accept(config, &workspace, hash, args.own)
}

fn things(workspace: &Workspace) -> Result<Things, Trouble> {
    Things::of(workspace, files_elsewhere).map_err(|error| Trouble::not_recorded(error.to_string()))
}

/// Accepts what has this hash, when it still does.
fn accept(config: &Config, workspace: &Workspace, shown: Digest, is_own: bool) -> Outcome {
    if config.actor(&People::default(), Channel::Command).channel == Channel::Step {
        return Err(Trouble {
            code: USAGE,
            message: "could not trust: this program counts as a step's and decides nothing; run `cuelight trust` at your own terminal".to_owned(),
        });
    }
    let book = config.trust_book().map_err(|why| Trouble::not_recorded(format!("could not trust: {why}")))?;
    let accepted = book.accept(workspace, shown, &Entropy.request_id().0, is_own);
    accepted.map_err(|error| Trouble::failed(error.to_string()))?;
    say(&format!("{} is trusted as it is now", workspace.root().display()));
    Ok(ExitCode::SUCCESS)
}

/// The text of what would act in a workspace, for the person who decides about it.
pub(super) fn would_act(config: &Config, workspace: &Workspace, why: &str) -> Result<String, Trouble> {
    Ok(told(config, workspace, &things(workspace)?, Some(why)))
}

fn told(config: &Config, workspace: &Workspace, things: &Things, why: Option<&str>) -> String {
    let root = safe_text(&workspace.root().display().to_string());
    let mut text = match why {
        None => format!("{root} is trusted. What acts in it:\n"),
        Some(why) => format!(
            "{root} is not trusted: {why}.\nNothing in it runs, nothing is sent, nothing is written. What would act:\n"
        ),
    };
    let all: Vec<(&str, Digest)> = things.iter().collect();
    let width = all.iter().map(|pair| pair.0.chars().count()).max().unwrap_or_default().min(40);
    for (name, hash) in &all {
        let digits: String = hash.to_string().chars().take(DIGITS_SHOWN).collect();
        let _always = write!(text, "\n  {:width$}  {digits}", safe_text(name));
        for (number, line) in about(config, workspace, name).iter().enumerate() {
            let gap = if number == 0 {
                "  ".to_owned()
            } else {
                format!("\n  {:width$}  {:DIGITS_SHOWN$}  ", "", "")
            };
            let _always = write!(text, "{gap}{}", safe_text(line));
        }
    }
    if all.is_empty() {
        text.push_str(
            "\n  nothing: there is no schedule, setting, tool, agent, model, key, secret or database in it",
        );
    }
    if why.is_some() && things.iter().any(|(name, _)| name == DATABASE) {
        text.push_str(
            "\n\nOnce it is accepted, no answer counts here that was signed before it was copied or moved.",
        );
    }
    if why.is_some() {
        text.push_str("\n\nLook closer with `cuelight trust --show`; `cuelight trust` accepts it.");
    }
    text
}

/// The effects of a file of a workspace, one line each.
fn about(config: &Config, workspace: &Workspace, name: &str) -> Vec<String> {
    let place = name.split('/').next().unwrap_or_default();
    match (name, place) {
        ("config.toml", _) => settings(workspace),
        ("people.toml", _) => vec!["says who may approve".to_owned()],
        ("people.toml.sig", _) => vec!["is the signature over people.toml".to_owned()],
        ("cuelight.db", _) => database(config, workspace),
        ("cuelight.db-wal", _) => vec!["goes into the database when an engine opens it".to_owned()],
        (_, "workflows") => workflow(config, workspace, name),
        // From elsewhere: by its place in the workspace, or by its whole path.
        _ if is_named_by_settings(workspace, name) => {
            vec![
                "is named by config.toml: certificates that are believed, or the schema of a topic"
                    .to_owned(),
            ]
        }
        (_, ".." | "") => workflow(config, workspace, name),
        (_, "agents") => vec!["describes an agent that workflows can start".to_owned()],
        (_, "tools") => vec!["describes a tool that workflows can use".to_owned()],
        (_, "models") => vec!["describes a model that workflows can ask".to_owned()],
        ("keys/public", _) => vec!["public keys that check the log and its receipts".to_owned()],
        (_, "keys") => vec!["a private key: anyone with a copy of it can sign as this workspace".to_owned()],
        _ => vec!["a secret that steps are given by its name".to_owned()],
    }
}

fn is_named_by_settings(workspace: &Workspace, name: &str) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let this = real(&workspace.root().join(".cuelight").join(name));
    this.is_some() && named_by_settings(workspace).iter().any(|file| real(file) == this)
}

fn settings(workspace: &Workspace) -> Vec<String> {
    let said = match Settings::of(workspace) {
        Ok(said) => said,
        Err(trouble) => return vec![trouble.message],
    };
    let mut lines = Vec::new();
    if let Some(to) = &said.traces.endpoint {
        let headers = said.traces.headers.values().cloned().collect::<Vec<_>>().join(", ");
        let with = if headers.is_empty() { String::new() } else { format!(", with the secrets {headers}") };
        lines.push(format!("[traces] sends what happens here to {to}{with}"));
    }
    let mut list = |key: &str, does: &str, words: &[String]| {
        if !words.is_empty() {
            lines.push(format!("{key} {does} {}", words.join(", ")));
        }
    };
    list("pass-env", "gives every step the variables", &said.pass_env);
    list("http-private", "lets requests reach", &said.http_private);
    list("http-hosts", "lets requests go to", &said.http_hosts);
    list("[spawn]", "lets programs start agents:", &said.spawn.keys().cloned().collect::<Vec<_>>());
    if let Some(file) = &said.http_authorities {
        lines.push(format!("http-authorities believes the certificates of {}", file.display()));
    }
    if let Some(url) = &said.agents_url {
        lines.push(format!("agents-url sends agents to {url}"));
    }
    if lines.is_empty() {
        lines.push("settings; none of them sends or passes anything".to_owned());
    }
    lines
}

fn workflow(config: &Config, workspace: &Workspace, name: &str) -> Vec<String> {
    let path = workspace.root().join(".cuelight").join(name);
    let now = SystemClock.now();
    let mut lines: Vec<String> = scheduled(workspace)
        .iter()
        .filter(|scheduled| path.to_str() == Some(scheduled.file.as_str()))
        .map(|scheduled| {
            let next =
                scheduled.next(now).map_or_else(|| "never again".to_owned(), |at| format!("next {at}"));
            format!("starts by itself: {} ({next})", scheduled.schedule.cron.value)
        })
        .collect();
    let text = read_text(&path, FILE_BYTES_MAX).unwrap_or_default();
    let is_called = !name.starts_with("workflows/");
    let Ok(disk) = super::author::Disk::of(config) else { return lines };
    let Some(workflow) = cuelight_definition::read(&path.display().to_string(), &text, &disk).0 else {
        lines.push("cannot be read as a workflow, so nothing of it starts".to_owned());
        return lines;
    };
    if is_called {
        lines.push("is called by a workflow that starts by itself".to_owned());
    } else if lines.is_empty() {
        lines.push("starts when somebody asks for it".to_owned());
    }
    let starts_itself = is_called || !workflow.schedule.is_empty();
    for step in &workflow.steps {
        let does = match &step.kind {
            StepKind::Run(run) => {
                let first = run.script.source.value.lines().find(|line| !line.trim().is_empty());
                shorten(first.unwrap_or_default().trim(), SCRIPT_CHARS_SHOWN)
            }
            other => other.word().to_owned(),
        };
        lines.push(format!("{}: {does}", step.id.value));
        if let StepKind::Run(run) = &step.kind
            && starts_itself
        {
            lines.extend(named_files(workspace, run));
        }
    }
    lines
}

/// The files that a script names, as a gate would list them: first those that are executed, then those that are only named.
fn named_files(workspace: &Workspace, run: &Run) -> Vec<String> {
    let argv = run.shell.iter().chain([&run.script.script]).cloned();
    let Program { word, script, runs, names, dirs, missed, .. } = Launch::of(argv).program();
    // A directory that is computed is not known: then names count from the workspace.
    let below = run
        .working_directory
        .as_ref()
        .map(|working_directory| working_directory.value.as_str())
        .filter(|text| !text.contains("${{"));
    let dir = workspace.root().join(below.unwrap_or_default());
    let is_full = !missed.is_empty();
    let (mut seen, mut lines, mut left_out) = (BTreeSet::new(), Vec::new(), 0_usize);
    let words = [word].into_iter().chain(script).chain(runs).chain(names);
    let dirs: Vec<String> = dirs.into_iter().filter(|value| dir.join(value).is_dir()).collect();
    let below = |name: String| {
        let in_dirs: Vec<String> = dirs.iter().map(|dir| format!("{dir}/{name}")).collect();
        [name].into_iter().chain(in_dirs)
    };
    for name in words.flat_map(below) {
        let path = dir.join(&name);
        // A pattern is told as it stands: what fits it may come later.
        let is_pattern = name.contains(['*', '?']) && path.parent().is_some_and(Path::is_dir);
        let file = if is_pattern { path } else { path.canonicalize().unwrap_or_default() };
        if !is_pattern && !file.is_file() || !seen.insert(file) {
            continue;
        }
        if lines.len() < FILES_NAMED_MAX {
            lines.push(format!("{name}: named, not part of this trust: may change"));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 || is_full {
        let words = if is_full { ", and words that were not looked at" } else { "" };
        lines.push(format!("… and {left_out} more{words}, not part of this trust: may change"));
    }
    lines
}

/// The runs and gates of the log that act when an engine takes it up.
fn database(config: &Config, workspace: &Workspace) -> Vec<String> {
    let read = |of: &Workspace| {
        let desk = ReadDesk::open(of, &Tasks::default()).map_err(|why| why.to_string())?;
        Ok(would_go_on(&desk.boards().borrow().board))
    };
    // Records in the log beside the database are seen only by whoever may write there: so they are read in a copy.
    let has_more =
        fs::metadata(workspace.db().with_extension("db-wal")).is_ok_and(|metadata| metadata.len() > 0);
    let told =
        if has_more { in_a_copy(config, workspace, read) } else { read(&workspace.clone().only_looked_at()) };
    told.unwrap_or_else(|why| vec![why])
}

fn would_go_on(board: &Board) -> Vec<String> {
    let count = usize::try_from(board.seq.0).unwrap_or(usize::MAX);
    let mut lines = vec![format!("a log of {}", counted(count, "record", "records"))];
    for run in board.open_runs() {
        let summary = &run.summary;
        lines.push(format!(
            "open, and goes on when an engine starts: {} {} {}",
            summary.id, summary.workflow, summary.state
        ));
        lines.extend(board.gates().filter(|gate| gate.run == summary.id).filter_map(|gate| decided(gate)));
    }
    lines.extend(kept_by_a_retry(board));
    lines
}

/// The approvals of runs that have ended without completing: a retry of such a run asks nobody again.
fn kept_by_a_retry(board: &Board) -> Vec<String> {
    let can_be_retried = |run: RunId| {
        board.summary(run).is_none_or(|run| run.state.rests() && run.state != RunState::Completed)
    };
    let approved = |gate: &GateView| gate.state == GateState::Approved && can_be_retried(gate.run);
    let mut lines: Vec<String> = board
        .gates()
        .rev()
        .filter(|gate| approved(gate))
        .filter_map(|gate| {
            Some(format!("{} has ended, and a retry keeps this: {}", gate.run, decided(gate)?))
        })
        .collect();
    let left_out = lines.len().saturating_sub(APPROVALS_NAMED_MAX);
    lines.truncate(APPROVALS_NAMED_MAX);
    if left_out > 0 {
        lines.push(format!("… and {left_out} older approvals that a retry keeps"));
    }
    // The board forgets old gates; their runs can be retried as well.
    if board.gates().next().is_some_and(|first| first.id != GateId(1)) {
        lines.push("older gates are not listed: a retry of their runs may keep approvals".to_owned());
    }
    lines
}

/// A decision in the log that lets steps start without another answer.
fn decided(gate: &GateView) -> Option<String> {
    let names: Vec<String> = gate.votes.iter().map(|vote| vote.vote.who()).collect();
    let by = if names.is_empty() { gate.closed_by.clone().unwrap_or_default() } else { names.join(", ") };
    let ask = &gate.ask;
    let what = match gate.state {
        GateState::Approved => format!("approved already, by {by}"),
        GateState::Armed => format!("approved in a moment, by {by}"),
        GateState::Open if ask.on_timeout == OnTimeout::Approve && ask.expires_at.is_some() => {
            "approves itself when its time is over".to_owned()
        }
        GateState::Open if !names.is_empty() => format!("has the answer of {by}"),
        _ => return None,
    };
    let starts = if ask.starts.is_empty() { "nothing".to_owned() } else { ask.starts.join(", ") };
    Some(format!("{} {} {what}: starts {starts}", gate.id, ask.step))
}

/// Reads a copy of the database and of the log beside it, which is removed afterwards.
fn in_a_copy<T>(
    config: &Config,
    workspace: &Workspace,
    read: impl FnOnce(&Workspace) -> Result<T, String>,
) -> Result<T, String> {
    let home = config.state_home().ok_or("it cannot be shown: this user has no home; set XDG_STATE_HOME")?;
    let place = home.join("cuelight").join(format!("look-{}", Entropy.request_id().0));
    let copy = || -> Result<Workspace, String> {
        fs::create_dir_all(&place).map_err(|why| why.to_string())?;
        let copied = Workspace::create(&place).map_err(|why| why.to_string())?;
        for end in ["db", "db-wal"] {
            let open = |of: &Workspace, flags| of.open(&of.db().with_extension(end), flags);
            let copy = || -> io::Result<u64> {
                let mut from = open(workspace, OFlags::RDONLY | OFlags::NONBLOCK)?;
                io::copy(&mut from, &mut open(&copied, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?)
            };
            let _bytes = copy().map_err(|why| why.to_string())?;
        }
        Ok(copied)
    };
    let told = copy().map_err(|why| format!("it cannot be shown: {why}")).and_then(|copy| read(&copy));
    drop(fs::remove_dir_all(&place));
    told
}

/// The files themselves, where they are text.
fn print_files(out: Output, workspace: &Workspace, things: &Things) {
    for (name, _) in things.iter() {
        if name.starts_with("cuelight.db") || name.starts_with("keys/") || name.starts_with("secrets/") {
            continue;
        }
        out.line(&format!("\n--- {}", safe_text(name)));
        match read_text(&workspace.root().join(".cuelight").join(name), FILE_BYTES_MAX) {
            Ok(text) => text.lines().for_each(|line| out.line(&format!("  {}", safe_text(line)))),
            Err(why) => out.line(&format!("  could not be read: {why}")),
        }
    }
}

//! `mcp`: agents ask over MCP, on standard input and output. Opens gates and waits, looks at runs, starts them. It has a seat at an
//! engine, which goes on without it; what agents can ask is read in `gateway`, and no verdict is among it.

use super::{
    act::refused,
    gate::{self, AskArgs},
    hook::{self, Agent, HookArgs, Question, Silence, Told},
    named,
    signals::Signals,
};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring::{self, Seat},
};
use clap::Args;
use cuelight_base::{Channel, MCP_MESSAGE_BYTES_MAX, RunId, Span, Value, ValueMap, counted};
use cuelight_definition::Risk;
use cuelight_engine::{Command, GateState};
use cuelight_gateway::{McpAsk, McpHeard, McpTold, mcp_answer, mcp_heard, mcp_progress, mcp_too_long};
use cuelight_projection::{runs_json, show_json};
use cuelight_runtime::{Desk, Entropy, LaunchRequest, Receipt, Reply, Request, Source};
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::BorrowedFd,
};
use serde_json::json;
use std::{
    cell::Cell,
    path::{Component, Path},
    process::ExitCode,
    rc::Rc,
    time::Duration,
};
use tokio::io::{Interest, unix::AsyncFd};

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

/// The number of questions open at once.
const QUESTIONS_MAX: usize = 100;
/// Between two signs that a question is still waited for.
const SIGN_EVERY: Duration = Duration::from_secs(10);

/// Time in which the gate of a client that has gone must close.
const CLOSE_MAX: Duration = Duration::from_secs(10);

/// A question that is being worked at.
struct Open {
    id: Value,
    waiter: Rc<Waiter>,
}

/// State of a client that waits for an answer.
#[derive(Default)]
struct Waiter {
    /// The run of the gate that was opened for it.
    run: Cell<Option<RunId>>,
    /// Nobody does any more.
    has_gone: Cell<bool>,
}

pub(super) async fn mcp(config: Config, out: Output, args: &McpArgs) -> Outcome {
    let mut signals = Signals::listen()?;
    // Files that may be started lie in the workspace here.
    let config = if args.workflows.is_empty() { config.for_agents()? } else { config };
    config.find_or_make()?;
    let seat = wiring::act_by(&config, Channel::Mcp).await?;
    // Gates are closed behind whoever does not read any more.
    let told = serve(&config, &seat, out.staying(), args, &mut signals).await;
    seat.leave().await;
    told
}

async fn serve(config: &Config, seat: &Seat, out: Output, args: &McpArgs, signals: &mut Signals) -> Outcome {
    say(&format!("agents may ask for people at {}", seat.workspace.root().display()));
    let mut lines = Lines::new()?;
    let (mut open, mut work): (Vec<Open>, _) = (Vec::new(), FuturesUnordered::new());
    loop {
        tokio::select! {
            biased;
            Some((id, told, form)) = work.next() => {
                if let Some(at) = open.iter().position(|open| open.id == id)
                    && !open.remove(at).waiter.has_gone.get()
                    && !out.reaches(&mcp_answer(&id, told, form))
                {
                    break;
                }
            }
            _ = signals.next() => break,
            read = lines.next() => match read {
                Read::End => break,
                Read::TooLong => if !out.reaches(&mcp_too_long()) { break },
                Read::Line(line) => match mcp_heard(&line) {
                    McpHeard::Nothing => {}
                    McpHeard::Reply(reply) => if !out.reaches(&reply) { break },
                    McpHeard::Cancelled(id) => {
                        for open in open.iter().filter(|open| open.id == id) {
                            leave(seat, &open.waiter).await;
                        }
                    }
                    McpHeard::Asked { id, form, .. }
                        if open.len() >= QUESTIONS_MAX || open.iter().any(|open| open.id == id) =>
                    {
                        let waiting = counted(open.len(), "question", "questions");
                        let why = format!("could not take this: {waiting} open already, or one of this id");
                        if !out.reaches(&mcp_answer(&id, McpTold::Failed(why), form)) {
                            break;
                        }
                    }
                    McpHeard::Asked { id, ask, progress, form } => {
                        let waiter = Rc::new(Waiter::default());
                        open.push(Open { id: id.clone(), waiter: Rc::clone(&waiter) });
                        let doing = done(config, seat, out, args, (ask, progress), waiter);
                        work.push(doing.map(move |told| (id, told, form)).boxed_local());
                    }
                },
            },
        }
    }
    // Whoever asked has gone: a verdict would reach nobody.
    for open in &open {
        leave(seat, &open.waiter).await;
    }
    let rest = async { while work.next().await.is_some() {} };
    drop(tokio::time::timeout(CLOSE_MAX, rest).await);
    Ok(ExitCode::SUCCESS)
}

/// Reader of lines from standard input, which arrive in pieces cut at any byte.
struct Lines {
    input: AsyncFd<BorrowedFd<'static>>,
    /// The bytes read so far, and the length of the part known to hold no line end.
    came: Vec<u8>,
    seen: usize,
    /// The line is too long; what is left of it is let go.
    skips: bool,
}

/// The result of reading one line.
enum Read {
    Line(Vec<u8>),
    TooLong,
    End,
}

impl Lines {
    #[expect(
        deprecated,
        reason = "standard input keeps its number while we run, all that the unsafe form asks"
    )]
    fn new() -> Result<Self, Trouble> {
        let input = AsyncFd::with_interest(rustix::stdio::stdin(), Interest::READABLE).map_err(|error| {
            Trouble::usage(format!(
                "could not listen: standard input is no pipe ({error}); agents start this command"
            ))
        })?;
        Ok(Self { input, came: Vec::new(), seen: 0, skips: false })
    }

    async fn next(&mut self) -> Read {
        loop {
            if let Some(at) = self.came[self.seen..].iter().position(|byte| *byte == b'\n') {
                let end = self.seen + at;
                let line: Vec<u8> = self.came.drain(..=end).take(end).collect();
                self.seen = 0;
                if std::mem::take(&mut self.skips) || line.len() > MCP_MESSAGE_BYTES_MAX {
                    return Read::TooLong;
                }
                if !line.trim_ascii().is_empty() {
                    return Read::Line(line);
                }
                continue;
            }
            self.seen = self.came.len();
            if self.seen > MCP_MESSAGE_BYTES_MAX {
                self.skips = true;
                self.came.clear();
                self.seen = 0;
            }
            if !self.take().await {
                return Read::End;
            }
        }
    }

    /// Waits for more; whether there can be any. The other end may share it with others, so it stays as it is: it is only read
    /// where reading does not wait.
    async fn take(&mut self) -> bool {
        let Ok(mut ready) = self.input.readable().await else { return false };
        let input = rustix::stdio::stdin();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if let Ok(0) = poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&at_once)) {
            ready.clear_ready();
            return true;
        }
        let mut stretch = [0; 16 * 1024];
        match rustix::io::read(input, &mut stretch) {
            Ok(many) => {
                self.came.extend_from_slice(&stretch[..many]);
                many > 0
            }
            Err(error) => matches!(error, rustix::io::Errno::AGAIN | rustix::io::Errno::INTR),
        }
    }
}

/// Does what was asked, with signs of life where they are wanted.
async fn done(
    config: &Config,
    seat: &Seat,
    out: Output,
    args: &McpArgs,
    (ask, progress): (Box<McpAsk>, Option<Value>),
    waiter: Rc<Waiter>,
) -> McpTold {
    let work = carry_out(config, seat, out, args, *ask, &waiter);
    tokio::pin!(work);
    let mut count = 0;
    loop {
        tokio::select! {
            biased;
            told = &mut work => return told.unwrap_or_else(|error| McpTold::Failed(error.message)),
            () = tokio::time::sleep(SIGN_EVERY), if progress.is_some() => {
                count += 1;
                let what = waiter.run.get().map_or_else(|| "at work".to_owned(), |value| format!("{value} waits for a person"));
                if !out.reaches(&mcp_progress(progress.as_ref().unwrap_or(&Value::Null), count, &what)) {
                    leave(seat, &waiter).await;
                }
            }
        }
    }
}

/// The one thing that was asked. No arm of this decides anything at a gate.
async fn carry_out(
    config: &Config,
    seat: &Seat,
    out: Output,
    args: &McpArgs,
    ask: McpAsk,
    waiter: &Waiter,
) -> Result<McpTold, Trouble> {
    match ask {
        McpAsk::Gate { title, evidence, binds, risk, timeout, require } => {
            // All of it is the agent's own words.
            let evidence: Vec<_> =
                evidence.into_iter().map(|(name, text)| (format!("agent says {name}"), text)).collect();
            let ask = AskArgs {
                title: format!("an agent asks: {title}"),
                claim: None,
                evidence: Vec::new(),
                binds,
                risk: higher(args.risk.as_deref(), risk),
                timeout: Some(sooner(&args.timeout, timeout)?),
                require: together(&args.require, &require),
                four_eyes: args.four_eyes,
                env: Vec::new(),
                json: true,
                command: Vec::new(),
            };
            let answer = at_a_gate(config, seat, out, &ask, &evidence, waiter).await?;
            let reason = answer.gate.votes.last().map(|vote| vote.vote.reason.clone()).unwrap_or_default();
            Ok(McpTold::Data(json!({
                "gate": answer.gate.id.to_string(),
                "state": answer.gate.state.to_string(),
                "approved": answer.gate.state == GateState::Approved,
                "by": answer.gate.closed_by,
                "reason": reason,
            })))
        }
        McpAsk::Permission { tool, input } => {
            let of_hook = HookArgs {
                agent: Agent::ClaudeCode,
                timeout: args.timeout.clone(),
                on_timeout: Silence::Deny,
                risk: None,
                require: args.require.clone(),
                four_eyes: args.four_eyes,
            };
            let question = Question::of(tool, input.clone(), config.here.display().to_string());
            let mut asked = hook::asked(&of_hook, "an agent", &question);
            asked.ask.risk = higher(args.risk.as_deref(), asked.ask.risk);
            let answer = at_a_gate(config, seat, out, &asked.ask, &asked.evidence, waiter).await;
            // Whatever goes wrong is a no, in the words that the agent reads.
            let told = answer.map_or_else(
                |error| Told::No(error.message),
                |answer| asked.still(hook::told(&answer.gate, &of_hook)),
            );
            Ok(McpTold::Text(match told {
                Told::Yes(_) => json!({"behavior": "allow", "updatedInput": input}).to_string(),
                Told::No(why) | Told::Yours(why) => json!({"behavior": "deny", "message": why}).to_string(),
            }))
        }
        McpAsk::Runs => {
            let seen = seat.desk.boards().borrow().clone();
            Ok(McpTold::Data(json!({"runs": runs_json(&seen.board)})))
        }
        McpAsk::Run(id) => {
            let view = named::view(seat, named::run(&id)?).await?;
            let seen = seat.desk.boards().borrow().clone();
            Ok(McpTold::Data(show_json(&seen.board, &view)))
        }
        McpAsk::Start { file, inputs } => started(seat, &args.workflows, &file, inputs).await,
    }
}

/// The worse of what the operator says and what the agent says.
fn higher(floor: Option<&str>, asked: String) -> String {
    let all = [Risk::ReadOnly, Risk::Reversible, Risk::ExternallyReversible, Risk::Irreversible];
    let rank = |word: &str| all.into_iter().find(|risk| risk.word() == word);
    floor.filter(|floor| rank(floor) > rank(&asked)).map_or(asked, str::to_owned)
}

/// The sooner of two times: no gate waits longer than the operator lets it, so that one whose asker was killed ends by itself.
fn sooner(ceiling: &str, asked: Option<String>) -> Result<String, Trouble> {
    let time = |ceiling: &str| {
        ceiling
            .parse::<Span>()
            .map_err(|why| Trouble::usage(format!("could not read the timeout {ceiling}: {why}")))
    };
    let most = time(ceiling)?;
    match asked {
        Some(asked) if time(&asked)? < most => Ok(asked),
        _ => Ok(ceiling.to_owned()),
    }
}

/// All groups that either of them wants, each with the larger number.
fn together(floor: &[String], asked: &[String]) -> Vec<String> {
    let split = |text: &str| {
        let (group, count) = text.split_once(':').unwrap_or((text, "1"));
        // What is no number is kept, and refused where the gate is made.
        (group.to_owned(), count.parse().unwrap_or(u32::MAX))
    };
    let mut all = floor.to_vec();
    for text in asked {
        let (group, count) = split(text);
        match all.iter_mut().find(|has| split(has).0 == group) {
            Some(has) if split(has).1 < count => text.clone_into(has),
            Some(_) => {}
            None => all.push(text.clone()),
        }
    }
    all
}

/// Asks people, and waits.
async fn at_a_gate(
    config: &Config,
    seat: &Seat,
    out: Output,
    ask: &AskArgs,
    evidence: &[(String, String)],
    waiter: &Waiter,
) -> Result<gate::Answer, Trouble> {
    let workflow = gate::workflow(config, &seat.workspace, ask, evidence)?;
    let begun = gate::begin(seat, workflow).await?;
    waiter.run.set(Some(begun));
    if waiter.has_gone.get() {
        leave(seat, waiter).await;
    }
    let mut signals = Signals::listen()?;
    let answer = gate::answered(seat, out, ask, begun, &mut signals).await;
    waiter.run.set(None);
    answer
}

/// A run of a workflow file, which has to lie in the workspace and be one that the operator has named: an agent may write files.
async fn started(seat: &Seat, named: &[String], file: &str, values: ValueMap) -> Result<McpTold, Trouble> {
    let path = Path::new(file);
    let is_below =
        path.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    let root = seat.workspace.root();
    let found = root
        .join(path)
        .canonicalize()
        .ok()
        .filter(|text| root.canonicalize().is_ok_and(|root| text.starts_with(root)));
    if !is_below || found.is_none() {
        let why = format!(
            "could not start {file}: there is no such file in the workspace; name one from {}",
            root.display()
        );
        return Err(Trouble::usage(why));
    }
    if !named.iter().any(|text| root.join(text).canonicalize().ok() == found) {
        let why = format!(
            "could not start {file}: nobody has said that agents may; whoever starts `cuelight mcp` names it with --workflow {file}"
        );
        return Err(Trouble::usage(why));
    }
    let source = Source::Path(file.to_owned());
    let request = LaunchRequest { values, ..LaunchRequest::of(Entropy.request_id(), source) };
    match seat.desk.launch(request).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => Ok(McpTold::Data(json!({"run": run.to_string()}))),
        reply => Err(refused(reply)),
    }
}

/// Nobody waits for this any more: its gate is closed.
async fn leave(seat: &Seat, waiter: &Waiter) {
    waiter.has_gone.set(true);
    let Some(run) = waiter.run.get() else { return };
    let reason = "whoever asked waits no more".to_owned();
    let command = Command::Cancel { run, by: seat.actor.clone(), reason, undo: false };
    let reply = seat.desk.submit(Request { id: Entropy.request_id(), command }).await;
    if !matches!(reply, Reply::Recorded(_)) {
        say(&refused(reply).message);
    }
}

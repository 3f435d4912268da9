//! Calls one tool of an MCP server. All that a server says is foreign: bounded, compared with what was accepted, never believed about
//! its effects. A server that is a program is spoken to by a process of ours that the guard started; one with an address, from here.
//!
//! A failed call says exactly if it may have had its effect: not before it was sent, and not after an answer. The engine
//! decides what follows from that.

mod local;
mod marked;
mod remote;
mod session;

use self::{remote::Remote, session::Session};
use super::{Answer, Call, Ended, Host, Progress, log::Log};
use cuelight_base::{FailureMode, HttpCall, Launch, McpCall, Value, ValueMap, json_if_any, safe_text};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// Input of our process that speaks to a server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    /// The accepted description of the tool.
    pub held: McpCall,
    /// Input of the tool.
    pub input: ValueMap,
}

/// The outcome of an errand, as its process reports it in its outputs.
#[derive(Debug)]
pub struct Errands {
    /// The results, or why there are none.
    pub result: Result<ValueMap, super::Failure>,
    /// True if the server has answered the call itself, with a result or an error: then its effect is known.
    pub is_known: bool,
}

/// A message of a server; nothing where it sends no JSON.
fn heard(bytes: &[u8]) -> Result<Option<Value>, super::Failure> {
    json_if_any(bytes).map_err(|why| super::Failure {
        mode: FailureMode::ResourceApi,
        message: format!("could not take a message of its MCP server: {why}; see the server"),
    })
}

/// The output that says the call has left, written before it does, …
const CALLED: &str = "mcp-called";
/// … the one that says it was answered, …
const ANSWERED: &str = "mcp-answered";
/// … and the one that says why it failed.
const FAILED: &str = "mcp-failure";
/// The output in which a program says which failure it was.
const FAILURE_MODE: &str = "failure-mode";

/// Outputs that the process writes before the call leaves.
pub fn mcp_leaves() -> ValueMap {
    ValueMap::from_iter([(CALLED.to_owned(), Value::Bool(true))])
}

/// Outputs that the process writes at the end.
pub fn mcp_ends(errand: &Errands) -> ValueMap {
    let mut out = ValueMap::new();
    if errand.is_known {
        out.insert(ANSWERED.to_owned(), Value::Bool(true));
    }
    match &errand.result {
        Ok(outputs) => out.extend(outputs.clone()),
        Err(failure) => {
            out.insert(FAILED.to_owned(), failure.message.clone().into());
            out.insert(FAILURE_MODE.to_owned(), failure.mode.word().into());
        }
    }
    out
}

/// Turns the outputs of an errand's process into the answer of the call. `is_torn` is true when the outputs
/// cannot be read.
pub(super) fn told(mut answer: Answer, is_torn: bool) -> Answer {
    let mut take = |name: &str| answer.outputs.shift_remove(name);
    let (called, answered, failed) =
        (take(CALLED).is_some() || is_torn, take(ANSWERED).is_some(), take(FAILED));
    let mode =
        answer.outputs.get(FAILURE_MODE).and_then(Value::as_str).and_then(|output| output.parse().ok());
    if answer.ended == Ended::Exit(0) {
        if answered {
            return answer;
        }
        let message = "ended well and has not written that its MCP server answered; see its log".to_owned();
        answer.ended = Ended::Failed { mode: FailureMode::AgentContract, message };
    }
    if let (Ended::Exit(_), Some(Value::String(message))) = (&answer.ended, failed) {
        answer.ended = Ended::Failed { mode: mode.unwrap_or(FailureMode::AgentLogic), message };
    }
    Answer { outputs: ValueMap::new(), may_have_happened: called && !answered, ..answer }
}

/// Calls a tool of a server that is a program, whose input and output these are. `leaves` is told before the call leaves; when it
/// cannot be written down, it does not. `tell` is given what goes into the log.
pub async fn run_errand(
    output: impl AsyncRead + Send + Unpin,
    input: impl AsyncWrite + Send + Unpin,
    errand: &Errand,
    leaves: &mut (dyn FnMut() -> Result<(), String> + Send),
    tell: &mut (dyn FnMut(&[u8]) + Send),
) -> Errands {
    let mut session = Session::local(output, input, tell);
    let result = session.call(&errand.held, &errand.input, leaves).await;
    Errands { result, is_known: session.is_known() }
}

/// The tools that a server offers that is a program, as it says them.
///
/// # Errors
/// Why they could not be learned, as a sentence.
pub async fn tools_of_program(
    output: impl AsyncRead + Send + Unpin,
    input: impl AsyncWrite + Send + Unpin,
    tell: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<Vec<Value>, String> {
    Session::local(output, input, tell).all().await.map_err(|error| error.message)
}

/// The tools that a server with an address offers, as it says them.
///
/// # Errors
/// Why they could not be learned, as a sentence.
pub async fn tools_at(
    host: &Host,
    http: &HttpCall,
    tell: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<Vec<Value>, String> {
    let secrets = host.secrets_of(&Launch { http: Some(Box::new(http.clone())), ..Launch::of(["mcp"]) })?.0;
    let remote = Remote::new(host.http(), http, &secrets).map_err(|error| error.message)?;
    let mut session = Session::remote(remote, tell);
    let all = session.all().await.map_err(|error| error.message);
    session.leave().await;
    all
}

/// Calls a tool of a server that has an address.
pub async fn run_mcp(
    host: &Host,
    launch: &Launch,
    call: &Call,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    let refused = |why: String| Answer::not_started(None, format!("could not start: {why}"));
    let (Some(http), Some(tool)) = (&launch.http, &launch.tool) else {
        return refused("no server is named".to_owned());
    };
    let Some(held) = &tool.mcp else { return refused("no tool of a server is named".to_owned()) };
    let (secrets, masker) = match host.secrets_of(launch) {
        Ok(secrets) => secrets,
        Err(why) => return refused(why),
    };
    let remote = match Remote::new(host.http(), http, &secrets) {
        Ok(remote) => remote.at(call.traceparent.as_deref()),
        Err(failure) => return refused(failure.message),
    };
    let mut log = Log::new(&masker, host.spool(launch, call), &mut progress);
    log.say(&format!("{} at {}", held.tool, http.target()));
    let mut tell = |bytes: &[u8]| log.take(bytes);
    let mut session = Session::remote(remote, &mut tell);
    let timer = sleep(launch.timeout.unwrap_or_default().to_std());
    let mut leaves = || Ok(());
    let done = {
        let work = Box::pin(session.call(held, &tool.input, &mut leaves));
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Ended::Cancelled),
            done = work => Ok(done),
            () = timer, if launch.timeout.is_some() => {
                Err(Ended::TimedOut { after: launch.timeout.unwrap_or_default() })
            }
        }
    };
    if done.is_ok() {
        Box::pin(session.leave()).await;
    }
    let (may_have, retry_after) = (session.has_left() && !session.is_known(), session.retry_after());
    drop(session);
    let spooled = log.finish();
    let (ended, mut outputs) = match done {
        Ok(Ok(outputs)) => (Ended::Exit(0), outputs),
        Ok(Err(error)) => {
            (Ended::Failed { mode: error.mode, message: masker.mask(&error.message) }, ValueMap::new())
        }
        Err(ended) => (ended, ValueMap::new()),
    };
    outputs.values_mut().for_each(|output| masker.mask_value(output));
    let may_have_happened = ended != Ended::Exit(0) && may_have;
    Answer { may_have_happened, retry_after, ..Answer::spooled(ended, outputs, spooled) }
}

/// A server's text, made safe for one line of ours.
fn shown(text: &str) -> String {
    safe_text(&cuelight_base::shorten(text, 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ended: Ended, outputs: &[&str], is_torn: bool, expected: (Ended, bool)) {
        let outputs = outputs.iter().map(|output| ((*output).to_owned(), Value::String("true".to_owned())));
        let answer = Answer { outputs: outputs.collect(), ..Answer::without_output(ended) };
        let told = told(answer, is_torn);
        assert_eq!((told.ended, told.may_have_happened), expected);
    }

    #[test]
    fn a_call_may_have_happened_from_when_it_left_until_it_was_answered() {
        let killed = Ended::Signal { number: 9, core: false, out_of_memory: false };
        check(killed.clone(), &[], false, (killed.clone(), false));
        check(killed.clone(), &[CALLED], false, (killed.clone(), true));
        check(killed.clone(), &[CALLED, ANSWERED], false, (killed.clone(), false));
        check(killed.clone(), &[], true, (killed, true));
        let failed = Ended::Failed { mode: FailureMode::AgentLogic, message: "true".to_owned() };
        check(Ended::Exit(1), &[CALLED, ANSWERED, FAILED], false, (failed.clone(), false));
        check(Ended::Exit(1), &[CALLED, FAILED], false, (failed, true));
        check(Ended::Exit(0), &[CALLED, ANSWERED], false, (Ended::Exit(0), false));
        let message = "ended well and has not written that its MCP server answered; see its log".to_owned();
        let silent = Ended::Failed { mode: FailureMode::AgentContract, message };
        check(Ended::Exit(0), &[], false, (silent.clone(), false));
        check(Ended::Exit(0), &[CALLED], false, (silent.clone(), true));
        check(Ended::Exit(0), &[], true, (silent, true));
    }
}

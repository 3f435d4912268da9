//! Calls one tool of an MCP server. All that a server says is foreign: bounded, compared with what was accepted, never believed about
//! its effects. A server that is a program is spoken to by a process of ours that the guard started; one with an address, from here.
//!
//! A failed call says exactly if it may have had its effect: not before it was sent, and not after an answer. The engine
//! decides what follows from that.

mod errand;
mod local;
mod marked;
mod remote;
mod said;
mod session;

pub use errand::{Errand, Errands, mcp_ends, mcp_leaves};

pub(super) use errand::told;

use self::{remote::Remote, session::Session};
use super::{Answer, Call, Ended, Host, Progress, log::Log};
use cuelight_base::{HttpCall, Launch, Value, ValueMap};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

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

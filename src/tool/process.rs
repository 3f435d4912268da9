//! Starts a local program and stays with it to its end. The one place of this room where processes are made.
//!
//! The program gets a process group of its own, nothing to read (a tool: its input), and one pipe for both kinds of output, so that their
//! order is kept. One future does it all: nothing is spawned beside it, and when it is dropped the group dies.
//!
//! The group is signalled only while its leader is not reaped, so its number cannot belong to anybody else. An outcome
//! never waits for a pipe that a background child holds open: it is ended after a short time without output.

mod attend;
mod call;
mod host;
mod intake;
mod leader;
mod outcome;
mod prepare;
mod start;

use crate::agent::{Heard, understood};
use crate::executable::Executable;
use crate::outputs::read_outputs;
use crate::program::Obstacle;
use crate::scratch::is_untouched;
use crate::{Answer, Ended, Secret, mcp, scratch};
use attend::{Limits, Stop, attend};
pub use call::{Call, Progress};
use cuelight_base::{FailureMode, Launch, Span, ValueMap};
pub use host::Host;
use intake::Intake;
use outcome::{answer, ended};
use prepare::{prepare, unwritable};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Calls a program and stays until it has ended, timed out, or was cancelled, and nothing of its group is left. What was
/// opened for it before is executed; else it is found by name.
pub async fn run_process(
    host: &Host,
    launch: &Launch,
    opened: Option<&Executable>,
    call: &Call,
    cancel: &CancellationToken,
    progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    match host.secrets.resolve(launch) {
        Ok(secrets) => run_with(host, launch, secrets, opened, call, cancel, progress).await,
        Err(_) if cancel.is_cancelled() => Answer::without_output(Ended::Cancelled),
        Err(said) => Answer::not_started(None, format!("could not start: {said}")),
    }
}

/// The same, with the values of the secrets that the launch names.
pub(super) async fn run_with(
    host: &Host,
    launch: &Launch,
    secrets: BTreeMap<String, Secret>,
    opened: Option<&Executable>,
    call: &Call,
    cancel: &CancellationToken,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Answer {
    if cancel.is_cancelled() {
        return Answer::without_output(Ended::Cancelled);
    }
    let refused = |unwritable: Obstacle| {
        Answer::not_started(unwritable.errno, format!("could not start: {}", unwritable.said))
    };
    let output = match host.scratch.lend() {
        Ok(output) => output,
        Err(error) => return refused(unwritable(&host.workspace_root.join(".cuelight"), &error)),
    };
    let agent = launch.tool.as_ref().and_then(|tool| tool.agent.as_ref());
    // Of a step in a sandbox: the place it has to itself.
    let home = launch.sandboxed.then(|| output.with_extension("home"));
    let prepared = prepare(host, launch, &secrets, opened, call, &output, home.as_deref()).await;
    let (mut leader, pipe, masker) = match prepared {
        Ok(prepared) => prepared,
        Err(obstacle) => {
            host.scratch.give_back(output, true);
            scratch::sweep(home).await;
            return refused(obstacle);
        }
    };
    if let Some((staged, explain)) = leader.staged.take()
        && let Err(why) = released(staged.release(), launch.timeout, cancel).await
    {
        leader.signal(Signal::KILL);
        drop(leader.reap());
        host.scratch.give_back(output, true);
        scratch::sweep(home).await;
        return match why {
            Unreleased::Failed(error) => refused(explain(&error)),
            Unreleased::Cut(ended) => Answer::without_output(ended),
        };
    }
    if let Some(kin) = host.kin.as_ref().filter(|_| launch.ends_with_console) {
        // Where one of them is, the next may come soon.
        kin.start_ahead();
    }
    let mut intake = Intake {
        pipe: Some(pipe),
        chunk: Vec::new(),
        mask: masker.stream(),
        clear: Vec::new(),
        spool: host.spool(launch, call),
        heard: agent.map(|_| Heard::default()),
    };
    let limits = Limits {
        timeout: launch.timeout,
        grace: host.kill_grace,
        heartbeat: agent.and_then(|agent| agent.heartbeat),
        processes: launch.limits.processes,
        output: &output,
    };
    let stop = attend(&mut leader, &mut intake, &limits, cancel, &mut progress).await;
    let left_behind = intake.pipe.is_some();
    leader.signal(Signal::KILL);
    intake.take_rest(&mut progress);
    let status = leader.reap();
    let ended = match stop {
        Some(Stop::Cancelled) => Ended::Cancelled,
        Some(Stop::TimedOut(after)) => Ended::TimedOut { after },
        Some(Stop::Silent { after, heartbeat }) => Ended::Silent { after, heartbeat },
        Some(Stop::TooMany(most)) => Ended::Failed {
            mode: FailureMode::ResourceQuota,
            message: format!("started too many processes: limit {most}; raise `processes` under `limits`"),
        },
        None => ended(&status, &host.oom),
    };
    let untouched = is_untouched(&output);
    let outputs = if untouched { Ok(ValueMap::new()) } else { read_outputs(&output) };
    let heard = intake.heard.take();
    let is_torn = outputs.is_err();
    let answer = answer(ended, intake.spool, left_behind, &masker, outputs, launch);
    let answer = match &heard {
        Some(heard) => understood(heard, answer, &masker),
        None if launch.tool.as_ref().is_some_and(|tool| tool.mcp.is_some()) => mcp::told(answer, is_torn),
        None => answer,
    };
    scratch::sweep(home).await;
    if left_behind {
        host.scratch.discard(&output);
    } else {
        host.scratch.give_back(output, untouched);
    }
    answer
}

/// Why a child did not become the program of its step.
#[derive(Debug)]
enum Unreleased {
    Failed(io::Error),
    Cut(Ended),
}

/// Waits until it did, but no longer than its step may run, and not when that is cancelled.
async fn released(
    release: impl Future<Output = io::Result<()>>,
    timeout: Option<Span>,
    cancel: &CancellationToken,
) -> Result<(), Unreleased> {
    let late = async {
        match timeout {
            Some(after) => {
                sleep(after.to_std()).await;
                after
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = release => done.map_err(Unreleased::Failed),
        () = cancel.cancelled() => Err(Unreleased::Cut(Ended::Cancelled)),
        after = late => Err(Unreleased::Cut(Ended::TimedOut { after })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_launch_that_never_becomes_its_program_ends_as_the_step_would() {
        let never = std::future::pending;
        let cancel = CancellationToken::new();
        let late = released(never(), Some(Span::seconds(5)), &cancel).await.expect_err("it never does");
        assert!(
            matches!(late, Unreleased::Cut(Ended::TimedOut { after }) if after == Span::seconds(5)),
            "{late:?}"
        );
        cancel.cancel();
        let cut = released(never(), None, &cancel).await.expect_err("it never does");
        assert!(matches!(cut, Unreleased::Cut(Ended::Cancelled)), "{cut:?}");
        released(async { Ok(()) }, None, &cancel).await.expect("it has become its program");
    }
}

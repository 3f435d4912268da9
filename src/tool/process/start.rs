//! The start of a program: at once, or as a child that was started ahead.

use super::leader::Leader;
use crate::guard::{Becoming, Kin, Spare, Staged};
use crate::program::Obstacle;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::net::unix::pipe;

#[expect(clippy::disallowed_methods, reason = "this is the place where processes start")]
fn new_command(path: &Path) -> Command {
    Command::new(path)
}

/// Starts it in one of three ways: directly, as a child that becomes it, or as one that was started ahead.
pub(super) async fn begin(
    kin: Option<&Kin>,
    becoming: &Becoming<'_>,
    input: Option<File>,
) -> io::Result<(Leader, pipe::Receiver, Option<Staged>)> {
    if let Some(kin) = kin.filter(|_| becoming.conditions.may_be_ahead())
        && let Some(spare) = kin.spare()
    {
        return begin_ahead(spare, becoming, input).inspect_err(|_| kin.never_began());
    }
    let (mut command, staged, input) = if becoming.conditions.are_any() {
        let (command, staged) = Staged::command(becoming, input)?;
        (command, Some(staged), None)
    } else {
        let mut command = new_command(becoming.program);
        command
            .arg0(becoming.name)
            .args(becoming.words)
            .env_clear()
            .envs(becoming.environment)
            .process_group(0);
        (command, None, Some(input.map_or_else(Stdio::null, Stdio::from)))
    };
    command.current_dir(becoming.dir);
    let (leader, pipe) = start(command, input, kin).await?;
    Ok((leader, pipe, staged))
}

fn begin_ahead(
    spare: Spare,
    becoming: &Becoming<'_>,
    input: Option<File>,
) -> io::Result<(Leader, pipe::Receiver, Option<Staged>)> {
    let leader = Leader::new(spare.child)?;
    let (reader, writer) = io::pipe()?;
    let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let staged = Staged::of_spare(spare.line, becoming, input, writer)?;
    Ok((leader, receiver, Some(staged)))
}

/// One pipe takes both kinds of output. The command is dropped with its ends of it, so that the pipe can end.
pub(super) async fn start(
    mut command: Command,
    input: Option<Stdio>,
    kin: Option<&Kin>,
) -> io::Result<(Leader, pipe::Receiver)> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    if let Some(input) = input {
        command.stdin(input);
    }
    let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let Some(kin) = kin else { return Ok((Leader::new(command.spawn()?)?, receiver)) };
    let leader = kin.start(command).await.and_then(Leader::new);
    if leader.is_err() {
        kin.never_began();
    }
    Ok((leader?, receiver))
}

pub(super) fn explain(error: &io::Error, word: &str, path: &Path) -> Obstacle {
    if error.raw_os_error().is_none() {
        // It says all there is to say.
        return Obstacle::plain(error.to_string());
    }
    let advice = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) => {
            "the interpreter in its first line is missing; install it or change the line"
        }
        Some(rustix::io::Errno::NOEXEC) => "it is no program; begin a script with a line such as #!/bin/sh",
        Some(rustix::io::Errno::TOOBIG) => {
            "command and environment are too long; put the script or the value into a file"
        }
        Some(rustix::io::Errno::AGAIN) => {
            "no more processes are allowed; run fewer steps at once or raise ulimit -u"
        }
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
            "no more files may be open; run fewer steps at once or raise ulimit -n"
        }
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
            "you may not execute it; see its permissions and mount"
        }
        _ => "see the system's log",
    };
    let shown = if word.contains('/') { word.to_owned() } else { format!("{word} ({})", path.display()) };
    Obstacle { errno: error.raw_os_error(), said: format!("{shown}: {error}; {advice}") }
}

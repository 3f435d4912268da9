//! Between fork and exec of a step that ends with its console, is limited or in a sandbox: this very program, for a moment, in the child.
//! It makes a session of its own and asks the kernel to be killed when its guard dies (where that is wanted), looks whether
//! the guard has died already, waits until its record is written, limits itself, and becomes the program of the step.
//!
//! The standard library has no safe way to do that in a child it forks, so the child is ourselves. It reads nothing but its
//! words: `guard-launch GUARD CONDITIONS INPUT PROGRAM NAME WORDS…`, on a descriptor 0 that is a line to the guard.

use super::Reach;
use crate::base::{KILL_GRACE, ProcessLimits};
use rustix::{
    fs::{Mode, OFlags},
    process::{
        Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit, setsid,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, IntoRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Command, ExitCode, Stdio},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The word by which the child knows what it is.
pub(super) const WORD: &str = "guard-launch";
/// The program that runs, also when its file was replaced.
const OURSELVES: &str = "/proc/self/exe";
/// What the guard says when the record is written.
const GO: u8 = 1;

/// What a child does to itself before it becomes the program of the step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::tool) struct Conditions {
    /// The kernel kills it when its guard dies.
    pub(in crate::tool) dies_with_guard: bool,
    /// What it may use, and all that it starts.
    pub(in crate::tool) limits: ProcessLimits,
    /// What it can reach, where that is not everything.
    pub(in crate::tool) sandbox: Option<Reach>,
}

impl Conditions {
    /// Whether there is anything to do.
    pub(in crate::tool) const fn are_any(&self) -> bool {
        self.dies_with_guard || self.is_held()
    }

    /// Whether anything is kept from it.
    pub(in crate::tool) const fn is_held(&self) -> bool {
        !self.limits.is_none() || self.sandbox.is_some()
    }
}

/// A child that waits for its record.
pub(in crate::tool) struct Staged {
    line: tokio::net::UnixStream,
    /// What it reads is opened by it through us.
    _input: Option<File>,
}

impl Staged {
    /// The command that becomes another one: `program` called `name` with `words`. Environment, directory and output are for
    /// the caller to set.
    pub(in crate::tool) fn command(
        conditions: &Conditions,
        program: &Path,
        name: &OsStr,
        words: &[OsString],
        input: Option<File>,
    ) -> io::Result<(Command, Self)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let us = std::process::id();
        let read = input.as_ref().map(|it| format!("/proc/{us}/fd/{}", it.as_raw_fd())).unwrap_or_default();
        let mut command = new_command();
        if !conditions.dies_with_guard {
            // Else a session of its own makes a group, too.
            command.process_group(0);
        }
        let conditions = serde_json::to_string(conditions)?;
        command
            .arg(WORD)
            .arg(us.to_string())
            .arg(conditions)
            .arg(read)
            .arg(ours_in_other_words(program))
            .arg(name);
        command.args(words).stdin(Stdio::from(OwnedFd::from(theirs)));
        let line = tokio::net::UnixStream::from_std(ours)?;
        Ok((command, Self { line, _input: input }))
    }

    /// Lets it go, and waits until it is what it was to become, or says why it is not.
    pub(in crate::tool) async fn release(mut self) -> io::Result<()> {
        self.line.write_all(&[GO]).await?;
        let mut said = Vec::new();
        self.line.read_to_end(&mut said).await?;
        match said.as_slice() {
            [] => Ok(()),
            said => match said.split_first_chunk() {
                Some((code, [])) => Err(io::Error::from_raw_os_error(i32::from_be_bytes(*code))),
                Some((_, words)) => Err(io::Error::other(String::from_utf8_lossy(words).into_owned())),
                None => Err(io::Error::other("its launch was cut off; see the system's log")),
            },
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a step is started in two moves; this is the first")]
fn new_command() -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg0("cuelight");
    command
}

/// A descriptor of ours is not one of the child's any more when it has become our program.
fn ours_in_other_words(program: &Path) -> OsString {
    match program.as_os_str().as_bytes().strip_prefix(b"/proc/self/fd/") {
        Some(number) => {
            let number = OsStr::from_bytes(number).to_string_lossy();
            format!("/proc/{}/fd/{number}", std::process::id()).into()
        }
        None => program.into(),
    }
}

/// In the child: when the words begin as those of a launch do, this does not come back but with its failure.
pub fn launch_stage(words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = words.skip(1);
    if words.next()? != WORD {
        return None;
    }
    let line = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let failed = match line {
        Ok(mut line) => {
            let error = become_it(&mut line, words);
            let said = match error.raw_os_error() {
                Some(code) => code.to_be_bytes().to_vec(),
                None => [&0_i32.to_be_bytes(), error.to_string().as_bytes()].concat(),
            };
            // The guard may have died; then nobody asks.
            drop(line.write_all(&said));
            127
        }
        Err(_) => 127,
    };
    Some(ExitCode::from(failed))
}

fn become_it(line: &mut UnixStream, mut words: impl Iterator<Item = OsString>) -> io::Error {
    let invalid = || io::Error::from_raw_os_error(rustix::io::Errno::INVAL.raw_os_error());
    let guard = words.next().and_then(|it| it.to_str()?.parse::<i32>().ok());
    let conditions = words.next().and_then(|it| serde_json::from_slice::<Conditions>(it.as_bytes()).ok());
    let (Some(guard), Some(conditions), Some(input), Some(program), Some(name)) =
        (guard, conditions, words.next(), words.next(), words.next())
    else {
        return invalid();
    };
    let mut prepare = || -> io::Result<(OsString, Vec<OsString>, Stdio)> {
        if conditions.dies_with_guard {
            setsid()?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
        }
        // It may have died before it was to tell us: then nobody ever would.
        if getppid().map(|it| it.as_raw_nonzero().get()) != Some(guard) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
        }
        let mut said = [0];
        line.read_exact(&mut said)?;
        let input = if input.is_empty() { Stdio::null() } else { File::open(&input).map(Stdio::from)? };
        let (program, words) = match &conditions.sandbox {
            None => (program.clone(), words.by_ref().collect()),
            Some(reach) => {
                let kept = (
                    inside(program.clone(), guard)?,
                    words.by_ref().map(|it| inside(it, guard)).collect::<io::Result<_>>()?,
                );
                reach.enter(Path::new(&kept.0))?;
                kept
            }
        };
        limit(&conditions.limits)?;
        Ok((program, words, input))
    };
    match prepare() {
        Err(error) => error,
        Ok((program, words, input)) => {
            of(&program).arg0(name).args::<Vec<OsString>, _>(words).stdin(input).exec()
        }
    }
}

/// What its guard holds open for it, it holds open itself: from inside a sandbox nobody sees the descriptors of others.
fn inside(word: OsString, guard: i32) -> io::Result<OsString> {
    let theirs = format!("/proc/{guard}/fd/");
    if !word.as_bytes().starts_with(theirs.as_bytes()) {
        return Ok(word);
    }
    // It is the program of the step that reads it, so it stays open.
    let file = rustix::fs::open(word.as_os_str(), OFlags::RDONLY, Mode::empty())?;
    Ok(format!("/proc/self/fd/{}", file.into_raw_fd()).into())
}

/// Takes from this process what it may not have. A limit that is narrower already stays.
fn limit(limits: &ProcessLimits) -> io::Result<()> {
    let to = |resource: Resource, soft: u64, hard: u64| -> io::Result<()> {
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let (current, maximum) = (Some(soft.min(most)), Some(hard.min(most)));
        Ok(setrlimit(resource, Rlimit { current, maximum })?)
    };
    if let Some(cpu) = limits.cpu {
        // Asked first, as everywhere: whoever goes on after that is ended.
        let cpu = cpu.to_std();
        let soft = (cpu.as_secs() + u64::from(cpu.subsec_nanos() > 0)).max(1);
        to(Resource::Cpu, soft, soft + KILL_GRACE.to_std().as_secs())?;
    }
    for (resource, most) in [
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.files),
        // Last, since whatever we still do needs some. Not the address space: many reserve more of it than they ever use.
        (Resource::Data, limits.memory_bytes),
    ] {
        if let Some(most) = most {
            to(resource, most, most)?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this process becomes it")]
fn of(program: &OsStr) -> Command {
    Command::new(program)
}

//! Between fork and exec of a step that ends with its console, is limited or in a sandbox: this very program, for a moment, in the child.
//! It makes a session of its own and asks the kernel to be killed when its guard dies (where that is wanted), looks whether
//! the guard has died already, waits until its record is written, limits itself, and becomes the program of the step.
//! Until then it has no variables: those of the step come by the line, since the loader of programs would obey some of them.
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
    collections::BTreeMap,
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
/// Of what says how many bytes come.
const LENGTH_BYTES: usize = 4;
/// What a child does to itself before it becomes the program of the step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::tool) struct Conditions {
    /// The kernel kills it when its guard dies.
    pub(in crate::tool) dies_with_guard: bool,
    /// What it may use, and all that it starts.
    pub(in crate::tool) limits: ProcessLimits,
    /// What it can reach, where that is not everything.
    pub(in crate::tool) sandbox: Option<Reach>,
    /// Which of its program (0) and its words (from 1 on) are descriptors that its guard holds open for it.
    pub(in crate::tool) held: Vec<usize>,
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
    /// What it is told when the record is written.
    variables: Vec<u8>,
    /// What it reads is opened by it through us.
    _input: Option<File>,
}

impl Staged {
    /// The command that becomes another one: `program` called `name` with `words`, in this environment. Directory and output are
    /// for the caller to set.
    pub(in crate::tool) fn command(
        conditions: &Conditions,
        program: &Path,
        name: &OsStr,
        words: &[OsString],
        input: Option<File>,
        environment: &BTreeMap<&OsStr, OsString>,
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
        let program =
            if conditions.held.contains(&0) { ours_in_other_words(program) } else { program.into() };
        let conditions = serde_json::to_string(conditions)?;
        command.arg(WORD).arg(us.to_string()).arg(conditions).arg(read).arg(program).arg(name);
        command.args(words).env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
        let line = tokio::net::UnixStream::from_std(ours)?;
        Ok((command, Self { line, variables: as_told(environment)?, _input: input }))
    }

    /// Lets it go, and waits until it is what it was to become, or says why it is not.
    pub(in crate::tool) async fn release(mut self) -> io::Result<()> {
        self.line.write_all(&self.variables).await?;
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

/// Variables on a line: their length, then each with a NUL behind it.
fn as_told(environment: &BTreeMap<&OsStr, OsString>) -> io::Result<Vec<u8>> {
    let mut told = vec![0; LENGTH_BYTES];
    for (name, value) in environment {
        told.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    let length = u32::try_from(told.len() - LENGTH_BYTES);
    let length =
        length.map_err(|_| io::Error::from_raw_os_error(rustix::io::Errno::TOOBIG.raw_os_error()))?;
    told[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(told)
}

/// The same at the other end; it waits for them.
fn told(line: &mut UnixStream) -> io::Result<Vec<(OsString, OsString)>> {
    let mut length = [0; LENGTH_BYTES];
    line.read_exact(&mut length)?;
    let mut told = vec![0; u32::from_be_bytes(length) as usize];
    line.read_exact(&mut told)?;
    let word = |it: &[u8]| OsStr::from_bytes(it).to_owned();
    let variable = |it: &[u8]| {
        let end = it.iter().position(|it| *it == b'=')?;
        Some((word(&it[..end]), word(&it[end + 1..])))
    };
    Ok(told.split(|it| *it == 0).filter_map(variable).collect())
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
    let mut prepare = || -> io::Result<Command> {
        if conditions.dies_with_guard {
            setsid()?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
        }
        // It may have died before it was to tell us: then nobody ever would.
        if getppid().map(|it| it.as_raw_nonzero().get()) != Some(guard) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
        }
        let variables = told(line)?;
        let input = if input.is_empty() { Stdio::null() } else { File::open(&input).map(Stdio::from)? };
        let (program, words): (_, Vec<OsString>) = match &conditions.sandbox {
            None => (program.clone(), words.by_ref().collect()),
            Some(reach) => {
                let is_held = |at: usize| conditions.held.contains(&at);
                let words = words.by_ref().enumerate();
                let kept = (
                    inside(program.clone(), guard, is_held(0))?,
                    words.map(|(at, it)| inside(it, guard, is_held(at + 1))).collect::<io::Result<_>>()?,
                );
                reach.enter(Path::new(&kept.0))?;
                kept
            }
        };
        limit(&conditions.limits)?;
        let mut command = of(&program);
        command.arg0(&name).args(words).env_clear().envs(variables).stdin(input);
        Ok(command)
    };
    match prepare() {
        Err(error) => error,
        Ok(mut command) => command.exec(),
    }
}

/// What its guard holds open for it, it holds open itself: from inside a sandbox nobody sees the descriptors of others. Only what the
/// guard says it holds: a word that merely looks so was chosen by somebody else, and may lead anywhere.
fn inside(word: OsString, guard: i32, is_held: bool) -> io::Result<OsString> {
    let theirs = format!("/proc/{guard}/fd/");
    if !is_held || !word.as_bytes().starts_with(theirs.as_bytes()) {
        return Ok(word);
    }
    // It is the program of the step that reads it, so it stays open.
    let file = rustix::fs::open(word.as_os_str(), OFlags::RDONLY, Mode::empty())?;
    Ok(format!("/proc/self/fd/{}", file.into_raw_fd()).into())
}

/// Takes from this process what it may not have. A limit that is narrower already stays, also one that the process could raise.
fn limit(limits: &ProcessLimits) -> io::Result<()> {
    let to = |resource: Resource, soft: u64, hard: u64| -> io::Result<()> {
        let now = getrlimit(resource);
        let narrower = |it: u64, now: Option<u64>| Some(now.map_or(it, |now| it.min(now)));
        let (current, maximum) = (narrower(soft, now.current), narrower(hard, now.maximum));
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

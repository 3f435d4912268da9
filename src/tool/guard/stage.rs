//! Between fork and exec of a step that ends with its console, is limited or in a sandbox: this very program, for a moment, in the child.
//! It makes a session of its own and asks the kernel to be killed when its guard dies (where that is wanted), looks whether
//! the guard has died already, waits until its record is written, limits itself, and becomes the program of the step.
//! Until then it has no variables: those of the step come by the line, since the loader of programs would obey some of them.
//!
//! The standard library has no safe way to do that in a child it forks, so the child is ourselves. It reads nothing but its
//! words: `guard-launch GUARD CONDITIONS INPUT PROGRAM NAME WORDS…`, on a descriptor 0 that is a line to the guard. One that is started
//! before it is needed (`spare`) is `guard-launch GUARD ahead`, and gets the other words, its directory and its output by that line.

use super::Reach;
use cuelight_base::{KILL_GRACE, ProcessLimits};
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
    io::{self, PipeWriter, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd, IntoRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, net::UnixStream, process::CommandExt as _},
    },
    path::Path,
    process::{Command, ExitCode, Stdio},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The word by which the child knows what it is.
pub(super) const WORD: &str = "guard-launch";
/// The second one of a child that will be told later what it becomes.
const AHEAD: &str = "ahead";
/// The program that runs, also when its file was replaced.
const OURSELVES: &str = "/proc/self/exe";
/// Bytes of the length prefix of a message.
const LENGTH_BYTES: usize = 4;
/// Conditions that a child applies to itself before it becomes the program of the step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Conditions {
    /// The kernel kills it when its guard dies.
    pub(crate) dies_with_guard: bool,
    /// Resource limits of the process and of all that it starts.
    pub(crate) limits: ProcessLimits,
    /// The sandbox; `None` if everything can be reached.
    pub(crate) sandbox: Option<Reach>,
    /// Indexes of the words (0 is the program) that are descriptors which the guard holds open for it.
    pub(crate) held: Vec<usize>,
}

impl Conditions {
    /// True if any condition applies.
    pub(crate) const fn are_any(&self) -> bool {
        self.dies_with_guard || self.is_held()
    }

    /// True if limits or a sandbox apply.
    pub(crate) const fn is_held(&self) -> bool {
        !self.limits.is_none() || self.sandbox.is_some()
    }

    /// True if a child that was started ahead can become this program. A sandboxed one cannot: its guard
    /// gives it its directory.
    pub(crate) const fn may_be_ahead(&self) -> bool {
        self.dies_with_guard && self.sandbox.is_none()
    }
}

/// The program that a child becomes, with its surroundings.
pub(crate) struct Becoming<'a> {
    pub(crate) conditions: &'a Conditions,
    pub(crate) program: &'a Path,
    /// Word 0 of its command line.
    pub(crate) name: &'a OsStr,
    pub(crate) words: &'a [OsString],
    pub(crate) environment: &'a BTreeMap<&'a OsStr, OsString>,
    /// Working directory of the program.
    pub(crate) dir: &'a Path,
}

/// A child that waits for its record.
pub(crate) struct Staged {
    line: tokio::net::UnixStream,
    /// Environment of the program, and its words if it was started ahead; sent once the record is written.
    variables: Vec<u8>,
    /// Our copy of the input that the child opens through us, …
    _input: Option<File>,
    /// … and our copy of the output of a child that was started ahead.
    _output: Option<PipeWriter>,
}

impl Staged {
    /// The command that becomes another one. Directory and output are for the caller to set.
    pub(crate) fn command(becoming: &Becoming<'_>, input: Option<File>) -> io::Result<(Command, Self)> {
        let (mut command, ours) = child_of_ours()?;
        if !becoming.conditions.dies_with_guard {
            // Else a session of its own makes a group, too.
            command.process_group(0);
        }
        command.args(words_of(becoming, input.as_ref())?);
        let line = tokio::net::UnixStream::from_std(ours)?;
        let variables = variables_of(becoming.environment)?;
        Ok((command, Self { line, variables, _input: input, _output: None }))
    }

    /// The same of a child that waits at the other end of this line: it is told all of it, and writes to `output`.
    pub(crate) fn of_spare(
        line: UnixStream,
        becoming: &Becoming<'_>,
        input: Option<File>,
        output: PipeWriter,
    ) -> io::Result<Self> {
        let place = [becoming.dir.into(), of_ours(&output).into()];
        let words: Vec<OsString> = place.into_iter().chain(words_of(becoming, input.as_ref())?).collect();
        let told =
            [framed(words.iter().map(|word| word.as_bytes().to_vec()))?, variables_of(becoming.environment)?];
        let line = tokio::net::UnixStream::from_std(line)?;
        Ok(Self { line, variables: told.concat(), _input: input, _output: Some(output) })
    }

    /// Lets it go, and waits until it is what it was to become, or says why it is not.
    pub(crate) async fn release(mut self) -> io::Result<()> {
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

/// A child that is to be told later what it becomes, and the line to it.
pub(super) fn ahead() -> io::Result<(Command, UnixStream)> {
    let (mut command, ours) = child_of_ours()?;
    command.arg(AHEAD).stdout(Stdio::null()).stderr(Stdio::null());
    Ok((command, ours))
}

/// This program in its first words, with nothing but a line to us.
fn child_of_ours() -> io::Result<(Command, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = new_command();
    command.arg(WORD).arg(std::process::id().to_string());
    command.env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
    Ok((command, ours))
}

#[expect(clippy::disallowed_methods, reason = "a step is started in two moves; this is the first")]
fn new_command() -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg0("cuelight");
    command
}

/// Its words behind the number of its guard.
fn words_of(becoming: &Becoming<'_>, input: Option<&File>) -> io::Result<Vec<OsString>> {
    let Becoming { conditions, program, name, words, .. } = becoming;
    let read = input.map(of_ours).unwrap_or_default();
    let program = if conditions.held.contains(&0) { ours_in_other_words(program) } else { program.into() };
    let first = [serde_json::to_string(conditions)?.into(), read.into(), program, (*name).to_owned()];
    Ok(first.into_iter().chain(words.iter().cloned()).collect())
}

/// A descriptor of this process, as another one finds it.
fn of_ours(file: &impl AsRawFd) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

fn variables_of(environment: &BTreeMap<&OsStr, OsString>) -> io::Result<Vec<u8>> {
    framed(environment.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()))
}

/// Words on a line: their length, then each with a NUL behind it.
fn framed(parts: impl Iterator<Item = Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut told = vec![0; LENGTH_BYTES];
    for part in parts {
        told.extend(part);
        told.push(0);
    }
    let length = u32::try_from(told.len() - LENGTH_BYTES);
    let length =
        length.map_err(|_| io::Error::from_raw_os_error(rustix::io::Errno::TOOBIG.raw_os_error()))?;
    told[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(told)
}

/// The same at the other end; it waits for them.
fn told(line: &mut UnixStream) -> io::Result<Vec<OsString>> {
    let mut length = [0; LENGTH_BYTES];
    line.read_exact(&mut length)?;
    let mut told = vec![0; u32::from_be_bytes(length) as usize];
    line.read_exact(&mut told)?;
    let parts = told.strip_suffix(&[0]).map(|rest| rest.split(|c| *c == 0));
    Ok(parts.into_iter().flatten().map(|part| OsStr::from_bytes(part).to_owned()).collect())
}

fn told_variables(line: &mut UnixStream) -> io::Result<Vec<(OsString, OsString)>> {
    let variable = |text: OsString| {
        let (name, value) =
            text.as_bytes().split_at_checked(text.as_bytes().iter().position(|byte| *byte == b'=')?)?;
        Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(&value[1..]).to_owned()))
    };
    Ok(told(line)?.into_iter().filter_map(variable).collect())
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

fn become_it(line: &mut UnixStream, words: impl Iterator<Item = OsString>) -> io::Error {
    let invalid = || io::Error::from_raw_os_error(rustix::io::Errno::INVAL.raw_os_error());
    let mut words = words.collect::<Vec<_>>().into_iter();
    let guard = words.next().and_then(|word| word.to_str()?.parse::<i32>().ok());
    let is_ahead = words.as_slice() == [AHEAD];
    if is_ahead {
        words = match wait_for_words(line) {
            Ok(told) => told.into_iter(),
            Err(error) => return error,
        };
    }
    let conditions = words.next().and_then(|word| serde_json::from_slice::<Conditions>(word.as_bytes()).ok());
    let (Some(guard), Some(conditions), Some(input), Some(program), Some(name)) =
        (guard, conditions, words.next(), words.next(), words.next())
    else {
        return invalid();
    };
    let mut prepare = || -> io::Result<Command> {
        if conditions.dies_with_guard && !is_ahead {
            leave_with_guard()?;
        }
        // It may have died before it was to tell us: then nobody ever would.
        if getppid().map(|value| value.as_raw_nonzero().get()) != Some(guard) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
        }
        let variables = told_variables(line)?;
        let input = if input.is_empty() { Stdio::null() } else { File::open(&input).map(Stdio::from)? };
        let (program, words): (_, Vec<OsString>) = match &conditions.sandbox {
            None => (program.clone(), words.by_ref().collect()),
            Some(reach) => {
                let is_held = |at: usize| conditions.held.contains(&at);
                let words = words.by_ref().enumerate();
                let kept = (
                    inside(program.clone(), guard, is_held(0))?,
                    words
                        .map(|(at, word)| inside(word, guard, is_held(at + 1)))
                        .collect::<io::Result<_>>()?,
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

/// A session of its own, which the kernel ends when the guard dies. The caller checks afterwards whether the
/// guard had died before.
fn leave_with_guard() -> io::Result<()> {
    setsid()?;
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// As a child that was started ahead: what can be done before anything is known; then it stands and writes where it is told to, and
/// has the words that others have from the start.
fn wait_for_words(line: &mut UnixStream) -> io::Result<Vec<OsString>> {
    leave_with_guard()?;
    let mut told = told(line)?.into_iter();
    let (Some(dir), Some(output)) = (told.next(), told.next()) else {
        return Err(io::Error::from_raw_os_error(rustix::io::Errno::INVAL.raw_os_error()));
    };
    rustix::process::chdir(dir)?;
    let output = File::options().write(true).open(output)?;
    rustix::stdio::dup2_stdout(&output)?;
    rustix::stdio::dup2_stderr(&output)?;
    Ok(told.collect())
}

/// Opens a descriptor of the guard in the child itself: inside a sandbox nobody sees the descriptors of
/// others. Only words that the guard marked as held are opened. A word that merely looks like one was chosen
/// by somebody else, and may lead anywhere.
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
        let narrower = |soft: u64, now: Option<u64>| Some(now.map_or(soft, |now| soft.min(now)));
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

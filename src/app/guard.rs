//! The two words by which this program is started by itself and does something else than a command: the guard of an
//! engine, and the moment before a step that ends with its console. Both are looked for before anything else is done.

use cuelight_runtime::{Clock, SystemClock};
use cuelight_tool::{GUARD_WORD, GuardProcess, launch_stage, serve_guard};
use std::{env, ffi::OsString, fs::File, os::fd::AsFd as _, path::PathBuf, process::ExitCode, sync::Arc};

/// Nothing for a command.
pub(super) fn not_a_command() -> Option<ExitCode> {
    if let Some(code) = launch_stage(env::args_os()) {
        return Some(code);
    }
    let mut words = env::args_os().skip(1);
    (words.next()? == GUARD_WORD).then(|| match guard(words) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads what it says: the engine that started it notices that it is gone.
        Err(_) => ExitCode::FAILURE,
    })
}

fn guard(mut words: impl Iterator<Item = OsString>) -> Result<(), String> {
    let mut word = || words.next().ok_or_else(|| "could not be a guard: a word is missing".to_owned());
    let root = PathBuf::from(word()?);
    let said = |error: std::io::Error| format!("could not be a guard: {error}");
    let name = word()?.into_string().map_err(|_| "could not be a guard: its name is no text".to_owned())?;
    let epoch = word()?.to_str().and_then(|word| word.parse().ok());
    let lifeline = std::io::stdin().as_fd().try_clone_to_owned().map_err(said)?;
    // What is closed has to be closed for the other end to notice.
    let nothing = File::open("/dev/null").map_err(said)?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| said(error.into()))?;
    let process = GuardProcess {
        dir: root.join(".cuelight/guard"),
        root,
        name,
        epoch: epoch.ok_or_else(|| "could not be a guard: its epoch is no number".to_owned())?,
        program: env::current_exe().ok(),
        now: Arc::new(|| Clock::now(&SystemClock)),
        lifeline,
    };
    // One thread: the kernel tells a child that its parent died when the thread dies that made it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(said)?;
    runtime.block_on(serve_guard(process))
}

//! Preparation of a call: everything that can go wrong before its program runs.

use super::call::Call;
use super::host::{Host, OWN_NAME, masker_of};
use super::leader::{Explain, Leader};
use super::start::{begin, explain};
use crate::executable::Executable;
use crate::guard::{Becoming, Conditions, Reach, VARIABLES};
use crate::mcp::Errand;
use crate::program::{Obstacle, directory, program};
use crate::{Masker, Secret};
use cuelight_base::{Launch, TextPart, ToolCall, Word};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};
use tokio::net::unix::pipe;

/// The names under which a step finds the file for its outputs.
const OUTPUT_NAMES: [&str; 3] = ["CUELIGHT_OUTPUT", "GITHUB_OUTPUT", "DAGU_OUTPUT_FILE"];

/// All that can go wrong before anything runs, then the process itself.
pub(super) async fn prepare(
    host: &Host,
    launch: &Launch,
    secrets: &BTreeMap<String, Secret>,
    opened: Option<&Executable>,
    call: &Call,
    output: &Path,
    home: Option<&Path>,
) -> Result<(Leader, pipe::Receiver, Masker), Obstacle> {
    let masker = masker_of(secrets).map_err(Obstacle::plain)?;
    let mut env = environment(host, launch, secrets, call, output, home)?;
    let root = call.tree.as_ref().unwrap_or(&host.workspace_root);
    let dir = directory(root, launch.dir.as_deref())?;
    if let Some(home) = home {
        DirBuilder::new().mode(0o700).create(home).map_err(|error| unwritable(home, &error))?;
    }
    let (word, arguments) = launch
        .argv
        .split_first()
        .ok_or_else(|| Obstacle::plain("no command is given; write one".to_owned()))?;
    if launch.argv.iter().any(|text| text.contains('\0')) {
        return Err(Obstacle::plain(
            "its command holds a NUL byte, which no command can; remove it".to_owned(),
        ));
    }
    let own = host.own.as_ref().filter(|_| launch.tool.is_some() && word == OWN_NAME);
    if own.is_some() {
        // What the allocator takes ahead would count as memory of the tool.
        env.insert(OsStr::new("MIMALLOC_ARENA_RESERVE"), "32MiB".into());
    }
    let input = match &launch.tool {
        Some(tool) => Some(handed_over(output, tool).map_err(|error| unwritable(output, &error))?),
        None => None,
    };
    remove_old(&call.attempt_dir).map_err(|error| unwritable(&call.attempt_dir, &error))?;
    let opened = opened.filter(|_| own.is_none());
    let mut held = Vec::new();
    let (path, name, words) = match opened.and_then(Executable::start) {
        Some((executed, words, taken)) => {
            let value = |word: Word| match word {
                Word::Text(text) => OsString::from(text),
                Word::Variable(name) => env.get(OsStr::new(&name)).cloned().unwrap_or_default(),
            };
            let rest = launch.words().into_iter().skip(taken).map(value);
            let ours =
                std::iter::once(executed.as_os_str()).chain(words[1..].iter().map(OsString::as_os_str));
            held.extend(
                ours.enumerate()
                    .filter(|entry| opened.is_some_and(|all| all.holds(entry.1)))
                    .map(|entry| entry.0),
            );
            (executed.to_owned(), words[0].clone(), words[1..].iter().cloned().chain(rest).collect())
        }
        None => {
            let search = env.get(OsStr::new("PATH")).and_then(|text| text.to_str());
            let path = match own {
                Some(own) => own.clone(),
                None => program(word, search, &dir)?,
            };
            (path, OsString::from(word), arguments.iter().map(OsString::from).collect::<Vec<_>>())
        }
    };
    let (word, shown) = (word.clone(), path.clone());
    let explain = move |error: &io::Error| explain(error, &word, &shown);
    // Where there is a guard to die, what is to end with it takes a way that tells the kernel so, and so does what is limited.
    let sandbox = home.map(|home| Reach::of(root, call.tree.is_some(), &dir, home, output)).transpose();
    let (sandbox, place) = sandbox.map_err(Obstacle::plain)?.unzip();
    let conditions = Conditions {
        dies_with_guard: launch.ends_with_console && host.kin.is_some(),
        limits: launch.limits,
        sandbox,
        held,
    };
    if conditions.is_held() && host.kin.is_none() {
        return Err(Obstacle::plain(
            "its `limits` and its `sandbox` are set by a guard, which this system has none of; take those keys out"
                .to_owned(),
        ));
    }
    // Of a sandbox the very directory that was judged, whatever its name means by now.
    let judged = place.as_ref().map(|place| PathBuf::from(format!("/proc/self/fd/{}", place.as_raw_fd())));
    let becoming = Becoming {
        conditions: &conditions,
        program: &path,
        name: &name,
        words: &words,
        environment: &env,
        dir: judged.as_ref().unwrap_or(&dir),
    };
    let (mut leader, pipe, staged) =
        begin(host.kin.as_deref(), &becoming, input).await.map_err(|error| explain(&error))?;
    host.oom.goes_first(leader.pid);
    if let Some(kin) = &host.kin {
        kin.began(&call.attempt, leader.pid);
        leader.kin = Some((Arc::clone(kin), call.attempt.clone()));
    }
    leader.staged = staged.map(|staged| (staged, Box::new(explain) as Explain));
    Ok((leader, pipe, masker))
}

/// All variables of a process: what it inherits, what its step says, and what tells it which call it is.
fn environment<'a>(
    host: &'a Host,
    launch: &'a Launch,
    secrets: &BTreeMap<String, Secret>,
    call: &Call,
    output: &Path,
    home: Option<&Path>,
) -> Result<BTreeMap<&'a OsStr, OsString>, Obstacle> {
    let mut env: BTreeMap<&OsStr, OsString> = BTreeMap::new();
    for (name, value) in &host.base_env {
        let is_plain = || VARIABLES.contains(&name.as_str()) || name.starts_with("LC_");
        if !launch.sandboxed || is_plain() {
            env.insert(OsStr::new(name), value.into());
        }
    }
    for name in home.iter().flat_map(|_| ["HOME", "TMPDIR"]) {
        env.insert(OsStr::new(name), home.map(OsString::from).unwrap_or_default());
    }
    for (name, parts) in &launch.env {
        let mut value = Vec::new();
        for part in parts {
            match part {
                TextPart::Text(text) => value.extend_from_slice(text.as_bytes()),
                TextPart::Secret(name) => value.extend_from_slice(secrets[name].reveal()),
            }
        }
        check_variable(name, &value)?;
        env.insert(OsStr::new(name), OsString::from_vec(value));
    }
    for name in OUTPUT_NAMES {
        env.insert(OsStr::new(name), output.into());
    }
    for (name, value) in [
        ("CUELIGHT_RUN", &call.run),
        ("CUELIGHT_STEP", &call.step),
        ("CUELIGHT_ATTEMPT", &call.attempt),
        ("CUELIGHT_KEY", &call.effect_key),
    ] {
        env.insert(OsStr::new(name), value.into());
    }
    if call.tree.is_some() {
        env.insert(OsStr::new("CUELIGHT_WORKSPACE"), host.workspace_root.as_os_str().to_owned());
    }
    if let Some(traceparent) = &call.traceparent {
        env.insert(OsStr::new("TRACEPARENT"), traceparent.into());
    }
    Ok(env)
}

/// The input of a tool as JSON, in a file whose name is already removed. A call of an MCP server also gets
/// the tool's accepted description.
fn handed_over(output: &Path, tool: &ToolCall) -> io::Result<File> {
    let path = output.with_extension("input");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    match &tool.mcp {
        Some(held) => {
            serde_json::to_writer(&mut file, &Errand { held: (**held).clone(), input: tool.input.clone() })?
        }
        None => serde_json::to_writer(&mut file, &tool.input)?,
    }
    file.write_all(b"\n")?;
    file.rewind()?;
    Ok(file)
}

fn check_variable(name: &str, value: &[u8]) -> Result<(), Obstacle> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Obstacle::plain(format!("{name:?} is no name of a variable; change it under `env`")));
    }
    if value.contains(&0) {
        return Err(Obstacle::plain(format!(
            "the value of {name} holds a NUL byte, which no environment can; encode it"
        )));
    }
    Ok(())
}

/// An attempt has its directory for itself; what lies there is from a past that was never recorded.
fn remove_old(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn unwritable(dir: &Path, error: &io::Error) -> Obstacle {
    Obstacle { errno: error.raw_os_error(), said: format!("{}: {error}; make it writable", dir.display()) }
}

//! `doctor`: what is wrong with this set-up, and which settings won. It only looks, and mends nothing.

use super::{author::Disk, screen::Look};
use crate::{
    config::Config,
    exit::{FAILED, Outcome},
    output::Output,
    settings::Settings,
};
use clap::Args;
use cuelight_base::{Channel, FILE_BYTES_MAX, Timestamp, agent_name, counted, safe_text};
use cuelight_console::Keymap;
use cuelight_definition::{Files as _, ModelRegistry, Registry, Severity, StepKind, Workflow};
use cuelight_runtime::{Clock, SystemClock, machine};
use cuelight_store::{Heads, Reader, Workspace};
use cuelight_tool::{
    LivingGuard, STRAYS_TOLD_MAX, SecretStore, guard_weaknesses, living_guards, read_text,
    sandbox_weaknesses, tracked_files,
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(super) struct JsonArgs {
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// With less room than this for the log, an engine may soon have to stop and wait.
const ROOM_MIN: u64 = 256 * 1024 * 1024;
/// Each call of a step needs some files.
const FILES_MIN: u64 = 1024;
/// A file system whose locks and shared memory `SQLite` cannot rely on: NFS, SMB, CIFS, 9P (linux/magic.h).
const REMOTE: [u64; 4] = [0x6969, 0x517b, 0xff53_4d42, 0x0102_1997];
/// Largest lead of the log over the clock that counts as healthy.
const AHEAD_MAX: cuelight_base::Span = cuelight_base::Span::seconds(5);

/// Grade of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Worth a note, not an error.
    Note,
    Wrong,
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Wrong => "WRONG",
        }
    }
}

/// The findings of `doctor --json`, and the settings that are in force.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
pub(super) struct DoctorAnswer {
    findings: Vec<Finding>,
    settings: Vec<Setting>,
}

/// One thing that was looked at.
#[derive(Serialize, JsonSchema)]
struct Finding {
    what: &'static str,
    #[schemars(with = "String")]
    state: State,
    text: String,
}

/// One setting, its value, and the place that set it.
#[derive(Serialize, JsonSchema)]
struct Setting {
    name: &'static str,
    value: String,
    from: String,
}

pub(super) fn doctor(config: &Config, out: Output, look: &Look, args: &JsonArgs) -> Outcome {
    let workspace = config.find()?;
    let mut findings = vec![program(), shell(config), files(), guard(), sandbox(), screen(look)];
    findings.extend(workspace.iter().map(this_machine));
    findings.extend(own_files(look));
    match &workspace {
        Some(workspace) => findings.extend(of_workspace(config, workspace)),
        None => {
            findings.push(note("workspace", "none here or above; `cuelight run FILE` makes one".to_owned()))
        }
    }
    let settings = settings(config, look, workspace.as_ref());
    let is_wrong = findings.iter().any(|finding| finding.state == State::Wrong);
    if args.json {
        out.json_pretty(&DoctorAnswer { findings, settings });
    } else {
        let rows: Vec<Vec<String>> = findings
            .iter()
            .map(|finding| {
                vec![finding.what.to_owned(), finding.state.word().to_owned(), safe_text(&finding.text)]
            })
            .collect();
        out.table(&["WHAT", "STATE", "DETAILS"], &rows);
        out.line("");
        let rows: Vec<Vec<String>> = settings
            .iter()
            .map(|setting| vec![setting.name.to_owned(), shown(&setting.value), safe_text(&setting.from)])
            .collect();
        out.table(&["SETTING", "VALUE", "FROM"], &rows);
    }
    Ok(ExitCode::from(if is_wrong { FAILED } else { 0 }))
}

/// A value for people; a setting that lists nothing says so.
fn shown(value: &str) -> String {
    if value.is_empty() { "none".to_owned() } else { safe_text(value) }
}

fn ok(what: &'static str, text: String) -> Finding {
    Finding { what, state: State::Ok, text }
}

fn note(what: &'static str, text: String) -> Finding {
    Finding { what, state: State::Note, text }
}

fn wrong(what: &'static str, text: String) -> Finding {
    Finding { what, state: State::Wrong, text }
}

fn program() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    ok("program", format!("cuelight {version} on {} {}", std::env::consts::OS, std::env::consts::ARCH))
}

/// Checks for the shell that steps run in.
fn shell(config: &Config) -> Finding {
    let path = config.variable("PATH").unwrap_or("");
    match std::env::split_paths(path)
        .map(|split_path| split_path.join("bash"))
        .find(|split_path| split_path.is_file())
    {
        Some(found) => ok("shell", found.display().to_string()),
        None => wrong("shell", "could not find bash in PATH; steps run in it, install it".to_owned()),
    }
}

fn files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    match limit {
        Some(most) if most < FILES_MIN => note(
            "open files",
            format!("at most {most}: many steps at once need more (ulimit -n {FILES_MIN})"),
        ),
        Some(most) => ok("open files", format!("at most {most}")),
        None => ok("open files", "no limit".to_owned()),
    }
}

/// Lists the promises that a guard cannot keep on this machine.
fn guard() -> Finding {
    let weak = guard_weaknesses();
    if weak.is_empty() {
        let text = "programs of steps survive a kill of the engine, and their exit codes are kept";
        return ok("guard", text.to_owned());
    }
    note("guard", weak.join("; "))
}

/// Checks that this machine can confine steps in a sandbox.
fn sandbox() -> Finding {
    match sandbox_weaknesses() {
        Ok(weak) if weak.is_empty() => ok(
            "sandbox",
            "steps with `sandbox: strict` reach only the files and network that they were given".to_owned(),
        ),
        Ok(weak) => note("sandbox", weak.join("; ")),
        Err(why) => note("sandbox", format!("steps with `sandbox: strict` are refused: {why}")),
    }
}

/// Lists the properties of this machine that steps can require (`requires`).
fn this_machine(workspace: &Workspace) -> Finding {
    let machine = machine(workspace);
    let said = |what: &str, all: BTreeSet<String>| match all.len() {
        0 => format!("no {what}"),
        _ => format!("{what} {}", all.into_iter().collect::<Vec<_>>().join(", ")),
    };
    ok(
        "machine",
        format!(
            "steps can require {} and {}",
            said("labels", machine.labels),
            said("capabilities", machine.capabilities)
        ),
    )
}

/// The guards that live in a workspace.
fn guards(workspace: &Workspace) -> Finding {
    let all = living_guards(workspace.root());
    if all.is_empty() {
        return ok(
            "guards",
            "none runs; a guard starts with the first program of a step and outlives the engine".to_owned(),
        );
    }
    let said = |living_guard: &LivingGuard| {
        let other = if living_guard.is_ours {
            ""
        } else {
            ", of another version: it ends what it has, and gets nothing new"
        };
        format!(
            "process {} with {}{other}",
            living_guard.pid,
            counted(living_guard.running, "program", "programs")
        )
    };
    let mut strays: Vec<String> = all
        .iter()
        .flat_map(|living_guard| &living_guard.strays)
        .map(|stray| format!("{} (process {})", safe_text(&stray.name), stray.pid))
        .collect();
    if strays.len() >= STRAYS_TOLD_MAX {
        strays.push("and maybe more, which are ended with them".to_owned());
    }
    let text = all.iter().map(said).collect::<Vec<_>>().join("; ");
    if strays.is_empty() {
        return ok("guards", text);
    }
    let text = format!(
        "{text}; no step is known to have started {}: ended when no step runs that may have",
        strays.join(", ")
    );
    note("guards", text)
}

fn screen(look: &Look) -> Finding {
    match look.no_screen {
        Some(why) => note("screen", format!("{why}: commands work, the console does not open")),
        None => {
            let (width, height) = cuelight_console::terminal_size();
            ok("screen", format!("{width} columns, {height} rows, {}", look.appearance.depth.word()))
        }
    }
}

/// The user's own keys, themes and preferences.
fn own_files(look: &Look) -> Vec<Finding> {
    let (themes, problems) = look.appearance.themes();
    let mut findings: Vec<Finding> =
        problems.into_iter().map(|problem| wrong("own files", problem)).collect();
    if let Some(own) = &look.appearance.own {
        let path = own.join("keymap.toml");
        match fs::read_to_string(&path).map(|text| Keymap::with_user(&text)) {
            Ok(Err(problems)) => findings.extend(
                problems.iter().map(|problem| wrong("own files", format!("{}: {problem}", path.display()))),
            ),
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                findings.push(wrong("own files", format!("could not read {}: {why}", path.display())));
            }
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    if findings.is_empty() {
        let place = look.appearance.own.as_ref().map_or("nowhere: HOME is not set".to_owned(), |path| {
            format!(
                "your keys, themes and preferences stand in {}; {} themes are known",
                path.display(),
                themes.names().len()
            )
        });
        findings.push(ok("own files", place));
    }
    findings
}

fn of_workspace(config: &Config, workspace: &Workspace) -> Vec<Finding> {
    let mut findings = vec![ok("workspace", workspace.root().join(".cuelight").display().to_string())];
    findings.extend(private(workspace));
    findings.push(trust(config, workspace));
    findings.extend(shared(workspace));
    findings.push(room(workspace));
    findings.push(people(config, workspace));
    match Settings::of(workspace) {
        Err(trouble) => findings.push(wrong("config.toml", trouble.message)),
        Ok(settings) => {
            findings.extend(Settings::unknown(workspace).into_iter().map(unread));
            // What an engine would refuse to begin with is better known before.
            let refused = settings.refused(workspace);
            findings.extend(refused.into_iter().map(|trouble| wrong("config.toml", trouble.message)));
            findings.extend(idle_spawn(config, &settings));
            findings.push(traces(config, workspace));
        }
    }
    findings.push(log(&config.to_look_at(workspace.clone())));
    findings.push(guards(workspace));
    findings.push(keys(workspace));
    match Disk::of(config) {
        Ok(disk) => {
            findings.extend(shelves(&disk));
            let secrets = config.secrets(workspace);
            findings.extend(
                workspace
                    .workflow_files()
                    .iter()
                    .flat_map(|workflow_file| workflow(workflow_file, &disk, &secrets)),
            );
        }
        Err(trouble) => findings.push(wrong("workflow", trouble.message)),
    }
    findings
}

/// Notes about `[spawn]` settings for agents that nobody can start, and variables that nobody can set.
fn idle_spawn(config: &Config, settings: &Settings) -> Vec<Finding> {
    // Where the files of agents cannot be read, that is told below.
    let Ok(disk) = Disk::of(config) else { return Vec::new() };
    let agents = Registry::of_agents(&disk.agents());
    let known = |name: &str| agents.all().any(|tool| agent_name(&tool.name) == Some(name));
    settings.idle_spawn(&known).into_iter().map(|text| note("config.toml", text)).collect()
}

/// A word of the settings that nobody reads: most likely another one was meant.
fn unread((word, meant): (String, Option<String>)) -> Finding {
    let text = match meant {
        Some(near) => format!("`{word}` is no setting; did you mean `{near}`?"),
        None => format!("`{word}` is no setting; `cuelight dev schema config` lists the settings"),
    };
    wrong("config.toml", text)
}

/// Checks that the user trusts this workspace.
fn trust(config: &Config, workspace: &Workspace) -> Finding {
    match config.trusts(workspace) {
        Ok(_) => ok("trust", "this workspace is trusted".to_owned()),
        Err(why) => {
            wrong("trust", format!("not trusted: {why}; `cuelight trust --show` tells what would act"))
        }
    }
}

/// Warns about files of `.cuelight` that git tracks and the next push publishes.
fn shared(workspace: &Workspace) -> Option<Finding> {
    let files = tracked_files(&workspace.root().join(".cuelight"))?;
    let first = files.first()?;
    let many = counted(files.len(), "file", "files");
    Some(wrong(
        "git",
        format!(
            "git tracks {many} of .cuelight, such as {first}: keys, the log and output leave with the next push; `git rm -r --cached .cuelight`"
        ),
    ))
}

/// Warns about private files of the workspace that other users can read.
fn private(workspace: &Workspace) -> Vec<Finding> {
    let me = rustix::process::geteuid().as_raw();
    let dir = workspace.root().join(".cuelight");
    let paths: [PathBuf; 3] = [dir.clone(), workspace.db(), dir.join("keys/console.key")];
    let bad = paths.iter().filter_map(|path| {
        let about = fs::metadata(path).ok()?;
        let shown = path.display();
        if about.mode() & 0o077 != 0 {
            let mode = about.mode() & 0o777;
            return Some(wrong(
                "private",
                format!("{shown} is open to others ({mode:o}); chmod go= {shown}"),
            ));
        }
        (about.uid() != me).then(|| {
            wrong(
                "private",
                format!("{shown} belongs to uid {}, and you are {me}; use it as its owner", about.uid()),
            )
        })
    });
    let bad: Vec<Finding> = bad.collect();
    if bad.is_empty() {
        vec![ok("private", "no other user can read the log or the key that signs it".to_owned())]
    } else {
        bad
    }
}

fn room(workspace: &Workspace) -> Finding {
    let about = rustix::fs::statvfs(workspace.root());
    let kind = rustix::fs::statfs(workspace.root());
    match (about, kind) {
        (Ok(about), Ok(kind)) => {
            let free = about.f_bavail.saturating_mul(about.f_frsize);
            let mib = free / (1024 * 1024);
            let is_remote = u64::try_from(kind.f_type).is_ok_and(|number| REMOTE.contains(&number));
            match () {
                () if is_remote => wrong(
                    "disk",
                    "a file system of another machine: its locks do not hold; use one of this machine"
                        .to_owned(),
                ),
                () if free < ROOM_MIN => wrong("disk", format!("only {mib} MiB are left; make room")),
                () => ok("disk", format!("{mib} MiB are left")),
            }
        }
        (Err(why), _) | (_, Err(why)) => wrong("disk", format!("could not look at it: {why}")),
    }
}

fn people(config: &Config, workspace: &Workspace) -> Finding {
    match config.people(workspace) {
        Err(trouble) => wrong("people.toml", trouble.message),
        Ok(people) => {
            let me = config.actor(&people, Channel::Command);
            if me.channel == Channel::Step {
                let why = "this terminal counts as a step's and decides nothing: a step has started it, its hard limit of file \
                           locks is finite (`ulimit -Hx`; remove `locks` from /etc/security/limits.conf), or /proc does not show all \
                           its parents (hidepid)";
                return wrong("who you are", why.to_owned());
            }
            let known = people.groups();
            let groups = if me.groups.is_empty() { "no group".to_owned() } else { me.groups.join(", ") };
            let us = rustix::process::geteuid().as_raw();
            if let Some(why) = people.keys_do_not_count(us).or_else(|| people.nobody_touches_as_asked(us)) {
                return wrong("people.toml", why);
            }
            if let Some(why) = people.groups_do_not_count() {
                return note("people.toml", why);
            }
            match known.len() {
                0 => note(
                    "people.toml",
                    format!(
                        "no people.toml: you are the OS user {}, and no group or key counts; docs/semantics.md#5-gates has an example",
                        me.name
                    ),
                ),
                many => {
                    let (standing, me) = (people.standing(), &me.name);
                    ok("people.toml", format!("{many} people, {standing}; you are {me}, in {groups}"))
                }
            }
        }
    }
}

/// Reports the collector for traces. The health of the sending engine shows if the collector accepts them.
fn traces(config: &Config, workspace: &Workspace) -> Finding {
    match config.traces(workspace) {
        Err(trouble) => wrong("traces", trouble.message),
        Ok(None) => {
            ok("traces", "no traces are sent; `[traces]` in config.toml names a collector".to_owned())
        }
        Ok(Some((setup, from))) => {
            let place = setup.url.split(['?', '#']).next().unwrap_or_default();
            let place = place.rsplit_once('@').map_or(place, |halves| halves.1);
            ok("traces", format!("to {place}, as {from} says; `/health` tells whether they are taken"))
        }
    }
}

/// Checks that the log can be read, and that none of it is dated in the future.
fn log(workspace: &Workspace) -> Finding {
    if !workspace.db().exists() {
        return note("log", "nothing has run yet".to_owned());
    }
    let read = || {
        let reader = Reader::open(workspace)?;
        let (seq, _) = reader.head()?;
        let last = reader.events(seq, 1)?;
        Ok::<_, cuelight_store::StoreError>((seq, last.last().map(|(_, event)| event.at)))
    };
    match read() {
        Err(why) => wrong("log", why.to_string()),
        Ok((seq, last)) => {
            let now: Timestamp = SystemClock.now();
            match last {
                Some(at) if at > now + AHEAD_MAX => {
                    wrong("log", format!("its last event is of {at}, and now is {now}; set the clock right"))
                }
                Some(_) | None => {
                    ok("log", format!("{} records; `cuelight audit verify` verifies each", seq.0))
                }
            }
        }
    }
}

fn keys(workspace: &Workspace) -> Finding {
    match Heads::count(workspace) {
        Err(why) => wrong("signed heads", why.to_string()),
        Ok((_, 0)) => {
            note("signed heads", "the log is not signed yet; the first decision signs it".to_owned())
        }
        Ok((notes, keys)) => ok(
            "signed heads",
            format!(
                "{} of the log, by {}",
                counted(notes, "signature", "signatures"),
                counted(keys, "key", "keys")
            ),
        ),
    }
}

/// The files of tools, agents and models that describe none: no step can use what they were to describe.
fn shelves(disk: &Disk) -> Vec<Finding> {
    let (tools, agents) = (Registry::new(&disk.tools()), Registry::of_agents(&disk.agents()));
    let models = ModelRegistry::new(&disk.models());
    let all = [("tools", tools.problems()), ("agents", agents.problems()), ("models", models.problems())];
    let mut findings = Vec::new();
    for (word, problems) in all {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let files: BTreeSet<&str> = errors.map(|error| error.file.as_str()).collect();
        let told = |file| wrong(word, format!("{file} has errors; `cuelight {word}` tells them"));
        findings.extend(files.into_iter().map(told));
    }
    findings
}

/// A workflow that starts by itself must be a good one, with the secrets that it names.
fn workflow(path: &Path, disk: &Disk, secrets: &SecretStore) -> Vec<Finding> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (workflow, problems) = match read_text(path, FILE_BYTES_MAX) {
        Err(why) => return vec![wrong("workflow", format!("could not read {}: {why}", path.display()))],
        Ok(text) => cuelight_definition::read(&path.display().to_string(), &text, disk),
    };
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        let text = format!("{name} has errors; run `cuelight check {}`", path.display());
        return vec![wrong("workflow", text)];
    }
    let names = workflow.as_ref().map(secret_names).unwrap_or_default();
    let why: Vec<String> = names.iter().filter_map(|name| secrets.trouble(name)).collect();
    let mut findings = vec![ok("workflow", name.clone())];
    if !why.is_empty() {
        let text =
            format!("{name}: a run that needs one of these secrets does not start: {}", why.join("; "));
        findings.push(note("secrets", text));
    }
    findings
}

/// Names of the secrets of a workflow, and of those that it calls.
fn secret_names(workflow: &Workflow) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = workflow.secrets.iter().map(|secret| secret.value.clone()).collect();
    for step in &workflow.steps {
        if let StepKind::Workflow(call) = &step.kind {
            names.extend(call.body.iter().flat_map(|body| secret_names(body)));
        }
    }
    names
}

fn settings(config: &Config, look: &Look, workspace: Option<&Workspace>) -> Vec<Setting> {
    let said = workspace.and_then(|workspace| Settings::of(workspace).ok()).unwrap_or_default();
    let environment = match (config.variable("CUELIGHT_ENVIRONMENT"), said.environment.as_str()) {
        (Some(named), _) => (named.to_owned(), "the variable CUELIGHT_ENVIRONMENT".to_owned()),
        (None, "") => ("LOCAL".to_owned(), "default".to_owned()),
        (None, named) => (named.to_owned(), "config.toml of the workspace".to_owned()),
    };
    let pass = match config.variable("CUELIGHT_PASS_ENV") {
        Some(names) => (names.to_owned(), "the variable CUELIGHT_PASS_ENV"),
        None if said.pass_env.is_empty() => (String::new(), "default"),
        None => (said.pass_env.join(", "), "config.toml of the workspace"),
    };
    let list = |variable: &str, said: &[String]| match config.variable(variable) {
        Some(names) => (names.to_owned(), format!("the variable {variable}")),
        None if said.is_empty() => (String::new(), "default".to_owned()),
        None => (said.join(", "), "config.toml of the workspace".to_owned()),
    };
    let requests = [
        ("http-hosts", list("CUELIGHT_HTTP_HOSTS", &said.http_hosts)),
        ("http-private", list("CUELIGHT_HTTP_PRIVATE", &said.http_private)),
    ];
    let editor = ["VISUAL", "EDITOR"].iter().find(|text| config.variable(text).is_some());
    let mut settings = vec![Setting { name: "environment", value: environment.0, from: environment.1 }];
    let screen = look.appearance.won();
    settings.extend(screen.into_iter().map(|(name, value, from)| Setting {
        name,
        value,
        from: from.to_owned(),
    }));
    settings.push(Setting {
        name: "editor",
        value: look.editor.clone(),
        from: editor.map_or_else(|| "default".to_owned(), |editor| format!("the variable {editor}")),
    });
    settings.push(Setting { name: "pass-env", value: pass.0, from: pass.1.to_owned() });
    settings.extend(requests.map(|(name, (value, from))| Setting { name, value, from }));
    settings
}

//! A seat at an engine on another machine, over the ssh of the system. There `cuelight relay` joins the line to the socket of its
//! engine, which knows the user of that machine by it; nothing listens on any network.

use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    wiring::{self, Seat},
};
use cuelight_base::safe_text;
use cuelight_gateway::{FarLine, open_socket};
use cuelight_runtime::Tasks;
use cuelight_store::Workspace;
use std::{
    os::fd::OwnedFd,
    os::unix::net::UnixStream,
    process::{ExitCode, Stdio},
};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt as _, BufReader, copy},
    process::Command,
    sync::oneshot,
};

/// The prefix of a place on another machine.
pub(super) const SCHEME: &str = "ssh://";
/// Seconds without a sign of the other machine after which ssh asks for one; it gives up after three.
const ALIVE_SECONDS: u8 = 10;
/// Bytes of a line of what ssh says.
const WORDS_BYTES_MAX: u64 = 4096;

/// A workspace on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// As ssh takes it: `user@host`.
    host: String,
    port: Option<u16>,
    /// From the home directory where it is not absolute; none: found upwards from there.
    dir: Option<String>,
}

impl Place {
    fn read(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("could not read {url:?} as a place: {why}; write ssh://[USER@]HOST[:PORT]/DIRECTORY")
        };
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with ssh://"))?;
        let (host, dir) = rest.split_once('/').map_or((rest, None), |(host, dir)| (host, Some(dir)));
        let (host, port) = match host.rsplit_once(':') {
            // An address of the sixth version stands in brackets, and its colons are no port.
            Some((name, port)) if !port.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| wrong("its port is no number up to 65535"))?))
            }
            _ => (host, None),
        };
        let host = host.replace(['[', ']'], "");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._-:%+".contains(c);
        if host.is_empty() || host.starts_with('-') || host.contains("@-") || !host.chars().all(is_plain) {
            return Err(wrong("its host is none"));
        }
        let dir = dir.filter(|dir| !dir.is_empty() && *dir != "~").map(|dir| match dir.strip_prefix("~/") {
            Some(at_home) => at_home.to_owned(),
            None => format!("/{dir}"),
        });
        Ok(Self { host, port, dir: dir.filter(|dir| !dir.is_empty()) })
    }

    /// The arguments for ssh. With `again`, ssh must not ask for anything, since nobody may be there to
    /// answer.
    fn words(&self, program: &str, again: bool) -> Vec<String> {
        let mut words =
            vec!["-T".to_owned(), "-o".to_owned(), format!("ServerAliveInterval={ALIVE_SECONDS}")];
        if again {
            words.extend(["-o".to_owned(), "BatchMode=yes".to_owned()]);
        }
        if let Some(port) = self.port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        // The shell there takes it apart again.
        let dir = self.dir.iter().map(|dir| format!(" --workspace {}", quoted(dir)));
        let command = format!("{} relay{}", quoted(program), dir.collect::<String>());
        words.extend(["--".to_owned(), self.host.clone(), command]);
        words
    }
}

/// One word of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A seat at the engine of a place.
pub(super) async fn attach(config: &Config, url: &str, program: &str) -> Result<Seat, Trouble> {
    let place = Place::read(url).map_err(Trouble::usage)?;
    let scratch = scratch(config)?;
    let (host, program) = (place.host.clone(), program.to_owned());
    wiring::attach_far(&host, move |again, tasks| open(&place.words(&program, again), again, tasks), &scratch)
        .await
}

/// The directory for this console's own files: drafts and crash reports.
fn scratch(config: &Config) -> Result<Workspace, Trouble> {
    let state = config
        .state_home()
        .ok_or_else(|| Trouble::usage("could not tell where drafts go: HOME is not set"))?;
    let dir = state.join("cuelight/far");
    let failed = |why: String| Trouble::not_recorded(format!("could not make {}: {why}", dir.display()));
    std::fs::create_dir_all(&dir).map_err(|error| failed(error.to_string()))?;
    Workspace::create(&dir).map_err(|error| failed(error.to_string()))
}

/// Starts ssh on one end of a pair of sockets.
#[expect(clippy::disallowed_methods, reason = "the operator's own ssh, not a step, is started here")]
fn open(words: &[String], again: bool, tasks: &Tasks) -> Result<FarLine, String> {
    let failed =
        |why: std::io::Error| format!("could not start ssh: {why}; install it, or attach on that machine");
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let other: OwnedFd = theirs.try_clone().map_err(failed)?.into();
    let mut command = Command::new("ssh");
    command.args(words).stdin(OwnedFd::from(theirs)).stdout(other).stderr(Stdio::piped()).kill_on_drop(true);
    if again {
        // The first time it asks for what it needs at the terminal, which it cannot from a group of its own.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(failed)?;
    // Its ends of the pair are closed here, so that its end is the end of the line.
    drop(command);
    let (tell, last_words) = oneshot::channel();
    let said = child.stderr.take();
    tasks.spawn(async move {
        let mut last = String::new();
        if let Some(said) = said {
            let mut lines = BufReader::new(said);
            let mut line = Vec::new();
            while let Ok(1..) = read_line(&mut lines, &mut line).await {
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    last = safe_text(text.trim());
                }
                line.clear();
            }
        }
        // An error means that nobody wants to know.
        drop(child.wait().await);
        drop(tell.send(last));
    });
    Ok(FarLine { stream: tokio::net::UnixStream::from_std(ours).map_err(failed)?, last_words })
}

async fn read_line(
    lines: &mut BufReader<tokio::process::ChildStderr>,
    line: &mut Vec<u8>,
) -> std::io::Result<usize> {
    use tokio::io::AsyncReadExt as _;
    let mut some = lines.take(WORDS_BYTES_MAX);
    some.read_until(b'\n', line).await
}

/// Joins standard input and output to the engine here, until one of them ends.
pub(super) async fn relay(config: &Config) -> Outcome {
    let workspace = config.workspace()?;
    let stream = open_socket(&workspace.socket()).await.map_err(wiring::no_seat)?;
    let (mut from, mut to) = stream.into_split();
    let failed =
        |error: std::io::Error| Trouble::failed(format!("could not use standard input and output: {error}"));
    let ours = |stdin: std::os::fd::BorrowedFd<'_>| {
        stdin.try_clone_to_owned().map(|value| File::from_std(value.into()))
    };
    let mut input = ours(rustix::stdio::stdin()).map_err(failed)?;
    let mut output = ours(rustix::stdio::stdout()).map_err(failed)?;
    tokio::select! {
        _ = copy(&mut input, &mut to) => {}
        _ = copy(&mut from, &mut output) => {}
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_becomes_the_words_of_ssh_and_nothing_in_it_is_an_option_or_a_command() {
        let words = |url: &str| Place::read(url).map(|place| place.words("cuelight", false)[3..].join(" "));
        for (url, expected) in [
            ("ssh://build", "-- build 'cuelight' relay"),
            (
                "ssh://ops@build.example:2222/srv/shop",
                "-p 2222 -- ops@build.example 'cuelight' relay --workspace '/srv/shop'",
            ),
            ("ssh://build/~/shop", "-- build 'cuelight' relay --workspace 'shop'"),
            ("ssh://build/~", "-- build 'cuelight' relay"),
            ("ssh://[fe80::1%eth0]:22/x", "-p 22 -- fe80::1%eth0 'cuelight' relay --workspace '/x'"),
            ("ssh://build/a'; rm -rf b", "-- build 'cuelight' relay --workspace '/a'\\''; rm -rf b'"),
        ] {
            assert_eq!(words(url).as_deref(), Ok(expected), "{url}");
        }
        for (url, part) in [
            ("ssh://", "its host is none"),
            ("ssh://-oProxyCommand=id/x", "its host is none"),
            ("ssh://ops@-oProxyCommand=id", "its host is none"),
            ("ssh://a b/x", "its host is none"),
            ("ssh://$(id)/x", "its host is none"),
            ("ssh://build:port/x", "its port is no number"),
            ("ssh://build:70000/x", "its port is no number"),
        ] {
            let why = words(url).expect_err(url);
            assert!(why.contains(part) && why.contains("write ssh://"), "{why}");
        }
        let again = Place::read("ssh://build").expect("a place").words("c", true);
        assert!(again.contains(&"BatchMode=yes".to_owned()), "{again:?}");
    }
}

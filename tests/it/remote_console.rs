//! A console at an engine on another machine, over ssh. The ssh is a stand-in, which does with its words what sshd does with them.

use crate::{
    program::{Place, until},
    terminal_hangup::{console, read_until},
};
use rustix::process::{Pid, Signal};
use std::{
    fs::{self, Permissions},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::Child,
};

const SSH: &str = "#!/bin/sh\necho \"$*\" >> said\n[ -e cut ] && { echo 'ssh: connect to host far.example port 22: No route to host' >&2; exit 255; }\nfor last; do :; done\necho $$ > pid\nexec sh -c \"exec $last\"\n";
const WAITS: &str = "name: far\nsteps:\n  - {id: ask, gate: Is anybody there?}\n";

/// A place from which one attaches, with an ssh of its own.
fn here() -> Place {
    let bin = tempfile::TempDir::new().expect("a directory").keep();
    let ssh = bin.join("ssh");
    fs::write(&ssh, SSH).expect("written");
    fs::set_permissions(&ssh, Permissions::from_mode(0o755)).expect("ours");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let place = Place::new().with("PATH", &path);
    let state = place.path().join("state").display().to_string();
    place.with("XDG_STATE_HOME", &state)
}

fn end(mut child: Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    crate::program::tell(pid, Signal::TERM);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_console_on_another_machine_sees_and_decides_and_finds_its_way_back() {
    let (here, there) = (here(), Place::new());
    there.write("far.yaml", WAITS);
    fs::create_dir(there.file(".cuelight")).expect("a directory");
    there.write(".cuelight/config.toml", "environment = \"PROD-EU\"\n");
    let _engine = there.start(&["serve"]);
    until("it serves", || there.file(".cuelight/cuelight.sock").exists());
    let _follows = there.start(&["run", "far.yaml", "--headless"]);
    until("it asks", || there.owner().is_some() && there.gates().len() == 1);
    let url = format!("ssh://ops@far.example:2222{}", there.path().display());
    let program = env!("CARGO_BIN_EXE_cuelight");
    let (mut terminal, child) = console(&here, &["attach", &url, "--program", program]);
    read_until(&terminal, "PROD-EU");
    let words = here.text("said");
    assert!(words.contains("-p 2222 -- ops@far.example") && words.contains("relay --workspace"), "{words}");
    assert!(!words.contains("BatchMode"), "the first time it may ask for a passphrase: {words}");

    // Its process is ended where it is, and not by mistake another one here.
    terminal.write_all(b":shutdown\r").expect("the terminal takes keys");
    read_until(&terminal, "could not stop that engine");

    // The line breaks, and the machine is away for a while.
    here.write("cut", "");
    let pid = here.text("pid").trim().parse().ok().and_then(Pid::from_raw).expect("a process");
    crate::program::tell(pid, Signal::KILL);
    read_until(&terminal, "LOST");
    there.cue(&["approve", "g-1"]).ok();
    fs::remove_file(here.file("cut")).expect("it was there");
    read_until(&terminal, "completed");
    assert!(
        here.text("said").lines().skip(1).all(|line| line.contains("BatchMode=yes")),
        "{}",
        here.text("said")
    );
    end(child);
    assert!(!here.file(".cuelight").exists(), "nothing is made where one attaches from");
}

#[test]
fn what_ssh_says_is_what_one_reads() {
    let here = here();
    here.write("cut", "");
    let (terminal, mut child) = console(&here, &["attach", "ssh://far.example/srv/shop"]);
    read_until(&terminal, "No route to host");
    assert!(!child.wait().expect("it ends").success());
    fs::remove_file(here.file("cut")).expect("it was there");
    let there = Place::new();
    let url = format!("ssh://far.example{}", there.path().display());
    let (terminal, mut child) =
        console(&here, &["attach", &url, "--program", env!("CARGO_BIN_EXE_cuelight")]);
    read_until(&terminal, "could not find a workspace");
    assert!(!child.wait().expect("it ends").success());
    let (terminal, mut child) = console(&here, &["attach", "ssh://-oProxyCommand=id/x"]);
    read_until(&terminal, "its host is none");
    assert!(!child.wait().expect("it ends").success());
}

//! A second person answers with a key of ssh, at the terminal of somebody else or from afar. Needs `ssh-keygen`.

use crate::program::{Place, Running, Said, text};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

const WORKFLOW: &str = "name: ship\nsteps:\n  - {id: go, gate: {prompt: \"Ship it?\", require: [{group: sre, count: 2}]}}\n  - {id: ship, needs: go, run: echo shipped}\n";

/// Runs a program of the system in a directory.
#[expect(clippy::disallowed_methods, reason = "the keys are those of OpenSSH")]
fn system(place: &Place, name: &str, args: &[&str], input: &str) -> std::io::Result<bool> {
    use std::{io::Write as _, process::Stdio};
    let mut child = Command::new(name)
        .args(args)
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdin.take().expect("a pipe").write_all(input.as_bytes())?;
    Ok(child.wait()?.success())
}

/// A gate that wants two, a person who sits here, and others who have keys. Nothing where there is no `ssh-keygen`.
fn place(mode: u32) -> Option<(Place, Running)> {
    let place = Place::new();
    for name in ["ann", "bob", "own"] {
        match system(&place, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", name], "") {
            Ok(done) => assert!(done, "a key is made"),
            Err(_) => {
                println!("skipped: could not find ssh-keygen; install it (apt-get install openssh-client)");
                return None;
            }
        }
    }
    place.write("ship.yaml", WORKFLOW);
    fs::create_dir(place.file(".cuelight")).expect("a directory");
    let key = |name: &str| place.text(&format!("{name}.pub")).trim().to_owned();
    let uid = rustix::process::getuid().as_raw();
    place.write(
        ".cuelight/people.toml",
        &format!(
            "[[person]]\nname = 'mira'\nuid = {uid}\nkeys = ['{}']\ngroups = ['sre']\n\
             [[person]]\nname = 'ann'\nkeys = ['{}']\ngroups = ['sre']\n\
             [[person]]\nname = 'bob'\nkeys = ['{}']\ngroups = ['sre']\n",
            key("own"),
            key("ann"),
            key("bob"),
        ),
    );
    fs::set_permissions(place.file(".cuelight/people.toml"), Permissions::from_mode(mode))
        .expect("it is ours");
    if uid != 0 {
        println!("skipped: could not make a file that root alone can write; run as root");
        return None;
    }
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    Some((place, console))
}

#[track_caller]
fn refused(said: &Said, part: &str) {
    assert!(said.code != 0 && said.err.contains(part), "{said:?}");
}

fn votes(place: &Place) -> Vec<Value> {
    place.events("r-1").into_iter().filter(|it| it["type"] == "gate.voted").collect()
}

#[test]
fn a_second_person_signs_at_the_same_terminal_and_an_auditor_can_check_it_without_us() {
    let Some((place, console)) = place(0o644) else { return };
    // Whoever sits here has asked for it, and is the same person with a key.
    refused(&place.cue(&["approve", "g-1"]), "mira asked for this run");
    refused(&place.cue(&["approve", "g-1", "--as", "mira", "--key", "own"]), "mira asked for this run");
    refused(&place.cue(&["approve", "g-1", "--as", "ann", "--key", "own"]), "none of the keys");
    refused(&place.cue(&["approve", "g-1", "--as", "eve", "--key", "own"]), "no keys of \"eve\"");
    refused(
        &place.cue(&["approve", "g-1", "--as", "ann", "--key", "nowhere"]),
        "could not sign with nowhere",
    );
    place.cue(&["approve", "g-1", "--as", "bob", "--key", "bob"]).ok();
    place.cue(&["approve", "g-1", "--as", "bob", "--key", "bob", "--reason", "again"]).ok();
    assert_eq!(votes(&place).len(), 1, "one person has answered, once");
    let said = place.cue(&["approve", "g-1", "--as", "ann", "--key", "ann", "--reason", "seen \"it\""]).ok();
    assert!(
        said.err.contains("the approval of g-1 by ann is recorded")
            || said.out.contains("by ann is recorded"),
        "{said:?}"
    );
    assert_eq!(console.end().code, 0, "it has shipped");

    let vote = votes(&place).pop().expect("a vote");
    let proof = &vote["data"]["by"]["proof"]["signature"];
    let (statement, armored) = (text(&proof["statement"]), text(&proof["armored"]));
    place.write("signature", &armored);
    place.write("allowed", &format!("ann {}", place.text("ann.pub")));
    let check = ["-Y", "verify", "-f", "allowed", "-I", "ann", "-n", "cuelight-decision", "-s", "signature"];
    assert!(system(&place, "ssh-keygen", &check, &statement).expect("it runs"), "{vote}");
    assert!(!system(&place, "ssh-keygen", &check, &statement.replace("approve", "reject")).expect("it runs"));
    let receipt = place.cue(&["receipt", "g-1", "-o", "receipt"]).ok();
    let told = place.cue(&["verify", "receipt"]);
    assert!(told.out.contains("ann (by a signature of SHA256:"), "{receipt:?} {told:?}");
}

#[test]
fn what_was_signed_elsewhere_counts_once_for_this_ask_alone() {
    let Some((place, console)) = place(0o644) else { return };
    let said =
        place.cue(&["approve", "g-1", "--as", "ann", "--statement", "answer", "--reason", "looked"]).ok();
    assert!(
        said.err.contains("ssh-keygen -Y sign -n cuelight-decision") && votes(&place).is_empty(),
        "{said:?}"
    );
    refused(&place.cue(&["approve", "g-1", "--signed", "answer"]), "could not read answer.sig");
    let sign = ["-Y", "sign", "-q", "-n", "cuelight-decision", "-f", "ann", "answer"];
    assert!(system(&place, "ssh-keygen", &sign, "").expect("it runs"));
    refused(&place.cue(&["reject", "g-1", "--signed", "answer"]), "what ann has signed is approve");

    let (statement, signature) = (place.text("answer"), place.text("answer.sig"));
    for (from, to) in
        [("looked", "no"), ("\"ann\"", "\"bob\""), ("gate g-1", "gate g-2"), ("epoch 1", "epoch 2")]
    {
        place.write("bent", &statement.replace(from, to));
        place.write("bent.sig", &signature);
        refused(&place.cue(&["approve", "g-1", "--signed", "bent"]), "could not");
    }
    let mut other = place.start(&["run", "ship.yaml", "--headless"]);
    other.until("gate.asked");
    refused(&place.cue(&["approve", "g-2", "--signed", "answer"]), "have it signed anew");
    assert_eq!(votes(&place).len(), 0, "nothing was taken");
    place.cue(&["cancel", "r-2", "--reason", "seen enough"]).ok();
    assert_ne!(other.end().code, 0, "it was cancelled");

    place.cue(&["approve", "g-1", "--signed", "answer"]).ok();
    drop(place.cue(&["approve", "g-1", "--signed", "answer"]));
    assert_eq!(votes(&place).len(), 1, "it counts once");
    place.cue(&["approve", "g-1", "--as", "bob", "--key", "bob"]).ok();
    assert_eq!(console.end().code, 0, "it has shipped");
}

#[test]
fn no_key_counts_where_whoever_sits_here_can_say_whose_it_is() {
    for mode in [0o666, 0o664] {
        let Some((place, _console)) = place(mode) else { return };
        refused(
            &place.cue(&["approve", "g-1", "--as", "ann", "--key", "ann"]),
            "nobody but root can write people.toml",
        );
        assert_eq!(votes(&place).len(), 0);
        assert!(place.cue(&["doctor"]).out.contains("its keys do not count"));
    }
}

//! A second person answers with a key of ssh, at the terminal of somebody else or from afar. Needs `ssh-keygen`.

use crate::program::{Place, Running, Said, text, until};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

const WORKFLOW: &str = "name: ship\nsteps:\n  - {id: go, gate: {prompt: \"Ship it?\", require: [{group: sre, count: 2}]}}\n  - {id: ship, needs: go, run: echo shipped}\n";

/// Runs a program of the system in a directory.
#[expect(clippy::disallowed_methods, reason = "the keys are those of OpenSSH")]
pub(crate) fn system(place: &Place, name: &str, args: &[&str], input: &str) -> std::io::Result<bool> {
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
    place.events("r-1").into_iter().filter(|event| event["type"] == "gate.voted").collect()
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
    assert!(told.out.contains("ann (signed with SHA256:"), "{receipt:?} {told:?}");
    let exported = place.cue(&["audit", "export", "-o", "chain"]).ok();
    let told = place.cue(&["verify", "chain"]);
    assert!(told.out.contains("2 signed, each by the key that it names"), "{exported:?} {told:?}");
    // Whoever tried with another key is on record, in the name of whoever sat here.
    let refused: Vec<Value> = place.events("r-1");
    let refused = refused
        .iter()
        .filter(|value| value["type"] == "gate.refused" && value["data"]["by"]["name"] == "mira");
    let why: Vec<String> = refused.map(|value| text(&value["data"]["why"])).collect();
    assert!(why.iter().any(|text| text.contains("none of the keys that people.toml has of ann")), "{why:?}");
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
    // Ann reads what she is to sign, wherever she is.
    let elsewhere = Place::new();
    for file in ["answer", "answer.ask"] {
        elsewhere.write(file, &place.text(file));
    }
    let read = elsewhere.cue(&["verify", "answer"]).ok().out;
    for part in [
        "approve, by ann",
        "because    looked",
        "Ship it?",
        "if yes      starts now: ship",
        "not yet: answer.sig is missing",
    ] {
        assert!(read.contains(part), "{part}: {read}");
    }
    elsewhere.write("answer.ask", &place.text("answer.ask").replace("Ship it?", "Look at it?"));
    refused(&elsewhere.cue(&["verify", "answer"]), "not the one that it answers; do not sign it");
    let sign = ["-Y", "sign", "-q", "-n", "cuelight-decision", "-f", "ann", "answer"];
    assert!(system(&place, "ssh-keygen", &sign, "").expect("it runs"));
    refused(&place.cue(&["reject", "g-1", "--signed", "answer"]), "what ann has signed is approve");

    let read = place.cue(&["verify", "answer"]).ok().out;
    assert!(read.contains("signed     by SHA256:"), "{read}");
    let (statement, signature) = (place.text("answer"), place.text("answer.sig"));
    for (from, to) in [
        ("looked", "no"),
        ("\"ann\"", "\"bob\""),
        ("gate g-1", "gate g-2"),
        ("epoch 1", "epoch 2"),
        ("log \"cuelight/", "log \"cuelight/0"),
    ] {
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
            "keys count only when people.toml is signed, or when only root can write it",
        );
        assert_eq!(votes(&place).len(), 0);
        assert!(place.cue(&["doctor"]).out.contains("keys count only when people.toml is signed"));
    }
}

#[test]
fn whoever_leaves_the_file_counts_no_more_from_then_on_and_two_keys_are_one_person() {
    let Some((place, console)) = place(0o644) else { return };
    let whole = place.text(".cuelight/people.toml");
    let put = |text: &str| {
        place.write(".cuelight/new", text);
        fs::rename(place.file(".cuelight/new"), place.file(".cuelight/people.toml"))
            .expect("it takes its place");
    };
    let approve = |name: &str, key: &str| place.cue(&["approve", "g-1", "--as", name, "--key", key]);
    // Each change of the file makes the gate ask anew, which takes a moment.
    let answered = |name: &str, key: &str| until(name, || approve(name, key).code == 0);

    put(&whole.replace("'ann'", "'anna'"));
    refused(&approve("ann", "ann"), "no keys of \"ann\"");
    put(&whole.replace("uid = ", "uid = 9"));
    refused(&approve("ann", "ann"), "only when people.toml says who sits here");
    put(&format!("{whole}[[person]]\nname = 'ann'\n"));
    refused(&approve("ann", "ann"), "two people are called \"ann\"");
    put(&whole);
    assert_eq!(votes(&place).len(), 0, "nobody has answered");

    // One more key for Ann instead of Bob: what she says with it, she has said already.
    let (ann, bob) = (place.text("ann.pub"), place.text("bob.pub"));
    let without_bob = &whole[..whole.rfind("[[person]]").expect("bob")];
    put(&without_bob.replace(ann.trim(), &format!("{}', '{}", ann.trim(), bob.trim())));
    answered("ann", "ann");
    drop(approve("ann", "bob"));
    assert_eq!(votes(&place).len(), 1, "two keys are one person");
    put(&whole);
    answered("bob", "bob");
    // What she said before the file changed is void.
    answered("ann", "ann");
    assert_eq!(console.end().code, 0, "it has shipped");
}

#[test]
fn a_step_can_hand_in_nothing_that_somebody_has_signed() {
    let Some((place, console)) = place(0o644) else { return };
    place.cue(&["approve", "g-1", "--as", "ann", "--statement", "answer"]).ok();
    let sign = ["-Y", "sign", "-q", "-n", "cuelight-decision", "-f", "ann", "answer"];
    assert!(system(&place, "ssh-keygen", &sign, "").expect("it runs"));
    let program = env!("CARGO_BIN_EXE_cuelight");
    place.write("sneak.yaml", &format!("steps:\n  - id: sneak\n    run: |\n      {program} approve g-1 --signed answer 2> said.txt && exit 9\n      exit 0\n"));
    place.cue(&["run", "sneak.yaml", "--headless"]).ok();
    assert!(place.text("said.txt").contains("cuelight takes this program for a step"));
    assert_eq!(votes(&place).len(), 0, "nobody has answered");
    place.cue(&["approve", "g-1", "--signed", "answer"]).ok();
    assert_eq!(votes(&place).len(), 1, "a person can");
    drop(console);
}

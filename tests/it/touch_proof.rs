//! Approvals with a security key that was touched, and people.toml with a signature. The security key is made here, in software;
//! `ssh-keygen` says whether what it makes is what a real one would. Needs `ssh-keygen`, and root.

use crate::program::{Place, Running, Said, until};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_runtime::signing_key;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha512};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    process::Command,
};

const DECISION: &str = "cuelight-decision";
const PEOPLE: &str = "cuelight-people";
const TOUCHED: u8 = 0x01;
const VERIFIED: u8 = 0x05;

/// A security key in software, which signs whatever it is told.
struct Authenticator {
    key: SigningKey,
    application: &'static str,
}

fn packed(parts: &[&[u8]]) -> Vec<u8> {
    let len = |part: &[u8]| u32::try_from(part.len()).expect("short").to_be_bytes();
    parts.iter().flat_map(|part| [&len(part)[..], part].concat()).collect()
}

impl Authenticator {
    fn new(seed: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[seed; 32]), application: "ssh:" }
    }

    fn blob(&self) -> Vec<u8> {
        let public = self.key.verifying_key().to_bytes();
        packed(&[b"sk-ssh-ed25519@openssh.com", &public, self.application.as_bytes()])
    }

    /// The line of its `.pub` file.
    fn line(&self) -> String {
        format!("sk-ssh-ed25519@openssh.com {} test", BASE64_STANDARD.encode(self.blob()))
    }

    /// As `ssh-keygen -Y sign` writes it, with these flags of the key.
    fn sign(&self, namespace: &str, text: &str, flags: u8) -> String {
        let hashed = Sha512::digest(text).to_vec();
        let message = [b"SSHSIG", &packed(&[namespace.as_bytes(), b"", b"sha512", &hashed])[..]].concat();
        let counted = [flags, 0, 0, 0, 7];
        let signed =
            [&Sha256::digest(self.application)[..], &counted, &Sha256::digest(&message)[..]].concat();
        let signature = self.key.sign(&signed).to_bytes();
        let inner = [&packed(&[b"sk-ssh-ed25519@openssh.com", &signature])[..], &counted].concat();
        let parts = packed(&[&self.blob(), namespace.as_bytes(), b"", b"sha512", &inner]);
        let whole = [b"SSHSIG", &[0, 0, 0, 1][..], &parts].concat();
        let lines: Vec<u8> = BASE64_STANDARD.encode(whole).bytes().collect();
        let lines: Vec<&str> =
            lines.chunks(70).map(|chunk| std::str::from_utf8(chunk).expect("base64")).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}

/// Runs `ssh-keygen`; nothing where there is none.
#[expect(clippy::disallowed_methods, reason = "OpenSSH says what is right")]
fn ssh_keygen(place: &Place, args: &[&str], input: &str) -> Option<bool> {
    place.write("input", input);
    let input = fs::File::open(place.file("input")).expect("just written");
    let said = Command::new("ssh-keygen").args(args).current_dir(place.path()).stdin(input).output();
    let Ok(said) = said else {
        println!("skipped: could not find ssh-keygen; install it (apt-get install openssh-client)");
        return None;
    };
    Some(said.status.success())
}

fn is_root() -> bool {
    let is_root = rustix::process::getuid().is_root();
    if !is_root {
        println!("skipped: could not make a file that root alone can write; run as root");
    }
    is_root
}

#[test]
fn openssh_accepts_what_we_accept_of_a_security_key() {
    let place = Place::new();
    let key = Authenticator::new(1);
    place.write("allowed", &format!("ann {}\n", key.line()));
    let check = ["-Y", "verify", "-f", "allowed", "-I", "ann", "-n", DECISION, "-s", "signature"];
    for flags in [TOUCHED, VERIFIED] {
        place.write("signature", &key.sign(DECISION, "ship it\n", flags));
        let Some(is_good) = ssh_keygen(&place, &check, "ship it\n") else { return };
        assert!(is_good, "ssh-keygen takes the signature with the flags {flags}");
        assert_eq!(ssh_keygen(&place, &check, "ship\n"), Some(false), "and of no other text");
    }
}

#[test]
fn a_security_key_counts_only_when_it_was_touched_and_to_the_byte() {
    let key = Authenticator::new(1);
    let said = |flags| signing_key(&key.sign(DECISION, "ship it\n", flags), DECISION, "ship it\n");
    assert!(said(TOUCHED).is_some_and(|signing_key| signing_key.to_string().ends_with(", touched")));
    assert!(
        said(VERIFIED)
            .is_some_and(|signing_key| signing_key.to_string().ends_with(", touched, user verified"))
    );
    for flags in [0, 0x04, 0x80] {
        assert_eq!(said(flags), None, "flags {flags}: nobody touched it");
    }
    let good = key.sign(DECISION, "ship it\n", TOUCHED);
    assert_eq!(signing_key(&good, PEOPLE, "ship it\n"), None, "another purpose");
    let lines: Vec<&str> = good.lines().collect();
    let packed = lines[1..lines.len() - 1].concat();
    let bytes = BASE64_STANDARD.decode(packed).expect("base64");
    let named = signing_key(&good, DECISION, "ship it\n");
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 2;
        let bent = format!("{}\n{}\n{}", lines[0], BASE64_STANDARD.encode(bent), lines[lines.len() - 1]);
        assert_ne!(signing_key(&bent, DECISION, "ship it\n"), named, "byte {at}");
    }
    let of_a_web_site = Authenticator { application: "example.org", ..Authenticator::new(2) };
    assert_eq!(signing_key(&of_a_web_site.sign(DECISION, "x", TOUCHED), DECISION, "x"), None);
}

/// One person sits here, and has a security key. The gate asks for its touch.
fn asked(people: &str, gate: &str) -> Option<(Place, Running)> {
    if !is_root() {
        return None;
    }
    let place = Place::new();
    place.write("ship.yaml", &format!("name: ship\nsteps:\n  - {{id: go, gate: {{prompt: \"Ship it?\"{gate}}}}}\n  - {{id: ship, needs: go, run: echo shipped}}\n"));
    fs::create_dir(place.file(".cuelight")).expect("a directory");
    place.write(".cuelight/people.toml", people);
    fs::set_permissions(place.file(".cuelight/people.toml"), Permissions::from_mode(0o644)).expect("ours");
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    Some((place, console))
}

fn people() -> String {
    let uid = rustix::process::getuid().as_raw();
    let key = Authenticator::new(1).line();
    format!("[[person]]\nname = 'mira'\nuid = {uid}\nkeys = ['{key}']\ngroups = ['sre']\n")
}

#[track_caller]
fn refused(said: &Said, part: &str) {
    assert!(said.code != 0 && said.err.contains(part), "{part}: {said:?}");
}

/// Has an answer written for mira, and signs it with these flags.
fn signed(place: &Place, gate: &str, flags: u8) {
    place.cue(&["approve", gate, "--as", "mira", "--statement", "answer"]).ok();
    let text = place.text("answer");
    place.write("answer.sig", &Authenticator::new(1).sign(DECISION, &text, flags));
}

#[test]
fn whoever_sits_here_approves_with_a_touch_and_the_receipt_says_so() {
    let Some((place, console)) = asked(&people(), ", proof: touch") else { return };
    refused(
        &place.cue(&["approve", "g-1"]),
        "an approval needs a touched security key: cuelight approve g-1 --as NAME --key ~/.ssh/id_ed25519_sk",
    );
    assert!(
        place.cue(&["gates", "--show", "g-1"]).ok().out.contains("an approval needs a touched security key")
    );
    signed(&place, "g-1", 0);
    refused(
        &place.cue(&["approve", "g-1", "--signed", "answer"]),
        "a security key has to be touched when it signs",
    );
    signed(&place, "g-1", VERIFIED);
    let read = place.cue(&["verify", "answer"]).ok().out;
    assert!(read.contains(", touched, user verified"), "{read}");
    let mut other = place.start(&["run", "ship.yaml", "--headless"]);
    other.until("gate.asked");
    refused(&place.cue(&["approve", "g-2", "--signed", "answer"]), "have it signed anew");
    place.cue(&["reject", "g-2", "--reason", "a no needs no touch"]).ok();
    drop(other);

    place.cue(&["approve", "g-1", "--signed", "answer"]).ok();
    assert_eq!(console.end().code, 0, "it has shipped");
    let receipt = place.cue(&["receipt", "g-1", "-o", "receipt"]).ok();
    let told = place.cue(&["verify", "receipt"]).ok().out;
    assert!(told.contains("proof      an approval needs a touched security key"), "{receipt:?} {told}");
    assert!(
        told.contains("mira (signed with SHA256:") && told.contains(", touched, user verified)"),
        "{told}"
    );
    place.cue(&["audit", "export", "-o", "chain"]).ok();
    assert!(
        place
            .cue(&["verify", "chain"])
            .ok()
            .out
            .contains("1 signed, each by the key that it names, 1 with a touched key")
    );
}

#[test]
fn an_override_of_such_a_gate_is_signed_with_a_touch_too() {
    let Some((place, console)) = asked(&people(), ", proof: touch") else { return };
    let ask = ask_of(&place);
    let skip = |more: &[&str]| {
        let words = ["skip", "r-1", "go", "--reason", "the canary is well", "--ask", &ask];
        place.cue(&[&words[..], more].concat())
    };
    refused(&skip(&[]), "an approval needs a touched security key");
    skip(&["--as", "mira", "--statement", "answer"]).ok();
    let sign = |flags| {
        place.write("answer.sig", &Authenticator::new(1).sign(DECISION, &place.text("answer"), flags));
    };
    sign(0);
    let signed = ["--signed", "answer"];
    refused(&skip(&signed), "a security key has to be touched when it signs");
    sign(TOUCHED);
    refused(&place.cue(&["approve", "g-1", "--signed", "answer"]), "what mira has signed is an override");
    let other = ["skip", "r-1", "go", "--reason", "another one", "--signed", "answer"];
    refused(&place.cue(&other), "the reason that was signed is \"the canary is well\"");
    let of_step = ["skip", "r-1", "ship", "--reason", "x", "--signed", "answer"];
    refused(&place.cue(&of_step), "only an open gate is answered with a key");
    skip(&signed).ok();
    assert_eq!(console.end().code, 0, "it has shipped");
    assert!(place.events("r-1").iter().any(|event| event["type"] == "gate.overridden"));
}

#[test]
fn doctor_and_check_name_a_gate_that_nobody_can_touch_a_key_for() {
    let uid = rustix::process::getuid().as_raw();
    let without = format!("[gates]\nproof = 'touch'\n[[person]]\nname = 'mira'\nuid = {uid}\n");
    let Some((place, _console)) = asked(&without, ", risk: irreversible") else { return };
    let why = "nobody in people.toml has a security key";
    let told = place.cue(&["doctor"]).out;
    assert!(told.contains("lets nobody approve a gate of risk irreversible") && told.contains(why), "{told}");
    let told = place.cue(&["check", "ship.yaml"]);
    assert!(told.out.contains(why) || told.err.contains(why), "{told:?}");
    refused(
        &place.cue(&["approve", "g-1", "--ask", &ask_of(&place)]),
        "an approval needs a touched security key",
    );
}

fn ask_of(place: &Place) -> String {
    let gates = place.cue(&["gates", "--json"]).json();
    let found = gates.as_array().and_then(|gates| gates.first()).or_else(|| gates["gates"].get(0));
    found.and_then(|gate| gate["ask_hash"].as_str()).expect("an ask").to_owned()
}

/// A file of signers that root alone can write, beside the workspace, and a gate that wants a group at high risk.
fn with_signers() -> Option<Place> {
    if !is_root() {
        return None;
    }
    let place = Place::new();
    for name in ["ops", "eve"] {
        ssh_keygen(&place, &["-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", name], "")?;
    }
    fs::create_dir(place.file("etc")).expect("a directory");
    place.write("etc/signers", &format!("# who may sign\nops {}", place.text("ops.pub")));
    let signers = place.file("etc/signers");
    for path in [place.file("etc"), signers.clone()] {
        let mode = if path == signers { 0o644 } else { 0o755 };
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    }
    let place = place.with("CUELIGHT_PEOPLE_SIGNERS", &signers.to_string_lossy());
    place.write("ship.yaml", "name: ship\nsteps:\n  - {id: go, gate: {prompt: go?, require: sre, risk: externally-reversible}}\n  - {id: ship, needs: go, run: echo shipped}\n");
    fs::create_dir(place.file(".cuelight")).expect("a directory");
    Some(place)
}

/// Writes people.toml as the user's own file, and has it signed.
fn put(place: &Place, groups: &str, signer: &str) {
    let uid = rustix::process::getuid().as_raw();
    let text = format!(
        "[[person]]\nname = 'mira'\nuid = {uid}\ngroups = [{groups}]\n[[person]]\nname = 'bob'\nuid = 4000000\ngroups = ['sre']\n"
    );
    place.write("people.toml", &text);
    drop(fs::remove_file(place.file("people.toml.sig")));
    let made = ssh_keygen(place, &["-Y", "sign", "-q", "-n", PEOPLE, "-f", signer, "people.toml"], "");
    assert_eq!(made, Some(true), "it is signed");
    // Its signature first: the file is never there with another's.
    for name in ["people.toml.sig", "people.toml"] {
        fs::rename(place.file(name), place.file(&format!(".cuelight/{name}"))).expect("it takes its place");
    }
    fs::set_permissions(place.file(".cuelight/people.toml"), Permissions::from_mode(0o666)).expect("ours");
}

#[test]
fn a_signed_file_counts_and_its_standing_is_told() {
    let Some(place) = with_signers() else { return };
    put(&place, "'sre'", "ops");
    let doctor = place.cue(&["doctor"]).out;
    assert!(doctor.contains("signed by ops (SHA256:"), "{doctor}");
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    assert!(
        place.cue(&["gates", "--show", "g-1"]).ok().out.contains("people.toml is signed by ops (SHA256:")
    );
    place.cue(&["approve", "g-1"]).ok();
    assert_eq!(console.end().code, 0, "it has shipped");
    place.cue(&["receipt", "g-1", "-o", "receipt"]).ok();
    let told = place.cue(&["verify", "receipt"]).ok().out;
    assert!(told.contains("people     signed by ops (SHA256:"), "{told}");
    let changed = people_events(&place);
    assert!(
        changed.len() == 1 && changed[0].contains(r#""signed_by":{"name":"ops","key":"SHA256:"#),
        "{changed:?}"
    );
}

/// The events of people.toml, as the log has them.
fn people_events(place: &Place) -> Vec<String> {
    place.cue(&["audit", "export", "-o", "chain"]).ok();
    let records = place.text("chain");
    let records = records.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let payloads = records.filter_map(|record| record["payload"].as_str().map(str::to_owned));
    payloads.filter(|payload| payload.starts_with(r#"{"People""#)).collect()
}

#[test]
fn a_signature_that_is_not_good_lets_nobody_decide() {
    let Some(place) = with_signers() else { return };
    put(&place, "'sre'", "ops");
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    let approve = |part: &str| refused(&place.cue(&["approve", "g-1"]), part);

    put(&place, "'sre'", "eve");
    approve("that key is of no signer");
    place.write(".cuelight/people.toml.sig", "no signature");
    approve("its signature is not one over the file as it is");
    put(&place, "'sre'", "ops");
    let text = place.text(".cuelight/people.toml");
    place.write(".cuelight/people.toml", &text.replace("4000000", "4000001"));
    approve("its signature is not one over the file as it is");

    // Whoever can write the list of signers could be on it.
    place.write(".cuelight/people.toml", &text);
    let signers = place.file("etc/signers");
    fs::set_permissions(&signers, Permissions::from_mode(0o666)).expect("ours");
    approve("has to be of root");
    fs::set_permissions(&signers, Permissions::from_mode(0o644)).expect("ours");
    chown(&signers, Some(1000), None).expect("root may");
    approve("has to be of root");
    chown(&signers, Some(0), None).expect("root may");
    fs::set_permissions(place.file("etc"), Permissions::from_mode(0o777)).expect("ours");
    approve("has to be of root");
    fs::remove_file(&signers).expect("it was there");
    approve("cannot be read");

    // Without a signature it is the user's own word, which does not count here.
    fs::remove_file(place.file(".cuelight/people.toml.sig")).expect("it was there");
    until("the gate asks by the new file", || {
        place.cue(&["approve", "g-1"]).err.contains("groups count only when people.toml is signed")
    });
}

#[test]
fn an_older_signed_file_gives_no_rights_at_a_gate_that_is_open() {
    let Some(place) = with_signers() else { return };
    put(&place, "'dev'", "ops");
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    put(&place, "'sre'", "ops");
    until("the gate asks anew", || {
        place.cue(&["approve", "g-1"]).err.contains("mira joined sre after g-1 opened")
    });
    assert_eq!(people_events(&place).len(), 2, "the change is an event");
}

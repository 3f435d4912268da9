//! Forms at the command line: asked for at a terminal, named to a script, and signed with their values.

use crate::{
    program::{Place, Running, Said, text, until},
    signing::system,
    terminal_hangup::{console, read_until},
};
use rustix::fs::OFlags;
use serde_json::{Value, json};
use std::{io::Write as _, process::Child};

/// A gate with a field of each kind of rule, and a step behind it.
fn waiting(risk: &str) -> (Place, Running) {
    let place = Place::new();
    place.write("ship.yaml", &workflow(risk));
    let mut console = place.start(&["run", "ship.yaml", "--headless"]);
    console.until("gate.asked");
    (place, console)
}

fn workflow(risk: &str) -> String {
    format!(
        "name: ship
steps:
  - id: go
    gate:
      prompt: Ship it?
      risk: {risk}
      form:
        ticket: {{type: string, required: true, pattern: '^T-[0-9]+$', description: The ticket of the change}}
        share: {{type: integer, default: 5, choices: [5, 50]}}
        note: {{type: string}}
  - {{id: ship, needs: go, run: echo shipped}}
"
    )
}

#[track_caller]
fn refused(said: &Said, parts: &[&str]) {
    assert_ne!(said.code, 0, "{said:?}");
    for part in parts {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

/// The values that the only vote at the gate carries; nothing before there is a vote.
fn voted(place: &Place) -> Option<Value> {
    let is_vote = |event: &Value| matches!(event["type"].as_str(), Some("gate.voted" | "gate.overridden"));
    let votes: Vec<Value> = place.events("r-1").into_iter().filter(is_vote).collect();
    assert!(votes.len() < 2, "{votes:?}");
    votes.first().map(|vote| vote["data"]["form"].clone())
}

fn ends(child: &mut Child) -> i32 {
    let mut status = None;
    until("the command ends", || {
        status = child.try_wait().expect("it is ours");
        status.is_some()
    });
    status.and_then(|status| status.code()).unwrap_or(-1)
}

#[test]
fn a_terminal_shows_the_ask_then_asks_for_each_field_and_checks_what_is_typed() {
    let (place, runs) = waiting("reversible");
    let (mut terminal, mut child) = console(&place, &["approve", "g-1"]);
    // The end of the ask and the first field stand on one screen.
    read_until(&terminal, "Fill in the form of g-1");
    for (typed, answer) in [
        ("\n", "`ticket` must be given"),
        ("7\n", "which does not match"),
        ("T-7\n", "Enter: 5"),
        ("6\n", "`share` must be one of: 5, 50"),
        ("lots\n", "could not take that"),
        ("\n", "leaves it empty"),
    ] {
        terminal.write_all(typed.as_bytes()).expect("a terminal takes keys");
        read_until(&terminal, answer);
    }
    assert_eq!(voted(&place), None, "nothing is answered before the last field");
    terminal.write_all(b"\n").expect("a terminal takes keys");
    read_until(&terminal, "your approval of g-1 is recorded");
    assert_eq!(ends(&mut child), 0);
    assert_eq!(voted(&place), Some(json!({"ticket": "T-7", "share": 5, "note": null})));
    assert_eq!(runs.end().code, 0, "it has shipped");
}

#[test]
fn an_interrupt_or_a_closed_terminal_in_the_middle_of_a_form_answers_nothing() {
    let (place, _runs) = waiting("irreversible");
    for words in [&["approve", "g-1"][..], &["skip", "r-1", "go", "--reason", "by hand"]] {
        for end in [b"\x03", b"\x04"] {
            let (mut terminal, mut child) = console(&place, words);
            read_until(&terminal, "The ticket of the change");
            terminal.write_all(b"T-7\n").expect("a terminal takes keys");
            read_until(&terminal, "Enter: 5");
            terminal.write_all(end).expect("a terminal takes keys");
            assert_ne!(ends(&mut child), 0, "{words:?}");
            assert_eq!(voted(&place), None, "{words:?}");
        }
    }
}

#[test]
fn an_override_at_a_terminal_asks_for_the_form_and_then_for_the_code() {
    let (place, runs) = waiting("irreversible");
    let (mut terminal, mut child) =
        console(&place, &["done", "r-1", "go", "--reason", "by hand", "-i", "ticket=T-9"]);
    rustix::fs::fcntl_setfl(&terminal, OFlags::NONBLOCK).expect("it does not make us wait");
    for (typed, answer) in [("", "Enter: 5"), ("50\n", "leaves it empty"), ("late\n", "To override, type ")] {
        terminal.write_all(typed.as_bytes()).expect("a terminal takes keys");
        read_until(&terminal, answer);
    }
    assert_eq!(voted(&place), None, "nothing is answered before the code");
    terminal.write_all(b"0000\n").expect("a terminal takes keys");
    read_until(&terminal, "that was not the code");
    assert_ne!(ends(&mut child), 0);
    assert_eq!(voted(&place), None, "a wrong code answers nothing");
    let name = text(&place.gates()[0]["ask_hash"]);
    let said = place.cue(&["done", "r-1", "go", "--reason", "by hand", "--ask", &name, "-i", "ticket=T-9"]);
    refused(&said, &["note (text): --set note=VALUE or --leave note"]);
    let words = ["--ask", &name, "--set", "ticket=T-9", "--set", "share=50", "--leave", "note"];
    place.cue(&[&["done", "r-1", "go", "--reason", "by hand"][..], &words].concat()).ok();
    assert_eq!(voted(&place), Some(json!({"ticket": "T-9", "share": 50, "note": null})));
    assert_eq!(runs.end().code, 0, "it has shipped");
}

#[test]
fn a_script_is_told_every_missing_field_and_its_flag() {
    for (risk, missing) in [
        ("reversible", &["ticket (text, fits ^T-[0-9]+$, required): --set ticket=VALUE"][..]),
        (
            "irreversible",
            &[
                "ticket (text, fits ^T-[0-9]+$, required): --set ticket=VALUE",
                "note (text): --set note=VALUE or --leave note",
            ],
        ),
    ] {
        let (place, runs) = waiting(risk);
        let ask = text(&place.gates()[0]["ask_hash"]);
        let approve = |words: &[&str]| place.cue(&[&["approve", "g-1", "--ask", &ask][..], words].concat());
        refused(&approve(&[]), missing);
        for (words, why) in [
            (&["--set", "ticket="][..], "`ticket` must be given"),
            (&["--set", "ticket= "], "`ticket` must be given"),
            (&["--set", "ticket=7"], "does not match"),
            (&["--leave", "ticket"], "`ticket` must be given"),
            (&["--set", "ticket=T-1", "--set", "share=7"], "must be one of: 5, 50"),
            (
                &["--set", "ticket=T-1", "--set", "color=red"],
                "the form has no field `color`; it has: ticket, share, note",
            ),
            (&["--set", "ticket=T-1", "--set", "ticket=T-2"], "`ticket` is given twice"),
            (&["--set", "ticket=T-1", "--set", "note=x", "--leave", "note"], "`note` is given twice"),
        ] {
            refused(&approve(words), &["could not fill in the form of g-1", why]);
        }
        let said = place.cue(&["reject", "g-1", "--reason", "no", "--set", "ticket=T-1"]);
        refused(&said, &["an approval fills in the form"]);
        assert_eq!(voted(&place), None, "nothing was answered");
        approve(&["-i", "ticket=T-1", "--leave", "note"]).ok();
        assert_eq!(voted(&place), Some(json!({"ticket": "T-1", "note": null})));
        assert_eq!(runs.end().code, 0, "it has shipped");
    }
}

/// A person who signs, where `people.toml` is root's.
fn with_people() -> Option<(Place, Running)> {
    let place = Place::new();
    for name in ["ann", "own"] {
        match system(&place, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "c", "-f", name], "") {
            Ok(done) => assert!(done, "a key is made"),
            Err(_) => {
                println!("skipped: could not find ssh-keygen; install it (apt-get install openssh-client)");
                return None;
            }
        }
    }
    let uid = rustix::process::getuid().as_raw();
    if uid != 0 {
        println!("skipped: could not make a file that root alone can write; run as root");
        return None;
    }
    std::fs::create_dir(place.file(".cuelight")).expect("a directory");
    let key = |name: &str| place.text(&format!("{name}.pub")).trim().to_owned();
    let people = format!(
        "[[person]]\nname = 'mira'\nuid = {uid}\nkeys = ['{}']\n[[person]]\nname = 'ann'\nkeys = ['{}']\n",
        key("own"),
        key("ann"),
    );
    place.write(".cuelight/people.toml", &people);
    place.write("ship.yaml", &workflow("irreversible"));
    let mut runs = place.start(&["run", "ship.yaml", "--headless"]);
    runs.until("gate.asked");
    Some((place, runs))
}

#[test]
fn a_signed_answer_holds_the_hash_of_its_values_and_other_values_are_refused() {
    let Some((place, runs)) = with_people() else { return };
    let ask = text(&place.gates()[0]["ask_hash"]);
    let values = ["--set", "ticket=T-7", "--set", "share=50", "--leave", "note"];
    let words = ["approve", "g-1", "--as", "ann", "--ask", &ask, "--statement", "answer"];
    refused(&place.cue(&words), &["ticket (text"]);
    let said = place.cue(&[&words[..], &values].concat()).ok();
    assert!(said.err.contains("answer, answer.form and answer.ask are for ann"), "{}", said.err);
    assert!(
        place.text("answer").lines().any(|line| line.starts_with("answer approve form ")),
        "{}",
        place.text("answer")
    );
    let read = place.cue(&["verify", "answer"]).ok().out;
    for part in ["form       ticket = T-7", "form       share = 50", "form       note = empty"] {
        assert!(read.contains(part), "{part}: {read}");
    }
    let sign = ["-Y", "sign", "-q", "-n", "cuelight-decision", "-f", "ann", "answer"];
    assert!(system(&place, "ssh-keygen", &sign, "").expect("it runs"));

    let (form, signature) = (place.text("answer.form"), place.text("answer.sig"));
    let other = "ann has signed other values of its form";
    for (bent, why) in [
        (form.replace("T-7", "T-8"), other),
        (form.replace("50", "5"), other),
        (form.replace("50", "\"50\""), other),
        (form.replace("\"note\":null,", ""), other),
        ("[]".to_owned(), "holds no values of a form"),
    ] {
        place.write("answer.form", &bent);
        refused(&place.cue(&["verify", "answer"]), &[why]);
        refused(&place.cue(&["approve", "g-1", "--signed", "answer"]), &[why]);
    }
    std::fs::remove_file(place.file("answer.form")).expect("it is there");
    refused(&place.cue(&["approve", "g-1", "--signed", "answer"]), &["cannot be read from answer.form"]);
    for flags in
        [&["--set", "ticket=T-8", "--set", "share=50", "--leave", "note"][..], &["--set", "ticket=T-7"]]
    {
        refused(&place.cue(&[&["approve", "g-1", "--signed", "answer"][..], flags].concat()), &[other]);
    }
    // A statement that was bent to fit the other values carries no signature.
    let hash = |text: &str| {
        text.lines().find_map(|line| line.strip_prefix("answer approve form ")).map(str::to_owned)
    };
    let mine = ["approve", "g-1", "--as", "ann", "--ask", &ask, "--statement", "mine"];
    place.cue(&[&mine[..], &["--set", "ticket=T-8", "--set", "share=50", "--leave", "note"]].concat()).ok();
    let statement = place.text("answer");
    let (now, then) = (hash(&place.text("mine")).expect("a hash"), hash(&statement).expect("a hash"));
    for bent in [statement.replace(&then, &now), statement.replace(&format!(" form {then}"), "")] {
        place.write("bent", &bent);
        place.write("bent.sig", &signature);
        place.write("bent.form", &place.text("mine.form"));
        refused(&place.cue(&["approve", "g-1", "--signed", "bent"]), &["could not"]);
    }
    assert_eq!(voted(&place), None, "nothing was taken");

    place.write("answer.form", &form);
    place.cue(&["approve", "g-1", "--signed", "answer"]).ok();
    assert_eq!(voted(&place), Some(json!({"ticket": "T-7", "share": 50, "note": null})));
    assert_eq!(runs.end().code, 0, "it has shipped");
}

#[test]
fn a_person_signs_the_values_at_the_same_terminal() {
    let Some((place, runs)) = with_people() else { return };
    let ask = text(&place.gates()[0]["ask_hash"]);
    let words = ["approve", "g-1", "--as", "ann", "--key", "ann", "--ask", &ask];
    refused(&place.cue(&words), &["ticket (text"]);
    place.cue(&[&words[..], &["-i", "ticket=T-7", "--leave", "note"]].concat()).ok();
    assert_eq!(voted(&place), Some(json!({"ticket": "T-7", "note": null})));
    assert_eq!(runs.end().code, 0, "it has shipped");
}

#[test]
fn a_receipt_of_an_answer_with_a_form_holds() {
    let (place, mut console) = waiting("reversible");
    place.cue(&["approve", "g-1", "--set", "ticket=T-1", "--set", "share=5", "--leave", "note"]).ok();
    while console.line().is_some() {}
    until("the engine has left", || place.owner().is_none());
    place.cue(&["audit", "receipt", "g-1", "-o", "receipt.json"]).ok();
    let said = place.cue(&["audit", "verify", "receipt.json"]).ok();
    assert!(said.out.contains("approve "), "{said:?}");
}

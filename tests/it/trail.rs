//! The trail: heads are signed, a receipt proves a decision elsewhere, and whatever is changed is found.

use crate::{
    independent_verifier,
    program::{Place, until},
};
use cuelight_store::{NoteKey, verify_chain};
use serde_json::Value;
use std::fs;

const WAITS: &str =
    "name: waits\nsteps:\n  - {id: ask, gate: May it?}\n  - {id: after, needs: ask, run: echo yes}\n";

/// A workspace in which somebody has said yes, and nothing runs any more.
fn decided() -> (Place, String) {
    decided_because("seen")
}

fn decided_because(reason: &str) -> (Place, String) {
    let place = Place::new().with("CUELIGHT_IDLE_AFTER", "10ms");
    place.write("waits.yaml", WAITS);
    let mut running = place.start(&["run", "waits.yaml", "--headless"]);
    running.until("ask");
    until("it asks", || !place.gates().is_empty());
    let gate = place.gates()[0]["id"].as_str().expect("a gate").to_owned();
    place.cue(&["approve", &gate, "--reason", reason]).ok();
    while running.line().is_some() {}
    until("the engine has left", || place.owner().is_none());
    (place, gate)
}

fn receipt(place: &Place, gate: &str) -> String {
    place.cue(&["receipt", gate, "-o", "receipt.json"]).ok();
    place.text("receipt.json")
}

fn key(place: &Place) -> String {
    place.cue(&["keys"]).ok().out.trim().to_owned()
}

#[test]
fn a_receipt_proves_a_decision_to_the_program_and_to_a_second_verifier() {
    let (place, gate) = decided();
    let receipt = receipt(&place, &gate);
    let key = key(&place);
    assert_eq!(independent_verifier::verify(&receipt, &[&key]), Ok("approved".to_owned()));
    // Elsewhere there is no workspace.
    let elsewhere = Place::new();
    elsewhere.write("receipt.json", &receipt);
    let said = elsewhere.cue(&["verify", "receipt.json"]).ok().out;
    assert!(said.starts_with(&format!("gate       {gate} of r-1, step ")), "{said}");
    assert!(said.contains("key        NOT VERIFIED: it stands in the file itself"), "{said}");
    let said = elsewhere.cue(&["verify", "receipt.json", "--key", &key]).ok();
    assert!(said.out.contains("key        verified: ") && !said.out.contains("NOT VERIFIED"), "{said:?}");
    for part in ["asked", "May it?", "approve ", "seen", "approved", "signed     head"] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    // Another key does not vouch for it.
    let other = self::key(&decided().0);
    assert_eq!(elsewhere.cue(&["verify", "receipt.json", "--key", &other]).code, 1);
    assert!(independent_verifier::verify(&receipt, &[&other]).is_err());
}

#[test]
fn every_change_to_a_receipt_is_found_by_both_verifiers() {
    let (place, gate) = decided();
    let good: Value = serde_json::from_str(&receipt(&place, &gate)).expect("JSON");
    let key = key(&place);
    let elsewhere = Place::new();
    let check = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        assert_ne!(receipt, good, "{what} changes something");
        let text = receipt.to_string();
        assert!(independent_verifier::verify(&text, &[&key]).is_err(), "{what}: the second verifier");
        elsewhere.write("receipt.json", &text);
        let said = elsewhere.cue(&["verify", "receipt.json", "--key", &key]);
        assert_eq!(said.code, 1, "{what}: {said:?}");
    };
    let replace = |value: &mut Value, from: &str, to: &str| {
        *value = Value::from(value.as_str().expect("text").replacen(from, to, 1));
    };
    check("a record left out", &|value| drop(value["records"].as_array_mut().expect("records").remove(1)));
    check("two records exchanged", &|value| value["records"].as_array_mut().expect("records").swap(0, 1));
    check("a record put in", &|value| {
        let records = value["records"].as_array_mut().expect("records");
        records.insert(1, records[0].clone());
    });
    check("the last record left out", &|value| drop(value["records"].as_array_mut().expect("records").pop()));
    check("another reason", &|value| {
        let voted = value["records"].as_array_mut().expect("records");
        let voted = voted
            .iter_mut()
            .find(|value| value["payload"].as_str().is_some_and(|payload| payload.contains("\"Voted\"")));
        replace(&mut voted.expect("a vote")["payload"], "seen", "sure");
    });
    check("another time", &|value| replace(&mut value["records"][0]["header"], "\"at\":1", "\"at\":2"));
    check("another size", &|value| replace(&mut value["note"], "\n", "\n1"));
    check("a vote that is not shown", &|value| {
        let records = value["records"].as_array_mut().expect("records");
        let voted = records
            .iter_mut()
            .find(|record| record["payload"].as_str().is_some_and(|payload| payload.contains("\"Voted\"")));
        drop(voted.expect("a vote").as_object_mut().expect("a record").remove("payload"));
    });
    check("another gate on its outside", &|value| value["gate"] = "g-9".into());
    check("another run on its outside", &|value| value["run"] = "r-9".into());
    check("another log on its outside", &|value| value["database"] = "cuelight/0123456789abcdef".into());
    check("no gate on its outside", &|value| drop(value.as_object_mut().expect("a map").remove("gate")));
    check("another question", &|value| replace(&mut value["records"][0]["payload"], "May it?", "May he?"));
}

#[test]
fn thousands_of_changes_to_a_receipt_are_all_found() {
    let (place, gate) = decided();
    let good = receipt(&place, &gate);
    let key = key(&place);
    let many =
        std::env::var("CUELIGHT_MUTATIONS").ok().and_then(|value| value.parse().ok()).unwrap_or(2_000_u64);
    let mut chance = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % below as u64).expect("it is below")
    };
    let proved: Value = serde_json::from_str(&good).expect("JSON");
    let proven = |value: &Value| (value["records"].clone(), value["note"].clone());
    let mut changed = 0;
    while changed < many {
        let mut bytes = good.clone().into_bytes();
        let at = next(bytes.len());
        match next(3) {
            0 => bytes[at] ^= 1 << next(7),
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, bytes[next(bytes.len())]),
        }
        let Ok(text) = String::from_utf8(bytes) else { continue };
        // Blanks between values, names of the file and salts of what is not shown prove nothing and change nothing.
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            assert!(independent_verifier::verify(&text, &[&key]).is_err());
            changed += 1;
            continue;
        };
        if proven(&value) == proven(&proved) || only_unproven(&value, &proved) {
            continue;
        }
        assert!(independent_verifier::verify(&text, &[&key]).is_err(), "{text}");
        changed += 1;
    }
}

/// Salts of records whose payload is not in the receipt, and the names in signature lines beside the signature.
fn only_unproven(value: &Value, proved: &Value) -> bool {
    let bare = |value: &Value| -> Option<Value> {
        let mut value = value.clone();
        for record in value["records"].as_array_mut()? {
            let shows = record["payload"].is_string();
            let record = record.as_object_mut()?;
            record.retain(|key, _| {
                let counts =
                    ["seq", "header", "payload", "payload_hash", "prev", "hash"].contains(&key.as_str());
                counts || (shows && key == "salt")
            });
            // Hexadecimal digits mean the same in capitals.
            for key in ["payload_hash", "prev", "hash", "salt"] {
                if let Some(Value::String(digits)) = record.get_mut(key) {
                    digits.make_ascii_lowercase();
                }
            }
        }
        // A line after the note that is no signature says nothing.
        let (text, signatures) = value["note"].as_str()?.split_once("\n\n")?;
        let signatures: Vec<&str> = signatures.lines().filter(|line| line.starts_with('\u{2014}')).collect();
        Some(Value::from(vec![value["records"].clone(), text.into(), signatures.into()]))
    };
    bare(value).is_some() && bare(value) == bare(proved)
}

#[test]
fn the_log_is_verified_against_its_signed_heads() {
    let (place, _) = decided();
    let said = place.cue(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(said["holds"], true);
    assert_eq!(said["signed"], said["head"]["seq"]);
    // A copy of the heads proves it later, and from there on.
    fs::copy(place.file(".cuelight/checkpoints"), place.file("held")).expect("a copy");
    let said = place.cue(&["audit", "verify"]).ok().out;
    for part in ["key     NOT VERIFIED: ", "copy    NOT VERIFIED against a head that is kept elsewhere"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = place.cue(&["audit", "verify", "--anchors", "held"]).ok().out;
    assert!(said.contains("copy    verified against "), "{said}");
    place.cue(&["audit", "verify", "--from", "held"]).ok();
}

#[test]
fn an_old_copy_of_the_log_is_noticed_at_the_start_and_by_whoever_holds_a_head() {
    let (place, _) = decided();
    for name in ["cuelight.db", "checkpoints"] {
        fs::copy(place.file(&format!(".cuelight/{name}")), place.file(&format!("old-{name}")))
            .expect("a copy");
    }
    place.write("more.yaml", "name: more\nsteps: [{id: it, run: 'true'}]\n");
    place.cue(&["run", "more.yaml", "--headless"]).ok();
    until("the engine has left", || place.owner().is_none());
    fs::copy(place.file(".cuelight/checkpoints"), place.file("held")).expect("a copy");
    fs::copy(place.file("old-cuelight.db"), place.file(".cuelight/cuelight.db")).expect("the old one");
    let said = place.cue(&["run", "more.yaml", "--headless"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("it was cut, or is an old copy; restore the newer copy"), "{said:?}");
    let said = place.cue(&["audit", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    // With its own heads the old copy looks whole; a head from elsewhere tells.
    fs::copy(place.file("old-checkpoints"), place.file(".cuelight/checkpoints")).expect("the old ones");
    place.cue(&["audit", "verify"]).ok();
    let said = place.cue(&["audit", "verify", "--anchors", "held"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("was cut or exchanged"), "{said:?}");
}

/// Signed heads and the keys that vouch for them are evidence: nobody is told to remove them.
#[test]
fn nobody_is_told_to_remove_heads_or_keys_that_are_too_large() {
    for name in ["checkpoints", "keys/public"] {
        let (place, _) = decided();
        until("the engine has left", || place.owner().is_none());
        let file = fs::OpenOptions::new().write(true).open(place.file(&format!(".cuelight/{name}")));
        file.and_then(|file| file.set_len(20 << 30)).expect("a sparse file");
        let said = place.cue(&["audit", "verify"]);
        assert!(said.code != 0 && said.err.contains("keep a copy of it"), "{name}: {said:?}");
        assert!(said.err.contains(name) && !said.err.contains("remove it"), "{name}: {said:?}");
    }
}

#[test]
fn a_new_key_is_believed_because_the_old_one_vouches_for_it() {
    let (place, gate) = decided();
    let old = key(&place);
    let new = place.cue(&["keys", "rotate"]).ok().out.trim().to_owned();
    assert_ne!(old, new);
    place.write("more.yaml", "name: more\nsteps: [{id: it, run: 'true'}]\n");
    place.cue(&["run", "more.yaml", "--headless"]).ok();
    until("the engine has left", || place.owner().is_none());
    place.cue(&["audit", "verify", "--key", &old]).ok();
    // Both have signed one head, so each vouches for the other; a stranger's key vouches for none.
    place.cue(&["audit", "verify", "--key", &new]).ok();
    assert_eq!(place.cue(&["audit", "verify", "--key", &key(&decided().0)]).code, 1);
    assert_eq!(independent_verifier::verify(&receipt(&place, &gate), &[&old]), Ok("approved".to_owned()));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, _) = decided();
    let path = place.file(".cuelight/keys/console.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    let said = place.cue(&["run", "waits.yaml", "--headless"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(
        said.err.contains("others can read it; run `chmod 600` on it, then `cuelight keys rotate`"),
        "{said:?}"
    );
}

#[test]
fn a_key_that_went_missing_is_replaced_and_that_is_seen() {
    let (place, _) = decided();
    fs::remove_file(place.file(".cuelight/keys/console.key")).expect("it was there");
    place.write("more.yaml", "name: more\nsteps: [{id: it, run: 'true'}]\n");
    place.cue(&["run", "more.yaml", "--headless"]).ok();
    until("the engine has left", || place.owner().is_none());
    assert!(place.cue(&["keys"]).ok().out.contains("no key before it vouches for it"));
    let said = place.cue(&["audit", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("not signed by a key that is believed"), "{said:?}");
}

/// Approved by who asked for it, with a reason that wants to be more than text.
fn bent() -> (Place, String) {
    decided_because("=HYPERLINK(\"x\") \u{1b}[31m<b>")
}

#[test]
fn the_trail_shows_who_decided_what_and_can_be_narrowed() {
    let (place, gate) = bent();
    let all = place.cue(&["audit"]).ok().out;
    for part in ["run.created", "gate.asked", "gate.voted", "gate.resolved", "(command)"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(all.contains("  2 steps in 2 levels, 1 gate, 1 call\n"), "what was planned: {all}");
    assert!(!all.contains("attempt.started") && !all.contains('\u{1b}'), "{all}");
    assert!(place.cue(&["audit", "--all"]).ok().out.contains("attempt.started"));
    let votes = place.cue(&["audit", "r-1", "--type", "gate.voted", "--json"]).ok();
    assert_eq!(votes.json()["data"]["gate"], Value::from(gate));
    let kinds = place.cue(&["audit", "--type", "gate"]).ok().out;
    assert_eq!(kinds.lines().count(), 3, "{kinds}");
    assert!(place.cue(&["audit", "--to", "2020-01-01T00:00:00Z"]).ok().out.contains("nothing in the trail"));
    let steps = place.cue(&["audit", "--type", "attempt"]).ok().out;
    assert!(steps.contains("no request, ask or answer fits that; --all shows 2 records"), "{steps}");
    let (finished, old) = ("run.finished", "run_finished");
    for kind in [finished, old] {
        let ends = place.cue(&["audit", "--all", "--type", kind]).ok().out;
        assert!(ends.contains(finished) && !ends.contains(old), "{ends}");
    }
    assert_eq!(place.cue(&["audit", "--from", "yesterday"]).code, 2);
}

#[test]
fn a_name_that_the_trail_does_not_have_is_refused_and_not_taken_for_silence() {
    let (place, _) = decided();
    for (args, part) in [
        (&["r-99"][..], "could not find run r-99; `cuelight runs` lists"),
        (&["r-99", "--json"], "could not find run r-99"),
        (&["nosuch"], "could not find a run or a trace nosuch"),
        (&["--by", "bob"], "could not find bob: nobody of that name has acted here or stands in people.toml"),
        (&["--type", "vote"], "could not find the event type vote; the types are:"),
        (&["--type", "gate.vote"], "gate.asked, gate.voted"),
    ] {
        let said = place.cue(&[&["audit"], args].concat());
        assert!(said.code == 2 && said.err.contains(part) && said.out.is_empty(), "{args:?}: {said:?}");
    }
    place.write(".cuelight/people.toml", "[[person]]\nname = 'bob'\nuid = 4000000\ngroups = []\n");
    let known = place.cue(&["audit", "--by", "bob"]).ok();
    assert!(known.out.contains("nothing in the trail fits that"), "{known:?}");
}

#[test]
fn a_stretch_of_time_can_be_asked_for_from_its_first_instant_to_before_its_last() {
    let (place, _) = decided();
    let records = |args: &[&str]| -> Vec<(u64, String)> {
        let said = place.cue(&[&["audit", "--all", "--json"], args].concat()).ok().out;
        let record = |line: &str| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (value["seq"].as_u64().expect("a place"), value["time"].as_str().expect("an instant").to_owned())
        };
        said.lines().map(record).collect()
    };
    let all = records(&[]);
    let middle = all.iter().find(|pair| pair.1 > all[0].1).expect("a later one").1.clone();
    let (early, late): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|pair| pair.1 < middle);
    assert!(!early.is_empty() && !late.is_empty(), "{all:?}");
    assert_eq!(records(&["--to", &middle]), early);
    assert_eq!(records(&["--from", &middle]), late);
    let both = records(&["--from", &early[0].1, "--to", &middle, "--type", "run"]);
    assert!(!both.is_empty() && both.iter().all(|pair| early.contains(pair)), "{both:?}");
}

#[test]
fn all_decisions_leave_as_a_table_and_as_a_page_that_nothing_in_them_can_bend() {
    let (place, _) = bent();
    let csv = place.cue(&["audit", "export", "--format", "csv"]).ok().out;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("number,seq,time,run,workflow"), "{csv}");
    assert!(csv.contains("\"'=HYPERLINK(\"\"x\"\")"), "{csv}");
    assert!(lines[lines.len() - 2].starts_with("end,2 decisions,head "), "{csv}");
    let page = place.cue(&["audit", "export", "--format", "html"]).ok().out;
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>") && !page.contains('\u{1b}'), "{page}");
    // Who asked for the run also approved it: the page says so.
    assert!(page.contains("approved what they asked for themselves</th><td><a href"), "{page}");
    assert!(page.contains("yes: all ") && page.contains("heads are signed up to record"), "{page}");
}

#[test]
fn the_page_says_what_an_auditor_asks_of_each_decision() {
    let (place, gate) = decided();
    let page = place.cue(&["audit", "export", "--format", "html"]).ok().out;
    let run = place.cue(&["show", "r-1", "--json"]).ok().json();
    for part in [
        "<h2>The log</h2>",
        "<h2>What stands out</h2>",
        "<h2>All decisions</h2>",
        "<h2>How to check this</h2>",
        "proven uid:",
        "by command",
        "seen",
        "no: asked for it",
        "people wanted: 1",
        "<td>completed</td>",
        "not reviewed by somebody else within two working days",
        &gate,
        run["workflow"].as_str().expect("a workflow"),
        key(&place).split('+').next().expect("an origin"),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Where the log does not hold, the page says so first.
    let connection = rusqlite::Connection::open(place.file(".cuelight/cuelight.db")).expect("the database");
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .and_then(|_| connection.execute_batch("UPDATE events SET at = at + 1 WHERE seq = 3"))
        .expect("a foreign hand");
    drop(connection);
    let page = place.cue(&["audit", "export", "--format", "html"]).ok().out;
    assert!(page.contains("NO: could not verify the log at #3"), "{page}");
}

#[test]
fn what_was_exported_is_signed_and_checked_elsewhere() {
    let (place, _) = decided();
    let (other, key) = (key(&decided().0), key(&place));
    let elsewhere = Place::new();
    for format in ["csv", "html", "jsonl"] {
        let said = place.cue(&["audit", "export", "--format", format, "-o", "file"]).ok();
        assert!(said.out.contains("file.note: checked with `cuelight audit verify`"), "{said:?}");
        let (file, note) = (place.text("file"), place.text("file.note"));
        assert_eq!(independent_verifier::verify_file(file.as_bytes(), &note, &[&key]), Ok(()));
        assert!(independent_verifier::verify_file(file.as_bytes(), &note, &[&other]).is_err());
        elsewhere.write("file", &file);
        elsewhere.write("file.note", &note);
        let said = elsewhere.cue(&["verify", "file", "--key", &key]).ok();
        assert!(said.out.contains("as it was taken from cuelight/"), "{said:?}");
        let said = elsewhere.cue(&["verify", "file", "--key", &other]);
        assert_eq!(said.code, 1, "{said:?}");
        if format == "jsonl" {
            assert!(elsewhere.cue(&["verify", "file"]).ok().out.contains("records hold, from the first on"));
            assert!(independent_verifier::verify_chain(&file, &[&key]).is_ok());
        } else {
            let said = elsewhere.cue(&["verify", "file"]);
            assert!(said.code == 1 && said.err.contains("name the key with --key"), "{said:?}");
        }
        elsewhere.write("file", &file.replacen("seen", "sure", 1));
        let said = elsewhere.cue(&["verify", "file", "--key", &key]);
        assert_eq!(said.code, 1, "{format}: {said:?}");
        assert!(
            independent_verifier::verify_file(elsewhere.text("file").as_bytes(), &note, &[&key]).is_err()
        );
    }
    // A head is no note about a file, and the other way round.
    elsewhere.write("file.note", &place.text(".cuelight/checkpoints"));
    assert_eq!(elsewhere.cue(&["verify", "file", "--key", &key]).code, 1);
    let said = place.cue(&["audit", "verify", "--anchors", "file.note"]);
    assert_eq!(said.code, 2, "{said:?}");
    elsewhere.write("other", "x");
    assert_eq!(elsewhere.cue(&["verify", "other"]).code, 2);
}

#[test]
fn thousands_of_changes_to_an_exported_chain_are_found_by_both_verifiers() {
    let (place, _) = decided();
    let key = key(&place);
    let keys = [key.parse::<NoteKey>().expect("a key")];
    let export = place.cue(&["audit", "export"]).ok().out;
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (end, records) = lines.split_last().expect("a last line");
    assert!(
        verify_chain(&export, &keys).is_ok() && independent_verifier::verify_chain(&export, &[&key]).is_ok()
    );
    let many =
        std::env::var("CUELIGHT_MUTATIONS").ok().and_then(|value| value.parse().ok()).unwrap_or(2_000_u64);
    let mut dice = Dice(7);
    for round in 0..many {
        let (mut records, mut end) = (records.to_vec(), end.clone());
        let what = change(&mut dice, &mut records, &mut end);
        let text: String = records.iter().chain([&end]).map(|record| format!("{record}\n")).collect();
        assert!(verify_chain(&text, &keys).is_err(), "round {round}: {what}: the program");
        assert!(
            independent_verifier::verify_chain(&text, &[&key]).is_err(),
            "round {round}: {what}: the second verifier"
        );
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("it is below")
    }
}

/// One record changed, left out, put in, moved, or the end changed, with or without its numbers made to fit.
fn change(dice: &mut Dice, records: &mut Vec<Value>, end: &mut Value) -> String {
    let at = dice.below(records.len());
    let other = (at + 1 + dice.below(records.len() - 1)) % records.len();
    let fits = dice.below(2) == 0;
    let what = match dice.below(6) {
        0..3 => {
            let fields = ["header", "payload", "payload_hash", "prev", "hash", "salt"];
            let name = fields[dice.below(fields.len())];
            records[at][name] = turned(dice, &records[at][name]);
            format!("{name} of {at}")
        }
        3 => {
            drop(records.remove(at));
            format!("{at} left out")
        }
        4 => {
            records.insert(other, records[at].clone());
            format!("{at} put in at {other}")
        }
        _ if dice.below(2) == 0 => {
            records.swap(at, other);
            format!("{at} and {other} exchanged")
        }
        _ => {
            let name = ["count", "head", "notes"][dice.below(3)];
            match name {
                "count" => end["count"] = (records.len() + 1 + at).into(),
                "head" => end["head"]["hash"] = turned(dice, &end["head"]["hash"]),
                _ => {
                    // The hash or size in a note, not the name of its signature line.
                    let index = dice.below(end["notes"].as_array().expect("notes").len());
                    let note = end["notes"][index].as_str().expect("a note").to_owned();
                    let size = note.lines().nth(1).expect("a size").to_owned();
                    end["notes"][index] =
                        note.replacen(&format!("\n{size}\n"), &format!("\n1{size}\n"), 1).into();
                }
            }
            return format!("{name} at the end");
        }
    };
    if fits {
        for (index, record) in records.iter_mut().enumerate() {
            record["seq"] = (index + 1).into();
        }
        let last = &records[records.len() - 1];
        end["head"] = serde_json::json!({ "seq": records.len(), "hash": last["hash"] });
        end["count"] = records.len().into();
    }
    what
}

/// The text with one letter or digit that is another.
fn turned(dice: &mut Dice, text: &Value) -> Value {
    let mut letters: Vec<char> = text.as_str().expect("text").chars().collect();
    let at = dice.below(letters.len());
    letters[at] = if letters[at] == '7' { '8' } else { '7' };
    letters.into_iter().collect::<String>().into()
}

#[test]
fn a_trace_and_the_last_ones_can_be_asked_for() {
    let (place, _) = decided();
    let trace = place.cue(&["audit", "--json"]).ok().out;
    let first: Value = serde_json::from_str(trace.lines().next().expect("a line")).expect("JSON");
    let trace = first["data"]["trace"].as_str().expect("a trace").to_owned();
    let seqs = |args: &[&str]| -> Vec<u64> {
        let said = place.cue(&[&["audit", "--json"], args].concat()).ok().out;
        let seq = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64();
        said.lines().filter_map(seq).collect()
    };
    let all = seqs(&[&trace]);
    assert!(all.len() > 3 && all.is_sorted(), "{all:?}");
    assert_eq!(all, seqs(&["r-1"]));
    assert_eq!(place.cue(&["audit", "another-trace"]).code, 2);
    let last = seqs(&["--recent", "2"]);
    assert_eq!(last, [all[all.len() - 1], all[all.len() - 2]]);
}

#[test]
fn what_is_wrong_with_the_key_is_told_wherever_it_is_needed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, _) = decided();
    let path = place.file(".cuelight/keys/console.key");
    let told = |part: &str| {
        for args in [&["keys"][..], &["audit", "verify"], &["audit", "export", "-o", "all.jsonl"]] {
            let said = place.cue(args).ok();
            assert!(said.err.contains(part), "{args:?}: {said:?}");
        }
        assert!(!place.file("all.jsonl.note").exists(), "nothing was signed");
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    told("others can read it; run `chmod 600` on it");
    fs::remove_file(&path).expect("it was there");
    told("it is missing; restore it");
    assert!(!path.exists(), "looking makes no key");
}

#[test]
fn the_whole_chain_leaves_line_by_line_and_a_run_as_a_folder_that_proves_itself() {
    let (place, gate) = bent();
    let lines = place.cue(&["audit", "export"]).ok().out;
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = records.last().expect("a last line");
    assert_eq!(last["count"], records.len() as u64 - 1);
    assert_eq!(last["head"]["hash"], records[records.len() - 2]["hash"]);
    place.cue(&["audit", "export", "--evidence", "r-1", "--output", "folder"]).ok();
    let receipt = place.text(&format!("folder/{gate}.receipt.json"));
    assert_eq!(independent_verifier::verify(&receipt, &[key(&place).as_str()]), Ok("approved".to_owned()));
    place.cue(&["audit", "verify", "--anchors", "folder/checkpoints"]).ok();
    assert_eq!(place.cue(&["audit", "export", "--evidence", "r-9", "--output", "other"]).code, 2);
}

//! The trail: heads are signed, a receipt proves a decision elsewhere, and whatever is changed is found.

use crate::{
    program::{Place, until},
    verifier,
};
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
    assert_eq!(verifier::verify(&receipt, &[&key]), Ok("approved".to_owned()));
    // Elsewhere there is no workspace.
    let elsewhere = Place::new();
    elsewhere.write("receipt.json", &receipt);
    let said = elsewhere.cue(&["verify", "receipt.json", "--key", &key]).ok();
    for part in ["asked", "May it?", "approve ", "seen", "approved", "signed     head"] {
        assert!(said.out.contains(part), "{part}: {said:?}");
    }
    // Another key does not vouch for it.
    let other = self::key(&decided().0);
    assert_eq!(elsewhere.cue(&["verify", "receipt.json", "--key", &other]).code, 1);
    assert!(verifier::verify(&receipt, &[&other]).is_err());
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
        assert!(verifier::verify(&text, &[&key]).is_err(), "{what}: the second verifier");
        elsewhere.write("receipt.json", &text);
        let said = elsewhere.cue(&["verify", "receipt.json", "--key", &key]);
        assert_eq!(said.code, 1, "{what}: {said:?}");
    };
    let replace = |value: &mut Value, from: &str, to: &str| {
        *value = Value::from(value.as_str().expect("text").replacen(from, to, 1));
    };
    check("a record left out", &|it| drop(it["records"].as_array_mut().expect("records").remove(1)));
    check("two records exchanged", &|it| it["records"].as_array_mut().expect("records").swap(0, 1));
    check("a record put in", &|it| {
        let records = it["records"].as_array_mut().expect("records");
        records.insert(1, records[0].clone());
    });
    check("the last record left out", &|it| drop(it["records"].as_array_mut().expect("records").pop()));
    check("another reason", &|it| {
        let voted = it["records"].as_array_mut().expect("records");
        let voted =
            voted.iter_mut().find(|it| it["payload"].as_str().is_some_and(|it| it.contains("\"Voted\"")));
        replace(&mut voted.expect("a vote")["payload"], "seen", "sure");
    });
    check("another time", &|it| replace(&mut it["records"][0]["header"], "\"at\":1", "\"at\":2"));
    check("another size", &|it| replace(&mut it["note"], "\n", "\n1"));
    check("a vote that is not shown", &|it| {
        let records = it["records"].as_array_mut().expect("records");
        let voted =
            records.iter_mut().find(|it| it["payload"].as_str().is_some_and(|it| it.contains("\"Voted\"")));
        drop(voted.expect("a vote").as_object_mut().expect("a record").remove("payload"));
    });
    check("another question", &|it| replace(&mut it["records"][0]["payload"], "May it?", "May he?"));
}

#[test]
fn thousands_of_changes_to_a_receipt_are_all_found() {
    let (place, gate) = decided();
    let good = receipt(&place, &gate);
    let key = key(&place);
    let many = std::env::var("CUELIGHT_MUTATIONS").ok().and_then(|it| it.parse().ok()).unwrap_or(2_000_u64);
    let mut chance = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % below as u64).expect("it is below")
    };
    let proved: Value = serde_json::from_str(&good).expect("JSON");
    let proven = |it: &Value| (it["records"].clone(), it["note"].clone());
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
            assert!(verifier::verify(&text, &[&key]).is_err());
            changed += 1;
            continue;
        };
        if proven(&value) == proven(&proved) || only_unproven(&value, &proved) {
            continue;
        }
        assert!(verifier::verify(&text, &[&key]).is_err(), "{text}");
        changed += 1;
    }
}

/// Salts of records whose payload is not in the receipt, and the names in signature lines beside the signature.
fn only_unproven(value: &Value, proved: &Value) -> bool {
    let bare = |it: &Value| -> Option<Value> {
        let mut it = it.clone();
        for record in it["records"].as_array_mut()? {
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
        let (text, signatures) = it["note"].as_str()?.split_once("\n\n")?;
        let signatures: Vec<&str> = signatures.lines().filter(|it| it.starts_with('\u{2014}')).collect();
        Some(Value::from(vec![it["records"].clone(), text.into(), signatures.into()]))
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
    place.cue(&["audit", "verify", "--anchors", "held"]).ok();
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
    assert_eq!(verifier::verify(&receipt(&place, &gate), &[&old]), Ok("approved".to_owned()));
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
    assert!(!all.contains("attempt.started") && !all.contains('\u{1b}'), "{all}");
    assert!(place.cue(&["audit", "--all"]).ok().out.contains("attempt.started"));
    let votes = place.cue(&["audit", "r-1", "--type", "gate.voted", "--json"]).ok();
    assert_eq!(votes.json()["data"]["gate"], Value::from(gate));
    let kinds = place.cue(&["audit", "--type", "gate"]).ok().out;
    assert_eq!(kinds.lines().count(), 3, "{kinds}");
    assert!(place.cue(&["audit", "r-9"]).ok().out.contains("nothing in the trail fits that"));
    assert!(place.cue(&["audit", "--to", "2020-01-01T00:00:00Z"]).ok().out.contains("nothing in the trail"));
    assert_eq!(place.cue(&["audit", "--from", "yesterday"]).code, 2);
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
    assert!(page.contains("approved what they asked for themselves: <a href"), "{page}");
}

#[test]
fn the_whole_chain_leaves_line_by_line_and_a_run_as_a_folder_that_proves_itself() {
    let (place, gate) = bent();
    let lines = place.cue(&["audit", "export"]).ok().out;
    let records: Vec<Value> = lines.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    let last = records.last().expect("a last line");
    assert_eq!(last["count"], records.len() as u64 - 1);
    assert_eq!(last["head"]["hash"], records[records.len() - 2]["hash"]);
    place.cue(&["audit", "export", "--evidence", "r-1", "--output", "folder"]).ok();
    let receipt = place.text(&format!("folder/{gate}.receipt.json"));
    assert_eq!(verifier::verify(&receipt, &[key(&place).as_str()]), Ok("approved".to_owned()));
    place.cue(&["audit", "verify", "--anchors", "folder/checkpoints"]).ok();
    assert_eq!(place.cue(&["audit", "export", "--evidence", "r-9", "--output", "other"]).code, 2);
}
